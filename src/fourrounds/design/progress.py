"""A line on stderr that says how far a long simulation is."""

from __future__ import annotations

import sys
import time
from types import TracebackType

PATIENCE = 2.0
"""Seconds that may be left before there is anything to show."""


class Progress:
    """Told the number of simulations done, it shows them once more than ``PATIENCE`` seconds are left."""

    def __init__(self, name: str, total: int, wanted: bool) -> None:
        self.name, self.total, self.wanted = name, total, wanted
        self.begun, self.shown = time.perf_counter(), False

    def __enter__(self) -> Progress:
        return self

    def __call__(self, done: int) -> None:
        spent = time.perf_counter() - self.begun
        left = spent * (self.total - done) / done
        if self.wanted and (self.shown or left > PATIENCE):
            self.shown = True
            sys.stderr.write(f"\r{self.name}: {done} of {self.total} simulations, {left:.0f} s left ")
            sys.stderr.flush()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.shown:
            sys.stderr.write("\n")
