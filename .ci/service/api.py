"""schemathesis against the description of a running service: every operation, every check, a fixed seed, bounded time.

api.py TOOLS [SECONDS]    the folder that `install` prints
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from running import Service, exchange, result

SECONDS = 60
HERE = Path(__file__).resolve().parent
CONFIG = HERE / "schemathesis.toml"
TOKEN = "schemathesis-token-0123456789"


def main(tools: Path, seconds: int) -> int:
    """Run it with a token, so that missing and wrong ones are tried, too."""
    with Service(token=TOKEN) as service:
        command = [
            tools / "python" / "bin" / "schemathesis",
            "--config-file",
            CONFIG,
            "run",
            service.url + "/openapi.json",
            "--seed",
            "1",
        ]
        command += ["--max-time", str(seconds), "--continue-on-failure", "--request-timeout", "20"]
        command += [
            "--header",
            f"Authorization: Bearer {TOKEN}",
            "--no-color",
            "--generation-deterministic",
            "--suppress-health-check",
            "filter_too_much",
        ]
        hooks = {**os.environ, "SCHEMATHESIS_HOOKS": "serializers", "PYTHONPATH": str(HERE)}
        command = [str(part) for part in command]
        status = subprocess.run(command, cwd=service.folder, env=hooks, timeout=seconds + 120, check=False).returncode
        assert b"MSA|AA|AFTER" in exchange(service.mllp, result("AFTER"))
        assert not service.faults(), json.dumps(service.faults()[:5], indent=1)
    return status


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).resolve(), int(sys.argv[2]) if len(sys.argv) > 2 else SECONDS))
