"""The authors' command. ``python -m proposals scores`` writes docs/proposal_scores.md."""

from __future__ import annotations

import argparse
from pathlib import Path

from proposals.scores import PAGE, page, rows, sections

ROOT = Path(__file__).resolve().parents[1]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m proposals", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("scores", help=f"write {PAGE}")
    parser.parse_args()
    problems = sections(ROOT / "source")
    (ROOT / PAGE).write_text(page({problem: rows(problem) for problem in problems}), encoding="utf-8")
    print(f"wrote {PAGE}")


if __name__ == "__main__":
    main()
