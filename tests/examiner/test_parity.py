"""Honest answers get the same scores from nbgrader as it comes and as we configure it, cost aside.

(What a call costs is measured from outside in ours, and by tracemalloc in a kernel.)
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest
from classroom import REPO, Classroom, answered, worked

from fourrounds.examiner.problem import Problem, load_problem

PATHS = {
    "ledger": REPO / "tests" / "problems" / "round0_throwaway" / "ledger.ipynb",
    "attention": REPO / "source" / "round1_implement" / "attention.ipynb",
}
FAULTS = {
    "ledger": ("shared_amounts", "normal_amounts", "nan_accepted", "sorted_in_place"),
    "attention": ("no_scale", "softmax_over_queries", "epsilon_in_the_denominator", "mask_inverted"),
}
VARIANTS = {"ledger": ("closures", "cumulative_sums"), "attention": ("loops", "einsum")}


@dataclass(frozen=True)
class Helped:
    """A right answer that uses code cells of the learner's own, before and after the answer cells."""

    sources: dict[str, str]
    before: dict[str, str] = field(default_factory=dict)
    after: dict[str, str] = field(default_factory=dict)


HELPED = {
    "ledger": Helped(
        sources={
            "ledger-answer": "def make_ledger():\n    return Book()\n\n\n"
            "def deposit(ledger, amount):\n    ledger.add(checked(amount))\n\n\n"
            "def balance(ledger):\n    return ledger.total",
            "spread-answer": "def sample(rng, n):\n    return np.exp(rng.standard_normal(n))\n\n\n"
            "def spread(amounts):\n    return mean_gap(amounts)",
        },
        before={
            "ledger-answer": "class Book:\n    def __init__(self):\n        self.total = 0.0\n\n"
            "    def add(self, amount):\n        self.total += amount",
        },
        after={
            "ledger-answer": "def checked(amount):\n    if amount > 0:\n        return amount\n"
            "    raise ValueError(amount)",
            "spread-answer": "def mean_gap(a):\n    n = len(a)\n    if n < 2:\n        raise ValueError(n)\n"
            "    gaps = np.diff(np.sort(a)) * np.arange(1, n) * np.arange(n - 1, 0, -1)\n"
            "    return 2 * gaps.sum() / (n * (n - 1))",
        },
    ),
    "attention": Helped(
        sources={
            "attention-answer": "def attention(q, k, v, mask=None):\n"
            "    scores = q @ np.swapaxes(k, -1, -2) / math.sqrt(q.shape[-1])\n"
            "    return softmax_where(scores, mask) @ v",
            "multi-head-answer": "def multi_head_attention(x, w_qkv, w_out, heads, mask=None):\n"
            "    q, k, v = (split(part, heads) for part in np.split(x @ w_qkv.T, 3, axis=-1))\n"
            "    if mask is not None:\n"
            "        mask = np.broadcast_to(mask, (x.shape[0], x.shape[1], x.shape[1]))[:, None]\n"
            "    return join(attention(q, k, v, mask)) @ w_out.T",
        },
        before={
            "attention-answer": "def softmax_where(scores, mask):\n"
            "    kept = np.broadcast_to(True if mask is None else mask, scores.shape)\n"
            "    top = np.where(kept, scores, -np.inf).max(axis=-1, keepdims=True)\n"
            "    top = np.where(np.isfinite(top), top, 0)\n"
            "    e = np.exp(np.where(kept, scores - top, -np.inf))\n"
            "    total = e.sum(axis=-1, keepdims=True)\n"
            "    return e / np.where(total == 0, 1, total)",
            "multi-head-answer": "def split(a, heads):\n"
            "    return a.reshape(*a.shape[:-1], heads, -1).swapaxes(1, 2)",
        },
        after={
            "multi-head-answer": "def join(a):\n    a = a.swapaxes(1, 2)\n"
            "    return a.reshape(*a.shape[:2], -1)",
        },
    ),
}


@dataclass(frozen=True)
class Both:
    """One class, graded twice."""

    problem: Problem
    ours: Classroom
    stock: Classroom


@pytest.fixture(scope="module", params=PATHS)
def both(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Both:
    slug = request.param
    problem = load_problem(PATHS[slug])
    ours = Classroom.ours(tmp_path_factory.mktemp(f"ours-{slug}"), problem)
    stock = Classroom.stock(tmp_path_factory.mktemp(f"stock-{slug}"), problem)
    released = stock.release()
    texts = {part.name: part.source for part in (*problem.variants, *problem.faults)}
    answers = {name: worked(problem, texts[name]) for name in (*VARIANTS[slug], *FAULTS[slug])}
    helped = HELPED[slug]
    notebooks = {
        "solution": answered(released, worked(problem)),
        "helped": answered(released, helped.sources, helped.before, helped.after),
        **{name: answered(released, sources) for name, sources in answers.items()},
    }
    for student, notebook in notebooks.items():
        for course in (ours, stock):
            course.hand_in(student, notebook)
    stock.autograde(with_config=False)
    ours.autograde(with_config=True)
    return Both(problem, ours, stock)


def scored(course: Classroom, student: str) -> dict[str, float | None]:
    """The autograded scores by group, cost aside."""
    groups = {cell.grade_id: cell.group for cell in course.problem.by_role("hidden")}
    scores = course.scores(student)
    return {group: scores[grade_id].auto for grade_id, group in groups.items() if group != "cost"}


@pytest.mark.slow
def test_stock_nbgrader_gives_the_same_scores(both: Both) -> None:
    students = sorted(path.name for path in (both.ours.root / "submitted").iterdir())
    ours = {student: scored(both.ours, student) for student in students}
    stock = {student: scored(both.stock, student) for student in students}
    assert ours == stock


@pytest.mark.slow
def test_those_scores_are_what_each_answer_deserves(both: Both) -> None:
    full = {cell.group: cell.points for cell in both.problem.by_role("hidden") if cell.group != "cost"}
    for student in ("solution", "helped", *VARIANTS[both.problem.slug]):
        assert scored(both.ours, student) == full, student
    groups = {fault.name: fault.group for fault in both.problem.faults}
    for student in FAULTS[both.problem.slug]:
        assert scored(both.ours, student)[groups[student]] == 0.0, student


def test_the_table_above_fits_the_problem() -> None:
    for slug, path in PATHS.items():
        problem = load_problem(path)
        assert set(FAULTS[slug]) <= {fault.name for fault in problem.faults}
        assert set(VARIANTS[slug]) <= {variant.name for variant in problem.variants}
        assert set(HELPED[slug].sources) == {cell.grade_id for cell in problem.by_role("answer")}
        assert Path(path).parent.name == problem.assignment
