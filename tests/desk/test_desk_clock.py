"""The clock: what it counts is folded from what happened, and no kill takes it away."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from fourrounds.desk.clocks import GRACE, Clocks, Do, Moment, Sitting, fold, told
from fourrounds.desk.store import Store

START = datetime(2026, 5, 4, 9, 0, tzinfo=UTC)


def at(minutes: float) -> datetime:
    return START + timedelta(minutes=minutes)


def happened(*moments: tuple[float, Do] | tuple[float, Do, float]) -> list[Moment]:
    return [Moment(at(minutes), *rest) for minutes, *rest in moments]


def counted(moments: list[Moment], now: float, seen: float | None = None) -> tuple[float, float, bool]:
    """Minutes used, minutes read, and whether the clock runs."""
    clock = fold(moments, 45, at(now), None if seen is None else at(seen))
    return clock.sitting.seconds / 60, clock.sitting.reading_seconds / 60, clock.running


def test_it_counts_from_the_start_and_not_before() -> None:
    assert counted([], 5) == (0, 0, False)
    assert counted(happened((0, Do.CODE)), 5) == (5, 0, True)


def test_reading_counts_and_ends_where_the_method_is_closed() -> None:
    moments = happened((0, Do.READ), (4, Do.CODE))
    assert counted(moments[:1], 3) == (3, 3, True)
    assert counted(moments, 9) == (9, 4, True)


def test_a_pause_is_not_counted() -> None:
    moments = happened((0, Do.READ), (2, Do.PAUSE), (60, Do.RESUME), (63, Do.CODE), (64, Do.PAUSE))
    assert counted(moments[:2], 30) == (2, 2, False)
    assert counted(moments[:3], 61) == (3, 3, True)
    assert counted(moments, 500) == (6, 5, False)


def test_what_neither_starts_nor_stops_it_leaves_it_running() -> None:
    moments = happened((0, Do.CODE), (1, Do.OPEN), (2, Do.CLOSE), (3, Do.EXTEND, 5.0), (4, Do.DEBRIEF))
    assert counted(moments, 6) == (6, 0, True)


def test_minutes_are_added_and_openings_counted() -> None:
    moments = happened(
        (0, Do.READ),
        (1, Do.CODE),
        (2, Do.OPEN),
        (3, Do.CLOSE),
        (4, Do.OPEN),
        (5, Do.EXTEND, 5.0),
        (6, Do.EXTEND, 5.0),
    )
    clock = fold(moments, 45, at(7), None)
    assert clock.sitting == Sitting(420, 60, 45, 10, 2)
    assert clock.method_open
    assert clock.seconds_left == 48 * 60
    assert not fold(moments[:4], 45, at(7), None).method_open


def test_in_time_means_the_interviews_own_minutes() -> None:
    assert Sitting(45 * 60, 0, 45).in_time
    assert not Sitting(45 * 60 + 1, 0, 45, extended=10).in_time


def test_a_clock_without_a_sign_of_life_stopped_at_the_last_one() -> None:
    grace = GRACE.total_seconds() / 60
    moments = happened((0, Do.CODE))
    assert counted(moments, grace) == (grace, 0, True)
    assert counted(moments, grace + 1) == (0, 0, False)
    assert counted(moments, 600, seen=20) == (20, 0, False)
    assert counted(moments, 20 + grace, seen=20) == (20 + grace, 0, True)
    assert fold(moments, 45, at(600), at(20)).left_at == at(20)
    # A sign from before the start is none.
    assert counted(moments, 600, seen=-3) == (0, 0, False)
    # What the learner did is a sign too.
    assert counted(happened((0, Do.CODE), (8, Do.EXTEND, 5.0)), 600) == (8, 0, False)


@pytest.fixture
def clocks(tmp_path: Path) -> Clocks:
    return Clocks(Store(tmp_path / "attempts.sqlite"), "ada")


def test_it_survives_as_long_as_the_file_does(clocks: Clocks) -> None:
    clocks.do("softmax", Do.READ, now=at(0))
    clocks.alive("softmax", now=at(5))
    again = Clocks(Store(clocks._store.path), "ada")
    assert again.read("softmax", 45, at(6)).sitting == Sitting(360, 360, 45)
    assert not Clocks(Store(clocks._store.path), "grace").read("softmax", 45, at(6)).started
    assert not again.read("other", 45, at(6)).started


def test_the_time_away_is_not_counted_when_it_goes_on(clocks: Clocks) -> None:
    clocks.do("softmax", Do.CODE, now=at(0))
    clocks.alive("softmax", now=at(7))
    clocks.alive("softmax", now=at(400))  # the page woke up: no start
    assert clocks.read("softmax", 45, at(400)).sitting.seconds == 7 * 60
    clocks.do("softmax", Do.RESUME, now=at(500))
    assert clocks.read("softmax", 45, at(503)).sitting.seconds == 10 * 60
    # Another thing that happens while it is left neither starts it nor counts the time away.
    clocks.do("softmax", Do.EXTEND, 5.0, now=at(900))
    clock = clocks.read("softmax", 45, at(901))
    assert (clock.sitting.seconds, clock.running) == (7 * 60, False)


def test_a_notebook_that_was_saved_is_a_sign_of_life(clocks: Clocks) -> None:
    clocks.do("softmax", Do.CODE, now=at(0))
    assert clocks.read("softmax", 45, at(15), saved_at=at(8)).sitting.seconds == 15 * 60
    clocks.do("softmax", Do.PAUSE, now=at(15), saved_at=at(8))
    assert clocks.read("softmax", 45, at(90)).sitting.seconds == 15 * 60


def test_a_save_after_a_night_does_not_count_the_night(clocks: Clocks) -> None:
    """Who opens the lid and submits has the notebook saved first, and that is no sign from the night."""
    clocks.do("softmax", Do.CODE, now=at(0))
    clocks.alive("softmax", now=at(5))
    clock = clocks.read("softmax", 45, at(600), saved_at=at(600))
    assert (clock.sitting.seconds, clock.left_at) == (5 * 60, at(5))
    clocks.do("softmax", Do.RESUME, now=at(600), saved_at=at(600))
    assert clocks.read("softmax", 45, at(601)).sitting.seconds == 6 * 60


def test_a_fresh_copy_begins_at_zero(clocks: Clocks) -> None:
    clocks.do("softmax", Do.CODE, now=at(0))
    clocks.begin_anew("softmax")
    assert not clocks.read("softmax", 45, at(6)).started
    assert clocks.moments("softmax") == []
    clocks.do("softmax", Do.CODE, now=at(7))
    assert clocks.read("softmax", 45, at(8)).sitting.seconds == 60


def test_a_sitting_is_kept_as_it_was() -> None:
    sitting = Sitting(1.5, 0.25, 45, 5, 2, after_debrief=True)
    assert Sitting.from_json(sitting.to_json()) == sitting


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00"), (65, "1:05"), (3600, "1:00:00"), (-125, "2:05"), (3725.9, "1:02:05")]
)
def test_how_a_time_is_told(seconds: float, text: str) -> None:
    assert told(seconds) == text
