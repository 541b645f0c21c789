"""All of Round 1 as a class hands it in: worked by one student, left as released by another."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from nbgrader.api import Gradebook

from fourrounds.course.text import reveal
from fourrounds.examiner.problem import Problem, find_problems, load_problem

pytestmark = pytest.mark.slow

REPO = Path(__file__).resolve().parents[2]
ASSIGNMENT = "round1_implement"
PROBLEMS = [load_problem(path) for path in find_problems(REPO / "source") if path.parent.name == ASSIGNMENT]
SERIES = {
    "adamw",
    "attention",
    "bm25",
    "bpr",
    "clip",
    "dpo",
    "flash_attention",
    "gqa_kv_cache",
    "linear_attention",
    "lora",
    "nt_xent",
    "prompt_tuning",
    "rope",
    "sparse_attention",
    "speculative_sampling",
    "two_tower",
}


def released(problem: Problem) -> dict[str, Any]:
    path = REPO / "release" / ASSIGNMENT / problem.path.name
    notebook: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return notebook


def worked(problem: Problem) -> dict[str, Any]:
    notebook = released(problem)
    for cell in notebook["cells"]:
        nbgrader = cell["metadata"].get("nbgrader", {})
        if nbgrader.get("solution"):
            cell["source"] = reveal(problem.cell(nbgrader["grade_id"]).source)
    return notebook


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("series")
    shutil.copytree(REPO / "source" / ASSIGNMENT, root / "source" / ASSIGNMENT)
    shutil.copy(REPO / "nbgrader_config.py", root)
    for student, make in (("solved", worked), ("untouched", released)):
        folder = root / "submitted" / student / ASSIGNMENT
        folder.mkdir(parents=True)
        for problem in PROBLEMS:
            (folder / problem.path.name).write_text(json.dumps(make(problem)), encoding="utf-8")
    command = [sys.executable, "-m", "nbgrader", "autograde", ASSIGNMENT]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return root


def report(course: Path, student: str, problem: Problem) -> dict[str, Any]:
    path = course / "autograded" / student / ASSIGNMENT / f"{problem.slug}.report.json"
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def test_the_series_is_whole_and_refers_to_itself_alone() -> None:
    assert {problem.slug for problem in PROBLEMS} == SERIES
    for problem in PROBLEMS:
        assert set(problem.prerequisites) | set(problem.related) <= SERIES - {problem.slug}


@pytest.mark.parametrize("problem", PROBLEMS, ids=lambda problem: problem.slug)
def test_worked_it_gets_full_marks_and_untouched_none(course: Path, problem: Problem) -> None:
    solved = report(course, "solved", problem)
    assert {cell["kind"] for cell in solved["cells"]} == {"ok"}
    assert solved["score"] == problem.points
    untouched = report(course, "untouched", problem)
    assert {cell["kind"] for cell in untouched["cells"]} == {"not attempted"}
    assert untouched["score"] == 0
    with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as book:
        for student, score in (("solved", problem.points), ("untouched", 0.0)):
            submission = book.find_submission_notebook(problem.slug, ASSIGNMENT, student)
            assert (submission.score, submission.max_score) == (score, problem.points)
            assert not submission.needs_manual_grade
