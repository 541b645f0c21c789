"""The truth of ``bpr`` against torch_geometric's BPRLoss, PyTorch's weight decay and SciPy's expit.

torch_geometric divides both the sum over the triples and the penalty by the number of triples; the penalty is
that of the rows it is given.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.special import expit
from torch_geometric.nn.models.lightgcn import BPRLoss

from support.truths import truth_of

TRUTH = truth_of("bpr")
N, USERS, ITEMS, D = 17, 4, 6, 5


def draw(seed: int, dtype: type = np.float64) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Factors, and triples in which users and items meet again and again; user 3 and item 5 are in none."""
    rng = np.random.default_rng(seed)
    users, items = rng.normal(size=(USERS, D)), rng.normal(size=(ITEMS, D))
    better = rng.integers(0, ITEMS - 1, N)
    worse = (better + rng.integers(1, ITEMS - 1, N)) % (ITEMS - 1)
    triples = np.stack([rng.integers(0, USERS - 1, N), better, worse], axis=1)
    return users.astype(dtype), items.astype(dtype), triples


def due_of(w: torch.Tensor, h: torch.Tensor, triples: np.ndarray, reg: float) -> torch.Tensor:
    user, better, worse = torch.from_numpy(triples).unbind(dim=1)
    rows = torch.cat([w[user], h[better], h[worse]])
    scores = w @ h.T
    return len(triples) * BPRLoss(reg)(scores[user, better], scores[user, worse], rows)


@pytest.mark.parametrize("reg", [0.0, 0.3])
@pytest.mark.parametrize("seed", range(5))
def test_loss_of_torch_geometric(seed: int, reg: float) -> None:
    users, items, triples = draw(seed)
    due = due_of(torch.from_numpy(users), torch.from_numpy(items), triples, reg).item()
    np.testing.assert_allclose(TRUTH.torch_loss(users, items, triples, reg), due, rtol=1e-12)
    np.testing.assert_allclose(TRUTH.bpr_loss(users, items, triples, reg), due, rtol=1e-12)


@pytest.mark.parametrize("reg", [0.0, 0.3])
@pytest.mark.parametrize("seed", range(5))
def test_step_on_the_loss_of_torch_geometric(seed: int, reg: float) -> None:
    users, items, triples = draw(seed)
    w, h = (torch.nn.Parameter(torch.from_numpy(a.copy())) for a in (users, items))
    optimiser = torch.optim.SGD([w, h], lr=0.1)
    due_of(w, h, triples, reg).backward()
    optimiser.step()
    for step in (TRUTH.torch_step, TRUTH.bpr_step):
        new_users, new_items = step(users, items, triples, 0.1, reg)
        np.testing.assert_allclose(new_users, w.detach().numpy(), rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(new_items, h.detach().numpy(), rtol=1e-12, atol=1e-12)
        assert np.array_equal(new_users[USERS - 1], users[USERS - 1])
        assert np.array_equal(new_items[ITEMS - 1], items[ITEMS - 1])


@pytest.mark.parametrize("seed", range(5))
def test_regularisation_is_weight_decay_of_twice_reg(seed: int) -> None:
    """Where every row is in exactly one triple, as for the optimiser."""
    rng = np.random.default_rng(seed)
    users, items = rng.normal(size=(4, D)), rng.normal(size=(8, D))
    triples = np.stack([rng.permutation(4), *rng.permutation(8).reshape(2, 4)], axis=1)
    w, h = (torch.nn.Parameter(torch.from_numpy(a.copy())) for a in (users, items))
    optimiser = torch.optim.SGD([w, h], lr=0.1, weight_decay=2 * 0.3)
    due_of(w, h, triples, 0.0).backward()
    optimiser.step()
    new_users, new_items = TRUTH.torch_step(users, items, triples, 0.1, 0.3)
    np.testing.assert_allclose(new_users, w.detach().numpy(), rtol=1e-12)
    np.testing.assert_allclose(new_items, h.detach().numpy(), rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("x", [0.25, 20.0, 60.0, 300.0, 900.0])
def test_far_margins(x: float, dtype: type) -> None:
    """What the test cell calls a margin of x is one, and the truth has its digits."""
    rtol, least = (1e-12, 1e-300) if dtype is np.float64 else (1e-5, 1e-30)
    for margin in (x, -x):
        case = TRUTH.draw_single(np.random.default_rng(0), margin, dtype)
        user, (better, worse) = case[0][0].astype(float), case[1].astype(float)
        assert user @ better - user @ worse == margin
        due = -margin if margin < -40 else np.log1p(np.exp(-margin))
        np.testing.assert_allclose(TRUTH.torch_loss(*case, 0.0), due, rtol=rtol, atol=least)
        new_users, new_items = TRUTH.torch_step(*case, 0.5, 0.0)
        due = 0.5 * expit(-margin)
        np.testing.assert_allclose(new_users[0, 5], due, rtol=rtol, atol=least)
        np.testing.assert_allclose(new_items[:, 4], [due, -due], rtol=rtol, atol=least)


def test_no_triples() -> None:
    users, items, triples = draw(0)
    none = triples[:0]
    assert TRUTH.torch_loss(users, items, none, 0.3) == 0.0
    for new, old in zip(TRUTH.torch_step(users, items, none, 0.1, 0.3), (users, items), strict=True):
        assert np.array_equal(new, old)
