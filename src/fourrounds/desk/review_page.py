"""A review in a notebook: HTML in which everything that a learner or an author wrote is text."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from fourrounds.desk import review_text as text
from fourrounds.desk.report import plain
from fourrounds.desk.reviewing import Part, Review
from fourrounds.examiner.rubric import Sample

_LEFT = "style='text-align:left;vertical-align:top;white-space:pre-wrap'"
_QUOTED = (
    "style='white-space:pre-wrap;border-left:3px solid var(--jp-border-color1, #bdbdbd);padding-left:1em;"
    "margin:0.5em 0'"
)
_PROSE = "style='white-space:pre-wrap;margin:0.5em 0'"


def html_review(review: Review) -> str:
    """The written answers of an attempt with rubric, samples, and the judgements that there are."""
    parts = [f"<p>{_text(text.heading(review))}</p>", *(_part(part) for part in review.parts)]
    if any(part.judged for part in review.parts):
        parts.append(f"<p><b>{_text(text.total(review))}</b></p>")
    open_parts = review.open_parts
    example = open_parts[0].cell
    letters = "yn" * (len(example.questions) // 2) + "y" * (len(example.questions) % 2)
    given = f'"{letters}"' if len(open_parts) == 1 else f'{{"{example.grade_id}": "{letters}"}}'
    call = f'desk.review("{review.problem.slug}", {given})'
    parts.append(f"<p>To record yes and no, a letter for each question: <code>{_text(call)}</code></p>")
    return "".join(parts)


def _part(part: Part) -> str:
    made = [f"<h4>{_text(text.title(part).strip())}</h4>"]
    if part.note:
        made.append(f"<p>{_text(part.note)}</p>")
    if part.text:
        made.append(f"<div {_QUOTED}>{_text(part.text)}</div>")
    judged = part.judged.answers if part.judged else None
    made.append(_questions(part, judged))
    if part.weak is None or part.strong is None:
        return "".join([*made, f"<p>{text.NO_SAMPLE}</p>"])
    summary = "The samples" if judged else "The samples: judge your own answer first"
    made += [
        f"<details{' open' if judged else ''}><summary>{summary}</summary>",
        _sample("A weak sample", part.weak),
        _sample("A strong sample", part.strong),
        "</details>",
    ]
    return "".join(made)


def _questions(part: Part, judged: Sequence[bool] | None) -> str:
    """The rubric; once it is judged, with the verdicts on the samples beside the learner's."""
    names = ["Question", "Points"]
    columns = [[f"{number}. {question.text}" for number, question in enumerate(part.cell.questions, 1)]]
    columns.append([f"{question.points:g}" for question in part.cell.questions])
    if judged is not None:
        names.append("You")
        columns.append([text.word(yes) for yes in judged])
        for name, sample in (("Strong sample", part.strong), ("Weak sample", part.weak)):
            if sample is not None:
                names.append(name)
                columns.append([f"{text.word(one.earns)}: {one.because}" for one in sample.verdicts])
    head = "".join(f"<th {_LEFT} scope='col'>{name}</th>" for name in names)
    rows = "".join(
        f"<tr>{''.join(f'<td {_LEFT}>{_text(value)}</td>' for value in row)}</tr>"
        for row in zip(*columns, strict=True)
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


def _sample(name: str, sample: Sample) -> str:
    return (
        f"<h5>{name}</h5><div {_QUOTED}>{_text(text.flowing(sample.text))}</div>"
        f"<p><b>What an interviewer hears</b></p><div {_PROSE}>{_text(text.flowing(sample.commentary))}</div>"
    )


def _text(value: str) -> str:
    return escape(plain(value))
