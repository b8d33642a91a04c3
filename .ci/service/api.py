"""schemathesis against the description of a running service: every operation, every check, a fixed seed, bounded time.

api.py TOOLS [SECONDS]    the folder that `install` prints
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

from running import Service, exchange, result

SECONDS = 60
HERE = Path(__file__).resolve().parent
CONFIG = HERE / "schemathesis.toml"
TOKEN = "schemathesis-token-0123456789"


def main(tools: Path, seconds: int) -> int:
    """Run it with a token, so that missing and wrong ones are tried, too; tell what it counted, all it said where it failed."""
    with Service(token=TOKEN) as service:
        command: list[object] = [tools / "python" / "bin" / "schemathesis", "--config-file", CONFIG, "run"]
        command += [service.url + "/openapi.json", "--header", f"Authorization: Bearer {TOKEN}", "--no-color"]
        command += ["--seed", 1, "--generation-deterministic", "--suppress-health-check", "filter_too_much"]
        command += ["--max-time", seconds, "--continue-on-failure", "--request-timeout", 20]
        hooks = {**os.environ, "SCHEMATHESIS_HOOKS": "serializers", "PYTHONPATH": str(HERE)}
        done = subprocess.run(
            [str(part) for part in command],
            cwd=service.folder,
            env=hooks,
            timeout=seconds + 120,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        counted = re.search(r"^ +(\d+ generated, .+)$", done.stdout, re.M)
        tested = re.search(r"^ +Tested: (\d+)$", done.stdout, re.M)
        if done.returncode or counted is None or tested is None or counted[1].startswith("0 ") or tested[1] == "0":
            print(done.stdout)
            print(f"schemathesis ended with status {done.returncode}; cases: {counted and counted[1]}")
            return 1
        assert b"MSA|AA|AFTER" in exchange(service.mllp, result("AFTER"))
        assert not service.faults(), json.dumps(service.faults()[:5], indent=1)
    print(f"schemathesis: {tested[1]} operations; cases: {counted[1]}")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).resolve(), int(sys.argv[2]) if len(sys.argv) > 2 else SECONDS))
