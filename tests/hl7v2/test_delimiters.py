"""Messages with other delimiters than `|^~\\&` read the same."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.hl7v2.escapes import unescape
from adapter.hl7v2.message import Message, read_message
from adapter.issues import Rejected


def read(delimiters: str, rest: str) -> Message:
    return read_message(f"MSH{delimiters}{delimiters[0]}LIS\rPID{rest}\r".encode())


def components(message: Message) -> list[str]:
    return [unescape(component) for component in message.segments[1][1].split("^")]


@pytest.mark.parametrize("delimiters", ["|^~\\&", "|^~\\&#"])
def test_the_usual_set_is_no_issue(delimiters: str) -> None:
    message = read(delimiters, "|A^B")
    assert [issue.slug for issue in message.issues] == ["version-unknown"]


@pytest.mark.parametrize(
    ("delimiters", "sent", "canonical"),
    [
        ("^~|\\&", "^a~b|c&d", "|a^b~c&d"),
        ("|@#%&", "|a@b#c&d", "|a^b~c&d"),
        ("|^~\\$", "|a^b~c$d", "|a^b~c&d"),
        # a canonical delimiter that is data becomes its escape sequence
        ("|@#%&", "|a^b~c\\d", "|a\\S\\b\\R\\c\\E\\d"),
        ("$%~\\&", "$a|b", "|a\\F\\b"),
        ("|^~\\$", "|A&B", "|A\\T\\B"),
        # an escape sequence of the source stands for the delimiter of the source
        ("$%~\\&", "$a\\F\\b", "|a$b"),
        ("|@#%&", "|a%F%b%S%c%T%d%E%e", "|a\\F\\b@c\\T\\d%e"),
        ("^~|\\&", "^a\\F\\b\\S\\c\\R\\d", "|a\\S\\b\\R\\c\\F\\d"),
        ("|@#%&", "|x%.br%y%X41%", "|x\\.br\\y\\X41\\"),
        # without escape and subcomponent character these two are data
        ("|^~", "|a&b\\c", "|a\\T\\b\\E\\c"),
        ("|^~\\", "|a&b\\F\\c", "|a\\T\\b\\F\\c"),
        ("|^", "|a~b", "|a\\R\\b"),
        # a backslash that a programming language swallowed or doubled
        ("|^~&", "|a^b&c\\F\\d", "|a^b&c\\F\\d"),
        ("|^~\\\\&", "|a^b&c", "|a^b&c"),
        # the truncation character of v2.7
        ("|^~\\&!", "|a\\P\\b", "|a!b"),
        ("|^~\\&#!", "|a^b", "|a^b"),
        ("|^~¥&", "|a¥F¥b", "|a\\F\\b"),
    ],
)
def test_the_message_is_rewritten(delimiters: str, sent: str, canonical: str) -> None:
    message = read(delimiters, sent)
    assert message.segments[1].text == "PID" + canonical
    assert message.issues[0].slug == "unusual-delimiters"


def test_msh_has_canonical_delimiters_and_the_message_remembers_what_was_sent() -> None:
    message = read("^~|\\&", "^a")
    assert message.header.fields[:4] == ["MSH", "|", "^~\\&", "LIS"]
    assert (message.field_separator, message.encoding_characters) == ("^", "~|\\&")


@pytest.mark.parametrize(
    "delimiters", ["|^^\\&", "|&&&&", "||", "|", "|~\\&", "|abcd", "|^~\\ ", "|^~\\&#!?%", "|^~\\&LIS", '|^~"&']
)
def test_a_set_that_cannot_work_is_rejected(delimiters: str) -> None:
    with pytest.raises(Rejected) as rejection:
        read_message(f"MSH{delimiters}|LIS|LAB\r".encode())
    assert rejection.value.issue.slug == "bad-delimiters"


PUNCTUATION = "|^~\\&!#$%'()*+,-./:;<=>?@[]_`{}"


@given(
    st.lists(st.sampled_from(PUNCTUATION), min_size=5, max_size=5, unique=True),
    st.lists(st.text(alphabet="ab" + PUNCTUATION, max_size=8), min_size=1, max_size=3),
)
def test_data_survives_any_set_of_delimiters(delimiters: list[str], values: list[str]) -> None:
    escape = delimiters[3]
    letters = {character: f"{escape}{letter}{escape}" for character, letter in zip(delimiters, "FSRET", strict=True)}
    escaped = ["".join(letters.get(character, character) for character in value) for value in values]
    field, component = delimiters[:2]
    # an empty component at the end is no part of the message; the last one here is never empty
    assert components(read("".join(delimiters), field + component.join([*escaped, "end"]))) == [*values, "end"]
