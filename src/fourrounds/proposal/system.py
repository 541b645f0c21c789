"""The system of an open problem as a learner is told it: its parameters and its metrics.

A *setting* is a value for each parameter. What of a proposal can be checked without a key is checked here:
names, ranges, and that the papers and mechanisms exist. It says nothing of whether they are right.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fourrounds.proposal import bibliography
from fourrounds.proposal.parts import SIDES, ProposalError
from fourrounds.proposal.received import Received

Setting = Mapping[str, float]
ROLES = ("job", "choice", "nature")


class SystemFault(ValueError):
    """A system is out of form. The message names the part."""


@dataclass(frozen=True)
class Parameter:
    """A number of the system, from ``low`` to ``high``; ``whole``: whether it counts something.

    ``role``: ``"job"`` is given and cannot be changed, ``"choice"`` is what a project sets as it likes, and
    ``"nature"`` is as it is.
    """

    low: float
    high: float
    default: float
    role: str
    whole: bool = False

    def __post_init__(self) -> None:
        if not self.low <= self.default <= self.high:
            raise SystemFault(
                f"a parameter from {self.low} to {self.high} cannot have default {self.default}"
            )
        if self.role not in ROLES:
            raise SystemFault(f"a parameter's role is one of {', '.join(ROLES)}, and not {self.role!r}")


@dataclass(frozen=True)
class Measured:
    """A metric: on which side it ``fails``, and the ``bound`` beyond which users notice."""

    fails: str
    bound: float

    def __post_init__(self) -> None:
        if self.fails not in SIDES:
            raise SystemFault(f"a metric fails 'below' or 'above', not {self.fails!r}")


def complete(
    parameters: Mapping[str, Parameter], setting: Setting, base: Setting | None = None
) -> dict[str, Any]:
    """The setting with what it leaves out from ``base`` or the defaults.

    Raises :class:`~fourrounds.proposal.parts.ProposalError` for a parameter or value that there is not.
    """
    full: dict[str, Any] = {name: one.default for name, one in parameters.items()}
    full.update(base or {})
    for name, value in setting.items():
        one = parameters.get(name)
        if one is None:
            raise ProposalError(f"there is no parameter {name[:80]!r}, but {', '.join(parameters)}")
        if not one.low <= value <= one.high:
            raise ProposalError(f"{name} must lie between {one.low:g} and {one.high:g}, and is {value!r}")
        if one.whole and value != int(value):
            raise ProposalError(f"{name} must be a whole number, and is {value!r}")
        full[name] = value
    return {n: int(v) if parameters[n].whole else float(v) for n, v in full.items()}


def solved(parameters: Mapping[str, Parameter], solution: Setting) -> dict[str, Any]:
    """The setting of a solution, which sets what a project can choose and leaves the rest as it is.

    Raises :class:`~fourrounds.proposal.parts.ProposalError` for one that changes the job or nature.
    """
    full = complete(parameters, solution)
    for name, one in parameters.items():
        if one.role != "choice" and full[name] != one.default:
            whose = (
                "the job is another one then" if one.role == "job" else "it is nature's, and not yours to set"
            )
            raise ProposalError(f"the solution changes {name}: {whose}")
    return full


def misnamed(
    found: Received, problem: str, parameters: Mapping[str, Parameter], metrics: Mapping[str, Measured]
) -> list[str]:
    """What in a proposal names something that there is not, or lies out of range; empty if nothing does."""
    wrong = [f"{part}: {problem_}" for part, problem_ in found.problems.items()]

    def tried(part: str, check: Any, *arguments: Any) -> None:
        try:
            check(*arguments)
        except (ProposalError, bibliography.BibliographyError) as error:
            wrong.append(f"{part}: {error}")

    if found.failure is not None:
        metric = metrics.get(found.failure.metric)
        if metric is None:
            known = ", ".join(metrics)
            wrong.append(f"failure: the system has no metric {found.failure.metric[:80]!r}, but {known}")
        elif metric.fails != found.failure.fails:
            wrong.append(f"failure: {found.failure.metric} fails {metric.fails} its threshold")
        tried("failure", complete, parameters, found.failure.setting)
    for one in found.approaches:
        tried("approaches", bibliography.paper, one.paper, problem)
        tried("approaches", _mechanism, one.mechanism, problem)
    if found.objection is not None:
        tried("objection", bibliography.paper, found.objection.paper, problem)
        tried("objection", bibliography.paper, found.objection.against, problem)
    tried("solution", solved, parameters, found.solution)
    for assumption in found.assumptions:
        tried("assumptions", complete, parameters, {assumption.parameter: assumption.breaks})
        parameter = parameters.get(assumption.parameter)
        if parameter is not None and parameter.role != "nature":
            whose = "belongs to the job" if parameter.role == "job" else "is for you to choose"
            wrong.append(f"assumptions: {assumption.parameter} {whose}, so nothing is assumed about it")
    return [line if line.endswith((".", "?")) else f"{line}." for line in dict.fromkeys(wrong)]


def _mechanism(name: str, problem: str) -> None:
    """Refuse what is no mechanism of ``problem``: those that are stand in the notebook."""
    one = bibliography.mechanism(name, problem)
    if one.problem != problem:
        mine = ", ".join(m.name for m in bibliography.mechanisms(problem))
        raise ProposalError(f"{name} is a mechanism of {one.problem}; those of this problem are {mine}")
