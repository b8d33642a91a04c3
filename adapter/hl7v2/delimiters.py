r"""MSH-1 and MSH-2: check the delimiters of a message and rewrite it with the canonical `|^~\&`.

A message with other delimiters is rewritten once, so that everything behind splits on the same five characters. A canonical
character that is data in the source becomes its escape sequence; an escape sequence of the source becomes the character that it
stands for, escaped where the canonical text needs it. No meaning changes (HL7 v2.5.1 chapter 2.5.4 and 2.7.1, v2.7 for the
truncation character).
"""

from __future__ import annotations

import re
import string

from adapter.issues import Issue, reject

CANONICAL = "|^~\\&"

#: MSH-2 of messages that need no rewriting: with and without truncation character.
USUAL = frozenset({"^~\\&", "^~\\&#"})

#: Faulty MSH-2 that can mean one thing only: a backslash lost or doubled by the sender's programming language.
_SLIPS = frozenset({"^~&", "^~\\\\&"})

#: Letters of the escape sequences for field, component, repetition, escape and subcomponent, in the order of `CANONICAL`.
_LETTERS = "FSRET"

_UNFIT = frozenset(string.ascii_letters + string.digits + string.whitespace + '"')


def canonical(text: str) -> tuple[str, str, str, tuple[Issue, ...]]:
    r"""Check the delimiters of a message and rewrite it when they are not the canonical ones.

    Parameters
    ----------
    text : str
        A message that begins with `MSH`.

    Returns
    -------
    text : str
        The message with `|^~\&`.
    field_separator : str
        MSH-1 as sent.
    encoding_characters : str
        MSH-2 as sent.
    issues : tuple of Issue
        `unusual-delimiters`, or nothing.

    Raises
    ------
    Rejected
        `bad-delimiters`.
    """
    separator = text[3:4]
    sent = _encoding_characters(text, separator)
    if separator == "|" and sent in USUAL:
        return text, separator, sent, ()
    found = (Issue("unusual-delimiters", "MSH-2", f"MSH-1 is {separator!r}, MSH-2 is {sent!r}"),)
    rest = text[4 + len(sent) :]
    if separator == "|" and (sent in _SLIPS or _has_extra_character(sent)):
        return "MSH|^~\\&" + rest, separator, sent, found
    roles = _roles(separator, sent)
    truncation = sent[4:5]
    return "MSH|^~\\&" + truncation + _rewrite(rest, roles, truncation), separator, sent, found


def _has_extra_character(sent: str) -> bool:
    """Tell whether one punctuation character too many stands behind the usual ones and the truncation character."""
    return sent[:4] == "^~\\&" and len(sent) == 6 and not _UNFIT.intersection(sent)


def _encoding_characters(text: str, separator: str) -> str:
    end = 4
    while end < len(text) and end < 12 and text[end] != separator and text[end] not in "\r\n":
        end += 1
    return text[4:end]


def _roles(separator: str, sent: str) -> str:
    """Check the set and give it as field, component, repetition, escape, subcomponent; absent ones are missing at the end."""
    roles = separator + sent[:4]
    everything = separator + sent
    if not separator or not sent or len(sent) > 5 or len(set(everything)) < len(everything):
        raise reject("bad-delimiters", "MSH-2", "MSH-1 and MSH-2 must be different characters, MSH-2 one to five of them")
    if any(character in _UNFIT or not character.isprintable() for character in everything):
        raise reject("bad-delimiters", "MSH-2", "a delimiter is a letter, digit, blank, quote or control character")
    if len(sent) < 4 and any(character in CANONICAL and CANONICAL[place] != character for place, character in enumerate(roles)):
        raise reject("bad-delimiters", "MSH-2", "MSH-2 is too short, and a usual delimiter stands at another one's place")
    return roles


def _rewrite(text: str, roles: str, truncation: str) -> str:
    replacement: dict[str, str] = {}
    for place, character in enumerate(CANONICAL):
        # as data; a role below overrides it
        replacement[character] = f"\\{_LETTERS[place]}\\"
    as_data = {character: replacement.get(character, character) for character in roles + truncation}
    if len(roles) > 3:
        escape = roles[3]
        for place, character in enumerate(roles):
            replacement[f"{escape}{_LETTERS[place]}{escape}"] = as_data[character]
        if truncation:
            replacement[f"{escape}P{escape}"] = as_data[truncation]
    for place, character in enumerate(roles):
        replacement[character] = CANONICAL[place]
    longest_first = sorted((source for source, target in replacement.items() if source != target), key=len, reverse=True)
    pattern = re.compile("|".join(re.escape(source) for source in longest_first))
    return pattern.sub(lambda match: replacement[match[0]], text)
