"""The form of a key: the system in which a failure shows, its control, and the worlds of the experiment.

Keys live outside the package, with the problem that they belong to.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from fourrounds.design.key import Key as DesignKey
from fourrounds.design.key import load_key
from fourrounds.proposal import bibliography
from fourrounds.proposal.system import Measured, Parameter, Setting, complete

System = Callable[[Setting, np.random.Generator], Mapping[str, float]]
"""Draws once, and measures every metric: ``system(setting, rng) -> {metric: value}``."""

EXPERIMENT = {"false_positives": 0.25, "power": 0.25, "bias": 0.05, "coverage": 0.05, "falsifier": 0.4}
"""What the parts of the experiment weigh where a key does not say so. A design of Round 3 is about its
numbers; here it carries the result that would change its author's mind, which every proposal is asked for."""


class KeyFault(ValueError):
    """A key is out of form. The message names the part of the key."""


@dataclass(frozen=True)
class Key:
    """What a proposal for one open problem is scored against.

    ``problem`` is the bibliography's slug of the problem; ``parameters`` and ``metrics`` are those that the
    notebook tells. ``system`` is the failing one and ``control`` the same without the failure's cause.
    ``meets`` says what of the job is done in a complete setting: for each demand, in words that follow
    "it lacks", whether it is met, or one bool for all. ``experiment`` is a key of
    :mod:`fourrounds.design.key`, whose budget is the whole plan's. Raises :class:`KeyFault`.
    """

    problem: str
    parameters: Mapping[str, Parameter]
    metrics: Mapping[str, Measured]
    system: System
    control: System
    meets: Callable[[Setting], Mapping[str, bool] | bool]
    experiment: DesignKey

    def __post_init__(self) -> None:
        if self.problem not in {slug for slug, _, _ in bibliography.load().problems}:
            raise KeyFault(f"no problem {self.problem!r} in the bibliography")
        if not self.metrics:
            raise KeyFault("a key has metrics")
        roles = [one.role for one in self.parameters.values()]
        if "job" not in roles or "choice" not in roles or roles.count("nature") < 2:
            raise KeyFault("a system has a job, something to choose, and two parameters of nature or more")
        if not isinstance(self.experiment, DesignKey):
            object.__setattr__(self, "experiment", load_key({"weights": EXPERIMENT, **self.experiment}))

    def complete(self, setting: Setting) -> dict[str, Any]:
        """The setting with the defaults of what it leaves out (:func:`.system.complete`)."""
        return complete(self.parameters, setting)

    def demands(self, setting: Setting) -> dict[str, bool]:
        """The demands of the job, in the key's words, and whether each is met in a complete setting.

        A key that gives one bool has one demand, without words. Raises :class:`KeyFault` for none at all,
        which anything would meet.
        """
        found = self.meets(setting)
        if not isinstance(found, Mapping):
            return {"": bool(found)}
        if not found:
            raise KeyFault("a job makes at least one demand")
        return {words: bool(met) for words, met in found.items()}

    def done(self, setting: Setting) -> bool:
        """Whether the job is done in a complete setting: every demand is met."""
        return all(self.demands(setting).values())
