"""The account: mapped, verbatim, dropped for a written reason, or lost. It is measured: a component counts by what it changes."""

import pytest
from helpers.fixtures import fixture_files, fixture_id, split, tables
from messages import OBR, OBX, PID, account, fate, read, workbench

from adapter.config import Settings
from adapter.explain.account import account_of, allowed_drops, rules_by_field
from adapter.explain.components import components_of, variant
from adapter.explain.outputs import Workbench
from adapter.issues import Rejected
from adapter.pipeline import Pipeline


def test_component_that_becomes_an_element_is_mapped():
    assert fate(account(PID, OBR, OBX), "OBX[1]-5") == ("mapped", "")


def test_field_that_is_kept_as_sent_is_verbatim():
    assert fate(account(PID, OBR, OBX.replace("mg/L|0.6-2.4|", "mg/L|0.6-2.4||0.95")), "OBX[1]-9") == ("verbatim", "")


def test_field_that_its_rule_drops_says_why():
    found = account(PID, OBR, OBX.replace("OBX||", "OBX|1|"))
    assert fate(found, "OBX[1]-1") == ("dropped", "the order of the results says it")


def test_component_on_the_list_of_drops_says_why():
    found = account(PID, OBR, OBX, "NTE|1|L")
    assert fate(found, "NTE[1]-2") == ("dropped", allowed_drops()["NTE-2"])


def test_number_that_is_sent_twice_is_mapped_twice():
    found = account(PID, "ORC|RE||FIL1^LIS", OBR, OBX)
    assert fate(found, "ORC[1]-3.1") == fate(found, "OBR[1]-3.1") == ("mapped", "")


def test_name_and_oid_of_a_coding_system_say_the_same():
    found = account(PID, OBR, OBX.replace("^LN|", "^LN^^^^^^^^^^^2.16.840.1.113883.6.1|"))
    assert fate(found, "OBX[1]-3.3") == fate(found, "OBX[1]-3.14") == ("mapped", "")


def test_type_that_its_value_shows_is_mapped():
    assert fate(account(PID, OBR, OBX), "PID[1]-3.4.3") == ("mapped", "")


def test_local_segment_is_carried():
    assert fate(account(PID, OBR, OBX, "ZZZ|tok"), "ZZZ[1]-1")[0] != "lost"


class Blind(Workbench):
    """A conversion that forgets OBX-17."""

    def convert(self, message, source):
        forgotten = [(one, "") for one in components_of(message) if one.field == "OBX-17"]
        return super().convert(variant(message, forgotten), source)


def test_component_that_changes_nothing_is_lost():
    """Whatever the rules declare: OBX-17 has rules."""
    message = read(PID, OBR, OBX + "||||||NEPH")
    found = account_of(message, message.source, Blind(tables(), Settings()))
    assert fate(found, "OBX[1]-17") == ("lost", "it makes no difference to the output")


def test_same_specimen_under_two_orders_loses_nothing():
    specimen = "SPM||S1&&2.16.840.1.113883.3.999.8&ISO||SER^Serum^HL70487"
    other_order = OBR.replace("FIL1", "FIL2")
    assert account(PID, OBR, OBX, specimen, other_order, OBX, specimen).of_kind("lost") == []


def test_specimen_that_is_described_twice_keeps_both_descriptions():
    specimen = "SPM||S1&&2.16.840.1.113883.3.999.8&ISO||SER^Serum^HL70487"
    other_order = OBR.replace("FIL1", "FIL2")
    found = account(PID, OBR, OBX, specimen, other_order, OBX, specimen.replace("SER^Serum", "UR^Urine"))
    assert found.of_kind("lost") == []


def test_counts_add_up():
    found = account(PID, OBR, OBX)
    assert sum(found.counts.values()) == len(found.postings)


@pytest.mark.parametrize("form", ["message", "collection", "ndjson"])
def test_no_form_of_output_loses_anything(form):
    assert account(PID, OBR, OBX, form=form).of_kind("lost") == []


def test_every_drop_of_a_component_is_of_a_field_that_has_rules():
    assert {component.partition(".")[0] for component in allowed_drops()} <= rules_by_field().keys()


@pytest.mark.parametrize("path", fixture_files(".hl7"), ids=fixture_id)
def test_no_fixture_loses_anything(path):
    pipeline = Pipeline(tables(), Settings())
    for raw in split(path.read_bytes())[0]:
        try:
            message = pipeline.read(raw.data)
        except Rejected:
            continue
        found = account_of(message, raw.data, workbench())
        assert found is None or [posting.component.place for posting in found.of_kind("lost")] == []
