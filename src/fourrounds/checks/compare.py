"""Compare what an answer returned with the truth: exact type, shape and dtype first, then values."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fourrounds.checks.outcome import CheckFailed, Kind, Outcome

RTOL = {np.dtype(np.float64): 1e-9, np.dtype(np.float32): 1e-4}
"""Relative tolerances by dtype. 1e-9 leaves a float64 answer six digits of rounding error, far more than any
order of summation over test-sized inputs needs, and far less than any wrong formula produces."""


def describe(value: Any) -> str:
    """The type of ``value`` as a learner would name it."""
    far = getattr(value, "answer_type", None)  # an object that stayed on the answer's side of the wall
    if isinstance(far, str):
        return far
    if value is None:
        return "None"
    if isinstance(value, np.ndarray) and type(value) is np.ndarray:
        return f"an array of shape {value.shape} and dtype {value.dtype}"
    if isinstance(value, tuple):
        return f"a tuple of {len(value)}"
    return f"a value of type {type(value).__name__}"


def compare(
    actual: Any,
    expected: Any,
    *,
    rtol: float | None = None,
    atol: float | None = None,
    axes: str = "",
    what: str = "the result",
    show_expected: bool = False,
) -> Outcome:
    """Judge ``actual`` against ``expected``.

    ``expected`` is an array (then ``actual`` must be exactly a ``numpy.ndarray`` of its shape and dtype), a
    number (then any real scalar of its kind will do, a zero-dimensional array included) or a tuple of those.
    Values may differ by ``rtol * abs(expected) + atol``; ``rtol`` is taken from :data:`RTOL` unless given,
    and ``atol`` is ``rtol`` times the largest finite magnitude in ``expected`` unless given, since rounding
    errors scale with the summands and not with a sum that happens to be near zero. Nothing is broadcast.

    ``axes`` names the axes for the message (``"B T D"``). The message never holds an expected value unless
    ``show_expected`` (for provided tests, which show theirs anyway).
    """
    if isinstance(expected, tuple):
        if not isinstance(actual, tuple):
            return Outcome(
                Kind.WRONG_TYPE, f"{what} must be a tuple of {len(expected)}, and is {describe(actual)}"
            )
        if len(actual) != len(expected):
            return Outcome(Kind.WRONG_SHAPE, f"{what} must have {len(expected)} parts, and has {len(actual)}")
        for number, (one, truth) in enumerate(zip(actual, expected, strict=True)):
            outcome = compare(
                one,
                truth,
                rtol=rtol,
                atol=atol,
                axes=axes,
                what=f"part {number} of {what}",
                show_expected=show_expected,
            )
            if not outcome.ok:
                return outcome
        return Outcome(Kind.OK)
    truth = np.asarray(expected)
    number_due = truth.ndim == 0 and not isinstance(expected, np.ndarray)
    if number_due:
        got = _number(actual, truth)
        if got is None:
            due = _NUMBERS.get(truth.dtype.kind, "a single number")
            return Outcome(Kind.WRONG_TYPE, f"{what} must be {due}, and is {describe(actual)}")
    else:
        if type(actual) is not np.ndarray:
            return Outcome(Kind.WRONG_TYPE, f"{what} must be a numpy.ndarray, and is {describe(actual)}")
        if actual.shape != truth.shape:
            names = f" ({axes})" if axes else ""
            return Outcome(
                Kind.WRONG_SHAPE,
                f"{what} must have shape {truth.shape}{names}, and has {actual.shape}",
            )
        if actual.dtype != truth.dtype:
            return Outcome(Kind.WRONG_DTYPE, f"{what} must have dtype {truth.dtype}, and has {actual.dtype}")
        got = actual
    return _values(got, truth, rtol, atol, axes, what, show_expected)


_NUMBERS = {"b": "True or False", "i": "a single whole number", "u": "a single whole number"}


def _number(actual: Any, truth: NDArray) -> NDArray | None:
    """``actual`` as a zero-dimensional array, or None if it is no real number of the truth's kind."""
    if type(actual) is np.ndarray and actual.ndim == 0:
        got = actual
    elif isinstance(actual, (bool, int, float, complex, np.generic)):
        got = np.asarray(actual)
    else:
        return None
    if truth.dtype.kind == "b" or got.dtype.kind == "b":
        return got if truth.dtype.kind == got.dtype.kind else None
    if truth.dtype.kind in "iu":
        return got if got.dtype.kind in "iu" else None
    return got if got.dtype.kind in ("iufc" if truth.dtype.kind == "c" else "iuf") else None


def _values(
    got: NDArray,
    truth: NDArray,
    rtol: float | None,
    atol: float | None,
    axes: str,
    what: str,
    show_expected: bool,
) -> Outcome:
    error_due = truth.dtype.kind in "fc"
    if not error_due:
        bad = got != truth
        error = None
    else:
        if rtol is None:
            rtol = RTOL.get(truth.dtype, 1e-9)
        finite = np.abs(truth[np.isfinite(truth)])
        if atol is None:
            atol = rtol * float(finite.max(initial=0.0))
        with np.errstate(invalid="ignore", over="ignore"):
            difference = np.abs(got.astype(np.result_type(truth, np.float64)) - truth)
            same = (got == truth) | (np.isnan(got) & np.isnan(truth))
            close = np.isfinite(got) & np.isfinite(truth) & (difference <= atol + rtol * np.abs(truth))
        bad = ~(same | close)
        seen = difference[bad & np.isfinite(difference)]
        error = float(seen.max()) if seen.size else None
    if not bad.any():
        return Outcome(Kind.OK)
    first = tuple(int(i) for i in np.argwhere(bad)[0]) if bad.ndim else ()
    value = got[first]
    digits = 6 if _shown(value, 6) != _shown(truth[first], 6) else 17
    text = f"{what}{_place(first, axes)} is wrong: yours is {_shown(value, digits)}"
    if show_expected:
        text += f", {_shown(truth[first], digits)} is due"
    if got.ndim:
        text += f"; {int(bad.sum())} of {bad.size} values differ"
    if error is not None:
        text += f"; the largest error is {error:.3g}, the tolerance {rtol:.0e} relative"
    if error_due and not np.isfinite(value) and np.isfinite(truth[first]):
        text += "; a finite number is due there"
    return Outcome(Kind.WRONG_VALUE, text, first, error)


def _shown(value: np.generic, digits: int) -> str:
    return f"{value:.{digits}g}" if value.dtype.kind in "fc" else str(value)[:60]


def _place(index: tuple[int, ...], axes: str) -> str:
    if not index:
        return ""
    names = axes.split()
    if len(names) == len(index):
        return " at [" + ", ".join(f"{n}={i}" for n, i in zip(names, index, strict=True)) + "]"
    return " at [" + ", ".join(str(i) for i in index) + "]"


def same(one: Any, other: Any, rtol: float | None = None, atol: float | None = None) -> bool:
    """Whether two values of plain data are of one type and equal, with the tolerances of :func:`compare`."""
    if type(one) is not type(other):
        return False
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(same(a, b, rtol, atol) for a, b in zip(one, other, strict=True))
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key], rtol, atol) for key in one)
    if isinstance(one, (bool, int, float, complex, np.number, np.bool_, np.ndarray)):
        return compare(one, other, rtol=rtol, atol=atol).ok
    return bool(one == other)


def equal(
    actual: Any,
    expected: Any,
    *,
    rtol: float | None = None,
    atol: float | None = None,
    axes: str = "",
    what: str = "the result",
    show_expected: bool = False,
    why: str = "",
) -> None:
    """Raise :class:`CheckFailed` unless :func:`compare` finds ``actual`` equal to ``expected``.

    ``why`` (one clause: the input, and what was asked of it) is put in front of the message, so that the
    reader knows the case.
    """
    outcome = compare(
        actual, expected, rtol=rtol, atol=atol, axes=axes, what=what, show_expected=show_expected
    )
    if not outcome.ok:
        prefix = f"{why}: " if why else ""
        raise CheckFailed(Outcome(outcome.kind, prefix + outcome.message, outcome.index, outcome.error))


def holds(condition: Any, message: str) -> None:
    """Raise :class:`CheckFailed` (a wrong value) with ``message`` unless ``condition`` is true."""
    if not bool(condition):
        raise CheckFailed(Outcome(Kind.WRONG_VALUE, message))


def array(value: Any, *, ndim: int | None = None, what: str = "the result") -> NDArray:
    """``value`` if it is exactly a ``numpy.ndarray`` (of ``ndim`` axes), else :class:`CheckFailed`.

    For tests that compute with what an answer returned before they compare it.
    """
    if type(value) is not np.ndarray:
        raise CheckFailed(
            Outcome(Kind.WRONG_TYPE, f"{what} must be a numpy.ndarray, and is {describe(value)}")
        )
    if ndim is not None and value.ndim != ndim:
        raise CheckFailed(
            Outcome(Kind.WRONG_SHAPE, f"{what} must have {ndim} axes, and has shape {value.shape}")
        )
    return value


def stack(values: list[Any], what: str = "the results") -> NDArray:
    """Stack arrays that must all have one shape; :class:`CheckFailed` if they do not."""
    arrays = [array(value, what=what) for value in values]
    shapes = {a.shape for a in arrays}
    if len(shapes) > 1:
        raise CheckFailed(Outcome(Kind.WRONG_SHAPE, f"{what} must have one shape, and have {sorted(shapes)}"))
    return np.stack(arrays)


def unsaturated(weights: ArrayLike) -> None:
    """Guard for test authors: raise ``ValueError`` if a softmax drawn for a test is nearly one-hot."""
    if float(np.median(np.max(np.asarray(weights), axis=-1))) > 0.95:
        raise ValueError("the softmax of this draw is saturated: the test would not see a wrong scale")
