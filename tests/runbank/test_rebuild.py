"""Rebuilding the bank: batches, what is kept when it is stopped, and what is written in the end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fourrounds.runbank.families import FAMILIES, Run
from fourrounds.runbank.store import BankError, read, source_of
from fourrounds.runbank.table import Runs
from fourrounds.runbank.training import rebuild
from fourrounds.runbank.training.outcome import Price, Trained

FAMILY = replace(FAMILIES["recall"], varied=({}, {"width": 8}, {"pairs": 4}), squares=({"lr": 0.01},))


class Trainer:
    """Stands for a trainer: a run's results follow from its seeds; stops at the batch ``breaks``."""

    EPOCHS = 3

    def __init__(self, breaks: int | None = None) -> None:
        self.batches: list[int] = []
        self.breaks = breaks

    def together(self, config: dict[str, object]) -> object:
        return config["width"]

    def price(self, config: dict[str, object]) -> Price:
        return Price(int(str(config["width"])), 5, 7)

    def train(self, runs: Sequence[Run]) -> Trained:
        if len(self.batches) == self.breaks:
            raise KeyboardInterrupt
        self.batches.append(len(runs))
        seeds = np.array([[run.init, run.split, run.order] for run in runs], np.uint16)
        correct = np.zeros((len(runs), FAMILY.n_test), bool)
        correct[np.arange(len(runs)), seeds[:, 0]] = True
        return Trained(seeds + np.uint16(1), seeds, correct, seeds[:, 1] == 3)


@pytest.fixture
def trainer(monkeypatch: pytest.MonkeyPatch) -> Trainer:
    made = Trainer()
    monkeypatch.setattr(rebuild, "TRAINERS", {"recall": made})
    monkeypatch.setattr(rebuild, "LARGE", {"recall": lambda config: config["pairs"] == 4})
    monkeypatch.setattr(rebuild, "TOGETHER", 100)
    return made


def test_runs_are_batched_by_what_they_share(trainer: Trainer) -> None:
    runs = list(FAMILY.runs())
    found = rebuild.batches(runs, FAMILY)
    assert sorted(k for batch in found for k in batch) == list(range(len(runs)))
    for batch in found:
        configs = [runs[k].config for k in batch]
        assert len({config["width"] for config in configs}) == 1
        assert len(batch) <= (12 if configs[0]["pairs"] == 4 else 100)
    assert max(map(len, found)) == 100


def test_what_is_trained_is_written_in_the_familys_order(trainer: Trainer, tmp_path: Path) -> None:
    told: list[int] = []
    rebuild.rebuild(FAMILY, tmp_path / "work", told.append, tmp_path / "data")
    runs = list(FAMILY.runs())
    assert told == np.cumsum(trainer.batches).tolist()
    assert told[-1] == len(runs)
    found = Runs(FAMILY, read(FAMILY, tmp_path / "data"))
    assert found["init_seed"].tolist() == [run.init for run in runs]
    assert found["width"].tolist() == found.parameters.tolist() == [run.config["width"] for run in runs]
    assert found.correct.argmax(1).tolist() == [run.init for run in runs]
    assert found.diverged.tolist() == [run.split == 3 for run in runs]
    assert found.test.tolist() == [run.order / FAMILY.n_test for run in runs]
    assert source_of(FAMILY, tmp_path / "data") == {}


def test_a_rebuild_that_was_stopped_goes_on(
    trainer: Trainer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer.breaks = 2
    with pytest.raises(KeyboardInterrupt):
        rebuild.rebuild(FAMILY, tmp_path / "work", lambda done: None, tmp_path / "data")
    assert not (tmp_path / "data").exists()
    trainer.breaks = None
    rebuild.rebuild(FAMILY, tmp_path / "work", lambda done: None, tmp_path / "data")
    rest = trainer.batches[2:]
    assert sum(trainer.batches[:2]) + sum(rest) == len(list(FAMILY.runs()))
    whole = Trainer()
    monkeypatch.setattr(rebuild, "TRAINERS", {"recall": whole})
    rebuild.rebuild(FAMILY, tmp_path / "other", lambda done: None, tmp_path / "whole")
    pieces = [sorted(p.read_bytes() for p in (tmp_path / name).glob("*.npz")) for name in ("data", "whole")]
    assert pieces[0] == pieces[1]


def test_an_earlier_trainers_batches_are_not_taken(
    trainer: Trainer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rebuild.rebuild(FAMILY, tmp_path / "work", lambda done: None, tmp_path / "data")
    before = len(trainer.batches)
    rebuild.rebuild(FAMILY, tmp_path / "work", lambda done: None, tmp_path / "data")
    assert len(trainer.batches) == before
    monkeypatch.setattr(rebuild, "VERSION", "of tomorrow")
    rebuild.rebuild(FAMILY, tmp_path / "work", lambda done: None, tmp_path / "data")
    assert len(trainer.batches) == 2 * before


def test_curves_are_as_long_as_the_familys_longest() -> None:
    assert rebuild.most_epochs(FAMILIES["digits"]) == 60
    assert rebuild.most_epochs(FAMILIES["recall"]) == 10


def test_families_are_chosen_by_name() -> None:
    assert [family.name for family in rebuild.chosen(["recall", "digits"])] == ["recall", "digits"]
    assert len(rebuild.chosen([])) == 5
    with pytest.raises(BankError, match="no family 'vision'; the bank has digits"):
        rebuild.chosen(["vision"])
