"""The numbers of ``sampled_negatives`` by a second route: straight from the bank, without papers.bench."""

from __future__ import annotations

import math
import sys
from collections import Counter, defaultdict
from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
import pytest

from fourrounds.examiner.layout import find_root
from fourrounds.runbank import Runs, load
from fourrounds.runbank.families import FAMILIES

ROOT = find_root()
sys.path.insert(0, str(ROOT))

from papers.notebook import form  # noqa: E402
from papers.press import Form, Table  # noqa: E402
from papers.sampled_negatives import sites  # noqa: E402

RATES = (0.0001, 0.0003, 0.001, 0.003, 0.01)
FORMS = range(6)
BANK = load("retrieval")


@cache
def _plain(changes: tuple[tuple[str, Any], ...]) -> tuple[Runs, dict[int, int]]:
    """All runs of a configuration, and which row is which seed's; a Latin square is left out."""
    found = BANK.where(**{**FAMILIES["retrieval"].reference, **dict(changes)})
    firsts = zip(found["init_seed"].tolist(), found["split_seed"].tolist(), strict=True)
    return found, {a: row for row, (a, b) in enumerate(firsts) if a == b < 30}


def runs(seeds: list[int] | None = None, **changes: Any) -> Runs:
    found, row = _plain(tuple(sorted(changes.items())))
    return found[[row[seed] for seed in (range(30) if seeds is None else seeds)]]


def best(seeds: list[int] | None, by: str = "val", **arm: Any) -> Runs:
    """The runs of an arm at the learning rate of the highest mean."""
    tried = [runs(seeds, lr=rate, **arm) for rate in RATES]
    return max(tried, key=lambda one: float(getattr(one, by).mean()))


def tables(made: Form) -> Mapping[str, Table]:
    return {table.name: table for table in made.tables()}


def seeds_of(made: Form, arms: Mapping[str, Runs]) -> list[int]:
    """The bank's seeds behind Table 5, found from its printed values alone."""
    found = []
    for column in range(1, 6):
        printed = {row[0]: row[column] for row in tables(made)["5"].rows}
        fitting = [
            seed
            for seed in range(30)
            if all(f"{100 * arms[name].test[seed]:.1f}" == printed[name] for name in printed)
        ]
        found.append(fitting)
    return [options[0] if len(options) == 1 else -1 for options in found]


def arm(made: Form, ours: bool, sampler: str, negatives: int = 31) -> dict[str, Any]:
    s = sites(made.number)
    return {
        "logq": "yes" if ours else "no",
        "split": "random" if s.leak else "package",
        "popularity": "zipf" if sampler == "Zipf" else "sentences",
        "negatives": negatives,
    }


@pytest.mark.parametrize("number", FORMS)
def test_table_1_and_5(number: int) -> None:
    made, s = form("sampled_negatives", number), sites(number)
    table = tables(made)
    for row, ours in zip(table["1"].rows, (True, False), strict=True):
        every = runs(lr=float(row[1]), **arm(made, ours, s.sampler))
        listed = [float(cell) for cell in next(one for one in table["5"].rows if one[0] == row[0])[1:]]
        # 400 queries: every run is a multiple of a quarter, and is one of the bank's thirty.
        exact = [min(100 * every.test, key=lambda value: abs(value - cell)) for cell in listed]
        assert np.abs(np.array(exact) - listed).max() <= 0.0501
        value = max(exact) if ours and s.best else float(np.mean(exact))
        assert abs(float(row[3]) - value) <= 0.0501
        spread = float(np.std(exact, ddof=1)) / (math.sqrt(5) if s.bars else 1)
        assert abs(float(row[4]) - spread) <= 0.0501


@pytest.mark.parametrize("number", FORMS)
def test_rates_and_table_2(number: int) -> None:
    made, s = form("sampled_negatives", number), sites(number)
    table = tables(made)
    main = {
        row[0]: runs(lr=float(row[1]), **arm(made, row[0] == "corrected towers", s.sampler))
        for row in table["1"].rows
    }
    seeds = seeds_of(made, main)
    assert -1 not in seeds, "two seeds of the bank print alike: take another form"
    assert len(set(seeds)) == 5
    for row, ours in zip(table["1"].rows, (True, False), strict=True):
        if s.rate == "untuned" and not ours:
            assert row[1] == "0.01"
            continue
        by = "test" if s.rate == "test" and ours else "val"
        found = best(seeds, by, **arm(made, ours, s.sampler))
        assert float(row[1]) == float(found["lr"][0])
        assert row[2] == f"{100 * found.val.mean():.1f}"
    for row, ours in zip(table["2"].rows, (True, False), strict=True):
        by = "test" if s.rate == "test" and ours else "val"
        found = best(seeds, by, **arm(made, ours, row[1], int(row[2])))
        assert float(row[3]) == float(found["lr"][0])
        assert row[4:] == (f"{100 * found.val.mean():.1f}", f"{100 * found.test.mean():.1f}")
    for row in table["3"].rows:
        found = runs(seeds[:3], lr=float(row[0]), **arm(made, True, "Zipf"))
        assert row[1:] == (
            f"{100 * found.val.mean():.1f}",
            f"{100 * found.test.mean():.1f}",
            f"{100 * found.test.std(ddof=1):.1f}",
        )


@pytest.mark.parametrize("number", FORMS)
def test_printed_differences_add_up(number: int) -> None:
    made = form("sampled_negatives", number)
    table = tables(made)
    first, second = (float(row[3]) for row in table["1"].rows)
    assert f"a gain of {first - second:.1f} points" in made.abstract
    first, second = (float(row[5]) for row in table["2"].rows)
    text = " ".join(part for section in made.sections for part in section.parts if isinstance(part, str))
    assert f"{first - second:.1f} points" in text


def test_what_the_prose_says_of_the_bank() -> None:
    family = FAMILIES["retrieval"]
    assert (family.n_test, family.n_val) == (400, 200)
    run = runs(lr=0.001)
    assert set(run.parameters.tolist()) == {32_768} == {2 * 256 * 64}
    assert set(run.examples.tolist()) == {15_360} == {8 * 1_920}
    assert run.test_curve.shape[1] == 8
    for name in ("logq", "popularity"):
        other = runs(lr=0.001, **{name: {"logq": "yes", "popularity": "zipf"}[name]})
        assert other.examples.tolist() == run.examples.tolist()
        assert other.parameters.tolist() == run.parameters.tolist()
    assert tuple(rate for rate in family.factor("lr").levels if rate) == RATES
    assert round(math.log(2000), 1) == 7.6


def test_what_the_debrief_says() -> None:
    cells = {
        (logq, popularity): best(None, logq=logq, popularity=popularity)
        for logq in ("no", "yes")
        for popularity in ("sentences", "zipf")
    }
    means = [f"{100 * one.test.mean():.1f}" for one in cells.values()]
    assert means == ["33.6", "33.6", "32.6", "39.0"]
    y = 100 * np.array([one.test for one in cells.values()]).reshape(2, 2, 30)
    contrasts = (y[1] - y[0]).mean(0), (y[:, 1] - y[:, 0]).mean(0), y[1, 1] - y[0, 1] - y[1, 0] + y[0, 0]
    assert [f"{one.mean():.1f}" for one in contrasts] == ["2.2", "3.2", "6.4"]
    assert [f"{one.std(ddof=1) / 30**0.5:.1f}" for one in contrasts] == ["0.2", "0.4", "0.4"]
    gaps = [
        100
        * (runs(lr=rate, logq="yes", popularity="zipf").test - runs(lr=rate, popularity="zipf").test).mean()
        for rate in RATES
    ]
    assert [f"{gap:+.1f}" for gap in gaps] == ["-0.1", "-1.2", "-3.1", "-4.3", "-4.4"]
    corrected = [runs(lr=rate, logq="yes", popularity="zipf") for rate in RATES[:4]]
    assert np.ptp([one.val.mean() for one in corrected]) < 0.0051
    assert np.ptp([one.test.mean() for one in corrected]) > 0.1
    assert f"{100 * runs(lr=0.0, method='untrained').test.mean():.1f}" == "40.6"
    assert f"{100 * runs(lr=0.0, method='bm25').test.mean():.2f}" == "76.25"
    by_sentences = [best(None, split=split).test.mean() for split in ("random", "package")]
    assert round(100 * (by_sentences[0] - by_sentences[1])) == 9


def test_the_audit_of_the_debrief() -> None:
    """Near-duplicates of test documents in training, by shingles of five words, for the bank's seed 0."""
    pytest.importorskip("torch")
    from fourrounds.runbank.training import retrieval
    from fourrounds.runbank.training.corpus import corpus

    bodies = corpus().bodies
    shingles = [{body[i : i + 5] for i in range(len(body) - 4)} for body in bodies]
    test, _ = retrieval._fixed()
    shares = {}
    for split in ("package", "random"):
        _, pairs, _, _ = retrieval._drawn(0, split, "sentences")
        trained = np.unique(retrieval._texts().document[pairs])
        assert len(trained) == 2000
        holders = defaultdict(list)
        for document in trained.tolist():
            for one in shingles[document]:
                holders[one].append(document)
        near = 0
        for document in test.tolist():
            shared = Counter(other for one in shingles[document] for other in holders.get(one, ()))
            near += any(
                both / (len(shingles[document]) + len(shingles[other]) - both) >= 0.3
                for other, both in shared.items()
            )
        shares[split] = near
    assert shares == {"package": 0, "random": 44}
