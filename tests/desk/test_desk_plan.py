"""Plans: within the hours, prerequisites first, rounds mixed, and honest about what cannot be met."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import pytest
from desk_course import SLUG, Ran
from desk_history import ARGUE, CRITIQUE, DESIGN, IMPLEMENT, IN_TIME, NOW, ago, attempt, problem, record

from fourrounds import desk
from fourrounds.desk import plan_text, store
from fourrounds.desk.attempts import Attempt
from fourrounds.desk.memory import due_after
from fourrounds.desk.planning import DEBRIEF, Plan, json_object, made
from fourrounds.examiner.layout import Layout
from fourrounds.examiner.problem import Problem

REPOSITORY = Path(__file__).parents[2]
CHAPTERS = ("01_thinking", "02_papers", "03_experimentation", "04_failure")


@cache
def real() -> tuple[Problem, ...]:
    return tuple(Layout(REPOSITORY).problems())


def planned(
    attempts: Sequence[Attempt] = (),
    weeks: int = 8,
    hours: float | None = None,
    problems: Sequence[Problem] | None = None,
    chapters: Sequence[str] = CHAPTERS,
) -> Plan:
    return made(real() if problems is None else problems, attempts, chapters, NOW, weeks, hours)


def names(plan: Plan, *kinds: str) -> list[list[str]]:
    return [[item.name for item in week.items if item.kind in kinds] for week in plan.weeks]


def flat(plan: Plan, *kinds: str) -> list[str]:
    return [name for week in names(plan, *kinds) for name in week]


def round_of(slug: str) -> str:
    (found,) = [one.assignment for one in real() if one.slug == slug]
    return found


def counts(plan: Plan) -> list[tuple[int, int]]:
    return [(goal.done, goal.target) for goal in plan.goals]


def test_eight_weeks_meet_the_goals() -> None:
    plan = planned()
    assert plan.met
    assert plan.notes == ()
    assert [target for _, target in counts(plan)] == [10, 5, 3, 8]
    new = flat(plan, "new")
    for assignment, least in ((IMPLEMENT, 10), (CRITIQUE, 5), (DESIGN, 4), (ARGUE, 3)):
        assert sum(round_of(slug) == assignment for slug in new) >= least
    assert len(new) == len(set(new))


def test_a_week_keeps_within_its_hours_and_its_minutes_are_summed() -> None:
    minutes = {one.slug: one.minutes for one in real()}
    for hours in (1, 3.5, 6, 12):
        for week in planned(hours=hours).weeks:
            assert week.minutes == sum(item.minutes for item in week.items) <= 60 * hours
            for item in week.items:
                if item.kind in {"new", "retry"}:
                    assert item.minutes == minutes[item.name] + (DEBRIEF if item.kind == "new" else 0)


def test_without_hours_it_takes_the_fewest_that_are_enough() -> None:
    plan = planned()
    assert planned(hours=plan.hours) == plan
    fewer = planned(hours=plan.hours - 1)
    assert not fewer.met or fewer.notes  # a goal, or a mock, would be missing


def test_prerequisites_come_first() -> None:
    known = {one.slug: one for one in real()}
    for plan in (planned(), planned(hours=25), planned(weeks=3, hours=5)):
        order = flat(plan, "new")
        for place, slug in enumerate(order):
            assert set(known[slug].prerequisites) <= set(order[:place])


def test_chapters_come_in_the_first_weeks_and_mocks_in_every_second() -> None:
    plan = planned()
    assert names(plan, "chapter") == [[one] for one in CHAPTERS] + [[]] * 4
    assert [len(week) for week in names(plan, "mock")] == [0, 1] * 4
    longest = sum(max(o.minutes for o in real() if o.assignment == a) for a in {o.assignment for o in real()})
    assert {i.minutes for w in plan.weeks for i in w.items if i.kind == "mock"} == {longest}
    assert names(planned(weeks=2), "chapter") == [list(CHAPTERS[:2]), list(CHAPTERS[2:])]
    narrow = planned(weeks=8, hours=1.75)
    assert names(narrow, "mock") == [[]] * 8
    assert flat(narrow, "chapter") == list(CHAPTERS)
    assert names(narrow, "chapter")[0] == []  # they come later than in the first weeks
    assert "0 of 4 mock interviews fit" in " ".join(narrow.notes)
    assert "0 of 4 chapters of the guide fit." in planned(weeks=2, hours=0.5).notes


def test_rounds_are_mixed_and_every_week_has_a_paper_to_read_first() -> None:
    plan = planned()
    for week in plan.weeks:
        closed = [item for item in week.items if item.closed_book]
        assert [round_of(item.name) for item in closed] == [IMPLEMENT]
        rounds = {item.assignment for item in week.items if item.assignment}
        assert len(rounds) >= 2 or any(item.kind == "mock" for item in week.items)


def test_retries_come_when_fsrs_expects_them() -> None:
    two = [problem("a", minutes=20), problem("b", CRITIQUE, minutes=20)]
    plan = planned(problems=two, weeks=6, hours=5, chapters=())
    assert names(plan, "new")[0] == ["a", "b"]
    dates: list[datetime] = []
    for number, week in enumerate(plan.weeks):
        end = NOW + timedelta(days=7 * (number + 1))
        due = bool(dates) and due_after((), dates) < end
        slugs = [item.name for item in week.items if item.kind in {"new", "retry"}]
        # b follows FSRS alone; a may come once more, so that each week has a paper.
        assert ("b" in slugs) == (due or not dates)
        if "b" in slugs:
            dates.append(NOW + timedelta(days=7 * number + 3))
    assert len(dates) == 3


def test_what_is_done_is_taken_into_account() -> None:
    known = {one.slug: one for one in real()}
    passed = ["attention", "rope", "adamw", "lora", "bpr"]
    mine = [attempt(known[slug], ago(30), 1.0, sitting=IN_TIME) for slug in passed]
    mine.append(attempt(known["clip"], ago(2), 0.3))  # not passed yet
    plan = planned(mine)
    assert not {*passed, "clip"} & set(flat(plan, "new"))
    assert set(passed) <= set(flat(plan, "retry"))
    assert "clip" in names(plan, "retry")[0]
    assert "clip" in names(planned(mine, hours=4, chapters=()), "retry")[0]  # before what is passed
    papers = sum(round_of(slug) == IMPLEMENT for slug in flat(plan, "new"))
    assert counts(plan)[0] == (len(passed) + 1 + papers, 10)


def test_with_the_goals_met_a_week_takes_less() -> None:
    mine = [
        attempt(one, ago(20), 1.0, sitting=IN_TIME, reviewed=1.0)
        for assignment, number in ((IMPLEMENT, 10), (CRITIQUE, 5), (ARGUE, 3))
        for one in [one for one in real() if one.assignment == assignment][:number]
    ]
    plan = planned(mine, hours=1)
    assert [goal.met for goal in plan.goals] == [True] * 4
    assert len(flat(plan, "retry")) >= 8
    assert planned(mine).hours < planned().hours


def test_copied_from_the_debrief_is_not_done() -> None:
    known = {one.slug: one for one in real()}
    late = attempt(known["attention"], ago(1), 1.0, sitting=replace(IN_TIME, after_debrief=True))
    plan = planned([late])
    assert "attention" in names(plan, "retry")[0]
    assert counts(plan)[0][0] >= 10


def test_what_cannot_be_met_is_said_with_what_it_takes() -> None:
    plan = planned(weeks=4, hours=4)
    assert not plan.met
    assert any(
        note.startswith("Not met in 4 weeks of 4 hours: 10 papers implemented, ") for note in plan.notes
    )
    (takes,) = [note for note in plan.notes if note.startswith("What it takes")]
    hours = int(takes.split("takes: ")[1].split(" hour")[0])
    assert planned(weeks=4, hours=hours).met
    assert not planned(weeks=4, hours=hours - 1).met or planned(weeks=4, hours=hours - 1).notes
    weeks = int(takes.split(" or ")[1].split(" weeks")[0])
    longer = planned(weeks=weeks, hours=4)
    assert all(done >= target for done, target in counts(longer))
    assert not planned(weeks=weeks - 1, hours=4).met


def test_a_course_with_too_few_problems_says_so() -> None:
    plan = planned(problems=[problem("a"), problem("b", CRITIQUE)], chapters=())
    assert "10 papers implemented: this course has 1 of them." in plan.notes
    assert "3 open problems in two paragraphs each: this course has 0 of them." in plan.notes
    assert not any(note.startswith("What it takes") for note in plan.notes)
    assert flat(plan, "mock") == []
    assert plan.hours <= 2
    assert planned(problems=[], chapters=()).weeks[0].items == ()


def test_more_hours_go_beyond_the_goals() -> None:
    plan = planned(hours=30)
    assert set(flat(plan, "new")) == {one.slug for one in real()}


def test_the_same_history_gives_the_same_plan() -> None:
    mine = [attempt(real()[0], ago(30), 0.4)]
    assert planned(mine) == planned(mine)
    assert planned(mine, problems=list(reversed(real()))) == planned(mine)


# -- the command and the notebook


def test_the_command_prints_json_and_markdown(
    layout: Layout, fourrounds: Callable[..., Ran], tmp_path: Path
) -> None:
    page = tmp_path / "plan.md"
    ran = fourrounds("plan", "--weeks", "2", "--hours-per-week", "1.5", "--markdown", page, "--json")
    assert (ran.status, ran.err) == (0, "")
    assert ran.json["hours_per_week"] == 1.5
    assert [week["week"] for week in ran.json["weeks"]] == [1, 2]
    (first,) = ran.json["weeks"][0]["items"]
    assert first == {
        "kind": "new",
        "name": SLUG,
        "assignment": IMPLEMENT,
        "minutes": 15 + DEBRIEF,
        "closed_book": True,
    }
    assert not ran.json["met"]
    text = page.read_text(encoding="utf-8")
    assert text.startswith("# 2 weeks of up to 1.5 hours, from ")
    assert f"- [ ] {SLUG} (Round 1); read the method first, book closed, 30 minutes" in text
    shown = fourrounds("plan", "--weeks", "2")
    assert "10 papers implemented: this course has 1 of them." in shown.out
    assert "2 weeks of up to 1 hour, from" in shown.out


def test_the_command_refuses_what_is_out_of_range(fourrounds: Callable[..., Ran]) -> None:
    for arguments in (("--weeks", "0"), ("--hours-per-week", "0"), ("--weeks", "53")):
        assert fourrounds("plan", *arguments).status == 2
    with pytest.raises(desk.DeskError, match="1 to 52 weeks"):
        desk.plan(weeks=0)
    with pytest.raises(desk.DeskError, match="half an hour"):
        desk.plan(hours_per_week=0)


def test_a_plan_in_a_notebook(layout: Layout) -> None:
    record(store.of(layout), [attempt(problem(SLUG), datetime.now(UTC) - timedelta(days=30), 1.0)])
    page = desk.plan(weeks=3)
    assert f"{SLUG} again (Round 1)" in page._repr_html_()
    assert "Week 1, from" in repr(page)
    html = plan_text.html(planned([], problems=[problem("<b>")], weeks=1, chapters=()))
    assert "<b>" not in html.replace("<br>", "")
    assert "&lt;b&gt; (Round 1)" in html


def test_json_is_the_plan() -> None:
    plan = planned(weeks=3, hours=7)
    shown = json.loads(json.dumps(json_object(plan)))
    assert [[item["name"] for item in week["items"]] for week in shown["weeks"]] == [
        [item.name for item in week.items] for week in plan.weeks
    ]
    assert [week["minutes"] for week in shown["weeks"]] == [week.minutes for week in plan.weeks]
    assert shown["notes"] == list(plan.notes)
