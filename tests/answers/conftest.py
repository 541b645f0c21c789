"""One started sandbox for each level, and what a test needs to use it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from inside import Worker, levels

from fourrounds.answers.sandbox import LEVELS, Answer, AnswerEnded, Limits, Sandbox, SandboxError


@pytest.fixture(scope="session")
def sandboxes() -> Iterator[Callable[[str], Sandbox]]:
    """A sandbox for each level, started when first asked for."""
    started: dict[str, Sandbox] = {}

    def get(level: str) -> Sandbox:
        if level not in started:
            started[level] = Sandbox(level)
            try:
                started[level].open(Limits()).close()
            except SandboxError as error:
                if level == "namespaces":
                    pytest.skip(f"this machine refuses namespaces within bubblewrap: {error}")
                raise
        return started[level]

    yield get
    for sandbox in started.values():
        sandbox.close()


@pytest.fixture(params=levels(*LEVELS))
def level(request: pytest.FixtureRequest) -> str:
    """Each level in turn."""
    name: str = request.param
    return name


@pytest.fixture
def opened(sandboxes: Callable[[str], Sandbox], level: str) -> Iterator[Callable[..., Worker]]:
    """Open an answer at the present level, with limits of a test's own."""
    answers: list[Answer] = []

    def open_one(**limits: Any) -> Worker:
        for answer in answers:  # a sandbox has one answer at a time
            answer.close()
        answers.append(sandboxes(level).open(Limits(**limits)))
        return Worker(answers[-1], level)

    yield open_one
    for answer in answers:
        answer.close()


@pytest.fixture(scope="session")
def kept() -> Iterator[dict[str, Answer]]:
    """By level, an answer that many tests use in turn, since the weaker levels take a second to open one."""
    answers: dict[str, Answer] = {}
    yield answers
    for answer in answers.values():
        answer.close()


@pytest.fixture
def worker(
    level: str, opened: Callable[..., Worker], kept: dict[str, Answer], sandboxes: Callable[[str], Sandbox]
) -> Iterator[Worker]:
    """An answer at the present level, with the usual limits; earlier tests may have defined names in it."""
    if level == "namespaces":
        yield opened()
        return
    if level not in kept or kept[level].ended:
        kept[level] = sandboxes(level).open(Limits(total_seconds=600))
    present = Worker(kept[level], level)
    yield present
    try:
        present.run("1")
    except AnswerEnded:  # a test that failed has left it in the middle of something
        present.answer.close()
