"""By what a result is found again.

Its instance identifier (OBX-21), else patient, report, code, sub-id and its ordinal among the results of one code and sub-id in
the message (A41). Where several results differ by the ordinal only and one of them is a correction, nobody can say which one of
the earlier results it corrects: they are created anew for this message and reported (`identity-ambiguous`), never written over
another result. Conditional requests always use the identifier made from this key: OBX-21 may recur for another patient.
"""

from __future__ import annotations

from collections.abc import Sequence

from adapter.convert.assembly import Assembly, Policy
from adapter.convert.datatypes.text import components
from adapter.convert.environment import Environment, Memo
from adapter.fhir.identity import resource_uuid
from adapter.hl7v2.grouping import Result
from adapter.hl7v2.message import Segment, valued

#: Instance identifier of a result.
INSTANCE = 21
_CORRECTIONS = frozenset("CWD")
_NONE: frozenset[tuple[str, str]] = frozenset()


def code_key(text: str, environment: Environment) -> str:
    """OBX-3 -> what identifies the test: code and system of the first triplet that has a code, else the text."""
    parts = components(text, 6)
    if parts[0]:
        return f"{parts[0]}^{parts[2]}"
    if parts[3]:
        return f"{parts[3]}^{parts[5]}"
    return text.rstrip("^& ").lstrip()


def place_key(codes: Memo, fields: Sequence[str]) -> tuple[str, str]:
    """Give code and sub-id of a result."""
    return (codes[fields[3]][0], fields[4]) if len(fields) > 4 else ("", "")


def ambiguous_places(assembly: Assembly, results: Sequence[Result]) -> frozenset[tuple[str, str]]:
    """Find code and sub-id of results without OBX-21 that occur several times, one of them as a correction."""
    codes = assembly.environment.memo(code_key)
    everything = [result.segment.fields for result in results]
    corrected = {(codes[fields[3]][0], fields[4]) for fields in everything if len(fields) > 11 and fields[11][:1] in _CORRECTIONS}
    if not corrected:
        return _NONE
    occurrences = dict.fromkeys(corrected, 0)
    for fields in everything:
        where = place_key(codes, fields)
        if where in corrected and (len(fields) <= 21 or not valued(fields[21])):
            occurrences[where] += 1
    return frozenset([where for where, count in occurrences.items() if count > 1])


def odd_identity(
    assembly: Assembly, segment: Segment, policy: Policy, report: tuple[str, ...], where: tuple[str, str]
) -> tuple[str, Policy]:
    """Identify a result that has an instance identifier or an ambiguous place.

    Parameters
    ----------
    assembly : Assembly
        The message being converted.
    segment : Segment
        OBX.
    policy : {"absent", "update"}
        What its status asks of a transaction.
    report : tuple of str
        Patient and report: the key that results of the report begin with.
    where : tuple of (str, str)
        Code and sub-id.

    Returns
    -------
    tuple of (str, str)
        Its UUID, and what a transaction does with it.
    """
    named = valued(segment[INSTANCE])
    key: tuple[str, ...]
    if named:
        where = ("OBX-21", segment[INSTANCE])
        key = (assembly.patient_key,)
    else:
        assembly.report("identity-ambiguous", segment, 4)
        header = assembly.message.header
        key = (assembly.patient_key, "message", assembly.sender_key, header[10], header[7], *report[1:])
        policy = "absent"
    occurrences = assembly.occurrences.setdefault(key, {})
    ordinal = occurrences[where] = occurrences.get(where, 0) + 1
    if named and ordinal > 1:
        assembly.report("identity-ambiguous", segment, INSTANCE, detail="the instance identifier occurs twice")
    return resource_uuid("Observation", *key, *where, str(ordinal)), policy
