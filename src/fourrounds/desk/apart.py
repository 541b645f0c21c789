"""Run a command of this package in a process of its own: nothing in a kernel has a part in a verdict."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence

from fourrounds.desk.errors import DeskError
from fourrounds.examiner.layout import Layout


def run_apart(layout: Layout, arguments: Sequence[str], say: Callable[[str], None]) -> tuple[str, str]:
    """What ``fourrounds ARGUMENTS`` printed, and what it warned of; ``say`` is told each line of progress.

    The process has a session of its own: it goes on where the kernel is interrupted or killed. Raises
    :class:`DeskError` with its words if it could not do its work.
    """
    with subprocess.Popen(
        _command(arguments),
        env=_environment(layout),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        answer: list[str] = []
        reader = threading.Thread(target=lambda out=process.stdout: answer.append(out.read()))
        reader.start()
        said = []
        for line in process.stderr:
            said.append(line)
            if _is_progress(line):
                say(line.rstrip("\n"))
        reader.join()
    if process.returncode != 0:
        raise DeskError("".join(said).strip() or f"Grading ended with the status {process.returncode}.")
    return answer[0], " ".join(line.strip() for line in said if not _is_progress(line))


def leave_to_itself(layout: Layout, arguments: Sequence[str]) -> subprocess.Popen[bytes]:
    """Start ``fourrounds ARGUMENTS`` in a process that nobody waits for; what it says goes nowhere."""
    nowhere = subprocess.DEVNULL
    return subprocess.Popen(
        _command(arguments),
        env=_environment(layout),
        stdin=nowhere,
        stdout=nowhere,
        stderr=nowhere,
        start_new_session=True,
    )


def _command(arguments: Sequence[str]) -> list[str]:
    # -P: a file of the learner's beside the notebook does not become a module of the examiner's.
    return [sys.executable, "-P", "-m", "fourrounds", *arguments]


def _environment(layout: Layout) -> dict[str, str]:
    return {**os.environ, "FOURROUNDS_ROOT": str(layout.root)}


def _is_progress(line: str) -> bool:
    return line.rstrip().endswith("...")
