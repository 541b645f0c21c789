"""The normal, t and noncentral t distributions in NumPy alone, since an answer's sandbox has no scipy.

Every function takes arrays of any shape that broadcast together, and returns float64. They agree with scipy
to 1e-10 (df up to 1e5) where scipy has a value, and have one where scipy's noncentral t gives NaN (a large
noncentrality).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

_ERFC = np.frompyfunc(math.erfc, 1, 1)
_LGAMMA = np.frompyfunc(math.lgamma, 1, 1)
_TINY = 1e-300
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(64)


def _floats(value: ArrayLike) -> Floats:
    return np.asarray(value, dtype=np.float64)


def normal_pdf(x: ArrayLike) -> Floats:
    """The density of the standard normal."""
    return np.exp(-0.5 * _floats(x) ** 2) / math.sqrt(2 * math.pi)


def normal_cdf(x: ArrayLike) -> Floats:
    """P(Z <= x) of the standard normal; both tails are exact to rounding, since erfc is."""
    return 0.5 * _floats(_ERFC(-_floats(x) / math.sqrt(2)))


# Acklam's rational approximation (2003), good to 1.15e-9 relative; one step of Halley makes it exact.
_A: tuple[float, ...] = (-3.969683028665376e01, 2.209460984245205e02, -2.759285104469687e02)
_A += (1.383577518672690e02, -3.066479806614716e01, 2.506628277459239e00)
_B: tuple[float, ...] = (-5.447609879822406e01, 1.615858368580409e02, -1.556989798598866e02)
_B += (6.680131188771972e01, -1.328068155288572e01, 1.0)
_C: tuple[float, ...] = (-7.784894002430293e-03, -3.223964580411365e-01, -2.400758277161838e00)
_C += (-2.549732539343734e00, 4.374664141464968e00, 2.938163982698783e00)
_D = (7.784695709041462e-03, 3.224671290700398e-01, 2.445134137142996e00, 3.754408661907416e00, 1.0)


def normal_quantile(p: ArrayLike) -> Floats:
    """The x with P(Z <= x) = p; minus and plus infinity at 0 and 1, NaN outside."""
    p = _floats(p)
    tail = np.minimum(p, 1 - p)
    with np.errstate(divide="ignore", invalid="ignore"):
        q = np.sqrt(-2 * np.log(tail))
        far = np.polyval(_C, q) / np.polyval(_D, q)
        r = (tail - 0.5) ** 2
        near = (tail - 0.5) * np.polyval(_A, r) / np.polyval(_B, r)
        x = np.where(tail < 0.02425, far, near)
        step = (normal_cdf(x) - tail) / normal_pdf(x)
        x = x - step / (1 + 0.5 * x * step)
        x = np.where(tail == 0, -np.inf, x)
    return np.where(p > 0.5, -x, x)


def incomplete_beta(a: ArrayLike, b: ArrayLike, x: ArrayLike, complement: ArrayLike | None = None) -> Floats:
    """The regularised incomplete beta function I_x(a, b), for a, b > 0 and x in [0, 1].

    ``complement`` is 1 - x where the caller knows it to more digits than a subtraction leaves. The continued
    fraction in Lentz's form (Numerical Recipes, 6.4), taken on the side where it converges fast.
    """
    x = _floats(x)
    a, b, x, y = np.broadcast_arrays(
        _floats(a), _floats(b), x, 1 - x if complement is None else _floats(complement)
    )
    swap = x > (a + 1) / (a + b + 2)
    a, b, x, y = np.where(swap, b, a), np.where(swap, a, b), np.where(swap, y, x), np.where(swap, x, y)
    with np.errstate(divide="ignore"):
        front = a * np.log(x) + b * np.log(y)
    front = front + _floats(_LGAMMA(a + b) - _LGAMMA(a) - _LGAMMA(b))
    c = np.ones_like(x)
    d = 1 / _away_from_zero(1 - (a + b) * x / (a + 1))
    h = d.copy()
    for m in range(1, 1000):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        d = 1 / _away_from_zero(1 + even * d)
        c = _away_from_zero(1 + even / c)
        h *= d * c
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        d = 1 / _away_from_zero(1 + odd * d)
        c = _away_from_zero(1 + odd / c)
        h *= d * c
        if np.all(np.abs(d * c - 1) < 1e-15):
            break
    value = np.exp(front) * h / a
    return np.where(swap, 1 - value, value)


def _away_from_zero(x: Floats) -> Floats:
    return np.where(np.abs(x) < _TINY, _TINY, x)


def t_pdf(x: ArrayLike, df: ArrayLike) -> Floats:
    """The density of Student's t with ``df`` degrees of freedom."""
    x, df = _floats(x), _floats(df)
    front = _floats(_LGAMMA((df + 1) / 2) - _LGAMMA(df / 2)) - 0.5 * np.log(df * np.pi)
    return np.exp(front - (df + 1) / 2 * np.log1p(x * x / df))


def t_tail(x: ArrayLike, df: ArrayLike) -> Floats:
    """P(T > |x|), one tail, without the cancellation of 1 - cdf. NaN where ``x`` or ``df`` is."""
    x, df = np.broadcast_arrays(_floats(x), _floats(df))
    known = ~np.isnan(x) & (df > 0)
    n, square = np.where(known, df, 1.0), np.where(known, x, 0.0) ** 2
    # There the continued fraction needs some sqrt(df) steps, and 1 - P(|T| < |x|) loses three digits at most.
    series = (n > 100) & (square < 9)
    tail = np.empty(n.shape)
    tail[series] = 0.5 - 0.5 * _t_within(square[series], n[series])
    n, square = n[~series], square[~series]
    with np.errstate(divide="ignore"):
        tail[~series] = 0.5 * incomplete_beta(n / 2, 0.5, 1 / (1 + square / n), 1 / (1 + n / square))
    return np.where(known, tail, np.nan)


def _t_within(square: Floats, df: Floats) -> Floats:
    """P(T^2 < ``square``) for df > 100: I_y(1/2, df/2) at y = square / (df + square), as a power series of
    positive terms (DLMF 8.17(ii))."""
    y, n = square / (df + square), df / 2
    front = 0.5 * (np.log(y, where=y > 0, out=np.full_like(y, -np.inf)) - df * np.log1p(square / df))
    # log Gamma(n + 1/2) / Gamma(n) by its asymptotic series, whose next term is below 1e-17 here: the
    # difference of two logarithms would lose what the 1 - P of a tail cannot spare.
    ratio = 0.5 * np.log(n) - 1 / (8 * n) + 1 / (192 * n**3) - 1 / (640 * n**5) + 17 / (14336 * n**7)
    front += ratio - math.lgamma(0.5) + math.log(2)
    term = np.ones_like(y)
    total = term.copy()
    for k in range(200):
        term = term * ((df + 1) / 2 + k) / (1.5 + k) * y
        total += term
        if np.all(term <= 1e-17 * total):
            break
    return np.exp(front) * total


def t_cdf(x: ArrayLike, df: ArrayLike) -> Floats:
    """P(T <= x) of Student's t with ``df`` degrees of freedom (need not be whole)."""
    tail = t_tail(x, df)
    return np.where(_floats(x) > 0, 1 - tail, tail)


def t_quantile(p: ArrayLike, df: ArrayLike) -> Floats:
    """The x with P(T <= x) = p; NaN where ``df`` is NaN or not positive.

    Newton's method within a bracket: where a step leaves the bracket, the bracket is halved instead.
    """
    p, df = np.broadcast_arrays(_floats(p), _floats(df))
    shape = p.shape
    # Many simulations share their degrees of freedom: each pair is solved once.
    pairs, place = np.unique(np.stack([p.ravel(), df.ravel()]), axis=1, return_inverse=True)
    return _t_quantile(*pairs)[place.ravel()].reshape(shape)


def _t_quantile(p: Floats, df: Floats) -> Floats:
    tail = np.minimum(p, 1 - p)
    known = (df > 0) & (tail > 0)
    q, n = np.where(known, tail, 0.25), np.where(known, df, 1.0)
    # Below: the normal's quantile. Above: the tail is at most C x^-n, with C from the density at large x.
    low = np.abs(normal_quantile(q))
    log_c = _floats(_LGAMMA((n + 1) / 2) - _LGAMMA(n / 2)) - 0.5 * np.log(np.pi) + (n / 2 - 1) * np.log(n)
    high = np.maximum(np.exp(np.minimum((log_c - np.log(q)) / n, 690.0)), low) * (1 + 1e-9) + 1e-9
    x = low
    for _ in range(200):
        value = t_tail(x, n)
        low, high = np.where(value >= q, x, low), np.where(value <= q, x, high)
        # In log x against log tail the curve is nearly straight far out, and in x it is so near zero.
        slope = -t_pdf(x, n)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            straight = x - (value - q) / slope
            power = x * np.exp((np.log(q) - np.log(value)) * value / (slope * x))
        new = np.where(x > 2, power, straight)
        inside = (new >= low) & (new <= high)
        new = np.where(inside, new, 0.5 * (low + high))
        done = np.abs(new - x) <= 1e-14 * np.abs(new)
        x = new
        if np.all(done):
            break
    x = np.where(tail == 0.5, 0.0, np.where(known, x, np.where((tail == 0) & (df > 0), np.inf, np.nan)))
    return np.where(p > 0.5, x, -x)


def noncentral_t_tails(x: float, df: float, noncentrality: float) -> tuple[float, float]:
    """P(T' <= x) and P(T' > x), where T' = (Z + noncentrality) / sqrt(chi2_df / df).

    Integrates the normal over the chi density by Gauss-Legendre in panels that follow both where the density
    lies and where the normal turns, so that no noncentrality is too large for it.
    """
    if not df > 0:
        raise ValueError(f"the degrees of freedom must be positive, and are {df}")
    width = 1 / math.sqrt(2 * df)
    points = {0.0, 1 + 14 * width}
    points.update(1 + k * width for k in (-14, -9, -6, -4, -2, -1, 0, 1, 2, 4, 6, 9))
    if x != 0:
        points.update((noncentrality + k) / x for k in (-40, -9, -6, -3, -1, 0, 1, 3, 6, 9, 40))
    edges = np.array(sorted(p for p in points if 0 <= p <= 1 + 14 * width))
    half = 0.5 * np.diff(edges)[:, None]
    s = (edges[:-1, None] + half + half * _NODES).ravel()
    weight = (half * _WEIGHTS).ravel()
    # The density of s = sqrt(chi2_df / df).
    log_density = math.log(2) + df / 2 * math.log(df / 2) - math.lgamma(df / 2)
    density = np.exp(log_density + (df - 1) * np.log(s) - df * s * s / 2) * weight
    below, above = normal_cdf(x * s - noncentrality), normal_cdf(noncentrality - x * s)
    return min(1.0, float(density @ below)), min(1.0, float(density @ above))
