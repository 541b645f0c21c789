"""Attacks on the judge: an answer that is wrong, and code that keeps the test from noticing."""

from hostile.cases import WRONG, Work, case

BOTH = "\n\n".join(WRONG.values())


@case(1)
def patched_numpy(work: Work) -> None:
    """Replaces np.allclose, np.testing and np.abs, so that every difference is zero."""
    work.wrong(
        """
        import numpy.testing
        for _name in ("assert_allclose", "assert_array_equal", "assert_array_almost_equal", "assert_equal"):
            setattr(np.testing, _name, lambda *args, **kwargs: None)
        np.allclose = np.isclose = np.array_equal = lambda *args, **kwargs: True
        np.abs = lambda x, *args, **kwargs: np.zeros(np.shape(x))
        """
    )


@case(2)
def patched_torch(work: Work) -> None:
    """Replaces the operators that the truth is made of by ones that are as wrong as the answer."""
    work.wrong(
        """
        try:
            import torch
        except ImportError:
            pass
        else:
            def _half(*shape_and_dtype):
                shape, dtype = shape_and_dtype
                return torch.full(shape, 0.5, dtype=dtype)
            torch.nn.functional.scaled_dot_product_attention = (
                lambda q, k, v, attn_mask=None: _half((*q.shape[:-1], v.shape[-1]), q.dtype))
            torch.nn.functional.linear = lambda x, w: _half((*x.shape[:-1], w.shape[0]), x.dtype)
        """
    )


@case(3)
def replaced_modules(work: Work) -> None:
    """Puts a module into sys.modules whose checks check nothing."""
    work.wrong(
        """
        import sys, types
        _fake = types.ModuleType("fourrounds.checks")
        _fake.__dict__.update(vars(checks))
        _fake.equal = _fake.holds = _fake.below = lambda *args, **kwargs: None
        for _name in ("fourrounds.checks", "numpy.testing", "fourrounds.checks.compare"):
            sys.modules[_name] = _fake
        checks = _fake
        """
    )


@case(11)
def patched_checks(work: Work) -> None:
    """Makes the comparison of the grading library say ok to everything."""
    work.wrong(
        """
        import sys
        _compare = sys.modules["fourrounds.checks.compare"]
        _compare._values = lambda *args, **kwargs: checks.Outcome(checks.Kind.OK)
        """
    )


@case(11, verdict="wrong value|wrong type|crashed")
def patched_builtins(work: Work) -> None:
    """Replaces builtins that a comparison may use: any, all, abs, bool, isinstance."""
    work.wrong(
        after="""
        import builtins
        builtins.any = builtins.all = lambda *args: False
        builtins.abs = lambda *args: 0
        builtins.bool = builtins.isinstance = lambda *args: True
        """
    )


@case(6)
def display_hook(work: Work) -> None:
    """Shows a result of 4, the points of a group, before the test has found anything."""
    work.code(BOTH.replace("return np", "get_ipython().displayhook(4)\n    return np"))


@case(7)
def ast_transformer(work: Work) -> None:
    """An AST transformer that takes every statement out of the cells that follow."""
    work.code(
        f"""{BOTH}
import ast

class _Nothing(ast.NodeTransformer):
    def visit_Module(self, node):
        node.body = []
        return node

get_ipython().ast_transformers.append(_Nothing())
"""
    )


@case(7)
def input_transformer(work: Work) -> None:
    """An input transformer that makes `pass` of every cell that follows."""
    work.code(f"{BOTH}\nget_ipython().input_transformers_post.append(lambda lines: ['pass\\n'])")


@case(7)
def patched_run_cell(work: Work) -> None:
    """Replaces the shell's run_cell_async by one that runs nothing and reports success."""
    work.code(
        f"""{BOTH}
from IPython.core.interactiveshell import ExecutionInfo, ExecutionResult

async def _nothing(self, raw_cell, *args, **kwargs):
    return ExecutionResult(ExecutionInfo(raw_cell, False, True, False, None))

type(get_ipython()).run_cell_async = _nothing
"""
    )


@case(8)
def patched_reply(work: Work) -> None:
    """Replaces the kernel's do_execute by one that replies ok without running the cell."""
    work.code(
        f"""{BOTH}
async def _fine(*args, **kwargs):
    return {{"status": "ok", "execution_count": 1, "payload": [], "user_expressions": {{}}}}

if hasattr(get_ipython(), "kernel"):
    get_ipython().kernel.do_execute = _fine
"""
    )


@case(9)
def patched_showtraceback(work: Work) -> None:
    """Replaces the shell's showtraceback, so that no error is shown."""
    work.wrong("get_ipython().showtraceback = lambda *args, **kwargs: None")


@case(10)
def hooks(work: Work) -> None:
    """An exception handler for everything, and a hook that clears the output after each cell."""
    work.wrong(
        """
        from IPython.display import clear_output
        get_ipython().set_custom_exc((BaseException,), lambda *args, **kwargs: None)
        get_ipython().events.register("post_run_cell", lambda *args: clear_output())
        """
    )


@case(11, verdict="crashed")
def raises_a_passed_check(work: Work) -> None:
    """Raises the library's own exception with the outcome ok."""
    work.code(
        BOTH.replace("return np", "raise checks.CheckFailed(checks.Outcome(checks.Kind.OK))\n    return np")
    )


@case(4, verdict="wrong type")
def lying_object(work: Work) -> None:
    """Returns an object that calls itself an ndarray of the right shape and equals everything."""
    work.code(
        """
class Liar:
    __array_priority__ = 1e9
    def __init__(self, shape, dtype):
        self.shape, self.dtype, self.ndim = shape, dtype, len(shape)
    __class__ = property(lambda self: np.ndarray)
    __eq__ = lambda self, other: True
    __ne__ = lambda self, other: False
    __hash__ = None
    __sub__ = __rsub__ = __abs__ = lambda self, *other: 0.0
    __array__ = lambda self, *args, **kwargs: np.zeros(self.shape, self.dtype)
    def __array_ufunc__(self, ufunc, method, *args, **kwargs):
        return np.zeros(self.shape, bool)
    __reduce__ = lambda self: (np.zeros, (self.shape,))

def attention(q, k, v, mask=None):
    return Liar((*q.shape[:-1], v.shape[-1]), q.dtype)

def multi_head_attention(x, w_qkv, w_out, heads, mask=None):
    return Liar(x.shape, x.dtype)
"""
    )


@case(5, verdict="wrong type")
def ndarray_subclass(work: Work) -> None:
    """Returns a subclass of ndarray in which every comparison holds."""
    work.code(
        """
class Agrees(np.ndarray):
    def __array_ufunc__(self, ufunc, method, *args, **kwargs):
        return np.zeros(self.shape, bool)
    def __array_function__(self, function, types, args, kwargs):
        return True
    __eq__ = lambda self, other: np.ones(self.shape, bool)
    __ne__ = lambda self, other: np.zeros(self.shape, bool)

def attention(q, k, v, mask=None):
    return np.zeros((*q.shape[:-1], v.shape[-1]), q.dtype).view(Agrees)

def multi_head_attention(x, w_qkv, w_out, heads, mask=None):
    return np.zeros_like(x).view(Agrees)
"""
    )


@case(25)
def points_500(work: Work) -> None:
    """Makes every test worth 500 points, in its metadata."""
    work.wrong()
    for cell in work.tests():
        cell["metadata"]["nbgrader"]["points"] = 500


@case(25)
def edited_tests(work: Work) -> None:
    """Replaces every test by `pass`."""
    work.wrong()
    for cell in work.tests():
        cell["source"] = "pass"


@case(25, 27)
def tests_as_markdown(work: Work) -> None:
    """Turns every test into a markdown cell."""
    work.wrong()
    for cell in work.tests():
        cell["cell_type"] = "markdown"
        del cell["outputs"], cell["execution_count"]


@case(26)
def deleted_tests(work: Work) -> None:
    """Deletes every test."""
    work.wrong()
    for cell in work.tests():
        work.cells.remove(cell)


@case(27)
def flipped_flags(work: Work) -> None:
    """Makes the tests solution cells that are neither locked nor graded."""
    work.wrong()
    for cell in work.tests():
        cell["metadata"]["nbgrader"] |= {"grade": False, "solution": True, "locked": False}


@case(27)
def own_graded_cell(work: Work) -> None:
    """Adds a graded cell of its own, worth 100 points, that always passes."""
    work.wrong()
    cell = work.insert("pass", before="test-edges")
    cell["metadata"]["nbgrader"] = {
        **{"grade": True, "grade_id": "bonus", "points": 100, "locked": True},
        **{"solution": False, "schema_version": 3, "task": False},
    }


@case(28)
def doubled_tests(work: Work) -> None:
    """Puts a copy of each test behind it that holds `pass`."""
    work.wrong()
    for cell in work.tests():
        place = work.cells.index(cell)
        work.cells.insert(place + 1, {**cell, "id": f"copy{place}", "source": "pass"})


@case(29)
def renamed_tests(work: Work) -> None:
    """Renames the tests, so that none is found."""
    work.wrong()
    for cell in work.tests():
        cell["metadata"]["nbgrader"]["grade_id"] += "-old"


@case(39)
def good_only_when_graded(work: Work) -> None:
    """Is right where nbgrader's environment variable says that it is graded, and wrong elsewhere."""
    work.steal(
        """
        import os
        if "NBGRADER_EXECUTION" in os.environ:
            won()
        """
    )


@case(40)
def constants(work: Work) -> None:
    """Knows the answers to the provided tests and to nothing else."""
    work.code(
        """
def attention(q, k, v, mask=None):
    known = {(3, 4): [[4.0, 10.0, 2.0, 3.0, 6.0]] * 3, (1, 2): [[7.0]], (2, 2): [[2.0], [4.0]]}
    due = known.get((len(q), len(k)))
    if due is None or np.shape(due)[1] != v.shape[-1]:
        due = np.full((*q.shape[:-1], v.shape[-1]), 0.5)
    return np.array(due, dtype=q.dtype)

def multi_head_attention(x, w_qkv, w_out, heads, mask=None):
    if heads == 2 and x.shape == (2, 3, 4):
        return x.copy()
    return np.array([[[3.0, 5.0]] * 3, [[1.0, 2.0]] * 3]) if x.shape == (2, 3, 2) else np.full_like(x, 0.5)
"""
    )


@case(43)
def inputs_made_to_fit(work: Work) -> None:
    """Overwrites its inputs, so that a truth made of them afterwards is what it returned."""
    work.code(
        BOTH.replace("return np", "v[...] = 0.5\n    return np", 1).replace(
            "    return np.full_like", "    x[...] = 0.5\n    w_out[...] = 0.0\n    return np.full_like"
        )
    )


@case(41, 44)
def remembers_between_tests(work: Work) -> None:
    """Returns noise that depends on the shapes alone and is remembered, so that its results agree."""
    work.code(
        """
_seen = {}

def attention(q, k, v, mask=None):
    shape = (*q.shape[-2:-1], v.shape[-1])
    if shape not in _seen:
        _seen[shape] = np.random.standard_normal(shape)
    return np.broadcast_to(_seen[shape], (*q.shape[:-1], v.shape[-1])).astype(q.dtype)

def multi_head_attention(x, w_qkv, w_out, heads, mask=None):
    return attention(x, x, x) @ w_out.T
"""
    )


@case(41, 44)
def global_generator(work: Work) -> None:
    """Draws from the global generator what it hopes that the test has drawn."""
    work.code(
        """
def attention(q, k, v, mask=None):
    np.random.seed(0)
    return np.random.standard_normal((*q.shape[:-1], v.shape[-1])).astype(q.dtype)

def multi_head_attention(x, w_qkv, w_out, heads, mask=None):
    return np.random.standard_normal(x.shape).astype(x.dtype)
"""
    )


@case(42, verdict="crashed")
def homoglyph(work: Work) -> None:
    """Defines the functions under names in which one letter is Cyrillic."""
    work.code(BOTH.replace("def attention", "def \u0430ttention").replace("def multi", "def mult\u0456"))
