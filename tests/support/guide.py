"""A chapter of the guide for tests: its prose, its cells run from top to bottom, its exercises answered."""

from __future__ import annotations

import contextlib
import functools
import io
from pathlib import Path
from typing import Any

import nbformat

from fourrounds.examiner.layout import find_root


class Chapter:
    """A notebook of ``notebooks/``, by its file name without the ending."""

    def __init__(self, name: str) -> None:
        self.path: Path = find_root() / "notebooks" / f"{name}.ipynb"
        self.cells: dict[str, Any] = {cell.id: cell for cell in nbformat.read(self.path, as_version=4).cells}

    @property
    def prose(self) -> str:
        """All Markdown, in one line, with a plain hyphen for the minus sign."""
        texts = [cell.source for cell in self.cells.values() if cell.cell_type == "markdown"]
        return " ".join(" ".join(texts).split()).replace("\N{MINUS SIGN}", "-")

    @functools.cached_property
    def _ran(self) -> tuple[dict[str, Any], dict[str, str]]:
        names: dict[str, Any] = {"__name__": "__main__"}
        printed = {
            key: self._run(cell.source, key, names)
            for key, cell in self.cells.items()
            if cell.cell_type == "code"
        }
        return names, printed

    @property
    def names(self) -> dict[str, Any]:
        """What the notebook has defined when it has run as it stands."""
        return self._ran[0]

    @property
    def printed(self) -> dict[str, str]:
        """What each code cell prints, by the cell's id; of a figure, its words and its caption."""
        return self._ran[1]

    def checked(self, exercise: str, answer: str) -> str:
        """What the check of an exercise says of an answer, which replaces the exercise's cell."""
        names = dict(self.names)
        self._run(answer, f"exercise-{exercise}", names)
        return self._run(self.cells[f"check-{exercise}"].source, f"check-{exercise}", names).strip()

    def worked(self, exercise: int) -> str:
        """The code of a worked answer, by the number of its exercise."""
        part = self.cells["answers"].source.split(f"<summary>Exercise {exercise}:", 1)[1]
        return part.split("```python\n", 1)[1].split("```", 1)[0]

    @staticmethod
    def _run(source: str, key: str, names: dict[str, Any]) -> str:
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            exec(compile(source, key, "exec"), names)
        return out.getvalue()


@functools.cache
def chapter(name: str) -> Chapter:
    """A chapter that all tests of a process share, since running one takes seconds."""
    return Chapter(name)
