"""The truths of Round 3 that statsmodels covers too, against it."""

from __future__ import annotations

import numpy as np
import pytest
from statsmodels.api import OLS
from statsmodels.stats.multitest import multipletests

from support.truths import truth_of


def test_holm_is_statsmodels() -> None:
    truth = truth_of("adapter_rank")
    rng = np.random.default_rng(0)
    p = np.concatenate([rng.uniform(size=(30, 5)) ** 2, [[0.01, 0.01, 0.5, 1.0, 0.0]]])
    due = np.array([multipletests(row, method="holm")[1] for row in p])
    assert truth.true_holm(p) == pytest.approx(due, abs=1e-14)


def test_the_clustered_error_is_statsmodels() -> None:
    truth = truth_of("clean_training")
    rng = np.random.default_rng(1)
    cluster = rng.integers(0, 9, 60)
    scores = rng.standard_normal((4, 9))[:, cluster] + rng.standard_normal((4, 60))
    mean, error = truth.true_clustered(scores, cluster)
    for row in range(4):
        fitted = OLS(scores[row], np.ones(60)).fit(cov_type="cluster", cov_kwds={"groups": cluster})
        assert (mean[row], error[row]) == pytest.approx((fitted.params[0], fitted.bse[0]), rel=1e-10)
