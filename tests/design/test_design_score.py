"""The rule of scoring and its laws, on keys of known worlds and on outcomes made by hand."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from fourrounds.design import (
    AnalysisError,
    Arm,
    Confounder,
    Design,
    DesignError,
    Estimand,
    EvaluationSet,
    Falsifier,
    Runs,
    Seeds,
    Stopping,
    Test,
    analysis,
    plain,
    vary,
)
from fourrounds.design.key import CHECKS, Key, KeyFault, Trial, load_key
from fourrounds.design.run import run, run_together
from fourrounds.design.score import (
    MISTAKE,
    SLACK,
    Bands,
    Score,
    _parts,
    bands,
    examine,
    most_hits,
    planned_cost,
    score,
)
from fourrounds.design.worlds import World
from support.design_keys import interview, interview_model, lora, lora_model

SIMS = 400


def two_runs(effect: float = 0.0, name: str = "", **fields: Any) -> dict[str, Any]:
    """A world where runs of two methods differ by ``effect`` standard deviations."""
    given_ = {"name": name or f"effect {effect:g}", "means": {"old": 0.0, "new": effect}, "noise": 1.0}
    return {"world": {**given_, **fields}}


def small(*worlds: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A key for the simplest question."""
    asked = {"arms": {"new": 1, "old": -1}, "minimum": 1.0}
    return {"question": asked, "budget": 100, "worlds": [*(worlds or (two_runs(), two_runs(1.0)))], **changes}


def simple(runs: int = 20, **parts: Any) -> Design:
    """Two arms of ``runs`` runs, one number each."""
    chosen: dict[str, Any] = {
        "arms": (Arm("old"), Arm("new")),
        "estimand": Estimand(minimum=1.0),
        "evaluation": EvaluationSet(1, 1),
        "seeds": Seeds(runs),
        "test": Test("seeds"),
    }
    return Design(**{**chosen, **parts})


# -- bands


@pytest.mark.parametrize(("sims", "rate"), [(100, 0.05), (1000, 0.0583), (1000, 0.2), (2000, 0.05)])
@pytest.mark.parametrize("chance", [1e-3, 1e-5])
def test_a_band_is_the_binomial_quantile(sims: int, rate: float, chance: float) -> None:
    k = most_hits(sims, rate, chance)
    assert stats.binom.sf(k, sims, rate) <= chance < stats.binom.sf(k - 1, sims, rate)


@pytest.mark.parametrize("make", [small, interview, lora])
def test_all_checks_together_fail_a_correct_design_once_in_ten_thousand(make: Any) -> None:
    """The union over all checks, each at the worst that a correct design may be."""
    key = load_key(make())
    band = bands(key, 1000)
    above = float(stats.binom.sf(round(band.upper * 1000), 1000, key.alpha * (1 + SLACK)))
    below = float(stats.binom.cdf(round(band.lower * 1000) - 1, 1000, key.power))
    off = 2 * float(stats.norm.sf(band.z))
    total = 0.0
    for trial in key.trials:
        for check in trial.checks:
            low = check == "power" or (check == "falsifier" and not trial.holds)
            total += off if check == "bias" else below if low else above
        total += below if "power" in trial.checks else 0.0  # the interval alone
    assert total <= MISTAKE


def test_a_correct_design_gets_full_marks_at_many_seeds() -> None:
    assert [score(plain(simple()), None, small(), SIMS, seed).total for seed in range(30)] == [1.0] * 30


# -- one world


def outcomes(n: int = 1000, **columns: Any) -> Runs:
    chosen = {
        "estimate": np.zeros(n),
        "low": np.full(n, -1.0),
        "high": np.full(n, 1.0),
        "p": np.ones(n),
        "claim": np.zeros(n, bool),
        "falsified": np.zeros(n, bool),
        "cost": np.ones(n),
        "look": np.ones(n, np.int64),
    }
    return Runs(**{**chosen, **{k: np.broadcast_to(np.asarray(v), n).copy() for k, v in columns.items()}})


def share(key: Key, number: int, check: str, runs: Runs) -> float:
    (found,) = [c for c in examine(key.trials[number], runs, key, len(runs.claim)) if c.check == check]
    return found.share


KEY = load_key(small(two_runs(), two_runs(-0.5), two_runs(1.0)))
NULL, WORSE, BETTER = range(3)
HALF = np.arange(1000) % 2 == 0


def test_a_false_positive_is_any_claim_of_nothing_and_no_claim_of_what_is_worse() -> None:
    assert share(KEY, NULL, "false_positives", outcomes()) == 1
    for sign in (1.0, -1.0):
        claimed = outcomes(claim=HALF, estimate=sign)
        assert share(KEY, NULL, "false_positives", claimed) == pytest.approx(0.05 / 0.5)
    assert share(KEY, WORSE, "false_positives", outcomes(claim=HALF, estimate=1.0)) == pytest.approx(0.1)
    assert share(KEY, WORSE, "false_positives", outcomes(claim=HALF, estimate=-1.0)) == 1
    assert share(KEY, WORSE, "false_positives", outcomes(claim=HALF, estimate=np.nan)) == pytest.approx(0.1)


def test_power_counts_the_right_sign_alone_and_is_graded() -> None:
    lower = bands(KEY, 1000).lower
    for rate in (0.0, 0.05, 0.3, lower, 0.95):
        claim = np.arange(1000) < rate * 1000
        due = min(1.0, max(0.0, (claim.mean() - 0.05) / (lower - 0.05)))
        assert share(KEY, BETTER, "power", outcomes(claim=claim, estimate=1.0)) == pytest.approx(due)
        assert share(KEY, BETTER, "power", outcomes(claim=claim, estimate=-1.0)) == 0


def test_bias_is_measured_from_the_truth_of_the_question() -> None:
    spread = np.linspace(-0.1, 0.1, 1000)
    assert share(KEY, BETTER, "bias", outcomes(estimate=1.05 + spread)) == 1
    limit = 0.1 + bands(KEY, 1000).z * spread.std(ddof=1) / math.sqrt(1000)
    assert share(KEY, BETTER, "bias", outcomes(estimate=1.4 + spread)) == pytest.approx(limit / 0.4)
    # No spread is so wide that a bias of half of the minimum effect would be chance.
    wild = np.random.default_rng(0).normal(0, 500, 1000)
    assert share(KEY, NULL, "bias", outcomes(estimate=wild - wild.mean() + 0.5)) < 1
    assert share(KEY, NULL, "bias", outcomes(estimate=np.where(HALF, np.nan, spread))) == pytest.approx(0.5)
    assert share(KEY, NULL, "bias", outcomes(estimate=np.nan)) == 0


def test_coverage_is_graded_by_what_misses() -> None:
    assert share(KEY, BETTER, "coverage", outcomes()) == 1
    assert share(KEY, BETTER, "coverage", outcomes(high=np.where(HALF, 0.5, 1.5))) == pytest.approx(0.1)
    assert share(KEY, BETTER, "coverage", outcomes(low=np.nan, high=np.nan)) == pytest.approx(0.05)


def test_a_falsifier_has_to_fire_where_it_is_false_and_not_where_it_is_true() -> None:
    lower = bands(KEY, 1000).lower
    for number in (NULL, WORSE):
        assert share(KEY, number, "falsifier", outcomes()) == 0
        assert share(KEY, number, "falsifier", outcomes(falsified=HALF)) == pytest.approx(0.5 / lower)
        assert share(KEY, number, "falsifier", outcomes(falsified=True)) == 1
    assert share(KEY, BETTER, "falsifier", outcomes()) == 1
    assert share(KEY, BETTER, "falsifier", outcomes(falsified=HALF)) == pytest.approx(0.1)


# -- the laws


def total(per_world: dict[str, Runs | None], key: Key = KEY, sims: int = 1000) -> float:
    checks = tuple(c for t in key.trials for c in examine(t, per_world[t.name], key, sims))
    parts = _parts(checks, key, per_world, sims)
    assert set(parts) == set(CHECKS)
    return sum(key.weights[n] * v for n, v in parts.items()) / sum(key.weights.values())


def sound(rng: np.random.Generator, **columns: Any) -> dict[str, Runs | None]:
    """Outcomes of a sound design in every world of ``KEY``."""
    found: dict[str, Runs | None] = {}
    for trial in KEY.trials:
        estimate = trial.truth + rng.normal(0, 0.3, 1000)
        low, high = estimate - 0.588, estimate + 0.588
        made = {"estimate": estimate, "low": low, "high": high, "claim": (low > 0) | (high < 0)}
        made["falsified"] = high < 1
        found[trial.name] = outcomes(**{**made, **{k: f(rng, made) for k, f in columns.items()}})
    return found


def test_a_sound_decision_gets_full_marks() -> None:
    assert total(sound(np.random.default_rng(0))) == 1


@settings(max_examples=80, deadline=None)
@given(st.floats(0, 1), st.integers(0, 1000))
def test_a_decision_that_does_not_look_earns_a_small_share_at_most(chance: float, seed: int) -> None:
    """However good its estimates, intervals and falsifier are. The law, with four Monte Carlo errors."""
    blind = sound(np.random.default_rng(seed), claim=lambda rng, made: rng.random(1000) < chance)
    lower = bands(KEY, 1000).lower
    # Measured rates of one chance differ between worlds by chance.
    lucky = 4 * math.sqrt(0.06 * 0.94 / 1000) / (lower - 0.05)
    assert total(blind) <= 2 * 0.05 / (lower - 0.05) + 2 * lucky


def test_always_and_never_earn_next_to_nothing() -> None:
    rng = np.random.default_rng(1)
    always = total(sound(rng, claim=lambda _, made: np.ones(1000, bool)))
    assert always < 0.1
    assert total(sound(rng, claim=lambda _, made: np.zeros(1000, bool))) == 0


def test_endless_intervals_cover_everything_and_earn_nothing_for_it() -> None:
    rng = np.random.default_rng(2)
    endless = {"low": lambda _, made: np.full(1000, -np.inf), "high": lambda _, made: np.full(1000, np.inf)}
    assert total(sound(rng, **endless)) == pytest.approx(1 - KEY.weights["coverage"])


def shares(rates: dict[tuple[int, str], float]) -> float:
    """The score where each check has the share that is given, 1 if none, and the intervals have power."""
    from fourrounds.design.score import Checked

    checks = [
        Checked(trial, check, 0.0, 0.0, rates.get((n, check), 1.0))
        for n, trial in enumerate(KEY.trials)
        for check in trial.checks
    ]
    per_world: dict[str, Runs | None] = {t.name: outcomes(low=0.5) for t in KEY.trials}
    parts = _parts(checks, KEY, per_world, 1000)
    return sum(KEY.weights[name] * value for name, value in parts.items())


PLACES = [(n, check) for n, trial in enumerate(KEY.trials) for check in trial.checks]


@settings(max_examples=200, deadline=None)
@given(
    st.dictionaries(st.sampled_from(PLACES), st.floats(0, 1)),
    st.sampled_from(PLACES),
    st.floats(0, 1),
)
def test_no_check_that_gets_better_lowers_the_score(
    rates: dict[tuple[int, str], float], place: tuple[int, str], more: float
) -> None:
    before = rates.get(place, 1.0)
    after = {**rates, place: before + (1 - before) * more}
    assert shares(after) >= shares(rates) - 1e-12


# -- what changes no outcome changes no point


NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=12)


@settings(max_examples=15, deadline=None)
@given(
    st.lists(NAMES, min_size=3, max_size=3, unique=True),
    NAMES,
    st.text(max_size=30),
    st.dictionaries(NAMES, st.sampled_from(["fixed", "matched", "randomised"]), max_size=3),
    st.booleans(),
)
def test_names_and_factors_that_no_world_has_change_no_point(
    names: list[str], metric: str, hypothesis: str, controlled: dict[str, str], more: bool
) -> None:
    design = vary(interview_model(), "evaluation.groups", {"low": 10, "high": 10})
    arms = tuple(
        replace(arm, name=name, method=arm.method, seeds=design.seeds.count if more else None)
        for arm, name in zip(design.arms, names, strict=True)
    )
    weights = {names[2]: 1, names[1]: -1}
    renamed = replace(
        design,
        arms=arms,
        hypothesis=hypothesis,
        baseline=names[0] if more else None,
        estimand=replace(design.estimand, arms=weights),
        metrics=(replace(design.metrics[0], name=metric),),
        controlled=controlled,
        varies=("run",) if more else None,
    )
    one = score(plain(design), None, interview(), 100)
    other = score(plain(renamed), None, interview(), 100)
    assert other.parts == one.parts
    assert other.cost == one.cost
    assert [c.measured for c in other.checks] == [c.measured for c in one.checks]


def test_the_same_for_real_runs() -> None:
    design = vary(lora_model(), "seeds.count", 5)
    renamed = replace(
        design,
        arms=(Arm("a", "1", 3), Arm("b", "8", 3)),
        estimand=Estimand({"b": 1, "a": -1}, minimum=0.045),
        controlled={"weather": "matched"},
        hypothesis="none",
    )
    one, other = (score(plain(d), None, lora(), 100) for d in (design, renamed))
    assert one.parts == other.parts
    assert 0 < one.total < 1


# -- cost


def test_above_the_budget_nothing_is_run_and_nothing_earned() -> None:
    found = score(plain(simple(20)), None, small(budget=39), SIMS)
    assert (found.total, found.checks, found.outcomes) == (0.0, (), {})
    assert found.cost == 40
    assert "costs 40 and the budget is 39" in found.problem
    assert set(found.parts.values()) == {0.0}
    assert score(plain(simple(20)), None, small(budget=40), SIMS).total == 1


def test_the_planned_cost_is_that_of_all_looks_in_the_dearest_world() -> None:
    key = load_key(small(two_runs(price_run=1.0), two_runs(1.0, price_run=3.0), budget=1000))
    design = simple(20, stopping=Stopping(4, "seeds", "obrien_fleming"))
    assert planned_cost(design, key) == 120
    # Stopped early it has cost less, but the money had to be there.
    found = score(plain(design), None, key, SIMS)
    assert found.cost == 120
    assert max(runs.cost.mean() for runs in found.outcomes.values()) < 119


def test_reruns_are_paid_for() -> None:
    worlds = two_runs(divergence={"new": 0.0}, run=1.0, noise=0.0), two_runs(1.0)
    design = simple(20, seeds=Seeds(20, "rerun"))
    # Half of the runs of one arm diverge, so that each is tried twice: 60 in all.
    assert score(plain(design), None, small(*worlds, budget=65), SIMS).cost == pytest.approx(60, abs=1)
    over = score(plain(design), None, small(*worlds, budget=50), SIMS)
    assert over.total == 0
    assert "with its reruns" in over.problem


# -- worlds that break


def test_a_confounder_costs_who_does_not_control_it() -> None:
    confounder = {"factor": "size", "effect": 2.0, "share": {"old": 0.1, "new": 0.9}}
    key = small(two_runs(confounder=confounder, name="confounded"), two_runs(), two_runs(1.0))
    loose = score(plain(simple()), None, key, SIMS)
    assert {c.trial.name for c in loose.broken} == {"confounded"}
    assert loose.parts["false_positives"] < 0.6
    for how in ("fixed", "matched"):
        assert score(plain(simple(35, controlled={"size": how})), None, key, SIMS).total == 1
    world = load_key(key).trials[0].world
    assert isinstance(world, World)
    assert world.confounder == Confounder(**confounder)


def test_a_design_that_no_world_can_run_says_why() -> None:
    found = score(plain(Design()), None, small(), SIMS)
    assert found.total == 0
    assert all("no method 'baseline'" in c.problem for c in found.checks)
    assert all(math.isnan(c.measured) for c in found.checks)


def test_the_declared_falsifier_is_what_counts() -> None:
    def part(rule: str, margin: float | None) -> float:
        return score(plain(simple(falsifier=Falsifier(rule, margin))), None, small(), SIMS).parts["falsifier"]

    assert part("interval_below", None) == 1
    assert part("never", None) == 0
    assert part("interval_below", -1.0) == 0  # never where it is false
    assert part("estimate_below", 5.0) < 0.06  # always, where it is true too
    assert 0.2 < part("not_significant", None) < 0.6  # no finding is no proof


# -- an analysis of one's own


def welch(data: dict[str, Any]) -> dict[str, Any]:
    """The declared analysis of ``simple``, written anew."""
    y = data["scores"][:, 0, :, :, 0, 0]
    n = y.shape[2]
    estimate = y[:, 1].mean(1) - y[:, 0].mean(1)
    se = np.sqrt((y.var(axis=2, ddof=1) / n).sum(axis=1))
    half = 2.03 * se
    return {
        "estimate": estimate,
        "low": estimate - half,
        "high": estimate + half,
        "claim": abs(estimate) > half,
    }


def test_a_sound_analysis_of_ones_own_gets_full_marks() -> None:
    assert score(plain(simple()), welch, small(), SIMS).total == 1


def test_the_falsifier_is_evaluated_on_what_the_analysis_returns() -> None:
    def wide(data: dict[str, Any]) -> dict[str, Any]:
        return {**welch(data), "high": np.full(len(data["scores"]), 9.0)}

    found = score(plain(simple()), wide, small(), SIMS)
    assert found.parts["falsifier"] == 0


def raises(data: Any) -> Any:
    raise ZeroDivisionError("by hand")


RUBBISH: list[Any] = [
    raises,
    lambda data: None,
    lambda data: 3,
    lambda data: [],
    lambda data: {},
    lambda data: {**welch(data), "claim": "yes"},
    lambda data: {**welch(data), "claim": welch(data)["estimate"]},
    lambda data: {**welch(data), "estimate": "large"},
    lambda data: {**welch(data), "estimate": ["a"] * len(data["scores"])},
    lambda data: {**welch(data), "estimate": [[1], [1, 2]]},
    lambda data: {**welch(data), "estimate": 1j * welch(data)["estimate"]},
    lambda data: {**welch(data), "estimate": [None] * len(data["scores"])},
    lambda data: {**welch(data), "low": welch(data)["high"] + 1},
    lambda data: {**welch(data), "high": 0.0},
    lambda data: {k: v[:-1] for k, v in welch(data).items()},
    lambda data: data["no such array"],
    lambda data: (_ for _ in ()).throw(RecursionError("deep")),
]


@pytest.mark.parametrize("analyse", RUBBISH)
def test_an_analysis_that_returns_no_result_earns_nothing_and_is_told_why(analyse: Any) -> None:
    found = score(plain(simple()), analyse, small(), 100)
    assert found.total == 0
    assert len(found.problem) > 20
    assert isinstance(found, Score)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e300])
def test_strange_numbers_are_no_crash(value: float) -> None:
    def analyse(data: dict[str, Any]) -> dict[str, Any]:
        n = len(data["scores"])
        return {
            "estimate": np.full(n, value),
            "low": np.full(n, value),
            "high": np.full(n, value),
            "claim": np.ones(n, bool),
        }

    found = score(plain(simple()), analyse, small(), 100)
    assert 0 <= found.total < 0.15


def test_a_slow_analysis_is_stopped_between_its_calls() -> None:
    calls = []

    def slow(data: dict[str, Any]) -> dict[str, Any]:
        import time

        calls.append(len(data["scores"]))
        time.sleep(0.5)
        return welch(data)

    big = simple(20, evaluation=EvaluationSet(10, 100))
    found = score(plain(big), slow, small(), 400, seconds=0.4)
    assert found.total == 0
    assert "more than 0.4 s" in found.problem
    assert len(calls) == 1


def test_what_is_not_the_analysis_fault_goes_through() -> None:
    class Gone(Exception):
        pass

    def analyse(data: Any) -> Any:
        raise Gone

    with pytest.raises(Gone):
        score(plain(simple()), analyse, small(), 100, passes=(Gone,))
    assert score(plain(simple()), analyse, small(), 100).total == 0


def test_an_analysis_sees_all_worlds_in_one_shuffled_batch() -> None:
    seen = []

    def analyse(data: dict[str, Any]) -> dict[str, Any]:
        seen.append(welch(data)["estimate"])
        return welch(data)

    key = load_key(small())
    worlds = [trial.world for trial in key.trials]
    found = run_together(simple(), worlds, 500, [1, 2], analyse)
    first = seen[0]
    half = len(first) // 2
    # Either half has as many of both worlds, whose means are a whole unit apart.
    assert abs(first[:half].mean() - first[half:].mean()) < 0.2
    assert first.mean() == pytest.approx(0.5, abs=0.1)
    for runs, world, seed in zip(found, worlds, (1, 2), strict=True):
        alone = run(simple(), world, 500, seed, analyse=welch)
        assert runs.estimate == pytest.approx(alone.estimate)
        assert (runs.claim == alone.claim).all()
        assert (runs.cost == alone.cost).all()


def test_an_average_over_the_batch_does_not_tell_the_world() -> None:
    """Who pools all simulations, as no experiment can, finds no effect of a world."""

    def pooled(data: dict[str, Any]) -> dict[str, Any]:
        found = welch(data)
        mean = np.full(len(found["estimate"]), found["estimate"].mean())
        return {"estimate": mean, "low": mean - 0.1, "high": mean + 0.1, "claim": mean > 0.25}

    assert score(plain(simple()), pooled, small(), SIMS).total < 0.15


def test_looks_work_with_an_analysis_of_ones_own() -> None:
    def looking(data: dict[str, Any]) -> dict[str, Any]:
        found = analysis.analyse(design, _as_data(data))
        return {
            "estimate": found.estimate[:, 0],
            "low": found.low[:, 0],
            "high": found.high[:, 0],
            "claim": found.p[:, 0] <= data["alpha"],
        }

    design = simple(20, stopping=Stopping(4, "seeds", "none"))
    peeking = score(plain(design), looking, small(), SIMS)
    assert peeking.parts["false_positives"] < 0.5
    held = replace(design, stopping=Stopping(4, "seeds", "pocock"))
    assert score(plain(held), looking, small(), SIMS).parts["false_positives"] == 1


def _as_data(data: dict[str, Any]) -> Any:
    from types import SimpleNamespace

    return SimpleNamespace(**data)


# -- keys


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (3, "must be a dict"),
        ({}, "lacks"),
        (small(weight=1), "unknown names"),
        (small(budget=0), "budget"),
        (small(alpha=0.7), "alpha"),
        (small(power="most"), "power"),
        (small(weights={"luck": 1}), "weights"),
        (small(weights={"false_positives": 0, "power": 1}), "weights"),
        (small(two_runs()), "no world checks power"),
        (small(two_runs(1.0)), "no world checks false_positives"),
        (small(two_runs(-1.0), two_runs(1.0)), "no effect at all"),
        (small(two_runs(), two_runs(0.5), two_runs(1.0)), "lies between 0 and the minimum"),
        (small(two_runs(), two_runs()), "name of its own"),
        (small({**two_runs(), "checks": ["power"]}, two_runs(1.0)), "checks must be some of"),
        (small({**two_runs(), "checks": ["false_positives"]}, two_runs(1.0)), "a falsifier is checked"),
        (small({"bank": "lora_rank", **two_runs()}), "not by both"),
        (small({"bank": "poems"}), "no bank world"),
        (small({"bank": {"family": "digits", "methods": {"old": {"width": 3}}}}), "width=3"),
        (small({**two_runs(), "null": True}), "'null' is for a bank world"),
        (small(two_runs(noise=-1.0)), "must not be negative"),
        (small(two_runs(colour=1)), "colour"),
        (small(question={"arms": {"new": 1, "old": -1}, "minimum": 0}), "above 0"),
        (small(question={"arms": {"new": 1, "old": 1}, "minimum": 1}), "must sum to 0"),
        (
            small(question={"arms": {"treatment": 1, "old": -1}, "minimum": 1}),
            "as it comes",
        ),
    ],
)
def test_a_key_that_could_not_be_scored_fairly_is_refused(data: Any, message: str) -> None:
    with pytest.raises(KeyFault, match=message):
        load_key(data)


def test_a_key_reads_its_worlds() -> None:
    key = load_key(lora())
    assert [trial.holds for trial in key.trials] == [False, False, True, True]
    assert key.trials[0].checks == ("false_positives", "bias", "coverage", "falsifier")
    assert key.trials[2].checks == ("power", "bias", "coverage", "falsifier")
    assert load_key(key) is key
    null = load_key({**lora(), "worlds": [{"bank": "lora_rank", "null": True}, *lora()["worlds"][2:]]})
    assert null.trials[0].truth == 0
    assert null.trials[0].name == "LoRA rank and transfer: no effect"


def test_few_simulations_are_refused() -> None:
    with pytest.raises(ValueError, match="100 simulations"):
        score(plain(simple()), None, small(), 50)
    with pytest.raises(DesignError):
        score({}, None, small(), 100)


def test_the_types_are_what_they_say() -> None:
    key = load_key(small())
    assert isinstance(key.trials[0], Trial)
    assert isinstance(bands(key, 100), Bands)
    assert issubclass(AnalysisError, ValueError)
