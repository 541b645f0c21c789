"""The truths of ``recall_length`` against scipy, enumeration, published values; its numbers from the bank."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from scipy import stats

from fourrounds.design import Arm, Design, Estimand, Stopping, from_plain, plain, vary
from fourrounds.design.bank import BankWorld
from fourrounds.design.run import Runs, run
from fourrounds.design.score import score
from fourrounds.runbank import FAMILIES, load
from support.truths import truth_of

TRUTH = truth_of("recall_length")
MODEL = from_plain(TRUTH.my_design())
WORLDS = {trial.name: trial.world for trial in TRUTH.KEY.trials}
FORGETS, SAME, WIDE, FURTHER = WORLDS.values()
LINEAR = {"mixer": "linear", "lr": 0.03}


def runs_of(**changes: object) -> np.ndarray:
    """Right answers of the 30 plain runs, (30, 512)."""
    return load("recall").of({**FAMILIES["recall"].reference, **changes}).correct.astype(float)


# -- the calculations


@pytest.mark.parametrize("seed", range(6))
def test_the_interquartile_mean_is_scipys_trimmed_mean(seed: int) -> None:
    rng = np.random.default_rng(seed)
    scores = TRUTH.draw_scores(rng, (5, 3 + seed, 3))
    due = [stats.trim_mean(one.ravel(), 0.25) for one in scores]
    assert TRUTH.true_iqm(scores) == pytest.approx(due, rel=1e-12)
    assert TRUTH.iqm(scores) == pytest.approx(due, rel=1e-12)


def test_the_published_values_and_the_count_that_floors() -> None:
    published = [(1.5, [[1, 2], [2, 2], [1, 1], [2, 1]]), (2.0, [[1, 1], [2, 2], [3, 3]])]
    for due, scores in published:
        assert TRUTH.true_iqm(np.array([scores], dtype=float)) == pytest.approx([due])
    squares = np.arange(15.0) ** 2
    assert TRUTH.true_iqm(squares.reshape(1, 5, 3)) == pytest.approx([55.66667], abs=1e-5)
    for n in range(1, 20):
        kept = [Fraction(k * k) for k in range(n // 4, n - n // 4)]
        due = float(sum(kept) / len(kept))
        assert TRUTH.true_iqm(np.arange(float(n)).reshape(1, n, 1) ** 2) == pytest.approx([due])


@pytest.mark.parametrize("level", [0.0, 0.5, 0.95])
def test_the_interval_over_all_resamples_is_that_of_scipys_quantiles(level: float) -> None:
    """Every resample of three runs on two tasks, 27 x 27 of them, one list of scores at a time."""
    scores = np.random.default_rng(1).random((3, 2))
    means, draws = [], []
    for first, second in product(product(range(3), repeat=3), repeat=2):
        means.append(stats.trim_mean([scores[i, 0] for i in first] + [scores[i, 1] for i in second], 0.25))
        draws.append(np.array([first, second]).T)
    tails = [(1 - level) / 2, (1 + level) / 2]
    due = stats.mstats.mquantiles(means, tails, alphap=1, betap=1)
    assert TRUTH.true_interval(scores, np.array(draws), level) == pytest.approx(due, rel=1e-12)
    assert TRUTH.stratified_interval(scores, np.array(draws), level) == pytest.approx(due, rel=1e-12)


def test_the_interval_is_that_of_scipys_bootstrap() -> None:
    """With draws of our own: the tasks are resampled apart, as scipy resamples several samples."""
    rng = np.random.default_rng(2)
    scores = TRUTH.draw_scores(rng, (12, 3))

    def statistic(a: np.ndarray, b: np.ndarray, c: np.ndarray, axis: int = -1) -> np.ndarray:
        return np.asarray(stats.trim_mean(np.concatenate([a, b, c], axis=axis), 0.25, axis=axis))

    found = stats.bootstrap(
        tuple(scores.T), statistic, n_resamples=20_000, method="percentile", vectorized=True, random_state=rng
    ).confidence_interval
    ours = TRUTH.stratified_interval(scores, rng.integers(12, size=(20_000, 12, 3)))
    width = found.high - found.low
    assert ours == pytest.approx([found.low, found.high], abs=0.04 * width)


# -- the key


def test_what_is_true_in_the_worlds_by_the_table_of_the_bank() -> None:
    def gap(width: int, pairs: int) -> float:
        best = []
        for mixer in ("softmax", "linear"):
            every = (runs_of(mixer=mixer, width=width, pairs=pairs, lr=rate) for rate in (0.003, 0.01, 0.03))
            best.append(max(right.mean() for right in every))
        return float(best[0] - best[1])

    asked = TRUTH.KEY.question
    assert [world.truth(asked) for world in (FORGETS, SAME)] == pytest.approx([0, 0], abs=1e-12)
    # One rate serves both lengths; here the best of each length is the same to a twentieth of a point.
    assert WIDE.truth(asked) == pytest.approx(gap(32, 16) - gap(32, 4), abs=5e-4)
    assert FURTHER.truth(asked) == pytest.approx(gap(16, 16) - gap(16, 4), abs=5e-4)
    assert (round(WIDE.truth(asked), 3), round(FURTHER.truth(asked), 3)) == (-0.002, 0.074)
    of = {"softmax": 1, "linear": -1}
    gaps = [w.truth(Estimand(of, {s: 1})) for w in (SAME, WIDE, FURTHER) for s in ("few", "many")]
    assert np.allclose(gaps, [0.090, 0.090, 0.004, 0.002, 0.017, 0.090], atol=5e-4)


def test_prices_agree_in_all_worlds() -> None:
    for world in (*WORLDS.values(), TRUTH.NOTHING, TRUTH.ENOUGH):
        assert world.prices(MODEL).tolist() == [2.0, 2.0]
        assert TRUTH.BUDGET == 140


def test_equal_lengths_are_exchangeable() -> None:
    """Fifteen seeds apart: with seed s in one length there is a seed that has s in the other."""
    few, many = (SAME.shelf("linear", length).correct.mean(axis=(0, 2)) for length in ("few", "many"))
    assert (many == np.roll(few, -15)).all()
    assert (few == np.roll(many, -15)).all()


def rates(design: Design, world: BankWorld, sims: int = 1500) -> Runs:
    return run(design, world, sims, 4)


def claims(design: Design, world: BankWorld) -> float:
    return float(rates(design, world).claim.mean())


def over(unit: str, design: Design = MODEL) -> Design:
    return vary(vary(design, "test.unit", unit), "test.paired", True)


def test_what_was_planted_does_what_is_said() -> None:
    """The debrief's table, in the worlds of the key."""
    untuned = vary(MODEL, "arms.linear.tuning", 1)
    assert rates(untuned, FORGETS).estimate.mean() == pytest.approx(0.19, abs=0.005)
    assert claims(over("items"), FORGETS) == pytest.approx(0.16, abs=0.03)
    assert claims(over("groups"), FORGETS) > claims(over("items"), FORGETS)
    main = vary(MODEL, "estimand.strata", None)
    assert claims(main, SAME) == 1.0
    found = rates(main, WIDE)
    assert (found.claim & (found.estimate > 0)).mean() == pytest.approx(5 / 6, abs=0.03)
    assert found.estimate.mean() == pytest.approx(0.003, abs=5e-4)


@pytest.mark.parametrize(
    ("count", "price", "power", "fires"), [(4, 48, 0.98, 0.53), (6, 72, 1.0, 0.77), (10, 120, 1.0, 0.96)]
)
def test_the_table_of_runs(count: int, price: int, power: float, fires: float) -> None:
    design = vary(MODEL, "seeds.count", count)
    found = rates(design, FURTHER)
    assert (found.cost == price).all()
    assert found.claim.mean() == pytest.approx(power, abs=0.015)
    assert rates(design, FORGETS).falsified.mean() == pytest.approx(fires, abs=0.05)


def test_the_rates_that_the_faults_and_the_model_text_tell() -> None:
    """In the teaching worlds."""
    nothing, enough = TRUTH.NOTHING, TRUTH.ENOUGH
    one = over("groups", vary(MODEL, "seeds.count", 1))
    peeks = vary(MODEL, "stopping", Stopping(10, "seeds", "none"))
    for design, due in (
        (one, 0.21),
        (over("items"), 0.19),
        (over("groups"), 0.21),
        (peeks, 0.13),
        (MODEL, 0.036),
    ):
        assert claims(design, nothing) == pytest.approx(due, abs=0.03)
    assert rates(vary(MODEL, "arms.linear.tuning", 1), nothing).estimate.mean() == pytest.approx(
        0.11, abs=0.006
    )
    assert rates(MODEL, nothing).falsified.mean() == pytest.approx(0.9, abs=0.03)
    assert claims(vary(MODEL, "seeds.count", 2), enough) == pytest.approx(0.41, abs=0.04)
    best = over("items")
    for arm in ("linear", "softmax"):
        best = vary(best, f"arms.{arm}.report", "best")
    bias = rates(best, enough).estimate.mean() - enough.truth(TRUTH.KEY.question)
    assert bias == pytest.approx(-0.02, abs=0.003)


# -- the pilot and the debrief, from the bank


def test_the_pilot() -> None:
    table = {
        mixer: [round(float(runs_of(mixer=mixer, lr=rate)[:5].mean()), 3) for rate in (0.003, 0.01, 0.03)]
        for mixer in ("softmax", "linear")
    }
    assert table == {"softmax": [1.0, 1.0, 0.998], "linear": [0.783, 0.966, 0.964]}
    for pairs, due in ((8, 0.008), (16, 0.013)):
        right = runs_of(**LINEAR, pairs=pairs)
        assert round(float(right.mean(axis=1).std(ddof=1)), 3) == due
        mean = right.mean()
        assert round(math.sqrt(mean * (1 - mean) / 512), 3) == due
    single = vary(vary(MODEL, "seeds.count", 1), "evaluation.groups", {"few": 32, "many": 32})
    for world, due in ((TRUTH.ENOUGH, 0.025), (TRUTH.NOTHING, 0.034)):
        assert rates(over("groups", single), world, 4000).estimate.std() == pytest.approx(due, abs=0.0015)
    shelf = TRUTH.ENOUGH.shelf("linear", "few")
    assert np.bincount(shelf.val.argmax(axis=0), minlength=3).tolist() == [0, 7, 23]


def test_the_numbers_of_the_debrief() -> None:
    for lr, due in ((0.003, (0.87, 0.61)), (0.03, (0.98, 0.91))):
        assert tuple(round(float(runs_of(mixer="linear", lr=lr, pairs=p).mean()), 2) for p in (4, 16)) == due
    difference = [
        float(runs_of(**LINEAR, pairs=p).mean() - runs_of(mixer="linear", lr=0.01, pairs=p).mean())
        for p in (4, 16)
    ]
    assert np.round(difference, 3).tolist() == [0.014, 0.008]
    every = load("recall").where(**LINEAR, pairs=8, width=16, train_size=1024).test
    assert len(every) == 174
    lowest = np.sort(every)
    assert (round(lowest[0], 3), lowest[1] > 0.92) == (0.277, True)
    assert runs_of(**LINEAR).mean(axis=1).min() > 0.92
    found = [every.mean(), lowest[1:].mean(), stats.trim_mean(every, 0.25)]
    assert np.round(found, 3).tolist() == [0.960, 0.964, 0.964]
    # A sequence within a run, for 4, 8 and 16 pairs: its variance in that of as many coins.
    for pairs in (4, 8, 16):
        right = runs_of(**LINEAR, pairs=pairs)
        mean = right.mean(axis=1)
        by_sequence = right.reshape(30, -1, pairs).mean(axis=2).var(axis=1, ddof=1)
        assert 0.85 < (by_sequence / (mean * (1 - mean) / pairs)).mean() < 1.05
    lengths = np.stack([runs_of(**LINEAR, pairs=p).mean(axis=1) for p in (4, 8, 16)], axis=1)
    assert round(float(TRUTH.iqm(lengths[None])[0]), 3) == 0.962
    kept = np.argsort(lengths.ravel(), kind="stable")[22:68] % 3
    assert np.bincount(kept).tolist() == [10, 28, 8]
    assert round(1 - 0.05 ** (1 / 10), 2) == 0.26


def test_the_experiments_of_others_are_sound() -> None:
    """With their declared analysis they earn everything: what is lost there is lost by the answer."""
    for design, key, sims in TRUTH.HOUSE:
        assert [score(plain(design), None, key, sims, seed).total for seed in range(3)] == [1.0] * 3


def test_the_cheaper_good_design_of_the_debrief() -> None:
    once = Design(
        arms=(Arm("linear", tuning=3), Arm("softmax", tuning=3)),
        estimand=MODEL.estimand,
        evaluation=MODEL.evaluation,
        seeds=vary(MODEL, "seeds.count", 20).seeds,
        test=MODEL.test,
        falsifier=MODEL.falsifier,
    )
    found = score(plain(once), None, TRUTH.KEY, 400, 1)
    assert found.cost == 2 * 2 * 22
    assert found.total > TRUTH.FULL
