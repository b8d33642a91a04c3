"""XAD -> Address, XTN -> ContactPoint."""

import pytest

from adapter.convert.datatypes.contacts import address, contact_point
from adapter.convert.datatypes.text import verbatim


def test_xad(environment):
    assert address("1 Main St^Apt 2^Boston^MA^02118^USA^H", environment) == {
        "use": "home",
        "line": ["1 Main St", "Apt 2"],
        "city": "Boston",
        "state": "MA",
        "postalCode": "02118",
        "country": "USA",
    }


def test_street_name_dwelling_number_and_addressee_are_lines(environment):
    text = "1 Main St&Main St&1^Apt 2^^^^^^^^^^^^^^^^^c/o Doe"
    assert address(text, environment) == {"line": ["1 Main St", "Main St", "1", "Apt 2", "c/o Doe"]}


@pytest.mark.parametrize(
    ("code", "use"), [("H", "home"), ("BA", "old"), ("C", "temp"), ("BI", "billing"), ("B", "work"), ("O", "work")]
)
def test_address_use(environment, code, use):
    assert address(f"1 Main St^^^^^^{code}", environment)["use"] == use


def test_mailing_is_a_type_not_a_use(environment):
    found = address("1 Main St^^^^^^M", environment)
    assert found["type"] == "postal"
    assert "use" not in found


def test_vacation_home_has_an_extension(environment):
    url = "http://hl7.org/fhir/StructureDefinition/iso21090-AD-use"
    assert address("1 Main St^^^^^^HV", environment)["extension"] == [{"url": url, "valueCode": "HV"}]


def test_address_type_without_fhir_code_is_kept_and_not_reported(environment):
    found, faults = environment.run(address, "1 Main St^^^^^^P")
    assert "_use" not in found
    assert found["extension"][0]["valueString"] == "1 Main St^^^^^^P"
    assert faults == ()


@pytest.mark.parametrize("county", ["Norfolk", "&Norfolk", "&&&&&&&&Norfolk"])
def test_county_is_the_district(environment, county):
    assert address(f"^^Boston^^^^^^{county}", environment)["district"] == "Norfolk"


def test_county_with_code_and_text_keeps_both(environment):
    text = "^^Boston^^^^^^025&Norfolk&FIPS"
    assert address(text, environment) == {"city": "Boston", "district": "Norfolk", "extension": [verbatim(text)]}


def test_census_tract_stands_on_the_line(environment):
    url = "http://hl7.org/fhir/StructureDefinition/iso21090-ADXP-censusTract"
    found = address("1 Main St^^^^^^^^^0101.02", environment)
    assert found["_line"] == [{"extension": [{"url": url, "valueString": "0101.02"}]}]


def test_census_tract_lines_up_with_the_lines(environment):
    found = address("1 Main St^Suite 2^^^^^^^^0101.02", environment)
    assert found["line"] == ["1 Main St", "Suite 2"]
    assert found["_line"][0] is not None
    assert found["_line"][1:] == [None]


def test_census_tract_without_any_line_stands_alone(environment):
    found = address("^^^^^^^^^0101.02", environment)
    assert "line" not in found
    assert len(found["_line"]) == 1


def test_address_period(environment):
    assert address("1 Main St^^^^^^^^^^^2020&2021", environment)["period"] == {"start": "2020", "end": "2021"}
    assert address("1 Main St^^^^^^^^^^^^2020^2021", environment)["period"] == {"start": "2020", "end": "2021"}


def test_other_geographic_designation_keeps_the_text(environment):
    text = "1 Main St^^^^^^^North"
    assert address(text, environment)["extension"] == [verbatim(text)]


@pytest.mark.parametrize("text", ["", '""', "^^^", '""^""'])
def test_nothing_valued_gives_nothing(environment, text):
    assert address(text, environment) is None
    assert contact_point(text, environment) is None


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("^^PH^^1^617^5551212", "+1 617 5551212"),
        ("^^PH^^+1^617^5551212", "+1 617 5551212"),
        ("^^PH^^^617^5551212", "617 5551212"),
        ("^^PH^^1^617^5551212^77", "+1 617 5551212 X77"),
        ("^^PH^^^617^5551212^77", "617 5551212 X77"),
        ("^^PH^^^^5551212", "5551212"),
        ("(617)555-1212", "(617)555-1212"),
        ("^^PH^^^^^^^^^+1-617-5551212", "+1-617-5551212"),
        ("^NET^Internet^jane@example.org", "jane@example.org"),
        ("jane@example.org^NET^Internet", "jane@example.org"),
        ("^^^jane@example.org", "jane@example.org"),
    ],
)
def test_value_of_a_contact_point(environment, text, value):
    assert contact_point(text, environment)["value"] == value


@pytest.mark.parametrize(
    ("code", "system"), [("PH", "phone"), ("FX", "fax"), ("BP", "pager"), ("Internet", "email"), ("CP", "phone")]
)
def test_equipment_type(environment, code, system):
    assert contact_point(f"x^^{code}", environment)["system"] == system


def test_address_without_equipment_type_is_an_email(environment):
    assert contact_point("^^^jane@example.org", environment) == {"system": "email", "value": "jane@example.org"}


@pytest.mark.parametrize("text", ["555", "^^^^^^555", "^^^^^^^^^^^555"])
def test_telephone_number_without_equipment_type_is_one_of_a_phone(environment, text):
    assert contact_point(text, environment)["system"] == "phone"


def test_unknown_equipment_type_is_another_system_and_kept(environment):
    found = contact_point("555^^XX", environment)
    assert found["system"] == "other"
    assert found["_system"]["extension"][0]["valueCodeableConcept"]["coding"][0]["code"] == "XX"


def test_mail_address_in_the_place_of_a_telephone_number_has_a_reason_for_no_system(environment):
    assert contact_point("test@example.org", environment)["_system"]["extension"][0]["valueCode"] == "unknown"


@pytest.mark.parametrize(("code", "use"), [("PRN", "home"), ("WPN", "work"), ("PRS", "mobile")])
def test_contact_use(environment, code, use):
    assert contact_point(f"555^{code}^PH", environment)["use"] == use


def test_cellular_phone_is_mobile(environment):
    assert contact_point("555^^CP", environment)["use"] == "mobile"


def test_cellular_residence_number_is_mobile_and_keeps_its_use(environment):
    found = contact_point("555^PRN^CP", environment)
    assert found["use"] == "mobile"
    assert found["_use"]["extension"][0]["valueCodeableConcept"]["coding"][0]["code"] == "PRN"


def test_cellular_work_number_stays_work(environment):
    assert contact_point("555^WPN^CP", environment)["use"] == "work"


def test_parts_of_the_number_stand_on_the_contact_point(environment):
    extensions = contact_point("^^PH^^1^617^5551212^77", environment)["extension"]
    assert [(one["url"].rpartition("-")[2], one["valueString"]) for one in extensions] == [
        ("country", "1"),
        ("area", "617"),
        ("local", "5551212"),
        ("extension", "77"),
    ]


@pytest.mark.parametrize("text", ["(617)555-1212^^PH^^^617^5551212", "555^^PH^x@example.org", "555^^PH^^^^^^call late"])
def test_what_has_no_element_keeps_the_text(environment, text):
    assert contact_point(text, environment)["extension"][-1] == verbatim(text)


def test_preference_order_is_the_rank(environment):
    assert contact_point("555^^PH^^^^^^^^^^^^^^^2", environment)["rank"] == 2


def test_preference_order_that_is_no_number_keeps_the_text(environment):
    text = "555^^PH^^^^^^^^^^^^^^^first"
    assert contact_point(text, environment)["extension"] == [verbatim(text)]


def test_contact_period(environment):
    assert contact_point("555^^PH^^^^^^^^^^2020^2021", environment)["period"] == {"start": "2020", "end": "2021"}


def test_unknown_use_is_kept_beside_the_parts_of_the_number(environment):
    found = contact_point("^XXX^PH^^1^617^5551212", environment)
    assert "^XXX^PH^^1^617^5551212" in [extension.get("valueString") for extension in found["extension"]]
    assert len(found["extension"]) == 4
