"""The form of a key: the system in which a failure shows, its control, and the worlds of the experiment.

Keys live outside the package, with the problem that they belong to. A *setting* is a value for each of the
system's parameters; the notebook tells them to the learner with their ranges.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from fourrounds.design.key import Key as DesignKey
from fourrounds.design.key import load_key
from fourrounds.proposal import bibliography
from fourrounds.proposal.parts import SIDES, ProposalError

Setting = Mapping[str, float]
System = Callable[[Setting, np.random.Generator], Mapping[str, float]]
"""Draws once, and measures every metric: ``system(setting, rng) -> {metric: value}``."""


EXPERIMENT = {"false_positives": 0.25, "power": 0.25, "bias": 0.05, "coverage": 0.05, "falsifier": 0.4}
"""What the parts of the experiment weigh where a key does not say so. A design of Round 3 is about its
numbers; here it carries the result that would change its author's mind, which every proposal is asked for."""


class KeyFault(ValueError):
    """A key is out of form. The message names the part of the key."""


@dataclass(frozen=True)
class Parameter:
    """A number of the system, from ``low`` to ``high``; ``whole``: whether it counts something."""

    low: float
    high: float
    default: float
    whole: bool = False

    def __post_init__(self) -> None:
        if not self.low <= self.default <= self.high:
            raise KeyFault(f"a parameter from {self.low} to {self.high} cannot have default {self.default}")


@dataclass(frozen=True)
class Measured:
    """A metric: on which side it ``fails``, and the ``bound`` from which a failure would matter to a user."""

    fails: str
    bound: float

    def __post_init__(self) -> None:
        if self.fails not in SIDES:
            raise KeyFault(f"a metric fails 'below' or 'above', not {self.fails!r}")


@dataclass(frozen=True)
class Key:
    """What a proposal for one open problem is scored against.

    ``problem`` is the bibliography's slug of the problem. ``system`` is the failing one and ``control`` the
    same without the failure's cause. ``meets`` says whether a setting satisfies the requirement; ``job`` are
    the parameters that a solution may not change, each at the value of the job, and ``choices`` those that a
    project sets as it likes, so that nothing about them is assumed. ``experiment`` is a key of
    :mod:`fourrounds.design.key`, whose budget is the whole plan's. Raises :class:`KeyFault`.
    """

    problem: str
    parameters: Mapping[str, Parameter]
    metrics: Mapping[str, Measured]
    system: System
    control: System
    meets: Callable[[Setting], bool]
    job: Setting
    choices: tuple[str, ...]
    experiment: DesignKey

    def __post_init__(self) -> None:
        if self.problem not in {slug for slug, _, _ in bibliography.load().problems}:
            raise KeyFault(f"no problem {self.problem!r} in the bibliography")
        if not self.metrics or not self.parameters:
            raise KeyFault("a key has metrics and parameters")
        if not set(self.choices) <= set(self.parameters) - set(self.job):
            raise KeyFault(f"choices are parameters beside the job's, and are {self.choices}")
        try:
            object.__setattr__(self, "job", self.complete(self.job) and dict(self.job))
        except ProposalError as error:
            raise KeyFault(f"job: {error}") from None
        if not isinstance(self.experiment, DesignKey):
            object.__setattr__(self, "experiment", load_key({"weights": EXPERIMENT, **self.experiment}))

    def complete(self, setting: Setting, base: Setting | None = None) -> dict[str, Any]:
        """The setting with what it leaves out from ``base`` or the defaults.

        Raises :class:`~fourrounds.proposal.parts.ProposalError` for a parameter or value that there is not.
        """
        full: dict[str, Any] = {name: one.default for name, one in self.parameters.items()}
        full.update(base or {})
        for name, value in setting.items():
            one = self.parameters.get(name)
            if one is None:
                raise ProposalError(f"there is no parameter {name[:80]!r}, but {', '.join(self.parameters)}")
            if not one.low <= value <= one.high:
                raise ProposalError(f"{name} must lie between {one.low:g} and {one.high:g}, and is {value!r}")
            if one.whole and value != int(value):
                raise ProposalError(f"{name} must be a whole number, and is {value!r}")
            full[name] = value
        return {n: int(v) if self.parameters[n].whole else float(v) for n, v in full.items()}
