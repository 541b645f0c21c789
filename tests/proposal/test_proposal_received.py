"""What crosses the wall is read part by part; one that is out of form takes no other's points."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from fourrounds.design import plain as plain_design
from fourrounds.design import vary
from fourrounds.proposal import ProposalError, plain
from fourrounds.proposal.received import Received, received
from support.proposal_keys import EXPERIMENT, MODEL


def changed(**parts: Any) -> dict[str, Any]:
    return {**copy.deepcopy(plain(MODEL)), **parts}


def test_a_proposal_comes_back_as_it_was() -> None:
    found = received(plain(MODEL))
    assert not found.problems
    for part in ("failure", "approaches", "objection", "solution", "assumptions", "plan"):
        assert getattr(found, part) == getattr(MODEL, part), part


@pytest.mark.parametrize("data", [None, [], "a proposal", 3, ("failure",), object()])
def test_what_is_no_dict_is_no_proposal(data: Any) -> None:
    with pytest.raises(ProposalError, match=r"plain\(Proposal\(...\)\)"):
        received(data)


def test_a_part_that_there_is_not() -> None:
    with pytest.raises(ProposalError, match=r"no part 'motivation', but failure, approaches"):
        received(changed(motivation="important"))


def test_an_object_that_stayed_on_the_other_side_is_told_by_its_type() -> None:
    class Stayed:
        answer_type = "Proposal"

    with pytest.raises(ProposalError, match="and is Proposal"):
        received(Stayed())


@pytest.mark.parametrize(
    ("part", "value", "told"),
    [
        ("failure", "the error grows", "failure must be Failure"),
        ("failure", {"says": "x"}, "failure must have says, metric, fails, threshold"),
        ("failure", {**plain(MODEL)["failure"], "why": "x"}, "nothing but"),
        ("failure", {**plain(MODEL)["failure"], "fails": "over"}, "'below' or 'above'"),
        ("objection", ["eisenstein2023"], "objection must be Objection"),
        ("solution", [1, 2], "solution must map"),
        ("solution", {"capacity": "large"}, "finite number"),
        ("approaches", {"gao2022": "kl_budget"}, "a list of Approach"),
        ("approaches", [{"paper": "gao2022"}], "approaches, number 1, must have"),
        ("approaches", [plain(MODEL)["approaches"][0]] * 21, "choose at most 20"),
        ("assumptions", [{**plain(MODEL)["assumptions"][0], "week": 20}], "a week from 1 to 13"),
        ("plan", "three months", "plan must be Plan"),
        ("plan", {"stages": []}, "stages, experiment and kill"),
        ("plan", {**plain(MODEL)["plan"], "kill": None}, "kill must be Kill"),
        ("plan", {**plain(MODEL)["plan"], "experiment": {}}, "Plan.experiment: no design was handed in"),
        ("plan", {**plain(MODEL)["plan"], "stages": [{"first": 1}]}, "stages, number 1, must have"),
    ],
)
def test_one_part_out_of_form_spoils_no_other(part: str, value: Any, told: str) -> None:
    found = received(changed(**{part: value}))
    assert set(found.problems) == {part}
    with pytest.raises(AssertionError, match=told):
        raise AssertionError(found.problems[part])
    for other in {"failure", "objection", "solution", "plan", "approaches", "assumptions"} - {part}:
        assert getattr(found, other) == getattr(MODEL, other), other


def test_of_a_list_the_parts_that_can_be_read_are_read() -> None:
    good = plain(MODEL)["approaches"]
    found = received(changed(approaches=[good[0], "gao", good[1], {"paper": "gao2022"}]))
    assert found.approaches == MODEL.approaches
    assert "number 2" in found.problems["approaches"]
    assert "number 4" in found.problems["approaches"]


def test_an_experiment_too_large_to_be_run_is_refused() -> None:
    huge = plain_design(vary(EXPERIMENT, "evaluation.items", 100_000))
    assert (
        "the most that can be scored"
        in received(changed(plan={**plain(MODEL)["plan"], "experiment": huge})).problems["plan"]
    )


def test_nothing_is_a_proposal_too() -> None:
    assert received({}) == Received()
    assert received({"failure": "x"}) != Received()
    assert received(plain(MODEL)) != Received()
