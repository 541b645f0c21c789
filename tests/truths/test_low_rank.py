"""The truth of low_rank against exact fractions, SciPy and the sandwich of a regression."""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations

import numpy as np
import pytest
from scipy import stats

from support.truths import truth_of

TRUTH = truth_of("low_rank")


@pytest.mark.parametrize("seed", range(4))
def test_the_expected_maximum_is_that_of_every_choice(seed: int) -> None:
    rng = np.random.default_rng(seed)
    scores, k = rng.integers(0, 9, (3, 8)) / 10, np.array([1, 2, 5, 8])
    due = np.empty((3, 4))
    for row, column in np.ndindex(due.shape):
        exact = [Fraction(str(value)) for value in scores[row].tolist()]
        best = [max(choice) for choice in combinations(exact, int(k[column]))]
        due[row, column] = float(sum(best) / len(best))
    for found in (TRUTH.true_expected_max, TRUTH.enumerated_max, TRUTH.expected_max):
        assert np.allclose(found(scores, k), due, rtol=1e-12, atol=1e-12)


def test_the_expected_maximum_of_many_follows_the_hypergeometric_law() -> None:
    """All k of n are among the i smallest as often as k successes are drawn from i in n."""
    rng = np.random.default_rng(5)
    scores, k = rng.normal(size=(2, 2000)), np.array([3, 1000, 1999])
    below = stats.hypergeom.pmf(k[:, None], 2000, np.arange(2001)[None], k[:, None])
    due = np.sort(scores, axis=1) @ np.diff(below, axis=1).T
    assert np.allclose(TRUTH.true_expected_max(scores, k), due, rtol=1e-7)
    assert np.allclose(TRUTH.expected_max(scores, k), due, rtol=1e-7)


@pytest.mark.parametrize("seed", range(4))
def test_the_clustered_error_is_the_sandwich_of_a_regression(seed: int) -> None:
    rng = np.random.default_rng(seed)
    ours, theirs, run = TRUTH.draw_items(rng, 5)
    d = ours.astype(float) - theirs
    ones = np.ones((len(d), 1))
    coefficient = np.linalg.lstsq(ones, d, rcond=None)[0]
    scores = ones * (d - ones @ coefficient)[:, None]
    summed = np.stack([scores[run == one].sum(0) for one in np.unique(run)])
    bread = np.linalg.inv(ones.T @ ones)
    variance = 5 / 4 * bread @ summed.T @ summed @ bread
    for found in (TRUTH.true_clustered, TRUTH.clustered_difference):
        assert found(ours, theirs, run) == pytest.approx(
            (coefficient[0], variance[0, 0] ** 0.5), rel=1e-9, abs=1e-12
        )


def test_with_runs_of_one_size_it_is_the_error_of_the_runs_means() -> None:
    rng = np.random.default_rng(7)
    ours, theirs = rng.random((6, 10)) < 0.8, rng.random((6, 10)) < 0.5
    means = (ours.astype(float) - theirs).mean(1)
    found = TRUTH.true_clustered(ours.ravel(), theirs.ravel(), np.repeat(np.arange(6), 10))
    assert found == pytest.approx((means.mean(), stats.sem(means)), rel=1e-12)
