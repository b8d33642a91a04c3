"""`b2m-adapter serve` as an operator meets it: starts, receives, delivers, reloads, stops; says clearly why it does not start."""

import json
import os
import re
import signal
import socket
import subprocess
import sys

import pytest
from helpers.services import ROOT, Service, command, message
from helpers.waiting import eventually, gone

from tools.ports import free_port


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    """A service for tests that do it no harm; each sends messages of its own."""
    found = Service(tmp_path_factory.mktemp("service"))
    yield found
    found.end()


@pytest.fixture
def serve(tmp_path):
    """Starts services in the folder of the test."""
    running = []

    def start(*flags):
        running.append(Service(tmp_path, *flags))
        return running[-1]

    yield start
    for one in running:
        one.end()


def observation(bundle):
    return next(entry["resource"] for entry in bundle["entry"] if entry["resource"]["resourceType"] == "Observation")


def test_a_result_comes_in_over_mllp_and_goes_out_as_a_file(service):
    sent = message("IN1", "1.90")
    assert "MSA|AA|IN1\r" in service.send(sent)
    (file,) = service.until(lambda: service.files(sent))
    assert observation(json.loads(file.read_text(), parse_float=str))["valueQuantity"]["value"] == "1.90"


def test_sigterm_ends_it_with_status_0(serve):
    service = serve()
    service.send(message())
    assert service.stop() == 0
    assert service.events("stopped")


def test_what_was_acknowledged_before_the_stop_is_delivered_after_the_next_start(serve):
    service = serve()
    for number in range(30):
        service.send(message(f"M{number}", f"{number}.50"))
    service.stop()
    assert len(serve().delivered(30)) == 30


def test_a_resend_is_acknowledged_and_not_delivered_again(service):
    first, after = message("RE1", "2.01"), message("RE2", "2.02")
    service.send(first)
    assert "MSA|AA|RE1\r" in service.send(first)
    # the messages of a patient leave in their order: a second output would be there before that of the next message
    service.send(after)
    service.until(lambda: service.files(after))
    assert len(service.files(first)) == 1


def test_an_acknowledgement_after_conversion_tells_what_is_wrong(serve):
    service = serve("--acknowledge", "converted")
    assert "MSA|AA|M1\r" in service.send(message())
    refused = service.send(
        message("M2").replace(b"20260113102030+0000", b"20260113102030+0000").replace(b"PID|1||", b"PID|1||\x00")
    )
    assert "MSA|A" in refused
    assert "MSA|AA" not in refused
    assert "ERR|" in refused


def test_a_dropped_file_is_taken(serve, tmp_path):
    (tmp_path / "in").mkdir()
    service = serve("--watch", tmp_path / "in")
    (tmp_path / "in" / "result.hl7").write_bytes(message())
    service.delivered(1)
    service.until(lambda: (tmp_path / "in" / "done" / "result.hl7").exists())


def test_changed_tables_are_used_after_sighup_and_faulty_ones_are_not(serve, tmp_path):
    site = tmp_path / "site"
    (site / "b2m").mkdir(parents=True)
    codes = site / "b2m" / "codes.csv"
    source = (ROOT / "mappings" / "b2m" / "codes.csv").read_text().splitlines()
    codes.write_text(source[0] + "\n")
    service = serve("--mappings", site)
    service.send(message("M1", "1.10", "XYZ^Test^99TEST"))
    assert "1952-1" not in json.dumps(observation(service.delivered(1)[0]))

    codes.write_text(source[0] + "\nbroken\n")
    service.process.send_signal(signal.SIGHUP)
    service.until(lambda: service.events("tables-refused"))
    service.send(message("M2", "1.20", "XYZ^Test^99TEST"))
    service.delivered(2)

    names = source[0].split(",")
    row = dict.fromkeys(names, "")
    row.update(id="test-xyz", code="XYZ", loinc="1952-1", source="test")
    if "system" in row:
        row["system"] = "99TEST"
    codes.write_text(source[0] + "\n" + ",".join(row[name] for name in names) + "\n")
    service.process.send_signal(signal.SIGHUP)
    service.until(lambda: [one for one in service.events("tables-reloaded") if one.get("result") == "changed"])
    service.until(lambda: [one for one in service.events("tables-reloaded") if one.get("changed") and one["process"] == "engine"])
    service.send(message("M3", "1.30", "XYZ^Test^99TEST"))
    assert "1952-1" in json.dumps(observation(service.delivered(3)[2]))


def test_an_engine_that_dies_is_started_again(serve):
    service = serve()
    (first,) = service.events("engine-started")
    os.kill(first["pid"], signal.SIGKILL)
    service.send(message())
    service.delivered(1)
    assert len(service.events("engine-started")) == 2


def test_processes_end_when_their_supervisor_is_killed(serve):
    service = serve()
    (engine,) = service.events("engine-started")
    service.process.kill()
    service.process.wait()
    eventually(lambda: gone(engine["pid"]))


def count(service, series):
    """Value of a series of the metrics; 0 before it is there."""
    found = re.search(rf"^{re.escape(series)} (\S+)$", service.get("/metrics"), re.M)
    return float(found[1]) if found else 0.0


def test_metrics_count_what_came_and_went(service):
    came, went = (
        'b2m_adapter_received_total{door="mllp",kind="new"}',
        'b2m_adapter_delivered_total{destination="folder",result="delivered"}',
    )
    # what earlier tests sent is all delivered
    service.until(lambda: count(service, came) == count(service, went))
    before = count(service, came)
    service.send(message("COUNT1", "2.03"))
    service.until(lambda: count(service, went) == before + 1)
    assert count(service, came) == before + 1
    assert "b2m_adapter_queue_depth" in service.get("/metrics")


#: `serve` that waits for the end of a service before it for a moment only
HASTY = "from adapter.service import supervisor; supervisor.LOCK_SECONDS = 0.3; from adapter.cli import main; main()"


def test_a_second_service_on_the_same_spool_does_not_start(service):
    words = [sys.executable, "-c", HASTY, "serve", "--spool", service.folder / "spool", "--to-stdout", "--http", "off"]
    other = subprocess.run(
        [str(word) for word in (*words, "--mllp", free_port())], capture_output=True, text=True, cwd=ROOT, timeout=60, check=False
    )
    assert other.returncode == 3
    assert "another service works on the spool" in other.stderr


def test_a_taken_port_is_named(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refused = command("serve", "--spool", tmp_path / "spool", "--to-stdout", "--mllp", port, "--http", "off")
    assert refused.returncode == 3
    assert "in use" in refused.stderr


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ((), "delivery: nothing takes the output"),
        (("--to-server", "ftp://x"), "does not begin with http://"),
        (("--to-stdout", "--http", "0.0.0.0:1"), "nothing guards the door"),
        (("--to-stdout", "--timezone", "Mars/Olympus"), "is no IANA zone"),
        (("--to-stdout", "--mllp", "here"), "is not HOST:PORT"),
        (("--to-stdout", "--config", "nowhere.toml"), "nowhere.toml is no file"),
        (("--to-stdout", "--mllp", "off", "--http", "off"), "no door is open"),
    ],
)
def test_settings_with_faults_start_nothing(tmp_path, flags, said):
    refused = command("serve", "--spool", tmp_path / "spool", *flags)
    assert refused.returncode == 2
    assert said in refused.stderr
    assert not (tmp_path / "spool").exists()
