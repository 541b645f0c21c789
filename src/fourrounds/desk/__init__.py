"""The learner's side.

In a notebook: ``from fourrounds import desk``, then ``desk.problems()``, ``desk.start("attention")`` and
``desk.grade("attention")``, and ``desk.review("low_rank")`` for what a person grades. A learner's copy holds
``desk.clock("attention")`` at its top and ``desk.submit("attention")`` at its end.
"""

from fourrounds.desk.errors import DeskError
from fourrounds.desk.notebook import clock, failing_input, grade, problems, review, start, submit

__all__ = ["DeskError", "clock", "failing_input", "grade", "problems", "review", "start", "submit"]
