"""The mock interview: what it deals, where it stands after anything, and that its end alone is graded."""

import json
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from desk_course import ALL_AXES, EXAMINED, FOUR, LEARNER, RIGHT, SLUG, Ran, write_answer
from desk_history import ARGUE, CRITIQUE, DESIGN, IMPLEMENT, NOW, ago, attempt, problem

from fourrounds.desk import dealing, handing_in, store
from fourrounds.desk.attempts import Attempts
from fourrounds.desk.clocks import Do
from fourrounds.desk.errors import DeskError
from fourrounds.desk.mock_panel import HandInPanel, MockClockPanel, MockPanel
from fourrounds.desk.mocks import Act, Dealt, Event, Mock, Mocks, as_it_stands, copy_path
from fourrounds.desk.panel import Panel
from fourrounds.desk.submit_panel import SubmitPanel
from fourrounds.examiner.layout import ASSIGNMENTS, Layout

DEALT = tuple(
    Dealt(number, slug, assignment, minutes, (("manual", 1.0), ("correctness", 4.0)), "new")
    for number, (slug, assignment, minutes) in enumerate(
        zip(FOUR, FOUR.values(), (45, 60, 60, 75), strict=True), 1
    )
)
WHOLE: list[tuple[float, int | None, Do | Act]] = [
    (0, 1, Do.READ),
    (10, 1, Do.CODE),
    (40, 1, Act.HAND_IN),
    (42, 2, Do.CODE),  # a break of 5 minutes, cut short
    (90, 2, Act.HAND_IN),
    (115, 3, Do.CODE),  # one of 10 minutes, run over
    (180, 3, Act.GIVE_UP),
    (185, 4, Do.CODE),
    (200, 4, Act.HAND_IN),
]


def at(minutes: float) -> datetime:
    return NOW + timedelta(minutes=minutes)


def stands(events: list[tuple[float, int | None, Do | Act]], now: float, seen: float | None = None) -> Mock:
    happened = [Event(at(minutes), round_, what) for minutes, round_, what in events]
    sign = None if seen is None else at(seen)
    return as_it_stands(1, 7, at(-1), DEALT, happened, at(now), lambda round_: sign)


# Where a mock stands.


@pytest.mark.parametrize(
    ("events", "now", "phase", "present"),
    [
        (0, 30, "before", 1),
        (1, 2, "round", 1),
        (2, 12, "round", 1),
        (3, 41, "break", 2),
        (4, 43, "round", 2),
        (5, 91, "break", 3),
        (7, 181, "break", 4),
        (8, 186, "round", 4),
        (9, 201, "over", None),
    ],
)
def test_a_phase_follows_the_other(events: int, now: float, phase: str, present: int | None) -> None:
    mock = stands(WHOLE[:events], now, seen=now)
    assert mock.phase == phase
    assert (mock.present.number if mock.present else None) == present
    assert mock.over is (present is None)


def test_every_round_has_a_clock_of_its_own_and_breaks_are_measured() -> None:
    mock = stands(WHOLE, 10_000)
    assert [one.state for one in mock.rounds] == ["handed in", "handed in", "given up", "handed in"]
    assert [one.clock.sitting.seconds / 60 for one in mock.rounds] == [40, 48, 65, 15]
    assert [one.clock.sitting.reading_seconds / 60 for one in mock.rounds] == [10, 0, 0, 0]
    assert [one.clock.sitting.minutes for one in mock.rounds] == [45, 60, 60, 75]
    assert not any(one.clock.running for one in mock.rounds)
    rests = [one.rest for one in mock.rounds]
    assert rests[0] is None
    assert [(one.seconds / 60, one.minutes) for one in rests if one] == [(2, 5), (25, 10), (5, 5)]


def test_a_break_goes_on_until_the_next_round_is_started() -> None:
    for now, left in ((41, 4), (45, 0), (70, -25)):
        rest = stands(WHOLE[:3], now).rounds[1].rest
        assert rest is not None
        assert rest.seconds_left == 60 * left


def test_a_round_that_nothing_was_heard_of_stopped_at_the_last_sign() -> None:
    within = stands(WHOLE[:4], 50, seen=45)
    assert within.rounds[1].clock.running
    assert within.rounds[1].clock.sitting.seconds == 60 * 8
    left = stands(WHOLE[:4], 600, seen=45)
    assert not left.rounds[1].clock.running
    assert left.rounds[1].clock.left_at == at(45)
    assert left.rounds[1].clock.sitting.seconds == 60 * 3
    assert (left.phase, left.rounds[1].state) == ("round", "open")


def test_a_round_can_be_given_up_before_it_is_started() -> None:
    mock = stands([*WHOLE[:3], (43, 2, Act.GIVE_UP)], 44)
    assert mock.rounds[1].state == "given up"
    assert not mock.rounds[1].clock.started
    assert mock.rounds[1].rest is not None
    assert mock.rounds[1].rest.seconds == 180
    assert mock.present is mock.rounds[2]


def test_abandoning_ends_everything_and_keeps_what_was_handed_in() -> None:
    mock = stands([*WHOLE[:4], (50, None, Act.ABANDON)], 1000)
    assert (mock.phase, mock.over, mock.present) == ("abandoned", True, None)
    assert [one.state for one in mock.rounds] == ["handed in", "abandoned", "abandoned", "abandoned"]
    assert mock.rounds[1].clock.sitting.seconds == 60 * 8
    assert mock.rounds[2].ended_at is None


def test_interruptions_are_counted() -> None:
    events = [*WHOLE[:4], (50, 2, Do.PAUSE), (60, 2, Do.RESUME), (61, 2, Do.PAUSE), (70, 2, Do.RESUME)]
    mock = stands(events, 71)
    assert mock.rounds[1].interruptions == 2
    assert mock.rounds[1].clock.sitting.seconds == 60 * 10


# What is dealt.

COURSE = [
    problem("a", IMPLEMENT),
    problem("b", IMPLEMENT, prerequisites=["a"]),
    problem("c", IMPLEMENT),
    problem("p", CRITIQUE, minutes=60, written=1),
    problem("q", CRITIQUE),
    problem("s", DESIGN),
    problem("u", ARGUE),
]
BY_SLUG = {one.slug: one for one in COURSE}


def done(**shares: float) -> list[Any]:
    """An attempt at each of these problems, the first one longest ago."""
    return [attempt(BY_SLUG[slug], ago(30 - n), share) for n, (slug, share) in enumerate(shares.items())]


def dealt(seed: int = 1, met: tuple[str, ...] = (), **shares: float) -> list[str]:
    return [one.problem for one in dealing.deal(COURSE, done(**shares), met, seed)]


def test_one_problem_of_each_round_is_dealt_by_the_seed() -> None:
    deals = {seed: dealing.deal(COURSE, [], (), seed) for seed in range(40)}
    for hand in deals.values():
        assert [one.assignment for one in hand] == list(ASSIGNMENTS)
        assert [one.round for one in hand] == [1, 2, 3, 4]
        assert {one.why for one in hand} == {"new"}
    assert {hand[0].problem for hand in deals.values()} == {"a", "c"}  # b asks for a
    assert {hand[1].problem for hand in deals.values()} == {"p", "q"}
    again = dealing.deal(list(reversed(COURSE)), [], (), 3)
    assert again == deals[3]
    critique = next(hand[1] for hand in deals.values() if hand[1].problem == "p")
    assert (critique.minutes, critique.points) == (60, 12.0)
    assert dict(critique.groups) == {"normalisation": 4.0, "batching": 4.0, "manual": 4.0}


def test_what_another_round_offers_changes_no_round() -> None:
    fewer = [one for one in COURSE if one.slug != "q"]
    for seed in range(20):
        assert dealing.deal(fewer, [], (), seed)[0] == dealing.deal(COURSE, [], (), seed)[0]


@pytest.mark.parametrize(
    ("shares", "met", "chosen", "why"),
    [
        ({"a": 0.5}, (), {"c"}, "new"),  # a was attempted, b asks for it
        ({"a": 0.5, "c": 0.9}, (), {"a"}, "not passed"),
        ({"a": 0.9}, (), {"b", "c"}, "new"),
        ({"a": 0.9, "c": 0.5}, (), {"b"}, "new"),
        ({"c": 0.9}, ("a",), {"a"}, "not passed"),  # dealt before, and given up
        ({"a": 0.9, "b": 0.2, "c": 0.9}, (), {"b"}, "not passed"),
        ({"c": 0.9, "a": 0.9, "b": 0.9}, (), {"c"}, "again"),
    ],
)
def test_the_most_wanted_is_dealt(
    shares: dict[str, float], met: tuple[str, ...], chosen: set[str], why: str
) -> None:
    hands = [dealing.deal(COURSE, done(**shares), met, seed)[0] for seed in range(20)]
    assert {one.problem for one in hands} == chosen
    assert {one.why for one in hands} == {why}


def test_what_was_passed_again_lately_was_not_seen_longest_ago() -> None:
    history = [*done(a=0.9, b=0.9, c=0.9), attempt(BY_SLUG["a"], ago(1), 0.9)]
    assert dealing.deal(COURSE, history, (), 1)[0].problem == "b"


def test_a_course_without_problems_deals_nothing() -> None:
    with pytest.raises(DeskError, match="no problems"):
        dealing.deal([], [], (), 1)


def test_what_is_not_built_is_not_dealt(four: Layout) -> None:
    (four.release / FOUR["second"] / "second.ipynb").unlink()
    mock = Mocks(four, LEARNER).read(dealing.begin(four, LEARNER))
    assert [one.number for one in mock.rounds] == [1, 3, 4]
    assert mock.rounds[1].dealt.problem == "third"


# The learner's file.


@pytest.fixture
def mocks(four: Layout) -> Mocks:
    return Mocks(four, LEARNER)


@pytest.fixture
def mock(mocks: Mocks) -> int:
    """A mock that was dealt a minute ago."""
    return mocks.begin(7, DEALT, at(-1))


def play(mocks: Mocks, number: int, upto: int) -> None:
    """The first events of ``WHOLE``."""
    for minutes, round_, what in WHOLE[:upto]:
        if what is Act.HAND_IN:
            assert round_ is not None
            mocks.hand_in(number, round_, Path("/x.ipynb"), b"{}", 3.0, at(minutes))
        else:
            mocks.alive(number, at(minutes - 0.1))
            mocks.happen(number, round_, what, at(minutes))


def keep_alive(mocks: Mocks, number: int, begin: float, end: float) -> None:
    """Signs of life, as the page gives them."""
    for minutes in range(int(begin), int(end)):
        mocks.alive(number, at(minutes))


def test_another_process_finds_the_mock_as_it_was(mocks: Mocks, mock: int, four: Layout) -> None:
    play(mocks, mock, 4)
    found = Mocks(four, LEARNER).last(at(43))
    assert found is not None
    assert (found.number, found.seed, found.begun_at) == (mock, 7, at(-1))
    assert tuple(one.dealt for one in found.rounds) == DEALT
    assert found.phase == "round"
    assert found.rounds[1].clock.sitting.seconds == 60
    (submission,) = mocks.attempts(mock)
    assert found.rounds[0].submission == submission
    kept = handing_in.find(four, submission)
    assert (kept.problem, kept.mock, kept.predicted, kept.notebook) == (SLUG, mock, 3.0, b"{}")
    assert kept.sitting == found.rounds[0].clock.sitting
    assert Mocks(four, "grace").last() is None


def test_a_second_mock_begins_when_the_first_is_over(mocks: Mocks, mock: int) -> None:
    with pytest.raises(DeskError, match="goes on"):
        mocks.begin(8, DEALT)
    mocks.happen(mock, None, Act.ABANDON)
    assert mocks.begin(8, DEALT) == mock + 1
    assert [one.number for one in mocks.all()] == [mock, mock + 1]


@pytest.mark.parametrize(
    ("upto", "round_", "what", "words"),
    [
        (0, 2, Do.CODE, "comes after Round 1"),
        (0, 1, Do.RESUME, "has not been started"),
        (0, 1, Act.HAND_IN, "has not been started"),
        (1, 1, Do.READ, "was started already"),
        (2, 1, Do.CODE, "was started already"),
        (3, 1, Act.HAND_IN, "was handed in already"),
        (3, 1, Do.CODE, "was handed in already"),
        (4, 3, Act.GIVE_UP, "comes after Round 2"),
        (9, 4, Act.HAND_IN, "is over"),
        (9, None, Act.ABANDON, "is over"),
        (1, 5, Do.CODE, "has no round 5"),
    ],
)
def test_what_cannot_happen_now_is_refused_and_nothing_is_kept(
    mocks: Mocks, mock: int, upto: int, round_: int | None, what: Do | Act, words: str
) -> None:
    play(mocks, mock, upto)
    before = mocks.read(mock, at(200)), mocks.attempts(mock)

    def happen() -> None:
        if what is Act.HAND_IN:
            mocks.hand_in(mock, round_ or 0, Path("/x"), b"{}", now=at(200))
        else:
            mocks.happen(mock, round_, what, at(200))

    with pytest.raises(DeskError, match=words):
        happen()
    assert (mocks.read(mock, at(200)), mocks.attempts(mock)) == before


def test_the_time_after_an_interruption_is_not_counted(mocks: Mocks, mock: int) -> None:
    mocks.happen(mock, 1, Do.CODE, at(0))
    keep_alive(mocks, mock, 1, 20)
    night = 600.0
    mocks.alive(mock, at(night))  # the lid is opened: the page speaks again
    left = mocks.read(mock, at(night)).rounds[0]
    assert not left.clock.running
    assert left.clock.sitting.seconds == 60 * 19
    mocks.happen(mock, 1, Do.RESUME, at(night + 1))
    mocks.hand_in(mock, 1, Path("/x"), b"{}", now=at(night + 6))
    ended = mocks.read(mock, at(night + 100)).rounds[0]
    assert ended.clock.sitting.seconds == 60 * (19 + 5)
    assert ended.interruptions == 1


def test_what_is_handed_in_after_a_night_counts_no_night(mocks: Mocks, mock: int, four: Layout) -> None:
    """The notebook is saved before it is handed in; that save comes long after the last sign of life."""
    copy = copy_path(four, LEARNER, mock, SLUG)
    copy.parent.mkdir(parents=True)
    copy.write_text("{}")
    mocks.happen(mock, 1, Do.CODE, at(0))
    mocks.alive(mock, at(4))
    os.utime(copy, (at(8).timestamp(),) * 2)
    assert mocks.read(mock, at(9)).rounds[0].clock.sitting.seconds == 60 * 9
    assert mocks.read(mock, at(100)).rounds[0].clock.left_at == at(8)  # a save is a sign
    os.utime(copy, (at(700).timestamp(),) * 2)
    mocks.hand_in(mock, 1, copy, b"{}", now=at(700))
    (submission,) = mocks.attempts(mock)
    sitting = handing_in.find(four, submission).sitting
    assert sitting is not None
    assert sitting.seconds == 60 * 4
    assert mocks.read(mock, at(701)).rounds[0].clock.sitting.seconds == 60 * 4


KILLED = """
import os, pickle, sqlite3, sys
from pathlib import Path
from fourrounds.desk.mocks import Mocks
from fourrounds.examiner.layout import Layout

at = int(sys.argv[2])
seen = 0

class Dying(sqlite3.Connection):
    def count(self):
        global seen
        seen += 1
        if seen == at:
            os.kill(os.getpid(), 9)
    def execute(self, *args):
        self.count()
        return super().execute(*args)
    def executemany(self, *args):
        self.count()
        return super().executemany(*args)

connect = sqlite3.connect
sqlite3.connect = lambda *args, **kwargs: connect(*args, factory=Dying, **kwargs)
method, *arguments = pickle.loads(sys.stdin.buffer.read())
getattr(Mocks(Layout(Path(sys.argv[1])), "ada"), method)(*arguments)
"""


@pytest.mark.parametrize("what", ["begin", "start", "hand in", "end"])
def test_a_kill_at_any_statement_leaves_all_or_nothing(
    four: Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    upto, method, arguments = {
        "begin": (None, "begin", (7, DEALT, at(-1))),
        "start": (3, "happen", (1, 2, Do.CODE, at(42))),
        "hand in": (2, "hand_in", (1, 1, Path("/x"), b"{}", 3.0, at(40))),
        "end": (8, "hand_in", (1, 4, Path("/x"), b"{}", 3.0, at(200))),
    }[what]
    for statement in range(1, 60):
        monkeypatch.setenv("FOURROUNDS_HOME", str(tmp_path / f"home {statement}"))
        mocks = Mocks(four, LEARNER)
        if upto is not None:
            assert mocks.begin(7, DEALT, at(-1)) == 1
            play(mocks, 1, upto)
        handed_in = sum(event[2] is Act.HAND_IN for event in WHOLE[: upto or 0])
        command = [sys.executable, "-c", KILLED, str(four.root), str(statement)]
        ended = subprocess.run(command, input=pickle.dumps((method, *arguments)), capture_output=True)
        assert ended.returncode in (0, -9), ended.stderr.decode()
        killed = ended.returncode == -9
        found = mocks.last(at(201))
        if what == "begin":
            assert (found is None) is killed
        else:
            assert found is not None
            assert len(mocks.attempts(1)) == handed_in + (method == "hand_in" and not killed)
            number = {"start": 2, "hand in": 1, "end": 4}[what]
            before, after = {"start": ("waiting", "open")}.get(what, ("open", "handed in"))
            assert found.round(number).state == (before if killed else after)
            assert found.over is (what == "end" and not killed)
            assert len(handing_in.waiting(four, LEARNER)) == (len(mocks.attempts(1)) if found.over else 0)
        if not killed:
            break
        getattr(mocks, method)(*arguments)  # done again, it is done
    else:
        pytest.fail("it was killed at every statement")
    assert statement > 4


# Panels.


class Page:
    """Stands for the page: it opens files, saves notebooks, and tells what is on the screen."""

    def __init__(self, layout: Layout, panel: Panel) -> None:
        self.layout, self.panel = layout, panel
        self.opened: list[str] = []
        panel.send = self._send  # type: ignore[method-assign]

    def _send(self, content: dict[str, Any], buffers: object = None) -> None:
        self.opened += [content["open"]] if "open" in content else []

    def press(self, label: str, **more: Any) -> dict[str, Any]:
        """Press the button that is called so."""
        found = [one for one in self.panel.face["buttons"] if one["label"] == label]
        assert found, f"there is no button {label}: {self.labels}"
        (button,) = found
        if button.get("save"):
            path = self.layout.root / more.pop("path")
            cells = json.loads(path.read_text())["cells"]
            told = [{"cell_type": c["cell_type"], "source": "".join(c["source"])} for c in cells]
            more["page"] = {"path": str(path.relative_to(self.layout.root)), "cells": told}
        message = {"do": button["do"], "root": str(self.layout.root)}
        self.panel.hear(message | ({"value": button["value"]} if "value" in button else {}) | more)
        return dict(self.panel.face)

    @property
    def labels(self) -> list[str]:
        return [button["label"] for button in self.panel.face["buttons"]]


@pytest.fixture
def start(four: Layout) -> Page:
    """The mock's panel on the start page."""
    return Page(four, MockPanel(four, LEARNER))


def hand_in(layout: Layout, round_: int, answer: str | None = None, number: int = 1) -> Page:
    """Hand a round in from the last cell of its notebook."""
    path = copy_path(layout, LEARNER, number, list(FOUR)[round_ - 1])
    if answer is not None:
        write_answer(path, answer)
    page = Page(layout, HandInPanel(layout, LEARNER, number, round_))
    page.press(f"Hand in Round {round_}", path=path.relative_to(layout.root), value="2")
    return page


def test_a_whole_mock_through_its_panels(start: Page, four: Layout) -> None:
    assert start.labels == ["Begin the mock"]
    start.press("Begin the mock")
    assert start.labels == ["Start Round 1", "Look again", "Abandon"]
    assert not any(slug in start.panel.face["html"] for slug in FOUR)  # what is to come is not told
    for round_, slug in enumerate(FOUR, 1):
        early = "Cut the break short, start" if round_ > 1 else "Start"
        face = start.press(f"{early} Round {round_}")
        assert start.opened[-1] == f"mocks/{LEARNER}/1/{slug}.ipynb"
        assert face["clock"]["running"]
        assert f"Round {round_}" in face["clock"]["phase"]
        clock = MockClockPanel(four, LEARNER, 1, round_)
        assert clock.face["clock"]["chip"]
        assert clock.face["clock"]["phase"] == ("reading" if round_ == 1 else "working")
        labels = [button["label"] for button in clock.face["buttons"]]
        assert "+5 minutes" not in labels
        assert "Interrupt" in labels
        page = hand_in(four, round_, {1: ALL_AXES, 2: RIGHT}.get(round_))
        if round_ < 4:
            assert page.panel.face["status"].startswith(f"Round {round_} is handed in and kept. A break")
            assert "points" not in json.dumps(page.panel.face["html"])
            assert Attempts(store.of(four)).of(LEARNER) == []
            assert page.panel.face["clock"]["down"]
        start.panel.hear({"do": "alive"})
    attempts = Attempts(store.of(four)).of(LEARNER)
    assert [(one.problem, one.mock, one.predicted) for one in attempts] == [(slug, 1, 2.0) for slug in FOUR]
    assert attempts[0].score < EXAMINED
    assert attempts[1].score == EXAMINED
    assert attempts[0].sitting is not None
    assert "Grade what was handed in" not in page.labels
    start.panel.hear({"do": "alive"})  # the page says so when another panel changes
    for shown in (page.panel, start.panel):
        assert "To work on" in shown.face["html"]
        assert 'alt="Points by round' in shown.face["html"]
    assert "Mock interview 1" in repr(start.panel)
    assert "Begin another mock" in start.labels


def test_the_copy_has_the_cells_of_the_mock(start: Page, four: Layout) -> None:
    start.press("Begin the mock")
    start.press("Start Round 1")
    cells = json.loads(copy_path(four, LEARNER, 1, SLUG).read_text())["cells"]
    mine = [cell for cell in cells if cell["metadata"].get("fourrounds", {}).get("role") == "desk"]
    assert [cell["source"].splitlines()[-1] for cell in mine] == [
        "desk.mock_clock(1, 1)",
        "desk.hand_in_mock(1, 1)",
    ]
    assert cells[-1] is mine[-1]
    assert not (four.submitted / LEARNER).exists()


def test_the_first_cell_of_a_notebook_starts_its_round(four: Layout, mocks: Mocks, mock: int) -> None:
    late = Page(four, MockClockPanel(four, LEARNER, mock, 2))
    assert late.labels == []
    first = Page(four, MockClockPanel(four, LEARNER, mock, 1))
    face = first.press("Start Round 1")
    assert face["clock"]["phase"] == "reading"
    assert first.press("Close the method, start to write")["fold"] is True
    assert not first.press("Interrupt")["clock"]["running"]
    assert first.press("Go on")["clock"]["running"]
    mocks.happen(mock, 1, Act.GIVE_UP)
    first.panel.hear({"do": "alive"})
    assert "was given up" in first.panel.face["html"]
    assert first.panel.face["fold"] is False
    assert "clock" not in first.panel.face


@pytest.mark.parametrize("label", ["Give this round up", "Abandon"])
def test_what_cannot_be_taken_back_is_asked_twice(start: Page, four: Layout, label: str) -> None:
    start.press("Begin the mock")
    start.press("Start Round 1")
    before = Mocks(four, LEARNER).read(1).phase
    face = start.press(label)
    assert "Are you sure?" in face["status"]
    assert start.labels[0] == "No, go on"
    start.press("No, go on")
    assert Mocks(four, LEARNER).read(1).phase == before
    start.press(label)
    start.press(start.labels[1])
    mock = Mocks(four, LEARNER).read(1)
    assert mock.rounds[0].state == ("given up" if label.startswith("Give") else "abandoned")
    assert mock.over is (label == "Abandon")


def test_abandoning_grades_what_was_handed_in(start: Page, four: Layout) -> None:
    start.press("Begin the mock")
    start.press("Start Round 1")
    hand_in(four, 1, RIGHT)
    start.press("Look again")
    start.press("Abandon")
    face = start.press("Yes, abandon mock interview 1")
    (attempt,) = Attempts(store.of(four)).of(LEARNER)
    assert (attempt.problem, attempt.mock, attempt.score) == (SLUG, 1, EXAMINED)
    assert "abandoned" in face["html"]


def test_two_panels_do_not_do_the_same_thing_twice(start: Page, four: Layout) -> None:
    other = Page(four, MockPanel(four, LEARNER))
    start.press("Begin the mock")
    face = other.press("Begin the mock")
    assert face["error"]
    assert "goes on" in face["status"]
    start.press("Start Round 1")
    assert "was started already" in other.press("Start Round 1")["status"]
    assert other.labels[0] == "Open Round 1"


def test_what_the_screen_does_not_show_is_not_handed_in(start: Page, four: Layout) -> None:
    start.press("Begin the mock")
    start.press("Start Round 1")
    page = Page(four, HandInPanel(four, LEARNER, 1, 1))
    stale = {"path": f"mocks/{LEARNER}/1/{SLUG}.ipynb", "cells": [{"cell_type": "code", "source": "typed"}]}
    page.panel.hear({"do": Act.HAND_IN, "root": str(four.root), "page": stale})
    assert "differ" in page.panel.face["status"]
    page.press("Hand in Round 1", path=f"mocks/{LEARNER}/1/{SLUG}.ipynb", value="many")
    assert "expect between 0 and 4" in page.panel.face["status"]
    assert Mocks(four, LEARNER).attempts(1) == {}
    assert Mocks(four, LEARNER).read(1).rounds[0].state == "open"


# Nothing is graded before the end.


def test_what_was_handed_in_waits_for_the_end(
    start: Page, four: Layout, fourrounds: Callable[..., Ran]
) -> None:
    fourrounds("start", SLUG)
    start.press("Begin the mock")
    start.press("Start Round 1")
    path = copy_path(four, LEARNER, 1, SLUG)
    hand_in(four, 1, RIGHT)
    (submission,) = Mocks(four, LEARNER).attempts(1)
    assert handing_in.waiting(four, LEARNER) == []
    assert handing_in.settle(four, LEARNER) == []
    for refused in (
        fourrounds("graded", str(submission)),
        fourrounds("grade", SLUG, "--notebook", str(path)),
        fourrounds("mock", "--scorecard", "1"),
    ):
        assert refused.status == 2
        assert "mock interview 1" in refused.err.lower()
    cells = [
        {"cell_type": one["cell_type"], "source": "".join(one["source"])}
        for one in json.loads(path.read_text())["cells"]
    ]
    panel = SubmitPanel(four, four.problem(SLUG), LEARNER, path)
    told = {"path": str(path.relative_to(four.root)), "cells": cells}
    panel.hear({"do": "submit", "root": str(four.root), "page": told})
    assert "is graded when the interview is over" in panel.face["status"]
    assert Attempts(store.of(four)).of(LEARNER) == []

    # The learner's own copy of the same problem, begun before, is graded as ever.
    assert fourrounds("grade", SLUG).status == 0
    assert [one.mock for one in Attempts(store.of(four)).of(LEARNER)] == [None]

    Mocks(four, LEARNER).happen(1, None, Act.ABANDON)
    assert [one.id for one in handing_in.waiting(four, LEARNER)] == [submission]
    assert fourrounds("grade", SLUG, "--notebook", str(path)).status == 0


def test_a_grading_that_was_cut_short_is_finished(
    start: Page, four: Layout, fourrounds: Callable[..., Ran]
) -> None:
    start.press("Begin the mock")
    for round_ in (1, 2):
        Mocks(four, LEARNER).happen(1, round_, Do.CODE)
        fourrounds("mock")  # makes the copy
        path = copy_path(four, LEARNER, 1, list(FOUR)[round_ - 1])
        Mocks(four, LEARNER).hand_in(1, round_, path, path.read_bytes())
    for round_ in (3, 4):
        Mocks(four, LEARNER).happen(1, round_, Act.GIVE_UP)
    first, _ = Mocks(four, LEARNER).attempts(1)
    assert handing_in.grade(four, first) is not None  # and here everything was killed
    start.press("Look again")
    assert start.labels[0] == "Grade what was handed in"
    assert "Not graded yet: round 2" in start.panel.face["html"]
    ran = fourrounds("mock")
    assert ran.status == 0
    assert "Not graded yet" not in ran.out
    graded = Mocks(four, LEARNER).attempts(1)
    assert None not in graded.values()
    assert len(Attempts(store.of(four)).of(LEARNER)) == 2
    assert fourrounds("mock").out == ran.out
    assert Mocks(four, LEARNER).attempts(1) == graded


# The command.


def test_the_command_begins_and_resumes(four: Layout, fourrounds: Callable[..., Ran]) -> None:
    first = fourrounds("mock", "--seed", "11")
    assert "Round 1 is next" in first.out
    path = copy_path(four, LEARNER, 1, SLUG)
    assert str(path) in first.out
    assert path.exists()
    path.write_text("work")
    assert fourrounds("mock").out == first.out
    assert path.read_text() == "work"
    refused = fourrounds("mock", "--new")
    assert (refused.status, refused.out) == (2, "")
    assert "goes on" in refused.err
    Mocks(four, LEARNER).happen(1, 1, Do.CODE)
    assert "Round 1 is open" in fourrounds("mock").out
    told = fourrounds("mock", "--json").json
    assert (told["mock"], told["seed"], told["phase"], told["present"]) == (1, 11, "round", 1)
    assert [one["problem"] for one in told["rounds"]] == [SLUG, None, None, None]
    assert told["notebook"] == str(path)
    Mocks(four, LEARNER).happen(1, 1, Act.GIVE_UP)
    assert "Break: " in fourrounds("mock").out


def test_the_command_abandons_when_it_is_said_again(
    four: Layout, fourrounds: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert fourrounds("mock", "--abandon").status == 2
    fourrounds("mock")
    monkeypatch.setattr("builtins.input", lambda prompt: "no")
    assert "goes on" in fourrounds("mock", "--abandon").err
    assert not Mocks(four, LEARNER).read(1).over
    monkeypatch.setattr("builtins.input", lambda prompt: "abandon")
    ran = fourrounds("mock", "--abandon")
    assert ran.status == 0
    assert "abandoned" in ran.out
    assert Mocks(four, LEARNER).read(1).phase == "abandoned"
    assert "--new" in fourrounds("mock").out  # it begins no other one by itself
    assert fourrounds("mock", "--new").status == 0
    assert Mocks(four, LEARNER).numbers() == [1, 2]
    assert fourrounds("mock", "--scorecard", "1", "--json").json["scorecard"]["mock"] == 1
    assert fourrounds("mock", "1").status == 2


def test_a_problem_of_a_round_that_has_begun_is_not_started_beside_it(
    four: Layout, mocks: Mocks, mock: int, fourrounds: Callable[..., Ran]
) -> None:
    first, second, *_ = FOUR
    assert fourrounds("start", second).status == 0  # that a later round deals it is not given away
    mocks.happen(mock, 1, Do.READ)
    refused = fourrounds("start", first)
    assert refused.status == 2
    assert f"is Round 1 of mock interview {mock}" in refused.err
    mocks.happen(mock, None, Act.ABANDON)
    assert fourrounds("start", first).status == 0
    again = mocks.begin(8, DEALT)
    mocks.happen(again, 1, Do.READ)
    assert fourrounds("start", first).status == 0  # the learner's own copy is there, and is found
