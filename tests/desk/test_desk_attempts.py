"""The attempts file: nothing recorded is lost, and nothing half recorded is seen."""

import json
import pickle
import sqlite3
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from fourrounds.desk.attempts import Attempt, Attempts, Judged
from fourrounds.desk.clocks import Sitting
from fourrounds.desk.errors import DeskError
from fourrounds.desk.store import SCHEMA, Store

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
        written={"why": "Because ✗."},
        predicted=2.5,
        sitting=Sitting(1234.5, 300.0, 45.0, 10.0, 1, after_debrief=True),
    )


def judged(points: float = 1.0, grade_id: str = "why") -> Judged:
    questions, answers = ("Is it so ✗?", "Why?"), (points > 0, points > 1)
    return Judged(grade_id, questions, answers, points, 2.0, datetime(2026, 1, 3, tzinfo=UTC))


# A file as it was written before judgements were kept.
SCHEMA_1 = """
CREATE TABLE attempts (
    id INTEGER PRIMARY KEY, user TEXT NOT NULL, problem TEXT NOT NULL, assignment TEXT NOT NULL,
    started_at TEXT NOT NULL, finished_at TEXT NOT NULL, score REAL NOT NULL, max_score REAL NOT NULL,
    seed INTEGER NOT NULL, sandbox TEXT NOT NULL, source_sha256 TEXT NOT NULL, submission TEXT NOT NULL,
    submission_sha256 TEXT NOT NULL, report TEXT NOT NULL
);
CREATE TABLE cells (
    attempt INTEGER NOT NULL REFERENCES attempts (id) ON DELETE CASCADE, position INTEGER NOT NULL,
    grade_id TEXT NOT NULL, "group" TEXT, kind TEXT NOT NULL, points REAL, max_points REAL NOT NULL,
    message TEXT NOT NULL, fault TEXT, seed INTEGER, seconds REAL, PRIMARY KEY (attempt, position)
);
CREATE INDEX attempts_of_problem ON attempts (user, problem, id);
INSERT INTO attempts VALUES (1, 'ada', 'softmax', 'round1_implement', '2026-01-02T03:04:05.000678+00:00',
    '2026-01-02T03:04:09+00:00', 3.0, 4.0, 9223372036854775807, 'namespaces', :a, '/somewhere/softmax.ipynb',
    :b, :report);
INSERT INTO cells VALUES (1, 0, 'test_a', 'a', 'wrong value', 0.0, 2.0, 'is wrong', 'no_shift', 7, 0.25);
PRAGMA user_version = 1;
"""


def of_schema_1(path: Path) -> Attempts:
    """An attempts file of schema 1, with one attempt."""
    path.parent.mkdir(parents=True, exist_ok=True)
    report = json.dumps({"cells": [CELL, MANUAL], "score": 3.0, "notes": []}).replace("'", "''")
    text = SCHEMA_1.replace(":report", f"'{report}'")
    text = text.replace(":a", f"'{'a' * 64}'").replace(":b", f"'{'b' * 64}'")
    db = sqlite3.connect(path)
    db.executescript(text)
    db.close()
    return Attempts(Store(path))


@pytest.fixture
def attempts(tmp_path: Path) -> Attempts:
    return Attempts(Store(tmp_path / "state" / "attempts.sqlite"))


def test_what_is_recorded_is_found_again(attempts: Attempts) -> None:
    first, second = attempt(1.0), attempt(3.5)
    assert [attempts.record(first), attempts.record(second)] == [1, 2]
    attempts.record(attempt(problem="other"))
    attempts.record(attempt(user="grace"))
    assert attempts.of("ada", "softmax") == [replace(first, id=1), replace(second, id=2)]


def test_every_cell_has_a_row(attempts: Attempts) -> None:
    attempts.record(attempt())
    with sqlite3.connect(attempts.store.path) as db:
        db.row_factory = sqlite3.Row
        rows = [dict(row) for row in db.execute("SELECT * FROM cells ORDER BY position")]
    assert rows == [{"attempt": 1, "position": i, **cell} for i, cell in enumerate([CELL, MANUAL])]


def test_the_best_attempt_is_the_best_share_of_its_points(attempts: Attempts) -> None:
    for score, most in [(3.0, 4.0), (5.0, 10.0), (1.0, 4.0)]:  # a problem's points may change
        attempts.record(attempt(score, most))
    attempts.record(attempt(0.0, 0.0, problem="nothing scored"))
    attempts.record(attempt(4.0, user="grace"))
    assert attempts.best("ada") == {"softmax": (3.0, 4.0, 0.0), "nothing scored": (0.0, 0.0, 0.0)}


def test_reading_makes_no_file(attempts: Attempts) -> None:
    assert attempts.best("ada") == {}
    assert attempts.of("ada", "softmax") == []
    assert not attempts.store.path.parent.exists()


RECORD = """
import sys, pickle
from pathlib import Path
from fourrounds.desk.attempts import Attempts
from fourrounds.desk.store import Store
attempt = pickle.loads(sys.stdin.buffer.read())
for _ in range(int(sys.argv[2])):
    Attempts(Store(Path(sys.argv[1]))).record(attempt)
"""


def test_many_processes_can_record_at_once(attempts: Attempts) -> None:
    # They start without a file, so that they also race to make it.
    command = [sys.executable, "-c", RECORD, str(attempts.store.path), "10"]
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
from fourrounds.desk import attempts, store

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
method, *arguments = pickle.loads(sys.stdin.buffer.read())
getattr(attempts.Attempts(store.Store(Path(sys.argv[1]))), method)(*arguments)
"""


def killed_at(statement: int, attempts: Attempts, method: str, *arguments: object) -> bool:
    """Call a method in a process that is killed just before its n-th statement; whether it was."""
    command = [sys.executable, "-c", KILLED, str(attempts.store.path), str(statement)]
    done = subprocess.run(command, input=pickle.dumps((method, *arguments)), capture_output=True)
    assert done.returncode in (0, -9), done.stderr.decode()
    return done.returncode == -9


@pytest.mark.parametrize("first", [True, False], ids=["first attempt", "later attempt"])
def test_a_kill_at_any_statement_leaves_all_or_nothing(tmp_path: Path, first: bool) -> None:
    outcomes = set()
    for statement in range(1, 40):
        attempts = Attempts(Store(tmp_path / f"{statement}.sqlite"))
        if not first:
            attempts.record(attempt(2.0))
        killed = killed_at(statement, attempts, "record", attempt())
        found = attempts.of("ada", "softmax")
        assert len(found) - (not first) == (0 if killed else 1)
        assert all(len(a.report["cells"]) == 2 for a in found)
        outcomes.add(killed)
        attempts.record(attempt(3.0))  # the file still serves
        assert attempts.best("ada") == {"softmax": (3.0, 4.0, 0.0)}
        if not killed:
            break
    assert outcomes == {True, False}


def test_a_judgement_is_kept_with_its_attempt_and_replaced_by_the_next(attempts: Attempts) -> None:
    first, second = attempts.record(attempt(2.0)), attempts.record(attempt(2.0))
    attempts.judge(second, [judged(0.0), judged(2.0, "how")])
    attempts.judge(second, [judged(1.0)])
    earlier, later = attempts.of("ada", "softmax")
    assert (earlier.id, earlier.reviews) == (first, ())
    assert later.reviews == (judged(2.0, "how"), judged(1.0))
    assert later.review("why") == judged(1.0)
    assert later.review("nothing") is None
    assert (later.score, later.report) == (2.0, attempt(2.0).report)  # the examiner's verdict is untouched
    assert later.written == {"why": "Because ✗."}


def test_the_best_attempt_counts_what_was_judged(attempts: Attempts) -> None:
    numbers = [attempts.record(attempt(score)) for score in (1.5, 2.0, 1.0)]
    attempts.judge(numbers[0], [judged(1.0)])
    assert attempts.best("ada") == {"softmax": (2.5, 4.0, 1.0)}
    attempts.judge(numbers[0], [judged(0.0)])
    assert attempts.best("ada") == {"softmax": (2.0, 4.0, 0.0)}


def test_a_kill_while_a_judgement_is_kept_leaves_the_one_before(tmp_path: Path) -> None:
    for statement in range(1, 40):
        attempts = Attempts(Store(tmp_path / f"{statement}.sqlite"))
        number = attempts.record(attempt())
        attempts.judge(number, [judged(1.0), judged(1.0, "how")])
        killed = killed_at(statement, attempts, "judge", number, [judged(2.0), judged(2.0, "how")])
        (found,) = attempts.of("ada", "softmax")
        due = 1.0 if killed else 2.0
        assert found.reviews == (judged(due, "how"), judged(due))
        if not killed:
            break
    else:
        pytest.fail("it was killed at every statement")
    assert statement > 3


def test_a_file_of_schema_1_is_read_as_it_is(attempts: Attempts) -> None:
    of_schema_1(attempts.store.path)
    before = attempts.store.path.read_bytes()
    assert attempts.of("ada", "softmax") == [
        replace(attempt(3.0), id=1, written=None, predicted=None, sitting=None)
    ]
    assert attempts.best("ada") == {"softmax": (3.0, 4.0, 0.0)}
    assert attempts.store.path.read_bytes() == before


@pytest.mark.parametrize("method", ["record", "judge"])
def test_a_file_of_schema_1_is_brought_up_to_date_all_or_nothing(tmp_path: Path, method: str) -> None:
    for statement in range(1, 40):
        attempts = of_schema_1(tmp_path / f"{statement}.sqlite")
        arguments = (attempt(1.0),) if method == "record" else (1, [judged()])
        killed = killed_at(statement, attempts, method, *arguments)
        old, *new = attempts.of("ada", "softmax")
        assert replace(old, reviews=()) == replace(
            attempt(3.0), id=1, written=None, predicted=None, sitting=None
        )
        if killed:
            assert (new, old.reviews) == ([], ())
        else:
            assert new == ([replace(attempt(1.0), id=2)] if method == "record" else [])
            assert old.reviews == ((judged(),) if method == "judge" else ())
            break
    with sqlite3.connect(attempts.store.path) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (SCHEMA,)
        assert db.execute("SELECT message FROM cells WHERE attempt = 1").fetchone() == ("is wrong",)
    assert statement > 4


def test_a_file_of_a_newer_version_is_left_alone(attempts: Attempts) -> None:
    attempts.record(attempt())
    with sqlite3.connect(attempts.store.path) as db:
        db.execute(f"PRAGMA user_version = {SCHEMA + 1}")
    for use in (lambda: attempts.record(attempt()), lambda: attempts.best("ada")):
        with pytest.raises(DeskError, match="newer Four Rounds"):
            use()


def test_a_damaged_file_is_named_and_kept(attempts: Attempts) -> None:
    attempts.store.path.parent.mkdir()
    attempts.store.path.write_bytes(b"this was never a database" * 100)
    for use in (lambda: attempts.record(attempt()), lambda: attempts.best("ada")):
        with pytest.raises(DeskError, match="move it away"):
            use()
    assert attempts.store.path.read_bytes().startswith(b"this was never")


def test_a_state_folder_that_cannot_be_made_is_an_error_in_words(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DeskError, match="cannot be made"):
        Attempts(Store(tmp_path / "file" / "attempts.sqlite")).record(attempt())


def test_the_report_is_kept_as_it_was(attempts: Attempts) -> None:
    attempts.record(attempt())
    with sqlite3.connect(attempts.store.path) as db:
        (text,) = db.execute("SELECT report FROM attempts").fetchone()
    assert json.loads(text) == attempt().report
