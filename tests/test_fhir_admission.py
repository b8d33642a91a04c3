"""What a door reads of FHIR input before it is converted."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.fhir.admission import admit_fhir
from adapter.issues import CATALOGUE

PATIENT = {"resourceType": "Patient", "id": "p", "identifier": [{"system": "urn:oid:1.2", "value": "TEST-1"}]}
HEADER = {"resourceType": "MessageHeader", "id": "h1", "source": {"name": "LAB", "endpoint": "urn:oid:1.2.3"}}


def bundle(*resources, **more):
    return json.dumps(
        {"resourceType": "Bundle", "type": "message", "entry": [{"resource": each} for each in resources], **more}
    ).encode()


def test_the_identifier_of_the_bundle_is_the_control_id():
    assert admit_fhir(bundle(HEADER, identifier={"system": "urn:x", "value": "17"}, id="b")).control_id == "urn:x|17"


def test_without_it_the_id_of_the_message_header_is():
    assert admit_fhir(bundle(HEADER, id="b")).control_id == "h1"


def test_without_a_message_header_the_id_of_the_bundle_is():
    assert admit_fhir(bundle(PATIENT, id="b")).control_id == "b"


def test_a_single_resource_has_no_control_id():
    assert admit_fhir(b'{"resourceType": "Observation", "id": "o"}').control_id == ""


def test_the_source_of_the_message_header_is_the_sender():
    assert admit_fhir(bundle(HEADER)).sender == "LAB|urn:oid:1.2.3"


def test_the_same_patient_has_the_same_key_in_different_bundles():
    other = {**PATIENT, "id": "another"}
    assert admit_fhir(bundle(PATIENT)).patient == admit_fhir(bundle(HEADER, other)).patient != ""


def test_the_key_shows_nothing_of_the_patient():
    assert "TEST-1" not in admit_fhir(bundle(PATIENT)).patient


def test_a_resource_alone_takes_the_subject_it_refers_to():
    first, again, other = (
        admit_fhir(json.dumps({"resourceType": "Observation", "id": each, "subject": {"reference": subject}}).encode()).patient
        for each, subject in (("1", "Patient/1"), ("2", "Patient/1"), ("3", "Patient/2"))
    )
    assert first == again != other


@pytest.mark.parametrize(
    ("data", "slug"),
    [
        (b"{", "json-invalid"),
        (b"[" * 5000, "json-invalid"),
        (b"{}", "fhir-invalid"),
        (b"[1]", "fhir-invalid"),
        (b'{"resourceType": 1}', "fhir-invalid"),
    ],
)
def test_what_is_no_resource_is_refused(data, slug):
    assert admit_fhir(data).issue.slug == slug


LEAF = st.none() | st.integers() | st.text(max_size=3)
ANY = LEAF | st.lists(LEAF | st.lists(LEAF, max_size=3), max_size=3)
KEYS = ("resourceType", "identifier", "subject", "entry", "resource", "source", "id", "value", "system", "reference")


@given(
    st.recursive(
        ANY | st.just("Patient") | st.just("MessageHeader"),
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(KEYS), inner),
        max_leaves=20,
    )
)
def test_whatever_comes_is_answered(value):
    admitted = admit_fhir(json.dumps({"resourceType": "Bundle", "entry": [{"resource": value}], "identifier": value}).encode())
    assert admitted.issue is None or admitted.issue.slug in CATALOGUE
