"""CWE, CE, CNE, CF, ID, IS -> CodeableConcept, Coding, code."""

import pytest

from adapter.convert.datatypes.codes import codeable_concept, coded_id, coding, mapped_code, mapped_concept
from adapter.convert.datatypes.coding_systems import code_system
from adapter.convert.datatypes.table_codes import coded_in
from adapter.convert.datatypes.text import verbatim
from adapter.convert.rules import Primitive

V2 = "http://terminology.hl7.org/CodeSystem/v2-"
INTERPRETATION = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation"


def slugs(environment, function, text):
    return [(fault.slug, fault.component) for fault in environment.run(function, text)[1]]


def alternate(*codings, **more):
    url = "http://hl7.org/fhir/StructureDefinition/alternate-codes"
    return ({"url": url, "valueCodeableConcept": {"coding": list(codings), **more}},)


def test_each_triplet_becomes_a_coding_in_the_order_sent(environment):
    text = "1^one^LN^2^two^SCT^^^^3^three^I10C"
    assert codeable_concept(text, environment)["coding"] == [
        {"system": "http://loinc.org", "code": "1", "display": "one"},
        {"system": "http://snomed.info/sct", "code": "2", "display": "two"},
        {"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": "3", "display": "three"},
    ]


def test_original_text_is_the_text(environment):
    assert codeable_concept("1^one^LN^^^^^^as written", environment)["text"] == "as written"


def test_first_display_is_the_text_when_there_is_no_original_text(environment):
    assert codeable_concept("1^one^LN^2^two^L", environment)["text"] == "one"


def test_text_without_code_is_text_only(environment):
    assert codeable_concept("^Many cells seen", environment) == {"text": "Many cells seen"}


def test_versions_go_to_their_codings(environment):
    first, second, third = codeable_concept("1^^LN^2^^LN^v1^v2^^3^^LN^v3", environment)["coding"]
    assert (first["version"], second["version"]) == ("v1", "v2")
    # CWE.13 is the version of the third triplet
    assert third["code"] == "3"


def test_version_of_the_third_triplet(environment):
    assert codeable_concept("^^^^^^^^^3^three^LN^2.70", environment)["coding"][0]["version"] == "2.70"


def test_unknown_system_name_is_kept_and_not_guessed(environment):
    assert codeable_concept("GLU^^L", environment)["coding"] == [{"_system": {"extension": [verbatim("L")]}, "code": "GLU"}]


def test_unknown_system_is_reported_at_its_component(environment):
    assert slugs(environment, codeable_concept, "1^^LN^GLU^^L") == [("code-without-system", "6")]


def test_local_code_base_of_the_sender_gives_a_system(of_sender):
    assert codeable_concept("GLU^^99 LAB", of_sender)["coding"] == [
        {"system": "https://acme.example/code/99%20LAB", "code": "GLU"}
    ]


def test_known_system_is_stronger_than_the_base_of_the_sender(of_sender):
    assert codeable_concept("1^^LN", of_sender)["coding"][0]["system"] == "http://loinc.org"


def test_system_oid_serves_where_the_name_is_unknown(environment):
    coding_ = codeable_concept("A^^L^^^^^^^^^^^2.16.840.1.113883.6.1", environment)["coding"][0]
    assert coding_ == {"system": "http://loinc.org", "_system": {"extension": [verbatim("L")]}, "code": "A"}


def test_system_oid_that_contradicts_the_name_is_kept(environment):
    coding_ = codeable_concept("A^^LN^^^^^^^^^^^2.16.840.1.113883.6.96", environment)["coding"][0]
    assert coding_["system"] == "http://loinc.org"
    assert coding_["_system"] == {"extension": [verbatim("2.16.840.1.113883.6.96")]}


def test_value_set_oid_has_no_element_and_keeps_the_text(environment):
    text = "A^^LN^^^^^^^^^^^^2.16.840.1.113883.21.1"
    assert codeable_concept(text, environment)["extension"] == [verbatim(text)]


def test_code_that_is_no_fhir_code_is_kept_as_text(environment):
    assert codeable_concept("A  B^^LN", environment)["coding"] == [
        {"system": "http://loinc.org", "_code": {"extension": [verbatim("A  B")]}}
    ]


def test_escapes_are_decoded_in_leaf_text_only(environment):
    assert codeable_concept(r"A\T\B^x \S\ y^LN", environment)["coding"] == [
        {"system": "http://loinc.org", "code": "A&B", "display": "x ^ y"}
    ]


@pytest.mark.parametrize("text", ["", '""', "^^", '""^""^""', "  ^ "])
def test_nothing_valued_gives_nothing(environment, text):
    assert codeable_concept(text, environment) is None
    assert coding(text, environment) is None
    assert coded_id(text, environment) is None
    assert mapped_concept("0078")(text, environment) is None
    assert mapped_code("0085")(text, environment) is None


@pytest.mark.parametrize(
    ("name", "uri"),
    [
        ("LN", "http://loinc.org"),
        ("ln", "http://loinc.org"),
        ("HL70487", V2 + "0487"),
        ("HL70078", INTERPRETATION),
        ("HL79999", V2 + "9999"),
        ("2.16.840.1.113883.6.1", "http://loinc.org"),
        ("1.2.3.4", "urn:oid:1.2.3.4"),
        ("http://example.org/codes", "http://example.org/codes"),
        ("D1F0C7A2-0000-4000-8000-000000000001", "urn:uuid:d1f0c7a2-0000-4000-8000-000000000001"),
        ("HL70011", None),  # THO has no code system for it
        ("L", None),
        ("99ZZZ", None),
        ("a-b", None),
        ("v1.2", None),
        ("ACME:LAB", None),
        ("", None),
    ],
)
def test_coding_system_names(environment, name, uri):
    assert code_system(name, environment) == uri


def test_coding_is_the_first_coding(environment):
    assert coding("A01^x^LN", environment) == {"system": "http://loinc.org", "code": "A01", "display": "x"}


def test_coding_keeps_the_text_when_it_says_more(environment):
    assert coding("A^x^LN^B", environment)["extension"] == [verbatim("A^x^LN^B")]


def test_coded_id_is_code_and_text(environment):
    assert coded_id("Y", environment) == {"coding": [{"code": "Y"}], "text": "Y"}


def test_mapped_concept_puts_the_fhir_coding_first_and_keeps_the_source(environment):
    assert mapped_concept("0002")("M^Married^HL70002", environment) == {
        "coding": [
            {"system": "http://terminology.hl7.org/CodeSystem/v3-MaritalStatus", "code": "M", "display": "Married"},
            {"system": V2 + "0002", "code": "M", "display": "Married"},
        ],
        "text": "Married",
    }


def test_mapped_concept_reads_a_plain_code_as_of_its_table(environment):
    assert mapped_concept("0078")("H", environment)["coding"] == [{"system": INTERPRETATION, "code": "H", "display": "High"}]


def test_same_code_and_system_is_one_coding_with_the_display_as_sent(environment):
    assert mapped_concept("0078")("H^hoch^HL70078", environment)["coding"] == [
        {"system": INTERPRETATION, "code": "H", "display": "hoch"}
    ]


def test_local_code_that_looks_like_a_table_code_is_not_mapped(environment):
    assert mapped_concept("0078")("H^x^99LAB", environment)["coding"] == [
        {"_system": {"extension": [verbatim("99LAB")]}, "code": "H", "display": "x"}
    ]


def test_second_triplet_is_mapped_too(environment):
    codings = mapped_concept("0078")("XH^x^99LAB^H^y^HL70078", environment)["coding"]
    assert {"system": INTERPRETATION, "code": "H", "display": "y"} in codings


def test_code_missing_in_the_map_is_kept_without_system_and_reported(environment):
    assert mapped_concept("0078")("QQ", environment) == {"coding": [{"code": "QQ"}]}
    assert slugs(environment, mapped_concept("0078"), "QQ") == [("code-not-mapped", "1")]


def test_one_to_one_code_is_the_bare_target(environment):
    assert mapped_code("0001")("F", environment) == "female"
    assert mapped_code("0001")(" F^^HL70001", environment) == "female"


def test_code_mapped_to_a_wider_one_keeps_the_source(environment):
    assert mapped_code("0085")("X", environment) == Primitive("cancelled", alternate({"system": V2 + "0085", "code": "X"}))


def test_text_beside_a_mapped_code_is_kept(environment):
    source = {"system": V2 + "0001", "code": "F", "display": "weiblich"}
    assert mapped_code("0001")("F^weiblich^HL70001", environment) == Primitive("female", alternate(source, text="weiblich"))


def test_unknown_code_has_no_value_but_the_source(environment):
    assert mapped_code("0001")("Q", environment) == Primitive(None, alternate({"code": "Q"}))
    assert slugs(environment, mapped_code("0001"), "Q") == [("code-not-mapped", "")]


def test_unknown_code_takes_the_default_row_where_there_is_one(environment):
    assert mapped_code("0085")("Q", environment) == Primitive("unknown", alternate({"code": "Q"}))


def test_table_code_without_fhir_code_is_kept_and_not_reported(environment):
    assert mapped_code("0200")("A", environment) == Primitive(None, alternate({"system": V2 + "0200", "code": "A"}))
    assert slugs(environment, mapped_code("0200"), "A") == []


def test_report_can_be_left_to_the_caller(environment):
    assert slugs(environment, mapped_code("0085", report=False), "Q") == []


def test_the_same_map_is_the_same_function():
    assert mapped_concept("0078") is mapped_concept("0078")
    assert mapped_code("0085") is mapped_code("0085")


def test_a_hl7_table_is_claimed_only_for_a_code_that_it_has(environment):
    assert codeable_concept("C^clinic^HL70305", environment)["coding"] == [
        {"system": V2 + "0305", "code": "C", "display": "clinic"}
    ]
    assert codeable_concept("BED^bed^HL70305", environment)["coding"] == [
        {"_system": {"extension": [verbatim("HL70305")]}, "code": "BED", "display": "bed"}
    ]
    assert slugs(environment, codeable_concept, "BED^bed^HL70305") == [("code-not-mapped", "1")]


def test_a_table_code_is_told_by_case(environment):
    assert "system" not in codeable_concept("c^clinic^HL70305", environment)["coding"][0]


def test_a_table_that_r4_does_not_publish_is_claimed_as_sent(environment):
    assert codeable_concept("X^x^HL70937", environment)["coding"][0]["system"] == V2 + "0937"


def test_a_code_that_neither_map_nor_table_has_is_reported_once(environment):
    assert slugs(environment, mapped_concept("0203"), "ZZ^^HL70203") == [("code-not-mapped", "1")]


def test_a_code_of_another_table_is_checked_in_that_table(environment):
    assert slugs(environment, mapped_concept("0203"), "ZZ^^HL70305") == [("code-not-mapped", "1")]


def test_coded_in_names_the_table_of_the_field(environment):
    assert coded_in("0136")("Y", environment) == {"system": V2 + "0136", "code": "Y"}
    assert coded_in("0136")("MAYBE", environment) == {"code": "MAYBE"}
    assert slugs(environment, coded_in("0136"), "MAYBE") == [("code-not-mapped", "")]


def test_coded_in_loses_no_component(environment):
    assert coded_in("0136")("Y^yes^HL70136", environment)["display"] == "yes"
