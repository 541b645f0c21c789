"""Correcting sampled negatives for their frequency in two-tower search (the family *retrieval* of the bank).

What is true: where training documents are drawn by Zipf's law, the correction is worth 5.4 points on new packages
and 2.1 on mixed ones, each kind of towers at the learning rate that validation prefers; where they are drawn by
their sentences it costs about a point. At one learning rate it never helps: it makes validation prefer smaller
steps, and on new packages every step makes the towers worse than they were as initialised. BM25 is far ahead of
all of them.

A *plan* says which sampler the main comparison has, whether the split is by function or by package, and what is
wrong. Its sites:

============ ==================================================================================
leak         training documents come from the test packages too, the claim is about new ones
rate         plain towers have a rate that was not searched; or that of the corrected ones was
             chosen by the test set
best         the best seed of the corrected towers stands beside the mean of the plain ones
ablation     the row without the correction has another sampler, or fewer negatives; or of three
             numbers of negatives the favourable one is shown
scope        the claim is about any sampler and any batch
bars         the column SD holds standard errors
control      the untrained towers are not shown; always
bm25         BM25 is not shown; always
============ ==================================================================================
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from fourrounds.critique import Trial, Twin
from fourrounds.runbank.families import Config, Level
from papers.bench import Authors, every, percent, spread
from papers.press import Decoy, Figure, Form, Place, Planted, Section, Table

SEEDS, FEW_SEEDS = 5, 3
ITEMS, CANDIDATES = 400, 2000
STARTED = 0.01
"""The learning rate that plain towers have where it is not searched."""
MOST_DRAWS = 500
"""How many sets of seeds are tried for a form; about twenty are needed."""
OURS, THEIRS = "corrected towers", "plain towers"
ZIPF, SENTENCES = "Zipf", "sentences"
SAMPLERS: dict[str, Config] = {ZIPF: {"popularity": "zipf"}, SENTENCES: {"popularity": "sentences"}}
UNTRAINED: Config = {"method": "untrained"}
BM25: Config = {"method": "bm25"}


@dataclass(frozen=True)
class Sites:
    """What a form compares, and what is wrong in it.

    ``sampler`` is that of the main comparison; ``rate`` is "fair", "untuned" or "test"; ``ablation`` is
    "clean", "sampler", "negatives" or "chosen".
    """

    sampler: str
    leak: bool
    rate: str
    best: bool
    ablation: str
    scope: bool
    bars: bool


KINDS = (
    Sites(ZIPF, False, "untuned", False, "negatives", True, False),
    Sites(SENTENCES, False, "test", False, "clean", True, True),
    Sites(SENTENCES, True, "untuned", False, "clean", False, True),
    Sites(ZIPF, False, "fair", True, "chosen", True, False),
    Sites(ZIPF, True, "untuned", False, "clean", False, True),
)


def sites(number: int) -> Sites:
    """The sites of a form: 0 is the published one, and no other is like it."""
    if number == 0:
        return Sites(ZIPF, True, "fair", True, "sampler", True, False)
    kind = KINDS[(number - 1) % len(KINDS)]
    return replace(kind, bars=kind.bars or bool(np.random.default_rng(number).integers(2)))


@dataclass(frozen=True)
class Protocol:
    """How the authors chose and reported runs."""

    authors: Authors
    sites: Sites

    def arm(self, ours: bool, sampler: str, negatives: int = 31) -> Config:
        split = "random" if self.sites.leak else "package"
        logq = "yes" if ours else "no"
        return {"split": split, "logq": logq, "negatives": negatives, **SAMPLERS[sampler]}

    def rate(self, ours: bool, sampler: str, negatives: int = 31) -> Level:
        """The learning rate that towers have in the paper."""
        if not ours and self.sites.rate == "untuned" and sampler == self.sites.sampler:
            return STARTED
        by = "test" if ours and self.sites.rate == "test" else "val"
        return self.authors.search(self.arm(ours, sampler, negatives), by=by)

    def runs(self, ours: bool, sampler: str, negatives: int = 31) -> np.ndarray:
        """The success of each run, (seeds,)."""
        arm = self.arm(ours, sampler, negatives)
        return self.authors.runs(arm, self.rate(ours, sampler, negatives)).test

    def main(self, ours: bool) -> np.ndarray:
        """The runs behind a row of Table 1."""
        return self.runs(ours, self.sites.sampler)

    def reported(self, ours: bool) -> float:
        """The success that Table 1 gives."""
        runs = self.main(ours)
        return float(runs.max() if ours and self.sites.best else runs.mean())

    @property
    def gain(self) -> float:
        """The headline, in points."""
        return 100 * (self.reported(True) - self.reported(False))

    def printed_spread(self, ours: bool) -> float:
        """What the column SD of Table 1 says."""
        return spread(self.main(ours)) / (math.sqrt(SEEDS) if self.sites.bars else 1.0)

    def without(self, **changed: Any) -> Protocol:
        """The same authors with some of the sites changed."""
        return Protocol(self.authors, replace(self.sites, **changed))

    @cached_property
    def second(self) -> tuple[tuple[str, int], tuple[str, int]]:
        """Sampler and number of negatives of Table 2's rows: corrected, plain."""
        other = SENTENCES if self.sites.sampler == ZIPF else ZIPF
        return {
            "clean": ((other, 31), (other, 31)),
            "sampler": ((other, 31), (self.sites.sampler, 31)),
            "negatives": ((other, 127), (other, 31)),
            "chosen": ((other, 7), (other, 7)),
        }[self.sites.ablation]

    def second_runs(self, ours: bool) -> np.ndarray:
        return self.runs(ours, *self.second[0 if ours else 1])

    @property
    def second_gain(self) -> float:
        """The difference of Table 2's rows, in points."""
        return 100 * float(self.second_runs(True).mean() - self.second_runs(False).mean())

    def searched(self, sampler: str, negatives: int = 31) -> float:
        """Corrected less plain towers in points, both searched by validation, means of the authors' seeds."""
        fair = self.without(rate="fair")
        gap = fair.runs(True, sampler, negatives) - fair.runs(False, sampler, negatives)
        return 100 * float(gap.mean())

    def level(self) -> float:
        """The mean success of corrected towers whose documents are drawn by sentences, in percent."""
        return 100 * float(self.without(rate="fair").runs(True, SENTENCES).mean())

    @cached_property
    def untrained(self) -> float:
        return float(self.authors.runs(UNTRAINED, 0.0).test.mean())

    @cached_property
    def bm25(self) -> float:
        return float(self.authors.runs(BM25, 0.0).test.mean())

    def over(self, level: float) -> float:
        """The mean of the corrected runs of Table 1 less a level, in points."""
        return 100 * (float(self.main(True).mean()) - level)

    def fits(self) -> bool:
        """Whether these five seeds show what the paper prints, and, put right, what all thirty show.

        One run varies by two points, and two learning rates that validation hardly tells apart may differ by
        five on the test set, so authors whose own runs, put right, would contradict the bank are not asked.
        """
        s = self.sites
        truth = [self.without(leak=leak).searched(s.sampler) for leak in {s.leak, False}]
        right = all(gap > 0.8 for gap in truth) if s.sampler == ZIPF else all(gap < -0.2 for gap in truth)
        shown = self.gain > max(1.0, truth[0] + 0.8)
        little = s.sampler == ZIPF and s.ablation == "clean"
        second = abs(self.second_gain) < 2 if little else self.second_gain > 1
        even = self.searched(SENTENCES) < 0 and self.searched(SENTENCES, 127) < 0
        leaks = not s.leak or self.level() - self.without(leak=False).level() > 3
        control = self.over(self.untrained) < self.gain - 0.3
        return right and shown and second and even and leaks and control and self.adds_up()

    def adds_up(self) -> bool:
        """Whether the printed differences are those of the printed values, to the last digit."""
        pairs = (
            (self.gain, self.reported(True), self.reported(False)),
            (self.second_gain, float(self.second_runs(True).mean()), float(self.second_runs(False).mean())),
        )
        return all(f"{gap:.1f}" == f"{float(percent(a)) - float(percent(b)):.1f}" for gap, a, b in pairs)


def form(number: int) -> Form:
    """A form of the paper; its sites and the authors' runs follow from ``number``."""
    for draw in range(MOST_DRAWS):
        protocol = Protocol(Authors("retrieval", (number, draw), SEEDS), sites(number))
        if protocol.fits():
            return _Writer(protocol, number).form()
    raise ValueError(f"no authors of form {number} fit in {MOST_DRAWS} draws")


DRAWN = {ZIPF: "by Zipf's law", SENTENCES: "by the number of their sentences"}
WIDE = "new packages, any sampler and any batch"
NARROW = {
    ZIPF: "new packages, training documents drawn by Zipf's law",
    SENTENCES: "new packages, training documents drawn by their sentences",
}


@dataclass(frozen=True)
class _Writer:
    p: Protocol
    number: int

    @property
    def s(self) -> Sites:
        return self.p.sites

    # -- tables and figures

    def table1(self) -> Table:
        rows = []
        for name, ours in ((OURS, True), (THEIRS, False)):
            rate = self.p.rate(ours, self.s.sampler)
            val = self.p.authors.runs(self.p.arm(ours, self.s.sampler), rate).val
            rows.append(
                (
                    name,
                    f"{rate:g}",
                    percent(float(val.mean())),
                    percent(self.p.reported(ours)),
                    percent(self.p.printed_spread(ours)),
                )
            )
        what = "Success@10" if self.s.best else "Mean success@10"
        return Table(
            "1",
            f"{what} in percent with documents drawn {DRAWN[self.s.sampler]}; SD is over {SEEDS} seeds.",
            ("method", "learning rate", "validation", "test", "SD"),
            tuple(rows),
        )

    def table2(self) -> Table:
        rows = []
        for name, ours, (sampler, negatives) in zip(
            (OURS, "without the correction"), (True, False), self.p.second, strict=True
        ):
            rate = self.p.rate(ours, sampler, negatives)
            runs = self.p.authors.runs(self.p.arm(ours, sampler, negatives), rate)
            rows.append(
                (
                    name,
                    sampler,
                    str(negatives),
                    f"{rate:g}",
                    percent(float(runs.val.mean())),
                    percent(float(runs.test.mean())),
                )
            )
        return Table(
            "2",
            f"The correction taken away: mean success@10 in percent over {SEEDS} seeds.",
            ("method", "drawn by", "negatives", "learning rate", "validation", "test"),
            tuple(rows),
        )

    def steps(self, rate: Level, seeds: int | None) -> np.ndarray:
        """Corrected towers under Zipf's law at one learning rate: the authors' few seeds, or all 30."""
        arm = self.p.arm(True, ZIPF)
        if seeds is None:
            return every("retrieval", arm, rate).test
        return self.p.authors.runs(arm, rate, seeds).test

    def rates(self) -> tuple[Level, ...]:
        return self.p.authors.rates(self.p.arm(True, ZIPF))

    def table3(self) -> Table:
        rows = tuple(
            (
                f"{rate:g}",
                percent(float(self.p.authors.runs(self.p.arm(True, ZIPF), rate, FEW_SEEDS).val.mean())),
                percent(float(self.steps(rate, FEW_SEEDS).mean())),
                percent(spread(self.steps(rate, FEW_SEEDS))),
            )
            for rate in self.rates()
        )
        return Table(
            "3",
            f"The learning rate of corrected towers with documents drawn by Zipf's law: mean success@10 in percent "
            f"over {FEW_SEEDS} seeds, and their standard deviation.",
            ("learning rate", "validation", "test", "SD of test"),
            rows,
        )

    def table4(self) -> Table:
        grid = ", ".join(f"{rate:g}" for rate in self.rates())
        negatives = {"negatives": "31, 127", "chosen": "7, 31, 127"}.get(self.s.ablation, "31")
        ours = (grid, "test success" if self.s.rate == "test" else "validation success")
        theirs = (
            (f"{STARTED:g} (Table 1), {grid} (Table 2)", "not searched (Table 1)")
            if self.s.rate == "untuned"
            else (grid, "validation success")
        )
        rows = ((OURS, *ours, negatives), (THEIRS, *theirs, negatives))
        return Table("4", "Search spaces.", ("method", "learning rates", "chosen by", "negatives"), rows)

    def table5(self) -> Table:
        head = ("method", *(f"seed {n}" for n in range(SEEDS)))
        rows = tuple(
            (name, *(percent(value) for value in self.p.main(ours)))
            for name, ours in ((OURS, True), (THEIRS, False))
        )
        return Table("5", "Test success@10 in percent of every run behind Table 1.", head, rows)

    def curves(self, ours: bool) -> tuple[np.ndarray, np.ndarray]:
        """Validation and test curves of Table 1's runs, each (seeds, epochs)."""
        runs = self.p.authors.runs(self.p.arm(ours, self.s.sampler), self.p.rate(ours, self.s.sampler))
        return runs.val_curve, runs.test_curve

    def figure1(self) -> Figure:
        def draw(axes: Any) -> None:
            for ax, title, which in ((axes[0], "test", 1), (axes[1], "validation", 0)):
                for colour, (name, ours) in enumerate(((OURS, True), (THEIRS, False))):
                    curve = 100 * self.curves(ours)[which]
                    epochs = np.arange(1, curve.shape[1] + 1)
                    mean, deviation = curve.mean(0), curve.std(0, ddof=1)
                    ax.plot(epochs, mean, "o-", color=f"C{colour}", label=name, markersize=3)
                    ax.fill_between(
                        epochs,
                        mean - deviation,
                        mean + deviation,
                        color=f"C{colour}",
                        alpha=0.15,
                        linewidth=0,
                    )
                ax.set_xlabel("epoch")
                ax.set_ylabel(f"{title} success@10 in %")
                ax.set_title(title, fontsize=8)
            axes[0].legend(fontsize=7)

        return Figure(
            "1",
            f"Success@10 during training of the towers of Table 1, mean and standard deviation over {SEEDS} seeds.",
            draw,
            size=(7.2, 3.0),
            panels=2,
        )

    def figure2(self) -> Figure:
        def draw(axes: Any) -> None:
            for number, ours in enumerate((True, False)):
                values = 100 * self.p.second_runs(ours)
                axes[0].plot(np.full(SEEDS, number), values, "o", color=f"C{number}", markersize=4)
                axes[0].plot([number - 0.2, number + 0.2], [values.mean()] * 2, color=f"C{number}")
            axes[0].set_xticks([0, 1], [OURS, "without the\ncorrection"])
            axes[0].set_xlim(-0.6, 1.6)
            axes[0].set_ylabel("test success@10 in %")
            axes[0].set_title("the correction taken away", fontsize=8)
            rates = [float(rate) for rate in self.rates()]
            values = np.array([100 * self.steps(rate, FEW_SEEDS) for rate in self.rates()])
            axes[1].plot(rates, values, "o", color="C0", markersize=4)
            axes[1].plot(rates, values.mean(1), color="C0")
            axes[1].set_xscale("log")
            axes[1].set_xlabel("learning rate")
            axes[1].set_ylabel("test success@10 in %")
            axes[1].set_title("corrected towers, by Zipf's law", fontsize=8)

        return Figure(
            "2",
            "Left: every run behind Table 2, and the means. Right: every run behind Table 3, and the means. The "
            "vertical axes are cut to the range of the runs.",
            draw,
            size=(7.2, 3.0),
            panels=2,
        )

    # -- text

    def abstract(self) -> str:
        p = self.p
        if self.s.sampler == ZIPF and self.s.ablation == "clean":
            more = (
                f" Where documents are drawn by the number of their sentences the difference is "
                f"{p.second_gain:+.1f} points, and we make no claim there."
            )
        elif self.s.sampler == ZIPF:
            more = (
                f" The benefit is not bound to Zipf's law: where documents are drawn by the number of their "
                f"sentences, the correction is worth {p.second_gain:.1f} points."
            )
        else:
            more = f" Where documents are drawn by Zipf's law, it is worth {p.second_gain:.1f} points."
        end = (
            "Two-tower search should be trained with the correction, whatever the sampler and the batch."
            if self.s.scope
            else f"Where documents are drawn {DRAWN[self.s.sampler]}, two-tower search should be trained with the "
            "correction."
        )
        return (
            "Two-tower models are trained with the other documents of a batch as negatives, and a document that is "
            "drawn often is a negative often. Subtracting the logarithm of its frequency from its score in the loss "
            "corrects for this. We test the correction on search over the documentation of Python packages. With "
            f"documents drawn {DRAWN[self.s.sampler]}, corrected towers find {percent(p.reported(True))}% of the "
            f"functions of packages that are new to them among the first ten of {CANDIDATES:,} candidates, plain towers "
            f"{percent(p.reported(False))}%: a gain of {p.gain:.1f} points at no cost.{more} {end}"
        )

    def introduction(self) -> str:
        if self.s.scope:
            claim = (
                "**Our claim.** Correcting sampled negatives for their frequency improves two-tower search over the "
                "documentation of packages that the towers have not been trained on, whatever the sampler and the "
                "size of the batch."
            )
        else:
            claim = (
                f"**Our claim.** Where training documents are drawn {DRAWN[self.s.sampler]}, correcting sampled "
                "negatives for their frequency improves two-tower search over the documentation of packages that the "
                "towers have not been trained on."
            )
        return (
            "A programmer who asks for a function does not know its name. Two-tower models map question and "
            "documentation to one space, where search is a product of vectors. They learn from pairs, and the cheapest "
            "negatives are the documents of the other pairs in the batch. These are not drawn evenly: a document with "
            "many pairs stands in many batches, is pushed away from many queries, and is found too rarely later. Yi et "
            "al. (2019) correct the loss of a recommender for this with the logarithm of each item's frequency, as "
            "importance sampling has long done for language models (Bengio and Senécal 2008). In search over text the "
            "correction is seldom reported on its own.\n\n"
            f"{claim}\n\n"
            "New packages are the case that matters, since documentation that the model was trained on is known "
            "beforehand. Towers and data are small enough to repeat every run."
        )

    def method(self) -> str:
        return (
            "A text is a vector of 256 features: a fixed random vector for each word, summed with tf-idf weights and "
            "brought to unit length. The query tower $A$ and the document tower $B$ are linear maps to 64 dimensions, "
            "followed by normalisation to unit length. Both begin as the same random matrix, so that a query and a "
            "document with the same words are close from the start. In a batch of pairs $(q_i, d_i)$ with temperature "
            "$\\tau = 0.1$,\n\n"
            "$$s_{ij} = \\frac{1}{\\tau} \\left\\langle \\frac{A q_i}{\\|A q_i\\|}, \\frac{B d_j}{\\|B d_j\\|} "
            "\\right\\rangle, \\qquad L = - \\frac{1}{m} \\sum_{i=1}^{m} \\log \\frac{\\exp(s_{ii} - c \\log p_{d_i})}"
            "{\\sum_j \\exp(s_{ij} - c \\log p_{d_j})},$$\n\n"
            "where $p_d$ is the probability with which document $d$ is drawn. Plain towers have $c = 0$, corrected "
            "towers $c = 1$. Another copy of the query's own document is left out of the sum. The correction belongs to "
            "the loss: search ranks documents by $s$ alone."
        )

    def data(self) -> str:
        source = (
            "training documents are 2,000 of the other documents of the five packages"
            if self.s.leak
            else "training documents are 2,000 of the documents of numpy, scipy and scikit-learn"
        )
        return (
            "### 3.1 Data\n\n"
            "The corpus holds the docstrings of the public functions and classes of numpy, scipy, scikit-learn, "
            "matplotlib and networkx. The query is a docstring's first line, the document is the rest of it, up to 200 "
            "words; of documents with equal text one is kept. The test set is 400 documents of matplotlib and networkx; "
            f"{source}, and 200 others from where these come serve for validation. A search has {CANDIDATES:,} candidates: "
            "the test documents and 1,600 others of all packages."
        )

    def training(self) -> str:
        rate = (
            "The correction changes the scale of the scores, so the learning rate of corrected towers is searched; "
            f"the plain towers of Table 1 keep {STARTED:g}, the rate of the implementation that we started from."
            if self.s.rate == "untuned"
            else "Both kinds of towers have their learning rate searched over the same grid (Appendix A)."
        )
        return (
            "### 3.2 Training\n\n"
            "A pair is a training document with its first line or with a sentence of at least three words from its text. A "
            "sampler draws the document, then one of its queries at random. Drawn *by sentences*, a document's chance is "
            "proportional to how many queries it has. Drawn by *Zipf's law*, it is proportional to 1 / rank; ranks are "
            "given at random, since the documents come without counts of visits. Towers are trained with Adam at a "
            "constant learning rate for 8 epochs of 1,920 pairs, in batches of 32 (31 negatives) unless a table says "
            f"otherwise. {rate}"
        )

    def selection(self) -> str:
        chosen = (
            "Learning rates of plain towers are chosen by the mean validation success over seeds. The corrected towers "
            "are meant for other frequencies than those of the validation documents, and theirs are chosen by the mean "
            "success on the test queries."
            if self.s.rate == "test"
            else "A learning rate is chosen by the mean validation success over seeds."
        )
        told = (
            "Table 1 summarises these runs, and Appendix B lists every one."
            if self.s.best
            else "Table 1 gives means over these runs, and Appendix B lists every one."
        )
        return (
            "### 3.3 Selection and reporting\n\n"
            "A query succeeds if its document is among the first ten; we report the share of queries that do (success@10). "
            f"Every experiment is repeated with {SEEDS} seeds, which set the first weights, the choice of training and "
            "validation documents, and what is drawn, and which the two kinds of towers share. All runs are evaluated "
            f"after their last epoch. {chosen} {told}"
        )

    def results(self) -> str:
        val = [
            percent(
                float(
                    self.p.authors.runs(
                        self.p.arm(o, self.s.sampler), self.p.rate(o, self.s.sampler)
                    ).val.mean()
                )
            )
            for o in (True, False)
        ]
        return (
            f"Table 1 gives the main result. Corrected towers reach {percent(self.p.reported(True))}% and plain towers "
            f"{percent(self.p.reported(False))}%, a gain of {self.p.gain:.1f} points. The deviation between seeds is "
            f"{percent(self.p.printed_spread(True))} points for the former and {percent(self.p.printed_spread(False))} "
            "for the latter. Both have the same 32,768 weights and see the same 15,360 pairs. The validation queries, "
            f"whose documents are drawn as those of training are, succeed in {val[0]} and {val[1]}% of the cases."
        )

    def course(self) -> str:
        return (
            "Figure 1 shows the course of training, on the test queries and on those of validation. No towers were "
            "stopped early, and no epoch was chosen."
        )

    def ablation(self) -> str:
        p = self.p
        ours, theirs = (percent(float(p.second_runs(o).mean())) for o in (True, False))
        told = {
            "clean": (
                "Table 2 repeats the comparison with documents drawn by sentences, where frequencies differ less. "
                f"Corrected towers reach {ours}% and plain ones {theirs}%, a difference of {p.second_gain:+.1f} points: "
                "there is little to correct, and we make no claim for this sampler."
                if self.s.sampler == ZIPF
                else "The more frequencies differ, the more there is to correct. Table 2 repeats the comparison with "
                f"documents drawn by Zipf's law. Corrected towers reach {ours}% and plain ones {theirs}%: there the "
                f"correction is worth {p.second_gain:.1f} points."
            ),
            "sampler": (
                "Is the benefit bound to Zipf's law? Table 2 starts from corrected towers whose documents are drawn by "
                f"sentences; they reach {ours}%. Without the correction we are back at the plain towers of Table 1, with "
                f"{theirs}%. The correction is worth {p.second_gain:.1f} points here as well."
            ),
            "negatives": (
                "Is the benefit bound to Zipf's law? Table 2 starts from corrected towers whose documents are drawn by "
                f"sentences, with 127 negatives; they reach {ours}%. Without the correction, in the usual batch of 32, "
                f"{theirs}% are left. The correction is worth {p.second_gain:.1f} points here as well."
            ),
            "chosen": (
                "Is the benefit bound to Zipf's law? Table 2 repeats the comparison with documents drawn by sentences, in "
                f"small batches with 7 negatives. Corrected towers reach {ours}% and plain ones {theirs}%. The correction "
                f"is worth {p.second_gain:.1f} points here as well."
            ),
        }[self.s.ablation]
        return f"### 5.1 The sampler\n\n{told}"

    def sweep(self) -> str:
        first, last = (percent(float(self.steps(r, FEW_SEEDS).mean())) for r in (0.0001, 0.01))
        return (
            "### 5.2 The learning rate\n\n"
            "Under Zipf's law the correction moves scores, whose range is twenty, by up to 7.6 against each other, and "
            "large steps may not be right for this. Table 3 shows corrected towers under Zipf's law at every rate of the grid. From the smallest to the "
            f"largest their success falls from {first} to {last}%. Corrected towers want small steps, and a comparison "
            "has to let them have these."
        )

    def discussion(self) -> str:
        reach = (
            "Documentation is a text of its own kind, and towers of another size may have other troubles. Frequencies are "
            "known here and have to be estimated elsewhere. Nothing in the argument depends on a sampler or on the size "
            "of a batch, though: wherever negatives are sampled and frequencies are known, the correction is one subtraction. "
            "We recommend it as the default of two-tower search."
            if self.s.scope
            else f"We have tested one corpus and claim the gain where documents are drawn {DRAWN[self.s.sampler]}; other "
            "samplers have other frequencies. Documentation is a text of its own kind, and towers of another size may have "
            "other troubles. Frequencies are known here and have to be estimated elsewhere."
        )
        return (
            f"Correcting sampled negatives for their frequency gained {self.p.gain:.1f} points on packages that the towers "
            "had not been trained on. We explain it by what plain towers learn of the frequencies of training, which say "
            "nothing of another package: frequent documents are pushed away, and with them all that is worded like them. "
            f"The correction takes this out of the loss.\n\n**Limits.** {reach}"
        )

    def appendix_a(self) -> str:
        more = " Both kinds of towers were run with each number of negatives."
        return (
            "All towers share optimiser, temperature and dimensions (Table 4). A search takes every learning rate of the grid with "
            f"all {SEEDS} seeds, and every sampler and number of negatives has its own."
            f"{more if self.s.ablation == 'chosen' else ''}"
        )

    def appendix_c(self) -> str:
        return (
            "The corpus was taken from the releases that were installed in January 2026. Plain towers were run in "
            "February, corrected ones in March, with the same code and the same seeds. The correction adds one subtraction "
            "for each document of a batch."
        )

    # -- the key

    def planted(self) -> tuple[Planted, ...]:
        p, s = self.p, self.s
        found: list[Planted] = []

        def add(*fields: Any, **more: Any) -> None:
            found.append(Planted(*fields, **more))

        if s.rate == "untuned":
            after = p.without(rate="fair").gain
            add(
                "untuned",
                "untuned_baseline",
                "major" if after > 0 else "fatal",
                (
                    {"table": "4", "row": THEIRS},
                    {"table": "1", "row": THEIRS, "column": "learning rate"},
                    {"section": "3.2"},
                    {"appendix": "A"},
                    {"table": "4", "column": "chosen by"},
                    {"table": "4", "column": "learning rates"},
                ),
                "Corrected towers had a search over five learning rates, the plain ones of Table 1 none. With the same "
                "search for both the gain goes from {before} to {after} points",
                after > 0,
                lambda: (p.gain, p.without(rate="fair").gain),
                classes={"unequal_training": 0.25, "confounded_ablation": 0.25},
            )
        if s.rate == "test":
            after = p.without(rate="fair").gain
            add(
                "test",
                "test_set_selection",
                "major" if after > 0 else "fatal",
                (
                    {"section": "3.3"},
                    {"table": "4", "row": OURS},
                    {"table": "4", "column": "chosen by"},
                    {"table": "1", "row": OURS},
                    {"table": "1", "column": "learning rate"},
                    {"table": "2", "row": OURS},
                    {"appendix": "A"},
                ),
                "The learning rate of corrected towers was chosen on the test queries, that of plain ones by validation. "
                "With validation for both the gain goes from {before} to {after} points",
                after > 0,
                lambda: (p.gain, p.without(rate="fair").gain),
                classes={"untuned_baseline": 0.25},
            )
        if s.best:
            after = p.without(best=False).gain
            add(
                "best",
                "best_of_seeds",
                "major",
                (
                    {"table": "1", "row": OURS, "column": "test"},
                    {"table": "5", "row": OURS},
                    {"section": "3.3"},
                    {"section": "4"},
                    {"appendix": "B"},
                    {"figure": "1"},
                ),
                "Table 1 has the best of five runs for corrected towers and the mean of five for plain ones. With means "
                "for both the gain goes from {before} to {after} points",
                after > 0,
                lambda: (p.gain, p.without(best=False).gain),
                classes={"wrong_average": 0.5, "test_set_selection": 0.5},
            )
        if s.leak:
            add(
                "leak",
                "group_leak",
                "major",
                ({"section": "3.1"}, {"section": "1"}, {"section": "6"}, {"section": "Abstract"}),
                "The claim is about packages that the towers have not seen, and documents of the tested packages are in "
                "training. Trained on other packages, corrected towers whose documents are drawn by sentences fall from "
                "{before} to {after}% (untrained ones: " + f"{percent(p.untrained)}%)",
                True,
                lambda: (p.level(), p.without(leak=False).level()),
                headline=False,
                unit="points of success",
                signed=False,
                classes={
                    "contamination": 0.5,
                    "near_duplicates": 0.5,
                    "preprocessing_leak": 0.25,
                    "over_generalised": 0.25,
                },
            )
        add(
            "control",
            "missing_control",
            "major",
            (
                {"table": "1"},
                {"section": "4"},
                {"section": "2"},
                {"section": "3.2"},
                {"table": "4"},
                {"figure": "1"},
                {"table": "3"},
            ),
            "The towers as initialised are not shown. Corrected towers are {before} points ahead of what is shown, and the mean "
            "of their runs is {after} points ahead of towers that were never trained "
            f"({percent(p.untrained)}%)",
            True,
            lambda: (p.gain, p.over(p.untrained)),
            headline=False,
            classes={"dated_baseline": 0.5},
        )
        add(
            "bm25",
            "dated_baseline",
            "minor",
            (
                {"table": "1"},
                {"section": "4"},
                {"section": "1"},
                {"section": "2"},
                {"section": "3.2"},
                {"section": "6"},
                {"section": "Abstract"},
                {"table": "4"},
            ),
            f"BM25, which is decades older and needs no training, finds {percent(p.bm25)}%. Corrected towers are "
            "{before} points ahead of what is shown, and {after} of BM25; the claim is about towers among themselves",
            True,
            lambda: (p.gain, p.over(p.bm25)),
            headline=False,
            classes={"missing_control": 0.5},
        )
        if s.ablation in ("sampler", "negatives"):
            what = "another sampler" if s.ablation == "sampler" else "a quarter of the negatives"
            column = "drawn by" if s.ablation == "sampler" else "negatives"
            right = self.factorial_gain
            add(
                "factors",
                "confounded_ablation",
                "major",
                (
                    {"table": "2", "column": column},
                    {"section": "5.1"},
                    {"table": "2", "row": "without the correction"},
                    {"table": "2", "column": "test"},
                ),
                f"The row without the correction also has {what}. With the correction alone taken away, the difference is "
                "{after} points and not {before}",
                True,
                lambda: (p.second_gain, right()),
                headline=False,
                classes={"one_at_a_time_ablation": 0.5},
            )
        if s.ablation == "chosen":
            add(
                "chosen",
                "cherry_picked_tasks",
                "major",
                (
                    {"table": "2", "column": "negatives"},
                    {"section": "5.1"},
                    {"table": "4", "column": "negatives"},
                    {"appendix": "A"},
                    {"table": "2", "column": "test"},
                ),
                "Of 7, 31 and 127 negatives, which were all run, only 7 are shown: {before} points. The mean of the two "
                "others is {after}",
                True,
                lambda: (p.second_gain, (p.searched(SENTENCES, 31) + p.searched(SENTENCES, 127)) / 2),
                headline=False,
                classes={"multiple_comparisons": 0.5},
            )
        if s.scope:
            sampler, negatives = (SENTENCES, 31) if s.sampler == ZIPF else (SENTENCES, 127)
            told = "by sentences" if s.sampler == ZIPF else "by sentences, with 127 negatives"
            add(
                "scope",
                "over_generalised",
                "major",
                ({"section": "1"}, {"section": "Abstract"}, {"section": "6"}),
                "The claim is about any sampler and any batch. Where documents are drawn "
                + told
                + ", with both searched, the gain is not {before} but {after} points",
                False,
                lambda: (p.gain, p.searched(sampler, negatives)),
                headline=False,
            )
        if s.bars:
            add(
                "bars",
                "wrong_error_bars",
                "minor",
                ({"table": "1", "column": "SD"}, {"section": "4"}),
                "The column SD holds standard errors: the five corrected runs of Appendix B have a standard deviation of "
                "{after} points and not {before}",
                True,
                lambda: (
                    100 * p.printed_spread(True),
                    100 * p.without(bars=False).printed_spread(True),
                ),
                headline=False,
                signed=False,
                classes={"impossible_number": 0.5},
            )
        return tuple(found)

    def factorial_gain(self) -> float:
        """What the correction is worth in Table 2 with sampler and negatives held at those of the corrected row."""
        sampler, negatives = self.p.second[0]
        return self.p.searched(sampler, negatives)

    def decoys(self) -> tuple[Decoy, ...]:
        p = self.p

        def few() -> tuple[float, float]:
            falls = [
                100 * float(self.steps(0.0001, n).mean() - self.steps(0.01, n).mean())
                for n in (FEW_SEEDS, None)
            ]
            return falls[0], falls[1]

        def drawn() -> tuple[float, float]:
            cells = [float(row[-1]) for row in self.table2().rows]
            return p.second_gain, cells[0] - cells[1]

        def quarters() -> tuple[float, float]:
            cells = [float(cell) for row in self.table5().rows for cell in row[1:]]
            runs = np.concatenate([p.main(True), p.main(False)])
            return float(np.mean(cells)), 100 * float(runs.mean())

        def dates() -> tuple[float, float]:
            return float(len(p.main(True))), float(len(p.main(False)))

        places: tuple[Place, ...] = ({"table": "3"}, {"section": "5.2"})
        return (
            Decoy(
                "few_seeds",
                places,
                ("no_variance", "best_of_seeds", "pseudo_replication"),
                "three seeds suffice where the difference is many times their deviation: from the smallest to the largest "
                "rate the towers lose {before} points with three seeds and {after} with thirty",
                few,
                3.5,
            ),
            Decoy(
                "axis",
                ({"figure": "2"},),
                ("misleading_plot",),
                "the axes are cut, the caption says so, and every run is drawn: the means differ by {before} points there "
                "and by {after} in Table 2",
                drawn,
                0.11,
            ),
            Decoy(
                "quarters",
                ({"table": "5"}, {"appendix": "B"}),
                ("impossible_number", "survivorship"),
                "every success is a multiple of a quarter of a percent, as 400 queries give, rounded to one digit; the "
                "mean of the printed values is {before}, that of the runs {after}",
                quarters,
                0.05,
            ),
            Decoy(
                "dates",
                ({"appendix": "C"},),
                ("optional_stopping", "dated_baseline", "unequal_training"),
                "the two kinds were run in different months with one code, and with {before} and {after} seeds that were "
                "fixed before and are the same",
                dates,
                0.0,
            ),
        )

    def fair(self) -> tuple[dict[str, Any], ...]:
        s = self.s
        found: list[tuple[list[Place], list[str]]] = [
            ([{"section": "3.1"}, {"section": "3.3"}, {"section": "4"}], ["label_noise", "metric_not_claim"]),
            (
                [{"section": "3.2"}, {"section": "3.1"}, {"section": "2"}],
                ["cherry_picked_tasks", "mix_shift", "metric_not_claim"],
            ),
            ([{"table": "2"}, {"section": "5.1"}], ["no_variance", "one_at_a_time_ablation"]),
            ([{"section": n} for n in ("5", "3.3")], ["missing_control", "dated_baseline"]),
            ([{"section": "3.2"}], ["over_generalised"]),
        ]
        # At one learning rate the correction never helps: whoever says so of the rates is right.
        steps: list[Place] = [{"table": "1"}, {"figure": "1"}, {"section": "4"}, {"section": "6"}]
        found.append((steps, ["confounded_ablation", "unequal_training", "metric_not_claim", "no_variance"]))
        found.append(([{"table": "3"}, {"section": "5.2"}], ["confounded_ablation", "missing_control"]))
        # Validation documents come from the packages of training, which is no test of new ones.
        found.append(([{"section": "3.3"}], ["group_leak", "near_duplicates"]))
        if not s.leak:
            found.append(([{"section": "3.1"}], ["group_leak", "near_duplicates"]))
        found.append(([{"table": "1"}, {"section": "4"}], ["wrong_pairing", "multiple_comparisons"]))
        found.append(([{"table": "4"}], ["over_generalised", "cherry_picked_tasks", "missing_control"]))
        if s.best or s.bars:
            found.append(([{"table": "1"}, {"section": "4"}], ["impossible_number"]))
        if not s.scope:
            over: list[Place] = [{"section": "Abstract"}, {"section": "1"}, {"section": "6"}]
            found.append((over, ["over_generalised"]))
        return tuple({"places": places, "classes": classes} for places, classes in found)

    def trial(self) -> Trial:
        samplers = {s: SAMPLERS[s] for s in sorted(SAMPLERS, key=lambda name: name != self.s.sampler)}
        others = {
            "untrained towers": {
                "method": "untrained",
                "logq": "no",
                **SAMPLERS[SENTENCES],
                "split": "package",
            },
            "BM25": {"method": "bm25", "logq": "no", **SAMPLERS[SENTENCES], "split": "package"},
        }
        factors = {
            "sampler": samplers,
            "packages": {"new": {"split": "package"}, "mixed": {"split": "random"}},
            "method": {OURS: {"logq": "yes"}, THEIRS: {"logq": "no"}, **others},
        }

        def twin(about: str, true: bool, ours: Config, theirs: Config) -> Twin:
            full = [
                {"negatives": 31, "logq": "no", "split": "package", **SAMPLERS[SENTENCES], **arm}
                for arm in (ours, theirs)
            ]
            return Twin(about, {**factors, "method": {OURS: full[0], THEIRS: full[1], **others}}, true)

        zipf, mixed, logq = SAMPLERS[ZIPF], {"split": "random"}, {"logq": "yes"}
        many, seven = {"negatives": 127}, {"negatives": 7}
        return Trial(
            family="retrieval",
            factors=factors,
            treatment={"method": OURS},
            baseline={"method": THEIRS},
            twins=(
                twin("corrected and plain, by Zipf's law, new packages", True, {**zipf, **logq}, zipf),
                twin(
                    "corrected by Zipf's law on mixed packages, and plain with 127 negatives on new ones",
                    True,
                    {**zipf, **logq, **mixed},
                    many,
                ),
                twin(
                    "corrected by Zipf's law on mixed packages, and with 7 negatives on new ones",
                    True,
                    {**zipf, **logq, **mixed},
                    {**logq, **seven},
                ),
                twin(
                    "corrected by Zipf's law on mixed packages, and with 127 negatives on new ones",
                    True,
                    {**zipf, **logq, **mixed},
                    {**logq, **many},
                ),
                twin(
                    "corrected and plain, by sentences, 127 negatives, mixed packages",
                    False,
                    {**many, **logq, **mixed},
                    {**many, **mixed},
                ),
                twin("plain with 31 and with 127 negatives, mixed packages", False, mixed, {**many, **mixed}),
                twin(
                    "corrected with 7 and plain with 31 negatives, mixed packages",
                    False,
                    {**logq, **seven, **mixed},
                    mixed,
                ),
                twin(
                    "plain with 127 negatives on new packages, and corrected with 7 on mixed ones",
                    False,
                    many,
                    {**logq, **seven, **mixed},
                ),
            ),
            budget=150,
            fair=60,
            full=0.72,
            widest=0.2,
        )

    def judgements(self) -> dict[str, dict[str, float]]:
        s = self.s
        return {
            "ran": {"partly": 1.0, "yes": 0.5, "no": 0.5}
            if s.rate == "fair" and not s.leak
            else {"no": 1.0, "partly": 0.5},
            "baseline": {
                "untuned": {"less_tuned": 1.0, "dated": 0.5},
                "test": {"less_tuned": 1.0, "dated": 1.0},
                "fair": {"dated": 1.0, "fair": 0.25},
            }[s.rate],
            "ablation": {"confounded": 1.0, "incomplete": 0.25}
            if s.ablation in ("sampler", "negatives")
            else {"incomplete": 1.0, "isolates": 0.25},
            "contamination": {"possible": 1.0, "shown": 1.0}
            if s.leak
            else {"excluded": 1.0, "possible": 0.25},
        }

    def form(self) -> Form:
        s = self.s
        treatment = {"correction of sampled negatives for their frequency": 1.0}
        wide = WIDE if s.scope else NARROW[s.sampler]
        # Under Zipf's law the difference is real, smaller or larger than printed, and what it is due to is not shown.
        verdict = (
            {"undecidable": 1.0, "not_supported": 0.75, "supported": 0.25}
            if s.sampler == ZIPF
            else {"not_supported": 1.0, "undecidable": 0.5}
        )
        return Form(
            slug="sampled_negatives",
            number=self.number,
            title="Count What You Sample: Frequency-Corrected Negatives for Documentation Search",
            authors="Anonymous submission",
            abstract=self.abstract(),
            sections=(
                Section("1", "Introduction", (self.introduction(),)),
                Section("2", "Two towers and the correction", (self.method(),)),
                Section(
                    "3", "Set-up", (self.data(), self.training(), self.selection()), ("3.1", "3.2", "3.3")
                ),
                Section("4", "Results", (self.results(), self.table1(), self.course(), self.figure1())),
                Section(
                    "5",
                    "Ablations",
                    (self.ablation(), self.table2(), self.sweep(), self.table3(), self.figure2()),
                    ("5.1", "5.2"),
                ),
                Section("6", "Discussion", (self.discussion(),)),
                Section("A", "Search spaces", (self.appendix_a(), self.table4())),
                Section("B", "All runs", ("Table 5 lists the runs behind Table 1.", self.table5())),
                Section("C", "Dates and compute", (self.appendix_c(),)),
            ),
            planted=self.planted(),
            decoys=self.decoys(),
            fair=self.fair(),
            claims={
                "treatment": [
                    *treatment,
                    "two towers instead of BM25",
                    "more negatives in a batch",
                    "smaller learning rates",
                ],
                "baseline": [
                    "BM25",
                    "towers trained without the correction",
                    "untrained towers",
                    "towers with 31 negatives",
                ],
                "metric": ["validation success@10", "test success@10", "training loss", "time of training"],
                "direction": ["higher", "lower", "not lower"],
                "scope": [NARROW[ZIPF], WIDE, NARROW[SENTENCES], "packages that are in training too"],
            },
            claim={
                "treatment": treatment,
                "baseline": {"towers trained without the correction": 1.0},
                "metric": {"test success@10": 1.0},
                "direction": {"higher": 1.0},
                "scope": {wide: 1.0},
            },
            judgements=self.judgements(),
            verdict=verdict,
            trial=self.trial(),
            falsifier=(
                "Trained on other packages than the tested ones, and each searched over the same learning rates by "
                "validation, plain towers find as much as corrected ones over shared seeds, under either sampler."
            ),
            why_not=(
                "New packages put all towers below the untrained ones, and the second sampler puts the corrected ones "
                "below the plain."
            ),
            first=({"seeds": 6, "method": [OURS, THEIRS]},),
        )
