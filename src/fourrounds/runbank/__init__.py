"""Thousands of real training runs, and a lab to spend a budget on them.

``Lab("digits", budget=60)`` is how experiments are run; ``load("digits")`` is the whole table. Importing
this loads no PyTorch: what trains the runs is :mod:`fourrounds.runbank.training`.
"""

from fourrounds.runbank.families import FAMILIES, SEEDS, Factor, Family
from fourrounds.runbank.lab import BudgetError, Lab, NotInBank
from fourrounds.runbank.store import BankError
from fourrounds.runbank.table import Runs, load

__all__ = [
    "FAMILIES",
    "SEEDS",
    "BankError",
    "BudgetError",
    "Factor",
    "Family",
    "Lab",
    "NotInBank",
    "Runs",
    "load",
]
