"""Train the run bank, or a part of it, and check a sample of it by training again.

Runs that share their shapes are trained together, ``TOGETHER`` at a time, or an eighth of that where a
model or its activations are large, so that they stay near the processor. Each such batch is kept in a
working folder when it is done, so a rebuild that was stopped goes on where it was.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from fourrounds.runbank.families import FAMILIES, Family, Run
from fourrounds.runbank.store import DATA, NONE, BankError, Columns, write
from fourrounds.runbank.table import Runs, load
from fourrounds.runbank.training import contrastive, digits, images, recall, retrieval, transfer
from fourrounds.runbank.training.corpus import corpus
from fourrounds.runbank.training.outcome import Price, Trained

TRAINERS = {
    "digits": digits,
    "recall": recall,
    "transfer": transfer,
    "contrastive": contrastive,
    "retrieval": retrieval,
}
TOGETHER = 210
LARGE = {"recall": recall.large, "retrieval": retrieval.large}
"""Says of a configuration whether its models are large, in the families where some are."""
VERSION = "1"
"""Raised when a trainer changes, so that batches of an earlier one are not taken for done."""

Progress = Callable[[int], None]
"""Called with how many runs of the family are done."""
NEAR = 2
"""By how many test items two final metrics of one run may differ; see :class:`Agreement`."""


def batches(runs: Iterable[Run], family: Family) -> list[list[int]]:
    """The numbers of the runs that are trained together."""
    trainer, large = TRAINERS[family.name], LARGE.get(family.name)
    groups: dict[tuple[int, object], list[int]] = {}
    for number, run in enumerate(runs):
        most = TOGETHER // 8 if large is not None and large(run.config) else TOGETHER
        groups.setdefault((most, trainer.together(run.config)), []).append(number)
    found = []
    for (most, _), numbers in groups.items():
        found += [numbers[k : k + most] for k in range(0, len(numbers), most)]
    return found


def source_digests(family: Family) -> dict[str, str]:
    """The SHA-256 of the data that a family is trained on."""
    if family.name == "retrieval":
        return {"corpus": corpus().sha256}
    return {} if family.name == "recall" else {"digits": images.digest()}


def train(runs: Sequence[Run], family: Family) -> Columns:
    """Train any runs of a family; rows in the order of ``runs``."""
    parts: list[tuple[list[int], Columns]] = []
    for numbers in batches(runs, family):
        batch = [runs[k] for k in numbers]
        parts.append((numbers, _columns(batch, family, TRAINERS[family.name].train(batch))))
    return _joined(parts, family)


def rebuild(family: Family, work: Path, progress: Progress, folder: Path = DATA) -> list[Path]:
    """Train every run of a family and write its pieces to ``folder``; returns them.

    ``work`` keeps the batches that are done.
    """
    work.mkdir(parents=True, exist_ok=True)
    runs = list(family.runs())
    parts: list[tuple[list[int], Columns]] = []
    done = 0
    for numbers in batches(runs, family):
        batch = [runs[k] for k in numbers]
        path = work / f"{family.name}-{_name(batch)}.npz"
        if path.exists():
            with np.load(path) as arrays:
                part = Columns(**arrays)
        else:
            part = _columns(batch, family, TRAINERS[family.name].train(batch))
            temporary = path.with_suffix(".tmp.npz")
            np.savez(temporary, **vars(part))
            temporary.replace(path)
        parts.append((numbers, part))
        done += len(numbers)
        progress(done)
    return write(family, _joined(parts, family), source_digests(family), folder)


@dataclass(frozen=True)
class Agreement:
    """How a sample that was trained again compares with the bank.

    On any machine the configurations, seeds, examples, parameters and FLOPs must be the same, and are if
    ``costs`` is true. What was learnt is the same to the last bit (``exact`` counts these runs) where the
    machine rounds alike. One that sums a product in another order rounds otherwise by about 1e-16, and
    training makes such a difference grow: in double precision it rarely reaches a prediction, unless the
    run is unstable. So ``agrees`` asks that of the runs in ``stable`` (which did not diverge, and whose
    validation metric moved by less than a tenth in the last epoch) at least nine in ten differ by at most
    ``NEAR`` items of the test set; ``near`` counts these. ``largest`` is the largest difference among
    them all.
    """

    family: str
    runs: int
    costs: bool
    exact: int
    stable: int
    near: int
    largest: int

    @property
    def agrees(self) -> bool:
        return self.costs and self.near >= 0.9 * self.stable

    def told(self) -> str:
        """One line for a person."""
        verdict = "agrees" if self.agrees else "DOES NOT AGREE"
        costs = "the same" if self.costs else "NOT the same"
        return (
            f"{self.family}: {verdict}. {self.exact} of {self.runs} runs are the same in every count and "
            f"bit. Of {self.stable} stable runs {self.near} differ by at most {NEAR} test items (the largest "
            f"difference is {self.largest}). Examples, parameters and FLOPs are {costs}."
        )


def check(family: Family, count: int, seed: int) -> Agreement:
    """Train ``count`` runs of a family again, drawn at random, and compare them with the bank."""
    bank = load(family.name)
    runs = list(family.runs())
    drawn = np.sort(np.random.default_rng(seed).choice(len(runs), size=min(count, len(runs)), replace=False))
    again = Runs(family, train([runs[k] for k in drawn], family))
    return agreement(bank[drawn], again)


def agreement(bank: Runs, again: Runs) -> Agreement:
    """Compare runs with the same runs, trained again."""
    one, other = bank._columns, again._columns
    learnt = ("val", "test", "correct")
    same = np.logical_and.reduce([(getattr(one, n) == getattr(other, n)).all(1) for n in learnt])
    same &= one.diverged == other.diverged
    items = np.abs(np.rint((bank.test - again.test) * bank.family.n_test)).astype(int)
    stable = ~(one.diverged | other.diverged) & (_last_move(bank) < 0.1)
    return Agreement(
        family=bank.family.name,
        runs=len(bank),
        costs=all(
            np.array_equal(getattr(one, name), getattr(other, name))
            for name in ("levels", "seeds", "examples", "parameters", "flops")
        ),
        exact=int(same.sum()),
        stable=int(stable.sum()),
        near=int((items[stable] <= NEAR).sum()),
        largest=int(items[stable].max(initial=0)),
    )


def _last_move(runs: Runs) -> np.ndarray:
    """By how much the validation metric moved in the last epoch (n,); 0 where there is one epoch."""
    curve = runs.val_curve
    last = (~np.isnan(curve)).sum(1) - 1
    rows = np.arange(len(curve))
    moved: np.ndarray = np.abs(curve[rows, last] - curve[rows, np.maximum(last - 1, 0)])
    return moved


def price(run: Run, family: Family) -> Price:
    """What a run takes in parameters, examples and FLOPs."""
    found: Price = TRAINERS[family.name].price(run.config)
    return found


def _columns(runs: Sequence[Run], family: Family, trained: Trained) -> Columns:
    prices = [price(run, family) for run in runs]
    epochs = most_epochs(family)
    return Columns(
        levels=np.array(
            [[f.levels.index(run.config[f.name]) for f in family.factors] for run in runs], dtype=np.uint8
        ),
        seeds=np.array([(run.init, run.split, run.order) for run in runs], dtype=np.uint8),
        val=_padded(trained.val, epochs),
        test=_padded(trained.test, epochs),
        correct=np.packbits(trained.correct, axis=1),
        examples=np.array([p.examples for p in prices], dtype=np.uint32),
        parameters=np.array([p.parameters for p in prices], dtype=np.uint32),
        flops=np.array([p.flops for p in prices], dtype=np.uint64),
        diverged=trained.diverged,
    )


def most_epochs(family: Family) -> int:
    """The length of a family's curves."""
    if "epochs" in family.names:
        return max(int(level) for level in family.factor("epochs").levels)
    return int(TRAINERS[family.name].EPOCHS)


def _padded(counts: np.ndarray, epochs: int) -> np.ndarray:
    full = np.full((len(counts), epochs), NONE, dtype=np.uint16)
    full[:, : counts.shape[1]] = counts
    return full


def _joined(parts: Sequence[tuple[list[int], Columns]], family: Family) -> Columns:
    order = np.argsort(np.concatenate([numbers for numbers, _ in parts]))
    names = vars(parts[0][1])
    return Columns(**{n: np.concatenate([getattr(part, n) for _, part in parts])[order] for n in names})


def _name(runs: Sequence[Run]) -> str:
    text = json.dumps([VERSION, [run.key() for run in runs]])
    return hashlib.sha256(text.encode()).hexdigest()[:20]


def chosen(names: Sequence[str]) -> list[Family]:
    """The families of these names, or all of them; ``BankError`` for a name that is none."""
    wrong = [name for name in names if name not in FAMILIES]
    if wrong:
        raise BankError(f"no family {wrong[0]!r}; the bank has {', '.join(FAMILIES)}")
    return [FAMILIES[name] for name in names or FAMILIES]


def set_threads(count: int) -> None:
    """How many threads PyTorch uses; 0 leaves it its own choice."""
    if count:
        torch.set_num_threads(count)
