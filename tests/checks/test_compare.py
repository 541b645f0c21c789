"""Comparing: exact type, shape and dtype first, then values; messages that do not give the answer away."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as nps

from fourrounds.checks import (
    CheckFailed,
    Kind,
    array,
    compare,
    describe,
    equal,
    holds,
    stack,
    unsaturated,
)
from fourrounds.checks.compare import same

TRUTH = np.arange(12.0).reshape(3, 4)


class Subclass(np.ndarray):
    pass


class Liar:
    """Claims to be equal to everything."""

    shape, dtype, ndim = (3, 4), np.dtype(np.float64), 2

    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = object.__hash__

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        return TRUTH


@pytest.mark.parametrize(
    ("actual", "kind", "words"),
    [
        (TRUTH.copy(), Kind.OK, ""),
        (np.asfortranarray(TRUTH), Kind.OK, ""),
        (TRUTH * (1 + 1e-11), Kind.OK, ""),
        (TRUTH.tolist(), Kind.WRONG_TYPE, "must be a numpy.ndarray, and is a value of type list"),
        (None, Kind.WRONG_TYPE, "must be a numpy.ndarray, and is None"),
        (3.0, Kind.WRONG_TYPE, "must be a numpy.ndarray, and is a value of type float"),
        (np.float64(3), Kind.WRONG_TYPE, "and is a value of type float64"),
        ((TRUTH,), Kind.WRONG_TYPE, "and is a tuple of 1"),
        (TRUTH.view(Subclass), Kind.WRONG_TYPE, "and is a value of type Subclass"),
        (np.ma.masked_array(TRUTH), Kind.WRONG_TYPE, "and is a value of type MaskedArray"),
        (Liar(), Kind.WRONG_TYPE, "and is a value of type Liar"),
        (TRUTH.T, Kind.WRONG_SHAPE, "must have shape (3, 4) (B T), and has (4, 3)"),
        (TRUTH[:1], Kind.WRONG_SHAPE, "and has (1, 4)"),
        (TRUTH[0], Kind.WRONG_SHAPE, "and has (4,)"),
        (np.array(3.0), Kind.WRONG_SHAPE, "and has ()"),
        (TRUTH[None], Kind.WRONG_SHAPE, "and has (1, 3, 4)"),
        (TRUTH.astype(np.float32), Kind.WRONG_DTYPE, "must have dtype float64, and has float32"),
        (TRUTH.astype(int), Kind.WRONG_DTYPE, "and has int64"),
        (TRUTH.astype(object), Kind.WRONG_DTYPE, "and has object"),
        (TRUTH.astype(">f8"), Kind.WRONG_DTYPE, "and has >f8"),
        (
            TRUTH + np.array([0, 0, 0, 0.5]),
            Kind.WRONG_VALUE,
            "at [B=0, T=3] is wrong: yours is 3.5; 3 of 12 values differ",
        ),
        (
            np.full((3, 4), np.nan),
            Kind.WRONG_VALUE,
            "yours is nan; 12 of 12 values differ; a finite number is due there",
        ),
        (np.full((3, 4), np.inf), Kind.WRONG_VALUE, "yours is inf"),
    ],
    ids=range(23),
)
def test_an_array_is_judged(actual: Any, kind: Kind, words: str) -> None:
    outcome = compare(actual, TRUTH, axes="B T", what="f(x)")
    assert outcome.kind is kind
    assert words in outcome.message
    assert outcome.ok == (kind is Kind.OK)
    assert outcome.message == "" or outcome.message.startswith("f(x)")


def test_the_first_bad_index_and_the_largest_error_are_told() -> None:
    actual = TRUTH.copy()
    actual[1, 2] += 0.25
    actual[2, 0] -= 4.0
    outcome = compare(actual, TRUTH)
    assert (outcome.index, outcome.error) == ((1, 2), 4.0)
    assert outcome.message == (
        "the result at [1, 2] is wrong: yours is 6.25; 2 of 12 values differ; the largest error is 4, "
        "the tolerance 1e-09 relative"
    )


@pytest.mark.parametrize(
    ("actual", "expected", "kind"),
    [
        (2.0, 2.0, Kind.OK),
        (2, 2.0, Kind.OK),
        (np.float32(2), 2.0, Kind.OK),
        (np.array(2.0), 2.0, Kind.OK),
        (np.array([2.0]), 2.0, Kind.WRONG_TYPE),
        ("2.0", 2.0, Kind.WRONG_TYPE),
        (True, 1.0, Kind.WRONG_TYPE),
        (2 + 0j, 2.0, Kind.WRONG_TYPE),
        (2.0 + 1e-6, 2.0, Kind.WRONG_VALUE),
        (np.nan, 2.0, Kind.WRONG_VALUE),
        (2, 2, Kind.OK),
        (np.int32(2), 2, Kind.OK),
        (2.0, 2, Kind.WRONG_TYPE),
        (True, 1, Kind.WRONG_TYPE),
        (3, 2, Kind.WRONG_VALUE),
        (True, True, Kind.OK),
        (np.bool_(True), True, Kind.OK),
        (1, True, Kind.WRONG_TYPE),
        (False, True, Kind.WRONG_VALUE),
        (1 + 2j, 1 + 2j, Kind.OK),
        (1.0, 1 + 0j, Kind.OK),
        (1 + 3j, 1 + 2j, Kind.WRONG_VALUE),
        (np.float64(2), np.array(2.0), Kind.WRONG_TYPE),
        (10**400, 1.0, Kind.WRONG_TYPE),
    ],
)
def test_a_number_is_judged(actual: Any, expected: Any, kind: Kind) -> None:
    assert compare(actual, expected).kind is kind


def test_the_message_names_the_kind_of_number_that_is_due() -> None:
    assert compare(2.0, 2).message == "the result must be a single whole number, and is a value of type float"
    assert compare(1, True).message == "the result must be True or False, and is a value of type int"
    assert compare([1], 2.0).message == "the result must be a single number, and is a value of type list"


def test_a_tuple_is_judged_part_by_part() -> None:
    due = (TRUTH, 2.0)
    assert compare((TRUTH, 2.0), due).ok
    assert compare([TRUTH, 2.0], due).kind is Kind.WRONG_TYPE
    assert compare(TRUTH, due).message == (
        "the result must be a tuple of 2, and is an array of shape (3, 4) and dtype float64"
    )
    short = compare((TRUTH,), due)
    assert (short.kind, short.message) == (Kind.WRONG_SHAPE, "the result must have 2 parts, and has 1")
    wrong = compare((TRUTH, 3.0), due)
    assert wrong.kind is Kind.WRONG_VALUE
    assert wrong.message.startswith("part 1 of the result is wrong: yours is 3;")
    assert compare((TRUTH.T, 2.0), due).message.startswith("part 0 of the result must have shape (3, 4)")


def test_nan_and_infinity_are_equal_to_themselves_only() -> None:
    truth = np.array([np.nan, np.inf, -np.inf, 1.0])
    assert compare(truth.copy(), truth).ok
    for place, value in ((0, 0.0), (1, -np.inf), (1, 1e308), (2, np.nan), (3, np.inf)):
        actual = truth.copy()
        actual[place] = value
        assert compare(actual, truth).index == (place,)


def test_tolerance_is_relative_to_the_largest_value_unless_given() -> None:
    truth = np.array([1e6, 0.0])
    assert compare(np.array([1e6, 1e-4]), truth).ok
    assert not compare(np.array([1e6, 1e-2]), truth).ok
    assert not compare(np.array([1e6, 1e-4]), truth, atol=0.0).ok
    assert compare(np.array([1e6, 1e-2]), truth, atol=0.1).ok
    assert compare(np.array([1.01e6, 0.0]), truth, rtol=0.1).ok
    single = np.array([1.0, 2.0], np.float32)
    assert compare(single * np.float32(1 + 5e-5), single).ok
    assert not compare(single * np.float32(1 + 5e-4), single).ok


def test_other_dtypes_must_be_equal_exactly() -> None:
    assert compare(np.array([1, 2]), np.array([1, 2])).ok
    whole = compare(np.array([1234567, 2]), np.array([1234568, 2]))
    assert whole.message == "the result at [0] is wrong: yours is 1234567; 1 of 2 values differ"
    text = compare(np.array(["a", "b"]), np.array(["a", "c"]))
    assert text.message == "the result at [1] is wrong: yours is b; 1 of 2 values differ"
    mask = compare(np.array([True, False]), np.array([True, True]))
    assert mask.message == "the result at [1] is wrong: yours is False; 1 of 2 values differ"
    days = np.array(["2017-06-12"], "M8[D]")
    assert compare(days, days).ok
    assert "yours is 2017-06-13" in compare(days + 1, days).message


def test_an_empty_array_is_equal_to_itself() -> None:
    assert compare(np.zeros((0, 3)), np.zeros((0, 3))).ok
    assert compare(np.zeros((3, 0)), np.zeros((0, 3))).kind is Kind.WRONG_SHAPE


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_no_message_holds_an_expected_value(data: st.DataObject) -> None:
    shape = data.draw(nps.array_shapes(max_dims=3, max_side=3))
    truth = (
        np.array(data.draw(nps.arrays(np.float64, shape, elements=st.floats(1000, 2000, width=16)))) + 0.125
    )
    actual = np.array(data.draw(nps.arrays(np.float64, shape, elements=st.floats(-9, 9, width=16))))
    outcome = compare(actual, truth)
    assert outcome.kind is Kind.WRONG_VALUE
    # No number near any expected value; an error could give one away only with the learner's value beside it.
    told = [float(n) for n in re.findall(r"yours is (-?[\d.e+-]+)", outcome.message)]
    assert all(abs(n) < 10 for n in told)
    for value in truth.flat:
        assert f"{value:.6g}" not in outcome.message
    assert outcome.index is not None
    assert f"{truth[outcome.index]:.6g} is due" in compare(actual, truth, show_expected=True).message


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_nothing_is_broadcast(data: st.DataObject) -> None:
    shapes = data.draw(nps.mutually_broadcastable_shapes(num_shapes=2, max_dims=3, max_side=3))
    one, other = shapes.input_shapes
    outcome = compare(np.ones(one), np.ones(other))
    assert outcome.kind is (Kind.OK if one == other else Kind.WRONG_SHAPE)


def test_equal_puts_the_case_before_the_message() -> None:
    equal(TRUTH, TRUTH)
    with pytest.raises(CheckFailed) as failed:
        equal(TRUTH + 1, TRUTH, why="3 rows", what="f(x)", axes="B T")
    assert str(failed.value).startswith("3 rows: f(x) at [B=0, T=0] is wrong")
    assert failed.value.outcome.kind is Kind.WRONG_VALUE
    assert failed.value.outcome.index == (0, 0)
    assert failed.value.outcome.error == 1.0
    assert isinstance(failed.value, AssertionError)
    assert failed.value._render_traceback_() == [f"wrong value: {failed.value}"]


def test_holds_array_and_stack() -> None:
    holds(np.bool_(True), "never")
    with pytest.raises(CheckFailed, match="the rows must sum to one"):
        holds(np.bool_(False), "the rows must sum to one")
    assert array(TRUTH, ndim=2) is TRUTH
    with pytest.raises(CheckFailed) as failed:
        array(TRUTH, ndim=3, what="f(x)")
    assert (failed.value.outcome.kind, str(failed.value)) == (
        Kind.WRONG_SHAPE,
        "f(x) must have 3 axes, and has shape (3, 4)",
    )
    with pytest.raises(CheckFailed, match="and is a value of type list"):
        array([1.0])
    np.testing.assert_array_equal(stack([TRUTH, TRUTH]), np.stack([TRUTH, TRUTH]))
    with pytest.raises(CheckFailed) as failed:
        stack([TRUTH, TRUTH.T])
    assert failed.value.outcome.kind is Kind.WRONG_SHAPE
    with pytest.raises(CheckFailed):
        stack([TRUTH, None])


def test_a_saturated_draw_is_the_authors_error() -> None:
    unsaturated(np.full((5, 4), 0.25))
    with pytest.raises(ValueError, match="saturated"):
        unsaturated(np.eye(4))


def test_describe_says_what_a_far_object_is() -> None:
    class Far:
        answer_type = "a value of type Ledger"

    assert describe(Far()) == "a value of type Ledger"
    assert describe(TRUTH) == "an array of shape (3, 4) and dtype float64"
    assert describe(()) == "a tuple of 0"


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        1,
        2.5,
        np.nan,
        1j,
        "x",
        b"x",
        [1, None],
        (1, "x"),
        {"a": [np.nan]},
        {1, 2},
        TRUTH,
        np.float32(1),
    ],
    ids=repr,
)
def test_plain_values_are_the_same_as_themselves(value: Any) -> None:
    assert same(value, value, rtol=0.0, atol=0.0)
    assert not same(value, [value])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1, 1.0),
        (1, True),
        (None, 0),
        ("a", "b"),
        ([1], (1,)),
        ([1], [1, 1]),
        ({"a": 1}, {"b": 1}),
        ({"a": 1}, {"a": 2}),
        (TRUTH, TRUTH + 1),
        (TRUTH, TRUTH.astype(np.float32)),
        (np.float32(1), np.float64(1)),
        ({1}, {2}),
    ],
)
def test_values_that_differ_are_not(one: Any, other: Any) -> None:
    assert not same(one, other)
    assert not same(other, one)
