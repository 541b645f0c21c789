"""Power, sample size and error rates in closed form: what a simulation must reproduce.

Effects ``d`` are in standard deviations of one observation (of one difference, where the test is paired).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from fourrounds.design.distributions import (
    noncentral_t_tails,
    normal_cdf,
    normal_pdf,
    normal_quantile,
    t_cdf,
    t_pdf,
    t_quantile,
)


def _z(p: float) -> float:
    return float(normal_quantile(p))


def t_power(d: float, n: float, *, alpha: float = 0.05, paired: bool = False, sides: int = 2) -> float:
    """The power of a t-test: ``n`` observations in each arm, or ``n`` pairs.

    P(T' > t) + P(T' < -t) with df = 2n - 2 and noncentrality d sqrt(n/2), or n - 1 and d sqrt(n) for pairs
    (Cohen 1988). ``sides=1`` tests for a positive effect. ``ValueError`` if fewer than 2 observations.
    """
    if n < 2:
        raise ValueError(f"a t-test needs 2 observations or more in each arm to see a spread, not {n}")
    df, scale = (n - 1, n) if paired else (2 * n - 2, n / 2)
    noncentrality = d * math.sqrt(scale)
    critical = -float(t_quantile(alpha / sides, df))
    upper = noncentral_t_tails(critical, df, noncentrality)[1]
    if sides == 1:
        return upper
    return min(1.0, upper + noncentral_t_tails(-critical, df, noncentrality)[0])


def t_sample_size(
    d: float, *, power: float = 0.8, alpha: float = 0.05, paired: bool = False, sides: int = 2
) -> float:
    """The n in each arm (or of pairs) at which :func:`t_power` is ``power``; not rounded."""
    if d == 0 or not alpha < power < 1:
        raise ValueError(f"no n gives power {power} at d = {d}: d must not be 0, and alpha < power < 1")

    def short(n: float) -> float:
        return t_power(abs(d), n, alpha=alpha, paired=paired, sides=sides) - power

    return 2.0 if short(2.0) >= 0 else _root(short, 2.0)


def _root(increasing: Callable[[float], float], low: float) -> float:
    """Where a function that rises with its argument is zero, above ``low``."""
    high = 2 * low
    while increasing(high) < 0:
        low, high = high, 2 * high
    while high - low > 1e-10 * high:
        middle = 0.5 * (low + high)
        low, high = (middle, high) if increasing(middle) < 0 else (low, middle)
    return 0.5 * (low + high)


@dataclass(frozen=True)
class Retrodesign:
    """What significance does to an estimate: power, P(wrong sign | significant), E|estimate|/effect then."""

    power: float
    type_s: float
    exaggeration: float


def retrodesign(effect: float, se: float, *, df: float = math.inf, alpha: float = 0.05) -> Retrodesign:
    """Gelman & Carlin 2014: the estimate is ``effect`` plus ``se`` times Student's t with ``df``.

    For the t this treats the standard error as known, as their R function does. ``ValueError`` at effect 0.
    """
    if effect == 0:
        raise ValueError("at an effect of 0 no sign is wrong and nothing is exaggerated")

    def cdf(x: float) -> float:
        return float(normal_cdf(x) if math.isinf(df) else t_cdf(x, df))

    def partial_mean(x: float) -> float:
        """E[T; T > x]."""
        if math.isinf(df):
            return float(normal_pdf(x))
        return float(t_pdf(x, df)) * (df + x * x) / (df - 1)

    shift = abs(effect) / se
    critical = -_z(alpha / 2) if math.isinf(df) else -float(t_quantile(alpha / 2, df))
    above, below = cdf(shift - critical), cdf(-critical - shift)
    power = above + below
    # |estimate|/se is shift + T above, and -(shift + T) below.
    mean = shift * (above - below) + partial_mean(critical - shift) + partial_mean(-critical - shift)
    return Retrodesign(power, below / power, mean / power / shift)


def proportion_effect(p1: float, p2: float) -> float:
    """Cohen's h = 2 asin sqrt(p1) - 2 asin sqrt(p2)."""
    return 2 * math.asin(math.sqrt(p1)) - 2 * math.asin(math.sqrt(p2))


def proportion_power(p1: float, p2: float, n: float, *, alpha: float = 0.05) -> float:
    """The power of the two-sided test of two proportions with ``n`` items in each arm, by Cohen's h."""
    shift, critical = abs(proportion_effect(p1, p2)) * math.sqrt(n / 2), -_z(alpha / 2)
    return float(normal_cdf(shift - critical) + normal_cdf(-shift - critical))


def proportion_sample_size(p1: float, p2: float, *, power: float = 0.8, alpha: float = 0.05) -> float:
    """The items in each arm at which :func:`proportion_power` is ``power``; not rounded."""
    return _root(lambda n: proportion_power(p1, p2, n, alpha=alpha) - power, 1.0)


def mcnemar_power(p01: float, p10: float, n: int, *, alpha: float = 0.05) -> float:
    """The power of the exact two-sided McNemar test, counting only the right sign (Card et al. 2020).

    Of ``n`` items a share ``p01`` is right under the new model only, ``p10`` under the old one only. Given m
    discordant items the number that the new one wins is binomial, and is tested against 1/2.
    """
    if min(p01, p10) < 0 or p01 + p10 > 1 or p01 == p10:
        raise ValueError(f"p01 = {p01} and p10 = {p10} must be two different shares of the items")
    wins, losses = max(p01, p10), min(p01, p10)
    total, share = wins + losses, wins / (wins + losses)
    power = 0.0
    for m in range(1, n + 1):
        log_half = _log_choose(m, np.arange(m + 1)) - m * math.log(2)
        tail = np.cumsum(np.exp(log_half)[::-1])[::-1]
        significant = np.arange(m + 1)[(2 * tail <= alpha) & (2 * np.arange(m + 1) > m)]
        if len(significant):
            chance = math.exp(_log_binomial(n, m, total))
            power += chance * math.fsum(math.exp(_log_binomial(m, int(k), share)) for k in significant)
    return power


def _log_choose(n: int, k: np.ndarray) -> np.ndarray:
    # log n! as a running sum, so that one pass serves all k.
    factorial = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, n + 1)))])
    return factorial[n] - factorial[k] - factorial[n - k]


def _log_binomial(n: int, k: int, p: float) -> float:
    if p in (0.0, 1.0):
        return 0.0 if k == n * p else -math.inf
    choose = math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
    return choose + k * math.log(p) + (n - k) * math.log1p(-p)


def eval_sample_size(
    effect: float,
    omega2: float,
    sigma2: tuple[float, float] = (0.0, 0.0),
    resamples: tuple[float, float] = (1, 1),
    *,
    power: float = 0.8,
    alpha: float = 0.05,
) -> float:
    """The questions that a paired comparison of two models needs (Miller 2024); not rounded.

    n = (z_{alpha/2} + z_beta)^2 (omega2 + sigma2_A/K_A + sigma2_B/K_B) / effect^2, where ``omega2`` is the
    variance over questions of the difference of the two conditional means and ``sigma2`` the mean variance of
    one answer.
    """
    return (_z(1 - alpha / 2) + _z(power)) ** 2 * _per_question(omega2, sigma2, resamples) / effect**2


def eval_detectable_effect(
    n: float,
    omega2: float,
    sigma2: tuple[float, float] = (0.0, 0.0),
    resamples: tuple[float, float] = (1, 1),
    *,
    power: float = 0.8,
    alpha: float = 0.05,
) -> float:
    """The smallest effect that ``n`` questions find: the inverse of :func:`eval_sample_size`."""
    return (_z(1 - alpha / 2) + _z(power)) * math.sqrt(_per_question(omega2, sigma2, resamples) / n)


def _per_question(omega2: float, sigma2: tuple[float, float], resamples: tuple[float, float]) -> float:
    return omega2 + sigma2[0] / resamples[0] + sigma2[1] / resamples[1]


def design_effect(size: float, icc: float) -> float:
    """How many times a cluster sample's variance is that of independent items: 1 + (size - 1) icc (Kish)."""
    return 1 + (size - 1) * icc


def clustered_false_positives(size: float, icc: float, *, alpha: float = 0.05) -> float:
    """The false-positive rate of a large-sample test that takes clustered items for independent ones."""
    return float(2 * normal_cdf(_z(alpha / 2) / math.sqrt(design_effect(size, icc))))


def familywise(alpha: float, tests: int) -> float:
    """The chance of one false positive or more in ``tests`` independent true nulls: 1 - (1 - alpha)^tests."""
    return -math.expm1(tests * math.log1p(-alpha))


def noether_sample_size(gamma: float, *, alpha: float = 0.05, power: float = 0.95) -> float:
    """The paired runs that P(A > B) = ``gamma`` needs (Noether 1987; Bouthillier et al. 2021).

    ((z_{1-alpha} + z_power) / (sqrt(6) (gamma - 1/2)))^2, one-sided; not rounded.
    """
    if not 0.5 < gamma < 1:
        raise ValueError(f"gamma must lie between 1/2 and 1, and is {gamma}")
    return ((_z(1 - alpha) + _z(power)) / (math.sqrt(6) * (gamma - 0.5))) ** 2


def expected_maximum(k: int) -> float:
    """E[max of ``k`` independent standard normals], by integrating x k phi(x) Phi(x)^(k-1)."""
    if k < 1:
        raise ValueError(f"a maximum needs one draw or more, not {k}")
    nodes, weights = np.polynomial.legendre.leggauss(400)
    x = 12 * nodes
    return float(12 * weights @ (x * k * normal_pdf(x) * normal_cdf(x) ** (k - 1)))


def mean_above(cut: float) -> float:
    """E[Z | Z > cut] = phi(cut) / (1 - Phi(cut)): what dropping every run below ``cut`` adds to a mean."""
    return float(normal_pdf(cut) / normal_cdf(-cut))


def mean_below_ceiling(mean: float, sd: float, ceiling: float) -> float:
    """E[min(X, ceiling)] of a normal X: what a saturated metric still shows of ``mean``."""
    z = (ceiling - mean) / sd
    return float(ceiling - (ceiling - mean) * normal_cdf(z) - sd * normal_pdf(z))
