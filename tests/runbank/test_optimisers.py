"""The update rules for many models at once, against ``torch.optim`` and a loop, model by model."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from fourrounds.runbank.training.optimisers import Optimiser

STEPS, MODELS = 20, 4
RATES = (0.3, 0.01, 0.1, 0.03)
DECAYS = (0.0, 0.1, 0.01, 0.5)
SHAPES = ((5, 3), (1, 3), (3, 2))

PYTORCH: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "sgd": torch.optim.SGD,
    "momentum": lambda p, **choice: torch.optim.SGD(p, momentum=0.9, **choice),
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
}
RULES = (*PYTORCH, "lion")


def draw(seed: int) -> tuple[list[torch.Tensor], torch.Tensor, torch.Tensor]:
    """Weights of every model, and inputs (steps, models, 6, 5) and targets (steps, models, 6, 2)."""
    rng = np.random.default_rng(seed)
    weights = [torch.tensor(rng.normal(size=(MODELS, *shape))) for shape in SHAPES]
    inputs, targets = (torch.tensor(rng.normal(size=(STEPS, MODELS, 6, width))) for width in (5, 2))
    return weights, inputs, targets


def loss_of(weights: list[torch.Tensor], x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """The loss of each model, or of one where nothing has an axis of models."""
    first, bias, second = weights
    return (((x @ first + bias).tanh() @ second - y) ** 2).mean((-1, -2))


def trained(
    rule: str, rates: tuple[float, ...] = RATES, decays: tuple[float, ...] | None = DECAYS
) -> list[torch.Tensor]:
    """The weights of all models after the steps."""
    weights, inputs, targets = draw(0)
    for weight in weights:
        weight.requires_grad_()
    lr = torch.tensor(rates, dtype=torch.float64)
    decay = None if decays is None else torch.tensor(decays, dtype=torch.float64)
    optimiser = Optimiser(rule, weights, lr, decay)
    for x, y in zip(inputs, targets, strict=True):
        optimiser.step(loss_of(weights, x, y).sum())
    return [weight.detach() for weight in weights]


def alone(model: int) -> tuple[list[torch.Tensor], torch.Tensor, torch.Tensor]:
    """What one model starts from and learns."""
    weights, inputs, targets = draw(0)
    return [w[model].clone().requires_grad_() for w in weights], inputs[:, model], targets[:, model]


@pytest.mark.parametrize("decays", [DECAYS, (0.0,) * MODELS, None])
@pytest.mark.parametrize("rule", PYTORCH)
def test_rule_is_that_of_pytorch(rule: str, decays: tuple[float, ...] | None) -> None:
    ours = trained(rule, decays=decays)
    for model in range(MODELS):
        weights, inputs, targets = alone(model)
        decay = decays[model] if decays else 0.0
        optimiser = PYTORCH[rule](weights, lr=RATES[model], weight_decay=decay)
        for x, y in zip(inputs, targets, strict=True):
            optimiser.zero_grad()
            loss_of(weights, x, y).backward()
            optimiser.step()
        for one, other in zip(ours, weights, strict=True):
            torch.testing.assert_close(one[model], other.detach(), rtol=1e-11, atol=1e-13)


def test_lion_is_that_of_its_paper() -> None:
    """Chen et al. 2023, algorithm 2, with its default betas of 0.9 and 0.99."""
    ours = trained("lion")
    for model in range(MODELS):
        weights, inputs, targets = alone(model)
        theta = [weight.detach().numpy().copy() for weight in weights]
        m = [np.zeros_like(t) for t in theta]
        for x, y in zip(inputs, targets, strict=True):
            point = [torch.tensor(t, requires_grad=True) for t in theta]
            gradients = torch.autograd.grad(loss_of(point, x, y), point)
            for k, g in enumerate(gradient.numpy() for gradient in gradients):
                c = 0.9 * m[k] + (1 - 0.9) * g
                theta[k] = theta[k] - RATES[model] * (np.sign(c) + DECAYS[model] * theta[k])
                m[k] = 0.99 * m[k] + (1 - 0.99) * g
        for one, other in zip(ours, theta, strict=True):
            np.testing.assert_allclose(one[model].numpy(), other, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("rule", RULES)
def test_a_model_that_breaks_leaves_the_others_alone(rule: str) -> None:
    whole, broken = trained(rule), trained(rule, rates=(RATES[0], float("nan"), *RATES[2:]))
    for one, other in zip(whole, broken, strict=True):
        assert other[1].isnan().all()
        assert torch.equal(one[[0, 2, 3]], other[[0, 2, 3]])


@pytest.mark.parametrize("rule", RULES)
def test_a_model_without_decay_does_not_notice_that_of_the_others(rule: str) -> None:
    for one, other in zip(trained(rule), trained(rule, decays=None), strict=True):
        assert torch.equal(one[0], other[0])
        assert not torch.equal(one[1], other[1])


def test_there_are_no_other_rules() -> None:
    with pytest.raises(ValueError, match="no update rule 'rmsprop'"):
        Optimiser("rmsprop", draw(0)[0], torch.ones(MODELS))
