"""The list of problems, with how far the learner is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fourrounds.desk import store
from fourrounds.desk.attempts import Attempts, Best
from fourrounds.desk.work import user_name, work_path
from fourrounds.examiner.layout import ASSIGNMENTS, Layout
from fourrounds.examiner.problem import Problem

if TYPE_CHECKING:
    from rich.console import RenderableType

ROUNDS = dict(
    zip(
        ASSIGNMENTS,
        (
            "Round 1 · Implement the paper",
            "Round 2 · Critique",
            "Round 3 · Design an experiment",
            "Round 4 · Open problems",
        ),
        strict=True,
    )
)
COLUMNS = ("Problem", "Paper", "Minutes", "Points", "Groups", "State", "First do")


@dataclass(frozen=True)
class Row:
    """A problem and how far the learner is.

    ``best`` is the best attempt, ``path`` the learner's notebook; None if there is none.
    """

    problem: Problem
    path: Path | None
    best: Best | None

    @property
    def state(self) -> str:
        if self.best is not None:
            own = f", {self.best.self_reviewed:g} self-reviewed" if self.best.self_reviewed else ""
            return f"best {self.best.score:g} of {self.best.max_score:g}{own}"
        return "started" if self.path else "not started"

    @property
    def paper(self) -> str:
        paper = self.problem.paper
        if not paper.get("title"):
            return self.problem.title
        authors = paper.get("authors") or ""
        if not isinstance(authors, str):
            authors = ", ".join(authors)
        if authors.count(",") > 1:
            authors = f"{authors.partition(',')[0]} et al."
        return f"{paper['title']} ({', '.join(str(part) for part in (authors, paper.get('year')) if part)})"

    def texts(self) -> tuple[str, ...]:
        """What stands in ``COLUMNS``."""
        problem = self.problem
        return (
            problem.slug,
            self.paper,
            str(problem.minutes),
            f"{problem.points:g}",
            ", ".join(problem.groups),
            self.state,
            ", ".join(problem.prerequisites),
        )


def catalogue(layout: Layout, user: str | None = None) -> list[Row]:
    """Every problem, in the order of the rounds, and within a round after those that it asks for."""
    name = user_name(user)
    best = Attempts(store.of(layout)).best(name)
    rows = []
    problems = {problem.slug: problem for problem in layout.problems()}
    for problem in problems.values():
        path = work_path(layout, problem, name)
        rows.append(Row(problem, path if path.exists() else None, best.get(problem.slug)))
    return sorted(
        rows, key=lambda row: (row.problem.assignment, _depth(row.problem, problems), row.problem.slug)
    )


def _depth(problem: Problem, problems: Mapping[str, Problem], after: frozenset[str] = frozenset()) -> int:
    """How many problems come before this one, one after another. A circle of prerequisites is cut open."""
    first = [problems[slug] for slug in problem.prerequisites if slug in problems and slug not in after]
    return max((1 + _depth(one, problems, after | {problem.slug}) for one in first), default=0)


def json_rows(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """What ``fourrounds list --json`` prints."""
    return [
        {
            "slug": row.problem.slug,
            "assignment": row.problem.assignment,
            "title": row.problem.title,
            "paper": row.problem.paper,
            "minutes": row.problem.minutes,
            "points": row.problem.points,
            "groups": list(row.problem.groups),
            "prerequisites": list(row.problem.prerequisites),
            "notebook": str(row.path) if row.path else None,
            "best": row.best._asdict() if row.best else None,
        }
        for row in rows
    ]


def _rounds(rows: Sequence[Row]) -> list[tuple[str, list[Row]]]:
    grouped = groupby(rows, key=lambda row: row.problem.assignment)
    return [(ROUNDS.get(assignment, assignment), list(members)) for assignment, members in grouped]


def _columns(rows: Sequence[Row]) -> list[int]:
    """The numbers of the columns in which something stands."""
    return [number for number in range(len(COLUMNS)) if any(row.texts()[number] for row in rows)]


def rich_table(rows: Sequence[Row]) -> RenderableType:
    """The list for a terminal."""
    from rich.table import Table
    from rich.text import Text

    if not rows:
        return Text("There are no problems in source/ yet.")
    table = Table()
    columns = _columns(rows)
    for name in (COLUMNS[number] for number in columns):
        right = name in {"Minutes", "Points"}
        table.add_column(
            name, justify="right" if right else "left", no_wrap=right or name in {"Problem", "State"}
        )
    for title, members in _rounds(rows):
        table.add_row(Text(title, style="bold"))
        for number, row in enumerate(members, 1):
            texts = list(row.texts())
            state = COLUMNS.index("State")
            texts[state] = texts[state].replace(", ", ",\n")  # a narrow column leaves room for the others
            table.add_row(*(Text(texts[i]) for i in columns), end_section=number == len(members))
    return table


def html_table(rows: Sequence[Row]) -> str:
    """The list for a panel: in each row a button that starts the problem, or opens what is started."""
    left = "style='text-align:left;vertical-align:top'"
    columns = _columns(rows)
    body = []
    for title, members in _rounds(rows):
        body.append(f"<tr><th colspan='{len(columns)}' {left}>{escape(title)}</th></tr>")
        for row in members:
            cells = [escape(row.texts()[number]) for number in columns]
            slug = escape(row.problem.slug)
            word = "Open" if row.path else "Start"
            cells[0] += (
                f"<br><button type='button' data-press='start' data-value='{slug}' "
                f"aria-label='{word} {slug}'>{word}</button>"
            )
            body.append("<tr>" + "".join(f"<td {left}>{cell}</td>" for cell in cells) + "</tr>")
    head = "".join(f"<th {left} scope='col'>{name}</th>" for name in (COLUMNS[i] for i in columns))
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody></table>"


def text_table(rows: Sequence[Row]) -> str:
    """The list as plain lines."""
    lines = []
    for title, members in _rounds(rows):
        lines.append(title)
        for row in members:
            slug, paper, minutes, points, groups, state, _ = row.texts()
            lines.append(f"  {slug}: {paper}; {minutes} minutes, {points} points ({groups}); {state}")
    return "\n".join(lines)
