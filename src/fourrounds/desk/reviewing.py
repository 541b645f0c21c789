"""A learner judges what they wrote: the last graded attempt, the questions of the rubric, and the samples.

The order is: judge your own answer, then compare it with a weak and a strong one, then change your judgement
if you like. Whoever has just read a strong answer finds its thoughts in their own text, and whoever has just
read a weak one is content too soon; a judgement that was made first can be compared, and where it differs
from what the samples show there is something to learn. Samples can be asked for earlier, since who does not
understand a question learns nothing from guessing at it.

Judgements are kept a cell at a time, each in one transaction, so that a kill loses at most the cell that is
being judged. The examiner's points are not touched: what is told is their sum with the judged ones, and how
much of it was self-reviewed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from fourrounds.desk.attempts import Attempt, Attempts, Judged
from fourrounds.desk.errors import DeskError
from fourrounds.examiner.problem import Cell, Problem
from fourrounds.examiner.rubric import Sample, written
from fourrounds.examiner.wall import Kind

WORDS = {"y": True, "yes": True, "n": False, "no": False}


@dataclass(frozen=True)
class Part:
    """One written answer of an attempt.

    ``text`` is what the learner wrote, and empty if that is nothing, or cannot be read any more; ``note``
    says what is to be known about it. ``judged`` is the learner's judgement, if there is one.
    """

    cell: Cell
    text: str
    note: str
    judged: Judged | None
    weak: Sample | None
    strong: Sample | None

    @property
    def title(self) -> str:
        """The first heading of the cell, else its name."""
        headings = (line.lstrip("# ") for line in self.cell.stub.split("\n") if line.startswith("#"))
        return next(headings, self.cell.grade_id)

    def points(self, answers: Sequence[bool]) -> float:
        """What these answers to the questions earn."""
        return sum(q.points for q, yes in zip(self.cell.questions, answers, strict=True) if yes)


@dataclass(frozen=True)
class Review:
    """An attempt with its written answers. ``number`` counts the learner's attempts at the problem from 1."""

    problem: Problem
    attempt: Attempt
    number: int
    parts: tuple[Part, ...]

    @property
    def open_parts(self) -> tuple[Part, ...]:
        """Those in which something was written."""
        return tuple(part for part in self.parts if part.text)

    @property
    def self_reviewed(self) -> float:
        """The points of the judgements."""
        return sum(part.judged.points for part in self.parts if part.judged)


def manual_cells(problem: Problem) -> list[Cell]:
    """The cells of a problem that a person grades; :class:`DeskError` if it has none."""
    cells = problem.by_role("manual")
    if not cells:
        raise DeskError(
            f"{problem.slug} has nothing to review: all of its points are the examiner's, and "
            f"`fourrounds grade {problem.slug}` gives them."
        )
    return cells


def samples_only(problem: Problem) -> tuple[Part, ...]:
    """The written answers of a problem without any attempt at them: rubric and samples."""
    return tuple(_part(problem, cell, "", "", None) for cell in manual_cells(problem))


def begin(store: Attempts, problem: Problem, user: str, number: int | None = None) -> Review:
    """What there is to review of the learner's last attempt at ``problem``, or of the ``number``-th.

    Raises :class:`DeskError` if there is nothing: no attempt, or nothing written.
    """
    cells = manual_cells(problem)
    slug = problem.slug
    attempts = store.of(user, slug)
    if not attempts:
        raise DeskError(
            f"You have no graded attempt at {slug} yet: `fourrounds grade {slug}`, and then review what you "
            "wrote."
        )
    if number is not None and not 1 <= number <= len(attempts):
        raise DeskError(
            f"You have {len(attempts)} graded attempts at {slug}: give --attempt a number from 1 to that."
        )
    number = number or len(attempts)
    attempt = attempts[number - 1]
    verdicts = {cell["grade_id"]: cell for cell in attempt.report["cells"]}
    for cell in cells:
        verdict = verdicts.get(cell.grade_id)
        if verdict is None or verdict["max_points"] != cell.points:
            raise DeskError(
                f"What {slug} asks for in writing has changed since attempt {number}: "
                f"`fourrounds grade {slug}` makes one that can be reviewed."
            )
    if not _has_writing(attempt):
        raise DeskError(_nothing_written(attempts, number, slug))
    parts = []
    for cell in cells:
        text, note = "", ""
        if verdicts[cell.grade_id]["kind"] == Kind.MANUAL:
            text, note = _text(attempt, problem, cell)
        if not text and not note:
            note = "Nothing was written here."
        parts.append(_part(problem, cell, text, note, attempt.review(cell.grade_id)))
    review = Review(problem, attempt, number, tuple(parts))
    if not review.open_parts:
        notes = dict.fromkeys(part.note for part in parts)
        raise DeskError(f"{' '.join(notes)} `fourrounds grade {slug}` grades what you have now.")
    return review


def _part(problem: Problem, cell: Cell, text: str, note: str, judged: Judged | None) -> Part:
    weak, strong = (problem.sample(cell.grade_id, kind) for kind in ("weak", "strong"))
    if judged is not None and judged.questions != tuple(question.text for question in cell.questions):
        note = f"{note} The questions have changed since you judged this, so judge it again.".strip()
        judged = None
    return Part(cell, text, note, judged, weak, strong)


def _has_writing(attempt: Attempt) -> bool:
    return any(cell["kind"] == Kind.MANUAL for cell in attempt.report["cells"])


def _nothing_written(attempts: Sequence[Attempt], number: int, slug: str) -> str:
    earlier = [place for place, one in enumerate(attempts, 1) if _has_writing(one)]
    if earlier:
        return (
            f"In attempt {number} at {slug} nothing was written for a person to read; in attempt "
            f"{earlier[-1]} something was: `fourrounds review {slug} --attempt {earlier[-1]}`."
        )
    return (
        f"In attempt {number} at {slug} nothing was written for a person to read: write it in the notebook, "
        f"save it, `fourrounds grade {slug}`, and review it then."
    )


def _text(attempt: Attempt, problem: Problem, cell: Cell) -> tuple[str, str]:
    """What was written into a cell when it was graded, and what is to be known about that."""
    from fourrounds.desk.examine import sha256_of
    from fourrounds.examiner.submission import rebuild

    path = Path(attempt.submission)
    changed = sha256_of(path) != attempt.submission_sha256
    now = None
    if path.exists():
        parts = {part.cell.grade_id: part.source for part in rebuild(problem, path).parts if part.cell}
        now = written(cell.stub, parts[cell.grade_id])
    if attempt.written is not None:
        text = written(cell.stub, attempt.written.get(cell.grade_id, ""))
        if now is None:
            return text, f"{path} is not there any more; this is what it held when it was graded."
        if now != text:
            return text, f"{path} says something else by now; this is what it held when it was graded."
        return text, ""
    # Attempts of earlier versions kept no text: the notebook is all there is.
    if now is None:
        return (
            "",
            f"The notebook that was graded ({path}) is gone, and this attempt kept no copy of your words.",
        )
    if changed:
        return now, f"{path} has changed since it was graded; this is what it holds now."
    return now, ""


def judge(store: Attempts, review: Review, answers: Mapping[str, Sequence[bool]]) -> Review:
    """Keep the learner's yes or no to each question, by grade_id, and return the review with them in it.

    Raises :class:`DeskError`.
    """
    made = {}
    for part in review.open_parts:
        given = answers.get(part.cell.grade_id)
        if given is not None:
            made[part.cell.grade_id] = Judged(
                grade_id=part.cell.grade_id,
                questions=tuple(question.text for question in part.cell.questions),
                answers=tuple(given),
                points=part.points(given),
                max_points=part.cell.points,
                judged_at=datetime.now(UTC),
            )
    assert review.attempt.id is not None
    store.judge(review.attempt.id, list(made.values()))
    parts = tuple(replace(part, judged=made.get(part.cell.grade_id, part.judged)) for part in review.parts)
    return replace(review, parts=parts)


def read_answers(
    given: Mapping[str, str | Sequence[bool]] | str | Sequence[bool], review: Review
) -> dict[str, tuple[bool, ...]]:
    """The learner's answers by grade_id. Where one cell alone was written in, they may be given without it.

    Those of a cell are a text such as ``ynyyn``, or a sequence of truth values. :class:`DeskError` says what
    is wrong with them.
    """
    parts = {part.cell.grade_id: part for part in review.open_parts}
    if not isinstance(given, Mapping):
        if len(parts) > 1:
            raise DeskError(f"Say which answer you mean: {' or '.join(f'{name}=yn...' for name in parts)}.")
        given = {next(iter(parts)): given}
    read = {}
    for name, values in given.items():
        if name not in parts:
            raise DeskError(
                f"{review.problem.slug} has no written answer called {name!r} in this attempt. There is "
                f"{', '.join(parts)}."
            )
        most = len(parts[name].cell.questions)
        try:
            each = re.sub(r"[\s,]", "", values) if isinstance(values, str) else values
            answers = tuple(value if isinstance(value, bool) else WORDS[value.lower()] for value in each)
        except (AttributeError, KeyError, TypeError):
            answers = ()
        if len(answers) != most:
            raise DeskError(
                f"{name} has {most} questions, and {values!r} does not answer each by y or n: write "
                f"{'yn' * (most // 2)}{'y' * (most % 2)}, say."
            )
        read[name] = answers
    return read


def by_name(given: Sequence[str]) -> dict[str, str] | str:
    """What ``--answers`` was given: ``NAME=ynyyn``, once for each cell, or ``ynyyn`` alone."""
    if len(given) == 1 and "=" not in given[0]:
        return given[0]
    named = [text.partition("=") for text in given]
    if not all(sign for _, sign, _ in named):
        raise DeskError("Give --answers several times as NAME=ynyyn, or once as ynyyn.")
    return {name.strip(): values.strip() for name, _, values in named}


def carry(store: Attempts, problem: Problem, user: str, attempt: int) -> tuple[Judged, ...]:
    """Give an attempt (its number in the file) the last judgement of each answer that says the very same.

    Who mends the code and is graded again need not judge the same words twice. Returns what was carried over.
    Raises :class:`DeskError`.
    """
    attempts = {one.id: one for one in store.of(user, problem.slug)}
    mine = attempts.pop(attempt).written or {}
    due: list[Judged] = []
    for cell in problem.by_role("manual"):
        questions = tuple(question.text for question in cell.questions)
        same = (
            judged
            for one in reversed(attempts.values())
            if (judged := one.review(cell.grade_id)) is not None
            and judged.questions == questions
            and (one.written or {}).get(cell.grade_id, "") == mine.get(cell.grade_id)
        )
        due += list(same)[:1]
    if due:
        store.judge(attempt, due)
    return tuple(due)
