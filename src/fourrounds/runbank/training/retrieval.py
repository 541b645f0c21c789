"""Training of the family ``retrieval``: two towers over documentation text, many models at once, and
BM25."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy import sparse

from fourrounds.runbank.families import RETRIEVAL, Config, Run
from fourrounds.runbank.training.corpus import PACKAGES, SHORTEST_QUERY, corpus
from fourrounds.runbank.training.optimisers import Optimiser
from fourrounds.runbank.training.outcome import Price, Recorder, Trained
from fourrounds.runbank.training.streams import initial, stream, tensor

NAME = RETRIEVAL.name
TEST_PACKAGES = ("matplotlib", "networkx")
CANDIDATES, DOCUMENTS = 2000, 2000
WORD_DIMENSION, TOWER_DIMENSION = 256, 64
EPOCHS, DRAWN, TEMPERATURE, FIRST = 8, 1920, 0.1, 10
K1, B = 1.2, 0.75
RAREST = 3
"""A word counts if it stands in so many documents."""


def together(config: Config) -> tuple[object, ...]:
    """What runs must share to be trained in one batch."""
    return tuple(config[name] for name in ("method", "negatives"))


def large(config: Config) -> bool:
    """Whether a model is large: these have many parameters for few examples."""
    return config["method"] == "tower"


def price(config: Config) -> Price:
    """Two linear towers and the products of a batch's queries with its documents."""
    if config["method"] != "tower":
        return Price(0, 0, 0)
    weights, examples = WORD_DIMENSION * TOWER_DIMENSION, EPOCHS * DRAWN
    # The texts' features need no gradient: two products for each tower, three for the scores.
    towers, scores = 2 * 2 * weights, 3 * (int(config["negatives"]) + 1) * TOWER_DIMENSION
    return Price(2 * weights, examples, 2 * examples * (towers + scores))


@dataclass(frozen=True)
class _Texts:
    """The corpus as numbers.

    ``queries`` (pairs, WORD_DIMENSION) are the features of all queries that may be trained on,
    ``document`` (pairs,) whose they are, ``summary`` (documents,) which of them is a document's summary
    line; ``bodies`` (documents, WORD_DIMENSION); ``package`` (documents,); ``lexical`` and ``asked`` are
    BM25's weights of bodies and the word counts of summary lines.
    """

    queries: torch.Tensor
    document: np.ndarray
    summary: np.ndarray
    bodies: torch.Tensor
    package: np.ndarray
    lexical: sparse.csr_matrix
    asked: sparse.csr_matrix


@functools.cache
def _texts() -> _Texts:
    known = corpus()
    documents = len(known.bodies)
    frequency = Counter(word for body in known.bodies for word in set(body))
    vocabulary = {word: k for k, word in enumerate(sorted(w for w, n in frequency.items() if n >= RAREST))}
    df = np.array([frequency[word] for word in vocabulary])
    idf = np.log(1 + (documents - df + 0.5) / (df + 0.5))

    def counts(texts: Sequence[tuple[str, ...]]) -> sparse.csr_matrix:
        where = [
            (row, vocabulary[w], n)
            for row, t in enumerate(texts)
            for w, n in Counter(t).items()
            if w in vocabulary
        ]
        rows, columns, values = zip(*where, strict=True)
        return sparse.csr_matrix(
            (np.array(values, float), (rows, columns)), shape=(len(texts), len(vocabulary))
        )

    vectors = stream(NAME, "words").standard_normal((len(vocabulary), WORD_DIMENSION))

    def features(matrix: sparse.csr_matrix) -> torch.Tensor:
        """Random word vectors, summed with tf-idf weights, to unit length: a random projection of the
        words."""
        weights = matrix.copy()
        weights.data = 1 + np.log(weights.data)
        summed = weights.multiply(idf[None]).tocsr() @ vectors
        return tensor(summed / np.maximum(np.linalg.norm(summed, axis=1, keepdims=True), 1e-12))

    texts: list[tuple[str, ...]] = []
    owner: list[int] = []
    summary: list[int] = []
    for number, (query, sentences) in enumerate(zip(known.queries, known.sentences, strict=True)):
        summary.append(len(texts))
        asked = [query, *(s for s in sentences if len(s) >= SHORTEST_QUERY)]
        texts += asked
        owner += [number] * len(asked)
    bodies, queries = counts(known.bodies), counts(texts)
    length = np.asarray(bodies.sum(1)).ravel()
    weighted = bodies.tocoo()
    damped = weighted.data + K1 * (1 - B + B * length[weighted.row] / length.mean())
    weighted.data = idf[weighted.col] * weighted.data * (K1 + 1) / damped
    return _Texts(
        features(queries),
        np.array(owner),
        np.array(summary),
        features(bodies),
        np.array(known.package),
        weighted.tocsr(),
        queries[summary],
    )


@functools.cache
def _fixed() -> tuple[np.ndarray, np.ndarray]:
    """The test documents, and the candidates of a search: the test documents, then others of all
    packages."""
    package = _texts().package
    tested = [PACKAGES.index(name) for name in TEST_PACKAGES]
    rng = stream(NAME, "test")
    test = rng.permutation(np.flatnonzero(np.isin(package, tested)))[: RETRIEVAL.n_test]
    others = rng.permutation(np.setdiff1d(np.arange(len(package)), test))
    return test, np.concatenate([test, others[: CANDIDATES - len(test)]])


@functools.lru_cache(maxsize=256)
def _drawn(
    split_seed: int, split: str, popularity: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Validation documents; the pairs that may be drawn, their probabilities, and the log of each
    document's."""
    texts = _texts()
    pool = np.setdiff1d(np.arange(len(texts.package)), _fixed()[0])
    if split == "package":
        tested = [PACKAGES.index(name) for name in TEST_PACKAGES]
        pool = pool[~np.isin(texts.package[pool], tested)]
    mixed = stream(NAME, "split", split_seed).permutation(pool)
    val, chosen = mixed[: RETRIEVAL.n_val], mixed[RETRIEVAL.n_val : RETRIEVAL.n_val + DOCUMENTS]
    queries = np.bincount(texts.document, minlength=len(texts.package))
    weight = np.zeros(len(texts.package))
    weight[chosen] = queries[chosen] if popularity == "sentences" else 1 / np.arange(1, len(chosen) + 1)
    weight /= weight.sum()
    pairs = np.flatnonzero(weight[texts.document] > 0)
    return val, pairs, (weight / queries)[texts.document[pairs]], np.log(np.where(weight > 0, weight, 1.0))


def _first_ten(scores: torch.Tensor, own: torch.Tensor, itself: np.ndarray) -> torch.Tensor:
    """Whether fewer than FIRST other candidates score above a query's own document.

    ``scores`` (..., candidates), ``own`` (...); ``itself`` (..., candidates) marks the document where it
    is a candidate: its score, computed in another order, may differ in the last bit, and it must not beat
    itself. Ties are in its favour; scores that are no numbers are not.
    """
    return (~(scores <= own[..., None]) & ~torch.as_tensor(itself)).sum(-1) < FIRST


def train(runs: Sequence[Run]) -> Trained:
    """Train runs that share what :func:`together` names; results in the order of ``runs``."""
    config, models = runs[0].config, len(runs)
    texts, (test, candidates) = _texts(), _fixed()
    drawn = [_drawn(run.split, str(run.config["split"]), str(run.config["popularity"])) for run in runs]
    asked = np.stack([np.concatenate([val, test]) for val, *_ in drawn])
    record = Recorder(models, float("inf"))

    def evaluate(right: torch.Tensor) -> None:
        record.epoch(right[:, : RETRIEVAL.n_val], right[:, RETRIEVAL.n_val :])

    if config["method"] == "bm25":
        scores = [tensor((texts.asked[rows] @ texts.lexical[candidates].T).toarray()) for rows in asked]
        own = [tensor(np.asarray(texts.asked[r].multiply(texts.lexical[r]).sum(1)).ravel()) for r in asked]
        found = zip(scores, own, asked, strict=True)
        evaluate(torch.stack([_first_ten(s, o, rows[:, None] == candidates) for s, o, rows in found]))
        return record.result()

    start = initial(NAME, {"tower": (WORD_DIMENSION, TOWER_DIMENSION)}, [run.init for run in runs])["tower"]
    # Both towers begin as the same projection, which keeps the words that a query and a document share.
    query_tower, body_tower = start.clone().requires_grad_(), start.clone().requires_grad_()

    def towers(queries: torch.Tensor, bodies: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        normalize = torch.nn.functional.normalize
        return normalize(queries @ query_tower, dim=-1), normalize(bodies @ body_tower, dim=-1)

    def search() -> None:
        with torch.no_grad():
            q, own = towers(texts.queries[texts.summary[asked]], texts.bodies[asked])
            found = torch.nn.functional.normalize(texts.bodies[candidates] @ body_tower, dim=-1)
            evaluate(_first_ten(q @ found.mT, (q * own).sum(-1), asked[..., None] == candidates))

    if config["method"] == "untrained":
        search()
        return record.result()

    batch = int(config["negatives"]) + 1
    lr = tensor([float(run.config["lr"]) for run in runs])
    optimiser = Optimiser("adam", [query_tower, body_tower], lr)
    correct = torch.tensor([run.config["logq"] == "yes" for run in runs])[:, None]
    log_q = tensor(np.stack([log for *_, log in drawn]))
    rngs = [stream(NAME, "order", run.order) for run in runs]
    itself, rows = torch.eye(batch, dtype=torch.bool), torch.arange(models)[:, None]
    for _ in range(EPOCHS):
        chosen = np.stack(
            [rng.choice(pairs, DRAWN, p=p) for rng, (_, pairs, p, _) in zip(rngs, drawn, strict=True)]
        )
        for step in range(DRAWN // batch):
            pair = chosen[:, step * batch : (step + 1) * batch]
            document = torch.tensor(texts.document[pair])
            q, d = towers(texts.queries[pair], texts.bodies[document])
            logits = q @ d.mT / TEMPERATURE - torch.where(correct, log_q[rows, document], 0.0)[:, None]
            # Another copy of the query's own document is no negative.
            hits = (document[:, :, None] == document[:, None]) & ~itself
            logits = logits.masked_fill(hits, -torch.inf)
            losses = -torch.log_softmax(logits, -1).diagonal(dim1=1, dim2=2).mean(-1)
            record.loss(losses)
            optimiser.step(losses.sum())
        search()
    return record.result()
