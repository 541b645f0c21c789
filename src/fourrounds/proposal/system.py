"""The system of an open problem as a learner is told it: its parameters and its metrics.

A *setting* is a value for each parameter. What of a proposal can be checked without a key is checked here:
names, ranges, that the papers and mechanisms exist, that nothing is left out, weeks and money. It says
nothing of whether they are right.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any

from fourrounds.design import Design, World, draw
from fourrounds.design.simulate import cost
from fourrounds.proposal import bibliography
from fourrounds.proposal.parts import SIDES, Assumption, Plan, ProposalError
from fourrounds.proposal.received import Received

Setting = Mapping[str, float]
ROLES = ("job", "choice", "nature")
ASKED = 2
"""How many approaches, and how many assumptions."""
CHEAP = 0.1
"""The share of the budget up to which the test of an assumption is cheap."""
EARLY_WEEK = 4
"""The last week in which such a test still saves the money."""
KILL_WEEK = 2
"""The last week in which the criterion to stop still does."""


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
    """A metric: on which side it ``fails``, and the ``bound`` beyond which users notice.

    Its values go from ``low`` to ``high``, where it has such bounds.
    """

    fails: str
    bound: float
    low: float = -math.inf
    high: float = math.inf

    def __post_init__(self) -> None:
        if self.fails not in SIDES:
            raise SystemFault(f"a metric fails 'below' or 'above', not {self.fails!r}")
        if not self.low <= self.bound <= self.high:
            raise SystemFault(f"a metric from {self.low} to {self.high} cannot have bound {self.bound}")

    @property
    def span(self) -> str:
        """Where its values lie, in words."""
        if self.low == -math.inf:
            return f"at {self.high:g} or below"
        return f"at {self.low:g} or above" if self.high == math.inf else f"from {self.low:g} to {self.high:g}"


def complete(
    parameters: Mapping[str, Parameter], setting: Setting, base: Setting | None = None
) -> dict[str, Any]:
    """The setting with what it leaves out from ``base`` or the defaults.

    Raises :class:`~fourrounds.proposal.parts.ProposalError` for parameters or values that there are not, and
    tells all of them.
    """
    wrong = [told for name, value in setting.items() if (told := _wrong_value(parameters, name, value))]
    if wrong:
        raise ProposalError("; ".join(wrong))
    full: dict[str, Any] = {name: one.default for name, one in parameters.items()}
    full.update({**(base or {}), **setting})
    return {n: int(v) if parameters[n].whole else float(v) for n, v in full.items()}


def _wrong_value(parameters: Mapping[str, Parameter], name: str, value: float) -> str:
    """What is wrong with one entry of a setting: ``""`` if nothing is."""
    one = parameters.get(name)
    if one is None:
        near = get_close_matches(name.lower(), parameters, n=1, cutoff=0.6)
        hint = f" (did you mean {near[0]}?)" if near else ""
        return f"there is no parameter {name[:80]!r}{hint}, but {', '.join(parameters)}"
    if not one.low <= value <= one.high:
        return f"{name} must lie between {one.low:g} and {one.high:g}, and is {value!r}"
    if one.whole and value != int(value):
        return f"{name} must be a whole number, and is {value!r}"
    return ""


def solved(parameters: Mapping[str, Parameter], solution: Setting) -> dict[str, Any]:
    """The setting of a solution, which sets what a project can choose and leaves the rest as it is.

    Raises :class:`~fourrounds.proposal.parts.ProposalError` for one that changes the job or nature, or sets
    what there is not, and tells all of it.
    """
    wrong = [told for name, value in solution.items() if (told := _wrong_choice(parameters, name, value))]
    if wrong:
        raise ProposalError("; ".join(wrong))
    return complete(parameters, solution)


def _wrong_choice(parameters: Mapping[str, Parameter], name: str, value: float) -> str:
    """What is wrong with one entry of a solution. What is not one's own to set has no range to tell."""
    one = parameters.get(name)
    if one is None or one.role == "choice" or value == one.default:
        return _wrong_value(parameters, name, value)
    whose = "the job is another one then" if one.role == "job" else "it is nature's, and not yours to set"
    return f"the solution changes {name}: {whose}"


def misnamed(
    found: Received,
    problem: str,
    parameters: Mapping[str, Parameter],
    metrics: Mapping[str, Measured],
    world: World | None = None,
) -> list[str]:
    """What in a proposal names something that there is not, or lies out of range; empty if nothing does.

    ``world`` is one in which the experiment is run: what a design controls must be a factor of it.
    """
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
        else:
            if metric.fails != found.failure.fails:
                wrong.append(f"failure: {found.failure.metric} fails {metric.fails} its threshold")
            if not metric.low <= found.failure.threshold <= metric.high:
                wrong.append(
                    f"failure: {found.failure.metric} lies {metric.span}, and the threshold is "
                    f"{found.failure.threshold:g}"
                )
        tried("failure", complete, parameters, found.failure.setting)
    for one in found.approaches:
        tried("approaches", bibliography.paper, one.paper, problem)
        tried("approaches", _mechanism, one.mechanism, problem)
    if found.objection is not None:
        tried("objection", bibliography.paper, found.objection.paper, problem)
        tried("objection", bibliography.paper, found.objection.against, problem)
    tried("solution", solved, parameters, found.solution)
    for assumption in found.assumptions:
        parameter = parameters.get(assumption.parameter)
        if parameter is None or parameter.role == "nature":
            tried("assumptions", complete, parameters, {assumption.parameter: assumption.breaks})
        else:
            whose = "belongs to the job" if parameter.role == "job" else "is for you to choose"
            wrong.append(f"assumptions: {assumption.parameter} {whose}, so nothing is assumed about it")
    if found.plan is not None and world is not None:
        for design in (found.plan.experiment, found.plan.kill.pilot):
            wrong += [f"plan: {line}" for line in _uncontrolled(design, world)]
    return [line if line.endswith((".", "?")) else f"{line}." for line in dict.fromkeys(wrong)]


def _uncontrolled(design: Design, world: World) -> list[str]:
    """Which factors of ``design.controlled`` the world does not have: a misspelt one would hold nothing."""
    factor = world.confounder.factor if world.confounder else None
    can = (
        f"this experiment can control {factor!r} alone"
        if factor
        else "this experiment has nothing to control"
    )
    return [f"controlled names {name[:80]!r}, and {can}" for name in design.controlled if name != factor]


def unfinished(found: Received, budget: float, world: World) -> list[str]:
    """What a proposal leaves out, and what of it is later or dearer than the rules have it; empty if nothing.

    ``world`` has the prices, in credits as the ``budget``. What could not be read, or names what there is
    not, is left to :func:`misnamed`. Raises :class:`~fourrounds.design.DesignError` for a design that the
    world cannot run.
    """
    lines = []
    for name in ("failure", "approaches", "objection", "solution", "assumptions", "plan"):
        if not getattr(found, name) and name not in found.problems:
            lines.append(f"{name}: left out")
    several = (
        ("approaches", "papers", {one.paper for one in found.approaches}),
        ("assumptions", "parameters", {one.parameter for one in found.assumptions}),
    )
    for name, what, named in several:
        if 0 < len(named) < ASKED:
            lines.append(f"{name}: about {len(named)} of {ASKED} {what}")
    for one in found.assumptions:
        if one.credits > CHEAP * budget:
            lines.append(
                f"assumptions: the test of {one.parameter} costs {one.credits:g}: cheap is up to "
                f"{CHEAP * budget:g}"
            )
        if one.week > EARLY_WEEK:
            lines.append(
                f"assumptions: the test of {one.parameter} comes in week {one.week}, after week {EARLY_WEEK}"
            )
    if found.plan is not None:
        if found.plan.kill.week > KILL_WEEK:
            lines.append(f"plan: the criterion comes in week {found.plan.kill.week}, after week {KILL_WEEK}")
        unpaid_ = unpaid(found.plan, found.assumptions, budget, lambda design: _price(design, world))
        lines += [f"plan: {line}" for line in unpaid_]
    return [f"{line}." for line in dict.fromkeys(lines)]


def unpaid(
    plan: Plan, assumptions: tuple[Assumption, ...], budget: float, price: Callable[[Design], float]
) -> list[str]:
    """What the plan's money does not pay for: empty if it pays for all.

    The stages spend at most the budget. Those that have begun by the week of the pilot pay for it, and all
    together pay for the pilot, the experiment and the tests of the assumptions. ``price`` takes a design.
    """
    spent = sum(stage.credits for stage in plan.stages)
    wrong = []
    if not plan.stages:
        return ["the plan has no stages"]
    if spent > budget * (1 + 1e-9):
        wrong.append(f"the stages spend {spent:g}, and the budget is {budget:g}")
    pilot = price(plan.kill.pilot)
    early = sum(stage.credits for stage in plan.stages if stage.first <= plan.kill.week)
    if pilot > early * (1 + 1e-9):
        wrong.append(
            f"the pilot costs {pilot:.4g}, and the stages up to week {plan.kill.week} have {early:g}"
        )
    whole = pilot + price(plan.experiment) + sum(one.credits for one in assumptions)
    if whole > spent * (1 + 1e-9):
        wrong.append(f"pilot, experiment and tests cost {whole:.4g}, and the stages have {spent:g}")
    return wrong


def _price(design: Design, world: World) -> float:
    """The price of the whole experiment in one world, all looks and no rerun."""
    first = replace(design, seeds=replace(design.seeds, diverged="count"))
    return float(cost(first, world, draw(first, world, 1, 0), design.stopping.looks)[0])


def _mechanism(name: str, problem: str) -> None:
    """Refuse what is no mechanism of ``problem``: those that are stand in the notebook."""
    one = bibliography.mechanism(name, problem)
    if one.problem != problem:
        mine = ", ".join(m.name for m in bibliography.mechanisms(problem))
        raise ProposalError(f"{name} is a mechanism of {one.problem}; those of this problem are {mine}")
