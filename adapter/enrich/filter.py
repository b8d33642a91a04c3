"""The fast question before everything else: may a pack know this result?

The answer is remembered for each coding and each name, so that a result of another analyte costs two or three look-ups. The
filter is compiled from every key of the tables, sites included, and never says no to what the resolver would recognise or report.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from adapter.hl7v2.escapes import unescape
from adapter.tables.check_rows import fold
from adapter.tables.index import LOINC_SYSTEM, Tables
from adapter.tables.loinc import is_loinc

_MEMO_SIZE = 8192


class Filter:
    """Pre-filter over one set of tables.

    Parameters
    ----------
    tables : Tables
        Tables in force.
    """

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._concepts: dict[int, tuple[Mapping[str, Any], bool]] = {}
        self._codings: dict[tuple[str, str], bool] = {}
        self._names: dict[str, bool] = {}
        self._texts: dict[str, frozenset[str]] = {}

    def passes(self, code: Mapping[str, Any]) -> bool:
        """Whether a pack may have something to say about a CodeableConcept."""
        # the conversion gives equal codes as one object; it is held, so that no other takes its identity
        known = self._concepts.get(id(code))
        if known is None:
            if len(self._concepts) >= _MEMO_SIZE:
                self._concepts.clear()
            known = self._concepts[id(code)] = code, self._passes(code)
        return known[1]

    def _passes(self, code: Mapping[str, Any]) -> bool:
        codings, names = self._codings, self._names
        for coding in code.get("coding", ()):
            pair = coding.get("system", ""), coding.get("code", "")
            if codings[pair] if pair in codings else self._coding(*pair):
                return True
            display = coding.get("display")
            if display and (names[display] if display in names else self._name(display)):
                return True
        text = code.get("text", "")
        return names[text] if text in names else self._name(text)

    def packs_of(self, text: str) -> frozenset[str]:
        """Names of the packs that may know a test, given OBX-3 as it stands in the message."""
        found = self._texts.get(text)
        if found is None:
            if len(self._texts) >= _MEMO_SIZE:
                self._texts.clear()
            parts = [unescape(part).strip() for repetition in text.split("~") for part in repetition.split("^")]
            found = self._texts[text] = frozenset(self._packs(parts))
        return found

    def _packs(self, parts: Sequence[str]) -> Iterable[str]:
        tables = self._tables
        for part in parts:
            for candidate in (part, part.partition("&")[0]):
                if candidate in tables.pack_of_loinc:
                    yield tables.pack_of_loinc[candidate].name
                yield from (pack.name for pack, _ in tables.codes.get(candidate, ()))
                yield from (pack.name for pack, _ in tables.names.get(fold(candidate), ()))

    def _coding(self, system: str, code: str) -> bool:
        tables = self._tables
        known = code in tables.codes or code in tables.excluded_codes or code in tables.pack_of_loinc
        if not known and tables.system_key(system) == LOINC_SYSTEM:
            known = not is_loinc(code)
        if len(self._codings) >= _MEMO_SIZE:
            self._codings.clear()
        self._codings[system, code] = known
        return known

    def _name(self, name: str) -> bool:
        tables, folded = self._tables, fold(name)
        known = folded in tables.names or folded in tables.excluded_names or bool(tables.telling_names.search(folded))
        if len(self._names) >= _MEMO_SIZE:
            self._names.clear()
        self._names[name] = known
        return known
