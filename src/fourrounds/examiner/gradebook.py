"""The gradebook's side: a problem's cells are registered on demand, and verdicts become scores.

nbgrader fills its gradebook when an assignment is generated, and refuses to touch an assignment once work was
handed in. Here source/ is what counts: the gradebook follows it, whenever something is graded, and keeps what
people entered by hand.
"""

from __future__ import annotations

import json
from typing import Any

from nbformat.notebooknode import from_dict
from nbgrader.api import Comment, Grade, Gradebook, MissingEntry, SubmittedNotebook
from nbgrader.utils import compute_checksum

from fourrounds.checks import Kind
from fourrounds.examiner.problem import Cell, Problem
from fourrounds.examiner.report import Report
from fourrounds.examiner.submission import Submission, is_untouched


def register(book: Gradebook, problem: Problem) -> None:
    """Make the gradebook hold ``problem`` as its source notebook says, work already handed in included."""
    book.update_or_create_assignment(problem.assignment)
    try:
        notebook = book.find_notebook(problem.slug, problem.assignment)
    except MissingEntry:
        kernelspec = json.dumps(problem.notebook["metadata"].get("kernelspec", {}))
        notebook = book.add_notebook(problem.slug, problem.assignment, kernelspec=kernelspec)
    place = (problem.slug, problem.assignment)
    graded: dict[str, dict[str, Any]] = {}
    answers: dict[str, dict[str, Any]] = {}
    sources: dict[str, dict[str, Any]] = {}
    for cell in problem.cells:
        marks = cell.metadata["nbgrader"]
        if marks.get("grade"):
            graded[cell.grade_id] = {"max_score": cell.points, "cell_type": cell.cell_type}
        if marks.get("solution"):
            answers[cell.grade_id] = {}
        sources[cell.grade_id] = {
            "cell_type": cell.cell_type,
            "locked": not cell.is_answer,
            "source": cell.source,
            "checksum": _checksum(cell),
        }
    for old in [*notebook.grade_cells, *notebook.solution_cells]:
        if old.name not in (graded if old in notebook.grade_cells else answers):
            for row in [
                *book.db.query(Grade).filter(Grade.cell_id == old.id),
                *book.db.query(Comment).filter(Comment.cell_id == old.id),
            ]:
                book.db.delete(row)
            book.db.delete(old)
    for old in notebook.source_cells:
        if old.name not in sources:
            book.db.delete(old)
    book.db.commit()
    for name, values in graded.items():
        book.update_or_create_grade_cell(name, *place, **values)
    for name in answers:
        book.update_or_create_solution_cell(name, *place)
    for name, values in sources.items():
        book.update_or_create_source_cell(name, *place, **values)
    _complete_submissions(book, problem)


def _checksum(cell: Cell) -> str:
    raw = {
        "cell_type": cell.cell_type,
        "source": cell.stub if cell.is_answer else cell.source,
        "metadata": cell.metadata,
    }
    return compute_checksum(from_dict(raw))


def _complete_submissions(book: Gradebook, problem: Problem) -> None:
    """Give work handed in earlier a row for each notebook and cell that has been added since."""
    assignment = book.find_assignment(problem.assignment)
    notebook = book.find_notebook(problem.slug, problem.assignment)
    for handed_in in assignment.submissions:
        mine = [n for n in handed_in.notebooks if n.name == problem.slug]
        entry = mine[0] if mine else SubmittedNotebook(notebook=notebook, assignment=handed_in)
        have_grade = {grade.cell_id for grade in entry.grades}
        have_comment = {comment.cell_id for comment in entry.comments}
        for cell in notebook.grade_cells:
            if cell.id not in have_grade:
                book.db.add(Grade(cell_id=cell.id, notebook=entry))
        for cell in notebook.solution_cells:
            if cell.id not in have_comment:
                book.db.add(Comment(cell_id=cell.id, notebook=entry))
    book.db.commit()


class Scores:
    """One student's scores in one problem."""

    def __init__(self, book: Gradebook, problem: Problem, student: str) -> None:
        self._book = book
        self._problem = problem
        entry = book.find_submission_notebook(problem.slug, problem.assignment, student)
        self._grades = {grade.name: grade for grade in entry.grades}
        self._comments = {comment.name: comment for comment in entry.comments}

    def zero(self) -> None:
        """Write 0 for every autograded cell: what stands if the examiner itself is killed."""
        for cell in self._problem.by_role("hidden", "truth"):
            grade = self._grades[cell.grade_id]
            grade.auto_score = 0.0
            grade.needs_manual_grade = grade.manual_score is not None
        self._book.db.commit()

    def write(self, report: Report, submission: Submission) -> None:
        """Write the verdicts.

        A manual score stays, and a person is asked to look at it again, as nbgrader does.
        """
        for verdict in report.cells:
            grade = self._grades[verdict.grade_id]
            unscored = verdict.kind in {Kind.EXAMINER_FAULT, Kind.MANUAL}
            grade.auto_score = None if unscored else verdict.points
            grade.needs_manual_grade = unscored or grade.manual_score is not None
        for part in submission.parts:
            if part.cell is not None and part.cell.is_answer:
                comment = self._comments[part.cell.grade_id]
                comment.auto_comment = "No response." if is_untouched(part) else None
        self._book.db.commit()


def report_bytes(report: Report) -> bytes:
    """The report as it is kept beside the autograded notebook."""
    body: dict[str, Any] = report.to_dict()
    return (json.dumps(body, indent=1, ensure_ascii=False) + "\n").encode()
