"""Small courses and histories for the tests of the learner's memory, standing and plans."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from fourrounds.desk.attempts import Attempt, Attempts, Judged
from fourrounds.desk.clocks import Sitting
from fourrounds.desk.store import Store
from fourrounds.examiner.layout import ASSIGNMENTS
from fourrounds.examiner.problem import Cell, Limits, Problem

NOW = datetime(2026, 6, 17, 12, tzinfo=UTC)  # a Wednesday
IMPLEMENT, CRITIQUE, DESIGN, ARGUE = ASSIGNMENTS
POINTS, WRITTEN = 4.0, 4.0
IN_TIME = Sitting(seconds=1200.0, reading_seconds=300.0, minutes=30.0)


def ago(days: float) -> datetime:
    """So many days before ``NOW``."""
    return NOW - timedelta(days=days)


def problem(
    slug: str,
    assignment: str = IMPLEMENT,
    *,
    groups: Sequence[str] = ("normalisation", "batching"),
    written: int = 0,
    minutes: int = 30,
    prerequisites: Sequence[str] = (),
    related: Sequence[str] = (),
) -> Problem:
    """A problem whose groups have ``POINTS`` each, and ``written`` cells with ``WRITTEN`` points each."""
    hidden = [Cell(f"test-{group}", "hidden", "code", "", group, POINTS, {}) for group in groups]
    manual = [Cell(f"written-{n}", "manual", "markdown", "", None, WRITTEN, {}) for n in range(written)]
    return Problem(
        slug=slug,
        assignment=assignment,
        path=Path(f"{slug}.ipynb"),
        sha256="a" * 64,
        title=slug.title(),
        paper={},
        minutes=minutes,
        contract=("f",),
        prerequisites=tuple(prerequisites),
        related=tuple(related),
        limits=Limits(),
        cells=(*hidden, *manual),
        faults=(),
        variants=(),
        samples=(),
        debrief="",
        notebook={},
    )


def attempt(
    of: Problem,
    at: datetime,
    shares: float | Mapping[str, float | None] = 1.0,
    *,
    sitting: Sitting | None = None,
    predicted: float | None = None,
    reviewed: float | None = None,
) -> Attempt:
    """An attempt at a problem: ``shares`` of the points, of all groups or by group.

    A group whose share is None was not attempted. ``predicted`` is a share of the examiner's points,
    ``reviewed`` what the learner gave each written answer, as a share of its points.
    """
    cells = []
    for cell in of.by_role("hidden"):
        share = shares.get(cell.group or "", 1.0) if isinstance(shares, Mapping) else shares
        kind = "not attempted" if share is None else "ok" if share == 1 else "wrong value"
        cells.append(verdict(cell, kind, (share or 0.0) * cell.points))
    written = of.by_role("manual")
    cells += [verdict(cell, "manual", None) for cell in written]
    most = sum(cell.points for cell in of.by_role("hidden"))
    reviews = () if reviewed is None else tuple(judged(cell, reviewed, at) for cell in written)
    score = sum(cell["points"] or 0.0 for cell in cells)  # type: ignore[misc]
    return Attempt(
        user="ada",
        problem=of.slug,
        assignment=of.assignment,
        started_at=at - timedelta(seconds=2),
        finished_at=at,
        score=score,
        max_score=of.points,
        seed=1,
        sandbox="namespaces",
        source_sha256=of.sha256,
        submission=f"/somewhere/{of.slug}.ipynb",
        submission_sha256="b" * 64,
        report={"problem": of.slug, "cells": cells, "score": score, "notes": []},
        predicted=None if predicted is None else predicted * most,
        sitting=sitting,
        reviews=reviews,
    )


def verdict(cell: Cell, kind: str, points: float | None) -> dict[str, object]:
    """A cell of a report."""
    return {
        "grade_id": cell.grade_id,
        "group": cell.group or "manual",
        "kind": kind,
        "points": points,
        "max_points": cell.points,
        "message": "",
        "fault": None,
        "seed": 1,
        "seconds": 0.1,
    }


def judged(cell: Cell, share: float, at: datetime) -> Judged:
    """The learner's own judgement of a written answer."""
    return Judged(cell.grade_id, ("Is it so?",), (share > 0,), share * cell.points, cell.points, at)


def record(store: Store, attempts: Sequence[Attempt]) -> None:
    """Write a history into a learner's file."""
    kept = Attempts(store)
    for one in attempts:
        number = kept.record(one)
        if one.reviews:
            kept.judge(number, one.reviews)
