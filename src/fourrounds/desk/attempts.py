"""Every attempt that was graded, and how the learner judged what no program can."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from fourrounds.desk.clocks import Sitting
from fourrounds.desk.store import Store

_COLUMNS = (
    "user, problem, assignment, started_at, finished_at, score, max_score, seed, sandbox, source_sha256, "
    "submission, submission_sha256, report, written, predicted, sitting"
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
    None for an attempt of schema 1, which did not keep it. ``predicted`` are the points that the learner
    expected, if that was asked, and ``sitting`` the time that the clock counted, if there was one.
    ``reviews`` are the learner's own judgements, and ``mock`` is the number of the mock interview that it
    belongs to, if it belongs to one.
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
    predicted: float | None = None
    sitting: Sitting | None = None
    reviews: tuple[Judged, ...] = ()
    id: int | None = None
    mock: int | None = None

    def review(self, grade_id: str) -> Judged | None:
        """The learner's judgement of this cell, if there is one."""
        return next((one for one in self.reviews if one.grade_id == grade_id), None)


class Attempts:
    """The attempts in the learner's file. Every method raises :class:`DeskError` if it cannot be used."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def record(self, attempt: Attempt, submission: int | None = None) -> int:
        """Write one attempt with its cells, all or nothing, and return its number.

        ``submission`` is the number of what was handed in, which then counts as graded.
        """
        with self.store.writing() as db:
            number = db.execute(
                f"INSERT INTO attempts ({_COLUMNS}) VALUES ({', '.join('?' * 16)})",
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
                    attempt.predicted,
                    None if attempt.sitting is None else attempt.sitting.to_json(),
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
            if submission is not None:
                db.execute("UPDATE submissions SET attempt = ? WHERE id = ?", (number, submission))
        return number

    def judge(self, attempt: int, judged: Sequence[Judged]) -> None:
        """Keep how the learner judged cells of the attempt with this number, all or none of them.

        An earlier judgement of the same cell is replaced.
        """
        with self.store.writing() as db:
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
        rows = self.store.select(
            "SELECT problem, score + reviewed, max_score, reviewed FROM ("
            "SELECT id, problem, score, max_score, "
            "COALESCE((SELECT SUM(points) FROM reviews WHERE attempt = attempts.id), 0.0) AS reviewed "
            "FROM attempts WHERE user = ?) "
            "ORDER BY (score + reviewed) / MAX(max_score, 1e-9), id",
            (user,),
        )
        return {problem: Best(*numbers) for problem, *numbers in rows}

    def of(self, user: str, problem: str | None = None) -> list[Attempt]:
        """The attempts of ``user`` at ``problem``, or at every problem, oldest first."""
        reviews: dict[int, list[Judged]] = {}
        # Judgements first: one that is written in between belongs to an attempt that is read below.
        for number, *values in self.store.select(
            "SELECT attempt, grade_id, questions, answers, reviews.points, max_points, judged_at "
            "FROM reviews JOIN attempts ON attempts.id = attempt "
            "WHERE user = ? AND problem = COALESCE(?, problem) ORDER BY grade_id",
            (user, problem),
        ):
            reviews.setdefault(number, []).append(_judged(values))
        rows = self.store.select(
            f"SELECT {_COLUMNS}, (SELECT mock FROM submissions WHERE attempt = attempts.id) AS mock, id "
            "FROM attempts WHERE user = ? AND problem = COALESCE(?, problem) ORDER BY id",
            (user, problem),
        )
        return [_attempt(row, tuple(reviews.get(row[-1], ()))) for row in rows]


def letters(answers: Sequence[bool]) -> str:
    """Yes and no as ``y`` and ``n``, a letter for each question."""
    return "".join("y" if yes else "n" for yes in answers)


def _attempt(row: tuple[Any, ...], reviews: tuple[Judged, ...]) -> Attempt:
    values = dict(zip((*_COLUMNS.split(", "), "mock", "id"), row, strict=True))
    for name in ("started_at", "finished_at"):
        values[name] = datetime.fromisoformat(values[name])
    written = None if values["written"] is None else json.loads(values["written"])
    sitting = None if values["sitting"] is None else Sitting.from_json(values["sitting"])
    more = {"report": json.loads(values["report"]), "written": written, "sitting": sitting}
    return Attempt(**values | more | {"reviews": reviews})


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
