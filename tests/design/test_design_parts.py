"""What can be declared, what is refused and in which words, and what changes no number."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import FrozenInstanceError, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fourrounds.design import (
    Arm,
    Confounder,
    Decision,
    Design,
    DesignError,
    Estimand,
    EvaluationSet,
    Falsifier,
    Metric,
    Seeds,
    Stopping,
    Test,
    Tuning,
    World,
    draw,
    from_plain,
    plain,
    run,
    vary,
    worlds,
)

REFUSED: list[tuple[Callable[[], object], str]] = [
    (lambda: Arm(""), "must not be empty"),
    (lambda: Arm("a", tuning=0), "tuning of arm 'a' must be a whole number, 1 or more, and is 0"),
    (lambda: Arm("a", seeds=2.5), "seeds of arm 'a' must be a whole number"),  # type: ignore[arg-type]
    (lambda: Arm("a", report="median"), "report of arm 'a' must be one of 'mean', 'best'"),
    (lambda: Estimand({"a": 1, "b": 1}), "must sum to 0, else it is no comparison of arms; the sum is 2"),
    (lambda: Estimand({}), "must map names to weights"),
    (lambda: Estimand(strata={"low": float("nan")}), r"Estimand.strata\['low'\] must be a finite number"),
    (lambda: Estimand(minimum=float("inf")), "Estimand.minimum must be a finite number"),
    (lambda: Metric(kind="bleu"), "Metric.kind must be one of 'score', 'accuracy', 'judge'"),
    (lambda: Metric(order="alternating"), "Metric.order"),
    (lambda: EvaluationSet(0), "EvaluationSet.groups must be a whole number, 1 or more"),
    (lambda: EvaluationSet({}), "must name a stratum"),
    (lambda: EvaluationSet({"low": 0}), r"EvaluationSet.groups\['low'\]"),
    (lambda: EvaluationSet([48, 48]), "a dict with one for each stratum"),  # type: ignore[arg-type]
    (lambda: EvaluationSet(items=True), "EvaluationSet.items"),
    (lambda: EvaluationSet(held_out="yes"), "held_out must be one of 'none', 'items'"),
    (lambda: Seeds(0), "Seeds.count"),
    (lambda: Seeds(3, "ignore"), "Seeds.diverged must be one of 'count', 'drop', 'rerun'"),
    (lambda: Tuning("train"), "Tuning.select_on"),
    (
        lambda: Test("models"),
        "Test.unit must be one of 'observations', 'items', 'groups', 'seeds', 'crossed'",
    ),
    (lambda: Test(method="wilcoxon"), "Test.method"),
    (lambda: Test(sides=3), "sides must be 1 or 2"),
    (lambda: Test(alpha=0.5), "between 0 and 0.5"),
    (lambda: Test(resamples=10), "Test.resamples"),
    (lambda: Test("crossed", method="bootstrap"), "its method must be 't' or 'z'"),
    (lambda: Stopping(0), "Stopping.looks"),
    (lambda: Stopping(over="days"), "Stopping.over"),
    (lambda: Stopping(boundary="haybittle"), "Stopping.boundary"),
    (lambda: Decision("hope"), "Decision.rule"),
    (lambda: Decision(outcomes="best"), "Decision.outcomes"),
    (lambda: Falsifier("none"), "Falsifier.rule"),
    (lambda: Falsifier(margin="small"), "Falsifier.margin"),  # type: ignore[arg-type]
    (lambda: Design(arms=(Arm("a"),)), "two or more arms"),
    (lambda: Design(arms=(Arm("a"), Arm("a"))), "names of their own"),
    (lambda: Design(arms=("a", "b")), r"Design.arms must be a tuple of Arm\(...\)"),  # type: ignore[arg-type]
    (lambda: Design(metrics=()), r"Design.metrics must be a tuple of Metric\(...\)"),
    (lambda: Design(seeds=5), r"Design.seeds must be made with Seeds\(...\)"),  # type: ignore[arg-type]
    (lambda: Design(baseline="b"), "Design.baseline must be one of the arms"),
    (lambda: Design(estimand=Estimand({"a": 1, "baseline": -1})), "names 'a', which is none of the arms"),
    (lambda: Design(estimand=Estimand(strata={"low": 1})), "give EvaluationSet.groups a number for 'low'"),
    (lambda: Design(controlled={"size": "same"}), r"Design.controlled\['size'\] must be one of 'fixed'"),
    (lambda: Design(varies="split"), r"as in \('initialisation',\)"),  # type: ignore[arg-type]
    (lambda: Design(correction="fdr"), "Design.correction"),
    (lambda: Design(controlled={"size": "adjusted"}, test=Test("items")), "Test\\(unit='seeds'"),
    (
        lambda: Design(arms=(Arm("a", seeds=3), Arm("b")), test=Test(paired=True)),
        "as many runs in each arm, not",
    ),
    (
        lambda: Design(evaluation=EvaluationSet(same_items=False), test=Test("items", paired=True)),
        "different items cannot be paired over items",
    ),
    (lambda: Arm(3), "Arm.name must be a string, and is 3"),  # type: ignore[arg-type]
    (lambda: Metric(None), "Metric.name must be a string"),  # type: ignore[arg-type]
    (lambda: EvaluationSet({1: 2}), "a stratum of EvaluationSet.groups must be a string"),  # type: ignore[dict-item]
    (lambda: Estimand({1: 1, 2: -1}), "a name in Estimand.arms must be a string"),  # type: ignore[dict-item]
    (lambda: Design(hypothesis=1), "Design.hypothesis must be a string"),  # type: ignore[arg-type]
    (lambda: Design(controlled=["size"]), "Design.controlled must be a dict"),  # type: ignore[arg-type]
    (lambda: Design(correction=["none"]), "Design.correction must be one of"),  # type: ignore[arg-type]
    (lambda: Test(resamples=20_001), "at most 20000"),
    (lambda: Design(stopping=Stopping(6)), "looks 6 times over 5 seeds"),
]


@pytest.mark.parametrize(("make", "message"), REFUSED)
def test_a_wrong_declaration_says_what_to_do(make: Callable[[], object], message: str) -> None:
    with pytest.raises(DesignError, match=message):
        make()


def test_a_design_is_frozen_and_its_parts_stay() -> None:
    design = Design()
    with pytest.raises(FrozenInstanceError):
        design.correction = "holm"  # type: ignore[misc]
    assert replace(design, correction="holm").seeds == design.seeds


def test_what_a_world_does_not_have_is_told() -> None:
    world = worlds.interaction()
    with pytest.raises(DesignError, match=r"has no method 'lora': give Arm.method one of"):
        run(Design(arms=(Arm("baseline"), Arm("lora"))), world, 2, 0)
    with pytest.raises(DesignError, match=r"name the groups of EvaluationSet after \['low', 'high'\]"):
        run(Design(evaluation=EvaluationSet({"rich": 2})), world, 2, 0)
    with pytest.raises(DesignError, match="has no construct 'style'"):
        run(Design(metrics=Metric(construct="style")), world, 2, 0)
    with pytest.raises(DesignError, match="names its methods"):
        world.truth(Estimand())
    hopeless = worlds.dropped_divergences(9.0)
    with pytest.raises(DesignError, match="hardly any run survives"):
        run(Design(seeds=Seeds(2, "rerun"), evaluation=EvaluationSet(1, 1)), hopeless, 2, 0)
    with pytest.raises(ValueError, match="must not be negative"):
        World("odd", noise=-1.0)
    with pytest.raises(ValueError, match="between 0 and 1"):
        World("odd", run_shared=1.5)
    with pytest.raises(ValueError, match="sims must be 1 or more"):
        draw(Design(), world, 0, 0)


# --- what changes no number ---

EVERYTHING = World(
    "everything",
    {"baseline": {"low": 0.4, "high": 0.6}, "treatment": {"low": 0.5, "high": 0.65}},
    noise=0.3,
    run={"initialisation": 0.05, "split": 0.05},
    run_shared=0.3,
    scale={"treatment": 1.5},
    group=0.1,
    group_effect=0.05,
    item=0.1,
    item_effect=0.05,
    confounder=Confounder("model size", 0.1, {"baseline": 0.3, "treatment": 0.7}),
    duplicates={"treatment": 0.1},
    kinship={"treatment": 0.05},
    tuning_spread=0.02,
    selection_noise=0.02,
    divergence={"treatment": -1.0},
    ceiling=1.0,
    outcome_correlation=0.3,
    order_bias=0.05,
)
FULL = Design(
    arms=(Arm("baseline", tuning=3), Arm("treatment", tuning=3)),
    metrics=(Metric("accuracy", "accuracy"), Metric("preference", "judge"), Metric("loss")),
    evaluation=EvaluationSet({"low": 3, "high": 3}, 4, "items"),
    seeds=Seeds(4, "drop"),
    stopping=Stopping(2, "items"),
    correction="holm",
    decision=Decision(outcomes="any"),
)


def outcome(design: Design, world: World = EVERYTHING) -> list[np.ndarray]:
    found = run(design, world, 40, 3)
    return [
        found.estimate,
        found.low,
        found.high,
        found.p,
        found.claim,
        found.falsified,
        found.cost,
        found.look,
    ]


def same(one: Design, other: Design, world: World = EVERYTHING) -> bool:
    return all(
        np.array_equal(a, b, equal_nan=True)
        for a, b in zip(outcome(one, world), outcome(other, world), strict=True)
    )


NAMES = st.text(min_size=1, max_size=8)


@settings(max_examples=15, deadline=None)
@given(one=NAMES, two=NAMES, metric=NAMES, hypothesis=st.text())
def test_names_change_nothing(one: str, two: str, metric: str, hypothesis: str) -> None:
    if one == two:
        two += "'"
    renamed = replace(
        FULL,
        arms=(replace(FULL.arms[0], name=one), replace(FULL.arms[1], name=two)),
        metrics=tuple(replace(m, name=metric) for m in FULL.metrics),
        estimand=Estimand({one: -1, two: 1}),
        baseline=one,
        hypothesis=hypothesis,
    )
    assert same(renamed, FULL)


NO_EFFECT: dict[str, tuple[Design, Any]] = {
    "a control of what does not vary": (replace(FULL, controlled={"moon": "matched"}), EVERYTHING),
    "a tuning budget where configurations are equal": (
        replace(FULL, arms=(FULL.arms[0], replace(FULL.arms[1], tuning=4))),
        EVERYTHING.but(tuning_spread=0.0, selection_noise=0.0),
    ),
    "all sources named": (replace(FULL, varies=("initialisation", "split", "moon")), EVERYTHING),
    "what is done with divergence where none diverges": (
        replace(FULL, seeds=Seeds(4, "count")),
        EVERYTHING.but(divergence={}),
    ),
    "holding out where nothing leaks": (
        replace(FULL, evaluation=replace(FULL.evaluation, held_out="groups")),
        EVERYTHING.but(duplicates={}, kinship={}),
    ),
    "the order of a metric that is not judged": (
        replace(FULL, metrics=(*FULL.metrics[:2], replace(FULL.metrics[2], order="both"))),
        EVERYTHING,
    ),
    "selection where there is no error in it": (
        replace(FULL, tuning=Tuning("test")),
        EVERYTHING.but(selection_noise=0.0),
    ),
    "resamples of a t-test": (replace(FULL, test=replace(FULL.test, resamples=2000)), EVERYTHING),
}


@pytest.mark.parametrize("name", NO_EFFECT)
def test_a_part_that_has_no_hold_changes_no_number(name: str) -> None:
    changed, world = NO_EFFECT[name]
    if "budget" in name:  # the price of trying is real
        assert all(
            np.array_equal(a, b, equal_nan=True)
            for a, b in zip(outcome(changed, world)[:6], outcome(FULL, world)[:6], strict=True)
        )
    else:
        assert same(changed, FULL, world)


ACTS = {
    "arms.treatment.tuning": 9,
    "arms.treatment.report": "best",
    "arms.baseline.seeds": 3,
    "estimand.strata": {"low": 1.0},
    "metrics.accuracy.kind": "score",
    "metrics.preference.order": "both",
    "evaluation.groups": {"low": 3, "high": 2},
    "evaluation.items": 6,
    "evaluation.held_out": "deduplicated",
    "evaluation.same_items": False,
    "evaluation.difficulty": 0.1,
    "controlled": {"model size": "fixed"},
    "varies": ("split",),
    "seeds.count": 5,
    "seeds.diverged": "rerun",
    "tuning.select_on": "test",
    "tuning.each_run": True,
    "test.unit": "items",
    "test.equal_variances": True,
    "test.method": "bootstrap",
    "test.sides": 1,
    "test.alpha": 0.01,
    "correction": "none",
    "stopping.looks": 3,
    "stopping.boundary": "pocock",
    "stopping.over": "groups",
    "decision.rule": "interval_above",
    "decision.outcomes": "primary",
    "falsifier.rule": "not_significant",
    "falsifier.margin": 1.0,
    "estimand.minimum": 1.0,
}


@pytest.mark.parametrize("part", ACTS)
def test_every_part_acts_where_the_world_gives_it_a_hold(part: str) -> None:
    assert not same(vary(FULL, part, ACTS[part]), FULL)


def test_a_seed_draws_the_same_and_another_does_not() -> None:
    one, two, other = (run(FULL, EVERYTHING, 30, seed).estimate for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, two)
    assert not np.array_equal(one, other)


# --- as plain data ---


def test_a_design_goes_through_json_and_comes_back() -> None:
    for design in (Design(), FULL, replace(FULL, varies=("split",), controlled={"model size": "fixed"})):
        back = from_plain(json.loads(json.dumps(plain(design))))
        assert plain(back) == plain(design)
        assert same(back, design)


BAD_PLAIN: list[tuple[Any, str]] = [
    ([], "Design must be a dict with some of the names arms"),
    ({"seed": 1}, "Design must be a dict with some of the names arms"),
    ({"seeds": 5}, "seeds must be a dict with some of the names count, diverged"),
    ({"seeds": {"count": "5"}}, "Seeds.count must be a whole number"),
    ({"arms": 3}, "arms must be a list, and is int"),
    ({"arms": [{"name": "a", "shell": "rm"}]}, "arms must be a dict with some of the names name, method"),
    ({"varies": 3}, "Design.varies must be a tuple of names"),
]


@pytest.mark.parametrize(("data", "message"), BAD_PLAIN)
def test_plain_data_are_checked(data: Any, message: str) -> None:
    with pytest.raises(DesignError, match=message):
        from_plain(data)


def test_an_experiment_that_no_memory_holds_is_refused() -> None:
    for huge in (vary(FULL, "evaluation.items", 10**9), vary(FULL, "arms.treatment.tuning", 10**9)):
        with pytest.raises(DesignError, match="at most 20000000 of each can be simulated"):
            run(huge, EVERYTHING, 2, 0)


# --- vary ---


def test_vary() -> None:
    design = vary(vary(FULL, "arms.treatment.tuning", 7), "seeds.count", 9)
    assert (design.arms[1].tuning, design.arms[0].tuning, design.seeds.count) == (7, 3, 9)
    with pytest.raises(DesignError, match="there is no part 'seed' here, but arms, baseline"):
        vary(FULL, "seed.count", 3)
    with pytest.raises(DesignError, match="there is no 'new' among"):
        vary(FULL, "arms.new.tuning", 3)
    with pytest.raises(DesignError, match="there is no part 'x' here, but none"):
        vary(FULL, "correction.x", 3)
    with pytest.raises(DesignError, match=r"Seeds.count"):
        vary(FULL, "seeds.count", 0)
    with pytest.raises(DesignError, match=r"vary changes a part of a Design\(...\), and is given None$"):
        vary(None, "seeds.count", 3)  # type: ignore[arg-type]
    with pytest.raises(DesignError, match=r"is given a dict$"):
        vary(plain(FULL), "seeds.count", 3)  # type: ignore[arg-type]
