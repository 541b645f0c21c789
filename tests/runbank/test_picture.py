"""Figures of the guide: what stands on the page."""

from __future__ import annotations

import base64
import io
import re
import struct
import xml.etree.ElementTree as ET
from typing import Any

import pytest
from matplotlib import pyplot as plt

from fourrounds.runbank.picture import Picture, show


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[Picture]:
    """What has been displayed."""
    made: list[Picture] = []
    monkeypatch.setattr("IPython.display.display", made.append)
    return made


def figure() -> Any:
    fig, ax = plt.subplots(figsize=(4, 2))
    ax.plot([0, 1], [0, 1])
    fig.set_facecolor("none")
    return fig


def page(picture: Picture) -> ET.Element:
    """The picture's HTML, parsed, so that what is not closed or quoted is seen."""
    return ET.fromstring(re.sub(r"(<img [^>]*)>", r"\1/>", picture._repr_html_()))


def test_the_page_has_the_figure_its_words_and_its_width(shown: list[Picture]) -> None:
    show(figure(), 'rises from "a" & b', "2 runs, < 3")
    (picture,) = shown
    img = page(picture).find("img")
    assert img is not None
    assert (img.get("alt"), img.get("width")) == ('rises from "a" & b', "400")
    assert page(picture).findtext("figcaption") == "2 runs, < 3"
    head, _, data = str(img.get("src")).partition(",")
    png = base64.b64decode(data, validate=True)
    assert head == "data:image/png;base64"
    assert png.startswith(b"\x89PNG")
    assert struct.unpack(">II", png[16:24]) == (800, 400)


def test_the_background_is_white_in_any_theme(shown: list[Picture]) -> None:
    show(figure(), "a line")
    corner = plt.imread(io.BytesIO(shown[0].png))[0, 0]
    assert corner.tolist() == [1, 1, 1, 1]


def test_the_figure_is_closed_so_that_it_is_not_shown_twice(shown: list[Picture]) -> None:
    before = plt.get_fignums()
    show(figure(), "a line")
    assert plt.get_fignums() == before


def test_without_a_caption_there_is_no_empty_line_below(shown: list[Picture]) -> None:
    show(figure(), "a line")
    assert page(shown[0]).find("figcaption") is None
    assert repr(shown[0]) == "[a line]"


def test_where_no_picture_can_be_seen_its_words_stand(capsys: pytest.CaptureFixture[str]) -> None:
    show(figure(), "a line that rises", "2 runs")
    assert capsys.readouterr().out == "[a line that rises] 2 runs\n"


@pytest.mark.parametrize("alt", ["", "  "])
def test_a_figure_without_words_is_refused(alt: str, shown: list[Picture]) -> None:
    fig = figure()
    with pytest.raises(ValueError, match="cannot see it"):
        show(fig, alt)
    plt.close(fig)
    assert shown == []


def test_equal_figures_are_equal_bytes(shown: list[Picture]) -> None:
    show(figure(), "a line")
    show(figure(), "a line")
    assert shown[0].png == shown[1].png
