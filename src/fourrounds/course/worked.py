"""A worked solution: the source notebook with its answers, every test, and the debrief."""

from __future__ import annotations

from typing import Any

import nbformat

from fourrounds.course import debrief
from fourrounds.course.canonical import KERNELSPEC
from fourrounds.course.execute import execute
from fourrounds.course.prove import Proof
from fourrounds.course.text import reveal
from fourrounds.examiner.problem import AUTHOR_ROLES, Problem, unwrap


def worked(problem: Problem, proof: Proof) -> nbformat.NotebookNode:
    """The solution notebook, executed. Without nbgrader metadata, so that nobody hands it in."""
    notebook = nbformat.v4.new_notebook(
        metadata={"kernelspec": KERNELSPEC, "language_info": {"name": "python"}},
    )
    notebook.cells = [debrief.markdown("about-this-file", _banner(problem))]
    raws = problem.notebook["cells"]
    for raw in raws:
        if raw["metadata"]["fourrounds"]["role"] not in AUTHOR_ROLES:
            notebook.cells += _cells(raw)
    execute(notebook, problem.slug)
    notebook.cells += debrief.cells(problem, proof)
    return notebook


def _banner(problem: Problem) -> str:
    return (
        "*A worked solution, made by `fourrounds build` from "
        f"`source/{problem.assignment}/{problem.slug}.ipynb`. Work the problem first "
        f"(`fourrounds start {problem.slug}`): the answers, the hidden tests and the debrief are all below.*"
    )


def _cells(raw: dict[str, Any]) -> list[nbformat.NotebookNode]:
    mine = raw["metadata"]["fourrounds"]
    source = "".join(raw["source"])
    if mine["role"] in {"answer", "manual"}:
        source = reveal(source)
    elif mine["role"] in {"truth", "hidden", "provided"}:
        source = unwrap(source)
    cell = nbformat.from_dict(
        {"id": raw["id"], "cell_type": raw["cell_type"], "metadata": {}, "source": source.strip("\n")}
    )
    if "tags" in raw["metadata"]:
        cell.metadata["tags"] = raw["metadata"]["tags"]
    if raw["cell_type"] == "code":
        cell.update(execution_count=None, outputs=[])
    elif raw.get("attachments"):
        cell.attachments = raw["attachments"]
    if mine["role"] not in {"truth", "hidden"}:
        return [cell]
    return [debrief.markdown(f"{raw['id']}-title"[:64], _title(raw)), cell]


def _title(raw: dict[str, Any]) -> str:
    mine = raw["metadata"]["fourrounds"]
    if mine["role"] == "truth":
        return "#### Hidden: the truth that the tests compare with"
    points = raw["metadata"]["nbgrader"]["points"]
    return f"#### Hidden tests: {mine['group']} ({points:g} points)"
