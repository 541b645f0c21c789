"""Designs that each lack one thing, and others as good as the model, made from the author's model design.

They show what a key is worth: each that applies must lose the points of what it lacks and be told so, and
each alternative must stay near full marks.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from fourrounds.design.key import Key
from fourrounds.design.mend import changed_by, runs
from fourrounds.design.parts import Arm, Design, DesignError, Stopping, plain
from fourrounds.design.run import Runs, run
from fourrounds.design.score import planned_cost
from fourrounds.design.simulate import BLOCK
from fourrounds.design.worlds import World

Maker = Callable[[Design, Key], Design | None]


@dataclass(frozen=True)
class Critic:
    """A design of a known kind, in plain form. ``loses`` are the parts of the score of which it must lose
    some. There are none for an alternative, nor for what a key's worlds may or may not punish."""

    name: str
    design: dict[str, Any]
    loses: tuple[str, ...] = ()


def _no_seeds(model: Design, key: Key) -> Design | None:
    """One run of each arm."""
    if max(model.runs) == 1:
        return None
    return changed_by(model, {**runs(model, 1), **_fixed_sample(model)})


def _fixed_sample(model: Design) -> dict[str, object]:
    """Fewer looks, where a smaller sample has no room for them."""
    return {"stopping": Stopping()} if model.stopping.looks > 1 else {}


def _untuned_baseline(model: Design, key: Key) -> Design | None:
    """The baseline as it comes, all others tuned."""
    baseline = model.arms[model.baseline_index]
    return None if baseline.tuning == 1 else changed_by(model, {f"arms.{baseline.name}.tuning": 1})


def _no_held_out_set(model: Design, key: Key) -> Design | None:
    """Evaluated on what may have been trained on: on nothing else, or where a world of the bank has too few
    such items for the design, on a random part."""
    if model.evaluation.held_out == "none":
        return None
    changed = changed_by(model, {"evaluation.held_out": "none"})
    if None in _outcomes(changed, key, 2, 0) and model.evaluation.held_out != "items":
        return changed_by(model, {"evaluation.held_out": "items"})
    return changed


def _unclustered_errors(model: Design, key: Key) -> Design | None:
    """Every item counts as independent of the others of its group and of its run."""
    if model.test.unit in ("items", "observations"):
        return None
    paired = model.evaluation.same_items
    return changed_by(model, {"test.unit": "items", "test.paired": paired, "test.method": "t"})


def _no_correction(model: Design, key: Key) -> Design | None:
    """Four outcomes, and a claim if any of them is significant."""
    metrics = [*model.metrics]
    metrics += [replace(metrics[0], name=f"{metrics[0].name} {n}") for n in range(2, 6 - len(metrics))]
    many = replace(model, metrics=tuple(metrics), correction="none")
    return changed_by(many, {"decision.outcomes": "any", "decision.rule": "significant"})


def _peeking(model: Design, key: Key) -> Design | None:
    """Looked at after every part of the data, until it is significant."""
    sizes = {
        "seeds": min(model.runs),
        "groups": min(model.evaluation.strata.values()),
        "items": model.evaluation.items,
    }
    over = {"groups": "groups", "seeds": "seeds", "crossed": "seeds"}.get(model.test.unit, "items")
    over = over if sizes[over] >= 10 else max(sizes, key=lambda name: sizes[name])
    return replace(model, stopping=Stopping(min(10, sizes[over]), over, "none"))


def _main_effect(model: Design, key: Key) -> Design | None:
    """The effect over all strata instead of the difference between them."""
    weights = key.question.strata
    if weights is None or abs(sum(weights.values())) > 1e-9:
        return None
    return changed_by(model, {"estimand.strata": None})


def _underpowered(model: Design, key: Key) -> Design | None:
    """A fifth of the sample that the test counts, and no more than four of it."""
    count: Callable[[int], int] = lambda n: max(2, min(4, n // 5))  # noqa: E731
    fewer: dict[str, object] = _fixed_sample(model)
    if model.test.unit in ("seeds", "crossed"):
        fewer |= runs(model, count(max(model.runs)))
    else:
        groups = model.evaluation.groups
        fewer["evaluation.groups"] = (
            {k: count(v) for k, v in groups.items()} if isinstance(groups, Mapping) else count(groups)
        )
    return changed_by(model, fewer)


def _over_budget(model: Design, key: Key) -> Design | None:
    """More runs, until the budget is too small."""
    count = max(model.runs)
    while count < 10_000:
        count += max(1, count // 2)
        changed = changed_by(model, runs(model, count))
        try:
            price = planned_cost(changed, key)
        except DesignError:
            return None
        if price > key.budget:
            return changed
    return None


def _no_falsifier(model: Design, key: Key) -> Design | None:
    """Nothing would disprove it."""
    return changed_by(model, {"falsifier.rule": "never"})


def _best_seed(model: Design, key: Key) -> Design | None:
    """Each arm but the baseline reports its best run."""
    others = [arm.name for n, arm in enumerate(model.arms) if n != model.baseline_index]
    if model.test.unit == "seeds" and model.test.paired:
        return None
    return changed_by(model, {f"arms.{name}.report": "best" for name in others})


def _survivors(model: Design, key: Key) -> Design | None:
    """Diverged runs are left out."""
    return None if model.seeds.diverged == "drop" else changed_by(model, {"seeds.diverged": "drop"})


def _tuned_on_test(model: Design, key: Key) -> Design | None:
    """Configurations are chosen by the test score that is reported."""
    return None if model.tuning.select_on == "test" else changed_by(model, {"tuning.select_on": "test"})


def _lucky_rate(model: Design, key: Key) -> Design | None:
    """One configuration, found once, serves all runs."""
    return changed_by(model, {"tuning.each_run": False}) if model.tuning.each_run else None


def _judge_in_one_order(model: Design, key: Key) -> Design | None:
    """The judge always sees the baseline second."""
    judged = [metric.name for metric in model.metrics if metric.kind == "judge" and metric.order != "fixed"]
    return changed_by(model, {f"metrics.{name}.order": "fixed" for name in judged}) if judged else None


def _another_construct(model: Design, key: Key) -> Design | None:
    """The primary outcome measures something else that the worlds have, the first by name."""
    measured = model.metrics[0]
    known = {name for t in key.trials if isinstance(t.world, World) for name in t.world.constructs}
    others = sorted(known - {measured.construct})
    return changed_by(model, {f"metrics.{measured.name}.construct": others[0]}) if others else None


def _uncontrolled(model: Design, key: Key) -> Design | None:
    """No factor is kept from differing between the arms."""
    return changed_by(model, {"controlled": {}}) if model.controlled else None


def _always(model: Design, key: Key) -> Design | None:
    """An effect is claimed whatever comes out."""
    return changed_by(model, {"decision.rule": "larger", "decision.margin": -1e9})


def _never(model: Design, key: Key) -> Design | None:
    """An effect is never claimed."""
    return changed_by(model, {"decision.rule": "larger", "decision.margin": 1e9})


def _template(model: Design, key: Key) -> Design | None:
    """The arms are named, and all else is left as it comes, on a set that the worlds have."""
    design = Design(arms=tuple(Arm(arm.name, arm.method) for arm in model.arms))
    while design.evaluation.items > 1 and not any(_outcomes(design, key, 2, 0)):
        design = changed_by(design, {"evaluation.items": design.evaluation.items // 2})
    return design


def _template_with_strata(model: Design, key: Key) -> Design | None:
    """The arms and the strata are named, and all else is left as it comes."""
    if key.question.strata is None:
        return None
    evaluation = replace(Design().evaluation, groups=dict.fromkeys(model.evaluation.strata, 8))
    return Design(arms=tuple(Arm(arm.name, arm.method) for arm in model.arms), evaluation=evaluation)


_LACKING: dict[str, tuple[Maker, tuple[str, ...]]] = {
    "no seeds": (_no_seeds, ("power",)),
    "untuned baseline": (_untuned_baseline, ("false_positives",)),
    "no held-out set": (_no_held_out_set, ("bias",)),
    "unclustered errors": (_unclustered_errors, ("false_positives", "coverage")),
    "no correction": (_no_correction, ("false_positives",)),
    "peeking": (_peeking, ("false_positives",)),
    "main effect instead of interaction": (_main_effect, ("false_positives", "bias")),
    "underpowered": (_underpowered, ("power",)),
    "over budget": (_over_budget, ("false_positives", "power")),
    "no falsifier": (_no_falsifier, ("falsifier",)),
    "best seed": (_best_seed, ()),
    "survivors only": (_survivors, ()),
    "tuned on the test set": (_tuned_on_test, ()),
    "one lucky configuration": (_lucky_rate, ()),
    "judge in one order": (_judge_in_one_order, ("false_positives", "bias")),
    "another construct": (_another_construct, ()),
    "nothing controlled": (_uncontrolled, ()),
    "always significant": (_always, ("false_positives", "power")),
    "never significant": (_never, ("false_positives", "power")),
    "template": (_template, ("false_positives", "power")),
    "template with strata": (_template_with_strata, ("false_positives", "power")),
}
EMPTY = "empty"
GAMERS = (EMPTY, "template", "template with strata", "always significant", "never significant")
"""Those that must earn next to nothing."""


def lacking(model: Design, key: Key, seed: int = 0) -> list[Critic]:
    """The critics that apply to a key: those with another outcome than the model, or a price above the
    budget, in some world. The empty design is none: it is refused."""
    found = []
    for name, (make, loses) in _LACKING.items():
        try:
            changed = make(model, key)
        except DesignError:
            continue
        if changed is None:
            continue
        if name in GAMERS or planned_cost(changed, key) > key.budget or _differ(model, changed, key, seed):
            found.append(Critic(name, plain(changed), loses))
    return found


def _differ(one: Design, other: Design, key: Key, seed: int) -> bool:
    """Whether any outcome differs, whatever it costs. In one block, since another block draws anew."""
    sims = max(2, min(200, BLOCK // max(_size(one), _size(other))))
    return not _same(_outcomes(one, key, sims, seed), _outcomes(other, key, sims, seed))


def _size(design: Design) -> int:
    scores = sum(design.evaluation.strata.values()) * design.evaluation.items * len(design.metrics)
    return len(design.arms) * max(design.runs) * max(scores, *(arm.tuning for arm in design.arms))


def _outcomes(design: Design, key: Key, sims: int, seed: int) -> list[Runs | None]:
    found: list[Runs | None] = []
    for trial in key.trials:
        try:
            with np.errstate(all="ignore"):
                found.append(run(design, trial.world, sims, seed))
        except DesignError:
            found.append(None)
    return found


def _same(one: list[Runs | None], other: list[Runs | None]) -> bool:
    """Whether no outcome differs, whatever it cost."""
    names = ("estimate", "low", "high", "claim", "falsified")
    for a, b in zip(one, other, strict=True):
        if a is None or b is None:
            if a is not b:
                return False
        elif not all(np.array_equal(getattr(a, n), getattr(b, n), equal_nan=n != "claim") for n in names):
            return False
    return True


# -- as good as the model


def _permutation(model: Design, key: Key) -> Design | None:
    """A permutation test of the same units."""
    if model.test.method != "t" or model.test.unit == "crossed":
        return None
    return changed_by(model, {"test.method": "permutation", "test.resamples": 999})


def _crossed(model: Design, key: Key) -> Design | None:
    """Runs and groups both as samples."""
    if model.test.unit not in ("groups", "seeds") or min(model.runs) < 3:
        return None
    return changed_by(model, {"test.unit": "crossed", "test.paired": False, "test.method": "t"})


def _sequential(model: Design, key: Key) -> Design | None:
    """Looked at twice, behind O'Brien and Fleming's boundary."""
    over = "groups" if model.test.unit == "groups" else "seeds"
    return replace(model, stopping=Stopping(2, over, "obrien_fleming"))


def _one_sided(model: Design, key: Key) -> Design | None:
    """A test for the sign that the hypothesis has, at half the level."""
    return changed_by(model, {"test.sides": 1, "test.alpha": model.test.alpha / 2})


def _two_metrics(model: Design, key: Key) -> Design | None:
    """A second outcome beside the primary one, which alone decides."""
    return replace(model, metrics=(*model.metrics, replace(model.metrics[0], name="another")))


def _other_groups(model: Design, key: Key) -> Design | None:
    """More groups with fewer items each."""
    groups, items = model.evaluation.groups, model.evaluation.items
    if items < 8:
        return None
    wider = (
        {k: math.ceil(1.25 * v) for k, v in groups.items()}
        if isinstance(groups, Mapping)
        else math.ceil(1.25 * groups)
    )
    return changed_by(model, {"evaluation.groups": wider, "evaluation.items": math.floor(items / 1.25)})


def _other_seeds(model: Design, key: Key) -> Design | None:
    """One run more or less of each arm, as the budget and the test allow."""
    for step in (1, -1):
        changed = changed_by(model, runs(model, max(2, max(model.runs) + step)))
        if planned_cost(changed, key) <= key.budget:
            return changed
    return None


_ALTERNATIVES: dict[str, Maker] = {
    "permutation test": _permutation,
    "runs and groups crossed": _crossed,
    "two looks, O'Brien-Fleming": _sequential,
    "one-sided at half the level": _one_sided,
    "a secondary outcome": _two_metrics,
    "more groups, fewer items": _other_groups,
    "another number of seeds": _other_seeds,
}


def alternatives(model: Design, key: Key) -> list[Critic]:
    """Designs that differ from the model and are as good: those that all worlds and the budget allow."""
    found = []
    for name, make in _ALTERNATIVES.items():
        try:
            changed = make(model, key)
        except DesignError:
            continue
        if changed is None or changed == model or None in _outcomes(changed, key, 2, 0):
            continue
        if planned_cost(changed, key) <= key.budget:
            found.append(Critic(name, plain(changed)))
    return found
