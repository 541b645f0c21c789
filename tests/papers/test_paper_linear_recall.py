"""The tables of ``linear_recall`` by a second route, straight from the bank, and the facts of its prose."""

from __future__ import annotations

import re
from itertools import combinations, product
from typing import Any

import numpy as np
import pytest
from papers.linear_recall import form
from papers.press import Form
from scipy import stats

from fourrounds.runbank import load
from fourrounds.runbank.families import RECALL
from fourrounds.runbank.table import Runs
from fourrounds.runbank.training import recall

GRID = (0.003, 0.01, 0.03, 0.1, 0.3)
MIXERS, PAIRS, WIDTHS = ("linear", "softmax", "window"), (4, 8, 16), (8, 16, 32)
FORMS = (0, 1, 3, 7)
Arm = tuple[str, int, int]


def runs(arm: Arm, lr: float) -> Runs:
    mixer, pairs, width = arm
    return load("recall").where(mixer=mixer, pairs=pairs, width=width, train_size=1024, lr=lr)


def column(arm: Arm, lr: float, name: str, seeds: list[int]) -> np.ndarray:
    """A column of the plain runs with these seeds, in their order."""
    table = runs(arm, lr)
    at = [
        int(
            np.flatnonzero(
                (table["init_seed"] == s) & (table["split_seed"] == s) & (table["order_seed"] == s)
            )[0]
        )
        for s in seeds
    ]
    return np.asarray(getattr(table, name)[at])


def rows(made: Form, name: str) -> dict[str, dict[str, str]]:
    table = next(one for one in made.tables() if one.name == name)
    return {row[0]: dict(zip(table.head[1:], row[1:], strict=True)) for row in table.rows}


def read(made: Form, arm: Arm) -> float:
    """The learning rate that Table 3 gives for an arm."""
    mixer, pairs, width = arm
    return float(rows(made, "3")[f"{mixer}, d = {width}"][f"{pairs} pairs"].split(" of ")[0])


def seeds_of(made: Form) -> list[int]:
    """The bank's seeds behind a form, found by the runs that Table 5 lists."""
    listed = rows(made, "5")
    for draw in range(2000):
        order = np.random.default_rng((made.number, draw)).permutation(30)[:16].tolist()
        if all(
            [
                f"{100 * v:.1f}"
                for v in column(("linear", 16, d), read(made, ("linear", 16, d)), "test", order[3:13])
            ]
            == list(listed[f"linear, d = {d}"].values())
            for d in (16, 32)
        ):
            return order
    raise AssertionError("no draw of seeds has the runs of Table 5")


@pytest.fixture(scope="module", params=FORMS)
def drawn(request: Any) -> tuple[Form, list[int]]:
    made = form(request.param)
    return made, seeds_of(made)


def searched(arm: Arm, order: list[int], outward: bool, epoch: int = 10) -> tuple[float, int]:
    """The learning rate that the rule of section 3.3 chooses, and how many it tries."""
    val = [column(arm, lr, "val_curve", order[:3])[:, epoch - 1].mean() for lr in GRID]
    tried = {1, 2, 3} if outward else set(range(5))
    while True:
        best = min(tried, key=lambda k: (-val[k], k))
        more = {best - 1, best + 1} & set(range(5)) - tried
        if not more:
            return GRID[best], len(tried)
        tried |= more


def test_every_learning_rate_follows_from_the_rule(drawn: tuple[Form, list[int]]) -> None:
    made, order = drawn
    outward = any(decoy.id == "search" for decoy in made.decoys)
    for mixer, pairs, width in product(MIXERS, PAIRS, WIDTHS):
        rate, tried = searched((mixer, pairs, width), order, outward)
        assert rows(made, "3")[f"{mixer}, d = {width}"][f"{pairs} pairs"] == f"{rate:g} of {tried}"


def test_table_1(drawn: tuple[Form, list[int]]) -> None:
    made, order = drawn
    for mixer, width in product(MIXERS, WIDTHS):
        arm = (mixer, 16, width)
        row = rows(made, "1")[f"{mixer}, d = {width}"]
        test = column(arm, read(made, arm), "test", order[3:13])
        assert row["test"] == f"{100 * test.mean():.1f}"
        assert row["SD"] == f"{100 * np.std(test, ddof=1):.1f}"
        if "validation" in row:
            assert row["validation"] == f"{100 * column(arm, read(made, arm), 'val', order[3:13]).mean():.1f}"
        assert int(row["parameters"].replace(",", "")) == runs(arm, 0.01).parameters[0]
        assert not column(arm, read(made, arm), "diverged", order[3:13]).any()


def test_table_2(drawn: tuple[Form, list[int]]) -> None:
    made, order = drawn
    printed = rows(made, "2")
    found = []
    for mixer, pairs, (narrow, wide) in product(MIXERS, PAIRS, ((8, 16), (16, 32))):
        arms = [(mixer, pairs, width) for width in (wide, narrow)]
        values = [column(arm, read(made, arm), "test", order[3:13]) for arm in arms]
        gaps = values[0] - values[1]
        row = printed[f"{mixer}, {pairs} pairs, {narrow} to {wide}"]
        assert float(row["gain"]) == pytest.approx(100 * gaps.mean(), abs=0.0501)
        low, high = map(float, row["95% interval"].split(" to "))
        if gaps.std():
            due = stats.ttest_rel(*values).confidence_interval(0.95)
            assert (low, high) == pytest.approx((100 * due.low, 100 * due.high), abs=0.0501)
        p = stats.permutation_test((gaps,), np.sum, permutation_type="samples", n_resamples=np.inf).pvalue
        assert row["p"] == f"{p:.4f}"
        found.append((float(p), row["p (Holm)"]))
    raised = 0.0
    for left, (p, text) in zip(range(len(found), 0, -1), sorted(found), strict=True):
        raised = max(raised, min(1.0, left * p))
        assert text == f"{raised:.3f}"


def test_the_share_of_errors_that_width_removes(drawn: tuple[Form, list[int]]) -> None:
    made, order = drawn
    due = []
    for pairs in PAIRS:
        arms = [("linear", pairs, width) for width in (16, 32)]
        right = [int(column(arm, read(made, arm), "correct", order[3:13]).sum()) for arm in arms]
        wrong = [10 * RECALL.n_test - count for count in right]
        due.append(f"{100 * (wrong[0] - wrong[1]) / wrong[0]:.0f}%")
    text = made.sections[3].parts[3]
    assert isinstance(text, str)
    assert f"this removes {due[0]}, {due[1]} and {due[2]}." in text


def test_table_4(drawn: tuple[Form, list[int]]) -> None:
    made, order = drawn
    for name, arm in (
        ("linear, d = 16", ("linear", 16, 16)),
        ("linear, d = 32", ("linear", 16, 32)),
        ("softmax, d = 16", ("softmax", 16, 16)),
    ):
        row = rows(made, "4")[name]
        val = {lr: float(column(arm, lr, "val", order[:3]).mean()) for lr in GRID}
        for lr in GRID:
            assert row[f"{lr:g}"] in (f"{100 * val[lr]:.1f}", "not tried")
        for k in (1, 2, 3):
            best = [max(chosen) for chosen in combinations([val[lr] for lr in (0.01, 0.03, 0.1)], k)]
            assert row[f"best of {k}"] == f"{100 * np.mean(best):.1f}"
        assert float(row["best of 3"]) - float(row["best of 2"]) < 1


def test_table_6(drawn: tuple[Form, list[int]]) -> None:
    made, order = drawn
    outward = any(decoy.id == "search" for decoy in made.decoys)
    for pairs, epochs in ((4, 2), (8, 3), (16, 3)):
        narrow, wide = ("linear", pairs, 16), ("linear", pairs, 32)
        rate, _ = searched(wide, order, outward, epochs)
        short = column(wide, rate, "test_curve", order[3:13])[:, epochs - 1]
        gaps = short - column(narrow, read(made, narrow), "test", order[3:13])
        row = rows(made, "6")[f"d = 32, {pairs} pairs"]
        assert row["learning rate"] == f"{rate:g}"
        assert row["test"] == f"{100 * short.mean():.1f}"
        assert float(row["gain"]) == pytest.approx(100 * gaps.mean(), abs=0.0501)
        costs = [runs(arm, 0.01).flops[0] / 10 for arm in (wide, narrow)]
        assert epochs * costs[0] <= 10 * costs[1] < (epochs + 1) * costs[0], "as many whole epochs as fit"


def test_numbers_of_the_claim(drawn: tuple[Form, list[int]]) -> None:
    made, order = drawn
    arms = [("linear", 16, width) for width in (32, 16)]
    wide, narrow = (column(arm, read(made, arm), "test", order[3:13]) for arm in arms)
    gain = f"{100 * (wide - narrow).mean():.1f}"
    assert f"a gain of {gain} points" in made.abstract
    text = made.sections[3].parts[0]
    assert isinstance(text, str)
    assert f"The gain is {gain} points" in text
    correct = [column(arm, read(made, arm), "correct", order[3:13]).astype(float) for arm in arms]
    by_sequence = [
        np.mean(
            [correct[0][r, 16 * s : 16 * s + 16] - correct[1][r, 16 * s : 16 * s + 16] for r in range(10)]
        )
        for s in range(32)
    ]
    due = stats.ttest_1samp(by_sequence, 0).confidence_interval(0.95)
    found = re.search(r"in place of the seeds, the interval is ([-+0-9.]+) to ([-+0-9.]+)\.", text)
    assert found is not None
    assert tuple(map(float, found.groups())) == pytest.approx((100 * due.low, 100 * due.high), abs=0.0501)


def test_the_set_up_is_that_of_the_bank() -> None:
    made = form(0)
    text = "\n".join(part for section in made.sections for part in section.parts if isinstance(part, str))
    assert (recall.KEYS, recall.VALUES, recall.BATCH, recall.EPOCHS, recall.WINDOW) == (32, 16, 32, 10, 8)
    assert recall.LINEAR_EPS == 1e-6
    assert 1024 // 32 * 10 == 320
    for told in (
        "drawn from 32 tokens",
        "values from 16",
        "6.25%",
        "1,024 sequences",
        "batches of 32 sequences, for 10 epochs, which is 320 steps",
        "the last 8 positions",
        f"{RECALL.n_val} queries for validation and {RECALL.n_test} for the test",
        "16 and 32 sequences",
    ):
        assert told in text, told
    assert (RECALL.n_val // 16, RECALL.n_test // 16) == (16, 32)
    assert RECALL.chance == 0.0625
    assert RECALL.factor("train_size").reference == 1024


@pytest.mark.parametrize("pairs", PAIRS)
def test_no_test_sequence_is_in_a_training_set(pairs: int) -> None:
    test = {row.tobytes() for row in recall._test(pairs)[0]}
    for split in range(30):
        tokens, _, validation, _ = recall._train(split, 1024, pairs)
        assert not test & {row.tobytes() for row in tokens}
        assert not test & {row.tobytes() for row in validation}


def test_a_recurrence_of_width_32_costs_at_most_four_times_that_of_width_16() -> None:
    def cost(pairs: int, width: int) -> int:
        """Of one sequence: projections, one update a token, one look-up a query, the output layer."""
        tokens = 3 * pairs
        return (pairs + 2 * tokens + tokens + pairs) * width**2 + pairs * width * recall.VALUES

    for pairs in PAIRS:
        assert cost(pairs, 32) <= 4 * cost(pairs, 16)
        assert 2 * cost(pairs, 32) < 10 * cost(pairs, 16)


def test_nothing_is_planted() -> None:
    for number in range(8):
        made = form(number)
        assert made.planted == ()
        assert made.key().sound
        assert 6 <= len(made.decoys) <= 8
        for decoy in made.decoys:
            before, after = decoy.measure()
            assert abs(before - after) <= decoy.within, (number, decoy.id)
