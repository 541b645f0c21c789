"""The questions by which a person grades, in either form, and the words that are the learner's own."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from fourrounds.examiner.problem import find_problems, load_problem
from fourrounds.examiner.rubric import RubricError, read_questions, written

ROOT = Path(__file__).parents[2]
PATHS = list(find_problems(ROOT / "source"))

LISTED = """### The critique in words

At most 300 words.

1. Is the claim stated
   so that it can fail?
2) Is its size given (in 10. digits, say 2. or 3.)?

Thank you."""
RUNNING = """### In words

Is this a question of the rubric? No. A person reads it by two questions, one point
each: Is the claim put so that
a result could refute it? What (if anything) stands?"""


def test_a_numbered_list_is_read_with_entries_over_several_lines() -> None:
    first, second = read_questions(LISTED, 2)
    assert first.text == "Is the claim stated so that it can fail?"
    assert second.text == "Is its size given (in 10. digits, say 2. or 3.)?"


def test_running_text_is_read_from_the_words_that_announce_it() -> None:
    assert [question.text for question in read_questions(RUNNING, 2)] == [
        "Is the claim put so that a result could refute it?",
        "What (if anything) stands?",
    ]


def test_a_comment_of_a_code_cell_is_read() -> None:
    assert [q.text for q in read_questions("# 1. Is it so?\n# 2. Why?", 2)] == ["Is it so?", "Why?"]


@pytest.mark.parametrize(("points", "each"), [(2, 1.0), (1, 0.5), (0.5, 0.25)])
def test_points_are_split_evenly(points: float, each: float) -> None:
    assert [question.points for question in read_questions(LISTED, points)] == [each, each]


@pytest.mark.parametrize("points", [0, 3, 1.5, 4])
def test_points_that_cannot_be_split_are_refused(points: float) -> None:
    with pytest.raises(RubricError, match="2 questions share"):
        read_questions(LISTED, points)


def test_what_a_learner_wrote_is_told_from_what_was_released() -> None:
    released = f"{LISTED}\n\nYOUR ANSWER HERE"
    assert written(released, released) == ""
    mine = "1. First.\n\nThen <b>this</b>.\n\n\n\nEnd."
    assert written(released, f"{LISTED}\n\n{mine}\n") == "1. First.\n\nThen <b>this</b>.\n\nEnd."
    assert written(released, mine) == "1. First.\n\nThen <b>this</b>.\n\nEnd."


@pytest.mark.parametrize("path", PATHS, ids=[path.stem for path in PATHS])
def test_every_manual_cell_of_the_course_has_a_rubric_and_a_model_text(path: Path) -> None:
    problem = load_problem(path)
    for cell in problem.by_role("manual"):
        assert sum(question.points for question in cell.questions) == pytest.approx(cell.points)
        assert written(
            cell.stub, cell.source.replace("### BEGIN SOLUTION", "").replace("### END SOLUTION", "")
        )
        for question in cell.questions:
            assert question.text[0].isupper()
            assert 15 < len(question.text) < 250
            assert "YOUR ANSWER" not in question.text


@pytest.mark.parametrize("path", PATHS, ids=[path.stem for path in PATHS])
def test_a_weak_sample_is_as_long_as_an_answer_and_earns_a_part(path: Path) -> None:
    problem = load_problem(path)
    for cell in problem.by_role("manual"):
        weak, strong = (problem.sample(cell.grade_id, kind) for kind in ("weak", "strong"))
        if weak is None or strong is None:
            continue
        most = int(re.findall(r"At most (\d+) words", cell.stub)[0])
        assert most * 0.6 < len(weak.text.split()) <= most
        assert 0 < sum(verdict.earns for verdict in weak.verdicts) < len(weak.verdicts) / 2
        assert len(strong.text.split()) > most * 0.6
        for sample in (weak, strong):
            quotes = re.findall("“([^”]+)”", sample.commentary)
            assert quotes or sample is strong, "the commentary goes through the sentences"
            for quote in quotes:
                words = " ".join(re.sub(r"[,.]$", "", quote).split()).lower()
                texts = (sample.text, *(other.source for other in problem.cells))
                assert any(words in " ".join(text.split()).lower() for text in texts), quote


def test_the_rounds_that_are_argued_have_a_written_answer() -> None:
    problems = [load_problem(path) for path in PATHS]
    argued = [problem for problem in problems if not problem.assignment.startswith("round1")]
    assert argued
    assert all(problem.by_role("manual") for problem in argued)
