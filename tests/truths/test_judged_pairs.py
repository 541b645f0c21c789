"""The truths of ``judged_pairs`` against scipy, loops, the package, published values, simulation."""

from __future__ import annotations

import math
from collections import defaultdict
from statistics import fmean

import numpy as np
import pytest
from scipy import optimize, stats

from fourrounds.design import (
    Arm,
    Design,
    Estimand,
    EvaluationSet,
    Metric,
    Seeds,
    Stopping,
    draw,
    from_plain,
    plain,
    vary,
)
from fourrounds.design import Test as Analysis
from fourrounds.design.analysis import clustered_se
from fourrounds.design.run import Runs, run
from fourrounds.design.score import planned_cost, score
from fourrounds.design.worlds import World
from support.truths import truth_of

TRUTH = truth_of("judged_pairs")
MODEL = from_plain(TRUTH.my_design())
WORLDS = {trial.name: trial.world for trial in TRUTH.KEY.trials}


# -- the number of prompts


def test_the_published_numbers_of_prompts() -> None:
    """Miller 2024: omega^2 = 1/9, delta = 0.03; without noise, with sigma^2 = 1/6 and 1 or 10 answers."""
    within, answers = np.array([0, 1 / 6, 1 / 6]), np.array([1, 1, 10])
    exact = TRUTH.exact_number(0.03, 1 / 9, within, within, answers, answers).numpy()
    np.testing.assert_allclose(exact, [968.9975, 3875.990, 1259.697], rtol=1e-6)
    assert TRUTH.true_needed(0.03, 1 / 9, within, within, answers, answers).tolist() == [969, 3876, 1260]
    found = TRUTH.true_detectable(198, 1 / 9, 1 / 6, 1 / 6, np.array([1, 10]), np.array([1, 10]))
    assert np.round(found, 5).tolist() == [0.13273, 0.07567]


@pytest.mark.parametrize(("alpha", "power"), [(0.05, 0.8), (0.01, 0.93), (0.002, 0.6)])
def test_the_number_of_prompts_is_the_first_with_the_power(alpha: float, power: float) -> None:
    rng = np.random.default_rng(3)
    for _ in range(5):
        case = TRUTH.draw_case(rng, 6)
        needed = TRUTH.true_needed(*case, alpha=alpha, power=power)
        for number, (effect, between, within_a, within_b, k_a, k_b) in enumerate(zip(*case, strict=True)):
            of_one = between + within_a / k_a + within_b / k_b
            critical = stats.norm.isf(alpha / 2)

            def reached(
                n: float, effect: float = effect, of_one: float = of_one, critical: float = critical
            ) -> float:
                return float(stats.norm.sf(critical, loc=effect / math.sqrt(of_one / n)))

            first = next(
                n for n in range(max(1, needed[number] - 2), needed[number] + 3) if reached(n) >= power
            )
            assert first == needed[number]
            found = TRUTH.true_detectable(50, between, within_a, within_b, k_a, k_b, alpha=alpha, power=power)
            due = optimize.brentq(lambda e, r=reached: r(50, e) - power, 0.001, 5, xtol=1e-14)
            assert float(found) == pytest.approx(due, rel=1e-9)


def test_what_is_whole_stays_whole_and_one_prompt_is_the_least() -> None:
    rest = (np.linspace(0.02, 0.3, 500), 0.1, 0.2, 3, 2)
    items = np.arange(20, 520)
    effect = TRUTH.true_detectable(items, *rest)
    assert TRUTH.true_needed(effect, *rest).tolist() == items.tolist()
    exact = TRUTH.exact_number(effect, *rest).numpy()
    assert (np.ceil(exact) > items).any(), "no rounding error goes up, so that nothing is tested here"
    assert TRUTH.true_needed(50.0, 0.1, 0.1, 0.1, 1, 1) == 1


def test_the_power_by_simulation() -> None:
    """Prompts, answers to each and their means, drawn."""
    rng = np.random.default_rng(0)
    between, within_a, within_b, k_a, k_b, effect = 0.05, 0.2, 0.1, 2, 4, 0.11
    n = int(TRUTH.true_needed(effect, between, within_a, within_b, k_a, k_b))
    sims = 4000
    difference = effect + math.sqrt(between) * rng.normal(size=(sims, n))
    difference += math.sqrt(within_b) * rng.normal(size=(sims, n, k_b)).mean(axis=2)
    difference -= math.sqrt(within_a) * rng.normal(size=(sims, n, k_a)).mean(axis=2)
    error = math.sqrt((between + within_a / k_a + within_b / k_b) / n)
    rate = (difference.mean(axis=1) > stats.norm.isf(0.025) * error).mean()
    assert abs(rate - 0.8) < 0.01 + 4 * math.sqrt(0.16 / sims)


# -- pairs that were judged in both orders


def by_loops(first: np.ndarray, second: np.ndarray, customer: np.ndarray) -> tuple[float, float, float]:
    pairs: dict[int, list[tuple[float, float]]] = defaultdict(list)
    for x, y, name in zip(first, second, customer, strict=True):
        if not (math.isnan(x) or math.isnan(y)):
            pairs[int(name)].append((x, y))
    every = [pair for some in pairs.values() for pair in some]
    mean = fmean((x + y) / 2 for x, y in every)
    squares = sum(sum((x + y) / 2 - mean for x, y in some) ** 2 for some in pairs.values())
    groups = len(pairs)
    error = math.sqrt(groups / (groups - 1) * squares) / len(every)
    return mean, fmean((x - y) / 2 for x, y in every), error


@pytest.mark.parametrize("missing", [0.0, 0.3])
def test_judged_pairs_against_loops_and_the_package(missing: float) -> None:
    rng = np.random.default_rng(5)
    for _ in range(5):
        first, second, customer = TRUTH.draw_pairs(rng, 3, TRUTH.draw_sizes(rng, 8))
        for verdicts in (first, second):
            verdicts[rng.random(verdicts.shape) < missing] = np.nan
        order = rng.permutation(len(customer))
        found = TRUTH.true_judged(first[:, order], second[:, order], 3 * customer[order] - 7)
        solved = TRUTH.judged_difference(first[:, order], second[:, order], 3 * customer[order] - 7)
        for b in range(3):
            due = by_loops(first[b], second[b], customer)
            np.testing.assert_allclose([one[b] for one in found], due, rtol=1e-9)
            np.testing.assert_allclose([one[b] for one in solved], due, rtol=1e-9)
            kept = ~np.isnan(first[b] + second[b])
            pair = (first[b] + second[b])[kept] / 2
            assert found[2][b] == pytest.approx(clustered_se(pair, customer[kept]), rel=1e-9)


def test_the_error_is_that_of_means_where_customers_have_as_many_pairs() -> None:
    rng = np.random.default_rng(6)
    first, second, customer = TRUTH.draw_pairs(rng, 4, np.full(9, 5))
    means = ((first + second) / 2).reshape(4, 9, 5).mean(axis=2)
    np.testing.assert_allclose(
        TRUTH.true_judged(first, second, customer)[2], stats.sem(means, axis=1), rtol=1e-9
    )
    single = TRUTH.true_judged(first, second, np.arange(45))
    np.testing.assert_allclose(single[2], stats.sem((first + second) / 2, axis=1), rtol=1e-9)


def test_the_error_is_that_of_the_preference_and_pairs_alone_are_not() -> None:
    rng = np.random.default_rng(7)
    sizes = np.tile([1, 2, 4, 7], 10)
    first, second, customer = TRUTH.draw_pairs(rng, 3000, sizes)
    preference, bias, error = TRUTH.judged_difference(first, second, customer)
    due = 0.4**2 * (sizes**2).sum() / sizes.sum() ** 2 + 0.3**2 / sizes.sum()
    assert preference.var() == pytest.approx(due, rel=0.1)
    assert (error**2).mean() == pytest.approx(due, rel=0.06)
    assert bias.mean() == pytest.approx(0.1, abs=0.001)
    naive = stats.sem((first + second) / 2, axis=1)
    assert (naive**2).mean() < 0.4 * due


def pilot(above: str, seed: int = 114) -> np.ndarray:
    """Marketing's pilot: marks (arms, customers, prompts) with one arm above, where B is no better."""
    below = {"new": "current", "current": "new"}[above]
    nature = TRUTH.NOTHING.but(confounder=TRUTH.LENGTH, kinship={"new": 0.1})
    design = Design(
        arms=(Arm("current"), Arm("new")),
        baseline=below,
        metrics=(Metric("liked", "judge", "preferred", "fixed"),),
        evaluation=EvaluationSet(10, 8, "items"),
        seeds=Seeds(1),
    )
    data = draw(design, nature, 1, seed)
    assert data.covariate[0, :, 0].tolist() == [0, 1], "A's run was brief and B's detailed"
    return data.scores[0, 0, :, 0]


def test_the_pilot_is_a_draw_from_a_world_in_which_nothing_is_solved_more() -> None:
    first, second = pilot("new"), pilot("current")
    assert first.mean(axis=(1, 2)).round(2).tolist() == [0.51, 0.75]
    assert second.mean(axis=(1, 2)).round(2).tolist() == [0.56, 0.7]
    difference = (first[1] - first[0]).ravel(), (second[1] - second[0]).ravel()
    assert [round(float(one.mean()), 2) for one in difference] == [0.24, 0.14]
    assert round(float(stats.sem(difference[0])), 2) == 0.05
    customer = np.repeat(np.arange(10), 8)
    preference, bias, _ = TRUTH.true_judged(difference[0][None], difference[1][None], customer)
    assert float(bias[0]) == pytest.approx(0.05, rel=1e-9)
    assert round(float(preference[0]), 2) == 0.19
    # One run of each, ten customers, eight prompts.
    runs = 2 * 0.03**2
    assert round(math.sqrt(runs), 2) == 0.04
    assert round(math.sqrt(runs + 0.1**2 / 10 + 0.1**2 / 80 + 2 * 0.3**2 / 80), 2) == 0.07


# -- the key, and what is said of it


def of(design: Design, nature: World, sims: int = 2000) -> Runs:
    with np.errstate(all="ignore"):
        return run(design, nature, sims, 2)


def changed(*changes: tuple[str, object]) -> Design:
    design = MODEL
    for path, value in changes:
        design = vary(design, path, value)
    return design


def test_what_is_true_in_the_worlds() -> None:
    assert {trial.name: trial.truth for trial in TRUTH.KEY.trials} == {
        "no better": 0,
        "longer answers": 0,
        "customers it has seen": 0,
        "worse and nicer": pytest.approx(-0.08),
        "better": pytest.approx(0.08),
    }
    for nature in WORLDS.values():
        assert all(getattr(nature, name) == value for name, value in TRUTH.KNOWN.items())


@pytest.mark.parametrize(
    ("world", "part", "value", "bias"),
    [
        ("no better", "metrics.mark.order", "fixed", 0.05),
        ("longer answers", "controlled", {}, 0.06),
        ("customers it has seen", "evaluation.held_out", "items", 0.1),
        ("customers it has seen", "evaluation.held_out", "deduplicated", 0.1),
        ("worse and nicer", "metrics.mark.construct", "preferred", 0.16),
        ("better", "metrics.mark.construct", "preferred", 0.032 - 0.08),
    ],
)
def test_what_is_planted_leads_the_judge_by_what_is_said(
    world: str, part: str, value: object, bias: float
) -> None:
    for name, nature in WORLDS.items():
        truth = next(trial.truth for trial in TRUTH.KEY.trials if trial.name == name)
        held = of(MODEL, nature).estimate
        assert abs(held.mean() - truth) < 4 * held.std() / math.sqrt(len(held)), name
        if name == world:
            found = of(changed((part, value)), nature).estimate
            assert abs(found.mean() - truth - bias) < 4 * found.std() / math.sqrt(len(found))


def test_the_shares_of_the_variance_and_what_they_cost() -> None:
    shares = 2 * 0.03**2 / 7, 0.1**2 / 44, 0.1**2 / 352, 2 * 0.3**2 / (7 * 352)
    assert [round(share, 6) for share in shares] == [0.000257, 0.000227, 0.000028, 0.000073]
    assert round(math.sqrt(sum(shares)), 4) == 0.0242
    estimate = of(MODEL, TRUTH.NOTHING, 4000).estimate
    assert estimate.std() == pytest.approx(math.sqrt(sum(shares)), rel=0.04)
    assert round(0.05**2 / 352, 6) == 0.000007
    assert (
        round(
            planned_cost(MODEL, TRUTH.KEY)
            - planned_cost(changed(("metrics.mark.order", "random")), TRUTH.KEY),
            1,
        )
        == 9.9
    )
    assert round(shares[0] - 2 * 0.03**2 / 8, 6) == 0.000032
    assert round(shares[1] - 0.1**2 / 50, 6) == 0.000027
    for part, value, more in (("seeds.count", 8, 8.8), ("evaluation.groups", 50, 8.7)):
        price = planned_cost(changed((part, value)), TRUTH.KEY) - planned_cost(MODEL, TRUTH.KEY)
        assert round(price, 1) == more


@pytest.mark.parametrize(
    ("changes", "power", "price"),
    [
        ((), 0.89, 105.7),
        ((("metrics.mark.order", "random"),), 0.89, 95.9),
        ((("seeds.count", 3),), 0.52, 70.4),
        ((("evaluation.groups", 10),), 0.43, 56.5),
        ((("metrics.mark.order", "random"), ("seeds.count", 6), ("evaluation.groups", 40)), 0.83, 83.7),
    ],
)
def test_the_table_of_designs(changes: tuple[tuple[str, object], ...], power: float, price: float) -> None:
    design = changed(*changes)
    assert round(planned_cost(design, TRUTH.KEY), 1) == price
    assert of(design, TRUTH.ENOUGH).claim.mean() == pytest.approx(power, abs=0.03)


OVER_GROUPS = (("test.unit", "groups"), ("test.paired", True))


@pytest.mark.parametrize(
    ("world", "changes", "rate"),
    [
        ("no better", (("metrics.mark.order", "fixed"),), 0.52),
        ("longer answers", (("controlled", {}),), 0.44),
        ("customers it has seen", (("evaluation.held_out", "deduplicated"),), 0.98),
        ("worse and nicer", (("metrics.mark.construct", "preferred"),), 0.89),
        ("no better", OVER_GROUPS, 0.13),
        ("no better", (("test.unit", "seeds"),), 0.12),
        ("no better", (("test", Analysis()), ("controlled", {"answer length": "adjusted"})), 0.12),
        ("no better", (("test.unit", "items"), ("test.paired", True)), 0.35),
        ("no better", (("stopping", Stopping(9, "groups", "none")),), 0.16),
        ("no better", (("seeds.count", 1), *OVER_GROUPS), 0.28),
        (
            "no better",
            (
                ("metrics", tuple(Metric(str(n), "judge", "solved", "random") for n in range(4))),
                ("decision.outcomes", "any"),
            ),
            0.17,
        ),
    ],
)
def test_the_claims_of_what_lacks_a_thing(
    world: str, changes: tuple[tuple[str, object], ...], rate: float
) -> None:
    found = of(changed(*changes), WORLDS[world])
    assert (found.claim & (found.estimate > 0) if world == "worse and nicer" else found.claim).mean() == (
        pytest.approx(rate, abs=0.03)
    )


def test_how_often_the_falsifier_fires() -> None:
    assert of(MODEL, TRUTH.NOTHING).falsified.mean() == pytest.approx(0.89, abs=0.025)
    assert of(MODEL, TRUTH.ENOUGH).falsified.mean() == pytest.approx(0.02, abs=0.012)
    absence = changed(("falsifier.rule", "not_significant"))
    assert of(absence, TRUTH.ENOUGH).falsified.mean() == pytest.approx(0.11, abs=0.025)
    assert of(absence, WORLDS["worse and nicer"]).falsified.mean() < 0.15


# -- the experiments of others


def test_the_experiments_of_others_are_sound() -> None:
    """With their declared analysis they earn everything: what is lost there is lost by the answer."""
    for design, key, sims in TRUTH.HOUSE:
        totals = [score(plain(design), None, key, sims, seed).total for seed in range(3)]
        assert min(totals) == 1.0


def test_the_worked_analysis_is_the_declared_one() -> None:
    for design, key, _ in TRUTH.HOUSE:
        for trial in key.trials:
            declared = run(design, trial.world, 60, 4)
            own = run(design, trial.world, 60, 4, analyse=TRUTH.analyse)
            for name in ("estimate", "low", "high"):
                np.testing.assert_allclose(getattr(own, name), getattr(declared, name), rtol=1e-9, atol=1e-12)
            assert (own.claim == (declared.claim & (declared.estimate > 0))).all()


def test_three_runs_have_about_four_degrees_of_freedom() -> None:
    design, key, _ = TRUTH.HOUSE[1]
    found = run(design, key.trials[0].world, 3000, 5)
    error = (found.estimate - found.low) / 1.0
    # The interval of the normal, from the same standard error, whose degrees of freedom are found from p.
    normal = run(vary(design, "test.method", "z"), key.trials[0].world, 3000, 5)
    ratio = error / (normal.estimate - normal.low) * stats.norm.isf(0.025)
    df = [optimize.brentq(lambda d, r=r: stats.t.isf(0.025, d) - r, 1.5, 500) for r in ratio[:300]]
    assert 3 < np.median(df) < 5
    assert 1 / 11 < ((normal.low > 0) | (normal.high < 0)).mean() < 1 / 7.5


def test_the_mean_over_arms_of_weight_zero_changes_nothing() -> None:
    """The third assistant of the larger experiment is not in the estimand."""
    design, key, _ = TRUTH.HOUSE[0]
    assert design.arm_weights == (1.0, 0.0, -1.0)
    question = Estimand({"new": 1, "current": -1})
    assert [trial.world.truth(question) for trial in key.trials] == [0.0, pytest.approx(0.3)]
