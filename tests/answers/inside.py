"""An open answer, and short ways to run cells and make calls in it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import pytest

from fourrounds.answers.sandbox import Answer, CallResult, CellRun, Session

needs_bubblewrap = pytest.mark.needs("bubblewrap")


def levels(*names: str) -> list[Any]:
    """Parameters for a fixture over levels, with the marks of those that need a tool."""
    return [pytest.param(name, marks=() if name == "process" else needs_bubblewrap) for name in names]


@dataclass
class Worker:
    """An open answer, with short calls."""

    answer: Answer
    level: str

    def run(self, source: str, seconds: float = 20) -> CellRun:
        return self.answer.run(source, "a cell", time.monotonic() + seconds)

    def tell(self, source: str) -> str:
        """What a cell prints that must run without an error."""
        ran = self.run(source)
        assert ran.error is None, ran.error
        return ran.stdout

    def session(self, seed: int = 0) -> Session:
        return self.answer.session(seed)


def call(session: Session, function: str, *args: Any, seconds: float = 20) -> CallResult:
    """One call."""
    return session.call(function, [(args, {})], time.monotonic() + seconds)[0]


def value(session: Session, function: str, *args: Any) -> Any:
    """What one call returns that must return."""
    result = call(session, function, *args)
    assert result.error is None, result.error
    assert not result.missing
    return result.value
