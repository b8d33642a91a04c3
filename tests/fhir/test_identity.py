"""Deterministic identifiers."""

import uuid

from hypothesis import given
from hypothesis import strategies as st

from adapter.fhir.identity import NAMESPACE, joined, resource_uuid, uuid_stem

parts = st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=12), max_size=5).map(tuple)


@given(parts)
def test_it_is_the_uuid5_of_the_joined_parts(key):
    assert resource_uuid(*key) == str(uuid.uuid5(NAMESPACE, joined(key)))


@given(parts, parts)
def test_different_parts_never_join_to_the_same_text(one, other):
    assert (joined(one) == joined(other)) == (one == other)


def test_it_never_changes():
    assert resource_uuid("Patient", "urn:oid:1.2.3", "12345") == "00f15675-8573-5aa9-99ef-eda0b9329957"


def test_it_is_of_version_5_and_the_standard_variant():
    found = uuid.UUID(resource_uuid("Observation", "a"))
    assert (found.version, found.variant) == (5, uuid.RFC_4122)


@given(parts.filter(bool), parts)
def test_keys_that_begin_alike_may_be_digested_in_two_steps(stem, rest):
    assert uuid_stem(*stem)(*rest) == resource_uuid(*stem, *rest)


def test_a_stem_may_hold_the_separator():
    assert uuid_stem("a\x1e", "b")("c") == resource_uuid("a\x1e", "b", "c")
    assert uuid_stem("a")("\x1e") == resource_uuid("a", "\x1e")
