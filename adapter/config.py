"""Settings of a conversion: one frozen object, made by the command line (or a service) and read by every room.

Plain dataclass on purpose: a settings model of pydantic would add 200 ms to every one-shot run.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

OutputForm = Literal["transaction", "message", "collection", "ndjson"]
Units = Literal["canonical", "as-sent"]
Validation = Literal["structure", "full", "off"]
ContextSwitch = Literal["change", "iss", "notes"]

OUTPUT_FORMS: tuple[OutputForm, ...] = ("transaction", "message", "collection", "ndjson")
UNITS: tuple[Units, ...] = ("canonical", "as-sent")
VALIDATIONS: tuple[Validation, ...] = ("structure", "full", "off")
CONTEXT_SWITCHES: tuple[ContextSwitch, ...] = ("change", "iss", "notes")

#: Largest message that is converted, in bytes; a larger one goes to the rejects.
MESSAGE_LIMIT = 64 * 2**20


@dataclass(frozen=True, slots=True)
class Settings:
    """How messages are converted.

    Parameters
    ----------
    to : {"transaction", "message", "collection", "ndjson"} or None
        Output form. None: v2 becomes a transaction Bundle, FHIR leaves in the shape it came.
    units : {"canonical", "as-sent"}
        Which of the two quantities stands in `value`; the other is in the extension.
    only : tuple of str
        Packs (folders of `mappings/`); a message without a result of one of them is not converted. Empty: all messages.
    timezone : str
        IANA zone for times without offset, for senders whose row names none. Empty: none.
    validate : {"structure", "full", "off"}
        How the output is checked before it leaves.
    check_v2 : bool
        Whether hl7apy checks the structure of incoming v2; see `adapter/hl7v2/structure_check.py`.
    attach_source : bool
        Whether the message as it came is part of its output (v2 only).
    limit : int
        Largest message, in bytes.
    mappings : tuple of Path
        Folders laid over the shipped tables, in order.
    context : tuple of {"change", "iss", "notes"}
        Judgements beyond the one result; see `adapter/enrich/context/`.
    """

    to: OutputForm | None = None
    units: Units = "canonical"
    only: tuple[str, ...] = ()
    timezone: str = ""
    validate: Validation = "structure"
    check_v2: bool = False
    attach_source: bool = False
    limit: int = MESSAGE_LIMIT
    mappings: tuple[Path, ...] = ()
    context: tuple[ContextSwitch, ...] = ()
