"""Six hypotheses that the round asks about: each can be declared, and its usual mistake shows in the numbers.

For each, a sound design and one that differs from it in one part. The sound one keeps its level where the
hypothesis is false and finds the effect where it is true; the other does not.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from fourrounds.design import (
    Arm,
    Design,
    Estimand,
    EvaluationSet,
    Falsifier,
    Metric,
    Row,
    Seeds,
    Test,
    World,
    diagnose,
)

SIMS = 1000


@dataclass(frozen=True)
class Case:
    """A question by method, nature where it is false and where it is true, and two designs."""

    question: Estimand
    false: World
    true: World
    sound: Design
    unsound: Design


LANGUAGES = EvaluationSet({"low": 25, "high": 25}, 20, "groups")
MORE_IN_LOW = Estimand({"tuned": 1, "few shots": -1}, {"low": 1, "high": -1}, 0.1)


def instruction_tuning() -> Case:
    """Instruction tuning gains more than few-shot examples do, in low-resource languages above all.

    The gains differ from language to language: items as the unit take chance in languages for an effect.
    """
    means = {
        "zero shot": {"low": 0.2, "high": 0.5},
        "few shots": {"low": 0.3, "high": 0.6},
        "tuned": {"low": 0.4, "high": 0.7},
    }
    false = World("no more in low", means, noise=0.3, group=0.1, group_effect=0.1, run=0.01)
    more = {**means, "tuned": {"low": 0.5, "high": 0.7}}
    sound = Design(
        hypothesis=str(instruction_tuning.__doc__),
        arms=(Arm("zero shot"), Arm("few shots"), Arm("tuned")),
        estimand=MORE_IN_LOW,
        evaluation=LANGUAGES,
        seeds=Seeds(3),
        test=Test("groups", paired=True),
    )
    unsound = replace(sound, test=Test("items", paired=True))
    return Case(MORE_IN_LOW, false, false.but(name="more in low", means=more), sound, unsound)


def the_main_effect_instead() -> Case:
    """The same question, answered by the gain in all languages."""
    case = instruction_tuning()
    main = Estimand({"tuned": 1, "few shots": -1}, minimum=0.1)
    return replace(case, unsound=replace(case.sound, estimand=main))


def lora_rank() -> Case:
    """A higher rank transfers better: a trend over three ranks, if each rank has its own learning rate."""
    flat = {"4": 0.6, "16": 0.6, "64": 0.6}
    false = World("no trend", flat, noise=0.3, run=0.01, tuning_spread=0.03)
    arms = tuple(Arm(f"rank {r}", r, tuning=8) for r in flat)
    sound = Design(
        arms=arms,
        estimand=Estimand({"rank 64": 1, "rank 4": -1}, minimum=0.05),
        seeds=Seeds(10),
        test=Test(paired=False),
    )
    sound = replace(sound, tuning=replace(sound.tuning, each_run=True))
    rising = false.but(name="a trend", means={"4": 0.55, "16": 0.58, "64": 0.6})
    return Case(
        Estimand({"64": 1, "4": -1}),
        false,
        rising,
        sound,
        replace(sound, arms=(replace(arms[0], tuning=1), *arms[1:])),
    )


def linear_attention() -> Case:
    """Linear attention loses more recall on long contexts; a ceiling on short ones turns that round."""
    strata = {"short": 1, "long": -1}
    means = {"softmax": {"short": 0.98, "long": 0.8}, "linear": {"short": 0.88, "long": 0.7}}
    false = World("as much", means, noise=0.1, run=0.01, ceiling=1.0)
    more = {**means, "linear": {"short": 0.88, "long": 0.65}}
    sets = EvaluationSet({"short": 10, "long": 10}, 20, difficulty=0.4)
    sound = Design(
        arms=(Arm("softmax"), Arm("linear")),
        estimand=Estimand(strata=strata),
        evaluation=sets,
        seeds=Seeds(6),
    )
    unsound = replace(sound, evaluation=replace(sets, difficulty=0.0))
    return Case(
        Estimand({"linear": 1, "softmax": -1}, strata),
        false,
        false.but(name="more on long ones", means=more),
        sound,
        unsound,
    )


def optimiser() -> Case:
    """A new optimiser beats the tuned baseline; its diverged runs are runs."""
    false = World("no better", {"adamw": 0.7, "new": 0.7}, noise=0.2, run=0.02, divergence={"new": -0.5})
    sound = Design(arms=(Arm("adamw"), Arm("new")), seeds=Seeds(20, "count"))
    return Case(
        Estimand({"new": 1, "adamw": -1}),
        false,
        false.but(name="better", means={"adamw": 0.7, "new": 0.725}),
        sound,
        replace(sound, seeds=Seeds(20, "drop")),
    )


def judge() -> Case:
    """A judge prefers the new model, whatever it is shown first."""
    false = World("no better", {"old": 0.5, "new": 0.5}, noise=0.4, order_bias=0.1)
    sound = Design(
        arms=(Arm("old"), Arm("new")),
        metrics=Metric("preference", "judge", order="both"),
        evaluation=EvaluationSet(1, 400),
        seeds=Seeds(1),
        test=Test("items", paired=True),
    )
    return Case(
        Estimand({"new": 1, "old": -1}),
        false,
        false.but(name="better", means={"old": 0.5, "new": 0.6}),
        sound,
        replace(sound, metrics=Metric("preference", "judge", order="fixed")),
    )


def deduplication() -> Case:
    """Deduplicated training data generalise better; with copies of the test items in the raw ones, not so."""
    false = World("no better", {"raw": 0.6, "clean": 0.6}, noise=0.3, run=0.01, duplicates={"raw": 0.15})
    sound = Design(
        arms=(Arm("raw"), Arm("clean")),
        evaluation=EvaluationSet(8, 50, "deduplicated"),
        metrics=Metric("accuracy", "accuracy"),
        seeds=Seeds(8),
    )
    return Case(
        Estimand({"clean": 1, "raw": -1}),
        false,
        false.but(name="better", means={"raw": 0.6, "clean": 0.65}),
        sound,
        replace(sound, evaluation=EvaluationSet(8, 50, "items")),
    )


CASES = (
    instruction_tuning,
    the_main_effect_instead,
    lora_rank,
    linear_attention,
    optimiser,
    judge,
    deduplication,
)


def rows(case: Case, design: Design) -> tuple[Row, Row]:
    false, true = diagnose(design, [case.false, case.true], SIMS, 7, question=case.question)
    return false, true


@pytest.mark.parametrize("make", CASES)
def test_a_sound_design(make: object) -> None:
    case = make()  # type: ignore[operator]
    false, true = rows(case, case.sound)
    assert false.truth == pytest.approx(0, abs=1e-12)
    assert false["false_positives"].value <= 0.05 + 3.5 * false["false_positives"].se
    assert abs(false["bias"].value) <= 3.5 * false["bias"].se + 0.003
    assert true["power"].value >= 0.8
    assert false["coverage"].value >= 0.95 - 3.5 * false["coverage"].se


@pytest.mark.parametrize("make", CASES)
def test_the_usual_mistake_shows(make: object) -> None:
    case = make()  # type: ignore[operator]
    false, _ = rows(case, case.unsound)
    assert false["false_positives"].value > 0.2


@pytest.mark.parametrize("make", CASES)
def test_the_falsifier_tells_false_from_true(make: object) -> None:
    """Half of the true effect as the margin: fires where there is none, and hardly ever where there is."""
    case = make()  # type: ignore[operator]
    effect = case.true.truth(case.question)
    margin = Falsifier("estimate_below", effect / 2)
    false, true = rows(case, replace(case.sound, falsifier=margin))
    assert false["falsified"].value > 0.8
    assert true["falsified"].value < 0.2
