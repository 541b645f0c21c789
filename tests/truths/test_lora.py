"""The truth of ``lora`` against the LoRA layers of peft, wrapped around a linear layer of PyTorch."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from peft import LoraConfig, PeftModel, get_peft_model

from support.truths import truth_of

TRUTH = truth_of("lora")


def adapted(w: NDArray, a: NDArray, b: NDArray, alpha: float) -> PeftModel:
    """A linear layer with the weight ``w``, and peft's adapter with the factors ``a`` and ``b``."""
    layer = torch.nn.Linear(w.shape[1], w.shape[0], bias=False, dtype=torch.float64)
    config = LoraConfig(r=len(a), lora_alpha=alpha, lora_dropout=0.0, target_modules=["0"])
    model = get_peft_model(torch.nn.Sequential(layer), config)
    base = model.base_model.model[0]
    with torch.no_grad():
        for weight, value in (
            (base.base_layer.weight, w),
            (base.lora_A["default"].weight, a),
            (base.lora_B["default"].weight, b),
        ):
            assert weight.shape == value.shape
            weight.data = torch.from_numpy(value.copy())
    return model


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("leading", [(), (6,), (2, 3, 4)])
def test_lora(seed: int, leading: tuple[int, ...]) -> None:
    draw = np.random.default_rng(seed)
    d_out, d_in, rank = (int(size) for size in draw.permutation([4, 7, 3] if seed % 2 else [5, 8, 2]))
    alpha = [1, 16, 0.7, -2.5, 3][seed]
    x, dy = draw.normal(size=(*leading, d_in)), draw.normal(size=(*leading, d_out))
    w, a, b = (draw.normal(size=shape) for shape in ((d_out, d_in), (rank, d_in), (d_out, rank)))

    model = adapted(w, a, b, alpha)
    given = torch.from_numpy(x.copy()).requires_grad_()
    h = model(given)
    h.backward(torch.from_numpy(dy))
    layer = model.base_model.model[0]
    assert layer.base_layer.weight.grad is None  # frozen
    dues = (given.grad, layer.lora_A["default"].weight.grad, layer.lora_B["default"].weight.grad)

    np.testing.assert_allclose(
        TRUTH.torch_forward(x, w, a, b, alpha), h.detach().numpy(), rtol=1e-10, atol=1e-12
    )
    for truth, due in zip(TRUTH.torch_grads(x, w, a, b, alpha, dy), dues, strict=True):
        np.testing.assert_allclose(truth, due.numpy(), rtol=1e-10, atol=1e-12)
    merged = model.merge_and_unload()[0].weight.detach().numpy()
    np.testing.assert_allclose(TRUTH.torch_merge(w, a, b, alpha), merged, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_an_adapter_begins_as_in_peft(seed: int) -> None:
    """Which factor is zero. How wide the other is, the contract decides, and not peft."""
    torch.manual_seed(seed)
    config = LoraConfig(r=2, init_lora_weights="gaussian", target_modules=["0"])
    layer = get_peft_model(torch.nn.Sequential(torch.nn.Linear(5, 3)), config).base_model.model[0]
    for own, due in zip(
        TRUTH.lora_init(3, 5, 2, np.random.default_rng(seed)),
        (layer.lora_A["default"].weight, layer.lora_B["default"].weight),
        strict=True,
    ):
        np.testing.assert_array_equal(own != 0.0, due.detach().numpy() != 0.0)
