"""What the learner's history says: how far, how ready, how well judged, how fast. Pure functions.

**Passed** is a problem with four fifths of all its points, self-reviewed ones among them, in a submission
before the debrief was opened: who copies a solution has not implemented a paper.

**Readiness** is what an interview would see: of each problem the latest sitting, and in it the first
submission, since an interviewer does not hand the work back to be mended. A group that was left empty at
first, and answered in a later submission, counts as it was first answered; one that was never answered counts
as nothing. Submissions after the debrief do not count. The mean over problems is weighted by what is likely
to be remembered of each (``memory``), so that an old success says less than a new one; how many problems are
behind it, and how much of them is remembered, is told with it. Where there is no evidence there is no number.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from fourrounds.desk.attempts import Attempt
from fourrounds.desk.memory import Memory, after_debrief, remembered, share, sittings
from fourrounds.examiner.layout import ASSIGNMENTS
from fourrounds.examiner.problem import Problem
from fourrounds.examiner.wall import Kind

PASSED = 0.8
WRITING = "writing"

SKILLS: Mapping[str, tuple[str, ...]] = {
    # Round 1: where implementations fail.
    "correctness": ("correctness",),
    "normalisation": ("normalisation",),
    "batching": ("batching",),
    "tolerance": ("tolerance",),
    "edges": ("edges",),  # in every round
    "cost": ("cost",),
    "law": ("law",),  # a random output has the distribution that it should have
    # Rounds 2 and 3: the calculations by which a result is read and an experiment is planned.
    "baselines": ("expected_max", "expected"),  # what a search over settings is worth
    "variance": ("clustered", "crossed", "judged", "gap", "bootstrap", "interval", "iqm"),
    "significance": ("sign_flip", "holm", "paired", "chance", "stopping"),
    "power": ("power", "size", "mcnemar"),
    "ablation": ("factorial",),
    "contamination": ("leakage", "near_duplicates"),
    "reporting": ("grim", "all_runs"),  # printed numbers that cannot be, runs that were dropped
    "counterexamples": ("construction", "margin", "extrapolation"),  # whether a general claim holds
    # Rounds 2 and 3: judgement.
    "critique": ("critique",),
    "first experiment": ("lab",),
    "design": ("design",),
    "analysis": ("analysis",),
    # Round 4.
    "failure shown": ("probe",),
    "control": ("control",),
    "requirement": ("requirement",),
    "proposal": ("proposal",),
    WRITING: ("manual",),  # by the learner's own review
}
"""Which groups of hidden tests show which skill. A group that is not named here is a skill of its own."""

_SKILL_OF = {group: skill for skill, groups in SKILLS.items() for group in groups}


def skill_of(group: str) -> str:
    """The skill that a group of tests shows."""
    return _SKILL_OF.get(group, group)


@dataclass(frozen=True)
class Coverage:
    """A round: how many problems it has, and which of them were handed in and passed."""

    assignment: str
    problems: int
    tried: tuple[str, ...]
    passed: tuple[str, ...]


@dataclass(frozen=True)
class Readiness:
    """How ready the learner is in a round or a skill (``name``).

    ``share`` is in [0, 1], and None without evidence; ``problems`` is the number of problems behind it, and
    ``remembered`` the mean of their retrievabilities.
    """

    name: str
    share: float | None
    problems: int
    remembered: float


@dataclass(frozen=True)
class Guess:
    """A prediction at a submission: shares of the examiner's points, in [0, 1]."""

    problem: str
    at: datetime
    expected: float
    got: float


@dataclass(frozen=True)
class Calibration:
    """All predictions. ``bias`` is the mean of expected less got, ``error`` the mean of its size."""

    guesses: tuple[Guess, ...]

    @property
    def bias(self) -> float:
        return sum(one.expected - one.got for one in self.guesses) / len(self.guesses)

    @property
    def error(self) -> float:
        return sum(abs(one.expected - one.got) for one in self.guesses) / len(self.guesses)

    def told(self) -> str:
        """In a sentence."""
        number = len(self.guesses)
        if not number:
            return "You have not said yet how many points you expect: the last cell of a problem asks for it."
        over = f"over {number} submission{'' if number == 1 else 's'}"
        off = f"one guess is {self.error:.0%} off, on average" if number > 1 else "one says little"
        if abs(self.bias) < 0.02:
            return f"You expect what you get, {over}; {off}."
        more = "more" if self.bias > 0 else "less"
        return f"You expect {abs(self.bias):.0%} {more} of the points than you get, {over}; {off}."


@dataclass(frozen=True)
class Timed:
    """A sitting with a clock, as its last submission has it.

    ``minutes`` were used, ``allowed`` is what the interview gives; ``reading`` are the minutes before the
    method section was closed, ``openings`` how often it was opened again; ``debrief`` says whether the
    solution had been opened.
    """

    problem: str
    assignment: str
    at: datetime
    minutes: float
    allowed: float
    reading: float
    openings: int
    debrief: bool

    @property
    def in_time(self) -> bool:
        return self.minutes <= self.allowed


@dataclass(frozen=True)
class Standing:
    """All that the history says at ``now``."""

    now: datetime
    attempts: int
    coverage: tuple[Coverage, ...]
    rounds: tuple[Readiness, ...]
    skills: tuple[Readiness, ...]
    calibration: Calibration
    times: tuple[Timed, ...]
    memories: Mapping[str, Memory]
    after_debrief: int

    @property
    def passed(self) -> frozenset[str]:
        return frozenset(slug for one in self.coverage for slug in one.passed)

    @property
    def tried(self) -> frozenset[str]:
        return frozenset(slug for one in self.coverage for slug in one.tried)


def standing(problems: Sequence[Problem], attempts: Sequence[Attempt], now: datetime) -> Standing:
    """What ``attempts`` (of one learner) at ``problems`` say. Attempts at other problems are left out."""
    known = {problem.slug: problem for problem in problems}
    mine = [attempt for attempt in attempts if attempt.problem in known]
    memories = remembered(mine, now)
    return Standing(
        now=now,
        attempts=len(mine),
        coverage=_coverage(problems, mine),
        rounds=_rounds(problems, mine, memories),
        skills=_skills(problems, mine, memories),
        calibration=Calibration(tuple(_guesses(mine))),
        times=tuple(_times(mine)),
        memories=memories,
        after_debrief=sum(map(after_debrief, mine)),
    )


def passes(attempt: Attempt) -> bool:
    """Whether it has four fifths of all points, before the debrief."""
    points = attempt.score + sum(one.points for one in attempt.reviews)
    # The sum of points may be a rounding below what it should be.
    return not after_debrief(attempt) and 0 < PASSED * attempt.max_score <= points + 1e-9


def _coverage(problems: Sequence[Problem], attempts: Sequence[Attempt]) -> tuple[Coverage, ...]:
    tried = {attempt.problem for attempt in attempts}
    passed = {attempt.problem for attempt in attempts if passes(attempt)}
    return tuple(
        Coverage(
            assignment,
            len(slugs),
            tuple(slug for slug in slugs if slug in tried),
            tuple(slug for slug in slugs if slug in passed),
        )
        for assignment, slugs in _by_round(problems).items()
    )


def _by_round(problems: Sequence[Problem]) -> dict[str, list[str]]:
    """The slugs of each round; every one of the four is there, also if it has none."""
    found: dict[str, list[str]] = {assignment: [] for assignment in ASSIGNMENTS}
    for problem in problems:
        found.setdefault(problem.assignment, []).append(problem.slug)
    return found


def seen(attempts: Iterable[Attempt]) -> dict[str, dict[str, tuple[float, float]]]:
    """What an interview would have seen: for each problem, for each group, points and the most of them.

    A problem of which every submission came after the debrief is not there.
    """
    found = {}
    for problem, mine in sittings(one for one in attempts if not after_debrief(one)).items():
        found[problem] = _first_answers(mine[-1])
    return found


def _first_answers(sitting: Sequence[Attempt]) -> dict[str, tuple[float, float]]:
    points: dict[str, tuple[float, float]] = {}
    waiting: dict[str, tuple[float, float]] = {}
    for attempt in sitting:
        for cell in attempt.report["cells"]:
            group, most = cell["group"], cell["max_points"]
            if cell["kind"] == Kind.NOT_ATTEMPTED:
                waiting.setdefault(group, (0.0, most))
            elif cell["kind"] not in {Kind.MANUAL, Kind.EXAMINER_FAULT}:
                points.setdefault(group, (cell["points"] or 0.0, most))
    judged = [attempt for attempt in sitting if attempt.reviews]
    if judged:
        reviews = judged[-1].reviews
        points["manual"] = (sum(r.points for r in reviews), sum(r.max_points for r in reviews))
    return {**waiting, **points}


def _mean(name: str, found: Sequence[tuple[float, float]]) -> Readiness:
    """``found``: share and retrievability of each problem."""
    weight = sum(retrievability for _, retrievability in found)
    if not weight:
        return Readiness(name, None, 0, 0.0)
    mean = sum(points * retrievability for points, retrievability in found) / weight
    return Readiness(name, mean, len(found), weight / len(found))


def _rounds(
    problems: Sequence[Problem], attempts: Sequence[Attempt], memories: Mapping[str, Memory]
) -> tuple[Readiness, ...]:
    shown = seen(attempts)
    rounds = []
    for assignment, slugs in _by_round(problems).items():
        found = []
        for slug in (slug for slug in slugs if slug in shown):
            groups = [pair for group, pair in shown[slug].items() if group != "manual"]
            most = sum(pair[1] for pair in groups)
            if most:
                found.append((sum(pair[0] for pair in groups) / most, memories[slug].retrievability))
        rounds.append(_mean(assignment, found))
    return tuple(rounds)


def _skills(
    problems: Sequence[Problem], attempts: Sequence[Attempt], memories: Mapping[str, Memory]
) -> tuple[Readiness, ...]:
    """In the order of ``SKILLS``, those that these problems can show; others come last."""
    groups = {group for problem in problems for group in problem.groups}
    groups |= {"manual"} if any(problem.by_role("manual") for problem in problems) else set()
    shown = seen(attempts)
    names = {skill_of(group) for group in groups}
    skills = []
    for name in [*(skill for skill in SKILLS if skill in names), *sorted(names - set(SKILLS))]:
        found = []
        for slug, points in shown.items():
            pairs = [pair for group, pair in points.items() if skill_of(group) == name and pair[1]]
            if pairs:
                mean = sum(pair[0] for pair in pairs) / sum(pair[1] for pair in pairs)
                found.append((mean, memories[slug].retrievability))
        skills.append(_mean(name, found))
    return tuple(skills)


def _guesses(attempts: Iterable[Attempt]) -> Iterable[Guess]:
    for attempt in attempts:
        cells = attempt.report["cells"]
        most = sum(cell["max_points"] for cell in cells if cell["kind"] != Kind.MANUAL)
        failed = any(cell["kind"] == Kind.EXAMINER_FAULT for cell in cells)
        if attempt.predicted is not None and most and not failed and not after_debrief(attempt):
            expected = min(attempt.predicted / most, 1.0)
            yield Guess(attempt.problem, attempt.finished_at, expected, share(attempt))


def _times(attempts: Iterable[Attempt]) -> Iterable[Timed]:
    timed = []
    for mine in sittings(attempts).values():
        for sitting in mine:
            last = next((one for one in reversed(sitting) if one.sitting is not None), None)
            if last is not None and last.sitting is not None:
                clock = last.sitting
                timed.append(
                    Timed(
                        last.problem,
                        last.assignment,
                        last.finished_at,
                        clock.seconds / 60,
                        clock.minutes,
                        clock.reading_seconds / 60,
                        clock.openings,
                        clock.after_debrief,
                    )
                )
    return sorted(timed, key=lambda one: one.at)
