"""A notebook that is run for solutions/ gives the same bytes each time, or is refused."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import nbformat
import psutil
import pytest

from fourrounds.course.canonical import write_notebook
from fourrounds.course.errors import CourseError
from fourrounds.course.execute import execute


@pytest.fixture(autouse=True)
def _no_kernel_is_left() -> Iterator[None]:
    before = set(psutil.Process().children(recursive=True))
    yield
    left = set(psutil.Process().children(recursive=True)) - before
    assert [process.cmdline() for process in left if process.status() != psutil.STATUS_ZOMBIE] == []


def notebook(*sources: str) -> nbformat.NotebookNode:
    made = nbformat.v4.new_notebook()
    for number, source in enumerate(sources):
        made.cells.append(nbformat.v4.new_code_cell(source, id=f"cell-{number}"))
    return made


def run(*sources: str) -> nbformat.NotebookNode:
    made = notebook(*sources)
    execute(made, "problem")
    return made


SAME = (
    "import os, random, sys\nimport numpy as np\nfrom fourrounds.checks import rng",
    "print(random.random(), np.random.normal(), rng().normal(), rng().normal(), hash('text'))",
    "import matplotlib.pyplot as plt\nplt.plot(rng().normal(size=9)); plt.show()",
    "for line in range(200):\n    print(line, flush=True)",
    "sys.executable",
    "print(sorted(os.listdir('.')))",
    "print('numpy' in dir(), [name for name in dir() if 'fourrounds' in name or name == 'seeded'])",
)


def test_it_is_the_same_each_time(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    first = run(*SAME)
    (tmp_path / "matplotlibrc").write_text("axes.facecolor: red\n")
    monkeypatch.setenv("MATPLOTLIBRC", str(tmp_path))
    (tmp_path / "kernels/python3").mkdir(parents=True)
    another = {"argv": ["no-such-python"], "display_name": "Another", "language": "python"}
    (tmp_path / "kernels/python3/kernel.json").write_text(json.dumps(another))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    again = run(*SAME)
    assert write_notebook(first) == write_notebook(again)
    cells = first.cells
    assert [cell.execution_count for cell in cells] == list(range(1, len(SAME) + 1))
    assert [cell.id for cell in cells] == [f"cell-{number}" for number in range(len(SAME))]
    assert all(cell.metadata == {} for cell in cells)
    assert set(cells[2].outputs[0].data) == {"image/png", "text/plain"}
    assert len(cells[3].outputs) == 1
    assert cells[4].outputs[0].data["text/plain"] == repr(sys.executable)
    assert cells[5].outputs[0].text == "[]\n"
    assert cells[6].outputs[0].text == "False []\n"


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("1 / 0", "problem, cell cell-1: the worked solution raises ZeroDivisionError: division by zero"),
        ("raise SystemExit(1)", "problem, cell cell-1: the worked solution raises SystemExit: 1"),
        ("import warnings; warnings.warn('old')", "problem, cell cell-1 writes to stderr"),
        ("object()", "problem, cell cell-1 shows a memory address"),
        ("print(object())", "problem, cell cell-1 shows a memory address"),
        ("import os; os._exit(1)", "problem, cell cell-1: "),
    ],
)
def test_what_differs_or_fails_is_refused(source: str, said: str) -> None:
    with pytest.raises(CourseError) as error:
        run("x = 1", source)
    assert str(error.value).startswith(said)


def test_an_endless_cell_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fourrounds.course.execute.CELL_SECONDS", 1)
    with pytest.raises(CourseError, match="cell cell-0"):
        run("while True:\n    pass")


def test_a_failed_run_leaves_no_cell_behind() -> None:
    made = notebook("1 / 0")
    with pytest.raises(CourseError):
        execute(made, "problem")
    assert [cell.id for cell in made.cells] == ["cell-0"]
    json.loads(write_notebook(made))
