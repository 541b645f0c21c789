"""The values that *Research Design in the Social Sciences* prints for two of its designs.

Blair, Coppock & Humphreys 2023, declarations 10.1 and 16.2; each diagnosis there has 2,000 simulations, and
its Monte Carlo error (in brackets there) is added to ours.
"""

from __future__ import annotations

import math

import pytest

from fourrounds.design import Value, diagnose, power, worlds
from support.designs import near, over_seeds, unit

SIMS = 20_000


def agrees(ours: Value, published: float, error: float) -> None:
    near(Value(ours.value, math.hypot(ours.se, error)), published)


def test_two_arms_of_fifty() -> None:
    """Declaration 10.1: N = 100, an effect of .2, t with 98 degrees of freedom."""
    row = diagnose(over_seeds(50), unit(0.2), SIMS, 1).rows[0]
    for published in (0.1605, 0.1615, 0.1695, 0.1665):
        agrees(row["power"], published, 0.008)
    agrees(row["bias"], -0.0025, 0.0045)
    for published in (0.1993, 0.2022):
        agrees(row["sd"], published, 0.003)
    for published in (0.958, 0.948):
        agrees(row["coverage"], published, 0.005)
    assert power.t_power(0.2, 50) == pytest.approx(0.167675, abs=1e-6)
    near(row["power"], 0.167675)
    near(row["sd"], 0.2)
    near(row["bias"], 0.0)
    near(row["coverage"], 0.95)


def test_confounded_assignment() -> None:
    """Declaration 16.2: P(D = 1 | X) = .25 + .5 X, and X adds .2. Raw, the bias is .1."""
    world = worlds.confounded(0.2, 0.5, effect=0.5, noise=1.0)
    row = diagnose(over_seeds(50), world, SIMS, 2).rows[0]
    agrees(row["bias"], 0.1048, 0.0047)
    agrees(row["coverage"], 0.9135, math.sqrt(0.9135 * 0.0865 / 2000))
    near(row["bias"], 0.1)
