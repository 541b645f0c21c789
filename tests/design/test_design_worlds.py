"""Every world against its closed form, and each part of a design against what it does to it.

The chances are taken over 4,000 simulations; ``near`` allows 3.5 Monte Carlo errors.
"""

from __future__ import annotations

import math

import pytest
from scipy import integrate, stats

from fourrounds.design import (
    Arm,
    Decision,
    Design,
    Estimand,
    EvaluationSet,
    Falsifier,
    Metric,
    Row,
    Seeds,
    Stopping,
    Test,
    Tuning,
    World,
    diagnose,
    power,
    worlds,
)
from fourrounds.design.stopping import critical_values, crossing_probability
from support.designs import arms, near, over_groups, over_seeds, rejects, two_variances, unit

SIMS = 4000


def row(design: Design, world: World, **options: object) -> Row:
    return diagnose(design, world, SIMS, 11, **options).rows[0]  # type: ignore[arg-type]


# --- null and true effect ---


@pytest.mark.parametrize(
    "test",
    [
        Test("seeds", equal_variances=True),
        Test("seeds", paired=True),
        Test("seeds", equal_variances=True, alpha=0.2),
        Test("seeds", equal_variances=True, sides=1),
    ],
)
def test_null(test: Test) -> None:
    found = row(over_seeds(5, test=test), unit())
    near(found["false_positives"], test.alpha)
    near(found["coverage"], 1 - test.alpha)
    near(found["bias"], 0)
    near(found["sd"], math.sqrt(2 / 5))


def test_null_under_z_with_few_seeds() -> None:
    """The normal's quantile where the t's is due: 2 P(T_8 > 1.96) false positives."""
    found = row(over_seeds(5, test=Test("seeds", equal_variances=True, method="z")), unit())
    near(found["false_positives"], 2 * stats.t.sf(stats.norm.isf(0.025), 8))


@pytest.mark.parametrize(("n", "paired", "due"), [(5, False, 12 / 252), (4, False, 2 / 70), (5, True, 0.0)])
def test_null_under_exact_permutation(n: int, paired: bool, due: float) -> None:
    """The attained level is a multiple of 2 over the number of arrangements; 2/2^5 is above .05."""
    found = row(over_seeds(n, test=Test("seeds", paired=paired, method="permutation")), unit())
    near(found["false_positives"], due)


@pytest.mark.parametrize(("effect", "n"), [(0.2, 50), (0.5, 5), (1.0, 10), (2.0, 3)])
def test_true_effect(effect: float, n: int) -> None:
    found = row(over_seeds(n), unit(effect))
    near(found["power"], power.t_power(effect, n))
    near(found["coverage"], 0.95)
    near(found["bias"], 0)
    near(found["rmse"], math.sqrt(2 / n))


@pytest.mark.parametrize(("effect", "n"), [(0.2, 50), (0.3, 50), (0.2, 20)])
def test_type_s_and_exaggeration(effect: float, n: int) -> None:
    """The noncentral t's lower tail over both; and E|estimate| where significant, by integration."""
    df, se, critical = 2 * n - 2, math.sqrt(2 / n), stats.t.isf(0.025, 2 * n - 2)
    noncentrality = effect / se
    lower = stats.nct.cdf(-critical, df, noncentrality)
    found = row(over_seeds(n), unit(effect))
    near(found["type_s"], lower / power.t_power(effect, n))

    def size(x: float) -> float:
        """|x| times the density of an estimate x and the chance that the spread leaves it significant."""
        return abs(x) * stats.norm.pdf(x, effect, se) * stats.chi2.cdf(df * (x / se / critical) ** 2, df)

    mean = sum(integrate.quad(size, *side, limit=200)[0] for side in ((-5, 0), (0, 5)))
    near(found["exaggeration"], mean / power.t_power(effect, n) / effect)


# --- heteroskedastic ---


@pytest.mark.parametrize(("n", "sd"), [((20, 5), (1, 4)), ((5, 20), (1, 4)), ((5, 5), (1, 3))])
def test_heteroskedastic(n: tuple[int, int], sd: tuple[float, float]) -> None:
    arms = Arm("baseline", seeds=n[0]), Arm("treatment", seeds=n[1])
    world = worlds.heteroskedastic(sd[1] / sd[0], noise=sd[0])
    welch, student = two_variances(n, sd)
    near(row(over_seeds(5, arms=arms, test=Test("seeds")), world)["false_positives"], welch)
    near(row(over_seeds(5, arms=arms), world)["false_positives"], student)
    assert welch < 0.07


# --- confounded ---

CONFOUNDED = worlds.confounded(0.2, 0.5, effect=0.5, noise=1.0)


@pytest.mark.parametrize(
    ("control", "bias"), [(None, 0.1), ("fixed", 0), ("matched", 0), ("randomised", 0), ("adjusted", 0)]
)
def test_confounded(control: str | None, bias: float) -> None:
    controlled = {} if control is None else {"model size": control}
    found = row(over_seeds(50, controlled=controlled), CONFOUNDED)
    near(found["bias"], bias)
    near(found["coverage"], 0.95 if control else 1 - rejects(0.1, 0.2 * math.sqrt(1.0075), 1.9845, 98, 0.2))


def test_a_matched_factor_cancels_in_pairs() -> None:
    world = worlds.confounded(3.0, 0.5, noise=1.0)
    paired = over_seeds(10, controlled={"model size": "matched"}, test=Test("seeds", paired=True))
    near(row(paired, world)["sd"], math.sqrt(2 / 10))
    near(row(paired, world)["false_positives"], 0.05)
    random = over_seeds(10, controlled={"model size": "randomised"})
    near(row(random, world)["sd"], math.sqrt(2 * (1 + 9 / 4) / 10))


# --- leaky ---


@pytest.mark.parametrize(
    ("held_out", "bias"), [("items", 0.2 * 0.4 + 0.8 * 0.05), ("deduplicated", 0.05), ("groups", 0.0)]
)
@pytest.mark.parametrize("kind", ["score", "accuracy"])
def test_leaky(held_out: str, bias: float, kind: str) -> None:
    """A leaked item scores 1: rate * (1 - accuracy); the gain on known groups shows in the others."""
    world = worlds.leaky(0.2, kinship=0.05, means={"baseline": 0.6, "treatment": 0.6})
    evaluation = EvaluationSet(groups=2, items=20, held_out=held_out)
    design = over_seeds(3, evaluation=evaluation, metrics=Metric(kind=kind))
    near(row(design, world)["bias"], bias)


def test_nothing_held_out() -> None:
    world = worlds.leaky(0.2)
    found = row(over_seeds(3, evaluation=EvaluationSet(1, 5, held_out="none")), world)
    near(found["bias"], 0.5)


# --- clustered items and random language effects ---


def test_clustered() -> None:
    """m = 10, icc = .71: .471 in a large sample, and .05 where groups are the unit."""
    world = worlds.clustered(0.71)
    design = over_groups(100, 10, test=Test("items", paired=True))
    near(row(design, world)["false_positives"], power.clustered_false_positives(10, 0.71))
    near(row(over_groups(100, 10), world)["false_positives"], 0.05)
    near(row(over_groups(5, 10), world)["false_positives"], 0.05)


def test_clustered_power_is_that_of_the_groups() -> None:
    world = worlds.clustered(0.3, sd=0.5, effect=0.2)
    found = row(over_groups(12, 10), world)
    sd = 0.5 * math.sqrt(power.design_effect(10, 0.3) / 10)
    near(found["power"], power.t_power(0.2 / sd, 12, paired=True))
    near(found["sd"], sd / math.sqrt(12))


def test_random_language_effect_has_a_floor() -> None:
    """However many seeds: sqrt(spread^2 / L)."""
    world = worlds.random_language_effect(0.1, 0.2, noise=0.5)
    evaluation = EvaluationSet(groups=8, items=5)
    for seeds in (2, 40):
        design = over_seeds(seeds, evaluation=evaluation, test=Test("groups", paired=True))
        sd = math.sqrt(0.2**2 + 2 * 0.5**2 / (5 * seeds))
        found = row(design, world)
        near(found["sd"], sd / math.sqrt(8))
        near(found["power"], power.t_power(0.1 / sd, 8, paired=True))
        assert found["sd"].value > 0.2 / math.sqrt(8) - 0.002


def test_seeds_as_the_unit_do_not_see_the_languages() -> None:
    """A test over runs takes sqrt(2 s^2 / R) for the error, where spread^2 / L must be added."""
    world = worlds.random_language_effect(0.0, 0.2, noise=0.5)
    design = over_seeds(5, evaluation=EvaluationSet(groups=8, items=5))
    run = math.sqrt(2 * 0.5**2 / (8 * 5) / 5)
    truth = math.hypot(run, 0.2 / math.sqrt(8))
    near(row(design, world)["false_positives"], rejects(0, truth, stats.t.isf(0.025, 8), 8, run))


@pytest.mark.parametrize("spread", [0.0, 0.2])
@pytest.mark.parametrize("run", [0.0, 0.1])
def test_crossed_keeps_alpha_whatever_varies(spread: float, run: float) -> None:
    world = worlds.random_language_effect(0.0, spread, noise=0.2, run=run)
    design = over_seeds(6, evaluation=EvaluationSet(groups=10, items=2), test=Test("crossed", paired=True))
    found = row(design, world)
    sd = math.sqrt(spread**2 / 10 + 2 * run**2 / 6 + 2 * 0.2**2 / (10 * 2 * 6))
    near(found["sd"], sd)
    assert found["false_positives"].value - 3.5 * found["false_positives"].se <= 0.055


def test_arms_on_different_items_do_not_share_their_difficulty() -> None:
    world = worlds.null(group=0.3, item=0.4, noise=0.1)
    sd = {True: math.sqrt(2 * 0.01 / 12), False: math.sqrt(2 * (0.09 / 4 + 0.16 / 12 + 0.01 / 12))}
    for same, due in sd.items():
        evaluation = EvaluationSet(4, 3, same_items=same)
        near(row(over_seeds(1, evaluation=evaluation, test=Test("items")), world)["sd"], due)


def test_two_arms_of_one_method_share_their_gains() -> None:
    same = Arm("one", "baseline"), Arm("two", "baseline")
    world = worlds.random_language_effect(0.3, 0.5)
    near(row(over_groups(6, 2, arms=same), world)["sd"], 0.5 / math.sqrt(6))
    apart = over_groups(
        6, 2, arms=same, evaluation=EvaluationSet(6, 2, same_items=False), test=Test("groups")
    )
    near(row(apart, world)["sd"], math.sqrt(0.25 / 6 + 0.25 / 6))


# --- selective reports ---


def test_best_of_k() -> None:
    """Best of 5 against the mean of 5: ahead in 93.1 % of nulls, by 1.16 standard deviations."""
    world = worlds.best_of_k(0.1)
    design = over_seeds(5, arms=arms(report=("mean", "best")), decision=Decision("larger"))
    found = row(design, world)
    near(found["bias"], 0.1 * power.expected_maximum(5))
    wins, _ = integrate.quad(
        lambda x: stats.norm.pdf(x, scale=math.sqrt(1 / 5)) * (1 - stats.norm.cdf(x) ** 5), -8, 8
    )
    assert wins == pytest.approx(0.931, abs=5e-4)
    near(found["false_positives"], wins)


def test_best_of_k_on_both_sides_is_fair_and_on_fewer_seeds_is_not() -> None:
    both = arms(report=("best", "best"))
    near(row(over_seeds(5, arms=both, decision=Decision("larger")), worlds.best_of_k(0.1))["bias"], 0)
    fewer = Arm("baseline", seeds=2, report="best"), Arm("treatment", seeds=10, report="best")
    due = 0.1 * (power.expected_maximum(10) - power.expected_maximum(2))
    near(row(over_seeds(5, arms=fewer, decision=Decision("larger")), worlds.best_of_k(0.1))["bias"], due)


@pytest.mark.parametrize("looks", [2, 5, 10])
@pytest.mark.parametrize("boundary", ["none", "bonferroni", "pocock", "obrien_fleming"])
def test_peeking(looks: int, boundary: str) -> None:
    """.142 at 5 and .193 at 10 uncorrected looks (large samples); .05 with a boundary that spends alpha."""
    design = over_seeds(100 * looks, stopping=Stopping(looks, "seeds", boundary))
    found = diagnose(design, worlds.peeking(), 2000, 5).rows[0]
    near(found["false_positives"], crossing_probability(critical_values(boundary, looks)))


@pytest.mark.parametrize("over", ["items", "groups"])
def test_peeking_over_items_or_groups(over: str) -> None:
    size = {"items": EvaluationSet(1, 400), "groups": EvaluationSet(400, 1)}[over]
    design = over_seeds(1, evaluation=size, test=Test("items", paired=True), stopping=Stopping(4, over))
    found = row(design, worlds.null())
    near(found["false_positives"], crossing_probability(critical_values("none", 4)))


def test_an_experiment_that_stops_early_costs_less() -> None:
    """The chance of each look to be the last, from the boundary itself."""
    critical = critical_values("pocock", 4)
    design = over_seeds(400, stopping=Stopping(4, "seeds", "pocock"))
    found = diagnose(design, unit(0.2), 2000, 5).rows[0]
    drift = 0.2 * math.sqrt(400 / 2)
    stopped = [0.0] + [crossing_probability(critical[:j], drift * math.sqrt(j / 4)) for j in (1, 2, 3)]
    near(found["cost"], 200 * sum(1 - s for s in stopped))
    near(found["power"], crossing_probability(critical, drift))


@pytest.mark.parametrize(("correction", "level"), [("none", 0.05), ("bonferroni", 0.005), ("holm", 0.005)])
def test_many_outcomes(correction: str, level: float) -> None:
    design = over_seeds(
        5,
        metrics=tuple(Metric(f"metric {k}") for k in range(10)),
        correction=correction,
        decision=Decision(outcomes="any"),
    )
    near(row(design, worlds.many_outcomes())["false_positives"], power.familywise(level, 10))


def test_outcomes_that_are_one_outcome_are_tested_once() -> None:
    metrics = tuple(Metric(f"metric {k}") for k in range(5))
    design = over_seeds(5, metrics=metrics, decision=Decision(outcomes="any"))
    near(row(design, worlds.many_outcomes(1.0))["false_positives"], 0.05)


def test_all_outcomes_must_agree() -> None:
    design = over_seeds(5, metrics=(Metric("a"), Metric("b")), decision=Decision(outcomes="all"))
    near(row(design, unit(1.0))["power"], power.t_power(1.0, 5) ** 2)


def test_holm_finds_more_than_bonferroni_where_effects_are_many() -> None:
    """Of two metrics, one with an effect so large that it is always found, the other is tested at alpha."""
    world = unit(1.0, constructs={"target": 1.0, "sure": 50.0})
    metrics = Metric("a"), Metric("b", construct="sure")
    for correction, level in (("bonferroni", 0.025), ("holm", 0.05)):
        design = over_seeds(5, metrics=metrics, correction=correction)
        near(row(design, world)["power"], power.t_power(1.0, 5, alpha=level))


def test_a_metric_of_something_else() -> None:
    world = unit(1.0, constructs={"target": 1.0, "fluency": 0.25})
    found = row(over_seeds(10, metrics=Metric("BLEU", construct="fluency")), world)
    near(found["bias"], -0.75)
    near(found["power"], power.t_power(0.25, 10))


# --- tuning ---


@pytest.mark.parametrize("each_run", [False, True])
def test_unequal_tuning(each_run: bool) -> None:
    """20 configurations against 1: 1.867 spreads."""
    tuning = Tuning(each_run=each_run)
    found = row(over_seeds(3, arms=arms((1, 20)), tuning=tuning), worlds.unequal_tuning(0.05))
    near(found["bias"], 0.05 * power.expected_maximum(20))
    assert found["cost"].value == (63 if each_run else 25)
    equal = row(over_seeds(3, arms=arms((20, 20)), tuning=tuning), worlds.unequal_tuning(0.05))
    near(equal["bias"], 0)


@pytest.mark.parametrize(("select_on", "gain"), [("validation", 0.06 * 0.6), ("test", 0.1)])
def test_selection(select_on: str, gain: float) -> None:
    """Spread .06, error .08, together .1: the best seen is worth .06 * .06 / .1, or on the test set .1."""
    world = worlds.unequal_tuning(0.06, selection_noise=0.08, noise=0.1)
    found = row(over_seeds(2, arms=arms((1, 10)), tuning=Tuning(select_on)), world)
    near(found["bias"], gain * power.expected_maximum(10))


def test_a_configuration_found_once_is_luck_that_runs_do_not_see() -> None:
    """Equal budgets: no bias, but the spread of the best of 1 is in the error and not in its estimate."""
    world = worlds.unequal_tuning(0.3, noise=1.0)
    once, each = (over_seeds(5, tuning=Tuning(each_run=each)) for each in (False, True))
    run = math.sqrt(2 / 5)
    truth = math.sqrt(2 * 0.09 + 2 / 5)
    near(row(once, world)["false_positives"], rejects(0, truth, stats.t.isf(0.025, 8), 8, run))
    near(row(each, world)["false_positives"], 0.05)


# --- interaction, ceiling, divergence, order ---

MORE = Estimand({"treatment": 1, "baseline": -1}, {"low": 1, "high": -1})


def test_interaction() -> None:
    """A main effect of .2 and no interaction: who tests the main effect claims, and is off by all of it."""
    world = worlds.interaction(0.2, 0.0)
    sets = EvaluationSet({"low": 4, "high": 4}, 10)
    main = row(over_seeds(5, evaluation=sets), world, question=MORE)
    assert main.truth == 0
    near(main["bias"], 0.2)
    assert main["false_positives"].value > 0.95
    right = row(over_seeds(5, evaluation=sets, estimand=MORE), world, question=MORE)
    near(right["bias"], 0)
    near(right["false_positives"], 0.05)


@pytest.mark.parametrize("test", [Test("seeds", equal_variances=True), Test("items", paired=True)])
def test_interaction_power(test: Test) -> None:
    """Four cells: the variance is four times that of the main effect over the same items."""
    world = worlds.interaction(0.2, 0.1, noise=0.5)
    design = over_seeds(5, evaluation=EvaluationSet({"low": 4, "high": 4}, 10), estimand=MORE, test=test)
    found = row(design, world, question=MORE)
    assert found.truth == pytest.approx(0.1)
    se = math.sqrt(4 * 0.5**2 / (5 * 4 * 10))
    near(found["sd"], se)
    df = {"seeds": 8, "items": 78}[test.unit]
    near(found["power"], rejects(0.1, se, stats.t.isf(0.025, df), df, se))
    main = row(over_seeds(5, evaluation=EvaluationSet({"low": 4, "high": 4}, 10)), world)
    near(main["sd"], se / 2)


def test_one_stratum_only() -> None:
    low = Estimand({"treatment": 1, "baseline": -1}, {"low": 1})
    world = worlds.interaction(0.2, 0.1)
    mixed = row(over_seeds(5), world, question=low)
    assert mixed.truth == pytest.approx(0.3)
    near(mixed["bias"], -0.05)
    right = row(over_seeds(5, estimand=low, evaluation=EvaluationSet({"low": 2, "high": 2}, 5)), world)
    near(right["bias"], 0)


def test_ceiling() -> None:
    world = worlds.ceiling(0.2, 0.8, noise=0.2)
    evaluation = EvaluationSet(2, 20)
    shown = power.mean_below_ceiling(1.0, 0.2, 1.0) - power.mean_below_ceiling(0.8, 0.2, 1.0)
    near(row(over_seeds(3, evaluation=evaluation), world)["bias"], shown - 0.2)
    harder = EvaluationSet(2, 20, difficulty=0.4)
    shown = power.mean_below_ceiling(0.6, 0.2, 1.0) - power.mean_below_ceiling(0.4, 0.2, 1.0)
    near(row(over_seeds(3, evaluation=harder), world)["bias"], shown - 0.2)
    assert abs(shown - 0.2) < 0.005


def test_dropped_divergences() -> None:
    """The survivors' mean; a rerun gives the same, and costs 1/(1 - p) runs for each."""
    world = worlds.dropped_divergences(-0.5, 0.1)
    due = {"count": 0.0, "drop": 0.1 * power.mean_above(-0.5), "rerun": 0.1 * power.mean_above(-0.5)}
    for diverged, bias in due.items():
        found = row(over_seeds(20, seeds=Seeds(20, diverged)), world)
        near(found["bias"], bias)
        if diverged == "rerun":
            near(found["cost"], 20 + 20 / stats.norm.sf(-0.5))
        else:
            assert found["cost"].value == 40


def test_all_runs_can_be_lost() -> None:
    """With one run a dropped one leaves no estimate: that is counted, and is no claim."""
    world = worlds.dropped_divergences(-0.5, 0.1)
    design = over_seeds(1, seeds=Seeds(1, "drop"), decision=Decision("larger"))
    near(row(design, world)["failed"], stats.norm.cdf(-0.5))


@pytest.mark.parametrize(("order", "bias", "cost"), [("fixed", 0.1, 60), ("random", 0, 60), ("both", 0, 120)])
def test_order(order: str, bias: float, cost: float) -> None:
    world = worlds.order_biased(0.1, price_run=0.0, price_item=1.0)
    metric = Metric("preference", "judge", order=order)
    found = row(over_seeds(3, evaluation=EvaluationSet(2, 5), metrics=metric), world)
    near(found["bias"], bias)
    assert found["cost"].value == cost


# --- the measurement and the runs ---


@pytest.mark.parametrize("paired", [False, True])
def test_accuracy(paired: bool) -> None:
    """Right or wrong: sqrt(p(1-p)/n) for each arm, independently given the means."""
    world = worlds.true_effect(0.1, means={"baseline": 0.7, "treatment": 0.8})
    design = over_groups(1, 500, metrics=Metric(kind="accuracy"), test=Test("items", paired=paired))
    found = row(design, world)
    se = math.sqrt(0.21 / 500 + 0.16 / 500)
    near(found["bias"], 0)
    near(found["sd"], se)
    near(found["power"], float(stats.norm.sf(1.96 - 0.1 / se)))


def test_miller() -> None:
    """Enough questions for 80 % by his formula, with resampled answers."""
    omega2, sigma2, resamples = 1 / 9, 1 / 6, 4
    n = math.ceil(power.eval_sample_size(0.1, omega2, (sigma2, sigma2), (resamples, resamples)))
    world = World(
        "evals",
        {"baseline": 0.5, "treatment": 0.6},
        noise=math.sqrt(sigma2),
        item=0.3,
        item_effect=math.sqrt(omega2),
    )
    design = over_seeds(resamples, evaluation=EvaluationSet(1, n), test=Test("items", paired=True))
    found = row(design, world)
    near(found["sd"], math.sqrt((omega2 + 2 * sigma2 / resamples) / n))
    near(found["power"], power.t_power(0.1 / (found["sd"].value * math.sqrt(n)), n, paired=True))


def test_every_score_as_an_observation() -> None:
    """Runs of one item are not independent: the item's own effect is counted R times."""
    world = worlds.null(item_effect=0.5, noise=0.5)
    design = over_seeds(4, evaluation=EvaluationSet(1, 200), test=Test("observations", paired=True))
    sd = math.sqrt(0.25 + 2 * 0.25 / 4)
    wrong = math.sqrt((0.25 + 2 * 0.25) / 4)
    due = 2 * stats.norm.sf(1.96 * wrong / sd)
    near(row(design, world)["false_positives"], due)
    near(
        row(over_seeds(4, evaluation=EvaluationSet(1, 200), test=Test("items", paired=True)), world)[
            "false_positives"
        ],
        0.05,
    )


@pytest.mark.parametrize(("paired", "due"), [(True, 0.473), (False, 0.027)])
def test_paired_seeds(paired: bool, due: float) -> None:
    """Run effects that correlate .9 between arms, an effect of half a standard deviation, 5 seeds."""
    world = unit(0.5, noise=0.0, run=1.0, run_shared=0.9)
    found = row(over_seeds(5, test=Test("seeds", paired=paired, equal_variances=True)), world)
    near(found["power"], due)
    if paired:
        near(found["power"], power.t_power(0.5 / math.sqrt(0.2), 5, paired=True))
    near(found["sd"], math.sqrt(0.2 / 5))


def test_a_source_that_does_not_vary_is_seen_once() -> None:
    world = unit(noise=0.0, run={"initialisation": 0.6, "split": 0.8})
    near(row(over_seeds(4), world)["sd"], math.sqrt(2 / 4))
    fixed = row(over_seeds(4, varies=("initialisation",)), world)
    near(fixed["sd"], math.sqrt(2 * (0.36 / 4 + 0.64)))
    near(
        fixed["false_positives"],
        rejects(0, math.sqrt(2 * (0.09 + 0.64)), stats.t.isf(0.025, 6), 6, math.sqrt(0.18)),
    )


def test_three_arms() -> None:
    """The default contrast is the mean of the others less the baseline: 1.5 variances instead of 2."""
    world = World("three", {"a": 0.0, "b": 1.0, "c": 2.0}, noise=1.0)
    design = over_seeds(6, arms=(Arm("a"), Arm("b"), Arm("c")))
    found = row(design, world)
    assert found.truth == pytest.approx(1.5)
    near(found["sd"], math.sqrt(1.5 / 6))
    trend = over_seeds(6, arms=(Arm("a"), Arm("b"), Arm("c")), estimand=Estimand({"c": 0.5, "a": -0.5}))
    near(row(trend, world)["sd"], math.sqrt(0.5 / 6))


# --- decisions ---


def test_falsifiers() -> None:
    """The upper end of the interval below the smallest effect worth finding: power against that effect."""
    se, critical = math.sqrt(2 / 20), stats.t.isf(0.025, 38)
    estimand = Estimand(minimum=1.0)
    for truth in (0.0, 1.0):
        world = unit(truth)
        found = row(over_seeds(20, estimand=estimand), world)
        # P(T' < -t) with the effect measured from the margin.
        near(found["falsified"], float(stats.nct.cdf(-critical, 38, (truth - 1.0) / se)))
        near(
            row(over_seeds(20, estimand=estimand, falsifier=Falsifier("estimate_below")), world)["falsified"],
            float(stats.norm.cdf((1.0 - truth) / se)),
        )
        claims = 0.05 if truth == 0 else power.t_power(1.0, 20)
        near(row(over_seeds(20, falsifier=Falsifier("not_significant")), world)["falsified"], 1 - claims)
        assert row(over_seeds(20, falsifier=Falsifier("never")), world)["falsified"].value == 0


def test_an_interval_above_a_margin() -> None:
    design = over_seeds(20, decision=Decision("interval_above", 0.5))
    critical = stats.t.isf(0.025, 38)
    near(row(design, unit(1.0))["power"], float(stats.nct.sf(critical, 38, 0.5 / math.sqrt(2 / 20))))


def test_prices() -> None:
    world = unit(price_run=2.0, price_item=0.1, price_group=5.0)
    design = Design(evaluation=EvaluationSet(3, 4), seeds=Seeds(2), metrics=(Metric("a"), Metric("b")))
    assert row(design, world)["cost"].value == pytest.approx(4 * 2 + 4 * 3 * 4 * 2 * 0.1 + 3 * 5)


@pytest.mark.parametrize("make", worlds.CATALOGUE)
def test_every_world_of_the_catalogue_runs_the_default_design(make: object) -> None:
    world = make()  # type: ignore[operator]
    found = diagnose(Design(seeds=Seeds(2)), world, 50, 0).rows[0]
    assert found["failed"].value == 0
