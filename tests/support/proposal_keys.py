"""A small open problem with its key, and a proposal that gets full marks: an error grows with the load."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from fourrounds.design import Arm, Design, Estimand, EvaluationSet, Falsifier, Seeds, Test
from fourrounds.proposal import Approach, Assumption, Failure, Kill, Objection, Plan, Proposal, Stage
from fourrounds.proposal.key import Key
from fourrounds.proposal.system import Measured, Parameter, Setting

BUDGET = 200.0
KNOWN = {"noise": 1.0, "group": 0.3, "group_effect": 0.15, "run": 0.08}
PRICES = {"price_run": 3, "price_item": 0.01, "price_group": 2}


def system(setting: Setting, rng: np.random.Generator) -> dict[str, float]:
    """The error is the load over the capacity; ``speed`` is the load that is served."""
    load = setting["load"] / setting["capacity"]
    return {"error": load + 0.01 * rng.standard_normal(), "speed": setting["load"]}


def control(setting: Setting, rng: np.random.Generator) -> dict[str, float]:
    """Without a bound on the capacity there is no error."""
    return {"error": 0.01 * rng.standard_normal(), "speed": setting["load"]}


def meets(setting: Setting) -> bool:
    """Ten times the capacity, little noise, and no heat."""
    roomy = setting["load"] <= 0.1 * setting["capacity"]
    return roomy and setting["noise"] <= 1.0 and setting["heat"] <= 2.0


def key(**changes: Any) -> Key:
    """The key, with some of its parts changed."""
    means = {"small": 0.1, "large": 0.1}
    worlds = [
        {"world": {"name": "dead", "means": means, **KNOWN, **PRICES}},
        {"world": {"name": "familiar", "means": means, "kinship": {"large": 0.3}, **KNOWN, **PRICES}},
        {"world": {"name": "alive", "means": {"small": 0.1, "large": 0.3}, **KNOWN, **PRICES}},
    ]
    parts: dict[str, Any] = {
        "problem": "over_optimisation",
        "parameters": {
            "load": Parameter(1, 1000, 100, "job", whole=True),
            "capacity": Parameter(1, 10000, 100, "choice"),
            "noise": Parameter(0, 10, 0.5, "nature"),
            "heat": Parameter(0, 10, 1.0, "nature"),
        },
        "metrics": {"error": Measured("above", 0.2), "speed": Measured("below", 50.0)},
        "system": system,
        "control": control,
        "meets": meets,
        "experiment": {
            "question": {"arms": {"large": 1, "small": -1}, "minimum": 0.2},
            "budget": BUDGET,
            "worlds": worlds,
        },
    }
    return Key(**{**parts, **changes})


EXPERIMENT = Design(
    hypothesis="a large one is better",
    arms=(Arm("small"), Arm("large")),
    estimand=Estimand({"large": 1, "small": -1}, minimum=0.2),
    evaluation=EvaluationSet(20, 12, "groups"),
    seeds=Seeds(8),
    test=Test("crossed"),
    falsifier=Falsifier("interval_below"),
)
PILOT = replace(EXPERIMENT, evaluation=EvaluationSet(8, 12, "groups"), seeds=Seeds(3))
PLAN = Plan(
    stages=(
        Stage(1, 2, "a pilot", 50),
        Stage(3, 9, "the experiment", 130),
        Stage(10, 13, "the report", 10),
    ),
    experiment=EXPERIMENT,
    kill=Kill(2, PILOT, 0.1),
)
MODEL = Proposal(
    failure=Failure("the error grows with the load", "error", "above", 0.5, {"capacity": 50}),
    approaches=(
        Approach("gao2022", "kl_budget", "it stops early"),
        Approach("coste2023", "correlated_reward_errors", "errors are shared"),
    ),
    objection=Objection("eisenstein2023", "coste2023", "herding"),
    solution={"capacity": 5000},
    assumptions=(
        Assumption("it stays cool", "heat", 5.0, "measure it", 1, 5),
        Assumption("noise is small", "noise", 2.0, "measure it", 1, 5),
    ),
    plan=PLAN,
)
