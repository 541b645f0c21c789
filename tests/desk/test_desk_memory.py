"""Retries by FSRS: the attempts of a sitting are one review, and its rating follows the rules."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from desk_history import IN_TIME, NOW, ago, attempt, problem, record
from fsrs import Card, Rating, Scheduler

from fourrounds.desk.attempts import Attempts
from fourrounds.desk.memory import due_after, rating, remembered, share, sittings
from fourrounds.desk.store import Store

P = problem("softmax")
LATE = replace(IN_TIME, after_debrief=True)
SLOW = replace(IN_TIME, seconds=60 * 31.0, extended=10.0)
DAY = timedelta(days=1)


def test_attempts_with_less_than_half_a_day_between_them_are_one_sitting() -> None:
    hours = [0.0, 11.9, 23.7, 35.8]  # gaps of 11.9, 11.8 and 12.1 hours
    mine = [attempt(P, NOW + timedelta(hours=h)) for h in hours]
    other = attempt(problem("other"), NOW)
    found = sittings([mine[2], other, mine[0], mine[3], mine[1]])
    assert found == {"softmax": [mine[:3], mine[3:]], "other": [[other]]}


@pytest.mark.parametrize(
    ("shares", "expected"),
    [
        (0.49, Rating.Again),
        (0.5, Rating.Hard),
        (0.79, Rating.Hard),
        (0.8, Rating.Good),
        (1.0, Rating.Good),  # without a clock nobody knows whether it was in time
    ],
)
def test_the_share_of_the_points_is_the_rating(shares: float, expected: Rating) -> None:
    assert rating([attempt(P, NOW, shares)]) == expected


def test_the_best_submission_counts_and_the_first_alone_can_be_easy() -> None:
    bad, good = attempt(P, NOW, 0.2, sitting=IN_TIME), attempt(P, NOW, 1.0, sitting=IN_TIME)
    assert rating([good]) == Rating.Easy
    assert rating([good, bad]) == Rating.Easy
    assert rating([bad, good]) == Rating.Good
    assert rating([attempt(P, NOW, 0.99, sitting=IN_TIME)]) == Rating.Good
    assert rating([attempt(P, NOW, 1.0, sitting=SLOW)]) == Rating.Good  # the added minutes do not count


def test_after_the_debrief_nothing_is_better_than_hard() -> None:
    bad, copied = attempt(P, NOW, 0.2, sitting=IN_TIME), attempt(P, NOW, 1.0, sitting=LATE)
    assert rating([copied]) == Rating.Hard
    assert rating([bad, copied]) == Rating.Hard
    assert rating([attempt(P, NOW, 0.9, sitting=IN_TIME), copied]) == Rating.Good  # it was good before
    assert rating([attempt(P, NOW, 0.2, sitting=LATE)]) == Rating.Again


def test_what_a_person_grades_and_where_the_examiner_failed_has_no_part() -> None:
    written = problem("essay", written=2)
    assert share(attempt(written, NOW, {"normalisation": 1.0, "batching": 0.5}, reviewed=0.0)) == 0.75
    failed = attempt(P, NOW, {"normalisation": 0.5})
    failed.report["cells"][1].update(kind="examiner fault", points=None)
    assert share(failed) == 0.5
    failed.report["cells"][0].update(kind="examiner fault", points=None)
    assert share(failed) == 0.0


def test_the_dates_are_those_of_fsrs() -> None:
    """Against the package itself, fed by hand with the same reviews."""
    scheduler = Scheduler(desired_retention=0.9, learning_steps=(), relearning_steps=(), enable_fuzzing=False)
    card, expected = Card(), [(Rating.Again, ago(20)), (Rating.Good, ago(18)), (Rating.Easy, ago(10))]
    for rated, at in expected:
        card, _ = scheduler.review_card(card, rated, at)
    mine = [
        attempt(P, ago(20.2), 0.0),
        attempt(P, ago(20), 0.3),
        attempt(P, ago(18), 0.9),
        attempt(P, ago(10), 1.0, sitting=IN_TIME),
    ]
    (memory,) = remembered(mine, NOW).values()
    assert (memory.due, memory.last, memory.reviews) == (card.due, ago(10), 3)
    assert memory.stability == card.stability
    assert memory.retrievability == scheduler.get_card_retrievability(card, NOW)
    assert due_after(mine, ()) == card.due
    card, _ = scheduler.review_card(card, Rating.Good, NOW + DAY)
    assert due_after(mine, [NOW + DAY]) == card.due


def test_what_went_badly_comes_back_first() -> None:
    due = [remembered([attempt(P, NOW, s)], NOW)["softmax"].due - NOW for s in (0.2, 0.6, 1.0)]
    easy = remembered([attempt(P, NOW, 1.0, sitting=IN_TIME)], NOW)["softmax"].due - NOW
    assert [*due, easy] == [DAY, DAY, 2 * DAY, 8 * DAY]


def test_it_fades_and_the_same_attempts_give_the_same_dates() -> None:
    mine = [attempt(P, ago(9), 0.9)]
    chances = [remembered(mine, ago(9 - days))["softmax"].retrievability for days in (0, 2, 9)]
    assert chances[0] == 1
    assert chances[0] > chances[1] > chances[2] > 0.5
    assert remembered(mine, NOW) == remembered(mine, NOW)


def test_it_is_derived_from_the_file_whatever_the_time_zone(tmp_path: Path) -> None:
    store = Store(tmp_path / "attempts.sqlite")
    record(store, [attempt(P, ago(3).astimezone(), 0.9)])
    kept = Attempts(store).of("ada")
    assert remembered(kept, NOW.astimezone()) == remembered([attempt(P, ago(3), 0.9)], NOW)
    assert remembered([], NOW) == {}
