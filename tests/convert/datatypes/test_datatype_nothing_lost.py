"""Law 1 for datatypes: each valued component of each datatype is somewhere in the output, whatever stands beside it."""

import pytest
from hypothesis import given
from hypothesis import strategies as some

from adapter.convert.datatypes.codes import codeable_concept, coding, mapped_code, mapped_concept
from adapter.convert.datatypes.contacts import address, contact_point
from adapter.convert.datatypes.identifiers import identifier_cx, identifier_ei, identifiers_eip
from adapter.convert.datatypes.names import human_name
from adapter.convert.environment import Environment
from adapter.tables.load import load_tables

ENVIRONMENT = Environment(load_tables())
#: Function and the count of components that its datatype has in the newest version.
DATATYPES = [
    (codeable_concept, 22),
    (coding, 22),
    (mapped_concept("0078"), 22),
    (mapped_code("0085"), 22),
    (identifier_cx, 12),
    (identifier_ei, 4),
    (identifiers_eip, 2),
    (human_name, 15),
    (address, 23),
    (contact_point, 18),
]


def texts(value):
    if isinstance(value, dict):
        for one in value.values():
            yield from texts(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from texts(one)
    elif value is not None:
        yield str(value)


def lost(function, parts):
    """Tokens that stand nowhere in the output."""
    found = "\n".join(texts(function("^".join(parts), ENVIRONMENT)))
    return [part for part in parts if part and part not in found]


@pytest.mark.parametrize(("function", "count"), DATATYPES, ids=lambda value: getattr(value, "__qualname__", ""))
def test_all_components_at_once(function, count):
    assert lost(function, [f"tok{number:02}en" for number in range(1, count + 3)]) == []


@pytest.mark.parametrize(("function", "count"), DATATYPES, ids=lambda value: getattr(value, "__qualname__", ""))
@given(data=some.data())
def test_any_of_the_components(function, count, data):
    numbers = data.draw(some.sets(some.integers(1, count)))
    parts = [f"tok{number:02}en" if number in numbers else "" for number in range(1, count + 1)]
    assert lost(function, parts) == []


@pytest.mark.parametrize(("function", "count"), DATATYPES, ids=lambda value: getattr(value, "__qualname__", ""))
@given(text=some.text(alphabet='ab1.^&~\\" -', max_size=40))
def test_never_an_empty_string_object_or_array(function, count, text):
    def check(value):
        assert value is not None
        assert value != ""
        assert value not in ({}, [])
        for one in value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ():
            if not (isinstance(value, tuple) and one is None):
                check(one)

    value = function(text, ENVIRONMENT)
    if value:
        check(value)
