"""What of a proposal can be checked without a key: names, ranges, and that papers exist."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from fourrounds.design import Confounder, Stopping, World
from fourrounds.proposal import ProposalError, Stage, bibliography, plain
from fourrounds.proposal.received import received
from fourrounds.proposal.score import bills
from fourrounds.proposal.system import (
    Measured,
    Parameter,
    SystemFault,
    complete,
    misnamed,
    solved,
    unfinished,
)
from support.proposal_keys import BUDGET, KNOWN, MODEL, PLAN, PRICES, key

KEY = key()


def wrong(change: Callable[[dict[str, Any]], object] | None = None) -> list[str]:
    data = copy.deepcopy(plain(MODEL))
    if change is not None:
        change(data)
    return misnamed(received(data), KEY.problem, KEY.parameters, KEY.metrics)


def test_the_model_names_what_there_is() -> None:
    assert wrong() == []
    assert misnamed(received({}), KEY.problem, KEY.parameters, KEY.metrics) == []


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda data: data["failure"].update(metric="errors"), "failure: the system has no metric 'errors'"),
        (lambda data: data["failure"].update(fails="below"), "failure: error fails above"),
        (lambda data: data["failure"].update(setting={"loads": 3}), "failure: there is no parameter 'loads'"),
        (lambda data: data["failure"].update(setting={"load": 2.5}), "failure: load must be a whole number"),
        (
            lambda data: data["failure"].update(setting={"laod": 3}),
            r"failure: there is no parameter 'laod' \(did you mean load\?\), but load, capacity",
        ),
        (
            lambda data: data["failure"].update(setting={"load": 2.5, "noise": 11, "colour": 1}),
            "load must be a whole .*; noise must lie between 0 and 10.*; there is no parameter 'colour'",
        ),
        (lambda data: data["approaches"][1].update(paper="coste2032"), "approaches: .*coste2023"),
        (lambda data: data["approaches"][1].update(mechanism="kl"), "approaches: .*kl"),
        (
            lambda data: data["approaches"][1].update(mechanism="sharpening"),
            "approaches: sharpening is a mechanism of capability_or_sharpening; .* are .*kl_budget",
        ),
        (lambda data: data["objection"].update(against="coste"), r"objection: .*did you mean coste2023\?$"),
        (lambda data: data.update(solution={"capacity": 0}), "solution: capacity must lie between"),
        (lambda data: data.update(solution={"load": 5}), "solution: the solution changes load: the job"),
        (
            lambda data: data.update(solution={"noise": 0}),
            "solution: the solution changes noise: it is nature",
        ),
        (lambda data: data["assumptions"][0].update(parameter="cold"), "assumptions: .*no parameter 'cold'"),
        (
            lambda data: data.update(solution={"capacity": 0, "heat": 99, "load": 2.5}),
            "^solution: capacity must lie between 1 and 10000, and is 0; the solution changes heat: it is "
            "nature's, and not yours to set; the solution changes load: the job is another one then.$",
        ),
        (
            lambda data: data["assumptions"][0].update(breaks=11),
            "assumptions: heat must lie between 0 and 10",
        ),
        (
            lambda data: data["assumptions"][0].update(parameter="load", breaks=-1),
            "^assumptions: load belongs to the job, so nothing is assumed about it.$",
        ),
        (lambda data: data["assumptions"][0].update(parameter="capacity"), "is for you to choose"),
        (lambda data: data["assumptions"][0].update(parameter="load"), "belongs to the job"),
        (lambda data: data.update(objection="none"), "objection: objection must be Objection"),
    ],
)
def test_what_is_misnamed_is_told(change: Callable[[dict[str, Any]], object], told: str) -> None:
    (line,) = wrong(change)
    with pytest.raises(AssertionError, match=told):
        raise AssertionError(line)


def test_whether_a_paper_fits_is_not_told() -> None:
    """The check before grading must not tell a right answer from a wrong one."""
    assert wrong(lambda data: data["approaches"][0].update(paper="yue2025")) == []
    treated = bibliography.paper(MODEL.approaches[0].paper).mechanisms
    other = next(m.name for m in bibliography.mechanisms(KEY.problem) if m.name not in treated)
    assert wrong(lambda data: data["approaches"][0].update(mechanism=other)) == []
    assert wrong(lambda data: data["objection"].update(against="gao2022")) == []
    assert wrong(lambda data: data["failure"].update(threshold=-5.0)) == []


DEAD = World("dead", {"small": 0.0, "large": 0.0}, **KNOWN, **PRICES)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda data: None, []),
        (
            lambda data: data.update(failure=None, objection=None),
            ["failure: left out.", "objection: left out."],
        ),
        (
            lambda data: data.update(approaches=[], solution={}),
            ["approaches: left out.", "solution: left out."],
        ),
        (lambda data: data.update(plan=None), ["plan: left out."]),
        (lambda data: data["approaches"].pop(), ["approaches: about 1 of 2 papers."]),
        (
            lambda data: data["approaches"][1].update(paper="gao2022"),
            ["approaches: about 1 of 2 papers."],
        ),
        (
            lambda data: data["assumptions"][1].update(parameter="heat"),
            ["assumptions: about 1 of 2 parameters."],
        ),
        (
            lambda data: (
                data["assumptions"][0].update(credits=2),
                data["assumptions"][1].update(week=9, credits=21),
            ),
            [
                "assumptions: the test of noise costs 21: cheap is up to 20.",
                "assumptions: the test of noise comes in week 9, after week 4.",
            ],
        ),
        (
            lambda data: (
                data["assumptions"][0].update(credits=3),
                data["assumptions"][1].update(week=4, credits=20),
            ),
            [],
        ),
        (
            lambda data: data["plan"]["kill"].update(week=3),
            ["plan: the criterion comes in week 3, after week 2."],
        ),
        (
            lambda data: data["plan"]["stages"][2].update(credits=100),
            ["plan: the stages spend 280, and the budget is 200."],
        ),
        (
            lambda data: data["plan"]["stages"][0].update(credits=39),
            ["plan: the pilot costs 39.76, and the stages up to week 2 have 39."],
        ),
        # What could not be read is told by misnamed.
        (lambda data: data.update(objection="none"), []),
    ],
)
def test_what_is_left_out_or_against_the_rules_is_told(
    change: Callable[[dict[str, Any]], object], told: list[str]
) -> None:
    data = copy.deepcopy(plain(MODEL))
    change(data)
    assert unfinished(received(data), BUDGET, DEAD) == told


def test_a_design_controls_what_there_is_to_control() -> None:
    """A misspelt factor would hold nothing, and nothing would tell."""

    def told(world: World | None, **controlled: str) -> list[str]:
        plan = replace(PLAN, experiment=replace(PLAN.experiment, controlled=controlled))
        data = received(plain(replace(MODEL, plan=plan)))
        return misnamed(data, KEY.problem, KEY.parameters, KEY.metrics, world)

    confounded = replace(DEAD, confounder=Confounder("heat", 0.1, {"small": 0.2, "large": 0.8}))
    assert told(confounded, heat="fixed") == told(confounded) == told(DEAD) == told(None, heta="fixed") == []
    assert told(confounded, heat="fixed", heta="fixed") == [
        "plan: controlled names 'heta', and this experiment can control 'heat' alone."
    ]
    assert told(DEAD, heat="fixed") == [
        "plan: controlled names 'heat', and this experiment has nothing to control."
    ]
    pilot = replace(PLAN.kill.pilot, controlled={"heta": "matched"})
    plan = replace(PLAN, kill=replace(PLAN.kill, pilot=pilot))
    found = received(plain(replace(MODEL, plan=plan)))
    assert len(misnamed(found, KEY.problem, KEY.parameters, KEY.metrics, confounded)) == 1


def test_the_prices_of_the_check_are_those_of_the_score() -> None:
    """The notebook's own world stands in for the key's, which have the same prices."""
    for design in (PLAN.kill.pilot, PLAN.experiment, replace(PLAN.experiment, stopping=Stopping(looks=2))):
        plan = replace(PLAN, experiment=design, stages=(Stage(1, 13, "all", 0.01),))
        shown = unfinished(received(plain(replace(MODEL, plan=plan))), BUDGET, DEAD)
        assert shown == [f"plan: {line}." for line in bills(plan, MODEL.assumptions, KEY)]
        assert len(shown) == 2


def test_a_threshold_lies_where_the_metric_can_lie() -> None:
    data = plain(MODEL)
    for span, told in (({"high": 1}, "at 1 or below"), ({"low": 0, "high": 1}, "from 0 to 1")):
        metrics = {**KEY.metrics, "error": Measured("above", 0.2, **span)}
        assert misnamed(received(data), KEY.problem, KEY.parameters, metrics) == []
        data["failure"]["threshold"] = 75
        assert misnamed(received(data), KEY.problem, KEY.parameters, metrics) == [
            f"failure: error lies {told}, and the threshold is 75."
        ]
        data["failure"]["threshold"] = 1.0  # the end of the range belongs to it
        assert misnamed(received(data), KEY.problem, KEY.parameters, metrics) == []
    data["failure"]["threshold"] = -0.5
    metrics = {**KEY.metrics, "error": Measured("above", 0.2, low=0)}
    assert misnamed(received(data), KEY.problem, KEY.parameters, metrics) == [
        "failure: error lies at 0 or above, and the threshold is -0.5."
    ]


def test_a_setting_is_completed_from_a_base_and_the_defaults() -> None:
    found = complete(KEY.parameters, {"noise": 2}, {"capacity": 7.0})
    assert found == {"load": 100, "capacity": 7.0, "noise": 2.0, "heat": 1.0}
    assert isinstance(found["load"], int)


def test_a_solution_sets_choices_alone() -> None:
    assert solved(KEY.parameters, {"capacity": 500})["capacity"] == 500.0
    assert solved(KEY.parameters, {"load": 100, "heat": 1})["load"] == 100
    with pytest.raises(ProposalError, match="nature"):
        solved(KEY.parameters, {"heat": 0.5})


def test_parameters_and_metrics_out_of_form() -> None:
    with pytest.raises(SystemFault, match="cannot have default 5"):
        Parameter(0, 1, 5, "nature")
    with pytest.raises(SystemFault, match="one of job, choice, nature"):
        Parameter(0, 1, 1, "luck")
    with pytest.raises(SystemFault, match="'below' or 'above'"):
        Measured("under", 1.0)
    with pytest.raises(SystemFault, match="from 0 to 1 cannot have bound 95"):
        Measured("below", 95, low=0, high=1)
