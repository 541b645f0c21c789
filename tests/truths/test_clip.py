"""PyTorch's CLIP loss, which is the truth of ``clip``, against the model of transformers.

The encoders are left out: the model's own forward pass gets the features as they are, normalises them,
scales the cosines and takes the loss. Its gradients come from autograd through that pass.
"""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from transformers import CLIPConfig, CLIPModel

from support.truths import truth_of

TRUTH = truth_of("clip")


@pytest.fixture(scope="module")
def model() -> CLIPModel:
    tower = {"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1}
    return CLIPModel(
        CLIPConfig(
            text_config={**tower, "vocab_size": 8, "max_position_embeddings": 4},
            vision_config={**tower, "image_size": 4, "patch_size": 4},
            projection_dim=8,
        )
    ).double()


@pytest.mark.parametrize("log_scale", [-1.0, math.log(1 / 0.07), math.log(100.0), 5.5])
@pytest.mark.parametrize("shape", [(1, 3), (5, 8), (6, 6), (9, 4)])
def test_loss_and_gradients(
    model: CLIPModel, monkeypatch: pytest.MonkeyPatch, shape: tuple[int, int], log_scale: float
) -> None:
    draw = np.random.default_rng([*shape, round(100 + log_scale)])
    image, text = draw.normal(size=(2, *shape)) * np.exp(draw.uniform(-2.0, 2.0, (2, shape[0], 1)))
    features = [torch.tensor(array, requires_grad=True) for array in (image, text)]
    for name, feature in zip(("get_image_features", "get_text_features"), features, strict=True):
        output = SimpleNamespace(pooler_output=feature)
        monkeypatch.setattr(model, name, lambda output=output, **_: output)
    with torch.no_grad():
        model.logit_scale.fill_(log_scale)
    due_loss = model(return_loss=True).loss
    due = torch.autograd.grad(due_loss, (*features, model.logit_scale))

    loss, grads = TRUTH.torch_clip(image, text, log_scale)
    np.testing.assert_allclose(loss, due_loss.item(), rtol=1e-12, atol=1e-14)
    for one, other in zip(grads, due, strict=True):
        np.testing.assert_allclose(one, other.numpy(), rtol=1e-10, atol=1e-12)
