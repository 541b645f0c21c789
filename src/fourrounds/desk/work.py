"""A learner's own copy of a problem: where it lies, and how it is started without ever losing work."""

from __future__ import annotations

import contextlib
import errno
import getpass
import json
import os
import re
import shutil
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from fourrounds.desk import store
from fourrounds.desk.clocks import Clocks
from fourrounds.desk.errors import DeskError
from fourrounds.examiner.layout import Layout
from fourrounds.examiner.problem import Problem

CLOCK = """\
# Your clock: run this cell (Shift-Enter).
from fourrounds import desk

desk.clock("{slug}")"""
SUBMIT = """\
# When you want a verdict: run this cell, and press Submit.
from fourrounds import desk

desk.submit("{slug}")"""
_HAND_IN = re.compile(
    r"Save(,| the notebook) and (hand it in: )?`fourrounds grade \w+`"
    r"(\s+in a terminal inside this\s+project,\s+or\s+your course's submit button)?\."
)
# nbgrader takes the folder's name as the student's id and as a glob: no character of a pattern may be in it.
_USER = re.compile(r"\w[\w.@ -]{0,98}\w|\w")


def user_name(given: str | None = None) -> str:
    """The learner's name, a folder in submitted/: ``given``, else ``FOURROUNDS_USER``, else the login name.

    Raises :class:`DeskError` if it cannot be the name of a folder.
    """
    name = given or os.environ.get("FOURROUNDS_USER")
    if not name:
        try:
            name = getpass.getuser()
        except (OSError, KeyError, ImportError) as error:
            raise DeskError("This system gives you no user name: set FOURROUNDS_USER to one.") from error
    if not _USER.fullmatch(name):
        raise DeskError(
            f"{name!r} cannot be the name of your folder in submitted/: set FOURROUNDS_USER (or give --user) "
            "to letters and digits, with . _ - @ or a space between them."
        )
    return name


def work_path(layout: Layout, problem: Problem, user: str) -> Path:
    """Where the learner's notebook of ``problem`` lies, once it is started."""
    return layout.submitted / user / problem.assignment / f"{problem.slug}.ipynb"


def release_path(layout: Layout, problem: Problem) -> Path:
    return layout.release / problem.assignment / f"{problem.slug}.ipynb"


def saved_at(path: Path) -> datetime | None:
    """When the notebook was saved last; None if it is not there."""
    try:
        return datetime.fromtimestamp(path.stat().st_mtime, UTC)
    except OSError:
        return None


@dataclass(frozen=True)
class Started:
    """What starting did: ``path`` is the learner's notebook, ``archived`` where the old one went."""

    slug: str
    path: Path
    outcome: Literal["started", "kept", "again"]
    archived: Path | None = None


def start(layout: Layout, problem: Problem, user: str, *, again: bool = False) -> Started:
    """Copy the released notebook to the learner's folder, unless there is work already.

    With ``again`` the old notebook is first moved into the archive in the learner's state. At every moment
    it stands whole in one place or the other, so that a kill loses nothing. Raises :class:`DeskError`.
    """
    release = release_path(layout, problem)
    if not release.is_file():
        raise DeskError(
            f"{problem.slug} is not built yet ({release} does not exist): run "
            f"`fourrounds build {problem.slug}`."
        )
    path = work_path(layout, problem, user)
    if path.is_dir() and not path.is_symlink():
        raise DeskError(f"{path} is a folder, where your notebook should be: move it away and start again.")
    archived = None
    if os.path.lexists(path):
        if not again:
            return Started(problem.slug, path, "kept")
        archived = _archive(layout, problem, user, path)
    if not put(with_desk(release.read_bytes(), problem), path):
        return Started(problem.slug, path, "kept", archived)
    Clocks(store.of(layout), user).begin_anew(problem.slug)
    return Started(problem.slug, path, "again" if archived else "started", archived)


def put(data: bytes, path: Path) -> bool:
    """Write a new file whole, or leave what has that name by now; whether it was written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(
        dir=path.parent, prefix=".start-", suffix=".tmp", delete=False
    ) as temporary:
        fresh = Path(temporary.name)
    try:
        fresh.write_bytes(data)
        fresh.chmod(0o644)
        return _place(fresh, path)
    finally:
        fresh.unlink(missing_ok=True)


def with_desk(
    data: bytes, problem: Problem, clock: str = CLOCK, submit: str = SUBMIT, press: str = "Submit"
) -> bytes:
    """A released notebook with the desk's cells: a clock behind the front matter, and a last one to submit.

    ``clock`` and ``submit`` are their sources, in which ``{slug}`` stands for the problem. The examiner
    leaves them out (their role is ``desk``), so that the copy may also be handed in to a class. Where the
    front matter says how to hand in from a terminal, it now says which button of the last cell to ``press``.
    """
    notebook = json.loads(data)
    cells = notebook["cells"]
    fronts = [
        n for n, cell in enumerate(cells) if cell["metadata"].get("fourrounds", {}).get("role") == "front"
    ]
    for front in fronts:
        text = cells[front]["source"]
        text = text if isinstance(text, str) else "".join(text)
        cells[front]["source"] = _HAND_IN.sub(f"Run the last cell, and press *{press}*.", text)
    cells.insert(fronts[-1] + 1 if fronts else 0, _desk_cell("desk-clock", clock, problem))
    cells.append(_desk_cell("desk-submit", submit, problem))
    return json.dumps(notebook, indent=1, ensure_ascii=False).encode() + b"\n"


def _desk_cell(name: str, source: str, problem: Problem) -> dict[str, Any]:
    return {
        "cell_type": "code",
        "execution_count": None,
        "id": name,
        "metadata": {
            "deletable": False,
            "editable": False,
            "fourrounds": {"role": "desk"},
            "tags": ["nbval-skip"],
        },
        "outputs": [],
        "source": source.format(slug=problem.slug),
    }


def told(started: Started, problem: Problem) -> list[str]:
    """What starting did, and what to do next, in lines."""
    lines = {
        "started": [f"Your copy of {started.slug} is {started.path}"],
        "kept": [
            f"You have started {started.slug} already; your work is untouched: {started.path}",
            f"`fourrounds start {started.slug} --again` puts it into the archive and gives you a fresh copy.",
        ],
        "again": [
            f"Your earlier attempt is kept: {started.archived}",
            f"A fresh copy of {started.slug} is {started.path}",
        ],
    }[started.outcome]
    return [
        *lines,
        f"Open it in JupyterLab, which `fourrounds study` starts. You have {problem.minutes} minutes.",
        f"When you have saved it: `fourrounds grade {started.slug}`",
    ]


def _place(fresh: Path, path: Path) -> bool:
    """Give ``fresh`` the name ``path`` in one step; False if something has that name by now."""
    try:
        os.link(fresh, path)
    except FileExistsError:
        return False
    except OSError:  # a file system without hard links
        if os.path.lexists(path):
            return False
        os.replace(fresh, path)
    return True


def _archive(layout: Layout, problem: Problem, user: str, path: Path) -> Path:
    """Move ``path`` into a folder of the archive that nobody has used before."""
    shelf = layout.state / "archive" / user / problem.assignment / problem.slug
    shelf.mkdir(parents=True, exist_ok=True)
    folder = _unused_folder(shelf, datetime.now().strftime("%Y-%m-%d_%H-%M-%S"))
    target = folder / path.name
    try:
        # One step: an editor that saves at this moment writes into the archived file or makes a new one.
        os.rename(path, target)
    except OSError as error:
        if error.errno != errno.EXDEV:  # the state lies on another disk
            raise
        _move_by_copy(path, target)
    return target


def _move_by_copy(path: Path, target: Path) -> None:
    partial = target.with_suffix(".partial")
    with path.open("rb") as old, partial.open("xb") as new:
        shutil.copyfileobj(old, new)
        new.flush()
        os.fsync(new.fileno())
    os.replace(partial, target)
    if path.read_bytes() != target.read_bytes():
        raise DeskError(f"{path} was saved while it was archived: run the command once more.")
    path.unlink()


def _unused_folder(shelf: Path, name: str) -> Path:
    number = 1
    while True:
        folder = shelf / (name if number == 1 else f"{name}_{number}")
        with contextlib.suppress(FileExistsError):
            folder.mkdir()
            return folder
        number += 1
