"""The end of a worked solution: how this goes wrong, how to see it, and what an interviewer asks next."""

from __future__ import annotations

from typing import Any

import nbformat

from fourrounds.course.prove import Proof
from fourrounds.course.text import fenced
from fourrounds.examiner.problem import Cell, Fault, Problem, Variant, unwrap
from fourrounds.examiner.rubric import Sample

INTRO = """## Debrief: how this goes wrong

The answers below are wrong in ways that people really write. They are shown and not run; the table after
them says which group of hidden tests stops which of them."""

VARIANTS = """## Right answers, written differently

Each of these gets full marks."""

TABLE = """## Which tests stop which fault

As the examiner graded them: ✗ means that the group's points are lost.
"""

SAMPLE = {
    "weak": "## The written answer: a weak sample\n\n"
    "Fluent, and short of what is asked. Judge it by the questions before you read on.",
    "strong": "## The written answer: what the strong sample does\n\nThe model text, as it stands above.",
}


def markdown(cell_id: str, text: str) -> nbformat.NotebookNode:
    """A markdown cell with a fixed id."""
    return nbformat.from_dict({"id": cell_id, "cell_type": "markdown", "metadata": {}, "source": text})


def cells(problem: Problem, proof: Proof) -> list[nbformat.NotebookNode]:
    """The debrief: the faults, the variants, the examiner's table, the samples, and what the author wrote."""
    made = [markdown("debrief-faults", INTRO)]
    made += [
        markdown(raw["id"], _fault(fault))
        for raw, fault in zip(_raw(problem, "fault"), problem.faults, strict=True)
    ]
    if problem.variants:
        texts = [VARIANTS, *(_variant(variant) for variant in problem.variants)]
        made.append(markdown("debrief-variants", "\n\n".join(texts)))
    made.append(markdown("debrief-table", TABLE + "\n" + proof.markdown()))
    made += [
        markdown(raw["id"], _sample(sample, problem.cell(sample.of)))
        for raw, sample in zip(_raw(problem, "sample"), problem.samples, strict=True)
    ]
    made += [markdown(raw["id"], unwrap("".join(raw["source"]))) for raw in _raw(problem, "debrief")]
    return made


def _raw(problem: Problem, role: str) -> list[dict[str, Any]]:
    return [raw for raw in problem.notebook["cells"] if raw["metadata"]["fourrounds"]["role"] == role]


def _fault(fault: Fault) -> str:
    return (
        f"### `{fault.name}` · {fault.group}\n\n**What is wrong:** {fault.says}.\n\n"
        f"{fenced(fault.source)}\n\n"
        f"**How to see it.** {fault.see}\n\n**What an interviewer asks next.** {fault.ask}"
    )


def _sample(sample: Sample, cell: Cell) -> str:
    quoted = "\n".join(f"> {line}".rstrip() for line in sample.text.split("\n"))
    judged = "\n".join(
        f"{number}. *{question.text}* **{'Yes' if verdict.earns else 'No'}:** {verdict.because}"
        for number, (question, verdict) in enumerate(zip(cell.questions, sample.verdicts, strict=True), 1)
    )
    parts = [SAMPLE[sample.kind], quoted] if sample.kind == "weak" else [SAMPLE[sample.kind]]
    return "\n\n".join([*parts, sample.commentary, judged])


def _variant(variant: Variant) -> str:
    return f"### `{variant.name}`\n\n**How:** {variant.says}.\n\n{fenced(variant.source)}"
