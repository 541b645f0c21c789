"""What a learner reads of a score: what each part earned, which world broke the design, what would have held.

Whatever of it a learner wrote is made inert.
"""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fourrounds.design.mend import Mended, cheaper, mend
from fourrounds.design.score import Checked, Score
from fourrounds.design.show import html_table, inert, text_table

_PARTS = {
    "false_positives": "no false positives, as far as there is power",
    "power": "power, as far as there are no false positives",
    "bias": "no bias, as far as the decision is one",
    "coverage": "intervals that cover the truth, as far as they and the decision tell anything",
    "falsifier": "the falsifier, as far as the decision is one",
}
_MEASURES = {
    "false_positives": "false positives",
    "power": "power",
    "bias": "bias",
    "coverage": "intervals that miss",
    "falsifier": "falsifier fires",
}


@dataclass(frozen=True)
class Report:
    """A text and the same as HTML."""

    text: str
    markup: str

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        return self.markup


def report(score: Score, mended: Sequence[Mended] | None = None) -> Report:
    """The report on a design's score.

    ``mended`` is what :func:`~fourrounds.design.mend.mend` found; None: it is asked now, which takes some
    seconds.
    """
    weights = score.key.weights
    whole = sum(weights.values())
    earned = [
        [_PARTS[name], f"{value:.2f}", f"{weights[name] / whole:.0%}"] for name, value in score.parts.items()
    ]
    tables = [(["part", "from 0 to 1", "weight"], [*earned, ["in all", f"{score.total:.2f}", ""]], "Score")]
    if score.checks:
        rows = [_row(one) for one in score.checks]
        tables.append((["world", "hypothesis", "measured", "is", "held to", "share"], rows, "In each world"))
    lines = _lines(score, mend(score) if mended is None else mended)
    text = "\n\n".join([*(f"{name}\n{text_table(head, rows)}" for head, rows, name in tables), *lines])
    told = "".join(f"<p>{html.escape(line)}</p>" for line in lines)
    return Report(text, "".join(html_table(head, rows, name) for head, rows, name in tables) + told)


def _row(one: Checked) -> list[str]:
    fires = one.check == "falsifier" and not one.trial.holds
    sign = "at least" if one.check == "power" or fires else "at most"
    held_to = "" if math.isnan(one.allowed) else f"{sign} {_number(one, one.allowed)}"
    effect = f"{one.trial.truth:+.3g}" if one.trial.truth else "0"
    side = f"{'true' if one.trial.holds else 'false'} ({effect})"
    return [
        inert(one.trial.name, 80),
        side,
        _MEASURES[one.check],
        "not run" if one.problem else _number(one, one.measured),
        held_to,
        f"{one.share:.2f}",
    ]


def _number(one: Checked, value: float) -> str:
    if math.isnan(value):
        return "none"
    return f"{value:+.3g}" if one.check == "bias" else f"{value:.1%}"


def _lines(score: Score, mended: Sequence[Mended]) -> list[str]:
    budget = score.key.budget
    if score.problem:
        lines = [f"Nothing was earned: {inert(score.problem)}."]
        smaller = cheaper(score) if score.cost > budget else None
        if smaller is not None:
            lines.append(
                f"With {told(smaller.changes)} it would cost {smaller.cost:.4g}, which the budget pays for."
            )
        return lines
    lines = [f"It costs {score.cost:.4g} of {budget:g}."]
    for problem in dict.fromkeys(one.problem for one in score.checks if one.problem):
        worlds = dict.fromkeys(inert(one.trial.name, 80) for one in score.checks if one.problem == problem)
        lines.append(f"Not run in {', '.join(worlds)}: {inert(problem)}.")
    lines += [_broken(one, budget) for one in mended if not one.broken.problem]
    if score.own and score.broken:
        lines.append("What would have held has the declared analysis in place of yours.")
    if not score.broken:
        lines.append("No world broke the design.")
    return lines


def told(changes: Mapping[str, object]) -> str:
    """Parts with their values, as a design's paths name them."""
    return inert(", ".join(f"{path} = {value!r}" for path, value in changes.items()), 400)


def _broken(one: Mended, budget: float) -> str:
    broken = one.broken
    world, is_now = inert(broken.trial.name, 80), _number(broken, broken.measured)
    about = f" ({inert(broken.trial.about, 300)})" if broken.trial.about else ""
    effect = f"{broken.trial.truth:.3g}"
    says = {
        "false_positives": f"there is nothing to find, and the design claims an effect in {is_now}",
        "power": f"the effect is {effect}, and the design finds it in {is_now}: that is its power",
        "bias": f"the truth is {effect}, and the estimate is off by {is_now} on average",
        "coverage": f"the truth is {effect}, and {is_now} of the intervals miss it",
        "falsifier": (
            f"the hypothesis is true, and what was declared to disprove it happens in {is_now}"
            if broken.trial.holds
            else f"the hypothesis is false, and what was declared to disprove it happens in {is_now}"
        ),
    }[broken.check]
    first = f"World {world!r}{about} broke the design: {says}."
    if one.repair is None:
        return f"{first} No single part that was tried holds it: more than one is missing."
    change = f"{told(one.repair.changes)}, it would be {_number(broken, one.after)}"
    paid = f"at a cost of {one.repair.cost:.4g}" + ("" if one.within else f", above the budget of {budget:g}")
    if one.whole:
        return f"{first} With {change}, {paid}."
    return f"{first} What helps most of what was tried: with {change}, {paid}."
