"""The authors' command. ``python -m designs scores`` writes docs/design_scores.md."""

from __future__ import annotations

import argparse
from pathlib import Path

from designs.scores import PAGE, notebooks, page

ROOT = Path(__file__).resolve().parents[1]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m designs", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("scores", help=f"write {PAGE}")
    parser.parse_args()
    (ROOT / PAGE).write_text(page(notebooks(ROOT / "source")), encoding="utf-8")
    print(f"wrote {PAGE}")


if __name__ == "__main__":
    main()
