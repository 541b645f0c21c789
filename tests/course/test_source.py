"""This repository's own source/: in canonical form, and release/ and solutions/ made from it."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
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
    published = kills.read((ROOT / kills.PAGE).read_text(encoding="utf-8"))[problem.slug]
    assert published.table == proof.markdown()
    assert published.made_from == built_from(problem), "`fourrounds kills` brings it up to date"
    assert (published.seeds, published.flips) == (kills.seeds_of(problem), 0)


def drawn_sizes(text: str) -> Iterator[dict[str, object]]:
    """The sizes that each ``checks.Shapes(...)`` of a cell names; a computed one as its text."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "checks.Shapes":
            sizes: dict[str, object] = {}
            for keyword in node.keywords:
                try:
                    sizes[str(keyword.arg)] = ast.literal_eval(keyword.value)
                except ValueError:
                    sizes[str(keyword.arg)] = ast.unparse(keyword.value)
            yield sizes


def most_taken(wanted: set[int], others: list[set[int]]) -> int:
    """How many of the ``wanted`` sizes other axes can take, each one of its own (augmenting paths)."""
    owner: dict[int, int] = {}

    def take(axis: int, seen: set[int]) -> bool:
        for size in others[axis] & wanted - seen:
            seen.add(size)
            if size not in owner or take(owner[size], seen):
                owner[size] = axis
                return True
        return False

    return sum(take(axis, set()) for axis in range(len(others)))


def runs_out(sizes: dict[str, object]) -> str | None:
    """The axis for which no size may be left, drawn as Shapes draws: fixed ones first, then the narrowest."""
    earlier = [{size} for size in sizes.values() if isinstance(size, int)]
    ranges = {name: size for name, size in sizes.items() if isinstance(size, tuple)}
    for name, (low, high) in sorted(ranges.items(), key=lambda item: item[1][1] - item[1][0]):
        wanted = set(range(low, high + 1))
        if most_taken(wanted, earlier) == len(wanted):
            return name
        earlier.append(wanted)
    return None


@every_problem
def test_no_draw_of_sizes_can_run_out(path: Path) -> None:
    problem = load_problem(path)
    for cell in problem.by_role("hidden"):
        for sizes in drawn_sizes(cell.source):
            axis = runs_out(sizes)
            assert axis is None, f"{cell.grade_id}: no size may be left for {axis} of {sizes}"


def test_sizes_that_can_run_out_are_seen() -> None:
    (sizes,) = drawn_sizes(
        "s = checks.Shapes(rng, P=(2, 3), Q=(2, 4), S=(2, 5), a=(6, 9), b=(5, 9), r=(2, 6))"
    )
    assert runs_out(sizes) == "r"
    assert runs_out({**sizes, "r": (2, 7)}) is None
    assert runs_out({"B": (2, 3), "T": 3, "D": (2, 2)}) == "B"
