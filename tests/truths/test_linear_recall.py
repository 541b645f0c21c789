"""The truths of ``linear_recall`` against scipy's permutation test and the closure principle."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from scipy.stats import permutation_test

from support.truths import truth_of

TRUTH = truth_of("linear_recall")


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("n", [3, 8, 11])
def test_all_changes_of_sign_are_those_of_scipy(seed: int, n: int) -> None:
    differences = TRUTH.draw_differences(np.random.default_rng(seed), 4, n)
    due = [
        permutation_test((row,), np.sum, permutation_type="samples", n_resamples=np.inf).pvalue
        for row in differences
    ]
    np.testing.assert_allclose(TRUTH.true_sign_flip(differences, None), due, rtol=1e-12)


def test_given_flips_are_counted_beside_the_data() -> None:
    rng = np.random.default_rng(0)
    differences = rng.normal(0.3, 1, (3, 17))
    flips = TRUTH.draw_flips(rng, 200, 17)
    for row, p in zip(differences, TRUTH.true_sign_flip(differences, flips), strict=True):
        out = sum(abs(float(np.dot(row, flip))) >= abs(row.sum()) for flip in flips)
        assert p == pytest.approx((1 + out) / 201)


def closed(p: list[float]) -> list[float]:
    """Each hypothesis falls when every intersection that it belongs to does, by Bonferroni's test."""
    tests = range(len(p))
    sets = [chosen for size in range(1, len(p) + 1) for chosen in combinations(tests, size)]
    return [max(min(1.0, len(s) * min(p[j] for j in s)) for s in sets if i in s) for i in tests]


@pytest.mark.parametrize("seed", range(5))
def test_holm_is_the_closure_of_bonferroni(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows = TRUTH.draw_p(rng, 2, 8)
    rows[0, 1] = rows[0, 4]  # a tie
    np.testing.assert_allclose(TRUTH.true_holm(rows), [closed(row) for row in rows.tolist()], rtol=1e-12)
    rows[:, 2] = np.nan
    kept = np.delete(rows, 2, axis=1)
    found = TRUTH.true_holm(rows)
    assert np.isnan(found[:, 2]).all()
    np.testing.assert_allclose(
        np.delete(found, 2, axis=1), [closed(row) for row in kept.tolist()], rtol=1e-12
    )
