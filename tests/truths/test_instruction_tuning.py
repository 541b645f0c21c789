"""The truths of ``instruction_tuning`` against scipy, loops, the package's own analyses, simulation."""

from __future__ import annotations

import math
from itertools import combinations, product
from statistics import fmean, variance

import numpy as np
import pytest
from scipy import stats

from fourrounds.design import (
    Arm,
    Design,
    Estimand,
    EvaluationSet,
    Seeds,
    World,
    diagnose,
    from_plain,
    plain,
)
from fourrounds.design import Test as Analysis
from fourrounds.design.power import t_power
from fourrounds.design.score import score
from support.truths import truth_of

TRUTH = truth_of("instruction_tuning")


def by_two_by_two_tables(gain: np.ndarray, low: np.ndarray) -> tuple[float, float, float, float]:
    """The estimate and the three shares of one experiment.

    The mean square of the interaction is a quarter of the mean square of d_rl - d_r'l - d_rl' + d_r'l' over
    all pairs of runs and pairs of languages of a kind.
    """
    runs = range(len(gain))
    estimate, by_language, by_cell, difference = 0.0, 0.0, 0.0, [0.0 for _ in runs]
    for sign, kind in ((1, np.flatnonzero(low)), (-1, np.flatnonzero(~low))):
        count = len(kind)
        by_language += variance([fmean(gain[r, c] for r in runs) for c in kind]) / count
        tables = product(combinations(runs, 2), combinations(kind, 2))
        corners = [gain[r, c] - gain[q, c] - gain[r, d] + gain[q, d] for (r, q), (c, d) in tables]
        by_cell += fmean(x * x for x in corners) / 4 / (len(gain) * count)
        for r in runs:
            difference[r] += sign * fmean(gain[r, kind])
        estimate += sign * fmean(gain[:, kind].ravel())
    return estimate, by_language, variance(difference) / len(gain), by_cell


@pytest.mark.parametrize("seed", range(4))
def test_the_crossed_error_against_loops(seed: int) -> None:
    rng = np.random.default_rng(seed)
    low = rng.permutation(np.arange(9) < 3 + seed % 2)
    gain = TRUTH.draw_gains(rng, (5, 2 + seed, 9), low, run=(0.0, 0.3)[seed % 2])
    found, error = TRUTH.true_crossed(gain, low)
    shares = TRUTH.parts_of(gain, low)
    for number, one in enumerate(gain):
        estimate, by_language, by_run, by_cell = by_two_by_two_tables(one, low)
        assert found[number] == pytest.approx(estimate, rel=1e-10)
        for share, due in zip(shares, (by_language, by_run, by_cell), strict=True):
            assert share[number] == pytest.approx(due, rel=1e-9)
        due = math.sqrt(max(by_language, by_run, by_language + by_run - by_cell))
        assert error[number] == pytest.approx(due, rel=1e-9)


def test_the_shares_estimate_the_true_variance_without_bias() -> None:
    """The variance of the estimate over many draws is the mean of V_L + V_R - V_RL."""
    rng = np.random.default_rng(0)
    low = np.arange(11) < 4
    gain = TRUTH.draw_gains(rng, (40_000, 3, 11), low)
    by_language, by_run, by_cell = TRUTH.parts_of(gain, low)
    estimate = gain[:, :, low].mean((1, 2)) - gain[:, :, ~low].mean((1, 2))
    # Run effects of the two kinds are independent: 2 run^2 / R. Then languages, and cells.
    sizes = 1 / 4 + 1 / 7
    due = 2 * 0.3**2 / 3 + 0.4**2 * sizes + 0.3**2 * sizes / 3
    assert estimate.var() == pytest.approx(due, rel=0.03)
    assert (by_language + by_run - by_cell).mean() == pytest.approx(due, rel=0.01)
    assert (by_language + by_run).mean() > 1.05 * due


def test_the_package_finds_the_same_error_where_runs_are_not_paired() -> None:
    """Where one of two arms is constant, the package's crossed analysis has the same shares."""
    nature = World(
        "one arm varies",
        {"a": {"low": 0.6, "high": 0.5}, "b": 0.5},
        noise=0.3,
        scale={"b": 0.0},
        group_effect=0.2,
        run=0.1,
    )
    design = Design(
        arms=(Arm("a"), Arm("b")),
        estimand=Estimand({"a": 1, "b": -1}, {"low": 1, "high": -1}),
        evaluation=EvaluationSet({"low": 5, "high": 4}, 3),
        seeds=Seeds(3),
        test=Analysis("crossed", method="z"),
    )
    seen: dict[str, np.ndarray] = {}

    def analyse(data: dict) -> dict:
        cells = data["scores"][:, 0].mean(axis=4)
        gain = cells[:, 0] - cells[:, 1]
        estimate, error = TRUTH.true_crossed(gain, data["stratum"] == 0)
        seen["estimate"], seen["error"] = estimate, error
        return {"estimate": estimate, "low": estimate, "high": estimate, "claim": estimate > 0}

    diagnose(design, nature, 50, 3, analyse=analyse)
    found = diagnose(design, nature, 50, 3).rows[0].runs
    np.testing.assert_allclose(found.estimate, seen["estimate"], rtol=1e-9, atol=1e-12)
    half = stats.norm.isf(0.025) * seen["error"]
    np.testing.assert_allclose(found.high - found.estimate, half, rtol=1e-9)


@pytest.mark.parametrize("alpha", [0.05, 0.01])
def test_the_power_against_scipy_and_simulation(alpha: float) -> None:
    low, high, runs, items, spread, noise = 12, 20, 2, 5, 0.2, 0.5
    variance = (spread**2 + 2 * noise**2 / (runs * items)) * (1 / low + 1 / high)
    critical = stats.norm.isf(alpha / 2)
    rng = np.random.default_rng(1)
    for effect in (0.0, 0.1, 0.25, -0.25):
        found = TRUTH.true_power(effect, low, high, runs, items, spread, noise, alpha)
        shift = effect / math.sqrt(variance)
        assert found == pytest.approx(stats.ncx2.sf(critical**2, 1, shift**2) if effect else alpha, rel=1e-9)
        # The model, drawn score by score: a gain's own deviation, and the mean of the answers of two arms.
        estimate = np.full(20_000, effect)
        for sign, count in ((1, low), (-1, high)):
            gain = spread * rng.normal(size=(20_000, count))
            for arm in (1, -1):
                answers = noise * rng.normal(size=(20_000, count, runs * items))
                gain += arm * answers.mean(axis=2)
            estimate += sign * gain.mean(axis=1)
        assert estimate.var() == pytest.approx(variance, rel=0.05)
        rate = (np.abs(estimate) > critical * math.sqrt(variance)).mean()
        assert abs(rate - found) < 4 * math.sqrt(float(found) * (1 - found) / 20_000)


def test_the_power_is_that_of_the_designs_test_with_many_languages() -> None:
    """The package's noncentral t, for as many languages of each kind, comes near from below."""
    for count, gap in ((20, 0.03), (200, 0.003)):
        one = math.sqrt(0.15**2 + 2 * 0.5**2 / 40)
        effect = 3 * one * math.sqrt(2 / count)
        by_t = t_power(effect / one, count)
        by_normal = float(TRUTH.true_power(effect, count, count, 4, 10, 0.15, 0.5))
        assert 0 < by_normal - by_t < gap


def test_the_numbers_of_the_text() -> None:
    """What the pilot, the model text and the debrief state."""
    pilot = math.sqrt((0.15**2 + 2 * 0.5**2 / 40) * 2 / 5)
    assert round(pilot, 2) == 0.12
    low, high = 0.4 * (1 - 0.4), 0.4 * (1 - 0.7)
    assert (round(low, 2), round(high, 2), round(low - high, 2)) == (0.24, 0.12, 0.12)
    assert round(math.sqrt((0.15**2 + 0.0125) * 2 / 48), 3) == 0.038

    def by_t(count: int, runs: float, items: int) -> float:
        return t_power(0.12 / math.sqrt(0.15**2 + 2 * 0.5**2 / (runs * items)), count)

    assert by_t(25, math.inf, 1) < 0.8 <= by_t(26, math.inf, 1)
    assert by_t(39, 4, 10) < 0.8 <= by_t(40, 4, 10)
    assert [round(by_t(*d), 2) for d in ((48, 4, 10), (48, 1, 10), (34, 2, 60), (31, 1, 100))] == [
        0.87,
        0.58,
        0.85,
        0.8,
    ]
    logit = stats.logistic.ppf
    assert round(logit(0.7) - logit(0.6), 2) == 0.44
    assert round(logit(0.42) - logit(0.3), 2) == 0.52


def test_the_rates_of_the_text() -> None:
    """By simulation, in the teaching worlds: what the faults are said to show."""
    model = from_plain(TRUTH.my_design())
    asked = Estimand({"tuned": 1, "few shots": -1}, {"low": 1, "high": -1})
    worlds = [TRUTH.NOTHING, TRUTH.ENOUGH, TRUTH.NOTHING.but(name="copies", duplicates={"tuned": 0.4})]

    def rates(design: Design) -> list[float]:
        table = diagnose(design, worlds, 1500, 2, question=asked, progress=False)
        return [float(row.runs.claim.mean()) for row in table] + [row["falsified"].value for row in table]

    found = rates(model)
    assert np.allclose(found, [0.05, 0.87, 0.05, 0.875, 0.024, 0.875], atol=0.03)
    public = {**plain(model), "evaluation": {**plain(model)["evaluation"], "held_out": "items"}}
    assert rates(from_plain(public))[2] == pytest.approx(0.92, abs=0.03)
    items = {**plain(model), "test": {**plain(model)["test"], "unit": "items"}}
    assert rates(from_plain(items))[0] == pytest.approx(0.21, abs=0.04)
    few = {**plain(model), "evaluation": {**plain(model)["evaluation"], "groups": {"low": 9, "high": 9}}}
    row = diagnose(from_plain(few), TRUTH.ENOUGH, 1500, 2, progress=False).rows[0]
    assert row["power"].value == pytest.approx(0.24, abs=0.04)
    assert row["exaggeration"].value == pytest.approx(1.9, abs=0.15)


def test_the_experiments_of_others_are_sound() -> None:
    """With their declared analysis they earn everything: what is lost there is lost by the answer."""
    for design, key, sims in TRUTH.HOUSE:
        totals = [score(plain(design), None, key, sims, seed).total for seed in range(3)]
        assert min(totals) == 1.0
