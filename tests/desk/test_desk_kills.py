"""Kernel and grader are killed at random moments: no attempt and no work is lost, and none is doubled."""

import contextlib
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from desk_course import EXAMINED, LEARNER, RIGHT, SLUG, Ran, write_answer

from fourrounds.desk import handing_in, store
from fourrounds.desk.attempts import Attempts
from fourrounds.desk.clocks import Clocks, Do
from fourrounds.examiner.layout import Layout

pytestmark = pytest.mark.slow

KILLS = 50
# What a kernel does when the button is pressed. It says so when the page was told that it is handed in.
PRESS = """
import json, sys
from pathlib import Path
from fourrounds.desk import notebook
from fourrounds.desk.submit_panel import SubmitPanel

layout, problem, user, path = notebook._mine(sys.argv[1])
panel = SubmitPanel(layout, problem, user, path)
panel.observe(lambda change: print(change["new"].get("status"), flush=True), "face")
panel.send = lambda content, buffers=None: None
cells = json.loads(path.read_text())["cells"]
told = [{"cell_type": c["cell_type"], "source": "".join(c["source"])} for c in cells]
print("pressed", flush=True)
page = {"path": str(path.relative_to(layout.root)), "cells": told}
panel.hear({"do": "submit", "root": str(layout.root), "page": page, "value": "4"})
"""


def press(tmp_path: Path) -> subprocess.Popen[bytes]:
    said = (tmp_path / "said").open("wb")
    command = [sys.executable, "-c", PRESS, SLUG]
    return subprocess.Popen(command, stdout=said, stderr=subprocess.DEVNULL)


def kill(kernel: subprocess.Popen[bytes], who: str) -> None:
    """Kill the kernel, the graders that it started, or both: SIGKILL, so that nobody can tidy up."""
    with contextlib.suppress(psutil.NoSuchProcess):
        graders = psutil.Process(kernel.pid).children(recursive=True)
        for process in graders if who != "kernel" else []:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
    if who != "grader":
        with contextlib.suppress(ProcessLookupError):
            os.kill(kernel.pid, signal.SIGKILL)
    kernel.wait(120)


def graders() -> list[psutil.Process]:
    """What grades in this course and is still at it: a grader goes on when its kernel is killed."""
    root = os.environ["FOURROUNDS_ROOT"]
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if "graded" in process.cmdline() and process.environ().get("FOURROUNDS_ROOT") == root:
                found.append(process)
    return found


def test_no_attempt_is_lost_or_doubled(
    layout: Layout, fourrounds: Callable[..., Ran], mine: Path, tmp_path: Path
) -> None:
    fourrounds("start", SLUG)
    write_answer(mine, RIGHT)
    work = mine.read_bytes()
    clocks = Clocks(store.of(layout), LEARNER)
    clocks.do(SLUG, Do.CODE)
    seed = random.randrange(2**32)
    rng = random.Random(seed)

    began = time.monotonic()
    assert press(tmp_path).wait(300) == 0
    whole = time.monotonic() - began
    told = (tmp_path / "said").read_text().count("handed in and kept")
    assert told == 1

    killed_while: dict[str, int] = {}
    for number in range(KILLS):
        kernel = press(tmp_path)
        who = rng.choice(["kernel", "grader", "both"])
        with contextlib.suppress(subprocess.TimeoutExpired):
            kernel.wait(rng.uniform(0.2, 1.1) * whole)
        state = "done" if kernel.poll() is not None else "at work"
        kill(kernel, who)
        said = (tmp_path / "said").read_text()
        told += "handed in and kept" in said
        killed_while[state] = killed_while.get(state, 0) + 1
        if number % 10 == 9:
            handing_in.settle(layout, LEARNER)

    for grader in graders():
        grader.wait(120)
    # One that three graders were lost over is left to the learner, who asks for it.
    for one in handing_in.waiting(layout, LEARNER):
        handing_in.grade(layout, one.id)

    about = f"seed {seed}, {killed_while}, a whole submission took {whole:.1f} s"
    attempts = Attempts(store.of(layout)).of(LEARNER, SLUG)
    with sqlite3.connect(layout.state / "attempts.sqlite") as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",), about
        rows = db.execute("SELECT attempt FROM submissions").fetchall()
    assert sorted(row[0] for row in rows) == [one.id for one in attempts], about
    assert len(attempts) >= told, f"{told} were told to be kept; {about}"
    assert all((one.score, one.predicted) == (EXAMINED, 4.0) for one in attempts), about
    assert killed_while.get("at work", 0) >= KILLS / 2, about
    assert mine.read_bytes() == work, about
    assert clocks.moments(SLUG)[0].do is Do.CODE, about
