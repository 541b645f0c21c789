"""Training of the family ``digits``: MLPs on handwritten digits, many at once."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np
import torch

from fourrounds.runbank.families import DIGITS, Config, Run
from fourrounds.runbank.training.images import TEST_BLOCKS, digits, jittered
from fourrounds.runbank.training.optimisers import Optimiser
from fourrounds.runbank.training.outcome import Price, Recorder, Trained, guess_loss, predicted
from fourrounds.runbank.training.streams import Orders, initial, stream, tensor

BATCH = 25
CLASSES = 10
NAME = DIGITS.name
NORM_EPS, NORM_MOMENTUM = 1e-5, 0.1


def together(config: Config) -> tuple[object, ...]:
    """What runs must share to be trained in one batch."""
    return tuple(config[name] for name in ("optimiser", "width", "norm", "train_size", "epochs"))


def price(config: Config) -> Price:
    width, examples = int(config["width"]), int(config["train_size"]) * int(config["epochs"])
    sizes = [(64, width), (width, width), (width, CLASSES)]
    weights = [a * b for a, b in sizes]
    norm = 0 if config["norm"] == "none" else 4 * width
    # Forward, and the gradients of weights and of inputs; the images need no gradient.
    flops = 2 * examples * (3 * sum(weights) - weights[0])
    return Price(sum(weights) + sum(b for _, b in sizes) + norm, examples, flops)


@functools.cache
def _fixed() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Indices of the test set, of the same writers' other images, and of the other writers' images."""
    blocks = digits()[2]
    mixed = stream(NAME, "test").permutation(np.flatnonzero(np.isin(blocks, TEST_BLOCKS)))
    return mixed[: DIGITS.n_test], mixed[DIGITS.n_test :], np.flatnonzero(~np.isin(blocks, TEST_BLOCKS))


@functools.lru_cache(maxsize=4096)
def training_set(
    split_seed: int, size: int, split: str, contamination: float, duplicates: float, repeats: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Training images (size, 64), their labels (size,), and the indices of the validation images.

    Sets of the same seed are nested: a larger one begins with a smaller one. What contamination,
    near-duplicates and repeats add takes the place of the last images.
    """
    images, labels, _ = digits()
    test, same_writers, others = _fixed()
    pool = others if split == "writer" else np.concatenate([others, same_writers])
    mixed = stream(NAME, "split", split_seed).permutation(pool)
    val, chosen = mixed[: DIGITS.n_val], mixed[DIGITS.n_val : DIGITS.n_val + size]
    x, y = images[chosen].copy(), labels[chosen].copy()
    if contamination:
        count = round(contamination * size)
        x[-count:], y[-count:] = images[test[:count]], labels[test[:count]]
    if duplicates:
        count = round(duplicates * size)
        x[-count:] = jittered(images[test[:count]], stream(NAME, "duplicates", split_seed))
        y[-count:] = labels[test[:count]]
    if repeats:
        count = round(repeats * size)
        sources = np.arange(count) % (size - count)
        x[-count:], y[-count:] = jittered(x[sources], stream(NAME, "repeats", split_seed)), y[sources]
    return x, y, val


class _Normalised:
    """Batch or layer normalisation of R models: activations have shape (R, items, width)."""

    def __init__(self, kind: str, models: int, width: int) -> None:
        self.kind = kind
        self.gain = torch.ones(models, 1, width, dtype=torch.float64, requires_grad=True)
        self.bias = torch.zeros(models, 1, width, dtype=torch.float64, requires_grad=True)
        self.mean, self.var = torch.zeros_like(self.gain.data), torch.ones_like(self.gain.data)

    def __call__(self, x: torch.Tensor, training: bool) -> torch.Tensor:
        if self.kind == "layer":
            mean, var = x.mean(-1, keepdim=True), x.var(-1, keepdim=True, correction=0)
        elif training:
            mean, var = x.mean(1, keepdim=True), x.var(1, keepdim=True, correction=0)
            n = x.shape[1]
            with torch.no_grad():
                self.mean.lerp_(mean, NORM_MOMENTUM)
                self.var.lerp_(var * n / (n - 1), NORM_MOMENTUM)
        else:
            mean, var = self.mean, self.var
        return (x - mean) / (var + NORM_EPS).sqrt() * self.gain + self.bias


def train(runs: Sequence[Run]) -> Trained:
    """Train runs that share what :func:`together` names; results in the order of ``runs``."""
    config = runs[0].config
    width, size, epochs = int(config["width"]), int(config["train_size"]), int(config["epochs"])
    models = len(runs)

    def column(name: str) -> torch.Tensor:
        return tensor([float(run.config[name]) for run in runs])

    shapes = {"w1": (64, width), "w2": (width, width), "w3": (width, CLASSES), "b1": (width,), "b2": (width,)}
    start = initial(NAME, {**shapes, "b3": (CLASSES,)}, [run.init for run in runs])
    weights = [start[name].requires_grad_() for name in ("w1", "w2", "w3")]
    biases = [start[name][:, None].requires_grad_() for name in ("b1", "b2", "b3")]
    norms = (
        []
        if config["norm"] == "none"
        else [_Normalised(str(config["norm"]), models, width) for _ in range(2)]
    )
    parameters = [*weights, *biases, *(p for norm in norms for p in (norm.gain, norm.bias))]
    optimiser = Optimiser(str(config["optimiser"]), parameters, column("lr"), column("weight_decay"))
    draws = _Draws(runs, width)

    def logits(x: torch.Tensor, keep: Sequence[torch.Tensor] | None = None) -> torch.Tensor:
        for layer in range(2):
            x = torch.baddbmm(biases[layer], x, weights[layer])
            if norms:
                x = norms[layer](x, training=keep is not None)
            x = x.relu()
            if keep is not None and draws.drops:
                x = x * keep[layer]
        return torch.baddbmm(biases[2], x, weights[2])

    images, labels, _ = digits()
    sets = [
        training_set(
            run.split, size, *(run.config[n] for n in ("split", "contamination", "duplicates", "repeats"))
        )
        for run in runs
    ]
    x_train = tensor(np.stack([x for x, _, _ in sets]))
    y_train = torch.tensor(np.stack([y for _, y, _ in sets]))
    val = np.stack([v for _, _, v in sets])
    test = _fixed()[0]
    x_eval = torch.cat([tensor(images[val]), tensor(images[test]).expand(models, -1, -1)], 1)
    y_eval = torch.cat([torch.tensor(labels[val]), torch.tensor(labels[test]).expand(models, -1)], 1)
    smoothing = column("smoothing")[:, None, None]
    record = Recorder(models, guess_loss(CLASSES))
    rows = torch.arange(models)[:, None]
    for _ in range(epochs):
        order = draws.epoch(size)
        for step in range(size // BATCH):
            items = order[:, step * BATCH : (step + 1) * BATCH]
            x = x_train[rows, items]
            target = torch.nn.functional.one_hot(y_train[rows, items], CLASSES).to(x.dtype)
            target = target * (1 - smoothing) + smoothing / CLASSES
            keep, share, partner = draws.step()
            if share is not None:
                x = share * x + (1 - share) * x[rows, partner]
                target = share * target + (1 - share) * target[rows, partner]
            losses = -(target * torch.log_softmax(logits(x, keep), -1)).sum(-1).mean(-1)
            record.loss(losses)
            optimiser.step(losses.sum())
        with torch.no_grad():
            right = predicted(logits(x_eval)) == y_eval
        record.epoch(right[:, : DIGITS.n_val], right[:, DIGITS.n_val :])
    return record.result()


class _Draws:
    """What is drawn during training, from the order seed alone: runs of the same seed share batches,
    masks and mixing."""

    def __init__(self, runs: Sequence[Run], width: int) -> None:
        self._orders = Orders(NAME, [run.order for run in runs])
        self._where, seeds = self._orders.where, list(dict.fromkeys(run.order for run in runs))
        self._masks = [stream(NAME, "dropout", seed) for seed in seeds]
        self._width = width
        drop = tensor([float(run.config["dropout"]) for run in runs])
        self.drops = bool(drop.any())
        self._drop = drop[:, None, None]
        # A Beta draw depends on its parameter, so each value of it has its own stream.
        self._mixes = {
            float(a): [stream(NAME, "mixup", seed, round(1000 * float(a))) for seed in seeds]
            for a in dict.fromkeys(run.config["mixup"] for run in runs)
            if a
        }
        self._mixed = {a: torch.tensor([run.config["mixup"] == a for run in runs]) for a in self._mixes}

    def epoch(self, size: int) -> torch.Tensor:
        """The order of the training items of the next epoch, shape (R, size)."""
        return self._orders.next(size)

    def step(self) -> tuple[list[torch.Tensor], torch.Tensor | None, torch.Tensor | None]:
        """Masks of both layers, and the share and the partner of each item in mixup (None where no run
        mixes)."""
        keep = []
        if self.drops:
            drawn = np.stack([rng.random((2, BATCH, self._width)) for rng in self._masks])
            kept = tensor(drawn)[self._where] >= self._drop[:, None]
            keep = list((kept / (1 - self._drop[:, None])).unbind(1))
        if not self._mixes:
            return keep, None, None
        share = torch.ones(len(self._where), 1, 1, dtype=torch.float64)
        partner = torch.arange(BATCH).repeat(len(self._where), 1)
        for a, rngs in self._mixes.items():
            drawn_share = tensor([rng.beta(a, a) for rng in rngs])[self._where, None, None]
            drawn_partner = torch.tensor(np.stack([rng.permutation(BATCH) for rng in rngs]))[self._where]
            share = torch.where(self._mixed[a][:, None, None], drawn_share, share)
            partner = torch.where(self._mixed[a][:, None], drawn_partner, partner)
        return keep, share, partner
