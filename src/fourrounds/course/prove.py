"""Grade what an author knows the verdict of: the solution, the variants and the faults, over several seeds.

The rules, and why each is there, are in docs/authors.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from rich.console import Group
from rich.text import Text

from fourrounds.checks import Kind
from fourrounds.course.matrix import Matrix, Row
from fourrounds.course.text import reveal
from fourrounds.examiner.grading import Examiner
from fourrounds.examiner.problem import Cell, Problem
from fourrounds.examiner.report import Report
from fourrounds.examiner.submission import from_sources

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Graded:
    """One answer with a known verdict, and its reports: one for each seed."""

    name: str
    role: str
    group: str | None
    source: str
    reports: list[Report] = field(default_factory=list)


@dataclass(frozen=True)
class Proof:
    """What :func:`prove` found. ``problems`` says what is wrong, one line each."""

    slug: str
    seeds: tuple[int, ...]
    matrix: Matrix
    problems: list[str]

    @property
    def ok(self) -> bool:
        return not self.problems

    @property
    def rows(self) -> tuple[Row, ...]:
        return self.matrix.rows

    def markdown(self) -> str:
        """The fault x group matrix and the variants, as a page shows them."""
        return self.matrix.markdown()

    def __rich__(self) -> Group:
        """For ``rich.console.Console.print``: the matrix, then what is wrong."""
        wrong = [Text(f"✗ {line}", style="red") for line in self.problems]
        return Group(self.matrix, *([Text(), *wrong] if wrong else []))


def prove(
    problem: Problem, examiner: Examiner, seeds: Sequence[int], progress: Progress | None = None
) -> Proof:
    """Grade the solution, each variant and each fault of ``problem`` with every one of ``seeds``.

    ``progress`` is told how many of all gradings are done, and what comes next.
    """
    answers = list(_answers(problem))
    total = len(answers) * len(seeds)
    for number, answer in enumerate(answers):
        sources = _sources(problem, answer.source)
        for turn, seed in enumerate(seeds):
            if progress:
                progress(number * len(seeds) + turn, total, answer.name)
            answer.reports.append(examiner.grade(problem, from_sources(problem, sources), seed=seed))
    if progress:
        progress(total, total, "done")
    rows = tuple(_row(problem, answer) for answer in answers)
    return Proof(
        slug=problem.slug,
        seeds=tuple(seeds),
        matrix=Matrix(problem.groups, rows),
        problems=[*_broken(problem, answers), *_unproved_groups(problem, rows)],
    )


def _answers(problem: Problem) -> Iterator[Graded]:
    yield Graded("solution", "solution", None, "")
    for variant in problem.variants:
        yield Graded(variant.name, "variant", None, variant.source)
    for fault in problem.faults:
        yield Graded(fault.name, "fault", fault.group, fault.source)


def _sources(problem: Problem, extra: str) -> dict[str, str]:
    """The worked answer cells; ``extra`` defines again what differs.

    It stands at the end of each code cell, so that provided tests between them meet it too.
    """
    sources = {cell.grade_id: reveal(cell.source) for cell in problem.cells if cell.is_answer}
    if extra:
        for cell in problem.by_role("answer"):
            sources[cell.grade_id] += f"\n\n\n{extra}"
    return sources


def _cell_of(problem: Problem, group: str) -> Cell:
    """The graded cell of a group."""
    return next(cell for cell in problem.by_role("hidden") if cell.group == group)


def _lost(problem: Problem, report: Report) -> frozenset[str]:
    """The groups that lost a point."""
    cells = {cell.grade_id: cell for cell in report.cells}
    lost = set()
    for cell in problem.by_role("hidden"):
        verdict = cells[cell.grade_id]
        if verdict.points is None or verdict.points < cell.points or verdict.kind is not Kind.OK:
            lost.add(cell.group or "")
    return frozenset(lost)


def _row(problem: Problem, answer: Graded) -> Row:
    own = _cell_of(problem, answer.group) if answer.group else None
    return Row(
        name=answer.name,
        role=answer.role,
        group=answer.group,
        lost=frozenset().union(*(_lost(problem, report) for report in answer.reports)),
        named=own is not None
        and all(report.cell(own.grade_id).fault == answer.name for report in answer.reports),
        stopped_by_provided=all(
            any(cell.kind is not Kind.OK for cell in report.provided) for report in answer.reports
        ),
    )


def _broken(problem: Problem, answers: list[Graded]) -> Iterator[str]:
    """The rules for one answer that do not hold: one line for each."""
    for answer in answers:
        what = answer.role if answer.role == "solution" else f"the {answer.role} {answer.name}"
        for report in answer.reports:
            for cell in (*report.cells, *report.provided):
                if cell.kind is Kind.EXAMINER_FAULT:
                    yield f"{cell.grade_id} fails by itself with {what} (seed {report.seed}): {cell.message}"
        if answer.group is None:
            yield from _not_right(problem, answer, what)
        else:
            yield from _not_proved(problem, answer, answer.group)


def _not_right(problem: Problem, answer: Graded, what: str) -> Iterator[str]:
    hidden = {cell.grade_id for cell in problem.by_role("hidden")}
    for report in answer.reports:
        for cell in (*report.provided, *(c for c in report.cells if c.grade_id in hidden)):
            full = cell.points is None or cell.points >= cell.max_points
            if cell.kind is not Kind.OK or not full:
                yield f"{what} fails {cell.grade_id} with seed {report.seed} ({cell.kind}): {cell.message}"


def _not_proved(problem: Problem, answer: Graded, group: str) -> Iterator[str]:
    lost = [_lost(problem, report) for report in answer.reports]
    seeds = [report.seed for report in answer.reports]
    for name in problem.groups:
        kept = [seed for seed, groups in zip(seeds, lost, strict=True) if name not in groups]
        if name == group and kept:
            yield f"the fault {answer.name} keeps the points of its group {group} with the seeds {kept}"
        elif name != group and 0 < len(kept) < len(seeds):
            yield f"the fault {answer.name} fails {name} with some seeds and passes it with the seeds {kept}"
    points = {cell.group: cell.points for cell in problem.by_role("hidden") if cell.group != group}
    gone = sum(points[name] for name in frozenset().union(*lost) - {group})
    if gone > sum(points.values()) / 2:
        yield (
            f"the fault {answer.name} of {group} takes {gone:g} of the {sum(points.values()):g} points of "
            "the other groups; half is the most, so test the groups apart"
        )
    own = _cell_of(problem, group)
    unnamed = {report.seed: report.cell(own.grade_id).fault for report in answer.reports}
    unnamed = {seed: fault for seed, fault in unnamed.items() if fault != answer.name}
    if unnamed:
        called = ", ".join(sorted({fault or "nothing" for fault in unnamed.values()}))
        yield f"the fault {answer.name} is named {called} in {own.grade_id} with the seeds {sorted(unnamed)}"


def _unproved_groups(problem: Problem, rows: tuple[Row, ...]) -> Iterator[str]:
    for group in dict.fromkeys(problem.groups):
        if problem.groups.count(group) > 1:
            yield f"the group {group} has more than one hidden cell; one cell is one group"
        own = [row for row in rows if row.group == group]
        if not own:
            yield f"the group {group} has no fault"
        elif not any(row.lost == {group} for row in own):
            names = ", ".join(row.name for row in own)
            yield f"no fault of the group {group} fails it alone: {names} fail others too"
