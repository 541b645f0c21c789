"""The lab of one paper: real runs of the bank under the names that the paper uses, bought from a budget.

A paper's lab has *factors* of its own, each a few named levels, and the learning rate ``lr``. A level stands
for a part of a configuration of the bank. Experiments are asked for as they are filed, by what
:func:`fourrounds.critique.arm` returns, and their results are plain data: what a learner's ``decide`` gets.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fourrounds.critique.answer import check
from fourrounds.critique.places import CritiqueError, folded
from fourrounds.critique.shown import Shown, join, paragraph, table
from fourrounds.critique.vocabulary import nearest
from fourrounds.runbank.families import FAMILIES, SEEDS, Family, Level
from fourrounds.runbank.lab import SMALLEST_COST
from fourrounds.runbank.table import Runs, joined, load

Config = Mapping[str, Level]
Factors = Mapping[str, Mapping[str, Config]]
Results = dict[str, Any]
"""Runs as plain data; with ``n`` rows and ``m`` test items: a list of ``n`` names for each factor of the
paper, ``lr`` (n,) float64, ``seed`` (n,) int64, ``val`` and ``test`` (n,) float64 between 0 and 1,
``correct`` (n, m) bool, ``diverged`` (n,) bool, ``cost`` (n,) float64, and for each mark of the lab which
items it marks, (m,) bool."""
RATE = "lr"
MOST_RUNS = 3000
"""The most runs of one experiment."""


@dataclass(frozen=True)
class _Cell:
    """One configuration: the names of its levels, its learning rate, its seeds."""

    names: tuple[str, ...]
    rate: Level
    seeds: tuple[int, ...]


@dataclass
class PaperLab:
    """Experiments in the terms of one paper.

    Parameters
    ----------
    family : the family of the bank whose runs these are
    factors : for each factor of the paper its levels, each a part of a configuration of the bank; the parts
        of one level of every factor make a configuration, what they leave out is as in the reference run.
        The first level of a factor is the one that is meant where an experiment names none.
    budget : in reference runs of the family
    order : (30,) int, which of the bank's seeds each seed stands for; as they are unless given
    items : (m,) int, the test items that are looked at; all unless given
    marks : names of groups of test items, each with the numbers of its items; the results say by each name
        which items are of that group

    A run that was bought once is free from then on. Equal seeds mean equal initial parameters, data and
    order in every configuration. Raises ``ValueError`` for a factor that the bank lacks.
    """

    family: str
    factors: Factors
    budget: float
    order: Sequence[int] | None = None
    items: NDArray[np.int64] | None = None
    marks: Mapping[str, Sequence[int]] = field(default_factory=dict)
    spent: float = field(default=0.0, init=False)
    _bought: set[tuple[tuple[str, ...], Level, int]] = field(default_factory=set, init=False, repr=False)

    def __post_init__(self) -> None:
        if not self.budget > 0:
            raise ValueError(f"a budget is a positive number of reference runs, and {self.budget!r} is not")
        for levels in self.factors.values():
            for part in levels.values():
                self._bank.complete(part)

    @property
    def _bank(self) -> Family:
        return FAMILIES[self.family]

    @property
    def left(self) -> float:
        """The budget that is left, in reference runs."""
        return self.budget - self.spent

    # -- what there is

    def menu(self) -> Shown:
        """The factors with their levels, and what a run of each costs."""
        rows: list[tuple[str, str]] = [(name, "; ".join(levels)) for name, levels in self.factors.items()]
        rates = sorted({rate for names in self._every() for rate in self._rates(names)})
        rows.append((RATE, "; ".join(f"{rate:g}" for rate in rates)))
        rows.append(("seeds", f"0 to {SEEDS - 1}: equal seeds are paired"))
        prices = [
            (", ".join(names), f"{self._price(names):.2f}") for names in self._every() if self._rates(names)
        ]
        return join(
            table(("factor", "levels"), rows, "What can be run"),
            table(("configuration", "cost of a run"), prices, f"Prices; the budget is {self.budget:g}"),
        )

    def cost(self, *arms: Any) -> float:
        """What the experiments would cost together, runs bought before left out."""
        return self._bill(self._cells(arms))[0]

    # -- experiments

    def run(self, *arms: Any) -> Results:
        """Buy the experiments and return their runs (:data:`Results`), arm by arm; no run twice.

        ``arms`` are what :func:`fourrounds.critique.arm` returns, or lists of these. Raises
        :class:`CritiqueError` for what the lab does not have and for what costs more than is left; then
        nothing is charged.
        """
        cells = self._cells(arms)
        bill, new = self._bill(cells)
        if bill > self.left * (1 + 1e-9):
            raise CritiqueError(
                f"this costs {bill:.2f} reference runs, and {self.left:.2f} of {self.budget:g} are left; "
                "nothing was charged. Fewer seeds, learning rates or arms cost less: .cost(...) tells what."
            )
        self.spent += bill
        self._bought |= new
        return self._results(cells)

    def _every(self) -> list[tuple[str, ...]]:
        return list(product(*self.factors.values()))

    def _config(self, names: Sequence[str]) -> dict[str, Level]:
        parts: dict[str, Level] = {}
        for levels, name in zip(self.factors.values(), names, strict=True):
            parts |= levels[name]
        return self._bank.complete(parts)

    def _rates(self, names: Sequence[str]) -> tuple[Level, ...]:
        """The learning rates with which a configuration was trained; none where it was not."""
        config = self._config(names)
        return tuple(rate for rate in self._bank.rates(config) if len(self._runs(names, rate)))

    def _runs(self, names: Sequence[str], rate: Level) -> Runs:
        """The 30 runs of a configuration, by the bank's seed."""
        return _of(self.family, tuple({**self._config(names), RATE: rate}.items()))

    def _price(self, names: Sequence[str]) -> float:
        return max(float(self._runs(names, self._rates(names)[0]).cost[0]), SMALLEST_COST)

    def _cells(self, arms: Iterable[Any]) -> list[_Cell]:
        cells: dict[tuple[tuple[str, ...], Level], dict[int, None]] = {}
        for arm in _flat(arms):
            for names in product(*(self._named(factor, arm["config"]) for factor in self.factors)):
                for rate in self._chosen(names, arm["config"]):
                    cells.setdefault((names, rate), {}).update(dict.fromkeys(_numbers(arm["seeds"])))
        made = [_Cell(names, rate, tuple(seeds)) for (names, rate), seeds in cells.items()]
        count = sum(len(cell.seeds) for cell in made)
        if not made:
            raise CritiqueError("there is no experiment here: arm(seeds, ...) makes one")
        if count > MOST_RUNS:
            raise CritiqueError(f"this asks for {count} runs: ask for at most {MOST_RUNS}")
        return made

    def _named(self, factor: str, config: Mapping[str, Any]) -> list[str]:
        strange = [name for name in config if name != RATE and name not in self.factors]
        if strange:
            known = (*self.factors, RATE)
            raise CritiqueError(f"the lab has no factor {strange[0]}: {nearest(strange[0], known)}")
        levels = self.factors[factor]
        if factor not in config:
            return [next(iter(levels))]
        given = config[factor] if isinstance(config[factor], list) else [config[factor]]
        spelt = {folded(name): name for name in levels}
        found = []
        for one in given:
            key = folded(f"{one:g}" if type(one) is float else str(one))
            if key not in spelt:
                raise CritiqueError(f"{factor} has no level {str(one)[:60]!r}: it has {', '.join(levels)}")
            found.append(spelt[key])
        return list(dict.fromkeys(found))

    def _chosen(self, names: Sequence[str], config: Mapping[str, Any]) -> list[Level]:
        """The learning rates of an arm for one configuration: all that there are, unless it names some."""
        rates = self._rates(names)
        told = ", ".join(names)
        if not rates:
            raise CritiqueError(f"there are no runs of {told}: .menu() shows what there is")
        if config.get(RATE) is None:
            return list(rates)
        given = config[RATE] if isinstance(config[RATE], list) else [config[RATE]]
        found = []
        for one in given:
            near = [rate for rate in rates if _close(rate, one)]
            if not near:
                raise CritiqueError(
                    f"{told} was not trained with lr={str(one)[:20]}: it was with "
                    f"{', '.join(f'{rate:g}' for rate in rates)}"
                )
            found += near
        return list(dict.fromkeys(found))

    def _bill(self, cells: Sequence[_Cell]) -> tuple[float, set[tuple[tuple[str, ...], Level, int]]]:
        """What is still to be paid for, and the runs that are."""
        new = {(c.names, c.rate, s) for c in cells for s in c.seeds} - self._bought
        prices = {names: self._price(names) for names in {names for names, _, _ in new}}
        return math.fsum(prices[names] for names, _, _ in new), new

    def _results(self, cells: Sequence[_Cell]) -> Results:
        order = np.arange(SEEDS) if self.order is None else np.asarray(self.order)
        parts: list[Runs] = []
        for cell in cells:
            parts.append(self._runs(cell.names, cell.rate)[order[list(cell.seeds)]])
        runs = joined(parts)
        items = np.arange(self._bank.n_test) if self.items is None else self.items
        correct = runs.correct[:, items]
        rows = [cell for cell in cells for _ in cell.seeds]
        return {
            **{name: [cell.names[k] for cell in rows] for k, name in enumerate(self.factors)},
            RATE: np.array([cell.rate for cell in rows], dtype=np.float64),
            "seed": np.array([seed for cell in cells for seed in cell.seeds], dtype=np.int64),
            "val": runs.val,
            "test": correct.mean(1),
            "correct": correct,
            "diverged": np.asarray(runs.diverged, dtype=bool),
            "cost": np.maximum(runs.cost, SMALLEST_COST),
            **{name: np.isin(items, numbers) for name, numbers in self.marks.items()},
        }

    # -- to look at

    def summary(self, results: Results) -> Shown:
        """The runs by configuration and learning rate: their number, means, deviation, and how many
        diverged."""
        groups: dict[tuple[str, ...], list[int]] = {}
        for row in range(len(results["seed"])):
            names = [results[name][row] for name in self.factors]
            groups.setdefault((*names, f"{results[RATE][row]:g}"), []).append(row)
        rows = []
        for key, numbers in groups.items():
            test, val = results["test"][numbers], results["val"][numbers]
            spread = f"{100 * test.std(ddof=1):.1f}" if len(numbers) > 1 else ""
            diverged = int(results["diverged"][numbers].sum())
            rows.append(
                (*key, len(numbers), f"{100 * val.mean():.1f}", f"{100 * test.mean():.1f}", spread, diverged)
            )
        head = (*self.factors, RATE, "runs", "mean val %", "mean test %", "SD of test", "diverged")
        return join(
            table(head, rows, "Runs"), paragraph(f"{self.spent:.1f} of {self.budget:g} reference runs spent")
        )

    def plot(self, results: Results, ax: Any = None) -> Any:
        """Draw every run against the learning rate, a colour for each configuration, with means. Returns the
        axes."""
        from matplotlib import pyplot as plt

        if ax is None:
            _, ax = plt.subplots(figsize=(7, 4), layout="constrained")
        names = list(zip(*(results[name] for name in self.factors), strict=True))
        for number, one in enumerate(dict.fromkeys(names)):
            rows = np.array([row == one for row in names])
            rates, test = results[RATE][rows], 100 * results["test"][rows]
            levels = np.unique(rates)
            ax.plot(rates, test, ".", color=f"C{number}", alpha=0.35, markersize=5)
            means = [test[rates == level].mean() for level in levels]
            ax.plot(levels, means, "o-", color=f"C{number}", label=", ".join(one))
        if (results[RATE] > 0).all():
            ax.set_xscale("log")
        ax.set_xlabel("learning rate")
        ax.set_ylabel(f"test {self._bank.metric} in %: runs and their mean")
        ax.legend(fontsize="small")
        return ax


@lru_cache(4096)
def _of(family: str, config: tuple[tuple[str, Level], ...]) -> Runs:
    return load(family).of(dict(config))


def _flat(arms: Iterable[Any]) -> list[dict[str, Any]]:
    """The arms, checked; lists of them taken apart."""
    flat: list[Any] = []
    for one in arms:
        flat += one if isinstance(one, (list, tuple)) else [one]
    return list(check({"first": flat})["first"])


def _numbers(seeds: int | Sequence[int]) -> tuple[int, ...]:
    numbers = tuple(range(seeds)) if isinstance(seeds, int) else tuple(seeds)
    wrong = [seed for seed in numbers if not 0 <= seed < SEEDS]
    if wrong:
        raise CritiqueError(f"the seeds of a configuration are 0 to {SEEDS - 1}: there is no {wrong[0]}")
    return numbers


def _close(rate: Level, value: Any) -> bool:
    if isinstance(value, (str, bool)) or not isinstance(value, (int, float)):
        return False
    return math.isclose(float(rate), value, rel_tol=1e-6)
