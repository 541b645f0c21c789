"""The trainer of ``transfer``: who has which images, what a method starts from, and what it leaves alone."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
import torch
from torch import nn

from fourrounds.runbank.families import TRANSFER, Config, Run
from fourrounds.runbank.training import images, transfer
from fourrounds.runbank.training.outcome import Recorder
from fourrounds.runbank.training.streams import stream

PIXELS, LABELS, BLOCK = images.digits()
WHERE = {image.tobytes(): number for number, image in enumerate(PIXELS)}
SOURCES = ("same", "other", "inverted")
METHODS: tuple[Config, ...] = (
    {"method": "scratch", "source": "none"},
    {"method": "head"},
    {"method": "lora", "rank": 2},
    {"method": "full"},
)
Parameters = dict[str, torch.Tensor]


def runs(changes: Config, inits: tuple[int, ...] = (0, 3), lr: float = 0.01) -> list[Run]:
    return [Run({**TRANSFER.reference, **changes, "lr": lr}, init, 1, 2) for init in inits]


def start(changes: Config, inits: tuple[int, ...] = (0, 3)) -> tuple[Parameters, list[str]]:
    """The parameters of the models before their adaptation, and the names of those that are trained."""
    config = runs(changes)[0].config
    method, rank, source = str(config["method"]), int(config["rank"]), str(config["source"])
    return transfer._start(runs(changes, inits), method, rank, source)


# -- the images


def test_source_target_and_test_have_different_writers() -> None:
    parts = (transfer.SOURCE_BLOCKS, transfer.TARGET_BLOCKS, transfer.TEST_BLOCKS)
    assert sorted(sum(parts, ())) == sorted(set(BLOCK))
    found = [set(BLOCK[transfer._of(blocks, high=high)]) for blocks in parts for high in (True, False)]
    assert found == [set(blocks) for blocks in parts for _ in range(2)]


def test_test_and_target_are_images_of_5_to_9() -> None:
    test, target = transfer._test(), transfer._of(transfer.TARGET_BLOCKS, high=True)
    assert len(set(test)) == len(test) == TRANSFER.n_test
    assert len(target) >= TRANSFER.n_val + max(TRANSFER.factor("train_size").levels)
    assert set(LABELS[test]) == set(LABELS[target]) == {5, 6, 7, 8, 9}
    assert not set(BLOCK[test]) & set(BLOCK[target])


@pytest.mark.parametrize("seed", [0, 29, 105])
def test_source_images(seed: int) -> None:
    """Those of ``same`` and ``inverted`` are one choice; the labels are in the order of the classes."""
    drawn = {kind: transfer._source(seed, kind) for kind in SOURCES}
    classes = {kind: [WHERE[image.tobytes()] for image in drawn[kind][0]] for kind in ("same", "other")}
    for kind, first in (("same", 5), ("other", 0)):
        numbers = classes[kind]
        assert len(set(numbers)) == transfer.SOURCE_SIZE
        assert set(BLOCK[numbers]) == set(transfer.SOURCE_BLOCKS)
        np.testing.assert_array_equal(drawn[kind][1], LABELS[numbers] - first)
    for image, number in zip(drawn["inverted"][0], classes["same"], strict=True):
        np.testing.assert_array_equal(image.reshape(8, 8), 1 - PIXELS[number].reshape(8, 8).T)
    np.testing.assert_array_equal(drawn["inverted"][1], drawn["same"][1])


# -- what a method starts from


def test_source_models_of_an_init_seed_are_equal_in_all_methods() -> None:
    """Beside whichever models they are trained.

    To rounding only: where a model lies elsewhere in the batch its numbers are aligned otherwise in memory,
    and the processor then adds up a product in another order.
    """
    one = start({"method": "head"}, inits=(0, 3))[0]
    transfer._pretrained.cache_clear()
    for changes, inits in (({"method": "lora", "rank": 4}, (3,)), ({"method": "full"}, (1, 2, 3, 3))):
        other, row = start(changes, inits)[0], inits.index(3)
        for name in ("w1", "b1", "w2", "b2", "w3", "b3"):
            torch.testing.assert_close(one[name][1], other[name][row], rtol=0, atol=1e-12)


def test_source_models_differ_by_seed_and_by_source() -> None:
    models = [transfer._pretrained((seed,), kind)["w2"] for seed in (0, 3) for kind in SOURCES]
    assert not any(torch.equal(one, other) for one, other in combinations(models, 2))


@pytest.mark.parametrize("kind", SOURCES)
def test_source_models_know_what_they_learnt(kind: str) -> None:
    x, y = transfer._source(0, kind)
    logits = transfer._forward(transfer._pretrained((0,), kind), torch.tensor(x)[None])
    assert (logits.argmax(-1)[0] == torch.tensor(y)).double().mean() > 0.95


def test_the_head_is_fresh() -> None:
    """It is not that of the source model, and its draw has nothing to do with any weight's at its start."""
    p = start({"method": "full"})[0]
    assert (p["w3"] - transfer._pretrained((0, 3), "other")["w3"]).abs().median() > 0.01
    for name, began in transfer._fresh((0, 3)).items():
        if name.startswith("w"):
            both = torch.stack([p["w3"].flatten(), began.flatten(1)[:, :160].flatten()])
            assert abs(both.corrcoef()[0, 1]) < 0.3, name
    assert not p["b3"].any()
    assert p["w3"].std().item() == pytest.approx((2 / 32) ** 0.5, rel=0.2)


def test_scratch_starts_anew() -> None:
    p, trained = start({"method": "scratch", "source": "none"})
    due = transfer._fresh((0, 3))
    assert set(trained) == set(p) == set(due)
    assert all(torch.equal(p[name], due[name]) for name in due)


@pytest.mark.parametrize("rank", [1, 8])
def test_lora_starts_as_the_source_model_with_a_fresh_head(rank: int) -> None:
    x = torch.tensor(PIXELS[:40]).expand(2, -1, -1)
    adapted, head = start({"method": "lora", "rank": rank})[0], start({"method": "head"})[0]
    assert torch.equal(transfer._forward(adapted, x), transfer._forward(head, x))
    assert all(adapted[f"down{layer}"].any() for layer in "12")


@pytest.mark.parametrize("rank", [1, 8])
def test_lora_adds_the_scaled_product_of_its_factors_to_the_weights(rank: int) -> None:
    rng = np.random.default_rng(0)
    p = start({"method": "lora", "rank": rank})[0]
    merged = dict(p)
    for layer in "12":
        p["up" + layer] = torch.tensor(rng.normal(size=p["up" + layer].shape))
        down, up = merged.pop("down" + layer), p["up" + layer]
        del merged["up" + layer]
        merged["w" + layer] = p["w" + layer] + 4 / rank * torch.einsum("mir,mro->mio", down, up)
    x = torch.tensor(PIXELS[:40]).expand(2, -1, -1)
    torch.testing.assert_close(transfer._forward(p, x), transfer._forward(merged, x))


# -- what a method trains


@pytest.mark.parametrize("changes", METHODS)
def test_only_what_the_method_trains_changes(changes: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[tuple[Parameters, list[str]]] = []

    def spy(*arguments: object) -> tuple[Parameters, list[str]]:
        kept.append(made(*arguments))
        return kept[0]

    made = transfer._start
    before = start(changes)[0]
    monkeypatch.setattr(transfer, "_start", spy)
    transfer.train(runs(changes))
    ((after, trained),) = kept
    layers = {"w1", "b1", "w2", "b2"}
    adapters = {"down1", "up1", "down2", "up2"}
    due = {"head": set(), "lora": adapters}.get(str(changes["method"]), layers) | {"w3", "b3"}
    assert set(trained) == due
    assert set(after) == layers | due
    for name in after:
        same = torch.equal(after[name].detach(), before[name])
        assert same == (name not in due), name


def test_full_fine_tuning_is_that_of_pytorch(monkeypatch: pytest.MonkeyPatch) -> None:
    losses: list[float] = []
    monkeypatch.setattr(Recorder, "loss", lambda self, values: losses.append(values.item()))
    run = runs({"method": "full"}, inits=(3,))[0]
    made = transfer.train([run])
    p = start({"method": "full"}, inits=(3,))[0]
    linears = [nn.Linear(64, 32), nn.Linear(32, 32), nn.Linear(32, 5)]
    model = nn.Sequential(linears[0], nn.ReLU(), linears[1], nn.ReLU(), linears[2]).double()
    for layer, linear in zip("123", linears, strict=True):
        linear.weight.data, linear.bias.data = p["w" + layer][0].T.clone(), p["b" + layer][0, 0].clone()
    optimiser = torch.optim.Adam(model.parameters(), lr=0.01)
    mixed = stream("transfer", "split", run.split).permutation(transfer._of((1, 8, 10, 12), high=True))
    x, y = torch.tensor(PIXELS), torch.tensor(LABELS - 5)
    orders, due = stream("transfer", "order", run.order), []
    for _ in range(20):
        for items in np.split(mixed[120:170][orders.permutation(50)], 5):
            loss = nn.functional.cross_entropy(model(x[items]), y[items])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            due.append(loss.item())
    np.testing.assert_allclose(losses, due, rtol=1e-7)
    right = (model(x).argmax(1) == y).numpy()
    np.testing.assert_array_equal(made.correct[0], right[transfer._test()])
    assert made.val[0, -1] == right[mixed[:120]].sum()


def test_a_source_of_the_same_classes_helps_the_head() -> None:
    due = [
        float(transfer.train(runs({"method": "head", "source": source})).test[:, -1].mean())
        for source in ("same", "inverted")
    ]
    assert due[0] > due[1] + 0.05 * TRANSFER.n_test
