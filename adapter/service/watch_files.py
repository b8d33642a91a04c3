"""One file of a watched folder: its messages, what of it is refused, and where it goes in the end.

A message is refused for the reasons for which the MLLP door refuses it. The others of the file are taken all the same, and each
refused one becomes a file of its own. A file of which nothing was taken goes to `rejected` itself. What moves never overwrites:
a number is added to its name.
"""

from __future__ import annotations

import errno
import gzip
import os
import shutil
import zlib
from collections.abc import Callable, Collection, Generator, Iterable
from io import BufferedReader
from pathlib import Path
from typing import Literal, NamedTuple, cast

import orjson

from adapter.fhir.admission import admit_fhir
from adapter.hl7v2.admission import admit
from adapter.hl7v2.framing import RawMessage
from adapter.intake import Intake
from adapter.issues import Issue
from adapter.service.settings import WatchSettings
from adapter.service.spool.intake import Arrival

SenderIds = Callable[[str, str], Collection[str]]
_BLOCK = 256 * 1024
#: Refused messages of one file that are described and become files of their own; the file itself holds them all.
MANY = 1000
_SUFFIXES = {"er7": ".hl7", "json": ".json", "unreadable": ".bin"}
_DAMAGED = (EOFError, zlib.error, gzip.BadGzipFile)


class Refused(NamedTuple):
    """One message that is not taken.

    Parameters
    ----------
    place : int
        Which message of the file, from 1.
    raw : RawMessage
        Its bytes; a further block of the same message has `continued`.
    issue : Issue
        Why.
    """

    place: int
    raw: RawMessage
    issue: Issue


#: What is found in a file.
Found = Arrival | Refused | Issue


def open_regular(path: Path) -> BufferedReader:
    """Open a file without following a link or waiting for the other end of a pipe.

    Raises
    ------
    OSError
        It cannot be opened.
    """
    return os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb")


def messages(
    file: BufferedReader, name: str, settings: WatchSettings, sender_ids: SenderIds | None = None
) -> Generator[Found, None, None]:
    """Read the messages of a file in order, with bounded memory.

    Parameters
    ----------
    file : binary file
        At its beginning.
    name : str
        Its name; what ends with `.gz` is unpacked.
    settings : WatchSettings
        Of the folder.
    sender_ids : callable, optional
        As `hl7v2.admission.admit` takes it.

    Yields
    ------
    Arrival, Refused or Issue
        What is taken, what is not, and what is wrong with a batch. Of a packed file that is damaged the last one is `Refused`
        (`file-damaged`).

    Raises
    ------
    OSError
        The file cannot be read any further.
    """
    # read1: of a packed file that breaks off it gives what is there before it raises
    read = (gzip.GzipFile(fileobj=file) if name.endswith(".gz") else file).read1
    intake = Intake(limit=settings.message_size)
    place = 0
    ended = damaged = False
    while not ended:
        try:
            block = read(_BLOCK)
        except _DAMAGED:
            block, damaged = b"", True
        ended = not block
        for raw in intake.finish() if ended else intake.feed(block):
            place += not raw.continued
            # what stands before the break may be the first half of a message
            yield Refused(place, raw, Issue("file-damaged")) if damaged else _admitted(place, raw, name, settings, sender_ids)
    yield from intake.issues
    if damaged:
        yield Refused(place + 1, RawMessage("unreadable", b"", 0), Issue("file-damaged"))


def _admitted(place: int, raw: RawMessage, name: str, settings: WatchSettings, sender_ids: SenderIds | None) -> Arrival | Refused:
    issue: Issue | None
    if raw.format == "er7":
        admission = admit(
            raw.data, processing_ids=settings.processing_ids, unsupported=settings.unsupported, sender_ids=sender_ids
        )
        sender, control_id, patient, issue = admission.sender, admission.control_id, admission.patient, admission.issue
    elif raw.format == "json":
        sender, control_id, patient, issue = admit_fhir(raw.data)
    else:
        return Refused(place, raw, Issue(raw.slug))
    if issue is not None:
        return Refused(place, raw, issue)
    form = cast("Literal['er7', 'json']", raw.format)
    return Arrival(raw.data, form, settings.name, name, sender, control_id, patient)


def keep_refused(found: Iterable[Found], name: str, folder: Path) -> None:
    """Write refused messages as files of their own, as they came, the reason beside each.

    Parameters
    ----------
    found : iterable of Arrival, Refused or Issue
        The messages of a file.
    name : str
        Name of the file.
    folder : Path
        Where to.

    Raises
    ------
    OSError
        The folder cannot be written.
    """
    kept = 0
    path = folder
    for message in found:
        if not isinstance(message, Refused) or not message.raw.data:
            continue
        if message.raw.continued:
            with path.open("ab") as file:
                file.write(message.raw.data)
            continue
        if kept == MANY:
            return
        kept += 1
        path = _claim(folder, f"{name}.{message.place:06d}{_SUFFIXES[message.raw.format]}")
        path.write_bytes(message.raw.data)
        write_reason(path, {"file": name, **_reason(message)})


def reasons(refused: Iterable[Refused]) -> list[dict[str, object]]:
    """Say why messages were refused, without patient data."""
    return [_reason(message) for message in refused]


def _reason(message: Refused) -> dict[str, object]:
    slug, place, detail, *_ = message.issue
    return {
        "message": message.place,
        "offset": message.raw.offset,
        "slug": slug,
        "place": place,
        "detail": detail,
        "action": message.issue.kind.action,
    }


def write_reason(path: Path, reason: dict[str, object]) -> None:
    """Write a reason beside a file: `NAME.reason.json`, readable by its owner only."""
    beside = path.with_name(path.name + ".reason.json")
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(orjson.dumps(reason, option=orjson.OPT_INDENT_2) + b"\n")


def move(path: Path, folder: Path) -> Path:
    """Move a file into a folder under its own name, or that with a number.

    Parameters
    ----------
    path : Path
        The file.
    folder : Path
        Made with mode 0700 if it is not there; may be on another file system.

    Returns
    -------
    Path
        Where it is now.

    Raises
    ------
    OSError
        It stays where it was.
    """
    target = _claim(folder, path.name)
    try:
        path.rename(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            target.unlink()
            raise
        with path.open("rb") as source, target.open("wb") as copy:
            shutil.copyfileobj(source, copy)
            copy.flush()
            os.fsync(copy.fileno())
        path.unlink()
    return target


def _claim(folder: Path, name: str) -> Path:
    """Make an empty file of a name that is free: what is there already is never overwritten."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    stem, dot, suffix = name.partition(".")
    number = 0
    while True:
        path = folder / (f"{stem}.{number}{dot}{suffix}" if number else name)
        try:
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        except FileExistsError:
            number += 1
        else:
            return path
