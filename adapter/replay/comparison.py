"""What differs in meaning between two FHIR outputs: `compare`. Pure; no file, no clock.

What does not count: the order of Bundle entries and NDJSON lines and of the lists in `UNORDERED`, how resources are addressed
(ids, full URLs, UUIDs: references are compared by what they point to), and what changes with every run or release
(`resource_pairs.py` says what). The order of members of a JSON object never counts. Numbers count digit by digit: `4.20` is not
`4.2`. With `strict`, everything counts but the order of members.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from difflib import SequenceMatcher
from typing import Any, NamedTuple

from adapter.fhir.json import dumps
from adapter.replay.resource_pairs import Held, Plain, held, labels, paired

Path = tuple[str | int, ...]
#: Type and number of a resource, and path within it, as `adapter/explain/` names elements.
Place = tuple[str, Path]

#: Lists whose order says nothing (R4: Provenance.target; Meta: "the list is a set").
UNORDERED = frozenset({("Provenance", "target"), ("meta", "tag"), ("meta", "security"), ("meta", "profile")})


class Difference(NamedTuple):
    """One element that is not the same in both outputs.

    Parameters
    ----------
    path : str
        The element: `Observation[1952-1].referenceRange[0].low.value`. Resources are named by type and code or number.
    old, new : Any
        What stands there: a text, number, object...; None where there is no such element.
    old_at, new_at : Place or None
        Where it stands in each output, by number; None where it does not.
    """

    path: str
    old: Any
    new: Any
    old_at: Place | None = None
    new_at: Place | None = None


def compare(old: Any, new: Any, *, strict: bool = False) -> list[Difference]:
    """Compare two outputs.

    Parameters
    ----------
    old, new : Any
        Each a resource, a Bundle or a list of such, as `fhir.json.loads` gives them.
    strict : bool
        Whether order, ids and volatile elements count, too.

    Returns
    -------
    list of Difference
        In the order of the first output; empty when both say the same.
    """
    if strict:
        name = old.get("resourceType", "") if isinstance(old, dict) else ""
        return [_named(one, name, name, name) for one in _differences(old, new, (), (), "")]
    mine, theirs = held(old), held(new)
    pairs = paired(mine, theirs)
    names = labels(mine, [other for one, other in pairs if one is None and other is not None])
    names_of_new = {other: names[one or other] for one, other in pairs if other is not None}
    plain_old, plain_new = Plain({one: names[one] for one in mine}), Plain(names_of_new)
    # where every address means the same in both outputs, what is the same as it stands is the same in meaning
    same_addresses = all(one and other and (one.full_url == other.full_url != "" or one.kind == "Bundle") for one, other in pairs)
    found: list[Difference] = []
    for one, other in pairs:
        if one is None or other is None:
            found.append(_one_sided(one, other, names, plain_old, plain_new))
            continue
        if same_addresses and _same(one.resource, other.resource) and _same(one.entry, other.entry):
            continue
        first, second = plain_old.resource(one.resource), plain_new.resource(other.resource)
        label = names[one]
        if not _same(first, second):
            found += [_named(part, label, one.name, other.name) for part in _differences(first, second, (), (), one.kind)]
        entries = plain_old.tree(one.entry), plain_new.tree(other.entry)
        if not _same(*entries):
            found += [_named(part, f"Bundle.entry[{label}]", "", "") for part in _differences(*entries, (), (), "")]
    return found


def _one_sided(one: Held | None, other: Held | None, names: dict[Held, str], plain_old: Plain, plain_new: Plain) -> Difference:
    if one is not None:
        return Difference(names[one], plain_old.resource(one.resource), None, (one.name, ()), None)
    assert other is not None
    return Difference(names[other], None, plain_new.resource(other.resource), None, (other.name, ()))


class _Part(NamedTuple):
    """A difference by paths: `old_path` is None for what is added, `new_path` for what is gone."""

    old: Any
    new: Any
    old_path: Path | None
    new_path: Path | None


def _named(part: _Part, label: str, old_name: str, new_name: str) -> Difference:
    # an added item is named by its place in the new list: it has none in the old one
    path = part.old_path if part.old_path is not None else part.new_path
    assert path is not None
    return Difference(
        written(label, path),
        part.old,
        part.new,
        (old_name, part.old_path) if part.old_path is not None else None,
        (new_name, part.new_path) if part.new_path is not None else None,
    )


def written(label: str, path: Path) -> str:
    """Write the path of an element as people do: `Observation[1952-1].code.coding[0]`."""
    text = label
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def _same(one: Any, other: Any) -> bool:
    """Tell whether two trees are the same, digits included; `==` takes 4.20 for 4.2 and true for 1."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(value, other[key]) for key, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, (int, Decimal)) and isinstance(other, (int, Decimal)):
        return str(one) == str(other)
    return bool(one == other)


def _differences(one: Any, other: Any, old_path: Path, new_path: Path, kind: str) -> Iterator[_Part]:
    if isinstance(one, dict) and isinstance(other, dict):
        for key in one | other:
            if key not in other:
                yield _Part(one[key], None, (*old_path, key), None)
            elif key not in one:
                yield _Part(None, other[key], None, (*new_path, key))
            elif not _same(one[key], other[key]):
                within = str(old_path[-1]) if old_path else kind
                if (within, key) in UNORDERED and isinstance(one[key], list) and isinstance(other[key], list):
                    yield from _in_sets(one[key], other[key], (*old_path, key), (*new_path, key))
                else:
                    yield from _differences(one[key], other[key], (*old_path, key), (*new_path, key), kind)
    elif isinstance(one, list) and isinstance(other, list):
        yield from _in_lists(list(enumerate(one)), list(enumerate(other)), old_path, new_path, kind)
    elif not _same(one, other):
        yield _Part(one, other, old_path, new_path)


def _in_sets(one: list[Any], other: list[Any], old_path: Path, new_path: Path) -> Iterator[_Part]:
    """Compare lists whose order says nothing: what both hold is left out, then the rest is paired in order."""
    rest = list(enumerate(other))
    gone = []
    for index, item in enumerate(one):
        found = next((pair for pair in rest if _same(item, pair[1])), None)
        if found is not None:
            rest.remove(found)
        else:
            gone.append((index, item))
    yield from _in_lists(gone, rest, old_path, new_path, "")


def _in_lists(
    one: list[tuple[int, Any]], other: list[tuple[int, Any]], old_path: Path, new_path: Path, kind: str
) -> Iterator[_Part]:
    """Compare numbered items: the same ones are found first, so that an added item does not make all behind it differ."""
    texts, texts_of_other = ([dumps(_sorted(item)) for _, item in items] for items in (one, other))
    for _, start, end, from_, to in SequenceMatcher(None, texts, texts_of_other, autojunk=False).get_opcodes():
        mine, theirs = one[start:end], other[from_:to]
        for (index, item), (place, value) in zip(mine, theirs, strict=False):
            if not _same(item, value):
                yield from _differences(item, value, (*old_path, index), (*new_path, place), kind)
        for index, item in mine[len(theirs) :]:
            yield _Part(item, None, (*old_path, index), None)
        for place, value in theirs[len(mine) :]:
            yield _Part(None, value, None, (*new_path, place))


def _sorted(tree: Any) -> Any:
    if isinstance(tree, dict):
        return {key: _sorted(tree[key]) for key in sorted(tree)}
    return [_sorted(part) for part in tree] if isinstance(tree, list) else tree
