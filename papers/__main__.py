"""The authors' command.

``python -m papers render [SLUG ...] [--form N]`` writes a form into the source notebooks;
``python -m papers scores`` writes docs/critique_scores.md.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from papers import SLUGS
from papers.notebook import form, path_of, rendered
from papers.scores import PAGE, notebooks, page

ROOT = Path(__file__).resolve().parents[1]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m papers", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    render = commands.add_parser("render", help="write a form into the source notebooks")
    render.add_argument("slugs", nargs="*", default=SLUGS, help="the papers; all unless given")
    render.add_argument("--form", type=int, default=0, help="the number of the form (0)")
    commands.add_parser("scores", help=f"write {PAGE}")
    asked = parser.parse_args()
    if asked.command == "scores":
        (ROOT / PAGE).write_text(page(notebooks(ROOT / "source")), encoding="utf-8")
        print(f"wrote {PAGE}")
        return
    for slug in asked.slugs:
        path = path_of(ROOT, slug)
        made = form(slug, asked.form)
        path.write_text(rendered(path.read_text(encoding="utf-8"), made), encoding="utf-8")
        print(f"{path.relative_to(ROOT)}: form {made.number}, {made.title!r}")


if __name__ == "__main__":
    main()
