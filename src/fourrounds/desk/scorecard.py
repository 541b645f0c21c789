"""The scorecard of a mock interview: by round, by skill, against earlier mocks, and what to work on.

A share counts what has a verdict. What a person grades waits for the learner's own review, and counts when it
is judged; a cell in which the examiner failed does not count. A round that was given up has no points. Every
round weighs the same in the sum, as it does in the interview.

What to work on are the skills that cost the most: what is lost in each round is a share of the points of that
round, and a skill is as costly as the sum of these.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from fourrounds.desk import store
from fourrounds.desk.attempts import Attempt, Attempts
from fourrounds.desk.mocks import Dealt, Mock, Mocks, Round
from fourrounds.desk.standing import passes, skill_of
from fourrounds.examiner.layout import ASSIGNMENTS, Layout
from fourrounds.examiner.problem import Problem
from fourrounds.examiner.wall import Kind

TO_WORK_ON = 3
_CHAPTERS = dict(zip(ASSIGNMENTS, ("02", "03", "03", "01"), strict=True))
"""The chapter of the guide that teaches what a round asks, by the number at the head of its file's name."""


@dataclass(frozen=True)
class Part:
    """A graded group of a round. ``points`` is None while it has no verdict. ``why`` says what was wrong."""

    round: int
    problem: str
    group: str
    points: float | None
    max_points: float
    why: str

    @property
    def lost(self) -> float:
        return 0.0 if self.points is None else max(self.max_points - self.points, 0.0)


@dataclass(frozen=True)
class RoundScore:
    """A round: its points, the most of them so far, and what still waits for the learner's review.

    ``expected`` is what the learner predicted of the examiner's points, ``examined``, if that was asked.
    ``seconds`` were used of ``minutes``; ``rest_seconds`` is how long the break before it lasted, of
    ``rest_minutes``. ``attempt`` is the number of the attempt.
    """

    number: int
    assignment: str
    problem: str
    state: str
    points: float
    max_points: float
    waiting: float
    seconds: float
    minutes: float
    expected: float | None
    examined: float | None
    interruptions: int
    openings: int
    rest_seconds: float | None
    rest_minutes: float | None
    attempt: int | None
    parts: tuple[Part, ...]

    @property
    def share(self) -> float | None:
        """Of the points with a verdict; None where nothing has one."""
        return self.points / self.max_points if self.max_points else None

    @property
    def expected_share(self) -> float | None:
        """What was expected, as a share of the points that the examiner gives."""
        most = sum(part.max_points for part in self.parts if part.group != "manual")
        return None if self.expected is None or not most else min(self.expected / most, 1.0)


@dataclass(frozen=True)
class Skill:
    """A skill over all rounds. ``before`` is its share in the mock before, if that asked for it."""

    name: str
    points: float
    max_points: float
    before: float | None

    @property
    def share(self) -> float:
        return self.points / self.max_points


@dataclass(frozen=True)
class ToWorkOn:
    """A skill that cost much: ``lost`` is the sum of the shares of their rounds that it cost.

    ``round`` and ``problem`` are where most was lost, and ``why`` says how. ``practise`` is a problem that
    asks for it, and ``chapter`` the guide's file in notebooks/, if there is one.
    """

    skill: str
    lost: float
    round: int
    problem: str
    why: str
    practise: str
    chapter: str | None


@dataclass(frozen=True)
class Past:
    """An earlier mock: the share of each round that has one, and of all."""

    number: int
    begun_at: datetime
    rounds: Mapping[int, float]
    share: float


@dataclass(frozen=True)
class Scorecard:
    """How a mock interview went. ``ungraded`` are the rounds whose verdict is still to come."""

    mock: Mock
    rounds: tuple[RoundScore, ...]
    skills: tuple[Skill, ...]
    work_on: tuple[ToWorkOn, ...]
    earlier: tuple[Past, ...]
    ungraded: tuple[int, ...]

    @property
    def share(self) -> float | None:
        return _mean(self.rounds)

    @property
    def waiting(self) -> dict[str, float]:
        """The points that wait for the learner's review, by problem."""
        return {one.problem: one.waiting for one in self.rounds if one.waiting}


def scorecard(layout: Layout, user: str, number: int) -> Scorecard:
    """The scorecard of the mock ``number``, from what is graded of it so far."""
    mocks = Mocks(layout, user)
    every = Attempts(store.of(layout)).of(user)
    by_number = {one.id: one for one in every}

    def scores(mock: Mock) -> tuple[RoundScore, ...]:
        graded = mocks.attempts(mock.number)
        return tuple(
            round_score(one, by_number.get(graded.get(one.submission)))
            if one.submission
            else round_score(one)
            for one in mock.rounds
        )

    mock = mocks.read(number)
    earlier = [one for one in mocks.all() if one.number < number and one.phase == "over"]
    past = [(one, scores(one)) for one in earlier]
    return compose(mock, scores(mock), past, layout.problems(), every, _chapters(layout))


def round_score(round_: Round, attempt: Attempt | None = None) -> RoundScore:
    """How a round went; ``attempt`` is the verdict on what was handed in, if there is one yet."""
    dealt, sitting = round_.dealt, round_.clock.sitting
    if attempt is not None:
        parts = _parts(dealt, attempt)
    elif round_.state == "given up":
        parts = tuple(
            Part(dealt.round, dealt.problem, group, 0.0, points, "This round was given up.")
            for group, points in dealt.groups
        )
    else:
        parts = ()
    known = [part for part in parts if part.points is not None]
    return RoundScore(
        number=dealt.round,
        assignment=dealt.assignment,
        problem=dealt.problem,
        state=round_.state,
        points=sum(part.points or 0.0 for part in known),
        max_points=sum(part.max_points for part in known),
        waiting=sum(part.max_points for part in parts if part.points is None and part.group == "manual"),
        seconds=sitting.seconds,
        minutes=dealt.minutes,
        expected=attempt.predicted if attempt else None,
        examined=attempt.score if attempt else None,
        interruptions=round_.interruptions,
        openings=sitting.openings,
        rest_seconds=round_.rest.seconds if round_.rest else None,
        rest_minutes=round_.rest.minutes if round_.rest else None,
        attempt=attempt.id if attempt else None,
        parts=parts,
    )


def _parts(dealt: Dealt, attempt: Attempt) -> tuple[Part, ...]:
    parts = []
    for cell in attempt.report["cells"]:
        points, why = cell["points"], _why(cell)
        if cell["kind"] == Kind.MANUAL:
            judged = attempt.review(cell["grade_id"])
            points = judged.points if judged else None
            no = (
                [q for q, yes in zip(judged.questions, judged.answers, strict=True) if not yes]
                if judged
                else []
            )
            why = f"You answered no to: {no[0]}" if no else ""
        elif cell["kind"] == Kind.EXAMINER_FAULT:
            points = None
        group = "manual" if cell["kind"] == Kind.MANUAL else cell["group"]
        parts.append(Part(dealt.round, dealt.problem, group, points, cell["max_points"], why))
    return tuple(parts)


def _why(cell: Mapping[str, Any]) -> str:
    """The named fault, else the first line of the examiner's message."""
    if cell.get("fault_says"):
        return f"A known mistake gives just this: {cell['fault_says']}"
    if cell["kind"] == Kind.NOT_ATTEMPTED:
        return "It was not attempted."
    lines = [line.strip() for line in str(cell["message"]).splitlines() if line.strip()]
    return lines[0] if lines else str(cell["kind"])


def compose(
    mock: Mock,
    rounds: Sequence[RoundScore],
    earlier: Sequence[tuple[Mock, Sequence[RoundScore]]],
    problems: Sequence[Problem],
    attempts: Sequence[Attempt],
    chapters: Mapping[str, str],
) -> Scorecard:
    """The scorecard from the scores of its rounds and those of ``earlier`` mocks, oldest first.

    ``problems`` are those of the course, ``attempts`` all of the learner's: what to practise is chosen from
    them. ``chapters`` is the guide's file for each assignment.
    """
    past = []
    for one, scores in earlier:
        share = _mean(scores)
        if share is not None:
            shares = {score.number: score.share for score in scores if score.share is not None}
            past.append(Past(one.number, one.begun_at, shares, share))
    before = _by_skill(earlier[-1][1]) if earlier else {}
    skills = tuple(
        Skill(name, points, most, before[name][0] / before[name][1] if name in before else None)
        for name, (points, most) in _by_skill(rounds).items()
    )
    ungraded = tuple(one.number for one in rounds if one.state == "handed in" and one.attempt is None)
    return Scorecard(
        mock, tuple(rounds), skills, _work_on(rounds, problems, attempts, chapters), tuple(past), ungraded
    )


def _mean(rounds: Sequence[RoundScore]) -> float | None:
    shares = [one.share for one in rounds if one.share is not None]
    return sum(shares) / len(shares) if shares else None


def _by_skill(rounds: Sequence[RoundScore]) -> dict[str, tuple[float, float]]:
    """Points and the most of them for each skill with a verdict, in the order of the rounds."""
    found: dict[str, tuple[float, float]] = {}
    for part in (part for one in rounds for part in one.parts if part.points is not None):
        if part.max_points:
            points, most = found.get(skill_of(part.group), (0.0, 0.0))
            found[skill_of(part.group)] = (points + (part.points or 0.0), most + part.max_points)
    return found


def _work_on(
    rounds: Sequence[RoundScore],
    problems: Sequence[Problem],
    attempts: Sequence[Attempt],
    chapters: Mapping[str, str],
) -> tuple[ToWorkOn, ...]:
    losses: dict[str, list[tuple[float, RoundScore, Part]]] = {}
    for one in rounds:
        for part in one.parts:
            if part.lost:
                losses.setdefault(skill_of(part.group), []).append((part.lost / one.max_points, one, part))
    worst = sorted(losses.items(), key=lambda pair: -round(sum(lost for lost, _, _ in pair[1]), 9))
    found = []
    for skill, parts in worst[:TO_WORK_ON]:
        _, one, part = max(parts, key=lambda pair: pair[0])
        found.append(
            ToWorkOn(
                skill=skill,
                lost=sum(lost for lost, _, _ in parts),
                round=one.number,
                problem=one.problem,
                why=part.why,
                practise=_practise(skill, one, problems, attempts),
                chapter=chapters.get(one.assignment),
            )
        )
    return tuple(found)


def _practise(skill: str, one: RoundScore, problems: Sequence[Problem], attempts: Sequence[Attempt]) -> str:
    """Another problem of the round that asks for the skill, best one that is new; else the same one again."""
    done = {attempt.problem for attempt in attempts if passes(attempt)}
    tried = {attempt.problem for attempt in attempts}
    asking = [
        problem
        for problem in problems
        if problem.assignment == one.assignment
        and problem.slug != one.problem
        and skill in {skill_of(cell.group or cell.role) for cell in problem.by_role("hidden", "manual")}
    ]
    ranks = [
        (slug in done, slug in tried, not done.issuperset(problem.prerequisites), slug)
        for problem in asking
        if (slug := problem.slug)
    ]
    return min(ranks)[-1] if ranks else one.problem


def _chapters(layout: Layout) -> dict[str, str]:
    """The chapters that are there."""
    found: dict[str, str] = {}
    for assignment, number in _CHAPTERS.items():
        names = sorted(path.name for path in (layout.root / "notebooks").glob(f"{number}_*.ipynb"))
        found |= {assignment: names[0]} if names else {}
    return found


def json_object(card: Scorecard) -> dict[str, Any]:
    """The scorecard as plain data. Shares are in [0, 1], and null where nothing has a verdict."""
    return {
        "mock": card.mock.number,
        "share": card.share,
        "rounds": [asdict(one) | {"share": one.share} for one in card.rounds],
        "skills": [asdict(one) | {"share": one.share} for one in card.skills],
        "work_on": [asdict(one) for one in card.work_on],
        "earlier": [asdict(one) | {"begun_at": one.begun_at.isoformat()} for one in card.earlier],
        "ungraded": list(card.ungraded),
        "waiting_for_review": card.waiting,
    }
