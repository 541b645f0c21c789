"""The mock interview in a notebook: its panel on the start page, and the cells of a round's notebook."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from html import escape
from typing import Any

from fourrounds.desk import dealing, handing_in, mock_text, scorecard_text, store
from fourrounds.desk.apart import run_apart
from fourrounds.desk.clock_panel import ClockPanel, closed_book
from fourrounds.desk.clocks import Clock, Clocks, Do, told
from fourrounds.desk.errors import DeskError
from fourrounds.desk.mock_copy import make_copy
from fourrounds.desk.mocks import Act, Mock, Mocks, Round, copy_path
from fourrounds.desk.panel import Face, Panel
from fourrounds.desk.scorecard import scorecard
from fourrounds.examiner.layout import Layout


def start_of(layout: Layout, round_: Round) -> Do:
    """How the clock of a round starts: with reading, where the book is closed later."""
    return Do.READ if closed_book(layout.problem(round_.dealt.problem)) else Do.CODE


class MockPanel(Panel):
    """Begin a mock interview, go from round to round, and see how it went."""

    def __init__(self, layout: Layout, user: str) -> None:
        self._layout = layout
        self._user = user
        self._mocks = Mocks(layout, user)
        self._busy = False
        self._asked: str | None = None
        self._shown: object = None
        super().__init__()
        self.draw()

    def __repr__(self) -> str:
        mock = self._mock()
        if mock is None:
            return mock_text.NONE
        if mock.over:
            return "\n".join(scorecard_text.lines(scorecard(self._layout, self._user, mock.number)))
        return "\n".join(mock_text.lines(mock))

    def _mock(self) -> Mock | None:
        return self._mocks.last()

    def drawn(self) -> Face:
        mock = self._mock()
        self._shown = self._state(mock)
        if mock is None:
            return {
                "html": f"<p>{escape(mock_text.NONE)}</p>",
                "buttons": [{"do": "begin", "label": "Begin the mock", "main": True}],
            }
        if mock.over:
            return self._over(mock)
        html = mock_text.html(mock)
        face: Face = {"html": html, "buttons": self._buttons(mock), "busy": self._busy, "again": True}
        clock = _clock_face(mock)
        return {**face, "clock": clock} if clock else face

    def _state(self, mock: Mock | None) -> object:
        """What a face is drawn from, apart from the time that passes."""
        if mock is None:
            return None
        rounds = [(one.state, one.clock.phase, one.clock.running) for one in mock.rounds]
        return mock.number, mock.phase, rounds, self._mocks.attempts(mock.number)

    def _over(self, mock: Mock) -> Face:
        card = scorecard(self._layout, self._user, mock.number)
        buttons: list[dict[str, Any]] = []
        if card.ungraded:
            buttons.append({"do": "grade", "label": "Grade what was handed in", "main": True})
        else:
            buttons.append({"do": "begin", "label": "Begin another mock"})
            look = {"do": "look", "label": "Look again", "title": "What you have judged since is counted."}
            buttons.append(look)
        buttons += [
            {"do": "debrief", "value": one.dealt.problem, "label": f"Debrief of {one.dealt.problem}"}
            for one in mock.rounds
            if one.began_at is not None
        ]
        return {"html": scorecard_text.html(card), "buttons": buttons, "busy": self._busy, "again": True}

    def _buttons(self, mock: Mock) -> list[dict[str, Any]]:
        present = mock.present
        assert present is not None
        number = present.number
        if self._asked == Act.ABANDON:
            return [
                {"do": "go on", "label": "No, go on", "main": True},
                {"do": Act.ABANDON, "value": "sure", "label": f"Yes, abandon mock interview {mock.number}"},
            ]
        if self._asked == Act.GIVE_UP:
            return [
                {"do": "go on", "label": "No, go on", "main": True},
                {"do": Act.GIVE_UP, "value": number, "label": f"Yes, give Round {number} up"},
            ]
        abandon = {
            "do": Act.ABANDON,
            "label": "Abandon",
            "title": "End the whole mock interview. What was handed in is kept.",
        }
        look = {"do": "look", "label": "Look again"}
        if present.state == "waiting":
            early = present.rest is not None and present.rest.seconds_left > 0
            label = f"Cut the break short, start Round {number}" if early else f"Start Round {number}"
            return [{"do": "start", "value": number, "label": label, "main": not early}, look, abandon]
        buttons = [{"do": "open", "value": number, "label": f"Open Round {number}", "main": True}]
        if not present.clock.running:
            buttons.append({"do": Do.RESUME, "value": number, "label": "Go on"})
        give_up = {"do": Act.GIVE_UP, "label": "Give this round up", "title": "Nothing is handed in for it."}
        return [*buttons, look, give_up, abandon]

    def actions(self) -> Mapping[str, Callable[[Mapping[str, Any]], str | None]]:
        return {
            "alive": self._alive,
            "begin": self._begin,
            "start": self._start,
            "open": self._open,
            "look": lambda content: self._forget(None),
            "go on": lambda content: self._forget("It goes on."),
            "grade": lambda content: self._grade(),
            "debrief": self._debrief,
            Do.RESUME: self._resume,
            Act.GIVE_UP: self._give_up,
            Act.ABANDON: self._abandon,
        }

    def _forget(self, words: str | None) -> str | None:
        self._asked = None
        return words

    def _present(self) -> tuple[Mock, Round]:
        mock = self._mock()
        if mock is None or mock.present is None:
            raise DeskError("No mock interview goes on.")
        return mock, mock.present

    def _alive(self, _content: Mapping[str, Any]) -> None:
        mock = self._mock()
        if mock is not None and not mock.over:
            self._mocks.alive(mock.number)
        if self._shown != self._state(self._mock()):  # something was done elsewhere
            self.draw()

    def _begin(self, _content: Mapping[str, Any]) -> str:
        number = dealing.begin(self._layout, self._user)
        return f"Mock interview {number} is dealt. The first clock starts with Round 1."

    def _start(self, content: Mapping[str, Any]) -> str:
        mock, _ = self._present()
        round_ = mock.round(int(content["value"]))
        path = make_copy(self._layout, self._user, mock, round_)
        self._mocks.happen(mock.number, round_.number, start_of(self._layout, round_))
        self.show_file(path)
        return f"The clock of Round {round_.number} runs: {path.name} is open."

    def _open(self, _content: Mapping[str, Any]) -> str:
        mock, round_ = self._present()
        path = make_copy(self._layout, self._user, mock, round_)
        self.show_file(path)
        return f"{path.name} is open."

    def _resume(self, content: Mapping[str, Any]) -> str:
        mock, _ = self._present()
        self._mocks.happen(mock.number, int(content["value"]), Do.RESUME)
        return "The clock runs again."

    def _give_up(self, content: Mapping[str, Any]) -> str | None:
        mock, round_ = self._present()
        if content.get("value") is None:
            self._asked = Act.GIVE_UP
            return f"Round {round_.number} then has no points, and nothing of it is handed in. Are you sure?"
        self._asked = None
        after = self._mocks.happen(mock.number, int(content["value"]), Act.GIVE_UP)
        return self._grade() if after.over else f"Round {round_.number} is given up."

    def _abandon(self, content: Mapping[str, Any]) -> str | None:
        mock, _ = self._present()
        if content.get("value") is None:
            self._asked = Act.ABANDON
            return "The mock interview then ends here. What you handed in is kept and graded. Are you sure?"
        self._asked = None
        self._mocks.happen(mock.number, None, Act.ABANDON)
        return self._grade()

    def _grade(self) -> str:
        """Grade what was handed in, in processes of their own: they go on without this kernel."""
        mock = self._mock()
        assert mock is not None
        waits = [number for number, attempt in self._mocks.attempts(mock.number).items() if attempt is None]
        self._busy = True
        try:
            for place, number in enumerate(waits, 1):
                found = handing_in.find(self._layout, number)
                where = f"({place} of {len(waits)})"
                self.draw(f"Grading {found.problem} {where} ...")
                run_apart(
                    self._layout,
                    ["graded", str(number)],
                    lambda text, where=where: self.say(f"{text} {where}"),  # type: ignore[misc]
                )
        except KeyboardInterrupt:
            return "The grading that was begun goes on without this kernel. Run this cell again for the rest."
        finally:
            self._busy = False
        if None in self._mocks.attempts(mock.number).values():
            return "Another process is grading a part of it. Look again in a moment."
        return "All that was handed in is graded." if waits else "Nothing was handed in."

    def _debrief(self, content: Mapping[str, Any]) -> str:
        mock = self._mock()
        problem = self._layout.problem(str(content["value"]))
        if mock is None or not mock.over:
            raise DeskError("The debrief is for the end.")
        path = self._layout.solutions / problem.assignment / f"{problem.slug}.ipynb"
        if not path.is_file():
            raise DeskError(f"{path} is not built yet: run `fourrounds build {problem.slug}`.")
        Clocks(store.of(self._layout), self._user).do(problem.slug, Do.DEBRIEF)
        self.show_file(path)
        return f"The debrief is open: {path.name} in solutions/."


def _clock_face(mock: Mock) -> dict[str, Any] | None:
    """The running clock of the round, or the countdown of the break."""
    present = mock.present
    if present is None:
        return None
    if present.state == "open":
        clock = present.clock
        phase = "reading" if clock.phase == "reading" else "working"
        return {
            "seconds": clock.sitting.seconds,
            "allowed": 60 * clock.sitting.minutes,
            "running": clock.running,
            "phase": f"{phase}, Round {present.number}",
            "chip": False,
        }
    if present.rest is None:
        return None
    return {
        "seconds": present.rest.seconds,
        "allowed": 60 * present.rest.minutes,
        "running": True,
        "phase": f"break before Round {present.number}",
        "chip": False,
        "down": True,
    }


class HandInPanel(MockPanel):
    """The last cell of a round's notebook: hand in what is on the screen, and go on with the mock.

    No verdict is shown before the mock is over.
    """

    def __init__(self, layout: Layout, user: str, number: int, round_: int) -> None:
        self._number = number
        self._round = round_
        super().__init__(layout, user)

    def _mock(self) -> Mock:
        return self._mocks.read(self._number)

    @property
    def _most(self) -> float:
        """The points that the examiner gives."""
        groups = self._mock().round(self._round).dealt.groups
        return sum(points for group, points in groups if group != "manual")

    def drawn(self) -> Face:
        mock = self._mock()
        self._shown = self._state(mock)
        round_ = mock.round(self._round)
        if mock.over or round_.ended_at is not None:
            return super().drawn()
        if round_.state == "waiting":
            present = mock.present
            assert present is not None
            if present.number == self._round:
                return super().drawn()
            return {"html": f"<p>Round {self._round} comes after Round {present.number}.</p>", "again": True}
        return {
            "html": (
                "<p>The notebook is saved, and what is on the screen is handed in. It is graded when the "
                "mock interview is over; until then only the provided tests run. Handing in ends the round: "
                "there is no second time.</p>"
            ),
            "ask": {
                "label": "How many points do you expect?",
                "max": self._most,
                "unit": f"of {self._most:g}",
            },
            "buttons": [
                {
                    "do": Act.HAND_IN,
                    "label": f"Hand in Round {self._round}",
                    "main": True,
                    "save": True,
                    "ask": True,
                }
            ],
            "busy": self._busy,
            "again": True,
        }

    def actions(self) -> Mapping[str, Callable[[Mapping[str, Any]], str | None]]:
        return {**super().actions(), Act.HAND_IN: self._hand_in}

    def _hand_in(self, content: Mapping[str, Any]) -> str:
        screen = self.screen(content)
        data = handing_in.confirmed(screen)
        predicted = handing_in.predicted(content.get("value"), self._most)
        self._mocks.hand_in(self._number, self._round, screen.path, data, predicted)
        mock = self._mock()
        if mock.over:
            return self._grade()
        rest = mock.present.rest if mock.present else None
        pause = f" A break of {rest.minutes:g} minutes has begun." if rest else ""
        return f"Round {self._round} is handed in and kept.{pause}"


class MockClockPanel(ClockPanel):
    """The clock of a round at the top of its notebook. It has no more minutes to give."""

    def __init__(self, layout: Layout, user: str, number: int, round_: int) -> None:
        self._mocks = Mocks(layout, user)
        self._number = number
        self._round = round_
        dealt = self._mocks.read(number).round(round_).dealt
        path = copy_path(layout, user, number, dealt.problem)
        super().__init__(layout, layout.problem(dealt.problem), user, path)

    def __repr__(self) -> str:
        return f"Mock interview {self._number}, Round {self._round}: {super().__repr__()}"

    def _mine(self) -> Round:
        return self._mocks.read(self._number).round(self._round)

    def _read(self) -> Clock:
        return self._mine().clock

    def drawn(self) -> Face:
        mine = self._mine()
        if mine.ended_at is None and mine.state in {"waiting", "open"}:
            return super().drawn()
        used = f" after {told(mine.clock.sitting.seconds)}" if mine.clock.started else ""
        face: Face = {"html": f"<p>Round {self._round} was {mine.state}{used}.</p>", "again": True}
        return {**face, "fold": False} if self._closed_book else face

    def _words(self, clock: Clock) -> str:
        head = f"<p><b>Mock interview {self._number}, Round {self._round}.</b> "
        if clock.started:
            return super()._words(clock)
        mock = self._mocks.read(self._number)
        if mock.present is None or mock.present.number != self._round:
            number = "" if mock.present is None else f" It comes after Round {mock.present.number}."
            return f"{head}This round has not been started.{number}</p>"
        rest = mock.present.rest
        left = f" Your break has {told(rest.seconds_left)} left." if rest and rest.seconds_left > 0 else ""
        return f"{head}{self._problem.minutes} minutes.{left}</p>"

    def _buttons(self, clock: Clock) -> list[dict[str, Any]]:
        if not clock.started:
            present = self._mocks.read(self._number).present
            if present is None or present.number != self._round:
                return []
            do = Do.READ if self._closed_book else Do.CODE
            return [{"do": do, "label": f"Start Round {self._round}", "main": True}]
        buttons = [button for button in super()._buttons(clock) if button["do"] != Do.EXTEND]
        for button in buttons:
            if button["do"] == Do.PAUSE:
                button |= {"label": "Interrupt", "title": "The clock stops. It is counted."}
        return buttons

    def _happen(self, do: Do) -> None:
        self._mocks.happen(self._number, self._round, do)

    def _alive(self, _content: Mapping[str, Any]) -> None:
        self._mocks.alive(self._number)
        shown = self.face.get("clock") or {}
        mine = self._mine()
        if shown.get("running") != (mine.clock.running and mine.state == "open"):
            self.draw()
