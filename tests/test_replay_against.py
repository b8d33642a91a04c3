"""`replay --against`: the comparison through a running service, over HTTP and MLLP, and what it can and cannot tell."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from helpers.commands import Run, run
from helpers.services import Service

from adapter.config import Settings
from adapter.fhir.json import dumps
from adapter.hl7v2.framing import RawMessage
from adapter.issues import CATALOGUE, Issue
from adapter.replay.against import convert_url, issues_of
from adapter.replay.compared import CannotReplay
from adapter.service.http.outcomes import outcome_text

MESSAGE = (
    "MSH|^~\\&|TESTLIS|TEST LABORATORY|||20260615103000||ORU^R01|{number}|{mode}|2.5.1|||||UNICODE UTF-8\r"
    "PID|1||T{number}^^^TEST&2.999.3&ISO^MR||TEST^PATIENT\rOBR|1||F{number}|1^Panel^L|||20260614083000\r"
    "OBX|1|NM|1952-1^B2M^LN||{value}|mg/L|0.8-2.2|||||F|||20260614\rSPM|1|||SER^^HL70487\r"
)


class Running(NamedTuple):
    """Addresses of the doors of a service, and where its outputs are."""

    mllp: str
    http: str
    out: Path


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    started = Service(tmp_path_factory.mktemp("service"))
    yield Running(f"127.0.0.1:{started.mllp}", f"http://127.0.0.1:{started.http}", started.folder / "out")
    started.end()


@pytest.fixture
def folder(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """Three accepted messages that no other test sends."""
    path = tmp_path / "messages"
    path.mkdir()
    for number in range(3):
        name = f"{abs(hash(request.node.name)) % 10**8}-{number}"
        (path / f"{number}.hl7").write_text(MESSAGE.format(number=name, mode="P", value=f"1.{number}0"))
    assert run("replay", "--update", path).status == 0
    return path


def replay(*arguments: str | Path) -> Run:
    return run("replay", *arguments)


def said(result: Run) -> str:
    return b"\n".join(result.lines).decode() + result.stderr


def test_over_http_outputs_and_issues_are_compared(service: Running, folder: Path):
    (folder / "none.hl7").write_text("PID|1\r")
    (folder / "adt.hl7").write_text("MSH|^~\\&|TESTLIS||||20260615||ADT^A01|A1|P|2.5.1\rPID|1||T1^^^TEST\r")
    (folder / "fhir.json").write_text(json.dumps({"resourceType": "Observation", "status": "final", "code": {"text": "B2M"}}))
    assert run("replay", "--update", folder).status == 0
    result = replay(folder, "--against", service.http, "--connections", "3")
    assert (result.status, result.lines[-1]) == (0, b"6 messages: 6 as accepted")


def test_what_was_accepted_with_a_setting_is_asked_of_the_service_with_it(service: Running, folder: Path):
    assert replay("--update", folder, "--timezone", "Europe/Berlin", "--to", "collection").status == 0
    assert replay(folder, "--against", service.http).status == 0


def test_a_setting_that_cannot_be_asked_for_is_said(service: Running, folder: Path):
    result = replay(folder, "--against", service.http, "--context", "notes")
    assert "The service cannot be asked for context notes: it uses its own." in said(result)


def test_a_setting_that_was_changed_is_the_cause_over_http_too(service: Running, folder: Path):
    result = replay(folder, "--against", service.http, "--timezone", "Europe/Berlin")
    assert result.status == 1
    assert result.lines[0] == b"3 messages: setting timezone: none -> Europe/Berlin"


def test_over_mllp_outputs_are_read_back_from_the_folder(service: Running, folder: Path):
    result = replay(folder, "--against", service.mllp, "--results", service.out)
    assert (result.status, result.lines[-1]) == (0, b"3 messages: 3 as accepted")
    assert "3 times AA, 3 outputs read back" in said(result)
    assert "Issues are not compared" in said(result)


def test_what_the_service_alone_does_differently_is_the_service(service: Running, folder: Path):
    assert replay("--update", folder, "--units", "as-sent", "--timezone", "Europe/Berlin").status == 0
    result = replay(folder, "--against", service.mllp, "--results", service.out)
    assert result.status == 1
    assert result.lines[0].startswith(f"3 messages: the service at {service.mllp}: it gives another output".encode())


def test_results_of_an_earlier_run_are_told(service: Running, folder: Path):
    assert replay(folder, "--against", service.mllp, "--results", service.out).status == 0
    result = replay(folder, "--against", service.mllp, "--results", service.out)
    assert result.status == 0
    assert "Some outputs lay in the folder before the run" in said(result)


def test_without_results_a_refusal_is_compared_with_the_accepted_fate(service: Running, folder: Path):
    (folder / "t.hl7").write_text(MESSAGE.format(number="T1", mode="T", value="1.00"))
    assert replay("--update", folder).status == 0
    result = replay(folder, "--against", service.mllp)
    assert result.status == 1
    assert "Outputs and issues are not compared" in said(result)
    assert result.lines[-1] == b"4 messages: 3 as accepted, 1 different"
    assert b'    + "rejected"' in result.lines
    assert b"  issue service-refused AR" in result.lines
    assert not any(line.startswith(b"  Patient") for line in result.lines)


def test_an_output_that_does_not_come_is_a_difference(
    service: Running, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("adapter.replay.against.SETTLE_MILLISECONDS", 200)
    result = replay(folder, "--against", service.mllp, "--results", tmp_path / "elsewhere")
    assert result.status == 1
    assert b"  issue service-output-missing elsewhere" in result.lines


def test_latencies_are_in_every_report(service: Running, folder: Path, tmp_path: Path):
    files = [tmp_path / name for name in ("r.json", "r.xml", "r.html")]
    result = replay(folder, "--against", service.http, "--json", files[0], "--junit", files[1], "--html", files[2])
    (line,) = [line for line in result.lines if line.startswith(b"answered after (ms): p50 ")]
    assert all(name in line for name in (b"p90 ", b"p99 ", b"max "))
    against = json.loads(files[0].read_text())["against"]
    assert list(against["latencies"]) == ["p50", "p90", "p99", "max"]
    assert against["answers"] == {"200": 3}
    assert len(against["tables"]) == 64
    assert 'name="latency p99 ms"' in files[1].read_text()
    assert '"latencies":[["p50","' in files[2].read_text()


def test_a_rate_is_kept(service: Running, folder: Path):
    started = time.monotonic()
    assert replay(folder, "--against", service.http, "--rate", "10").status == 0
    assert time.monotonic() - started >= 0.2


def test_fhir_does_not_go_over_mllp(service: Running, folder: Path):
    (folder / "a.json").write_text('{"resourceType":"Observation","status":"final","code":{"text":"B2M"}}')
    result = replay(folder, "--against", service.mllp)
    assert result.status == 2
    assert "MLLP does not carry" in result.stderr


@pytest.mark.parametrize("endpoint", ["127.0.0.1:1", "http://127.0.0.1:1"])
def test_no_service_is_no_pass(endpoint: str, folder: Path):
    result = replay(folder, "--against", endpoint)
    assert result.status == 2
    assert "connection-refused; does the service run there?" in result.stderr


def test_an_address_without_conversion_is_said(service: Running, folder: Path):
    assert replay(folder, "--against", service.http + "/fhir").status == 2


@pytest.mark.parametrize(
    "arguments",
    [["--update"], ["--results", "."]],
    ids=["outputs of a service are not accepted", "over http the outputs come with the answers"],
)
def test_options_that_do_not_go_together(arguments: list[str], folder: Path):
    assert replay(folder, "--against", "http://127.0.0.1:1", *arguments).status == 2


def test_options_of_sending_need_a_service(folder: Path):
    assert replay(folder, "--rate", "5").status == 2


def test_the_address_asks_for_the_settings_of_the_accepted_outputs():
    settings = Settings(to="ndjson", timezone="Europe/Berlin", validate="off")
    wanted = "http://localhost/convert?to=ndjson&units=canonical&timezone=Europe%2FBerlin&issues=true"
    assert convert_url("http://localhost", settings) == wanted
    assert convert_url("http://localhost/convert", settings) == wanted
    with pytest.raises(CannotReplay):
        convert_url("http://localhost/fhir/Observation", settings)


@pytest.mark.parametrize("slug", sorted(CATALOGUE))
def test_issues_are_read_from_an_answer_with_their_places(slug: str):
    told = [Issue(slug), Issue(slug, "OBX[1]-5"), Issue(slug, "OBX[1]-3.1", "sent N, computed H."), Issue(slug, "", "two words")]
    read = issues_of(outcome_text(told), RawMessage("er7", b"", 0))
    assert [(one.slug, one.place) for one in read] == [(one.slug, one.place) for one in told]


def test_the_place_of_what_is_no_message_is_that_in_the_file():
    (read,) = issues_of(outcome_text([Issue("no-msh", "byte 0")]), RawMessage("unreadable", b"", 77))
    assert read.place == "byte 77"


def test_an_answer_that_says_nothing_was_noticed_has_no_issues():
    assert issues_of(outcome_text([]), RawMessage("er7", b"", 0)) == []


def test_what_is_no_outcome_is_not_taken_for_one():
    with pytest.raises(KeyError):
        issues_of(dumps({"resourceType": "Patient"}), RawMessage("er7", b"", 0))
