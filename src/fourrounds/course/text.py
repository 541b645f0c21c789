"""The text of a cell, as a reader is shown it."""

from __future__ import annotations

import re


def reveal(source: str) -> str:
    """An answer cell with its worked answer, without the markers."""
    return "\n".join(line for line in source.split("\n") if not re.search(r"(BEGIN|END) SOLUTION", line))


def fenced(code: str) -> str:
    """``code`` as a fenced block, with a fence longer than any run of backticks in it."""
    longest = max((len(run) for run in re.findall(r"`+", code)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}python\n{code}\n{fence}"
