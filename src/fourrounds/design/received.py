"""What crossed the wall and claims to be a design. Whatever it is, it is read or refused, and nothing else.

A learner's notebook hands over what :func:`~fourrounds.design.parts.plain` made, or anything at all.
"""

from __future__ import annotations

from typing import Any

from fourrounds.design.parts import Design, DesignError, from_plain

MOST_VALUES = 2000
MOST_DEPTH = 5
MOST_TEXT = 6000
LARGEST_NUMBER = 10**12
MOST_SCORES = 50_000
"""Scores of one experiment that is scored: thousands of them must be drawn within seconds."""
MOST_LOOKED = 250_000
"""Scores of one experiment times its looks."""
MOST_RESAMPLED = 5_000_000
"""Units times resamples times looks of a permutation or bootstrap test."""


def received(data: Any) -> Design:
    """The design in ``data``, checked like any other.

    Raises :class:`~fourrounds.design.parts.DesignError`, and nothing else, for data that are not plain, too
    long, not a design, or a design that is too large to be simulated thousands of times.
    """
    _plain(data, "the design", 0, [0])
    if not isinstance(data, dict) or not data.get("arms"):
        raise DesignError("no design was handed in: a design has its arms, as in plain(Design(arms=(...)))")
    design = from_plain(data)
    received_size(design)
    return design


def _plain(value: Any, what: str, depth: int, seen: list[int]) -> None:
    seen[0] += 1
    if seen[0] > MOST_VALUES:
        raise DesignError(f"the design has more than {MOST_VALUES} values: no experiment needs so many")
    if depth > MOST_DEPTH:
        raise DesignError(f"{what} is nested too deeply to be a design")
    kind = type(value)
    if kind is dict:
        for key, one in value.items():
            if type(key) is not str or len(key) > MOST_TEXT:
                raise DesignError(f"a name in {what} must be a string of at most {MOST_TEXT} characters")
            _plain(one, key[:40] or what, depth + 1, seen)
    elif kind is list or kind is tuple:
        for one in value:
            _plain(one, what, depth + 1, seen)
    elif kind is str:
        if len(value) > MOST_TEXT:
            raise DesignError(f"{what} has {len(value)} characters: say it in at most {MOST_TEXT}")
    elif kind is int or kind is float:
        if abs(value) > LARGEST_NUMBER:
            raise DesignError(f"{what} must be a number of at most {LARGEST_NUMBER:g}")
    elif kind is not bool and value is not None:
        # What stayed with the answer is known here by the name of its type alone.
        stayed = getattr(value, "answer_type", None)
        name = stayed if isinstance(stayed, str) else kind.__name__
        raise DesignError(
            f"{what} must be plain data, and is {name[:40]}: hand in plain(design), made of dicts, lists, "
            "strings and numbers"
        )


def received_size(design: Design) -> None:
    """Raise :class:`DesignError` unless thousands of such experiments are drawn and analysed in seconds."""
    test, evaluation, looks = design.test, design.evaluation, design.stopping.looks
    arms, runs, items = len(design.arms), max(design.runs), evaluation.items
    groups = sum(evaluation.strata.values())
    size = len(design.metrics) * arms * runs * groups * items
    if size > MOST_SCORES:
        raise DesignError(
            f"one experiment has {size} scores, and {MOST_SCORES} are the most that can be scored: take "
            "fewer items, groups, runs or metrics"
        )
    if arms * runs * max(arm.tuning for arm in design.arms) > MOST_SCORES:
        raise DesignError(f"one experiment tries more than {MOST_SCORES} configurations: tune less")
    if size * looks > MOST_LOOKED:
        raise DesignError(f"{looks} looks at {size} scores are too many to be simulated: look less often")
    units = {"seeds": runs, "groups": groups, "items": groups * items}.get(test.unit, runs * groups * items)
    if test.method in ("permutation", "bootstrap"):
        work = len(design.metrics) * arms * units * test.resamples * looks
        if work > MOST_RESAMPLED:
            raise DesignError(
                f"{test.resamples} resamples of {arms * units} units at {looks} looks are too many to be "
                "simulated: resample less, or test larger units"
            )
