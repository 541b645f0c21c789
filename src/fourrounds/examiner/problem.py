"""A problem: everything that its source notebook says, read by one function.

A source notebook (``source/<assignment>/<slug>.ipynb``) carries ``metadata.fourrounds`` on the notebook::

    {"title": str, "paper": {"authors", "title", "venue", "year", "arxiv"}, "minutes": int,
     "contract": [names of the functions], "prerequisites": [slugs], "related": [slugs],
     "limits": {"call_seconds": float, "total_seconds": float, "memory_mb": int}}

and ``metadata.fourrounds.role`` on each cell:

========== ======== ==========================================================================
role       kind     what it is
========== ======== ==========================================================================
front      markdown front matter: paper, minutes, points, groups
method     markdown the method section
contract   markdown signatures and conventions
text       markdown any other text that the reader needs
setup      code     imports; runs on both sides of the wall
answer     code     what the learner writes (nbgrader solution cell)
provided   code     visible tests (locked, not graded); runs in the examiner with the answer's proxies
truth      code     hidden references and helpers of the tests (graded with 0 points, so that nbgrader
                    hides it)
hidden     code     one graded group of hidden tests; ``group`` names it; with ``partial: true`` the cell
                    ends with the points that the answer has earned, and may ``display`` a report
picture    code     draws what was built; not run when grading
manual     any      an answer that a person grades (nbgrader solution and grade cell); its released text
                    asks the questions by which it is graded (``fourrounds.examiner.rubric``)
fault      code     a wrong answer that people write: ``name``, ``group``, ``says``, ``see``, ``ask``
variant    code     a right answer written differently: ``name``, ``says``
debrief    markdown what the solution notebook adds: follow-up questions and strong answers
sample     markdown a sample answer to the manual cell ``of``, of the ``kind`` weak or strong, with commentary
                    and a verdict on each question (``fourrounds.examiner.rubric``)
========== ======== ==========================================================================

Fault, variant, debrief and sample cells never leave source/ except into the solution; their text stands
between hidden-test markers so that stock nbgrader refuses to release them. A fault or variant is what a
learner's notebook would hold *after* the solution's answer cells: it defines again what differs.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fourrounds.examiner.rubric import KINDS, Question, RubricError, Sample, read_questions, read_sample

ROLES = {
    "front",
    "method",
    "contract",
    "text",
    "setup",
    "answer",
    "provided",
    "truth",
    "hidden",
    "picture",
    "manual",
    "fault",
    "variant",
    "debrief",
    "sample",
}
AUTHOR_ROLES = {"fault", "variant", "debrief", "sample"}
CODE_STUB = "# YOUR CODE HERE\nraise NotImplementedError()"
TEXT_STUB = "YOUR ANSWER HERE"


class ProblemError(Exception):
    """A source notebook breaks a rule. The message names the cell and says what to write."""


def clear_solution(source: str, cell_type: str = "code") -> str:
    """The text that nbgrader's ClearSolutions leaves of a solution cell."""
    stub = CODE_STUB if cell_type == "code" else TEXT_STUB
    lines: list[str] = []
    inside = replaced = False
    for line in source.split("\n"):
        if "BEGIN SOLUTION" in line:
            inside = replaced = True
            indent = line[: len(line) - len(line.lstrip())]
            lines += [indent + stub_line for stub_line in stub.split("\n")]
        elif "END SOLUTION" in line:
            inside = False
        elif not inside:
            lines.append(line)
    return "\n".join(lines) if replaced else stub


def clear_hidden(source: str) -> str:
    """The text that nbgrader's ClearHiddenTests leaves of a test cell."""
    lines: list[str] = []
    inside = False
    for line in source.split("\n"):
        if "BEGIN HIDDEN TESTS" in line:
            inside = True
        elif "END HIDDEN TESTS" in line:
            inside = False
        elif not inside:
            lines.append(line)
    return "\n".join(lines)


def _around_solution(source: str) -> str:
    """What is released of a solution cell, without nbgrader's stub; nothing of a cell without markers."""
    lines = clear_solution(source, "markdown").split("\n")
    return "\n".join(line for line in lines if line.strip() != TEXT_STUB)


def _inside_solution(source: str) -> str:
    """The worked answer of a cell: what stands between its markers."""
    return "\n\n".join(
        found.strip("\n") for found in re.findall(r"BEGIN SOLUTION.*\n([\s\S]*?)\n.*END SOLUTION", source)
    )


def unwrap(source: str) -> str:
    """An author's cell without its markers."""
    kept = [line for line in source.split("\n") if not re.search(r"(BEGIN|END) HIDDEN TESTS", line)]
    return "\n".join(kept).strip("\n")


@dataclass(frozen=True)
class Cell:
    """One cell of a source notebook that is released."""

    grade_id: str
    role: str
    cell_type: str
    source: str
    group: str | None
    points: float
    metadata: dict[str, Any] = field(hash=False, compare=False)
    attachments: dict[str, Any] | None = field(default=None, hash=False, compare=False, repr=False)

    @property
    def stub(self) -> str:
        """The source as it is released: what an untouched cell holds."""
        if self.role in {"answer", "manual"}:
            return clear_solution(self.source, self.cell_type)
        return clear_hidden(self.source)

    @property
    def questions(self) -> tuple[Question, ...]:
        """By what a person grades a manual cell; none for any other cell."""
        return read_questions(_around_solution(self.source), self.points) if self.role == "manual" else ()

    @property
    def is_test(self) -> bool:
        return self.role in {"provided", "hidden"}

    @property
    def partial(self) -> bool:
        """Whether the cell's last expression is the points that an answer has earned: nbgrader's own way to
        give a part of them."""
        return bool(self.metadata.get("fourrounds", {}).get("partial"))

    @property
    def is_answer(self) -> bool:
        return self.role in {"answer", "manual"}


@dataclass(frozen=True)
class Fault:
    """A wrong answer that people write; ``source`` defines again what differs from the solution."""

    name: str
    group: str
    says: str
    see: str
    ask: str
    source: str


@dataclass(frozen=True)
class Variant:
    """A right answer written differently."""

    name: str
    says: str
    source: str


@dataclass(frozen=True)
class Limits:
    """Seconds that one crossing of the wall and a whole submission may take; memory of the answer in MB."""

    call_seconds: float = 10.0
    total_seconds: float = 60.0
    memory_mb: int = 2048


@dataclass(frozen=True)
class Problem:
    """A source notebook, parsed. ``sha256`` is of the file's bytes."""

    slug: str
    assignment: str
    path: Path
    sha256: str
    title: str
    paper: dict[str, Any] = field(hash=False)
    minutes: int
    contract: tuple[str, ...]
    prerequisites: tuple[str, ...]
    related: tuple[str, ...]
    limits: Limits
    cells: tuple[Cell, ...]
    faults: tuple[Fault, ...]
    variants: tuple[Variant, ...]
    samples: tuple[Sample, ...]
    debrief: str
    notebook: dict[str, Any] = field(hash=False, compare=False, repr=False)

    @property
    def points(self) -> float:
        """The sum of all points, manually graded cells included."""
        return sum(cell.points for cell in self.cells)

    @property
    def groups(self) -> tuple[str, ...]:
        """The names of the hidden groups, in order."""
        return tuple(cell.group or "" for cell in self.cells if cell.role == "hidden")

    def by_role(self, *roles: str) -> list[Cell]:
        return [cell for cell in self.cells if cell.role in roles]

    def cell(self, grade_id: str) -> Cell:
        """The cell with this grade_id; ``KeyError`` if there is none."""
        for cell in self.cells:
            if cell.grade_id == grade_id:
                return cell
        raise KeyError(grade_id)

    def sample(self, grade_id: str, kind: str) -> Sample | None:
        """The sample answer of this kind (weak or strong) to a manual cell, if there is one."""
        found = (one for one in self.samples if (one.of, one.kind) == (grade_id, kind))
        return next(found, None)

    def solution(self) -> str:
        """The worked answer as Python: every code answer cell, in order, without its markers."""
        parts = [
            "\n".join(
                line for line in cell.source.split("\n") if not re.search(r"(BEGIN|END) SOLUTION", line)
            )
            for cell in self.by_role("answer")
        ]
        return "\n\n\n".join(parts)


def find_problems(source_dir: Path) -> Iterator[Path]:
    """The source notebooks below ``source_dir``, sorted by assignment and slug."""
    for path in sorted(source_dir.glob("*/*.ipynb")):
        if not path.name.startswith("."):
            yield path


def load_problem(path: Path) -> Problem:
    """Read one source notebook; ``ProblemError`` says which rule it breaks."""
    data = path.read_bytes()
    try:
        notebook = json.loads(data)
        cells = notebook["cells"]
        about = notebook["metadata"]["fourrounds"]
    except (ValueError, KeyError, TypeError) as error:
        raise ProblemError(
            f"{path.name} is no source notebook: it needs cells and metadata.fourrounds ({error!r})"
        ) from error
    parsed: list[Cell] = []
    faults: list[Fault] = []
    variants: list[Variant] = []
    debrief: list[str] = []
    samples: list[tuple[str, dict[str, Any], str]] = []
    for number, raw in enumerate(cells):
        _read_cell(path.stem, number, raw, parsed, faults, variants, debrief, samples)
    read = _read_samples(path.stem, parsed, samples)
    try:
        problem = Problem(
            slug=path.stem,
            assignment=path.parent.name,
            path=path,
            sha256=hashlib.sha256(data).hexdigest(),
            title=about["title"],
            paper=dict(about.get("paper", {})),
            minutes=int(about["minutes"]),
            contract=tuple(about["contract"]),
            prerequisites=tuple(about.get("prerequisites", ())),
            related=tuple(about.get("related", ())),
            limits=Limits(**about.get("limits", {})),
            cells=tuple(parsed),
            faults=tuple(faults),
            variants=tuple(variants),
            samples=read,
            debrief="\n\n".join(debrief),
            notebook=notebook,
        )
    except KeyError as error:
        raise ProblemError(f"{path.stem}: metadata.fourrounds needs {error}") from error
    except (TypeError, ValueError) as error:
        raise ProblemError(f"{path.stem}: metadata.fourrounds is out of form ({error})") from error
    _validate(problem)
    return problem


def _read_cell(
    slug: str,
    number: int,
    raw: dict[str, Any],
    cells: list[Cell],
    faults: list[Fault],
    variants: list[Variant],
    debrief: list[str],
    samples: list[tuple[str, dict[str, Any], str]],
) -> None:
    if not isinstance(raw, dict) or not isinstance(raw.get("metadata"), dict) or "source" not in raw:
        raise ProblemError(f"{slug}, cell {number}: it is no notebook cell, with metadata and a source")
    mine = raw["metadata"].get("fourrounds", {})
    nbgrader = raw["metadata"].get("nbgrader", {})
    role = mine.get("role")
    where = f"{slug}, cell {number} ({nbgrader.get('grade_id') or raw.get('id')})"
    if role not in ROLES:
        raise ProblemError(
            f"{where}: metadata.fourrounds.role is {role!r}; it must be one of {', '.join(sorted(ROLES))}"
        )
    source = "".join(raw["source"])
    if role in AUTHOR_ROLES:
        if "BEGIN HIDDEN TESTS" not in source or "END HIDDEN TESTS" not in source:
            raise ProblemError(
                f"{where}: a {role} cell stands between ### BEGIN HIDDEN TESTS and ### END HIDDEN TESTS, "
                "so that stock nbgrader refuses to release it"
            )
        if nbgrader.get("grade"):
            raise ProblemError(f"{where}: a {role} cell is not graded: take out metadata.nbgrader")
        try:
            if role == "fault":
                keys = ("name", "group", "says", "see", "ask")
                faults.append(Fault(**{key: mine[key] for key in keys}, source=unwrap(source)))
            elif role == "variant":
                variants.append(Variant(mine["name"], mine["says"], unwrap(source)))
            elif role == "sample":
                samples.append((where, {key: mine[key] for key in ("of", "kind")}, unwrap(source)))
            else:
                debrief.append(unwrap(source))
        except KeyError as error:
            raise ProblemError(f"{where}: metadata.fourrounds of a {role} needs {error}") from error
        return
    if not nbgrader.get("grade_id"):
        raise ProblemError(
            f"{where}: every released cell needs metadata.nbgrader with a grade_id (locked, or solution)"
        )
    wants = {
        "answer": (False, True),
        "manual": (True, True),
        "hidden": (True, False),
        "truth": (True, False),
    }.get(role, (False, False))
    if (bool(nbgrader.get("grade")), bool(nbgrader.get("solution"))) != wants:
        raise ProblemError(f"{where}: a {role} cell has nbgrader grade={wants[0]} and solution={wants[1]}")
    if role == "hidden" and not mine.get("group"):
        raise ProblemError(f"{where}: a hidden cell names its group in metadata.fourrounds.group")
    if mine.get("partial") and role != "hidden":
        raise ProblemError(f"{where}: only a hidden cell gives a part of its points (metadata: partial)")
    cells.append(
        Cell(
            grade_id=nbgrader["grade_id"],
            role=role,
            cell_type=raw["cell_type"],
            source=source,
            group=mine.get("group"),
            points=float(nbgrader.get("points", 0)) if nbgrader.get("grade") else 0.0,
            metadata=raw["metadata"],
            attachments=raw.get("attachments"),
        )
    )


def _read_samples(
    slug: str, cells: list[Cell], raw: list[tuple[str, dict[str, Any], str]]
) -> tuple[Sample, ...]:
    """The samples, each given as (where, metadata, text); a rubric out of form is refused here too."""
    manual = {cell.grade_id: cell for cell in cells if cell.role == "manual"}
    questions = {}
    for cell in manual.values():
        try:
            questions[cell.grade_id] = cell.questions
        except RubricError as error:
            raise ProblemError(f"{slug}, the manual cell {cell.grade_id}: {error}") from error
    samples: dict[tuple[str, str], Sample] = {}
    for where, about, text in raw:
        of, kind = about["of"], about["kind"]
        if of not in manual:
            raise ProblemError(f"{where}: a sample names a manual cell by its grade_id, and {of!r} is none")
        if kind not in KINDS:
            raise ProblemError(f"{where}: the kind of a sample is {' or '.join(KINDS)}, not {kind!r}")
        if (of, kind) in samples:
            raise ProblemError(f"{where}: {of} has a {kind} sample already")
        try:
            samples[of, kind] = read_sample(about, text, questions[of], _inside_solution(manual[of].source))
        except RubricError as error:
            raise ProblemError(f"{where}: {error}") from error
    for of in {of for of, _ in samples}:
        missing = [kind for kind in KINDS if (of, kind) not in samples]
        if missing:
            raise ProblemError(f"{slug}: {of} has one sample, and lacks the {missing[0]} one")
    return tuple(samples.values())


def _validate(problem: Problem) -> None:
    ids = [cell.grade_id for cell in problem.cells]
    doubled = {i for i in ids if ids.count(i) > 1}
    if doubled:
        raise ProblemError(f"{problem.slug}: two cells have the grade_id {', '.join(sorted(doubled))}")
    if not problem.contract:
        raise ProblemError(f"{problem.slug}: metadata.fourrounds.contract names no function")
    names = [f.name for f in problem.faults] + [v.name for v in problem.variants]
    if len(set(names)) < len(names):
        raise ProblemError(f"{problem.slug}: two faults or variants have one name: {sorted(names)}")
    strange = {fault.group for fault in problem.faults} - set(problem.groups)
    if strange:
        raise ProblemError(
            f"{problem.slug}: faults name the groups {sorted(strange)}, and the hidden cells {problem.groups}"
        )
    front = "\n".join(cell.source for cell in problem.by_role("front"))
    for due in (f"{problem.minutes} minutes", f"{problem.points:g} points"):
        if due not in front:
            raise ProblemError(f"{problem.slug}: the front matter must say “{due}”, as the metadata does")
