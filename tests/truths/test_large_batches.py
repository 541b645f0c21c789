"""The truth of ``large_batches``: bootstrap intervals against SciPy's, stopping against its t tests."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from scipy import stats

from support.truths import truth_of

TRUTH = truth_of("large_batches")


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("method", ["percentile", "basic"])
def test_the_bootstrap_is_scipys(seed: int, method: str) -> None:
    rng = np.random.default_rng(seed)
    n, resamples, level = 9, 400, 0.9
    differences = rng.exponential(size=(3, n)) - 0.5
    # SciPy draws its indices from the generator that it is given, all at once, one set for each sample.
    draws = np.random.default_rng(seed).integers(0, n, (resamples, n))
    due = TRUTH.true_bootstrap(differences, draws, level, method == "basic")
    for row, ends in zip(differences, due, strict=True):
        found = stats.bootstrap(
            (row,),
            np.mean,
            n_resamples=resamples,
            confidence_level=level,
            method=method,
            random_state=np.random.default_rng(seed),
        ).confidence_interval
        np.testing.assert_allclose([found.low, found.high], ends, rtol=1e-12)


def test_the_quantile_is_that_of_the_contract() -> None:
    """In exact fractions, by position and straight line."""
    rng = np.random.default_rng(7)
    differences, draws = rng.integers(-8, 9, (2, 4)) / 8, rng.integers(0, 4, (11, 4))
    due = TRUTH.true_bootstrap(differences, draws, 0.75, False)
    for row, ends in zip(differences.tolist(), due, strict=True):
        means = sorted(sum((Fraction(row[i]) for i in draw), Fraction(0)) / 4 for draw in draws.tolist())
        for p, end in zip((Fraction(1, 8), Fraction(7, 8)), ends, strict=True):
            position = p * (len(means) - 1)
            below = math.floor(position)
            value = means[below] + (position - below) * (means[below + 1] - means[below])
            assert end == pytest.approx(float(value), rel=1e-12)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("start", "N"), [(2, 6), (5, 12)])
def test_stopping_by_scipys_t_tests(seed: int, start: int, N: int) -> None:
    rng = np.random.default_rng(seed)
    differences = rng.normal(0.3, 1.0, (200, N))
    critical = np.concatenate([[np.nan], stats.t.ppf(0.975, np.arange(1, N))])
    seeds, mean, share, exaggeration = TRUTH.true_stopping(differences, start, critical)
    at, found, whole = [], [], []
    for row, stopped, reported in zip(differences, seeds, mean, strict=True):
        walk = [stats.ttest_1samp(row[:n], 0.0).pvalue for n in range(start, N + 1)]
        hit = next((n for n, p in enumerate(walk, start) if p < 0.05), None)
        at.append(hit or N)
        assert reported == pytest.approx(row[:stopped].mean(), rel=1e-12)
        if hit:
            found.append(abs(row[:hit].mean()))
            whole.append(abs(row.mean()))
    assert seeds.tolist() == at
    assert share == len(found) / 200
    assert 0 < len(found) < 200
    assert exaggeration == pytest.approx(np.mean(found) / np.mean(whole), rel=1e-12)


def test_a_deviation_of_zero() -> None:
    sequences = np.array([[0.1] * 5, [0.0] * 5, [-3.0] * 5])
    seeds, mean, share, exaggeration = TRUTH.true_stopping(sequences, 3, np.full(5, 1e6))
    assert seeds.tolist() == [3, 5, 3]
    np.testing.assert_allclose(mean, [0.1, 0.0, -3.0])
    assert (share, exaggeration) == (2 / 3, pytest.approx(1.0))


def test_what_the_text_says_of_looking_after_every_seed() -> None:
    """15% false positives from five to twelve seeds, with differences 1.7 times those of all; 5% at a number
    that is fixed."""
    nothing = np.random.default_rng(0).normal(size=(20000, 12))
    critical = np.concatenate([[np.nan], stats.t.ppf(0.975, np.arange(1, 12))])
    _, _, share, exaggeration = TRUTH.stop_when_significant(nothing, 5, critical)
    assert share == pytest.approx(0.15, abs=0.01)
    assert exaggeration == pytest.approx(1.7, abs=0.05)
    assert TRUTH.stop_when_significant(nothing, 12, critical)[2] == pytest.approx(0.05, abs=0.005)
