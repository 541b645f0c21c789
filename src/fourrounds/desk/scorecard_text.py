"""A scorecard in words, and as a page with pictures."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

from fourrounds.desk.catalogue import ROUNDS
from fourrounds.desk.clocks import told
from fourrounds.desk.figures import BLUE, FAINT, INK, ORANGE, Figure, drawn
from fourrounds.desk.report import plain, with_code
from fourrounds.desk.scorecard import RoundScore, Scorecard, Skill, ToWorkOn

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LONGEST = 300
MOST_SHOWN = 8
"""Mocks in the picture, the last ones."""
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
    points = round(100 * (card.share - last.share))
    if not points:
        return f"As much as in mock interview {last.number}."
    many = f"{abs(points)} percentage point{'' if abs(points) == 1 else 's'}"
    return f"{many} {'less' if points < 0 else 'more'} than mock interview {last.number} ({last.share:.0%})."


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
        f"{points:g} points of {slug} are for what you wrote in words. They wait for `fourrounds review "
        f"{slug}`, which asks what an interviewer would, and count here when you have judged them."
        for slug, points in card.waiting.items()
    ]


def work_line(one: ToWorkOn) -> str:
    """What to work on, why, and with what."""
    why = plain(one.why)
    why = why if len(why) <= _LONGEST else f"{why[:_LONGEST]} ..."
    same = one.practise == one.problem
    what = (
        f"do {one.problem} again: `fourrounds start {one.practise} --again`"
        if same
        else (f"{one.practise} asks for it too: `fourrounds start {one.practise}`")
    )
    read = f"; read notebooks/{one.chapter}" if one.chapter else ""
    where = f"Round {one.round}, {one.problem}"
    return f"{one.skill} (it cost {one.lost:.0%} of a round). {where}: {why} Next, {what}{read}."


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
    sum_ = "".join(f"<p>{with_code(line)}</p>" for line in (against(card), ungraded_line(card)) if line)
    figures = [rounds_figure(card)] if card.share is not None else []
    figures += [trend_figure(card)] if card.earlier and card.share is not None else []
    pictures = "".join(f"<div>{one.html()}</div>" for one in figures)
    parts = [
        f"<h4>{escape(head(card))}</h4>{sum_}",
        f"<table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>",
        f"<div style='display:flex;flex-wrap:wrap;gap:1.5em'>{pictures}</div>" if pictures else "",
    ]
    parts += [f"<p>{escape(line)}</p>" for line in (breaks(card),) if line]
    if card.work_on:
        items = "".join(f"<li>{with_code(work_line(one))}</li>" for one in card.work_on)
        parts.append(f"<h4>To work on</h4><ol>{items}</ol>")
    parts += [f"<p>{with_code(line)}</p>" for line in review_lines(card)]
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
            f"<div aria-hidden='true' style='{thin};width:110px;background:var(--jp-layout-color3, #ddd)'>"
            f"<div style='{thin};width:{one.share:.0%};background:{BLUE}'></div></div>"
        )
        cells = [escape(one.name), f"{one.points:g} of {one.max_points:g} ({one.share:.0%}){bar}"]
        cells += ["" if one.before is None else f"{one.before:.0%}"] if before else []
        rows.append("<tr>" + "".join(f"<td {left}>{cell}</td>" for cell in cells) + "</tr>")
    heads = "".join(f"<th {left} scope='col'>{name}</th>" for name in names)
    return f"<table><thead><tr>{heads}</tr></thead><tbody>{''.join(rows)}</tbody></table>"


def rounds_figure(card: Scorecard) -> Figure:
    """Bars: the share of each round, with what was expected and the mock before."""
    rows = card.rounds
    before = card.earlier[-1] if card.earlier else None

    def draw(axes: Axes) -> None:
        places = range(len(rows))
        axes.barh(places, [1.0] * len(rows), color=FAINT, height=0.55)
        axes.barh(places, [one.share or 0.0 for one in rows], color=BLUE, height=0.55, label="points")
        for place, one in enumerate(rows):
            said = f"{one.share:.0%}" if one.share is not None else one.state
            axes.text(1.04, place, said, va="center", color=INK, fontsize=9)
        expected = [
            (share, place) for place, one in enumerate(rows) if (share := one.expected_share) is not None
        ]
        if expected:
            axes.plot(
                *zip(*expected, strict=True), "|", color=ORANGE, ms=22, mew=3, clip_on=False, label="expected"
            )
        if before is not None:
            shares = [
                (before.rounds[one.number], n) for n, one in enumerate(rows) if one.number in before.rounds
            ]
            label = f"mock interview {before.number}"
            axes.plot(
                *zip(*shares, strict=True),
                "D",
                color="white",
                mec=INK,
                mew=1.5,
                clip_on=False,
                zorder=3,
                label=label,
            )
        axes.set_yticks(places, [f"Round {one.number}" for one in rows])
        axes.invert_yaxis()
        axes.set_xlim(0, 1)
        axes.set_xticks([0, 0.5, 1], ["0%", "50%", "100%"])
        axes.legend(
            loc="upper center",
            bbox_to_anchor=(0.45, -0.12),
            ncols=3,
            frameon=False,
            labelcolor=INK,
            markerscale=0.5,
            handletextpad=0.4,
            columnspacing=1.2,
        )

    parts = []
    for one in rows:
        said = f"round {one.number}: {one.state if one.share is None else f'{one.share:.0%}'}"
        said += "" if one.expected_share is None else f", expected {one.expected_share:.0%}"
        if before is not None and one.number in before.rounds:
            said += f", in mock interview {before.number} {before.rounds[one.number]:.0%}"
        parts.append(said)
    return drawn("Points by round", draw, f"Points by round, as shares. {'; '.join(parts)}.", 2.6, 0.9)


def trend_figure(card: Scorecard) -> Figure:
    """A line: the share of all rounds in each mock so far."""
    assert card.share is not None
    points = [*((one.number, one.share) for one in card.earlier), (card.mock.number, card.share)][
        -MOST_SHOWN:
    ]

    def draw(axes: Axes) -> None:
        places = range(len(points))
        axes.plot(places, [share for _, share in points], "o-", color=BLUE, ms=7, lw=2)
        for place, (_, share) in enumerate(points):
            axes.annotate(
                f"{share:.0%}", (place, share), (0, 9), textcoords="offset points", ha="center", color=INK
            )
        axes.set_xticks(places, [str(number) for number, _ in points])
        axes.set_xlim(-0.4, len(points) - 0.6)
        axes.set_ylim(0, 1.12)
        axes.set_yticks([0, 0.5, 1], ["0%", "50%", "100%"])
        axes.set_xlabel("mock interview")

    said = ", ".join(f"{share:.0%} in mock interview {number}" for number, share in points)
    return drawn("All rounds", draw, f"The points of all rounds, as a share: {said}.", 2.6)
