"""The tables of low_rank by a second route, straight from the table of runs, and the facts of its prose."""

from __future__ import annotations

import numpy as np
import pytest
from papers.low_rank import form
from papers.press import Form

from fourrounds.runbank import FAMILIES, load

BANK = load("transfer")
LORA = {"method": "lora", "rank": 4, "source": "other"}
FULL = {"method": "full", "rank": 0, "source": "other"}
HEAD = {"method": "head", "rank": 0, "source": "other"}
RATES = (0.001, 0.003, 0.01, 0.03, 0.1)


@pytest.fixture(scope="module")
def published() -> Form:
    return form(0)


def column(seeds: list[int], lr: float, images: int, **arm: object) -> tuple[np.ndarray, np.ndarray]:
    """Validation and test accuracy of the plain runs with these seeds."""
    runs = BANK.where(lr=lr, train_size=images, **arm)
    rows = [
        int(
            np.flatnonzero(
                np.all([runs[f"{part}_seed"] == seed for part in ("init", "split", "order")], axis=0)
            )[0]
        )
        for seed in seeds
    ]
    return runs.val[rows], runs.test[rows]


def best(seeds: list[int], images: int, **arm: object) -> float:
    return max(RATES, key=lambda lr: column(seeds, lr, images, **arm)[0].mean())


def authors(made: Form) -> list[int]:
    """The bank's seeds of Appendix B, found by what it prints of full fine-tuning and of LoRA."""
    rows = {row[0]: row[1:] for row in made.tables()[4].rows}
    found = []
    for lora, full in zip(rows["LoRA (r = 4)"], rows["full fine-tuning"], strict=True):
        fits = [
            seed
            for seed in range(30)
            if f"{100 * column([seed], 0.03, 20, **LORA)[1][0]:.1f}" == lora
            and f"{100 * column([seed], 0.003, 20, **FULL)[1][0]:.1f}" == full
        ]
        assert len(fits) == 1
        found += fits
    return found


def test_table_1_is_what_its_runs_say(published: Form) -> None:
    seeds = authors(published)
    rates = {
        "LoRA (r = 4)": best(seeds, 20, **LORA),
        "full fine-tuning": 0.003,
        "head only": best(seeds, 20, **HEAD),
    }
    for name, arm, trained in (
        ("LoRA (r = 4)", LORA, "805"),
        ("full fine-tuning", FULL, "3,301"),
        ("head only", HEAD, "165"),
    ):
        val, test = column(seeds, rates[name], 20, **arm)
        row = next(row for row in published.tables()[0].rows if row[0] == name)
        numbers = [f"{100 * value:.1f}" for value in (val.mean(), test.mean(), test.std(ddof=1))]
        assert row == (name, trained, f"{rates[name]:g}", *numbers)
    ours, theirs = column(seeds, 0.03, 20, **LORA)[1], column(seeds, 0.003, 20, **FULL)[1]
    assert f"a gain of {100 * (ours.mean() - theirs.mean()):.1f} points" in published.abstract


def test_tables_2_and_3_are_what_their_runs_say(published: Form) -> None:
    seeds = authors(published)
    for row, rank in zip(published.tables()[1].rows, (1, 2, 4, 8), strict=True):
        rate = 0.003 if rank < 4 else 0.03
        val, test = column(seeds, rate, 20, **{**LORA, "rank": rank})
        assert row[2:] == (f"{rate:g}", f"{100 * val.mean():.1f}", f"{100 * test.mean():.1f}")
    for row, source in zip(published.tables()[2].rows, ("other", "inverted", "same"), strict=True):
        arms = [{**arm, "source": source} for arm in (HEAD, LORA)]
        head, lora = (column(seeds, best(seeds, 50, **arm), 50, **arm)[1][:3] for arm in arms)
        gap = 100 * (lora - head)
        assert row[1:] == (
            f"{100 * head.mean():.1f}",
            f"{100 * lora.mean():.1f}",
            f"{gap.mean():+.1f}",
            f"{gap.std(ddof=1):.1f}",
        )


def test_one_number_of_the_appendix_is_no_count(published: Form) -> None:
    counts = {f"{100 * hit / 340:.1f}" for hit in range(341)}
    rows = published.tables()[4].rows
    strange = [(row[0], n) for row in rows for n, value in enumerate(row[1:]) if value not in counts]
    assert strange == [("head only", 3)]


def test_facts_of_the_prose(published: Form) -> None:
    family = FAMILIES["transfer"]
    text = "\n".join(page for page, _ in published.pages())
    assert f"another {family.n_val} of these serve for validation" in text
    assert f"the test set is {family.n_test} images" in text
    assert set(BANK.where(train_size=20).examples.tolist()) == {400}
    assert BANK.test_curve.shape[1] == 20
