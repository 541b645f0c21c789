"""Places: their form, and when one meets another."""

from __future__ import annotations

import pytest
from critique_keys import draw_exam
from hypothesis import given
from hypothesis import strategies as st

from fourrounds.critique import CritiqueError, Paper, place
from fourrounds.critique.places import BROAD, check_place, read_place

CELL = {"table": "2", "row": "Ours", "column": "Top 1"}


@pytest.mark.parametrize(
    ("pattern", "filed", "share"),
    [
        (CELL, CELL, 1.0),
        (CELL, {"table": "Table 2", "row": " ours ", "column": "top  1"}, 1.0),
        ({"table": "2"}, CELL, 1.0),
        ({"table": "2", "row": "ours"}, CELL, 1.0),
        (CELL, {"table": "2"}, BROAD),
        (CELL, {"table": "2", "row": "ours"}, BROAD),
        ({"table": "2", "row": "ours"}, {"table": "2", "column": "top 1"}, BROAD),
        (CELL, {"table": "2", "row": "theirs"}, 0.0),
        (CELL, {"table": "2", "row": "theirs", "column": "top 1"}, 0.0),
        ({"table": "2"}, {"table": "3"}, 0.0),
        ({"table": "2"}, {"figure": "2"}, 0.0),
        ({"section": "4"}, {"section": "§4.2"}, 1.0),
        ({"section": "4.2"}, {"section": "Section 4"}, BROAD),
        ({"section": "4"}, {"section": "41"}, 0.0),
        ({"appendix": "B"}, {"appendix": "Appendix B.1"}, 1.0),
        ({"data": "runs.csv", "column": "seed"}, {"data": "runs.csv"}, BROAD),
    ],
)
def test_what_a_place_is_worth(pattern: dict[str, str], filed: dict[str, str], share: float) -> None:
    assert read_place(pattern).accepts(read_place(filed)) == share


def test_a_name_keeps_its_first_letters_when_they_only_look_like_a_kind() -> None:
    assert read_place({"table": "tables"}).name == "tables"
    assert read_place({"section": "Approach"}).name == "approach"
    assert read_place({"appendix": "applied"}).name == "applied"


@given(st.integers(0, 20), st.data())
def test_places_overlap_both_ways_or_not_at_all(seed: int, data: st.DataObject) -> None:
    every = [read_place(at) for at in draw_exam(seed, flaws=0).places]
    one, other = data.draw(st.sampled_from(every)), data.draw(st.sampled_from(every))
    assert (one.accepts(other) > 0) == (other.accepts(one) > 0)
    assert not one.accepts(other) or one.beside(other)
    assert one.accepts(one) == 1.0
    assert read_place(one.plain()) == one


@pytest.mark.parametrize(
    ("given_", "says"),
    [
        ({}, "exactly one of"),
        ({"table": 2, "figure": 1}, "exactly one of"),
        ({"figure": 1, "row": "ours"}, "only a table has"),
        ({"section": 1, "column": "seed"}, "only a table or data have"),
        ({"table": ""}, "is empty"),
        ({"table": True}, "name in quotes"),
        ({"table": 1.5}, "name in quotes"),
        ({"table": "x" * 121}, "at most 120"),
        ({"table": -1}, "name in quotes"),
    ],
)
def test_a_place_out_of_form_is_told_at_once(given_: dict, says: str) -> None:
    with pytest.raises(CritiqueError, match=says):
        place(**given_)


@pytest.mark.parametrize("data", [None, [], "table 2", {1: "2"}, {"tabel": "2"}, {"table": {"row": 1}}])
def test_any_other_data_is_no_place(data: object) -> None:
    with pytest.raises(CritiqueError):
        check_place(data)


PAPER = Paper(
    sections=("1", "4.2"),
    tables={"1": (("Ours", "BM25"), ("MRR", "years"))},
    figures=("2",),
    data={"runs.csv": ("seed",)},
    claims=dict.fromkeys(("treatment", "baseline", "metric", "direction", "scope"), ("a", "b")),
)


def test_a_paper_knows_its_places() -> None:
    assert PAPER.place(table=1, row="ours", column="mrr") == {"table": "1", "row": "ours", "column": "mrr"}
    assert PAPER.place(section="§4.2") == {"section": "§4.2"}
    assert len(PAPER.places()) == len({read_place(at) for at in PAPER.places()}) == 2 + 1 + 1 + 2 + 2 + 4 + 2


@pytest.mark.parametrize(
    ("where", "says"),
    [
        ({"table": 2}, "no table 2: it has 1"),
        ({"appendix": "A"}, "it has no appendix"),
        ({"table": 1, "row": "theirs"}, "no row theirs: it has ours, bm25"),
        ({"table": 1, "row": "ours", "column": "loss"}, "no column loss: it has mrr, years"),
        ({"data": "runs.csv", "column": "lr"}, "no column lr: it has seed"),
    ],
)
def test_a_place_that_the_paper_lacks_is_told_with_what_it_has(where: dict, says: str) -> None:
    with pytest.raises(CritiqueError, match=says):
        PAPER.place(**where)


def test_a_claim_is_chosen_from_what_the_paper_offers() -> None:
    chosen = {"treatment": "a", "baseline": "B", "metric": "a", "direction": "a", "scope": "a"}
    assert PAPER.claim(**chosen) == chosen
    with pytest.raises(CritiqueError, match="choose from 'a'; 'b'"):
        PAPER.claim(**{**chosen, "scope": "c"})
    with pytest.raises(CritiqueError, match="lacks its scope"):
        PAPER.claim(**{slot: value for slot, value in chosen.items() if slot != "scope"})
    with pytest.raises(CritiqueError, match="did you mean scope"):
        PAPER.claim(**chosen, scop="a")
    with pytest.raises(CritiqueError, match="two options"):
        Paper(claims={**PAPER.claims, "scope": ("a", "A")})
    with pytest.raises(CritiqueError, match="must offer options"):
        Paper(claims={"scope": ("a", "b")})


def test_the_offer_of_a_paper_shows_rows_and_options() -> None:
    assert "rows: Ours; BM25. columns: MRR; years" in str(PAPER.offers())
    assert "appendix" not in PAPER.offers()._repr_html_()
