"""Two keys with their model designs: the interview's own hypothesis, and one on real runs of the bank."""

from __future__ import annotations

import copy
from functools import cache
from types import SimpleNamespace
from typing import Any

from fourrounds.design import (
    Arm,
    Design,
    Estimand,
    EvaluationSet,
    Falsifier,
    Metric,
    Seeds,
    Test,
    Tuning,
    from_plain,
)
from support.truths import truth_of


def interview() -> dict[str, Any]:
    """Instruction tuning improves zero-shot performance more than few-shot examples do, for low-resource
    languages above all: the key of the notebook."""
    return copy.deepcopy(_instruction_tuning().ASKED)


def interview_model() -> Design:
    """The worked solution of the notebook: paired by language, of new languages."""
    return from_plain(_instruction_tuning().my_design())


@cache
def _instruction_tuning() -> SimpleNamespace:
    return truth_of("instruction_tuning")


def lora() -> dict[str, Any]:
    """A higher rank of LoRA transfers better. Each rank comes with a learning rate, of which those of the
    high ranks are good and those of the low ones are not; two others can be tried."""
    rates = {
        "1": [0.003, 0.03, 0.1],
        "2": [0.003, 0.03, 0.1],
        "4": [0.03, 0.003, 0.1],
        "8": [0.03, 0.003, 0.1],
    }

    def ranks(**target: Any) -> dict[str, Any]:
        methods = {str(rank): {"method": "lora", "rank": rank, **target} for rank in (1, 2, 4, 8)}
        return {"family": "transfer", "methods": methods, "rates": rates}

    other, inverted = ranks(), ranks(source="inverted")
    return {
        "question": {"arms": {"8": 1, "1": -1}, "minimum": 0.045},
        "budget": 85,
        "tolerance": 0.2,
        "worlds": [
            {"name": "one rank, after 0-4", "bank": other, "null": "4"},
            {"name": "one rank, after inverted digits", "bank": inverted, "null": "8"},
            {"name": "four ranks, after 0-4", "bank": other},
            {"name": "four ranks, after inverted digits", "bank": inverted},
        ],
    }


def lora_model() -> Design:
    """Both ranks tuned for each run; runs and items are both samples."""
    return Design(
        hypothesis="a higher rank of LoRA transfers better",
        arms=(Arm("rank 1", "1", 3), Arm("rank 8", "8", 3)),
        estimand=Estimand({"rank 8": 1, "rank 1": -1}, minimum=0.045),
        metrics=Metric("accuracy", "accuracy"),
        evaluation=EvaluationSet(14, 20),
        seeds=Seeds(14),
        tuning=Tuning(each_run=True),
        test=Test("crossed"),
        falsifier=Falsifier("interval_below"),
    )
