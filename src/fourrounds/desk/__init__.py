"""The learner's side.

In a notebook: ``from fourrounds import desk``, then ``desk.problems()``, ``desk.start("attention")`` and
``desk.grade("attention")``, and ``desk.review("low_rank")`` for what a person grades. A learner's copy holds
``desk.clock("attention")`` at its top and ``desk.submit("attention")`` at its end. ``desk.next()`` says what
to do today, ``desk.progress()`` how far you are, and ``desk.plan()`` writes a schedule towards the goals.
``desk.mock()`` is the mock interview.

What serves a notebook is imported when it is first asked for, so that the command line starts without it.
"""

from typing import TYPE_CHECKING, Any

from fourrounds.desk.errors import DeskError

if TYPE_CHECKING:
    from fourrounds.desk.notebook import (
        clock,
        failing_input,
        grade,
        hand_in_mock,
        mock,
        mock_clock,
        next,
        plan,
        problems,
        progress,
        review,
        start,
        submit,
    )

__all__ = [
    "DeskError",
    "clock",
    "failing_input",
    "grade",
    "hand_in_mock",
    "mock",
    "mock_clock",
    "next",
    "plan",
    "problems",
    "progress",
    "review",
    "start",
    "submit",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from fourrounds.desk import notebook

    return getattr(notebook, name)
