"""What a trainer returns for a batch of runs."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch


@dataclass
class Trained:
    """The results of R runs.

    Arrays: ``val`` and ``test`` (R, epochs) count the correct items after each epoch; ``correct`` (R,
    items) holds the correctness of each test item at the end; ``diverged`` (R,).
    """

    val: np.ndarray
    test: np.ndarray
    correct: np.ndarray
    diverged: np.ndarray


@dataclass(frozen=True)
class Price:
    """What one run of a configuration takes: parameters that are trained, examples seen, floating-point
    operations of all matrix products in training (two for a multiplication with its addition)."""

    parameters: int
    examples: int
    flops: int


class Recorder:
    """Collects the results of a batch of runs, epoch by epoch."""

    def __init__(self, runs: int, chance_loss: float) -> None:
        self.val: list[torch.Tensor] = []
        self.test: list[torch.Tensor] = []
        self.correct = torch.zeros(0)
        self._chance_loss = chance_loss
        self._broken, self._rose = torch.zeros(2, runs, dtype=torch.bool)
        self._first: torch.Tensor | None = None
        self._sum, self._steps = torch.zeros(runs, dtype=torch.float64), 0
        self._last = torch.zeros(runs, dtype=torch.float64)

    def loss(self, losses: torch.Tensor) -> None:
        """The training loss of each run at one step, shape (R,)."""
        values = losses.detach()
        self._first = values if self._first is None else self._first
        self._broken |= ~torch.isfinite(values)
        self._rose |= values > 2 * self._first
        self._sum += values
        self._steps += 1

    def epoch(self, val: torch.Tensor, test: torch.Tensor) -> None:
        """The correctness (R, items) of validation and test items after an epoch."""
        self.val.append(val.sum(1))
        self.test.append(test.sum(1))
        self.correct = test
        if self._steps:
            self._last = self._sum / self._steps
            self._sum, self._steps = torch.zeros_like(self._sum), 0

    def result(self) -> Trained:
        """A run diverged if its loss was ever not finite, or if it rose above twice that of the first
        step and the mean of the last epoch was above that of guessing uniformly."""
        diverged = self._broken | (self._rose & (self._last > self._chance_loss))
        return Trained(
            torch.stack(self.val, 1).numpy().astype(np.uint16),
            torch.stack(self.test, 1).numpy().astype(np.uint16),
            self.correct.numpy().astype(bool),
            diverged.numpy(),
        )


def guess_loss(classes: int) -> float:
    """The cross-entropy of guessing uniformly."""
    return math.log(classes)


def predicted(logits: torch.Tensor) -> torch.Tensor:
    """The predicted class; a model whose logits are not finite predicts class 0."""
    return torch.where(torch.isfinite(logits), logits, -torch.inf).argmax(-1)
