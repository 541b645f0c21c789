"""Training of the family ``transfer``: small models adapted to the digits 5-9, many at once."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np
import torch

from fourrounds.runbank.families import TRANSFER, Config, Run
from fourrounds.runbank.training.images import digits
from fourrounds.runbank.training.optimisers import Optimiser
from fourrounds.runbank.training.outcome import Price, Recorder, Trained, guess_loss, predicted
from fourrounds.runbank.training.streams import Orders, initial, stream, tensor

NAME = TRANSFER.name
WIDTH, CLASSES = 32, 5
BATCH, EPOCHS = 10, 20
SOURCE_SIZE, SOURCE_BATCH, SOURCE_EPOCHS, SOURCE_LR = 250, 25, 20, 0.01
SOURCE_BLOCKS, TARGET_BLOCKS, TEST_BLOCKS = (0, 2, 4, 6), (1, 8, 10, 12), (3, 5, 7, 9, 11)
ALPHA = 4
"""LoRA's update of a weight is ALPHA / rank times the product of its two factors (Hu et al. 2021, section
4.1)."""
_SIZES = {"1": (64, WIDTH), "2": (WIDTH, WIDTH)}


def together(config: Config) -> tuple[object, ...]:
    """What runs must share to be trained in one batch."""
    return tuple(config[name] for name in ("method", "rank", "train_size", "source"))


def price(config: Config) -> Price:
    """The cost of the adaptation; that of the source model, which methods share, is left out."""
    examples, rank = int(config["train_size"]) * EPOCHS, int(config["rank"])
    head = WIDTH * CLASSES
    hidden = {name: a * b for name, (a, b) in _SIZES.items()}
    forward = sum(hidden.values()) + head
    if config["method"] == "head":
        return Price(head + CLASSES, examples, 2 * examples * (forward + head))
    if config["method"] == "lora":
        low = {name: rank * (a + b) for name, (a, b) in _SIZES.items()}
        # Backward: both gradients of the head and of the factors, and the input's through the second
        # layer; the first factor of the first layer needs none of its input.
        backward = 2 * head + 2 * sum(low.values()) - rank * _SIZES["1"][0] + hidden["2"]
        parameters = sum(low.values()) + head + CLASSES
        return Price(parameters, examples, 2 * examples * (forward + sum(low.values()) + backward))
    return Price(forward + 2 * WIDTH + CLASSES, examples, 2 * examples * (3 * forward - hidden["1"]))


def _of(blocks: Sequence[int], high: bool) -> np.ndarray:
    """The images of 5-9 (or of 0-4) in these blocks."""
    _, labels, where = digits()
    return np.flatnonzero(((labels >= CLASSES) == high) & np.isin(where, blocks))


@functools.cache
def _test() -> np.ndarray:
    return stream(NAME, "test").permutation(_of(TEST_BLOCKS, high=True))[: TRANSFER.n_test]


def _source(seed: int, kind: str) -> tuple[np.ndarray, np.ndarray]:
    """The images (SOURCE_SIZE, 64) and labels from 0 to 4 that a source model of this init seed learns."""
    images, labels, _ = digits()
    chosen = stream(NAME, "source", seed).permutation(_of(SOURCE_BLOCKS, high=kind != "other"))[:SOURCE_SIZE]
    x = images[chosen]
    if kind == "inverted":
        x = 1 - x.reshape(-1, 8, 8).transpose(0, 2, 1).reshape(-1, 64)
    return x, labels[chosen] % CLASSES


def _forward(p: dict[str, torch.Tensor], x: torch.Tensor) -> torch.Tensor:
    for layer in "12":
        h = torch.baddbmm(p["b" + layer], x, p["w" + layer])
        if "down" + layer in p:
            # x A B: the product of the factors is never formed.
            rank = p["down" + layer].shape[-1]
            h = h + ALPHA / rank * (x @ p["down" + layer] @ p["up" + layer])
        x = h.relu()
    return torch.baddbmm(p["b3"], x, p["w3"])


def _fresh(seeds: Sequence[int]) -> dict[str, torch.Tensor]:
    shapes = {"w1": (64, WIDTH), "w2": (WIDTH, WIDTH), "w3": (WIDTH, CLASSES), "b1": (WIDTH,), "b2": (WIDTH,)}
    p = initial(NAME, {**shapes, "b3": (CLASSES,)}, seeds)
    return {name: value[:, None] if name.startswith("b") else value for name, value in p.items()}


@functools.lru_cache(maxsize=16)
def _pretrained(seeds: tuple[int, ...], kind: str) -> dict[str, torch.Tensor]:
    """The source models of these init seeds."""
    p = _fresh(seeds)
    for value in p.values():
        value.requires_grad_()
    optimiser = Optimiser("adam", list(p.values()), tensor([SOURCE_LR] * len(seeds)))
    x, y = zip(*(_source(seed, kind) for seed in seeds), strict=True)
    images, labels = tensor(np.stack(x)), torch.tensor(np.stack(y))
    rngs = [stream(NAME, "source order", seed) for seed in seeds]
    rows = torch.arange(len(seeds))[:, None]
    for _ in range(SOURCE_EPOCHS):
        order = torch.tensor(np.stack([rng.permutation(SOURCE_SIZE) for rng in rngs]))
        for step in range(SOURCE_SIZE // SOURCE_BATCH):
            items = order[:, step * SOURCE_BATCH : (step + 1) * SOURCE_BATCH]
            chosen = torch.log_softmax(_forward(p, images[rows, items]), -1).gather(
                -1, labels[rows, items][..., None]
            )
            optimiser.step(-chosen.mean((1, 2)).sum())
    return {name: value.detach() for name, value in p.items()}


def _start(
    runs: Sequence[Run], method: str, rank: int, source: str
) -> tuple[dict[str, torch.Tensor], list[str]]:
    """All parameters of the models, and the names of those that are trained."""
    seeds = [run.init for run in runs]
    fresh = _fresh(seeds)
    if method == "scratch":
        return fresh, list(fresh)
    distinct = tuple(dict.fromkeys(seeds))
    where = [distinct.index(seed) for seed in seeds]
    p = {name: value[where].clone() for name, value in _pretrained(distinct, source).items()}
    # A head for new classes starts anew; its draw is not the one that the source model began with.
    p["w3"] = initial(NAME + "/head", {"w3": (WIDTH, CLASSES)}, seeds)["w3"]
    p["b3"] = torch.zeros_like(p["b3"])
    if method == "full":
        return p, list(p)
    trained = ["w3", "b3"]
    if method == "lora":
        for layer, (a, b) in _SIZES.items():
            p["down" + layer] = initial(NAME + "/lora" + layer, {"down": (a, rank)}, seeds)["down"] * 0.5**0.5
            p["up" + layer] = torch.zeros(len(runs), rank, b, dtype=torch.float64)
            trained += ["down" + layer, "up" + layer]
    return p, trained


def train(runs: Sequence[Run]) -> Trained:
    """Train runs that share what :func:`together` names; results in the order of ``runs``."""
    config = runs[0].config
    size, models = int(config["train_size"]), len(runs)
    p, trained = _start(runs, str(config["method"]), int(config["rank"]), str(config["source"]))
    for name in trained:
        p[name].requires_grad_()
    optimiser = Optimiser(
        "adam", [p[name] for name in trained], tensor([float(run.config["lr"]) for run in runs])
    )
    images, labels, _ = digits()
    pool = _of(TARGET_BLOCKS, high=True)
    mixed = np.stack([stream(NAME, "split", run.split).permutation(pool) for run in runs])
    val, chosen = mixed[:, : TRANSFER.n_val], mixed[:, TRANSFER.n_val : TRANSFER.n_val + size]
    x_train, y_train = tensor(images[chosen]), torch.tensor(labels[chosen] - CLASSES)
    held_out = np.concatenate([val, np.broadcast_to(_test(), (models, TRANSFER.n_test))], 1)
    x_eval, y_eval = tensor(images[held_out]), torch.tensor(labels[held_out] - CLASSES)
    orders = Orders(NAME, [run.order for run in runs])
    rows = torch.arange(models)[:, None]
    record = Recorder(models, guess_loss(CLASSES))
    for _ in range(EPOCHS):
        order = orders.next(size)
        for step in range(size // BATCH):
            items = order[:, step * BATCH : (step + 1) * BATCH]
            logits = _forward(p, x_train[rows, items])
            losses = -torch.log_softmax(logits, -1).gather(-1, y_train[rows, items][..., None]).mean((1, 2))
            record.loss(losses)
            optimiser.step(losses.sum())
        with torch.no_grad():
            right = predicted(_forward(p, x_eval)) == y_eval
        record.epoch(right[:, : TRANSFER.n_val], right[:, TRANSFER.n_val :])
    return record.result()
