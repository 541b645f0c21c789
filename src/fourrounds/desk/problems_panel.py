"""The list of problems on the start page: what there is, how far you are, and a button for each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from fourrounds.desk import catalogue, work
from fourrounds.desk.mocks import refuse_in_mock
from fourrounds.desk.panel import Face, Panel
from fourrounds.examiner.layout import Layout


class ProblemsPanel(Panel):
    """Every problem with the learner's state; a press makes the learner's copy, if need be, and opens it."""

    def __init__(self, layout: Layout, user: str) -> None:
        self._layout = layout
        self._user = user
        super().__init__()
        self.draw()

    def __repr__(self) -> str:
        return catalogue.text_table(self._rows())

    def _rows(self) -> list[catalogue.Row]:
        return catalogue.catalogue(self._layout, self._user)

    def drawn(self) -> Face:
        html = catalogue.html_table(self._rows())
        return {"html": html, "buttons": [{"do": "look", "label": "Look again"}], "again": True}

    def actions(self) -> Mapping[str, Callable[[Mapping[str, Any]], str | None]]:
        # Another panel changed: what it did may stand in this list.
        return {"start": self._start, "look": lambda content: None, "alive": lambda content: self.draw()}

    def _start(self, content: Mapping[str, Any]) -> str:
        problem = self._layout.problem(str(content["value"]))
        refuse_in_mock(self._layout, self._user, problem)
        started = work.start(self._layout, problem, self._user)
        self.show_file(started.path)
        return f"{problem.slug} is open: {started.path}"
