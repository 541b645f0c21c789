"""A course in a scratch folder, with students who hand in: for nbgrader as it comes, or configured by us."""

from __future__ import annotations

import copy
import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nbgrader.api import Gradebook
from nbgrader.converters import Autograde
from nbgrader.coursedir import CourseDirectory
from nbgrader.utils import capture_log
from traitlets.config import Config

from fourrounds.examiner.plugins import configure
from fourrounds.examiner.problem import Problem
from support.stock import stock_course, stock_release

REPO = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Score:
    """One row of the gradebook."""

    auto: float | None
    manual: float | None
    needs_a_person: bool


class Classroom:
    """A course folder with one assignment of one problem."""

    def __init__(self, root: Path, problem: Problem) -> None:
        self.root = root
        self.problem = problem
        self.assignment = problem.assignment

    @classmethod
    def ours(cls, root: Path, problem: Problem) -> Classroom:
        """A clone as it comes: the project's configuration and the source, no gradebook."""
        folder = root / "source" / problem.assignment
        folder.mkdir(parents=True)
        shutil.copy(problem.path, folder)
        shutil.copy(REPO / "nbgrader_config.py", root)
        return cls(root, problem)

    @classmethod
    def stock(cls, root: Path, problem: Problem) -> Classroom:
        """A course for nbgrader as it comes, whose source has no cells that only the author sees."""
        stock_course(root, problem.path.parent)
        return cls(root, problem)

    def release(self) -> dict[str, Any]:
        """The student version of the notebook, as stock nbgrader makes it."""
        folder = stock_release(self.root, self.assignment)
        notebook: dict[str, Any] = json.loads((folder / self.problem.path.name).read_text(encoding="utf-8"))
        return notebook

    def submitted(self, student: str) -> Path:
        return self.root / "submitted" / student / self.assignment / self.problem.path.name

    def hand_in(self, student: str, notebook: dict[str, Any] | str) -> None:
        path = self.submitted(student)
        path.parent.mkdir(parents=True, exist_ok=True)
        text = notebook if isinstance(notebook, str) else json.dumps(notebook)
        path.write_text(text, encoding="utf-8")

    def nbgrader(self, *args: str) -> subprocess.CompletedProcess[str]:
        """nbgrader's own command, in a process of its own, in the course's folder."""
        command = [sys.executable, "-m", "nbgrader", *args]
        return subprocess.run(command, cwd=self.root, capture_output=True, text=True, check=False)

    def autograde(self, *, with_config: bool) -> None:
        """Autograde everybody in this process; ``RuntimeError`` with nbgrader's log if it fails."""
        config = Config()
        if with_config:
            configure(config)
        else:
            # Nothing of the verdict hangs on how politely a kernel is ended, and it takes 0.8 s.
            config.Execute.shutdown_kernel = "immediate"
        config.CourseDirectory.root = str(self.root)
        config.CourseDirectory.assignment_id = self.assignment
        result = capture_log(Autograde(coursedir=CourseDirectory(config=config), config=config))
        if not result["success"]:
            raise RuntimeError(result.get("log", "") + result["error"])

    @property
    def gradebook(self) -> str:
        return f"sqlite:///{self.root / 'gradebook.db'}"

    def scores(self, student: str) -> dict[str, Score]:
        """What the gradebook holds of a student, by grade_id."""
        with Gradebook(self.gradebook) as book:
            entry = book.find_submission_notebook(self.problem.slug, self.assignment, student)
            return {
                grade.name: Score(grade.auto_score, grade.manual_score, grade.needs_manual_grade)
                for grade in entry.grades
            }

    def report(self, student: str) -> dict[str, Any]:
        """The report beside the autograded notebook."""
        folder = self.root / "autograded" / student / self.assignment
        report: dict[str, Any] = json.loads((folder / f"{self.problem.slug}.report.json").read_text("utf-8"))
        return report


def answered(
    released: dict[str, Any],
    sources: dict[str, str],
    before: dict[str, str] | None = None,
    after: dict[str, str] | None = None,
) -> dict[str, Any]:
    """A released notebook with ``sources`` in its answer cells, and the learner's own code cells around them.

    All three are by grade_id.
    """
    notebook = copy.deepcopy(released)
    cells = []
    for cell in notebook["cells"]:
        grade_id = cell["metadata"]["nbgrader"]["grade_id"]
        if grade_id in sources:
            cell["source"] = sources[grade_id]
        cells += [own_cell(before[grade_id])] if grade_id in (before or {}) else []
        cells.append(cell)
        cells += [own_cell(after[grade_id])] if grade_id in (after or {}) else []
    for number, cell in enumerate(cells):
        cell["id"] = f"cell-{number}"
    notebook["cells"] = cells
    return notebook


def own_cell(source: str, cell_type: str = "code") -> dict[str, Any]:
    """A cell that a learner has added."""
    cell: dict[str, Any] = {"cell_type": cell_type, "metadata": {}, "source": source}
    if cell_type == "code":
        cell |= {"execution_count": None, "outputs": []}
    return cell


def worked(problem: Problem, extra: str = "") -> dict[str, str]:
    """The worked code answer cells; ``extra`` at the end of the last one defines again what differs."""
    cells = problem.by_role("answer")
    sources = {
        cell.grade_id: "\n".join(line for line in cell.source.split("\n") if " SOLUTION" not in line)
        for cell in cells
    }
    if extra:
        sources[cells[-1].grade_id] += f"\n\n\n{extra}"
    return sources
