"""The dispute ``embedding_dimension``: its outline against its text, its key, and its lab."""

from __future__ import annotations

import itertools
import re
from typing import Any

import numpy as np
import pytest

from fourrounds.critique import critics, load_key, score
from fourrounds.critique.answer import SLOTS
from fourrounds.critique.key import model_answer
from fourrounds.critique.places import folded
from fourrounds.critique.report import correcting
from fourrounds.examiner.layout import find_root
from fourrounds.examiner.problem import load_problem
from support.truths import truth_of

PROBLEM = load_problem(find_root() / "source" / "round2_critique" / "embedding_dimension.ipynb")
METHOD = "\n\n".join(cell.source for cell in PROBLEM.by_role("method"))
TRUTH = truth_of("embedding_dimension")
PAPER, KEY = TRUTH.PAPER, TRUTH.KEY
seeds = pytest.mark.parametrize("seed", range(3))


def tables_of_the_text() -> dict[str, tuple[list[str], list[str]]]:
    """Rows (their first cells) and columns (all but the first) of every numbered table."""
    found = {}
    for number, after in re.findall(r"\*\*Table (\d+)\.\*\*(.*?)(?=\*\*Table|\Z)", METHOD, re.DOTALL):
        lines = [line for line in after.split("\n\n")[1].splitlines() if line.startswith("|")]
        head, _, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
        found[number] = ([row[0] for row in rows], head[1:])
    return found


def test_every_heading_and_table_can_be_cited_and_nothing_else() -> None:
    assert re.findall(r"^#{2,3} (\d+(?:\.\d+)?) ", METHOD, re.MULTILINE) == PAPER.sections
    assert re.findall(r"^## Appendix ([A-Z]):", METHOD, re.MULTILINE) == PAPER.appendices
    assert PAPER.tables == tables_of_the_text()
    for rows, columns in PAPER.tables.values():
        assert len(set(rows)) == len(rows)
        assert len(set(columns)) == len(columns)


def test_the_key_speaks_of_what_is_offered() -> None:
    for part in (*KEY.flaws, *KEY.decoys, *KEY.fair):
        for place in part.places:
            PAPER.find(place.plain())
    for slot in SLOTS:
        assert set(KEY.claim[slot]) <= {folded(option) for option in PAPER.claims[slot]}
    assert {flaw.severity.value for flaw in KEY.flaws} == {"fatal", "major", "minor"}


def test_both_sides_are_on_trial() -> None:
    ours = {"2.1", "2.2", "2.3", "2.4"}
    theirs = {"3.1", "3.2", "3.3", "3.4"}
    sections = [{place.name for place in flaw.places if place.kind == "section"} for flaw in KEY.flaws]
    assert any(ours & one for one in sections)
    assert any(theirs & one for one in sections)


def test_the_model_critique_has_it_all() -> None:
    assert score(TRUTH.my_critique(), KEY).critique == 1.0
    assert score(model_answer(KEY), KEY).critique == 1.0
    assert not TRUTH.my_critique()["first"]
    (written,) = PROBLEM.by_role("manual")
    inside = written.source.split("### BEGIN SOLUTION")[1].split("### END SOLUTION")[0]
    assert len(inside.split()) <= 300


@pytest.mark.parametrize("name", critics.GAMERS)
def test_no_gamer_comes_to_a_third(name: str) -> None:
    filed = critics.GAMERS[name](KEY, PAPER.places())
    for one in filed:
        most = max(1000, len(one.get("findings", ())))
        assert score(one, KEY, most_findings=most).critique < 1 / 3
        assert score(critics.informed(one, KEY), KEY, most_findings=most).critique < 1 / 3


def test_an_expert_who_reads_a_little_differently() -> None:
    (filed,) = critics.expert(KEY, PAPER.places())
    assert 0.4 <= score(filed, KEY).critique <= 0.85


def test_the_debrief_prints_the_key() -> None:
    for flaw in KEY.flaws:
        assert correcting(flaw) in PROBLEM.debrief
        assert "; ".join(map(str, flaw.places)) in PROBLEM.debrief
    for decoy in KEY.decoys:
        assert decoy.fine in PROBLEM.debrief


def test_the_numbers_of_the_key() -> None:
    told = {flaw.id: flaw.corrected for flaw in KEY.flaws}
    ends = np.diff(TRUTH.CRITICAL)[-4:].astype(int)
    assert "the last increments are {}, {}, {} and {}".format(*ends) in told["one_run"]
    assert "54.3 and 19.0 at 4096, 19.4 at 1024" in told["cut"]
    rows = re.findall(
        r"^\| (?:Promptriever 8B|Qwen3 Embedding|Snowflake Arctic L) \| (\d+) \| ([\d.]+)",
        METHOD,
        re.MULTILINE,
    )
    assert rows == [("4096", "54.3"), ("1024", "19.4"), ("4096", "19.0")]
    assert "5 million, 250 million, 80 billion, 26 trillion" in told["cubic"]
    reached = [
        np.polynomial.Polynomial.fit(TRUTH.DIMENSIONS, TRUTH.CRITICAL, d)(4096.0) for d in (2, 3, 4, 5)
    ]
    np.testing.assert_allclose(reached, [5e6, 250e6, 80e9, 26e12], rtol=0.1)
    assert "the means need 5 and 8 dimensions, and free vectors 4 and 7" in told["tied"]
    critical = dict(zip(TRUTH.DIMENSIONS, TRUTH.CRITICAL, strict=True))
    assert critical[4] == 10
    assert critical[6] < 20 <= critical[7]
    # All 4,950 pairs of 100 documents, 4 dimensions, float32: what the fatal flaw rests on.
    pairs = TRUTH.all_sets(100, 2)
    assert pairs.shape == (4950, 100)
    share, realised, dimensions, wrong = TRUTH.judged(TRUTH.realise(pairs, "float32"), pairs, "float32", 4)
    assert (share, realised, dimensions, wrong) == (1.0, 1.0, 4, "")


def tried(answer: Any, seed: int) -> tuple[float, list[float]]:
    """The share of the lab and that of each instance."""
    instances = TRUTH.draw_instances(np.random.default_rng(seed))
    replies = [answer(*one) for one in instances]
    shares = [
        TRUTH.judged(reply, *one, instance[-1])[0]
        for reply, one, instance in zip(replies, instances, TRUTH.INSTANCES, strict=True)
    ]
    return TRUTH.tried_out(replies, instances)[0], shares


@seeds
def test_the_model_solution_realises_every_draw(seed: int) -> None:
    assert tried(TRUTH.realise, seed) == (1.0, [1.0] * len(TRUTH.INSTANCES))


def random_means(width: Any) -> Any:
    """Random directions of so many dimensions, and the means of a set's documents."""

    def answer(relevance: np.ndarray, precision: str) -> tuple[np.ndarray, np.ndarray]:
        draw = np.random.default_rng(0)
        documents = draw.standard_normal((relevance.shape[1], width(int(relevance[0].sum()))))
        documents /= np.linalg.norm(documents, axis=1, keepdims=True)
        queries = relevance @ documents
        queries /= np.linalg.norm(queries, axis=1, keepdims=True)
        return documents.astype(precision), queries.astype(precision)

    return answer


def one_hot(relevance: np.ndarray, precision: str) -> tuple[np.ndarray, np.ndarray]:
    queries = relevance / np.sqrt(relevance.sum(axis=1, keepdims=True))
    return np.eye(relevance.shape[1], dtype=precision), queries.astype(precision)


def test_what_the_lab_is_worth_without_a_construction() -> None:
    assert tried(random_means(lambda k: 2 * k), 0)[0] < 0.1
    for width in (8, 16, 32, 64):
        assert tried(random_means(lambda k, width=width: width), 0)[0] < 0.4
    assert tried(one_hot, 0)[0] < 0.25


def test_rounding_is_applied() -> None:
    # Two documents 1e-9 apart on a circle, and a query along the tangent: in float32 they are one document.
    angles = np.array([0.7 + 1e-9, 0.7])
    documents = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    query, relevance = np.array([[-np.sin(0.7), np.cos(0.7)]]), np.array([[True, False]])
    assert TRUTH.gaps_after_rounding(documents, query, relevance, "float64")[0] == pytest.approx(
        1e-9, rel=1e-3
    )
    assert TRUTH.gaps_after_rounding(documents, query, relevance, "float32")[0] == 0.0
    assert TRUTH.judged((documents, query), relevance, "float64", 2)[1] == 1.0
    assert TRUTH.judged((documents, query), relevance, "float32", 2)[1] == 0.0
    # On the circle of 1,500 documents neighbours are realised before rounding and not after it.
    relevance = np.zeros((200, 1500), dtype=bool)
    for first, row in enumerate(relevance):
        row[first : first + 2] = True
    exact = TRUTH.realise(relevance, "float64")
    assert exact[0].shape[1] == 4
    assert TRUTH.judged(exact, relevance, "float64", 4)[1] == 1.0
    after = TRUTH.judged(exact, relevance, "float32", 4)[1]
    assert after < 0.3
    single = tuple(v.astype(np.float32) for v in exact)
    assert TRUTH.judged(single, relevance, "float32", 4)[1] == after


def test_the_gap_is_that_of_the_rounded_vectors() -> None:
    draw = np.random.default_rng(1)
    documents, queries = draw.standard_normal((9, 4)), draw.standard_normal((30, 4))
    documents /= np.linalg.norm(documents, axis=1, keepdims=True)
    queries /= np.linalg.norm(queries, axis=1, keepdims=True)
    relevance = TRUTH.near_and_far(draw, 9, 2, 30)
    gaps = TRUTH.gaps_after_rounding(documents, queries, relevance, "float32")
    for query, row, gap in zip(queries, relevance, gaps, strict=True):
        cosine = []
        for x in documents:
            a, b = (v.astype(np.float32).astype(np.longdouble) for v in (query, x))
            cosine.append((a * b).sum() / np.sqrt((a * a).sum() * (b * b).sum()))
        due = min(c for c, yes in zip(cosine, row, strict=True) if yes)
        due -= max(c for c, yes in zip(cosine, row, strict=True) if not yes)
        assert gap == pytest.approx(float(due), abs=1e-14)


@seeds
def test_what_is_impossible_is_not_counted(seed: int) -> None:
    """On a circle in two dimensions a query separates documents in a row only: n of all pairs and no more."""
    draw = np.random.default_rng(seed)
    n = 6
    pairs = TRUTH.all_sets(n, 2)
    around = np.linspace(0.0, 2 * np.pi, 3000, endpoint=False)
    angles = draw.uniform(0.0, 2 * np.pi, n)
    documents, queries = (np.stack([np.cos(a), np.sin(a)], axis=1) for a in (angles, around))
    found = 0
    for pair in pairs:
        relevance = np.broadcast_to(pair, (len(around), n)).copy()
        found += TRUTH.judged((documents, queries), relevance, "float64", 2)[1] > 0
    assert 0 < found <= n < len(pairs)


def test_ties_and_lengths_do_not_count() -> None:
    relevance = np.array([[True, False, False], [False, True, False]])
    # Two documents at one point, of which one is relevant.
    documents = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    assert TRUTH.judged((documents, documents[:2]), relevance, "float64", 2)[1] == 0.0
    # The same with a length that is off by less than is let pass: it makes no score.
    longer = documents * np.array([[1.000009], [1.0], [1.0]])
    assert TRUTH.judged((longer, documents[:2]), relevance, "float64", 2) == (0.0, 0.0, 2, "")
    # A gap of four epsilons is not above four epsilons.
    assert np.float64(1.0) - (1.0 - 4 * np.finfo(float).eps) == 4 * np.finfo(float).eps


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda x, q: (2 * x, q), "not every document has length 1"),
        (lambda x, q: (np.full_like(x, np.nan), q), "not every document has length 1"),
        (lambda x, q: (x.astype(int), q), "must be floats"),
        (lambda x, q: (x[:-1], q), r"must be floats of shape \(5, D\)"),
        (lambda x, q: (x, q[:, :-1]), "dimensions"),
        (lambda x, q: x, "must return"),
        (lambda x, q: (x[:, :0], q[:, :0]), "must be floats of shape"),
    ],
)
def test_what_is_out_of_form_earns_nothing_and_is_told(spoil: Any, told: str) -> None:
    relevance = TRUTH.all_sets(5, 2)
    reply = TRUTH.realise(relevance, "float64")
    assert TRUTH.judged(reply, relevance, "float64", 4)[0] == 1.0
    share, _, _, wrong = TRUTH.judged(spoil(*reply), relevance, "float64", 4)
    assert share == 0.0
    assert re.search(told, wrong)


def test_a_query_out_of_form_loses_its_own_row() -> None:
    relevance = TRUTH.all_sets(5, 2)
    documents, queries = TRUTH.realise(relevance, "float64")
    queries = queries.copy()
    queries[0], queries[1] = np.inf, 3 * queries[1]
    assert TRUTH.judged((documents, queries), relevance, "float64", 4)[1] == pytest.approx(0.8)


def test_twice_the_dimensions_cost_three_tenths() -> None:
    relevance = TRUTH.all_sets(5, 2)
    padded = [np.pad(v, ((0, 0), (0, 4))) for v in TRUTH.realise(relevance, "float64")]
    assert TRUTH.judged(padded, relevance, "float64", 4) == (pytest.approx(0.5**0.5), 1.0, 8, "")


def test_what_paper_a_has_in_so_many_dimensions() -> None:
    assert TRUTH.most_of_paper_a(3) == (None, "")
    assert TRUTH.most_of_paper_a(4) == (10, "Table 9")
    assert TRUTH.most_of_paper_a(45) == (626, "Table 9")
    most, source = TRUTH.most_of_paper_a(512)
    assert source == "equation (3)"
    assert most == pytest.approx(500e3, rel=0.03)
    for k, low, _, _, _, fair in TRUTH.INSTANCES:
        if k == 2:
            assert low > TRUTH.most_of_paper_a(fair)[0]


def test_the_contract_states_the_instances() -> None:
    (contract,) = PROBLEM.by_role("contract")
    rows = re.findall(
        r"^\| (all pairs|pairs|triples) \| ([\d,]+) to ([\d,]+) \| (all|600) \| (float\d\d) \| (\d+) \|$",
        contract.source,
        re.MULTILINE,
    )
    stated = [
        (
            3 if what == "triples" else 2,
            int(low.replace(",", "")),
            int(high.replace(",", "")),
            every == "all",
            dtype,
            int(fair),
        )
        for what, low, high, every, dtype, fair in rows
    ]
    assert stated == list(TRUTH.INSTANCES)
    assert r"4 \varepsilon$ is $8.9 \times 10^{-16}$" in contract.source
    assert f"{4 * np.finfo(np.float64).eps:.1e}" == "8.9e-16"
    assert f"{4 * np.finfo(np.float32).eps:.1e}" == "4.8e-07"


def test_the_rows_that_are_drawn() -> None:
    relevance = TRUTH.near_and_far(np.random.default_rng(0), 500, 3)
    assert (relevance.sum(axis=1) == 3).all()
    spread = np.array([np.ptp(np.flatnonzero(row)) for row in relevance])
    assert (spread[0::3] == 2).all()
    assert (spread[1::3] < 25).all()
    assert spread[2::3].mean() > 100
    assert all(len(set(itertools.chain(*np.nonzero(relevance[n::3])))) > 150 for n in range(3))


def test_the_key_loads_as_it_stands() -> None:
    (cell,) = (cell for cell in PROBLEM.by_role("truth") if cell.grade_id == "key")
    names: dict[str, Any] = {}
    exec(cell.source, names)
    assert names["KEY"] == KEY
    assert load_key is names["load_key"]


def lifted_curve(relevance: np.ndarray, precision: str) -> tuple[np.ndarray, np.ndarray]:
    """The moment curve with nodes in [-1, 1], lifted by equation (6), rounded."""
    k, nodes = int(relevance[0].sum()), np.linspace(-1.0, 1.0, relevance.shape[1])
    documents, queries = TRUTH.on_the_sphere(*TRUTH.moment_curve(nodes, relevance, k), relevance)
    return documents.astype(precision), queries.astype(precision)


def one_circle(relevance: np.ndarray, precision: str) -> tuple[np.ndarray, np.ndarray]:
    """The solution's first circle, which it keeps in float64, rounded afterwards."""
    documents, queries = TRUTH.realise(relevance, "float64")
    return documents.astype(precision), queries.astype(precision)


def test_what_the_debrief_says_of_the_shares() -> None:
    debrief = " ".join(PROBLEM.debrief.split())
    assert "About 5 in a hundred for random documents in the fair dimensions, 20 for a dimension" in debrief
    assert "37 for random documents in 24 to 32 dimensions" in debrief
    assert "64 for the moment curve" in debrief
    assert "79 for one circle" in debrief
    shares = [
        tried(answer, 0)[0] for answer in (one_hot, random_means(lambda k: 24), lifted_curve, one_circle)
    ]
    np.testing.assert_allclose(shares, [0.20, 0.37, 0.64, 0.79], atol=0.025)
    pairs = TRUTH.all_sets(100, 2)
    gaps = TRUTH.gaps_after_rounding(*TRUTH.realise(pairs, "float32"), pairs, "float32")
    assert r"$1.3 \times 10^{-6}$ at 100 documents" in debrief
    assert gaps.min() == pytest.approx(1.3e-6, rel=0.03)
