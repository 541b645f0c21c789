"""One design in one world: draws, looks, decides. The result is an array of outcomes, one a simulation."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fourrounds.design import analysis
from fourrounds.design.parts import Design
from fourrounds.design.simulate import BLOCK, Data, Nature, at_look, blocks, chosen, cost, joined

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

Analysis = Callable[[dict[str, Any]], Mapping[str, Any]]
"""An analysis of one's own: from the arrays of :mod:`fourrounds.design.simulate` to ``estimate``, ``low``,
``high`` and ``claim`` (whether an effect is claimed), each of shape (S,), or single values if it takes one
experiment at a time. NaN for an estimate that cannot be had."""


class AnalysisError(ValueError):
    """What an analysis returned cannot be used; the message says why."""


@dataclass(frozen=True)
class Runs:
    """Outcomes, each of shape (S,): of the metric that is reported, at the look that ended the experiment."""

    estimate: Floats
    low: Floats
    high: Floats
    p: Floats
    claim: Flags
    falsified: Flags
    cost: Floats
    look: NDArray[np.int64]


def run(
    design: Design,
    world: Nature,
    sims: int,
    seed: int,
    *,
    analyse: Analysis | None = None,
    one_at_a_time: bool = False,
    seen: Callable[[int], None] | None = None,
) -> Runs:
    """Simulate the experiment ``sims`` times.

    ``analyse`` replaces the default analysis, correction and claim, on exactly the data that these would see;
    with ``one_at_a_time`` it is called for each simulation. ``seen`` is told the number of simulations done.
    """
    parts: list[Runs] = []
    done = 0
    for block in blocks(design, world, sims, seed):
        parts.append(
            _until_it_ends(design, functools.partial(cost, design, world), block, analyse, one_at_a_time)
        )
        done += len(block.scores)
        if seen is not None:
            seen(done)
    return _concatenated(parts)


def run_together(
    design: Design, worlds: Sequence[Nature], sims: int, seeds: Sequence[int], analyse: Analysis
) -> list[Runs]:
    """Simulate the experiment ``sims`` times in each world, each with its seed and an analysis of one's own.

    Each call of ``analyse`` gets simulations of all worlds in random order, about as many scores as a block
    of :mod:`~fourrounds.design.simulate` holds. So what it may find out about its whole batch tells it
    nothing of one experiment's world, and an average over experiments is an average over worlds.
    """
    parts: list[list[Runs]] = [[] for _ in worlds]
    each = [
        blocks(design, world, sims, seed, BLOCK // len(worlds))
        for world, seed in zip(worlds, seeds, strict=True)
    ]
    for number, drawn in enumerate(zip(*each, strict=True)):
        whole = joined(drawn)
        order = np.random.default_rng([*seeds, number]).permutation(len(whole.scores))
        place = np.repeat(np.arange(len(worlds)), [len(block.scores) for block in drawn])[order]
        mixed = chosen(whole, order)
        price = [functools.partial(cost, design, world) for world in worlds]

        def spent(
            data: Data, look: int, place: NDArray[np.int64] = place, price: list[Any] = price
        ) -> Floats:
            every = np.stack([one(data, look) for one in price])
            return np.asarray(every[place, np.arange(len(place))])

        found = _until_it_ends(design, spent, mixed, analyse, False)
        back = np.argsort(order)
        start = 0
        for world, block in enumerate(drawn):
            rows = back[start : start + len(block.scores)]
            parts[world].append(Runs(*(getattr(found, f.name)[rows] for f in fields(Runs))))
            start += len(block.scores)
    return [_concatenated(part) for part in parts]


def _concatenated(parts: Sequence[Runs]) -> Runs:
    return Runs(*(np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(Runs)))


def _until_it_ends(
    design: Design,
    spent: Callable[[Data, int], Floats],
    block: Data,
    analyse: Analysis | None,
    one_at_a_time: bool,
) -> Runs:
    def at(look: int) -> Runs:
        data = at_look(design, block, look)
        if analyse is None:
            found = decide(design, analysis.analyse(design, data))
        else:
            found = _judged_by(analyse, data, one_at_a_time)
        size = len(data.scores)
        return Runs(*found, np.zeros(size, bool), spent(data, look), np.full(size, look, dtype=np.int64))

    result = at(1)
    for look in range(2, design.stopping.looks + 1):
        going = ~result.claim
        if not going.any():
            break
        now = at(look)
        result = Runs(*(np.where(going, getattr(now, f.name), getattr(result, f.name)) for f in fields(Runs)))
    return replace(result, falsified=falsified(design, result))


def decide(design: Design, found: analysis.Estimates) -> tuple[Floats, Floats, Floats, Floats, Flags]:
    """Estimate, low, high, corrected p and claim, each (S,), of the metric that the decision reports."""
    decision = design.decision
    p = analysis.correct(found.p, design.correction)
    claims: Flags = np.asarray(
        {
            "significant": p <= found.alpha,
            "interval_above": found.low > decision.margin,
            "larger": found.estimate > decision.margin,
        }[decision.rule]
    )
    reported = np.zeros(len(p), dtype=np.int64)
    claim = claims[:, 0]
    if decision.outcomes == "all":
        claim = np.all(claims, axis=1)
    elif decision.outcomes == "any":
        claim = np.any(claims, axis=1)
        strength = np.where(np.isnan(p), 2.0, p)
        # The metric with the smallest p-value is reported; one that is claimed comes before one that is not.
        reported = np.where(claims, strength - 4.0, strength).argmin(axis=1)
    pick = (np.arange(len(p)), reported)
    return found.estimate[pick], found.low[pick], found.high[pick], p[pick], claim


def falsified(design: Design, runs: Runs) -> Flags:
    """Whether the declared falsifier fires, (S,). It never does where there is no estimate."""
    rule = design.falsifier
    margin = design.estimand.minimum if rule.margin is None else rule.margin
    if rule.rule == "interval_below":
        return runs.high < margin
    if rule.rule == "estimate_below":
        return runs.estimate < margin
    if rule.rule == "not_significant":
        return ~runs.claim & np.isfinite(runs.estimate)
    return np.zeros(len(runs.estimate), dtype=bool)


def _judged_by(
    analyse: Analysis, data: Data, one_at_a_time: bool
) -> tuple[Floats, Floats, Floats, Floats, Flags]:
    """What an analysis of one's own returned, checked."""
    size = len(data.scores)
    names = ("estimate", "low", "high", "claim")
    if one_at_a_time:
        each = [_fields(analyse(data.one(s)), names) for s in range(size)]
        columns = [np.array([_single(one[k], name) for one in each]) for k, name in enumerate(names)]
    else:
        columns = [
            _column(value, name, size)
            for name, value in zip(names, _fields(analyse(data.arrays()), names), strict=True)
        ]
    estimate, low, high = (
        _numbers(column, name) for column, name in zip(columns[:3], names[:3], strict=True)
    )
    claim = columns[3]
    if claim.dtype != bool:
        raise AnalysisError(f"claim must be True or False, and has dtype {claim.dtype}")
    if (low > high).any():
        raise AnalysisError("low must not be above high: an interval ends where it begins or after")
    return estimate, low, high, np.full(size, np.nan), claim


def _fields(result: Any, names: tuple[str, ...]) -> list[Any]:
    missing = [name for name in names if not isinstance(result, Mapping) or name not in result]
    if missing:
        raise AnalysisError(
            f"an analysis returns a dict of {', '.join(names)}; missing: {', '.join(missing)}"
        )
    return [result[name] for name in names]


def _numbers(column: NDArray[Any], name: str) -> Floats:
    if column.dtype.kind not in "iuf":
        raise AnalysisError(f"{name} must be numbers, and has dtype {column.dtype}")
    return column.astype(np.float64)


def _array(value: Any, name: str) -> NDArray[Any]:
    try:
        return np.asarray(value)
    except (ValueError, TypeError) as error:
        raise AnalysisError(f"{name} is no array of numbers: {error}") from None


def _column(value: Any, name: str, size: int) -> NDArray[Any]:
    column = _array(value, name)
    if column.shape != (size,):
        raise AnalysisError(
            f"{name} must have one value for each of the {size} simulations, shape ({size},), "
            f"and has shape {column.shape}"
        )
    return column


def _single(value: Any, name: str) -> Any:
    single = _array(value, name)
    if single.ndim != 0:
        raise AnalysisError(f"{name} must be a single value, and has shape {single.shape}")
    return single[()]
