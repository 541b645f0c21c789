"""Which missing part would have held: a broken design is run again with one part put in, then with two.

A repair is found by its effect in the world that broke the design, never by what the design says. Of those
that hold there the cheapest is told, those within the budget first.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from fourrounds.design.key import CHECKS, Key, Trial
from fourrounds.design.parts import Design, DesignError
from fourrounds.design.received import received_size
from fourrounds.design.run import run
from fourrounds.design.score import Checked, Score, examine, planned_cost
from fourrounds.design.worlds import World

SIMS = 300
_FEWEST, _SCORES = 100, 3_000_000
"""Large designs are tried with fewer simulations, about this many scores in all their looks."""
_TIE = 0.7
"""By what factor shares may differ from world to world when nothing does but their draws."""
_SEEDS = (2, 3, 5, 8, 12, 20, 30)
_TIMES = (2, 4, 8)


@dataclass(frozen=True)
class Repair:
    """A design with parts put in: ``changes`` maps each part's path to its value."""

    changes: Mapping[str, object]
    design: Design
    cost: float


@dataclass(frozen=True)
class Mended:
    """What one check was, and what it becomes with a repair; ``whole`` if nothing is lost any more.

    ``repair`` is None where no part that is known helps. ``within`` says whether the budget pays for it.
    """

    broken: Checked
    repair: Repair | None
    after: float
    whole: bool
    within: bool


def parts(design: Design, key: Key) -> Iterator[dict[str, object]]:
    """The parts that could be missing, each as paths and values; not all fit every design.

    More data are not among them (:func:`more`).
    """
    minimum = key.minimum
    yield {"falsifier.rule": "interval_below", "falsifier.margin": minimum}
    yield {"falsifier.rule": "estimate_below", "falsifier.margin": minimum / 2}
    yield {"decision.rule": "significant", "decision.outcomes": "primary"}
    yield {"correction": "holm"}
    yield {"stopping.looks": 1}
    yield {"stopping.boundary": "obrien_fleming"}
    yield {"test.alpha": key.alpha, "test.sides": 2}
    if (own := _question(design, key)) is not None:
        yield own
    yield {f"arms.{arm.name}.report": "mean" for arm in design.arms}
    yield {"seeds.diverged": "count"}
    for construct in sorted({name for t in key.trials for name in getattr(t.world, "constructs", ())}):
        yield {f"metrics.{metric.name}.construct": construct for metric in design.metrics[:1]}
    for order in ("random", "both"):
        yield {f"metrics.{metric.name}.order": order for metric in design.metrics if metric.kind == "judge"}
    for held_out in ("deduplicated", "groups"):
        yield {"evaluation.held_out": held_out}
    factors = {
        t.world.confounder.factor for t in key.trials if isinstance(t.world, World) and t.world.confounder
    }
    for factor in sorted(factors):
        yield {"controlled": {**design.controlled, factor: "matched"}}
    most = max(arm.tuning for arm in design.arms)
    yield {"tuning.select_on": "validation"}
    for budget in dict.fromkeys((most, 5, 8)):
        equal: dict[str, object] = {f"arms.{arm.name}.tuning": budget for arm in design.arms}
        yield equal
        yield {**equal, "tuning.each_run": True}
    yield {"evaluation.same_items": True}
    for unit, paired in (("groups", True), ("crossed", False), ("seeds", True), ("seeds", False)):
        yield {"test.unit": unit, "test.paired": paired, "test.method": "t", "test.equal_variances": False}
    for gap in (0.2, 0.4):
        yield {"evaluation.difficulty": gap}
    yield {"test.method": "t", "test.equal_variances": False}


def runs(design: Design, count: int) -> dict[str, object]:
    """``count`` runs of every arm."""
    return {
        "seeds.count": count,
        **{f"arms.{arm.name}.seeds": None for arm in design.arms if arm.seeds is not None},
    }


def more(design: Design, key: Key) -> Iterator[dict[str, object]]:
    """More runs, groups or items, each as paths and values."""
    for count in _SEEDS:
        if count > min(design.runs):
            yield runs(design, count)
    strata = design.evaluation.groups
    for times in _TIMES:
        larger = {k: v * times for k, v in strata.items()} if isinstance(strata, Mapping) else strata * times
        yield {"evaluation.groups": larger}
        yield {"evaluation.items": design.evaluation.items * times}


def _question(design: Design, key: Key) -> dict[str, object] | None:
    """The key's question in the design's own arms, where it has them all."""
    arms = {arm.method: arm.name for arm in design.arms}
    asked = key.question
    if asked.arms is None or not set(asked.arms) <= set(arms):
        return None
    changes: dict[str, object] = {"estimand.arms": {arms[name]: w for name, w in asked.arms.items()}}
    if asked.strata is not None:
        changes["estimand.strata"] = dict(asked.strata)
        if not set(asked.strata) <= set(design.evaluation.strata):
            total = sum(design.evaluation.strata.values())
            changes["evaluation.groups"] = dict.fromkeys(asked.strata, max(2, total // len(asked.strata)))
    return changes


def repaired(design: Design, key: Key, larger: bool = True) -> list[Repair]:
    """Every design that differs from ``design`` by one of :func:`parts`, or of :func:`more` if ``larger``,
    and can be run."""
    found: list[Repair] = []
    for changes in (*parts(design, key), *(more(design, key) if larger else ())):
        if not changes:
            continue
        try:
            changed = changed_by(design, changes)
            received_size(changed)
        except DesignError:
            continue
        if changed != design and all(changed != one.design for one in found):
            put_in = {path: value for path, value in changes.items() if _value(design, path) != value}
            found.append(Repair(put_in, changed, planned_cost(changed, key)))
    return found


def _value(design: Design, path: str) -> object:
    """What a design has at a path."""
    part, _, rest = path.partition(".")
    owner = getattr(design, part)
    if isinstance(owner, tuple):
        name, _, rest = rest.rpartition(".")
        owner = next(one for one in owner if one.name == name)
    return getattr(owner, rest) if rest else owner


def changed_by(design: Design, changes: Mapping[str, object]) -> Design:
    """The design with several parts changed, named as in :func:`.parts.vary`, checked when all are there."""
    values: dict[str, object] = {}
    for path, value in changes.items():
        part, _, rest = path.partition(".")
        owner = values.get(part, getattr(design, part))
        if not rest:
            values[part] = value
        elif isinstance(owner, tuple):
            name, _, inner = rest.rpartition(".")
            values[part] = tuple(replace(one, **{inner: value}) if one.name == name else one for one in owner)
        else:
            values[part] = replace(owner, **{rest: value})  # type: ignore[type-var]
    return replace(design, **values)  # type: ignore[arg-type]


def mend(score: Score, sims: int = SIMS, seed: int = 1) -> list[Mended]:
    """For each kind of check that is broken, in the world where most is lost: what would have held it.

    Of worlds in which as much is lost, but for chance, the first of the key is told: a later one has a
    difficulty of its own, which is not what broke the design.

    The repaired designs have the declared analysis; in place of one of the learner's own that alone is the
    first repair to be tried (``{"analyse": "as declared"}``). Takes as long as scoring some tens of designs
    with ``sims`` simulations in one world.
    """
    worst: dict[tuple[str, bool], Checked] = {}
    for one in score.broken:
        kind = (one.check, one.trial.holds)
        if kind not in worst or one.share < _TIE * worst[kind].share:
            worst[kind] = one
    shop = _Shop(score.key, sims, seed, score.sims)
    found: list[Mended] = []
    for one in sorted(worst.values(), key=lambda one: CHECKS.index(one.check)):
        # A part that already holds another check is told again rather than one more part.
        known = [Repair({"analyse": "as declared"}, score.design, score.cost)] if score.own else []
        known += [mended.repair for mended in found if mended.repair is not None and mended.whole]
        found.append(shop.mended(score.design, one, known))
    return found


class _Shop:
    """Tries repairs, each design in each world once."""

    def __init__(self, key: Key, sims: int, seed: int, asked: int) -> None:
        self.key, self.sims, self.seed = key, sims, seed
        self.asked = asked  # the simulations of the score, whose bounds are the ones to hold
        self._repairs: dict[tuple[str, bool], list[Repair]] = {}
        self._found: dict[tuple[str, str], list[Checked]] = {}

    def mended(self, design: Design, broken: Checked, known: Sequence[Repair]) -> Mended:
        """What would have held ``broken``: one of the ``known`` repairs, or the best part, or two."""
        for repair in known:
            after = self._check(repair.design, broken.trial, broken.check)
            if after is not None and after.held:
                return Mended(broken, repair, after.measured, True, self._affordable(repair))
        first = self._best(design, broken)
        if first is None:
            return Mended(broken, None, broken.measured, False, False)
        repair, after = first
        if not after.held:
            second = self._best(repair.design, broken)
            if second is not None:
                changes = {**repair.changes, **second[0].changes}
                repair, after = replace(second[0], changes=changes), second[1]
        return Mended(broken, repair, after.measured, after.held, self._affordable(repair))

    def _affordable(self, repair: Repair) -> bool:
        return repair.cost <= self.key.budget * (1 + 1e-9)

    def _best(self, design: Design, broken: Checked) -> tuple[Repair, Checked] | None:
        """The repair that holds, within the budget, and is cheapest; else the one that helps most."""
        before = self._check(design, broken.trial, broken.check)
        if before is None:
            return None
        # More data make no unsound design sound.
        larger = broken.check == "power" or (broken.check == "falsifier" and not broken.trial.holds)
        place = (repr(design), larger)
        if place not in self._repairs:
            self._repairs[place] = repaired(design, self.key, larger)
        ranked = []
        for number, repair in enumerate(self._repairs[place]):
            after = self._check(repair.design, broken.trial, broken.check)
            if after is not None and _better(before, after):
                holds = after.held and self._affordable(repair)
                # One run of each arm is no sample of runs: that is what is missing first.
                other = max(design.runs) == 1 and "seeds.count" not in repair.changes
                rank = (not holds, -round(after.share, 2), other, repair.cost, number)
                ranked.append((rank, repair, after))
        ranked.sort(key=lambda one: one[0])
        for _, repair, after in ranked:
            if self._keeps(design, repair, broken):
                return repair, after
        return None

    def _keeps(self, design: Design, repair: Repair, broken: Checked) -> bool:
        """Whether a repair does not break what hangs together with the check: false positives for power,
        power for false positives, and the falsifier where the hypothesis is the other way round."""
        partner = {"power": "false_positives", "false_positives": "power", "falsifier": "falsifier"}
        check = partner.get(broken.check)
        for trial in self.key.trials:
            if check in trial.checks and trial.holds != broken.trial.holds:
                before = self._check(design, trial, check)
                after = self._check(repair.design, trial, check)
                # An unsound design finds what is not there, so of its power little need be left.
                least = 0.3 if check == "power" else 0.8
                if after is None or (before is not None and after.share < least * before.share):
                    return False
        return True

    def _check(self, design: Design, trial: Trial, check: str) -> Checked | None:
        place = (trial.name, repr(design))
        if place not in self._found:
            self._found[place] = self._examined(design, trial)
        return next((one for one in self._found[place] if one.check == check), None)

    def _examined(self, design: Design, trial: Trial) -> list[Checked]:
        evaluation = design.evaluation
        size = len(design.arms) * max(design.runs) * sum(evaluation.strata.values()) * evaluation.items
        size *= len(design.metrics) * design.stopping.looks
        sims = max(_FEWEST, min(self.sims, _SCORES // size))
        try:
            with np.errstate(all="ignore"):
                found = run(design, trial.world, sims, self.seed)
        except DesignError:
            return []
        # A repair that leaves no estimate holds nothing.
        told = np.isfinite(found.estimate)
        return examine(trial, found, self.key, self.asked) if told.mean() > 0.5 else []


def _better(before: Checked, after: Checked) -> bool:
    """Whether a measure is better by more than chance: the draws are the same where nothing changed."""
    if not (math.isfinite(before.measured) and math.isfinite(after.measured)):
        return math.isfinite(after.measured)
    if before.check == "power" or (before.check == "falsifier" and not before.trial.holds):
        return after.measured > before.measured + 0.03
    return abs(after.measured) < 0.85 * abs(before.measured)


def cheaper(score: Score) -> Repair | None:
    """For a design above the budget: the one part, taken down, with which the budget pays for most of it."""
    design, key = score.design, score.key
    best: Repair | None = None
    options: list[dict[str, object]] = [runs(design, n) for n in range(1, max(design.runs))]
    options += [
        {f"arms.{arm.name}.tuning": min(arm.tuning, n) for arm in design.arms}
        for n in range(1, max(arm.tuning for arm in design.arms))
    ]
    groups = design.evaluation.groups
    for share in (0.75, 0.5, 0.25, 0.1):
        fewer = (
            {k: max(1, round(v * share)) for k, v in groups.items()}
            if isinstance(groups, Mapping)
            else max(1, round(groups * share))
        )
        options.append({"evaluation.groups": fewer})
        options.append({"evaluation.items": max(1, round(design.evaluation.items * share))})
    for changes in options:
        try:
            changed = changed_by(design, changes)
        except DesignError:
            continue
        price = planned_cost(changed, key)
        if price <= key.budget and (best is None or price > best.cost):
            best = Repair(changes, changed, price)
    return best
