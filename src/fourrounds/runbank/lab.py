"""A lab: a budget, and experiments that are bought with it.

An experiment is not trained when it is asked for; it was, and its runs are in the bank. Buying a run
costs what training it cost, in the training FLOPs of the family's reference run, so that a budget of 60
is worth 60 of these.
"""

from __future__ import annotations

import html
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import numpy as np

from fourrounds.runbank.families import FAMILIES, SEEDS, Family, Level
from fourrounds.runbank.table import Runs, joined, load

SMALLEST_COST = 0.01
"""What a run costs at least: also what needs no training has to be evaluated."""


class BudgetError(Exception):
    """The experiment costs more than is left. Nothing was run and nothing charged."""


class NotInBank(LookupError):
    """No run of the bank has this configuration. ``nearest`` lists those that come closest."""

    def __init__(self, message: str, nearest: Sequence[dict[str, Level]]) -> None:
        super().__init__(message)
        self.nearest = list(nearest)


@dataclass(frozen=True)
class Entry:
    """One line of the log: what was asked for, on which seeds, and what it cost."""

    config: dict[str, Level]
    seeds: tuple[int, ...]
    cost: float
    runs: Runs = field(repr=False)


class Lab:
    """Experiments of one family for a budget.

    ``family`` is digits, recall, transfer, contrastive or retrieval; ``budget`` counts reference runs.
    The seeds of a lab are numbered from 0; equal seeds mean equal initial parameters, data and order, in
    every configuration, so that two configurations are compared run by run. A run that was bought once is
    free from then on. ``first_seed`` shifts the numbers to other real runs of the bank.
    """

    def __init__(self, family: str, budget: float, first_seed: int = 0) -> None:
        if not budget > 0:
            raise ValueError(f"a budget is a positive number of reference runs, and {budget!r} is not")
        self._bank = load(family)
        self.family: Family = FAMILIES[family]
        self.budget = float(budget)
        self._first = int(first_seed) % SEEDS
        self._log: list[Entry] = []
        self._bought: set[tuple[tuple[Level, ...], int]] = set()

    # -- what there is

    def factors(self) -> Factors:
        """The factors with their levels, the level of the reference run, and what they mean."""
        return Factors(self.family)

    @property
    def log(self) -> Log:
        """What was run, in its order."""
        return Log(self._log, self)

    @property
    def spent(self) -> float:
        """The budget used so far."""
        return float(sum(entry.cost for entry in self._log))

    @property
    def left(self) -> float:
        """The budget that is left."""
        return self.budget - self.spent

    def cost(self, config: Mapping[str, Any], seeds: int | Iterable[int] = 1) -> float:
        """What :meth:`run` would charge; runs nothing."""
        return sum(cost for *_, cost in self._wanted(config, seeds))

    # -- experiments

    def run(self, config: Mapping[str, Any] | None = None, seeds: int | Iterable[int] = 1) -> Runs:
        """Run an experiment and pay for it.

        ``config`` names the factors that differ from the reference run; a list of levels stands for one
        configuration after another (``{"lr": [0.01, 0.03]}``). ``seeds`` is how many, from seed 0, or
        which ones. Returns the runs as a table, configuration by configuration, seed by seed.

        Raises ``ValueError`` for an unknown factor, level or seed, :class:`NotInBank` for a combination
        that was not trained, and :class:`BudgetError` where it costs more than is left; then nothing is
        charged.
        """
        wanted = self._wanted(config or {}, seeds)
        total = sum(cost for *_, cost in wanted)
        if total > self.left * (1 + 1e-9):
            raise BudgetError(
                f"this costs {total:.2f} reference runs, and {self.left:.2f} of {self.budget:g} are left; "
                "nothing was charged. Fewer seeds or configurations cost less: lab.cost(...) tells what."
            )
        for complete, numbers, runs, cost in wanted:
            self._log.append(Entry(complete, numbers, cost, runs))
            self._bought |= {(tuple(complete.values()), seed) for seed in numbers}
        return joined([runs for _, _, runs, _ in wanted])

    def _wanted(
        self, config: Mapping[str, Any], seeds: int | Iterable[int]
    ) -> list[tuple[dict[str, Level], tuple[int, ...], Runs, float]]:
        """The configurations with their seeds, their runs, and what they would cost now."""
        numbers = self._seeds(seeds)
        found = []
        for complete in self._configurations(config):
            every = self._bank.of(complete)
            if not len(every):
                raise self._missing(complete)
            runs = every[[(self._first + seed) % SEEDS for seed in numbers]]
            key = tuple(complete.values())
            new = [k for k, seed in enumerate(numbers) if (key, seed) not in self._bought]
            prices = np.maximum(runs.cost, SMALLEST_COST)
            found.append((complete, numbers, runs, float(prices[new].sum())))
        return found

    def _seeds(self, seeds: int | Iterable[int]) -> tuple[int, ...]:
        if isinstance(seeds, (int, np.integer)) and not isinstance(seeds, bool):
            numbers = tuple(range(int(seeds)))
        else:
            numbers = tuple(int(seed) for seed in seeds)  # type: ignore[union-attr]
        if not numbers:
            raise ValueError("an experiment has at least one seed")
        if len(set(numbers)) < len(numbers):
            raise ValueError("each seed once: a run of the same seed is the same run")
        wrong = [seed for seed in numbers if not 0 <= seed < SEEDS]
        if wrong:
            raise ValueError(f"the seeds of each configuration are 0 to {SEEDS - 1}; there is no {wrong[0]}")
        return numbers

    def _configurations(self, config: Mapping[str, Any]) -> list[dict[str, Level]]:
        """Every combination of the levels, complete; each level as the bank spells it."""
        levels = {}
        for name, value in config.items():
            several = isinstance(value, (list, tuple, np.ndarray))
            levels[name] = [self._level(name, v) for v in (value if several else [value])]
        return [
            self.family.complete(dict(zip(levels, values, strict=True)))
            for values in product(*levels.values())
        ]

    def _level(self, name: str, value: Any) -> Level:
        if name not in self.family.names:
            raise ValueError(
                f"{self.family.name} has no factor {name!r}; it has {', '.join(self.family.names)}"
            )
        value = value.item() if isinstance(value, np.generic) else value
        known = self.family.factor(name).levels
        for level in known:
            if level == value or _close(level, value):
                return level
        raise ValueError(f"{name}={value!r} was not run; the levels are {', '.join(map(repr, known))}")

    def _missing(self, config: dict[str, Level]) -> NotInBank:
        nearest = self.nearest(config)
        lines = "".join(f"\n  {self._told(near)}" for near in nearest)
        return NotInBank(
            f"the bank has no runs of {self.family.name} with {self._told(config)}. "
            f"The nearest it has:{lines}",
            nearest,
        )

    def nearest(self, config: Mapping[str, Level], count: int = 3) -> list[dict[str, Level]]:
        """The configurations of the bank that are nearest to one: that differ in the fewest factors, then
        by the fewest steps of their levels."""
        wanted = self.family.complete(dict(config))

        def distance(other: Mapping[str, Level]) -> tuple[int, int]:
            steps = [
                abs(f.levels.index(other[f.name]) - f.levels.index(wanted[f.name]))
                if not isinstance(other[f.name], str)
                else int(other[f.name] != wanted[f.name])
                for f in self.family.factors
            ]
            return sum(step > 0 for step in steps), sum(steps)

        return sorted(self.family.configurations(), key=distance)[:count]

    def _told(self, config: Mapping[str, Level]) -> str:
        """What a configuration changes of the reference."""
        changes = [
            f"{name}={level!r}" for name, level in config.items() if level != self.family.reference[name]
        ]
        return ", ".join(changes) or "the reference configuration"

    # -- to look at

    def plot(self, factor: str | None = None, ax: Any = None) -> Any:
        """Draw every run that was bought: the test metric against a factor, with the mean and its 95%
        interval.

        ``factor`` is that of the horizontal axis; without it, the one with the most levels in the log.
        Runs that differ in other factors have other colours. Returns the axes.
        """
        from matplotlib import pyplot as plt

        if not self._log:
            raise ValueError("nothing was run yet: lab.run(...) buys runs to draw")
        runs = joined([entry.runs for entry in self._log])
        levels = {name: len(set(runs[name].tolist())) for name in self.family.names}
        factor = factor or max(levels, key=lambda name: levels[name])
        if factor not in self.family.names:
            raise ValueError(
                f"{self.family.name} has no factor {factor!r}; it has {', '.join(self.family.names)}"
            )
        others = [name for name in self.family.names if name != factor and levels[name] > 1]
        if ax is None:
            _, ax = plt.subplots(figsize=(7, 4), layout="constrained")
        series: dict[tuple[Level, ...], dict[Level, dict[int, float]]] = {}
        for row, value in zip(runs, runs.test, strict=True):
            label = tuple(row[name] for name in others)
            series.setdefault(label, {}).setdefault(row[factor], {})[int(row["init_seed"])] = float(value)
        ticks = [
            level for level in self.family.factor(factor).levels if any(level in s for s in series.values())
        ]
        for k, (label, points) in enumerate(series.items()):
            told = ", ".join(f"{n} = {v}" for n, v in zip(others, label, strict=True))
            _draw(ax, k, len(series), ticks, points, told)
        ax.set_xticks(range(len(ticks)), [f"{tick}" for tick in ticks])
        ax.set_xlabel(factor)
        ax.set_ylabel(f"test {self.family.metric}: runs, mean, 2 standard errors")
        ax.set_title(f"{self.family.name}: {self.spent:.1f} of {self.budget:g} spent")
        if others:
            ax.legend(fontsize="small")
        return ax

    def __repr__(self) -> str:
        spent = f"{self.spent:.2f} of {self.budget:g} spent"
        return f"<Lab {self.family.name}: {spent}, {len(self._log)} experiments>"


@dataclass(frozen=True)
class Factors:
    """The factors of a family, to be looked at; also a mapping from their names to their levels."""

    family: Family

    def __getitem__(self, name: str) -> tuple[Level, ...]:
        return self.family.factor(name).levels

    def keys(self) -> tuple[str, ...]:
        return self.family.names

    def __repr__(self) -> str:
        lines = [
            f"{f.name}: {', '.join(map(repr, f.levels))} (reference {f.reference!r}): {f.meaning}"
            for f in self.family.factors
        ]
        return "\n".join([self.family.about, *lines, f"A run's seeds are 0 to {SEEDS - 1}."])

    def _repr_html_(self) -> str:
        rows = [
            [f.name, ", ".join(map(str, f.levels)), str(f.reference), f.meaning] for f in self.family.factors
        ]
        return f"<p>{self.family.about}</p>" + _table(["factor", "levels", "reference", "meaning"], rows)


@dataclass(frozen=True)
class Log(Sequence[Entry]):
    """The experiments of a lab, to be looked at; also a sequence of :class:`Entry`."""

    entries: list[Entry]
    lab: Lab = field(repr=False)

    def __getitem__(self, index: Any) -> Any:
        return self.entries[index]

    def __len__(self) -> int:
        return len(self.entries)

    def __repr__(self) -> str:
        lines = [" | ".join(row) for row in self._rows()]
        return "\n".join([*lines, f"spent {self.lab.spent:.2f} of {self.lab.budget:g}"])

    def _repr_html_(self) -> str:
        head = ["experiment", "seeds", f"mean test {self.lab.family.metric}", "SD", "cost"]
        return _table(head, self._rows()) + f"<p>spent {self.lab.spent:.2f} of {self.lab.budget:g}</p>"

    def _rows(self) -> list[list[str]]:
        return [
            [
                self.lab._told(entry.config),
                str(len(entry.seeds)),
                f"{entry.runs.test.mean():.4f}",
                f"{entry.runs.test.std(ddof=1):.4f}" if len(entry.seeds) > 1 else "",
                f"{entry.cost:.2f}",
            ]
            for entry in self.entries
        ]


def _draw(
    ax: Any,
    number: int,
    of: int,
    ticks: Sequence[Level],
    points: Mapping[Level, Mapping[int, float]],
    label: str,
) -> None:
    """One series: each run as a dot, and the mean of each level with two standard errors."""
    import matplotlib

    colour = matplotlib.colormaps["tab10"](number % 10)
    shift = 0.5 * ((number + 0.5) / of - 0.5)
    places = [k for k, tick in enumerate(ticks) if tick in points]
    values = [np.array(list(points[ticks[k]].values())) for k in places]
    for place, runs in zip(places, values, strict=True):
        ax.plot(np.full(len(runs), place + shift), runs, ".", color=colour, alpha=0.4, markersize=5)
    means = [runs.mean() for runs in values]
    errors = [2 * runs.std(ddof=1) / math.sqrt(len(runs)) if len(runs) > 1 else 0.0 for runs in values]
    ax.errorbar(
        np.array(places) + shift,
        means,
        errors,
        color=colour,
        fmt="o-" if len(places) > 1 else "o",
        capsize=3,
        label=label,
    )


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A page's table."""
    top = "".join(f"<th>{html.escape(cell)}</th>" for cell in head)
    body = "".join("<tr>" + "".join(f"<td>{html.escape(c)}</td>" for c in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"


def _close(level: Level, value: Any) -> bool:
    """Whether a number is meant to be this level: 0.1 + 0.2 is 0.3."""
    if isinstance(level, str) or isinstance(value, (str, bool)) or not isinstance(value, (int, float)):
        return False
    return math.isclose(level, value, rel_tol=1e-9)
