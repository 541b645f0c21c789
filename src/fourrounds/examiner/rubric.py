"""What a person reads a written answer by: the questions of a manual cell, and sample answers to it.

The rubric stands in what is released of the cell, so that who writes knows what is asked. It has one of two
forms: a numbered list of questions, or in running text the words "one point each:" and then nothing but
questions. Each question is answered by yes or no. The points of the cell are divided evenly among them, so
that a question is worth a point or a whole part of one.

A *sample* is a cell of its own that only the author sees, of the role ``sample``. Its metadata say to which
manual cell it belongs (``of``, a grade_id) and which ``kind`` it is. A ``weak`` one holds an answer as a
candidate plausibly gives it; the ``strong`` one is the model text of the manual cell, and holds no text of
its own. Below the answer stand two headings::

    #### Commentary

    What an interviewer hears, sentence by sentence.

    #### Question by question

    1. No: it names a trend, and no number that could come out otherwise.
    2. Yes: the batch size is named, and what it changes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

KINDS = ("weak", "strong")
COMMENTARY = "#### Commentary"
VERDICTS = "#### Question by question"
_NUMBERED = re.compile(r" {0,3}(\d+)[.)] +(\S.*)")
_IN_TEXT = re.compile(r"\bone point each:")
_VERDICT = re.compile(r"(Yes|No): +(\S.*)", re.DOTALL)


class RubricError(Exception):
    """A rubric or a sample is out of form. The message says to the author what to write."""


@dataclass(frozen=True)
class Question:
    """One question of a rubric, to be answered by yes or no, and the points of a yes."""

    text: str
    points: float


@dataclass(frozen=True)
class Verdict:
    """Whether a sample earns the points of a question, and why."""

    earns: bool
    because: str


@dataclass(frozen=True)
class Sample:
    """A sample answer to the manual cell ``of``, with what an interviewer hears in it.

    ``verdicts`` has one entry for each question. ``text`` of a strong one is the cell's model text.
    """

    of: str
    kind: str
    text: str
    commentary: str
    verdicts: tuple[Verdict, ...]


def read_questions(released: str, points: float) -> tuple[Question, ...]:
    """The questions that the released text of a manual cell asks; ``points`` are those of the cell.

    Raises :class:`RubricError` if there are none, or if the points cannot be divided among them.
    """
    # A cell of code carries its rubric in comments.
    lines = [re.sub(r"^# ?(?!#)", "", line) for line in released.split("\n")]
    texts = _numbered(lines) or _in_running_text(" ".join(" ".join(lines).split()))
    for number, text in enumerate(texts, 1):
        if not text.endswith("?"):
            raise RubricError(f"question {number} of the rubric ends without a question mark: “{text}”")
    if not texts:
        raise RubricError(
            "a person grades by questions, and none can be read: write them as a numbered list, each to be "
            "answered by yes or no, or after the words “one point each:”"
        )
    parts = len(texts) / points if points > 0 else 0.0
    if parts < 1 or parts != int(parts):
        raise RubricError(
            f"{len(texts)} questions share {points:g} points: a question is worth one point, or all of them "
            "are worth the same whole part of one"
        )
    return tuple(Question(text, points / len(texts)) for text in texts)


def _numbered(lines: Sequence[str]) -> list[str]:
    """The entries of a numbered list; an entry goes on until a blank line or the next number."""
    found: list[list[str]] = []
    inside = False
    for line in lines:
        entry = _NUMBERED.fullmatch(line.rstrip())
        if entry:
            if int(entry[1]) != len(found) + 1:
                raise RubricError(f"the list is numbered 1, 2, 3 and so on, and {entry[1]} is out of place")
            found.append([entry[2]])
        elif inside and line.strip():
            found[-1].append(line.strip())
        inside = bool(entry) or (inside and bool(line.strip()))
    return [" ".join(parts) for parts in found]


def _in_running_text(text: str) -> list[str]:
    """The questions after the words that announce them, up to the last question mark."""
    parts = _IN_TEXT.split(text)
    if len(parts) < 2:
        return []
    asked = parts[-1][: parts[-1].rfind("?") + 1]
    return [question.strip() for question in re.findall(r"[^?]+\?", asked)]


def read_sample(
    about: Mapping[str, Any], text: str, questions: Sequence[Question], model_text: str
) -> Sample:
    """A sample from its cell's metadata and text (without markers), for a manual cell with ``questions``.

    Raises :class:`RubricError`.
    """
    kind = about["kind"]
    answer, found, rest = _cut(text, COMMENTARY)
    commentary, also, listed = _cut(rest, VERDICTS)
    if not (found and also and commentary and listed):
        raise RubricError(
            f"a sample has the headings “{COMMENTARY}” and then “{VERDICTS}”, each with text below it"
        )
    if kind == "weak" and not answer:
        raise RubricError(f"a weak sample begins with the answer, above “{COMMENTARY}”")
    if kind == "strong" and answer:
        raise RubricError(
            f"the strong sample is the model text of the manual cell: this cell begins with “{COMMENTARY}”"
        )
    verdicts = []
    for number, said in enumerate(_numbered(listed.split("\n")), 1):
        verdict = _VERDICT.fullmatch(said)
        if not verdict:
            raise RubricError(f"the verdict on question {number} begins with “Yes: ” or “No: ”, and a reason")
        verdicts.append(Verdict(verdict[1] == "Yes", verdict[2]))
    if len(verdicts) != len(questions):
        raise RubricError(
            f"the sample has {len(verdicts)} verdicts, and the rubric {len(questions)} questions"
        )
    if all(verdict.earns for verdict in verdicts) != (kind == "strong"):
        raise RubricError("the strong sample earns every question, and a weak one does not")
    return Sample(str(about["of"]), kind, answer or model_text, commentary, tuple(verdicts))


def _cut(text: str, heading: str) -> tuple[str, bool, str]:
    """What stands above a line that is ``heading``, whether there is one, and what stands below it."""
    above, found, below = f"\n{text}\n".partition(f"\n{heading}\n")
    return above.strip(), bool(found), below.strip()


def written(released: str, source: str) -> str:
    """What a learner wrote into a manual cell: its ``source`` without the lines of the released text."""
    given = {line.strip() for line in released.split("\n")}
    kept = [line if line.strip() not in given else "" for line in source.split("\n")]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(kept)).strip()
