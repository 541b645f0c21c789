"""Grade a learner's work with the examiner that nbgrader uses, and keep the attempt."""

from __future__ import annotations

import hashlib
import importlib.util
import shlex
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from fourrounds.desk import store
from fourrounds.desk.attempts import Attempt, Attempts, Judged
from fourrounds.desk.clocks import Clocks, Sitting
from fourrounds.desk.errors import DeskError
from fourrounds.desk.mocks import refuse_copy
from fourrounds.desk.reviewing import carry
from fourrounds.desk.work import work_path
from fourrounds.examiner.layout import Layout
from fourrounds.examiner.problem import Problem

if TYPE_CHECKING:
    from fourrounds.examiner.report import Report

MAX_PYTHON_BYTES = 2**20


@dataclass(frozen=True)
class Work:
    """What is to be graded: a notebook, or a Python file that defines the functions.

    ``option`` is what a command needs to name it; the notebook in its place needs none.
    """

    path: Path
    is_python: bool = False
    option: str = ""


def find_work(
    layout: Layout, problem: Problem, user: str, notebook: Path | None = None, answers: Path | None = None
) -> Work:
    """What the learner means: ``answers``, else ``notebook``, else the notebook in submitted/.

    Raises :class:`DeskError` if it is not there. What is there and out of form gets a verdict.
    """
    if notebook and answers:
        raise DeskError("Give either --notebook or --answers, not both.")
    given = answers or notebook
    if given is None:
        path = work_path(layout, problem, user)
        if not path.exists() and not path.is_symlink():
            raise DeskError(
                f"You have handed in nothing for {problem.slug} yet ({path} does not exist): "
                f"`fourrounds start {problem.slug}` makes your copy."
            )
        return Work(path)
    path = given.expanduser()
    name = "--answers" if answers else "--notebook"
    if not path.exists():
        raise DeskError(f"There is no file {path}: give {name} the path of your {_kind(answers)}.")
    if not path.is_file():
        raise DeskError(f"{path} is not a file: give {name} the path of your {_kind(answers)}.")
    if answers and path.suffix == ".ipynb":
        raise DeskError(
            f"{path.name} is a notebook, and --answers takes a Python file: use --notebook {path}."
        )
    path = path.resolve()
    refuse_copy(layout, user, path)
    return Work(path, is_python=bool(answers), option=f" {name} {shlex.quote(str(path))}")


def _kind(answers: Path | None) -> str:
    return "Python file" if answers else "notebook"


@dataclass(frozen=True)
class Graded:
    """A verdict. ``unrecorded`` says why the attempt could not be kept, if it could not.

    ``reviews`` are judgements of the learner's that hold for it, since the same words were judged before.
    """

    report: Report
    work: Work
    unrecorded: str | None = None
    reviews: tuple[Judged, ...] = ()


@dataclass(frozen=True)
class Ran:
    """A verdict on what was submitted, not recorded yet; ``written`` is what a person grades, by grade_id."""

    report: Report
    started_at: datetime
    written: dict[str, str]


def examine(
    layout: Layout,
    problem: Problem,
    work: Work,
    user: str,
    *,
    seed: int | None = None,
    record: bool = True,
    keep_calls: bool = False,
    say: Callable[[str], None] = lambda text: None,
) -> Graded:
    """Grade ``work`` and record the attempt (unless ``record`` is false). ``say`` is told what is happening.

    The time that the clock of the problem has counted is kept with the attempt. Raises :class:`DeskError` for
    what can be put right on this machine; an answer always gets a verdict.
    """
    sha256 = sha256_of(work.path)
    sitting = None
    if record and not work.option:
        with suppress(DeskError):  # the verdict stands without the time; that nothing is kept is told below
            sitting = Clocks(store.of(layout), user).read(problem.slug, problem.minutes).kept
    ran = run(problem, work, seed=seed, keep_calls=keep_calls, say=say)
    if not record:
        return Graded(ran.report, work)
    attempt = attempt_of(ran, problem, user, path=work.path, sha256=sha256, sitting=sitting)
    attempts = Attempts(store.of(layout))
    try:
        number = attempts.record(attempt)
    except DeskError as error:
        return Graded(ran.report, work, unrecorded=str(error))
    return Graded(ran.report, work, reviews=carry(attempts, problem, user, number))


def run(
    problem: Problem,
    work: Work,
    *,
    seed: int | None = None,
    keep_calls: bool = False,
    say: Callable[[str], None] = lambda text: None,
) -> Ran:
    """Grade ``work`` and record nothing. Raises :class:`DeskError` as :func:`examine` does."""
    started = datetime.now(UTC)
    for module in ("torch", "psutil"):
        if importlib.util.find_spec(module) is None:
            raise DeskError(f"Grading needs {module}, and it is not installed here: run `make env`.")
    say("starting the sandbox and loading the tests")
    from fourrounds.examiner.grading import Examiner, SandboxError
    from fourrounds.examiner.submission import from_python, rebuild

    text = _read_python(work.path) if work.is_python else None
    try:
        submission = rebuild(problem, work.path) if text is None else from_python(problem, text)
        # Tests are loaded while the sandbox starts, if there is something to run them on.
        runs = submission.failure is None and not submission.untouched
        with Examiner(first=problem if runs else None) as examiner:
            say("running the answer")
            report = examiner.grade(
                problem,
                submission,
                seed,
                keep_calls=keep_calls,
                progress=lambda done, most, what: say(f"testing {what} (cell {done + 1} of {most})"),
            )
    except SandboxError as error:
        raise DeskError(
            f"No sandbox can be started ({error}). `fourrounds doctor` says what to do."
        ) from error
    written = {
        part.cell.grade_id: part.source
        for part in submission.parts
        if part.cell is not None and part.cell.role == "manual"
    }
    return Ran(report, started, written)


def attempt_of(
    ran: Ran,
    problem: Problem,
    user: str,
    *,
    path: Path,
    sha256: str,
    predicted: float | None = None,
    sitting: Sitting | None = None,
) -> Attempt:
    """The attempt that a verdict makes, of the file ``path`` with the hash ``sha256``."""
    report = ran.report
    return Attempt(
        user=user,
        problem=problem.slug,
        assignment=problem.assignment,
        started_at=ran.started_at,
        finished_at=datetime.now(UTC),
        score=report.score,
        max_score=report.max_score,
        seed=report.seed,
        sandbox=report.sandbox,
        source_sha256=report.source_sha256,
        submission=str(path),
        submission_sha256=sha256,
        report=report.to_dict(),
        written=ran.written,
        predicted=predicted,
        sitting=sitting,
    )


def _read_python(path: Path) -> str:
    size = path.stat().st_size
    if size > MAX_PYTHON_BYTES:
        raise DeskError(
            f"{path.name} is {size / 2**20:.0f} MB, and 1 MB is the most: give the file of your answer."
        )
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise DeskError(f"{path.name} is not text in UTF-8 ({error.reason}): save it as UTF-8.") from error
    except OSError as error:
        raise DeskError(f"{path} cannot be read ({error.strerror}).") from error


def sha256_of(path: Path) -> str:
    """Of the file's bytes; empty for what cannot be read, which the examiner reports."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""
