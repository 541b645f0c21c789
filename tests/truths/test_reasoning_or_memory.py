"""The truth of ``reasoning_or_memory`` against scikit-learn, SciPy and definitions by enumeration, and the
numbers that its text prints, recomputed.

The published percentages are read out of the notebook's own tables: each must be a whole number of items, and
what the text derives from them must follow.
"""

from __future__ import annotations

import math
import re
from itertools import combinations

import numpy as np
import pytest
import torch
from scipy import stats
from sklearn.feature_extraction.text import CountVectorizer

from fourrounds.examiner.layout import find_root
from fourrounds.examiner.problem import load_problem
from support.truths import truth_of

SLUG = "reasoning_or_memory"
TRUTH = truth_of(SLUG)
PROBLEM = load_problem(find_root() / "source" / "round2_critique" / f"{SLUG}.ipynb")
TEXT = "\n".join(cell.source for cell in PROBLEM.by_role("method"))
SIZES = {
    "MATH-500": 500,
    "AMC": 83,
    "AIME 2024": 30,
    "AIME 2025": 30,
    "MinervaMath": 272,
    "LiveMathBench": 100,
}


def words(rng: np.random.Generator, size: int, most: int = 6) -> np.ndarray:
    return rng.integers(0, most, size).astype(np.int64)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("n", [1, 2, 4])
def test_overlap_against_scikit_learn(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    corpus = [words(rng, size) for size in (12, 25, 9, n)]
    items = [words(rng, size) for size in (4, 11, 30)]

    def text(tokens: np.ndarray) -> str:
        return " ".join(f"w{token}" for token in tokens)

    count = CountVectorizer(ngram_range=(n, n), token_pattern=r"\S+")
    seen = np.asarray(count.fit_transform(map(text, corpus + items)).todense())
    known = seen[: len(corpus)].sum(axis=0) > 0
    own = seen[len(corpus) :]
    due = (own * known).sum(axis=1) / own.sum(axis=1)
    np.testing.assert_allclose(TRUTH.torch_overlap(corpus, items, n), due, rtol=1e-12)
    assert np.isnan(TRUTH.torch_overlap(corpus, [words(rng, n - 1)], n)).all()


def common(one: list[int], other: list[int]) -> int:
    """The longest common subsequence by its definition: of all subsequences of both."""
    for length in range(min(len(one), len(other)), 0, -1):
        if set(combinations(one, length)) & set(combinations(other, length)):
            return length
    return 0


@pytest.mark.parametrize("seed", range(6))
def test_completion_against_all_subsequences(seed: int) -> None:
    rng = np.random.default_rng(seed)
    items = [words(rng, size, 4) for size in rng.integers(5, 16, 6)]
    outputs = [words(rng, size, 4) for size in (0, 3, 6, 9, 12, 15)]
    outputs[1] = items[1][len(items[1]) * 2 // 5 :]
    rouge, exact = TRUTH.torch_completion(items, outputs, 40)
    for item, output, score, same in zip(items, outputs, rouge, exact, strict=True):
        held = item.tolist()[math.floor(40 * len(item) / 100) :]
        y = output.tolist()[: len(held)]
        shared = common(y, held)
        precision, recall = shared / max(1, len(y)), shared / len(held)
        due = 2 * precision * recall / (precision + recall) if shared else 0.0
        assert score == pytest.approx(due, rel=1e-12)
        assert same == (y == held)


@pytest.mark.parametrize("b", [0, 1, 7, 40, 900, 1500])
@pytest.mark.parametrize("c", [0, 1, 7, 55, 950, 1520])
def test_mcnemar_against_scipy(b: int, c: int) -> None:
    first, second = TRUTH.draw_pairs(np.random.default_rng(b + c), 4000, b, c)
    gain, p, mid = (part.item() for part in TRUTH.torch_mcnemar(first[None], second[None]))
    assert gain == pytest.approx(second.mean() - first.mean(), abs=1e-15)
    if b + c == 0:
        assert (p, mid) == (1.0, 1.0)
        return
    assert p == pytest.approx(stats.binomtest(b, b + c, 0.5).pvalue, rel=1e-9)
    law = stats.binom(b + c, 0.5)
    assert mid == pytest.approx(2 * law.cdf(min(b, c) - 1) + law.pmf(min(b, c)), rel=1e-9)


def test_gap_of_a_balanced_design_against_welch() -> None:
    """With as many samples everywhere the gap is a difference of means of problems' gains, and its clustered
    error Welch's without his corrections for small samples."""
    rng = np.random.default_rng(0)
    olds, fresh, each = 7, 11, 5
    problem = np.repeat(np.arange(olds + fresh), 2 * each)
    after = np.tile(np.arange(2 * each) >= each, olds + fresh)
    score = rng.random(len(problem))
    gap, se = TRUTH.torch_gap(score, problem, after, problem < olds)
    shaped = score.reshape(olds + fresh, 2, each).mean(axis=2)
    gains = shaped[:, 1] - shaped[:, 0]
    error = math.hypot(*(stats.sem(part, ddof=0) for part in (gains[:olds], gains[olds:])))
    assert gap == pytest.approx(gains[:olds].mean() - gains[olds:].mean(), rel=1e-12)
    assert se == pytest.approx(error, rel=1e-12)


@pytest.mark.parametrize("seed", range(4))
def test_gap_against_the_infinitesimal_jackknife(seed: int) -> None:
    """The error is what the gap owes to the weight of each problem: a derivative, taken by autograd."""
    score, problem, after, old = TRUTH.draw_samples(np.random.default_rng(seed), 8, 13)
    names, cluster = np.unique(problem, return_inverse=True)
    weight = torch.ones(len(names), dtype=torch.float64, requires_grad=True)
    each, y = weight[torch.from_numpy(cluster)], torch.from_numpy(score)

    def mean(cell: np.ndarray) -> torch.Tensor:
        inside = torch.from_numpy(cell)
        return (each * y)[inside].sum() / each[inside].sum()

    gain = {side: mean(after & (old == side)) - mean(~after & (old == side)) for side in (True, False)}
    gap = gain[True] - gain[False]
    (slope,) = torch.autograd.grad(gap, weight)
    due = gap.item(), slope.square().sum().sqrt().item()
    assert TRUTH.torch_gap(score, problem, after, old) == pytest.approx(due, rel=1e-10)


def table(number: int) -> list[dict[str, str]]:
    """The rows of a table of the dispute, by its columns' names."""
    lines = TEXT.split(f"**Table {number}.**", 1)[1].split("\n\n", 2)[1].splitlines()
    head, _, *rows = ([cell.strip() for cell in line.strip("|").split("|")] for line in lines)
    return [dict(zip(head, row, strict=True)) for row in rows]


def test_published_shares_are_whole_numbers_of_items() -> None:
    seen = 0
    for number, columns in ((5, ("EM 80", "EM 60", "EM 40")), (6, ("100", "80", "60", "40"))):
        for row in table(number):
            size = SIZES[row["benchmark"]]
            assert row.get("items", str(size)) == str(size)
            for column in columns:
                count = round(float(row[column]) * size / 100)
                assert f"{100 * count / size:.2f}" == row[column], (row, column)
                seen += 1
    assert seen == 3 * 11 + 4 * 7
    at_60 = {(row["model"], row["benchmark"]): row["EM 60"] for row in table(5)}
    assert "273 of the 500" in TEXT
    assert round(float(at_60["Qwen2.5-Math-7B", "MATH-500"]) * 5) == 273
    assert re.search(r"Llama3\.1-8B 19 of\s500", TEXT)
    assert round(float(at_60["Llama3.1-8B", "MATH-500"]) * 5) == 19
    assert {
        at_60[m, b] for m in ("Qwen2.5-Math-7B", "Llama3.1-8B") for b in ("AIME 2025", "LiveMathBench")
    } == {"0.00"}


def mixed(row: dict[str, str]) -> float:
    """The accuracy that a row of table 2 mixes to."""
    code, with_code, without = (
        float(row[key]) for key in ("answers with code", "accuracy with code", "accuracy without code")
    )
    return (code * with_code + (100 - code) * without) / 100


def test_forced_code_and_the_mixture_of_table_2() -> None:
    before = {row["model"]: float(row["as it is"]) for row in table(3)}
    for row in table(3):
        change = float(row["made to begin with Python"]) - float(row["as it is"])
        assert f"{change:.1f}" == row["difference"]
    off = {row["model"]: mixed(row) - before[row["model"]] for row in table(2)}
    odd = off.pop("Qwen2.5-Math-7B")
    assert all(abs(error) < 0.06 for error in off.values())  # rounding to a tenth
    assert round(odd, 1) == 2.4
    row = table(2)[0] | {"accuracy without code": "28.0"}
    assert mixed(row) == pytest.approx(before[row["model"]], abs=0.06)
    assert "28.0% without" in TEXT
    assert "make 51.8" in PROBLEM.debrief
    assert round(mixed(table(2)[0]), 1) == 51.8


def test_what_the_text_and_the_debrief_derive() -> None:
    gains = {row["reward"]: float(row["gain"]) for row in table(1)}
    prompts = {row["prompt"]: float(row["accuracy"]) for row in table(4)}
    assert prompts["default"] == 49.4
    assert round(prompts["default"] + gains["random"], 1) == 70.8
    assert round(prompts["spurious"] - prompts["default"], 1) == 19.4
    assert round(0.85 * 1.2, 2) == 1.02
    # The limits of floats that the method names.
    assert 0.5**1074 > 0 == 0.5**1075
    assert math.isfinite(float(math.comb(1029, 514)))
    with pytest.raises(OverflowError):
        float(math.comb(1030, 515))
    # Zero of 30 and of 100; few discordant items; paired and unpaired errors.
    for size, limit in ((30, 11.6), (100, 3.6)):
        assert round(100 * stats.binomtest(0, size).proportion_ci(method="exact").high, 1) == limit
        assert f"{limit}" in PROBLEM.debrief
    assert stats.binomtest(0, 5, 0.5).pvalue == 0.0625
    assert round(2 * 0.5**5 - 0.5**5, 3) == 0.031
    assert round(100 * math.sqrt(2 * 0.7 * 0.3 / 500), 1) == 2.9
    assert round(100 * math.sqrt(60) / 500, 1) == 1.5
    assert round(math.erfc(2 / math.sqrt(2)), 3) == 0.046
