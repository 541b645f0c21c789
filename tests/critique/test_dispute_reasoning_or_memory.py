"""The dispute ``reasoning_or_memory``: its outline against its text, its key, and its lab of leaked images.

Headings and tables are read out of the Markdown, so that every place that a reader sees can be cited and no
other. The numbers of the key are computed from the tables, and those of the lab from the bank's runs.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from fourrounds.critique import PaperLab, arm, check, decision, try_plan
from fourrounds.critique import score as judge
from fourrounds.critique.critics import GAMERS, expert, informed
from fourrounds.critique.key import model_answer
from fourrounds.critique.places import folded
from fourrounds.critique.report import correcting
from fourrounds.critique.trial import true_effect
from fourrounds.examiner.layout import find_root
from fourrounds.examiner.problem import load_problem
from fourrounds.runbank.families import DIGITS
from fourrounds.runbank.training.digits import _fixed, training_set
from fourrounds.runbank.training.images import digits
from support.truths import truth_of

SLUG = "reasoning_or_memory"
PROBLEM = load_problem(find_root() / "source" / "round2_critique" / f"{SLUG}.ipynb")
TEXT = "\n".join(cell.source for cell in PROBLEM.by_role("method")).split("## The calculations", 1)[0]
NAMES = truth_of(SLUG)
KEY, PAPER, LAB, TRIAL = NAMES.KEY, NAMES.PAPER, NAMES.LAB, NAMES.TRIAL
PLACES = PAPER.places()
MANY = 10**6
KEYED = {"5": 2, "6": 3}
"""How many columns together name a row of these tables; one elsewhere."""


def printed(number: str) -> tuple[list[str], list[str], list[list[str]]]:
    """The names of the rows, of the columns, and the cells of a table as it is printed."""
    lines = TEXT.split(f"**Table {number}.**", 1)[1].split("\n\n", 2)[1].splitlines()
    head, _, *rows = ([cell.strip() for cell in line.strip("|").split("|")] for line in lines)
    keyed = KEYED.get(number, 1)
    return [", ".join(row[:keyed]) for row in rows], head[keyed:], [row[keyed:] for row in rows]


def cell(number: str, row: str, column: str) -> float:
    rows, columns, cells = printed(number)
    return float(cells[rows.index(row)][columns.index(column)])


# -- the outline


def test_places_are_those_of_the_text() -> None:
    sections = re.findall(r"^(?:### |\*\*)(\d(?:\.\d)?) ", TEXT, re.M)
    assert sections == list(PAPER.sections)
    assert re.findall(r"^### ([A-Z]) ", TEXT, re.M) == list(PAPER.appendices)
    tables = re.findall(r"^\*\*Table (\d+)\.\*\*", TEXT, re.M)
    assert tables == list(PAPER.tables)
    for number in tables:
        rows, columns, _ = printed(number)
        assert [rows, columns] == list(map(list, PAPER.tables[number])), number
        assert len(set(map(folded, rows))) == len(rows)
    assert not PAPER.figures


def test_every_place_and_option_of_the_key_is_offered() -> None:
    for part in (*KEY.flaws, *KEY.decoys, *KEY.fair):
        for place in part.places:
            PAPER.find(place.plain())
    for slot, accepted in KEY.claim.items():
        assert set(accepted) <= set(map(folded, PAPER.claims[slot]))


# -- the key


def test_the_model_critique_has_everything() -> None:
    filed = NAMES.my_critique()
    assert judge(filed, KEY).critique == pytest.approx(1.0)
    assert judge(model_answer(KEY), KEY).critique == pytest.approx(1.0)
    for one in filed["findings"]:
        PAPER.find(one["at"])


@pytest.mark.parametrize("name", GAMERS)
def test_a_gamer_stays_under_a_third(name: str) -> None:
    for filed in GAMERS[name](KEY, PLACES):
        assert judge(filed, KEY, most_findings=MANY).critique < 1 / 3
        assert judge(informed(filed, KEY), KEY, most_findings=MANY).critique < 1 / 3


def test_an_expert_who_reads_a_little_differently() -> None:
    for filed in expert(KEY, PLACES):
        assert 0.4 < judge(filed, KEY).critique < 0.85


def test_both_sides_are_judged() -> None:
    for side in ("2", "3"):
        about = [
            flaw
            for flaw in KEY.flaws
            if any(at.kind == "section" and at.name[0] == side for at in flaw.places)
        ]
        assert len(about) >= 3


def test_the_debrief_shows_the_key() -> None:
    for flaw in KEY.flaws:
        told = correcting(flaw).rsplit(":", 1)[0]
        assert told in PROBLEM.debrief, flaw.id
        assert "; ".join(map(str, flaw.places)) in PROBLEM.debrief
    for decoy in KEY.decoys:
        assert decoy.fine in PROBLEM.debrief


def planted(name: str) -> Any:
    return next(flaw for flaw in KEY.flaws if flaw.id == name)


def test_the_numbers_of_the_key() -> None:
    start, random = cell("4", "default", "accuracy"), cell("1", "random", "gain")
    bare = cell("6", "Qwen2.5-Math-7B, MATH-500, without", "100")
    assert (start, bare, round(start + random, 1)) == (49.4, 72.2, 70.8)
    assert round(start + random - bare, 1) == -1.4
    assert round(start + random - bare - random, 1) == planted("prompt").effect
    python = cell("3", "Qwen2.5-Math-7B", "difference")
    latin = cell("4", "spurious", "accuracy") - start
    assert (python, round(latin, 1), round(python - latin, 1)) == (15.0, 19.4, -4.4)
    assert round(python - latin - python, 1) == planted("placebo").effect
    mixtures = {}
    for row in printed("2")[0]:
        code, of, without = (cell("2", row, column) for column in printed("2")[1])
        mixtures[row] = (code * of + (100 - code) * without) / 100
    odd = mixtures.pop("Qwen2.5-Math-7B")
    assert round(odd, 1) == 51.8
    assert round(odd - start, 1) == planted("number").effect
    alike = [cell("7", "MATH-500", column) for column in ("correct", "random", "incorrect")]
    assert alike == [0.555, 0.601, 0.563]
    fine = next(decoy for decoy in KEY.decoys if decoy.id == "mixtures")
    assert {place.spelt["row"] for place in fine.places} == set(mixtures)
    for row, mixture in mixtures.items():
        measured = cell("3", row, "as it is")
        assert abs(mixture - measured) < 0.06  # rounding to a tenth
        assert f"{measured}" in fine.fine
    assert cell("5", "Qwen2.5-Math-7B, MATH-500", "EM 60") == 54.6
    assert 1 < 4.5 / 100 * 30 < 1.5


def test_the_decoys_are_harmless() -> None:
    decoys = {decoy.id: decoy for decoy in KEY.decoys}
    rising, small, endings = (decoys[name] for name in ("rising", "small_sets", "endings"))
    for place, size in zip(rising.places, (500, 100), strict=True):
        counts = [cell("6", place.spelt["row"], column) * size / 100 for column in ("100", "80", "60", "40")]
        assert np.allclose(counts, np.round(counts))
        assert ", ".join(f"{count:.0f}" for count in counts[:3]) in rising.fine
        gap = max(counts) - min(counts)
        error = math.sqrt(sum(count * (1 - count / size) for count in (max(counts), min(counts))))
        assert gap < 2 * error
    for size, limit in ((30, 11.6), (100, 3.6)):
        assert round(100 * stats.binomtest(0, size).proportion_ci(method="exact").high, 1) == limit
        assert f"{limit}%" in small.fine
    for place, count in zip(endings.places, (5, 3), strict=True):
        assert round(cell("5", place.spelt["row"], "EM 80") * 0.3, 1) == count
        assert cell("5", place.spelt["row"], "EM 60") == 0


# -- the lab


def chosen(factors: Any, seeds: int, rates: list[float] | None = None) -> tuple[NDArray[np.float64], dict]:
    """The paired differences (seeds, items) of treated and plain, each at its own learning rate."""
    lab = PaperLab(LAB.family, factors, math.inf, marks=LAB.marks)
    more = {} if rates is None else {"lr": rates}
    runs = lab.run(arm(seeds, training=["plain", "treated"], **more))
    sides = []
    for name in ("treated", "plain"):
        mine = np.array(runs["training"]) == name
        rates = np.unique(runs["lr"][mine])
        best = max(rates, key=lambda rate: runs["val"][mine & (runs["lr"] == rate)].mean())
        sides.append(runs["correct"][mine & (runs["lr"] == best)].astype(float))
    return sides[0] - sides[1], runs


def gain(gap: NDArray[np.float64], items: NDArray[np.bool_]) -> tuple[float, float]:
    """A gain and 2.1 of its standard errors, over seeds and over items, in points."""
    inside = 100 * gap[:, items]
    error = math.sqrt(inside.mean(1).var(ddof=1) / len(inside) + inside.mean(0).var(ddof=1) / inside.shape[1])
    return round(float(inside.mean()), 1), round(2.1 * error, 1)


def test_no_training_set_of_the_lab_holds_a_fresh_image() -> None:
    assert sorted([*LAB.marks["old"], *LAB.marks["fresh"]]) == list(range(DIGITS.n_test))
    images, labels, _ = digits()
    test = _fixed()[0]
    fresh = {images[test[item]].tobytes() for item in LAB.marks["fresh"]}
    held = {}
    for factors in (LAB.factors, *(twin.factors for twin in TRIAL.twins)):
        for part in factors["training"].values():
            config = DIGITS.complete(part)
            names = ("split", "contamination", "duplicates", "repeats")
            x, y, val = training_set(3, int(config["train_size"]), *(config[name] for name in names))
            assert not fresh & {one.tobytes() for one in x}
            assert not set(val.tolist()) & set(test.tolist())
            share = float(config["contamination"])
            known = {(one.tobytes(), int(label)) for one, label in zip(x, y, strict=True)}
            held[share] = sum((images[k].tobytes(), int(labels[k])) in known for k in test)
            assert config["duplicates"] == 0
    # The first 75 and the first 150 test images, with their labels; the clean sets hold none.
    assert held == {0.0: 0, 0.3: 75, 0.6: 150}


def test_what_a_twin_is_follows_from_the_bank() -> None:
    seen = set()
    for twin in TRIAL.twins:
        effect = 100 * true_effect(TRIAL, twin.factors)
        assert (effect > 2) if twin.true else (effect < 0.5), twin.about
        gap, runs = chosen(twin.factors, 30)
        assert 100 * gap[:, runs["fresh"]].mean() == pytest.approx(effect)
        old, every = (100 * gap[:, items].mean() for items in (runs["old"], np.ones(len(runs["old"]), bool)))
        seen.add((twin.true, bool(old - effect > 2), bool(every > 1)))
    # Neither the gap nor the gain on all items is the answer: each is there and is not, with true and false.
    assert {(true, gapped) for true, gapped, _ in seen} == set(product((True, False), repeat=2))
    assert {(true, every) for true, _, every in seen} == set(product((True, False), repeat=2))


def shares(decide: Callable[[Any], Any], first: Any, draws: int = 4) -> list[float]:
    tried = [
        try_plan(first, lambda many: [decide(one) for one in many], TRIAL, np.random.default_rng(seed))
        for seed in range(draws)
    ]
    return [one.share for one in tried]


def by(measure: Callable[[NDArray[np.float64], Any], tuple[bool, float]]) -> Callable[[Any], Any]:
    """A decision from the paired differences, at the learning rates that validation prefers."""

    def decide(results: Any) -> Any:
        sides = []
        for name in ("treated", "plain"):
            mine = np.array(results["training"]) == name
            rates = np.unique(results["lr"][mine])
            best = max(rates, key=lambda rate: results["val"][mine & (results["lr"] == rate)].mean())
            sides.append(results["correct"][mine & (results["lr"] == best)].astype(float))
        real, effect = measure(sides[0] - sides[1], results)
        return decision("supported" if real else "not_supported", effect, effect - 0.03, effect + 0.03)

    return decide


def test_fresh_items_decide_and_nothing_else_does() -> None:
    first = check(NAMES.my_critique())["first"]
    assert TRIAL.lab().cost(first) == TRIAL.fair
    assert min(shares(NAMES.decide, first)) == 1.0

    def on(items: str) -> Callable[[Any], Any]:
        def measure(gap: NDArray[np.float64], results: Any) -> tuple[bool, float]:
            mean = gap[:, results[items]].mean() if items else gap.mean()
            return bool(mean > 0.01), float(mean)

        return by(measure)

    def apart(gap: NDArray[np.float64], results: Any) -> tuple[bool, float]:
        old, fresh = gap[:, results["old"]].mean(), gap[:, results["fresh"]].mean()
        return bool(gap.mean() > 0.01 and old - fresh < 0.02), float(fresh)

    assert min(shares(on("fresh"), first)) > 0.9
    assert max(shares(on(""), first)) < 0.2
    assert max(shares(on("old"), first)) < 0.1
    assert max(shares(by(apart), first)) < 0.6
    assert max(shares(lambda _: decision("supported", 0.03, -0.05, 0.11), first)) == 0.0


def test_the_numbers_of_the_lab_that_the_notebook_tells() -> None:
    told = PROBLEM.debrief + "\n".join(cell.source for cell in PROBLEM.cells)
    every = np.ones(DIGITS.n_test, dtype=bool)
    gap, runs = chosen(LAB.factors, 8, [0.03, 0.1])
    assert [gain(gap, items) for items in (every, runs["old"], runs["fresh"])] == [
        (2.3, 2.0),
        (6.4, 3.7),
        (0.0, 2.0),
    ]
    for words in ("2.3 ± 2.0 points on all items", "6.4 ± 3.7 on old ones", "0.0 ± 2.0 on fresh ones"):
        assert words in told
    gap, runs = chosen(LAB.factors, 30)
    assert [gain(gap, items)[0] for items in (every, runs["old"], runs["fresh"])] == [2.3, 6.0, 0.3]
    first, second = every & False, every & False
    first[:75], second[75:150] = True, True
    assert (gain(gap, first)[0], gain(gap, second)[0]) == (9.5, 2.5)
    treated = (np.array(runs["training"]) == "treated") & (runs["lr"] == 0.03)
    assert round(100 * runs["correct"][treated][:, first].mean(), 1) == 99.9

    def twin(about: str) -> tuple[NDArray[np.float64], dict]:
        return chosen(next(one.factors for one in TRIAL.twins if one.about == about), 30)

    gap, runs = twin("Adam, nothing leaked")
    assert (gain(gap, runs["old"])[0], gain(gap, runs["fresh"])[0]) == (2.6, 0.0)
    assert gain(gap, runs["old"])[0] > gain(gap, runs["old"])[1]
    gap, runs = twin("wider, with leaked images")
    assert (gain(gap, runs["old"])[0], gain(gap, runs["fresh"])[0]) == (7.2, 2.6)
    gap, runs = chosen(NAMES.levels({"contamination": 0.6}), 30)
    assert gain(gap, runs["fresh"])[0] == 1.2
