"""What one message of the stream says, before and after it is written."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from adapter.replay.generate.courses import Measurement, Patient


@dataclass(frozen=True, slots=True)
class Report:
    """What one message says.

    Parameters
    ----------
    patient : Patient
        Whom it is about.
    visit : int
        Number of the patient's visit, from 1; the order numbers are made of it.
    status : {"P", "F", "C", "X"}
        Status of the report, HL7 table 0123.
    collected, issued : datetime
        Time of collection and of the report, in the sender's zone.
    control_id : str
        MSH-10; unique in the stream but for resends.
    orders : list of (str, list of (Measurement, str))
        Order code (OBR-4) and its results, each with its own status (table 0085).
    """

    patient: Patient
    visit: int
    status: str
    collected: datetime
    issued: datetime
    control_id: str
    orders: list[tuple[str, list[tuple[Measurement, str]]]]


@dataclass(frozen=True, slots=True)
class Generated:
    """One message and what is known of it.

    Parameters
    ----------
    number : int
        Number in the stream, from 1.
    data : bytes
        The message.
    form : {"er7", "fhir"}
        What it is.
    report : Report
        What it says.
    kind : {"preliminary", "final", "corrected", "cancelled", "resend"}
        Why it was sent.
    faults : tuple of str
        Names of what was spoiled in it.
    """

    number: int
    data: bytes
    form: str
    report: Report
    kind: str
    faults: tuple[str, ...] = ()

    @property
    def label(self) -> dict[str, Any]:
        """What a test wants to know, for NDJSON."""
        report = self.report
        return {
            "message": self.number,
            "form": self.form,
            "sender": report.patient.sender.id,
            "control_id": report.control_id,
            "patient": report.patient.identifier,
            "course": report.patient.course.name,
            "visit": report.visit,
            "kind": self.kind,
            "faults": list(self.faults),
            "results": [
                {"quantity": result.test.quantity, "value": result.comparator + result.value, "unit": result.test.unit}
                for _, results in report.orders
                for result, _ in results
            ],
        }
