"""The problem that ``fourrounds new`` writes: softmax, with every role that a cell can have.

It is small, and real: its tests, faults and variant hold the rules of docs/authors.md. Each cell says in
its own place what an author puts there instead.
"""

from __future__ import annotations

from typing import Any

POINTS = {"normalisation": 2, "tolerance": 2}
MANUAL_POINTS = 1

FRONT = """# Softmax

*For the author: replace this whole problem. The numbers below must agree with the notebook's metadata and
with the points of its cells; `fourrounds prove` says so if they do not.*

**Paper.** Bridle, *Probabilistic interpretation of feedforward classification network outputs*,
Neurocomputing, 1990.

15 minutes · 5 points · graded apart: normalisation, tolerance"""

METHOD = r"""## Method

*For the author: the paper's method section in your own words and the paper's notation, complete enough to
implement from, without its results. Two to three pages.*

A network scores $D$ classes with logits $x_1, \dots, x_D$. They become a distribution by

$$p_i = \frac{e^{x_i}}{\sum_{j=1}^{D} e^{x_j}} .$$"""

CONTRACT = """## Contract

*For the author: signatures, shapes, dtypes, and every convention that the method does not settle. Leave out
what does follow from it (a batch of one, large logits).*

`softmax(x)` takes `x` of shape (..., D), a float array, and returns an array of the same shape and dtype:
each row along the last axis is the distribution of that row's logits."""

SETUP = """import matplotlib.pyplot as plt
import numpy as np"""

ANSWER = '''def softmax(x):
    """The distribution of the logits x (..., D) along the last axis."""
    ### BEGIN SOLUTION
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)
    ### END SOLUTION'''

TESTS_TEXT = """*For the author: the tests below are what a candidate sees: small, seeded, with messages
about shape, dtype and index that do not give the answer away.*"""

PROVIDED = """from fourrounds.checks import call, equal

logits = np.array([0.0, 0.0, np.log(2.0)])
equal(
    call(softmax, logits),
    np.array([0.25, 0.25, 0.5]),
    axes="D",
    why="one row of logits (0, 0, log 2)",
    show_expected=True,
)
assert call(softmax, np.zeros((2, 3, 4))).shape == (2, 3, 4), "softmax keeps the shape of its input"
print("The provided tests pass.")"""

TRUTH = """### BEGIN HIDDEN TESTS
# For the author: the truth is torch's own operator where there is one, else a short reference in torch.
import torch

from fourrounds.checks import Shapes, rng


def true_softmax(x):
    return torch.softmax(torch.from_numpy(x), dim=-1).numpy()


### END HIDDEN TESTS"""

NORMALISATION = """# Hidden tests: normalisation
### BEGIN HIDDEN TESTS
# For the author: random shapes, moderate logits, so that only a wrong normalisation fails here.
s = Shapes(rng(), B=(2, 4), T=(3, 8), D=(5, 16))
x = s.normal("B T D")
equal(call(softmax, x), true_softmax(x), axes="B T D", why="a batch of random logits")
### END HIDDEN TESTS"""

TOLERANCE = """# Hidden tests: tolerance
### BEGIN HIDDEN TESTS
# For the author: one row, so that a wrong axis does not fail here too; logits so large that exp overflows.
x = rng().normal(scale=3.0, size=12).astype(np.float32) + np.float32(1000.0)
# The tolerance: float32 holds logits near 1000 to 6e-5, and p changes by as much.
equal(call(softmax, x), true_softmax(x), rtol=1e-4, axes="D", why="float32 logits near 1000")
### END HIDDEN TESTS"""

QUESTION = "**In two sentences:** why may the largest logit be subtracted from all?"

MODEL_ANSWER = """A person reads it by two questions, half a point each:

1. Does it say that the distribution stays as it is, and by which property of the softmax?
2. Does it say what would go wrong without the shift?

### BEGIN SOLUTION
*For the author: a cell like this one is graded by a person, with the questions above. Take it out, with its
samples, if there is nothing to write.*

Adding one number to all logits of a row gives every term and their sum one factor, which cancels. A large
logit overflows to inf, so the largest is brought to zero before exp sees it.
### END SOLUTION"""

PICTURE = """fig, ax = plt.subplots(figsize=(5, 3))
scores = np.linspace(-2.0, 2.0, 9)
for temperature in (0.25, 1.0, 4.0):
    ax.plot(scores, softmax(scores / temperature), marker="o", label=f"temperature {temperature:g}")
ax.set_xlabel("logit")
ax.set_ylabel("probability")
ax.legend()
plt.show()"""

ALL_AXES = """### BEGIN HIDDEN TESTS
def softmax(x):
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum()
### END HIDDEN TESTS"""

NO_SHIFT = """### BEGIN HIDDEN TESTS
def softmax(x):
    e = np.exp(x)
    return e / e.sum(axis=-1, keepdims=True)
### END HIDDEN TESTS"""

LOG_SPACE = """### BEGIN HIDDEN TESTS
def softmax(x):
    return np.exp(x - np.logaddexp.reduce(x, axis=-1, keepdims=True))
### END HIDDEN TESTS"""

WEAK = """### BEGIN HIDDEN TESTS
*For the author: an answer as a candidate plausibly writes it, which misses the point.*

Subtracting the largest logit is a standard trick that makes the softmax numerically stable, and every
framework does it.

#### Commentary

The sentence is true and names what others do. An interviewer hears that the trick is known and not why it is
allowed.

#### Question by question

1. No: that every framework does it is no reason, and the common factor of all terms is not named.
2. No: "stable" is a word for it; that exp overflows is what was asked for.
### END HIDDEN TESTS"""

STRONG = """### BEGIN HIDDEN TESTS
#### Commentary

*For the author: what the model text of the written answer does, sentence by sentence.*

The first sentence says why it may be done, the second what it is done for.

#### Question by question

1. Yes: the common factor is named, and that it cancels.
2. Yes: a large logit overflows.
### END HIDDEN TESTS"""

DEBRIEF = r"""### BEGIN HIDDEN TESTS
## What comes next

*For the author: the follow-up questions of an interviewer, with strong answers.*

**When is the shift not enough?** When the logarithm of the result is wanted: a probability that underflowed
to zero has no logarithm any more. Compute the log-softmax, $x_i - \max_j x_j - \log \sum_j e^{x_j - \max_k
x_k}$, in one go.
### END HIDDEN TESTS"""


def starter() -> dict[str, Any]:
    """The notebook, as plain data."""
    return {
        "metadata": {
            "fourrounds": {
                "title": "Softmax",
                "paper": {
                    "authors": "Bridle",
                    "title": "Probabilistic interpretation of feedforward classification network outputs",
                    "venue": "Neurocomputing",
                    "year": 1990,
                    "arxiv": None,
                },
                "minutes": 15,
                "contract": ["softmax"],
                "prerequisites": [],
                "related": [],
                "limits": {"call_seconds": 10, "total_seconds": 60, "memory_mb": 2048},
            }
        },
        "cells": [
            _cell("front", FRONT, "front"),
            _cell("method", METHOD, "method"),
            _cell("contract", CONTRACT, "contract"),
            _cell("setup", SETUP, "setup"),
            _cell("answer", ANSWER, "softmax", solution=True),
            _cell("text", TESTS_TEXT, "about_tests"),
            _cell("provided", PROVIDED, "provided"),
            _cell("truth", TRUTH, "truth", points=0),
            _hidden("normalisation", NORMALISATION),
            _hidden("tolerance", TOLERANCE),
            _cell("picture", PICTURE, "picture"),
            _cell("text", QUESTION, "question"),
            _cell("manual", MODEL_ANSWER, "why_shift", "markdown", points=MANUAL_POINTS, solution=True),
            _author(
                "fault",
                ALL_AXES,
                name="all_axes",
                group="normalisation",
                says="the sum runs over the whole array, where each row has its own",
                see="Sum the result along the last axis for a batch of two: each row should give one.",
                ask="Which other reductions of a network must not run over the batch?",
            ),
            _author(
                "fault",
                NO_SHIFT,
                name="no_shift",
                group="tolerance",
                says="the largest logit is not subtracted, so that exp overflows to inf / inf",
                see="Call it with one row of logits near 1000.",
                ask="Where else does a model take exp of something that has no bound?",
            ),
            _author(
                "variant",
                LOG_SPACE,
                name="log_space",
                says="the log of the sum is subtracted before exp",
            ),
            _author("sample", WEAK, "markdown", of="why_shift", kind="weak"),
            _author("sample", STRONG, "markdown", of="why_shift", kind="strong"),
            _author("debrief", DEBRIEF, "markdown"),
        ],
    }


MARKDOWN = {"front", "method", "contract", "text"}


def _cell(
    role: str,
    source: str,
    grade_id: str,
    cell_type: str | None = None,
    points: int | None = None,
    solution: bool = False,
    **mine: Any,
) -> dict[str, Any]:
    """A cell that is released. ``points`` makes it a graded one."""
    nbgrader: dict[str, Any] = {
        "grade": points is not None,
        "grade_id": grade_id,
        "locked": not solution,
        "schema_version": 3,
        "solution": solution,
        "task": False,
    }
    if points is not None:
        nbgrader["points"] = points
    return {
        "cell_type": cell_type or ("markdown" if role in MARKDOWN else "code"),
        "metadata": {"fourrounds": {"role": role, **mine}, "nbgrader": nbgrader},
        "source": source,
    }


def _hidden(group: str, source: str) -> dict[str, Any]:
    return _cell("hidden", source, f"test_{group}", points=POINTS[group], group=group)


def _author(role: str, source: str, cell_type: str = "code", **mine: str) -> dict[str, Any]:
    """A cell that stays in source/."""
    return {
        "cell_type": cell_type,
        "metadata": {"fourrounds": {"role": role, **mine}},
        "source": source,
    }
