"""A learner's way at the desk, in the browser: clock, wrong answer, named fault, full marks, debrief."""

import contextlib
import json
import os
import re
import signal
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
from driving import Notebook, answer
from playwright.sync_api import Page, expect
from served import Course, Lab

from fourrounds.desk.attempts import Attempt, Attempts
from fourrounds.desk.clocks import Clock, Clocks
from fourrounds.desk.store import Store
from fourrounds.examiner.problem import Problem, load_problem

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.needs("chromium")]

REPOSITORY = Path(__file__).parents[2]
SLUG = "attention"
PROGRESS = "notebooks/05_progress.ipynb"


class Desk:
    """A learner's copy in JupyterLab, and what the learner's file says about it."""

    def __init__(self, course: Course, page: Page, slug: str = SLUG) -> None:
        self.page = page
        self.course = course
        self._work_at(slug)
        self.store = Store(course.root / ".fourrounds" / "attempts.sqlite")
        self.user = course.learner

    def _work_at(self, slug: str) -> None:
        root, round1 = self.course.root, "round1_implement"
        self.problem: Problem = load_problem(root / "source" / round1 / f"{slug}.ipynb")
        self.path = root / "submitted" / self.course.learner / round1 / f"{slug}.ipynb"

    def started(self, slug: str) -> Notebook:
        """A problem that is started on the command line, and opened by its address."""
        self._work_at(slug)
        self.course.run("fourrounds", "start", slug)
        self.page.goto(
            f"{self.page.url.split('/lab/')[0]}/lab/tree/{self.path.relative_to(self.course.root)}"
        )
        return self.opened()

    def attempts(self) -> list[Attempt]:
        return Attempts(self.store).of(self.user, self.problem.slug)

    def clock(self) -> Clock:
        return Clocks(self.store, self.user).read(self.problem.slug, self.problem.minutes)

    def opened(self) -> Notebook:
        """The notebook, when it is there and its kernel waits."""
        expect(self.page.get_by_role("tab", name=self.path.name)).to_be_visible()
        notebook = Notebook(self.page, self.path)
        expect(notebook.panel.locator(".jp-Cell").first).to_be_attached()
        notebook.ready()
        return notebook

    def press(self, notebook: Notebook, cell: str, button: str) -> None:
        """Press a button with the keyboard, as a person does who uses no mouse."""
        node = notebook.cell(cell).get_by_role("button", name=button)
        node.focus()
        node.press("Enter")

    def submitted(self, notebook: Notebook, expected: str) -> Attempt:
        """Predict and submit; the attempt, when the report stands there."""
        before = len(self.attempts())
        cell = notebook.cell("desk-submit")
        cell.get_by_label("How many points do you expect?").fill(expected)
        self.press(notebook, "desk-submit", "Submit")
        expect(cell.get_by_role("status")).to_contain_text("You expected", timeout=120_000)
        attempts = self.attempts()
        assert len(attempts) == before + 1
        return attempts[-1]


@pytest.fixture
def desk(course: Course, lab: Lab, page: Page) -> Desk:
    """At the start page, with nothing done so far."""
    page.goto(lab.url)
    return Desk(course, page)


def methods(notebook: Notebook) -> list[int]:
    """The places of the cells of the method section."""
    cells = json.loads(notebook.path.read_text())["cells"]
    return [n for n, c in enumerate(cells) if c["metadata"].get("fourrounds", {}).get("role") == "method"]


def test_from_the_start_page_to_the_debrief(desk: Desk, course: Course, shots: Path) -> None:
    page, problem = desk.page, desk.problem
    start = Notebook(page, course.root / "notebooks" / "00_start_here.ipynb")
    start.ready()
    start.run("problems")
    start.cell("problems").get_by_role("button", name=f"Start {SLUG}").click()

    # The clock: read, close the method section, and it is out of sight until it is opened again.
    work = desk.opened()
    work.run("desk-clock")
    assert not desk.clock().started
    places = methods(work)
    method = [work.panel.locator(".jp-Cell").nth(place) for place in places]
    desk.press(work, "desk-clock", "Start reading")
    expect(work.cell("desk-clock").get_by_role("timer")).to_contain_text("reading")
    assert desk.clock().phase == "reading"
    page.screenshot(path=shots / "clock_reading.png")
    desk.press(work, "desk-clock", "Close the method")
    for cell in method:
        expect(cell).to_be_hidden()
    expect(work.cell("desk-clock")).to_contain_text("The method section is closed")
    page.screenshot(path=shots / "clock_closed.png")
    desk.press(work, "desk-clock", "Open the method")
    for cell in method:
        expect(cell).not_to_have_class(re.compile("lm-mod-hidden"))
    desk.press(work, "desk-clock", "Close the method again")
    expect(method[0]).to_be_hidden()
    assert desk.clock().sitting.openings == 1

    # A wrong answer, which is typed and not saved by the learner: the fault is named.
    fault = next(fault for fault in problem.faults if fault.group == "normalisation")
    work.write("attention-answer", fault.source)
    work.write("multi-head-answer", answer(problem, "multi-head-answer"))
    work.run("attention-setup", "desk-submit")
    wrong = desk.submitted(work, "18")
    saved = json.loads(work.path.read_text())["cells"]
    assert fault.source.strip() in {"".join(cell["source"]).strip() for cell in saved}
    assert wrong.predicted == 18
    assert wrong.score < problem.points
    named = [cell for cell in wrong.report["cells"] if cell["fault"]]
    assert named, wrong.report["cells"]
    assert {cell["group"] for cell in named} == {"normalisation"}
    report = work.cell("desk-submit").locator(".fourrounds-html")
    for cell in wrong.report["cells"]:
        expect(report).to_contain_text(cell["group"])
        expect(report).to_contain_text(f"{cell['points']:g} / {cell['max_points']:g}")
    expect(report).to_contain_text(named[0]["fault_says"])
    for cell in problem.by_role("hidden", "truth"):  # no line of a hidden test is told
        for line in (line.strip() for line in cell.source.splitlines()):
            if len(line) > 24 and not line.startswith("#"):
                assert line not in report.inner_text()
    work.cell("desk-submit").scroll_into_view_if_needed()
    page.set_viewport_size({"width": 1280, "height": 1200})
    page.screenshot(path=shots / "fault_named.png")

    # The right answer: full marks, and the clock stops.
    work.write("attention-answer", answer(problem, "attention-answer"))
    right = desk.submitted(work, f"{problem.points:g}")
    assert (right.score, right.predicted) == (problem.points, problem.points)
    assert right.sitting is not None
    assert right.sitting.openings == 1
    assert 0 < right.sitting.reading_seconds < right.sitting.seconds
    assert not right.sitting.after_debrief
    expect(report).to_contain_text("All of it passes")
    assert not desk.clock().running
    expect(work.panel.locator(".fourrounds-chip")).to_contain_text("paused", timeout=10_000)
    page.screenshot(path=shots / "full_marks.png")

    # Progress counts it, and has a picture of it.
    page.evaluate("path => void jupyterapp.commands.execute('docmanager:open', {path})", PROGRESS)
    expect(page.get_by_role("tab", name="05_progress.ipynb")).to_be_visible()
    progress = Notebook(page, course.root / PROGRESS)
    progress.ready()
    progress.run("progress")
    expect(progress.cell("progress")).to_contain_text("1 of 10 papers implemented")
    pictures = progress.cell("progress").get_by_role("img").all()
    told = " ".join(picture.get_attribute("alt") or "" for picture in pictures)
    assert "Round 1: 1 passed and 1 handed in of 16" in told
    for skill in problem.groups:
        assert skill in told
    page.screenshot(path=shots / "progress_updated.png")
    page.get_by_role("tab", name=f"{SLUG}.ipynb").click()

    # The debrief is the solution notebook, with the hidden tests in it. Saving it changes nothing.
    started_at = time.time_ns()
    desk.press(work, "desk-submit", "Open the debrief")
    expect(page.get_by_role("tab", name=f"{SLUG}.ipynb")).to_have_count(2)
    assert desk.clock().sitting.after_debrief
    solution = Path("solutions", "round1_implement", f"{SLUG}.ipynb")
    page.wait_for_function(
        "path => jupyterapp.shell.currentWidget?.context?.path === path", arg=solution.as_posix()
    )
    expect(page.locator("#jp-main-statusbar")).to_contain_text("| Idle")
    page.evaluate("() => jupyterapp.shell.currentWidget.context.save()")
    assert (course.root / solution).stat().st_mtime_ns > started_at
    assert (course.root / solution).read_bytes() == (REPOSITORY / solution).read_bytes()

    # The list on the start page knows, and running the page has not changed its file.
    page.get_by_role("tab", name="00_start_here.ipynb").click()
    expect(start.cell("problems")).to_contain_text(f"best {problem.points:g} of {problem.points:g}")
    before = start.path.stat().st_mtime_ns
    start.saved()
    assert start.path.stat().st_mtime_ns > before
    assert start.path.read_bytes() == (REPOSITORY / "notebooks" / start.path.name).read_bytes()


def test_the_clock_goes_on_through_a_restart_of_the_kernel(desk: Desk) -> None:
    page = desk.page
    work = desk.started("rope")
    work.run("desk-clock")
    desk.press(work, "desk-clock", "I know the method")
    expect(work.cell("desk-clock").get_by_role("timer")).to_contain_text("working")
    page.wait_for_timeout(2000)
    panel = work.cell("desk-clock").locator(".fourrounds-panel")
    panel.evaluate("panel => panel.classList.add('of-the-old-kernel')")
    page.evaluate("jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()")
    expect(panel).not_to_have_class(re.compile("of-the-old-kernel"))
    before = desk.clock().sitting.seconds
    assert before >= 2
    expect(work.cell("desk-clock").get_by_role("timer")).to_contain_text("working")
    desk.press(work, "desk-clock", "Pause")  # the new kernel hears it
    expect(work.cell("desk-clock").get_by_role("timer")).to_contain_text("paused")
    clock = desk.clock()
    assert not clock.running
    assert clock.sitting.seconds >= before
    page.wait_for_timeout(1500)
    assert desk.clock().sitting.seconds == clock.sitting.seconds


def test_what_is_submitted_is_what_is_on_the_screen(desk: Desk) -> None:
    """After a rename the new file is graded; what the server did not write is refused."""
    page = desk.page
    work = desk.started("lora")
    work.run("desk-submit")
    new = desk.path.with_name("my lora.ipynb")
    page.evaluate("name => jupyterapp.shell.currentWidget.context.rename(name)", new.name)
    expect(page.get_by_role("tab", name=new.name)).to_be_visible()
    first = desk.problem.by_role("answer")[0].grade_id
    typed = "def typed_and_never_saved():\n    return 1"
    work.write(first, typed)
    attempt = desk.submitted(work, "0")
    assert attempt.submission == str(new)
    assert not desk.path.exists()
    cells = json.loads(new.read_text())["cells"]
    assert any("".join(cell["source"]) == typed for cell in cells)

    # A page that says something else than the file holds: the server's answer is kept from being written.
    def unsaved(route: Any) -> None:
        if route.request.method == "PUT":
            route.fulfill(status=200, json={**_model(new), "content": None})
        else:
            route.continue_()

    page.route(re.compile(r"/api/contents/.*my%20lora"), unsaved)
    work.write(first, typed + "  # and more")
    desk.press(work, "desk-submit", "Submit")
    expect(work.cell("desk-submit").get_by_role("status")).to_contain_text("Nothing was handed in")
    assert len(desk.attempts()) == 1


def _model(path: Path) -> dict[str, Any]:
    """What the server says of a file that it has written."""
    status = path.stat()
    when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(status.st_mtime))
    return {
        "name": path.name,
        "path": str(path),
        "last_modified": when,
        "created": when,
        "content": None,
        "format": None,
        "mimetype": None,
        "size": status.st_size,
        "writable": True,
        "type": "notebook",
        "hash": None,
        "hash_algorithm": None,
    }


def test_a_kernel_that_is_killed_while_it_grades_loses_no_attempt(desk: Desk, course: Course) -> None:
    page = desk.page
    work = desk.started("bm25")
    work.run("desk-submit")
    desk.press(work, "desk-submit", "Submit")
    deadline = time.monotonic() + 60
    while not desk.store.select("SELECT 1 FROM submissions WHERE problem = 'bm25'", ()):
        assert time.monotonic() < deadline
        page.wait_for_timeout(50)
    (kernel,) = _kernels(desk.path)
    os.kill(kernel.pid, signal.SIGKILL)
    # A grader that was started goes on without the kernel; else what was handed in waits.
    while not desk.attempts() and _graders(course):
        assert time.monotonic() < deadline + 60
        page.wait_for_timeout(200)
    if not desk.attempts():
        (waits,) = desk.store.select(
            "SELECT id FROM submissions WHERE attempt IS NULL AND problem = 'bm25'", ()
        )
        course.run("fourrounds", "graded", str(*waits))
    assert len(desk.attempts()) == 1
    assert (
        len(desk.store.select("SELECT 1 FROM submissions WHERE problem = 'bm25' AND attempt IS NOT NULL", ()))
        == 1
    )


def _kernels(path: Path) -> list[psutil.Process]:
    """The kernels of a notebook, which the server tells them."""
    return _processes("ipykernel_launcher", "JPY_SESSION_NAME", str(path))


def _graders(course: Course) -> list[psutil.Process]:
    return _processes("graded", "FOURROUNDS_ROOT", str(course.root))


def _processes(word: str, variable: str, value: str) -> list[psutil.Process]:
    """Those with ``word`` in their command, and a ``variable`` that ends with ``value``."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if word in process.cmdline() and process.environ().get(variable, "").endswith(value):
                found.append(process)
    return found
