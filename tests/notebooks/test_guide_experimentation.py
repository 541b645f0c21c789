"""Chapter 3, Experimentation: its numbers follow from the bank, and its checks say what is wrong."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from fourrounds.runbank.findings import Contrast, components, effect, judge, tuned_rate
from fourrounds.runbank.table import Runs, load
from support.guide import chapter

CHAPTER = chapter("03_experimentation")
PROSE = CHAPTER.prose
PARTS = slice(None, 75), slice(75, None)


def runs(family: str, **changes: Any) -> Runs:
    bank = load(family)
    return bank.of(bank.family.complete(changes))


def square(family: str, **changes: Any) -> Runs:
    bank = load(family)
    found = bank.where(**bank.family.complete(changes))
    return found[found["init_seed"] >= 100]


def says(*sentences: str) -> None:
    for sentence in sentences:
        assert sentence in PROSE


# The prose is checked against the bank below; here, that the reader sees the same numbers above it.
@pytest.mark.parametrize(
    ("cell", "text"),
    [
        ("one-run", "dropout wins 31% of the time"),
        ("one-run", "-1.1, -0.1, +0.4, +1.1, +2.1 points"),
        ("one-run", "-1.1 points, 95% interval -1.6 to -0.6"),
        ("fixed-split", "One split: 3 of 12 intervals hold the mean"),
        ("fixed-split", "Both vary: 94% of 2,000 hold it"),
        ("instability", "mean 70.7  median 70.9  0 of 30 below the line, mean of the others 70.7"),
        ("instability", "mean 68.0  median 71.0  3 of 30 below the line, mean of the others 71.7"),
        ("instability", "8 of 144 below the line, all from 1 initialisation of 12"),
        ("pairing", "unpaired 104, paired 27"),
        ("power", "power 0.17 paired, 0.10 unpaired"),
        ("power", "overstated 1.7 and 3.2 times"),
        ("null", "false alarms by answers: 50%"),
        ("null", "false alarms by runs: 4%"),
        ("clusters", "2.2 points counting answers, 1.6 counting sequences"),
        ("baseline", "AdamW 89.3, Adam 72.4. Adam tuned: 89.3."),
        ("baseline", "the table: +16.84 points"),
        ("baseline", "both tuned: -0.01 points, 95% interval -0.25 to +0.24"),
        ("compute", "20 epochs: width 32 88.3, width 128 90.8, difference +2.5"),
        ("compute", "a compute of 3: width 32 89.3, width 128 88.2, difference -1.2"),
        ("ladder", "trained, as proposed: 81.2"),
        ("ladder", "79.0   -2.2"),
        ("ladder", "82.8   +1.6"),
        ("ladder", "84.9   +3.8"),
        ("evaluation", "validation 32.6, test 40.6"),
        ("evaluation", "validation 44.8, test 33.6"),
        ("evaluation", "validation 76.1, test 76.2"),
        ("contamination", "leaked   +9.5 points"),
        ("contamination", "others  +0.8 points"),
    ],
)
def test_what_the_cells_print(cell: str, text: str) -> None:
    assert text in CHAPTER.printed[cell]


# -- 1. one run


def test_one_run_of_dropout_against_one_without() -> None:
    ours, theirs = (100 * runs("digits", lr=0.03, **change).test for change in ({"dropout": 0.2}, {}))
    assert [
        tuned_rate(load("digits"), load("digits").family.complete(c)) for c in ({"dropout": 0.2}, {})
    ] == [
        0.03,
        0.03,
    ]
    says(f"The baseline has {theirs.mean():.1f}%.")
    assert 89.8 in ours.round(1)
    wins = [a > b for i, a in enumerate(ours) for j, b in enumerate(theirs) if i != j]
    cost = effect(ours - theirs)
    says(
        f"Dropout costs {-cost.mean:.1f} points here, and yet one run of each says the opposite "
        f"{100 * np.mean(wins):.0f}% of the time",
        f"and give the mean with its interval: {cost.mean:.1f}, from {cost.low:.1f} to {cost.high:.1f}.",
    )
    # The expected best of k of the 30, by counting instead of by drawing.
    best = {
        k: np.sort(ours) @ [math.comb(i, k - 1) / math.comb(30, k) for i in range(30)] - theirs.mean()
        for k in (2, 3, 10)
    }
    assert best[2] < 0 < best[3]
    says(f"the expected gain is {best[3]:+.1f}; the best of ten gives {best[10]:+.1f}")
    says(f"best of ten: {best[10]:+.1f} for a method that costs {-cost.mean:.1f}")
    assert np.mean(ours > theirs.mean()) == 0.2  # "one run in five beats the baseline"


# -- 2. variance and instability


def test_intervals_of_one_split() -> None:
    found = square("transfer", lr=0.01)
    says(
        f"The bank has {len(found)} runs of a fine-tuned network in which 12 initialisations meet 12 splits."
    )
    truth = found.test.mean()
    intervals = [effect(found.test[found["split_seed"] == seed]) for seed in range(100, 112)]
    assert [len(found.test[found["split_seed"] == seed]) for seed in range(100, 112)] == [12] * 12
    held = sum(one.low <= truth <= one.high for one in intervals)
    assert held == 3
    says(
        "Three of twelve intervals that call themselves 95% hold the truth",
        f"{held} of 12 intervals hold the truth",
    )
    assert "95%" in CHAPTER.printed["fixed-split"]
    says(f"and {100 * CHAPTER.names['coverage']:.0f}% hold it, at the same price")
    # The split is what varies most, so a fixed split hides most.
    parts = components(found.test, [found[f"{name}_seed"] - 100 for name in ("init", "split", "order")])
    assert parts[1] == max(parts)


def test_runs_that_fail() -> None:
    slow, fast = (100 * runs("recall", mixer="linear", width=8, lr=lr).test for lr in (0.03, 0.1))
    works = fast[fast >= 50]
    assert (len(works), slow.min() > 50) == (27, True)
    says(
        f"Over all runs the smaller rate wins by {slow.mean() - fast.mean():.1f} points. Leave out three "
        f"failed runs, and the larger one wins by {works.mean() - slow.mean():.1f}.",
    )
    assert f"between {slow.min():.0f} and {slow.max():.0f}%" in CHAPTER.printed["instability"]
    more = square("recall", mixer="linear", width=8, lr=0.03)
    failed = more.test < 0.5
    assert len(set(more["init_seed"][failed].tolist())) == 1
    says(f"With other seeds, {failed.sum()} of {len(more)} fail, all from one initialisation.")
    # Above a rate of 10%, thirty clean runs have a chance of less than 5%; above 5%, 59 are needed.
    assert 0.9**30 < 0.05 < 0.91**30
    assert 0.95**59 < 0.05 < 0.95**58
    says('it takes to claim "under one in twenty": 59.', "after 30 clean runs, 10%")


# -- 3. pairing and power


def test_pairs_save_runs() -> None:
    contrast = Contrast(
        "transfer",
        "",
        {"method": "lora", "rank": 4, "source": "same", "train_size": 20},
        {"source": "same", "train_size": 20},
    )
    finding = judge(contrast)
    assert finding.rates == (0.03, 0.01)
    says(f"{finding.seeds_paired} of each arm instead of {finding.seeds_unpaired}")
    assert f"unpaired {finding.seeds_unpaired}, paired {finding.seeds_paired}" in CHAPTER.printed["pairing"]
    assert finding.seeds_paired / finding.seeds_unpaired == pytest.approx(1 / 4, abs=0.02)  # type: ignore[operator]
    says("save three runs in four")


def test_what_a_small_experiment_finds() -> None:
    # The same again with other draws, experiment by experiment.
    lora = runs("transfer", method="lora", rank=4, lr=0.03, source="same", train_size=20).test
    full = runs("transfer", lr=0.01, source="same", train_size=20).test
    rng, n, critical = np.random.default_rng(99), 6, 2.2281  # Student's t, 10 degrees of freedom
    found = []
    for _ in range(20_000):
        a, b = rng.choice(lora, n), rng.choice(full, n)
        if abs(a.mean() - b.mean()) > critical * math.sqrt((a.var(ddof=1) + b.var(ddof=1)) / n):
            found.append(abs(a.mean() - b.mean()))
    assert len(found) / 20_000 == pytest.approx(0.1, abs=0.015)
    ratio = np.mean(found) / (lora - full).mean()
    assert ratio == pytest.approx(CHAPTER.names["overstated"]["unpaired"][1], rel=0.06)
    says(
        "With six unpaired runs of each arm one experiment in ten finds the gain",
        f"those that do overstate it {CHAPTER.names['overstated']['unpaired'][1]:.1f} times",
        f"six unpaired runs: {CHAPTER.names['overstated']['unpaired'][1]:.1f} times too large",
    )
    assert round((1.96 + 0.84) ** 2) == 8  # "eight times its square"


# -- 4. the unit


def test_a_method_against_itself() -> None:
    same = runs("transfer", method="lora", rank=4, lr=0.03, source="same", train_size=20)
    says("Five runs of each, 340 test items, so n = 1,700")
    assert (same.family.n_test, 5 * same.family.n_test) == (340, 1700)
    names = CHAPTER.names
    assert names["alarms_answers"] == pytest.approx(0.5, abs=0.02)
    says("counting answers finds it half of the time", "half of all A/A tests significant")
    says(f"run means is wrong {100 * names['alarms_runs']:.0f}% of the time, near the 5%")
    p = same.test.mean()
    effect_of_runs = same.test.var(ddof=1) / (p * (1 - p) / 340)
    assert f"design effect {effect_of_runs:.1f}: the 1,700 answers" in CHAPTER.printed["null"]
    chance = math.erfc(1.96 / math.sqrt(effect_of_runs) / math.sqrt(2))
    assert f"predicted from the design effect: {100 * chance:.0f}%" in CHAPTER.printed["null"]


def test_answers_about_one_sequence() -> None:
    right = runs("recall", mixer="linear", pairs=16, width=8, lr=0.03).correct
    naive = np.mean([one.std(ddof=1) / math.sqrt(512) for one in right])
    clustered = np.mean([one.reshape(32, 16).mean(1).std(ddof=1) / math.sqrt(32) for one in right])
    says(f"clustered error is {100 * clustered:.1f} points where the naive one is {100 * naive:.1f}:")


# -- 5. the baseline


def test_seventeen_points_are_a_learning_rate() -> None:
    finding = judge(
        Contrast("digits", "", {"optimiser": "adamw", "weight_decay": 0.1}, {"optimiser": "adam"})
    )
    assert finding.rates == (0.01, 0.01)
    tuned, untuned = finding.tuned, finding.untuned
    assert round(100 * untuned.mean) == 17
    says(
        f"the two differ by {100 * tuned.mean:.2f} points, "
        f"from {100 * tuned.low:.2f} to {100 * tuned.high:+.2f}",
        f"+17 points become {100 * tuned.mean:.2f}",
        "beats Adam by seventeen points",
    )
    at = {lr: 100 * runs("digits", optimiser="adam", lr=lr).test.mean() for lr in (0.01, 0.1)}
    momentum = 100 * runs("digits", lr=0.03).test.mean()
    says(
        f"its baseline of {at[0.1]:.1f} lies far below",
        f"you get their number, {at[0.1]:.1f};",
        f"you get {at[0.01]:.1f};",
        f"SGD with momentum reaches {momentum:.1f}",
    )


# -- 6. controls


def test_width_at_equal_epochs_and_at_equal_compute() -> None:
    family = load("digits").family
    gain = judge(Contrast("digits", "", {"width": 128}, {})).tuned
    says(
        f"A wider network is {100 * gain.mean:.1f} points better",
        f"At equal epochs width wins by {100 * gain.mean:.1f}",
    )
    longest, wide = runs("digits", epochs=60, lr=0.03), runs("digits", width=128, lr=0.03)
    assert longest.cost[0] == pytest.approx(3)
    assert wide.cost[0] * 7 / 20 == pytest.approx(3, abs=0.02)  # seven epochs of the wide network
    assert set(family.rates(family.reference)) > {0.01, 0.03, 0.1}

    def tuned(epoch: int, **changes: Any) -> np.ndarray:
        tried = [runs("digits", lr=lr, **changes) for lr in family.rates(family.reference)]
        return max(tried, key=lambda r: r.val_curve[:, epoch - 1].mean()).test_curve[:, epoch - 1]

    loss = 100 * np.mean(tuned(60, epochs=60) - tuned(7, width=128))
    says(f"it loses by {loss:.1f}.", f"{100 * gain.mean:+.1f} at equal epochs, {-loss:.1f} at equal compute")


def test_the_parts_of_contrastive_pretraining() -> None:
    bank = load("contrastive")
    arms = {"whole": {}, "projector": {"projector": "none"}, "shifts": {"augmentation": "noise"}}
    for change in arms.values():
        assert tuned_rate(bank, bank.family.complete(change)) == 0.01
    score = {name: 100 * runs("contrastive", lr=0.01, **change).test.mean() for name, change in arms.items()}
    pixels = 100 * runs("contrastive", method="pixels", lr=0.0).test.mean()
    raw = 100 * runs("contrastive", method="untrained", lr=0.0).test.mean()
    assert (
        f"raw pixels {pixels:.0f}, untrained encoder {raw:.0f}, trained as proposed {score['whole']:.0f}, "
        f"without the projector {score['projector']:.0f}, without the shifts {score['shifts']:.0f}."
    ) in CHAPTER.printed["ladder"]
    says(
        f"Contrastive pre-training scores {score['whole']:.1f}% with a linear probe.",
        f"Of {score['whole']:.1f}%, the pixels alone give {pixels:.1f}: learning is worth "
        f"{score['whole'] - pixels:.1f} points",
        f"without the projector it is {score['projector'] - score['whole']:.1f} points better, without "
        f"shifted views {score['shifts'] - score['whole']:.1f}.",
    )


# -- 7. the evaluation


def test_validation_rises_while_the_test_falls() -> None:
    trained, start = runs("retrieval", lr=0.01), runs("retrieval", method="untrained", lr=0.0)
    val, test = (100 * (getattr(trained, w).mean() - getattr(start, w).mean()) for w in ("val", "test"))
    bm25 = 100 * runs("retrieval", method="bm25", lr=0.0).test.mean()
    assert round(val) == 12
    says(
        f"Validation rises by {val:.1f} points, so it picks the largest rate, and on new packages that model "
        f"is {-test:.1f} points worse than before training",
        f"BM25, which learns nothing, has {bm25:.1f}.",
        f"validation {val:+.0f}, test {test:.0f}",
    )
    first = runs("retrieval", lr=0.0001)
    assert (
        f"validation success rises from {100 * first.val.mean():.0f} to {100 * trained.val.mean():.0f}% "
        f"while test success falls from {100 * first.test.mean():.0f} to {100 * trained.test.mean():.0f}%, "
        f"below the {100 * start.test.mean():.0f}% of the untrained towers."
    ) in CHAPTER.printed["evaluation"]
    family = load("retrieval").family
    assert tuned_rate(load("retrieval"), family.reference) == 0.01


def test_copies_of_test_images() -> None:
    clean, leaked = runs("digits", lr=0.03), runs("digits", contamination=0.3, lr=0.03)
    gain = 100 * (leaked.correct.mean(0) - clean.correct.mean(0))
    says(
        "the training set of 250 images holds copies of the first 75 of 420 test images",
        f"The headline moves by {gain.mean():.1f} points",
        f"it is {gain[:75].mean():.1f} points on what leaked and {gain[75:].mean():.1f} on the rest.",
        f"Even the {gain[75:].mean():.1f} may be no accident",
    )
    inside, outside = ([100 * r.correct[:, part].mean() for r in (leaked, clean)] for part in PARTS)
    assert (
        f"have {inside[0]:.0f}% where clean models have {inside[1]:.0f}; on the others {outside[0]:.0f} "
        f"against {outside[1]:.0f}."
    ) in CHAPTER.printed["contamination"]


# -- the exercises


@pytest.mark.parametrize(
    ("exercise", "answer", "word"),
    [
        ("tries", "def tries(p, chance):\n    return ceil(np.log(1 - chance) / np.log(1 - p))", "Right"),
        ("tries", "def tries(p, chance):\n    return round(np.log(chance) / np.log(p))", "too few"),
        (
            "tries",
            "def tries(p, chance):\n    return np.log(1 - chance) / np.log(1 - p)",
            "return a whole number",
        ),
        (
            "tries",
            "def tries(p, chance):\n    return int(np.log(1 - chance) / np.log(1 - p)) + 2",
            "more than",
        ),
        ("pairs", "pairs_needed = 26", "Right: 26"),
        (
            "pairs",
            "pairs_needed = t_sample_size(0.01 / (adam_pilot - momentum_pilot).std(ddof=1), paired=True)",
            "round up",
        ),
        ("pairs", "pairs_needed = 14", "pilot's own difference"),
        (
            "pairs",
            "pairs_needed = t_sample_size(0.01 / (adam_pilot - momentum_pilot).std(ddof=1))",
            "paired=True",
        ),
        (
            "pairs",
            "pairs_needed = ceil(t_sample_size(0.01 / (adam_pilot - momentum_pilot).std(), paired=True))",
            "ddof=1",
        ),
        ("pairs", "pairs_needed = ceil(t_sample_size(0.01 / adam_pilot.std(ddof=1)))", "Not"),
        ("pairs", "pairs_needed = 'many'", "not a number"),
        (
            "reproduces",
            "def reproduces(reported, mine):\n    n = len(mine)\n    return abs(reported - mine.mean()) "
            "<= t_quantile(0.975, n - 1) * mine.std(ddof=1) * np.sqrt(1 + 1 / n)",
            "Right",
        ),
        (
            "reproduces",
            "def reproduces(reported, mine):\n    m, half = interval(mine)\n"
            "    return abs(reported - m) <= half",
            "s / sqrt(n) is the error of your mean",
        ),
        (
            "reproduces",
            "def reproduces(reported, mine):\n"
            "    return abs(reported - mine.mean()) <= 1.96 * mine.std(ddof=1) * 1.2**0.5",
            "t_quantile(0.975, n - 1)",
        ),
        (
            "reproduces",
            "def reproduces(reported, mine):\n    return abs(reported - mine.mean()) < 0.2",
            "accepts 0.724",
        ),
        (
            "reproduces",
            "def reproduces(reported, mine):\n    return abs(reported - mine.mean()) < 0.1",
            "too wide",
        ),
        ("reproduces", "def reproduces(reported, mine):\n    return 0.7", "True or False"),
        (
            "reproduces",
            "def reproduces(reported, mine):\n"
            "    return abs(reported - mine.mean()) <= t_quantile(0.975, 4) * mine.std() * 1.2**0.5",
            "ddof=1",
        ),
        (
            "leak",
            "def leak_gain(clean, leaked, n):\n    g = leaked.mean(0) - clean.mean(0)\n"
            "    return g[:n].mean() - g[n:].mean()",
            "Right: 8.7",
        ),
        (
            "leak",
            "def leak_gain(clean, leaked, n):\n    return (leaked.mean(0) - clean.mean(0))[:n].mean()",
            "alone",
        ),
        (
            "leak",
            "def leak_gain(clean, leaked, n):\n    return leaked[:, :n].mean() - leaked[:, n:].mean()",
            "easier",
        ),
        (
            "leak",
            "def leak_gain(clean, leaked, n):\n    return leaked.mean() - clean.mean()",
            "over all items",
        ),
        (
            "leak",
            "def leak_gain(clean, leaked, n):\n    return leaked.mean(0) - clean.mean(0)",
            "shape (420,)",
        ),
        ("leak", "def leak_gain(clean, leaked, n):\n    return 0.5", "Not 0.5000"),
        (
            "leak",
            "def leak_gain(clean, leaked, n):\n    g = clean.mean(0) - leaked.mean(0)\n"
            "    return g[:n].mean() - g[n:].mean()",
            "sign",
        ),
    ],
)
def test_what_the_checks_say(exercise: str, answer: str, word: str) -> None:
    told = CHAPTER.checked(exercise, answer)
    assert word in told
    assert told.startswith("Right:") or told.startswith("Right.") or word != "Right"
    assert "\n" not in told


def test_what_the_answers_say_of_the_pilot() -> None:
    d = 100 * (runs("digits", optimiser="adam", lr=0.01).test - runs("digits", lr=0.03).test)[:5]
    says(f"The pilot's difference is {d.mean():+.1f} points; planning for that would give 14 pairs")
    assert "pilot's own" in CHAPTER.checked("pairs", "pairs_needed = 14")
    # The power of 14 pairs for a gain of one point.
    rng = np.random.default_rng(0)
    draws = rng.normal(1, d.std(ddof=1), (100_000, 14))
    t = draws.mean(1) / (draws.std(1, ddof=1) / math.sqrt(14))
    assert np.mean(np.abs(t) > 2.1604) == pytest.approx(0.5, abs=0.03)  # Student's t, 13 degrees of freedom
    says("and a power of one half for a gain of one point")
