"""What an order, its report and its specimens are recognised by when they are sent again: keys from source fields only.

A filler order number (OBR-3, else ORC-3) with its authority, the patient and OBR-4 make a report; accession numbers recur, and
one order may bring several reports. The authority is the universal id as sent; a bare namespace counts within its sender only.
Tables do not enter: a corrected table must not duplicate results.
"""

from __future__ import annotations

from adapter.convert.assembly import Assembly
from adapter.convert.datatypes.text import PLAIN, components
from adapter.convert.environment import DatatypeFunction, Environment
from adapter.hl7v2.grouping import Order
from adapter.hl7v2.message import Segment, valued


def entity_key(assembly: Assembly, text: str, separator: str = "^") -> tuple[str, ...]:
    """EI -> key: universal id and number, or sender, namespace and number.

    Parameters
    ----------
    assembly : Assembly
        Gives the sender.
    text : str
        EI in ER7.
    separator : str
        `^` for a field, `&` for a component.

    Returns
    -------
    tuple of str
        Empty when there is no number.
    """
    number, _, rest = text.partition(separator)
    if not PLAIN.issuperset(number):
        number = components(number, 1, separator)[0]
    if not number:
        return ()
    environment = assembly.environment
    function = _AUTHORITIES[separator]
    namespace, universal, kind = (environment.memos.get(function) or environment.memo(function))[rest][0]
    return (universal, kind, number) if universal else (assembly.sender_key, namespace, number)


def _authority(separator: str) -> DatatypeFunction:
    """Make the function that reads what follows the number: namespace, universal id and its kind; they recur, numbers do not."""

    def authority(text: str, environment: Environment) -> tuple[str, str, str]:
        namespace, universal, kind = components(text, 3, separator)[:3]
        return namespace, universal, kind.upper()

    return authority


_AUTHORITIES = {separator: _authority(separator) for separator in "^&"}


def _number(assembly: Assembly, order: Order, field: int) -> tuple[str, ...]:
    """Give the key of the placer (2) or filler (3) order number: that of OBR, else that of ORC (A15).

    Where both give the same number and one of them names no authority, the other one's holds.
    """
    request, common = order.request, order.common_order
    sent = request.fields[field] if request is not None and len(request.fields) > field else ""
    found = entity_key(assembly, sent) if sent and valued(sent) else ()
    other = common.fields[field] if common is not None and len(common.fields) > field else ""
    if other != sent and valued(other):
        key = entity_key(assembly, other)
        if not found or (key and key[2] == found[2] and not found[1] and key[1]):
            found = key
    return found


def code_key(text: str, environment: Environment) -> str:
    """OBR-4 -> what identifies an ordered service: code and system of the first triplet with a code, else the text."""
    parts = components(text, 6)
    if parts[0]:
        return f"{parts[0]}^{parts[2]}"
    return f"{parts[3]}^{parts[5]}" if parts[3] else parts[1]


def _of_message(assembly: Assembly, order: Order) -> tuple[str, ...]:
    segment = order.request or order.common_order
    if segment is None and order.observations:
        segment = order.observations[0].segment
    place = f"{segment.name}{segment.number}" if segment is not None else ""
    return ("message", assembly.sender_key, assembly.message.control_id, assembly.message.header[7], place)


def order_keys(assembly: Assembly, order: Order) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Give the keys of the report and of the ServiceRequest of an order, without the patient.

    Parameters
    ----------
    assembly : Assembly
        The message being converted.
    order : Order
        The segments of the order.

    Returns
    -------
    tuple of (tuple of str, tuple of str)
        The report by its filler order number, else by the placer order number; the request the other way round; both else by the
        place in this message.
    """
    code = assembly.environment.memo(code_key)[order.request[4]][0] if order.request is not None else ""
    placer, filler = _number(assembly, order, 2), _number(assembly, order, 3)
    by_placer = ("placer", *placer, code) if placer else ()
    by_filler = ("filler", *filler, code) if filler else ()
    if not by_placer and not by_filler:
        place = (*_of_message(assembly, order), code)
        return place, place
    return by_filler or by_placer, by_placer or by_filler


def specimen_key(assembly: Assembly, segment: Segment | None, report: tuple[str, ...]) -> tuple[str, ...]:
    """Give the key of a specimen, without the patient: its number (SPM-2) at the filler, else at the placer, else its place."""
    if segment is None:
        return ("request", *report)
    return pair_key(assembly, segment[2]) or ("report", *report, segment[1] or str(segment.number))


def pair_key(assembly: Assembly, text: str) -> tuple[str, ...]:
    """EIP -> key: the number of the filler, else that of the placer; empty when there is none."""
    parts = text.split("^")
    for index, name in ((1, "filler"), (0, "placer")):
        if len(parts) > index and valued(parts[index]):
            number = entity_key(assembly, parts[index], "&")
            if number:
                return (name, *number)
    return ()
