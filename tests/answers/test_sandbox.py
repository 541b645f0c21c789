"""What every level of the sandbox does alike: cells, calls, and every way to end."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import psutil
import pytest
from inside import Worker, call, needs_bubblewrap, value

from fourrounds.answers import sandbox as sandbox_module
from fourrounds.answers import system
from fourrounds.answers.sandbox import (
    AnswerEnded,
    Limits,
    Sandbox,
    SandboxError,
    best_sandbox,
    describe_status,
)
from fourrounds.answers.wire import Handle, NotPlain

Open = Callable[..., Worker]
LOOP = """
def f():
    while True:
        try:
            while True: pass
        except BaseException: pass
def one(): return 1
"""
BATCH = """
def f(x, times=1):
    x *= times
    if x.sum() > 50: raise ValueError("large")
    return x.sum()
"""
STATEFUL = """
import os, random
import numpy as np
seen = []
def f(x):
    seen.append(x)
    np.add = None
    os.environ["MINE"] = "x"
    return list(seen)
def draws(): return [random.random(), float(np.random.random())]
def clean(): return callable(np.add) and "MINE" not in os.environ
"""


def test_cells_run_in_one_namespace(worker: Worker) -> None:
    assert worker.tell("import numpy as np\nx = np.arange(3)\nprint(x)") == "[0 1 2]\n"
    assert worker.tell("y = x + 1\nprint(y.sum())\ny") == "6\narray([1, 2, 3])\n"
    assert worker.tell("import sys, warnings\nwarnings.warn('no matter')\nprint('so', file=sys.stderr)") == ""
    worker.tell("%matplotlib inline\n%config InlineBackend.figure_format = 'retina'\nplotted = 1")
    worker.tell("import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.show()\nprint(plotted)")
    failed = worker.run("print('before')\ndef g():\n    return undefined\ng()")
    assert failed.error is not None
    assert failed.stdout.startswith("before\n")
    assert failed.error == {
        "type": "NameError",
        "name": "NameError",
        "message": "name 'undefined' is not defined",
        "place": "line 3 of g: return undefined",
        "forbidden": False,
    }
    syntax = worker.run("x = 1\nif True print()")
    assert syntax.error is not None
    assert syntax.error["type"] == "SyntaxError"
    assert syntax.error["place"] == "line 2: if True print()"
    assert worker.tell("print(y.sum())") == "6\n"


def test_every_exception_arrives_as_its_builtin_type(worker: Worker) -> None:
    worker.tell(
        "class Bad(ValueError): pass\n"
        "class Own(Exception): pass\n"
        "class Mute(Exception):\n    def __str__(self): raise RuntimeError\n"
        "def f(kind):\n    raise eval(kind)"
    )
    session = worker.session()
    for kind, base, name, message in [
        ("ValueError('why')", "ValueError", "ValueError", "why"),
        ("Bad(3)", "ValueError", "Bad", "3"),
        ("Own('x')", "Exception", "Own", "x"),
        ("KeyError('k')", "KeyError", "KeyError", "'k'"),
        ("NotImplementedError()", "NotImplementedError", "NotImplementedError", ""),
        ("SystemExit(0)", "SystemExit", "SystemExit", "0"),
        ("KeyboardInterrupt()", "KeyboardInterrupt", "KeyboardInterrupt", ""),
        ("Mute()", "Exception", "Mute", "(the exception could not be turned into text)"),
        ("MemoryError()", "MemoryError", "MemoryError", ""),
    ]:
        error = call(session, "f", kind).error
        assert error is not None
        assert (error["type"], error["name"], error["message"]) == (base, name, message)
        assert error["place"] == "line 6 of f: raise eval(kind)"
    assert call(session, "nobody_defined_this").missing
    session.close()


def test_objects_stay_and_are_passed_back(worker: Worker) -> None:
    worker.tell(
        "class Book:\n    def __init__(self): self.lines = []\n"
        "def make(): return Book()\n"
        "def add(book, line): book.lines.append(line)\n"
        "def read(books): return [book.lines for book in books]"
    )
    session = worker.session()
    one, other = value(session, "make"), value(session, "make")
    assert one == Handle(1, "a value of type Book")
    value(session, "add", one, "a")
    value(session, "add", other, "b")
    value(session, "add", one, np.float32(2))
    assert value(session, "read", [one, other]) == [["a", np.float32(2)], ["b"]]
    session.close()


def test_one_object_has_one_number(worker: Worker) -> None:
    worker.tell("class Box: pass\nkept = Box()\ndef same(x): return kept, x\ndef fresh(): return Box()")
    session = worker.session()
    kept, other = value(session, "same", 1)[0], value(session, "fresh")
    assert value(session, "same", [kept, other]) == (kept, [kept, other])
    assert kept.number != other.number
    assert value(session, "fresh").number not in {kept.number, other.number}
    session.close()


def test_a_generator_crosses_once(worker: Worker) -> None:
    worker.tell("def draw(rng): return rng.random(3)")
    session = worker.session()
    rng = np.random.default_rng(5)
    np.testing.assert_array_equal(value(session, "draw", rng), np.random.default_rng(5).random(3))
    with pytest.raises(ValueError, match="crosses the wall once"):
        call(session, "draw", rng)
    with pytest.raises(ValueError, match="crosses the wall once"):
        session.call("draw", [((rng,), {})] * 2, time.monotonic() + 5)
    with pytest.raises(NotPlain):
        call(session, "draw", object())
    np.testing.assert_array_equal(
        value(session, "draw", np.random.default_rng(5)), [*np.random.default_rng(5).random(3)]
    )
    session.close()


def test_a_batch_is_one_crossing_with_a_result_for_each_call(worker: Worker) -> None:
    worker.tell(BATCH)
    session = worker.session()
    inputs: list[Any] = [((np.arange(4.0),), {"times": t}) for t in (1, 2, 100)]
    results = session.call("f", inputs, time.monotonic() + 10, after=True)
    assert [r.value for r in results] == [6.0, 12.0, None]
    assert results[2].error is not None
    assert results[2].error["type"] == "ValueError"
    np.testing.assert_array_equal(results[1].after[0], [0, 2, 4, 6])
    np.testing.assert_array_equal(inputs[1][0][0], [0, 1, 2, 3])
    assert session.call("f", [], time.monotonic() + 10) == []
    session.close()


def test_a_session_leaves_nothing_behind(worker: Worker) -> None:
    worker.tell(STATEFUL)
    first = worker.session(seed=3)
    assert value(first, "f", 1) == [1]
    assert value(first, "f", 2) == [1, 2]
    drawn = value(first, "draws")
    assert first.close()
    second = worker.session(seed=3)
    assert value(second, "f", 3) == [3]
    assert value(second, "draws") == drawn
    assert second.close()
    third = worker.session(seed=4)
    assert value(third, "clean") is True
    assert not set(value(third, "draws")) & set(drawn)
    assert third.close()


def test_a_crash_ends_its_session_only(worker: Worker) -> None:
    worker.tell(
        "import ctypes, os, sys\n"
        "def leave(): os._exit(3)\n"
        "def fault(): ctypes.string_at(0)\n"
        "def flood():\n    while True: print('x' * 100_000)\n"
        "def deep(n=0): return deep(n + 1)\n"
        "def one(): return 1"
    )
    for function, kind, words in [
        ("leave", "crashed", "its process ended itself (exit status 3)"),
        ("fault", "crashed", "its process was killed by SIGSEGV"),
        ("flood", "output", "it printed more than 64 MB"),
    ]:
        session = worker.session()
        with pytest.raises(AnswerEnded) as ended:
            call(session, function)
        assert (ended.value.kind, str(ended.value)) == (kind, words)
        assert session.close()
    session = worker.session()
    deep = call(session, "deep").error
    assert deep is not None
    assert deep["type"] == "RecursionError"
    assert value(session, "one") == 1
    session.close()


@pytest.mark.parametrize(
    ("cell", "kind", "words"),
    [
        ("import os\nos._exit(3)", "crashed", "its process ended itself (exit status 3)"),
        ("import ctypes\nctypes.string_at(0)", "crashed", "its process was killed by SIGSEGV"),
        ("while True: print('x' * 100_000)", "output", "it printed more than 64 MB"),
    ],
)
def test_a_cell_that_ends_the_process_is_told(opened: Open, cell: str, kind: str, words: str) -> None:
    worker = opened()
    with pytest.raises(AnswerEnded) as ended:
        worker.run(cell)
    assert ended.value.kind == "crashed"
    assert worker.answer.how_ended() == (kind, words)
    with pytest.raises(AnswerEnded):
        worker.run("1")


def test_a_loop_that_swallows_interrupts_is_ended(opened: Open) -> None:
    worker = opened(call_seconds=0.4)
    worker.tell(LOOP)
    session = worker.session()
    begun = time.monotonic()
    with pytest.raises(AnswerEnded) as ended:
        call(session, "f")
    assert (ended.value.kind, str(ended.value)) == (
        "timeout",
        "no result within 0.4 s, the limit for one call or cell",
    )
    assert session.close()
    again = worker.session()
    assert value(again, "one") == 1
    with pytest.raises(AnswerEnded) as ended:
        call(again, "f", seconds=0.2)
    assert str(ended.value) == "no result within 60 s, the limit for the whole notebook"
    again.close()
    with pytest.raises(AnswerEnded) as ended:
        worker.run("f()")
    assert ended.value.kind == "timeout"
    assert time.monotonic() - begun < 10


def test_an_answer_that_stops_reading_is_ended(opened: Open) -> None:
    """Inputs of a call can be more than the system holds for somebody who does not read."""
    worker = opened(call_seconds=1.0)
    worker.tell("def f(x): return 1")
    worker.tell("import socket, time\nsocket.socket.recv = lambda *_: time.sleep(1000)")
    begun = time.monotonic()
    session = worker.session()
    with pytest.raises(AnswerEnded) as ended:
        call(session, "f", np.zeros(2_000_000))
    assert ended.value.kind == "timeout"
    assert str(ended.value) == "no result within 1 s, the limit for one call or cell"
    assert time.monotonic() - begun < 10


def test_memory_is_limited(opened: Open) -> None:
    worker = opened(memory=2**30)
    worker.tell("import numpy as np\ndef f(n): return float(np.ones(n).sum())")
    session = worker.session()
    error = call(session, "f", 2**28).error
    assert error is not None
    assert error["type"] == "MemoryError"
    assert value(session, "f", 2**20) == 2**20
    session.close()


def test_memory_of_all_processes_together_is_limited(opened: Open) -> None:
    worker = opened(memory=512 * 2**20)
    worker.tell(
        "import os, time\n"
        "def f():\n    for _ in range(6):\n        if not os.fork():\n"
        "            x = b'x' * (160 * 2**20)\n            time.sleep(60)\n    time.sleep(60)"
    )
    session = worker.session()
    with pytest.raises(AnswerEnded) as ended:
        call(session, "f")
    assert (ended.value.kind, str(ended.value)) == ("memory", "it used more than 512 MB")


def test_too_large_a_result_is_refused(worker: Worker) -> None:
    worker.tell("import numpy as np\ndef f(): return np.zeros(40 * 2**20)\ndef g(): return 'x' * 20_000_000")
    for function in "fg":
        session = worker.session()
        with pytest.raises(AnswerEnded) as ended:
            call(session, function)
        assert ended.value.kind == "output"
        assert "MB" in str(ended.value)
        session.close()


def test_cost_is_measured_beyond_the_start(worker: Worker) -> None:
    worker.tell(
        "import numpy as np, time\nkept = np.ones(2_000_000)\n"
        "def light(x): return float(x.sum())\n"
        "def heavy(x): return float(np.ones((5, x.size)).sum())\n"
        "def busy(x):\n    end = time.process_time() + 0.3\n    while time.process_time() < end: pass\n"
        "def bad(x): raise ValueError('no')"
    )
    x = np.ones(1_000_000)

    def measure(function: str) -> tuple[Any, float, float]:
        session = worker.session()
        result, meter = session.measure(function, (x,), {}, time.monotonic() + 20)
        assert session.close()
        return result, meter.peak_bytes / 2**20, meter.cpu_seconds

    result, peak, _ = measure("light")
    assert (result.value, peak < 3) == (1e6, True)
    result, peak, _ = measure("heavy")
    assert result.value == 5e6
    assert 37 < peak < 43
    _, peak, seconds = measure("busy")
    assert 0.25 < seconds < 0.5
    assert peak < 3
    result, _, _ = measure("bad")
    assert result.error["type"] == "ValueError"
    assert measure("nothing")[0].missing


def test_an_answer_cannot_set_the_meter_back(worker: Worker) -> None:
    worker.tell(
        "import sys\nimport numpy as np\n"
        "def f():\n    x = np.ones(4_000_000)\n    frame = sys._getframe()\n"
        "    while 'channel' not in frame.f_locals: frame = frame.f_back\n"
        "    frame.f_locals['channel'].send({'n': 1, 'at': 'before'})\n    return 1"
    )
    session = worker.session()
    with pytest.raises(AnswerEnded) as ended:
        session.measure("f", (), {}, time.monotonic() + 10)
    assert ended.value.kind == "format"
    session.close()


def test_children_end_with_the_answer(opened: Open) -> None:
    worker = opened()
    mark = f"7{os.getpid()}.{time.monotonic_ns()}"
    worker.tell(f"import subprocess\nsubprocess.Popen(['sleep', '{mark}'], start_new_session=True)")
    worker.tell(f"def f(): subprocess.Popen(['sleep', '{mark}'])")
    session = worker.session()
    value(session, "f")
    assert session.close()
    assert len(sleepers(mark)) == 2
    worker.answer.close()
    deadline = time.monotonic() + 5
    while sleepers(mark) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not sleepers(mark)


@needs_bubblewrap
@pytest.mark.parametrize("level", ["namespaces"])
def test_what_a_stuck_session_has_started_ends_with_it(opened: Open) -> None:
    worker = opened(call_seconds=0.3)
    mark = f"8{os.getpid()}.{time.monotonic_ns()}"
    worker.tell(
        f"import subprocess\ndef f():\n    subprocess.Popen(['sleep', '{mark}'])\n    while True: pass"
    )
    session = worker.session()
    with pytest.raises(AnswerEnded):
        call(session, "f")
    assert sleepers(mark)
    assert session.close()
    assert not sleepers(mark)
    assert worker.tell("print(1)") == "1\n"


def sleepers(mark: str) -> list[int]:
    found = []
    for process in psutil.process_iter(["cmdline", "status"]):
        line = process.info["cmdline"] or []
        if mark in line and line[0] == "sleep" and process.info["status"] != psutil.STATUS_ZOMBIE:
            found.append(process.pid)
    return found


def test_a_thread_pool_of_the_answers_own_keeps_working(opened: Open) -> None:
    worker = opened()
    worker.tell(
        "from concurrent.futures import ThreadPoolExecutor\npool = ThreadPoolExecutor(2)\n"
        "list(pool.map(abs, [1]))\ndef f(x): return sum(pool.map(abs, x))"
    )
    session = worker.session()
    assert value(session, "f", [-1, 2, -3]) == 6
    assert session.close()
    session = worker.session()
    assert value(session, "f", [-1]) == 1
    session.close()


def test_frameworks_are_refused_by_name(worker: Worker) -> None:
    for name in ("torch", "scipy.linalg", "jax", "nbgrader"):
        error = worker.run(f"import {name}").error
        assert error is not None
        assert (error["type"], error["name"], error["forbidden"]) == (
            "ModuleNotFoundError",
            "ForbiddenImport",
            True,
        )


def test_what_an_answer_may_import_is_all_that_is_on_its_path(opened: Open) -> None:
    for _ in range(2):  # the second answer of a sandbox sees no more than the first
        worker = opened()
        worker.tell(
            "import sys\nsys.meta_path[:] = [f for f in sys.meta_path if type(f).__module__ != "
            "'fourrounds.answers.worker']"
        )
        for name in ("torch", "nbgrader", "fourrounds.examiner", "fourrounds.course", "fourrounds.desk"):
            error = worker.run(f"import {name}").error
            assert error is not None, name
            assert error["name"] == "ModuleNotFoundError", name
        worker.tell("import numpy, matplotlib, IPython, fourrounds.checks, fourrounds.answers")


def test_an_answer_imports_nothing_that_was_written_into_its_folder(opened: Open) -> None:
    opened().tell("for name in ('shadow.py', 'statistics.py'): open(name, 'w').write('MINE = 1')")
    worker = opened()
    assert worker.run("import shadow").error is not None
    assert worker.tell("import statistics\nprint(hasattr(statistics, 'MINE'))") == "False\n"
    assert worker.tell("import os\nprint('shadow.py' in os.listdir())") == "False\n"


def test_the_environment_is_the_same_for_everybody(
    worker: Worker, monkeypatch: pytest.MonkeyPatch, opened: Open
) -> None:
    seen = worker.tell("import os\nprint(dict(os.environ))")
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    monkeypatch.setenv("FOURROUNDS_HOME", "/elsewhere")
    environment = eval(seen)
    grading = eval(opened().tell("import os\nprint(dict(os.environ))"))
    assert environment.keys() == grading.keys()
    own = {"HOME", "MPLCONFIGDIR", "PWD"} if worker.level == "process" else {"PWD"}
    expected = system.worker_environment()
    for found in (environment, grading):
        assert {k: v for k, v in found.items() if k not in own} == {
            k: v for k, v in expected.items() if k not in own
        }


# -- starting, and starting again


@needs_bubblewrap
def test_a_warm_process_has_one_answer_at_a_time() -> None:
    with Sandbox("namespaces") as sandbox:
        first = Worker(sandbox.open(Limits()), "namespaces")
        with pytest.raises(RuntimeError, match="one answer at a time"):
            sandbox.open(Limits())
        assert first.tell("print(1)") == "1\n"
        first.answer.close()
        assert Worker(sandbox.open(Limits()), "namespaces").tell("print(2)") == "2\n"


@needs_bubblewrap
def test_a_warm_process_that_died_is_replaced() -> None:
    with Sandbox("namespaces") as sandbox:
        sandbox.open(Limits()).close()
        assert sandbox._process is not None
        sandbox._process.kill()
        sandbox._process.wait()
        answer = sandbox.open(Limits())
        assert Worker(answer, "namespaces").tell("print(1)") == "1\n"
        answer.close()


@needs_bubblewrap
def test_a_warm_process_that_died_under_an_answer_is_the_answers_end_and_no_more() -> None:
    with Sandbox("namespaces") as sandbox:
        worker = Worker(sandbox.open(Limits()), "namespaces")
        assert sandbox._process is not None
        system.kill_tree(sandbox._process)
        with pytest.raises(AnswerEnded):
            worker.run("1")
        worker.answer.close()
        assert Worker(sandbox.open(Limits()), "namespaces").tell("print(2)") == "2\n"


def test_a_closed_sandbox_leaves_no_process_and_no_folder(level: str) -> None:
    before = set(psutil.Process().children(recursive=True))
    sandbox = Sandbox(level)
    worker = Worker(sandbox.open(Limits()), level)
    worker.tell("open('left', 'w').write('x')")
    family = set(psutil.Process().children(recursive=True)) - before
    assert family
    worker.answer.close()
    sandbox.close()
    assert not sandbox._folder.exists()
    _, alive = psutil.wait_procs(family, timeout=5)
    assert not [process for process in alive if process.status() != psutil.STATUS_ZOMBIE]


@pytest.mark.parametrize("name", ["namespaces", "bubblewrap", "process"])
def test_the_variable_names_a_level(name: str, monkeypatch: pytest.MonkeyPatch, request: Any) -> None:
    if name != "process":
        request.applymarker(needs_bubblewrap)
        if not system.bubblewrap_path():
            pytest.skip("sandbox namespaces: apt-get install bubblewrap")
    monkeypatch.setenv("FOURROUNDS_SANDBOX", name)
    sandbox, probe = best_sandbox()
    sandbox.close()
    assert (sandbox.level, probe.level, probe.refused) == (name, name, {})


def test_a_level_that_there_is_not_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOURROUNDS_SANDBOX", "docker")
    with pytest.raises(SandboxError, match="must be one of namespaces, bubblewrap, process"):
        best_sandbox()


def test_a_named_level_that_does_not_work_is_an_error_and_not_a_weaker_level(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(system, "bubblewrap_path", lambda: None)
    monkeypatch.setenv("FOURROUNDS_SANDBOX", "bubblewrap")
    with pytest.raises(SandboxError, match="bubblewrap: bubblewrap is not installed"):
        best_sandbox()


def test_without_bubblewrap_a_plain_process_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(system, "bubblewrap_path", lambda: None)
    sandbox, probe = best_sandbox()
    with sandbox:
        assert probe.level == "process"
        assert probe.refused == dict.fromkeys(("namespaces", "bubblewrap"), "bubblewrap is not installed")


@needs_bubblewrap
def test_where_nested_namespaces_are_refused_bubblewrap_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Sandbox, limits: Limits) -> Any:
        raise SandboxError("namespaces within bubblewrap were refused (OSError: no)")

    monkeypatch.setattr(Sandbox, "_open_warm", refuse)
    sandbox, probe = best_sandbox()
    with sandbox:
        assert probe.level == "bubblewrap"
        assert "refused" in probe.refused["namespaces"]


@needs_bubblewrap
def test_this_machine_reaches_the_strongest_level(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FOURROUNDS_SANDBOX", raising=False)
    sandbox, probe = best_sandbox()
    with sandbox:
        assert probe.level == "namespaces", probe.refused


def test_a_worker_that_cannot_start_is_the_sandboxs_error_in_its_own_words(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        system, "process_command", lambda args, folder: [sys.executable, "-c", "raise SystemExit('no NumPy')"]
    )
    with Sandbox("process") as sandbox, pytest.raises(SandboxError, match="no NumPy"):
        sandbox.open(Limits())


@pytest.mark.parametrize(
    ("status", "kind", "words"),
    [
        (0, "crashed", "its process ended itself (exit status 0)"),
        (3, "crashed", "its process ended itself (exit status 3)"),
        (-int(signal.SIGKILL), "crashed", "its process was killed by SIGKILL"),
        (128 + int(signal.SIGSEGV), "crashed", "its process was killed by SIGSEGV"),
        (256 * 3, "crashed", "its process ended itself (exit status 3)"),
        (256 * (128 + int(signal.SIGSEGV)), "crashed", "its process was killed by SIGSEGV"),
        (sandbox_module.FLOOD_STATUS, "output", "it printed more than 64 MB"),
        (-int(signal.SIGXCPU), "timeout", "it used up its processor time"),
        (250, "crashed", "its process ended itself (exit status 250)"),
    ],
)
def test_the_words_for_an_end(status: int, kind: str, words: str) -> None:
    assert describe_status(status) == (kind, words)
