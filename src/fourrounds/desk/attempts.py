"""Every attempt that was graded, in one SQLite file of the learner's own.

A file of an older schema is read as it is, and brought up to date with the next thing that is written, in the
same transaction. Schema 2 added what was written for a person to grade, and how the learner judged it.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from fourrounds.desk.work import DeskError

SCHEMA = 2
_FIRST = (
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
_REVIEWS = """
    TABLE reviews (
        attempt INTEGER NOT NULL REFERENCES attempts (id) ON DELETE CASCADE,
        grade_id TEXT NOT NULL,
        questions TEXT NOT NULL,  -- JSON: as they were asked
        answers TEXT NOT NULL,  -- a letter for each question, y or n
        points REAL NOT NULL,
        max_points REAL NOT NULL,
        judged_at TEXT NOT NULL,
        PRIMARY KEY (attempt, grade_id)
    )
    """
_STEPS = (
    _FIRST,
    # NULL: graded before this was kept.
    ("ALTER TABLE attempts ADD COLUMN written TEXT", f"CREATE {_REVIEWS}"),
)
"""What brings a file from schema 0 to 1, from 1 to 2, and so on."""
_AS_IF = {
    1: (
        "CREATE TEMP VIEW attempts AS SELECT *, NULL AS written FROM main.attempts",
        f"CREATE TEMP {_REVIEWS.replace(' REFERENCES attempts (id) ON DELETE CASCADE', '')}",
    )
}
"""What makes a file of an older schema look like one of today's to its reader. The file stays as it is."""
_COLUMNS = (
    "user, problem, assignment, started_at, finished_at, score, max_score, seed, sandbox, source_sha256, "
    "submission, submission_sha256, report, written"
)


@dataclass(frozen=True)
class Judged:
    """How a learner judged one written answer of an attempt.

    ``questions`` are those that were asked, ``answers`` the yes or no to each, ``points`` what that earns.
    """

    grade_id: str
    questions: tuple[str, ...]
    answers: tuple[bool, ...]
    points: float
    max_points: float
    judged_at: datetime


class Best(NamedTuple):
    """The best attempt: its score, the most it could have been, and how much of it is self-reviewed.

    ``score`` is the examiner's points and the ``self_reviewed`` ones.
    """

    score: float
    max_score: float
    self_reviewed: float


@dataclass(frozen=True)
class Attempt:
    """One graded attempt. ``report`` is the examiner's as a dict, ``submission`` the path that was graded.

    ``score`` is the examiner's. ``written`` is what stood in the cells that a person grades, by grade_id;
    None for an attempt of schema 1, which did not keep it. ``reviews`` are the learner's own judgements.
    """

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
    written: Mapping[str, str] | None = None
    reviews: tuple[Judged, ...] = ()
    id: int | None = None

    def review(self, grade_id: str) -> Judged | None:
        """The learner's judgement of this cell, if there is one."""
        return next((one for one in self.reviews if one.grade_id == grade_id), None)


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
                f"INSERT INTO attempts ({_COLUMNS}) VALUES ({', '.join('?' * 14)})",
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
                    None if attempt.written is None else json.dumps(attempt.written),
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

    def judge(self, attempt: int, judged: Sequence[Judged]) -> None:
        """Keep how the learner judged cells of the attempt with this number, all or none of them.

        An earlier judgement of the same cell is replaced.
        """
        with self._writing() as db:
            db.executemany(
                "INSERT OR REPLACE INTO reviews VALUES (?, ?, ?, ?, ?, ?, ?)",
                [
                    (
                        attempt,
                        one.grade_id,
                        json.dumps(one.questions),
                        letters(one.answers),
                        one.points,
                        one.max_points,
                        one.judged_at.isoformat(),
                    )
                    for one in judged
                ],
            )

    def best(self, user: str) -> dict[str, Best]:
        """For each problem that ``user`` has attempted, the best attempt, judgements included."""
        rows = self._select(
            "SELECT problem, score + reviewed, max_score, reviewed FROM ("
            "SELECT id, problem, score, max_score, "
            "COALESCE((SELECT SUM(points) FROM reviews WHERE attempt = attempts.id), 0.0) AS reviewed "
            "FROM attempts WHERE user = ?) "
            "ORDER BY (score + reviewed) / MAX(max_score, 1e-9), id",
            (user,),
        )
        return {problem: Best(*numbers) for problem, *numbers in rows}

    def of(self, user: str, problem: str) -> list[Attempt]:
        """The attempts of ``user`` at ``problem``, oldest first."""
        reviews: dict[int, list[Judged]] = {}
        # Judgements first: one that is written in between belongs to an attempt that is read below.
        for number, *values in self._select(
            "SELECT attempt, grade_id, questions, answers, reviews.points, max_points, judged_at "
            "FROM reviews JOIN attempts ON attempts.id = attempt "
            "WHERE user = ? AND problem = ? ORDER BY grade_id",
            (user, problem),
        ):
            reviews.setdefault(number, []).append(_judged(values))
        rows = self._select(
            f"SELECT {_COLUMNS}, id FROM attempts WHERE user = ? AND problem = ? ORDER BY id", (user, problem)
        )
        return [_attempt(row, tuple(reviews.get(row[-1], ()))) for row in rows]

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._open() as db:
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("BEGIN IMMEDIATE")
            version = self._version(db)
            for statement in (statement for step in _STEPS[version:] for statement in step):
                db.execute(statement)
            if version < SCHEMA:
                db.execute(f"PRAGMA user_version = {SCHEMA}")
            yield db
            db.execute("COMMIT")

    def _select(self, query: str, values: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        if not self.path.exists():
            return []
        with self._open() as db:
            version = self._version(db)
            for statement in _AS_IF.get(version, ()):
                db.execute(statement)
            # A kill during the very first attempt leaves a file without tables.
            return db.execute(query, values).fetchall() if version else []

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


def letters(answers: Sequence[bool]) -> str:
    """Yes and no as ``y`` and ``n``, a letter for each question."""
    return "".join("y" if yes else "n" for yes in answers)


def _attempt(row: tuple[Any, ...], reviews: tuple[Judged, ...]) -> Attempt:
    values = dict(zip((*_COLUMNS.split(", "), "id"), row, strict=True))
    for name in ("started_at", "finished_at"):
        values[name] = datetime.fromisoformat(values[name])
    written = None if values["written"] is None else json.loads(values["written"])
    return Attempt(
        **values | {"report": json.loads(values["report"]), "written": written, "reviews": reviews}
    )


def _judged(values: Sequence[Any]) -> Judged:
    grade_id, questions, answers, points, most, judged_at = values
    return Judged(
        grade_id,
        tuple(json.loads(questions)),
        tuple(letter == "y" for letter in answers),
        points,
        most,
        datetime.fromisoformat(judged_at),
    )
