"""The scorecard of a mock interview, against numbers that were reckoned by hand."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from desk_history import ARGUE, CRITIQUE, DESIGN, IMPLEMENT, NOW, ago, attempt, problem

from fourrounds.desk import scorecard_text
from fourrounds.desk.attempts import Attempt
from fourrounds.desk.clocks import Do, Sitting
from fourrounds.desk.mocks import Act, Dealt, Event, Mock, as_it_stands
from fourrounds.desk.scorecard import RoundScore, Scorecard, compose, json_object, round_score

# 4 points a group, 4 a written answer. Rounds of 8, 12, 8 and 8 points.
ONE = problem("one", IMPLEMENT, groups=("normalisation", "edges"), minutes=45)
TWO = problem("two", CRITIQUE, groups=("critique", "edges"), written=1, minutes=60)
THREE = problem("three", DESIGN, groups=("design", "power"), minutes=60)
FOUR = problem("four", ARGUE, groups=("proposal", "probe"), minutes=75)
DEALT = [ONE, TWO, THREE, FOUR]
MORE = [
    problem("sized", DESIGN, groups=("size",)),  # power, by another name
    problem("norm", IMPLEMENT, groups=("normalisation",)),
    problem("norm_new", IMPLEMENT, groups=("normalisation",)),
    problem("norm_later", IMPLEMENT, groups=("normalisation",), prerequisites=["sized"]),
]


def mock(number: int = 1, end: Act = Act.HAND_IN) -> Mock:
    """A mock in which each round took half an hour, with breaks of 7 minutes; ``end`` ends the last one."""
    dealt, events = [], []
    for round_, one in enumerate(DEALT, 1):
        groups = tuple((cell.group or "manual", cell.points) for cell in one.by_role("manual", "hidden"))
        dealt.append(Dealt(round_, one.slug, one.assignment, one.minutes, groups, "new"))
        begun = NOW + timedelta(minutes=37 * (round_ - 1))
        what = end if round_ == 4 else Act.HAND_IN
        submission = 10 * number + round_ if what is Act.HAND_IN else None
        events += [
            Event(begun, round_, Do.CODE),
            Event(begun + timedelta(minutes=30), round_, what, submission),
        ]
    return as_it_stands(number, 1, NOW, dealt, events, NOW + timedelta(days=1))


def verdicts(
    one: float | Mapping[str, float | None] = 1.0,
    two: float | Mapping[str, float | None] = 1.0,
    three: float | Mapping[str, float | None] = 1.0,
    four: float | Mapping[str, float | None] = 1.0,
    reviewed: float | None = None,
    predicted: float | None = None,
) -> list[Attempt]:
    made = [attempt(ONE, NOW, one, predicted=predicted), attempt(TWO, NOW, two, reviewed=reviewed)]
    made += [attempt(THREE, NOW, three), attempt(FOUR, NOW, four)]
    return [replace(each, id=n) for n, each in enumerate(made, 1)]


def scores(of: Mock, attempts: list[Attempt]) -> list[RoundScore]:
    return [
        round_score(one, verdict if one.submission else None)
        for one, verdict in zip(of.rounds, attempts, strict=True)
    ]


def card(
    attempts: list[Attempt],
    *,
    of: Mock | None = None,
    earlier: list[tuple[Mock, list[RoundScore]]] | None = None,
    history: list[Attempt] | None = None,
) -> Scorecard:
    of = of or mock()
    chapters = {IMPLEMENT: "02_papers.ipynb", DESIGN: "03_experiments.ipynb"}
    return compose(of, scores(of, attempts), earlier or [], DEALT + MORE, history or [], chapters)


def says(attempts: list[Attempt], place: int, group: str, **more: Any) -> None:
    """Put more into the verdict on a group."""
    cells = attempts[place].report["cells"]
    next(cell for cell in cells if cell["group"] == group).update(more)


def test_points_by_round() -> None:
    found = card(
        verdicts({"normalisation": 0.5}, {"critique": 0.25, "edges": None}, 1.0, 0.0, predicted=0.75)
    )
    assert [(one.points, one.max_points, one.waiting) for one in found.rounds] == [
        (6, 8, 0),
        (1, 8, 4),  # what was written waits
        (8, 8, 0),
        (0, 8, 0),
    ]
    assert [one.share for one in found.rounds] == [0.75, 0.125, 1.0, 0.0]
    assert found.share == pytest.approx((0.75 + 0.125 + 1 + 0) / 4)
    assert found.waiting == {"two": 4}
    assert [one.minutes for one in found.rounds] == [45, 60, 60, 75]
    assert {one.seconds for one in found.rounds} == {1800}
    assert [one.rest_seconds for one in found.rounds] == [None, 420, 420, 420]
    assert [one.rest_minutes for one in found.rounds] == [None, 5, 10, 5]
    assert (found.rounds[0].expected, found.rounds[0].examined) == (6, 6)
    assert found.rounds[0].expected_share == 0.75
    assert found.rounds[1].expected_share is None


def test_what_was_judged_counts() -> None:
    waits, judged = card(verdicts(two=0.5)), card(verdicts(two=0.5, reviewed=0.25))
    assert (waits.rounds[1].points, waits.rounds[1].max_points) == (4, 8)
    assert (judged.rounds[1].points, judged.rounds[1].max_points) == (5, 12)
    assert judged.waiting == {}
    assert "writing" not in {one.name for one in waits.skills}
    assert next(one for one in judged.skills if one.name == "writing").share == 0.25


def test_skills_go_over_all_rounds() -> None:
    found = card(verdicts({"edges": 0.5}, {"edges": 0.0}, {"power": 0.25}))
    shares = {one.name: (one.points, one.max_points) for one in found.skills}
    assert shares == {
        "normalisation": (4, 4),
        "edges": (2, 8),
        "critique": (4, 4),
        "design": (4, 4),
        "power": (1, 4),
        "proposal": (4, 4),
        "failure shown": (4, 4),
    }


def test_the_examiners_failure_costs_nothing() -> None:
    attempts = verdicts(0.0)
    says(attempts, 0, "edges", kind="examiner fault", points=None)
    found = card(attempts)
    assert (found.rounds[0].points, found.rounds[0].max_points) == (0, 4)
    assert found.rounds[0].waiting == 0
    assert "edges" not in {one.skill for one in found.work_on}


def test_a_round_that_was_given_up_has_no_points() -> None:
    found = card(verdicts(), of=mock(end=Act.GIVE_UP))
    assert (found.rounds[3].share, found.rounds[3].max_points) == (0.0, 8)
    assert found.share == 0.75
    assert found.ungraded == ()
    assert {one.why for one in found.work_on} == {"This round was given up."}


def test_a_round_that_was_not_reached_does_not_count() -> None:
    events = [
        Event(NOW, 1, Do.CODE),
        Event(NOW + timedelta(minutes=30), 1, Act.HAND_IN, 11),
        Event(NOW + timedelta(minutes=31), 2, Do.CODE),
        Event(NOW + timedelta(minutes=40), None, Act.ABANDON),
    ]
    of = as_it_stands(1, 1, NOW, [one.dealt for one in mock().rounds], events, NOW + timedelta(days=1))
    found = card(verdicts(0.5), of=of)
    assert found.share == 0.5
    assert [one.share for one in found.rounds] == [0.5, None, None, None]
    text = "\n".join(scorecard_text.lines(found))
    assert "abandoned" in text
    assert "three" not in text  # what was never opened is not told


def test_what_is_not_graded_yet_is_named() -> None:
    of = mock()
    parts = [round_score(one, verdict) for one, verdict in zip(of.rounds, verdicts(), strict=True)]
    parts[2] = round_score(of.rounds[2])
    found = compose(of, parts, [], DEALT, [], {})
    assert found.ungraded == (3,)
    assert found.share == 1.0
    assert "Not graded yet: round 3" in scorecard_text.html(found)


def test_the_costliest_skills_are_to_be_worked_on() -> None:
    """Lost: power 1/2 of Round 3; edges 1/4 and 1/4; normalisation 3/8; critique 1/4."""
    attempts = verdicts(
        {"normalisation": 0.25, "edges": 0.5}, {"critique": 0.5, "edges": 0.5}, {"power": 0.0}
    )
    says(
        attempts,
        0,
        "normalisation",
        message="is wrong",
        fault="no_scale",
        fault_says="The scale is left out.",
    )
    says(attempts, 2, "power", message="The test has\nno power.")
    found = card(attempts)
    lost = {one.skill: one.lost for one in found.work_on}
    assert lost == pytest.approx({"edges": 0.5, "power": 0.5, "normalisation": 0.375})
    by_skill = {one.skill: one for one in found.work_on}
    assert by_skill["normalisation"].why == "A known mistake gives just this: The scale is left out."
    assert by_skill["power"].why == "The test has"
    assert (by_skill["power"].round, by_skill["power"].problem) == (3, "three")
    assert by_skill["power"].practise == "sized"
    assert by_skill["power"].chapter == "03_experiments.ipynb"
    assert by_skill["normalisation"].practise == "norm"


@pytest.mark.parametrize(
    ("history", "practise"),
    [
        ({}, "norm"),
        ({"norm": 0.2}, "norm_new"),  # one that was not tried comes first
        ({"norm": 0.2, "norm_new": 0.9}, "norm_later"),
        ({"norm": 0.2, "norm_new": 0.9, "norm_later": 0.1}, "norm"),  # then one that was not passed
    ],
)
def test_what_to_practise_is_new_where_it_can_be(history: dict[str, float], practise: str) -> None:
    known = {one.slug: one for one in MORE}
    tried = [attempt(known[slug], ago(9), share) for slug, share in history.items()]
    found = card(verdicts({"normalisation": 0.0}), history=tried)
    assert found.work_on[0].practise == practise


def test_the_same_problem_is_practised_where_no_other_asks_for_it() -> None:
    (found,) = card(verdicts(four={"probe": 0.0})).work_on
    assert (found.skill, found.practise, found.chapter) == ("failure shown", "four", None)
    assert "`fourrounds start four --again`" in scorecard_text.work_line(found)


def test_a_written_answer_says_which_question_was_answered_no() -> None:
    (found,) = card(verdicts(reviewed=0.0)).work_on
    assert (found.skill, found.why) == ("writing", "You answered no to: Is it so?")


def test_nothing_is_to_be_worked_on_where_nothing_was_lost() -> None:
    found = card(verdicts())
    assert found.work_on == ()
    assert "To work on" not in scorecard_text.html(found)


def past(number: int, **shares: Any) -> tuple[Mock, list[RoundScore]]:
    of = mock(number)
    return of, scores(of, verdicts(**shares))


def test_it_is_compared_with_the_mock_before() -> None:
    earlier = [past(1, one=0.0, two=0.0, three=0.0, four=0.0), past(2, one=0.5, three=0.5)]
    found = card(verdicts({"edges": 0.25}, 0.5, 1.0, 1.0), of=mock(3), earlier=earlier)
    assert [(one.number, one.share) for one in found.earlier] == [(1, 0.0), (2, 0.75)]
    assert found.earlier[1].rounds == {1: 0.5, 2: 1.0, 3: 0.5, 4: 1.0}
    before = {one.name: one.before for one in found.skills}
    assert before["edges"] == (2 + 4) / 8
    assert before["design"] == 0.5
    assert found.share == pytest.approx((0.625 + 0.5 + 1 + 1) / 4)
    assert scorecard_text.against(found) == "3 percentage points more than mock interview 2 (75%)."
    worse = card(verdicts(0.0, 0.0), of=mock(3), earlier=earlier)
    assert scorecard_text.against(worse) == "25 percentage points less than mock interview 2 (75%)."
    assert scorecard_text.against(card(verdicts())) is None
    same = card(verdicts(0.5, 1.0, 0.5), of=mock(3), earlier=earlier)
    assert scorecard_text.against(same) == "As much as in mock interview 2."


def test_the_text_says_it_all() -> None:
    attempts = verdicts({"normalisation": 0.5}, {"critique": 0.25, "edges": None}, predicted=0.75)
    attempts[0] = replace(attempts[0], sitting=Sitting(1, 1, 45))
    found = card(attempts, earlier=[past(0, one=0.0)])
    text = "\n".join(scorecard_text.lines(found))
    assert (
        "Round 1 · Implement the paper: one; 6 of 8 (75%); time 30:00 of 45:00; expected 6, got 6; before 0%"
        in text
    )
    assert "1 of 8 (12%), 4 wait for review" in text
    assert "`fourrounds review two`" in text
    assert "7:00 of 5:00 before Round 2, 7:00 of 10:00 before Round 3" in text
    assert "edges: 4 of 8 (50%, before 50%)" in text
    page = scorecard_text.html(found)
    assert page.count("<img ") == 2
    assert 'alt="Points by round, as shares. round 1: 75%, expected 75%, in mock interview 0 0%' in page
    assert "The points of all rounds, as a share: 75% in mock interview 0, " in page
    assert json.loads(json.dumps(json_object(found)))["rounds"][0]["share"] == 0.75


def test_what_the_learners_code_could_have_made_is_escaped() -> None:
    attempts = verdicts({"normalisation": 0.0})
    says(attempts, 0, "normalisation", message="<img src=x onerror=alert(1)>\x1b[31m")
    page = scorecard_text.html(card(attempts))
    assert "<img src=x" not in page
    assert "&lt;img src=x" in page
    assert "\x1b" not in page
    assert "\x1b" not in "\n".join(scorecard_text.lines(card(attempts)))
