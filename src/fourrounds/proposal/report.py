"""What a learner reads of a score: what each part earned and why, and what the experiment did in its worlds.

Whatever of it a learner wrote is made inert.
"""

from __future__ import annotations

import html

from fourrounds.design.report import Report
from fourrounds.design.report import report as report_design
from fourrounds.design.show import html_table, inert, text_table
from fourrounds.proposal.score import WEIGHTS, Score

_PARTS = {
    "failure": "the failure: a threshold that separates it from its control",
    "approaches": "two approaches, each with the mechanism by which it fails",
    "objection": "a paper that disagrees",
    "assumptions": "two assumptions on which the solution hangs, each with a cheap test",
    "experiment": "the experiment, run where the idea is dead and where it is alive",
    "plan": "the criterion to stop, and money that pays for the plan",
}


def report(score: Score, *, mend: bool = True) -> Report:
    """The report on a proposal's score.

    ``mend``: with what would have held the experiment, which takes seconds.
    """
    whole = sum(WEIGHTS.values())
    rows = [
        [_PARTS[name], f"{part.share:.2f}", f"{WEIGHTS[name] / whole:.0%}"]
        for name, part in score.parts.items()
    ]
    rows.append(["in all", f"{score.total:.2f}", ""])
    head = ["part", "from 0 to 1", "weight"]
    text = [f"Score\n{text_table(head, rows)}"]
    markup = [html_table(head, rows, "Score")]
    for name, part in score.parts.items():
        if name == "experiment" and score.design is not None:
            continue
        lines = [inert(line, 400) for line in part.lines]
        text.append("\n".join([f"{name.capitalize()}:", *(f"  {line}" for line in lines)]))
        items = "".join(f"<li>{html.escape(line)}</li>" for line in lines)
        markup.append(f"<p><strong>{name.capitalize()}</strong></p><ul>{items}</ul>")
    if score.design is not None:
        experiment = report_design(score.design, None if mend else ())
        text.append(f"The experiment\n{experiment.text}")
        markup.append(f"<p><strong>The experiment</strong></p>{experiment.markup}")
    return Report("\n\n".join(text), "".join(markup))
