"""Every kind of verdict, where it is due; state that stays apart; seeds; and the names of faults."""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import toy
from classroom import worked

from fourrounds.answers.sandbox import Sandbox, SandboxError
from fourrounds.checks import Kind
from fourrounds.examiner.faults import choose
from fourrounds.examiner.grading import Examiner
from fourrounds.examiner.problem import Fault, Problem
from fourrounds.examiner.report import CellReport, Report
from fourrounds.examiner.submission import Part, Submission, empty, from_python, from_sources, rebuild

QUICK = {"call_seconds": 0.5, "total_seconds": 20.0, "memory_mb": 1024}
FORGE = """
import gc, json, struct
def frame(text):
    return struct.pack(">4sIQ", b"4RND", len(text), 0) + text.encode()
def double(x):
    import sys
    at = sys._getframe()
    while "channel" not in at.f_locals: at = at.f_back
    at.f_locals["channel"].sock.sendall(frame({text!r}))
    return x
"""
Grade = Callable[..., Report]


@pytest.fixture
def grade(examiner: Examiner, tmp_path: Path) -> Grade:
    """Grade one Python text as the answer to the toy problem, or to ``made``."""

    def grade_text(text: str, made: dict[str, Any] | None = None, **options: Any) -> Report:
        problem = toy.load(tmp_path, made or toy.twice(limits=QUICK))
        return examiner.grade(problem, from_python(problem, text), **options)

    return grade_text


def only(report: Report) -> CellReport:
    (cell,) = report.cells
    return cell


@pytest.mark.parametrize(
    ("text", "kind", "message"),
    [
        (toy.DOUBLE, Kind.OK, ""),
        ("def double(x):\n    return x + x", Kind.OK, ""),
        (
            "def double(x):\n    raise NotImplementedError()",
            Kind.NOT_ATTEMPTED,
            "double raised NotImplementedError:  (line 2 of double: raise NotImplementedError())",
        ),
        (
            "import numpy as np",
            Kind.CRASHED,
            "double is not defined: the notebook has no function of that name.",
        ),
        (
            "y = 1\ndoble = undefined",
            Kind.CRASHED,
            "double is not defined. The cell 'answer' ended with NameError: name 'undefined' is not defined "
            "(line 2 of <module>: doble = undefined)",
        ),
        (
            "def double(x)\n    return 2 * x",
            Kind.CRASHED,
            "double is not defined. The cell 'answer' ended with SyntaxError: expected ':' "
            "(line 1: def double(x))",
        ),
        (
            "def double(x):\n    return x / (1 // 0)",
            Kind.CRASHED,
            "double raised ZeroDivisionError: integer division or modulo by zero "
            "(line 2 of double: return x / (1 // 0))",
        ),
        ("def double():\n    return 2", Kind.CRASHED, "double raised TypeError: double() takes 0 positional"),
        ("double = 5", Kind.CRASHED, "double raised TypeError: 'int' object is not callable"),
        ("def double(x):\n    import sys; sys.exit()", Kind.CRASHED, "double raised SystemExit"),
        (
            "import os\ndef double(x):\n    os._exit(0)",
            Kind.CRASHED,
            "double: its process ended itself (exit status 0).",
        ),
        (
            "import os\nos._exit(0)",
            Kind.CRASHED,
            "The cell 'answer' did not come to its end: its process ended itself (exit status 0).",
        ),
        (
            "def double(x):\n    return (2 * x).tolist()",
            Kind.WRONG_TYPE,
            "the result must be a numpy.ndarray, and is a value of type list",
        ),
        ("def double(x):\n    2 * x", Kind.WRONG_TYPE, "the result must be a numpy.ndarray, and is None"),
        (
            "class Mine: pass\ndef double(x):\n    return Mine()",
            Kind.WRONG_TYPE,
            "the result must be a numpy.ndarray, and is a value of type Mine",
        ),
        (
            "import numpy as np\ndef double(x):\n    return np.matrix(2 * x)",
            Kind.WRONG_TYPE,
            "and is a matrix (a subclass of ndarray; return np.asarray of it)",
        ),
        ("def double(x):\n    return 2 * x[None]", Kind.WRONG_SHAPE, "must have shape (3,), and has (1, 3)"),
        (
            "def double(x):\n    return (2 * x).astype('f4')",
            Kind.WRONG_DTYPE,
            "must have dtype float64, and has float32",
        ),
        ("def double(x):\n    return 3 * x", Kind.WRONG_VALUE, "the result at [0] is wrong: yours is"),
        (
            "import torch\ndef double(x):\n    return 2 * x",
            Kind.FORBIDDEN_IMPORT,
            "double is not defined. The cell 'answer' ended with ForbiddenImport: torch cannot be",
        ),
        (
            "import importlib\ndef double(x):\n    return importlib.import_module('torch').tensor(x)",
            Kind.FORBIDDEN_IMPORT,
            "double raised ForbiddenImport: torch cannot be imported here: an answer uses NumPy and",
        ),
        (
            "def double(x):\n    while True: pass",
            Kind.TIMEOUT,
            "double: no result within 0.5 s, the limit for one call or cell.",
        ),
        (
            "while True:\n    try:\n        while True: pass\n    except BaseException: pass",
            Kind.TIMEOUT,
            "The cell 'answer' did not come to its end: no result within 0.5 s, the limit for one",
        ),
        (
            "import numpy as np\ndef double(x):\n    return np.ones(2**32)",
            Kind.MEMORY,
            "double raised MemoryError: Unable to allocate 32.0 GiB",
        ),
        (
            "big = bytearray(2**33)",
            Kind.MEMORY,
            "double is not defined. The cell 'answer' ended with MemoryError",
        ),
        (
            "def double(x):\n    while True: print('x' * 10**6)",
            Kind.OUTPUT,
            "double: it printed more than 64 MB.",
        ),
        ("def double(x):\n    return 'x' * 20_000_000", Kind.OUTPUT, "double: it returned a frame of"),
        (
            FORGE.replace("{text!r}", "'[]'"),
            Kind.FORMAT,
            "double: the answer wrote into the examiner's channel",
        ),
    ],
    ids=range(28),
)
def test_every_kind_of_verdict(grade: Grade, text: str, kind: Kind, message: str) -> None:
    report = grade(text)
    verdict = only(report)
    assert verdict.kind is kind
    assert message in verdict.message
    assert verdict.points == (2.0 if kind is Kind.OK else 0.0)
    assert (report.score, report.max_score) == (verdict.points, 2.0)


@pytest.mark.parametrize(
    "text",
    [
        '{"blobs":[],"n":1,"results":{"a":1}}',
        '{"blobs":[],"n":2,"results":[{"value":1}]}',
        '{"blobs":[],"n":1,"results":[{"value":1},{"value":2}]}',
        '{"blobs":[],"n":1,"results":[{"value":{"a":0}}]}',
        '{"blobs":[],"n":1,"results":[{"error":5}]}',
        '{"blobs":[],"n":1,"results":[5]}',
        '{"blobs":[],"n":1}',
        '{"n":1}',
        '{"blobs":[],"n":1,"at":"before"}',
        '{"blobs":[],"n":1,"results":[{"value":{"h":Infinity,"type":"x"}}]}',
    ],
)
def test_a_forged_reply_is_a_format_verdict(grade: Grade, text: str) -> None:
    verdict = only(grade(FORGE.replace("{text!r}", repr(text))))
    assert (verdict.kind, verdict.points) == (Kind.FORMAT, 0.0)


@pytest.mark.parametrize(
    "text",
    [
        '{"blobs":[],"n":N,"error":null,"stdout":"","written":Infinity}',
        '{"blobs":[],"n":N,"error":null,"stdout":"","written":"x"}',
        '{"blobs":[],"n":N,"error":5,"stdout":"","written":1}',
        '{"blobs":[],"n":N}',
        '{"blobs":[],"n":0,"error":null,"stdout":"","written":1}',
        "[]",
    ],
)
def test_a_reply_that_a_cell_forges_is_a_format_verdict(grade: Grade, text: str) -> None:
    forge = (
        "import gc, struct\n"
        "text = {text!r}.replace('N', '2').encode()\n"  # the set-up was the first cell
        "(process,) = [o for o in gc.get_objects() if type(o).__name__ == 'AnswerProcess']\n"
        "process.channel.sock.sendall(struct.pack('>4sIQ', b'4RND', len(text), 0) + text)"
    ).replace("{text!r}", repr(text))
    verdict = only(grade(forge))
    assert (verdict.kind, verdict.points) == (Kind.FORMAT, 0.0)
    assert "wrote into the examiner's channel" in verdict.message


def test_what_the_test_code_cannot_use_is_a_wrong_type(grade: Grade) -> None:
    test = (
        "x = checks.rng().normal(size=3)\nchecks.holds(np.allclose(double(x) / 2, x), 'half of it must be x')"
    )
    assert only(grade(toy.DOUBLE, toy.twice(test))).kind is Kind.OK
    for text in ("def double(x):\n    return None", "def double(x):\n    return 'abc'"):
        verdict = only(grade(text, toy.twice(test)))
        assert (verdict.kind, verdict.points) == (Kind.WRONG_TYPE, 0.0)
        assert verdict.message.startswith(
            "What double returned could not be used as the contract says (TypeError:"
        )


def test_a_plain_assertion_is_a_wrong_value(grade: Grade) -> None:
    made = toy.twice("assert double(2) == 4, 'twice two is four'\nassert double(0) == 0")
    verdict = only(grade("def double(x):\n    return x", made))
    assert (verdict.kind, verdict.message) == (Kind.WRONG_VALUE, "twice two is four")
    verdict = only(grade("def double(x):\n    return x + 2", made))
    assert (verdict.kind, verdict.message) == (Kind.WRONG_VALUE, "An assertion of the test does not hold.")


def test_a_cost_beyond_its_limit_is_told(grade: Grade) -> None:
    made = toy.twice(
        "cost = checks.cost(double, np.ones(2**20))\n"
        "checks.below(cost.peak_bytes / 2**20, 20, 'double of 8 MB', 'MB')\n"
        "checks.below(cost.cpu_seconds, 0.3, 'double of 8 MB', 's')"
    )
    assert only(grade(toy.DOUBLE, made)).kind is Kind.OK
    wasteful = only(
        grade("import numpy as np\ndef double(x):\n    return np.stack([x] * 6).sum(0) / 3", made)
    )
    assert wasteful.kind is Kind.MEMORY
    assert wasteful.message.endswith("the limit is 20 MB")
    slow = only(grade("def double(x):\n    for _ in range(10**8): pass\n    return 2 * x", made))
    assert slow.kind is Kind.TIMEOUT
    assert slow.message.endswith("the limit is 0.3 s")


# -- what is not the answer's fault


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (
            toy.twice("checks.equal(double(2), undefined)"),
            "The test cell test-values failed by itself (NameError",
        ),
        (
            toy.twice("checks.equal(double(object()), 2)"),
            "The test cell test-values failed by itself (NotPlain",
        ),
        (
            toy.twice("rng = checks.rng()\ndouble(rng)\ndouble(rng)"),
            "The test cell test-values failed by itself (ValueError: a Generator crosses the wall once",
        ),
        (
            toy.twice(toy.TEST, toy.cell("truth", toy.HIDDEN.format("import nothing"), "truth", 0)),
            "The test cells of twice cannot be prepared (ModuleNotFoundError: No module named 'nothing').",
        ),
        (toy.twice("this is no Python"), "The test cells of twice cannot be prepared (SyntaxError"),
    ],
    ids=range(5),
)
def test_a_broken_test_is_the_examiners_fault_and_not_scored(
    grade: Grade, made: dict[str, Any], words: str
) -> None:
    report = grade("def double(x):\n    return 2", made)
    verdict = only(report)
    assert (verdict.kind, verdict.points) == (Kind.EXAMINER_FAULT, None)
    assert verdict.message.startswith(words)
    assert (report.score, report.max_score) == (0.0, 0.0)


def test_a_sandbox_that_fails_is_the_examiners_fault(
    grade: Grade, examiner: Examiner, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Sandbox, limits: object) -> Any:
        raise SandboxError("no more processes")

    monkeypatch.setattr(Sandbox, "open", refuse)
    verdict = only(grade(toy.DOUBLE))
    assert (verdict.kind, verdict.points) == (Kind.EXAMINER_FAULT, None)
    assert verdict.message == "The sandbox failed: no more processes."


def test_a_warm_process_that_dies_between_two_submissions_costs_nobody_anything(tmp_path: Path) -> None:
    problem = toy.load(tmp_path, toy.twice())
    right = from_python(problem, toy.DOUBLE)
    with Examiner() as examiner:
        assert examiner.grade(problem, right).score == 2
        if examiner._sandbox._process is not None:
            examiner._sandbox._process.kill()
        assert examiner.grade(problem, right).score == 2


def test_a_level_that_there_is_not_is_refused() -> None:
    with pytest.raises(SandboxError, match="there is no sandbox level 'docker', only namespaces,"):
        Examiner("docker")


# -- what was not attempted


def test_an_untouched_notebook_is_not_attempted(examiner: Examiner, ledger: Problem) -> None:
    report = examiner.grade(ledger, empty(ledger))
    assert {cell.kind for cell in (*report.cells, *report.provided)} == {Kind.NOT_ATTEMPTED}
    assert (report.score, report.max_score) == (0.0, 14.0)
    assert report.cells[0].message == "The answer cells are as they were released."


def test_a_file_that_cannot_be_read_is_a_format_verdict(
    examiner: Examiner, ledger: Problem, tmp_path: Path
) -> None:
    path = tmp_path / "ledger.ipynb"
    path.write_text("{")
    report = examiner.grade(ledger, rebuild(ledger, path))
    assert {cell.kind for cell in (*report.cells, *report.provided)} == {Kind.FORMAT}
    assert "no valid JSON" in report.cells[0].message
    report = examiner.grade(ledger, rebuild(ledger, tmp_path / "nothing.ipynb"))
    assert {cell.kind for cell in report.cells} == {Kind.NOT_ATTEMPTED}
    assert report.cells[0].message == "No notebook was handed in for this problem."


def test_half_an_answer_gets_its_half(examiner: Examiner, ledger: Problem) -> None:
    sources = worked(ledger)
    del sources["spread-answer"]
    report = examiner.grade(ledger, from_sources(ledger, sources))
    kinds = {cell.group: cell.kind for cell in report.cells}
    assert kinds == {
        "ledger": Kind.OK,
        "sampling": Kind.NOT_ATTEMPTED,
        "refusals": Kind.NOT_ATTEMPTED,
        "spread": Kind.NOT_ATTEMPTED,
        "cost": Kind.NOT_ATTEMPTED,
        "manual": Kind.NOT_ATTEMPTED,
    }
    assert report.score == 3


def test_only_the_written_part_waits_for_a_person(examiner: Examiner, ledger: Problem) -> None:
    report = examiner.grade(ledger, from_sources(ledger, {"why-nan": "Because."}))
    verdict = report.cell("why-nan")
    assert (verdict.kind, verdict.points, verdict.max_points) == (Kind.MANUAL, None, 3.0)
    assert report.cell("test-ledger").kind is Kind.NOT_ATTEMPTED
    for nothing in ("", "  \n", ledger.cell("why-nan").stub.replace(" ", "  ") + "\n"):
        sources = worked(ledger) | {"why-nan": nothing}
        verdict = examiner.grade(ledger, from_sources(ledger, sources)).cell("why-nan")
        assert (verdict.kind, verdict.points) == (Kind.NOT_ATTEMPTED, 0.0)
        assert verdict.message == "Nothing was written here."


# -- places, names and state


def three_tests(*tests: str) -> dict[str, Any]:
    return toy.notebook(
        toy.answer(toy.DOUBLE),
        *(toy.hidden(test, f"g{number}", 1) for number, test in enumerate(tests)),
        limits=QUICK,
    )


def test_what_one_test_leaves_behind_is_not_seen_by_the_next(grade: Grade) -> None:
    text = "calls = []\ndef double(x):\n    calls.append(x)\n    return len(calls)"
    made = three_tests(*["assert double(0) == 1 and double(0) == 2"] * 3)
    assert [cell.kind for cell in grade(text, made).cells] == [Kind.OK] * 3


def test_a_crash_in_one_test_is_no_matter_of_the_next(grade: Grade) -> None:
    text = "import os\ndef double(x):\n    if x == 1: os._exit(1)\n    return 2 * x"
    made = three_tests("assert double(0) == 0", "double(1)", "assert double(2) == 4")
    assert [str(cell.kind) for cell in grade(text, made).cells] == ["ok", "crashed", "ok"]


def test_a_test_sees_the_answer_as_of_its_place(examiner: Examiner, tmp_path: Path) -> None:
    problem = toy.load(
        tmp_path,
        toy.notebook(
            toy.answer("def double(x):\n    return 2 * x", "first"),
            toy.hidden("assert double(1) == 2", "early", 1),
            toy.answer("def triple(x):\n    return 3 * x", "second"),
            toy.hidden("assert double(1) == 2 and triple(1) == 3", "late", 1),
            contract=["double", "triple"],
        ),
    )
    sources = {
        "first": "def double(x):\n    return 2 * x",
        "second": "def triple(x):\n    return 3 * x\n\ndef double(x):\n    return 0",
    }
    report = examiner.grade(problem, from_sources(problem, sources))
    assert [str(cell.kind) for cell in report.cells] == ["ok", "wrong value"]


def test_own_cells_before_and_after_are_run_in_order(examiner: Examiner, tmp_path: Path) -> None:
    problem = toy.load(tmp_path, toy.twice())
    base = from_python(problem, "def double(x):\n    return twice(x)").parts

    def with_own(at: int, source: str, kind: str = "code") -> Submission:
        parts = list(base)
        parts.insert(at, Part(None, source, kind))
        return Submission(problem, tuple(parts))

    helper = "def twice(x):\n    return 2 * x"
    answer = next(n for n, part in enumerate(base) if part.cell is not None and part.cell.role == "answer")
    for place in (0, answer, answer + 1):
        assert examiner.grade(problem, with_own(place, helper)).score == 2
    late = only(examiner.grade(problem, with_own(len(base), helper)))
    assert late.message.startswith("double raised NameError: name 'twice' is not defined")
    text = only(examiner.grade(problem, with_own(answer, helper, "markdown")))
    assert text.kind is Kind.CRASHED


def test_no_other_name_of_the_answer_is_learned(grade: Grade) -> None:
    made = toy.twice(
        "x = np.arange(3.0)\nchecks.equal(double(x), true_double(x))",
        toy.cell("truth", toy.HIDDEN.format("def true_double(x):\n    return 2 * x"), "truth", 0),
    )
    made["cells"].insert(3, made["cells"].pop())  # the truth before its test
    text = (
        "class Lenient:\n    def __getattr__(self, name):\n        return lambda *a, **k: None\n"
        "checks = np = Lenient()\ntrue_double = lambda x: x\n"
        "__builtins__.AssertionError = ValueError\n"
        "def double(x):\n    return x"
    )
    assert only(grade(text, made)).kind is Kind.WRONG_VALUE


def test_warnings_and_stderr_cost_nothing(grade: Grade) -> None:
    text = (
        "import sys, warnings\nimport numpy as np\nwarnings.warn('loud')\nprint('no', file=sys.stderr)\n"
        "def double(x):\n    warnings.warn('louder')\n    np.log(-1.0)\n    sys.stderr.write('x')\n"
        "    return 2 * x"
    )
    report = grade(text)
    assert report.score == 2
    assert report.printed == {}


def test_what_cells_print_is_kept_and_clipped(grade: Grade) -> None:
    report = grade(f"print('hello')\nprint('x' * 200_000)\n{toy.DOUBLE}")
    assert report.score == 2
    (printed,) = report.printed.values()
    assert printed.startswith("hello\nxxx")
    assert printed.endswith("x\n[... clipped]")
    assert len(printed) < 70_000


def test_after_two_timeouts_the_rest_is_not_run(grade: Grade) -> None:
    begun = time.monotonic()
    report = grade("def double(x):\n    while True: pass", three_tests(*["double(1)"] * 6))
    assert [str(cell.kind) for cell in report.cells] == ["timeout"] * 6
    assert report.cells[1].message.startswith("double: no result within 0.5 s")
    assert report.cells[2].message == "Not run: earlier tests of this submission have used up its time."
    assert time.monotonic() - begun < 5


def test_a_notebook_has_one_deadline_for_all(grade: Grade) -> None:
    made = three_tests(*["double(1)"] * 6)
    made["metadata"]["fourrounds"]["limits"] = {"call_seconds": 5, "total_seconds": 1}
    begun = time.monotonic()
    report = grade("import time\ndef double(x):\n    time.sleep(0.4)", made)
    kinds = [str(cell.kind) for cell in report.cells]
    assert kinds == ["ok", "ok", "timeout", "timeout", "timeout", "timeout"]
    assert "the limit for the whole notebook" in report.cells[2].message
    assert time.monotonic() - begun < 3


def test_the_test_cells_own_output_is_swallowed(grade: Grade, capsys: pytest.CaptureFixture[str]) -> None:
    assert grade(toy.DOUBLE, toy.twice(f"print('secret')\n{toy.TEST}")).score == 2
    assert "secret" not in capsys.readouterr().out


# -- exceptions that a test expects


@pytest.mark.parametrize(
    ("raised", "expected", "kind"),
    [
        ("ValueError('no')", "ValueError", Kind.OK),
        ("Own('no')", "ValueError", Kind.OK),
        ("KeyError('no')", "LookupError", Kind.OK),
        ("UnicodeDecodeError('utf-8', b'', 0, 1, 'no')", "ValueError", Kind.CRASHED),
        ("TypeError('no')", "ValueError", Kind.CRASHED),
        ("NotImplementedError()", "ValueError", Kind.NOT_ATTEMPTED),
        ("OSError(2, 'no')", "OSError", Kind.OK),
        ("ImportError('no')", "ImportError", Kind.OK),
        ("StopIteration()", "StopIteration", Kind.OK),
        ("AssertionError('no')", "AssertionError", Kind.OK),
        ("AssertionError('no')", "ValueError", Kind.CRASHED),
    ],
)
def test_raises_across_the_wall(grade: Grade, raised: str, expected: str, kind: Kind) -> None:
    made = toy.twice(f"with checks.raises({expected}, what='double(-1)'):\n    double(-1)")
    text = f"class Own(ValueError): pass\ndef double(x):\n    raise {raised}"
    assert only(grade(text, made)).kind is kind


def test_raising_nothing_is_a_wrong_value(grade: Grade) -> None:
    made = toy.twice("with checks.raises(ValueError, what='double(-1)'):\n    double(-1)")
    verdict = only(grade(toy.DOUBLE, made))
    assert (verdict.kind, verdict.message) == (
        Kind.WRONG_VALUE,
        "double(-1) must raise ValueError, and raised nothing",
    )
    assert only(grade("import os\ndef double(x):\n    os._exit(0)", made)).kind is Kind.CRASHED


# -- inputs


def test_an_answer_that_changes_its_input_is_told_so(grade: Grade) -> None:
    made = toy.twice("x = checks.rng().normal(size=3)\nchecks.equal(checks.unchanged(double, x), 2 * x)")
    assert grade(toy.DOUBLE, made).score == 2
    verdict = only(grade("def double(x):\n    x *= 2\n    return x", made))
    assert verdict.message.startswith("double changed its input number 0")


def test_inputs_are_fresh_each_call(grade: Grade) -> None:
    made = toy.twice(
        "x = np.ones(3)\n"
        "for value in checks.calls(double, [(x,), (x,)]): checks.equal(value, 2 * np.ones(3))\n"
        "checks.equal(checks.call(double, x), 2 * np.ones(3))\nchecks.equal(double(x), 2 * np.ones(3))"
    )
    assert grade("def double(x):\n    x *= 2\n    return x", made).score == 2


# -- seeds


def flat(report: Report) -> list[Any]:
    return [
        [call.function, *(np.asarray(a).tolist() for a in call.args), np.asarray(call.result).tolist()]
        for cell in report.cells
        for call in cell.calls
    ]


def test_one_seed_gives_the_same_calls_and_verdicts(grade: Grade) -> None:
    made = three_tests(toy.TEST, toy.TEST, "assert double(checks.rng().normal()) < 0")
    wrong = "import random\nimport numpy as np\ndef double(x):\n    return 2 * x + (np.random.random() > 0.5)"
    one, again = (grade(wrong, made, seed=77, keep_calls=True) for _ in range(2))
    assert flat(one) == flat(again)
    assert [(c.kind, c.message) for c in one.cells] == [(c.kind, c.message) for c in again.cells]
    assert {cell.seed for cell in one.cells} == {one.seed} == {77}
    other = grade(wrong, made, seed=78, keep_calls=True)
    assert flat(one) != flat(other)


def test_the_seed_decides_what_an_answer_draws_for_itself(grade: Grade) -> None:
    text = (
        "import random\nimport numpy as np\ndef double(x):\n    return [random.random(), np.random.random()]"
    )

    def drawn(seed: int) -> list[float]:
        (call,) = only(grade(text, toy.twice("double(0)"), seed=seed, keep_calls=True)).calls
        return [float(value) for value in call.result]

    assert drawn(1) == drawn(1)
    assert not set(drawn(1)) & set(drawn(2))


def test_each_cell_draws_its_own_inputs(grade: Grade) -> None:
    first, second = flat(grade(toy.DOUBLE, three_tests(toy.TEST, toy.TEST), seed=1, keep_calls=True))
    assert first != second


def test_seeds_differ_unless_they_are_given(grade: Grade) -> None:
    assert len({grade(toy.DOUBLE).seed for _ in range(4)}) == 4


def test_calls_are_kept_only_when_asked_for(grade: Grade) -> None:
    assert only(grade(toy.DOUBLE)).calls == []
    (call,) = only(grade("def double(x):\n    return 1 / 0", keep_calls=True)).calls
    assert (call.function, call.raised, call.error) == (
        "double",
        "ZeroDivisionError",
        "ZeroDivisionError: division by zero",
    )


def test_a_call_is_kept_as_it_crossed(grade: Grade) -> None:
    made = toy.twice("x = np.ones(2)\ny = double(x)\nx[:] = 9\nchecks.equal(y, 2 * np.ones(2))")
    (call,) = only(grade(toy.DOUBLE, made, keep_calls=True)).calls
    assert call.args[0].tolist() == [1, 1]


def test_progress_is_told(grade: Grade) -> None:
    told: list[tuple[int, int, str]] = []
    grade(toy.DOUBLE, three_tests(toy.TEST, toy.TEST), progress=lambda *a: told.append(a))
    assert [what for _, _, what in told] == ["g0", "g1"]
    assert all(0 <= done < total for done, total, _ in told)


def test_a_report_is_plain_data(grade: Grade) -> None:
    report = grade("def double(x):\n    return 3 * x", seed=5).to_dict()
    assert json.loads(json.dumps(report)) == report
    assert list(report["cells"][0]) == [
        "grade_id",
        "group",
        "kind",
        "points",
        "max_points",
        "message",
        "fault",
        "fault_says",
        "seed",
        "seconds",
        "details",
    ]


# -- the names of faults


PLUS = "def double(x):\n    return x + 2"
SQUARE = "def double(x):\n    return x * x"
LOUD = "def double(x):\n    raise KeyError('loud')"


ONE_NUMBER = "import numpy as np\ndef double(x):\n    return x + 2 if isinstance(x, np.ndarray) else {}"


def with_faults(*more: dict[str, Any]) -> dict[str, Any]:
    return toy.notebook(
        toy.answer(toy.DOUBLE),
        toy.hidden(toy.TEST, "values", 1),
        toy.hidden("assert double(4) == 8", "edges", 1),
        toy.fault(PLUS, "plus", "values"),
        toy.fault(SQUARE, "square", "values", says="it squares"),
        toy.fault(LOUD, "loud", "edges"),
        toy.fault("def double(x):\n    import os; os._exit(1)", "leaves", "edges"),
        *more,
        limits=QUICK,
    )


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("def double(x):\n    return 2 + x", ["plus", "plus"]),
        ("def double(x):\n    return x ** 2", ["square", "square"]),
        ("def double(x):\n    raise KeyError('loud')", ["loud", "loud"]),
        ("def double(x):\n    raise KeyError('mine')", [None, None]),
        ("def double(x):\n    raise IndexError('mine')", [None, None]),
        ("def double(x):\n    return x - 2", [None, None]),
        ("def double(x):\n    return (x + 2).astype('f4')", [None, None]),
        ("import os\ndef double(x):\n    os._exit(1)", [None, None]),
        ("y = 1", [None, None]),
        (ONE_NUMBER.format("float(x + 2)"), ["plus", "plus"]),
        (ONE_NUMBER.format("np.float32(x + 2)"), ["plus", "plus"]),
        (ONE_NUMBER.format("np.array(x + 2)"), ["plus", "plus"]),
        (ONE_NUMBER.format("np.array([x + 2])"), ["plus", None]),
        (ONE_NUMBER.format("str(x + 2)"), ["plus", None]),
    ],
    ids=range(14),
)
def test_the_fault_with_the_same_output_is_named(grade: Grade, text: str, names: list[str | None]) -> None:
    report = grade(text, with_faults())
    assert [cell.fault for cell in report.cells] == names
    says = {"plus": "it adds", "square": "it squares", "loud": "it adds", None: None}
    assert [cell.fault_says for cell in report.cells] == [says[name] for name in names]


COUNTER = """
class {0}:
    def __init__(self, n): self.n = n

def double(x):
    boxes = x["boxes"] if isinstance(x, dict) else [{0}(x)]
    n = boxes[0].n
    return {1}, {{"boxes": ({0}({1}),)}}
"""
TWICE_OVER = """
first, boxes = checks.unchanged(double, 5)
second, _ = checks.unchanged(double, boxes)
checks.equal((first, second), (10, 20))
"""


def test_a_fault_is_named_where_objects_stand_in_containers(grade: Grade) -> None:
    adds = toy.fault(COUNTER.format("Box", "n + 2"), "plus")
    squares = toy.fault(COUNTER.format("Box", "n ** 2"), "square")
    made = toy.notebook(toy.answer(COUNTER.format("Box", "2 * n")), toy.hidden(TWICE_OVER), squares, adds)
    assert grade(COUNTER.format("Mine", "n + n"), made).score == 2
    assert grade(COUNTER.format("Mine", "2 + n"), made).cells[0].fault == "plus"
    assert grade(COUNTER.format("Mine", "n - 2"), made).cells[0].fault is None


def test_lost_digits_are_not_taken_for_a_fault_that_kept_them(grade: Grade) -> None:
    third = toy.hidden("assert abs(float(double(1 / 3)) - 2 / 3) < 1e-12", "values", 1)
    harmless = toy.fault("def double(x):\n    return x + x if x < 1 else 0", "beyond_one", "values")
    made = toy.notebook(toy.answer(toy.DOUBLE), third, harmless)
    (cell,) = grade("import numpy as np\ndef double(x):\n    return np.float32(2 * x)", made).cells
    assert (str(cell.kind), cell.fault) == ("wrong value", None)


def test_no_fault_is_named_where_the_solution_is_as_near(grade: Grade) -> None:
    tiny = toy.hidden("checks.equal(double(1e-20), 2e-20)", "values", 1)
    half_more = toy.fault("def double(x):\n    return x + x / 2", "half_more", "values")
    made = toy.notebook(toy.answer(toy.DOUBLE), tiny, half_more)
    (lost,) = grade("def double(x):\n    return (x + 1) * 2 - 2", made).cells
    assert (str(lost.kind), lost.fault) == ("wrong value", None)
    (cell,) = grade("def double(x):\n    return x * 1.5", made).cells
    assert cell.fault == "half_more"


def test_a_cell_that_passes_names_no_fault_and_naming_can_be_left_out(grade: Grade) -> None:
    report = grade("def double(x):\n    return 2 * x if isinstance(x, int) else x + 2", with_faults())
    assert [cell.fault for cell in report.cells] == ["plus", None]
    assert [
        c.fault for c in grade("def double(x):\n    return x + 2", with_faults(), name_faults=False).cells
    ] == [
        None,
        None,
    ]


def test_a_fault_that_leaves_does_not_hide_the_others(grade: Grade) -> None:
    made = with_faults(toy.fault("def double(x):\n    return -x", "minus", "values"))
    assert grade("def double(x):\n    return 0 - x", made).cells[0].fault == "minus"


def test_a_fault_is_named_whatever_the_answer_calls_its_classes(examiner: Examiner, ledger: Problem) -> None:
    extra = (
        "class Kasse:\n    eintraege = []\n\n\ndef make_ledger():\n    return Kasse()\n\n\n"
        "def deposit(ledger, amount):\n    if not amount > 0:\n        raise ValueError\n"
        "    ledger.eintraege.append(amount)\n\n\n"
        "def balance(ledger):\n    return float(sum(ledger.eintraege))"
    )
    report = examiner.grade(ledger, from_sources(ledger, worked(ledger, extra)))
    assert report.cell("test-ledger").fault == "shared_amounts"


def test_of_several_faults_that_fit_the_one_that_fits_most_cells_is_chosen() -> None:
    def fault(name: str, group: str) -> Fault:
        return Fault(name, group, "", "", "", "")

    a, b, c = fault("a", "x"), fault("b", "y"), fault("c", "z")
    assert choose([]) == []
    assert choose([("x", []), ("y", [b])]) == [None, b]
    assert choose([("x", [a, b]), ("y", [b]), ("z", [b, c])]) == [b, b, b]
    assert choose([("y", [a, b])]) == [b]
    assert choose([("z", [a, b])]) == [a]


# -- the weaker levels


@pytest.fixture(
    scope="module", params=[pytest.param("bubblewrap", marks=pytest.mark.needs("bubblewrap")), "process"]
)
def weaker(request: pytest.FixtureRequest) -> Iterator[Examiner]:
    with Examiner(request.param) as made:
        yield made


@pytest.mark.slow
def test_a_weaker_level_gives_the_same_verdicts(
    weaker: Examiner, ledger: Problem, examiner: Examiner
) -> None:
    texts = {part.name: part.source for part in (*ledger.variants, *ledger.faults)}
    for name in ("closures", "nan_accepted", "shared_amounts", "generator_of_its_own", "all_pairs_at_once"):
        submission = from_sources(ledger, worked(ledger, texts[name]) | {"why-nan": "Because."})
        strongest = examiner.grade(ledger, submission, seed=9)
        report = weaker.grade(ledger, submission, seed=9)
        assert report.sandbox == weaker.level
        for one, other in zip(strongest.cells, report.cells, strict=True):
            assert (one.kind, one.points, one.fault) == (other.kind, other.points, other.fault), one.grade_id


def test_the_variable_chooses_the_level_of_an_examiner(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOURROUNDS_SANDBOX", "process")
    with Examiner() as examiner:
        assert examiner.level == "process"
    monkeypatch.setenv("FOURROUNDS_SANDBOX", "none")
    with pytest.raises(SandboxError):
        Examiner()


def test_a_submission_is_not_changed_by_grading(examiner: Examiner, ledger: Problem) -> None:
    submission = from_sources(ledger, worked(ledger))
    before = copy.deepcopy(submission.notebook())
    examiner.grade(ledger, submission)
    assert submission.notebook() == before
