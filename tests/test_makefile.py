"""What ``make`` says on a machine where the environment cannot be made."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no make: nothing to install")


def python(folder: Path, *lines: str) -> Path:
    """A program that stands for a Python of this machine."""
    path = folder / "python"
    path.write_text("\n".join(["#!/bin/sh", *lines]) + "\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def make_env(folder: Path, python: str | Path) -> subprocess.CompletedProcess[str]:
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(REPOSITORY / name, folder)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    return subprocess.run(
        ["make", "env", f"PYTHON={python}"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_an_old_python_is_named_with_the_remedy(tmp_path: Path) -> None:
    old = python(tmp_path, f'exec {sys.executable} -c "import sys; sys.version_info = (3, 10, 13); $2"')
    done = make_env(tmp_path, old)
    assert done.returncode != 0
    assert "needs Python 3.11 or newer" in done.stderr
    assert "is Python 3.10.13" in done.stderr
    assert "make env PYTHON=python3.12" in done.stderr


def test_no_python_of_that_name(tmp_path: Path) -> None:
    done = make_env(tmp_path, "python3.99")
    assert done.returncode != 0
    assert "There is no python3.99 here" in done.stderr


def test_a_python_without_venv(tmp_path: Path) -> None:
    bare = python(tmp_path, 'if [ "$1" = -m ]; then exit 1; fi', f'exec {sys.executable} "$@"')
    done = make_env(tmp_path, bare)
    assert done.returncode != 0
    assert "apt install python3-venv" in done.stderr
    assert not (tmp_path / ".venv").exists()
