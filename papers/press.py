"""What a paper is made of, and how it becomes cells of a notebook.

A :class:`Form` holds a paper's text, tables and figures beside its key: both are made of one protocol.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fourrounds.critique import Key, Paper, Trial, load_key

Place = Mapping[str, str]
DPI = 110


@dataclass(frozen=True)
class Table:
    """A table. The first column names the rows; ``head`` holds the names of all columns."""

    name: str
    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def __post_init__(self) -> None:
        assert all(len(row) == len(self.head) for row in self.rows), self.name
        names = [row[0] for row in self.rows]
        assert len(set(names)) == len(names), names

    @property
    def outline(self) -> tuple[list[str], list[str]]:
        """The names of its rows and of its columns."""
        return [row[0] for row in self.rows], list(self.head[1:])

    def markdown(self) -> str:
        lines = [
            f"**Table {self.name}.** {self.caption}",
            "",
            "| " + " | ".join(self.head) + " |",
            "|:--" + "|--:" * (len(self.head) - 1) + "|",
            *("| " + " | ".join(row) + " |" for row in self.rows),
        ]
        return "\n".join(lines)


@dataclass(frozen=True)
class Figure:
    """A figure: ``draw`` draws it on the axes that it is given. ``size`` is in inches, ``panels`` how many
    axes stand side by side (then ``draw`` gets a list of them)."""

    name: str
    caption: str
    draw: Callable[[Any], None]
    size: tuple[float, float] = (6.4, 3.4)
    panels: int = 1

    @property
    def file(self) -> str:
        return f"figure{self.name}.png"

    def png(self) -> bytes:
        """The picture, without anything in it that depends on the day or the machine's settings."""
        import matplotlib

        matplotlib.use("agg")
        from matplotlib import pyplot as plt

        with plt.rc_context({**matplotlib.rcParamsDefault, "font.size": 9}):
            figure, axes = plt.subplots(
                1, self.panels, figsize=self.size, layout="constrained", squeeze=False
            )
            self.draw(axes[0, 0] if self.panels == 1 else list(axes[0]))
            out = io.BytesIO()
            figure.savefig(out, format="png", dpi=DPI, metadata={"Software": None})
            plt.close(figure)
        return out.getvalue()

    def markdown(self) -> str:
        return f"![Figure {self.name}](attachment:{self.file})\n\n**Figure {self.name}.** {self.caption}"


@dataclass(frozen=True)
class Section:
    """A section (``number`` is "3") or an appendix (``number`` is a letter); its parts in their order.

    Subsections are texts that begin with their heading, as ``### 3.1 Data``; their numbers stand in
    ``below``.
    """

    number: str
    title: str
    parts: tuple[str | Table | Figure, ...]
    below: tuple[str, ...] = ()

    @property
    def is_appendix(self) -> bool:
        return not self.number[0].isdigit()


@dataclass(frozen=True)
class Planted:
    """A site at which something is wrong in this form.

    ``measure`` gives the number that the flaw changes, as printed and as it is with this flaw alone
    corrected; ``headline`` is whether that is the number of the claim, which then holds where it is above 0.
    ``corrected`` says what correcting does to the claim, and may use ``{before}`` and ``{after}``, with
    their signs if ``signed``. Other fields as in a key.
    """

    id: str
    flaw: str
    severity: str
    places: tuple[Place, ...]
    corrected: str
    survives: bool
    measure: Callable[[], tuple[float, float]]
    headline: bool = True
    unit: str = "points"
    signed: bool = True
    classes: Mapping[str, float] = field(default_factory=dict)

    def entry(self) -> dict[str, Any]:
        before, after = self.measure()
        form = "+.1f" if self.signed else ".1f"
        return {
            "id": self.id,
            "flaw": self.flaw,
            "severity": self.severity,
            "places": [dict(one) for one in self.places],
            "classes": dict(self.classes),
            "corrected": self.corrected.format(before=f"{before:{form}}", after=f"{after:{form}}"),
            "survives": self.survives,
            "effect": round(after - before, 2),
            "unit": self.unit,
        }


@dataclass(frozen=True)
class Decoy:
    """What looks bad and is fine. ``measure`` gives the number that it would change, as printed and as it is
    without what looks bad; they differ by at most ``within``."""

    id: str
    places: tuple[Place, ...]
    classes: tuple[str, ...]
    fine: str
    measure: Callable[[], tuple[float, float]]
    within: float

    def entry(self) -> dict[str, Any]:
        before, after = self.measure()
        return {
            "id": self.id,
            "places": [dict(one) for one in self.places],
            "classes": list(self.classes),
            "fine": self.fine.format(before=f"{before:.1f}", after=f"{after:.1f}"),
        }


@dataclass(frozen=True)
class Form:
    """One paper with its key.

    ``claims`` are the options that the notebook offers, ``claim``, ``judgements``, ``verdict`` and ``fair``
    are those of the key. ``falsifier``, ``why_not`` and ``first`` (the arguments of each ``arm``) are the
    model critique's.
    """

    slug: str
    number: int
    title: str
    authors: str
    abstract: str
    sections: tuple[Section, ...]
    planted: tuple[Planted, ...]
    decoys: tuple[Decoy, ...]
    fair: tuple[Mapping[str, Any], ...]
    claims: Mapping[str, Sequence[str]]
    claim: Mapping[str, Mapping[str, float]]
    judgements: Mapping[str, Mapping[str, float]]
    verdict: Mapping[str, float]
    trial: Trial
    falsifier: str
    why_not: str
    first: tuple[Mapping[str, Any], ...]

    # -- the key

    def key_data(self) -> dict[str, Any]:
        """The key as plain data, in the form that :func:`fourrounds.critique.load_key` reads."""
        return {
            "paper": self.slug,
            "flaws": [one.entry() for one in self.planted],
            "decoys": [one.entry() for one in self.decoys],
            "fair": [dict(one) for one in self.fair],
            "claim": {slot: dict(options) for slot, options in self.claim.items()},
            "judgements": {name: dict(options) for name, options in self.judgements.items()},
            "verdict": dict(self.verdict),
        }

    def key(self) -> Key:
        return load_key(self.key_data())

    # -- what is in the paper

    def tables(self) -> list[Table]:
        return [part for section in self.sections for part in section.parts if isinstance(part, Table)]

    def figures(self) -> list[Figure]:
        return [part for section in self.sections for part in section.parts if isinstance(part, Figure)]

    def outline(self) -> dict[str, Any]:
        """The arguments of the notebook's :class:`~fourrounds.critique.Paper`."""
        body = [section for section in self.sections if not section.is_appendix]
        return {
            "sections": ["Abstract", *(n for one in body for n in (one.number, *one.below))],
            "tables": {table.name: table.outline for table in self.tables()},
            "figures": [figure.name for figure in self.figures()],
            "appendices": [n for one in self.sections if one.is_appendix for n in (one.number, *one.below)],
            "claims": {slot: list(options) for slot, options in self.claims.items()},
        }

    def paper(self) -> Paper:
        return Paper(**self.outline())

    # -- its pages

    def pages(self) -> list[tuple[str, dict[str, bytes]]]:
        """The paper as cells: the Markdown of each with the pictures that it shows, by their file."""
        head = f"# {self.title}\n\n*{self.authors}*\n\n## Abstract\n\n{self.abstract}"
        made: list[tuple[str, dict[str, bytes]]] = [(head, {})]
        for section in self.sections:
            name = f"Appendix {section.number}" if section.is_appendix else section.number
            texts = [f"## {name}{'.' if section.is_appendix else ''} {section.title}"]
            pictures = {}
            for part in section.parts:
                texts.append(part if isinstance(part, str) else part.markdown())
                if isinstance(part, Figure):
                    pictures[part.file] = part.png()
            made.append(("\n\n".join(texts), pictures))
        return made


def attachments(pictures: Mapping[str, bytes]) -> dict[str, Any]:
    """Pictures as a notebook keeps them in a cell."""
    return {file: {"image/png": base64.b64encode(data).decode()} for file, data in pictures.items()}
