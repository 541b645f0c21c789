"""Critics of known kinds: the model, an expert who reads a little differently, and those who game the score.

From a key and the places of its paper each makes the critiques that it would file; where it has a choice
(which class to repeat, which verdict to guess) it makes them all, and its score is that of the best. They
show what a rule of scoring is worth, on random keys in the tests and on each paper of the series.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from fourrounds.critique.answer import CHOICES, MOST_TEXT
from fourrounds.critique.key import Key, model_answer
from fourrounds.critique.places import read_place
from fourrounds.critique.score import WEIGHT
from fourrounds.critique.vocabulary import GROUPS, Flaw, Severity, Verdict, words

Finding = dict[str, Any]
Critique = dict[str, Any]
Where = Mapping[str, str]
COPIES = 50
"""How often the copier files its one right finding."""
LIKELY = (
    Flaw.untuned_baseline,
    Flaw.best_of_seeds,
    Flaw.no_variance,
    Flaw.test_set_selection,
    Flaw.confounded_ablation,
    Flaw.contamination,
)
"""What one may guess of any paper without reading it."""


def _file(flaw: str, at: Where, severity: str = "major", why: str = "") -> Finding:
    return {"flaw": str(flaw), "at": dict(at), "severity": str(severity), "why": why}


def _meets(key: Key, flaw: Flaw, at: Where) -> bool:
    where = read_place(dict(at))
    return any(planted.class_share(flaw) * planted.place_share(where) > 0 for planted in key.flaws)


def _right(key: Key) -> list[Finding]:
    return list(model_answer(key)["findings"])


def expert(key: Key, places: Sequence[Where]) -> list[Critique]:
    """Finds the graver two thirds of the flaws, cites one of them widely, calls one severity wrongly, and
    raises one false alarm."""
    filed = model_answer(key)
    order = sorted(range(len(key.flaws)), key=lambda n: -WEIGHT[key.flaws[n].severity])
    kept = [filed["findings"][n] for n in order[: max(1, round(len(order) * 2 / 3))]]
    if kept:
        at = kept[-1]["at"]
        kept[-1] = {**kept[-1], "at": {k: v for k, v in at.items() if k not in ("row", "column")}}
        kept[0] = {**kept[0], "severity": Severity.major.value}
    alarm = next(_file(f, at) for f in Flaw for at in places if not _meets(key, f, at))
    return [{**filed, "findings": [*kept, alarm]}]


def everything_everywhere(key: Key, places: Sequence[Where]) -> list[Critique]:
    """Every class at every place."""
    return [{"findings": [_file(flaw, at) for flaw in Flaw for at in places]}]


def empty(key: Key, places: Sequence[Where]) -> list[Critique]:
    """Nothing at all."""
    return [{}]


def all_decoys(key: Key, places: Sequence[Where]) -> list[Critique]:
    """Whatever looks bad and is fine."""
    taken = [
        _file(min(decoy.classes, default=Flaw.no_variance), decoy.places[0].plain()) for decoy in key.decoys
    ]
    return [{"findings": taken}]


def wrong_places(key: Key, places: Sequence[Where]) -> list[Critique]:
    """Each planted class, at a place where it meets nothing."""
    moved = []
    for number, planted in enumerate(key.flaws):
        free = [at for at in places if not _meets(key, planted.flaw, at)]
        moved += [_file(planted.flaw, free[number % len(free)], planted.severity)] if free else []
    return [{"findings": moved}]


def wrong_classes(key: Key, places: Sequence[Where]) -> list[Critique]:
    """At each right place a class that meets nothing there, of the same group where one is left."""
    renamed = []
    for planted in key.flaws:
        at = planted.places[0].plain()
        order = [*GROUPS[planted.flaw.group], *Flaw]
        wrong = next(flaw for flaw in order if not _meets(key, flaw, at))
        renamed.append(_file(wrong, at, planted.severity))
    return [{"findings": renamed}]


def all_fine(key: Key, places: Sequence[Where]) -> list[Critique]:
    """Everything is fine, and nothing was found."""
    fine = {"ran": "yes", "baseline": "fair", "ablation": "isolates", "contamination": "excluded"}
    return [{**fine, "verdict": Verdict.supported.value}]


def stuffed_texts(key: Key, places: Sequence[Where]) -> list[Critique]:
    """Texts as long as they may be, full of the right words, and one finding at a place where it meets
    nothing."""
    told = " ".join(f"{p.flaw.about.says}, {p.flaw}, {p.corrected}." for p in key.flaws) or "no variance"
    text = (told + " ") * (MOST_TEXT // (len(told) + 1))
    (first,) = wrong_places(key, places)
    findings = [{**one, "why": text} for one in first["findings"][:1]]
    return [{"falsifier": text, "why_not": text, "findings": findings}]


def copies(key: Key, places: Sequence[Where]) -> list[Critique]:
    """One right finding, many times over."""
    return [{"findings": [right] * COPIES} for right in _right(key)]


def one_class_everywhere(key: Key, places: Sequence[Where]) -> list[Critique]:
    """One of the planted classes at every place."""
    return [
        {"findings": [_file(flaw, at, p.severity) for at in places]}
        for p in key.flaws
        for flaw in sorted(p.classes)
    ]


def every_class_at_one_place(key: Key, places: Sequence[Where]) -> list[Critique]:
    """Every class at one right place."""
    return [
        {"findings": [_file(flaw, at.plain(), p.severity) for flaw in Flaw]}
        for p in key.flaws
        for at in p.places
    ]


def verdict_alone(key: Key, places: Sequence[Where]) -> list[Critique]:
    """A verdict and no more; whichever is commonest is among them."""
    return [{"verdict": verdict} for verdict in words(Verdict)]


def likely_guesses(key: Key, places: Sequence[Where]) -> list[Critique]:
    """Six classes that one may guess of any paper, all at one table, or at one table after the other."""
    tables = [at for at in places if set(at) == {"table"}]
    spread = [_file(flaw, tables[n % len(tables)]) for n, flaw in enumerate(LIKELY)] if tables else []
    return [{"findings": [_file(flaw, at) for flaw in LIKELY]} for at in tables] + [{"findings": spread}]


GAMERS: dict[str, Callable[[Key, Sequence[Where]], list[Critique]]] = {
    "every class everywhere": everything_everywhere,
    "empty": empty,
    "all decoys": all_decoys,
    "right class, wrong place": wrong_places,
    "wrong class, right place": wrong_classes,
    "everything is fine": all_fine,
    "stuffed texts": stuffed_texts,
    "copies of a right finding": copies,
    "one class everywhere": one_class_everywhere,
    "every class at one right place": every_class_at_one_place,
    "a verdict alone": verdict_alone,
    "likely guesses": likely_guesses,
}
"""Who games the score, by name."""


def informed(filed: Critique, key: Key) -> Critique:
    """A critique with the right claim, verdict and judgements put in: what a gamer has who guesses them
    all."""
    model = model_answer(key)
    return {**filed, **{name: model[name] for name in ("claim", *CHOICES)}}
