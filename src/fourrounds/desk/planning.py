"""A schedule over all rounds towards the goals, for the weeks that are left.

A week's minutes are given out in this order:

1. One paper whose method is read first: a new one if it is time for one (see 5), else the one that is due
   first.
2. In the first weeks, a chapter of the guide, or later if it does not fit.
3. In every second week a mock interview, if it fits.
4. Retries, as FSRS expects them if every problem goes well, up to a third of what is left; what does not fit
   slips into the next week. What is not passed yet comes first, then what is most overdue.
5. New problems towards the goals, spread evenly over the weeks but the last, so that the last one is for what
   has slipped. The rounds take turns, the one that is furthest behind first. Round 3 has no goal of its own,
   and is planned with a problem in every second week.
6. Where minutes are left: retries that had to wait, and then new problems beyond the goals.

Within a round problems come in the order of ``ahead``: what others ask for, and what is short, first. A new
problem takes the interview's minutes and ``DEBRIEF`` more to read what is said about it; a retry the
interview's minutes; a mock the longest problem of each round. Everything follows from the problems, the
attempts and the date, so the same history gives the same plan.

What was handed in and not passed comes back as a retry, and then counts as passed: a plan assumes that it is
followed and goes well, and ``fourrounds plan`` makes a new one from what really happened.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

from fourrounds.desk import store
from fourrounds.desk.ahead import next_new
from fourrounds.desk.attempts import Attempt, Attempts
from fourrounds.desk.errors import DeskError
from fourrounds.desk.goals import TARGETS, WEEKLY, Goal, counted, goals
from fourrounds.desk.memory import due_after
from fourrounds.desk.standing import standing
from fourrounds.desk.work import user_name
from fourrounds.examiner.layout import ASSIGNMENTS, Layout
from fourrounds.examiner.problem import Problem

DEBRIEF = 15
CHAPTER, CHAPTER_WEEKS = 60, 4
RETRY_SHARE = 1 / 3
MOST_WEEKS, MOST_HOURS = 52, 40


@dataclass(frozen=True)
class Item:
    """Something that is planned. ``kind`` is ``chapter``, ``retry``, ``new`` or ``mock``.

    ``closed_book`` says that the method is to be read under the clock and closed before coding.
    """

    kind: str
    name: str
    assignment: str | None
    minutes: int
    closed_book: bool = False


@dataclass(frozen=True)
class Week:
    """A week of the plan, from 1; ``start`` is its first day."""

    number: int
    start: date
    items: tuple[Item, ...]

    @property
    def minutes(self) -> int:
        return sum(item.minutes for item in self.items)


@dataclass(frozen=True)
class Plan:
    """A schedule. ``goals`` are as they will stand after it, and ``notes`` says what it takes to meet the
    others, and what could not be planned."""

    weeks: tuple[Week, ...]
    hours: float
    goals: tuple[Goal, ...]
    notes: tuple[str, ...]

    @property
    def met(self) -> bool:
        return all(goal.met for goal in self.goals)


@dataclass
class _Course:
    """What a plan is made of; nothing in it changes."""

    problems: Sequence[Problem]
    attempts: Mapping[str, list[Attempt]]
    done: frozenset[str]
    counts: Mapping[str, frozenset[str]]
    chapters: Sequence[str]
    now: datetime

    def __post_init__(self) -> None:
        self.known = {problem.slug: problem for problem in self.problems}
        self.rounds = {
            assignment: [one.slug for one in self.problems if one.assignment == assignment]
            for assignment in ASSIGNMENTS
        }

    @property
    def mock_minutes(self) -> int:
        """The longest problem of each round; 0 where a round has none, since there is no mock then."""
        rounds = [[self.known[slug].minutes for slug in slugs] for slugs in self.rounds.values()]
        return sum(map(max, rounds)) if all(rounds) else 0

    def aim(self, assignment: str, weeks: int) -> int:
        """How many problems of a round a plan of so many weeks wants to have been done."""
        return TARGETS[assignment][0] if assignment in TARGETS else math.ceil(weeks / 2)


@dataclass
class _Draft:
    """A plan while it is made: what was handed in or is planned, on which dates, and what counts by now."""

    course: _Course
    minutes: int
    number_of_weeks: int
    dates: dict[str, list[datetime]] = field(default_factory=dict)
    weeks: list[Week] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.tried = set(self.course.done)
        self.counts = {assignment: set(slugs) for assignment, slugs in self.course.counts.items()}
        self.read = 0
        self.due = {slug: due_after(self.course.attempts[slug], ()) for slug in self.tried}

    def make(self) -> tuple[Week, ...]:
        for number in range(1, self.number_of_weeks + 1):
            self._week(number)
        return tuple(self.weeks)

    def _week(self, number: int) -> None:
        self.items: list[Item] = []
        self.left = self.minutes
        self.at = self.course.now + timedelta(days=7 * (number - 1) + 3)
        end = self.course.now + timedelta(days=7 * number)
        part = min(number / max(self.number_of_weeks - 1, 1), 1.0)
        towards = {a: self.course.aim(a, self.number_of_weeks) for a in ASSIGNMENTS}
        beyond = {a: len(slugs) for a, slugs in self.course.rounds.items()}
        wanted = {a: math.ceil(aim * part) for a, aim in towards.items()}
        self._paper(wanted[ASSIGNMENTS[0]])
        chapters = self.course.chapters
        by_now = math.ceil(len(chapters) * number / min(CHAPTER_WEEKS, self.number_of_weeks))
        for chapter in chapters[self.read : by_now]:
            self.read += self._add(Item("chapter", chapter, None, CHAPTER))
        mock = Item("mock", "mock interview", None, self.course.mock_minutes)
        if number % 2 == 0 and mock.minutes:
            self._add(mock)
        passed = set().union(*self.counts.values())
        overdue = sorted((slug in passed, due, slug) for slug, due in self.due.items() if due < end)
        reserve = self.left - int(self.left * RETRY_SHARE)
        for *_, slug in overdue:
            self._retry(slug, reserve)
        self._new(wanted)
        for *_, slug in overdue:
            self._retry(slug, 0)
        self._new({a: math.ceil(every * part) for a, every in beyond.items()})
        start = (self.course.now + timedelta(days=7 * (number - 1))).astimezone().date()
        order = ("chapter", "retry", "new", "mock")
        items = sorted(self.items, key=lambda item: order.index(item.kind))
        self.weeks.append(Week(number, start, tuple(_closed_book(items))))

    def _add(self, item: Item, reserve: int = 0) -> bool:
        """Whether it fits, with ``reserve`` minutes kept for other things."""
        if item.minutes > self.left - reserve:
            return False
        self.items.append(item)
        self.left -= item.minutes
        return True

    def _retry(self, slug: str, reserve: int) -> None:
        problem = self.course.known[slug]
        if any(item.name == slug for item in self.items):
            return
        if self._add(Item("retry", slug, problem.assignment, problem.minutes), reserve):
            self._planned(problem)

    def _new(self, wanted: Mapping[str, int]) -> None:
        """Take problems of the rounds in turn, until each has as many as ``wanted`` or nothing fits."""
        full: set[str] = set()
        while True:
            behind = [
                (len(self.counts[a]) / wanted[a], number, a)
                for number, a in enumerate(ASSIGNMENTS)
                if a not in full and len(self.counts[a]) < wanted[a]
            ]
            if not behind:
                return
            assignment = min(behind)[2]
            chosen = next_new(assignment, self.course.problems, self.tried)
            if chosen is None:
                full.add(assignment)
                continue
            problem = chosen[0]
            minutes = problem.minutes + DEBRIEF
            if self._add(Item("new", problem.slug, problem.assignment, minutes)):
                self._planned(problem)
            else:
                full.add(assignment)

    def _paper(self, wanted: int) -> None:
        """The paper of this week: a new one if there should be ``wanted`` by now, else a retry."""
        first = ASSIGNMENTS[0]
        if len(self.counts[first]) < wanted:
            self._new({**dict.fromkeys(ASSIGNMENTS, 0), first: len(self.counts[first]) + 1})
        if not self.items:
            papers = [(self.due[slug], slug) for slug in self.course.rounds[first] if slug in self.due]
            if papers:
                self._retry(min(papers)[1], 0)

    def _planned(self, problem: Problem) -> None:
        slug = problem.slug
        dates = self.dates.setdefault(slug, [])
        dates.append(self.at)
        self.due[slug] = due_after(self.course.attempts.get(slug, ()), dates)
        self.tried.add(slug)
        self.counts.setdefault(problem.assignment, set()).add(slug)


def _closed_book(items: Sequence[Item]) -> Iterator[Item]:
    """The first paper of a week is read with the clock running, and closed."""
    marked = False
    for item in items:
        if item.assignment == ASSIGNMENTS[0] and not marked:
            marked = True
            yield Item(item.kind, item.name, item.assignment, item.minutes, closed_book=True)
        else:
            yield item


def for_learner(
    layout: Layout,
    user: str | None = None,
    *,
    weeks: int = 8,
    hours: float | None = None,
    now: datetime | None = None,
) -> Plan:
    """A schedule of ``weeks`` weeks with ``hours`` hours each.

    Without ``hours`` it takes the fewest whole hours with which the goals are met, if ``MOST_HOURS`` are
    enough. Raises :class:`DeskError` if a number is out of range.
    """
    if not 1 <= weeks <= MOST_WEEKS:
        raise DeskError(f"A plan is for 1 to {MOST_WEEKS} weeks, not {weeks}.")
    if hours is not None and not 0.5 <= hours <= 7 * 24:
        raise DeskError(f"A week has between half an hour and {7 * 24} hours, not {hours:g}.")
    now = now or datetime.now(UTC)
    problems = layout.problems()
    attempts = Attempts(store.of(layout)).of(user_name(user))
    chapters = [path.stem for path in sorted((layout.root / "notebooks").glob("0[1-4]_*.ipynb"))]
    return made(problems, attempts, chapters, now, weeks, hours)


def made(
    problems: Sequence[Problem],
    attempts: Sequence[Attempt],
    chapters: Sequence[str],
    now: datetime,
    weeks: int,
    hours: float | None,
) -> Plan:
    """The plan of a history. ``chapters`` are the names of the guide's, in order."""
    stand = standing(problems, attempts, now)
    by_problem: dict[str, list[Attempt]] = {}
    for attempt in attempts:
        by_problem.setdefault(attempt.problem, []).append(attempt)
    counts = {a: counted(problems, attempts, a) for a in ASSIGNMENTS}
    course = _Course(problems, by_problem, stand.tried, counts, chapters, now)
    before = goals(problems, attempts, stand)
    if hours is None:
        found = _enough(course, before, weeks)
        hours = found if found is not None else MOST_HOURS
    schedule, after = _scheduled(course, before, weeks, hours)
    notes = _notes(course, before, after, schedule, weeks, hours)
    return Plan(schedule, hours, after, tuple(notes))


def _scheduled(
    course: _Course, before: Sequence[Goal], weeks: int, hours: float
) -> tuple[tuple[Week, ...], tuple[Goal, ...]]:
    """The weeks, and the goals as they stand after them."""
    draft = _Draft(course, int(60 * hours), weeks)
    schedule = draft.make()
    after = []
    for goal in before:
        if goal.assignment is None:
            with_one = sum(any(item.closed_book for item in week.items) for week in schedule)
            after.append(Goal(WEEKLY, None, with_one, weeks))
        else:
            after.append(Goal(goal.name, goal.assignment, len(draft.counts[goal.assignment]), goal.target))
    return schedule, tuple(after)


def _enough(course: _Course, before: Sequence[Goal], weeks: int) -> int | None:
    """The fewest whole hours a week with which every goal is met that can be; None if there are none."""
    for hours in range(1, MOST_HOURS + 1):
        schedule, after = _scheduled(course, before, weeks, hours)
        mocks = sum(item.kind == "mock" for week in schedule for item in week.items)
        all_mocks = not course.mock_minutes or mocks == weeks // 2
        if all_mocks and all(goal.met or _impossible(course, goal) for goal in after):
            return hours
    return None


def _impossible(course: _Course, goal: Goal) -> bool:
    """Whether the course has too few problems for a goal."""
    if goal.assignment is None:
        return not course.rounds[ASSIGNMENTS[0]]
    return len(course.rounds[goal.assignment]) < goal.target


def _notes(
    course: _Course,
    before: Sequence[Goal],
    after: Sequence[Goal],
    schedule: Sequence[Week],
    weeks: int,
    hours: float,
) -> Iterator[str]:
    short = [goal for goal in after if not goal.met]
    for goal in short:
        if _impossible(course, goal) and goal.assignment is not None:
            there = len(course.rounds[goal.assignment])
            yield f"{goal.target} {goal.name}: this course has {there} of them."
        else:
            missing = f"{goal.target} {goal.name}, {goal.done} planned"
            yield f"Not met in {told_weeks(weeks)} of {told_hours(hours)}: {missing}."
    mocks = sum(item.kind == "mock" for week in schedule for item in week.items)
    if course.mock_minutes and mocks < weeks // 2:
        yield (
            f"{mocks} of {weeks // 2} mock interviews fit: one takes {course.mock_minutes} minutes, "
            f"and a week has {60 * hours:g} for this and one paper."
        )
    chapters = sum(item.kind == "chapter" for week in schedule for item in week.items)
    if chapters < len(course.chapters):
        yield f"{chapters} of {len(course.chapters)} chapters of the guide fit."
    if any(not _impossible(course, goal) for goal in short):
        ways = []
        enough = _enough(course, before, weeks)
        if enough is not None and enough > hours:
            ways.append(f"{told_hours(enough)} a week")
        longer = next(
            (
                more
                for more in range(weeks + 1, MOST_WEEKS + 1)
                if all(
                    goal.met or _impossible(course, goal)
                    for goal in _scheduled(course, before, more, hours)[1]
                )
            ),
            None,
        )
        if longer is not None:
            ways.append(f"{told_weeks(longer)} of {told_hours(hours)}")
        if ways:
            yield f"What it takes: {', or '.join(ways)}."
        else:
            yield f"Neither {MOST_WEEKS} weeks nor {MOST_HOURS} hours a week are enough for all of them."


def told_weeks(number: int) -> str:
    """``1 week`` or ``8 weeks``"""
    return f"{number} week{'' if number == 1 else 's'}"


def told_hours(number: float) -> str:
    """``1 hour`` or ``7.5 hours``"""
    return f"{number:g} hour{'' if number == 1 else 's'}"


def json_object(found: Plan) -> dict[str, Any]:
    """What ``fourrounds plan --json`` prints."""
    return {
        "hours_per_week": found.hours,
        "weeks": [
            {
                "week": week.number,
                "start": week.start.isoformat(),
                "minutes": week.minutes,
                "items": [
                    {
                        "kind": item.kind,
                        "name": item.name,
                        "assignment": item.assignment,
                        "minutes": item.minutes,
                        "closed_book": item.closed_book,
                    }
                    for item in week.items
                ],
            }
            for week in found.weeks
        ],
        "goals": [{"goal": goal.name, "planned": goal.done, "target": goal.target} for goal in found.goals],
        "met": found.met,
        "notes": list(found.notes),
    }
