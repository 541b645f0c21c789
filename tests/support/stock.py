"""Courses for nbgrader as it comes, without this project's configuration."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from nbgrader.converters import GenerateAssignment
from nbgrader.coursedir import CourseDirectory
from nbgrader.utils import capture_log
from traitlets.config import Config

from fourrounds.examiner.problem import AUTHOR_ROLES


def stock_course(root: Path, source: Path, *, author_cells: bool = False) -> Path:
    """Make a course at ``root`` from an assignment's folder in source/, and return its source folder.

    The cells that only the author sees are left out, unless ``author_cells``.
    """
    folder = root / "source" / source.name
    folder.mkdir(parents=True)
    for path in sorted(source.iterdir()):
        if path.suffix != ".ipynb":
            if path.is_file():
                shutil.copy(path, folder)
            continue
        notebook = json.loads(path.read_text(encoding="utf-8"))
        notebook["cells"] = [
            cell
            for cell in notebook["cells"]
            if author_cells or cell["metadata"]["fourrounds"]["role"] not in AUTHOR_ROLES
        ]
        text = json.dumps(notebook, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
        (folder / path.name).write_text(text, encoding="utf-8", newline="\n")
    return folder


def stock_release(root: Path, assignment: str) -> Path:
    """Run stock nbgrader's generate_assignment in the course at ``root`` and return the release folder.

    ``RuntimeError`` with nbgrader's log if it refuses.
    """
    config = Config()
    config.CourseDirectory.root = str(root)
    config.CourseDirectory.assignment_id = assignment
    converter = GenerateAssignment(coursedir=CourseDirectory(config=config), config=config)
    result = capture_log(converter)
    if not result["success"]:
        raise RuntimeError(result.get("log", "") + result["error"])
    return root / "release" / assignment
