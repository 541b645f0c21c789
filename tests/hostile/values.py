"""Results that a comparison may trip over."""

from hostile.cases import Work, case

LOADED = """
class Loaded:
    def __reduce__(self):
        return eval, ("open(" + repr(CANARY) + ", 'w').close()",)
"""


def returning(work: Work, expression: str, before: str = "") -> None:
    """Functions that return ``expression``, in which ``out`` is a result of the right shape."""
    work.code(
        f"""
{before}

def attention(q, k, v, mask=None):
    out = np.full((*q.shape[:-1], v.shape[-1]), 0.5, dtype=q.dtype)
    return {expression}

def multi_head_attention(x, w_qkv, w_out, heads, mask=None):
    out = np.full_like(x, 0.5)
    return {expression}
"""
    )


@case(36, verdict="wrong type")
def object_array(work: Work) -> None:
    """Returns an array of objects, which needs pickle to cross, and whose unpickling runs code."""
    returning(
        work,
        "np.full(out.shape, Loaded(), dtype=object)",
        LOADED,
    )


@case(36, verdict="wrong type")
def structured_array(work: Work) -> None:
    """Returns a structured array with an object in it."""
    returning(work, "np.zeros(out.shape, dtype=[('x', 'f8'), ('y', 'O')])")


@case(36, verdict="wrong type")
def pickled_bytes(work: Work) -> None:
    """Returns a pickle that writes a file when it is loaded."""
    returning(
        work,
        "pickle.dumps(Loaded())",
        "import pickle\n" + LOADED,
    )


@case(45)
def all_nan(work: Work) -> None:
    """Returns NaN everywhere."""
    returning(work, "out * np.nan")


@case(45, verdict="wrong type")
def none(work: Work) -> None:
    """Returns None."""
    returning(work, "None")


@case(45, verdict="wrong type")
def nested_list(work: Work) -> None:
    """Returns a list nested 100,000 deep."""
    returning(work, "deep", "deep = []\nfor _ in range(100_000):\n    deep = [deep]")


@case(45, verdict="wrong type|timeout|memory|output|crashed")
def cyclic_list(work: Work) -> None:
    """Returns a list that contains itself twice."""
    returning(work, "loop", "loop = []\nloop += [loop, loop]")


@case(45, verdict="wrong type")
def masked_array(work: Work) -> None:
    """Returns a masked array in which everything is masked, so that nothing differs."""
    returning(work, "np.ma.masked_all(out.shape, out.dtype)")


@case(45, verdict="wrong shape")
def broadcasts(work: Work) -> None:
    """Returns one number of the right dtype, which broadcasts against anything."""
    returning(work, "np.array(0.5, dtype=out.dtype)")


@case(45, verdict="wrong dtype")
def complex_result(work: Work) -> None:
    """Returns complex numbers."""
    returning(work, "out + 0j")


@case(45, verdict="crashed")
def bad_exception(work: Work) -> None:
    """Raises an exception whose text, name and class cannot be had."""
    returning(
        work,
        "fail()",
        """
class Meta(type):
    __name__ = property(lambda cls: 1 / 0)
    __mro__ = property(lambda cls: 1 / 0)

class Bad(Exception, metaclass=Meta):
    __str__ = lambda self: 1 / 0

def fail():
    raise Bad()
""",
    )


@case(45, verdict="crashed")
def long_exception(work: Work) -> None:
    """Raises an exception with a message of 50 MB."""
    returning(work, "fail()", "def fail():\n    raise ValueError('x' * 50_000_000)")
