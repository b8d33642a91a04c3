"""XPN, XCN, FN -> HumanName."""

import pytest

from adapter.convert.datatypes.names import human_name, human_name_xcn
from adapter.convert.datatypes.text import verbatim

PART = "http://hl7.org/fhir/StructureDefinition/humanname-"


def test_xpn(environment):
    assert human_name("Doe^Jane^Quinn^Jr^Ms^^L", environment) == {
        "family": "Doe",
        "given": ["Jane", "Quinn"],
        "prefix": ["Ms"],
        "suffix": ["Jr"],
        "use": "official",
    }


def test_suffix_degree_and_professional_suffix_in_this_order(environment):
    assert human_name("Doe^^^Jr^^MD^^^^^^^^FACP", environment)["suffix"] == ["Jr", "MD", "FACP"]


def test_family_name_parts(environment):
    name = human_name("van Beek-de Jong&van&Beek&de&Jong^An", environment)
    assert name["family"] == "van Beek-de Jong"
    assert name["_family"]["extension"] == [
        {"url": PART + "own-prefix", "valueString": "van"},
        {"url": PART + "own-name", "valueString": "Beek"},
        {"url": PART + "partner-prefix", "valueString": "de"},
        {"url": PART + "partner-name", "valueString": "Jong"},
    ]


@pytest.mark.parametrize(("code", "use"), [("L", "official"), ("D", "usual"), ("M", "maiden"), ("N", "nickname")])
def test_name_type(environment, code, use):
    assert human_name(f"Doe^^^^^^{code}", environment)["use"] == use


def test_name_type_without_fhir_use_is_kept(environment):
    name = human_name("Doe^^^^^^A", environment)
    assert "use" not in name
    assert "_use" not in name
    assert name["extension"][0]["valueString"] == "Doe^^^^^^A"


def test_unknown_name_type_is_reported_at_its_component(environment):
    assert [(fault.slug, fault.component) for fault in environment.run(human_name, "Doe^^^^^^?")[1]] == [("code-not-mapped", "7")]


def test_effective_and_expiration_date(environment):
    assert human_name("Doe^^^^^^^^^^^2020^2021", environment)["period"] == {"start": "2020", "end": "2021"}


def test_validity_range_serves_where_they_are_blank(environment):
    assert human_name("Doe^^^^^^^^^2020&2021", environment)["period"] == {"start": "2020", "end": "2021"}


def test_validity_range_beside_them_is_kept(environment):
    text = "Doe^^^^^^^^^2020&2021^^2019"
    assert human_name(text, environment) == {"family": "Doe", "period": {"start": "2019"}, "extension": [verbatim(text)]}


def test_assembly_order(environment):
    assert human_name("Doe^^^^^^^^^^G", environment)["extension"] == [{"url": PART + "assembly-order", "valueCode": "G"}]


@pytest.mark.parametrize("text", ["Doe^^^^^^^P", "Doe^^^^^^^^CTX", "Doe^^^^^^^^^^?", "Doe^^^^^^^^^^^^^^Janie"])
def test_what_has_no_element_keeps_the_text(environment, text):
    assert verbatim(text) in human_name(text, environment)["extension"]


def test_escapes_in_a_name(environment):
    assert human_name(r"O\T\Neil^Ann", environment)["family"] == "O&Neil"


def test_xcn_has_the_name_from_its_second_component(environment):
    text = "1234567893^Smith^Ann^B^III^Dr^MD^^NPIREG&2.16.840.1.113883.4.6&ISO^L^^^NPI"
    assert human_name_xcn(text, environment) == {
        "family": "Smith",
        "given": ["Ann", "B"],
        "prefix": ["Dr"],
        "suffix": ["III"],
        "use": "official",
    }


def test_xcn_professional_suffix_and_period(environment):
    name = human_name_xcn("1^Smith" + "^" * 17 + "2020^2021^FACP", environment)
    assert name == {"family": "Smith", "suffix": ["FACP"], "period": {"start": "2020", "end": "2021"}}


@pytest.mark.parametrize("text", ["", '""', "^^^", '""^""'])
def test_nothing_valued_gives_nothing(environment, text):
    assert human_name(text, environment) is None
    assert human_name_xcn(text, environment) is None


def test_xcn_with_a_number_only_has_no_name(environment):
    assert human_name_xcn("42", environment) is None
