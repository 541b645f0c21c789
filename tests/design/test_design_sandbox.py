"""A design that is declared and an analysis that runs in the sandbox, scored on the examiner's side."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from fourrounds.answers.sandbox import Answer, Limits, best_sandbox
from fourrounds.design.parts import DesignError
from fourrounds.design.score import score
from support.design_keys import interview, lora

ANSWER = """
import sys
import numpy as np
from fourrounds.design import (
    Arm, Design, Estimand, EvaluationSet, Seeds, Test, Tuning, bank, diagnose, plain,
)

def my_design():
    return plain(Design(
        arms=(Arm("zero shot"), Arm("few shots"), Arm("tuned")),
        estimand=Estimand({"tuned": 1, "few shots": -1}, {"low": 1, "high": -1}, 0.12),
        evaluation=EvaluationSet({"low": 48, "high": 48}, 10, "groups"),
        seeds=Seeds(4),
    ))

def not_written_down():
    return Design()

def analyse(data):
    groups = np.tensordot(data["scores"][:, 0].mean(axis=(2, 4)), data["arm_weights"], axes=(1, 0))
    estimate, variance = 0.0, 0.0
    for h, weight in enumerate(data["stratum_weights"]):
        part = groups[:, data["stratum"] == h]
        estimate = estimate + weight * part.mean(axis=1)
        variance = variance + weight**2 * part.var(axis=1, ddof=1) / part.shape[1]
    half = 1.99 * np.sqrt(variance)
    low, high = estimate - half, estimate + half
    return {"estimate": estimate, "low": low, "high": high, "claim": (low > 0) | (high < 0)}

def broken(data):
    raise KeyError("no such array")

def on_real_runs():
    design = Design(
        arms=(Arm("rank 1", "1", 3), Arm("rank 8", "8", 3)), evaluation=EvaluationSet(4, 20),
        seeds=Seeds(5), tuning=Tuning(each_run=True), test=Test(paired=True),
    )
    row = diagnose(design, bank.lora_rank(), 200, progress=False).rows[0]
    return row.truth, row["power"].value

def heavy():
    return sorted({"torch", "scipy", "sklearn"} & set(sys.modules))
"""


@pytest.fixture(scope="module")
def session() -> Iterator[Any]:
    sandbox, _ = best_sandbox()
    with sandbox:
        answer: Answer = sandbox.open(Limits())
        ran = answer.run(ANSWER, "an answer", time.monotonic() + 60)
        assert ran.error is None, ran.error
        opened = answer.session(0)
        yield opened
        opened.close()
        answer.close()


def call(session: Any, name: str, *arguments: Any) -> Any:
    (found,) = session.call(name, [(arguments, {})], time.monotonic() + 60)
    if found.error is not None:
        raise RuntimeError(str(found.error))
    return found.value


def test_a_bank_world_is_run_in_the_sandbox(session: Any) -> None:
    truth, power = call(session, "on_real_runs")
    assert truth == pytest.approx(0.109, abs=0.002)
    assert power > 0.5
    assert call(session, "heavy") == []


def test_an_analysis_in_the_sandbox_is_scored_outside(session: Any) -> None:
    design = call(session, "my_design")
    calls = []

    def analyse(data: dict[str, Any]) -> Mapping[str, Any]:
        calls.append(data["scores"].nbytes)
        return dict(call(session, "analyse", data))

    begun = time.monotonic()
    found = score(design, analyse, interview(), 400)
    assert time.monotonic() - begun < 30
    assert found.parts["false_positives"] == found.parts["power"] == found.parts["coverage"] == 1
    # The declared test is over runs: it is the analysis that is scored.
    assert score(design, None, interview(), 400).parts["false_positives"] < 0.9
    assert max(calls) < 16_000_000
    assert sum(calls) == 3 * 400 * 3 * 4 * 960 * 8


def test_what_goes_wrong_in_the_sandbox_is_told(session: Any) -> None:
    design = call(session, "my_design")
    found = score(design, lambda data: call(session, "broken", data), interview(), 100)
    assert found.total == 0
    assert "your analysis raised" in found.problem
    assert score(design, lambda data: call(session, "heavy"), lora(), 100).total == 0
    with pytest.raises(DesignError, match="is a value of type Design: hand in plain"):
        score(call(session, "not_written_down"), None, interview(), 100)
