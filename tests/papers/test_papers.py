"""What holds for every fabricated paper: its numbers are the bank's, its flaws do harm, its decoys none."""

from __future__ import annotations

import base64
import io
import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from papers.notebook import form as make
from papers.notebook import path_of, rendered
from papers.press import Form
from papers.scores import PAGE, notebooks, page, shares, silent

from fourrounds.critique import arm, model_answer, score
from fourrounds.critique.places import folded
from fourrounds.critique.trial import true_effect
from fourrounds.examiner.grading import Examiner
from fourrounds.examiner.problem import load_problem, unwrap
from fourrounds.examiner.submission import from_sources
from papers import SLUGS

ROOT = Path(__file__).resolve().parents[2]
FORMS = (0, 1, 2)
CASES = [(slug, number) for slug in SLUGS for number in FORMS]
PAPERS = notebooks(ROOT / "source")


@cache
def form(slug: str, number: int) -> Form:
    return make(slug, number)


def cells(text: str) -> list[dict[str, Any]]:
    return json.loads(text)["cells"]


def pixels(data: str) -> np.ndarray:
    from matplotlib.image import imread

    return np.asarray(imread(io.BytesIO(base64.b64decode(data)), format="png"))


@pytest.mark.parametrize("slug", SLUGS)
def test_the_source_holds_what_the_bank_says(slug: str) -> None:
    """Every number of the paper, its tables, figures and key, computed again."""
    text = path_of(ROOT, slug).read_text(encoding="utf-8")
    number = json.loads(text)["metadata"]["fourrounds"]["form"]
    for old, new in zip(cells(text), cells(rendered(text, form(slug, number))), strict=True):
        pictures = [cell.pop("attachments", {}) for cell in (old, new)]
        assert old == new, f"python -m papers render {slug} --form {number}"
        assert pictures[0].keys() == pictures[1].keys()
        for file in pictures[0]:
            one, other = (pixels(picture[file]["image/png"]) for picture in pictures)
            assert one.shape == other.shape
            assert np.abs(one - other).mean() < 0.01, f"{file} of {slug} shows something else"


@pytest.mark.parametrize(("slug", "number"), CASES)
def test_every_flaw_changes_what_it_says(slug: str, number: int) -> None:
    key = form(slug, number).key()
    for planted, entry in zip(form(slug, number).planted, key.flaws, strict=True):
        before, after = planted.measure()
        assert abs(after - before) > 0.05, f"{planted.id} does no harm: {before} and {after}"
        assert entry.effect == pytest.approx(after - before, abs=0.006)
        if planted.headline:
            assert before > 0, f"{planted.id}: the paper's own number does not support its claim"
            assert planted.survives == (after > 0), f"{planted.id}: {before} becomes {after}"
        if planted.severity == "fatal":
            assert planted.headline
            assert not planted.survives


@pytest.mark.parametrize(("slug", "number"), CASES)
def test_every_decoy_is_harmless(slug: str, number: int) -> None:
    assert len(form(slug, number).decoys) >= 4
    for decoy in form(slug, number).decoys:
        before, after = decoy.measure()
        assert abs(after - before) <= decoy.within, f"{decoy.id}: {before} and {after}"


@pytest.mark.parametrize(("slug", "number"), CASES)
def test_every_place_of_the_key_is_in_the_paper(slug: str, number: int) -> None:
    made = form(slug, number)
    key, paper = made.key(), made.paper()
    for part in (*key.flaws, *key.decoys, *key.fair):
        for place in part.places:
            paper.find(place.plain())
    for slot, options in key.claim.items():
        assert set(options) <= {folded(option) for option in made.claims[slot]}


@pytest.mark.parametrize(("slug", "number"), CASES)
def test_the_outline_is_that_of_the_text(slug: str, number: int) -> None:
    made = form(slug, number)
    text = "\n".join(page for page, _ in made.pages())
    outline = made.outline()
    headings = re.findall(r"^#{2,3} (?:Appendix )?([A-Z0-9](?:\.?[0-9]+)*)\.? ", text, flags=re.MULTILINE)
    assert headings == [*outline["sections"][1:], *outline["appendices"]]
    shown = re.findall(r"^\*\*Table (\S+)\.\*\* .*\n\n((?:\|.*\n?)+)", text, flags=re.MULTILINE)
    assert [name for name, _ in shown] == list(outline["tables"])
    for name, body in shown:
        rows = [[cell.strip() for cell in line.strip("|\n ").split("|")] for line in body.strip().split("\n")]
        assert ([row[0] for row in rows[2:]], rows[0][1:]) == outline["tables"][name]
    assert re.findall(r"^\*\*Figure (\S+)\.\*\* ", text, flags=re.MULTILINE) == outline["figures"]
    for kind, names in (("Table", outline["tables"]), ("Figure", outline["figures"])):
        for name in names:
            cited = re.sub(rf"^\*\*{kind} {name}\.\*\*.*$", "", text, flags=re.MULTILINE)
            assert re.search(rf"{kind}s? (?:\S+ and )?{name}\b|and {name}\b", cited), (
                f"{kind} {name} is never cited"
            )


@pytest.mark.parametrize("slug", SLUGS)
def test_another_number_is_another_paper(slug: str) -> None:
    texts = ["\n".join(page for page, _ in form(slug, number).pages()) for number in FORMS]
    assert len(set(texts)) == len(FORMS)
    sites = [{(one.id, str(one.places[0])) for one in form(slug, number).planted} for number in FORMS]
    assert not sites[0] or (sites[1] != sites[0] and sites[2] != sites[0])


@pytest.mark.parametrize(("slug", "number"), CASES)
def test_each_form_scores(slug: str, number: int) -> None:
    made = form(slug, number)
    key = made.key()
    assert score(model_answer(key), key).critique == 1.0
    assert key.sound or 4 <= len(key.flaws) <= 6


@pytest.mark.parametrize("slug", SLUGS)
def test_a_parallel_form_is_graded_as_the_published_one(slug: str, tmp_path: Path) -> None:
    text = rendered(path_of(ROOT, slug).read_text(encoding="utf-8"), form(slug, 1))
    path = path_of(tmp_path, slug)
    path.parent.mkdir(parents=True)
    path.write_text(text, encoding="utf-8")
    problem = load_problem(path)
    with Examiner() as examiner:
        for extra in ("", *(variant.source for variant in problem.variants)):
            sources = {
                cell.grade_id: re.sub(r".*(?:BEGIN|END) SOLUTION.*\n?", "", cell.source)
                + (f"\n\n\n{extra}" if cell.role == "answer" else "")
                for cell in problem.cells
                if cell.is_answer
            }
            report = examiner.grade(problem, from_sources(problem, sources), seed=3)
            lost = [c for c in report.cells if c.points is not None and c.points < c.max_points]
            assert not lost, [(c.group, c.kind, c.points, c.message) for c in lost]


@pytest.mark.parametrize("slug", SLUGS)
def test_the_twins_are_what_they_are_said_to_be(slug: str) -> None:
    """As many true ones as false; better by a point or more, or no better; the paper's own among them."""
    trial = form(slug, 0).trial
    effects = {twin.about: true_effect(trial, twin.factors) for twin in trial.twins}
    assert len(effects) == len(trial.twins) >= 8
    assert sum(twin.true for twin in trial.twins) * 2 == len(trial.twins)
    for twin in trial.twins:
        assert (effects[twin.about] >= 0.01) if twin.true else (effects[twin.about] <= 0.005), twin.about
        assert twin.factors.keys() == trial.factors.keys()
        assert all(twin.factors[name].keys() == levels.keys() for name, levels in trial.factors.items())
    assert true_effect(trial, trial.factors) in effects.values()
    assert trial.lab().cost([arm(**one) for one in form(slug, 0).first]) <= trial.fair


# -- the scores of the round


@pytest.mark.parametrize("one", PAPERS, ids=lambda one: one.slug)
def test_playing_for_points_pays_less_than_a_third(one: Any) -> None:
    found = shares(one)
    assert found["model"][0] >= 0.9
    if one.key.sound:
        assert silent(one) < 1 / 3
        return
    assert 0.35 <= found["an expert"][0] <= 0.9
    for name, (plain, knowing) in found.items():
        if name not in ("model", "an expert"):
            assert plain < found["model"][0] / 3, name
            assert knowing < found["model"][0] / 3, name


def test_playing_pays_less_than_a_third_over_the_series() -> None:
    tables = [shares(one) for one in PAPERS]
    names = [name for name in tables[0] if name not in ("model", "an expert")]
    model = sum(table["model"][0] for table in tables)
    for name in names:
        assert sum(table[name][0] for table in tables) < model / 3, name
        assert sum(table[name][1] for table in tables) < model / 3, name


def test_the_page_of_scores_is_up_to_date() -> None:
    assert (ROOT / PAGE).read_text(encoding="utf-8") == page(PAPERS), "python -m papers scores"


def test_one_of_the_fabricated_papers_is_sound() -> None:
    assert sum(one.key.sound for one in PAPERS) == 1
    assert {one.slug for one in PAPERS} > set(SLUGS)


# -- what stays in the clone


def secrets(slug: str) -> list[str]:
    """Sentences of the key and of the trial, which nothing that a learner gets may hold."""
    made = form(
        slug, json.loads(path_of(ROOT, slug).read_text(encoding="utf-8"))["metadata"]["fourrounds"]["form"]
    )
    key = made.key_data()
    texts = [one["corrected"] for one in key["flaws"]] + [one["fine"] for one in key["decoys"]]
    return [*texts, *(twin.about for twin in made.trial.twins), made.falsifier]


@pytest.mark.parametrize("folder", ["release", "src/fourrounds"])
def test_no_key_is_released_or_installed(folder: str) -> None:
    files = [
        path
        for path in (ROOT / folder).rglob("*")
        if path.suffix in (".py", ".ipynb", ".json", ".md", ".txt")
    ]
    assert len(files) > 5
    held = {path: path.read_text(encoding="utf-8") for path in files}
    for slug in SLUGS:
        assert any(text in unwrap(path_of(ROOT, slug).read_text(encoding="utf-8")) for text in secrets(slug))
        for text in secrets(slug):
            told = json.dumps(text)[1:-1]
            assert [path for path, source in held.items() if told in source or text in source] == []
        assert [path for path in files if path.name == f"{slug}.py"] == []


LOOKING = """
import os

def look(names):
    found = []
    for folder, inside, files in os.walk("/"):
        inside[:] = [name for name in inside if name not in ("proc", "sys", "dev", "site-packages")]
        found += [os.path.join(folder, name) for name in (*inside, *files) if name in names]
    try:
        import papers
    except ImportError:
        pass
    else:
        found.append("papers can be imported")
    return found
"""


def test_no_key_is_in_the_sandbox() -> None:
    import time

    from fourrounds.answers.sandbox import Limits, best_sandbox

    names = ["papers", "press.py", *(f"{slug}{kind}" for slug in SLUGS for kind in (".py", ".ipynb"))]
    sandbox, probe = best_sandbox()
    if probe.level == "process":
        pytest.skip("the weakest level hides no files")
    with sandbox:
        answer = sandbox.open(Limits())
        assert answer.run(LOOKING, "a look around", time.monotonic() + 60).error is None
        session = answer.session(0)
        (result,) = session.call("look", [((names,), {})], time.monotonic() + 60)
        session.close()
        answer.close()
    # The bibliography of the open problems is there to be read.
    assert result.value == ["/site/fourrounds/proposal/papers"]
