"""What a paper's notebook offers: its places, and the options of its claim. It holds no key.

A notebook's set-up cell makes one :class:`Paper`; with it a learner's slip (a table that is not there, an
option that is not offered) is told at once and not at grading.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fourrounds.critique import answer
from fourrounds.critique.places import CritiqueError, Place, folded, read_place
from fourrounds.critique.shown import Shown, join, table
from fourrounds.critique.vocabulary import nearest


@dataclass(frozen=True)
class Paper:
    """The outline of a paper.

    ``tables`` maps a table's name to its rows and columns, ``data`` the name of a data set to its columns,
    ``claims`` each slot of a claim to the options that are offered. Raises :class:`CritiqueError` on a slot
    that is unknown, missing or without at least two options, where claims are given at all.
    """

    sections: Sequence[str] = ()
    tables: Mapping[str, tuple[Sequence[str], Sequence[str]]] = field(default_factory=dict)
    figures: Sequence[str] = ()
    appendices: Sequence[str] = ()
    data: Mapping[str, Sequence[str]] = field(default_factory=dict)
    claims: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.claims and set(self.claims) != set(answer.SLOTS):
            raise CritiqueError(f"claims must offer options for {', '.join(answer.SLOTS)}, and for no more")
        for slot, options in self.claims.items():
            if len({folded(option) for option in options}) < max(2, len(options)):
                raise CritiqueError(f"the {slot} of the claim needs two options or more, all different")

    def places(self) -> list[dict[str, str]]:
        """Every place of the paper as a plain dict: each whole part, and of tables each row, column and
        cell."""
        found: list[dict[str, str]] = [{"section": one} for one in self.sections]
        found += [{"appendix": one} for one in self.appendices]
        found += [{"figure": one} for one in self.figures]
        for name, (rows, columns) in self.tables.items():
            found.append({"table": name})
            found += [{"table": name, "row": row} for row in rows]
            found += [{"table": name, "column": column} for column in columns]
            found += [{"table": name, "row": row, "column": column} for row in rows for column in columns]
        for name, columns in self.data.items():
            found.append({"data": name})
            found += [{"data": name, "column": column} for column in columns]
        return found

    def place(self, **where: Any) -> dict[str, str]:
        """:func:`fourrounds.critique.answer.place`, and the place must be in the paper.

        Raises :class:`CritiqueError`, which names what the paper has instead.
        """
        made = answer.place(**where)
        self.find(made)
        return made

    def find(self, where: Mapping[str, str]) -> Place:
        """The place in the form in which places are compared. Raises :class:`CritiqueError` if the paper
        lacks it."""
        sought = read_place(where)
        every = [read_place(one) for one in self.places()]
        if sought in every:
            return sought
        parts = {place.name: None for place in every if place.kind == sought.kind}
        if sought.name not in parts:
            had = f"it has {', '.join(parts)}" if parts else f"it has no {sought.kind}"
            raise CritiqueError(f"the paper has no {sought.kind} {sought.name}: {had}")
        same = [place for place in every if (place.kind, place.name) == (sought.kind, sought.name)]
        for what in ("row", "column"):
            names = {getattr(place, what): None for place in same if getattr(place, what)}
            wanted = getattr(sought, what)
            if wanted and wanted not in names:
                raise CritiqueError(
                    f"{sought.kind} {sought.name} has no {what} {wanted}: it has {', '.join(names)}"
                )
        raise CritiqueError(f"the paper has no {sought}")

    def claim(self, **chosen: str) -> dict[str, str]:
        """:func:`fourrounds.critique.answer.claim`, and each part must be one of the options offered.

        Raises :class:`CritiqueError`, which names the options.
        """
        for slot in answer.SLOTS:
            if slot not in chosen:
                raise CritiqueError(f"claim lacks its {slot}: choose from {self._options(slot)}")
        for slot, value in chosen.items():
            if slot not in self.claims:
                raise CritiqueError(f"a claim has no {slot[:40]}: {nearest(slot, answer.SLOTS)}")
            if type(value) is not str or folded(value) not in map(folded, self.claims[slot]):
                raise CritiqueError(f"the {slot} is none of those offered: choose from {self._options(slot)}")
        return answer.claim(**chosen)

    def _options(self, slot: str) -> str:
        return "; ".join(repr(option) for option in self.claims.get(slot, ()))

    def offers(self) -> Shown:
        """The options of the claim, and the places, as tables for the notebook."""
        options = [(slot, "; ".join(self.claims[slot])) for slot in answer.SLOTS if slot in self.claims]
        where = [
            ("section", "; ".join(self.sections)),
            *(
                (f"table {n}", f"rows: {'; '.join(r)}. columns: {'; '.join(c)}")
                for n, (r, c) in self.tables.items()
            ),
            ("figure", "; ".join(self.figures)),
            ("appendix", "; ".join(self.appendices)),
            *((f"data {n}", f"columns: {'; '.join(c)}") for n, c in self.data.items()),
        ]
        return join(
            table(("part of the claim", "options"), options, "The claim"),
            table(("where", "what is there"), [row for row in where if row[1]], "The places"),
        )
