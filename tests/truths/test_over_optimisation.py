"""The truths of ``over_optimisation`` against enumeration, scipy, closed forms; its debrief's numbers."""

from __future__ import annotations

from itertools import pairwise, product

import numpy as np
import pytest
from scipy import integrate, stats

from fourrounds.design import run
from fourrounds.proposal import ProposalError, plain
from fourrounds.proposal.received import received
from support.truths import truth_of

TRUTH = truth_of("over_optimisation")


def by_enumeration(gold: np.ndarray, proxy: np.ndarray, prob: np.ndarray, n: int) -> tuple[float, float]:
    """Every sequence of n answers: the best by the proxy, each of those that tie as often as it was drawn."""
    chosen = np.zeros(len(gold))
    for drawn in product(range(len(gold)), repeat=n):
        weight = float(np.prod(prob[list(drawn)]))
        top = max(proxy[i] for i in drawn)
        best = [i for i in drawn if proxy[i] == top]
        for i in best:
            chosen[i] += weight / len(best)
    there = chosen > 0
    return float(chosen @ gold), float(chosen[there] @ np.log(chosen[there] / prob[there]))


@pytest.mark.parametrize("n", [1, 2, 3, 5])
def test_best_of_n_by_enumeration(n: int) -> None:
    rng = np.random.default_rng(n)
    for _ in range(5):
        gold, proxy = rng.standard_normal(5), rng.integers(0, 3, 5) / 2
        prob = rng.dirichlet(np.ones(5))
        value, kl = TRUTH.true_best(gold[None], proxy[None], prob[None], np.array([n]))
        assert (value[0, 0], kl[0, 0]) == pytest.approx(by_enumeration(gold, proxy, prob, n), abs=1e-12)


def test_the_divergence_is_what_is_published() -> None:
    """Without ties log n - (n - 1)/n (Gao et al. 2022) in the limit of many answers; with two levels less."""
    n = np.array([2, 4, 16])
    size = 200_000
    rank = np.arange(size) / size
    levels = np.diff(np.concatenate([rank, [1.0]]) ** n[:, None], axis=1)
    printed = np.log(n) - (n - 1) / n
    kl = np.where(levels > 0, levels * np.log(np.maximum(levels, 1e-300) * size), 0).sum(1)
    assert kl == pytest.approx(printed, rel=1e-3)
    two = TRUTH.true_best(np.array([[0.0, 1]]), np.array([[0.0, 1]]), np.array([[0.5, 0.5]]), n)[1][0]
    assert two == pytest.approx([0.130812, 0.459356, 0.692963], abs=1e-6)
    assert (two < printed).all()


def test_a_rare_answer_keeps_its_digits() -> None:
    """Two answers, one of probability e: the value is 1 - (1 - e)^n, by exact fractions."""
    from fractions import Fraction

    e, n = 3e-12, 10**6
    value, _ = TRUTH.true_best(
        np.array([[0.0, 1]]), np.array([[0.0, 1]]), np.array([[1 - e, e]]), np.array([n])
    )
    # The first three terms of the binomial series leave a remainder below (n e)^4.
    x = Fraction(e)
    exact = n * x - Fraction(n * (n - 1), 2) * x**2 + Fraction(n * (n - 1) * (n - 2), 6) * x**3
    assert value[0, 0] == pytest.approx(float(exact), rel=1e-12)


@pytest.mark.parametrize("n", [1, 2, 3, 10, 100, 1000, 100_000])
def test_the_control_is_the_expected_maximum(n: int) -> None:
    def density(x: float) -> float:
        return float(x * np.exp(np.log(n) + stats.norm.logpdf(x) + (n - 1) * stats.norm.logcdf(x)))

    points = stats.norm.ppf(0.5 ** (1 / n))
    due = sum(integrate.quad(density, a, b, limit=200)[0] for a, b in ((-12, points), (points, 12)))
    assert TRUTH.true_gaussian(np.array(0.5), np.array(n)) == pytest.approx(0.5 * due, rel=1e-9, abs=1e-10)


def test_the_control_has_the_published_values() -> None:
    n = np.array([2, 3, 5, 10, 20, 100])
    found = TRUTH.true_gaussian(np.ones(6), n)
    assert found == pytest.approx([0.56419, 0.84628, 1.16296, 1.53875, 1.86748, 2.50759], abs=1e-5)
    assert TRUTH.true_gaussian(np.full(3, 0.5), np.array([2, 10, 100])) == pytest.approx(
        [0.2821, 0.7694, 1.2538], abs=1e-4
    )


def test_the_requirement_by_bayes() -> None:
    rng = np.random.default_rng(3)
    for _ in range(20):
        gold, error = rng.dirichlet(np.ones(4)), rng.dirichlet(np.ones(6))
        means = []
        for p in range(9):
            joint = {g: gold[g] * error[p - g] for g in range(4) if 0 <= p - g < 6}
            means.append(sum(g * w for g, w in joint.items()) / sum(joint.values()))
        due = min(b - a for a, b in pairwise(means))
        assert TRUTH.true_requirement(gold[None], error[None])[0] == pytest.approx(due, rel=1e-10)


def test_the_requirement_is_what_keeps_the_curve_from_falling() -> None:
    """Eq. 4 holds: no n falls below a smaller one. Eq. 4 broken: some policy over the levels does."""
    rng = np.random.default_rng(4)
    n = np.arange(1, 60)
    for kind in ("bell", "tail"):
        for _ in range(20):
            gold = rng.dirichlet(np.full(5, 5.0))
            error = (
                TRUTH.bell(rng, 1, 15)[0] if kind == "bell" else TRUTH.tail_probabilities(rng, 1, 15, 2.0)[0]
            )
            margin = TRUTH.true_requirement(gold[None], error[None])[0]
            at = np.convolve(gold, error)
            mean = np.convolve(np.arange(5) * gold, error) / at
            levels = np.arange(len(at), dtype=float)
            curve = TRUTH.true_best(mean[None], levels[None], at[None] / at.sum(), n)[0][0]
            assert (margin >= 0) == (kind == "bell")
            if margin >= 0:
                assert (np.diff(curve) > -1e-12).all()
            else:
                j = int(np.diff(mean).argmin())
                two = TRUTH.true_best(mean[None, j : j + 2], levels[None, j : j + 2], np.full((1, 2), 0.5), n)
                assert (np.diff(two[0][0]) < 0).any()


def curve(setting: dict[str, float], control: bool = False, draws: int = 12) -> np.ndarray:
    """Mean V(n) of n = 1, 4, ..., 1024 over draws."""
    rng = np.random.default_rng(0)
    sizes = 4 ** np.arange(6)
    found = []
    for _ in range(draws):
        gold, proxy = TRUTH.answers(setting, rng, control=control)
        order = np.argsort(proxy, kind="stable")
        below = np.arange(gold.size + 1) / gold.size
        tied = proxy[order]
        mean = gold[order].copy()
        if setting.get("cap", 1000.0) < 1000.0:
            at_the_cap = tied == tied[-1]
            mean[at_the_cap] = mean[at_the_cap].mean()
        found.append([np.diff(below**m) @ mean for m in sizes])
    return np.mean(found, axis=0)


@pytest.mark.parametrize(
    ("setting", "control", "printed"),
    [
        ({}, True, [0.00, 0.73, 1.25, 1.66, 1.98, 2.27]),
        ({}, False, [0.00, 0.55, 0.69, 0.47, 0.23, 0.11]),
        ({"tail": 5}, False, [0.00, 0.66, 1.03, 1.15, 1.08, 0.87]),
        ({"cap": 3}, False, [0.00, 0.56, 0.72, 0.69, 0.68, 0.69]),
        ({"judges": 9}, False, [0.00, 0.92, 1.57, 2.06, 2.45, 2.74]),
        ({"judges": 9, "shared": 0.1}, False, [0.00, 0.82, 1.29, 1.37, 0.99, 0.44]),
        ({"judges": 9, "shared": 0.3}, False, [0.00, 0.72, 1.04, 0.89, 0.47, 0.23]),
    ],
)
def test_the_table_of_the_debrief(setting: dict[str, float], control: bool, printed: list[float]) -> None:
    # Twelve draws leave an error of up to 0.05 at the largest n, where few answers count.
    assert curve(setting, control) == pytest.approx(printed, abs=0.07)


@pytest.mark.parametrize(("tail", "correlation"), [(2, 0.3), (5, 0.61)])
def test_the_correlations_of_the_debrief(tail: float, correlation: float) -> None:
    gold, proxy = TRUTH.answers({"tail": tail}, np.random.default_rng(0), size=200_000)
    # With 2 degrees of freedom the sample's variance is itself heavy-tailed.
    assert np.corrcoef(gold, proxy)[0, 1] == pytest.approx(correlation, abs=0.1 if tail == 2 else 0.02)


def test_the_measured_drop_is_that_of_the_learners_own_function() -> None:
    setting = TRUTH.KEY.complete({"cap": 4.0, "n": 64})
    measured = TRUTH.system(setting, np.random.default_rng(1))
    gold, proxy = TRUTH.answers(setting, np.random.default_rng(1))
    sizes = 2 ** np.arange(7)
    value, _ = TRUTH.best_of_n(gold[None], proxy[None], np.full((1, gold.size), 1 / gold.size), sizes)
    assert measured["value"] == pytest.approx(value[0, -1], rel=1e-9)
    assert measured["drop"] == pytest.approx(value[0].max() - value[0, -1], rel=1e-9)


def test_the_job_is_done_in_the_solution_and_not_by_default() -> None:
    done, complete = TRUTH.KEY.done, TRUTH.KEY.complete
    assert not done(complete({}))
    assert done(complete({"judges": 9}))
    assert not done(complete({"judges": 9, "shared": 0.3}))
    # What ends the drop by ending the gain is no solution.
    assert not done(complete({"n": 4}))
    assert not done(complete({"cap": 0.5}))
    assert not done(complete({"cap": 2.0}))


def test_probes_that_show_nothing() -> None:
    rng = np.random.default_rng(2)
    normal = [TRUTH.control(TRUTH.KEY.complete({}), rng)["drop"] for _ in range(10)]
    light = [TRUTH.system(TRUTH.KEY.complete({"tail": 50.0}), rng)["drop"] for _ in range(10)]
    assert max(normal) < 0.05
    assert max(light) < 0.05
    _, proxy = TRUTH.answers({}, rng)
    order = np.sort(proxy)
    below = np.arange(proxy.size + 1) / proxy.size
    of_the_proxy = [np.diff(below**m) @ order for m in 2 ** np.arange(11)]
    assert (np.diff(of_the_proxy) > 0).all()


def test_the_numbers_of_the_plan() -> None:
    """Three dead ideas in four and one live one in six are ended; the power at 0.2 is 0.87."""
    plan = received(TRUTH.my_proposal()).plan
    assert plan is not None
    for trial in TRUTH.KEY.experiment.trials:
        ended = (run(plan.kill.pilot, trial.world, 2000, seed=5).estimate < plan.kill.below).mean()
        assert ended == pytest.approx(0.167 if trial.holds else 0.76, abs=0.03)
        if trial.holds:
            assert run(plan.experiment, trial.world, 2000, seed=6).claim.mean() == pytest.approx(
                0.87, abs=0.02
            )


def test_the_proposal_is_plain() -> None:
    assert TRUTH.my_proposal()["plan"]["kill"]["week"] == 2
    assert plain is TRUTH.plain


def test_a_misspelt_name_in_a_setting_is_told() -> None:
    with pytest.raises(ProposalError, match=r"no parameter 'judge' \(did you mean judges\?\)"):
        TRUTH.answers({"judge": 3}, np.random.default_rng(0))
