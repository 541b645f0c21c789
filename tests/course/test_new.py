"""``fourrounds new``: the problem it writes is whole, and nothing is ever overwritten."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fourrounds.course.errors import CourseError
from fourrounds.course.new import new
from fourrounds.course.prove import prove
from fourrounds.examiner.grading import Examiner
from fourrounds.examiner.problem import ROLES, load_problem


def test_it_has_every_role_and_is_proved(empty: Path, examiner: Examiner) -> None:
    path = new(empty, "rms_norm")
    assert path == empty / "source" / "round1_implement" / "rms_norm.ipynb"
    problem = load_problem(path)
    assert {cell["metadata"]["fourrounds"]["role"] for cell in problem.notebook["cells"]} == ROLES
    assert prove(problem, examiner, range(5)).problems == []


def test_it_goes_where_it_is_told(empty: Path) -> None:
    path = new(empty, "power", assignment="round3_design")
    assert load_problem(path).assignment == "round3_design"


@pytest.mark.parametrize(
    "slug",
    [
        "",
        "RMS",
        "rms-norm",
        "rms norm",
        "../rms",
        "2d",
        "_rms",
        "rms_",
        "a__b",
        "rms.ipynb",
        "ümlaut",
        "x" * 41,
    ],
)
def test_odd_names_are_refused(empty: Path, slug: str) -> None:
    with pytest.raises(CourseError, match="cannot name a problem"):
        new(empty, slug)
    assert list((empty / "source").iterdir()) == []


def test_nothing_is_overwritten(empty: Path) -> None:
    path = new(empty, "rms_norm")
    path.write_text(json.dumps({"mine": True}))
    with pytest.raises(CourseError, match="already"):
        new(empty, "rms_norm")
    with pytest.raises(CourseError, match=r"already: source.round1_implement"):
        new(empty, "rms_norm", assignment="round3_design")
    assert json.loads(path.read_text()) == {"mine": True}


def test_only_the_four_assignments(empty: Path) -> None:
    with pytest.raises(CourseError, match="round2_critique"):
        new(empty, "rms_norm", assignment="round5")
