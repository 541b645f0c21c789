"""Which problems a mock interview deals."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Sequence
from random import Random

from fourrounds.desk import handing_in, store, work
from fourrounds.desk.attempts import Attempt, Attempts
from fourrounds.desk.errors import DeskError
from fourrounds.desk.mocks import Dealt, Mocks
from fourrounds.desk.standing import passes
from fourrounds.examiner.layout import ASSIGNMENTS, Layout
from fourrounds.examiner.problem import Problem

WORDS = {
    "new": "You have not attempted it.",
    "not passed": "You have attempted it, and not passed it.",
    "again": (
        "You passed every problem of this round, and none has a second form: this is the one that you saw "
        "longest ago. Its hidden tests draw new inputs."
    ),
}
"""Why a problem was dealt, in words."""


def begin(layout: Layout, user: str, seed: int | None = None) -> int:
    """Deal a mock interview and keep it; return its number. ``seed`` is drawn unless it is given.

    A problem that is not built cannot be dealt. Raises :class:`DeskError` while another mock goes on, or
    where there is no problem.
    """
    mocks = Mocks(layout, user)
    seed = secrets.randbits(31) if seed is None else seed
    met = {one.dealt.problem for mock in mocks.all() for one in mock.rounds if one.began_at is not None} | {
        one.problem for one in handing_in.waiting(layout, user)
    }
    built = [one for one in layout.problems() if work.release_path(layout, one).is_file()]
    return mocks.begin(seed, deal(built, Attempts(store.of(layout)).of(user), met, seed))


def deal(
    problems: Sequence[Problem], attempts: Sequence[Attempt], met: Collection[str], seed: int
) -> tuple[Dealt, ...]:
    """A problem of each round, by chance from ``seed`` among the most wanted of the round.

    Most wanted is what the learner never attempted, then what was not passed; and before either question,
    what asks for no problem that is still to be passed. Where every problem of a round is passed, it is the
    one that was seen longest ago. ``attempts`` are the learner's, oldest first; ``met`` are problems that
    were seen and have no attempt. What is passed says ``standing.passes``. Raises :class:`DeskError` if no
    round has a problem.
    """
    done = {one.problem for one in attempts if passes(one)}
    tried = {one.problem for one in attempts} | set(met)
    dealt = []
    for number, assignment in enumerate(ASSIGNMENTS, 1):
        mine = sorted((one for one in problems if one.assignment == assignment), key=lambda one: one.slug)
        if not mine:
            continue
        unsolved = [one for one in mine if one.slug not in done]
        if unsolved:
            wants = {
                one.slug: (not done.issuperset(one.prerequisites), one.slug in tried) for one in unsolved
            }
            best = min(wants.values())
            # A generator of its own for each round: what one round has to offer changes no other.
            chosen = Random(f"{seed} {assignment}").choice(
                [one for one in unsolved if wants[one.slug] == best]
            )
            why = "not passed" if chosen.slug in tried else "new"
        else:
            last = {one.problem: place for place, one in enumerate(attempts)}
            chosen, why = min(mine, key=lambda one: last[one.slug]), "again"
        dealt.append(Dealt(number, chosen.slug, assignment, chosen.minutes, _groups(chosen), why))
    if not dealt:
        raise DeskError("There are no problems to deal: `fourrounds build` builds those in source/.")
    return tuple(dealt)


def _groups(problem: Problem) -> tuple[tuple[str, float], ...]:
    return tuple((cell.group or cell.role, cell.points) for cell in problem.by_role("manual", "hidden"))
