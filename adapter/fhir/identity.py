"""Deterministic identifiers: the same source fields give the same UUID, on every machine and in every run.

A UUID of version 5 (RFC 9562): SHA-1 over the namespace of this project and the key parts, joined so that ("ab", "c") and
("a", "bc") differ. `uuid.uuid5` gives the same value and takes three times as long.
A UUID of a record number can be guessed by trying numbers: it is a pseudonym, not anonymous.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from uuid import UUID

# Drawn once at random. Changing it changes the identity of every result that was ever sent.
NAMESPACE = UUID("6f1c8f0e-3f5b-4c0a-9d53-0b9e5a7a2b4d")

_NAMESPACE_STATE = hashlib.sha1(NAMESPACE.bytes, usedforsecurity=False)
_VARIANT = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}


_SEPARATOR = "\x1e"


def joined(parts: tuple[str, ...]) -> str:
    """Join key parts to one text that no other parts give.

    Each part ends with a control character that no field holds. Should a part hold it all the same, or the first part be empty,
    each part is preceded by its length instead, behind a separator that no other text begins with.
    """
    text = _SEPARATOR.join((*parts, ""))
    if text[:1] == _SEPARATOR or text.count(_SEPARATOR) > len(parts):
        return _SEPARATOR + "".join([f"{len(part)}:{part}" for part in parts])
    return text


def resource_uuid(*parts: str) -> str:
    """Make the UUID of a resource from its key.

    Parameters
    ----------
    *parts : str
        Kind of resource and its key, from source fields only, never from mapped codes.

    Returns
    -------
    str
        Lower-case UUID of version 5, without `urn:uuid:`.
    """
    # what `joined` does, without the call: thirty times a message
    text = _SEPARATOR.join(parts) + _SEPARATOR
    if text[0] == _SEPARATOR or text.count(_SEPARATOR) > len(parts):
        text = joined(parts)
    state = _NAMESPACE_STATE.copy()
    state.update(text.encode())
    digits = state.hexdigest()
    return f"{digits[:8]}-{digits[8:12]}-5{digits[13:16]}-{_VARIANT[digits[16]]}{digits[17:20]}-{digits[20:32]}"


def uuid_stem(*parts: str) -> Callable[..., str]:
    """Make the function that gives the UUIDs of keys which begin alike: their common part is digested once.

    Parameters
    ----------
    *parts : str
        What the keys begin with; at least one.

    Returns
    -------
    function
        ``uuid_stem(*parts)(*rest)`` is ``resource_uuid(*parts, *rest)``.
    """
    text = _SEPARATOR.join(parts) + _SEPARATOR
    usual = text[0] != _SEPARATOR and text.count(_SEPARATOR) == len(parts)
    stem = _NAMESPACE_STATE.copy()
    stem.update(text.encode())

    def uuid_of(*rest: str) -> str:
        ending = _SEPARATOR.join((*rest, ""))
        if not usual or ending.count(_SEPARATOR) > len(rest):
            return resource_uuid(*parts, *rest)
        state = stem.copy()
        state.update(ending.encode())
        digits = state.hexdigest()
        return f"{digits[:8]}-{digits[8:12]}-5{digits[13:16]}-{_VARIANT[digits[16]]}{digits[17:20]}-{digits[20:32]}"

    return uuid_of
