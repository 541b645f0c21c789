"""The mock interview: a problem of each round, the rounds' clocks, breaks between them, grading at the end.

What happens is kept as moments in the learner's file, and where a mock stands is folded from them, as a clock
is (``clocks.py``). So a server, a kernel or a machine that is killed takes nothing with it: the mock stands
where it was, and the clock of an open round stopped at the last sign of life.

A round begins when its clock is started, and ends when it is handed in or given up. The break between two
rounds lasts from the end of one to the beginning of the next; how long it should be and how long it was are
both known, and nothing is enforced. What is handed in is kept and graded by nobody until the mock is over.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from fourrounds.desk import handing_in, store
from fourrounds.desk.clocks import Clock, Do, Moment, fold, last_sign
from fourrounds.desk.errors import DeskError
from fourrounds.desk.work import saved_at, work_path
from fourrounds.examiner.layout import Layout
from fourrounds.examiner.problem import Problem

BREAKS = {2: 5.0, 3: 10.0, 4: 5.0}
"""Minutes of break before each round."""
Ask = Callable[[str, tuple[Any, ...]], list[tuple[Any, ...]]]


class Act(StrEnum):
    """What can happen to a mock, beside what happens to the clock of a round (``Do``)."""

    HAND_IN = "hand in"
    GIVE_UP = "give up"
    """The round ends, and nothing is handed in."""
    ABANDON = "abandon"
    """The mock ends; what was handed in is kept."""


_ENDS = {Act.HAND_IN: "handed in", Act.GIVE_UP: "given up"}
_OF_A_CLOCK = {Do.READ, Do.CODE, Do.PAUSE, Do.RESUME, Do.OPEN, Do.CLOSE}


@dataclass(frozen=True)
class Dealt:
    """A problem that was dealt for ``round`` (1 to 4), with its ``minutes``.

    ``groups`` are its graded groups and their points; what a person grades is the group ``manual``. ``why``
    is ``new`` (never attempted), ``not passed``, or ``again`` (passed, and seen longest ago).
    """

    round: int
    problem: str
    assignment: str
    minutes: int
    groups: tuple[tuple[str, float], ...]
    why: str

    @property
    def points(self) -> float:
        return sum(points for _, points in self.groups)


@dataclass(frozen=True)
class Event:
    """Something that happened: to the clock of a round, to the round, or (``round`` None) to the mock."""

    at: datetime
    round: int | None
    what: Do | Act
    submission: int | None = None


@dataclass(frozen=True)
class Rest:
    """A break: it began at ``at``, has lasted ``seconds`` so far, and should last ``minutes``."""

    at: datetime
    seconds: float
    minutes: float

    @property
    def seconds_left(self) -> float:
        """Negative when it has run over."""
        return 60 * self.minutes - self.seconds


@dataclass(frozen=True)
class Round:
    """A round as it stands. ``state`` is ``waiting``, ``open``, ``handed in``, ``given up`` or ``abandoned``.

    ``rest`` is the break before it, from the end of the round before. ``submission`` is the number of what
    was handed in; ``interruptions`` how often the clock was stopped.
    """

    dealt: Dealt
    state: str
    clock: Clock
    began_at: datetime | None = None
    ended_at: datetime | None = None
    submission: int | None = None
    interruptions: int = 0
    rest: Rest | None = None

    @property
    def number(self) -> int:
        return self.dealt.round


@dataclass(frozen=True)
class Mock:
    """A mock interview as it stands."""

    number: int
    seed: int
    begun_at: datetime
    rounds: tuple[Round, ...]
    abandoned_at: datetime | None = None

    @property
    def present(self) -> Round | None:
        """The round that is open, or that comes next; None when the mock is over."""
        if self.abandoned_at is not None:
            return None
        return next((one for one in self.rounds if one.state in {"waiting", "open"}), None)

    @property
    def over(self) -> bool:
        return self.present is None

    @property
    def phase(self) -> str:
        """``before`` the first round, in a ``round``, in a ``break``, ``over``, or ``abandoned``."""
        if self.abandoned_at is not None:
            return "abandoned"
        present = self.present
        if present is None:
            return "over"
        if present.state == "open":
            return "round"
        return "break" if present.rest else "before"

    def round(self, number: int) -> Round:
        """The round with this number (1 to 4); :class:`DeskError` if the mock has none."""
        found = next((one for one in self.rounds if one.number == number), None)
        if found is None:
            raise DeskError(f"Mock interview {self.number} has no round {number}.")
        return found


def as_it_stands(
    number: int,
    seed: int,
    begun_at: datetime,
    dealt: Sequence[Dealt],
    events: Sequence[Event],
    now: datetime,
    seen: Callable[[int], datetime | None] = lambda round_: None,
) -> Mock:
    """What ``events`` (oldest first) amount to at ``now``.

    ``seen`` gives the last sign of life for a round, if there was one.
    """
    abandoned_at = next((one.at for one in events if one.what is Act.ABANDON), None)
    rounds: list[Round] = []
    for problem in dealt:
        mine = [one for one in events if one.round == problem.round]
        before = rounds[-1].ended_at if rounds else None
        rounds.append(_round(problem, mine, before, abandoned_at, now, seen(problem.round)))
    return Mock(number, seed, begun_at, tuple(rounds), abandoned_at)


def _round(
    dealt: Dealt,
    events: Sequence[Event],
    before: datetime | None,
    abandoned_at: datetime | None,
    now: datetime,
    seen: datetime | None,
) -> Round:
    moments = [Moment(one.at, one.what) for one in events if isinstance(one.what, Do)]
    end = next((one for one in events if one.what in _ENDS), None)
    began_at = moments[0].at if moments else None
    ended_at = end.at if end else abandoned_at if began_at else None
    if ended_at is not None:
        moments.append(Moment(ended_at, Do.PAUSE))
    clock = fold(moments, dealt.minutes, now, seen)
    state = "waiting" if began_at is None else "open"
    if end is not None:
        state = _ENDS[Act(end.what)]
    elif abandoned_at is not None:
        state = "abandoned"
    rest = None
    if before is not None:
        until = began_at or ended_at or abandoned_at or now
        rest = Rest(before, max((until - before).total_seconds(), 0.0), BREAKS[dealt.round])
    stops = sum(one.what is Do.PAUSE for one in events)
    return Round(
        dealt, state, clock, began_at, ended_at, end.submission if end is not None else None, stops, rest
    )


def copy_path(layout: Layout, user: str, number: int, slug: str) -> Path:
    """Where the learner's copy of a problem lies for a mock, once its round was opened."""
    return layout.mocks / user / str(number) / f"{slug}.ipynb"


class Mocks:
    """The learner's mock interviews. Every method raises :class:`DeskError` if the file cannot be used."""

    def __init__(self, layout: Layout, user: str) -> None:
        self.layout = layout
        self.user = user
        self._store = store.of(layout)

    def numbers(self) -> list[int]:
        """The numbers of the learner's mocks, oldest first."""
        return _numbers(self._store.select, self.user)

    def last(self, now: datetime | None = None) -> Mock | None:
        """The last mock, over or not; None if there was none."""
        numbers = self.numbers()
        return self.read(numbers[-1], now) if numbers else None

    def all(self, now: datetime | None = None) -> list[Mock]:
        """Every mock, oldest first."""
        return [self.read(number, now) for number in self.numbers()]

    def read(self, number: int, now: datetime | None = None) -> Mock:
        """The mock with this number."""
        return self._read(self._store.select, number, now or datetime.now(UTC))

    def begin(self, seed: int, dealt: Sequence[Dealt], now: datetime | None = None) -> int:
        """Keep a new mock and return its number; refused while another one goes on."""
        now = now or datetime.now(UTC)
        with self._store.writing() as db:
            ask = _asking(db)
            for earlier in _numbers(ask, self.user):
                if not self._read(ask, earlier, now).over:
                    raise DeskError(f"Mock interview {earlier} goes on: `fourrounds mock` resumes it.")
            number = db.execute(
                "INSERT INTO mocks (user, seed, begun_at, dealt) VALUES (?, ?, ?, ?)",
                (self.user, seed, now.isoformat(), json.dumps([asdict(one) for one in dealt])),
            ).lastrowid
        assert number is not None
        return number

    def happen(self, number: int, round_: int | None, what: Do | Act, now: datetime | None = None) -> Mock:
        """Keep that something happened, if it can happen now, and return the mock as it then stands."""
        now = now or datetime.now(UTC)
        with self._store.writing() as db:
            self._keep(db, number, round_, what, now)
            return self._read(_asking(db), number, now)

    def hand_in(
        self,
        number: int,
        round_: int,
        path: Path,
        data: bytes,
        predicted: float | None = None,
        now: datetime | None = None,
    ) -> int:
        """Keep the notebook of a round, which ends with it; return the number of what was handed in."""
        now = now or datetime.now(UTC)
        with self._store.writing() as db:
            found = self._read(_asking(db), number, now).round(round_)
            submission = handing_in.keep(
                db, self.user, found.dealt.problem, path, data, predicted, found.clock.kept, number
            )
            self._keep(db, number, round_, Act.HAND_IN, now, submission)
        return submission

    def alive(self, number: int, now: datetime | None = None) -> None:
        """Keep a sign of life. One that comes after a clock was left stops it at the sign before."""
        now = now or datetime.now(UTC)
        present = self.read(number, now).present
        if present is None or present.state != "open":
            return
        if present.clock.left_at is not None:
            self.happen(number, present.number, Do.PAUSE, now)
        elif present.clock.running:
            with self._store.writing() as db:
                db.execute("UPDATE mocks SET seen_at = ? WHERE id = ?", (now.isoformat(), number))

    def attempts(self, number: int) -> dict[int, int | None]:
        """What was handed in in this mock, by its number; the attempt that it became, or None so far."""
        rows = self._store.select("SELECT id, attempt FROM submissions WHERE mock = ? ORDER BY id", (number,))
        return dict(rows)

    def _keep(
        self,
        db: sqlite3.Connection,
        number: int,
        round_: int | None,
        what: Do | Act,
        now: datetime,
        submission: int | None = None,
    ) -> None:
        mock = self._read(_asking(db), number, now)
        _allow(mock, round_, what)
        present = mock.present
        left_at = present.clock.left_at if present else None
        happened: list[tuple[datetime, int | None, Do | Act, int | None]] = []
        if present and left_at is not None:  # the time since then is not counted
            happened.append((left_at, present.number, Do.PAUSE, None))
        if not (happened and what is Do.PAUSE):
            happened.append((now, round_, what, submission))
        db.executemany(
            "INSERT INTO mock_moments (mock, round, at, kind, submission) VALUES (?, ?, ?, ?, ?)",
            [(number, of, at.isoformat(), kind, given) for at, of, kind, given in happened],
        )
        if self._read(_asking(db), number, now).over:
            db.execute("UPDATE mocks SET over_at = ? WHERE id = ?", (now.isoformat(), number))

    def _read(self, ask: Ask, number: int, now: datetime) -> Mock:
        rows = ask(
            "SELECT seed, begun_at, dealt, seen_at FROM mocks WHERE id = ? AND user = ?", (number, self.user)
        )
        if not rows:
            raise DeskError(f"You have no mock interview {number}.")
        seed, begun_at, text, seen_at = rows[0]
        dealt = [Dealt(**one | {"groups": tuple(map(tuple, one["groups"]))}) for one in json.loads(text)]
        events = [
            Event(datetime.fromisoformat(at), round_, _what(kind), submission)
            for round_, at, kind, submission in ask(
                "SELECT round, at, kind, submission FROM mock_moments WHERE mock = ? ORDER BY id", (number,)
            )
        ]
        told = None if seen_at is None else datetime.fromisoformat(seen_at)
        slugs = {one.round: one.problem for one in dealt}

        def seen(round_: int) -> datetime | None:
            last = max((one.at for one in events if one.round == round_), default=None)
            signs = [sign for sign in (last, told) if sign is not None]
            return last_sign(signs, saved_at(copy_path(self.layout, self.user, number, slugs[round_])))

        return as_it_stands(number, seed, datetime.fromisoformat(begun_at), dealt, events, now, seen)


def refuse_in_mock(layout: Layout, user: str, problem: Problem) -> None:
    """Raise :class:`DeskError` where a mock interview that goes on has dealt a problem never started before.

    The notebook says how a problem is usually worked; in a mock it is handed in with its last cell.
    """
    mock = Mocks(layout, user).last()
    if mock is None or mock.over or work_path(layout, problem, user).exists():
        return
    for round_ in mock.rounds:
        if round_.dealt.problem == problem.slug and round_.began_at is not None:
            raise DeskError(
                f"{problem.slug} is Round {round_.number} of mock interview {mock.number}, which goes on: "
                "its last cell hands it in, and it is graded at the end. `fourrounds mock` says where you "
                "are."
            )


def _allow(mock: Mock, round_: int | None, what: Do | Act) -> None:
    """Raise :class:`DeskError` where this cannot happen now: another panel may have been faster."""
    if mock.over:
        raise DeskError(f"Mock interview {mock.number} is over: `fourrounds mock` shows how it went.")
    if round_ is None:
        if what is not Act.ABANDON:
            raise ValueError(f"{what} concerns a round")
        return
    if what is Act.ABANDON or (isinstance(what, Do) and what not in _OF_A_CLOCK):
        raise ValueError(f"{what} does not happen to a round of a mock")
    found, present = mock.round(round_), mock.present
    assert present is not None
    if found.ended_at is not None:
        raise DeskError(f"Round {round_} was {found.state} already.")
    if found is not present:
        raise DeskError(f"Round {round_} comes after Round {present.number}, which is not done yet.")
    if found.state == "waiting" and what not in {Do.READ, Do.CODE, Act.GIVE_UP}:
        raise DeskError(f"Round {round_} has not been started: its first cell starts it, or `desk.mock()`.")
    if found.state == "open" and (what is Do.READ or (what is Do.CODE and found.clock.phase == "coding")):
        raise DeskError(f"Round {round_} was started already.")


def refuse_copy(layout: Layout, user: str, path: Path) -> None:
    """Raise :class:`DeskError` if ``path`` is the copy of a mock that goes on: that is graded at its end."""
    try:
        number = path.resolve().relative_to((layout.mocks / user).resolve()).parts[0]
    except (ValueError, IndexError, OSError):
        return
    mocks = Mocks(layout, user)
    if number.isdecimal() and int(number) in mocks.numbers() and not mocks.read(int(number)).over:
        raise DeskError(
            f"{path.name} is your copy for mock interview {number}: its last cell hands it in, and it is "
            "graded when the interview is over."
        )


def _what(kind: str) -> Do | Act:
    return Act(kind) if kind in set(Act) else Do(kind)


def _numbers(ask: Ask, user: str) -> list[int]:
    return [row[0] for row in ask("SELECT id FROM mocks WHERE user = ? ORDER BY id", (user,))]


def _asking(db: sqlite3.Connection) -> Ask:
    """``Store.select`` within a transaction."""
    return lambda query, values: db.execute(query, values).fetchall()
