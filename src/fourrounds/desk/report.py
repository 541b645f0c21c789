"""A report as the learner sees it: in the terminal, in a notebook, and as the object of ``--json``."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from fourrounds.examiner.wall import Kind

if TYPE_CHECKING:
    from rich.console import RenderableType

    from fourrounds.desk.attempts import Judged

CELL_FIELDS = ("grade_id", "group", "kind", "points", "max_points", "message", "fault", "seed", "seconds")
_REPLAYABLE = {
    Kind.CRASHED,
    Kind.WRONG_TYPE,
    Kind.WRONG_SHAPE,
    Kind.WRONG_DTYPE,
    Kind.WRONG_VALUE,
    Kind.TIMEOUT,
    Kind.MEMORY,
    Kind.OUTPUT,
}
# (sign, rich style, CSS colour): nothing is said by colour alone. The colours are JupyterLab's own, so that
# they fit its dark theme.
_PASSED = ("✓", "green", "var(--jp-success-color1, #2e7d32)")
_PENDING = ("…", "yellow", "var(--jp-warn-color1, #b26a00)")
_PART = ("◐", "yellow", "var(--jp-warn-color1, #b26a00)")
_FAILED = ("✗", "red", "var(--jp-error-color1, #c62828)")


def plain(text: object) -> str:
    """``text`` with what could command a terminal, or cannot be encoded, written out."""
    return "".join(
        c if c.isprintable() or c in "\n\t" else c.encode("unicode_escape").decode() for c in str(text)
    )


def with_reviews(report: Mapping[str, Any], reviews: Sequence[Judged]) -> dict[str, Any]:
    """The examiner's report with the learner's own judgements in it.

    A cell that is judged has its points, which the score then counts and ``self_reviewed`` adds up. One that
    waits for a person says how it is reviewed.
    """
    judged = {one.grade_id: one for one in reviews}
    command = f"fourrounds review {report['problem']}"
    cells = []
    for cell in report["cells"]:
        own = judged.get(cell["grade_id"])
        if cell["kind"] == Kind.MANUAL and own is not None:
            said = f"{_told(own.points)} by your own review: `{command}` shows it."
            cell = {**cell, "points": own.points, "message": said}
        elif cell["kind"] == Kind.MANUAL:
            said = f"{_told(cell['max_points'])} by a person: `{command}`"
            cell = {**cell, "message": said}
        cells.append(cell)
    own_points = sum(one.points for one in reviews)
    more = {"score": report["score"] + own_points, "self_reviewed": own_points} if reviews else {}
    return {**report, "cells": cells, **more}


def _told(points: float) -> str:
    return f"{points:g} point{'' if points == 1 else 's'}"


def json_object(report: Mapping[str, Any]) -> dict[str, Any]:
    """What ``fourrounds grade --json`` prints."""
    return {
        "problem": report["problem"],
        "score": report["score"],
        "self_reviewed": report.get("self_reviewed", 0.0),
        "max_score": report["max_score"],
        "sandbox": report["sandbox"],
        "cells": [{name: cell[name] for name in CELL_FIELDS} for cell in report["cells"]],
    }


def _sign(cell: Mapping[str, Any]) -> tuple[str, str, str]:
    kind = cell["kind"]
    if kind == Kind.MANUAL and cell["points"] is not None:
        return _PASSED if cell["points"] >= cell["max_points"] else _PART if cell["points"] else _FAILED
    if kind == Kind.OK:
        return _PASSED
    if kind == Kind.PARTIAL:
        return _PART
    return _PENDING if kind in (Kind.MANUAL, Kind.NOT_ATTEMPTED, Kind.EXAMINER_FAULT) else _FAILED


def _verdict(cell: Mapping[str, Any]) -> str:
    return "self-reviewed" if cell["kind"] == Kind.MANUAL and cell["points"] is not None else cell["kind"]


def _points(cell: Mapping[str, Any]) -> str:
    return f"{'–' if cell['points'] is None else format(cell['points'], 'g')} / {cell['max_points']:g}"


def _words(cell: Mapping[str, Any]) -> str:
    text = plain(cell["message"])
    if cell.get("fault_says"):
        text += f"\nA known mistake gives just this: {plain(cell['fault_says'])}"
    return text


def score_line(report: Mapping[str, Any]) -> str:
    """The sum and how it came about, in one line."""
    waiting = sum(
        cell["max_points"]
        for cell in report["cells"]
        if cell["kind"] == Kind.MANUAL and cell["points"] is None
    )
    pending = f" ({waiting:g} of them wait for a person)" if waiting else ""
    if "self_reviewed" in report:
        pending = f" ({report['self_reviewed']:g} self-reviewed){pending}"
    return (
        f"{report['score']:g} of {report['max_score']:g} points{pending} · sandbox {report['sandbox']} · "
        f"seed {report['seed']} · {report['seconds']:.1f} s"
    )


def _provided_line(report: Mapping[str, Any]) -> str | None:
    failed = [cell for cell in report.get("provided", ()) if cell["kind"] != Kind.OK]
    if not failed:
        return None
    many = f"{len(failed)} of the {len(report['provided'])} provided tests fail too"
    return f"{many}: they show their inputs, so run those in your notebook first."


def advice(report: Mapping[str, Any], *, path: str, debrief: str, again: str = "") -> list[str]:
    """What to do next, one sentence each.

    ``path`` is what was graded, ``debrief`` the solution notebook, and ``again`` the options that name the
    same work in another command.
    """
    slug, cells = report["problem"], report["cells"]
    kinds = {cell["kind"] for cell in cells if cell["kind"] != Kind.MANUAL}
    lines: list[str] = []
    if Kind.EXAMINER_FAULT in kinds:
        lines.append(
            "The examiner failed, not your answer, and this is not scored: run `fourrounds doctor`, and "
            f"report it with the seed {report['seed']}."
        )
    if kinds == {Kind.OK, Kind.NOT_ATTEMPTED}:
        unanswered = dict.fromkeys(cell["group"] for cell in cells if cell["kind"] == Kind.NOT_ATTEMPTED)
        lines.append(f"What is answered passes. Still to be answered: {', '.join(unanswered)}.")
    elif kinds == {Kind.OK}:
        lines.append(
            f"All of it passes. How this goes wrong, and what an interviewer asks next, is in {debrief}."
        )
    elif kinds == {Kind.NOT_ATTEMPTED}:
        lines.append(f"Write your answer in {path}, save it, and grade again.")
    elif kinds == {Kind.FORMAT} and not again:
        lines.append(
            f"If the file cannot be put right, `fourrounds start {slug} --again` keeps it in the archive and "
            "gives you a fresh notebook."
        )
    elif provided := _provided_line(report):
        lines.append(provided)
    elif Kind.PARTIAL in kinds:
        lines.append(f"What was found and what was missed stands above; {debrief} holds a model answer.")
    failed = next((cell for cell in cells if cell["kind"] in _REPLAYABLE), None)
    if failed:
        lines.append(
            f"`fourrounds replay {slug} --seed {report['seed']} --group {failed['group']}{again}` hands you "
            "the input that failed."
        )
    return lines


def rich_table(report: Mapping[str, Any]) -> RenderableType:
    """The verdicts for a terminal; :func:`lines` come after them."""
    from rich.table import Table
    from rich.text import Text

    table = Table(title=Text(str(report["problem"]), style="bold"), title_justify="left")
    for name in ("Group", "Verdict"):
        table.add_column(name, no_wrap=True)
    table.add_column("Points", justify="right", no_wrap=True)
    table.add_column("Message", overflow="fold")
    for cell in report["cells"]:
        sign, style, _ = _sign(cell)
        verdict = Text(f"{sign} {_verdict(cell)}", style)
        table.add_row(Text(plain(cell["group"])), verdict, _points(cell), Text(_words(cell)))
    return table


def details(report: Mapping[str, Any]) -> list[str]:
    """What test cells displayed of their verdicts, as text, each under the name of its group."""
    return [
        f"\n{plain(cell['group'])}\n{plain(detail['text'])}"
        for cell in report["cells"]
        for detail in cell.get("details", ())
    ]


def lines(report: Mapping[str, Any], next_steps: Sequence[str]) -> list[str]:
    """What stands below the verdicts: the sum, the examiner's notes, and what to do next."""
    return [
        score_line(report),
        *(f"Note: {plain(note)}" for note in report["notes"]),
        *map(plain, next_steps),
    ]


def html_report(report: Mapping[str, Any], next_steps: Sequence[str]) -> str:
    """The report for a notebook. Everything in it that a learner's code could have made is escaped."""
    left = "style='text-align:left;vertical-align:top;white-space:pre-wrap'"
    rows = []
    for cell in report["cells"]:
        sign, _, colour = _sign(cell)
        words = with_code(_words(cell)) if cell["kind"] == Kind.MANUAL else escape(_words(cell))
        rows.append(
            f"<tr><td {left}>{escape(plain(cell['group']))}</td>"
            f"<td {left}><span style='color:{colour}'>{sign} {escape(_verdict(cell))}</span></td>"
            f"<td {left}>{_points(cell)}{_bar(cell, colour)}</td><td {left}>{words}</td></tr>"
        )
    head = "".join(
        f"<th {left} scope='col'>{name}</th>" for name in ("Group", "Verdict", "Points", "Message")
    )
    shown = "".join(
        f"<h4>{escape(plain(cell['group']))}</h4>{detail['html']}"
        for cell in report["cells"]
        for detail in cell.get("details", ())
    )
    below = shown + "".join(f"<p>{with_code(line)}</p>" for line in lines(report, next_steps))
    return (
        f"<table><caption {left}>{escape(report['problem'])}</caption><thead><tr>{head}</tr></thead>"
        f"<tbody>{''.join(rows)}</tbody></table>{below}"
    )


def _bar(cell: Mapping[str, Any], colour: str) -> str:
    """The points as a bar, under the figures that say the same."""
    if cell["points"] is None or not cell["max_points"]:
        return ""
    share = min(max(cell["points"] / cell["max_points"], 0.0), 1.0)
    thin = "height:6px;border-radius:3px"
    return (
        f"<div aria-hidden='true' style='{thin};width:72px;background:var(--jp-layout-color3, #ddd)'>"
        f"<div style='{thin};width:{share:.0%};background:{colour}'></div></div>"
    )


def with_code(line: str) -> str:
    """Escaped, with what stands between backticks set as code."""
    parts = escape(line).split("`")
    if len(parts) % 2 == 0:
        return "`".join(parts)
    return "".join(f"<code>{part}</code>" if number % 2 else part for number, part in enumerate(parts))


def text_report(report: Mapping[str, Any], next_steps: Sequence[str]) -> str:
    """The report as plain lines."""
    shown = [f"{report['problem']}:"]
    for cell in report["cells"]:
        words = _words(cell).replace("\n", " ")
        shown.append(
            f"  {plain(cell['group'])}: {_verdict(cell)}, {_points(cell)}{'. ' + words if words else ''}"
        )
    return "\n".join([*shown, *details(report), *lines(report, next_steps)])


def dump(report: Mapping[str, Any]) -> str:
    """One line of JSON in ASCII, so that any terminal and any pipe carries it."""
    return json.dumps(json_object(report))
