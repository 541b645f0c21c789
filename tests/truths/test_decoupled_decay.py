"""The truth of the calculations of ``decoupled_decay`` against decimal arithmetic and SciPy's quantiles."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal, localcontext

import numpy as np
import pytest
from scipy.stats import bootstrap
from scipy.stats.mstats import mquantiles

from support.truths import truth_of

TRUTH = truth_of("decoupled_decay")


def printed_as(k: int, n: int, places: int) -> set[int]:
    """What a percentage is printed as, in units of its last place: long division, then decimal rounding."""
    with localcontext() as context:
        context.prec = 60
        percent = Decimal(100 * k) / Decimal(n)
        unit = Decimal(1).scaleb(-places)
        ways = (percent.quantize(unit, rounding) for rounding in (ROUND_HALF_UP, ROUND_HALF_EVEN))
        return {int(way.scaleb(places)) for way in ways}


def test_every_percentage_of_few_outcomes() -> None:
    """All printed percentages of up to 64 outcomes with none or one decimal."""
    for places in (0, 1):
        values = np.arange(100 * 10**places + 3)
        for n in (*range(1, 33), 40, 64):
            possible = set().union(*(printed_as(k, n, places) for k in range(n + 1)))
            given = values, np.full(len(values), n), np.full(len(values), places)
            due = np.isin(values, sorted(possible))
            for truth in (TRUTH.enumerated_grim, TRUTH.true_grim, TRUTH.grim):
                np.testing.assert_array_equal(truth(*given), due)


@pytest.mark.parametrize("seed", range(3))
def test_halves_and_many_outcomes(seed: int) -> None:
    rng = np.random.default_rng(seed)
    for places in (0, 1, 2):
        given = TRUTH.draw_halves(rng, 60, places)
        due = [
            any(value in printed_as(k, n, places) for k in range(n + 1))
            for value, n in zip(given[0].tolist(), given[1].tolist(), strict=True)
        ]
        assert 0 < sum(due) < len(due)
        np.testing.assert_array_equal(TRUTH.enumerated_grim(*given), due)
        np.testing.assert_array_equal(TRUTH.true_grim(*given), due)
    for places in (4, 6):
        n = rng.integers(9 * 10**6, 10**7 + 1, 50)
        counts = rng.integers(0, n + 1)
        printed = np.array(
            [
                min(printed_as(k, m, places)) + rng.integers(0, 2)
                for k, m in zip(counts.tolist(), n.tolist(), strict=True)
            ]
        )
        due = []
        for value, m in zip(printed.tolist(), n.tolist(), strict=True):
            near = value * m // (100 * 10**places)
            due.append(any(value in printed_as(k, m, places) for k in range(near - 2, min(near + 3, m) + 1)))
        np.testing.assert_array_equal(TRUTH.true_grim(printed, n, np.full(50, places)), due)


@pytest.mark.parametrize("seed", range(3))
def test_intervals(seed: int) -> None:
    """Pair by pair in Python, with the quantile of Hyndman and Fan's type 7 from SciPy."""
    rng = np.random.default_rng(seed)
    ours, theirs, broken_ours, broken_theirs = TRUTH.draw_runs(rng, 3, 7)
    draws = rng.integers(0, 7, (150, 7))
    found = TRUTH.true_all_runs(ours, theirs, broken_ours, broken_theirs, 0.1, draws)
    for m in range(3):
        gap = [
            (0.1 if broken_ours[m, j] else ours[m, j]) - (0.1 if broken_theirs[m, j] else theirs[m, j])
            for j in range(7)
        ]
        means = [sum(gap[j] for j in draw) / 7 for draw in draws]
        low, high = mquantiles(means, [0.025, 0.975], alphap=1, betap=1)
        np.testing.assert_allclose(found[m], (sum(gap) / 7, low, high), rtol=1e-12, atol=1e-14)


def test_against_scipys_bootstrap() -> None:
    """SciPy draws its own resamples: with many of both the intervals agree."""
    rng = np.random.default_rng(0)
    ours, theirs, broken_ours, broken_theirs = TRUTH.draw_runs(rng, 1, 20)
    found = TRUTH.true_all_runs(
        ours, theirs, broken_ours, broken_theirs, 0.1, rng.integers(0, 20, (40_000, 20))
    )
    pairs = np.where(broken_ours, 0.1, ours)[0], np.where(broken_theirs, 0.1, theirs)[0]
    due = bootstrap(
        pairs,
        lambda a, b, axis: a.mean(axis) - b.mean(axis),
        paired=True,
        vectorized=True,
        method="percentile",
        n_resamples=40_000,
        rng=np.random.default_rng(1),
    ).confidence_interval
    assert found[0, 1:] == pytest.approx([due.low, due.high], abs=0.005)
