"""Says on stderr what is going on while the learner waits."""

from __future__ import annotations

import sys
import threading
from types import TracebackType
from typing import Any

FIRST_LINE_AFTER = 1.0
NEXT_LINES_AFTER = 3.0


class Waiting:
    """A spinner with the present step and the seconds so far; plain lines where stderr is no terminal.

    Plain lines come only when something takes longer than a second, and then few.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._bar: Any = None
        self._done = threading.Event()
        self._thread: threading.Thread | None = None

    def say(self, text: str) -> None:
        """What happens now."""
        self._text = text
        if self._bar is not None:
            self._bar.update(self._task, description=text)

    def __enter__(self) -> Waiting:
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

            # The text comes from problems' files, so it is not read as rich's markup.
            columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
            self._bar = Progress(*columns, console=Console(stderr=True), transient=True)
            self._task = self._bar.add_task(self._text, total=None)
            self._bar.start()
        else:
            self._thread = threading.Thread(target=self._lines, daemon=True)
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()
        self._done.set()
        if self._thread is not None:
            self._thread.join()

    def _lines(self) -> None:
        shown = None
        pause = FIRST_LINE_AFTER
        while not self._done.wait(pause):
            if self._text != shown:
                shown = self._text
                print(f"{shown} ...", file=sys.stderr, flush=True)
            pause = NEXT_LINES_AFTER
