"""A message is taken apart into its valued leaves, each with its place, and put together with other texts in some of them."""

from messages import read

from adapter.explain.components import altered, components_of, variant


def leaves(*segments: str) -> dict[str, str]:
    return {one.place: one.text for one in components_of(read(*segments)) if not one.place.startswith("MSH")}


def test_field_without_components_is_a_leaf():
    assert leaves("OBX|1") == {"OBX[1]-1": "1"}


def test_components_and_subcomponents_are_leaves():
    assert leaves("PID|||7^^^A&B") == {"PID[1]-3.1": "7", "PID[1]-3.4.1": "A", "PID[1]-3.4.2": "B"}


def test_repetitions_are_counted():
    assert leaves("PID|||7~8^2") == {"PID[1]-3(1)": "7", "PID[1]-3(2).1": "8", "PID[1]-3(2).2": "2"}


def test_null_and_blanks_are_no_leaves():
    assert leaves('PID|""| |^^""') == {}


def test_the_delimiters_are_no_leaves():
    assert [one.place for one in components_of(read())][:2] == ["MSH-3", "MSH-4"]


def test_variant_has_the_other_text_and_nothing_else_changed():
    message = read("PID|||7~8^2^^A&B|x")
    chosen = next(one for one in components_of(message) if one.text == "B")
    assert variant(message, [(chosen, "C")]).segments[1].text == "PID|||7~8^2^^A&C|x"
    assert message.segments[1].text == "PID|||7~8^2^^A&B|x"


def test_variant_of_msh_keeps_its_field_numbers():
    message = read()
    chosen = next(one for one in components_of(message) if one.place == "MSH-10")
    changed = variant(message, [(chosen, "M2")])
    assert changed.header[10] == "M2"
    assert changed.header[2] == message.header[2]


def test_several_leaves_change_at_once():
    message = read("OBX|1|NM")
    both = [(one, "") for one in components_of(message) if one.place.startswith("OBX")]
    assert variant(message, both).segments[1].text == "OBX||"


def test_another_text_is_of_the_same_kind():
    assert [altered(text) for text in ("4.20", "2.45", "20260131", "F", "mg/L")] == ["4.21", "2.44", "20260130", "FZ", "mg/LZ"]
