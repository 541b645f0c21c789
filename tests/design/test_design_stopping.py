"""Boundaries against scipy's multivariate normal, a simulation, and the constants that are in print."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from fourrounds.design.stopping import critical_values, crossing_probability, nominal_levels


def by_scipy(critical: tuple[float, ...], drift: float = 0.0) -> float:
    """One less the mass of the box, under the joint normal law of the looks' statistics."""
    j = np.arange(1, len(critical) + 1)
    covariance = np.sqrt(np.minimum.outer(j, j) / np.maximum.outer(j, j))
    law = stats.multivariate_normal(drift * np.sqrt(j / len(j)), covariance, abseps=1e-9, releps=1e-9)
    return 1 - float(law.cdf(np.array(critical), lower_limit=-np.array(critical)))


@pytest.mark.parametrize("drift", [0.0, 2.5])
@pytest.mark.parametrize("critical", [(1.96,), (1.96, 1.96), (2.8, 2.2, 1.9), (1.0, 3.0, 2.0)])
def test_crossing(critical: tuple[float, ...], drift: float) -> None:
    assert crossing_probability(critical, drift) == pytest.approx(by_scipy(critical, drift), abs=1e-6)


def test_peeking_as_armitage_mcpherson_and_rowe_found_it() -> None:
    """Their table of 1969: .142 at 5 looks, .193 at 10."""
    assert crossing_probability(critical_values("none", 5)) == pytest.approx(0.142, abs=5e-4)
    assert crossing_probability(critical_values("none", 10)) == pytest.approx(0.193, abs=5e-4)


def test_by_simulation() -> None:
    steps = np.random.default_rng(3).standard_normal((200_000, 4))
    z = np.abs(steps.cumsum(axis=1)) / np.sqrt(np.arange(1, 5))
    for boundary in ("none", "pocock", "obrien_fleming"):
        critical = critical_values(boundary, 4)
        hits = (z >= critical).any(axis=1).mean()
        due = crossing_probability(critical)
        assert hits == pytest.approx(due, abs=3.5 * np.sqrt(due * (1 - due) / len(z)))


@pytest.mark.parametrize("looks", [1, 2, 3, 5, 10])
@pytest.mark.parametrize("alpha", [0.01, 0.05])
@pytest.mark.parametrize("boundary", ["pocock", "obrien_fleming"])
def test_the_boundaries_spend_alpha(boundary: str, alpha: float, looks: int) -> None:
    critical = critical_values(boundary, looks, alpha)
    assert crossing_probability(critical) == pytest.approx(alpha, abs=1e-9)
    if looks <= 3:
        assert by_scipy(critical) == pytest.approx(alpha, abs=1e-6)
    np.testing.assert_allclose(
        nominal_levels(boundary, looks, alpha), 2 * stats.norm.sf(critical), rtol=1e-12
    )


def test_shapes() -> None:
    assert len(set(critical_values("pocock", 5))) == 1
    falling = np.array(critical_values("obrien_fleming", 5))
    np.testing.assert_allclose(falling * np.sqrt(np.arange(1, 6)), falling[-1] * np.sqrt(5), rtol=1e-12)
    assert nominal_levels("none", 3).tolist() == [0.05] * 3
    assert nominal_levels("bonferroni", 5).tolist() == [0.01] * 5


def test_wrong_requests_are_told() -> None:
    with pytest.raises(ValueError, match="boundary must be one of none, bonferroni"):
        critical_values("haybittle", 3)
    with pytest.raises(ValueError, match="once or more"):
        critical_values("pocock", 0)
