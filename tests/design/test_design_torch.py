"""Every world drawn and analysed again, in torch, from its definition and not from our code.

The two answers share no line and no random number; they may differ by 3.5 Monte Carlo errors of both.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch

from fourrounds.design import (
    Decision,
    Design,
    Estimand,
    EvaluationSet,
    Metric,
    Row,
    Seeds,
    Stopping,
    Test,
    World,
    diagnose,
    worlds,
)
from support.designs import arms, over_groups, over_seeds

SIMS, R, G, ITEMS = 4000, 6, 8, 5
SETS = EvaluationSet(G, ITEMS)
Pair = tuple[torch.Tensor, torch.Tensor]


def normal(*shape: int) -> torch.Tensor:
    return torch.randn(SIMS, *shape, dtype=torch.float64)


def t_rejects(estimate: torch.Tensor, se: torch.Tensor, df: float) -> torch.Tensor:
    """|estimate / se| beyond t's quantile, which bisection finds by integrating the density."""
    x = torch.linspace(0, 200, 400_001, dtype=torch.float64)
    log_front = math.lgamma((df + 1) / 2) - math.lgamma(df / 2) - 0.5 * math.log(df * math.pi)
    density = torch.exp(log_front - (df + 1) / 2 * torch.log1p(x**2 / df))
    mass = torch.cumulative_trapezoid(density, x)
    critical = x[1:][torch.searchsorted(mass, torch.tensor(0.475, dtype=torch.float64))]
    return (estimate / se).abs() > critical


def over_runs(y: torch.Tensor) -> Pair:
    """(S, A, R) to estimate and claim, by Student's t."""
    n = y.shape[2]
    estimate = y[:, 1].mean(1) - y[:, 0].mean(1)
    return estimate, t_rejects(estimate, (y.var(2).sum(1) / n).sqrt(), 2 * n - 2)


def one_sample(d: torch.Tensor) -> Pair:
    """(S, N) differences to estimate and claim."""
    n = d.shape[1]
    return d.mean(1), t_rejects(d.mean(1), d.std(1) / math.sqrt(n), n - 1)


def null() -> Pair:
    return over_runs(0.5 + 0.5 * normal(2, R, G, ITEMS).mean((3, 4)))


def true_effect() -> Pair:
    y = 0.5 + 0.5 * normal(2, R, G, ITEMS)
    y[:, 1] += 0.05
    return over_runs(y.mean((3, 4)))


def heteroskedastic() -> Pair:
    y = 0.5 * normal(2, R, G, ITEMS)
    y[:, 1] *= 3
    return over_runs(y.mean((3, 4)))


def confounded() -> Pair:
    y = 0.5 * normal(2, R, G, ITEMS).mean((3, 4))
    share = torch.tensor([[0.25], [0.75]], dtype=torch.float64)
    return over_runs(y + 0.2 * (torch.rand(SIMS, 2, R, dtype=torch.float64) < share))


def leaky() -> Pair:
    y = 0.5 + 0.5 * normal(2, R, G, ITEMS)
    leaked = torch.rand(SIMS, 1, G, ITEMS) < 0.2
    y[:, 1] = torch.where(leaked, 1.0, y[:, 1])
    return over_runs(y.mean((3, 4)))


def leaky_accuracy() -> Pair:
    right = torch.rand(SIMS, 2, R, G, ITEMS) < 0.5
    right[:, 1] |= torch.rand(SIMS, 1, G, ITEMS) < 0.2
    return over_runs(right.double().mean((3, 4)))


def clustered() -> Pair:
    d = 0.5 * (math.sqrt(0.3) * normal(G, 1) + math.sqrt(0.7) * normal(G, ITEMS))
    return one_sample(d.reshape(SIMS, -1))


def random_language_effect() -> Pair:
    y = 0.5 * normal(2, R, G, ITEMS).mean((2, 4))
    return one_sample(0.1 + 0.2 * normal(G) + y[:, 1] - y[:, 0])


def best_of_k() -> Pair:
    y = 0.1 * normal(2, R)
    estimate = y[:, 1].max(1).values - y[:, 0].mean(1)
    return estimate, estimate > 0


def peeking() -> Pair:
    y = 0.1 * normal(2, 30)
    estimate, claim = over_runs(y[:, :, :10])
    for n in (20, 30):
        later, reject = over_runs(y[:, :, :n])
        estimate = torch.where(claim, estimate, later)
        claim = claim | reject
    return estimate, claim


def many_outcomes() -> Pair:
    common = normal(1, 2, R, G, ITEMS)
    y = math.sqrt(0.4) * common + math.sqrt(0.6) * normal(5, 2, R, G, ITEMS)
    y = 0.5 * y.mean((4, 5))
    estimate = y[:, :, 1].mean(2) - y[:, :, 0].mean(2)
    se = (y.var(3).sum(2) / R).sqrt()
    reported = (estimate / se).abs().argmax(1, keepdim=True)
    return estimate.gather(1, reported)[:, 0], t_rejects(estimate, se, 2 * R - 2).any(1)


def unequal_tuning() -> Pair:
    y = 0.5 * normal(2, R, G, ITEMS).mean((3, 4))
    y[:, 0] += 0.05 * normal(1)
    y[:, 1] += 0.05 * normal(20).max(1, keepdim=True).values
    return over_runs(y)


def interaction() -> Pair:
    """The difference of differences, run by run."""
    y = 0.5 * normal(2, R, G, ITEMS).mean(4)
    y[:, 1] += 0.2
    y[:, 1, :, : G // 2] += 0.05
    low, high = y[..., : G // 2].mean(3), y[..., G // 2 :].mean(3)
    return over_runs(low - high)


def ceiling() -> Pair:
    y = 0.8 + 0.5 * normal(2, R, G, ITEMS)
    y[:, 1] += 0.2
    return over_runs(y.clamp(max=1.0).mean((3, 4)))


def dropped_divergences() -> Pair:
    """Welch's statistic by masks; the claim is that the survivors are better."""
    y = 0.1 * normal(2, R)
    alive = torch.ones_like(y)
    alive[:, 1] = (y[:, 1] > -0.05).double()
    mean = (y * alive).sum(2) / alive.sum(2)
    estimate = mean[:, 1] - mean[:, 0]
    estimate = estimate[~estimate.isnan()]
    return estimate, estimate > 0


def order_bias() -> Pair:
    y = 0.5 * normal(2, R, G, ITEMS)
    first = (torch.rand(SIMS, 1, G, ITEMS) < 0.5).double()
    y[:, 1] += 0.1 * first
    y[:, 0] += 0.1 * (1 - first)
    return over_runs(y.mean((3, 4)))


MORE = Estimand({"treatment": 1, "baseline": -1}, {"low": 1, "high": -1})
PAIRED_ITEMS = Test("items", paired=True)
CASES: dict[str, tuple[Callable[[], Pair], Design, World, float]] = {
    "null": (null, over_seeds(R, evaluation=SETS), worlds.null(), 0.0),
    "true effect": (true_effect, over_seeds(R, evaluation=SETS), worlds.true_effect(0.05), 0.05),
    "heteroskedastic": (heteroskedastic, over_seeds(R, evaluation=SETS), worlds.heteroskedastic(3), 0.0),
    "confounded": (confounded, over_seeds(R, evaluation=SETS), worlds.confounded(), 0.0),
    "leaky": (leaky, over_seeds(R, evaluation=EvaluationSet(G, ITEMS, "items")), worlds.leaky(), 0.0),
    "leaky accuracy": (
        leaky_accuracy,
        over_seeds(R, evaluation=EvaluationSet(G, ITEMS, "items"), metrics=Metric(kind="accuracy")),
        worlds.leaky(),
        0.0,
    ),
    "clustered": (clustered, over_groups(G, ITEMS, test=PAIRED_ITEMS), worlds.clustered(), 0.0),
    "random language effect": (
        random_language_effect,
        over_seeds(R, evaluation=SETS, test=Test("groups", paired=True)),
        worlds.random_language_effect(),
        0.1,
    ),
    "best of k": (
        best_of_k,
        over_seeds(R, arms=arms(report=("mean", "best")), decision=Decision("larger")),
        worlds.best_of_k(),
        0.0,
    ),
    "peeking": (peeking, over_seeds(30, stopping=Stopping(3)), worlds.peeking(), 0.0),
    "many outcomes": (
        many_outcomes,
        over_seeds(
            R,
            evaluation=SETS,
            metrics=tuple(Metric(str(k)) for k in range(5)),
            decision=Decision(outcomes="any"),
        ),
        worlds.many_outcomes(0.4),
        0.0,
    ),
    "unequal tuning": (
        unequal_tuning,
        over_seeds(R, evaluation=SETS, arms=arms((1, 20))),
        worlds.unequal_tuning(),
        0.0,
    ),
    "interaction": (
        interaction,
        over_seeds(R, evaluation=EvaluationSet({"low": G // 2, "high": G // 2}, ITEMS), estimand=MORE),
        worlds.interaction(0.2, 0.05),
        0.05,
    ),
    "ceiling": (ceiling, over_seeds(R, evaluation=SETS), worlds.ceiling(), 0.2),
    "dropped divergences": (
        dropped_divergences,
        over_seeds(R, seeds=Seeds(R, "drop"), decision=Decision("larger")),
        worlds.dropped_divergences(),
        0.0,
    ),
    "order bias": (
        order_bias,
        over_seeds(R, evaluation=SETS, metrics=Metric(kind="judge", order="random")),
        worlds.order_biased(),
        0.0,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_world(name: str) -> None:
    by_torch, design, world, truth = CASES[name]
    torch.manual_seed(1)
    estimate, claim = by_torch()
    ours: Row = diagnose(design, world, SIMS, 2).rows[0]
    assert ours.truth == pytest.approx(truth, abs=1e-12)
    n = len(estimate)
    error = estimate - truth
    share = claim.double().mean().item()
    due = {
        "bias": (error.mean().item(), error.std().item() / math.sqrt(n)),
        "rmse": (
            (error**2).mean().sqrt().item(),
            (error**2).std().item() / math.sqrt(n) / 2 / (error**2).mean().sqrt().item(),
        ),
        "false_positives" if truth == 0 else "power": (
            share,
            math.sqrt((share + 1 / n) * (1 - share + 1 / n) / n),
        ),
    }
    for diagnosand, (value, se) in due.items():
        measured = ours[diagnosand]
        off = (measured.value - value) / math.hypot(measured.se, se)
        assert abs(off) < 3.5, f"{diagnosand}: {measured} here, {value:.4f} ({se:.4f}) in torch"


def test_every_world_is_here() -> None:
    made = {world.name for _, _, world, _ in CASES.values()}
    assert made == {make().name for make in worlds.CATALOGUE}
