"""What the round demands of its keys, and that docs/design_scores.md says what they give today."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest
from designs.scores import HEAD, KINDS, PAGE, Notebook, Row, notebooks, rows, section

from fourrounds.design.critics import EMPTY, GAMERS

ROOT = Path(__file__).resolve().parents[2]
HYPOTHESES = {one.slug: one for one in notebooks(ROOT / "source")}
MODEL, AS_GOOD, LACKS, PLAYS = KINDS


@cache
def table(slug: str) -> list[Row]:
    return rows(HYPOTHESES[slug])


def kind(slug: str, name: str) -> list[Row]:
    return [row for row in table(slug) if row.kind == name]


def test_the_page_is_up_to_date() -> None:
    made = HEAD + "".join(section(one, table(slug)) for slug, one in HYPOTHESES.items())
    assert (ROOT / PAGE).read_text(encoding="utf-8") == made, "python -m designs scores"


@pytest.mark.parametrize("slug", HYPOTHESES)
def test_the_model_and_what_is_as_good_get_nine_tenths(slug: str) -> None:
    assert len(kind(slug, AS_GOOD)) >= 3
    for row in (*kind(slug, MODEL), *kind(slug, AS_GOOD)):
        assert row.total >= 0.9, row.critic.name


@pytest.mark.parametrize("slug", HYPOTHESES)
def test_what_lacks_a_thing_loses_it_and_is_told(slug: str) -> None:
    assert len(kind(slug, LACKS)) >= 6
    for row in kind(slug, LACKS):
        if row.critic.loses:
            assert row.found is not None
            assert row.total < 0.95
            assert row.told, row.critic.name
        for part in row.critic.loses:
            assert row.found.parts[part] < 0.9, (row.critic.name, part)


@pytest.mark.parametrize("slug", HYPOTHESES)
def test_what_does_not_look_or_was_left_as_it_came_gets_next_to_nothing(slug: str) -> None:
    assert (
        {EMPTY, "template", "always significant", "never significant"}
        <= {row.critic.name for row in kind(slug, PLAYS)}
        <= set(GAMERS)
    )
    for row in kind(slug, PLAYS):
        assert row.total < 0.1, row.critic.name


def test_every_notebook_of_the_round_is_there() -> None:
    assert set(HYPOTHESES) == {path.stem for path in (ROOT / "source" / "round3_design").glob("*.ipynb")}
    assert all(isinstance(one, Notebook) for one in HYPOTHESES.values())
    assert HYPOTHESES
