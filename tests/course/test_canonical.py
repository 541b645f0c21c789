"""One form on disk: an editor, JupyterLab or jupytext may not change more than what was edited."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from fourrounds.course.canonical import canonical, tidy
from fourrounds.course.new import new
from fourrounds.examiner.problem import load_problem


def jupytext(*arguments: str | Path) -> None:
    command = [sys.executable, "-m", "jupytext", "--quiet", *map(str, arguments)]
    subprocess.run(command, check=True, capture_output=True, timeout=120)


@pytest.fixture
def path(empty: Path) -> Path:
    return new(empty, "softmax")


def test_the_form(path: Path) -> None:
    text = path.read_text()
    notebook = json.loads(text)
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    assert text.startswith('{\n "cells": [\n  {\n')
    assert text.endswith("\n}\n")
    assert all(not c["outputs"] and c["execution_count"] is None for c in notebook["cells"] if "outputs" in c)
    assert len({cell["id"] for cell in notebook["cells"]}) == len(notebook["cells"])
    assert canonical(notebook) == text


def test_what_a_kernel_and_an_editor_leave_is_taken_out(path: Path) -> None:
    text = path.read_text()
    notebook = nbformat.read(path, as_version=4)
    for number, cell in enumerate(notebook.cells):
        cell.id = f"random{number}"
        cell.source += "\n\n"
        cell.metadata["scrolled"] = True
        if cell.cell_type == "code":
            cell.execution_count = number
            cell.outputs = [nbformat.v4.new_output("stream", text="hello")]
        if "nbgrader" in cell.metadata:
            cell.metadata["nbgrader"]["checksum"] = "0" * 32
    notebook.metadata["language_info"]["version"] = "3.99"
    notebook.metadata["widgets"] = {}
    path.write_text(nbformat.writes(notebook, indent=4))
    assert tidy(path)
    assert path.read_text() == text
    assert not tidy(path)


def test_text_goes_through_jupytext_and_back(path: Path) -> None:
    text = path.read_text()
    script = path.with_suffix(".py")
    jupytext("--to", "py:percent", path)
    jupytext("--update", "--to", "ipynb", script)
    tidy(path)
    assert path.read_text() == text
    script.write_text(script.read_text().replace("runs over the whole", "is that of the whole"))
    jupytext("--update", "--to", "ipynb", script)
    tidy(path)
    assert path.read_text() == text.replace("runs over the whole", "is that of the whole")
    assert load_problem(path).faults[0].says.startswith("the sum is that of the whole")


def test_cells_of_one_name_get_different_ids(path: Path) -> None:
    notebook = json.loads(path.read_text())
    debrief = notebook["cells"][-1]
    again = json.loads(canonical({**notebook, "cells": [*notebook["cells"], debrief]}))
    assert [cell["id"] for cell in again["cells"][-2:]] == ["debrief", "debrief-2"]


def test_pasted_pictures_stay(path: Path) -> None:
    notebook = json.loads(path.read_text())
    notebook["cells"][0]["attachments"] = {"a.png": {"image/png": "AAAA"}}
    assert json.loads(canonical(notebook))["cells"][0]["attachments"] == {"a.png": {"image/png": "AAAA"}}
