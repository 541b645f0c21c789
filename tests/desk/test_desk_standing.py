"""What the history says: coverage, readiness, calibration, times, and the goals."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from desk_history import ARGUE, CRITIQUE, DESIGN, IMPLEMENT, IN_TIME, NOW, ago, attempt, problem

from fourrounds.desk.attempts import Attempt
from fourrounds.desk.goals import Goal, goals
from fourrounds.desk.memory import remembered
from fourrounds.desk.standing import SKILLS, Calibration, Guess, Readiness, Standing, skill_of, standing
from fourrounds.examiner.layout import Layout
from fourrounds.examiner.problem import Problem

REPOSITORY = Path(__file__).parents[2]
SOFTMAX, ROPE = problem("softmax"), problem("rope", groups=("normalisation", "tolerance"))
PAPER = problem("low_rank", CRITIQUE, groups=("clustered", "critique"), written=1)
PROBLEMS = (SOFTMAX, ROPE, PAPER)
LATE = replace(IN_TIME, after_debrief=True)


def said(*attempts: Attempt, problems: Sequence[Problem] = PROBLEMS) -> Standing:
    return standing(problems, attempts, NOW)


def named(rows: Sequence[Readiness], name: str) -> Readiness:
    (found,) = [row for row in rows if row.name == name]
    return found


# -- skills


def test_every_group_of_every_problem_has_a_skill() -> None:
    """A problem with a new group has to say in ``SKILLS`` what the group shows."""
    problems = Layout(REPOSITORY).problems()
    groups = {group for one in problems for group in one.groups}
    named_groups = [group for members in SKILLS.values() for group in members]
    assert groups - set(named_groups) == set()
    assert set(named_groups) - groups == {"manual"}, "a group that no problem has"
    assert len(named_groups) == len(set(named_groups))


def test_skills_gather_groups_of_several_rounds() -> None:
    assert skill_of("clustered") == skill_of("crossed") == "variance"
    assert skill_of("expected_max") == "baselines"
    assert skill_of("leakage") == "contamination"
    assert skill_of("size") == "power"
    assert skill_of("of an instructor's course") == "of an instructor's course"


# -- coverage


def test_passed_is_four_fifths_of_all_points_with_the_reviewed_ones() -> None:
    stand = said(
        attempt(SOFTMAX, ago(3), {"batching": 0.5}),  # 6 of 8
        attempt(ROPE, ago(3), {"tolerance": 0.6}),  # 6.4 of 8
        attempt(PAPER, ago(3), 1.0),  # 8 of 12
    )
    assert {one.assignment: (one.problems, one.tried, one.passed) for one in stand.coverage} == {
        IMPLEMENT: (2, ("softmax", "rope"), ("rope",)),
        CRITIQUE: (1, ("low_rank",), ()),
        DESIGN: (0, (), ()),
        ARGUE: (0, (), ()),
    }
    assert said(attempt(PAPER, ago(3), 1.0, reviewed=0.5)).passed == {"low_rank"}  # 10 of 12


def test_what_is_handed_in_after_the_debrief_is_tried_and_not_passed() -> None:
    stand = said(attempt(SOFTMAX, ago(3), 1.0, sitting=LATE), attempt(ROPE, ago(3), 1.0, sitting=IN_TIME))
    assert (stand.tried, stand.passed, stand.after_debrief) == ({"softmax", "rope"}, {"rope"}, 1)


def test_attempts_at_problems_that_are_gone_do_not_count() -> None:
    stand = said(attempt(problem("gone"), ago(1)))
    assert (stand.attempts, stand.tried, stand.memories) == (0, set(), {})


# -- readiness


def test_readiness_is_the_first_submission_of_the_latest_sitting() -> None:
    stand = said(
        attempt(SOFTMAX, ago(9), 1.0),
        attempt(SOFTMAX, ago(2), {"normalisation": 0.0, "batching": 0.5}),
        attempt(SOFTMAX, ago(1.9), 1.0),
    )
    assert named(stand.skills, "normalisation").share == 0.0
    assert named(stand.skills, "batching").share == 0.5
    assert named(stand.rounds, IMPLEMENT) == Readiness(
        IMPLEMENT, 0.25, 1, stand.memories["softmax"].retrievability
    )


def test_the_mean_over_problems_is_weighted_by_what_is_remembered() -> None:
    mine = [attempt(SOFTMAX, ago(60), 1.0), attempt(ROPE, ago(1), 0.5)]
    memories = remembered(mine, NOW)
    old, new = memories["softmax"].retrievability, memories["rope"].retrievability
    assert old < new
    found = named(said(*mine).skills, "normalisation")
    assert found.share == pytest.approx((old * 1.0 + new * 0.5) / (old + new), abs=1e-12)
    assert found.share < 0.75
    assert (found.problems, found.remembered) == (2, pytest.approx((old + new) / 2))


def test_without_evidence_there_is_no_number() -> None:
    stand = said(attempt(SOFTMAX, ago(1), 0.0))
    assert named(stand.skills, "normalisation").share == 0.0
    for nothing in (named(stand.skills, "tolerance"), named(stand.rounds, CRITIQUE)):
        assert (nothing.share, nothing.problems) == (None, 0)
    assert all(row.share is None for row in (*said().skills, *said().rounds))


def test_only_skills_that_the_course_can_show_are_named() -> None:
    assert [row.name for row in said().skills] == [
        "normalisation",
        "batching",
        "tolerance",
        "variance",
        "critique",
        "writing",
    ]
    own = problem("own", groups=("zeta", "law"))
    assert [row.name for row in said(problems=[own]).skills] == ["law", "zeta"]


def test_what_comes_after_the_debrief_does_not_count_in_readiness() -> None:
    late = attempt(SOFTMAX, ago(1), 1.0, sitting=LATE)
    assert named(said(late).rounds, IMPLEMENT).share is None
    before = attempt(SOFTMAX, ago(1.1), 0.5, sitting=IN_TIME)
    assert named(said(before, late).rounds, IMPLEMENT).share == 0.5
    earlier = attempt(SOFTMAX, ago(9), 0.25, sitting=IN_TIME)
    assert named(said(earlier, late).rounds, IMPLEMENT).share == 0.25


def test_a_group_counts_as_it_was_first_answered() -> None:
    first = attempt(SOFTMAX, ago(1.2), {"normalisation": 1.0, "batching": None})
    second = attempt(SOFTMAX, ago(1.1), {"normalisation": 1.0, "batching": 0.5})
    third = attempt(SOFTMAX, ago(1.0), 1.0)
    assert named(said(first, second, third).skills, "batching").share == 0.5
    assert named(said(first).skills, "batching").share == 0.0  # an interview would have seen nothing


def test_where_the_examiner_failed_there_is_no_evidence() -> None:
    one = attempt(SOFTMAX, ago(1), 1.0)
    one.report["cells"][1].update(kind="examiner fault", points=None)
    assert named(said(one).skills, "batching").share is None
    assert named(said(one).rounds, IMPLEMENT).share == 1.0


def test_written_answers_count_once_they_are_reviewed() -> None:
    assert named(said(attempt(PAPER, ago(1))).skills, "writing").share is None
    stand = said(attempt(PAPER, ago(1), 1.0, reviewed=0.25))
    assert named(stand.skills, "writing").share == 0.25
    assert named(stand.rounds, CRITIQUE).share == 1.0  # the round is what the examiner gives


# -- calibration and times


def test_calibration_compares_shares_of_the_examiners_points() -> None:
    found = said(
        attempt(SOFTMAX, ago(3), 0.5, predicted=0.75),
        attempt(PAPER, ago(2), 0.75, predicted=1.0),
        attempt(ROPE, ago(1), 0.5, predicted=0.25),
        attempt(ROPE, ago(0.9), 1.0),
        attempt(ROPE, ago(0.8), 1.0, predicted=1.0, sitting=LATE),
    ).calibration
    assert [(one.problem, one.expected, one.got) for one in found.guesses] == [
        ("softmax", 0.75, 0.5),
        ("low_rank", 1.0, 0.75),
        ("rope", 0.25, 0.5),
    ]
    assert found.bias == pytest.approx(1 / 12)
    assert found.error == pytest.approx(1 / 4)
    assert found.told() == (
        "You expect 8% more of the points than you get, over 3 submissions; one guess is 25% off, on average."
    )


def test_calibration_in_words() -> None:
    def told(*pairs: tuple[float, float]) -> str:
        return Calibration(tuple(Guess("p", NOW, *pair) for pair in pairs)).told()

    assert "5% less of the points than you get, over 1 submission;" in told((0.5, 0.55))
    even = told((0.5, 0.8), (0.8, 0.5))
    assert even == "You expect what you get, over 2 submissions; one guess is 30% off, on average."
    assert "not said yet" in told()


def test_times_are_those_of_the_last_submission_of_a_sitting() -> None:
    slow = replace(IN_TIME, seconds=2400.0, openings=2)
    stand = said(
        attempt(SOFTMAX, ago(2), 0.5, sitting=IN_TIME),
        attempt(SOFTMAX, ago(1.9), 1.0, sitting=slow),
        attempt(ROPE, ago(5), 1.0, sitting=IN_TIME),
        attempt(PAPER, ago(4), 1.0),
    )
    assert [(t.problem, t.minutes, t.in_time, t.openings, t.reading) for t in stand.times] == [
        ("rope", 20.0, True, 0, 5.0),
        ("softmax", 40.0, False, 2, 5.0),
    ]


# -- goals


def goal(found: Sequence[Goal], assignment: str | None) -> Goal:
    (one,) = [one for one in found if one.assignment == assignment]
    return one


def test_goals_count_what_is_passed() -> None:
    papers = [problem(f"paper{n}") for n in range(11)]
    mine = [attempt(one, ago(3), 1.0 if n else 0.5) for n, one in enumerate(papers)]
    mine += [attempt(PAPER, ago(1), 1.0, reviewed=1.0)]
    found = goals([*papers, PAPER], mine, said(*mine, problems=[*papers, PAPER]))
    assert [(one.assignment, one.done, one.target) for one in found[:3]] == [
        (IMPLEMENT, 10, 10),
        (CRITIQUE, 1, 5),
        (ARGUE, 0, 3),
    ]
    assert [one.met for one in found[:3]] == [True, False, False]
    assert found[0].told() == "✓ 10 of 10 papers implemented"


def test_an_open_problem_counts_with_both_paragraphs_reviewed() -> None:
    memory = problem(
        "memory", ARGUE, groups=("probe", "control", "proposal", "edges", "requirement"), written=2
    )
    whole = attempt(memory, ago(2), 1.0, reviewed=0.75)
    half = replace(whole, reviews=whole.reviews[:1])
    alone = replace(whole, score=memory.points, reviews=())
    for mine, done in ((whole, 1), (half, 0), (alone, 0)):
        found = goal(goals([memory], [mine], said(mine, problems=[memory])), ARGUE)
        assert found.done == done
        assert ("`fourrounds review memory`" in found.note) == (not done)
    hopeless = attempt(memory, ago(2), 0.5)
    assert goal(goals([memory], [hopeless], said(hopeless, problems=[memory])), ARGUE).note == ""


def test_weeks_count_with_a_method_that_was_read_under_the_clock() -> None:
    unread = replace(IN_TIME, reading_seconds=0.0)
    mine = [
        attempt(SOFTMAX, ago(16), sitting=IN_TIME),  # Monday of the second week before
        attempt(ROPE, ago(15), sitting=IN_TIME),
        attempt(SOFTMAX, ago(9), sitting=unread),
        attempt(PAPER, ago(8), sitting=IN_TIME),
        attempt(SOFTMAX, ago(0), sitting=IN_TIME),
    ]
    weekly = goal(goals(PROBLEMS, mine, said(*mine)), None)
    assert (weekly.done, weekly.target, weekly.note) == (2, 3, "this week: done")
    before = goal(goals(PROBLEMS, mine[:-1], said(*mine[:-1])), None)
    assert (before.done, before.target, before.note) == (1, 3, "this week: not yet")
    nothing = goal(goals(PROBLEMS, [], standing(PROBLEMS, [], NOW + timedelta(days=1))), None)
    assert (nothing.done, nothing.target) == (0, 1)
