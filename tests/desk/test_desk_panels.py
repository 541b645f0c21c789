"""The panels, without a browser: what they show, and what their buttons do."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from desk_course import ALL_AXES, EXAMINED, LEARNER, RIGHT, SLUG, Ran, write_answer

from fourrounds.desk import handing_in, store
from fourrounds.desk.attempts import Attempts
from fourrounds.desk.clock_panel import ClockPanel
from fourrounds.desk.clocks import Clocks, Do
from fourrounds.desk.panel import Panel
from fourrounds.desk.submit_panel import SubmitPanel
from fourrounds.examiner.layout import Layout


@pytest.fixture
def path(fourrounds: Callable[..., Ran], mine: Path) -> Path:
    fourrounds("start", SLUG)
    return mine


@pytest.fixture
def clock(layout: Layout, path: Path) -> ClockPanel:
    return ClockPanel(layout, layout.problem(SLUG), LEARNER, path)


class Page:
    """Stands for the page: it saves the notebook and tells what is on the screen."""

    def __init__(self, panel: SubmitPanel, root: Path, path: Path) -> None:
        self.panel, self.root, self.path = panel, root, path
        self.sent: list[dict[str, Any]] = []
        panel.send = lambda content, buffers=None: self.sent.append(content)  # type: ignore[method-assign]

    def press(self, do: str, **more: Any) -> dict[str, Any]:
        if do == "submit":
            cells = json.loads(self.path.read_text())["cells"]
            told = [{"cell_type": c["cell_type"], "source": "".join(c["source"])} for c in cells]
            more = {"page": {"path": str(self.path.relative_to(self.root)), "cells": told}} | more
        self.panel.hear({"do": do, "root": str(self.root), **more})
        return dict(self.panel.face)


@pytest.fixture
def page(layout: Layout, path: Path) -> Page:
    return Page(SubmitPanel(layout, layout.problem(SLUG), LEARNER, path), layout.root, path)


def buttons(panel: Panel) -> list[str]:
    return [button["do"] for button in panel.face["buttons"]]


def press(panel: Panel, *dos: str) -> dict[str, Any]:
    for do in dos:
        assert do in buttons(panel), f"there is no button {do}: {buttons(panel)}"
        panel.hear({"do": do})
    return dict(panel.face)


def test_the_clock_of_round_1_reads_first_then_closes_the_book(clock: ClockPanel, layout: Layout) -> None:
    assert "clock" not in clock.face
    assert clock.face["fold"] is False
    assert "minutes</b>. Read the method section first" in clock.face["html"]
    face = press(clock, "read")
    assert (face["clock"]["running"], face["clock"]["phase"], face["fold"]) == (True, "reading", False)
    face = press(clock, "code")
    assert (face["clock"]["phase"], face["fold"]) == ("working", True)
    face = press(clock, "open")
    assert face["fold"] is False
    face = press(clock, "close")
    assert face["fold"] is True
    assert "opened again 1 time)" in face["html"]
    assert press(clock, "extend")["clock"]["allowed"] == 60 * (layout.problem(SLUG).minutes + 5)
    assert not press(clock, "pause")["clock"]["running"]
    assert press(clock, "resume")["clock"]["running"]


def test_a_later_panel_shows_the_same_clock(clock: ClockPanel, layout: Layout, path: Path) -> None:
    press(clock, "code", "open")
    again = ClockPanel(layout, layout.problem(SLUG), LEARNER, path)
    assert again.face["clock"]["running"]
    assert again.face["fold"] is False
    assert "used" in repr(again)


def test_the_clock_stops_in_the_page_when_it_was_stopped_elsewhere(clock: ClockPanel, layout: Layout) -> None:
    press(clock, "code")
    Clocks(store.of(layout), LEARNER).do(SLUG, Do.PAUSE)
    assert clock.face["clock"]["running"]
    clock.hear({"do": "alive"})
    assert not clock.face["clock"]["running"]


def test_a_file_that_cannot_be_used_is_told_in_the_panel(clock: ClockPanel, layout: Layout) -> None:
    layout.state.mkdir(parents=True, exist_ok=True)
    (layout.state / "attempts.sqlite").write_text("damaged " * 1000)
    clock.hear({"do": "code"})
    assert clock.face["error"]
    assert "move it away" in clock.face["status"]


def test_wrong_then_right_is_graded_and_kept(page: Page, layout: Layout) -> None:
    write_answer(page.path, ALL_AXES)
    face = page.press("submit", value="2")
    assert "You expected 2 points" in face["status"]
    assert "debrief" in buttons(page.panel)
    (wrong,) = Attempts(store.of(layout)).of(LEARNER, SLUG)
    assert wrong.predicted == 2
    assert wrong.score < EXAMINED
    assert any(cell["message"] and cell["message"][:20] in face["html"] for cell in wrong.report["cells"])
    Clocks(store.of(layout), LEARNER).do(SLUG, Do.CODE)
    write_answer(page.path, RIGHT)
    face = page.press("submit", value="")
    assert "The clock is stopped" in face["status"]
    assert not Clocks(store.of(layout), LEARNER).read(SLUG, 45).running
    _, right = Attempts(store.of(layout)).of(LEARNER, SLUG)
    assert right.score == EXAMINED
    assert right.predicted is None
    assert right.sitting is not None
    assert "What is answered passes" in face["html"]


def test_what_the_page_could_not_save_is_not_handed_in(page: Page, layout: Layout) -> None:
    face = page.press("submit", page={"why": "JupyterLab could not save the notebook (disk full)."})
    assert face["error"]
    assert face["status"].startswith("Nothing was handed in. JupyterLab could not save")
    stale = [{"cell_type": "code", "source": "typed since"}]
    face = page.press("submit", page={"path": str(page.path.relative_to(page.root)), "cells": stale})
    assert "differ" in face["status"]
    assert handing_in.waiting(layout, LEARNER) == []
    assert Attempts(store.of(layout)).of(LEARNER, SLUG) == []


@pytest.mark.parametrize("value", ["-1", "1000", "nan", "many"])
def test_an_impossible_prediction_hands_nothing_in(page: Page, layout: Layout, value: str) -> None:
    face = page.press("submit", value=value)
    assert "expect between 0 and" in face["status"]
    assert handing_in.waiting(layout, LEARNER) == []


def test_what_was_handed_in_before_a_kill_is_offered(page: Page, layout: Layout) -> None:
    write_answer(page.path, RIGHT)
    handing_in.hand_in(layout, LEARNER, SLUG, page.path, page.path.read_bytes(), 3.0)
    panel = SubmitPanel(layout, layout.problem(SLUG), LEARNER, page.path)
    assert "is kept and not graded yet" in panel.face["html"]
    assert press(panel, "settle")["status"] == "You expected 3 points, and the examiner gave " + (
        f"{Attempts(store.of(layout)).of(LEARNER, SLUG)[-1].score:g}."
    )
    assert "settle" not in buttons(panel)


def test_the_debrief_opens_the_solution_and_is_remembered(page: Page, layout: Layout) -> None:
    assert "debrief" not in buttons(page.panel)
    page.press("submit")
    assert "is not built yet" in page.press("debrief")["status"]
    solution = layout.solutions / "round1_implement" / f"{SLUG}.ipynb"
    solution.parent.mkdir(parents=True)
    solution.write_text("{}")
    assert "Open it?" in page.press("debrief")["status"]  # there are points to be had
    assert page.sent == []
    page.press("stay")
    assert "submit" in buttons(page.panel)
    page.press("debrief")
    assert buttons(page.panel) == ["stay", "debrief"]
    page.press("debrief")
    assert {"open": f"solutions/round1_implement/{SLUG}.ipynb"} in page.sent
    page.press("submit")
    last = Attempts(store.of(layout)).of(LEARNER, SLUG)[-1]
    assert last.sitting is not None
    assert last.sitting.after_debrief


def test_no_hidden_test_shows_in_a_panel(page: Page, layout: Layout) -> None:
    write_answer(page.path, ALL_AXES)
    shown = json.dumps(page.press("submit")) + repr(page.panel)
    for cell in layout.problem(SLUG).by_role("hidden", "truth"):
        for line in cell.source.splitlines():
            assert len(line.strip()) < 20 or line.strip() not in shown
