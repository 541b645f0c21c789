"""Update rules for a batch of models at once, each with its own learning rate and weight decay.

``tests/runbank`` holds the first four to ``torch.optim``, model by model.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

BETA1, BETA2, EPS, MOMENTUM = 0.9, 0.999, 1e-8, 0.9
LION_BETA1, LION_BETA2 = 0.9, 0.99


class Optimiser:
    """One update rule for R models, whose parameters have R as their first axis.

    ``rule`` is one of sgd, momentum, adam, adamw, lion; ``lr`` and ``decay`` have shape (R,). The decay
    is an L2 term of the gradient in sgd, momentum and adam; it is decoupled in adamw (Loshchilov & Hutter
    2019) and lion (Chen et al. 2023, algorithm 2).
    """

    def __init__(
        self,
        rule: str,
        parameters: Sequence[torch.Tensor],
        lr: torch.Tensor,
        decay: torch.Tensor | None = None,
    ) -> None:
        if rule not in {"sgd", "momentum", "adam", "adamw", "lion"}:
            raise ValueError(f"no update rule {rule!r}")
        self.rule, self.parameters = rule, list(parameters)
        self.lr = [lr.reshape(-1, *[1] * (p.ndim - 1)) for p in self.parameters]
        self.decay = (
            None
            if decay is None or not bool(decay.any())
            else [decay.reshape(-1, *[1] * (p.ndim - 1)) for p in self.parameters]
        )
        self.first = [torch.zeros_like(p) for p in self.parameters] if rule != "sgd" else []
        self.second = [torch.zeros_like(p) for p in self.parameters] if rule in {"adam", "adamw"} else []
        self.steps = 0

    @torch.no_grad()
    def step(self, loss: torch.Tensor) -> None:
        """One update from the gradients of ``loss``, the sum of the models' losses."""
        gradients = torch.autograd.grad(loss, self.parameters)
        self.steps += 1
        for k, (p, g) in enumerate(zip(self.parameters, gradients, strict=True)):
            if self.decay is not None and self.rule in {"sgd", "momentum", "adam"}:
                g = g + self.decay[k] * p
            elif self.decay is not None:
                p.mul_(1 - self.lr[k] * self.decay[k])
            p.sub_(self.lr[k] * self._direction(k, g))

    def _direction(self, k: int, g: torch.Tensor) -> torch.Tensor:
        if self.rule == "sgd":
            return g
        m = self.first[k]
        if self.rule == "momentum":
            return m.mul_(MOMENTUM).add_(g)
        if self.rule == "lion":
            direction = torch.sign(LION_BETA1 * m + (1 - LION_BETA1) * g)
            m.mul_(LION_BETA2).add_(g, alpha=1 - LION_BETA2)
            return direction
        m.mul_(BETA1).add_(g, alpha=1 - BETA1)
        v = self.second[k].mul_(BETA2).addcmul_(g, g, value=1 - BETA2)
        root = (v / (1 - BETA2**self.steps)).sqrt_().add_(EPS)
        return m / (1 - BETA1**self.steps) / root
