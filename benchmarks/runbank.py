"""How fast the run bank is read, and what it takes.

    python benchmarks/runbank.py

Loads each family in an interpreter of its own (time without the interpreter's start and NumPy's import, and
the memory that it adds), then counts what a lab reads in a second.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from fourrounds.runbank import FAMILIES, Lab, load
from fourrounds.runbank.store import DATA

LOAD = """
import time, numpy, io, hashlib, json, psutil
before = psutil.Process().memory_info().rss
begun = time.perf_counter()
from fourrounds.runbank import load
tables = [load(name) for name in {names!r}]
seconds = time.perf_counter() - begun
print(seconds, (psutil.Process().memory_info().rss - before) / 2**20, sum(map(len, tables)))
"""
RUNS = 5


def fresh(names: list[str]) -> tuple[float, float, int]:
    """Least time (s) and memory (MB) of several interpreters that load these families, and their rows."""
    found = []
    for _ in range(RUNS):
        command = [sys.executable, "-c", LOAD.format(names=names)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        seconds, megabytes, rows = done.stdout.split()
        found.append((float(seconds), float(megabytes), int(rows)))
    return min(f[0] for f in found), min(f[1] for f in found), found[0][2]


def per_second(work: object, seconds: float = 1.0) -> float:
    """How often a function can be called in a second."""
    assert callable(work)
    begun, count = time.perf_counter(), 0
    while time.perf_counter() - begun < seconds:
        work()
        count += 1
    return count / (time.perf_counter() - begun)


def main() -> None:
    print(f"{'family':<14}{'runs':>8}{'files, MB':>12}{'load, s':>10}{'memory, MB':>13}")
    for name in [*FAMILIES, "all"]:
        names = list(FAMILIES) if name == "all" else [name]
        size = sum(path.stat().st_size for n in names for path in Path(DATA).glob(f"{n}-*.npz")) / 1e6
        seconds, megabytes, rows = fresh(names)
        print(f"{name:<14}{rows:>8,}{size:>12.2f}{seconds:>10.3f}{megabytes:>13.1f}")
    runs = load("digits")
    config = runs.family.reference

    def buy() -> None:
        Lab("digits", budget=1000).run({"lr": [0.01, 0.03, 0.1]}, seeds=30)

    print(f"\nselecting a configuration of digits: {per_second(lambda: runs.where(**config)):,.0f} a second")
    print(f"lab.run of 90 runs: {90 * per_second(buy):,.0f} runs a second")
    print(f"per-item correctness: {len(runs) * per_second(lambda: runs.correct):,.0f} runs a second")


if __name__ == "__main__":
    main()
