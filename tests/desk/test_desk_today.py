"""What to do today: at most five things, the most urgent first, each with why and a command that works."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from desk_course import ASSIGNMENT, LEARNER, SLUG, Ran
from desk_history import ARGUE, CRITIQUE, DESIGN, IMPLEMENT, IN_TIME, NOW, ago, attempt, problem, record

from fourrounds import desk
from fourrounds.course.new import new
from fourrounds.desk import dealing, handing_in, store
from fourrounds.desk.ahead import next_new
from fourrounds.desk.attempts import Attempt
from fourrounds.desk.clocks import Clocks, Do
from fourrounds.desk.clocks import told as clock_told
from fourrounds.desk.mocks import Act, Mocks
from fourrounds.desk.today import MOST, Task, today
from fourrounds.examiner.layout import Layout
from fourrounds.examiner.problem import Problem

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Layout:
    """The course of this repository, with a learner of its own."""
    root = tmp_path / "course"
    root.mkdir()
    for name in ("source", "release", "notebooks"):
        (root / name).symlink_to(REPOSITORY / name)
    (root / "nbgrader_config.py").touch()
    monkeypatch.setenv("FOURROUNDS_ROOT", str(root))
    monkeypatch.setenv("FOURROUNDS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("FOURROUNDS_USER", LEARNER)
    return Layout(root)


@pytest.fixture
def small(layout: Layout) -> Layout:
    """The course of one problem with five more beside it."""
    for name in "abcde":
        new(layout.root, name)
    return layout


def kinds(tasks: Sequence[Task]) -> list[tuple[str, str]]:
    return [(task.kind, task.slug) for task in tasks]


def history(layout: Layout, *attempts: Attempt) -> None:
    record(store.of(layout), attempts)


def test_an_empty_history_gives_the_start_page_and_a_good_first_problem(whole: Layout) -> None:
    tasks = today(whole, now=NOW)
    assert kinds(tasks)[:2] == [("read", ""), ("new", "attention")]
    assert tasks[0].path == whole.root / "notebooks" / "00_start_here.ipynb"
    assert tasks[1].command == "fourrounds start attention"
    assert "no evidence yet" in tasks[1].why
    assert "ask for it" in tasks[1].why
    assert tasks[1].minutes == 45
    assert not store.of(whole).path.exists()  # looking writes nothing


def test_a_mock_interview_that_goes_on_comes_first_and_keeps_its_problems(whole: Layout) -> None:
    number = dealing.begin(whole, LEARNER, seed=3)
    mocks = Mocks(whole, LEARNER)
    dealt = {one.dealt.problem for one in mocks.read(number).rounds}
    tasks = today(whole)
    assert (tasks[0].kind, tasks[0].command) == ("mock", "fourrounds mock")
    assert "Round 1 is next" in tasks[0].why
    assert dealt.isdisjoint(task.slug for task in tasks)
    mocks.happen(number, None, Act.ABANDON)
    assert "mock" not in {task.kind for task in today(whole)}


def test_what_waits_for_its_verdict_comes_first(small: Layout, fourrounds: Callable[..., Ran]) -> None:
    fourrounds("start", SLUG)
    path = small.submitted / LEARNER / ASSIGNMENT / f"{SLUG}.ipynb"
    number = handing_in.hand_in(small, LEARNER, SLUG, path, path.read_bytes())
    Clocks(store.of(small), LEARNER).do("b", Do.CODE, now=ago(1))
    history(small, attempt(problem("c"), ago(9), 0.2))
    tasks = today(small, now=NOW)
    assert kinds(tasks)[:3] == [("grade", SLUG), ("finish", "b"), ("again", "c")]
    assert tasks[0].path == path
    command = tasks[0].command.split()
    assert command[0] == "fourrounds"
    assert fourrounds(*command[1:]).status == 0
    assert handing_in.find(small, number).attempt is not None
    assert ("grade", SLUG) not in kinds(today(small, now=NOW))


def test_a_grader_that_was_lost_too_often_is_told(small: Layout) -> None:
    number = handing_in.hand_in(small, LEARNER, "a", Path("/gone.ipynb"), b"{}")
    with store.of(small).writing() as db:
        db.execute("UPDATE submissions SET tries = ? WHERE id = ?", (handing_in.MAX_TRIES, number))
    (task,) = [task for task in today(small, now=NOW) if task.kind == "grade"]
    assert "3 graders were lost over it" in task.why
    assert task.path is None


def test_what_was_begun_and_not_handed_in_is_to_be_finished(small: Layout) -> None:
    clocks = Clocks(store.of(small), LEARNER)
    clocks.do("a", Do.READ, now=ago(2))
    clocks.do("a", Do.PAUSE, now=ago(2) + timedelta(minutes=4, seconds=5))
    clocks.do("b", Do.CODE, now=NOW - timedelta(minutes=3))
    clocks.do("c", Do.CODE, now=ago(8))  # too long ago
    clocks.do("d", Do.CODE, now=ago(1))
    clocks.do("d", Do.FRESH, now=ago(0.9))  # a fresh copy, whose clock was not started
    clocks.do("e", Do.CODE, now=ago(1))
    history(small, attempt(problem("e"), ago(0.95), 0.5))
    tasks = [task for task in today(small, now=NOW) if task.kind == "finish"]
    assert [task.slug for task in tasks] == ["b", "a"]
    assert "is running at 3:00 of 15 minutes" in tasks[0].why
    assert f"is paused at {clock_told(245)} of 15 minutes" in tasks[1].why
    assert [task.minutes for task in tasks] == [12, 11]


def test_a_clock_that_was_started_anew_after_a_submission_is_begun_again(small: Layout) -> None:
    clocks = Clocks(store.of(small), LEARNER)
    history(small, attempt(problem("a"), ago(3), 0.5))
    for do in (Do.FRESH, Do.CODE, Do.PAUSE):
        clocks.do("a", do, now=ago(1))
    tasks = today(small, now=NOW)
    assert ("finish", "a") in kinds(tasks)
    assert ("again", "a") not in kinds(tasks)  # once is enough


def test_retries_come_most_forgotten_first_and_leave_a_place_for_something_new(small: Layout) -> None:
    slugs = ["a", "b", "c", "d", "e"]
    history(
        small,
        *(attempt(problem(slug), ago(20 + 5 * n), 0.9) for n, slug in enumerate(slugs)),
    )
    tasks = today(small, now=NOW)
    assert kinds(tasks) == [("again", slug) for slug in ("e", "d", "c", "b")] + [("new", SLUG)]
    assert len(tasks) == MOST
    assert tasks[0].command == "fourrounds start e --again"
    assert "last done 40 days ago" in tasks[0].why
    assert "%" in tasks[0].why
    history(small, attempt(problem(SLUG), ago(50), 0.9))
    assert kinds(today(small, now=NOW)) == [("again", slug) for slug in (SLUG, "e", "d", "c", "b")]


def test_what_is_not_due_is_not_there(small: Layout) -> None:
    history(small, attempt(problem("a"), ago(1), 1.0, sitting=IN_TIME))
    assert "a" not in {task.slug for task in today(small, now=NOW)}
    assert ("again", "a") in kinds(today(small, now=NOW + timedelta(days=7)))


def test_what_falls_due_later_today_is_there_in_the_morning(small: Layout) -> None:
    local = datetime.now(UTC).astimezone().tzinfo
    morning = datetime(2026, 6, 17, 8, tzinfo=local)
    evening = datetime(2026, 6, 16, 21, tzinfo=local)
    history(small, attempt(problem("a"), evening.astimezone(UTC), 0.2))  # due in a day, at nine
    assert ("again", "a") in kinds(today(small, now=morning))


def test_a_problem_of_another_learner_is_nothing(small: Layout) -> None:
    history(small, replace(attempt(problem("a"), ago(9), 0.2), user="grace"))
    assert "again" not in {task.kind for task in today(small, now=NOW)}
    assert ("again", "a") in kinds(today(small, "grace", now=NOW))


def test_new_problems_come_from_the_rounds_that_are_missed_most(whole: Layout) -> None:
    real = {one.slug: one for one in whole.problems()}
    done = ["attention", "adamw", "lora", "rope", "dpo"]
    history(whole, *(attempt(real[slug], ago(0.5), 1.0, sitting=IN_TIME) for slug in done))
    tasks = today(whole, now=NOW)
    assert [task.kind for task in tasks] == ["new", "new"]
    assert {real[task.slug].assignment for task in tasks} == {CRITIQUE, ARGUE}  # Round 3 has no goal
    assert "0 of 5 critiques" in tasks[0].why
    assert any("is close to" in task.why for task in tasks)


def chosen(problems: Sequence[Problem], assignment: str, done: Sequence[str] = ()) -> tuple[str, str] | None:
    found = next_new(assignment, problems, set(done))
    return None if found is None else (found[0].slug, found[1].slug)


def test_prerequisites_come_before_what_asks_for_them() -> None:
    root = problem("root", minutes=90)
    leaf = problem("leaf", minutes=20, prerequisites=["root"])
    argue = problem("argue", ARGUE, prerequisites=["leaf"])
    problems = [leaf, argue, root]
    assert chosen(problems, IMPLEMENT) == ("root", "root")
    assert chosen(problems, ARGUE) == ("root", "argue")
    assert chosen(problems, ARGUE, ["root"]) == ("leaf", "argue")
    assert chosen(problems, ARGUE, ["root", "leaf"]) == ("argue", "argue")
    assert chosen(problems, DESIGN) is None
    assert chosen(problems, IMPLEMENT, ["root", "leaf"]) is None


def test_what_opens_others_and_is_short_comes_first() -> None:
    key, short, long = problem("key", minutes=35), problem("short", minutes=31), problem("long", minutes=45)
    door = problem("door", minutes=60, prerequisites=["key"])
    assert chosen([door, long, short, key], IMPLEMENT) == ("key", "key")
    assert chosen([door, long, short, key], IMPLEMENT, ["key"]) == ("short", "short")
    assert chosen([problem("b"), problem("a"), problem("c", related=["done"])], IMPLEMENT, ["done"]) == (
        "c",
        "c",
    )


def test_a_circle_of_prerequisites_is_cut_open() -> None:
    problems = [problem("a", prerequisites=["b"]), problem("b", prerequisites=["a"])]
    assert chosen(problems, IMPLEMENT) == ("b", "a")
    assert chosen(problems, IMPLEMENT, ["b"]) == ("a", "a")


def test_the_command_prints_what_to_do_and_json(small: Layout, fourrounds: Callable[..., Ran]) -> None:
    history(small, attempt(problem("a"), datetime.now(UTC) - timedelta(days=9), 0.2))
    ran = fourrounds("next")
    assert (ran.status, ran.err) == (0, "")
    assert "Do a again, from a fresh copy" in ran.out
    assert "fourrounds start a --again" in ran.out
    rows = fourrounds("next", "--json").json
    assert [row["kind"] for row in rows] == ["again", "new"]
    assert rows[0] == {
        "kind": "again",
        "slug": "a",
        "title": "Do a again, from a fresh copy",
        "why": rows[0]["why"],
        "command": "fourrounds start a --again",
        "minutes": 15,
        "notebook": None,
    }


def test_nothing_to_do_is_said(layout: Layout, fourrounds: Callable[..., Ran]) -> None:
    history(layout, attempt(problem(SLUG), datetime.now(UTC), 1.0, sitting=IN_TIME))
    assert "nothing to do" in fourrounds("next").out
    assert fourrounds("next", "--json").json == []
    assert "nothing to do" in desk.next()._repr_html_()


def test_in_a_notebook_titles_open_copies_and_everything_is_escaped(
    small: Layout, fourrounds: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch
) -> None:
    (small.root / "notebooks").mkdir()
    monkeypatch.chdir(small.root / "notebooks")
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    fourrounds("start", SLUG)
    history(small, attempt(problem(SLUG), datetime.now(UTC) - timedelta(days=9), 0.2))
    path = small.source / ASSIGNMENT / "a.ipynb"
    content = json.loads(path.read_text(encoding="utf-8"))
    content["metadata"]["fourrounds"]["title"] = "<script>alert(1)</script>"
    path.write_text(json.dumps(content), encoding="utf-8")
    page = desk.next()
    html = page._repr_html_()
    assert "<a href='../submitted/ada/round1_implement/softmax.ipynb'>Do softmax again" in html
    assert "desk.start(&quot;softmax&quot;, again=True)" in html
    assert "<script>" not in html
    assert "&lt;script&gt;" in html
    assert repr(page).startswith("1. Do softmax again, from a fresh copy (15 minutes). Last done 9 days ago")
