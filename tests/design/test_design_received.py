"""Whatever crosses the wall as a design is read or refused with one exception, and nothing else happens."""

from __future__ import annotations

import contextlib
import json
import time
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from fourrounds.design import Design, DesignError, Estimand, Stopping, from_plain, plain
from fourrounds.design.received import received
from fourrounds.design.score import score
from support.design_keys import interview, interview_model, lora, lora_model

MODEL = plain(interview_model())


def changed(path: str, value: Any, whole: dict[str, Any] = MODEL) -> dict[str, Any]:
    """The model design with one value put in, anything at all."""
    copy = json.loads(json.dumps(whole))
    *way, last = path.split(".")
    at: Any = copy
    for step in way:
        at = at[int(step)] if isinstance(at, list) else at[step]
    if isinstance(at, list):
        at[int(last)] = value
    else:
        at[last] = value
    return dict(copy)


def paths(data: Any, before: str = "") -> list[str]:
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    found = []
    for name, value in items:
        found += [f"{before}{name}", *paths(value, f"{before}{name}.")]
    return found


class Strange(dict):  # type: ignore[type-arg]
    """A dict that does as it likes."""

    def items(self) -> Any:
        raise RuntimeError("no")


def deep(levels: int) -> Any:
    value: Any = []
    for _ in range(levels):
        value = [value]
    return value


HOSTILE: list[Any] = [
    None,
    "",
    "design",
    0,
    10**5000,
    -1,
    1e308,
    float("nan"),
    float("inf"),
    b"bytes",
    object(),
    [],
    {},
    set(),
    np.zeros(3),
    np.float64(1),
    np.int64(3),
    Strange(arms=[]),
    deep(10_000),
    [[1] * 50] * 50,
    "x" * 100_000,
    {"x" * 100_000: 1},
    {1: 2},
    {None: {}},
    True,
    1j,
    "\x1b[2J\ud800",
    lambda data: data,
]


@pytest.mark.parametrize("data", HOSTILE, ids=lambda value: type(value).__name__)
def test_what_is_no_design_is_refused(data: Any) -> None:
    with pytest.raises(DesignError):
        received(data)


def test_an_empty_design_is_told_that_it_is_empty() -> None:
    for empty in ({}, {"arms": []}, {"hypothesis": "x"}, None):
        with pytest.raises(DesignError, match="no design was handed in"):
            received(empty)


def test_a_model_design_comes_through() -> None:
    for model in (interview_model(), lora_model()):
        assert received(plain(model)) == model
        assert received(json.loads(json.dumps(plain(model)))) == model


@pytest.mark.parametrize("path", paths(MODEL))
def test_any_value_in_any_place_is_read_or_refused(path: str) -> None:
    for value in HOSTILE:
        with contextlib.suppress(DesignError):
            received(changed(path, value))


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("evaluation.items", 100_000, "scores, and"),
        ("seeds.count", 10**9, "scores, and"),
        ("arms.0.tuning", 10**6, "configurations"),
        ("stopping", {"looks": 101}, "at most 100"),
        ("stopping", {"looks": 40, "over": "groups"}, "look less often"),
        ("test", {"unit": "items", "method": "bootstrap", "resamples": 20_000}, "resample less"),
        ("hypothesis", "x" * 7000, "characters"),
        ("estimand.minimum", 10**13, "at most 1e"),
    ],
)
def test_what_would_take_too_long_is_refused_at_once(path: str, value: Any, message: str) -> None:
    begun = time.process_time()
    with pytest.raises(DesignError, match=message):
        received(changed(path, value))
    assert time.process_time() - begun < 0.5


def test_a_number_that_no_float_holds_is_refused_in_the_words_of_a_design() -> None:
    for value in (10**400, -(10**400), float("inf")):
        with pytest.raises(DesignError, match="finite number"):
            Estimand(minimum=value)
    with pytest.raises(DesignError, match="at most 100"):
        Stopping(101)


ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 40),
    st.floats(allow_nan=True),
    st.text(max_size=4),
    st.sampled_from(
        ["seeds", "groups", "items", "none", "best", "both", "permutation", "drop", "low", "tuned"]
    ),
    st.lists(st.integers(0, 3), max_size=3),
    st.dictionaries(st.text(max_size=3), st.floats(-2, 2), max_size=3),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(st.sampled_from(paths(MODEL)), ODD), min_size=1, max_size=3))
@example([("test.alpha", 1e-300)])
@example([("test.alpha", 0.4999)])
@example([("evaluation.groups", {"low": 1, "high": 1})])
@example([("seeds.count", 1), ("test.unit", "seeds")])
@example([("estimand.arms", {"tuned": 1e12, "few shots": -1e12})])
@example([("decision.margin", float("inf"))])
@example([("arms.1.method", "zero shot")])
def test_a_design_with_odd_values_is_scored_or_refused(changes: list[tuple[str, Any]]) -> None:
    data: Any = MODEL
    for path, value in changes:
        try:
            data = changed(path, value, data)
        except (KeyError, IndexError, TypeError, ValueError, AttributeError):
            return  # the place is no longer there
    try:
        found = score(data, None, interview(), sims=100)
    except DesignError:
        return
    assert 0 <= found.total <= 1
    assert all(0 <= part <= 1 for part in found.parts.values())


def test_a_bank_world_refuses_in_the_report_and_not_with_a_crash() -> None:
    data = changed("arms.0.method", "rank of nothing", plain(lora_model()))
    found = score(data, None, lora(), sims=100)
    assert found.total == 0
    assert all("no method" in one.problem for one in found.checks)


def test_from_plain_is_as_strict_about_names() -> None:
    with pytest.raises(DesignError, match="some of the names"):
        received({**MODEL, "p_value": 0.04})
    assert from_plain(plain(Design())) == Design()
