"""The rules of a proof, each broken once."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from fourrounds.checks import Kind
from fourrounds.course.new import new
from fourrounds.course.prove import Proof, prove
from fourrounds.examiner.grading import Examiner
from fourrounds.examiner.problem import Cell, Fault, Problem, Variant, load_problem
from fourrounds.examiner.report import CellReport, Report
from fourrounds.examiner.submission import Submission

Verdict = Callable[[str, int], set[str]]
"""The groups that an answer of this name loses with this seed."""

OWN = {"no_scale": {"norm"}, "axis": {"norm", "batch"}, "mixes": {"batch"}, "overflow": {"edges"}}


class Pretender:
    """Grades by ``lost``, and names every fault by ``name``."""

    def __init__(self, problem: Problem, lost: Verdict, name: Callable[[str], str | None]) -> None:
        self.problem = problem
        self.lost = lost
        self.name = name
        self.broken: set[str] = set()
        self.provided_stop: set[str] = set()

    def grade(self, problem: Problem, submission: Submission, seed: int | None = None) -> Report:
        text = "\n".join(part.source for part in submission.parts if part.cell and part.cell.is_answer)
        assert "### BEGIN SOLUTION" not in text
        named = [
            line.removeprefix("# answer: ") for line in text.split("\n") if line.startswith("# answer: ")
        ]
        answer = named[-1] if named else "solution"
        assert "def softmax" in text, "the solution stands before what differs"
        seed = seed or 0
        lost = self.lost(answer, seed)
        report = Report(problem.slug, problem.assignment, seed, "pretended")
        for cell in problem.by_role("hidden", "manual"):
            bad = cell.group in lost
            kind = Kind.WRONG_VALUE if bad else Kind.OK
            if cell.role == "manual":
                kind = Kind.MANUAL
            if answer in self.broken:
                kind = Kind.EXAMINER_FAULT
            points = None if cell.role == "manual" else 0.0 if bad else cell.points
            fault = self.name(answer) if bad else None
            report.cells.append(
                CellReport(cell.grade_id, cell.group or "manual", kind, points, cell.points, "told", fault)
            )
        stopped = answer in self.provided_stop
        kind = Kind.WRONG_SHAPE if stopped else Kind.OK
        report.provided.append(CellReport("provided", "provided", kind, 0.0, 0.0, "seen"))
        return report


@pytest.fixture
def problem(empty: Path) -> Problem:
    """The starter with three groups (2, 1 and 1 points), four faults and a variant that only carry a name."""
    made = load_problem(new(empty, "softmax"))
    hidden = next(cell for cell in made.cells if cell.role == "hidden")
    cells: list[Cell] = [cell for cell in made.cells if cell.role != "hidden"]
    for group, points in (("norm", 2.0), ("batch", 1.0), ("edges", 1.0)):
        cells.append(replace(hidden, grade_id=f"test_{group}", group=group, points=points))
    groups = {"no_scale": "norm", "axis": "norm", "mixes": "batch", "overflow": "edges"}
    faults = tuple(Fault(n, g, "says", "see", "ask", f"# answer: {n}") for n, g in groups.items())
    return replace(
        made,
        cells=tuple(cells),
        faults=faults,
        variants=(Variant("loops", "says", "# answer: loops"),),
    )


def proved(problem: Problem, lost: Verdict, name: Callable[[str], str | None] = lambda n: n) -> Proof:
    return prove(problem, Pretender(problem, lost, name), (1, 2, 3))  # type: ignore[arg-type]


def usual(answer: str, seed: int) -> set[str]:
    return OWN.get(answer, set())


def test_a_problem_that_holds(problem: Problem) -> None:
    seen: list[tuple[int, int, str]] = []
    pretender = Pretender(problem, usual, lambda name: name)
    pretender.provided_stop = {"axis"}
    proof = prove(problem, pretender, (1, 2, 3), lambda *told: seen.append(told))  # type: ignore[arg-type]
    assert proof.problems == []
    assert proof.ok
    assert [row.name for row in proof.rows] == ["solution", "loops", *OWN]
    assert {row.name: set(row.lost) for row in proof.rows if row.lost} == OWN
    assert [row.name for row in proof.rows if row.stopped_by_provided] == ["axis"]
    assert proof.markdown() == (
        "| fault | its group | norm | batch | edges | provided tests |\n"
        "|:--|:--|:-:|:-:|:-:|:-:|\n"
        "| `no_scale` | norm | ✗ | · | · | · |\n"
        "| `axis` | norm | ✗ | ✗ | · | ✗ |\n"
        "| `mixes` | batch | · | ✗ | · | · |\n"
        "| `overflow` | edges | · | · | ✗ | · |\n\n"
        "The provided tests alone stop 1 of 4 faults.\n\n"
        "Full marks: solution, loops."
    )
    assert seen[0] == (0, 18, "solution")
    assert seen[-1] == (18, 18, "done")
    assert [done for done, _, _ in seen] == list(range(19))


def test_the_solution_and_the_variants_get_full_marks_on_every_seed(problem: Problem) -> None:
    def lost(answer: str, seed: int) -> set[str]:
        return {"edges"} if answer in {"solution", "loops"} and seed == 2 else usual(answer, seed)

    assert proved(problem, lost).problems == [
        "solution fails test_edges with seed 2 (wrong value): told",
        "the variant loops fails test_edges with seed 2 (wrong value): told",
    ]


def test_a_fault_stands_before_every_provided_test(problem: Problem) -> None:
    """Provided tests may stand between two answer cells, and must meet what differs in the first."""
    answer = problem.by_role("answer")[0]
    number = problem.cells.index(answer)
    second = replace(answer, grade_id="second", source="two = 2")
    split = replace(problem, cells=(*problem.cells[:number], answer, second, *problem.cells[number + 1 :]))
    seen: dict[str, set[bool]] = {}
    pretender = Pretender(split, usual, lambda name: name)

    class Watcher:
        def grade(self, problem: Problem, submission: Submission, seed: int | None = None) -> Report:
            code = [p.source for p in submission.parts if p.cell and p.cell.role == "answer"]
            for name in OWN:
                if f"# answer: {name}" in code[-1]:
                    seen[name] = {f"# answer: {name}" in text for text in code}
            return pretender.grade(problem, submission, seed)

    prove(split, Watcher(), (1,))  # type: ignore[arg-type]
    assert seen == {name: {True} for name in OWN}


def test_the_solution_passes_the_provided_tests(problem: Problem) -> None:
    pretender = Pretender(problem, usual, lambda name: name)
    pretender.provided_stop = {"solution"}
    proof = prove(problem, pretender, (1,))  # type: ignore[arg-type]
    assert proof.problems == ["solution fails provided with seed 1 (wrong shape): seen"]


def test_a_fault_fails_its_group_on_every_seed(problem: Problem) -> None:
    def lost(answer: str, seed: int) -> set[str]:
        return set() if answer == "mixes" and seed != 2 else usual(answer, seed)

    problems = proved(problem, lost).problems
    assert "the fault mixes keeps the points of its group batch with the seeds [1, 3]" in problems


def test_no_verdict_flips(problem: Problem) -> None:
    def lost(answer: str, seed: int) -> set[str]:
        return {"norm"} if answer == "axis" and seed != 3 else usual(answer, seed)

    assert proved(problem, lost).problems == [
        "the fault axis fails batch with some seeds and passes it with the seeds [1, 2]"
    ]


def test_a_fault_keeps_half_of_the_other_groups(problem: Problem) -> None:
    def lost(answer: str, seed: int) -> set[str]:
        return {"norm", "batch", "edges"} if answer == "axis" else usual(answer, seed)

    (line,) = proved(problem, lost).problems
    assert line.startswith("the fault axis of norm takes 2 of the 2 points of the other groups")


def test_half_is_counted_in_points(problem: Problem) -> None:
    def lost(answer: str, seed: int) -> set[str]:
        return {"norm", "edges"} if answer == "overflow" else usual(answer, seed)

    lines = proved(problem, lost).problems
    assert lines[0].startswith("the fault overflow of edges takes 2 of the 3 points of the other groups")


def test_a_fault_is_named(problem: Problem) -> None:
    proof = proved(problem, usual, lambda name: {"mixes": "axis", "overflow": None}.get(name, name))
    assert proof.problems == [
        "the fault mixes is named axis in test_batch with the seeds [1, 2, 3]",
        "the fault overflow is named nothing in test_edges with the seeds [1, 2, 3]",
    ]
    assert [row.name for row in proof.rows if row.role == "fault" and not row.named] == ["mixes", "overflow"]


def test_every_group_has_a_fault_of_its_own(problem: Problem) -> None:
    without = replace(problem, faults=tuple(f for f in problem.faults if f.group != "edges"))
    assert proved(without, usual).problems == ["the group edges has no fault"]


def test_every_group_is_failed_alone_by_one_fault(problem: Problem) -> None:
    without = replace(problem, faults=tuple(f for f in problem.faults if f.name != "no_scale"))
    assert proved(without, usual).problems == [
        "no fault of the group norm fails it alone: axis fail others too"
    ]


def test_one_group_is_one_cell(problem: Problem) -> None:
    double = replace(problem.cell("test_edges"), grade_id="test_edges_again")
    lines = proved(replace(problem, cells=(*problem.cells, double)), usual).problems
    assert lines == ["the group edges has more than one hidden cell; one cell is one group"]


def test_a_test_that_fails_by_itself_is_told(problem: Problem) -> None:
    pretender = Pretender(problem, usual, lambda name: name)
    pretender.broken = {"mixes"}
    lines = prove(problem, pretender, (1,)).problems  # type: ignore[arg-type]
    assert "test_batch fails by itself with the fault mixes (seed 1): told" in lines


def test_it_is_shown_in_a_terminal(problem: Problem) -> None:
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(proved(problem, usual, lambda name: None))
    text = console.export_text()
    assert "no_scale" in text
    assert "the fault mixes is named nothing" in text


def test_a_real_proof_finds_a_missing_rule(empty: Path, examiner: Examiner) -> None:
    """The starter with a fault that is right, and with a variant that is wrong."""
    problem = load_problem(new(empty, "softmax"))
    harmless = replace(problem.faults[0], name="harmless", source=problem.variants[0].source)
    wrong = Variant("wrong", "says", problem.faults[0].source)
    doubtful = replace(problem, faults=(*problem.faults, harmless), variants=(wrong,), sha256="another")
    lines = prove(doubtful, examiner, (1, 2)).problems
    assert "the fault harmless keeps the points of its group normalisation with the seeds [1, 2]" in lines
    assert any(line.startswith("the variant wrong fails test_normalisation with seed 1") for line in lines)
