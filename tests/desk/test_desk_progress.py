"""Progress as it is shown: in a terminal, as JSON, in a notebook with its pictures, and in the guide."""

import io
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path
from typing import Any

import matplotlib
import nbformat
import pytest
from desk_course import LEARNER, SLUG, Ran
from desk_history import ARGUE, CRITIQUE, DESIGN, IMPLEMENT, IN_TIME, NOW, ago, attempt, problem, record
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb

from fourrounds import desk
from fourrounds.desk import figures, store
from fourrounds.desk.attempts import Attempt
from fourrounds.desk.standing import Standing, standing
from fourrounds.desk.store import Store
from fourrounds.examiner.layout import Layout

REPOSITORY = Path(__file__).parents[2]
GUIDE = REPOSITORY / "notebooks" / "05_progress.ipynb"
SOFTMAX = problem("softmax", groups=("normalisation", "tolerance"), written=1)
ROPE, PAPER = problem("rope"), problem("low_rank", CRITIQUE, groups=("lab", "clustered"))
LATE = replace(IN_TIME, seconds=2700.0, after_debrief=True)
SLOW = replace(IN_TIME, seconds=2700.0)
RICH = (
    attempt(SOFTMAX, ago(9), {"normalisation": 0.5}, sitting=SLOW, predicted=1.0),
    attempt(SOFTMAX, ago(2), {"tolerance": 0.25}, sitting=IN_TIME, predicted=0.5),
    attempt(ROPE, ago(3), 1.0, sitting=LATE),
    attempt(PAPER, ago(1), 0.75, predicted=0.5),
)


def rich(attempts: Sequence[Attempt] = RICH) -> Standing:
    return standing([SOFTMAX, ROPE, PAPER, problem("new", DESIGN, groups=("power",))], attempts, NOW)


Drawn = dict[str, list[tuple[tuple[Any, ...], dict[str, Any]]]]


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> Drawn:
    """What is given to matplotlib, by the method's name."""
    calls: Drawn = {}

    def spy(name: str) -> Callable[..., Any]:
        real = getattr(Axes, name)

        def call(self: Axes, *args: Any, **more: Any) -> Any:
            calls.setdefault(name, []).append((args, more))
            return real(self, *args, **more)

        return call

    for name in ("barh", "scatter", "text", "axhline", "plot"):
        monkeypatch.setattr(Axes, name, spy(name))
    return calls


def test_coverage_draws_what_is_passed_and_handed_in(drawn: Drawn) -> None:
    figure = figures.coverage(rich())
    assert {more["label"]: list(args[1]) for args, more in drawn["barh"]} == {
        "to be done": [2, 1, 1, 0],
        "handed in": [2, 1, 0, 0],
        "passed": [0, 0, 0, 0],
    }
    assert "Round 1: 0 passed and 2 handed in of 2; Round 2: 0 passed and 1 handed in of 1" in figure.alt


def test_readiness_draws_a_bar_only_where_there_is_evidence(drawn: Drawn) -> None:
    figure = figures.readiness(rich())
    texts = [args[2] for args, _ in drawn["text"]]
    assert [args[1] for args, _ in drawn["barh"]] == pytest.approx([0.25, 0.75, 0.75, 1.0])
    assert texts == ["25%, n = 1", "75%, n = 1", "75%, n = 1", "100%, n = 1", *["no evidence"] * 3]
    assert figure.alt == (
        "Readiness by skill, with the number of problems behind it: tolerance 25% (1), variance 75% (1), "
        "first experiment 75% (1), normalisation 100% (1). No evidence yet: batching, power, writing."
    )


def test_calibration_draws_expected_against_got(drawn: Drawn) -> None:
    figure = figures.calibration(rich())
    ((expected, got), _) = drawn["scatter"][0]
    assert (expected, got) == ([1.0, 0.5, 0.5], [0.75, 0.625, 0.75])
    assert drawn["plot"][0][0] == ([0, 1], [0, 1])
    assert "100% and 75%, 50% and 62%, 50% and 75%" in figure.alt
    assert "You expect" in figure.alt


def test_times_draw_each_sitting_by_how_it_ended(drawn: Drawn) -> None:
    figure = figures.times(rich())
    assert {more["label"]: args[1] for args, more in drawn["scatter"]} == {
        "in time": [20 / 30],
        "over time": [45 / 30],
        "after the debrief": [45 / 30],
    }
    assert len({more["marker"] for _, more in drawn["scatter"]}) == 3  # not told apart by colour alone
    assert drawn["axhline"][0][0] == (1,)
    assert "1 of 3 in time. softmax 45 of 30, rope 45 of 30, softmax 20 of 30." in figure.alt


def test_a_figure_with_nothing_to_show_is_not_drawn() -> None:
    untimed = [attempt(SOFTMAX, ago(1), 1.0)]
    titles = [figure.alt.split()[0] for column in figures.all_of(rich(untimed)) for figure in column]
    assert titles == ["Bars", "Readiness"]
    late = [attempt(SOFTMAX, ago(1), 1.0, sitting=LATE)]
    titles = [figure.alt.split()[0] for column in figures.all_of(rich(late)) for figure in column]
    assert titles == ["Bars", "Minutes"]  # and no axis of readiness without evidence
    assert len(figures.all_of(rich())) == 2


def luminance(colour: str) -> float:
    """Relative luminance by WCAG 2.1."""
    parts = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)]
    return sum(part * weight for part, weight in zip(parts, (0.2126, 0.7152, 0.0722), strict=True))


@pytest.mark.parametrize("background", ["#ffffff", "#111111"])
@pytest.mark.parametrize("colour", [figures.INK, figures.BLUE, figures.ORANGE])
def test_colours_are_seen_in_both_themes(colour: str, background: str) -> None:
    """WCAG 2.1, 1.4.11: a contrast of 3 for what is needed to understand a picture."""
    light, dark = sorted((luminance(colour), luminance(background)), reverse=True)
    assert (light + 0.05) / (dark + 0.05) >= 3


def test_pictures_are_transparent_equal_each_time_and_leave_settings_alone() -> None:
    before = dict(matplotlib.rcParams)
    with matplotlib.rc_context({"axes.facecolor": "black", "text.color": "yellow"}):
        odd = figures.readiness(rich())
    assert odd.png == figures.readiness(rich()).png  # whatever the learner has set
    assert dict(matplotlib.rcParams) == before
    assert pyplot.get_fignums() == []
    corner = pyplot.imread(io.BytesIO(odd.png))[0, 0]
    assert corner[3] == 0


# -- the terminal and the notebook


def small_history(layout: Layout) -> None:
    now = datetime.now(UTC)
    course = {one.slug: one for one in layout.problems()}
    mine = [
        attempt(course[SLUG], now - timedelta(days=8), 0.5, sitting=SLOW, predicted=0.75),
        attempt(course[SLUG], now - timedelta(hours=1), 1.0, sitting=IN_TIME, predicted=1.0, reviewed=1.0),
    ]
    record(store.of(layout), mine)


def test_the_command_shows_the_history(layout: Layout, fourrounds: Callable[..., Ran]) -> None:
    small_history(layout)
    ran = fourrounds("progress")
    assert (ran.status, ran.err) == (0, "")
    for words in (
        "· 1 of 10 papers implemented",
        "Round 1 · Implement the paper",
        "1 of 1",
        "100% (1 problem, 100% remembered)",
        "no evidence",
        "You expect 12% more of the points than you get, over 2 submissions",
        "1 of 2 timed sittings in time. In 2 the method was read first, and left closed after that.",
    ):
        assert words in re.sub(r"\s+", " ", ran.out)


def test_the_command_as_json(layout: Layout, fourrounds: Callable[..., Ran]) -> None:
    small_history(layout)
    shown = fourrounds("progress", "--json").json
    assert shown["attempts"] == 2
    assert shown["goals"][0] == {
        "goal": "papers implemented",
        "assignment": IMPLEMENT,
        "done": 1,
        "target": 10,
        "met": False,
    }
    assert shown["coverage"][0]["passed"] == [SLUG]
    assert shown["readiness"]["rounds"][0]["share"] == 1.0
    assert shown["readiness"]["rounds"][3] == {"name": ARGUE, "share": None, "problems": 0, "remembered": 0.0}
    assert shown["calibration"]["bias"] == 0.125
    assert [one["in_time"] for one in shown["times"]] == [False, True]
    assert shown["memory"][0]["problem"] == SLUG
    assert fourrounds("progress", "--json", "--user", "grace").json["attempts"] == 0


def test_an_empty_history_says_what_will_stand_there_and_what_to_do_first(
    layout: Layout, fourrounds: Callable[..., Ran]
) -> None:
    shown = fourrounds("progress").out
    for words in ("Nothing has been graded yet", "0 of 10 papers implemented", f"fourrounds start {SLUG}"):
        assert words in shown
    html = desk.progress()._repr_html_()
    assert "<img" not in html
    assert "Nothing has been graded yet" in html
    assert f'desk.start("{SLUG}")' in unescape(html)
    assert "Nothing has been graded yet" in repr(desk.progress())
    empty = fourrounds("progress", "--json").json
    assert empty["calibration"] == {"submissions": 0, "bias": None, "error": None, "guesses": []}
    assert not store.of(layout).path.exists()


def test_in_a_notebook_every_picture_has_its_text(layout: Layout) -> None:
    small_history(layout)
    page = desk.progress()
    html = page._repr_html_()
    images = re.findall(r'<img src="data:image/png;base64,[^"]+" width="\d+" alt="([^"]+)"', html)
    assert [unescape(alt).split()[0] for alt in images] == ["Bars", "Points", "Minutes", "Readiness"]
    assert html.count("<img") == 4
    assert "over 2 submissions" in html
    assert "Skills" in repr(page)


def test_what_came_after_the_debrief_is_told(layout: Layout, fourrounds: Callable[..., Ran]) -> None:
    late = replace(IN_TIME, after_debrief=True)
    record(store.of(layout), [attempt(problem(SLUG), datetime.now(UTC), 1.0, sitting=late)])
    assert "1 submission was made after the debrief, and is not counted" in fourrounds("progress").out


# -- the guide


@pytest.mark.parametrize("history", ["empty", "rich"])
def test_the_notebook_runs(history: str, tmp_path: Path) -> None:
    home = tmp_path / "home"
    notebook = tmp_path / "notebooks" / GUIDE.name
    notebook.parent.mkdir()
    shutil.copy(GUIDE, notebook)
    if history == "rich":
        real = Layout(REPOSITORY).problems()
        now = datetime.now(UTC)
        mine = [
            attempt(
                one, now - timedelta(days=n), 0.3 + 0.02 * n, sitting=IN_TIME, predicted=0.8, reviewed=0.5
            )
            for n, one in enumerate(real)
        ]
        record(Store(home / "attempts.sqlite"), mine)
    environment = {
        **os.environ,
        "FOURROUNDS_HOME": str(home),
        "FOURROUNDS_ROOT": str(REPOSITORY),
        "FOURROUNDS_USER": LEARNER,
    }
    command = ["-m", "pytest", "--nbval", "-q", "-p", "no:cacheprovider", "--rootdir", str(tmp_path)]
    done = subprocess.run(
        [sys.executable, *command, "-c", os.devnull, str(notebook)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 passed" in done.stdout
    assert home.exists() == (history == "rich")


def test_the_notebook_is_written_as_the_others_are() -> None:
    text = GUIDE.read_text(encoding="utf-8")
    notebook = nbformat.reads(text, as_version=4)
    assert nbformat.writes(notebook) + "\n" == text
    assert [cell.id for cell in notebook.cells] == [
        "about",
        "progress",
        "today",
        "next",
        "plan",
        "write-plan",
    ]
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert (cell.outputs, cell.execution_count) == ([], None)
            assert cell.metadata == {"tags": ["nbval-ignore-output"]}
