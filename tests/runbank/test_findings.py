"""The statistics of the findings, against brute force, SciPy's tests and simulation."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest
from scipy import stats

from fourrounds.runbank.families import SQUARE
from fourrounds.runbank.findings import MOST_SEEDS, _seeds, components, effect, expected_best

ROW, COLUMN = (places.ravel() for places in np.indices((SQUARE, SQUARE)))
SEEDS = [ROW, COLUMN, (ROW + COLUMN) % SQUARE]


@pytest.mark.parametrize("truth", [(4.0, 0.25, 0.0, 1.0), (0.0, 0.0, 0.0, 2.0), (0.0, 9.0, 1.0, 0.1)])
def test_components_are_unbiased(truth: tuple[float, ...]) -> None:
    """Over many squares the mean is the truth within its Monte Carlo error, also where the truth is 0."""
    rng = np.random.default_rng(0)
    found = []
    for _ in range(500):
        *effects, rest = (
            math.sqrt(part) * rng.normal(size=size)
            for part, size in zip(truth, (SQUARE, SQUARE, SQUARE, SQUARE**2), strict=True)
        )
        values = 3 + rest + sum(e[s] for e, s in zip(effects, SEEDS, strict=True))
        found.append(components(values, SEEDS))
    error = np.std(found, axis=0, ddof=1) / math.sqrt(len(found))
    assert (np.abs(np.mean(found, axis=0) - truth) < 4 * error).all()
    # An estimate that could not be negative would be too high on average where the truth is 0.
    assert (np.min(found, axis=0)[[part == 0 for part in truth]] < 0).all()


def test_components_are_those_of_least_squares() -> None:
    """The sum of squares of a factor is by how much leaving it out of a regression raises the residual."""
    values = np.random.default_rng(1).normal(size=SQUARE**2) + 0.3 * ROW + np.sin(COLUMN)
    dummies = [np.eye(SQUARE)[seeds] for seeds in SEEDS]

    def residual(columns: list[np.ndarray]) -> float:
        design = np.hstack([np.ones((SQUARE**2, 1)), *columns])
        fitted = design @ np.linalg.lstsq(design, values, rcond=None)[0]
        return float(((values - fitted) ** 2).sum())

    noise = residual(dummies) / (SQUARE**2 - 1 - 3 * (SQUARE - 1))
    for k, part in enumerate(components(values, SEEDS)[:3]):
        squares = residual([*dummies[:k], *dummies[k + 1 :]]) - residual(dummies)
        assert part == pytest.approx((squares / (SQUARE - 1) - noise) / SQUARE)
    assert components(values, SEEDS)[3] == pytest.approx(noise)


@pytest.mark.parametrize("k", range(1, 8))
def test_expected_best_is_the_mean_over_all_choices(k: int) -> None:
    values = np.random.default_rng(2).normal(size=7)
    values[3] = values[5]
    due = np.mean([max(chosen) for chosen in combinations(values, k)])
    assert expected_best(values, k) == pytest.approx(due)


def test_expected_best_of_one_is_the_mean() -> None:
    values = np.random.default_rng(3).normal(size=30)
    assert expected_best(values, 1) == pytest.approx(values.mean())


@pytest.mark.parametrize("confidence", [0.95, 0.99])
@pytest.mark.parametrize("n", [2, 5, 30])
def test_effect_is_scipys_interval(n: int, confidence: float) -> None:
    differences = np.random.default_rng(n).normal(0.3, 2.0, n)
    due = stats.ttest_1samp(differences, 0).confidence_interval(confidence)
    made = effect(differences, confidence)
    assert (made.mean, made.low, made.high) == pytest.approx((differences.mean(), due.low, due.high))


def test_effect_shows_95_percent_where_nothing_is_said() -> None:
    differences = np.random.default_rng(4).normal(size=9)
    assert effect(differences) == effect(differences, 0.95) != effect(differences, 0.99)


def sample(d: float, paired: bool) -> np.ndarray:
    """30 paired differences, or twice 30 values, in which the standardised effect is exactly ``d``."""
    values = np.random.default_rng(5).normal(size=(2, 30))
    ours, theirs = stats.zscore(values, axis=1, ddof=1)
    return ours + d if paired else np.stack([ours + d, theirs])


def power(n: int, d: float, paired: bool) -> float:
    """Of a two-sided t test at 5%: the normal's, averaged over the chi-square of the variance."""
    df = n - 1 if paired else 2 * n - 2
    shift = d * math.sqrt(n if paired else n / 2)
    share = (np.arange(100_000) + 0.5) / 100_000
    limit = stats.t.ppf(0.975, df) * np.sqrt(stats.chi2.ppf(share, df) / df)
    return float((stats.norm.cdf(shift - limit) + stats.norm.cdf(-shift - limit)).mean())


@pytest.mark.parametrize("paired", [True, False])
@pytest.mark.parametrize("d", [0.2, -0.35, 0.5, 0.8, 1.5, 3.0, 8.0, 40.0, -1000.0])
def test_seeds_are_the_fewest_with_the_power(d: float, paired: bool) -> None:
    n = _seeds(sample(d, paired), paired)
    assert n is not None
    assert power(n, abs(d), paired) >= 0.8
    assert n == 2 or power(n - 1, abs(d), paired) < 0.8


@pytest.mark.parametrize(
    ("d", "paired", "due"),
    [(0.2, False, 394), (0.5, False, 64), (0.8, False, 26), (0.2, True, 199), (0.5, True, 34)],
)
def test_seeds_are_those_of_another_program(d: float, paired: bool, due: int) -> None:
    """What G*Power says of two groups, and of pairs."""
    assert _seeds(sample(d, paired), paired) == due


@pytest.mark.parametrize("paired", [True, False])
def test_seeds_of_an_effect_that_is_too_small(paired: bool) -> None:
    shown = 2.8016 / math.sqrt(MOST_SEEDS) * (1 if paired else math.sqrt(2))
    assert _seeds(sample(1.02 * shown, paired), paired) in range(950, MOST_SEEDS)
    for d in (0.98 * shown, 0.0):
        assert _seeds(sample(d, paired), paired) is None


def test_seeds_where_nothing_varies() -> None:
    assert _seeds(np.full(30, 0.5), paired=True) == 2
    assert _seeds(np.zeros(30), paired=True) is None
    assert _seeds(np.stack([np.full(30, 0.5), np.full(30, 0.25)]), paired=False) == 2
    assert _seeds(np.full((2, 30), 0.5), paired=False) is None


@pytest.mark.parametrize("paired", [True, False])
def test_seeds_where_next_to_nothing_varies(paired: bool) -> None:
    """SciPy's non-central t knows no answer for an effect of 1e12."""
    tiny = 1e-12 * sample(0.0, paired)
    assert _seeds(tiny + (1 if paired else [[1], [0]]), paired) == 2
