"""One way to write a source notebook to disk, so that a change of one line is a difference of one line.

``python -m fourrounds.course.canonical FILE...`` rewrites notebooks that an editor or jupytext left in
another form.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nbformat

from fourrounds.course.files import put

KERNELSPEC = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
CELL_METADATA = ("fourrounds", "nbgrader", "tags")
VOLATILE = {"checksum", "cell_type"}
"""Keys that nbgrader's own tools add to its metadata when they write a notebook."""


def canonical(notebook: Mapping[str, Any]) -> str:
    """The text of a source notebook: nbformat 4.5 without outputs, sorted keys, an indent of one, a last
    newline.

    A cell's id follows from what the cell is (its grade_id, ``fault-<name>``, or ``sample-<kind>``), since a
    tool that makes a notebook anew, as jupytext does, would otherwise draw random ones. Blank lines around a
    cell's text go, since jupytext does not keep them.
    """
    made = nbformat.v4.new_notebook(
        metadata={
            "kernelspec": KERNELSPEC,
            "language_info": {"name": "python"},
            **{key: value for key, value in notebook["metadata"].items() if key == "fourrounds"},
        }
    )
    taken: set[str] = set()
    for raw in notebook["cells"]:
        cell = nbformat.from_dict({"id": _id(raw, taken), "cell_type": raw["cell_type"]})
        cell.source = "".join(raw["source"]).strip("\n")
        cell.metadata = {key: raw["metadata"][key] for key in CELL_METADATA if key in raw["metadata"]}
        if "nbgrader" in cell.metadata:
            kept = {key: value for key, value in cell.metadata["nbgrader"].items() if key not in VOLATILE}
            cell.metadata["nbgrader"] = kept
        if raw["cell_type"] == "code":
            cell.update(execution_count=None, outputs=[])
        elif raw.get("attachments"):
            cell.attachments = raw["attachments"]
        made.cells.append(cell)
    return write_notebook(made)


def write_notebook(notebook: nbformat.NotebookNode) -> str:
    """The text of any notebook that this package writes."""
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    nbformat.validate(notebook)
    return nbformat.writes(notebook) + "\n"


def tidy(path: Path) -> bool:
    """Rewrite a source notebook canonically; whether that changed it."""
    return put(path, canonical(nbformat.read(path, as_version=4)).encode())


def _id(cell: Mapping[str, Any], taken: set[str]) -> str:
    mine = cell["metadata"].get("fourrounds", {})
    grade_id = cell["metadata"].get("nbgrader", {}).get("grade_id")
    wanted = grade_id or "-".join(str(mine[key]) for key in ("role", "name", "kind") if key in mine) or "cell"
    stem = re.sub(r"[^a-zA-Z0-9_-]+", "-", wanted)[:56]
    free, number = stem, 1
    while free in taken:
        number += 1
        free = f"{stem}-{number}"
    taken.add(free)
    return free


if __name__ == "__main__":
    for name in sys.argv[1:]:
        if tidy(Path(name)):
            print(f"rewrote {name}")
