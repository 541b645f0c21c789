"""The calls of a failed test, as a file that the learner can load and call their own function with."""

from __future__ import annotations

import ast
import json
import os
import tempfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fourrounds.desk.errors import DeskError
from fourrounds.desk.report import plain
from fourrounds.examiner.wall import Decoder, Encoder, Handle, Kind, WireError

if TYPE_CHECKING:
    from rich.console import RenderableType

    from fourrounds.examiner.problem import Problem
    from fourrounds.examiner.report import Call, Report

_INDEX = "__calls__"
_MAX_SHOWN = 60


def parameters(problem: Problem) -> dict[str, list[str]]:
    """The names of each contract function's positional parameters, as the solution's ``def`` gives them."""
    found: dict[str, list[str]] = {}
    for node in ast.walk(ast.parse(problem.solution())):
        if isinstance(node, ast.FunctionDef) and node.name in problem.contract:
            found[node.name] = [a.arg for a in (*node.args.posonlyargs, *node.args.args)]
        elif isinstance(node, ast.ClassDef) and node.name in problem.contract:
            for method in node.body:
                if isinstance(method, ast.FunctionDef) and method.name == "__init__":
                    found[node.name] = [a.arg for a in method.args.args[1:]]
    return found


def named(call: Call | FailingCall, names: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """The arguments of ``call`` by name; a positional one without a name is ``arg0``, ``arg1`` and so on."""
    known = names.get(call.function, ())
    positional = {known[i] if i < len(known) else f"arg{i}": value for i, value in enumerate(call.args)}
    return positional | call.kwargs


def summary(value: Any) -> str:
    """``value`` in one line: an array by shape, dtype and range, anything else as itself if it is short."""
    if isinstance(value, np.ndarray):
        text = f"{value.dtype} {value.shape}"
        if value.size and value.dtype.kind in "fiu":
            finite = value[np.isfinite(value)]
            if finite.size:
                text += f" from {finite.min():.4g} to {finite.max():.4g}"
            if finite.size < value.size:
                text += f", {value.size - finite.size} not finite"
        elif value.size and value.dtype.kind == "b":
            text += f", {int(value.sum())} of {value.size} are True"
        return text + (
            f": {json.dumps(value.tolist())}" if 0 < value.size <= 4 and value.dtype.kind in "fiub" else ""
        )
    if isinstance(value, Handle):
        return f"({value.answer_type} that an earlier call returned)"
    if isinstance(value, np.random.Generator):
        return "a NumPy Generator"
    if isinstance(value, (list, tuple)) and any(isinstance(v, np.ndarray) for v in value):
        inner = ", ".join(summary(v) for v in value[:4])
        return f"a {type(value).__name__} of {len(value)}: {inner}{', …' if len(value) > 4 else ''}"
    text = repr(value)
    return text if len(text) <= _MAX_SHOWN else text[: _MAX_SHOWN - 1] + "…"


def told(report: Report, problem: Problem, group: str | None, folder: Path) -> Iterator[RenderableType]:
    """For each failed hidden test (of ``group``, if given): the call, its file, and how to use that.

    Lines and tables for a terminal, one at a time. No expected value is among them.
    """
    hidden = {cell.grade_id for cell in problem.by_role("hidden")}
    failed = [
        cell
        for cell in report.cells
        if cell.grade_id in hidden and cell.kind is not Kind.OK and group in (None, cell.group)
    ]
    if not failed:
        which = f"group {group}" if group else f"every group of {problem.slug}"
        yield f"With the seed {report.seed}, {which} passes now: there is no failing input."
    names = parameters(problem)
    for cell in failed:
        yield f"{cell.group}: {cell.kind}. {plain(cell.message)}".rstrip()
        if not cell.calls:
            yield "The test made no call into your answer, so there is no input to hand over.\n"
            continue
        path = folder / f"{problem.slug}-{report.seed}-{cell.group}.npz"
        save(path, cell.calls, names, {"problem": problem.slug, "group": cell.group, "seed": report.seed})
        yield _table(cell.calls, names)
        yield f"The input is kept in {path}. In your notebook, below your answer:\n"
        yield f"{snippet(path, cell.calls)}\n"


def _table(calls: Sequence[Call], names: Mapping[str, Sequence[str]]) -> RenderableType:
    from rich.table import Table
    from rich.text import Text

    last = calls[-1]
    many = (
        f" (the last of {len(calls)} calls of this test; the file has all of them)" if len(calls) > 1 else ""
    )
    table = Table(title=Text(f"{last.function}{many}"), title_justify="left", show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in named(last, names).items():
        table.add_row(Text(name), Text(plain(summary(value))))
    came = f"no result: {last.error}" if last.error is not None else summary(last.result)
    table.add_row(Text("yours gave", style="bold"), Text(plain(came), style="bold"))
    return table


def save(
    path: Path, calls: Sequence[Call], names: Mapping[str, Sequence[str]], about: Mapping[str, Any]
) -> None:
    """Write ``calls`` (the failing one last) to ``path``, an .npz that loads without pickle.

    The last call's arrays have the names of its parameters, those of the n-th earlier call stand under
    ``n.name``; all else is JSON in the entry ``__calls__``.
    """
    arrays: dict[str, bytes] = {}
    trees = []
    for number, call in enumerate(calls):
        prefix = "" if number == len(calls) - 1 else f"{number}."
        entries: dict[str, Any] = {}
        for name, value in named(call, names).items():
            encoder = Encoder()
            tree = encoder.encode(value)
            members = [
                f"{prefix}{name}" if i == 0 else f"{prefix}{name}.{i}" for i in range(len(encoder.blobs))
            ]
            arrays |= dict(zip(members, encoder.blobs, strict=True))
            entries[name] = {"tree": tree, "arrays": members}
        handle = call.result.number if isinstance(call.result, Handle) else None
        positional = len(call.args)
        trees.append(
            {"function": call.function, "positional": positional, "arguments": entries, "makes": handle}
        )
    index = np.array(json.dumps({**about, "calls": trees}))
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".tmp", delete=False) as temporary:
        whole = Path(temporary.name)
    try:
        with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, blob in arrays.items():
                archive.writestr(f"{name}.npy", blob)
            with archive.open(f"{_INDEX}.npy", "w") as member:
                np.lib.format.write_array(member, index, allow_pickle=False)
        os.replace(whole, path)
    finally:
        whole.unlink(missing_ok=True)


@dataclass(frozen=True)
class FailingCall:
    """One call that a test made. ``makes`` is the number of the object that it returned for later calls."""

    function: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    makes: int | None = None


@dataclass(frozen=True)
class Replay:
    """The calls of a failed test, loaded; ``args`` and ``kwargs`` are those of the last."""

    problem: str
    group: str
    seed: int
    calls: tuple[FailingCall, ...]

    @property
    def args(self) -> tuple[Any, ...]:
        return self.calls[-1].args

    @property
    def kwargs(self) -> dict[str, Any]:
        return self.calls[-1].kwargs

    def run(self, names: Mapping[str, Any]) -> Any:
        """Make all calls in order with the functions in ``names`` (``globals()``); return the last result.

        For answers with objects that live from one call to the next. The test went on after the earlier
        calls, so one of those that raises is passed over.
        """
        objects: dict[int, Any] = {}
        result = None
        for call in self.calls:
            args = [_made(value, objects) for value in call.args]
            kwargs = {name: _made(value, objects) for name, value in call.kwargs.items()}
            try:
                result = names[call.function](*args, **kwargs)
            except Exception:
                if call is self.calls[-1]:
                    raise
                continue
            if call.makes is not None:
                objects[call.makes] = result
        return result

    def __repr__(self) -> str:
        lines = [f"{self.problem}, group {self.group}, seed {self.seed}:"]
        for call in self.calls:
            shown = [*map(summary, call.args), *(f"{k}={summary(v)}" for k, v in call.kwargs.items())]
            lines.append(f"  {call.function}({', '.join(shown)})")
        return "\n".join(lines)


def _made(value: Any, objects: Mapping[int, Any]) -> Any:
    return objects[value.number] if isinstance(value, Handle) else value


def load(path: Path) -> Replay:
    """Read what :func:`save` wrote. Raises :class:`DeskError`."""
    try:
        with zipfile.ZipFile(path) as archive, archive.open(f"{_INDEX}.npy") as member:
            index = json.loads(np.lib.format.read_array(member, allow_pickle=False).item())
            calls = [_load_call(archive, call) for call in index["calls"]]
        return Replay(index["problem"], index["group"], index["seed"], tuple(calls))
    except FileNotFoundError as error:
        raise DeskError(f"There is no file {path}: `fourrounds replay` makes it.") from error
    except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile, WireError) as error:
        raise DeskError(f"{path} is no file of `fourrounds replay` ({error}): run that again.") from error


def _load_call(archive: zipfile.ZipFile, tree: Mapping[str, Any]) -> FailingCall:
    values = {}
    for name, entry in tree["arguments"].items():
        blobs = [archive.read(f"{member}.npy") for member in entry["arrays"]]
        # The file is our own, so a handle and a generator's state mean something in it.
        values[name] = Decoder(blobs, find=lambda number: Handle(number, "an object")).decode(entry["tree"])
    names = list(values)
    positional = names[: tree["positional"]]
    return FailingCall(
        tree["function"],
        tuple(values[name] for name in positional),
        {name: values[name] for name in names[tree["positional"] :]},
        tree["makes"],
    )


def snippet(path: Path, calls: Sequence[Call]) -> str:
    """Python that loads the file and makes the failing call with the learner's own function."""
    last = calls[-1]
    uses_objects = any(isinstance(value, Handle) for value in (*last.args, *last.kwargs.values()))
    call = "failing.run(globals())" if uses_objects else f"{last.function}(*failing.args, **failing.kwargs)"
    return f"from fourrounds import desk\n\nfailing = desk.failing_input({str(path)!r})\n{call}"
