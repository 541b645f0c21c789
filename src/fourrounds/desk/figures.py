"""The pictures of a learner's standing, as PNG with a text that says what they show.

They have no background of their own, and every colour is told apart from white and from JupyterLab's dark
grey, so that one picture fits either theme. Nothing is said by colour alone.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

from fourrounds.desk.catalogue import ROUNDS
from fourrounds.desk.standing import Readiness, Standing

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Each has a contrast of 3 or more to #ffffff and to #111111.
INK, BLUE, ORANGE = "#767676", "#2f7fc1", "#c7690a"
FAINT = (0.46, 0.46, 0.46, 0.35)
CSS_DPI = 100
"""Pixels of the page to an inch of the figure. The picture has twice as many, for screens that show them."""


@dataclass(frozen=True)
class Figure:
    """A picture: ``png`` is the file, ``width`` what it takes on the page in CSS pixels, ``alt`` its text."""

    png: bytes
    width: int
    alt: str

    def html(self) -> str:
        data = base64.b64encode(self.png).decode("ascii")
        return (
            f'<img src="data:image/png;base64,{data}" width="{self.width}" alt="{escape(self.alt)}" '
            'style="max-width:100%;height:auto">'
        )


def short(assignment: str) -> str:
    """``Round 1``"""
    return ROUNDS.get(assignment, assignment).partition(" · ")[0]


def all_of(standing: Standing) -> list[list[Figure]]:
    """The figures for which there is something to show, in columns: the tall one has a column of its own."""
    low = [coverage(standing)]
    if standing.calibration.guesses:
        low.append(calibration(standing))
    if standing.times:
        low.append(times(standing))
    tall = [readiness(standing)] if any(one.share is not None for one in standing.skills) else []
    return [low, tall] if tall else [low]


def coverage(standing: Standing) -> Figure:
    """How many problems of each round are passed and handed in."""
    rows = standing.coverage

    def draw(axes: Axes) -> None:
        from matplotlib.ticker import MaxNLocator

        places = range(len(rows))
        axes.barh(places, [one.problems for one in rows], color=FAINT, label="to be done")
        tried = [len(one.tried) for one in rows]
        axes.barh(places, tried, color="none", edgecolor=BLUE, hatch="////", linewidth=0, label="handed in")
        axes.barh(places, [len(one.passed) for one in rows], color=BLUE, label="passed")
        axes.set_yticks(places, [short(one.assignment) for one in rows])
        axes.invert_yaxis()
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_xlabel("problems")
        axes.legend(loc="upper center", bbox_to_anchor=(0.45, -0.22), ncols=3, frameon=False, labelcolor=INK)

    parts = [
        f"{short(one.assignment)}: {len(one.passed)} passed and {len(one.tried)} handed in of {one.problems}"
        for one in rows
    ]
    return drawn("Problems by round", draw, f"Bars by round. {'; '.join(parts)}.", 2.8)


def readiness(standing: Standing) -> Figure:
    """The share of points in each skill, as an interview would see it."""
    rows = _with_evidence_first(standing.skills)

    def draw(axes: Axes) -> None:
        for place, one in enumerate(rows):
            if one.share is None:
                axes.text(0.01, place, "no evidence", va="center", color=INK, fontsize=9, style="italic")
                continue
            axes.barh(place, one.share, color=BLUE, height=0.7)
            axes.text(1.02, place, f"{one.share:.0%}, n = {one.problems}", va="center", color=INK, fontsize=9)
        axes.set_yticks(range(len(rows)), [one.name for one in rows], fontsize=9)
        axes.set_ylim(len(rows) - 0.4, -0.6)
        axes.set_xlim(0, 1)
        axes.set_xticks([0, 0.5, 1], ["0%", "50%", "100%"])
        axes.axvline(0.8, color=INK, linestyle=":", linewidth=1)
        axes.set_xlabel("points at the first submission")

    known = [f"{one.name} {one.share:.0%} ({one.problems})" for one in rows if one.share is not None]
    unknown = [one.name for one in rows if one.share is None]
    alt = f"Readiness by skill, with the number of problems behind it: {', '.join(known)}."
    if unknown:
        alt += f" No evidence yet: {', '.join(unknown)}."
    return drawn("Readiness by skill", draw, alt, 0.9 + 0.26 * len(rows), 0.83)


def _with_evidence_first(rows: Sequence[Readiness]) -> list[Readiness]:
    """The weakest on top, and at the end what nothing is known of."""
    return sorted(rows, key=lambda one: (one.share is None, one.share or 0.0))


def calibration(standing: Standing) -> Figure:
    """Expected against actual points."""
    guesses = standing.calibration.guesses

    def draw(axes: Axes) -> None:
        axes.plot([0, 1], [0, 1], color=INK, linestyle=":", linewidth=1)
        axes.scatter([one.expected for one in guesses], [one.got for one in guesses], color=ORANGE, alpha=0.8)
        axes.text(0.03, 0.95, "better than expected", color=INK, fontsize=9, va="top")
        axes.text(0.97, 0.05, "worse than expected", color=INK, fontsize=9, ha="right")
        for setter in (axes.set_xlim, axes.set_ylim):
            setter(-0.03, 1.03)
        axes.set_xticks([0, 0.5, 1], ["0%", "50%", "100%"])
        axes.set_yticks([0, 0.5, 1], ["0%", "50%", "100%"])
        axes.set_xlabel("points expected")
        axes.set_ylabel("points got")

    pairs = ", ".join(f"{one.expected:.0%} and {one.got:.0%}" for one in guesses[-12:])
    last = "All of them" if len(guesses) <= 12 else "The last 12"
    alt = f"Points expected against points got. {standing.calibration.told()} {last}: {pairs}."
    return drawn("Calibration", draw, alt, 2.8)


def times(standing: Standing) -> Figure:
    """The minutes used, as a share of what the interview gives."""
    rows = standing.times

    def draw(axes: Axes) -> None:
        from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, date2num

        for name, marker, chosen in (
            ("in time", "o", [one for one in rows if one.in_time and not one.debrief]),
            ("over time", "^", [one for one in rows if not one.in_time and not one.debrief]),
            ("after the debrief", "x", [one for one in rows if one.debrief]),
        ):
            if chosen:
                colour = {"o": BLUE, "^": ORANGE, "x": INK}[marker]
                dates = date2num([one.at for one in chosen])
                shares = [one.minutes / one.allowed for one in chosen]
                axes.scatter(dates, shares, color=colour, marker=marker, label=name)
        axes.axhline(1, color=INK, linestyle=":", linewidth=1)
        axes.set_ylim(0, max(1.2, *(1.1 * one.minutes / one.allowed for one in rows)))
        axes.yaxis.set_major_formatter(lambda share, _: f"{share:.0%}")
        locator = AutoDateLocator(minticks=2, maxticks=5)
        axes.xaxis.set_major_locator(locator)
        axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))
        axes.set_ylabel("of the minutes given")
        axes.legend(loc="upper center", bbox_to_anchor=(0.45, -0.22), ncols=3, frameon=False, labelcolor=INK)

    parts = [f"{one.problem} {one.minutes:.0f} of {one.allowed:g}" for one in rows[-12:]]
    last = "" if len(rows) <= 12 else " The last 12:"
    inside = sum(one.in_time for one in rows)
    alt = f"Minutes used by date: {inside} of {len(rows)} in time.{last} {', '.join(parts)}."
    return drawn("Time used", draw, alt, 2.8)


def drawn(title: str, draw: Callable[[Axes], None], alt: str, height: float, right: float = 1.0) -> Figure:
    """A figure with one set of axes. It leaves pyplot and the learner's settings alone."""
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure as Sheet
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    with rc_context(_settings()):
        sheet = Sheet(figsize=(4.6, height), layout=ConstrainedLayoutEngine(rect=(0, 0, right, 1)))
        FigureCanvasAgg(sheet)
        axes = sheet.add_subplot()
        draw(axes)
        axes.set_title(title, loc="left", fontsize=11, fontweight="bold")
        file = io.BytesIO()
        # Without the version of matplotlib in the file, equal figures are equal bytes.
        sheet.savefig(file, format="png", dpi=2 * CSS_DPI, transparent=True, metadata={"Software": None})
    return Figure(file.getvalue(), round(CSS_DPI * 4.6), alt)


def _settings() -> dict[str, Any]:
    from matplotlib import rcParamsDefault

    known = {key: value for key, value in rcParamsDefault.items() if not key.startswith(("backend", "date."))}
    ink = dict.fromkeys(
        ("text.color", "axes.labelcolor", "xtick.color", "ytick.color", "axes.edgecolor"), INK
    )
    lines = {"axes.spines.top": False, "axes.spines.right": False, "font.size": 9, "hatch.linewidth": 1.0}
    return {**known, **ink, **lines}
