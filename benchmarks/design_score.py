"""How long it takes to score a design, and to say what would have held it.

    python benchmarks/design_score.py [--sims 1000]

For the two keys of ``tests/support/design_keys.py`` (the interview's hypothesis in worlds of formulas, LoRA's
rank on real runs of the bank): the model design with the declared analysis, the same with an analysis of
one's own that gets all worlds in one shuffled batch (and takes groups for the only sample, which LoRA's runs
do not forgive), the slowest of the designs that lack one thing, and the repairs of that. Then about the
largest designs that are scored at all. Seconds are of the processor; everything runs on one thread. The exit
status is 1 if a score takes more than 10 s.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

for library in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(library, "1")
sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import numpy as np  # noqa: E402

from fourrounds.design import Design, Stopping, plain, vary  # noqa: E402
from fourrounds.design.critics import lacking  # noqa: E402
from fourrounds.design.key import Key, load_key  # noqa: E402
from fourrounds.design.mend import mend  # noqa: E402
from fourrounds.design.score import Score, score  # noqa: E402
from support.design_keys import interview, interview_model, lora, lora_model  # noqa: E402

LIMIT = 10.0


def own_analysis(data: dict[str, Any]) -> dict[str, Any]:
    """The contrast of the arms in each group, and the normal interval of its mean over groups."""
    per_group = np.tensordot(data["scores"][:, 0].mean(axis=(2, 4)), data["arm_weights"], axes=(1, 0))
    estimate = variance = np.zeros(len(per_group))
    for stratum, weight in enumerate(data["stratum_weights"]):
        part = per_group[:, data["stratum"] == stratum]
        estimate = estimate + weight * part.mean(axis=1)
        variance = variance + weight**2 * part.var(axis=1, ddof=1) / part.shape[1]
    half = 2.0 * np.sqrt(variance)
    low, high = estimate - half, estimate + half
    return {"estimate": estimate, "low": low, "high": high, "claim": (low > 0) | (high < 0)}


def seconds(call: Callable[[], Score]) -> tuple[float, Score]:
    begun = time.process_time()
    found = call()
    return time.process_time() - begun, found


def rows(key: Key, model: Design, sims: int) -> list[tuple[str, float, Score]]:
    """Name, seconds and score of each thing that is timed."""
    score(plain(model), None, key, 100)  # reads the bank
    found = [("model", *seconds(lambda: score(plain(model), None, key, sims)))]
    found.append(("own analysis", *seconds(lambda: score(plain(model), own_analysis, key, sims))))
    worst = ("", 0.0, found[0][2])
    for critic in lacking(model, key):
        spent, got = seconds(lambda design=critic.design: score(design, None, key, sims))  # type: ignore[misc]
        worst = max(worst, (critic.name, spent, got), key=lambda one: one[1])
    return [*found, worst]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sims", type=int, default=1000)
    options = parser.parse_args()
    slowest = 0.0
    print(f"{'key':<11}{'design':<20}{'worlds':>8}{'seconds':>9}{'simulations a second':>22}{'score':>7}")
    for name, data, model in (("interview", interview(), interview_model()), ("lora", lora(), lora_model())):
        key = load_key(data)
        timed = rows(key, model, options.sims)
        for design, spent, got in timed:
            rate = options.sims * len(key.trials) / spent
            print(f"{name:<11}{design:<20}{len(key.trials):>8}{spent:>9.2f}{rate:>22.0f}{got.total:>7.2f}")
            slowest = max(slowest, spent)
        begun = time.process_time()
        mend(timed[-1][2])
        print(f"{name:<11}{'its repairs':<20}{'':>8}{time.process_time() - begun:>9.2f}")
    key, large = load_key({**interview(), "budget": 1e6}), interview_model()
    large = vary(large, "evaluation.groups", {"low": 200, "high": 200})
    for name, design in (
        ("48,000 scores", large),
        ("the same, by score", vary(large, "test.unit", "observations")),
        ("the same, 5 looks", vary(large, "stopping", Stopping(5, "groups", "pocock"))),
    ):
        spent, got = seconds(lambda design=design: score(plain(design), None, key, options.sims))  # type: ignore[misc]
        rate = options.sims * len(key.trials) / spent
        print(f"{'interview':<11}{name:<20}{len(key.trials):>8}{spent:>9.2f}{rate:>22.0f}{got.total:>7.2f}")
        slowest = max(slowest, spent)
    if slowest > LIMIT:
        sys.exit(f"a score took more than {LIMIT:g} s")


if __name__ == "__main__":
    main()
