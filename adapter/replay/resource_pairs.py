"""Which resource of one output stands for which resource of another one, and what both are called.

Two resources of a type are one when their full URLs are; of the others, those that share most leaves belong together. Each
resource gets a label (`Observation[1952-1]`, `Patient`), taken from the first output, so that labels stay the same whatever it is
compared with. In plain trees the labels stand in the place of full URLs, ids and UUIDs of resources, and what changes by itself
is masked or left out: versions of the program and its tables, digests of the source, `Provenance.recorded`.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from adapter.convert.header import DIGEST_SYSTEM
from adapter.fhir.canonical import MARK, TABLES_VERSION

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_MODEL_NAME = "b2m-fhir-adapter"
#: Above this many pairs to try, resources are paired in order.
_TRIES = 2500
#: Share of common leaves, in percent, from which on two resources are taken for one that changed.
_ALIKE = 30


@dataclass(frozen=True, slots=True, eq=False)
class Held:
    """A resource within an output.

    Parameters
    ----------
    name : str
        Type and number of the resource in the output, as in explanations: `Observation[2]`.
    resource : dict
        The resource; a Bundle without its entries.
    entry : dict
        What its entry says beside it (`request`, `search`); empty for a resource that stands alone.
    full_url : str
        Full URL of its entry; empty if there is none.
    """

    name: str
    resource: dict[str, Any]
    entry: dict[str, Any]
    full_url: str

    @property
    def kind(self) -> str:
        """Type of the resource."""
        return str(self.resource.get("resourceType", ""))

    @property
    def addresses(self) -> tuple[str, ...]:
        """What references to it may say."""
        own = self.resource.get("id")
        return tuple(text for text in (self.full_url, f"{self.kind}/{own}" if own else "") if text)

    @property
    def uuids(self) -> frozenset[str]:
        """UUIDs that stand for it."""
        return frozenset(_UUID.findall(f"{self.full_url} {self.resource.get('id', '')}"))


def held(output: Any) -> list[Held]:
    """Take an output apart.

    Parameters
    ----------
    output : Any
        A resource, a Bundle, or a list of them (the lines of NDJSON).

    Returns
    -------
    list of Held
        Every resource, those of Bundles within Bundles too, in order.
    """
    counts: Counter[str] = Counter()
    return list(_held(output, {}, "", counts))


def _held(tree: Any, entry: dict[str, Any], full_url: str, counts: Counter[str]) -> Iterator[Held]:
    if isinstance(tree, list):
        for one in tree:
            yield from _held(one, {}, "", counts)
        return
    if not isinstance(tree, dict):
        tree = {"value": tree}
    kind = str(tree.get("resourceType", ""))
    counts[kind] += 1
    name = f"{kind}[{counts[kind]}]"
    entries = tree.get("entry")
    if kind != "Bundle" or not isinstance(entries, list):
        yield Held(name, tree, entry, full_url)
        return
    yield Held(name, {key: value for key, value in tree.items() if key != "entry"}, entry, full_url)
    for one in entries:
        if isinstance(one, dict) and "resource" in one:
            beside = {key: value for key, value in one.items() if key not in ("resource", "fullUrl")}
            yield from _held(one["resource"], beside, str(one.get("fullUrl", "")), counts)
        else:
            # a request without a resource (DELETE) is what it says
            yield Held("entry", one if isinstance(one, dict) else {"value": one}, {}, "")


def paired(old: Sequence[Held], new: Sequence[Held]) -> list[tuple[Held | None, Held | None]]:
    """Find out which resources belong together.

    Parameters
    ----------
    old, new : sequence of Held
        Resources of the outputs.

    Returns
    -------
    list of pairs
        In the order of the first output; then those that only the second one has.
    """
    partner: dict[Held, Held] = {}
    by_url = {(one.kind, one.full_url): one for one in reversed(new) if one.full_url}
    for one in old:
        found = by_url.pop((one.kind, one.full_url), None) if one.full_url else None
        if found is not None:
            partner[one] = found
    taken = set(partner.values())
    rest: dict[str, tuple[list[Held], list[Held]]] = defaultdict(lambda: ([], []))
    for one in old:
        if one not in partner:
            rest[one.kind][0].append(one)
    for one in new:
        if one not in taken:
            rest[one.kind][1].append(one)
    for mine, theirs in rest.values():
        partner |= _alike(mine, theirs)
    taken = set(partner.values())
    return [(one, partner.get(one)) for one in old] + [(None, one) for one in new if one not in taken]


def _alike(old: list[Held], new: list[Held]) -> dict[Held, Held]:
    if not old or not new:
        return {}
    if len(old) == len(new) == 1 or len(old) * len(new) > _TRIES:
        return dict(zip(old, new, strict=False))
    mine, theirs = ([_leaves(one.resource) for one in side] for side in (old, new))
    scores = []
    for number, leaves in enumerate(mine):
        for other, leaves_of_other in enumerate(theirs):
            common, every = (leaves & leaves_of_other).total(), (leaves | leaves_of_other).total()
            if common * 100 >= every * _ALIKE:
                scores.append((-common, abs(number - other), number, other))
    found: dict[Held, Held] = {}
    used: set[int] = set()
    for _, _, number, other in sorted(scores):
        if old[number] not in found and other not in used:
            found[old[number]] = new[other]
            used.add(other)
    return found


def _leaves(tree: Any, key: str = "") -> Counter[str]:
    """Count the leaves of a tree: name of the element and text, UUIDs masked, since they are made anew."""
    if isinstance(tree, dict):
        return sum((_leaves(part, name) for name, part in tree.items() if name != "id"), Counter())
    if isinstance(tree, list):
        return sum((_leaves(part, key) for part in tree), Counter())
    return Counter((f"{key}={_UUID.sub('', str(tree))}",))


def labels(old: Sequence[Held], added: Sequence[Held]) -> dict[Held, str]:
    """Name resources for people.

    Parameters
    ----------
    old : sequence of Held
        Resources of the first output.
    added : sequence of Held
        Resources that only the second one has.

    Returns
    -------
    dict of Held to str
        Type, and the code of what has one; a number where that is not enough.
    """
    found: dict[Held, str] = {}
    for word, side in (("", old), ("new ", added)):
        kinds = Counter(one.kind for one in side)
        words = {one: word + _code(one.resource) for one in side}
        same = Counter((one.kind, words[one]) for one in side)
        seen: Counter[tuple[str, str]] = Counter()
        for one in side:
            key = (one.kind, words[one])
            seen[key] += 1
            text = words[one].strip()
            if same[key] > 1:
                text = f"{text} #{seen[key]}" if _code(one.resource) else f"{word}{seen[key]}"
            elif not _code(one.resource) and kinds[one.kind] > 1:
                text = f"{word}{seen[key]}"
            found[one] = f"{one.kind}[{text}]" if text else one.kind
    return found


def _code(resource: Mapping[str, Any]) -> str:
    """Code of an Observation, order or report: the first one, else its text."""
    concept = resource.get("code")
    if not isinstance(concept, dict):
        return ""
    codings = concept.get("coding")
    first = codings[0] if isinstance(codings, list) and codings and isinstance(codings[0], dict) else {}
    return str(first.get("code") or first.get("display") or concept.get("text") or "")


class Plain:
    """Writes resources of one output with labels in the place of addresses, and without what changes by itself.

    Parameters
    ----------
    names : dict of Held to str
        Label of each resource of the output.
    """

    def __init__(self, names: Mapping[Held, str]) -> None:
        self._exact = {address: label for one, label in names.items() for address in one.addresses}
        self._uuids = {uuid: label for one, label in names.items() for uuid in one.uuids}

    def resource(self, resource: Mapping[str, Any]) -> dict[str, Any]:
        """Write a resource."""
        kind = resource.get("resourceType")
        left_out = {"id"} | ({"recorded", "_recorded"} if kind == "Provenance" else set())
        plain = {key: self.tree(value) for key, value in resource.items() if key not in left_out}
        if kind == "Device" and any(name.get("name") == _MODEL_NAME for name in plain.get("deviceName", ())):
            plain["version"] = [{**one, "value": "(version)"} for one in plain.get("version", ())]
        return plain

    def tree(self, value: Any) -> Any:
        """Write a part of a resource."""
        if isinstance(value, dict):
            made = {key: self.tree(part) for key, part in value.items()}
            if made.get("system") == DIGEST_SYSTEM and "value" in made:
                made["value"] = "(digest)"
            elif made.get("system") == TABLES_VERSION and "code" in made:
                made["code"] = "(tables)"
            elif made.get("url") == MARK:
                parts = made.get("extension", ())
                made["extension"] = [one | {"valueString": "(tables)"} if one.get("url") == "tables" else one for one in parts]
            return made
        if isinstance(value, list):
            return [self.tree(part) for part in value]
        return self._text(value) if isinstance(value, str) else value

    def _text(self, text: str) -> str:
        label = self._exact.get(text)
        if label is not None:
            return label
        return _UUID.sub(lambda match: self._uuids.get(match[0], match[0]), text) if "-" in text else text
