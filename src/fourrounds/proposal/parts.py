"""What a proposal for an open problem is made of: a frozen object, each part checked as it is made.

Prose is for the reader: nothing here is graded by its words. What is graded is run: a failure by whether its
threshold separates the failing system from its control, an assumption by whether the solution hangs on it, a
plan by whether its experiment finds an effect, its pilot ends a dead idea, and its money pays for both.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any

from fourrounds.design import Design
from fourrounds.design import plain as plain_design

SIDES = ("below", "above")
MONTHS_IN_WEEKS = 13
"""The weeks of a plan of three months."""
MOST_TEXT = 2000


class ProposalError(ValueError):
    """A part of a proposal that cannot be used; the message says which, and what to do."""


def _text(what: str, value: object) -> None:
    if not isinstance(value, str) or not value.strip():
        raise ProposalError(f"{what} must say something, and is {value!r}")
    if len(value) > MOST_TEXT:
        raise ProposalError(f"{what} has {len(value)} characters: say it in at most {MOST_TEXT}")


def _number(what: str, value: object) -> None:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not number or not abs(value) <= 1e300:  # type: ignore[arg-type]
        raise ProposalError(f"{what} must be a finite number, and is {value!r}")


def _week(what: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MONTHS_IN_WEEKS:
        raise ProposalError(f"{what} must be a week from 1 to {MONTHS_IN_WEEKS}, and is {value!r}")


def _credits(what: str, value: object) -> None:
    _number(what, value)
    if value < 0:  # type: ignore[operator]
        raise ProposalError(f"{what} must not be negative, and is {value!r}")


def _setting(what: str, value: object) -> None:
    if not isinstance(value, Mapping):
        raise ProposalError(f"{what} must map parameters to numbers, as in {{'n': 64}}, and is {value!r}")
    for name, one in value.items():
        if not isinstance(name, str):
            raise ProposalError(f"a parameter in {what} must be a string, and is {name!r}")
        _number(f"{what}[{name!r}]", one)


@dataclass(frozen=True)
class Failure:
    """The problem as a failure that can be measured.

    In ``setting`` (parameters of the notebook's system; those left out have their default) the ``metric``
    lies on the ``fails`` side of ``threshold``, and for the control in the same setting on the other one.
    """

    says: str
    metric: str
    fails: str
    threshold: float
    setting: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _text("Failure.says", self.says)
        _text("Failure.metric", self.metric)
        if self.fails not in SIDES:
            raise ProposalError(f"Failure.fails must be 'below' or 'above', and is {self.fails!r}")
        _number("Failure.threshold", self.threshold)
        _setting("Failure.setting", self.setting)


@dataclass(frozen=True)
class Approach:
    """A current approach, by the ``paper`` of the bibliography that stands for it, and why it fails.

    ``mechanism`` is one of the bibliography's; ``why`` says it in your words.
    """

    paper: str
    mechanism: str
    why: str

    def __post_init__(self) -> None:
        _text("Approach.paper", self.paper)
        _text("Approach.mechanism", self.mechanism)
        _text("Approach.why", self.why)


@dataclass(frozen=True)
class Objection:
    """A ``paper`` that disputes another one, ``against``; ``says``: what of it you take over."""

    paper: str
    against: str
    says: str

    def __post_init__(self) -> None:
        _text("Objection.paper", self.paper)
        _text("Objection.against", self.against)
        _text("Objection.says", self.says)


@dataclass(frozen=True)
class Assumption:
    """What must be true for a solution to exist, with a cheap test.

    In the proposal's ``solution`` the job is done; with ``parameter`` at ``breaks`` instead, and all
    else equal, it is not. ``test`` is how you would find out which world you are in, in ``week``, for
    ``credits``.
    """

    says: str
    parameter: str
    breaks: float
    test: str
    week: int
    credits: float

    def __post_init__(self) -> None:
        _text("Assumption.says", self.says)
        _text("Assumption.parameter", self.parameter)
        _number("Assumption.breaks", self.breaks)
        _text("Assumption.test", self.test)
        _week("Assumption.week", self.week)
        _credits("Assumption.credits", self.credits)


@dataclass(frozen=True)
class Stage:
    """What is done from week ``first`` to week ``last``, both included, and what it may spend."""

    first: int
    last: int
    does: str
    credits: float

    def __post_init__(self) -> None:
        _week("Stage.first", self.first)
        _week("Stage.last", self.last)
        if self.last < self.first:
            raise ProposalError(
                f"a stage cannot end in week {self.last} before it begins in week {self.first}"
            )
        _text("Stage.does", self.does)
        _credits("Stage.credits", self.credits)


@dataclass(frozen=True)
class Kill:
    """When the project is given up early: after ``week``, if the estimate of ``pilot`` is under ``below``."""

    week: int
    pilot: Design
    below: float

    def __post_init__(self) -> None:
        _week("Kill.week", self.week)
        if not isinstance(self.pilot, Design):
            raise ProposalError(f"Kill.pilot must be a Design(...), and is {type(self.pilot).__name__}")
        _number("Kill.below", self.below)


@dataclass(frozen=True)
class Plan:
    """Three months: ``stages`` one after another from week 1, the ``experiment``, and the criterion to stop.

    The experiment's baseline, held-out set, seeds, test and falsifier are parts of its design.
    """

    stages: tuple[Stage, ...]
    experiment: Design
    kill: Kill

    def __post_init__(self) -> None:
        if isinstance(self.stages, Stage):
            object.__setattr__(self, "stages", (self.stages,))
        if not isinstance(self.stages, (tuple, list)) or not all(isinstance(s, Stage) for s in self.stages):
            raise ProposalError("Plan.stages must be a tuple of Stage(...)")
        object.__setattr__(self, "stages", tuple(self.stages))
        week = 0
        for stage in self.stages:
            if stage.first != week + 1:
                raise ProposalError(
                    f"Plan.stages: a stage begins in week {stage.first}, and the one before it ends in week "
                    f"{week}: stages follow one another, the first from week 1"
                )
            week = stage.last
        if not isinstance(self.experiment, Design):
            raise ProposalError(
                f"Plan.experiment must be a Design(...), and is {type(self.experiment).__name__}"
            )
        if not isinstance(self.kill, Kill):
            raise ProposalError(f"Plan.kill must be a Kill(...), and is {type(self.kill).__name__}")


@dataclass(frozen=True)
class Proposal:
    """An open problem, argued. A part that is left out earns nothing and spoils no other.

    ``solution`` is the setting in which the job would be done: what it needs to be true.
    """

    failure: Failure | None = None
    approaches: tuple[Approach, ...] = ()
    objection: Objection | None = None
    solution: Mapping[str, float] = field(default_factory=dict)
    assumptions: tuple[Assumption, ...] = ()
    plan: Plan | None = None

    def __post_init__(self) -> None:
        for name, due in (("failure", Failure), ("objection", Objection), ("plan", Plan)):
            value = getattr(self, name)
            if value is not None and not isinstance(value, due):
                raise ProposalError(f"Proposal.{name} must be {due.__name__}(...), and is {value!r}")
        lists: tuple[tuple[str, type], ...] = (("approaches", Approach), ("assumptions", Assumption))
        for name, part in lists:
            value = getattr(self, name)
            if isinstance(value, part):
                value = (value,)
            if not isinstance(value, (tuple, list)) or not all(isinstance(one, part) for one in value):
                raise ProposalError(f"Proposal.{name} must be a tuple of {part.__name__}(...)")
            object.__setattr__(self, name, tuple(value))
        _setting("Proposal.solution", self.solution)


def plain(proposal: Proposal) -> dict[str, Any]:
    """The proposal as dicts, lists, strings and numbers, which can cross a wall or be written as JSON."""
    if not isinstance(proposal, Proposal):
        # What is plain already, or was received, is the likeliest to be tried.
        raise ProposalError(
            f"plain takes what Proposal(...) gives, before it is plain or received, and not "
            f"{type(proposal).__name__}"
        )
    found = _plain(proposal)
    assert isinstance(found, dict)
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, Design):
        return plain_design(value)
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: _plain(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, (tuple, list)):
        return [_plain(one) for one in value]
    return dict(value) if isinstance(value, Mapping) else value
