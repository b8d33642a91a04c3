"""`b2m-adapter serve` as processes of its own, and the command line beside it."""

import contextlib
import json
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from hashlib import sha256
from pathlib import Path

from tools.ports import free_port

ROOT = Path(__file__).resolve().parents[2]
MESSAGE = (
    "MSH|^~\\&|TESTLIS^2.999.1^ISO|TEST LABORATORY^2.999.2^ISO|RECEIVER|TEST|20260113102030+0000||ORU^R01^ORU_R01|{id}|P|2.5.1\r"
    "PID|1||T0001^^^TEST&2.999.3&ISO^MR||PATIENT^TEST||19600101|F\r"
    "OBR|1|P1^TESTEHR^2.999.4^ISO|F1^TESTLIS^2.999.1^ISO|{code}|||20260113080000+0000|||||||||||||||20260113101500+0000||LAB|F\r"
    "OBX|1|NM|{code}||{value}|mg/L|0.8-2.2||||F|||20260113080000+0000\r"
    "SPM|1|||119364003^Serum^SCT\r"
)


def message(control_id="M1", value="1.90", code="1952-1^B2M^LN"):
    return MESSAGE.format(id=control_id, value=value, code=code).encode()


def command(*arguments):
    """Run the command line as a process of its own, from the top folder."""
    words = [sys.executable, "-m", "adapter.cli", *map(str, arguments)]
    return subprocess.run(words, capture_output=True, text=True, cwd=ROOT, timeout=60, check=False)


class Service:
    """A service on ports of its own, with its spool in `spool` and its outputs in `out` of a folder; it runs when it is made."""

    def __init__(self, folder, *flags):
        self.folder, self.mllp, self.http = folder, free_port(), free_port()
        self.log = folder / "log"
        command = [sys.executable, "-m", "adapter.cli", "serve", "--spool", folder / "spool", "--to-folder", folder / "out"]
        command += ["--mllp", str(self.mllp), "--http", str(self.http), *flags]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen([str(part) for part in command], stderr=log, cwd=ROOT)
        try:
            self.until(lambda: self.events("engine-started") and self.events("started") and self.get("/ready"))
        except BaseException:
            self.end()
            raise

    def until(self, holds, seconds=60):
        """Wait for something to be so; the time is for machines that do other things, too."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            with contextlib.suppress(OSError):
                if found := holds():
                    return found
            assert self.process.poll() is None, self.log.read_text()
            time.sleep(0.02)
        raise AssertionError(self.log.read_text())

    def events(self, name):
        """Lines of the log that are about one event."""
        whole = self.log.read_text().rpartition("\n")[0]
        rows = (json.loads(line) for line in whole.splitlines() if line.startswith("{"))
        return [row for row in rows if row["event"] == name]

    def send(self, data):
        """Send a message over MLLP and give the answer."""
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
        """Wait until so many outputs are there, and give them."""

        def whole():
            files = self.files()
            return files if len(files) == count else None

        return [json.loads(path.read_text(), parse_float=str) for path in self.until(whole)]

    def files(self, data=b""):
        """Outputs that are there now, of any message or of this one; their names hold the digest of the message."""
        pattern = f"*{sha256(data).hexdigest()[:16]}*.json" if data else "*.json"
        return sorted((self.folder / "out").glob(pattern))

    def stop(self):
        """Ask it to stop; gives its status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)

    def end(self):
        """End it where it still runs."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
