"""What the browser tests hand around: a course, and the JupyterLab that serves it."""

import re
import signal
import socket
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar


@dataclass
class Course:
    """A copy of the course with a learner who has a home, so that nobody's own files are read or written."""

    learner: ClassVar[str] = "learner"
    root: Path
    environment: dict[str, str] = field(repr=False)

    def run(self, *command: str) -> None:
        """Run a command of this environment in the course's folder; it must succeed."""
        self.output(*command)

    def output(self, *command: str) -> str:
        """What such a command prints."""
        done = subprocess.run(
            [sys.executable, "-m", *command],
            cwd=self.root,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}"
        return done.stdout


@dataclass(frozen=True)
class Lab:
    """A running JupyterLab: the address that it printed."""

    url: str

    @property
    def base(self) -> str:
        return self.url.split("/lab/")[0]

    @property
    def token(self) -> str:
        return self.url.split("token=")[1]


class Server:
    """JupyterLab over a course, as ``make study`` serves it. It can be killed, and started anew."""

    def __init__(self, course: Course) -> None:
        self._course = course
        self._process: subprocess.Popen[str] | None = None
        self._said: list[str] = []

    def start(self) -> Lab:
        """Serve on a free port; the address, once it answers."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        process = self._process = subprocess.Popen(
            [sys.executable, "-m", "fourrounds", "study"],
            cwd=self._course.root,
            env=self._course.environment | {"PORT": str(port)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        said = self._said = []
        assert process.stdout is not None
        # A server that never says its address is stopped, and then what it said is the failure's text.
        watchdog = threading.Timer(60, process.kill)
        watchdog.start()
        try:
            for line in process.stdout:
                said.append(line)
                if found := re.fullmatch(r"Four Rounds is at (http://\S+)\n", line):
                    break
            else:
                raise AssertionError(f"JupyterLab did not start:\n{''.join(said)}")
        finally:
            watchdog.cancel()
        # What the server says later must not fill the pipe.
        threading.Thread(target=lambda: said.extend(process.stdout or ()), daemon=True).start()
        assert f":{port}/" in found[1]
        return Lab(found[1])

    def stop(self) -> None:
        """Stop it as Ctrl-C does; it must end well."""
        assert self._process is not None
        self._process.send_signal(signal.SIGINT)
        assert self._process.wait(timeout=30) == 0, "".join(self._said)

    def kill(self) -> None:
        """SIGKILL: nothing is tidied up."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
