"""Where statsmodels covers the same case, it agrees; where it answers NaN, we do not.

Power and sample size of t-tests and of two proportions, corrections for many tests, cluster-robust errors,
the default analyses, and the exact McNemar test behind a power.
"""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
from scipy import stats
from statsmodels.api import OLS
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import NormalIndPower, TTestIndPower, TTestPower
from statsmodels.stats.proportion import proportion_effectsize
from statsmodels.stats.weightstats import CompareMeans, DescrStatsW

from fourrounds.design import Arm, Data, Design, EvaluationSet, Seeds, clustered_se, draw, power, worlds
from fourrounds.design import Test as Analysis
from fourrounds.design.analysis import analyse, correct


def by_statsmodels(d: float, n: float, paired: bool, alpha: float, sides: int) -> float:
    side = "two-sided" if sides == 2 else "larger"
    model = TTestPower() if paired else TTestIndPower()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return float(model.power(d, n, alpha, alternative=side))


@pytest.mark.parametrize("sides", [1, 2])
@pytest.mark.parametrize("alpha", [0.05, 0.01])
@pytest.mark.parametrize("paired", [False, True])
def test_the_power_of_t_tests(paired: bool, alpha: float, sides: int) -> None:
    compared = 0
    for d in (-0.5, 0.0, 0.2, 0.5, 1.0, 2.0):
        for n in (2, 3, 5, 10, 20, 50, 200):
            due = by_statsmodels(d, n, paired, alpha, sides)
            found = power.t_power(d, n, alpha=alpha, paired=paired, sides=sides)
            assert 0 <= found <= 1
            if math.isnan(due):
                continue
            compared += 1
            assert found == pytest.approx(due, abs=1e-8), (d, n)
    assert compared >= 30


@pytest.mark.parametrize(("d", "n", "paired"), [(2.0, 50, False), (2.0, 20, True)])
def test_where_statsmodels_has_given_up_there_is_a_number(d: float, n: int, paired: bool) -> None:
    """Its noncentral t is NaN at some large noncentralities; a version that answers must say what we say."""
    due = by_statsmodels(d, n, paired, 0.05, 2)
    found = power.t_power(d, n, paired=paired)
    assert found == pytest.approx(1.0 if math.isnan(due) else due, abs=1e-8)
    # A second route that has no NaN there: the mean over the chi distribution of a normal tail.
    df, shift = (n - 1, d * math.sqrt(n)) if paired else (2 * n - 2, d * math.sqrt(n / 2))
    critical = stats.t.isf(0.025, df)
    u = stats.chi2.ppf((np.arange(20_000) + 0.5) / 20_000, df)
    assert found == pytest.approx(stats.norm.sf(critical * np.sqrt(u / df) - shift).mean(), abs=1e-6)


@pytest.mark.parametrize("target", [0.8, 0.9])
@pytest.mark.parametrize("d", [0.2, 0.5, 0.8])
def test_sample_sizes(d: float, target: float) -> None:
    two = TTestIndPower().solve_power(d, power=target, alpha=0.05)
    pairs = TTestPower().solve_power(d, power=target, alpha=0.05)
    assert power.t_sample_size(d, power=target) == pytest.approx(two, rel=1e-6)
    assert power.t_sample_size(d, power=target, paired=True) == pytest.approx(pairs, rel=1e-6)


@pytest.mark.parametrize(("p1", "p2"), [(0.82, 0.80), (0.5, 0.4), (0.05, 0.10), (0.99, 0.90)])
def test_two_proportions(p1: float, p2: float) -> None:
    h = proportion_effectsize(p1, p2)
    assert power.proportion_effect(p1, p2) == pytest.approx(h, rel=1e-12)
    for n in (20, 500):
        due = NormalIndPower().power(h, n, 0.05)
        assert power.proportion_power(p1, p2, n) == pytest.approx(due, abs=1e-10)
    size = NormalIndPower().solve_power(abs(h), power=0.8, alpha=0.05)
    # statsmodels leaves out the lower tail when it solves, which is below 1e-6 here.
    assert power.proportion_sample_size(p1, p2) == pytest.approx(size, rel=1e-4)


@pytest.mark.parametrize("how", ["bonferroni", "holm"])
def test_corrections(how: str) -> None:
    rng = np.random.default_rng(0)
    p = np.concatenate([rng.uniform(size=(40, 6)) ** 2, [[0.01, 0.01, 0.5, 0.5, 1.0, 0.0]]])
    due = np.array([multipletests(row, method=how)[1] for row in p])
    assert correct(p, how) == pytest.approx(due, abs=1e-14)


@pytest.mark.parametrize("small_sample", [True, False])
def test_the_clustered_error_of_a_mean(small_sample: bool) -> None:
    rng = np.random.default_rng(1)
    for _ in range(10):
        clusters = rng.integers(0, 12, 80)
        scores = rng.standard_normal(12)[clusters] + rng.standard_normal(80)
        # A regression on a constant; its correction has (N - 1)/(N - K) = 1 besides G/(G - 1).
        kinds = {"groups": clusters, "use_correction": small_sample}
        due = OLS(scores, np.ones(80)).fit(cov_type="cluster", cov_kwds=kinds).bse[0]
        assert clustered_se(scores, clusters, small_sample=small_sample) == pytest.approx(due, rel=1e-10)


def data_of(design: Design) -> Data:
    return draw(design, worlds.heteroskedastic(2.0, effect=0.3), 30, seed=3)


@pytest.mark.parametrize("equal", [True, False])
def test_the_analysis_of_two_arms_over_seeds(equal: bool) -> None:
    """Student's and Welch's test and interval of the runs' means."""
    design = Design(
        arms=(Arm("baseline", seeds=7), Arm("treatment", seeds=5)),
        evaluation=EvaluationSet(3, 10),
        test=Analysis("seeds", equal_variances=equal),
    )
    data = data_of(design)
    found = analyse(design, data)
    for s in range(30):
        means = [data.scores[s, 0, a].mean(axis=(1, 2)) for a in (0, 1)]
        old, new = (DescrStatsW(one[~np.isnan(one)]) for one in means)
        how = "pooled" if equal else "unequal"
        both = CompareMeans(new, old)
        assert found.p[s, 0] == pytest.approx(both.ttest_ind(usevar=how)[1], rel=1e-8)
        low, high = both.tconfint_diff(usevar=how)
        assert (found.low[s, 0], found.high[s, 0]) == pytest.approx((low, high), rel=1e-8)


def test_the_analysis_of_pairs() -> None:
    design = Design(evaluation=EvaluationSet(9, 10), seeds=Seeds(4), test=Analysis("groups", paired=True))
    data = data_of(design)
    found = analyse(design, data)
    for s in range(30):
        gain = data.scores[s, 0, 1].mean(axis=(0, 2)) - data.scores[s, 0, 0].mean(axis=(0, 2))
        assert found.p[s, 0] == pytest.approx(DescrStatsW(gain).ttest_mean(0)[1], rel=1e-8)


def test_the_exact_mcnemar_test_behind_its_power() -> None:
    """By enumeration of all tables of 12 items, each tested by statsmodels; only the right sign counts."""
    p01, p10, n = 0.45, 0.1, 12
    due = 0.0
    for wins in range(n + 1):
        for losses in range(n + 1 - wins):
            rest = n - wins - losses
            if wins > losses and mcnemar([[rest, losses], [wins, 0]], exact=True).pvalue <= 0.05:
                due += stats.multinomial.pmf([wins, losses, rest], n, [p01, p10, 1 - p01 - p10])
    assert power.mcnemar_power(p01, p10, n) == pytest.approx(due, rel=1e-10)
