"""The form of a key: what was planted in a paper, what only looks bad, and which answers are accepted.

Keys live outside the package. :func:`load_key` reads one from plain data or JSON and refuses one that could
not be scored fairly, with a :class:`KeyFault` that names the place in the key.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn

from fourrounds.critique import answer
from fourrounds.critique.answer import CHOICES, SLOTS
from fourrounds.critique.places import BROAD, CritiqueError, Place, folded, read_place
from fourrounds.critique.vocabulary import Flaw, Severity, Verdict, words

MOST_FLAWS = 8
"""A key holds at most this many flaws: the score looks at every set of them."""
JUDGEMENTS = ("ran", "baseline", "ablation", "contamination")
"""The single choices that a key may judge, beside the verdict."""


class KeyFault(ValueError):
    """A key is out of form. The message names the part of the key."""


@dataclass(frozen=True)
class Planted:
    """A planted flaw.

    ``classes`` maps each accepted class to its share of the credit: 1 for the class itself and for those
    that say the same, at most one half for those that come near. ``places`` are patterns; the first is the
    one that the model critique cites. ``effect`` is what correcting the flaw does to the claim, in ``unit``
    (None where it cannot be put in numbers), ``corrected`` says it in words, and ``survives`` whether the
    conclusion stands after that.
    """

    id: str
    flaw: Flaw
    severity: Severity
    places: tuple[Place, ...]
    corrected: str
    survives: bool
    classes: Mapping[str, float] = field(default_factory=dict)
    effect: float | None = None
    unit: str = ""

    def place_share(self, given: Place) -> float:
        """What a place is worth for this flaw: 1, one half or 0, by the best of its patterns."""
        return max(pattern.accepts(given) for pattern in self.places)

    def class_share(self, flaw: str) -> float:
        """What a class is worth for this flaw, from 0 to 1."""
        return self.classes.get(flaw, 0.0)


@dataclass(frozen=True)
class Decoy:
    """What looks bad and is fine. ``classes`` are those that people file there; empty stands for any."""

    id: str
    places: tuple[Place, ...]
    classes: frozenset[str]
    fine: str

    def takes(self, flaw: str, given: Place) -> bool:
        """Whether a finding of this class, at or inside one of the places, was taken in."""
        return (not self.classes or flaw in self.classes) and any(
            pattern.accepts(given) == 1.0 for pattern in self.places
        )


@dataclass(frozen=True)
class Fair:
    """A remark that is true of the paper without having been planted: it earns and costs nothing."""

    places: tuple[Place, ...]
    classes: frozenset[str]

    def takes(self, flaw: str, given: Place) -> bool:
        """Whether a finding is this remark; a place that overlaps one of its places will do."""
        return flaw in self.classes and any(pattern.accepts(given) > 0 for pattern in self.places)


@dataclass(frozen=True)
class Key:
    """The key of one paper.

    ``claim`` maps each slot to the accepted options and their credit, ``judgements`` each of
    :data:`JUDGEMENTS` that the paper allows to judge to the accepted answers and theirs, ``verdict``
    likewise. In each, some answer has credit 1. ``published`` is whether the paper is a real one, whose
    weaknesses nobody planted.
    """

    paper: str
    flaws: tuple[Planted, ...]
    decoys: tuple[Decoy, ...]
    fair: tuple[Fair, ...]
    claim: Mapping[str, Mapping[str, float]]
    judgements: Mapping[str, Mapping[str, float]]
    verdict: Mapping[str, float]
    published: bool = False

    @property
    def sound(self) -> bool:
        """Whether nothing was planted."""
        return not self.flaws


def model_answer(key: Key) -> dict[str, Any]:
    """The key filed as a critique: each flaw once at its first place, and the best accepted answer of each
    part.

    Its texts are what the key says of correcting each flaw. It has no lab plan, since a key holds none.
    """
    findings = [
        answer.finding(flaw.flaw, flaw.places[0].plain(), flaw.severity, flaw.corrected) for flaw in key.flaws
    ]
    best = {
        name: max(sorted(accepted), key=accepted.__getitem__) for name, accepted in key.judgements.items()
    }
    claim = {slot: max(sorted(accepted), key=accepted.__getitem__) for slot, accepted in key.claim.items()}
    verdict = max(sorted(key.verdict), key=key.verdict.__getitem__)
    return answer.check({"claim": claim or None, "findings": findings, "verdict": verdict, **best})


def load_key(data: Any) -> Key:
    """A key from plain data, or from the text of a JSON file.

    >>> load_key({"paper": "p", "verdict": {"supported": 1}}).sound
    True

    Parameters
    ----------
    data : dict with ``paper``, ``verdict`` and, each if there is something to say, ``flaws``, ``decoys``,
        ``fair``, ``claim``, ``judgements``, ``published``; the fields are those of the classes above, places
        in the form of :mod:`fourrounds.critique.places`, ``classes`` of a flaw as ``{class: share}`` without
        the class itself

    Raises
    ------
    KeyFault : an unknown or missing field, a share above one half that is not 1, two flaws that one finding
        would meet in full, a decoy that meets a flaw, and whatever else is out of form
    """
    if isinstance(data, (str, bytes)):
        try:
            data = json.loads(data)
        except ValueError as error:
            raise KeyFault(f"the key is not JSON: {error}") from error
    fields = _fields(
        data,
        "the key",
        ("paper", "verdict"),
        ("flaws", "decoys", "fair", "claim", "judgements", "published"),
    )
    flaws = tuple(
        _planted(one, f"flaws[{n}]") for n, one in enumerate(_items(fields.get("flaws", []), "flaws"))
    )
    decoys = tuple(
        _decoy(one, f"decoys[{n}]") for n, one in enumerate(_items(fields.get("decoys", []), "decoys"))
    )
    fair = tuple(_fair(one, f"fair[{n}]") for n, one in enumerate(_items(fields.get("fair", []), "fair")))
    published = fields.get("published", False)
    if type(published) is not bool:
        _fault("published", "must be true or false")
    if len(flaws) > MOST_FLAWS:
        _fault("flaws", f"there are {len(flaws)}, and {MOST_FLAWS} at most can be scored")
    key = Key(
        paper=_text(fields["paper"], "paper"),
        flaws=flaws,
        decoys=decoys,
        fair=fair,
        claim=_claim(fields.get("claim", {})),
        judgements=_judgements(fields.get("judgements", {})),
        verdict=_credits(fields["verdict"], "verdict", words(Verdict)),
        published=published,
    )
    _ids([*flaws, *decoys])
    _disjoint(key)
    return key


def _fault(where: str, what: str) -> NoReturn:
    raise KeyFault(f"{where}: {what}")


def _fields(data: Any, where: str, due: Sequence[str], may: Sequence[str]) -> Mapping[str, Any]:
    if not isinstance(data, Mapping):
        _fault(where, f"must be a dict, and is a {type(data).__name__}")
    for name in due:
        if name not in data:
            _fault(where, f"lacks {name!r}")
    for name in data:
        if name not in (*due, *may):
            _fault(where, f"has an unknown field {name!r}")
    return data


def _items(data: Any, where: str) -> Sequence[Any]:
    if not isinstance(data, (list, tuple)):
        _fault(where, f"must be a list, and is a {type(data).__name__}")
    return data


def _text(data: Any, where: str) -> str:
    if not isinstance(data, str) or not data.strip():
        _fault(where, "must be a text that is not empty")
    return data


def _number(data: Any, where: str) -> float:
    if isinstance(data, bool) or not isinstance(data, (int, float)) or not math.isfinite(data):
        _fault(where, "must be a finite number")
    return float(data)


def _flaw(data: Any, where: str) -> Flaw:
    if not isinstance(data, str) or data not in words(Flaw):
        _fault(where, f"{data!r} is no class of flaw")
    return Flaw(data)


def _places(data: Any, where: str) -> tuple[Place, ...]:
    try:
        places = tuple(read_place(one, f"{where}[{n}]") for n, one in enumerate(_items(data, where)))
    except CritiqueError as error:
        raise KeyFault(str(error)) from error
    if not places:
        _fault(where, "names no place")
    return places


def _planted(data: Any, where: str) -> Planted:
    due = ("id", "flaw", "severity", "places", "corrected", "survives")
    fields = _fields(data, where, due, ("classes", "effect", "unit"))
    flaw = _flaw(fields["flaw"], f"{where}.flaw")
    near = _fields(fields.get("classes", {}), f"{where}.classes", (), words(Flaw))
    shares: dict[str, float] = {
        _flaw(name, f"{where}.classes").value: _number(share, f"{where}.classes")
        for name, share in near.items()
    }
    for name, share in shares.items():
        if name == flaw or not (0 < share <= BROAD or share == 1):
            _fault(f"{where}.classes.{name}", f"must be another class, with a share of 1 or at most {BROAD}")
    if fields["severity"] not in words(Severity):
        _fault(f"{where}.severity", f"must be one of {', '.join(words(Severity))}")
    if type(fields["survives"]) is not bool:
        _fault(f"{where}.survives", "must be true or false")
    effect = fields.get("effect")
    return Planted(
        id=_text(fields["id"], f"{where}.id"),
        flaw=flaw,
        severity=Severity(fields["severity"]),
        places=_places(fields["places"], f"{where}.places"),
        corrected=_text(fields["corrected"], f"{where}.corrected"),
        survives=fields["survives"],
        classes={flaw.value: 1.0, **shares},
        effect=None if effect is None else _number(effect, f"{where}.effect"),
        unit=_text(fields["unit"], f"{where}.unit") if "unit" in fields else "",
    )


def _classes(data: Any, where: str) -> frozenset[str]:
    return frozenset(_flaw(one, where).value for one in _items(data, where))


def _decoy(data: Any, where: str) -> Decoy:
    fields = _fields(data, where, ("id", "places", "fine"), ("classes",))
    return Decoy(
        _text(fields["id"], f"{where}.id"),
        _places(fields["places"], f"{where}.places"),
        _classes(fields.get("classes", []), f"{where}.classes"),
        _text(fields["fine"], f"{where}.fine"),
    )


def _fair(data: Any, where: str) -> Fair:
    fields = _fields(data, where, ("places", "classes"), ())
    return Fair(_places(fields["places"], f"{where}.places"), _classes(fields["classes"], f"{where}.classes"))


def _credits(data: Any, where: str, known: Sequence[str]) -> dict[str, float]:
    credits = {
        name: _number(value, f"{where}.{name}")
        for name, value in _fields(data, where, (), known or tuple(data)).items()
    }
    if not all(0 < value <= 1 for value in credits.values()) or 1.0 not in credits.values():
        _fault(where, "needs credits above 0 and up to 1, one of them 1")
    return credits


def _claim(data: Any) -> dict[str, dict[str, float]]:
    fields = _fields(data, "claim", SLOTS if data else (), SLOTS)
    return {
        slot: {
            folded(name): value
            for name, value in _credits(fields[slot], f"claim.{slot}", tuple(fields[slot])).items()
        }
        for slot in fields
    }


def _judgements(data: Any) -> dict[str, dict[str, float]]:
    fields = _fields(data, "judgements", (), JUDGEMENTS)
    return {name: _credits(fields[name], f"judgements.{name}", words(CHOICES[name])) for name in fields}


def _ids(parts: Sequence[Planted | Decoy]) -> None:
    seen: set[str] = set()
    for part in parts:
        if part.id in seen:
            _fault(part.id, "two flaws or decoys have this id")
        seen.add(part.id)


def _meet(one: Sequence[Place], other: Sequence[Place]) -> bool:
    return any(a.accepts(b) > 0 for a in one for b in other)


def _disjoint(key: Key) -> None:
    for n, flaw in enumerate(key.flaws):
        for other in key.flaws[:n]:
            full = {c for c, share in flaw.classes.items() if share == 1 and other.class_share(c) == 1}
            if full and _meet(flaw.places, other.places):
                _fault(
                    flaw.id, f"one finding could meet it and {other.id} in full: part their places or classes"
                )
        for decoy in key.decoys:
            shared = not decoy.classes or decoy.classes & set(flaw.classes)
            if shared and _meet(flaw.places, decoy.places):
                _fault(
                    decoy.id, f"a finding there could meet the flaw {flaw.id}: part their places or classes"
                )
    for n, remark in enumerate(key.fair):
        for decoy in key.decoys:
            shared = not decoy.classes or decoy.classes & remark.classes
            if shared and _meet(remark.places, decoy.places):
                _fault(f"fair[{n}]", f"a finding there could meet the decoy {decoy.id} too")
