"""The kill table: what it counts, and that only what changed is proved again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from fourrounds.course.errors import CourseError
from fourrounds.course.kills import PAGE, kills, page, read, section, seeds_of, waiting
from fourrounds.course.matrix import Matrix, Row
from fourrounds.course.prove import Proof
from fourrounds.examiner.layout import Layout
from fourrounds.examiner.problem import Problem

GROUPS = ("normalisation", "tolerance")


@pytest.fixture
def problem(course: Path) -> Problem:
    return Layout(course).problem("softmax")


def proof(seed: int, *rows: Row, problems: list[str] | None = None) -> Proof:
    return Proof("softmax", (seed,), Matrix(GROUPS, rows), problems or [])


SOLUTION = Row("solution", "solution", None, frozenset(), False, False)
VARIANT = Row("log_space", "variant", None, frozenset(), False, False)
FAULT = Row("no_shift", "fault", "tolerance", frozenset({"tolerance"}), True, True)


def test_what_holds_with_every_seed_counts(problem: Problem) -> None:
    made = section(problem, [proof(seed, SOLUTION, VARIANT, FAULT) for seed in (1, 2)])
    assert (made.seeds, made.groups, made.faults, made.variants) == (2, 2, 1, 1)
    assert (made.killed, made.named, made.stopped, made.accepted, made.flips) == (1, 1, 1, 1, 0)


@pytest.mark.parametrize(
    ("row", "change"),
    [
        (replace(FAULT, lost=frozenset()), {"killed": 0, "flips": 1}),
        (replace(FAULT, lost=frozenset(GROUPS)), {"flips": 1}),
        (replace(FAULT, named=False), {"named": 0}),
        (replace(FAULT, stopped_by_provided=False), {"stopped": 0}),
        (replace(VARIANT, lost=frozenset({"tolerance"})), {"accepted": 0, "flips": 1}),
    ],
)
def test_what_fails_with_one_seed_does_not(problem: Problem, row: Row, change: dict[str, int]) -> None:
    second = [row if row.name == known.name else known for known in (SOLUTION, VARIANT, FAULT)]
    made = section(problem, [proof(1, SOLUTION, VARIANT, FAULT), proof(2, *second)])
    whole = {"killed": 1, "named": 1, "stopped": 1, "accepted": 1, "flips": 0}
    assert {name: getattr(made, name) for name in whole} == whole | change


def test_a_proof_that_fails_is_an_error_and_no_row(problem: Problem) -> None:
    with pytest.raises(CourseError, match="softmax does not hold:\n  it fails"):
        section(problem, [proof(1, SOLUTION, problems=["it fails"])])


def test_a_page_is_read_as_it_was_written(problem: Problem) -> None:
    made = section(problem, [proof(1, SOLUTION, VARIANT, FAULT)])
    text = page([made], 1)
    assert read(text) == {"softmax": made}
    assert "| [softmax](#softmax) | 2 | 1 | 1 | 1 | 1 (100%) | 1 | 1 | 0 |" in text
    assert "| **all** | 2 | 1 | 1 | 1 | 1 (100%) | 1 | 1 | 0 |" in text
    assert "with the seeds 1 to 1: 3 gradings" in " ".join(text.split())
    assert waiting(text) == set()
    text = page([made], 1, ["lora", "rope"])
    assert waiting(text) == {"lora", "rope"}
    assert read(text) == {"softmax": made}


def test_a_round_that_simulates_is_proved_with_fewer_seeds(problem: Problem) -> None:
    simulated = replace(problem, assignment="round3_design")
    assert (seeds_of(problem), seeds_of(simulated), seeds_of(simulated, 2)) == (20, 3, 2)
    made = section(problem, [proof(1, SOLUTION, VARIANT, FAULT)])
    assert "the seeds 1 to 20 (those that simulate, 1 to 1):" in " ".join(page([made], 20).split())


@pytest.mark.slow
def test_only_what_changed_is_proved_again(course: Path) -> None:
    layout = Layout(course)
    said: list[str] = []
    assert kills(course, layout.problems(), seeds=2, workers=1, say=said.append) == ["softmax"]
    assert said == ["softmax: 1 of 2 proofs", "softmax: 2 of 2 proofs"]
    text = (course / PAGE).read_text(encoding="utf-8")
    assert read(text)["softmax"].killed == read(text)["softmax"].faults == 2
    assert kills(course, layout.problems(), seeds=2, workers=1, say=said.append) == []
    assert (course / PAGE).read_text(encoding="utf-8") == text
    (course / PAGE).write_text(text.replace('"seeds": 2', '"seeds": 3'), encoding="utf-8")
    assert kills(course, layout.problems(), seeds=2, workers=1, say=said.append) == ["softmax"]
    path = layout.problem("softmax").path
    path.write_text(path.read_text(encoding="utf-8").replace("e.sum()", "e.sum() + 0"), encoding="utf-8")
    assert kills(course, layout.problems(), seeds=2, workers=1, say=said.append) == ["softmax"]


def test_a_verdict_that_changes_with_the_seed_is_shown_and_is_no_success(
    course: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    problems = Layout(course).problems()
    second = replace(FAULT, lost=frozenset(GROUPS))
    proofs = [proof(1, SOLUTION, VARIANT, FAULT), proof(2, SOLUTION, VARIANT, second)]
    monkeypatch.setattr(
        "fourrounds.course.kills._proofs", lambda due, *_: ((problem, proofs) for problem in due)
    )
    for _ in range(2):  # it is not taken for done the next time
        with pytest.raises(
            CourseError, match=r"softmax: the verdict changes .* on no_shift in normalisation"
        ):
            kills(course, problems, seeds=2)
        assert read((course / PAGE).read_text(encoding="utf-8"))["softmax"].flips == 1
