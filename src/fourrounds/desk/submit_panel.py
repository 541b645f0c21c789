"""The last cell of a learner's notebook: hand in what is on the screen, and see the verdict."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from fourrounds.desk import handing_in, report, store
from fourrounds.desk.apart import run_apart
from fourrounds.desk.attempts import Attempt, Attempts
from fourrounds.desk.clocks import Clocks, Do, told
from fourrounds.desk.errors import DeskError
from fourrounds.desk.mocks import refuse_copy
from fourrounds.desk.panel import Face, Panel
from fourrounds.desk.work import saved_at, work_path
from fourrounds.examiner.layout import Layout
from fourrounds.examiner.problem import Problem


class SubmitPanel(Panel):
    """Predict, submit, read the report, open the debrief."""

    def __init__(self, layout: Layout, problem: Problem, user: str, path: Path) -> None:
        self._layout = layout
        self._problem = problem
        self._user = user
        self._path = path
        self._clocks = Clocks(store.of(layout), user)
        self._busy = False
        self._asked = False
        super().__init__()
        self.draw()

    def __repr__(self) -> str:
        last = self._last()
        if last is None:
            return f"{self._problem.slug} has not been handed in yet: press Submit, in JupyterLab."
        return report.text_report(self._report(last), self._next(last))

    def _last(self) -> Attempt | None:
        attempts = Attempts(store.of(self._layout)).of(self._user, self._problem.slug)
        return attempts[-1] if attempts else None

    def drawn(self) -> Face:
        last = self._last()
        waits = self._waiting()
        html = ""
        if last is not None:
            html = report.html_report(self._report(last), self._next(last))
        elif not waits:
            html = (
                "<p>The hidden tests run on what is on the screen: the notebook is saved first. You may "
                "submit as often as you like, and every attempt is kept.</p>"
            )
        full = last is not None and last.score >= self._most
        submit = {"do": "submit", "label": "Submit again" if last else "Submit", "main": not full}
        buttons: list[dict[str, Any]] = [{**submit, "save": True, "ask": True}]
        if waits and not self._busy:
            buttons.append({"do": "settle", "label": "Grade what was handed in before"})
            at = waits[-1].submitted_at.astimezone()
            html += (
                f"<p>What you handed in at {at:%H:%M} is kept and not graded yet: its grader is at work, or "
                "was stopped.</p>"
            )
        if last is not None:
            debrief = {"do": "debrief", "label": "Open the debrief", "title": "The worked solution."}
            buttons.append({**debrief, "main": full})
        if self._asked:
            buttons = [
                {"do": "stay", "label": "No, I go on", "main": True},
                {"do": "debrief", "label": "Yes, open the debrief"},
            ]
        apart = " (the text is graded apart)" if self._problem.by_role("manual") else ""
        points = {
            "label": "How many points do you expect?",
            "max": self._most,
            "unit": f"of {self._most:g}{apart}",
        }
        return {"html": html, "buttons": buttons, "ask": points, "busy": self._busy}

    def actions(self) -> Mapping[str, Callable[[Mapping[str, Any]], str | None]]:
        return {
            "submit": self._submit,
            "settle": self._settle,
            "debrief": self._debrief,
            "stay": self._stay,
        }

    @property
    def _most(self) -> float:
        """The points that the examiner gives."""
        return sum(cell.points for cell in self._problem.by_role("hidden"))

    def _submit(self, content: Mapping[str, Any]) -> str:
        screen = self.screen(content)
        refuse_copy(self._layout, self._user, screen.path)
        data = handing_in.confirmed(screen)
        predicted = handing_in.predicted(content.get("value"), self._most)
        self._path = screen.path
        slug = self._problem.slug
        clock = self._clocks.read(slug, self._problem.minutes, saved_at=saved_at(screen.path))
        number = handing_in.hand_in(self._layout, self._user, slug, screen.path, data, predicted, clock.kept)
        return self._grade(number)

    def _waiting(self) -> list[handing_in.HandedIn]:
        waits = handing_in.waiting(self._layout, self._user)
        return [one for one in waits if one.problem == self._problem.slug]

    def _settle(self, _content: Mapping[str, Any]) -> str:
        graded = [self._grade(one.id) for one in self._waiting()]
        return graded[-1] if graded else "All that was handed in is graded."

    def _grade(self, number: int) -> str:
        self._busy = True
        self.draw("It is handed in and kept. Grading ...")
        try:
            run_apart(self._layout, ["graded", str(number)], self.say)
        except KeyboardInterrupt:
            return "The grading goes on without this kernel. Run this cell again to see the verdict."
        finally:
            self._busy = False
        last = self._last()
        if last is None or handing_in.find(self._layout, number).attempt is None:
            return "Another process is grading it. Run this cell again in a moment to see the verdict."
        return self._ended(last)

    def _ended(self, attempt: Attempt) -> str:
        said = []
        if attempt.sitting is not None and attempt.sitting.seconds:
            late = "" if attempt.sitting.in_time else f", and the interview gives {self._problem.minutes}"
            said.append(f"Time used: {told(attempt.sitting.seconds)}{late}.")
        if attempt.predicted is not None:
            said.append(
                f"You expected {attempt.predicted:g} points, and the examiner gave {attempt.score:g}."
            )
        if attempt.score >= self._most and attempt.sitting is not None:
            self._clocks.do(self._problem.slug, Do.PAUSE, saved_at=saved_at(self._path))
            said.append("The clock is stopped.")
        return " ".join(said) or "Graded."

    def _debrief(self, _content: Mapping[str, Any]) -> str:
        path = self._debrief_path
        if not path.is_file():
            raise DeskError(f"{path} is not built yet: run `fourrounds build {self._problem.slug}`.")
        last = self._last()
        if last is not None and last.score < self._most and not self._asked:
            self._asked = True
            return (
                f"You have {last.score:g} of {self._most:g}. What you submit after the debrief no longer "
                "counts as evidence, until you begin afresh. Open it?"
            )
        self._asked = False
        self._clocks.do(self._problem.slug, Do.DEBRIEF, saved_at=saved_at(self._path))
        self.show_file(path)
        return f"The debrief is open: {path.name} in solutions/."

    def _stay(self, _content: Mapping[str, Any]) -> None:
        self._asked = False

    @property
    def _debrief_path(self) -> Path:
        return self._layout.solutions / self._problem.assignment / f"{self._problem.slug}.ipynb"

    def _report(self, attempt: Attempt) -> dict[str, Any]:
        return report.with_reviews(attempt.report, attempt.reviews)

    def _next(self, attempt: Attempt) -> list[str]:
        elsewhere = Path(attempt.submission) != work_path(self._layout, self._problem, self._user)
        again = f" --notebook {shlex.quote(attempt.submission)}" if elsewhere else ""
        lines = report.advice(
            self._report(attempt), path=attempt.submission, debrief="the debrief", again=again
        )
        when = attempt.finished_at.astimezone()
        return [f"Graded at {when:%H:%M:%S} on {when.day} {when:%B}.", *lines]
