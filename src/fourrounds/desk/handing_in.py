"""What is handed in is kept before it is graded, and graded once, whatever is killed in between.

Handing in writes the notebook's bytes into the learner's file. Grading reads them from there, and the attempt
is recorded in the same transaction that marks them as graded. So a kill at any moment leaves either nothing
(and the learner was not told that it was handed in), or something that waits: :func:`waiting` names it, and
:func:`grade` grades it, now or after the next start. A lock that the system takes back from a process that
dies keeps two processes from grading the same thing.

What belongs to a mock interview waits until the interview is over; before that nobody grades it.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import tempfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from fourrounds.desk import store
from fourrounds.desk.attempts import Attempt, Attempts
from fourrounds.desk.clocks import Sitting
from fourrounds.desk.errors import DeskError
from fourrounds.desk.reviewing import carry
from fourrounds.examiner.layout import Layout

MAX_TRIES = 3
"""So often a grader may be lost over the same thing; then it is graded only if the learner asks for it."""
_COLUMNS = "id, user, problem, submitted_at, path, notebook, sha256, predicted, sitting, tries, attempt, mock"
# Not those of a mock interview that goes on.
_MAY_BE_GRADED = "(mock IS NULL OR mock IN (SELECT id FROM mocks WHERE over_at IS NOT NULL))"


@dataclass(frozen=True)
class Screen:
    """A notebook as JupyterLab shows it: ``path`` is the file that it was saved to, ``cells`` its cells."""

    path: Path
    cells: Sequence[dict[str, Any]]


@dataclass(frozen=True)
class HandedIn:
    """Something that was handed in.

    ``attempt`` is the number of the attempt that it became, if it did; ``mock`` that of the mock interview
    that it belongs to, if it belongs to one.
    """

    id: int
    user: str
    problem: str
    submitted_at: datetime
    path: Path
    notebook: bytes
    sha256: str
    predicted: float | None
    sitting: Sitting | None
    tries: int
    attempt: int | None
    mock: int | None = None


def content_hash(cells: Sequence[dict[str, Any]]) -> str:
    """SHA-256 of what is graded in a notebook: the kind and the text of each cell, in their order."""
    texts = []
    for cell in cells:
        source = cell.get("source", "")
        texts.append([cell.get("cell_type"), "".join(source) if isinstance(source, list) else source])
    return hashlib.sha256(json.dumps(texts).encode("utf-8", "surrogatepass")).hexdigest()


def confirmed(screen: Screen) -> bytes:
    """The bytes of the file, which hold what is on the screen; :class:`DeskError` says why if they do not."""
    try:
        data = screen.path.read_bytes()
    except OSError as error:
        raise DeskError(
            f"Nothing was handed in: {screen.path} cannot be read ({error.strerror}), though JupyterLab "
            "shows it. Save the notebook (Ctrl-S), and submit again."
        ) from error
    try:
        cells = json.loads(data)["cells"]
        same = content_hash(cells) == content_hash(screen.cells)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DeskError(
            f"Nothing was handed in: {screen.path} is no notebook ({type(error).__name__}). Save it in "
            "JupyterLab (Ctrl-S), and submit again."
        ) from error
    if not same:
        raise DeskError(
            f"Nothing was handed in: what is on the screen and what is in {screen.path} differ"
            f"{_where(screen.cells, cells)}. Another program may have written the file. Save the notebook "
            "(Ctrl-S; if JupyterLab asks, overwrite the file), and submit again."
        )
    return data


def _where(screen: Sequence[dict[str, Any]], file: Sequence[dict[str, Any]]) -> str:
    if len(screen) != len(file):
        return f" ({len(screen)} cells, and {len(file)} in the file)"
    pairs = enumerate(zip(screen, file, strict=True), 1)
    return f" in cell {next(n for n, (a, b) in pairs if content_hash([a]) != content_hash([b]))}"


def predicted(typed: object, most: float) -> float | None:
    """The points that the learner expects, as typed; None where nothing was. ``most`` is what there is."""
    if typed in (None, ""):
        return None
    try:
        points = float(str(typed))
    except ValueError:
        points = -1.0
    if not 0 <= points <= most:
        raise DeskError(f"Nothing was handed in: expect between 0 and {most:g} points, or leave it empty.")
    return points


def hand_in(
    layout: Layout,
    user: str,
    problem: str,
    path: Path,
    data: bytes,
    predicted: float | None = None,
    sitting: Sitting | None = None,
) -> int:
    """Keep the bytes of a notebook to be graded, and return their number."""
    with store.of(layout).writing() as db:
        return keep(db, user, problem, path, data, predicted, sitting)


def keep(
    db: sqlite3.Connection,
    user: str,
    problem: str,
    path: Path,
    data: bytes,
    predicted: float | None = None,
    sitting: Sitting | None = None,
    mock: int | None = None,
) -> int:
    """As :func:`hand_in`, within a transaction that keeps more than this."""
    number = db.execute(
        "INSERT INTO submissions "
        "(user, problem, submitted_at, path, notebook, sha256, predicted, sitting, mock) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            user,
            problem,
            datetime.now(UTC).isoformat(),
            str(path),
            zlib.compress(data),
            hashlib.sha256(data).hexdigest(),
            predicted,
            None if sitting is None else sitting.to_json(),
            mock,
        ),
    ).lastrowid
    assert number is not None
    return number


def find(layout: Layout, number: int) -> HandedIn:
    """What was handed in under this number."""
    rows = store.of(layout).select(f"SELECT {_COLUMNS} FROM submissions WHERE id = ?", (number,))
    if not rows:
        raise DeskError(f"Nothing was handed in under the number {number}.")
    return _handed_in(rows[0])


def waiting(layout: Layout, user: str) -> list[HandedIn]:
    """What was handed in and is not graded yet, oldest first: it may be in some grader's hands just now.

    What belongs to a mock interview that goes on is not among it.
    """
    rows = store.of(layout).select(
        f"SELECT {_COLUMNS} FROM submissions WHERE user = ? AND attempt IS NULL AND {_MAY_BE_GRADED} "
        "ORDER BY id",
        (user,),
    )
    return [_handed_in(row) for row in rows]


def grade(layout: Layout, number: int, say: Callable[[str], None] = lambda text: None) -> Attempt | None:
    """Grade what was handed in under this number, unless that is done; return the attempt.

    None if another process is grading it at this moment. Raises :class:`DeskError` for what can be put right
    on this machine; an answer always gets a verdict.
    """
    lock = FileLock(_lock_path(layout, number))
    try:
        with lock.acquire(blocking=False):
            found = find(layout, number)
            if found.attempt is None:
                _refuse_early(layout, found)
                _grade(layout, found, say)
                found = find(layout, number)
    except Timeout:
        return None
    except OSError as error:
        raise DeskError(f"The lock {lock.lock_file} cannot be made ({error.strerror}).") from error
    return next(a for a in Attempts(store.of(layout)).of(found.user, found.problem) if a.id == found.attempt)


def left_over(layout: Layout, user: str) -> list[HandedIn]:
    """What waits because its grader was lost.

    What another process is at is left to it, and what ``MAX_TRIES`` graders were lost over to the learner.
    """
    waits = waiting(layout, user)
    return [one for one in waits if one.tries < MAX_TRIES and not being_graded(layout, one.id)]


def settle(layout: Layout, user: str, say: Callable[[str], None] = lambda text: None) -> list[Attempt]:
    """Grade what is left over, and return the attempts."""
    graded = []
    for found in left_over(layout, user):
        say(f"grading {found.problem}, which was handed in at {found.submitted_at.astimezone():%H:%M}")
        attempt = grade(layout, found.id, say)
        graded += [attempt] if attempt else []
    return graded


def being_graded(layout: Layout, number: int) -> bool:
    """Whether a process is at it."""
    lock = FileLock(_lock_path(layout, number))
    try:
        lock.acquire(blocking=False)
    except Timeout:
        return True
    lock.release()
    return False


def _lock_path(layout: Layout, number: int) -> Path:
    folder = layout.state / "locks"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"submission-{number}.lock"


def _refuse_early(layout: Layout, found: HandedIn) -> None:
    query = f"SELECT 1 FROM submissions WHERE id = ? AND {_MAY_BE_GRADED}"
    if not store.of(layout).select(query, (found.id,)):
        raise DeskError(
            f"This belongs to mock interview {found.mock}, which goes on: it is graded when that is over."
        )


def _grade(layout: Layout, found: HandedIn, say: Callable[[str], None]) -> None:
    from fourrounds.desk.examine import Work, attempt_of, run

    with store.of(layout).writing() as db:
        db.execute("UPDATE submissions SET tries = tries + 1 WHERE id = ?", (found.id,))
    problem = layout.problem(found.problem)
    with tempfile.TemporaryDirectory(prefix="fourrounds-handed-in-") as folder:
        copy = Path(folder) / f"{found.problem}.ipynb"
        copy.write_bytes(found.notebook)
        ran = run(problem, Work(copy), say=say)
    attempt = attempt_of(
        ran,
        problem,
        found.user,
        path=found.path,
        sha256=found.sha256,
        predicted=found.predicted,
        sitting=found.sitting,
    )
    attempts = Attempts(store.of(layout))
    carry(attempts, problem, found.user, attempts.record(attempt, submission=found.id))


def _handed_in(row: tuple[Any, ...]) -> HandedIn:
    number, user, problem, at, path, notebook, sha256, predicted, sitting, tries, attempt, mock = row
    return HandedIn(
        id=number,
        user=user,
        problem=problem,
        submitted_at=datetime.fromisoformat(at),
        path=Path(path),
        notebook=zlib.decompress(notebook),
        sha256=sha256,
        predicted=predicted,
        sitting=None if sitting is None else Sitting.from_json(sitting),
        tries=tries,
        attempt=attempt,
        mock=mock,
    )
