"""What the bank shows: contrasts between two arms, and where a family's variance comes from.

Uses SciPy, so an answer cannot import it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy import stats

from fourrounds.runbank.families import SQUARE, SQUARE_FIRST, Config, Family, Level
from fourrounds.runbank.table import Runs, load

CONFIDENCE = 0.99
"""Of the interval that decides a verdict; there are many contrasts, so it is stricter than the 95% that
are shown."""
BEST_OF = 5
POWER, ALPHA = 0.8, 0.05
MOST_SEEDS = 1000


@dataclass(frozen=True)
class Contrast:
    """A claim: that ``treatment`` has a higher test metric than ``baseline``.

    Both are arms, as what they change of the family's reference.
    """

    family: str
    claim: str
    treatment: Config
    baseline: Config


@dataclass(frozen=True)
class Effect:
    """A mean difference of the test metric, with its 95% interval."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Finding:
    """What the bank says of a contrast.

    ``rates`` are the learning rates that validation chooses for treatment and baseline. ``tuned``
    compares the arms at these, paired by seed; ``untuned`` leaves the baseline at the family's reference
    learning rate. ``best_seed`` is the best of ``BEST_OF`` seeds of the treatment, on average over all
    choices of them, less the baseline's mean, both tuned. ``seeds_paired`` and ``seeds_unpaired`` are how
    many seeds of each arm detect the tuned effect with 80% power at two-sided 5% (None above
    ``MOST_SEEDS``). ``verdict`` is true, false, or looks true.
    """

    contrast: Contrast
    rates: tuple[Level, Level]
    tuned: Effect
    untuned: Effect
    best_seed: float
    seeds_paired: int | None
    seeds_unpaired: int | None
    verdict: str


def tuned_rate(runs: Runs, arm: Config) -> Level:
    """The learning rate at which the mean validation metric of an arm's runs is highest."""
    family = runs.family
    return max(family.rates(arm), key=lambda lr: float(runs.of({**arm, "lr": lr}).val.mean()))


def judge(contrast: Contrast) -> Finding:
    """What the bank says of a contrast."""
    runs = load(contrast.family)
    family = runs.family
    treatment, baseline = family.complete(contrast.treatment), family.complete(contrast.baseline)
    rates = tuned_rate(runs, treatment), tuned_rate(runs, baseline)
    ours = runs.of({**treatment, "lr": rates[0]}).test
    theirs = runs.of({**baseline, "lr": rates[1]}).test
    default = family.reference["lr"] if family.reference["lr"] in family.rates(baseline) else rates[1]
    plain = runs.of({**baseline, "lr": default}).test
    tuned, untuned = effect(ours - theirs), effect(ours - plain)
    best = expected_best(ours, BEST_OF) - float(theirs.mean())
    decisive = effect(ours - theirs, CONFIDENCE)
    if decisive.low > 0:
        verdict = "true"
    elif effect(ours - plain, CONFIDENCE).low > 0 or best > 0:
        verdict = "looks true"
    else:
        verdict = "false"
    return Finding(
        contrast,
        rates,
        tuned,
        untuned,
        best,
        _seeds(ours - theirs, paired=True),
        _seeds(np.stack([ours, theirs]), paired=False),
        verdict,
    )


def effect(differences: np.ndarray, confidence: float = 0.95) -> Effect:
    """The mean of paired differences (n,) with its t interval; Student 1908."""
    n = len(differences)
    mean, error = float(differences.mean()), float(differences.std(ddof=1)) / math.sqrt(n)
    half = float(stats.t.ppf((1 + confidence) / 2, n - 1)) * error
    return Effect(mean, mean - half, mean + half)


def expected_best(values: np.ndarray, k: int) -> float:
    """The mean of the largest of ``k`` values drawn without replacement, over all such draws."""
    n = len(values)
    weights = [math.comb(i, k - 1) / math.comb(n, k) for i in range(n)]
    return float(np.sort(values) @ np.array(weights))


def _seeds(values: np.ndarray, paired: bool) -> int | None:
    """The seeds of each arm with which a t test finds the observed effect with the power ``POWER``."""
    if paired:
        mean, sd = float(values.mean()), float(values.std(ddof=1))
    else:
        mean, sd = float(values[0].mean() - values[1].mean()), math.sqrt(float(values.var(1, ddof=1).mean()))
    if sd == 0:
        return None if mean == 0 else 2
    found = np.arange(2, MOST_SEEDS + 1)
    d = abs(mean) / sd
    df = found - 1 if paired else 2 * found - 2
    shift = d * np.sqrt(found if paired else found / 2)
    limit = stats.t.ppf(1 - ALPHA / 2, df)
    # The other tail adds nothing where the power is near 80%.
    enough = found[np.nan_to_num(stats.nct.sf(limit, df, shift), nan=1.0) >= POWER]
    return int(enough[0]) if len(enough) else None


# -- variance


@dataclass(frozen=True)
class Split:
    """The variance of the test metric at one configuration, as standard deviations.

    From a Latin square of runs in which the three seeds vary apart: ``init``, ``split``, ``order`` are
    the parts of each seed alone, ``rest`` what only their combination explains; ``total`` is that of one
    run. A part whose estimate is negative is 0. ``sampling`` is the binomial standard error of the metric
    on the fixed test set, which no number of seeds makes smaller.
    """

    config: Mapping[str, Level]
    mean: float
    init: float
    split: float
    order: float
    rest: float
    total: float
    sampling: float


def variance(family: Family, changes: Config) -> Split:
    """The parts of the variance at one of the family's squares, as random effects by their mean squares."""
    runs = load(family.name)
    config = family.complete(changes)
    square = runs.where(**config)
    square = square[square["init_seed"] >= SQUARE_FIRST]
    seeds = [square[f"{name}_seed"] - SQUARE_FIRST for name in ("init", "split", "order")]
    init, split, order, rest = (max(0.0, part) for part in components(square.test, seeds))
    mean = float(square.test.mean())
    return Split(
        config,
        mean,
        math.sqrt(init),
        math.sqrt(split),
        math.sqrt(order),
        math.sqrt(rest),
        math.sqrt(init + split + order + rest),
        math.sqrt(mean * (1 - mean) / family.n_test),
    )


def components(values: np.ndarray, seeds: list[np.ndarray]) -> list[float]:
    """Variance components of a Latin square: of each of the three factors, and the rest.

    ``values`` (m * m,), ``seeds`` three integer arrays (m * m,) with levels 0 to m - 1, every two of
    which are crossed. The mean square of a factor expects rest + m times its component (Searle et al.
    1992).
    """
    m = SQUARE
    centred = values - values.mean()
    effects = [np.bincount(s, centred, m) / m for s in seeds]
    squares = [m * float((e**2).sum()) / (m - 1) for e in effects]
    rest = centred - sum(e[s] for e, s in zip(effects, seeds, strict=True))
    noise = float((rest**2).sum()) / ((m - 1) * (m - 2))
    return [*((square - noise) / m for square in squares), noise]
