"""A scorecard in words, and as a page with pictures."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from fourrounds.desk.catalogue import ROUNDS
from fourrounds.desk.clock import told
from fourrounds.desk.report import plain
from fourrounds.desk.scorecard import RoundScore, Scorecard, Skill, ToWorkOn

# Each is told apart from JupyterLab's light and dark page, and from the other.
BLUE, ORANGE = "#2f7fc1", "#c7690a"
_INK = "fill:var(--jp-content-font-color1, #212121)"
_FAINT = "var(--jp-layout-color3, #ddd)"
_LONGEST = 300
COLUMNS = ("Round", "Problem", "Points", "Time", "Expected", "Before")


def title(assignment: str) -> str:
    """``Round 1 · Implement the paper``"""
    return ROUNDS.get(assignment, assignment)


def head(card: Scorecard) -> str:
    """Which mock it is, when it was, and the sum."""
    when = card.mock.begun_at.astimezone()
    ended = ", abandoned" if card.mock.abandoned_at is not None else ""
    named = f"Mock interview {card.mock.number}, {when.day} {when:%B %Y at %H:%M}{ended}"
    return named if card.share is None else f"{named}: {card.share:.0%}"


def against(card: Scorecard) -> str | None:
    """The sum against the mock before."""
    if not card.earlier or card.share is None:
        return None
    last = card.earlier[-1]
    return f"{_difference(card.share - last.share)} than mock interview {last.number} ({last.share:.0%})."


def _difference(by: float) -> str:
    points = round(100 * by)
    return f"{abs(points)} percentage point{'' if abs(points) == 1 else 's'} {'less' if points < 0 else 'more'}"


def row(one: RoundScore, card: Scorecard) -> tuple[str, ...]:
    """What stands in ``COLUMNS``."""
    if one.share is not None:
        points = f"{one.points:g} of {one.max_points:g} ({one.share:.0%})"
        points += f", {one.waiting:g} wait for review" if one.waiting else ""
        points = "given up, 0 of " + f"{one.max_points:g}" if one.state == "given up" else points
    else:
        points = {"handed in": "being graded"}.get(one.state, one.state)
    time = f"{told(one.seconds)} of {one.minutes:g}:00" if one.seconds else ""
    stops = one.interruptions
    time += f", interrupted {stops} time{'' if stops == 1 else 's'}" if stops else ""
    expected = "" if one.expected is None else f"{one.expected:g}, got {one.examined or 0.0:g}"
    before = card.earlier[-1].rounds.get(one.number) if card.earlier else None
    return (
        title(one.assignment),
        one.problem if one.seconds or one.attempt else "",
        points,
        time,
        expected,
        "" if before is None else f"{before:.0%}",
    )


def breaks(card: Scorecard) -> str | None:
    """How long the breaks were."""
    parts = [
        f"{told(one.rest_seconds)} of {one.rest_minutes:g}:00 before Round {one.number}"
        for one in card.rounds
        if one.rest_seconds is not None and one.state in {"handed in", "given up"}
    ]
    return f"Breaks: {', '.join(parts)}." if parts else None


def review_lines(card: Scorecard) -> list[str]:
    """What waits for the learner's own review."""
    return [
        f"{points:g} points of {slug} are for what you wrote in words. They wait for you: "
        f"`fourrounds review {slug}` asks what an interviewer would. They count here when you have judged them."
        for slug, points in card.waiting.items()
    ]


def work_line(one: ToWorkOn) -> str:
    """What to work on, why, and with what."""
    why = plain(one.why)
    why = why if len(why) <= _LONGEST else f"{why[:_LONGEST]} ..."
    same = one.practise == one.problem
    what = f"do {one.problem} again: `fourrounds start {one.practise} --again`" if same else (
        f"{one.practise} asks for it too: `fourrounds start {one.practise}`"
    )
    read = f"; read notebooks/{one.chapter}" if one.chapter else ""
    return f"{one.skill} ({one.lost:.0%} of a round). Round {one.round}, {one.problem}: {why} Next, {what}{read}."


def skill_line(one: Skill) -> str:
    before = "" if one.before is None else f", before {one.before:.0%}"
    return f"{one.name}: {one.points:g} of {one.max_points:g} ({one.share:.0%}{before})"


def ungraded_line(card: Scorecard) -> str | None:
    if not card.ungraded:
        return None
    rounds = ", ".join(map(str, card.ungraded))
    return f"Not graded yet: round {rounds}. `fourrounds mock` grades what was handed in."


def lines(card: Scorecard) -> list[str]:
    """The scorecard as plain lines."""
    text = [head(card)]
    text += [line for line in (against(card), ungraded_line(card)) if line]
    for one in card.rounds:
        name, problem, points, time, expected, before = row(one, card)
        parts = [problem, points, time and f"time {time}", expected and f"expected {expected}"]
        parts.append(before and f"before {before}")
        text.append(f"  {name}: {'; '.join(part for part in parts if part)}")
    text += [line for line in (breaks(card),) if line]
    if card.skills:
        text += ["By skill", *(f"  {skill_line(one)}" for one in card.skills)]
    if card.work_on:
        text.append("To work on")
        text += [f"  {number}. {work_line(one)}" for number, one in enumerate(card.work_on, 1)]
    return text + review_lines(card)


def html(card: Scorecard) -> str:
    """The scorecard for a panel. Everything in it that a learner's code could have made is escaped."""
    left = "style='text-align:left;vertical-align:top'"
    rows = [row(one, card) for one in card.rounds]
    shown = [number for number in range(len(COLUMNS)) if any(texts[number] for texts in rows)]
    heads = "".join(f"<th {left} scope='col'>{COLUMNS[number]}</th>" for number in shown)
    body = "".join(
        "<tr>" + "".join(f"<td {left}>{escape(texts[number])}</td>" for number in shown) + "</tr>"
        for texts in rows
    )
    sum_ = "".join(f"<p>{_with_code(line)}</p>" for line in (against(card), ungraded_line(card)) if line)
    pictures = [rounds_picture(card)] if any(one.share is not None for one in card.rounds) else []
    pictures += [trend_picture(card)] if card.earlier and card.share is not None else []
    drawn = "".join(pictures)
    parts = [
        f"<h4>{escape(head(card))}</h4>{sum_}",
        f"<table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>",
        f"<div style='display:flex;flex-wrap:wrap;gap:1.5em'>{drawn}</div>" if drawn else "",
    ]
    parts += [f"<p>{escape(line)}</p>" for line in (breaks(card),) if line]
    if card.work_on:
        items = "".join(f"<li>{_with_code(work_line(one))}</li>" for one in card.work_on)
        parts.append(f"<h4>To work on</h4><ol>{items}</ol>")
    parts += [f"<p>{_with_code(line)}</p>" for line in review_lines(card)]
    if card.skills:
        parts.append(f"<h4>By skill</h4>{_skills(card.skills)}")
    return "".join(parts)


def _skills(skills: Sequence[Skill]) -> str:
    left = "style='text-align:left;vertical-align:top'"
    thin = "height:6px;border-radius:3px"
    before = any(one.before is not None for one in skills)
    names = ["Skill", "Points", *(["Before"] if before else [])]
    rows = []
    for one in skills:
        bar = (
            f"<div aria-hidden='true' style='{thin};width:110px;background:{_FAINT}'>"
            f"<div style='{thin};width:{one.share:.0%};background:{BLUE}'></div></div>"
        )
        cells = [escape(one.name), f"{one.points:g} of {one.max_points:g} ({one.share:.0%}){bar}"]
        cells += ["" if one.before is None else f"{one.before:.0%}"] if before else []
        rows.append("<tr>" + "".join(f"<td {left}>{cell}</td>" for cell in cells) + "</tr>")
    heads = "".join(f"<th {left} scope='col'>{name}</th>" for name in names)
    return f"<table><thead><tr>{heads}</tr></thead><tbody>{''.join(rows)}</tbody></table>"


def rounds_picture(card: Scorecard) -> str:
    """Bars: the share of each round, what was expected, and the mock before."""
    wide, high, x0 = 420, 44 * len(card.rounds) + 52, 64
    scale = wide - x0 - 60
    before = card.earlier[-1] if card.earlier else None
    parts, words = [], []
    for place, one in enumerate(card.rounds):
        y = 34 + 44 * place
        parts.append(_text(0, y + 15, f"Round {one.number}"))
        parts.append(f"<rect x='{x0}' y='{y}' width='{scale}' height='20' style='fill:{_FAINT}'/>")
        if one.share is None:
            parts.append(_text(x0 + 6, y + 15, one.state))
            words.append(f"round {one.number} {one.state}")
            continue
        said = f"round {one.number} {one.share:.0%}"
        parts.append(
            f"<rect x='{x0}' y='{y}' width='{scale * one.share:.1f}' height='20' style='fill:{BLUE}'/>"
        )
        parts.append(_text(x0 + scale + 6, y + 15, f"{one.share:.0%}"))
        most = sum(part.max_points for part in one.parts if part.group != "manual")
        if one.expected is not None and most:
            x = x0 + scale * min(one.expected / most, 1.0)
            parts.append(
                f"<line x1='{x:.1f}' x2='{x:.1f}' y1='{y - 4}' y2='{y + 24}' "
                f"style='stroke:{ORANGE};stroke-width:4'/>"
            )
            said += f", expected {min(one.expected / most, 1.0):.0%}"
        if before is not None and one.number in before.rounds:
            x = x0 + scale * before.rounds[one.number]
            parts.append(
                f"<circle cx='{x:.1f}' cy='{y + 27}' r='4' "
                f"style='fill:none;stroke:var(--jp-content-font-color1, #212121);stroke-width:1.5'/>"
            )
            said += f", before {before.rounds[one.number]:.0%}"
        words.append(said)
    y = high - 8
    parts.append(f"<rect x='{x0}' y='{y - 10}' width='12' height='12' style='fill:{BLUE}'/>")
    parts.append(_text(x0 + 18, y, "share of the points"))
    parts.append(
        f"<line x1='{x0 + 158}' x2='{x0 + 158}' y1='{y - 12}' y2='{y + 4}' "
        f"style='stroke:{ORANGE};stroke-width:4'/>"
    )
    parts.append(_text(x0 + 166, y, "expected"))
    if before is not None:
        parts.append(
            f"<circle cx='{x0 + 240}' cy='{y - 4}' r='4' "
            "style='fill:none;stroke:var(--jp-content-font-color1, #212121);stroke-width:1.5'/>"
        )
        parts.append(_text(x0 + 250, y, f"mock {before.number}"))
    alt = f"Points by round, as shares: {'; '.join(words)}."
    return _svg(wide, high, "Points by round", alt, parts)


def trend_picture(card: Scorecard) -> str:
    """A line: the share of every mock so far."""
    assert card.share is not None
    points = [(one.number, one.share) for one in card.earlier] + [(card.mock.number, card.share)]
    points = points[-8:]
    wide, high, x0, y0 = 300, 228, 46, 40
    across, down = wide - x0 - 24, 140
    step = across / (len(points) - 1)
    places = [(x0 + step * n, y0 + down * (1 - share)) for n, (_, share) in enumerate(points)]
    parts = []
    for share in (0.0, 0.5, 1.0):
        y = y0 + down * (1 - share)
        parts.append(
            f"<line x1='{x0}' x2='{x0 + across}' y1='{y}' y2='{y}' style='stroke:{_FAINT};stroke-width:1'/>"
        )
        parts.append(_text(x0 - 8, y + 4, f"{share:.0%}", "end"))
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    parts.append(f"<polyline points='{path}' style='fill:none;stroke:{BLUE};stroke-width:2'/>")
    for (number, share), (x, y) in zip(points, places, strict=True):
        parts.append(f"<circle cx='{x:.1f}' cy='{y:.1f}' r='4.5' style='fill:{BLUE}'/>")
        parts.append(_text(x, y - 9, f"{share:.0%}", "middle"))
        parts.append(_text(x, y0 + down + 18, str(number), "middle"))
    parts.append(_text(x0 + across / 2, y0 + down + 36, "mock interview", "middle"))
    said = ", ".join(f"{share:.0%} in mock interview {number}" for number, share in points)
    return _svg(wide, high, "All rounds", f"The share of all rounds over time: {said}.", parts)


def _text(x: float, y: float, text: str, anchor: str = "start") -> str:
    return (
        f"<text x='{x:.1f}' y='{y:.1f}' text-anchor='{anchor}' style='{_INK};font-size:13px'>"
        f"{escape(text)}</text>"
    )


def _svg(wide: int, high: int, name: str, alt: str, parts: Sequence[str]) -> str:
    heading = f"<text x='0' y='14' style='{_INK};font-size:14px;font-weight:bold'>{escape(name)}</text>"
    return (
        f"<svg role='img' aria-label='{escape(alt)}' width='{wide}' height='{high}' "
        f"viewBox='0 0 {wide} {high}' style='max-width:100%'>"
        f"{heading}{''.join(parts)}</svg>"
    )


def _with_code(line: str) -> str:
    """Escaped, with what stands between backticks set as code."""
    parts = escape(line).split("`")
    if len(parts) % 2 == 0:
        return "`".join(parts)
    return "".join(f"<code>{part}</code>" if number % 2 else part for number, part in enumerate(parts))
