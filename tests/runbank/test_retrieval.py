"""The trainer of ``retrieval``: BM25, the draws of pairs and the loss, all written out anew.

They read a small invented corpus.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator

import numpy as np
import pytest
import small_corpus
import torch

from fourrounds.runbank.families import RETRIEVAL, Config, Run
from fourrounds.runbank.training import retrieval
from fourrounds.runbank.training.corpus import PACKAGES, Corpus
from fourrounds.runbank.training.outcome import Recorder, Trained
from fourrounds.runbank.training.streams import stream

DRAWS = [(s, p) for s in ("package", "random") for p in ("sentences", "zipf")]
UNTRAINED: Config = {"method": "untrained", "lr": 0.0}
BM25: Config = {"method": "bm25", "lr": 0.0}


@pytest.fixture(scope="module")
def small() -> Iterator[Corpus]:
    with small_corpus.installed() as known:
        yield known


def train(changes: Config, init: int = 0, split_seed: int = 0, order: int = 0) -> Trained:
    return retrieval.train([Run({**RETRIEVAL.reference, **changes}, init, split_seed, order)])


# -- BM25


def bm25(known: Corpus, query: tuple[str, ...], number: int) -> float:
    """Okapi BM25 (k1 = 1.2, b = 0.75) of a document, over all documents.

    The idf has a 1 inside the logarithm, as in Lucene; rank_bm25's has none, but a floor. Words of fewer
    than three documents do not count, neither in the score nor in the lengths. A word that a query has
    twice counts twice.
    """
    counts = [Counter(body) for body in known.bodies]
    df = Counter(word for count in counts for word in count)
    lengths = [sum(n for word, n in count.items() if df[word] >= 3) for count in counts]
    ratio = lengths[number] / (sum(lengths) / len(lengths))
    score = 0.0
    for word in query:
        tf = counts[number][word]
        if df[word] >= 3 and tf:
            idf = math.log(1 + (len(counts) - df[word] + 0.5) / (df[word] + 0.5))
            score += idf * tf * 2.2 / (tf + 1.2 * (0.25 + 0.75 * ratio))
    return score


def test_bm25_is_its_formula(small: Corpus) -> None:
    texts = retrieval._texts()
    scores = (texts.asked @ texts.lexical.T).tocsr()
    df = Counter(word for body in small.bodies for word in set(body))
    rare = next(k for k, body in enumerate(small.bodies) if any(df[word] < 3 for word in body))
    twice = next(k for k, query in enumerate(small.queries) if len(set(query)) < len(query))
    for query, document in ((0, 0), (0, 1), (3, rare), (rare, rare), (twice, twice), (twice, 5)):
        due = bm25(small, small.queries[query], document)
        assert scores[query, document] == pytest.approx(due, rel=1e-12, abs=1e-12)


def beaten(scores: np.ndarray, own: np.ndarray, documents: np.ndarray) -> np.ndarray:
    """How many candidates score above each query's own document, which is not one of the others.

    An equal score is not above. Scores that differ in their rounding alone are equal.
    """
    candidates = retrieval._fixed()[1]
    above = scores > own[:, None] + 1e-9
    return (above & (candidates != documents[:, None])).sum(1)


@pytest.mark.parametrize("first", [1, 3, 10])
def test_bm25_succeeds_where_its_document_is_among_the_first(
    small: Corpus, first: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retrieval, "FIRST", first)
    texts, (test, candidates) = retrieval._texts(), retrieval._fixed()
    scores = (texts.asked @ texts.lexical.T).toarray()
    made = train(BM25)
    for documents, counts in ((test, made.test), (retrieval._drawn(0, "package", "sentences")[0], made.val)):
        found = beaten(scores[documents][:, candidates], scores[documents, documents], documents) < first
        assert counts[0, 0] == found.sum()
    np.testing.assert_array_equal(
        made.correct[0], beaten(scores[test][:, candidates], scores[test, test], test) < first
    )


# -- who is trained on what


def test_candidates_begin_with_the_test_documents(small: Corpus) -> None:
    test, candidates = retrieval._fixed()
    assert len(set(candidates)) == len(candidates) == small_corpus.CANDIDATES
    np.testing.assert_array_equal(candidates[: RETRIEVAL.n_test], test)
    assert {PACKAGES[small.package[k]] for k in test} == {"matplotlib", "networkx"}
    assert {PACKAGES[small.package[k]] for k in candidates} == set(PACKAGES)


@pytest.mark.parametrize(("parted", "popularity"), DRAWS)
@pytest.mark.parametrize("seed", [0, 29])
def test_no_test_or_validation_document_is_trained_on(
    small: Corpus, seed: int, parted: str, popularity: str
) -> None:
    test = set(retrieval._fixed()[0])
    val, pairs, *_ = retrieval._drawn(seed, parted, popularity)
    trained = set(retrieval._texts().document[pairs])
    assert (len(set(val)), len(trained)) == (RETRIEVAL.n_val, small_corpus.TRAINED)
    assert not trained & test
    assert not trained & set(val)
    assert not test & set(val)
    packages = {PACKAGES[small.package[k]] for k in (*trained, *val)}
    assert packages == ({"numpy", "scipy", "scikit-learn"} if parted == "package" else set(PACKAGES))


def test_pairs_are_summary_lines_and_sentences_of_three_words_or_more(small: Corpus) -> None:
    texts = retrieval._texts()
    for number in (0, 1, 700):
        mine = np.flatnonzero(texts.document == number)
        assert len(mine) == 1 + sum(len(sentence) >= 3 for sentence in small.sentences[number])
        assert texts.summary[number] == mine[0]
    torch.testing.assert_close(texts.queries.norm(dim=1), torch.ones(len(texts.queries), dtype=torch.float64))


@pytest.mark.parametrize(("parted", "popularity"), DRAWS)
def test_logq_is_the_log_of_how_often_a_document_is_drawn(
    small: Corpus, parted: str, popularity: str
) -> None:
    _, pairs, probability, log_q = retrieval._drawn(2, parted, popularity)
    owner = retrieval._texts().document[pairs]
    assert probability.sum() == pytest.approx(1)
    drawn = np.bincount(owner, probability, len(small.bodies))
    trained = np.unique(owner)
    np.testing.assert_allclose(log_q[trained], np.log(drawn[trained]))
    if popularity == "sentences":
        np.testing.assert_allclose(probability, 1 / len(pairs))
    else:
        due = 1 / np.arange(1, len(trained) + 1)
        np.testing.assert_allclose(np.sort(drawn[trained])[::-1], due / due.sum())


# -- the towers


def unit(x: np.ndarray) -> np.ndarray:
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def first_tower(init: int) -> np.ndarray:
    """What both towers are at the start: variance 2 / 256."""
    return stream("retrieval", "init", init).standard_normal((256, 64)) * (2 / 256) ** 0.5


def loss_of(q: torch.Tensor, d: torch.Tensor, document: np.ndarray, log_q: np.ndarray) -> torch.Tensor:
    """The cross entropy of each query among the documents of the batch, copies of its own left out."""
    losses = []
    for i in range(len(q)):
        others = [j for j in range(len(q)) if j == i or document[j] != document[i]]
        logits = torch.stack([q[i] @ d[j] / 0.1 - log_q[document[j]] for j in others])
        losses.append(torch.nn.functional.cross_entropy(logits, torch.tensor(others.index(i))))
    return torch.stack(losses).mean()


@pytest.mark.parametrize("changes", [{}, {"logq": "yes", "popularity": "zipf"}, {"negatives": 127}])
def test_training_is_a_loop_over_the_batch(
    small: Corpus, changes: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch of Zipf's draws, or a large one, has some documents more than once."""
    monkeypatch.setattr(retrieval, "DRAWN", 128)
    losses: list[float] = []
    monkeypatch.setattr(Recorder, "loss", lambda self, values: losses.append(values.item()))
    train({"lr": 0.01, **changes}, init=1, split_seed=2, order=3)
    config = {**RETRIEVAL.reference, **changes}
    texts, batch = retrieval._texts(), int(config["negatives"]) + 1
    _, pairs, probability, _ = retrieval._drawn(2, "package", str(config["popularity"]))
    log_q = np.zeros(len(small.bodies))
    if config["logq"] == "yes":
        np.add.at(log_q, texts.document[pairs], probability)
        log_q = np.log(np.maximum(log_q, 1e-300))
    queries, bodies = (torch.tensor(first_tower(1), requires_grad=True) for _ in range(2))
    optimiser = torch.optim.Adam([queries, bodies], lr=0.01)
    rng, due, copies = stream("retrieval", "order", 3), [], 0
    for _ in range(small_corpus.EPOCHS):
        for chosen in np.split(rng.choice(pairs, 128, p=probability), 128 // batch):
            document = texts.document[chosen]
            copies += batch - len(set(document))
            q, d = texts.queries[chosen] @ queries, texts.bodies[document] @ bodies
            loss = loss_of(q / q.norm(dim=1, keepdim=True), d / d.norm(dim=1, keepdim=True), document, log_q)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            due.append(loss.item())
    assert copies > 0
    np.testing.assert_allclose(losses, due, rtol=1e-9)


@pytest.mark.parametrize("first", [1, 3, 10])
def test_towers_succeed_where_their_document_is_among_the_first(
    small: Corpus, first: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retrieval, "FIRST", first)
    texts, (test, candidates) = retrieval._texts(), retrieval._fixed()
    q, d = (unit(x.numpy() @ first_tower(4)) for x in (texts.queries[texts.summary], texts.bodies))
    made = train(UNTRAINED, init=4)
    for documents, counts in ((test, made.test), (retrieval._drawn(0, "package", "sentences")[0], made.val)):
        own = (q[documents] * d[documents]).sum(1)
        assert counts[0, 0] == (beaten(q[documents] @ d[candidates].T, own, documents) < first).sum()
