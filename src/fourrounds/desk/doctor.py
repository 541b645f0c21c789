"""What is missing or weak on this machine, each with what to do about it."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from fourrounds.examiner.layout import Layout, LayoutError
from fourrounds.examiner.problem import Problem, ProblemError

if TYPE_CHECKING:
    from packaging.requirements import Requirement

LEAST_PYTHON = (3, 11)
LEAST_MB, GOOD_MB = 200, 2000
MAKE_ENV = "run `make env` in the course's folder"
_CHROMIUM = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
)
_EXTRAS = {"grading": "to grade", "scale": "for a class's database", "dev": "to develop and test"}


class State(Enum):
    GOOD = "good"
    WEAK = "weak"
    MISSING = "missing"


@dataclass(frozen=True)
class Finding:
    """One row: what was looked at, how it stands, and what to do if it is not good."""

    what: str
    state: State
    found: str
    do: str = ""


def look(layout: Layout | None, why_no_layout: str = "") -> Iterator[Finding]:
    """Look at everything, one finding at a time; what is ``MISSING`` stops one from working or grading."""
    yield _python()
    yield from _packages()
    yield from _sandbox()
    yield _chromium()
    if layout is None:
        yield Finding("course", State.MISSING, "not found", why_no_layout)
        return
    yield _disk(layout)
    yield from _course(layout)


def _python() -> Finding:
    found = f"{platform.python_version()} ({sys.executable})"
    if sys.version_info < LEAST_PYTHON:
        return Finding(
            "Python", State.MISSING, found, "install Python 3.11 or newer, then `make env PYTHON=python3.11`"
        )
    return Finding("Python", State.GOOD, found)


def _packages() -> Iterator[Finding]:
    try:
        texts = metadata.requires("fourrounds") or []
        from packaging.requirements import Requirement
    except ImportError:  # PackageNotFoundError is one
        yield Finding("packages", State.MISSING, "fourrounds is not installed in this environment", MAKE_ENV)
        return
    requirements = [Requirement(text) for text in texts]
    yield from _group("packages", [r for r in requirements if _applies(r, "")], State.MISSING, "to work")
    for extra, why in _EXTRAS.items():
        mine = [r for r in requirements if _applies(r, extra) and not _applies(r, "")]
        if extra != "grading":
            yield from _group(f"packages {why}", mine, State.WEAK, why)
            continue
        # Each of these is a door of its own: without torch nothing is graded, without nbgrader no class is.
        for requirement in mine:
            worst = State.MISSING if requirement.name == "torch" else State.WEAK
            yield from _group(requirement.name, [requirement], worst, why)


def _applies(requirement: Requirement, extra: str) -> bool:
    return requirement.marker is None or requirement.marker.evaluate({"extra": extra})


def _group(what: str, requirements: Iterable[Requirement], worst: State, why: str) -> Iterator[Finding]:
    """One row for the requirements that are met, and one for each that is not."""
    met = []
    for requirement in requirements:
        try:
            version = metadata.version(requirement.name)
        except metadata.PackageNotFoundError:
            wanted = f"{requirement.name}{requirement.specifier}"
            yield Finding(requirement.name, worst, f"not installed; {wanted} is needed {why}", MAKE_ENV)
            continue
        if requirement.specifier.contains(version, prereleases=True):
            met.append(f"{requirement.name} {version}")
        else:
            found = f"{version}; {requirement.specifier} is needed {why}"
            yield Finding(requirement.name, State.WEAK, found, MAKE_ENV)
    if met:
        yield Finding(what, State.GOOD, ", ".join(met))


def _sandbox() -> Iterator[Finding]:
    bubblewrap = shutil.which("bwrap")
    if bubblewrap:
        yield Finding("bubblewrap", State.GOOD, bubblewrap)
    elif sys.platform == "linux":
        yield Finding(
            "bubblewrap",
            State.WEAK,
            "not installed",
            "install it (Debian, Ubuntu: `sudo apt install bubblewrap`)",
        )
    if importlib.util.find_spec("psutil") is None:
        yield Finding("sandbox", State.MISSING, "psutil is missing, so none can be started", MAKE_ENV)
        return
    from fourrounds.examiner.wall import LEVELS, SandboxError, best_sandbox

    try:
        sandbox, probe = best_sandbox()
    except SandboxError as error:
        asked = os.environ.get("FOURROUNDS_SANDBOX")
        do = "unset FOURROUNDS_SANDBOX" if asked else "report this with the text on the left"
        yield Finding("sandbox", State.MISSING, str(error), do)
        return
    sandbox.close()
    if probe.level == LEVELS[0]:
        yield Finding("sandbox", State.GOOD, f"{probe.level}, the strongest")
        return
    asked = os.environ.get("FOURROUNDS_SANDBOX")
    if asked:
        found, do = f"{probe.level}, since FOURROUNDS_SANDBOX asks for it", "unset FOURROUNDS_SANDBOX"
    else:
        found = "; ".join(
            [probe.level, *(f"{level} is refused: {why}" for level, why in probe.refused.items())]
        )
        do = _stronger(bool(bubblewrap))
    yield Finding("sandbox", State.WEAK, found, do)


def _stronger(has_bubblewrap: bool) -> str:
    if sys.platform != "linux":
        return "nothing here; grade work that you do not trust on Linux"
    if not has_bubblewrap:
        return "install bubblewrap, as above"
    return (
        "allow user namespaces: `sudo sysctl -w kernel.unprivileged_userns_clone=1 "
        "user.max_user_namespaces=15000`, and on Ubuntu `sudo sysctl -w "
        "kernel.apparmor_restrict_unprivileged_userns=0`; in a container, start it without its seccomp filter"
    )


def _chromium() -> Finding:
    path = next(filter(None, map(shutil.which, _CHROMIUM)), None)
    if path:
        return Finding("Chromium", State.GOOD, path)
    do = "only for browser tests: install Chrome or Chromium (Debian: `sudo apt install chromium`)"
    return Finding("Chromium", State.WEAK, "not found", do)


def _disk(layout: Layout) -> Finding:
    free = shutil.disk_usage(layout.root).free / 1e6
    found = f"{free / 1000:.1f} GB free at {layout.root}"
    if free >= GOOD_MB:
        return Finding("disk", State.GOOD, found)
    return Finding("disk", State.WEAK if free >= LEAST_MB else State.MISSING, found, "make room on this disk")


def _course(layout: Layout) -> Iterator[Finding]:
    try:
        problems = layout.problems()
    except (ProblemError, LayoutError) as error:
        yield Finding("source/", State.MISSING, str(error), "restore the file: `git checkout source`")
        return
    if not problems:
        yield Finding("source/", State.MISSING, "no problems", "restore them: `git checkout source`")
        return
    yield Finding("source/", State.GOOD, _many(problems))
    yield _built("release/", problems, layout.release, State.MISSING)
    yield _built("solutions/", problems, layout.solutions, State.WEAK)
    yield _writable(layout)
    gradebook = layout.root / "gradebook.db"
    if os.environ.get("FOURROUNDS_DB_URL"):
        yield Finding("gradebook", State.GOOD, "the database of FOURROUNDS_DB_URL")
    elif gradebook.exists():
        yield Finding("gradebook", State.GOOD, str(gradebook))
    else:
        yield Finding("gradebook", State.GOOD, "none yet; the first `nbgrader autograde` makes it")


def _many(problems: list[Problem]) -> str:
    return f"{len(problems)} problem{'' if len(problems) == 1 else 's'}"


def _built(what: str, problems: list[Problem], folder: Path, worst: State) -> Finding:
    absent = [p.slug for p in problems if not (folder / p.assignment / f"{p.slug}.ipynb").is_file()]
    if not absent:
        return Finding(what, State.GOOD, _many(problems))
    return Finding(what, worst, f"not built: {', '.join(absent)}", "run `fourrounds build`")


def _writable(layout: Layout) -> Finding:
    folder = layout.state
    while not folder.exists():
        folder = folder.parent
    if os.access(folder, os.W_OK):
        return Finding("your state", State.GOOD, str(layout.state))
    return Finding(
        "your state", State.MISSING, f"{folder} cannot be written", "set FOURROUNDS_HOME to a folder of yours"
    )
