"""A review in a terminal: what is shown, and what is asked."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence

from fourrounds.desk.attempts import Attempts
from fourrounds.desk.errors import DeskError
from fourrounds.desk.report import plain
from fourrounds.desk.reviewing import WORDS, Part, Review, judge
from fourrounds.examiner.rubric import Sample

WIDTH = 100
_PROSE = re.compile(r"(?![-*+>#|]|\d+[.)] |```|    )\S")
"""How a line of a paragraph begins."""
NO_SAMPLE = "There is no sample answer to this one yet."

Ask = Callable[[str], str]
Say = Callable[[str], None]


def wrapped(text: str, indent: str = "") -> str:
    """``text`` in lines that fit a terminal, with nothing in it that commands one."""
    lines = []
    for line in plain(text).split("\n"):
        lines += textwrap.wrap(
            line, WIDTH, initial_indent=indent, subsequent_indent=indent, break_long_words=False
        ) or [""]
    return "\n".join(lines)


def flowing(text: str) -> str:
    """Markdown prose with each paragraph on one line. Lists, quotes, headings and code keep their lines."""
    lines: list[str] = []
    for line in text.split("\n"):
        if lines and _PROSE.match(line) and _PROSE.match(lines[-1]):
            lines[-1] += f" {line}"
        else:
            lines.append(line)
    return "\n".join(lines)


def heading(review: Review) -> str:
    """Which attempt this is about."""
    attempt = review.attempt
    return (
        f"Attempt {review.number} at {review.problem.slug}, graded on "
        f"{attempt.finished_at.astimezone():%d %B %Y at %H:%M}: {attempt.score:g} of {attempt.max_score:g} "
        "points by the examiner."
    )


def title(part: Part) -> str:
    return f"\n{part.title} ({part.cell.grade_id}, {part.cell.points:g} points)"


def answer(part: Part) -> Iterator[str]:
    """What the learner wrote, and what is to be known about it."""
    if part.note:
        yield wrapped(part.note)
    if part.text:
        yield f"\n{wrapped(part.text, '  | ')}\n"


def rubric(part: Part) -> Iterator[str]:
    """The questions, numbered, each with its points."""
    yield "A person reads it by these questions:"
    for number, question in enumerate(part.cell.questions, 1):
        yield wrapped(f"{number}. {question.text} ({question.points:g})", "  ")


def samples(part: Part) -> Iterator[str]:
    """The weak and the strong sample with their commentary, and the verdict on each question."""
    if part.weak is None or part.strong is None:
        yield NO_SAMPLE
        return
    for name, sample in (("A weak sample", part.weak), ("A strong sample", part.strong)):
        yield f"\n{name}\n\n{wrapped(flowing(sample.text), '  | ')}"
        yield f"\nWhat an interviewer hears\n\n{wrapped(flowing(sample.commentary), '  ')}"
        yield "\nQuestion by question\n"
        for number, verdict in enumerate(sample.verdicts, 1):
            yield wrapped(f"{number}. {word(verdict.earns)}: {verdict.because}", "  ")


def word(yes: bool) -> str:
    return "yes" if yes else "no"


def compared(part: Part, answers: Sequence[bool]) -> Iterator[str]:
    """Each question with the learner's answer beside the verdicts on the samples."""
    pairs = [
        (name, sample)
        for name, sample in (("strong", part.strong), ("weak", part.weak))
        if sample is not None
    ]
    for number, (question, yes) in enumerate(zip(part.cell.questions, answers, strict=True)):
        yield wrapped(f"{number + 1}. {question.text}", "  ")
        yield f"     you: {word(yes)}"
        for name, sample in pairs:
            yield wrapped(f"{name}: {_said(sample, number)}", "     ")


def _said(sample: Sample, number: int) -> str:
    verdict = sample.verdicts[number]
    return f"{word(verdict.earns)}, because: {verdict.because}"


def total(review: Review) -> str:
    """The sum of the examiner's points and the judged ones."""
    attempt, own = review.attempt, review.self_reviewed
    most = sum(part.cell.points for part in review.parts if part.judged)
    return (
        f"{own:g} of {most:g} points by your own review, kept with attempt {review.number}. With the "
        f"examiner's {attempt.score:g} that is {attempt.score + own:g} of {attempt.max_score:g}."
    )


def told(review: Review, names: Mapping[str, object]) -> Iterator[str]:
    """What was recorded of the cells in ``names``, beside the samples."""
    for part in review.parts:
        if part.cell.grade_id in names and part.judged:
            yield title(part)
            yield from compared(part, part.judged.answers)
            if part.weak is None:
                yield NO_SAMPLE
    yield f"\n{total(review)}"


def text_review(review: Review) -> Iterator[str]:
    """The review as plain lines, for a notebook that shows no HTML."""
    yield heading(review)
    for part in review.parts:
        yield title(part)
        yield from answer(part)
        if part.judged:
            yield from compared(part, part.judged.answers)
        else:
            yield from rubric(part)
    if any(part.judged for part in review.parts):
        yield f"\n{total(review)}"


def converse(review: Review, store: Attempts, ask: Ask, say: Say) -> Review:
    """Show each written answer, ask the questions, and keep the judgements; a cell at a time.

    ``ask`` is given a prompt and returns a line; its ``EOFError`` ends the review, and :class:`DeskError`
    says what was kept.
    """
    say(heading(review))
    try:
        for number, part in enumerate(review.parts):
            say(title(part))
            for line in answer(part):
                say(line)
            if not part.text:
                continue
            if part.judged:
                say("You have judged this before; what you say now replaces it.")
            review = judge(store, review, {part.cell.grade_id: _questions(part, ask, say)})
            review = _second_look(review, number, store, ask, say)
    except EOFError as end:
        done = [part.title for part in review.parts if part.judged]
        kept = f"Kept so far: {', '.join(done)}." if done else "Nothing was recorded."
        raise DeskError(
            f"The input ended before the review did. {kept} `fourrounds review {review.problem.slug}` goes "
            "through it again, and --answers takes all answers at once."
        ) from end
    say(f"\n{total(review)}")
    return review


def _questions(part: Part, ask: Ask, say: Say) -> list[bool]:
    for line in rubric(part):
        say(line)
    say("\nBe as strict as an interviewer. y is yes, n is no, ? shows the samples, b goes back a question.\n")
    given: list[bool] = []
    while len(given) < len(part.cell.questions):
        number = len(given) + 1
        say(wrapped(f"{number}. {part.cell.questions[number - 1].text}"))
        said = ask("   y/n/?/b: ").strip().lower()
        if said in WORDS:
            given.append(WORDS[said])
        elif said == "?":
            for line in samples(part):
                say(line)
            say("")
        elif said == "b" and given:
            given.pop()
    return given


def _second_look(review: Review, place: int, store: Attempts, ask: Ask, say: Say) -> Review:
    """Compare with the samples, and let the learner turn single answers."""
    part = review.parts[place]
    if part.weak is not None:
        say("\nNow compare.")
    for line in samples(part):
        say(line)
    while True:
        part = review.parts[place]
        assert part.judged is not None
        say(f"\nYour answers beside those, {part.judged.points:g} of {part.cell.points:g} points:\n")
        for line in compared(part, part.judged.answers):
            say(line)
        said = ask("\nThe number of an answer to turn it, or Enter to keep them: ").strip()
        if not said:
            return review
        if said.isdecimal() and 1 <= int(said) <= len(part.judged.answers):
            turned = list(part.judged.answers)
            turned[int(said) - 1] = not turned[int(said) - 1]
            review = judge(store, review, {part.cell.grade_id: turned})
