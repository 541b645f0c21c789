"""The learner's side.

In a notebook: ``from fourrounds import desk``, then ``desk.problems()``, ``desk.start("attention")`` and
``desk.grade("attention")``, and ``desk.review("low_rank")`` for what a person grades.
"""

from fourrounds.desk.notebook import failing_input, grade, problems, review, start
from fourrounds.desk.work import DeskError

__all__ = ["DeskError", "failing_input", "grade", "problems", "review", "start"]
