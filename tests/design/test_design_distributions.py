"""The distributions against scipy, and where scipy has no value against what must hold."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import special, stats

from fourrounds.design import distributions as d

DFS = (0.5, 1, 1.7, 2, 3, 4, 8, 30, 98, 101, 1e3, 7999, 1e5)
RTOL = 2e-10  # lgamma's cancellation at 1e5 degrees of freedom costs 1.3e-10; elsewhere it is 1e-12


def test_normal() -> None:
    x = np.linspace(-37, 37, 401)
    np.testing.assert_allclose(d.normal_cdf(x), stats.norm.cdf(x), rtol=1e-12)
    np.testing.assert_allclose(d.normal_pdf(x), stats.norm.pdf(x), rtol=1e-12)


def test_normal_quantile() -> None:
    p = np.concatenate([10.0 ** -np.arange(1, 300, 7), np.linspace(0.001, 0.999, 99), [0.0, 1.0]])
    np.testing.assert_allclose(d.normal_quantile(p), stats.norm.ppf(p), rtol=1e-12)
    assert math.isnan(d.normal_quantile(1.5))


def test_incomplete_beta() -> None:
    a, b, x = np.meshgrid([0.3, 1, 7.5, 400], [0.5, 2, 90], np.linspace(0, 1, 21))
    np.testing.assert_allclose(d.incomplete_beta(a, b, x), special.betainc(a, b, x), rtol=1e-10, atol=1e-300)


@pytest.mark.parametrize("df", DFS)
def test_t(df: float) -> None:
    far = np.logspace(-4, 2, 60)
    x = np.concatenate([-far, [0.0], far])
    np.testing.assert_allclose(d.t_cdf(x, df), stats.t.cdf(x, df), rtol=RTOL)
    np.testing.assert_allclose(d.t_pdf(x, df), stats.t.pdf(x, df), rtol=RTOL)
    p = np.array([1e-12, 1e-6, 1e-3, 0.01, 0.025, 0.2, 0.4, 0.5, 0.6, 0.975, 0.9999])
    np.testing.assert_allclose(d.t_quantile(p, df), stats.t.ppf(p, df), rtol=RTOL)


def test_t_takes_degrees_of_freedom_by_element_and_lets_nan_through() -> None:
    df = np.array([3.0, 7.2, np.nan, 3.0])
    np.testing.assert_allclose(d.t_quantile(0.975, df), stats.t.ppf(0.975, df), rtol=RTOL)
    np.testing.assert_allclose(
        d.t_cdf([1.0, np.nan, 1.0, -np.inf], 5.0), stats.t.cdf([1, np.nan, 1, -np.inf], 5)
    )
    assert d.t_quantile([0.0, 1.0], 5).tolist() == [-np.inf, np.inf]


def test_the_tail_of_t_has_no_seam() -> None:
    """Where the series ends and the continued fraction begins, in x and in the degrees of freedom."""
    x, df = np.meshgrid([2.999999, 3.0, 3.000001], [99.9, 100.0, 100.1, 1e4])
    np.testing.assert_allclose(d.t_tail(x, df), stats.t.sf(x, df), rtol=RTOL)


@pytest.mark.parametrize("df", [1, 2, 4, 8, 38, 98, 1000])
@pytest.mark.parametrize("noncentrality", [0, 0.5, 2, 5, 10, -3])
def test_noncentral_t(df: float, noncentrality: float) -> None:
    compared = 0
    for x in (-3, -0.5, 0, 1, 2.77, 12.7):
        due = stats.nct.cdf(x, df, noncentrality), stats.nct.sf(x, df, noncentrality)
        if not np.isnan(due).any():
            assert d.noncentral_t_tails(x, df, noncentrality) == pytest.approx(due, abs=1e-10)
            compared += 1
    assert compared >= 5


@pytest.mark.parametrize("noncentrality", [20.0, 40.0, 200.0])
def test_noncentral_t_has_a_value_where_scipy_has_none(noncentrality: float) -> None:
    """Far out the variance estimate is all that is left: P(T' <= x) = P(chi_df/sqrt(df) >= about ncp/x)."""
    below, above = d.noncentral_t_tails(noncentrality, 98, noncentrality)
    assert below + above == pytest.approx(1, abs=1e-12)
    assert 0.45 < below < 0.55
    assert d.noncentral_t_tails(1.98, 98, noncentrality)[1] == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize(("x", "df", "noncentrality"), [(1e4, 2, 5e3), (1e5, 1, 10.0), (-3e3, 4, -2e3)])
def test_noncentral_t_where_the_normal_turns_within_a_hair(x: float, df: float, noncentrality: float) -> None:
    """There P(T' <= x) is nearly P(chi_df / sqrt(df) >= noncentrality / x), or <= where x is negative."""
    turn = df * (noncentrality / x) ** 2
    below, above = d.noncentral_t_tails(x, df, noncentrality)
    due = stats.chi2.sf(turn, df) if x > 0 else stats.chi2.cdf(turn, df)
    assert below == pytest.approx(due, abs=1e-6)
    assert below + above == pytest.approx(1, abs=1e-12)


def test_noncentral_t_needs_degrees_of_freedom() -> None:
    with pytest.raises(ValueError, match="must be positive"):
        d.noncentral_t_tails(1.0, 0.0, 1.0)
