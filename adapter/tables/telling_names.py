"""Names within longer texts, searched for one after the other: a pattern of all of them takes 4 ms to make, at each start."""

from __future__ import annotations

from typing import NamedTuple


class TellingNames(NamedTuple):
    """Names long enough to tell something within another text.

    Parameters
    ----------
    names : tuple of str
        Folded names.
    """

    names: tuple[str, ...]

    def search(self, text: str) -> str:
        """Find a name that stands in a text as whole words.

        Parameters
        ----------
        text : str
            Folded text.

        Returns
        -------
        str
            The first one, the longest where several begin there; empty where there is none.
        """
        first = (len(text), 0, "")
        for name in [name for name in self.names if name in text]:
            start = text.find(name)
            while start >= 0 and not _whole_words(text, start, start + len(name)):
                start = text.find(name, start + 1)
            if start >= 0:
                first = min(first, (start, -len(name), name))
        return first[2]


def _whole_words(text: str, start: int, end: int) -> bool:
    return not (start and _in_word(text[start - 1])) and not (end < len(text) and _in_word(text[end]))


def _in_word(character: str) -> bool:
    return character.isalnum() or character == "_"
