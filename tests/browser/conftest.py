"""A course of its own, JupyterLab serving it as ``make study`` does, and a page in Chromium."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright
from served import Course, Lab, Server

REPOSITORY = Path(__file__).parents[2]
TIMEOUT_MS = 60_000
# Neither a GPU nor Chromium's own sandbox is there in a container, and Chromium is not to call anyone.
CHROMIUM_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Course:
    root = tmp_path_factory.mktemp("course")
    for folder in ("source", "release", "solutions", "notebooks"):
        shutil.copytree(
            REPOSITORY / folder, root / folder, ignore=shutil.ignore_patterns(".ipynb_checkpoints")
        )
    shutil.copy(REPOSITORY / "nbgrader_config.py", root)
    home = tmp_path_factory.mktemp("home")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("JUPYTER")}
    environment |= {
        "FOURROUNDS_ROOT": str(root),
        "FOURROUNDS_HOME": str(root / ".fourrounds"),
        "FOURROUNDS_USER": Course.learner,
        "HOME": str(home),
        "NO_BROWSER": "1",
    }
    return Course(root, environment)


@pytest.fixture(scope="module")
def server(course: Course) -> Iterator[Server]:
    """Not started yet; killed in the end, if it still runs."""
    server = Server(course)
    yield server
    server.kill()


@pytest.fixture(scope="module")
def lab(server: Server) -> Iterator[Lab]:
    yield server.start()
    server.stop()


@pytest.fixture(scope="module")
def chrome(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def context(chrome: Browser) -> Iterator[BrowserContext]:
    context = chrome.new_context(viewport={"width": 1280, "height": 900})
    context.set_default_timeout(TIMEOUT_MS)
    expect.set_options(timeout=TIMEOUT_MS)
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext) -> Page:
    return context.new_page()


@pytest.fixture(scope="session")
def shots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where screenshots go: the folder that FOURROUNDS_SHOTS names, to be looked at, else a temporary one."""
    folder = Path(os.environ.get("FOURROUNDS_SHOTS") or tmp_path_factory.mktemp("shots"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder
