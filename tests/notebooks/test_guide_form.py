"""What all chapters of the guide have in common: how they are stored, and that exercises come with checks."""

from __future__ import annotations

import copy
import re
import sys

import nbformat
import pytest

from fourrounds.course.canonical import canonical
from fourrounds.examiner.layout import find_root
from support.guide import Chapter
from support.guide import chapter as load_chapter

CHAPTERS = [load_chapter(path.stem) for path in sorted((find_root() / "notebooks").glob("0[1-4]_*.ipynb"))]
FOLDED = {"jupyter": {"source_hidden": True}}

pytestmark = pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda chapter: chapter.path.stem)


def exercises(chapter: Chapter) -> list[str]:
    return [key.removeprefix("exercise-") for key in chapter.cells if key.startswith("exercise-")]


def test_it_is_stored_canonically_but_for_the_folded_checks_and_the_names_of_cells(chapter: Chapter) -> None:
    text = chapter.path.read_text(encoding="utf-8")
    stored = nbformat.reads(text, as_version=4)
    made = nbformat.reads(canonical(copy.deepcopy(stored)), as_version=4)
    for cell, old in zip(made.cells, stored.cells, strict=True):
        cell.id = old.id
        if old.id.startswith("check-"):
            cell.metadata.update(copy.deepcopy(FOLDED))
    assert text == nbformat.writes(made) + "\n"
    assert not any(re.fullmatch(r"cell|[0-9a-f]{8}", key) for key in chapter.cells)


def test_each_exercise_has_a_folded_check_and_a_worked_answer(chapter: Chapter) -> None:
    names = exercises(chapter)
    keys = list(chapter.cells)
    assert 3 <= len(names) <= 5
    for number, name in enumerate(names, 1):
        assert keys.index(f"check-{name}") == keys.index(f"exercise-{name}") + 1
        assert chapter.cells[f"check-{name}"].metadata["jupyter"] == FOLDED["jupyter"]
        assert chapter.worked(number).strip()
    assert keys[-1] == "answers"
    assert chapter.cells["answers"].source.count("<details>") == len(names)


def test_each_check_says_that_nothing_is_answered_yet_and_accepts_the_worked_answer(chapter: Chapter) -> None:
    for number, name in enumerate(exercises(chapter), 1):
        assert chapter.printed[f"check-{name}"] == "Not answered yet.\n"
        given = chapter.cells[f"exercise-{name}"].source
        assert chapter.checked(name, f"{given}\n{chapter.worked(number)}").startswith("Right")


def test_a_cell_that_prints_is_not_compared(chapter: Chapter) -> None:
    for key, printed in chapter.printed.items():
        assert bool(printed) == ("nbval-ignore-output" in chapter.cells[key].metadata.get("tags", [])), key


def test_each_figure_has_its_words_and_says_what_is_behind_it(chapter: Chapter) -> None:
    drawn = [key for key, cell in chapter.cells.items() if "plt.subplots" in cell.source]
    assert drawn
    for key in drawn:
        assert re.search(r"^\[.{40,}\] .*\d.* (runs|computed here)\b", chapter.printed[key], re.MULTILINE), (
            key
        )


def test_it_needs_nothing_that_a_learner_may_lack(chapter: Chapter) -> None:
    code = "\n".join(cell.source for cell in chapter.cells.values() if cell.cell_type == "code")
    imported = set(re.findall(r"^\s*(?:from|import) (\w+)", code, re.MULTILINE))
    assert imported <= {"fourrounds", "matplotlib", "numpy"} | sys.stdlib_module_names


def test_its_prose_keeps_to_the_style(chapter: Chapter) -> None:
    text = re.sub(r"```.*?```|`[^`]*`|\$[^$]*\$", "", chapter.prose)
    assert not set("\N{EM DASH}!") & set(text)
    said = re.findall(r'\*\*Say in the interview\.\*\* \*"(.*?)"\*', text)
    assert 5 <= len(said) <= 7
    assert max(len(answer.split()) for answer in said) <= 80
