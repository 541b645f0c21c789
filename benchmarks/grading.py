"""How long one submission of each problem takes on a warm examiner.

    python benchmarks/grading.py [--runs 5] [SLUG ...]

For each problem: the median of several gradings of the worked solution, and the slowest of its faults, whose
names are looked for. The first grading, which imports PyTorch and starts the sandbox, is not counted.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path

from fourrounds.examiner.grading import Examiner
from fourrounds.examiner.layout import Layout, find_root
from fourrounds.examiner.problem import Problem
from fourrounds.examiner.submission import from_python


def seconds(examiner: Examiner, problem: Problem, answer: str) -> float:
    """Wall time of one grading, in seconds."""
    submission = from_python(problem, answer)
    begun = time.perf_counter()
    examiner.grade(problem, submission, seed=1)
    return time.perf_counter() - begun


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("slugs", nargs="*", metavar="SLUG")
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    layout = Layout(find_root(Path(__file__).parent))
    problems = [layout.problem(slug) for slug in options.slugs] or layout.problems()
    print(f"{'problem':<24}{'solution':>10}{'slowest fault':>16}")
    with Examiner() as examiner:
        for problem in problems:
            solution = problem.solution()
            seconds(examiner, problem, solution)
            median = statistics.median(seconds(examiner, problem, solution) for _ in range(options.runs))
            faults = {
                fault.name: seconds(examiner, problem, f"{solution}\n\n\n{fault.source}")
                for fault in problem.faults
            }
            slowest = max(faults, key=faults.__getitem__)
            print(f"{problem.slug:<24}{median:>8.2f} s{faults[slowest]:>14.2f} s  {slowest}", flush=True)


if __name__ == "__main__":
    main()
