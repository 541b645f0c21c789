"""The rule of scoring: its laws, on random keys and random critiques, and what gaming it earns."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from critique_keys import Exam, draw_exam
from hypothesis import given, settings
from hypothesis import strategies as st
from test_critique_key import DATA

from fourrounds.critique import CritiqueError, Flaw, Severity, Weights, load_key, model_answer, score
from fourrounds.critique.critics import GAMERS, all_decoys, all_fine, empty, expert, informed
from fourrounds.critique.places import read_place
from fourrounds.critique.score import (
    DECOY,
    FALSE_ALARM,
    NEAR_MISS,
    PARTS,
    REPEAT,
    SOUND,
    WEIGHT,
    WEIGHTS,
    Score,
    Status,
    match,
)
from fourrounds.critique.vocabulary import words

MANY = 100_000
SEEDS = range(40)
EXAMS = {seed: draw_exam(seed) for seed in SEEDS}
CROWDED = [draw_exam(seed, crowded=True) for seed in range(15)]
SOUND_EXAMS = [draw_exam(1000 + seed, flaws=0) for seed in range(15)]
LESS = 1e-12  # rounding
WRONG = {Status.NEAR_MISS, Status.FALSE_ALARM, Status.DECOY}

Finding = dict[str, Any]


def rate(findings: list[Finding], exam: Exam) -> Score:
    """The score of these findings with everything else right."""
    return score({**model_answer(exam.key), "findings": findings}, exam.key, most_findings=MANY)


def worth(one: Mapping[str, Any], exam: Exam) -> list[float]:
    """What a finding is worth to each flaw."""
    at = read_place(one["at"])
    return [flaw.class_share(one["flaw"]) * flaw.place_share(at) for flaw in exam.key.flaws]


def not_below(after: Score, before: Score) -> None:
    assert after.matching.share >= before.matching.share - LESS
    for part in before.parts:
        assert after.parts[part] >= before.parts[part] - LESS, part
    assert after.total >= before.total - LESS


@st.composite
def filed(draw: st.DrawFn) -> tuple[Exam, list[Finding]]:
    """An exam and findings of which many meet something: right ones, near ones and any others."""
    exam = draw(st.sampled_from([*EXAMS.values()]) | st.sampled_from(CROWDED))
    key = exam.key
    accepted = [at.plain() for flaw in key.flaws for at in flaw.places]
    decoys = [at.plain() for decoy in key.decoys for at in decoy.places]
    meant = sorted({name for flaw in key.flaws for name in flaw.classes})
    one = st.fixed_dictionaries(
        {
            "flaw": st.sampled_from(meant) | st.sampled_from(words(Flaw)),
            "at": st.sampled_from(accepted) | st.sampled_from(decoys) | st.sampled_from(exam.places),
            "severity": st.sampled_from(words(Severity)),
            "why": st.just(""),
        }
    )
    return exam, draw(st.lists(one, max_size=9))


LAW = settings(max_examples=60, deadline=None)


@given(filed())
@LAW
def test_a_score_lies_between_zero_and_one(case: tuple[Exam, list[Finding]]) -> None:
    exam, findings = case
    result = rate(findings, exam)
    for value in (result.total, result.critique, *result.parts.values(), result.matching.ranked):
        assert 0.0 <= value <= 1.0
    for part in ("severity", "judgements", "verdict"):
        assert result.parts[part] <= result.matching.share  # nothing counts beyond the findings under it
    recall, precision = result.matching.recall, result.matching.precision
    assert 0.0 <= recall <= 1.0
    assert 0.0 <= precision <= 1.0
    if result.matching.share:
        assert 1 / result.matching.share == pytest.approx(1 / recall + 1 / precision - 1)


@given(filed(), st.randoms(use_true_random=False))
@LAW
def test_the_order_of_findings_changes_nothing(
    case: tuple[Exam, list[Finding]], chance: random.Random
) -> None:
    exam, findings = case
    mixed = chance.sample(findings, len(findings))
    one, other = rate(findings, exam), rate(mixed, exam)
    assert (one.total, one.parts) == (other.total, other.parts)
    became = [
        sorted(
            (f["flaw"], read_place(f["at"]), f["severity"], judged.status)
            for f, judged in zip(them, result.matching.findings, strict=True)
        )
        for them, result in ((findings, one), (mixed, other))
    ]
    assert became[0] == became[1]


@given(filed())
@LAW
def test_each_meets_at_most_one_and_the_sums_are_those_of_the_findings(
    case: tuple[Exam, list[Finding]],
) -> None:
    exam, findings = case
    matching = rate(findings, exam).matching
    assert [judged.number for judged in matching.findings] == list(range(len(findings)))
    met = [judged.about for judged in matching.findings if judged.earned]
    assert len(met) == len(set(met))
    assert math.fsum(j.earned for j in matching.findings) == pytest.approx(matching.earned)
    assert math.fsum(j.charge for j in matching.findings) == pytest.approx(matching.charged)


@given(filed())
@LAW
def test_the_assignment_is_the_best_of_all(case: tuple[Exam, list[Finding]]) -> None:
    exam, findings = case
    findings = findings[:5]
    weights = [WEIGHT[flaw.severity] for flaw in exam.key.flaws]
    table = [worth(one, exam) for one in findings]
    useful = [n for n, row in enumerate(table) if max(row) > 0]
    matching = rate(findings, exam).matching
    fixed = math.fsum(j.charge for j in matching.findings if j.number not in useful)
    best = 0.0
    # Each useful finding takes a flaw that it meets, or none (-1), in every way there is.
    for taken in itertools.product(range(-1, len(weights)), repeat=len(useful)):
        used = [flaw for flaw in taken if flaw >= 0]
        pairs = [(n, flaw) for n, flaw in zip(useful, taken, strict=True) if flaw >= 0]
        if len(set(used)) < len(used) or any(table[n][flaw] == 0 for n, flaw in pairs):
            continue
        earned = sum(weights[flaw] * table[n][flaw] for n, flaw in pairs)
        charged = fixed + REPEAT * min(weights) * (len(useful) - len(pairs))
        best = max(best, earned / (sum(weights) + charged))
    assert matching.share == pytest.approx(best)


@given(filed(), st.data())
@LAW
def test_adding_a_right_finding_never_lowers_anything(
    case: tuple[Exam, list[Finding]], data: st.DataObject
) -> None:
    exam, findings = case
    full = np.array([worth(one, exam) for one in findings]).reshape(-1, len(exam.key.flaws)) == 1
    free = [flaw for flaw, met in zip(exam.key.flaws, full.any(axis=0), strict=True) if not met]
    if not free:
        return
    flaw = data.draw(st.sampled_from(free))
    right = {
        "flaw": data.draw(st.sampled_from(sorted(c for c, share in flaw.classes.items() if share == 1))),
        "at": data.draw(st.sampled_from(flaw.places)).plain(),
        "severity": data.draw(st.sampled_from(words(Severity))),
    }
    not_below(rate([*findings, right], exam), rate(findings, exam))


@given(filed(), st.data())
@LAW
def test_adding_a_wrong_finding_never_raises_anything(
    case: tuple[Exam, list[Finding]], data: st.DataObject
) -> None:
    exam, findings = case
    wrong = {
        "flaw": data.draw(st.sampled_from(words(Flaw))),
        "at": data.draw(st.sampled_from(exam.places)),
        "severity": data.draw(st.sampled_from(words(Severity))),
    }
    if any(worth(wrong, exam)):
        return
    not_below(rate(findings, exam), rate([*findings, wrong], exam))


@given(filed(), st.data())
@LAW
def test_correcting_a_wrong_finding_never_lowers_anything(
    case: tuple[Exam, list[Finding]], data: st.DataObject
) -> None:
    exam, findings = case
    before = rate(findings, exam)
    wrong = [judged.number for judged in before.matching.findings if judged.status in WRONG]
    if not wrong:
        return
    number = data.draw(st.sampled_from(wrong))
    flaw = data.draw(st.sampled_from(exam.key.flaws))
    corrected = dict(findings[number])
    for step in data.draw(st.permutations(["flaw", "at"])):
        corrected[step] = flaw.flaw.value if step == "flaw" else flaw.places[0].plain()
        if step == "at" and not any(worth(corrected, exam)):
            continue  # half corrected: it may have walked into a decoy
        if any(worth(corrected, exam)):
            changed = [*findings[:number], corrected, *findings[number + 1 :]]
            not_below(rate(changed, exam), before)
            return


@given(filed())
@LAW
def test_correcting_a_half_found_finding_never_lowers_the_share(case: tuple[Exam, list[Finding]]) -> None:
    exam, findings = case
    before = rate(findings, exam)
    for judged in before.matching.findings:
        if judged.status is Status.HALF_FOUND:
            flaw = next(flaw for flaw in exam.key.flaws if flaw.id == judged.about)
            one = findings[judged.number]
            for better in ({"flaw": flaw.flaw.value}, {"at": flaw.places[0].plain()}):
                changed = list(findings)
                changed[judged.number] = {**one, **better}
                after = rate(changed, exam)
                assert after.matching.share >= before.matching.share - LESS


@given(filed(), st.text(max_size=50))
@settings(max_examples=20, deadline=None)
def test_texts_are_never_scored(case: tuple[Exam, list[Finding]], text: str) -> None:
    exam, findings = case
    plain = score({"findings": findings}, exam.key)
    stuffed = [{**one, "why": text} for one in findings]
    told = score({"findings": stuffed, "falsifier": text, "why_not": text}, exam.key)
    assert told.total == plain.total


# -- what critics of known kinds earn


@pytest.mark.parametrize("seed", SEEDS)
def test_the_model_critique_scores_one(seed: int) -> None:
    exam = EXAMS[seed]
    best = score(model_answer(exam.key), exam.key, lab=1.0, calculations=1.0)
    assert best.total == pytest.approx(1.0, abs=LESS)
    assert best.critique == pytest.approx(1.0, abs=LESS)
    assert {judged.status for judged in best.matching.findings} == {Status.FOUND}


@pytest.mark.parametrize("name", GAMERS)
def test_a_gamer_stays_under_a_third_of_the_model_critique(name: str) -> None:
    for exam in list(EXAMS.values())[:25]:
        for attempt in GAMERS[name](exam.key, exam.places):
            # Even with claim, verdict and judgements guessed right, and of the critique's own parts alone.
            lucky = score(informed(attempt, exam.key), exam.key, most_findings=MANY)
            assert lucky.critique < 1 / 3
            assert lucky.total < 0.11
            assert lucky.matching.share < 0.27
            own = score(attempt, exam.key, most_findings=MANY)
            assert own.critique < 0.17


def test_the_gamers_file_what_their_names_say() -> None:
    for exam in list(EXAMS.values())[:10]:
        model = model_answer(exam.key)["findings"]

        def filed(name: str, exam: Exam = exam) -> list[list[Finding]]:
            return [attempt.get("findings", []) for attempt in GAMERS[name](exam.key, exam.places)]

        def statuses(findings: list[Finding], exam: Exam = exam) -> set[Status]:
            return {judged.status for judged in match(findings, exam.key).findings}

        (classes,) = filed("wrong class, right place")
        assert [one["at"] for one in classes] == [one["at"] for one in model]
        assert statuses(classes) <= {*WRONG, Status.FAIR}
        (moved,) = filed("right class, wrong place")
        assert [one["flaw"] for one in moved] == [one["flaw"] for one in model]
        assert statuses(moved) <= {*WRONG, Status.FAIR}
        (decoys,) = filed("all decoys")
        assert len(decoys) == len(exam.key.decoys)
        assert statuses(decoys) == {Status.DECOY}
        (everything,) = filed("every class everywhere")
        assert len(everything) == 34 * len(exam.places)
        assert [len(one) for one in filed("copies of a right finding")] == [50] * len(model)
        assert {len(one) for one in filed("one class everywhere")} == {len(exam.places)}
        assert {len(one) for one in filed("every class at one right place")} == {34}
        assert filed("a verdict alone") == [[], [], []]
        assert filed("everything is fine") == filed("empty") == [[]]
        (stuffed,) = GAMERS["stuffed texts"](exam.key, exam.places)
        assert len(stuffed["falsifier"]) > 5000


def test_an_expert_who_reads_a_little_differently_is_well_above_every_gamer() -> None:
    scores = [score(expert(exam.key, exam.places)[0], exam.key).critique for exam in EXAMS.values()]
    assert min(scores) > 0.35
    assert np.median(scores) > 0.5


def test_copies_never_earn_more_than_the_finding_itself() -> None:
    for exam in EXAMS.values():
        # One that meets a single flaw: where the same words meet a second, a second finding is no copy.
        one = [f for f in model_answer(exam.key)["findings"] if np.count_nonzero(worth(f, exam)) == 1][:1]
        assert one
        shares = [rate(one * times, exam).matching.share for times in (1, 2, 3, 10)]
        assert shares == sorted(shares, reverse=True)
        assert shares[1] > 0.85 * shares[0]  # an honest repeat costs little


@pytest.mark.parametrize("exam", SOUND_EXAMS)
def test_on_a_sound_paper_silence_is_right_and_earns_under_a_third_of_the_whole(exam: Exam) -> None:
    model = model_answer(exam.key)
    assert model["findings"] == []
    silent = score(model, exam.key)
    assert silent.parts["findings"] == 1.0
    assert silent.critique == pytest.approx(1.0, abs=LESS)
    assert silent.total < 1 / 3
    assert score(model, exam.key, lab=1.0, calculations=1.0).total == pytest.approx(1.0, abs=LESS)
    alone = {name: model[name] for name in ("verdict", "findings")}
    assert score(alone, exam.key).total < 0.28
    (fine,) = all_fine(exam.key, exam.places)
    assert score(informed(fine, exam.key), exam.key).total < 1 / 3
    taken = score({**model, **all_decoys(exam.key, exam.places)[0]}, exam.key)
    count = len(exam.key.decoys)
    assert taken.parts["findings"] == pytest.approx(SOUND / (SOUND + DECOY * count))
    assert taken.parts["verdict"] == taken.parts["findings"]
    assert score(empty(exam.key, exam.places)[0], exam.key).parts["verdict"] == 0.0


def test_the_default_weights_keep_the_critiques_own_parts_under_a_third() -> None:
    own = sum(getattr(WEIGHTS, part) for part in PARTS)
    assert own < 1 / 3
    assert own + WEIGHTS.lab + WEIGHTS.calculations == pytest.approx(1.0)


def test_charges_fall_from_what_is_worst_to_what_is_least() -> None:
    assert (DECOY, FALSE_ALARM, NEAR_MISS, REPEAT) == (1.5, 1.0, 0.5, 0.5)
    assert list(WEIGHT.values()) == [4.0, 2.0, 1.0]


# -- the rule by hand, on one key: tuning (fatal, 4) and seeds (minor, 1), so W = 5 and u = 2.5

TOY = load_key(DATA)


def file(flaw: str, severity: str = "major", **at: Any) -> Finding:
    return {"flaw": flaw, "at": {kind: str(name) for kind, name in at.items()}, "severity": severity}


@pytest.mark.parametrize(
    ("findings", "statuses", "share"),
    [
        ([file("untuned_baseline", appendix="B")], ["found"], 4 / 5),
        ([file("unequal_training", appendix="B.2")], ["found"], 4 / 5),
        ([file("dated_baseline", appendix="B")], ["half found"], 2 / 5),
        ([file("untuned_baseline", table=3)], ["half found"], 2 / 5),
        ([file("dated_baseline", table=3)], ["half found"], 1 / 5),
        ([file("no_variance", table=1, row="ours")], ["found"], 1 / 5),
        ([file("untuned_baseline", table=3, row="ours")], ["near miss"], 0),
        ([file("copied_numbers", appendix="B")], ["near miss"], 0),
        ([file("untuned_baseline", table=1)], ["false alarm"], 0),
        ([file("misleading_plot", figure=2)], ["decoy"], 0),
        ([file("judge_bias", section="5.1")], ["decoy"], 0),
        ([file("over_generalised", section=6)], ["fair remark"], 0),
        (
            [file("untuned_baseline", appendix="B"), file("over_generalised", section=6)],
            ["found", "fair"],
            4 / 5,
        ),
        (
            [file("untuned_baseline", appendix="B"), file("untuned_baseline", table=3, row="baseline")],
            ["found", "repeat"],
            4 / (5 + REPEAT),
        ),
        (
            [file("untuned_baseline", appendix="B"), file("copied_numbers", appendix="B")],
            ["found", "near miss"],
            4 / (5 + NEAR_MISS * 2.5),
        ),
        (
            [file("untuned_baseline", appendix="B"), file("judge_bias", figure=2)],
            ["found", "false alarm"],
            4 / (5 + FALSE_ALARM * 2.5),
        ),
        (
            [file("untuned_baseline", appendix="B"), file("misleading_plot", figure=2)],
            ["found", "decoy"],
            4 / (5 + DECOY * 2.5),
        ),
        ([file("untuned_baseline", appendix="B"), file("no_variance", table=1)], ["found", "found"], 1.0),
    ],
)
def test_the_rule_by_hand(findings: list[Finding], statuses: list[str], share: float) -> None:
    matching = match(findings, TOY)
    assert [judged.status.value for judged in matching.findings] == [s.split(" remark")[0] for s in statuses]
    assert matching.share == pytest.approx(share)


def test_the_best_for_the_learner_may_earn_less_and_be_charged_less() -> None:
    def planted(name: str, classes: dict[str, float], **at: Any) -> dict[str, Any]:
        told = {"id": name, "severity": "minor", "corrected": "less", "survives": True}
        return {**told, "flaw": name, "classes": classes, "places": [at]}

    flaws = [
        planted("no_variance", {"wrong_error_bars": 0.5}, table=1),
        planted("best_of_seeds", {"no_variance": 0.4}, table=1),
        planted("contamination", {}, section=2),
    ]
    key = load_key({"paper": "three", "verdict": {"supported": 1}, "flaws": flaws})
    findings = [
        file("no_variance", table=1),
        file("wrong_error_bars", table=1),
        file("contamination", section=2),
    ]
    # The first at its own flaw would earn 2 with a repeat beside it: 2 / 3.5.
    assert match(findings, key).share == pytest.approx((0.4 + 0.5 + 1) / 3)


@pytest.mark.parametrize(
    ("severities", "ranked"),
    [
        (("fatal", "minor"), 1.0),
        (("fatal", "major"), 1.0),
        (("major", "minor"), 1.0),
        (("major", "major"), 0.0),
        (("minor", "fatal"), 0.0),
    ],
)
def test_severity_is_an_order(severities: tuple[str, str], ranked: float) -> None:
    findings = [
        file("untuned_baseline", severities[0], appendix="B"),
        file("no_variance", severities[1], table=1),
    ]
    assert match(findings, TOY).ranked == ranked
    half = [{**findings[0], "flaw": "dated_baseline"}, findings[1]]
    assert match(half, TOY).ranked == ranked / 2
    assert match(findings[:1], TOY).ranked == 0.0


def test_flaws_of_one_severity_are_compared_with_it() -> None:
    data = {**DATA, "flaws": [{**flaw, "severity": "major"} for flaw in DATA["flaws"]]}
    findings = [file("untuned_baseline", "major", appendix="B"), file("no_variance", "minor", table=1)]
    assert match(findings, load_key(data)).ranked == 0.5


def test_parts_are_weighed_and_what_the_key_does_not_judge_is_left_out() -> None:
    model = model_answer(TOY)
    found = {**model, "findings": model["findings"][:1], "verdict": "undecidable", "baseline": "given_less"}
    result = score(found, TOY, lab=0.5, calculations=0.25)
    expected = {"claim": 1.0, "findings": 0.8, "severity": 0.0, "judgements": 0.4, "verdict": 0.4}
    assert result.parts == pytest.approx(expected)
    own = 0.03 * 1 + 0.2 * 0.8 + 0.03 * 0.4 + 0.04 * 0.4
    assert result.critique == pytest.approx(own / 0.33)
    assert result.total == pytest.approx(own + 0.37 * 0.5 + 0.3 * 0.25)
    only = score(found, TOY, weights=Weights(0, 1, 0, 0, 0, 0, 0))
    assert only.total == only.critique == pytest.approx(0.8)
    bare = load_key({name: part for name, part in DATA.items() if name not in ("claim", "judgements")})
    assert set(score(found, bare).parts) == {"findings", "severity", "verdict"}
    assert score(model_answer(bare), bare, lab=1, calculations=1).total == pytest.approx(1.0)
    one_wrong = {**model, "claim": {**model["claim"], "scope": "everything"}}
    assert score(one_wrong, TOY).parts["claim"] == pytest.approx(0.8)


@pytest.mark.parametrize("value", [-0.1, 1.1, math.nan])
def test_scores_from_elsewhere_lie_between_zero_and_one(value: float) -> None:
    with pytest.raises(ValueError, match="lab must lie between 0 and 1"):
        score({}, TOY, lab=value)
    with pytest.raises(ValueError, match="calculations must lie"):
        score({}, TOY, calculations=value)


@pytest.mark.parametrize("weights", [{"lab": -1.0}, {"findings": math.inf}, dict.fromkeys(PARTS, 0.0)])
def test_weights_out_of_form_are_refused(weights: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="weight"):
        Weights(**weights)


def test_an_answer_out_of_form_is_refused_and_not_scored() -> None:
    with pytest.raises(CritiqueError):
        score({"findings": 3}, TOY)


def test_a_true_remark_near_a_flaw_that_was_met_is_no_repeat() -> None:
    """An expert who sees two things at one place pays for neither."""
    flaw = {**DATA["flaws"][0], "classes": {"no_variance": 0.5}}
    place = flaw["places"][0]
    fair = {"places": [place], "classes": ["no_variance"]}
    filed = {"findings": [file(flaw["flaw"], **place), file("no_variance", **place)]}
    plain = score(filed, load_key({**DATA, "flaws": [flaw], "fair": []}))
    kind = score(filed, load_key({**DATA, "flaws": [flaw], "fair": [fair]}))
    assert [one.status for one in plain.matching.findings] == [Status.FOUND, Status.REPEAT]
    assert [one.status for one in kind.matching.findings] == [Status.FOUND, Status.FAIR]
    assert kind.matching.charged == 0 < plain.matching.charged
    alone = score({"findings": filed["findings"][1:]}, load_key({**DATA, "flaws": [flaw], "fair": [fair]}))
    assert alone.matching.findings[0].status is Status.HALF_FOUND
