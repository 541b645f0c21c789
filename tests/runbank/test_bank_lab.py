"""The lab: what it sells, what it charges, and what it says when it cannot."""

from __future__ import annotations

import matplotlib
import numpy as np
import pytest

from fourrounds.runbank import SEEDS, BudgetError, Lab, NotInBank, load
from fourrounds.runbank.lab import SMALLEST_COST

matplotlib.use("Agg")


def test_a_reference_run_costs_one_and_gives_the_banks_numbers() -> None:
    lab = Lab("digits", budget=60)
    runs = lab.run(seeds=5)
    bank = load("digits").of(load("digits").family.reference)
    np.testing.assert_array_equal(runs.test, bank.test[:5])
    np.testing.assert_array_equal(runs.correct, bank.correct[:5])
    assert (lab.spent, lab.left) == (5.0, 55.0)


def test_a_run_costs_its_training_flops() -> None:
    lab = Lab("digits", budget=60)
    small, large = lab.cost({"epochs": 5}), lab.cost({"epochs": 60}, seeds=2)
    assert (small, large) == pytest.approx((0.25, 6.0))
    assert lab.spent == 0
    lab.run({"epochs": 60}, seeds=2)
    assert lab.spent == pytest.approx(6.0)


def test_what_is_not_trained_costs_the_least() -> None:
    lab = Lab("retrieval", budget=1)
    lab.run({"method": "bm25", "lr": 0.0}, seeds=3)
    assert lab.spent == pytest.approx(3 * SMALLEST_COST)


def test_seeds_pair_configurations() -> None:
    lab = Lab("digits", budget=60)
    one, other = lab.run({"width": 8}, seeds=[3, 4, 9]), lab.run({"norm": "batch"}, seeds=[3, 4, 9])
    for name in ("init_seed", "split_seed", "order_seed"):
        assert one[name].tolist() == other[name].tolist() == [3, 4, 9]


def test_a_list_of_levels_is_one_configuration_after_another() -> None:
    runs = Lab("digits", budget=60).run({"lr": [0.03, 0.1], "width": [8, 32]}, seeds=2)
    assert runs["lr"].tolist() == [0.03] * 4 + [0.1] * 4
    assert runs["width"].tolist() == [8, 8, 32, 32] * 2
    assert runs["init_seed"].tolist() == [0, 1] * 4


def test_what_was_bought_is_free_from_then_on() -> None:
    lab = Lab("digits", budget=6)
    first = lab.run(seeds=5)
    again = lab.run(seeds=6)
    assert lab.spent == 6
    np.testing.assert_array_equal(again.test[:5], first.test)
    lab.run(seeds=6)
    assert (lab.left, [entry.cost for entry in lab.log]) == (0, [5, 1, 0])


def test_over_budget_nothing_is_charged() -> None:
    lab = Lab("digits", budget=6)
    lab.run(seeds=4)
    with pytest.raises(
        BudgetError, match=r"costs 6\.00 reference runs, and 2\.00 of 6 are left; nothing was charged"
    ):
        lab.run({"lr": 0.03}, seeds=6)
    assert (lab.spent, len(lab.log)) == (4, 1)
    lab.run({"lr": 0.03}, seeds=2)
    assert lab.left == 0


def test_a_plan_that_fails_in_part_charges_nothing() -> None:
    lab = Lab("digits", budget=60)
    with pytest.raises(NotInBank):
        lab.run({"width": [32, 8], "norm": ["none", "layer"]}, seeds=2)
    assert (lab.spent, len(lab.log)) == (0, 0)


def test_a_combination_that_was_not_trained_names_the_nearest() -> None:
    lab = Lab("digits", budget=60)
    with pytest.raises(
        NotInBank, match=r"no runs of digits with width=8, dropout=0\.5\. The nearest it has:\n  "
    ) as info:
        lab.run({"width": 8, "dropout": 0.5})
    changed = [{k: v for k, v in c.items() if v != lab.family.reference[k]} for c in info.value.nearest]
    assert {"dropout": 0.5} in changed
    assert {"width": 8} in changed
    for config in info.value.nearest:
        lab.run(config)  # each can be bought


def test_the_nearest_keep_the_learning_rate_that_was_asked_for() -> None:
    nearest = Lab("digits", budget=1).nearest({"width": 8, "dropout": 0.5, "lr": 0.3})
    assert [config["lr"] for config in nearest] == [0.3, 0.3, 0.3]


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"depth": 2}, "digits has no factor 'depth'; it has optimiser, lr, weight_decay"),
        ({"lr": 0.02}, "lr=0.02 was not run; the levels are 0.001, 0.003, 0.01"),
        ({"optimiser": "Adam"}, "optimiser='Adam' was not run; the levels are 'sgd'"),
        ({"width": True}, "width=True was not run"),
    ],
)
def test_an_unknown_factor_or_level_is_told(config: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words.replace(".", r"\.")):
        Lab("digits", budget=60).run(config)


@pytest.mark.parametrize(
    ("seeds", "words"),
    [
        (0, "at least one seed"),
        ([], "at least one seed"),
        ([1, 1], "each seed once"),
        (SEEDS + 1, f"0 to {SEEDS - 1}; there is no {SEEDS}"),
        ([-1], "there is no -1"),
    ],
)
def test_wrong_seeds_are_told(seeds: object, words: str) -> None:
    lab = Lab("digits", budget=1000)
    with pytest.raises(ValueError, match=words):
        lab.run(seeds=seeds)  # type: ignore[arg-type]
    assert lab.spent == 0


def test_levels_may_come_from_numpy_and_from_arithmetic() -> None:
    lab = Lab("digits", budget=60)
    runs = lab.run({"lr": np.array([0.1 * 0.1, 0.1 + 0.2]), "width": np.int64(32)}, seeds=np.arange(2))
    assert runs["lr"].tolist() == [0.01, 0.01, 0.3, 0.3]


@pytest.mark.parametrize("budget", [0, -1, float("nan")])
def test_a_budget_is_positive(budget: float) -> None:
    with pytest.raises(ValueError, match="positive number"):
        Lab("digits", budget=budget)


def test_another_first_seed_gives_other_real_runs() -> None:
    bank = load("digits").of(load("digits").family.reference)
    runs = Lab("digits", budget=60, first_seed=28).run(seeds=4)
    np.testing.assert_array_equal(runs.test, bank.test[[28, 29, 0, 1]])


def test_the_log_and_the_factors_are_shown() -> None:
    lab = Lab("recall", budget=30)
    lab.run({"mixer": "linear"}, seeds=3)
    lab.run({"width": 8}, seeds=1)
    text, page = repr(lab.log), lab.log._repr_html_()
    assert "mixer='linear' | 3 | " in text
    assert text.endswith(f"spent {lab.spent:.2f} of 30")
    assert "<td>mixer=&#x27;linear&#x27;</td><td>3</td>" in page
    factors = lab.factors()
    assert factors["pairs"] == (4, 8, 16)
    assert dict(factors)["mixer"] == ("softmax", "linear", "window")
    assert "pairs: 4, 8, 16 (reference 8): key-value pairs in a sequence" in repr(factors)
    assert "<td>pairs</td><td>4, 8, 16</td><td>8</td>" in factors._repr_html_()
    assert repr(lab) == f"<Lab recall: {lab.spent:.2f} of 30 spent, 2 experiments>"


def test_the_plot_shows_every_run_that_was_bought() -> None:
    lab = Lab("recall", budget=200)
    with pytest.raises(ValueError, match="nothing was run yet"):
        lab.plot()
    lab.run({"mixer": ["softmax", "linear"], "lr": [0.003, 0.01, 0.03]}, seeds=4)
    ax = lab.plot()
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["0.003", "0.01", "0.03"]
    assert ax.get_xlabel() == "lr"
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["mixer = softmax", "mixer = linear"]
    dots = np.concatenate([line.get_ydata() for line in ax.get_lines() if line.get_marker() == "."])
    assert sorted(dots) == sorted(np.concatenate([entry.runs.test for entry in lab.log]))
    assert lab.plot("mixer").get_xlabel() == "mixer"
    with pytest.raises(ValueError, match="no factor 'depth'"):
        lab.plot("depth")
    matplotlib.pyplot.close("all")
