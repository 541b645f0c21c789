"""This repository's own source/: in canonical form, and release/ and solutions/ made from it."""

from __future__ import annotations

import json
from pathlib import Path

import nbformat
import pytest

from fourrounds.course import kills
from fourrounds.course.build import SEEDS, build, built_from
from fourrounds.course.canonical import canonical
from fourrounds.course.prove import prove
from fourrounds.examiner.grading import Examiner
from fourrounds.examiner.problem import find_problems, load_problem

ROOT = Path(__file__).parents[2]
PATHS = list(find_problems(ROOT / "source"))
every_problem = pytest.mark.parametrize("path", PATHS, ids=[path.stem for path in PATHS])


def test_there_are_problems() -> None:
    assert PATHS


@every_problem
def test_it_is_canonical(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text == canonical(nbformat.read(path, as_version=4)), (
        f"python -m fourrounds.course.canonical {path.relative_to(ROOT)} puts it right"
    )


def test_release_and_solutions_are_up_to_date() -> None:
    assert build(ROOT, check=True).stale == []


@every_problem
def test_the_published_table_is_what_the_examiner_finds_now(path: Path, examiner: Examiner) -> None:
    problem = load_problem(path)
    proof = prove(problem, examiner, SEEDS)
    assert proof.problems == []
    solution = ROOT / "solutions" / problem.assignment / f"{problem.slug}.ipynb"
    cells = {cell["id"]: "".join(cell["source"]) for cell in json.loads(solution.read_bytes())["cells"]}
    assert cells["debrief-table"].endswith(proof.markdown())
    if problem.assignment == "round1_implement":
        published = kills.read((ROOT / kills.PAGE).read_text(encoding="utf-8"))[problem.slug]
        assert published.table == proof.markdown()
        assert published.made_from == built_from(problem), "`fourrounds kills` brings it up to date"
        assert (published.seeds, published.flips) == (kills.SEEDS, 0)
