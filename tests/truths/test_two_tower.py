"""PyTorch's cross entropy, which is the truth of ``two_tower``, against two independent libraries.

keras_rs has the correction and the removal of accidental hits as layers. pytorch-metric-learning has the
softmax of one positive among the negatives of its anchor; there the pairs are listed one by one, and the
correction becomes one more component of the vectors.
"""

from __future__ import annotations

import os

os.environ["KERAS_BACKEND"] = "torch"

import keras
import keras_rs
import numpy as np
import pytest
import torch
from keras_rs.src.layers.retrieval import remove_accidental_hits
from numpy.typing import NDArray
from pytorch_metric_learning.distances import DotProductSimilarity
from pytorch_metric_learning.losses import NTXentLoss

from support.truths import truth_of

TRUTH = truth_of("two_tower")


def draw(seed: int, pairs: int, kinds: int) -> tuple[NDArray, NDArray, NDArray, NDArray]:
    """Users, items, ids of so many kinds, and log_q."""
    rng = np.random.default_rng([seed, pairs, kinds])
    users, items = rng.normal(size=(2, pairs, 5))
    ids = rng.permutation(10 + np.arange(pairs) % kinds)
    return users, items, ids, np.log(rng.uniform(0.001, 0.3, pairs))


def compare(batch: tuple, due: torch.Tensor, inputs: list[torch.Tensor]) -> None:
    loss, gradients = TRUTH.torch_in_batch(*batch)
    np.testing.assert_allclose(loss, due.item(), rtol=1e-11, atol=1e-13)
    for gradient, tensor in zip(gradients, torch.autograd.grad(due, inputs), strict=True):
        np.testing.assert_allclose(gradient, tensor.numpy(), rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("temperature", [0.07, 2.0])
@pytest.mark.parametrize(("pairs", "kinds"), [(1, 1), (4, 1), (6, 2), (7, 5), (8, 8)])
@pytest.mark.parametrize("seed", range(2))
def test_keras_rs(
    seed: int, pairs: int, kinds: int, temperature: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Version 0.4.0 adds a positive number near 1e-40 to accidental hits, which leaves them in. Its search for
    # them is what is used here, with a large negative number in that place.
    monkeypatch.setattr(remove_accidental_hits, "SMALLEST_FLOAT", -1e30)
    users, items, ids, log_q = draw(seed, pairs, kinds)
    inputs = [torch.tensor(rows, requires_grad=True) for rows in (users, items)]
    scores, labels = inputs[0] @ inputs[1].T / temperature, torch.eye(pairs, dtype=torch.float64)
    # Its clip of the probabilities would cut off none of these.
    logits = keras_rs.layers.SamplingProbabilityCorrection(dtype="float64")(
        scores, torch.tensor(np.exp(log_q))
    )
    logits = keras_rs.layers.RemoveAccidentalHits(dtype="float64")(logits, labels, torch.tensor(ids))
    loss = keras.ops.categorical_crossentropy(labels, logits, from_logits=True).mean()
    compare((users, items, ids, log_q, temperature), loss, inputs)


@pytest.mark.parametrize("temperature", [0.07, 2.0])
@pytest.mark.parametrize(("pairs", "kinds"), [(6, 2), (7, 5), (8, 8)])
@pytest.mark.parametrize("seed", range(2))
def test_pytorch_metric_learning(seed: int, pairs: int, kinds: int, temperature: float) -> None:
    users, items, ids, log_q = draw(seed, pairs, kinds)
    inputs = [torch.tensor(rows, requires_grad=True) for rows in (users, items)]
    wide_users = torch.cat([inputs[0] / temperature, torch.ones(pairs, 1, dtype=torch.float64)], dim=1)
    wide_items = torch.cat([inputs[1], -torch.tensor(log_q)[:, None]], dim=1)
    own = torch.arange(pairs)
    negatives = torch.tensor(np.argwhere(ids[:, None] != ids[None, :]).T)
    criterion = NTXentLoss(temperature=1.0, distance=DotProductSimilarity(normalize_embeddings=False))
    loss = criterion(wide_users, ref_emb=wide_items, ref_labels=own, indices_tuple=(own, own, *negatives))
    compare((users, items, ids, log_q, temperature), loss, inputs)
