"""Where a mock interview stands, in words."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Any

from fourrounds.desk.catalogue import ROUNDS
from fourrounds.desk.clocks import told
from fourrounds.desk.dealing import WORDS
from fourrounds.desk.mocks import Mock, Rest, Round

NONE = (
    "A mock interview deals one problem of each of the four rounds, with the rounds' clocks and a break "
    "between them: about four hours. During it only the provided tests run. At the end everything is graded, "
    "and a scorecard says how it went and what to work on. It can be interrupted, and goes on where it was."
)
COLUMNS = ("Round", "Problem", "Minutes", "State")


def _when(round_: Round) -> str:
    return f"{round_.ended_at.astimezone():%H:%M}" if round_.ended_at else ""


def state(round_: Round, used_so_far: bool = True) -> str:
    """How far a round is; ``used_so_far`` says whether the time of one that is open is told."""
    used = told(round_.clock.sitting.seconds)
    if round_.state == "open":
        running = "the clock runs" if round_.clock.running else "the clock stands"
        return f"open, {used} used, {running}" if used_so_far else f"open, {running}"
    if round_.state == "waiting":
        return "to come"
    return f"{round_.state} at {_when(round_)}" + (f", {used} used" if round_.clock.started else "")


def rest(one: Rest) -> str:
    """A break that goes on."""
    if one.seconds_left > 0:
        return f"Break: {told(one.seconds_left)} of {one.minutes:g} minutes left."
    return f"Break: its {one.minutes:g} minutes have run over by {told(one.seconds_left)}."


def shown(mock: Mock, round_: Round) -> str:
    """The problem of a round; one that is to come is not told."""
    return round_.dealt.problem if round_.began_at is not None else ""


def rows(mock: Mock, used_so_far: bool = True) -> list[tuple[str, ...]]:
    """What stands in ``COLUMNS``."""
    return [
        (
            ROUNDS.get(one.dealt.assignment, one.dealt.assignment),
            shown(mock, one),
            f"{one.dealt.minutes:g}",
            state(one, used_so_far),
        )
        for one in mock.rounds
    ]


def now(mock: Mock) -> list[str]:
    """What is the matter now, a sentence each. The break that goes on is not told here."""
    present = mock.present
    if present is None:
        return []
    said = []
    left_at = present.clock.left_at
    if left_at is not None:
        when = left_at.astimezone()
        said.append(
            f"The clock stopped at {when:%H:%M} on {when.day} {when:%B}, the last time that anything was "
            "heard of this round. Nothing after that was counted."
        )
    if present.state == "open" and present.dealt.why != "new":
        said.append(WORDS[present.dealt.why])
    return said


def lines(mock: Mock, path: Path | None = None) -> list[str]:
    """Where the mock stands, and what to do next. ``path`` is the notebook to open."""
    text = [f"Mock interview {mock.number} (seed {mock.seed})"]
    for name, problem, minutes, how in rows(mock):
        text.append(f"  {name}: {problem + ', ' if problem else ''}{minutes} minutes, {how}")
    text += now(mock)
    present = mock.present
    if present is not None and present.state == "waiting" and present.rest is not None:
        text.append(rest(present.rest))
    if present is None or path is None:
        return text
    if present.state == "waiting":
        text.append(
            f"Round {present.number} is next. Open {path} in JupyterLab, which `fourrounds study` starts;"
        )
        text.append("its first cell starts the clock, and its last cell hands in.")
    else:
        text.append(f"Round {present.number} is open: {path}. Its last cell hands in.")
        if not present.clock.running:
            text.append("Its first cell lets the clock go on.")
    return text


def html(mock: Mock) -> str:
    """Where the mock stands, for its panel."""
    left = "style='text-align:left;vertical-align:top'"
    heads = "".join(f"<th {left} scope='col'>{name}</th>" for name in COLUMNS)
    body = "".join(
        "<tr>" + "".join(f"<td {left}>{escape(text)}</td>" for text in texts) + "</tr>"
        for texts in rows(mock, used_so_far=False)  # a clock that runs stands beside it
    )
    said = "".join(f"<p>{escape(line)}</p>" for line in now(mock))
    return (
        f"<table><caption {left}>Mock interview {mock.number}</caption><thead><tr>{heads}</tr></thead>"
        f"<tbody>{body}</tbody></table>{said}"
    )


def json_object(mock: Mock, path: Path | None) -> dict[str, Any]:
    """Where the mock stands, as plain data. The problem of a round that is to come is null."""
    present = mock.present
    return {
        "mock": mock.number,
        "seed": mock.seed,
        "begun_at": mock.begun_at.isoformat(),
        "phase": mock.phase,
        "present": present.number if present else None,
        "notebook": str(path) if path else None,
        "rounds": [
            {
                "round": one.number,
                "assignment": one.dealt.assignment,
                "problem": shown(mock, one) or None,
                "minutes": one.dealt.minutes,
                "state": one.state,
                "running": one.clock.running,
                "seconds": one.clock.sitting.seconds,
                "interruptions": one.interruptions,
                "break_seconds": one.rest.seconds if one.rest else None,
                "break_minutes": one.rest.minutes if one.rest else None,
            }
            for one in mock.rounds
        ],
    }
