"""What a notebook shows: text and HTML, in which nothing that a learner wrote can act."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape


def inert(text: object, most: int = 4000) -> str:
    """``text`` in at most ``most`` characters, with what could command a terminal, or cannot be encoded,
    written out."""
    whole = str(text)
    kept = "".join(
        c if c.isprintable() or c in "\n\t" else c.encode("unicode_escape", "surrogatepass").decode()
        for c in whole[:most]
    )
    return kept + (f" [{len(whole) - most} more characters]" if len(whole) > most else "")


def html(text: object, most: int = 4000) -> str:
    """``text`` as HTML that shows it and does nothing else."""
    return escape(inert(text, most)).replace("\n", "<br>")


@dataclass(frozen=True)
class Shown:
    """A text and the same as HTML; a notebook takes the second, a terminal the first."""

    text: str
    markup: str

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        return self.markup


def table(head: Sequence[str], rows: Sequence[Sequence[object]], caption: str = "") -> Shown:
    """Rows under a head. Every cell is made inert."""
    left = "style='text-align:left;vertical-align:top;padding:0.2em 1.2em 0.2em 0'"
    top = "".join(f"<th {left}>{html(cell)}</th>" for cell in head)
    body = "".join("<tr>" + "".join(f"<td {left}>{html(c)}</td>" for c in row) + "</tr>" for row in rows)
    named = f"<caption {left}>{html(caption)}</caption>" if caption else ""
    text = "\n".join(
        [
            *([inert(caption)] if caption else []),
            *("; ".join(_told(h, c) for h, c in zip(head, row, strict=True) if str(c)) for row in rows),
        ]
    )
    return Shown(text, f"<table>{named}<thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>")


def _told(head: str, cell: object) -> str:
    return f"{head}: {inert(cell)}" if head else inert(cell)


def join(*parts: Shown) -> Shown:
    """Several parts below one another."""
    return Shown("\n".join(p.text for p in parts), "".join(p.markup for p in parts))


def paragraph(text: str, tag: str = "p") -> Shown:
    """One paragraph, or a heading with ``tag`` (``"h4"``)."""
    return Shown(inert(text), f"<{tag}>{html(text)}</{tag}>")
