"""A source notebook of the smallest kind, made in code: a test changes the one cell that it is about."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from fourrounds.examiner.problem import Problem, load_problem

TEXT = {"front", "method", "contract", "text"}
SOLUTION = "### BEGIN SOLUTION\n{}\n### END SOLUTION"
HIDDEN = "### BEGIN HIDDEN TESTS\n{}\n### END HIDDEN TESTS"


def cell(
    role: str,
    source: str,
    grade_id: str,
    points: float | None = None,
    *,
    solution: bool = False,
    cell_type: str | None = None,
    **mine: Any,
) -> dict[str, Any]:
    """A released cell; ``points`` makes it a graded one."""
    marks: dict[str, Any] = {
        "grade": points is not None,
        "grade_id": grade_id,
        "locked": not solution,
        "schema_version": 3,
        "solution": solution,
        "task": False,
    }
    if points is not None:
        marks["points"] = points
    return {
        "cell_type": cell_type or ("markdown" if role in TEXT else "code"),
        "id": grade_id,
        "metadata": {"fourrounds": {"role": role, **mine}, "nbgrader": marks},
        "source": source,
    }


def answer(source: str, grade_id: str = "answer") -> dict[str, Any]:
    return cell("answer", SOLUTION.format(source), grade_id, solution=True)


def hidden(source: str, group: str = "values", points: float = 2) -> dict[str, Any]:
    return cell("hidden", HIDDEN.format(source), f"test-{group}", points, group=group)


def manual(text: str = "So.", grade_id: str = "why", points: float = 3, **how: Any) -> dict[str, Any]:
    """A written answer with the model text ``text``; its rubric has a question for each point."""
    asked = "".join(f"{number}. Is it said, in part {number}?\n" for number in range(1, int(points) + 1))
    if how.get("cell_type") == "code":
        asked = "".join(f"# {line}\n" for line in asked.splitlines())
    source = f"{asked}\n{SOLUTION.format(text)}"
    return cell("manual", source, grade_id, points, solution=True, **{"cell_type": "markdown", **how})


def sample(kind: str, verdicts: str, of: str = "why", text: str = "It depends.") -> dict[str, Any]:
    """A sample answer; ``verdicts`` has a y or an n for each question."""
    listed = "\n".join(
        f"{number}. {'Yes' if said == 'y' else 'No'}: that is why {number}."
        for number, said in enumerate(verdicts, 1)
    )
    answer = f"{text}\n\n" if kind == "weak" else ""
    source = f"{answer}#### Commentary\n\nIt hedges.\n\n#### Question by question\n\n{listed}"
    return author("sample", source, of=of, kind=kind) | {"cell_type": "markdown", "id": f"sample-{kind}"}


def fault(source: str, name: str = "plus", group: str = "values", **mine: Any) -> dict[str, Any]:
    about = {"name": name, "group": group, "says": "it adds", "see": "Try 3.", "ask": "Why?", **mine}
    return author("fault", source, **about)


def variant(source: str, name: str = "shifted") -> dict[str, Any]:
    return author("variant", source, name=name, says="by a shift")


def author(role: str, source: str, **mine: Any) -> dict[str, Any]:
    """A cell that stays in source/."""
    return {
        "cell_type": "code",
        "id": f"{role}-{mine.get('name', '')}",
        "metadata": {"fourrounds": {"role": role, **mine}},
        "source": HIDDEN.format(source),
    }


def notebook(*cells: dict[str, Any], front: str = "", **about: Any) -> dict[str, Any]:
    """A source notebook around ``cells``, with front matter and set-up; ``about`` changes its metadata."""
    points = sum(c["metadata"].get("nbgrader", {}).get("points", 0) for c in cells)
    front = front or f"# Twice\n\n5 minutes, {points:g} points"
    metadata = {"title": "Twice", "minutes": 5, "contract": ["double"], "paper": {}, **about}
    setup = cell("setup", "import numpy as np\nfrom fourrounds import checks", "setup")
    return {
        "cells": [cell("front", front, "front"), setup, *cells],
        "metadata": {"fourrounds": metadata, "kernelspec": {"name": "python3", "display_name": "Python 3"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }


DOUBLE = "def double(x):\n    return 2 * x"
TEST = "x = checks.rng().normal(size=3)\nchecks.equal(checks.call(double, x), 2 * x)"


def twice(test: str = TEST, *more: dict[str, Any], **about: Any) -> dict[str, Any]:
    """The problem ``double``, with ``test`` as its only hidden test."""
    return notebook(answer(DOUBLE), hidden(test), *more, **about)


def load(folder: Path, made: dict[str, Any], slug: str = "twice") -> Problem:
    """``made`` written to ``folder`` as a source notebook, and read."""
    path = folder / "source" / "round1_implement" / f"{slug}.ipynb"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(made), encoding="utf-8")
    return load_problem(path)
