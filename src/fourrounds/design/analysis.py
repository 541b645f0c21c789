"""The default analyses: from a block of data to an estimate, an interval and a p-value of each metric.

Every analysis but ``"crossed"`` and the adjusted one has one form. The scores are reduced to independent
samples of units, sample k with weight w_k; the estimate is sum_k w_k mean_k, its variance
sum_k w_k^2 s_k^2 / n_k, and the degrees of freedom are Satterthwaite's. What the unit is, and whether
differences are taken first, decides whether that variance is true.

Intervals are two-sided at the level of the look, also where the test has one side; where a correction is
declared for m metrics they are at alpha / m.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fourrounds.design.distributions import Floats, normal_cdf, normal_quantile, t_quantile, t_tail
from fourrounds.design.parts import Design, DesignError
from fourrounds.design.simulate import Data

_RESAMPLED = 4_000_000  # numbers held at a time by a permutation or bootstrap test


@dataclass(frozen=True)
class Estimates:
    """Of each simulation and metric, arrays of shape (S, O); NaN where the data allow no estimate.

    ``alpha`` is the level that a p-value, after correction, is compared with.
    """

    estimate: Floats
    se: Floats
    df: Floats
    low: Floats
    high: Floats
    p: Floats
    alpha: float


@dataclass(frozen=True)
class Samples:
    """Independent samples: ``values`` (S, O, N), the sample of each unit ``label`` (N,), ``weights`` (K,).

    Under the null the units of one ``block`` (N,) can change places: all of them, or those of one stratum.
    """

    values: Floats
    label: NDArray[np.int64]
    weights: Floats
    block: NDArray[np.int64]


def analyse(design: Design, data: Data) -> Estimates:
    """The analysis that the design declares, at the level of ``data.alpha``."""
    test = design.test
    if any(how == "adjusted" for how in design.controlled.values()):
        estimate, se, df = _adjusted(data)
    elif test.unit == "crossed":
        estimate, se, df = _crossed(data)
    else:
        samples = reduce(design, data)
        estimate, se, df = _contrast(samples, test.equal_variances)
    if test.method == "z":
        df = np.full_like(df, np.inf)
    level = data.alpha / (len(design.metrics) if design.correction != "none" else 1)
    half = _critical(level, df) * se
    low, high, p = estimate - half, estimate + half, p_value(estimate, se, df, test.sides)
    if test.method == "permutation":
        p = _permutation(samples, test.resamples, test.sides, _flips(design))
    elif test.method == "bootstrap":
        low, high, p = _bootstrap(samples, test.resamples, test.sides, level)
    return Estimates(estimate, se, df, low, high, p, data.alpha)


def p_value(estimate: ArrayLike, se: ArrayLike, df: ArrayLike, sides: int = 2) -> Floats:
    """The p-value of estimate / se under t with ``df`` degrees of freedom (the normal where infinite).

    A standard error of 0 gives p = 0 for any estimate but 0; NaN stays NaN.
    """
    estimate, se, df = np.broadcast_arrays(*(np.asarray(x, dtype=np.float64) for x in (estimate, se, df)))
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.where((se == 0) & (estimate == 0), 0.0, estimate / se)
    # What has no spread has no degrees of freedom; any will do, as t is 0 or infinite.
    df = np.where(se == 0, np.inf, df)
    tail = np.where(np.isinf(df), normal_cdf(-np.abs(t)), t_tail(t, np.where(np.isinf(df), 1.0, df)))
    if sides == 2:
        return 2 * tail
    return np.where(t > 0, tail, 1 - tail)


def _critical(level: float, df: Floats) -> Floats:
    normal = -normal_quantile(level / 2)
    if np.isinf(df).all():
        return np.full_like(df, normal)
    return np.where(np.isinf(df), normal, t_quantile(1 - level / 2, np.where(np.isinf(df), 1.0, df)))


def clustered_se(scores: ArrayLike, clusters: ArrayLike, *, small_sample: bool = True) -> float:
    """The standard error of the mean of ``scores`` (n,) whose errors are alike within ``clusters`` (n,).

    SE^2 = (1/n^2) sum over clusters of (sum of its deviations)^2 (Liang & Zeger 1986; Miller 2024),
    times G/(G - 1) with G clusters if ``small_sample`` (CR1: test it with t on G - 1). For clusters of one
    size that is the standard error of the cluster means. ``ValueError`` for fewer than 2 clusters.
    """
    x = np.asarray(scores, dtype=np.float64)
    names, place = np.unique(np.asarray(clusters), return_inverse=True)
    if x.ndim != 1 or place.shape != x.shape:
        raise ValueError(f"scores and clusters must be two lists of one length, not {x.shape}, {place.shape}")
    if len(names) < 2:
        raise ValueError("with fewer than 2 clusters nothing shows how clusters differ")
    sums = np.bincount(place, weights=x - x.mean())
    factor = len(names) / (len(names) - 1) if small_sample else 1.0
    return math.sqrt(factor * float(sums @ sums)) / len(x)


def correct(p: Floats, how: str) -> Floats:
    """Adjusted p-values over the last axis: ``"none"``, ``"bonferroni"`` or ``"holm"`` (step-down)."""
    m = p.shape[-1]
    if how == "none" or m == 1:
        return p
    if how == "bonferroni":
        return np.minimum(1.0, m * p)
    order = np.argsort(p, axis=-1)
    ranked = np.take_along_axis(p, order, axis=-1) * np.arange(m, 0, -1)
    ranked = np.minimum(1.0, np.maximum.accumulate(ranked, axis=-1))
    adjusted = np.empty_like(p)
    np.put_along_axis(adjusted, order, ranked, axis=-1)
    return adjusted


def _used(data: Data) -> tuple[Floats, Floats]:
    """The scores and weights of the arms that the estimand weighs (an unused one's gaps must not count)."""
    used = np.flatnonzero(data.arm_weights)
    scores = data.scores if len(used) == data.scores.shape[2] else data.scores[:, :, used]
    return scores, data.arm_weights[used]


def _over_strata(cells: Floats, data: Data) -> Floats:
    """The weighted sum over strata of the mean over groups, which are the last axis."""
    total = np.zeros(cells.shape[:-1])
    for h, weight in enumerate(data.stratum_weights):
        if weight:
            total += weight * cells[..., data.stratum == h].mean(axis=-1)
    return total


def _over_runs(scores: Floats, axis: int) -> Floats:
    """The mean over the runs that there are; NaN where there is none."""
    there = ~np.isnan(scores)
    if there.all():
        return np.asarray(scores.mean(axis=axis))
    count = there.sum(axis=axis)
    total = np.where(there, scores, 0.0).sum(axis=axis)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(total / count)


def reduce(design: Design, data: Data) -> Samples:
    """The units of the declared test, and the samples that they form."""
    test = design.test
    scores, arm_weights = _used(data)
    if test.unit == "seeds":
        runs = _over_strata(scores.mean(axis=5), data)  # (S, O, A, R)
        if test.paired:
            values = np.tensordot(runs, arm_weights, axes=(2, 0))
            one = np.zeros(values.shape[2], dtype=np.int64)
            return Samples(values, one, np.ones(1), one)
        s, o, a, r = runs.shape
        label = np.repeat(np.arange(a), r)
        return Samples(runs.reshape(s, o, a * r), label, arm_weights, np.zeros_like(label))

    if test.unit == "observations":
        units = np.moveaxis(scores, 3, 5)  # (S, O, A, G, I, R)
    elif test.unit == "items":
        units = _over_runs(scores, 3)[..., None]
    else:
        units = _over_runs(scores.mean(axis=5), 3)[..., None, None]
    s, o, a, g, i, r = units.shape
    stratum = np.repeat(data.stratum, i * r)
    if test.paired:
        values = np.einsum("soagir,a->sogir", units, arm_weights).reshape(s, o, g * i * r)
        label, weights = stratum, data.stratum_weights
        block = np.zeros_like(label)
    else:
        values = units.reshape(s, o, a * g * i * r)
        strata = len(data.stratum_weights)
        label = (np.arange(a)[:, None] * strata + stratum).ravel()
        weights = np.outer(arm_weights, data.stratum_weights).ravel()
        block = np.tile(stratum, a)
    kept = weights[label] != 0
    names, label = np.unique(label[kept], return_inverse=True)
    return Samples(values if kept.all() else values[:, :, kept], label, weights[names], block[kept])


def _moments(values: Floats) -> tuple[Floats, Floats, Floats]:
    """Number, mean and variance over the last axis, of what is not NaN."""
    there = ~np.isnan(values)
    if there.all():
        n = np.full(values.shape[:-1], float(values.shape[-1]))
        mean = values.mean(axis=-1)
        deviation = values - mean[..., None]
    else:
        n = there.sum(axis=-1).astype(np.float64)
        mean = _over_runs(values, -1)
        deviation = np.where(there, values - mean[..., None], 0.0)
    square = np.einsum("...n,...n->...", deviation, deviation)
    with np.errstate(invalid="ignore", divide="ignore"):
        variance = square / (n - 1)
    # Rounding in the mean of equal numbers is no spread.
    variance = np.where(variance <= 1e-28 * mean**2, 0.0, variance)
    return n, mean, np.where(n > 1, variance, np.nan)


def _contrast(samples: Samples, equal_variances: bool) -> tuple[Floats, Floats, Floats]:
    estimate = pooled = total_df = reach = variance = spread = np.zeros(samples.values.shape[:2])
    for k, weight in enumerate(samples.weights):
        n, mean, s2 = _moments(samples.values[:, :, samples.label == k])
        estimate = estimate + weight * mean
        part = weight**2 * s2 / n
        variance, spread = variance + part, spread + part**2 / (n - 1)
        pooled, total_df = pooled + np.where(n > 1, (n - 1) * s2, 0.0), total_df + n - 1
        with np.errstate(divide="ignore"):
            reach = reach + weight**2 / n
    with np.errstate(invalid="ignore", divide="ignore"):
        if equal_variances:
            return estimate, np.sqrt(pooled / total_df * reach), np.where(total_df > 0, total_df, np.nan)
        df = np.where(variance > 0, variance**2 / spread, total_df)
    return estimate, np.sqrt(variance), df


def _crossed(data: Data) -> tuple[Floats, Floats, Floats]:
    """Runs and groups are both samples: V = V_runs + V_groups - V_cells.

    V_runs and V_groups are the variances that the analyses over seeds and over groups see. What varies by run
    and group is in both, so it is taken off once, as in a two-way clustered variance (Cameron, Gelbach &
    Miller 2011); V is at least the larger of the two.
    """
    scores, arm_weights = _used(data)
    cells = scores.mean(axis=5)  # (S, O, A, R, G)
    n, mean, s2 = _moments(_over_strata(cells, data))
    estimate = mean @ arm_weights
    with np.errstate(invalid="ignore", divide="ignore"):
        part = arm_weights**2 * s2 / n
        by_run, spread = part.sum(axis=-1), (part**2 / (n - 1)).sum(axis=-1)
        by_group = np.zeros_like(by_run)
        by_cell = np.zeros_like(by_run)
        for h, weight in enumerate(data.stratum_weights):
            if weight == 0:
                continue
            inside = cells[..., data.stratum == h]
            over_runs = _over_runs(inside, 3)  # (S, O, A, G)
            size, _, group_s2 = _moments(np.einsum("soag,a->sog", over_runs, arm_weights))
            part_h = weight**2 * group_s2 / size
            by_group, spread = by_group + part_h, spread + part_h**2 / (size - 1)
            own = inside.mean(axis=4, keepdims=True)
            rest = inside - over_runs[:, :, :, None] - own + over_runs.mean(axis=3)[:, :, :, None, None]
            squares = np.where(np.isnan(rest), 0.0, rest**2).sum(axis=(3, 4))
            cell_s2 = squares / ((n - 1) * (size - 1)[..., None])
            by_cell += weight**2 * (arm_weights**2 * cell_s2 / (n * size[..., None])).sum(axis=-1)
        variance = np.maximum(np.maximum(by_run, by_group), by_run + by_group - by_cell)
        df = np.where(variance > 0, variance**2 / spread, n.min(axis=-1) - 1)
    return estimate, np.sqrt(variance), df


def _adjusted(data: Data) -> tuple[Floats, Floats, Floats]:
    """Least squares over runs on the arms and the covariate, with one slope and one variance (ANCOVA)."""
    scores, arm_weights = _used(data)
    y = _over_strata(scores.mean(axis=5), data)  # (S, O, A, R)
    used = np.flatnonzero(data.arm_weights)
    x = np.where(np.isnan(y), np.nan, data.covariate[:, None, used])
    there = ~np.isnan(y)
    n = there.sum(axis=3).astype(np.float64)
    y_mean, x_mean = _over_runs(y, 3), _over_runs(x, 3)
    dy = np.where(there, y - y_mean[..., None], 0.0)
    dx = np.where(there, x - x_mean[..., None], 0.0)
    sxx, sxy, syy = ((u * v).sum(axis=(2, 3)) for u, v in ((dx, dx), (dx, dy), (dy, dy)))
    informative = sxx > 1e-12
    safe = np.where(informative, sxx, 1.0)
    slope = np.where(informative, sxy / safe, 0.0)
    gap = x_mean @ arm_weights
    estimate = y_mean @ arm_weights - slope * gap
    df = n.sum(axis=2) - n.shape[2] - informative
    with np.errstate(invalid="ignore", divide="ignore"):
        sigma2 = np.maximum(syy - slope * sxy, 0.0) / np.where(df > 0, df, np.nan)
        reach = (arm_weights**2 / n).sum(axis=2) + np.where(informative, gap**2 / safe, 0.0)
        # Arms that differ in X everywhere leave nothing to tell the slope from the effect.
        reach = np.where(~informative & (np.abs(gap) > 1e-12), np.nan, reach)
    return estimate, np.sqrt(sigma2 * reach), df


def _flips(design: Design) -> bool:
    """Whether the null flips signs of differences, or else moves units between samples."""
    strata = design.stratum_weights
    across = abs(sum(strata)) < 1e-9
    if across and not design.test.paired and design.test.unit != "seeds":
        raise DesignError(
            "an interaction has no permutation test over single arms, whose main effects differ: take "
            "differences first, with Test(paired=True)"
        )
    return design.test.paired and not (across and design.test.unit != "seeds")


def _patterns(samples: Samples) -> Iterator[tuple[NDArray[np.int64], Samples]]:
    """Rows of (simulation, metric) that miss the same units: their numbers, and what they have, (rows, N)."""
    flat = samples.values.reshape(-1, samples.values.shape[2])
    there = ~np.isnan(flat)
    kinds, place = np.unique(there, axis=0, return_inverse=True)
    for number, kind in enumerate(kinds):
        rows = np.flatnonzero(place.ravel() == number)
        values = flat[np.ix_(rows, np.flatnonzero(kind))]
        yield rows, Samples(values, samples.label[kind], samples.weights, samples.block[kind])


def _coefficients(samples: Samples) -> Floats | None:
    """What each unit adds to the estimate, or None where a sample is empty."""
    n = np.bincount(samples.label, minlength=len(samples.weights))
    return None if (n == 0).any() else samples.weights[samples.label] / n[samples.label]


def _permutation(samples: Samples, resamples: int, sides: int, flips: bool) -> Floats:
    """The permutation p-value of the estimate; every arrangement where there are few enough of them.

    Where there are not, one random set serves all simulations: each p-value is as good as with a set of its
    own, and the products become one matrix product.
    """
    p = np.full(samples.values.shape[0] * samples.values.shape[1], np.nan)
    generator = np.random.default_rng(0)
    for rows, some in _patterns(samples):
        values, unit = some.values, _coefficients(some)
        if unit is None or len(unit) < 2:
            continue
        arranged, exact = _arrangements(unit, some, resamples, flips, generator)
        for start in range(0, len(rows), chunk := max(1, _RESAMPLED // len(arranged))):
            part = values[start : start + chunk]
            drawn, seen = part @ arranged.T, part @ unit
            if sides == 2:
                drawn, seen = np.abs(drawn), np.abs(seen)
            # An arrangement that only swaps equal numbers is a tie, though it is summed in another order.
            ties = 1e-12 * (np.abs(part) @ np.abs(unit))
            count = (drawn >= (seen - ties)[:, None]).sum(axis=1)
            p[rows[start : start + chunk]] = (
                count / len(arranged) if exact else (count + 1) / (len(arranged) + 1)
            )
    return p.reshape(samples.values.shape[:2])


def _arrangements(
    unit: Floats, samples: Samples, resamples: int, flips: bool, generator: np.random.Generator
) -> tuple[Floats, bool]:
    """Rearranged coefficients (B, N), shared by all simulations, and whether they are all there are."""
    n = len(unit)
    if flips:
        if 2**n <= resamples + 1:
            return unit * np.array(list(itertools.product((1.0, -1.0), repeat=n))), True
        return unit * generator.choice((-1.0, 1.0), size=(resamples, n)), False
    label, block = samples.label, samples.block
    first = int((label == 0).sum())
    if label.max() == 1 and (block == block[0]).all() and math.comb(n, first) <= resamples + 1:
        chosen = np.array(list(itertools.combinations(range(n), first)))
        arranged = np.full((len(chosen), n), unit[label == 1][0])
        np.put_along_axis(arranged, chosen, unit[label == 0][0], axis=1)
        return arranged, True
    arranged = np.tile(unit, (resamples, 1))
    for name in np.unique(block):
        members = np.flatnonzero(block == name)
        arranged[:, members] = generator.permuted(arranged[:, members], axis=1)
    return arranged, False


def _bootstrap(samples: Samples, resamples: int, sides: int, level: float) -> tuple[Floats, Floats, Floats]:
    """Percentile interval and p-value; the units of each sample are drawn with replacement.

    As in a permutation test, one random set of draws serves all simulations.
    """
    size = samples.values.shape[0] * samples.values.shape[1]
    low, high, p = np.full(size, np.nan), np.full(size, np.nan), np.full(size, np.nan)
    generator = np.random.default_rng(0)
    for rows, some in _patterns(samples):
        values, label, unit = some.values, some.label, _coefficients(some)
        if unit is None or len(unit) < 2:
            continue
        times = np.zeros((resamples, len(unit)))
        for k in range(len(samples.weights)):
            members = np.flatnonzero(label == k)
            n = len(members)
            times[:, members] = generator.multinomial(n, np.full(n, 1 / n), size=resamples)
        weighted = times * unit
        for start in range(0, len(rows), chunk := max(1, _RESAMPLED // resamples)):
            here = rows[start : start + chunk]
            drawn = values[start : start + chunk] @ weighted.T
            low[here], high[here] = np.quantile(drawn, [level / 2, 1 - level / 2], axis=1)
            below = ((drawn <= 0).sum(axis=1) + 1) / (resamples + 1)
            above = ((drawn >= 0).sum(axis=1) + 1) / (resamples + 1)
            p[here] = below if sides == 1 else np.minimum(1.0, 2 * np.minimum(below, above))
    shape = samples.values.shape[:2]
    return low.reshape(shape), high.reshape(shape), p.reshape(shape)
