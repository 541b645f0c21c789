"""Handing in: what is on the screen, kept before it is graded, and graded once."""

import hashlib
import json
import multiprocessing
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from desk_course import EXAMINED, LEARNER, RIGHT, SLUG, Ran, write_answer

from fourrounds.desk import handing_in, store
from fourrounds.desk.attempts import Attempts
from fourrounds.desk.clocks import Sitting
from fourrounds.desk.errors import DeskError
from fourrounds.desk.handing_in import Screen
from fourrounds.examiner.layout import Layout

SITTING = Sitting(600.0, 60.0, 45.0)


def on_screen(path: Path) -> list[dict[str, Any]]:
    """The cells of a notebook, as the page tells them: their text is one string."""
    cells = json.loads(path.read_text())["cells"]
    return [{"cell_type": c["cell_type"], "source": "".join(c["source"])} for c in cells]


@pytest.fixture
def started(fourrounds: Callable[..., Ran], mine: Path) -> Path:
    """The learner's notebook, with the right answer in it."""
    fourrounds("start", SLUG)
    write_answer(mine, RIGHT)
    return mine


@pytest.fixture
def handed_in(layout: Layout, started: Path) -> int:
    data = handing_in.confirmed(Screen(started, on_screen(started)))
    return handing_in.hand_in(layout, LEARNER, SLUG, started, data, 7.0, SITTING)


def test_a_saved_notebook_is_confirmed(started: Path) -> None:
    assert handing_in.confirmed(Screen(started, on_screen(started))) == started.read_bytes()


def test_a_line_as_list_or_as_text_is_the_same_content(started: Path) -> None:
    cells = on_screen(started)
    split = [{**cell, "source": cell["source"].splitlines(keepends=True)} for cell in cells]
    assert handing_in.content_hash(cells) == handing_in.content_hash(split)


@pytest.mark.parametrize("change", ["text", "kind", "order", "more"])
def test_what_differs_from_the_screen_is_refused_and_the_place_is_named(started: Path, change: str) -> None:
    cells = on_screen(started)
    if change == "text":
        cells[3]["source"] += "#"
    elif change == "kind":
        cells[3]["cell_type"] = "raw"
    elif change == "order":
        cells[3:5] = cells[4:2:-1]
    else:
        cells.append({"cell_type": "code", "source": ""})
    with pytest.raises(DeskError, match="differ") as refused:
        handing_in.confirmed(Screen(started, cells))
    place = f"{len(cells)} cells, and {len(cells) - 1} in the file" if change == "more" else "in cell 4"
    assert place in str(refused.value)
    assert "Nothing was handed in" in str(refused.value)


def test_a_renamed_notebook_is_handed_in_under_its_new_name(layout: Layout, started: Path) -> None:
    cells = on_screen(started)
    renamed = started.rename(started.with_name("my attempt.ipynb"))
    with pytest.raises(DeskError, match="cannot be read"):
        handing_in.confirmed(Screen(started, cells))
    data = handing_in.confirmed(Screen(renamed, cells))
    number = handing_in.hand_in(layout, LEARNER, SLUG, renamed, data)
    attempt = handing_in.grade(layout, number)
    assert attempt is not None
    assert (attempt.score, attempt.submission) == (EXAMINED, str(renamed))


@pytest.mark.parametrize("text", ["", "{", "[]", '{"cells": 3}', '{"cells": [3]}'])
def test_a_file_that_is_no_notebook_is_refused_in_words(started: Path, text: str) -> None:
    cells = on_screen(started)
    started.write_text(text)
    with pytest.raises(DeskError, match="is no notebook"):
        handing_in.confirmed(Screen(started, cells))


def test_what_is_graded_is_what_was_handed_in_though_the_file_changes(
    layout: Layout, handed_in: int, started: Path
) -> None:
    data = started.read_bytes()
    started.write_text("gone")
    attempt = handing_in.grade(layout, handed_in)
    assert attempt is not None
    assert attempt.score == EXAMINED
    assert attempt.submission_sha256 == hashlib.sha256(data).hexdigest()
    assert (attempt.predicted, attempt.sitting) == (7.0, SITTING)
    assert handing_in.find(layout, handed_in).notebook == data


def test_it_waits_until_it_is_graded_and_is_graded_once(layout: Layout, handed_in: int) -> None:
    assert [one.id for one in handing_in.waiting(layout, LEARNER)] == [handed_in]
    assert handing_in.waiting(layout, "grace") == []
    first = handing_in.grade(layout, handed_in)
    assert handing_in.waiting(layout, LEARNER) == []
    assert handing_in.grade(layout, handed_in) == first
    assert Attempts(store.of(layout)).of(LEARNER, SLUG) == [first]


def test_settling_grades_all_that_waits(layout: Layout, handed_in: int, started: Path) -> None:
    write_answer(started, "def softmax(x):\n    return x")
    handing_in.hand_in(layout, LEARNER, SLUG, started, started.read_bytes())
    said: list[str] = []
    right, wrong = handing_in.settle(layout, LEARNER, said.append)
    assert right.score == EXAMINED
    assert wrong.score < EXAMINED
    assert any(SLUG in line for line in said)
    assert handing_in.settle(layout, LEARNER) == []


def test_the_next_start_of_jupyterlab_grades_what_is_left_over(
    layout: Layout, fourrounds: Callable[..., Ran], handed_in: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fourrounds.desk.study.study", lambda *args, **more: 0)
    ran = fourrounds("study", "--no-browser")
    assert ran.status == 0
    assert f"Grading {SLUG}, which you handed in before" in ran.out
    deadline = time.monotonic() + 120
    while handing_in.waiting(layout, LEARNER):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert handing_in.find(layout, handed_in).attempt is not None
    assert "Grading" not in fourrounds("study", "--no-browser").out


def test_one_that_its_graders_were_lost_over_is_left_to_the_learner(layout: Layout, handed_in: int) -> None:
    with store.of(layout).writing() as db:
        db.execute("UPDATE submissions SET tries = ?", (handing_in.MAX_TRIES,))
    assert handing_in.settle(layout, LEARNER) == []
    assert handing_in.grade(layout, handed_in) is not None


def _hold(root: str, number: int, ready: Any, done: Any) -> None:
    from filelock import FileLock

    with FileLock(handing_in._lock_path(Layout(Path(root)), number)):
        ready.set()
        done.wait(60)


def test_what_another_process_is_grading_is_left_to_it(layout: Layout, handed_in: int) -> None:
    context = multiprocessing.get_context("spawn")
    ready, done = context.Event(), context.Event()
    other = context.Process(target=_hold, args=(str(layout.root), handed_in, ready, done))
    other.start()
    try:
        assert ready.wait(60)
        assert handing_in.being_graded(layout, handed_in)
        assert handing_in.grade(layout, handed_in) is None
        assert handing_in.settle(layout, LEARNER) == []
    finally:
        done.set()
        other.join(60)
    assert not handing_in.being_graded(layout, handed_in)
    assert handing_in.grade(layout, handed_in) is not None


def test_an_unknown_number_is_an_error_in_words(layout: Layout, fourrounds: Callable[..., Ran]) -> None:
    ran = fourrounds("graded", "99")
    assert ran.status == 2
    assert "number 99" in ran.err


def test_the_desks_own_cells_are_no_part_of_the_answer(layout: Layout, started: Path) -> None:
    from fourrounds.examiner.submission import rebuild

    notebook = json.loads(started.read_text())
    desk = [cell for cell in notebook["cells"] if cell["metadata"].get("fourrounds") == {"role": "desk"}]
    assert [cell["id"] for cell in desk] == ["desk-clock", "desk-submit"]
    assert notebook["cells"][-1] is desk[-1]
    texts = {cell["source"] for cell in desk}
    submission = rebuild(layout.problem(SLUG), started)
    assert texts.isdisjoint(part.source for part in submission.parts)
    # Whatever else calls itself so by a mistake of form is the learner's own cell.
    desk[0]["metadata"]["fourrounds"] = ["role", "desk"]
    started.write_text(json.dumps(notebook))
    assert desk[0]["source"] in {part.source for part in rebuild(layout.problem(SLUG), started).parts}
