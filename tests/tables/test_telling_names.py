"""Names within other texts: found as a pattern of all of them would find them."""

from __future__ import annotations

import re

from hypothesis import example, given
from hypothesis import strategies as st

from adapter.tables.telling_names import TellingNames

# few letters, so that names begin within each other and stand at the edges of words
TEXT = st.text(alphabet="ab _-ßé²", max_size=20)
NAMES = st.lists(st.text(alphabet="ab -ß", min_size=1, max_size=4), max_size=6, unique=True).map(tuple)


def by_pattern(names: tuple[str, ...], text: str) -> str:
    if not names:
        return ""
    longest_first = sorted(names, key=lambda name: (-len(name), name))
    found = re.search(rf"(?<!\w)(?:{'|'.join(map(re.escape, longest_first))})(?!\w)", text)
    return found[0] if found else ""


@given(NAMES, TEXT)
@example(("a", "a b"), "xa a b")
@example(("ab", "ab a"), "ab aa")
@example(("a",), "aa_a a_ ²a a")
def test_the_first_and_longest_name_of_whole_words_is_found(names: tuple[str, ...], text: str) -> None:
    assert TellingNames(names).search(text) == by_pattern(names, text)


def test_a_name_within_a_word_is_not_found() -> None:
    assert TellingNames(("globulin",)).search("haptoglobulin, globulins") == ""


def test_no_names_are_never_found() -> None:
    assert TellingNames(()).search("anything") == ""
