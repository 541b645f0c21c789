"""The words of a critique: classes of flaw, severities, verdicts, and the judgements that an interviewer
asks for.

Every word is a member of an enumeration, so that a notebook completes it (``Flaw.unt<Tab>``), and every
member is a plain string as well. Nothing here knows of any paper. The classes, with their codes F1 to F34,
follow the literature on failed and failing results; the name behind each is a work that describes it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum, auto
from functools import cache

from fourrounds.critique.shown import Shown, table


@dataclass(frozen=True)
class About:
    """What is said of a class of flaw.

    ``says``: what it is; ``tell``: what gives it away in a paper; ``run``: what would expose it;
    ``source``: a work that describes it. Clauses without a full stop.
    """

    code: str
    says: str
    tell: str
    run: str
    source: str


class Flaw(StrEnum):
    """The classes of flaw. ``Flaw.copied_numbers.about`` says what one is, gives it away and exposes it."""

    untuned_baseline = auto()
    dated_baseline = auto()
    copied_numbers = auto()
    test_set_selection = auto()
    best_of_seeds = auto()
    no_variance = auto()
    wrong_error_bars = auto()
    pseudo_replication = auto()
    wrong_pairing = auto()
    multiple_comparisons = auto()
    optional_stopping = auto()
    confounded_ablation = auto()
    one_at_a_time_ablation = auto()
    unequal_compute = auto()
    unequal_training = auto()
    preprocessing_leak = auto()
    near_duplicates = auto()
    group_leak = auto()
    contamination = auto()
    cherry_picked_tasks = auto()
    mix_shift = auto()
    wrong_average = auto()
    metric_not_claim = auto()
    judge_bias = auto()
    template_mismatch = auto()
    survivorship = auto()
    misleading_plot = auto()
    over_generalised = auto()
    missing_control = auto()
    regression_to_mean = auto()
    impossible_number = auto()
    label_noise = auto()
    extrapolation = auto()
    failed_search_as_proof = auto()

    @property
    def about(self) -> About:
        """What the class is, what gives it away, what would expose it, and who describes it."""
        return ABOUT[self]

    @property
    def group(self) -> str:
        """The name of its group of classes that are easily taken for one another."""
        return _GROUP_OF[self]


ABOUT: dict[Flaw, About] = {
    Flaw.untuned_baseline: About(
        "F1",
        "the method was searched for good settings and the baseline was not, or far less",
        "a search space for one of them, and 'default' or one shared learning rate for the other",
        "give the baseline the same search budget and compare the expected best of k configurations",
        "Melis et al. 2018",
    ),
    Flaw.dated_baseline: About(
        "F2",
        "the baseline is weaker than what was already known when the work was done",
        "the years in the table: the method's own against a baseline several years older",
        "run the strongest method of the same year under the same protocol",
        "Armstrong et al. 2009",
    ),
    Flaw.copied_numbers: About(
        "F3",
        "the baseline's number is copied from another paper, with other pre-processing or another metric",
        "a dagger 'as reported in', and a tokeniser, split or scorer that differs",
        "score the outputs of both with one script on one split",
        "Post 2018",
    ),
    Flaw.test_set_selection: About(
        "F4",
        "settings, epochs or methods were chosen by the test set on which the result is reported",
        "'best epoch' beside a test curve, no validation set, a table that equals the curve's maximum",
        "choose on a validation split, then score once on the test set",
        "Recht et al. 2019",
    ),
    Flaw.best_of_seeds: About(
        "F5",
        "the best of several seeds is reported as the result",
        "the table's value is the maximum of the runs and not their mean",
        "recompute the mean over all seeds with its interval",
        "Henderson et al. 2018",
    ),
    Flaw.no_variance: About(
        "F6",
        "one run each, or no account of the variation between runs, under a gap that seeds alone could make",
        "single numbers without a spread, and a gap smaller than the usual deviation between seeds",
        "five to ten more seeds of both, and the interval of the difference",
        "Bouthillier et al. 2021",
    ),
    Flaw.wrong_error_bars: About(
        "F7",
        "the error bars are not what they are taken for: a standard error shown as a deviation, or no label",
        "a plus-minus too small for the runs by about the square root of their number",
        "recompute deviation, standard error and interval from the runs",
        "Belia et al. 2005",
    ),
    Flaw.pseudo_replication: About(
        "F8",
        "items, folds or epochs are counted as independent replicates, so that n is far too large",
        "degrees of freedom of the order of seeds times items",
        "cluster by the unit that was really repeated, such as the seed",
        "Hurlbert 1984",
    ),
    Flaw.wrong_pairing: About(
        "F9",
        "a test for independent samples on runs that share seeds or items, or a paired one on others",
        "degrees of freedom that do not fit the design; shared seeds that the test ignores",
        "the test that fits the design, on the same runs",
        "Dror et al. 2018",
    ),
    Flaw.multiple_comparisons: About(
        "F10",
        "many comparisons were made, and the one that came out significant is reported as if it were alone",
        "dozens of cells and one star at p = 0.03",
        "correct all cells (Holm, or a false discovery rate), or replicate the one with a plan fixed before",
        "Simmons et al. 2011",
    ),
    Flaw.optional_stopping: About(
        "F11",
        "runs were added until the result was as hoped",
        "odd and unequal numbers of seeds with no rule given",
        "run again with a number of seeds that is fixed before",
        "Armitage et al. 1969",
    ),
    Flaw.confounded_ablation: About(
        "F12",
        "the ablation changes more than the part that it names",
        "the row 'without X' also has another learning rate, size or schedule",
        "a 2 x 2 factorial of the part and of what changed with it",
        "Lipton and Steinhardt 2018",
    ),
    Flaw.one_at_a_time_ablation: About(
        "F13",
        "parts are removed one at a time only, which hides redundancy and interaction",
        "each removal costs little and yet all parts are called necessary; the drops do not sum to the gain",
        "add each part alone, and remove pairs",
        "Meyes et al. 2019",
    ),
    Flaw.unequal_compute: About(
        "F14",
        "the method has more parameters, data or compute than the baseline",
        "columns for parameters, tokens or FLOPs that differ, or that are missing",
        "match the two by FLOPs, or by what the claim is about",
        "Dehghani et al. 2021, The Efficiency Misnomer",
    ),
    Flaw.unequal_training: About(
        "F15",
        "the baseline was stopped earlier, or before it had converged",
        "a baseline's curve that still rises at its last epoch",
        "train both until neither improves",
        "Mosbach et al. 2020",
    ),
    Flaw.preprocessing_leak: About(
        "F16",
        "scaling, selection or oversampling saw the test data, because it was done before the split",
        "the order of the steps: first normalise or select, then split",
        "fit every step within the training part of each split",
        "Kapoor and Narayanan 2023",
    ),
    Flaw.near_duplicates: About(
        "F17",
        "test items stand in the training set as copies or near copies",
        "no audit for duplicates; a nearest-neighbour baseline that is oddly strong",
        "remove the duplicates and test again",
        "Barz and Denzler 2020",
    ),
    Flaw.group_leak: About(
        "F18",
        "the same user, patient, speaker or time is on both sides of the split",
        "a random split of records that come in groups or in order",
        "split by group, or by time",
        "Kaufman et al. 2012",
    ),
    Flaw.contamination: About(
        "F19",
        "the benchmark was in the data on which the model was trained before",
        "gains on old public benchmarks only; sensitivity to the published order of items",
        "a test set made after the data's cut-off, or the same items in another order",
        "Oren et al. 2023",
    ),
    Flaw.cherry_picked_tasks: About(
        "F20",
        "tasks or data sets were chosen with no rule, and the ones left out are not shown",
        "'7 of the 12 tasks' without a reason",
        "run all of them, or tasks that were fixed before",
        "Dehghani et al. 2021, The Benchmark Lottery",
    ),
    Flaw.mix_shift: About(
        "F21",
        "a pooled number hides that the groups, whose shares differ, go the other way",
        "group sizes that differ between methods, and signs that reverse within groups",
        "compare within groups, then average with the same weights",
        "Bickel et al. 1975",
    ),
    Flaw.wrong_average: About(
        "F22",
        "macro and micro, or a mean of ratios and a ratio of means, are mixed up",
        "an average row that does not follow from its rows",
        "recompute both averages from the rows",
        "Opitz and Burst 2019",
    ),
    Flaw.metric_not_claim: About(
        "F23",
        "the metric can rise without what is claimed, or jumps where the ability does not",
        "length that grows with the score; an all-or-nothing metric that leaps",
        "a second metric of the same claim, with length held fixed",
        "Schaeffer et al. 2023",
    ),
    Flaw.judge_bias: About(
        "F24",
        "a model that judges prefers an order, a length or its own kind",
        "one order of presentation, a judge of the same family, longer outputs",
        "swap the order, hold the length fixed, use another judge",
        "Zheng et al. 2023",
    ),
    Flaw.template_mismatch: About(
        "F25",
        "the two models were asked with other prompts or formats",
        "the baseline's template differs, or is not given",
        "cross templates with models",
        "Sclar et al. 2024",
    ),
    Flaw.survivorship: About(
        "F26",
        "runs that diverged or failed were left out of the average",
        "n that differs between rows; 'of the runs that converged'",
        "count every run that was started",
        "Lipton and Steinhardt 2018",
    ),
    Flaw.misleading_plot: About(
        "F27",
        "an axis or smoothing makes a small difference look large, or hides the spread",
        "an axis that runs from 91 to 92, two scales in one plot, curves without raw points",
        "draw it again from the runs, on a full axis",
        "Correll et al. 2020",
    ),
    Flaw.over_generalised: About(
        "F28",
        "the claim reaches further than what was tested",
        "a claim about a whole kind of model from one size, family or data set",
        "a second family, size or domain",
        "Raji et al. 2021",
    ),
    Flaw.missing_control: About(
        "F29",
        "a trivial cause could give the same gain, and no control excludes it",
        "no row for random, blind, majority or shuffled",
        "add that row under the same protocol",
        "Gururangan et al. 2018",
    ),
    Flaw.regression_to_mean: About(
        "F30",
        "a subset was selected by the noise of one method, which then falls back by itself",
        "'on the hardest tenth', selected by the baseline's own errors",
        "select by an independent run",
        "Gelman and Carlin 2014",
    ),
    Flaw.impossible_number: About(
        "F31",
        "printed numbers cannot all be true together",
        "an accuracy times n that is no whole number; t, degrees of freedom and p that disagree",
        "recompute them from each other",
        "Brown and Heathers 2017",
    ),
    Flaw.label_noise: About(
        "F32",
        "the gain lies within what wrong labels alone would make",
        "scores near the ceiling of a set that is known to hold wrong labels",
        "score on a cleaned subset",
        "Northcutt et al. 2021",
    ),
    Flaw.extrapolation: About(
        "F33",
        "a fit over a small range is carried far beyond it, with too narrow an interval",
        "five points, r squared of 0.999, and a prediction at fifty times the range",
        "hold out the largest point and predict it",
        "Besiroglu et al. 2024",
    ),
    Flaw.failed_search_as_proof: About(
        "F34",
        "that a search found none is taken for a proof that none exists",
        "'the optimiser could not' where a lower bound is claimed",
        "exhibit a construction, or search with another method",
        "Wang et al. 2026",
    ),
}

GROUPS: dict[str, tuple[Flaw, ...]] = {
    "a weak baseline": (Flaw.untuned_baseline, Flaw.dated_baseline, Flaw.copied_numbers),
    "unequal treatment": (Flaw.unequal_compute, Flaw.unequal_training, Flaw.template_mismatch),
    "a chosen result": (
        Flaw.test_set_selection,
        Flaw.best_of_seeds,
        Flaw.survivorship,
        Flaw.cherry_picked_tasks,
    ),
    "too little noise": (
        Flaw.no_variance,
        Flaw.wrong_error_bars,
        Flaw.pseudo_replication,
        Flaw.wrong_pairing,
        Flaw.label_noise,
    ),
    "chance made significant": (
        Flaw.multiple_comparisons,
        Flaw.optional_stopping,
        Flaw.regression_to_mean,
    ),
    "what drives the gain": (
        Flaw.confounded_ablation,
        Flaw.one_at_a_time_ablation,
        Flaw.missing_control,
    ),
    "test data seen before": (
        Flaw.preprocessing_leak,
        Flaw.near_duplicates,
        Flaw.group_leak,
        Flaw.contamination,
    ),
    "a wrong sum": (Flaw.mix_shift, Flaw.wrong_average, Flaw.impossible_number),
    "the measure is not the thing": (Flaw.metric_not_claim, Flaw.judge_bias, Flaw.misleading_plot),
    "claimed beyond the evidence": (
        Flaw.over_generalised,
        Flaw.extrapolation,
        Flaw.failed_search_as_proof,
    ),
}
"""Classes that are easily taken for one another. Each class stands in one group."""

_GROUP_OF = {flaw: name for name, flaws in GROUPS.items() for flaw in flaws}


class Severity(StrEnum):
    """How much a flaw matters: fatal (the claim falls with it), major (the claim shrinks), minor."""

    fatal = auto()
    major = auto()
    minor = auto()


class Verdict(StrEnum):
    """What the paper shows of its claim, as far as the reader can tell."""

    supported = auto()
    not_supported = auto()
    undecidable = auto()


class Ran(StrEnum):
    """Whether the authors ran the experiment that would falsify their claim."""

    yes = auto()
    partly = auto()
    no = auto()


class Baseline(StrEnum):
    """Whether the baselines are of the same year, tuned as carefully, and given as much."""

    fair = auto()
    dated = auto()
    less_tuned = auto()
    given_less = auto()
    not_told = auto()


class Ablation(StrEnum):
    """Whether the ablation shows what drives the gain."""

    isolates = auto()
    confounded = auto()
    incomplete = auto()
    absent = auto()


class Contamination(StrEnum):
    """Whether test data could have been seen in training."""

    excluded = auto()
    possible = auto()
    shown = auto()


@cache
def words(kind: type[StrEnum]) -> tuple[str, ...]:
    """The members of an enumeration as plain strings, in their order."""
    return tuple(member.value for member in kind)


def nearest(name: str, options: Iterable[str]) -> str:
    """What to say of ``name``, which is none of ``options``: the closest of them, or all if they are few.

    Only the first 60 characters of ``name`` are compared, so that a long text costs no more.
    """
    known = [str(option) for option in options]
    close = get_close_matches(name[:60].lower().replace(" ", "_"), known, 3, 0.6)
    if close:
        return f"did you mean {' or '.join(close)}?"
    return f"choose from {', '.join(known)}" if len(known) <= 12 else "press Tab after the dot to see them"


def glossary(flaws: Iterable[Flaw] = tuple(Flaw)) -> Shown:
    """The classes of flaw as a table for the notebook: what each is, its tell, and the run that exposes
    it."""
    rows = [(f.value, f.about.says, f.about.tell, f.about.run) for f in flaws]
    return table(("flaw", "what it is", "what gives it away", "what exposes it"), rows, "Classes of flaw")
