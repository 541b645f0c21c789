"""The truth of ``adamw`` against PyTorch's optimisers, and against Keras's AdamW."""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np
import pytest
import torch

from support.truths import truth_of

os.environ["KERAS_BACKEND"] = "torch"
import keras

TRUTH = truth_of("adamw")
Setting = tuple[float, tuple[float, float], float, float]


def draw(
    seed: int, steps: int, dtype: type = np.float64
) -> tuple[np.ndarray, list[np.ndarray], np.random.Generator]:
    rng = np.random.default_rng(seed)
    sizes = 10.0 ** rng.uniform(-3, 3, (3, 5))
    return (
        rng.normal(size=(3, 5)).astype(dtype),
        [(sizes * rng.normal(size=(3, 5))).astype(dtype) for _ in range(steps)],
        rng,
    )


def optimised(
    optimiser: torch.optim.Optimizer, grads: Sequence[np.ndarray], settings: Sequence[Setting]
) -> list[np.ndarray]:
    """The only parameter of ``optimiser`` after each step."""
    (group,) = optimiser.param_groups
    (param,) = group["params"]
    results = []
    for grad, (lr, betas, eps, weight_decay) in zip(grads, settings, strict=True):
        group.update(lr=lr, betas=betas, eps=eps, weight_decay=weight_decay)
        param.grad = torch.from_numpy(grad.copy())
        optimiser.step()
        results.append(param.detach().numpy().copy())
    return results


@pytest.mark.parametrize("foreach", [False, True])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("seed", range(4))
def test_adamw_of_torch(seed: int, dtype: type, foreach: bool) -> None:
    """All settings change from step to step."""
    param, grads, rng = draw(seed, 12, dtype)
    grads[3][:] = 0.0
    settings = [
        (
            rng.uniform(0.0, 0.2),
            (rng.uniform(0.0, 0.95), rng.uniform(0.5, 0.999)),
            10.0 ** rng.uniform(-9, 0),
            rng.uniform(0.0, 1.0),
        )
        for _ in grads
    ]
    tensor = torch.nn.Parameter(torch.from_numpy(param.copy()))
    dues = optimised(torch.optim.AdamW([tensor], foreach=foreach), grads, settings)
    rtol = 1e-11 if dtype is np.float64 else 1e-4
    for result, due in zip(TRUTH.walk(TRUTH.torch_adamw, param, grads, settings), dues, strict=True):
        assert result.dtype == dtype
        np.testing.assert_allclose(result, due, rtol=rtol, atol=rtol)


@pytest.mark.parametrize("seed", range(4))
def test_adam_of_torch_without_decay(seed: int) -> None:
    param, grads, rng = draw(seed, 12)
    settings = [(0.1, (rng.uniform(0.5, 0.95), rng.uniform(0.9, 0.999)), 1e-3, 0.0)] * len(grads)
    tensor = torch.nn.Parameter(torch.from_numpy(param.copy()))
    dues = optimised(torch.optim.Adam([tensor]), grads, settings)
    np.testing.assert_allclose(
        TRUTH.walk(TRUTH.torch_adamw, param, grads, settings), dues, rtol=1e-11, atol=1e-11
    )


@pytest.mark.parametrize("seed", range(4))
def test_adamw_of_keras(seed: int) -> None:
    """Keras adds epsilon before the correction, which another epsilon in each step makes up for.

    Its learning rate is a float32, so that it must be one which float32 holds.
    """
    param, grads, rng = draw(seed, 12)
    beta1, beta2, eps = rng.uniform(0.5, 0.95), rng.uniform(0.9, 0.999), 0.3
    setting = (0.125, (beta1, beta2), eps, 0.25)
    variable = keras.Variable(param, dtype="float64")
    optimiser = keras.optimizers.AdamW(0.125, beta_1=beta1, beta_2=beta2, weight_decay=0.25)
    optimiser.build([variable])
    dues = []
    for t, grad in enumerate(grads, start=1):
        optimiser.epsilon = eps * (1 - beta2**t) ** 0.5
        optimiser.apply([keras.ops.convert_to_tensor(grad, dtype="float64")])
        dues.append(variable.value.detach().numpy().copy())
    np.testing.assert_allclose(
        TRUTH.walk(TRUTH.torch_adamw, param, grads, setting), dues, rtol=1e-9, atol=1e-9
    )
