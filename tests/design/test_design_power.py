"""The closed forms against scipy, against published values, and where statsmodels answers NaN.

Values with a name beside them are that program's or that paper's own.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import integrate, stats

from fourrounds.design import power as p


def by_scipy(d: float, n: float, paired: bool, alpha: float = 0.05) -> float:
    df, noncentrality = (n - 1, d * math.sqrt(n)) if paired else (2 * n - 2, d * math.sqrt(n / 2))
    critical = stats.t.isf(alpha / 2, df)
    return float(stats.nct.sf(critical, df, noncentrality) + stats.nct.cdf(-critical, df, noncentrality))


@pytest.mark.parametrize("paired", [False, True])
@pytest.mark.parametrize("n", [2, 3, 5, 10, 20])
@pytest.mark.parametrize("d", [0.0, 0.2, 0.5, 0.8, 1.0])
def test_power_is_scipys(d: float, n: int, paired: bool) -> None:
    assert p.t_power(d, n, paired=paired) == pytest.approx(by_scipy(d, n, paired), abs=1e-10)
    assert p.t_power(-d, n, paired=paired) == pytest.approx(p.t_power(d, n, paired=paired), abs=1e-12)


# statsmodels.stats.power.TTestIndPower and TTestPower, two-sided at .05.
TABLE = {
    (3, False): (0.076849, 0.119329, 0.158791, 0.462641),
    (5, False): (0.107686, 0.200739, 0.286295, 0.790542),
    (10, False): (0.185096, 0.395069, 0.562007, 0.988179),
    (20, False): (0.337939, 0.693404, 0.868953, 0.999987),
    (3, True): (0.084107, 0.134885, 0.179255, 0.470749),
    (5, True): (0.140517, 0.280992, 0.401390, 0.908885),
    (10, True): (0.293176, 0.616233, 0.803097, 0.999842),
}


@pytest.mark.parametrize(("n", "paired"), TABLE)
def test_the_table_of_statsmodels(n: int, paired: bool) -> None:
    got = [p.t_power(d, n, paired=paired) for d in (0.5, 0.8, 1.0, 2.0)]
    assert got == pytest.approx(TABLE[n, paired], abs=1e-6)


@pytest.mark.parametrize(("d", "n", "paired"), [(2.0, 50, False), (2.0, 20, True), (8.0, 100, False)])
def test_a_number_where_statsmodels_gives_nan(d: float, n: int, paired: bool) -> None:
    assert p.t_power(d, n, paired=paired) == pytest.approx(1.0, abs=1e-9)


def test_one_side_puts_all_of_alpha_above() -> None:
    noncentrality = 0.5 * math.sqrt(5)
    due = stats.nct.sf(stats.t.isf(0.05, 18), 18, noncentrality)
    assert p.t_power(0.5, 10, sides=1) == pytest.approx(due, abs=1e-10)
    assert p.t_power(-0.5, 10, sides=1) < 0.05


@pytest.mark.parametrize(
    ("d", "power", "paired", "n"),
    [
        (0.2, 0.8, False, 393.4057),
        (0.5, 0.8, False, 63.76561),
        (0.8, 0.8, False, 25.52457),
        (0.2, 0.9, False, 526.3332),
        (0.5, 0.9, False, 85.03128),
        (0.8, 0.9, False, 33.82554),
        (0.2, 0.8, True, 198.1508),
        (0.5, 0.8, True, 33.36713),
        (0.8, 0.8, True, 14.30276),
    ],
)
def test_sample_size(d: float, power: float, paired: bool, n: float) -> None:
    assert p.t_sample_size(d, power=power, paired=paired) == pytest.approx(n, rel=4e-7)
    assert by_scipy(d, p.t_sample_size(d, power=power, paired=paired), paired) == pytest.approx(
        power, abs=1e-8
    )


def test_impossible_requests_are_told() -> None:
    with pytest.raises(ValueError, match="2 observations"):
        p.t_power(0.5, 1)
    with pytest.raises(ValueError, match="no n gives"):
        p.t_sample_size(0.0)
    with pytest.raises(ValueError, match="at an effect of 0"):
        p.retrodesign(0.0, 1.0)
    with pytest.raises(ValueError, match="between 1/2 and 1"):
        p.noether_sample_size(0.5)
    with pytest.raises(ValueError, match="one draw"):
        p.expected_maximum(0)
    with pytest.raises(ValueError, match="two different shares"):
        p.mcnemar_power(0.1, 0.1, 100)


def test_proportions() -> None:
    assert p.proportion_effect(0.82, 0.80) == pytest.approx(0.0509972, abs=5e-8)
    assert p.proportion_power(0.82, 0.80, 500) == pytest.approx(0.127161, abs=1e-6)
    assert p.proportion_sample_size(0.82, 0.80) == pytest.approx(6035.94, abs=0.01)


def test_mcnemar_against_every_pair_of_counts() -> None:
    """The definition, summed over all tables, with scipy's exact test."""
    n, p01, p10 = 30, 0.3, 0.1
    due = 0.0
    for a in range(n + 1):
        for b in range(n + 1 - a):
            if a > b and stats.binomtest(a, a + b).pvalue <= 0.05:
                due += stats.multinomial.pmf([a, b, n - a - b], n, [p01, p10, 1 - p01 - p10])
    assert p.mcnemar_power(p01, p10, n) == pytest.approx(due, abs=1e-10)


@pytest.mark.parametrize(
    ("p01", "p10", "n", "published"), [(0.0225, 0.0025, 500, 0.800), (0.30, 0.28, 1000, 0.119)]
)
def test_mcnemar_published(p01: float, p10: float, n: int, published: float) -> None:
    """Card et al. 2020, their notebook's simulations, printed to three decimals."""
    assert p.mcnemar_power(p01, p10, n) == pytest.approx(published, abs=0.003)


def test_miller() -> None:
    """Miller 2024: 969 questions for 3 points; 198 questions find 13.3 points, or 7.6 with 10 resamples."""
    assert p.eval_sample_size(0.03, 1 / 9) == pytest.approx(968.9975, abs=1e-4)
    assert p.eval_sample_size(0.03, 1 / 9, (1 / 6, 1 / 6)) == pytest.approx(3875.990, abs=1e-3)
    assert p.eval_sample_size(0.03, 1 / 9, (1 / 6, 1 / 6), (10, 10)) == pytest.approx(1259.697, abs=1e-3)
    assert p.eval_detectable_effect(198, 1 / 9, (1 / 6, 1 / 6)) == pytest.approx(0.13273, abs=1e-5)
    assert p.eval_detectable_effect(198, 1 / 9, (1 / 6, 1 / 6), (10, 10)) == pytest.approx(0.07567, abs=1e-5)
    n = p.eval_sample_size(0.05, 0.1, (0.2, 0.3), (2, 5), power=0.7, alpha=0.01)
    assert p.eval_detectable_effect(n, 0.1, (0.2, 0.3), (2, 5), power=0.7, alpha=0.01) == pytest.approx(0.05)


def test_clusters() -> None:
    assert p.design_effect(10, 0.3) == pytest.approx(3.7)
    assert p.clustered_false_positives(10, 0.71) == pytest.approx(0.471, abs=5e-4)
    assert p.clustered_false_positives(10, 0.0) == pytest.approx(0.05)


def test_noether() -> None:
    """Bouthillier et al. 2021: 29 runs for gamma = .75 at alpha = beta = .05."""
    due = {0.6: 180.370, 0.65: 80.164, 0.7: 45.092, 0.75: 28.859, 0.8: 20.041, 0.9: 11.273}
    assert {g: p.noether_sample_size(g) for g in due} == pytest.approx(due, abs=1e-3)
    assert p.noether_sample_size(0.75, power=0.8) == pytest.approx(16.487, abs=1e-3)


def test_familywise() -> None:
    assert [p.familywise(0.05, m) for m in (1, 5, 10, 14, 20)] == pytest.approx(
        [0.05, 0.2262, 0.4013, 0.5123, 0.6415], abs=5e-5
    )


@pytest.mark.parametrize("k", [1, 2, 3, 5, 10, 20, 100])
def test_expected_maximum_by_another_integral(k: int) -> None:
    """E[M] = int_0^inf (1 - F^k(x) - F^k(-x)) dx."""
    value, _ = integrate.quad(lambda x: 1 - stats.norm.cdf(x) ** k - stats.norm.cdf(-x) ** k, 0, 12)
    assert p.expected_maximum(k) == pytest.approx(value, abs=1e-9)


def test_normal_means_beyond_a_cut() -> None:
    assert p.mean_above(-0.5) == pytest.approx(stats.truncnorm.mean(-0.5, np.inf), abs=1e-12)
    value = stats.norm(0.8, 0.5).expect(lambda x: np.minimum(x, 1.0), epsabs=1e-10)
    assert p.mean_below_ceiling(0.8, 0.5, 1.0) == pytest.approx(value, abs=1e-7)


@pytest.mark.parametrize("df", [math.inf, 8.0])
@pytest.mark.parametrize("effect", [0.5, 2.0, -1.0])
def test_retrodesign_by_integration(effect: float, df: float) -> None:
    error = stats.norm(effect) if math.isinf(df) else stats.t(df, effect)
    critical = stats.norm.isf(0.025) if math.isinf(df) else stats.t.isf(0.025, df)
    right, wrong = error.sf(critical), error.cdf(-critical)
    if effect < 0:
        right, wrong = wrong, right
    size = sum(
        integrate.quad(lambda x: abs(x) * error.pdf(x), *limits)[0]
        for limits in ((critical, np.inf), (-np.inf, -critical))
    )
    got = p.retrodesign(effect, 1.0, df=df)
    assert got.power == pytest.approx(right + wrong, abs=1e-9)
    assert got.type_s == pytest.approx(wrong / (right + wrong), abs=1e-9)
    assert got.exaggeration == pytest.approx(size / (right + wrong) / abs(effect), abs=1e-6)
