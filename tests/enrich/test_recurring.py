"""A result that recurs with another number leaves as if it were the first of its kind."""

import copy
from decimal import Decimal
from typing import Any

from enrich_examples import SERUM, codes_of, context_of, flag, observation, slugs
from hypothesis import given, settings
from hypothesis import strategies as st
from test_laws import results, values

from adapter.config import Settings
from adapter.enrich.enricher import Enricher
from adapter.fhir.json import dumps
from adapter.issues import Issue
from adapter.tables.index import Tables
from adapter.tables.load import load_tables

TABLES: Tables = load_tables()


def enrich(enricher: Enricher, kind: dict[str, Any], number: str, context: dict[str, Any]) -> tuple[bytes, list[Issue]]:
    """Enrich a result of a kind: its code, range and flags are the objects of the kind, as in a converted message."""
    resource = {name: list(value) if isinstance(value, list) else value for name, value in kind.items()}
    resource["valueQuantity"] = {**kind["valueQuantity"], "value": Decimal(number)}
    issues = enricher.enrich(context_of(resource, place="OBX[1]", **context))
    return dumps(resource), issues


@given(results(), st.lists(values, min_size=2, max_size=6))
@settings(max_examples=150, deadline=None)
def test_memory_changes_nothing(result, numbers):
    kind, context = result
    before = copy.deepcopy(kind)
    used = Enricher(TABLES, Settings())
    for number in numbers:
        assert enrich(used, kind, number, context) == enrich(Enricher(TABLES, Settings()), kind, number, context)
    assert kind == before


KIND = observation(SERUM, "0", "mg/L", "0.6-2.4")


def test_each_number_is_judged_anew():
    enricher = Enricher(TABLES, Settings())

    def flag_of(number: str) -> str:
        resource = {**KIND, "valueQuantity": {**KIND["valueQuantity"], "value": Decimal(number)}}
        enricher.enrich(context_of(resource, "serum", place="OBX[1]"))
        return "".join(codes_of(resource))

    assert [flag_of(number) for number in ("1.0", "2.4", "2.5", "0.5", "1.1", "2.41", "0.59")] == list("NNHLNHL")


def test_each_number_is_converted_anew():
    enricher = Enricher(TABLES, Settings())
    kind = observation(SERUM, "0", "ug/L", "600-2400")
    for number, canonical in (("1000", "1.000"), ("2400", "2.400"), ("1001.50", "1.00150")):
        resource = {**kind, "valueQuantity": {**kind["valueQuantity"], "value": Decimal(number)}}
        enricher.enrich(context_of(resource, "serum", place="OBX[1]"))
        assert str(resource["valueQuantity"]["value"]) == canonical


def test_an_implausible_number_is_no_normal_one():
    enricher = Enricher(TABLES, Settings())
    _, first = enrich(enricher, KIND, "1.0", {"specimen": "serum"})
    _, second = enrich(enricher, KIND, "99999", {"specimen": "serum"})
    _, third = enrich(enricher, KIND, "1.0", {"specimen": "serum"})
    assert ("value-implausible" in slugs(first), "value-implausible" in slugs(second)) == (False, True)
    assert first == third


def test_issues_name_the_result_that_they_are_about():
    enricher = Enricher(TABLES, Settings())
    kind = {**KIND, "interpretation": flag("N")}
    for place in ("OBX[1]", "OBX[7]"):
        resource = {**kind, "valueQuantity": {**kind["valueQuantity"], "value": Decimal("9.0")}}
        [issue] = enricher.enrich(context_of(resource, "serum", place=place))
        assert (issue.slug, issue.place) == ("flag-conflict", f"{place}-8")


def test_what_recurs_shares_no_list():
    """Lists of a resource belong to its message: who changes one of them changes no other result."""
    enricher = Enricher(TABLES, Settings())
    lists = []
    for _ in range(3):
        resource = {**KIND, "valueQuantity": {**KIND["valueQuantity"], "value": Decimal("9.0")}}
        enricher.enrich(context_of(resource, "serum", place="OBX[1]"))
        lists += [resource["referenceRange"], resource["interpretation"]]
    assert len({id(one) for one in lists}) == len(lists)


def test_a_table_range_is_looked_up_for_each_patient():
    """It may depend on laboratory, sex, age and date, which are no part of a kind."""
    enricher = Enricher(TABLES, Settings())
    kind = {name: value for name, value in KIND.items() if name != "referenceRange"}
    ranges = []
    for name in ("Labcorp", "Elsewhere", "Labcorp"):
        resource = {**kind, "valueQuantity": {**kind["valueQuantity"], "value": Decimal("1.0")}}
        enricher.enrich(context_of(resource, "serum", place="OBX[1]", organizations=[{"name": name}]))
        ranges.append("referenceRange" in resource)
    assert ranges == [True, False, True]
