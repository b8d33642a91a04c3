"""Writes a report as HL7 v2, with the habits of its sender (segments and fields by HL7 v2.5.1 chapters 2, 3, 4 and 7)."""

from __future__ import annotations

from random import Random

from adapter.replay.generate.courses import Measurement
from adapter.replay.generate.faults import LINE_ENDS, Draft, FaultPlan, Segments, spoil, spoil_text
from adapter.replay.generate.habits import Sender
from adapter.replay.generate.report import Report

_CANONICAL = "|^~\\&"
_ESCAPES = str.maketrans({"|": "\\F\\", "^": "\\S\\", "~": "\\R\\", "\\": "\\E\\", "&": "\\T\\"})
_FLAG_NAMES = {"H": "High", "L": "Low", "N": "Normal"}


def write_v2(report: Report, plan: FaultPlan | None, random: Random) -> tuple[bytes, tuple[str, ...]]:
    """Write a report.

    Parameters
    ----------
    report : Report
        What to say.
    plan : FaultPlan or None
        What to spoil.
    random : Random
        Source of chance, for faults only.

    Returns
    -------
    tuple of (bytes, tuple of str)
        The message, and the names of the faults in it.
    """
    sender = report.patient.sender
    draft = Draft(_segments(report), LINE_ENDS[sender.line_end], sender.codec)
    if plan is None:
        return _bytes(draft, sender), ()
    chosen = plan.choose("er7", random)
    made = {fault.name for fault in chosen if spoil(draft, fault)}
    data = _bytes(draft, sender)
    for fault in chosen:
        spoilt = spoil_text(data, fault, random)
        if spoilt != data:
            data = spoilt
            made.add(fault.name)
    return data, tuple(fault.name for fault in chosen if fault.name in made)


def _bytes(draft: Draft, sender: Sender) -> bytes:
    """Join the segments; the delimiters become those of the sender."""
    lines = []
    for segment in draft.segments:
        if segment[0] == "MSH":
            rest = "|".join(segment[3:])
            if sender.delimiters[:5] != _CANONICAL:
                rest = rest.translate(str.maketrans(_CANONICAL, sender.delimiters))
            lines.append(f"MSH{sender.delimiters}{sender.delimiters[0]}{rest}")
        elif sender.delimiters[:5] != _CANONICAL:
            lines.append("|".join(segment).translate(str.maketrans(_CANONICAL, sender.delimiters)))
        else:
            lines.append("|".join(segment))
    lines.append("")
    text = draft.line_end.join(lines)
    return text.encode(draft.codec, "replace")


def _segments(report: Report) -> Segments:
    sender, patient = report.patient.sender, report.patient
    collected, issued = _time(report, collected=True), _time(report)
    segments = [
        _msh(report, issued),
        ["PID", "1", "", _patient_number(report), "", f"PATIENT-{patient.number:04}^TEST", "", patient.birth_date, patient.sex],
    ]
    if sender.visit_segment:
        segments.append(["PV1", "1", "O", "TESTWARD"])
    for number, (order, results) in enumerate(report.orders, 1):
        placer, filler = order_numbers(report, number)
        if sender.order_segment:
            segments.append(["ORC", "RE", placer, filler])
        segments.append(_obr(report, number, order, placer, filler, collected, issued))
        segments += [_obx(report, place, result, status, collected) for place, (result, status) in enumerate(results, 1)]
        if number == 1 and sender.remark and report.visit % 5 == 0:
            segments.append(["NTE", "1", "L", sender.remark.translate(_ESCAPES)])
        if sender.specimen_in == "SPM":
            segments.append(_spm(report, number, results[0][0], collected))
    return segments


def order_numbers(report: Report, number: int) -> tuple[str, str]:
    """Give placer and filler order number; the same for every message of a visit, so that corrections meet their results.

    Parameters
    ----------
    report : Report
        The report.
    number : int
        Number of the order in the message, from 1.

    Returns
    -------
    tuple of (str, str)
        Without assigning authority.
    """
    core = f"{report.patient.number:04}-{report.visit:02}-{number}"
    return f"P{core}", f"F{core}"


def _time(report: Report, *, collected: bool = False) -> str:
    when = report.collected if collected else report.issued
    return when.strftime(report.patient.sender.time_format)


def _msh(report: Report, issued: str) -> list[str]:
    sender = report.patient.sender
    receiver = ["TESTEHR", "TEST HOSPITAL"]
    fields = ["MSH", "|", "", sender.application, sender.facility, *receiver, issued, "", sender.message_type]
    fields += [report.control_id, "P", sender.version]
    return fields + ["", "", "", "", "", sender.charset] if sender.charset else fields


def _patient_number(report: Report) -> str:
    sender, number = report.patient.sender, report.patient.identifier
    if sender.version < "2.3":
        return number
    return f"{number}^^^TESTHOSPITAL&2.999.2&ISO^MR"


def _obr(report: Report, number: int, order: str, placer: str, filler: str, collected: str, issued: str) -> list[str]:
    sender = report.patient.sender
    fields = ["OBR", str(number), placer, filler, order, "", "", collected, *[""] * 17, _order_status(report, number)]
    fields[22] = issued
    if sender.version >= "2.2":
        fields[24] = "LAB"
    if sender.specimen_in == "OBR-15":
        code, text, _ = report.orders[number - 1][1][0][0].test.specimen.split("^")
        # SPS.1 is a code of table 0070, in v2.3 still a CM of code and text
        fields[15] = f"{code}&{text}&HL70070"
    return fields


def _order_status(report: Report, number: int) -> str:
    """OBR-25: corrected where a result is, cancelled where all results are."""
    statuses = {status for _, status in report.orders[number - 1][1]}
    return next((status for status in ("C", "P", "F") if status in statuses), "X")


def _obx(report: Report, place: int, result: Measurement, status: str, collected: str) -> list[str]:
    sender, test = report.patient.sender, result.test
    value_type, value = "NM", result.value
    if result.comparator:
        value_type = sender.compared_as
        value = f"{result.comparator}^{value}" if value_type == "SN" else result.comparator + value
    fields = [
        "OBX",
        str(place),
        value_type,
        test.code,
        "",
        value,
        test.unit,
        test.range.translate(_ESCAPES),
        _flag(sender, result),
    ]
    fields += ["", "", status]
    if sender.version >= "2.3":
        fields += ["", "", collected]
        if sender.laboratory:
            method = sender.method if place == 1 else ""
            fields += ["", "", method, *[""] * 5, sender.laboratory]
    return fields


def _flag(sender: Sender, result: Measurement) -> str:
    if "coded" in sender.flags:
        return f"{result.flag}^{_FLAG_NAMES[result.flag]}^HL70078^^^^2.7" if result.flag else ""
    return result.flag if result.flag in sender.flags else ""


def _spm(report: Report, number: int, result: Measurement, collected: str) -> list[str]:
    specimen = f"S{report.patient.number:04}-{report.visit:02}-{number}"
    return ["SPM", str(number), specimen, "", result.test.specimen, *[""] * 12, collected]
