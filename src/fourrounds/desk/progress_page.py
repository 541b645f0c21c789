"""The learner's progress for a terminal, a notebook and a program: what ``standing`` and ``goals`` say, in
words, tables and pictures, and what to do first where there is nothing yet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from html import escape
from typing import TYPE_CHECKING, Any

from fourrounds.desk import figures, goals, store, today
from fourrounds.desk.attempts import Attempts
from fourrounds.desk.catalogue import ROUNDS
from fourrounds.desk.standing import Readiness, Standing, standing
from fourrounds.desk.work import user_name
from fourrounds.examiner.layout import Layout

if TYPE_CHECKING:
    from rich.console import RenderableType

EMPTY = (
    "Nothing has been graded yet. What you hand in is counted here: which problems of each round you passed; "
    "how ready you are by round and by skill, as an interview would see it; how well you guess your own "
    "points; and the minutes you took."
)
FIRST = 2
SEEN = (
    "Readiness is the first submission of your latest sitting at each problem, without those after the "
    "debrief, weighted by how much of it you are likely to remember."
)


@dataclass(frozen=True)
class Progress:
    """Everything that is shown. ``first`` is what to do first, where there is no attempt yet."""

    standing: Standing
    goals: tuple[goals.Goal, ...]
    first: tuple[today.Task, ...]


def of_learner(layout: Layout, user: str | None = None, now: datetime | None = None) -> Progress:
    """The progress at ``now`` (else this moment)."""
    now = now or datetime.now(UTC)
    problems = layout.problems()
    attempts = Attempts(store.of(layout)).of(user_name(user))
    stand = standing(problems, attempts, now)
    first = () if stand.attempts else tuple(today.today(layout, user, now)[:FIRST])
    return Progress(stand, goals.goals(problems, attempts, stand), first)


def json_object(found: Progress) -> dict[str, Any]:
    """What ``fourrounds progress --json`` prints. Shares are in [0, 1], and null without evidence."""
    stand = found.standing
    calibration = stand.calibration
    return {
        "attempts": stand.attempts,
        "after_debrief": stand.after_debrief,
        "goals": goals.json_rows(found.goals),
        "coverage": [asdict(one) for one in stand.coverage],
        "readiness": {
            "rounds": [asdict(one) for one in stand.rounds],
            "skills": [asdict(one) for one in stand.skills],
        },
        "calibration": {
            "submissions": len(calibration.guesses),
            "bias": calibration.bias if calibration.guesses else None,
            "error": calibration.error if calibration.guesses else None,
            "guesses": [asdict(one) | {"at": one.at.isoformat()} for one in calibration.guesses],
        },
        "times": [asdict(one) | {"at": one.at.isoformat(), "in_time": one.in_time} for one in stand.times],
        "memory": [
            {
                "problem": one.problem,
                "due": one.due.isoformat(),
                "retrievability": one.retrievability,
                "stability_days": one.stability,
                "reviews": one.reviews,
            }
            for one in sorted(stand.memories.values(), key=lambda one: (one.due, one.problem))
        ],
    }


def ready(one: Readiness) -> str:
    """A readiness in words."""
    if one.share is None:
        return "no evidence"
    many = f"{one.problems} problem{'' if one.problems == 1 else 's'}"
    return f"{one.share:.0%} ({many}, {one.remembered:.0%} remembered)"


def by_round(stand: Standing) -> list[tuple[str, str, str, str]]:
    """For each round its name, the problems passed and handed in, and the readiness."""
    rows = []
    for one, readiness in zip(stand.coverage, stand.rounds, strict=True):
        passed = f"{len(one.passed)} of {one.problems}"
        rows.append(
            (ROUNDS.get(one.assignment, one.assignment), passed, str(len(one.tried)), ready(readiness))
        )
    return rows


def notes(found: Progress) -> list[str]:
    """Calibration, times and the debrief in sentences."""
    stand = found.standing
    lines = [stand.calibration.told(), times(stand)]
    if stand.after_debrief:
        many = stand.after_debrief
        lines.append(
            f"{many} submission{' was' if many == 1 else 's were'} made after the debrief, and "
            f"{'is' if many == 1 else 'are'} not counted in readiness nor as passed."
        )
    return lines


def times(stand: Standing) -> str:
    """The minutes and the openings of a closed method section, in a sentence or two."""
    rows = stand.times
    if not rows:
        return "No sitting had a clock yet: the first cell of a problem starts one."
    inside = sum(one.in_time for one in rows)
    text = f"{inside} of {len(rows)} timed sitting{'' if len(rows) == 1 else 's'} in time"
    half = len(rows) // 2
    if half >= 3:
        earlier, later = rows[:half], rows[half:]
        shares = [sum(one.in_time for one in part) / len(part) for part in (earlier, later)]
        text += f" ({shares[0]:.0%} in the first half of them, {shares[1]:.0%} in the second)"
    read = [one for one in rows if one.reading > 0]
    if read:
        openings = sum(one.openings for one in read)
        again = f"opened again {openings} time{'' if openings == 1 else 's'}" if openings else "left closed"
        text += f". In {len(read)} the method was read first, and {again} after that"
    return text + "."


COLUMNS = ("Round", "Passed", "Handed in", "Readiness")


def rich_parts(found: Progress) -> list[RenderableType]:
    """The progress for a terminal."""
    from rich.table import Table
    from rich.text import Text

    goal_lines = Text("\n".join(["Goals", *(f"  {goal.told()}" for goal in found.goals)]))
    if not found.standing.attempts:
        return [Text(EMPTY), goal_lines, today.rich_table(found.first)]
    rounds, skills = Table(), Table()
    for name in COLUMNS:
        rounds.add_column(name)
    for row in by_round(found.standing):
        rounds.add_row(*map(Text, row))
    skills.add_column("Skill")
    skills.add_column("Readiness")
    skills.add_column("", no_wrap=True)
    for one in found.standing.skills:
        bar = "" if one.share is None else "█" * round(20 * one.share) + "·" * (20 - round(20 * one.share))
        skills.add_row(Text(one.name), Text(ready(one)), Text(bar, style="blue"))
    return [goal_lines, rounds, skills, Text("\n".join([SEEN, *notes(found)]))]


def lines(found: Progress) -> list[str]:
    """The progress as plain lines."""
    text = ["Goals", *(f"  {goal.told()}" for goal in found.goals)]
    if not found.standing.attempts:
        return [EMPTY, *text, "To begin with", *today.lines(found.first)]
    text.append("Rounds")
    for name, passed, tried, readiness in by_round(found.standing):
        text.append(f"  {name}: {passed} passed, {tried} handed in, readiness {readiness}")
    text.append("Skills")
    text += [f"  {one.name}: {ready(one)}" for one in found.standing.skills]
    return [*text, SEEN, *notes(found)]


def html(found: Progress, links: Mapping[str, str]) -> str:
    """The progress for a notebook; ``links`` are the addresses of notebooks, as in :func:`today.html`."""
    goal_list = "".join(f"<li>{escape(goal.told())}</li>" for goal in found.goals)
    head = f"<h4>Goals</h4><ul style='list-style:none;padding-left:0'>{goal_list}</ul>"
    if not found.standing.attempts:
        begin = f"<h4>To begin with</h4>{today.html(found.first, links)}" if found.first else ""
        return f"<p>{escape(EMPTY)}</p>{begin}{head}"
    columns = (
        "".join(f"<div>{figure.html()}</div>" for figure in column)
        for column in figures.all_of(found.standing)
    )
    pictures = "".join(f"<div>{column}</div>" for column in columns)
    below = "".join(f"<p>{escape(line)}</p>" for line in (SEEN, *notes(found)))
    return (
        f"{head}{_table(COLUMNS, by_round(found.standing))}"
        f"<div style='display:flex;flex-wrap:wrap;gap:1.5em;align-items:flex-start'>{pictures}</div>{below}"
    )


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    left = "style='text-align:left'"
    head = "".join(f"<th {left} scope='col'>{escape(name)}</th>" for name in columns)
    body = "".join(f"<tr>{''.join(f'<td {left}>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
