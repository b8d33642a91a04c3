"""OBR-26, OBR-29, OBR-54, ORC-8 -> which results and orders of the message belong to a parent in the same message (A23).

A child order names its parent order by number (OBR-29, OBR-54, ORC-8) and the parent's result by code and sub-id (OBR-26). The
parent Observation has the results of the child order as members. Exactly one result must fit; a parent outside the message is
known by its numbers only, which stand on the child's ServiceRequest and report.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from adapter.convert.assembly import Assembly
from adapter.convert.datatypes.text import components
from adapter.convert.order_context import OrderContext
from adapter.convert.service_request import order_with
from adapter.hl7v2.grouping import Order
from adapter.hl7v2.message import valued

#: Number, namespace and universal id of an order.
Number = tuple[str, str, str]


def link_parents(assembly: Assembly, contexts: Sequence[OrderContext]) -> None:
    """Link the orders and results of one patient to their parents in the message.

    Parameters
    ----------
    assembly : Assembly
        The message being converted.
    contexts : sequence of OrderContext
        The orders of the patient, all built.
    """
    for context in contexts:
        request = context.order.request
        if context.service_request is not None and "basedOn" in context.service_request:
            _refer(assembly, context.service_request)
        if request is None or not valued(request[26]):
            continue
        parents = [one for one in contexts if one is not context]
        numbers = list(_parent_numbers(context.order))
        if numbers:
            parents = [one for one in parents if _has_number(one.order, numbers)]
        _link(request[26], parents, context)


def _refer(assembly: Assembly, service_request: dict[str, Any]) -> None:
    """Refer to parent orders that stand behind their children in the message."""
    for parent in service_request["basedOn"]:
        url = "" if "reference" in parent else order_with(assembly, parent.get("identifier", {}))
        if url:
            parent["reference"] = url


def _link(parent_result: str, parents: Sequence[OrderContext], child: OrderContext) -> None:
    """Make the child's results members of the one parent result (PRL: code, sub-id, value)."""
    parts = parent_result.partition("~")[0].split("^")
    code = components(parts[0], 3, "&")
    sub_id = parts[1] if len(parts) > 1 and valued(parts[1]) else ""
    found = []
    for parent in parents:
        for _, observation, segment in parent.observations:
            sent = components(segment[3], 3)
            same_system = not code[2] or not sent[2] or code[2] == sent[2]
            if code[0] and code[0] == sent[0] and same_system and (not sub_id or sub_id == segment[4]):
                found.append(observation)
    if len(found) == 1 and child.observations:
        there = found[0].get("hasMember", [])
        found[0]["hasMember"] = there + [reference for reference, _, _ in child.observations]


def _parent_numbers(order: Order) -> Iterator[Number]:
    """Give the parent's order numbers, placer and filler (EIP)."""
    for segment, field in ((order.request, 29), (order.request, 54), (order.common_order, 8)):
        if segment is not None and valued(segment[field]):
            for part in segment[field].split("~"):
                for entity in part.split("^")[:2]:
                    if valued(entity):
                        yield _number(entity, "&")


def _number(text: str, separator: str) -> Number:
    number, namespace, universal = components(text, 3, separator)[:3]
    return number, namespace, universal


def _has_number(order: Order, numbers: Sequence[Number]) -> bool:
    """Tell whether an order has one of the numbers; an authority that only one side names does not part them."""
    for segment in (order.request, order.common_order):
        if segment is None:
            continue
        for field in (2, 3):
            own = _number(segment[field], "^") if valued(segment[field]) else ("", "", "")
            for number in numbers:
                alike = all(not one or not other or one == other for one, other in zip(own[1:], number[1:], strict=True))
                if own[0] and own[0] == number[0] and alike:
                    return True
    return False
