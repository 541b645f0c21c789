"""The program inside the sandbox: runs a learner's cells and calls the learner's functions.

Two ways to start it. ``warm``: a single-threaded process that has imported what answers use and forks for
each submission, into new namespaces.
``once``: a process that serves one submission and ends. Either way one *answer process* runs the cells, and
forks again for each test cell (a *session*), so that what one test leaves behind is not seen by the next, a
crash ends only its own test, and the memory of a call can be told from that of the imports.

Nothing here is trusted by the examiner: a learner's code shares this process and can do to it what it likes.
"""

from __future__ import annotations

import builtins
import contextlib
import gc
import io
import linecache
import os
import random
import select
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

import numpy as np

from fourrounds.answers import system
from fourrounds.answers.wire import Channel, Closed, Decoder, Encoder

STDOUT_LIMIT = 64 * 1024
STDOUT_FLOOD = 64 * 2**20
FORBIDDEN = {
    "torch",
    "tensorflow",
    "jax",
    "jaxlib",
    "keras",
    "scipy",
    "sklearn",
    "pandas",
    "nbgrader",
    "nbclient",
}
FLOOD_STATUS = 77


class ForbiddenImport(ModuleNotFoundError):
    """An answer imported what its contract does not allow."""


class _Frameworks(MetaPathFinder):
    """Refuses frameworks by name, before any other finder.

    Where the sandbox holds, they are not there to be found.
    """

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name.partition(".")[0] in FORBIDDEN:
            raise ForbiddenImport(
                f"{name} cannot be imported here: an answer uses NumPy and the standard library", name=name
            )
        return None


class _Clipped(io.TextIOBase):
    """Standard output of a cell: the first part is kept, the rest is counted."""

    def __init__(self) -> None:
        self.kept: list[str] = []
        self.length = 0

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        if self.length < STDOUT_LIMIT:
            self.kept.append(text[: STDOUT_LIMIT - self.length])
        self.length += len(text)
        if self.length > STDOUT_FLOOD:
            os._exit(FLOOD_STATUS)
        return len(text)


def _make_shell() -> Any:
    from IPython.core.history import HistoryManager
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.config import Config

    class Shell(InteractiveShell):
        def enable_matplotlib(self, gui: str | None = None) -> tuple[str | None, str]:
            return gui, "agg"  # %matplotlib inline, and any other: pictures are drawn for nobody here

    HistoryManager.enabled = False  # its database starts a thread
    config = Config()
    config.InteractiveShell.colors = "nocolor"
    config.InteractiveShell.autoindent = False
    config.InteractiveShell.cache_size = 0
    config.HistoryManager.enabled = False
    return Shell.instance(config=config)


class AnswerProcess:
    """Serves one submission over ``channel`` until it is closed."""

    def __init__(self, channel: Channel, shell: Any, may_fork: bool) -> None:
        self.channel = channel
        self.shell = shell
        self.may_fork = may_fork
        self.objects: dict[int, Any] = {}
        self.numbers: dict[int, int] = {}
        # Taken now, since a learner's cell may replace them.
        self._fork = os.fork if may_fork else None
        self._exit = os._exit

    def serve(self) -> None:
        """Answer the examiner's requests; returns when it closes the channel."""
        while True:
            try:
                message, _, fds = self.channel.receive(want_fds=1 if self.may_fork else 0)
            except Closed:
                return
            operation = message.get("op")
            if operation == "run":
                self.channel.send({"n": message["n"], **self._run(message["source"], message["label"])})
            elif operation == "session":
                if self.may_fork:
                    self._session(message, fds[0])
                else:
                    self._serve_calls(self.channel, message["seed"])

    # -- cells

    def _run(self, source: str, label: str) -> dict[str, Any]:
        out = _Clipped()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()):
            result = self.shell.run_cell(source, store_history=False, silent=False)
        error = result.error_before_exec or result.error_in_exec
        return {
            "error": None if error is None else self._describe(error),
            "stdout": "".join(out.kept),
            "written": out.length,
            "label": label,
        }

    def _describe(self, error: BaseException) -> dict[str, Any]:
        base = next(
            (
                c.__name__
                for c in type(error).__mro__
                if getattr(builtins, c.__name__, None) is c and issubclass(c, BaseException)
            ),
            "Exception",
        )
        try:
            text = str(error)
        except Exception:
            text = "(the exception could not be turned into text)"
        place = ""
        if isinstance(error, SyntaxError):
            place = f"line {error.lineno}: {(error.text or '').strip()}"
            text = str(error.msg)
        else:
            for frame in reversed(traceback.extract_tb(error.__traceback__)):
                if frame.filename in self.shell.compile._filename_map:
                    line = linecache.getline(frame.filename, frame.lineno or 0).strip()
                    place = f"line {frame.lineno} of {frame.name}: {line}"
                    break
        return {
            "type": base,
            "name": type(error).__name__,
            "message": text[:1000],
            "place": place[:300],
            "forbidden": isinstance(error, ModuleNotFoundError),
        }

    # -- calls

    def _session(self, message: dict[str, Any], fd: int) -> None:
        sock = socket.socket(fileno=fd)
        if threading.active_count() > 1:
            # A fork would lose the learner's threads (a thread pool made in a cell, say): serve from here
            # instead.
            self._serve_calls(Channel(sock), message["seed"])
            sock.close()
            self.channel.send({"n": message["n"], "status": 0})
            return
        assert self._fork is not None
        pid = self._fork()
        if pid == 0:
            status = 1
            try:
                self.channel.close()
                self._serve_calls(Channel(sock), message["seed"])
                status = 0
            finally:
                self._exit(status)
        sock.close()
        status = self._wait(pid)
        self.channel.send({"n": message["n"], "status": status})

    def _wait(self, pid: int) -> int:
        """Wait for a session's end; a frame from the examiner meanwhile means: end it now."""
        while True:
            done, status = os.waitpid(pid, os.WNOHANG)
            if done:
                return status
            with system.process_ended(pid) as ended:
                waiting: list[Any] = [self.channel.sock, *ended]
                ready, _, _ = select.select(waiting, [], [], None if ended else 0.005)
            if self.channel.sock in ready:
                try:
                    self.channel.receive()
                finally:
                    system.kill_family(pid)

    def _serve_calls(self, channel: Channel, seed: int) -> None:
        np.random.seed(seed % 2**32)
        random.seed(seed)
        while True:
            try:
                message, blobs, _ = channel.receive()
            except Closed:
                return
            if message.get("op") == "end":
                return
            gate = None
            if message.get("measured"):
                gate = self._gate(channel, message["n"])
            reply, out = self._calls(message, blobs, gate)
            channel.send(reply, out)

    def _gate(self, channel: Channel, number: int) -> Callable[[str], None]:
        """What stands before and after a measured call: tell the examiner, and wait until it has read the
        meters.

        A fork first, since a new process's peak memory starts at what it holds, without the transients of
        reading the inputs from the wire.
        """
        forked = False

        def gate(place: str) -> None:
            nonlocal forked
            if self._fork is not None and not forked and threading.active_count() == 1:
                forked = True
                pid = self._fork()
                if pid:
                    self._exit(_exit_status(os.waitpid(pid, 0)[1]))
            channel.send({"n": number, "at": place})
            channel.receive()

        return gate

    def _keep(self, value: Any) -> int:
        """The number of an object that stays here: one object, one number, so that it is known again."""
        if id(value) not in self.numbers:  # it is kept alive, so its id is nobody else's
            self.numbers[id(value)] = len(self.objects) + 1
            self.objects[self.numbers[id(value)]] = value
        return self.numbers[id(value)]

    def _calls(
        self, message: dict[str, Any], blobs: list[bytes], gate: Callable[[str], None] | None
    ) -> tuple[dict[str, Any], list[bytes]]:
        decoder = Decoder(blobs, find=self.objects.__getitem__)
        encoder = Encoder(keep=self._keep)
        results = []
        with contextlib.redirect_stdout(_Clipped()), contextlib.redirect_stderr(io.StringIO()):
            for call in message["calls"]:
                args = [decoder.decode(a) for a in call["args"]]
                kwargs = {name: decoder.decode(a) for name, a in call["kwargs"].items()}
                result: dict[str, Any] = {}
                try:
                    function = self.shell.user_ns.get(message["function"], self)
                    if function is self:
                        result["missing"] = True
                    else:
                        if gate:
                            gate("before")
                        value = function(*args, **kwargs)
                        if gate:
                            gate("after")
                        result["value"] = encoder.encode(value)
                except BaseException as error:
                    result["error"] = self._describe(error)
                if message.get("after"):
                    result["after"] = [encoder.encode(a) for a in args]
                results.append(result)
        return {"n": message["n"], "results": results}, encoder.blobs


def _exit_status(wait_status: int) -> int:
    """The exit status that passes on how a child ended: its own, or 128 and the signal, as a shell has it."""
    code = os.waitstatus_to_exitcode(wait_status)
    return code if code >= 0 else 128 - code


def _quiet_descriptors() -> None:
    """Point the process's own standard streams at nothing: what a subprocess prints is of no interest."""
    with contextlib.suppress(OSError):
        null = os.open(os.devnull, os.O_RDWR)
        for fd in (0, 1, 2):
            os.dup2(null, fd)


# NumPy loads parts of itself at first use, and IPython its parser and display: once, before any fork.
_FIRST_CELL = """
import copy, dataclasses, functools, itertools, math, typing
import numpy as np
from fourrounds import checks
np.random.seed(0)
x = np.random.default_rng(0).normal(size=(2, 3, 4)).astype(np.float32)
y = np.einsum("bij,bkj->bik", x, x) + np.matmul(x, np.swapaxes(x, -1, -2))
y = np.exp(y - y.max(axis=-1, keepdims=True)) / np.linalg.norm(y)
print(np.where(y > 0, y, -np.inf).sum(), np.sort(y).astype(float).tolist())
y
"""


def _warm_up() -> Any:
    import matplotlib.pyplot as plt  # noqa: F401  (imported here once, so that no submission pays for it)

    shell = _make_shell()
    with contextlib.redirect_stdout(io.StringIO()):
        shell.run_cell(_FIRST_CELL, store_history=False, silent=False)
    shell.reset(new_session=False)
    # What is here stays: a collection in a fork would touch, and so copy, all of it.
    gc.collect()
    gc.freeze()
    return shell


def _forever(control: Channel, shell: Any) -> Iterator[tuple[socket.socket, dict[str, Any]]]:
    while True:
        try:
            message, _, fds = control.receive(want_fds=1)
        except Closed:
            return
        if message.get("op") == "begin":
            yield socket.socket(fileno=fds[0]), message


def warm(control: Channel) -> None:
    """Fork an answer process for each ``begin``, kill it at the next frame, and say how it ended."""
    shell = _warm_up()
    control.send({"ready": True, "pid": os.getpid()})
    for sock, message in _forever(control, shell):
        read, write = os.pipe()
        middle = os.fork()
        if middle == 0:
            os.close(read)
            try:
                pid = system.enter_namespaces(message["limits"])
                if pid:  # still outside the new pid namespace: report the answer process and wait for it
                    sock.close()
                    os.write(write, str(pid).encode())
                    os.close(write)
                    os._exit(_exit_status(os.waitpid(pid, 0)[1]))
                os.close(write)
                control.close()
                system.harden()
                AnswerProcess(Channel(sock), shell, may_fork=True).serve()
                os._exit(0)
            except BaseException as error:
                with contextlib.suppress(OSError):
                    os.write(write, f"!{type(error).__name__}: {error}".encode())
                os._exit(1)
        sock.close()
        os.close(write)
        with os.fdopen(read, "rb") as pipe:
            told = pipe.read().decode(errors="replace")
        control.send({"pid": told})
        with contextlib.suppress(Closed):
            control.receive()  # "end"
        with contextlib.suppress(ValueError, ProcessLookupError):
            os.kill(int(told), signal.SIGKILL)
        status = os.waitpid(middle, 0)[1]
        with contextlib.suppress(Closed):
            control.send({"status": status})


def once(sock: socket.socket, limits: dict[str, int]) -> None:
    """Serve one submission in this very process."""
    shell = _warm_up()
    system.set_limits(limits)
    system.harden()
    channel = Channel(sock)
    channel.send({"ready": True, "pid": os.getpid()})
    AnswerProcess(channel, shell, may_fork=system.CAN_FORK).serve()


def main(argv: list[str]) -> None:
    """``worker warm FD`` or ``worker once FD LIMITS`` or ``worker once HOST:PORT LIMITS TOKEN``."""
    import json
    import site

    site.setquit()
    site.sethelper()
    sys.meta_path.insert(0, _Frameworks())
    _quiet_descriptors()
    if argv[0] == "warm":
        warm(Channel(socket.socket(fileno=int(argv[1]))))
        return
    if ":" in argv[1]:
        host, _, port = argv[1].rpartition(":")
        sock = socket.create_connection((host, int(port)))
        sock.sendall(argv[3].encode())
    else:
        sock = socket.socket(fileno=int(argv[1]))
    once(sock, json.loads(argv[2]))
