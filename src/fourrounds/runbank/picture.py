"""Figures in a notebook, with the words that stand for them where they cannot be seen."""

from __future__ import annotations

import base64
import html
import io
from typing import Any

CSS_DPI = 100
"""Pixels of the page to an inch of the figure. The picture has twice as many, for screens that show them."""


class Picture:
    """A PNG on a page, with its alternative text and the line below it.

    ``png`` is the file, ``width`` what it takes on the page in CSS pixels.
    """

    def __init__(self, png: bytes, width: int, alt: str, caption: str = "") -> None:
        self.png, self.width, self.alt, self.caption = png, width, alt, caption

    def _repr_html_(self) -> str:
        data = base64.b64encode(self.png).decode("ascii")
        below = f"<figcaption>{html.escape(self.caption)}</figcaption>" if self.caption else ""
        return (
            f'<figure style="margin: 0"><img src="data:image/png;base64,{data}" width="{self.width}" '
            f'alt="{html.escape(self.alt)}" style="max-width: 100%; height: auto">{below}</figure>'
        )

    def __repr__(self) -> str:
        return " ".join(filter(None, (f"[{self.alt}]", self.caption)))


def show(fig: Any, alt: str, caption: str = "") -> None:
    """Display a matplotlib figure on the page, on white in any theme, and close it.

    ``alt`` says what the figure shows to a reader who cannot see it: its axes, and what is to be concluded.
    ``caption`` stands below it, such as how many runs are behind it. Raises ``ValueError`` without ``alt``.
    """
    # Matplotlib takes a while to import, and most that read the bank draw nothing.
    from IPython.display import display
    from matplotlib import pyplot as plt

    if not alt.strip():
        raise ValueError("a figure needs a text for readers who cannot see it: show(fig, alt)")
    file = io.BytesIO()
    # Without the version of matplotlib in the file, equal figures are equal bytes.
    fig.savefig(file, format="png", dpi=2 * CSS_DPI, facecolor="white", metadata={"Software": None})
    plt.close(fig)
    display(Picture(file.getvalue(), round(CSS_DPI * fig.get_figwidth()), alt, caption))
