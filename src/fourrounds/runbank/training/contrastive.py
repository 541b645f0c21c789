"""Training of the family ``contrastive``: NT-Xent on augmented digits, then a ridge probe, many models at
once."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np
import torch

from fourrounds.runbank.families import CONTRASTIVE, Config, Run
from fourrounds.runbank.training.images import TEST_BLOCKS, digits, jittered
from fourrounds.runbank.training.optimisers import Optimiser
from fourrounds.runbank.training.outcome import Price, Recorder, Trained, predicted
from fourrounds.runbank.training.streams import initial, stream, tensor

NAME = CONTRASTIVE.name
HIDDEN, FEATURES, CLASSES = 64, 32, 10
SIZE, EPOCHS, LABELLED = 512, 15, 100
NOISE = 0.2
RIDGE = 1.0
"""The probe's penalty, on features that are standardised over the labelled images."""
_SHAPES: dict[str, tuple[int, ...]] = {
    "w1": (64, HIDDEN),
    "w2": (HIDDEN, FEATURES),
    "b1": (HIDDEN,),
    "b2": (FEATURES,),
}
_PROJECTOR: dict[str, tuple[int, ...]] = {
    "w3": (FEATURES, FEATURES),
    "w4": (FEATURES, FEATURES),
    "b3": (FEATURES,),
    "b4": (FEATURES,),
}


def together(config: Config) -> tuple[object, ...]:
    """What runs must share to be trained in one batch."""
    return tuple(config[name] for name in ("method", "batch", "projector", "augmentation"))


def price(config: Config) -> Price:
    """The cost of pre-training; the probe, which all methods share, is left out."""
    if config["method"] != "ntxent":
        return Price(0, 0, 0)
    shapes = {**_SHAPES, **(_PROJECTOR if config["projector"] == "mlp" else {})}
    weights = {name: a * b for name, (a, b) in ((n, s) for n, s in shapes.items() if len(s) == 2)}
    biases = sum(s[0] for s in shapes.values() if len(s) == 1)
    examples, views = SIZE * EPOCHS, 2 * SIZE * EPOCHS
    similarities = 2 * int(config["batch"]) * FEATURES  # a view against the views of its batch
    flops = 2 * views * (3 * sum(weights.values()) - weights["w1"] + 3 * similarities)
    return Price(sum(weights.values()) + biases, examples, flops)


@functools.cache
def _indices() -> tuple[np.ndarray, np.ndarray]:
    """The images by the training's writers, and the test images by the other writers."""
    theirs = np.isin(digits()[2], TEST_BLOCKS)
    test = stream(NAME, "test").permutation(np.flatnonzero(theirs))[: CONTRASTIVE.n_test]
    return np.flatnonzero(~theirs), test


def _view(images: np.ndarray, augmentation: str, rng: np.random.Generator) -> np.ndarray:
    """One augmented view of images (n, 64): noise, and where asked a shift by up to one pixel."""
    if augmentation == "shift":
        return jittered(images, rng, NOISE)
    return np.clip(images + NOISE * rng.standard_normal(images.shape), 0, 1)


def nt_xent(z: torch.Tensor, temperature: torch.Tensor) -> torch.Tensor:
    """NT-Xent (Chen et al. 2020, equation 1) of each model.

    ``z`` (R, 2n, d) holds first the n first views, then the n second views; ``temperature`` (R,). Returns
    (R,).
    """
    z = torch.nn.functional.normalize(z, dim=-1)
    n = z.shape[1] // 2
    similar = (z @ z.mT) / temperature[:, None, None]
    similar = similar.masked_fill(torch.eye(2 * n, dtype=torch.bool), -torch.inf)
    partner = (torch.arange(2 * n) + n) % (2 * n)
    return -torch.log_softmax(similar, -1)[:, torch.arange(2 * n), partner].mean(-1)


def _encode(p: dict[str, torch.Tensor], x: torch.Tensor) -> torch.Tensor:
    h = torch.baddbmm(p["b1"], x, p["w1"]).relu()
    return torch.baddbmm(p["b2"], h, p["w2"])


def _probe(features: torch.Tensor, labels: torch.Tensor, held_out: torch.Tensor) -> torch.Tensor:
    """The classes (R, m) that ridge regression on one-hot labels predicts for held-out features (R, m,
    d)."""
    mean, sd = features.mean(1, keepdim=True), features.std(1, keepdim=True) + 1e-8
    x = torch.nan_to_num((features - mean) / sd)
    target = torch.nn.functional.one_hot(labels, CLASSES).to(x.dtype)
    bias = target.mean(1, keepdim=True)
    gram = x.mT @ x + RIDGE * torch.eye(x.shape[-1], dtype=x.dtype)
    weights = torch.linalg.solve(gram, x.mT @ (target - bias))
    return predicted(torch.nan_to_num((held_out - mean) / sd) @ weights + bias)


def train(runs: Sequence[Run]) -> Trained:
    """Train runs that share what :func:`together` names; results in the order of ``runs``."""
    config, models = runs[0].config, len(runs)
    images, labels, _ = digits()
    pool, test = _indices()
    mixed = np.stack([stream(NAME, "split", run.split).permutation(pool) for run in runs])
    val, chosen = mixed[:, : CONTRASTIVE.n_val], mixed[:, CONTRASTIVE.n_val : CONTRASTIVE.n_val + SIZE]
    labelled = chosen[:, :LABELLED]
    held_out = np.concatenate([val, np.broadcast_to(test, (models, len(test)))], 1)
    x_probe, y_probe = tensor(images[labelled]), torch.tensor(labels[labelled])
    x_eval, y_eval = tensor(images[held_out]), torch.tensor(labels[held_out])
    record = Recorder(models, float("inf"))

    def evaluate(encode: bool) -> None:
        with torch.no_grad():
            seen, unseen = (_encode(p, x_probe), _encode(p, x_eval)) if encode else (x_probe, x_eval)
            right = _probe(seen, y_probe, unseen) == y_eval
        record.epoch(right[:, : CONTRASTIVE.n_val], right[:, CONTRASTIVE.n_val :])

    shapes = {**_SHAPES, **(_PROJECTOR if config["projector"] == "mlp" else {})}
    p = initial(NAME, shapes, [run.init for run in runs])
    p = {name: value[:, None] if name.startswith("b") else value for name, value in p.items()}
    if config["method"] != "ntxent":
        evaluate(encode=config["method"] == "untrained")
        return record.result()

    for value in p.values():
        value.requires_grad_()
    optimiser = Optimiser("adam", list(p.values()), tensor([float(run.config["lr"]) for run in runs]))
    temperature = tensor([float(run.config["temperature"]) for run in runs])
    # Runs of the same split and order see the same views.
    pairs = list(dict.fromkeys((run.split, run.order) for run in runs))
    where = torch.tensor([pairs.index((run.split, run.order)) for run in runs])
    first = [[run.split for run in runs].index(split) for split, _ in pairs]
    rngs = [stream(NAME, "order", order) for _, order in pairs]
    batch, augmentation = int(config["batch"]), str(config["augmentation"])
    for _ in range(EPOCHS):
        orders = [rng.permutation(SIZE) for rng in rngs]
        for step in range(SIZE // batch):
            views = []
            for k, (order, rng) in enumerate(zip(orders, rngs, strict=True)):
                x = images[chosen[first[k]][order[step * batch : (step + 1) * batch]]]
                views.append(np.concatenate([_view(x, augmentation, rng), _view(x, augmentation, rng)]))
            z = _encode(p, tensor(np.stack(views))[where])
            if "w3" in p:
                z = torch.baddbmm(p["b4"], torch.baddbmm(p["b3"], z.relu(), p["w3"]).relu(), p["w4"])
            losses = nt_xent(z, temperature)
            record.loss(losses)
            optimiser.step(losses.sum())
        evaluate(encode=True)
    return record.result()
