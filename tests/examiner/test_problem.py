"""A source notebook is read as it says, and each rule that it breaks is named."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest
import toy
from nbgrader.preprocessors import ClearHiddenTests, ClearSolutions

from fourrounds.examiner.problem import (
    Limits,
    Problem,
    ProblemError,
    clear_hidden,
    clear_solution,
    find_problems,
    load_problem,
    unwrap,
)
from fourrounds.examiner.rubric import Sample, Verdict


def full() -> dict[str, Any]:
    """A notebook with a cell of every role that this module is about."""
    return toy.notebook(
        toy.answer("half = 0.5", "first"),
        toy.answer(toy.DOUBLE, "second"),
        toy.cell("provided", "assert double(1) == 2", "shown"),
        toy.cell("truth", toy.HIDDEN.format("import math"), "truth", 0),
        toy.hidden("assert double(2) == 4", "values", 2),
        toy.hidden("assert double(0) == 0", "edges", 1.5),
        toy.manual("Because."),
        toy.fault("def double(x):\n    return x + 2"),
        toy.fault("def double(x):\n    return x * x", "square", "edges"),
        toy.variant("def double(x):\n    return x + x"),
        toy.author("debrief", "## Next"),
        toy.author("debrief", "And then."),
        toy.sample("weak", "yny"),
        toy.sample("strong", "yyy"),
        limits={"call_seconds": 2.5, "memory_mb": 300},
        prerequisites=["softmax"],
    )


def test_a_notebook_is_read(tmp_path: Path) -> None:
    problem = toy.load(tmp_path, full())
    assert (problem.slug, problem.assignment, problem.title, problem.minutes) == (
        "twice",
        "round1_implement",
        "Twice",
        5,
    )
    assert problem.contract == ("double",)
    assert problem.limits == Limits(2.5, 60.0, 300)
    assert (problem.prerequisites, problem.related) == (("softmax",), ())
    assert problem.points == 6.5
    assert problem.groups == ("values", "edges")
    assert [cell.grade_id for cell in problem.by_role("answer", "manual")] == ["first", "second", "why"]
    assert problem.solution() == f"half = 0.5\n\n\n{toy.DOUBLE}"
    assert [(f.name, f.group, f.source) for f in problem.faults] == [
        ("plus", "values", "def double(x):\n    return x + 2"),
        ("square", "edges", "def double(x):\n    return x * x"),
    ]
    assert (problem.faults[0].says, problem.faults[0].see, problem.faults[0].ask) == (
        "it adds",
        "Try 3.",
        "Why?",
    )
    assert [(v.name, v.source) for v in problem.variants] == [("shifted", "def double(x):\n    return x + x")]
    assert problem.debrief == "## Next\n\nAnd then."
    assert "debrief" not in {cell.role for cell in problem.cells}
    assert problem.cell("truth").points == 0
    assert (problem.cell("shown").is_test, problem.cell("why").is_answer, problem.cell("front").is_test) == (
        True,
        True,
        False,
    )
    with pytest.raises(KeyError):
        problem.cell("nothing")
    assert [(q.text, q.points) for q in problem.cell("why").questions][1:] == [
        ("Is it said, in part 2?", 1.0),
        ("Is it said, in part 3?", 1.0),
    ]
    assert problem.cell("second").questions == ()
    weak, strong = problem.sample("why", "weak"), problem.sample("why", "strong")
    assert weak == Sample(
        of="why",
        kind="weak",
        text="It depends.",
        commentary="It hedges.",
        verdicts=(
            Verdict(True, "that is why 1."),
            Verdict(False, "that is why 2."),
            Verdict(True, "that is why 3."),
        ),
    )
    assert strong is not None
    assert (strong.text, strong.commentary) == ("Because.", "It hedges.")
    assert problem.sample("second", "weak") is None


def test_its_hash_is_of_the_bytes(tmp_path: Path) -> None:
    one = toy.load(tmp_path, full())
    assert one.sha256 == toy.load(tmp_path, full()).sha256
    assert one.sha256 != toy.load(tmp_path, full() | {"nbformat_minor": 4}).sha256


def test_what_is_released_of_a_cell(tmp_path: Path) -> None:
    problem = toy.load(tmp_path, full())
    assert problem.cell("second").stub == "# YOUR CODE HERE\nraise NotImplementedError()"
    asked = "1. Is it said, in part 1?\n2. Is it said, in part 2?\n3. Is it said, in part 3?\n"
    assert problem.cell("why").stub == f"{asked}\nYOUR ANSWER HERE"
    assert problem.cell("test-values").stub == ""
    assert problem.cell("shown").stub == "assert double(1) == 2"


def test_clearing_is_nbgraders() -> None:
    source = "def f():\n    '''doc'''\n    ### BEGIN SOLUTION\n    return 1\n    ### END SOLUTION\n\nf()"
    assert clear_solution(source) == (
        "def f():\n    '''doc'''\n    # YOUR CODE HERE\n    raise NotImplementedError()\n\nf()"
    )
    assert clear_solution("x = 1") == "# YOUR CODE HERE\nraise NotImplementedError()"
    hidden = "a\n### BEGIN HIDDEN TESTS\nb\n### END HIDDEN TESTS\nc"
    assert clear_hidden(hidden) == "a\nc"
    assert unwrap(hidden) == "a\nb\nc"


def test_the_stub_is_what_nbgraders_preprocessors_leave(ledger: Problem) -> None:
    notebook = nbformat.read(ledger.path, as_version=4)
    notebook.cells = [cell for cell in notebook.cells if "nbgrader" in cell.metadata]
    resources: dict[str, Any] = {}
    for preprocessor in (ClearSolutions(), ClearHiddenTests()):
        notebook, resources = preprocessor.preprocess(notebook, resources)
    left = {cell.metadata.nbgrader.grade_id: cell.source for cell in notebook.cells}
    assert left == {cell.grade_id: cell.stub for cell in ledger.cells}


def test_problems_are_found_by_assignment_and_slug(tmp_path: Path) -> None:
    for name in ("b/two", "a/two", "a/one", "a/.one", "a/.ipynb_checkpoints/one", "top"):
        path = tmp_path / f"{name}.ipynb"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    found = [str(path.relative_to(tmp_path)) for path in find_problems(tmp_path)]
    assert found == ["a/one.ipynb", "a/two.ipynb", "b/two.ipynb"]


Change = Callable[[dict[str, Any]], Any]


def at(grade_id: str, change: Change) -> Change:
    def apply(notebook: dict[str, Any]) -> None:
        cell = next(c for c in notebook["cells"] if c["id"] == grade_id)
        change(cell)

    return apply


def mine(grade_id: str, /, **values: Any) -> Change:
    return at(grade_id, lambda cell: cell["metadata"]["fourrounds"].update(values))


def marks(grade_id: str, /, **values: Any) -> Change:
    return at(grade_id, lambda cell: cell["metadata"]["nbgrader"].update(values))


def about(**values: Any) -> Change:
    return lambda notebook: notebook["metadata"]["fourrounds"].update(values)


RULES: list[tuple[str, Change, str]] = [
    (
        "a role that there is not",
        mine("second", role="solution"),
        r"twice, cell 3 \(second\): metadata.fourrounds.role is 'solution'; it must be one of answer,",
    ),
    (
        "no role",
        at("front", lambda c: c["metadata"].pop("fourrounds")),
        r"cell 0 \(front\): metadata.fourrounds.role is None",
    ),
    (
        "a fault without markers",
        at("fault-plus", lambda c: c.update(source="def double(x):\n    return x + 2")),
        "a fault cell stands between ### BEGIN HIDDEN TESTS and ### END HIDDEN TESTS",
    ),
    (
        "a debrief without its end",
        at("debrief-", lambda c: c.update(source="### BEGIN HIDDEN TESTS\n## Next")),
        "a debrief cell stands between",
    ),
    (
        "a graded fault",
        at("fault-plus", lambda c: c["metadata"].update(nbgrader={"grade": True, "grade_id": "x"})),
        "a fault cell is not graded: take out metadata.nbgrader",
    ),
    (
        "a fault that says nothing",
        at("fault-plus", lambda c: c["metadata"]["fourrounds"].pop("says")),
        "metadata.fourrounds of a fault needs 'says'",
    ),
    (
        "a variant without a name",
        at("variant-shifted", lambda c: c["metadata"]["fourrounds"].pop("name")),
        "metadata.fourrounds of a variant needs 'name'",
    ),
    (
        "a cell without nbgrader's marks",
        at("front", lambda c: c["metadata"].pop("nbgrader")),
        "every released cell needs metadata.nbgrader with a grade_id",
    ),
    ("an empty grade_id", marks("front", grade_id=""), "every released cell needs metadata.nbgrader"),
    (
        "an answer that is graded",
        marks("second", grade=True),
        r"a answer cell has nbgrader grade=False and solution=True",
    ),
    (
        "a hidden test that is not graded",
        marks("test-values", grade=False),
        "a hidden cell has nbgrader grade=True and solution=False",
    ),
    ("a front matter to be answered", marks("front", solution=True), "a front cell has nbgrader grade=False"),
    (
        "a manual cell without a grade",
        marks("why", grade=False),
        "a manual cell has nbgrader grade=True and solution=True",
    ),
    (
        "a hidden test of no group",
        mine("test-values", group=""),
        "a hidden cell names its group in metadata.fourrounds.group",
    ),
    ("a grade_id twice", marks("first", grade_id="second"), "two cells have the grade_id second"),
    ("an empty contract", about(contract=[]), "metadata.fourrounds.contract names no function"),
    (
        "two faults of one name",
        mine("fault-square", name="plus"),
        r"two faults or variants have one name: \['plus', 'plus', 'shifted'\]",
    ),
    ("a fault and a variant of one name", mine("variant-shifted", name="plus"), "have one name"),
    (
        "a fault of a group that there is not",
        mine("fault-plus", group="speed"),
        r"faults name the groups \['speed'\], and the hidden cells \('values', 'edges'\)",
    ),
    ("minutes that the front matter does not say", about(minutes=6), "the front matter must say “6 minutes”"),
    (
        "points that the front matter does not say",
        marks("test-values", points=3),
        "the front matter must say “7.5 points”",
    ),
    (
        "a manual cell that asks nothing",
        at("why", lambda c: c.update(source=toy.SOLUTION.format("Because."))),
        "twice, the manual cell why: a person grades by questions, and none can be read: write them as",
    ),
    (
        "a manual cell without markers, all of which nbgrader replaces",
        at("why", lambda c: c.update(source="1. Is it said?\n2. Is it so?\n3. Why?")),
        "the manual cell why: a person grades by questions",
    ),
    (
        "fewer questions than points",
        marks("why", points=4),
        "why: 3 questions share 4 points: a question is worth one point, or",
    ),
    ("points that are no whole parts", marks("why", points=2), "why: 3 questions share 2 points"),
    (
        "a question that asks nothing",
        at("why", lambda c: c.update(source=c["source"].replace("part 2?", "part 2."))),
        "why: question 2 of the rubric ends without a question mark: “Is it said, in part 2.”",
    ),
    (
        "questions that are numbered out of order",
        at("why", lambda c: c.update(source=c["source"].replace("2. ", "3. "))),
        "why: the list is numbered 1, 2, 3 and so on, and 3 is out of place",
    ),
    (
        "a sample of no manual cell",
        mine("sample-weak", of="values"),
        "a sample names a manual cell by its grade_id, and 'values' is none",
    ),
    ("a sample of another kind", mine("sample-weak", kind="fair"), "is weak or strong, not 'fair'"),
    ("two samples of one kind", mine("sample-strong", kind="weak"), "why has a weak sample already"),
    (
        "a sample of nothing",
        at("sample-weak", lambda c: c["metadata"]["fourrounds"].pop("of")),
        "metadata.fourrounds of a sample needs 'of'",
    ),
    (
        "a weak sample alone",
        lambda notebook: notebook["cells"].pop(),
        "twice: why has one sample, and lacks the strong one",
    ),
    (
        "a sample without markers",
        at("sample-weak", lambda c: c.update(source="#### Commentary")),
        "a sample cell stands between ### BEGIN HIDDEN TESTS",
    ),
    (
        "a sample without commentary",
        at("sample-weak", lambda c: c.update(source=c["source"].replace("It hedges.", ""))),
        "has the headings “#### Commentary” and then “#### Question by question”, each with text",
    ),
    (
        "a weak sample without an answer",
        at("sample-weak", lambda c: c.update(source=c["source"].replace("It depends.", ""))),
        "a weak sample begins with the answer",
    ),
    (
        "a strong sample with an answer of its own",
        at("sample-strong", lambda c: c.update(source=c["source"].replace("####", "Yes.\n\n####", 1))),
        "the strong sample is the model text of the manual cell: this cell begins with",
    ),
    (
        "a verdict that is neither",
        at("sample-weak", lambda c: c.update(source=c["source"].replace("1. Yes: ", "1. Partly: "))),
        "the verdict on question 1 begins with “Yes: ” or “No: ”, and a reason",
    ),
    (
        "a verdict without a reason",
        at("sample-weak", lambda c: c.update(source=c["source"].replace("that is why 2.", ""))),
        "the verdict on question 2 begins with",
    ),
    (
        "a question without a verdict",
        at("sample-weak", lambda c: c.update(source=c["source"].replace("3. Yes: that is why 3.", ""))),
        "the sample has 2 verdicts, and the rubric 3 questions",
    ),
    (
        "a weak sample that earns everything",
        at("sample-weak", lambda c: c.update(source=c["source"].replace("No: ", "Yes: "))),
        "the strong sample earns every question, and a weak one does not",
    ),
    (
        "a strong sample that does not",
        at("sample-strong", lambda c: c.update(source=c["source"].replace("2. Yes: ", "2. No: "))),
        "the strong sample earns every question, and a weak one does not",
    ),
]


@pytest.mark.parametrize(("change", "message"), [rule[1:] for rule in RULES], ids=[rule[0] for rule in RULES])
def test_each_rule_that_is_broken_is_named(tmp_path: Path, change: Change, message: str) -> None:
    made = full()
    change(made)
    with pytest.raises(ProblemError, match=message):
        toy.load(tmp_path, made)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "{}",
        '{"cells": []}',
        '{"cells": [], "metadata": {}}',
        '{"cells": [], "metadata": null}',
    ],
)
def test_a_file_that_is_no_source_notebook_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "empty.ipynb"
    path.write_text(text)
    with pytest.raises(ProblemError, match=r"empty\.ipynb is no source notebook"):
        load_problem(path)


@pytest.mark.parametrize(
    "change",
    [
        lambda n: n["metadata"]["fourrounds"].pop("title"),
        lambda n: n["metadata"]["fourrounds"].pop("minutes"),
        lambda n: n["metadata"]["fourrounds"].pop("contract"),
        lambda n: n["metadata"]["fourrounds"].update(limits={"seconds": 3}),
        lambda n: n["metadata"]["fourrounds"].update(minutes="soon"),
        lambda n: n["cells"][0].pop("metadata"),
        lambda n: n["cells"][0].pop("source"),
        lambda n: n["cells"].append("text"),
    ],
    ids=["title", "minutes", "contract", "limits", "no number", "no metadata", "no source", "no cell"],
)
def test_what_is_missing_from_the_metadata_is_a_problem_error(tmp_path: Path, change: Change) -> None:
    made = full()
    change(made)
    with pytest.raises(ProblemError):
        toy.load(tmp_path, made)


def test_a_list_of_lines_is_a_source_too(tmp_path: Path) -> None:
    made = full()
    for raw in made["cells"]:
        raw["source"] = json.loads(json.dumps(raw["source"].splitlines(keepends=True)))
    assert toy.load(tmp_path, made).cell("second").source == toy.load(tmp_path, full()).cell("second").source
