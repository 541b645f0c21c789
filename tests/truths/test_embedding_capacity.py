"""The truths of ``embedding_capacity`` against enumeration, scipy, closed forms; its debrief's numbers."""

from __future__ import annotations

from itertools import combinations
from math import comb

import numpy as np
import pytest
from scipy import integrate, stats

from fourrounds.design import run, vary
from fourrounds.proposal.parts import Plan
from fourrounds.proposal.received import received
from support.truths import truth_of

TRUTH = truth_of("embedding_capacity")


def ceiling(m: int, k: int) -> float:
    return m / float(np.sqrt(k * (m - 1) * (m - k)))


def curve(m: int, pairs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Eq. 2 of the text, evenly between -1 and 1."""
    t = np.linspace(-1, 1, m)
    s, p = t[pairs].sum(1), t[pairs].prod(1)
    return t[:, None] ** np.arange(1, 5), np.stack(
        [2 * s * p, -(s**2 + 2 * p), 2 * s, -np.ones_like(s)], axis=1
    )


def all_pairs(m: int) -> np.ndarray:
    return np.array(list(combinations(range(m), 2)))


def to_bits(x: np.ndarray, bits: int) -> np.ndarray:
    """A whole number of spacings; 53 and 24 bits are NumPy's own types."""
    if bits >= 24:
        return x.astype(np.float64 if bits == 53 else np.float32).astype(float)
    spacing = 2.0 ** (np.frexp(x)[1] - bits)
    return np.round(x / spacing) * spacing


@pytest.mark.parametrize(("bits", "dtype"), [(24, np.float32), (11, np.float16)])
def test_rounding_is_that_of_the_machine(bits: int, dtype: type) -> None:
    """The truth's splitting and the solution's rounding against NumPy's casts."""
    rng = np.random.default_rng(bits)
    x = rng.uniform(0.1, 100, (1, 400, 1)) * rng.choice([-1, 1], (1, 400, 1))
    x[0, :50] = x[0, :50].astype(dtype)
    cast = x.astype(dtype).astype(float)
    assert (TRUTH.true_rounded(TRUTH.double(x), bits).numpy() == cast).all()
    # With the cast vectors as they are and with the others rounded, the same sets are retrieved.
    wanted = rng.integers(400, size=(1, 60, 1))
    queries = rng.choice([-1.0, 1.0], (1, 60, 1))
    one = TRUTH.retrieve(x, queries, wanted, np.array([bits]))[0]
    assert one == TRUTH.retrieve(cast, queries, wanted, np.array([53]))[0]


def test_halves_go_to_the_even_neighbour() -> None:
    """1.125 lies between 1.0 (M = 4) and 1.25 (M = 5), 1.375 between 1.25 and 1.5 (M = 6)."""
    x = np.array([[[1.125], [1.0], [1.375], [1.5]]])
    share, _ = TRUTH.retrieve(x, np.array([[[1.0]]]), np.array([[[3]]]), np.array([4, 3]))
    assert share.tolist() == [[1.0, 0.0]]
    share, _ = TRUTH.retrieve(x, np.array([[[-1.0]]]), np.array([[[1]]]), np.array([4, 3]))
    assert share.tolist() == [[1.0, 0.0]]


def test_with_one_bit_the_larger_power_of_two_is_taken() -> None:
    """1.5 becomes 2 and 3 becomes 4, in the probe and in the system; what lies below goes down."""
    x = np.array([[[1.49], [1.5], [2.0], [-3.0]]])
    assert TRUTH.true_rounded(TRUTH.double(x), 1).ravel().tolist() == [1, 2, 2, -4]
    for first, second, due in ((1.5, 1.49, 1.0), (1.49, 1.0, 0.0), (2.0, 1.5, 0.0)):
        pair, one = np.array([[[first], [second]]]), np.array([[[1.0]]])
        share, _ = TRUTH.retrieve(pair, one, np.array([[[0]]]), np.array([1]))
        assert share.item() == due, (first, second)
    setting = {"bits": 1, "noise": 0, "d": 4, "documents": 16}
    documents, queries, _, scores = TRUTH.draw(setting, np.random.default_rng(5))
    length = np.linalg.norm(queries, axis=1)[:, None] * np.linalg.norm(documents, axis=1).max()
    due = TRUTH.true_rounded(TRUTH.double(queries), 1) @ TRUTH.true_rounded(TRUTH.double(documents), 1).T
    assert scores == pytest.approx(due.numpy() / length)


def test_the_margin_is_of_the_vectors_as_they_are() -> None:
    """Neither the bits nor the noise change it."""
    found = [
        TRUTH.system(TRUTH.KEY.complete({"bits": bits, "noise": noise}), np.random.default_rng(6))["margin"]
        for bits, noise in ((53, 0), (2, 0), (24, 0.4))
    ]
    assert found[0] == found[1] == found[2]


@pytest.mark.parametrize("m", [5, 20, 60])
def test_the_curve_by_its_closed_form(m: int) -> None:
    """Scores are p^2 - (t - ti)^2 (t - tj)^2: every pair, and the margins that follow."""
    pairs = all_pairs(m)
    documents, queries = curve(m, pairs)
    t = np.linspace(-1, 1, m)
    below = (t - t[pairs[:, :1]]) ** 2 * (t - t[pairs[:, 1:]]) ** 2
    np.put_along_axis(below, pairs, np.inf, axis=1)
    size = np.linalg.norm(queries, axis=1) * np.linalg.norm(documents, axis=1).max()
    margin = TRUTH.true_margin(documents[None], queries[None], pairs[None])[0]
    assert margin == pytest.approx(below.min(axis=1) / size, rel=1e-5, abs=1e-14)
    assert (TRUTH.true_share(documents[None], queries[None], pairs[None], np.array([53])) == 1).all()


@pytest.mark.parametrize(
    ("m", "printed"),
    [(50, [1.00, 1.00, 0.75, 0.52]), (200, [1.00, 0.99, 0.31, 0.07]), (1000, [1, 0.93, 0.02, 0])],
)
def test_the_curves_table(m: int, printed: list[float]) -> None:
    """Vectors that were rounded by another route, and ranked by NumPy."""
    rng = np.random.default_rng(0)
    pairs = (
        all_pairs(m)
        if m < 1000
        else np.sort(np.array([rng.choice(m, 2, replace=False) for _ in range(3000)]))
    )
    documents, queries = curve(m, pairs)

    found = []
    for bits in (53, 24, 11, 8):
        scores = to_bits(queries, bits) @ to_bits(documents, bits).T
        low = np.take_along_axis(scores, pairs, axis=1).min(axis=1)
        np.put_along_axis(scores, pairs, -np.inf, axis=1)
        found.append((low > scores.max(axis=1)).mean())
    assert found == pytest.approx(printed, abs=0.006 if m < 1000 else 0.015)


def test_single_precision_loses_pairs_as_the_curve_fills() -> None:
    """With float32 also in the products; double precision loses none of them."""
    rng = np.random.default_rng(1)
    shares = []
    for m in (50, 200, 1000, 5000):
        pairs = all_pairs(m) if m == 50 else np.array([rng.choice(m, 2, replace=False) for _ in range(600)])
        documents, queries = curve(m, pairs)
        for dtype in (np.float64, np.float32):
            scores = queries.astype(dtype) @ documents.astype(dtype).T
            low = np.take_along_axis(scores, pairs, axis=1).min(axis=1)
            np.put_along_axis(scores, pairs, -np.inf, axis=1)
            shares.append((low > scores.max(axis=1)).mean())
    assert shares[::2] == [1, 1, 1, 1]
    # The sums of a float32 product depend on the machine in their last digit.
    assert shares[1::2] == pytest.approx([1.000, 0.989, 0.917, 0.699], abs=0.05)


@pytest.mark.parametrize(("m", "k"), [(4, 1), (6, 2), (7, 3)])
def test_no_vectors_beat_the_ceiling(m: int, k: int) -> None:
    """Eq. 3: the simplex has this margin in all sets; other vectors have less in one."""
    assert ceiling(46, 2) == pytest.approx(0.730988, abs=1e-6)
    sets = np.array(list(combinations(range(m), k)))
    simplex = (np.eye(m) - 1 / m) * np.sqrt(m / (m - 1))
    assert simplex @ simplex.T == pytest.approx(np.where(np.eye(m) == 1, 1, -1 / (m - 1)))
    margin = TRUTH.true_margin(simplex[None], simplex[sets].sum(1)[None], sets[None])
    assert margin == pytest.approx(np.full(margin.shape, ceiling(m, k)))
    rng = np.random.default_rng(m)
    for d in (2, 3, m - 1, m + 2):
        x = rng.standard_normal((m, d))
        x /= np.linalg.norm(x, axis=1, keepdims=True)
        worst = np.inf
        for chosen in sets:
            rest = np.setdiff1d(np.arange(m), chosen)
            tried = x[chosen].mean(0) - x[rest].mean(0) + 0.3 * rng.standard_normal((200, d))
            tried /= np.linalg.norm(tried, axis=1, keepdims=True)
            worst = min(worst, ((tried @ x[chosen].T).min(1) - (tried @ x[rest].T).max(1)).max())
        assert worst <= ceiling(m, k) + 1e-12


@pytest.mark.parametrize(
    ("m", "k", "noise"), [(2, 1, 1.0), (7, 3, 0.3), (46, 2, 0.2), (300, 2, 0.15), (12, 6, 0.4)]
)
def test_the_control_by_quadrature(m: int, k: int, noise: float) -> None:
    """The other order of integration: over the best of the unwanted ones, by an adaptive rule."""
    gap = ceiling(m, k) / noise

    def density(t: float) -> float:
        others = (m - k) * stats.norm.pdf(t) * stats.norm.cdf(t) ** (m - k - 1)
        return float(others * stats.norm.sf(t - gap) ** k)

    due = sum(integrate.quad(density, a, b, limit=200)[0] for a, b in ((-9, 0), (0, 3), (3, 9)))
    assert TRUTH.true_simplex(np.array(m), np.array(k), np.array(noise)) == pytest.approx(due, rel=1e-8)
    assert TRUTH.simplex_share(m, k, noise) == pytest.approx(due, rel=1e-8)


def test_the_control_by_drawing_scores() -> None:
    rng = np.random.default_rng(3)
    m, k, noise = 20, 2, 0.25
    simplex = (np.eye(m) - 1 / m) * np.sqrt(m / (m - 1))
    query = simplex[:k].sum(0)
    scores = simplex @ query / np.linalg.norm(query) + noise * rng.standard_normal((40_000, m))
    drawn = (scores[:, :k].min(1) > scores[:, k:].max(1)).mean()
    # Four standard errors of a share.
    assert TRUTH.true_simplex(np.array(m), np.array(k), np.array(noise)) == pytest.approx(drawn, abs=0.01)


def test_with_noise_alone_all_sets_are_alike() -> None:
    found = TRUTH.true_simplex(np.array([5, 8]), np.array([2, 3]), np.array([1e9, 1e9]))
    assert found == pytest.approx([1 / comb(5, 2), 1 / comb(8, 3)], rel=1e-6)


def test_the_requirement_is_necessary_and_sufficient() -> None:
    """No displacement of the allowed length goes below it, and one reaches it."""
    rng = np.random.default_rng(5)
    documents, queries, wanted = TRUTH.in_directions(rng, 1, 1, 6, 2, 5)
    error = np.array([0.1])
    due = TRUTH.true_requirement(documents, queries, wanted, error)[0]
    unit = queries[0, 0] / np.linalg.norm(queries[0, 0])
    length = np.linalg.norm(documents[0], axis=1)
    inside = np.isin(np.arange(6), wanted[0, 0])

    def slack(moved: np.ndarray) -> float:
        scores = moved @ unit
        return float(scores[inside].min() - scores[~inside].max())

    for _ in range(500):
        step = rng.standard_normal((6, 5))
        step *= (0.1 * length / np.linalg.norm(step, axis=1))[:, None]
        assert slack(documents[0] + step) >= due - 1e-12
    worst = documents[0] + np.where(inside, -0.1, 0.1)[:, None] * length[:, None] * unit
    assert slack(worst) == pytest.approx(due, rel=1e-12)
    one = TRUTH.requirement(documents, queries, wanted, error)
    assert one[0] == pytest.approx(due, rel=1e-12)


def mean_share(setting: dict[str, float], control: bool = False, draws: int = 20) -> float:
    rng = np.random.default_rng(8)
    full = TRUTH.KEY.complete(setting)
    system = TRUTH.control if control else TRUTH.system
    return float(np.mean([system(full, rng)["share"] for _ in range(draws)]))


@pytest.mark.parametrize(
    ("setting", "printed"),
    [
        ({}, [0.93, 0.79, 0.54, 0.28]),
        ({"noise": 0}, [0.96, 0.88, 0.70, 0.46]),
        ({"d": 25}, [0.99, 0.96, 0.87, 0.70]),
        ({"d": 64, "bits": 6}, [1, 1, 1, 1]),
        ({"d": 96, "bits": 2}, [1, 1, 1, 1]),
        ({"d": 64, "bits": 6, "overlap": 0.6}, [0.89, 0.75, 0.54, 0.33]),
        ({"d": 64, "bits": 6, "noise": 0.2}, [0.81, 0.59, 0.37, 0.18]),
        ({"curve": 1, "noise": 0}, [1, 1, 0.99, 0.93]),
        ({"curve": 1}, [0.04, 0, 0, 0]),
    ],
)
def test_the_table_of_the_debrief(setting: dict[str, float], printed: list[float]) -> None:
    for documents, due in zip((16, 64, 256, 1024), printed, strict=True):
        draws = 6 if documents == 1024 else 15
        # A draw's share has an SD of up to 0.075: this is four standard errors of so many.
        allowed = 0.01 if due in (0, 1) else 4 * 0.075 / draws**0.5
        assert mean_share({**setting, "documents": documents}, draws=draws) == pytest.approx(due, abs=allowed)


def test_the_control_fails_nowhere_and_follows_its_closed_form() -> None:
    assert mean_share({}, control=True, draws=5) == 1
    for noise in (0.15, 0.2):
        due = TRUTH.simplex_share(256, 2, noise)
        # 600 queries leave a standard error of 0.02.
        assert mean_share({"noise": noise}, control=True, draws=10) == pytest.approx(float(due), abs=0.08)


def test_the_job_is_done_in_the_solution_and_not_by_default() -> None:
    done, complete = TRUTH.KEY.done, TRUTH.KEY.complete
    assert not done(complete({}))
    assert done(complete({"d": 64, "bits": 6}))
    assert done(complete({"d": 64, "bits": 6, "popularity": 2}))
    assert not done(complete({"d": 64, "bits": 6, "noise": 0.2}))
    assert not done(complete({"d": 64, "bits": 6, "overlap": 0.6}))
    # What is exact without noise, what keeps all digits, and what does not fit into the index.
    assert not done(complete({"curve": 1, "bits": 53}))
    assert not done(complete({"d": 25}))
    assert not done(complete({"d": 512}))
    assert TRUTH.index_bits(complete({"d": 64, "bits": 6})) == 768
    # On the curve d is ignored, and what is not done is told apart.
    assert TRUTH.index_bits(complete({"curve": 1, "d": 512, "wanted": 3, "bits": 10})) == 96
    lacks = [
        [words for words, met in TRUTH.KEY.demands(complete(setting)).items() if not met]
        for setting in ({"d": 25}, {"d": 512}, {"d": 512, "noise": 0.5})
    ]
    share, index = "a mean share of at least 0.95", "an index of at most 768 bits a document"
    assert lacks == [[share], [index], [share, index]]


def test_probes_that_show_nothing() -> None:
    assert mean_share({"curve": 1, "noise": 0, "bits": 53}, draws=5) == 1
    assert mean_share({"wanted": 1}, draws=10) > 0.99


@pytest.mark.parametrize(("m", "everything"), [(1000, True), (10_000, True), (20_000, False)])
def test_where_double_precision_ends(m: int, everything: bool) -> None:
    """Adjacent pairs have the smallest margins, of the order of m to the power -4."""
    first = np.random.default_rng(m).choice(m - 1, 200, replace=False)
    pairs = np.stack([first, first + 1], axis=1)
    documents, queries = curve(m, pairs)
    share = TRUTH.retrieve(documents[None], queries[None], pairs[None], np.array([53]))[0]
    assert (share == 1) == everything


def test_the_systems_curve_is_the_texts() -> None:
    documents, queries, wanted, scores = TRUTH.draw(
        {"curve": 1, "noise": 0, "bits": 53, "documents": 40}, np.random.default_rng(1)
    )
    x, q = curve(40, wanted)
    assert documents == pytest.approx(x)
    assert queries == pytest.approx(q, abs=1e-12)
    size = np.linalg.norm(q, axis=1)[:, None] * np.linalg.norm(x, axis=1).max()
    assert scores == pytest.approx(q @ x.T / size, abs=1e-12)


def test_the_other_numbers_of_the_debrief() -> None:
    """The ceiling for pairs, the curve's typical margin, and what fewer than m - 1 dimensions reach."""
    assert ceiling(256, 2) / 2 == pytest.approx(0.36, abs=0.005)
    pairs = all_pairs(256)[::7]
    documents, queries = curve(256, pairs)
    margin = TRUTH.retrieve(documents[None], queries[None], pairs[None], np.array([53]))[1]
    assert 1e-6 < np.median(margin) < 1e-5
    rng = np.random.default_rng(2)
    for m, d, printed in ((256, 128, 0.54), (1024, 512, 0.75)):
        setting = TRUTH.KEY.complete({"documents": m, "d": d})
        wide = [TRUTH.system(setting, rng)["margin"] for _ in range(4)]
        assert np.mean(wide) / ceiling(m, 2) == pytest.approx(printed, abs=0.03)


def plan_of_the_model() -> Plan:
    plan = received(TRUTH.my_proposal()).plan
    assert plan is not None
    return plan


def test_the_frequencies_of_the_plan() -> None:
    """Of dead ideas the pilot ends six in seven, of live ones one in seven; the power at 0.2 is 0.88."""
    plan = plan_of_the_model()
    assert [trial.holds for trial in TRUTH.KEY.experiment.trials] == [False, False, True]
    for trial in TRUTH.KEY.experiment.trials:
        pilot = run(plan.kill.pilot, trial.world, 4000, seed=1)
        whole = run(plan.experiment, trial.world, 4000, seed=2)
        ended, claimed, fell = (0.14, 0.88, 0.02) if trial.holds else (0.86, 0.045, 0.88)
        # Three standard errors of a share of 4000 are at most 0.016 here.
        assert (pilot.estimate < plan.kill.below).mean() == pytest.approx(ended, abs=0.016)
        assert whole.claim.mean() == pytest.approx(claimed, abs=0.016)
        assert whole.falsified.mean() == pytest.approx(fell, abs=0.016)
    assert pilot.cost.mean() + sum(one.credits for one in received(TRUTH.my_proposal()).assumptions) <= 67
    assert sum(stage.credits for stage in plan.stages) <= TRUTH.BUDGET


def test_what_deceives_in_the_worlds() -> None:
    """Paired tests that take runs for the whole truth, and questions of familiar collections."""
    plan = plan_of_the_model()
    dead, familiar, _ = (trial.world for trial in TRUTH.KEY.experiment.trials)
    for unit, printed in (("items", 0.26), ("groups", 0.12)):
        paired = vary(vary(plan.experiment, "test.unit", unit), "test.paired", True)
        # Three standard errors.
        assert run(paired, dead, 4000, seed=3).claim.mean() == pytest.approx(printed, abs=0.021)
    seen = run(vary(plan.experiment, "evaluation.held_out", "items"), familiar, 2000, seed=4)
    assert seen.claim.mean() > 0.98
    assert seen.estimate.mean() == pytest.approx(0.3, abs=0.01)
    pilot = run(vary(plan.kill.pilot, "evaluation.held_out", "items"), familiar, 4000, seed=5)
    assert (pilot.estimate < plan.kill.below).mean() == pytest.approx(0.02, abs=0.01)
