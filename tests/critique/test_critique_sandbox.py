"""A critique that an answer makes in the sandbox, on the examiner's side of the wall."""

from __future__ import annotations

import time

from test_critique_key import DATA

from fourrounds.answers.sandbox import Limits, best_sandbox
from fourrounds.critique import load_key, score

ANSWER = """
import sys
from fourrounds.critique import Flaw, Severity, Verdict, arm, critique, finding, place, show

def my_critique():
    return critique(
        falsifier="the baseline, tuned, catches up",
        findings=[
            finding(Flaw.untuned_baseline, place(appendix="B"), Severity.fatal),
            finding(Flaw.no_variance, place(table=1), Severity.minor),
        ],
        verdict=Verdict.not_supported,
        first=[arm(5, arm="baseline", lr=[0.1, 0.3])],
    )

def heavy():
    return sorted({"torch", "scipy"} & set(sys.modules))

show(my_critique())
"""


def test_it_is_filed_in_the_sandbox_and_scored_outside() -> None:
    sandbox, _ = best_sandbox()
    with sandbox:
        answer = sandbox.open(Limits())
        ran = answer.run(ANSWER, "an answer", time.monotonic() + 60)
        assert ran.error is None, ran.error
        session = answer.session(0)
        filed, heavy = (
            session.call(name, [((), {})], time.monotonic() + 60)[0].value
            for name in ("my_critique", "heavy")
        )
        session.close()
        answer.close()
    assert heavy == []
    assert type(filed) is dict
    result = score(filed, load_key(DATA))
    assert result.parts["findings"] == 1.0
    assert result.parts["verdict"] == 1.0
    assert result.filed["first"] == [{"config": {"arm": "baseline", "lr": [0.1, 0.3]}, "seeds": 5}]
