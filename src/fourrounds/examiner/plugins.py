"""What nbgrader is given to use: an exporter that rebuilds, and preprocessors that examine, hide and show.

``nbgrader_config.py`` calls :func:`configure`; after that ``nbgrader generate_assignment``, ``autograde``,
``generate_feedback`` and formgrader work as nbgrader's manual says.
"""

from __future__ import annotations

import atexit
import html
import json
import os
import re
import shutil
import stat
import sysconfig
import textwrap
from collections.abc import Mapping
from glob import glob
from pathlib import Path
from typing import Any

from nbconvert.exporters import NotebookExporter
from nbconvert.preprocessors import CSSHTMLHeaderPreprocessor
from nbformat.notebooknode import NotebookNode, from_dict
from nbgrader.api import Gradebook
from nbgrader.converters import GenerateAssignment
from nbgrader.converters.base import NbGraderException
from nbgrader.preprocessors import AssignLatePenalties, CheckCellMetadata, GetGrades, NbGraderPreprocessor
from nbgrader.utils import parse_utc
from traitlets import Bool
from traitlets.config import Config

from fourrounds.checks import Kind
from fourrounds.examiner.gradebook import Scores, register, report_bytes
from fourrounds.examiner.grading import Examiner
from fourrounds.examiner.problem import AUTHOR_ROLES, Problem, ProblemError, clear_hidden, load_problem
from fourrounds.examiner.report import Report, known_fault
from fourrounds.examiner.submission import Submission, empty, rebuild

_examiner: Examiner | None = None
MAX_TIMESTAMP = 200
MAX_MARKDOWN = 8_000
"""Characters of a Markdown cell. Parsers of Markdown can take a time that grows with the square of it."""
MAX_SHOWN = 50_000
"""Characters of all code and long texts of a learner's that are shown. A page is ten times as long."""


def shared_examiner() -> Examiner:
    """The examiner of this process, started when first needed: one warm sandbox for a whole batch."""
    global _examiner
    if _examiner is None:
        _examiner = Examiner()
        atexit.register(_examiner.close)
    return _examiner


def configure(c: Config) -> None:
    """Set nbgrader up to grade through the examiner."""
    if shutil.which("alembic") is None:
        # nbgrader starts it by name to make a gradebook; an environment need not be activated to be used.
        os.environ["PATH"] = os.pathsep.join([os.environ.get("PATH", ""), sysconfig.get_path("scripts")])
    c.GenerateAssignment.preprocessors = [DropAuthorCells, *GenerateAssignment.preprocessors.default_args[0]]
    c.Autograde.exporter_class = RebuildingExporter
    # What is rebuilt from the source needs no sanitising.
    c.Autograde.sanitize_preprocessors = []
    c.Autograde.autograde_preprocessors = [Examine, AssignLatePenalties, CheckCellMetadata]
    c.GenerateFeedback.preprocessors = [GetScores, ShowReport, HideHiddenTests, CSSHTMLHeaderPreprocessor]


class DropAuthorCells(NbGraderPreprocessor):
    """Takes fault, variant and debrief cells out before anything is released."""

    def preprocess(self, nb: NotebookNode, resources: Any) -> tuple[NotebookNode, Any]:
        nb.cells = [
            cell for cell in nb.cells if cell.metadata.get("fourrounds", {}).get("role") not in AUTHOR_ROLES
        ]
        return nb, resources


class RebuildingExporter(NotebookExporter):
    """Reads what was handed in as text, and rebuilds it around the source's cells. Never raises for a bad
    file.

    nbgrader makes one for each run of autograde, just before it looks at the first student; that is the place
    to bring gradebook and file lists into the state that nbgrader assumes.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._problems: dict[tuple[str, str], Problem] = {}
        # What the first of nbgrader's two passes has read, for the second.
        self.current: tuple[Problem, Submission] | None = None
        if hasattr(self.parent, "coursedir"):
            self._prepare(self.parent)

    def _prepare(self, converter: Any) -> None:
        course = converter.coursedir
        everyone = converter._format_source("*", "*")
        if everyone not in course.ignore:
            # Nothing beside the notebooks is taken from a submission: no link is followed, no file copied.
            # (Set on this run's list, since the exchange copies by the same list.)
            course.ignore = [*course.ignore, everyone]
        for folder in glob(converter._format_source(course.assignment_id, course.student_id)):
            if os.path.isdir(folder):
                converter.assignments.setdefault(folder, [])
        assignments = set()
        for folder, notebooks in converter.assignments.items():
            match = re.match(
                converter._format_source("(?P<assignment>.*)", "(?P<student>.*)", escape=True), folder
            )
            if match is None:
                continue
            assignment = match["assignment"]
            assignments.add(assignment)
            slugs = [p.stem for p in self._sources(course, assignment)]
            # A notebook that is not there is graded too: its report says so.
            wanted = {os.path.join(folder, f"{slug}.ipynb") for slug in slugs}
            if course.notebook_id != "*":
                wanted &= set(notebooks)
            notebooks[:] = sorted({*(n for n in notebooks if n in wanted), *wanted})
            _put_aside_bad_timestamp(folder, self.log)
        converter.assignments = {f: n for f, n in converter.assignments.items() if n}
        with Gradebook(course.db_url, course.course_id) as book:
            for assignment in sorted(assignments):
                for path in self._sources(course, assignment):
                    register(book, self._load(course, assignment, path.stem))

    @staticmethod
    def _sources(course: Any, assignment: str) -> list[Path]:
        folder = Path(course.format_path(course.source_directory, ".", assignment))
        return sorted(folder.glob("*.ipynb"))

    def _load(self, course: Any, assignment: str, slug: str) -> Problem:
        key = (assignment, slug)
        if key not in self._problems:
            path = Path(course.format_path(course.source_directory, ".", assignment)) / f"{slug}.ipynb"
            try:
                self._problems[key] = load_problem(path)
            except (ProblemError, OSError) as error:
                raise NbGraderException(
                    f"The source notebook {assignment}/{slug} cannot be used: {error}"
                ) from error
        return self._problems[key]

    def from_filename(
        self, filename: str, resources: dict | None = None, **kwargs: Any
    ) -> tuple[str, dict[str, Any]]:
        """Rebuild the submitted notebook (first pass), or go on with the one just rebuilt (second pass)."""
        assert resources is not None
        ids = resources["nbgrader"]
        if self.parent._sanitizing:
            problem = self._load(self.parent.coursedir, ids["assignment"], ids["notebook"])
            folder = Path(filename).parent
            self.current = (problem, _handed_in(problem, Path(filename)))
            stamp = _timestamp(folder)
            if stamp is not None:
                # nbgrader compares it with a later submission's to see that there is something new to grade.
                resources.setdefault("outputs", {})["timestamp.txt"] = stamp
        assert self.current is not None
        notebook = from_dict(self.current[1].notebook())
        return super().from_notebook_node(notebook, resources, **kwargs)


class Examine(NbGraderPreprocessor):
    """Grades the rebuilt submission; verdicts go into gradebook and notebook, and the report is kept."""

    def preprocess(self, nb: NotebookNode, resources: Any) -> tuple[NotebookNode, Any]:
        exporter = self.parent
        problem, submission = exporter.current
        ids = resources["nbgrader"]
        with Gradebook(ids["db_url"]) as book:
            scores = Scores(book, problem, ids["student"])
            scores.zero()
            report = shared_examiner().grade(problem, submission)
            scores.write(report, submission)
        _annotate(nb, report, submission)
        _ask(nb, submission)
        resources.setdefault("outputs", {})[report_name(problem.slug)] = report_bytes(report)
        self.log.info(
            "%s: %g of %g points (%s)", ids["student"], report.score, report.max_score, report.sandbox
        )
        return nb, resources


def report_name(slug: str) -> str:
    """The file name of the report that is kept beside an autograded notebook."""
    return f"{slug}.report.json"


_CONTROL = re.compile(
    r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b.|[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]"
)


def plain(text: str) -> str:
    """``text`` without control characters and escape sequences, line ends and tabs aside."""
    return _CONTROL.sub("", text.replace("\r\n", "\n"))


# What makes a link of a text in brackets; the group is the name of a picture that was pasted.
_LINK = re.compile(r"\](?=[(\[:])(?=\(attachment:([\w .%-]+)\))?")


def _inert(markdown: str, pictures: Mapping[str, Any]) -> str:
    """A learner's Markdown as it may be rendered: spaces keep every tag and every link from being one.

    Formulas, code and lists stay as they are, addresses can be read, and ``pictures`` of the cell are shown.
    One that is not there would be an error of nbconvert's.
    """
    text = re.sub(r"<(?=[A-Za-z/!?])", "< ", plain(markdown))
    return _LINK.sub(lambda match: "]" if match[1] in pictures else "] ", text)


class _Room:
    """The room that a learner's long texts have on a page, in characters, and how many were clipped to it."""

    def __init__(self, left: int) -> None:
        self.left = left
        self.clipped = 0

    def take(self, text: str) -> str:
        shown = text[: self.left]
        self.left -= len(shown)
        if shown == text:
            return text
        self.clipped += 1
        return f"{shown}\n# [... {len(text) - len(shown)} characters more]"


def _annotate(nb: NotebookNode, report: Report, submission: Submission) -> None:
    """Put what was printed and what was found into the cells as plain text."""
    room = _Room(MAX_SHOWN)
    rendered = as_text = 0
    for number, (cell, part) in enumerate(zip(nb.cells, submission.parts, strict=True)):
        own = part.cell is None or part.cell.is_answer
        if cell.cell_type == "markdown" and own:
            rendered += len(cell.source)
            if len(cell.source) > MAX_MARKDOWN or rendered > 5 * MAX_MARKDOWN:
                as_text += 1
                # nbconvert looks for links in the page, and takes the square of the number of brackets.
                text = html.escape(room.take(plain(cell.source))).replace("[", "&#91;")
                cell.source = f"<pre>{text}</pre>"
            else:
                cell.source = _inert(cell.source, cell.get("attachments", {}))
        if cell.cell_type != "code":
            continue
        if own:
            cell.source = room.take(plain(cell.source))
        text = plain(report.printed.get(number, ""))
        if part.cell is not None and part.cell.is_test:
            verdict = report.cell(part.cell.grade_id)
            text = f"{verdict.kind}: {verdict.points or 0:g} of {verdict.max_points:g} points"
            # Wrapped, since formgrader and the feedback cut a long line off.
            text += "".join(f"\n{line}" for line in textwrap.wrap(plain(verdict.message), 110))
            if verdict.fault_says:
                text += f"\n{known_fault(verdict.kind)}: {verdict.fault_says}."
            text += "".join(f"\n\n{room.take(plain(detail.text))}" for detail in verdict.details)
        if text:
            cell.outputs = [from_dict({"output_type": "stream", "name": "stdout", "text": text})]
    if as_text:
        report.notes.append(f"Markdown cells too long to be rendered are shown as text: {as_text}.")
    if room.clipped:
        report.notes.append(
            f"All cells were run and read; {room.clipped} are shown in part, since together they are long."
        )


def _ask(nb: NotebookNode, submission: Submission) -> None:
    """Put the questions of each written answer above it, as the source asks them.

    The learner's cell may have lost them, or hold others.
    """
    cells: list[NotebookNode] = []
    for cell, part in zip(nb.cells, submission.parts, strict=True):
        if part.cell is not None and part.cell.role == "manual":
            listed = "".join(
                f"\n{number}. {question.text} ({question.points:g})"
                for number, question in enumerate(part.cell.questions, 1)
            )
            lead = f"**A person reads the answer below by these questions, {part.cell.points:g} points.**"
            source = f"{lead}\n{listed}"
            cell_id = f"questions-{len(cells)}"
            cells.append(
                from_dict({"cell_type": "markdown", "id": cell_id, "metadata": {}, "source": source})
            )
        cells.append(cell)
    nb.cells = cells


class HideHiddenTests(NbGraderPreprocessor):
    """Takes the hidden tests out of the feedback that students get."""

    show = Bool(False, help="Show hidden test code in feedback").tag(config=True)

    def preprocess(self, nb: NotebookNode, resources: Any) -> tuple[NotebookNode, Any]:
        if not self.show:
            for cell in nb.cells:
                cell.source = clear_hidden(cell.source)
        return nb, resources


class GetScores(GetGrades):
    """nbgrader's own, which also tells the points that a person has given from the examiner's."""

    def _get_score(self, cell: NotebookNode, resources: Any) -> None:
        super()._get_score(cell, resources)
        marks = cell.metadata.nbgrader
        place = (self.notebook_id, self.assignment_id, self.student_id)
        marks["by_hand"] = self.gradebook.find_grade(marks.grade_id, *place).manual_score


class ShowReport(NbGraderPreprocessor):
    """Puts the examiner's report on top of the feedback, with what a person has graded since."""

    def preprocess(self, nb: NotebookNode, resources: Any) -> tuple[NotebookNode, Any]:
        path = Path(resources["metadata"]["path"]) / report_name(resources["nbgrader"]["notebook"])
        if path.is_file():
            report = json.loads(path.read_text(encoding="utf-8"))
            _enter_by_hand(report, nb)
            source = report_html(report)
            nb.cells.insert(
                0, from_dict({"cell_type": "markdown", "id": "report", "metadata": {}, "source": source})
            )
        return nb, resources


def _enter_by_hand(report: dict[str, Any], nb: NotebookNode) -> None:
    """Put the points that a person has given, which :class:`GetScores` found, into a report (as its JSON)."""
    marks = [cell.metadata.get("nbgrader", {}) for cell in nb.cells]
    given = {mark["grade_id"]: mark["by_hand"] for mark in marks if mark.get("by_hand") is not None}
    for cell in report["cells"]:
        if cell["grade_id"] not in given:
            continue
        cell["points"] = given[cell["grade_id"]]
        said = "" if cell["kind"] == Kind.MANUAL else cell["message"].rstrip(".")
        cell["message"] = f"{said}. A person has set the points." if said else "A person has graded this."


def report_html(report: dict[str, Any]) -> str:
    """A report (as its JSON) as one HTML block, everything in it escaped."""

    def text(value: Any) -> str:
        return html.escape(" ".join(plain(str(value)).split()))

    rows = []
    for cell in report["cells"]:
        points = "not yet" if cell["points"] is None else f"{cell['points']:g}"
        said = text(cell["message"]).rstrip(".")
        said = f"{said}." if said else ""
        if cell["fault_says"]:
            said += f"{' ' if said else ''}{known_fault(cell['kind'])}: {text(cell['fault_says'])}."
        rows.append(
            f"<tr><td>{text(cell['group'])}</td><td>{text(cell['kind'])}</td>"
            f"<td>{points} of {cell['max_points']:g}</td><td>{said}</td></tr>"
        )
    notes = "".join(f"<li>{text(note)}</li>" for note in report["notes"])
    # nbconvert looks for links in the page, and takes the square of the number of brackets.
    details = [
        f"<h4>{text(cell['group'])}</h4>{detail['html'].replace('[', '&#91;')}"
        for cell in report["cells"]
        for detail in cell.get("details", ())
    ]
    return "".join(
        [
            '<div><h3>Report</h3><table class="table"><tr><th>group</th><th>verdict</th><th>points</th>',
            "<th>what was seen</th></tr>",
            *rows,
            "</table>",
            f"<ul>{notes}</ul>" if notes else "",
            *details,
            f"<p>Seed {report['seed']}, sandbox {text(report['sandbox'])}, {report['seconds']:.2f} s.</p>",
            "</div>",
        ]
    )


def _handed_in(problem: Problem, path: Path) -> Submission:
    """The submission at ``path``, unless its folder is a link: whose work lies there, nobody knows."""
    if path.parent.is_symlink():
        return empty(
            problem,
            failure="The folder that was handed in is a link to another one. Hand in the notebook itself.",
        )
    return rebuild(problem, path)


def _timestamp(folder: Path) -> bytes | None:
    """The submission's timestamp.txt, if it is a small regular file that holds a time."""
    path = folder / "timestamp.txt"
    try:
        if folder.is_symlink():
            return None
        status = os.lstat(path)
        if not stat.S_ISREG(status.st_mode) or status.st_size > MAX_TIMESTAMP:
            return None
        data = path.read_bytes()
        parse_utc(data.decode().strip())
    except (OSError, ValueError, OverflowError):
        return None
    return data


def _put_aside_bad_timestamp(folder: str, log: Any) -> None:
    """Rename a timestamp.txt that holds no time: nbgrader would fail on it, and on the whole submission."""
    path = Path(folder) / "timestamp.txt"
    if Path(folder).is_symlink():
        return  # what lies there is somebody else's
    if os.path.lexists(path) and _timestamp(Path(folder)) is None:
        log.warning("%s holds no time and is put aside", path)
        os.replace(path, path.with_name("timestamp.txt.unreadable"))
