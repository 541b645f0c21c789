"""Declare an experiment as an object, run it thousands of times in worlds whose truth is known, diagnose it.

    >>> from fourrounds.design import Design, diagnose, worlds
    >>> print(diagnose(Design(), [worlds.null(), worlds.true_effect(0.1)]))

A :class:`Design` is made of parts (:mod:`~fourrounds.design.parts`); a :class:`World` is what is true of
nature (:mod:`~fourrounds.design.worlds`), and a bank world (:mod:`~fourrounds.design.bank`) resamples real
runs. NumPy alone is imported, since answers use this in their sandbox. What scores a design against a key
(:mod:`~fourrounds.design.score`) is imported by who needs it.
"""

from fourrounds.design import power, worlds
from fourrounds.design.analysis import clustered_se
from fourrounds.design.diagnose import Diagnosis, Row, Value, diagnose
from fourrounds.design.parts import (
    Arm,
    Decision,
    Design,
    DesignError,
    Estimand,
    EvaluationSet,
    Falsifier,
    Metric,
    Seeds,
    Stopping,
    Test,
    Tuning,
    from_plain,
    plain,
    vary,
)
from fourrounds.design.redesign import Redesign, redesign
from fourrounds.design.run import AnalysisError, Runs, run
from fourrounds.design.simulate import Data, draw
from fourrounds.design.worlds import Confounder, World

__all__ = [
    "AnalysisError",
    "Arm",
    "Confounder",
    "Data",
    "Decision",
    "Design",
    "DesignError",
    "Diagnosis",
    "Estimand",
    "EvaluationSet",
    "Falsifier",
    "Metric",
    "Redesign",
    "Row",
    "Runs",
    "Seeds",
    "Stopping",
    "Test",
    "Tuning",
    "Value",
    "World",
    "clustered_se",
    "diagnose",
    "draw",
    "from_plain",
    "plain",
    "power",
    "redesign",
    "run",
    "vary",
    "worlds",
]
