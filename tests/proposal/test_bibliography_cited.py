"""What the notebooks of Round 4 cite is in the bibliography, and is about their problem."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path

import pytest

from fourrounds.examiner.problem import find_problems, load_problem
from fourrounds.proposal import bibliography

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = {p.stem: p for p in find_problems(ROOT / "source") if p.parent.name == "round4_open_problems"}
ARXIV = re.compile(r"arXiv:?\s*(\d{4}\.\d{4,5})")
NAME = r"[A-Z][^\W\d_]+(?:-[A-Z][^\W\d_]+)*"
# "Gao et al. (2022)", "Gao, Schulman and Hilton 2022", "Okpekpe and Orvieto (2025)"
CITED = re.compile(rf"({NAME})(?: et al\.|(?:, {NAME})* and {NAME}),? \(?(20\d\d)\b")
QUOTED = re.compile(r'(?:Approach\(\s*|Objection\(\s*|against=)"(\w+)"')


def plain(name: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFD", name) if c.isalpha()).lower()


def cited(text: str) -> set[tuple[str, int]]:
    return {(plain(name), int(year)) for name, year in CITED.findall(text)}


def test_a_citation_is_seen() -> None:
    text = (
        "As Gao, Schulman and Hilton (2022) saw, and El-Mhamdi and Hoang 2024; Beirami et al. 2024 did not."
    )
    assert cited(text) == {("gao", 2022), ("elmhamdi", 2024), ("beirami", 2024)}


@pytest.mark.parametrize("slug", NOTEBOOKS)
def test_every_citation_of_a_notebook_is_in_the_bibliography(slug: str) -> None:
    papers = bibliography.papers(problem=slug)
    assert papers, slug
    problem = load_problem(NOTEBOOKS[slug])
    text = "\n".join(cell.source for cell in problem.cells if cell.cell_type == "markdown")
    numbers = set(ARXIV.findall(text))
    known = {paper.arxiv for paper in bibliography.papers()}
    assert numbers <= known, numbers - known
    family = {(plain(paper.authors[0].split()[-1]), paper.year) for paper in bibliography.papers()}
    found = cited(text)
    assert found <= family, found - family
    assert len(found & {(plain(p.authors[0].split()[-1]), p.year) for p in papers}) >= 3


@pytest.mark.parametrize("slug", NOTEBOOKS)
def test_what_the_answers_of_a_notebook_name_exists(slug: str) -> None:
    problem = load_problem(NOTEBOOKS[slug])
    sources = [problem.solution(), *(v.source for v in problem.variants)]
    named = {name for source in sources for name in QUOTED.findall(source)}
    assert len(named) >= 4
    assert all(slug in bibliography.paper(name).problems for name in named)
