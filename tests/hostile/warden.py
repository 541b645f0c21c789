"""Runs a command, and says on its last line of output how it ended and which processes it has left behind.

``python warden.py SECONDS COMMAND...``: on Linux every orphan below this process becomes its child, however
it was detached. A command that takes longer is ended, with the status "too slow".
"""

import contextlib
import ctypes
import json
import subprocess
import sys
import time

import psutil

PR_SET_CHILD_SUBREAPER = 36
PATIENCE = 2.0


def left_behind() -> list[str]:
    """The command lines of the processes below this one that do not go away; they are ended."""
    end = time.monotonic() + PATIENCE
    alive: list[psutil.Process] = []
    while time.monotonic() < end:
        children = psutil.Process().children(recursive=True)
        alive = [child for child in children if child.status() != psutil.STATUS_ZOMBIE]
        if not alive:
            return []
        time.sleep(0.05)
    lines = []
    for process in alive:
        with contextlib.suppress(psutil.Error):
            lines.append(" ".join(process.cmdline())[:500] or process.name())
            process.kill()
    return lines


if __name__ == "__main__":
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    seconds, *command = sys.argv[1:]
    status: int | str
    with subprocess.Popen(command) as process:
        try:
            status = process.wait(float(seconds))
        except subprocess.TimeoutExpired:
            status = "too slow"
            process.kill()
    print(json.dumps({"status": status, "left": left_behind()}), flush=True)
