"""An invented corpus, in place of the one that takes a quarter of a minute to read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest

from fourrounds.runbank.training import retrieval
from fourrounds.runbank.training.corpus import PACKAGES, Corpus

DOCUMENTS, WORDS = 1500, 3000
TRAINED, CANDIDATES, DRAWN, EPOCHS = 500, 700, 256, 2


def invented() -> Corpus:
    """Documents of some sentences; most words of a query stand in its body. The packages take turns."""
    rng = np.random.default_rng(0)
    words = [f"w{number}" for number in range(WORDS)]
    frequency = 1 / np.arange(10, WORDS + 10)

    def draw(count: int) -> tuple[str, ...]:
        return tuple(rng.choice(words, count, p=frequency / frequency.sum()).tolist())

    sentences = tuple(
        tuple(draw(count) for count in rng.integers(2, 9, rng.integers(2, 7))) for _ in range(DOCUMENTS)
    )
    bodies = tuple(sum(document, ()) for document in sentences)
    queries = tuple((*rng.choice(body, 3).tolist(), *draw(2)) for body in bodies)
    packages = tuple(k % len(PACKAGES) for k in range(DOCUMENTS))
    return Corpus(queries, sentences, bodies, packages, sha256="")


@contextmanager
def installed() -> Iterator[Corpus]:
    """Let ``retrieval`` read the invented corpus, with fewer documents in each set, and train for less."""
    known = invented()
    kept = (retrieval._texts, retrieval._fixed, retrieval._drawn)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(retrieval, "corpus", lambda: known)
        patch.setattr(retrieval, "DOCUMENTS", TRAINED)
        patch.setattr(retrieval, "CANDIDATES", CANDIDATES)
        patch.setattr(retrieval, "DRAWN", DRAWN)
        patch.setattr(retrieval, "EPOCHS", EPOCHS)
        for made in kept:
            made.cache_clear()
        yield known
    for made in kept:
        made.cache_clear()
