"""What one submission of the hostile suite is, and the workbench on which it is made."""

from __future__ import annotations

import copy
import json
import os
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from typing import Any

from fourrounds.answers.sandbox import LEVELS
from fourrounds.course.text import reveal
from fourrounds.examiner.problem import Problem

ASSIGNMENT = "round1_implement"
SLUG = "attention"
FIRST, SECOND = "attention-answer", "multi-head-answer"

THREATS = {
    1: "patch np.allclose or numpy.testing",
    2: "patch the torch functions that the truth is made of",
    3: "replace modules in sys.modules",
    4: "a lying object (__eq__, __array_ufunc__)",
    5: "an ndarray subclass (__array_function__)",
    6: "an early result through the display hook",
    7: "AST and input transformers, patched run_cell",
    8: "patched kernel reply",
    9: "patched showtraceback",
    10: "exception handlers, clear_output, hooks",
    11: "patch the grading library",
    12: "read the hidden test and return the expected value",
    13: "lift expected values out of frames or memory",
    14: "read source/ or another submission",
    15: "read or write the gradebook",
    16: "end the process: os._exit, SIGKILL, segfault",
    17: "an endless loop",
    18: "a loop that cannot be interrupted",
    19: "a fork bomb",
    20: "use up the memory",
    21: "fill the disk",
    22: "flood the output",
    23: "send the tests out over the network",
    24: "threads and daemons that outlive the cell",
    25: "edit the tests or the points",
    26: "delete test cells",
    27: "flip nbgrader's flags",
    28: "double a cell",
    29: "rename a cell",
    30: "no notebook, a file that is none, or a huge one",
    31: "HTML and scripts into the feedback",
    32: "control characters into the feedback",
    33: "links in the submission",
    34: "odd file names",
    35: "modules that shadow others",
    36: "results that need pickle",
    37: "use torch in a NumPy answer",
    38: "warnings, stderr and failing cells in a right answer",
    39: "behave well only when graded",
    40: "answer the visible tests only",
    41: "results that differ from run to run",
    42: "look-alike names",
    43: "change the inputs to fool a later comparison",
    44: "carry state from test to test",
    45: "results of an odd type, shape or size",
    46: "a timestamp that is none",
    47: "feedback that takes minutes to make",
    48: "write into the examiner's channel",
}
"""What a submission can do to an autograder. The last row needs a wall with a channel through it."""

WRONG = {
    FIRST: """\
def attention(q, k, v, mask=None):
    return np.full((*q.shape[:-1], v.shape[-1]), 0.5, dtype=q.dtype)
""",
    SECOND: """\
def multi_head_attention(x, w_qkv, w_out, heads, mask=None):
    return np.full_like(x, 0.5)
""",
}
"""Right in shape and dtype, and wrong in every group: whoever gets points with it has taken them."""


@dataclass
class Work:
    """One submission in the making.

    ``notebook`` is written when its maker is done, unless that wrote a file itself or set ``keep`` to False.
    """

    folder: Path
    course: Path
    canary: Path
    port: int
    problem: Problem
    notebook: dict[str, Any]
    keep: bool = True

    @property
    def path(self) -> Path:
        return self.folder / f"{SLUG}.ipynb"

    @property
    def cells(self) -> list[dict[str, Any]]:
        return self.notebook["cells"]

    def cell(self, grade_id: str) -> dict[str, Any]:
        return next(c for c in self.cells if c["metadata"].get("nbgrader", {}).get("grade_id") == grade_id)

    def tests(self) -> list[dict[str, Any]]:
        """The graded cells."""
        return [c for c in self.cells if c["metadata"].get("nbgrader", {}).get("grade")]

    def right(self, before: str = "", after: str = "") -> None:
        """The worked solution, with code before and after it in the first answer cell."""
        self._answer({i: reveal(self.problem.cell(i).source) for i in (FIRST, SECOND)}, before, after)

    def wrong(self, before: str = "", after: str = "") -> None:
        """An answer that earns nothing, with code before and after it, all in the first answer cell."""
        self._answer({FIRST: "\n\n".join(WRONG.values()), SECOND: ""}, before, after)

    def code(self, source: str) -> None:
        """All of the answer in the first answer cell, nothing in the second."""
        self.cell(FIRST)["source"] = self._fill(source)
        self.cell(SECOND)["source"] = ""

    def steal(self, source: str) -> None:
        """``source`` that tries something and, where it worked, calls ``won()``: the answer becomes right."""
        solution = "\n\n".join(reveal(self.problem.cell(i).source) for i in (FIRST, SECOND))
        wrong = "\n\n".join(WRONG.values())
        self.code(f"{wrong}\n\ndef won():\n    exec({solution!r}, globals())\n\n\n{dedent(source)}")

    def insert(self, source: str, *, before: str, cell_type: str = "code") -> dict[str, Any]:
        """A cell of the learner's own, in front of a cell of the release."""
        cell = {
            "cell_type": cell_type,
            "id": f"own{len(self.cells)}",
            "metadata": {},
            "source": self._fill(source),
        }
        if cell_type == "code":
            cell |= {"execution_count": None, "outputs": []}
        self.cells.insert(self.cells.index(self.cell(before)), cell)
        return cell

    def _answer(self, sources: dict[str, str], before: str, after: str) -> None:
        for grade_id, source in sources.items():
            self.cell(grade_id)["source"] = source
        first = self.cell(FIRST)
        first["source"] = "\n\n".join(filter(None, [self._fill(before), first["source"], self._fill(after)]))

    def _fill(self, source: str) -> str:
        """``source`` with what an attacker might know: the course, the grader's Python, a port, a place."""
        places = {
            "COURSE": str(self.course),
            "CANARY": str(self.canary / self.folder.parent.name),
            "PYTHON": sys.executable,
            "PREFIX": sys.prefix,
            "PORT": self.port,
        }
        filled = re.sub(
            r"\b(COURSE|CANARY|PYTHON|PREFIX|PORT)\b", lambda found: repr(places[found[0]]), source
        )
        return dedent(filled).strip("\n")

    def write(self) -> None:
        """Write the notebook, unless its maker has put something there or has taken the folder away."""
        if self.keep and not self.folder.is_symlink() and not os.path.lexists(self.path):
            self.path.write_text(json.dumps(self.notebook), encoding="utf-8")


Maker = Callable[[Work], object]


@dataclass(frozen=True)
class Case:
    """One submission and what must become of it.

    ``verdict`` is the kind of every hidden group, or of those named (the others are ok); a bar joins
    alternatives. ``holds`` is the weakest sandbox level at which that is so, "process" where the wall is all.
    ``mild`` says that it does no harm where its level is not reached. ``stock`` says why it is not run with
    stock nbgrader, if it is not. ``earlier`` makes a submission that is graded before it. ``notes`` are words
    that the report must contain.
    """

    name: str
    rows: tuple[int, ...]
    does: str
    make: Maker
    verdict: str | dict[str, str] = "wrong value"
    holds: str = "process"
    mild: bool = True
    stock: str | None = None
    earlier: Maker | None = None
    student: str = ""
    notes: tuple[str, ...] = ()

    def held_at(self, level: str) -> bool:
        """Whether the verdict is promised at this sandbox level."""
        return LEVELS.index(level) <= LEVELS.index(self.holds)

    def kinds(self, group: str) -> set[str]:
        """The verdict kinds that are right for a group."""
        if isinstance(self.verdict, dict):
            return set(self.verdict.get(group, "ok").split("|"))
        return set(self.verdict.split("|"))


CASES: list[Case] = []


def case(*rows: int, name: str | None = None, **options: Any) -> Callable[[Maker], Maker]:
    """Declare the decorated maker as a case: its name and its docstring are the case's."""

    def declare(make: Maker) -> Maker:
        title = name or make.__name__.strip("_").replace("_", "-")
        does = " ".join((make.__doc__ or "").split())
        CASES.append(Case(title, rows, does, make, **{"student": title, **options}))
        return make

    return declare


def right(work: Work) -> None:
    """The worked solution and nothing else."""
    work.right()


def start(folder: Path, release: dict[str, Any], **places: Any) -> Work:
    """A workbench with the released notebook on it, and an empty folder."""
    folder.mkdir(parents=True)
    return Work(folder=folder, notebook=copy.deepcopy(release), **places)
