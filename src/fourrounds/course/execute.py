"""Run a notebook once, so that its outputs are the same bytes each time."""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path

import nbformat
from ipykernel.kernelspec import RESOURCES, get_kernel_dict
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellControlSignal, CellExecutionError, DeadKernelError

from fourrounds.course.errors import CourseError

SEED = 0
CELL_SECONDS = 300
# In a function, so that no name of it helps a cell that forgot its own import.
SEEDING = f"""
def _fourrounds_seed():
    import atexit
    import contextlib
    import random
    import numpy
    from fourrounds.checks import seeded
    random.seed({SEED})
    numpy.random.seed({SEED})
    whole_run = contextlib.ExitStack()
    whole_run.enter_context(seeded({SEED}, "build"))
    atexit.register(whole_run.close)
_fourrounds_seed()
del _fourrounds_seed
"""
ADDRESS = re.compile(r"\bat 0x[0-9a-fA-F]{6,}")


class _ThisPython(KernelSpecManager):
    """Starts the interpreter that runs now: a kernel that the user installed as python3 may be another."""

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        return KernelSpec(resource_dir=RESOURCES, **get_kernel_dict())


def execute(notebook: nbformat.NotebookNode, name: str) -> None:
    """Run every code cell of ``notebook`` in a fresh kernel and folder, and keep clean outputs in it.

    ``CourseError`` names the cell that raises, warns, hangs, or shows something that differs on the next run.
    """
    with tempfile.TemporaryDirectory(prefix="fourrounds-run-") as scratch, tempfile.TemporaryFile() as log:
        folder = Path(scratch, "empty")
        folder.mkdir()
        notebook.cells.insert(0, nbformat.v4.new_code_cell(SEEDING))
        client = NotebookClient(
            notebook,
            km=AsyncKernelManager(kernel_spec_manager=_ThisPython()),
            timeout=CELL_SECONDS,
            record_timing=False,
            coalesce_streams=True,
            shutdown_kernel="immediate",
            resources={"metadata": {"path": str(folder)}},
        )
        try:
            # nbclient ends a kernel by itself only if it made the manager.
            with client.setup_kernel(env=_environment(Path(scratch)), stderr=log, cleanup_kc=True):
                client.execute_cell(notebook.cells[0], 0, store_history=False)
                for index, cell in enumerate(notebook.cells[1:], 1):
                    if cell.cell_type == "code":
                        _run(client, cell, index, name)
                        _check(cell, name)
        finally:
            del notebook.cells[0]


def _environment(scratch: Path) -> dict[str, str]:
    """The kernel's environment: none of the user's own start-up files and plot styles."""
    return {
        **os.environ,
        "IPYTHONDIR": str(scratch / "ipython"),
        "MATPLOTLIBRC": os.devnull,
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "PYTHONHASHSEED": str(SEED),
    }


def _run(client: NotebookClient, cell: nbformat.NotebookNode, index: int, name: str) -> None:
    try:
        client.execute_cell(cell, index)
    except CellExecutionError as error:
        raise CourseError(
            f"{name}, cell {cell.id}: the worked solution raises {error.ename}: {error.evalue}"
        ) from error
    except (CellControlSignal, DeadKernelError) as error:
        raise CourseError(f"{name}, cell {cell.id}: {str(error).strip().splitlines()[0]}") from error


def _check(cell: nbformat.NotebookNode, name: str) -> None:
    for output in cell.outputs:
        where = f"{name}, cell {cell.id}"
        if output.get("name") == "stderr":
            raise CourseError(
                f"{where} writes to stderr, which differs from machine to machine: {output.text.strip()}"
            )
        text = output.get("text") or output.get("data", {}).get("text/plain", "")
        if ADDRESS.search(text):
            raise CourseError(
                f"{where} shows a memory address, which differs on each run: "
                f"end its last line with a semicolon ({text.strip().splitlines()[0]})"
            )
