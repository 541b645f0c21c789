"""How a proposal is scored: by what happens when its parts are run.

**The rule.** Each part earns a share from 0 to 1; the whole is their mean by :data:`WEIGHTS`.

``failure``: in the setting, over ``draws`` draws, the metric is on the failing side of the threshold with
frequency f, and for the control with frequency c. The share is (f - c) / 0.9, at most 1, and half of that
if the threshold lies where no user would notice (the key's bound).

``approaches``: two are asked for. One counts if its paper is about this problem and treats the named
mechanism, which is one of this problem's. A paper counts once.

``objection``: the paper disputes the other one by the bibliography, and both are about this problem.

``assumptions``: two are asked for. The solution sets what the project can choose, and the job and nature stay
as they are. One counts if the job is done in the solution, is not done with its parameter changed to where it
breaks, and the parameter is nature's. A parameter counts once. A test that costs more than a tenth of the
budget, or comes after week 4, counts half, since it is not cheap or tells too late.

``experiment``: the total of :mod:`fourrounds.design.score`: false positives, power, bias, coverage, and the
falsifier, which weighs most (:data:`~fourrounds.proposal.key.EXPERIMENT`).

``plan``: the pilot is run in all worlds of the experiment. With d how often it ends a dead idea (worlds
where the hypothesis is false), l how often it ends a live one, and D = 0.6, L = 0.2 with an allowance for
chance, the share is (d - l) / (D - L), from 0 to 1, times min(1, d / D), times min(1, L / l). A criterion
that comes later than week 2 counts half; so does money that does not pay for what the plan buys
(:func:`bills`).

A coin has d = l and earns nothing, whatever its chance. Everything is computed from what was run or from
the bibliography: no wording changes a point.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from fourrounds.design import DesignError, plain, run
from fourrounds.design.score import MISTAKE, most_hits, planned_cost
from fourrounds.design.score import Score as DesignScore
from fourrounds.design.score import score as score_design
from fourrounds.proposal import bibliography
from fourrounds.proposal.key import Key
from fourrounds.proposal.parts import Approach, Assumption, Plan, ProposalError
from fourrounds.proposal.received import Received, received
from fourrounds.proposal.system import ASKED, CHEAP, EARLY_WEEK, KILL_WEEK, complete, solved, unpaid

WEIGHTS: Mapping[str, float] = {
    "failure": 2,
    "approaches": 2,
    "objection": 1,
    "assumptions": 2,
    "experiment": 3,
    "plan": 2,
}
DRAWS = 100
SIMS = 1000
APART = 0.9
DEAD, LIVE = 0.6, 0.2


@dataclass(frozen=True)
class Part:
    """What one part earned, from 0 to 1, and why, line by line."""

    share: float
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Score:
    """The score of a proposal; ``design`` is that of the experiment, None where none could be read."""

    total: float
    parts: Mapping[str, Part]
    design: DesignScore | None = None


def score(data: Any, key: Key, *, draws: int = DRAWS, sims: int = SIMS, seed: int = 0) -> Score:
    """Score what :func:`~fourrounds.proposal.parts.plain` returned, or anything that claims to be that.

    Raises :class:`~fourrounds.proposal.parts.ProposalError` for data that are no proposal at all, and
    ``ValueError`` for fewer than 20 draws or 100 simulations.
    """
    if draws < 20:
        raise ValueError(f"a frequency needs 20 draws or more, not {draws}")
    found = received(data)
    experiment, design = _experiment(found, key, sims, seed)
    parts = {
        "failure": _failure(found, key, draws, seed),
        "approaches": _approaches(found, key),
        "objection": _objection(found, key),
        "assumptions": _assumptions(found, key),
        "experiment": experiment,
        "plan": _plan(found, key, sims, seed),
    }
    total = sum(WEIGHTS[name] * part.share for name, part in parts.items()) / sum(WEIGHTS.values())
    return Score(total, parts, design)


def _missing(found: Received, name: str, due: str) -> Part:
    return Part(0.0, (found.problems.get(name, f"none was handed in: {due}"),))


def _failure(found: Received, key: Key, draws: int, seed: int) -> Part:
    failure = found.failure
    if failure is None:
        return _missing(found, "failure", "a metric, a threshold, and the setting in which it fails")
    metric = key.metrics.get(failure.metric)
    if metric is None:
        return Part(0.0, (f"the system has no metric {failure.metric[:80]!r}, but {', '.join(key.metrics)}",))
    if failure.fails != metric.fails:
        return Part(0.0, (f"{failure.metric} fails {metric.fails} its threshold, not {failure.fails}",))
    try:
        setting = complete(key.parameters, failure.setting)
    except ProposalError as error:
        return Part(0.0, (str(error),))
    rates, told = [], []
    for number, (name, system) in enumerate((("the system", key.system), ("the control", key.control))):
        rng = np.random.default_rng([seed, number])
        values = np.array([float(system(setting, rng)[failure.metric]) for _ in range(draws)])
        failing = values < failure.threshold if failure.fails == "below" else values > failure.threshold
        rates.append(float(failing.mean()))
        told.append(
            f"{name}: {failure.metric} {np.median(values):.3g} (median of {draws} draws), {failure.fails} "
            f"{failure.threshold:g} in {rates[-1]:.0%}"
        )
    share = min(1.0, max(0.0, (rates[0] - rates[1]) / APART))
    beyond = (
        failure.threshold <= metric.bound if failure.fails == "below" else failure.threshold >= metric.bound
    )
    if not beyond:
        share *= 0.5
        told.append(
            f"users notice {failure.metric} {failure.fails} {metric.bound:g}, and the threshold lies on the "
            "harmless side of it"
        )
    if rates[0] - rates[1] < APART:
        told.append("a threshold that measures this failure separates the two")
    return Part(share, tuple(told))


def _approaches(found: Received, key: Key) -> Part:
    if not found.approaches:
        return _missing(found, "approaches", f"{ASKED} papers, each with the mechanism by which it fails")
    counted: set[str] = set()
    lines = [found.problems["approaches"]] if "approaches" in found.problems else []
    for one in found.approaches:
        wrong = _wrong_approach(one, key, counted)
        lines.append(f"{one.paper[:80]}: {wrong or 'counts'}")
        if not wrong:
            counted.add(one.paper)
    return Part(min(1.0, len(counted) / ASKED), tuple(lines))


def _wrong_approach(one: Approach, key: Key, counted: set[str]) -> str:
    try:
        paper = bibliography.paper(one.paper, key.problem)
        mechanism = bibliography.mechanism(one.mechanism, key.problem)
    except bibliography.BibliographyError as error:
        return str(error)
    if key.problem not in paper.problems:
        return f"it is about {', '.join(paper.problems)}, and not about this problem"
    if key.problem != mechanism.problem:
        return f"{mechanism.name} is no mechanism of this problem"
    if mechanism.name not in paper.mechanisms:
        return f"by the bibliography it does not treat {mechanism.name}"
    return "it is named twice" if one.paper in counted else ""


def _objection(found: Received, key: Key) -> Part:
    one = found.objection
    if one is None:
        return _missing(found, "objection", "a paper that disputes another one")
    try:
        paper, other = (bibliography.paper(id, key.problem) for id in (one.paper, one.against))
    except bibliography.BibliographyError as error:
        return Part(0.0, (str(error),))
    for named in (paper, other):
        if key.problem not in named.problems:
            return Part(
                0.0, (f"{named.id} is about {', '.join(named.problems)}, and not about this problem",)
            )
    for dispute in paper.disputes:
        if dispute.of == other.id:
            return Part(1.0, (f"{paper.id} disputes {other.id}: {dispute.what}",))
    return Part(0.0, (f"by the bibliography {paper.id} does not dispute {other.id}",))


def _assumptions(found: Received, key: Key) -> Part:
    if not found.assumptions:
        return _missing(found, "assumptions", f"{ASKED} of them, each with the value at which it breaks")
    if "solution" in found.problems:
        return Part(0.0, (found.problems["solution"],))
    try:
        solution = solved(key.parameters, found.solution)
    except ProposalError as error:
        return Part(0.0, (str(error),))
    demands = key.demands(solution)
    if not all(demands.values()):
        lacks = " and ".join(words for words, met in demands.items() if words and not met)
        named = f", which lacks {lacks}" if lacks else ""
        return Part(0.0, (f"the job is not done in your solution{named}, so nothing is assumed by it",))
    lines = ["the job is done in your solution"]
    if "assumptions" in found.problems:
        lines.append(found.problems["assumptions"])
    counted: dict[str, float] = {}
    for one in found.assumptions:
        wrong = _wrong_assumption(one, key, solution, counted)
        if wrong:
            lines.append(f"{one.parameter[:80]}: {wrong}")
            continue
        most = CHEAP * key.experiment.budget
        dear = f", but its test costs {one.credits:g}: cheap is up to {most:g}" if one.credits > most else ""
        if one.week > EARLY_WEEK:
            dear += (
                f", but its test comes in week {one.week}: by week {EARLY_WEEK} it can still save the money"
            )
        counted[one.parameter] = 0.5 if dear else 1.0
        lines.append(f"{one.parameter}: at {one.breaks:g} the job is not done any more{dear}")
    best = sorted(counted.values(), reverse=True)[:ASKED]
    return Part(sum(best) / ASKED, tuple(lines))


def _wrong_assumption(
    one: Assumption, key: Key, solution: Mapping[str, float], counted: Mapping[str, float]
) -> str:
    if one.parameter in counted:
        return "another assumption is about it"
    role = key.parameters[one.parameter].role if one.parameter in key.parameters else ""
    if role == "job":
        return "it belongs to the job, which is given"
    if role == "choice":
        return "you choose it yourself: an assumption is about what you cannot set"
    try:
        broken = complete(key.parameters, {one.parameter: one.breaks}, solution)
    except ProposalError as error:
        return str(error)
    if key.done(broken):
        return f"at {one.breaks:g} the job is done all the same: your solution does not hang on it"
    return ""


def _experiment(found: Received, key: Key, sims: int, seed: int) -> tuple[Part, DesignScore | None]:
    if found.plan is None:
        return _missing(found, "plan", "a plan with its experiment"), None
    judged = score_design(plain(found.plan.experiment), None, key.experiment, sims, seed)
    lines = [judged.problem] if judged.problem else []
    lines += [
        f"in {one.trial.name!r} {one.check.replace('_', ' ')}: "
        + (one.problem or f"{one.measured:.3g}, held to {one.allowed:.3g}")
        for one in judged.broken
    ]
    return Part(judged.total, tuple(lines) or ("no world broke it",)), judged


def bills(plan: Plan, assumptions: tuple[Assumption, ...], key: Key) -> list[str]:
    """What the plan's money does not pay for, at the key's budget and prices (:func:`.system.unpaid`)."""
    return unpaid(
        plan,
        assumptions,
        key.experiment.budget,
        lambda design: planned_cost(design, key.experiment),
    )


def _plan(found: Received, key: Key, sims: int, seed: int) -> Part:
    plan = found.plan
    if plan is None:
        return _missing(found, "plan", "stages, an experiment, and a criterion to stop")
    kill = plan.kill
    trials = key.experiment.trials
    chance = MISTAKE / len(trials)
    least = (sims - most_hits(sims, 1 - DEAD, chance)) / sims
    most = most_hits(sims, LIVE, chance) / sims
    dead: list[float] = []
    live: list[float] = []
    lines = []
    # The pilot ends an idea by its estimate alone, whatever its test says.
    pilot = replace(kill.pilot, stopping=replace(kill.pilot.stopping, looks=1))
    for number, trial in enumerate(trials):
        try:
            with np.errstate(all="ignore"):
                estimate = run(pilot, trial.world, sims, int(seed) + 7919 * (number + 1)).estimate
        except DesignError as error:
            return Part(0.0, (f"the pilot cannot be run in {trial.name!r}: {error}",))
        ended = float((estimate < kill.below).mean())
        (live if trial.holds else dead).append(ended)
        state = "true" if trial.holds else "false"
        lines.append(f"{trial.name!r}, where the idea is {state}: the pilot ends it in {ended:.0%}")
    d, l_ = min(dead), max(live)
    share = min(1.0, max(0.0, (d - l_) / (least - most))) * min(1.0, d / least)
    share *= 1.0 if l_ <= most else LIVE / l_
    if share < 1:
        lines.append(f"a pilot ends at least {DEAD:.0%} of dead ideas and at most {LIVE:.0%} of live ones")
    if kill.week > KILL_WEEK:
        share *= 0.5
        lines.append(f"it comes in week {kill.week}: week {KILL_WEEK} is when stopping still saves the money")
    wrong = bills(plan, found.assumptions, key)
    if wrong:
        share *= 0.5
    lines += wrong
    return Part(share, tuple(lines))
