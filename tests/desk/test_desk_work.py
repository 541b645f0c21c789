"""Starting a problem: no work is ever lost."""

import errno
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from fourrounds.desk import work
from fourrounds.desk.errors import DeskError
from fourrounds.examiner.layout import Layout
from fourrounds.examiner.problem import Problem

REPOSITORY = Path(__file__).parents[2]
RELEASED = sorted((REPOSITORY / "release").glob("*/*.ipynb"))
WORK = b'{"cells": ["an hour of work"]}'


def start(layout: Layout, again: bool = False) -> work.Started:
    return work.start(layout, layout.problem("softmax"), "ada", again=again)


def archived(layout: Layout) -> list[bytes]:
    return [path.read_bytes() for path in sorted(layout.state.glob("archive/ada/**/*.ipynb"))]


def released(layout: Layout) -> bytes:
    """The learner's copy as it begins: the released notebook, with the desk's cells."""
    data = (layout.release / "round1_implement" / "softmax.ipynb").read_bytes()
    return work.with_desk(data, layout.problem("softmax"))


def test_a_first_start_copies_the_released_notebook(layout: Layout, mine: Path) -> None:
    started = start(layout)
    assert started.outcome == "started"
    assert started.path == mine
    assert mine.read_bytes() == released(layout)
    assert os.listdir(mine.parent) == ["softmax.ipynb"]


def test_a_second_start_leaves_the_work_alone(layout: Layout, mine: Path) -> None:
    start(layout)
    mine.write_bytes(WORK)
    assert start(layout).outcome == "kept"
    assert mine.read_bytes() == WORK
    assert not archived(layout)


def test_a_notebook_that_appears_while_starting_is_work(
    layout: Layout, mine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make = work.with_desk

    def slow(data: bytes, problem: Problem) -> bytes:
        mine.parent.mkdir(parents=True)
        mine.write_bytes(WORK)
        return make(data, problem)

    monkeypatch.setattr(work, "with_desk", slow)
    assert start(layout).outcome == "kept"
    assert mine.read_bytes() == WORK
    assert os.listdir(mine.parent) == ["softmax.ipynb"]


@pytest.mark.parametrize("links", [True, False], ids=["links", "no links"])
def test_it_works_on_a_disk_without_hard_links(
    layout: Layout, mine: Path, monkeypatch: pytest.MonkeyPatch, links: bool
) -> None:
    if not links:

        def refuse(source: Path, target: Path) -> None:
            raise OSError(errno.EPERM, "not supported")

        monkeypatch.setattr(os, "link", refuse)
    assert start(layout).outcome == "started"
    mine.write_bytes(WORK)
    assert start(layout, again=True).outcome == "again"
    assert mine.read_bytes() == released(layout)
    assert archived(layout) == [WORK]


def test_again_archives_every_attempt_outside_submitted(layout: Layout, mine: Path) -> None:
    start(layout)
    works = [WORK + str(number).encode() for number in range(3)]
    for content in works:  # within one second, so that the time alone does not tell them apart
        mine.write_bytes(content)
        started = start(layout, again=True)
        assert started.outcome == "again"
        assert started.archived is not None
        assert started.archived.read_bytes() == content
        assert not started.archived.is_relative_to(layout.submitted)
        assert mine.read_bytes() == released(layout)
    assert sorted(archived(layout)) == sorted(works)


def test_again_without_work_just_starts(layout: Layout) -> None:
    assert start(layout, again=True).outcome == "started"
    assert not archived(layout)


def test_again_with_the_archive_on_another_disk(
    layout: Layout, mine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start(layout)
    mine.write_bytes(WORK)

    def other_disk(source: Path, target: Path) -> None:
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    monkeypatch.setattr(os, "rename", other_disk)
    started = start(layout, again=True)
    assert archived(layout) == [WORK]
    assert mine.read_bytes() == released(layout)
    assert started.archived is not None
    assert os.listdir(started.archived.parent) == ["softmax.ipynb"]


def test_a_save_while_it_is_archived_to_another_disk_is_not_lost(
    layout: Layout, mine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start(layout)
    mine.write_bytes(WORK)
    copy = shutil.copyfileobj

    def other_disk(source: Path, target: Path) -> None:
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    def slow_copy(old: object, new: object) -> None:
        copy(old, new)
        mine.write_bytes(WORK + b"saved now")

    monkeypatch.setattr(os, "rename", other_disk)
    monkeypatch.setattr(shutil, "copyfileobj", slow_copy)
    with pytest.raises(DeskError, match="saved while"):
        start(layout, again=True)
    assert mine.read_bytes() == WORK + b"saved now"


KILLED = """
import os, sys
from fourrounds.desk import work
from fourrounds.examiner.layout import Layout, find_root

module, name, when = sys.argv[1:]
owner = {"os": os, "work": work}[module]
before = getattr(owner, name)

def dies(*args, **kwargs):
    if when == "after":
        before(*args, **kwargs)
    os.kill(os.getpid(), 9)

setattr(owner, name, dies)
layout = Layout(find_root())
work.start(layout, layout.problem("softmax"), "ada", again=True)
"""


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", ["os.rename", "work.with_desk", "os.link"])
def test_a_kill_at_any_step_of_again_loses_nothing(layout: Layout, mine: Path, step: str, when: str) -> None:
    start(layout)
    mine.write_bytes(WORK)
    done = subprocess.run([sys.executable, "-c", KILLED, *step.split("."), when], capture_output=True)
    assert done.returncode == -9, done.stderr.decode()
    places = [*archived(layout), *([mine.read_bytes()] if mine.exists() else [])]
    assert places.count(WORK) == 1
    assert all(content in (WORK, released(layout)) for content in places)
    # The next command finds order, whatever the dead one has left.
    start(layout, again=True)
    assert mine.read_bytes() == released(layout)
    assert archived(layout).count(WORK) == 1


def test_a_problem_that_is_not_built_says_how_to_build_it(layout: Layout) -> None:
    shutil.rmtree(layout.release)
    with pytest.raises(DeskError, match="fourrounds build softmax"):
        start(layout)


def test_a_folder_in_the_notebooks_place_is_left_alone(layout: Layout, mine: Path) -> None:
    mine.mkdir(parents=True)
    (mine / "thesis.txt").write_text("mine")
    for again in (False, True):
        with pytest.raises(DeskError, match="is a folder"):
            start(layout, again)
    assert (mine / "thesis.txt").read_text() == "mine"


def test_a_dangling_link_in_the_notebooks_place_is_no_reason_to_overwrite(layout: Layout, mine: Path) -> None:
    mine.parent.mkdir(parents=True)
    mine.symlink_to("nowhere.ipynb")
    assert start(layout).outcome == "kept"
    assert mine.is_symlink()
    started = start(layout, again=True)
    assert started.archived is not None
    assert started.archived.is_symlink()
    assert mine.read_bytes() == released(layout)


@pytest.mark.parametrize(
    "path", sorted((REPOSITORY / "release").glob("*/*.ipynb")), ids=lambda path: path.stem
)
@pytest.mark.parametrize("press", ["Submit", "Hand in"])
def test_a_copy_says_which_button_hands_it_in(path: Path, press: str) -> None:
    problem = Layout(REPOSITORY).problem(path.stem)
    copy = json.loads(work.with_desk(path.read_bytes(), problem, press=press))
    front = "".join(copy["cells"][0]["source"])
    assert f"Run the last cell, and press *{press}*." in front
    assert "fourrounds grade" not in front


@pytest.mark.parametrize("name", ["..", "a/b", "a*", "[ab]", ".hidden", "-x", "x ", "x.", "a\n", "a" * 101])
def test_names_that_cannot_be_folders_are_refused(name: str) -> None:
    with pytest.raises(DeskError, match="FOURROUNDS_USER"):
        work.user_name(name)


@pytest.mark.parametrize("name", ["ada", "a", "Łukasz", "ada@lovelace.org", "ada lovelace", "s-1_2.3"])
def test_names_that_can_be_folders(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert work.user_name(name) == name
    monkeypatch.setenv("FOURROUNDS_USER", name)
    assert work.user_name() == name


def test_without_a_name_the_login_name_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FOURROUNDS_USER", raising=False)
    monkeypatch.setattr("getpass.getuser", lambda: "grace")
    assert work.user_name() == "grace"

    def nobody() -> str:
        raise KeyError("uid not found")

    monkeypatch.setattr("getpass.getuser", nobody)
    with pytest.raises(DeskError, match="set FOURROUNDS_USER"):
        work.user_name()
