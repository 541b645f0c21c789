"""The lab of a paper: real runs under the paper's names, bought from a budget."""

from __future__ import annotations

import numpy as np
import pytest

from fourrounds.critique import CritiqueError, PaperLab, arm
from fourrounds.runbank import SEEDS, Lab, load

FACTORS = {
    "method": {"ours": {"method": "lora", "rank": 4}, "theirs": {}},
    "images": {"50": {}, "20": {"train_size": 20}},
}


@pytest.fixture
def lab() -> PaperLab:
    return PaperLab("transfer", FACTORS, budget=30)


def test_its_runs_are_those_of_the_bank(lab: PaperLab) -> None:
    results = lab.run(arm(3, method="ours", images=20, lr=[0.01, 0.03]))
    rows = [
        (m, i, r, s)
        for m, i, r, s in zip(*(results[k] for k in ("method", "images", "lr", "seed")), strict=True)
    ]
    assert rows == [("ours", "20", rate, seed) for rate in (0.01, 0.03) for seed in range(3)]
    bank = Lab("transfer", 30).run({"method": "lora", "rank": 4, "train_size": 20, "lr": [0.01, 0.03]}, 3)
    assert np.array_equal(results["test"], bank.test)
    assert np.array_equal(results["val"], bank.val)
    assert np.array_equal(results["correct"], bank.correct)
    assert np.array_equal(results["diverged"], bank.diverged)
    assert np.allclose(results["cost"], bank.cost)


@pytest.mark.parametrize("family", ["digits", "recall", "transfer", "contrastive", "retrieval"])
def test_the_metric_is_the_share_of_items(family: str) -> None:
    runs = load(family)[:500]
    assert np.allclose(runs.correct.mean(1), runs.test, atol=1e-12)


def test_what_is_not_named_is_the_first_level_and_every_learning_rate(lab: PaperLab) -> None:
    results = lab.run(arm(1))
    assert set(results["method"]) == {"ours"}
    assert set(results["images"]) == {"50"}
    assert results["lr"].tolist() == [0.001, 0.003, 0.01, 0.03, 0.1]


def test_a_run_is_paid_for_once(lab: PaperLab) -> None:
    one = arm(2, method="theirs", images="50", lr=0.01)
    assert lab.cost(one) == pytest.approx(2.0)
    lab.run(one)
    assert (lab.spent, lab.left) == pytest.approx((2.0, 28.0))
    assert lab.cost(one, arm(3, method="theirs", lr=0.01)) == pytest.approx(1.0)
    lab.run([one, arm([5, 2], method="theirs", lr=0.01)])
    assert lab.spent == pytest.approx(4.0)


def test_an_experiment_that_names_a_run_twice_has_it_once(lab: PaperLab) -> None:
    results = lab.run(arm([0, 1], method="theirs", lr=0.01), arm([1, 2], method="theirs", lr=0.01))
    assert results["seed"].tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ([arm(2, methd="ours")], "the lab has no factor methd: did you mean method"),
        ([arm(2, method="third")], "method has no level 'third': it has ours, theirs"),
        ([arm(2, method="ours", lr=0.5)], "ours, 50 was not trained with lr=0.5: it was with 0.001"),
        ([arm([30], method="ours", lr=0.01)], "the seeds of a configuration are 0 to 29: there is no 30"),
        ([], "there is no experiment here"),
        ([arm(30, method="theirs")], "this costs 150.00 reference runs, and 30.00 of 30 are left"),
        ([{"config": {"lr": "fast"}, "seeds": 1}], "was not trained with lr=fast"),
        (["ours"], "must be made with arm"),
    ],
)
def test_what_it_does_not_have_is_told_and_nothing_charged(
    lab: PaperLab, asked: list[object], message: str
) -> None:
    with pytest.raises(CritiqueError, match=message):
        lab.run(*asked)
    assert lab.spent == 0


def test_order_and_items_choose_other_real_runs() -> None:
    order = np.random.default_rng(0).permutation(SEEDS).tolist()
    items = np.array([3, 50, 51, 200])
    one = arm(4, method="theirs", images="50", lr=0.01)
    plain = PaperLab("transfer", FACTORS, 200).run(arm(SEEDS, method="theirs", images="50", lr=0.01))
    chosen = PaperLab("transfer", FACTORS, 200, order, items, {"few": [50, 51, 52]}).run(one)
    assert np.array_equal(chosen["correct"], plain["correct"][order[:4]][:, items])
    assert np.array_equal(chosen["test"], plain["correct"][order[:4]][:, items].mean(1))
    assert chosen["few"].tolist() == [False, True, True, False]
    assert chosen["seed"].tolist() == [0, 1, 2, 3]


def test_a_factor_that_the_bank_lacks_is_refused() -> None:
    with pytest.raises(ValueError, match="no factor 'depth'"):
        PaperLab("transfer", {"method": {"ours": {"depth": 3}}}, 10)
    with pytest.raises(ValueError, match="a budget is a positive number"):
        PaperLab("transfer", FACTORS, 0)


def test_it_can_be_looked_at(lab: PaperLab) -> None:
    pyplot = pytest.importorskip("matplotlib.pyplot")
    assert "theirs, 20: 0.40" in str(lab.menu()).replace("configuration: ", "").replace("; cost of a run", "")
    results = lab.run(arm(2, method=["ours", "theirs"], lr=[0.01, 0.03]))
    told = str(lab.summary(results))
    assert "method: ours; images: 50; lr: 0.01; runs: 2" in told
    axes = lab.plot(results)
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["ours, 50", "theirs, 50"]
    pyplot.close("all")
