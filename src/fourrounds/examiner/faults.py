"""Names the fault of a wrong answer.

The known wrong answer that gives the same output for the same inputs.
"""

from __future__ import annotations

import copy
import math
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from fourrounds.answers.sandbox import Answer, AnswerEnded, CallResult, Limits, Sandbox, SandboxError, Session
from fourrounds.answers.wire import Handle, NotPlain
from fourrounds.checks.compare import RTOL, compare, same
from fourrounds.examiner.problem import Fault, Problem
from fourrounds.examiner.report import Call, told

SOLUTION = "solution"
_SECONDS = 20.0
_NOISE = {False: math.log(1.4), True: math.log(3.0)}
"""How far apart two measures of one program lie at most: of memory, and of time, on a busy machine."""


class FaultServer:
    """Holds every fault of a problem, and its solution, ready in a sandbox of its own.

    Started when first needed.
    """

    def __init__(self, level: str) -> None:
        self._sandbox = Sandbox(level)
        self._answer: Answer | None = None
        self._loaded = ""

    def close(self) -> None:
        if self._answer is not None:
            self._answer.close()
            self._answer = None
        self._sandbox.close()

    def session(self, problem: Problem, seed: int) -> Session:
        """A session in which function ``f`` of fault ``x`` is called ``x:f``.

        Raises ``SandboxError``, ``AnswerEnded``.
        """
        if self._answer is not None and (self._loaded != problem.sha256 or self._answer.ended):
            self._answer.close()
            self._answer = None
        if self._answer is None:
            self._answer = self._sandbox.open(Limits(_SECONDS, 3600.0, problem.limits.memory_mb * 2**20))
            self._loaded = problem.sha256
            self._answer.run(_program(problem), "faults", time.monotonic() + 60)
        return self._answer.session(seed)

    def matches(self, problem: Problem, calls: Sequence[Call], seed: int) -> list[Fault]:
        """The faults that give what the learner's answer gave for all of ``calls``.

        A fault with the same outputs fails the same check, so a name is never a guess. The same is what is
        identical; if no fault's are, what a comparison takes for equal; and at last what differs by rounding.
        Where the solution's outputs are the same in that sense too, no fault is named.
        """
        if not calls or any(call.error is not None and call.raised is None for call in calls):
            return []  # an answer that ended its process gave no output to compare
        for alike in (_identical, _alike, _nearly):
            found = self._matches(problem, calls, seed, alike)
            if found:
                return found
        return []

    def _matches(self, problem: Problem, calls: Sequence[Call], seed: int, alike: Alike) -> list[Fault]:
        found: list[Fault] = []
        session: Session | None = None
        telling: Sequence[Call] | None = None
        try:
            for fault in problem.faults:
                session = session or self.session(problem, seed)
                try:
                    if telling is None:
                        telling = calls[-1:]  # should the solution end its process
                        differing = _telling(session, calls, alike)
                        if differing is None:
                            break
                        telling = differing
                    if _gives_the_same(session, fault.name, calls, telling, alike):
                        found.append(fault)
                except AnswerEnded:
                    # This fault does not survive these inputs, so it is not the learner's.
                    self._leave(session)
                    session = None
        except (SandboxError, AnswerEnded):
            return found  # a verdict stands without a name
        finally:
            if session is not None:
                self._leave(session)
        return found

    def as_costly(
        self, problem: Problem, faults: Sequence[Fault], calls: Sequence[Call], seed: int, seconds: bool
    ) -> list[Fault]:
        """The one of ``faults`` that gives what the answer gave for all of ``calls``, at the last one's cost.

        The cost is processor time if ``seconds``, else peak memory. The nearest counts, and none if it is
        farther off than the noise of such a measure.
        """
        distances: dict[str, float] = {}
        try:
            for fault in faults:
                session = self.session(problem, seed)
                try:
                    cost = _cost(session, fault.name, calls)
                except AnswerEnded:
                    continue
                finally:
                    self._leave(session)
                if cost is not None and calls[-1].cost is not None:
                    distances[fault.name] = _apart(cost, calls[-1].cost, seconds)
        except (SandboxError, AnswerEnded):
            return []
        near = [fault for fault in faults if distances.get(fault.name, math.inf) <= _NOISE[seconds]]
        return sorted(near, key=lambda fault: distances[fault.name])[:1]

    def _leave(self, session: Session) -> None:
        if not session.close() and self._answer is not None:
            self._answer.close()


def choose(candidates: Sequence[tuple[str, Sequence[Fault]]]) -> list[Fault | None]:
    """One fault for each failed test cell, given its group and the faults that fit it.

    Several can fit one cell. The learner has probably made one mistake and not several: the fault that fits
    the most cells is preferred, then one of the cell's own group.
    """
    fits = Counter(fault.name for _, faults in candidates for fault in faults)
    return [
        max(faults, key=lambda fault: (fits[fault.name], fault.group == group), default=None)
        for group, faults in candidates
    ]


def _program(problem: Problem) -> str:
    """One cell that defines every fault in a namespace of its own, its functions as ``fault:function``."""
    setup = "\n\n".join(cell.source for cell in problem.by_role("setup"))
    lines = [f"_setup = {setup!r}", f"_solution = {problem.solution()!r}"]
    for name, source in [(SOLUTION, ""), *((fault.name, fault.source) for fault in problem.faults)]:
        lines += [
            "_names = {'__name__': '__main__'}",
            f"for _text in (_setup, _solution, {source!r}):",
            "    exec(_text, _names)",
            f"for _function in {problem.contract!r}:",
            f"    globals()[{name!r} + ':' + _function] = _names.get(_function)",
        ]
    return "\n".join(lines)


def _telling(session: Session, calls: Sequence[Call], alike: Alike) -> Sequence[Call] | None:
    """One call of which a fault must give the same, or it is not the learner's.

    It is the first that the solution answers otherwise, where nearly all faults differ; None if it answers
    all alike. Empty where objects stay with the answer, since a call then means nothing without those before.
    """
    if any(map(_has_handle, calls)):
        return ()
    for group in _runs(calls):
        for call, right in zip(group, _repeated(session, SOLUTION, group, {}), strict=False):
            if not _same(call, right, {}, alike):
                return (call,)
    return None


def _gives_the_same(
    session: Session, fault: str, calls: Sequence[Call], telling: Sequence[Call], alike: Alike
) -> bool:
    if len(calls) > 1 and telling and not _repeat(session, fault, telling, {}, alike):
        return False
    theirs: dict[int, Any] = {}  # the learner's handles -> this fault's
    return all(_repeat(session, fault, group, theirs, alike) for group in _runs(calls))


def _repeat(
    session: Session, fault: str, group: Sequence[Call], theirs: dict[int, Any], alike: Alike
) -> bool:
    """Whether the fault gives for these calls of one function, made in one crossing, what the answer gave."""
    results = _repeated(session, fault, group, theirs)
    return len(results) == len(group) and all(
        _same(call, result, theirs, alike) for call, result in zip(group, results, strict=True)
    )


def _repeated(
    session: Session, fault: str, group: Sequence[Call], theirs: dict[int, Any]
) -> Sequence[CallResult]:
    """What the fault gives for these calls of one function, in one crossing; nothing if it cannot."""
    try:
        requests = [
            (
                tuple(_translate(a, theirs) for a in call.args),
                {key: _translate(value, theirs) for key, value in call.kwargs.items()},
            )
            for call in group
        ]
        function = f"{fault}:{group[0].function}"
        deadline = time.monotonic() + _SECONDS
        return session.call(function, requests, deadline, bool(group[0].after))
    except (NotPlain, KeyError, ValueError):
        return ()


def _runs(calls: Sequence[Call]) -> list[list[Call]]:
    """Consecutive calls of one function, to be made in one crossing.

    A call that uses a handle stands alone.
    """
    runs: list[list[Call]] = []
    for call in calls:
        alone = _has_handle(call)
        if runs and not alone and not call.after and _joins(runs[-1][-1], call):
            runs[-1].append(call)
        else:
            runs.append([call])
    return runs


def _joins(last: Call, call: Call) -> bool:
    return last.function == call.function and not last.after and not _has_handle(last)


def _has_handle(call: Call) -> bool:
    """Whether an object of the answer's own went in or came out."""
    return any(isinstance(v, Handle) for v in _leaves((call.args, call.kwargs, call.result)))


def _leaves(value: Any) -> Iterator[Any]:
    """What plain containers hold, however deep."""
    if isinstance(value, dict):
        value = [*value.keys(), *value.values()]
    if isinstance(value, (list, tuple)):
        for part in value:
            yield from _leaves(part)
    else:
        yield value


def _cost(session: Session, fault: str, calls: Sequence[Call]) -> tuple[int, float] | None:
    """The fault's cost of the last call (bytes, seconds); None if it gives anything else than the answer."""
    theirs: dict[int, Any] = {}
    *before, last = calls
    if not all(_repeat(session, fault, group, theirs, _alike) for group in _runs(before)):
        return None
    try:
        args = tuple(_translate(a, theirs) for a in last.args)
        kwargs = {key: _translate(value, theirs) for key, value in last.kwargs.items()}
        deadline = time.monotonic() + _SECONDS
        result, meter = session.measure(f"{fault}:{last.function}", args, kwargs, deadline)
    except (NotPlain, KeyError, ValueError):
        return None
    return (meter.peak_bytes, meter.cpu_seconds) if _same(last, result, theirs, _alike) else None


def _apart(one: tuple[int, float], other: tuple[int, float], seconds: bool) -> float:
    """How many times as much the one took as the other, as the absolute logarithm."""
    a, b = one[seconds], other[seconds]
    return abs(math.log(a / b)) if a > 0 and b > 0 else math.inf


def _translate(value: Any, handles: dict[int, Any]) -> Any:
    if isinstance(value, np.random.Generator):
        return copy.deepcopy(value)  # one object crosses once, and every fault needs the same draws
    if isinstance(value, (list, tuple)):
        return type(value)(_translate(part, handles) for part in value)
    if isinstance(value, dict):
        return {key: _translate(part, handles) for key, part in value.items()}
    return handles[value.number] if isinstance(value, Handle) else value


def _same(call: Call, result: CallResult, handles: dict[int, Any], alike: Alike) -> bool:
    if call.error is not None:
        # One type of exception has many causes: its words tell them apart.
        return result.error is not None and call.error == told(result.error)
    if result.error is not None or result.missing:
        return False
    return alike(call.result, result.value, handles) and alike(call.after, result.after, {})


Alike = Callable[[Any, Any, dict[int, Any]], bool]
"""Whether what an answer gave is what a fault gives; the dictionary takes the pairs of their objects."""


def _alike(
    mine: Any, theirs: Any, handles: dict[int, Any], noise: float = 0.0, rtol: float | None = None
) -> bool:
    """As :func:`same`; and a number is a number in whatever type it comes, as it is for a comparison.

    An object is like any other: what it is, is told by the calls that use it. ``noise`` is what numbers may
    differ by at least, in roundings of numbers near 1; ``rtol`` stands for the tolerance of a comparison.
    """
    if isinstance(mine, Handle) and isinstance(theirs, Handle):
        handles[mine.number] = theirs
        return True
    if isinstance(mine, (list, tuple)) and type(mine) is type(theirs) and len(mine) == len(theirs):
        return all(_alike(a, b, handles, noise, rtol) for a, b in zip(mine, theirs, strict=True))
    if isinstance(mine, dict) and isinstance(theirs, dict) and mine.keys() == theirs.keys():
        return all(_alike(mine[key], theirs[key], handles, noise, rtol) for key in mine)
    if type(mine) is not type(theirs) and _is_number(mine) and _is_number(theirs):
        return compare(float(mine), float(theirs), rtol=rtol, atol=rtol).ok
    values = np.asarray(mine) if isinstance(mine, (float, np.floating, np.ndarray)) else None
    if noise and values is not None and values.dtype.kind == "f":
        largest = float(np.abs(values[np.isfinite(values)]).max(initial=0.0))
        rounding = noise * float(np.finfo(values.dtype).eps)
        return same(mine, theirs, atol=max(RTOL.get(values.dtype, 1e-9) * largest, rounding))
    return same(mine, theirs, rtol, rtol)


def _identical(mine: Any, theirs: Any, handles: dict[int, Any]) -> bool:
    """As :func:`_alike`, to the last bit."""
    return _alike(mine, theirs, handles, rtol=0.0)


def _nearly(mine: Any, theirs: Any, handles: dict[int, Any]) -> bool:
    """As :func:`_alike`, where nothing is quite alike.

    Where the right value is zero, all that comes out may be the rounding of numbers near 1, and that differs
    between two runs of one program, by where its arrays lie in memory.
    """
    return _alike(mine, theirs, handles, noise=64)


def _is_number(value: Any) -> bool:
    value = value[()] if type(value) is np.ndarray and value.ndim == 0 else value
    return isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)
