"""How a paper's authors get at runs of the bank: they have seeds of their own, and report by a protocol."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from fourrounds.runbank import SEEDS, Runs, load
from fourrounds.runbank.families import FAMILIES, Config, Level


@dataclass(frozen=True)
class Authors:
    """The authors of one form: their runs are those of ``seeds`` seeds of the bank, drawn by ``draw`` (the
    form's number, and which draw of it); what they call seed 0 is the first of them."""

    family: str
    draw: tuple[int, int]
    seeds: int

    @cached_property
    def order(self) -> list[int]:
        """Which of the bank's seeds are theirs."""
        return np.random.default_rng(self.draw).permutation(SEEDS)[: self.seeds].tolist()

    def runs(self, arm: Config, lr: Level, seeds: int | None = None) -> Runs:
        """Their runs of an arm at one learning rate, in the order of their seeds."""
        config = FAMILIES[self.family].complete({**arm, "lr": lr})
        return load(self.family).of(config)[self.order[:seeds]]

    def rates(self, arm: Config) -> tuple[Level, ...]:
        return FAMILIES[self.family].rates(arm)

    def search(self, arm: Config, rates: tuple[Level, ...] | None = None, by: str = "val") -> Level:
        """The learning rate with the highest mean metric over their seeds; ``by`` is val or test."""
        tried = rates or self.rates(arm)
        return max(tried, key=lambda lr: float(getattr(self.runs(arm, lr), by).mean()))


def every(family: str, arm: Config, lr: Level) -> Runs:
    """All 30 runs of an arm at one learning rate."""
    return load(family).of(FAMILIES[family].complete({**arm, "lr": lr}))


def percent(value: float, digits: int = 1) -> str:
    """A share as a percentage, without the sign."""
    return f"{100 * value:.{digits}f}"


def spread(values: np.ndarray) -> float:
    """The standard deviation over runs."""
    return float(values.std(ddof=1))
