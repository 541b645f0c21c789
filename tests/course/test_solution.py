"""What a worked solution holds, and that nbval finds its outputs again."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from fourrounds.course.text import fenced
from fourrounds.examiner.problem import Problem, load_problem


@pytest.fixture(scope="module")
def problem(pristine: Path) -> Problem:
    return load_problem(pristine / "source/round1_implement/softmax.ipynb")


@pytest.fixture(scope="module")
def cells(pristine: Path) -> dict[str, dict[str, Any]]:
    notebook = json.loads((pristine / "solutions/round1_implement/softmax.ipynb").read_text())
    made = {cell["id"]: {**cell, "source": "".join(cell["source"])} for cell in notebook["cells"]}
    assert len(made) == len(notebook["cells"])
    return made


def test_it_is_nothing_to_hand_in(cells: dict[str, dict[str, Any]], pristine: Path) -> None:
    assert all("nbgrader" not in cell["metadata"] for cell in cells.values())
    text = (pristine / "solutions/round1_implement/softmax.ipynb").read_text()
    for marker in ("BEGIN SOLUTION", "END SOLUTION", "BEGIN HIDDEN", "END HIDDEN", "NotImplementedError"):
        assert marker not in text


def test_every_cell_of_the_source_is_in_it_in_order(
    cells: dict[str, dict[str, Any]], problem: Problem
) -> None:
    ids = [raw["id"] for raw in problem.notebook["cells"] if not raw["id"].startswith("variant-")]
    assert [cell for cell in cells if cell in ids] == ids
    assert "e / e.sum(axis=-1, keepdims=True)" in cells["softmax"]["source"]
    assert cells["why_shift"]["source"].endswith("exp sees it.")


def test_answers_and_tests_were_run(cells: dict[str, dict[str, Any]]) -> None:
    code = [cell for cell in cells.values() if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))
    assert {"provided", "truth", "test_normalisation", "test_tolerance", "picture"} <= set(cells)
    assert "true_softmax(x)" in cells["test_normalisation"]["source"]
    assert cells["provided"]["outputs"][0]["text"] == ["The provided tests pass.\n"]
    assert cells["picture"]["outputs"][0]["data"]["image/png"]
    assert cells["test_tolerance-title"]["source"] == "#### Hidden tests: tolerance (2 points)"


def test_the_debrief(cells: dict[str, dict[str, Any]], problem: Problem) -> None:
    for fault in problem.faults:
        text = cells[f"fault-{fault.name}"]["source"]
        for part in (fault.group, fault.says, fault.see, fault.ask, fenced(fault.source)):
            assert part in text
        assert cells[f"fault-{fault.name}"]["cell_type"] == "markdown"
    for variant in problem.variants:
        assert variant.says in cells["debrief-variants"]["source"]
        assert fenced(variant.source) in cells["debrief-variants"]["source"]
    assert "| `no_shift` | tolerance | · | ✗ | · |" in cells["debrief-table"]["source"]
    weak, strong = cells["sample-weak"]["source"], cells["sample-strong"]["source"]
    assert "> Subtracting the largest logit is a standard trick" in weak
    assert "The sentence is true and names what others do." in weak
    (asked, _) = problem.cell("why_shift").questions
    assert f"1. *{asked.text}* **No:** that every framework does it is no reason" in weak
    assert f"1. *{asked.text}* **Yes:** the common factor is named" in strong
    assert ">" not in strong  # the model text stands above, where it was asked for
    assert cells["debrief"]["source"].startswith("## What comes next")
    assert list(cells)[-1] == "debrief"


def test_the_release_holds_no_key(pristine: Path, problem: Problem) -> None:
    text = (pristine / "release/round1_implement/softmax.ipynb").read_text()
    for secret in (
        "true_softmax",
        "torch",
        "no_shift",
        "log_space",
        "What comes next",
        "BEGIN",
        "e.sum",
        "standard trick",
    ):
        assert secret not in text
    ids = [cell["metadata"]["nbgrader"]["grade_id"] for cell in json.loads(text)["cells"]]
    assert ids == [cell.grade_id for cell in problem.cells]


def test_nbval_agrees_again_and_again(pristine: Path) -> None:
    command = [sys.executable, "-m", "pytest", "--nbval", "-q", "-p", "no:cacheprovider", "solutions"]
    for _ in range(2):
        done = subprocess.run(command, cwd=pristine, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stdout
        assert "7 passed" in done.stdout


def test_code_with_backticks_is_fenced() -> None:
    assert fenced('"""\n```\n"""') == '````python\n"""\n```\n"""\n````'
