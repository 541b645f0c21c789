"""Two keys with their model designs: the interview's own hypothesis, and one on real runs of the bank."""

from __future__ import annotations

from typing import Any

from fourrounds.design import Arm, Design, Estimand, EvaluationSet, Falsifier, Metric, Seeds, Test, Tuning

PRICES = {"price_run": 2.0, "price_item": 0.001, "price_group": 1.0}
GAINS = {
    "zero shot": {"low": 0.2, "high": 0.5},
    "few shots": {"low": 0.3, "high": 0.6},
    "tuned": {"low": 0.4, "high": 0.7},
}
LANGUAGES = {"noise": 0.5, "group": 0.1, "group_effect": 0.15, "run": 0.01, **PRICES}


def interview() -> dict[str, Any]:
    """Instruction tuning improves zero-shot performance more than few-shot examples do, for low-resource
    languages above all: a difference of differences, over languages whose gains differ."""
    more = {**GAINS, "tuned": {"low": 0.52, "high": 0.7}}
    return {
        "question": {
            "arms": {"tuned": 1, "few shots": -1},
            "strata": {"low": 1, "high": -1},
            "minimum": 0.12,
        },
        "budget": 170,
        "worlds": [
            {
                "world": {"name": "as much everywhere", "means": GAINS, **LANGUAGES},
                "about": "tuning gains more than examples in all languages alike; gains differ by language",
            },
            {
                "world": {
                    "name": "copies in the tuning data",
                    "means": GAINS,
                    **LANGUAGES,
                    "duplicates": {"tuned": 0.4},
                },
                "about": "the instructions hold copies of test items",
            },
            {"world": {"name": "more in low-resource languages", "means": more, **LANGUAGES}},
        ],
    }


def interview_model() -> Design:
    """Paired by language, of new languages."""
    return Design(
        hypothesis="instruction tuning gains more than few-shot examples in low-resource languages",
        arms=(Arm("zero shot"), Arm("few shots"), Arm("tuned")),
        estimand=Estimand({"tuned": 1, "few shots": -1}, {"low": 1, "high": -1}, 0.12),
        evaluation=EvaluationSet({"low": 48, "high": 48}, 10, "groups"),
        seeds=Seeds(4),
        test=Test("groups", paired=True),
        falsifier=Falsifier("interval_below"),
    )


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
