"""Bundles and NDJSON from entries, and entries from FHIR input."""

import copy

import pytest

from adapter.fhir.bundle import Entry, bundle, entries_of, ndjson
from adapter.fhir.validation import structure_faults

ONE = "6f1c8f0e-3f5b-5c0a-9d53-0b9e5a7a2b41"
TWO = "6f1c8f0e-3f5b-5c0a-9d53-0b9e5a7a2b42"
PATIENT = {"resourceType": "Patient", "identifier": [{"system": "urn:oid:1.2.3", "value": "4 5"}]}
OBSERVATION = {
    "resourceType": "Observation",
    "status": "final",
    "code": {"text": "x"},
    "subject": {"reference": f"urn:uuid:{ONE}"},
}
HEADER = {"resourceType": "MessageHeader", "eventCoding": {"code": "R01"}, "source": {"endpoint": "urn:oid:1.2"}}


def entries():
    return [
        Entry(PATIENT, f"urn:uuid:{ONE}", "POST", "Patient", "identifier=urn:oid:1.2.3|4%205"),
        Entry(OBSERVATION, f"urn:uuid:{TWO}", "PUT", f"Observation/{TWO}"),
    ]


def test_a_transaction_has_requests():
    assert [entry["request"] for entry in bundle(entries(), "transaction")["entry"]] == [
        {"method": "POST", "url": "Patient", "ifNoneExist": "identifier=urn:oid:1.2.3|4%205"},
        {"method": "PUT", "url": f"Observation/{TWO}"},
    ]


def test_a_collection_has_no_requests():
    assert all(entry.keys() == {"fullUrl", "resource"} for entry in bundle(entries(), "collection")["entry"])


def test_a_message_begins_with_its_header_and_keeps_the_order_of_the_rest():
    listed = [*entries(), Entry(HEADER, "urn:uuid:x", "PUT", "MessageHeader/x")]
    found = bundle(listed, "message", identifier={"value": "1"}, timestamp="2026-01-02T03:04:05Z")
    assert [entry["resource"]["resourceType"] for entry in found["entry"]] == ["MessageHeader", "Patient", "Observation"]
    assert (found["identifier"], found["timestamp"]) == ({"value": "1"}, "2026-01-02T03:04:05Z")


def test_without_timestamp_none_is_written():
    assert "timestamp" not in bundle(entries(), "collection")


@pytest.mark.parametrize("kind", ["transaction", "collection"])
def test_a_bundle_is_valid(kind):
    assert structure_faults(bundle(entries(), kind)) == []


def test_a_bundle_without_entries_is_valid():
    assert structure_faults(bundle([], "collection")) == []


def test_ndjson_has_ids_and_relative_references():
    patient, observation = ndjson(entries())
    assert (patient["id"], observation["id"]) == (ONE, TWO)
    assert observation["subject"] == {"reference": f"Patient/{ONE}"}


def test_ndjson_changes_no_entry():
    listed = entries()
    before = copy.deepcopy([entry.resource for entry in listed])
    ndjson(listed)
    assert [entry.resource for entry in listed] == before


def fhir(*entries, kind="collection"):
    return {"resourceType": "Bundle", "type": kind, "entry": list(entries)}


def test_fhir_input_with_requests_keeps_them():
    request = {"method": "PUT", "url": "Patient/1", "ifMatch": 'W/"2"'}
    (entry,) = entries_of(fhir({"fullUrl": "http://a/Patient/1", "resource": PATIENT, "request": request}, kind="transaction"))
    assert bundle([entry], "transaction")["entry"][0]["request"] == request


def test_the_id_of_a_sender_is_no_address_on_the_receiving_server():
    (entry,) = entries_of({"resourceType": "Patient", "id": "1", "gender": "female"})
    assert entry.url == f"Patient/{entry.resource['id']}" != "Patient/1"


def test_equal_ids_of_two_senders_do_not_meet():
    one, other = (entries_of({"resourceType": "Patient", "id": "1", "gender": gender})[0] for gender in ("female", "male"))
    assert one.url != other.url


def test_a_patient_with_an_identifier_is_created_once():
    (entry,) = entries_of(PATIENT)
    assert (entry.method, entry.if_none_exist) == ("POST", "identifier=urn:oid:1.2.3|4%205")


@pytest.mark.parametrize(("status", "method"), [("preliminary", "POST"), ("final", "PUT"), ("corrected", "PUT")])
def test_a_result_is_updated_once_it_is_final(status, method):
    (entry,) = entries_of(OBSERVATION | {"status": status, "identifier": PATIENT["identifier"]})
    assert entry.method == method


def test_references_inside_the_input_become_full_urls():
    result = OBSERVATION | {"subject": {"reference": "Patient/p"}}
    patient, observation = entries_of(fhir({"resource": PATIENT | {"id": "p"}}, {"resource": result}))
    assert observation.resource["subject"] == {"reference": patient.full_url}


def test_the_same_input_gives_the_same_entries():
    source = fhir({"resource": PATIENT}, {"resource": OBSERVATION})
    assert bundle(entries_of(source), "transaction") == bundle(entries_of(copy.deepcopy(source)), "transaction")


@pytest.mark.parametrize("kind", ["transaction", "collection"])
def test_fhir_input_in_another_form_is_valid(kind):
    source = fhir({"resource": PATIENT | {"id": "p"}}, {"resource": OBSERVATION})
    assert structure_faults(bundle(entries_of(source), kind)) == []


SPECIMEN = {"resourceType": "Specimen", "id": "s", "type": {"text": "Urine"}}


def test_a_resource_under_an_id_of_our_own_has_a_full_url_that_agrees():
    result = OBSERVATION | {"specimen": {"reference": "Specimen/s"}}
    source = fhir(
        {"fullUrl": "http://a/Specimen/s", "resource": SPECIMEN}, {"fullUrl": "http://a/Observation/o", "resource": result}
    )
    specimen, observation = entries_of(source)
    assert specimen.full_url == f"urn:uuid:{specimen.resource['id']}"
    assert observation.resource["specimen"] == {"reference": specimen.full_url}


def test_a_result_that_is_updated_by_its_identifier_has_neither_the_id_nor_the_url_it_came_with():
    result = {**OBSERVATION, "id": "o", "identifier": [{"system": "urn:oid:1.2.3", "value": "6"}]}
    (entry,) = entries_of(fhir({"fullUrl": "http://a/Observation/o", "resource": result}))
    assert (entry.method, entry.url) == ("PUT", "Observation?identifier=urn:oid:1.2.3|6")
    assert "id" not in entry.resource
    assert entry.full_url.startswith("urn:uuid:")


def test_where_nothing_is_written_to_a_server_ids_and_full_urls_stay():
    (entry,) = entries_of(fhir({"fullUrl": "http://a/Specimen/s", "resource": SPECIMEN}), requests=False)
    assert (entry.resource["id"], entry.full_url) == ("s", "http://a/Specimen/s")


@pytest.mark.parametrize("kind", ["message", "collection"])
def test_a_resource_of_which_nothing_is_known_has_its_id(kind):
    whole = bundle([Entry({"resourceType": "Patient"}, f"urn:uuid:{ONE}", "POST", "Patient")], kind)
    assert whole["entry"][0]["resource"] == {"resourceType": "Patient", "id": ONE}
