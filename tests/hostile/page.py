"""A feedback page, as far as it matters whether something in it runs and what a reader sees."""

from __future__ import annotations

import re
from html.parser import HTMLParser

ACTIVE_TAGS = ("iframe", "object", "embed", "form", "base", "svg", "math")


class Page(HTMLParser):
    """``visible`` is the text of the page; ``active`` lists what could run or load something.

    Every hostile text holds the word "pwned": inside a script or a style it has become more than text.
    """

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.visible: list[str] = []
        self.active: list[str] = []
        self._within: str | None = None
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("script", "style"):
            self._within = tag
        if tag in ACTIVE_TAGS:
            self.active.append(tag)
        for name, value in attrs:
            plain = re.sub(r"[\x00-\x20]", "", value or "").lower()
            if name.startswith("on") or name == "srcdoc" or plain.startswith("javascript:"):
                self.active.append(f"<{tag} {name}={value!r}>")
            if tag == "meta" and "pwned" in plain:
                self.active.append(f"<meta {name}={value!r}>")

    def handle_endtag(self, tag: str) -> None:
        if tag == self._within:
            self._within = None

    def handle_data(self, data: str) -> None:
        if self._within is None:
            self.visible.append(data)
        elif "pwned" in data:
            self.active.append(f"<{self._within}> {data[:200]}")
