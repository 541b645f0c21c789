"""What to do today: at most five things, each with why and the command.

In this order: a mock interview that goes on; what was handed in and is not graded; what was begun and not
handed in; what is due again, most forgotten first; something new. However much is due, one place is kept for
something new, and however little, no more than two are offered: a day has hours. What a mock interview deals
is not offered while that goes on.

Something new comes from the round in which it is missed most: in which the learner is least ready, and whose
goal is least met. What a problem asks for comes before it. A problem that was handed in once is not new any
more; if it went badly it comes back as a retry.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fourrounds.desk import handing_in, store
from fourrounds.desk.ahead import next_new, opens
from fourrounds.desk.attempts import Attempt, Attempts
from fourrounds.desk.catalogue import ROUNDS
from fourrounds.desk.clocks import Clocks, told
from fourrounds.desk.goals import Goal, goals
from fourrounds.desk.mocks import Mock, Mocks
from fourrounds.desk.standing import Standing, standing
from fourrounds.desk.work import saved_at, user_name, work_path
from fourrounds.examiner.layout import Layout
from fourrounds.examiner.problem import Problem

if TYPE_CHECKING:
    from rich.console import RenderableType

MOST = 5
MOST_NEW = 2
BEGUN_WITHIN = timedelta(days=7)
START_PAGE = "notebooks/00_start_here.ipynb"


@dataclass(frozen=True)
class Task:
    """Something to do. ``kind`` is ``mock``, ``grade``, ``finish``, ``again``, ``new`` or ``read``.

    ``command`` is what to type, ``path`` the notebook to open if there is one, ``minutes`` how long it takes
    in an interview (0 where nobody has to sit for it).
    """

    kind: str
    slug: str
    title: str
    why: str
    command: str
    minutes: int = 0
    path: Path | None = None


def today(layout: Layout, user: str | None = None, now: datetime | None = None) -> list[Task]:
    """What to do at ``now`` (else this moment), most urgent first."""
    now = now or datetime.now(UTC)
    name = user_name(user)
    problems = layout.problems()
    attempts = Attempts(store.of(layout)).of(name)
    stand = standing(problems, attempts, now)
    open_mock = Mocks(layout, name).last(now)
    mock = _mock(open_mock)
    waits = _waiting(layout, name)
    begun = _begun(layout, name, problems, attempts, now)
    taken = {task.slug for task in (*waits, *begun)}
    if open_mock is not None and not open_mock.over:
        taken |= {one.dealt.problem for one in open_mock.rounds}
    again = _again(layout, name, problems, stand, now, taken)
    new = _new(layout, name, problems, stand, goals(problems, attempts, stand), taken)
    if not attempts and not mock and not waits and not begun and (layout.root / START_PAGE).is_file():
        why = "it says what the interview tests, and how a problem is worked and graded here"
        new.insert(
            0, Task("read", "", "The start page", why, "fourrounds study", 0, layout.root / START_PAGE)
        )
    kept = [*mock, *waits, *begun, *again][: MOST - bool(new)]
    return [*kept, *new[: MOST - len(kept)]]


def _mock(mock: Mock | None) -> list[Task]:
    if mock is None or mock.present is None:
        return []
    present = mock.present
    why = f"Round {present.number} {'is open' if present.state == 'open' else 'is next'}"
    left = max(round(present.clock.seconds_left / 60), 0)
    return [Task("mock", "", f"Go on with mock interview {mock.number}", why, "fourrounds mock", left)]


def _waiting(layout: Layout, user: str) -> list[Task]:
    tasks = []
    for found in handing_in.waiting(layout, user):
        at = found.submitted_at.astimezone()
        why = f"it was handed in at {at:%H:%M} on {at.day} {at:%B} and has no verdict yet"
        if found.tries >= handing_in.MAX_TRIES:
            why += f"; {found.tries} graders were lost over it"
        title = f"Have {found.problem} graded"
        path = found.path if found.path.exists() else None
        tasks.append(Task("grade", found.problem, title, why, f"fourrounds graded {found.id}", 0, path))
    return tasks


def _begun(
    layout: Layout, user: str, problems: Sequence[Problem], attempts: Sequence[Attempt], now: datetime
) -> list[Task]:
    """Problems whose clock was started in the last days, and that were not handed in since."""
    clocks = Clocks(store.of(layout), user)
    handed_in: dict[str, datetime] = {}
    for slug, at in [
        *((one.problem, one.finished_at) for one in attempts),
        *((one.problem, one.submitted_at) for one in handing_in.waiting(layout, user)),
    ]:
        handed_in[slug] = max(at, handed_in.get(slug, at))
    found = []
    for problem in problems:
        moments = clocks.moments(problem.slug)
        path = work_path(layout, problem, user)
        clock = clocks.read(problem.slug, problem.minutes, now, saved_at(path))
        if not clock.started or now - moments[-1].at > BEGUN_WITHIN:
            continue
        if problem.slug in handed_in and handed_in[problem.slug] >= moments[0].at:
            continue
        state = "is running" if clock.running else "is paused"
        why = f"its clock {state} at {told(clock.sitting.seconds)} of {problem.minutes} minutes"
        title, there = f"Finish {problem.slug}", path if path.exists() else None
        left = max(round(clock.seconds_left / 60), 0)
        command = f"fourrounds start {problem.slug}"
        found.append((moments[-1].at, Task("finish", problem.slug, title, why, command, left, there)))
    return [task for _, task in sorted(found, key=lambda pair: pair[0], reverse=True)]


def _again(
    layout: Layout, user: str, problems: Sequence[Problem], stand: Standing, now: datetime, taken: set[str]
) -> list[Task]:
    known = {problem.slug: problem for problem in problems}
    end = now.astimezone().date()  # what falls due this evening may be done this morning
    due = [m for m in stand.memories.values() if m.due.astimezone().date() <= end and m.problem not in taken]
    tasks = []
    for memory in sorted(due, key=lambda one: (one.retrievability, one.due, one.problem)):
        problem = known[memory.problem]
        days = (now - memory.last).days
        ago = "today" if not days else "yesterday" if days == 1 else f"{days} days ago"
        why = f"last done {ago}; the chance that you still would do it as well is {memory.retrievability:.0%}"
        if problem.slug not in stand.passed:
            why += ", and it is not passed yet"
        path = work_path(layout, problem, user)
        tasks.append(
            Task(
                "again",
                problem.slug,
                f"Do {problem.slug} again, from a fresh copy",
                why,
                f"fourrounds start {problem.slug} --again",
                problem.minutes,
                path if path.exists() else None,
            )
        )
    return tasks


def missed(stand: Standing, found: Sequence[Goal]) -> list[str]:
    """The rounds, most missed first: by what readiness lacks, and half of what the goal lacks."""
    lacks = {goal.assignment: max(1 - goal.done / goal.target, 0.0) for goal in found if goal.assignment}
    rounds = [(one.name, 1 - (one.share or 0.0) + lacks.get(one.name, 0.0) / 2) for one in stand.rounds]
    return [name for name, _ in sorted(rounds, key=lambda pair: -round(pair[1], 6))]


def _new(
    layout: Layout,
    user: str,
    problems: Sequence[Problem],
    stand: Standing,
    found: Sequence[Goal],
    taken: set[str],
) -> list[Task]:
    tasks: list[Task] = []
    ready = {one.name: one for one in stand.rounds}
    open_goals = {goal.assignment: goal for goal in found if not goal.met}
    done = stand.tried | taken
    for assignment in missed(stand, found):
        chosen = next_new(assignment, problems, done)
        if chosen is None or len(tasks) == MOST_NEW:
            continue
        problem, wanted = chosen
        if problem.slug in {task.slug for task in tasks}:
            continue
        round_ = ROUNDS.get(assignment, assignment).partition(" · ")[0]
        share = ready[assignment].share
        why = f"{round_}: no evidence yet" if share is None else f"{round_}: you are {share:.0%} ready"
        if assignment in open_goals:
            goal = open_goals[assignment]
            why += f", {goal.done} of {goal.target} {goal.name}"
        if wanted is not problem:
            why += f"; {wanted.slug} asks for it first"
        elif others := opens(problem, problems):
            why += f"; {len(others)} other{'s ask' if len(others) > 1 else ' asks'} for it"
        elif about := [slug for slug in problem.related if slug in stand.passed]:
            why += f"; it is close to {about[0]}, which you passed"
        path = work_path(layout, problem, user)
        tasks.append(
            Task(
                "new",
                problem.slug,
                f"{problem.slug}: {problem.title}",
                why,
                f"fourrounds start {problem.slug}",
                problem.minutes,
                path if path.exists() else None,
            )
        )
    return tasks


def json_rows(tasks: Sequence[Task]) -> list[dict[str, Any]]:
    """What ``fourrounds next --json`` prints."""
    return [
        {
            "kind": task.kind,
            "slug": task.slug or None,
            "title": task.title,
            "why": task.why,
            "command": task.command,
            "minutes": task.minutes,
            "notebook": str(task.path) if task.path else None,
        }
        for task in tasks
    ]


NOTHING = "There is nothing to do: nothing is due, and every problem was handed in."


def rich_table(tasks: Sequence[Task]) -> RenderableType:
    """The tasks for a terminal."""
    from rich.table import Table
    from rich.text import Text

    if not tasks:
        return Text(NOTHING)
    table = Table(title=Text("Today", style="bold"), title_justify="left", show_lines=True)
    table.add_column("What and why", overflow="fold")
    table.add_column("Minutes", justify="right")
    table.add_column("Command", overflow="fold")
    for task in tasks:
        what = Text(task.title, style="bold").append(f"\n{_sentence(task.why)}", style="not bold")
        table.add_row(what, str(task.minutes or ""), Text(task.command))
    return table


def lines(tasks: Sequence[Task]) -> list[str]:
    """The tasks as plain lines."""
    if not tasks:
        return [NOTHING]
    return [
        f"{number}. {task.title}{f' ({task.minutes} minutes)' if task.minutes else ''}. "
        f"{_sentence(task.why)} `{task.command}`"
        for number, task in enumerate(tasks, 1)
    ]


def html(tasks: Sequence[Task], links: Mapping[str, str]) -> str:
    """The tasks for a notebook; ``links`` are the addresses of the notebooks that are there, by title."""
    if not tasks:
        return f"<p>{escape(NOTHING)}</p>"
    items = []
    for task in tasks:
        title = escape(task.title)
        if task.title in links:
            title = f"<a href='{escape(links[task.title])}'>{title}</a>"
        minutes = f", {task.minutes} minutes" if task.minutes else ""
        # In a notebook there is no need to go to a terminal for a fresh copy.
        again = ", again=True" if task.kind == "again" else ""
        here = f'desk.start("{task.slug}"{again})' if task.kind in {"new", "again"} else task.command
        command = f"<code>{escape(here)}</code>"
        why = escape(_sentence(task.why))
        items.append(f"<li style='margin-bottom:0.6em'><b>{title}</b>{minutes}<br>{why}<br>{command}</li>")
    return f"<ol>{''.join(items)}</ol>"


def _sentence(why: str) -> str:
    return f"{why[0].upper()}{why[1:]}."
