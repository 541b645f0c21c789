"""What the browser tests hand around: a course, and the JupyterLab that serves it."""

import subprocess
import sys
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
