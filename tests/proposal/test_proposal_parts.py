"""The parts of a proposal refuse what cannot be meant, with a message that says what to do."""

from __future__ import annotations

from typing import Any

import pytest

from fourrounds.proposal import (
    Approach,
    Assumption,
    Failure,
    Kill,
    Objection,
    Plan,
    Proposal,
    ProposalError,
    Stage,
    plain,
)
from fourrounds.proposal.received import received
from support.proposal_keys import EXPERIMENT, MODEL, PILOT, PLAN


@pytest.mark.parametrize(
    ("part", "values", "told"),
    [
        (Failure, ("", "error", "above", 1.0), "Failure.says must say something"),
        (Failure, ("x" * 2001, "error", "above", 1.0), "at most 2000"),
        (Failure, ("x", "error", "over", 1.0), "'below' or 'above'"),
        (Failure, ("x", "error", "above", float("nan")), "finite number"),
        (Failure, ("x", "error", "above", True), "finite number"),
        (Failure, ("x", "error", "above", 10**400), "finite number"),
        (Failure, ("x", "error", "above", 1.0, [("n", 1)]), "map parameters to numbers"),
        (Failure, ("x", "error", "above", 1.0, {"n": "64"}), r"setting\['n'\] must be a finite number"),
        (Failure, ("x", "error", "above", 1.0, {3: 64}), "must be a string"),
        (Approach, ("gao2022", None, "x"), "Approach.mechanism must say something"),
        (Objection, ("  ", "gao2022", "x"), "Objection.paper must say something"),
        (Assumption, ("x", "n", "two", "x", 1, 5), "Assumption.breaks must be a finite number"),
        (Assumption, ("x", "n", 2, "x", 0, 5), "a week from 1 to 13"),
        (Assumption, ("x", "n", 2, "x", 1.0, 5), "a week from 1 to 13"),
        (Assumption, ("x", "n", 2, "x", 1, -5), "must not be negative"),
        (Stage, (3, 2, "x", 5), "cannot end in week 2 before it begins in week 3"),
        (Stage, (1, 14, "x", 5), "a week from 1 to 13"),
        (Kill, (2, "a pilot", 0.1), "Kill.pilot must be a Design"),
        (Kill, (2, PILOT, None), "Kill.below must be a finite number"),
        (Plan, ((), {"arms": ()}, PLAN.kill), "Plan.experiment must be a Design"),
        (Plan, ((), EXPERIMENT, None), "Plan.kill must be a Kill"),
        (Plan, (("weeks 1 to 3",), EXPERIMENT, PLAN.kill), "a tuple of Stage"),
        (Plan, ((Stage(2, 3, "x", 5),), EXPERIMENT, PLAN.kill), "the first from week 1"),
        (Plan, ((Stage(1, 3, "x", 5), Stage(5, 6, "x", 5)), EXPERIMENT, PLAN.kill), "begins in week 5"),
        (Plan, ((Stage(1, 3, "x", 5), Stage(3, 6, "x", 5)), EXPERIMENT, PLAN.kill), "begins in week 3"),
        (Proposal, ("a failure",), "Proposal.failure must be Failure"),
        (Proposal, (None, ("gao2022",)), "a tuple of Approach"),
        (Proposal, (None, (), None, {"n": None}), "Proposal.solution"),
    ],
)
def test_what_cannot_be_meant_is_refused(part: Any, values: tuple[Any, ...], told: str) -> None:
    with pytest.raises(ProposalError, match=told):
        part(*values)


def test_one_part_may_stand_for_a_tuple_of_one() -> None:
    approach = MODEL.approaches[0]
    assert Proposal(approaches=approach).approaches == (approach,)  # type: ignore[arg-type]
    stage = Stage(1, 13, "everything", 5)
    assert Plan(stage, EXPERIMENT, PLAN.kill).stages == (stage,)  # type: ignore[arg-type]


def test_plain_data_hold_no_object() -> None:
    def walk(value: Any) -> None:
        assert type(value) in (dict, list, tuple, str, int, float, bool, type(None)), type(value)
        for one in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
            walk(one)

    walk(plain(MODEL))
    for other in (MODEL.plan, plain(MODEL), received(plain(MODEL))):
        with pytest.raises(ProposalError, match=rf"plain takes what .* and not {type(other).__name__}"):
            plain(other)  # type: ignore[arg-type]
