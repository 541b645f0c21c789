"""An instructor reads a written critique in formgrader, gives it points and a comment, and both stay."""

import json
import re

import pytest
from nbgrader.api import Gradebook
from playwright.sync_api import Page, expect
from served import Course, Lab

from fourrounds.examiner.problem import load_problem

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.needs("chromium")]

ASSIGNMENT = "round2_critique"
SLUG = "low_rank"
CELL = "written-critique"
WORDS = "The claim falls if full fine-tuning does as well <b>once</b> it is searched."


def hand_in(course: Course, student: str) -> None:
    """Hand in a written critique that has replaced the whole cell, its questions included."""
    notebook = json.loads(
        (course.root / "release" / ASSIGNMENT / f"{SLUG}.ipynb").read_text(encoding="utf-8")
    )
    (cell,) = (c for c in notebook["cells"] if c["metadata"].get("nbgrader", {}).get("grade_id") == CELL)
    cell["source"] = WORDS
    path = course.root / "submitted" / student / ASSIGNMENT / f"{SLUG}.ipynb"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(notebook), encoding="utf-8")


def kept(course: Course) -> tuple[float | None, bool, str | None]:
    """What the gradebook holds of the written critique: points, whether a person is asked, the comment."""
    with Gradebook(f"sqlite:///{course.root / 'gradebook.db'}") as book:
        entry = book.find_submission_notebook(SLUG, ASSIGNMENT, "ada")
        (grade,) = (one for one in entry.grades if one.name == CELL)
        (comment,) = (one for one in entry.comments if one.name == CELL)
        return grade.manual_score, grade.needs_manual_grade, comment.manual_comment


def test_a_written_critique_is_graded_and_stays_graded(
    course: Course, lab: Lab, page: Page, shots: object
) -> None:
    problem = load_problem(course.root / "source" / ASSIGNMENT / f"{SLUG}.ipynb")
    hand_in(course, "ada")
    course.run("nbgrader", "autograde", ASSIGNMENT, "--notebook", SLUG)
    assert kept(course) == (None, True, None)

    page.goto(f"{lab.base}/formgrader?token={lab.token}")
    page.goto(f"{lab.base}/formgrader/gradebook/{ASSIGNMENT}/{SLUG}")
    page.locator("tbody tr").get_by_role("link").first.click()

    # The words as text, and above them the questions as the course asks them.
    expect(page.get_by_text("once it is searched")).to_have_count(0)
    expect(page.get_by_text(re.compile("does as well < b>once"))).to_be_visible()
    questions = page.locator("ol").filter(has_text=problem.cell(CELL).questions[0].text).last
    expect(questions.get_by_role("listitem")).to_have_count(len(problem.cell(CELL).questions))
    questions.scroll_into_view_if_needed()

    score = page.locator(f"#{CELL}.score")
    expect(score).to_have_class(re.compile("needs_manual_grade"))
    with page.expect_response(lambda answer: "/api/grade/" in answer.url and answer.request.method == "PUT"):
        score.fill("3")
        score.press("Tab")
    with page.expect_response(
        lambda answer: "/api/comment/" in answer.url and answer.request.method == "PUT"
    ):
        page.locator(f"#{CELL}-comment").fill("No size, and no number that would turn it.")
        page.locator(f"#{CELL}-comment").press("Tab")
    expect(score).not_to_have_class(re.compile("needs_manual_grade"))
    page.screenshot(path=f"{shots}/formgrader_written.png")
    assert kept(course) == (3.0, False, "No size, and no number that would turn it.")

    course.run("nbgrader", "autograde", ASSIGNMENT, "--notebook", SLUG, "--force")
    assert kept(course) == (3.0, True, "No size, and no number that would turn it.")
    page.reload()
    expect(page.locator(f"#{CELL}.score")).to_have_value("3")
    expect(page.locator(f"#{CELL}-comment")).to_have_value("No size, and no number that would turn it.")
    course.run("nbgrader", "generate_feedback", ASSIGNMENT, "--notebook", SLUG)
    page.goto((course.root / "feedback" / "ada" / ASSIGNMENT / f"{SLUG}.html").as_uri())
    expect(page.get_by_text("No size, and no number that would turn it.")).to_be_visible()
    graded = page.get_by_role("row", name="manual").filter(has_text="A person has graded this.")
    expect(graded).to_contain_text("3 of 5")
    page.get_by_text("No size, and no number that would turn it.").scroll_into_view_if_needed()
    page.screenshot(path=f"{shots}/feedback_written.png")
