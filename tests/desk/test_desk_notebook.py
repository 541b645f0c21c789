"""The desk inside a notebook."""

import os
import re
from collections.abc import Callable
from html import unescape
from pathlib import Path
from urllib.parse import unquote

import pytest
from desk_course import ALL_AXES, RIGHT, SLUG, write_answer
from IPython.core.interactiveshell import InteractiveShell

from fourrounds import desk
from fourrounds.desk import store
from fourrounds.desk.attempts import Attempts
from fourrounds.examiner.layout import Layout


def test_no_module_stands_in_the_way_of_a_function() -> None:
    """Importing a module of the package gives the package an attribute of that name."""
    modules = {path.stem for path in Path(desk.__file__).parent.glob("*.py")}
    assert modules.isdisjoint(desk.__all__)
    assert all(callable(getattr(desk, name)) for name in desk.__all__)


def link(html: str) -> str:
    (address,) = re.findall(r"href='([^']*)'", html)
    return unquote(unescape(address))


@pytest.fixture
def page(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the notebook that uses the desk."""
    folder = layout.root / "notebooks"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    return folder


def test_start_links_to_the_learners_copy(page: Path, mine: Path) -> None:
    started = desk.start(SLUG)
    assert mine.exists()
    assert link(started._repr_html_()) == "../submitted/ada/round1_implement/softmax.ipynb"
    assert str(mine) in repr(started)
    mine.write_text("my work")
    assert "untouched" in desk.start(SLUG)._repr_html_()
    assert mine.read_text() == "my work"
    again = desk.start(SLUG, again=True)
    assert "fresh copy" in again._repr_html_()
    assert mine.read_text() != "my work"


def test_the_link_holds_after_a_change_of_folder(
    page: Path, monkeypatch: pytest.MonkeyPatch, layout: Layout
) -> None:
    monkeypatch.setenv("JPY_SESSION_NAME", str(page / "00_start_here.ipynb"))
    monkeypatch.chdir("/")
    assert link(desk.start(SLUG)._repr_html_()) == "../submitted/ada/round1_implement/softmax.ipynb"


def test_a_name_that_html_and_urls_would_read_is_escaped(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOURROUNDS_USER", "ada @ école")
    html = desk.start(SLUG)._repr_html_()
    assert link(html) == "../submitted/ada @ école/round1_implement/softmax.ipynb"
    assert "ada%20%40%20%C3%A9cole" in html


def test_problems_shows_the_state(page: Path) -> None:
    before = desk.problems()
    assert "not started" in repr(before)
    assert ">Start</button>" in before.face["html"]
    desk.start(SLUG)
    after = desk.problems().face["html"]
    assert ">Open</button>" in after
    assert "Round 1 · Implement the paper" in after
    assert "Bridle, 1990" in after


def test_a_press_in_the_list_makes_the_copy_and_opens_it(page: Path, mine: Path, layout: Layout) -> None:
    panel = desk.problems()
    sent: list[object] = []
    panel.send = lambda content, buffers=None: sent.append(content)  # type: ignore[method-assign]
    press = {"do": "start", "value": SLUG, "root": str(layout.root)}
    panel.hear(press)
    assert sent == [{"open": "submitted/ada/round1_implement/softmax.ipynb"}]
    assert ">Open</button>" in panel.face["html"]
    mine.write_text("my work")
    panel.hear(press)
    assert mine.read_text() == "my work"
    panel.hear({"do": "start", "value": "nothing", "root": str(layout.root)})
    assert panel.face["error"]
    panel.hear({**press, "root": "/elsewhere"})
    assert "lies outside of what JupyterLab shows" in panel.face["status"]


def test_grade_shows_the_verdict_and_keeps_the_attempt(page: Path, mine: Path, layout: Layout) -> None:
    desk.start(SLUG)
    write_answer(mine, ALL_AXES + "\nprint('<b>noise</b>')")
    graded = desk.grade(SLUG, seed=4)
    (attempt,) = Attempts(store.of(layout)).of("ada", SLUG)
    assert attempt.report == graded.report
    assert (attempt.score, attempt.max_score, attempt.seed) == (2, 5, 4)
    html = graded._repr_html_()
    assert "the sum runs over the whole array" in html
    assert "<code>fourrounds replay softmax --seed 4 --group normalisation</code>" in html
    assert "as it was saved at" in html
    assert "normalisation: wrong value, 0 / 2" in repr(graded)
    write_answer(mine, RIGHT)
    assert desk.grade(SLUG).report["score"] == 4
    assert len(Attempts(store.of(layout)).of("ada", SLUG)) == 2


def test_nothing_in_the_kernel_or_beside_the_notebook_has_a_part_in_the_verdict(
    page: Path, mine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import numpy as np

    desk.start(SLUG)
    write_answer(mine, ALL_AXES)
    monkeypatch.setattr(np, "allclose", lambda *args, **kwargs: True)
    monkeypatch.setattr(np.testing, "assert_allclose", lambda *args, **kwargs: None)
    for name in ("numpy.py", "torch.py", "fourrounds.py"):
        (page / name).write_text("raise SystemExit('a shadow')")
    assert desk.grade(SLUG).report["score"] == 2


def test_what_goes_wrong_is_said_without_a_stack(page: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shell = InteractiveShell()
    for code, words in {
        "desk.start('sofmax')": "There is no problem called 'sofmax'. Did you mean softmax?",
        "desk.grade('softmax')": "`fourrounds start softmax` makes your copy.",
        "desk.failing_input('nothing.npz')": "`fourrounds replay` makes it.",
    }.items():
        result = shell.run_cell(f"from fourrounds import desk\n{code}")
        assert isinstance(result.error_in_exec, desk.DeskError)
        shown = capsys.readouterr().out
        assert words in shown
        assert "Traceback" not in shown
        assert os.sep + "desk" + os.sep not in shown


def test_an_attempt_that_cannot_be_kept_is_told_beside_the_verdict(
    page: Path, mine: Path, layout: Layout, answered: Callable[[str], Path]
) -> None:
    answered(RIGHT)
    layout.state.mkdir(exist_ok=True)
    (layout.state / "attempts.sqlite").write_text("damaged " * 1000)
    graded = desk.grade(SLUG)
    assert graded.report["score"] == 4
    assert "This attempt could not be kept." in repr(graded)
    assert "move it away" in graded._repr_html_()
