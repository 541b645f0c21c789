"""The default analyses against scipy and numpy's least squares, simulation by simulation."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from scipy import stats

from fourrounds.design import (
    Arm,
    Data,
    Design,
    DesignError,
    Estimand,
    EvaluationSet,
    Metric,
    Seeds,
    Test,
    clustered_se,
    draw,
    worlds,
)
from fourrounds.design.analysis import analyse, correct, p_value
from support.designs import over_seeds

WORLD = worlds.true_effect(0.1, run=0.1, group=0.2, group_effect=0.1, item=0.2, item_effect=0.1, noise=0.3)
SETS = EvaluationSet(groups=4, items=3)


def drawn(design: Design, sims: int = 6) -> Data:
    return draw(design, WORLD, sims, 3)


def samples(data: Data, unit: str, paired: bool) -> list[tuple[np.ndarray, ...]]:
    """The units of each simulation, plainly: two samples, or one of differences."""
    result = []
    for scores in data.scores[:, 0]:  # (A, R, G, I)
        units = {
            "seeds": scores.mean(axis=(2, 3)),
            "groups": scores.mean(axis=(1, 3)),
            "items": scores.mean(axis=1).reshape(2, -1),
            "observations": scores.reshape(2, -1),
        }[unit]
        result.append((units[1] - units[0],) if paired else (units[0], units[1]))
    return result


@pytest.mark.parametrize("sides", [1, 2])
@pytest.mark.parametrize("unit", ["seeds", "groups", "items", "observations"])
def test_t(unit: str, sides: int) -> None:
    arms = Arm("baseline", seeds=4 if unit == "seeds" else 5), Arm("treatment", seeds=5)
    alternative = {1: "greater", 2: "two-sided"}[sides]
    for paired, equal in ((False, False), (False, True), (True, False)):
        if paired and unit == "seeds":
            arms = Arm("baseline"), Arm("treatment")
        design = Design(
            arms=arms,
            evaluation=SETS,
            test=Test(unit, paired=paired, equal_variances=equal, sides=sides),
        )
        data = drawn(design)
        found = analyse(design, data)
        for s, units in enumerate(samples(data, unit, paired)):
            units = tuple(u[~np.isnan(u)] for u in units)
            if paired:
                due = stats.ttest_1samp(units[0], 0, alternative=alternative)
                interval = stats.ttest_1samp(units[0], 0).confidence_interval()
            else:
                due = stats.ttest_ind(units[1], units[0], equal_var=equal, alternative=alternative)
                interval = stats.ttest_ind(units[1], units[0], equal_var=equal).confidence_interval()
            assert found.p[s, 0] == pytest.approx(due.pvalue, rel=1e-9)
            assert found.df[s, 0] == pytest.approx(due.df, rel=1e-9)
            assert (found.low[s, 0], found.high[s, 0]) == pytest.approx(tuple(interval), rel=1e-9)


def test_z_is_the_normal() -> None:
    design = Design(evaluation=SETS, test=Test("items", paired=True, method="z"))
    data = drawn(design)
    found = analyse(design, data)
    for s, (difference,) in enumerate(samples(data, "items", True)):
        se = stats.sem(difference)
        assert found.p[s, 0] == pytest.approx(2 * stats.norm.sf(abs(difference.mean()) / se), rel=1e-9)


@pytest.mark.parametrize("sides", [1, 2])
@pytest.mark.parametrize("paired", [False, True])
def test_permutation_of_every_arrangement(paired: bool, sides: int) -> None:
    design = Design(
        evaluation=SETS, test=Test("seeds", paired=paired, method="permutation", sides=sides, resamples=999)
    )
    data = drawn(design)
    found = analyse(design, data)
    for s, units in enumerate(samples(data, "seeds", False)):
        due = stats.permutation_test(
            (units[1], units[0]),
            lambda x, y: x.mean() - y.mean(),
            permutation_type="samples" if paired else "independent",
            alternative={1: "greater", 2: "two-sided"}[sides],
            n_resamples=np.inf,
        )
        assert found.p[s, 0] == pytest.approx(due.pvalue, abs=1e-12)


@pytest.mark.parametrize("paired", [False, True])
def test_permutation_drawn_at_random(paired: bool) -> None:
    design = Design(
        evaluation=SETS, test=Test("items", paired=paired, method="permutation", resamples=20_000)
    )
    data = drawn(design, 3)
    found = analyse(design, data)
    for s, units in enumerate(samples(data, "items", False)):
        due = stats.permutation_test(
            (units[1], units[0]),
            lambda x, y, axis: x.mean(axis=axis) - y.mean(axis=axis),
            permutation_type="samples" if paired else "independent",
            n_resamples=20_000,
            rng=np.random.default_rng(1),
        )
        assert found.p[s, 0] == pytest.approx(due.pvalue, abs=0.02)
        assert found.p[s, 0] >= 1 / 20_001


@pytest.mark.parametrize("paired", [False, True])
def test_bootstrap(paired: bool) -> None:
    design = Design(evaluation=SETS, test=Test("items", paired=paired, method="bootstrap", resamples=20_000))
    data = drawn(design, 3)
    found = analyse(design, data)
    for s, units in enumerate(samples(data, "items", paired)):
        due = stats.bootstrap(
            units[::-1],
            (lambda x, axis: x.mean(axis=axis))
            if paired
            else (lambda x, y, axis: x.mean(axis=axis) - y.mean(axis=axis)),
            method="percentile",
            n_resamples=20_000,
            rng=np.random.default_rng(1),
        ).confidence_interval
        se = found.se[s, 0]
        assert (found.low[s, 0], found.high[s, 0]) == pytest.approx(tuple(due), abs=0.1 * se)
        outside = found.low[s, 0] > 0 or found.high[s, 0] < 0
        assert (found.p[s, 0] <= 0.05) == outside or abs(found.p[s, 0] - 0.05) < 0.003


def test_missing_runs_are_left_out_whatever_the_method() -> None:
    """A run that was dropped changes nothing but its absence."""
    for method in ("t", "z", "permutation", "bootstrap"):
        design = Design(evaluation=SETS, seeds=Seeds(6), test=Test("seeds", method=method))
        data = drawn(design)
        gone = data.scores.copy()
        gone[:, :, 1, 2] = np.nan
        fewer = replace(design, arms=(Arm("baseline"), Arm("treatment", seeds=5)))
        order = [0, 1, 3, 4, 5, 2]
        shorter = data.scores[:, :, :, order].copy()
        shorter[:, :, 0] = data.scores[:, :, 0]
        shorter[:, :, 1, 5] = np.nan
        one = analyse(design, replace(data, scores=gone))
        other = analyse(fewer, replace(data, scores=shorter))
        for name in ("estimate", "se", "low", "high", "p"):
            np.testing.assert_allclose(getattr(one, name), getattr(other, name), rtol=1e-12)
        assert np.isfinite(one.p).all()


def test_groups_of_one_size_are_the_cluster_robust_analysis() -> None:
    design = Design(evaluation=SETS, test=Test("groups", paired=True))
    data = drawn(design)
    found = analyse(design, data)
    clusters = np.repeat(np.arange(4), 3)
    for s, (difference,) in enumerate(samples(data, "items", True)):
        assert found.se[s, 0] == pytest.approx(clustered_se(difference, clusters), rel=1e-12)


def test_clustered_se_is_the_sandwich() -> None:
    """Least squares on a constant with the CR0 and CR1 sandwich, for clusters of different sizes."""
    rng = np.random.default_rng(0)
    clusters = rng.integers(0, 7, 60)
    scores = rng.standard_normal(60) + clusters
    x = np.ones((60, 1))
    residual = scores - scores.mean()
    meat = sum(
        np.outer(x[clusters == c].T @ residual[clusters == c], x[clusters == c].T @ residual[clusters == c])
        for c in range(7)
    )
    bread = np.linalg.inv(x.T @ x)
    due = float(np.sqrt((bread @ meat @ bread)[0, 0]))
    assert clustered_se(scores, clusters, small_sample=False) == pytest.approx(due, rel=1e-12)
    assert clustered_se(scores, clusters) == pytest.approx(due * np.sqrt(7 / 6), rel=1e-12)
    singles = clustered_se(scores, np.arange(60))
    assert singles == pytest.approx(stats.sem(scores), rel=1e-12)
    with pytest.raises(ValueError, match="fewer than 2 clusters"):
        clustered_se([1.0, 2.0], [0, 0])
    with pytest.raises(ValueError, match="two lists of one length"):
        clustered_se([1.0, 2.0], [0, 1, 2])


def test_adjusted_is_least_squares() -> None:
    design = Design(
        arms=(Arm("baseline"), Arm("treatment", seeds=7)),
        evaluation=SETS,
        controlled={"model size": "adjusted"},
    )
    data = draw(design, worlds.confounded(0.2, 0.5, effect=0.1), 6, 0)
    found = analyse(design, data)
    for s in range(6):
        y = data.scores[s, 0].mean(axis=(2, 3))
        there = ~np.isnan(y)
        treated = np.broadcast_to(np.array([[0.0], [1.0]]), y.shape)[there]
        x = np.column_stack([np.ones(there.sum()), treated, data.covariate[s][there]])
        b, squares, _, _ = np.linalg.lstsq(x, y[there], rcond=None)
        df = there.sum() - 3
        se = np.sqrt(squares[0] / df * np.linalg.inv(x.T @ x)[1, 1])
        assert found.estimate[s, 0] == pytest.approx(b[1], rel=1e-9)
        assert found.se[s, 0] == pytest.approx(se, rel=1e-9)
        assert found.p[s, 0] == pytest.approx(2 * stats.t.sf(abs(b[1] / se), df), rel=1e-9)


def test_crossed_is_the_analysis_of_variance() -> None:
    """Expected mean squares of a runs x groups table for each arm, and of the group differences."""
    design = Design(evaluation=SETS, seeds=Seeds(5), test=Test("crossed", paired=True))
    data = drawn(design)
    found = analyse(design, data)
    for s in range(6):
        table = data.scores[s, 0].mean(axis=3)  # (A, R, G)
        by_run = sum(table[a].mean(axis=1).var(ddof=1) / 5 for a in (0, 1))
        by_group = (table[1].mean(axis=0) - table[0].mean(axis=0)).var(ddof=1) / 4
        by_cell = 0.0
        for a in (0, 1):
            row, column = table[a].mean(axis=1, keepdims=True), table[a].mean(axis=0, keepdims=True)
            rest = table[a] - row - column + table[a].mean()
            by_cell += (rest**2).sum() / (4 * 3) / 20
        due = max(by_run, by_group, by_run + by_group - by_cell)
        assert found.se[s, 0] == pytest.approx(np.sqrt(due), rel=1e-9)


@pytest.mark.parametrize("test", [Test("items", paired=True), Test("groups"), Test("seeds")])
def test_strata_are_samples_of_their_own(test: Test) -> None:
    estimand = Estimand(strata={"low": 1, "high": -1})
    design = Design(
        evaluation=EvaluationSet({"low": 4, "high": 3}, 3), seeds=Seeds(3), test=test, estimand=estimand
    )
    data = drawn(design)
    found = analyse(design, data)
    for s in range(6):
        scores = data.scores[s, 0]
        low, high = scores[:, :, :4], scores[:, :, 4:]
        gain = [part.mean(axis=(1, 2, 3)) for part in (low, high)]
        due = (gain[0][1] - gain[0][0]) - (gain[1][1] - gain[1][0])
        assert found.estimate[s, 0] == pytest.approx(due, rel=1e-9)
        if test.unit == "items":
            ends = [(p[1] - p[0]).mean(axis=0).ravel() for p in (low, high)]
            assert found.p[s, 0] == pytest.approx(stats.ttest_ind(*ends, equal_var=False).pvalue, rel=1e-9)


def test_an_interaction_is_permuted_between_strata() -> None:
    """With a large main effect in both strata, permuting the labels of the strata keeps the level."""
    estimand = Estimand(strata={"low": 1, "high": -1})
    sets = EvaluationSet({"low": 4, "high": 4}, 1)
    design = Design(
        evaluation=sets,
        seeds=Seeds(1),
        estimand=estimand,
        test=Test("groups", paired=True, method="permutation"),
    )
    data = draw(design, worlds.interaction(5.0, 0.0, noise=0.1), 5, 0)
    found = analyse(design, data)
    for s in range(5):
        difference = data.scores[s, 0, 1, 0, :, 0] - data.scores[s, 0, 0, 0, :, 0]
        due = stats.permutation_test(
            (difference[:4], difference[4:]), lambda x, y: x.mean() - y.mean(), n_resamples=np.inf
        )
        assert found.p[s, 0] == pytest.approx(due.pvalue, abs=1e-12)
    unpaired = replace(design, test=Test("groups", method="permutation"))
    with pytest.raises(DesignError, match="paired=True"):
        analyse(unpaired, data)


def test_arms_are_permuted_within_a_stratum() -> None:
    """Strata that differ by far are no chance of the arms: each arrangement moves groups within theirs."""
    design = Design(
        evaluation=EvaluationSet({"low": 3, "high": 3}, 1),
        seeds=Seeds(1),
        test=Test("groups", method="permutation", resamples=20_000),
    )
    data = draw(design, worlds.interaction(0.1, 0.0, noise=0.1), 4, 0)
    found = analyse(design, data)
    for s in range(4):
        one, two = data.scores[s, 0, :, 0, :, 0]
        pools = [np.concatenate([one[part], two[part]]) for part in (slice(0, 3), slice(3, 6))]
        halves = [
            [pool[list(c)].mean() - np.delete(pool, c).mean() for c in combinations(range(6), 3)]
            for pool in pools
        ]
        every = np.abs(np.add.outer(*halves)).ravel() / 2
        seen = abs(two.mean() - one.mean())
        assert found.p[s, 0] == pytest.approx((every >= seen - 1e-12).mean(), abs=0.015)


def test_what_has_no_spread() -> None:
    """Equal scores: an effect is certain, none is none; one run tells nothing."""
    assert p_value([0.0, 1.0, np.nan], [0.0, 0.0, 1.0], [4.0, 4.0, 4.0])[:2].tolist() == [1.0, 0.0]
    assert np.isnan(p_value([np.nan], [1.0], [4.0])).all()
    assert p_value(-1.0, 0.0, 4.0, sides=1) == 1.0
    for effect, p in ((0.0, 1.0), (0.1, 0.0)):
        design = over_seeds(3, evaluation=SETS)
        world = worlds.true_effect(effect, means={"baseline": 0.1, "treatment": 0.1 + effect}, noise=0.0)
        assert analyse(design, draw(design, world, 2, 0)).p.ravel().tolist() == [p, p]
    one = over_seeds(1)
    found = analyse(one, draw(one, worlds.null(), 4, 0))
    assert np.isnan(found.p).all()
    assert np.isfinite(found.estimate).all()


def test_corrections() -> None:
    """Holm 1979 by its definition: the smallest p times m, the next times m - 1, never falling."""
    p = np.array([[0.01, 0.04, 0.03, 0.005], [0.5, 0.6, 0.9, 0.02]])
    assert correct(p, "none") is p
    np.testing.assert_allclose(correct(p, "bonferroni"), np.minimum(1, 4 * p))
    np.testing.assert_allclose(correct(p, "holm"), [[0.03, 0.06, 0.06, 0.02], [1.0, 1.0, 1.0, 0.08]])


def test_a_correction_widens_the_intervals() -> None:
    metrics = Metric("a"), Metric("b")
    widths = {}
    for correction in ("none", "bonferroni", "holm"):
        design = over_seeds(5, metrics=metrics, correction=correction)
        found = analyse(design, draw(design, worlds.null(), 4, 0))
        widths[correction] = (found.high - found.low) / found.se
    np.testing.assert_allclose(widths["none"], 2 * stats.t.isf(0.025, 8))
    for correction in ("bonferroni", "holm"):
        np.testing.assert_allclose(widths[correction], 2 * stats.t.isf(0.0125, 8))


def test_an_arm_that_is_not_weighed_does_not_count() -> None:
    """A third arm whose runs were all lost leaves the comparison of the others alone."""
    three = Arm("baseline"), Arm("treatment"), Arm("other", "baseline")
    estimand = Estimand({"treatment": 1, "baseline": -1})
    for unit in ("seeds", "groups", "items", "observations", "crossed"):
        for paired in (False, True):
            design = Design(arms=three, estimand=estimand, evaluation=SETS, test=Test(unit, paired=paired))
            data = drawn(design)
            lost = data.scores.copy()
            lost[:, :, 2] = np.nan
            one, other = analyse(design, data), analyse(design, replace(data, scores=lost))
            np.testing.assert_allclose(one.p, other.p, rtol=1e-12)
