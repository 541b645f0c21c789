"""What nbgrader shows: plain text everywhere, and no file but the notebook taken from a submission."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import nbformat
import pytest
import toy
from classroom import Classroom, answered
from nbformat import from_dict
from traitlets.config import Config

from fourrounds.checks import Kind
from fourrounds.examiner.plugins import (
    DropAuthorCells,
    Examine,
    HideHiddenTests,
    ShowReport,
    configure,
    plain,
    report_html,
    report_name,
)
from fourrounds.examiner.problem import Problem
from fourrounds.examiner.report import CellReport, Report

HOSTILE = "<script>alert('x')</script><img src=x onerror=alert(1)>"


def a_report(**values: Any) -> Report:
    cell = CellReport("test-values", "values", Kind.WRONG_VALUE, 0.0, 2.0, **values)
    return Report("twice", "round1_implement", 7, "namespaces", cells=[cell], notes=[HOSTILE])


def test_a_report_is_escaped() -> None:
    page = report_html(a_report(message=HOSTILE, fault="x", fault_says=HOSTILE).to_dict())
    assert "<script" not in page
    assert "<img" not in page
    assert page.count("&lt;script&gt;") == 3
    assert "\n" not in page  # a blank line would end the HTML block within a markdown cell


def test_a_report_says_what_was_found() -> None:
    made = a_report(message="the result is wrong", fault="plus", fault_says="it adds")
    made.cells.append(CellReport("why", "manual", Kind.MANUAL, None, 3.0))
    page = report_html(made.to_dict())
    assert "<td>values</td><td>wrong value</td><td>0 of 2</td>" in page
    assert "<td>the result is wrong. A known fault gives the same output: it adds.</td>" in page
    assert "<td>manual</td><td>manual</td><td>not yet of 3</td>" in page
    assert "Seed 7, sandbox namespaces" in page


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain\ttext\n", "plain\ttext\n"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07x", "0;titlex"),
        ("a\x00b\x08c\x7f", "abc"),
        ("a\r\nb", "a\nb"),
        ("over\rwritten", "overwritten"),
        ("\u202etxt.exe\u2066", "txt.exe"),
        ("ünïcode ∑", "ünïcode ∑"),
    ],
)
def test_control_characters_are_taken_out(text: str, shown: str) -> None:
    assert plain(text) == shown


def test_author_cells_are_dropped(ledger: Problem) -> None:
    kept, _ = DropAuthorCells().preprocess(from_dict(ledger.notebook), {})
    roles = {cell.metadata.fourrounds.role for cell in kept.cells}
    assert not roles & {"fault", "variant", "debrief"}
    assert len(kept.cells) == len(ledger.cells)


def test_hidden_tests_show_only_where_the_instructor_says_so() -> None:
    def sources(**options: Any) -> list[str]:
        made = from_dict(toy.notebook(toy.hidden("assert secret")))
        return [c.source for c in HideHiddenTests(**options).preprocess(made, {})[0].cells]

    assert not any("secret" in source for source in sources())
    assert any("secret" in source for source in sources(show=True))


def test_feedback_without_a_report_is_left_as_it_is(tmp_path: Path) -> None:
    made = from_dict(toy.twice())
    resources = {"metadata": {"path": str(tmp_path)}, "nbgrader": {"notebook": "twice"}}
    before = len(made.cells)
    assert len(ShowReport().preprocess(made, resources)[0].cells) == before
    (tmp_path / report_name("twice")).write_text(
        '{"cells": [], "notes": [], "seed": 1, "sandbox": "x", "seconds": 1}'
    )
    shown, _ = ShowReport().preprocess(made, resources)
    assert (len(shown.cells), shown.cells[0].cell_type) == (before + 1, "markdown")


def test_the_configuration_keeps_nbgraders_own_steps_of_a_release() -> None:
    config = Config()
    configure(config)
    names = [step.__name__ for step in config.GenerateAssignment.preprocessors]
    assert names[0] == "DropAuthorCells"
    assert {"ClearSolutions", "ClearHiddenTests", "SaveCells", "ComputeChecksums"} <= set(names)
    assert Examine in config.Autograde.autograde_preprocessors
    assert not any(step.__name__ == "Execute" for step in config.Autograde.autograde_preprocessors)


@pytest.fixture
def room(tmp_path: Path, ledger: Problem, empty_gradebook: Path) -> Classroom:
    made = Classroom.ours(tmp_path / "course", ledger)
    shutil.copy(empty_gradebook, made.root)
    return made


@pytest.fixture
def released(ledger: Problem) -> dict[str, Any]:
    cells = [
        {"cell_type": c.cell_type, "metadata": c.metadata, "source": c.stub, "id": c.grade_id}
        | ({"execution_count": None, "outputs": []} if c.cell_type == "code" else {})
        for c in ledger.cells
    ]
    return {"cells": cells, "metadata": ledger.notebook["metadata"], "nbformat": 4, "nbformat_minor": 5}


def cells_of(room: Classroom) -> dict[str, Any]:
    """The cells of ada's autograded notebook, by grade_id."""
    path = room.root / "autograded" / "ada" / room.assignment / "ledger.ipynb"
    cells = nbformat.read(path, as_version=4).cells
    return {cell.metadata.nbgrader.grade_id: cell for cell in cells if "nbgrader" in cell.metadata}


def test_nothing_but_the_notebook_is_taken(room: Classroom, released: dict[str, Any], tmp_path: Path) -> None:
    room.hand_in("ada", released)
    folder = room.submitted("ada").parent
    secret = tmp_path / "secret"
    secret.write_text("secret")
    (folder / "numpy.py").write_text("raise SystemExit")
    (folder / "link").symlink_to(secret)
    (folder / "dangling").symlink_to(tmp_path / "nowhere")
    (folder / "other.ipynb").write_text("{")
    (folder / "data").mkdir()
    (folder / "data" / "x.csv").write_text("1")
    (folder / "timestamp.txt").write_text("2026-01-02 03:04:05 UTC")
    room.autograde(with_config=True)
    made = room.root / "autograded" / "ada" / room.assignment
    assert sorted(path.name for path in made.iterdir()) == [
        "ledger.ipynb",
        "ledger.report.json",
        "timestamp.txt",
    ]
    assert (made / "timestamp.txt").read_text() == "2026-01-02 03:04:05 UTC"


def test_a_folder_without_a_notebook_is_a_submission_too(room: Classroom, released: dict[str, Any]) -> None:
    room.hand_in("ada", released)
    room.submitted("bob").parent.mkdir(parents=True)
    room.autograde(with_config=True)
    assert {score.auto for score in room.scores("bob").values()} == {0.0}
    assert room.report("bob")["cells"][0]["message"] == "No notebook was handed in for this problem."


@pytest.mark.parametrize("text", ["yesterday", "", "\xff\xfe", "x" * 10_000])
def test_a_timestamp_that_is_none_is_put_aside(room: Classroom, released: dict[str, Any], text: str) -> None:
    room.hand_in("ada", released)
    folder = room.submitted("ada").parent
    (folder / "timestamp.txt").write_text(text, encoding="latin-1")
    room.autograde(with_config=True)
    assert room.report("ada")["score"] == 0
    assert (folder / "timestamp.txt.unreadable").exists()


def test_an_answer_that_prints_html_is_shown_as_text(room: Classroom, released: dict[str, Any]) -> None:
    shown = f"from IPython.display import HTML, display\ndisplay(HTML({HOSTILE!r}))"
    sources = {
        "ledger-answer": f"print({HOSTILE!r})\n{shown}",
        "why-nan": f"{HOSTILE} and a < b, x<y",
    }
    room.hand_in("ada", answered(released, sources))
    room.autograde(with_config=True)
    cells = cells_of(room)
    (output,) = cells["ledger-answer"].outputs
    assert (output.output_type, output.name) == ("stream", "stdout")
    assert "<script" not in cells["why-nan"].source
    assert "a < b" in cells["why-nan"].source
    kinds = {o.output_type for cell in cells.values() if cell.cell_type == "code" for o in cell.outputs}
    assert kinds == {"stream"}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a [link](javascript:x)", "a [link] (javascript:x)"),
        ("[a][b]\n\n[b]: javascript:x", "[a] [b]\n\n[b] : javascript:x"),
        ("<img src=x> and a < b", "< img src=x> and a < b"),
        (
            "![mine](attachment:a.png) ![not](attachment:b.png)",
            "![mine](attachment:a.png) ![not] (attachment:b.png)",
        ),
        ("$x_{[i]}$, `a[0]`\n- [x] done", "$x_{[i]}$, `a[0]`\n- [x] done"),
        ("\x00\x1b[31mred", "red"),
    ],
)
def test_a_written_answer_has_no_tag_and_no_link(
    room: Classroom, released: dict[str, Any], text: str, shown: str
) -> None:
    notebook = answered(released, {"why-nan": text})
    (cell,) = (c for c in notebook["cells"] if c["metadata"]["nbgrader"]["grade_id"] == "why-nan")
    cell["attachments"] = {"a.png": {"image/png": "iVBORw0KGgo="}}
    room.hand_in("ada", notebook)
    room.autograde(with_config=True)
    assert cells_of(room)["why-nan"].source == shown


def test_what_is_long_is_clipped_and_what_is_printed_has_a_limit(
    room: Classroom, released: dict[str, Any]
) -> None:
    sources = {
        "ledger-answer": f"for _ in range(30):\n    print('x' * 65536)\n# {'y' * 60_000}",
        "why-nan": "[" * 9_000,
    }
    room.hand_in("ada", answered(released, sources))
    room.autograde(with_config=True)
    cells = cells_of(room)
    assert cells["ledger-answer"].source.endswith("y\n# [... 10045 characters more]")
    assert len(cells["ledger-answer"].source) < 50_100
    assert cells["why-nan"].source == "<pre>\n# &#91;... 9000 characters more]</pre>"
    assert "Markdown cells too long to be rendered are shown as text: 1." in room.report("ada")["notes"]
    assert (
        "All cells were run and read; 3 are shown in part, since together they are long."
        in room.report("ada")["notes"]
    )


def test_a_folder_that_is_a_link_is_nobodys_work(room: Classroom, released: dict[str, Any]) -> None:
    room.hand_in("ada", answered(released, {"ledger-answer": "def balance(ledger): return 0.0"}))
    theirs = room.submitted("ada").parent
    (theirs / "timestamp.txt").write_text("rubbish")
    mine = room.submitted("bob").parent
    mine.parent.mkdir()
    mine.symlink_to(theirs, target_is_directory=True)
    room.autograde(with_config=True)
    report = room.report("bob")
    assert {cell["kind"] for cell in report["cells"]} == {"format"}
    assert report["cells"][0]["message"].startswith("The folder that was handed in is a link")


def test_a_source_that_is_broken_is_said(room: Classroom, released: dict[str, Any]) -> None:
    room.hand_in("ada", released)
    path = room.root / "source" / room.assignment / "ledger.ipynb"
    path.write_text('{"cells": [], "metadata": {"fourrounds": {}}}')
    with pytest.raises(RuntimeError, match=r"The source notebook round0_throwaway/ledger cannot be used"):
        room.autograde(with_config=True)
    assert room.submitted("ada").exists()
