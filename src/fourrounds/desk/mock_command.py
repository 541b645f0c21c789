"""What ``fourrounds mock`` does in a terminal."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from fourrounds.desk import dealing, handing_in, mock_text, scorecard_text
from fourrounds.desk.errors import DeskError
from fourrounds.desk.mock_copy import make_copy
from fourrounds.desk.mocks import Act, Mock, Mocks
from fourrounds.desk.scorecard import json_object
from fourrounds.desk.scorecard import scorecard as scorecard_of
from fourrounds.desk.waiting import Waiting
from fourrounds.examiner.layout import Layout

NEW = "`fourrounds mock --new` begins another one."


@dataclass(frozen=True)
class Told:
    """What the command says, in lines and as plain data."""

    lines: Sequence[str]
    json: dict[str, Any]


def begin(layout: Layout, user: str, seed: int | None = None) -> None:
    """Deal a new mock interview; refused while another one goes on."""
    dealing.begin(layout, user, seed)


def go_on(layout: Layout, user: str) -> Told:
    """Where the mock interview stands, and what to open; the first one begins here.

    One that is over is graded, as far as it is not, and its scorecard is shown.
    """
    mocks = Mocks(layout, user)
    if mocks.last() is None:
        begin(layout, user)
    mock = mocks.last()
    assert mock is not None
    if mock.present is None:
        return _over(layout, user, mock)
    path = make_copy(layout, user, mock, mock.present)
    return Told(mock_text.lines(mock, path), mock_text.json_object(mock, path) | {"scorecard": None})


def scorecard(layout: Layout, user: str, number: int | None = None) -> Told:
    """The scorecard of the mock interview ``number``, else of the last one that is over."""
    mocks = Mocks(layout, user)
    if number is None:
        over = [one.number for one in mocks.all() if one.over]
        if not over:
            raise DeskError("No mock interview of yours is over. `fourrounds mock` begins one, or goes on.")
        number = over[-1]
    mock = mocks.read(number)
    if not mock.over:
        raise DeskError(f"Mock interview {number} goes on: its scorecard comes at its end.")
    return _over(layout, user, mock)


def abandon(layout: Layout, user: str, ask: Callable[[str], str]) -> None:
    """End the mock interview that goes on, if the learner says so once more."""
    mocks = Mocks(layout, user)
    mock = mocks.last()
    if mock is None or mock.over:
        raise DeskError("No mock interview goes on.")
    try:
        said = ask(
            f"Mock interview {mock.number} then ends here; what you handed in is kept and graded. "
            "Type abandon to end it: "
        )
    except EOFError:
        said = ""
    if said.strip().lower() != Act.ABANDON:
        raise DeskError(f"Mock interview {mock.number} goes on.")
    mocks.happen(mock.number, None, Act.ABANDON)


def _over(layout: Layout, user: str, mock: Mock) -> Told:
    waits = [
        number for number, attempt in Mocks(layout, user).attempts(mock.number).items() if attempt is None
    ]
    if waits:
        with Waiting("grading the mock interview") as waiting:
            for place, number in enumerate(waits, 1):
                where = f" ({place} of {len(waits)})"
                handing_in.grade(layout, number, lambda text, where=where: waiting.say(f"{text}{where}"))  # type: ignore[misc]
    card = scorecard_of(layout, user, mock.number)
    lines = [*scorecard_text.lines(card), NEW]
    return Told(lines, mock_text.json_object(mock, None) | {"scorecard": json_object(card)})
