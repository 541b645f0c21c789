"""The goals of a candidate's preparation, and how far the learner is with each.

Ten papers implemented, five critiques, three open problems in two paragraphs each, and, every week, one paper
whose method was read under the clock and closed before it was implemented.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

from fourrounds.desk.attempts import Attempt
from fourrounds.desk.standing import Standing, passes
from fourrounds.examiner.layout import ASSIGNMENTS
from fourrounds.examiner.problem import Problem

TARGETS: Mapping[str, tuple[int, str]] = {
    ASSIGNMENTS[0]: (10, "papers implemented"),
    ASSIGNMENTS[1]: (5, "critiques"),
    ASSIGNMENTS[3]: (3, "open problems in two paragraphs each"),
}
WEEKLY = "weeks with a method read first, book closed"


@dataclass(frozen=True)
class Goal:
    """A goal: ``done`` of ``target``, and ``note``, what is to be known about it.

    ``assignment`` is the round that counts, and None for the weekly one.
    """

    name: str
    assignment: str | None
    done: int
    target: int
    note: str = ""

    @property
    def met(self) -> bool:
        return self.done >= self.target

    def told(self) -> str:
        sign = "✓" if self.met else "·"
        return f"{sign} {self.done} of {self.target} {self.name}{f' ({self.note})' if self.note else ''}"


def goals(problems: Sequence[Problem], attempts: Sequence[Attempt], standing: Standing) -> tuple[Goal, ...]:
    """Every goal as it stands at ``standing.now``."""
    found = []
    for assignment, (target, name) in TARGETS.items():
        done = counted(problems, attempts, assignment)
        unread = _unread(problems, attempts, assignment) - done
        note = ""
        if unread:
            first = min(unread)
            others = f", and {len(unread) - 1} more," if len(unread) > 1 else ""
            note = f"{first}{others} may count once you review what you wrote: `fourrounds review {first}`"
        found.append(Goal(name, assignment, len(done), target, note))
    found.append(_weekly(attempts, standing.now))
    return tuple(found)


def counted(problems: Sequence[Problem], attempts: Sequence[Attempt], assignment: str) -> frozenset[str]:
    """The problems of a round that count for its goal.

    A problem counts once it is passed. One of Round 4 also has each of its written answers reviewed, in a
    submission that passes: the two paragraphs are what the goal asks for.
    """
    written = {one.slug: {cell.grade_id for cell in one.by_role("manual")} for one in problems}
    mine = _slugs(problems, assignment)
    return frozenset(
        one.problem
        for one in attempts
        if one.problem in mine
        and passes(one)
        and (
            assignment != ASSIGNMENTS[3]
            or written[one.problem] <= {review.grade_id for review in one.reviews}
        )
    )


def _unread(problems: Sequence[Problem], attempts: Sequence[Attempt], assignment: str) -> frozenset[str]:
    """The problems of a round with written answers that, reviewed, could make them count."""
    written = {one.slug: one.by_role("manual") for one in problems if one.assignment == assignment}
    found = set()
    for one in attempts:
        judged = {review.grade_id for review in one.reviews}
        unread = sum(cell.points for cell in written.get(one.problem, ()) if cell.grade_id not in judged)
        if unread and passes(replace(one, score=one.score + unread)):
            found.add(one.problem)
    return frozenset(found)


def _slugs(problems: Sequence[Problem], assignment: str) -> frozenset[str]:
    return frozenset(one.slug for one in problems if one.assignment == assignment)


def monday(at: datetime) -> date:
    """The first day of the week of ``at``, where the learner is."""
    day = at.astimezone().date()
    return day - timedelta(days=day.weekday())


def _weekly(attempts: Sequence[Attempt], now: datetime) -> Goal:
    closed = {
        monday(one.finished_at)
        for one in attempts
        if one.assignment == ASSIGNMENTS[0] and one.sitting is not None and one.sitting.reading_seconds > 0
    }
    this = monday(now)
    first = min((monday(one.finished_at) for one in attempts), default=this)
    weeks = max((this - first).days // 7 + 1, 1)
    note = "this week: done" if this in closed else "this week: not yet"
    return Goal(WEEKLY, None, len(closed), weeks, note)


def json_rows(found: Sequence[Goal]) -> list[dict[str, Any]]:
    """What ``--json`` prints of goals."""
    return [
        {
            "goal": goal.name,
            "assignment": goal.assignment,
            "done": goal.done,
            "target": goal.target,
            "met": goal.met,
        }
        for goal in found
    ]
