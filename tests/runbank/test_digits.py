"""The trainer of ``digits``: its data, and its MLP against ``torch.nn`` and ``torch.optim``."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np
import pytest
import torch
from scipy import ndimage
from torch import nn

from fourrounds.runbank.families import DIGITS, SQUARE_FIRST, Config, Run
from fourrounds.runbank.training import digits, images
from fourrounds.runbank.training.digits import BATCH, training_set
from fourrounds.runbank.training.outcome import Recorder, Trained
from fourrounds.runbank.training.streams import initial, stream

PIXELS, LABELS, BLOCK = images.digits()
TEST = digits._fixed()[0]
SEEDS = (0, 7, SQUARE_FIRST)
WHERE = {image.tobytes(): number for number, image in enumerate(PIXELS)}


def places(x: np.ndarray) -> list[int]:
    """Which of scikit-learn's images these are; no two of them are equal."""
    assert len(WHERE) == len(PIXELS)
    return [WHERE[image.tobytes()] for image in x]


def plain(seed: int, size: int = 250, split: str = "writer") -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return training_set(seed, size, split, 0.0, 0.0, 0.0)


# -- the data


def test_images_are_moved_as_scipy_moves_them() -> None:
    for down, right in product((-1, 0, 1), repeat=2):
        moved = images.moved(PIXELS[:5], np.full(5, down), np.full(5, right))
        for before, after in zip(PIXELS[:5], moved, strict=True):
            due = ndimage.shift(before.reshape(8, 8), (down, right), order=0)
            np.testing.assert_array_equal(after.reshape(8, 8), due)


def test_every_image_is_moved_by_its_own_shift() -> None:
    down, right = np.array([1, 0, -1]), np.array([0, -1, 1])
    moved = images.moved(PIXELS[:3], down, right)
    for k in range(3):
        np.testing.assert_array_equal(
            moved[k], images.moved(PIXELS[k : k + 1], down[k : k + 1], right[k : k + 1])[0]
        )


@pytest.mark.parametrize("split", ["writer", "random"])
@pytest.mark.parametrize("seed", SEEDS)
def test_training_sets_are_nested_and_labelled(seed: int, split: str) -> None:
    largest, _, val = plain(seed, 750, split)
    assert len(set(places(largest))) == 750
    for size in (100, 250, 750):
        x, y, same = plain(seed, size, split)
        np.testing.assert_array_equal(x, largest[:size])
        np.testing.assert_array_equal(y, LABELS[places(x)])
        np.testing.assert_array_equal(same, val)


@pytest.mark.parametrize("split", ["writer", "random"])
@pytest.mark.parametrize("seed", SEEDS)
def test_no_image_is_in_two_of_the_sets(seed: int, split: str) -> None:
    x, _, val = plain(seed, 750, split)
    assert (len(set(TEST)), len(set(val))) == (DIGITS.n_test, DIGITS.n_val)
    assert len({*TEST, *val, *places(x)}) == DIGITS.n_test + DIGITS.n_val + 750


def test_the_test_set_is_half_of_six_writers() -> None:
    writers, counts = np.unique(BLOCK[TEST], return_counts=True)
    assert len(writers) == 6
    assert counts / np.bincount(BLOCK)[writers] == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize("seed", SEEDS)
def test_only_the_random_split_trains_on_the_writers_of_the_test(seed: int) -> None:
    theirs = set(BLOCK[TEST])
    for split, some in (("writer", False), ("random", True)):
        x, _, val = plain(seed, 250, split)
        assert bool(theirs & set(BLOCK[places(x)])) == bool(theirs & set(BLOCK[val])) == some


@pytest.mark.parametrize("share", [0.1, 0.3, 0.6])
@pytest.mark.parametrize("seed", SEEDS)
def test_contamination_is_that_share_of_first_test_images(seed: int, share: float) -> None:
    (x, y, val), (clean, labels, same) = training_set(seed, 250, "writer", share, 0.0, 0.0), plain(seed)
    count = round(250 * share)
    assert places(x[-count:]) == TEST[:count].tolist()
    np.testing.assert_array_equal(y[-count:], LABELS[TEST[:count]])
    np.testing.assert_array_equal(x[:-count], clean[:-count])
    np.testing.assert_array_equal(y[:-count], labels[:-count])
    np.testing.assert_array_equal(val, same)


def near(copies: np.ndarray, originals: np.ndarray) -> bool:
    """Whether each copy is its original, moved by up to a pixel, with noise of a standard deviation of about
    0.1 that was then cut off at 0 and 1."""
    ones = np.ones(len(originals), dtype=int)
    moved = np.stack([images.moved(originals, a * ones, b * ones) for a, b in product((-1, 0, 1), repeat=2)])
    away = np.sqrt(((copies - moved) ** 2).mean(-1)).min(0)
    return bool((away > 0.03).all() and (away < 0.13).all() and copies.min() >= 0 and copies.max() <= 1)


@pytest.mark.parametrize("share", [0.1, 0.3, 0.6])
@pytest.mark.parametrize("seed", SEEDS)
def test_duplicates_are_that_share_near_the_first_test_images(seed: int, share: float) -> None:
    (x, y, _), (clean, labels, _) = training_set(seed, 250, "writer", 0.0, share, 0.0), plain(seed)
    count = round(250 * share)
    assert near(x[-count:], PIXELS[TEST[:count]])
    assert not near(x[-count:], PIXELS[TEST[1 : count + 1]])
    np.testing.assert_array_equal(y, [*labels[:-count], *LABELS[TEST[:count]]])
    np.testing.assert_array_equal(x[:-count], clean[:-count])


@pytest.mark.parametrize("share", [0.3, 0.6])
@pytest.mark.parametrize("seed", SEEDS)
def test_repeats_are_that_share_near_the_other_images(seed: int, share: float) -> None:
    (x, y, _), (clean, labels, _) = training_set(seed, 250, "writer", 0.0, 0.0, share), plain(seed)
    count = round(250 * share)
    sources = [k % (250 - count) for k in range(count)]
    assert near(x[-count:], clean[sources])
    np.testing.assert_array_equal(y, [*labels[:-count], *labels[sources]])
    np.testing.assert_array_equal(x[:-count], clean[:-count])


# -- the training


def perceptron(config: Config, init: int) -> nn.Sequential:
    """The same MLP of PyTorch's layers, with the same weights at the start."""
    width = int(config["width"])
    shapes = {"w1": (64, width), "w2": (width, width), "w3": (width, 10)}
    weights = initial("digits", {**shapes, "b1": (width,), "b2": (width,), "b3": (10,)}, [init])
    norm = {"none": nn.Identity, "batch": nn.BatchNorm1d, "layer": nn.LayerNorm}[str(config["norm"])]
    layers: list[nn.Module] = []
    for name, (a, b) in shapes.items():
        linear = nn.Linear(a, b)
        linear.weight.data, linear.bias.data = weights[name][0].T.clone(), torch.zeros(b)
        layers += [linear] if name == "w3" else [linear, norm(width), nn.ReLU(), Drop()]
    return nn.Sequential(*layers).double()


class Drop(nn.Module):
    """Dropout by a given mask: which units are kept, and by how much they grow for it."""

    mask: torch.Tensor | None = None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x if self.mask is None or not self.training else x * self.mask


def update(config: Config, model: nn.Module) -> torch.optim.Optimizer:
    made = {"momentum": torch.optim.SGD, "adamw": torch.optim.AdamW}[str(config["optimiser"])]
    more = {"momentum": 0.9} if config["optimiser"] == "momentum" else {}
    decay = float(config["weight_decay"])
    return made(model.parameters(), lr=float(config["lr"]), weight_decay=decay, **more)


def expected(run: Run) -> tuple[list[float], list[int], list[int]]:
    """Losses of all steps, and the correct items of validation and test after each epoch."""
    config = run.config
    model = perceptron(config, run.init)
    optimiser = update(config, model)
    x, y, val = plain(run.split, int(config["train_size"]))
    x, y = torch.tensor(x), nn.functional.one_hot(torch.tensor(y), 10).double()
    a, p = float(config["mixup"]), float(config["dropout"])
    orders, masks = stream("digits", "order", run.order), stream("digits", "dropout", run.order)
    mixes = stream("digits", "mixup", run.order, round(1000 * a))
    losses, counts = [], []
    for _ in range(int(config["epochs"])):
        model.train()
        for items in np.split(orders.permutation(len(x)), len(x) // BATCH):
            batch, target = x[items], y[items]
            if a:
                share, partner = mixes.beta(a, a), mixes.permutation(BATCH)
                batch = share * batch + (1 - share) * batch[partner]
                target = share * target + (1 - share) * target[partner]
            if p:
                kept = torch.tensor(masks.random((2, BATCH, int(config["width"]))) >= p) / (1 - p)
                for drop, mask in zip((m for m in model if isinstance(m, Drop)), kept, strict=True):
                    drop.mask = mask
            loss = nn.functional.cross_entropy(
                model(batch), target, label_smoothing=float(config["smoothing"])
            )
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            losses.append(loss.item())
        model.eval()
        with torch.no_grad():
            right = (model(torch.tensor(PIXELS)).argmax(1) == torch.tensor(LABELS)).numpy()
        counts.append((int(right[val].sum()), int(right[TEST].sum())))
    return losses, *map(list, zip(*counts, strict=True))


def recorded(runs: Sequence[Run], monkeypatch: pytest.MonkeyPatch) -> tuple[Trained, np.ndarray]:
    """What training gives, and the losses (runs, steps)."""
    losses: list[np.ndarray] = []

    def loss(self: Recorder, values: torch.Tensor) -> None:
        losses.append(values.detach().numpy())

    monkeypatch.setattr(Recorder, "loss", loss)
    return digits.train(runs), np.stack(losses, 1)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"norm": "batch"},
        {"norm": "layer", "width": 8},
        {"dropout": 0.2},
        {"dropout": 0.5, "norm": "batch", "mixup": 0.2, "lr": 0.03},
        {"smoothing": 0.3},
        {"mixup": 1.0},
        {"mixup": 0.2, "smoothing": 0.1},
        {"optimiser": "adamw", "lr": 0.01, "weight_decay": 0.1, "norm": "batch", "train_size": 100},
        {"weight_decay": 0.01, "norm": "layer"},
    ],
)
def test_training_is_that_of_pytorch(changes: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same losses at every step and, in evaluation (running statistics, no dropout), the same counts."""
    run = Run({**DIGITS.reference, "epochs": 5, **changes}, 1, 2, 3)
    made, losses = recorded([run], monkeypatch)
    due, val, test = expected(run)
    np.testing.assert_allclose(losses[0], due, rtol=1e-8)
    assert (made.val[0].tolist(), made.test[0].tolist()) == (val, test)


def test_the_reference_learns() -> None:
    made = digits.train([Run(DIGITS.reference, 0, 0, 0)])
    assert made.correct.shape == (1, DIGITS.n_test)
    assert made.test[0, -1] > 0.75 * DIGITS.n_test
    assert made.val[0, -1] > 0.75 * DIGITS.n_val
