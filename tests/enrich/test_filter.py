"""The pre-filter lets through whatever a pack may know, and stops everything else cheaply."""

import timeit
from typing import Any

import pytest
from enrich_examples import SERUM, Enrich, Site, context_of, observation

from adapter.config import Settings
from adapter.enrich.enricher import Enricher
from adapter.tables.index import Tables

URATE = {"coding": [{"system": "http://loinc.org", "code": "3084-1", "display": "Urate"}], "text": "Urate"}


def test_a_result_that_no_pack_knows_is_left_as_it_is(enrich: Enrich) -> None:
    resource = {**observation(text="0.6-1.2"), "code": URATE}
    before = dict(resource)
    assert enrich(resource, "serum") == []
    assert resource == before


def test_a_result_that_no_pack_knows_costs_next_to_nothing(enricher: Enricher) -> None:
    context = context_of({**observation(), "code": URATE})
    seconds = min(timeit.repeat(lambda: enricher.enrich(context), number=2000, repeat=5)) / 2000
    assert seconds < 10e-6, "measured 0.5 us; the limit leaves room for a busy machine"


def test_every_key_of_the_tables_passes(enricher: Enricher, tables: Tables) -> None:
    for pack in tables.packs.values():
        texts = [f"{code}^^LN" for code in pack.loinc]
        texts += [f"{row.code}^{row.name}^{row.code_system}" for row in pack.codes if row.code != "-"]
        texts += [f"X^{row.name.upper()}^L" for row in pack.codes if row.name and not row.code]
        for text in texts:
            assert enricher.may_recognise(text, (pack.name,)), text


@pytest.mark.parametrize("text", [SERUM, f"4711^x^L^{SERUM}^y^LN", "B2M^beta-2  microglobulin^L", f"{SERUM}&x^^LN"])
def test_obx_3_passes_whatever_component_holds_the_key(enricher: Enricher, text: str) -> None:
    assert enricher.may_recognise(text, ())


@pytest.mark.parametrize("text", ["", "3084-1^Urate^LN", "^^^^"])
def test_other_tests_do_not_pass(enricher: Enricher, text: str) -> None:
    assert not enricher.may_recognise(text, ())


def test_keys_of_a_site_pass(site: Site) -> None:
    enricher = site(codes=[{"code": "Q77", "loinc": SERUM}])
    assert enricher.may_recognise("Q77^whatever^L", ("b2m",))
    assert not enricher.may_recognise("Q77^whatever^L", ("other",))


def test_recognised_means_that_a_loinc_code_is_found(tables: Tables) -> None:
    enricher = Enricher(tables, Settings(only=("b2m",)))
    named: dict[str, Any] = {**observation(), "code": {"text": "Beta-2 Microglobulin"}}
    assert enricher.recognises(context_of(named, "serum"))
    assert not enricher.recognises(context_of(named))
    assert not Enricher(tables, Settings(only=("other",))).recognises(context_of(named, "serum"))
    assert enricher.recognises(context_of({"code": {"text": "Panel"}, "component": [observation()]}))
