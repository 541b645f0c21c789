"""A real corpus for retrieval: the docstrings of installed packages.

The packages are those that the constraints file pins, and their source files are read as text, so the
corpus does not depend on the machine; ``Corpus.sha256`` tells whether it is the one that the bank was
made with.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import inspect
import re
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path, PurePath

PACKAGES = ("numpy", "scipy", "scikit-learn", "matplotlib", "networkx")
SHORTEST_QUERY, SHORTEST_BODY, LONGEST_BODY = 3, 12, 200
"""In words. A longer body is cut, so that a document is about a page."""
_END = re.compile(r"\.\s|\n\s*\n")
_WORD = re.compile(r"[a-z][a-z0-9]+")


@dataclass(frozen=True)
class Corpus:
    """Documents, each with its query.

    ``queries`` (the summary line), ``bodies`` and ``sentences`` (those of the body) hold tokens, which are
    lower-case words; ``package`` numbers the package of each document.
    """

    queries: tuple[tuple[str, ...], ...]
    sentences: tuple[tuple[tuple[str, ...], ...], ...]
    bodies: tuple[tuple[str, ...], ...]
    package: tuple[int, ...]
    sha256: str


def tokens(text: str) -> tuple[str, ...]:
    """The words of a text in lower case: a letter, then letters and digits."""
    return tuple(_WORD.findall(text.lower()))


def split(docstring: str) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    """The summary line of a docstring, and the sentences of its body up to ``LONGEST_BODY`` words, as
    tokens.

    A sentence ends at a full stop or an empty line.
    """
    summary, _, body = inspect.cleandoc(docstring).partition("\n")
    sentences: list[tuple[str, ...]] = []
    left = LONGEST_BODY
    for text in _END.split(body):
        words = tokens(text)[:left]
        left -= len(words)
        if words:
            sentences.append(words)
    return tokens(summary), tuple(sentences)


@functools.cache
def corpus() -> Corpus:
    """Every documented function and class of the packages, in the order of their files.

    Of documents with equal bodies the first is kept.
    """
    found: dict[tuple[str, ...], tuple[tuple[str, ...], tuple[tuple[str, ...], ...], int]] = {}
    for number, package in enumerate(PACKAGES):
        for path in _sources(package):
            for docstring in _docstrings(path):
                query, sentences = split(docstring)
                body = tuple(word for sentence in sentences for word in sentence)
                if len(query) >= SHORTEST_QUERY and len(body) >= SHORTEST_BODY:
                    found.setdefault(body, (query, sentences, number))
    documents = list(found.values())
    made = Corpus(
        queries=tuple(query for query, _, _ in documents),
        sentences=tuple(sentences for _, sentences, _ in documents),
        bodies=tuple(found),
        package=tuple(number for _, _, number in documents),
        sha256="",
    )
    text = repr((made.queries, made.sentences, made.package))
    return replace(made, sha256=hashlib.sha256(text.encode()).hexdigest())


def _sources(package: str) -> list[Path]:
    """The package's Python files without its tests, sorted by name."""
    files = metadata.files(package) or ()
    names = sorted(str(file) for file in files if file.suffix == ".py" and not _is_test(file))
    root = Path(str(metadata.distribution(package).locate_file("")))
    return [root / name for name in names]


def _is_test(file: PurePath) -> bool:
    return "tests" in file.parts or file.name.startswith("test_") or file.name == "conftest.py"


def _docstrings(path: Path) -> list[str]:
    """The docstrings of a file's public functions and classes, in the order of their places."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    nodes = sorted((n for n in ast.walk(tree) if isinstance(n, kinds)), key=lambda n: n.lineno)
    texts = (ast.get_docstring(node) for node in nodes if not node.name.startswith("_"))
    return [text for text in texts if text]
