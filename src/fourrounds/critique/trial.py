"""How a first experiment and the decision on it are scored: by running them where the truth is known.

A *twin* of a paper is the same comparison on another real slice of the bank with the paper's labels: what the
paper calls its method stands for one configuration, what it calls the baseline for another, and all runs of
both say whether the method is better there. No number is made up. The learner's plan is run on slices of
twins in which the claim is true and of twins in which it is false (which seeds and which test items is drawn
at random), and their ``decide`` sees the results and nothing else.

**The rule.** A true twin is worth 1 for *supported*, a false one for *not supported*, either 1/2 for
*undecidable*. With ``c1`` and ``c0`` the means over the slices of true and of false twins,

    separation = max(0, c1 + c0 - 1)
    thrift     = min(1, sqrt(fair / spent))
    intervals  = min(1, max(0, (coverage - 0.4) / 0.3))
    lab        = thrift * min(1, separation / full) * (1 + intervals) / 2

``spent`` is what the plan costs in the paper's own lab, in reference runs; above the budget nothing is run
and ``lab`` is 0. ``fair`` is what an experiment costs that separates them well, ``full`` the separation that
such a one reaches with any draw. ``coverage`` is the share of slices whose interval holds the twin's effect;
an interval that is wider than ``widest``, or that does not hold its own estimate, holds nothing.

*Why.* Any rule that does not look at the results has separation 0: constant verdicts, coins, undecidable
throughout. The square root prices an experiment as its precision goes: four times the runs halve an
interval, and here halve the score, unless they separate what fewer runs could not. An interval counts only
as far as the verdicts separate. An honest one of 95% covers more than the 0.7 that full marks ask: the
learning rate is chosen by the same runs, which it does not know of, and slices are few.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fourrounds.critique.lab import RATE, Factors, PaperLab, Results
from fourrounds.critique.places import CritiqueError, kind_of
from fourrounds.critique.shown import Shown, join, paragraph, table
from fourrounds.critique.vocabulary import Verdict, nearest, words
from fourrounds.runbank.families import FAMILIES, SEEDS

Where = Mapping[str, str]
Decide = Callable[[Sequence[Results]], Sequence[Any]]
"""A learner's ``decide`` on many results, one reply each."""
SLICES = 12
"""Slices of each twin."""
KEPT = 0.8
"""The share of the test items that a slice looks at, so that a slice is not known by its numbers."""


@dataclass(frozen=True)
class Twin:
    """The paper's comparison elsewhere in the bank.

    ``factors`` are the paper's with other parts of configurations behind the names; ``true`` is whether the
    claim holds there, ``about`` what it compares really.
    """

    about: str
    factors: Factors
    true: bool


@dataclass(frozen=True)
class Trial:
    """What a plan is tried on. Author's data: it stands with the key.

    ``factors`` are those of the paper's own lab. ``treatment`` and ``baseline`` are the two cells of the
    claim, by level of each factor; the effect is the mean test metric of the first less that of the second,
    each at the learning rate with the best mean validation metric; it is measured on the items that the mark
    ``counted`` marks, on all if that is empty. ``marks`` are the lab's. The other fields are those of the
    rule.
    """

    family: str
    factors: Factors
    treatment: Where
    baseline: Where
    twins: tuple[Twin, ...]
    budget: float
    fair: float
    full: float
    widest: float
    marks: Mapping[str, Sequence[int]] = field(default_factory=dict)
    counted: str = ""

    def lab(self) -> PaperLab:
        """A fresh lab of the paper."""
        return PaperLab(self.family, self.factors, self.budget, marks=self.marks)


@dataclass(frozen=True)
class Slice:
    """What became of one slice of a twin."""

    twin: Twin
    effect: float
    verdict: str
    estimate: float
    low: float
    high: float

    @property
    def credit(self) -> float:
        """1 for the right verdict, one half for none."""
        right = Verdict.supported if self.twin.true else Verdict.not_supported
        return 1.0 if self.verdict == right else 0.5 if self.verdict == Verdict.undecidable else 0.0

    def covers(self, widest: float) -> bool:
        """Whether the interval is one, and holds the twin's effect."""
        one = self.low <= self.estimate <= self.high and self.high - self.low <= widest
        return one and self.low <= self.effect <= self.high


@dataclass(frozen=True)
class LabScore:
    """The score of a plan and its decision, and what led to it. ``share`` is from 0 to 1."""

    share: float
    spent: float
    separation: float
    coverage: float
    thrift: float
    slices: tuple[Slice, ...]
    trial: Trial
    failure: str = ""

    def report(self) -> Shown:
        """What a learner reads of it."""
        if self.failure:
            return paragraph(self.failure)
        rows = [
            (
                "reference runs spent",
                f"{self.spent:.1f} of {self.trial.budget:g}; {self.trial.fair:g} suffice",
            ),
            ("separation", f"{self.separation:.2f}; {self.trial.full:g} has full marks"),
            ("intervals that hold the effect", f"{self.coverage:.0%}; 70% have full marks"),
            ("factor for the cost", f"{self.thrift:.2f}"),
            ("in all", f"{self.share:.2f}"),
        ]
        by_twin = []
        for twin in self.trial.twins:
            own = [one for one in self.slices if one.twin is twin]
            verdicts = [one.verdict for one in own]
            told = ", ".join(
                f"{verdicts.count(word)} {word.replace('_', ' ')}" for word in dict.fromkeys(verdicts)
            )
            by_twin.append(
                (
                    twin.about,
                    "true" if twin.true else "false",
                    f"{100 * own[0].effect:+.1f}",
                    told,
                    f"{100 * float(np.mean([one.estimate for one in own])):+.1f}",
                )
            )
        head = ("what was compared", "the claim is", "effect, points", "your verdicts", "your mean estimate")
        return join(
            table(("", ""), rows, "Your experiment, run where the truth is known"),
            table(head, by_twin, "The twins"),
        )


def try_plan(first: Any, decide: Decide, trial: Trial, rng: np.random.Generator) -> LabScore:
    """Run a plan on the twins and score the decisions by the rule of this module.

    Parameters
    ----------
    first : list of what :func:`~fourrounds.critique.answer.arm` returns
    decide : takes a list of results and returns, for each, verdict, effect, low, high
    trial : the paper's
    rng : draws the slices

    Raises :class:`CritiqueError` for a plan or a reply out of form.
    """
    if not first:
        return _failed(trial, "No first experiment was filed: first=[arm(...), ...].")
    spent = trial.lab().cost(first)
    if spent > trial.budget * (1 + 1e-9):
        return _failed(
            trial,
            f"The first experiment costs {spent:.1f} reference runs, and the budget is {trial.budget:g}: "
            "nothing was run.",
            spent,
        )
    items = FAMILIES[trial.family].n_test
    kept = round(KEPT * items)
    results, twins = [], []
    for twin in trial.twins:
        for _ in range(SLICES):
            order = rng.permutation(SEEDS).tolist()
            chosen = np.sort(rng.choice(items, kept, replace=False))
            lab = PaperLab(trial.family, twin.factors, math.inf, order, chosen, trial.marks)
            results.append(lab.run(first))
            twins.append(twin)
    shuffled = rng.permutation(len(results))
    replies = decide([results[k] for k in shuffled])
    effects = {twin.about: true_effect(trial, twin.factors) for twin in trial.twins}
    slices: list[Slice | None] = [None] * len(results)
    for k, reply in zip(shuffled, replies, strict=True):
        verdict, estimate, low, high = _read(reply)
        slices[k] = Slice(twins[k], effects[twins[k].about], verdict, estimate, low, high)
    return _scored(trial, spent, tuple(one for one in slices if one is not None))


def true_effect(trial: Trial, factors: Factors) -> float:
    """The effect from all runs of the bank: mean test metric of treatment less baseline, each at the learning
    rate that its mean validation metric prefers, on the items that count."""
    lab = PaperLab(trial.family, factors, math.inf, marks=trial.marks)
    means = []
    for cell in (trial.treatment, trial.baseline):
        runs = lab.run([{"config": dict(cell), "seeds": SEEDS}])
        rates = np.unique(runs[RATE])
        best = max(rates, key=lambda rate: runs["val"][runs[RATE] == rate].mean())
        correct = runs["correct"][runs[RATE] == best]
        means.append(float((correct[:, runs[trial.counted]] if trial.counted else correct).mean()))
    return means[0] - means[1]


def _failed(trial: Trial, why: str, spent: float = 0.0) -> LabScore:
    return LabScore(0.0, spent, 0.0, 0.0, 0.0, (), trial, why)


def _scored(trial: Trial, spent: float, slices: tuple[Slice, ...]) -> LabScore:
    right = [float(np.mean([s.credit for s in slices if s.twin.true is true])) for true in (True, False)]
    separation = max(0.0, sum(right) - 1.0)
    coverage = float(np.mean([one.covers(trial.widest) for one in slices]))
    thrift = min(1.0, math.sqrt(trial.fair / spent))
    intervals = min(1.0, max(0.0, (coverage - 0.4) / 0.3))
    share = thrift * min(1.0, separation / trial.full) * (1 + intervals) / 2
    return LabScore(share, spent, separation, coverage, thrift, slices, trial)


def _read(reply: Any) -> tuple[str, float, float, float]:
    """A reply of ``decide``: verdict, effect, low, high."""
    form = "decide must return decision(verdict, effect, low, high)"
    if type(reply) not in (tuple, list) or len(reply) != 4:
        raise CritiqueError(f"{form}, and returned {kind_of(reply)}")
    verdict, *numbers = reply
    if type(verdict) is not str:
        raise CritiqueError(f"{form}, and its verdict is {kind_of(verdict)}")
    if verdict not in words(Verdict):
        raise CritiqueError(
            f"the verdict of decide is no member of Verdict: {nearest(verdict, words(Verdict))}"
        )
    read = []
    for name, value in zip(("effect", "low", "high"), numbers, strict=True):
        value = value.item() if isinstance(value, np.generic | np.ndarray) and value.ndim == 0 else value
        if type(value) not in (int, float):
            raise CritiqueError(f"{form}: {name} must be a number, and is {kind_of(value)}")
        read.append(float(value))
    return verdict, read[0], read[1], read[2]
