"""TQ1, and TQ in ORC-7 and OBR-27 until v2.5.1 -> priority, quantity and time of a ServiceRequest (A24).

The first TQ1 counts. Without TQ1, ORC-7 does, and OBR-27 without ORC-7. In the rules the target is the ServiceRequest; what has
no element stays on it as sent.
"""

from __future__ import annotations

from typing import Any

from adapter.convert.assembly import Assembly
from adapter.convert.datatypes.codes import mapped_code, mapped_concept
from adapter.convert.datatypes.quantities import composite_quantity, decimal_of
from adapter.convert.datatypes.text import components, leaf, markdown_text, promoted, put, put_code
from adapter.convert.datatypes.times import read_time, time_of_day
from adapter.convert.datatypes.verbatim import source_extension, source_field
from adapter.convert.environment import Environment
from adapter.convert.rules import Plan, Primitive, Rule, Targets, apply_rules
from adapter.hl7v2.grouping import Order
from adapter.hl7v2.message import Segment, valued

#: UCUM codes that FHIR takes as units of a timing; minutes in each, for offsets.
_MINUTES = {"min": 1, "h": 60, "d": 1440, "wk": 10080}
_PERIOD_UNITS = frozenset({"s", "min", "h", "d", "wk", "mo", "a"})
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def priority(text: str, environment: Environment) -> Any:
    """ID, CWE of table 0485 -> priority."""
    return mapped_code("0485")(text, environment)


def repeat_pattern(text: str, environment: Environment) -> Any:
    """RPT -> Timing (v2-to-FHIR RPT[Timing]).

    Parameters
    ----------
    text : str
        One repetition in ER7.
    environment : Environment
        Surroundings.

    Returns
    -------
    dict or None
        Timing; the text stays on it as sent where it says more.
    """
    parts = components(text, 10)
    timing: dict[str, Any] = {}
    repeat: dict[str, Any] = {}
    whole = True
    pattern = text.partition("^")[0]
    code = mapped_concept("0335")(promoted(pattern), environment) if valued(pattern) else None
    if code is not None:
        timing["code"] = code
    period = decimal_of(parts[4]) if parts[4] else None
    if period is not None and parts[5] in _PERIOD_UNITS:
        repeat["period"], repeat["periodUnit"] = period[0], parts[5]
    elif parts[4] or parts[5]:
        whole = False
    days = [_DAYS[int(part) - 1] for part in parts[2:4] if parts[1] == "DW" and part in ("1", "2", "3", "4", "5", "6", "7")]
    if days:
        repeat["dayOfWeek"] = days
    event = environment.tables.vocabulary.get("0528", {}).get(parts[7])
    if event is not None:
        repeat["when"] = [event.target]
    offset = decimal_of(parts[8]) if parts[8] else None
    if offset is not None and event is not None and parts[9] in _MINUTES and offset[0] == int(offset[0]) >= 0:
        repeat["offset"] = int(offset[0]) * _MINUTES[parts[9]]
    elif parts[8] or parts[9]:
        whole = False
    if not whole or any(parts[10:]) or parts[6] or (parts[7] and event is None) or (any(parts[1:4]) and not days):
        timing["extension"] = [source_extension("RPT", text)]
    if repeat:
        timing["repeat"] = repeat
    return timing or None


def repeat_interval(text: str, environment: Environment) -> dict[str, Any]:
    """RI in a component of TQ -> Timing: pattern and times of day (v2-to-FHIR RI[Timing]).

    Parameters
    ----------
    text : str
        The component in ER7.
    environment : Environment
        Surroundings.

    Returns
    -------
    dict
        Timing; the text stays on it as sent where it says more.
    """
    parts = text.split("&")
    timing: dict[str, Any] = {}
    code = mapped_concept("0335")(parts[0], environment) if valued(parts[0]) else None
    if code is not None:
        timing["code"] = code
    times = (
        [time_of_day(part.strip(), environment) for part in parts[1].split(",")] if len(parts) > 1 and valued(parts[1]) else []
    )
    if times and all(isinstance(one, str) for one in times):
        timing["repeat"] = {"timeOfDay": times}
        times = []
    if times or any(valued(part) for part in parts[2:]):
        timing["extension"] = [source_extension("RI", text)]
    return timing


def _occurrence(targets: Targets) -> tuple[dict[str, Any], dict[str, Any]]:
    """Give the Timing of the request and its `repeat`, both to be filled."""
    timing: dict[str, Any] = targets["ServiceRequest"].setdefault("occurrenceTiming", {})
    return timing, timing.setdefault("repeat", {})


def _keep(targets: Targets, name: str, text: str) -> None:
    targets["ServiceRequest"].setdefault("extension", []).append(source_extension(name, text))


def _pattern(assembly: Assembly, segment: Segment, text: str, targets: Targets) -> None:
    first, _, rest = text.partition("~")
    found = assembly.value(repeat_pattern, segment, 3, first)
    if found is not None:
        timing, repeat = _occurrence(targets)
        repeat.update(found.get("repeat", {}))
        timing.update({name: value for name, value in found.items() if name != "repeat"})
    if valued(rest):
        _keep(targets, "TQ1-3", rest)


def _times_of_day(assembly: Assembly, segment: Segment, text: str, targets: Targets) -> None:
    found = [assembly.value(time_of_day, segment, 4, part) for part in text.split("~") if valued(part)]
    plain = [one for one in found if isinstance(one, str)]
    if plain:
        _occurrence(targets)[1]["timeOfDay"] = plain
    if len(plain) < len(found):
        _keep(targets, "TQ1-4", text)


def duration(text: str, environment: Environment) -> Any:
    """CQ -> Duration, when its unit is a UCUM unit of time."""
    value = environment.memo(composite_quantity)[text + "|"][0]
    if value is None or value.name != "Quantity" or value.content.get("code") not in _PERIOD_UNITS:
        return None
    return value.content


def _bounds(assembly: Assembly, segment: Segment, text: str, targets: Targets) -> None:
    """TQ1-6 -> boundsDuration, where no start and no end is sent; beside these it stays as sent, no date is computed."""
    found = assembly.value(duration, segment, 6, text) if not valued(segment[7]) and not valued(segment[8]) else None
    if found is not None:
        _occurrence(targets)[1]["boundsDuration"] = found
    else:
        _keep(targets, "TQ1-6", text)


def _bound(name: str, number: int) -> Any:
    def build(assembly: Assembly, segment: Segment, text: str, targets: Targets) -> None:
        set_bound(assembly, segment, number, text, targets, name)

    return build


def set_bound(assembly: Assembly, segment: Segment, number: int, text: str, targets: Targets, name: str) -> None:
    """Set start or end of `boundsPeriod`."""
    found = assembly.value(read_time, segment, number, text)
    period = _occurrence(targets)[1].setdefault("boundsPeriod", {})
    put(period, name, found)


def _priority(assembly: Assembly, segment: Segment, text: str, targets: Targets) -> None:
    request = targets["ServiceRequest"]
    first, _, rest = text.partition("~")
    found = assembly.value(priority, segment, 9, first)
    value = found.value if isinstance(found, Primitive) else found
    if "priority" not in request and "_priority" not in request:
        put_code(request, "priority", found, first)
    elif request.get("priority") != value:
        rest = text
    if valued(rest):
        _keep(targets, "TQ1-9", rest)


def _duration(assembly: Assembly, segment: Segment, text: str, targets: Targets) -> None:
    found = assembly.value(duration, segment, 13, text)
    if found is not None:
        repeat = _occurrence(targets)[1]
        repeat["duration"], repeat["durationUnit"] = found["value"], found["code"]
    else:
        _keep(targets, "TQ1-13", text)


def _total(assembly: Assembly, segment: Segment, text: str, targets: Targets) -> None:
    digits = leaf(text)
    if digits.isascii() and digits.isdigit() and 0 < int(digits) < 2**31:
        _occurrence(targets)[1]["count"] = int(digits)
    else:
        _keep(targets, "TQ1-14", text)


def _quantity(assembly: Assembly, segment: Segment, text: str, targets: Targets) -> None:
    value = assembly.value(composite_quantity, segment, 2, text + "|")
    if value is not None and value.name == "Quantity":
        targets["ServiceRequest"]["quantityQuantity"] = value.content
    else:
        _keep(targets, "TQ1-2", text)


def _instruction(assembly: Assembly, segment: Segment, text: str, targets: Targets) -> None:
    found = assembly.value(markdown_text, segment, 11, text)
    if found is not None:
        targets["ServiceRequest"].setdefault("note", []).append({"text": found})


def _kept(name: str) -> Rule:
    return Rule(name, "ServiceRequest.extension[]", source_field(name), repeats="whole", note="no element in ServiceRequest")


TQ1_RULES: tuple[Rule, ...] = (
    Rule("TQ1-1", drop="number of the segment"),
    Rule("TQ1-2", "ServiceRequest.quantityQuantity", build=_quantity),
    Rule("TQ1-3", "ServiceRequest.occurrenceTiming", build=_pattern, repeats="whole", table="0335", note="A24"),
    Rule("TQ1-4", "ServiceRequest.occurrenceTiming.repeat.timeOfDay[]", build=_times_of_day, repeats="whole"),
    _kept("TQ1-5"),
    Rule("TQ1-6", "ServiceRequest.occurrenceTiming.repeat.boundsDuration", build=_bounds, note="A24"),
    Rule("TQ1-7", "ServiceRequest.occurrenceTiming.repeat.boundsPeriod.start", build=_bound("start", 7), note="A24"),
    Rule("TQ1-8", "ServiceRequest.occurrenceTiming.repeat.boundsPeriod.end", build=_bound("end", 8), note="A24"),
    Rule("TQ1-9", "ServiceRequest.priority", build=_priority, repeats="whole", table="0485"),
    _kept("TQ1-10"),
    Rule("TQ1-11", "ServiceRequest.note[]", build=_instruction, repeats="whole", note="A24"),
    _kept("TQ1-12"),
    Rule("TQ1-13", "ServiceRequest.occurrenceTiming.repeat.duration", build=_duration, note="A24"),
    Rule("TQ1-14", "ServiceRequest.occurrenceTiming.repeat.count", build=_total),
)

RULES: dict[str, tuple[Rule, ...]] = {"TQ1": TQ1_RULES}


def add_timing(assembly: Assembly, plans: dict[str, Plan], order: Order, request: dict[str, Any]) -> None:
    """Add priority, quantity and time to a ServiceRequest.

    Parameters
    ----------
    assembly : Assembly
        The message being converted.
    plans : dict
        Compiled rules by name.
    order : Order
        The segments of the order.
    request : dict
        The ServiceRequest; changed.
    """
    if not order.timing and not _has_old_timing(order):
        return
    targets = {"ServiceRequest": request}
    segments = [segment for segment in order.timing if segment.name == "TQ1"]
    if segments:
        apply_rules(plans["TQ1"], assembly, segments[0], targets)
    for segment in order.timing:
        if segment not in segments[:1]:
            # A request has one occurrence; further ones and their sequence stay as sent.
            _keep(targets, segment.name, segment.text)
    _add_old_timing(assembly, order, targets, use=not segments)
    timing = request.get("occurrenceTiming")
    if timing is not None:
        _close(assembly, order, request, timing)


def _has_old_timing(order: Order) -> bool:
    """Tell whether a segment is long enough to have a TQ field with something in it."""
    common, request = order.common_order, order.request
    return (common is not None and len(common.fields) > 7 and common.fields[7] != "") or (
        request is not None and len(request.fields) > 27 and request.fields[27] != ""
    )


def _close(assembly: Assembly, order: Order, request: dict[str, Any], timing: dict[str, Any]) -> None:
    """Remove what stayed empty; FHIR takes one occurrence, so that OBR-6 beside a timing stays as sent."""
    if not timing.get("repeat", True):
        del timing["repeat"]
    if not timing:
        del request["occurrenceTiming"]
    elif request.pop("occurrenceDateTime", None) or request.pop("_occurrenceDateTime", None):
        request.pop("_occurrenceDateTime", None)
        assert order.request is not None
        _keep({"ServiceRequest": request}, "OBR-6", order.request[6])


def _add_old_timing(assembly: Assembly, order: Order, targets: Targets, *, use: bool) -> None:
    """TQ of ORC-7, else of OBR-27 (v2-to-FHIR TQ[ServiceRequest]); beside TQ1 they say the same again and stay as sent."""
    for segment, number in ((order.common_order, 7), (order.request, 27)):
        if segment is None or not valued(segment[number]):
            continue
        name = f"{segment.name}-{number}"
        first, _, rest = segment[number].partition("~")
        if not use:
            _keep(targets, name, segment[number])
            continue
        use = False
        if valued(rest):
            _keep(targets, name, rest)
        _read_timing(assembly, segment, number, first, targets)


def _read_timing(assembly: Assembly, segment: Segment, number: int, text: str, targets: Targets) -> None:
    request = targets["ServiceRequest"]
    parts = text.split("^")
    parts += [""] * (12 - len(parts))
    unplaced = any(valued(part) for part in (parts[2], parts[6], *parts[8:11], *parts[12:]))
    if valued(parts[0]):
        value = assembly.value(composite_quantity, segment, number, promoted(parts[0]).replace("&", "^") + "|")
        if value is not None and value.name == "Quantity":
            request["quantityQuantity"] = value.content
        else:
            unplaced = True
    if valued(parts[1]):
        found = assembly.value(repeat_interval, segment, number, parts[1])
        timing, repeat = _occurrence(targets)
        repeat.update(found.get("repeat", {}))
        timing.update({name: value for name, value in found.items() if name != "repeat"})
    for index, name in ((3, "start"), (4, "end")):
        if valued(parts[index]):
            set_bound(assembly, segment, number, parts[index], targets, name)
    if valued(parts[5]) and "priority" not in request:
        put_code(request, "priority", assembly.value(priority, segment, number, parts[5]), parts[5])
    if valued(parts[7]):
        request.setdefault("note", []).append({"text": leaf(parts[7])})
    total = leaf(parts[11])
    if total.isascii() and total.isdigit() and 0 < int(total) < 2**31:
        _occurrence(targets)[1]["count"] = int(total)
    elif total:
        unplaced = True
    if unplaced:
        _keep(targets, f"{segment.name}-{number}", text)
