"""The truth of a problem, for tests that confirm it against an independent public implementation."""

from __future__ import annotations

from types import SimpleNamespace

from fourrounds.examiner.layout import find_root
from fourrounds.examiner.problem import find_problems, load_problem


def truth_of(slug: str) -> SimpleNamespace:
    """What the set-up cells, the worked solution and the truth cell of a problem define, by name."""
    path = next(path for path in find_problems(find_root() / "source") if path.stem == slug)
    problem = load_problem(path)
    names: dict[str, object] = {"__name__": slug}
    for text in (
        *(cell.source for cell in problem.by_role("setup")),
        problem.solution(),
        *(cell.source for cell in problem.by_role("truth")),
    ):
        exec(text, names)
    return SimpleNamespace(**{name: value for name, value in names.items() if not name.startswith("__")})
