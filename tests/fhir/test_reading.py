"""FHIR input: which Observations are found, and what is known around them."""

import orjson
import pytest

from adapter.fhir.json import dumps
from adapter.fhir.reading import read_fhir
from adapter.issues import Rejected

PATIENT = {"resourceType": "Patient", "id": "p", "gender": "female"}
SPECIMEN = {"resourceType": "Specimen", "id": "s"}
LABORATORY = {"resourceType": "Organization", "id": "l", "name": "TEST LABORATORY"}


def observation(**more):
    return {"resourceType": "Observation", "status": "final", "code": {"text": "x"}} | more


def bundle(*entries, kind="collection", **more):
    return {"resourceType": "Bundle", "type": kind, "entry": list(entries)} | more


def read(resource):
    return read_fhir(orjson.dumps(resource))


def context(*entries, **more):
    (found,) = read(bundle(*entries, **more)).observations
    return found


def slugs(found):
    return [issue.slug for issue in found.issues]


def rejected(data):
    with pytest.raises(Rejected) as caught:
        read_fhir(data)
    return caught.value.issue


def test_an_observation_is_its_own_context():
    (found,) = read(observation()).observations
    assert (found.place, found.patient, found.specimen, found.organizations) == ("Observation", None, None, [])


def test_the_tree_that_came_in_is_the_tree_that_goes_out():
    data = b'{"code":{"text":"x"},"valueQuantity":{"value":4.20},"resourceType":"Observation","extra":[1e2],"status":"final"}'
    found = read_fhir(data)
    assert found.observations[0].observation is found.resource
    assert dumps(found.resource) == data


@pytest.mark.parametrize("kind", ["collection", "searchset"])
def test_observations_of_a_bundle_are_found_in_order(kind):
    found = read(bundle({"resource": PATIENT}, {"resource": observation()}, {"resource": observation()}, kind=kind))
    assert [one.place for one in found.observations] == ["Bundle.entry[1].resource", "Bundle.entry[2].resource"]


def test_observations_in_a_bundle_in_a_bundle_are_found():
    assert context({"resource": bundle({"resource": observation()})}).place == "Bundle.entry[0].resource.entry[0].resource"


def test_a_contained_observation_of_a_report_is_found_with_the_subject_of_the_bundle():
    inner = observation(id="o", subject={"reference": "Patient/p"})
    report = {
        "resourceType": "DiagnosticReport",
        "status": "final",
        "code": {"text": "x"},
        "contained": [inner],
        "result": [{"reference": "#o"}],
    }
    found = context({"resource": PATIENT}, {"resource": report})
    assert found.place == "Bundle.entry[1].resource.contained[0]"
    assert (found.patient, found.report) == (PATIENT, report)


def test_a_contained_specimen_is_found_by_its_fragment():
    (found,) = read(observation(contained=[SPECIMEN], specimen={"reference": "#s"})).observations
    assert found.specimen == SPECIMEN


def test_full_url_finds_the_patient():
    entry = {"fullUrl": "urn:uuid:6f1c8f0e-3f5b-4c0a-9d53-0b9e5a7a2b4d", "resource": {"resourceType": "Patient"}}
    assert context(entry, {"resource": observation(subject={"reference": entry["fullUrl"]})}).patient == entry["resource"]


def test_a_relative_reference_is_relative_to_the_server_of_its_entry():
    found = context(
        {"fullUrl": "http://b/fhir/Patient/p", "resource": PATIENT | {"gender": "male"}},
        {"fullUrl": "http://a/fhir/Patient/p", "resource": PATIENT},
        {"fullUrl": "http://a/fhir/Observation/o", "resource": observation(subject={"reference": "Patient/p"})},
    )
    assert found.patient == PATIENT


def test_a_relative_reference_without_full_urls_is_found_by_type_and_id():
    assert context({"resource": PATIENT}, {"resource": observation(subject={"reference": "Patient/p"})}).patient == PATIENT


def test_a_reference_that_two_resources_answer_is_not_resolved():
    two = [{"resource": PATIENT}, {"resource": PATIENT | {"gender": "male"}}]
    assert context(*two, {"resource": observation(subject={"reference": "Patient/p"})}).patient is None


def test_a_reference_to_a_version_finds_the_resource():
    found = context({"resource": PATIENT}, {"resource": observation(subject={"reference": "Patient/p/_history/3"})})
    assert found.patient == PATIENT


def test_a_subject_that_is_no_patient_is_no_patient():
    group = {"resourceType": "Device", "id": "d"}
    assert context({"resource": group}, {"resource": observation(subject={"reference": "Device/d"})}).patient is None


def test_performing_organizations_are_found_directly_and_through_a_role():
    role = {"resourceType": "PractitionerRole", "id": "r", "organization": {"reference": "Organization/l"}}
    other = {"resourceType": "Organization", "id": "m", "name": "OTHER"}
    performers = [{"reference": "Organization/m"}, {"reference": "PractitionerRole/r"}, {"reference": "Organization/l"}]
    entries = [{"resource": one} for one in (role, other, LABORATORY)]
    assert context(*entries, {"resource": observation(performer=performers)}).organizations == [other, LABORATORY]


def test_an_organization_named_in_the_reference_is_taken_when_it_says_that_it_is_one():
    performers = [{"type": "Organization", "display": "TEST LABORATORY"}, {"display": "unclear"}]
    assert context({"resource": observation(performer=performers)}).organizations == [
        {"resourceType": "Organization", "name": "TEST LABORATORY"}
    ]


def test_the_report_that_lists_the_result_is_found():
    report = {
        "resourceType": "DiagnosticReport",
        "status": "final",
        "code": {"text": "x"},
        "result": [{"reference": "Observation/o"}],
    }
    assert context({"resource": report}, {"resource": observation(id="o")}).report == report


def test_the_sender_is_named_by_the_message_header():
    header = {
        "resourceType": "MessageHeader",
        "eventCoding": {"code": "R01"},
        "source": {"name": "ACMELIS", "endpoint": "urn:oid:1.2.3"},
        "sender": {"reference": "Organization/l"},
    }
    found = context({"resource": header}, {"resource": LABORATORY}, {"resource": observation()}, kind="message")
    assert (found.sender_application, found.sender_facility) == (("ACMELIS", "1.2.3"), ("TEST LABORATORY",))


def test_an_address_is_no_universal_id():
    header = {"resourceType": "MessageHeader", "eventUri": "http://a/b", "source": {"name": "ACMELIS", "endpoint": "http://a"}}
    found = context({"resource": header}, {"resource": observation()}, kind="message")
    assert found.sender_application == ("ACMELIS",)


def test_the_sender_is_named_by_the_provenance_of_the_adapter():
    def agent(code, **who):
        return {"type": {"coding": [{"code": code}]}, "who": who}

    provenance = {
        "resourceType": "Provenance",
        "target": [{"display": "x"}],
        "recorded": "2026-01-02T03:04:05Z",
        "agent": [
            agent("assembler", display="adapter"),
            agent("transmitter", display="ACMELIS", identifier={"system": "urn:ietf:rfc:3986", "value": "urn:oid:1.2.3"}),
            agent("author", reference="Organization/l"),
        ],
    }
    found = context({"resource": provenance}, {"resource": LABORATORY}, {"resource": observation()})
    assert (found.sender_application, found.sender_facility) == (("ACMELIS", "1.2.3"), ("TEST LABORATORY",))


@pytest.mark.parametrize(
    "more",
    [
        {"signature": {"type": [{"code": "x"}], "when": "2026-01-02T03:04:05Z", "who": {"display": "x"}}},
        {
            "type": "document",
            "identifier": {"system": "http://a", "value": "1"},
            "timestamp": "2026-01-02T03:04:05Z",
        },
    ],
    ids=["signed", "document"],
)
def test_a_signed_bundle_and_a_document_are_sealed(more):
    composition = {
        "resourceType": "Composition",
        "status": "final",
        "type": {"text": "x"},
        "date": "2026-01-02",
        "author": [{"display": "x"}],
        "title": "x",
    }
    found = read(bundle({"resource": composition}, {"resource": observation()}, **more))
    assert (found.sealed, found.observations, slugs(found)) == (True, [], ["signed-bundle"])


def test_another_resource_is_sealed():
    found = read(PATIENT)
    assert (found.sealed, found.observations, slugs(found)) == (True, [], ["fhir-unsupported"])


def test_an_unknown_element_is_kept_and_reported_with_its_path():
    found = read(bundle({"resource": observation(magic=1)}))
    assert found.resource["entry"][0]["resource"]["magic"] == 1
    assert [(issue.slug, issue.place) for issue in found.issues] == [("fhir-unknown-element", "Bundle.entry[0].resource.magic")]


def test_an_invalid_resource_is_rejected_with_path_and_reason():
    issue = rejected(orjson.dumps(observation(status="SECRET")))
    assert (issue.slug, issue.place) == ("fhir-invalid", "Observation.status")
    assert "SECRET" not in issue.detail


@pytest.mark.parametrize("data", [b"[]", b"1", b"{}", b'{"resourceType":1}'])
def test_what_is_no_resource_is_rejected(data):
    assert rejected(data).slug == "fhir-invalid"


@pytest.mark.parametrize(
    "resource",
    [
        observation(subject=1, performer={"a": 1}, specimen=["x"], contained="x"),
        bundle({"resource": observation(contained=[1])}, {"resource": 3}, {}, 4),
        bundle(
            {"resource": {"resourceType": "MessageHeader", "source": 1}},
            {"resource": {"resourceType": "Provenance", "agent": [1]}},
        ),
        bundle({"resource": {"resourceType": "DiagnosticReport", "result": [None]}}),
    ],
)
def test_without_validation_nothing_is_taken_for_granted(resource):
    read_fhir(orjson.dumps(resource), validate=False)
