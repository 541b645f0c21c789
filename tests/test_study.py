"""When JupyterLab cannot be served, ``fourrounds study`` says why. (The browser tests see it served.)"""

import socket
from pathlib import Path

import pytest

from fourrounds.desk.study import PORTS, START_PAGE, study


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
