"""The interview's clock: started, paused and extended by the learner, and true after any restart.

What the learner does is kept as moments in the learner's file, and every figure is folded from them, so there
is no counter that a killed process could take with it. While the clock runs, the page says every few seconds
that it is still there, and so does a notebook that is saved soon after. Where no sign of life came for longer
than ``GRACE``, the clock stopped at the last one: a lid that was closed for the night is not time used.

Time is recorded and never enforced. When it is up the clock goes on counting, and nothing is taken away.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from fourrounds.desk.store import Store

GRACE = timedelta(minutes=10)


class Do(StrEnum):
    """What can happen to a clock."""

    FRESH = "fresh"
    """A fresh copy of the problem: a new sitting, and the clock stands at zero."""
    READ = "read"
    """The clock starts, and the method section is read."""
    CODE = "code"
    """The method section is closed, where the book is closed; the clock starts if it did not run."""
    PAUSE = "pause"
    RESUME = "resume"
    EXTEND = "extend"
    """The minutes are as many more as ``value`` says."""
    OPEN = "open"
    """The method section is opened again."""
    CLOSE = "close"
    """It is closed again."""
    DEBRIEF = "debrief"
    """The solution was opened."""


_STARTS = {Do.READ, Do.CODE, Do.RESUME}


@dataclass(frozen=True)
class Moment:
    """Something that happened to a clock. ``value`` belongs to ``EXTEND``: minutes."""

    at: datetime
    do: Do
    value: float | None = None


@dataclass(frozen=True)
class Sitting:
    """What the clock had counted when something was handed in.

    ``seconds`` is all of the time used, ``reading_seconds`` the part of it before the method section was
    closed; ``minutes`` what the interview gives, ``extended`` the minutes that the learner added;
    ``openings`` how often a closed method section was opened again; ``after_debrief`` whether the solution
    had been opened.
    """

    seconds: float
    reading_seconds: float
    minutes: float
    extended: float = 0.0
    openings: int = 0
    after_debrief: bool = False

    @property
    def in_time(self) -> bool:
        """Whether it was done within the interview's minutes, without the added ones."""
        return self.seconds <= 60 * self.minutes

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Sitting:
        return cls(**json.loads(text))


@dataclass(frozen=True)
class Clock:
    """A clock as it stands at a moment.

    ``phase`` is ``before`` the start, ``reading``, or ``coding``; ``method_open`` says whether the method
    section may be seen. ``left_at`` is when the clock stopped because no sign of life came any more.
    """

    phase: str
    running: bool
    sitting: Sitting
    method_open: bool
    left_at: datetime | None = None

    @property
    def started(self) -> bool:
        return self.phase != "before"

    @property
    def kept(self) -> Sitting | None:
        """What is kept with an attempt; None where there is nothing to tell."""
        return self.sitting if self.started or self.sitting.after_debrief else None

    @property
    def seconds_left(self) -> float:
        """Until the minutes are up, the added ones among them; negative when they are."""
        return 60 * (self.sitting.minutes + self.sitting.extended) - self.sitting.seconds


def fold(moments: Sequence[Moment], minutes: float, now: datetime, seen: datetime | None) -> Clock:
    """What ``moments`` (oldest first, of one sitting) amount to at ``now``.

    ``minutes`` is what the interview gives; ``seen`` the last sign of life, if there was one.
    """
    seconds = reading = extended = 0.0
    openings = 0
    phase, method_open, after_debrief = "before", True, False
    since: datetime | None = None  # when the clock began to run, while it runs

    def count(until: datetime) -> None:
        nonlocal seconds, reading
        if since is not None:
            passed = max((until - since).total_seconds(), 0.0)
            seconds += passed
            reading += passed if phase == "reading" else 0.0

    for moment in moments:
        if moment.do in {Do.READ, Do.CODE, Do.PAUSE, Do.RESUME}:
            count(moment.at)
            since = moment.at if moment.do in _STARTS else None
        if moment.do is Do.READ:
            phase = "reading"
        elif moment.do is Do.CODE:
            phase, method_open = "coding", False
        elif moment.do is Do.EXTEND:
            extended += moment.value or 0.0
        elif moment.do is Do.OPEN:
            method_open = True
            openings += 1
        elif moment.do is Do.CLOSE:
            method_open = False
        elif moment.do is Do.DEBRIEF:
            after_debrief = True
    left_at = None
    if since is not None:
        sign = max([since, moments[-1].at, *([seen] if seen else [])])
        left_at = sign if now - sign > GRACE else None
        count(left_at or max(now, sign))
    sitting = Sitting(seconds, reading, minutes, extended, openings, after_debrief)
    return Clock(phase, since is not None and left_at is None, sitting, method_open, left_at)


class Clocks:
    """The clocks in the learner's file. Every method raises :class:`DeskError` if it cannot be used."""

    def __init__(self, store: Store, user: str) -> None:
        self._store = store
        self._user = user

    def moments(self, problem: str) -> list[Moment]:
        """What happened in the present sitting, oldest first."""
        rows = self._store.select(
            "SELECT at, kind, value FROM moments WHERE user = ? AND problem = ? AND id > COALESCE("
            "(SELECT MAX(id) FROM moments WHERE user = ? AND problem = ? AND kind = ?), 0) ORDER BY id",
            (self._user, problem, self._user, problem, Do.FRESH),
        )
        return [Moment(datetime.fromisoformat(at), Do(kind), value) for at, kind, value in rows]

    def read(
        self, problem: str, minutes: float, now: datetime | None = None, saved_at: datetime | None = None
    ) -> Clock:
        """The clock of ``problem``, which gives ``minutes``. ``saved_at``: when the notebook last was."""
        moments = self.moments(problem)
        signs = [moment.at for moment in moments[-1:]] + self._seen(problem)
        return fold(moments, minutes, now or datetime.now(UTC), last_sign(signs, saved_at))

    def do(
        self,
        problem: str,
        do: Do,
        value: float | None = None,
        now: datetime | None = None,
        saved_at: datetime | None = None,
    ) -> None:
        """Keep that something happened.

        A clock that was left running is first stopped at its last sign of life, so that the time since then
        is not counted when it goes on.
        """
        now = now or datetime.now(UTC)
        left_at = self.read(problem, 0.0, now, saved_at).left_at
        with self._store.writing() as db:
            happened = [(left_at, Do.PAUSE, None)] if left_at else []
            for at, kind, number in [*happened, (now, do, value)]:
                db.execute(
                    "INSERT INTO moments (user, problem, at, kind, value) VALUES (?, ?, ?, ?, ?)",
                    (self._user, problem, at.isoformat(), kind, number),
                )

    def begin_anew(self, problem: str) -> None:
        """A fresh copy begins a sitting of its own, if there was one before."""
        if self.moments(problem):
            self.do(problem, Do.FRESH)

    def alive(self, problem: str, now: datetime | None = None, saved_at: datetime | None = None) -> None:
        """Keep a sign of life. One that comes after the clock was left does not start it again."""
        now = now or datetime.now(UTC)
        if not self.read(problem, 0.0, now, saved_at).running:
            return
        with self._store.writing() as db:
            db.execute("INSERT OR REPLACE INTO seen VALUES (?, ?, ?)", (self._user, problem, now.isoformat()))

    def _seen(self, problem: str) -> list[datetime]:
        rows = self._store.select("SELECT at FROM seen WHERE user = ? AND problem = ?", (self._user, problem))
        return [datetime.fromisoformat(at) for (at,) in rows]


def last_sign(signs: Sequence[datetime], saved_at: datetime | None) -> datetime | None:
    """The last of ``signs`` of life, or ``saved_at`` (when the notebook was saved) where that follows on it.

    A save that comes long after the last sign is one of a machine that slept in between.
    """
    last = max(signs, default=None)
    if last is None or saved_at is None:
        return last
    return saved_at if timedelta() < saved_at - last <= GRACE else last


def told(seconds: float) -> str:
    """``12:05`` or ``1:02:05``."""
    whole = int(abs(seconds))
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
