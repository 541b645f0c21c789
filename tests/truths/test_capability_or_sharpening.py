"""The truth of capability_or_sharpening against enumeration, scipy, mpmath and the numbers that it prints."""

from __future__ import annotations

import json
import re
import statistics
from fractions import Fraction
from itertools import combinations
from math import comb, log
from types import SimpleNamespace

import mpmath
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import integrate, optimize, stats

from fourrounds.design import Design, run, vary
from fourrounds.examiner.layout import find_root
from fourrounds.examiner.problem import load_problem
from fourrounds.proposal import bibliography
from fourrounds.proposal.received import received
from fourrounds.proposal.score import score
from support.truths import truth_of

TRUTH = truth_of("capability_or_sharpening")
SOURCE = find_root() / "source" / "round4_open_problems" / "capability_or_sharpening.ipynb"
PROBLEM = load_problem(SOURCE)
TEXT = "\n".join("".join(cell["source"]) for cell in json.loads(SOURCE.read_text())["cells"])
Floats = NDArray[np.float64]
Setting = dict[str, float]
# What one reaches for first: less or more training, a larger group, some bonus, one of them alone.
LAZY: tuple[Setting, ...] = (
    {},
    {"strength": 0},
    {"strength": 0.25},
    {"strength": 1},
    {"strength": 6},
    {"group": 64},
    {"strength": 1, "group": 64},
    {"bonus": 0.3},
    {"bonus": 0.5},
    {"bonus": 3},
    {"strength": 6, "bonus": 1},
    {"strength": 6, "bonus": 3},
)


def with_source(source: str) -> SimpleNamespace:
    """What the set-up, the solution, and then this fault or variant define."""
    names: dict[str, object] = {}
    for text in (*(cell.source for cell in PROBLEM.by_role("setup")), PROBLEM.solution(), source):
        exec(text, names)
    return SimpleNamespace(**{name: value for name, value in names.items() if not name.startswith("__")})


ANSWERS = [TRUTH, *(with_source(variant.source) for variant in PROBLEM.variants)]


def fault(name: str) -> SimpleNamespace:
    return with_source(next(one.source for one in PROBLEM.faults if one.name == name))


def meets(setting: Setting) -> bool:
    return bool(TRUTH.KEY.done(TRUTH.KEY.complete(setting)))


# -- the probe


def test_the_estimate_is_the_share_of_subsets_with_a_right_attempt() -> None:
    for n, c in ((6, 0), (6, 1), (6, 4), (7, 3), (5, 5)):
        attempts = [i < c for i in range(n)]
        for k in range(1, n + 1):
            due = statistics.fmean(any(chosen) for chosen in combinations(attempts, k))
            args = (np.full((1, 2, 2), c), np.full((1, 2, 2), n), np.array([k]))
            for estimate in (TRUTH.true_estimate, *(answer.pass_at_k for answer in ANSWERS)):
                assert estimate(*args)[0] == pytest.approx(due, abs=1e-12)


def test_value_and_error_by_exact_fractions() -> None:
    rng = np.random.default_rng(3)
    right, attempts = TRUTH.draw_counts(rng, 2, 11)
    k = np.array([1, 9, 60])
    for estimate in (TRUTH.true_estimate, *(answer.pass_at_k for answer in ANSWERS)):
        value, error = estimate(right, attempts, k)
        for b in range(2):
            for place, size in enumerate(k.tolist()):
                each = [
                    [
                        1 - Fraction(comb(n - c, size), comb(n, size))
                        for c, n in zip(right[b, m].tolist(), attempts[b, m].tolist(), strict=True)
                    ]
                    for m in range(2)
                ]
                assert value[b, :, place] == pytest.approx([float(sum(x) / 11) for x in each], rel=1e-10)
                gains = [float(y - x) for x, y in zip(*each, strict=True)]
                assert error[b, place] == pytest.approx(statistics.stdev(gains) / 11**0.5, rel=1e-10)


@pytest.mark.parametrize("p", [0.02, 0.3, 0.6])
def test_the_estimate_is_unbiased_and_the_share_is_too_low(p: float) -> None:
    n, sizes = 30, np.array([1, 2, 10, 30])
    counts = np.arange(n + 1)
    weight = stats.binom.pmf(counts, n, p)
    args = (np.tile(counts[:, None, None], (1, 2, 2)), np.full((n + 1, 2, 2), n), sizes)
    due = 1 - (1 - p) ** sizes
    assert weight @ TRUTH.true_estimate(*args)[0][:, 0] == pytest.approx(due, rel=1e-10)
    naive = fault("share_in_place_of_the_chance").pass_at_k(*args)[0][:, 0]
    exact = TRUTH.true_estimate(*args)[0][:, 0]
    assert (naive <= exact + 1e-12).all()
    assert (weight @ naive < due - 1e-9).tolist() == [False, True, True, True]


def test_a_million_attempts_by_products_of_high_precision() -> None:
    mpmath.mp.dps = 40
    n, c, k = 999_983, 41_234, 100
    wrong = mpmath.binomial(n - c, k) / mpmath.binomial(n, k)
    args = (np.full((1, 2, 1), c), np.full((1, 2, 1), n), np.array([k]))
    for answer in ANSWERS:
        assert answer.pass_at_k(*args)[0] == pytest.approx(float(1 - wrong), abs=1e-7)
    rare = (np.full((1, 2, 1), 1), np.full((1, 2, 1), n), np.array([3]))
    for answer in ANSWERS:  # one right answer among n: k of n is the chance to have taken it
        assert answer.pass_at_k(*rare)[0] == pytest.approx(3 / n, abs=1e-7)


# -- the control


def by_quadrature(a: float, b: float, k: int) -> float:
    return 1 - float(integrate.quad(lambda p: (1 - p) ** k * stats.beta.pdf(p, a, b), 0, 1)[0])


def test_a_population_by_scipy_and_by_quadrature() -> None:
    a, b = np.array([[0.2], [0.9], [4.0]]), np.array([[0.5], [1.7], [3.0]])
    k = np.array([1, 2, 30, 1500])
    due = 1 - stats.betabinom.pmf(0, k, a, b)
    assert TRUTH.true_pass(a, b, k) == pytest.approx(due, rel=1e-8)
    for answer in ANSWERS:
        assert answer.expected_pass(a, b, k) == pytest.approx(due, rel=1e-8)
    for alpha, beta in ((0.9, 1.7), (4.0, 3.0)):
        for size in (1, 7, 40):
            assert TRUTH.true_pass(alpha, beta, size) == pytest.approx(
                by_quadrature(alpha, beta, size), rel=1e-6
            )


@pytest.mark.parametrize(
    "case", [(0.5, 0.9e9, 100), (4e7, 9.6e8, 30), (0.3, 2.0, 10**6), (1e-6, 1e-6, 1000), (1e-6, 1e9, 1)]
)
def test_extreme_populations_by_high_precision(case: tuple[float, float, int]) -> None:
    mpmath.mp.dps = 60
    a, b, k = case
    due = float(1 - mpmath.beta(a, mpmath.mpf(b) + k) / mpmath.beta(a, b))
    for answer in ANSWERS:
        found = answer.expected_pass(np.array(a), np.array(b), np.array(k))
        assert found == pytest.approx(due, rel=1e-8, abs=0)
    if case[0] == 0.5:
        lost = fault("log_gammas_subtracted").expected_pass(np.array(a), np.array(b), np.array(k))
        assert lost != pytest.approx(due, rel=1e-3)
    if case[0] < case[1] / 1e6:  # rare success, by the moments of a Beta as the hidden test has it
        mean, square = a / (a + b), (a + 1) / (a + b + 1)
        assert k * mean * (1 - (k - 1) / 2 * square) == pytest.approx(due, rel=1e-12, abs=0)
    if k == 1:
        lost = fault("one_less_the_miss").expected_pass(np.array(a), np.array(b), np.array(k))
        assert lost != pytest.approx(due, rel=1e-4, abs=0)


def test_many_attempts_miss_by_the_power_law() -> None:
    for a, b in ((0.25, 1.0), (0.15, 0.28)):
        factor = float(mpmath.gamma(a + b) / mpmath.gamma(b))
        missed = 1 - TRUTH.expected_pass(a, b, np.array([10**5, 10**6]))
        assert missed == pytest.approx(factor * np.array([10.0**5, 10.0**6]) ** -a, rel=1e-4)


# -- the requirement


def test_the_margin_is_the_smallest_over_all_budgets() -> None:
    rng = np.random.default_rng(5)
    signs = set()
    for change in (TRUTH.shrunk, TRUTH.kept_tail, TRUTH.spread_out):
        base = TRUTH.some_base(rng, 4)
        trained = change(rng, base)
        sizes = np.arange(1, 401)
        gap = stats.betabinom.logpmf(0, sizes, *base.T[:, :, None]) - stats.betabinom.logpmf(
            0, sizes, *trained.T[:, :, None]
        )
        due = gap.min(axis=1)
        signs |= set(np.sign(due).tolist())
        for found in (TRUTH.true_requirement, *(answer.requirement for answer in ANSWERS)):
            assert found(base, trained, 400) == pytest.approx(due, abs=1e-9)
    assert signs == {-1.0, 1.0}


def test_two_populations_cross_at_most_once_and_only_if_the_tail_shrinks() -> None:
    rng = np.random.default_rng(6)
    crossed = 0
    for _ in range(300):
        (a, b), (c, d) = rng.uniform(0.1, 3.0, (2, 2))
        j = np.arange(4000)
        gap = np.cumsum(np.log1p(-a / (a + b + j)) - np.log1p(-c / (c + d + j)))
        changes = np.diff(np.sign(gap[np.abs(gap) > 1e-12]))
        assert np.count_nonzero(changes) <= 1
        ahead = c / (c + d) > a / (a + b)
        crossed += bool(ahead and changes.any())
        if ahead and c >= a:
            assert (gap > 0).all()
        higher = c / (c + d + j) > a / (a + b + j)
        assert (higher == ((c - a) * j > a * d - b * c)).mean() > 0.999
    assert crossed > 10


def test_the_numbers_of_the_closed_form() -> None:
    base, shrunk, kept = (0.25, 1.0), (0.15, 0.28), (0.25, 0.466)
    first = [float(TRUTH.true_pass(*one, 1)) for one in (base, shrunk, kept)]
    assert first == pytest.approx([0.2, 0.349, 0.349], abs=5e-4)

    def margin(trained: tuple[float, float], k: int) -> float:
        return float(TRUTH.requirement(np.array([base]), np.array([trained]), k)[0])

    assert margin(shrunk, 30) > 0 > margin(shrunk, 31)
    assert margin(kept, 10**5) > 0
    # After one miss the base model's hazard is the higher one.
    assert 0.15 / 0.43 > 0.25 / 1.25
    assert 0.15 / 1.43 < 0.25 / 2.25


def test_the_large_budget_of_the_edges_crosses_in_between() -> None:
    base, trained = np.array([[0.5, 1.0]]), np.array([[0.45, 0.45]])
    for answer in ANSWERS:
        assert answer.requirement(base, trained, 10**4)[0] > 0 > answer.requirement(base, trained, 10**6)[0]
    assert TRUTH.requirement(base, trained, 18_002)[0] > 0 > TRUTH.requirement(base, trained, 18_003)[0]


# -- the training map


@pytest.mark.parametrize(("strength", "bonus", "lucky"), [(2.0, 0.0, 0.0), (3.0, 0.8, 0.0), (1.0, 0.4, 0.2)])
def test_the_map_is_the_optimum_of_its_objective(strength: float, bonus: float, lucky: float) -> None:
    """Reward less divergence plus entropy, maximised by itself over right answer and wrong ones."""
    p, wrong = 0.07, 5
    policy = np.append(p, np.full(wrong, (1 - p) / wrong))
    reward = np.append(1.0, np.full(wrong, lucky))

    def objective(logits: Floats) -> float:
        log_pi = logits - np.log(np.exp(logits).sum())
        pi = np.exp(log_pi)
        kl, entropy = pi @ (log_pi - np.log(policy)), -(pi @ log_pi)
        return float(-(pi @ reward - kl / strength + bonus / strength * entropy))

    found = optimize.minimize(objective, np.log(policy), method="BFGS", options={"gtol": 1e-9})
    pi = np.exp(found.x) / np.exp(found.x).sum()
    odds = log(p / (1 - p)) + log(wrong)
    due = odds / (1 + bonus) + strength * (1 - lucky) / (1 + bonus)
    assert log(pi[0] / pi[1]) == pytest.approx(due, abs=1e-4)


def chances(setting: Setting, control: bool = False) -> Floats:
    """The chances behind the counts that are drawn, (2, 2000)."""
    seen: list[Floats] = []

    class Recorder:
        def __init__(self) -> None:
            self.own = np.random.default_rng(8)

        def __getattr__(self, name: str) -> object:
            return getattr(self.own, name)

        def binomial(self, n: NDArray[np.int64], p: Floats) -> NDArray[np.int64]:
            seen.append(p)
            return self.own.binomial(n, p)

    right, attempts = TRUTH.draw(setting, Recorder(), control)
    assert right.shape == attempts.shape == (2, 2000)
    assert (attempts == 2048).all()
    return seen[0]


@pytest.mark.parametrize(
    "setting",
    [
        {},
        {"lucky": 0.2, "bonus": 0.7},
        {"collapse": 0.6, "wrong": 7, "strength": 3.0, "group": 40, "lucky": 0.05},
    ],
)
def test_the_chances_behind_the_counts_are_the_map_of_the_text(setting: Setting) -> None:
    s = TRUTH.KEY.complete(setting)
    seen, trained = chances(setting)
    tried = 0
    for p_seen, q_seen in zip(seen[:400].tolist(), trained[:400].tolist(), strict=True):
        p = (p_seen - s["lucky"]) / (1 - s["lucky"])
        if not 1e-4 < p < 1 - 1e-4:
            continue
        odds = log(p / (1 - p)) + log(s["wrong"])
        slope = (1 + s["collapse"] * s["strength"]) / (1 + s["bonus"])
        taught = 1 - (1 - p) ** s["group"]
        after = slope * odds + s["strength"] * (1 - s["lucky"]) / (1 + s["bonus"]) * taught
        q = 1 / (1 + s["wrong"] * np.exp(-after))
        assert q_seen == pytest.approx(q + (1 - q) * s["lucky"], rel=1e-6)
        tried += 1
    assert tried > 100


def test_without_collapse_no_problem_gets_harder() -> None:
    base, trained = chances({}, control=True)
    assert (trained >= base * (1 - 1e-9)).all()
    assert (trained[base > 0.01] > base[base > 0.01]).all()
    base, trained = chances({})
    assert (trained[(base > 0) & (base < 0.001)] < base[(base > 0) & (base < 0.001)]).all()


def test_the_condition_on_the_bonus_is_that_no_hard_problem_gets_harder() -> None:
    for collapse, strength in ((0.25, 4.0), (0.5, 2.0), (0.1, 6.0)):
        for factor, harder in ((0.9, True), (1.0, False), (1.1, False)):
            setting = {
                "collapse": collapse,
                "strength": strength,
                "bonus": factor * collapse * strength,
                "tail": 0.05,
            }
            base, trained = chances(setting)
            hard = (base > 0) & (base < 1e-8)
            assert hard.sum() > 100
            assert (trained[hard] < base[hard] * (1 - 1e-6)).any() == harder


def test_sharpening_divides_the_exponent_of_the_tail() -> None:
    """Beta(a, 1) has P(p < x) = x^a; near 0 the trained chances have x^(a / t)."""
    base, trained = chances({"tail": 0.4, "collapse": 0.5, "unsolvable": 0.0})
    low = np.sort(base)[[20, 200]], np.sort(trained)[[20, 200]]
    slopes = [log(200 / 20) / log(x[1] / x[0]) for x in low]
    assert slopes[0] == pytest.approx(0.4, abs=0.12)
    assert slopes[1] / slopes[0] == pytest.approx(1 / 2.0, abs=0.06)


# -- the system


def test_the_picture_shows_the_failure_and_no_crossing_of_its_control() -> None:
    seed = re.search(r"draw\(\{\}, np\.random\.default_rng\((\d+)\), control\)", TEXT)
    assert seed
    gains = {}
    for control in (False, True):
        right, attempts = TRUTH.draw({}, np.random.default_rng(int(seed[1])), control)
        value, error = TRUTH.pass_at_k(right[None], attempts[None], 2 ** np.arange(11))
        gains[control] = value[0, 1] - value[0, 0], error[0]
    assert (gains[True][0] > 0).all()
    gain, error = gains[False]
    assert gain[0] > 0.1
    assert gain[-1] < -5 * error[-1]


def measured(setting: Setting, draws: int = 20, control: bool = False) -> dict[str, Floats]:
    rng = np.random.default_rng(0)
    full = TRUTH.KEY.complete(setting)
    found = [TRUTH.measure(full, rng, control) for _ in range(draws)]
    return {name: np.array([one[name] for one in found]) for name in found[0]}


@pytest.mark.parametrize(
    "setting", [{}, {"k": 30, "lucky": 0.02}, {"strength": 4.0, "bonus": 0.3, "group": 64}]
)
def test_the_system_measures_what_the_probe_estimates(setting: Setting) -> None:
    full = TRUTH.KEY.complete(setting)
    found = TRUTH.measure(full, np.random.default_rng(11), False)
    right, attempts = TRUTH.draw(full, np.random.default_rng(11))
    value = TRUTH.true_estimate(right[None], attempts[None], np.array([1, full["k"]]))[0][0]
    assert found["gain"] == pytest.approx(value[1, 0] - value[0, 0], abs=1e-10)
    assert found["loss"] == pytest.approx(value[0, 1] - value[1, 1], abs=1e-9)
    kept = sum(b > 0 and t > 0 for b, t in right.T.tolist()) / sum(b > 0 for b in right[0].tolist())
    assert found["kept"] == pytest.approx(kept)


def test_system_and_control_part_at_the_default() -> None:
    system, control = measured({}, 200), measured({}, 200, control=True)
    for name in ("loss", "kept"):
        bound, above = TRUTH.METRICS[name].bound, TRUTH.METRICS[name].fails == "above"
        assert ((system[name] > bound) == above).mean() > 0.99
        assert ((control[name] > bound) != above).mean() > 0.99
    # The naive metric fails in neither.
    assert (system["gain"] > 0.1).all()
    assert (control["gain"] > 0.1).all()


def test_the_job_is_done_by_what_solves_it_and_by_nothing_lazy() -> None:
    for answer in ANSWERS:
        assert meets(answer.my_proposal()["solution"])
    for lazy in LAZY:
        assert not meets(lazy), lazy


def test_what_the_solution_hangs_on() -> None:
    solution = {"strength": 4.0, "bonus": 1.0}
    for broken in ({"collapse": 0.4}, {"lucky": 0.3}, {"unsolvable": 0.5}, {"tail": 0.1}):
        assert not meets({**solution, **broken}), broken
    for harmless in ({"wrong": 1}, {"wrong": 1000}, {"tail": 1.0}, {"lucky": 0.01}):
        assert meets({**solution, **harmless}), harmless


# -- probes that show nothing


def test_one_problem_cannot_cross() -> None:
    rng = np.random.default_rng(12)
    right, attempts = TRUTH.draw({}, rng)
    sizes = 2 ** np.arange(11)
    thrown = fault("problems_thrown_together").pass_at_k(right[None], attempts[None], sizes)[0][0]
    assert (thrown[1] >= thrown[0]).all()
    value = TRUTH.pass_at_k(right[None], attempts[None], sizes)[0][0]
    assert value[1, 0] > value[0, 0]
    assert value[1, -1] < value[0, -1]
    p, q = sorted(rng.uniform(size=2))
    alike = fault("one_problem_of_mean_difficulty").expected_pass(np.array([p, q]), 1 - np.array([p, q]), 7)
    assert alike == pytest.approx(1 - (1 - np.array([p, q])) ** 7)


def test_eight_attempts_and_lucky_answers_show_nothing() -> None:
    assert measured({"k": 8})["loss"].mean() == pytest.approx(-0.07, abs=0.006)
    assert measured({"k": 8})["loss"].max() < 0
    assert np.abs(measured({"lucky": 0.01})["loss"]).max() < 0.002
    rng = np.random.default_rng(13)
    base, trained = TRUTH.some_base(rng, 3), TRUTH.shrunk(rng, TRUTH.some_base(rng, 3))
    blind = fault("first_attempt_only").requirement(base, trained, 2000)
    assert blind == pytest.approx(TRUTH.requirement(base, trained, 1))


def test_thirty_problems_do_not_resolve_the_loss() -> None:
    rng = np.random.default_rng(14)
    error = []
    for _ in range(8):
        right, attempts = TRUTH.draw({}, rng)
        error.append(TRUTH.pass_at_k(right[None], attempts[None], np.array([1024]))[1][0, 0])
    spread = np.mean(error) * 2000**0.5
    assert spread / 30**0.5 == pytest.approx(0.034, abs=0.001)
    assert np.mean(error) == pytest.approx(0.004, abs=0.0005)
    loss = measured({}, 40)["loss"].mean()
    assert loss < 2 * spread / 30**0.5


# -- the numbers in the prose


ROWS: dict[str, tuple[Setting, int, bool]] = {
    "base model": ({}, 0, False),
    "control: trained, not sharpened": ({}, 1, True),
    "trained": ({}, 1, False),
    "half the strength": ({"strength": 1}, 1, False),
    "twice the strength": ({"strength": 4}, 1, False),
    "groups of 64": ({"group": 64}, 1, False),
    "200 wrong answers in place of 20": ({"wrong": 200}, 1, False),
    "strength 4 and bonus 1": ({"strength": 4, "bonus": 1}, 1, False),
    "the same, collapse 0.4": ({"strength": 4, "bonus": 1, "collapse": 0.4}, 1, False),
    "base model, one wrong answer in a hundred accepted": ({"lucky": 0.01}, 0, False),
    "trained, one wrong answer in a hundred accepted": ({"lucky": 0.01}, 1, False),
}


def curve(setting: Setting, model: int, control: bool, draws: int = 40) -> Floats:
    rng = np.random.default_rng(0)
    sizes = np.array([1, 8, 32, 64, 256, 1024])
    wrong = np.arange(TRUTH.ATTEMPTS + 1)
    table = np.array(
        [[1 - comb(int(w), int(k)) / comb(TRUTH.ATTEMPTS, int(k)) for k in sizes] for w in wrong]
    )
    found = [
        table[TRUTH.ATTEMPTS - TRUTH.draw(setting, rng, control)[0][model]].mean(axis=0) for _ in range(draws)
    ]
    return np.mean(found, axis=0)


@pytest.mark.parametrize("row", ROWS)
def test_the_table_of_pass_at_k(row: str) -> None:
    printed = re.search(rf"^\| {re.escape(row)} \|(.*)\|$", TEXT, re.MULTILINE)
    assert printed
    assert [float(x) for x in printed[1].split("|")] == pytest.approx(curve(*ROWS[row]), abs=0.0071)


def test_other_numbers_of_the_text() -> None:
    system, control = measured({}, 100), measured({}, 100, control=True)
    assert system["gain"].mean() == pytest.approx(0.35 - 0.18, abs=0.006)
    assert system["loss"].mean() == pytest.approx(0.06, abs=0.005)
    assert system["kept"].mean() == pytest.approx(0.92, abs=0.005)
    assert control["kept"].mean() == pytest.approx(0.98, abs=0.006)
    # The curves cross at 32: within a hair of each other there, apart on either side.
    assert abs(measured({"k": 32}, 40)["loss"].mean()) < 0.004
    assert measured({"k": 16}, 40)["loss"].mean() < -0.02
    assert measured({"k": 64}, 40)["loss"].mean() > 0.015
    half = measured({"strength": 1}, 40)
    assert half["gain"].mean() == pytest.approx(0.1, abs=0.01)
    assert half["loss"].mean() == pytest.approx(0.03, abs=0.005)
    assert measured({"strength": 0.85}, 40)["gain"].mean() < 0.1
    lost = measured({"strength": 4, "bonus": 1, "collapse": 0.4}, 40)
    assert lost["loss"].mean() == pytest.approx(0.04, abs=0.005)
    for collapse in (0.25, 0.4):  # what is left of the reward at an exponent of one
        for strength in (2.0, 6.0, 1e6):
            assert strength / (1 + collapse * strength) < 1 / collapse
    share, bound = 1 - (1 - 1 / 4) ** 4, (1 - 3 / 1000) ** 1000
    assert share == pytest.approx(0.68, abs=0.005)
    assert bound == pytest.approx(0.05, abs=0.001)


def test_the_experiment_and_its_naive_forms() -> None:
    plan = received(TRUTH.my_proposal()).plan
    assert plan is not None

    def claims(design: Design, seed: int = 5) -> list[float]:
        return [float(run(design, t.world, 2000, seed).claim.mean()) for t in TRUTH.KEY.experiment.trials]  # type: ignore[arg-type]

    assert claims(plan.experiment)[2] > 0.87
    paired = vary(vary(plan.experiment, "test.unit", "groups"), "test.paired", True)
    assert claims(paired)[0] == pytest.approx(0.12, abs=0.02)
    single = vary(vary(vary(plan.experiment, "seeds.count", 1), "test.unit", "items"), "test.paired", True)
    assert claims(single)[0] == pytest.approx(0.22, abs=0.03)
    assert claims(vary(plan.experiment, "evaluation.held_out", "items"))[1] > 0.95
    assert claims(vary(plan.experiment, "evaluation.held_out", "deduplicated"))[1] < 0.07
    pilot, below = plan.kill.pilot, plan.kill.below
    ended = [
        float((run(pilot, t.world, 4000, 5).estimate < below).mean()) for t in TRUTH.KEY.experiment.trials
    ]
    assert min(ended[:2]) == pytest.approx(5 / 6, abs=0.02)
    assert ended[2] == pytest.approx(1 / 8, abs=0.02)


def test_the_model_proposal_is_worth_everything() -> None:
    for seed in (1, 2):
        assert score(TRUTH.my_proposal(), TRUTH.KEY, seed=seed).total == pytest.approx(1.0)


def test_the_papers_of_the_debrief_are_in_the_bibliography() -> None:
    known = {p.arxiv for p in bibliography.papers(problem="capability_or_sharpening")}
    cited = set(re.findall(r"arXiv:(\d{4}\.\d{5})", TEXT))
    assert len(cited) >= 7
    assert cited <= known
