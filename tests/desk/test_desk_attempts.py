"""The attempts file: nothing recorded is lost, and nothing half recorded is seen."""

import json
import sqlite3
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from fourrounds.desk.attempts import SCHEMA, Attempt, Attempts
from fourrounds.desk.work import DeskError

CELL: dict[str, Any] = {
    "grade_id": "test_a",
    "group": "a",
    "kind": "wrong value",
    "points": 0.0,
    "max_points": 2.0,
    "message": 'it\'s "wrong" ✗ \x00',
    "fault": "no_shift",
    "seed": 7,
    "seconds": 0.25,
}
MANUAL = CELL | {"grade_id": "why", "group": "manual", "kind": "manual", "points": None, "fault": None}


def attempt(score: float = 1.0, most: float = 4.0, user: str = "ada", problem: str = "softmax") -> Attempt:
    return Attempt(
        user=user,
        problem=problem,
        assignment="round1_implement",
        started_at=datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC),
        finished_at=datetime(2026, 1, 2, 3, 4, 9, tzinfo=UTC),
        score=score,
        max_score=most,
        seed=2**63 - 1,
        sandbox="namespaces",
        source_sha256="a" * 64,
        submission="/somewhere/softmax.ipynb",
        submission_sha256="b" * 64,
        report={"cells": [CELL, MANUAL], "score": score, "notes": []},
    )


@pytest.fixture
def attempts(tmp_path: Path) -> Attempts:
    return Attempts(tmp_path / "state" / "attempts.sqlite")


def test_what_is_recorded_is_found_again(attempts: Attempts) -> None:
    first, second = attempt(1.0), attempt(3.5)
    assert [attempts.record(first), attempts.record(second)] == [1, 2]
    attempts.record(attempt(problem="other"))
    attempts.record(attempt(user="grace"))
    assert attempts.of("ada", "softmax") == [replace(first, id=1), replace(second, id=2)]


def test_every_cell_has_a_row(attempts: Attempts) -> None:
    attempts.record(attempt())
    with sqlite3.connect(attempts.path) as db:
        db.row_factory = sqlite3.Row
        rows = [dict(row) for row in db.execute("SELECT * FROM cells ORDER BY position")]
    assert rows == [{"attempt": 1, "position": i, **cell} for i, cell in enumerate([CELL, MANUAL])]


def test_the_best_attempt_is_the_best_share_of_its_points(attempts: Attempts) -> None:
    for score, most in [(3.0, 4.0), (5.0, 10.0), (1.0, 4.0)]:  # a problem's points may change
        attempts.record(attempt(score, most))
    attempts.record(attempt(0.0, 0.0, problem="nothing scored"))
    attempts.record(attempt(4.0, user="grace"))
    assert attempts.best("ada") == {"softmax": (3.0, 4.0), "nothing scored": (0.0, 0.0)}


def test_reading_makes_no_file(attempts: Attempts) -> None:
    assert attempts.best("ada") == {}
    assert attempts.of("ada", "softmax") == []
    assert not attempts.path.parent.exists()


RECORD = """
import sys, pickle
from pathlib import Path
from fourrounds.desk.attempts import Attempts
attempt = pickle.loads(sys.stdin.buffer.read())
for _ in range(int(sys.argv[2])):
    Attempts(Path(sys.argv[1])).record(attempt)
"""


def test_many_processes_can_record_at_once(attempts: Attempts) -> None:
    import pickle

    # They start without a file, so that they also race to make it.
    command = [sys.executable, "-c", RECORD, str(attempts.path), "10"]
    running = [subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(4)]
    for process in running:
        assert process.stdin is not None
        process.stdin.write(pickle.dumps(attempt()))
        process.stdin.close()
    for process in running:
        assert process.wait(60) == 0, process.stderr and process.stderr.read().decode()
    assert len(attempts.of("ada", "softmax")) == 40


KILLED = """
import os, pickle, sqlite3, sys
from pathlib import Path
from fourrounds.desk import attempts

at = int(sys.argv[2])
seen = 0

class Dying(sqlite3.Connection):
    def count(self):
        global seen
        seen += 1
        if seen == at:
            os.kill(os.getpid(), 9)
    def execute(self, *args):
        self.count()
        return super().execute(*args)
    def executemany(self, *args):
        self.count()
        return super().executemany(*args)

connect = sqlite3.connect
sqlite3.connect = lambda *args, **kwargs: connect(*args, factory=Dying, **kwargs)
attempts.Attempts(Path(sys.argv[1])).record(pickle.loads(sys.stdin.buffer.read()))
"""


@pytest.mark.parametrize("first", [True, False], ids=["first attempt", "later attempt"])
def test_a_kill_at_any_statement_leaves_all_or_nothing(tmp_path: Path, first: bool) -> None:
    import pickle

    outcomes = set()
    for statement in range(1, 20):
        attempts = Attempts(tmp_path / f"{statement}.sqlite")
        if not first:
            attempts.record(attempt(2.0))
        command = [sys.executable, "-c", KILLED, str(attempts.path), str(statement)]
        done = subprocess.run(command, input=pickle.dumps(attempt()), capture_output=True)
        found = attempts.of("ada", "softmax")
        assert len(found) - (not first) == (1 if done.returncode == 0 else 0)
        assert all(len(a.report["cells"]) == 2 for a in found)
        outcomes.add(done.returncode)
        attempts.record(attempt(3.0))  # the file still serves
        assert attempts.best("ada") == {"softmax": (3.0, 4.0)}
        if done.returncode == 0:
            break
    assert outcomes == {-9, 0}


def test_a_file_of_a_newer_version_is_left_alone(attempts: Attempts) -> None:
    attempts.record(attempt())
    with sqlite3.connect(attempts.path) as db:
        db.execute(f"PRAGMA user_version = {SCHEMA + 1}")
    for use in (lambda: attempts.record(attempt()), lambda: attempts.best("ada")):
        with pytest.raises(DeskError, match="newer Four Rounds"):
            use()


def test_a_damaged_file_is_named_and_kept(attempts: Attempts) -> None:
    attempts.path.parent.mkdir()
    attempts.path.write_bytes(b"this was never a database" * 100)
    for use in (lambda: attempts.record(attempt()), lambda: attempts.best("ada")):
        with pytest.raises(DeskError, match="move it away"):
            use()
    assert attempts.path.read_bytes().startswith(b"this was never")


def test_a_state_folder_that_cannot_be_made_is_an_error_in_words(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DeskError, match="cannot be made"):
        Attempts(tmp_path / "file" / "attempts.sqlite").record(attempt())


def test_the_report_is_kept_as_it_was(attempts: Attempts) -> None:
    attempts.record(attempt())
    with sqlite3.connect(attempts.path) as db:
        (text,) = db.execute("SELECT report FROM attempts").fetchone()
    assert json.loads(text) == attempt().report
