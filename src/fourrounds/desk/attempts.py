"""Every attempt that was graded, in one SQLite file of the learner's own."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from fourrounds.desk.work import DeskError

SCHEMA = 1
_TABLES = (
    """
    CREATE TABLE attempts (
        id INTEGER PRIMARY KEY,
        user TEXT NOT NULL,
        problem TEXT NOT NULL,
        assignment TEXT NOT NULL,
        started_at TEXT NOT NULL,
        finished_at TEXT NOT NULL,
        score REAL NOT NULL,
        max_score REAL NOT NULL,
        seed INTEGER NOT NULL,
        sandbox TEXT NOT NULL,
        source_sha256 TEXT NOT NULL,
        submission TEXT NOT NULL,
        submission_sha256 TEXT NOT NULL,
        report TEXT NOT NULL
    )
    """,
    """
    CREATE TABLE cells (
        attempt INTEGER NOT NULL REFERENCES attempts (id) ON DELETE CASCADE,
        position INTEGER NOT NULL,
        grade_id TEXT NOT NULL,
        "group" TEXT,
        kind TEXT NOT NULL,
        points REAL,  -- NULL: a person grades it, or the examiner failed
        max_points REAL NOT NULL,
        message TEXT NOT NULL,
        fault TEXT,
        seed INTEGER,
        seconds REAL,
        PRIMARY KEY (attempt, position)
    )
    """,
    "CREATE INDEX attempts_of_problem ON attempts (user, problem, id)",
)
_COLUMNS = (
    "user, problem, assignment, started_at, finished_at, score, max_score, seed, sandbox, source_sha256, "
    "submission, submission_sha256, report"
)


@dataclass(frozen=True)
class Attempt:
    """One graded attempt. ``report`` is the examiner's as a dict, ``submission`` the path that was graded."""

    user: str
    problem: str
    assignment: str
    started_at: datetime
    finished_at: datetime
    score: float
    max_score: float
    seed: int
    sandbox: str
    source_sha256: str
    submission: str
    submission_sha256: str
    report: Mapping[str, Any]
    id: int | None = None


class Attempts:
    """The attempts file, made when the first attempt is recorded; reading one that is not there finds none.

    Every method raises :class:`DeskError` if the file cannot be used.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def record(self, attempt: Attempt) -> int:
        """Write one attempt with its cells, all or nothing, and return its number."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DeskError(f"The folder {self.path.parent} cannot be made: {error.strerror}.") from error
        with self._writing() as db:
            number = db.execute(
                f"INSERT INTO attempts ({_COLUMNS}) VALUES ({', '.join('?' * 13)})",
                (
                    attempt.user,
                    attempt.problem,
                    attempt.assignment,
                    attempt.started_at.isoformat(),
                    attempt.finished_at.isoformat(),
                    attempt.score,
                    attempt.max_score,
                    attempt.seed,
                    attempt.sandbox,
                    attempt.source_sha256,
                    attempt.submission,
                    attempt.submission_sha256,
                    json.dumps(attempt.report),
                ),
            ).lastrowid
            assert number is not None
            names = (
                "grade_id",
                "group",
                "kind",
                "points",
                "max_points",
                "message",
                "fault",
                "seed",
                "seconds",
            )
            db.executemany(
                f"INSERT INTO cells VALUES ({', '.join('?' * 11)})",
                [
                    (number, position, *(cell[name] for name in names))
                    for position, cell in enumerate(attempt.report["cells"])
                ],
            )
        return number

    def best(self, user: str) -> dict[str, tuple[float, float]]:
        """For each problem that ``user`` has attempted: the best score, and the most it could have been."""
        rows = self._select(
            "SELECT problem, score, max_score FROM attempts WHERE user = ? "
            "ORDER BY score / MAX(max_score, 1e-9), id",
            (user,),
        )
        return {problem: (score, most) for problem, score, most in rows}

    def of(self, user: str, problem: str) -> list[Attempt]:
        """The attempts of ``user`` at ``problem``, oldest first."""
        rows = self._select(
            f"SELECT {_COLUMNS}, id FROM attempts WHERE user = ? AND problem = ? ORDER BY id", (user, problem)
        )
        return [_attempt(row) for row in rows]

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._open() as db:
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("BEGIN IMMEDIATE")
            if self._version(db) == 0:
                for statement in _TABLES:
                    db.execute(statement)
                db.execute(f"PRAGMA user_version = {SCHEMA}")
            yield db
            db.execute("COMMIT")

    def _select(self, query: str, values: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        if not self.path.exists():
            return []
        with self._open() as db:
            # A kill during the very first attempt leaves a file without tables.
            return db.execute(query, values).fetchall() if self._version(db) else []

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        """A connection; closing it takes back what was not committed."""
        try:
            with closing(sqlite3.connect(self.path, timeout=10, isolation_level=None)) as db:
                db.execute("PRAGMA foreign_keys = ON")
                yield db
        except sqlite3.OperationalError as error:
            raise DeskError(
                f"The attempts file {self.path} cannot be used ({error}): look at the disk's space, at the "
                "file's permissions, and for another program that holds it."
            ) from error
        except sqlite3.DatabaseError as error:
            raise DeskError(
                f"{self.path} is no attempts file, or is damaged ({error}): move it away, and a new one is "
                "made."
            ) from error

    def _version(self, db: sqlite3.Connection) -> int:
        version: int = db.execute("PRAGMA user_version").fetchone()[0]
        if version > SCHEMA:
            raise DeskError(
                f"{self.path} was written by a newer Four Rounds: update this one (`git pull`, then "
                "`make env`)."
            )
        return version


def _attempt(row: tuple[Any, ...]) -> Attempt:
    values = dict(zip((*_COLUMNS.split(", "), "id"), row, strict=True))
    for name in ("started_at", "finished_at"):
        values[name] = datetime.fromisoformat(values[name])
    return Attempt(**values | {"report": json.loads(values["report"])})
