"""The command line: what it prints, where, and with which exit status."""

import json
import os
import pty
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from desk_course import ALL_AXES, RIGHT, SLUG, Ran, write_answer

from fourrounds.cli import main
from fourrounds.course.new import new
from fourrounds.desk import store
from fourrounds.desk.attempts import Attempts
from fourrounds.examiner.layout import Layout

COMMAND = [sys.executable, "-m", "fourrounds"]
REPOSITORY = Path(__file__).parents[2]
CELL_KEYS = {
    "grade_id": str,
    "group": str,
    "kind": str,
    "points": (float, type(None)),
    "max_points": float,
    "message": str,
    "fault": (str, type(None)),
    "seed": int,
    "seconds": float,
}

Run = Callable[..., Ran]
Answer = Callable[[str], Path]


def verdicts(ran: Ran) -> dict[str, str]:
    return {cell["group"]: cell["kind"] for cell in ran.json["cells"] if cell["group"] != "manual"}


def refused(ran: Ran) -> str:
    """What an error says: on stderr alone, in few lines, without a stack."""
    assert ran.status == 2
    assert ran.out == ""
    assert "Traceback" not in ran.err
    assert 0 < len(ran.err.strip().splitlines()) <= 2
    return ran.err


# -- list and start


def test_list_shows_every_problem_with_its_state(fourrounds: Run, answered: Answer) -> None:
    assert "not started" in fourrounds("list").out
    answered(ALL_AXES)
    assert " started" in fourrounds("list").out
    fourrounds("grade", SLUG)
    shown = fourrounds("list").out
    for text in (
        "Round 1 · Implement the paper",
        SLUG,
        "Bridle, 1990",
        "15",
        "5",
        "normalisation",
        "best 2 of 5",
    ):
        assert text in shown
    assert "not started" in fourrounds("list", "--user", "grace").out


def test_list_as_json(fourrounds: Run, answered: Answer, mine: Path) -> None:
    (row,) = fourrounds("list", "--json").json
    assert (row["notebook"], row["best"]) == (None, None)
    answered(RIGHT)
    fourrounds("grade", SLUG)
    (row,) = fourrounds("list", "--json").json
    assert row["slug"] == SLUG
    assert row["groups"] == ["normalisation", "tolerance"]
    assert row["notebook"] == str(mine)
    assert row["best"] == {"score": 4, "max_score": 5, "self_reviewed": 0}


def test_list_puts_a_problem_after_those_that_it_asks_for(fourrounds: Run, layout: Layout) -> None:
    for slug, first in (("alpha", ["zeta"]), ("zeta", [SLUG]), ("beta", ["gamma"]), ("gamma", ["beta"])):
        path = new(layout.root, slug)
        notebook = json.loads(path.read_text(encoding="utf-8"))
        notebook["metadata"]["fourrounds"]["prerequisites"] = first
        path.write_text(json.dumps(notebook), encoding="utf-8")
    slugs = [row["slug"] for row in fourrounds("list", "--json").json]
    assert [slug for slug in slugs if slug not in {"beta", "gamma"}] == [SLUG, "zeta", "alpha"]
    assert {"beta", "gamma"} < set(slugs)  # a circle has no order, and is shown all the same


def test_list_of_an_empty_course(fourrounds: Run, layout: Layout) -> None:
    (layout.source / "round1_implement" / f"{SLUG}.ipynb").unlink()
    assert "no problems" in fourrounds("list").out
    assert fourrounds("list", "--json").json == []


def test_start_says_where_the_notebook_is_and_what_comes_next(fourrounds: Run, mine: Path) -> None:
    first = fourrounds("start", SLUG)
    assert (first.status, first.err) == (0, "")
    assert str(mine) in first.out
    assert "fourrounds grade softmax" in first.out
    mine.write_text("my work")
    second = fourrounds("start", SLUG)
    assert second.status == 0
    assert "untouched" in second.out
    assert "--again" in second.out
    assert mine.read_text() == "my work"
    third = fourrounds("start", SLUG, "--again")
    assert third.status == 0
    (kept,) = [line for line in third.out.splitlines() if "earlier attempt" in line]
    assert Path(kept.partition(": ")[2]).read_text() == "my work"
    assert mine.read_text() != "my work"


def test_start_for_another_user(fourrounds: Run, layout: Layout) -> None:
    assert fourrounds("start", SLUG, "--user", "grace").status == 0
    assert (layout.submitted / "grace" / "round1_implement" / f"{SLUG}.ipynb").is_file()


# -- grade


def test_grade_prints_verdicts_by_group_and_what_to_do_next(fourrounds: Run, answered: Answer) -> None:
    answered(ALL_AXES)
    ran = fourrounds("grade", SLUG, "--seed", "9")
    assert ran.status == 0
    text = " ".join(ran.out.replace("│", " ").split())
    assert "normalisation ✗ wrong value 0 / 2" in text
    assert "tolerance ✓ ok 2 / 2" in text
    assert "the sum runs over the whole array, where each row has its own" in text
    assert "2 of 5 points" in text
    assert "seed 9" in text
    assert "`fourrounds replay softmax --seed 9 --group normalisation`" in ran.out


def test_grade_as_json_is_one_object_and_nothing_else(fourrounds: Run, answered: Answer) -> None:
    answered(ALL_AXES + "\nprint('noise on stdout')\nimport sys; sys.stderr.write('and on stderr')")
    ran = fourrounds("grade", SLUG, "--json", "--seed", "9")
    assert ran.status == 0
    assert list(ran.json) == ["problem", "score", "self_reviewed", "max_score", "sandbox", "cells"]
    assert (ran.json["problem"], ran.json["score"], ran.json["max_score"]) == (SLUG, 2, 5)
    for cell in ran.json["cells"]:
        assert list(cell) == list(CELL_KEYS)
        for key, kind in CELL_KEYS.items():
            assert isinstance(cell[key], kind), key
        assert cell["seed"] == 9
    assert verdicts(ran) == {"normalisation": "wrong value", "tolerance": "ok"}
    assert ran.json["cells"][0]["fault"] == "all_axes"


def test_every_grading_is_recorded_with_what_was_graded(
    fourrounds: Run, answered: Answer, layout: Layout, tmp_path: Path
) -> None:
    import hashlib

    notebook = answered(ALL_AXES)
    fourrounds("grade", SLUG, "--json", "--seed", "9")
    file = tmp_path / "answer.py"
    file.write_text(RIGHT)
    fourrounds("grade", SLUG, "--answers", file)
    first, second = Attempts(store.of(layout)).of("ada", SLUG)
    assert (first.score, first.max_score, first.seed) == (2, 5, 9)
    assert first.submission == str(notebook)
    assert first.submission_sha256 == hashlib.sha256(notebook.read_bytes()).hexdigest()
    assert first.source_sha256 == layout.problem(SLUG).sha256
    assert first.started_at <= first.finished_at <= second.started_at
    assert [cell["kind"] for cell in first.report["cells"]][:2] == ["wrong value", "ok"]
    assert (second.score, second.submission) == (4, str(file))


def test_grade_of_a_notebook_elsewhere(fourrounds: Run, answered: Answer, tmp_path: Path) -> None:
    moved = answered(RIGHT).rename(tmp_path / "moved.ipynb")
    ran = fourrounds("grade", SLUG, "--notebook", moved, "--json")
    assert (ran.status, ran.json["score"]) == (0, 4)
    link = tmp_path / "link.ipynb"
    link.symlink_to(moved)
    assert fourrounds("grade", SLUG, "--notebook", link, "--json").json["score"] == 4
    write_answer(moved, ALL_AXES)
    assert f"--notebook {moved}" in fourrounds("grade", SLUG, "--notebook", moved).out


def test_grade_of_a_python_file(fourrounds: Run, tmp_path: Path) -> None:
    file = tmp_path / "my answer.py"
    file.write_text(ALL_AXES)
    ran = fourrounds("grade", SLUG, "--answers", file)
    assert ran.status == 0
    assert f"--group normalisation --answers '{file}'`" in ran.out


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b'{"cells": [', "format"),
        (b"", "format"),
        (b"[1, 2]", "format"),
        (b"\xff\xfe\x00 no text", "format"),
    ],
    ids=["broken JSON", "empty", "no notebook", "binary"],
)
def test_a_bad_notebook_gets_a_verdict(
    fourrounds: Run, answered: Answer, content: bytes, kind: str, layout: Layout
) -> None:
    notebook = answered(RIGHT)
    notebook.write_bytes(content)
    ran = fourrounds("grade", SLUG, "--json")
    assert (ran.status, ran.json["score"]) == (0, 0)
    assert set(verdicts(ran).values()) == {kind}
    assert notebook.read_bytes() == content
    assert len(Attempts(store.of(layout)).of("ada", SLUG)) == 1
    assert "--again" in fourrounds("grade", SLUG).out


def test_a_notebook_of_200_megabytes_gets_a_verdict(fourrounds: Run, answered: Answer) -> None:
    notebook = answered(RIGHT)
    os.truncate(notebook, 200 * 2**20)
    ran = fourrounds("grade", SLUG, "--json")
    assert ran.status == 0
    assert set(verdicts(ran).values()) == {"format"}
    assert "200 MB" in ran.json["cells"][0]["message"]


def test_an_untouched_notebook_is_not_attempted(fourrounds: Run, mine: Path) -> None:
    fourrounds("start", SLUG)
    ran = fourrounds("grade", SLUG, "--json")
    assert set(verdicts(ran).values()) == {"not attempted"}
    assert f"Write your answer in {mine}" in fourrounds("grade", SLUG).out


def test_a_python_file_with_a_syntax_error_gets_a_verdict(fourrounds: Run, tmp_path: Path) -> None:
    file = tmp_path / "answer.py"
    file.write_text("def softmax(x:\n")
    ran = fourrounds("grade", SLUG, "--answers", file, "--json")
    assert ran.status == 0
    assert set(verdicts(ran).values()) == {"crashed"}
    assert "SyntaxError" in ran.json["cells"][0]["message"]


def test_a_verdict_stands_though_it_cannot_be_kept(fourrounds: Run, answered: Answer, layout: Layout) -> None:
    answered(RIGHT)
    layout.state.mkdir()
    (layout.state / "attempts.sqlite").write_text("damaged " * 1000)
    ran = fourrounds("grade", SLUG, "--json")
    assert (ran.status, ran.json["score"]) == (0, 4)
    assert "could not be kept" in ran.err
    assert "move it away" in ran.err


# -- what cannot be done


def test_no_such_problem_names_the_nearest(fourrounds: Run) -> None:
    for command in (["start"], ["grade"], ["replay", "--seed", "1"], ["prove"], ["build"]):
        said = refused(fourrounds(*command, "sotfmax"))
        assert "There is no problem called 'sotfmax'. Did you mean softmax?" in said
    assert "`fourrounds list`" in refused(fourrounds("grade", "zzz"))


def test_nothing_handed_in_says_how_to_start(fourrounds: Run, mine: Path) -> None:
    said = refused(fourrounds("grade", SLUG))
    assert str(mine) in said
    assert "`fourrounds start softmax`" in said
    assert not mine.exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--answers", "{tmp}/none.py"], "There is no file {tmp}/none.py: give --answers"),
        (["--notebook", "{tmp}/none.ipynb"], "There is no file {tmp}/none.ipynb: give --notebook"),
        (["--answers", "{tmp}"], "{tmp} is not a file"),
        (["--notebook", "{tmp}"], "{tmp} is not a file"),
        (["--answers", "{tmp}/latin.py"], "is not text in UTF-8"),
        (["--answers", "{tmp}/big.py"], "1 MB is the most"),
        (["--answers", "{tmp}/a.ipynb"], "use --notebook {tmp}/a.ipynb"),
        (["--answers", "{tmp}/big.py", "--notebook", "{tmp}/a.ipynb"], "not both"),
        (["--user", "../up"], "cannot be the name of your folder"),
    ],
)
def test_bad_input_is_refused_in_words(
    fourrounds: Run, tmp_path: Path, arguments: list[str], words: str
) -> None:
    (tmp_path / "latin.py").write_bytes("# \xe9".encode("latin-1"))
    (tmp_path / "big.py").write_bytes(b"#" * (2**20 + 1))
    (tmp_path / "a.ipynb").write_text("{}")
    ran = fourrounds("grade", SLUG, *(argument.format(tmp=tmp_path) for argument in arguments))
    assert words.format(tmp=tmp_path) in refused(ran)


@pytest.mark.parametrize(
    "arguments",
    [["grade"], ["grade", SLUG, "--seed", "-1"], ["replay", SLUG], ["nonsense"], ["grade", SLUG, "--sed"]],
)
def test_misuse_is_told_with_the_way_to_help(fourrounds: Run, arguments: list[str]) -> None:
    ran = fourrounds(*arguments)
    assert ran.status == 2
    assert ran.out == ""
    assert "Try 'fourrounds" in ran.err
    assert "--help" in ran.err


def test_outside_a_course_it_says_where_to_go(
    fourrounds: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FOURROUNDS_ROOT")
    monkeypatch.chdir(tmp_path)
    assert "change into your clone" in refused(fourrounds("list"))


def test_a_broken_source_notebook_is_named(fourrounds: Run, layout: Layout) -> None:
    (layout.source / "round1_implement" / f"{SLUG}.ipynb").write_text("{")
    assert "softmax.ipynb" in refused(fourrounds("list"))


def test_without_torch_grading_says_what_to_install(
    fourrounds: Run, answered: Answer, monkeypatch: pytest.MonkeyPatch
) -> None:
    import importlib.util

    answered(RIGHT)
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "torch" else find(name))
    assert "needs torch" in refused(fourrounds("grade", SLUG))


def test_without_a_sandbox_grading_points_to_the_doctor(
    fourrounds: Run, answered: Answer, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered(RIGHT)
    monkeypatch.setenv("FOURROUNDS_SANDBOX", "none")
    for command in (["grade", SLUG], ["prove", SLUG]):
        assert "`fourrounds doctor`" in refused(fourrounds(*command))


def test_a_folder_that_cannot_be_written_is_named(
    fourrounds: Run, layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*args: object, **more: object) -> None:
        raise OSError(28, "No space left on device", "somewhere")

    monkeypatch.setattr("fourrounds.desk.work.with_desk", full)
    assert "somewhere: No space left on device" in refused(fourrounds("start", SLUG))
    assert not list(layout.submitted.glob("**/*.*"))


def test_a_bug_is_not_dressed_up_as_a_mistake(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    def bug(*args: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr("fourrounds.desk.catalogue.catalogue", bug)
    with pytest.raises(RuntimeError, match="a bug"):
        main(["list"])


# -- authors' commands and study


def test_build_check_lists_what_is_stale(fourrounds: Run, layout: Layout) -> None:
    ran = fourrounds("build", "--check")
    assert ran.status == 1
    assert "solutions/round1_implement/softmax.ipynb is missing" in ran.out
    assert "`fourrounds build` brings this up to date." in ran.out
    assert not layout.solutions.exists()
    assert fourrounds("build", SLUG).status == 0
    assert (layout.solutions / "round1_implement" / f"{SLUG}.ipynb").is_file()
    again = fourrounds("build", "--check")
    assert (again.status, again.out.strip()) == (0, "Everything is up to date.")


def test_prove_prints_the_matrix_and_fails_with_the_proof(fourrounds: Run, layout: Layout) -> None:
    ran = fourrounds("prove", SLUG, "--seeds", "2")
    assert ran.status == 0
    assert "all_axes" in ran.out
    assert "softmax holds, with 2 seeds." in ran.out
    source = layout.source / "round1_implement" / f"{SLUG}.ipynb"
    content = json.loads(source.read_text())
    for cell in content["cells"]:
        if cell["metadata"]["fourrounds"].get("name") == "all_axes":
            cell["source"] = "### BEGIN HIDDEN TESTS\npass\n### END HIDDEN TESTS"
    source.write_text(json.dumps(content))
    ran = fourrounds("prove", SLUG, "--seed", "5")
    assert ran.status == 1
    assert "keeps the points of its group" in " ".join(ran.out.split())


def test_new_writes_a_problem_and_refuses_bad_names(fourrounds: Run, layout: Layout) -> None:
    ran = fourrounds("new", "sigmoid")
    assert ran.status == 0
    assert (layout.source / "round1_implement" / "sigmoid.ipynb").is_file()
    assert "fourrounds prove sigmoid" in ran.out
    for arguments in (["sigmoid"], ["Bad Name"], ["other", "--assignment", "round9"]):
        refused(fourrounds("new", *arguments))


@pytest.mark.parametrize(
    ("arguments", "environment", "port", "browser"),
    [
        ([], {}, None, True),
        (["--port", "9000", "--no-browser"], {}, 9000, False),
        ([], {"PORT": "9001", "NO_BROWSER": "1"}, 9001, False),
        (["--port", "9000"], {"PORT": "9001", "NO_BROWSER": "0"}, 9000, True),
    ],
)
def test_study_heeds_options_and_environment(
    fourrounds: Run,
    layout: Layout,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    environment: dict[str, str],
    port: int | None,
    browser: bool,
) -> None:
    seen: list[Any] = []

    def study(root: Path, *, port: int | None, browser: bool) -> int:
        seen.append((root, port, browser))
        return 7

    monkeypatch.setattr("fourrounds.desk.study.study", study)
    for name in ("PORT", "NO_BROWSER"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert fourrounds("study", *arguments).status == 7
    assert seen == [(layout.root, port, browser)]


def test_a_port_that_is_none_is_misuse(fourrounds: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "lab")
    assert "PORT" in fourrounds("study").err.upper()
    assert fourrounds("study").status == 2


# -- as a process


def test_help_and_version_are_there_without_a_course(tmp_path: Path) -> None:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("FOURROUNDS")}
    for arguments in ([], ["--help"], ["grade", "--help"], ["--version"]):
        done = subprocess.run(
            [*COMMAND, *arguments], cwd=tmp_path, env=environment, capture_output=True, text=True
        )
        assert done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        assert done.returncode == (2 if not arguments else 0)


def test_a_sample_of_the_bank_is_trained_again(fourrounds: Run) -> None:
    ran = fourrounds("bank", "check", "transfer", "--runs", "3", "--seed", "5")
    assert ran.status == 0
    assert ran.out.startswith("transfer: agrees. ")


def test_a_family_that_does_not_agree_is_told(fourrounds: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from fourrounds.runbank.training import rebuild

    found = rebuild.Agreement("recall", runs=5, costs=True, exact=1, stable=4, near=1, largest=99)
    monkeypatch.setattr(rebuild, "check", lambda family, runs, seed: found)
    ran = fourrounds("bank", "check", "recall")
    assert ran.status == 1
    assert "recall: DOES NOT AGREE" in ran.out


def test_a_family_that_the_bank_has_not_is_refused(fourrounds: Run) -> None:
    for command in ("train", "check"):
        assert "no family 'vision'; the bank has digits" in refused(fourrounds("bank", command, "vision"))


def test_starting_up_imports_nothing_heavy(layout: Layout) -> None:
    code = "import sys; from fourrounds.cli import main; main(['list']); print(*sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stderr.split())
    assert not loaded & {
        "torch",
        "nbgrader",
        "matplotlib",
        "IPython",
        "nbformat",
        "jupyter_core",
        "sqlalchemy",
    }


def test_progress_goes_to_stderr_and_the_object_to_stdout(layout: Layout, answered: Answer) -> None:
    answered(RIGHT)
    done = subprocess.run([*COMMAND, "grade", SLUG, "--json"], capture_output=True, text=True)
    assert done.returncode == 0
    assert json.loads(done.stdout)["score"] == 4
    for line in done.stderr.splitlines():
        assert line.startswith("grading softmax")
        assert line.endswith("...")


def test_a_terminal_gets_a_spinner_on_stderr_alone(layout: Layout, answered: Answer) -> None:
    answered(RIGHT)
    reader, writer = pty.openpty()
    environment = os.environ | {"TERM": "xterm"}
    with subprocess.Popen(
        [*COMMAND, "grade", SLUG, "--json"], stdout=subprocess.PIPE, stderr=writer, env=environment
    ) as process:
        os.close(writer)
        shown = b""
        while True:
            try:
                part = os.read(reader, 4096)
            except OSError:  # how Linux says that the other end is closed
                break
            if not part:
                break
            shown += part
        assert process.stdout is not None
        assert json.loads(process.stdout.read())["score"] == 4
    os.close(reader)
    assert b"grading softmax" in shown
    assert b"0:00:0" in shown


def test_a_reader_that_leaves_early_is_no_error(layout: Layout) -> None:
    for command in (["list"], ["list", "--json"], ["doctor"]):
        done = subprocess.run(
            ["/bin/sh", "-c", f"{' '.join(COMMAND)} {' '.join(command)} | true"],
            capture_output=True,
            text=True,
        )
        assert all(line.endswith("...") for line in done.stderr.splitlines()), done.stderr


def test_a_terminal_without_unicode_gets_its_verdict(layout: Layout, answered: Answer) -> None:
    answered(ALL_AXES)
    environment = os.environ | {"PYTHONIOENCODING": "ascii"}
    done = subprocess.run([*COMMAND, "grade", SLUG], capture_output=True, text=True, env=environment)
    assert done.returncode == 0
    assert "wrong value" in done.stdout


def test_attention_without_its_scale_is_told_so_within_five_seconds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FOURROUNDS_ROOT", str(REPOSITORY))
    monkeypatch.setenv("FOURROUNDS_HOME", str(tmp_path))
    problem = Layout(REPOSITORY).problem("attention")
    file = tmp_path / "answer.py"
    (fault,) = (fault for fault in problem.faults if "the scale is missing" in fault.says)
    setup = "\n".join(cell.source for cell in problem.by_role("setup"))
    file.write_text("\n\n".join([setup, problem.solution(), fault.source]))
    seconds = []
    for _ in range(3):
        begun = time.monotonic()
        done = subprocess.run(
            [*COMMAND, "grade", "attention", "--answers", str(file)], capture_output=True, text=True
        )
        # Where more programs want a core than there are cores, each of them is as much slower.
        share = max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))
        seconds.append((time.monotonic() - begun) / share)
        assert done.returncode == 0
        assert "the scale is missing" in " ".join(done.stdout.replace("│", " ").split())
        if seconds[-1] < 5:
            break
    assert min(seconds) < 5
