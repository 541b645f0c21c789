"""PyTorch under a band mask, the truth of ``sparse_attention``, against three other implementations."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from local_attention import LocalAttention
from torch.nn.attention import flex_attention
from transformers import LongformerConfig
from transformers.models.longformer.modeling_longformer import LongformerSelfAttention

from support.truths import truth_of

TRUTH = truth_of("sparse_attention")


@pytest.mark.parametrize("first", [0, 1, 3])
@pytest.mark.parametrize("seed", range(4))
def test_symmetric_window_and_global_tokens(seed: int, first: int) -> None:
    """A layer of transformers' Longformer with random weights. Its window is the whole width."""
    torch.manual_seed(seed)
    heads, size, window, tokens = 2, 4, 3, 24  # a multiple of the whole width
    config = LongformerConfig(
        hidden_size=heads * size,
        num_attention_heads=heads,
        attention_window=[2 * window],
        attention_probs_dropout_prob=0.0,
    )
    layer = LongformerSelfAttention(config, layer_id=0).double().eval()
    for name in ("query", "key", "value"):
        torch.nn.init.normal_(getattr(layer, name).weight)
        torch.nn.init.normal_(getattr(layer, name).bias)
        # It projects global tokens apart; here one set of projections serves both.
        getattr(layer, f"{name}_global").load_state_dict(getattr(layer, name).state_dict())
    x = torch.randn(2, tokens, heads * size, dtype=torch.float64)
    is_global = (torch.arange(tokens) < first).expand(2, tokens)
    with torch.no_grad():
        due = layer(
            x,
            attention_mask=10000.0 * is_global,
            is_index_masked=torch.zeros_like(is_global),
            is_index_global_attn=is_global,
            is_global_attn=first > 0,
        )[0].numpy()
        projections = (getattr(layer, name)(x) for name in ("query", "key", "value"))
        q, k, v = (p.view(2, tokens, heads, size).transpose(1, 2).numpy() for p in projections)
    result = TRUTH.torch_window_attention(q, k, v, window, False, first)
    result = np.moveaxis(result, 1, 2).reshape(2, tokens, heads * size)
    # Its softmax is taken in float32.
    np.testing.assert_allclose(result, due, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("tokens", [3, 12, 17])
@pytest.mark.parametrize("seed", range(4))
def test_windows(seed: int, tokens: int, causal: bool) -> None:
    """local_attention, whose window is the reach to one side if it is asked to be exact."""
    window = 4
    draw = np.random.default_rng(seed)
    q, k, v = (draw.normal(size=(2, 3, tokens, size)) for size in (6, 6, 5))
    layer = LocalAttention(
        window, causal=causal, exact_windowsize=True, autopad=True, use_rotary_pos_emb=False, dropout=0.0
    )
    # To tell its padding from a key it must be given a mask.
    mask = torch.ones(6, tokens, dtype=torch.bool)
    due = layer(*(torch.from_numpy(a.reshape(6, tokens, -1)) for a in (q, k, v)), mask=mask)
    due = due.numpy().reshape(2, 3, tokens, 5)
    result = TRUTH.torch_window_attention(q, k, v, window, causal)
    np.testing.assert_allclose(result, due, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("pattern", [(2, True, 1), (3, True, 4), (0, True, 2), (0, False, 2), (40, True, 0)])
@pytest.mark.parametrize("seed", range(2))
@pytest.mark.filterwarnings("ignore:flex_attention called without torch.compile")
def test_causal_with_global_tokens(seed: int, pattern: tuple[int, bool, int]) -> None:
    """PyTorch's FlexAttention, which asks a function of two positions for every pair by itself."""
    window, causal, first = pattern
    draw = np.random.default_rng(seed)
    q, k, v = (draw.normal(size=(2, 3, 13, 8)) for _ in range(3))

    def window_back(_b, _h, i, j):
        return i - j <= window

    def window_ahead(_b, _h, i, j):
        return j - i <= window

    def global_query(_b, _h, i, _j):
        return i < first

    def global_key(_b, _h, _i, j):
        return j < first

    def no_later(_b, _h, i, j):
        return (j <= i) | (not causal)

    pairs = flex_attention.and_masks(
        flex_attention.or_masks(
            flex_attention.and_masks(window_back, window_ahead), global_query, global_key
        ),
        no_later,
    )
    blocks = flex_attention.create_block_mask(pairs, None, None, 13, 13, device="cpu")
    tensors = (torch.from_numpy(a) for a in (q, k, v))
    due = flex_attention.flex_attention(*tensors, block_mask=blocks).numpy()
    np.testing.assert_allclose(TRUTH.torch_window_attention(q, k, v, *pattern), due, rtol=1e-6, atol=1e-9)
