"""References: do they point to something of the right type, and are they rewritten without touching shared values."""

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.fhir.closure import closure_faults
from adapter.fhir.references import references_in, rewritten

URL = "urn:uuid:6f1c8f0e-3f5b-4c0a-9d53-0b9e5a7a2b4d"


def observation(**more):
    return {"resourceType": "Observation", "status": "final", "code": {"text": "x"}} | more


def places(*resources):
    entries = [{"fullUrl": f"{URL[:-1]}{number}", "resource": one} for number, one in enumerate(resources)]
    return [place for place, _ in closure_faults({"resourceType": "Bundle", "type": "collection", "entry": entries})]


def test_a_closed_bundle_has_no_faults():
    assert places({"resourceType": "Patient"}, observation(subject={"reference": URL[:-1] + "0"})) == []


@pytest.mark.parametrize(
    ("more", "place"),
    [
        ({"subject": {"reference": "urn:uuid:00000000-0000-0000-0000-000000000000"}}, "subject.reference"),
        ({"specimen": {"reference": URL[:-1] + "0"}}, "specimen.reference"),
        ({"specimen": {"reference": "Patient/1"}}, "specimen.reference"),
        ({"specimen": {"reference": "http://a/fhir/Patient/1"}}, "specimen.reference"),
        ({"subject": {"reference": "Encounter?identifier=a|b"}}, "subject.reference"),
        ({"subject": {"reference": "#p"}}, "subject.reference"),
        ({"subject": {"reference": "Patient/1", "type": "Group"}}, "subject.reference"),
        ({"identifier": [{"assigner": {"reference": "Patient/1"}}]}, "identifier[0].assigner.reference"),
        ({"note": [{"text": "x", "authorReference": {"reference": "Specimen/1"}}]}, "note[0].authorReference.reference"),
        (
            {"contained": [{"resourceType": "Specimen", "id": "s", "subject": {"reference": "Encounter/1"}}]},
            "contained[0].subject.reference",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_reference_to_nothing_or_to_a_wrong_type_is_found(more, place):
    assert places({"resourceType": "Patient"}, observation(**more)) == [f"Bundle.entry[1].resource.{place}"]


@pytest.mark.parametrize("reference", ["Patient/elsewhere", "http://a/fhir/Patient/1/_history/2", "Patient?identifier=a|b"])
def test_a_reference_to_a_resource_elsewhere_is_no_fault(reference):
    assert places(observation(subject={"reference": reference})) == []


references = st.fixed_dictionaries({"reference": st.sampled_from(["a", "b", "c"])})
trees = st.recursive(
    st.integers() | st.text(max_size=3) | references,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["x", "y", "subject"]), inner, max_size=3),
    max_leaves=12,
)


@given(trees)
def test_rewriting_changes_no_shared_value(tree):
    before = copy.deepcopy(tree)
    rewritten(tree, {"a": "A"})
    assert tree == before


@given(trees)
def test_rewriting_changes_the_named_targets_and_nothing_else(tree):
    after = rewritten(tree, {"a": "A"})
    targets = [one["reference"] for _, one in references_in(after, "")]
    assert targets == [one["reference"].replace("a", "A") for _, one in references_in(tree, "")]
    assert rewritten(after, {"A": "a"}) == tree


@given(trees)
def test_what_does_not_change_is_not_copied(tree):
    assert rewritten(tree, {}) is tree
