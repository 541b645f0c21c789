"""The learner's notebook of a round of a mock interview."""

from __future__ import annotations

from pathlib import Path

from fourrounds.desk import work
from fourrounds.desk.errors import DeskError
from fourrounds.desk.mocks import Mock, Round, copy_path
from fourrounds.examiner.layout import Layout

CLOCK = """\
# The clock of this round: run this cell (Shift-Enter).
from fourrounds import desk

desk.mock_clock({number}, {round})"""
HAND_IN = """\
# When this round is done: run this cell, and press Hand in.
from fourrounds import desk

desk.hand_in_mock({number}, {round})"""


def make_copy(layout: Layout, user: str, mock: Mock, round_: Round) -> Path:
    """The notebook of a round, made if it is not there yet; :class:`DeskError` where it is not built."""
    problem = layout.problem(round_.dealt.problem)
    path = copy_path(layout, user, mock.number, problem.slug)
    if not path.exists():
        release = work.release_path(layout, problem)
        if not release.is_file():
            raise DeskError(f"{problem.slug} is not built yet: run `fourrounds build {problem.slug}`.")
        names = {"number": mock.number, "round": round_.number}
        work.put(
            work.with_desk(
                release.read_bytes(),
                problem,
                CLOCK.format(**names),
                HAND_IN.format(**names),
                press="Hand in",
            ),
            path,
        )
    return path
