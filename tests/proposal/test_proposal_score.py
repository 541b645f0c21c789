"""A proposal is scored by what happens when its parts are run, and by nothing else."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest

from fourrounds.proposal import ProposalError, plain
from fourrounds.proposal.key import KeyFault
from fourrounds.proposal.score import WEIGHTS, Part, Score, bills, score
from fourrounds.proposal.system import Parameter, Setting
from support.proposal_keys import MODEL, PLAN, key

KEY = key()
PLAIN = plain(MODEL)


def scored(change: Callable[[dict[str, Any]], object] | None = None, seed: int = 0) -> Score:
    data = copy.deepcopy(PLAIN)
    if change is not None:
        change(data)
    return score(data, KEY, draws=100, sims=400, seed=seed)


@cache
def full() -> Score:
    return scored()


def told(found: Score, part: str) -> str:
    return "\n".join(found.parts[part].lines)


def test_the_model_gets_full_marks_with_every_seed() -> None:
    for seed in range(5):
        found = scored(seed=seed)
        assert found.total == pytest.approx(1.0), {
            name: part for name, part in found.parts.items() if part.share < 1
        }
    assert set(full().parts) == set(WEIGHTS)


def test_nothing_gets_nothing_and_is_told_what_is_asked_for() -> None:
    found = score({}, KEY, draws=20, sims=100)
    assert found.total == 0.0
    assert all("none was handed in" in told(found, part) for part in WEIGHTS)
    with pytest.raises(ProposalError):
        score(None, KEY)


def test_no_wording_changes_a_point() -> None:
    def reword(value: Any) -> Any:
        if isinstance(value, dict):
            texts = ("says", "why", "test", "does", "hypothesis")
            return {
                name: "other words" if name in texts and isinstance(one, str) else reword(one)
                for name, one in value.items()
            }
        return [reword(one) for one in value] if isinstance(value, list) else value

    found = score(reword(copy.deepcopy(PLAIN)), KEY, draws=100, sims=400)
    assert {name: part.share for name, part in found.parts.items()} == {
        name: part.share for name, part in full().parts.items()
    }


@pytest.mark.parametrize(
    ("part", "least", "most", "change", "says"),
    [
        # The control fails too; nothing fails; a harmless threshold; the wrong side; unknown names.
        ("failure", 0, 0, {"threshold": -0.5}, "in 100%"),
        ("failure", 0, 0, {"threshold": 5.0}, "separates the two"),
        ("failure", 0.5, 0.5, {"threshold": 0.1}, "harmless side"),
        ("failure", 0, 0, {"fails": "below"}, "fails above its threshold"),
        ("failure", 0, 0, {"metric": "quality"}, "no metric 'quality', but error, speed"),
        (
            "failure",
            0,
            0,
            {"metric": "speed", "fails": "below", "threshold": 200.0},
            "the control: speed 100",
        ),
        ("failure", 0, 0, {"setting": {"height": 3}}, "no parameter 'height'"),
        ("failure", 0, 0, {"setting": {"load": 2.5}}, "whole number"),
        ("failure", 0, 0, {"setting": {"capacity": 1e6}}, "between 1 and 10000"),
        ("objection", 0, 0, {"against": "gao2022"}, "does not dispute gao2022"),
        ("objection", 0, 0, {"paper": "eisenstein"}, "eisenstein2023"),
        ("objection", 0, 0, {"paper": "wu2025", "against": "yue2025"}, "not about this problem"),
    ],
)
def test_what_a_part_loses(part: str, least: float, most: float, change: dict[str, Any], says: str) -> None:
    found = scored(lambda data: data[part].update(change))
    assert least <= found.parts[part].share <= most
    assert says in told(found, part)
    assert all(found.parts[name].share == full().parts[name].share for name in WEIGHTS if name != part)


def test_a_threshold_in_between_earns_in_between() -> None:
    # At capacity 50 the error is 2 with SD 0.01: a threshold at its median is passed by half of the draws.
    found = scored(lambda data: data["failure"].update(threshold=2.0))
    assert 0.3 < found.parts["failure"].share < 0.8


@pytest.mark.parametrize(
    ("change", "share", "says"),
    [
        ({"paper": "gao2023"}, 0.5, "gao2022"),
        ({"paper": "yue2025"}, 0.5, "not about this problem"),
        ({"mechanism": "sharpening"}, 0.5, "no mechanism of this problem"),
        ({"mechanism": "heavy_tailed_proxy_error"}, 0.5, "does not treat heavy_tailed_proxy_error"),
        ({"mechanism": "kl"}, 0.5, "kl"),
        ({"paper": "coste2023"}, 0.5, "named twice"),
    ],
)
def test_an_approach_counts_if_its_paper_treats_the_mechanism(
    change: dict[str, Any], share: float, says: str
) -> None:
    found = scored(lambda data: data["approaches"][0].update(change))
    assert found.parts["approaches"].share == share
    assert says in told(found, "approaches")


def test_more_approaches_than_two_earn_no_more_and_cost_nothing() -> None:
    found = scored(
        lambda data: data["approaches"].append({"paper": "kwa2024", "mechanism": "kl_budget", "why": "x"})
    )
    assert found.parts["approaches"].share == 1.0


@pytest.mark.parametrize(
    ("change", "share", "says"),
    [
        ({"solution": {"load": 1, "capacity": 100}}, 0, "changes load: the job is another one"),
        ({"solution": {"capacity": 5000, "heat": 0}}, 0, "changes heat: it is nature's"),
        ({"solution": {}}, 0, "the job is not done in your solution"),
        ({"solution": {"capacity": "much"}}, 0, "finite number"),
        ({"solution": {"height": 1}}, 0, "no parameter 'height'"),
        ({0: {"breaks": 1.5}}, 0.5, "at 1.5 the job is done all the same: your solution does not hang on it"),
        ({0: {"breaks": 1e9}}, 0.5, "between 0 and 10"),
        ({0: {"parameter": "load", "breaks": 900}}, 0.5, "belongs to the job"),
        ({0: {"parameter": "load", "breaks": 1e9}}, 0.5, "belongs to the job"),
        ({0: {"parameter": "capacity", "breaks": 10}}, 0.5, "you choose it yourself"),
        ({0: {"parameter": "noise", "breaks": 3}}, 0.5, "another assumption is about it"),
        ({0: {"parameter": "height"}}, 0.5, "no parameter 'height'"),
        ({0: {"credits": 30}}, 0.75, "cheap is up to 20"),
        ({0: {"week": 5}}, 0.75, "its test comes in week 5"),
    ],
)
def test_an_assumption_counts_if_the_solution_hangs_on_it(
    change: dict[Any, Any], share: float, says: str
) -> None:
    def apply(data: dict[str, Any]) -> None:
        for name, value in change.items():
            if name == "solution":
                data["solution"] = value
            else:
                data["assumptions"][name].update(value)

    found = scored(apply)
    assert found.parts["assumptions"].share == pytest.approx(share)
    assert says in told(found, "assumptions")


@pytest.mark.parametrize(
    ("solution", "lacks"),
    [
        ({"capacity": 500}, "room of ten times the load"),
        ({"capacity": 5000}, "a bill of at most 4000"),
    ],
)
def test_what_a_solution_lacks_is_told_in_the_words_of_the_demand(
    solution: dict[str, float], lacks: str
) -> None:
    def demands(setting: Setting) -> dict[str, bool]:
        return {
            "room of ten times the load": setting["load"] <= 0.1 * setting["capacity"],
            "a bill of at most 4000": setting["capacity"] <= 4000,
        }

    data = copy.deepcopy(PLAIN)
    data["solution"] = solution
    found = score(data, key(meets=demands), draws=20, sims=100)
    assert found.parts["assumptions"] == Part(
        0.0, (f"the job is not done in your solution, which lacks {lacks}, so nothing is assumed by it",)
    )


def test_demands_are_met_one_by_one_or_all_at_once() -> None:
    setting = KEY.complete({})
    both = key(meets=lambda _: {"a": np.True_, "b": True})
    assert both.done(setting)
    assert both.demands(setting) == {"a": True, "b": True}
    assert not key(meets=lambda _: {"a": True, "b": np.False_}).done(setting)
    neither = score(PLAIN, key(meets=lambda _: {"a": False, "b": False}), draws=20, sims=100)
    assert "which lacks a and b," in told(neither, "assumptions")
    for one in (True, False):
        whole = key(meets=lambda _, one=one: one)
        assert whole.done(setting) is one
        assert whole.demands(setting) == {"": one}
    with pytest.raises(KeyFault, match="at least one demand"):
        key(meets=lambda _: {}).done(setting)


def test_a_solution_hangs_on_what_breaks_one_of_its_demands() -> None:
    def demands(setting: Setting) -> dict[str, bool]:
        return {"room": True, "little noise": setting["noise"] <= 1.0, "no heat": setting["heat"] <= 2.0}

    found = score(PLAIN, key(meets=demands), draws=20, sims=100)
    assert found.parts["assumptions"].share == 1.0


def test_the_experiment_is_scored_as_a_design() -> None:
    found = scored(lambda data: data["plan"]["experiment"]["evaluation"].update(held_out="items"))
    assert found.parts["experiment"].share < 0.7
    assert "'familiar' false positives" in told(found, "experiment")
    assert found.design is not None
    assert found.parts["experiment"].share == found.design.total


def test_no_falsifier_is_what_the_experiment_lacks() -> None:
    found = scored(
        lambda data: data["plan"]["experiment"].update(falsifier={"rule": "never", "margin": None})
    )
    assert found.parts["experiment"].share == pytest.approx(0.6, abs=0.01)


@pytest.mark.parametrize(
    ("below", "most"),
    [(-5.0, 0.0), (5.0, 0.0), (0.2, 0.5), (-0.05, 0.8)],
    ids=["never", "always", "eager", "shy"],
)
def test_a_criterion_that_does_not_tell_dead_from_alive_earns_little(below: float, most: float) -> None:
    found = scored(lambda data: data["plan"]["kill"].update(below=below))
    assert found.parts["plan"].share <= most
    assert "ends at least 60% of dead ideas" in told(found, "plan")


def test_a_pilot_that_knows_nothing_earns_nothing() -> None:
    """Two items in one group with one run, ended by a bound in the middle of its noise: nearly a coin."""

    def coin(data: dict[str, Any]) -> None:
        pilot = data["plan"]["kill"]["pilot"]
        pilot["evaluation"].update(groups=1, items=1)
        pilot["seeds"]["count"] = 1

    assert scored(coin).parts["plan"].share < 0.3


def test_a_late_criterion_and_missing_money_count_half() -> None:
    late = scored(lambda data: data["plan"]["kill"].update(week=5))
    assert late.parts["plan"].share == 0.5
    assert "it comes in week 5" in told(late, "plan")
    poor = scored(lambda data: data["plan"]["stages"][1].update(credits=20))
    assert poor.parts["plan"].share == 0.5
    assert "pilot, experiment and tests cost" in told(poor, "plan")


def test_bills() -> None:
    assert bills(PLAN, MODEL.assumptions, KEY) == []
    dear = plain(MODEL)["plan"]
    dear["stages"][2]["credits"] = 100
    found = scored(lambda data: data.update(plan=dear))
    assert "the stages spend 280, and the budget is 200" in told(found, "plan")
    early = scored(lambda data: data["plan"]["stages"][0].update(credits=5))
    assert "the pilot costs" in told(early, "plan")
    none = scored(lambda data: data["plan"].update(stages=[]))
    assert "the plan has no stages" in told(none, "plan")


def test_an_experiment_that_no_world_can_run() -> None:
    def other_method(data: dict[str, Any]) -> None:
        data["plan"]["kill"]["pilot"]["arms"][0]["method"] = "huge"

    found = scored(other_method)
    assert found.parts["plan"].share == 0.0
    assert "cannot be run in 'dead'" in told(found, "plan")


def test_frequencies_need_draws() -> None:
    with pytest.raises(ValueError, match="20 draws"):
        score(PLAIN, KEY, draws=19)


NATURE = Parameter(0, 1, 0, "nature")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"problem": "fusion"}, "no problem 'fusion'"),
        ({"metrics": {}}, "has metrics"),
        ({"parameters": {"a": NATURE, "b": NATURE}}, "a system has a job"),
        (
            {"parameters": {**KEY.parameters, "heat": Parameter(0, 1, 0, "choice")}},
            "two parameters of nature",
        ),
    ],
)
def test_a_key_out_of_form_is_refused(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(KeyFault, match=told):
        key(**changes)


def test_the_system_is_drawn_anew_with_another_seed() -> None:
    one, same, other = scored(seed=1), scored(seed=1), scored(seed=2)
    assert told(one, "plan") == told(same, "plan")
    assert told(one, "plan") != told(other, "plan")
    assert np.isfinite(one.total)
