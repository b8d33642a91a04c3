"""`b2m-adapter serve` as an operator meets it: starts, receives, delivers, reloads, stops; says clearly why it does not start."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
MESSAGE = (
    "MSH|^~\\&|TESTLIS^2.999.1^ISO|TEST LABORATORY^2.999.2^ISO|RECEIVER|TEST|20260113102030+0000||ORU^R01^ORU_R01|{id}|P|2.5.1\r"
    "PID|1||T0001^^^TEST&2.999.3&ISO^MR||PATIENT^TEST||19600101|F\r"
    "OBR|1|P1^TESTEHR^2.999.4^ISO|F1^TESTLIS^2.999.1^ISO|{code}|||20260113080000+0000|||||||||||||||20260113101500+0000||LAB|F\r"
    "OBX|1|NM|{code}||{value}|mg/L|0.8-2.2||||F|||20260113080000+0000\r"
    "SPM|1|||119364003^Serum^SCT\r"
)


def message(control_id="M1", value="1.90", code="1952-1^B2M^LN"):
    return MESSAGE.format(id=control_id, value=value, code=code).encode()


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class Running:
    def __init__(self, folder, *flags):
        self.folder, self.mllp, self.http = folder, free_port(), free_port()
        self.log = folder / "log"
        command = [sys.executable, "-m", "adapter.cli", "serve", "--spool", folder / "spool", "--to-folder", folder / "out"]
        command += ["--mllp", str(self.mllp), "--http", str(self.http), *flags]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen([str(part) for part in command], stderr=log, cwd=ROOT)
        self.until(lambda: self.events("engine-started") and self.events("started") and self.get("/ready"))

    def until(self, holds, seconds=30):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            with contextlib.suppress(OSError):
                found = holds()
                if found:
                    return found
            assert self.process.poll() is None, self.log.read_text()
            time.sleep(0.02)
        raise AssertionError(self.log.read_text())

    def events(self, name):
        rows = (json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{"))
        return [row for row in rows if row["event"] == name]

    def send(self, data):
        with socket.create_connection(("127.0.0.1", self.mllp), timeout=20) as connection:
            connection.sendall(b"\x0b" + data + b"\x1c\r")
            answer = b""
            while not answer.endswith(b"\x1c\r"):
                more = connection.recv(65536)
                assert more, "closed without an answer"
                answer += more
        return answer.decode()

    def get(self, path):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.http}{path}", timeout=10) as answer:
            return answer.read().decode()

    def delivered(self, count):
        def whole():
            files = sorted((self.folder / "out").glob("*.json"))
            return files if len(files) == count else None

        return [json.loads(path.read_text(), parse_float=str) for path in self.until(whole)]

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)


@pytest.fixture
def serve(tmp_path):
    running = []

    def start(*flags):
        running.append(Running(tmp_path, *flags))
        return running[-1]

    yield start
    for one in running:
        if one.process.poll() is None:
            one.process.kill()
            one.process.wait()


def observation(bundle):
    return next(entry["resource"] for entry in bundle["entry"] if entry["resource"]["resourceType"] == "Observation")


def test_a_result_comes_in_over_mllp_and_goes_out_as_a_file(serve):
    service = serve()
    assert "MSA|AA|M1\r" in service.send(message())
    (bundle,) = service.delivered(1)
    assert observation(bundle)["valueQuantity"]["value"] == "1.90"


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


def test_a_resend_is_acknowledged_and_not_delivered_again(serve):
    service = serve()
    service.send(message("M1"))
    assert "MSA|AA|M1\r" in service.send(message("M1"))
    service.send(message("M2", "2.00"))
    assert len(service.delivered(2)) == 2


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
    end = time.monotonic() + 20
    while Path(f"/proc/{engine['pid']}").exists() and time.monotonic() < end:
        time.sleep(0.05)
    assert not Path(f"/proc/{engine['pid']}").exists()


def test_metrics_count_what_came_and_went(serve):
    service = serve()
    service.send(message())
    service.delivered(1)
    service.until(lambda: 'b2m_adapter_delivered_total{destination="folder",result="delivered"} 1.0' in service.get("/metrics"))
    assert 'b2m_adapter_received_total{door="mllp",kind="new"} 1.0' in service.get("/metrics")
    assert "b2m_adapter_queue_depth" in service.get("/metrics")


def test_no_log_line_holds_patient_data(serve):
    service = serve("--log-level", "debug")
    service.send(message())
    service.delivered(1)
    service.stop()
    assert "PATIENT" not in service.log.read_text()
    assert "T0001" not in service.log.read_text()


def run(*arguments, timeout=60):
    command = [sys.executable, "-m", "adapter.cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=timeout)


def test_a_second_service_on_the_same_spool_does_not_start(serve, tmp_path):
    serve()
    other = run("serve", "--spool", tmp_path / "spool", "--to-stdout", "--mllp", free_port(), "--http", "off")
    assert other.returncode == 3
    assert "another service works on the spool" in other.stderr


def test_a_taken_port_is_named(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refused = run("serve", "--spool", tmp_path / "spool", "--to-stdout", "--mllp", port, "--http", "off")
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
    refused = run("serve", "--spool", tmp_path / "spool", *flags)
    assert refused.returncode == 2
    assert said in refused.stderr
    assert not (tmp_path / "spool").exists()
