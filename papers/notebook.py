"""A form of a paper written into its source notebook.

The notebook's own cells (front matter, calculations, tests, faults, debrief) are written by hand there. Six
kinds of cell are made here, and known by their grade_id: the paper (``paper-0``, ``paper-1``, ...), how decision
and critique are judged (``rules``, behind the contract), the outline and the lab (``outline``), the model
critique (``my-critique``), the key (``key``), and in the debrief what was planted (``planted``).
"""

from __future__ import annotations

import json
import math
import pprint
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from fourrounds.course.canonical import canonical
from fourrounds.critique import Flaw, Severity, Verdict, model_answer
from fourrounds.critique.answer import CHOICES, SLOTS
from fourrounds.critique.places import told
from fourrounds.critique.report import correcting
from fourrounds.critique.trial import true_effect
from fourrounds.runbank import FAMILIES
from papers.press import Form, attachments

ASSIGNMENT = "round2_critique"
WIDTH = 100


def form(slug: str, number: int) -> Form:
    """One form of a paper."""
    return import_module(f"papers.{slug}").form(number)


def path_of(root: Path, slug: str) -> Path:
    return root / "source" / ASSIGNMENT / f"{slug}.ipynb"


def rendered(text: str, made: Form) -> str:
    """The source notebook ``text`` with this form written into it, canonically."""
    notebook = json.loads(text)
    cells: list[dict[str, Any]] = []
    for cell in notebook["cells"]:
        name = _name(cell)
        if name == "paper-0":
            cells += _pages(made)
        elif name == "planted":
            cells.append({**cell, "source": _hidden(_planted(made))})
        elif name in WRITERS:
            cells.append({**cell, "source": WRITERS[name](made)})
        elif name != "rules" and not name.startswith("paper-"):
            cells.append(cell)
        if cell["metadata"]["fourrounds"]["role"] == "contract" and name != "rules":
            cells.append(_text("contract", "rules", _rules(made)))
    missing = {"paper-0", "planted", *WRITERS} - {_name(cell) for cell in cells}
    if missing:
        raise ValueError(f"{made.slug} has no cell {', '.join(sorted(missing))}")
    notebook["cells"] = cells
    notebook["metadata"]["fourrounds"]["form"] = made.number
    return canonical(notebook)


def _name(cell: Mapping[str, Any]) -> str:
    mine = cell["metadata"].get("fourrounds", {})
    return cell["metadata"].get("nbgrader", {}).get("grade_id") or mine.get("name", "")


def _pages(made: Form) -> list[dict[str, Any]]:
    cells = []
    for number, (text, pictures) in enumerate(made.pages()):
        cell = _text("method", f"paper-{number}", text)
        if pictures:
            cell["attachments"] = attachments(pictures)
        cells.append(cell)
    return cells


def _text(role: str, grade_id: str, text: str) -> dict[str, Any]:
    """A locked cell of text."""
    marks = {
        "grade": False,
        "grade_id": grade_id,
        "locked": True,
        "schema_version": 3,
        "solution": False,
        "task": False,
    }
    return {
        "cell_type": "markdown",
        "metadata": {"fourrounds": {"role": role}, "nbgrader": marks},
        "source": text,
    }


def _rules(made: Form) -> str:
    """How the decision and the critique are judged: the same words in every paper's notebook."""
    trial = made.trial
    ours, theirs = (", ".join(cell.values()) for cell in (trial.treatment, trial.baseline))
    columns = ", ".join(f"`results[{name!r}]`" for name in trial.factors)
    lists = "a list of names" if len(trial.factors) == 1 else "lists of names"
    metric = FAMILIES[trial.family].metric
    # In half points, so that the text does not give away a twin by its effect.
    least = math.floor(200 * min(true_effect(trial, one.factors) for one in trial.twins if one.true)) / 2
    return RULES.format(
        ours=ours,
        theirs=theirs,
        columns=columns,
        lists=lists,
        metric=metric,
        least="one point" if least == 1 else f"{least:g} points",
        fair=f"{trial.fair:g}",
        budget=f"{trial.budget:g}",
        widest=f"{100 * trial.widest:g}",
    )


RULES = """### The decision, and how it is judged

**`decide(results)`** concludes from the results of your own first experiment (`first` of your critique): {columns} ({lists}, one for
each run), and the arrays `lr`, `seed`, `val`, `test` (the metric, {metric}, between 0 and 1), `correct` (runs, items), `diverged` and `cost`. Equal
seeds are paired. It returns `decision(verdict, effect, low, high)`.

The question is always the same: is *{ours}* better than *{theirs}* in mean test {metric}, each at the learning rate that its own mean validation
prefers? The effect is that difference, between −1 and 1, and `low` to `high` is a 95% interval of it. This is not your verdict on the paper: what is true
may be badly shown, and what is well shown of few runs may be false.

Your experiment is run on real slices of the bank in which the answer is known from all 30 seeds and every learning rate: on the paper's own runs, and on *twins*, where the
two names stand for other configurations. In half of them the first is really better, by {least} or more; in the other half it is no better, or worse; nothing lies between. Every run counts with the metric that it ends with, also one that diverged. Learning rates
and sizes of effects differ, names and columns do not, and each slice has seeds and test items of its own. (The seeds of the lab are not the authors' either: theirs are other runs of the same kind.)

- *Separation*: how far your verdicts tell the two halves apart. *Supported* where it is better and *not supported* where it is not count 1, *undecidable* counts one half in both.
  A verdict that does not look at the results gets nothing.
- *Intervals*: half of the points hang on intervals that hold the effect; 70% of them must, for all of it. An interval wider than {widest} points holds nothing.
- *Cost*: an experiment of up to {fair} reference runs has its full score; beyond that the score falls with the square root of what it costs. Beyond {budget} nothing is run.

### The critique, and how it is judged

**`my_critique()`** returns `critique(...)`. Everything in the interview's order; what you leave out counts as not answered. `PAPER.claim(...)` and `PAPER.place(...)` tell
you at once if an option or a place is not there, `PAPER.offers()` lists them. The texts are for people and are not scored.

- *Findings*: each flaw once. Any place at which it shows will do; a place that only contains it (a whole table for one of its rows) counts half, and so does a class that comes near. A finding that is not so costs as
  much as a flaw missed, one that takes in something that looks bad and is fine costs more, the same flaw twice a little. A true remark that was not planted costs nothing.
- *Severity* is scored by its order: which of two flaws is graver.
- *Verdict* and *judgements* count as far as your findings back them. *Supported*: what is shown carries the claim. *Not supported*: what carries it falls when it is put right, and nothing else does.
  *Undecidable*: put right, what is shown still tests the claim and cannot tell. The verdict is on the paper; the lab shows what putting right does.
- *Judgements*: whether the authors **ran** what would show the claim to be wrong; whether the **baseline** is of the same year, tuned as carefully and given as much; whether the **ablation** shows what drives the
  gain (*isolates*), or changes several things at once, leaves some out, or is not there; whether test data could have been seen in training (**contamination**).

The words are written in small letters (`Verdict.not_supported`), and Tab completes them.
"""


def _hidden(text: str) -> str:
    return f"### BEGIN HIDDEN TESTS\n{text}\n### END HIDDEN TESTS"


def _literal(value: Any, indent: int = 0) -> str:
    """Data as Python, in lines that can be read."""
    text = pprint.pformat(value, width=WIDTH - indent, sort_dicts=False, compact=True)
    return text.replace("\n", "\n" + " " * indent)


def _plain(value: Any) -> Any:
    """Mappings and tuples as the plain types that a literal shows best."""
    if isinstance(value, Mapping):
        return {key: _plain(one) for key, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, (list, tuple)) else value


def _outline(made: Form) -> str:
    trial = made.trial
    parts = [
        "import numpy as np",
        "",
        "from fourrounds import checks",
        "from fourrounds.critique import (",
        "    Ablation, Baseline, Contamination, Flaw, Paper, PaperLab, Ran, Severity, Verdict,",
        "    arm, check, critique, decision, finding, glossary, show,",
        ")",
        "",
        "# What the paper holds: places for your findings, and the options of its claim.",
        "PAPER = Paper(",
        *(f"    {name}={_literal(_plain(value), 5 + len(name))}," for name, value in made.outline().items()),
        ")",
        "# What can be run again, under the paper's names: LAB.menu() shows it.",
        f"LAB = PaperLab(\n    {trial.family!r},\n    {_literal(_plain(trial.factors), 4)},",
        f"    budget={trial.budget:g},\n)",
    ]
    return "\n".join(parts)


def _call(name: str, **options: Any) -> str:
    return f"{name}({', '.join(f'{key}={value!r}' for key, value in options.items())})"


def _words(name: str, value: str) -> str:
    return f"{CHOICES[name].__name__}.{value}"


def _critique(made: Form) -> str:
    model = model_answer(made.key())
    slots = ", ".join(f"{slot}={model['claim'][slot]!r}" for slot in SLOTS)
    lines = [
        "def my_critique():",
        '    """The critique of the paper, as critique(...) makes it."""',
        "    ### BEGIN SOLUTION",
        "    return critique(",
        f"        claim=PAPER.claim({slots}),",
        f"        falsifier={made.falsifier!r},",
        f"        ran={_words('ran', model['ran'])},",
        f"        why_not={made.why_not!r},",
        "        findings=[",
    ]
    for one in model["findings"]:
        at = _call("PAPER.place", **one["at"])
        lines += [
            "            finding(",
            f"                {Flaw.__name__}.{one['flaw']}, {at}, {Severity.__name__}.{one['severity']},",
            f"                {one['why']!r},",
            "            ),",
        ]
    lines += [
        "        ],",
        *(
            f"        {name}={_words(name, model[name])},"
            for name in ("baseline", "ablation", "contamination")
            if model[name] is not None
        ),
        f"        verdict={Verdict.__name__}.{model['verdict']},",
        f"        first=[{', '.join(_call('arm', **one) for one in made.first)}],",
        "    )",
        "    ### END SOLUTION",
    ]
    return "\n".join(lines)


def _key(made: Form) -> str:
    trial = made.trial
    twins = "\n".join(
        f"        Twin(\n            {one.about!r},\n            {_literal(_plain(one.factors), 12)},\n"
        f"            {one.true},\n        ),"
        for one in trial.twins
    )
    text = f"""import numpy as np

from fourrounds.critique import Trial, Twin, load_key, report, score, try_plan

KEY = load_key(
    {_literal(_plain(made.key_data()), 4)}
)
TRIAL = Trial(
    family={trial.family!r},
    factors=LAB.factors,
    treatment={dict(trial.treatment)!r},
    baseline={dict(trial.baseline)!r},
    twins=(
{twins}
    ),
    budget={trial.budget:g},
    fair={trial.fair:g},
    full={trial.full:g},
    widest={trial.widest:g},
)"""
    return _hidden(text)


def _planted(made: Form) -> str:
    """What was planted, for the debrief."""
    key = made.key()
    lines = ["#### What was planted", ""]
    if key.sound:
        lines.append("Nothing: the paper is sound.")
    else:
        lines += ["| flaw | where it shows | severity | correcting it |", "|:--|:--|:--|:--|"]
        lines += [
            f"| {one.flaw.replace('_', ' ')} | {'; '.join(map(str, one.places))} | {one.severity} | "
            f"{correcting(one)} |"
            for one in key.flaws
        ]
    lines += ["", "#### What looks bad and is fine", "", "| where | why it is fine |", "|:--|:--|"]
    lines += [
        f"| {'; '.join(told(place.plain()) for place in one.places)} | {one.fine} |" for one in key.decoys
    ]
    return "\n".join(lines)


WRITERS = {"outline": _outline, "my-critique": _critique, "key": _key}
