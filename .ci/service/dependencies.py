"""What can be said of the dependencies without the advisory services, and with them where they answer.

    dependencies.py TOOLS    the folder that `install` prints

Held: what is installed fits together (`pip check`), every requirement of `pyproject.toml` is installed within its range
and has a lower bound, none is a pre-release, and nothing is installed from an address or a folder but the project itself.
Known vulnerabilities are asked for by pip-audit; where no service answers that is said, and is no failure.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from importlib.metadata import distribution, distributions
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[2]
PROJECT = "b2m-fhir-adapter"


def wrong() -> list[str]:
    """What is wrong with the dependencies as installed."""
    found = []
    checked = subprocess.run([sys.executable, "-m", "pip", "check"], capture_output=True, text=True, check=False)
    found += checked.stdout.splitlines() if checked.returncode else []
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for text in (*project["dependencies"], *project["optional-dependencies"]["dev"]):
        requirement = Requirement(text)
        if requirement.marker is not None and not requirement.marker.evaluate():
            continue
        version = distribution(requirement.name).version
        if version not in requirement.specifier:
            found.append(f"{requirement.name} {version} is installed, {requirement.specifier} is asked for")
        if not requirement.specifier:
            found.append(f"{requirement.name} has no lower bound")
    for one in distributions():
        name, version = one.metadata["Name"], one.version
        if Version(version).is_prerelease:
            found.append(f"{name} {version} is a pre-release")
        origin = one.read_text("direct_url.json")
        if origin is not None and canonicalize_name(name) != PROJECT:
            found.append(f"{name} {version} was installed from {json.loads(origin)['url'].split(':')[0]}")
    return found


def vulnerabilities(tools: Path) -> tuple[str, list[str]]:
    """Ask the advisory services for what is installed; give what was asked, and what they know."""
    site = next(one for one in sys.path if one.endswith("site-packages"))
    for service in ("pypi", "osv"):
        command = [tools / "python" / "bin" / "pip-audit", "--path", site, "--format", "json", "--vulnerability-service", service]
        try:
            asked = subprocess.run(
                [str(part) for part in (*command, "--progress-spinner", "off", "--timeout", "10")],
                capture_output=True,
                text=True,
                timeout=120,
                check=False,
            )
            rows = json.loads(asked.stdout)["dependencies"]
        except (ValueError, KeyError, subprocess.TimeoutExpired):
            continue
        known = [row for row in rows if "vulns" in row]
        if len(known) < len(rows) // 2:
            # the index answers, but knows nothing of advisories
            continue
        told = [f"{row['name']} {row['version']}: {one['id']}" for row in known for one in row["vulns"]]
        return f"{len(known)} of {len(rows)} packages were looked up ({service})", told
    return "no advisory service can be reached: known vulnerabilities were NOT checked", []


def main(tools: Path) -> int:
    found = wrong()
    asked, told = vulnerabilities(tools)
    for line in (*found, *told):
        print(line)
    print(f"{len(list(distributions()))} packages: {len(found)} faults; {asked}, {len(told)} known vulnerabilities")
    return 1 if found or told else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).resolve()))
