"""The tables of ``large_batches`` from the bank by a second route, and what its prose says of the family."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
from papers.large_batches import asked, form
from papers.press import Form, Table
from scipy import stats

from fourrounds.runbank import load
from fourrounds.runbank.families import CONTRASTIVE
from fourrounds.runbank.training import contrastive
from fourrounds.runbank.training.images import digits

BANK = load("contrastive")
RATES = (0.001, 0.003, 0.01, 0.03)
FORMS = range(6)


def table(made: Form, name: str) -> Table:
    return next(one for one in made.tables() if one.name == name)


def runs(order: list[int], lr: float, column: str = "test", epoch: int = 15, **arm: object) -> np.ndarray:
    """A curve's value at an epoch, for the seeds of ``order``, from the rows of the bank."""
    rows = BANK.where(**{**CONTRASTIVE.reference, **arm, "lr": lr})
    first = {
        int(init): row
        for row, (init, split, o) in enumerate(
            zip(rows["init_seed"], rows["split_seed"], rows["order_seed"], strict=True)
        )
        if init == split == o and init < 30
    }
    curve = getattr(rows, f"{column}_curve")
    return np.array([curve[first[seed], epoch - 1] for seed in order])


def order_of(number: int) -> list[int]:
    """The authors' seeds, from the generator that the form's number and draw seed."""
    return np.random.default_rng(asked(number).authors.draw).permutation(30).tolist()


def searched(order: list[int], **arm: object) -> float:
    """The learning rate with the best mean validation accuracy over the first five seeds."""
    return max(RATES, key=lambda lr: runs(order[:5], lr, "val", **arm).mean())


@pytest.mark.parametrize("number", FORMS)
def test_the_headline_and_all_runs(number: int) -> None:
    made, p = form(number), asked(number)
    s, order = p.sites, order_of(number)
    printed = {row[0]: row[1:] for row in table(made, "6").rows}
    main = {row[0]: row for row in table(made, "1").rows}
    grid = {row[0]: row for row in table(made, "2").rows}
    by_test: dict[tuple[float, int], np.ndarray] = {}
    for tau in (0.05, 0.1, 0.2, 0.5, 1.0):
        for batch in (256, 64, 16):
            n = p.most if tau == p.tau else (5 if s.stop else 10)
            lr = searched(order, batch=256 if s.rate else batch, temperature=tau)
            epochs = {256: 15, 64: 4, 16: 1}[batch] if s.updates else 15
            values = runs(order[:n], lr, epoch=epochs, batch=batch, temperature=tau)
            by_test[tau, batch] = values
            row = printed[f"{tau:g}, batch {batch}"]
            assert row[0] == f"{lr:g}"
            assert list(row[1 : n + 1]) == [f"{100 * value:.1f}" for value in values]
            assert set(row[n + 1 :]) <= {"-"}
            if tau == p.tau:
                val = runs(order[:n], lr, "val", epochs, batch=batch, temperature=tau)
                told = [f"{lr:g}", str(epochs * 512 // batch), str(n)]
                told += [f"{100 * v:.1f}" for v in (val.mean(), values.mean(), values.std(ddof=1))]
                assert list(main[f"batch {batch}"][1:]) == told
        gaps = [by_test[tau, 256] - by_test[tau, other] for other in (16, 64)]
        row = grid[f"temperature {tau:g}"]
        assert [row[5], row[7]] == [f"{100 * gap.mean():+.1f}" for gap in gaps]
        if s.grid:
            told = [stats.ttest_1samp(gap, 0.0).pvalue for gap in gaps]
            assert [row[6], row[8]] == [f"{p:.3f}" + ("*" if p < 0.05 else "") for p in told]
    test = stats.ttest_rel(by_test[p.tau, 256], by_test[p.tau, 16])
    ends = test.confidence_interval(0.95)
    text = next(part for part in made.sections[3].parts if isinstance(part, str))
    assert f"95% interval {100 * ends.low:.1f} to {100 * ends.high:.1f}" in text
    assert f"t = {test.statistic:.2f} with {p.most - 1} degrees of freedom, p = {test.pvalue:.3f}" in text


@pytest.mark.parametrize("number", FORMS)
def test_optional_stopping_is_what_was_done(number: int) -> None:
    p, order = asked(number), order_of(number)
    if not p.sites.stop:
        assert p.most == 10
        return
    lr = {
        batch: searched(order, batch=256 if p.sites.rate else batch, temperature=p.tau) for batch in (256, 16)
    }
    ours, theirs = (runs(order, lr[b], batch=b, temperature=p.tau) for b in (256, 16))
    walk = [stats.ttest_rel(ours[:n], theirs[:n]).pvalue for n in range(5, p.most + 1)]
    assert all(value >= 0.05 for value in walk[:-1])
    assert walk[-1] < 0.05


@pytest.mark.parametrize("number", FORMS)
def test_holm_where_the_comparison_was_planned(number: int) -> None:
    p = asked(number)
    if p.sites.grid:
        return
    planned, others = None, []
    for tau in (0.05, 0.1, 0.2, 0.5, 1.0):
        for column, other in ((6, 16), (8, 64)):
            told = next(r for r in table(form(number), "2").rows if r[0] == f"temperature {tau:g}")[column]
            value = stats.ttest_1samp(p.differences(tau, other), 0.0).pvalue
            if (tau, other) == (p.tau, 16):
                planned = (told, value)
            else:
                others.append((told, value))
    assert planned is not None
    assert planned[0] == f"{planned[1]:.3f} (planned)"
    others.sort(key=lambda one: one[1])
    largest = 0.0
    for rank, (told, value) in enumerate(others):
        largest = max(largest, (len(others) - rank) * value)
        assert told == f"{min(1.0, largest):.3f}"


@pytest.mark.parametrize("number", FORMS)
def test_the_ablations(number: int) -> None:
    made, p, order = form(number), asked(number), order_of(number)[:5]
    arms: list[dict[str, object]] = [{}, {"projector": "none"}, {"augmentation": "noise"}]
    full, none, noise = (runs(order, searched(order, **arm), **arm) for arm in arms)
    rows = {row[0]: row for row in table(made, "3").rows}
    assert rows["with projector"][-1] == f"{100 * (full.max() if p.sites.best else full.mean()):.1f}"
    assert rows["without projector"][-1] == f"{100 * none.mean():.1f}"
    gap = noise - full
    row = table(made, "4").rows[1]
    assert row[3:] == (
        f"{100 * noise.mean():.1f}",
        f"{100 * gap.mean():+.1f}",
        f"{100 * gap.std(ddof=1):.1f}",
    )
    assert gap.mean() > 0
    for name, values in zip(table(made, "7").rows, (full, none, noise), strict=True):
        assert list(name[1:]) == [f"{100 * value:.1f}" for value in values]


def test_the_prose() -> None:
    """Numbers of the prose that are not computed."""
    text = "\n".join(part for s in form(0).sections for part in s.parts if isinstance(part, str))
    images, _, blocks = digits()
    pool, test = contrastive._indices()
    assert len(images) == 1797
    assert "the 1,797 handwritten digits" in text
    assert len(test) == CONTRASTIVE.n_test == 420
    assert "420 images of 6 blocks" in text
    assert len(set(blocks[pool])) == 7
    assert CONTRASTIVE.n_val == 200
    assert (contrastive.SIZE, contrastive.LABELLED, contrastive.EPOCHS) == (512, 100, 15)
    assert "200 images for validation and 512" in text
    assert "100 of the latter have labels" in text
    assert (contrastive.NOISE, contrastive.RIDGE) == (0.2, 1.0)
    assert (contrastive.HIDDEN, contrastive.FEATURES) == (64, 32)
    whole, encoder = (contrastive.price({**CONTRASTIVE.reference, "projector": x}) for x in ("mlp", "none"))
    assert (whole.parameters, encoder.parameters) == (8352, 6240)
    for batch, negatives, updates in ((16, 30, 480), (64, 126, 120), (256, 510, 30)):
        assert 2 * batch - 2 == negatives
        assert 15 * 512 // batch == updates
        assert re.search(rf"\b{negatives}\b", text)
    assert CONTRASTIVE.rates(CONTRASTIVE.reference) == RATES


def test_what_is_true_of_the_bank() -> None:
    """No batch size is shown to be better at any temperature: the ten differences over all 30 seeds."""
    order, means = list(range(30)), []
    for tau in (0.05, 0.1, 0.2, 0.5, 1.0):
        found = {}
        for batch in (256, 64, 16):
            arm = {"batch": batch, "temperature": tau}
            lr = max(RATES, key=lambda lr: runs(order, lr, "val", **arm).mean())
            found[batch] = runs(order, lr, **arm)
        for other in (16, 64):
            gap = 100 * (found[256] - found[other])
            half = float(stats.t.ppf(0.975, 29)) * gap.std(ddof=1) / math.sqrt(30)
            assert abs(gap.mean()) < half
            means.append(gap.mean())
    assert min(means) == pytest.approx(-0.7, abs=0.05)
    assert max(means) == pytest.approx(0.4, abs=0.05)
