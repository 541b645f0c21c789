"""What all five trainers promise: runs that do not touch each other, seeds that say everything, true prices.

The trainings are short, and ``retrieval`` reads a small invented corpus.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pytest
import small_corpus
import torch
from torch.utils.flop_counter import FlopCounterMode

from fourrounds.runbank.families import FAMILIES, Config, Run
from fourrounds.runbank.training import contrastive, digits, recall, transfer
from fourrounds.runbank.training.optimisers import Optimiser
from fourrounds.runbank.training.outcome import Price, Recorder, Trained
from fourrounds.runbank.training.rebuild import TRAINERS, batches

RESULTS = ("val", "test", "correct", "diverged")


@pytest.fixture(scope="module", autouse=True)
def short() -> Iterator[None]:
    """Few epochs, on one thread: with more, a product of one model may be summed in another order."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch, small_corpus.installed():
        patch.setattr(recall, "EPOCHS", 1)
        patch.setattr(transfer, "EPOCHS", 2)
        patch.setattr(contrastive, "EPOCHS", 1)
        yield
    torch.set_num_threads(threads)


def configuration(family: str, changes: Config) -> Config:
    """A small configuration: the reference, changed, in the family's shortest training."""
    small: dict[str, Config] = {"digits": {"epochs": 5}, "recall": {"train_size": 256}}
    return {**FAMILIES[family].reference, **small.get(family, {}), **changes}


def train(family: str, *runs: Run) -> Trained:
    made: Trained = TRAINERS[family].train(runs)
    return made


def same(one: Trained, other: Trained) -> bool:
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in RESULTS)


# -- runs that are trained together

TOGETHER: list[tuple[str, Config, tuple[Config, ...]]] = [
    (
        "digits",
        {"optimiser": "momentum"},
        (
            {},
            {"mixup": 1.0},
            {"mixup": 0.2, "dropout": 0.5},
            {"smoothing": 0.3, "weight_decay": 0.01},
            {"contamination": 0.3},
            {"split": "random", "repeats": 0.3},
        ),
    ),
    ("digits", {"optimiser": "adam", "norm": "batch"}, ({"lr": 0.01}, {"lr": 0.03, "dropout": 0.2})),
    ("digits", {"optimiser": "lion", "norm": "layer"}, ({"lr": 0.01}, {"lr": 0.003, "weight_decay": 0.1})),
    *(("recall", {"mixer": mixer}, ({}, {"lr": 0.1})) for mixer in ("softmax", "linear", "window")),
    ("transfer", {"method": "full"}, ({}, {"lr": 0.1})),
    ("transfer", {"method": "head", "source": "same"}, ({}, {"lr": 0.1})),
    ("transfer", {"method": "lora", "rank": 2, "source": "inverted"}, ({}, {"lr": 0.1})),
    ("transfer", {"method": "scratch", "source": "none"}, ({}, {"lr": 0.1})),
    ("contrastive", {"projector": "none"}, ({}, {"temperature": 1.0})),
    ("contrastive", {"batch": 16, "augmentation": "noise"}, ({}, {"temperature": 0.05, "lr": 0.03})),
    (
        "retrieval",
        {},
        ({}, {"logq": "yes", "popularity": "zipf"}, {"split": "random", "lr": 0.01}, {"popularity": "zipf"}),
    ),
]


@pytest.mark.parametrize(("family", "shared", "changes"), TOGETHER)
def test_a_run_is_the_same_alone_and_beside_others(
    family: str, shared: Config, changes: tuple[Config, ...]
) -> None:
    """Beside others with its seeds, with other seeds, and one that breaks."""
    base = configuration(family, shared)
    runs = [Run({**base, **change}, k // 2, k % 2, k % 3) for k, change in enumerate(changes)]
    runs += [Run(base, 0, 0, 1), Run({**base, "lr": math.nan}, 1, 0, 0)]
    assert len(batches(runs, FAMILIES[family])) == 1
    together = train(family, *runs)
    for k, run in enumerate(runs):
        row = Trained(*(getattr(together, name)[k : k + 1] for name in RESULTS))
        assert same(row, train(family, run)), run


@pytest.mark.parametrize("family", FAMILIES)
def test_a_run_whose_weights_are_no_numbers_diverged_and_only_guesses(family: str) -> None:
    base = configuration(family, {})
    made = train(family, Run(base, 0, 0, 0), Run({**base, "lr": math.nan}, 0, 0, 0))
    assert made.diverged.tolist() == [False, True]
    assert abs(made.correct[1].mean() - FAMILIES[family].chance) < 0.05


# -- seeds

ALL = {"init", "split", "order"}


@pytest.mark.parametrize(
    ("family", "changes", "tells"),
    [
        ("digits", {}, ALL),
        ("digits", {"optimiser": "adam", "lr": 0.01, "norm": "batch", "dropout": 0.2, "mixup": 0.2}, ALL),
        ("recall", {"lr": 0.1}, ALL),
        ("transfer", {}, ALL),
        ("transfer", {"method": "lora", "rank": 2, "lr": 0.03}, ALL),
        ("transfer", {"method": "scratch", "source": "none"}, ALL),
        ("contrastive", {}, ALL),
        ("contrastive", {"method": "untrained", "lr": 0.0}, {"init", "split"}),
        ("contrastive", {"method": "pixels", "lr": 0.0}, {"split"}),
        ("retrieval", {"lr": 0.01}, ALL),
        ("retrieval", {"method": "untrained", "lr": 0.0}, {"init"}),
        ("retrieval", {"method": "bm25", "lr": 0.0}, set()),
    ],
)
def test_seeds_say_everything(family: str, changes: Config, tells: set[str]) -> None:
    """The same seeds give the same run; another seed gives another, where the method draws from it.

    Here a run is what it does with the test items, since the split always changes the validation items.
    """
    config, seeds = configuration(family, changes), dict.fromkeys(sorted(ALL), 3)
    first = train(family, Run(config, **seeds))
    assert same(first, train(family, Run(config, **seeds)))
    for name in ALL:
        other = train(family, Run(config, **{**seeds, name: 4}))
        told = not (np.array_equal(first.test, other.test) and np.array_equal(first.correct, other.correct))
        assert told == (name in tells), name


# -- prices


def metered(family: str, config: Config, batch: int) -> Price:
    """What training a run took, evaluation aside: what PyTorch counts up to each step of the optimiser."""
    counter = FlopCounterMode(display=False)
    step, epoch = Optimiser.step, Recorder.epoch
    seen = flops = steps = parameters = 0

    def metered_step(self: Optimiser, loss: torch.Tensor) -> None:
        nonlocal seen, flops, steps, parameters
        step(self, loss)
        flops, seen = flops + counter.get_total_flops() - seen, counter.get_total_flops()
        steps, parameters = steps + 1, sum(p.numel() for p in self.parameters)

    def metered_epoch(self: Recorder, val: torch.Tensor, test: torch.Tensor) -> None:
        nonlocal seen
        epoch(self, val, test)
        seen = counter.get_total_flops()

    run = Run(config, 0, 0, 0)
    train(family, run)  # the source model of a transfer, whose cost is no part of the price, is there then
    with pytest.MonkeyPatch.context() as patch, counter:
        patch.setattr(Optimiser, "step", metered_step)
        patch.setattr(Recorder, "epoch", metered_epoch)
        train(family, run)
    return Price(parameters, steps * batch, flops)


PRICED: list[tuple[str, Config, int]] = [
    *(("digits", {"width": width, "train_size": 100}, 25) for width in (8, 32, 128)),
    ("digits", {"norm": "batch", "optimiser": "adam", "train_size": 100}, 25),
    ("digits", {"norm": "layer", "mixup": 1.0, "dropout": 0.2, "smoothing": 0.1}, 25),
    ("recall", {"pairs": 4, "width": 8}, 32),
    ("recall", {"mixer": "linear", "pairs": 16}, 32),
    ("recall", {"mixer": "window", "width": 32}, 32),
    ("transfer", {"method": "scratch", "source": "none", "train_size": 20}, 10),
    ("transfer", {"method": "full"}, 10),
    ("transfer", {"method": "head", "train_size": 20}, 10),
    ("transfer", {"method": "lora", "rank": 1}, 10),
    ("transfer", {"method": "lora", "rank": 8, "source": "same", "train_size": 20}, 10),
    *(("contrastive", {"batch": batch}, batch) for batch in (16, 64, 256)),
    ("contrastive", {"projector": "none"}, 64),
    ("contrastive", {"method": "untrained", "lr": 0.0}, 64),
    ("contrastive", {"method": "pixels", "lr": 0.0}, 64),
    *(("retrieval", {"negatives": batch - 1, "logq": "yes"}, batch) for batch in (8, 32, 128)),
    ("retrieval", {"method": "untrained", "lr": 0.0}, 32),
    ("retrieval", {"method": "bm25", "lr": 0.0}, 32),
]


@pytest.mark.parametrize(("family", "changes", "batch"), PRICED)
def test_price_is_what_training_takes(family: str, changes: Config, batch: int) -> None:
    config = configuration(family, changes)
    assert TRAINERS[family].price(config) == metered(family, config, batch)


@pytest.mark.parametrize("family", FAMILIES)
def test_price_says_how_long_the_training_is(family: str) -> None:
    """In examples, to which the FLOPs are in proportion: so what holds above of a short training holds."""
    config = configuration(family, {})
    before = TRAINERS[family].price(config)
    with pytest.MonkeyPatch.context() as patch:
        if family == "digits":
            config = {**config, "epochs": 15}
        else:
            patch.setattr(TRAINERS[family], "EPOCHS", 3 * TRAINERS[family].EPOCHS)
        after = TRAINERS[family].price(config)
    assert after == Price(before.parameters, 3 * before.examples, 3 * before.flops)


def test_digits_trains_for_the_epochs_of_its_configuration() -> None:
    for epochs in (5, 20):
        made = digits.train([Run(configuration("digits", {"epochs": epochs, "train_size": 100}), 0, 0, 0)])
        assert made.val.shape == made.test.shape == (1, epochs)
