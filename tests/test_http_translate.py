"""`ConceptMap/$translate`: the tables answer as they do to results, by the names of the exported maps."""

import orjson
import pytest
from helpers.http_door import FHIR, running, settings_for

from adapter.fhir.canonical import CANONICAL_BASE
from adapter.fhir.validation import structure_faults
from adapter.service.settings import ConvertSettings, ServiceSettings
from adapter.tables.export_concept_maps import column_uri, concept_maps
from adapter.tables.load import load_tables

PATH = "/fhir/ConceptMap/$translate"
MAPS = CANONICAL_BASE + "/ConceptMap/"
V2 = "http://terminology.hl7.org/CodeSystem/v2-"
SENDERS = (
    "id,sender_application,sender_facility,code_system,code,name,specimen,unit,loinc,analyte,property,timing,challenge,method,"
)
SENDERS += "declared_duplicate,status,source,note\n"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Tables of a site with one code of one sender."""
    folder = tmp_path_factory.mktemp("site")
    (folder / "b2m").mkdir()
    row = "site-1,LAB,NORTH,L,BMG,,,,1952-1,,,,,,,,catalogue of the laboratory,\n"
    (folder / "b2m" / "codes.csv").write_text(SENDERS + row)
    return folder


@pytest.fixture(scope="module")
def door(tmp_path_factory, site):
    settings = settings_for(tmp_path_factory.mktemp("door"))
    with running(ServiceSettings(http=settings.http, spool=settings.spool, convert=ConvertSettings(mappings=(site,)))) as door:
        yield door


def asked(door, **query):
    return door.ask("GET", PATH, params=query)


def posted(door, *parameters):
    return door.ask("POST", PATH, orjson.dumps({"resourceType": "Parameters", "parameter": list(parameters)}), FHIR)


def result(reply) -> bool:
    assert reply.status == 200
    assert structure_faults(reply.json) == []
    return next(part["valueBoolean"] for part in reply.json["parameter"] if part["name"] == "result")


def said(reply) -> str:
    return next((part["valueString"] for part in reply.json["parameter"] if part["name"] == "message"), "")


def matches(reply) -> list[tuple[str, str, str]]:
    """Equivalence, code and map of each match."""
    found = []
    for parameter in reply.json["parameter"]:
        if parameter["name"] == "match":
            parts = {part["name"]: part for part in parameter["part"]}
            code = parts["concept"]["valueCoding"]["code"] if "concept" in parts else ""
            found.append((parts["equivalence"]["valueCode"], code, parts["source"]["valueUri"].removeprefix(MAPS)))
    return found


def dependency(column: str, value: str):
    element, concept = (
        {"name": "element", "valueUri": column_uri(column)},
        {"name": "concept", "valueCodeableConcept": {"text": value}},
    )
    return {"name": "dependency", "part": [element, concept]}


def test_a_code_of_an_hl7_table_by_its_system(door):
    reply = asked(door, system=V2 + "0085", code="F")
    assert result(reply)
    assert ("equivalent", "final", "hl7-table-0085") in matches(reply)


def test_a_code_of_an_hl7_table_by_the_url_of_the_map(door):
    assert matches(asked(door, url=MAPS + "hl7-table-0001", system=V2 + "0001", code="F")) == [
        ("equivalent", "female", "hl7-table-0001")
    ]


def test_a_spelling_of_a_unit(door):
    assert matches(asked(door, url=MAPS + "units", code="mcg/mL")) == [("equivalent", "ug/mL", "units")]


def test_a_spelling_that_is_not_translated_is_unmatched_with_the_reason(door):
    reply = asked(door, url=MAPS + "units", code=next(iter(load_tables().units_refused)))
    assert not result(reply)
    assert matches(reply) == [("unmatched", "", "units")]
    assert said(reply)


def test_a_local_code_of_a_sender_by_its_map(door):
    reply = asked(door, url=MAPS + "local-codes-LAB-NORTH", system="L", code="BMG")
    assert result(reply)
    assert matches(reply) == [("equivalent", "1952-1", "local-codes-LAB-NORTH")]


def test_a_local_code_of_a_sender_by_dependencies(door):
    coding = {"name": "coding", "valueCoding": {"system": "L", "code": "BMG"}}
    sender = dependency("sender_application", "LAB"), dependency("sender_facility", "NORTH")
    assert matches(posted(door, coding, *sender)) == [("equivalent", "1952-1", "local-codes-LAB-NORTH")]


def test_a_local_code_is_unknown_for_another_sender(door):
    reply = asked(door, system="L", code="BMG")
    assert not result(reply)
    assert said(reply)


def test_a_name_needs_specimen_and_unit_where_these_decide(door):
    name = {"name": "codeableConcept", "valueCodeableConcept": {"text": "Beta-2-Microglobulin"}}
    assert not result(posted(door, name))
    serum = posted(door, name, dependency("specimen", "serum"), dependency("unit", "mg/L"))
    assert [code for _, code, _ in matches(serum)] == ["1952-1"]


def test_what_specimen_and_code_contradict_is_no_translation(door):
    coding = {"name": "coding", "valueCoding": {"system": "http://loinc.org", "code": "1952-1"}}
    reply = posted(door, coding, dependency("specimen", "urine"))
    assert not result(reply)
    assert "specimen-conflict" in said(reply)


def test_a_loinc_code_that_was_sent_is_equal(door):
    assert matches(asked(door, system="http://loinc.org", code="1952-1"))[0][:2] == ("equal", "1952-1")


def test_an_unknown_code_has_no_translation_and_a_message(door):
    reply = asked(door, system=V2 + "0078", code="no-such-code")
    assert not result(reply) or matches(reply)[0][0] == "relatedto"
    assert not result(asked(door, system="http://example.org/codes", code="no-such-code"))


def test_another_target_system_than_the_tables_have_gives_no_translation(door):
    reply = asked(door, system=V2 + "0085", code="F", targetsystem="http://snomed.info/sct")
    assert not result(reply)
    assert matches(reply) == []


def test_every_code_of_every_exported_map_of_hl7_tables_and_units_is_translated_as_exported(door):
    for exported in concept_maps(load_tables()):
        if "local-codes" in exported["id"]:
            continue
        for group in exported["group"]:
            for element in group["element"][:2]:
                target = element["target"][0]
                found = asked(door, url=exported["url"], system=group["source"], code=element["code"])
                assert (target["equivalence"], target.get("code", "")) in [match[:2] for match in matches(found)]


@pytest.mark.parametrize("url", [MAPS + "nothing", "http://example.org/ConceptMap/x"])
def test_an_unknown_map_is_404(door, url):
    reply = asked(door, url=url, code="F")
    assert (reply.status, reply.slug) == (404, "not-found")


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"code": ""},
        {"code": "F", "reverse": "true"},
        {"code": "F", "target": "http://example.org/vs"},
        {"code": "F", "x": "y"},
    ],
)
def test_a_wrong_question_is_400(door, query):
    reply = asked(door, **query)
    assert (reply.status, reply.slug) == (400, "parameter-invalid")


@pytest.mark.parametrize(
    "parameters",
    [
        [],
        [{"name": "code", "valueCode": "F"}, {"name": "coding", "valueCoding": {"code": "F"}}],
        [{"name": "coding", "valueCoding": {"system": "x"}}],
        [{"name": "coding", "valueString": "F"}],
        [{"name": "code", "valueCode": "F"}, {"name": "code", "valueCode": "G"}],
        [{"name": "code", "valueCode": "F"}, {"name": "dependency", "part": [{"name": "element", "valueUri": "x:y"}]}],
        [{"name": "nothing", "valueCode": "F"}],
    ],
)
def test_wrong_parameters_are_400(door, parameters):
    assert posted(door, *parameters).status == 400


@pytest.mark.parametrize(
    "data", [b"", b"{", b"[]", b'{"resourceType":"Bundle"}', b'{"resourceType":"Parameters","parameter":[{}]}']
)
def test_what_is_no_parameters_resource_is_400(door, data):
    assert door.ask("POST", PATH, data, FHIR).status == 400


def test_another_content_type_is_415(door):
    assert door.ask("POST", PATH, b"code=F", {"content-type": "application/x-www-form-urlencoded"}).status == 415


def test_new_tables_are_in_force_after_a_reload_and_those_with_faults_are_refused(door, site):
    codes = site / "b2m" / "codes.csv"
    good = codes.read_text()
    codes.write_text(good + "site-2,LAB,NORTH,L,BMGU,,,,1953-9,,,,,,,,catalogue of the laboratory,\n")
    assert not result(asked(door, url=MAPS + "local-codes-LAB-NORTH", system="L", code="BMGU"))
    door.worker.reload()
    assert result(asked(door, url=MAPS + "local-codes-LAB-NORTH", system="L", code="BMGU"))
    codes.write_text(good + "site-2,LAB,NORTH,L,BMGU,,,,1953-0,,,,,,,,wrong check digit,\n")
    door.worker.reload()
    assert result(asked(door, url=MAPS + "local-codes-LAB-NORTH", system="L", code="BMGU"))
