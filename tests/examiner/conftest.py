"""The throwaway problem, and one examiner for all tests of this folder."""

from __future__ import annotations

import os
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest
from nbgrader.api import Gradebook

from fourrounds.examiner.grading import Examiner
from fourrounds.examiner.problem import Problem, load_problem

PROBLEMS = Path(__file__).resolve().parents[1] / "problems"


@pytest.fixture(scope="session")
def examiner() -> Iterator[Examiner]:
    """At the strongest level of this machine."""
    with Examiner() as made:
        yield made


@pytest.fixture(scope="session")
def ledger() -> Problem:
    """The throwaway problem: an object of the answer's own, a generator, exceptions, a cost, a text."""
    return load_problem(PROBLEMS / "round0_throwaway" / "ledger.ipynb")


@pytest.fixture(scope="session")
def empty_gradebook(tmp_path_factory: pytest.TempPathFactory, alembic_on_the_path: None) -> Path:
    """A gradebook without a row, to be copied: nbgrader takes seconds to make one."""
    path = tmp_path_factory.mktemp("gradebook") / "gradebook.db"
    Gradebook(f"sqlite:///{path}").close()
    return path


@pytest.fixture(scope="session", autouse=True)
def alembic_on_the_path() -> Iterator[None]:
    """nbgrader as it comes starts alembic by name, also where the environment is not activated."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", os.pathsep.join([sysconfig.get_path("scripts"), os.environ["PATH"]]))
        yield
