"""What a design does in worlds whose truth is known: a table of diagnosands with their Monte Carlo errors.

The diagnosands are those of Blair, Cooper, Coppock & Humphreys 2019 (DeclareDesign) and Gelman & Carlin 2014,
over S simulations with estimates e, truth t, claims c:

``false_positives``  mean(c) where t = 0 (for a one-sided test, t <= 0)
``power``            mean(c) elsewhere
``bias``             mean(e - t)
``sd``               SD of e
``rmse``             sqrt(mean((e - t)^2))
``coverage``         mean(low <= t <= high)
``type_s``           mean(sign(e) != sign(t) | c)
``exaggeration``     mean(|e| / |t| | c)
``falsified``        how often the declared falsifier fires
``failed``           how often there was no estimate (a spread from one run, all runs dropped)
``cost``             mean price, in the world's units

The error of a mean is sd / sqrt(S). That of a rate is sqrt(q (1 - q) / S) with q = (hits + 1) / (S + 2),
which is never 0: no hit among S is no proof of a rate of 0. Those of ``sd`` and ``rmse`` follow by the
delta method.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from fourrounds.design.parts import Design, Estimand
from fourrounds.design.progress import Progress
from fourrounds.design.run import Analysis, Flags, Floats, Runs, run
from fourrounds.design.show import draw_diagnosis, draw_power_curve, html_table, text_table
from fourrounds.design.simulate import Nature


@dataclass(frozen=True)
class Value:
    """A diagnosand and its Monte Carlo standard error; both NaN where it does not apply."""

    value: float
    se: float

    def __str__(self) -> str:
        if math.isnan(self.value):
            return ""
        # So many decimals that the error shows two digits, and three at least.
        small = 0 < self.se < 0.01
        decimals = min(6, 1 - math.floor(math.log10(self.se))) if small else 3
        return f"{self.value:.{decimals}f} ({self.se:.{decimals}f})"


NOT_APPLICABLE = Value(math.nan, math.nan)

DIAGNOSANDS = (
    "false_positives",
    "power",
    "bias",
    "sd",
    "rmse",
    "coverage",
    "type_s",
    "exaggeration",
    "falsified",
    "failed",
    "cost",
)


@dataclass(frozen=True)
class Row:
    """A design in one world. ``values`` has a :class:`Value` for each name in ``DIAGNOSANDS``."""

    world: str
    truth: float
    values: dict[str, Value]
    runs: Runs

    def __getitem__(self, diagnosand: str) -> Value:
        return self.values[diagnosand]


@dataclass(frozen=True)
class Diagnosis:
    """The table: a row for each world, in order. ``diagnosis["null"]["power"].value`` is a number of it."""

    sims: int
    rows: tuple[Row, ...]

    def __getitem__(self, world: str) -> Row:
        for row in self.rows:
            if row.world == world:
                return row
        raise KeyError(f"no world {world!r} here, but {[row.world for row in self.rows]}")

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def cells(self) -> tuple[list[str], list[list[str]]]:
        """Head and rows as text; a diagnosand that applies nowhere is left out."""
        shown = [n for n in DIAGNOSANDS if any(not math.isnan(row[n].value) for row in self.rows)]
        shown = [n for n in shown if n != "failed" or any(row[n].value > 0 for row in self.rows)]
        head = ["world", "truth", *(name.replace("_", " ") for name in shown)]
        return head, [[row.world, f"{row.truth:.3f}", *(str(row[n]) for n in shown)] for row in self.rows]

    def __str__(self) -> str:
        return text_table(*self.cells()) + f"\n{self.sims} simulations; Monte Carlo errors in brackets"

    def _repr_html_(self) -> str:
        return html_table(*self.cells(), f"{self.sims} simulations; Monte Carlo errors in brackets")

    def plot(self) -> object:
        """The sampling distribution of the estimate in each world, with the truth: a matplotlib figure."""
        return draw_diagnosis(self)

    def power_curve(self) -> object:
        """How often an effect is claimed against the truth, one point for each world: a matplotlib figure."""
        return draw_power_curve(self)


def diagnose(
    design: Design,
    worlds: Nature | Iterable[Nature],
    sims: int = 2000,
    seed: int = 0,
    *,
    question: Estimand | None = None,
    analyse: Analysis | None = None,
    one_at_a_time: bool = False,
    progress: bool = True,
) -> Diagnosis:
    """Run ``design`` ``sims`` times in each world and measure it against the truth.

    ``question`` is the estimand of the hypothesis, with weights by *method* and stratum; the truth is its
    value. None: what the design itself estimates. ``analyse`` replaces the default analysis: see
    :data:`fourrounds.design.run.Analysis`. Progress is shown, on stderr, when more than 2 s are left.
    ``ValueError`` if ``sims`` is below 2; :class:`DesignError` where a world cannot run the design.
    """
    if sims < 2:
        raise ValueError(f"sims must be 2 or more, since one simulation has no spread; it is {sims}")
    asked = design.question if question is None else question
    rows = []
    for world in worlds if isinstance(worlds, Iterable) else [worlds]:
        truth = world.truth(asked)
        with Progress(world.name, sims, progress) as seen:
            runs = run(design, world, sims, seed, analyse=analyse, one_at_a_time=one_at_a_time, seen=seen)
        rows.append(Row(world.name, truth, diagnosands(runs, truth, design.test.sides), runs))
    return Diagnosis(sims, tuple(rows))


def diagnosands(runs: Runs, truth: float, sides: int = 2) -> dict[str, Value]:
    """Every diagnosand of a set of outcomes; the module's head defines them."""
    # A difference of means is a sum of floats: 0.1 + 0.2 - 0.3 is no effect.
    zero = abs(truth) < 1e-12
    true_null = zero or (sides == 1 and truth < 0)
    known = np.isfinite(runs.estimate)
    estimate = runs.estimate[known]
    claimed = runs.claim & known
    covered = (runs.low <= truth + 1e-12) & (truth - 1e-12 <= runs.high)
    claims = rate(runs.claim)
    winners = runs.estimate[claimed]
    return {
        "false_positives": claims if true_null else NOT_APPLICABLE,
        "power": NOT_APPLICABLE if true_null else claims,
        "bias": mean(estimate - truth),
        "sd": _root_of_mean((estimate - estimate.mean()) ** 2 if len(estimate) else estimate),
        "rmse": _root_of_mean((estimate - truth) ** 2),
        "coverage": rate(covered),
        "type_s": NOT_APPLICABLE if zero else rate(np.sign(winners) != np.sign(truth)),
        "exaggeration": NOT_APPLICABLE if zero else mean(np.abs(winners) / abs(truth)),
        "falsified": rate(runs.falsified),
        "failed": rate(~known),
        "cost": mean(runs.cost),
    }


def mean(x: Floats) -> Value:
    """A mean and its Monte Carlo error (NaN for fewer than two values)."""
    if len(x) == 0:
        return NOT_APPLICABLE
    return Value(float(x.mean()), float(x.std(ddof=1)) / math.sqrt(len(x)) if len(x) > 1 else math.nan)


def rate(hits: Flags) -> Value:
    """A rate and its Monte Carlo error."""
    n, k = len(hits), int(hits.sum())
    if n == 0:
        return NOT_APPLICABLE
    q = (k + 1) / (n + 2)
    return Value(k / n, math.sqrt(q * (1 - q) / n))


def _root_of_mean(squares: Floats) -> Value:
    """sqrt of a mean: its error is that of the mean over twice the root."""
    inner = mean(squares)
    root = math.sqrt(inner.value) if inner.value >= 0 else math.nan
    return Value(root, inner.se / (2 * root) if root > 0 else 0.0 * inner.value)
