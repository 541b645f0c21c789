"""A first experiment and its decision, tried on twins of a paper."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from fourrounds.critique import CritiqueError, Trial, Twin, Verdict, arm, decision, try_plan
from fourrounds.critique.lab import Results
from fourrounds.critique.trial import SLICES, true_effect
from fourrounds.runbank.findings import Contrast, judge

FULL: dict[str, Any] = {"train_size": 20}
LORA: dict[str, Any] = {"method": "lora", "rank": 4, **FULL}
SAME: dict[str, Any] = {"source": "same", **FULL}
SCRATCH: dict[str, Any] = {"method": "scratch", "source": "none", **FULL}


def twin(about: str, ours: dict[str, Any], theirs: dict[str, Any], true: bool) -> Twin:
    return Twin(about, {"method": {"ours": ours, "theirs": theirs}}, true)


TRIAL = Trial(
    family="transfer",
    factors={"method": {"ours": LORA, "theirs": FULL}},
    treatment={"method": "ours"},
    baseline={"method": "theirs"},
    twins=(
        twin("from the same task, and from scratch", SAME, SCRATCH, True),
        twin("full fine-tuning and rank 1", FULL, {**LORA, "rank": 1}, True),
        twin("the paper", LORA, FULL, False),
        twin("rank 1 and full fine-tuning", {**LORA, "rank": 1}, FULL, False),
    ),
    budget=40,
    fair=14,
    full=0.8,
    widest=0.3,
)
PLAN = [arm(6, method=["ours", "theirs"], lr=[0.003, 0.01, 0.03])]
Decide = Callable[[Results], Any]


def good(results: Results) -> tuple[str, float, float, float]:
    method = np.array(results["method"])
    chosen = []
    for name in ("ours", "theirs"):
        mine = method == name
        best = max(
            np.unique(results["lr"][mine]),
            key=lambda rate: results["val"][mine & (results["lr"] == rate)].mean(),
        )
        chosen.append(results["test"][mine & (results["lr"] == best)])
    gap = chosen[0] - chosen[1]
    half = 3 * gap.std(ddof=1) / math.sqrt(len(gap)) if len(gap) > 1 else 0.0
    verdict = Verdict.supported if gap.mean() > 0 else Verdict.not_supported
    return decision(verdict, gap.mean(), gap.mean() - half, gap.mean() + half)


def each(decide: Decide) -> Callable[[Sequence[Results]], list[Any]]:
    return lambda many: [decide(one) for one in many]


def tried(first: Any, decide: Decide, seed: int = 0, trial: Trial = TRIAL) -> Any:
    return try_plan(first, each(decide), trial, np.random.default_rng(seed))


def test_an_experiment_that_separates_has_full_marks() -> None:
    for seed in range(5):
        score = tried(PLAN, good, seed)
        assert score.share == 1.0
        assert (score.spent, score.thrift) == (pytest.approx(13.1, abs=0.1), 1.0)
        assert len(score.slices) == 4 * SLICES


def test_the_true_effect_is_that_of_the_banks_own_judge() -> None:
    for one in TRIAL.twins:
        ours, theirs = one.factors["method"].values()
        due = judge(Contrast("transfer", "", ours, theirs)).tuned.mean
        assert true_effect(TRIAL, one.factors) == pytest.approx(due, abs=1e-12)
        assert (due > 0) == one.true


@pytest.mark.parametrize("word", list(Verdict))
def test_a_verdict_that_does_not_look_has_nothing(word: Verdict) -> None:
    score = tried(PLAN, lambda results: decision(word, 0.0, -0.1, 0.1))
    assert (score.separation, score.share) == (0.0, 0.0)


def test_a_coin_has_next_to_nothing() -> None:
    coin = np.random.default_rng(1)
    verdicts = [Verdict.supported, Verdict.not_supported]
    shares = [
        tried(PLAN, lambda r: decision(verdicts[coin.integers(2)], 0.0, -0.1, 0.1), seed).share
        for seed in range(10)
    ]
    assert np.mean(shares) < 0.15


def test_undecidable_is_worth_a_half() -> None:
    def careful(results: Results) -> Any:
        verdict, effect, low, high = good(results)
        return decision("undecidable" if verdict == "supported" else verdict, effect, low, high)

    score = tried(PLAN, careful)
    supported = [one.credit for one in score.slices if one.twin.true]
    assert set(supported) <= {0.0, 0.5}
    assert score.separation == pytest.approx(max(0.0, 0.5 * tried(PLAN, good).separation), abs=0.1)


def test_the_papers_own_protocol_separates_nothing() -> None:
    first = [arm(6, method="ours", lr=[0.01, 0.03]), arm(6, method="theirs", lr=0.003)]
    assert tried(first, good).share < 0.1


def test_dear_experiments_pay_by_the_square_root() -> None:
    dear = [arm(6, method=["ours", "theirs"])]
    score = tried(dear, good)
    assert score.thrift == pytest.approx(math.sqrt(14 / score.spent))
    assert score.share == pytest.approx(score.thrift, abs=0.02)


def test_beyond_the_budget_nothing_is_run() -> None:
    def never(results: Results) -> Any:
        raise AssertionError("it was run")

    score = tried([arm(30, method=["ours", "theirs"])], never)
    assert score.share == 0.0
    assert "and the budget is 40: nothing was run" in score.failure
    assert "nothing was run" in str(score.report())


def test_no_plan_has_nothing() -> None:
    assert tried([], good).share == 0.0
    assert "No first experiment was filed" in str(tried([], good).report())


@pytest.mark.parametrize(("half", "share"), [(0.0, 0.5), (0.4, 0.5)])
def test_intervals_that_hold_nothing_cost_a_half(half: float, share: float) -> None:
    def told(results: Results) -> Any:
        verdict, effect, _, _ = good(results)
        return decision(verdict, effect, effect - half, effect + half)

    score = tried(PLAN, told)
    assert score.share == pytest.approx(share, abs=0.05)


def test_an_interval_without_its_own_estimate_holds_nothing() -> None:
    score = tried(PLAN, lambda r: decision(good(r)[0], 0.5, -0.15, 0.15))
    assert score.coverage == 0.0


def test_seeds_and_items_are_drawn_anew() -> None:
    seen: list[Results] = []
    tried(PLAN, lambda r: (seen.append(r), good(r))[1])
    assert len({one["test"].tobytes() for one in seen}) == len(seen)
    assert {one["correct"].shape[1] for one in seen} == {272}


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        (None, "decide must return decision"),
        (("supported", 0.1, 0.0), "decide must return decision"),
        (("maybe", 0.1, 0.0, 0.2), "no member of Verdict"),
        ((1, 0.1, 0.0, 0.2), "and its verdict is a value of type int"),
        (("supported", "much", 0.0, 0.2), "effect must be a number"),
        (("supported", True, 0.0, 0.2), "effect must be a number"),
    ],
)
def test_a_reply_out_of_form_is_told(reply: Any, message: str) -> None:
    with pytest.raises(CritiqueError, match=message):
        tried(PLAN, lambda results: reply)


def test_not_a_number_holds_nothing() -> None:
    score = tried(PLAN, lambda r: decision(good(r)[0], math.nan, math.nan, math.nan))
    assert (score.coverage, score.share) == (0.0, pytest.approx(0.5, abs=0.05))


def test_the_report_tells_every_twin() -> None:
    told = str(tried(PLAN, good).report())
    for one in TRIAL.twins:
        assert one.about in told
    assert "12 supported" in told


def test_only_marked_items_count_where_the_trial_says_so() -> None:
    plain: dict[str, Any] = {}
    leaky = {"contamination": 0.3}
    trial = Trial(
        family="digits",
        factors={"training": {"treated": leaky, "plain": plain}},
        treatment={"training": "treated"},
        baseline={"training": "plain"},
        twins=(),
        budget=100,
        fair=10,
        full=1,
        widest=1,
        marks={"old": range(75), "fresh": range(75, 420)},
        counted="fresh",
    )
    fresh = true_effect(trial, trial.factors)
    old = true_effect(Trial(**{**trial.__dict__, "counted": "old"}), trial.factors)
    assert old > fresh + 0.05


def test_the_order_of_the_calls_says_nothing() -> None:
    def by_place(many: Sequence[Results]) -> list[Any]:
        half = len(many) // 2
        return [
            decision(Verdict.supported if k < half else Verdict.not_supported, 0, 0, 0)
            for k in range(len(many))
        ]

    scores = [try_plan(PLAN, by_place, TRIAL, np.random.default_rng(seed)) for seed in range(6)]
    assert np.mean([score.separation for score in scores]) < 0.2
