r"""Escape sequences in v2 text (HL7 v2.5.1 chapter 2.7): `\F\ \S\ \T\ \R\ \E\ \P\`, `\Xhh..\`, `\H\ \N\` and formatting commands.

A sequence that is unknown, or has no meaning in plain text, stays as it was sent. Single letters count only in upper case, as the
standard writes them: `\r\` and `\n\` in real feeds come from text such as `line\r\nline`, not from HL7.
Hexadecimal sequences are UTF-8 here; `message.read_message` rewrites those of a message in another charset.
"""

from __future__ import annotations

import re

#: Character of each one-letter sequence; highlighting has none.
CHARACTERS: dict[str, str] = {"F": "|", "S": "^", "T": "&", "R": "~", "E": "\\", "P": "#", "H": "", "N": ""}

#: A formatting command cannot blow a text up beyond this count of lines or blanks.
REPEAT_LIMIT = 99

_SEQUENCE = re.compile(r"\\(?:([FSTREPHN])|\.([A-Za-z]{2}) ?([+]?\d{0,3})|[Xx]([0-9A-Fa-f]{2,}))\\")
_HEXADECIMAL = re.compile(r"\\[Xx]([0-9A-Fa-f]{2,})\\")


def unescape(text: str) -> str:
    r"""Replace escape sequences by what they mean.

    Parameters
    ----------
    text : str
        A component or field with canonical delimiters.

    Returns
    -------
    str
        The text; the same object when it has no backslash. `\.br\`, `\.sp\` and `\.ce\` become line breaks.
    """
    if "\\" not in text:
        return text
    return _SEQUENCE.sub(_replace, text)


def _replace(match: re.Match[str]) -> str:
    letter, command, count, digits = match.groups()
    if letter:
        return CHARACTERS[letter]
    if command:
        return _format(command.lower(), count, match[0])
    return _decode_hexadecimal(digits, match[0])


def _format(command: str, count: str, sequence: str) -> str:
    if command in ("br", "ce") and not count:
        return "\n"
    number = int(count) if count.lstrip("+") else 1
    if number > REPEAT_LIMIT:
        return sequence
    if command == "sp":
        return "\n" * number
    if command == "sk":
        return " " * number
    return sequence


def _decode_hexadecimal(digits: str, sequence: str) -> str:
    try:
        text = bytes.fromhex(digits).decode("utf-8")
    except ValueError:
        return sequence
    return text if all(character >= " " or character in "\t\r\n" for character in text) else sequence


def hexadecimal_to_utf8(text: str, codec: str) -> str:
    r"""Rewrite the hexadecimal sequences of a message from its charset to UTF-8.

    Parameters
    ----------
    text : str
        Text of a message with canonical delimiters.
    codec : str
        Codec of the message.

    Returns
    -------
    str
        The text; sequences that the codec cannot decode stay as they are.
    """

    def rewrite(match: re.Match[str]) -> str:
        try:
            return f"\\X{bytes.fromhex(match[1]).decode(codec).encode('utf-8').hex().upper()}\\"
        except ValueError:
            return match[0]

    return _HEXADECIMAL.sub(rewrite, text)
