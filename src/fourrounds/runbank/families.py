"""The five families of the run bank: what was varied, over which levels, and which configurations were run.

A *configuration* says everything about a run but its seeds: one level of every factor of its family. An
*arm* is a configuration without its learning rate; each arm was run at every learning rate of its family.
A *run* is a configuration with three seeds:

- ``init``: the initial parameters;
- ``split``: which items are in the training and which in the validation set (the test set is fixed);
- ``order``: the order of the batches, and every draw made during training (dropout, mixup, augmentation).

Run ``k`` of a configuration (``k`` from 0 to ``SEEDS - 1``) has all three seeds equal to ``k``. So two
configurations share the seeds of run ``k``, and their difference is paired. A few configurations have,
beside these, a Latin square: ``SQUARE`` x ``SQUARE`` runs in which the three seeds vary apart from each
other, which is what tells their variances apart.

Nothing here needs PyTorch: the trainers of :mod:`fourrounds.runbank.training` follow these lists, and the
lab reads them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

SEEDS = 30
"""Runs of every configuration."""
SQUARE = 12
"""Levels of each seed in a Latin square; a square has ``SQUARE ** 2`` runs."""
SQUARE_FIRST = 100
"""The first seed of the squares, so that no run of a square is a run of the plain kind."""

Level = str | int | float
Config = Mapping[str, Level]


@dataclass(frozen=True)
class Factor:
    """Something that was varied."""

    name: str
    levels: tuple[Level, ...]
    reference: Level
    meaning: str


@dataclass(frozen=True)
class Family:
    """One kind of experiment.

    ``reference`` is the configuration of the reference run, whose cost is 1 in the lab. ``varied`` lists
    the arms, each as what it changes of the reference; ``squares`` the configurations that have a Latin
    square.
    """

    name: str
    title: str
    about: str
    metric: str
    n_test: int
    n_val: int
    chance: float
    factors: tuple[Factor, ...]
    varied: tuple[Config, ...]
    squares: tuple[Config, ...]

    @property
    def reference(self) -> dict[str, Level]:
        return {factor.name: factor.reference for factor in self.factors}

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(factor.name for factor in self.factors)

    def factor(self, name: str) -> Factor:
        """The factor of that name; ``KeyError`` where there is none."""
        return {factor.name: factor for factor in self.factors}[name]

    def complete(self, changes: Config) -> dict[str, Level]:
        """The configuration that differs from the reference by ``changes``.

        Raises ``ValueError`` for an unknown factor or a level that was not run.
        """
        for name, level in changes.items():
            if name not in self.names:
                raise ValueError(f"{self.name} has no factor {name!r}; it has {', '.join(self.names)}")
            if level not in self.factor(name).levels:
                known = ", ".join(map(repr, self.factor(name).levels))
                raise ValueError(f"{self.name} has no {name}={level!r}; its levels are {known}")
        return {**self.reference, **changes}

    def arms(self) -> list[dict[str, Level]]:
        """Every arm as a configuration at the reference learning rate, without doubles."""
        found = [self.complete(changes) for changes in self.varied]
        return list({tuple(config.items()): config for config in found}.values())

    def configurations(self) -> Iterator[dict[str, Level]]:
        """Every configuration that was run."""
        for arm in self.arms():
            for lr in self.rates(arm):
                yield {**arm, "lr": lr}

    def rates(self, arm: Config) -> tuple[Level, ...]:
        """The learning rates at which an arm was run: one (0) where nothing is trained by gradient
        descent."""
        untrained = arm.get("method") in {"pixels", "untrained", "bm25"}
        return (0.0,) if untrained else tuple(lr for lr in self.factor("lr").levels if lr)

    def runs(self) -> Iterator[Run]:
        """Every run, in the order in which the bank keeps them."""
        for config in self.configurations():
            for seed in range(SEEDS):
                yield Run(config, seed, seed, seed)
        for changes in self.squares:
            config = self.complete(changes)
            for i, j in product(range(SQUARE), repeat=2):
                first = SQUARE_FIRST
                yield Run(config, first + i, first + j, first + (i + j) % SQUARE)


@dataclass(frozen=True)
class Run:
    """A configuration and its three seeds."""

    config: Config
    init: int
    split: int
    order: int

    def key(self) -> tuple[Any, ...]:
        return (*self.config.values(), self.init, self.split, self.order)


def _grid(**levels: tuple[Level, ...]) -> tuple[Config, ...]:
    """Every combination of the levels."""
    return tuple(dict(zip(levels, values, strict=True)) for values in product(*levels.values()))


def _each(base: Config, **levels: tuple[Level, ...]) -> tuple[Config, ...]:
    """``base``, changed in one factor at a time."""
    return tuple({**base, name: level} for name, values in levels.items() for level in values)


_ADAM: Config = {"optimiser": "adam"}

DIGITS = Family(
    name="digits",
    title="Handwritten digits: training choices of a small MLP",
    about=(
        "An MLP with two hidden layers learns scikit-learn's 8 x 8 digits. They come from 13 writers, "
        "and images that stand near each other are alike, so we cut the data into 13 blocks in its "
        "order and take each for a writer. The test set is half of six blocks; the training set holds "
        "none of these writers unless split='random'."
    ),
    metric="accuracy",
    n_test=420,
    n_val=200,
    chance=0.1,
    factors=(
        Factor(
            "optimiser",
            ("sgd", "momentum", "adam", "adamw", "lion"),
            "momentum",
            "update rule: plain SGD, SGD with momentum 0.9, Adam, AdamW, or Lion (the sign of an "
            "interpolated momentum)",
        ),
        Factor("lr", (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0), 0.1, "learning rate, constant"),
        Factor(
            "weight_decay",
            (0.0, 0.001, 0.01, 0.1),
            0.0,
            "coefficient of the L2 gradient (sgd, momentum, adam) or of the decoupled decay (adamw, lion)",
        ),
        Factor("width", (8, 32, 128), 32, "units in each of the two hidden layers"),
        Factor("norm", ("none", "batch", "layer"), "none", "normalisation before each ReLU"),
        Factor("dropout", (0.0, 0.2, 0.5), 0.0, "share of hidden units dropped after each ReLU"),
        Factor(
            "smoothing", (0.0, 0.1, 0.3), 0.0, "label smoothing: this much spread evenly over the 10 classes"
        ),
        Factor("mixup", (0.0, 0.2, 1.0), 0.0, "parameter of mixup's Beta(a, a); 0: no mixup"),
        Factor("train_size", (100, 250, 750), 250, "training images"),
        Factor("epochs", (5, 20, 60), 20, "passes over the training set, in batches of 25"),
        Factor(
            "split",
            ("writer", "random"),
            "writer",
            "training set from other writers than the test set's, or from all",
        ),
        Factor(
            "contamination",
            (0.0, 0.1, 0.3, 0.6),
            0.0,
            "share of the training set that is the first images of the test set",
        ),
        Factor(
            "duplicates",
            (0.0, 0.1, 0.3, 0.6),
            0.0,
            "share of the training set that is near-duplicates (moved by up to a pixel, with noise) "
            "of the first test images",
        ),
        Factor(
            "repeats",
            (0.0, 0.3, 0.6),
            0.0,
            "share of the training set that is near-duplicates of its other images",
        ),
    ),
    varied=(
        {},
        *_each({}, weight_decay=(0.001, 0.01), width=(8, 128), norm=("batch", "layer"), dropout=(0.2, 0.5)),
        *_each({}, smoothing=(0.1, 0.3), mixup=(0.2, 1.0), train_size=(100, 750), epochs=(5, 60)),
        *_each(
            {}, split=("random",), contamination=(0.1, 0.3, 0.6), duplicates=(0.3, 0.6), repeats=(0.3, 0.6)
        ),
        _ADAM,
        *_each(_ADAM, norm=("batch",), dropout=(0.2,), mixup=(1.0,), train_size=(750,), epochs=(60,)),
        {"optimiser": "sgd"},
        {"optimiser": "lion"},
        {"optimiser": "adamw", "weight_decay": 0.1},
        {"optimiser": "adam", "weight_decay": 0.01},
        *_grid(norm=("batch",), dropout=(0.2,)),
        *_grid(smoothing=(0.1,), mixup=(1.0,)),
        *_grid(dropout=(0.2,), smoothing=(0.1,)),
        *_grid(width=(128,), contamination=(0.3,)),
        {"duplicates": 0.1},
    ),
    squares=(
        {"lr": 0.03},
        {"lr": 0.03, "mixup": 1.0},
        {"lr": 0.1, "train_size": 100},
        {"lr": 0.01, "optimiser": "adam"},
    ),
)

RECALL = Family(
    name="recall",
    title="Multi-query associative recall: three ways of attending",
    about=(
        "A sequence lists key-value pairs, then asks for the value of each key in another order "
        "(Arora et al. 2023). One layer of attention, with a convolution of width 2 before it, has to "
        "answer every query."
    ),
    metric="accuracy",
    n_test=512,
    n_val=256,
    chance=1 / 16,
    factors=(
        Factor(
            "mixer",
            ("softmax", "linear", "window"),
            "softmax",
            "softmax attention, linear attention with feature map elu + 1, or softmax over the last 8 "
            "positions",
        ),
        Factor("lr", (0.003, 0.01, 0.03, 0.1, 0.3), 0.01, "learning rate of Adam, constant"),
        Factor("pairs", (4, 8, 16), 8, "key-value pairs in a sequence"),
        Factor("width", (8, 16, 32), 16, "dimension of embeddings, queries, keys and values"),
        Factor("train_size", (256, 1024), 1024, "training sequences"),
    ),
    varied=(
        *_grid(mixer=("softmax", "linear", "window"), pairs=(4, 8, 16), width=(8, 16, 32)),
        *_grid(mixer=("softmax", "linear"), train_size=(256,)),
    ),
    squares=({"mixer": "linear", "lr": 0.03}, {"mixer": "linear", "width": 8, "lr": 0.03}, {"width": 8}),
)

_ADAPTED: tuple[Config, ...] = (
    {"method": "head"},
    *_grid(method=("lora",), rank=(1, 2, 4, 8)),
    {"method": "full"},
)

TRANSFER = Family(
    name="transfer",
    title="Transfer to the digits 5-9: full fine-tuning, LoRA, the head alone",
    about=(
        "A small MLP has to tell the digits 5 to 9 apart, from few labelled images. It starts from a "
        "model of the same shape that was trained on other images, by other writers, and adapts every "
        "parameter, low-rank updates of the hidden layers (LoRA), or a new head alone; or it starts "
        "from scratch. Source, target and test have different writers."
    ),
    metric="accuracy",
    n_test=340,
    n_val=120,
    chance=0.2,
    factors=(
        Factor("method", ("scratch", "head", "lora", "full"), "full", "what is trained"),
        Factor("lr", (0.001, 0.003, 0.01, 0.03, 0.1), 0.003, "learning rate of Adam, constant"),
        Factor(
            "rank", (0, 1, 2, 4, 8), 0, "rank of LoRA's updates, which are scaled by 4 / rank; 0 without LoRA"
        ),
        Factor("train_size", (20, 50, 150), 50, "labelled images of the target, in batches of 10, 20 epochs"),
        Factor(
            "source",
            ("none", "same", "other", "inverted"),
            "other",
            "what the model was trained on before: nothing, the same digits 5-9, the digits 0-4, or "
            "5-9 transposed with inverted contrast",
        ),
    ),
    varied=(
        *_grid(method=("scratch",), source=("none",), train_size=(20, 50, 150)),
        *(
            {**method, **target}
            for method in _ADAPTED
            for target in _grid(source=("same", "other", "inverted"), train_size=(20, 50, 150))
        ),
    ),
    squares=(
        {"lr": 0.01},
        {"lr": 0.01, "method": "lora", "rank": 4},
        {"lr": 0.01, "method": "scratch", "source": "none"},
    ),
)

CONTRASTIVE = Family(
    name="contrastive",
    title="Contrastive pre-training on augmented digits, then a linear probe",
    about=(
        "An encoder is trained with NT-Xent on two augmented views of each of 512 unlabelled digits. "
        "The metric is that of a ridge probe on its frozen features, fitted to 100 labelled images. "
        "The probe on raw pixels and on an untrained encoder are the baselines that a gain has to "
        "beat."
    ),
    metric="probe accuracy",
    n_test=420,
    n_val=200,
    chance=0.1,
    factors=(
        Factor("method", ("ntxent", "untrained", "pixels"), "ntxent", "what the probe sees"),
        Factor(
            "lr",
            (0.0, 0.001, 0.003, 0.01, 0.03),
            0.003,
            "learning rate of Adam, constant; 0: nothing is trained",
        ),
        Factor("temperature", (0.05, 0.1, 0.2, 0.5, 1.0), 0.2, "temperature of NT-Xent"),
        Factor("batch", (16, 64, 256), 64, "images in a batch (twice as many views)"),
        Factor(
            "projector",
            ("none", "mlp"),
            "mlp",
            "the loss sees the features themselves or a small MLP of them",
        ),
        Factor(
            "augmentation",
            ("noise", "shift"),
            "shift",
            "noise alone, or noise and a shift by up to one pixel",
        ),
    ),
    varied=(
        *_grid(temperature=(0.05, 0.1, 0.2, 0.5, 1.0), batch=(16, 64, 256)),
        *_grid(projector=("none",), temperature=(0.05, 0.1, 0.2, 0.5, 1.0)),
        *_grid(augmentation=("noise",), temperature=(0.05, 0.2, 1.0)),
        {"method": "untrained"},
        {"method": "pixels"},
    ),
    squares=({}, {"temperature": 1.0}, {"batch": 256}),
)

RETRIEVAL = Family(
    name="retrieval",
    title="Search over documentation: BM25 against a two-tower model",
    about=(
        "The corpus is the documentation text of installed packages. The query is the summary line of "
        "a function or a class, the document is the rest of its docstring; it succeeds if its "
        "document is among the first ten of 2,000. A two-tower model learns from the summary lines "
        "and the sentences of 2,000 training documents, with the other documents of a batch as "
        "negatives. BM25 learns nothing."
    ),
    metric="success@10",
    n_test=400,
    n_val=200,
    chance=0.005,
    factors=(
        Factor(
            "method",
            ("bm25", "untrained", "tower"),
            "tower",
            "Okapi BM25 (k1 = 1.2, b = 0.75), the two towers as they are initialised, or trained",
        ),
        Factor(
            "lr", (0.0, 0.0001, 0.0003, 0.001, 0.003, 0.01), 0.001, "learning rate of Adam; 0: no training"
        ),
        Factor("negatives", (7, 31, 127), 31, "other documents in a batch"),
        Factor("logq", ("no", "yes"), "no", "correction of the loss for how often each document is drawn"),
        Factor(
            "popularity",
            ("sentences", "zipf"),
            "sentences",
            "how often a document is drawn: by its number of sentences, or in proportion to 1 / rank",
        ),
        Factor(
            "split",
            ("package", "random"),
            "package",
            "training documents from other packages than the test's, or from all",
        ),
    ),
    varied=(
        *_grid(negatives=(7, 31, 127), logq=("no", "yes"), split=("package", "random")),
        *_grid(popularity=("zipf",), logq=("no", "yes"), split=("package", "random")),
        {"method": "untrained"},
        {"method": "bm25"},
    ),
    squares=({}, {"logq": "yes"}, {"split": "random"}),
)

FAMILIES: dict[str, Family] = {f.name: f for f in (DIGITS, RECALL, TRANSFER, CONTRASTIVE, RETRIEVAL)}
