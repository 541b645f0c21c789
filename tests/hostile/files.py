"""Files that are no notebook, that are somewhere else, or that stand beside one."""

from __future__ import annotations

import json
import os

from hostile.cases import FIRST, Work, case


@case(30, verdict="format")
def invalid_json(work: Work) -> None:
    """A right notebook that was cut off in the middle."""
    work.right()
    text = json.dumps(work.notebook)
    work.path.write_text(text[: len(text) // 2])


@case(30, verdict="format")
def empty_file(work: Work) -> None:
    """A file of no bytes."""
    work.path.write_bytes(b"")


@case(30, verdict="format")
def binary_file(work: Work) -> None:
    """A megabyte of noise."""
    work.path.write_bytes(os.urandom(2**20))


@case(30, verdict="format")
def json_but_no_notebook(work: Work) -> None:
    """Valid JSON that is a list."""
    work.path.write_text("[1, 2, 3]")


@case(30, verdict="format")
def cells_are_no_list(work: Work) -> None:
    """A notebook whose cells are a number."""
    work.notebook["cells"] = 4


@case(30, verdict="format")
def deeply_nested_json(work: Work) -> None:
    """Lists nested 100,000 deep where the metadata should be."""
    work.right()
    text = json.dumps(work.notebook)
    deep = "[" * 100_000 + "]" * 100_000
    work.path.write_text(text.replace('"metadata": {', f'"metadata": {{"deep": {deep},', 1))


@case(30, verdict="format", stock="it would take minutes")
def notebook_of_200_mb(work: Work) -> None:
    """A right notebook with 200 MB of spaces behind it."""
    work.right()
    with open(work.path, "w") as file:
        file.write(json.dumps(work.notebook))
        for _ in range(200):
            file.write(" " * 2**20)


@case(30, verdict="format")
def sparse_notebook(work: Work) -> None:
    """A file of 3 GB that takes no room on the disk."""
    with open(work.path, "wb") as file:
        file.truncate(3 * 2**30)


@case(30, verdict="format")
def too_many_cells(work: Work) -> None:
    """A notebook of 20,000 cells."""
    work.right()
    for number in range(20_000):
        work.cells.append({"cell_type": "markdown", "id": f"m{number}", "metadata": {}, "source": "x"})


@case(30, verdict="not attempted")
def no_notebook(work: Work) -> None:
    """A folder with a text file in it and no notebook."""
    (work.folder / "answer.txt").write_text("I forgot.")
    work.keep = False


@case(34, verdict="not attempted")
def notebook_under_another_name(work: Work) -> None:
    """A right notebook under names that are almost the right one."""
    work.right()
    work.keep = False
    for name in ("Attention.ipynb", "attention (1).ipynb", "attention.ipynb.txt", "..attention.ipynb"):
        (work.folder / name).write_text(json.dumps(work.notebook))


@case(30, verdict="format")
def folder_as_notebook(work: Work) -> None:
    """A folder called attention.ipynb."""
    work.path.mkdir()


@case(30, verdict="format", stock="it would wait for ever")
def pipe_as_notebook(work: Work) -> None:
    """A named pipe called attention.ipynb, into which nobody writes."""
    os.mkfifo(work.path)


@case(33, verdict="format")
def link_to_source(work: Work) -> None:
    """The notebook is a link to the source notebook."""
    work.path.symlink_to("../../../source/round1_implement/attention.ipynb")


@case(33, verdict="format")
def link_to_neighbour(work: Work) -> None:
    """The notebook is a link to another student's."""
    work.path.symlink_to("../../solution/round1_implement/attention.ipynb")


@case(33, verdict="format")
def dangling_link(work: Work) -> None:
    """The notebook is a link to a file that does not exist."""
    work.path.symlink_to("/nonexistent/attention.ipynb")


@case(33, verdict="format")
def link_to_itself(work: Work) -> None:
    """The notebook is a link to itself."""
    work.path.symlink_to("attention.ipynb")


@case(33, verdict="format|not attempted")
def linked_folder(work: Work) -> None:
    """The whole assignment folder is a link to the source folder."""
    work.folder.rmdir()
    work.folder.symlink_to("../../source/round1_implement", target_is_directory=True)


@case(33, verdict="ok")
def linked_files_beside(work: Work) -> None:
    """A right answer, beside links to the gradebook, to /etc/passwd and into the source folder."""
    work.right()
    (work.folder / "data.csv").symlink_to("/etc/passwd")
    (work.folder / "book.db").symlink_to("../../../gradebook.db")
    (work.folder / "more").symlink_to("../../../source", target_is_directory=True)
    (work.folder / "loop").symlink_to(".", target_is_directory=True)


@case(46, verdict="ok")
def timestamp_of_rubbish(work: Work) -> None:
    """A right answer whose timestamp.txt is no time."""
    work.right()
    (work.folder / "timestamp.txt").write_text("yesterday, honestly\n" * 10_000)


@case(46, verdict="ok")
def timestamp_as_link(work: Work) -> None:
    """A right answer whose timestamp.txt is a link to a file of the system."""
    work.right()
    (work.folder / "timestamp.txt").symlink_to("/etc/passwd")


@case(46, verdict="ok")
def timestamp_as_folder(work: Work) -> None:
    """A right answer whose timestamp.txt is a folder."""
    work.right()
    (work.folder / "timestamp.txt").mkdir()


@case(46, verdict="ok")
def timestamp_far_away(work: Work) -> None:
    """A right answer that says it was handed in in the year 9999."""
    work.right()
    (work.folder / "timestamp.txt").write_text("9999-12-31 23:59:59.999999 UTC")


@case(34, verdict="ok")
def odd_files_beside(work: Work) -> None:
    """A right answer, beside files with odd names and a second notebook."""
    work.right()
    for name in ("-rf", "a\nb", "*", "gradebook.db", "attention.ipynb~", ".attention.ipynb.swp"):
        (work.folder / name).write_text("x")
    (work.folder / "other.ipynb").write_text(json.dumps(work.notebook))


@case(34, verdict="ok", student="Zoë O'Brien & <b>co")
def odd_student_name(work: Work) -> None:
    """A right answer by a student whose id has a quote, spaces and a tag in it."""
    work.right()


@case(30, verdict="ok")
def future_format(work: Work) -> None:
    """A right answer in a notebook that says it is of nbformat 4.99."""
    work.right()
    work.notebook["nbformat_minor"] = 99


@case(30, verdict="ok")
def nbformat_3(work: Work) -> None:
    """A right answer in a notebook that was saved as nbformat 3."""
    work.right()
    cells = []
    for cell in work.cells:
        old = {"cell_type": cell["cell_type"], "metadata": cell["metadata"]}
        if cell["cell_type"] == "code":
            old |= {"input": cell["source"], "language": "python", "outputs": [], "collapsed": False}
        else:
            old["source"] = cell["source"]
        cells.append(old)
    sheets = [{"cells": cells, "metadata": {}}]
    work.notebook = {"metadata": {"name": ""}, "nbformat": 3, "nbformat_minor": 0, "worksheets": sheets}
    work.path.write_text(json.dumps(work.notebook))


@case(30, verdict="ok")
def odd_metadata(work: Work) -> None:
    """A right answer among cells and metadata of every wrong type."""
    work.right()
    work.notebook["metadata"] = {"kernelspec": {"name": "no-such-kernel", "display_name": 4}}
    work.cells[:0] = [
        {"cell_type": "code"},
        {"cell_type": "raw", "metadata": None, "source": None},
        {"cell_type": "code", "metadata": [], "source": {"a": 1}, "outputs": 3},
        {"cell_type": "markdown", "metadata": {"nbgrader": "x"}, "source": [1, "text", None]},
        {"cell_type": "code", "metadata": {"nbgrader": {"grade_id": ["x"]}}, "source": "pass"},
        {"cell_type": 7, "metadata": {"nbgrader": {"grade_id": 7}}, "source": "raise SystemExit"},
        {
            "cell_type": "markdown",
            "metadata": {},
            "source": "x",
            "attachments": {"a": 3, "b": {"image/png": 4}},
        },
    ]


@case(30, verdict="ok")
def bytes_that_are_no_text(work: Work) -> None:
    """A right answer beside cells with lone surrogates and NUL characters, which it also prints."""
    work.right(after="print('\\ud800 and \\x00')")
    work.insert("# \ud800 \u0000 \ufffe\nprint(1)", before=FIRST)
    work.insert("\ud800 \u0000 text", before=FIRST, cell_type="markdown")


@case(30, verdict="ok")
def large_outputs(work: Work) -> None:
    """A right answer saved with 20 MB of outputs."""
    work.right()
    work.cell(FIRST)["outputs"] = [{"output_type": "stream", "name": "stdout", "text": "x" * 20_000_000}]


@case(30, verdict="ok")
def byte_order_mark(work: Work) -> None:
    """A right answer saved by an editor that puts a byte order mark in front."""
    work.right()
    work.path.write_bytes(b"\xef\xbb\xbf" + json.dumps(work.notebook).encode())
