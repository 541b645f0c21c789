"""The corpus of ``retrieval``: how docstrings become documents, and what the real corpus holds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fourrounds.runbank.families import RETRIEVAL
from fourrounds.runbank.training import corpus, retrieval
from fourrounds.runbank.training.corpus import PACKAGES, split, tokens


def test_tokens_are_words_in_lower_case() -> None:
    assert tokens("Fit the MODEL, x_train's 2 ways (l2, 3d): a") == (
        *("fit", "the", "model", "train"),
        *("ways", "l2"),
    )


def test_docstring_is_cut_into_its_summary_and_sentences() -> None:
    summary, sentences = split(
        """Return the mean. Of what?

        It is exact, e.g.
        for numpy.float64
        numbers.  Next one

        Parameters

          and more. 7
        """
    )
    assert summary == ("return", "the", "mean", "of", "what")
    assert sentences == (
        ("it", "is", "exact"),
        ("for", "numpy", "float64", "numbers"),
        ("next", "one"),
        ("parameters",),
        ("and", "more"),
    )


def test_docstring_of_one_line_has_no_sentences() -> None:
    assert split("Only this.") == (("only", "this"), ())


def test_summary_is_the_first_line_alone() -> None:
    assert split("Take one\nor two.\n\nThree") == (("take", "one"), (("or", "two"), ("three",)))


def test_long_body_is_cut_off_after_200_words() -> None:
    _, sentences = split("Sum.\n\n" + "one two three. " * 66 + "four five six seven.\n\nEight")
    assert [len(sentence) for sentence in sentences] == [3] * 66 + [2]
    assert sentences[-1] == ("four", "five")


BODY = "This body has twelve words, which is just what a document needs here."
SOURCES = {
    "numpy": f'''
class Public:
    """Hold some things.

    {BODY}
    """

    def _private(self):
        """Do something private.

        {BODY} Much more.
        """

    async def method(self):
        """Return the thing.

        {BODY} More.
        """

def short():
    """Two words.

    {BODY} Even more.
    """

def brief():
    """Say too little here.

    {BODY[:-5]}
    """

def empty():
    """Say nothing at all."""
''',
    "scipy": f'''
def same_body():
    """Hold other things.

    {BODY}
    """

def last():
    """Come last of all.

    {BODY} And the end.
    """
''',
}


def test_corpus_is_every_public_docstring_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a summary of three words and a body of twelve; of equal bodies the first is kept."""
    for name, text in SOURCES.items():
        (tmp_path / f"{name}.py").write_text(text, encoding="utf-8")
    monkeypatch.setattr(corpus, "_sources", lambda package: sorted(tmp_path.glob(f"{package}.py")))
    known = corpus.corpus.__wrapped__()
    assert known.queries == (
        ("hold", "some", "things"),
        ("return", "the", "thing"),
        ("come", "last", "of", "all"),
    )
    assert known.bodies[1] == (*known.bodies[0], "more")
    assert known.package == (PACKAGES.index("numpy"), PACKAGES.index("numpy"), PACKAGES.index("scipy"))


@pytest.mark.slow
def test_the_corpus_holds_enough_for_every_split() -> None:
    known = corpus.corpus()
    package = np.bincount(known.package, minlength=len(PACKAGES))
    tested = package[[PACKAGES.index(name) for name in retrieval.TEST_PACKAGES]].sum()
    assert tested > RETRIEVAL.n_test
    assert package.sum() - tested >= RETRIEVAL.n_val + retrieval.DOCUMENTS
    assert package.sum() >= retrieval.CANDIDATES
    assert len(set(known.bodies)) == len(known.bodies) == len(known.queries) == len(known.package)
    assert all(sum(s, ()) == body for s, body in zip(known.sentences, known.bodies, strict=True))
    assert min(map(len, known.queries)) >= 3
    assert {min(map(len, known.bodies)), max(map(len, known.bodies))} == {12, 200}
