"""The truth of fixed_state against loops, enumeration and closed forms, and the numbers that it prints."""

from __future__ import annotations

import json
import re
from itertools import product
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.typing import NDArray

from fourrounds.design import run, vary
from fourrounds.examiner.layout import find_root
from fourrounds.examiner.problem import load_problem
from fourrounds.proposal import ProposalError, bibliography
from fourrounds.proposal.received import received
from fourrounds.proposal.score import score
from support.truths import truth_of

TRUTH = truth_of("fixed_state")
SOURCE = find_root() / "source" / "round4_open_problems" / "fixed_state.ipynb"
PROBLEM = load_problem(SOURCE)
TEXT = "\n".join("".join(cell["source"]) for cell in json.loads(SOURCE.read_text())["cells"])
Drawn = dict[str, NDArray[np.float64]]
LAZY: tuple[dict[str, float], ...] = (
    {},
    {"rule": 1},
    {"window": 32},
    {"window": 16},
    {"d_v": 64},
    {"d_k": 128},
    {"d_k": 128, "d_v": 128},
)


def with_source(source: str) -> SimpleNamespace:
    """What the set-up, the solution, and then this fault or variant define."""
    names: dict[str, object] = {}
    for text in (*(cell.source for cell in PROBLEM.by_role("setup")), PROBLEM.solution(), source):
        exec(text, names)
    return SimpleNamespace(**{name: value for name, value in names.items() if not name.startswith("__")})


def answers() -> list[SimpleNamespace]:
    return [TRUTH, *(with_source(variant.source) for variant in PROBLEM.variants)]


def fault(name: str) -> SimpleNamespace:
    return with_source(next(one.source for one in PROBLEM.faults if one.name == name))


def unit(rng: np.random.Generator, *shape: int) -> NDArray[np.float64]:
    x = rng.standard_normal(shape)
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def scalar_read(keys: list[list[float]], held: list[list[float]], beta: float) -> list[list[float]]:
    """Eq. 1 and the left of eq. 2, number by number."""
    rows, columns = range(len(keys[0])), range(len(held[0]))
    state = [[0.0 for _ in columns] for _ in rows]
    for k, v in zip(keys, held, strict=True):
        said = [sum(state[r][c] * k[r] for r in rows) for c in columns]
        for r in rows:
            for c in columns:
                state[r][c] += k[r] * (v[c] - beta * said[c])
    return [[sum(state[r][c] * k[r] for r in rows) for c in columns] for k in keys]


# -- the probe


@pytest.mark.parametrize("beta", [0.0, 0.4, 1.0])
def test_what_is_read_is_what_loops_over_single_numbers_read(beta: float) -> None:
    rng = np.random.default_rng(3)
    keys, codebook = TRUTH.some_keys(rng, 2, 12, 5), TRUTH.some_codebook(rng, 7, 4)
    values = rng.integers(7, size=(2, 12))
    for member in range(2):
        held = codebook[values[member]]
        read = np.array(scalar_read(keys[member].tolist(), held.tolist(), beta))
        error = [
            sum((a - b) ** 2 for a, b in zip(x, y, strict=True)) for x, y in zip(read, held, strict=True)
        ]
        nearest = [min(range(7), key=lambda w, x=x: float(np.linalg.norm(x - codebook[w]))) for x in read]
        assert len({a == b for a, b in zip(nearest, values[member], strict=True)}) == 2
        one = (keys[member][None], values[member][None], codebook, beta)
        for decoded, found in (TRUTH.true_read(*one), *(answer.read_back(*one) for answer in answers())):
            assert decoded[0].tolist() == nearest
            assert np.allclose(found[0], error, rtol=1e-10, atol=1e-12)


def test_the_answers_by_hand_of_the_provided_tests() -> None:
    keys, values = np.array([[[1.0, 0.0], [0.6, 0.8]]]), np.array([[0, 1]])
    for beta, due in ((0.0, [0.36, 0.36]), (1.0, [0.4896, 0.0])):
        assert np.allclose(TRUTH.true_read(keys, values, np.eye(2), beta)[1], due, atol=1e-15)
        assert np.allclose(TRUTH.true_expected(keys, beta), due, atol=1e-15)


# -- the control


@pytest.mark.parametrize("beta", [0.0, 0.6, 1.0])
def test_the_expected_error_is_the_mean_over_many_values(beta: float) -> None:
    rng = np.random.default_rng(4)
    keys = TRUTH.some_keys(rng, 1, 9, 4)
    # All 512 choices of signs are the whole distribution of values of one component.
    signs = np.array(list(product((-1.0, 1.0), repeat=9))).T
    error = (np.array(scalar_read(keys[0].tolist(), signs.tolist(), beta)) - signs) ** 2
    for found in (TRUTH.true_expected(keys, beta), *(a.expected_error(keys, beta) for a in answers())):
        assert np.allclose(found[0], error.mean(axis=1), rtol=1e-10)


def test_random_keys_have_the_error_of_the_closed_form() -> None:
    rng = np.random.default_rng(5)
    for pairs, d_k in ((16, 32), (64, 32), (128, 64)):
        found = TRUTH.true_expected(unit(rng, 40, pairs, d_k), 0.0)
        assert found.mean() == pytest.approx((pairs - 1) / d_k, rel=0.02)


def test_no_unit_keys_have_a_smaller_mean_error_than_the_bound() -> None:
    rng = np.random.default_rng(6)
    for pairs, d_k in ((12, 4), (9, 8), (20, 3)):
        assert (TRUTH.true_expected(unit(rng, 30, pairs, d_k), 0.0).mean(axis=1) >= pairs / d_k - 1).all()
    # An orthonormal basis taken three times reaches it.
    basis = np.linalg.qr(rng.standard_normal((4, 4)))[0]
    assert TRUTH.true_expected(np.tile(basis, (3, 1))[None], 0.0).mean() == pytest.approx(2.0)


def test_random_keys_against_the_bound() -> None:
    """(N - 1) / (N - d_k) times the bound, where there is one."""
    rng = np.random.default_rng(16)
    for pairs, d_k, ratio in ((64, 32, 63 / 32), (64, 16, 63 / 48), (256, 64, 4 / 3)):
        found = TRUTH.true_expected(unit(rng, 20, pairs, d_k), 0.0).mean()
        assert found / (pairs / d_k - 1) == pytest.approx(ratio, rel=0.02)
    assert round(63 / 32, 2) == 1.97
    assert 64 / 32 - 1 == 1


def test_the_delta_rule_forgets_at_the_rate_of_the_closed_form() -> None:
    """The expected weight, and the expected error by a recursion over the later writes."""
    rng = np.random.default_rng(7)
    pairs, d = 24, 8
    keys = unit(rng, 4000, pairs, d)
    gram = keys @ keys.swapaxes(1, 2)
    weights = gram @ np.linalg.inv(np.eye(pairs) + np.tril(gram, -1))
    left = (1 - 1 / d) ** np.arange(pairs - 1, -1, -1)
    assert np.allclose(np.einsum("bii->bi", weights).mean(axis=0), left, atol=0.02)
    error = TRUTH.true_expected(keys, 1.0).mean(axis=0)
    for place in range(pairs):
        # E of the squared lengths of the state and of what it reads at the key, written last at `place`.
        whole = d * (1 - (1 - 1 / d) ** (place + 1))
        read, own = 1.0, 1.0
        for _ in range(pairs - 1 - place):
            read, whole, own = (
                read * (1 - 2 / d) + 1 / d + (whole + 2 * read) / (d * (d + 2)),
                whole * (1 - 1 / d) + 1,
                own * (1 - 1 / d),
            )
        assert error[place] == pytest.approx(read - 2 * own + 1, abs=0.05)


def test_with_orthonormal_keys_every_rule_reads_everything() -> None:
    rng = np.random.default_rng(8)
    keys, values = TRUTH.orthonormal(rng, 3, 6), rng.integers(9, size=(3, 6))
    for beta in (0.0, 0.3, 1.0):
        decoded, error = TRUTH.true_read(keys, values, unit(rng, 9, 4), beta)
        assert (decoded == values).all()
        assert np.allclose(error, 0, atol=1e-24)
        assert np.allclose(TRUTH.true_expected(keys, beta), 0, atol=1e-24)


# -- the requirement


@pytest.mark.parametrize("seed", range(6))
def test_the_margin_is_the_smallest_over_all_that_can_be_written(seed: int) -> None:
    rng = np.random.default_rng(seed)
    pairs, words = 4, 3
    keys = unit(rng, 1, pairs, 5 if seed % 2 else 40) * rng.uniform(0.9, 1.1, (1, pairs, 1))
    codebook = TRUTH.some_codebook(rng, words, 2)
    margin, misread = np.inf, False
    for choice in product(range(words), repeat=pairs):
        held = codebook[list(choice)]
        read = np.array(scalar_read(keys[0].tolist(), held.tolist(), 0.0))
        for r, v in zip(read, held, strict=True):
            for c in codebook:
                if not np.array_equal(c, v):
                    margin = min(margin, 0.5 * ((c - v) ** 2).sum() - (r - v) @ (c - v))
        decoded = TRUTH.read_back(keys, np.array([choice]), codebook, 0.0)[0]
        misread |= bool((decoded != np.array(choice)).any())
    assert misread == (margin < 0)
    for found in (TRUTH.true_requirement, *(answer.requirement for answer in answers())):
        assert found(keys, codebook) == pytest.approx(margin, rel=1e-10)


def test_the_cases_of_the_margin_above_have_either_sign() -> None:
    signs = set()
    for seed in range(6):
        rng = np.random.default_rng(seed)
        keys = unit(rng, 1, 4, 5 if seed % 2 else 40) * rng.uniform(0.9, 1.1, (1, 4, 1))
        signs.add(float(np.sign(TRUTH.true_requirement(keys, TRUTH.some_codebook(rng, 3, 2))[0])))
    assert signs == {-1.0, 1.0}


def test_at_the_default_nearly_no_drawing_is_safe_from_eight_pairs_on() -> None:
    rng = np.random.default_rng(9)
    margins = []
    for _ in range(40):
        keys, _, codebook, _ = TRUTH.draw({"pairs": 8}, rng)
        margins.append(TRUTH.requirement(keys[None], codebook)[0])
    assert np.mean(np.array(margins) > 0) < 0.1


def test_the_margin_at_the_default_and_where_the_job_is_done() -> None:
    def margin(setting: dict[str, float]) -> float:
        rng = np.random.default_rng(17)
        drawn = [TRUTH.draw(setting, rng) for _ in range(12)]
        return float(np.mean([TRUTH.requirement(keys[None], words)[0] for keys, _, words, _ in drawn]))

    assert margin({}) == pytest.approx(-15, abs=1)
    ends = [{"d_k": 60, "d_v": 34}, {"d_k": 124, "d_v": 16}]
    for setting in (*ends, *(answer.my_proposal()["solution"] for answer in answers())):
        assert TRUTH.KEY.done(TRUTH.KEY.complete(setting))
        assert -11.5 < margin(setting) < -7.5
    assert "the left side is about −15, and where the job is done it is still −8 to −11" in TEXT


# -- the system


def measured(setting: dict[str, float], draws: int = 150, control: bool = False) -> Drawn:
    rng = np.random.default_rng(0)
    full = TRUTH.KEY.complete(setting)
    found = [TRUTH.measure(full, rng, control) for _ in range(draws)]
    return {name: np.array([one[name] for one in found]) for name in found[0]}


@pytest.mark.parametrize(
    "setting",
    [{}, {"rule": 1}, {"rewritten": 0.5}, {"window": 20}, {"overlap": 0.3, "window": 32, "pairs": 20}],
)
def test_the_system_measures_what_the_probe_reads(setting: dict[str, float]) -> None:
    full = TRUTH.KEY.complete(setting)
    found = TRUTH.measure(full, np.random.default_rng(11), False)
    keys, held, codebook, asked = TRUTH.draw(full, np.random.default_rng(11))
    right, error = np.ones(len(keys), dtype=bool), np.zeros(len(keys))
    old = max(0, len(keys) - int(full["window"]))
    decoded, wrong = TRUTH.true_read(keys[None, :old], held[None, :old], codebook, float(full["rule"]))
    right[:old], error[:old] = decoded[0] == held[:old], wrong[0]
    assert found["recall"] == pytest.approx(right[asked].mean())
    assert found["error"] == pytest.approx(error[asked].mean())
    assert asked.sum() == full["pairs"]


def test_system_and_control_part_at_the_default() -> None:
    system, control = measured({}, 300), measured({}, 50, control=True)
    for name, one in TRUTH.METRICS.items():
        beyond = (lambda x, b=one.bound: x < b) if one.fails == "below" else (lambda x, b=one.bound: x > b)
        assert beyond(system[name]).mean() > 0.99
        assert not beyond(control[name]).any()
    assert system["error"].mean() == pytest.approx(63 / 32, rel=0.02)


def test_the_job_is_done_by_what_solves_it_and_by_nothing_lazy() -> None:
    def meets(setting: dict[str, float]) -> bool:
        return bool(TRUTH.KEY.done(TRUTH.KEY.complete(setting)))

    for answer in answers():
        assert meets(answer.my_proposal()["solution"])
    for lazy in LAZY:
        assert not meets(lazy)


def test_keys_have_the_overlap_that_is_asked_for() -> None:
    keys = TRUTH.draw({"overlap": 0.4, "pairs": 128, "d_k": 128}, np.random.default_rng(12))[0]
    gram = keys @ keys.T
    assert np.allclose(np.diag(gram), 1)
    assert gram[~np.eye(128, dtype=bool)].mean() == pytest.approx(0.4, abs=0.03)


# -- probes that show nothing


def test_one_hot_values_are_all_found_however_many_there_are() -> None:
    rng = np.random.default_rng(13)
    keys, held, codebook = unit(rng, 1, 400, 4), rng.integers(64, size=(1, 400)), unit(rng, 64, 8)
    assert (fault("one_hot_values").read_back(keys, held, codebook, 0.0)[0] == held).all()
    assert (TRUTH.read_back(keys, held, codebook, 0.0)[0] == held).mean() < 0.2


def test_asked_at_once_the_delta_rule_makes_no_error() -> None:
    rng = np.random.default_rng(14)
    keys, held, codebook = unit(rng, 2, 100, 6), rng.integers(20, size=(2, 100)), unit(rng, 20, 5)
    decoded, error = fault("asked_at_once").read_back(keys, held, codebook, 1.0)
    assert (decoded == held).all()
    assert np.allclose(error, 0, atol=1e-20)
    assert TRUTH.read_back(keys, held, codebook, 1.0)[1].mean() > 0.5


def test_with_few_pairs_nothing_fails() -> None:
    assert measured({"pairs": 8})["recall"].mean() > 0.995
    assert measured({"pairs": 16})["recall"].mean() > 0.99


# -- the numbers in the prose


ROWS: dict[str, tuple[dict[str, float], bool]] = {
    "control: orthonormal keys": ({}, True),
    "32 × 32, sum": ({}, False),
    "32 × 32, delta rule": ({"rule": 1}, False),
    "80 × 24, sum": ({"d_k": 80, "d_v": 24}, False),
    "24 × 80, sum": ({"d_k": 24, "d_v": 80}, False),
    "32 × 32, sum, and a window of 16": ({"window": 16}, False),
    "80 × 24, sum, keys overlap by 0.2": ({"d_k": 80, "d_v": 24, "overlap": 0.2}, False),
    "32 × 32, sum, every key comes again": ({"rewritten": 1.0}, False),
    "32 × 32, delta rule, every key comes again": ({"rewritten": 1.0, "rule": 1}, False),
    "control, sum, every key comes again": ({"rewritten": 1.0}, True),
}


@pytest.mark.parametrize("row", ROWS)
def test_the_table_of_recall(row: str) -> None:
    setting, control = ROWS[row]
    printed = re.search(rf"^\| {re.escape(row)} \|(.*)\|$", TEXT, re.MULTILINE)
    assert printed
    found = [
        measured({**setting, "pairs": n}, control=control)["recall"].mean() for n in (8, 16, 32, 64, 128)
    ]
    assert [float(x) for x in printed[1].split("|")] == pytest.approx(found, abs=0.0051)


def test_other_numbers_of_the_text() -> None:
    assert 64 * np.log2(64) == 384
    assert 32 * 32 * 32 == 32768
    assert 32 * 32 * 32 / 6 > 5000
    wide, square = measured({"d_k": 80, "d_v": 24}), measured({})
    assert 80 * 24 == 1920
    assert wide["recall"].mean() == pytest.approx(0.97, abs=0.005)
    assert measured({}, 600)["recall"].mean() == pytest.approx(0.79, abs=0.01)
    crowded = measured({"d_k": 80, "d_v": 24, "overlap": 0.2})
    assert crowded["recall"].mean() == pytest.approx(1 / 3, abs=0.03)
    assert square["error"].mean() == pytest.approx(1.97, abs=0.03)
    assert measured({"rule": 1})["error"].mean() == pytest.approx(1.06, abs=0.02)
    # The same numbers as more rows, against a window of 16.
    assert measured({"d_k": 64})["recall"].mean() > measured({"window": 16})["recall"].mean() + 0.03


def test_recall_by_age() -> None:
    rng = np.random.default_rng(15)
    drawn = [TRUTH.draw({}, rng) for _ in range(100)]
    sums, deltas = (
        np.mean([TRUTH.read_back(k[None], v[None], c, beta)[0][0] == v for k, v, c, _ in drawn], axis=0)
        for beta in (0.0, 1.0)
    )
    assert sums[:8].mean() == pytest.approx(0.77, abs=0.04)
    assert sums[-8:].mean() == pytest.approx(0.77, abs=0.04)
    assert deltas[-8:].mean() == pytest.approx(0.99, abs=0.01)
    assert deltas[:8].mean() == pytest.approx(0.06, abs=0.03)


def test_one_rate_that_is_tried_is_the_run_itself() -> None:
    plan = received(TRUTH.my_proposal()).plan
    assert plan is not None
    arms, runs = len(plan.experiment.arms), plan.experiment.seeds.count

    def price(tuning: int, each_run: bool) -> float:
        design = vary(plan.experiment, "tuning.each_run", each_run)
        for arm in design.arms:
            design = vary(design, f"arms.{arm.name}.tuning", tuning)
        return float(run(design, TRUTH.DEAD, 2, 0).cost[0])

    rest = price(1, True) - 3 * arms * runs
    assert rest == pytest.approx(2 * 20 + 0.01 * arms * runs * 200)
    assert price(1, False) == price(1, True)
    assert price(2, True) - price(1, True) == pytest.approx(3 * arms * runs)
    assert price(2, False) - price(1, False) == pytest.approx(3 * arms)


def test_a_misspelt_name_in_a_setting_is_told() -> None:
    with pytest.raises(ProposalError, match=r"no parameter 'dk' \(did you mean d_k\?\)"):
        TRUTH.draw({"dk": 64}, np.random.default_rng(0))


def test_the_experiment_and_its_naive_forms() -> None:
    plan = received(TRUTH.my_proposal()).plan
    assert plan is not None

    def claims(design: object, seed: int = 5) -> list[float]:
        return [float(run(design, t.world, 2000, seed).claim.mean()) for t in TRUTH.KEY.experiment.trials]  # type: ignore[arg-type]

    assert claims(plan.experiment)[2] > 0.87
    assert claims(vary(plan.experiment, "tuning.each_run", False))[0] == pytest.approx(0.55, abs=0.03)
    paired = vary(vary(plan.experiment, "test.unit", "groups"), "test.paired", True)
    assert claims(paired)[0] == pytest.approx(0.17, abs=0.03)
    assert claims(vary(plan.experiment, "evaluation.held_out", "items"))[1] > 0.9
    pilot, below = plan.kill.pilot, plan.kill.below
    ended = [
        float((run(pilot, t.world, 4000, 5).estimate < below).mean()) for t in TRUTH.KEY.experiment.trials
    ]
    assert min(ended[:2]) >= 0.79
    assert ended[2] <= 0.16


def test_the_model_proposal_is_worth_everything() -> None:
    for seed in (1, 2):
        assert score(TRUTH.my_proposal(), TRUTH.KEY, seed=seed).total == pytest.approx(1.0)


def test_the_papers_of_the_debrief_are_in_the_bibliography() -> None:
    known = {p.arxiv for p in bibliography.papers(problem="fixed_state")}
    cited = set(re.findall(r"arXiv:(\d{4}\.\d{5})", TEXT))
    assert len(cited) >= 5
    assert cited <= known
