"""What a running service shows to others holds no patient data, and what it keeps is closed to other users of the machine."""

import http.client
import json
import os
import re
import stat

import pytest
from helpers.services import Service, command, message

# what the messages say of the patient; a number is told by its digits
PATIENT = ("PATIENT", "T0001", "19600101", "1960-01-01", "4711.25", "CONFIDENTIAL-REMARK")
BAD = [
    message("B1").replace(b"PID|1||T0001", b"PID|1||\x00T0001"),
    message("B2").replace(b"|19600101|", b"|19600101-PATIENT|"),
    message("B3").replace(b"NM|1952-1", b"ED|T0001"),
    message("B4")[:-40],
    b"MSH|^~\\&|PATIENT\rPID|1||T0001\r",
    b"PID|1||T0001^PATIENT\r",
    message("B5").replace(b"ORU^R01^ORU_R01", b"ADT^A01^PATIENT"),
    message("B6", "CONFIDENTIAL-REMARK"),
    message("B7").replace(b"TESTLIS^2.999.1^ISO", b'LAB"\n}{'),
]


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    """Everything that a service showed while it took good and bad messages over all doors; and its folder."""
    folder = tmp_path_factory.mktemp("service")
    (folder / "in").mkdir()
    before = os.umask(0)
    try:
        service = Service(folder, "--log-level", "debug", "--watch", folder / "in")
    finally:
        os.umask(before)
    shown = {}
    try:
        good = [message(f"G{number}", f"4711.2{number}") for number in range(5, 8)]
        answers = [service.send(data) for data in (*good, *BAD)]
        for path in ("/convert", "/hl7", "/fhir/$process-message"):
            for data in BAD:
                answers += [_post(service, path, kind, data) for kind in ("text/plain", "application/fhir+json")]
        for number, data in enumerate((message("W1", "4711.25"), *BAD)):
            (folder / "in" / f"PATIENT-{number}.hl7").write_bytes(data)
        service.until(lambda: len(list((folder / "in").glob("*.hl7"))) == 0)
        service.delivered(len(list((folder / "out").glob("*.json"))) or 4)
        shown["metrics"] = service.get("/metrics")
        shown["spool list"] = command("spool", "list", "--json", "--spool", folder / "spool").stdout
        shown["answers"] = "\n".join(answers)
        modes = _modes(folder / "spool") + _modes(folder / "out")
    finally:
        status = service.stop()
    assert status == 0
    shown["log"] = service.log.read_text()
    return shown, folder, modes


def _post(service, path, kind, data):
    connection = http.client.HTTPConnection("127.0.0.1", service.http, timeout=10)
    connection.request("POST", path, data, {"content-type": kind})
    answer = connection.getresponse()
    text = answer.read().decode("latin-1")
    connection.close()
    # a conversion that went well is the patient's data, for who sent them
    return "" if answer.status == 200 else text


def _modes(folder):
    return [(path, stat.S_IMODE(path.lstat().st_mode)) for path in (folder, *folder.rglob("*"))]


@pytest.mark.parametrize("where", ["log", "metrics", "spool list", "answers"])
def test_nothing_of_a_patient_is_shown(seen, where):
    text = seen[0][where]
    if where == "answers":
        # MSH-3 is told back to who wrote it
        text = text.replace("|PATIENT|", "||").replace("PATIENT\r", "")
    if where in ("log", "spool list", "metrics"):
        # the sender is told by MSH-3
        text = text.replace('"sender":"PATIENT', "").replace('"sender": "PATIENT', "").replace('sender="PATIENT', "")
    assert text
    assert [word for word in PATIENT if word in text] == []


def test_no_log_line_holds_a_key_that_is_made_of_a_patient(seen):
    shown, folder, _ = seen
    outputs = "".join(path.read_text() for path in (folder / "out").glob("*.json"))
    keys = set(re.findall(r"[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", outputs))
    assert len(keys) > 5
    assert [key for key in keys if key in shown["log"] + shown["metrics"] + shown["spool list"]] == []


def test_a_sender_cannot_write_lines_of_the_log(seen):
    lines = seen[0]["log"].splitlines()
    assert lines
    assert all(json.loads(line)["event"] for line in lines)


def test_a_sender_cannot_write_lines_of_the_metrics(seen):
    for line in seen[0]["metrics"].splitlines():
        assert re.fullmatch(r'# .*|b2m_adapter_\w+(\{(\w+="(\\.|[^"\\])*",?)*\})? \S+', line), line


def test_nobody_else_can_read_what_is_kept_whatever_the_umask(seen):
    _, _, modes = seen
    assert len(modes) > 10
    assert [(str(path), oct(mode)) for path, mode in modes if mode & 0o077] == []
