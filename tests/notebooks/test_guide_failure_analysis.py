"""Chapter 4, Failure analysis: its numbers follow from bank and source/, its checks say what is wrong."""

from __future__ import annotations

import itertools
import math
import re
from collections import Counter
from typing import Any

import numpy as np
import pytest

from fourrounds.examiner.layout import Layout, find_root
from fourrounds.runbank.findings import Contrast, effect, judge
from fourrounds.runbank.table import Runs, load
from support.guide import chapter

CHAPTER = chapter("04_failure_analysis")
PROSE = CHAPTER.prose
IDEAS: dict[str, dict[str, Any]] = {
    "layer norm": {"norm": "layer"},
    "batch norm": {"norm": "batch"},
    "weight decay 0.01": {"weight_decay": 0.01},
    "mixup 0.2": {"mixup": 0.2},
    "mixup 1": {"mixup": 1.0},
    "dropout 0.2": {"dropout": 0.2},
    "smoothing 0.1": {"smoothing": 0.1},
    "smoothing 0.3": {"smoothing": 0.3},
    "Adam": {"optimiser": "adam"},
}


def runs(family: str, **changes: Any) -> Runs:
    bank = load(family)
    return bank.of(bank.family.complete(changes))


def says(*sentences: str) -> None:
    for sentence in sentences:
        assert sentence in PROSE


# The prose is checked against the bank below; here, that the reader sees the same numbers above it.
@pytest.mark.parametrize(
    ("cell", "text"),
    [
        ("kinds", "A          20.8          21.7         21.1                   nan                   99.7"),
        ("kinds", "B          28.8          41.6          6.3                  27.9                   28.8"),
        ("kinds", "C          36.9          37.1         37.0                 100.0                    8.4"),
        ("neighbours", "as run: 22.3%, the best of 30 has 44.0%"),
        ("neighbours", "repaired: 9 of 34 neighbours, 4 of them by the rate"),
        ("prediction", "effective step 0.03  predicted 72.6, found 75.3, +2.8"),
        ("prediction", "effective step 1.0   predicted 87.4, found 16.5, -70.9"),
        ("lattice", "mixer           -1.0             +51.3                  8"),
        ("lattice", "pairs           +0.0             +38.0                  8"),
        ("lattice", "width           +0.0             +51.1                  8"),
        ("lattice", "lr              -0.4              -3.4                  0"),
        ("lattice", "tests: adding 4, turning back 4, bisection 2, all 16"),
        ("flaky", "any seed: 5.6% fail, 84 runs a test for 95%, 504 in all; one run a test ends right 2%"),
        ("flaky", "fails: 66.7% fail, 5 runs a test for 95%, 30 in all"),
        ("map", "where it wins: 2 settings, mean +1.2; all nine: mean -1.4"),
        ("nothing", "significant: 0 of 9 with 5 pairs, 5 of 9 with 30"),
    ],
)
def test_what_the_cells_print(cell: str, text: str) -> None:
    assert text in CHAPTER.printed[cell]


# -- 1. the kind of a failure


def test_three_failures_and_what_moves_them() -> None:
    late, stuck, unstable = (
        runs("recall", train_size=256, lr=0.003),
        runs("recall", mixer="window", lr=0.01),
        runs("recall", width=32, lr=0.1),
    )
    assert all(20 < 100 * found.test.mean() < 40 for found in (late, stuck, unstable))
    says(
        "All three end between 20 and 40%.",
        f"Three times the learning rate, and it has "
        f"{100 * runs('recall', train_size=256, lr=0.01).test.mean():.1f}%.",
        f"A third of the rate, and it has {100 * runs('recall', width=32, lr=0.03).test.mean():.1f}%.",
    )
    # What the curves show: still rising, flat, and past a best that was reached at once.
    assert late.test_curve.mean(0).argmax() == 9
    rising = np.diff(late.test_curve.mean(0))
    assert rising[-1] == max(rising)
    assert np.ptp(stuck.test_curve.mean(0)[4:]) < 0.01
    assert unstable.test_curve[:, 0].mean() > 0.95
    assert (np.diff(unstable.test_curve.mean(0))[2:] < 0).all()
    by_query = {
        name: 100 * found.correct.reshape(30, -1, 8).mean((0, 1))
        for name, found in (("late", late), ("stuck", stuck), ("unstable", unstable))
    }
    first, last = by_query["stuck"][[0, -1]]
    says(f"it answers {first:.0f}% of the first queries and {last:.0f}% of the last")
    assert last == pytest.approx(100 * load("recall").family.chance, abs=1)
    assert max(abs(by_query[name][0] - by_query[name][-1]) for name in ("late", "unstable")) < 1
    moved = [runs("recall", mixer="window", lr=lr).test.mean() - stuck.test.mean() for lr in (0.003, 0.03)]
    assert max(map(abs, moved)) < 0.01


# -- 2. repairs and causes


def test_what_repairs_a_rate_of_0_3() -> None:
    family = load("digits").family
    here = family.complete({"lr": 0.3})
    near = [c for c in family.configurations() if sum(c[n] != here[n] for n in family.names) == 1]
    works = [c for c in near if load("digits").of(c).test.mean() > 0.7]
    changed = Counter(next(n for n in family.names if c[n] != here[n]) for c in works)
    assert (len(works), len(near)) == (9, 34)
    assert changed == {"lr": 4, "norm": 2, "smoothing": 2, "optimiser": 1}
    says("Nine of 34 neighbours repair it, in four ways", "nine of 34 neighbours, in four ways")
    assert runs("digits", lr=0.3).test.max() < 0.45  # "all 30 runs fail"
    assert all(c["lr"] <= here["lr"] for c in works)  # "a smaller rate"


def test_a_prediction_that_holds_four_times_in_five() -> None:
    rates = (0.001, 0.003, 0.01, 0.03, 0.1)
    theirs = [100 * runs("digits", lr=lr).test.mean() for lr in rates]
    ours = [100 * runs("digits", optimiser="sgd", lr=round(10 * lr, 3)).test.mean() for lr in rates]
    off = np.subtract(ours, theirs)
    says(
        f"At four rates the prediction holds within {abs(off[:4]).max():.1f} points, over a range from "
        f"{min(theirs[:4]):.0f} to {max(theirs[:4]):.0f}%",
        f"At the fifth it is wrong by {-off[4]:.0f} points",
        f"right at four rates, wrong by {-off[4]:.0f} points at the fifth",
    )


# -- 3. bisection and ablation


def test_each_change_is_innocent_alone() -> None:
    working: dict[str, Any] = {"mixer": "softmax", "pairs": 4, "width": 32, "lr": 0.01}
    broken: dict[str, Any] = {"mixer": "linear", "pairs": 16, "width": 8, "lr": 0.03}

    def accuracy(made: Any) -> float:
        return 100 * runs("recall", **{n: (broken if n in made else working)[n] for n in working}).test.mean()

    whole, nothing = accuracy(working), accuracy(())
    assert max(nothing - accuracy({name}) for name in working) < 1.05
    says("Added alone, no change costs more than 1.0 points.")
    back = {name: accuracy(set(working) - {name}) for name in working}
    repairs = {name for name in working if back[name] > 65}
    assert repairs == {"mixer", "pairs", "width"}
    says(f"lifts it from {whole:.0f}% to {min(back[name] for name in repairs):.0f}% or more.")
    # The first state of an order that fails, by walking through it: bisection must find the same.
    blamed = Counter()
    for order in itertools.permutations(working):
        fails = next(i for i in range(1, 5) if accuracy(order[:i]) < 65)
        assert CHAPTER.names["bisect"](list(order))[0] == order[fails - 1]
        assert order[fails - 1] == max(repairs, key=order.index)
        blamed[order[fails - 1]] += 1
    assert blamed == {"mixer": 8, "pairs": 8, "width": 8}
    says("Bisection blames whichever of the three came last, eight orders each.")
    assert math.ceil(math.log2(64)) == 6  # "6 tests against 64"


# -- 4. a rare failure


def test_a_rare_failure_is_made_frequent() -> None:
    bank = load("recall")
    found = bank.where(**bank.family.complete({"mixer": "linear", "width": 8, "lr": 0.03}))
    found = found[found["init_seed"] >= 100]
    failed = found.test < 0.5
    same = found["init_seed"] == found["init_seed"][failed][0]
    assert (failed & ~same).sum() == 0
    says(f"where {failed.sum()} of {len(found)} runs fail, all of them from one initialisation")

    def needed(share: float) -> int:
        return next(k for k in range(1, 1000) if (1 - (1 - share) ** k) ** 6 >= 0.95)

    often, rarely = needed(failed[same].mean()), needed(failed.mean())
    says(
        f"Done properly it takes {6 * rarely} runs, {rarely} at each of six tests.",
        f"to the one that fails, and {6 * often} do.",
        f"{6 * rarely} runs become {6 * often}",
    )
    # One run a test: right only if each test of a bad state happens to fail.
    share = np.mean([failed.mean() ** (bin(culprit).count("1")) for culprit in range(64)])
    assert round(100 * (1 - share)) == 98
    says("the search ends at the wrong change 98 times in 100")
    assert failed[same].mean() == pytest.approx(2 / 3)  # "two in three"
    assert 1 / 19 < failed.mean() < 1 / 15  # "one in twenty"


# -- 5. the drawer


def gain(idea: str) -> np.ndarray:
    return 100 * (CHAPTER.names["tuned"]("digits", **IDEAS[idea]).test - CHAPTER.names["baseline"])


def test_what_a_reader_of_reports_believes() -> None:
    assert {idea: CHAPTER.names["ideas"][idea] for idea in IDEAS} == CHAPTER.names["ideas"] == IDEAS
    told = CHAPTER.names["told"]
    for idea, changes in IDEAS.items():
        truth = judge(Contrast("digits", "", changes, {})).tuned
        assert gain(idea).mean() == pytest.approx(100 * truth.mean)
        assert told[idea][2] == pytest.approx(100 * truth.mean, abs=0.05)  # "their mean is right for each"
    assert sum(gain(idea).mean() < 0 for idea in IDEAS) == 4
    reported = [ours for _, ours, _ in told.values()]
    assert 0.9 < min(reported) < 1.2
    assert 2.35 < max(reported) < 2.45
    says("of about 1 to 2.4 points, and four of the nine cost accuracy")
    says(
        f"layer norm, with a true gain of {gain('layer norm').mean():+.2f}, looks like Adam, with "
        f"{gain('Adam').mean():+.2f}: they report {told['layer norm'][1]:+.1f} and {told['Adam'][1]:+.1f}."
    )
    # The same again, all experiments of five pairs from other draws, one after the other.
    rng = np.random.default_rng(77)
    found = [effect(gain("layer norm")[rng.integers(30, size=5)]) for _ in range(4000)]
    ours = [one.mean for one in found if one.low > 0]
    assert 100 * len(ours) / 4000 == pytest.approx(told["layer norm"][0], abs=0.8)
    assert np.mean(ours) == pytest.approx(told["layer norm"][1], abs=0.15)


def test_the_wins_alone_teach_the_wrong_law() -> None:
    table = np.array(
        [
            [
                100
                * judge(
                    Contrast(
                        "transfer",
                        "",
                        {"method": "lora", "rank": 4, "source": source, "train_size": size},
                        {"source": source, "train_size": size},
                    )
                ).tuned.mean
                for size in (20, 50, 150)
            ]
            for source in ("same", "other", "inverted")
        ]
    )
    np.testing.assert_allclose(table, CHAPTER.names["table"])
    assert (table > 0).tolist() == [[True, True, False], [False] * 3, [False] * 3]
    assert table[0, 0] > table[0, 1] > table[0, 2]  # fewer images, more gain
    assert table[1, 0] < table[1, 1] < table[1, 2]  # and the other way round from another source
    says(f"they would expect a gain, and lose {-table[1, 0]:.1f} points", "two wins of nine")
    alt = CHAPTER.printed["map"]
    assert f"{table[0, 0]:+.1f} with 20 images, {table[0, 1]:+.1f} with 50" in alt
    assert f"it loses {-table[1:].max():.1f} to {-table[1:].min():.1f} points" in alt


# -- 6. nothing found


def verdicts(n: int) -> Counter[str]:
    found = [effect(gain(idea)[:n]) for idea in IDEAS]
    return Counter("none" if e.high < 1 else "gain" if e.low > 0 else "unknown" for e in found)


def test_what_five_pairs_and_thirty_say() -> None:
    assert verdicts(5) == {"none": 2, "unknown": 7}
    assert verdicts(30) == {"none": 5, "gain": 3, "unknown": 1}
    says(
        "With five pairs none of the nine differences is significant",
        "For two ideas that is nearly right",
        "For seven it holds both zero and a gain that matters, and three of those help.",
        "With 30 pairs there are three gains, five negative results and one open question.",
        'seven of nine "no difference" were nothing known',
    )
    assert all(e.low < 0 < e.high for e in (effect(gain(idea)[:5]) for idea in IDEAS))
    helped = [idea for idea in IDEAS if effect(gain(idea)).low > 0]
    assert len(helped) == 3
    assert all(effect(gain(idea)[:5]).high > 1 for idea in helped)
    few, many = effect(gain("layer norm")[:5]), effect(gain("layer norm"))
    assert (round(few.low), round(few.high)) == (-3, 3)
    assert many.high < 1
    says(f"With thirty pairs it is plus or minus {(many.high - many.low) / 2:.1f}")
    says(f"what finds {gain('smoothing 0.1').mean():+.1f} would have found a gain like it")
    assert effect(gain("batch norm")).low < 0 < 1 < effect(gain("batch norm")).high


# -- 7. the faults of Round 1


def test_the_faults_are_those_of_the_source() -> None:
    """Counted in docs/kills.md by the cell, and here from the problems themselves."""
    layout = Layout(find_root())
    problems = [p for p in layout.problems() if p.path.parent.name == "round1_implement"]
    known = {(p.slug, fault.name, fault.group) for p in problems for fault in p.faults}
    listed = [(paper, name, group) for paper, name, group, _ in CHAPTER.names["faults"]]
    assert len(listed) == len(set(listed))
    assert set(listed) == known
    assert f"{len(problems)} papers" in CHAPTER.printed["faults"]
    # The provided tests of each paper, as the head of the kill table adds them up.
    kills = (layout.root / "docs" / "kills.md").read_text(encoding="utf-8")
    for problem in problems:
        stopped = sum(seen for paper, *_, seen in CHAPTER.names["faults"] if paper == problem.slug)
        head = re.search(rf"\| \[{problem.slug}\]\(#{problem.slug}\) \|.*?\| (\d+) \(\d+%\)", kills)
        assert head
        assert int(head[1]) == stopped


def test_what_the_text_says_of_them() -> None:
    """In words that stay right when a fault is added."""
    faults, slip_of = CHAPTER.names["faults"], CHAPTER.names["slip_of"]

    def stopped(chosen: list[Any]) -> float:
        return float(np.mean([seen for *_, seen in chosen]))

    assert 0.17 < stopped(faults) < 0.23
    says("the tests that you see stop about one fault in five")
    for group in ("tolerance", "batching", "edges", "cost"):
        assert stopped([f for f in faults if f[2] == group]) < 0.12, group
    slips = {slip: [f for f in faults if slip_of(f[1]) == slip] for slip in CHAPTER.names["SLIPS"]}
    assert len(slips) == 9
    assert 0.45 < sum(map(len, slips.values())) / len(faults) < 0.6
    papers = {slip: len({f[0] for f in found}) for slip, found in slips.items()}
    assert min(papers.values()) >= 8
    for slip in ("the number type changes", "an argument is changed"):
        assert papers[slip] >= len({f[0] for f in faults}) - 2
    assert stopped(slips["an argument is changed"]) == 0
    says("about half of all faults are of nine kinds that come back", "which the provided tests never stop")


@pytest.mark.parametrize(
    ("slip", "words"),
    [
        ("the number type changes", r"float|int64|precision|dtype|double|number type"),
        (
            "an argument is changed",
            r"in place|changes|changed|written|overwrit|sorted|added up|its input|caller",
        ),
        ("a number beside a limit", r"eps|minus|1e-|large|small|constant|finite|clamp|added|number|at least"),
        (
            "an axis is lost, swapped, merged",
            r"ax[ie]s|transpos|reshape|squeez|flatten|row|head|batch|single",
        ),
    ],
)
def test_the_names_of_faults_sort_them_by_what_they_are(slip: str, words: str) -> None:
    """Each fault also has a line that says what went wrong; most lines of a slip must speak of it."""
    problems = {p.slug: p for p in Layout(find_root()).problems()}
    lines = [
        next(fault.says for fault in problems[paper].faults if fault.name == name)
        for paper, name, *_ in CHAPTER.names["faults"]
        if CHAPTER.names["slip_of"](name) == slip
    ]
    spoken = [line for line in lines if re.search(words, line)]
    assert len(spoken) / len(lines) >= 0.8, [line for line in lines if line not in spoken]


# -- the exercises

SLIPS_HEAD = "def slips(f, x):\n    found, kept = set(), x.copy()\n    whole = f(kept)\n"
SLIPS_TYPE = "    if f(x.astype(np.float32)).dtype != np.float32:\n        found.add('type')\n"
SLIPS_ARGUMENT = "    if not np.array_equal(kept, x):\n        found.add('argument')\n"
SLIPS_BATCH = "    alone = np.stack([f(row[None].copy())[0] for row in x])\n"


@pytest.mark.parametrize(
    ("exercise", "answer", "word"),
    [
        (
            "kind",
            "def kind(curve):\n    if curve[-1] < curve.max() - 0.1:\n        return 'unstable'\n"
            "    return 'late' if curve[-1] - curve[-4] > 0.015 else 'stuck'",
            "Right: 8",
        ),
        (
            "kind",
            "def kind(curve):\n    if curve[-1] < curve.max():\n        return 'unstable'\n"
            "    return 'late' if curve[-1] - curve[-4] > 0.015 else 'stuck'",
            "30 stuck runs are called unstable. A wobble",
        ),
        (
            "kind",
            "def kind(curve):\n    return 'late' if curve[-1] > curve[0] else 'unstable'",
            "called late",
        ),
        (
            "kind",
            "def kind(curve):\n    return 'stuck' if curve[-1] < 0.5 else 'late'",
            "called stuck. Low is",
        ),
        ("kind", "def kind(curve):\n    return 'diverged'", "return one of the strings"),
        (
            "runs",
            "def runs_a_test(rate, changes, chance):\n    return ceil(np.log(1 - chance) / np.log(1 - rate))",
            "is 29, enough for one test. There are 6",
        ),
        (
            "runs",
            "def runs_a_test(rate, changes, chance):\n"
            "    return ceil(np.log(1 - chance ** (1 / changes)) / np.log(1 - rate))",
            "an ablation",
        ),
        (
            "runs",
            "def runs_a_test(rate, changes, chance):\n    tests = ceil(np.log2(changes))\n"
            "    return tests * ceil(np.log(1 - chance ** (1 / tests)) / np.log(1 - rate))",
            "of the whole search",
        ),
        ("runs", "def runs_a_test(rate, changes, chance):\n    return 45.2", "return a whole number"),
        ("runs", "def runs_a_test(rate, changes, chance):\n    return 45", "too few"),
        ("runs", "def runs_a_test(rate, changes, chance):\n    return 60", "more than are needed"),
        (
            "verdict",
            "def verdict(d, delta):\n    m, h = interval(d)\n"
            "    return 'gain' if m - h > 0 else 'no gain that matters'",
            "You say 'no gain that matters', it is 'do not know'. It holds gains that matter",
        ),
        (
            "verdict",
            "def verdict(d, delta):\n    m, h = interval(d)\n"
            "    return 'gain' if m > 0 else 'no gain that matters' if m + h < delta else 'do not know'",
            "You say 'gain', it is 'do not know'",
        ),
        (
            "verdict",
            "def verdict(d, delta):\n    m, h = interval(d)\n"
            "    return 'gain' if m - h > 0 else 'do not know'",
            "The upper end decides",
        ),
        (
            "verdict",
            "def verdict(d, delta):\n    m, h = interval(d)\n    if m - h > 0:\n        return 'gain'\n"
            "    return 'no gain that matters' if m + h < delta else 'do not know'",
            "ask that first",
        ),
        ("verdict", "def verdict(d, delta):\n    return False", "return one of"),
        ("slips", SLIPS_HEAD + "    return found", "For in_place the word 'argument' is missing"),
        (
            "slips",
            SLIPS_HEAD + SLIPS_ARGUMENT + "    return found",
            "For in_float64 the word 'type' is missing",
        ),
        (
            "slips",
            SLIPS_HEAD + SLIPS_TYPE + SLIPS_ARGUMENT + "    return found",
            "For over_everything the word 'batch' is missing",
        ),
        (
            "slips",
            SLIPS_HEAD
            + SLIPS_TYPE
            + SLIPS_ARGUMENT
            + "    if any(not np.allclose(f(row[None].copy()), y) for row, y in zip(x, whole)):\n"
            "        found.add('batch')\n    return found",
            "For squeezed the word 'batch' is missing",
        ),
        (
            "slips",
            SLIPS_HEAD + SLIPS_TYPE + SLIPS_ARGUMENT + SLIPS_BATCH + "    if not np.allclose(alone, whole):\n"
            "        found.add('batch')\n    return found",
            "slips raised",
        ),
        ("slips", "def slips(f, x):\n    y = f(x)\n    return set()", "the caller's x has changed"),
        ("slips", "def slips(f, x):\n    return ['type']", "return a set of words"),
        ("slips", "def slips(f, x):\n    return {'dtype'}", "none of the three words"),
    ],
)
def test_what_the_checks_say(exercise: str, answer: str, word: str) -> None:
    told = CHAPTER.checked(exercise, answer)
    assert word in told
    assert told.startswith("Right") == word.startswith("Right")
    assert "\n" not in told


def test_what_the_answers_say() -> None:
    """One stuck run is called late by the worked answer, and it reached its level in its last epochs."""
    names = dict(CHAPTER.names)
    exec(CHAPTER.worked(1), names)
    stuck = runs("recall", mixer="window", lr=0.01).val_curve
    (odd,) = [curve for curve in stuck if names["kind"](curve) != "stuck"]
    assert names["kind"](odd) == "late"
    assert odd[:7].max() < 0.25 < odd[-1]
