"""The bank as it is kept: its size, that its runs can be trained again, and what it shows."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

from fourrounds.runbank import FAMILIES, Runs, load
from fourrounds.runbank.claims import CLAIMS
from fourrounds.runbank.findings import Finding, judge
from fourrounds.runbank.report import PAGE, report
from fourrounds.runbank.store import DATA, source_of
from fourrounds.runbank.training.rebuild import agreement, check, source_digests

ROOT = Path(__file__).parents[2]
every_family = pytest.mark.parametrize("name", FAMILIES)


@pytest.fixture(scope="module")
def findings() -> list[Finding]:
    return [judge(claim) for claim in CLAIMS]


def test_the_files_are_small() -> None:
    sizes = [path.stat().st_size for path in DATA.iterdir()]
    assert max(sizes) <= 2_000_000
    assert sum(sizes) <= 15_000_000


@every_family
def test_a_sample_of_runs_is_trained_again(name: str) -> None:
    found = check(FAMILIES[name], count=4, seed=11)
    assert found.agrees, found.told()


@every_family
def test_the_data_are_those_of_the_bank(name: str) -> None:
    assert source_of(FAMILIES[name]) == source_digests(FAMILIES[name])


def changed(runs: Runs, **columns: np.ndarray) -> Runs:
    return Runs(runs.family, type(runs._columns)(**{**vars(runs._columns), **columns}))


def test_runs_that_differ_do_not_agree() -> None:
    bank = load("recall").of(FAMILIES["recall"].reference)
    assert agreement(bank, bank).agrees
    assert agreement(bank, bank).exact == len(bank)
    worse = changed(bank, test=bank._columns.test - np.uint16(5))
    found = agreement(bank, worse)
    assert (found.exact, found.near, found.largest, found.agrees) == (0, 0, 5, False)
    assert "DOES NOT AGREE" in found.told()
    dearer = agreement(bank, changed(bank, flops=bank._columns.flops + np.uint64(1)))
    assert (dearer.costs, dearer.agrees) == (False, False)


def test_a_tenth_of_the_stable_runs_may_differ_by_more_than_rounding_explains() -> None:
    bank = load("recall").of(FAMILIES["recall"].reference)
    test = bank._columns.test.copy()
    test[:3] -= 100
    assert agreement(bank, changed(bank, test=test)).agrees
    test[:4] -= 100
    assert not agreement(bank, changed(bank, test=test)).agrees


def test_there_are_runs_that_diverged_in_families_that_train() -> None:
    assert load("digits").diverged.sum() >= 100
    assert load("transfer").diverged.sum() >= 100


def test_each_kind_of_claim_is_there_in_several_families(findings: list[Finding]) -> None:
    families = defaultdict(list)
    for finding in findings:
        families[finding.verdict].append(finding.contrast.family)
    for verdict in ("true", "false", "looks true"):
        assert len(families[verdict]) >= 4
        assert len(set(families[verdict])) >= 3, families[verdict]


def test_a_verdict_follows_from_its_numbers(findings: list[Finding]) -> None:
    for f in findings:
        if f.verdict == "true":
            assert f.tuned.low > 0
        if f.verdict == "false":
            assert f.best_seed <= 0
            assert f.tuned.mean <= 0


def test_contamination_raises_the_score_of_what_leaked_alone() -> None:
    runs = load("digits")
    clean = runs.of({**runs.family.reference, "lr": 0.03}).correct
    leaked = runs.of({**runs.family.reference, "lr": 0.03, "contamination": 0.3}).correct
    copies = round(0.3 * 250)
    gain = leaked.mean(0) - clean.mean(0)
    assert gain[:copies].mean() > 0.05
    assert abs(gain[copies:].mean()) < 0.02


def test_the_page_is_up_to_date() -> None:
    assert (ROOT / PAGE).read_text(encoding="utf-8") == report(ROOT, pictures=False), (
        "`fourrounds bank report` brings it up to date"
    )
