"""Points and comments that a person gives in formgrader, in rounds 2 and 3: they stay, and are shown."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from classroom import REPO, Classroom, Score, answered
from nbgrader.api import Gradebook

from fourrounds.examiner.problem import Problem, load_problem

pytestmark = pytest.mark.slow

WRITTEN = {
    "round2_critique/low_rank": "written-critique",
    "round3_design/instruction_tuning": "written-design",
}
COMMENT = "Says what decides, and no number."


def released(problem: Problem) -> dict[str, Any]:
    path = REPO / "release" / problem.assignment / problem.path.name
    notebook: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return notebook


@pytest.fixture(scope="module", params=WRITTEN, ids=[name.partition("/")[2] for name in WRITTEN])
def room(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Classroom:
    """A class in which ada has written her critique or design, and no code, and was autograded."""
    problem = load_problem(REPO / "source" / f"{request.param}.ipynb")
    made = Classroom.ours(tmp_path_factory.mktemp("course"), problem)
    made.hand_in("ada", answered(released(problem), {WRITTEN[request.param]: "The first words."}))
    autograde(made)
    return made


def autograde(room: Classroom, *options: str) -> None:
    done = room.nbgrader("autograde", room.assignment, *options)
    assert done.returncode == 0, done.stderr


def cell_of(room: Classroom) -> str:
    return WRITTEN[f"{room.assignment}/{room.problem.slug}"]


def give(room: Classroom, points: float) -> None:
    """Write points and a comment as formgrader's handlers of /api/grade and /api/comment do."""
    with Gradebook(room.gradebook) as book:
        entry = book.find_submission_notebook(room.problem.slug, room.assignment, "ada")
        (found,) = (grade for grade in entry.grades if grade.name == cell_of(room))
        grade = book.find_grade_by_id(found.id)
        grade.manual_score, grade.needs_manual_grade = points, False
        (found,) = (comment for comment in entry.comments if comment.name == cell_of(room))
        book.find_comment_by_id(found.id).manual_comment = COMMENT
        book.db.commit()


def test_points_and_comment_survive_a_regrade_and_are_shown(room: Classroom) -> None:
    name = cell_of(room)
    assert room.scores("ada")[name] == Score(None, None, True)
    waiting = {cell["grade_id"]: cell for cell in room.report("ada")["cells"]}[name]
    assert (waiting["kind"], waiting["points"], waiting["max_points"]) == ("manual", None, 5.0)

    give(room, 3.0)
    assert room.scores("ada")[name] == Score(None, 3.0, False)
    room.hand_in("ada", answered(released(room.problem), {name: "Other words."}))
    autograde(room, "--student", "ada", "--force")
    assert room.scores("ada")[name] == Score(None, 3.0, True)  # kept, and to be looked at again
    with Gradebook(room.gradebook) as book:
        entry = book.find_submission_notebook(room.problem.slug, room.assignment, "ada")
        assert entry.score == 3.0
        assert {c.name: c.manual_comment for c in entry.comments}[name] == COMMENT

    done = room.nbgrader("generate_feedback", room.assignment)
    assert done.returncode == 0, done.stderr
    page = (room.root / "feedback" / "ada" / room.assignment / f"{room.problem.slug}.html").read_text("utf-8")
    assert "<td>manual</td><td>manual</td><td>3 of 5</td><td>A person has graded this.</td>" in page
    assert COMMENT in page
    assert "Score: 3.0 / 5.0" in page

    done = room.nbgrader("export", "--to", "grades.csv")
    assert done.returncode == 0, done.stderr
    with (room.root / "grades.csv").open(encoding="utf-8") as file:
        (row,) = csv.DictReader(file)
    assert (row["student_id"], row["assignment"], float(row["score"])) == ("ada", room.assignment, 3.0)


def test_who_reads_has_the_questions_above_the_answer(room: Classroom) -> None:
    path: Path = room.root / "autograded" / "ada" / room.assignment / f"{room.problem.slug}.ipynb"
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    (place,) = (
        number
        for number, cell in enumerate(cells)
        if cell["metadata"].get("nbgrader", {}).get("grade_id") == cell_of(room)
    )
    asked = "".join(cells[place - 1]["source"])
    assert "nbgrader" not in cells[place - 1]["metadata"]
    for number, question in enumerate(room.problem.cell(cell_of(room)).questions, 1):
        assert f"\n{number}. {question.text} (1)" in asked
    assert "words." in "".join(cells[place]["source"])
