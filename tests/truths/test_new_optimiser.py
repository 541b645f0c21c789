"""The truths of ``new_optimiser`` against other routes; the numbers of its text from bank and simulation."""

from __future__ import annotations

import math
from fractions import Fraction
from functools import cache
from itertools import combinations, product
from statistics import fmean

import numpy as np
import pytest
from scipy import stats

from fourrounds.design import Arm, Design, Falsifier, Metric, Seeds, Stopping, from_plain, plain, vary
from fourrounds.design import Test as Analysis
from fourrounds.design.bank import BankWorld
from fourrounds.design.run import Runs, run
from fourrounds.design.score import score
from fourrounds.runbank import FAMILIES, load
from fourrounds.runbank.table import Runs as Table
from support.truths import truth_of

TRUTH = truth_of("new_optimiser")
MODEL: Design = from_plain(TRUTH.my_design())
PUBLISHED = np.array([[0.70, 0.72, 0.75, 0.80, 0.90]])


# -- the expected best


def test_the_expected_best_against_the_published_example() -> None:
    """Dodge et al. 2019 with replacement; the unbiased estimate without."""
    n = np.arange(1, 6)
    biased, unbiased = ([0.774, 0.8124, 0.83592, 0.85176, 0.8630304], [0.774, 0.822, 0.855, 0.88, 0.90])
    for find in (TRUTH.true_best, TRUTH.expected_best):
        np.testing.assert_allclose(find(PUBLISHED, n, True)[0], biased, rtol=1e-9)
        np.testing.assert_allclose(find(PUBLISHED, n, False)[0], unbiased, rtol=1e-9)


@pytest.mark.parametrize("seed", range(3))
def test_the_expected_best_against_every_draw(seed: int) -> None:
    values = np.random.default_rng(seed).integers(-3, 4, size=6) / 8  # ties, and below zero
    for n in range(1, 6):
        with_ = fmean(max(draw) for draw in product(values, repeat=n))
        without = fmean(max(draw) for draw in combinations(values, n))
        assert TRUTH.true_best(values[None], [n], True)[0, 0] == pytest.approx(with_, abs=1e-12)
        assert TRUTH.true_best(values[None], [n], False)[0, 0] == pytest.approx(without, abs=1e-12)


@pytest.mark.parametrize("n", [1, 2, 20, 999, 1999, 2000])
def test_the_expected_best_of_many_against_fractions(n: int) -> None:
    """C(2000, 1000) has 601 digits: whole numbers of any length, against logarithms."""
    count = 2000
    values = np.sort(np.random.default_rng(n).beta(6, 2, size=count))
    whole = math.comb(count, n)
    without = sum(float(Fraction(math.comb(i, n - 1), whole)) * v for i, v in enumerate(values))
    with_ = sum(float(Fraction((i + 1) ** n - i**n, count**n)) * v for i, v in enumerate(values))
    for find in (TRUTH.true_best, TRUTH.expected_best):
        assert find(values[None], np.array([n]), False)[0, 0] == pytest.approx(without, rel=1e-10)
        assert find(values[None], np.array([n]), True)[0, 0] == pytest.approx(with_, rel=1e-10)


def test_one_estimate_is_unbiased_and_the_other_too_low() -> None:
    """For normal values the best of 3 is worth E[max_3]. Of three draws from 8 values with replacement, three
    are different with chance 336 / 512, two with 168 / 512, and one with 8 / 512."""
    values = np.random.default_rng(1).normal(size=(40_000, 8))
    of_two, of_three = 0.56419, 0.84628
    for replace, due in ((False, of_three), (True, (336 * of_three + 168 * of_two) / 512)):
        found = TRUTH.true_best(values, [3], replace)[:, 0]
        assert abs(found.mean() - due) < 4 * found.std() / math.sqrt(len(found))


# -- the chance of outperforming


def test_the_chance_against_ranks_and_loops() -> None:
    rng = np.random.default_rng(3)
    a, b = TRUTH.draw_pairs(rng, 4, 9)
    a[0, :2], b[0, 1:3] = -np.inf, -np.inf
    draws = rng.integers(9, size=(300, 9))
    found = TRUTH.true_chance(a, b, draws, 0.9)
    for number, (x, y) in enumerate(zip(a.tolist(), b.tolist(), strict=True)):
        pairs = list(zip(x, y, strict=True))
        # Mann-Whitney's U of one run against one: 0, one half or 1.
        won = [float(stats.mannwhitneyu([p], [q], method="asymptotic").statistic) for p, q in pairs]
        again = [fmean(won[r] for r in row) for row in draws.tolist()]
        ends = stats.scoreatpercentile(again, [5, 95])
        np.testing.assert_allclose([one[number] for one in found], [fmean(won), *ends], rtol=1e-12)


def test_the_interval_is_that_of_scipys_bootstrap_where_all_draws_are_made() -> None:
    """All 5^5 draws of five runs; scipy draws at random, and comes near."""
    won = np.array([[1.0, 0.5, 0.0, 1.0, 1.0]])
    draws = np.array(list(product(range(5), repeat=5)))
    chance, low, high = TRUTH.true_chance(won, np.full((1, 5), 0.5), draws, 0.9)
    scipys = stats.bootstrap(
        (won[0],), np.mean, method="percentile", confidence_level=0.9, n_resamples=40_000, random_state=1
    ).confidence_interval
    assert chance[0] == pytest.approx(0.7)
    assert (low[0], high[0]) == pytest.approx((scipys.low, scipys.high), abs=1e-9)


def test_the_answers_agree_with_the_truths() -> None:
    rng = np.random.default_rng(5)
    for level in (0.95, 0.8):
        a, b = TRUTH.draw_pairs(rng, 3, 11)
        draws = rng.integers(11, size=(151, 11))
        pairs = zip(
            TRUTH.chance_of_better(a, b, draws, level), TRUTH.true_chance(a, b, draws, level), strict=True
        )
        for mine, due in pairs:
            np.testing.assert_allclose(mine, due, rtol=1e-12)


# -- the worlds and what the text says of them

NAMES = [trial.name for trial in TRUTH.KEY.trials]
SAME, BAD_RATE, ARCHIVE, OUTCOMES, BETTER, LATE = NAMES
WORLD = {trial.name: trial.world for trial in TRUTH.KEY.trials}
TRUE = {trial.name: trial.truth for trial in TRUTH.KEY.trials}
SIMS = 2000


@cache
def _runs(plain_design: str, world: str) -> Runs:
    natures = {**WORLD, "nothing": TRUTH.NOTHING, "enough": TRUTH.ENOUGH, "real": TRUTH.REAL}
    return run(DESIGNS[plain_design], natures[world], SIMS, 11)


def both(part: str, value: object, design: Design = MODEL) -> Design:
    for arm in ("current", "new"):
        design = vary(design, f"arms.{arm}.{part}", value)
    return design


ONE_SEARCH = vary(MODEL, "tuning.each_run", False)
PAIRED = vary(vary(MODEL, "seeds", Seeds(12)), "test", Analysis("seeds", paired=True))
DESIGNS = {
    "model": MODEL,
    "twelve": vary(MODEL, "seeds.count", 12),
    "twenty": vary(vary(vary(MODEL, "seeds.count", 20), "evaluation.items", 21), "evaluation.groups", 20),
    "paired": PAIRED,
    "four seeds": vary(MODEL, "seeds.count", 4),
    "as found": vary(MODEL, "arms.current.tuning", 1),
    "untuned": both("tuning", 1),
    "two tries": both("tuning", 2),
    "one search": ONE_SEARCH,
    "one search, 30": vary(ONE_SEARCH, "seeds.count", 30),
    "on test": vary(MODEL, "tuning.select_on", "test"),
    "public": vary(MODEL, "evaluation.held_out", "none"),
    "new images": vary(MODEL, "evaluation.held_out", "items"),
    "other images": vary(MODEL, "evaluation.same_items", False),
    "images": vary(MODEL, "test", Analysis("items", paired=True)),
    "four outcomes": vary(
        vary(MODEL, "metrics", tuple(Metric(f"{k}", "accuracy") for k in range(4))),
        "decision.outcomes",
        "any",
    ),
    "looks": vary(MODEL, "stopping", Stopping(9, "seeds", "none")),
    "below": vary(MODEL, "falsifier", Falsifier("estimate_below")),
}


def claims(design: str, world: str) -> float:
    return float(_runs(design, world).claim.mean())


def estimate(design: str, world: str) -> float:
    return float(_runs(design, world).estimate.mean())


def fires(design: str, world: str) -> float:
    return float(_runs(design, world).falsified.mean())


def arm(rate: float, **changes: object) -> Table:
    """The 30 runs of a configuration of the bank."""
    family = FAMILIES["digits"]
    return load("digits").of({**family.complete(changes), "lr": rate})  # type: ignore[arg-type]


def test_the_truths_are_the_tuned_differences_of_the_bank() -> None:
    momentum, sgd = arm(0.03).test.mean(), arm(0.3, optimiser="sgd").test.mean()
    adam, lion = arm(0.01, optimiser="adam").test.mean(), arm(0.003, optimiser="lion").test.mean()
    due = {
        SAME: 0,
        BAD_RATE: momentum - sgd,
        ARCHIVE: 0,
        OUTCOMES: 0,
        BETTER: momentum - lion,
        LATE: adam - lion,
    }
    assert pytest.approx(due, abs=1e-12) == TRUE
    assert [round(TRUE[name], 3) for name in (BAD_RATE, BETTER, LATE)] == [-0.003, 0.032, 0.041]


def test_the_pilot_is_the_second_world() -> None:
    """Five seeds of momentum and of plain SGD at 0.03, and the first seed of SGD at ten times the rate."""
    new, current = arm(0.03).test[:5], arm(0.03, optimiser="sgd").test[:5]
    assert (round(new.mean(), 3), round(new.std(ddof=1), 3)) == (0.874, 0.010)
    assert (round(current.mean(), 3), round(current.std(ddof=1), 3)) == (0.764, 0.034)
    assert round(float(arm(0.3, optimiser="sgd").test[0]), 3) == 0.883
    world = WORLD[BAD_RATE]
    assert isinstance(world, BankWorld)
    assert (world.rates["new"][0], world.rates["current"][0]) == (0.03, 0.03)


def test_the_deviations_of_the_text_are_the_banks() -> None:
    arms = {
        "sgd": (0.03, 0.003, 0.01, 0.3),
        "momentum": (0.03, 0.001, 0.01, 0.1),
        "adam": (0.01, 0.001, 0.003, 0.03),
        "lion": (0.03, 0.003, 0.1, 0.3),
    }
    tuned: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    spreads, seen = [], []
    for name, rates in arms.items():
        runs = [arm(rate, optimiser=name) for rate in rates]
        val, test = np.stack([r.val for r in runs]), np.stack([r.test for r in runs])
        best, seeds = val.argmax(axis=0), np.arange(30)
        correct = np.stack([r.correct for r in runs]).astype(float)
        tuned[name] = test[best, seeds], correct[best, seeds]
        means = test.mean(axis=1)
        usable = np.flatnonzero(means > means.max() - 0.1)
        if len(usable) > 1:
            spreads.append(means[usable].std(ddof=1))
            for one, other in combinations(usable[means[usable] > means.max() - 0.03], 2):
                seen.append((val[one] - val[other]).std(ddof=1) / math.sqrt(2))
    assert [round(f([t.std(ddof=1) for t, _ in tuned.values()]), 3) for f in (min, max)] == [0.019, 0.025]
    assert [round(f(spreads), 2) for f in (min, max)] == [0.01, 0.03]
    assert [round(f(seen), 3) for f in (min, max)] == pytest.approx([0.01, 0.023], abs=0.0011)
    images, answers, together = [], [], []
    for one, other in (("momentum", "sgd"), ("momentum", "lion"), ("adam", "lion")):
        gap = tuned[one][1] - tuned[other][1]
        within = gap.var(axis=0, ddof=1).mean()
        images.append(math.sqrt(gap.mean(axis=0).var(ddof=1) - within / 30))
        answers.append(math.sqrt(within))
        together.append(np.corrcoef(tuned[one][0], tuned[other][0])[0, 1])
    assert [round(f(images), 2) for f in (min, max)] == [0.02, 0.07]
    assert [round(f(answers), 2) for f in (min, max)] == [0.26, 0.31]
    assert [round(f(together), 1) for f in (min, max)] == [0.5, 0.6]


def test_the_worlds_do_what_is_said() -> None:
    """The debrief's table."""
    as_they_came = [estimate("untuned", name) for name in (SAME, BAD_RATE, LATE)]
    assert as_they_came == pytest.approx([0.066, 0.130, -0.128], abs=0.001)
    assert estimate("public", ARCHIVE) == pytest.approx(0.053, abs=0.001)
    assert estimate("new images", ARCHIVE) == pytest.approx(0.012, abs=0.001)
    for name in (BAD_RATE, BETTER, LATE):
        assert estimate("on test", name) - TRUE[name] == pytest.approx(0.006, abs=0.0012)
    for name in (SAME, ARCHIVE):
        assert estimate("on test", name) == pytest.approx(0.0, abs=0.001)
    assert estimate("two tries", BAD_RATE) > 0.08


def test_the_models_rates() -> None:
    """The powers of the debrief, and what the model text says."""
    powers = {name: claims(name, BETTER) for name in ("model", "twenty", "twelve", "paired")}
    assert powers == pytest.approx({"model": 0.90, "twenty": 0.94, "twelve": 0.76, "paired": 0.91}, abs=0.025)
    costs = [float(_runs(name, BETTER).cost.mean()) for name in ("model", "twenty", "twelve", "paired")]
    assert costs == [144, 160, 96, 96]
    paired = _runs("paired", BETTER)
    assert 1 - ((paired.low <= TRUE[BETTER]) & (TRUE[BETTER] <= paired.high)).mean() == pytest.approx(
        0.08, abs=0.02
    )
    assert claims("model", "enough") == pytest.approx(0.9, abs=0.03)
    assert (fires("model", "nothing"), fires("model", "enough")) == pytest.approx((0.9, 0.03), abs=0.025)
    assert max(claims("model", name) for name in ("nothing", "real", SAME, ARCHIVE, OUTCOMES)) < 0.07


def test_the_rates_of_the_faults() -> None:
    """What the text says is to be seen in the teaching worlds."""
    assert claims("as found", "real") > 0.99
    assert claims("one search", "nothing") == pytest.approx(0.5, abs=0.05)
    assert claims("one search, 30", "nothing") > claims("one search", "nothing") + 0.03
    assert float(_runs("one search", "nothing").cost.mean()) == 42
    assert _runs("other images", "real").estimate.std() > 2 * _runs("model", "real").estimate.std()
    assert [claims("images", w) for w in ("real", "nothing")] == pytest.approx([0.2, 0.23], abs=0.03)
    assert claims("four outcomes", "nothing") == pytest.approx(1 / 6, abs=0.03)
    assert min(claims("looks", w) for w in ("real", "nothing")) > 2 * 0.05
    assert claims("four seeds", "enough") == pytest.approx(0.2, abs=0.05)
    assert fires("below", "enough") == pytest.approx(0.5, abs=0.08)
    # The best of 18 runs, whose SD is 0.021.
    best = float(np.sort(np.random.default_rng(0).normal(size=(100_000, 18)), axis=1)[:, -1].mean())
    assert round(best, 1) == 1.8
    assert 0.021 * best == pytest.approx(0.04, abs=0.003)


def test_a_template_of_this_hypothesis_earns_next_to_nothing() -> None:
    found = score(plain(Design(arms=(Arm("current"), Arm("new")))), None, TRUTH.KEY, 400, 2)
    assert found.total < 0.1


def test_the_experiments_of_others_are_sound() -> None:
    """With their declared analysis they earn nearly everything: what is lost there is lost by the answer."""
    for design, key, sims in TRUTH.HOUSE:
        totals = [score(plain(design), None, key, sims, seed).total for seed in range(3)]
        assert min(totals) >= 0.97
