"""The truth of ``linear_attention`` against performer-pytorch's, which sums over the keys first."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from performer_pytorch.performer_pytorch import causal_linear_attention_noncuda, linear_attention

from support.truths import truth_of

TRUTH = truth_of("linear_attention")


def features(array: np.ndarray) -> torch.Tensor:
    """That implementation takes features, and so the paper's map comes from torch's own elu."""
    return torch.nn.functional.elu(torch.from_numpy(array)) + 1


@pytest.mark.parametrize("seed", range(5))
def test_linear_attention(seed: int) -> None:
    draw = np.random.default_rng(seed)
    q, k, v = (draw.normal(size=(2, 3, *rows)) for rows in ((5, 4), (7, 4), (7, 6)))
    due = linear_attention(features(q), features(k), torch.from_numpy(v)).numpy()
    np.testing.assert_allclose(TRUTH.torch_linear_attention(q, k, v), due, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_causal_linear_attention(seed: int) -> None:
    draw = np.random.default_rng(seed)
    q, k, v = (draw.normal(size=(2, 3, 11, size)) for size in (4, 4, 6))
    due = causal_linear_attention_noncuda(
        features(q), features(k), torch.from_numpy(v), chunk_size=4, eps=0.0
    ).numpy()
    np.testing.assert_allclose(TRUTH.torch_linear_attention(q, k, v, True), due, rtol=1e-9, atol=1e-12)
