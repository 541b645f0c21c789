"""A learner's way through a problem, in the browser: start, fail, mend, pass, be graded."""

from pathlib import Path

import pytest
from driving import Notebook, answer, errors, leaves, printed
from playwright.sync_api import Page, expect
from served import Course, Lab

from fourrounds.desk.attempts import Attempts
from fourrounds.desk.store import Store
from fourrounds.examiner.problem import load_problem

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.needs("chromium")]

# It forgets to divide by the sum of the weights.
WRONG = """\
def attention(q, k, v, mask=None):
    scores = q @ np.swapaxes(k, -1, -2) / math.sqrt(q.shape[-1])
    return np.exp(scores) @ v"""


def test_a_learner_works_the_problem_and_is_graded(course: Course, lab: Lab, page: Page, shots: Path) -> None:
    strangers: list[str] = []
    page.on("request", lambda request: strangers.append(request.url) if leaves(request.url, lab) else None)
    problem = load_problem(course.root / "source" / "round1_implement" / "attention.ipynb")

    # The start page makes the learner's copy and opens it.
    page.goto(lab.url)
    start = Notebook(page, course.root / "notebooks" / "00_start_here.ipynb")
    start.ready()
    start.run("problems", "today")
    expect(start.cell("problems")).to_contain_text(problem.title)
    page.screenshot(path=shots / "start_page.png")
    start.cell("problems").get_by_role("button", name="Start attention").click()
    expect(page.get_by_role("tab", name="attention.ipynb")).to_be_visible()
    path = course.root / "submitted" / course.learner / "round1_implement" / "attention.ipynb"

    # A wrong answer: the provided test says what is wrong, and with which input.
    work = Notebook(page, path)
    expect(work.cell("attention-front")).to_contain_text("Round 1")
    work.ready()
    work.write("attention-answer", WRONG)
    work.run("attention-setup", "attention-answer", "provided-tests")
    work.cell("provided-tests").scroll_into_view_if_needed()
    page.screenshot(path=shots / "wrong_answer.png")
    (said,) = errors(work.saved())
    assert said.startswith("provided-tests: CheckFailed: ")
    assert "is wrong: yours is" in said

    # The solution, both parts: the provided tests pass, and nothing in the notebook shows an error.
    tests = [cell.grade_id for cell in problem.by_role("provided")]
    for name, test in zip(("attention-answer", "multi-head-answer"), tests, strict=True):
        work.write(name, answer(problem, name))
        work.run(name, test)
    work.run("attention-picture")
    cells = work.saved()
    assert errors(cells) == []
    for name in tests:
        assert "the provided tests pass" in printed(cells[name])
    assert any("image/png" in output.get("data", {}) for output in cells["attention-picture"]["outputs"])
    page.set_viewport_size({"width": 1280, "height": 1540})
    work.cell(tests[-1]).evaluate("cell => cell.scrollIntoView({block: 'start'})")
    page.screenshot(path=shots / "attention_in_lab.png")

    # The verdict, from the last cell.
    work.run("desk-submit")
    work.cell("desk-submit").get_by_role("button", name="Submit").click()
    expect(work.cell("desk-submit")).to_contain_text(
        f"{problem.points:g} of {problem.points:g} points", timeout=120_000
    )
    (attempt,) = Attempts(Store(course.root / ".fourrounds" / "attempts.sqlite")).of(course.learner)
    assert attempt.score == problem.points

    # The list, the clock and the button are drawn without anything from elsewhere.
    assert strangers == []
