"""Our student versions are nbgrader's own: the same bytes as without our configuration."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from nbgrader.api import Gradebook

from fourrounds.course.new import new
from fourrounds.course.release import release
from fourrounds.examiner.problem import load_problem
from support.stock import stock_course, stock_release

ROOT = Path(__file__).parents[2]
ASSIGNMENTS = sorted({path.parent.name for path in (ROOT / "source").glob("*/*.ipynb")})


@pytest.fixture(scope="module", params=["starter", *ASSIGNMENTS])
def source(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in source/ of what ``fourrounds new`` writes, or of one of this repository's assignments."""
    root = tmp_path_factory.mktemp("source")
    if request.param == "starter":
        (root / "source").mkdir()
        return new(root, "softmax").parent
    return Path(shutil.copytree(ROOT / "source" / request.param, root / "source" / request.param))


@pytest.fixture(scope="module")
def theirs(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What stock nbgrader releases of it, once the author's cells are out."""
    root = tmp_path_factory.mktemp("stock")
    stock_course(root, source)
    return stock_release(root, source.name)


def test_stock_nbgrader_releases_the_same(source: Path, theirs: Path) -> None:
    ours = release(source, [path.stem for path in source.glob("*.ipynb")])
    assert {path.as_posix() for path in ours} == {
        path.relative_to(theirs).as_posix() for path in theirs.rglob("*") if path.is_file()
    }
    for path, data in ours.items():
        assert data == (theirs / path).read_bytes(), path


def test_the_loader_knows_what_is_released(source: Path, theirs: Path) -> None:
    """``clear_solution`` and ``clear_hidden`` leave what nbgrader's preprocessors leave."""
    for path in sorted(source.glob("*.ipynb")):
        notebook = json.loads((theirs / path.name).read_text(encoding="utf-8"))
        released = {
            cell["metadata"]["nbgrader"]["grade_id"]: "".join(cell["source"]) for cell in notebook["cells"]
        }
        assert {cell.grade_id: cell.stub for cell in load_problem(path).cells} == released


def test_stock_nbgrader_refuses_author_cells(source: Path, tmp_path: Path) -> None:
    stock_course(tmp_path, source, author_cells=True)
    with pytest.raises(RuntimeError, match="Hidden test region detected in a non-grade cell"):
        stock_release(tmp_path, source.name)
    assert not list(tmp_path.glob("release/**/*.ipynb"))


def test_no_gradebook_is_opened(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a gradebook was opened")

    monkeypatch.setattr(Gradebook, "__init__", refuse)
    assert release(source, [path.stem for path in source.glob("*.ipynb")])
