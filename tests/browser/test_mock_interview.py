"""A whole mock interview in the browser, interrupted by a kill of the server."""

import json
import re
from pathlib import Path

import pytest
from driving import Notebook, answer
from playwright.sync_api import Page, expect
from served import Course, Lab, Server

from fourrounds.desk.attempts import Attempts
from fourrounds.desk.mocks import Mock, Mocks, copy_path
from fourrounds.desk.scorecard import Scorecard, scorecard
from fourrounds.desk.store import Store
from fourrounds.examiner.layout import Layout
from fourrounds.examiner.problem import Problem

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.needs("chromium")]

TYPED = "def typed_before_the_kill():\n    return 'and saved'"
EXPECTED = {1: "12", 2: "3", 3: "", 4: "5"}


class Interview:
    """The learner's mock in JupyterLab, and what the learner's file says about it."""

    def __init__(self, course: Course, page: Page) -> None:
        self.page = page
        self.course = course
        self.layout = Layout(course.root)
        self.user = course.learner

    def stored(self) -> Mock:
        mock = Mocks(self.layout, self.user).last()
        assert mock is not None
        return mock

    def card(self) -> Scorecard:
        return scorecard(self.layout, self.user, self.stored().number)

    def problem(self, round_: int) -> Problem:
        return self.layout.problem(self.stored().round(round_).dealt.problem)

    def start_page(self) -> Notebook:
        """The start page with the mock's panel in it."""
        start = Notebook(self.page, self.course.root / "notebooks" / "00_start_here.ipynb")
        start.ready()
        start.run("mock")
        return start

    def opened(self, round_: int) -> Notebook:
        """The notebook of a round, when it is there and its clock stands in it."""
        mock = self.stored()
        path = copy_path(self.layout, self.user, mock.number, mock.round(round_).dealt.problem)
        expect(self.page.get_by_role("tab", name=path.name)).to_be_visible()
        notebook = Notebook(self.page, path)
        expect(notebook.panel.locator(".jp-Cell").first).to_be_attached()
        notebook.ready()
        notebook.run("desk-clock")
        return notebook

    def press(self, notebook: Notebook, cell: str, button: str) -> None:
        """Press a button with the keyboard, as a person does who uses no mouse."""
        node = notebook.cell(cell).get_by_role("button", name=button)
        node.focus()
        node.press("Enter")

    def hand_in(self, notebook: Notebook, round_: int) -> None:
        cell = notebook.cell("desk-submit")
        notebook.run("desk-submit")
        cell.get_by_label("How many points do you expect?").fill(EXPECTED[round_])
        self.press(notebook, "desk-submit", f"Hand in Round {round_}")

    def status(self, notebook: Notebook, text: str, cell: str = "desk-submit", timeout: int = 60_000) -> None:
        expect(notebook.cell(cell).get_by_role("status")).to_contain_text(text, timeout=timeout)


@pytest.fixture
def state(monkeypatch: pytest.MonkeyPatch, course: Course) -> None:
    """This process looks at the state of the course's learner."""
    monkeypatch.setenv("FOURROUNDS_HOME", course.environment["FOURROUNDS_HOME"])


def nothing_graded(interview: Interview) -> None:
    assert Attempts(Store(interview.layout.state / "attempts.sqlite")).of(interview.user) == []


@pytest.mark.usefixtures("state")
def test_a_whole_mock_interview_through_a_kill_of_the_server(
    course: Course, server: Server, page: Page, shots: Path
) -> None:
    lab: Lab = server.start()
    page.goto(lab.url)
    interview = Interview(course, page)
    start = interview.start_page()
    interview.press(start, "mock", "Begin the mock")
    interview.status(start, "is dealt", "mock")
    assert interview.stored().phase == "before"
    start.cell("mock").scroll_into_view_if_needed()
    page.screenshot(path=shots / "mock_begun.png")

    # Round 1: read, close the book, write, run the provided tests, hand in.
    interview.press(start, "mock", "Start Round 1")
    first = interview.opened(1)
    expect(first.cell("desk-clock").get_by_role("timer")).to_contain_text("reading")
    interview.press(first, "desk-clock", "Close the method")
    expect(first.cell("desk-clock").get_by_role("timer")).to_contain_text("working")
    expect(first.cell("desk-clock")).to_contain_text("The method section is closed")
    problem = interview.problem(1)
    for cell in problem.by_role("answer"):
        first.write(cell.grade_id, answer(problem, cell.grade_id))
    setup = [cell.grade_id for cell in problem.by_role("setup")]
    answers = [cell.grade_id for cell in problem.by_role("answer")]
    first.run(*setup, *answers, problem.by_role("provided")[0].grade_id)
    page.screenshot(path=shots / "mock_round_1.png")
    interview.hand_in(first, 1)
    interview.status(first, "Round 1 is handed in and kept. A break of 5 minutes has begun.")
    expect(first.cell("desk-submit").get_by_role("timer")).to_contain_text("left of the break before Round 2")
    expect(first.cell("desk-submit")).not_to_contain_text("points")  # no verdict, no report
    assert interview.stored().phase == "break"
    nothing_graded(interview)
    page.set_viewport_size({"width": 1280, "height": 900})
    page.screenshot(path=shots / "mock_break.png")

    # Round 2 is open, and something is written and saved, when the server is killed.
    interview.press(first, "desk-submit", "Cut the break short, start Round 2")
    second = interview.opened(2)
    expect(second.cell("desk-clock").get_by_role("timer")).to_contain_text("working")
    name = interview.problem(2).by_role("answer")[0].grade_id
    second.write(name, TYPED)
    second.saved()
    before = interview.stored()
    assert (before.phase, before.rounds[1].state) == ("round", "open")
    server.kill()
    after = interview.stored()
    assert [one.state for one in after.rounds] == ["handed in", "open", "waiting", "waiting"]
    assert after.rounds[1].began_at == before.rounds[1].began_at

    # It goes on where it was, from the start page of another server.
    page = page.context.new_page()
    page.goto(server.start().url)
    interview.page = page
    start = interview.start_page()
    expect(start.cell("mock")).to_contain_text("the clock runs")
    page.screenshot(path=shots / "mock_resumed.png")
    interview.press(start, "mock", "Open Round 2")
    second = interview.opened(2)
    expect(second.cell(name)).to_contain_text("typed_before_the_kill")
    expect(second.cell("desk-clock").get_by_role("timer")).to_contain_text("working")
    resumed = interview.stored().rounds[1].clock
    assert resumed.running
    assert resumed.sitting.seconds >= before.rounds[1].clock.sitting.seconds
    interview.hand_in(second, 2)
    interview.status(second, "A break of 10 minutes")
    assert TYPED in _sources(second.path)

    # Rounds 3 and 4, nothing written; the break is cut short on the start page.
    page.get_by_role("tab", name="00_start_here.ipynb").click()
    interview.press(start, "mock", "Look again")
    interview.press(start, "mock", "Cut the break short, start Round 3")
    third = interview.opened(3)
    interview.hand_in(third, 3)
    interview.status(third, "A break of 5 minutes")
    nothing_graded(interview)
    interview.press(third, "desk-submit", "Cut the break short, start Round 4")
    fourth = interview.opened(4)
    interview.hand_in(fourth, 4)
    interview.status(fourth, "All that was handed in is graded.", timeout=300_000)

    # What is stored is what was handed in, graded once, with the mock's number.
    mock = interview.stored()
    assert mock.phase == "over"
    attempts = Attempts(Store(interview.layout.state / "attempts.sqlite")).of(interview.user)
    assert [one.problem for one in attempts] == [one.dealt.problem for one in mock.rounds]
    assert {one.mock for one in attempts} == {mock.number}
    assert attempts[0].score == sum(cell.points for cell in problem.by_role("hidden"))
    assert [one.predicted for one in attempts] == [12, 3, None, 5]
    for attempt, round_ in zip(attempts, mock.rounds, strict=True):
        assert attempt.sitting == round_.clock.sitting
        assert attempt.submission == str(
            copy_path(interview.layout, interview.user, mock.number, attempt.problem)
        )
    assert attempts[0].sitting is not None
    assert 0 < attempts[0].sitting.reading_seconds < attempts[0].sitting.seconds

    # The scorecard on the page says what the file says.
    card = interview.card()
    shown = fourth.cell("desk-submit")
    for one in card.rounds:
        expect(shown).to_contain_text(one.problem)
        if one.share is not None:
            expect(shown).to_contain_text(f"{one.points:g} of {one.max_points:g} ({one.share:.0%})")
    assert card.rounds[0].share == 1.0
    assert len(card.work_on) == 3
    for work in card.work_on:
        expect(shown).to_contain_text(work.skill)
        expect(shown).to_contain_text(work.practise)
    expect(shown.get_by_role("img", name=re.compile("Points by round"))).to_be_visible()
    said = course.output("fourrounds", "mock", "--scorecard", "--json")
    assert json.loads(said)["scorecard"]["share"] == card.share
    page.set_viewport_size({"width": 1280, "height": 1700})
    for theme in ("Light", "Dark"):
        page.evaluate(
            f"jupyterapp.commands.execute('apputils:change-theme', {{theme: 'JupyterLab {theme}'}})"
        )
        expect(page.locator(f"body[data-jp-theme-name='JupyterLab {theme}']")).to_be_attached()
        shown.evaluate("cell => cell.scrollIntoView({block: 'start'})")
        page.wait_for_timeout(500)
        page.screenshot(path=shots / f"mock_scorecard_{theme.lower()}.png")
    page.get_by_role("tab", name="00_start_here.ipynb").click()
    expect(start.cell("mock")).to_contain_text("To work on")  # it saw by itself that the mock is over
    server.stop()


def _sources(path: Path) -> set[str]:
    return {"".join(cell["source"]) for cell in json.loads(path.read_text())["cells"]}
