"""What a learner hands in, rebuilt around the source notebook's own cells.

Locked cells come from the source. From the learner's file only text is taken: the source of the answer cells,
of a doubled one the last, and of the learner's own extra cells, in the learner's order. Whatever is wrong
with the file (no JSON, a link, 200 MB) becomes a reason in words, never an exception.
"""

from __future__ import annotations

import copy
import json
import os
import stat
import unicodedata
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from fourrounds.checks import Kind
from fourrounds.examiner.problem import Cell, Problem

MAX_BYTES = 32 * 2**20
MAX_CELLS = 2000
MAX_CELL_CHARACTERS = 400_000
MAX_PICTURES = 8 * 2**20


@dataclass(frozen=True)
class Part:
    """One cell of a rebuilt submission: a cell of the source with its text now, or the learner's own.

    ``cell`` is None for a learner's own.
    """

    cell: Cell | None
    source: str
    cell_type: str = "code"
    attachments: dict[str, Any] | None = field(default=None, hash=False)


@dataclass(frozen=True)
class Submission:
    """A rebuilt submission.

    ``failure`` says why the file could not be read, if it could not; ``notes`` what was put right.
    """

    problem: Problem
    parts: tuple[Part, ...]
    notes: tuple[str, ...] = ()
    failure: str | None = None
    failure_kind: Kind = Kind.FORMAT

    @property
    def untouched(self) -> bool:
        """Whether every answer cell is as it was released, and the learner has added no code."""
        for part in self.parts:
            if part.cell is None:
                if part.cell_type == "code" and part.source.strip():
                    return False
            elif part.cell.is_answer and not is_untouched(part):
                return False
        return True

    def notebook(self) -> dict[str, Any]:
        """The rebuilt notebook as nbformat 4.5 JSON, without outputs."""
        cells = []
        for number, part in enumerate(self.parts):
            metadata: dict[str, Any] = {} if part.cell is None else copy.deepcopy(part.cell.metadata)
            cell: dict[str, Any] = {
                "cell_type": part.cell_type,
                "id": f"cell-{number}",
                "metadata": metadata,
                "source": part.source,
            }
            if part.cell_type == "code":
                cell |= {"execution_count": None, "outputs": []}
            elif part.attachments:
                cell["attachments"] = part.attachments
            cells.append(cell)
        metadata = copy.deepcopy(self.problem.notebook["metadata"])
        return {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}


def is_untouched(part: Part) -> bool:
    """Whether an answer cell holds what was released, white space aside."""
    return part.cell is not None and part.source.split() == part.cell.stub.split()


def rebuild(problem: Problem, path: Path) -> Submission:
    """Read the notebook at ``path`` as an answer to ``problem``.

    Never raises for what a learner may have done to the file.
    """
    try:
        cells = _read_cells(path)
    except _Unreadable as error:
        return replace(empty(problem, failure=str(error)), failure_kind=error.kind)
    except RecursionError:
        return empty(
            problem, failure="The notebook is nested too deeply to be read. Hand in the released notebook."
        )
    return _assemble(problem, cells)


def empty(problem: Problem, failure: str | None = None) -> Submission:
    """The problem as released."""
    parts = [Part(cell, _text_of(cell), cell.cell_type) for cell in problem.cells]
    return Submission(problem, tuple(parts), failure=failure)


def from_sources(problem: Problem, sources: dict[str, str]) -> Submission:
    """A submission whose answer cells hold ``sources`` (by grade_id).

    ``KeyError`` for an id that is no answer cell.
    """
    for grade_id in sources:
        if not problem.cell(grade_id).is_answer:
            raise KeyError(grade_id)
    parts = [Part(c, sources.get(c.grade_id, _text_of(c)), c.cell_type) for c in problem.cells]
    return Submission(problem, tuple(parts))


def from_python(problem: Problem, text: str) -> Submission:
    """A submission whose answer is one Python text that defines the functions of the contract.

    It stands in the first code answer cell; the others are empty.
    """
    answers = problem.by_role("answer")
    sources = {cell.grade_id: "" for cell in answers}
    sources[answers[0].grade_id] = text
    return from_sources(problem, sources)


def _text_of(cell: Cell) -> str:
    return cell.stub if cell.is_answer else cell.source


class _Unreadable(Exception):
    kind = Kind.FORMAT


class _NothingThere(_Unreadable):
    kind = Kind.NOT_ATTEMPTED


def _read_cells(path: Path) -> list[dict[str, Any]]:
    again = "Hand in the released notebook with your answers in it."
    try:
        status = os.lstat(path)
    except OSError:
        raise _NothingThere("No notebook was handed in for this problem.") from None
    if stat.S_ISLNK(status.st_mode):
        raise _Unreadable(
            "What was handed in is a link to a file, not the file itself. Hand in the notebook."
        )
    if not stat.S_ISREG(status.st_mode):
        raise _Unreadable("What was handed in is not a file. Hand in the notebook.")
    if status.st_size > MAX_BYTES:
        raise _Unreadable(
            f"The notebook is {status.st_size / 2**20:.0f} MB, and {MAX_BYTES / 2**20:.0f} MB is the "
            "most that is read. "
            "Clear its outputs (Edit, Clear Outputs of All Cells), save it, and hand it in again."
        )
    try:
        # O_NOFOLLOW: the file must still be what lstat saw.
        fd = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0))
        with os.fdopen(fd, "rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise _Unreadable(f"The notebook could not be read ({error.strerror}).") from None
    if not data.strip():
        raise _Unreadable(f"The notebook is an empty file. {again}")
    try:
        notebook = json.loads(data)
    except RecursionError:
        raise
    except ValueError as error:
        raise _Unreadable(f"The notebook is no valid JSON ({error}). {again}") from None
    if not isinstance(notebook, dict):
        raise _Unreadable(f"The file is JSON, and no notebook. {again}")
    cells = notebook.get("cells")
    if cells is None and isinstance(notebook.get("worksheets"), list):  # nbformat 3
        sheets = [s.get("cells") for s in notebook["worksheets"] if isinstance(s, dict)]
        old = [c for sheet in sheets if isinstance(sheet, list) for c in sheet if isinstance(c, dict)]
        cells = [{"source": c.get("input", ""), **c} for c in old]
    if not isinstance(cells, list):
        raise _Unreadable(f"The notebook has no cells. {again}")
    if len(cells) > MAX_CELLS:
        raise _Unreadable(f"The notebook has {len(cells)} cells, and {MAX_CELLS} is the most that is read.")
    return [cell for cell in cells if isinstance(cell, dict)]


def _source(raw: dict[str, Any]) -> str:
    source = raw.get("source", "")
    if isinstance(source, list):
        source = "".join(s for s in source if isinstance(s, str))
    if not isinstance(source, str):
        return ""
    # A lone surrogate is legal in JSON and cannot be written to a file.
    return source.encode("utf-8", "replace").decode()


def _grade_id(raw: dict[str, Any]) -> str | None:
    metadata = raw.get("metadata")
    nbgrader = metadata.get("nbgrader") if isinstance(metadata, dict) else None
    grade_id = nbgrader.get("grade_id") if isinstance(nbgrader, dict) else None
    return unicodedata.normalize("NFC", grade_id) if isinstance(grade_id, str) else None


def _is_desk(raw: dict[str, Any]) -> bool:
    """Whether it is a cell that the desk put into a learner's copy: a clock, a button. It is no answer."""
    metadata = raw.get("metadata")
    mine = metadata.get("fourrounds") if isinstance(metadata, dict) else None
    return isinstance(mine, dict) and mine.get("role") == "desk"


def _attachments(raw: dict[str, Any]) -> dict[str, Any] | None:
    """Pasted pictures of a written answer: PNG and JPEG, within reason."""
    found = raw.get("attachments")
    if not isinstance(found, dict):
        return None
    kept: dict[str, Any] = {}
    size = 0
    for name, bundle in found.items():
        if not isinstance(bundle, dict):
            continue
        for kind in ("image/png", "image/jpeg"):
            data = bundle.get(kind)
            if isinstance(data, str) and size + len(data) <= MAX_PICTURES:
                kept.setdefault(name, {})[kind] = data
                size += len(data)
    return kept or None


def _assemble(problem: Problem, cells: list[dict[str, Any]]) -> Submission:
    known = {cell.grade_id: cell for cell in problem.cells}
    answers: dict[str, dict[str, Any]] = {}
    doubled: set[str] = set()
    extras: dict[str | None, list[Part]] = {}
    anchor: str | None = None
    seen: list[str] = []
    long = 0
    for raw in cells:
        grade_id = _grade_id(raw)
        if grade_id in known:
            if known[grade_id].is_answer:
                if grade_id in answers:
                    doubled.add(grade_id)
                answers[grade_id] = raw
            if grade_id not in seen:
                # The learner's own cells stay behind the source's cell that they stood behind.
                anchor = grade_id
            seen.append(grade_id)
            continue
        if _is_desk(raw):
            continue
        kind = raw.get("cell_type")
        source = _source(raw)
        if kind not in ("code", "markdown") or not source.strip():
            continue
        if len(source) > MAX_CELL_CHARACTERS:
            long += 1
            continue
        extras.setdefault(anchor, []).append(Part(None, source, kind, _attachments(raw)))
    notes = [
        f"The answer cell {i!r} stood there more than once; the last one counts." for i in sorted(doubled)
    ]
    if long:
        notes.append(
            f"{long} cells of your own were longer than {MAX_CELL_CHARACTERS} characters and were left out."
        )
    parts = list(extras.get(None, []))
    for cell in problem.cells:
        attachments = None
        if not cell.is_answer:
            source, attachments = cell.source, cell.attachments
        elif cell.grade_id in answers:
            raw = answers[cell.grade_id]
            source, attachments = _source(raw), _attachments(raw)
            if len(source) > MAX_CELL_CHARACTERS:
                source = cell.stub
                notes.append(
                    f"The answer cell {cell.grade_id!r} is longer than {MAX_CELL_CHARACTERS} characters."
                )
        else:
            source = ""
            notes.append(f"The answer cell {cell.grade_id!r} was missing.")
        parts.append(
            Part(cell, source, cell.cell_type, attachments if cell.cell_type == "markdown" else None)
        )
        parts += extras.get(cell.grade_id, [])
    missing = [c.grade_id for c in problem.cells if c.role == "hidden" and c.grade_id not in seen]
    if missing:
        notes.append(f"Test cells were missing and were put back: {', '.join(missing)}.")
    return Submission(problem, tuple(parts), tuple(notes))
