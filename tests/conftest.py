"""A test that needs a tool which is no Python package says so with a marker; a run ends with what it skipped.

``@pytest.mark.needs("chromium")`` skips a test on a machine without Chromium. The end of the run names the
line that installs what was missing. With ``FOURROUNDS_FORBID_SKIPS=1``, as in CI, a skip makes the run fail.
"""

import os
import shutil
import subprocess
import sys
from collections import Counter
from functools import cache

import pytest

CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MAC_CHROME = "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"


@cache
def find_chromium() -> str | None:
    """The path of a Chromium or Chrome of this machine."""
    return next(filter(None, map(shutil.which, (*CHROMIUM_NAMES, MAC_CHROME))), None)


@cache
def bubblewrap_works() -> bool:
    """Whether bubblewrap is there, and this machine lets it make namespaces."""
    if not shutil.which("bwrap"):
        return False
    command = ["bwrap", "--unshare-all", "--ro-bind", "/", "/", "true"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def _chromium_remedy() -> str:
    if sys.platform == "linux":
        return "browser tests need Chromium: apt-get install chromium"
    return "browser tests need Chromium: install Google Chrome, or put chromium on the PATH"


def _bubblewrap_remedy() -> str:
    if sys.platform != "linux":
        return "sandbox namespaces exist on Linux only: nothing to install here, the weaker level was tested"
    if not shutil.which("bwrap"):
        return "sandbox namespaces: apt-get install bubblewrap"
    return (
        "sandbox namespaces: bubblewrap is there, but this machine refuses it user namespaces: sysctl -w "
        "kernel.apparmor_restrict_unprivileged_userns=0 (Ubuntu), kernel.unprivileged_userns_clone=1 (Debian)"
    )


NEEDS = {
    "chromium": (lambda: find_chromium() is not None, _chromium_remedy),
    "bubblewrap": (bubblewrap_works, _bubblewrap_remedy),
}


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of Chromium, for tests that are marked ``needs("chromium")``."""
    path = find_chromium()
    assert path is not None
    return path


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "needs(name): the test needs chromium or bubblewrap")


def pytest_runtest_setup(item: pytest.Item) -> None:
    for mark in item.iter_markers("needs"):
        (name,) = mark.args
        is_there, remedy = NEEDS[name]
        if not is_there():
            pytest.skip(remedy())


def _skip_reasons(reporter: pytest.TerminalReporter) -> Counter[str]:
    reports = reporter.stats.get("skipped", [])
    # The long form of a skip is (file, line, reason).
    return Counter(report.longrepr[2].removeprefix("Skipped: ") for report in reports)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    forbidden = os.environ.get("FOURROUNDS_FORBID_SKIPS") == "1"
    if forbidden and reporter and _skip_reasons(reporter) and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reasons = _skip_reasons(terminalreporter)
    if not reasons:
        return
    terminalreporter.section("what this machine could not test")
    for reason, count in sorted(reasons.items()):
        terminalreporter.line(f"skipped ({count}): {reason}")
    if os.environ.get("FOURROUNDS_FORBID_SKIPS") == "1":
        terminalreporter.line("FOURROUNDS_FORBID_SKIPS=1: the run fails, since tests were skipped", red=True)
