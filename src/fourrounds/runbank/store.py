"""The files of the run bank: one schema, in pieces of at most 2 MB, with checksums.

A family is kept in ``data/<family>-<number>.npz``; ``data/manifest.json`` lists the pieces with their
SHA-256. The rows of all pieces, one after another, are the family's runs in the order of ``Family.runs``.
Each piece holds these arrays, for its ``n`` rows:

- ``levels`` (n, factors) uint8: each factor's level, as its number in ``Factor.levels``, in the order of
  ``Family.factors``;
- ``seeds`` (n, 3) uint8: the seeds init, split and order;
- ``val``, ``test`` (n, epochs) uint16: the correct validation and test items after each epoch, and 65535
  after the run's last;
- ``correct`` (n, bytes) uint8: the correctness of each test item at the end, as bits (``numpy.packbits``);
- ``examples`` uint32, ``parameters`` uint32, ``flops`` uint64, each (n,): training examples seen,
  parameters trained, floating-point operations of all matrix products in training;
- ``diverged`` (n,) bool: the training loss was not finite, or it rose above twice its first value and
  ended above that of guessing uniformly.
"""

from __future__ import annotations

import hashlib
import io
import json
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from fourrounds.runbank.families import Family

DATA = Path(__file__).parent / "data"
MANIFEST = "manifest.json"
SCHEMA = 1
PIECE_BYTES = 2_000_000
NONE = 65535
COLUMNS = ("levels", "seeds", "val", "test", "correct", "examples", "parameters", "flops", "diverged")


class BankError(Exception):
    """The files of the run bank are missing, damaged, or of another version."""


@dataclass(frozen=True)
class Columns:
    """The arrays of a family; see the head of this module."""

    levels: np.ndarray
    seeds: np.ndarray
    val: np.ndarray
    test: np.ndarray
    correct: np.ndarray
    examples: np.ndarray
    parameters: np.ndarray
    flops: np.ndarray
    diverged: np.ndarray

    def __len__(self) -> int:
        return len(self.levels)

    def rows(self, chosen: np.ndarray | slice) -> Columns:
        return Columns(**{name: getattr(self, name)[chosen] for name in COLUMNS})


def write(family: Family, columns: Columns, source: dict[str, str], folder: Path = DATA) -> list[Path]:
    """Write a family's pieces and its entry in the manifest; returns the pieces.

    ``source`` says what the family was made from (the digests of its data). The same columns give the
    same bytes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    packed = _packed(columns)
    count = -(-len(packed) // PIECE_BYTES)
    while True:
        bounds = np.linspace(0, len(columns), count + 1).astype(int)
        pieces = [_packed(columns.rows(slice(a, b))) for a, b in pairwise(bounds)]
        if all(len(piece) <= PIECE_BYTES for piece in pieces):
            break
        count += 1
    for old in folder.glob(f"{family.name}-*.npz"):
        old.unlink()
    paths = [folder / f"{family.name}-{number}.npz" for number in range(count)]
    for path, piece in zip(paths, pieces, strict=True):
        path.write_bytes(piece)
    manifest: dict[str, Any] = {"schema": SCHEMA, "families": {}}
    if (folder / MANIFEST).exists():
        manifest = _manifest(folder)
    manifest["families"][family.name] = {
        "runs": len(columns),
        "factors": {factor.name: list(factor.levels) for factor in family.factors},
        "source": source,
        "pieces": {path.name: _digest(piece) for path, piece in zip(paths, pieces, strict=True)},
    }
    manifest["families"] = dict(sorted(manifest["families"].items()))
    text = json.dumps(manifest, indent=1, ensure_ascii=False) + "\n"
    (folder / MANIFEST).write_text(text, encoding="utf-8")
    return paths


def read(family: Family, folder: Path = DATA) -> Columns:
    """A family's columns.

    Raises :class:`BankError` if a piece is missing or not as it was written, or if the family's factors
    have changed since.
    """
    entry = _entry(family, folder)
    factors = {factor.name: list(factor.levels) for factor in family.factors}
    if entry["factors"] != factors:
        raise BankError(
            f"the factors of {family.name} have changed since its runs: retrain them (fourrounds bank train)"
        )
    parts = []
    for name, digest in entry["pieces"].items():
        path = folder / name
        if not path.is_file():
            raise BankError(f"{path} is missing: install Four Rounds again, or check the file out of git")
        piece = path.read_bytes()
        if _digest(piece) != digest:
            raise BankError(f"{path} is damaged: install Four Rounds again, or check the file out of git")
        with np.load(io.BytesIO(piece), allow_pickle=False) as arrays:
            parts.append({column: arrays[column] for column in COLUMNS})
    return Columns(**{column: np.concatenate([part[column] for part in parts]) for column in COLUMNS})


def source_of(family: Family, folder: Path = DATA) -> dict[str, str]:
    """What a family was made from, as :func:`write` was told."""
    return dict(_entry(family, folder)["source"])


def _entry(family: Family, folder: Path) -> dict[str, Any]:
    entry = _manifest(folder)["families"].get(family.name)
    if entry is None:
        raise BankError(f"the run bank has no runs of {family.name} in {folder}")
    return dict(entry)


def _manifest(folder: Path) -> dict[str, Any]:
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BankError(f"no run bank in {folder}: {error}") from None
    if manifest.get("schema") != SCHEMA:
        raise BankError(
            f"the run bank in {folder} has schema {manifest.get('schema')}; this version reads {SCHEMA}"
        )
    return dict(manifest)


def _packed(columns: Columns) -> bytes:
    file = io.BytesIO()
    np.savez_compressed(file, **{name: getattr(columns, name) for name in COLUMNS})
    return file.getvalue()


def _digest(piece: bytes) -> str:
    return hashlib.sha256(piece).hexdigest()
