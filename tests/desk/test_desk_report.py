"""What a learner is shown: complete, escaped, and with the next step."""

import io
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from rich.console import Console

from fourrounds.checks import Kind
from fourrounds.desk import report as shown
from fourrounds.desk.attempts import Judged
from fourrounds.examiner.report import CellReport, Report

HOSTILE = "<script>alert('x')</script> [red]&amp;\x1b[2J\x07\ud800"


def cell(kind: Kind, group: str = "edges", **more: Any) -> CellReport:
    points = {Kind.OK: 2.0, Kind.MANUAL: None, Kind.EXAMINER_FAULT: None}.get(kind, 0.0)
    return CellReport(f"test_{group}", group, kind, points, 2.0, seed=7, **more)


def made(*cells: CellReport, **more: Any) -> dict[str, Any]:
    return Report("softmax", "round1_implement", 7, "namespaces", 1.25, cells=list(cells), **more).to_dict()


def terminal(report: dict[str, Any]) -> str:
    console = Console(file=io.StringIO(), width=200, force_terminal=True)
    console.print(shown.rich_table(report))
    return console.file.getvalue()  # type: ignore[attr-defined]


def advice(report: dict[str, Any], again: str = "") -> str:
    return "\n".join(shown.advice(report, path="my.ipynb", debrief="solutions/softmax.ipynb", again=again))


def test_the_json_object_has_just_the_promised_keys() -> None:
    report = made(cell(Kind.WRONG_VALUE, fault="no_shift", fault_says="..."), cell(Kind.MANUAL))
    printed = json.loads(shown.dump(report))
    assert list(printed) == ["problem", "score", "self_reviewed", "max_score", "sandbox", "cells"]
    assert [list(c) for c in printed["cells"]] == [
        ["grade_id", "group", "kind", "points", "max_points", "message", "fault", "seed", "seconds"]
    ] * 2
    assert printed["cells"][0]["fault"] == "no_shift"
    assert printed["cells"][1]["points"] is None


def test_every_view_says_the_fault_in_words() -> None:
    report = made(cell(Kind.WRONG_VALUE, message="is wrong", fault="no_shift", fault_says="exp overflows"))
    for view in (terminal(report), shown.html_report(report, []), shown.text_report(report, [])):
        assert "exp overflows" in view
        assert "is wrong" in view
        assert "✗" in view or "wrong value" in view


def test_nothing_that_an_answer_says_commands_the_page_or_the_terminal() -> None:
    report = made(
        cell(Kind.CRASHED, message=HOSTILE, fault_says=HOSTILE),
        notes=[HOSTILE],
        provided=[cell(Kind.CRASHED)],
    )
    html = shown.html_report(report, [HOSTILE])
    assert "<script" not in html
    assert html.count("&lt;script&gt;") == 4
    for view in (terminal(report), html, shown.text_report(report, [HOSTILE])):
        assert "\x1b[2J" not in view
        assert "\x07" not in view
        view.encode()  # no lone surrogate
    assert "[red]" in terminal(report)  # shown, not obeyed


def test_code_in_advice_is_set_as_code() -> None:
    html = shown.html_report(made(cell(Kind.OK)), ["run `fourrounds <doctor>` now", "a lone ` stays"])
    assert "<p>run <code>fourrounds &lt;doctor&gt;</code> now</p>" in html
    assert "<p>a lone ` stays</p>" in html


def test_a_failed_group_leads_to_its_replay() -> None:
    report = made(cell(Kind.OK, "normalisation"), cell(Kind.WRONG_VALUE, "edges"), cell(Kind.CRASHED, "cost"))
    assert "`fourrounds replay softmax --seed 7 --group edges`" in advice(report)
    assert "`fourrounds replay softmax --seed 7 --group edges --answers a.py`" in advice(
        report, " --answers a.py"
    )


@pytest.mark.parametrize(
    ("kinds", "says"),
    [
        ([Kind.OK, Kind.OK], "solutions/softmax.ipynb"),
        ([Kind.OK, Kind.MANUAL], "solutions/softmax.ipynb"),
        ([Kind.NOT_ATTEMPTED, Kind.MANUAL], "Write your answer in my.ipynb"),
        ([Kind.OK, Kind.NOT_ATTEMPTED], "Still to be answered: edges."),
        ([Kind.FORMAT], "`fourrounds start softmax --again` keeps it"),
        ([Kind.EXAMINER_FAULT, Kind.OK], "not your answer"),
    ],
)
def test_advice_fits_the_verdict(kinds: list[Kind], says: str) -> None:
    text = advice(made(*map(cell, kinds)))
    assert says in text
    assert "replay" not in text


def test_advice_about_a_file_elsewhere_does_not_offer_to_replace_the_learners_copy() -> None:
    assert advice(made(cell(Kind.FORMAT)), " --notebook other.ipynb") == ""


def test_failing_provided_tests_come_first() -> None:
    report = made(
        cell(Kind.WRONG_SHAPE), provided=[cell(Kind.OK, "provided"), cell(Kind.CRASHED, "provided")]
    )
    assert advice(report).startswith("1 of the 2 provided tests fail")


def judged(points: float) -> Judged:
    return Judged("test_edges", ("Is it so?", "Why?"), (True, points > 1), points, 2.0, datetime.now(UTC))


def test_what_waits_for_a_person_says_how_it_is_reviewed() -> None:
    report = shown.with_reviews(made(cell(Kind.OK, "cost"), cell(Kind.MANUAL)), [])
    words = "2 points by a person: `fourrounds review softmax`"
    assert words in terminal(report)
    assert words in shown.text_report(report, [])
    assert "2 points by a person: <code>fourrounds review softmax</code>" in shown.html_report(report, [])
    assert shown.json_object(report)["self_reviewed"] == 0
    assert shown.score_line(report).startswith("2 of 4 points (2 of them wait for a person)")


@pytest.mark.parametrize(("points", "sign"), [(2.0, "✓"), (1.0, "◐"), (0.0, "✗")])
def test_points_of_a_review_count_and_are_marked(points: float, sign: str) -> None:
    plain = made(cell(Kind.OK, "cost"), cell(Kind.MANUAL))
    report = shown.with_reviews(plain, [judged(points)])
    assert plain["score"] == 2  # the examiner's report stays as it is
    assert report["score"] == 2 + points
    assert shown.score_line(report).startswith(f"{2 + points:g} of 4 points ({points:g} self-reviewed) ·")
    for view in (terminal(report), shown.html_report(report, []), shown.text_report(report, [])):
        assert "self-reviewed" in view
        assert f"{points:g} / 2" in view
        assert f"{points:g} point{'' if points == 1 else 's'} by your own review" in view
    assert f"{sign} self-reviewed" in terminal(report)
    printed = json.loads(shown.dump(report))
    assert (printed["score"], printed["self_reviewed"]) == (2 + points, points)
    assert (printed["cells"][1]["kind"], printed["cells"][1]["points"]) == ("manual", points)


def test_a_review_of_a_cell_in_which_nothing_is_written_gives_nothing() -> None:
    report = shown.with_reviews(made(cell(Kind.NOT_ATTEMPTED)), [])
    assert report == made(cell(Kind.NOT_ATTEMPTED))


def test_points_that_a_person_gives_are_said_to_wait() -> None:
    line = shown.score_line(made(cell(Kind.OK), cell(Kind.MANUAL)))
    assert line.startswith("2 of 4 points (2 of them wait for a person)")
    assert "namespaces" in line
    assert "seed 7" in line
    assert "– / 2" in terminal(made(cell(Kind.MANUAL)))
