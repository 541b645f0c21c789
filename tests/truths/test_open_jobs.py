"""What an open problem demands and measures is told in words and ranges, and its text says the same."""

from __future__ import annotations

import re

import numpy as np
import pytest

from fourrounds.examiner.layout import find_root
from fourrounds.examiner.problem import find_problems, load_problem
from fourrounds.proposal import ProposalError
from support.truths import truth_of

NOTEBOOKS = {
    path.stem: path
    for path in find_problems(find_root() / "source")
    if path.parent.name == "round4_open_problems"
}


def numbers(text: str) -> list[float]:
    return [float(one) for one in re.findall(r"\d+(?:\.\d+)?", text)]


@pytest.mark.parametrize("slug", NOTEBOOKS)
def test_a_key_demands_what_its_text_does(slug: str) -> None:
    """The default lacks something; metrics and numbers stand in what the text says of the job."""
    key = truth_of(slug).KEY
    found = key.demands(key.complete({}))
    assert found
    assert not all(found.values())
    cells = [cell.source for cell in load_problem(NOTEBOOKS[slug]).by_role("method")]
    (told,) = (text.split("**The job is done**")[1] for text in cells if "**The job is done**" in text)
    for words in found:
        (bound,) = numbers(words)
        assert bound in numbers(told), words
        mean = re.match(r"a mean (\w+) of at (least|most) ", words)
        if mean is not None and mean[1] in key.metrics:
            # What must not be below is asked to be at least so much.
            side = {"below": "least", "above": "most"}[key.metrics[mean[1]].fails]
            assert mean[2] == side
            assert f"`{mean[1]}`" in told
    assert any(re.match(r"a mean \w+ of at (least|most) ", words) for words in found)


@pytest.mark.parametrize("slug", NOTEBOOKS)
def test_metrics_lie_in_their_ranges(slug: str) -> None:
    """At the default, and with each parameter at either end of its range."""
    key = truth_of(slug).KEY
    rng = np.random.default_rng(8)
    settings = [{}, *({name: end} for name, one in key.parameters.items() for end in (one.low, one.high))]
    for setting in settings:
        for system in (key.system, key.control):
            found = system(key.complete(setting), rng)
            assert set(found) == set(key.metrics)
            for name, value in found.items():
                # But for the last digits.
                low, high = key.metrics[name].low - 1e-12, key.metrics[name].high + 1e-12
                assert low <= value <= high, (setting, name)


@pytest.mark.parametrize("slug", NOTEBOOKS)
def test_a_misspelt_or_strange_setting_is_told(slug: str) -> None:
    truth = truth_of(slug)
    (drawn,) = (vars(truth)[name] for name in ("draw", "scored", "answers") if name in vars(truth))
    name, one = next(item for item in truth.PARAMETERS.items() if item[1].whole)
    rng = np.random.default_rng(0)
    with pytest.raises(ProposalError, match=r"no parameter 'nonsense'.*must lie between"):
        drawn({"nonsense": 1, name: one.high + 1}, rng)
    with pytest.raises(ProposalError, match="must be a whole number"):
        drawn({name: one.low + 0.5}, rng)
    drawn({name: float(one.default)}, rng)
