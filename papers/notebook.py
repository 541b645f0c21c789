"""A form of a paper written into its source notebook.

The notebook's own cells (front matter, calculations, tests, faults, debrief) are written by hand there. Five
kinds of cell are made here, and known by their grade_id: the paper (``paper-0``, ``paper-1``, ...), its outline
and lab (``outline``), the model critique (``my-critique``), the key (``key``), and in the debrief what was
planted (``planted``).
"""

from __future__ import annotations

import json
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
        elif not name.startswith("paper-"):
            cells.append(cell)
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
        marks = {
            "grade": False,
            "grade_id": f"paper-{number}",
            "locked": True,
            "schema_version": 3,
            "solution": False,
            "task": False,
        }
        cell: dict[str, Any] = {
            "cell_type": "markdown",
            "metadata": {"fourrounds": {"role": "method"}, "nbgrader": marks},
            "source": text,
        }
        if pictures:
            cell["attachments"] = attachments(pictures)
        cells.append(cell)
    return cells


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
