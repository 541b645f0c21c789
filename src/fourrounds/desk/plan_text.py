"""A plan as the learner reads it: in the terminal, in a notebook, and as a Markdown file to tick off."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

from fourrounds.desk.catalogue import ROUNDS
from fourrounds.desk.planning import Item, Plan, Week, told_hours, told_weeks

if TYPE_CHECKING:
    from rich.console import RenderableType


def title(plan: Plan) -> str:
    return f"{told_weeks(len(plan.weeks))} of up to {told_hours(plan.hours)}, from {plan.weeks[0].start}"


def named(item: Item) -> str:
    """What is to be done, in words."""
    round_ = ROUNDS.get(item.assignment or "", "").partition(" · ")[0]
    words = {
        "chapter": f"read {item.name}",
        "retry": f"{item.name} again ({round_})",
        "new": f"{item.name} ({round_})",
        "mock": "a mock interview, one problem of each round",
    }[item.kind]
    return f"{words}; read the method first, book closed" if item.closed_book else words


def _head(week: Week) -> str:
    return f"Week {week.number}, from {week.start.day} {week.start:%B}"


def after(plan: Plan) -> list[str]:
    """The goals as they stand after the plan, and what is to be known."""
    return ["If all of it goes well:", *(f"  {goal.told()}" for goal in plan.goals), *plan.notes]


def rich_table(plan: Plan) -> RenderableType:
    """The weeks for a terminal; :func:`after` comes below."""
    from rich.table import Table
    from rich.text import Text

    table = Table(title=Text(title(plan), style="bold"), title_justify="left", show_lines=True)
    table.add_column("Week", no_wrap=True)
    table.add_column("What", overflow="fold")
    table.add_column("Minutes", justify="right")
    for week in plan.weeks:
        words = Text("\n".join(named(item) for item in week.items) or "nothing fits")
        minutes = "\n".join(str(item.minutes) for item in week.items)
        table.add_row(f"{week.number}\n{week.start}", words, f"{minutes}\n= {week.minutes}")
    return table


def lines(plan: Plan) -> list[str]:
    """The plan as plain lines."""
    text = [title(plan)]
    for week in plan.weeks:
        text.append(f"{_head(week)} ({week.minutes} minutes)")
        text += [f"  {named(item)}, {item.minutes} minutes" for item in week.items]
    return [*text, *after(plan)]


def markdown(plan: Plan) -> str:
    """The plan as a Markdown file."""
    text = [f"# {title(plan)}", ""]
    for week in plan.weeks:
        text += [f"## {_head(week)} ({week.minutes} minutes)", ""]
        text += [f"- [ ] {named(item)}, {item.minutes} minutes" for item in week.items]
        text += [""]
    text += ["## If all of it goes well", ""]
    text += [f"- {goal.told()}" for goal in plan.goals]
    text += ["", *plan.notes] if plan.notes else []
    return "\n".join(text) + "\n"


def html(plan: Plan) -> str:
    """The plan for a notebook."""
    left = "style='text-align:left;vertical-align:top'"
    rows = []
    for week in plan.weeks:
        items = "<br>".join(escape(f"{named(item)}, {item.minutes} minutes") for item in week.items)
        rows.append(
            f"<tr><th {left} scope='row'>{escape(_head(week))}</th><td {left}>{items or 'nothing fits'}</td>"
            f"<td {left}>{week.minutes}</td></tr>"
        )
    head = "".join(f"<th {left} scope='col'>{name}</th>" for name in ("Week", "What", "Minutes"))
    return (
        f"<table><caption {left}>{escape(title(plan))}</caption><thead><tr>{head}</tr></thead>"
        f"<tbody>{''.join(rows)}</tbody></table>{_list(after(plan))}"
    )


def _list(words: Sequence[str]) -> str:
    return "".join(f"<p style='margin:0.2em 0'>{escape(line)}</p>" for line in words)
