"""A learner judges what they wrote: asked one by one, at once, and in a notebook."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from desk_course import ASSIGNMENT, LEARNER, RIGHT, SLUG, Ran

from fourrounds import desk
from fourrounds.checks import Kind
from fourrounds.course.starter import starter
from fourrounds.desk import review_text, reviewing
from fourrounds.desk import store as stored
from fourrounds.desk.attempts import Attempt, Attempts
from fourrounds.desk.errors import DeskError
from fourrounds.desk.examine import sha256_of
from fourrounds.examiner.layout import Layout
from fourrounds.examiner.problem import Problem
from fourrounds.examiner.report import CellReport, Report
from fourrounds.examiner.submission import is_untouched, rebuild

Run = Callable[..., Ran]
Hand = Callable[..., Path]
WORDS = "A common factor cancels.\n\nAnd <b>exp</b> overflows \x1b[2J."


@pytest.fixture
def hand(fourrounds: Run, layout: Layout, mine: Path, store: Attempts) -> Hand:
    """Writes the code and the words into the learner's notebook, and keeps an attempt at full marks."""

    def hand(words: str | None = WORDS, code: str = RIGHT) -> Path:
        assert fourrounds("start", SLUG).status == 0
        put(mine, "softmax", code)
        if words is not None:
            put(mine, "why_shift", words, keep=True)
        record(store, layout.problem(SLUG), mine)
        return mine

    return hand


def record(store: Attempts, problem: Problem, path: Path) -> None:
    """Keep an attempt as grading keeps it, without the time that running the tests takes."""
    submission = rebuild(problem, path)
    report = Report(problem.slug, problem.assignment, 7, "namespaces", source_sha256=problem.sha256)
    for part in submission.parts:
        cell = part.cell
        if cell is not None and cell.role in {"hidden", "manual"}:
            points: float | None = 0.0 if is_untouched(part) else None
            kind = Kind.NOT_ATTEMPTED if is_untouched(part) else Kind.MANUAL
            if cell.role == "hidden":
                kind, points = Kind.OK, cell.points
            report.cells.append(CellReport(cell.grade_id, cell.group or cell.role, kind, points, cell.points))
    now = datetime.now(UTC)
    store.record(
        Attempt(
            user=LEARNER,
            problem=problem.slug,
            assignment=problem.assignment,
            started_at=now,
            finished_at=now,
            score=report.score,
            max_score=report.max_score,
            seed=7,
            sandbox="namespaces",
            source_sha256=problem.sha256,
            submission=str(path),
            submission_sha256=sha256_of(path),
            report=report.to_dict(),
            written={
                p.cell.grade_id: p.source for p in submission.parts if p.cell and p.cell.role == "manual"
            },
        )
    )


def put(notebook: Path, grade_id: str, text: str, *, keep: bool = False) -> None:
    """Replace what a cell holds, or with ``keep`` only the line that asks for an answer."""
    content = json.loads(notebook.read_text(encoding="utf-8"))
    (cell,) = (c for c in content["cells"] if c["metadata"].get("nbgrader", {}).get("grade_id") == grade_id)
    released = "".join(cell["source"])
    if keep and "YOUR ANSWER HERE" in released:
        text = released.replace("YOUR ANSWER HERE", text)
    cell["source"] = text
    notebook.write_text(json.dumps(content), encoding="utf-8")


@pytest.fixture
def store(layout: Layout) -> Attempts:
    return Attempts(stored.of(layout))


def answers(store: Attempts) -> list[dict[str, tuple[bool, ...]]]:
    """The judgements of each attempt, oldest first."""
    return [{one.grade_id: one.answers for one in a.reviews} for a in store.of("ada", SLUG)]


def refused(ran: Ran) -> str:
    assert (ran.status, ran.out) == (2, "")
    assert "Traceback" not in ran.err
    return ran.err


# -- asked one by one


class Person:
    """Answers prompts in turn, and remembers what was shown before each."""

    def __init__(self, *lines: str) -> None:
        self.lines = list(lines)
        self.shown: list[list[str]] = [[]]

    def say(self, text: str) -> None:
        self.shown[-1].append(text)

    def ask(self, prompt: str) -> str:
        if not self.lines:
            raise EOFError
        self.shown.append([])
        return self.lines.pop(0)

    def before(self, number: int) -> str:
        """What was shown before the prompt with this number, from 0."""
        return "\n".join(self.shown[number])


def converse(layout: Layout, store: Attempts, person: Person) -> reviewing.Review:
    review = reviewing.begin(store, layout.problem(SLUG), "ada")
    return review_text.converse(review, store, person.ask, person.say)


def test_one_judges_first_then_compares_then_may_change(layout: Layout, hand: Hand, store: Attempts) -> None:
    hand()
    person = Person("y", "N", "2", "")
    done = converse(layout, store, person)
    first = person.before(0)
    assert "Attempt 1 at softmax" in first
    assert "A common factor cancels." in first
    assert "by which property of the softmax? (0.5)" in first
    assert "\x1b" not in first
    for early in (first, person.before(1)):
        assert "framework does it" not in early  # no sample before both questions are answered
        assert "Commentary" not in early
    compared = person.before(2)
    assert "framework does it" in compared
    assert "brought to zero before exp sees it." in compared
    assert "An interviewer hears that the trick is known" in compared
    assert "you: yes" in compared
    assert "strong: yes, because: the common factor is named" in compared
    assert "weak: no, because: that every framework does it is no reason" in compared
    assert "0.5 of 1 points" in compared
    assert "1 of 1 points" in person.before(3)
    assert "With the examiner's 4 that is 5 of 5." in person.before(4)
    assert done.self_reviewed == 1
    assert answers(store) == [{"why_shift": (True, True)}]


def test_samples_can_be_asked_for_and_a_question_taken_back(
    layout: Layout, hand: Hand, store: Attempts
) -> None:
    hand()
    person = Person("maybe", "?", "n", "b", "y", "b", "", "b", "n", "no", "9", "x", "")
    converse(layout, store, person)
    assert "framework does it" not in person.before(1)
    assert "framework does it" in person.before(2)
    assert answers(store) == [{"why_shift": (False, False)}]


def test_each_cell_is_kept_as_soon_as_it_is_judged(layout: Layout, hand: Hand, store: Attempts) -> None:
    hand()
    with pytest.raises(DeskError, match=r"Nothing was recorded\. `fourrounds review softmax`"):
        converse(layout, store, Person("y"))
    assert answers(store) == [{}]
    with pytest.raises(DeskError, match=r"Kept so far: why_shift\. "):
        converse(layout, store, Person("y", "n"))  # the input ends before the second look
    assert answers(store) == [{"why_shift": (True, False)}]
    repeated = Person("n", "n", "")
    converse(layout, store, repeated)
    assert "You have judged this before; what you say now replaces it." in repeated.before(0)
    assert answers(store) == [{"why_shift": (False, False)}]


def test_the_command_asks_on_the_terminal(layout: Layout, hand: Hand, store: Attempts) -> None:
    hand()
    command = [sys.executable, "-m", "fourrounds", "review", SLUG]
    done = subprocess.run(command, input="y\ny\n\n", capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert "that is 5 of 5" in done.stdout
    short = subprocess.run(command, input="n\n", capture_output=True, text=True, timeout=60)
    assert short.returncode == 2
    assert "The input ended before the review did." in short.stderr
    assert answers(store) == [{"why_shift": (True, True)}]


def test_an_interrupt_keeps_what_was_judged(layout: Layout, hand: Hand, store: Attempts) -> None:
    hand()
    with subprocess.Popen(
        [sys.executable, "-m", "fourrounds", "review", SLUG],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write("y\nn\n")
        process.stdin.flush()
        for line in process.stdout:
            if line.startswith("Your answers beside those"):
                break
        os.kill(process.pid, signal.SIGINT)
        _, error = process.communicate(timeout=30)
    assert process.returncode not in (0, None)
    assert "Traceback" not in error
    assert answers(store) == [{"why_shift": (True, False)}]


# -- at once


def test_all_answers_at_once(fourrounds: Run, hand: Hand, store: Attempts) -> None:
    hand()
    ran = fourrounds("review", SLUG, "--answers", "yn")
    assert (ran.status, ran.err) == (0, "")
    assert "you: yes" in ran.out
    assert (
        "0.5 of 1 points by your own review, kept with attempt 1. With the examiner's 4 that is 4.5"
        in ran.out
    )
    assert answers(store) == [{"why_shift": (True, False)}]
    assert fourrounds("review", SLUG, "--answers", "why_shift=N, y").status == 0
    assert answers(store) == [{"why_shift": (False, True)}]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (["yny"], "why_shift has 2 questions, and 'yny' does not answer each by y or n: write yn, say."),
        (["y"], "why_shift has 2 questions"),
        (["y?"], "does not answer each by y or n"),
        (["mine.py"], "does not answer each by y or n"),
        (
            ["softmax=yn"],
            "softmax has no written answer called 'softmax' in this attempt. There is why_shift.",
        ),
        (["yn", "yn"], "Give --answers several times as NAME=ynyyn, or once as ynyyn."),
    ],
)
def test_answers_that_are_none_are_refused(
    fourrounds: Run, hand: Hand, store: Attempts, given: list[str], says: str
) -> None:
    hand()
    assert says in refused(
        fourrounds("review", SLUG, *(part for one in given for part in ("--answers", one)))
    )
    assert answers(store) == [{}]


def test_show_needs_no_attempt_and_records_nothing(fourrounds: Run, store: Attempts) -> None:
    ran = fourrounds("review", SLUG, "--show")
    assert (ran.status, ran.err) == (0, "")
    for text in (
        "by which property",
        "A weak sample",
        "framework does it",
        "A strong sample",
        "1. no: that every",
    ):
        assert text in ran.out
    assert not store.store.path.exists()


def test_an_earlier_attempt_is_reviewed_by_its_number(fourrounds: Run, hand: Hand, store: Attempts) -> None:
    hand("The first words.")
    hand("Other words.")
    put_away = fourrounds("review", SLUG, "--attempt", "1", "--answers", "yy")
    assert "kept with attempt 1" in put_away.out
    assert answers(store) == [{"why_shift": (True, True)}, {}]
    for number in ("0", "3", "-1"):
        assert "You have 2 graded attempts at softmax: give --attempt a number from 1" in refused(
            fourrounds("review", SLUG, "--attempt", number)
        )


# -- what there is to review


def test_without_an_attempt_it_says_how_to_make_one(fourrounds: Run, store: Attempts) -> None:
    assert "no graded attempt at softmax yet: `fourrounds grade softmax`" in refused(
        fourrounds("review", SLUG)
    )
    assert not store.store.path.exists()


def test_nothing_written_says_so_and_names_an_attempt_that_has_something(fourrounds: Run, hand: Hand) -> None:
    hand(words=None)
    assert "nothing was written for a person to read: write it in the notebook" in refused(
        fourrounds("review", SLUG)
    )
    mine = hand(words=WORDS)
    python = mine.with_suffix(".py")
    python.write_text(RIGHT, encoding="utf-8")
    assert fourrounds("grade", SLUG, "--answers", str(python)).status == 0
    assert "in attempt 2 something was: `fourrounds review softmax --attempt 2`." in refused(
        fourrounds("review", SLUG)
    )


def test_a_cell_that_only_lost_its_text_holds_nothing(fourrounds: Run, hand: Hand) -> None:
    mine = hand(words=None)
    released = starter()["cells"][12]["source"].partition("### BEGIN")[0]
    put(mine, "why_shift", released)
    assert fourrounds("grade", SLUG).status == 0
    assert "Nothing was written here." in refused(fourrounds("review", SLUG))


def test_an_unknown_problem_names_the_nearest(fourrounds: Run) -> None:
    assert "Did you mean softmax?" in refused(fourrounds("review", "sofmax"))


def change_source(layout: Layout, change: Callable[[list[dict[str, Any]]], object]) -> None:
    path = layout.source / ASSIGNMENT / f"{SLUG}.ipynb"
    notebook = json.loads(path.read_text(encoding="utf-8"))
    change(notebook["cells"])
    path.write_text(json.dumps(notebook), encoding="utf-8")


def by_role(cells: list[dict[str, Any]], role: str) -> list[dict[str, Any]]:
    return [cell for cell in cells if cell["metadata"]["fourrounds"]["role"] == role]


def drop(cells: list[dict[str, Any]], role: str) -> None:
    for cell in by_role(cells, role):
        cells.remove(cell)


def test_a_problem_without_a_written_answer_says_so(fourrounds: Run, layout: Layout) -> None:
    def without(cells: list[dict[str, Any]]) -> None:
        drop(cells, "manual")
        drop(cells, "sample")
        (front,) = by_role(cells, "front")
        front["source"] = "".join(front["source"]).replace("5 points", "4 points")

    change_source(layout, without)
    for more in ([], ["--show"]):
        assert "softmax has nothing to review: all of its points are the examiner's" in refused(
            fourrounds("review", SLUG, *more)
        )


def test_a_problem_without_samples_is_reviewed_all_the_same(
    fourrounds: Run, layout: Layout, hand: Hand, store: Attempts
) -> None:
    hand()
    change_source(layout, lambda cells: drop(cells, "sample"))
    person = Person("?", "y", "y", "")
    converse(layout, store, person)
    assert review_text.NO_SAMPLE in person.before(1)
    assert review_text.NO_SAMPLE in person.before(3)
    assert "Now compare" not in person.before(3)
    assert answers(store) == [{"why_shift": (True, True)}]
    assert review_text.NO_SAMPLE in fourrounds("review", SLUG, "--show").out
    assert review_text.NO_SAMPLE in fourrounds("review", SLUG, "--answers", "yy").out
    assert review_text.NO_SAMPLE in desk.review(SLUG)._repr_html_()


def test_questions_that_have_changed_are_judged_again(
    fourrounds: Run, layout: Layout, hand: Hand, store: Attempts
) -> None:
    hand()
    fourrounds("review", SLUG, "--answers", "yy")

    def other(cells: list[dict[str, Any]]) -> None:
        (cell,) = by_role(cells, "manual")
        cell["source"] = "".join(cell["source"]).replace("without the shift?", "without it?")

    change_source(layout, other)
    (part,) = reviewing.begin(store, layout.problem(SLUG), "ada").parts
    assert part.judged is None
    assert "The questions have changed since you judged this, so judge it again." in part.note


def test_an_attempt_at_other_points_is_not_reviewed(fourrounds: Run, layout: Layout, hand: Hand) -> None:
    hand()

    def dearer(cells: list[dict[str, Any]]) -> None:
        (cell,) = by_role(cells, "manual")
        cell["metadata"]["nbgrader"]["points"] = 2
        (front,) = by_role(cells, "front")
        front["source"] = "".join(front["source"]).replace("5 points", "6 points")

    change_source(layout, dearer)
    assert "asks for in writing has changed since attempt 1: `fourrounds grade softmax`" in refused(
        fourrounds("review", SLUG)
    )


# -- what was written, though the notebook went on


def first_part(layout: Layout, store: Attempts) -> reviewing.Part:
    return reviewing.begin(store, layout.problem(SLUG), "ada").parts[0]


SHOWN = "A common factor cancels.\n\nAnd <b>exp</b> overflows \x1b[2J."


def test_the_words_are_those_that_were_graded(layout: Layout, hand: Hand, store: Attempts) -> None:
    mine = hand()
    part = first_part(layout, store)
    assert (part.text, part.note) == (SHOWN, "")
    put(mine, "softmax", "other code")
    assert first_part(layout, store).note == ""  # saved again, and these words are the same
    put(mine, "why_shift", "Other words.")
    part = first_part(layout, store)
    assert part.text == SHOWN
    assert part.note == f"{mine} says something else by now; this is what it held when it was graded."
    mine.unlink()
    part = first_part(layout, store)
    assert part.text == SHOWN
    assert part.note == f"{mine} is not there any more; this is what it held when it was graded."


def forget(store: Attempts) -> None:
    """Make the attempts such that no words were kept, as before they were."""
    with sqlite3.connect(store.store.path) as db:
        db.execute("UPDATE attempts SET written = NULL")


def test_an_attempt_that_kept_no_words_is_read_from_the_notebook(
    layout: Layout, hand: Hand, store: Attempts, fourrounds: Run
) -> None:
    mine = hand()
    forget(store)
    part = first_part(layout, store)
    assert (part.text, part.note) == (SHOWN, "")
    put(mine, "why_shift", "Other words.")
    part = first_part(layout, store)
    assert part.text == "Other words."
    assert part.note == f"{mine} has changed since it was graded; this is what it holds now."
    mine.unlink()
    said = refused(fourrounds("review", SLUG))
    assert f"The notebook that was graded ({mine}) is gone" in said
    assert "`fourrounds grade softmax`" in said


# -- where the points go


def test_list_counts_what_was_reviewed(fourrounds: Run, hand: Hand) -> None:
    hand()
    assert fourrounds("list", "--json").json[0]["best"] == {"score": 4, "max_score": 5, "self_reviewed": 0}
    assert "self-reviewed" not in fourrounds("list").out
    fourrounds("review", SLUG, "--answers", "yn")
    assert fourrounds("list", "--json").json[0]["best"] == {
        "score": 4.5,
        "max_score": 5,
        "self_reviewed": 0.5,
    }
    shown = fourrounds("list").out
    assert "best 4.5 of 5," in shown
    assert "│ 0.5 self-reviewed" in shown
    assert "best 4.5 of 5, 0.5 self-reviewed" in repr(desk.problems())


def test_the_report_says_how_to_review_and_keeps_a_judgement_of_the_same_words(
    fourrounds: Run, hand: Hand, mine: Path, store: Attempts
) -> None:
    hand()
    assert "1 point by a person: `fourrounds review softmax`" in fourrounds("grade", SLUG).out
    fourrounds("review", SLUG, "--answers", "yn")
    put(mine, "softmax", RIGHT + "\n# mended")
    again = fourrounds("grade", SLUG)
    assert "0.5 points by your own review: `fourrounds review softmax` shows it." in again.out
    assert "4.5 of 5 points (0.5 self-reviewed) ·" in again.out
    assert answers(store) == [{}, {"why_shift": (True, False)}, {"why_shift": (True, False)}]
    report = fourrounds("grade", SLUG, "--json").json
    assert (report["score"], report["self_reviewed"]) == (4.5, 0.5)
    assert store.of("ada", SLUG)[-1].report["score"] == 4  # the examiner's verdict is its own
    put(mine, "why_shift", "Other words.")
    assert "1 point by a person" in fourrounds("grade", SLUG).out
    assert answers(store)[-1] == {}


def test_a_judgement_by_other_questions_is_not_kept(
    fourrounds: Run, layout: Layout, hand: Hand, store: Attempts
) -> None:
    hand()
    fourrounds("review", SLUG, "--answers", "yn")

    def other(cells: list[dict[str, Any]]) -> None:
        (cell,) = by_role(cells, "manual")
        cell["source"] = "".join(cell["source"]).replace("without the shift?", "without it?")

    change_source(layout, other)
    fourrounds("grade", SLUG)
    assert answers(store)[-1] == {}


def test_prose_flows_and_lists_do_not() -> None:
    text = "One\nand two.\n\n- a\n- b\n\n1. c\n2. d\n> quoted\nThree\n**and** four."
    flowing = "One and two.\n\n- a\n- b\n\n1. c\n2. d\n> quoted\nThree\n**and** four."
    assert review_text.flowing(text) == flowing
    assert review_text.flowing("2,520 images\nof it") == "2,520 images of it"
    assert max(map(len, review_text.wrapped("word " * 100, "  | ").split("\n"))) <= review_text.WIDTH


# -- in a notebook


def test_a_notebook_shows_words_questions_and_samples_as_text(hand: Hand, fourrounds: Run) -> None:
    hand(WORDS + "<script>alert(1)</script>")
    page = desk.review(SLUG)
    html = page._repr_html_()
    assert "<script" not in html
    assert "&lt;script&gt;alert(1)" in html
    assert "<b>exp" not in html
    assert "\x1b" not in html + repr(page)
    assert "by which property of the softmax?" in html
    assert "<details><summary>The samples: judge your own answer first</summary>" in html
    assert "framework does it" in html
    assert (
        "<th style='text-align:left;vertical-align:top;white-space:pre-wrap' scope='col'>You</th>" not in html
    )
    assert "desk.review(&quot;softmax&quot;, &quot;yn&quot;)" in html
    assert "by which property of the softmax? (0.5)" in repr(page)


@pytest.mark.parametrize("given", ["yn", [True, False], {"why_shift": "yn"}, {"why_shift": ["yes", False]}])
def test_a_notebook_records_answers(hand: Hand, store: Attempts, given: Any) -> None:
    hand()
    html = desk.review(SLUG, given)._repr_html_()
    assert answers(store) == [{"why_shift": (True, False)}]
    assert "<details open>" in html
    assert "no: that every framework does it is no reason" in html
    assert "0.5 of 1 points by your own review" in html
    assert "you: no" in repr(desk.review(SLUG))


@pytest.mark.parametrize(
    "given", ["y", 3, {"other": "yn"}, {"why_shift": 5}, [1, 0], {"why_shift": [None] * 2}]
)
def test_a_notebook_refuses_what_is_no_answer(hand: Hand, store: Attempts, given: Any) -> None:
    hand()
    with pytest.raises(DeskError):
        desk.review(SLUG, given)
    assert answers(store) == [{}]


def test_the_report_of_a_notebook_names_its_own_call(hand: Hand) -> None:
    hand()
    graded = desk.grade(SLUG)
    assert '`desk.review("softmax")` does the same' in repr(graded)
    assert "1 point by a person: <code>fourrounds review softmax</code>" in graded._repr_html_()


# -- an answer in several cells


@pytest.fixture
def two(layout: Layout, hand: Hand, store: Attempts) -> Layout:
    """The problem with a second written answer, ``why_too``, worth two points, and an attempt at it."""
    mine = hand()

    def second(cells: list[dict[str, Any]]) -> None:
        (cell,) = by_role(cells, "manual")
        more = json.loads(json.dumps(cell)) | {"id": "why_too"}
        more["metadata"]["nbgrader"] |= {"grade_id": "why_too", "points": 2}
        more["source"] = "## And too\n\n" + "".join(cell["source"])
        cells.insert(cells.index(cell) + 1, more)
        (front,) = by_role(cells, "front")
        front["source"] = "".join(front["source"]).replace("5 points", "7 points")

    change_source(layout, second)
    problem = layout.problem(SLUG)
    notebook = json.loads(mine.read_text(encoding="utf-8"))
    marks = problem.cell("why_too").metadata
    notebook["cells"].append({"cell_type": "markdown", "id": "too", "metadata": marks, "source": "And too."})
    mine.write_text(json.dumps(notebook), encoding="utf-8")
    record(store, problem, mine)
    return layout


def test_of_several_cells_each_is_named(fourrounds: Run, two: Layout, store: Attempts) -> None:
    says = "Say which answer you mean: why_shift=yn... or why_too=yn...."
    assert says in refused(fourrounds("review", SLUG, "--answers", "yn"))
    assert fourrounds("review", SLUG, "--answers", "why_too=yn").status == 0
    both = fourrounds("review", SLUG, "--answers", "why_too=yy", "--answers", "why_shift=yn")
    assert "2.5 of 3 points by your own review, kept with attempt 2." in both.out
    assert answers(store)[-1] == {"why_shift": (True, False), "why_too": (True, True)}
    assert desk.review(SLUG, {"why_shift": "nn"}).review.self_reviewed == 2
    assert "{&quot;why_shift&quot;: &quot;yn&quot;}" in desk.review(SLUG)._repr_html_()


def test_what_is_judged_stays_when_the_review_is_killed_in_the_next_cell(
    two: Layout, store: Attempts
) -> None:
    with pytest.raises(DeskError, match=r"Kept so far: why_shift\."):
        converse(two, store, Person("y", "n", "", "y"))
    assert answers(store)[-1] == {"why_shift": (True, False)}
    person = Person("y", "y", "", "n", "y", "")
    converse(two, store, person)
    assert "And too (why_too, 2 points)" in person.before(3)
    assert answers(store)[-1] == {"why_shift": (True, True), "why_too": (False, True)}
