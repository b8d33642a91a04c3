"""The mark is defined as a StructureDefinition that says what the adapter writes."""

from adapter.enrich.mark import RULES, is_marked, mark
from adapter.fhir.canonical import CANONICAL_BASE, MARK, structure_definition


def slices() -> dict[str, dict[str, str]]:
    """Type and cardinality of each part of the mark by its name."""
    found: dict[str, dict[str, str]] = {}
    for element in structure_definition("mark")["differential"]["element"]:
        path, _, name = element["id"].partition(":")
        if path == "Extension.extension" and name:
            part, _, child = name.partition(".")
            if not child:
                found[part] = {"min": str(element["min"]), "max": element["max"]}
            elif child == "value[x]":
                found[part]["type"] = element["type"][0]["code"]
            elif child == "url":
                assert element["fixedUri"] == part
    return found


def test_the_definition_has_the_url_of_the_constant() -> None:
    definition = structure_definition("mark")
    assert definition["url"] == MARK == CANONICAL_BASE + "/StructureDefinition/mark"
    assert definition["differential"]["element"][-2]["fixedUri"] == MARK


def test_the_definition_is_valid_fhir() -> None:
    from fhir.resources.R4B.structuredefinition import StructureDefinition

    StructureDefinition.model_validate(structure_definition("mark"))


def test_it_may_stand_where_the_adapter_puts_it() -> None:
    context = {item["expression"] for item in structure_definition("mark")["context"]}
    assert context == {"Coding", "CodeableConcept", "Observation.referenceRange", "Annotation", "Observation"}


def test_a_mark_has_the_parts_of_the_definition() -> None:
    types = {"code": "valueCode", "string": "valueString"}
    written = {part["url"]: part for part in mark("code-resolved", "row-1", "0" * 64)["extension"]}
    assert written.keys() == slices().keys()
    for name, part in slices().items():
        assert set(written[name]) == {"url", types[part["type"]]}
        assert part["max"] == "1"


def test_only_the_row_may_be_absent() -> None:
    assert [part["url"] for part in mark("code-resolved", "", "x")["extension"]] == ["rule", "tables"]
    assert [name for name, part in slices().items() if part["min"] == "0"] == ["row"]


def test_what_is_marked_is_known_again() -> None:
    assert is_marked({"extension": [{"url": "urn:other"}, mark("code-resolved", "", "x")]})
    assert not is_marked({"extension": [{"url": "urn:other"}]})
    assert not is_marked({})


def test_every_rule_says_what_it_does() -> None:
    assert all(text.endswith(".") for text in RULES.values())
