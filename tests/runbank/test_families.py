"""What the bank is to hold: counts, seeds, and that every configuration is one of its family's."""

from __future__ import annotations

from collections import Counter

import pytest

from fourrounds.runbank.families import FAMILIES, SEEDS, SQUARE, SQUARE_FIRST, Family

every_family = pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)


def test_there_are_five_families_of_twenty_thousand_runs_and_none_outweighs_the_others() -> None:
    counts = {name: sum(1 for _ in family.runs()) for name, family in FAMILIES.items()}
    assert list(counts) == ["digits", "recall", "transfer", "contrastive", "retrieval"]
    assert sum(counts.values()) >= 20_000
    assert max(counts.values()) <= 0.4 * sum(counts.values())


@every_family
def test_every_configuration_has_all_its_seeds_and_no_run_is_double(family: Family) -> None:
    runs = list(family.runs())
    assert len({run.key() for run in runs}) == len(runs)
    plain = [run for run in runs if run.init < SQUARE_FIRST]
    assert all(run.init == run.split == run.order for run in plain)
    seeds = Counter(tuple(run.config.values()) for run in plain)
    assert SEEDS >= 30
    assert set(seeds.values()) == {SEEDS}
    assert len(seeds) == len(list(family.configurations()))


@every_family
def test_a_square_crosses_every_two_of_its_seeds(family: Family) -> None:
    squares = [run for run in family.runs() if run.init >= SQUARE_FIRST]
    by_config: dict[tuple[object, ...], list[tuple[int, int, int]]] = {}
    for run in squares:
        by_config.setdefault(tuple(run.config.values()), []).append((run.init, run.split, run.order))
    assert len(by_config) == len(family.squares) >= 3
    known = {tuple(config.values()) for config in family.configurations()}
    assert set(by_config) <= known  # a square's configuration has its plain runs, too
    for triples in by_config.values():
        assert len(triples) == SQUARE**2
        for one, other in ((0, 1), (0, 2), (1, 2)):
            assert len({(triple[one], triple[other]) for triple in triples}) == SQUARE**2


@every_family
def test_the_reference_was_run_and_each_level_is_used(family: Family) -> None:
    configurations = list(family.configurations())
    assert family.reference in configurations
    for factor in family.factors:
        assert {config[factor.name] for config in configurations} == set(factor.levels), factor.name
        assert factor.reference in factor.levels


def test_a_configuration_is_completed_or_refused() -> None:
    family = FAMILIES["digits"]
    assert family.complete({"width": 8}) == {**family.reference, "width": 8}
    with pytest.raises(ValueError, match="no factor 'depth'; it has optimiser, lr"):
        family.complete({"depth": 3})
    with pytest.raises(ValueError, match="no width=9; its levels are 8, 32, 128"):
        family.complete({"width": 9})
