"""The table of what fails what: for a page and for a terminal."""

from __future__ import annotations

from dataclasses import dataclass

from rich.console import Group
from rich.table import Table
from rich.text import Text


@dataclass(frozen=True)
class Row:
    """One answer: the groups that it lost with any seed, and whether its own group's verdict names it."""

    name: str
    role: str
    group: str | None
    lost: frozenset[str]
    named: bool
    stopped_by_provided: bool


@dataclass(frozen=True)
class Matrix:
    """The groups of a problem, and a row for its solution, each variant and each fault."""

    groups: tuple[str, ...]
    rows: tuple[Row, ...]

    @property
    def faults(self) -> list[Row]:
        return [row for row in self.rows if row.role == "fault"]

    @property
    def right(self) -> list[Row]:
        return [row for row in self.rows if row.role != "fault"]

    def summary(self) -> list[str]:
        """In words: what the provided tests alone stop, and which right answers get full marks."""
        stopped = sum(row.stopped_by_provided for row in self.faults)
        full = [row.name for row in self.right if not row.lost]
        return [
            f"The provided tests alone stop {stopped} of {len(self.faults)} faults.",
            f"Full marks: {', '.join(full) or 'nothing'}.",
        ]

    def markdown(self) -> str:
        lines = [
            "| fault | its group | " + " | ".join(self.groups) + " | provided tests |",
            "|:--|:--|" + ":-:|" * (len(self.groups) + 1),
        ]
        for row in self.faults:
            marks = [_mark(group in row.lost) for group in self.groups]
            marks.append(_mark(row.stopped_by_provided))
            lines.append(f"| `{row.name}` | {row.group} | " + " | ".join(marks) + " |")
        return "\n\n".join(["\n".join(lines), *self.summary()])

    def __rich__(self) -> Group:
        """For ``rich.console.Console.print``."""
        table = Table(show_edge=False, pad_edge=False)
        table.add_column("fault", no_wrap=True)
        for group in self.groups:
            table.add_column(group, justify="center")
        table.add_column("named", justify="center")
        table.add_column("provided tests", justify="center")
        for row in self.faults:
            marks = []
            for group in self.groups:
                style = "bold" if group == row.group else "dim"
                marks.append(Text(_mark(group in row.lost), style=style))
            marks.append(Text("yes", style="green") if row.named else Text("no", style="red"))
            marks.append(Text(_mark(row.stopped_by_provided), style="dim"))
            table.add_row(row.name, *marks)
        return Group(table, Text(), *(Text(line) for line in self.summary()))


def _mark(failed: bool) -> str:
    return "✗" if failed else "·"
