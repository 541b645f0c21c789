"""Right answers that look odd: honest work that must not be refused."""

from __future__ import annotations

import copy

from hostile.cases import FIRST, SECOND, WRONG, Work, case


@case(38, verdict="ok")
def warns_on_stderr(work: Work) -> None:
    """Warns, logs and writes to stderr, in its cell and whenever it is called."""
    work.right(
        after="""
        import logging, sys, warnings
        _quiet = attention

        def attention(q, k, v, mask=None):
            warnings.warn("attention is slow", stacklevel=1)
            logging.warning("called")
            print("called", file=sys.stderr)
            with np.errstate(all="warn"):
                np.divide(1.0, np.zeros(1))
            return _quiet(q, k, v, mask)

        print("ready", file=sys.stderr)
        warnings.warn("ready", stacklevel=1)
        """
    )


@case(28, verdict="ok", notes=("more than once",))
def copied_answer_cell(work: Work) -> None:
    """An answer cell stands there twice, as after copy and paste: first a wrong one, then the right one."""
    work.right()
    right = work.cell(FIRST)
    copied = copy.deepcopy(right) | {"id": "pasted"}
    right["source"] = WRONG[FIRST]
    work.cells.insert(work.cells.index(right) + 1, copied)


@case(28, verdict="ok")
def copied_notebook(work: Work) -> None:
    """The whole notebook stands there twice; the answers are right in the second copy."""
    work.right()
    twice = copy.deepcopy(work.cells)
    for number, cell in enumerate(twice):
        cell["id"] = f"copy{number}"
    for grade_id, source in WRONG.items():
        work.cell(grade_id)["source"] = source
    work.cells.extend(twice)


@case(26, verdict="ok", notes=("were put back",))
def without_tests(work: Work) -> None:
    """The tests were deleted, hidden and provided ones."""
    work.right()
    for cell in [*work.tests(), work.cell("provided-tests"), work.cell("provided-tests-heads")]:
        work.cells.remove(cell)


@case(29, verdict="ok", notes=("was missing",))
def renamed_answer_cells(work: Work) -> None:
    """The answer cells were renamed."""
    work.right()
    for grade_id in (FIRST, SECOND):
        work.cell(grade_id)["metadata"]["nbgrader"]["grade_id"] += "-mine"


@case(27, 29, verdict="ok")
def without_metadata(work: Work) -> None:
    """A tool has taken the metadata from all cells."""
    work.right()
    for cell in work.cells:
        cell["metadata"] = {}


@case(27, verdict="ok")
def unlocked_by_mistake(work: Work) -> None:
    """All cells lost their lock, and the tests their points."""
    work.right()
    for cell in work.cells:
        cell["metadata"]["nbgrader"] |= {"locked": False}
        cell["metadata"]["nbgrader"].pop("points", None)


@case(25, verdict="ok")
def answer_as_markdown(work: Work) -> None:
    """An answer cell was turned into a markdown cell by a wrong key."""
    work.right()
    cell = work.cell(SECOND)
    cell["cell_type"] = "markdown"
    del cell["outputs"], cell["execution_count"]


@case(25, verdict="ok")
def debugged_tests(work: Work) -> None:
    """The provided tests were changed while debugging, and do not run."""
    work.right()
    work.cell("provided-tests")["source"] = "attention(\n"


@case(28, verdict="ok")
def answer_in_own_cells(work: Work) -> None:
    """The functions are defined in cells of the learner's own, and the answer cells are empty."""
    work.right()
    for grade_id in (FIRST, SECOND):
        work.insert(work.cell(grade_id)["source"], before=grade_id)
        work.cell(grade_id)["source"] = ""


@case(44, verdict="ok")
def names_of_the_tests(work: Work) -> None:
    """Helpers that are called like things in the hidden tests: FORMULA, rng, due, torch_attention."""
    work.right(
        after="""
        _right = attention
        FORMULA, due, rng, s = 3, 4, 5, 6

        def torch_attention(q, k, v, mask):
            assert FORMULA == 3 and due == 4 and rng == 5 and s == 6
            return _right(q, k, v, mask)

        def as_one(x):
            return x

        def attention(q, k, v, mask=None):
            return as_one(torch_attention(q, k, v, mask))
        """
    )
    work.cell(SECOND)["source"] += "\n\nchecks = draw_lookup = draw_rotation = None"


@case(42, verdict="ok")
def fullwidth_names(work: Work) -> None:
    """The functions are defined under full-width letters, which Python reads as the plain ones."""
    work.right()
    cell = work.cell(FIRST)
    cell["source"] = cell["source"].replace("def attention", "def \uff41ttention")


@case(42, verdict="ok")
def composed_and_decomposed(work: Work) -> None:
    """A helper is defined with a composed letter in its name and called with a decomposed one."""
    work.right(
        after="d\u00e9j\u00e0 = attention\n\ndef attention(*args):\n    return de\u0301ja\u0300(*args)"
    )


@case(38, verdict="ok")
def magics(work: Work) -> None:
    """Cells with magics and shell commands."""
    work.right()
    work.insert("%matplotlib inline\n%load_ext autoreload\n%autoreload 2\n!echo hello", before=FIRST)
    cell = work.cell(SECOND)
    cell["source"] = "%%time\n" + cell["source"]


@case(38, verdict="ok")
def failing_cells(work: Work) -> None:
    """Cells of the learner's own that fail: an exception, bad syntax, a call of input, an import of torch."""
    work.right()
    for source in (
        "1 / 0",
        "def broken(:",
        "name = input('your name? ')",
        "import torch",
        "raise SystemExit",
    ):
        work.insert(source, before=FIRST)


@case(38, verdict="ok")
def plots(work: Work) -> None:
    """Cells that draw, show and display."""
    work.right()
    work.insert(
        "import matplotlib.pyplot as plt\nplt.plot(np.arange(3))\nplt.show()\n"
        "from IPython.display import HTML, display\ndisplay(HTML('<b>bold</b>'))",
        before=SECOND,
    )


@case(43, verdict={"edges": "wrong value"})
def changes_its_inputs(work: Work) -> None:
    """Right results, but the queries are scaled in place."""
    work.right(
        after="""
        _right = attention

        def attention(q, k, v, mask=None):
            out = _right(q, k, v, mask)
            q *= 2.0
            return out
        """
    )


@case(41, verdict="ok")
def seeds_and_pools(work: Work) -> None:
    """Seeds the generators, changes NumPy's settings and computes in a pool of threads."""
    work.right(
        after="""
        import random
        from concurrent.futures import ThreadPoolExecutor
        np.random.seed(0)
        random.seed(0)
        np.set_printoptions(precision=2)
        _pool, _plain = ThreadPoolExecutor(2), attention

        def attention(q, k, v, mask=None):
            return _pool.submit(_plain, q, k, v, mask).result()

        attention(np.ones((2, 2)), np.ones((2, 2)), np.ones((2, 2)))
        """
    )
