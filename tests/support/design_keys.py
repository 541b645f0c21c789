"""Two keys of notebooks with their model designs: the interview's own hypothesis, and one on real runs."""

from __future__ import annotations

import copy
from functools import cache
from types import SimpleNamespace
from typing import Any

from fourrounds.design import Design, from_plain
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
    """A higher rank of LoRA transfers better: the key of the notebook, on real runs. Each rank comes with a
    learning rate, of which those of the high ranks are good and those of the low ones are not."""
    return copy.deepcopy(_adapter_rank().ASKED)


def lora_model() -> Design:
    """The worked solution of the notebook: both ranks tuned for each run, over runs and images."""
    return from_plain(_adapter_rank().my_design())


@cache
def _adapter_rank() -> SimpleNamespace:
    return truth_of("adapter_rank")
