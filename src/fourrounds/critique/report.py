"""What a learner reads of a score: what was found and missed, each false alarm, and how well people do.

Everything that a learner wrote is made inert (:mod:`fourrounds.critique.shown`).
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping

from fourrounds.critique.answer import SLOTS
from fourrounds.critique.key import Key, Planted
from fourrounds.critique.places import folded, told
from fourrounds.critique.score import Judged, Score, Status
from fourrounds.critique.shown import Shown, join, paragraph, table
from fourrounds.critique.vocabulary import Flaw, Severity

HUMAN = (0.29, 0.33)
"""The share of planted major errors that reviewers found: 2.58 to 3.0 of 9, the means of three rounds with
607 reviewers of a medical journal (Schroter et al. 2008, JRSM 101:507)."""

MOST_WHY = 300
"""The most characters of a learner's reason that a report repeats."""

_PART_WORDS = {
    "claim": "claim",
    "findings": "findings: what you found, held down by false alarms",
    "severity": "order of severity",
    "judgements": "judgements, as far as findings back them",
    "verdict": "verdict, as far as findings back it",
}


def major_recall(score: Score, key: Key) -> tuple[float, int]:
    """How many of the planted fatal and major flaws were found, one that is half found counting one half,
    and how many were planted."""
    major = [flaw.id for flaw in key.flaws if flaw.severity is not Severity.minor]
    worth = {Status.FOUND: 1.0, Status.HALF_FOUND: 0.5}
    met = [judged for judged in score.matching.findings if judged.earned and judged.about in major]
    return sum(worth[judged.status] for judged in met), len(major)


def report(score: Score, key: Key, reveal: bool = True, whole: bool = True) -> Shown:
    """The report on a critique; ``whole``: with lab plan and calculations, which are scored elsewhere.

    With ``reveal`` it shows the whole key. Without (for a retry, or an instructor who wants it so) it
    speaks of what was filed only: neither what was missed nor how much there was to find, no accepted
    answer, and a near miss looks like a false alarm.
    """
    parts = [_numbers(score, reveal, whole)]
    if reveal:
        parts.append(_planted(score, key))
        parts.append(_recall(score, key))
    parts += _filed(score, key, reveal)
    parts.append(_answers(score, key, reveal))
    return join(*parts)


def _numbers(score: Score, reveal: bool, whole: bool) -> Shown:
    rows = [(_PART_WORDS[name], f"{value:.2f}") for name, value in score.parts.items()]
    if whole:
        rows += [("lab plan", f"{score.lab:.2f}"), ("calculations", f"{score.calculations:.2f}")]
    if reveal:
        rows.append(("recall of the findings", f"{score.matching.recall:.2f}"))
        rows.append(("precision of the findings", f"{score.matching.precision:.2f}"))
    rows.append(("in all", f"{score.total if whole else score.critique:.2f}"))
    return table(("part", "from 0 to 1"), rows, "Your score")


def _words(flaw: str) -> str:
    return flaw.replace("_", " ")


def correcting(flaw: Planted) -> str:
    """What correcting a planted flaw does to the claim, in words."""
    size = "" if flaw.effect is None else f" ({flaw.effect:+g}{' ' + flaw.unit if flaw.unit else ''})"
    stands = "the conclusion stands" if flaw.survives else "the conclusion falls"
    return f"{flaw.corrected.rstrip('.')}{size}: {stands}."


def _planted(score: Score, key: Key) -> Shown:
    if key.sound:
        return paragraph("Nothing was planted in this paper: it is sound.")
    rows = []
    for flaw in key.flaws:
        judged = score.matching.of_flaw(flaw.id)
        status = {None: "✗ missed", Status.FOUND: "✓ found", Status.HALF_FOUND: "◐ half found"}
        rows.append(
            (
                status[judged.status if judged else None],
                _words(flaw.flaw),
                "; ".join(map(str, flaw.places)),
                flaw.severity,
                score.filed["findings"][judged.number]["severity"] if judged else "",
                correcting(flaw),
            )
        )
    what, title = (
        ("weakness", "What the key holds") if key.published else ("planted flaw", "What was planted")
    )
    return table(("", what, "where it shows", "severity", "yours", "correcting it"), rows, title)


def _recall(score: Score, key: Key) -> Shown:
    found, planted = major_recall(score, key)
    if not planted:
        return paragraph(
            "No major flaw was planted, so there is no recall to set beside that of other readers."
        )
    if key.published:
        return paragraph(
            f"You found {found:g} of the {planted} fatal or major weaknesses that the key holds "
            f"({found / planted:.0%}). Nobody planted them: they are what careful readers said."
        )
    return paragraph(
        f"You found {found:g} of {planted} planted fatal or major flaws ({found / planted:.0%}). "
        f"Reviewers of a medical journal found {HUMAN[0]:.0%} to {HUMAN[1]:.0%} of the major errors planted "
        "for them (Schroter et al. 2008)."
    )


def _filed(score: Score, key: Key, reveal: bool) -> list[Shown]:
    if not score.matching.findings:
        return [paragraph("You filed no finding.")]
    rows = []
    for judged in score.matching.findings:
        filed = score.filed["findings"][judged.number]
        rows.append(
            (
                str(judged.number + 1),
                _words(filed["flaw"]),
                told(filed["at"]),
                textwrap.shorten(filed["why"], MOST_WHY, placeholder=" ..."),
                *_become(judged, filed, key, reveal),
            )
        )
    return [table(("no.", "flaw", "where", "your reason", "it is", "because"), rows, "What you filed")]


def _become(judged: Judged, filed: Mapping[str, str], key: Key, reveal: bool) -> tuple[str, str]:
    """What a finding turned out to be, and why."""
    flaw = next((flaw for flaw in key.flaws if flaw.id == judged.about), None)
    decoy = next((decoy for decoy in key.decoys if decoy.id == judged.about), None)
    if judged.status is Status.DECOY and decoy is not None:
        return "a decoy taken", f"it looks bad and is fine: {decoy.fine}"
    if judged.status is Status.FOUND and flaw is not None:
        return "found", correcting(flaw)
    if judged.status is Status.HALF_FOUND:
        how = "the class comes near, or the place is wider than what it shows in"
        return "half found", f"{how}: it is {_words(flaw.flaw)}" if reveal and flaw is not None else how
    if judged.status is Status.REPEAT:
        return "a repeat", "another finding has met this flaw already: a flaw is filed once"
    if judged.status is Status.FAIR:
        return (
            "a fair remark",
            "true of the paper, though the key does not ask for it: it earns and costs nothing",
        )
    if judged.status is Status.NEAR_MISS and reveal and flaw is not None:
        if flaw.class_share(filed["flaw"]) > 0:
            return "a near miss", f"it is there, but elsewhere: {'; '.join(map(str, flaw.places))}"
        return "a near miss", f"the place is right, but what is wrong there is {_words(flaw.flaw)}"
    wants = Flaw(filed["flaw"]).about.says
    return "a false alarm", f"the key has no such flaw there. The class means: {wants}"


def _answers(score: Score, key: Key, reveal: bool) -> Shown:
    rows = []
    stated = score.filed["claim"] or {}
    for slot in (slot for slot in SLOTS if slot in key.claim):
        rows.append(_answer(f"claim: {slot}", stated.get(slot), key.claim[slot], reveal))
    for name, accepted in (*key.judgements.items(), ("verdict", key.verdict)):
        rows.append(_answer(name, score.filed[name], accepted, reveal))
    head = ("question", "your answer", "it is", *(["accepted"] if reveal else []))
    return table(head, rows, "Claim, judgements and verdict")


def _answer(what: str, given: str | None, accepted: Mapping[str, float], reveal: bool) -> tuple[str, ...]:
    credit = accepted.get(folded(given), 0.0) if given else 0.0
    became = (
        "not given" if given is None else "right" if credit == 1 else "partly right" if credit else "wrong"
    )
    best = sorted(accepted, key=lambda name: (-accepted[name], name))
    shown = ["; ".join(_words(name) for name in best)] if reveal else []
    return (what, _words(given) if given else "", became, *shown)
