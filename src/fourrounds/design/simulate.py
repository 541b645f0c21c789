"""Draws what a design sees of a world: a block of simulated experiments as plain arrays.

The form of the data, which an analysis gets as a dictionary (:meth:`Data.arrays`). S simulations, O metrics,
A arms, R runs, G groups, I items, H strata, all in the order in which the design declares them:

=====================  ====================  ==============================================================
``scores``             float64 (S,O,A,R,G,I)  NaN in all of a run that there is not (fewer seeds, dropped)
``covariate``          float64 (S,A,R)        X of the world's confounder in each run, as one would log it
``diverged``           bool (S,A,R)           which runs diverged, whatever became of them
``candidates``         float64 (S,A,T,K)      validation score of each configuration tried, NaN beyond an
                                              arm's budget; T is R where each run is tuned, else 1
``stratum``            int64 (G,)             the stratum of each group
``arm_weights``        float64 (A,)           the estimand: sum over arms and strata of weight times mean,
``stratum_weights``    float64 (H,)           where the mean of a stratum weighs its groups equally
``alpha``              float                  the level of this look
``look``, ``looks``    int                    which look this is, from 1, and of how many
=====================  ====================  ==============================================================

Each random term has a stream of its own, keyed by the seed, the block and the term. So a part that adds a
term leaves all other draws alone, and designs that are compared at one seed share them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from fourrounds.design.parts import Design, DesignError, Estimand
from fourrounds.design.stopping import nominal_levels
from fourrounds.design.worlds import World, per_method

Floats = NDArray[np.float64]

BLOCK = 1_000_000
"""Scores drawn at a time (8 MB): small enough to stay near the processor, large enough to hide the loop."""

LARGEST = 20_000_000
"""Scores of one experiment at most: more would not fit the memory of an answer's sandbox."""

_TERMS = (
    "noise",
    "uniform",
    "run",
    "rerun",
    "group",
    "group_effect",
    "item",
    "item_effect",
    "confounder",
    "leak",
    "tuning",
    "selection",
    "order",
    "seeds",
    "rates",
    "items",
)

BY_SIMULATION = ("scores", "covariate", "diverged", "candidates")
"""The arrays whose first axis is the simulation."""


@dataclass(frozen=True)
class Data:
    """A block of simulated experiments; the module's head gives the shapes.

    ``tries`` (int64, (S,A,R)) is the number of runs trained for each one kept; only the cost needs it.
    """

    scores: Floats
    covariate: Floats
    diverged: NDArray[np.bool_]
    candidates: Floats
    stratum: NDArray[np.int64]
    arm_weights: Floats
    stratum_weights: Floats
    alpha: float
    look: int
    looks: int
    tries: NDArray[np.int64]

    def arrays(self) -> dict[str, Any]:
        """What an analysis is handed: the whole block."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name != "tries"}

    def one(self, simulation: int) -> dict[str, Any]:
        """What an analysis is handed that takes one experiment at a time: the same without the axis S."""
        whole = self.arrays()
        return {**whole, **{name: whole[name][simulation] for name in BY_SIMULATION}}


class Resampled(Protocol):
    """A world that draws its data itself, from what was once measured, instead of from :class:`World`."""

    @property
    def name(self) -> str:
        """What a row of a diagnosis is called."""

    def truth(self, question: Estimand) -> float:
        """The value of a question, whose weights are by method (and by stratum)."""

    def draw(self, design: Design, sims: int, streams: Streams) -> Data:
        """A block of simulations before any look, in the form of the module's head."""

    def prices(self, design: Design) -> Floats:
        """What one run of each arm costs, (A,)."""


Nature = World | Resampled
"""Whatever a design can be run in."""


class Streams:
    """A generator for each term, and normals with the world's correlation between metrics."""

    def __init__(self, seed: int, block: int, correlation: float = 0.0) -> None:
        self.key, self.correlation = (seed, block), correlation

    def of(self, term: str, *more: int) -> np.random.Generator:
        return np.random.default_rng([*self.key, _TERMS.index(term), *more])

    def normal(self, term: str, shape: tuple[int, ...], *more: int) -> Floats:
        """Standard normals; the metrics are on axis 1."""
        own = self.of(term, 0, *more).standard_normal(shape)
        rho = self.correlation
        if shape[1] == 1 or rho == 0:
            return own
        common = self.of(term, 1, *more).standard_normal((shape[0], 1, *shape[2:]))
        own *= np.sqrt(1 - rho)
        own += np.sqrt(rho) * common
        return own


def blocks(design: Design, world: Nature, sims: int, seed: int, largest: int = BLOCK) -> Iterator[Data]:
    """All of ``sims`` simulations, block by block, before any look.

    A block has about ``largest`` scores; how many simulations that is does not depend on the world. One seed
    draws the same in blocks of one size.
    """
    if sims < 1:
        raise ValueError(f"sims must be 1 or more, and is {sims}")
    strata = design.evaluation.strata
    runs = len(design.arms) * max(design.runs)
    size = len(design.metrics) * runs * sum(strata.values()) * design.evaluation.items
    tried = runs * max(arm.tuning for arm in design.arms)
    if max(size, tried) > LARGEST:
        raise DesignError(
            f"one experiment has {size} scores and tries up to {tried} configurations; at most {LARGEST} of "
            "each can be simulated: take fewer items, groups, runs or configurations"
        )
    each = max(1, largest // max(size, tried))
    for block, start in enumerate(range(0, sims, each)):
        size = min(each, sims - start)
        if isinstance(world, World):
            yield _draw(design, world, size, Streams(seed, block, world.outcome_correlation))
        else:
            yield world.draw(design, size, Streams(seed, block))


def draw(design: Design, world: Nature, sims: int, seed: int) -> Data:
    """All of ``sims`` simulations in one block, as the last look sees them."""
    return at_look(design, joined(list(blocks(design, world, sims, seed))), design.stopping.looks)


def joined(parts: Sequence[Data]) -> Data:
    """The simulations of several blocks of one design, one block after another."""
    arrays: dict[str, Any] = {
        name: np.concatenate([getattr(part, name) for part in parts]) for name in (*BY_SIMULATION, "tries")
    }
    return replace(parts[0], **arrays)


def chosen(data: Data, which: NDArray[np.int64]) -> Data:
    """Some simulations of a block, or all in another order."""
    return replace(data, **{name: getattr(data, name)[which] for name in (*BY_SIMULATION, "tries")})


def _draw(design: Design, world: World, sims: int, streams: Streams) -> Data:
    evaluation, arms, metrics = design.evaluation, design.arms, design.metrics
    strata = evaluation.strata
    stratum = np.repeat(np.arange(len(strata)), list(strata.values()))
    s, o, a, r = sims, len(metrics), len(arms), max(design.runs)
    g, i = len(stratum), evaluation.items
    kinds = [metric.kind for metric in metrics]
    methods = [arm.method for arm in arms]

    effect, tries, diverged = _run_effects(design, world, streams, (s, o, a, r))
    covariate = _covariate(design, world, streams, (s, a, r))
    means = _means(design, world)
    tuned, candidates = _tuned(design, world, streams, (s, a, r))
    run_level = effect + tuned[:, None]
    if world.confounder is not None:
        run_level += world.confounder.effect * covariate[:, None]
    cell = means[None, :, :, None, :] + run_level[..., None]  # (S,O,A,R,G)
    cell = cell + _group_terms(design, world, streams, (s, o, a, g))[:, :, :, None, :]

    scale = np.array([float(world.scale.get(method, 1.0)) for method in methods])
    if "accuracy" in kinds or world.noise == 0:
        scores = np.zeros((s, o, a, r, g, i))
    if any(kind != "accuracy" for kind in kinds) and world.noise > 0:
        noise = streams.normal("noise", (s, o, a, r, g, i))
        noise *= (world.noise * scale)[:, None, None, None]
        scores = np.where(_is_accuracy(kinds), 0.0, noise) if "accuracy" in kinds else noise
    scores += cell[..., None]
    _add_item_terms(design, world, streams, scores)
    np.minimum(scores, world.ceiling, out=scores)
    if "accuracy" in kinds:
        # Rounding to 0 or 1 by a coin keeps the mean, clipped to a probability.
        right = streams.of("uniform").random(scores.shape) < scores
        scores = np.where(_is_accuracy(kinds), right.astype(np.float64), scores)
    _leak(design, world, streams, scores)

    leave_out(design, scores, diverged)
    return Data(
        scores,
        covariate,
        diverged,
        candidates + means[0].mean(axis=1)[:, None, None],
        stratum.astype(np.int64),
        np.array(design.arm_weights),
        np.array(design.stratum_weights),
        design.test.alpha,
        design.stopping.looks,
        design.stopping.looks,
        tries,
    )


def leave_out(design: Design, scores: Floats, diverged: NDArray[np.bool_]) -> None:
    """Make NaN of the runs that an arm has not, and of the ``diverged`` (S,A,R) ones that are dropped."""
    s, o, a, r = scores.shape[:4]
    absent = np.arange(r) >= np.array(design.runs)[:, None]
    missing = absent | diverged if design.seeds.diverged == "drop" else np.broadcast_to(absent, (s, a, r))
    if missing.any():
        scores[np.broadcast_to(missing[:, None], (s, o, a, r))] = np.nan


def _is_accuracy(kinds: list[str]) -> NDArray[np.bool_]:
    return np.array([kind == "accuracy" for kind in kinds])[:, None, None, None, None]


def _means(design: Design, world: World) -> Floats:
    """What does not depend on chance, (O, A, G): the means, the difficulty, and familiar groups."""
    strata = design.evaluation.strata
    base = [world.mean(arm.method, h) for arm in design.arms for h in strata]
    means = np.array(base).reshape(len(design.arms), len(strata))
    reference = means[design.baseline_index]
    layers = []
    for metric in design.metrics:
        if metric.construct not in world.constructs:
            raise DesignError(
                f"world {world.name!r} has no construct {metric.construct!r}: "
                f"give Metric.construct one of {list(world.constructs)}"
            )
        layers.append(reference + world.constructs[metric.construct] * (means - reference))
    all_means = np.stack(layers) - design.evaluation.difficulty
    if design.evaluation.held_out != "groups":
        kin = np.array([float(world.kinship.get(arm.method, 0.0)) for arm in design.arms])
        all_means = all_means + kin[:, None]
    return np.repeat(all_means, list(strata.values()), axis=2)


def _run_effects(
    design: Design, world: World, streams: Streams, shape: tuple[int, int, int, int]
) -> tuple[Floats, NDArray[np.int64], NDArray[np.bool_]]:
    """The run effects (S,O,A,R), the runs trained for each (S,A,R), and which of those kept diverged."""
    s, o, a, r = shape
    total = np.zeros(shape)
    for number, (source, sd) in enumerate(world.sources.items()):
        if sd == 0:
            continue
        varies = design.varies is None or source in design.varies
        own = streams.normal("run", (s, o, a, r if varies else 1), number, 0)
        rho = world.run_shared
        if rho:
            common = streams.normal("run", (s, o, 1, r if varies else 1), number, 1)
            own = np.sqrt(rho) * common + np.sqrt(1 - rho) * own
        total += sd * own
    sd = float(np.sqrt(sum(v * v for v in world.sources.values())))
    tries = np.ones((s, a, r), dtype=np.int64)
    cut = np.array([float(world.divergence.get(arm.method, -np.inf)) for arm in design.arms])[:, None]
    diverged = total[:, 0] / sd < cut if sd else np.zeros((s, a, r), dtype=bool)
    if design.seeds.diverged == "rerun":
        generator = streams.of("rerun")
        again = diverged
        for _ in range(1000):
            if not again.any():
                break
            where = np.nonzero(again)
            total[where[0], :, where[1], where[2]] = sd * generator.standard_normal((len(where[0]), o))
            tries[where] += 1
            again = total[:, 0] / sd < cut
        else:
            raise DesignError(
                f"in world {world.name!r} hardly any run survives: there is no use in rerunning"
            )
    scale = np.array([float(world.scale.get(arm.method, 1.0)) for arm in design.arms])
    return total * scale[:, None], tries, diverged


def _covariate(design: Design, world: World, streams: Streams, shape: tuple[int, int, int]) -> Floats:
    """X of the confounder in each run, given how the design controls it."""
    if world.confounder is None:
        return np.zeros(shape)
    control = design.controlled.get(world.confounder.factor)
    if control == "fixed":
        return np.zeros(shape)
    share = np.array([float(world.confounder.share.get(arm.method, 0.5)) for arm in design.arms])
    uniform = streams.of("confounder").random(shape)
    if control in ("matched", "randomised"):
        share = np.full_like(share, share.mean())
    if control == "matched":
        uniform = np.broadcast_to(uniform[:, :1], shape)
    return (uniform < share[:, None]).astype(np.float64)


def _tuned(
    design: Design, world: World, streams: Streams, shape: tuple[int, int, int]
) -> tuple[Floats, Floats]:
    """What each run's configuration is worth (S,A,R), and how all that were tried looked (S,A,T,K)."""
    s, a, r = shape
    gain = np.zeros(shape)
    times = r if design.tuning.each_run else 1
    candidates = np.full((s, a, times, max(arm.tuning for arm in design.arms)), np.nan)
    for number, arm in enumerate(design.arms):
        spread = per_method(world.tuning_spread, arm.method)
        size = (s, times, arm.tuning)
        worth = spread * streams.of("tuning", number).standard_normal(size) if spread else np.zeros(size)
        seen = worth
        if world.selection_noise and arm.tuning > 1:
            seen = worth + world.selection_noise * streams.of("selection", number).standard_normal(size)
        candidates[:, number, :, : arm.tuning] = seen
        best = seen.argmax(axis=2)[..., None]
        reported = seen if design.tuning.select_on == "test" else worth
        gain[:, number] = np.take_along_axis(reported, best, axis=2)[..., 0]
    return gain, candidates


def _by_method(design: Design) -> list[int]:
    """For each arm the number of its method, or the arm's own number where arms answer different items."""
    methods = [arm.method for arm in design.arms]
    if not design.evaluation.same_items:
        return list(range(len(methods)))
    return [methods.index(method) for method in methods]


def _group_terms(design: Design, world: World, streams: Streams, shape: tuple[int, int, int, int]) -> Floats:
    """How hard each group is, and how much an arm gains there: broadcasts to (S, O, A, G)."""
    s, o, a, g = shape
    total = np.zeros((1, 1, 1, 1))
    if world.group:
        arms = 1 if design.evaluation.same_items else a
        total = total + world.group * streams.normal("group", (s, o, arms, g))
    if world.group_effect:
        own = streams.normal("group_effect", (s, o, a, g))[:, :, _by_method(design)]
        # Two arms differ by two such terms: each has half the variance.
        total = total + world.group_effect / np.sqrt(2) * own
    return total


def _add_item_terms(design: Design, world: World, streams: Streams, scores: Floats) -> None:
    s, o, a, _, g, i = scores.shape
    arms = 1 if design.evaluation.same_items else a
    if world.item:
        scores += world.item * streams.normal("item", (s, o, arms, g, i))[:, :, :, None]
    if world.item_effect:
        own = streams.normal("item_effect", (s, o, a, g, i))[:, :, _by_method(design)]
        scores += world.item_effect / np.sqrt(2) * own[:, :, :, None]
    judged = [number for number, metric in enumerate(design.metrics) if metric.kind == "judge"]
    if world.order_bias and judged:
        first = streams.of("order").random((s, 1, 1, g, i)) < 0.5
        challenger = (np.arange(a) != design.baseline_index)[:, None, None, None]
        for number in judged:
            order = design.metrics[number].order
            share = {"fixed": challenger, "random": first == challenger, "both": 0.5}[order]
            scores[:, number] += world.order_bias * share


def _leak(design: Design, world: World, streams: Streams, scores: Floats) -> None:
    """Full marks for what an arm has seen in training."""
    held_out = design.evaluation.held_out
    if held_out not in ("none", "items"):
        return
    rates = np.array([float(world.duplicates.get(arm.method, 0.0)) for arm in design.arms])
    if held_out == "none":
        rates = np.where(rates > 0, 1.0, 0.0)
    if not rates.any():
        return
    s, _, a, _, g, i = scores.shape
    uniform = streams.of("leak").random((s, 1, 1 if design.evaluation.same_items else a, 1, g, i))
    leaked = uniform < rates[:, None, None, None]
    np.copyto(scores, 1.0, where=leaked)


def at_look(design: Design, data: Data, look: int) -> Data:
    """What is seen at look number ``look`` (from 1): the first part of the data, with that look's level.

    An arm that reports its best run keeps that run alone, of those seen.
    """
    stopping = design.stopping
    scores, stratum = data.scores, data.stratum
    runs = scores.shape[3]

    def part(size: int) -> int:
        return -(-size * look // stopping.looks)

    if look < stopping.looks:
        if stopping.over == "seeds":
            kept = np.arange(scores.shape[3]) < np.array([part(n) for n in design.runs])[:, None]
            runs = int(kept.sum(axis=1).max())
            scores = scores[:, :, :, :runs]
            if not kept[:, :runs].all():
                scores = np.where(kept[None, None, :, :runs, None, None], scores, np.nan)
        elif stopping.over == "items":
            scores = scores[..., : part(scores.shape[5])]
        else:
            counts = list(design.evaluation.strata.values())
            starts = np.cumsum([0, *counts[:-1]])
            groups = np.concatenate([np.arange(b, b + part(n)) for b, n in zip(starts, counts, strict=True)])
            scores, stratum = scores[:, :, :, :, groups], stratum[groups]
    best = np.array([arm.report == "best" for arm in design.arms])
    if best.any():
        mean = scores[:, 0].mean(axis=(3, 4))  # (S, A, R)
        place = np.where(np.isnan(mean), -np.inf, mean).argmax(axis=2)
        others = best[:, None] & (np.arange(scores.shape[3]) != place[..., None])
        scores = np.where(others[:, None, :, :, None, None], np.nan, scores)
    level = float(nominal_levels(stopping.boundary, stopping.looks, design.test.alpha)[look - 1])
    return replace(
        data,
        scores=scores,
        stratum=stratum,
        covariate=data.covariate[:, :, :runs],
        diverged=data.diverged[:, :, :runs],
        candidates=data.candidates[:, :, :runs],
        tries=data.tries[:, :, :runs],
        alpha=level,
        look=look,
    )


def cost(design: Design, world: Nature, data: Data, look: int) -> Floats:
    """What each simulation has spent when it stops at a look, whose ``data`` these are; (S,).

    Training runs (each configuration tried is one; all that were tried again count), scores, and groups.
    """
    runs = np.array(design.runs)
    if design.stopping.over == "seeds":
        runs = -(-runs * look // design.stopping.looks)
    tries = np.where(np.arange(data.tries.shape[2]) < runs[:, None], data.tries, 0).sum(axis=2)  # (S, A)
    budget = (~np.isnan(data.candidates[0, :, 0])).sum(axis=1)
    trained = tries * budget if design.tuning.each_run else tries + budget - 1
    if not isinstance(world, World):
        return np.asarray(trained @ world.prices(design))
    groups, items = data.scores.shape[4:]
    readings = sum(2 if m.kind == "judge" and m.order == "both" else 1 for m in design.metrics)
    sets = 1 if design.evaluation.same_items else len(design.arms)
    scored = float(runs.sum() * groups * items * readings)
    spent = world.price_run * trained.sum(axis=1)
    return spent + world.price_item * scored + world.price_group * groups * sets
