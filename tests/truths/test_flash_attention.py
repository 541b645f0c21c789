"""The truth of ``flash_attention`` against PyTorch's flash kernel and the attention of transformers' models.

The truth takes its result from ``scaled_dot_product_attention`` and its logsumexp from ``torch.logsumexp``.
The kernel returns both from one blocked pass; transformers' is written out with a softmax and two products.
"""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from transformers.models.llama.modeling_llama import eager_attention_forward

from support.truths import truth_of

TRUTH = truth_of("flash_attention")

LENGTHS = [(7, 7), (3, 9), (9, 3), (1, 600)]
"""Of queries and keys. 600 keys are more than one block of the kernel."""


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("lengths", LENGTHS)
@pytest.mark.parametrize("seed", range(3))
def test_result_and_logsumexp(seed: int, lengths: tuple[int, int], causal: bool) -> None:
    draw = np.random.default_rng(seed)
    queries, keys = lengths
    q, k, v = (draw.normal(size=(2, 3, n, 6)) for n in (queries, keys, keys))
    q[0] *= 30.0  # scores of some hundreds in one member
    tensors = [torch.from_numpy(array) for array in (q, k, v)]
    due = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(*tensors, 0.0, causal)
    for member in np.ndindex(2, 3):  # matrices, for which PyTorch's operator does not use the kernel
        out, logsumexp = TRUTH.torch_flash(q[member], k[member], v[member], causal)
        np.testing.assert_allclose(out, due[0][member].numpy(), rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(logsumexp, due[1][member].numpy(), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("lengths", LENGTHS)
def test_result_against_eager_attention(lengths: tuple[int, int], causal: bool) -> None:
    draw = np.random.default_rng(sum(lengths))
    queries, keys = lengths
    q = draw.normal(size=(2, 3, queries, 6))
    k, v = draw.normal(size=(2, 3, keys, 6)), draw.normal(size=(2, 3, keys, 4))
    bias = torch.zeros(queries, keys, dtype=torch.float64)
    if causal:
        bias[torch.arange(keys) > torch.arange(queries)[:, None]] = -torch.inf
    layer = SimpleNamespace(num_key_value_groups=1, training=False)
    tensors = [torch.from_numpy(array) for array in (q, k, v)]
    due, weights = eager_attention_forward(layer, *tensors, bias, scaling=6**-0.5)
    due = due.transpose(1, 2).numpy()  # there the sequence comes before the heads
    out, logsumexp = TRUTH.torch_flash(q, k, v, causal)
    # Its softmax is taken in float32.
    np.testing.assert_allclose(out, due, rtol=1e-4, atol=1e-6)
    # The weights are exp(S - L): key 0, which every query may attend to, gives L.
    first = np.einsum("bhtd,bhd->bht", q, k[:, :, 0]) * 6**-0.5
    np.testing.assert_allclose(logsumexp, first - np.log(weights[..., 0].numpy()), rtol=1e-4, atol=1e-5)
