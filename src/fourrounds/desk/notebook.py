"""The desk inside a notebook: start a problem, see all of them, have one graded."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote

from fourrounds.desk import plan_text, report, review_text, reviewing, store, today, work
from fourrounds.desk.apart import run_apart
from fourrounds.desk.attempts import Attempts
from fourrounds.desk.clock_panel import ClockPanel
from fourrounds.desk.errors import DeskError
from fourrounds.desk.mock_panel import HandInPanel, MockClockPanel, MockPanel
from fourrounds.desk.mocks import refuse_in_mock
from fourrounds.desk.planning import Plan, for_learner
from fourrounds.desk.problems_panel import ProblemsPanel
from fourrounds.desk.progress_page import Progress, of_learner
from fourrounds.desk.progress_page import html as progress_html
from fourrounds.desk.progress_page import lines as progress_lines
from fourrounds.desk.replay import Replay, load
from fourrounds.desk.review_page import html_review
from fourrounds.desk.submit_panel import SubmitPanel
from fourrounds.examiner.layout import Layout, LayoutError, find_root
from fourrounds.examiner.problem import Problem, ProblemError
from fourrounds.examiner.wall import Kind


@contextmanager
def _in_words() -> Iterator[None]:
    """Errors that can be foreseen become a :class:`DeskError`, which a notebook shows without a stack."""
    try:
        yield
    except (LayoutError, ProblemError, OSError) as error:
        raise DeskError(str(error)) from error


def _link(path: Path) -> str:
    """The address that JupyterLab follows from an output: relative to the folder of this notebook."""
    notebook = os.environ.get("JPY_SESSION_NAME")  # the server tells its kernels the notebook's path
    here = Path(notebook).parent if notebook and Path(notebook).is_absolute() else Path.cwd()
    return quote(Path(os.path.relpath(path, here)).as_posix())


@dataclass(frozen=True)
class StartedLink:
    """What :func:`start` did. In a notebook it shows a link that opens the learner's copy."""

    started: work.Started
    lines: Sequence[str]

    def __repr__(self) -> str:
        return "\n".join(self.lines)

    def _repr_html_(self) -> str:
        words = {
            "started": "Your copy is ready:",
            "kept": "You have started this already, and your work is untouched:",
            "again": "Your earlier attempt is in the archive, and this is a fresh copy:",
        }[self.started.outcome]
        link = f"<a href='{escape(_link(self.started.path))}'>open {escape(self.started.path.name)}</a>"
        kept = (
            f"<p>The earlier attempt: {escape(str(self.started.archived))}</p>"
            if self.started.archived
            else ""
        )
        return f"<p>{words} <b>{link}</b></p>{kept}"


@_in_words()
def start(slug: str, *, again: bool = False) -> StartedLink:
    """Make your copy of a problem, or find the one that you have.

    ``again`` puts that one into the archive and makes a fresh copy.
    """
    layout = Layout(find_root())
    problem = layout.problem(slug)
    refuse_in_mock(layout, work.user_name(), problem)
    started = work.start(layout, problem, work.user_name(), again=again)
    return StartedLink(started, work.told(started, problem))


@_in_words()
def problems() -> ProblemsPanel:
    """Every problem, how far you are with it, and a button that opens your copy."""
    return ProblemsPanel(Layout(find_root()), work.user_name())


def _links(tasks: Sequence[today.Task]) -> dict[str, str]:
    return {task.title: _link(task.path) for task in tasks if task.path}


@dataclass(frozen=True)
class Today:
    """What to do today, as :func:`next` returns it."""

    tasks: Sequence[today.Task]

    def __repr__(self) -> str:
        return "\n".join(today.lines(self.tasks))

    def _repr_html_(self) -> str:
        return today.html(self.tasks, _links(self.tasks))


@_in_words()
def next() -> Today:
    """What to do today: at most five things, each with why."""
    return Today(today.today(Layout(find_root())))


@dataclass(frozen=True)
class ProgressPage:
    """Your progress, as :func:`progress` returns it."""

    found: Progress

    def __repr__(self) -> str:
        return "\n".join(progress_lines(self.found))

    def _repr_html_(self) -> str:
        return progress_html(self.found, _links(self.found.first))


@_in_words()
def progress() -> ProgressPage:
    """Your goals, what you passed, how ready you are, how well you guess your points, and your times."""
    return ProgressPage(of_learner(Layout(find_root())))


@dataclass(frozen=True)
class PlanPage:
    """A schedule, as :func:`plan` returns it."""

    found: Plan

    def __repr__(self) -> str:
        return "\n".join(plan_text.lines(self.found))

    def _repr_html_(self) -> str:
        return plan_text.html(self.found)


@_in_words()
def plan(weeks: int = 8, hours_per_week: float | None = None) -> PlanPage:
    """A schedule over all rounds towards the goals, from what you have done so far.

    Without ``hours_per_week`` it takes as many hours as the goals need.
    """
    return PlanPage(for_learner(Layout(find_root()), weeks=weeks, hours=hours_per_week))


@_in_words()
def clock(slug: str) -> ClockPanel:
    """The clock of a problem, which counts the interview's minutes: start, pause and extend it."""
    layout, problem, user, path = _mine(slug)
    return ClockPanel(layout, problem, user, path)


@_in_words()
def submit(slug: str) -> SubmitPanel:
    """A button that saves the notebook, hands in what is on the screen, and shows the verdict."""
    layout, problem, user, path = _mine(slug)
    return SubmitPanel(layout, problem, user, path)


@_in_words()
def mock() -> MockPanel:
    """The mock interview: begin one or go on with it, and see how it went."""
    return MockPanel(Layout(find_root()), work.user_name())


@_in_words()
def mock_clock(number: int, round: int) -> MockClockPanel:
    """The clock of a round of the mock interview ``number``, in the notebook of that round."""
    return MockClockPanel(Layout(find_root()), work.user_name(), number, round)


@_in_words()
def hand_in_mock(number: int, round: int) -> HandInPanel:
    """A button that hands in a round of the mock interview ``number``; its verdict comes at the end."""
    return HandInPanel(Layout(find_root()), work.user_name(), number, round)


def _mine(slug: str) -> tuple[Layout, Problem, str, Path]:
    layout = Layout(find_root())
    problem, user = layout.problem(slug), work.user_name()
    return layout, problem, user, work.work_path(layout, problem, user)


@dataclass(frozen=True)
class GradeReport:
    """A verdict, as :func:`grade` returns it. ``report`` is the examiner's, as a dict."""

    report: Mapping[str, Any]
    next_steps: Sequence[str]
    saved_at: datetime
    warning: str = ""

    @property
    def _lines(self) -> list[str]:
        graded = f"This is about your notebook as it was saved at {self.saved_at:%H:%M:%S on %d %B}."
        review = f'`desk.review("{self.report["problem"]}")` does the same as `fourrounds review`.'
        waits = any(cell["kind"] == Kind.MANUAL for cell in self.report["cells"])
        warning = [self.warning] if self.warning else []
        return [graded, *warning, *self.next_steps, *([review] if waits else [])]

    def __repr__(self) -> str:
        return report.text_report(self.report, self._lines)

    def _repr_html_(self) -> str:
        return report.html_report(self.report, self._lines)


@_in_words()
def grade(slug: str, *, seed: int | None = None) -> GradeReport:
    """Grade your saved notebook with the hidden tests, and keep the attempt.

    Everything runs in another process, so that nothing in this kernel has a part in the verdict. Raises
    :class:`DeskError` if there is none.
    """
    layout = Layout(find_root())
    path = work.work_path(layout, layout.problem(slug), work.user_name())
    saved_at = datetime.fromtimestamp(path.stat().st_mtime) if path.exists() else datetime.now()
    options = [] if seed is None else ["--seed", str(seed)]
    answer, warning = run_apart(
        layout, ["grade", slug, "--page", *options], lambda line: print(line, flush=True)
    )
    result = json.loads(answer)
    return GradeReport(result["report"], result["next"], saved_at, warning)


@dataclass(frozen=True)
class ReviewPage:
    """The written answers of an attempt with their questions and samples, as :func:`review` returns it."""

    review: reviewing.Review

    def __repr__(self) -> str:
        return "\n".join(review_text.text_review(self.review))

    def _repr_html_(self) -> str:
        return html_review(self.review)


@_in_words()
def review(
    slug: str,
    answers: str | Sequence[bool] | Mapping[str, str | Sequence[bool]] | None = None,
    *,
    attempt: int | None = None,
) -> ReviewPage:
    """Judge what you wrote in your last graded attempt at a problem, or in your ``attempt``-th.

    Without ``answers`` it shows your words, the questions, and the samples. ``answers`` (``"ynyyn"``, or such
    a text for each cell by its name) records your yes or no to each question. Raises :class:`DeskError` if
    there is nothing to review.
    """
    layout = Layout(find_root())
    attempts = Attempts(store.of(layout))
    found = reviewing.begin(attempts, layout.problem(slug), work.user_name(), attempt)
    if answers is not None:
        found = reviewing.judge(attempts, found, reviewing.read_answers(answers, found))
    return ReviewPage(found)


@_in_words()
def failing_input(path: str | os.PathLike[str]) -> Replay:
    """The input of a failed test (``args``, ``kwargs``, ``calls``), from a file of ``fourrounds replay``."""
    return load(Path(path))
