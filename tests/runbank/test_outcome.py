"""What a trainer records: counts, which runs diverged, and the class that logits predict."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from fourrounds.runbank.training.outcome import Recorder, guess_loss, predicted

NAN, INF = math.nan, math.inf
CHANCE = guess_loss(4)  # about 1.39


def diverged(epochs: list[list[float]], chance_loss: float = CHANCE) -> bool:
    """Whether a run with these losses, epoch by epoch, diverged; beside it a run that never does."""
    record = Recorder(2, chance_loss)
    for losses in epochs:
        for loss in losses:
            record.loss(torch.tensor([1.0, loss], dtype=torch.float64))
        record.epoch(*torch.zeros(2, 2, 1, dtype=torch.bool))
    other, it = record.result().diverged
    assert not other
    return bool(it)


@pytest.mark.parametrize(
    "epochs",
    [
        [[1.0, 0.5], [0.2, 0.1]],
        [[1.0, 9.0], [1.0, 1.0]],  # it rose, and came back
        [[1.0, 9.0], [9.0, 9.0], [1.3, 1.4]],
        [[1.0, 1.9], [1.9, 1.9]],  # worse than guessing, but it never rose far
        [[1.0, 2.0], [2.0, 2.0]],  # twice is not above twice
        [[9.0, 18.0], [9.0, 5.0]],
    ],
)
def test_runs_that_did_not_diverge(epochs: list[list[float]]) -> None:
    assert not diverged(epochs)


@pytest.mark.parametrize(
    "epochs",
    [
        [[1.0, 0.5], [NAN, 0.1], [0.1, 0.1]],  # one such step is enough, even the first
        [[INF, 0.5], [0.2, 0.1]],
        [[NAN, 0.5], [0.2, 0.1]],
        [[1.0, -INF], [0.2, 0.1]],
        [[1.0, 2.1], [1.0, 1.8]],  # the mean of the last epoch is 1.4
        [[1.0, 2.1]],
        [[1.0, 0.1], [0.1, 0.1], [0.1, 9.0]],
    ],
)
def test_runs_that_diverged(epochs: list[list[float]]) -> None:
    assert diverged(epochs)


def test_without_a_loss_of_guessing_only_a_loss_that_is_not_finite_counts() -> None:
    assert not diverged([[1.0, 1e9], [1e9, 1e9]], chance_loss=INF)
    assert diverged([[1.0, NAN]], chance_loss=INF)


def test_counts_of_every_epoch_and_the_items_of_the_last() -> None:
    record = Recorder(2, CHANCE)
    rng = np.random.default_rng(0)
    val, test = rng.random((3, 2, 7)) < 0.5, rng.random((3, 2, 300)) < 0.9
    for v, t in zip(val, test, strict=True):
        record.epoch(torch.tensor(v), torch.tensor(t))
    made = record.result()
    np.testing.assert_array_equal(made.val, val.sum(2).T)
    np.testing.assert_array_equal(made.test, test.sum(2).T)
    np.testing.assert_array_equal(made.correct, test[-1])
    assert made.test.max() > 255  # more than a byte holds
    assert not made.diverged.any()


def test_the_loss_of_guessing() -> None:
    logits, labels = torch.zeros(1, 10), torch.tensor([3])
    assert guess_loss(10) == pytest.approx(torch.nn.functional.cross_entropy(logits, labels).item())


@pytest.mark.parametrize(
    ("logits", "due"),
    [
        ([0.1, 0.3, 0.2], 1),
        ([-5.0, -3.0, -1.0], 2),
        ([NAN, NAN, NAN], 0),
        ([INF, -INF, NAN], 0),
        ([0.1, NAN, 0.2], 2),  # PyTorch's argmax takes NaN for the largest
        ([0.1, INF, 0.2], 2),
        ([NAN, -1e300, -INF], 1),
    ],
)
def test_predicted_class(logits: list[float], due: int) -> None:
    assert predicted(torch.tensor([[[1.0, 0.0, 0.0], logits]], dtype=torch.float64)).tolist() == [[0, due]]
