"""Everything that a class may hand in, graded by one ``nbgrader autograde``.

Each submission gets its verdict, and hurts nobody else.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterator

import pytest

from fourrounds.examiner.layout import find_root
from fourrounds.examiner.problem import load_problem
from hostile.batch import Batch, fingerprint, graded_batch, known_answers, strongest
from hostile.cases import ASSIGNMENT, CASES, SLUG, THREATS, Case
from hostile.page import Page
from hostile.table import DOCUMENT, ours, rows

PROBLEM = load_problem(find_root() / "source" / ASSIGNMENT / f"{SLUG}.ipynb")
KNOWN = known_answers(PROBLEM)

# The fixtures grade and render the whole batch, which one test then waits for.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]


def named(cases: list[Case]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("name", [case.name for case in cases])


@pytest.fixture(scope="module")
def batch() -> Iterator[Batch]:
    with graded_batch() as made:
        yield made


def test_there_are_enough_of_them() -> None:
    assert len(CASES) + len(KNOWN) >= 40
    assert len({case.student for case in [*CASES, *KNOWN]}) == len(CASES) + len(KNOWN)
    assert {row for case in CASES for row in case.rows} == set(THREATS)


def test_autograde_succeeds(batch: Batch) -> None:
    first, second = batch.runs[:2]
    assert (first.status, second.status) == (0, 0), f"{first.log[-3000:]}\n{second.log[-3000:]}"


@named(CASES)
def test_verdict(batch: Batch, name: str) -> None:
    case = next(case for case in CASES if case.name == name)
    if case in batch.left_out:
        pytest.skip(f"hostile submissions that would do harm at the sandbox level {batch.level}")
    graded = batch.graded[case.student]
    assert graded.report["sandbox"] == batch.level
    assert graded.max_score == PROBLEM.points
    if not case.held_at(batch.level):
        return  # only that it is graded, and hurts nobody else
    kinds = graded.kinds()
    assert set(kinds) == set(PROBLEM.groups)
    for group, kind in kinds.items():
        assert kind in case.kinds(group), (group, graded.report["cells"])
    for cell in PROBLEM.by_role("hidden"):
        due = cell.points if kinds[cell.group or ""] == "ok" else 0.0
        assert graded.grades[cell.grade_id] == (due, None, None, False)
    assert graded.score == sum(
        cell.points for cell in PROBLEM.by_role("hidden") if kinds[cell.group or ""] == "ok"
    )
    for words in case.notes:
        assert any(words in note for note in graded.report["notes"])


@named([case for case in KNOWN if case.verdict == "ok"])
def test_right_answers_get_full_marks(batch: Batch, name: str) -> None:
    graded = batch.graded[name]
    assert graded.score == PROBLEM.points
    assert set(graded.kinds().values()) == {"ok"}
    assert {cell["kind"] for cell in graded.report["provided"]} == {"ok"}


def test_a_blank_notebook_gets_nothing(batch: Batch) -> None:
    graded = batch.graded["blank"]
    assert graded.score == 0.0
    assert set(graded.kinds().values()) == {"not attempted"}


@pytest.mark.parametrize("name", [fault.name for fault in PROBLEM.faults])
def test_faults_lose_their_group_and_are_named(batch: Batch, name: str) -> None:
    fault = next(fault for fault in PROBLEM.faults if fault.name == name)
    graded = batch.graded[f"fault-{name}"]
    lost = {cell["group"]: cell for cell in graded.report["cells"] if cell["kind"] != "ok"}
    assert fault.group in lost
    assert lost[fault.group]["fault"] == name
    points = {cell.group: cell.points for cell in PROBLEM.by_role("hidden")}
    others = sum(points.values()) - points[fault.group]
    assert sum(points[group] for group in lost if group != fault.group) <= others / 2
    assert graded.score == sum(points.values()) - sum(points[group] for group in lost)


# -- nobody hurts anybody else


def test_every_student_is_in_the_gradebook(batch: Batch) -> None:
    assert set(batch.graded) == {case.student for case in batch.cases}
    with sqlite3.connect(batch.course / "gradebook.db") as book:
        assert book.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        points = book.execute("SELECT DISTINCT max_score FROM grade_cells").fetchall()
        assert set(points) == {(0.0,), (4.0,)}
        extra = "SELECT count(*) FROM grade WHERE extra_credit IS NOT NULL OR manual_score IS NOT NULL"
        assert book.execute(extra).fetchall() == [(0,)]


def test_no_process_is_left(batch: Batch) -> None:
    assert [run.left for run in batch.runs] == [[] for _ in batch.runs]


def test_no_trace_is_left(batch: Batch) -> None:
    held = {case.student for case in batch.cases if case.held_at(batch.level)}
    assert not held & {path.name for path in batch.canary.iterdir()}
    assert not list(batch.scratch.iterdir())
    if strongest(batch.level):
        assert not batch.calls_received


def test_nothing_else_has_changed(batch: Batch) -> None:
    again = {case.student for case in batch.cases if case.earlier}

    def kept(prints: dict[str, str]) -> dict[str, str]:
        made = ("autograded/", "feedback/", "gradebook.db", *(f"submitted/{student}/" for student in again))
        return {path: print for path, print in prints.items() if not path.startswith(made)}

    before, after = kept(batch.before), kept(fingerprint(batch.course))
    put_aside = {path for path in before if path.endswith("/timestamp.txt") and path not in after}
    assert {path.split("/")[1] for path in put_aside} == {"timestamp-of-rubbish", "timestamp-as-link"}
    expected = {f"{path}.unreadable" if path in put_aside else path: print for path, print in before.items()}
    assert after == expected


def test_only_our_files_are_beside_what_is_autograded(batch: Batch) -> None:
    for case in batch.cases:
        folder = batch.course / "autograded" / case.student / ASSIGNMENT
        names = {path.name for path in folder.iterdir()} - {"timestamp.txt"}
        assert names == {f"{SLUG}.ipynb", f"{SLUG}.report.json"}, case.name
        assert not any(path.is_symlink() for path in folder.iterdir())


def test_what_is_kept_is_of_a_reasonable_size(batch: Batch) -> None:
    sizes = {
        path.parts[-3]: path.stat().st_size
        for path in (batch.course / "autograded").glob(f"*/*/{SLUG}.ipynb")
    }
    assert {student: size for student, size in sizes.items() if size > 8 * 2**20} == {}


def test_a_score_is_not_kept_when_the_next_submission_fails(batch: Batch) -> None:
    """The earlier submissions had full marks, so that there was something to keep."""
    earlier = [case for case in batch.cases if case.earlier]
    assert earlier
    for case in earlier:
        assert re.search(rf"{case.student}: 20 of 20 points", batch.runs[0].log), case.name
        assert batch.graded[case.student].score == 0.0


# -- feedback


@pytest.fixture(scope="module")
def pages(batch: Batch) -> dict[str, Page]:
    run = batch.nbgrader("generate_feedback", ASSIGNMENT)
    assert run.status == 0, run.log[-3000:]
    assert run.left == []
    folder = batch.course / "feedback"
    texts = {
        case.student: (folder / case.student / ASSIGNMENT / f"{SLUG}.html").read_text(encoding="utf-8")
        for case in batch.cases
    }
    return {student: Page(text) for student, text in texts.items()}


def squeezed(text: str) -> str:
    return re.sub(r"\s+", "", text)


def test_feedback_shows_every_verdict(batch: Batch, pages: dict[str, Page]) -> None:
    for case in batch.cases:
        text = "".join(pages[case.student].visible)
        for group, kind in batch.graded[case.student].kinds().items():
            assert re.search(rf"{group}\s*{kind}", text), (case.name, group)


def test_feedback_is_inert(batch: Batch, pages: dict[str, Page]) -> None:
    """What is active in a page is what is active in the page of the worked solution: the template's own."""
    usual = set(pages["solution"].active)
    assert {
        student: set(page.active) - usual for student, page in pages.items() if set(page.active) - usual
    } == {}


def test_feedback_has_no_control_characters(pages: dict[str, Page]) -> None:
    strange = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
    for student, page in pages.items():
        found = strange.search("".join(page.visible))
        assert not found, (student, found)


def test_feedback_hides_the_tests_and_what_is_expected(batch: Batch, pages: dict[str, Page]) -> None:
    released = squeezed("".join(cell.stub for cell in PROBLEM.cells))
    secret = set()
    for cell in PROBLEM.by_role("hidden", "truth"):
        lines = map(squeezed, cell.source.split("\n"))
        secret |= {line for line in lines if len(line) > 15 and line not in released}
    assert len(secret) > 100
    for case in batch.cases:
        text = squeezed("".join(pages[case.student].visible))
        handed_in = batch.course / "submitted" / case.student / ASSIGNMENT / f"{SLUG}.ipynb"
        own = (
            handed_in.read_text(errors="replace")
            if handed_in.is_file() and handed_in.stat().st_size < 2**25
            else ""
        )
        shown = {line for line in secret if line in text and line not in squeezed(own.replace('\\"', '"'))}
        assert not shown, case.name
        for cell in batch.graded[case.student].report["cells"]:
            assert not re.search(r"\d is due", cell["message"]), (case.name, cell["message"])


# -- the table


def test_the_published_table_is_what_happens(batch: Batch) -> None:
    published = rows(DOCUMENT.read_text(encoding="utf-8"))
    assert set(published) == {case.name for case in CASES}
    for case in batch.cases:
        if case.name in published and case.held_at(batch.level):
            assert published[case.name][:-2] + published[case.name][-1:] == ours(
                case, batch.graded[case.student]
            ), case.name


def test_reports_are_json(batch: Batch) -> None:
    for case in batch.cases:
        path = batch.course / "autograded" / case.student / ASSIGNMENT / f"{SLUG}.report.json"
        assert json.loads(path.read_bytes())["problem"] == SLUG
