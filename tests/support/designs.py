"""Small designs whose closed forms are known, and how near a diagnosand must come to one."""

from __future__ import annotations

import math

import numpy as np
from scipy import stats

from fourrounds.design import Arm, Design, EvaluationSet, Seeds, Test, Value, World

ERRORS = 3.5
"""Monte Carlo standard errors that a right value may be off. One check in 2,000 would fail by chance; since
the seeds are fixed, a check passes always or never."""


def near(measured: Value, expected: float, errors: float = ERRORS) -> None:
    """Fail unless a diagnosand is within ``errors`` Monte Carlo standard errors of what it must be."""
    assert measured.se > 0
    off = (measured.value - expected) / measured.se
    assert abs(off) <= errors, f"{measured} is {off:.1f} Monte Carlo errors from {expected:.5f}"


def over_seeds(n: int, **parts: object) -> Design:
    """Two arms of ``n`` runs, each one number, compared with Student's t: the textbook's experiment."""
    chosen: dict[str, object] = {
        "evaluation": EvaluationSet(groups=1, items=1),
        "seeds": Seeds(n),
        "test": Test("seeds", equal_variances=True),
    }
    return Design(**{**chosen, **parts})  # type: ignore[arg-type]


def over_groups(groups: int, items: int, **parts: object) -> Design:
    """Two arms of one run on ``groups`` groups of ``items`` items, paired by group."""
    chosen: dict[str, object] = {
        "evaluation": EvaluationSet(groups=groups, items=items),
        "seeds": Seeds(1),
        "test": Test("groups", paired=True),
    }
    return Design(**{**chosen, **parts})  # type: ignore[arg-type]


def unit(effect: float = 0.0, **fields: object) -> World:
    """A difference of ``effect`` in runs whose standard deviation is 1."""
    means = {"baseline": 0.0, "treatment": effect}
    return World("unit", **{"means": means, "noise": 1.0, **fields})  # type: ignore[arg-type]


def arms(tuning: tuple[int, int] = (1, 1), report: tuple[str, str] = ("mean", "mean")) -> tuple[Arm, Arm]:
    """The two arms, the treatment second."""
    names = ("baseline", "treatment")
    one, two = (Arm(n, tuning=k, report=r) for n, k, r in zip(names, tuning, report, strict=True))
    return one, two


def rejects(effect: float, se: float, critical: float, df: int, s: float = 1.0) -> float:
    """P(|estimate| > critical * ``s`` * S), where the estimate is normal and S^2 is chi^2_df / df.

    The power of every test with one variance estimate, by integrating over its quantiles with scipy.
    """
    spread = _scaled(df) * s
    upper = stats.norm.sf((critical * spread - effect) / se)
    return float((upper + stats.norm.cdf((-critical * spread - effect) / se)).mean())


def _scaled(df: int, points: int = 20_000) -> np.ndarray:
    """Quantiles of sqrt(chi^2_df / df) at the midpoints of equal slices."""
    return np.sqrt(stats.chi2.ppf((np.arange(points) + 0.5) / points, df) / df)


def two_variances(n: tuple[int, int], sd: tuple[float, float], alpha: float = 0.05) -> tuple[float, float]:
    """The false-positive rates of Welch's and Student's test, by a grid over both variances' quantiles."""
    s0, s1 = (sd[k] * _scaled(n[k] - 1, 1500) for k in (0, 1))
    v0, v1 = s0[:, None] ** 2, s1[None, :] ** 2
    true_se = math.sqrt(sd[0] ** 2 / n[0] + sd[1] ** 2 / n[1])
    a, b = v0 / n[0], v1 / n[1]
    df = (a + b) ** 2 / (a**2 / (n[0] - 1) + b**2 / (n[1] - 1))
    welch = 2 * stats.norm.sf(stats.t.isf(alpha / 2, df) * np.sqrt(a + b) / true_se)
    total = n[0] + n[1] - 2
    pooled = ((n[0] - 1) * v0 + (n[1] - 1) * v1) / total * (1 / n[0] + 1 / n[1])
    student = 2 * stats.norm.sf(stats.t.isf(alpha / 2, total) * np.sqrt(pooled) / true_se)
    return float(welch.mean()), float(student.mean())
