"""The clock at the top of a learner's notebook."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from fourrounds.desk import store
from fourrounds.desk.clocks import Clock, Clocks, Do, told
from fourrounds.desk.panel import Face, Panel
from fourrounds.desk.work import saved_at
from fourrounds.examiner.layout import ASSIGNMENTS, Layout
from fourrounds.examiner.problem import Problem

MORE_MINUTES = 5


def closed_book(problem: Problem) -> bool:
    """Whether the method section is closed while the answer is written, as it is in Round 1's interview."""
    return problem.assignment == ASSIGNMENTS[0] and bool(problem.by_role("method"))


class ClockPanel(Panel):
    """Start, pause and extend the clock; in Round 1 close the method section and open it again."""

    def __init__(self, layout: Layout, problem: Problem, user: str, path: Path) -> None:
        self._problem = problem
        self._path = path
        self._clocks = Clocks(store.of(layout), user)
        self._closed_book = closed_book(problem)
        super().__init__()
        self.draw()

    def __repr__(self) -> str:
        clock = self._read()
        minutes = f"{self._problem.minutes} minutes for {self._problem.slug}"
        if not clock.started:
            return f"{minutes}; the clock has not been started."
        paused = "" if clock.running else ", the clock is paused"
        return f"{minutes}; {told(clock.sitting.seconds)} used{paused}."

    def _read(self) -> Clock:
        return self._clocks.read(self._problem.slug, self._problem.minutes, saved_at=saved_at(self._path))

    def drawn(self) -> Face:
        clock = self._read()
        sitting = clock.sitting
        face: Face = {"html": self._words(clock), "buttons": self._buttons(clock), "again": True}
        if clock.started:
            face["clock"] = {
                "seconds": sitting.seconds,
                "allowed": 60 * (sitting.minutes + sitting.extended),
                "running": clock.running,
                "phase": {"reading": "reading", "coding": "working"}[clock.phase],
                "chip": True,
            }
        if self._closed_book:
            face["fold"] = not clock.method_open
        return face

    def _words(self, clock: Clock) -> str:
        minutes = self._problem.minutes
        if clock.left_at is not None:
            when = clock.left_at.astimezone()
            words = (
                f"The clock stopped at {when:%H:%M} on {when.day} {when:%B}, when this notebook was last "
                "seen. Nothing after that was counted."
            )
        elif not clock.started and self._closed_book:
            words = (
                f"An interviewer gives you <b>{minutes} minutes</b>. Read the method section first. Then "
                "close it, and write from what you understood; the contract stays in sight. You may open it "
                "again: that is counted, and costs nothing."
            )
        elif not clock.started:
            words = (
                f"An interviewer gives you <b>{minutes} minutes</b>. The clock records, and stops nothing."
            )
        elif clock.phase == "reading":
            words = "Read the method section. When you could explain it, close it and start to write."
        elif self._closed_book and not clock.method_open:
            times = clock.sitting.openings
            again = f", opened again {times} time{'' if times == 1 else 's'}" if times else ""
            read = told(clock.sitting.reading_seconds)
            words = f"The method section is closed (read for {read}{again})."
        elif self._closed_book:
            words = "The method section is open again."
        else:
            words = ""
        return f"<p>{words}</p>" if words else ""

    def _buttons(self, clock: Clock) -> list[dict[str, Any]]:
        more = {
            "do": Do.EXTEND,
            "label": f"+{MORE_MINUTES} minutes",
            "title": "Give yourself more time. It is recorded.",
        }
        if not clock.started and self._closed_book:
            return [
                {"do": Do.READ, "label": "Start reading", "main": True},
                {"do": Do.CODE, "label": "I know the method: start to write"},
            ]
        if not clock.started:
            return [{"do": Do.CODE, "label": "Start the clock", "main": True}]
        if not clock.running:
            return [{"do": Do.RESUME, "label": "Go on", "main": True}, more]
        pause = {"do": Do.PAUSE, "label": "Pause"}
        if clock.phase == "reading":
            return [{"do": Do.CODE, "label": "Close the method, start to write", "main": True}, pause, more]
        if not self._closed_book:
            return [pause, more]
        if clock.method_open:
            return [{"do": Do.CLOSE, "label": "Close the method again", "main": True}, pause, more]
        return [pause, more, {"do": Do.OPEN, "label": "Open the method", "title": "It is counted."}]

    def actions(self) -> Mapping[str, Callable[[Mapping[str, Any]], str | None]]:
        kinds = (Do.READ, Do.CODE, Do.PAUSE, Do.RESUME, Do.EXTEND, Do.OPEN, Do.CLOSE)
        return {
            "alive": self._alive,
            **{kind: lambda content: self._happen(Do(content["do"])) for kind in kinds},
        }

    def _happen(self, do: Do) -> None:
        value = float(MORE_MINUTES) if do is Do.EXTEND else None
        self._clocks.do(self._problem.slug, do, value, saved_at=saved_at(self._path))

    def _alive(self, _content: Mapping[str, Any]) -> None:
        self._clocks.alive(self._problem.slug, saved_at=saved_at(self._path))
        shown = self.face.get("clock") or {}
        if shown.get("running") != self._read().running:  # it was stopped elsewhere, or was left
            self.draw()
