"""A learner's way through a problem, in the browser: start, fail, mend, pass, be graded."""

import json
import re
import time
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect
from served import Course, Lab

from fourrounds.examiner.problem import Problem, load_problem

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.needs("chromium")]

# It forgets to divide by the sum of the weights.
WRONG = """\
def attention(q, k, v, mask=None):
    scores = q @ np.swapaxes(k, -1, -2) / math.sqrt(q.shape[-1])
    return np.exp(scores) @ v"""


class Notebook:
    """An open notebook: its file on disk, and its tab in JupyterLab. Cells go by their grade_id."""

    def __init__(self, page: Page, path: Path) -> None:
        self.page = page
        self.path = path
        self.panel = page.locator(".jp-NotebookPanel:not(.lm-mod-hidden)")
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        self._places = {
            cell["metadata"].get("nbgrader", {}).get("grade_id", cell["id"]): number
            for number, cell in enumerate(cells)
        }

    def ready(self) -> None:
        """Wait until the cells are there and the kernel waits for them."""
        expect(self.panel.locator(".jp-Cell")).to_have_count(len(self._places))
        expect(self.page.locator("#jp-main-statusbar")).to_contain_text("| Idle")

    def cell(self, name: str) -> Locator:
        return self.panel.locator(".jp-Cell").nth(self._places[name])

    def write(self, name: str, source: str) -> None:
        """Replace what a code cell holds."""
        self.cell(name).locator(".cm-content").click()
        self.page.keyboard.press("ControlOrMeta+A")
        self.page.keyboard.insert_text(source)

    def run(self, *names: str) -> None:
        """Run cells, each when the one before has come to its end."""
        for name in names:
            prompt = self.cell(name).locator(".jp-InputPrompt")
            before = prompt.inner_text()
            prompt.click()
            self.page.keyboard.press("ControlOrMeta+Enter")
            expect(prompt).not_to_have_text(before)
            expect(prompt).to_have_text(re.compile(r"\[\d+\]:"))

    def saved(self) -> dict[str, dict[str, Any]]:
        """Save, and return what the file then holds: the cells by grade_id."""
        before = self.path.stat().st_mtime_ns
        self.page.keyboard.press("ControlOrMeta+S")
        deadline = time.monotonic() + 30
        while self.path.stat().st_mtime_ns == before:
            assert time.monotonic() < deadline, f"{self.path.name} was not saved"
            self.page.wait_for_timeout(100)
        cells = json.loads(self.path.read_text(encoding="utf-8"))["cells"]
        return {name: cells[number] for name, number in self._places.items()}


def answer(problem: Problem, grade_id: str) -> str:
    """What a learner types who knows the solution."""
    return re.sub(r"\n *### (BEGIN|END) SOLUTION", "", problem.cell(grade_id).source)


def printed(cell: dict[str, Any]) -> str:
    return "".join("".join(output.get("text", "")) for output in cell["outputs"])


def errors(cells: dict[str, dict[str, Any]]) -> list[str]:
    return [
        f"{name}: {output['ename']}: {output['evalue']}"
        for name, cell in cells.items()
        for output in cell.get("outputs", [])
        if output["output_type"] == "error"
    ]


def test_a_learner_works_the_problem_and_is_graded(course: Course, lab: Lab, page: Page, shots: Path) -> None:
    strangers: list[str] = []
    page.on("request", lambda request: strangers.append(request.url) if leaves(request.url, lab) else None)
    problem = load_problem(course.root / "source" / "round1_implement" / "attention.ipynb")

    # The start page makes the learner's copy and links to it.
    page.goto(lab.url)
    start = Notebook(page, course.root / "notebooks" / "00_start_here.ipynb")
    start.ready()
    start.run("problems", "start-attention")
    expect(start.cell("problems")).to_contain_text(problem.title)
    page.screenshot(path=shots / "start_page.png")
    link = start.cell("start-attention").get_by_role("link", name="open attention.ipynb")
    path = course.root / "submitted" / course.learner / "round1_implement" / "attention.ipynb"
    assert path.is_file()
    link.click()

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

    # The verdict on what was saved.
    page.get_by_role("tab", name="00_start_here.ipynb").click()
    start.run("grade-attention")
    start.cell("grade-attention").scroll_into_view_if_needed()
    page.screenshot(path=shots / "graded.png")
    expect(start.cell("grade-attention")).to_contain_text(f"{problem.points:g} of {problem.points:g}")

    assert strangers == []


def leaves(url: str, lab: Lab) -> bool:
    """Whether a request leaves this machine."""
    return not url.startswith((lab.base, "data:", "blob:"))
