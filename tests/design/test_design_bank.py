"""Bank worlds against a second route: loops over the bank's table, one run and one item at a time."""

from __future__ import annotations

import itertools
import math
import statistics
import time

import numpy as np
import pytest
from scipy import stats

from fourrounds.design import (
    Arm,
    Design,
    DesignError,
    Estimand,
    EvaluationSet,
    Metric,
    Seeds,
    Stopping,
    Test,
    Tuning,
    bank,
    diagnose,
    draw,
    vary,
)
from fourrounds.design.run import run
from fourrounds.design.simulate import Streams
from fourrounds.runbank import FAMILIES, Lab, load
from fourrounds.runbank.families import Config
from fourrounds.runbank.findings import tuned_rate
from support.designs import ERRORS, near

WORLDS = {make.__name__: make() for make in bank.CATALOGUE}
BLOCK = 0


def two(world: bank.BankWorld, budget: tuple[int, int] = (1, 1), **parts: object) -> Design:
    """The first and the last method of a world, the last one as the treatment."""
    names = list(world.methods)
    arms = (Arm("one", names[0], budget[0]), Arm("two", names[-1], budget[1]))
    groups: object = dict.fromkeys(world.strata, 3) if world.strata else 3
    return Design(arms=arms, **{"evaluation": EvaluationSet(groups, 7), "seeds": Seeds(4), **parts})  # type: ignore[arg-type]


def question(world: bank.BankWorld) -> Estimand:
    names = list(world.methods)
    return Estimand({names[-1]: 1, names[0]: -1})


def config(world: bank.BankWorld, method: str, stratum: str, held_out: str) -> dict[str, object]:
    """The configuration that is run, without its learning rate."""
    arm = world.one or method
    complete = dict(FAMILIES[world.family].reference)
    for changes in (
        world.methods[arm],
        world.strata.get(stratum, {}),
        world.leaks.get(held_out, {}).get(method, {}),
    ):
        complete.update(changes)
    return complete


def rates(world: bank.BankWorld, method: str, complete: dict[str, object]) -> list[object]:
    family = FAMILIES[world.family]
    if method in world.rates:
        return list(world.rates[method])
    known = list(family.rates(complete))  # type: ignore[arg-type]
    first = family.reference["lr"]
    return [first, *(lr for lr in known if lr != first)] if first in known else known


@pytest.mark.parametrize("held_out", ["none", "items", "deduplicated", "groups"])
@pytest.mark.parametrize("name", WORLDS)
def test_every_score_is_that_of_a_real_run_on_a_real_item(name: str, held_out: str) -> None:
    for world in (WORLDS[name], WORLDS[name].null()):
        design = vary(two(world, (1, 3)), "evaluation.held_out", held_out)
        data = draw(design, world, 3, 5)
        bought = world.buy(design, 3, Streams(5, BLOCK))
        strata = list(design.evaluation.strata)
        table = load(world.family)
        for a, arm in enumerate(design.arms):
            for g, stratum in enumerate(data.stratum):
                complete = config(world, arm.method, strata[stratum], held_out)
                levels = rates(world, arm.method, complete)
                for s, r in itertools.product(range(3), range(4)):
                    runs = table.of({**complete, "lr": levels[bought.rate[s, a, r]]})  # type: ignore[dict-item]
                    seed = int(bought.seed[s, a, r])
                    assert runs["init_seed"][seed] == seed
                    correct = runs.correct[seed]
                    for i in range(7):
                        assert data.scores[s, 0, a, r, g, i] == correct[bought.items[s, a, g, i]]


@pytest.mark.parametrize("select_on", ["validation", "test"])
@pytest.mark.parametrize("each_run", [False, True])
def test_a_rate_is_chosen_by_the_metric_of_real_runs(each_run: bool, select_on: str) -> None:
    world = WORLDS["untuned_baseline"]
    design = two(world, (1, 3), tuning=Tuning(select_on, each_run))
    bought = world.buy(design, 40, Streams(3, BLOCK))
    data = world.draw(design, 40, Streams(3, BLOCK))
    table = load("transfer")
    for a, arm in enumerate(design.arms):
        complete = config(world, arm.method, "all", "groups")
        levels = rates(world, arm.method, complete)
        runs = [table.of({**complete, "lr": lr}) for lr in levels]  # type: ignore[dict-item]
        for s, r in itertools.product(range(40), range(4)):
            t = r if each_run else 0
            tried = [k for k in bought.tried[s, a, t] if k >= 0]
            assert len(tried) == arm.tuning
            assert len(set(tried)) == arm.tuning
            assert tried[0] == 0
            seed = bought.seed[s, a, t]
            seen = [(run.val if select_on == "validation" else run.test)[seed] for run in runs]
            best = max(tried, key=lambda k: (seen[k], -tried.index(k)))
            assert bought.rate[s, a, r] == best
            shown = data.candidates[s, a, t]
            assert [runs[k].val[seed] for k in tried] == list(shown[: len(tried)])
            assert np.isnan(shown[len(tried) :]).all()
    # What is tried beside the first is drawn anew.
    assert set(bought.tried[:, 1, 0, 1]) == {1, 2, 3, 4}


@pytest.mark.parametrize("name", WORLDS)
def test_the_truth_is_the_tuned_difference_of_all_runs(name: str) -> None:
    world = WORLDS[name]
    table = load(world.family)
    means: dict[str, list[float]] = {}
    for method in world.methods:
        strata = list(world.strata) or ["all"]
        complete = [config(world, method, stratum, "groups") for stratum in strata]
        chosen = max(
            rates(world, method, complete[0]),
            key=lambda lr: sum(table.of({**one, "lr": lr}).val.mean() for one in complete),  # type: ignore[dict-item]
        )
        means[method] = []
        for one in complete:
            right = [list(row[world.copied :]) for row in table.of({**one, "lr": chosen}).correct]  # type: ignore[dict-item]
            means[method].append(sum(map(sum, right)) / (len(right) * len(right[0])))
    first, last = next(iter(world.methods)), list(world.methods)[-1]
    expected = statistics.fmean(means[last]) - statistics.fmean(means[first])
    assert world.truth(question(world)) == pytest.approx(expected, abs=1e-12)
    if world.strata:
        weights = dict(zip(world.strata, (1.0, -1.0), strict=True))
        asked = Estimand({last: 1, first: -1}, weights)
        contrast = (means[last][0] - means[first][0]) - (means[last][1] - means[first][1])
        assert world.truth(asked) == pytest.approx(contrast, abs=1e-12)


def test_the_tuned_rate_is_that_of_the_banks_own_report() -> None:
    for name in ("true_claim", "optimiser", "lora_rank"):
        world = WORLDS[name]
        for method, changes in world.methods.items():
            complete = FAMILIES[world.family].complete(changes)
            levels = rates(world, method, complete)  # type: ignore[arg-type]
            assert levels[world.best_rate(method)] == tuned_rate(load(world.family), complete)


def test_what_each_world_is_said_to_show() -> None:
    """The signs and sizes that the head of each world speaks of."""
    said = {
        "true_claim": 0.018,
        "looks_true": 0.0,
        "false_claim": -0.032,
        "untuned_baseline": -0.003,
        "leaky_split": -0.070,
        "leaky_writers": 0.0,
        "dropped_divergences": -0.584,
        "lora_rank": 0.110,
        "linear_attention": -0.053,
        "optimiser": -0.032,
        "deduplication": 0.068,
    }
    found = {name: WORLDS[name].truth(question(WORLDS[name])) for name in WORLDS}
    assert found == pytest.approx(said, abs=0.001)


def loop(world: bank.BankWorld, design: Design, sims: int) -> tuple[list[float], list[bool]]:
    """The estimates of ``sims`` experiments, drawn, tuned and tested one at a time, and what is significant.

    Paired over seeds, one stratum, each run tuned anew.
    """
    rng = np.random.default_rng(99)
    table, held_out = load(world.family), design.evaluation.held_out
    shelves = []
    for arm in design.arms:
        complete = config(world, arm.method, "all", held_out)
        levels = rates(world, arm.method, complete)
        runs = [table.of({**complete, "lr": lr}) for lr in levels]  # type: ignore[dict-item]
        shelves.append([(run.val.tolist(), run.correct.tolist()) for run in runs])
    count = design.evaluation.strata["all"] * design.evaluation.items
    first = world.copied if held_out in ("groups", "deduplicated") else 0
    last = world.copied if held_out == "none" and world.copied else FAMILIES[world.family].n_test
    estimates, significant = [], []
    for _ in range(sims):
        items = [int(rng.integers(first, last)) for _ in range(count)]
        differences = []
        for _ in range(design.seeds.count):
            shared = int(rng.integers(30))
            scores = []
            for arm, shelf in zip(design.arms, shelves, strict=True):
                seed = shared if world.one is None else int(rng.integers(30))
                others = list(range(1, len(shelf)))
                rng.shuffle(others)
                tried = [0, *others][: arm.tuning]
                _, correct = max((shelf[k] for k in tried), key=lambda one: one[0][seed])
                scores.append(sum(correct[seed][item] for item in items) / count)
            differences.append(scores[1] - scores[0])
        estimates.append(statistics.fmean(differences))
        spread = statistics.stdev(differences) / math.sqrt(len(differences))
        t = estimates[-1] / spread if spread else math.copysign(math.inf, estimates[-1])
        significant.append(bool(2 * stats.t.sf(abs(t), len(differences) - 1) <= 0.05))
    return estimates, significant


@pytest.mark.parametrize(
    ("name", "held_out", "null", "tuning"),
    [
        ("untuned_baseline", "groups", False, (1, 5)),
        ("untuned_baseline", "groups", True, (5, 5)),
        ("leaky_split", "items", False, (1, 1)),
        ("deduplication", "none", False, (2, 2)),
        ("deduplication", "groups", False, (2, 2)),
    ],
)
def test_a_slow_loop_over_the_table_finds_the_same(
    name: str, held_out: str, null: bool, tuning: tuple[int, int]
) -> None:
    world = WORLDS[name].null() if null else WORLDS[name]
    design = two(
        world,
        tuning,
        tuning=Tuning(each_run=True),
        test=Test(paired=True),
        evaluation=EvaluationSet(2, 25, held_out),
    )
    runs = run(design, world, 4000, 1)
    estimates, significant = loop(world, design, 400)
    error = math.hypot(runs.estimate.std() / math.sqrt(4000), statistics.stdev(estimates) / math.sqrt(400))
    assert abs(runs.estimate.mean() - statistics.fmean(estimates)) < ERRORS * error
    ratio = runs.estimate.var() / statistics.variance(estimates)
    assert abs(math.log(ratio)) < ERRORS * math.sqrt(2 / 4000 + 2 / 400) * 1.2  # near-normal estimates
    share = statistics.fmean(significant)
    spread = math.sqrt(share * (1 - share) / 400 + 1e-4)
    assert abs(runs.claim.mean() - share) < ERRORS * spread


@pytest.mark.parametrize("name", WORLDS)
def test_a_null_world_is_exactly_null(name: str) -> None:
    world = WORLDS[name].but(rates={}).null()
    groups: object = dict.fromkeys(world.strata, 5) if world.strata else 5
    design = two(world, (3, 3), tuning=Tuning(each_run=True), seeds=Seeds(10))
    design = vary(design, "evaluation", EvaluationSet(groups, 20))  # type: ignore[arg-type]
    row = diagnose(design, world, 4000, 3).rows[0]
    assert row.truth == 0
    near(row["bias"], 0)
    assert row["false_positives"].value <= 0.05 + ERRORS * row["false_positives"].se


def test_one_arm_with_two_first_rates_is_a_null_that_an_untuned_comparison_fails() -> None:
    world = WORLDS["untuned_baseline"].null("treatment")
    assert world.truth(question(world)) == 0
    unfair = two(world, (1, 1), seeds=Seeds(15), evaluation=EvaluationSet(8, 40))
    fair = two(world, (5, 5), tuning=Tuning(each_run=True), seeds=Seeds(15), evaluation=EvaluationSet(8, 40))
    assert diagnose(unfair, world, 500).rows[0]["false_positives"].value > 0.9
    assert diagnose(fair, world, 2000).rows[0]["false_positives"].value < 0.07
    with pytest.raises(ValueError, match="same learning rates"):
        world.but(rates={"treatment": (0.03,)})


def test_a_null_world_asks_the_prices_of_what_its_methods_are_said_to_be() -> None:
    world = WORLDS["lora_rank"]
    design = two(world)
    assert (world.prices(design) == world.null().prices(design)).all()
    assert world.prices(design)[0] < world.prices(design)[1]


def test_rates_that_are_not_there_cost_nothing() -> None:
    world = WORLDS["lora_rank"]
    five, many = (run(two(world, (k, k)), world, 5, 0) for k in (5, 9))
    assert (five.cost == many.cost).all()


def test_an_untuned_baseline_makes_a_claim_of_no_effect() -> None:
    for name in ("looks_true", "untuned_baseline"):
        world = WORLDS[name]
        fair = two(world, (7, 7), tuning=Tuning(each_run=True), seeds=Seeds(15), test=Test(paired=True))
        fair = vary(fair, "evaluation", EvaluationSet(8, 40))
        unfair = vary(fair, "arms.one.tuning", 1)
        found = [run(design, world, 1000, 0) for design in (fair, unfair)]
        wrong = [float((runs.claim & (runs.estimate > 0)).mean()) for runs in found]
        assert wrong[0] < 0.15
        assert wrong[1] > 0.6


def test_a_random_split_turns_the_sign_and_a_new_package_does_not() -> None:
    world = WORLDS["leaky_split"]
    design = two(world, seeds=Seeds(15), evaluation=EvaluationSet(8, 50))
    assert diagnose(design, world, 500).rows[0]["bias"].value == pytest.approx(0.0, abs=0.04)
    leaky = diagnose(vary(design, "evaluation.held_out", "items"), world, 500).rows[0]
    assert leaky.runs.estimate.mean() > 0.01
    assert leaky.truth < -0.06


def test_images_of_the_tested_writers_help_where_the_split_is_random() -> None:
    world = WORLDS["leaky_writers"]
    design = two(
        world, (7, 7), tuning=Tuning(each_run=True), seeds=Seeds(30), evaluation=EvaluationSet(8, 50)
    )
    near(diagnose(design, world, 2000).rows[0]["bias"], 0)
    leaky = diagnose(vary(design, "evaluation.held_out", "items"), world, 2000).rows[0]
    assert leaky["bias"].value == pytest.approx(0.008, abs=0.005)
    assert leaky["bias"].value > 10 * leaky["bias"].se


def test_dropped_divergences_move_the_estimate_by_ten_points() -> None:
    world = WORLDS["dropped_divergences"]
    design = two(world, seeds=Seeds(10, "count"), evaluation=EvaluationSet(8, 40))
    near(diagnose(design, world, 2000).rows[0]["bias"], 0)
    table = load("transfer")
    runs = table.of(
        {**config(world, "treatment", "all", "groups"), "lr": 0.1}  # type: ignore[dict-item]
    )
    gain = float(runs.test[~runs.diverged].mean() - runs.test.mean())
    assert gain == pytest.approx(0.1, abs=0.005)
    for how in ("drop", "rerun"):
        row = diagnose(vary(design, "seeds.diverged", how), world, 2000).rows[0]
        near(row["bias"], gain)


def test_reruns_and_tuning_are_paid_for_at_the_labs_price() -> None:
    world = WORLDS["lora_rank"]
    lab = Lab("transfer", 1000)
    one, two_ = (lab.cost({"method": "lora", "rank": rank}) for rank in (1, 8))
    design = Design(
        arms=(Arm("one", "1", 3), Arm("two", "8")), seeds=Seeds(5), evaluation=EvaluationSet(2, 20)
    )
    assert run(design, world, 2, 0).cost == pytest.approx(np.full(2, (5 + 2) * one + 5 * two_))
    every = vary(design, "tuning.each_run", True)
    assert run(every, world, 2, 0).cost == pytest.approx(np.full(2, 15 * one + 5 * two_))
    high = WORLDS["dropped_divergences"]
    again = two(high, seeds=Seeds(6, "rerun"))
    price = [
        lab.cost({"method": "full", "source": "inverted", "train_size": 150}),
        lab.cost({"method": "lora", "rank": 8, "source": "inverted", "train_size": 150}),
    ]
    # 19 of 30 runs diverge, so a run is tried 30 / 11 times.
    near(diagnose(again, high, 4000).rows[0]["cost"], 6 * (price[0] + price[1] * 30 / 11))


def test_equal_seeds_are_paired_and_those_of_a_null_are_not() -> None:
    world = WORLDS["true_claim"]
    design = two(world)
    for nature, same in ((world, True), (world.null(), False)):
        seed = nature.buy(design, 50, Streams(1, BLOCK)).seed
        assert (seed[:, 0] == seed[:, 1]).all() == same
    design = vary(design, "evaluation.same_items", False)
    items = world.buy(design, 50, Streams(1, BLOCK)).items
    assert (items[:, 0] != items[:, 1]).any()


def test_recall_draws_whole_sequences() -> None:
    world = WORLDS["linear_attention"]
    design = two(world, evaluation=EvaluationSet({"few": 2, "many": 2}, 16))
    items = world.buy(design, 20, Streams(2, BLOCK)).items[:, 0]
    few, many = items[:, :2].reshape(-1, 4, 4), items[:, 2:].reshape(-1, 1, 16)
    for part, size in ((few, 4), (many, 16)):
        assert (part % size == np.arange(size)).all()
        assert (part // size == part[..., :1] // size).all()
    assert items.max() < 512


def alike(**fields: object) -> bank.BankWorld:
    """One length under two names."""
    methods: dict[str, Config] = {"softmax": {}, "linear": {"mixer": "linear"}}
    strata: dict[str, Config] = {"few": {"pairs": 16}, "many": {"pairs": 16}}
    return bank.BankWorld("one length", "recall", methods, strata, **fields)  # type: ignore[arg-type]


def test_strata_apart_have_runs_of_their_own() -> None:
    """The same 30 runs in another order: the means stay, and what was one run twice is two."""
    world, shifted = alike(), alike(apart=7)
    for method in world.methods:
        few, many = shifted.shelf(method, "few"), shifted.shelf(method, "many")
        for seed in range(30):
            assert (many.correct[:, seed] == few.correct[:, (seed + 7) % 30]).all()
            assert (many.val[:, seed] == few.val[:, (seed + 7) % 30]).all()
            assert (many.diverged[:, seed] == few.diverged[:, (seed + 7) % 30]).all()
        assert (few.correct == world.shelf(method, "few").correct).all()
    asked = Estimand({"softmax": 1, "linear": -1}, {"many": 1, "few": -1})
    assert world.truth(asked) == pytest.approx(0, abs=1e-12)
    assert shifted.truth(asked) == pytest.approx(0, abs=1e-12)
    # All 512 items at a fixed rate, so that the runs' part of the variance is what differs.
    design = two(
        world, evaluation=EvaluationSet({"few": 32, "many": 32}, 16), estimand=Estimand(None, asked.strata)
    )
    spread = [run(design, one, 400, 1).estimate.std() for one in (world, shifted)]
    runs = world.shelf("linear", "few").correct[0].mean(axis=1)
    assert spread[1] ** 2 - spread[0] ** 2 == pytest.approx(2 * runs.var() / 4, rel=0.5)


def test_a_world_may_have_a_price_of_its_own() -> None:
    world = alike(price=1.5)
    assert world.prices(two(world, evaluation=EvaluationSet({"few": 1, "many": 1}, 16))).tolist() == [
        3.0,
        3.0,
    ]
    assert world.null().prices(two(world, evaluation=EvaluationSet({"few": 1, "many": 1}, 16))).tolist() == [
        3.0,
        3.0,
    ]
    assert world.shelf("linear", "few").correct is alike().shelf("linear", "few").correct


@pytest.mark.parametrize("fields", [{"apart": 30}, {"apart": -60}, {"price": 0.0}, {"price": -1.0}])
def test_a_shift_or_a_price_that_means_nothing_is_refused(fields: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"come round|costs more than 0"):
        alike(**fields)


@pytest.mark.parametrize(
    ("part", "value", "message"),
    [
        ("seeds.count", 31, "30 seeds"),
        ("evaluation.items", 200, "340 test items"),
        ("metrics", (Metric(kind="judge"),), "right and wrong"),
        ("metrics", (Metric(construct="other"),), "right and wrong"),
        ("varies", ("split",), "all or none"),
        ("arms.one.method", "16", "no method '16'"),
    ],
)
def test_what_cannot_be_bought_is_refused(part: str, value: object, message: str) -> None:
    world = WORLDS["lora_rank"]
    with pytest.raises(DesignError, match=message):
        run(vary(two(world), part, value), world, 2, 0)


def test_a_stratum_that_is_not_there_is_refused() -> None:
    with pytest.raises(DesignError, match="no stratum 'all'"):
        run(Design(arms=(Arm("softmax"), Arm("linear"))), WORLDS["linear_attention"], 2, 0)


@pytest.mark.parametrize(
    "fields",
    [
        {"family": "poems"},
        {"methods": {"a": {"rank": 3}}},
        {"methods": {"a": {"method": "lora", "rank": 4, "source": "none"}}},
        {"rates": {"a": (0.5,)}},
        {"one": "b"},
        {"copied": 340},
    ],
)
def test_a_slice_that_the_bank_has_not_is_refused(fields: dict[str, object]) -> None:
    whole: dict[str, object] = {"name": "w", "family": "transfer", "methods": {"a": {}}, **fields}
    with pytest.raises(ValueError, match=r"has no|no method|cannot be copied|was not run"):
        bank.BankWorld(**whole)  # type: ignore[arg-type]


def test_with_nothing_that_varies_all_runs_are_one() -> None:
    world = WORLDS["true_claim"]
    data = draw(vary(two(world), "varies", ()), world, 5, 1)
    assert (data.scores == data.scores[:, :, :, :1]).all()
    free = draw(vary(two(world), "varies", bank.SOURCES), world, 5, 1)
    assert (free.scores == draw(two(world), world, 5, 1).scores).all()


def test_looks_and_the_best_run_work_as_in_other_worlds() -> None:
    world = WORLDS["true_claim"]
    design = two(world, seeds=Seeds(8), stopping=Stopping(4, "seeds"))
    assert set(run(design, world, 300, 1).look) == {1, 2, 3, 4}
    best = vary(two(world), "arms.two.report", "best")
    assert run(best, world, 500, 1).estimate.mean() > run(two(world), world, 500, 1).estimate.mean()


def test_names_change_no_number() -> None:
    world = WORLDS["lora_rank"]
    design = Design(arms=(Arm("a", "1", 2), Arm("b", "8", 2)), evaluation=EvaluationSet(2, 20))
    renamed = Design(
        arms=(Arm("x", "1", 2), Arm("y", "8", 2)),
        hypothesis="more",
        metrics=Metric("right"),
        evaluation=EvaluationSet(2, 20),
        controlled={"weather": "matched"},
    )
    one, other = run(design, world, 50, 1), run(renamed, world, 50, 1)
    assert (one.estimate == other.estimate).all()
    assert (one.cost == other.cost).all()


def test_two_thousand_small_experiments_take_seconds() -> None:
    world = WORLDS["lora_rank"]
    design = two(world, (5, 5), seeds=Seeds(10), evaluation=EvaluationSet(8, 40))
    begun = time.process_time()
    run(design, world, 2000, 0)
    assert time.process_time() - begun < 5
