"""Which new problem comes next in a round: prerequisites first, then what is easy and opens others."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from fourrounds.examiner.problem import Problem

OPENS_WORTH, NAMED_WORTH, ABOUT_WORTH = 5, 1, 4
"""Minutes by which a problem may be longer: for each other one that asks for it, for each that names it as
related, and if something that it names as related is done."""


def by_ease(problems: Sequence[Problem], done: Collection[str]) -> list[Problem]:
    """The easiest first, where what prepares for others counts as easier, and so does what the learner is
    prepared for. The order is always the same."""

    def effort(problem: Problem) -> tuple[float, str]:
        opens = sum(problem.slug in other.prerequisites for other in problems)
        named = sum(problem.slug in other.related for other in problems)
        about = any(slug in done for slug in problem.related)
        worth = OPENS_WORTH * opens + NAMED_WORTH * named + ABOUT_WORTH * about
        return (problem.minutes - worth, problem.slug)

    return sorted(problems, key=effort)


def opens(problem: Problem, problems: Sequence[Problem]) -> list[str]:
    """The problems that ask for this one."""
    return [other.slug for other in problems if problem.slug in other.prerequisites]


def first_open(
    problem: Problem, known: Mapping[str, Problem], done: Collection[str], after: frozenset[str] = frozenset()
) -> Problem:
    """``problem``, or what has to come before it and is not done. A circle of prerequisites is cut open."""
    for slug in problem.prerequisites:
        if slug in known and slug not in done and slug not in after:
            return first_open(known[slug], known, done, after | {problem.slug})
    return problem


def next_new(
    assignment: str, problems: Sequence[Problem], done: Collection[str]
) -> tuple[Problem, Problem] | None:
    """What to do next in a round, and what it is for: the same, unless that one asks for another first.

    Problems whose prerequisites are done come before the others. None if all of the round is done.
    """
    known = {problem.slug: problem for problem in problems}
    new = [one for one in by_ease(problems, done) if one.assignment == assignment and one.slug not in done]
    if not new:
        return None
    ready = [one for one in new if first_open(one, known, done) is one]
    wanted = (ready or new)[0]
    return first_open(wanted, known, done), wanted
