"""When JupyterLab cannot be served, ``fourrounds study`` says why. (The browser tests see it served.)"""

import json
import socket
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fourrounds.desk.study import PORTS, START_PAGE, as_it_came, study


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / START_PAGE).parent.mkdir()
    (tmp_path / START_PAGE).touch()
    return tmp_path


def test_a_taken_port_is_named(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        assert study(root, port=port, browser=False) == 1
    assert f"Port {port} is not free" in capsys.readouterr().err


def test_no_port_is_free(
    root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fourrounds.desk.study._is_free", lambda port: False)
    assert study(root, browser=False) == 1
    assert f"from {PORTS[0]} to {PORTS[-1]}" in capsys.readouterr().err


@pytest.mark.parametrize("port", [0, 65536])
def test_a_number_that_is_no_port(root: Path, capsys: pytest.CaptureFixture[str], port: int) -> None:
    assert study(root, port=port, browser=False) == 1
    assert "is no port" in capsys.readouterr().err


def test_a_folder_without_the_start_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert study(tmp_path, browser=False) == 1
    assert START_PAGE in capsys.readouterr().err


def test_a_page_of_the_course_is_saved_as_it_came(tmp_path: Path) -> None:
    page = tmp_path / "notebooks" / "page.ipynb"
    page.parent.mkdir()
    kept = {"kernelspec": {"name": "python3"}}
    page.write_text(json.dumps({"cells": [], "metadata": kept}))

    def saved(path: str) -> dict[str, Any]:
        ran = {"cell_type": "code", "source": "1 + 1", "outputs": [{"text": "2"}], "execution_count": 3}
        metadata = {**kept, "language_info": {"version": "3.12"}}
        model = {"type": "notebook", "content": {"cells": [ran], "metadata": metadata}}
        as_it_came(model, path, SimpleNamespace(root_dir=str(tmp_path)))
        return model["content"]

    content = saved("notebooks/page.ipynb")
    assert content["cells"] == [
        {"cell_type": "code", "source": "1 + 1", "outputs": [], "execution_count": None}
    ]
    assert content["metadata"] == kept
    solution = tmp_path / "solutions" / "round1_implement" / "page.ipynb"
    solution.parent.mkdir(parents=True)
    solution.write_text(json.dumps({"cells": [], "metadata": {"fourrounds": {"digest": "d"}}}))
    content = saved("solutions/round1_implement/page.ipynb")
    assert content["metadata"] == {"fourrounds": {"digest": "d"}}
    assert content["cells"][0]["outputs"] == [{"text": "2"}]
    assert saved("/notebooks/new.ipynb")["cells"][0]["outputs"] == []  # not there yet: nothing to keep
    assert saved("submitted/ada/page.ipynb")["cells"][0]["outputs"] == [{"text": "2"}]
    as_it_came({"type": "file", "content": "text"}, "notebooks/notes.txt", SimpleNamespace(root_dir=""))
