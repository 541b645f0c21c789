"""How the browser tests drive JupyterLab: a notebook that is open, its cells, and what its file holds."""

import json
import re
import time
from pathlib import Path
from typing import Any

from playwright.sync_api import Locator, Page, expect
from served import Lab

from fourrounds.examiner.problem import Problem


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


def leaves(url: str, lab: Lab) -> bool:
    """Whether a request leaves this machine."""
    return not url.startswith((lab.base, "data:", "blob:"))
