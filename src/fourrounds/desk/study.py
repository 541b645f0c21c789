"""Start JupyterLab at the start page: what ``make study`` and ``fourrounds study`` run."""

from __future__ import annotations

import json
import os
import secrets
import socket
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

from fourrounds.examiner.layout import Layout

PAGES, SOLUTIONS = "notebooks", "solutions"
START_PAGE = f"{PAGES}/00_start_here.ipynb"
ADDRESS = "127.0.0.1"
PORTS = range(8888, 8988)


def study(root: Path, *, port: int | None = None, browser: bool = True) -> int:
    """Serve JupyterLab over ``root`` until Ctrl-C; return the exit status.

    Without ``port`` the first free one from 8888 upwards serves; one that is given and not free is refused.
    ``browser=False`` opens no browser: the URL is printed in any case.
    """
    if not (root / START_PAGE).is_file():
        return _refuse(f"{root} has no {START_PAGE}: is it a clone of Four Rounds?")
    try:
        from jupyterlab.labapp import LabApp
    except ImportError:
        return _refuse("JupyterLab is not installed in this environment: make env installs it.")
    if port is None:
        port = next((candidate for candidate in PORTS if _is_free(candidate)), None)
        if port is None:
            return _refuse(
                f"No port from {PORTS[0]} to {PORTS[-1]} is free. Name another one: make study PORT=9000"
            )
    elif not 1 <= port <= 65535:
        return _refuse(f"{port} is no port: it must lie between 1 and 65535.")
    elif not _is_free(port):
        return _refuse(
            f"Port {port} is not free. Name another one (make study PORT={port % 65535 + 1}), "
            "or leave PORT out and a free one is found."
        )

    with tempfile.TemporaryDirectory(prefix="fourrounds-study-") as configuration:
        _prepare(root, Path(configuration))
        token = secrets.token_hex(24)
        server = LabApp.initialize_server(argv=_arguments(root, port, token, browser and _has_display()))
        server.contents_manager.register_pre_save_hook(as_it_came)
        url = f"http://{ADDRESS}:{port}/lab/tree/{START_PAGE}?token={token}"
        # The first thing that the running loop does, so the address is printed once it answers.
        server.io_loop.add_callback(_announce, url)
        server.start()
    print("JupyterLab has stopped.")
    return 0


def as_it_came(model: dict[str, Any], path: str, contents_manager: Any, **_more: Any) -> None:
    """Keep the kernel's particulars out of the course's own notebooks, and outputs out of its pages.

    They are files of the repository, and opening or running them is no change of it: an update then meets
    none, and no solution counts as edited by hand. What a reader writes into a cell is saved as everywhere
    else. A hook of Jupyter's contents manager, called before it saves.
    """
    folder = path.strip("/").partition("/")[0]
    if model.get("type") != "notebook" or folder not in {PAGES, SOLUTIONS}:
        return
    content = model["content"]
    for cell in content["cells"]:
        if cell["cell_type"] == "code" and folder == PAGES:
            cell["outputs"], cell["execution_count"] = [], None
    with suppress(OSError, ValueError, KeyError):
        kept = json.loads(Path(contents_manager.root_dir, path.strip("/")).read_bytes())
        content["metadata"] = kept["metadata"]


def _prepare(root: Path, configuration: Path) -> None:
    """Give this process the folder and the environment that JupyterLab and what it starts are to have."""
    # nbgrader reads nbgrader_config.py from the working folder.
    os.chdir(root)
    # A terminal in JupyterLab finds the commands of this environment.
    _put_first("PATH", Path(sys.executable).parent)
    # Without this a new user is first of all asked whether news are wanted.
    page = {"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": True}}
    (configuration / "labconfig").mkdir()
    (configuration / "labconfig" / "page_config.json").write_text(json.dumps(page), encoding="utf-8")
    _put_first("JUPYTER_CONFIG_PATH", configuration)


def _put_first(variable: str, folder: Path) -> None:
    given = os.environ.get(variable)
    os.environ[variable] = os.pathsep.join([str(folder), *([given] if given else [])])


def _arguments(root: Path, port: int, token: str, browser: bool) -> list[str]:
    """JupyterLab's options: as arguments they outrank the configuration files of machine and user."""
    settings = {
        "ServerApp.root_dir": root,
        "ServerApp.ip": ADDRESS,
        "ServerApp.port": port,
        "ServerApp.port_retries": 0,
        "ServerApp.base_url": "/",
        "ServerApp.certfile": "",
        "ServerApp.keyfile": "",
        "ServerApp.open_browser": browser,
        "ServerApp.allow_root": True,
        # Ctrl-C stops at once; without this it asks.
        "ServerApp.answer_yes": True,
        "IdentityProvider.token": token,
        "LabApp.default_url": f"/lab/tree/{START_PAGE}",
        # The desk's panels save the notebook that they stand in, and open files (desk/page/panel.js).
        "LabApp.expose_app_in_browser": True,
        # The layout of open tabs belongs to this course, not to the JupyterLab of the whole machine.
        "LabApp.workspaces_dir": Layout(root).state / "workspaces",
        # Nothing is fetched from elsewhere: no news, no look for updates, no list of extensions.
        "LabApp.news_url": None,
        "LabApp.check_for_updates_class": "jupyterlab.handlers.announcements.NeverCheckForUpdate",
        "LabApp.extension_manager": "readonly",
        # Looking for language servers takes seconds, npm among other things.
        "LanguageServerManager.autodetect": False,
        # A kernel that can encrypt what it says on the loopback device does so; without that it warns.
        "KernelManager.transport_encryption": "auto",
        "Application.log_level": "ERROR",
    }
    return [f"--{name}={value}" for name, value in settings.items()]


def _announce(url: str) -> None:
    print(f"Four Rounds is at {url}")
    print("Ctrl-C stops it.", flush=True)


def _refuse(message: str) -> int:
    print(message, file=sys.stderr)
    return 1


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        # As the server does: a port that a closed connection still holds counts as free.
        if os.name == "posix":
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((ADDRESS, port))
        except OSError:
            return False
    return True


def _has_display() -> bool:
    """Whether a browser has a screen to open on; without one, a text browser would take the terminal over."""
    return sys.platform != "linux" or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
