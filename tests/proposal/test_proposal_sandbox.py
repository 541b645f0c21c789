"""A proposal is written in the sandbox, with the bibliography at hand, and scored on the examiner's side."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from fourrounds.answers.sandbox import Answer, Limits, best_sandbox
from fourrounds.proposal import ProposalError
from fourrounds.proposal.score import score
from support.proposal_keys import key

ANSWER = """
import sys
from fourrounds.design import Arm, Design, Estimand, EvaluationSet, Falsifier, Seeds, Test, vary
from fourrounds.proposal import (
    Approach, Assumption, Failure, Kill, Objection, Plan, Proposal, Stage, bibliography, plain,
)

def my_proposal():
    design = Design(
        arms=(Arm("small"), Arm("large")), estimand=Estimand({"large": 1, "small": -1}, minimum=0.2),
        evaluation=EvaluationSet(20, 12, "groups"), seeds=Seeds(8), test=Test("crossed"),
    )
    pilot = vary(vary(design, "evaluation.groups", 8), "seeds.count", 3)
    return plain(Proposal(
        failure=Failure("x", "error", "above", 0.5),
        approaches=tuple(
            Approach(p.id, p.mechanisms[0], p.stops)
            for p in bibliography.papers(problem="over_optimisation")[:2]
        ),
        solution={"capacity": 5000},
        assumptions=(Assumption("x", "heat", 5, "x", 1, 5), Assumption("x", "noise", 5, "x", 1, 5)),
        plan=Plan((Stage(1, 2, "x", 50), Stage(3, 13, "x", 150)), design, Kill(2, pilot, 0.1)),
    ))

def not_written_down():
    return Proposal()

def names():
    return [p.id for p in bibliography.papers(problem="fixed_state")], len(bibliography.find("cache"))

def heavy():
    return sorted({"torch", "scipy", "sklearn", "fourrounds.proposal.score"} & set(sys.modules))
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


def call(session: Any, name: str) -> Any:
    (found,) = session.call(name, [((), {})], time.monotonic() + 60)
    if found.error is not None:
        raise RuntimeError(str(found.error))
    return found.value


def test_a_proposal_of_the_sandbox_is_scored_outside(session: Any) -> None:
    found = score(call(session, "my_proposal"), key(), draws=50, sims=300)
    assert found.parts["objection"].share == 0
    assert all(part.share == pytest.approx(1.0) for name, part in found.parts.items() if name != "objection")


def test_the_bibliography_is_at_hand(session: Any) -> None:
    ids, found = call(session, "names")
    assert "arora2023" in ids
    assert found >= 3
    assert call(session, "heavy") == []


def test_what_was_not_written_down_is_told(session: Any) -> None:
    with pytest.raises(ProposalError, match=r"and is (a value of type )?Proposal"):
        score(call(session, "not_written_down"), key())
