"""The table of runs: columns, rows, curves."""

from __future__ import annotations

import numpy as np
import pytest

from fourrounds.runbank import load
from fourrounds.runbank.families import FAMILIES, SEEDS, Run
from fourrounds.runbank.store import NONE, Columns
from fourrounds.runbank.table import Runs, joined

RECALL = FAMILIES["recall"]


@pytest.fixture
def three() -> Runs:
    """Three runs by hand: two full, one that has two epochs."""
    config = [[0, 1, 1, 1, 1], [1, 4, 1, 1, 1], [2, 0, 0, 2, 0]]
    test = np.full((3, 10), NONE, np.uint16)
    test[:2] = [np.arange(10) * 10, np.arange(10) * 50]
    test[2, :2] = [256, 512]
    val = test.copy()
    val[2, :2] = [64, 128]
    correct = np.zeros((3, 512), bool)
    correct[0, :90] = correct[1, 62:] = correct[2] = True
    return Runs(
        RECALL,
        Columns(
            levels=np.array(config, np.uint8),
            seeds=np.array([[0, 0, 0], [1, 1, 1], [100, 101, 101]], np.uint8),
            val=val,
            test=test,
            correct=np.packbits(correct, axis=1),
            examples=np.array([10, 20, 30], np.uint32),
            parameters=np.array([1, 2, 3], np.uint32),
            flops=np.array([2**40, 5, 6], np.uint64),
            diverged=np.array([False, True, False]),
        ),
    )


def test_columns_give_levels_and_seeds(three: Runs) -> None:
    assert three["mixer"].tolist() == ["softmax", "linear", "window"]
    assert three["lr"].tolist() == [0.01, 0.3, 0.003]
    assert three["pairs"].tolist() == [8, 8, 4]
    assert three["split_seed"].tolist() == [0, 1, 101]
    with pytest.raises(KeyError, match="no column 'depth'; it has mixer, lr, pairs, width"):
        three["depth"]


def test_the_final_metric_is_that_of_the_last_epoch(three: Runs) -> None:
    np.testing.assert_allclose(three.test, [90 / 512, 450 / 512, 1.0])
    np.testing.assert_allclose(three.val, [90 / 256, 450 / 256, 0.5])
    curve = three.test_curve
    assert curve.shape == (3, 10)
    np.testing.assert_allclose(curve[0], np.arange(10) * 10 / 512)
    assert curve[2, :2].tolist() == [0.5, 1.0]
    assert np.isnan(curve[2, 2:]).all()


def test_correctness_is_unpacked_item_by_item(three: Runs) -> None:
    correct = three.correct
    assert correct.shape == (3, 512)
    assert correct.dtype == bool
    assert correct[0].nonzero()[0].tolist() == list(range(90))
    np.testing.assert_allclose(correct.mean(1), three.test)


def test_rows_are_kept_by_level_by_mask_and_by_number(three: Runs) -> None:
    assert three.where(pairs=8, lr=0.3)["mixer"].tolist() == ["linear"]
    assert len(three.where(pairs=8, lr=0.003)) == 0
    assert three[three.test > 0.5].parameters.tolist() == [2, 3]
    assert three[[2, 0]].examples.tolist() == [30, 10]
    assert three[1].flops.tolist() == [5]
    assert three[1:].diverged.tolist() == [True, False]


def test_rows_are_configurations_with_seeds(three: Runs) -> None:
    assert list(three)[2] == {
        "mixer": "window",
        "lr": 0.003,
        "pairs": 4,
        "width": 32,
        "train_size": 256,
        "init_seed": 100,
        "split_seed": 101,
        "order_seed": 101,
    }


def test_tables_are_joined_in_order(three: Runs) -> None:
    assert joined([three[1:], three]).parameters.tolist() == [2, 3, 1, 2, 3]


def test_a_table_is_shown_with_what_differs(three: Runs) -> None:
    shown = three[:2]._repr_html_()
    assert "<th>mixer</th><th>lr</th>" in shown
    assert "<th>pairs</th>" not in shown
    assert "pairs = 8, width = 16, train_size = 1024" in shown
    assert "0.1758" in shown
    assert repr(three) == "<3 runs of recall>"


def test_a_long_table_is_cut(three: Runs) -> None:
    assert "<p>14 more rows</p>" in joined([three] * 8)._repr_html_()


@pytest.mark.parametrize("name", FAMILIES)
def test_the_bank_holds_the_runs_of_its_family_in_their_order(name: str) -> None:
    family, bank = FAMILIES[name], load(name)
    runs = list(family.runs())
    assert len(bank) == len(runs)
    found = [
        Run({n: row[n] for n in family.names}, *(int(row[f"{s}_seed"]) for s in ("init", "split", "order")))
        for row in bank
    ]
    assert [run.key() for run in found] == [run.key() for run in runs]


@pytest.mark.parametrize("name", FAMILIES)
def test_a_metric_is_the_share_of_correct_items(name: str) -> None:
    bank = load(name)
    np.testing.assert_allclose(bank.correct.mean(1), bank.test, atol=1e-12)
    assert ((bank.val >= 0) & (bank.val <= 1)).all()


@pytest.mark.parametrize("name", FAMILIES)
def test_the_plain_runs_of_a_configuration_come_by_seed(name: str) -> None:
    family, bank = FAMILIES[name], load(name)
    for changes in family.squares:
        found = bank.of(family.complete(changes))
        assert found["order_seed"].tolist() == list(range(SEEDS))
    assert bank.of(family.reference).cost.tolist() == [1.0] * SEEDS


def test_another_family_is_refused() -> None:
    with pytest.raises(KeyError, match="no family 'vision'; the bank has digits"):
        load("vision")
