"""The width of linear attention and associative recall (the family *recall* of the bank): the sound paper.

What is true: with 16 pairs and both widths searched, width 32 is ahead of width 16 by 8.8 points over all 30
seeds of the bank (95% interval 8.4 to 9.3), and by 8.0 where it is given fewer FLOPs.

Nothing is planted in any form. The sites are things that look bad and are fine:

=========== =================================================================================
axis        the first figure's axis is cut                        (with an inset, and numbers)
year        a table gives the years, and softmax attention is the oldest    (and the strongest)
search      the baseline has tried fewer learning rates          (by the rule that all follow)
rates       the two arms of the claim have different learning rates         (each its own best)
overlap     the intervals of two means overlap                (that of the pairs is above zero)
validation  validation accuracy stands beside test accuracy                  (and is called so)
repeated    three more seeds were run after the result                  (and are kept apart)
always      unequal parameters, ten seeds, eighteen comparisons, settings that gain nothing
=========== =================================================================================
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import combinations, count, product
from typing import Any

import numpy as np

from fourrounds.critique import Trial, Twin
from fourrounds.runbank import Runs
from fourrounds.runbank.families import Level
from papers.bench import Authors, every, percent, spread
from papers.press import Decoy, Figure, Form, Planted, Section, Table

MIXERS = ("linear", "softmax", "window")
YEARS = {"linear": "2020", "softmax": "2017", "window": "2020"}
PAIRS, WIDTHS = (4, 8, 16), (8, 16, 32)
STEPS = tuple(product(MIXERS, PAIRS, ((8, 16), (16, 32))))
"""What is compared: a mixer, a number of pairs, and two widths."""
CLAIM = ("linear", 16, (16, 32))
SEARCHED, SEEDS, MORE = 3, 10, 3
"""Seeds of the search, of the results, and of the repetition."""
EPOCHS, WINDOW, QUERIES = 10, 8, 512
SHORT = {4: 2, 8: 3, 16: 3}
"""The epochs of width 32 that cost no more than ten of width 16."""
T9, T2, T31 = 2.2621571627409915, 4.302652729696142, 2.0395134463964077
"""The 97.5% points of Student's t with 9, 2 and 31 degrees of freedom."""
LOOKS = ("axis", "year", "search", "rates", "overlap", "validation", "repeated")


def sites(number: int) -> frozenset[str]:
    """What looks bad in a form beside what always does: 0 is the published one, and no other is like it."""
    if number == 0:
        return frozenset({"axis", "year", "search", "validation"})
    rng = np.random.default_rng(number)
    while (drawn := frozenset(rng.choice(LOOKS, 4, replace=False).tolist())) == sites(0):
        pass
    return drawn


def configuration(mixer: str, pairs: int, width: int) -> dict[str, Level]:
    return {"mixer": mixer, "pairs": pairs, "width": width}


def sign_flip(differences: np.ndarray) -> float:
    """The exact two-sided p-value of paired differences under all changes of sign."""
    n = len(differences)
    signs = 1 - 2 * (np.arange(1 << n)[:, None] >> np.arange(n) & 1)
    sums = np.abs(signs @ differences)
    return float((sums >= sums[0] - 1e-9).mean())


def holm(values: Sequence[float]) -> list[float]:
    """Adjusted p-values of Holm (1979)."""
    m, worst = len(values), 0.0
    adjusted = [0.0] * m
    for rank, k in enumerate(sorted(range(m), key=lambda k: values[k])):
        worst = max(worst, min(1.0, (m - rank) * values[k]))
        adjusted[k] = worst
    return adjusted


@dataclass(frozen=True)
class Protocol:
    """How the authors chose and reported runs."""

    authors: Authors
    sites: frozenset[str]

    def __hash__(self) -> int:
        return id(self)

    @cache  # noqa: B019 a protocol lives as long as its form
    def arm(self, mixer: str, pairs: int, width: int, lr: Level) -> Runs:
        """Their runs, in the order of their seeds: of the search, of the results, of the repetition."""
        return self.authors.runs(configuration(mixer, pairs, width), lr)

    def searched(self, mixer: str, pairs: int, width: int, lr: Level, epoch: int = EPOCHS) -> float:
        """The mean validation accuracy of the search."""
        return float(self.arm(mixer, pairs, width, lr).val_curve[:SEARCHED, epoch - 1].mean())

    @cache  # noqa: B019
    def tried(self, mixer: str, pairs: int, width: int, epoch: int = EPOCHS) -> tuple[Level, ...]:
        """The learning rates that the search tries: all, or outwards from the middle until the best is
        inside."""
        grid = self.authors.rates(configuration(mixer, pairs, width))
        if "search" not in self.sites:
            return grid
        low, high = 1, 3
        while True:
            best = grid.index(self._best(mixer, pairs, width, grid[low : high + 1], epoch))
            if best == low and low > 0:
                low -= 1
            elif best == high and high < len(grid) - 1:
                high += 1
            else:
                return grid[low : high + 1]

    def _best(self, mixer: str, pairs: int, width: int, rates: Sequence[Level], epoch: int) -> Level:
        return max(rates, key=lambda lr: self.searched(mixer, pairs, width, lr, epoch))

    def rate(self, mixer: str, pairs: int, width: int, epoch: int = EPOCHS) -> Level:
        """The learning rate that the search chooses; of equal ones the smallest."""
        return self._best(mixer, pairs, width, self.tried(mixer, pairs, width, epoch), epoch)

    def results(self, mixer: str, pairs: int, width: int) -> Runs:
        """The ten runs that are reported."""
        return self.arm(mixer, pairs, width, self.rate(mixer, pairs, width))[SEARCHED : SEARCHED + SEEDS]

    def gaps(self, step: tuple[str, int, tuple[int, int]]) -> np.ndarray:
        """What the wider of two gains, seed by seed."""
        mixer, pairs, (narrow, wide) = step
        return self.results(mixer, pairs, wide).test - self.results(mixer, pairs, narrow).test

    @cached_property
    def tests(self) -> list[tuple[float, float]]:
        """The p-value of each of the steps, and that of Holm."""
        values = [sign_flip(self.gaps(step)) for step in STEPS]
        return list(zip(values, holm(values), strict=True))

    @property
    def gain(self) -> float:
        """The headline, in points."""
        return 100 * float(self.gaps(CLAIM).mean())

    def short(self, pairs: int, epochs: int | None = None) -> np.ndarray:
        """The accuracies of width 32 after as many epochs as cost no more than width 16."""
        epoch = epochs or SHORT[pairs]
        runs = self.arm("linear", pairs, 32, self.rate("linear", pairs, 32, epoch))
        return runs.test_curve[SEARCHED : SEARCHED + SEEDS, epoch - 1]

    def short_gaps(self, pairs: int) -> np.ndarray:
        return self.short(pairs) - self.results("linear", pairs, 16).test

    def more(self) -> np.ndarray:
        """What width 32 gains with the three seeds that came later."""
        values = [
            self.arm("linear", 16, width, self.rate("linear", 16, width))[SEARCHED + SEEDS :].test
            for width in (32, 16)
        ]
        return values[0] - values[1]

    def by_sequence(self) -> np.ndarray:
        """What width 32 gains on each test sequence, over the ten seeds."""
        wide, narrow = (self.results("linear", 16, width).correct for width in (32, 16))
        return (wide.astype(float) - narrow).reshape(SEEDS, -1, 16).mean((0, 2))

    def removed(self) -> list[float]:
        """The share of the errors of width 16 that width 32 does not make, by number of pairs."""
        narrow, wide = ([1 - self.results("linear", p, d).test.mean() for p in PAIRS] for d in (16, 32))
        return [1 - float(w / n) for n, w in zip(narrow, wide, strict=True)]

    # -- what is asked of the authors

    def agrees(self) -> bool:
        """Whether these seeds say what all thirty do."""
        for step, (_, p) in zip(STEPS, self.tests, strict=True):
            if (p < 0.05) != (step[0] == "linear") and step[2] == (16, 32):
                return False
            if step[0] == "linear" and p >= 0.05:
                return False
        if any(self.results(*arm).diverged.any() for arm in product(MIXERS, PAIRS, WIDTHS)):
            return False
        if any(self.rate("linear", *arm) in (0.003, 0.3) for arm in product(PAIRS, WIDTHS)):
            return False
        gains = [float(self.gaps(("linear", pairs, (16, 32))).mean()) for pairs in PAIRS]
        if gains != sorted(gains) or self.removed() != sorted(self.removed()):
            return False
        short = [self.short_gaps(pairs) for pairs in PAIRS]
        short.append(self.short(16, 2) - self.results("linear", 16, 16).test)
        low = [interval(gaps, T9)[0] for gaps in short[1:]]
        return min(low) > 0 and interval(short[0], T9)[1] < 0

    def shows(self) -> bool:
        """Whether what is to look bad does so with these seeds."""
        arms = [("linear", 16, width) for width in (16, 32)]
        if "search" in self.sites and not len(self.tried(*arms[0])) < len(self.tried(*arms[1])):
            return False
        if "rates" in self.sites and self.rate(*arms[0]) == self.rate(*arms[1]):
            return False
        if "overlap" in self.sites:
            ends = [interval(self.results("window", 4, width).test, T9) for width in (8, 16)]
            return ends[0][1] > ends[1][0] and interval(self.gaps(OVERLAP), T9)[0] > 0
        return True


OVERLAP = ("window", 4, (8, 16))


def interval(values: np.ndarray, t: float) -> tuple[float, float]:
    """The 95% interval of a mean, in the values' own unit."""
    half = t * spread(values) / math.sqrt(len(values))
    return float(values.mean()) - half, float(values.mean()) + half


def best_of(values: Sequence[float], k: int) -> float:
    """The expected best of ``k`` of the values."""
    return float(np.mean([max(chosen) for chosen in combinations(values, k)]))


def named(mixer: str, width: int) -> str:
    return f"{mixer}, d = {width}"


def step_name(step: tuple[str, int, tuple[int, int]]) -> str:
    mixer, pairs, (narrow, wide) = step
    return f"{mixer}, {pairs} pairs, {narrow} to {wide}"


def between(values: np.ndarray, t: float) -> str:
    """An interval in points."""
    low, high = interval(values, t)
    return f"{points(low)} to {points(high)}"


def points(value: float) -> str:
    """A difference in points, with its sign; what rounds to nothing has none."""
    return f"{100 * value:+.1f}" if abs(100 * value) >= 0.05 else "0.0"


def form(number: int) -> Form:
    """A form of the paper; its sites and the authors' runs follow from ``number``."""
    for draw in count():
        protocol = Protocol(Authors("recall", (number, draw), SEARCHED + SEEDS + MORE), sites(number))
        # Authors whose seeds would contradict all thirty are not asked, nor those whose paper would lack what
        # is to look bad in this form.
        if protocol.agrees() and protocol.shows():
            break
    return _Writer(protocol, number).form()


@dataclass(frozen=True)
class _Writer:
    p: Protocol
    number: int

    def has(self, look: str) -> bool:
        return look in self.p.sites

    def mean(self, mixer: str, pairs: int, width: int) -> float:
        return float(self.p.results(mixer, pairs, width).test.mean())

    # -- tables and figures

    def table1(self) -> Table:
        rows = []
        for mixer, width in product(MIXERS, WIDTHS):
            runs = self.p.results(mixer, 16, width)
            kept = {"linear": width * width + width, "softmax": 2 * 48 * width, "window": 2 * WINDOW * width}
            rows.append(
                (
                    named(mixer, width),
                    *([YEARS[mixer]] if self.has("year") else []),
                    f"{kept[mixer]:,}",
                    f"{int(runs.parameters[0]):,}",
                    f"{self.p.rate(mixer, 16, width):g}",
                    *([percent(float(runs.val.mean()))] if self.has("validation") else []),
                    percent(float(runs.test.mean())),
                    percent(spread(runs.test)),
                )
            )
        head = (
            "layer",
            *(["year"] if self.has("year") else []),
            "state",
            "parameters",
            "learning rate",
            *(["validation"] if self.has("validation") else []),
            "test",
            "SD",
        )
        told = " Validation is the accuracy on each seed's own validation queries." * self.has("validation")
        told += " Year is that of the paper that describes the layer." * self.has("year")
        return Table(
            "1",
            f"Accuracy in percent with 16 pairs after {EPOCHS} epochs, means over {SEEDS} seeds; SD is over seeds. "
            f"State counts the numbers that a layer keeps of a sequence of 48 tokens.{told}",
            head,
            tuple(rows),
        )

    def table2(self) -> Table:
        rows = []
        for step, (p, adjusted) in zip(STEPS, self.p.tests, strict=True):
            gaps = self.p.gaps(step)
            rows.append(
                (
                    step_name(step),
                    points(float(gaps.mean())),
                    between(gaps, T9),
                    f"{p:.4f}",
                    f"{adjusted:.3f}",
                )
            )
        return Table(
            "2",
            f"What doubling the width gains, in points of test accuracy: mean of {SEEDS} pairs of runs with its 95% "
            "interval, the p-value of the exact sign-flip test, and the same after Holm's correction for all "
            f"{len(STEPS)} rows.",
            ("layer, pairs, widths", "gain", "95% interval", "p", "p (Holm)"),
            tuple(rows),
        )

    def table3(self) -> Table:
        rows = []
        for mixer, width in product(MIXERS, WIDTHS):
            cells = [
                f"{self.p.rate(mixer, pairs, width):g} of {len(self.p.tried(mixer, pairs, width))}"
                for pairs in PAIRS
            ]
            rows.append((named(mixer, width), *cells))
        return Table(
            "3",
            "The learning rate that was chosen, and of how many that were tried.",
            ("layer", *(f"{pairs} pairs" for pairs in PAIRS)),
            tuple(rows),
        )

    def table4(self) -> Table:
        rows = []
        grid = self.p.authors.rates(configuration("linear", 16, 16))
        for mixer, width in (("linear", 16), ("linear", 32), ("softmax", 16)):
            tried = self.p.tried(mixer, 16, width)
            values = {lr: self.p.searched(mixer, 16, width, lr) for lr in grid}
            middle = [values[lr] for lr in grid[1:4]]
            rows.append(
                (
                    named(mixer, width),
                    *(percent(values[lr]) if lr in tried else "not tried" for lr in grid),
                    *(percent(best_of(middle, k)) for k in (1, 2, 3)),
                )
            )
        return Table(
            "4",
            f"The search with 16 pairs: mean validation accuracy in percent over the {SEARCHED} seeds of the search "
            "at each learning rate, and the expected best of one, two or three of the rates 0.01, 0.03 and 0.1.",
            ("layer", *(f"{lr:g}" for lr in grid), "best of 1", "best of 2", "best of 3"),
            tuple(rows),
        )

    def table5(self) -> Table:
        rows = tuple(
            (named(mixer, width), *(percent(value) for value in self.p.results(mixer, 16, width).test))
            for mixer, width in product(MIXERS, WIDTHS)
        )
        return Table(
            "5",
            "Test accuracy in percent of every run behind Table 1.",
            ("layer", *(f"seed {n}" for n in range(SEEDS))),
            rows,
        )

    def table6(self) -> Table:
        rows = []
        for pairs in PAIRS:
            for width, epochs in ((16, EPOCHS), (32, SHORT[pairs])):
                runs = self.p.results("linear", pairs, width)
                values = runs.test if width == 16 else self.p.short(pairs)
                rate = self.p.rate("linear", pairs, width, epochs)
                rows.append(
                    (
                        f"d = {width}, {pairs} pairs",
                        str(epochs),
                        f"{float(runs.flops[0]) * epochs / EPOCHS / 1e9:.2f}",
                        f"{rate:g}",
                        percent(float(values.mean())),
                        "" if width == 16 else points(float(self.p.short_gaps(pairs).mean())),
                        "" if width == 16 else between(self.p.short_gaps(pairs), T9),
                    )
                )
        return Table(
            "6",
            "Linear attention at no more than equal compute: billions of FLOPs of a training, test accuracy in percent "
            f"over {SEEDS} seeds, and what width 32 gains, in points.",
            ("width, pairs", "epochs", "FLOPs", "learning rate", "test", "gain", "95% interval"),
            tuple(rows),
        )

    def figure1(self) -> Figure:
        cut = self.has("axis")

        def draw(ax: Any) -> None:
            inset = ax.inset_axes((0.55, 0.12, 0.41, 0.4)) if cut else None
            for number, (mixer, width) in enumerate((("linear", 16), ("linear", 32), ("softmax", 16))):
                curve = 100 * self.p.results(mixer, 16, width).test_curve
                epochs, mean, sd = np.arange(1, EPOCHS + 1), curve.mean(0), curve.std(0, ddof=1)
                for axes in (ax,) if inset is None else (ax, inset):
                    axes.plot(epochs, mean, color=f"C{number}", label=named(mixer, width))
                ax.fill_between(epochs, mean - sd, mean + sd, color=f"C{number}", alpha=0.15, linewidth=0)
            ax.set_xlim(1, EPOCHS)
            ax.set_ylim(*((70, 101) if cut else (0, 102)))
            if inset is not None:
                inset.set_xlim(1, EPOCHS)
                inset.set_ylim(0, 102)
                inset.set_title("full range", fontsize=7)
                inset.tick_params(labelsize=6)
            ax.set_xlabel("epoch")
            ax.set_ylabel("test accuracy in %")
            ax.legend(loc="upper left" if cut else "lower right", fontsize=7)

        told = " The inset shows the same means on the full range." * cut
        return Figure(
            "1",
            f"Test accuracy during training with 16 pairs, mean and standard deviation over {SEEDS} seeds.{told}",
            draw,
        )

    def figure2(self) -> Figure:
        def draw(axes: Any) -> None:
            for number, mixer in enumerate(MIXERS):
                for shift, (pairs, marker) in enumerate(zip(PAIRS, "o^s", strict=True)):
                    values = [100 * self.p.results(mixer, pairs, width).test for width in WIDTHS]
                    means = np.array([one.mean() for one in values])
                    halves = [one.mean() - interval(one, T9)[0] for one in values]
                    axes[0].errorbar(
                        np.arange(3) + 0.12 * (shift - 1),
                        means,
                        halves,
                        fmt=f"{marker}-",
                        color=f"C{number}",
                        markersize=4,
                        linewidth=0.8,
                        capsize=2,
                        label=f"{mixer}, {pairs} pairs",
                    )
            axes[0].set_xticks(range(3), [str(width) for width in WIDTHS])
            axes[0].set_xlabel("width d")
            axes[0].set_ylabel("test accuracy in %")
            axes[0].set_ylim(0, 104)
            axes[0].legend(fontsize=6, loc="center right", bbox_to_anchor=(1.0, 0.55))
            for row, step in enumerate(STEPS):
                gaps = 100 * self.p.gaps(step)
                axes[1].errorbar(
                    gaps.mean(),
                    row,
                    xerr=gaps.mean() - interval(gaps, T9)[0],
                    fmt="o",
                    color=f"C{MIXERS.index(step[0])}",
                    markersize=3,
                    capsize=2,
                )
            axes[1].axvline(0, color="0.6", linewidth=0.8)
            axes[1].set_yticks(range(len(STEPS)), [step_name(step) for step in STEPS], fontsize=6)
            axes[1].invert_yaxis()
            axes[1].set_xlabel("gain in points")

        return Figure(
            "2",
            f"Left: mean test accuracy by width with its 95% interval over {SEEDS} seeds. Right: the gains of Table 2, "
            "with the 95% interval of the pairs.",
            draw,
            size=(8.4, 3.9),
            panels=2,
        )

    # -- text

    def abstract(self) -> str:
        narrow, wide = self.mean("linear", 16, 16), self.mean("linear", 16, 32)
        return (
            "Linear attention keeps a state of fixed size in place of a cache that grows with the sequence, and is "
            "known to pay for it in associative recall. We ask how much of the loss a wider state buys back. One layer "
            "has to recall the values of 16 keys. Doubling the width of linear attention from 16 to 32 raises its "
            f"accuracy from {percent(narrow)}% to {percent(wide)}%, a gain of {self.p.gain:.1f} points, where "
            f"softmax attention of width 16 has {percent(self.mean('softmax', 16, 16))}%. The gain grows with the "
            "number of pairs, and with 16 pairs neither softmax attention nor a sliding window gains nearly as much by the "
            "same doubling. We conclude that its width limits what linear attention recalls here, and explain it by the "
            "size of the state."
        )

    def introduction(self) -> str:
        return (
            "Softmax attention (Vaswani et al. 2017) can look up any earlier token, and keeps all of them in memory "
            "to do so. Linear attention (Katharopoulos et al. 2020) replaces the softmax by a product of feature maps, "
            "so that all that it knows of the past is a matrix and a vector. Models of this kind fall behind in associative "
            "recall, the task of returning what was seen beside a key (Arora et al. 2023). An obvious account is that "
            "a matrix of fixed size can hold only so many pairs without confusing them. It predicts that a wider "
            "layer recalls more, that it gains the more, the more pairs there are to recall, and that a layer whose "
            "memory is not the bottleneck gains little or nothing from the same change.\n\n"
            "**Our claim.** With 16 pairs to recall and ten epochs of training, a layer of linear attention of width "
            "32 has a higher test accuracy than one of width 16, each at its own learning rate.\n\n"
            "We test it on a task that is small enough to run every cell of a grid of three layers, three widths and "
            "three numbers of pairs, and report all of them."
        )

    def method(self) -> str:
        return (
            "Let $q_t, k_t, v_t \\in \\mathbb{R}^d$ be query, key and value at position $t$. Linear attention with the "
            "feature map $\\phi(x) = \\mathrm{elu}(x) + 1$ returns\n\n"
            "$$o_t = \\frac{S_t^\\top \\phi(q_t)}{z_t^\\top \\phi(q_t)}, \\qquad S_t = \\sum_{s \\le t} \\phi(k_s) "
            "v_s^\\top, \\qquad z_t = \\sum_{s \\le t} \\phi(k_s),$$\n\n"
            "with $10^{-6}$ added to the denominator. The state is $S_t$ and $z_t$: $d^2 + d$ numbers, whatever $t$ "
            "is. In a space of $d$ dimensions at most $d$ directions are orthogonal, so that with many pairs a query "
            "also returns a part of what belongs to other keys. Since $\\phi$ is positive, its values cannot be "
            "orthogonal except in the limit, which makes this worse.\n\n"
            "Softmax attention has the weights $\\mathrm{softmax}(q_t^\\top k_s / \\sqrt{d})$ over all $s \\le t$, and "
            f"keeps the keys and values of all positions. The sliding window, as in Beltagy et al. (2020), has the same "
            f"weights over the last {WINDOW} positions, the present one included, and keeps the keys and values of these. The three layers differ in "
            "nothing else, and at one width have the same parameters."
        )

    def task(self) -> str:
        return (
            "### 3.1 Task\n\n"
            "A sequence holds $P$ pairs of a key and a value, and then the $P$ keys again in another order: $3P$ "
            "tokens. The model has to name the value of each key as it is asked. Keys are drawn from 32 tokens, none "
            "twice, values from 16, so that guessing is right in 6.25% of the queries. A training set has 1,024 "
            "sequences. Accuracy is the share of right answers, over 256 queries for validation and "
            f"{QUERIES} for the test; with 16 pairs these are 16 and 32 sequences. Each seed has training and validation "
            "sequences of its own; the test sequences are the same for all. All are drawn independently of each "
            "other, and none of the test sequences occurs in a training set."
        )

    def training(self) -> str:
        return (
            "### 3.2 Models and training\n\n"
            "Embeddings of width $d$ pass through three depthwise causal convolutions of width 2, one each for "
            "queries, keys and values, so that a value can be stored beside the key before it. Three linear maps of "
            "size $d \\times d$ follow, then attention, then a linear output layer. There are no biases, no residual "
            "connections, no normalisation and no position codes. All models minimise the mean cross-entropy of the "
            f"queries with Adam (Kingma and Ba 2015) at a constant learning rate, in batches of 32 sequences, for {EPOCHS} epochs, which is "
            "320 steps. A wider layer has more parameters and costs more; Appendix C compares at equal compute."
        )

    def selection(self) -> str:
        rule = (
            "The search of an arm begins with the rates 0.01, 0.03 and 0.1, and goes on to 0.003 or 0.3 for as long as "
            "the best rate is the last on its side. "
            if self.has("search")
            else "The search of an arm tries the rates 0.003, 0.01, 0.03, 0.1 and 0.3. "
        )
        more = f" Another {MORE} were kept for a repetition (Section 5.2)." if self.has("repeated") else ""
        return (
            "### 3.3 Selection and reporting\n\n"
            "An arm is a layer at one width and one number of pairs; there are 27. Each has a learning rate of its "
            f"own. {rule}The rate with the best mean validation accuracy after the last epoch is taken, of equal ones "
            f"the smallest. The search uses {SEARCHED} seeds that are used for nothing else; results are those of "
            f"{SEEDS} others, whose number was fixed before.{more} A seed sets initial parameters, data and order, and "
            "all arms share the seeds, so that differences are taken seed by seed. We give their mean, the 95% "
            "interval by Student's t (differences are taken before rounding), and the exact sign-flip test: the share of the 1,024 ways to give the "
            f"{SEEDS} differences a sign that have a mean at least as far from zero. The doublings of Table 2 are all "
            f"that the grid has. Their {len(STEPS)} p-values are corrected by the method of Holm (1979). Every run that "
            "was started is counted; among the results none diverged."
        )

    def main(self) -> str:
        gaps, items = self.p.gaps(CLAIM), self.p.by_sequence()
        narrow, wide, soft = (
            self.mean(m, 16, d) for m, d in (("linear", 16), ("linear", 32), ("softmax", 16))
        )
        rise = self.p.results("linear", 16, 16).test_curve.mean(0)
        rest = f"{100 * (soft - wide):.1f} points are left of the {100 * (soft - narrow):.1f} by which width 16 is behind"
        years = (
            " Softmax attention is older than the other two and is still the strongest layer here."
            if self.has("year")
            else ""
        )
        labelled = (
            " Rates were not chosen by the column of validation in Table 1, which belongs to the seeds of the results."
            if self.has("validation")
            else ""
        )
        return (
            "### 4.1 Sixteen pairs\n\n"
            f"Table 1 gives the results with 16 pairs. Linear attention of width 32 has {percent(wide)}%, of width 16 "
            f"{percent(narrow)}%. The gain is {self.p.gain:.1f} points (95% interval {between(gaps, T9)}) and has the "
            f"same sign in all {SEEDS} pairs. The test sequences are the same for every seed; by the 32 sequences, in "
            f"place of the seeds, the interval is {between(items, T31)}. Of the distance to softmax attention {rest}."
            f"{years}{labelled}\n\n"
            f"Figure 1 shows the course of training. The mean accuracy of width 16 changes by "
            f"{points(float(rise[-1] - rise[-2]))} points in its last epoch. That of width 32 is above all that width 16 "
            f"reaches from epoch {self.crossing()} on."
        )

    def crossing(self) -> int:
        """The first epoch from which on the mean curve of width 32 is above all of that of width 16."""
        narrow, wide = (self.p.results("linear", 16, d).test_curve.mean(0) for d in (16, 32))
        below = np.flatnonzero(wide <= narrow.max())
        return int(below[-1]) + 2 if len(below) else 1

    def grid(self) -> str:
        gains = [100 * float(self.p.gaps(("linear", pairs, (16, 32))).mean()) for pairs in PAIRS]
        shares = [100 * share for share in self.p.removed()]
        held = [step for step, (_, p) in zip(STEPS, self.p.tests, strict=True) if p < 0.05]
        others = [step_name(step) for step in held if step[0] != "linear"]
        more = (
            "No other row does."
            if not others
            else f"Of the others, {'; '.join(others)} {'passes' if len(others) == 1 else 'pass'}."
        )
        overlap = ""
        if self.has("overlap"):
            gaps = self.p.gaps(OVERLAP)
            ends = [self.p.results("window", 4, width).test for width in (8, 16)]
            first, second = (
                f"{percent(interval(one, T9)[0])} to {percent(interval(one, T9)[1])}" for one in ends
            )
            overlap = (
                f" The window gains a little from width 8 to 16 with 4 pairs. The intervals of its two means overlap "
                f"({first} and {second}%), that of the paired gain lies above zero ({between(gaps, T9)})."
            )
        return (
            "### 4.2 All widths and numbers of pairs\n\n"
            f"Table 2 has every doubling of the grid. From width 16 to 32 linear attention gains {gains[0]:.1f}, "
            f"{gains[1]:.1f} and {gains[2]:.1f} points with 4, 8 and 16 pairs: the more there is to recall, the more. "
            f"Of the errors of width 16 this removes {shares[0]:.0f}%, {shares[1]:.0f}% and {shares[2]:.0f}%. "
            f"From width 8 to 16 it gains more still. All six rows pass at the 5% level after correction; the p-value "
            f"of 0.0020 is the smallest that ten pairs can have, 2 of 1,024. {more}{overlap}"
        )

    def isolates(self) -> str:
        window, soft = (self.p.gaps((mixer, 16, (16, 32))) for mixer in ("window", "softmax"))
        return (
            "### 5.1 The state or the width\n\n"
            "The width is also that of embeddings, projections and output. If these were too small at width 16, other "
            "layers would suffer from it. Softmax attention has the same embeddings, projections and output, and "
            f"answers {percent(self.mean('softmax', 16, 16))}% of the queries at width 16 and "
            f"{percent(self.mean('softmax', 16, 8))}% at width 8. The parts that the layers share are therefore large "
            "enough for the task, and what is left to explain the gain is what linear attention makes of them. Softmax "
            f"attention has no room above it (its gain is {points(float(soft.mean()))}) and can say no more than that. The "
            f"window is right in {percent(self.mean('window', 16, 16))}% at width 16, and doubling the width adds "
            f"{points(float(window.mean()))} points ({between(window, T9)}): to a layer that does not reach the pair that is "
            f"asked for, width by itself gives nothing like the {self.p.gain:.1f} points of linear attention. It has "
            "little room either, since most pairs lie outside the window whatever its width."
        )

    def repeated(self) -> str:
        more = self.p.more()
        values = ", ".join(points(float(one)) for one in more)
        return (
            "### 5.2 A repetition\n\n"
            f"When the above was written we ran the two arms of the claim once more, with the {MORE} seeds that had "
            f"been kept for it and at the rates of Table 1. The gains are {values}: a mean of "
            f"{100 * float(more.mean()):.1f} points, with an interval of {between(more, T2)} by two degrees of freedom. "
            f"These runs are in no table, and were not added to the {SEEDS}."
        )

    def discussion(self) -> str:
        short = 100 * float(self.p.short_gaps(4).mean())
        return (
            f"A wider layer of linear attention recalled more, by {self.p.gain:.1f} points with 16 pairs. Of the three "
            "predictions of the account by the size of the state, two hold: the gain is there, and it grows with the number "
            "of pairs. The third, that other layers gain far less, is met as well, and says less, since the other two "
            "layers are close to the most that they can reach. With 8 and 16 pairs it is there at equal "
            "compute as well (Appendix C). With 4 pairs it is not: where width 32 may cost no more than width 16, it "
            f"falls behind by {-short:.1f} points.\n\n"
            "**Limits.** This is one synthetic task, one layer without the other parts of a language model, one "
            "feature map, and one size of training set. Newer feature maps and gates may need less width. Width 32 is also "
            "the number of key tokens, and we have not tried more of these. We did not "
            "vary the state apart from the width, so that the account rests on the comparison between layers, and "
            "softmax attention and the window are at their ceilings. No model was trained for longer than ten epochs, with which width 16 "
            "might still improve. Holm's correction covers Table 2, not the rows of Table 6. For layers of this kind we "
            "recommend to choose the width by the number of pairs that have to be recalled."
        )

    def appendix_a(self) -> str:
        outward = self.has("search")
        counts = [len(self.p.tried("linear", 16, width)) for width in (16, 32)]
        tried = (
            f"By the rule of Section 3.3 the two arms of the claim have tried {counts[0]} and {counts[1]} rates (Table 3). "
            if outward
            else "Every arm has tried five rates (Table 3). "
        )
        return (
            f"{tried}A search trains each rate with the {SEARCHED} seeds of the search. Table 4 shows what it is worth "
            "for three arms: the expected best of three rates is little above that of two. Runs that diverge, at the "
            "largest rates, count with the accuracy that they end with. The smallest rate of the grid is chosen by "
            f"{self.lowest()} arms, none of them of linear attention; in none of them "
            f"is it ahead of the next rate by more than {self.edge():.1f} points of validation accuracy."
        )

    def smallest(self) -> list[tuple[str, int, int]]:
        """The arms that have chosen the smallest rate there is."""
        grid = self.p.authors.rates(configuration("linear", 16, 16))
        return [arm for arm in product(MIXERS, PAIRS, WIDTHS) if self.p.rate(*arm) == grid[0]]

    def lowest(self) -> int:
        return len(self.smallest())

    def edge(self) -> float:
        """The most that an arm at the smallest rate is ahead of the next one in the search, in points."""
        rates = self.p.authors.rates(configuration("linear", 16, 16))[:2]
        gaps = [self.p.searched(*arm, rates[0]) - self.p.searched(*arm, rates[1]) for arm in self.smallest()]
        return 100 * max(gaps, default=0.0)

    def appendix_c(self) -> str:
        return (
            "FLOPs are those of the matrix products in training, forward and backward. Queries, rows of attention and "
            "outputs are computed for the positions that are asked for, keys and values for all, and what a mask hides is "
            "counted, as we do for every layer. With the learning rate constant, "
            "the first epochs of a run are a run of so many epochs. We give width 32 as many whole epochs as cost no "
            "more than ten of width 16, and search its learning rate again, by the validation accuracy after these "
            "epochs (Table 6). Computed as a recurrence, linear attention of width 32 would cost up to four times as much as "
            f"that of width 16. Two of its epochs then cost less than ten of width 16, and give it "
            f"{percent(float(self.p.short(16, 2).mean()))}% with 16 pairs.\n\n"
            "All searches were made in January 2026, the runs of the results in February"
            + (", the repetition in March" if self.has("repeated") else "")
            + ". A run takes a few seconds on one core."
        )

    # -- the key

    def decoys(self) -> tuple[Decoy, ...]:
        p = self.p
        rates = [p.rate("linear", 16, width) for width in (16, 32)]

        def tuned(step: tuple[str, int, tuple[int, int]]) -> float:
            """The gain over all 30 seeds, each arm at the rate that its validation accuracy prefers."""
            mixer, pairs, widths = step
            means = []
            for width in widths:
                arm = configuration(mixer, pairs, width)
                runs = [every("recall", arm, lr) for lr in p.authors.rates(arm)]
                means.append(float(max(runs, key=lambda one: one.val.mean()).test.mean()))
            return 100 * (means[1] - means[0])

        def common() -> tuple[float, float]:
            runs = [p.arm("linear", 16, width, 0.03)[SEARCHED : SEARCHED + SEEDS].test for width in (16, 32)]
            return p.gain, 100 * float((runs[1] - runs[0]).mean())

        def searched() -> tuple[float, float]:
            grid = p.authors.rates(configuration("linear", 16, 16))
            means = []
            for width in (16, 32):
                best = max(grid, key=lambda lr: p.searched("linear", 16, width, lr))
                means.append(p.arm("linear", 16, width, best)[SEARCHED : SEARCHED + SEEDS].test.mean())
            return p.gain, 100 * float(means[1] - means[0])

        def validated() -> tuple[float, float]:
            wide, narrow = (p.results("linear", 16, width).val.mean() for width in (32, 16))
            return p.gain, 100 * float(wide - narrow)

        def curves() -> tuple[float, float]:
            wide, narrow = (p.results("linear", 16, width).test_curve[:, -1].mean() for width in (32, 16))
            return 100 * float(wide - narrow), p.gain

        def strongest() -> tuple[float, float]:
            others = [self.mean(m, 16, d) for m, d in product(MIXERS, WIDTHS) if (m, d) != ("linear", 32)]
            wide = self.mean("linear", 16, 32)
            return 100 * (self.mean("softmax", 16, 16) - wide), 100 * (max(others) - wide)

        def corrected() -> tuple[float, float]:
            ours = [pair for step, pair in zip(STEPS, p.tests, strict=True) if step[0] == "linear"]
            return 100 * max(a for a, _ in ours), 100 * max(b for _, b in ours)

        found = [
            Decoy(
                "parameters",
                (
                    {"table": "1", "column": "parameters"},
                    {"section": "3.2"},
                    {"appendix": "C"},
                    {"table": "6"},
                ),
                ("unequal_compute",),
                "more parameters are what a wider layer is, and Table 6 matches the compute: the gain is {before} "
                "points after equal epochs and {after} with fewer FLOPs than width 16",
                lambda: (p.gain, 100 * float(p.short_gaps(16).mean())),
                2.5,
            ),
            Decoy(
                "ten_seeds",
                ({"table": "1"}, {"section": "3.3"}, {"table": "5"}),
                ("no_variance", "optional_stopping"),
                "ten pairs suffice for a difference that is many times its deviation: it is {before} points with ten "
                "seeds and {after} with thirty",
                lambda: (p.gain, tuned(CLAIM)),
                1.5,
            ),
            Decoy(
                "eighteen",
                ({"table": "2"}, {"section": "4.2"}),
                ("multiple_comparisons", "cherry_picked_tasks"),
                "every doubling of the grid is shown and all are corrected together: the largest of the six p-values of "
                "linear attention is {before}% by itself and {after}% after Holm's correction, both below 5%",
                corrected,
                4.8,
            ),
            Decoy(
                "gains_nothing",
                ({"section": "5.1"},),
                ("cherry_picked_tasks", "survivorship"),
                "layers that gain nothing are what the account predicts, and they are shown: the window gains {before} "
                "points with ten seeds and {after} with thirty",
                lambda: (
                    100 * float(p.gaps(("window", 16, (16, 32))).mean()),
                    tuned(("window", 16, (16, 32))),
                ),
                2.5,
            ),
        ]
        looks = {
            "axis": Decoy(
                "axis",
                ({"figure": "1"},),
                ("misleading_plot",),
                "the axis is cut to show the end of training, the inset has the full range, and the curves end where the "
                "table says: {before} and {after} points apart",
                curves,
                1e-9,
            ),
            "year": Decoy(
                "year",
                (
                    {"table": "1", "column": "year"},
                    {"table": "1", "row": "softmax, d = 8"},
                    {"table": "1", "row": "softmax, d = 16"},
                    {"table": "1", "row": "softmax, d = 32"},
                ),
                ("dated_baseline",),
                "the oldest layer is the strongest: width 32 is {before} points behind it and {after} behind the best "
                "of all others",
                strongest,
                0.3,
            ),
            "search": Decoy(
                "search",
                (
                    {"table": "3", "row": "linear, d = 16"},
                    {"table": "3"},
                    {"table": "4"},
                    {"appendix": "A"},
                ),
                ("untuned_baseline",),
                "one rule stops every search once the best rate is inside, and the baseline's curve is flat by then: "
                "the gain is {before} points as searched and {after} with all five rates for both",
                searched,
                0.5,
            ),
            "rates": Decoy(
                "rates",
                ({"table": "1", "column": "learning rate"},),
                ("confounded_ablation", "untuned_baseline"),
                f"the rates {rates[0]:g} and {rates[1]:g} are each arm's own best by one search: the gain is {{before}} "
                "points with them and {after} with 0.03 for both",
                common,
                2.0,
            ),
            "overlap": Decoy(
                "overlap",
                ({"figure": "2"}, {"table": "2", "row": step_name(OVERLAP)}),
                ("wrong_error_bars", "wrong_pairing", "no_variance"),
                "two intervals that overlap say little of runs that share seeds: the paired gain is {before} points with "
                "ten seeds and {after} with thirty",
                lambda: (100 * float(p.gaps(OVERLAP).mean()), tuned(OVERLAP)),
                1.0,
            ),
            "validation": Decoy(
                "validation",
                ({"table": "1", "column": "validation"},),
                ("test_set_selection",),
                "the column is called what it is, and rates were chosen with other seeds: the gain is {before} points on "
                "the test set and {after} on the validation sets",
                validated,
                2.0,
            ),
            "repeated": Decoy(
                "repeated",
                ({"section": "5.2"},),
                ("optional_stopping", "no_variance", "best_of_seeds"),
                "the three later seeds were fixed before and kept apart: the gain is {before} points with the ten and "
                "{after} with these",
                lambda: (p.gain, 100 * float(p.more().mean())),
                2.5,
            ),
        }
        return (*found, *(looks[look] for look in LOOKS if self.has(look)))

    def fair(self) -> tuple[dict[str, Any], ...]:
        return (
            {
                "places": [{"section": "Abstract"}, {"section": "1"}, {"section": "6"}, {"section": "3.1"}],
                "classes": ["over_generalised"],
            },
            {
                "places": [{"section": "2"}, {"section": "6"}],
                "classes": ["dated_baseline", "missing_control"],
            },
            {
                "places": [
                    {"section": "3.2"},
                    {"section": "4.1"},
                    {"figure": "1"},
                    {"section": "6"},
                    {"appendix": "C"},
                    {"table": "6"},
                ],
                "classes": ["unequal_training"],
            },
            {
                "places": [
                    {"section": "5.1"},
                    {"section": "6"},
                    {"section": "Abstract"},
                    {"section": "1"},
                    {"section": "3.1"},
                    {"table": "1", "column": "state"},
                ],
                "classes": ["confounded_ablation", "one_at_a_time_ablation", "missing_control"],
            },
            {
                "places": [{"section": "3.1"}, {"section": "4.1"}],
                "classes": ["no_variance", "pseudo_replication"],
            },
            {"places": [{"section": "3.3"}, {"section": "4.1"}], "classes": ["wrong_pairing"]},
            {
                "places": [{"section": "4.2"}, {"table": "2"}, {"section": "5.1"}],
                "classes": ["metric_not_claim"],
            },
            {
                "places": [
                    {"section": "3.3"},
                    {"figure": "1"},
                    *({"table": "2", "row": step_name(step)} for step in STEPS if step[0] == "softmax"),
                    *([] if self.has("overlap") else [{"figure": "2"}]),
                ],
                "classes": ["wrong_error_bars"],
            },
            {
                "places": [{"table": "6"}, {"appendix": "C"}, {"section": "6"}],
                "classes": ["multiple_comparisons"],
            },
            {"places": [{"table": "4"}, {"table": "3"}, {"appendix": "A"}], "classes": ["no_variance"]},
        )

    def trial(self) -> Trial:
        other = configuration("softmax", 16, 16)

        def twin(ours: tuple[str, int, int], theirs: tuple[str, int, int], about: str, true: bool) -> Twin:
            names = {"linear, d = 32": configuration(*ours), "linear, d = 16": configuration(*theirs)}
            return Twin(about, {"layer": {**names, "softmax, d = 16": other}}, true)

        return Trial(
            family="recall",
            factors={
                "layer": {
                    "linear, d = 32": configuration("linear", 16, 32),
                    "linear, d = 16": configuration("linear", 16, 16),
                    "softmax, d = 16": other,
                }
            },
            treatment={"layer": "linear, d = 32"},
            baseline={"layer": "linear, d = 16"},
            twins=(
                twin(("linear", 16, 32), ("linear", 16, 16), "linear, 32 and 16, as in the paper", True),
                twin(("linear", 8, 32), ("linear", 8, 16), "linear, 32 and 16, 8 pairs", True),
                twin(("window", 4, 16), ("window", 4, 8), "window, 16 and 8, 4 pairs", True),
                twin(("window", 16, 32), ("window", 16, 8), "window, 32 and 8, 16 pairs", True),
                twin(("softmax", 16, 32), ("softmax", 16, 8), "softmax, 32 and 8, 16 pairs", False),
                twin(("window", 4, 32), ("window", 4, 16), "window, 32 and 16, 4 pairs", False),
                twin(("window", 16, 16), ("window", 16, 32), "window, 16 and 32, 16 pairs", False),
                twin(("window", 8, 8), ("window", 8, 32), "window, 8 and 32, 8 pairs", False),
            ),
            budget=460,
            fair=185,
            full=0.7,
            widest=0.06,
        )

    def form(self) -> Form:
        narrow = "16 pairs, one layer, ten epochs"
        planted: tuple[Planted, ...] = ()
        repeated = (self.repeated(),) if self.has("repeated") else ()
        return Form(
            slug="linear_recall",
            number=self.number,
            title="Room to Remember: Width and Recall in Linear Attention",
            authors="Anonymous submission",
            abstract=self.abstract(),
            sections=(
                Section("1", "Introduction", (self.introduction(),)),
                Section("2", "Linear attention and its state", (self.method(),)),
                Section(
                    "3", "Set-up", (self.task(), self.training(), self.selection()), ("3.1", "3.2", "3.3")
                ),
                Section(
                    "4",
                    "Results",
                    (self.main(), self.table1(), self.figure1(), self.grid(), self.table2(), self.figure2()),
                    ("4.1", "4.2"),
                ),
                Section(
                    "5",
                    "Ablations" if repeated else "Ablation",
                    (self.isolates(), *repeated),
                    ("5.1", "5.2") if repeated else ("5.1",),
                ),
                Section("6", "Discussion", (self.discussion(),)),
                Section("A", "Search spaces", (self.appendix_a(), self.table3(), self.table4())),
                Section("B", "All runs", ("Table 5 lists the runs that Table 1 summarises.", self.table5())),
                Section("C", "Compute and dates", (self.appendix_c(), self.table6())),
            ),
            planted=planted,
            decoys=self.decoys(),
            fair=self.fair(),
            claims={
                "treatment": [
                    "softmax attention of width 16",
                    "linear attention of width 32",
                    "linear attention of any width",
                    "a sliding window of width 32",
                ],
                "baseline": [
                    "linear attention of width 16",
                    "softmax attention of width 16",
                    "linear attention of width 8",
                    "a sliding window of width 16",
                ],
                "metric": ["validation accuracy", "size of the state", "test accuracy", "training FLOPs"],
                "direction": ["higher", "lower", "not lower"],
                "scope": ["recall of any number of pairs", "trained language models", narrow],
            },
            claim={
                "treatment": {"linear attention of width 32": 1.0},
                "baseline": {"linear attention of width 16": 1.0},
                "metric": {"test accuracy": 1.0},
                "direction": {"higher": 1.0},
                "scope": {narrow: 1.0},
            },
            judgements={
                "ran": {"yes": 1.0},
                "baseline": {"fair": 1.0},
                "ablation": {"isolates": 1.0, "incomplete": 1.0},
                "contamination": {"excluded": 1.0},
            },
            verdict={"supported": 1.0},
            trial=self.trial(),
            falsifier=(
                "Width 16, with a learning rate of its own and over shared seeds, reaches the accuracy of width 32 "
                "with 16 pairs; or softmax attention or the window, at the same widths, gain as much."
            ),
            why_not=(
                "They did run it: both widths have the same search, ten shared seeds, and the other layers beside them."
            ),
            first=({"seeds": 9, "layer": ["linear, d = 32", "linear, d = 16"], "lr": [0.01, 0.03]},),
        )
