"""Keys are made of source fields only: a corrected table must not duplicate results."""

from __future__ import annotations

import pytest
from converted import HEADER, OBR, OBX, ORC, convert, fields, resources, url

from adapter.config import Settings
from adapter.convert.message import Conversion, Converter
from adapter.hl7v2.message import read_message
from adapter.tables.load import load_tables

PATIENT = "PID|1||123^^^HOSP^MR~9876^^^OTHER&2.16.840.1.113883.3.999.5&ISO||TEST^PATIENT"
SPECIMEN = "SPM|1|P1&EHR^S1&LIS|"
RESULT = "|".join([*OBX.split("|"), "", "", "", "L1^Test Laboratory^99LAB", "7^TEST^ANN^^^^^^LIS"])
VISIT = fields("PV1", f2="I", f7="9^TEST^BOB^^^^^^HOSP", f19="V1^^^HOSP")
SITE = (
    "id,sender_application,sender_facility,time_zone,charset,identifier_base,local_code_base,laboratory,blank_unit,"
    "processing_ids,trust_loinc,range_laboratory,status,source,note\n"
    "s,LIS,LAB,Europe/Vienna,,https://hosp.example/id/,https://hosp.example/codes/,,,P,yes,,,test,\n"
)


@pytest.fixture(scope="module")
def with_site(tmp_path_factory: pytest.TempPathFactory) -> Converter:
    """Converter with a row for the sender: its namespaces and code systems have URIs."""
    folder = tmp_path_factory.mktemp("site")
    (folder / "common").mkdir()
    (folder / "common" / "senders.csv").write_text(SITE)
    return Converter(load_tables([folder]), Settings(to="transaction"))


@pytest.fixture(scope="module")
def without_site() -> Converter:
    return Converter(load_tables(), Settings(to="transaction"))


@pytest.fixture(scope="module")
def both(with_site: Converter, without_site: Converter) -> tuple[Conversion, Conversion]:
    source = "\r".join((HEADER, PATIENT, VISIT, ORC, OBR, RESULT, SPECIMEN)).encode()
    first, second = (one.convert(read_message(source), source) for one in (with_site, without_site))
    return first, second


@pytest.mark.parametrize(
    "kind", ["Patient", "Encounter", "Practitioner", "PractitionerRole", "Organization", "ServiceRequest", "Specimen"]
)
def test_tables_do_not_change_the_identity_of_context(both: tuple[Conversion, Conversion], kind: str) -> None:
    first, second = ([entry.full_url for entry in one.entries if entry.resource["resourceType"] == kind] for one in both)
    assert first == second != []


@pytest.mark.parametrize("kind", ["Observation", "DiagnosticReport"])
def test_tables_do_not_change_what_a_result_is_written_over(both: tuple[Conversion, Conversion], kind: str) -> None:
    first, second = (
        [(entry.full_url, entry.url) for entry in one.entries if entry.resource["resourceType"] == kind] for one in both
    )
    assert first == second != []


def test_the_site_row_gives_the_identifier_its_system(both: tuple[Conversion, Conversion]) -> None:
    assert resources(both[0], "Patient")[0]["identifier"][0]["system"] == "https://hosp.example/id/HOSP"


def test_one_number_with_two_spellings_of_a_name_is_one_request_of_a_transaction(with_site: Converter) -> None:
    visit = fields("PV1", f2="I", f7="9^TEST^BOB^^^^^^HOSP", f8="9^TEST^B^^^^^^HOSP", f19="V1^^^HOSP")
    source = "\r".join((HEADER, PATIENT, visit, ORC, OBR, OBX)).encode()
    asked = [entry.if_none_exist for entry in with_site.convert(read_message(source), source).entries if entry.if_none_exist]
    assert len(asked) == len(set(asked))


def test_a_registered_authority_makes_one_patient_of_two_senders() -> None:
    pid = "PID|1||123^^^HOSP&1.2.3&ISO||TEST^PATIENT"
    assert url(convert(pid), "Patient") == url(convert(pid, header=HEADER.replace("|LIS|", "|LIS2|")), "Patient")


def test_a_bare_namespace_counts_within_its_sender() -> None:
    pid = "PID|1||123^^^HOSP||TEST^PATIENT"
    assert url(convert(pid), "Patient") != url(convert(pid, header=HEADER.replace("|LIS|", "|LIS2|")), "Patient")


def test_a_registered_number_says_who_it_is_wherever_it_stands() -> None:
    one, other = "123^^^HOSP", "9876^^^OTHER&1.2.3&ISO"
    assert url(convert(f"PID|1||{one}~{other}"), "Patient") == url(convert(f"PID|1||{other}~{one}"), "Patient")


def test_the_namespace_beside_a_registered_authority_does_not_matter() -> None:
    assert url(convert("PID|1||1^^^A&1.2.3&ISO"), "Patient") == url(convert("PID|1||1^^^B&1.2.3"), "Patient")


def test_the_patient_is_conditional_on_the_registered_number() -> None:
    conversion = convert(PATIENT)
    patient = next(entry for entry in conversion.entries if entry.resource["resourceType"] == "Patient")
    assert patient.if_none_exist == "identifier=urn:oid:2.16.840.1.113883.3.999.5|9876"
