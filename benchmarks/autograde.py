"""Grade the same honest submissions with stock nbgrader and with the project's configuration, in one run.

    python benchmarks/autograde.py [--submissions 100] [--slug attention]

Both grade right and wrong answers (the solution, the variants and the faults in turn) with ``nbgrader
autograde`` as a command, on one worker, in two temporary courses. Prints the seconds of each, the ratio,
whether the scores agree, and where our time goes.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fourrounds.examiner.layout import find_root
from fourrounds.examiner.problem import AUTHOR_ROLES, Problem, load_problem
from fourrounds.examiner.submission import from_python

ROOT = find_root(Path(__file__).parent)


def honest_answers(problem: Problem, count: int) -> Iterator[tuple[str, str]]:
    """Names of students and their answers.

    Every second one right, the others wrong in the ways that people are.
    """
    right = [problem.solution(), *(f"{problem.solution()}\n\n\n{v.source}" for v in problem.variants)]
    wrong = [f"{problem.solution()}\n\n\n{f.source}" for f in problem.faults]
    for number in range(count):
        answers = right if number % 2 == 0 else wrong
        yield f"student{number:04d}", answers[number // 2 % len(answers)]


def make_course(folder: Path, problem: Problem, count: int, *, stock: bool) -> None:
    """A course with ``count`` submissions.

    For stock nbgrader without our configuration and without author cells.
    """
    source = folder / "source" / problem.assignment
    source.mkdir(parents=True)
    notebook = json.loads(problem.path.read_bytes())
    if stock:
        cells = notebook["cells"]
        notebook["cells"] = [c for c in cells if c["metadata"]["fourrounds"]["role"] not in AUTHOR_ROLES]
        (folder / "nbgrader_config.py").write_text("c = get_config()\nc.CourseDirectory.root = '.'\n")
    else:
        shutil.copy(ROOT / "nbgrader_config.py", folder)
    (source / problem.path.name).write_text(json.dumps(notebook, indent=1))
    nbgrader(folder, "generate_assignment", problem.assignment, "--force")
    for student, answer in honest_answers(problem, count):
        place = folder / "submitted" / student / problem.assignment
        place.mkdir(parents=True)
        released = json.loads((folder / "release" / problem.assignment / problem.path.name).read_bytes())
        parts = from_python(problem, answer).parts
        texts = {p.cell.grade_id: p.source for p in parts if p.cell is not None and p.cell.role == "answer"}
        for cell in released["cells"]:
            grade_id = cell["metadata"].get("nbgrader", {}).get("grade_id")
            cell["source"] = texts.get(grade_id, cell["source"])
        (place / problem.path.name).write_text(json.dumps(released, indent=1))


def nbgrader(folder: Path, *args: str) -> float:
    """Run an nbgrader command in ``folder``; returns its seconds."""
    begun = time.monotonic()
    # Stock nbgrader starts alembic by name, which stands beside this Python.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    environment = {**os.environ, "PYTHONWARNINGS": "ignore", "PATH": path}
    done = subprocess.run(
        [sys.executable, "-m", "nbgrader", *args], cwd=folder, env=environment, capture_output=True, text=True
    )
    if done.returncode:
        sys.exit(f"nbgrader {' '.join(args)} failed in {folder}:\n{done.stderr[-3000:]}")
    return time.monotonic() - begun


def scores(folder: Path) -> dict[str, float]:
    """The gradebook's scores by student."""
    from nbgrader.api import Gradebook

    with Gradebook(f"sqlite:///{folder / 'gradebook.db'}") as book:
        return {s.student.id: s.score for a in book.assignments for s in a.submissions}


class Shares:
    """Seconds by part of the work, measured around the functions that do it."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._open: list[float] = []

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        begun = time.monotonic()
        self._open.append(0.0)
        try:
            yield
        finally:
            whole = time.monotonic() - begun
            inner = self._open.pop()
            self.seconds[name] = self.seconds.get(name, 0.0) + whole - inner
            if self._open:
                self._open[-1] += whole

    def around(self, owner: Any, attribute: str, name: str) -> None:
        inner: Callable = getattr(owner, attribute)

        def timed(*args: Any, **kwargs: Any) -> Any:
            with self.part(name):
                return inner(*args, **kwargs)

        setattr(owner, attribute, timed)


def where_it_goes(folder: Path, assignment: str) -> dict[str, float]:
    """Grade the course again inside this process, and measure the parts."""
    from nbgrader.api import Gradebook
    from nbgrader.apps.api import NbGraderAPI
    from nbgrader.preprocessors import AssignLatePenalties
    from traitlets.config.loader import PyFileConfigLoader

    from fourrounds.answers.sandbox import Answer, Sandbox, Session
    from fourrounds.examiner import gradebook, grading, plugins
    from fourrounds.examiner.faults import FaultServer

    shutil.rmtree(folder / "autograded")
    config = PyFileConfigLoader("nbgrader_config.py", path=str(folder)).load_config()
    api = NbGraderAPI(config=config)
    plugins.shared_examiner()
    shares = Shares()
    shares.around(Sandbox, "open", "start the answer's process")
    shares.around(Answer, "run", "run the learner's cells")
    shares.around(Answer, "session", "fork for a test cell")
    shares.around(Session, "close", "end of a test cell's fork")
    shares.around(Answer, "close", "end the answer's process")
    shares.around(Session, "call", "calls across the wall")
    shares.around(FaultServer, "matches", "name the fault of a wrong answer")
    shares.around(grading, "run_test", "test cells (draw, PyTorch, compare)")
    shares.around(plugins, "rebuild", "read and rebuild the notebook")
    shares.around(gradebook.Scores, "write", "gradebook")
    shares.around(gradebook.Scores, "zero", "gradebook")
    shares.around(Gradebook, "__init__", "gradebook")
    shares.around(AssignLatePenalties, "preprocess", "gradebook")
    api.log.setLevel("ERROR")
    with shares.part("nbgrader's own work (files, students, notebooks)"):
        api.autograde(assignment, "*")
    return shares.seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--submissions", type=int, default=100)
    parser.add_argument("--slug", default="attention")
    options = parser.parse_args()
    problem = load_problem(next((ROOT / "source").glob(f"*/{options.slug}.ipynb")))
    with tempfile.TemporaryDirectory() as temporary:
        seconds = {}
        for name in ("ours", "stock"):
            folder = Path(temporary) / name
            folder.mkdir()
            make_course(folder, problem, options.submissions, stock=name == "stock")
            print(f"{name}: grading {options.submissions} submissions of {problem.slug} ...", flush=True)
            seconds[name] = nbgrader(folder, "autograde", problem.assignment)
            print(
                f"  {seconds[name]:.1f} s, {seconds[name] / options.submissions:.3f} s a submission",
                flush=True,
            )
        ours, stock = (scores(Path(temporary) / name) for name in ("ours", "stock"))
        differing = sorted(s for s in ours if ours[s] != stock.get(s))
        print(f"ratio of throughput, ours to stock: {seconds['stock'] / seconds['ours']:.1f}")
        print(f"scores that differ: {', '.join(differing) if differing else 'none'}")
        shares = where_it_goes(Path(temporary) / "ours", problem.assignment)
        print(f"where a submission's {1000 * sum(shares.values()) / options.submissions:.0f} ms go:")
        for part, value in sorted(shares.items(), key=lambda item: -item[1]):
            print(f"  {1000 * value / options.submissions:6.1f} ms  {part}")


if __name__ == "__main__":
    main()
