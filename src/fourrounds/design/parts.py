"""What an experiment is made of. A design is a frozen object; each part says how it acts when it is run.

Names (of arms, of metrics, the hypothesis) are free text for the reader. A world does not know them: it knows
the *method* that an arm runs and the *stratum* that a group of items is from. So renaming changes no
simulation, and a part that a world gives no hold on changes no number.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields, is_dataclass, replace
from typing import Any

from fourrounds.design.stopping import BOUNDARIES

HELD_OUT = ("none", "items", "deduplicated", "groups")
CONTROLS = ("fixed", "matched", "randomised", "adjusted")
KINDS = ("score", "accuracy", "judge")
ORDERS = ("fixed", "random", "both")
UNITS = ("observations", "items", "groups", "seeds", "crossed")
METHODS = ("t", "z", "permutation", "bootstrap")
MOST_RESAMPLES = 20_000
CORRECTIONS = ("none", "bonferroni", "holm")
MOST_LOOKS = 100
_LARGEST_FLOAT = sys.float_info.max


class DesignError(ValueError):
    """A design that cannot be run; the message says which part, and what to do."""


def _one_of(what: str, value: object, known: tuple[str, ...]) -> None:
    if not isinstance(value, str) or value not in known:
        raise DesignError(f"{what} must be one of {', '.join(map(repr, known))}, and is {value!r}")


def _whole(what: str, value: object, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise DesignError(f"{what} must be a whole number, {least} or more, and is {value!r}")


def _finite(what: str, value: object) -> None:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    # A whole number that no float can hold is not finite either.
    if not number or not -_LARGEST_FLOAT <= value <= _LARGEST_FLOAT:  # type: ignore[operator]
        raise DesignError(f"{what} must be a finite number, and is {value!r}")


def _text(what: str, *values: object) -> None:
    for value in values:
        if not isinstance(value, str):
            raise DesignError(f"{what} must be a string, and is {value!r}")


def _weights(what: str, weights: Mapping[str, float]) -> None:
    if not isinstance(weights, Mapping) or not weights:
        raise DesignError(f"{what} must map names to weights, as in {{'new': 1, 'old': -1}}")
    _text(f"a name in {what}", *weights)
    for name, weight in weights.items():
        _finite(f"{what}[{name!r}]", weight)


@dataclass(frozen=True)
class Estimand:
    """What 'improves' means: a contrast of mean scores, sum over arms and strata of a weight times a mean.

    ``arms`` maps an arm's name to its weight; the weights sum to 0. None: the mean of all other arms less the
    baseline. ``strata`` maps a stratum to its weight. None: all strata, weighted equally. With weights that
    sum to 0, as in ``{"low": 1, "high": -1}``, the estimand is an interaction: "improves more in low than in
    high" is a difference of differences. ``minimum`` is the smallest effect worth finding, in score units.
    """

    arms: Mapping[str, float] | None = None
    strata: Mapping[str, float] | None = None
    minimum: float = 0.0

    def __post_init__(self) -> None:
        _finite("Estimand.minimum", self.minimum)
        if self.arms is not None:
            _weights("Estimand.arms", self.arms)
            if abs(sum(self.arms.values())) > 1e-9:
                raise DesignError(
                    "Estimand.arms must sum to 0, else it is no comparison of arms; "
                    f"the sum is {sum(self.arms.values()):g}"
                )
        if self.strata is not None:
            _weights("Estimand.strata", self.strata)


@dataclass(frozen=True)
class Metric:
    """One outcome. The first of a design is the primary one.

    ``kind``: ``"score"`` is continuous and has the world's noise; ``"accuracy"`` is right or wrong, 1 or 0,
    with the same mean; ``"judge"`` is a score given by a judge who sees the arms side by side, in an
    ``order`` that is ``"fixed"`` (the baseline second), ``"random"`` for each item, or ``"both"`` (each pair
    twice, averaged, at twice the price). ``construct`` is what it measures: a world may say how much of the
    effect shows in it.
    """

    name: str = "score"
    kind: str = "score"
    construct: str = "target"
    order: str = "fixed"

    def __post_init__(self) -> None:
        _text("Metric.name", self.name)
        _text("Metric.construct", self.construct)
        _one_of("Metric.kind", self.kind, KINDS)
        _one_of("Metric.order", self.order, ORDERS)


@dataclass(frozen=True)
class Arm:
    """A method and how its result comes about.

    ``method`` is the world's name of what the arm runs. ``tuning`` is the number of configurations tried, of
    which the best is kept. ``seeds`` overrides the design's number of runs. ``report`` is ``"mean"``, all
    runs, or ``"best"``, the one run with the best primary score.
    """

    name: str
    method: str = ""
    tuning: int = 1
    seeds: int | None = None
    report: str = "mean"

    def __post_init__(self) -> None:
        _text("Arm.name", self.name)
        _text("Arm.method", self.method)
        if not self.name:
            raise DesignError("Arm.name must not be empty: the estimand speaks of arms by name")
        if not self.method:
            object.__setattr__(self, "method", self.name)
        _whole(f"the tuning of arm {self.name!r}", self.tuning, 1)
        if self.seeds is not None:
            _whole(f"the seeds of arm {self.name!r}", self.seeds, 1)
        _one_of(f"the report of arm {self.name!r}", self.report, ("mean", "best"))


@dataclass(frozen=True)
class EvaluationSet:
    """What the arms are evaluated on: groups of items (a language, a data set, a passage and its questions).

    ``groups`` is their number, or a number for each stratum; ``items`` the number in each group. ``held_out``
    says against what the training data were kept apart: ``"none"``, ``"items"`` (a random split),
    ``"deduplicated"`` (a split, near-copies removed), ``"groups"`` (whole groups). ``same_items``: whether
    all arms answer the same groups and items. ``difficulty`` lowers every expected score, in score units: a
    harder set keeps away from a ceiling.
    """

    groups: int | Mapping[str, int] = 8
    items: int = 50
    held_out: str = "groups"
    same_items: bool = True
    difficulty: float = 0.0

    def __post_init__(self) -> None:
        if isinstance(self.groups, Mapping):
            if not self.groups:
                raise DesignError("EvaluationSet.groups must name a stratum, as in {'low': 8, 'high': 8}")
            _text("a stratum of EvaluationSet.groups", *self.groups)
            for stratum, count in self.groups.items():
                _whole(f"EvaluationSet.groups[{stratum!r}]", count, 1)
        elif isinstance(self.groups, (list, tuple)):
            raise DesignError(
                "EvaluationSet.groups must be a whole number, or a dict with one for each stratum, as in "
                f"{{'low': 8, 'high': 8}}, and is {self.groups!r}"
            )
        else:
            _whole("EvaluationSet.groups", self.groups, 1)
        _whole("EvaluationSet.items", self.items, 1)
        _one_of("EvaluationSet.held_out", self.held_out, HELD_OUT)
        _finite("EvaluationSet.difficulty", self.difficulty)

    @property
    def strata(self) -> dict[str, int]:
        """The number of groups in each stratum, in order; one stratum ``"all"`` where none is named."""
        return dict(self.groups) if isinstance(self.groups, Mapping) else {"all": self.groups}


@dataclass(frozen=True)
class Seeds:
    """The runs of each arm, and what becomes of one that diverges.

    ``diverged``: ``"count"`` keeps its bad score, ``"drop"`` leaves it out (what is left is the survivors),
    ``"rerun"`` tries again until one survives, at the price of each try.
    """

    count: int = 5
    diverged: str = "count"

    def __post_init__(self) -> None:
        _whole("Seeds.count", self.count, 1)
        _one_of("Seeds.diverged", self.diverged, ("count", "drop", "rerun"))


@dataclass(frozen=True)
class Tuning:
    """How the configurations of an arm are chosen; their number is the arm's own.

    ``select_on``: ``"validation"``, or ``"test"``, where the chosen one's luck is part of what is reported.
    ``each_run``: whether every run is tuned anew (the price is the product) or one configuration, found once,
    serves all runs of an arm, so that its luck does not average out (Bouthillier et al. 2021).
    """

    select_on: str = "validation"
    each_run: bool = False

    def __post_init__(self) -> None:
        _one_of("Tuning.select_on", self.select_on, ("validation", "test"))


@dataclass(frozen=True)
class Test:
    """The default analysis: what counts as one independent observation, and how it is tested.

    ``unit``: ``"seeds"`` (a run's mean over the set), ``"groups"`` (a group's mean over items and runs, which
    for groups of one size is the cluster-robust analysis), ``"items"`` (an item's mean over runs),
    ``"observations"`` (every single score), ``"crossed"`` (runs and groups are both samples: the
    variance over runs plus that over groups, less that over their cells, which is in both, and at least the
    larger of the two; Satterthwaite's degrees of freedom).
    ``paired``: differences between arms at the same unit are taken first (``"crossed"`` always takes them for
    groups, and never for runs). ``equal_variances``: Student's
    pooled variance instead of Welch's. ``method``: ``"t"``, ``"z"``, ``"permutation"`` (exact where the
    permutations are few), ``"bootstrap"`` (percentiles). ``sides``: 2, or 1 for a positive effect only.
    """

    __test__ = False  # no test class of pytest's

    unit: str = "seeds"
    paired: bool = False
    equal_variances: bool = False
    method: str = "t"
    sides: int = 2
    alpha: float = 0.05
    resamples: int = 999

    def __post_init__(self) -> None:
        _one_of("Test.unit", self.unit, UNITS)
        _one_of("Test.method", self.method, METHODS)
        if isinstance(self.sides, bool) or self.sides not in (1, 2):
            raise DesignError(f"Test.sides must be 1 or 2, and is {self.sides!r}")
        _finite("Test.alpha", self.alpha)
        if not 0 < self.alpha < 0.5:
            raise DesignError(f"Test.alpha must lie between 0 and 0.5, and is {self.alpha}")
        _whole("Test.resamples", self.resamples, 99)
        if self.resamples > MOST_RESAMPLES:
            raise DesignError(f"Test.resamples must be at most {MOST_RESAMPLES}, and is {self.resamples}")
        if self.unit == "crossed" and self.method not in ("t", "z"):
            raise DesignError("Test.unit 'crossed' adds variances: its method must be 't' or 'z'")


@dataclass(frozen=True)
class Stopping:
    """When the data are looked at. One look: a fixed sample, all of it.

    At look j of ``looks`` the test sees the first j/looks of what is collected ``over`` (``"seeds"``,
    ``"items"`` of each group, or ``"groups"`` of each stratum), and the experiment ends when it is
    significant. ``boundary`` says at which level each look tests: ``"none"`` (alpha every time: peeking),
    ``"bonferroni"``, ``"pocock"``, ``"obrien_fleming"``.
    """

    looks: int = 1
    over: str = "seeds"
    boundary: str = "none"

    def __post_init__(self) -> None:
        _whole("Stopping.looks", self.looks, 1)
        if self.looks > MOST_LOOKS:
            raise DesignError(f"Stopping.looks must be at most {MOST_LOOKS}, and is {self.looks}")
        _one_of("Stopping.over", self.over, ("seeds", "items", "groups"))
        _one_of("Stopping.boundary", self.boundary, BOUNDARIES)


@dataclass(frozen=True)
class Decision:
    """When an effect is claimed.

    ``rule``: ``"significant"`` (p at most alpha), ``"interval_above"`` (the whole interval above ``margin``)
    or ``"larger"`` (the estimate above ``margin``, without a test). ``outcomes``: the ``"primary"`` one
    decides; or ``"any"``, and the one with the smallest p-value is reported; or ``"all"`` must agree.
    """

    rule: str = "significant"
    margin: float = 0.0
    outcomes: str = "primary"

    def __post_init__(self) -> None:
        _one_of("Decision.rule", self.rule, ("significant", "interval_above", "larger"))
        _finite("Decision.margin", self.margin)
        _one_of("Decision.outcomes", self.outcomes, ("primary", "any", "all"))


@dataclass(frozen=True)
class Falsifier:
    """The result that would disprove the hypothesis, on the outcome that is reported.

    ``rule``: ``"interval_below"`` (the whole interval below ``margin``: effects worth finding are excluded),
    ``"estimate_below"``, ``"not_significant"`` or ``"never"``. ``margin`` None: the estimand's minimum.
    """

    rule: str = "interval_below"
    margin: float | None = None

    def __post_init__(self) -> None:
        _one_of("Falsifier.rule", self.rule, ("interval_below", "estimate_below", "not_significant", "never"))
        if self.margin is not None:
            _finite("Falsifier.margin", self.margin)


@dataclass(frozen=True)
class Design:
    """An experiment, declared.

    ``baseline`` is the name of an arm (None: the first). ``controlled`` maps a factor to how it is kept from
    differing between the arms: ``"fixed"`` at one level, ``"matched"`` run by run, ``"randomised"``, or
    ``"adjusted"`` for in the analysis. ``varies`` names the sources of chance that are drawn anew for every
    run (``"initialisation"``, ``"split"``, as the world names them); the others are drawn once for an arm and
    are the same in all its runs. None: all vary. ``correction`` is for several metrics: ``"none"``,
    ``"bonferroni"`` or ``"holm"``. :class:`DesignError` where the parts do not fit one another.
    """

    arms: tuple[Arm, ...] = (Arm("baseline"), Arm("treatment"))
    baseline: str | None = None
    hypothesis: str = ""
    estimand: Estimand = field(default_factory=Estimand)
    metrics: tuple[Metric, ...] = (Metric(),)
    evaluation: EvaluationSet = field(default_factory=EvaluationSet)
    controlled: Mapping[str, str] = field(default_factory=dict)
    varies: tuple[str, ...] | None = None
    seeds: Seeds = field(default_factory=Seeds)
    tuning: Tuning = field(default_factory=Tuning)
    test: Test = field(default_factory=Test)
    correction: str = "none"
    stopping: Stopping = field(default_factory=Stopping)
    decision: Decision = field(default_factory=Decision)
    falsifier: Falsifier = field(default_factory=Falsifier)

    def __post_init__(self) -> None:
        for part in fields(self):
            due = _PARTS.get(part.name)
            value = getattr(self, part.name)
            if due is not None and not isinstance(value, due):
                raise DesignError(f"Design.{part.name} must be made with {due.__name__}(...)")
        object.__setattr__(self, "arms", _tuple_of("arms", self.arms, Arm))
        object.__setattr__(self, "metrics", _tuple_of("metrics", self.metrics, Metric))
        names = [arm.name for arm in self.arms]
        if len(names) < 2 or len(set(names)) < len(names):
            raise DesignError(f"Design.arms must be two or more arms with names of their own, not {names}")
        if self.baseline is not None and self.baseline not in names:
            raise DesignError(f"Design.baseline must be one of the arms {names}, and is {self.baseline!r}")
        for name in self.estimand.arms or ():
            if name not in names:
                raise DesignError(f"Estimand.arms names {name!r}, which is none of the arms {names}")
        strata = list(self.evaluation.strata)
        for name in self.estimand.strata or ():
            if name not in strata:
                raise DesignError(
                    f"Estimand.strata names {name!r}, which is none of the strata {strata}: "
                    f"give EvaluationSet.groups a number for {name!r}"
                )
        _text("Design.hypothesis", self.hypothesis)
        if not isinstance(self.controlled, Mapping):
            raise DesignError("Design.controlled must be a dict, as in {'model size': 'matched'}")
        for factor, how in self.controlled.items():
            _one_of(f"Design.controlled[{factor!r}]", how, CONTROLS)
        if self.varies is not None and not isinstance(self.varies, (tuple, list)):
            raise DesignError("Design.varies must be a tuple of names, as in ('initialisation',)")
        _one_of("Design.correction", self.correction, CORRECTIONS)
        self._fit()

    def _fit(self) -> None:
        """The test and the stopping rule must be possible with what is collected."""
        adjusted = [factor for factor, how in self.controlled.items() if how == "adjusted"]
        test = self.test
        if adjusted and (test.unit != "seeds" or test.paired or test.method not in ("t", "z")):
            raise DesignError(
                f"{adjusted[0]!r} is adjusted for by a regression over runs: use "
                "Test(unit='seeds', paired=False, method='t')"
            )
        counts = self.runs
        if test.unit == "seeds" and test.paired and len(set(counts)) > 1:
            raise DesignError(f"a test paired over seeds needs as many runs in each arm, not {counts}")
        if not self.evaluation.same_items and test.paired and test.unit != "seeds":
            raise DesignError(f"arms that answer different items cannot be paired over {test.unit}")
        size = {
            "seeds": min(counts),
            "items": self.evaluation.items,
            "groups": min(self.evaluation.strata.values()),
        }[self.stopping.over]
        if self.stopping.looks > size:
            raise DesignError(
                f"Stopping looks {self.stopping.looks} times over {size} {self.stopping.over}: "
                "each look must see more than the last"
            )

    @property
    def runs(self) -> tuple[int, ...]:
        """The number of runs of each arm."""
        return tuple(arm.seeds or self.seeds.count for arm in self.arms)

    @property
    def baseline_index(self) -> int:
        """The place of the baseline among the arms."""
        return 0 if self.baseline is None else [arm.name for arm in self.arms].index(self.baseline)

    @property
    def arm_weights(self) -> tuple[float, ...]:
        """The estimand's weight of each arm."""
        if self.estimand.arms is not None:
            return tuple(float(self.estimand.arms.get(arm.name, 0.0)) for arm in self.arms)
        others = len(self.arms) - 1
        return tuple(-1.0 if i == self.baseline_index else 1 / others for i in range(len(self.arms)))

    @property
    def stratum_weights(self) -> tuple[float, ...]:
        """The estimand's weight of each stratum."""
        strata = self.evaluation.strata
        if self.estimand.strata is not None:
            return tuple(float(self.estimand.strata.get(name, 0.0)) for name in strata)
        return (1 / len(strata),) * len(strata)

    @property
    def question(self) -> Estimand:
        """The design's own estimand in the terms of a world: weights by method instead of by arm."""
        methods: dict[str, float] = {}
        for arm, weight in zip(self.arms, self.arm_weights, strict=True):
            methods[arm.method] = methods.get(arm.method, 0.0) + weight
        strata = dict(zip(self.evaluation.strata, self.stratum_weights, strict=True))
        return Estimand(methods, strata, self.estimand.minimum)


_PARTS: dict[str, type] = {
    "estimand": Estimand,
    "evaluation": EvaluationSet,
    "seeds": Seeds,
    "tuning": Tuning,
    "test": Test,
    "stopping": Stopping,
    "decision": Decision,
    "falsifier": Falsifier,
}


def plain(design: Design) -> dict[str, Any]:
    """The design as dicts, lists, strings and numbers, which can cross a wall or be written as JSON."""
    return {f.name: _plain(getattr(design, f.name)) for f in fields(design)}


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: _plain(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    return dict(value) if isinstance(value, Mapping) else value


def from_plain(data: Mapping[str, Any]) -> Design:
    """The design that :func:`plain` wrote down; it is checked like any other. What is left out is default."""
    parts = dict(_named("Design", Design, data))
    for name, part in _PARTS.items():
        if name in parts:
            parts[name] = part(**_named(name, part, parts[name]))
    for name, part in (("arms", Arm), ("metrics", Metric)):
        if name in parts:
            if not isinstance(parts[name], (list, tuple)):
                raise DesignError(f"{name} must be a list, and is {type(parts[name]).__name__}")
            parts[name] = tuple(part(**_named(name, part, one)) for one in parts[name])
    if isinstance(parts.get("varies"), list):
        parts["varies"] = tuple(parts["varies"])
    return Design(**parts)


def _named(what: str, part: Any, data: Any) -> Mapping[str, Any]:
    known = [f.name for f in fields(part)]
    if not isinstance(data, Mapping) or not set(data) <= set(known):
        raise DesignError(f"{what} must be a dict with some of the names {', '.join(known)}")
    needed = [f.name for f in fields(part) if f.default is MISSING and f.default_factory is MISSING]
    if not set(needed) <= set(data):
        raise DesignError(f"{what} lacks {', '.join(name for name in needed if name not in data)}")
    return data


def _tuple_of(name: str, value: Any, due: type) -> tuple[Any, ...]:
    if isinstance(value, due):
        value = (value,)
    if not isinstance(value, (tuple, list)) or not value or not all(isinstance(v, due) for v in value):
        raise DesignError(f"Design.{name} must be a tuple of {due.__name__}(...)")
    return tuple(value)


def vary(design: Design, part: str, value: object) -> Design:
    """The design with one part changed, named by its path.

    ``"correction"``, ``"seeds.count"``, ``"evaluation.items"``; ``"arms.NAME.tuning"`` for one arm. A part
    that does not exist is a :class:`DesignError` that names those that do; so is what is no design.
    """
    if not isinstance(design, Design):
        given = "None" if design is None else f"a {type(design).__name__}"
        raise DesignError(f"vary changes a part of a Design(...), and is given {given}")
    return _changed(design, part.split("."), value, part)


def _changed(owner: Any, path: list[str], value: object, whole: str) -> Any:
    if not path:
        return value
    head, *rest = path
    if isinstance(owner, tuple):
        names = [one.name for one in owner]
        if head not in names:
            raise DesignError(f"{whole!r}: there is no {head!r} among {names}")
        return tuple(_changed(one, rest, value, whole) if one.name == head else one for one in owner)
    known = [f.name for f in fields(owner)] if is_dataclass(owner) else []
    if head not in known:
        raise DesignError(f"{whole!r}: there is no part {head!r} here, but {', '.join(known) or 'none'}")
    return replace(owner, **{head: _changed(getattr(owner, head), rest, value, whole)})
