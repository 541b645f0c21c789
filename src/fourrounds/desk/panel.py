"""A panel of the desk in a notebook's output: what it shows, and what happens when a button is pressed.

A panel's face is plain data, made here and drawn by ``page/panel.js``; so what a learner sees is tested
without a browser. What only the page can do (save the notebook, fold cells, open a file) it is asked to do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from fourrounds.desk.errors import DeskError
from fourrounds.desk.handing_in import Screen
from fourrounds.examiner.layout import LayoutError
from fourrounds.examiner.problem import ProblemError

PAGE = Path(__file__).parent / "page"
FORESEEN = (DeskError, LayoutError, ProblemError, OSError)
"""Errors that are told in the panel; any other is a bug."""
Face = dict[str, Any]


class Panel(anywidget.AnyWidget):
    """A panel: a subclass gives it :meth:`drawn` and what its buttons do.

    A face has, each if it is wanted: ``clock`` (``seconds`` so far, ``allowed`` seconds, ``running``,
    ``phase``, ``chip``: whether it stays in sight, ``down``: it counts down), ``html``, ``ask`` (``label``,
    ``max``, ``unit``), ``buttons`` (``do``, ``label``, ``title``, ``main``, ``value``; ``save``: the notebook
    is saved first and comes along; ``ask``: what was typed comes along), ``status``, ``error``, ``busy``,
    ``fold`` (whether the method section is folded away) and ``again`` (the cell is run again after a restart
    of the kernel).
    """

    _esm = PAGE / "panel.js"
    _css = PAGE / "panel.css"
    face = traitlets.Dict().tag(sync=True)

    def __init__(self) -> None:
        super().__init__()
        self._root = Path.cwd()
        self.on_msg(self._heard)

    def drawn(self) -> Face:
        """The face as it should be now."""
        raise NotImplementedError

    def actions(self) -> Mapping[str, Callable[[Mapping[str, Any]], str | None]]:
        """What each button does: it takes the page's message, and returns a line to show."""
        raise NotImplementedError

    def draw(self, status: str | None = None, *, error: bool = False) -> None:
        """Show the present face, with a line below it."""
        try:
            face = self.drawn()
        except FORESEEN as foreseen:
            face, status, error = {}, status if error else str(foreseen), True
        self.face = {**face, **({"status": status, "error": error} if status else {})}

    def show_file(self, path: Path) -> None:
        """Open a file in JupyterLab."""
        try:
            name = path.relative_to(self._root).as_posix()
        except ValueError as error:
            raise DeskError(f"{path} lies outside of what JupyterLab shows: open it from there.") from error
        self.send({"open": name})

    def say(self, text: str) -> None:
        """Show a line while something goes on."""
        self.send({"status": text})

    def _heard(self, _widget: Any, content: Mapping[str, Any], _buffers: Any) -> None:
        self.hear(content)

    def hear(self, content: Mapping[str, Any]) -> None:
        """Do what a button's message says. What goes wrong is shown in words."""
        if content.get("root"):
            self._root = Path(content["root"]).expanduser()
        action = self.actions().get(content.get("do", ""))
        if action is None:
            return
        try:
            status = action(content)
        except FORESEEN as error:
            self.draw(str(error), error=True)
        else:
            if content["do"] != "alive":
                self.draw(status)

    def screen(self, content: Mapping[str, Any]) -> Screen:
        """The notebook that was saved for this message; :class:`DeskError` says why it was not."""
        page = content["page"]
        if "why" in page:
            raise DeskError(f"Nothing was handed in. {page['why']}")
        return Screen(self._root / page["path"], page["cells"])
