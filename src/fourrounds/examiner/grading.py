"""Runs a submission: its cells in the sandbox, the test cells here, and the verdict from what came back."""

from __future__ import annotations

import ast
import builtins
import contextlib
import copy
import io
import math
import secrets
import sys
import time
from collections.abc import Callable, Sequence
from types import CodeType, TracebackType
from typing import Any, NoReturn

from fourrounds.answers.sandbox import (
    LEVELS,
    Answer,
    AnswerEnded,
    CallResult,
    Limits,
    Probe,
    Sandbox,
    SandboxError,
    Session,
    best_sandbox,
)
from fourrounds.checks import CheckFailed, Kind, seeded
from fourrounds.examiner.faults import SOLUTION, FaultServer, choose
from fourrounds.examiner.problem import Cell, Fault, Problem
from fourrounds.examiner.report import COSTS, Call, CellReport, Detail, Report, told
from fourrounds.examiner.submission import Part, Submission, is_untouched

MAX_TIMEOUTS = 2
MAX_PRINTED = 2**20
"""Characters of all that a submission prints which are kept."""
BY_OUTPUT = {
    Kind.PARTIAL,
    Kind.WRONG_VALUE,
    Kind.WRONG_SHAPE,
    Kind.WRONG_DTYPE,
    Kind.WRONG_TYPE,
    Kind.CRASHED,
}
"""The verdicts on what an answer gave."""


class AnswerRaised(Exception):
    """A call into the answer raised.

    An instance is also of the builtin type that the answer raised, so that a test can expect it.
    """

    def __init__(self, function: str, error: dict[str, Any]) -> None:
        super().__init__(error["message"])
        self.function = function
        self.error = error


class AnswerMissing(Exception):
    """The answer defines no such function."""

    def __init__(self, function: str) -> None:
        super().__init__(function)
        self.function = function


def _raise_as(function: str, error: dict[str, Any]) -> NoReturn:
    base = getattr(builtins, error["type"], None)
    if isinstance(base, type) and issubclass(base, Exception) and base is not Exception:
        with contextlib.suppress(
            TypeError
        ):  # some builtins (UnicodeDecodeError) cannot be made from a message
            kind = type(f"Answer{error['type']}", (AnswerRaised, base), {})
            raise kind(function, error)
    raise AnswerRaised(function, error)


class Proxy:
    """A function of the contract as a test cell sees it: every call crosses the wall."""

    def __init__(self, name: str, target: Target) -> None:
        self.__name__ = name
        self._target = target

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._value(self._target.call(self.__name__, [(args, kwargs)])[0])

    def batch(self, inputs: Sequence[Sequence[Any]]) -> list[Any]:
        return [self._value(r) for r in self._target.call(self.__name__, [(tuple(a), {}) for a in inputs])]

    def with_arguments(self, *args: Any, **kwargs: Any) -> tuple[Any, tuple[Any, ...]]:
        result = self._target.call(self.__name__, [(args, kwargs)], after=True)[0]
        return self._value(result), result.after

    def measure(self, *args: Any, **kwargs: Any) -> tuple[int, float, Any]:
        result, peak, seconds = self._target.measure(self.__name__, args, kwargs)
        return peak, seconds, self._value(result)

    def _value(self, result: CallResult) -> Any:
        if result.missing:
            raise AnswerMissing(self.__name__)
        if result.error is not None:
            _raise_as(self.__name__, result.error)
        return result.value

    def __repr__(self) -> str:
        return f"<{self.__name__} of the answer>"


class Target:
    """Where the proxies of one test cell send their calls: one session, opened at the first call."""

    def __init__(self, open_session: Callable[[], Session], deadline: float, prefix: str = "") -> None:
        self._open = open_session
        self._deadline = deadline
        self._prefix = prefix
        self.session: Session | None = None
        self.calls: list[Call] = []

    def _session(self) -> Session:
        if self.session is None:
            self.session = self._open()
        return self.session

    def call(
        self, function: str, calls: Sequence[tuple[tuple, dict[str, Any]]], after: bool = False
    ) -> list[CallResult]:
        made = [self._record(function, args, kwargs) for args, kwargs in calls]
        try:
            results = self._session().call(self._prefix + function, calls, self._deadline, after)
        except AnswerEnded as ended:
            made[0].error = str(ended)
            self.calls.append(made[0])
            raise
        for call, result in zip(made, results, strict=True):
            self._finish(call, result)
        return results

    def measure(self, function: str, args: tuple, kwargs: dict[str, Any]) -> tuple[CallResult, int, float]:
        call = self._record(function, args, kwargs)
        try:
            result, meter = self._session().measure(self._prefix + function, args, kwargs, self._deadline)
        except AnswerEnded as ended:
            call.error = str(ended)
            self.calls.append(call)
            raise
        self._finish(call, result)
        call.cost = (meter.peak_bytes, meter.cpu_seconds)
        return result, meter.peak_bytes, meter.cpu_seconds

    @staticmethod
    def _record(function: str, args: tuple, kwargs: dict[str, Any]) -> Call:
        # Copies: a test may go on to change an array in place, or to draw from a generator.
        return Call(function, copy.deepcopy(args), copy.deepcopy(kwargs))

    def _finish(self, call: Call, result: CallResult) -> None:
        call.result = result.value
        call.after = result.after
        if result.missing:
            call.error = "it is not defined"
        elif result.error is not None:
            call.raised = result.error["name"]
            call.error = told(result.error)
        self.calls.append(call)


def _no_display(*shown: Any, **how: Any) -> None:
    """What ``display`` is outside a kernel: set-up cells that show something run here too."""


class _Bench:
    """A problem's test cells, compiled once. ``earned`` holds the last expression of those that give a part
    of their points."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.code: dict[str, CodeType] = {}
        self.earned: dict[str, CodeType] = {}
        for cell in problem.by_role("setup", "truth", "provided", "hidden"):
            if cell.cell_type != "code":
                continue
            place = f"<{problem.slug}: {cell.grade_id}>"
            tree = ast.parse(cell.source, place)
            if cell.partial:
                last = tree.body.pop() if tree.body else None
                if not isinstance(last, ast.Expr):
                    raise ValueError(
                        f"{cell.grade_id} must end with an expression: the points that are earned"
                    )
                self.earned[cell.grade_id] = compile(ast.Expression(last.value), place, "eval")
            self.code[cell.grade_id] = compile(tree, place, "exec")

    def namespace(self) -> dict[str, Any]:
        """The names of set-up and truth cells, as a test cell sees them. Raises what they raise."""
        names: dict[str, Any] = {"__name__": "__main__", "display": _no_display}
        for cell in self.problem.by_role("setup", "truth"):
            with contextlib.redirect_stdout(io.StringIO()):
                exec(self.code[cell.grade_id], names)
        torch = sys.modules.get("torch")
        if torch is not None and torch.get_num_threads() != 1:
            torch.set_num_threads(
                1
            )  # test-sized operators are slower in a pool, and grading shares its cores
        return names


class Examiner:
    """Grades submissions in the strongest sandbox that this machine offers; one warm process serves them all.

    ``level`` (or the variable ``FOURROUNDS_SANDBOX``) names a level to use instead. Raises ``SandboxError``
    when no sandbox can be started. ``first`` is a problem to make ready while the sandbox starts.
    """

    def __init__(self, level: str | None = None, first: Problem | None = None) -> None:
        self._benches: dict[str, _Bench] = {}

        def prepare() -> None:
            if first is not None:
                with contextlib.suppress(Exception):  # what is wrong with a problem, its first grading tells
                    self.bench(first).namespace()

        if level is None:
            self._sandbox, self.probe = best_sandbox(prepare)
        elif level not in LEVELS:
            raise SandboxError(f"there is no sandbox level {level!r}, only {', '.join(LEVELS)}")
        else:
            self._sandbox, self.probe = Sandbox(level), Probe(level, {})
            self._sandbox.start()
        self._faults = FaultServer(self.probe.level)

    @property
    def level(self) -> str:
        return self.probe.level

    def close(self) -> None:
        """End the sandbox's processes."""
        self._sandbox.close()
        self._faults.close()

    def __enter__(self) -> Examiner:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def bench(self, problem: Problem) -> _Bench:
        if problem.sha256 not in self._benches:
            self._benches[problem.sha256] = _Bench(problem)
        return self._benches[problem.sha256]

    def solution_passes(self, problem: Problem, cell: Cell, seed: int) -> bool:
        """Whether the problem's own solution passes this test cell on ``seed``."""
        deadline = time.monotonic() + problem.limits.total_seconds
        target = Target(lambda: self._faults.session(problem, seed), deadline, f"{SOLUTION}:")
        bench = self.bench(problem)
        try:
            run_test(bench, cell, bench.namespace(), problem.contract, target, seed)
        except Exception:
            return False
        finally:
            if target.session is not None:
                target.session.close()
        return True

    def grade(
        self,
        problem: Problem,
        submission: Submission,
        seed: int | None = None,
        *,
        keep_calls: bool = False,
        name_faults: bool = True,
        progress: Callable[[int, int, str], None] | None = None,
    ) -> Report:
        """The verdicts on ``submission``, all test inputs drawn from ``seed`` (a fresh one unless given).

        With ``keep_calls`` each verdict keeps the calls that led to it; without ``name_faults`` no fault is
        looked for. ``progress`` is called with (cells done, cells in all, what is next). Never raises for
        what an answer does.
        """
        seed = secrets.randbits(31) if seed is None else seed
        begun = time.monotonic()
        report = Report(
            problem.slug,
            problem.assignment,
            seed,
            self.level,
            notes=list(submission.notes),
            source_sha256=problem.sha256,
        )
        if submission.failure is not None:
            _fail_all(report, submission, submission.failure_kind, submission.failure)
        elif submission.untouched:
            _fail_all(report, submission, Kind.NOT_ATTEMPTED, "The answer cells are as they were released.")
        else:
            _Run(self, problem, submission, report, keep_calls, name_faults, progress).run()
        report.seconds = time.monotonic() - begun
        return report


def _blank(cell: Cell, seed: int) -> CellReport:
    return CellReport(cell.grade_id, cell.group or cell.role, Kind.NOT_ATTEMPTED, 0.0, cell.points, seed=seed)


def _fail_all(report: Report, submission: Submission, kind: Kind, message: str) -> None:
    for part in submission.parts:
        if part.cell is None or part.cell.role not in {"hidden", "provided", "manual"}:
            continue
        verdict = _manual(part, report.seed) if part.cell.role == "manual" else _blank(part.cell, report.seed)
        if verdict.kind is not Kind.MANUAL:
            verdict.kind, verdict.message = kind, message
            verdict.points = None if kind is Kind.EXAMINER_FAULT else 0.0
        (report.provided if part.cell.role == "provided" else report.cells).append(verdict)


def _manual(part: Part, seed: int) -> CellReport:
    assert part.cell is not None
    verdict = _blank(part.cell, seed)
    if not is_untouched(part) and part.source.strip():
        verdict.kind, verdict.points = Kind.MANUAL, None
        verdict.message = "A person grades this."
    else:
        verdict.message = "Nothing was written here."
    return verdict


class _Run:
    """One submission on its way through the examiner."""

    def __init__(
        self,
        examiner: Examiner,
        problem: Problem,
        submission: Submission,
        report: Report,
        keep_calls: bool,
        name_faults: bool,
        progress: Callable[[int, int, str], None] | None,
    ) -> None:
        self.examiner = examiner
        self.problem = problem
        self.submission = submission
        self.report = report
        self.keep_calls = keep_calls
        self.name_faults = name_faults
        self.progress = progress
        own = problem.limits
        self.limits = Limits(own.call_seconds, own.total_seconds, own.memory_mb * 2**20)
        self.deadline = time.monotonic() + own.total_seconds
        self.answer: Answer | None = None
        self.done: list[Part] = []  # the parts that the present process has run
        self.dead: tuple[Kind, str] | None = None
        self.errors: list[tuple[Part, dict[str, Any]]] = []
        self.timeouts = 0
        self.room = MAX_PRINTED
        self.candidates: list[tuple[CellReport, list[Fault]]] = []

    def run(self) -> None:
        try:
            self.bench = self.examiner.bench(self.problem)
            self.names = self.bench.namespace()
        except Exception as error:
            message = (
                f"The test cells of {self.problem.slug} cannot be prepared ({type(error).__name__}: {error})."
            )
            _fail_all(self.report, self.submission, Kind.EXAMINER_FAULT, message)
            return
        try:
            for number, part in enumerate(self.submission.parts):
                self._part(number, part)
        finally:
            if self.answer is not None:
                self.answer.close()
        chosen = choose([(verdict.group, faults) for verdict, faults in self.candidates])
        for (verdict, _), fault in zip(self.candidates, chosen, strict=True):
            if fault is not None:
                verdict.fault, verdict.fault_says = fault.name, fault.says

    def _part(self, number: int, part: Part) -> None:
        cell = part.cell
        role = "own" if cell is None else cell.role
        if role in {"hidden", "provided"}:
            assert cell is not None
            if self.progress:
                self.progress(number, len(self.submission.parts), cell.group or "provided tests")
            begun = time.monotonic()
            verdict = _blank(cell, self.report.seed)
            self._test(cell, verdict)
            verdict.seconds = time.monotonic() - begun
            (self.report.provided if role == "provided" else self.report.cells).append(verdict)
        elif role == "manual":
            self.report.cells.append(_manual(part, self.report.seed))
        if part.cell_type == "code" and role in {"own", "setup", "answer", "manual"} and self.dead is None:
            self._execute(number, part)

    # -- the learner's cells

    def _execute(self, number: int, part: Part) -> None:
        self.done.append(part)
        if not part.source.strip():
            return
        try:
            if self.answer is None:
                self._reopen(self.done[:-1])
            assert self.answer is not None
            ran = self.answer.run(part.source, f"cell {number}", self.deadline)
        except AnswerEnded as ended:
            kind, words = Kind(ended.kind), str(ended)
            if ended.kind == "crashed" and self.answer is not None and not words:
                told, words = self.answer.how_ended()
                kind = Kind(told)
            self.dead = (kind, f"{_name_of(part)} did not come to its end: {words}.")
            return
        except SandboxError as error:
            self.dead = (Kind.EXAMINER_FAULT, f"The sandbox failed: {error}.")
            return
        if ran.stdout and self.room > 0:
            shown = ran.stdout[: self.room]
            self.room -= len(shown)
            clipped = "\n[... clipped]" if ran.written > len(shown) else ""
            self.report.printed[number] = shown + clipped
        if ran.error is not None:
            self.errors.append((part, ran.error))

    def _reopen(self, parts: list[Part]) -> None:
        """A fresh process, brought to where the last one was."""
        if self.answer is not None:
            self.answer.close()
        self.answer = self.examiner._sandbox.open(self.limits)
        for part in parts:
            if part.source.strip():
                self.answer.run(part.source, "again", self.deadline)

    # -- the test cells

    def _test(self, cell: Cell, verdict: CellReport) -> None:
        if self.dead is not None:
            verdict.kind, verdict.message = self.dead
            self._settle(verdict)
            return
        if self.timeouts >= MAX_TIMEOUTS or time.monotonic() > self.deadline:
            verdict.kind = Kind.TIMEOUT
            verdict.message = "Not run: earlier tests of this submission have used up its time."
            return
        target = Target(self._open_session, self.deadline)
        try:
            self._judge(cell, verdict, target)
        finally:
            if target.session is not None and not target.session.close() and self.answer is not None:
                self.answer.close()
                self.answer = None
        if verdict.kind is Kind.TIMEOUT:
            self.timeouts += 1
        if self.keep_calls:
            verdict.calls = target.calls
        if cell.role == "hidden" and self.name_faults:
            faults = self._faults_of(verdict, target.calls)
            if faults is not None:
                self.candidates.append((verdict, faults))
        self._settle(verdict)

    def _faults_of(self, verdict: CellReport, calls: list[Call]) -> list[Fault] | None:
        """The known faults that fit the calls behind a verdict; None where a verdict is not on them."""
        if verdict.kind in BY_OUTPUT:
            return self.examiner._faults.matches(self.problem, calls, self.report.seed)
        if verdict.kind in COSTS and calls and calls[-1].cost is not None:
            own = [fault for fault in self.problem.faults if fault.group == verdict.group]
            seconds = verdict.kind is Kind.TIMEOUT
            return self.examiner._faults.as_costly(self.problem, own, calls, self.report.seed, seconds)
        return None

    def _settle(self, verdict: CellReport) -> None:
        if verdict.kind is Kind.OK:
            verdict.points = verdict.max_points
        elif verdict.kind is Kind.EXAMINER_FAULT:
            verdict.points = None

    def _open_session(self) -> Session:
        if self.answer is None:
            self._reopen(self.done)
        assert self.answer is not None
        return self.answer.session(self.report.seed)

    def _judge(self, cell: Cell, verdict: CellReport, target: Target) -> None:
        """Run one test cell and put its outcome into ``verdict``."""
        try:
            earned = run_test(
                self.bench, cell, self.names, self.problem.contract, target, self.report.seed, verdict.details
            )
        except CheckFailed as failed:
            verdict.kind, verdict.message = failed.outcome.kind, failed.outcome.message
        except AnswerRaised as raised:
            verdict.kind, verdict.message = _verdict_on(raised.error, f"{raised.function} raised")
        except AnswerMissing as missing:
            verdict.kind, verdict.message = self._why_missing(missing.function)
        except AnswerEnded as ended:
            verdict.kind = Kind(ended.kind)
            function = target.calls[-1].function if target.calls else "The answer"
            verdict.message = f"{function}: {ended}." if str(ended) else f"{function} ended its process."
        except SandboxError as error:
            verdict.kind, verdict.message = Kind.EXAMINER_FAULT, f"The sandbox failed: {error}."
        except AssertionError as error:
            verdict.kind, verdict.message = (
                Kind.WRONG_VALUE,
                str(error) or "An assertion of the test does not hold.",
            )
        except Exception as error:
            self._unexpected(cell, verdict, error, target)
        else:
            _credit(verdict, earned)

    def _why_missing(self, function: str) -> tuple[Kind, str]:
        for part, error in reversed(self.errors):
            if part.cell is None or part.cell.is_answer:
                kind, words = _verdict_on(error, f"{_name_of(part)} ended with")
                return kind, f"{function} is not defined. {words}"
        return Kind.CRASHED, f"{function} is not defined: the notebook has no function of that name."

    def _unexpected(self, cell: Cell, verdict: CellReport, error: Exception, target: Target) -> None:
        """The test code itself raised.

        An error that names its ``verdict`` speaks of what was handed in. Of any other: if the cell passes for
        the solution on this seed, the answer's output was beyond it.
        """
        own = getattr(type(error), "verdict", None)
        if own in set(Kind):
            verdict.kind, verdict.message = Kind(own), str(error)
            return
        words = f"{type(error).__name__}: {error}"
        if self.examiner.solution_passes(self.problem, cell, self.report.seed):
            function = target.calls[-1].function if target.calls else "the answer"
            verdict.kind = Kind.WRONG_TYPE
            verdict.message = (
                f"What {function} returned could not be used as the contract says ({words[:300]})."
            )
        else:
            verdict.kind = Kind.EXAMINER_FAULT
            verdict.message = f"The test cell {cell.grade_id} failed by itself ({words[:300]})."


def run_test(
    bench: _Bench,
    cell: Cell,
    names: dict[str, Any],
    contract: Sequence[str],
    target: Target,
    seed: int,
    details: list[Detail] | None = None,
) -> Any:
    """Execute one test cell with the contract's names bound to proxies on ``target``.

    Returns the points that the cell says are earned, None for a cell that does not say. What it displays is
    added to ``details``.
    """

    def display(*shown: Any, **how: Any) -> None:
        if details is not None:
            details.extend(Detail.of(one) for one in shown)

    names |= {name: Proxy(name, target) for name in contract} | {"display": display}
    with seeded(seed, cell.grade_id), contextlib.redirect_stdout(io.StringIO()):
        exec(bench.code[cell.grade_id], names)
        if cell.grade_id not in bench.earned:
            return None
        return eval(bench.earned[cell.grade_id], names)


def _credit(verdict: CellReport, earned: Any) -> None:
    """Enter the points that a test cell gave: all of them where it says nothing."""
    most = verdict.max_points
    if earned is None:
        verdict.kind = Kind.OK
    elif (
        isinstance(earned, (int, float))
        and not isinstance(earned, bool)
        and math.isfinite(earned)
        and -1e-9 <= earned <= most + 1e-9
    ):
        verdict.points = round(min(max(float(earned), 0.0), most), 2)
        verdict.kind = Kind.OK if verdict.points >= most else Kind.PARTIAL
    else:
        verdict.kind = Kind.EXAMINER_FAULT
        verdict.message = f"The test cell {verdict.grade_id} gave {earned!r} of {most:g} points."


def _verdict_on(error: dict[str, Any], lead: str) -> tuple[Kind, str]:
    place = f" ({error['place']})" if error["place"] else ""
    message = f"{lead} {error['name']}: {error['message']}{place}"
    if error["forbidden"]:
        return Kind.FORBIDDEN_IMPORT, message
    if error["type"] == "NotImplementedError":
        return Kind.NOT_ATTEMPTED, message
    if error["type"] == "MemoryError":
        return Kind.MEMORY, message
    return Kind.CRASHED, message


def _name_of(part: Part) -> str:
    return "A cell of your own" if part.cell is None else f"The cell {part.cell.grade_id!r}"
