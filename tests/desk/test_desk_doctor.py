"""``fourrounds doctor``: every weak or missing thing is found, and comes with what to do."""

import shutil
from collections import namedtuple
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import pytest
from desk_course import Ran

from fourrounds.answers.sandbox import SandboxError
from fourrounds.desk.doctor import Finding, State, look
from fourrounds.examiner.layout import Layout

Usage = namedtuple("Usage", "total used free")


def found(layout: Layout | None) -> dict[str, Finding]:
    findings = {finding.what: finding for finding in look(layout, "go to your clone")}
    for finding in findings.values():
        assert finding.found
        assert bool(finding.do) == (finding.state is not State.GOOD), finding
    return findings


@pytest.fixture
def solved(layout: Layout) -> Layout:
    """The course with a solution, so that nothing is left to build."""
    target = layout.solutions / "round1_implement" / "softmax.ipynb"
    target.parent.mkdir(parents=True)
    target.write_text("{}")
    return layout


def test_a_machine_that_has_all_that_is_needed(fourrounds: Callable[..., Ran], solved: Layout) -> None:
    ran = fourrounds("doctor")
    assert ran.status == 0
    assert "You can work and grade here." in ran.out
    for what in (
        "Python",
        "torch",
        "nbgrader",
        "sandbox",
        "Chromium",
        "disk",
        "release/",
        "solutions/",
        "gradebook",
    ):
        assert what in ran.out


@pytest.mark.needs("bubblewrap")
def test_the_strongest_sandbox_is_good_and_a_weaker_one_is_weak(
    solved: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FOURROUNDS_SANDBOX", raising=False)
    assert found(solved)["sandbox"].state is State.GOOD
    monkeypatch.setenv("FOURROUNDS_SANDBOX", "process")
    weaker = found(solved)["sandbox"]
    assert weaker.state is State.WEAK
    assert weaker.do == "unset FOURROUNDS_SANDBOX"


def test_without_bubblewrap_the_reason_and_the_remedy_are_told(
    solved: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    which = shutil.which
    monkeypatch.delenv("FOURROUNDS_SANDBOX", raising=False)
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setattr(
        shutil, "which", lambda name, **more: None if name == "bwrap" else which(name, **more)
    )
    findings = found(solved)
    assert "apt install bubblewrap" in findings["bubblewrap"].do
    assert findings["sandbox"].state is State.WEAK
    assert "process; namespaces is refused: bubblewrap is not installed" in findings["sandbox"].found


def test_no_sandbox_at_all_is_a_lack(solved: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> None:
        raise SandboxError("no process can be started")

    monkeypatch.setattr("fourrounds.examiner.wall.best_sandbox", none)
    finding = found(solved)["sandbox"]
    assert finding.state is State.MISSING
    assert finding.found == "no process can be started"


@pytest.mark.parametrize(
    ("package", "state"),
    [("numpy", State.MISSING), ("torch", State.MISSING), ("nbgrader", State.WEAK), ("pytest", State.WEAK)],
)
def test_a_package_that_is_absent(
    fourrounds: Callable[..., Ran],
    solved: Layout,
    monkeypatch: pytest.MonkeyPatch,
    package: str,
    state: State,
) -> None:
    version = metadata.version

    def absent(name: str) -> str:
        if name == package:
            raise metadata.PackageNotFoundError(name)
        return version(name)

    monkeypatch.setattr(metadata, "version", absent)
    finding = found(solved)[package]
    assert finding.state is state
    assert "make env" in finding.do
    ran = fourrounds("doctor")
    assert ran.status == (1 if state is State.MISSING else 0)


def test_a_package_of_another_version_is_told(solved: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    version = metadata.version
    monkeypatch.setattr(metadata, "version", lambda name: "1.0" if name == "nbgrader" else version(name))
    finding = found(solved)["nbgrader"]
    assert finding.state is State.WEAK
    assert finding.found.startswith("1.0; ==0.9.6 is needed")


def test_what_is_not_built_is_told(fourrounds: Callable[..., Ran], layout: Layout) -> None:
    findings = found(layout)
    assert findings["release/"].state is State.GOOD
    assert findings["solutions/"].state is State.WEAK
    shutil.rmtree(layout.release)
    assert found(layout)["release/"].state is State.MISSING
    ran = fourrounds("doctor")
    assert ran.status == 1
    assert "not built: softmax" in ran.out
    assert "run `fourrounds build`" in ran.out


def test_a_broken_source_is_told(layout: Layout) -> None:
    (layout.source / "round1_implement" / "softmax.ipynb").write_text("{")
    finding = found(layout)["source/"]
    assert finding.state is State.MISSING
    assert "softmax.ipynb is no source notebook" in finding.found


@pytest.mark.parametrize(("free", "state"), [(50e9, State.GOOD), (1e9, State.WEAK), (1e6, State.MISSING)])
def test_a_full_disk_is_told(
    solved: Layout, monkeypatch: pytest.MonkeyPatch, free: float, state: State
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(100e9, 100e9 - free, free))
    assert found(solved)["disk"].state is state


def test_a_missing_browser_is_no_lack(solved: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    which = shutil.which
    monkeypatch.setattr(
        shutil, "which", lambda name, **more: which(name, **more) if name == "bwrap" else None
    )
    assert found(solved)["Chromium"].state is State.WEAK


def test_outside_a_course_it_says_where_to_go(
    fourrounds: Callable[..., Ran], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FOURROUNDS_ROOT")
    monkeypatch.chdir(tmp_path)
    ran = fourrounds("doctor")
    assert ran.status == 1
    assert "change into your clone" in " ".join(ran.out.replace("│", " ").split())
