"""What ``fourrounds build`` rebuilds, and what it leaves alone."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
from nbgrader.api import Gradebook

from fourrounds.course import build as building
from fourrounds.course.build import build
from fourrounds.course.canonical import tidy
from fourrounds.course.errors import CourseError
from fourrounds.course.new import new
from fourrounds.examiner.layout import LayoutError

SOURCE = Path("source/round1_implement/softmax.ipynb")
RELEASE = Path("release/round1_implement/softmax.ipynb")
SOLUTION = Path("solutions/round1_implement/softmax.ipynb")


def silent(line: str) -> None:
    """Takes the place of print."""


def snapshot(root: Path) -> dict[str, tuple[str, int]]:
    """Every file's content and time."""
    return {
        path.relative_to(root).as_posix(): (
            hashlib.sha256(path.read_bytes()).hexdigest(),
            path.stat().st_mtime_ns,
        )
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def edit(path: Path, old: str, new_text: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new_text))


def checked(root: Path) -> list[str]:
    """What is stale; looking must not write."""
    before = snapshot(root)
    result = build(root, check=True, say=silent)
    assert result.written == []
    assert snapshot(root) == before
    return result.stale


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Solutions without a kernel and without the examiner, for tests of what is built when."""

    class Proved:
        ok = True

    def worked(problem: object, proof: object) -> nbformat.NotebookNode:
        return nbformat.v4.new_notebook(
            cells=[
                nbformat.from_dict(
                    {"id": "all", "cell_type": "markdown", "metadata": {}, "source": problem.sha256}  # type: ignore[attr-defined]
                )
            ]
        )

    monkeypatch.setattr(building, "prove", lambda *_: Proved())
    monkeypatch.setattr(building, "worked", worked)


def test_building_twice_changes_nothing(course: Path) -> None:
    before = snapshot(course)
    result = build(course, say=silent)
    assert (result.written, result.stale) == ([], [])
    assert snapshot(course) == before
    assert checked(course) == []


def test_building_from_nothing_makes_the_same_bytes(course: Path) -> None:
    before = {path: (course / path).read_bytes() for path in (RELEASE, SOLUTION)}
    for path in before:
        (course / path).unlink()
    said: list[str] = []
    result = build(course, say=said.append)
    assert sorted(result.written) == [course / RELEASE, course / SOLUTION]
    assert {path: (course / path).read_bytes() for path in before} == before
    assert any("grading 2 faults" in line for line in said)
    assert f"wrote {SOLUTION.as_posix()}" in said


@pytest.mark.parametrize(
    ("change", "stale"),
    [
        (
            lambda root: edit(root / SOURCE, "e / e.sum(axis=-1", "1.0 * e / e.sum(axis=-1"),
            [f"{SOLUTION.as_posix()} is older than its source or its tests"],
        ),
        (
            lambda root: edit(root / SOURCE, "# Softmax", "# The softmax"),
            [
                f"{SOLUTION.as_posix()} is older than its source or its tests",
                f"{RELEASE.as_posix()} is not what source/ makes",
            ],
        ),
        (lambda root: (root / SOLUTION).unlink(), [f"{SOLUTION.as_posix()} is missing"]),
        (lambda root: (root / RELEASE).unlink(), [f"{RELEASE.as_posix()} is missing"]),
        (
            lambda root: edit(root / SOLUTION, "The provided tests pass", "They pass"),
            [f"{SOLUTION.as_posix()} was edited by hand"],
        ),
        (
            lambda root: (root / SOLUTION).write_text("{"),
            [f"{SOLUTION.as_posix()} was not made by this build"],
        ),
        (
            lambda root: edit(root / RELEASE, "# Softmax", "# Hardmax"),
            [f"{RELEASE.as_posix()} is not what source/ makes"],
        ),
        (
            lambda root: (root / SOURCE).unlink(),
            [f"{RELEASE.as_posix()} has no source any more", f"{SOLUTION.as_posix()} has no source any more"],
        ),
    ],
)
def test_what_is_stale_is_found_and_put_right(
    course: Path, quick: None, change: Callable[[Path], None], stale: list[str]
) -> None:
    change(course)
    assert checked(course) == stale
    result = build(course, say=silent)
    assert result.stale == stale
    assert {path.relative_to(course) for path in result.written} == {Path(line.split()[0]) for line in stale}
    assert checked(course) == []


def test_solutions_follow_the_checks_and_this_package(course: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(building, "VERSION", "another")
    assert checked(course) == [f"{SOLUTION.as_posix()} is older than its source or its tests"]
    monkeypatch.undo()
    assert checked(course) == []
    monkeypatch.setattr(building.fourrounds.checks, "__file__", str(course / SOURCE))
    assert checked(course) == [f"{SOLUTION.as_posix()} is older than its source or its tests"]


def test_only_what_changed_is_built(course: Path, quick: None) -> None:
    new(course, "second")
    new(course, "third", assignment="round3_design")
    assert len(build(course, say=silent).written) == 4
    before = snapshot(course)
    edit(course / "source/round1_implement/second.ipynb", "# Softmax", "# The softmax")
    build(course, say=silent)
    after = snapshot(course)
    assert {path for path in after if after[path] != before[path]} == {
        "source/round1_implement/second.ipynb",
        "release/round1_implement/second.ipynb",
        "solutions/round1_implement/second.ipynb",
    }


def test_one_problem_of_several(course: Path, quick: None) -> None:
    new(course, "second")
    new(course, "third")
    (course / "release/round1_implement/gone.ipynb").write_text("{}")
    result = build(course, slugs=["third"], say=silent)
    assert [path.name for path in result.written] == ["third.ipynb"] * 2
    assert (course / "release/round1_implement/gone.ipynb").exists()
    with pytest.raises(LayoutError, match="Did you mean third"):
        build(course, slugs=["thrid"], say=silent)


def test_other_files_of_an_assignment_are_released(course: Path) -> None:
    for path in (
        "source/round1_implement/figures/a.svg",
        "release/README.md",
        "solutions/round1_implement/notes.md",
    ):
        (course / path).parent.mkdir(exist_ok=True)
        (course / path).write_text(f"at first {path}")
    figure = course / "release/round1_implement/figures/a.svg"
    assert build(course, say=silent).written == [figure]
    assert "source" in figure.read_text()
    (course / "source/round1_implement/figures/a.svg").unlink()
    assert build(course, say=silent).written == [figure]
    assert not figure.exists()
    assert (course / "release/README.md").exists()
    assert (course / "solutions/round1_implement/notes.md").exists()


@pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning")
def test_the_gradebook_is_left_alone(course: Path, quick: None) -> None:
    """With work handed in, nbgrader's own command refuses to add a problem, and deletes release/."""
    with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as book:
        book.add_assignment("round1_implement")
        book.add_notebook("softmax", "round1_implement")
        book.add_student("ada")
        book.add_submission("round1_implement", "ada")
    before = (course / "gradebook.db").read_bytes()
    new(course, "second")
    build(course, say=silent)
    assert (course / "release/round1_implement/second.ipynb").exists()
    assert (course / "gradebook.db").read_bytes() == before
    assert list(course.glob("gradebook.db*")) == [course / "gradebook.db"]


def test_a_crash_leaves_the_old_files(course: Path, quick: None, monkeypatch: pytest.MonkeyPatch) -> None:
    before = {path: (course / path).read_bytes() for path in (RELEASE, SOLUTION)}
    edit(course / SOURCE, "# Softmax", "# The softmax")

    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", crash)
        with pytest.raises(KeyboardInterrupt):
            build(course, say=silent)
    assert {path: (course / path).read_bytes() for path in before} == before
    build(course, say=silent)
    assert checked(course) == []
    assert not list(course.rglob("*.part"))


def test_line_ends_of_a_checkout_do_not_count(course: Path) -> None:
    for path in (SOURCE, RELEASE, SOLUTION):
        (course / path).write_bytes((course / path).read_bytes().replace(b"\n", b"\r\n"))
    assert checked(course) == []


def test_a_solution_that_raises_is_refused(course: Path) -> None:
    before = {path: (course / path).read_bytes() for path in (RELEASE, SOLUTION)}
    edit(course / SOURCE, 'ax.set_xlabel(\\"logit\\")', "ax.set_nothing()")
    with pytest.raises(
        CourseError, match=r"softmax, cell picture: the worked solution raises AttributeError"
    ):
        build(course, say=silent)
    assert {path: (course / path).read_bytes() for path in before} == before


def test_a_problem_that_does_not_hold_is_refused_and_the_others_are_built(course: Path) -> None:
    edit(course / SOURCE, "    e = np.exp(x)\\n", "    e = np.exp(x - x.max(axis=-1, keepdims=True))\\n")
    new(course, "third")
    with pytest.raises(
        CourseError, match="the fault no_shift keeps the points of its group tolerance"
    ) as error:
        build(course, say=silent)
    assert "fourrounds prove softmax" in str(error.value)
    assert "third" not in str(error.value)
    assert (course / "release/round1_implement/third.ipynb").exists()
    assert (course / "solutions/round1_implement/third.ipynb").exists()
    assert checked(course) == [f"{SOLUTION.as_posix()} is older than its source or its tests"]


def test_no_key_is_released_beside_the_notebook(course: Path) -> None:
    text = course / "source/round1_implement/softmax.py"
    text.write_text("# ### BEGIN SOLUTION")
    with pytest.raises(CourseError, match=r"round1_implement/softmax\.py holds answers"):
        build(course, say=silent)
    assert not (course / "release/round1_implement/softmax.py").exists()
    text.unlink()
    assert checked(course) == []


def test_what_nbgrader_refuses_is_told(course: Path) -> None:
    notebook = json.loads((course / SOURCE).read_text())
    answer = next(cell for cell in notebook["cells"] if cell["id"] == "softmax")
    answer["source"] = "".join(answer["source"]).replace("### END SOLUTION", "")
    (course / SOURCE).write_text(json.dumps(notebook))
    tidy(course / SOURCE)
    with pytest.raises(CourseError, match="does not release round1_implement") as error:
        build(course, say=silent)
    assert "no end solution statement found" in str(error.value)
