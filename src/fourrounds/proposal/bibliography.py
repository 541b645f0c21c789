"""The papers of the open problems: what each shows, where it stops, what it treats and what it disputes.

They stand in ``papers/<field>.toml``, one file a field. Each was looked up in a public source before it went
in. The keys of a paper there:

- ``id``: first author and year of the first public version, with a letter where two would be alike;
- ``problems``: the notebooks of Round 4 that it serves;
- ``authors``: in order; with ``others = true`` the list goes on and was not checked further;
- ``year``: of the first public version, which may precede ``venue``;
- ``arxiv``: its number, or else ``url``: a public page of the paper;
- ``shows``: what its authors report, in our words;
- ``stops``: where we see the evidence end;
- ``mechanisms``: the failures that it shows, explains or removes, or that another paper here shows in it;
- ``disputes``: papers here whose claim it contradicts, and which claim;
- ``checked``, ``checked_on``: the pages where this was read, and when.

An answer imports this in its sandbox: NumPy is not needed, and nothing of the project.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from difflib import get_close_matches
from functools import cache
from html import escape, unescape
from pathlib import Path
from typing import Any

DATA = Path(__file__).parent / "papers"
FIELDS = ("retrieval", "alignment", "efficient_inference", "multimodal")


class BibliographyError(LookupError):
    """No paper, mechanism, problem or field goes by that name; the message gives the nearest ones."""

    def __str__(self) -> str:
        return str(self.args[0])


@dataclass(frozen=True)
class Dispute:
    """Paper ``by`` contradicts paper ``of``; ``what`` says which claim of the latter, in one sentence."""

    by: str
    of: str
    what: str


@dataclass(frozen=True)
class Mechanism:
    """A way in which current approaches fail at a problem.

    ``name`` is the word by which an answer cites it, ``problem`` the notebook that it belongs to, ``says``
    one sentence on how the failure comes about.
    """

    name: str
    problem: str
    says: str


class Mechanisms(tuple[Mechanism, ...]):
    """Mechanisms to look at or to go through: in a notebook a table, else one line each."""

    __slots__ = ()

    def __str__(self) -> str:
        return "\n".join(f"{m.name} ({m.problem}): {m.says}" for m in self)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        head = "".join(
            f"<th scope='col' {LEFT}>{name}</th>" for name in ("Mechanism", "What it says", "Problem")
        )
        rows = "".join(
            f"<tr><th scope='row' {LEFT}><code>{escape(m.name)}</code></th><td {LEFT}>{escape(m.says)}</td>"
            f"<td {LEFT}>{escape(m.problem)}</td></tr>"
            for m in self
        )
        return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


@dataclass(frozen=True)
class Paper:
    """One paper. The head of this module says what each attribute means.

    ``arxiv`` and ``venue`` are ``""`` where there is none; ``url`` is the arXiv page where there is one.
    """

    id: str
    field: str
    problems: tuple[str, ...]
    title: str
    authors: tuple[str, ...]
    others: bool
    year: int
    arxiv: str
    venue: str
    url: str
    shows: str
    stops: str
    mechanisms: tuple[str, ...]
    disputes: tuple[Dispute, ...]
    checked: tuple[str, ...]
    checked_on: date

    @property
    def by(self) -> str:
        """The authors as one cites them: ``"Gao et al."``, ``"Reimers and Gurevych"``."""
        last = [_family(name) for name in self.authors]
        if self.others or len(last) > 2:
            return f"{last[0]} et al."
        return " and ".join(last)

    @property
    def where(self) -> str:
        """Venue and arXiv number, as far as there are any."""
        return ", ".join(part for part in (self.venue, f"arXiv {self.arxiv}" if self.arxiv else "") if part)

    def __str__(self) -> str:
        told = [f"{self.id}: {self.by} {self.year}. {self.title} ({self.where})"]
        told += [f"  shows: {self.shows}", f"  stops: {self.stops}"]
        told += [f"  mechanisms: {', '.join(self.mechanisms)}"]
        told += [f"  disputes {d.of}: {d.what}" for d in self.disputes]
        told += [f"  disputed by {d.by}: {d.what}" for d in disputed_by(self.id)]
        return "\n".join(told)


@dataclass(frozen=True)
class Bibliography:
    """All papers and mechanisms, in the order of the files; problems and fields with their titles.

    ``problems`` holds triples of slug, field and title; ``fields`` pairs of slug and title.
    """

    papers: tuple[Paper, ...]
    mechanisms: tuple[Mechanism, ...]
    problems: tuple[tuple[str, str, str], ...]
    fields: tuple[tuple[str, str], ...]


@cache
def load() -> Bibliography:
    """The bibliography, read once.

    Raises ``BibliographyError`` if a file is missing or not in its form.
    """
    papers: list[Paper] = []
    mechanisms: list[Mechanism] = []
    problems: list[tuple[str, str, str]] = []
    fields: list[tuple[str, str]] = []
    for name in FIELDS:
        path = DATA / f"{name}.toml"
        try:
            read = tomllib.loads(path.read_text(encoding="utf-8"))
            fields.append((read["field"], read["title"]))
            problems += [(slug, read["field"], title) for slug, title in read["problems"].items()]
            mechanisms += [Mechanism(slug, m["problem"], m["says"]) for slug, m in read["mechanisms"].items()]
            papers += [_paper(entry, read["field"]) for entry in read["paper"]]
        except (OSError, tomllib.TOMLDecodeError, KeyError, TypeError) as error:
            raise BibliographyError(f"{path.name} cannot be read: {type(error).__name__} {error}") from error
    return Bibliography(tuple(papers), tuple(mechanisms), tuple(problems), tuple(fields))


def _paper(entry: dict[str, Any], field: str) -> Paper:
    arxiv = entry.get("arxiv", "")
    return Paper(
        id=entry["id"],
        field=field,
        problems=tuple(entry["problems"]),
        title=entry["title"],
        authors=tuple(entry["authors"]),
        others=entry.get("others", False),
        year=entry["year"],
        arxiv=arxiv,
        venue=entry.get("venue", ""),
        url=f"https://arxiv.org/abs/{arxiv}" if arxiv else entry["url"],
        shows=entry["shows"],
        stops=entry["stops"],
        mechanisms=tuple(entry["mechanisms"]),
        disputes=tuple(Dispute(entry["id"], of, what) for of, what in entry.get("disputes", {}).items()),
        checked=tuple(entry["checked"]),
        checked_on=entry["checked_on"],
    )


def paper(id: str, problem: str | None = None) -> Paper:
    """The paper ``id``, of whichever problem.

    Raises ``BibliographyError`` if there is none, with the nearest ids of ``problem``, or of all.
    """
    known = {p.id: p for p in load().papers}
    return known[_known("paper", id, known, [p.id for p in papers(problem=problem)], problem)]


def mechanism(name: str, problem: str | None = None) -> Mechanism:
    """The mechanism ``name``, of whichever problem.

    Raises ``BibliographyError`` if there is none, with the nearest names of ``problem``, or of all.
    """
    known = {m.name: m for m in load().mechanisms}
    return known[_known("mechanism", name, known, [m.name for m in mechanisms(problem)], problem)]


def papers(
    field: str | None = None, problem: str | None = None, mechanism: str | None = None
) -> tuple[Paper, ...]:
    """The papers of ``field`` that serve ``problem`` and treat ``mechanism``, in the order of the files.

    What is ``None`` does not matter. Raises ``BibliographyError`` for an unknown field, problem or mechanism.
    """
    whole = load()
    if field is not None:
        _known("field", field, [slug for slug, _ in whole.fields])
    if problem is not None:
        _known("problem", problem, [slug for slug, _, _ in whole.problems])
    if mechanism is not None:
        _known("mechanism", mechanism, [m.name for m in whole.mechanisms])
    return tuple(
        p
        for p in whole.papers
        if field in (None, p.field)
        and (problem is None or problem in p.problems)
        and (mechanism is None or mechanism in p.mechanisms)
    )


def mechanisms(problem: str | None = None) -> Mechanisms:
    """The mechanisms of ``problem``, or all; raises ``BibliographyError`` for an unknown problem."""
    whole = load()
    if problem is not None:
        _known("problem", problem, [slug for slug, _, _ in whole.problems])
    return Mechanisms(m for m in whole.mechanisms if problem in (None, m.problem))


def disputed_by(id: str) -> tuple[Dispute, ...]:
    """Who contradicts the paper ``id``, and in what; raises ``BibliographyError`` for an unknown id."""
    paper(id)
    return tuple(d for p in load().papers for d in p.disputes if d.of == id)


def find(text: str) -> Table:
    """The papers in whose text every word of ``text`` occurs, whatever the case and the accents."""
    return table().find(text)


def table(field: str | None = None, problem: str | None = None, mechanism: str | None = None) -> Table:
    """What :func:`papers` gives, as a table to look at and to search."""
    named = dict((*((s, t) for s, _, t in load().problems), *load().fields))
    told = [named[slug] for slug in (field, problem) if slug is not None and slug in named]
    caption = ": ".join(["Papers", ", ".join([*told, *([mechanism] if mechanism else [])]) or "all fields"])
    return Table(papers(field, problem, mechanism), caption)


@dataclass(frozen=True)
class Table:
    """Papers to look at or to go through: in a notebook a table with a box that filters its rows, else text.

    The box needs a script, which JupyterLab runs in trusted notebooks only. Without it the table is complete,
    and :meth:`find` does the same in Python.
    """

    papers: tuple[Paper, ...]
    caption: str = "Papers"

    def find(self, text: str) -> Table:
        """The rows in which every word of ``text`` occurs, whatever the case and the accents."""
        words = _plain(text).split()
        kept = tuple(p for p in self.papers if all(word in _plain(_told(p)) for word in words))
        return Table(kept, f"{self.caption}, with “{text.strip()}”" if words else self.caption)

    def __iter__(self) -> Iterator[Paper]:
        return iter(self.papers)

    def __len__(self) -> int:
        return len(self.papers)

    def __str__(self) -> str:
        return "\n".join([f"{self.caption} ({len(self.papers)})", *map(str, self.papers)])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        head = "".join(f"<th scope='col' {LEFT}>{name}</th>" for name in HEAD)
        titles = dict(load().fields)
        rows = "".join(_row(p, titles.get(p.field, p.field)) for p in self.papers)
        return (
            f"<div class='fourrounds-papers'><style>{STYLE}</style>"
            f"<div class='rows' tabindex='0' role='region' aria-label='{escape(self.caption)}'><table>"
            f"<caption>{escape(self.caption)} ({len(self.papers)}). "
            "Search in Python: <code>bibliography.find('words')</code></caption>"
            f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
            f"<script>{SCRIPT}</script></div>"
        )


HEAD = ("Paper", "Shows", "Where it stops", "Problem and mechanisms", "Dispute", "Checked")

# In each cell, since an untrusted notebook drops the style sheet and sets tables to the right.
LEFT = "style='text-align:left;vertical-align:top'"
# The colours are JupyterLab's, which follow its theme, with the browser's own where there is no JupyterLab.
# Its rules for tables name two classes, so these do too.
STYLE = """
.fourrounds-papers { color: var(--jp-content-font-color1, inherit); }
.fourrounds-papers .rows { max-height: 36em; overflow: auto; }
.fourrounds-papers .rows table { table-layout: auto; border-collapse: collapse; margin: 0; }
.fourrounds-papers .rows caption { text-align: left; font-weight: bold; padding: 0.3em 0; }
.fourrounds-papers .rows th, .fourrounds-papers .rows td { font-weight: normal;
  white-space: normal; min-width: 11em; max-width: 24em; padding: 0.4em 0.7em;
  border-bottom: 1px solid var(--jp-border-color2, currentColor); }
.fourrounds-papers .rows td:last-child { min-width: 7em; }
.fourrounds-papers .rows thead th { font-weight: bold; position: sticky; top: 0;
  background: var(--jp-layout-color1, Canvas); color: var(--jp-content-font-color1, CanvasText); }
.fourrounds-papers .rows code { overflow-wrap: anywhere; }
.fourrounds-papers .rows a { color: var(--jp-content-link-color, LinkText); overflow-wrap: anywhere; }
.fourrounds-papers .controls { margin: 0 0 0.4em; }
.fourrounds-papers input, .fourrounds-papers select { font: inherit; padding: 0.2em 0.4em;
  color: var(--jp-content-font-color1, FieldText); background: var(--jp-input-background, Field);
  border: 1px solid var(--jp-border-color1, currentColor); }
.fourrounds-papers input { width: 20em; }
"""

# The script makes the box itself, since a notebook that is not trusted would show it dead. It looks for
# tables without one, so it needs no id, and two outputs of one table do not clash.
SCRIPT = """
(() => {
  const plain = text => text.normalize("NFD").replace(/\\p{M}/gu, "").toLowerCase();
  const made = (tag, attributes, ...inside) => {
    const element = Object.assign(document.createElement(tag), attributes);
    element.append(...inside);
    return element;
  };
  for (const root of document.querySelectorAll(".fourrounds-papers:not([data-wired])")) {
    root.dataset.wired = "yes";
    const rows = [...root.querySelectorAll("tbody tr")].map(row => [row, plain(row.textContent)]);
    const fields = new Map(rows.map(([row]) => [row.dataset.field, row.dataset.title]));
    const input = made("input", { type: "search", placeholder: "words, an id, a mechanism" });
    const select = made("select", {}, made("option", { value: "" }, "all"),
      ...[...fields].map(([value, title]) => made("option", { value }, title)));
    const status = made("span");
    status.setAttribute("role", "status");
    const controls = made("div", { className: "controls" },
      made("label", {}, "Filter ", input), " ", made("label", {}, "Field ", select), " ", status);
    const filter = () => {
      const words = plain(input.value).split(/\\s+/).filter(Boolean);
      let shown = 0;
      for (const [row, text] of rows) {
        const field = !select.value || row.dataset.field === select.value;
        row.hidden = !(field && words.every(word => text.includes(word)));
        shown += row.hidden ? 0 : 1;
      }
      status.textContent = `${shown} of ${rows.length}`;
    };
    for (const event of ["input", "change", "keydown", "keyup"]) {
      controls.addEventListener(event, happened => {
        // A key typed here is not a command of the notebook.
        happened.stopPropagation();
        filter();
      });
    }
    root.querySelector(".rows").before(controls);
    filter();
  }
})();
"""


def _row(p: Paper, title: str) -> str:
    authors = ", ".join(p.authors) + (" et al." if p.others else "")
    named = "<br>".join(
        [
            f"<code>{escape(p.id)}</code>",
            f"<a href='{escape(p.url)}'>{escape(p.title)}</a>",
            escape(f"{authors}, {p.year}"),
            escape(p.where),
        ]
    )
    disputes = [f"disputes <code>{escape(d.of)}</code>: {escape(d.what)}" for d in p.disputes]
    disputes += [f"disputed by <code>{escape(d.by)}</code>: {escape(d.what)}" for d in disputed_by(p.id)]
    seen = [f"<a href='{escape(page)}'>{escape(_host(page))}</a>" for page in p.checked]
    cells = (
        escape(p.shows),
        escape(p.stops),
        _codes((p.field, *p.problems, *p.mechanisms)),
        "<br>".join(disputes),
        "<br>".join([p.checked_on.isoformat(), *seen]),
    )
    return (
        f"<tr data-field='{escape(p.field)}' data-title='{escape(title)}'><th scope='row' {LEFT}>{named}</th>"
        + "".join(f"<td {LEFT}>{cell}</td>" for cell in cells)
        + "</tr>"
    )


def _codes(words: Iterable[str]) -> str:
    return "<br>".join(f"<code>{escape(word)}</code>" for word in words)


def _told(p: Paper) -> str:
    """What is searched: the text of a paper's row."""
    return unescape(re.sub(r"<[^>]*>", " ", _row(p, "")))


def _plain(text: str) -> str:
    """``text`` in lower case without accents: ``"Björkman"`` is found as ``"bjorkman"``."""
    apart = unicodedata.normalize("NFD", text)
    return "".join(c for c in apart if not unicodedata.category(c).startswith("M")).lower()


def _family(name: str) -> str:
    """The part of a name by which one cites: the last word, with a particle in small letters before it."""
    words = name.split()
    start = len(words) - 1
    while start > 1 and words[start - 1].islower():
        start -= 1
    return " ".join(words[start:])


def _host(page: str) -> str:
    return page.split("//", 1)[-1].split("/", 1)[0].removeprefix("www.")


def _known(
    kind: str,
    name: object,
    known: Iterable[str],
    offered: Sequence[str] | None = None,
    problem: str | None = None,
) -> str:
    """``name`` if it is among ``known``; else an error that tells the nearest of those ``offered``."""
    names = list(known)
    if isinstance(name, str) and name in names:
        return name
    offered = names if offered is None else offered
    # Half of an id is its year, so that two papers of one decade are never wholly unlike.
    near = get_close_matches(str(name).strip().lower(), offered, n=3, cutoff=0.7 if kind == "paper" else 0.5)
    if near:
        hint = f"did you mean {' or '.join(near)}?"
    elif kind == "paper" and problem is not None:
        hint = f"bibliography.table(problem={problem!r}) shows the {len(offered)} papers on this problem"
    elif kind == "paper":
        hint = f"bibliography.find('words') searches the {len(offered)} papers"
    else:
        hint = "choose from " + ", ".join(offered)
    raise BibliographyError(f"no {kind} {name!r} in the bibliography: {hint}")
