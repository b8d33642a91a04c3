"""SPM and OBR -> Specimen (A12)."""

from __future__ import annotations

from converted import OBR, OBX, PID, convert, fields, kept, only, resources, target

SPM = "SPM|1|SP1&EHR^SF1&LIS||SER^Serum^HL70487"


def obr(**values: str) -> str:
    return fields("OBR", **{"f2": "ORD1^EHR", "f3": "FIL1^LIS", "f4": "PANEL^Panel^L", "f25": "F", **values})


def test_spm_is_the_specimen_of_the_report() -> None:
    conversion = convert(PID, OBR, OBX, SPM)
    assert target(conversion, only(conversion, "DiagnosticReport")["specimen"][0])["type"]["coding"][0]["code"] == "SER"


def test_a_plain_obr_makes_no_specimen() -> None:
    assert resources(convert(PID, obr(f7="20260115"), OBX), "Specimen") == []


def test_obr_15_makes_a_specimen_without_spm() -> None:
    specimen = only(convert(PID, obr(f7="20260115", f15="UR&Urine&HL70487^^midstream"), OBX), "Specimen")
    assert specimen["type"]["coding"][0]["code"] == "UR"
    assert specimen["note"] == [{"text": "midstream"}]
    assert specimen["collection"]["collectedDateTime"] == "2026-01-15"


def test_obr_fills_what_one_spm_leaves_open() -> None:
    specimen = only(convert(PID, obr(f7="20260115080000-0500", f14="20260115090000-0500", f15="UR"), OBX, SPM), "Specimen")
    assert specimen["collection"]["collectedDateTime"] == "2026-01-15T08:00:00-05:00"
    assert specimen["receivedTime"] == "2026-01-15T09:00:00-05:00"
    assert specimen["type"]["coding"][0]["code"] == "SER"


def test_spm_is_stronger_than_obr() -> None:
    spm = fields("SPM", f2="^SF1&LIS", f17="20260114")
    collection = only(convert(PID, obr(f7="20260115", f8="20260116"), OBX, spm), "Specimen")["collection"]
    assert collection == {"collectedDateTime": "2026-01-14"}


def test_with_several_spm_the_fields_of_obr_stay_on_the_report() -> None:
    conversion = convert(PID, obr(f14="20260115"), OBX, SPM, "SPM|2|^SF2&LIS||UR")
    assert kept(only(conversion, "DiagnosticReport")) == {"OBR-14": "20260115"}


def test_one_specimen_under_two_orders_is_one_resource() -> None:
    second = obr(f2="ORD2^EHR", f3="FIL2^LIS")
    conversion = convert(PID, OBR, OBX, SPM, second, OBX, SPM + "||||||||||||||||||||HEM")
    assert only(conversion, "Specimen")["condition"][0]["coding"][0]["code"] == "HEM"


def test_a_specimen_without_number_belongs_to_its_report() -> None:
    conversion = convert(PID, OBR, OBX, "SPM|1|||SER", obr(f3="FIL2^LIS"), OBX, "SPM|1|||SER")
    assert len(resources(conversion, "Specimen")) == 2


def test_start_and_end_of_collection_are_a_period() -> None:
    spm = fields("SPM", f2="^SF1&LIS", f17="20260115080000-0500^20260115081000-0500")
    assert only(convert(PID, OBR, OBX, spm), "Specimen")["collection"]["collectedPeriod"]["end"] == "2026-01-15T08:10:00-05:00"


def test_an_amount_that_is_no_number_stays_as_sent() -> None:
    assert kept(only(convert(PID, OBR, OBX, fields("SPM", f2="^SF1", f12="some^mL")), "Specimen")) == {"SPM-12": "some^mL"}


def test_the_role_of_the_specimen_stays_as_sent() -> None:
    assert kept(only(convert(PID, OBR, OBX, fields("SPM", f2="^SF1", f11="Q")), "Specimen")) == {"SPM-11": "Q"}
