"""The examiner's record of one submission: a verdict for each test cell, and what led to it."""

from __future__ import annotations

from dataclasses import dataclass, field
from html import escape
from typing import Any

from fourrounds.checks import Kind


@dataclass
class Call:
    """One call of a test cell into an answer: what crossed, and what came back.

    ``error`` says in words why there is no result, if there is none; ``raised`` is the exception's name if it
    raised one. ``cost`` is the peak memory in bytes and the processor time in seconds, where it was measured.
    """

    function: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    result: Any = None
    error: str | None = None
    raised: str | None = None
    after: tuple[Any, ...] = ()
    cost: tuple[int, float] | None = None


def told(error: dict[str, Any]) -> str:
    """An exception of an answer's, in words: its name and its message."""
    return f"{error['name']}: {error['message']}"


COSTS = {Kind.MEMORY, Kind.TIMEOUT}
"""The verdicts on what an answer takes, not on what it gives."""


def known_fault(kind: str) -> str:
    """The words that bring up a named fault under a verdict of this kind."""
    return "A known fault costs as much" if kind in COSTS else "A known fault gives the same output"


@dataclass(frozen=True)
class Detail:
    """Something that a test cell shows of its verdict: as text, and as HTML that the cell answers for."""

    text: str
    html: str

    @classmethod
    def of(cls, shown: Any) -> Detail:
        """What an object shows of itself in a notebook."""
        text = str(shown)
        markup = getattr(shown, "_repr_html_", None)
        return cls(text, markup() if markup is not None else f"<pre>{escape(text)}</pre>")


@dataclass
class CellReport:
    """The verdict on one test cell.

    ``seconds`` is wall time; ``fault`` the name of the fault with the same output, or the same cost.
    ``details`` is what the cell displayed.
    """

    grade_id: str
    group: str
    kind: Kind
    points: float | None
    max_points: float
    message: str = ""
    fault: str | None = None
    fault_says: str | None = None
    seed: int = 0
    seconds: float = 0.0
    details: list[Detail] = field(default_factory=list, repr=False)
    calls: list[Call] = field(default_factory=list, repr=False)

    def to_dict(self) -> dict[str, Any]:
        return {
            "grade_id": self.grade_id,
            "group": self.group,
            "kind": str(self.kind),
            "points": self.points,
            "max_points": self.max_points,
            "message": self.message,
            "fault": self.fault,
            "fault_says": self.fault_says,
            "seed": self.seed,
            "seconds": round(self.seconds, 4),
            "details": [{"text": one.text, "html": one.html} for one in self.details],
        }


@dataclass
class Report:
    """The verdicts on one submission. ``points`` of a manually graded cell are None until a person grades it.

    A cell with the kind ``examiner fault`` is not scored: it counts neither in ``score`` nor in
    ``max_score``.
    """

    problem: str
    assignment: str
    seed: int
    sandbox: str
    seconds: float = 0.0
    cells: list[CellReport] = field(default_factory=list)
    provided: list[CellReport] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    printed: dict[int, str] = field(default_factory=dict, repr=False)
    source_sha256: str = ""

    @property
    def score(self) -> float:
        return sum(c.points or 0.0 for c in self.cells)

    @property
    def max_score(self) -> float:
        return sum(c.max_points for c in self.cells if c.kind is not Kind.EXAMINER_FAULT)

    def cell(self, grade_id: str) -> CellReport:
        """The verdict on this test cell; ``KeyError`` if there is none."""
        for cell in (*self.cells, *self.provided):
            if cell.grade_id == grade_id:
                return cell
        raise KeyError(grade_id)

    def to_dict(self) -> dict[str, Any]:
        """As JSON: what is kept beside the autograded notebook."""
        return {
            "problem": self.problem,
            "assignment": self.assignment,
            "score": self.score,
            "max_score": self.max_score,
            "sandbox": self.sandbox,
            "seed": self.seed,
            "seconds": round(self.seconds, 3),
            "source_sha256": self.source_sha256,
            "notes": self.notes,
            "cells": [c.to_dict() for c in self.cells],
            "provided": [c.to_dict() for c in self.provided],
        }
