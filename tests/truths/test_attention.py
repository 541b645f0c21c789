"""PyTorch's attention, which is the truth of ``attention``, against the one that transformers' models use."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from transformers.models.llama.modeling_llama import eager_attention_forward

from support.truths import truth_of

TRUTH = truth_of("attention")


@pytest.mark.parametrize("seed", range(5))
def test_attention(seed: int) -> None:
    draw = np.random.default_rng(seed)
    q, k, v = (draw.normal(size=(2, 3, length, 8)) for length in (5, 7, 7))
    mask = draw.random((2, 3, 5, 7)) < 0.7
    mask[..., 0] = True  # a row that may attend to nothing has no meaning there
    layer = SimpleNamespace(num_key_value_groups=1, training=False)
    tensors = [torch.from_numpy(array) for array in (q, k, v)]
    bias = torch.zeros(mask.shape, dtype=torch.float64).masked_fill(torch.from_numpy(~mask), -torch.inf)
    due, _ = eager_attention_forward(layer, *tensors, bias, scaling=8**-0.5)
    due = due.transpose(1, 2).numpy()  # there the sequence comes before the heads
    # Its softmax is taken in float32.
    np.testing.assert_allclose(TRUTH.torch_attention(q, k, v, mask), due, rtol=1e-4, atol=1e-6)
