"""The trainer of ``contrastive``: NT-Xent against pytorch-metric-learning, its probe against scikit-learn."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import torch
from pytorch_metric_learning.losses import NTXentLoss, SelfSupervisedLoss
from sklearn.linear_model import Ridge
from torch import nn

from fourrounds.runbank.families import CONTRASTIVE, Config, Run
from fourrounds.runbank.training import contrastive, images
from fourrounds.runbank.training.contrastive import _probe, _view, nt_xent
from fourrounds.runbank.training.outcome import Recorder
from fourrounds.runbank.training.streams import initial, stream

PIXELS, LABELS, BLOCK = images.digits()
POOL, TEST = contrastive._indices()


def chosen(split: int) -> tuple[np.ndarray, np.ndarray]:
    """The validation images and the 512 of the training; the first 100 of these are labelled."""
    mixed = stream("contrastive", "split", split).permutation(POOL)
    return mixed[:200], mixed[200:712]


# -- the loss


@pytest.mark.parametrize("n", [2, 16])
def test_nt_xent_is_that_of_pytorch_metric_learning(n: int) -> None:
    """With the temperature of each model, and the gradients."""
    z = torch.tensor(np.random.default_rng(n).normal(size=(3, 2 * n, 5)), requires_grad=True)
    temperatures = (0.05, 0.2, 1.0)
    losses = nt_xent(z, torch.tensor(temperatures, dtype=torch.float64))
    due = [SelfSupervisedLoss(NTXentLoss(t))(x[:n], x[n:]) for x, t in zip(z, temperatures, strict=True)]
    torch.testing.assert_close(losses, torch.stack(due), rtol=1e-10, atol=0)
    ours, theirs = (torch.autograd.grad(loss, z)[0] for loss in (losses.sum(), sum(due)))
    torch.testing.assert_close(ours, theirs, rtol=1e-8, atol=1e-10)


# -- the views


def test_noise_has_its_standard_deviation_and_is_cut_off_at_0_and_1() -> None:
    image = np.full((500, 64), 0.5)
    seen = _view(image, "noise", np.random.default_rng(0))
    assert (seen - image).std() == pytest.approx(0.2, rel=0.05)
    assert (seen.min(), seen.max()) == (0, 1)


def test_shift_moves_by_up_to_a_pixel_each_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contrastive, "NOISE", 0.0)
    image = np.zeros((300, 64))
    image[:, 27] = 1  # row 3, column 3
    seen = _view(image, "shift", np.random.default_rng(0))
    assert (seen.sum(1) == 1).all()
    assert set(seen.argmax(1)) == {27 + 8 * down + right for down, right in product((-1, 0, 1), repeat=2)}
    np.testing.assert_array_equal(_view(image, "noise", np.random.default_rng(0)), image)


# -- the probe


def scikit_learns(seen: np.ndarray, labels: np.ndarray, unseen: np.ndarray) -> np.ndarray:
    """Ridge's predictions with a penalty of 1, features standardised over the labelled images.

    With a divisor of n - 1 in the standard deviation, where scikit-learn's scaler has n.
    """
    mean, sd = seen.mean(0), seen.std(0, ddof=1)
    sd[sd == 0] = 1
    ridge = Ridge(alpha=1.0).fit((seen - mean) / sd, np.eye(10)[labels])
    predicted: np.ndarray = ridge.predict((unseen - mean) / sd).argmax(1)
    return predicted


@pytest.mark.parametrize("seed", range(3))
def test_probe_is_scikit_learns_ridge(seed: int) -> None:
    rng = np.random.default_rng(seed)
    seen, unseen = rng.normal(size=(2, 60, 8)) * 3 + 1, rng.normal(size=(2, 90, 8)) * 3 + 1
    labels = rng.integers(10, size=(2, 60))
    seen[:, :, 0] += labels
    seen[:, :, 7] = 0.7  # a dead feature
    ours = _probe(*map(torch.tensor, (seen, labels, unseen)))
    unseen[:, :, 7] = 0.7  # what never varied says nothing
    for k in range(2):
        np.testing.assert_array_equal(ours[k].numpy(), scikit_learns(seen[k], labels[k], unseen[k]))


def test_probe_of_pixels_is_scikit_learns() -> None:
    config: Config = {**CONTRASTIVE.reference, "method": "pixels", "lr": 0.0}
    made = contrastive.train([Run(config, 0, split, 0) for split in (0, 5)])
    assert made.val.shape == made.test.shape == (2, 1)
    for k, split in enumerate((0, 5)):
        val, train = chosen(split)
        labelled = train[:100]
        for items, counts in ((val, made.val), (TEST, made.test)):
            right = scikit_learns(PIXELS[labelled], LABELS[labelled], PIXELS[items]) == LABELS[items]
            assert counts[k, 0] == right.sum()
        np.testing.assert_array_equal(made.correct[k], right)


# -- the training


def test_no_image_is_in_two_of_the_sets_and_the_writers_of_the_test_are_unseen() -> None:
    for split in (0, 29, 100):
        val, train = chosen(split)
        assert len({*val, *train, *TEST}) == CONTRASTIVE.n_val + 512 + CONTRASTIVE.n_test
        assert not set(BLOCK[TEST]) & set(BLOCK[np.concatenate([val, train])])


def network(init: int, projector: bool) -> tuple[nn.Sequential, nn.Sequential]:
    """The encoder, and the encoder with what the loss sees, of PyTorch's layers."""
    shapes = {"w1": (64, 64), "w2": (64, 32), "b1": (64,), "b2": (32,)}
    more = {"w3": (32, 32), "w4": (32, 32), "b3": (32,), "b4": (32,)} if projector else {}
    p = initial("contrastive", {**shapes, **more}, [init])
    linears = []
    for name in (name for name in p if name.startswith("w")):
        linears.append(nn.Linear(*p[name].shape[1:]).double())
        linears[-1].weight.data, linears[-1].bias.data = p[name][0].T.clone(), p["b" + name[1]][0].clone()
    encoder = nn.Sequential(linears[0], nn.ReLU(), linears[1])
    head = (nn.ReLU(), linears[2], nn.ReLU(), linears[3]) if projector else ()
    return encoder, nn.Sequential(encoder, *head)


@pytest.mark.parametrize(
    "changes", [{}, {"projector": "none", "temperature": 1.0}, {"augmentation": "noise", "batch": 16}]
)
def test_training_is_that_of_pytorch(changes: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    """The losses of all steps, and the probe of the features under the projector."""
    losses: list[float] = []
    monkeypatch.setattr(Recorder, "loss", lambda self, values: losses.append(values.item()))
    monkeypatch.setattr(contrastive, "EPOCHS", 2)
    config: Config = {**CONTRASTIVE.reference, **changes}
    made = contrastive.train([Run(config, 1, 2, 3)])
    encoder, model = network(1, config["projector"] == "mlp")
    optimiser = torch.optim.Adam(model.parameters(), lr=float(config["lr"]))
    criterion = SelfSupervisedLoss(NTXentLoss(float(config["temperature"])))
    rng, (_, train), due = stream("contrastive", "order", 3), chosen(2), []
    for _ in range(2):
        for items in np.split(train[rng.permutation(512)], 512 // int(config["batch"])):
            one, other = (torch.tensor(_view(PIXELS[items], str(config["augmentation"]), rng)) for _ in "ab")
            loss = criterion(model(one), model(other))
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            due.append(loss.item())
    np.testing.assert_allclose(losses, due, rtol=1e-8)
    with torch.no_grad():
        features = encoder(torch.tensor(PIXELS)).numpy()
    found = scikit_learns(features[train[:100]], LABELS[train[:100]], features[TEST])
    np.testing.assert_array_equal(made.correct[0], found == LABELS[TEST])
