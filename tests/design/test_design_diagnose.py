"""The table: its errors are right, one's own analysis gets the same data, and it can be read and drawn."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from fourrounds.design import (
    AnalysisError,
    Arm,
    Design,
    DesignError,
    Estimand,
    EvaluationSet,
    Metric,
    Runs,
    Seeds,
    Stopping,
    Test,
    Tuning,
    Value,
    diagnose,
    draw,
    redesign,
    simulate,
    worlds,
)
from fourrounds.design import progress as progress_module
from fourrounds.design.diagnose import DIAGNOSANDS, diagnosands, rate
from fourrounds.design.distributions import t_quantile
from support.designs import arms, near, over_seeds, unit


def outcomes(**arrays: Any) -> Runs:
    size = len(arrays["estimate"])
    empty = {"low": -np.ones(size), "high": np.ones(size), "p": np.ones(size), "cost": np.ones(size)}
    flags = {"claim": np.zeros(size, bool), "falsified": np.zeros(size, bool), "look": np.ones(size, int)}
    return Runs(**{**empty, **flags, **arrays})


def test_the_diagnosands_by_hand() -> None:
    runs = outcomes(
        estimate=np.array([1.0, 3.0, -2.0, np.nan]),
        low=np.array([0.5, 2.5, -3.0, np.nan]),
        high=np.array([2.5, 3.5, -1.0, np.nan]),
        claim=np.array([True, True, True, False]),
        falsified=np.array([False, False, True, False]),
        cost=np.array([1.0, 2.0, 3.0, 4.0]),
    )
    found = {name: value.value for name, value in diagnosands(runs, 2.0).items()}
    assert found["power"] == 0.75
    assert math.isnan(found["false_positives"])
    assert found["bias"] == pytest.approx((-1 + 1 - 4) / 3)
    assert found["sd"] == pytest.approx(np.std([1, 3, -2]))
    assert found["rmse"] == pytest.approx(math.sqrt((1 + 1 + 16) / 3))
    assert found["coverage"] == 0.25  # what gave no interval covers nothing
    assert found["type_s"] == pytest.approx(1 / 3)
    assert found["exaggeration"] == pytest.approx((0.5 + 1.5 + 1.0) / 3)
    assert (found["falsified"], found["failed"], found["cost"]) == (0.25, 0.25, 2.5)


def test_at_no_effect_claims_are_false_and_have_no_sign() -> None:
    found = diagnosands(
        outcomes(estimate=np.array([1.0, -1.0]), claim=np.array([True, False])), 0.1 + 0.2 - 0.3
    )
    assert found["false_positives"].value == 0.5
    assert all(math.isnan(found[name].value) for name in ("power", "type_s", "exaggeration"))
    one_sided = diagnosands(outcomes(estimate=np.array([1.0, -1.0])), -0.5, sides=1)
    assert one_sided["false_positives"].value == 0
    assert math.isnan(one_sided["power"].value)


def test_the_monte_carlo_errors_are_the_spread_of_the_diagnosands() -> None:
    """50 diagnoses of 300 simulations: the spread of each diagnosand is what each diagnosis says it is.

    The SD of 50 values is known to 10 %; the tolerance is 3.5 times that. The mean of the claimed errors is
    compared, since that of a single diagnosis is itself an estimate.
    """
    design, world = over_seeds(10, stopping=Stopping(2)), unit(0.6)
    tables = [diagnose(design, world, 300, 1000 + k).rows[0] for k in range(50)]
    checked = 0
    for name in DIAGNOSANDS:
        values = np.array([row[name].value for row in tables])
        claimed = math.sqrt(np.mean([row[name].se ** 2 for row in tables]))
        if np.isnan(values).any() or values.std() == 0 or values.mean() < 5 / 300:
            continue
        assert values.std(ddof=1) == pytest.approx(claimed, rel=0.35), name
        checked += 1
    assert checked >= 6


def test_a_rate_of_no_hits_still_has_an_error() -> None:
    assert rate(np.zeros(100, bool)).se == pytest.approx(math.sqrt(1 / 102 * 101 / 102 / 100))


def test_few_simulations_are_refused_or_have_no_error() -> None:
    with pytest.raises(ValueError, match="sims must be 2 or more"):
        diagnose(Design(), worlds.null(), 1)
    found = diagnose(over_seeds(1), worlds.null(), 2)
    assert found["null"]["failed"].value == 0
    assert math.isnan(found["null"]["type_s"].value)


# --- an analysis of one's own ---


def pooled_t(data: dict[str, Any]) -> dict[str, Any]:
    """Student's t over runs, as a learner would write it for a batch."""
    runs = data["scores"][:, 0].mean(axis=(3, 4))  # (S, A, R)
    n = runs.shape[2]
    estimate = runs.mean(axis=2) @ data["arm_weights"]
    se = np.sqrt(runs.var(axis=2, ddof=1).sum(axis=1) / n)
    half = t_quantile(1 - data["alpha"] / 2, 2 * n - 2) * se
    return {
        "estimate": estimate,
        "low": estimate - half,
        "high": estimate + half,
        "claim": np.abs(estimate) > half,
    }


def one_pooled_t(data: dict[str, Any]) -> dict[str, Any]:
    """The same for one experiment."""
    batch = {**data, "scores": data["scores"][None]}
    return {name: value[0] for name, value in pooled_t(batch).items()}


@pytest.mark.parametrize("stopping", [Stopping(), Stopping(3, "seeds", "pocock")])
def test_an_analysis_of_ones_own_on_the_same_data(stopping: Stopping) -> None:
    """What is written again by hand gives the same table, batched or one at a time."""
    design = over_seeds(9, evaluation=EvaluationSet(2, 3), stopping=stopping)
    world = worlds.true_effect(0.2)
    due = diagnose(design, world, 200, 4).rows[0]
    for analyse, single in ((pooled_t, False), (one_pooled_t, True)):
        found = diagnose(design, world, 200, 4, analyse=analyse, one_at_a_time=single).rows[0]
        for name in DIAGNOSANDS:
            assert (found[name].value, found[name].se) == pytest.approx(
                (due[name].value, due[name].se), rel=1e-9, nan_ok=True
            )


def test_the_form_of_the_data() -> None:
    """As the head of ``simulate`` documents it."""
    design = Design(
        arms=(Arm("a", "baseline", seeds=2), Arm("b", "treatment"), Arm("c", "treatment")),
        metrics=(Metric("x"), Metric("y", "accuracy")),
        evaluation=EvaluationSet({"low": 2, "high": 3}, 4),
        seeds=Seeds(3),
        estimand=Estimand({"b": 1, "a": -1}, {"low": 1, "high": -1}),
    )
    data = draw(design, worlds.confounded(), 7, 0)
    arrays = data.arrays()
    by_simulation = {"scores", "covariate", "diverged", "candidates"}
    assert set(arrays) == by_simulation | {
        "stratum",
        "arm_weights",
        "stratum_weights",
        "alpha",
        "look",
        "looks",
    }
    assert arrays["diverged"].shape == (7, 3, 3)
    assert arrays["diverged"].dtype == bool
    assert arrays["candidates"].shape == (7, 3, 1, 1)
    assert (arrays["look"], arrays["looks"]) == (1, 1)
    assert arrays["scores"].shape == (7, 2, 3, 3, 5, 4)
    assert arrays["scores"].dtype == arrays["covariate"].dtype == np.float64
    assert arrays["covariate"].shape == (7, 3, 3)
    assert set(np.unique(arrays["covariate"])) == {0.0, 1.0}
    assert arrays["stratum"].tolist() == [0, 0, 1, 1, 1]
    assert arrays["arm_weights"].tolist() == [-1, 1, 0]
    assert arrays["stratum_weights"].tolist() == [1, -1]
    assert arrays["alpha"] == 0.05
    assert np.isnan(arrays["scores"][:, :, 0, 2]).all()
    assert np.isfinite(arrays["scores"][:, :, 1:]).all()
    assert set(np.unique(arrays["scores"][:, 1, 1:])) == {0.0, 1.0}
    one = data.one(3)
    for name, array in arrays.items():
        np.testing.assert_array_equal(one[name], array[3] if name in by_simulation else array)


def test_the_data_hold_what_was_tried_and_what_diverged() -> None:
    """The scores of the configurations, of which a run has the best; the runs that went below the cut."""
    world = worlds.unequal_tuning(0.1, means={"baseline": 0.3, "treatment": 0.6}, noise=0.0)
    for each_run, times in ((False, 1), (True, 4)):
        design = over_seeds(4, arms=arms((2, 5)), tuning=Tuning(each_run=each_run))
        data = draw(design, world, 6, 0)
        assert data.candidates.shape == (6, 2, times, 5)
        assert np.isnan(data.candidates[:, 0, :, 2:]).all()
        best = np.nanmax(data.candidates, axis=3)
        np.testing.assert_allclose(
            data.scores[:, 0, :, :, 0, 0], np.broadcast_to(best, (6, 2, 4)), rtol=1e-12
        )
    (spread,) = {round(float(np.nanstd(draw(design, world, 4000, 0).candidates[:, 1])), 2)}
    assert spread == 0.1
    world = worlds.dropped_divergences(-0.5, 0.1)
    counted, dropped = (draw(over_seeds(9, seeds=Seeds(9, how)), world, 20, 0) for how in ("count", "drop"))
    runs = counted.scores[:, 0, :, :, 0, 0]
    np.testing.assert_array_equal(counted.diverged[:, 1], runs[:, 1] < 0.5 - 0.05)
    assert not counted.diverged[:, 0].any()
    np.testing.assert_array_equal(np.isnan(dropped.scores[:, 0, :, :, 0, 0]), dropped.diverged)
    again = draw(over_seeds(9, seeds=Seeds(9, "rerun")), world, 20, 0)
    np.testing.assert_array_equal(again.diverged, counted.diverged)
    assert (again.scores[:, 0, 1] >= 0.5 - 0.05).all()
    kept = ~counted.diverged
    np.testing.assert_array_equal(again.scores[:, 0, :, :, 0, 0][kept], runs[kept])


def test_looks_see_the_first_part() -> None:
    sets = EvaluationSet({"low": 2, "high": 4}, 4)
    design = Design(evaluation=sets, seeds=Seeds(4), stopping=Stopping(2, "groups"))
    (block,) = simulate.blocks(design, worlds.null(), 3, 0)
    seen = simulate.at_look(design, block, 1)
    assert (seen.look, seen.looks) == (1, 2)
    assert seen.stratum.tolist() == [0, 1, 1]
    np.testing.assert_array_equal(seen.scores, block.scores[:, :, :, :, [0, 2, 3]])
    items = replace(design, stopping=Stopping(2, "items"))
    np.testing.assert_array_equal(simulate.at_look(items, block, 1).scores, block.scores[..., :2])
    uneven = replace(design, arms=(Arm("baseline", seeds=2), Arm("treatment")), stopping=Stopping(2))
    (block,) = simulate.blocks(uneven, worlds.null(), 3, 0)
    seen = simulate.at_look(uneven, block, 1).scores
    assert seen.shape[3] == 2
    assert np.isnan(seen[:, :, 0, 1]).all()
    assert np.isfinite(seen[:, :, 1]).all()


def test_blocks_are_all_simulations(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many small blocks are as good as one large one, and no simulation is drawn twice."""
    monkeypatch.setattr(simulate, "BLOCK", 100)
    found = diagnose(over_seeds(5), unit(), 2000, 3)["unit"]
    assert len(np.unique(found.runs.estimate)) == 2000
    near(found["false_positives"], 0.05)


BAD: list[tuple[Any, bool, str]] = [
    (lambda d: None, False, "returns a dict of estimate, low, high, claim; missing: estimate"),
    (lambda d: {"estimate": 1, "low": 0, "high": 2}, False, "missing: claim"),
    (
        lambda d: {**pooled_t(d), "estimate": 1.0},
        False,
        r"estimate must have one value for each of the 20 simulations, shape \(20,\), and has shape \(\)",
    ),
    (lambda d: {**pooled_t(d), "claim": np.ones(20)}, False, "claim must be True or False"),
    (lambda d: {**pooled_t(d), "low": np.full(20, 9.0)}, False, "low must not be above high"),
    (lambda d: {**one_pooled_t(d), "high": np.ones(3)}, True, r"high must be a single value"),
]


@pytest.mark.parametrize(("analyse", "single", "message"), BAD)
def test_what_an_analysis_must_return(analyse: Any, single: bool, message: str) -> None:
    with pytest.raises(AnalysisError, match=message):
        diagnose(over_seeds(5), unit(), 20, 0, analyse=analyse, one_at_a_time=single)


# --- reading it ---


def test_the_table_is_readable() -> None:
    found = diagnose(over_seeds(5), [worlds.null(), worlds.true_effect(0.4)], 100, 0)
    lines = str(found).splitlines()
    assert lines[0].split("  ")[0] == "world"
    assert [line.split("  ")[0] for line in lines[1:3]] == ["null", "true effect"]
    assert "failed" not in str(found)
    assert lines[-1] == "100 simulations; Monte Carlo errors in brackets"
    assert found["null"].truth == 0
    assert [row.world for row in found] == ["null", "true effect"]
    with pytest.raises(KeyError, match="no world 'leaky' here"):
        found["leaky"]


def test_html_is_escaped() -> None:
    world = worlds.null(name="<b>null</b>")
    assert "<b>" not in diagnose(over_seeds(3), world, 10)._repr_html_()
    assert "&lt;b&gt;" in redesign(over_seeds(3), world, {"seeds.count": [2]}, 10)._repr_html_()


@pytest.mark.parametrize(
    ("value", "se", "text"),
    [(0.1234, 0.02, "0.123 (0.020)"), (0.00034, 0.0007, "0.00034 (0.00070)"), (math.nan, math.nan, "")],
)
def test_as_many_digits_as_the_error_allows(value: float, se: float, text: str) -> None:
    assert str(Value(value, se)) == text


def test_plots() -> None:
    found = diagnose(over_seeds(3), [worlds.null(), worlds.true_effect(0.3)], 50, 0)
    assert len(found.plot().axes) == 2  # type: ignore[attr-defined]
    curve = diagnose(over_seeds(3), [worlds.true_effect(e) for e in (0.5, 0.0, 1.0)], 50, 0)
    (axes,) = curve.power_curve().axes  # type: ignore[attr-defined]
    shares = axes.lines[0].get_ydata()
    assert shares.tolist() == [
        curve.rows[k][n].value for k, n in ((1, "false_positives"), (0, "power"), (2, "power"))
    ]
    lost = diagnose(over_seeds(1, seeds=Seeds(1, "drop")), worlds.dropped_divergences(), 50, 0)
    assert lost.plot() is not None
    grid = redesign(
        over_seeds(3), worlds.null(), {"seeds.count": [3, 5], "seeds.diverged": ["count", "drop"]}, 20
    )
    (axes,) = grid.plot().axes  # type: ignore[attr-defined]
    assert len(axes.containers) == 2
    units = redesign(over_seeds(3), worlds.null(), {"test.unit": ["seeds", "items"]}, 20)
    assert units.plot("bias") is not None


# --- redesign ---


def test_redesign() -> None:
    """A power curve over seeds: the closed form at every point, and the same draws for every design."""
    from fourrounds.design.power import t_power

    found = redesign(over_seeds(5), unit(1.0), {"seeds.count": [3, 5, 10]}, 4000, 1)
    assert [settings["seeds.count"] for settings, _ in found.points] == [3, 5, 10]
    for settings, diagnosis in found.points:
        near(diagnosis["unit"]["power"], t_power(1.0, settings["seeds.count"]))  # type: ignore[arg-type]
    head = str(found).splitlines()[0].split()
    assert head[:2] == ["seeds.count", "world"]
    with pytest.raises(DesignError, match="a grid names a part"):
        redesign(over_seeds(5), unit(), {})
    tests = redesign(
        over_seeds(5), unit(), {"test": [Test("seeds"), Test("seeds", paired=True)]}, 50, question=None
    )
    one, two = (diagnosis["unit"].runs.estimate for _, diagnosis in tests.points)
    np.testing.assert_allclose(one, two, rtol=1e-12)


# --- progress ---


def test_progress_is_shown_when_there_is_time_to_read_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    diagnose(over_seeds(3), worlds.null(), 50, 0)
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(progress_module, "PATIENCE", -1.0)
    diagnose(over_seeds(3), worlds.null(), 50, 0, progress=False)
    assert capsys.readouterr().err == ""
    diagnose(over_seeds(3), worlds.null(), 50, 0)
    assert "null: 50 of 50 simulations, 0 s left" in capsys.readouterr().err
