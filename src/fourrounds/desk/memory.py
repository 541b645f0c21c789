"""When a problem is due again, by FSRS, from the attempts alone.

Nothing is stored: a problem's attempts are folded through the scheduler each time, so that there is no second
record which could be lost, or could say something else than the attempts do. The scheduler is the one of the
package ``fsrs``, with the parameters that it comes with, without learning steps (a problem takes an hour, and
is not done again after ten minutes) and without chance (the same attempts give the same date).

Attempts at a problem with less than 12 hours between them are one *sitting*, and a sitting is one review: the
third submission of an evening shows what was mended in it, and not what will be remembered. Its rating is

- **Again** if the best submission had less than half of the examiner's points, **Hard** if less than four
  fifths, else **Good**. What the learner judged has no part in it, since nobody forgets how to be kind.
- **Easy** only if the first submission had all points, within the interview's minutes: that is what the
  interview asks for, and whoever can do it need not come back soon. Without a clock nobody knows.
- What was submitted after the debrief was opened is at most **Hard**: a solution that was just read is not
  remembered yet. What was submitted before it counts as it is.

Retrievability is FSRS's estimate of the chance that the problem would be solved as well again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from fsrs import Card, Rating, Scheduler

from fourrounds.desk.attempts import Attempt
from fourrounds.examiner.wall import Kind

GAP = timedelta(hours=12)
RETENTION = 0.9
"""Due is what would be solved again with this chance."""
HARD_FROM, GOOD_FROM = 0.5, 0.8
_UNSCORED = {Kind.MANUAL, Kind.EXAMINER_FAULT}
_SCHEDULER = Scheduler(
    desired_retention=RETENTION, learning_steps=(), relearning_steps=(), enable_fuzzing=False
)


@dataclass(frozen=True)
class Memory:
    """What is remembered of a problem.

    ``due`` is when it should be done again; ``retrievability`` the chance, in [0, 1], that it would be solved
    now; ``stability`` the days after which that chance has fallen to nine tenths; ``reviews`` the number of
    sittings.
    """

    problem: str
    last: datetime
    due: datetime
    retrievability: float
    stability: float
    reviews: int


def after_debrief(attempt: Attempt) -> bool:
    """Whether the solution had been opened when this was handed in."""
    return attempt.sitting is not None and attempt.sitting.after_debrief


def share(attempt: Attempt) -> float:
    """The share of the examiner's points, in [0, 1]; cells in which the examiner failed do not count."""
    cells = [cell for cell in attempt.report["cells"] if cell["kind"] not in _UNSCORED]
    most = sum(cell["max_points"] for cell in cells)
    return sum(cell["points"] or 0.0 for cell in cells) / most if most else 0.0


def sittings(attempts: Iterable[Attempt]) -> dict[str, list[list[Attempt]]]:
    """For each problem its sittings, oldest first, and in each its attempts, oldest first."""
    found: dict[str, list[list[Attempt]]] = {}
    for attempt in sorted(attempts, key=lambda one: one.finished_at):
        mine = found.setdefault(attempt.problem, [])
        if mine and attempt.finished_at - mine[-1][-1].finished_at < GAP:
            mine[-1].append(attempt)
        else:
            mine.append([attempt])
    return found


def rating(sitting: Sequence[Attempt]) -> Rating:
    """How well a sitting went; the head of this module says by which rules, and why."""
    rated = [_of_share(share(one), after_debrief(one)) for one in sitting]
    first = sitting[0]
    in_time = first.sitting is not None and first.sitting.in_time
    if in_time and not after_debrief(first) and share(first) >= 1.0:
        return Rating.Easy
    return max(rated)


def _of_share(points: float, late: bool) -> Rating:
    if points < HARD_FROM:
        return Rating.Again
    return Rating.Hard if late or points < GOOD_FROM else Rating.Good


def remembered(attempts: Iterable[Attempt], now: datetime) -> dict[str, Memory]:
    """What is remembered of each problem that was attempted. ``now`` has a time zone."""
    return {
        problem: _memory(problem, _card((rating(one), one[-1].finished_at) for one in mine), len(mine), now)
        for problem, mine in sittings(attempts).items()
    }


def due_after(attempts: Iterable[Attempt], dates: Iterable[datetime]) -> datetime:
    """When a problem will be due, after its ``attempts`` and if it is done well on each of ``dates``.

    There is at least one of either, and the dates come after the attempts, oldest first.
    """
    done = [(rating(one), one[-1].finished_at) for mine in sittings(attempts).values() for one in mine]
    return _card([*done, *((Rating.Good, date) for date in dates)]).due


def _card(reviews: Iterable[tuple[Rating, datetime]]) -> Card:
    card = Card(card_id=0)
    for rated, at in reviews:
        card, _ = _SCHEDULER.review_card(card, rated, at.astimezone(UTC))
    return card


def _memory(problem: str, card: Card, reviews: int, now: datetime) -> Memory:
    assert card.last_review is not None
    assert card.stability is not None
    return Memory(
        problem=problem,
        last=card.last_review,
        due=card.due,
        retrievability=_SCHEDULER.get_card_retrievability(card, now.astimezone(UTC)),
        stability=card.stability,
        reviews=reviews,
    )
