"""The throwaway problem the whole way: nbgrader's own commands in a fresh course, down to the feedback."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest
from classroom import Classroom, Score, answered, worked
from nbgrader.api import Gradebook

from fourrounds.course.canonical import canonical
from fourrounds.examiner.grading import Examiner
from fourrounds.examiner.problem import Problem
from fourrounds.examiner.submission import from_sources, rebuild

pytestmark = pytest.mark.slow
ASSIGNMENT = "round0_throwaway"
WRITTEN = "Because nan is contagious. <script>alert(1)</script>"
AUTOGRADED = ("test-ledger", "test-sampling", "test-refusals", "test-spread", "test-cost")


def notebooks(problem: Problem, released: dict[str, Any]) -> dict[str, dict[str, Any] | str]:
    """What is handed in, by student."""
    texts = {part.name: part.source for part in (*problem.variants, *problem.faults)}

    def with_text(name: str) -> dict[str, Any]:
        return answered(released, worked(problem, texts[name]))

    return {
        "untouched": released,
        "right": answered(released, worked(problem)),
        "wrote": answered(released, worked(problem) | {"why-nan": WRITTEN}),
        "closures": with_text("closures"),
        "accepts-nan": with_text("nan_accepted"),
        "costly": with_text("all_pairs_at_once"),
        "broken": '{"cells": [',
    }


@pytest.fixture(scope="module")
def released(ledger: Problem, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The student version, as stock nbgrader makes it."""
    return Classroom.stock(tmp_path_factory.mktemp("release"), ledger).release()


@pytest.fixture(scope="module")
def course(ledger: Problem, released: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Classroom:
    """A fresh clone, without a gradebook, after one `nbgrader autograde` of everybody."""
    room = Classroom.ours(tmp_path_factory.mktemp("clone"), ledger)
    for student, notebook in notebooks(ledger, released).items():
        room.hand_in(student, notebook)
    done = room.nbgrader("autograde", ASSIGNMENT)
    assert done.returncode == 0, done.stderr
    return room


@pytest.fixture
def graded(ledger: Problem, examiner: Examiner) -> Callable[[str], dict[str, tuple[str, float | None]]]:
    """Grade a fault or variant by name; returns kind and points by grade_id."""

    def grade(name: str) -> dict[str, tuple[str, float | None]]:
        (part,) = (p for p in (*ledger.variants, *ledger.faults) if p.name == name)
        report = examiner.grade(ledger, from_sources(ledger, worked(ledger, part.source)))
        return {cell.grade_id: (str(cell.kind), cell.points) for cell in report.cells}

    return grade


def test_the_source_notebook_is_canonical(ledger: Problem) -> None:
    text = ledger.path.read_text(encoding="utf-8")
    assert canonical(nbformat.read(ledger.path, as_version=4)) == text


def test_each_fault_loses_its_group_alone_and_is_named(ledger: Problem, examiner: Examiner) -> None:
    for fault in ledger.faults:
        report = examiner.grade(ledger, from_sources(ledger, worked(ledger, fault.source)))
        lost = {cell.group for cell in report.cells if cell.grade_id in AUTOGRADED and not cell.points}
        assert lost == {fault.group}, fault.name
        assert report.cell(f"test-{fault.group}").fault == fault.name
        assert report.cell(f"test-{fault.group}").fault_says == fault.says


@pytest.mark.parametrize("name", ["closures", "cumulative_sums", "row_by_row"])
def test_each_variant_gets_full_marks(
    graded: Callable[[str], dict[str, tuple[str, float]]], name: str
) -> None:
    verdicts = graded(name)
    assert {verdicts[grade_id][0] for grade_id in AUTOGRADED} == {"ok"}
    assert sum(verdicts[grade_id][1] for grade_id in AUTOGRADED) == 11


def test_an_answer_that_holds_all_pairs_loses_the_cost_alone_and_is_told_why(
    ledger: Problem, examiner: Examiner
) -> None:
    (fault,) = (f for f in ledger.faults if f.name == "all_pairs_at_once")
    report = examiner.grade(ledger, from_sources(ledger, worked(ledger, fault.source)))
    verdict = report.cell("test-cost")
    assert verdict.kind == "memory"
    assert verdict.message.startswith("spread of 4000 amounts took")
    assert "the limit is 16 MB" in verdict.message
    megabytes = float(verdict.message.split(" MB")[0].split()[-1])
    assert 4000 * 4000 * 8 / 2**20 < megabytes < 3 * 4000 * 4000 * 8 / 2**20
    assert report.score == 9


TWICE_AS_COSTLY = """
def spread(amounts):
    n = len(amounts)
    if n < 2:
        raise ValueError("a spread needs two amounts")
    rows, columns = np.repeat(amounts[:, None], n, axis=1), np.repeat(amounts[None], n, axis=0)
    return float(np.abs(rows - columns).sum() / (n * (n - 1)))
"""


def test_what_costs_more_than_the_known_fault_is_not_named_after_it(
    ledger: Problem, examiner: Examiner
) -> None:
    report = examiner.grade(ledger, from_sources(ledger, worked(ledger, TWICE_AS_COSTLY)))
    verdict = report.cell("test-cost")
    assert (verdict.kind, verdict.fault) == ("memory", None)
    assert report.score == 9


def test_autograde_makes_the_gradebook_and_the_scores(course: Classroom) -> None:
    def total(student: str) -> float:
        return sum(score.auto or 0.0 for score in course.scores(student).values())

    students = ("untouched", "right", "wrote", "closures", "accepts-nan", "costly", "broken")
    assert {s: total(s) for s in students} == {
        "untouched": 0.0,
        "right": 11.0,
        "wrote": 11.0,
        "closures": 11.0,
        "accepts-nan": 9.0,
        "costly": 9.0,
        "broken": 0.0,
    }
    with Gradebook(course.gradebook) as book:
        assert book.find_notebook("ledger", ASSIGNMENT).max_score == 14


def test_the_manual_cell_is_zero_untouched_and_waits_for_a_person_when_written(course: Classroom) -> None:
    assert course.scores("right")["why-nan"] == Score(0.0, None, False)
    assert course.scores("untouched")["why-nan"] == Score(0.0, None, False)
    assert course.scores("broken")["why-nan"] == Score(0.0, None, False)
    assert course.scores("wrote")["why-nan"] == Score(None, None, True)
    others = [score for name, score in course.scores("wrote").items() if name != "why-nan"]
    assert not any(score.needs_a_person for score in others)


def test_the_report_stands_beside_the_notebook(course: Classroom) -> None:
    report = course.report("accepts-nan")
    assert (report["problem"], report["assignment"], report["score"]) == ("ledger", ASSIGNMENT, 9)
    assert report["sandbox"] in {"namespaces", "bubblewrap", "process"}
    cells = {cell["grade_id"]: cell for cell in report["cells"]}
    refusals = cells["test-refusals"]
    assert refusals["kind"] == "wrong value"
    assert refusals["fault"] == "nan_accepted"
    assert refusals["message"] == "deposit(ledger, nan) must raise ValueError, and raised nothing"
    assert (refusals["points"], refusals["max_points"], refusals["group"]) == (0.0, 2.0, "refusals")
    assert refusals["seconds"] >= 0
    assert refusals["seed"] == report["seed"]
    assert [cell["grade_id"] for cell in report["provided"]] == ["provided-tests"]
    assert course.report("broken")["cells"][0]["kind"] == "format"
    assert course.report("wrote")["cells"][-1]["kind"] == "manual"


def test_the_reported_seed_replays_the_verdict(
    course: Classroom, ledger: Problem, examiner: Examiner
) -> None:
    before = course.report("accepts-nan")
    again = examiner.grade(ledger, rebuild(ledger, course.submitted("accepts-nan")), seed=before["seed"])
    for cell in before["cells"]:
        now = again.cell(cell["grade_id"])
        assert (now.kind, now.message, now.fault) == (cell["kind"], cell["message"], cell["fault"])


def test_every_student_gets_a_seed_of_their_own(course: Classroom) -> None:
    seeds = {course.report(student)["seed"] for student in ("right", "wrote", "closures", "costly")}
    assert len(seeds) == 4


def test_a_manual_score_survives_a_regrade(
    course: Classroom, released: dict[str, Any], ledger: Problem
) -> None:
    with Gradebook(course.gradebook) as book:
        entry = book.find_submission_notebook("ledger", ASSIGNMENT, "wrote")
        grades = {grade.name: grade for grade in entry.grades}
        grades["why-nan"].manual_score, grades["why-nan"].needs_manual_grade = 2.5, False
        grades["test-cost"].manual_score, grades["test-cost"].needs_manual_grade = 1.5, False
        book.db.commit()
    # Handed in once more, now with a fault.
    (fault,) = (f for f in ledger.faults if f.name == "nan_accepted")
    sources = worked(ledger, fault.source) | {"why-nan": WRITTEN}
    course.hand_in("wrote", answered(released, sources))
    done = course.nbgrader("autograde", ASSIGNMENT, "--student", "wrote", "--force")
    assert done.returncode == 0, done.stderr
    scores = course.scores("wrote")
    assert scores["why-nan"] == Score(None, 2.5, True)
    assert scores["test-cost"] == Score(2.0, 1.5, True)
    done = course.nbgrader("generate_feedback", ASSIGNMENT, "--student", "wrote")
    assert done.returncode == 0, done.stderr
    page = (course.root / "feedback" / "wrote" / ASSIGNMENT / "ledger.html").read_text(encoding="utf-8")
    assert "<td>2.5 of 3</td><td>A person has graded this.</td>" in page
    assert "<td>1.5 of 2</td><td>A person has graded this.</td>" in page
    assert "<td>0 of 2</td>" in page
    assert scores["test-refusals"] == Score(0.0, None, False)
    with Gradebook(course.gradebook) as book:
        assert book.find_submission_notebook("ledger", ASSIGNMENT, "wrote").score == 3 + 2 + 0 + 2 + 1.5 + 2.5


def test_feedback_shows_the_report_and_no_hidden_test(course: Classroom) -> None:
    done = course.nbgrader("generate_feedback", ASSIGNMENT)
    assert done.returncode == 0, done.stderr

    def page(student: str) -> str:
        path: Path = course.root / "feedback" / student / ASSIGNMENT / "ledger.html"
        return path.read_text(encoding="utf-8")

    wrong = page("accepts-nan")
    assert "<h3>Report</h3>" in wrong
    assert "deposit(ledger, nan) must raise ValueError, and raised nothing" in wrong
    assert "nan passes, since no comparison with nan is true" in wrong
    assert "true_spread" not in wrong
    assert "HIDDEN TESTS" not in wrong
    assert "alert(1)" in page("wrote")
    assert "<script>alert(1)" not in page("wrote")
    assert "no valid JSON" in page("broken")
    assert "the limit is 16 MB" in page("costly")
