"""The bibliography: every entry in its form, each reference to what exists, the table and the search.

That an entry is true was checked by reading; what a test can hold is that each says where and when.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from collections import Counter
from dataclasses import replace
from datetime import date
from html import escape
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from fourrounds.proposal import bibliography
from fourrounds.proposal.bibliography import (
    BibliographyError,
    Dispute,
    Mechanisms,
    Paper,
    Table,
    disputed_by,
    find,
    load,
    mechanism,
    mechanisms,
    paper,
    papers,
    table,
)

PAPERS = load().papers
IDS = [p.id for p in PAPERS]
MECHANISMS = {m.name: m for m in load().mechanisms}
PROBLEMS = {slug: field for slug, field, _ in load().problems}
FIRST, LAST = 2015, 2026
# Where software is handed out, and not papers.
REGISTRIES = ("pypi.org", "npmjs.com", "conda.io", "anaconda.org", "crates.io", "proxy.golang.org")


def sentence(text: str) -> bool:
    """One sentence of at most 200 characters, in plain characters, without dashes between clauses."""
    return (
        15 < len(text) <= 200
        and text[0].isupper()
        and text.endswith(".")
        and not re.search(r"[.!?;] ", text)
        and not re.search(r"[—–]|\s{2}|\n", text)
        and text == text.strip()
    )


@pytest.mark.parametrize("p", PAPERS, ids=IDS)
def test_an_entry_is_in_its_form(p: Paper) -> None:
    assert re.fullmatch(r"[a-z]+(19|20)\d\d[a-z]?", p.id)
    assert int(re.sub(r"\D", "", p.id)) == p.year
    assert FIRST <= p.year <= LAST
    assert bibliography._plain(p.authors[0]).replace("-", "").split()[-1] == re.match(r"[a-z]+", p.id)[0]  # type: ignore[index]
    assert all(re.fullmatch(r"[^\W\d_][^\d_]*[^\W\d_.]", name) for name in p.authors)
    assert len(p.title) > 15
    assert p.title == p.title.strip().rstrip(".")
    if p.arxiv:
        assert re.fullmatch(r"\d{4}\.\d{5}", p.arxiv)
        assert 1 <= int(p.arxiv[2:4]) <= 12
        assert 2000 + int(p.arxiv[:2]) == p.year
    else:
        assert p.venue
        assert p.url.startswith("https://")
    for year in re.findall(r"\b(?:19|20)\d\d\b", p.venue):
        assert p.year <= int(year) <= p.year + 2


@pytest.mark.parametrize("p", PAPERS, ids=IDS)
def test_what_is_said_of_a_paper_is_one_sentence_each(p: Paper) -> None:
    assert [t for t in (p.shows, p.stops, *(d.what for d in p.disputes)) if not sentence(t)] == []
    assert all(d.what.startswith("That ") for d in p.disputes)


@pytest.mark.parametrize("p", PAPERS, ids=IDS)
def test_an_entry_says_where_and_when_it_was_checked(p: Paper) -> None:
    assert p.checked
    for page in p.checked:
        parts = urlsplit(page)
        assert parts.scheme in {"http", "https"}
        assert re.fullmatch(r"[a-z0-9-]+(\.[a-z0-9-]+)+", parts.netloc)
        assert not parts.netloc.endswith(REGISTRIES)
        assert not re.search(r"\s", page)
    assert type(p.checked_on) is date
    assert date(p.year, 1, 1) < p.checked_on <= date.today()


@pytest.mark.parametrize("p", PAPERS, ids=IDS)
def test_what_an_entry_refers_to_exists(p: Paper) -> None:
    assert {PROBLEMS[problem] for problem in p.problems} == {p.field}
    assert {MECHANISMS[name].problem for name in p.mechanisms} == set(p.problems)
    for several in (p.problems, p.mechanisms, p.checked, [d.of for d in p.disputes]):
        assert len(set(several)) == len(several)
    for dispute in p.disputes:
        assert dispute.by == p.id != dispute.of
        assert set(paper(dispute.of).problems) & set(p.problems)


def test_no_two_entries_are_one_paper() -> None:
    assert len(set(IDS)) == len(IDS)
    for several in ([p.title.lower() for p in PAPERS], [p.url for p in PAPERS], [p.shows for p in PAPERS]):
        assert [what for what, n in Counter(several).items() if n > 1] == []


def test_every_field_and_problem_has_enough_papers_and_one_that_disagrees() -> None:
    assert tuple(slug for slug, _ in load().fields) == bibliography.FIELDS
    assert Counter(PROBLEMS.values()) == dict.fromkeys(bibliography.FIELDS, 2)
    assert min(len(papers(field)) for field in bibliography.FIELDS) >= 10
    for problem in PROBLEMS:
        mine = papers(problem=problem)
        assert len(mine) >= 4
        disputed = {d.of for p in mine for d in p.disputes}
        assert disputed & {p.id for p in mine}


def test_every_mechanism_is_said_in_a_sentence_and_treated_by_a_paper() -> None:
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*", name) for name in (*MECHANISMS, *PROBLEMS))
    assert [m.name for m in MECHANISMS.values() if not sentence(m.says)] == []
    assert len({m.says for m in MECHANISMS.values()}) == len(MECHANISMS) == len(load().mechanisms)
    assert [name for name in MECHANISMS if not papers(mechanism=name)] == []
    # A wrong one can be picked.
    assert min(len(mechanisms(problem)) for problem in PROBLEMS) >= 3


def test_papers_are_picked_by_field_problem_and_mechanism_together() -> None:
    assert papers() == PAPERS
    assert {p.field for p in papers("alignment")} == {"alignment"}
    picked = papers("alignment", "over_optimisation", "heavy_tailed_proxy_error")
    assert [p.id for p in picked] == ["manheim2018", "kwa2024", "elmhamdi2024"]
    assert papers("retrieval", "over_optimisation") == ()
    assert [m.name for m in mechanisms("fixed_state")] == [
        "state_size",
        "key_interference",
        "narrow_learning_rate",
        "input_order",
    ]
    assert mechanism("cone_effect").problem == "modality_gap"


def test_mechanisms_are_read_as_a_table_and_used_as_a_tuple() -> None:
    found = mechanisms("order_blind")
    assert found == tuple(m for m in load().mechanisms if m.problem == "order_blind")
    assert found[0].name in repr(found)
    assert len(str(found).splitlines()) == len(found)
    page = found._repr_html_()
    for one in found:
        assert f"<code>{one.name}</code>" in page
        assert escape(one.says) in page
    assert "<b>" not in Mechanisms([replace(found[0], says="<b>")])._repr_html_()


def test_a_slip_is_answered_with_the_nearest() -> None:
    with pytest.raises(BibliographyError, match=r"no paper 'robinson2021'.*did you mean robinson2020"):
        paper("robinson2021")
    with pytest.raises(BibliographyError, match=r"did you mean gao2022"):
        disputed_by(" GAO2022")
    with pytest.raises(BibliographyError, match=rf"find\('words'\) searches the {len(IDS)} papers"):
        paper("???")
    with pytest.raises(BibliographyError, match=r"did you mean kl_budget"):
        papers(mechanism="kl budget")
    with pytest.raises(BibliographyError, match=r"choose from retrieval, alignment, .*multimodal"):
        papers("xyz")
    with pytest.raises(BibliographyError, match=r"did you mean modality_gap"):
        mechanisms("modality-gap")
    with pytest.raises(BibliographyError, match=r"no paper None"):
        paper(None)  # type: ignore[arg-type]


def test_a_slip_in_a_problem_is_answered_from_that_problem() -> None:
    with pytest.raises(BibliographyError, match=r"did you mean radford2021\?$"):
        paper("radford2012", "order_blind")
    mine = papers(problem="order_blind")
    for other in ("gao2023", "vaswani2017", "???"):  # near to a paper of another problem, and to none at all
        with pytest.raises(BibliographyError, match=rf"'order_blind'\) shows the {len(mine)} papers on"):
            paper(other, "order_blind")
    with pytest.raises(BibliographyError) as told:
        mechanism("???", "order_blind")
    assert str(told.value).endswith(": choose from " + ", ".join(m.name for m in mechanisms("order_blind")))
    # What exists is found, whatever it is about.
    assert paper("gao2022", "order_blind").id == "gao2022"
    assert mechanism("kl_budget", "order_blind").problem == "over_optimisation"
    with pytest.raises(BibliographyError, match="no problem 'order'"):
        paper("gao2023", "order")


def test_a_table_is_gone_through_like_a_list() -> None:
    rows = table(problem="order_blind")
    assert list(rows) == list(rows.papers)
    assert [p.id for p in find("sugarcrepe")] == ["hsieh2023"]
    assert paper("hsieh2023") in rows
    assert paper("gao2022") not in rows


def test_who_disputes_a_paper_is_told_from_its_side_too() -> None:
    assert {d.by for d in disputed_by("yue2025")} == {"liu2025", "wen2025"}
    assert disputed_by("wang2026") == ()
    (dispute,) = disputed_by("weller2025")
    assert dispute == paper("wang2026").disputes[0]
    assert f"disputed by wang2026: {dispute.what}" in str(paper("weller2025"))


def test_authors_are_cited_as_one_cites_them() -> None:
    assert paper("gao2022").by == "Gao et al."
    assert paper("reimers2020").by == "Reimers and Gurevych"
    assert paper("eslami2024").by == "Eslami and de Melo"
    assert paper("yi2019").by == "Yi et al."
    assert paper("gao2022").where == "ICML 2023, arXiv 2210.10760"


def test_find_looks_at_all_text_for_every_word_whatever_case_and_accents() -> None:
    assert [p.id for p in find("2508.21038").papers] == ["weller2025"]
    assert [p.id for p in find("BJORKMAN").papers] == ["shi2023"]
    assert "wang2026" in [p.id for p in find("weller2025").papers]
    assert {p.id for p in find("narrow_learning_rate").papers} == {"okpekpe2025"}
    both = {p.id for p in find("retrieval clustering").papers}
    assert "grassucci2026" in both
    assert both < {p.id for p in find("retrieval").papers}
    assert len(find("no such words anywhere")) == 0
    assert len(find("  ")) == len(PAPERS)
    assert {p.field for p in table("multimodal").find("clip").papers} == {"multimodal"}


class Page(HTMLParser):
    """The elements of a piece of HTML with their attributes, and the text outside style and script."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in {"br", "input"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1] not in {"style", "script"}:
            self.text += data + " "

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for seen, attributes in self.seen if seen == tag]


def test_the_table_is_complete_without_its_script() -> None:
    page = Page(table()._repr_html_())
    assert page.open == []
    rows = page.all("tr")
    assert len(rows) == len(PAPERS) + 1
    for p in PAPERS:
        told = [p.id, p.title, str(p.year), p.shows, p.stops, *p.authors, *p.mechanisms, *p.problems]
        told += [text for d in (*p.disputes, *disputed_by(p.id)) for text in (d.by, d.of, d.what)]
        assert [text for text in told if text not in page.text] == []
    links = {a["href"] for a in page.all("a")}
    assert links == {p.url for p in PAPERS} | {url for p in PAPERS for url in p.checked}
    # A box would do nothing without the script, which makes it.
    assert page.all("input") == page.all("select") == []
    assert "bibliography.find('words')" in page.text


def test_the_table_can_be_read_by_ear_and_in_the_dark() -> None:
    shown = table("alignment")._repr_html_()
    page = Page(shown)
    assert len(page.all("caption")) == 1
    assert [a["scope"] for a in page.all("th")] == ["col"] * 6 + ["row"] * len(papers("alignment"))
    # JupyterLab sets cells to the right, and drops the style sheet where it does not trust the notebook.
    assert {a["style"] for tag in ("th", "td") for a in page.all(tag)} == {
        "text-align:left;vertical-align:top"
    }
    assert shown.count('made("label", {}, "') == 2
    assert 'setAttribute("role", "status")' in shown
    # Every colour is one of the theme's, with a fallback of the browser's own.
    colours = re.findall(r"(?:color|background|border[\w-]*): ([^;]+);", bibliography.STYLE)
    assert len(colours) >= 8
    for colour in colours:
        assert re.search(r"var\(--jp-[\w-]+, [A-Za-z]+\)", colour) or colour == "collapse"


def test_one_table_is_always_the_same_html() -> None:
    assert table()._repr_html_() == table()._repr_html_()
    assert " id=" not in table()._repr_html_()


def test_what_stands_in_a_paper_cannot_act_on_the_page() -> None:
    bad = "<img src=x onerror=alert(1)>'\"</td></table><script>alert(2)</script>"
    evil = Paper(
        id=bad,
        field=bad,
        problems=(bad,),
        title=bad,
        authors=(bad,),
        others=True,
        year=2024,
        arxiv=bad,
        venue=bad,
        url="https://a.b/'" + bad,
        shows=bad,
        stops=bad,
        mechanisms=(bad,),
        disputes=(Dispute(bad, bad, bad),),
        checked=("https://a.b/'" + bad,),
        checked_on=date(2026, 1, 1),
    )
    known = bibliography.disputed_by
    bibliography.disputed_by = lambda id: (Dispute(bad, bad, bad),)  # type: ignore[assignment]
    try:
        page = Page(Table((evil,), bad)._repr_html_())
    finally:
        bibliography.disputed_by = known
    assert page.open == []
    assert page.all("img") == []
    assert len(page.all("script")) == len(page.all("table")) == 1
    assert {name for _, attributes in page.seen for name in attributes} <= {
        "aria-label",
        "class",
        "data-field",
        "data-title",
        "href",
        "role",
        "scope",
        "style",
        "tabindex",
    }
    # Title, where, authors, shows, stops and the rest: all of it is there, as text.
    assert page.text.count(bad) >= 14


def test_the_table_as_text_has_every_paper() -> None:
    told = str(find("over_optimisation"))
    assert told == repr(find("over_optimisation"))
    first, *rest = told.splitlines()
    assert first == "Papers: all fields, with “over_optimisation” (9)"
    assert [line.partition(":")[0] for line in rest if not line.startswith(" ")] == [
        p.id for p in papers(problem="over_optimisation")
    ]
    assert f"  shows: {paper('gao2022').shows}" in rest
    assert str(table("alignment", "over_optimisation")).startswith(
        "Papers: Alignment, Over-optimisation of a learned reward (9)"
    )


def test_a_file_out_of_its_form_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in bibliography.FIELDS:
        (tmp_path / f"{name}.toml").write_bytes((bibliography.DATA / f"{name}.toml").read_bytes())
    spoilt = tmp_path / "alignment.toml"
    spoilt.write_text(
        spoilt.read_text(encoding="utf-8").replace("\nshows = ", "\nshow = ", 1), encoding="utf-8"
    )
    monkeypatch.setattr(bibliography, "DATA", tmp_path)
    with pytest.raises(BibliographyError, match=r"alignment\.toml cannot be read: KeyError 'shows'"):
        load.__wrapped__()
    spoilt.unlink()
    with pytest.raises(BibliographyError, match=r"alignment\.toml cannot be read: FileNotFoundError"):
        load.__wrapped__()


def test_the_files_are_packaged() -> None:
    files = sorted(path.name for path in bibliography.DATA.iterdir())
    assert files == sorted(f"{field}.toml" for field in bibliography.FIELDS)
    project = Path(__file__).parents[2] / "pyproject.toml"
    packaged = tomllib.loads(project.read_text(encoding="utf-8"))["tool"]["setuptools"]["package-data"]
    assert "proposal/papers/*" in packaged["fourrounds"]


def test_it_runs_where_there_is_only_the_standard_library_and_its_files(tmp_path: Path) -> None:
    package = tmp_path / "proposal"
    shutil.copytree(bibliography.DATA, package / "papers")
    shutil.copy(bibliography.__file__, package)
    code = f"""
import sys
sys.path.insert(0, {str(package)!r})
import bibliography
print([p.id for p in bibliography.papers(problem="fixed_state", mechanism="narrow_learning_rate")])
print(len(bibliography.find("gao2022")) > 1, "<table" in bibliography.table()._repr_html_())
try:
    bibliography.paper("gao2021")
except bibliography.BibliographyError as error:
    print(error)
"""
    # -I and -S: no PYTHONPATH, no site-packages.
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    first, second, third = done.stdout.splitlines()
    assert (first, second) == ("['okpekpe2025']", "True True")
    assert "did you mean gao2022" in third
