"""The files of the bank: what is written is read, and what is damaged is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fourrounds.runbank import store
from fourrounds.runbank.families import FAMILIES
from fourrounds.runbank.store import BankError, Columns, read, source_of, write

RECALL = FAMILIES["recall"]


def columns(rows: int = 50) -> Columns:
    rng = np.random.default_rng(3)
    factors = [len(factor.levels) for factor in RECALL.factors]
    return Columns(
        levels=np.stack([rng.integers(n, size=rows) for n in factors], 1).astype(np.uint8),
        seeds=rng.integers(112, size=(rows, 3), dtype=np.uint8),
        val=rng.integers(257, size=(rows, 10), dtype=np.uint16),
        test=rng.integers(513, size=(rows, 10), dtype=np.uint16),
        correct=rng.integers(256, size=(rows, 64), dtype=np.uint8),
        examples=rng.integers(2**32, size=rows, dtype=np.uint32),
        parameters=rng.integers(2**32, size=rows, dtype=np.uint32),
        flops=rng.integers(2**60, size=rows, dtype=np.uint64),
        diverged=rng.random(rows) < 0.5,
    )


def test_what_is_written_is_read(tmp_path: Path) -> None:
    made = columns()
    write(RECALL, made, {"corpus": "abc"}, tmp_path)
    found = read(RECALL, tmp_path)
    for name in store.COLUMNS:
        one, other = getattr(found, name), getattr(made, name)
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)
    assert source_of(RECALL, tmp_path) == {"corpus": "abc"}


def test_a_large_family_is_cut_into_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "PIECE_BYTES", 9000)
    made = columns(300)
    paths = write(RECALL, made, {}, tmp_path)
    assert len(paths) > 2
    assert all(path.stat().st_size <= 9000 for path in paths)
    np.testing.assert_array_equal(read(RECALL, tmp_path).flops, made.flops)


def test_a_family_that_shrinks_leaves_no_old_piece(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "PIECE_BYTES", 9000)
    write(RECALL, columns(300), {}, tmp_path)
    (path,) = write(RECALL, columns(20), {}, tmp_path)
    assert sorted(tmp_path.iterdir()) == sorted([path, tmp_path / store.MANIFEST])


def test_the_same_runs_make_the_same_bytes(tmp_path: Path) -> None:
    (one,) = write(RECALL, columns(), {}, tmp_path / "one")
    (other,) = write(RECALL, columns(), {}, tmp_path / "other")
    assert one.read_bytes() == other.read_bytes()


def test_families_share_a_manifest(tmp_path: Path) -> None:
    write(RECALL, columns(), {}, tmp_path)
    write(replace(RECALL, name="another"), columns(), {}, tmp_path)
    manifest = json.loads((tmp_path / store.MANIFEST).read_text())
    assert list(manifest["families"]) == ["another", "recall"]


def test_a_damaged_piece_is_refused(tmp_path: Path) -> None:
    (path,) = write(RECALL, columns(), {}, tmp_path)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(BankError, match=r"recall-0\.npz is damaged: .* out of git"):
        read(RECALL, tmp_path)


def test_a_missing_piece_is_named(tmp_path: Path) -> None:
    (path,) = write(RECALL, columns(), {}, tmp_path)
    path.unlink()
    with pytest.raises(BankError, match=r"recall-0\.npz is missing"):
        read(RECALL, tmp_path)


def test_runs_of_other_factors_are_refused(tmp_path: Path) -> None:
    write(RECALL, columns(), {}, tmp_path)
    first, *others = RECALL.factors
    changed = replace(RECALL, factors=(replace(first, levels=(*first.levels, "new")), *others))
    with pytest.raises(BankError, match="factors of recall have changed"):
        read(changed, tmp_path)


def test_a_family_without_runs_and_another_schema_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BankError, match="no run bank"):
        read(RECALL, tmp_path)
    write(replace(RECALL, name="another"), columns(), {}, tmp_path)
    with pytest.raises(BankError, match="no runs of recall"):
        read(RECALL, tmp_path)
    manifest = tmp_path / store.MANIFEST
    manifest.write_text(manifest.read_text().replace('"schema": 1', '"schema": 99'))
    with pytest.raises(BankError, match="schema 99"):
        read(RECALL, tmp_path)
