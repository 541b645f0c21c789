"""What the tests of the desk share: answers to the problem ``softmax``, and how a command ended."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ASSIGNMENT = "round1_implement"
SLUG = "softmax"
LEARNER = "ada"
FOUR = {
    SLUG: ASSIGNMENT,
    "second": "round2_critique",
    "third": "round3_design",
    "fourth": "round4_open_problems",
}
"""The problems of a course that has one in every round."""
EXAMINED = 4.0
"""The points of ``softmax`` that the examiner gives; one more is a person's."""

RIGHT = """
import numpy as np

def softmax(x):
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)
"""
ALL_AXES = """
import numpy as np

def softmax(x):
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum()
"""


@dataclass(frozen=True)
class Ran:
    """How a command ended."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def write_answer(notebook: Path, source: str) -> None:
    """Put ``source`` into the answer cell of a learner's notebook."""
    content = json.loads(notebook.read_text())
    (cell,) = (c for c in content["cells"] if c["metadata"].get("nbgrader", {}).get("grade_id") == "softmax")
    cell["source"] = source
    notebook.write_text(json.dumps(content))
