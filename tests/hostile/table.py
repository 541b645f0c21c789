"""Writes docs/hostile.md from a run: ``cd tests && python -m hostile.table [--keep]``.

That takes a quarter of an hour, most of it stock nbgrader's. With ``--keep`` what the page says of stock
nbgrader stays, and only submissions that are new to it are run with that.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType

from fourrounds.examiner.problem import Problem, load_problem
from hostile.batch import (
    DECLARED_IN,
    ROOT,
    Batch,
    Graded,
    Run,
    graded_batch,
    hand_in,
    listener,
    lowered,
    run_nbgrader,
    strongest,
)
from hostile.cases import ASSIGNMENT, CASES, SLUG, THREATS, Case, Maker, right
from hostile.page import Page
from support.stock import stock_course, stock_release

DOCUMENT = ROOT / "docs" / "hostile.md"
HEADER = ["submission", "threat", "what it does", "verdict", "stock nbgrader", "held by"]
CELL_SECONDS = 10
"""Stock nbgrader's limit for a cell, lowered from 30 s to save time."""
HELD_BY = {
    "process": "every level",
    "bubblewrap": "bubblewrap, namespaces",
    "namespaces": "namespaces",
}

INTRODUCTION = """\
# What a submission can try

Generated from a run by `cd tests && python -m hostile.table`. CI runs the whole batch through one
`nbgrader autograde` and compares what happens with this page.

Each row is one submission to `{slug}`, worth {points:g} points. Where the aim is to get points that are not
earned, the answer is wrong and due to score 0. Where honest work must not be refused, it is right and due to
score {points:g}.

- *verdict*: what the examiner says.
- *stock nbgrader*: what nbgrader {nbgrader} does with the submission, alone and without this project's
  configuration: the score in its gradebook, and its exit status where that is not 0. One bad submission
  can also end the grading of all students after it, which does not show here.
- *held by*: the weakest sandbox level at which the verdict is promised. "every level" needs no sandbox,
  because the tests, the truth and the score are in another process than the answer. The rest is held by the
  sandbox alone. At a weaker level the tests run those of them that do no harm, and promise nothing of their
  score.

The same batch holds the worked solution, all variants, all faults and a blank notebook. They get the verdicts
that they get alone; no process and no file is left behind; the gradebook has every student.
"""


def ours(case: Case, graded: Graded) -> list[str]:
    """The columns of a case's row that are the same in every run."""
    score = f"{graded.score:g} of {graded.max_score:g}"
    if isinstance(case.verdict, dict):
        words = "; ".join(f"{group}: {kind}" for group, kind in case.verdict.items())
    else:
        words = " or ".join(case.verdict.split("|"))
    threats = "; ".join(THREATS[row] for row in case.rows)
    return [case.name, threats, case.does, f"{score}, {words}", HELD_BY[case.holds]]


def rows(text: str) -> dict[str, list[str]]:
    """The rows of a published table by the name of the submission."""
    lines = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| ")]
    return {cells[0]: cells for cells in lines if cells != HEADER}


class Stock:
    """A course for stock nbgrader, copied afresh for each submission."""

    def __init__(self, top: Path, port: int, received: list[bytes]) -> None:
        self.top, self.port, self.received = top, port, received
        lowered(ROOT / "source" / ASSIGNMENT / f"{SLUG}.ipynb", top / "ours" / ASSIGNMENT / f"{SLUG}.ipynb")
        stock_course(top / "course", top / "ours" / ASSIGNMENT)
        stock_release(top / "course", ASSIGNMENT)
        self.problem: Problem = load_problem(top / "ours" / ASSIGNMENT / f"{SLUG}.ipynb")

    def what_happens(self, case: Case) -> str:
        """What stock nbgrader does with one submission, in words."""
        if case.stock:
            return f"not run: {case.stock}"
        top = Path(tempfile.mkdtemp(dir=self.top))
        shutil.copytree(self.top / "course", top / "course")
        (top / "canary").mkdir()
        self._hand_in(top, "solution", right)
        self._hand_in(top, case.student, case.earlier or case.make)
        run = self._autograde(top, case)
        if case.earlier:
            shutil.rmtree(top / "course" / "submitted" / case.student)
            self._hand_in(top, case.student, case.make)
            run = self._autograde(top, case, "--force")
        words = [self._score(top, case, run)]
        if list((top / "canary").iterdir()) or run.left:
            words.append("a process lives on")
        if 23 in case.rows and self.received:
            words.append("the data arrives")
        if 31 in case.rows and self._active(top, case):
            words.append("scripts run in the feedback")
        shutil.rmtree(top, ignore_errors=True)
        return "; ".join(words)

    def _hand_in(self, top: Path, student: str, make: Maker) -> None:
        hand_in(top / "course", top / "canary", self.port, self.problem, student, make)

    def _autograde(self, top: Path, case: Case, *more: str) -> Run:
        limit = f"--Execute.timeout={CELL_SECONDS}"
        # A student's name is a pattern to nbgrader.
        student = "".join(f"[{c}]" if c in "[]*?" else c for c in case.student)
        return run_nbgrader(top / "course", top, "autograde", ASSIGNMENT, "--student", student, limit, *more)

    @staticmethod
    def _score(top: Path, case: Case, run: Run) -> str:
        from nbgrader.api import Gradebook, MissingEntry

        end = "" if run.status == 0 else f"exit {run.status}, "
        with Gradebook(f"sqlite:///{top / 'course' / 'gradebook.db'}") as book:
            try:
                submission = book.find_submission(ASSIGNMENT, case.student)
            except MissingEntry:
                return f"{end}no entry in the gradebook"
            grades = [grade for notebook in submission.notebooks for grade in notebook.grades]
            if any(grade.auto_score is None for grade in grades):
                return f"{end}no score"
            if run.status != 0 and case.earlier:
                end += "keeps "
            return f"{end}{submission.score:g} of {submission.max_score:g}"

    @staticmethod
    def _active(top: Path, case: Case) -> bool:
        run_nbgrader(top / "course", top, "generate_feedback", ASSIGNMENT, "--student", case.student)
        path = top / "course" / "feedback" / case.student / ASSIGNMENT / f"{SLUG}.html"
        return path.is_file() and any(
            "pwned" in what for what in Page(path.read_text(encoding="utf-8")).active
        )


def section(module: ModuleType, batch: Batch, stock: dict[str, str]) -> str:
    """The table of the submissions that one module declares."""
    title = " ".join((module.__doc__ or "").split("\n\n")[0].split())
    lines = [f"## {title.rstrip('.')}", "", f"| {' | '.join(HEADER)} |", f"|{'---|' * len(HEADER)}"]
    for case in CASES:
        if case.make.__module__ == module.__name__:
            cells = ours(case, batch.graded[case.student])
            cells.insert(-1, stock[case.name])
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    from importlib.metadata import version

    with graded_batch() as batch:
        if not strongest(batch.level):
            sys.exit(
                f"The table is made at the strongest sandbox level, and this machine reaches {batch.level}."
            )
        if any(run.status for run in batch.runs):
            sys.exit(batch.runs[0].log + batch.runs[1].log)
        said = {}
        if "--keep" in sys.argv[1:]:
            said = {name: cells[-2] for name, cells in rows(DOCUMENT.read_text(encoding="utf-8")).items()}
        new = [case for case in CASES if case.name not in said]
        os.environ.pop(
            "PYTHONPATH", None
        )  # it would change what an answer in stock nbgrader's kernel imports
        with tempfile.TemporaryDirectory(prefix="fourrounds-stock-") as top, listener() as (port, received):
            stock = Stock(Path(top), port, received)
            with ThreadPoolExecutor(2) as pool:
                said |= dict(zip([case.name for case in new], pool.map(stock.what_happens, new), strict=True))
        about = {"slug": SLUG, "points": batch.problem.points, "nbgrader": version("nbgrader")}
        parts = [
            INTRODUCTION.format(**about).rstrip(),
            *(section(module, batch, said) for module in DECLARED_IN),
        ]
        DOCUMENT.write_text("\n\n".join(parts) + "\n", encoding="utf-8", newline="\n")
        print(f"{DOCUMENT.relative_to(ROOT)}: {len(CASES)} submissions")


if __name__ == "__main__":
    main()
