"""What differs between two outputs: leaf by leaf, resources and list items paired as far as they are the same."""

from hypothesis import given
from hypothesis import strategies as some
from messages import OBR, OBX, PID, read, workbench

from adapter.convert.datatypes.verbatim import source_extension
from adapter.explain.components import components_of, variant
from adapter.explain.outputs import compare, differences

TREES = some.recursive(
    some.integers(0, 3) | some.sampled_from(["a", "b"]),
    lambda inner: (
        some.lists(inner, min_size=1, max_size=3) | some.dictionaries(some.sampled_from("xyz"), inner, min_size=1, max_size=3)
    ),
    max_leaves=8,
)


def changed(first, second):
    return [(path, present) for path, present, _ in differences(first, second)]


def without(place: str):
    message = read(PID, OBR, OBX)
    chosen = next(one for one in components_of(message) if one.place == place)
    whole = workbench().convert(message, message.source)
    found = compare(whole, workbench().convert(variant(message, [(chosen, "")]), message.source))
    return {f"{one.resource} {one.path[0]}" for one in found}


def test_changed_leaf_is_named_on_both_sides():
    assert changed({"a": {"b": 1}}, {"a": {"b": 2}}) == [(("a", "b"), True), (("a", "b"), False)]


def test_added_item_leaves_those_behind_it_alone():
    assert changed({"a": [1, 2]}, {"a": [0, 1, 2]}) == [(("a", 0), False)]


def test_removed_item_is_named_where_it_stood():
    assert changed({"a": [1, 2, 3]}, {"a": [1, 3]}) == [(("a", 1), True)]


def test_text_kept_as_sent_is_marked():
    found = differences({"extension": [source_extension("OBX-9", "x")]}, {})
    assert {verbatim for _, _, verbatim in found} == {True}


@given(TREES, TREES)
def test_trees_differ_exactly_when_a_leaf_differs(first, second):
    assert bool(changed({"t": first}, {"t": second})) == (first != second)


def test_a_value_changes_its_element_only():
    assert without("PID[1]-5.2") == {"Patient[1] name"}


def test_an_identity_is_no_element():
    """A patient of another number is another resource: what refers to it says the same."""
    assert without("PID[1]-3.1") == {"Patient[1] identifier"}
