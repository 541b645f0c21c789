"""An instructor's way through a class: what nbgrader graded is seen in formgrader and in the feedback."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from served import Course, Lab

from fourrounds.examiner.problem import Fault, Problem, load_problem

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.needs("chromium")]

ASSIGNMENT = "round1_implement"


def hand_in(course: Course, problem: Problem, student: str, *, extra: str | None) -> None:
    """Hand in the solution with ``extra`` code after it; where ``extra`` is None, nothing is answered."""
    release = course.root / "release" / ASSIGNMENT / "attention.ipynb"
    notebook = json.loads(release.read_text(encoding="utf-8"))
    answers = [cell for cell in notebook["cells"] if cell["metadata"].get("nbgrader", {}).get("solution")]
    if extra is not None:
        for cell in answers:
            source = problem.cell(cell["metadata"]["nbgrader"]["grade_id"]).source
            cell["source"] = re.sub(r"\n *### (BEGIN|END) SOLUTION", "", source)
        answers[-1]["source"] += f"\n\n\n{extra}"
    path = course.root / "submitted" / student / ASSIGNMENT / "attention.ipynb"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(notebook), encoding="utf-8")


@pytest.fixture(scope="module")
def problem(course: Course) -> Problem:
    """The problem, after three students' work was graded and their feedback made."""
    problem = load_problem(course.root / "source" / ASSIGNMENT / "attention.ipynb")
    hand_in(course, problem, "ada", extra="")
    hand_in(course, problem, "ben", extra=no_scale(problem).source)
    hand_in(course, problem, "cleo", extra=None)
    course.run("nbgrader", "autograde", ASSIGNMENT)
    course.run("nbgrader", "generate_feedback", ASSIGNMENT)
    return problem


def no_scale(problem: Problem) -> Fault:
    """The fault of ben's answer: the scores are not divided."""
    return next(fault for fault in problem.faults if fault.name == "no_scale")


def report(course: Course, student: str) -> dict[str, Any]:
    path = course.root / "autograded" / student / ASSIGNMENT / "attention.report.json"
    return json.loads(path.read_text(encoding="utf-8"))


def test_formgrader_shows_the_scores(
    course: Course, problem: Problem, lab: Lab, page: Page, shots: Path
) -> None:
    scores = {student: report(course, student)["score"] for student in ("ada", "ben", "cleo")}
    assert scores["ada"] == problem.points
    assert 0 < scores["ben"] < problem.points
    assert scores["cleo"] == 0

    page.goto(f"{lab.base}/formgrader?token={lab.token}")
    row = page.get_by_role("row", name=ASSIGNMENT)
    expect(row).to_be_visible()
    page.screenshot(path=shots / "formgrader_assignments.png")
    expect(row.locator(".num-submissions")).to_have_text("3")

    page.goto(f"{lab.base}/formgrader/gradebook/{ASSIGNMENT}/attention")
    rows = page.locator("tbody tr")
    expect(rows).to_have_count(len(scores))
    for score in scores.values():
        expect(rows.filter(has_text=f"{score:g} / {problem.points:g}").first).to_be_visible()
    page.screenshot(path=shots / "formgrader_submissions.png")

    # The page of the answer without the scale: each group with its points, and what was found.
    rows.filter(has_text=f"{scores['ben']:g} / {problem.points:g}").get_by_role("link").click()
    verdicts = {cell["grade_id"]: cell for cell in report(course, "ben")["cells"]}
    for cell in problem.by_role("hidden"):
        points = verdicts[cell.grade_id]["points"]
        expect(page.locator(f"#{cell.grade_id}.score")).to_have_attribute("placeholder", f"{points:g}")
    expect(page.get_by_text(no_scale(problem).says).first).to_be_visible()
    page.get_by_text(no_scale(problem).says).first.scroll_into_view_if_needed()
    page.screenshot(path=shots / "formgrader_submission.png")


def test_the_feedback_page_shows_the_report(
    course: Course, problem: Problem, page: Page, shots: Path
) -> None:
    page.goto((course.root / "feedback" / "ben" / ASSIGNMENT / "attention.html").as_uri())
    page.screenshot(path=shots / "feedback.png")
    score = report(course, "ben")["score"]
    expect(page.get_by_text(f"Score: {score:.1f} / {problem.points:.1f}")).to_be_visible()
    row = page.get_by_role("row", name=no_scale(problem).group).filter(has_text=no_scale(problem).says)
    expect(row).to_be_visible()
    assert "HIDDEN TESTS" not in page.content()
