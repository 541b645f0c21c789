"""The words in which a critique of a paper is filed as plain data, and how one is scored against a key.

An answer imports this in the sandbox: it holds no key, and imports NumPy and the lab of the run bank.
"""

from fourrounds.critique.answer import arm, check, claim, critique, decision, finding, place, show
from fourrounds.critique.key import Key, KeyFault, load_key, model_answer
from fourrounds.critique.lab import PaperLab
from fourrounds.critique.paper import Paper
from fourrounds.critique.places import CritiqueError
from fourrounds.critique.report import report
from fourrounds.critique.score import WEIGHTS, Score, Weights, score
from fourrounds.critique.trial import LabScore, Trial, Twin, try_plan
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
    "LabScore",
    "Paper",
    "PaperLab",
    "Ran",
    "Score",
    "Severity",
    "Trial",
    "Twin",
    "Verdict",
    "Weights",
    "arm",
    "check",
    "claim",
    "critique",
    "decision",
    "finding",
    "glossary",
    "load_key",
    "model_answer",
    "place",
    "report",
    "score",
    "show",
    "try_plan",
]
