"""Boundaries for a test that is looked at several times while the data come in.

With equal looks the z statistics have the joint law of a Brownian motion at times j/J: Z_j sqrt(j) is a sum
of j independent normals. The chance of having crossed is found by carrying the density of that sum, where no
boundary was crossed yet, from look to look (Armitage, McPherson & Rowe 1969). The constants of Pocock (1977)
and O'Brien & Fleming (1979) are solved from it rather than quoted.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import ArrayLike

from fourrounds.design.distributions import Floats, normal_cdf, normal_pdf, normal_quantile

BOUNDARIES = ("none", "bonferroni", "pocock", "obrien_fleming")

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(120)


def crossing_probability(critical: ArrayLike, drift: float = 0.0) -> float:
    """The chance that |Z_j| reaches ``critical[j]`` at some look; there are ``len(critical)`` looks.

    ``drift`` is the mean of Z at the last look: 0 gives the false-positive rate, else the power.
    """
    bounds = np.asarray(critical, dtype=np.float64)
    looks = len(bounds)
    step = drift / np.sqrt(looks)  # the mean of each increment of the sum
    edge = bounds * np.sqrt(np.arange(1, looks + 1))
    inside, weight = np.zeros(1), np.ones(1)  # points of the sum so far, and the mass that each carries
    crossed = 0.0
    for bound in edge:
        centre = inside + step
        crossed += float(weight @ (normal_cdf(centre - bound) + normal_cdf(-bound - centre)))
        points = bound * _NODES
        weight = bound * _WEIGHTS * (weight @ normal_pdf(points[None, :] - centre[:, None]))
        inside = points
    return crossed


@cache
def critical_values(boundary: str, looks: int, alpha: float = 0.05) -> tuple[float, ...]:
    """The two-sided critical value of |Z| at each look.

    ``"none"`` tests at alpha every time (peeking), ``"bonferroni"`` at alpha / looks; ``"pocock"`` has one
    value at all looks, ``"obrien_fleming"`` one that falls as 1/sqrt(j), both with alpha in all.
    """
    if boundary not in BOUNDARIES:
        raise ValueError(f"boundary must be one of {', '.join(BOUNDARIES)}, and is {boundary!r}")
    if looks < 1:
        raise ValueError(f"a test is looked at once or more, not {looks} times")
    if boundary in ("none", "bonferroni"):
        level = alpha if boundary == "none" else alpha / looks
        return (-float(normal_quantile(level / 2)),) * looks
    j = np.arange(1, looks + 1)
    shape = np.ones(looks) if boundary == "pocock" else np.sqrt(looks / j)
    low, high = 0.5, 10.0
    while high - low > 1e-12:
        middle = 0.5 * (low + high)
        too_easy = crossing_probability(middle * shape) > alpha
        low, high = (middle, high) if too_easy else (low, middle)
    return tuple(float(c) for c in low * shape)


def nominal_levels(boundary: str, looks: int, alpha: float = 0.05) -> Floats:
    """The two-sided level at which each look tests: 2 (1 - Phi(critical value)).

    A look of a t, permutation or bootstrap test compares its p-value with this (Pocock 1977).
    """
    critical = critical_values(boundary, looks, alpha)
    if boundary in ("none", "bonferroni"):  # exact, since a permutation's p-value can equal the level
        return np.full(looks, alpha if boundary == "none" else alpha / looks)
    return 2 * normal_cdf(-np.array(critical))
