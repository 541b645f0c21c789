"""The words: complete, distinct, and shown without any markup of their own."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from fourrounds.critique import Flaw, Severity, Verdict, glossary
from fourrounds.critique.vocabulary import ABOUT, GROUPS, nearest, words


def test_every_class_has_its_code_and_says_what_it_is() -> None:
    assert [flaw.about.code for flaw in Flaw] == [f"F{n}" for n in range(1, 35)]
    assert set(ABOUT) == set(Flaw)
    for flaw in Flaw:
        about = flaw.about
        for text in (about.says, about.tell, about.run):
            assert 15 < len(text) < 125
            assert not text.endswith(".")
        assert re.search(r"\b(18|19|20)\d\d\b", about.source)
    for part in ("says", "tell", "run"):
        assert len({getattr(flaw.about, part) for flaw in Flaw}) == len(Flaw)


def test_every_class_stands_in_one_group_with_others() -> None:
    members = [flaw for group in GROUPS.values() for flaw in group]
    assert sorted(members) == sorted(Flaw)
    assert min(map(len, GROUPS.values())) >= 2
    assert all(flaw in GROUPS[flaw.group] for flaw in Flaw)


def test_a_member_is_a_plain_word_for_the_other_side_of_the_wall() -> None:
    assert words(Verdict) == ("supported", "not_supported", "undecidable")
    assert all(type(word) is str for kind in (Flaw, Severity, Verdict) for word in words(kind))


def test_a_slip_is_answered_with_the_nearest_word() -> None:
    assert nearest("Untuned baselines", words(Flaw)).startswith("did you mean untuned_baseline")
    assert nearest("qqq", words(Severity)) == "choose from fatal, major, minor"
    assert "press Tab" in nearest("qqq", words(Flaw))


def test_the_glossary_is_one_table_with_a_row_for_each_class() -> None:
    shown = glossary()
    tags: list[str] = []
    parser = HTMLParser()
    parser.handle_starttag = lambda tag, attrs: tags.append(tag)  # type: ignore[method-assign]
    parser.feed(shown._repr_html_())
    assert tags.count("tr") == 1 + len(Flaw)
    assert str(shown).count("\n") == len(Flaw)
