"""The truth of cache_outliers against torch's operator, enumeration and closed forms, and its numbers."""

from __future__ import annotations

import json
import re
from itertools import pairwise, product
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.integrate import quad
from scipy.special import softmax
from scipy.stats import norm

from fourrounds.design import run, vary
from fourrounds.examiner.layout import find_root
from fourrounds.examiner.problem import load_problem
from fourrounds.proposal import bibliography
from fourrounds.proposal.received import received
from fourrounds.proposal.score import score
from support.truths import truth_of

TRUTH = truth_of("cache_outliers")
SOURCE = find_root() / "source" / "round4_open_problems" / "cache_outliers.ipynb"
PROBLEM = load_problem(SOURCE)
TEXT = "\n".join("".join(cell["source"]) for cell in json.loads(SOURCE.read_text())["cells"])
Array = NDArray[np.float64]
TOKENS, CHANNELS = 1, 2  # the axes along which a step is shared


def with_source(source: str) -> SimpleNamespace:
    """What the set-up, the solution, and then this fault or variant define."""
    names: dict[str, object] = {}
    for text in (*(cell.source for cell in PROBLEM.by_role("setup")), PROBLEM.solution(), source):
        exec(text, names)
    return SimpleNamespace(**{name: value for name, value in names.items() if not name.startswith("__")})


ANSWERS = [TRUTH, *(with_source(variant.source) for variant in PROBLEM.variants)]


def fault(name: str) -> SimpleNamespace:
    return with_source(next(one.source for one in PROBLEM.faults if one.name == name))


# -- the probe


@pytest.mark.parametrize("bits", [1, 2, 4])
@pytest.mark.parametrize("axis", [TOKENS, CHANNELS])
def test_what_is_read_back_is_what_the_operator_of_torch_reads(bits: int, axis: int) -> None:
    """A zero point need not be whole there either, if it is given as a float."""
    rng = np.random.default_rng(bits)
    levels, rows = 2**bits - 1, 6
    # Steps and ends that float32 holds exactly, since the operator takes its scales in that type.
    step = rng.integers(1, 60, rows) / 16
    zero = rng.integers(0, 16 * levels, rows) / 16
    low = -step * zero
    inner = low[:, None] + step[:, None] * levels * rng.uniform(0, 1, (rows, 9))
    x = np.concatenate([inner, low[:, None], (low + levels * step)[:, None]], axis=1)
    scale, point = (torch.tensor(one, dtype=torch.float32) for one in (step, zero))
    due = torch.fake_quantize_per_channel_affine(torch.tensor(x), scale, point, 0, 0, levels).numpy()
    keys = (x.T if axis == TOKENS else x)[None]
    due = (due.T if axis == TOKENS else due)[None]
    large = np.zeros(keys.shape[2], dtype=bool)
    large[:2] = True
    error, there = (due - keys) ** 2, keys**2
    found = [TRUTH.true_quantise(keys, large, bits, axis, 11)[0]]
    for restored, whole, rest in found + [one.quantise(keys, large, bits, axis, 11) for one in ANSWERS]:
        assert np.allclose(restored, due, rtol=1e-12, atol=1e-12)
        assert whole == pytest.approx(error.sum() / there.sum(), rel=1e-10)
        assert rest == pytest.approx(error[..., 2:].sum() / there[..., 2:].sum(), rel=1e-10)


def test_the_last_group_has_a_grid_of_its_own_in_every_answer() -> None:
    rng = np.random.default_rng(3)
    keys, large = TRUTH.some_keys(rng, 2, 15, 11)
    for axis in (TOKENS, CHANNELS):
        due = TRUTH.true_quantise(keys, large, 3, axis, 4)[0]
        for one in ANSWERS:
            for found, true in zip(one.quantise(keys, large, 3, axis, 4), due, strict=True):
                assert np.allclose(found, true, rtol=1e-10, atol=1e-12)


def three_large(seed: int = 0, draws: int = 25, size: float = 20.0) -> list[tuple[Array, NDArray[np.bool_]]]:
    """The example of the text: 512 tokens, 128 channels, three of which are large."""
    rng = np.random.default_rng(seed)
    large = np.arange(128) < 3
    return [(rng.standard_normal((1, 512, 128)) * np.where(large, size, 1.0), large) for _ in range(draws)]


def lost(how: SimpleNamespace, bits: int, axis: int, size: float = 20.0) -> Array:
    """The mean of what is lost of all, and of the others."""
    found = [how.quantise(keys, large, bits, axis, 512) for keys, large in three_large(size=size)]
    return np.array([[whole[0], rest[0]] for _, whole, rest in found]).mean(axis=0)


def test_the_example_of_the_text() -> None:
    assert lost(TRUTH, 2, CHANNELS) == pytest.approx([1.4, 14], rel=0.05)
    assert lost(TRUTH, 2, TOKENS) == pytest.approx([0.35, 0.35], abs=0.006)
    single = [TRUTH.quantise(keys, large, 2, CHANNELS, 512)[2][0] for keys, large in three_large(draws=50)]
    assert np.mean([13 < one < 16 for one in single]) > 0.8


def test_probes_that_show_nothing() -> None:
    # Normal keys: a step per token has the smaller error.
    assert lost(TRUTH, 2, CHANNELS, size=1.0)[0] == pytest.approx(0.25, abs=0.005)
    assert lost(TRUTH, 2, TOKENS, size=1.0)[0] == pytest.approx(0.35, abs=0.005)
    # Eight bits: nothing is lost.
    assert lost(TRUTH, 8, CHANNELS)[1] == pytest.approx(0.002, abs=0.0003)
    assert lost(fault("eight_bits"), 2, CHANNELS)[1] < 0.003
    rest = [lost(TRUTH, bits, CHANNELS)[1] for bits in range(1, 9)]
    assert rest[0] / rest[1] == pytest.approx(11, abs=0.5)
    assert all(4 <= more / less < 5.3 for more, less in pairwise(rest[1:]))
    # A point at zero: small in the average over all, and nearly everything of the others is gone.
    zero = fault("zero_on_the_grid")
    whole, rest = lost(zero, 2, CHANNELS)
    assert whole == pytest.approx(0.13, abs=0.005)
    assert 0.97 < rest <= 1
    assert lost(zero, 2, TOKENS)[0] == pytest.approx(0.34, abs=0.006)
    # Channels that were brought to one spread.
    assert lost(fault("large_divided_out"), 2, CHANNELS)[1] < 0.3


def test_the_grid_at_zero_is_the_operator_with_a_whole_zero_point() -> None:
    (keys, large), *_ = three_large(draws=1)
    x = keys[0]
    low, high = np.minimum(x.min(axis=1), 0), np.maximum(x.max(axis=1), 0)
    # A scale of float32 would move a number across a tie: it is rounded first, and by hand.
    step = ((high - low) / 3).astype(np.float32)
    zero = torch.tensor(np.rint(-low / step), dtype=torch.int32)
    due = torch.fake_quantize_per_channel_affine(torch.tensor(x), torch.tensor(step), zero, 0, 0, 3).numpy()
    restored = fault("zero_on_the_grid").quantise(keys, large, 2, CHANNELS, 128)[0][0]
    assert np.mean(np.isclose(restored, due, rtol=1e-5, atol=1e-5)) > 0.999


# -- the control


def test_the_expected_error_is_the_integral() -> None:
    rng = np.random.default_rng(4)
    for bits in (1, 2, 4):
        low = rng.uniform(-3, 0)
        high = low + rng.uniform(1, 9)
        step = (high - low) / (2**bits - 1)
        a, b = np.sort(rng.uniform(low, high, 2))

        def square(x: float, low: float = low, step: float = step, bits: int = bits) -> float:
            return min((x - low - step * n) ** 2 for n in range(2**bits))

        edges = [e for e in low + step * (np.arange(2**bits - 1) + 0.5) if a < e < b]
        due = quad(square, a, b, points=edges or None, epsabs=1e-12)[0] / (b - a)
        given = [np.array([x]) for x in (a, b, low, high)]
        for found in (TRUTH.true_uniform, *(one.uniform_error for one in ANSWERS)):
            assert found(*given, np.array([bits])) == pytest.approx(due, rel=1e-8)


def test_what_fills_its_grid_has_a_twelfth_and_a_narrow_interval_its_distance() -> None:
    low, high, bits = np.array([-1.0, 2.0]), np.array([2.0, 4.0]), np.array([2, 3])
    for found in (TRUTH.true_uniform, *(one.uniform_error for one in ANSWERS)):
        assert np.allclose(found(low, high, low, high, bits), ((high - low) / (2.0**bits - 1)) ** 2 / 12)
        there = np.array([0.3])
        narrow = found(there, there + 1e-7, np.array([0.0]), np.array([3.0]), np.array([2]))
        assert narrow == pytest.approx((0.3**2 + 0.3 * (0.3 + 1e-7) + (0.3 + 1e-7) ** 2) / 3, rel=1e-9)
        assert found(there, there, np.array([0.0]), np.array([3.0]), np.array([2])) == pytest.approx(0.09)


def test_the_range_of_normals_and_the_error_that_it_predicts() -> None:
    wide = quad(lambda x: 1 - norm.cdf(x) ** 512 - norm.sf(x) ** 512, -9, 9)[0]
    assert wide == pytest.approx(6.09, abs=0.005)
    assert wide / 3 == pytest.approx(2.03, abs=0.005)
    assert (wide / 3) ** 2 / 12 == pytest.approx(0.34, abs=0.005)
    assert (wide / 3) ** 2 / 12 == pytest.approx(lost(TRUTH, 2, TOKENS)[1], rel=0.03)


# -- the requirement

MARGIN_ABOVE = (False, False, False, True, False, True)


@pytest.mark.parametrize("seed", range(6))
def test_the_margin_is_the_smallest_over_all_errors_of_half_a_step(seed: int) -> None:
    rng = np.random.default_rng(seed)
    query, keys = rng.standard_normal(3), 2 * rng.standard_normal((3, 3))
    steps = rng.uniform(0, 0.3 if seed % 2 else 3.0, (3, 3))
    top = int((keys @ query).argmax())
    margin = np.inf
    # A logit is linear in the errors, so the smallest lies at a corner.
    for signs in product((-0.5, 0.5), repeat=9):
        logits = (keys + steps * np.reshape(signs, (3, 3))) @ query / np.sqrt(3)
        margin = min(margin, logits[top] - np.delete(logits, top).max())
    for found in (TRUTH.true_requirement, *(one.requirement for one in ANSWERS)):
        assert found(query[None], keys[None], steps[None]) == pytest.approx(margin, rel=1e-10)
    assert (margin > 0) == MARGIN_ABOVE[seed]


def test_a_margin_above_zero_keeps_the_token() -> None:
    rng = np.random.default_rng(5)
    safe = 0
    for _ in range(300):
        keys, large = rng.standard_normal((1, 12, 16)), np.zeros(16, dtype=bool)
        query = rng.standard_normal((1, 16))
        restored = TRUTH.quantise(keys, large, 6, TOKENS, 12)[0]
        spread = np.ptp(keys, axis=1, keepdims=True) / 63
        if TRUTH.requirement(query, keys, np.broadcast_to(spread, keys.shape))[0] > 0:
            safe += 1
            assert (restored[0] @ query[0]).argmax() == (keys[0] @ query[0]).argmax()
    assert 50 < safe < 300


# -- the system


def measured(setting: dict[str, float], draws: int = 100, control: bool = False) -> dict[str, Array]:
    rng = np.random.default_rng(0)
    full = TRUTH.KEY.complete(setting)
    found = [TRUTH.measure(full, rng, control) for _ in range(draws)]
    return {name: np.array([one[name] for one in found]) for name in found[0]}


@pytest.mark.parametrize(
    "setting",
    [{}, {"per_channel": 1}, {"rotate": 1, "group": 24}, {"per_channel": 1, "window": 7, "moving": 0.2}],
)
def test_the_system_measures_what_the_probe_reads(setting: dict[str, float]) -> None:
    full = TRUTH.KEY.complete(setting)
    found = TRUTH.measure(full, np.random.default_rng(11), False)
    keys, queries, added = TRUTH.draw(full, np.random.default_rng(11))
    turn = TRUTH.ROTATION if full["rotate"] else np.eye(64)
    read, old = keys @ turn, len(keys) - int(full["window"])
    axis = TOKENS if full["per_channel"] else CHANNELS
    read[:old] = TRUTH.true_quantise(read[None, :old], added[0], int(full["bits"]), axis, int(full["group"]))[
        0
    ][0][0]
    read = read @ turn.T
    kept = (queries @ read.T).argmax(axis=1) == (queries @ keys.T).argmax(axis=1)
    assert found["kept"] == pytest.approx(kept.mean())
    assert found["error"] == pytest.approx(((read - keys)[~added] ** 2).sum() / (keys[~added] ** 2).sum())


def test_the_logits_of_system_and_control_are_the_same_at_full_precision() -> None:
    for setting in ({}, {"moving": 0.3}, {"wobble": 1.0, "size": 60.0}):
        keys, queries, added = TRUTH.draw(setting, np.random.default_rng(12))
        plain, same, nothing = TRUTH.draw(setting, np.random.default_rng(12), control=True)
        assert added.any()
        assert not nothing.any()
        assert (queries == same).all()
        assert np.allclose(queries @ keys.T, queries @ plain.T, atol=1e-10)
    assert np.allclose(TRUTH.ROTATION @ TRUTH.ROTATION.T, np.eye(64), atol=1e-12)


@pytest.mark.parametrize("per_channel", [0, 1])
def test_the_bits_of_a_number_are_those_of_its_groups_one_by_one(per_channel: int) -> None:
    for bits, group, window in product((1, 2), (8, 48, 64, 200, 256), (0, 7, 64)):
        rows, length = (64, 256 - window) if per_channel else (256 - window, 64)
        groups = rows * len(range(0, length, group))
        whole = 16 * window * 64 + rows * length * bits + groups * 2 * 16
        setting = {"per_channel": per_channel, "bits": bits, "group": group, "window": window}
        assert TRUTH.bits_each(setting) == pytest.approx(whole / (256 * 64))


def test_system_and_control_part_at_the_default() -> None:
    system, control = measured({}, 300), measured({}, 300, control=True)
    for name, one in TRUTH.METRICS.items():
        beyond = (lambda x, b=one.bound: x < b) if one.fails == "below" else (lambda x, b=one.bound: x > b)
        assert beyond(system[name]).mean() > 0.99
        assert beyond(control[name]).mean() < 0.01


def test_the_job_is_done_by_what_solves_it_and_by_nothing_lazy() -> None:
    for answer in ANSWERS:
        assert TRUTH.KEY.done(TRUTH.KEY.complete(answer.my_proposal()["solution"]))
    lazy = product((1, 2, 3, 4, 8), (8, 16, 32, 64, 256), (0, 8, 64), (0, 1))
    for bits, group, window, rotate in lazy:
        setting = TRUTH.KEY.complete({"bits": bits, "group": group, "window": window, "rotate": rotate})
        assert not TRUTH.KEY.done(setting)
    # The bits count: with more of them the token is kept.
    assert measured({"bits": 4}, 20)["kept"].mean() > 0.98


def test_what_the_solution_does_not_hang_on() -> None:
    for name, value in (("outliers", 8), ("size", 40.0)):
        assert TRUTH.KEY.done(TRUTH.KEY.complete({"per_channel": 1, name: value}))


# -- the numbers in the prose

CHANNEL = {"per_channel": 1}
ROWS: dict[str, tuple[dict[str, float], bool]] = {
    "control: a step per token": ({}, True),
    "a step per token": ({}, False),
    "a step per token, groups of 32": ({"group": 32}, False),
    "a step per token, rotated": ({"rotate": 1}, False),
    "a step per token, 3 bits": ({"bits": 3}, False),
    "a step per token, 4 bits": ({"bits": 4}, False),
    "a step per channel": (CHANNEL, False),
    "a step per channel, 1 bit": ({**CHANNEL, "bits": 1}, False),
    "a step per channel, 1 bit, groups of 256": ({**CHANNEL, "bits": 1, "group": 256}, False),
    "a step per channel, rotated": ({**CHANNEL, "rotate": 1}, False),
    "a step per channel, 2% of the tokens have large pairs of their own": (
        {**CHANNEL, "moving": 0.02},
        False,
    ),
    "a step per channel, a tenth of them": ({**CHANNEL, "moving": 0.1}, False),
    "a step per channel, a tenth of them, rotated": ({**CHANNEL, "moving": 0.1, "rotate": 1}, False),
    "a step per channel, large channels vary by half": ({**CHANNEL, "wobble": 0.5}, False),
    "a step per channel, doubles with a correlation of 0.9": ({**CHANNEL, "likeness": 0.9}, False),
    "a step per channel, size 60": ({**CHANNEL, "size": 60.0}, False),
}


@pytest.mark.parametrize("row", ROWS)
def test_the_table(row: str) -> None:
    setting, control = ROWS[row]
    printed = re.search(rf"^\| {re.escape(row)} \|(.*)\|$", TEXT, re.MULTILINE)
    assert printed
    bits, kept, error = (float(x) for x in printed[1].split("|"))
    found = measured(setting, control=control)
    assert bits == pytest.approx(TRUTH.bits_each(TRUTH.KEY.complete(setting)), abs=0.0051)
    assert kept == pytest.approx(found["kept"].mean(), abs=0.0051)
    assert error == pytest.approx(found["error"].mean(), abs=0.0051)


def test_other_numbers_of_the_text() -> None:
    assert measured({})["kept"].mean() == pytest.approx(0.25, abs=0.02)
    assert measured({})["error"].mean() == pytest.approx(6, abs=0.1)
    assert measured(CHANNEL)["kept"].mean() > 0.99
    assert measured({}, control=True)["kept"].mean() > 0.99
    assert measured({**CHANNEL, "moving": 0.1})["kept"].mean() == pytest.approx(0.7, abs=0.02)
    assert measured({"window": 64})["kept"].mean() == pytest.approx(0.30, abs=0.005)
    assert TRUTH.bits_each({"window": 64}) == pytest.approx(5.9, abs=0.05)
    assert measured({"size": 10.0})["kept"].mean() == pytest.approx(0.95, abs=0.005)
    assert measured({"size": 5.0})["kept"].mean() == pytest.approx(0.92, abs=0.005)


def test_what_one_bit_does_to_the_size_of_logits_and_to_a_softmax() -> None:
    setting = {**CHANNEL, "bits": 1, "group": 256}
    assert TRUTH.KEY.done(TRUTH.KEY.complete(setting))
    rng, slopes, weights = np.random.default_rng(0), [], []
    for _ in range(20):
        keys, queries, _ = TRUTH.draw(setting, rng)
        read = TRUTH.quantise(keys[None], np.zeros(64, dtype=bool), 1, TOKENS, 256)[0][0]
        logits = [queries @ x.T / 8 for x in (keys, read)]
        true, found = (x - x.mean(axis=1, keepdims=True) for x in logits)
        slopes.append((true * found).sum() / (true**2).sum())
        weights.append([softmax(x, axis=1).max(axis=1).mean() for x in logits])
    assert np.mean(slopes) == pytest.approx(2.2, abs=0.05)
    assert np.mean(weights, axis=0) == pytest.approx([0.18, 0.71], abs=0.01)


def test_how_often_the_requirement_holds() -> None:
    def share(bits: int, axis: int) -> float:
        rng, found = np.random.default_rng(0), []
        for _ in range(10):
            keys, queries, _ = TRUTH.draw({}, rng)
            grouped = keys.reshape(4, 64, 64) if axis == TOKENS else keys[None]
            spread = np.ptp(grouped, axis=1 if axis == TOKENS else 2, keepdims=True) / (2**bits - 1)
            steps = np.broadcast_to(spread, grouped.shape).reshape(keys.shape)
            every = (np.broadcast_to(x, (64, *x.shape)) for x in (keys, steps))
            found.append((TRUTH.requirement(queries, *every) > 0).mean())
        return float(np.mean(found))

    assert share(2, TOKENS) == share(2, CHANNELS) == share(4, CHANNELS) == 0
    assert share(4, TOKENS) == pytest.approx(0.8, abs=0.03)
    assert share(6, TOKENS) == 1
    assert share(6, CHANNELS) == pytest.approx(0.6, abs=0.04)


def test_the_experiment_and_its_naive_forms() -> None:
    plan = received(TRUTH.my_proposal()).plan
    assert plan is not None

    def claims(design: object, seed: int = 5) -> list[float]:
        return [float(run(design, t.world, 8000, seed).claim.mean()) for t in TRUTH.KEY.experiment.trials]  # type: ignore[arg-type]

    assert claims(plan.experiment)[2] > 0.87
    paired = vary(vary(plan.experiment, "test.unit", "groups"), "test.paired", True)
    printed = re.search(r"(\d+)% of paired tests over collections claim something", TEXT)
    assert printed
    assert claims(paired)[0] == pytest.approx(float(printed[1]) / 100, abs=0.01)
    assert claims(vary(plan.experiment, "evaluation.held_out", "items"))[1] > 0.9
    pilot, below = plan.kill.pilot, plan.kill.below
    ended = [
        float((run(pilot, t.world, 8000, 5).estimate < below).mean()) for t in TRUTH.KEY.experiment.trials
    ]
    assert "over four dead ideas in five, one live one in seven" in TEXT
    assert 0.8 < min(ended[:2]) < 0.9
    assert ended[2] == pytest.approx(1 / 7, abs=0.012)


def test_the_model_proposal_is_worth_everything() -> None:
    for seed in (1, 2):
        assert score(TRUTH.my_proposal(), TRUTH.KEY, seed=seed).total == pytest.approx(1.0)


def test_the_papers_of_the_debrief_are_in_the_bibliography() -> None:
    known = {p.arxiv for p in bibliography.papers(problem="cache_outliers")}
    cited = set(re.findall(r"arXiv:(\d{4}\.\d{5})", TEXT))
    assert len(cited) >= 5
    assert cited <= known
