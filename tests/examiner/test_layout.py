"""Where things lie, and what is said where they do not."""

from __future__ import annotations

from pathlib import Path

import pytest
import toy

from fourrounds.examiner.layout import ASSIGNMENTS, Layout, LayoutError, find_root
from fourrounds.examiner.problem import ProblemError


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FOURROUNDS_ROOT", "FOURROUNDS_HOME"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A course with two problems."""
    toy.load(tmp_path, toy.twice(), "twice")
    toy.load(tmp_path, toy.twice(), "half")
    (tmp_path / "nbgrader_config.py").touch()
    return tmp_path


def test_the_folders_of_a_course(root: Path) -> None:
    layout = Layout(root)
    assert (layout.source, layout.release) == (root / "source", root / "release")
    assert (layout.solutions, layout.submitted) == (root / "solutions", root / "submitted")
    assert layout.mocks == root / "mocks"
    assert layout.state == root / ".fourrounds"
    assert len(ASSIGNMENTS) == 4


def test_a_learners_state_can_lie_elsewhere(
    root: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("FOURROUNDS_HOME", str(tmp_path / "home"))
    assert Layout(root).state == tmp_path / "home"


def test_problems_by_slug(root: Path) -> None:
    layout = Layout(root)
    assert [problem.slug for problem in layout.problems()] == ["half", "twice"]
    assert layout.problem("twice").assignment == "round1_implement"


def test_a_slug_that_there_is_not_names_the_nearest(root: Path) -> None:
    with pytest.raises(LayoutError, match=r"^There is no problem called 'twise'\. Did you mean twice\?$"):
        Layout(root).problem("twise")
    with pytest.raises(LayoutError, match=r"`fourrounds list` shows all of them"):
        Layout(root).problem("zzz")
    with pytest.raises(LayoutError):
        Layout(root / "nowhere").problem("twice")


def test_a_broken_problem_is_named(root: Path) -> None:
    (root / "source" / "round1_implement" / "broken.ipynb").write_text("{}")
    with pytest.raises(ProblemError, match="broken"):
        Layout(root).problems()
    assert Layout(root).problem("twice").slug == "twice"


def test_the_root_is_found_from_within(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inner = root / "submitted" / "me" / "round1_implement"
    inner.mkdir(parents=True)
    assert find_root(inner) == root
    assert find_root(root) == root
    monkeypatch.chdir(inner)
    assert find_root() == root


def test_the_nearest_root_counts(root: Path) -> None:
    inner = root / "other"
    (inner / "source").mkdir(parents=True)
    assert find_root(inner) == root
    (inner / "nbgrader_config.py").touch()
    assert find_root(inner) == inner


def test_outside_of_a_course_it_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(
        LayoutError, match="is not inside a Four Rounds folder: change into your clone, or set"
    ):
        find_root(tmp_path)


def test_the_variable_outranks_the_folder(
    root: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    other = tmp_path / "course"
    (other / "source").mkdir(parents=True)
    monkeypatch.setenv("FOURROUNDS_ROOT", str(other))
    assert find_root(root) == other
    monkeypatch.setenv("FOURROUNDS_ROOT", str(tmp_path / "nowhere"))
    with pytest.raises(
        LayoutError, match=r"FOURROUNDS_ROOT is .*nowhere, and there is no source/ folder in it"
    ):
        find_root(root)
