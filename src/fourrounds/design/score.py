"""How a design is scored: by what happens when it is run in the worlds of a key.

**The rule.** A world of the key makes the hypothesis false (no effect, or one of the wrong sign) or true (at
least the minimum effect). The design is run ``sims`` times in each. Where the hypothesis is false, every
claim is a false positive (an effect that is truly negative may be found negative); where it is true, a claim
counts if its estimate is positive. With alpha, the target of power t, and rates r over the simulations:

    validity of a world   1 if r <= U(alpha), else alpha / r              r: false positives
    power of a world      (r - alpha) / (L(t) - alpha), from 0 to 1       r: right claims
    bias of a world       1 if |b| <= T, else T / |b|                     b: mean error, T: tolerance + band
    coverage of a world   1 if r <= U(alpha), else alpha / r              r: intervals that miss the truth
    falsifier, false      r / L(t), at most 1                             r: how often it fires
    falsifier, true       1 if r <= U(alpha), else alpha / r

``v``, ``p``, ``b``, ``c`` are the means over the worlds that are checked for each; ``p'`` is the power of the
interval alone, as if "all of it above 0" were the claim; ``f`` is the product of the two means of the
falsifier. A world with a truly negative effect has at most the mean validity of those with none. With h(x) =
min(1, 2 x) and the quality of the decision q = h(p v):

    false_positives = v h(p)       bias      = b q         falsifier = f q
    power           = p h(v)       coverage  = c q h(p')

The score is their weighted mean. A design whose planned price is above the budget, in any world, is not run:
it earns nothing. Nor does a part in a world that cannot run the design.

*Why the bands.* U and L are exact binomial quantiles. A design that keeps its level (up to a sixth above
alpha, for tests that are approximate), has the power t, an unbiased estimate and covering intervals fails
some check with a chance below 1e-4, all checks of the key together. A faulty design that stands close to the
border may pass; the shares beyond it fall with the size of the fault, not at once.

*Why the products.* "Never significant" has no false positive, and "always" all the power. So each counts as
far as the other is there: v holds the power and p the validity, with a cushion of one half, so that a design
that fails in one world of several, or has half of the power, loses what it lacks and not the rest. Who
always claims something is right where an effect is negative, which must not pay either. Estimates
and intervals count as far as the decision made of them is one, and intervals as far as they exclude 0 where
they should: infinitely wide ones cover everything and tell nothing.

**Laws.** A decision that does not look at the data, and claims with any fixed chance, earns at most
2 alpha / (L(t) - alpha), 0.15 at the usual numbers, where all false worlds are checked: with chance c > U its
validity is alpha / c and its power at most (c - alpha) / (L - alpha), so that p v, v h(p) and p h(v) are all
below that. One that never claims earns 0. Everything is computed from simulated outcomes: what changes no
outcome (a name, a factor that no world has) changes no point. More power, fewer false positives, less bias,
fewer misses never lower the score.

An analysis of the learner's own gets the simulations of all worlds in one shuffled batch
(:func:`~fourrounds.design.run.run_together`). If it raises, returns what is no result, or takes too long, the
design could not be run: it earns nothing, and the score says why.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from fourrounds.design.distributions import normal_quantile
from fourrounds.design.key import CHECKS, Key, Trial, load_key
from fourrounds.design.parts import Design, DesignError
from fourrounds.design.received import received
from fourrounds.design.run import Analysis, AnalysisError, Runs, run, run_together
from fourrounds.design.simulate import cost, draw

SIMS = 1000
MISTAKE = 1e-4
"""The chance that a correct design fails any check."""
SLACK = 1 / 6
"""By what share a test's true level may be above alpha, since most are approximate with few units."""
SECONDS = 60.0
"""How long an analysis of one's own may take in all."""


@dataclass(frozen=True)
class Checked:
    """One check in one world.

    ``measured`` is a rate, or a mean error for the bias; ``allowed`` the bound that it is held to, an upper
    one but for power and a falsifier that has to fire. ``share`` is from 0 to 1. NaN where the world could
    not run the design; then ``problem`` says why.
    """

    trial: Trial
    check: str
    measured: float
    allowed: float
    share: float
    problem: str = ""

    @property
    def held(self) -> bool:
        """Whether nothing is lost here."""
        return self.share >= 1.0


@dataclass(frozen=True)
class Score:
    """The score of a design; ``total`` and ``parts`` (by name, those that the key checks) from 0 to 1.

    ``checks`` are all that was measured, empty where nothing was run; then ``problem`` says why. ``cost`` is
    the highest mean price over the worlds, ``outcomes`` those of each world that was run, ``sims`` in each;
    ``own`` whether an analysis of the learner's own was in place of the declared one.
    """

    key: Key
    design: Design
    total: float
    parts: Mapping[str, float]
    checks: tuple[Checked, ...]
    cost: float
    problem: str = ""
    sims: int = SIMS
    own: bool = False
    outcomes: Mapping[str, Runs] = field(default_factory=dict, repr=False)

    @property
    def broken(self) -> tuple[Checked, ...]:
        """The checks that cost points."""
        return tuple(one for one in self.checks if not one.held)


def score(
    design: Any,
    analyse: Analysis | None,
    key: Any,
    sims: int = SIMS,
    seed: int = 0,
    *,
    seconds: float = SECONDS,
    passes: tuple[type[BaseException], ...] = (),
) -> Score:
    """Score a design by the rule of this module.

    Parameters
    ----------
    design : what :func:`~fourrounds.design.parts.plain` returned, or any data that claims to be that
    analyse : None for the declared analysis, or a function on the arrays (:data:`.run.Analysis`)
    key : a :class:`~fourrounds.design.key.Key` or its plain form
    sims : simulations of each world, 100 or more
    seconds : how long ``analyse`` may take in all, looked at between its calls
    passes : exceptions of ``analyse`` that are none of its own and go through to the caller

    Raises
    ------
    DesignError : ``design`` is no design, or too large
    KeyFault : ``key`` is out of form
    ValueError : ``sims`` is below 100
    """
    if sims < 100:
        raise ValueError(f"a rate needs 100 simulations or more, not {sims}")
    asked = load_key(key)
    declared = received(design)
    price = planned_cost(declared, asked, seed)
    if price > asked.budget * (1 + 1e-9):
        return _nothing(
            asked, declared, price, f"it costs {price:.4g} and the budget is {asked.budget:g}: it was not run"
        )
    try:
        outcomes, problems = _run(declared, asked, sims, seed, analyse, seconds, passes)
    except AnalysisError as error:
        return _nothing(asked, declared, price, str(error))
    if outcomes:
        price = max(price, *(float(runs.cost.mean()) for runs in outcomes.values()))
    if price > asked.budget * (1 + 1e-9):
        return _nothing(
            asked,
            declared,
            price,
            f"with its reruns it costs {price:.4g}, and the budget is {asked.budget:g}",
        )
    checks = tuple(
        check
        for trial in asked.trials
        for check in examine(trial, outcomes.get(trial.name), asked, sims, problems.get(trial.name, ""))
    )
    parts = _parts(checks, asked, {trial.name: outcomes.get(trial.name) for trial in asked.trials}, sims)
    total = sum(asked.weights[name] * value for name, value in parts.items())
    total /= sum(asked.weights[name] for name in parts)
    own = analyse is not None
    return Score(asked, declared, total, parts, checks, price, sims=sims, own=own, outcomes=outcomes)


def _nothing(key: Key, design: Design, price: float, problem: str) -> Score:
    return Score(key, design, 0.0, dict.fromkeys(key.weights, 0.0), (), price, problem)


def planned_cost(design: Design, key: Key, seed: int = 0) -> float:
    """The price of the whole experiment, all looks and no rerun, in the dearest world that can run it."""
    first = replace(design, seeds=replace(design.seeds, diverged="count"))
    prices = [0.0]
    for trial in key.trials:
        try:
            data = draw(first, trial.world, 1, seed)
        except DesignError:
            continue
        prices.append(float(cost(first, trial.world, data, design.stopping.looks)[0]))
    return max(prices)


def _run(
    design: Design,
    key: Key,
    sims: int,
    seed: int,
    analyse: Analysis | None,
    seconds: float,
    passes: tuple[type[BaseException], ...],
) -> tuple[dict[str, Runs], dict[str, str]]:
    """The outcomes in each world that can run the design, and why the others cannot."""
    outcomes: dict[str, Runs] = {}
    problems: dict[str, str] = {}
    able: list[Trial] = []
    # No two worlds share their chance: in one batch it would cancel between them.
    seeds = {
        trial.name: int(np.random.SeedSequence([seed, number]).generate_state(1)[0])
        for number, trial in enumerate(key.trials)
    }
    with np.errstate(all="ignore"):
        for trial in key.trials:
            try:
                if analyse is None:
                    outcomes[trial.name] = run(design, trial.world, sims, seeds[trial.name])
                else:
                    draw(design, trial.world, 1, seed)
                    able.append(trial)
            except DesignError as error:
                problems[trial.name] = str(error)
        if able and analyse is not None:
            watched = _watched(analyse, seconds, passes)
            own = [seeds[trial.name] for trial in able]
            found = run_together(design, [trial.world for trial in able], sims, own, watched)
            outcomes.update({trial.name: runs for trial, runs in zip(able, found, strict=True)})
    return outcomes, problems


def _watched(
    analyse: Analysis, seconds: float, passes: tuple[type[BaseException], ...]
) -> Callable[[dict[str, Any]], Mapping[str, Any]]:
    """``analyse``, whose every failure is an :class:`AnalysisError`."""
    begun = time.monotonic()

    def call(data: dict[str, Any]) -> Mapping[str, Any]:
        if time.monotonic() - begun > seconds:
            raise AnalysisError(f"your analysis took more than {seconds:g} s: vectorise it over simulations")
        try:
            return analyse(data)
        except passes:
            raise
        except Exception as error:
            told = str(error)[:500]
            raise AnalysisError(f"your analysis raised {type(error).__name__}: {told}") from error

    return call


# -- what is measured in one world


def most_hits(sims: int, rate: float, chance: float) -> int:
    """The smallest k that a binomial count exceeds with a chance of at most ``chance``."""
    k = np.arange(sims + 1)
    log_factorial = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, sims + 1)))])
    log_mass = log_factorial[-1] - log_factorial - log_factorial[::-1]
    log_mass = log_mass + k * math.log(rate) + (sims - k) * math.log1p(-rate)
    above = np.cumsum(np.exp(log_mass)[::-1])[::-1]  # P(X >= k)
    return int(np.flatnonzero(np.append(above[1:], 0.0) <= chance)[0])


@dataclass(frozen=True)
class Bands:
    """The bounds of the rule for a key and a number of simulations: U(alpha), L(t) and the normal quantile
    of a two-sided band for a mean."""

    upper: float
    lower: float
    z: float


def bands(key: Key, sims: int) -> Bands:
    """See the module's head. ``MISTAKE`` is shared equally among the checks of the key."""
    # Coverage hangs on the interval's power too, which is one more check for each world of power.
    count = sum(len(trial.checks) + ("power" in trial.checks) for trial in key.trials)
    chance = MISTAKE / count
    upper = most_hits(sims, key.alpha * (1 + SLACK), chance) / sims
    lower = (sims - most_hits(sims, 1 - key.power, chance)) / sims
    return Bands(upper, max(lower, key.alpha + 0.05), -float(normal_quantile(chance / 2)))


def examine(trial: Trial, runs: Runs | None, key: Key, sims: int, problem: str = "") -> list[Checked]:
    """Every check of one world; ``runs`` is None where it could not run the design."""
    if runs is None:
        return [Checked(trial, name, math.nan, math.nan, 0.0, problem) for name in trial.checks]
    band = bands(key, sims)
    return [_one(trial, name, runs, key, band) for name in trial.checks]


def _one(trial: Trial, name: str, runs: Runs, key: Key, band: Bands) -> Checked:
    if name == "false_positives":
        wrong = runs.claim if trial.truth == 0 else runs.claim & ~(runs.estimate < 0)
        return _at_most(trial, name, float(wrong.mean()), key, band)
    if name == "power":
        right = float((runs.claim & (runs.estimate > 0)).mean())
        return Checked(trial, name, right, band.lower, _power(right, key, band))
    if name == "bias":
        return _bias(trial, runs, key, band)
    if name == "coverage":
        missed = ~((runs.low <= trial.truth + 1e-12) & (trial.truth - 1e-12 <= runs.high))
        return _at_most(trial, name, float(missed.mean()), key, band)
    fires = float(runs.falsified.mean())
    if trial.holds:
        return _at_most(trial, name, fires, key, band)
    return Checked(trial, name, fires, band.lower, min(1.0, fires / band.lower))


def _at_most(trial: Trial, name: str, rate: float, key: Key, band: Bands) -> Checked:
    return Checked(trial, name, rate, band.upper, 1.0 if rate <= band.upper else key.alpha / rate)


def _power(rate: float, key: Key, band: Bands) -> float:
    return min(1.0, max(0.0, (rate - key.alpha) / (band.lower - key.alpha)))


def _bias(trial: Trial, runs: Runs, key: Key, band: Bands) -> Checked:
    known = np.isfinite(runs.estimate)
    tolerance = key.tolerance * key.minimum
    if known.sum() < 2:
        return Checked(trial, "bias", math.nan, tolerance, 0.0)
    off = runs.estimate[known] - trial.truth
    bias, error = float(off.mean()), float(off.std(ddof=1)) / math.sqrt(known.sum())
    # A spread wider than the minimum effect, which has no power, excuses no bias.
    limit = tolerance + band.z * min(error, key.minimum / math.sqrt(known.sum()))
    share = 1.0 if abs(bias) <= limit else limit / abs(bias)
    share = share if math.isfinite(bias) else 0.0
    return Checked(trial, "bias", bias, limit, share * float(known.mean()))


# -- the score of all worlds


def _parts(
    checks: Sequence[Checked], key: Key, outcomes: Mapping[str, Runs | None], sims: int
) -> dict[str, float]:
    shares = {name: [one.share for one in checks if one.check == name] for name in CHECKS}
    nulls = [c.share for c in checks if c.check == "false_positives" and c.trial.truth == 0]
    worse = [c.share for c in checks if c.check == "false_positives" and c.trial.truth < 0]
    v = _mean([*nulls, *(min(share, _mean(nulls)) for share in worse)])
    p = _mean(shares["power"])
    decision = _held(p * v)
    parts = {"false_positives": v * _held(p), "power": p * _held(v)}
    if "bias" in key.weights:
        parts["bias"] = _mean(shares["bias"]) * decision
    if "coverage" in key.weights:
        parts["coverage"] = _mean(shares["coverage"]) * decision * _held(_interval(key, outcomes, sims))
    if "falsifier" in key.weights:
        fires = [one.share for one in checks if one.check == "falsifier" and not one.trial.holds]
        rests = [one.share for one in checks if one.check == "falsifier" and one.trial.holds]
        parts["falsifier"] = _mean(fires or [1.0]) * _mean(rests or [1.0]) * decision
    return parts


def _interval(key: Key, outcomes: Mapping[str, Runs | None], sims: int) -> float:
    """The power of the interval alone."""
    band = bands(key, sims)
    found = []
    for trial in key.trials:
        if "power" in trial.checks:
            runs = outcomes[trial.name]
            found.append(0.0 if runs is None else _power(float((runs.low > 0).mean()), key, band))
    return _mean(found)


def _held(x: float) -> float:
    """h of the rule."""
    return min(1.0, 2.0 * x)


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)
