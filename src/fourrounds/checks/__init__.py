"""What a test cell says: draw inputs, call the answer, compare, judge.

Used alike by the provided tests in a learner's notebook and by the hidden tests in the examiner. Never
imports torch, nor anything else of the project.
"""

from fourrounds.checks.calls import Cost, below, call, calls, cost, raises, unchanged
from fourrounds.checks.compare import RTOL, array, compare, describe, equal, holds, stack, unsaturated
from fourrounds.checks.draw import Shapes, rng, seeded
from fourrounds.checks.outcome import CheckFailed, Kind, Outcome

__all__ = [
    "RTOL",
    "CheckFailed",
    "Cost",
    "Kind",
    "Outcome",
    "Shapes",
    "array",
    "below",
    "call",
    "calls",
    "compare",
    "cost",
    "describe",
    "equal",
    "holds",
    "raises",
    "rng",
    "seeded",
    "stack",
    "unchanged",
    "unsaturated",
]
