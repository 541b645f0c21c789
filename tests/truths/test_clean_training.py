"""The truths of ``clean_training`` against scipy, loops and simulation; its numbers against the bank."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cache

import nbformat
import numpy as np
import pytest
from scipy import stats

from fourrounds.design import (
    Design,
    Estimand,
    Metric,
    Row,
    Stopping,
    clustered_se,
    diagnose,
    from_plain,
    plain,
    vary,
)
from fourrounds.design.bank import BankWorld
from fourrounds.design.score import score
from fourrounds.examiner.layout import find_root
from fourrounds.runbank.table import load
from support.truths import truth_of

TRUTH = truth_of("clean_training")
MODEL = from_plain(TRUTH.my_design())
WORLDS = {trial.name: trial for trial in TRUTH.KEY.trials}
MISSED, FOUR, EXACT, COPIES, OWN = WORLDS
SOURCE = find_root() / "source" / "round3_design" / "clean_training.ipynb"
TEXT = "\n".join(cell.source for cell in nbformat.read(SOURCE, as_version=4).cells)
RAW_30, RAW_60 = {"duplicates": 0.3}, {"duplicates": 0.6}
SETS: dict[str, dict[str, float]] = {
    "raw 30": RAW_30,
    "raw 60": RAW_60,
    "own": {"repeats": 0.6},
    "exact": {"contamination": 0.6},
    "clean": {},
}


@cache
def runs(name: str, rate: float) -> tuple[np.ndarray, np.ndarray]:
    """The answers (30, 420) and the validation accuracy (30,) of the runs on a set at a rate."""
    bank = load("digits")
    found = bank.of({**bank.family.complete(SETS[name]), "lr": rate})
    return found.correct.astype(float), found.val


# -- the two calculations


def by_pairs(scores: np.ndarray, cluster: np.ndarray) -> float:
    """The error by going through all pairs of items."""
    n, mean = len(scores), math.fsum(scores) / len(scores)
    pairs = ((i, j) for i in range(n) for j in range(n) if cluster[i] == cluster[j])
    groups = len(set(cluster.tolist()))
    return (
        math.sqrt(
            math.fsum((scores[i] - mean) * (scores[j] - mean) for i, j in pairs) * groups / (groups - 1)
        )
        / n
    )


@pytest.mark.parametrize("seed", range(4))
def test_the_clustered_error_against_loops_and_the_package(seed: int) -> None:
    rng = np.random.default_rng(seed)
    cluster = rng.permutation(TRUTH.draw_clusters(rng, 4 + seed)) * 7 - 20
    scores = rng.normal(size=(3, len(cluster))) + rng.normal(size=60)[cluster]
    mean, error = TRUTH.true_clustered(scores, cluster)
    for number, one in enumerate(scores):
        assert mean[number] == pytest.approx(math.fsum(one) / len(one), rel=1e-12)
        assert error[number] == pytest.approx(by_pairs(one, cluster), rel=1e-9)
        assert error[number] == pytest.approx(clustered_se(one, cluster), rel=1e-9)


def test_the_clustered_error_is_the_spread_of_the_mean() -> None:
    """With many clusters of unequal size the mean square of the error is the variance of the mean."""
    rng = np.random.default_rng(5)
    sizes = np.tile([1, 2, 9], 20)
    cluster = np.repeat(np.arange(60), sizes)
    scores = rng.normal(size=(20_000, 60))[:, cluster] + 0.5 * rng.normal(size=(20_000, len(cluster)))
    mean, error = TRUTH.true_clustered(scores, cluster)
    due = (sizes**2).sum() / sizes.sum() ** 2 + 0.25 / sizes.sum()
    assert mean.var() == pytest.approx(due, rel=0.04)
    assert (error**2).mean() == pytest.approx(due, rel=0.06)


def exact_power(gain: float, loss: float, n: int, alpha: float = 0.05) -> float:
    """By scipy's binomial laws: the number of disagreements, then who won them."""
    total = 0.0
    for m in range(1, n + 1):
        wins = np.arange(m + 1)
        p = np.minimum(1.0, 2 * stats.binom.cdf(np.minimum(wins, m - wins), m, 0.5))
        found = (p <= alpha) & (wins > m - wins)
        of_m = stats.binom.pmf(wins, m, gain / (gain + loss))[found].sum()
        total += stats.binom.pmf(m, n, gain + loss) * of_m
    return float(total)


@pytest.mark.parametrize(
    ("gain", "loss", "n", "alpha"),
    [(0.12, 0.05, 60, 0.05), (0.2, 0.0, 31, 0.05), (0.05, 0.08, 200, 0.01), (0.31, 0.27, 2400, 0.05)],
)
def test_the_power_against_scipy(gain: float, loss: float, n: int, alpha: float) -> None:
    due = exact_power(gain, loss, n, alpha)
    assert float(TRUTH.true_mcnemar(gain, loss, n, alpha)) == pytest.approx(due, rel=1e-8)
    assert float(TRUTH.mcnemar_power(gain, loss, n, alpha)) == pytest.approx(due, rel=1e-8)


def test_the_power_against_experiments_that_are_drawn() -> None:
    rng = np.random.default_rng(6)
    for gain, loss, n in ((0.1, 0.05, 150), (0.06, 0.05, 90)):
        won, lost, _ = rng.multinomial(n, [gain, loss, 1 - gain - loss], size=20_000).T
        p = np.minimum(1.0, 2 * stats.binom.cdf(np.minimum(won, lost), won + lost, 0.5))
        rate = ((p <= 0.05) & (won > lost)).mean()
        due = float(TRUTH.true_mcnemar(gain, loss, n))
        assert abs(rate - due) < 4 * math.sqrt(due * (1 - due) / 20_000)


@pytest.mark.parametrize(
    ("gain", "loss", "n", "published", "simulated"),
    [
        # Accuracy 0.8 against 0.82, which agree on 97.5% of 500 items.
        (0.0225, 0.0025, 500, 0.800, 0.79975),
        # Accuracy 0.7 against 0.72 on 1000 items, with the fewest disagreements, and with the most.
        (0.02, 0.0, 1000, 1.000, 0.99995),
        (0.30, 0.28, 1000, 0.119, 0.11935),
    ],
)
def test_the_published_powers(gain: float, loss: float, n: int, published: float, simulated: float) -> None:
    """Card et al. 2020 (arXiv:2010.06595) simulate; so does the facts file, with 20,000 experiments."""
    due = float(TRUTH.true_mcnemar(gain, loss, n))
    assert due == pytest.approx(published, abs=0.004)
    assert abs(due - simulated) < 3.5 * math.sqrt(due * (1 - due) / 20_000)


def test_no_p_value_stands_so_near_a_level_that_rounding_decides() -> None:
    for alpha in (0.05, 0.01):
        m = np.arange(1, 2401)
        wins = stats.binom.isf(alpha / 2, m, 0.5)
        for near in (wins - 1, wins, wins + 1):
            assert np.abs(2 * stats.binom.sf(near - 1, m, 0.5) / alpha - 1).min() > 1e-7


# -- the pilot


def test_the_table_of_the_pilot() -> None:
    for row, name in (("raw", "raw 30"), ("clean", "clean")):
        means = [runs(name, rate)[0][:5].mean() for rate in (0.01, 0.03, 0.1)]
        assert f"| {row} | " + " | ".join(f"{mean:.3f}" for mean in means) + " |" in TEXT
    gain = (runs("clean", 0.03)[0] - runs("raw 30", 0.03)[0])[:5].mean(axis=1)
    assert (round(gain.mean(), 3), round(gain.std(ddof=1) / 5**0.5, 3)) == (0.005, 0.008)


def components(gain: np.ndarray) -> tuple[float, float]:
    """The SD of the gain from run to run and from image to image, without the noise of single answers."""
    r, n = gain.shape
    rest = gain - gain.mean(axis=1, keepdims=True) - gain.mean(axis=0) + gain.mean()
    noise = (rest**2).sum() / ((r - 1) * (n - 1))
    of_runs = gain.mean(axis=1).var(ddof=1) - noise / n
    of_images = gain.mean(axis=0).var(ddof=1) - noise / r
    return math.sqrt(of_runs), math.sqrt(of_images)


def test_the_deviations_of_the_pilot() -> None:
    raw = ("raw 30", "raw 60", "own")
    of_run = [components(runs(name, 0.03)[0])[0] for name in (*raw, "clean")]
    assert 0.0145 < min(of_run) < 0.0165
    assert 0.022 < max(of_run) < 0.025
    of_images = [components(runs("clean", 0.03)[0] - runs(name, 0.03)[0])[1] for name in raw]
    assert (round(min(of_images), 2), round(max(of_images), 2)) == (0.09, 0.15)
    noise = [
        math.sqrt((p * (1 - p)).mean())
        for p in (runs(name, 0.03)[0].mean(axis=0) for name in (*raw, "clean"))
    ]
    assert (round(min(noise), 2), round(max(noise), 2)) == (0.24, 0.33)
    judged = [runs(name, 0.03)[1].std(ddof=1) for name in (*raw, "clean")]
    assert (round(min(judged), 2), round(max(judged), 2)) == (0.02, 0.04)
    rates = [
        np.std([runs(name, lr)[0].mean() for lr in (0.01, 0.03, 0.1)], ddof=1) for name in (*raw, "clean")
    ]
    assert (round(min(rates), 2), round(max(rates), 2)) == (0.01, 0.02)
    pilot = TRUTH.PILOT
    assert min(of_run) < pilot["run"] < max(of_run)
    assert min(of_images) < pilot["item_effect"] < max(of_images)
    assert min(judged) < pilot["selection_noise"] < max(judged)
    assert min(rates) < pilot["tuning_spread"] < max(rates)


def test_which_rate_one_run_prefers() -> None:
    for name, due in (("raw 30", 19), ("clean", 12)):
        val = np.stack([runs(name, rate)[1] for rate in (0.01, 0.03, 0.1)])
        assert (val.argmax(axis=0) == 1).sum() == due
        assert val.mean(axis=1).argmax() == 1
    assert "in 19 of 30 raw runs and in 12 of 30 clean ones" in TEXT


# -- the key


def test_what_is_true_in_the_worlds() -> None:
    due = {MISSED: 0.0, FOUR: 0.0, EXACT: -0.012, COPIES: 0.068, OWN: 0.076}
    assert {name: round(trial.truth, 3) for name, trial in WORLDS.items()} == due
    assert [trial.holds for trial in WORLDS.values()] == [False, False, False, True, True]
    assert TRUTH.REAL.truth(TRUTH.KEY.question) == pytest.approx(0.018, abs=0.0005)
    for name, raw in ((EXACT, "exact"), (COPIES, "raw 60"), (OWN, "own")):
        gain = (runs("clean", 0.03)[0] - runs(raw, 0.03)[0])[:, 150:].mean()
        assert WORLDS[name].truth == pytest.approx(gain, abs=1e-12)


def test_the_filter_that_missed_leaves_two_samples_of_one_kind() -> None:
    for name, raw in ((MISSED, RAW_60), ("", RAW_30)):
        world = WORLDS[name].world if name else TRUTH.MISSED
        assert isinstance(world, BankWorld)
        shelves = [world.shelf(method, "all") for method in ("raw", "clean")]
        order = [list(world.rates[method]).index(0.03) for method in ("raw", "clean")]
        np.testing.assert_array_equal(
            *(shelf.correct[place] for shelf, place in zip(shelves, order, strict=True))
        )
        own = "raw 60" if raw is RAW_60 else "raw 30"
        np.testing.assert_array_equal(shelves[1].correct[order[1]], runs(own, 0.03)[0])


def test_the_teaching_worlds_hold_no_more_than_what_is_told() -> None:
    assert TRUTH.REAL.methods["raw"] == RAW_30
    assert TRUTH.RATES == {"raw": (0.01, 0.03, 0.1), "clean": (0.03, 0.01, 0.1)}
    hidden = [trial.world for trial in WORLDS.values() if isinstance(trial.world, BankWorld)]
    assert all(world.rates == TRUTH.RATES for world in hidden)
    four = WORLDS[FOUR].world
    assert four.but(name="", duplicates={}) == TRUTH.NOTHING.but(name="")


def test_the_experiments_of_others_are_sound() -> None:
    """With their declared analysis they earn everything: what is lost there is lost by the answer."""
    for design, key, sims in TRUTH.HOUSE:
        totals = [score(plain(design), None, key, sims, seed).total for seed in range(2)]
        assert min(totals) >= TRUTH.FULL


# -- the text of the solution


def table_row(*cells: object) -> str:
    return "| " + " | ".join(map(str, cells)) + " |"


def test_the_table_of_leaks() -> None:
    for title, name in (
        ("clean", "clean"),
        ("raw, near-copies of test images", "raw 60"),
        ("raw, exact copies of test images", "exact"),
        ("raw, near-copies of its own", "own"),
    ):
        answers = 100 * runs(name, 0.03)[0]
        assert table_row(title, f"{answers[:, :150].mean():.1f}", f"{answers[:, 150:].mean():.1f}") in TEXT
    first, all_of_them = (
        (runs("clean", 0.03)[0] - runs("raw 60", 0.03)[0])[:, :n].mean() for n in (150, 420)
    )
    assert round(first, 3) == 0.024
    # A quarter of the gain is gone on all public images, two thirds on those that are copied.
    assert 1 - all_of_them / WORLDS[COPIES].truth == pytest.approx(0.25, abs=0.03)
    assert 1 - first / WORLDS[COPIES].truth == pytest.approx(2 / 3, abs=0.03)
    exact = (runs("clean", 0.03)[0] - runs("exact", 0.03)[0])[:, :150].mean()
    assert round(exact, 3) == -0.122


def significant(one: np.ndarray, other: np.ndarray) -> int:
    """1 or -1 for the sign of a significant difference of two networks, else 0."""
    won, lost = int((one > other).sum()), int((one < other).sum())
    found = won + lost > 0 and stats.binomtest(won, won + lost, 0.5).pvalue <= 0.05
    return int(np.sign(won - lost)) if found else 0


def test_what_pairs_of_networks_show() -> None:
    raw, clean = (runs(name, 0.03)[0][:, 150:] for name in ("raw 60", "clean"))
    for one, due in ((clean, 71), (raw, 83)):
        assert sum(significant(one[i], one[j]) != 0 for i in range(30) for j in range(i)) == due
    signs = [significant(clean[i], raw[i]) for i in range(30)]
    assert (signs.count(1), signs.count(-1)) == (20, 0)
    gain, loss = (clean > raw).mean(), (clean < raw).mean()
    assert (round(gain, 3), round(loss, 3)) == (0.122, 0.054)
    assert round(float(TRUTH.true_mcnemar(0.122, 0.054, 270)), 2) == 0.73


def test_what_the_answers_to_the_follow_up_questions_state() -> None:
    for name, due in (("raw 60", -0.03), ("raw 30", 0.39)):
        means = [runs(one, 0.03)[0].mean(axis=1) for one in ("clean", name)]
        assert round(float(np.corrcoef(*means)[0, 1]), 2) == due
    bank = load("digits")
    small = bank.of({**bank.family.complete({"train_size": 100}), "lr": 0.03})
    means, answers = small.val.mean(), small.correct.astype(float)[:, 150:]
    assert all(
        bank.of({**bank.family.complete({"train_size": 100}), "lr": lr}).val.mean() < means
        for lr in (0.01, 0.1)
    )
    below = {name: runs(name, 0.03)[0][:, 150:] - answers for name in ("clean", "raw 60", "own")}
    assert {name: round(gap.mean(), 3) for name, gap in below.items()} == {
        "clean": 0.084,
        "raw 60": 0.016,
        "own": 0.008,
    }
    for name in ("raw 60", "own"):
        assert below[name].mean(axis=1).std(ddof=1) / 30**0.5 == pytest.approx(0.007, abs=0.0006)
    of_runs = [runs(name, 0.03)[0].mean(axis=1).std(ddof=1) for name in ("raw 30", "raw 60", "own", "clean")]
    assert 0.019 < min(of_runs) < max(of_runs) < 0.0305
    best = stats.norm.expect(lambda x: 5 * x * stats.norm.cdf(x) ** 4)
    assert round(best, 2) == 1.16
    assert round(250 / (1 + 9 * 0.3)) == 68
    truth = (runs("clean", 0.03)[0] - runs("raw 60", 0.03)[0])[:, 150:].mean(axis=1)
    assert round(truth.std(ddof=1) / 30**0.5, 3) == 0.008


SIMS = 1500


@cache
def row(design: str, world: str) -> Row:
    """A design, named by what it changes of the model, in a world."""
    worlds = {name: trial.world for name, trial in WORLDS.items()}
    worlds |= {"nothing": TRUTH.NOTHING, "enough": TRUTH.ENOUGH, "real": TRUTH.REAL, "missed": TRUTH.MISSED}
    question = Estimand(TRUTH.QUESTION, minimum=0.065)
    return diagnose(CHANGED[design], worlds[world], SIMS, 3, question=question, progress=False).rows[0]


def changed(changes: Mapping[str, object]) -> Design:
    design = MODEL
    for part, value in changes.items():
        design = vary(design, part, value)
    return design


FOUR_OUTCOMES = tuple(Metric(name, "accuracy") for name in "abcd")
CHANGED = {
    "model": MODEL,
    "old recipe": changed({"arms.raw.tuning": 1}),
    "public": changed({"evaluation.held_out": "items"}),
    "first pages": changed({"evaluation.groups": 7, "evaluation.held_out": "none"}),
    "all first pages": changed({"evaluation.groups": 15, "evaluation.held_out": "none"}),
    "images": changed({"test.unit": "items", "test.paired": True}),
    "one search": changed({"tuning.each_run": False, "seeds.count": 25}),
    "one seed": changed({"varies": ()}),
    "one seed, 20 times": changed({"varies": (), "seeds.count": 20}),
    "four": changed({"metrics": FOUR_OUTCOMES, "decision.outcomes": "any"}),
    "dashboard": changed({"stopping": Stopping(10, "seeds", "none")}),
    "below zero": changed({"falsifier.margin": 0.0}),
    "two rates": changed({"arms.raw.tuning": 2, "arms.clean.tuning": 2}),
    **{f"{n} runs": changed({"seeds.count": n}) for n in (2, 4, 5, 6, 8, 10)},
}


@pytest.mark.parametrize(
    ("design", "world", "due"),
    [
        ("model", "nothing", 0.05),
        ("model", "enough", 0.95),
        ("model", "real", 0.23),
        ("old recipe", "missed", 0.31),
        ("images", "missed", 0.19),
        ("one search", "missed", 0.29),
        ("one search", MISSED, 0.3),
        ("one seed", "missed", 0.18),
        ("one seed, 20 times", "missed", 0.18),
        ("four", "nothing", 1 / 6),
        ("dashboard", "nothing", 0.14),
        ("2 runs", "enough", 0.16),
    ],
)
def test_how_often_something_is_claimed(design: str, world: str, due: float) -> None:
    # Three standard errors of a rate of 0.25 over these simulations.
    assert row(design, world).runs.claim.mean() == pytest.approx(due, abs=0.035)


def test_the_table_of_powers() -> None:
    for count, *due in ((4, 0.67, 0.73), (5, 0.82, 0.86), (6, 0.9, 0.93), (8, 0.95, 0.97), (10, 0.98, 0.99)):
        found = [row(f"{count} runs", world) for world in (COPIES, OWN)]
        assert [one["power"].value for one in found] == pytest.approx(due, abs=0.035)
        assert found[0]["cost"].value == 6 * count
        title = f"{count} (the model)" if count == max(MODEL.runs) else count
        assert table_row(title, 6 * count, *(f"{power:.2f}" for power in due)) in TEXT


def test_how_far_estimates_are_off() -> None:
    off = {
        ("public", "real"): -0.004,
        ("first pages", "real"): -0.018,
        ("all first pages", COPIES): -0.047,
        ("old recipe", "missed"): 0.021,
        ("old recipe", MISSED): 0.022,
        ("model", COPIES): 0.0,
        ("model", "real"): 0.0,
    }
    for (design, world), due in off.items():
        assert row(design, world)["bias"].value == pytest.approx(due, abs=0.002), (design, world)
    assert row("model", "real")["exaggeration"].value == pytest.approx(1.9, abs=0.15)
    assert row("model", COPIES).runs.estimate.std() == pytest.approx(0.017, abs=0.001)


def test_when_the_falsifier_fires() -> None:
    fires = {name: row("model", name)["falsified"].value for name in (MISSED, "nothing", "real", COPIES, OWN)}
    assert fires[MISSED] > 0.95
    assert fires["nothing"] == pytest.approx(0.95, abs=0.02)
    assert fires["real"] == pytest.approx(0.92, abs=0.02)
    assert max(fires[COPIES], fires[OWN], row("model", "enough")["falsified"].value) < 0.04
    assert row("below zero", "nothing")["falsified"].value == pytest.approx(1 / 40, abs=0.012)


def test_two_rates_cost_a_third_less_and_lose_little() -> None:
    assert row("two rates", COPIES)["cost"].value == 40
    assert row("model", COPIES)["cost"].value == 60
    for world in (COPIES, OWN):
        assert row("two rates", world)["power"].value > row("model", world)["power"].value - 0.03
        assert abs(row("two rates", world)["bias"].value) < 0.013


def test_how_the_variance_splits() -> None:
    """The variance of the estimate over runs with their search, when images are very many, is about half."""
    total = row("model", COPIES).runs.estimate.var()
    gain = runs("clean", 0.03)[0][:, 150:] - runs("raw 60", 0.03)[0][:, 150:]
    _, of_images = components(gain)
    single = sum(
        (p * (1 - p)).mean() for p in (runs(n, 0.03)[0][:, 150:].mean(axis=0) for n in ("clean", "raw 60"))
    )
    rest = of_images**2 / 250 + single / (max(MODEL.runs) * 250)
    assert 1 - rest / total == pytest.approx(0.5, abs=0.08)
