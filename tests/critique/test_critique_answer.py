"""Filing a critique: builders that return plain data, and a check that nothing hostile gets past."""

from __future__ import annotations

import doctest
import re
import time
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fourrounds.answers.wire import Decoder, Encoder
from fourrounds.critique import (
    Ablation,
    Baseline,
    Contamination,
    CritiqueError,
    Flaw,
    Ran,
    Severity,
    Verdict,
    answer,
    arm,
    check,
    claim,
    critique,
    finding,
    key,
    place,
    show,
)
from fourrounds.critique.answer import MOST_FINDINGS, MOST_TEXT, ORDER


@pytest.mark.parametrize("module", [answer, key])
def test_the_examples_in_the_docstrings_hold(module: ModuleType) -> None:
    result = doctest.testmod(module)
    assert result.attempted >= 1
    assert result.failed == 0


def full() -> dict[str, Any]:
    return critique(
        claim=claim(treatment="ours", baseline="BM25", metric="MRR", direction="better", scope="all"),
        falsifier="a tuned baseline reaches the same",
        ran=Ran.no,
        why_not="it may cost the gain",
        findings=[
            finding(Flaw.untuned_baseline, place(appendix="B"), Severity.fatal, "one rate for both"),
            finding("no_variance", place(table=1, row="Ours", column="MRR"), "minor"),
        ],
        baseline=Baseline.less_tuned,
        ablation=Ablation.isolates,
        contamination=Contamination.possible,
        verdict=Verdict.not_supported,
        first=[arm(5, arm="baseline", lr=[0.1, np.float64(0.3)], norm=None), arm(range(3, 6), arm="ours")],
    )


def exactly_plain(value: Any) -> bool:
    if type(value) is dict:
        return all(type(key) is str and exactly_plain(one) for key, one in value.items())
    if type(value) is list:
        return all(map(exactly_plain, value))
    return value is None or type(value) in (str, int, float, bool)


def test_a_critique_is_exactly_plain_and_crosses_the_wall_unchanged() -> None:
    filed = full()
    assert list(filed) == list(ORDER)
    assert exactly_plain(filed)
    encoder = Encoder()
    assert Decoder(encoder.blobs).decode(encoder.encode(filed)) == filed
    assert check(filed) == filed
    assert filed["first"][1] == {"config": {"arm": "ours"}, "seeds": [3, 4, 5]}


def test_the_check_returns_a_fresh_critique() -> None:
    filed = full()
    again = check(filed)
    again["findings"][0]["at"]["appendix"] = "C"
    again["first"][0]["config"]["lr"].append(1)
    assert filed == full()


def test_what_is_left_out_is_not_answered() -> None:
    nothing = critique()
    assert nothing == check({})
    assert nothing["verdict"] is None
    assert nothing["findings"] == []
    assert nothing["falsifier"] == ""


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: critique(verdict="not supported"), "did you mean not_supported"),
        (lambda: critique(verdict=3), "press Tab"),
        (lambda: critique(baseline=["fair"]), "member of Baseline"),
        (lambda: critique(findings="no_variance"), "square brackets"),
        (lambda: critique(findings=finding(Flaw.no_variance, place(table=1), "minor")), "square brackets"),
        (lambda: critique(findings=[3]), "made with finding"),
        (lambda: critique(falsifier=3), "text in quotes"),
        (lambda: critique(falsifier="x" * (MOST_TEXT + 1)), f"at most {MOST_TEXT}"),
        (lambda: critique(claim={"treatment": "ours"}), "lacks its baseline"),
        (lambda: critique(claim="ours is better"), r"claim\(\.\.\.\)"),
        (lambda: finding("untuned", place(table=1), "minor"), "untuned_baseline"),
        (lambda: finding(Flaw.no_variance, "table 1", "minor"), "place"),
        (lambda: finding(Flaw.no_variance, place(table=1), "serious"), "choose from fatal, major, minor"),
        (lambda: arm(0, lr=1), "ask for 1 to"),
        (lambda: arm(10**400, lr=1), "too many"),
        (lambda: arm([1, 1], lr=1), "repeat"),
        (lambda: arm([], lr=1), "at least one"),
        (lambda: arm([True], lr=1), "whole numbers"),
        (lambda: arm(2.0, lr=1), "must be a list"),
        (lambda: arm(5, lr=float("nan")), "finite number"),
        (lambda: arm(5, lr=[]), "no level"),
        (lambda: arm(5, lr={"a": 1}), "finite number"),
        (lambda: arm(5, lr=10**400), "finite number"),
        (lambda: arm(range(10**9), lr=1), "more than 1000"),
        (lambda: arm(5, lr=range(10**9)), "keep the 60"),
        (lambda: check([]), r"critique\(\.\.\.\)"),
        (lambda: check({"verdct": "supported"}), "did you mean verdict"),
        (lambda: check({1: 2}), "named by a value of type int"),
        (lambda: check({"findings": [{"flaw": "no_variance"}]}), r"findings\[0\] lacks its at"),
        (lambda: check({"first": [{"config": [], "seeds": 1}]}), "dict of factors"),
        (lambda: check({"first": [{"config": {2: 1}, "seeds": 1}]}), "named by a value"),
    ],
)
def test_a_slip_is_told_at_once_and_says_what_to_do(make: Any, says: str) -> None:
    with pytest.raises(CritiqueError, match=says) as caught:
        make()
    assert len(str(caught.value)) < 300
    assert caught.value._render_traceback_() == [f"critique: {caught.value}"]


class Liar(dict):
    """Claims to be empty."""

    def __len__(self) -> int:
        return 0


class Word(str):
    """A string that equals whatever it is compared with."""

    __slots__ = ()
    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        return True


@pytest.mark.parametrize(
    "data",
    [
        Liar(verdict="supported"),
        {"verdict": Word("x")},
        {Word("verdict"): "supported"},
        {"findings": [Liar(flaw="no_variance")]},
        {"findings": ({"flaw": Word("x"), "at": {"table": "1"}, "severity": "minor"},)},
        {"findings": np.zeros(3)},
        {"findings": {"a": 1}},
        {"first": [{"config": {"lr": np.float64(1)}, "seeds": 1}]},
        {"first": [{"config": {"lr": float("inf")}, "seeds": 1}]},
        {"claim": {"treatment": b"x"}},
    ],
)
def test_types_that_lie_are_refused(data: Any) -> None:
    with pytest.raises(CritiqueError):
        check(data)


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner) | st.tuples(inner, inner)
    ),
    max_leaves=8,
)


@given(st.data())
def test_junk_anywhere_is_refused_or_plain_and_never_crashes(data: st.DataObject) -> None:
    filed: Any = full()
    path = data.draw(
        st.sampled_from(
            [
                (),
                *((key,) for key in ORDER),
                ("findings", 0),
                ("findings", 0, "flaw"),
                ("findings", 0, "at"),
                ("findings", 0, "at", "appendix"),
                ("findings", 1, "severity"),
                ("first", 0),
                ("first", 0, "config"),
                ("first", 0, "config", "lr"),
                ("first", 0, "seeds"),
                ("claim", "scope"),
            ]
        )
    )
    junk = data.draw(JUNK)
    if not path:
        filed = junk
    else:
        inner = filed
        for step in path[:-1]:
            inner = inner[step]
        inner[path[-1]] = junk
    try:
        checked = check(filed)
    except CritiqueError:
        return
    assert exactly_plain(checked)
    assert check(checked) == checked
    show(checked)


def test_size_is_refused_before_it_costs() -> None:
    deep: Any = "x"
    for _ in range(100_000):
        deep = [deep]
    huge = "x" * 10**7
    million = [{}] * 10**6
    cases: list[Any] = [
        {"findings": million},
        {"first": million},
        {"falsifier": huge},
        {"verdict": huge},
        {huge: 1},
        {"findings": [{"flaw": huge, "at": {}, "severity": "minor"}]},
        {"findings": [{"flaw": "no_variance", "at": {"table": huge}, "severity": "minor"}]},
        {"findings": deep},
        {"first": [{"config": {"lr": deep}, "seeds": 1}]},
        {str(n): n for n in range(10**5)},
        {"first": [{"config": {}, "seeds": 10**100_000}]},
    ]
    begun = time.process_time()
    for case in cases:
        with pytest.raises(CritiqueError) as caught:
            check(case)
        assert len(str(caught.value)) < 300
    assert time.process_time() - begun < 1.0


def test_the_most_findings_are_an_argument_of_the_check() -> None:
    one = finding(Flaw.no_variance, place(table=1), "minor")
    assert len(check({"findings": [one] * MOST_FINDINGS})["findings"]) == MOST_FINDINGS
    with pytest.raises(CritiqueError, match="keep the"):
        check({"findings": [one] * (MOST_FINDINGS + 1)})
    assert check({"findings": [one] * (MOST_FINDINGS + 1)}, MOST_FINDINGS + 1)


def test_what_was_filed_is_shown_in_the_interviews_order_and_inert() -> None:
    filed = full()
    filed["findings"][0]["why"] = "<script>alert(1)</script> \x1b[2J \ud800"
    filed["findings"][0]["at"]["appendix"] = "<b>B"
    filed["first"][0]["config"]["<i>"] = "<u>"
    shown = show(filed)
    text, markup = str(shown), shown._repr_html_()
    asked = "claim falsifier ran why_not findings baseline ablation contamination verdict first"
    assert list(ORDER) == asked.split()
    positions = [text.index(f"part: {key.replace('_', ' ')};") for key in ORDER]
    assert positions == sorted(positions)
    assert "not supported" in text
    assert "appendix <b>B" in text
    assert "table 1, row Ours, column MRR" in text
    assert set(re.findall(r"</?([a-z]+)", markup)) <= {"table", "caption", "thead", "tbody", "tr", "th", "td"}
    assert "\x1b" not in text + markup
    (text + markup).encode()
    assert "No verdict is given yet" in str(show({}))
