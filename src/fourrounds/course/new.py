"""Start a problem: write a small one that is complete, for its author to replace piece by piece."""

from __future__ import annotations

import re
from pathlib import Path

from fourrounds.course.canonical import canonical
from fourrounds.course.errors import CourseError
from fourrounds.course.starter import starter
from fourrounds.examiner.layout import ASSIGNMENTS, Layout
from fourrounds.examiner.problem import find_problems

SLUG = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
LONGEST = 40


def new(root: Path, slug: str, assignment: str = "round1_implement") -> Path:
    """Write ``source/<assignment>/<slug>.ipynb`` and return its path.

    It passes ``fourrounds prove`` and ``fourrounds build`` as it stands. ``CourseError`` if there is a
    problem of this name in any assignment, or the name will not do.
    """
    if not SLUG.fullmatch(slug) or len(slug) > LONGEST:
        raise CourseError(
            f"{slug!r} cannot name a problem: take small letters, digits and single underscores, a letter "
            f"first, at most {LONGEST} of them, for example nt_xent"
        )
    if assignment not in ASSIGNMENTS:
        raise CourseError(f"there is no assignment {assignment!r}: take one of {', '.join(ASSIGNMENTS)}")
    layout = Layout(root)
    for path in find_problems(layout.source):
        if path.stem == slug:
            raise CourseError(f"there is a problem called {slug} already: {path.relative_to(root)}")
    path = layout.source / assignment / f"{slug}.ipynb"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("x", encoding="utf-8", newline="\n") as file:
        file.write(canonical(starter()))
    return path
