"""The walls between the packages: which may import which, and where PyTorch may be.

The arrows are those of docs/architecture.md. An import within a function counts as one at the top does.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import fourrounds
from fourrounds.answers import system

SOURCE = Path(fourrounds.__file__).parent
ARROWS = {
    "answers": set(),
    "checks": set(),
    "runbank": set(),
    "design": {"runbank"},
    "critique": {"runbank"},
    "proposal": {"design"},
    "examiner": {"answers", "checks"},
    "course": {"examiner", "checks"},
    "desk": {"examiner", "course"},
    "cli": {"examiner", "course", "desk", "runbank"},
    "__main__": {"cli"},
    "__init__": set(),
}
FILES = sorted(SOURCE.rglob("*.py"))


def package_of(path: Path) -> str:
    """The package of a file, or the module's own name where it stands beside the packages."""
    return path.relative_to(SOURCE).with_suffix("").parts[0]


def imported(text: str, path: Path) -> Iterator[tuple[int, str]]:
    """The line and the full name of everything that a file imports, anywhere in it."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            if node.level:
                here = ("fourrounds", *path.relative_to(SOURCE).parts)[: -node.level]
                module = ".".join([*here, *([module] if module else [])])
            for alias in node.names:
                yield node.lineno, f"{module}.{alias.name}"
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in {
            "__import__",
            "import_module",
            "importlib.import_module",
        }:
            for argument in node.args[:1]:
                if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                    yield node.lineno, argument.value


def violations(text: str, path: Path) -> Iterator[str]:
    """The imports of a file that its package may not have."""
    mine = package_of(path)
    for line, name in imported(text, path):
        place = f"{path.relative_to(SOURCE)}:{line} imports {name}"
        top, _, rest = name.partition(".")
        if top == "torch" and path.parent != SOURCE / "runbank" / "training":
            yield f"{place}: only tests in source notebooks and the training of the bank import torch"
        if top == "fourrounds":
            theirs = rest.partition(".")[0]
            if theirs in ARROWS and theirs not in ARROWS[mine] | {mine}:
                yield place


@pytest.mark.parametrize("package", ARROWS)
def test_each_package_imports_only_what_it_may(package: str) -> None:
    mine = [path for path in FILES if package_of(path) == package]
    assert mine
    assert [v for path in mine for v in violations(path.read_text(encoding="utf-8"), path)] == []


def test_every_file_belongs_to_a_package_that_is_named_here() -> None:
    assert {package_of(path) for path in FILES} == set(ARROWS)


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("answers/new.py", "from fourrounds.checks import rng"),
        ("answers/new.py", "import fourrounds.examiner.grading"),
        ("answers/new.py", "from ..checks import rng"),
        ("checks/new.py", "def f():\n    from fourrounds import answers"),
        ("checks/new.py", "import torch.nn as nn"),
        ("checks/new.py", "from importlib import import_module\nimport_module('torch')"),
        ("design/new.py", "from fourrounds.checks import rng"),
        ("design/new.py", "from fourrounds.critique import score"),
        ("design/new.py", "import torch"),
        ("runbank/new.py", "from fourrounds.design import Design"),
        ("examiner/new.py", "from fourrounds.course.build import build"),
        ("examiner/new.py", "if 0:\n    from torch import tensor"),
        ("course/new.py", "from fourrounds.answers.sandbox import Sandbox"),
        ("course/new.py", "from .. import desk"),
        ("desk/new.py", "from fourrounds.checks import Kind"),
        ("desk/new.py", "__import__('fourrounds.answers.wire')"),
        ("runbank/new.py", "import torch"),
        ("runbank/training/new.py", "from fourrounds.checks import rng"),
        ("critique/new.py", "from fourrounds.checks import CheckFailed"),
        ("critique/new.py", "import torch"),
    ],
)
def test_an_import_through_a_wall_is_seen(file: str, text: str) -> None:
    assert len(list(violations(text, SOURCE / file))) == 1


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("answers/new.py", "from fourrounds.answers.wire import Channel\nfrom . import system"),
        ("checks/new.py", "import numpy as np"),
        (
            "examiner/new.py",
            "from fourrounds.checks import Kind\nfrom fourrounds.answers.sandbox import Sandbox",
        ),
        ("desk/new.py", "from fourrounds import __version__"),
        ("design/new.py", "from fourrounds.runbank.table import load"),
        ("runbank/training/new.py", "import torch\nfrom fourrounds.runbank.table import load"),
    ],
)
def test_an_import_that_is_allowed_is_none(file: str, text: str) -> None:
    assert list(violations(text, SOURCE / file)) == []


def loaded_by(code: str) -> set[str]:
    """The modules that a fresh interpreter has loaded after ``code``."""
    command = [sys.executable, "-c", f"{code}\nimport sys\nprint(*sys.modules, sep='\\n')"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize(
    "package",
    ["checks", "critique", "design", "runbank", "answers.worker", "answers.sandbox", "examiner.grading"],
)
def test_torch_and_nbgrader_are_not_loaded_by_importing(package: str) -> None:
    tops = {name.partition(".")[0] for name in loaded_by(f"import fourrounds.{package}")}
    assert not tops & {"torch", "nbgrader", "nbconvert"}


def test_a_learners_notebook_loads_nothing_of_the_examiner() -> None:
    loaded = loaded_by("import fourrounds.checks")
    mine = {name for name in loaded if name.startswith("fourrounds.")}
    assert {name.split(".")[1] for name in mine} == {"checks"}


def test_diagnosing_a_design_loads_numpy_alone() -> None:
    """The sandbox has no scipy and no torch, and a picture's import waits until one is drawn."""
    code = "from fourrounds.design import Design, diagnose, worlds; diagnose(Design(), worlds.null(), 10)"
    loaded = loaded_by(code)
    assert not {name.partition(".")[0] for name in loaded} & {
        "torch",
        "scipy",
        "pandas",
        "matplotlib",
        "rich",
    }
    assert {name.split(".")[1] for name in loaded if name.startswith("fourrounds.")} == {"design"}


def test_a_design_in_a_bank_world_loads_the_table_and_no_more() -> None:
    code = (
        "from fourrounds.design import Design, EvaluationSet, bank, diagnose; "
        "diagnose(Design(evaluation=EvaluationSet(4, 20)), bank.true_claim(), 10)"
    )
    loaded = loaded_by(code)
    mine = {name.removeprefix("fourrounds.") for name in loaded if name.startswith("fourrounds.runbank")}
    assert mine == {"runbank", *(f"runbank.{name}" for name in ("families", "store", "table", "lab"))}
    assert not {name.partition(".")[0] for name in loaded} & {"torch", "scipy", "sklearn", "matplotlib"}


def test_a_critique_loads_the_lab_and_nothing_else_of_the_project() -> None:
    loaded = loaded_by("import fourrounds.critique, fourrounds.critique.critics")
    mine = {name.removeprefix("fourrounds.") for name in loaded if name.startswith("fourrounds.")}
    others = {name for name in mine if not name.startswith("critique")}
    assert others == {"runbank", *(f"runbank.{name}" for name in ("families", "store", "table", "lab"))}
    assert not {"scipy", "matplotlib", "IPython", "pandas"} & loaded


def test_a_worker_loads_nothing_of_a_test_or_a_score() -> None:
    mine = {name for name in loaded_by("import fourrounds.answers.worker") if name.startswith("fourrounds.")}
    assert {name.split(".")[1] for name in mine} == {"answers"}


def test_the_lab_loads_nothing_that_trains_or_judges_the_bank() -> None:
    loaded = loaded_by("from fourrounds import runbank; runbank.Lab")
    mine = {name.removeprefix("fourrounds.") for name in loaded if name.startswith("fourrounds.")}
    assert mine == {"runbank", *(f"runbank.{name}" for name in ("families", "store", "table", "lab"))}
    assert not {"scipy", "sklearn"} & loaded


def test_the_sandbox_may_import_what_an_answer_uses_and_no_more_of_the_project() -> None:
    lab = {
        f"runbank/{part}" for part in ("__init__.py", "families.py", "store.py", "table.py", "lab.py", "data")
    }
    whole = {"__init__.py", "answers", "checks", "critique", "design", "proposal"}
    assert set(system.PROJECT_PARTS) == whole | lab
    mine = {name for name in system.answer_modules() if name.startswith("fourrounds")}
    assert mine == {f"fourrounds/{part}" for part in system.PROJECT_PARTS}
    assert not {"torch", "nbgrader", "scipy"} & {name.partition("/")[0] for name in system.answer_modules()}
