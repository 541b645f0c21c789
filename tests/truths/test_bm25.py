"""The truth of ``bm25`` against rank_bm25, and against counts by scikit-learn.

rank_bm25's own idf is Robertson's with a floor, so it gets the idf of the contract; its saturation, lengths
and sums are its own.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from rank_bm25 import BM25Okapi
from sklearn.feature_extraction.text import CountVectorizer

from support.truths import truth_of

TRUTH = truth_of("bm25")


class PositiveIdf(BM25Okapi):
    """BM25Okapi with a 1 inside the logarithm; ``nd`` are its own document frequencies."""

    def _calc_idf(self, nd: dict[str, int]) -> None:
        self.idf = {word: math.log(1 + (self.corpus_size - n + 0.5) / (n + 0.5)) for word, n in nd.items()}


def draw(seed: int) -> tuple[list[list[str]], list[str], float, float]:
    """Documents, some of them empty; a query with repeated and with unknown words; k1 and b."""
    rng = np.random.default_rng(seed)
    words = [f"w{i}" for i in range(12)]
    docs = [rng.choice(words[:9], length).tolist() for length in rng.integers(0, 20, 15)]
    docs[3], docs[4] = [], [words[0]]
    query = [*rng.choice(words, 6).tolist(), words[0], words[0], words[11]]
    return docs, query, float(rng.uniform(0.5, 2.0)), float(rng.uniform(0.1, 0.9))


@pytest.mark.parametrize("seed", range(5))
def test_against_rank_bm25(seed: int) -> None:
    docs, query, k1, b = draw(seed)
    due = PositiveIdf(docs, k1=k1, b=b).get_scores(query)
    np.testing.assert_allclose(TRUTH.torch_bm25(docs, query, k1, b), due, rtol=1e-12)
    due = PositiveIdf(docs, k1=1.2, b=0.75).get_scores(query)
    np.testing.assert_allclose(TRUTH.torch_bm25(docs, query), due, rtol=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_against_rank_bm25_where_idf_is_its_own(seed: int) -> None:
    # Without its floor, the idf of the contract is ln(1 + exp(idf of rank_bm25)).
    docs, query, k1, b = draw(seed)
    other = BM25Okapi(docs, k1=k1, b=b, epsilon=0.0)
    for word in query:
        n = sum(word in doc for doc in docs)
        if not 0 < n < len(docs) / 2:
            continue  # the floor
        factor = math.log1p(math.exp(other.idf[word])) / other.idf[word]
        due = factor * other.get_scores([word])
        np.testing.assert_allclose(TRUTH.torch_bm25(docs, [word], k1, b), due, rtol=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_against_counts_of_scikit_learn(seed: int) -> None:
    docs, query, k1, b = draw(seed)
    counter = CountVectorizer(analyzer=list)
    tf = counter.fit_transform(docs).toarray().astype(float)
    n, dl = (tf > 0).sum(axis=0), tf.sum(axis=1, keepdims=True)
    times = counter.transform([query]).toarray()[0]
    idf = np.log((len(docs) + 1) / (n + 0.5))
    with np.errstate(invalid="ignore"):
        weights = (k1 + 1) * tf / (k1 * (1 - b + b * dl / dl.mean()) + tf)
    np.testing.assert_allclose(TRUTH.torch_bm25(docs, query, k1, b), weights @ (times * idf), rtol=1e-12)


def test_nothing_to_score() -> None:
    for docs in ([], [[]], [[], []]):
        for query in ([], ["a"]):
            np.testing.assert_array_equal(TRUTH.torch_bm25(docs, query), np.zeros(len(docs)))
    np.testing.assert_array_equal(TRUTH.torch_bm25([["a"], ["b"]], []), np.zeros(2))


def test_where_the_denominator_is_zero() -> None:
    docs = [["a", "a", "b"], [], ["b"]]
    idf = math.log(4 / 1.5)
    np.testing.assert_allclose(TRUTH.torch_bm25(docs, ["a"], 0.0, 0.75), [idf, 0, 0], rtol=1e-12)
    ratio = 3 / (4 / 3)
    due = idf * 2.2 * 2 / (1.2 * ratio + 2)
    np.testing.assert_allclose(TRUTH.torch_bm25(docs, ["a"], 1.2, 1.0), [due, 0, 0], rtol=1e-12)
