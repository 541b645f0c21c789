"""How a critique is scored against a key.

**The rule.** A planted flaw weighs ``w`` = 4 (fatal), 2 (major) or 1 (minor); ``W`` is their sum and ``u``
their mean. A finding is worth ``k = class share * place share`` to a flaw: the class share comes from the
key, the place share is 1 inside an accepted place and 1/2 where the place only contains or overlaps one.
Each finding is matched to at most one flaw and each flaw to at most one finding, in the way that is best
for the learner:

    T = sum of w * k over the matches
    A = sum of charges over the rest: a decoy taken 1.5 u, a false alarm u, a near miss u/2,
        a repeat min(w)/2, a fair remark 0 (also one that comes near a flaw met by another)
    S = T / (W + A);   on a sound paper, where W = 0:  S = 3 / (3 + A) with u = 1

    findings   = S
    severity   = min(S, share of the key's pairs of unequal severity that the answer puts in that order)
    judgements = S * (mean credit of what was judged)
    verdict    = S * (credit of the verdict)
    claim      = mean credit of its parts

*Why S.* With recall ``R = T / W`` and precision ``P = T / (T + A)`` it is the weighted Jaccard index:
``1/S = 1/R + 1/P - 1``. Found shares add up, and each false alarm costs as much as one more flaw of average
weight that was missed. The F measure is kinder to whoever files everything: with 6 flaws and 30 false
alarms it gives 2/7 where S gives 1/6. The charge is in units of the paper's own flaws, so that no paper is
cheaper to flood.

*Why products.* A class without its place is a guess from a list of 34, and a place without its class is a
finger on a table, so either alone is worth nothing. An honest expert whose reading differs has four
cushions: a class that says the same is in the key with share 1, one that comes near with at most 1/2; a
whole table for one of its rows is worth 1/2; a wrong class of the same group at the right place, or the
right class elsewhere in the same table or section, is a *near miss* at half the charge; and what is true of
the paper without having been planted costs nothing where the key lists it as fair.

*Why the rest hangs on S.* A verdict is one word of three, and guessing the commonest would pay. It counts
as far as findings back it, and so do judgements and severities. On a sound paper silence backs it. There is
no other special case, and the parts' weights do not depend on the paper, which would tell what it is. The
critique's own parts weigh less than a third together, so that "everything is fine" on a sound paper stays
below a third: the rest is earned in the lab and by calculation. The claim is free of S, since it can be
right on its own; it weighs little.

*What a gamer can do.* Flooding (every class everywhere, one class everywhere, every class at one place)
raises A in proportion and T by no more than W. A second class at the same place costs a near miss or a
false alarm. Copies are charged, and earn nothing unless the same words meet a second planted flaw. Texts
are never read. Severity only counts pairs that are put in order, so that one severity for all earns nothing
where the key has several.

**Laws**, each shown by an assignment of the new findings that is at least as good, since the best one is
taken: adding a finding that meets a flaw in full which nothing met in full never lowers any part (a match
of at most 1/2 may become a repeat; it gains at least w/2 and is charged at most w/2, and T <= W); adding a
finding that meets no flaw never raises any; correcting the class or place of a wrong finding never lowers
any (charges fall in the order decoy, false alarm, near miss, repeat), and correcting that of a half found
one towards its flaw never lowers S. Findings are sorted before they are matched, so that their order
changes nothing, not even rounding.

Sources: weighted F1 with places and top-k localisation as in FLAWS (arXiv 2511.21843) and SPOT (arXiv
2505.11855); that flags without a verdict are not enough: BadScientist (arXiv 2510.18003).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fourrounds.critique.answer import MOST_FINDINGS, check
from fourrounds.critique.key import Key, Planted
from fourrounds.critique.places import Place, folded, read_place
from fourrounds.critique.vocabulary import GROUPS, Severity

WEIGHT = {Severity.fatal: 4.0, Severity.major: 2.0, Severity.minor: 1.0}
"""What a flaw weighs."""
DECOY, FALSE_ALARM, NEAR_MISS, REPEAT = 1.5, 1.0, 0.5, 0.5
"""Charges: the first three in units of the key's mean weight, a repeat in units of its smallest."""
SOUND = 3.0
"""What stands for W on a sound paper: as if three flaws were at stake."""


@dataclass(frozen=True)
class Weights:
    """What each part of the score weighs. Only their proportions matter.

    ``lab`` and ``calculations`` are scored elsewhere, from 0 to 1. Raises ``ValueError`` for a weight that is
    negative or not finite, and if all of the critique's own are zero.
    """

    claim: float = 0.03
    findings: float = 0.20
    severity: float = 0.03
    judgements: float = 0.03
    verdict: float = 0.04
    lab: float = 0.37
    calculations: float = 0.30

    def __post_init__(self) -> None:
        values = [getattr(self, field.name) for field in fields(self)]
        if not all(math.isfinite(value) and value >= 0 for value in values):
            raise ValueError("a weight must be a finite number of at least 0")
        if sum(getattr(self, part) for part in PARTS) <= 0:
            raise ValueError("no part of the critique has a weight")


PARTS = ("claim", "findings", "severity", "judgements", "verdict")
"""The parts that are scored here."""
WEIGHTS = Weights()
"""The default: the critique's own parts have 0.33 of the whole."""


class Status(StrEnum):
    """What became of a finding."""

    FOUND = "found"
    HALF_FOUND = "half found"
    REPEAT = "repeat"
    NEAR_MISS = "near miss"
    FALSE_ALARM = "false alarm"
    DECOY = "decoy"
    FAIR = "fair"


@dataclass(frozen=True)
class Judged:
    """What became of one finding.

    ``number`` is its index in the answer; ``about`` the id of the flaw or the decoy that it has to do with;
    ``earned`` its share of T and ``charge`` its share of A, both in units of weight.
    """

    number: int
    status: Status
    about: str | None = None
    earned: float = 0.0
    charge: float = 0.0


@dataclass(frozen=True)
class Matching:
    """Findings against flaws: T, A, W and S of the rule, the agreement on severity (0 to 1, before it is held
    to S), and what became of each finding, in the order of the answer."""

    earned: float
    charged: float
    planted: float
    share: float
    ranked: float
    findings: tuple[Judged, ...]

    @property
    def recall(self) -> float:
        """T / W; 1 on a sound paper."""
        return self.earned / self.planted if self.planted else 1.0

    @property
    def precision(self) -> float:
        """T / (T + A); 1 where nothing was filed that counts."""
        total = self.earned + self.charged
        return self.earned / total if total else 1.0

    def of_flaw(self, flaw: str) -> Judged | None:
        """The finding that is matched to this flaw, if one is."""
        return next((j for j in self.findings if j.about == flaw and j.earned), None)


@dataclass(frozen=True)
class Score:
    """The score of a critique, all numbers from 0 to 1.

    ``parts`` holds those of :data:`PARTS` that the key judges; ``critique`` is their weighted mean, and
    ``total`` that of the parts with ``lab`` and ``calculations``. ``filed`` is the critique as it was read.
    """

    total: float
    critique: float
    parts: Mapping[str, float]
    lab: float
    calculations: float
    matching: Matching
    filed: Mapping[str, Any]


def score(
    answer: Any,
    key: Key,
    *,
    lab: float = 0.0,
    calculations: float = 0.0,
    weights: Weights = WEIGHTS,
    most_findings: int = MOST_FINDINGS,
) -> Score:
    """Score a critique by the rule of this module.

    Parameters
    ----------
    answer : what :func:`~fourrounds.critique.answer.critique` returns, or any data that claims to be that
    lab, calculations : the scores of the lab plan and of the calculations, from 0 to 1
    weights : the parts' weights; a part that the key does not judge is left out
    most_findings : how many findings are read; more are refused

    Raises
    ------
    CritiqueError : the answer is out of form
    ValueError : ``lab`` or ``calculations`` is not in [0, 1]
    """
    for name, value in (("lab", lab), ("calculations", calculations)):
        if not 0.0 <= value <= 1.0:
            raise ValueError(f"{name} must lie between 0 and 1, and is {value}")
    filed = check(answer, most_findings)
    stated = filed["claim"] or {}
    matching = match(filed["findings"], key)
    parts = {
        "findings": matching.share,
        "severity": min(matching.share, matching.ranked),
        "verdict": matching.share * key.verdict.get(filed["verdict"], 0.0),
    }
    if key.claim:
        credits = [options.get(folded(stated.get(slot, "")), 0.0) for slot, options in key.claim.items()]
        parts["claim"] = _mean(credits)
    if key.judgements:
        credits = [accepted.get(filed[name], 0.0) for name, accepted in key.judgements.items()]
        parts["judgements"] = matching.share * _mean(credits)
    own = {part: parts[part] for part in PARTS if part in parts}
    return Score(
        total=_weighted({**own, "lab": lab, "calculations": calculations}, weights),
        critique=_weighted(own, weights),
        parts=own,
        lab=lab,
        calculations=calculations,
        matching=matching,
        filed=filed,
    )


def match(findings: Sequence[Mapping[str, Any]], key: Key) -> Matching:
    """Match findings to the flaws of a key so that S is largest.

    ``findings`` are checked ones. They are sorted; beyond that the time is linear in their number, and
    exponential in that of the flaws, of which a key holds at most eight. Raises :class:`CritiqueError` for a
    place out of form.
    """
    read = [(f["flaw"], read_place(f["at"]), f["severity"], n) for n, f in enumerate(findings)]
    read.sort()
    weights = np.array([WEIGHT[flaw.severity] for flaw in key.flaws])
    planted = float(weights.sum())
    unit = planted / len(key.flaws) if key.flaws else 1.0
    repeat = REPEAT * float(weights.min()) if key.flaws else 0.0
    reached = {at: [planted.place_share(at) for planted in key.flaws] for _, at, _, _ in read}
    credits = np.array(
        [
            [planted.class_share(flaw) * share for planted, share in zip(key.flaws, reached[at], strict=True)]
            for flaw, at, _, _ in read
        ]
    ).reshape(len(read), len(key.flaws))
    meets = credits.max(axis=1, initial=0.0) > 0
    wrong = {row: _wrong(read[row][0], read[row][1], key, unit) for row in np.flatnonzero(~meets)}
    fixed = math.fsum(charge for _, _, charge in wrong.values())
    rows = np.flatnonzero(meets)
    base = planted if key.flaws else SOUND

    # A true remark that comes near a flaw which another finding has met is a remark, and no repeat.
    free = np.array([_is_fair(read[row][0], read[row][1], key) for row in rows], dtype=bool)
    values, choices = _assign(credits[rows] * weights, free)
    paid = int((~free).sum()) - np.arange(values.shape[0])[:, None]
    charged = fixed + repeat * np.broadcast_to(paid, values.shape)
    shares = (values if key.flaws else np.full(values.shape, SOUND)) / (base + charged)
    best = np.unravel_index(int(np.argmax(np.where(np.isfinite(values), shares, -1.0))), values.shape)

    judged: list[Judged] = []
    for row, flaw, is_free in zip(rows, _taken(choices, free, best), free, strict=True):
        number = read[row][3]
        if flaw < 0 and is_free:
            judged.append(Judged(number, Status.FAIR))
        elif flaw < 0:
            about = key.flaws[int(np.argmax(credits[row]))].id
            judged.append(Judged(number, Status.REPEAT, about, charge=repeat))
        else:
            status = Status.FOUND if credits[row, flaw] == 1.0 else Status.HALF_FOUND
            earned = float(credits[row, flaw] * weights[flaw])
            judged.append(Judged(number, status, key.flaws[flaw].id, earned=earned))
    for row, (status, about_what, charge) in wrong.items():
        judged.append(Judged(read[row][3], status, about_what, charge=charge))
    return Matching(
        earned=float(values[best]),
        charged=float(charged[best]),
        planted=planted,
        share=float(shares[best]),
        ranked=_ranked(credits, [severity for _, _, severity, _ in read], key.flaws),
        findings=tuple(sorted(judged, key=lambda j: j.number)),
    )


def _wrong(flaw: str, at: Place, key: Key, unit: float) -> tuple[Status, str | None, float]:
    """The status, what it has to do with, and the charge of a finding that meets no flaw."""
    for decoy in key.decoys:
        if decoy.takes(flaw, at):
            return Status.DECOY, decoy.id, DECOY * unit
    if _is_fair(flaw, at, key):
        return Status.FAIR, None, 0.0
    for planted in key.flaws:
        if planted.class_share(flaw) > 0:
            near = any(pattern.beside(at) for pattern in planted.places)
        else:
            near = flaw in GROUPS[planted.flaw.group] and planted.place_share(at) > 0
        if near:
            return Status.NEAR_MISS, planted.id, NEAR_MISS * unit
    return Status.FALSE_ALARM, None, FALSE_ALARM * unit


def _is_fair(flaw: str, at: Place, key: Key) -> bool:
    """Whether a finding is a remark that the key lists as true."""
    return any(remark.takes(flaw, at) for remark in key.fair)


def _assign(
    worth: NDArray[np.float64], free: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], list[NDArray[np.int8]]]:
    """The largest sum of ``worth`` for each set of columns that are taken, each by a row of its own, and each
    number of rows that are not ``free`` among the takers.

    ``worth`` is (rows, columns), zero where they cannot be matched, ``free`` (rows,). Returns the sums by
    number and set (a number whose bits are the columns; minus infinity where it cannot be), and for each row
    which column it takes in the best way there (-1: none).
    """
    columns = worth.shape[1]
    sets = np.arange(1 << columns)
    sums = np.full((columns + 1, sets.size), -np.inf)
    sums[0, 0] = 0.0
    choices = []
    for row, is_free in zip(worth, free, strict=True):
        after, choice = sums.copy(), np.full(sums.shape, -1, np.int8)
        for column in np.flatnonzero(row):
            having = (sets >> column) & 1 == 1
            through = np.full(sums.shape, -np.inf)
            without = sums[:, sets[having] ^ (1 << int(column))] + row[column]
            if is_free:
                through[:, having] = without
            else:
                through[1:, having] = without[:-1]
            better = through > after
            after[better], choice[better] = through[better], column
        sums = after
        choices.append(choice)
    return sums, choices


def _taken(
    choices: Sequence[NDArray[np.int8]], free: NDArray[np.bool_], best: tuple[np.intp, ...]
) -> list[int]:
    """The column that each row takes on the way to ``best``, a number and a set."""
    paid, chosen = (int(one) for one in best)
    taken = []
    for choice, is_free in zip(reversed(choices), reversed(free.tolist()), strict=True):
        column = int(choice[paid, chosen])
        taken.append(column)
        if column >= 0:
            chosen ^= 1 << column
            paid -= not is_free
    return taken[::-1]


def _ranked(credits: NDArray[np.float64], severities: Sequence[str], flaws: Sequence[Planted]) -> float:
    """How far the answer puts the flaws in the key's order of severity, from 0 to 1.

    Over the pairs of flaws of unequal severity: the pair's smaller credit if findings put it in the right
    order, else 0. Where all flaws are of one severity, the share of them that is given it. 1 if there are
    none.
    """
    if not flaws:
        return 1.0
    levels = [severity.value for severity in Severity]
    stated = np.zeros((len(flaws), len(levels)))
    for row, severity in zip(credits, severities, strict=True):
        level = levels.index(severity)
        stated[:, level] = np.maximum(stated[:, level], row)
    true = [levels.index(flaw.severity.value) for flaw in flaws]
    pairs = [(i, j) for i, a in enumerate(true) for j, b in enumerate(true) if a < b]
    if not pairs:
        return _mean([float(stated[i, level]) for i, level in enumerate(true)])
    return _mean(
        [
            max(
                float(min(stated[i, a], stated[j, b]))
                for a in range(len(levels))
                for b in range(a + 1, len(levels))
            )
            for i, j in pairs
        ]
    )


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


def _weighted(parts: Mapping[str, float], weights: Weights) -> float:
    total = math.fsum(getattr(weights, part) for part in parts)
    if total == 0:
        return 0.0
    return min(1.0, math.fsum(getattr(weights, part) * value for part, value in parts.items()) / total)
