"""The report: what was found and missed, why a false alarm is one, and the key only where it is asked for."""

from __future__ import annotations

import re

import pytest
from critique_keys import draw_exam
from hypothesis import given, settings
from hypothesis import strategies as st
from test_critique_key import DATA
from test_critique_score import EXAMS, TOY, file

from fourrounds.critique import KeyFault, load_key, model_answer, report, score
from fourrounds.critique.report import HUMAN, major_recall

MIXED = {
    **model_answer(TOY),
    "findings": [
        file("dated_baseline", "minor", appendix="B"),
        file("untuned_baseline", table=1),
        file("misleading_plot", figure=2),
        file("wrong_pairing", table=1, row="ours"),
        file("over_generalised", section=6),
    ],
    "verdict": "undecidable",
    "baseline": "fair",
}


def lines(text: str, word: str) -> list[str]:
    return [line for line in text.splitlines() if word in line]


def test_the_whole_report_tells_what_was_found_missed_and_fine() -> None:
    text = str(report(score(MIXED, TOY, lab=0.5), TOY))
    assert "\n◐ half found; planted flaw: untuned baseline" in text
    assert "\n✗ missed; planted flaw: no variance; where it shows: table 1; severity: minor" in text
    assert "the gap closes (-1.25 points): the conclusion falls." in text
    assert "the gap has an interval: the conclusion stands." in text
    assert lines(text, "it looks bad and is fine: the inset shows the full range")
    assert lines(
        text, "the class comes near, or the place is wider than what it shows in: it is untuned baseline"
    )
    assert lines(text, "the key has no such flaw there")
    assert lines(text, "the place is right, but what is wrong there is no variance")
    assert lines(text, "it earns and costs nothing")
    assert "question: verdict; your answer: undecidable; it is: partly right; accepted: not supported" in text
    assert "question: baseline; your answer: fair; it is: wrong; accepted: less tuned; given less" in text
    assert "part: lab plan; from 0 to 1: 0.50" in text
    assert "You found 0.5 of 1 planted fatal or major flaws (50%)" in text
    assert "29% to 33%" in text
    assert "Schroter et al. 2008" in text


def test_a_near_miss_by_place_and_a_repeat_are_told() -> None:
    answer = {
        "findings": [
            file("untuned_baseline", table=3, row="ours"),
            file("no_variance", table=1),
            file("no_variance", table=1),
        ]
    }
    text = str(report(score(answer, TOY), TOY))
    assert lines(text, "it is there, but elsewhere: table 3, row baseline; appendix B")
    assert lines(text, "a flaw is filed once")


def test_without_revealing_nothing_is_said_of_what_was_not_filed() -> None:
    for answer in (MIXED, {}):
        shown = report(score(answer, TOY), TOY, reveal=False)
        for text in (str(shown), shown._repr_html_()):
            for secret in (
                "missed",
                "the gap has an interval",
                "no variance",
                "accepted",
                "less tuned",
                "not supported",
                "near miss",
                "recall",
                "You found",
                "of 1",
                "table 3",
            ):
                assert secret not in text, secret
    text = str(report(score(MIXED, TOY), TOY, reveal=False))
    assert lines(text, "half found")
    assert "it is untuned" not in text
    assert lines(text, "the inset shows the full range")
    assert len(lines(text, "a false alarm")) == 2
    assert "question: verdict; your answer: undecidable; it is: partly right" in text


def test_a_flawed_paper_and_a_sound_one_look_alike_to_the_silent_where_nothing_is_revealed() -> None:
    sound = load_key({**DATA, "flaws": []})
    texts = [str(report(score({}, key), key, reveal=False)) for key in (TOY, sound)]
    outlines = [re.sub(r"\d\.\d\d", "", text) for text in texts]
    assert outlines[0] == outlines[1]
    assert "Nothing was planted" in str(report(score({}, sound), sound))


def test_recall_is_of_fatal_and_major_flaws_beside_the_published_figure() -> None:
    assert tuple(round(n / 9, 2) for n in (2.58, 3.0)) == HUMAN
    for exam in EXAMS.values():
        _, planted = major_recall(score({}, exam.key), exam.key)
        assert planted == sum(flaw.severity != "minor" for flaw in exam.key.flaws)
        assert major_recall(score(model_answer(exam.key), exam.key), exam.key) == (planted, planted)
        assert major_recall(score({}, exam.key), exam.key)[0] == 0
    minor = load_key({**DATA, "flaws": [DATA["flaws"][1]]})
    assert "No major flaw was planted" in str(report(score({}, minor), minor))


NASTY = st.sampled_from(["<script>x</script>", "\x1b]0;x\x07", "&amp;", "'\" onload=x", "\ud800", "a\nb"])


@given(st.lists(NASTY, min_size=3, max_size=3), st.booleans())
@settings(max_examples=25, deadline=None)
def test_what_a_learner_wrote_is_inert_in_the_report(texts: list[str], reveal: bool) -> None:
    answer = {
        **MIXED,
        "falsifier": texts[0],
        "claim": dict.fromkeys(MIXED["claim"], texts[2]),
        "findings": [
            {"flaw": "no_variance", "at": {"table": texts[1]}, "severity": "minor", "why": texts[0]}
        ],
    }
    shown = report(score(answer, TOY), TOY, reveal)
    markup = shown._repr_html_()
    known = {"table", "caption", "thead", "tbody", "tr", "th", "td", "p", "br"}
    assert set(re.findall(r"</?([a-z0-9]+)", markup)) <= known
    assert set(re.findall(r"<[a-z]+ ([a-z]+)=", markup)) <= {"style"}
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", markup + str(shown))
    (markup + str(shown)).encode()


def test_every_drawn_key_is_reported_in_full() -> None:
    for seed in range(5):
        exam = draw_exam(seed)
        text = str(report(score(model_answer(exam.key), exam.key), exam.key))
        assert text.count("✓ found") == len(exam.key.flaws)


def test_of_a_published_paper_nothing_is_called_planted() -> None:
    key = load_key({**DATA, "published": True})
    told = str(report(score(model_answer(key), key), key))
    assert "What the key holds" in told
    assert "Nobody planted them" in told
    assert "planted flaw" not in told
    with pytest.raises(KeyFault, match="published: must be true or false"):
        load_key({**DATA, "published": "yes"})
