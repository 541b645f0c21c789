"""The learner's own history: one SQLite file with attempts, clocks, mock interviews, and what was handed in.

A file of an older schema is read as it is, and brought up to date with the next thing that is written, in the
same transaction. Schema 2 added what was written for a person to grade, and how the learner judged it; schema
3 the clock, what was handed in before it was graded, and what the learner predicted; schema 4 the mock
interviews.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from fourrounds.desk.errors import DeskError
from fourrounds.examiner.layout import Layout

SCHEMA = 4
_STEPS = (
    (
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
    ),
    (
        # NULL: graded before this was kept.
        "ALTER TABLE attempts ADD COLUMN written TEXT",
        """
        CREATE TABLE reviews (
            attempt INTEGER NOT NULL REFERENCES attempts (id) ON DELETE CASCADE,
            grade_id TEXT NOT NULL,
            questions TEXT NOT NULL,  -- JSON: as they were asked
            answers TEXT NOT NULL,  -- a letter for each question, y or n
            points REAL NOT NULL,
            max_points REAL NOT NULL,
            judged_at TEXT NOT NULL,
            PRIMARY KEY (attempt, grade_id)
        )
        """,
    ),
    (
        "ALTER TABLE attempts ADD COLUMN predicted REAL",  # points, as the learner expected them
        "ALTER TABLE attempts ADD COLUMN sitting TEXT",  # JSON: the time that the clock counted
        """
        CREATE TABLE moments (
            id INTEGER PRIMARY KEY,
            user TEXT NOT NULL,
            problem TEXT NOT NULL,
            at TEXT NOT NULL,
            kind TEXT NOT NULL,
            value REAL
        )
        """,
        "CREATE INDEX moments_of_problem ON moments (user, problem, id)",
        """
        CREATE TABLE seen (
            user TEXT NOT NULL,
            problem TEXT NOT NULL,
            at TEXT NOT NULL,
            PRIMARY KEY (user, problem)
        )
        """,
        """
        CREATE TABLE submissions (
            id INTEGER PRIMARY KEY,
            user TEXT NOT NULL,
            problem TEXT NOT NULL,
            submitted_at TEXT NOT NULL,
            path TEXT NOT NULL,
            notebook BLOB NOT NULL,  -- the file's bytes, compressed
            sha256 TEXT NOT NULL,  -- of the bytes
            predicted REAL,
            sitting TEXT,
            tries INTEGER NOT NULL DEFAULT 0,
            attempt INTEGER REFERENCES attempts (id)  -- NULL: not graded yet
        )
        """,
    ),
    (
        """
        CREATE TABLE mocks (
            id INTEGER PRIMARY KEY,
            user TEXT NOT NULL,
            seed INTEGER NOT NULL,
            begun_at TEXT NOT NULL,
            dealt TEXT NOT NULL,  -- JSON: the problems, in the order of the rounds
            seen_at TEXT,  -- the last sign of life
            over_at TEXT  -- NULL: it goes on; nothing of it is graded before
        )
        """,
        """
        CREATE TABLE mock_moments (
            id INTEGER PRIMARY KEY,
            mock INTEGER NOT NULL REFERENCES mocks (id) ON DELETE CASCADE,
            round INTEGER,  -- NULL: it concerns the whole mock
            at TEXT NOT NULL,
            kind TEXT NOT NULL,
            submission INTEGER REFERENCES submissions (id)
        )
        """,
        "CREATE INDEX moments_of_mock ON mock_moments (mock, id)",
        "ALTER TABLE submissions ADD COLUMN mock INTEGER REFERENCES mocks (id)",
    ),
)
"""What brings a file from schema 0 to 1, from 1 to 2, and so on."""


def of(layout: Layout) -> Store:
    """The learner's file of this course."""
    return Store(layout.state / "attempts.sqlite")


class Store:
    """The file, made when the first thing is written; reading one that is not there finds nothing.

    Every method raises :class:`DeskError` if the file cannot be used.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A connection in a transaction: all that is written in the block is kept, or nothing is."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DeskError(f"The folder {self.path.parent} cannot be made: {error.strerror}.") from error
        with self._open() as db:
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("BEGIN IMMEDIATE")
            _bring_up_to_date(db, self._version(db))
            yield db
            db.execute("COMMIT")

    def select(self, query: str, values: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        """The rows of a query, from a file of any schema up to today's, which stays as it is."""
        if not self.path.exists():
            return []
        with self._open() as db:
            version = self._version(db)
            if version == SCHEMA:
                return db.execute(query, values).fetchall()
            if version == 0:  # a kill during the very first attempt leaves a file without tables
                return []
            with closing(sqlite3.connect(":memory:", isolation_level=None)) as copy:
                db.backup(copy)
                _bring_up_to_date(copy, version)
                return copy.execute(query, values).fetchall()

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


def _bring_up_to_date(db: sqlite3.Connection, version: int) -> None:
    for statement in (statement for step in _STEPS[version:] for statement in step):
        db.execute(statement)
    if version < SCHEMA:
        db.execute(f"PRAGMA user_version = {SCHEMA}")
