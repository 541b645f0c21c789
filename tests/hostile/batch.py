"""One course, everything handed in, one run of ``nbgrader autograde``."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from fourrounds.answers.sandbox import LEVELS, best_sandbox
from fourrounds.course.release import release
from fourrounds.examiner.problem import Problem, load_problem
from hostile import feedback, files, honest, judge, machine, theft, values, wire
from hostile.cases import ASSIGNMENT, CASES, SECOND, SLUG, Case, Maker, Work, start

ROOT = Path(__file__).resolve().parents[2]
LIMITS = {"call_seconds": 2.0, "total_seconds": 10.0, "memory_mb": 1024}
"""Smaller than the problem's own, so that what runs into a limit does so soon."""
PATIENCE = 1200
"""Seconds after which a run of nbgrader counts as stuck."""

DECLARED_IN = (judge, theft, values, wire, machine, files, feedback, honest)


def known_answers(problem: Problem) -> list[Case]:
    """The problem's own right and wrong answers and a blank one: all must come out right in the batch."""

    def extended(source: str) -> Maker:
        def make(work: Work) -> None:
            work.right()
            work.cell(SECOND)["source"] += f"\n\n\n{source}"

        return make

    cases = [
        Case("solution", (), "the worked solution", lambda work: work.right(), "ok"),
        Case("blank", (), "the notebook as released", lambda work: None, "not attempted"),
    ]
    for variant in problem.variants:
        cases.append(Case(f"variant-{variant.name}", (), variant.says, extended(variant.source), "ok"))
    for fault in problem.faults:
        # Which other groups a fault may lose is asserted in test_hostile, by a rule.
        cases.append(
            Case(f"fault-{fault.name}", (), fault.says, extended(fault.source), {fault.group: "fault"})
        )
    return [Case(**{**vars(case), "student": case.name}) for case in cases]


@dataclass(frozen=True)
class Graded:
    """What the gradebook and the report say of one student."""

    score: float
    max_score: float
    grades: dict[str, tuple[float | None, float | None, float | None, bool]]
    report: dict[str, Any]

    def kinds(self) -> dict[str, str]:
        """The verdict kind of each group."""
        return {cell["group"]: cell["kind"] for cell in self.report["cells"]}


@dataclass
class Batch:
    """The course and everything about its one run."""

    top: Path
    level: str
    problem: Problem
    cases: list[Case]
    left_out: list[Case]
    port: int
    calls_received: list[bytes]
    runs: list[Run] = field(default_factory=list)
    before: dict[str, str] = field(default_factory=dict)

    @property
    def course(self) -> Path:
        return self.top / "course"

    @property
    def canary(self) -> Path:
        return self.top / "canary"

    @property
    def scratch(self) -> Path:
        return self.top / "scratch"

    def case(self, name: str) -> Case:
        return next(case for case in self.cases if case.name == name)

    @cached_property
    def graded(self) -> dict[str, Graded]:
        """What became of each student, by student id."""
        from nbgrader.api import Gradebook

        found = {}
        with Gradebook(f"sqlite:///{self.course / 'gradebook.db'}") as book:
            for submission in book.assignment_submissions(ASSIGNMENT):
                (notebook,) = submission.notebooks
                grades = {
                    g.name: (g.auto_score, g.manual_score, g.extra_credit, g.needs_manual_grade)
                    for g in notebook.grades
                }
                path = self.course / "autograded" / submission.student.id / ASSIGNMENT / f"{SLUG}.report.json"
                report = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {"cells": []}
                found[submission.student.id] = Graded(submission.score, submission.max_score, grades, report)
        return found

    def nbgrader(self, *args: str) -> Run:
        """Run an nbgrader command in the course, and remember how it went."""
        run = run_nbgrader(self.course, self.scratch, *args)
        self.runs.append(run)
        return run


@dataclass(frozen=True)
class Run:
    """How one nbgrader command ended: exit status, processes left behind, wall seconds, its log."""

    args: tuple[str, ...]
    status: int | str
    left: list[str]
    seconds: float
    log: str


def run_nbgrader(course: Path, scratch: Path, *args: str) -> Run:
    """Run an nbgrader command in ``course``, configured by it alone; ``scratch`` is for temporary files."""
    inherited = {k: v for k, v in os.environ.items() if k != "FOURROUNDS_DB_URL"}
    own = {"TMPDIR": str(scratch), "JUPYTER_CONFIG_DIR": str(course.parent / "jupyter")}
    warden = [sys.executable, str(Path(__file__).with_name("warden.py")), str(PATIENCE)]
    begun = time.monotonic()
    done = subprocess.run(
        [*warden, sys.executable, "-m", "nbgrader", *args],
        cwd=course,
        env=inherited | own,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
    )
    told = json.loads(done.stdout.splitlines()[-1])
    return Run(args, told["status"], told["left"], time.monotonic() - begun, done.stderr)


def lowered(source: Path, target: Path) -> None:
    """Copy a source notebook with the limits of the suite."""
    notebook = json.loads(source.read_text(encoding="utf-8"))
    notebook["metadata"]["fourrounds"]["limits"] = LIMITS
    target.parent.mkdir(parents=True)
    target.write_text(json.dumps(notebook), encoding="utf-8")


def fingerprint(folder: Path) -> dict[str, str]:
    """A digest of every file below ``folder``; links are not followed, and huge files go by their size."""
    prints = {}
    for top, _, names in os.walk(folder):
        for name in names:
            path = Path(top, name)
            key = str(path.relative_to(folder))
            if path.is_symlink():
                prints[key] = os.readlink(path)
            elif path.is_file():
                size = path.stat().st_size
                prints[key] = str(size) if size > 2**30 else hashlib.sha256(path.read_bytes()).hexdigest()
    return prints


@contextlib.contextmanager
def listener() -> Iterator[tuple[int, list[bytes]]]:
    """A server on this machine that remembers what it was sent: its port, and the list."""
    received: list[bytes] = []
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(1)
                with contextlib.suppress(OSError):
                    received.append(connection.recv(1000))

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield server.getsockname()[1], received
    finally:
        server.close()


@contextlib.contextmanager
def graded_batch() -> Iterator[Batch]:
    """Make the course, hand everything in, grade it, hand the second versions in, and grade again."""
    sandbox, probe = best_sandbox()
    sandbox.close()
    top = Path(tempfile.mkdtemp(prefix="fourrounds-hostile-"))
    top.chmod(0o711)  # as root the sandbox runs as nobody, who must come past it
    try:
        with listener() as (port, received):
            batch = _hand_in(top, probe.level, port, received)
            batch.before = fingerprint(batch.course)
            batch.nbgrader("autograde", ASSIGNMENT)
            again = [case for case in batch.cases if case.earlier]
            for case in again:
                shutil.rmtree(batch.course / "submitted" / case.student)
                _make(batch, case, case.make, "2030-01-02 00:00:00 UTC")
            batch.nbgrader("autograde", ASSIGNMENT)
            yield batch
    finally:
        shutil.rmtree(top, ignore_errors=True)


def _hand_in(top: Path, level: str, port: int, received: list[bytes]) -> Batch:
    course = top / "course"
    for name in ("canary", "scratch", "course"):
        (top / name).mkdir()
    (top / "canary").chmod(0o777)
    (top / "scratch").chmod(0o711)
    lowered(ROOT / "source" / ASSIGNMENT / f"{SLUG}.ipynb", course / "source" / ASSIGNMENT / f"{SLUG}.ipynb")
    shutil.copy(ROOT / "nbgrader_config.py", course)
    for path, data in release(course / "source" / ASSIGNMENT, [SLUG]).items():
        target = course / "release" / ASSIGNMENT / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    problem = load_problem(course / "source" / ASSIGNMENT / f"{SLUG}.ipynb")
    every = [*known_answers(problem), *CASES]
    cases = [case for case in every if case.mild or case.held_at(level)]
    left_out = [case for case in every if case not in cases]
    batch = Batch(top, level, problem, cases, left_out, port, received)
    for case in cases:
        _make(batch, case, case.earlier or case.make, "2030-01-01 00:00:00 UTC" if case.earlier else None)
    return batch


def _make(batch: Batch, case: Case, make: Maker, handed_in: str | None) -> None:
    folder = hand_in(batch.course, batch.canary, batch.port, batch.problem, case.student, make)
    if handed_in:
        (folder / "timestamp.txt").write_text(handed_in)


def hand_in(course: Path, canary: Path, port: int, problem: Problem, student: str, make: Maker) -> Path:
    """Make one submission in ``course``, and return its folder."""
    released = json.loads((course / "release" / ASSIGNMENT / f"{SLUG}.ipynb").read_text(encoding="utf-8"))
    folder = course / "submitted" / student / ASSIGNMENT
    work = start(folder, released, course=course, canary=canary, port=port, problem=problem)
    make(work)
    work.write()
    return folder


def strongest(level: str) -> bool:
    """Whether a sandbox level is the one on which the published table was made."""
    return level == LEVELS[0]
