"""How a test cell calls an answer: a plain function in a kernel, a proxy of the wall in the examiner."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fourrounds.checks import CheckFailed, Kind, below, call, calls, cost, raises, unchanged


def scale_in_place(x: np.ndarray, by: float = 2.0) -> np.ndarray:
    x *= by
    return x


class Proxy:
    """What the examiner puts in a function's place: it notes how it is called."""

    __name__ = "f"

    def __init__(self) -> None:
        self.seen: list[Any] = []

    def __call__(self, *args: Any, **kwargs: Any) -> str:
        self.seen.append(("call", args, kwargs))
        return "value"

    def batch(self, inputs: Any) -> list[str]:
        self.seen.append(("batch", inputs))
        return ["value"] * len(inputs)

    def with_arguments(self, *args: Any, **kwargs: Any) -> tuple[str, tuple[Any, ...]]:
        self.seen.append(("with_arguments", args, kwargs))
        return "value", tuple(a + 1 if isinstance(a, np.ndarray) else a for a in args)

    def measure(self, *args: Any, **kwargs: Any) -> tuple[int, float, str]:
        return 7, 0.5, "value"


def test_a_plain_function_gets_fresh_copies() -> None:
    x = np.ones(3)
    np.testing.assert_array_equal(call(scale_in_place, x, by=3.0), 3 * np.ones(3))
    results = calls(scale_in_place, [(x,), (x, 5.0)])
    np.testing.assert_array_equal(results, [2 * np.ones(3), 5 * np.ones(3)])
    np.testing.assert_array_equal(x, np.ones(3))


def test_a_proxy_is_called_in_its_own_way() -> None:
    proxy = Proxy()
    assert call(proxy, 1, by=2) == "value"
    assert calls(proxy, [(1,), (2,)]) == ["value", "value"]
    assert unchanged(proxy, 1) == "value"
    measured = cost(proxy, 1)
    assert (measured.peak_bytes, measured.cpu_seconds, measured.value) == (7, 0.5, "value")
    assert [kind for kind, *_ in proxy.seen] == ["call", "batch", "with_arguments"]
    with pytest.raises(CheckFailed, match="f changed its input number 1"):
        unchanged(proxy, 1, np.ones(2))


def test_a_changed_input_is_told_by_its_number() -> None:
    def f(a: np.ndarray, b: np.ndarray) -> None:
        b[0] = 9.0

    with pytest.raises(CheckFailed) as failed:
        unchanged(f, np.ones(2), np.ones(2))
    assert failed.value.outcome.kind is Kind.WRONG_VALUE
    assert str(failed.value).startswith("f changed its input number 1")


@pytest.mark.parametrize(
    "argument",
    [
        None,
        3,
        2.5,
        "text",
        True,
        [1, 2],
        (1, None),
        {"a": np.ones(2)},
        {1, 2},
        np.array([np.nan, 1.0]),
        np.random.default_rng(0),
        object(),
    ],
    ids=lambda v: type(v).__name__,
)
def test_an_input_of_any_kind_that_is_left_alone_is_no_fault(argument: Any) -> None:
    assert unchanged(lambda x: 5, argument) == 5


def test_a_change_within_a_list_is_seen() -> None:
    with pytest.raises(CheckFailed):
        unchanged(lambda x: x.append(1), [])
    with pytest.raises(CheckFailed):
        unchanged(lambda x: x[0].fill(1), [np.zeros(2)])
    with pytest.raises(CheckFailed):
        unchanged(lambda x: x.__setitem__(0, np.nextafter(1.0, 2.0)), np.ones(2))


def test_raises_wants_one_of_the_exceptions() -> None:
    with raises(ValueError, TypeError):
        raise TypeError
    with (
        pytest.raises(CheckFailed, match=r"f\(-1\) must raise ValueError or TypeError, and raised nothing"),
        raises(ValueError, TypeError, what="f(-1)"),
    ):
        pass
    with pytest.raises(KeyError), raises(ValueError):
        raise KeyError


def test_cost_sees_what_numpy_allocates() -> None:
    def f(n: int) -> float:
        return float(np.ones((4, n)).sum())

    measured = cost(f, 1_000_000)
    assert 31e6 < measured.peak_bytes < 34e6
    assert measured.value == 4e6
    assert measured.cpu_seconds >= 0
    x = np.ones(3)
    cost(scale_in_place, x)
    assert x.tolist() == [1, 1, 1]


def test_cost_stops_measuring_when_the_answer_raises() -> None:
    import tracemalloc

    with pytest.raises(ZeroDivisionError):
        cost(lambda: 1 / 0)
    assert not tracemalloc.is_tracing()


@pytest.mark.parametrize(("unit", "kind"), [("MB", Kind.MEMORY), ("bytes", Kind.MEMORY), ("s", Kind.TIMEOUT)])
def test_below_names_the_limit(unit: str, kind: Kind) -> None:
    below(2.0, 2.0, "f(x)", unit)
    with pytest.raises(CheckFailed) as failed:
        below(2.5, 2.0, "f(x)", unit)
    assert failed.value.outcome.kind is kind
    assert str(failed.value) == f"f(x) took 2.5 {unit}; the limit is 2 {unit}"
