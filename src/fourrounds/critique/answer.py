"""What a learner files: builders that return plain dicts, and the check of any data that claims to be one.

The builders fail at once, with a message that says what to do. What they return holds exact plain types
only, so that it can leave the sandbox. Texts (``falsifier``, ``why_not``, ``why``) are carried along for
people to read and are never scored. :func:`check` takes anything: it never recurses, reads nothing past its
limits, and either returns a fresh critique or raises :class:`~fourrounds.critique.places.CritiqueError`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any

from fourrounds.critique.places import (
    MOST_NAME,
    CritiqueError,
    check_place,
    kind_of,
    name,
    told,
)
from fourrounds.critique.shown import Shown, join, paragraph, table
from fourrounds.critique.vocabulary import (
    Ablation,
    Baseline,
    Contamination,
    Flaw,
    Ran,
    Severity,
    Verdict,
    nearest,
    words,
)

SLOTS = ("treatment", "baseline", "metric", "direction", "scope")
"""The parts of a claim."""
CHOICES: dict[str, type[StrEnum]] = {
    "ran": Ran,
    "baseline": Baseline,
    "ablation": Ablation,
    "contamination": Contamination,
    "verdict": Verdict,
}
"""The single choices of a critique."""
TEXTS = ("falsifier", "why_not")
ORDER = (
    "claim",
    "falsifier",
    "ran",
    "why_not",
    "findings",
    "baseline",
    "ablation",
    "contamination",
    "verdict",
    "first",
)
"""The parts of a critique, in the order of the interview."""

MOST_FINDINGS = 200
MOST_TEXT = 6000
MOST_ARMS = 50
MOST_SEEDS = 1000
MOST_FACTORS = 40
MOST_LEVELS = 60
_LARGEST = 10**12


def place(
    *,
    section: str | int | None = None,
    table: str | int | None = None,
    row: str | int | None = None,
    column: str | int | None = None,
    figure: str | int | None = None,
    appendix: str | None = None,
    data: str | None = None,
) -> dict[str, str]:
    """Where in the paper: exactly one of section, table (with row, column or both), figure, appendix, or data
    (with column).

    >>> place(table=2, row="Ours", column="accuracy")
    {'table': '2', 'row': 'Ours', 'column': 'accuracy'}

    Raises :class:`CritiqueError` for anything else.
    """
    given = {
        "section": section,
        "table": table,
        "figure": figure,
        "appendix": appendix,
        "data": data,
        "row": row,
        "column": column,
    }
    return check_place({key: value for key, value in given.items() if value is not None})


def finding(
    flaw: Flaw | str, at: Mapping[str, Any], severity: Severity | str, why: str = ""
) -> dict[str, Any]:
    """One flaw: its class, one place where it shows best, how much it matters, and why in your own words.

    A flaw that shows in several places is filed once. Raises :class:`CritiqueError` for an unknown class or
    severity, or a place out of form.
    """
    filed = {"flaw": _plain(flaw), "at": _plain(at), "severity": _plain(severity), "why": _plain(why)}
    return _finding(filed, "the finding")


def claim(
    *,
    treatment: str,
    baseline: str,
    metric: str,
    direction: str,
    scope: str,
) -> dict[str, str]:
    """The claim: what is said to beat what, by which metric, in which direction, and how far it is meant to
    reach. Each part is one of the options that the paper's notebook offers.

    Raises :class:`CritiqueError` for a part that is no name.
    """
    given = (treatment, baseline, metric, direction, scope)
    return _claim(dict(zip(SLOTS, map(_plain, given), strict=True)))


def arm(seeds: int | Iterable[int], **config: Any) -> dict[str, Any]:
    """One configuration to run in the lab, and its seeds: their number, or which.

    A factor has one level or a list of levels. Raises :class:`CritiqueError`.

    >>> arm(5, optimiser="adam", lr=[0.001, 0.003])
    {'config': {'optimiser': 'adam', 'lr': [0.001, 0.003]}, 'seeds': 5}
    """
    chosen = seeds if type(seeds) is int else _listed(seeds, MOST_SEEDS, "the seeds")
    return _arm({"config": {key: _plain(value) for key, value in config.items()}, "seeds": chosen}, "the arm")


def decision(
    verdict: Verdict | str, effect: float, low: float, high: float
) -> tuple[str, float, float, float]:
    """What ``decide`` returns: the verdict on the claim, the effect and the interval around it.

    Effect and interval are differences of the metric, which lies between 0 and 1. Raises
    :class:`CritiqueError` for an unknown verdict or what is no number; NaN is a number.
    """
    numbers = []
    for what, value in (("effect", effect), ("low", low), ("high", high)):
        value = _plain(value)
        if type(value) not in (int, float):
            raise CritiqueError(f"the {what} of a decision must be a number, and is {kind_of(value)}")
        numbers.append(float(value))
    return (_word(_plain(verdict), Verdict, "the verdict of a decision"), *numbers)  # type: ignore[return-value]


def critique(
    *,
    claim: Mapping[str, str] | None = None,
    falsifier: str = "",
    ran: Ran | str | None = None,
    why_not: str = "",
    findings: Iterable[Mapping[str, Any]] = (),
    baseline: Baseline | str | None = None,
    ablation: Ablation | str | None = None,
    contamination: Contamination | str | None = None,
    verdict: Verdict | str | None = None,
    first: Iterable[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """A critique in the interview's order. What is left out counts as not answered.

    Parameters
    ----------
    claim : what :func:`claim` returns
    falsifier : what result would show the claim to be wrong, in words
    ran : whether the authors ran that
    why_not : why they might have avoided it, in words
    findings : what :func:`finding` returns, each
    baseline, ablation, contamination : the judgements
    verdict : whether the claim is supported by what is shown
    first : the first experiment to run, a list of what :func:`arm` returns

    Raises :class:`CritiqueError`, which says what is out of form.
    """
    return check(
        {
            "claim": _plain(claim),
            "falsifier": _plain(falsifier),
            "ran": _plain(ran),
            "why_not": _plain(why_not),
            "findings": _listed(findings, MOST_FINDINGS, "findings"),
            "baseline": _plain(baseline),
            "ablation": _plain(ablation),
            "contamination": _plain(contamination),
            "verdict": _plain(verdict),
            "first": _listed(first, MOST_ARMS, "first"),
        }
    )


def check(data: Any, most_findings: int = MOST_FINDINGS) -> dict[str, Any]:
    """``data`` as a critique: a fresh dict with the keys of :data:`ORDER`, of exact plain types.

    Parts that are missing count as not answered. Raises :class:`CritiqueError` for anything else; the time
    is linear in the size of what is within the limits.
    """
    _keys(data, ORDER, "the critique", "critique(...)")
    checked: dict[str, Any] = {}
    for key in ORDER:
        value = data.get(key)
        if key in CHOICES:
            checked[key] = None if value is None else _word(value, CHOICES[key], key)
        elif key in TEXTS:
            checked[key] = _text("" if value is None else value, key)
        elif key == "claim":
            checked[key] = None if value is None else _claim(value)
        else:
            most, one = (most_findings, _finding) if key == "findings" else (MOST_ARMS, _arm)
            items = _list([] if value is None else value, most, key)
            checked[key] = [one(item, f"{key}[{number}]") for number, item in enumerate(items)]
    return checked


def _plain(value: Any) -> Any:
    """The exact plain type behind what a learner may well hand in: an enumeration's member, a mapping, a
    tuple.

    NumPy's numbers are taken too; anything else is left for the check to refuse.
    """
    if isinstance(value, StrEnum):
        return value.value
    if type(value).__module__ == "numpy" and getattr(value, "ndim", None) == 0:
        return value.item()
    if isinstance(value, Mapping) and type(value) is not dict:
        return dict(value)
    if isinstance(value, (list, tuple, range)) or (
        type(value).__module__ == "numpy" and getattr(value, "ndim", None) == 1
    ):
        return [_plain(item) for item in value[: MOST_SEEDS + 1]]  # one too many, so that it is refused
    return value


def _listed(items: Any, most: int, what: str) -> list[Any]:
    if isinstance(items, (str, bytes, Mapping)) or not isinstance(items, Iterable):
        raise CritiqueError(f"{what} must be a list, and is {kind_of(items)}: put it in square brackets")
    taken: list[Any] = []
    for item in items:
        if len(taken) == most:
            raise CritiqueError(f"{what} has more than {most} entries: keep those that matter most")
        taken.append(_plain(item))
    return taken


def _list(items: Any, most: int, what: str) -> list[Any]:
    if type(items) not in (list, tuple):
        raise CritiqueError(f"{what} must be a list, and is {kind_of(items)}: put it in square brackets")
    if len(items) > most:
        raise CritiqueError(f"{what} has {len(items)} entries: keep the {most} that matter most, or fewer")
    return list(items)


def _keys(data: Any, known: Sequence[str], what: str, maker: str) -> None:
    if type(data) is not dict:
        raise CritiqueError(f"{what} must be made with {maker}, and is {kind_of(data)}")
    if len(data) > len(known):
        raise CritiqueError(f"{what} has {len(data)} parts: make it with {maker}")
    for key in data:
        if type(key) is not str:
            raise CritiqueError(f"a part of {what} is named by {kind_of(key)}: make it with {maker}")
        if key not in known:
            raise CritiqueError(f"{what} has an unknown part: {nearest(key, known)}")


def _word(value: Any, kind: type[StrEnum], what: str) -> str:
    if type(value) is not str:
        raise CritiqueError(
            f"{what} must be a member of {kind.__name__}, and is {kind_of(value)}: "
            f"write {kind.__name__}. and press Tab"
        )
    if value not in words(kind):
        raise CritiqueError(f"{what} is no member of {kind.__name__}: {nearest(value, words(kind))}")
    return value


def _text(value: Any, what: str) -> str:
    if type(value) is not str:
        raise CritiqueError(f"{what} must be a text in quotes, and is {kind_of(value)}")
    if len(value) > MOST_TEXT:
        raise CritiqueError(f"{what} has {len(value)} characters: say it in at most {MOST_TEXT}")
    return value


def _claim(value: Any) -> dict[str, str]:
    _keys(value, SLOTS, "claim", "claim(...)")
    missing = [slot for slot in SLOTS if slot not in value]
    if missing:
        raise CritiqueError(f"claim lacks its {missing[0]}: choose it from the options of the notebook")
    return {slot: name(value[slot], f"the {slot} of the claim") for slot in SLOTS}


def _finding(value: Any, what: str) -> dict[str, Any]:
    _keys(value, ("flaw", "at", "severity", "why"), what, "finding(...)")
    for key in ("flaw", "at", "severity"):
        if key not in value:
            raise CritiqueError(f"{what} lacks its {key}: make it with finding(flaw, at, severity, why)")
    return {
        "flaw": _word(value["flaw"], Flaw, f"the flaw of {what}"),
        "at": check_place(value["at"], f"the place of {what}"),
        "severity": _word(value["severity"], Severity, f"the severity of {what}"),
        "why": _text(value.get("why", ""), f"the why of {what}"),
    }


def _arm(value: Any, what: str) -> dict[str, Any]:
    _keys(value, ("config", "seeds"), what, "arm(seeds, **config)")
    config, seeds = value.get("config"), value.get("seeds")
    if type(config) is not dict:
        raise CritiqueError(f"the config of {what} must be a dict of factors, and is {kind_of(config)}")
    if len(config) > MOST_FACTORS:
        raise CritiqueError(f"the config of {what} has {len(config)} factors: the most are {MOST_FACTORS}")
    checked: dict[str, Any] = {}
    for key, level in config.items():
        factor = name(key, f"a factor of {what}") if type(key) is str else None
        if factor is None:
            raise CritiqueError(f"a factor of {what} is named by {kind_of(key)}: give its name in quotes")
        if type(level) in (list, tuple):
            levels = _list(level, MOST_LEVELS, f"the factor {factor} of {what}")
            if not levels:
                raise CritiqueError(f"the factor {factor} of {what} has no level: give one, or leave it out")
            checked[factor] = [_level(one, factor, what) for one in levels]
        else:
            checked[factor] = _level(level, factor, what)
    return {"config": checked, "seeds": _seeds(seeds, what)}


def _level(value: Any, factor: str, what: str) -> Any:
    if value is None or type(value) is bool:
        return value
    if type(value) is str and len(value) <= MOST_NAME:
        return value
    if type(value) is int and abs(value) <= _LARGEST:
        return value
    if type(value) is float and math.isfinite(value):
        return value
    raise CritiqueError(
        f"a level of the factor {factor} of {what} must be a finite number, a short name, a bool or None, "
        f"and is {kind_of(value)} that is not"
    )


def _seeds(value: Any, what: str) -> int | list[int]:
    if type(value) is int:
        if not 1 <= value <= MOST_SEEDS:
            raise CritiqueError(f"{what} asks for {_digits(value)} seeds: ask for 1 to {MOST_SEEDS}")
        return value
    if type(value) not in (list, tuple):
        raise CritiqueError(
            f"the seeds of {what} must be their number or a list of whole numbers, and are {kind_of(value)}"
        )
    seeds = _list(value, MOST_SEEDS, f"the seeds of {what}")
    if not seeds or not all(type(seed) is int and 0 <= seed <= _LARGEST for seed in seeds):
        raise CritiqueError(f"the seeds of {what} must be whole numbers from 0 on, at least one")
    if len(set(seeds)) < len(seeds):
        raise CritiqueError(f"the seeds of {what} repeat: a run with the same seed is the same run")
    return seeds


def _digits(value: int) -> str:
    return str(value) if abs(value) <= _LARGEST else "too many"


def show(answer: Any) -> Shown:
    """A critique as its author sees it in the notebook. Raises :class:`CritiqueError` as :func:`check`."""
    filed = check(answer)
    rows: list[tuple[object, object]] = []
    for key in ORDER:
        value = filed[key]
        if key == "claim":
            value = "; ".join(f"{slot}: {value[slot]}" for slot in SLOTS) if value else None
        elif key in ("findings", "first"):
            value = str(len(value)) if value else "none"
        elif key in CHOICES and value is not None:
            value = value.replace("_", " ")
        rows.append((key.replace("_", " "), value or "not given"))
    parts = [table(("part", "what you filed"), rows, "Your critique")]
    if filed["findings"]:
        found = [
            (number, f["flaw"].replace("_", " "), told(f["at"]), f["severity"], f["why"])
            for number, f in enumerate(filed["findings"], 1)
        ]
        parts.append(table(("no.", "flaw", "where", "severity", "why"), found, "Findings"))
    if filed["first"]:
        arms = [(", ".join(f"{k}={v}" for k, v in a["config"].items()), a["seeds"]) for a in filed["first"]]
        parts.append(table(("configuration", "seeds"), arms, "The first experiment"))
    if filed["verdict"] is None:
        parts.append(paragraph("No verdict is given yet: write verdict=Verdict. and press Tab."))
    return join(*parts)
