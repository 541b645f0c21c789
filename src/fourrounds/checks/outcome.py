"""What a check found: a typed outcome, and the exception that carries it out of a test cell."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """Every way in which a test cell can end. ``PARTIAL`` has a share of the points; only ``EXAMINER_FAULT``
    is not scored."""

    OK = "ok"
    PARTIAL = "partial"
    NOT_ATTEMPTED = "not attempted"
    CRASHED = "crashed"
    WRONG_TYPE = "wrong type"
    WRONG_SHAPE = "wrong shape"
    WRONG_DTYPE = "wrong dtype"
    WRONG_VALUE = "wrong value"
    FORBIDDEN_IMPORT = "forbidden import"
    TIMEOUT = "timeout"
    MEMORY = "memory"
    OUTPUT = "output"
    FORMAT = "format"
    MANUAL = "manual"
    EXAMINER_FAULT = "examiner fault"


@dataclass(frozen=True)
class Outcome:
    """The result of one comparison.

    ``message`` is for the learner and never holds an expected value. ``index`` is the first bad index and
    ``error`` the largest absolute difference, where the outcome is a wrong value.
    """

    kind: Kind
    message: str = ""
    index: tuple[int, ...] | None = None
    error: float | None = None

    @property
    def ok(self) -> bool:
        return self.kind is Kind.OK


class CheckFailed(AssertionError):
    """A check did not hold. ``outcome`` says how; the text of the exception is its message."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.message)
        self.outcome = outcome

    def _render_traceback_(self) -> list[str]:
        """IPython shows this instead of a stack: the reader needs the message, not our frames."""
        return [f"{self.outcome.kind}: {self.outcome.message}"]
