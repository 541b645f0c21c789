"""The truth of ``gqa_kv_cache`` against the attention and the cache that transformers' models use.

Their softmax is taken in float32: hence the tolerances.
"""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from transformers import DynamicCache
from transformers.models.llama.modeling_llama import eager_attention_forward

from support.truths import truth_of

TRUTH = truth_of("gqa_kv_cache")
SEQUENCES, GROUPS, GROUP, LENGTH, WIDTH, VALUES = 2, 3, 4, 9, 8, 5
CLOSE = {"rtol": 1e-4, "atol": 1e-6}


def draw(seed: int) -> list[torch.Tensor]:
    """Queries, keys and values of the same positions."""
    rng = np.random.default_rng(seed)
    heads = (GROUPS * GROUP, WIDTH), (GROUPS, WIDTH), (GROUPS, VALUES)
    return [torch.from_numpy(rng.standard_normal((SEQUENCES, h, LENGTH, width))) for h, width in heads]


def llama(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, visible: list[list[bool]] | None) -> NDArray:
    """What a layer of Llama with groups makes of its heads; row i of ``visible`` is about query i."""
    layer = SimpleNamespace(num_key_value_groups=GROUP, training=False)
    bias = None
    if visible is not None:
        bias = torch.where(torch.tensor(visible), 0.0, -torch.inf)[None, None].to(q.dtype)
    due, _ = eager_attention_forward(layer, q, k, v, bias, scaling=WIDTH**-0.5)
    return due.transpose(1, 2).numpy()  # there the sequence comes before the heads


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("queries", [1, 4, LENGTH])
def test_the_last_positions(seed: int, queries: int) -> None:
    q, k, v = draw(seed)
    q = q[:, :, LENGTH - queries :]
    visible = [[j <= p for j in range(LENGTH)] for p in range(LENGTH - queries, LENGTH)]
    for causal, due in ((True, llama(q, k, v, visible)), (False, llama(q, k, v, None))):
        np.testing.assert_allclose(TRUTH.torch_gqa(q.numpy(), k.numpy(), v.numpy(), causal), due, **CLOSE)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("steps", [[1] * LENGTH, [5, 1, 1, 1, 1], [3, 2, 4]])
def test_one_pass_is_what_decoding_with_their_cache_gives(seed: int, steps: list[int]) -> None:
    q, k, v = draw(seed)
    due = TRUTH.torch_gqa(q.numpy(), k.numpy(), v.numpy(), True)
    cache, start = DynamicCache(), 0
    for t in steps:
        now = slice(start, start + t)
        keys, values = cache.update(k[:, :, now], v[:, :, now], 0)
        visible = [[j <= start + i for j in range(start + t)] for i in range(t)]
        np.testing.assert_allclose(due[:, :, now], llama(q[:, :, now], keys, values, visible), **CLOSE)
        start += t
