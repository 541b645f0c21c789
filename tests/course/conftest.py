"""A course in a scratch folder: what ``fourrounds new`` writes, built once for the whole session."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from fourrounds.course.build import build
from fourrounds.course.new import new
from fourrounds.examiner.grading import Examiner

ASSIGNMENT = "round1_implement"


def silent(line: str) -> None:
    """Takes the place of print."""


@pytest.fixture(scope="session", autouse=True)
def _tools_of_this_environment() -> Iterator[None]:
    """nbgrader calls alembic by name when it makes a gradebook."""
    before = os.environ["PATH"]
    os.environ["PATH"] = os.pathsep.join([os.path.dirname(sys.executable), before])
    yield
    os.environ["PATH"] = before


@pytest.fixture(scope="session")
def examiner() -> Iterator[Examiner]:
    with Examiner() as made:
        yield made


@pytest.fixture(scope="session")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A built course of one problem, ``softmax``. Not to be changed: copy it."""
    root = tmp_path_factory.mktemp("pristine")
    (root / "source").mkdir()
    new(root, "softmax")
    build(root, say=silent)
    return root


@pytest.fixture
def course(pristine: Path, tmp_path: Path) -> Path:
    """A copy of the built course."""
    root = tmp_path / "course"
    shutil.copytree(pristine, root)
    return root


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    """A course without a problem."""
    (tmp_path / "source").mkdir()
    return tmp_path
