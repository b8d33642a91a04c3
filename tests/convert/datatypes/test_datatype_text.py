r"""ST, TX, FT -> string and markdown."""

from adapter.convert.datatypes.text import components, markdown_text, string


def test_outer_blanks_are_no_content(environment):
    assert string("  abc ", environment) == "abc"
    assert string("   ", environment) is None


def test_explicit_null_is_nothing(environment):
    assert string('""', environment) is None
    assert markdown_text('""', environment) is None


def test_separators_in_a_string_stay(environment):
    assert string("a^b&c", environment) == "a^b&c"


def test_escapes_are_decoded(environment):
    assert string(r"5 \T\ 6 \F\ 7", environment) == "5 & 6 | 7"


def test_escape_that_would_give_a_forbidden_character_stays_as_sent(environment):
    assert string(r"a\X00\b", environment) == r"a\X00\b"


def test_line_breaks_of_formatted_text(environment):
    assert markdown_text(r"one\.br\two", environment) == "one\ntwo"


def test_repetitions_are_lines(environment):
    assert markdown_text("one~two~~four", environment) == "one\ntwo\n\nfour"


def test_leading_blanks_place_the_text_and_trailing_ones_do_not(environment):
    assert markdown_text("  one  ~  two ", environment) == "  one\n  two"


def test_components_are_clean_and_padded():
    assert components('a^ b ^""', 5) == ["a", "b", "", "", ""]
