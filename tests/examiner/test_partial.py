"""A test cell that gives a part of its points, and shows why."""

from __future__ import annotations

from pathlib import Path

import pytest
from toy import answer, hidden, load, notebook

from fourrounds.checks import Kind
from fourrounds.desk.report import html_report, text_report
from fourrounds.examiner.grading import Examiner
from fourrounds.examiner.plugins import report_html
from fourrounds.examiner.problem import Problem, ProblemError, load_problem
from fourrounds.examiner.report import CellReport
from fourrounds.examiner.submission import from_sources

TEST = """
class Told(str):
    def _repr_html_(self):
        return f"<b>{self}</b>"

share = double(0.5)
if share < 0:
    class Misfiled(ValueError):
        verdict = "format"
    raise Misfiled("a share is not negative")
display(Told(f"a share of {share:g}"))
"""


def partial(tmp_path: Path, test: str) -> Problem:
    cell = hidden(test)
    cell["metadata"]["fourrounds"]["partial"] = True
    body = answer("def double(x):\n    return 2 * x")
    return load(tmp_path, notebook(body, cell))


def graded(examiner: Examiner, problem: Problem, value: str) -> CellReport:
    text = f"def double(x):\n    return {value}"
    return examiner.grade(problem, from_sources(problem, {"answer": text}), seed=1).cells[0]


@pytest.mark.parametrize(
    ("value", "points", "kind"),
    [("1.0", 2.0, Kind.OK), ("0.25", 0.5, Kind.PARTIAL), ("0.0", 0.0, Kind.PARTIAL)],
)
def test_a_share_is_a_share_of_the_points(
    examiner: Examiner, tmp_path: Path, value: str, points: float, kind: Kind
) -> None:
    cell = graded(examiner, partial(tmp_path, TEST + "2 * share"), value)
    assert (cell.points, cell.kind) == (points, kind), cell.message
    assert [(one.text, one.html) for one in cell.details] == [
        (f"a share of {float(value):g}", f"<b>a share of {float(value):g}</b>")
    ]


def test_an_error_that_names_its_verdict_is_told_as_that(examiner: Examiner, tmp_path: Path) -> None:
    cell = graded(examiner, partial(tmp_path, TEST + "2 * share"), "-1.0")
    assert (cell.points, cell.kind, cell.message) == (0.0, Kind.FORMAT, "a share is not negative")


@pytest.mark.parametrize("value", ["3.0", "float('nan')", "-0.5", "'2'", "True"])
def test_points_that_cannot_be_are_the_examiners_fault(
    examiner: Examiner, tmp_path: Path, value: str
) -> None:
    cell = graded(examiner, partial(tmp_path, f"double(1)\n{value}"), "2")
    assert (cell.points, cell.kind) == (None, Kind.EXAMINER_FAULT)


def test_a_cell_without_a_last_expression_is_refused(examiner: Examiner, tmp_path: Path) -> None:
    cell = graded(examiner, partial(tmp_path, "points = double(1)"), "2")
    assert cell.kind is Kind.EXAMINER_FAULT
    assert "must end with an expression" in cell.message


def test_a_cell_that_is_not_partial_gives_all_or_nothing(examiner: Examiner, tmp_path: Path) -> None:
    problem = load(tmp_path, notebook(answer("def double(x):\n    return 2 * x"), hidden("double(1)\n0.5")))
    cell = graded(examiner, problem, "2")
    assert (cell.points, cell.kind) == (2.0, Kind.OK)


def test_only_a_graded_test_can_be_partial(tmp_path: Path) -> None:
    cell = answer("def double(x):\n    return 2 * x")
    cell["metadata"]["fourrounds"]["partial"] = True
    with pytest.raises(ProblemError, match="only a hidden cell"):
        load(tmp_path, notebook(cell, hidden("double(1)")))


def test_what_a_cell_shows_stands_in_every_report(examiner: Examiner, tmp_path: Path) -> None:
    problem = partial(tmp_path, TEST + "2 * share")
    report = examiner.grade(
        problem, from_sources(problem, {"answer": "def double(x):\n    return 0.25"}), seed=1
    ).to_dict()
    assert "◐ partial" in html_report(report, [])
    assert "<b>a share of 0.25</b>" in html_report(report, [])
    assert "\na share of 0.25\n" in text_report(report, [])
    assert "<b>a share of 0.25</b>" in report_html(report)
    assert load_problem(problem.path).cell("test-values").partial
