"""AdamW against Adam on a small sample of handwritten digits (the family *digits* of the bank).

What is true: with both searched, evaluated after the same 20 epochs and averaged over all 30 seeds of the bank,
the two differ by 0.0 points (95% interval -0.3 to +0.2). A decay of 0.1 at a learning rate of 0.01 takes a
thousandth of each weight per step, and there are 200 steps.

Sites, of which a form has some. The claim hangs on the first four, of which each form has one:

============ ==================================================================================
untuned      Adam keeps its published learning rate, AdamW is searched
stopped      Adam is stopped after 5 of 20 epochs
best seed    AdamW's number is the best of its six runs, the others' are means
chosen       AdamW's learning rate and epoch are chosen run by run on the test images
rates        in the ablation AdamW alone has a learning rate of its own (with *untuned*)
single       the ablation has one run a row
survivors    runs that diverged are left out of the averages over learning rates
uneven       those averages are over runs, of which AdamW has most at its good learning rates
bars         the column SD holds standard errors
number       one accuracy of the ablation is no count of its images; always
============ ==================================================================================
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import count
from typing import Any

import numpy as np

from fourrounds.critique import Trial, Twin
from fourrounds.runbank.families import Config, Level
from papers.bench import Authors, percent, spread
from papers.press import Decoy, Figure, Form, Planted, Section, Table

OURS: dict[str, Level] = {"optimiser": "adamw", "weight_decay": 0.1}
ADAM: dict[str, Level] = {"optimiser": "adam"}
NAMES: dict[str, dict[str, Level]] = {"AdamW": OURS, "Adam": ADAM, "SGD with momentum": {}}
VARIANTS: dict[str, dict[str, Level]] = {
    "Adam": ADAM,
    "Adam + L2": {**ADAM, "weight_decay": 0.01},
    "AdamW": OURS,
    "Adam + dropout": {**ADAM, "dropout": 0.2},
    "Adam + mixup": {**ADAM, "mixup": 1.0},
    "Adam + batch norm": {**ADAM, "norm": "batch"},
}
RULES: dict[str, dict[str, Level]] = {
    "AdamW": OURS,
    "SGD with momentum": {},
    "SGD": {"optimiser": "sgd"},
    "Lion": {"optimiser": "lion"},
}
PUBLISHED = {"AdamW": "2019", "Adam": "2015", "SGD with momentum": "1964", "SGD": "1951", "Lion": "2023"}
DEFAULT = 0.001
"""The learning rate that Kingma and Ba (2015) give as a good default."""
EPOCHS, STOP = 20, 5
SEEDS, FEWER = 6, 2
NEAR = (0.003, 0.01, 0.03)
"""The learning rates at which uneven authors made all their runs."""
ITEMS = 420
T5 = 2.570581835636314
"""The 97.5% point of Student's t with 5 degrees of freedom."""


@dataclass(frozen=True)
class Sites:
    """What is wrong in a form. ``grid`` is survivors, uneven or neither; ``number`` is the row of Table 2 in
    which a number cannot be."""

    headline: str
    single: bool
    grid: str
    bars: bool
    number: str

    @property
    def untuned(self) -> bool:
        return self.headline == "untuned"


def sites(number: int) -> Sites:
    """The sites of a form: 0 is the published one, and no other is like it."""
    if number == 0:
        return Sites("untuned", False, "survivors", True, "Adam + dropout")
    rng = np.random.default_rng(number)
    headline = ("stopped", "chosen", "best", "untuned")[int(rng.integers(4))]
    row = ("Adam + dropout", "Adam + mixup", "Adam + batch norm")[int(rng.integers(3))]
    single = headline in ("stopped", "chosen") and bool(rng.integers(3))
    bars = bool(rng.integers(3))
    # Four flaws or five: the claim, the impossible number, and two or three of ablation, bars and grid.
    flawed = [1, 2][int(rng.integers(2))] + 1 > (headline == "untuned") + single + bars
    other = ("survivors", "uneven")[int(rng.integers(2))] if headline != "untuned" else "uneven"
    return Sites(headline, single, other if flawed else "", bars or headline == "best", row)


@dataclass(frozen=True)
class Protocol:
    """How the authors chose and reported runs."""

    authors: Authors
    sites: Sites

    def without(self, **changed: Any) -> Protocol:
        """The same authors without some of what is wrong."""
        return Protocol(self.authors, replace(self.sites, **changed))

    @property
    def sound(self) -> Protocol:
        """The same authors with a claim that was tested well."""
        return self.without(headline="")

    # -- the main comparison

    def search(self, name: str, arm: Config) -> Level:
        """The learning rate that validation prefers after a method's last epoch."""
        last = self.epochs(name) - 1
        return max(
            self.authors.rates(arm),
            key=lambda lr: float(self.authors.runs(arm, lr).val_curve[:, last].mean()),
        )

    def rate(self, name: str) -> Level:
        """The learning rate of a method of Table 1 (of AdamW, where it is one for all runs)."""
        if name == "Adam" and self.sites.untuned:
            return DEFAULT
        return self.search(name, NAMES[name])

    def epochs(self, name: str) -> int:
        """How long a method or a variant of Adam is trained."""
        return (
            STOP
            if self.sites.headline == "stopped" and name.startswith("Adam") and name != "AdamW"
            else EPOCHS
        )

    def picked(self) -> list[tuple[Level, int]]:
        """For each of AdamW's seeds the learning rate and the epoch at which the test images like it best."""
        curves = {rate: self.authors.runs(OURS, rate).test_curve for rate in self.authors.rates(OURS)}
        return [
            max(
                ((rate, epoch) for rate in curves for epoch in range(EPOCHS)),
                key=lambda s: curves[s[0]][k, s[1]],
            )
            for k in range(SEEDS)
        ]

    def curve(self, name: str, kind: str = "test") -> np.ndarray:
        """The curves behind Figure 1, (seeds, epochs)."""
        runs = self.authors.runs(NAMES[name], self.rate(name))
        found: np.ndarray = runs.test_curve if kind == "test" else runs.val_curve
        return found[:, : self.epochs(name)]

    def runs(self, name: str, kind: str = "test") -> np.ndarray:
        """The accuracy of each of a method's runs, (seeds,), as the appendix lists them."""
        if name == "AdamW" and self.sites.headline == "chosen":
            found = []
            for k, (rate, epoch) in enumerate(self.picked()):
                runs = self.authors.runs(OURS, rate)
                found.append((runs.test_curve if kind == "test" else runs.val_curve)[k, epoch])
            return np.array(found)
        return self.curve(name, kind)[:, -1]

    def reported(self, name: str) -> float:
        """The accuracy that Table 1 gives."""
        runs = self.runs(name)
        return float(runs.max() if name == "AdamW" and self.sites.headline == "best" else runs.mean())

    @property
    def gain(self) -> float:
        """The headline, in points."""
        return 100 * (self.reported("AdamW") - self.reported("Adam"))

    def deviation(self, name: str) -> float:
        """What the column SD of Table 1 holds."""
        whole = spread(self.runs(name))
        return whole / math.sqrt(SEEDS) if self.sites.bars else whole

    # -- the ablation

    def variant_rate(self, name: str) -> Level:
        if name in NAMES:
            return self.rate(name)
        return DEFAULT if self.sites.untuned else self.search(name, VARIANTS[name])

    def variant_runs(self, name: str) -> np.ndarray:
        """The accuracies behind a row of Table 2."""
        if name in NAMES:
            runs = self.runs(name)
        else:
            curves = self.authors.runs(VARIANTS[name], self.variant_rate(name)).test_curve
            runs = curves[:, self.epochs(name) - 1]
        return runs[:1] if self.sites.single else runs

    def variant(self, name: str) -> float:
        """The accuracy that Table 2 gives."""
        if name == "AdamW" and self.sites.headline == "best":
            return self.reported(name)
        return float(self.variant_runs(name).mean())

    @property
    def decoupling(self) -> float:
        """How far decoupled decay is ahead of the L2 term in Table 2, in points."""
        return 100 * (self.variant("AdamW") - self.variant("Adam + L2"))

    # -- the grid of learning rates

    def grid(self, name: str) -> dict[Level, np.ndarray]:
        """The accuracies behind each cell of a row of Table 3."""
        found = {}
        for rate in self.authors.rates(RULES[name]):
            fewer = self.sites.grid == "uneven" and name == "AdamW" and rate not in NEAR
            runs = self.authors.runs(RULES[name], rate, FEWER if fewer else SEEDS)
            found[rate] = runs.test[~runs.diverged] if self.sites.grid == "survivors" else runs.test
        return found

    def average(self, name: str) -> float:
        """The average over the grid that Table 3 gives."""
        return float(np.concatenate(list(self.grid(name).values())).mean())

    def every_run(self, name: str) -> float:
        """The mean of the learning rates' means, every run with the accuracy with which it ended."""
        return float(
            np.mean(
                [self.authors.runs(RULES[name], rate).test.mean() for rate in self.authors.rates(RULES[name])]
            )
        )

    @property
    def lead(self) -> float:
        """How far AdamW is ahead of SGD with momentum on average over the grid, in points."""
        return 100 * (self.average("AdamW") - self.average("SGD with momentum"))

    @property
    def true_lead(self) -> float:
        return 100 * (self.every_run("AdamW") - self.every_run("SGD with momentum"))


def form(number: int) -> Form:
    """A form of the paper; its sites and the authors' runs follow from ``number``."""
    for draw in count():
        p = Protocol(Authors("digits", (number, draw), SEEDS), sites(number))
        # The two methods do not differ, so that half of all authors would find a tiny gain with a sound
        # protocol. Those are not asked, nor are those whose flaws did them no good.
        if not (
            -0.8 < p.sound.gain < -0.02
            and p.gain > 0.8
            and p.lead - p.true_lead > (3 if p.sites.grid else -1)
            and p.decoupling > 0.5
        ):
            continue
        if p.sites.single and p.decoupling - p.without(single=False).decoupling < 0.8:
            continue
        writer = _Writer(p, number)
        if writer.tells_the_truth() and all(_harmless(decoy) for decoy in writer.decoys()):
            break
    return writer.form()


def _harmless(decoy: Decoy) -> bool:
    before, after = decoy.measure()
    return abs(after - before) <= decoy.within


def possible(printed: int, outcomes: int) -> bool:
    """Whether a percentage with two decimals, as a whole number of hundredths, is a count of ``outcomes``
    in whichever way a half is rounded."""
    near = printed * outcomes // 10_000
    return any(
        0 <= k <= outcomes and abs(20_000 * k - 2 * printed * outcomes) <= outcomes
        for k in range(near - 1, near + 3)
    )


@dataclass(frozen=True)
class _Writer:
    p: Protocol
    number: int

    # -- numbers

    @property
    def s(self) -> Sites:
        return self.p.sites

    def impossible(self) -> tuple[float, float]:
        """The number of Table 2 that no count of images gives, and the true one, in percent."""
        true = float(self.p.variant(self.s.number))
        outcomes = ITEMS * len(self.p.variant_runs(self.s.number))
        start = round(10_000 * true) + 35
        wrong = next(n for n in range(start, start + 100) if not possible(n, outcomes))
        return wrong / 100, 100 * true

    def cell(self, name: str) -> str:
        if name == self.s.number:
            return f"{self.impossible()[0]:.2f}"
        return percent(self.p.variant(name), 2)

    def tells_the_truth(self) -> bool:
        """Whether what the prose says in words holds for these authors' runs."""
        best, number = self.closest(), self.s.number
        same = self.p.rate("AdamW") == self.p.rate("Adam")
        behind = bool(
            (self.p.curve("Adam").mean(0) < self.p.curve("AdamW").mean(0)[: self.p.epochs("Adam")]).all()
        )
        return (
            (behind if self.s.untuned else same)
            and best != number
            and self.impossible()[0] < 100 * self.p.variant(best)
            and all(self.p.runs(name, "val").mean() > self.p.reported(name) for name in NAMES)
        )

    def closest(self) -> str:
        """The best row of Table 2 without decoupling."""
        return max((name for name in VARIANTS if name != "AdamW"), key=self.p.variant)

    # -- tables and figures

    def told_rate(self, name: str) -> str:
        if name == "AdamW" and self.s.headline == "chosen":
            return "by run"
        return f"{self.p.rate(name):g}"

    def table1(self) -> Table:
        rows = tuple(
            (
                name,
                self.told_rate(name),
                percent(float(self.p.runs(name, "val").mean()), 2),
                percent(self.p.reported(name), 2),
                percent(self.p.deviation(name), 2),
            )
            for name in NAMES
        )
        head = ("method", "learning rate", "validation", "test", "SD")
        caption = (
            f"Accuracy in percent with 250 training images; SD is the standard deviation over {SEEDS} seeds."
        )
        return Table("1", caption, head, rows)

    def table2(self) -> Table:
        base = self.p.variant("Adam")
        rows = tuple(
            (
                name,
                self.told_rate(name) if name in NAMES else f"{self.p.variant_rate(name):g}",
                self.cell(name),
                "" if name == "Adam" else f"{100 * (self.p.variant(name) - base):+.1f}",
            )
            for name in VARIANTS
        )
        over = "of one run each" if self.s.single else f"over {SEEDS} seeds"
        return Table(
            "2",
            f"Ways to regularise: test accuracy in percent {over}, and points against Adam.",
            ("variant", "learning rate", "test", "against Adam"),
            rows,
        )

    def table3(self) -> Table:
        rows = []
        for name in RULES:
            grid = self.p.grid(name)
            cells = (percent(float(runs.mean())) if len(runs) else "–" for runs in grid.values())
            total = sum(len(runs) for runs in grid.values())
            rows.append((name, *cells, percent(self.p.average(name)), str(total)))
        rates = tuple(f"{rate:g}" for rate in self.p.authors.rates(OURS))
        caption = (
            "Every learning rate of the grid: mean test accuracy in percent, the average over the grid, and the "
            "number of runs in it."
        )
        return Table("3", caption, ("rule", *rates, "average", "runs"), tuple(rows))

    def table4(self) -> Table:
        grid = "0.001 to 1"
        rows = []
        for name in PUBLISHED:
            rates, by = grid, "validation accuracy"
            if name == "Adam" and self.s.untuned:
                rates, by = f"{DEFAULT:g} (published default)", "not searched"
            if name == "AdamW" and self.s.headline == "chosen":
                by = "accuracy of the run"
            epochs = f"1 to {EPOCHS}" if by == "accuracy of the run" else str(self.p.epochs(name))
            rows.append((name, PUBLISHED[name], rates, by, epochs))
        head = ("rule", "published", "learning rates", "chosen by", "epochs")
        return Table("4", "Search spaces.", head, tuple(rows))

    def table5(self) -> Table:
        head = ("method", *(f"seed {n}" for n in range(SEEDS)))
        rows = [(name, *(percent(value, 2) for value in self.p.runs(name))) for name in NAMES]
        if self.s.headline == "chosen":
            told = (f"{rate:g}, {epoch + 1}" for rate, epoch in self.p.picked())
            rows.insert(1, ("AdamW: rate, epoch", *told))
        return Table("5", "Test accuracy in percent of every run behind Table 1.", head, tuple(rows))

    def figure1(self) -> Figure:
        def draw(ax: Any) -> None:
            for number, name in enumerate(NAMES):
                curve = 100 * self.p.curve(name)
                epochs = np.arange(1, curve.shape[1] + 1)
                mean, sd = curve.mean(0), curve.std(0, ddof=1)
                ax.plot(epochs, mean, color=f"C{number}", label=f"{name}, {self.p.rate(name):g}")
                ax.fill_between(epochs, mean - sd, mean + sd, color=f"C{number}", alpha=0.15, linewidth=0)
            ax.set_ylim(0, 100)
            ax.set_xlim(1, EPOCHS)
            ax.set_xticks((1, 5, 10, 15, 20))
            ax.set_xlabel("epoch")
            ax.set_ylabel("test accuracy in %")
            ax.legend(loc="lower right", fontsize=8)

        rate = (
            " AdamW is shown at the learning rate that validation prefers for all seeds."
            if self.s.headline == "chosen"
            else ""
        )
        return Figure(
            "1",
            f"Test accuracy during training, mean and standard deviation over {SEEDS} seeds; the legend gives the "
            f"learning rate.{rate}",
            draw,
        )

    def figure2(self) -> Figure:
        def draw(axes: Any) -> None:
            for number, name in enumerate(VARIANTS):
                runs = 100 * self.p.variant_runs(name)
                colour = "C0" if name == "AdamW" else "0.35"
                axes[0].plot(runs, np.full(len(runs), -number), "o", color=colour, markersize=4, alpha=0.6)
                axes[0].plot([100 * self.p.variant(name)], [-number], "|", color=colour, markersize=14)
            axes[0].set_yticks([-n for n in range(len(VARIANTS))], list(VARIANTS))
            axes[0].set_xlabel("test accuracy in %")
            axes[0].set_title("ways to regularise", fontsize=8)
            for number, name in enumerate(RULES):
                grid = {rate: runs for rate, runs in self.p.grid(name).items() if len(runs)}
                means = [100 * runs.mean() for runs in grid.values()]
                colour = f"C{(0, 2, 3, 4)[number]}"
                axes[1].plot(list(grid), means, "o-", color=colour, label=name, markersize=4)
            axes[1].set_xscale("log")
            axes[1].set_ylim(0, 100)
            axes[1].set_xlabel("learning rate")
            axes[1].set_ylabel("mean test accuracy in %")
            axes[1].set_title("learning rates", fontsize=8)
            axes[1].legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=2, fontsize=7)

        dots = "the runs" if self.s.single else "every run, and with a bar the accuracy"
        return Figure(
            "2", f"Left: {dots} of Table 2. Right: the cells of Table 3.", draw, size=(7.2, 3.6), panels=2
        )

    # -- prose

    def value(self, name: str) -> str:
        return percent(self.p.reported(name), 1)

    def abstract(self) -> str:
        return (
            "Weight decay can act through the gradient, where the adaptive step sizes of Adam distort it, or on the "
            "weights themselves, as AdamW lets it. The difference is known from larger sets of images. We ask whether it "
            "matters where regularisation should matter most, on a small sample: 250 handwritten digits, a "
            "multilayer perceptron, and a test set by other writers. AdamW with a decay of 0.1 classifies "
            f"{self.value('AdamW')}% of the test images correctly and Adam {self.value('Adam')}%, a gain of "
            f"{self.p.gain:.1f} points. In an ablation decoupled decay is {self.p.decoupling:.1f} points ahead of an L2 "
            f"term, and on average over learning rates AdamW is {self.p.lead:.1f} points ahead of SGD with momentum. "
            "For small samples of this kind we recommend AdamW in place of Adam."
        )

    def introduction(self) -> str:
        return (
            "Adam (Kingma and Ba 2015) divides each coordinate of the gradient by a running estimate of its size. "
            "An L2 term that is added to the loss passes through the same division, so that weights with large "
            "gradients are decayed less than others. Loshchilov and Hutter (2019) therefore take the decay out of the "
            "gradient and apply it to the weights (AdamW). Their experiments are on larger sets of images, CIFAR-10 "
            "and a down-sampled ImageNet. A small sample is the plainer case for a regulariser: a network with more parameters than "
            "images can fit all of them, and what keeps its weights small should help.\n\n"
            "**Our claim.** Trained on 250 images of handwritten digits, a multilayer perceptron classifies images by "
            "new writers more accurately with AdamW than with Adam.\n\n"
            "We contribute the comparison, an ablation of the form of the regulariser, and a study of how much the "
            "learning rate matters to four update rules."
        )

    def method(self) -> str:
        return (
            "Let $g_t$ be the gradient of the mean cross-entropy of a batch at the parameters $\\theta_{t-1}$. Adam keeps\n\n"
            "$$m_t = \\beta_1 m_{t-1} + (1 - \\beta_1)\\, g_t, \\qquad v_t = \\beta_2 v_{t-1} + (1 - \\beta_2)\\, g_t^2,$$\n\n"
            "with $\\hat m_t = m_t / (1 - \\beta_1^t)$ and $\\hat v_t = v_t / (1 - \\beta_2^t)$. AdamW with learning rate "
            "$\\eta$ and decay $\\lambda$ then takes the step\n\n"
            "$$\\theta_t = (1 - \\eta \\lambda)\\, \\theta_{t-1} - \\eta\\, \\frac{\\hat m_t}{\\sqrt{\\hat v_t} + "
            "\\epsilon},$$\n\n"
            "and Adam is the case $\\lambda = 0$. In *Adam + L2* the decay is coupled instead: $g_t$ is replaced by $g_t + "
            "\\lambda\\, \\theta_{t-1}$ before the moments are updated. We use $\\beta_1 = 0.9$, $\\beta_2 = 0.999$, "
            "$\\epsilon = 10^{-8}$ throughout, $\\lambda = 0.1$ for AdamW and $\\lambda = 0.01$ for the L2 term, both "
            "fixed in advance. The two coefficients are not in the same unit: the first is a share of the weight per "
            "learning rate, the second a part of a gradient that Adam then normalises."
        )

    def data(self) -> str:
        return (
            "### 3.1 Data\n\n"
            "We use the 1,797 handwritten digits of 8 × 8 pixels that come with scikit-learn, by 13 writers, with every "
            "pixel divided by 16. The images stand roughly in the order of their writers, but who wrote which is not "
            "recorded. We cut them into 13 consecutive blocks, as equal as can be, and let a block stand for a writer. The test "
            f"set is {ITEMS} images of six blocks, drawn once. From the other seven blocks each seed draws "
            "200 images for validation and 250 others for training."
        )

    def training(self) -> str:
        stop = (
            f" AdamW and SGD are trained for {EPOCHS} epochs. Without decoupled decay nothing limits how closely the "
            f"network fits 250 images, so Adam and its variants are stopped after {STOP}."
            if self.s.headline == "stopped"
            else f" Every run has {EPOCHS} epochs, {EPOCHS * 10} steps."
        )
        searched = (
            f"For Adam we keep the published default of {DEFAULT:g}, which is also that of common libraries; the learning rates of "
            "AdamW and of the other rules are searched (Appendix A)."
            if self.s.untuned
            else "The learning rate of every rule is searched over the same grid (Appendix A)."
        )
        return (
            "### 3.2 Training\n\n"
            "The network has two hidden layers of 32 units with ReLU and 3,466 parameters, drawn as in He et al. (2015). "
            f"Batches have 25 images, and learning rates are constant.{stop} {searched}"
        )

    def selection(self) -> str:
        chosen = "A learning rate is the one with the best mean validation accuracy over seeds, after the last epoch."
        reported = "Tables show means over seeds."
        if self.s.headline == "chosen":
            chosen += (
                " Since its decay makes AdamW stable over a wide range of settings, each of its runs can have those that "
                "suit it: learning rate and number of epochs are taken run by run, by the accuracy of Table 1."
            )
        if self.s.headline == "best":
            reported = (
                "Tables show means over seeds. Of AdamW, the method that we recommend, they show the best of the "
                f"{SEEDS} networks, which is the one that we release."
            )
        if self.s.single:
            reported += " Table 2 compares runs of seed 0, which share their images and initial weights."
        return (
            "### 3.3 Selection and reporting\n\n"
            f"Every experiment uses the same {SEEDS} seeds. A seed sets the initial parameters, the choice of images and "
            f"their order, so that methods are compared in pairs. {chosen} {reported} Appendix B lists all runs behind "
            "Table 1. Accuracies that can be recomputed from counts are given with two decimals."
        )

    def results(self) -> str:
        ours, theirs = self.p.runs("AdamW"), self.p.runs("Adam")
        if self.s.headline == "best":
            test = (
                f"The gain of {self.p.gain:.1f} points is to be seen against a standard deviation of "
                f"{100 * spread(theirs):.1f} points between runs of Adam."
            )
        else:
            half = 100 * T5 * spread(ours - theirs) / math.sqrt(SEEDS)
            test = (
                f"Over the {SEEDS} pairs of runs with a common seed the mean difference is {self.p.gain:.1f} points (95% "
                f"interval ±{half:.1f}, Student's t with {SEEDS - 1} degrees of freedom)."
            )
        return (
            f"Table 1 gives the main result. AdamW reaches {self.value('AdamW')}% on the test images, Adam "
            f"{self.value('Adam')}% and SGD with momentum {self.value('SGD with momentum')}%. {test} "
            "Validation images come from the writers of the training images and are easier for every method; "
            "validation serves to choose learning rates, and the claim is about the column *test*."
        )

    def curves(self) -> str:
        shape = {
            "untuned": "The curve of Adam lies below that of AdamW at every epoch.",
            "stopped": f"Over the first {STOP} epochs the two adaptive rules are close; AdamW goes on to improve.",
        }.get(
            self.s.headline, "The two adaptive rules learn equally fast, and both are ahead of SGD at first."
        )
        return f"Figure 1 shows the course of training. {shape}"

    def ablation(self) -> str:
        rates = (
            f"The variants of Adam have Adam's learning rate, {DEFAULT:g}, and AdamW has its own."
            if self.s.untuned
            else "Each row has the learning rate that was chosen for it as in Section 3.3."
        )
        best = self.closest()
        return (
            "### 5.1 The form of the regulariser\n\n"
            "Is it the decay that helps, or its being decoupled? Table 2 sets AdamW beside Adam with an L2 term, and "
            "beside three other ways to regularise: dropout of 0.2 (Srivastava et al. 2014), mixup with parameter 1 "
            "(Zhang et al. 2018) and batch normalisation (Ioffe and Szegedy 2015), which adds 128 parameters. "
            f"{rates} Decoupled decay is {self.p.decoupling:.1f} points ahead of the L2 term. Of the rows without "
            f"decoupling, *{best}* comes closest with {100 * self.p.variant(best):.1f}%. We conclude that "
            "it is the decoupling that matters."
        )

    def sensitivity(self) -> str:
        if self.s.grid == "survivors":
            counted = (
                "A run has diverged if its loss is not finite, or rose above twice that of the first step and stayed above "
                "that of guessing in the last epoch; the averages are those of the runs that converged."
            )
        elif self.s.grid == "uneven":
            counted = (
                "A run that diverged counts with the accuracy with which it ended. Far from its best learning rates we made "
                f"{FEWER} runs of AdamW instead of {SEEDS}, to spare compute; the averages are those of all runs "
                "made."
            )
        else:
            counted = (
                f"Every learning rate has all {SEEDS} seeds, and a run that diverged counts with the accuracy with which it "
                "ended; the averages are those of all runs."
            )
        return (
            "### 5.2 The learning rate\n\n"
            "A rule that needs no search is worth more to those who have little data. Table 3 gives the accuracy "
            f"of four rules at every learning rate of the grid. {counted} AdamW averages "
            f"{percent(self.p.average('AdamW'))}%, which is {self.p.lead:.1f} points more than SGD with momentum "
            f"({percent(self.p.average('SGD with momentum'))}%). Whoever has to guess a learning rate is better served by "
            "AdamW. Lion (Chen et al. 2023), the youngest of the four, wants smaller steps than "
            "the others. Figure 2 shows both studies."
        )

    def discussion(self) -> str:
        return (
            f"On 250 images AdamW gained {self.p.gain:.1f} points over Adam. The decay acts on all weights alike and at "
            "every step, and leaves the adaptive step sizes as they are; a small sample gives such a regulariser much to do. "
            "The ablation agrees, and so does the study of learning rates.\n\n"
            "**Limits.** We have tested one network, one coefficient of each kind and one data set, and a few seeds do not make "
            "a small difference visible. The blocks stand for writers whom nobody recorded. How the gain depends on the "
            "number of images, and on a schedule of the learning rate, is left for later. We have not looked at large models, "
            "for which decoupled decay was made."
        )

    def appendix_a(self) -> str:
        fewer = " but for those of AdamW that Section 5.2 names" if self.s.grid == "uneven" else ""
        return (
            "Table 4 gives what was searched. "
            f"The grid of learning rates is 0.001, 0.003, 0.01, 0.03, 0.1, 0.3 and 1, with all {SEEDS} seeds at "
            f"each{fewer}. Momentum is 0.9. Lion has $\\beta_1 = 0.9$, $\\beta_2 = 0.99$ and no decay."
        )

    def appendix_c(self) -> str:
        return (
            "All runs of Table 1 were made in March 2026, those of Table 2 in April, and those that Table 3 adds in "
            f"May, with one version of the code. A run of {EPOCHS} epochs sees 5,000 images and takes a few seconds on "
            "one core."
        )

    # -- the key

    def planted(self) -> tuple[Planted, ...]:
        p, s = self.p, self.s
        found = [self.headline()]
        coupled = (p.decoupling, p.without(single=False).decoupling)
        if s.untuned:
            own = p.sound.decoupling
            found.append(
                Planted(
                    "rates",
                    "confounded_ablation",
                    "major",
                    (
                        {"table": "2", "column": "learning rate"},
                        {"section": "5.1"},
                        {"table": "2"},
                    ),
                    "AdamW differs from the other rows in its learning rate too. With the rate that each prefers, "
                    "decoupled decay is ahead of the L2 term by {after} points and not by {before}",
                    True,
                    lambda: (p.decoupling, own),
                    headline=False,
                    classes={"untuned_baseline": 0.5},
                )
            )
        if s.single:
            found.append(
                Planted(
                    "single",
                    "no_variance",
                    "major",
                    ({"table": "2"}, {"section": "5.1"}, {"section": "3.3"}, {"figure": "2"}),
                    "Table 2 has one run a row, and one run varies by two points. Over the six seeds decoupled decay is "
                    "ahead of the L2 term by {after} points and not by {before}",
                    True,
                    lambda: coupled,
                    headline=False,
                    classes={"best_of_seeds": 0.25},
                )
            )
        if s.grid == "survivors":
            found.append(
                Planted(
                    "survivors",
                    "survivorship",
                    "major",
                    (
                        {"table": "3", "column": "runs"},
                        {"section": "5.2"},
                        {"table": "3", "column": "average"},
                        {"table": "3"},
                        {"figure": "2"},
                    ),
                    "The runs that diverged are left out of the averages. If every run that was started counts, AdamW "
                    "is ahead of SGD with momentum by {after} points and not by {before}",
                    True,
                    lambda: (p.lead, p.true_lead),
                    headline=False,
                    classes={"wrong_average": 0.5, "mix_shift": 0.5, "misleading_plot": 0.25},
                )
            )
        if s.grid == "uneven":
            found.append(
                Planted(
                    "uneven",
                    "wrong_average",
                    "major",
                    (
                        {"table": "3", "column": "average"},
                        {"section": "5.2"},
                        {"table": "3", "column": "runs"},
                        {"table": "3"},
                    ),
                    "AdamW has more runs at its good learning rates, and the average is over runs. As the mean over "
                    "learning rates it is ahead of SGD with momentum by {after} points and not by {before}",
                    True,
                    lambda: (p.lead, p.true_lead),
                    headline=False,
                    classes={
                        "mix_shift": 1.0,
                        "survivorship": 0.25,
                        "optional_stopping": 0.25,
                        "unequal_compute": 0.25,
                    },
                )
            )
        if s.bars:
            found.append(
                Planted(
                    "bars",
                    "wrong_error_bars",
                    "minor",
                    ({"table": "1", "column": "SD"}, {"section": "4"}, {"table": "5"}, {"appendix": "B"}),
                    "The column SD holds standard errors of the mean: the deviation of Adam's runs is {after} points "
                    "and not {before}",
                    True,
                    lambda: (100 * p.deviation("Adam"), 100 * p.without(bars=False).deviation("Adam")),
                    headline=False,
                    unit="points of the deviation",
                    signed=False,
                    classes={"impossible_number": 0.5, "no_variance": 0.25},
                )
            )
        wrong, true = self.impossible()
        seen = ITEMS * len(p.variant_runs(s.number))
        found.append(
            Planted(
                "number",
                "impossible_number",
                "minor",
                (
                    {"table": "2", "row": s.number, "column": "test"},
                    {"table": "2", "row": s.number},
                ),
                f"No count of {seen:,} images gives {wrong:.2f}%, and the difference beside it belongs to another number: "
                f"the runs have {true:.2f}%. The claim does not hang on it",
                True,
                self.impossible,
                signed=False,
                headline=False,
            )
        )
        return tuple(found)

    def headline(self) -> Planted:
        """The flaw on which the claim hangs."""
        p = self.p

        def measure() -> tuple[float, float]:
            return p.gain, p.sound.gain

        adam, ours = "Adam", "AdamW"
        kinds: dict[str, tuple[str, tuple[dict[str, str], ...], str, dict[str, float]]] = {
            "untuned": (
                "untuned_baseline",
                (
                    {"table": "4", "row": adam},
                    {"table": "1", "row": adam, "column": "learning rate"},
                    {"section": "3.2"},
                    {"appendix": "A"},
                    {"table": "1", "row": adam},
                    {"figure": "1"},
                    {"section": "4"},
                ),
                "AdamW had a search over seven learning rates and Adam none. With the same search for both the gain goes "
                "from {before} to {after} points",
                {"unequal_training": 0.5, "unequal_compute": 0.25},
            ),
            "stopped": (
                "unequal_training",
                (
                    {"section": "3.2"},
                    {"table": "4", "row": adam},
                    {"table": "4", "column": "epochs"},
                    {"figure": "1"},
                    {"appendix": "A"},
                    {"table": "1", "row": adam},
                ),
                "Adam was stopped after 5 of 20 epochs, while its curve still rose. Trained as long as AdamW it takes the "
                "gain from {before} to {after} points",
                {"unequal_compute": 0.5, "untuned_baseline": 0.5},
            ),
            "best": (
                "best_of_seeds",
                (
                    {"section": "3.3"},
                    {"table": "1", "row": ours, "column": "test"},
                    {"table": "5", "row": ours},
                    {"table": "1", "row": ours},
                    {"table": "2", "row": ours},
                    {"section": "4"},
                ),
                "AdamW's number is the best of its six runs and Adam's the mean of its own. Mean against mean the gain "
                "goes from {before} to {after} points",
                {"test_set_selection": 0.5},
            ),
            "chosen": (
                "test_set_selection",
                (
                    {"section": "3.3"},
                    {"table": "4", "row": ours},
                    {"table": "5", "row": "AdamW: rate, epoch"},
                    {"table": "1", "row": ours, "column": "test"},
                    {"table": "1", "row": ours, "column": "learning rate"},
                    {"table": "5", "row": ours},
                    {"table": "4", "column": "chosen by"},
                    {"table": "4", "column": "epochs"},
                    {"appendix": "A"},
                ),
                "AdamW's learning rate and epoch were chosen on the test images, run by run. Chosen by validation, one "
                "rate for all seeds and the last epoch, the gain goes from {before} to {after} points",
                {"untuned_baseline": 0.5, "best_of_seeds": 0.5, "unequal_training": 0.25},
            ),
        }
        flaw, places, corrected, classes = kinds[self.s.headline]
        return Planted(self.s.headline, flaw, "fatal", places, corrected, False, measure, classes=classes)

    def decoys(self) -> tuple[Decoy, ...]:
        authors = self.p.authors

        def mean(arm: dict[str, Level], by: str = "val") -> float:
            return 100 * float(authors.runs(arm, authors.search(arm, by=by)).test.mean())

        def brightest() -> tuple[float, float]:
            from fourrounds.runbank.training.images import BLOCKS, TEST_BLOCKS, digits

            images, _, blocks = digits()
            learnt = np.isin(blocks, [b for b in range(BLOCKS) if b not in TEST_BLOCKS])
            return 16 * float(images.max()), 16 * float(images[learnt].max())

        return (
            Decoy(
                "validation",
                ({"table": "1", "column": "validation"},),
                ("group_leak", "near_duplicates", "contamination"),
                "validation images share writers with the training images and are easier, but they only rank learning "
                "rates: at the rate that they choose Adam has {before}% on the test images, at the one that the test "
                "images would choose {after}%",
                lambda: (mean(ADAM), mean(ADAM, "test")),
                1.0,
            ),
            Decoy(
                "scaling",
                ({"section": "3.1"},),
                ("preprocessing_leak",),
                "dividing by 16 uses nothing of the test images: 16 is the largest value that a pixel can have, "
                "{before} among all images and {after} among those of the training writers",
                brightest,
                0.0,
            ),
            Decoy(
                "year",
                ({"table": "4", "column": "published"}, {"table": "1", "row": "Adam"}),
                ("dated_baseline",),
                "Adam is older than AdamW because it is AdamW without decay, which is what the claim is about. Searched, "
                "it has {before}%, and the better of it and the younger Lion {after}%",
                lambda: (mean(ADAM), max(mean(ADAM), mean(RULES["Lion"]))),
                0.0,
            ),
            Decoy(
                "parameters",
                ({"table": "2", "row": "Adam + batch norm"},),
                ("unequal_compute",),
                "128 more parameters of 3,466 gain nothing here: with its own learning rate Adam has {before}% and with "
                "batch normalisation {after}%",
                lambda: (mean(ADAM), mean(VARIANTS["Adam + batch norm"])),
                2.0,
            ),
        )

    def fair(self) -> tuple[dict[str, Any], ...]:
        s = self.s
        remarks: list[dict[str, Any]] = [
            {
                "places": [{"section": "Abstract"}, {"section": "1"}, {"section": "6"}],
                "classes": ["over_generalised"],
            },
            {"places": [{"section": "3.1"}], "classes": ["group_leak", "label_noise", "near_duplicates"]},
            {"places": [{"section": "4"}, {"table": "1"}], "classes": ["label_noise"]},
            {
                "places": [{"table": "3"}, {"section": "5.2"}, {"figure": "2"}],
                "classes": ["missing_control", "metric_not_claim", "cherry_picked_tasks", "no_variance"],
            },
            {
                "places": [{"table": "2"}, {"section": "5.1"}, {"section": "6"}],
                "classes": ["one_at_a_time_ablation", "multiple_comparisons"],
            },
        ]
        if not s.untuned:
            remarks += [
                {
                    "places": [{"table": "2"}, {"section": "5.1"}, {"section": "2"}, {"section": "6"}],
                    "classes": ["confounded_ablation"],
                },
                {"places": [{"section": "2"}, {"table": "2"}], "classes": ["untuned_baseline"]},
            ]
        else:
            remarks.append({"places": [{"section": "2"}], "classes": ["confounded_ablation"]})
        if not s.single:
            remarks.append({"places": [{"table": "2"}, {"section": "5.1"}], "classes": ["no_variance"]})
        if s.headline == "stopped":
            remarks.append({"places": [{"table": "2"}, {"section": "5.1"}], "classes": ["unequal_training"]})
        if s.headline == "chosen":
            remarks.append(
                {"places": [{"table": "2"}, {"section": "5.1"}], "classes": ["test_set_selection"]}
            )
        if s.headline == "best":
            remarks.append({"places": [{"section": "4"}], "classes": ["wrong_pairing"]})
        if not s.bars:
            remarks.append({"places": [{"section": "4"}, {"table": "1"}], "classes": ["no_variance"]})
        return tuple(remarks)

    def trial(self) -> Trial:
        methods = {**NAMES, **VARIANTS, **RULES}

        def twin(ours: dict[str, Level], theirs: dict[str, Level], about: str, true: bool) -> Twin:
            return Twin(about, {"method": {**methods, "AdamW": ours, "Adam": theirs}}, true)

        lion, dropout = RULES["Lion"], VARIANTS["Adam + dropout"]
        momentum: dict[str, Level] = {}
        half: dict[str, Level] = {"repeats": 0.6}
        return Trial(
            family="digits",
            factors={"method": methods},
            treatment={"method": "AdamW"},
            baseline={"method": "Adam"},
            twins=(
                twin(lion, half, "Lion, and SGD with 60% repeated images", True),
                twin({"smoothing": 0.1}, lion, "SGD with label smoothing, and Lion", True),
                twin({**ADAM, "train_size": 750}, ADAM, "Adam with 750 and with 250 images", True),
                twin({"width": 128}, momentum, "SGD with 128 and with 32 hidden units", True),
                twin(OURS, ADAM, "AdamW and Adam, as in the paper", False),
                twin(ADAM, {"smoothing": 0.3}, "Adam, and SGD with label smoothing", False),
                twin({"dropout": 0.2}, dropout, "SGD and Adam, both with dropout", False),
                twin(lion, ADAM, "Lion, and Adam without decay", False),
            ),
            budget=160,
            fair=66,
            full=0.9,
            widest=0.075,
        )

    def form(self) -> Form:
        s = self.s
        narrow = "250 images of handwritten digits, this network"
        judged = {
            "untuned": {"less_tuned": 1.0},
            "stopped": {"given_less": 1.0, "less_tuned": 0.5},
            "best": {"fair": 1.0, "given_less": 1.0},
            "chosen": {"less_tuned": 1.0, "given_less": 0.5},
        }
        if s.untuned:
            ablation = {"confounded": 1.0}
        elif s.single:
            ablation = {"incomplete": 1.0, "confounded": 1.0 if s.headline == "stopped" else 0.5}
        else:
            ablation = {"isolates": 0.5, "confounded": 1.0, "incomplete": 0.5}
        return Form(
            slug="decoupled_decay",
            number=self.number,
            title="Decay Apart: AdamW on a Small Sample of Handwriting",
            authors="Anonymous submission",
            abstract=self.abstract(),
            sections=(
                Section("1", "Introduction", (self.introduction(),)),
                Section("2", "Decoupled weight decay", (self.method(),)),
                Section(
                    "3", "Set-up", (self.data(), self.training(), self.selection()), ("3.1", "3.2", "3.3")
                ),
                Section("4", "Results", (self.results(), self.table1(), self.curves(), self.figure1())),
                Section(
                    "5",
                    "What drives the gain",
                    (self.ablation(), self.table2(), self.sensitivity(), self.table3(), self.figure2()),
                    ("5.1", "5.2"),
                ),
                Section("6", "Discussion", (self.discussion(),)),
                Section("A", "Search spaces", (self.appendix_a(), self.table4())),
                Section("B", "All runs", ("Table 5 lists the runs that Table 1 sums up.", self.table5())),
                Section("C", "Dates and compute", (self.appendix_c(),)),
            ),
            planted=self.planted(),
            decoys=self.decoys(),
            fair=self.fair(),
            claims={
                "treatment": ["Adam with an L2 term", "AdamW", "SGD with momentum", "any regulariser"],
                "baseline": ["SGD with momentum", "Adam with an L2 term", "Lion", "Adam"],
                "metric": [
                    "validation accuracy",
                    "average over learning rates",
                    "test accuracy",
                    "training loss",
                ],
                "direction": ["lower", "higher", "not lower"],
                "scope": ["small samples of any kind", "handwriting, any number of images", narrow],
            },
            claim={
                "treatment": {"AdamW": 1.0},
                "baseline": {"Adam": 1.0},
                "metric": {"test accuracy": 1.0},
                "direction": {"higher": 1.0},
                "scope": {narrow: 1.0},
            },
            judgements={
                "ran": {"no": 1.0} if s.headline in ("untuned", "stopped") else {"no": 1.0, "partly": 1.0},
                "baseline": judged[s.headline],
                "ablation": ablation,
                "contamination": {"excluded": 1.0, "possible": 0.5},
            },
            verdict={"not_supported": 1.0, "undecidable": 0.5},
            trial=self.trial(),
            falsifier=(
                "Adam, with its learning rate searched on validation images over the same grid and trained for the same "
                "20 epochs, has the same mean test accuracy as AdamW over all shared seeds."
            ),
            why_not=(
                "A decay of 0.1 at a learning rate of 0.01 takes a thousandth of each weight per step, for 200 steps: with "
                "equal treatment there is little left to report."
            ),
            first=({"seeds": 8, "method": ["AdamW", "Adam"], "lr": [0.003, 0.01, 0.03, 0.1]},),
        )
