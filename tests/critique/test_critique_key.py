"""Keys: read from plain data or JSON, and refused where they could not be scored fairly."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

import pytest
from critique_keys import draw_exam

from fourrounds.critique import Flaw, KeyFault, Severity, load_key, model_answer

DATA: dict[str, Any] = {
    "paper": "toy",
    "flaws": [
        {
            "id": "tuning",
            "flaw": "untuned_baseline",
            "classes": {"dated_baseline": 0.5, "unequal_training": 1},
            "severity": "fatal",
            "places": [{"table": 3, "row": "baseline"}, {"appendix": "B"}],
            "corrected": "the gap closes",
            "effect": -1.25,
            "unit": "points",
            "survives": False,
        },
        {
            "id": "seeds",
            "flaw": "no_variance",
            "severity": "minor",
            "places": [{"table": "1"}],
            "corrected": "the gap has an interval",
            "survives": True,
        },
    ],
    "decoys": [
        {
            "id": "axis",
            "places": [{"figure": 2}],
            "classes": ["misleading_plot"],
            "fine": "the inset shows the full range",
        },
        {"id": "rates", "places": [{"section": "5"}], "fine": "each was tuned"},
    ],
    "fair": [{"places": [{"section": "6"}], "classes": ["over_generalised"]}],
    "claim": {slot: {"A": 1} for slot in ("treatment", "baseline", "metric", "direction", "scope")},
    "judgements": {"baseline": {"less_tuned": 1, "given_less": 0.5}},
    "verdict": {"not_supported": 1, "undecidable": 0.5},
}


def changed(*path: Any, to: Any) -> dict[str, Any]:
    data = deepcopy(DATA)
    inner: Any = data
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = to
    return data


def test_a_key_reads_the_same_from_data_and_from_json() -> None:
    key = load_key(DATA)
    assert load_key(json.dumps(DATA)) == key
    assert not key.sound
    tuning = key.flaws[0]
    assert (tuning.flaw, tuning.severity, tuning.effect) == (Flaw.untuned_baseline, Severity.fatal, -1.25)
    assert tuning.classes == {"untuned_baseline": 1, "dated_baseline": 0.5, "unequal_training": 1}
    assert str(tuning.places[0]) == "table 3, row baseline"
    assert key.decoys[1].classes == frozenset()
    assert key.claim["scope"] == {"a": 1}
    assert load_key({"paper": "sound", "verdict": {"supported": 1}}).sound


def test_the_key_filed_as_an_answer_is_a_critique() -> None:
    filed = model_answer(load_key(DATA))
    assert [f["flaw"] for f in filed["findings"]] == ["untuned_baseline", "no_variance"]
    assert filed["findings"][0]["at"] == {"table": "3", "row": "baseline"}
    assert filed["verdict"] == "not_supported"
    assert filed["baseline"] == "less_tuned"
    assert filed["claim"]["scope"] == "a"
    assert load_key(DATA).flaws[1].places[0].plain() == {"table": "1"}


FLAW = ("flaws", 0)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ("{", "not JSON"),
        ([], "the key: must be a dict"),
        ({"paper": "x"}, "lacks 'verdict'"),
        ({**DATA, "flws": []}, "unknown field 'flws'"),
        (changed("paper", to=" "), "paper: must be a text"),
        (changed("flaws", to={}), "flaws: must be a list"),
        (changed(*FLAW, "flaw", to="no_such"), r"flaws\[0\].flaw: 'no_such' is no class"),
        (changed(*FLAW, "severity", to="grave"), "severity: must be one of fatal, major, minor"),
        (changed(*FLAW, "survives", to=0), "must be true or false"),
        (changed(*FLAW, "effect", to=float("nan")), "finite number"),
        (changed(*FLAW, "effect", to=True), "finite number"),
        (changed(*FLAW, "corrected", to=""), "not empty"),
        (changed(*FLAW, "places", to=[]), "names no place"),
        (changed(*FLAW, "places", 0, to={"tabel": 3}), r"flaws\[0\].places\[0\] has an unknown part"),
        (changed(*FLAW, "classes", "dated_baseline", to=0.75), "a share of 1 or at most 0.5"),
        (changed(*FLAW, "classes", "dated_baseline", to=0), "a share of 1 or at most 0.5"),
        (changed(*FLAW, "classes", "untuned_baseline", to=1), "must be another class"),
        (changed("decoys", 0, "id", to="tuning"), "two flaws or decoys have this id"),
        (changed("decoys", 0, "classes", to=["x"]), "'x' is no class"),
        (changed("decoys", 0, "places", to=[{"table": 3}]), None),
        (
            changed("decoys", 1, "places", to=[{"table": 3}]),
            "rates: a finding there could meet the flaw tuning",
        ),
        (changed("fair", 0, "places", to=[{"section": "5.1"}]), "could meet the decoy rates too"),
        (changed("verdict", to={}), "one of them 1"),
        (changed("verdict", to={"supported": 0.5}), "one of them 1"),
        (changed("verdict", to={"supported": 1, "undecidable": 0}), "above 0"),
        (changed("verdict", to={"true": 1}), "unknown field 'true'"),
        (changed("judgements", to={"verdict": {"supported": 1}}), "unknown field 'verdict'"),
        (changed("judgements", to={"ran": {"maybe": 1}}), "unknown field 'maybe'"),
        (changed("claim", to={"scope": {"a": 1}}), "claim: lacks 'treatment'"),
        (
            changed(
                "flaws", 1, to={**DATA["flaws"][0], "id": "twin", "flaw": "unequal_training", "classes": {}}
            ),
            "twin: one finding could meet it and tuning in full",
        ),
        (
            {
                **DATA,
                "flaws": [{**DATA["flaws"][1], "id": str(n), "places": [{"table": n}]} for n in range(9)],
            },
            "8 at most can be scored",
        ),
    ],
)
def test_a_key_out_of_form_is_refused_by_name(data: Any, says: str | None) -> None:
    if says is None:
        assert load_key(data)  # a decoy for another class may stand where a flaw is
        return
    with pytest.raises(KeyFault, match=says):
        load_key(data)


def test_the_drawn_keys_are_as_a_paper_needs_them() -> None:
    exams = [draw_exam(seed) for seed in range(40)]
    assert {len(exam.key.flaws) for exam in exams} == {3, 4, 5, 6}
    assert {len(exam.key.decoys) for exam in exams} == {3, 4}
    for exam in exams:
        for part in (*exam.key.flaws, *exam.key.decoys):
            assert all(exam.paper.find(pattern.plain()) for pattern in part.places)
