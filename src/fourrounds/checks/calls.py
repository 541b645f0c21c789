"""How a test cell calls an answer.

In a kernel (a learner's, or stock nbgrader's) the answer is a plain function, and these helpers copy its
inputs and call it. In the examiner the same names are proxies across the wall, which bring their own
``batch``, ``with_arguments`` and ``measure``; the helpers use those where they exist.
"""

from __future__ import annotations

import copy
import time
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from fourrounds.checks.compare import same
from fourrounds.checks.outcome import CheckFailed, Kind, Outcome


def call(fn: Callable, *args: Any, **kwargs: Any) -> Any:
    """``fn(*args, **kwargs)`` on fresh copies of the inputs."""
    if hasattr(fn, "batch"):
        return fn(*args, **kwargs)
    return fn(*copy.deepcopy(args), **copy.deepcopy(kwargs))


def calls(fn: Callable, inputs: Sequence[Sequence[Any]]) -> list[Any]:
    """``[fn(*args) for args in inputs]`` on fresh copies, in one crossing of the wall where there is one."""
    if hasattr(fn, "batch"):
        return fn.batch(inputs)
    return [fn(*copy.deepcopy(tuple(args))) for args in inputs]


# What can be compared with itself later; a generator or an object of the answer's own moves on by right.
_PLAIN = (np.ndarray, np.generic, bool, int, float, complex, str, bytes, type(None), list, tuple, dict, set)


def unchanged(fn: Callable, *args: Any, **kwargs: Any) -> Any:
    """Call ``fn`` and raise :class:`CheckFailed` if it changed one of its positional inputs.

    Returns its result.
    """
    if hasattr(fn, "with_arguments"):
        result, after = fn.with_arguments(*args, **kwargs)
    else:
        after = copy.deepcopy(args)
        result = fn(*after, **copy.deepcopy(kwargs))
    for number, (before, now) in enumerate(zip(args, after, strict=True)):
        if isinstance(before, _PLAIN) and not same(now, before, rtol=0.0, atol=0.0):
            raise CheckFailed(
                Outcome(
                    Kind.WRONG_VALUE,
                    f"{fn.__name__} changed its input number {number}: the caller still needs it",
                )
            )
    return result


@contextmanager
def raises(*expected: type[BaseException], what: str = "the call") -> Iterator[None]:
    """The block must raise one of ``expected``; anything else it raises passes through."""
    try:
        yield
    except expected:
        return
    names = " or ".join(e.__name__ for e in expected)
    raise CheckFailed(Outcome(Kind.WRONG_VALUE, f"{what} must raise {names}, and raised nothing"))


@dataclass(frozen=True)
class Cost:
    """What one call cost: peak extra memory in bytes, processor time in seconds, and what it returned."""

    peak_bytes: int
    cpu_seconds: float
    value: Any


def cost(fn: Callable, *args: Any, **kwargs: Any) -> Cost:
    """Call ``fn`` and measure it.

    In the examiner the measure is taken from outside the answer's process (the kernel's account of it). In a
    plain kernel it is taken inside by ``tracemalloc`` (which sees NumPy's arrays), good enough for a learner
    to see the order of growth.
    """
    if hasattr(fn, "measure"):
        peak, seconds, value = fn.measure(*args, **kwargs)
        return Cost(peak, seconds, value)
    inputs, options = copy.deepcopy(args), copy.deepcopy(kwargs)
    tracemalloc.start()
    begun = time.process_time()
    try:
        value = fn(*inputs, **options)
        seconds = time.process_time() - begun
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    return Cost(peak, seconds, value)


def below(measured: float, limit: float, what: str, unit: str) -> None:
    """Raise :class:`CheckFailed` unless ``measured`` is at most ``limit``; both are in ``unit``."""
    if measured > limit:
        kind = Kind.MEMORY if unit in {"bytes", "MB"} else Kind.TIMEOUT
        raise CheckFailed(
            Outcome(kind, f"{what} took {measured:.3g} {unit}; the limit is {limit:.3g} {unit}")
        )
