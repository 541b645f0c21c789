"""A course of one problem, ``softmax``, with a learner whose state lies in a scratch folder."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from desk_course import ASSIGNMENT, FOUR, LEARNER, SLUG, Ran, write_answer

from fourrounds.cli import main
from fourrounds.course.new import new
from fourrounds.course.release import release
from fourrounds.examiner.layout import Layout


@pytest.fixture(scope="session")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The course as it is released. Not to be changed: copy it."""
    root = tmp_path_factory.mktemp("pristine")
    (root / "source").mkdir()
    new(root, SLUG)
    for path, data in release(root / "source" / ASSIGNMENT, [SLUG]).items():
        target = root / "release" / ASSIGNMENT / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    return root


@pytest.fixture
def layout(pristine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Layout:
    """A copy of the course. Its learner is the user of every command."""
    root = tmp_path / "course"
    shutil.copytree(pristine, root)
    monkeypatch.setenv("FOURROUNDS_ROOT", str(root))
    monkeypatch.setenv("FOURROUNDS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("FOURROUNDS_USER", LEARNER)
    return Layout(root)


@pytest.fixture
def four(layout: Layout) -> Layout:
    """The course with a problem in every round, all of them alike: ``softmax``, ``second`` and so on."""
    for slug, assignment in list(FOUR.items())[1:]:
        new(layout.root, slug, assignment)
        for path, data in release(layout.source / assignment, [slug]).items():
            target = layout.release / assignment / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
    return layout


@pytest.fixture
def fourrounds(layout: Layout, capsys: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    """Runs a command in this process."""

    def run(*arguments: str) -> Ran:
        capsys.readouterr()
        status = main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Ran(status, captured.out, captured.err)

    return run


@pytest.fixture
def mine(layout: Layout) -> Path:
    """Where the learner's notebook lies, once it is started."""
    return layout.submitted / LEARNER / ASSIGNMENT / f"{SLUG}.ipynb"


@pytest.fixture
def answered(fourrounds: Callable[..., Ran], mine: Path) -> Callable[[str], Path]:
    """Starts the problem and writes an answer into the learner's notebook."""

    def answer(source: str) -> Path:
        assert fourrounds("start", SLUG).status == 0
        write_answer(mine, source)
        return mine

    return answer
