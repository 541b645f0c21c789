"""How many experiments a second a diagnosis simulates, against a plain loop over the same design.

    python benchmarks/design.py [--sims 2000] [--loop 100]

Seconds are of the processor (both run on one thread), so that what else the machine does is no part of it.
The loop draws one score at a time, and takes its means and its t-test from Python's statistics and scipy, as
one writes it without thinking of speed. Both must find the same power within 3.5 Monte Carlo errors. The exit
status is 1 if ``--sims`` simulations take more than 2 s.
"""

from __future__ import annotations

import argparse
import math
import statistics
import sys
import time

import numpy as np
from scipy import stats

from fourrounds.design import Design, World, diagnose, worlds

LIMIT = 2.0


def plain(design: Design, world: World, sims: int, seed: int) -> float:
    """The share of significant experiments, one experiment and one score at a time."""
    rng = np.random.default_rng(seed)
    (groups,) = design.evaluation.strata.values()
    hits = 0
    for _ in range(sims):
        runs: list[list[float]] = []
        for arm in design.arms:
            runs.append([])
            for _ in range(design.seeds.count):
                mean = world.mean(arm.method, "all")
                scores = [
                    mean + world.noise * rng.standard_normal()
                    for _ in range(groups)
                    for _ in range(design.evaluation.items)
                ]
                runs[-1].append(statistics.fmean(scores))
        p = stats.ttest_ind(runs[1], runs[0], equal_var=False).pvalue
        hits += p <= design.test.alpha
    return hits / sims


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sims", type=int, default=2000)
    parser.add_argument("--loop", type=int, default=100, metavar="SIMS", help="simulations of the plain loop")
    options = parser.parse_args()
    design, world = Design(), worlds.true_effect(0.03)
    diagnose(design, world, 10)

    begun = time.process_time()
    power = diagnose(design, world, options.sims, 1)[world.name]["power"]
    ours = time.process_time() - begun
    begun = time.process_time()
    share = plain(design, world, options.loop, 2)
    loop = time.process_time() - begun

    print(f"{'':<12}{'simulations':>12}{'seconds':>10}{'a second':>12}{'power':>8}")
    print(f"{'diagnose':<12}{options.sims:>12}{ours:>10.3f}{options.sims / ours:>12.0f}{power.value:>8.3f}")
    print(f"{'plain loop':<12}{options.loop:>12}{loop:>10.3f}{options.loop / loop:>12.0f}{share:>8.3f}")
    print(f"{options.sims / ours / (options.loop / loop):.0f} times as fast")
    error = math.hypot(power.se, math.sqrt(share * (1 - share) / options.loop))
    if abs(power.value - share) > 3.5 * error:
        sys.exit("the two do not find the same power")
    if ours > LIMIT:
        sys.exit(f"{options.sims} simulations took more than {LIMIT} s")


if __name__ == "__main__":
    main()
