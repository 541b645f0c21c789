"""Make release/ and solutions/ from source/, and say whether they are up to date.

Every file is made in full before the old one is replaced. The gradebook is not touched: the examiner enters
an assignment there when it is first graded.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import fourrounds.checks
from fourrounds.course.canonical import write_notebook
from fourrounds.course.errors import CourseError
from fourrounds.course.files import put, same, visible_files
from fourrounds.course.prove import Progress, prove
from fourrounds.course.release import release
from fourrounds.course.worked import worked
from fourrounds.examiner.grading import Examiner
from fourrounds.examiner.layout import Layout
from fourrounds.examiner.problem import Problem

VERSION = "2"
"""Raised when this package makes another solution of the same source."""
SEEDS = (1,)
"""Fixed, so that building twice makes the same table; that no seed changes it is what ``prove`` is for."""

PACE = 2.0
"""Seconds between two lines of progress."""

Say = Callable[[str], None]


@dataclass
class BuildResult:
    """``stale`` says what was not up to date, a line for each; ``written`` the files written or deleted."""

    written: list[Path] = field(default_factory=list)
    stale: list[str] = field(default_factory=list)


def build(
    root: Path, *, check: bool = False, slugs: list[str] | None = None, say: Say = print
) -> BuildResult:
    """Bring release/ and solutions/ below ``root`` up to date, or with ``check`` only say what is stale.

    ``slugs`` restricts it to these problems; files whose source is gone are then left alone.
    ``CourseError`` says what could not be built; everything else has been.
    """
    layout = Layout(root)
    problems = [layout.problem(slug) for slug in slugs] if slugs else layout.problems()
    result = BuildResult()
    failures: list[str] = []
    with ExitStack() as stack:
        builder = _Builder(layout, check, say, stack, result)
        for assignment in sorted({problem.assignment for problem in problems}):
            own = [problem for problem in problems if problem.assignment == assignment]
            try:
                released = release(layout.source / assignment, [problem.slug for problem in own])
            except CourseError as error:
                failures.append(str(error))
                continue
            for problem in own:
                try:
                    builder.problem(problem, released.pop(Path(f"{problem.slug}.ipynb")))
                except CourseError as error:
                    failures.append(str(error))
            for path, data in released.items():
                builder.file(layout.release / assignment / path, data)
        if not slugs:
            builder.orphans()
    if failures:
        raise CourseError("\n".join(failures))
    return result


class _Builder:
    def __init__(self, layout: Layout, check: bool, say: Say, stack: ExitStack, result: BuildResult) -> None:
        self.layout = layout
        self.check = check
        self.say = say
        self.stack = stack
        self.result = result
        self._examiner: Examiner | None = None

    def problem(self, problem: Problem, released: bytes) -> None:
        """One problem's solution, which may turn out not to hold, and then its student version."""
        path = self.layout.solutions / problem.assignment / f"{problem.slug}.ipynb"
        digest = built_from(problem)
        why = _why_stale(path, digest)
        if why:
            self.result.stale.append(f"{self._name(path)} {why}")
            if not self.check:
                text = self._solution(problem, digest)
                put(path, text.encode())
                self._wrote(path)
        self.file(self.layout.release / problem.assignment / f"{problem.slug}.ipynb", released)

    def file(self, path: Path, data: bytes) -> None:
        """One released file."""
        if same(path, data):
            return
        self.result.stale.append(
            f"{self._name(path)} {'is not what source/ makes' if path.exists() else 'is missing'}"
        )
        if not self.check:
            put(path, data)
            self._wrote(path)

    def orphans(self) -> None:
        """Files in release/ and solutions/ that no source makes any more."""
        due = visible_files(self.layout.source)
        for folder in (self.layout.release, self.layout.solutions):
            for path in sorted(visible_files(folder) - due):
                # What lies at the top of the folder, or beside the solutions, is somebody's own.
                if len(path.parts) < 2 or (folder == self.layout.solutions and path.suffix != ".ipynb"):
                    continue
                self.result.stale.append(f"{self._name(folder / path)} has no source any more")
                if not self.check:
                    (folder / path).unlink()
                    self.result.written.append(folder / path)
                    self.say(f"deleted {self._name(folder / path)}")

    def _solution(self, problem: Problem, source_digest: str) -> str:
        began = time.monotonic()
        if self._examiner is None:
            self._examiner = self.stack.enter_context(Examiner())
        self.say(f"{problem.slug}: grading {len(problem.faults)} faults and {len(problem.variants)} variants")
        proof = prove(problem, self._examiner, SEEDS, _paced(problem.slug, self.say))
        if not proof.ok:
            lines = "".join(f"\n  {line}" for line in proof.problems)
            raise CourseError(
                f"{problem.slug} does not hold (`fourrounds prove {problem.slug}` shows all):{lines}"
            )
        self.say(f"{problem.slug}: running the solution")
        notebook = worked(problem, proof)
        digest = _digest(json.loads(write_notebook(notebook)))
        notebook.metadata["fourrounds"] = {"built_from": source_digest, "digest": digest}
        self.say(f"{problem.slug}: built in {time.monotonic() - began:.1f} s")
        return write_notebook(notebook)

    def _name(self, path: Path) -> str:
        return path.relative_to(self.layout.root).as_posix()

    def _wrote(self, path: Path) -> None:
        self.result.written.append(path)
        self.say(f"wrote {self._name(path)}")


def _paced(slug: str, say: Say) -> Progress:
    """Says how far a proof is, every few seconds."""
    last = time.monotonic()

    def progress(done: int, total: int, name: str) -> None:
        nonlocal last
        if done < total and time.monotonic() - last > PACE:
            last = time.monotonic()
            say(f"{slug}: {done} of {total} graded")

    return progress


def built_from(problem: Problem) -> str:
    """What decides a solution: its source, this package's version, and what its tests say with.

    Line ends do not count, since git may turn them.
    """
    folder = Path(fourrounds.checks.__file__).parent
    texts = [VERSION, str(SEEDS), problem.path.read_text(encoding="utf-8")]
    texts += [path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.py"))]
    return _sha256(texts)


def _why_stale(path: Path, due: str) -> str | None:
    if not path.is_file():
        return "is missing"
    try:
        notebook = json.loads(path.read_bytes())
        stamp = notebook["metadata"]["fourrounds"]
        digest = _digest(notebook)
    except (ValueError, KeyError, TypeError):
        return "was not made by this build"
    if stamp.get("built_from") != due:
        return "is older than its source or its tests"
    if stamp.get("digest") != digest:
        return "was edited by hand"
    return None


def _digest(notebook: dict[str, Any]) -> str:
    """Of a notebook file's content, without the field that keeps the digest."""
    metadata = {key: value for key, value in notebook["metadata"].items() if key != "fourrounds"}
    return _sha256([json.dumps([notebook["cells"], metadata], sort_keys=True)])


def _sha256(texts: list[str]) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()
