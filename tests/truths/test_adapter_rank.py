"""The truths of ``adapter_rank`` against scipy, loops, a published value; its numbers again from the bank."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from fourrounds.design import (
    Arm,
    Design,
    Estimand,
    EvaluationSet,
    Falsifier,
    Metric,
    Seeds,
    Stopping,
    Tuning,
    diagnose,
    draw,
    from_plain,
    plain,
    vary,
)
from fourrounds.design.analysis import correct
from fourrounds.design.bank import BankWorld
from fourrounds.design.mend import changed_by
from fourrounds.design.score import planned_cost, score
from fourrounds.examiner.layout import find_root
from fourrounds.examiner.problem import load_problem
from fourrounds.runbank.families import FAMILIES
from fourrounds.runbank.table import load
from support.truths import truth_of

TRUTH = truth_of("adapter_rank")
MODEL = from_plain(TRUTH.my_design())
PROBLEM = load_problem(find_root() / "source" / "round3_design" / "adapter_rank.ipynb")
CELLS = PROBLEM.by_role("front", "method", "contract", "text", "manual")
TEXT = " ".join([*(cell.source for cell in CELLS), PROBLEM.debrief]).replace("\n", " ")
OTHER, INVERTED = "other", "inverted"


# -- the two calculations


def stepped_down(p: np.ndarray) -> list[float]:
    """Holm's adjusted p-values of one family, from the smallest up."""
    found = [float("nan")] * len(p)
    run = sorted((float(x), place) for place, x in enumerate(p) if x == x)
    highest = 0.0
    for done, (x, place) in enumerate(run):
        highest = max(highest, min(1.0, (len(run) - done) * x))
        found[place] = highest
    return found


@pytest.mark.parametrize("seed", range(4))
def test_holm_against_steps_and_the_package(seed: int) -> None:
    rng = np.random.default_rng(seed)
    p = TRUTH.draw_family(rng, 5, 4 + seed)
    found = TRUTH.true_holm(p)
    np.testing.assert_allclose(found, [stepped_down(row) for row in p], rtol=1e-14)
    np.testing.assert_allclose(found, correct(p, "holm"), rtol=1e-14)
    p[0, 1], p[2, :2], p[3] = np.nan, np.nan, np.nan
    found = TRUTH.true_holm(p)
    np.testing.assert_allclose(found, [stepped_down(row) for row in p], rtol=1e-14)
    np.testing.assert_array_equal(np.isnan(found), np.isnan(p))


def test_holm_lies_between_bonferroni_and_nothing_and_keeps_the_order() -> None:
    p = TRUTH.draw_family(np.random.default_rng(9), 30, 5)
    found = TRUTH.true_holm(p)
    assert (found >= p).all()
    assert (found <= np.minimum(1.0, 5 * p)).all()
    for raw, adjusted in zip(p, found, strict=True):
        assert (np.diff(adjusted[np.argsort(raw)]) >= 0).all()


@pytest.mark.parametrize("seed", range(4))
def test_the_sign_flips_against_scipy(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = 5 + seed
    normal = 0.05 * (rng.uniform(-1, 1, size=(4, 1)) + rng.normal(size=(4, n)))
    accuracies = rng.integers(-6, 9, size=(4, n)) / 340
    for differences in (normal, accuracies):
        found = TRUTH.true_flips(differences)
        for row, p in zip(differences, found, strict=True):
            due = stats.permutation_test(
                (row,), np.mean, permutation_type="samples", n_resamples=np.inf, alternative="two-sided"
            ).pvalue
            assert p == pytest.approx(due, abs=1e-15)


def test_the_sign_flips_of_darwins_pairs() -> None:
    """Fisher 1935, The Design of Experiments, section 21: 863 of 32,768 sums reach 314, counted one-sided."""
    eighths = [49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48]
    assert sum(eighths) == 314
    found = TRUTH.true_flips(np.array([eighths]) / 8)
    assert found[0] == 2 * 863 / 2**15


def test_the_sign_flips_keep_the_level_and_can_reach_it() -> None:
    rng = np.random.default_rng(5)
    p = TRUTH.true_flips(rng.standard_t(2, size=(3000, 7)))
    for level in (2 / 128, 6 / 128, 0.25):
        assert (p <= level).mean() == pytest.approx(level, abs=3.5 * np.sqrt(level * (1 - level) / 3000))
    five, six = TRUTH.true_flips(np.ones((1, 5)))[0], TRUTH.true_flips(np.ones((1, 6)))[0]
    assert (round(five, 2), round(six, 2)) == (0.06, 0.03)
    assert "2 / 32 = 0.06. With six it is 0.03" in TEXT


# -- the bank


def runs(rank: int, source: str, lr: float) -> np.ndarray:
    """Right or wrong, (30 runs, 340 images)."""
    return load("transfer").of(config(rank, source, lr)).correct.astype(float)


def config(rank: int, source: str, lr: float) -> dict:
    family = FAMILIES["transfer"]
    return family.complete({"method": "lora", "rank": rank, "source": source, "lr": lr})


def diverged(rank: int, source: str, lr: float) -> np.ndarray:
    return load("transfer").of(config(rank, source, lr)).diverged


def gain(source: str, lr: float) -> float:
    return float(runs(8, source, lr).mean() - runs(1, source, lr).mean())


def test_the_prices_and_the_pilot_are_the_banks() -> None:
    world = BankWorld("prices", "transfer", TRUTH.AFTER_DIGITS["methods"])
    for rank in (1, 2, 4, 8):
        assert f"| rank {rank} | {world.shelf(str(rank), 'all').price:.2f} |" in TEXT
        rate = TRUTH.RECIPES[str(rank)][0]
        two = runs(rank, OTHER, rate).mean(axis=1)[:2]
        assert f"| {rank} | {rate} | {two[0]:.3f}, {two[1]:.3f} |" in TEXT
    rank4 = [runs(4, OTHER, lr).mean() for lr in (0.003, 0.03, 0.1)]
    assert "0.003 gives {:.2f}, 0.03 gives {:.2f}, and 0.1 gives {:.2f}".format(*rank4) in TEXT
    assert diverged(4, OTHER, 0.1).sum() == 2
    # The same prices in every world, and no other family than that of 340 images.
    due = [world.shelf(arm.method, "all").price for arm in MODEL.arms]
    for nature in (*(trial.world for trial in TRUTH.KEY.trials), TRUTH.NOTHING, TRUTH.ENOUGH):
        np.testing.assert_array_equal(nature.prices(MODEL), due)
    assert FAMILIES["transfer"].n_test == 340


def test_the_pilots_deviations_are_the_banks() -> None:
    def over_runs(rank: int, source: str) -> float:
        return float(runs(rank, source, 0.03).mean(axis=1).std(ddof=1))

    def over_images(source: str) -> float:
        """The SD of the expected gain, without the noise of 30 runs."""
        one = runs(8, source, 0.03) - runs(1, source, 0.03)
        return float(np.sqrt(one.mean(0).var(ddof=1) - one.var(0, ddof=1).mean() / len(one)))

    def together(source: str) -> float:
        return float(
            np.corrcoef(runs(1, source, 0.03).mean(axis=1), runs(8, source, 0.03).mean(axis=1))[0, 1]
        )

    sources = (OTHER, INVERTED)
    one, eight = ([over_runs(rank, source) for source in sources] for rank in (1, 8))
    assert "| SD of the accuracy of a run on all images, rank 1 | {:.3f} | {:.3f} |".format(*one) in TEXT
    assert "| the same, rank 8 | {:.3f} | {:.3f} |".format(*eight) in TEXT
    correlations = [together(source) for source in sources]
    assert "runs with one seed | {:.2f} | {:.2f} |".format(*correlations) in TEXT
    images = [over_images(source) for source in sources]
    assert "rank 1 from image to image | {:.2f} | {:.2f} |".format(*images) in TEXT


def test_the_numbers_of_the_debrief_are_the_banks() -> None:
    truths = [trial.truth for trial in TRUTH.KEY.trials]
    assert [round(truth, 3) for truth in truths] == [0, 0, 0.111, 0.047]
    assert truths[2] == pytest.approx(gain(OTHER, 0.03), abs=1e-12)
    assert truths[3] == pytest.approx(gain(INVERTED, 0.03), abs=1e-12)
    assert f"{runs(1, OTHER, 0.03).mean():.3f} for rank 1 and {runs(8, OTHER, 0.03).mean():.3f}" in TEXT
    assert f"{runs(1, INVERTED, 0.03).mean():.3f} and {runs(8, INVERTED, 0.03).mean():.3f}" in TEXT
    # What the learning rate alone does to the one rank of each null world.
    rate = [
        runs(rank, source, 0.03).mean() - runs(rank, source, 0.003).mean()
        for rank, source in ((4, OTHER), (8, INVERTED))
    ]
    assert "differs by {:.2f} after the digits 0 to 4 (rank 4) and by {:.2f}".format(*rate) in TEXT
    leads = [gain(OTHER, lr) for lr in (0.003, 0.03, 0.1)]
    assert "by {:.2f} at 0.003, by {:.2f} at 0.03 and by {:.2f} at 0.1".format(*leads) in TEXT
    assert diverged(1, OTHER, 0.1).sum() == 7
    assert [diverged(rank, INVERTED, 0.1).sum() for rank in (1, 8)] == [6, 3]
    alive = [runs(rank, INVERTED, 0.1)[~diverged(rank, INVERTED, 0.1)].mean() for rank in (8, 1)]
    assert f"is {alive[0] - alive[1]:.2f} and not {gain(INVERTED, 0.1):.2f}" in TEXT


# -- the key


def test_in_a_null_world_all_ranks_are_one_and_the_recipes_are_those_of_the_names() -> None:
    for trial, one in zip(TRUTH.KEY.trials[:2], ("4", "8"), strict=True):
        world = trial.world
        assert world.one == one
        best = [world.shelf(rank, "all").correct[world.best_rate(rank)] for rank in "1248"]
        assert all(np.array_equal(best[0], other) for other in best[1:])
        assert [world.rates[rank][0] for rank in "1248"] == [0.003, 0.003, 0.03, 0.03]
    for trial in TRUTH.KEY.trials:
        # The rates of the recipes: good for the high ranks and not for the low ones.
        places = [trial.world.rates[rank][trial.world.best_rate(rank)] for rank in "1248"]
        assert places == [0.03] * 4


def test_the_experiments_of_others_are_sound() -> None:
    """With their declared analysis they earn everything: what is lost there is lost by the answer."""
    for design, key, sims in TRUTH.HOUSE:
        totals = [score(plain(design), None, key, sims, seed).total for seed in range(2)]
        assert min(totals) > 0.99


def test_what_diverged_is_marked_and_has_scores() -> None:
    design, key, _ = TRUTH.HOUSE[2]
    data = draw(design, key.trials[1].world, 200, seed=1)
    lost = data.diverged[:, 0]
    assert 0.1 < lost.mean() < 0.3
    assert np.isfinite(data.scores[:, 0, 0]).all()
    right = data.scores[:, 0, 0].mean(axis=(2, 3))
    assert right[lost].mean() < right[~lost].mean() - 0.1


# -- what the text says of designs


def of_ranks(*ranks: int, **changes: object) -> Design:
    """The model's design of these ranks, the first of them the baseline."""
    arms = tuple(Arm(f"rank {rank}", str(rank), tuning=3) for rank in ranks)
    return replace(MODEL, arms=arms, **changes)


def changed(*parts: tuple[str, object]) -> Design:
    return changed_by(MODEL, dict(parts))


def rates(design: Design) -> tuple[list[float], float]:
    """The claims in the key's worlds, as it counts them, and the planned cost."""
    found = score(plain(design), None, replace(TRUTH.KEY, budget=500.0), 1500, 2)
    claims = [one.measured for one in found.checks if one.check in ("false_positives", "power")]
    return claims, planned_cost(design, TRUTH.KEY)


def test_the_table_of_the_debrief() -> None:
    untuned = (("arms.rank 1.tuning", 1), ("arms.rank 8.tuning", 1))
    table: Sequence[tuple[str, Design]] = (
        ("the model: two ranks, three rates in each run, 15 runs, 340 images", MODEL),
        ("the same with 10 runs", changed(("seeds.count", 10))),
        ("the same with 5 runs", changed(("seeds.count", 5))),
        ("the same with 40 images", changed(("evaluation", EvaluationSet(10, 4)))),
        ("all four ranks, 8 runs", of_ranks(1, 2, 4, 8, seeds=Seeds(8))),
        ("one search for each rank, 15 runs", changed(("tuning.each_run", False))),
        ("the recipes, 15 runs", changed(*untuned)),
    )
    for name, design in table:
        (row,) = re.findall(re.escape(f"| {name} |") + r" ([\d.]+) \| ([^|]+)% \| ([\d.]+) \|", TEXT)
        claims, price = rates(design)
        assert float(row[0]) == pytest.approx(claims[3], abs=0.04), name
        told = sorted(float(x) / 100 for x in re.findall(r"\d+", row[1]))
        assert sorted(claims[:2]) == pytest.approx([told[0], told[-1]], abs=0.03), name
        assert float(row[2]) == pytest.approx(price, abs=0.05), name


def test_the_rates_of_the_text() -> None:
    """By simulation, in the teaching worlds: what the faults are said to show."""
    recipes = {rank: tuple(order) for rank, order in TRUTH.RECIPES.items()}
    worlds = [TRUTH.NOTHING, TRUTH.ENOUGH, TRUTH.NOTHING.but(name="recipes", rates=recipes)]
    see = {fault.name: fault.see for fault in PROBLEM.faults}

    def claims(design: Design) -> list[float]:
        table = diagnose(design, worlds, 1500, 2, progress=False)
        return [float(row.runs.claim.mean()) for row in table]

    def two(n: int) -> list[tuple[str, object]]:
        return [("arms.rank 1.tuning", n), ("arms.rank 8.tuning", n)]

    said = (
        ("untuned_baseline", [("arms.rank 1.tuning", 1)], 2, "86%"),
        ("two_of_three_rates", two(2), 2, "27%"),
        ("one_lucky_rate", [("tuning.each_run", False)], 0, "39%"),
        ("images_as_replicates", [("test.unit", "items"), ("test.paired", True)], 0, "40%"),
        ("looks_until_significant", [("stopping", Stopping(10, "seeds", "none"))], 0, "16%"),
        ("three_runs", [("seeds.count", 3)], 1, "0.14"),
        ("forty_images", [("evaluation", EvaluationSet(10, 4))], 1, "0.43"),
    )
    for name, parts, world, number in said:
        assert number in see[name]
        due = float(number.rstrip("%")) / (100 if "%" in number else 1)
        assert claims(changed(*parts))[world] == pytest.approx(due, abs=0.045), name
    assert claims(MODEL)[:2] == pytest.approx([0.04, 0.92], abs=0.025)
    eight = of_ranks(1, 2, 4, 8, seeds=Seeds(8))
    assert claims(eight)[1] == pytest.approx(0.63, abs=0.04)
    next_rank = of_ranks(4, 8, estimand=Estimand({"rank 8": 1, "rank 4": -1}, minimum=0.045))
    assert diagnose(next_rank, TRUTH.ENOUGH, 2, progress=False).rows[0].truth == pytest.approx(0, abs=5e-4)
    coin = diagnose(changed(("falsifier", Falsifier("estimate_below", 0.0))), TRUTH.NOTHING, 1500, 2)
    assert coin.rows[0]["falsified"].value == pytest.approx(0.5, abs=0.04)
    # The largest of 15 normals lies 1.74 SD above their mean.
    rng = np.random.default_rng(0)
    assert rng.normal(size=(50_000, 15)).max(axis=1).mean() == pytest.approx(1.7, abs=0.06)


def test_the_falsifier_of_the_model_text() -> None:
    fires = [
        one.measured
        for one in score(plain(MODEL), None, TRUTH.KEY, 2000, 3).checks
        if one.check == "falsifier"
    ]
    assert fires == pytest.approx([0.92, 0.86, 0.0, 0.01], abs=0.025)
    assert "86 to 92% of experiments, with one in 1%" in TEXT


def test_three_comparisons_with_one_baseline_need_a_correction() -> None:
    """All ranks are one: how often some rank has a star, by Welch's test over 15 runs."""
    design = Design(
        arms=tuple(Arm(f"rank {rank}", str(rank), tuning=3) for rank in (1, 2, 4, 8)),
        estimand=Estimand({"rank 8": 1, "rank 1": -1}),
        metrics=(Metric("accuracy", "accuracy"),),
        evaluation=EvaluationSet(17, 20),
        seeds=Seeds(15),
        tuning=Tuning(each_run=True),
    )
    right = draw(design, TRUTH.NOTHING, 4000, seed=1).scores[:, 0].mean(axis=(3, 4))
    p = np.stack(
        [stats.ttest_ind(right[:, k], right[:, 0], axis=1, equal_var=False).pvalue for k in (1, 2, 3)], axis=1
    )
    assert (p <= 0.05).any(axis=1).mean() == pytest.approx(0.13, abs=0.015)
    assert (TRUTH.holm(p) <= 0.05).any(axis=1).mean() == pytest.approx(0.044, abs=0.01)
    assert "a star in 13% of such experiments although all are one network, and in 4%" in TEXT


def test_a_rate_chosen_on_the_test_images_costs_nothing_here() -> None:
    assert score(plain(vary(MODEL, "tuning.select_on", "test")), None, TRUTH.KEY, 1000, 1).total > 0.98
