"""Training of the family ``recall``: multi-query associative recall with one layer of attention, many
models at once."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np
import torch

from fourrounds.runbank.families import RECALL, Config, Run
from fourrounds.runbank.training.optimisers import Optimiser
from fourrounds.runbank.training.outcome import Price, Recorder, Trained, guess_loss, predicted
from fourrounds.runbank.training.streams import Orders, initial, stream, tensor

NAME = RECALL.name
KEYS, VALUES = 32, 16
BATCH, EPOCHS, WINDOW = 32, 10, 8
LINEAR_EPS = 1e-6


def together(config: Config) -> tuple[object, ...]:
    """What runs must share to be trained in one batch."""
    return tuple(config[name] for name in ("mixer", "pairs", "width", "train_size"))


def large(config: Config) -> bool:
    """Whether a model, its activations included, is large."""
    return int(config["pairs"]) * int(config["width"]) > 256


def price(config: Config) -> Price:
    """The matrix products count in full, also where a mask hides part of them."""
    width, pairs = int(config["width"]), int(config["pairs"])
    examples = int(config["train_size"]) * EPOCHS
    length = 3 * pairs
    projections = (pairs + 2 * length) * width * width
    attention = 2 * pairs * length * width
    head = pairs * width * VALUES
    parameters = (KEYS + VALUES) * width + 3 * 2 * width + 3 * width * width + width * VALUES
    # Forward, and both gradients: the embeddings are learnt, so every input needs one.
    return Price(parameters, examples, 6 * examples * (projections + attention + head))


def sequences(rng: np.random.Generator, count: int, pairs: int) -> tuple[np.ndarray, np.ndarray]:
    """Token sequences (count, 3 * pairs) and the values asked for (count, pairs).

    A sequence is key, value, key, value, ..., then every key once more in another order. Keys are the
    tokens 0 to 31, no key twice; values are 32 to 47, and the targets count from 0.
    """
    keys = np.argsort(rng.random((count, KEYS)), axis=1)[:, :pairs]
    values = rng.integers(VALUES, size=(count, pairs))
    asked = np.argsort(rng.random((count, pairs)), axis=1)
    tokens = np.empty((count, 3 * pairs), dtype=np.int64)
    tokens[:, 0 : 2 * pairs : 2], tokens[:, 1 : 2 * pairs : 2] = keys, values + KEYS
    tokens[:, 2 * pairs :] = np.take_along_axis(keys, asked, 1)
    return tokens, np.take_along_axis(values, asked, 1)


@functools.cache
def _test(pairs: int) -> tuple[np.ndarray, np.ndarray]:
    return sequences(stream(NAME, "test", pairs), RECALL.n_test // pairs, pairs)


@functools.lru_cache(maxsize=512)
def _train(split: int, size: int, pairs: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Training sequences and targets, validation sequences and targets; smaller sets are the start of
    larger ones."""
    val = sequences(stream(NAME, "validation", split, pairs), RECALL.n_val // pairs, pairs)
    tokens, targets = sequences(stream(NAME, "train", split, pairs), 1024, pairs)
    return tokens[:size], targets[:size], *val


def train(runs: Sequence[Run]) -> Trained:
    """Train runs that share what :func:`together` names; results in the order of ``runs``."""
    config = runs[0].config
    pairs, width, size = int(config["pairs"]), int(config["width"]), int(config["train_size"])
    length, models = 3 * pairs, len(runs)
    shapes: dict[str, tuple[int, ...]] = {
        "embedding": (KEYS + VALUES, width),
        "conv": (3, 2, width),
        **dict.fromkeys(("query", "key", "value"), (width, width)),
        "head": (width, VALUES),
    }
    p = initial(NAME, shapes, [run.init for run in runs])
    p["embedding"] *= (0.5 * shapes["embedding"][0]) ** 0.5  # to variance 1
    p["conv"] *= 0.5  # to variance 1/4
    for name in ("query", "key", "value", "head"):
        p[name] *= 0.5**0.5  # to variance 1 / fan-in: no ReLU follows
    for weight in p.values():
        weight.requires_grad_()
    optimiser = Optimiser("adam", list(p.values()), tensor([float(run.config["lr"]) for run in runs]))
    position = torch.arange(length)
    behind = position[2 * pairs :, None] - position
    allowed = behind >= 0 if config["mixer"] != "window" else (behind >= 0) & (behind < WINDOW)

    def logits(tokens: torch.Tensor) -> torch.Tensor:
        """Tokens (R, items, length) -> logits (R, items, pairs, VALUES)."""
        items = tokens.shape[1]
        rows = torch.arange(models)[:, None, None]
        here = p["embedding"][rows, tokens]
        before = torch.nn.functional.pad(here[:, :, :-1], (0, 0, 1, 0))
        conv = p["conv"][:, :, :, None, None]
        mixed = [conv[:, k, 0] * here + conv[:, k, 1] * before for k in range(3)]
        mixed[0] = mixed[0][:, :, 2 * pairs :]
        q, k, v = (
            (x.reshape(models, -1, width) @ p[name]).reshape(models, items, -1, width)
            for x, name in zip(mixed, ("query", "key", "value"), strict=True)
        )
        if config["mixer"] == "linear":
            q, k = torch.nn.functional.elu(q) + 1, torch.nn.functional.elu(k) + 1
            weights = (q @ k.mT) * allowed
            weights = weights / (weights.sum(-1, keepdim=True) + LINEAR_EPS)
        else:
            scores = (q @ k.mT) * width**-0.5
            weights = torch.softmax(scores.masked_fill(~allowed, -torch.inf), -1)
        out = (weights @ v).reshape(models, -1, width) @ p["head"]
        return out.reshape(models, items, pairs, VALUES)

    sets = [_train(run.split, size, pairs) for run in runs]
    x_train, y_train, x_val, y_val = (torch.tensor(np.stack(part)) for part in zip(*sets, strict=True))
    x_test, y_test = (torch.tensor(part).expand(models, *part.shape) for part in _test(pairs))
    orders = Orders(NAME, [run.order for run in runs])
    rows = torch.arange(models)[:, None]
    record = Recorder(models, guess_loss(VALUES))
    for _ in range(EPOCHS):
        order = orders.next(size)
        for step in range(size // BATCH):
            items = order[:, step * BATCH : (step + 1) * BATCH]
            chosen = torch.log_softmax(logits(x_train[rows, items]), -1).gather(
                -1, y_train[rows, items][..., None]
            )
            losses = -chosen.mean((1, 2, 3))
            record.loss(losses)
            optimiser.step(losses.sum())
        with torch.no_grad():
            record.epoch(
                (predicted(logits(x_val)) == y_val).flatten(1),
                (predicted(logits(x_test)) == y_test).flatten(1),
            )
    return record.result()
