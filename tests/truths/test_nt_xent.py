"""PyTorch's cross entropy, which is the truth of ``nt_xent``, against pytorch-metric-learning's own loss."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from pytorch_metric_learning.losses import NTXentLoss, SelfSupervisedLoss

from support.truths import truth_of

TRUTH = truth_of("nt_xent")


@pytest.mark.parametrize("temperature", [0.07, 1.0])
@pytest.mark.parametrize(("items", "components"), [(2, 3), (5, 4), (4, 4)])
@pytest.mark.parametrize("seed", range(3))
def test_nt_xent(seed: int, items: int, components: int, temperature: float) -> None:
    draw = np.random.default_rng(seed)
    z_a, z_b = draw.normal(size=(2, items, components)) * draw.uniform(0.1, 10.0, (2, items, 1))
    tensors = [torch.tensor(z, requires_grad=True) for z in (z_a, z_b)]
    due = SelfSupervisedLoss(NTXentLoss(temperature=temperature))(*tensors)
    due.backward()
    loss, gradients = TRUTH.torch_nt_xent(z_a, z_b, temperature)
    np.testing.assert_allclose(loss, due.item(), rtol=1e-10)
    for gradient, tensor in zip(gradients, tensors, strict=True):
        np.testing.assert_allclose(gradient, tensor.grad.numpy(), rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("seed", range(3))
def test_rows_of_zeros(seed: int) -> None:
    """Its loss knows them, as rows of cosine 0. Their gradient is a convention, and only theirs."""
    draw = np.random.default_rng(seed)
    z_a, z_b = draw.normal(size=(2, 5, 4))
    z_a[1] = z_a[3] = z_b[3] = 0.0
    tensors = [torch.tensor(z, requires_grad=True) for z in (z_a, z_b)]
    due = SelfSupervisedLoss(NTXentLoss(temperature=0.3))(*tensors)
    due.backward()
    loss, gradients = TRUTH.torch_nt_xent(z_a, z_b, 0.3)
    np.testing.assert_allclose(loss, due.item(), rtol=1e-10)
    for gradient, tensor, z in zip(gradients, tensors, (z_a, z_b), strict=True):
        zero = ~z.any(axis=1)
        assert not gradient[zero].any()
        np.testing.assert_allclose(gradient[~zero], tensor.grad.numpy()[~zero], rtol=1e-8, atol=1e-10)


def test_batch_of_one() -> None:
    z_a, z_b = np.random.default_rng(0).normal(size=(2, 1, 4))
    due = SelfSupervisedLoss(NTXentLoss(temperature=0.5))(torch.tensor(z_a), torch.tensor(z_b))
    loss, gradients = TRUTH.torch_nt_xent(z_a, z_b, 0.5)
    assert loss == due.item() == 0.0
    assert not np.any(gradients)
