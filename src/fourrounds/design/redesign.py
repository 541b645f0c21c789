"""The same question asked of many designs: vary parts over a grid, diagnose each, compare."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fourrounds.design.diagnose import DIAGNOSANDS, Diagnosis, diagnose
from fourrounds.design.parts import Design, DesignError, vary
from fourrounds.design.show import draw_redesign, html_table, text_table
from fourrounds.design.simulate import Nature


@dataclass(frozen=True)
class Redesign:
    """For each setting of the varied ``parts`` (a dict from part to value) the diagnosis of that design."""

    parts: tuple[str, ...]
    points: tuple[tuple[dict[str, object], Diagnosis], ...]

    def cells(self) -> tuple[list[str], list[list[str]]]:
        """Head and rows as text; a diagnosand that applies nowhere is left out."""
        rows = [(settings, row) for settings, diagnosis in self.points for row in diagnosis]
        shown = [n for n in DIAGNOSANDS if any(not math.isnan(row[n].value) for _, row in rows)]
        shown = [n for n in shown if n != "failed" or any(row[n].value > 0 for _, row in rows)]
        head = [*self.parts, "world", "truth", *(name.replace("_", " ") for name in shown)]
        table = [
            [
                *(str(settings[part]) for part in self.parts),
                row.world,
                f"{row.truth:.3f}",
                *(str(row[n]) for n in shown),
            ]
            for settings, row in rows
        ]
        return head, table

    def __str__(self) -> str:
        return text_table(*self.cells())

    def _repr_html_(self) -> str:
        return html_table(*self.cells(), "Monte Carlo errors in brackets")

    def plot(self, diagnosand: str = "power") -> object:
        """A diagnosand against the first varied part, with bars of two Monte Carlo errors: a figure."""
        return draw_redesign(self, diagnosand)


def redesign(
    design: Design,
    worlds: Nature | Iterable[Nature],
    grid: Mapping[str, Sequence[object]],
    sims: int = 2000,
    seed: int = 0,
    **options: Any,
) -> Redesign:
    """Diagnose ``design`` with each part of ``grid`` at each of its values (all combinations).

    Parts are named as in :func:`fourrounds.design.parts.vary`: ``{"seeds.count": [3, 5, 10]}``. All designs
    share one seed, so that what differs between them is the part and little else. ``options`` go to
    :func:`diagnose`.
    """
    if not grid or any(len(values) == 0 for values in grid.values()):
        raise DesignError("a grid names a part and its values, as in {'seeds.count': [3, 5, 10]}")
    worlds = list(worlds) if isinstance(worlds, Iterable) else [worlds]
    points = []
    for values in itertools.product(*grid.values()):
        changed = design
        for part, value in zip(grid, values, strict=True):
            changed = vary(changed, part, value)
        settings = dict(zip(grid, values, strict=True))
        points.append((settings, diagnose(changed, worlds, sims, seed, **options)))
    return Redesign(tuple(grid), tuple(points))
