"""The words in which a critique of a paper is filed as plain data, and how one is scored against a key.

An answer imports this in the sandbox: NumPy at most, and no key.
"""

from fourrounds.critique.answer import arm, check, claim, critique, finding, place, show
from fourrounds.critique.key import Key, KeyFault, load_key, model_answer
from fourrounds.critique.paper import Paper
from fourrounds.critique.places import CritiqueError
from fourrounds.critique.report import report
from fourrounds.critique.score import WEIGHTS, Score, Weights, score
from fourrounds.critique.vocabulary import (
    Ablation,
    Baseline,
    Contamination,
    Flaw,
    Ran,
    Severity,
    Verdict,
    glossary,
)

__all__ = [
    "WEIGHTS",
    "Ablation",
    "Baseline",
    "Contamination",
    "CritiqueError",
    "Flaw",
    "Key",
    "KeyFault",
    "Paper",
    "Ran",
    "Score",
    "Severity",
    "Verdict",
    "Weights",
    "arm",
    "check",
    "claim",
    "critique",
    "finding",
    "glossary",
    "load_key",
    "model_answer",
    "place",
    "report",
    "score",
    "show",
]
