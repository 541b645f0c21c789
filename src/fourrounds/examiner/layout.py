"""Where things lie: the folders of a course, and the problems in them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from fourrounds.examiner.problem import Problem, find_problems, load_problem

ASSIGNMENTS = ("round1_implement", "round2_critique", "round3_design", "round4_open_problems")


class LayoutError(Exception):
    """A folder or a problem is not where it should be; the message says what to do."""


@dataclass(frozen=True)
class Layout:
    """The folders below a course's root (a clone of the project, or an instructor's own course)."""

    root: Path

    @property
    def source(self) -> Path:
        return self.root / "source"

    @property
    def release(self) -> Path:
        return self.root / "release"

    @property
    def solutions(self) -> Path:
        return self.root / "solutions"

    @property
    def submitted(self) -> Path:
        return self.root / "submitted"

    @property
    def mocks(self) -> Path:
        """The learner's copies for mock interviews."""
        return self.root / "mocks"

    @property
    def state(self) -> Path:
        """A learner's own local state: attempts, archived work, replays."""
        home = os.environ.get("FOURROUNDS_HOME")
        return Path(home) if home else self.root / ".fourrounds"

    def problems(self) -> list[Problem]:
        """Every problem in source/; ``ProblemError`` if one breaks a rule."""
        return [load_problem(path) for path in find_problems(self.source)]

    def problem(self, slug: str) -> Problem:
        """The problem with this slug; ``LayoutError`` names the nearest if there is none."""
        paths = {path.stem: path for path in find_problems(self.source)}
        if slug not in paths:
            near = get_close_matches(slug, paths, n=1)
            hint = f"Did you mean {near[0]}?" if near else "`fourrounds list` shows all of them."
            raise LayoutError(f"There is no problem called {slug!r}. {hint}")
        return load_problem(paths[slug])


def find_root(start: Path | None = None) -> Path:
    """The course's root: ``FOURROUNDS_ROOT``, else the nearest folder upwards that holds source/ and
    nbgrader_config.py.

    Raises ``LayoutError`` if there is none.
    """
    given = os.environ.get("FOURROUNDS_ROOT")
    if given:
        root = Path(given).resolve()
        if not (root / "source").is_dir():
            raise LayoutError(f"FOURROUNDS_ROOT is {given}, and there is no source/ folder in it.")
        return root
    here = (start or Path.cwd()).resolve()
    for folder in (here, *here.parents):
        if (folder / "source").is_dir() and (folder / "nbgrader_config.py").is_file():
            return folder
    raise LayoutError(
        f"{here} is not inside a Four Rounds folder: change into your clone, or set FOURROUNDS_ROOT to it."
    )
