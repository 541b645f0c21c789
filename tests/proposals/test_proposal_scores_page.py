"""What Round 4 demands of its problems, and that docs/proposal_scores.md says what they give today."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest
from proposals.scores import CODE, HEAD, PAGE, ROUND, Row, rows, section, sections

from fourrounds.examiner.problem import Problem

ROOT = Path(__file__).resolve().parents[2]
PROBLEMS = {problem.slug: problem for problem in sections(ROOT / "source")}


@cache
def table(slug: str) -> dict[str, Row]:
    return {row.name: row for row in rows(PROBLEMS[slug])}


def automatic(problem: Problem) -> float:
    return sum(cell.points for cell in problem.by_role("hidden"))


@pytest.mark.parametrize("slug", PROBLEMS)
def test_what_each_answer_gets(slug: str) -> None:
    found, most = table(slug), automatic(PROBLEMS[slug])
    assert found["strong"].total == pytest.approx(most), found["strong"].told
    assert found["terse and right"].points == pytest.approx(found["strong"].points)
    assert not found["strong"].told
    for lacks, part in (("no falsifier", "experiment"), ("papers of another field", "approaches")):
        assert found[lacks].points["proposal"] < found["strong"].points["proposal"] - 0.2
        assert f"{part}:" in found[lacks].told
        assert all(found[lacks].points[group] == found["strong"].points[group] for group in CODE)
    wrong = found["fluent but wrong"]
    assert wrong.total < 0.6 * found["terse and right"].total
    assert all(wrong.points[group] == 0 for group in CODE[:3])
    for group in CODE[:3]:
        assert f"{group}:" in wrong.told
    trend = found["follows the trend"]
    assert trend.points["proposal"] < 0.2 * found["strong"].points["proposal"]
    assert found["empty"].total == 0


def test_the_page_is_up_to_date() -> None:
    made = HEAD + "".join(section(PROBLEMS[slug], list(table(slug).values())) for slug in PROBLEMS)
    assert (ROOT / PAGE).read_text(encoding="utf-8") == made, "python -m proposals scores"


def test_every_problem_of_the_round_is_there() -> None:
    assert set(PROBLEMS) == {path.stem for path in (ROOT / "source" / ROUND).glob("*.ipynb")}
    assert PROBLEMS
