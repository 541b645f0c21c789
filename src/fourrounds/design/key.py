"""The form of a key: in which worlds a design is run, and what it has to hold there.

Keys live outside the package, with the problem that they belong to. :func:`load_key` reads one from plain
data and refuses one that could not be scored fairly::

    {"question": {"arms": {"lora": 1, "full": -1}, "minimum": 0.05},   # weights by method, by stratum
     "alpha": 0.05, "power": 0.8, "budget": 60, "tolerance": 0.1,
     "weights": {"false_positives": 0.3, ...},
     "worlds": [
         {"world": {"name": "no effect", "means": {...}, ...}},         # the fields of a World
         {"bank": "lora_rank", "null": True, "name": "same rank"},      # of the catalogue of bank.py, or
         {"bank": {"family": "transfer", "methods": {...}}, "checks": ["power"], "about": "..."},
     ]}

In each world the hypothesis is false (its truth is at most 0) or true (at least the minimum effect); nothing
between the two is asked. ``about`` is a line for the report. ``checks`` are some of :data:`CHECKS`; without
them all that apply.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from fourrounds.design import bank
from fourrounds.design.parts import Design, DesignError, Estimand
from fourrounds.design.simulate import Nature
from fourrounds.design.worlds import Confounder, World

CHECKS = ("false_positives", "power", "bias", "coverage", "falsifier")
"""What is checked in a world, which are also the parts of a score."""
WEIGHTS = {"false_positives": 0.3, "power": 0.3, "bias": 0.1, "coverage": 0.1, "falsifier": 0.2}
"""What the parts weigh where a key does not say so. Only their proportions matter."""
_CATALOGUE = {make.__name__: make for make in bank.CATALOGUE}
_NAMES = frozenset(arm.method for arm in Design().arms)


class KeyFault(ValueError):
    """A key is out of form. The message names the part of the key."""


@dataclass(frozen=True)
class Trial:
    """A world of a key: what is true there, and what is checked."""

    world: Nature
    truth: float
    checks: tuple[str, ...]
    about: str = ""

    @property
    def name(self) -> str:
        """The world's name, which is the trial's own."""
        return self.world.name

    @property
    def holds(self) -> bool:
        """Whether the hypothesis is true here."""
        return self.truth > 0


@dataclass(frozen=True)
class Key:
    """What a design for one hypothesis is scored against.

    ``question`` is the hypothesis as weights by method and stratum, with the ``minimum`` effect. ``power`` is
    the target at that effect, ``budget`` in the worlds' prices, ``tolerance`` the bias that is allowed, as a
    share of the minimum effect.
    """

    question: Estimand
    trials: tuple[Trial, ...]
    budget: float
    alpha: float = 0.05
    power: float = 0.8
    tolerance: float = 0.1
    weights: Mapping[str, float] = field(default_factory=lambda: dict(WEIGHTS))

    @property
    def minimum(self) -> float:
        """The smallest effect worth finding."""
        return self.question.minimum


def load_key(data: Any) -> Key:
    """The key in plain ``data`` (the module's head shows the form). Raises :class:`KeyFault`."""
    if isinstance(data, Key):
        return data
    known = {part.name for part in fields(Key)} - {"trials"} | {"worlds"}
    _names("the key", data, known, {"question", "worlds", "budget"})
    question = _question(data["question"])
    numbers = {}
    for name, low, high in (
        ("budget", 0.0, math.inf),
        ("alpha", 0.0, 0.5),
        ("power", 0.0, 1.0),
        ("tolerance", 0.0, 1.0),
    ):
        if name in data:
            value = data[name]
            number = isinstance(value, (int, float)) and not isinstance(value, bool)
            if not number or not low < value < high:
                raise KeyFault(f"{name} must lie between {low:g} and {high:g}, and is {value!r}")
            numbers[name] = float(value)
    weights = dict(data.get("weights", WEIGHTS))
    if not set(weights) <= set(CHECKS) or not all(
        isinstance(w, (int, float)) and math.isfinite(w) and w >= 0 for w in weights.values()
    ):
        raise KeyFault(f"weights must map some of {', '.join(CHECKS)} to numbers of at least 0")
    if not isinstance(data["worlds"], (list, tuple)):
        raise KeyFault("worlds must be a list")
    trials = tuple(_trial(one, question) for one in data["worlds"])
    names = [trial.name for trial in trials]
    if len(set(names)) < len(names):
        raise KeyFault(f"each world has a name of its own; here are {names}")
    if not any("power" in trial.checks for trial in trials):
        raise KeyFault("no world checks power: a key needs one where the hypothesis is true")
    if not any("false_positives" in trial.checks and trial.truth == 0 for trial in trials):
        raise KeyFault("no world checks false_positives: a key needs one where there is no effect at all")
    sides = {trial.holds for trial in trials if "falsifier" in trial.checks}
    if len(sides) == 1:
        raise KeyFault(
            "a falsifier is checked where the hypothesis is false and where it is true, or not at all"
        )
    used = {check for trial in trials for check in trial.checks}
    weights = {check: float(weights.get(check, 0.0)) for check in CHECKS if check in used}
    if not weights["false_positives"] or not weights["power"]:
        raise KeyFault("weights: false_positives and power must have some")
    return Key(question, trials, weights=weights, **numbers)


def _names(what: str, data: Any, known: set[str], needed: set[str]) -> None:
    if not isinstance(data, Mapping):
        raise KeyFault(f"{what} must be a dict, and is {type(data).__name__}")
    if not set(data) <= known:
        raise KeyFault(
            f"{what} has unknown names {sorted(map(str, set(data) - known))}; known: {sorted(known)}"
        )
    if not needed <= set(data):
        raise KeyFault(f"{what} lacks {', '.join(sorted(needed - set(data)))}")


def _question(data: Any) -> Estimand:
    _names("question", data, {"arms", "strata", "minimum"}, {"arms", "minimum"})
    try:
        question = Estimand(**data)
    except (DesignError, TypeError) as error:
        raise KeyFault(f"question: {error}") from None
    if question.arms is None or not question.minimum > 0:
        raise KeyFault("question: it names its methods and a minimum effect above 0")
    if set(question.arms) & _NAMES:
        raise KeyFault(
            f"question: no method may be called {' or '.join(sorted(_NAMES))}, as in a design that is left "
            "as it comes: it would run"
        )
    return question


def _trial(data: Any, question: Estimand) -> Trial:
    _names("a world", data, {"world", "bank", "null", "name", "checks", "about"}, set())
    if ("world" in data) == ("bank" in data):
        raise KeyFault("a world is given by 'world', the fields of a World, or by 'bank', and not by both")
    try:
        nature: Nature = _formula(data) if "world" in data else _bank(data)
        if "name" in data:
            nature = nature.but(name=str(data["name"]))  # type: ignore[union-attr]
        truth = nature.truth(question)
    except (DesignError, TypeError, ValueError) as error:
        raise KeyFault(f"a world ({data.get('name', data.get('bank', ''))!r}): {error}") from None
    truth = 0.0 if abs(truth) < 1e-12 else truth
    if 0 < truth < question.minimum - 1e-9:
        raise KeyFault(
            f"world {nature.name!r}: its truth {truth:.4g} lies between 0 and the minimum effect "
            f"{question.minimum:g}, where a claim is neither right nor wrong"
        )
    applying = [c for c in CHECKS if c != ("false_positives" if truth > 0 else "power")]
    checks = data.get("checks", applying)
    if not isinstance(checks, (list, tuple)) or not checks or not set(checks) <= set(applying):
        raise KeyFault(
            f"world {nature.name!r}: checks must be some of {', '.join(applying)}, as the hypothesis is "
            f"{'true' if truth > 0 else 'false'} there (truth {truth:.4g})"
        )
    return Trial(nature, truth, tuple(c for c in CHECKS if c in checks), str(data.get("about", "")))


def _formula(data: Mapping[str, Any]) -> World:
    if "null" in data:
        raise KeyFault("'null' is for a bank world; give a world of formulas equal means instead")
    given = dict(data["world"])
    if isinstance(given.get("confounder"), Mapping):
        given["confounder"] = Confounder(**given["confounder"])
    return World(**{"name": str(data.get("name", "")), **given})


def _bank(data: Mapping[str, Any]) -> bank.BankWorld:
    given = data["bank"]
    if isinstance(given, str):
        if given not in _CATALOGUE:
            raise KeyFault(f"no bank world {given!r}, but {', '.join(_CATALOGUE)}")
        world = _CATALOGUE[given]()
    else:
        rates = {name: tuple(levels) for name, levels in given.get("rates", {}).items()}
        world = bank.BankWorld(**{"name": str(data.get("name", "")), **given, "rates": rates})
    null = data.get("null", False)
    if null is False:
        return world
    return world.null(None if null is True else null)
