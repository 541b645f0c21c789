"""Chapter 2, Papers and implementation: its numbers are computed, and its checks say what is wrong."""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from fourrounds.runbank.findings import tuned_rate
from fourrounds.runbank.table import Runs, load
from fourrounds.runbank.training.optimisers import Optimiser
from support.guide import chapter

CHAPTER = chapter("02_papers_and_implementation")
PROSE = CHAPTER.prose
LAMBDA, MU, NU, GAMMA, EPS = 25.0, 25.0, 1.0, 1.0, 1e-4


def runs(**changes: Any) -> Runs:
    bank = load("digits")
    return bank.of(bank.family.complete(changes))


def says(*sentences: str) -> None:
    for sentence in sentences:
        assert sentence in PROSE


def printed(cell: str, pattern: str) -> list[float]:
    """The numbers that a pattern's groups find in what a cell prints."""
    found = re.search(pattern, CHAPTER.printed[cell])
    assert found, (pattern, CHAPTER.printed[cell])
    return [float(group.replace(",", "")) for group in found.groups()]


def vicreg(z: torch.Tensor, other: torch.Tensor, correction: int = 1) -> list[torch.Tensor]:
    """The weighted terms of equation (1), from torch's own operators."""
    s = (z - other).square().sum(1).mean()
    v = sum(torch.relu(GAMMA - (x.var(0, correction=correction) + EPS).sqrt()).mean() for x in (z, other))
    c = sum(
        (torch.cov(x.T) - torch.diag(x.var(0, correction=1))).square().sum() / z.shape[1] for x in (z, other)
    )
    return [LAMBDA * s, MU * v, NU * c]  # type: ignore[list-item]


def drawn(n: int, d: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    a, b = CHAPTER.names["views"](n, d, np.random.default_rng(seed))
    return torch.from_numpy(a), torch.from_numpy(b)


# -- 1. reading


def test_the_two_programs_are_vicreg_and_so_is_the_gradient() -> None:
    names = CHAPTER.names
    for n, d in ((9, 5), (5, 9)):
        z, other = drawn(n, d, seed=n)
        z.requires_grad_()
        terms = vicreg(z, other)
        weights = np.array([LAMBDA, MU, NU])
        truth = np.array([term.item() for term in terms])
        assert truth.all()  # no term is idle
        pair = z.detach().numpy(), other.numpy()
        for program in ("slow_terms", "fast_terms"):
            np.testing.assert_allclose(weights * names[program](*pair), truth, rtol=1e-12)
        for program in ("loss", "by_rows", "in_halves", "mistaken", "wrong"):
            assert names[program](*pair) == pytest.approx(truth.sum(), rel=1e-12), program
        (gradient,) = torch.autograd.grad(torch.stack(terms).sum(), z)
        np.testing.assert_allclose(names["gradient_of"](*pair), gradient.numpy(), rtol=1e-10, atol=1e-12)


def test_what_the_readings_change() -> None:
    terms = np.array([term.item() for term in vicreg(*drawn(32, 16, seed=1))])
    by_n = vicreg(*drawn(32, 16, seed=1), correction=0)[1].item()
    s, rest = terms[0], terms[1:].sum()
    before, after = (100 * share / (share + rest) for share in (s, s / 16))
    says(
        f"With $d = 16$ the reading of $s$ moves its share of the loss from {before:.0f}% to {after:.0f}%.",
        f"The reading of `Var` moves the loss by {100 * (by_n - terms[1]) / terms.sum():.1f}%",
        f"moves a term from {before:.0f}% to {after:.0f}% of the loss",
    )
    assert (
        f"{terms[0]:8.2f} {terms[1]:8.2f} {terms[2]:8.2f} {terms.sum():8.2f}" in CHAPTER.printed["reference"]
    )
    assert f"{by_n:8.2f}" in CHAPTER.printed["reference"]
    assert inspect.signature(np.var).parameters["ddof"].default == 0


# -- 2. normalisation


def test_a_constant_in_the_loss_is_a_learning_rate_for_momentum() -> None:
    def trained(scale: float, lr: float) -> torch.Tensor:
        generator = torch.Generator().manual_seed(0)
        x, y = torch.randn(40, 4, generator=generator).double(), torch.arange(40) % 3
        weights = torch.zeros(1, 4, 3, dtype=torch.float64, requires_grad=True)
        optimiser = Optimiser("momentum", [weights], torch.tensor([lr], dtype=torch.float64))
        for _ in range(30):
            optimiser.step(scale * torch.nn.functional.cross_entropy(x @ weights[0], y))
        return weights.detach()

    torch.testing.assert_close(trained(0.1, 0.03), trained(1, 0.003), rtol=1e-12, atol=0)
    assert (trained(0.1, 0.03) - trained(1, 0.03)).abs().max() > 0.1


def test_the_curves_of_a_wrong_divisor() -> None:
    family = load("digits").family
    assert family.reference["optimiser"] == "momentum"
    assert family.reference["weight_decay"] == 0
    assert "in batches of 25" in family.factor("epochs").meaning
    assert tuned_rate(load("digits"), family.reference) == 0.03
    at = {lr: 100 * runs(lr=lr).test.mean() for lr in (0.003, 0.03, 0.3, 1.0)}
    says(
        f"With the paper's learning rate you get {at[0.003]:.1f}% instead of {at[0.03]:.1f}%",
        f"you get {at[0.03]:.1f}% back, at 0.3",
        f"{at[0.003]:.1f}% for {at[0.03]:.1f}%, and hidden by tuning",
        f"$\\ln 10 = {math.log(10):.3f}$",
        f"a loss that says {math.log(10) / 10:.3f} or {25 * math.log(10):.1f} has named",
    )
    assert f"ends at {at[0.003]:.0f} instead of {at[0.03]:.0f}%" in CHAPTER.printed["divisor"]
    assert (
        f"trains at 0.75; the bank's neighbours: {at[0.3]:.0f}% at 0.3, {at[1.0]:.0f}% at 1."
        in (CHAPTER.printed["divisor"])
    )


# -- 3. batching


def test_the_wrong_shape_learns_the_mean() -> None:
    start, end, spread = printed(
        "broadcast", r"\(200,\) +loss (\S+) -> (\S+), spread of the predictions (\S+)"
    )
    (variance,) = printed("broadcast", r"variance of the targets (\S+)")
    assert (end, spread) == (variance, 0)
    assert 1 - end / start == pytest.approx(4 / 5, abs=0.02)
    says("Its loss falls by four fifths, to the variance of the targets")
    right, _, spread = printed(
        "broadcast", r"\(200, 1\) +loss (\S+) -> (\S+), spread of the predictions (\S+)"
    )
    assert (right, round(spread)) == (start, 1)


def test_a_batch_that_is_split() -> None:
    whole = printed("shards", r"1 x 256 rows +(\S+) +\S+ +(\S+) +(\S+)")
    parts = printed("shards", r"8 x 32  rows +(\S+) +\S+ +(\S+) +(\S+)")
    assert whole[0] == parts[0]
    assert round(parts[1] / whole[1]) == 8
    says("The covariance term of features that are independent grows eightfold")
    # E c = (d - 1) / (m - 1), of many batches of another size.
    draws = np.random.default_rng(0).normal(size=(4000, 7, 5))
    terms = [NU * CHAPTER.names["fast_terms"](z, z)[2] / 2 for z in draws]
    assert np.mean(terms) == pytest.approx(4 / 6, rel=0.05)


# -- 4. numbers


def test_where_the_variance_is_lost() -> None:
    error = CHAPTER.names["error"]
    one_pass, two_pass = CHAPTER.names["one_pass"], CHAPTER.names["two_pass"]
    assert 2.0**-24 * 4096**2 == 1
    says("In float32 a feature whose mean is 4,000 standard deviations", "a variance lost at 4,000 standard")
    for dtype, u in ((np.float32, 2.0**-24), (np.float64, 2.0**-53)):
        for ratio in (1e1, 1e2, 1e4):
            assert u * ratio**2 / 4 < error[one_pass, dtype, ratio] < 4 * u * ratio**2
        assert error[two_pass, dtype, 1e2] < u
    assert error[two_pass, np.float32, 1e4] < 1e-6  # "keeps seven digits up to 10,000"
    assert printed("cancellation", r"10,000 SDs: (\d+) of 40")[0] > 5
    assert printed("cancellation", r"one ulp of float32 at 10,000\^2: (\d+)") == [8]
    assert np.nextafter(np.float32(1e8), np.float32(2e8)) - np.float32(1e8) == 8
    says("the squares are near $10^8$, where one ulp is 8")


def test_the_range_of_exp() -> None:
    with np.errstate(under="ignore"):
        assert np.exp(np.float32(-103.9)) > 0 == np.exp(np.float32(-104.1))
        assert np.exp(-745.0) > 0 == np.exp(-745.2)
    says("$e^x$ leaves float32 below $x \\approx -104$ and float64 below $-745$")
    naive, double, shifted = printed("underflow", r"-102 +(\S+) +(\S+) +(\S+)")
    assert shifted == double
    assert 0.01 < abs(naive - double) < 0.1
    says("At -102 float32 is still finite and wrong in the second decimal")
    assert "-inf        -119.9" in CHAPTER.printed["underflow"]
    assert re.search(r"-800 +-inf +-inf +-799\.9", CHAPTER.printed["underflow"])


# -- 5. tolerance


def test_how_sums_lose_digits() -> None:
    spread = CHAPTER.names["spread"]
    first, other, contiguous = (spread[name][-1] for name in spread)
    assert other / contiguous == pytest.approx(100, rel=0.6)
    assert first == pytest.approx(other, rel=0.5)
    says("is a hundred times less accurate along the other axis at $n = 2^{18}$")
    n, u = CHAPTER.names["sizes"], 2.0**-24
    assert all(np.array(spread["one after another"]) < np.sqrt(n) * u)
    assert all(np.array(spread["np.sum, contiguous axis"]) < np.log2(n) * u)


def test_the_room_for_a_tolerance() -> None:
    found = {name: np.array(values) for name, values in CHAPTER.names["differences"].items()}
    double, single, late = found["right, float64"], found["right, float32"], found["eps after the root"]
    assert (len(double), len(single), len(late)) == (600, 600, 200)
    assert 7.3 < math.log10(late.min() / double.max()) < 9
    says("In float64 there are about eight orders of magnitude between")
    assert double.max() < 1e-14
    says("agree to better than 1e-14, and the smallest mistake that I must catch moves it by 1e-7")
    assert 1e-7 < late.min() < single.max() * 3
    says("In float32 that mistake begins where honest rounding ends")
    passed = 100 * np.mean(late < 1e-5)
    says(
        f"lets the mistake in $\\epsilon$ pass in {passed:.0f}% of the batches",
        f"$10^{{-5}}$ passes a mistake in {passed:.0f}% of batches",
    )
    defaults = inspect.signature(np.allclose).parameters
    assert (defaults["rtol"].default, defaults["atol"].default) == (1e-5, 1e-8)
    assert "np.allclose(gradient, -gradient): True" in CHAPTER.printed["gap"]


# -- 6. the gradient


def test_what_finite_differences_see() -> None:
    (right,) = printed("steps", r"\nright +relative error (\S+)")
    (factor,) = printed("steps", r"2 for 4 in the covariance term +relative error (\S+)")
    (corner,) = printed("steps", r"at the corner of the hinge +relative error (\S+)")
    (alone,) = printed("steps", r"that term alone +relative error (\S+)")
    assert right < 3e-10
    assert alone == 1
    assert factor == 6e-4
    assert corner > 1e-3
    says(
        "a right gradient is off by $10^{-10}$",
        "is off by only $6 \\cdot 10^{-4}$",
        "Checked alone, that term is off by one",
        "| $10^{-10}$ right, $6 \\cdot 10^{-4}$ with a factor of two in a small term |",
    )
    off, steps = CHAPTER.names["off"], CHAPTER.names["steps"]
    assert 1e-6 < steps[off["central, float64"].argmin()] < 1e-4
    assert 1e-9 < steps[off["one-sided, float64"].argmin()] < 1e-7
    near = (steps > 1e-3) & (steps < 1e-2)
    assert 1e-5 < np.median(off["central, float32"][near]) < 1e-3
    says("In float32 the right gradient reaches about $10^{-4}$")


# -- 7. the checks


def test_which_check_catches_what() -> None:
    caught = CHAPTER.names["caught"]
    assert caught.shape == (12, 8)
    assert not caught[0].any()
    by_check = dict(zip(CHAPTER.names["checks"], caught.sum(0), strict=True))
    slow = by_check.pop("the slow loops")
    assert (len(by_check), slow, min(by_check.values()), max(by_check.values())) == (7, 10, 1, 4)
    alone = caught[1:, [name != "the slow loops" for name in CHAPTER.names["checks"]]].any(1)
    assert (alone.sum(), len(alone)) == (11, 11)
    says(
        "Here are eleven mistakes in VICReg against eight checks",
        "The loops catch ten of eleven.",
        "The other seven checks need no reference, each is one line, each catches between one and four "
        "mistakes, and together all eleven.",
    )


def test_a_covariance_term_shrinks_when_each_row_stands_twice() -> None:
    z = np.random.default_rng(0).normal(size=(12, 5))
    term: Callable[..., Any] = CHAPTER.names["fast_terms"]
    ratio = term(np.tile(z, (2, 1)), np.tile(z, (2, 1)))[2] / term(z, z)[2]
    assert ratio == pytest.approx((2 * 11 / 23) ** 2, rel=1e-12)


# -- the exercises

COVARIANCE = (
    "def covariance_term(Z):\n    n, d = Z.shape\n    X = Z - Z.mean(0)\n    C = X.T @ X / (n - 1)\n    "
)
MICRO = (
    "def micro_losses(losses, lengths, k):\n    real = np.arange(losses.shape[1]) < lengths[:, None]\n"
    "    part = (losses * real).reshape(-1, k * losses.shape[1])\n"
    "    count = real.reshape(-1, k * losses.shape[1]).sum(1)\n    "
)
LOGMEANEXP = "def log_mean_exp(w):\n    "
DISAGREE = (
    "def disagreement(f, gradient, Z, h=1e-5):\n    rng, worst = np.random.default_rng(0), 0.0\n"
    "    for _ in range(3):\n        D = rng.normal(size=Z.shape)\n"
    "        slope = (f(Z + h * D) - f(Z - h * D)) / (2 * h)\n"
    "        worst = max(worst, abs(np.sum(gradient * D) / slope - 1))\n    return worst"
)


@pytest.mark.parametrize(
    ("exercise", "answer", "word"),
    [
        ("covariance", COVARIANCE + "return np.sum((C - np.diag(np.diag(C))) ** 2) / d", "Right"),
        ("covariance", COVARIANCE + "return np.sum(C ** 2) / d", "diagonal is still in"),
        ("covariance", COVARIANCE + "return np.sum(C ** 2) - np.sum(np.diag(C) ** 2)", "1 / d is missing"),
        ("covariance", COVARIANCE + "return np.mean(C[~np.eye(d, dtype=bool)] ** 2)", "mean over the d"),
        (
            "covariance",
            COVARIANCE + "C = C * (n - 1) / n\n    return np.sum((C - np.diag(np.diag(C))) ** 2) / d",
            "divided by n, and",
        ),
        (
            "covariance",
            COVARIANCE + "C = C * (n - 1)\n    return np.sum((C - np.diag(np.diag(C))) ** 2) / d",
            "not divided by n - 1",
        ),
        (
            "covariance",
            COVARIANCE + "C = Z.T @ Z / (n - 1)\n    return np.sum((C - np.diag(np.diag(C))) ** 2) / d",
            "has not been subtracted",
        ),
        ("covariance", COVARIANCE + "return (C.sum() - np.trace(C)) / d", "without being squared"),
        ("covariance", COVARIANCE + "return np.sum(np.triu(C, 1) ** 2) / d", "each pair once"),
        (
            "covariance",
            COVARIANCE + "C = X @ X.T / (n - 1)\n    return np.sum((C - np.diag(np.diag(C))) ** 2) / d",
            "pairs of rows",
        ),
        ("covariance", COVARIANCE + "return (C ** 2).sum(0)", "shape (4,)"),
        ("covariance", COVARIANCE + "return 1.0", "Not 1"),
        ("micro", MICRO + "return part.sum(1) / lengths.sum()", "Right"),
        ("micro", MICRO + "return part.sum(1) / count", "and they are added"),
        ("micro", MICRO + "return part.sum(1) / count / (len(losses) // k)", "A mean of means"),
        ("micro", MICRO + "return losses.reshape(-1, k * 5).mean(1) / 3", "Padding is counted"),
        ("micro", MICRO + "return losses.reshape(-1, k * 5).sum(1) / lengths.sum()", "padding is in the sum"),
        ("micro", MICRO + "return part.sum(1) / losses.size", "in the divisor"),
        (
            "micro",
            MICRO + "return ((losses * real).sum(1) / lengths).reshape(-1, k).sum(1) / len(losses)",
            "mean over tokens",
        ),
        ("micro", MICRO + "return part.sum() / lengths.sum()", "shape ()"),
        ("micro", MICRO + "return part.sum(1)", "Mask the padding first"),
        (
            "logmeanexp",
            LOGMEANEXP
            + "m = w.max(-1, keepdims=True)\n    return m[..., 0] + np.log(np.exp(w - m).mean(-1))",
            "Right",
        ),
        ("logmeanexp", LOGMEANEXP + "return np.log(np.exp(w).sum(-1))", "log of the sum"),
        ("logmeanexp", LOGMEANEXP + "return np.log(np.exp(w).mean(-1))", "leave the range"),
        (
            "logmeanexp",
            LOGMEANEXP + "m = w.max()\n    return m + np.log(np.exp(w - m).mean(-1))",
            "own maximum",
        ),
        ("logmeanexp", LOGMEANEXP + "return np.log(np.exp(w).mean())", "shape ()"),
        (
            "logmeanexp",
            LOGMEANEXP + "return np.log(np.exp(w).mean(-1, keepdims=True))",
            "shape (3, 4, 1)",
        ),
        ("logmeanexp", LOGMEANEXP + "return w.mean(-1)", "Wrong on numbers near zero"),
        (
            "logmeanexp",
            LOGMEANEXP + "w = w.astype(float)\n    m = w.max(-1, keepdims=True)\n"
            "    return m[..., 0] + np.log(np.exp(w - m).mean(-1))",
            "float64 went out",
        ),
        ("disagreement", DISAGREE, "Right"),
        (
            "disagreement",
            DISAGREE.replace("rng.normal(size=Z.shape)", "rng.normal(size=Z.shape[1:]) + 0 * Z"),
            "same for all rows",
        ),
        (
            "disagreement",
            DISAGREE.replace("f(Z - h * D)", "f(Z)").replace("(2 * h)", "h"),
            "right gradient is off",
        ),
        ("disagreement", DISAGREE.replace("(2 * h)", "h"), "A right gradient disagrees"),
        ("disagreement", DISAGREE.replace("1e-5", "1e-11"), "right gradient is off"),
        ("disagreement", DISAGREE.replace("abs(", "("), "the absolute value"),
        ("disagreement", DISAGREE.replace("for _", "Z += 0.1\n    for _"), "has been changed"),
        ("disagreement", DISAGREE.replace("return worst", "return gradient"), "shape (24, 10)"),
    ],
)
def test_what_the_checks_say(exercise: str, answer: str, word: str) -> None:
    told = CHAPTER.checked(exercise, answer)
    assert word in told
    assert told.startswith("Right") == (word == "Right")
    assert "\n" not in told
