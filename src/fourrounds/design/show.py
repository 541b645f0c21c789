"""Tables as text and HTML, and pictures. matplotlib is imported only when a picture is drawn."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from fourrounds.design.diagnose import Diagnosis
    from fourrounds.design.redesign import Redesign


def inert(text: object, most: int = 2000) -> str:
    """``text`` in at most ``most`` characters, with what could command a terminal written out."""
    whole = str(text)
    kept = "".join(
        c if c.isprintable() or c == "\n" else c.encode("unicode_escape", "surrogatepass").decode()
        for c in whole[:most]
    )
    return kept + (f" [{len(whole) - most} more characters]" if len(whole) > most else "")


def text_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns aligned on the right, the first on the left."""
    widths = [max(len(row[column]) for row in [head, *rows]) for column in range(len(head))]
    lines = []
    for row in [head, *rows]:
        cells = [cell.rjust(width) for cell, width in zip(row, widths, strict=True)]
        cells[0] = row[0].ljust(widths[0])
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def html_table(head: Sequence[str], rows: Sequence[Sequence[str]], caption: str) -> str:
    """A plain table; every cell is escaped, since a world's name is free text."""
    top = "".join(f"<th>{html.escape(cell)}</th>" for cell in head)
    body = "".join(
        "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    return (
        f"<table><caption>{html.escape(caption)}</caption>"
        f"<thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"
    )


def draw_diagnosis(diagnosis: Diagnosis) -> Any:
    """One histogram of the estimates for each world; those that led to a claim are dark."""
    from matplotlib import pyplot

    rows = diagnosis.rows
    size = (7, 1.4 * len(rows) + 0.8)
    figure, grid = pyplot.subplots(
        len(rows), 1, sharex=True, squeeze=False, figsize=size, layout="constrained"
    )
    every = grid[:, 0]
    estimates = [row.runs.estimate[np.isfinite(row.runs.estimate)] for row in rows]
    pool = np.concatenate([*estimates, [row.truth for row in rows]])
    bins = np.linspace(pool.min() - 1e-9, pool.max() + 1e-9, 60)
    for axes, row in zip(every, rows, strict=True):
        claimed = row.runs.claim & np.isfinite(row.runs.estimate)
        axes.hist(row.runs.estimate[np.isfinite(row.runs.estimate)], bins, color="0.8", label="all")
        axes.hist(row.runs.estimate[claimed], bins, color="tab:blue", label="an effect is claimed")
        axes.axvline(row.truth, color="tab:red", label="truth")
        axes.set_title(row.world, loc="left", fontsize="medium")
        axes.set_yticks([])
    every[0].legend(fontsize="small", loc="upper left", bbox_to_anchor=(1.0, 1.0))
    every[-1].set_xlabel("estimate")
    pyplot.close(figure)  # a notebook shows what a cell returns; left open, it would show it twice
    return figure


def draw_power_curve(diagnosis: Diagnosis) -> Any:
    """The share of claims in each world, in the order of the truth, with bars of two Monte Carlo errors."""
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 4), layout="constrained")
    rows = sorted(diagnosis.rows, key=lambda row: row.truth)
    claims = [
        row["power"] if np.isnan(row["false_positives"].value) else row["false_positives"] for row in rows
    ]
    bars = [2 * claim.se for claim in claims]
    axes.errorbar([row.truth for row in rows], [claim.value for claim in claims], bars, marker="o")
    for row, claim in zip(rows, claims, strict=True):
        axes.annotate(
            row.world, (row.truth, claim.value), xytext=(6, -12), textcoords="offset points", fontsize="small"
        )
    axes.set_ylim(-0.02, 1.02)
    axes.set_xlabel("truth")
    axes.set_ylabel("share of claims")
    pyplot.close(figure)
    return figure


def draw_redesign(redesign: Redesign, diagnosand: str) -> Any:
    """The diagnosand against the first varied part: a line for each world and setting of the other parts."""
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 4), layout="constrained")
    part, *others = redesign.parts
    lines: dict[str, list[tuple[object, float, float]]] = {}
    for settings, diagnosis in redesign.points:
        for row in diagnosis:
            value = row[diagnosand]
            if diagnosand == "power" and np.isnan(value.value):
                value = row["false_positives"]
            name = ", ".join([row.world, *(f"{other} = {settings[other]}" for other in others)])
            lines.setdefault(name, []).append((settings[part], value.value, value.se))
    for name, points in lines.items():
        x, y, error = zip(*points, strict=True)
        numeric = all(isinstance(v, (int, float)) for v in x)
        bars = [2 * e for e in error]
        axes.errorbar(x if numeric else [str(v) for v in x], y, bars, marker="o", label=name)
    if diagnosand in ("power", "false_positives", "coverage", "type_s", "falsified", "failed"):
        axes.set_ylim(-0.02, 1.02)
    axes.set_xlabel(part)
    axes.set_ylabel("share of claims" if diagnosand == "power" else diagnosand.replace("_", " "))
    axes.legend(fontsize="small")
    pyplot.close(figure)
    return figure
