"""Critiques and decisions that do harm, or are out of form: a verdict with no points, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from fourrounds.examiner.grading import Examiner
from fourrounds.examiner.problem import Problem, load_problem
from fourrounds.examiner.submission import from_sources

SOURCE = Path(__file__).resolve().parents[2] / "source" / "round2_critique" / "low_rank.ipynb"


@pytest.fixture(scope="module")
def problem() -> Problem:
    return load_problem(SOURCE)


@pytest.fixture(scope="module")
def examiner() -> Iterator[Examiner]:
    with Examiner() as made:
        yield made


def sources(problem: Problem, extra: str) -> dict[str, str]:
    return {
        cell.grade_id: re.sub(r".*(?:BEGIN|END) SOLUTION.*\n?", "", cell.source)
        + (f"\n\n\n{extra}" if cell.role == "answer" else "")
        for cell in problem.cells
        if cell.is_answer
    }


@pytest.mark.parametrize(
    ("group", "extra", "kind", "message"),
    [
        ("critique", "def my_critique():\n    return object()", "format", "a value of type object"),
        ("critique", "def my_critique():\n    return None", "format", r"is nothing \(None\)"),
        (
            "critique",
            "def my_critique():\n    x = []\n    for _ in range(100_000):\n        x = [x]\n"
            "    return {'findings': x}",
            "format",
            "must be made with finding",
        ),
        (
            "critique",
            "def my_critique():\n    return {'findings': [{'flaw': 'no_variance', 'at': {'table': '1'}, "
            "'severity': 'major'}] * 201}",
            "format",
            "201 entries",
        ),
        (
            "lab",
            "def my_critique():\n    return {'first': [{'config': {'lr': [0.01] * 60}, "
            "'seeds': list(range(1000))}] * 50}",
            "format",
            "there is no 30",
        ),
        ("lab", "def decide(results):\n    return object()", "format", "a value of type object"),
        (
            "lab",
            "def decide(results):\n    return (Verdict.supported, 0.1, 0.0, 0.2)",
            "format",
            r"decide must return decision\(.*\), and its verdict is a value of type Verdict",
        ),
        ("lab", "def decide(results):\n    return ('supported', 10**400, 0, 1)", "format", "a number"),
        (
            "lab",
            "def decide(results):\n    raise ValueError('no')",
            "crashed",
            "decide raised ValueError: no",
        ),
        ("lab", "def decide(results):\n    import os; os._exit(0)", "crashed", "its process ended"),
    ],
)
def test_what_is_out_of_form_is_told(
    examiner: Examiner, problem: Problem, group: str, extra: str, kind: str, message: str
) -> None:
    report = examiner.grade(problem, from_sources(problem, sources(problem, extra)), seed=1)
    (cell,) = (cell for cell in report.cells if cell.group == group)
    assert (str(cell.kind), cell.points) == (kind, 0.0)
    assert re.search(message, cell.message), cell.message


def test_numbers_that_are_none_hold_nothing(examiner: Examiner, problem: Problem) -> None:
    extra = "def decide(results):\n    return ('supported', float('nan'), -float('inf'), float('inf'))"
    report = examiner.grade(problem, from_sources(problem, sources(problem, extra)), seed=1)
    (cell,) = (cell for cell in report.cells if cell.group == "lab")
    assert (str(cell.kind), cell.points) == ("partial", 0.0)


def test_what_was_written_is_inert_in_the_report_and_short(examiner: Examiner, problem: Problem) -> None:
    extra = (
        "from fourrounds.critique import place\n\n"
        "def my_critique():\n    return critique(findings=[finding(Flaw.no_variance, "
        "place(table='<script>alert(1)</script>'), Severity.minor, "
        "'<img src=x onerror=alert(1)>' * 200)] * 200)"
    )
    report = examiner.grade(problem, from_sources(problem, sources(problem, extra)), seed=1)
    (cell,) = (cell for cell in report.cells if cell.group == "critique")
    assert cell.points == 0.0
    (detail,) = cell.details
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in detail.html
    assert "<script" not in detail.html
    assert "<img" not in detail.html
    assert len(detail.html) < 400_000
