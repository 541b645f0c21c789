"""Runs as a table: the one way in which everything reads the run bank."""

from __future__ import annotations

import functools
import html
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fourrounds.runbank.families import FAMILIES, SQUARE_FIRST, Config, Family, Level
from fourrounds.runbank.store import COLUMNS, DATA, NONE, Columns, read

SEED_NAMES = ("init_seed", "split_seed", "order_seed")
_SHOWN = 10


class Runs:
    """Runs of one family, one a row.

    Attributes, with ``n`` rows:

    - ``test``, ``val`` (n,) float64: the final test and validation metric, between 0 and 1;
    - ``test_curve``, ``val_curve`` (n, epochs) float64: the metric after each epoch, NaN after a run's
    last;
    - ``correct`` (n, items) bool: the correctness of each test item at the end;
    - ``examples``, ``parameters``, ``flops`` (n,) int64; ``diverged`` (n,) bool;
    - ``cost`` (n,) float64: training FLOPs, in those of the family's reference run.

    ``runs["lr"]`` is the column of a factor or of a seed (``init_seed``, ``split_seed``, ``order_seed``);
    ``runs.where(optimiser="adam", lr=0.01)`` keeps the rows that agree, and ``runs[mask]`` those of a mask.
    """

    def __init__(self, family: Family, columns: Columns) -> None:
        self.family = family
        self._columns = columns

    # -- columns

    def __getitem__(self, key: Any) -> Any:
        """A column by its name; rows by a mask, by their numbers, or by a slice."""
        if not isinstance(key, str):
            chosen = key if isinstance(key, slice) else np.atleast_1d(np.asarray(key))
            return Runs(self.family, self._columns.rows(chosen))
        if key in SEED_NAMES:
            return self._columns.seeds[:, SEED_NAMES.index(key)].astype(np.int64)
        if key not in self.family.names:
            known = ", ".join((*self.family.names, *SEED_NAMES))
            raise KeyError(f"{self.family.name} has no column {key!r}; it has {known}")
        levels = np.array(self.family.factor(key).levels)
        return levels[self._columns.levels[:, self.family.names.index(key)]]

    def __len__(self) -> int:
        return len(self._columns)

    def __iter__(self) -> Iterator[dict[str, Level]]:
        """The configuration and the seeds of each row."""
        columns = {name: self[name].tolist() for name in (*self.family.names, *SEED_NAMES)}
        for values in zip(*columns.values(), strict=True):
            yield dict(zip(columns, values, strict=True))

    @property
    def test(self) -> np.ndarray:
        return self._last(self._columns.test) / self.family.n_test

    @property
    def val(self) -> np.ndarray:
        return self._last(self._columns.val) / self.family.n_val

    @property
    def test_curve(self) -> np.ndarray:
        return _curve(self._columns.test, self.family.n_test)

    @property
    def val_curve(self) -> np.ndarray:
        return _curve(self._columns.val, self.family.n_val)

    @property
    def correct(self) -> np.ndarray:
        return np.unpackbits(self._columns.correct, axis=1, count=self.family.n_test).astype(bool)

    @property
    def examples(self) -> np.ndarray:
        return self._columns.examples.astype(np.int64)

    @property
    def parameters(self) -> np.ndarray:
        return self._columns.parameters.astype(np.int64)

    @property
    def flops(self) -> np.ndarray:
        return self._columns.flops.astype(np.int64)

    @property
    def diverged(self) -> np.ndarray:
        return self._columns.diverged

    @property
    def cost(self) -> np.ndarray:
        return self.flops / reference_flops(self.family.name)

    # -- rows

    def where(self, **levels: Level) -> Runs:
        """The rows with these levels of factors and seeds."""
        chosen = np.ones(len(self), dtype=bool)
        for name, level in levels.items():
            chosen &= self[name] == level
        return self[chosen]

    def of(self, config: Config) -> Runs:
        """The plain runs (no Latin square) of a configuration that names every factor, by seed."""
        found = self.where(**config)
        return found[(found["init_seed"] == found["split_seed"]) & (found["init_seed"] < SQUARE_FIRST)]

    def __repr__(self) -> str:
        return f"<{len(self)} runs of {self.family.name}>"

    def _repr_html_(self) -> str:
        return table_html(self)

    def _last(self, counts: np.ndarray) -> np.ndarray:
        last = (counts != NONE).sum(1) - 1
        return counts[np.arange(len(counts)), last].astype(np.float64)


def _curve(counts: np.ndarray, items: int) -> np.ndarray:
    return np.where(counts == NONE, np.nan, counts / items)


def table_html(runs: Runs, rows: int = _SHOWN) -> str:
    """A page's table of runs: the factors that differ, the seeds and the results of the first ``rows``."""
    varied = [name for name in runs.family.names if len(set(runs[name].tolist())) > 1]
    fixed = [name for name in runs.family.names if name not in varied]
    columns: dict[str, list[str]] = {
        name: [f"{level}" for level in runs[name][:rows].tolist()] for name in varied
    }
    columns["seeds"] = ["/".join(map(str, seeds)) for seeds in runs._columns.seeds[:rows].tolist()]
    columns[f"test {runs.family.metric}"] = [f"{value:.4f}" for value in runs.test[:rows]]
    columns["val"] = [f"{value:.4f}" for value in runs.val[:rows]]
    columns["cost"] = [f"{value:.2f}" for value in runs.cost[:rows]]
    columns["diverged"] = ["yes" if value else "" for value in runs.diverged[:rows]]
    head = "".join(f"<th>{html.escape(name)}</th>" for name in columns)
    body = "".join(
        "<tr>" + "".join(f"<td>{html.escape(value)}</td>" for value in row) + "</tr>"
        for row in zip(*columns.values(), strict=True)
    )
    constant = ", ".join(f"{name} = {runs[name][0]}" for name in fixed) if len(runs) else ""
    left = f"<p>{len(runs) - rows} more rows</p>" if len(runs) > rows else ""
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    return f"{table}{left}<p>{html.escape(constant)}</p>"


def joined(parts: Sequence[Runs]) -> Runs:
    """The rows of several tables of one family, one table after another."""
    columns = {name: np.concatenate([getattr(part._columns, name) for part in parts]) for name in COLUMNS}
    return Runs(parts[0].family, Columns(**columns))


@functools.cache
def load(family: str, folder: Path = DATA) -> Runs:
    """All runs of a family: digits, recall, transfer, contrastive or retrieval.

    Read once, then kept. Raises ``KeyError`` for another name, ``BankError`` where the files are not right.
    """
    if family not in FAMILIES:
        raise KeyError(f"no family {family!r}; the bank has {', '.join(FAMILIES)}")
    return Runs(FAMILIES[family], read(FAMILIES[family], folder))


@functools.cache
def reference_flops(family: str) -> float:
    """The training FLOPs of a family's reference run."""
    runs = load(family)
    return float(runs.of(runs.family.reference).flops[0])
