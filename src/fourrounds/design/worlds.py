"""Worlds: what is true of nature, of which a design sees a sample.

The model of one score, before the metric::

    y[arm, run, group, item] = mean[method, stratum] - difficulty
                             + group[g] + group_effect[arm, g]     a language is hard; gains differ
                             + item[g, i] + item_effect[arm, g, i]
                             + tuned[arm]                          the luck of the chosen configuration
                             + confounder * X[arm, run]
                             + scale[arm] * (run[arm, run] + noise[arm, run, g, i])

A leaked item scores 1, full marks, whatever the model; a ceiling cuts all scores. Every term is normal with
mean 0, but for what the fields say. The truth of a question is its contrast of the methods' ``means``: the
effect with equal tuning, on unseen items, all runs counted, and no ceiling.

Below the class stand the worlds by name, each with the closed form that it is tested against.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from fourrounds.design.parts import DesignError, Estimand

PerMethod = float | Mapping[str, float]
"""One number for all methods, or a number for each (0, where a method is not named)."""


@dataclass(frozen=True)
class Confounder:
    """A factor that helps, and that one method has more often than another unless the design controls it.

    ``share``: P(X = 1) of a run of each method when nothing controls the factor (1/2 for one not named);
    controlled, both have the mean share. ``effect`` is what X = 1 adds to a score.
    """

    factor: str
    effect: float
    share: Mapping[str, float]


@dataclass(frozen=True)
class World:
    """Nature. Standard deviations and effects are in score units, where 1 is full marks.

    ``means``: the mean score of each method, one number or one for each stratum.
    ``noise``: SD of one score. ``run``: SD of a run's effect on all its scores; by source, as in
    ``{"initialisation": .005, "split": .007}``, where a design may fix some. ``run_shared``: the correlation
    of run effects of different arms with one seed. ``scale``: a factor on noise and run effects, by method.
    ``group``, ``item``: SD of how hard a group or an item is for all arms alike. ``group_effect``,
    ``item_effect``: SD over groups (items) of the *difference* between any two arms.
    ``confounder``: see :class:`Confounder`. ``duplicates``: by method, the share of the items that a random
    split leaves a copy of in its training data. ``kinship``: by method, the gain on groups that it was
    trained on. ``tuning_spread``: SD of the score over configurations. ``selection_noise``: SD of the error
    with which a configuration is judged. ``divergence``: by method, how many SD a run's effect must lie below
    (the negative cut, as -1.0) for it to diverge. ``ceiling``: the best score that the metric shows.
    ``constructs``: how much of the effect shows in a metric of each construct. ``outcome_correlation``: of
    all chance terms between metrics. ``order_bias``: what a judge adds for being shown first.
    ``price_run``, ``price_item``, ``price_group``: cost of a training run (tuning runs too), of one score,
    and of collecting a group.
    """

    name: str
    means: Mapping[str, float | Mapping[str, float]] = field(
        default_factory=lambda: {"baseline": 0.5, "treatment": 0.5}
    )
    noise: float = 0.5
    run: float | Mapping[str, float] = 0.0
    run_shared: float = 0.0
    scale: Mapping[str, float] = field(default_factory=dict)
    group: float = 0.0
    group_effect: float = 0.0
    item: float = 0.0
    item_effect: float = 0.0
    confounder: Confounder | None = None
    duplicates: Mapping[str, float] = field(default_factory=dict)
    kinship: Mapping[str, float] = field(default_factory=dict)
    tuning_spread: PerMethod = 0.0
    selection_noise: float = 0.0
    divergence: Mapping[str, float] = field(default_factory=dict)
    ceiling: float = math.inf
    constructs: Mapping[str, float] = field(default_factory=lambda: {"target": 1.0})
    outcome_correlation: float = 0.0
    order_bias: float = 0.0
    price_run: float = 1.0
    price_item: float = 0.0
    price_group: float = 0.0

    def __post_init__(self) -> None:
        for name in ("noise", "group", "group_effect", "item", "item_effect", "selection_noise"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"World.{name} is a standard deviation and must not be negative")
        for name in ("run_shared", "outcome_correlation"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"World.{name} is a correlation and must lie between 0 and 1")

    @property
    def sources(self) -> dict[str, float]:
        """The SD of each source of a run's effect."""
        return dict(self.run) if isinstance(self.run, Mapping) else {"run": float(self.run)}

    def mean(self, method: str, stratum: str) -> float:
        """The mean score of a method in a stratum; ``"all"`` is the mean of the strata where they differ."""
        if method not in self.means:
            raise DesignError(
                f"world {self.name!r} has no method {method!r}: give Arm.method one of {list(self.means)}"
            )
        mean = self.means[method]
        if not isinstance(mean, Mapping):
            return float(mean)
        if stratum in mean:
            return float(mean[stratum])
        if stratum == "all":
            return sum(mean.values()) / len(mean)
        raise DesignError(
            f"world {self.name!r} has no stratum {stratum!r}: name the groups of EvaluationSet "
            f"after {list(mean)}"
        )

    def truth(self, question: Estimand) -> float:
        """The value of a question, whose weights are by method (and by stratum)."""
        if question.arms is None:
            raise DesignError("a question names its methods, as in Estimand(arms={'new': 1, 'old': -1})")
        strata = question.strata or {"all": 1.0}
        return sum(
            a * h * self.mean(method, stratum)
            for method, a in question.arms.items()
            for stratum, h in strata.items()
            if a and h
        )

    def but(self, **changes: object) -> World:
        """The same world with some fields changed."""
        return replace(self, **changes)  # type: ignore[arg-type]


def per_method(value: PerMethod, method: str) -> float:
    """The number of a method."""
    return float(value.get(method, 0.0)) if isinstance(value, Mapping) else float(value)


def _two(effect: float, base: float = 0.5) -> dict[str, float | Mapping[str, float]]:
    return {"baseline": base, "treatment": base + effect}


def null(**fields: object) -> World:
    """No effect. A valid test rejects at alpha."""
    return World("null").but(**fields)


def true_effect(effect: float = 0.2, **fields: object) -> World:
    """A difference of ``effect`` between the means. Power is that of the noncentral t."""
    return World("true effect", _two(effect)).but(**fields)


def heteroskedastic(ratio: float = 3.0, effect: float = 0.0, **fields: object) -> World:
    """The treatment's chance terms are ``ratio`` times as wide.

    With n0 and n1 runs Welch keeps alpha; a pooled test takes for the variance of the difference
    pooled (1/n0 + 1/n1) instead of 1/n0 + ratio^2/n1.
    """
    return World("heteroskedastic", _two(effect), scale={"treatment": ratio}).but(**fields)


def confounded(gain: float = 0.2, imbalance: float = 0.5, effect: float = 0.0, **fields: object) -> World:
    """The treatment's runs more often have what helps anyway ("model size").

    The bias of a comparison that does not control it is gain * imbalance.
    """
    share = {"baseline": 0.5 - imbalance / 2, "treatment": 0.5 + imbalance / 2}
    return World("confounded", _two(effect), confounder=Confounder("model size", gain, share)).but(**fields)


def leaky(rate: float = 0.2, effect: float = 0.0, kinship: float = 0.0, **fields: object) -> World:
    """The treatment was trained on copies of ``rate`` of the items. The bias is rate * (1 - its mean)."""
    world = World("leaky", _two(effect), duplicates={"treatment": rate}, kinship={"treatment": kinship})
    return world.but(**fields)


def clustered(icc: float = 0.3, sd: float = 0.5, effect: float = 0.0, **fields: object) -> World:
    """The differences between the arms on items of one group are alike: intra-class correlation ``icc``.

    ``sd`` is that of one item's difference in all. A test over items has a false-positive rate of
    2 Phi(-z / sqrt(1 + (m - 1) icc)) with m items in a group.
    """
    world = World("clustered items", _two(effect), noise=0.0)
    world = world.but(group_effect=sd * math.sqrt(icc), item_effect=sd * math.sqrt(1 - icc))
    return world.but(**fields)


def random_language_effect(effect: float = 0.1, spread: float = 0.2, **fields: object) -> World:
    """The gain differs from language to language with SD ``spread``.

    The standard error of the mean gain over L languages is at least spread / sqrt(L), however many seeds and
    items there are.
    """
    return World("random language effect", _two(effect), group_effect=spread).but(**fields)


def best_of_k(sd: float = 0.1, **fields: object) -> World:
    """No effect; runs differ with SD ``sd``. Who reports the best of k gains E[max of k] * sd."""
    return World("best-of-k reporting", run=sd, noise=0.0).but(**fields)


def peeking(**fields: object) -> World:
    """No effect, for a design with several looks: .142 at 5 and .193 at 10 uncorrected looks at .05."""
    return World("peeking", noise=0.0, run=0.1).but(**fields)


def many_outcomes(correlation: float = 0.0, **fields: object) -> World:
    """No effect on any of m outcomes: 1 - (1 - alpha)^m false claims of "any" where they are independent."""
    return World("many outcomes", outcome_correlation=correlation).but(**fields)


def unequal_tuning(spread: float = 0.05, selection_noise: float = 0.0, **fields: object) -> World:
    """No effect; configurations differ with SD ``spread``, of which an arm keeps the best of its budget k.

    The bias is spread * (E[max of k_1] - E[max of k_0]), times spread / sqrt(spread^2 + selection_noise^2)
    where configurations are judged with error.
    """
    world = World("unequal tuning", tuning_spread=spread, selection_noise=selection_noise)
    return world.but(**fields)


def interaction(main: float = 0.2, more: float = 0.0, **fields: object) -> World:
    """The treatment gains ``main`` in the stratum "high" and ``main + more`` in "low".

    "More in low than in high" is a difference of differences: ``more``. The main effect is main + more / 2.
    """
    means: dict[str, float | Mapping[str, float]] = {
        "baseline": {"low": 0.4, "high": 0.6},
        "treatment": {"low": 0.4 + main + more, "high": 0.6 + main},
    }
    return World("interaction", means).but(**fields)


def ceiling(effect: float = 0.2, base: float = 0.8, top: float = 1.0, **fields: object) -> World:
    """Scores are cut at ``top``: what the metric shows of a mean is E[min(X, top)]."""
    return World("ceiling", _two(effect, base), ceiling=top).but(**fields)


def dropped_divergences(cut: float = -0.5, sd: float = 0.1, **fields: object) -> World:
    """No effect; the treatment's runs below ``cut`` SD diverge. Dropping them adds sd E[Z | Z > cut]."""
    return World("dropped divergences", run=sd, noise=0.0, divergence={"treatment": cut}).but(**fields)


def order_biased(bias: float = 0.1, **fields: object) -> World:
    """No effect; a judge adds ``bias`` for the answer shown first. Always shown first, that is the bias."""
    return World("order bias", order_bias=bias).but(**fields)


CATALOGUE = (
    null,
    true_effect,
    heteroskedastic,
    confounded,
    leaky,
    clustered,
    random_language_effect,
    best_of_k,
    peeking,
    many_outcomes,
    unequal_tuning,
    interaction,
    ceiling,
    dropped_divergences,
    order_biased,
)
"""Every world by name, as a function that makes it."""
