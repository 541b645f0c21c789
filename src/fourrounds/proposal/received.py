"""What crossed the wall and claims to be a proposal. Each part is read or refused by itself.

A learner's notebook hands over what :func:`~fourrounds.proposal.parts.plain` made, or anything at all. One
part that is out of form must not take the points of the others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, field, fields
from typing import Any

from fourrounds.design import Design, DesignError
from fourrounds.design.received import received as received_design
from fourrounds.proposal.parts import (
    Approach,
    Assumption,
    Failure,
    Kill,
    Objection,
    Plan,
    Proposal,
    ProposalError,
    Stage,
)

MOST_LISTED = 20
"""The most approaches, assumptions or stages that are read."""
MOST_NAME = 200


@dataclass(frozen=True)
class Received:
    """The parts of a proposal that could be read; ``problems`` says by part why the others could not."""

    failure: Failure | None = None
    approaches: tuple[Approach, ...] = ()
    objection: Objection | None = None
    solution: Mapping[str, float] = field(default_factory=dict)
    assumptions: tuple[Assumption, ...] = ()
    plan: Plan | None = None
    problems: Mapping[str, str] = field(default_factory=dict)


def received(data: Any) -> Received:
    """The proposal in ``data``.

    Raises :class:`~fourrounds.proposal.parts.ProposalError` for data that are no proposal at all; whatever is
    wrong with one part stands in ``problems``.
    """
    if type(data) is not dict:
        raise ProposalError(f"a proposal is handed in as plain(Proposal(...)), a dict, and is {_kind(data)}")
    known = [f.name for f in fields(Proposal)]
    unknown = [str(name)[:MOST_NAME] for name in data if name not in known]
    if unknown:
        raise ProposalError(f"a proposal has no part {unknown[0]!r}, but {', '.join(known)}")
    found: dict[str, Any] = {}
    problems: dict[str, str] = {}
    readers: dict[str, Callable[[Any], Any]] = {
        "failure": lambda value: _part(Failure, value, "failure"),
        "objection": lambda value: _part(Objection, value, "objection"),
        "plan": _plan,
        "solution": _solution,
    }
    for name, read in readers.items():
        value = data.get(name)
        if value is None:
            continue
        try:
            found[name] = read(value)
        except (ProposalError, DesignError) as error:
            problems[name] = str(error)
    for name, part in (("approaches", Approach), ("assumptions", Assumption)):
        read_parts, wrong = _listed(part, data.get(name) or [], name)
        found[name] = read_parts
        if wrong:
            problems[name] = wrong
    return Received(**found, problems=problems)


def _kind(value: Any) -> str:
    # What stayed with the answer is known here by the name of its type alone.
    stayed = getattr(value, "answer_type", None)
    return (stayed if isinstance(stayed, str) else type(value).__name__)[:MOST_NAME]


def _part(part: Any, data: Any, what: str) -> Any:
    if type(data) is not dict:
        raise ProposalError(f"{what} must be {part.__name__}(...), and is {_kind(data)}")
    names = [f.name for f in fields(part)]
    needed = [f.name for f in fields(part) if f.default is MISSING and f.default_factory is MISSING]
    if any(name not in names for name in data) or any(name not in data for name in needed):
        raise ProposalError(f"{what} must have {', '.join(needed)}, and nothing but {', '.join(names)}")
    return part(**data)


def _solution(data: Any) -> Mapping[str, float]:
    if type(data) is not dict:
        raise ProposalError(f"solution must map parameters to numbers, and is {_kind(data)}")
    return Proposal(solution=data).solution


def _listed(part: Any, data: Any, what: str) -> tuple[tuple[Any, ...], str]:
    if type(data) not in (list, tuple):
        return (), f"{what} must be a list of {part.__name__}(...), and is {_kind(data)}"
    if len(data) > MOST_LISTED:
        return (), f"{what} has {len(data)} entries: choose at most {MOST_LISTED}"
    found, wrong = [], []
    for number, one in enumerate(data, 1):
        try:
            found.append(_part(part, one, f"{what}, number {number},"))
        except ProposalError as error:
            wrong.append(str(error))
    return tuple(found), "; ".join(dict.fromkeys(wrong))


def _plan(data: Any) -> Plan:
    if type(data) is not dict:
        raise ProposalError(f"plan must be Plan(...), and is {_kind(data)}")
    if set(data) != {f.name for f in fields(Plan)}:
        raise ProposalError("plan must have stages, experiment and kill, and nothing else")
    stages, wrong = _listed(Stage, data["stages"], "stages")
    if wrong:
        raise ProposalError(wrong)
    kill = data["kill"]
    if type(kill) is not dict or set(kill) != {f.name for f in fields(Kill)}:
        raise ProposalError("the plan's kill must be Kill(week, pilot, below)")
    pilot = _design(kill["pilot"], "Kill.pilot")
    return Plan(
        stages, _design(data["experiment"], "Plan.experiment"), Kill(kill["week"], pilot, kill["below"])
    )


def _design(data: Any, what: str) -> Design:
    try:
        return received_design(data)
    except DesignError as error:
        raise ProposalError(f"{what}: {error}") from None
