"""The report says what each part earned and why, and nothing that a learner wrote acts in it."""

from __future__ import annotations

import copy

from fourrounds.proposal import plain
from fourrounds.proposal.report import report
from fourrounds.proposal.score import WEIGHTS, score
from support.proposal_keys import MODEL, key

KEY = key()


def test_each_part_is_told_with_its_weight_and_reasons() -> None:
    data = plain(MODEL)
    data["objection"] = None
    data["plan"]["kill"]["below"] = -5.0
    text = report(score(data, KEY, draws=50, sims=200), mend=False).text
    assert text.count("17%") == 4
    assert "a paper that disagrees" in text
    assert "Objection:\n  none was handed in" in text
    assert "the pilot ends it in 0%" in text
    assert "In each world" in text
    assert all(f"{name.capitalize()}:" in text for name in WEIGHTS if name != "experiment")


def test_a_proposal_without_an_experiment_is_told_so() -> None:
    found = report(score({}, KEY, draws=20, sims=100))
    assert "Experiment:\n  none was handed in" in found.text
    assert found._repr_html_() == found.markup
    assert str(found) == found.text


def test_what_a_learner_wrote_is_inert() -> None:
    data = copy.deepcopy(plain(MODEL))
    nasty = "<script>alert(1)</script>\x1b[2J"
    data["failure"]["metric"] = nasty
    data["approaches"][0]["paper"] = nasty
    data["assumptions"][0]["parameter"] = nasty
    found = report(score(data, KEY, draws=20, sims=100), mend=False)
    assert "<script>" not in found.markup
    assert "&lt;script&gt;" in found.markup
    assert "\x1b" not in found.text + found.markup
