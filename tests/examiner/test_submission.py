"""What is handed in, rebuilt: the source's cells, the learner's text, and words for what cannot be read."""

from __future__ import annotations

import copy
import json
import os
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest
import toy
from classroom import own_cell

from fourrounds.checks import Kind
from fourrounds.examiner import submission as submission_module
from fourrounds.examiner.problem import Problem
from fourrounds.examiner.submission import (
    Submission,
    empty,
    from_python,
    from_sources,
    rebuild,
)

Rebuild = Callable[[Any], Submission]
RIGHT = "def double(x):\n    return 2 * x"


@pytest.fixture
def problem(tmp_path: Path) -> Problem:
    """An answer cell, a second one, a hidden test between them, and a written answer."""
    return toy.load(
        tmp_path,
        toy.notebook(
            toy.answer(toy.DOUBLE, "first"),
            toy.hidden("assert double(2) == 4"),
            toy.answer("half = 0.5", "second"),
            toy.manual(points=1),
        ),
    )


@pytest.fixture
def released(problem: Problem) -> dict[str, Any]:
    """The notebook as a learner gets it."""
    cells = [
        {"cell_type": c.cell_type, "metadata": c.metadata, "source": c.stub, "id": c.grade_id}
        for c in problem.cells
    ]
    for cell in cells:
        if cell["cell_type"] == "code":
            cell |= {
                "execution_count": 3,
                "outputs": [{"output_type": "stream", "name": "stdout", "text": "2"}],
            }
    made = {"cells": cells, "metadata": {"kernelspec": {"name": "mine"}}, "nbformat": 4, "nbformat_minor": 5}
    return copy.deepcopy(made)


@pytest.fixture
def read(problem: Problem, tmp_path: Path) -> Rebuild:
    """Write what is given (a notebook, text or bytes) to a file, and rebuild it."""

    def write_and_read(content: Any) -> Submission:
        path = tmp_path / "handed_in.ipynb"
        if isinstance(content, dict):
            content = json.dumps(content)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return rebuild(problem, path)

    return write_and_read


def place(notebook: dict[str, Any], grade_id: str) -> int:
    ids = [cell["metadata"].get("nbgrader", {}).get("grade_id") for cell in notebook["cells"]]
    return ids.index(grade_id)


def write(notebook: dict[str, Any], grade_id: str, source: Any) -> None:
    notebook["cells"][place(notebook, grade_id)]["source"] = source


def order(submission: Submission) -> list[str]:
    return [part.source if part.cell is None else part.cell.grade_id for part in submission.parts]


def text(submission: Submission, grade_id: str) -> str:
    (part,) = (p for p in submission.parts if p.cell is not None and p.cell.grade_id == grade_id)
    return part.source


ORDER = ["front", "setup", "first", "test-values", "second", "why"]


def test_an_answer_takes_its_place_among_the_sources_own_cells(
    read: Rebuild, released: dict[str, Any], problem: Problem
) -> None:
    write(released, "first", RIGHT)
    got = read(released)
    assert order(got) == ORDER
    assert text(got, "first") == RIGHT
    assert text(got, "test-values") == problem.cell("test-values").source
    assert (got.notes, got.failure, got.untouched) == ((), None, False)
    rebuilt = got.notebook()
    nbformat.validate(nbformat.from_dict(rebuilt))
    assert rebuilt["metadata"] == problem.notebook["metadata"]
    assert all(cell.get("outputs", []) == [] for cell in rebuilt["cells"])


def test_untouched_is_untouched(read: Rebuild, released: dict[str, Any]) -> None:
    assert read(released).untouched
    write(released, "first", "\n# YOUR CODE HERE\n\nraise   NotImplementedError()\n")
    assert read(released).untouched
    released["cells"].append(own_cell("some notes", "markdown"))
    assert read(released).untouched
    released["cells"].append(own_cell("  \n"))
    assert read(released).untouched
    released["cells"].append(own_cell("x = 1"))
    assert not read(released).untouched


@pytest.mark.parametrize(("grade_id", "source"), [("first", RIGHT), ("second", ""), ("why", "Because.")])
def test_any_answer_cell_makes_it_touched(
    read: Rebuild, released: dict[str, Any], grade_id: str, source: str
) -> None:
    write(released, grade_id, source)
    assert not read(released).untouched


def test_what_was_done_to_locked_cells_changes_nothing(
    read: Rebuild, released: dict[str, Any], problem: Problem
) -> None:
    write(released, "first", RIGHT)
    for grade_id in ("front", "setup", "test-values"):
        cell = released["cells"][place(released, grade_id)]
        cell["source"] = "raise SystemExit"
        cell["metadata"]["nbgrader"] |= {"points": 500, "locked": False, "solution": True, "grade": True}
    released["cells"][place(released, "test-values")]["cell_type"] = "markdown"
    got = read(released)
    assert got.parts[3].cell == problem.cell("test-values")
    assert got.parts[3].cell_type == "code"
    assert text(got, "setup") == problem.cell("setup").source
    assert got.notebook()["cells"][3]["metadata"]["nbgrader"]["points"] == 2


def test_of_a_doubled_answer_the_last_counts(read: Rebuild, released: dict[str, Any]) -> None:
    write(released, "first", "old")
    again = json.loads(json.dumps(released["cells"][place(released, "first")])) | {"source": RIGHT}
    released["cells"].append(again)
    got = read(released)
    assert order(got) == ORDER
    assert text(got, "first") == RIGHT
    assert got.notes == ("The answer cell 'first' stood there more than once; the last one counts.",)


def test_a_doubled_test_counts_once(read: Rebuild, released: dict[str, Any]) -> None:
    released["cells"] += [released["cells"][place(released, "test-values")]] * 3
    got = read(released)
    assert order(got) == ORDER
    assert got.notes == ()


def test_a_deleted_answer_and_a_deleted_test_are_told(read: Rebuild, released: dict[str, Any]) -> None:
    for grade_id in ("first", "test-values", "setup"):
        del released["cells"][place(released, grade_id)]
    got = read(released)
    assert order(got) == ORDER
    assert text(got, "first") == ""
    assert got.notes == (
        "The answer cell 'first' was missing.",
        "Test cells were missing and were put back: test-values.",
    )


def test_a_renamed_answer_is_the_learners_own_cell(read: Rebuild, released: dict[str, Any]) -> None:
    write(released, "first", RIGHT)
    released["cells"][place(released, "first")]["metadata"]["nbgrader"]["grade_id"] = "mine"
    got = read(released)
    assert order(got) == ["front", "setup", RIGHT, "first", "test-values", "second", "why"]
    assert text(got, "first") == ""


def test_a_composed_and_a_decomposed_name_are_one(tmp_path: Path) -> None:
    name = unicodedata.normalize("NFC", "größe")
    problem = toy.load(tmp_path, toy.notebook(toy.answer(toy.DOUBLE, name), toy.hidden(toy.TEST)))
    cell = own_cell(RIGHT)
    cell["metadata"] = {"nbgrader": {"grade_id": unicodedata.normalize("NFD", name)}}
    path = tmp_path / "handed_in.ipynb"
    path.write_text(json.dumps({"cells": [cell]}))
    assert text(rebuild(problem, path), name) == RIGHT


def test_own_cells_stay_behind_the_cell_that_they_stood_behind(
    read: Rebuild, released: dict[str, Any]
) -> None:
    cells = released["cells"]
    cells.insert(place(released, "second"), own_cell("before second"))
    cells.insert(place(released, "first") + 1, own_cell("after first"))
    cells.insert(place(released, "first") + 2, own_cell("after first, too"))
    cells.insert(place(released, "first"), own_cell("before first"))
    cells.insert(0, own_cell("at the top"))
    cells.append(own_cell("at the end"))
    assert order(read(released)) == [
        "at the top",
        "front",
        "setup",
        "before first",
        "first",
        "after first",
        "after first, too",
        "test-values",
        "before second",
        "second",
        "why",
        "at the end",
    ]


def test_own_cells_behind_a_copy_stay_where_they_are(read: Rebuild, released: dict[str, Any]) -> None:
    released["cells"] += [released["cells"][place(released, "first")], own_cell("at the end")]
    assert order(read(released)) == [*ORDER, "at the end"]


def test_own_cells_follow_when_cells_are_moved(read: Rebuild, released: dict[str, Any]) -> None:
    cells = released["cells"]
    cells.insert(place(released, "second") + 1, own_cell("helper of second"))
    second, helper = place(released, "second"), place(released, "second") + 1
    moved = [cells[second], cells[helper]]
    released["cells"] = moved + [c for c in cells if c not in moved]
    assert order(read(released)) == [*ORDER[:5], "helper of second", "why"]


def test_own_markdown_stays_text_and_keeps_its_pictures(read: Rebuild, released: dict[str, Any]) -> None:
    note = own_cell("See ![plot](attachment:plot.png)", "markdown")
    note["attachments"] = {
        "plot.png": {"image/png": "iVBORw0KGgo=", "text/html": "<script>"},
        "page.html": {"text/html": "<script>"},
        "odd": 5,
    }
    released["cells"].append(note)
    released["cells"].append(own_cell("<b>raw</b>", "raw"))
    got = read(released)
    assert (got.parts[-1].cell_type, got.parts[-1].source) == ("markdown", note["source"])
    assert got.parts[-1].attachments == {"plot.png": {"image/png": "iVBORw0KGgo="}}
    assert got.notebook()["cells"][-1]["attachments"] == {"plot.png": {"image/png": "iVBORw0KGgo="}}
    assert order(got)[-2:] == ["why", note["source"]]


def test_a_written_answer_keeps_its_pictures_within_reason(
    read: Rebuild, released: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(submission_module, "MAX_PICTURES", 10)
    cell = released["cells"][place(released, "why")]
    cell["source"] = "![a](attachment:a)"
    cell["attachments"] = {
        "a": {"image/png": "12345"},
        "b": {"image/jpeg": "1234567"},
        "c": {"image/png": "123"},
    }
    (part,) = (p for p in read(released).parts if p.cell is not None and p.cell.grade_id == "why")
    assert part.attachments == {"a": {"image/png": "12345"}, "c": {"image/png": "123"}}


def test_a_notebook_of_the_third_format_is_read(read: Rebuild, problem: Problem) -> None:
    cells = [
        {
            "cell_type": "code",
            "input": [RIGHT[:10], RIGHT[10:]],
            "metadata": {"nbgrader": {"grade_id": "first"}},
        },
        {"cell_type": "code", "input": "mine = 1", "metadata": {}},
        {"cell_type": "markdown", "source": "Because.", "metadata": {"nbgrader": {"grade_id": "why"}}},
        "no cell",
    ]
    got = read({"nbformat": 3, "metadata": {}, "worksheets": [{"cells": cells}, 5, {"cells": 5}]})
    assert text(got, "first") == RIGHT
    assert text(got, "why") == "Because."
    assert "mine = 1" in order(got)


def test_a_lone_surrogate_can_be_written_to_a_file(read: Rebuild, released: dict[str, Any]) -> None:
    write(released, "first", "x = 1  # \ud800")
    got = read(released)
    assert text(got, "first") == "x = 1  # ?"
    json.dumps(got.notebook(), ensure_ascii=False).encode()


@pytest.mark.parametrize(
    "cell",
    [
        5,
        None,
        [],
        {},
        {"cell_type": "code"},
        {"cell_type": "code", "source": 5},
        {"cell_type": "code", "source": [1, "x = 1", None]},
        {"cell_type": ["code"], "source": "x"},
        {"cell_type": {}, "source": "x"},
        {"cell_type": "code", "source": "x", "metadata": 5},
        {"cell_type": "code", "source": "x", "metadata": {"nbgrader": 5}},
        {"cell_type": "code", "source": "x", "metadata": {"nbgrader": {"grade_id": ["first"]}}},
        {"cell_type": "markdown", "source": "x", "attachments": {"a": {"image/png": 5}}},
    ],
    ids=range(13),
)
def test_odd_cells_are_read_as_far_as_they_go(read: Rebuild, released: dict[str, Any], cell: Any) -> None:
    write(released, "first", RIGHT)
    released["cells"] += [cell, cell]
    got = read(released)
    assert got.failure is None
    assert order(got)[: len(ORDER)] == ORDER
    assert text(got, "first") == RIGHT
    nbformat.validate(nbformat.from_dict(got.notebook()))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "The notebook is an empty file."),
        ("  \n", "The notebook is an empty file."),
        ('{"cells": [', "The notebook is no valid JSON"),
        (b"\xff\xfe\x00", "The notebook is no valid JSON"),
        (b"PK\x03\x04", "The notebook is no valid JSON"),
        ('{"cells": [' + "9" * 5000 + "]}", "The notebook is no valid JSON"),
        ("[" * 200_000, "The notebook is nested too deeply to be read"),
        ("[]", "The file is JSON, and no notebook."),
        ("null", "The file is JSON, and no notebook."),
        ("{}", "The notebook has no cells."),
        ('{"cells": {}}', "The notebook has no cells."),
        ('{"worksheets": {}}', "The notebook has no cells."),
        (
            '{"cells": [' + "1," * 3000 + "1]}",
            "The notebook has 3001 cells, and 2000 is the most that is read.",
        ),
    ],
    ids=range(13),
)
def test_a_file_that_cannot_be_read_is_a_reason_in_words(
    read: Rebuild, problem: Problem, content: Any, words: str
) -> None:
    got = read(content)
    assert got.failure is not None
    assert words in got.failure
    assert got.failure_kind is Kind.FORMAT
    assert order(got) == ORDER
    assert got.parts == empty(problem).parts


def test_what_is_not_there_was_not_attempted(problem: Problem, tmp_path: Path) -> None:
    for path in (tmp_path / "none.ipynb", tmp_path / "no" / "folder.ipynb"):
        got = rebuild(problem, path)
        assert (got.failure, got.failure_kind) == (
            "No notebook was handed in for this problem.",
            Kind.NOT_ATTEMPTED,
        )


def test_only_a_regular_file_is_opened(problem: Problem, tmp_path: Path) -> None:
    target = tmp_path / "target.ipynb"
    target.write_text("{}")
    for name, to in {
        "link": target,
        "dangling": tmp_path / "nowhere",
        "outside": Path("/etc/passwd"),
    }.items():
        link = tmp_path / name
        link.symlink_to(to)
        failure = rebuild(problem, link).failure
        assert failure == "What was handed in is a link to a file, not the file itself. Hand in the notebook."
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe"):
        assert rebuild(problem, path).failure == "What was handed in is not a file. Hand in the notebook."


def test_a_huge_file_is_not_read(problem: Problem, tmp_path: Path) -> None:
    path = tmp_path / "huge.ipynb"
    with path.open("wb") as file:
        file.truncate(200 * 2**20)
    failure = rebuild(problem, path).failure
    assert failure is not None
    assert failure.startswith("The notebook is 200 MB, and 32 MB is the most that is read. Clear its outputs")


def test_a_long_cell_is_left_out(
    read: Rebuild, released: dict[str, Any], problem: Problem, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(submission_module, "MAX_CELL_CHARACTERS", 60)
    write(released, "first", "x" * 61)
    write(released, "second", "y" * 60)
    released["cells"] += [own_cell("z" * 61), own_cell("z" * 60)]
    got = read(released)
    assert text(got, "first") == problem.cell("first").stub
    assert text(got, "second") == "y" * 60
    assert order(got)[-1] == "z" * 60
    assert got.notes == (
        "1 cells of your own were longer than 60 characters and were left out.",
        "The answer cell 'first' is longer than 60 characters.",
    )


def test_what_cannot_be_opened_is_said(
    problem: Problem, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "handed_in.ipynb"
    path.write_text("{}")

    def refuse(*args: Any, **kwargs: Any) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    assert rebuild(problem, path).failure == "The notebook could not be read (Permission denied)."


def test_answers_from_sources_and_from_python(problem: Problem) -> None:
    got = from_sources(problem, {"second": "half = 1 / 2"})
    assert order(got) == ORDER
    assert text(got, "second") == "half = 1 / 2"
    assert text(got, "first") == problem.cell("first").stub
    for unknown in ("test-values", "setup", "nothing"):
        with pytest.raises(KeyError):
            from_sources(problem, {unknown: ""})
    got = from_python(problem, RIGHT)
    assert sorted((text(got, "first"), text(got, "second"))) == ["", RIGHT]
    assert text(got, "why") == problem.cell("why").stub


def test_the_sources_own_pictures_are_kept_whatever_was_handed_in(tmp_path: Path) -> None:
    """A page of feedback cannot be made of a cell that shows a picture which is not there."""
    shown = toy.cell("text", "![figure](attachment:f.png)", "shown")
    shown["attachments"] = {"f.png": {"image/png": "iVBORw0KGgo="}}
    problem = toy.load(tmp_path, toy.notebook(shown, toy.answer(toy.DOUBLE), toy.hidden(toy.TEST)))
    handed_in = toy.notebook(toy.cell("text", "gone", "shown"), toy.answer("x = 1"))
    path = tmp_path / "handed_in.ipynb"
    path.write_text(json.dumps(handed_in), encoding="utf-8")
    pictures = [
        cell["attachments"] for cell in rebuild(problem, path).notebook()["cells"] if "attachments" in cell
    ]
    assert pictures == [shown["attachments"]]
