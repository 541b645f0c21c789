"""The truth of ``embedding_dimension`` against NumPy's polynomials, exact fractions and scikit-learn."""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression
from sklearn.metrics import r2_score
from sklearn.metrics.pairwise import cosine_similarity
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler, normalize

from support.truths import truth_of

TRUTH = truth_of("embedding_dimension")
seeds = pytest.mark.parametrize("seed", range(5))


@seeds
@pytest.mark.parametrize("k", [1, 2, 3])
def test_the_curve_and_its_queries(seed: int, k: int) -> None:
    draw = np.random.default_rng(seed)
    nodes, relevant = draw.uniform(-2.0, 2.0, 6), np.zeros((8, 6), dtype=bool)
    for row in relevant:
        row[draw.choice(6, int(draw.integers(0, k + 1)), replace=False)] = True
    documents, queries = TRUTH.torch_curve(nodes, relevant, k)
    np.testing.assert_allclose(documents, np.vander(nodes, 2 * k + 1, increasing=True)[:, 1:], rtol=1e-12)
    for query, row in zip(queries, relevant, strict=True):
        square = np.polynomial.Polynomial.fromroots(nodes[row]) ** 2 if row.any() else None
        due = np.zeros(2 * k + 1)
        if square is not None:
            due[: len(square.coef)] = square.coef
        np.testing.assert_allclose(query, -due[1:], rtol=1e-10, atol=1e-10)


def test_every_pair_is_realised_in_exact_arithmetic() -> None:
    nodes = np.arange(7.0)
    pairs = np.array([[i in pair for i in range(7)] for pair in itertools.combinations(range(7), 2)])
    documents, queries = TRUTH.torch_curve(nodes, pairs, 2)
    for query, row in zip(queries, pairs, strict=True):
        scores = [
            sum(Fraction(float(a)) * Fraction(float(b)) for a, b in zip(query, x, strict=True))
            for x in documents
        ]
        inside = {score for score, member in zip(scores, row, strict=True) if member}
        assert len(inside) == 1
        assert max(score for score, member in zip(scores, row, strict=True) if not member) < inside.pop()


@seeds
def test_on_the_sphere(seed: int) -> None:
    draw = np.random.default_rng(seed)
    documents, queries = draw.normal(size=(7, 4)), draw.normal(size=(9, 4))
    relevant = np.arange(7) < draw.integers(1, 7, (9, 1))
    x, q = TRUTH.torch_sphere(documents, queries, relevant)
    scores = queries @ documents.T
    thresholds = [(min(row[yes]) + max(row[~yes])) / 2 for row, yes in zip(scores, relevant, strict=True)]
    np.testing.assert_allclose(x, normalize(np.c_[documents, np.ones(7)]), rtol=1e-12)
    np.testing.assert_allclose(q, normalize(np.c_[queries, np.negative(thresholds)]), rtol=1e-12)
    np.testing.assert_array_equal(np.sign(q @ x.T), np.sign(scores - np.array(thresholds)[:, np.newaxis]))


@seeds
@pytest.mark.parametrize("unit", [False, True])
def test_margins(seed: int, unit: bool) -> None:
    draw = np.random.default_rng(seed)
    documents, queries = draw.normal(size=(2, 6, 3)), draw.normal(size=(2, 8, 3))
    documents[0, 0] = queries[1, 1] = 0.0
    relevant = draw.random((2, 8, 6)) < 0.4
    relevant[0, 0], relevant[0, 1] = True, False
    margin, realised = TRUTH.torch_margins(documents, queries, relevant, unit)
    for b, i in np.ndindex(2, 8):
        score = cosine_similarity if unit else np.matmul
        others = documents[b] if unit else documents[b].T
        scores, yes = score(queries[b, i : i + 1], others)[0], relevant[b, i]
        gaps = [one - other for one in scores[yes] for other in scores[~yes]]
        np.testing.assert_allclose(margin[b, i], min(gaps, default=np.inf), rtol=1e-10, atol=1e-12)
        assert realised[b, i] == all(gap > 0 for gap in gaps)


@seeds
@pytest.mark.parametrize("degree", [0, 1, 3])
def test_extrapolate(seed: int, degree: int) -> None:
    draw = np.random.default_rng(seed)
    x, y = draw.permutation(np.arange(3.0, 33.0)), draw.uniform(1.0, 9.0, 30)
    kept, out = np.argsort(x)[:20], np.argsort(x)[20:]
    fit = make_pipeline(StandardScaler(), PolynomialFeatures(degree), LinearRegression())
    fit.fit(x[kept, np.newaxis], y[kept])
    r2, errors = TRUTH.torch_extrapolate(x, y, degree, 20)
    np.testing.assert_allclose(r2, r2_score(y[kept], fit.predict(x[kept, np.newaxis])), rtol=1e-8, atol=1e-12)
    np.testing.assert_allclose(errors, fit.predict(x[out, np.newaxis]) / y[out] - 1, rtol=1e-8)
