"""Student versions: what nbgrader's own generate_assignment makes of a folder of source notebooks."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path

from nbgrader.converters import GenerateAssignment
from nbgrader.coursedir import CourseDirectory
from nbgrader.utils import capture_log
from traitlets.config import Config

from fourrounds.course.errors import CourseError
from fourrounds.course.files import visible_files
from fourrounds.examiner.plugins import configure


def release(source: Path, slugs: Iterable[str]) -> dict[Path, bytes]:
    """What the assignment's release folder should hold: relative path to content.

    ``source`` is the assignment's folder in source/; of its notebooks only ``slugs`` are released, and of
    its other files all. nbgrader works in a scratch folder without a gradebook, because with one it deletes
    release/ where a problem was added after work has come in.
    """
    with tempfile.TemporaryDirectory(prefix="fourrounds-release-") as scratch:
        root = Path(scratch)
        for slug in slugs:
            _copy(source / f"{slug}.ipynb", root / "source" / source.name)
        for other in visible_files(source):
            if other.suffix != ".ipynb":
                _refuse_key(source / other)
                _copy(source / other, (root / "source" / source.name / other).parent)
        _generate(root, source.name)
        made = root / "release" / source.name
        return {path: (made / path).read_bytes() for path in sorted(visible_files(made))}


def _refuse_key(file: Path) -> None:
    """nbgrader gives every file beside the notebooks to the students, and jupytext's holds the answers."""
    if any(marker in file.read_bytes() for marker in (b"BEGIN SOLUTION", b"BEGIN HIDDEN TESTS")):
        raise CourseError(
            f"{file.parent.name}/{file.name} holds answers or hidden tests, and would be released: "
            "delete it, or move it out of source/"
        )


def _copy(file: Path, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(file, folder / file.name)


def _generate(root: Path, assignment: str) -> None:
    config = Config()
    configure(config)
    config.CourseDirectory.root = str(root)
    config.CourseDirectory.assignment_id = assignment
    # The two settings of nbgrader's own --no-db.
    config.GenerateAssignment.no_database = True
    config.SaveCells.enabled = False
    converter = GenerateAssignment(coursedir=CourseDirectory(config=config), config=config)
    result = capture_log(converter)
    if not result["success"]:
        log = result.get("log", "") + result["error"]
        said = [line for line in log.splitlines() if "Error: " in line or line.startswith("[ERROR]")]
        raise CourseError(f"nbgrader does not release {assignment}: " + "\n".join(said or [log]))
