"""The examiner's end of the wall: finds the strongest sandbox of this machine, and opens answers in it.

Levels, strongest first:

``namespaces``
    One warm process in bubblewrap; each submission is a fork of it in namespaces of its own.
``bubblewrap``
    One bubblewrap for each submission, where the kernel refuses namespaces within namespaces.
``process``
    One process with resource limits for each submission, where there is no bubblewrap (macOS, Windows).
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

from fourrounds.answers import system
from fourrounds.answers.wire import (
    Channel,
    Closed,
    DeadlinePassed,
    Decoder,
    Encoder,
    TooLarge,
    WireError,
    as_text,
)
from fourrounds.answers.worker import FLOOD_STATUS

LEVELS = ("namespaces", "bubblewrap", "process")
START_SECONDS = 60.0
GRACE_SECONDS = 2.0


class SandboxError(Exception):
    """No sandbox could be started, or a warm one died. Not the answer's fault."""


class AnswerEnded(Exception):
    """The answer's process is no more, or no longer speaks sense.

    ``kind`` is one of crashed, timeout, memory, output, format.
    """

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


@dataclass(frozen=True)
class Limits:
    """What a submission may use.

    Seconds are of wall time: ``call_seconds`` a crossing, ``total_seconds`` all of them.
    """

    call_seconds: float = 10.0
    total_seconds: float = 60.0
    memory: int = 2 * 2**30
    disk: int = 64 * 2**20

    def for_worker(self, own_namespace: bool) -> dict[str, int]:
        return {
            "memory": self.memory,
            "disk": self.disk,
            "cpu": int(self.total_seconds) + 30,
            "processes": system.process_limit(own_namespace),
        }


@dataclass(frozen=True)
class CellRun:
    """How one of the learner's cells ran: its output, and its error if it raised one."""

    stdout: str
    written: int
    error: dict[str, Any] | None


@dataclass(frozen=True)
class CallResult:
    """One call's result.

    Exactly one of these holds: it returned ``value``; it raised ``error``; it is ``missing``.
    """

    value: Any = None
    error: dict[str, Any] | None = None
    missing: bool = False
    after: tuple[Any, ...] = ()


@dataclass
class Meter:
    """What an answer's processes used beyond what they held at the start."""

    start: system.Usage
    peak: dict[int, int] = field(default_factory=dict)
    cpu: dict[int, float] = field(default_factory=dict)

    def see(self, now: system.Usage) -> None:
        for pid, value in now.peak.items():
            self.peak[pid] = max(self.peak.get(pid, 0), value)
        for pid, seconds in now.cpu_seconds.items():
            self.cpu[pid] = max(self.cpu.get(pid, 0.0), seconds)

    @property
    def peak_bytes(self) -> int:
        return sum(max(0, value - self.start.peak.get(pid, 0)) for pid, value in self.peak.items())

    @property
    def cpu_seconds(self) -> float:
        return sum(max(0.0, value - self.start.cpu_seconds.get(pid, 0.0)) for pid, value in self.cpu.items())


@dataclass
class Sandbox:
    """Opens answers at one level. Use :func:`best_sandbox` to get the strongest; close it when done."""

    level: str
    _control: Channel | None = None
    _process: subprocess.Popen | None = None
    _folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="fourrounds-")))
    _limits: Limits = field(default_factory=Limits)
    _present: Answer | None = None

    def start(self) -> None:
        """Start the warm process, if this level has one; returns before it is ready."""
        if self.level == "namespaces" and self._process is None:
            ours, theirs = socket.socketpair()
            self._process = self._bubblewrap(["warm", str(theirs.fileno())], theirs)
            self._control = Channel(ours)

    def _bubblewrap(self, args: list[str], sock: socket.socket) -> subprocess.Popen:
        if system.bubblewrap_path() is None:
            raise SandboxError("bubblewrap is not installed")
        process = system.start_bubblewrap(args, [sock.fileno()], self._limits.disk, self._folder)
        sock.close()
        return process

    def _ready(self) -> None:
        """Wait until the warm process has said that it is ready (once)."""
        if self._process is None:
            self.start()
        if not getattr(self, "_is_ready", False):
            assert self._control is not None
            self._receive_control(START_SECONDS)
            self._is_ready = True

    def _receive_control(self, seconds: float) -> dict[str, Any]:
        assert self._control is not None
        try:
            return self._control.receive(time.monotonic() + seconds)[0]
        except (Closed, DeadlinePassed, WireError) as error:
            raise SandboxError(
                self._last_words() or f"the warm process did not answer ({error!r})"
            ) from error

    def _last_words(self) -> str:
        process = self._process
        if process is None or process.stderr is None:
            return ""
        with contextlib.suppress(Exception):
            process.kill()
            return process.stderr.read().decode(errors="replace").strip()[-500:]
        return ""

    def open(self, limits: Limits) -> Answer:
        """A fresh process for one submission. Raises :class:`SandboxError`.

        The warm process has one answer at a time: ``RuntimeError`` while another is open.
        """
        if self.level != "namespaces":
            return self._open_once(limits)
        if self._present is not None and not self._present.ended:
            raise RuntimeError("a sandbox has one answer at a time: close the one that is open")
        for attempt in (1, 2):
            try:
                return self._open_warm(limits)
            except SandboxError:
                self._stop()  # a warm process that died (the machine ran out of memory, say) is replaced once
                if attempt == 2:
                    raise
        raise AssertionError

    def _open_warm(self, limits: Limits) -> Answer:
        self._ready()
        assert self._control is not None
        assert self._process is not None
        ours, theirs = socket.socketpair()
        try:
            self._control.send({"op": "begin", "limits": limits.for_worker(True)}, fds=[theirs.fileno()])
        except Closed as error:
            ours.close()
            raise SandboxError("the warm process has ended") from error
        finally:
            theirs.close()
        told = self._receive_control(START_SECONDS).get("pid", "!")
        if not str(told).isdigit():
            ours.close()
            self._end_warm()
            raise SandboxError(f"namespaces within bubblewrap were refused ({str(told).lstrip('!')})")
        self._present = Answer(Channel(ours), limits, self._process.pid, self._end_warm)
        return self._present

    def _end_warm(self, grace: float = 0.0) -> int | None:
        """Kill the present answer.

        Returns how it had ended (a wait status) or None if the warm process is gone.
        """
        assert self._control is not None
        try:
            self._control.send({"op": "end"})
            return int(self._receive_control(START_SECONDS)["status"])
        except (Closed, SandboxError, KeyError, ValueError):
            self._stop()
            return None

    def _open_once(self, limits: Limits) -> Answer:
        worker_limits = json.dumps(limits.for_worker(self.level == "bubblewrap"))
        folder = self._folder
        if self.level == "process":
            # One of its own, since an answer can write there, and what one leaves the next one would import.
            folder = Path(tempfile.mkdtemp(dir=self._folder))
        if sys.platform == "win32":
            process, ours = self._start_over_tcp(worker_limits, folder)
        else:
            ours, theirs = socket.socketpair()
            args = ["once", str(theirs.fileno()), worker_limits]
            if self.level == "bubblewrap":
                process = self._bubblewrap(args, theirs)
            else:
                process = system.start_process(args, [theirs.fileno()], folder)
                theirs.close()
        channel = Channel(ours)

        def end(grace: float) -> int | None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(grace)  # bubblewrap passes on how the answer ended, unless it is killed first
            system.kill_tree(process)
            status = process.wait()
            if process.stderr:
                process.stderr.close()
            if folder is not self._folder:
                shutil.rmtree(folder, ignore_errors=True)
            return status

        try:
            channel.receive(time.monotonic() + START_SECONDS)
        except (Closed, DeadlinePassed, WireError) as error:
            process.kill()
            words = process.stderr.read().decode(errors="replace")[-500:] if process.stderr else ""
            end(0.0)
            channel.close()
            raise SandboxError(f"the answer's process did not start: {words.strip() or error!r}") from error
        return Answer(channel, limits, process.pid, end)

    def _start_over_tcp(self, worker_limits: str, folder: Path) -> tuple[subprocess.Popen, socket.socket]:
        """Windows has no socketpair that a child could inherit.

        The worker calls back on the loopback and shows a token.
        """
        token = secrets.token_hex(16)
        with socket.create_server(("127.0.0.1", 0)) as server:
            server.settimeout(START_SECONDS)
            address = f"127.0.0.1:{server.getsockname()[1]}"
            process = system.start_process(["once", address, worker_limits, token], [], folder)
            while True:
                ours, _ = server.accept()
                ours.settimeout(5)
                shown = b""
                with contextlib.suppress(OSError):
                    while len(shown) < len(token):
                        shown += ours.recv(len(token) - len(shown)) or b"?" * len(token)
                if secrets.compare_digest(shown, token.encode()):
                    ours.settimeout(None)
                    return process, ours
                ours.close()

    def _stop(self) -> None:
        if self._process is not None:
            system.kill_tree(self._process)
            self._process.wait()
            if self._process.stderr:
                self._process.stderr.close()
            self._process = None
        if self._control is not None:
            self._control.close()
            self._control = None
        self._is_ready = False

    def close(self) -> None:
        """End the warm process and remove what was made for it."""
        self._stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> Sandbox:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Answer:
    """One submission's process: runs its cells, and opens a session for each test cell."""

    def __init__(
        self, channel: Channel, limits: Limits, root_pid: int, end: Callable[[float], int | None]
    ) -> None:
        self._channel = channel
        self._limits = limits
        self._root = root_pid
        self._end = end
        self._number = 0
        self._ended = False

    @property
    def ended(self) -> bool:
        """Whether this answer has been closed."""
        return self._ended

    def run(self, source: str, label: str, deadline: float) -> CellRun:
        """Run one cell. Raises :class:`AnswerEnded` if the process does not survive it."""
        self._number += 1
        request = {"op": "run", "n": self._number, "source": source, "label": label}
        self._send(self._channel, request, deadline)
        reply, _ = self._receive(self._channel, deadline)
        try:
            error = reply["error"]
            return CellRun(
                as_text(reply["stdout"], 100_000),
                int(reply["written"]),
                None if error is None else _clean_error(error),
            )
        except (KeyError, TypeError, ValueError, OverflowError, RecursionError) as bad:
            raise AnswerEnded("format", "the answer wrote into the examiner's channel") from bad

    def session(self, seed: int) -> Session:
        """A fork of the process as it is now, to make calls in. Raises :class:`AnswerEnded`."""
        self._number += 1
        request = {"op": "session", "n": self._number, "seed": seed}
        deadline = time.monotonic() + self._limits.call_seconds
        if not system.CAN_FORK:
            self._send(self._channel, request, deadline)
            return Session(self, self._channel, own=False)
        ours, theirs = socket.socketpair()
        try:
            self._send(self._channel, request, deadline, fds=[theirs.fileno()])
        finally:
            theirs.close()
        return Session(self, Channel(ours), own=True)

    def _send(
        self,
        channel: Channel,
        message: dict[str, Any],
        deadline: float,
        blobs: list[bytes] | None = None,
        fds: list[int] | None = None,
    ) -> None:
        limit = min(deadline, time.monotonic() + self._limits.call_seconds)
        try:
            channel.send(message, blobs, fds, limit)
        except Closed:
            pass  # how it ended is told by what is received next
        except DeadlinePassed:
            raise self._late(limit, deadline) from None

    def _receive(
        self, channel: Channel, deadline: float, meter: Meter | None = None
    ) -> tuple[dict[str, Any], list[bytes]]:
        """The reply to the present request, within the time and memory allowed."""
        if self._ended:
            raise AnswerEnded("crashed", "its process has ended")
        limit = min(deadline, time.monotonic() + self._limits.call_seconds)
        next_look = time.monotonic() + 0.1

        def watch() -> None:
            nonlocal next_look
            if time.monotonic() < next_look:
                return
            next_look = time.monotonic() + 0.1
            used = system.usage(self._root)
            if meter is not None:
                meter.see(used)
            if sum(used.resident.values()) > 1.5 * self._limits.memory:
                raise AnswerEnded("memory", f"it used more than {self._limits.memory / 2**20:.0f} MB")

        try:
            reply, blobs, _ = channel.receive(limit, watch)
        except DeadlinePassed:
            raise self._late(limit, deadline) from None
        except TooLarge as error:
            raise AnswerEnded("output", f"it returned {error}") from None
        except WireError as error:
            raise AnswerEnded("format", f"the answer wrote into the examiner's channel: {error}") from None
        except Closed:
            raise AnswerEnded("crashed", "") from None
        if channel is self._channel and reply.get("n") != self._number:
            raise AnswerEnded("format", "the answer wrote into the examiner's channel")
        return reply, blobs

    def _late(self, limit: float, deadline: float) -> AnswerEnded:
        whole = limit >= deadline
        seconds = self._limits.total_seconds if whole else self._limits.call_seconds
        what = "the whole notebook" if whole else "one call or cell"
        return AnswerEnded("timeout", f"no result within {seconds:g} s, the limit for {what}")

    def how_ended(self) -> tuple[str, str]:
        """After ``crashed``: the kind and the words for how the process ended. Ends it if it has not."""
        status = self.close(GRACE_SECONDS)
        return describe_status(status if status is not None else 9)

    def close(self, grace: float = 0.0) -> int | None:
        """Kill the process and all it started, ``grace`` seconds after it could have ended by itself.

        Returns the exit status that it had, as a wait status.
        """
        if self._ended:
            return None
        self._ended = True
        self._channel.close()
        return self._end(grace)


def describe_status(status: int) -> tuple[str, str]:
    """The verdict's kind and words for an exit code (or minus the signal) of an answer's process."""
    if status > 255:  # a wait status
        status = os.waitstatus_to_exitcode(status)
    if status == FLOOD_STATUS:
        return "output", "it printed more than 64 MB"
    number = status - 128 if status > 128 else -status if status < 0 else 0
    names = {int(s): s.name for s in signal.Signals}
    if number in names:
        word = names[number]
        if word == "SIGXCPU":
            return "timeout", "it used up its processor time"
        return "crashed", f"its process was killed by {word}"
    return "crashed", f"its process ended itself (exit status {status})"


class Session:
    """Calls into one fork of an answer. Handles that it returns mean something in this session only."""

    def __init__(self, answer: Answer, channel: Channel, own: bool) -> None:
        self._answer = answer
        self._channel = channel
        self._own = own
        self._number = 0
        self._generators: list[Any] = []
        self._stuck = False

    def call(
        self,
        function: str,
        calls: Sequence[tuple[Sequence[Any], dict[str, Any]]],
        deadline: float,
        after: bool = False,
    ) -> list[CallResult]:
        """Call ``function`` once for each (args, kwargs), all in one crossing.

        Raises :class:`AnswerEnded` if the process does not survive it, and ``NotPlain`` if an argument may
        not cross. A NumPy Generator may be handed over once: the answer draws from a copy, and a second call
        with the same object would get the same draws without anybody noticing.
        """
        request, blobs = self._request(function, calls, after)
        self._transmit(request, blobs, deadline)
        reply, blobs = self._await(deadline, None)
        return self._understood(reply, blobs, len(calls))

    def _request(
        self, function: str, calls: Sequence[tuple[Sequence[Any], dict[str, Any]]], after: bool
    ) -> tuple[dict[str, Any], list[bytes]]:
        encoder = Encoder()
        trees = []
        for args, kwargs in calls:
            for value in (*args, *kwargs.values()):
                self._once_only(value)
            trees.append(
                {
                    "args": [encoder.encode(a) for a in args],
                    "kwargs": {k: encoder.encode(v) for k, v in kwargs.items()},
                }
            )
        self._number += 1
        request = {"op": "calls", "n": self._number, "function": function, "calls": trees, "after": after}
        return request, encoder.blobs

    def _transmit(self, message: dict[str, Any], blobs: list[bytes], deadline: float) -> None:
        limit = min(deadline, time.monotonic() + self._answer._limits.call_seconds)
        try:
            self._channel.send(message, blobs, deadline=limit)
        except Closed:
            self._crashed()
        except DeadlinePassed:
            self._stuck = True
            raise self._answer._late(limit, deadline) from None

    def _await(self, deadline: float, meter: Meter | None) -> tuple[dict[str, Any], list[bytes]]:
        try:
            return self._answer._receive(self._channel, deadline, meter)
        except AnswerEnded as ended:
            if ended.kind == "crashed":
                self._crashed()
            self._stuck = True
            raise

    def _understood(self, reply: dict[str, Any], blobs: list[bytes], count: int) -> list[CallResult]:
        try:
            return self._results(reply, blobs, count)
        except (WireError, KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
            raise AnswerEnded("format", f"the answer wrote into the examiner's channel ({error})") from error

    def _once_only(self, value: Any) -> None:
        import numpy as np

        if type(value) is np.random.Generator:
            if any(value is seen for seen in self._generators):
                raise ValueError("a Generator crosses the wall once: make a fresh one for each call")
            self._generators.append(value)

    def _results(self, reply: dict[str, Any], blobs: list[bytes], count: int) -> list[CallResult]:
        if reply["n"] != self._number or len(reply["results"]) != count:
            raise WireError("an answer to another question")
        decoder = Decoder(blobs)
        results = []
        for result in reply["results"]:
            after = tuple(decoder.decode(a) for a in result.get("after", ()))
            if result.get("missing"):
                results.append(CallResult(missing=True))
            elif "error" in result:
                results.append(CallResult(error=_clean_error(result["error"]), after=after))
            else:
                results.append(CallResult(value=decoder.decode(result["value"]), after=after))
        return results

    def _crashed(self) -> None:
        """The fork is gone: ask its parent how it ended."""
        status = None
        if self._own and not self._answer._ended:
            with contextlib.suppress(AnswerEnded):
                reply, _ = self._answer._receive(self._answer._channel, time.monotonic() + GRACE_SECONDS)
                status = reply.get("status")
                self._own = False
                self._channel.close()
        if type(status) is int:
            raise AnswerEnded(*describe_status(os.waitstatus_to_exitcode(status & 0xFFFF)))
        raise AnswerEnded(*self._answer.how_ended())

    def measure(
        self, function: str, args: Sequence[Any], kwargs: dict[str, Any], deadline: float
    ) -> tuple[CallResult, Meter]:
        """One call, measured from outside: what its processes held at most beyond the start, and their
        processor time.

        Raises as :meth:`call` does.
        """
        request, blobs = self._request(function, [(args, kwargs)], False)
        request["measured"] = True
        meter = Meter(system.usage(self._answer._root))
        self._transmit(request, blobs, deadline)
        begun = False
        while True:
            reply, blobs = self._await(deadline, meter)
            if reply.get("at") not in ("before", "after"):
                return self._understood(reply, blobs, 1)[0], meter
            now = system.usage(self._answer._root)
            if reply["at"] == "before":
                if begun:
                    raise AnswerEnded("format", "the answer wrote into the examiner's channel")
                begun = True
                meter.start, meter.peak, meter.cpu = now, {}, {}
            meter.see(now)
            self._transmit({"op": "go"}, [], deadline)

    def close(self) -> bool:
        """End the session; returns whether the answer's process is fit for another."""
        if not self._own:
            if not system.CAN_FORK and not self._answer._ended:
                with contextlib.suppress(AnswerEnded):
                    self._answer._send(self._channel, {"op": "end"}, time.monotonic() + GRACE_SECONDS)
            return not (self._answer._ended or self._stuck)
        self._channel.close()
        self._own = False
        for attempt in range(2):
            try:
                if self._stuck or attempt:
                    deadline = time.monotonic() + GRACE_SECONDS / 2
                    self._answer._send(self._answer._channel, {"op": "stop"}, deadline)
                self._answer._receive(self._answer._channel, time.monotonic() + GRACE_SECONDS / 2)
                return True
            except AnswerEnded as ended:
                if ended.kind != "timeout":
                    return False
        return False


def _clean_error(error: Any) -> dict[str, Any]:
    """An error as told by an answer, with every field of the right type and length."""
    return {
        "type": as_text(error["type"], 60),
        "name": as_text(error["name"], 60),
        "message": as_text(error["message"], 1000),
        "place": as_text(error["place"], 300),
        "forbidden": error["forbidden"] is True,
    }


@dataclass(frozen=True)
class Probe:
    """The level that a machine reaches, and for each stronger level why it does not."""

    level: str
    refused: dict[str, str]


def best_sandbox(meanwhile: Callable[[], object] = lambda: None) -> tuple[Sandbox, Probe]:
    """Start the strongest sandbox that works here, found by trying.

    ``FOURROUNDS_SANDBOX`` names a level to use instead. ``meanwhile`` is called while a warm process is
    starting. Raises :class:`SandboxError` if the named one, or none at all, works.
    """
    wanted = os.environ.get("FOURROUNDS_SANDBOX")
    if wanted and wanted not in LEVELS:
        raise SandboxError(f"FOURROUNDS_SANDBOX is {wanted!r}; it must be one of {', '.join(LEVELS)}")
    refused: dict[str, str] = {}
    for level in [wanted] if wanted else LEVELS:
        sandbox = Sandbox(level)
        try:
            sandbox.start()
            meanwhile()
            answer = sandbox.open(Limits())
            answer.close()
            return sandbox, Probe(level, refused)
        except (SandboxError, OSError) as error:
            refused[level] = str(error)
            sandbox.close()
    raise SandboxError("; ".join(f"{level}: {why}" for level, why in refused.items()))
