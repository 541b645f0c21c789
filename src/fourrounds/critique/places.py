"""Places in a paper: a section, a table or part of it, a figure, an appendix, a column of its data.

A place is a plain dict: ``{"table": "2", "row": "Ours", "column": "accuracy"}``, ``{"section": "4.1"}``,
``{"figure": "3"}``, ``{"appendix": "B"}``, ``{"data": "runs.csv", "column": "seed"}``. Spelling is compared
without regard to case, spaces and words such as "Table". In a key the same form is a pattern: it takes in
everything inside it, so ``{"table": "2"}`` takes in each of the table's cells, and ``{"section": "4"}`` takes
in 4.1.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from fourrounds.critique.vocabulary import nearest

KINDS = ("section", "table", "figure", "appendix", "data")
MOST_NAME = 120
"""The most characters of a name: of a table, a row, a column, an option of a claim."""
BROAD = 0.5
"""What a place is worth that only contains an accepted one, or overlaps it."""

_KIND_WORDS = re.compile(r"^(?:(?:section|sec|table|tab|figure|fig|appendix|app)(?![a-z])\.?|§+)\s*(?=\S)")


class CritiqueError(ValueError):
    """What was filed is out of form. The message says where, and what to do."""

    verdict = "format"
    """What an examiner calls it when a test cell raises it."""

    def _render_traceback_(self) -> list[str]:
        """IPython shows this instead of a stack: the reader needs the message, not our frames."""
        return [f"critique: {self}"]


def kind_of(value: object) -> str:
    """The type of ``value`` in words, without showing it."""
    if value is None:
        return "nothing (None)"
    far = getattr(value, "answer_type", None)  # an object that stayed on the answer's side of the wall
    return far[:80] if isinstance(far, str) else f"a value of type {type(value).__name__[:60]}"


@lru_cache(4096)
def folded(text: str) -> str:
    """``text`` as names are compared: one case, one kind of space and dash."""
    plain = unicodedata.normalize("NFKC", text).casefold().replace("–", "-").replace("−", "-")
    return " ".join(plain.split())


def name(value: Any, what: str) -> str:
    """``value`` as a name: a string of 1 to :data:`MOST_NAME` characters, or a whole number.

    Raises :class:`CritiqueError`, in which ``what`` says what the name is of.
    """
    if type(value) is int and 0 <= value < 10**6:
        value = str(value)
    if type(value) is not str:
        raise CritiqueError(f"{what} must be a name in quotes, and is {kind_of(value)}")
    if len(value) > MOST_NAME:
        raise CritiqueError(f"{what} has {len(value)} characters: give a name of at most {MOST_NAME}")
    if not value.strip():
        raise CritiqueError(f"{what} is empty: give its name")
    return value.strip()


@dataclass(frozen=True, order=True)
class Place:
    """A place in the form in which places are compared. An empty row or column stands for all of them.

    ``spelt`` is the plain place that it was read from, which takes no part in comparing.
    """

    kind: str
    name: str
    row: str
    column: str
    spelt: Mapping[str, str] = field(compare=False)

    def accepts(self, given: Place) -> float:
        """How well ``given`` meets this pattern: 1 inside it, :data:`BROAD` where it only contains or
        overlaps it, 0 elsewhere."""
        if self.kind != given.kind:
            return 0.0
        if self.kind in ("section", "appendix"):
            if _within(given.name, self.name):
                return 1.0
            return BROAD if _within(self.name, given.name) else 0.0
        if self.name != given.name:
            return 0.0
        worth = 1.0
        for mine, theirs in ((self.row, given.row), (self.column, given.column)):
            if mine and not theirs:
                worth = BROAD
            elif mine and mine != theirs:
                return 0.0
        return worth

    def beside(self, given: Place) -> bool:
        """Whether both lie in one section, table, figure, appendix or data set."""
        if self.kind in ("section", "appendix"):
            return self.kind == given.kind and self.name.split(".")[0] == given.name.split(".")[0]
        return (self.kind, self.name) == (given.kind, given.name)

    def plain(self) -> dict[str, str]:
        """The place as the plain dict that it was read from."""
        return dict(self.spelt)

    def __str__(self) -> str:
        return told(self.spelt)


def told(at: Mapping[str, str]) -> str:
    """A place in words: ``"table 2, row Ours, column accuracy"``."""
    kind = next(kind for kind in KINDS if kind in at)
    bare = at[kind]
    head = bare if folded(bare).startswith(kind) else f"{kind} {bare}"
    return head + "".join(f", {part} {at[part]}" for part in ("row", "column") if part in at)


def _within(inner: str, outer: str) -> bool:
    return inner == outer or inner.startswith(outer + ".")


def check_place(data: Any, what: str = "the place") -> dict[str, str]:
    """``data`` as a plain place with exact names.

    Raises :class:`CritiqueError`: not a dict, not exactly one of :data:`KINDS`, a row outside a table, a
    column outside a table or data set, an unknown key, a name out of form.
    """
    if type(data) is not dict:
        raise CritiqueError(f"{what} must be made with place(...), and is {kind_of(data)}")
    if len(data) > 3 or not all(type(key) is str for key in data):
        raise CritiqueError(f"{what} must be made with place(...): one of {', '.join(KINDS)}")
    for key in data:
        if key not in (*KINDS, "row", "column"):
            raise CritiqueError(f"{what} has an unknown part: {nearest(key, (*KINDS, 'row', 'column'))}")
    kinds = [kind for kind in KINDS if kind in data]
    if len(kinds) != 1:
        raise CritiqueError(f"{what} must name exactly one of {', '.join(KINDS)}, and names {len(kinds)}")
    kind = kinds[0]
    if "row" in data and kind != "table":
        raise CritiqueError(f"{what} names a row, which only a table has")
    if "column" in data and kind not in ("table", "data"):
        raise CritiqueError(f"{what} names a column, which only a table or data have")
    return {key: name(data[key], f"the {key} of {what}") for key in (kind, "row", "column") if key in data}


def read_place(data: Any, what: str = "the place") -> Place:
    """``data`` in the form in which places are compared. Raises :class:`CritiqueError`."""
    plain = check_place(data, what)
    kind = next(iter(plain))
    bare = _KIND_WORDS.sub("", folded(plain[kind])) if kind != "data" else folded(plain[kind])
    if kind in ("section", "appendix"):
        bare = bare.rstrip(".") or bare
    return Place(kind, bare, folded(plain.get("row", "")), folded(plain.get("column", "")), plain)
