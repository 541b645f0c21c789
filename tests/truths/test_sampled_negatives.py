"""The truth of ``sampled_negatives`` against scipy's paired t test, scikit-learn's Jaccard distance and
Python's own sets with exact fractions."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import pairwise_distances
from sklearn.preprocessing import MultiLabelBinarizer

from support.truths import truth_of

TRUTH = truth_of("sampled_negatives")


@pytest.mark.parametrize("seed", range(4))
def test_factorial_against_paired_tests(seed: int) -> None:
    draw = np.random.default_rng(seed)
    y = draw.normal(size=(3, 2, 2, 7)) + 3 * draw.normal(size=(3, 1, 1, 7))
    effects, errors = TRUTH.true_factorial(y)
    for number in range(3):
        (a, b), (c, d) = y[number]
        pairs = ((c + d) / 2, (a + b) / 2), ((b + d) / 2, (a + c) / 2), (d - b, c - a)
        for effect, (high, low) in enumerate(pairs):
            tested = stats.ttest_rel(high, low)
            np.testing.assert_allclose(effects[number, effect], (high - low).mean(), rtol=1e-10)
            np.testing.assert_allclose(errors[number, effect], stats.sem(high - low), rtol=1e-10)
            np.testing.assert_allclose(
                effects[number, effect] / errors[number, effect], tested.statistic, rtol=1e-9
            )


def shingles(document: np.ndarray, n: int) -> set[tuple[int, ...]]:
    ids = document.tolist()
    return {tuple(ids[i : i + n]) for i in range(len(ids) - n + 1)}


@pytest.mark.parametrize("n", [1, 2, 3, 5])
def test_near_duplicates_against_sets_and_scikit_learn(n: int) -> None:
    draw = np.random.default_rng(n)
    train, test = TRUTH.draw_documents(draw, n)
    names = draw.permutation(10**6)[:13] * 1000 + 10**6  # up to 10^9 and a little more
    train, test = ([names[one] for one in documents] for documents in (train, test))
    test += [train[0], train[0][: n - 1], np.zeros(0, dtype=np.int64)]
    largest, duplicate = TRUTH.true_near_duplicates(train, test, n, 0.4)
    known, asked = ([shingles(one, n) for one in documents] for documents in (train, test))
    for row, own in enumerate(asked):
        exact = max(Fraction(len(own & one), len(own | one)) if own | one else Fraction(0) for one in known)
        assert largest[row] == float(exact)
        assert duplicate[row] == (exact >= Fraction(2, 5))
    assert largest[-3:].tolist() == [1.0, 0.0, 0.0]
    # scikit-learn's distance of two empty rows is not ours, so rows without shingles are left out.
    full = [row for row, own in enumerate(asked) if own]
    table = MultiLabelBinarizer().fit([*known, *asked])
    near = 1 - pairwise_distances(
        table.transform([asked[row] for row in full]).astype(bool),
        table.transform(known).astype(bool),
        metric="jaccard",
    )
    np.testing.assert_allclose(largest[full], near.max(axis=1), rtol=1e-12, atol=1e-12)


def test_at_the_threshold() -> None:
    train, test = [np.array([1, 2, 4])], [np.array([1, 2, 3])]
    for threshold, due in ((1 / 3, True), (np.nextafter(1 / 3, 1), False)):
        largest, duplicate = TRUTH.true_near_duplicates(train, test, 2, threshold)
        assert largest.tolist() == [1 / 3]
        assert duplicate.tolist() == [due]


def test_the_solution_agrees() -> None:
    draw = np.random.default_rng(9)
    y = draw.normal(size=(4, 2, 2, 5))
    for got, due in zip(TRUTH.factorial(y), TRUTH.true_factorial(y), strict=True):
        np.testing.assert_allclose(got, due, rtol=1e-10, atol=1e-13)
    train, test = TRUTH.draw_documents(draw, 3)
    for got, due in zip(
        TRUTH.near_duplicates(train, test, 3, 0.3),
        TRUTH.true_near_duplicates(train, test, 3, 0.3),
        strict=True,
    ):
        np.testing.assert_array_equal(got, due)
