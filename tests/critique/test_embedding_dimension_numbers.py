"""What the notebook ``embedding_dimension`` prints and what can be recomputed: tables, equations, debrief."""

from __future__ import annotations

import itertools
import math
import re

import numpy as np
import pytest

from fourrounds.examiner.layout import find_root
from fourrounds.examiner.problem import load_problem
from support.truths import truth_of

PROBLEM = load_problem(find_root() / "source" / "round2_critique" / "embedding_dimension.ipynb")
METHOD = "\n".join(cell.source for cell in PROBLEM.by_role("method"))
DEBRIEF = " ".join(PROBLEM.debrief.split())
TRUTH = truth_of("embedding_dimension")
D, N = TRUTH.DIMENSIONS, TRUTH.CRITICAL


def rows_of(number: int) -> list[list[str]]:
    """The rows of a numbered table of the text, the header first."""
    after = METHOD.split(f"**Table {number}.**", 1)[1].split("\n\n", 2)[1]
    lines = [line.strip().strip("|").split("|") for line in after.splitlines()]
    return [[cell.strip() for cell in line] for n, line in enumerate(lines) if n != 1]


def every_pair(n: int) -> np.ndarray:
    return np.array([[i in pair for i in range(n)] for pair in itertools.combinations(range(n), 2)])


def share_of_neighbours(nodes: np.ndarray) -> float:
    """The share of 60 neighbouring pairs along the curve that 4 dimensions realise."""
    relevant = np.zeros((60, len(nodes)), dtype=bool)
    for row, first in zip(relevant, np.linspace(0, len(nodes) - 2, 60).astype(int), strict=True):
        row[first : first + 2] = True
    return float(TRUTH.margins(*TRUTH.moment_curve(nodes, relevant, 2), relevant)[1].mean())


def test_table_1_is_equation_2() -> None:
    header, *rows = rows_of(1)
    for n, *cells in rows:
        for head, cell in zip(header[1:], cells, strict=True):
            count = math.comb(int(n.replace(",", "")), int(head.removeprefix("k = ")))
            assert cell == (str(math.ceil(math.log(count) / math.log(11))) if count > 1 else "trivial")


def test_table_9_is_the_data() -> None:
    cells = []
    for span, values in rows_of(9)[1:]:
        first, last = (int(end) for end in span.split(" to "))
        numbers = [int(value) for value in values.split(", ")]
        assert len(numbers) == last - first + 1
        cells += list(enumerate(numbers, first))
    assert cells == [(int(d), int(n)) for d, n in zip(D, N, strict=True)]


def test_equation_3_is_the_cubic_through_table_9() -> None:
    printed = [float(number.replace(" ", "")) for number in re.findall(r"[-+]? ?\d+\.\d{4}", METHOD)][:4]
    assert printed == [-10.5322, 4.0309, 0.0520, 0.0037]
    fit = np.polynomial.polynomial.polyfit(D, N, 3)
    np.testing.assert_allclose(fit, printed, rtol=0, atol=5.1e-5)
    assert round(TRUTH.extrapolate(D, N, 3, len(N))[0], 3) == 0.999
    short = {"k": 1e3, "m": 1e6}
    for d, n in rows_of(2)[1:]:
        value = np.polynomial.polynomial.polyval(float(d), printed)
        assert value == pytest.approx(float(n[:-1]) * short[n[-1]], rel=0.03)


def test_the_ceiling_of_the_margin() -> None:
    assert round(46 / math.sqrt(2 * 45 * 44), 3) == 0.731
    assert "$0.731$ for $(n, k) = (46, 2)$" in METHOD
    assert math.comb(45, 2) < 1000 < math.comb(46, 2) == 1035


def test_what_the_debrief_says_of_the_fits() -> None:
    r2 = [TRUTH.extrapolate(D, N, degree, len(N))[0] for degree in (2, 3, 4, 5)]
    assert "an $r^2$ of " + ", ".join(f"{one:.3f}" for one in r2[:3]) + f" and {r2[3]:.3f}" in DEBRIEF
    reached = [np.polynomial.Polynomial.fit(D, N, degree)(4096.0) for degree in (2, 3, 4, 5)]
    assert [f"{one:.1e}" for one in reached] == ["5.4e+06", "2.5e+08", "8.0e+10", "2.6e+13"]
    assert "5.4 million, 253 million, 80 billion and 26 trillion" in DEBRIEF
    kept = D <= 36
    early = np.polynomial.Polynomial.fit(D[kept], N[kept], 3)
    assert early.convert().coef[-1] < 0
    assert round(early(4096.0) / 1e6, 1) == -3.9
    assert "minus 3.9 million" in DEBRIEF
    assert round(100 * TRUTH.extrapolate(D, N, 3, int(kept.sum()))[1][-1]) == -8
    assert "the cubic is 8% too low at $d = 45$" in DEBRIEF
    assert round(4096 / D[-1]) == 91


@pytest.mark.parametrize(
    ("n", "printed", "said"), [(46, 2.4e-7, r"2.4 \times 10^{-7}"), (200, 5.6e-10, r"5.6 \times 10^{-10}")]
)
def test_margins_on_the_sphere(n: int, printed: float, said: str) -> None:
    pairs = every_pair(n)
    documents, queries = TRUTH.moment_curve(np.linspace(-1.0, 1.0, n), pairs, 2)
    assert TRUTH.margins(documents, queries, pairs)[1].all()
    margin, realised = TRUTH.margins(*TRUTH.on_the_sphere(documents, queries, pairs), pairs)
    assert realised.all()
    assert margin.min() == pytest.approx(printed, rel=0.03)
    assert said in DEBRIEF


def test_the_trigonometric_curve_has_unit_length_and_larger_margins() -> None:
    n, pairs = 46, every_pair(46)
    angles = 2 * np.pi * np.arange(n) / n
    documents = np.stack([np.cos(angles), np.sin(angles), np.cos(2 * angles), np.sin(2 * angles)], axis=1)
    np.testing.assert_allclose(np.linalg.norm(documents, axis=1), math.sqrt(2))
    # Least squares finds the coefficients of the product: it lies in the span of 1 and the four functions.
    at = np.linspace(0.0, 6.0, 9)
    basis = np.stack([np.ones(9), np.cos(at), np.sin(at), np.cos(2 * at), np.sin(2 * at)], axis=1)
    products = np.array([np.prod(1 - np.cos(at[:, np.newaxis] - angles[row]), axis=1) for row in pairs])
    coefficients = np.linalg.lstsq(basis, products.T, rcond=None)[0]
    np.testing.assert_allclose(basis @ coefficients, products.T, atol=1e-12)
    margin, realised = TRUTH.margins(documents, -coefficients[1:].T, pairs, True)
    assert realised.all()
    assert margin.min() == pytest.approx(3.0e-5, rel=0.03)
    assert r"$3.0 \times 10^{-5}$, more than a hundred times" in DEBRIEF
    assert margin.min() > 100 * 2.4e-7


def test_the_trigonometric_curve_in_the_setting_of_the_free_search() -> None:
    """Unit length, float32, 4 dimensions: 100 documents, where the free search stopped at 10."""
    n, pairs = 100, every_pair(100)
    angles = 2 * np.pi * np.arange(n) / n
    documents = np.stack([np.cos(angles), np.sin(angles), np.cos(2 * angles), np.sin(2 * angles)], axis=1)
    a, b = (angles[np.array(list(itertools.combinations(range(n), 2)))[:, i]] for i in (0, 1))
    queries = np.stack(
        [np.cos(a) + np.cos(b), np.sin(a) + np.sin(b), -np.cos(a + b) / 2, -np.sin(a + b) / 2], axis=1
    )
    unit = [(v / np.linalg.norm(v, axis=1, keepdims=True)).astype(np.float32) for v in (documents, queries)]
    assert TRUTH.margins(*unit, pairs)[1].all()
    assert len(pairs) == 4950
    assert N[D == 4] == 10
    assert "all 4,950 pairs of 100 documents" in DEBRIEF


def test_where_precision_ends() -> None:
    for n, low, high in ((50, 1.0, 1.0), (100, 0.95, 1.0), (200, 0.0, 0.9), (500, 0.0, 0.5)):
        assert low <= share_of_neighbours(np.linspace(-1.0, 1.0, n).astype(np.float32)) <= high
    assert share_of_neighbours(np.arange(5000.0)) == 1.0
    for nodes in (np.arange(50000.0), np.linspace(-1.0, 1.0, 50000)):
        assert share_of_neighbours(nodes) < 0.6
    chebyshev = np.sort(np.cos(np.pi * (np.arange(1000) + 0.5) / 1000))
    assert share_of_neighbours(chebyshev) < share_of_neighbours(np.linspace(-1.0, 1.0, 1000)) == 1.0
    centred = np.linspace(-1.0, 1.0, 200).astype(np.float32)
    assert share_of_neighbours(np.arange(200, dtype=np.float32)) < share_of_neighbours(centred)


def test_tables_agree_with_one_another() -> None:
    best = rows_of(3)[1]
    assert best[0] == "Promptriever 8B"
    assert rows_of(7)[-1] == [f"{best[0]}, d = {best[1]}", best[2], best[4]]
    assert dict(zip(D, N, strict=True))[12] >= 46  # 12 free dimensions suffice for LIMIT-small
    means = {int(row[0]): int(row[2]) for row in rows_of(6)[1:]}
    critical = dict(zip(D.astype(int), N.astype(int), strict=True))
    assert (critical[means[10]], critical[means[20]], critical[means[640]]) == (14, 28, 170)
