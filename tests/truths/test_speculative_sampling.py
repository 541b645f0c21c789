"""The truth of ``speculative_sampling`` against the step of transformers' assisted generation.

That one draws for itself. Here its uniforms are those of the test, and its multinomial is an inverse
cumulative distribution in plain Python; or its multinomial only says from which distribution it would draw,
and all draws of a small case are counted.
"""

from __future__ import annotations

import itertools
from collections import Counter
from fractions import Fraction

import numpy as np
import pytest
import torch
from transformers.generation.utils import _speculative_sampling

from support.truths import truth_of

TRUTH = truth_of("speculative_sampling")


def first_above(weights: list[float], u: float) -> int:
    """The first token whose cumulative probability is above ``u``."""
    return next(k for k, end in enumerate(itertools.accumulate(weights)) if end > u)


def transformers_step(
    monkeypatch: pytest.MonkeyPatch, p: np.ndarray, q: np.ndarray, draft: np.ndarray, uniforms: np.ndarray
) -> tuple[list[int], list[float]]:
    """The tokens that transformers returns for these uniforms, and what it draws the last one from."""
    laws: list[list[float]] = []

    def multinomial(weights: torch.Tensor, num_samples: int) -> torch.Tensor:
        assert num_samples == 1
        laws.append(weights[0].tolist())
        return torch.tensor([[first_above(laws[0], uniforms[-1])]])

    with monkeypatch.context() as patch:
        patch.setattr(torch, "rand_like", lambda ratio: torch.from_numpy(uniforms[:-1]).reshape(ratio.shape))
        patch.setattr(torch, "multinomial", multinomial)
        prompt = torch.tensor([7, 7, 7])  # what stands before the draft is of no matter
        ids = torch.cat([prompt, torch.from_numpy(draft)])[None]
        logits = (torch.from_numpy(a).log()[None] for a in (q, p))
        tokens, kept = _speculative_sampling(ids, next(logits), len(draft), next(logits))
    assert tokens.shape == (1, int(kept) + 1)
    return tokens[0].tolist(), laws[0]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("gamma", [1, 2, 4])
def test_against_transformers(monkeypatch: pytest.MonkeyPatch, seed: int, gamma: int) -> None:
    rng = np.random.default_rng([seed, gamma])
    lengths = set()
    for _ in range(40):
        p, q = rng.dirichlet(np.ones(6), gamma + 1), rng.dirichlet(np.ones(6), gamma)
        p[:gamma] = 0.5 * p[:gamma] + 0.5 * q
        draft = np.array([rng.choice(6, p=row) for row in q])
        uniforms = rng.random(gamma + 1)
        due, _ = transformers_step(monkeypatch, p, q, draft, uniforms)
        np.testing.assert_array_equal(TRUTH.torch_step(p, q, draft, uniforms), due)
        lengths.add(len(due))
    assert lengths == set(range(1, gamma + 2))


@pytest.mark.parametrize("seed", range(5))
def test_law(monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    """Counting the truth over a grid gives the same law as transformers with its own multinomial: p."""
    rng = np.random.default_rng(seed)
    p = rng.multinomial(12, np.full(4, 0.25))
    q = rng.permutation([6, 3, 2, 1])
    rows = np.stack([p, p]) / 12  # the first token alone is counted
    residual = int(np.maximum(p - q, 0).sum())
    # As many middles as make every acceptance, and every draw from the residual, a whole number of cells.
    verdicts, draws = (np.arange(size) + 0.5 for size in (12, max(residual, 1)))
    verdicts, draws = verdicts / len(verdicts), draws / len(draws)
    counted: Counter[int] = Counter()
    theirs = np.zeros(4)
    for x, u in itertools.product(range(4), verdicts):
        for v in draws:
            tokens = TRUTH.torch_step(rows, q[None] / 12, np.array([x]), np.array([u, v]))
            counted[int(tokens[0])] += int(q[x])
        tokens_due, law = transformers_step(
            monkeypatch, rows, q[None] / 12, np.array([x]), np.array([u, 0.5 / len(draws)])
        )
        accepted = len(tokens_due) == 2
        theirs += q[x] * (np.eye(4)[x] if accepted else np.array(law)) / (12 * len(verdicts))
    whole = 12 * len(verdicts) * len(draws)
    assert [Fraction(counted[k], whole) for k in range(4)] == [Fraction(int(n), 12) for n in p]
    np.testing.assert_allclose(theirs, p / 12, atol=1e-12)


def test_nothing_drafted_is_a_plain_draw() -> None:
    row = np.random.default_rng(0).dirichlet(np.ones(7))
    for u in np.random.default_rng(1).random(50):
        tokens = TRUTH.torch_step(row[None], np.empty((0, 7)), np.empty(0, dtype=np.int64), np.array([u]))
        np.testing.assert_array_equal(tokens, [first_above(row.tolist(), u)])


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_no_token_of_probability_zero(dtype: type) -> None:
    row = np.array([0.0, *[0.1] * 10, 0.0, 0.0], dtype=dtype)
    nothing = np.empty((0, 13), dtype=dtype), np.empty(0, dtype=np.int64)
    for u, due in ((0.0, 1), (1.0 - 2.0**-53, 10)):
        np.testing.assert_array_equal(TRUTH.torch_step(row[None], *nothing, np.array([u])), [due])
