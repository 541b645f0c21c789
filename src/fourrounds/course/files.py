"""Replace files so that a crash at any moment leaves the old one or the new one, and never half of one."""

from __future__ import annotations

import os
from pathlib import Path

PART = ".part"
"""Ends the name of a file that is being written."""


def same(path: Path, data: bytes) -> bool:
    """Whether ``path`` holds ``data``; line ends do not count, since git may turn them on a checkout."""
    if not path.is_file():
        return False
    return path.read_bytes().replace(b"\r\n", b"\n") == data.replace(b"\r\n", b"\n")


def put(path: Path, data: bytes) -> bool:
    """Write ``data`` to ``path`` unless it is there already; whether anything was written."""
    if same(path, data):
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}{PART}")
    part.write_bytes(data)
    os.replace(part, path)
    return True


def visible_files(folder: Path) -> set[Path]:
    """The files below ``folder``, hidden ones aside, relative to it."""
    if not folder.is_dir():
        return set()
    found = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return {path for path in found if not any(part.startswith(".") for part in path.parts)}
