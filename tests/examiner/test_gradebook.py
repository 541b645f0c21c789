"""The gradebook follows the source, whenever something is graded, and keeps what people entered."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import toy
from nbgrader.api import Gradebook, MissingEntry

from fourrounds.checks import Kind
from fourrounds.examiner.gradebook import Scores, register, report_bytes
from fourrounds.examiner.problem import Problem
from fourrounds.examiner.report import CellReport, Report
from fourrounds.examiner.submission import Submission, empty, from_sources

TEST = toy.hidden(toy.TEST)
ANSWER = toy.answer(toy.DOUBLE)
WHY = toy.manual()
PLACE = ("twice", "round1_implement")


@pytest.fixture
def book(tmp_path: Path, empty_gradebook: Path) -> Iterator[Gradebook]:
    shutil.copy(empty_gradebook, tmp_path)
    with Gradebook(f"sqlite:///{tmp_path / 'gradebook.db'}") as made:
        yield made


def problem(folder: Path, *cells: dict[str, Any]) -> Problem:
    return toy.load(folder, toy.notebook(*cells))


def hand_in(book: Gradebook, student: str = "ada") -> None:
    """What nbgrader's autograde does before it converts a notebook."""
    book.update_or_create_student(student)
    book.update_or_create_submission("round1_implement", student)


def rows(book: Gradebook, student: str = "ada") -> dict[str, tuple[float | None, float | None, bool]]:
    entry = book.find_submission_notebook(*PLACE, student)
    return {g.name: (g.auto_score, g.manual_score, g.needs_manual_grade) for g in entry.grades}


def report(problem: Problem, **kinds: tuple[Kind, float | None]) -> Report:
    made = Report(problem.slug, problem.assignment, 1, "process")
    for cell in problem.by_role("hidden", "manual"):
        name = cell.group or cell.grade_id
        kind, points = kinds[name]
        made.cells.append(CellReport(cell.grade_id, cell.group or "manual", kind, points, cell.points))
    return made


def test_a_fresh_gradebook_is_filled(book: Gradebook, tmp_path: Path) -> None:
    truth = toy.cell("truth", toy.HIDDEN.format("import math"), "truth", 0)
    made = problem(tmp_path, ANSWER, truth, TEST, WHY)
    register(book, made)
    notebook = book.find_notebook(*PLACE)
    assert {c.name: (c.max_score, c.cell_type) for c in notebook.grade_cells} == {
        "truth": (0, "code"),
        "test-values": (2, "code"),
        "why": (3, "markdown"),
    }
    assert {c.name for c in notebook.solution_cells} == {"answer", "why"}
    locked = {c.name: c.locked for c in notebook.source_cells}
    assert locked == {
        "front": True,
        "setup": True,
        "answer": False,
        "truth": True,
        "test-values": True,
        "why": False,
    }
    assert {c.name: c.source for c in notebook.source_cells}["test-values"] == made.cell("test-values").source
    assert notebook.max_score == 5


def test_registering_twice_changes_nothing(book: Gradebook, tmp_path: Path) -> None:
    made = problem(tmp_path, ANSWER, TEST, WHY)
    register(book, made)
    hand_in(book)
    before = [(c.id, c.name) for c in book.find_notebook(*PLACE).grade_cells], rows(book)
    register(book, made)
    assert ([(c.id, c.name) for c in book.find_notebook(*PLACE).grade_cells], rows(book)) == before


def test_a_cell_that_is_added_after_work_came_in_gets_a_row_for_everybody(
    book: Gradebook, tmp_path: Path
) -> None:
    register(book, problem(tmp_path, ANSWER, WHY))
    hand_in(book, "ada")
    hand_in(book, "bob")
    second = toy.answer("half = 0.5", "second")
    register(book, problem(tmp_path, ANSWER, TEST, WHY, second))
    for student in ("ada", "bob"):
        assert set(rows(book, student)) == {"test-values", "why"}
        entry = book.find_submission_notebook(*PLACE, student)
        assert {comment.name for comment in entry.comments} == {"answer", "why", "second"}


def test_a_cell_that_is_taken_out_takes_its_rows_with_it(book: Gradebook, tmp_path: Path) -> None:
    register(book, problem(tmp_path, ANSWER, TEST, WHY, toy.hidden("1", "edges")))
    hand_in(book)
    entry = book.find_submission_notebook(*PLACE, "ada")
    for grade in entry.grades:
        grade.manual_score = 1.0
    for comment in entry.comments:
        comment.manual_comment = "good"
    book.db.commit()
    register(book, problem(tmp_path, toy.answer(toy.DOUBLE, "other"), TEST, WHY))
    assert set(rows(book)) == {"test-values", "why"}
    entry = book.find_submission_notebook(*PLACE, "ada")
    assert {c.name: c.manual_comment for c in entry.comments} == {"other": None, "why": "good"}
    assert {c.name for c in book.find_notebook(*PLACE).source_cells} == {
        "front",
        "setup",
        "other",
        "test-values",
        "why",
    }
    with pytest.raises(MissingEntry):
        book.find_grade_cell("test-edges", *PLACE)


def test_new_points_and_another_kind_of_cell_are_taken_over(book: Gradebook, tmp_path: Path) -> None:
    register(book, problem(tmp_path, ANSWER, TEST, WHY))
    hand_in(book)
    entry = book.find_submission_notebook(*PLACE, "ada")
    entry.grades[0].manual_score = 1.0
    book.db.commit()
    code = toy.manual("1", points=4, cell_type="code")
    register(book, problem(tmp_path, ANSWER, toy.hidden(toy.TEST, points=7), code))
    cells = {c.name: (c.max_score, c.cell_type) for c in book.find_notebook(*PLACE).grade_cells}
    assert cells == {"test-values": (7, "code"), "why": (4, "code")}
    assert 1.0 in {manual for _, manual, _ in rows(book).values()}


def test_an_answer_that_becomes_a_graded_one_keeps_its_comments(book: Gradebook, tmp_path: Path) -> None:
    register(book, problem(tmp_path, ANSWER, toy.answer("1", "why"), TEST))
    hand_in(book)
    register(book, problem(tmp_path, ANSWER, WHY, TEST))
    assert set(rows(book)) == {"test-values", "why"}
    register(book, problem(tmp_path, ANSWER, toy.answer("1", "why"), TEST))
    assert set(rows(book)) == {"test-values"}
    entry = book.find_submission_notebook(*PLACE, "ada")
    assert {comment.name for comment in entry.comments} == {"answer", "why"}


def test_a_problem_that_is_added_after_work_came_in(book: Gradebook, tmp_path: Path) -> None:
    register(book, problem(tmp_path, ANSWER, TEST))
    hand_in(book)
    register(book, toy.load(tmp_path, toy.twice(), "half"))
    entry = book.find_submission_notebook("half", "round1_implement", "ada")
    assert [grade.name for grade in entry.grades] == ["test-values"]
    assert len(book.find_submission("round1_implement", "ada").notebooks) == 2


def test_scores_are_zero_first_and_then_what_the_report_says(book: Gradebook, tmp_path: Path) -> None:
    truth = toy.cell("truth", toy.HIDDEN.format("import math"), "truth", 0)
    made = problem(tmp_path, ANSWER, truth, TEST, toy.hidden("1", "edges"), WHY)
    register(book, made)
    hand_in(book)
    scores = Scores(book, made, "ada")
    scores.zero()
    assert rows(book) == {
        "truth": (0.0, None, False),
        "test-values": (0.0, None, False),
        "test-edges": (0.0, None, False),
        "why": (None, None, True),
    }
    submission = from_sources(made, {"answer": toy.DOUBLE, "why": "Because."})
    verdicts = report(made, values=(Kind.OK, 2.0), edges=(Kind.EXAMINER_FAULT, None), why=(Kind.MANUAL, None))
    scores.write(verdicts, submission)
    assert rows(book) == {
        "truth": (0.0, None, False),
        "test-values": (2.0, None, False),
        "test-edges": (None, None, True),
        "why": (None, None, True),
    }


def test_a_manual_score_stays_and_is_looked_at_again(book: Gradebook, tmp_path: Path) -> None:
    made = problem(tmp_path, ANSWER, TEST, WHY)
    register(book, made)
    hand_in(book)
    for grade in book.find_submission_notebook(*PLACE, "ada").grades:
        grade.manual_score = 1.5
    book.db.commit()
    register(book, made)
    scores = Scores(book, made, "ada")
    scores.zero()
    assert rows(book)["test-values"] == (0.0, 1.5, True)
    verdicts = report(made, values=(Kind.OK, 2.0), why=(Kind.NOT_ATTEMPTED, 0.0))
    scores.write(verdicts, from_sources(made, {"answer": toy.DOUBLE}))
    assert rows(book) == {"test-values": (2.0, 1.5, True), "why": (0.0, 1.5, True)}
    assert book.find_submission_notebook(*PLACE, "ada").score == 3.0


def test_no_response_is_noted_as_nbgrader_does(book: Gradebook, tmp_path: Path) -> None:
    made = problem(tmp_path, ANSWER, TEST, WHY)
    register(book, made)
    hand_in(book)

    def comments(submission: Submission) -> dict[str, str | None]:
        verdicts = report(made, values=(Kind.OK, 2.0), why=(Kind.NOT_ATTEMPTED, 0.0))
        Scores(book, made, "ada").write(verdicts, submission)
        entry = book.find_submission_notebook(*PLACE, "ada")
        return {comment.name: comment.auto_comment for comment in entry.comments}

    assert comments(empty(made)) == {"answer": "No response.", "why": "No response."}
    assert comments(from_sources(made, {"answer": toy.DOUBLE})) == {"answer": None, "why": "No response."}


def test_a_report_is_kept_as_utf8(tmp_path: Path) -> None:
    made = Report("twice", "round1_implement", 1, "process", notes=["größer als ∞"])
    text = report_bytes(made).decode()
    assert "größer als ∞" in text
    assert text.endswith("}\n")
