"""Secrets of the settings: in no output, no command line and no environment."""

from pathlib import Path

import pytest
from helpers.services import Service, command, message

SECRET = "secret-of-the-tests-0123456789"
SETTINGS = f"""
[http]
token = "{SECRET}"
[[delivery]]
name = "server"
kind = "fhir-server"
url = "http://127.0.0.1:9/fhir"
token = "{SECRET}"
[[delivery]]
name = "other"
kind = "fhir-server"
url = "http://127.0.0.1:9/fhir"
[delivery.oauth]
token_url = "http://127.0.0.1:9/token"
client_id = "adapter"
client_secret = "{SECRET}"
"""


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "adapter.toml"
    path.write_text(SETTINGS)
    return path


def test_secrets_are_masked_where_settings_are_shown(config):
    shown = command("config", "show", "--config", config)
    assert shown.returncode == 0
    assert shown.stdout.count('"**********"') == 3
    assert SECRET not in shown.stdout


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        (f'token = "{SECRET}"\n[[', f'token = ["{SECRET}"]\n[['),
        (f'client_secret = "{SECRET}"', f'client_secret = {{ a = "{SECRET}" }}'),
        (f'token = "{SECRET}"\n[[', f'tokn = "{SECRET}"\n[['),
        (f'client_secret = "{SECRET}"', f'client_secret = "{SECRET}'),
    ],
)
def test_a_fault_of_a_secret_does_not_show_it(config, right, wrong):
    assert right in SETTINGS
    config.write_text(SETTINGS.replace(right, wrong))
    for word in ("check", "show"):
        refused = command("config", word, "--config", config)
        assert refused.returncode == 2
        assert SECRET not in refused.stdout + refused.stderr


def test_an_address_with_credentials_is_refused_without_showing_them(config):
    config.write_text(SETTINGS.replace("http://127.0.0.1:9/fhir", f"http://adapter:{SECRET}@127.0.0.1:9/fhir"))
    refused = command("config", "check", "--config", config)
    assert refused.returncode == 2
    assert "holds credentials" in refused.stderr
    assert SECRET not in refused.stdout + refused.stderr


def test_a_running_service_shows_no_secret(tmp_path):
    (tmp_path / "token").write_text(SECRET)
    (tmp_path / "token").chmod(0o600)
    (tmp_path / "adapter.toml").write_text(
        '[[delivery]]\nname = "server"\nkind = "fhir-server"\nurl = "http://127.0.0.1:9/fhir"\n'
        f'token_file = "{tmp_path / "token"}"\nretry_seconds = 0.05\n'
    )
    service = Service(tmp_path, "--log-level", "debug")
    try:
        service.send(message())
        service.delivered(1)
        pids = [service.process.pid, *_below(service.process.pid)]
        told = service.log.read_text() + service.get("/metrics") + service.get("/openapi.json") + service.get("/fhir/metadata")
        for pid in pids:
            told += Path(f"/proc/{pid}/cmdline").read_text() + Path(f"/proc/{pid}/environ").read_text()
    finally:
        service.stop()
    assert len(pids) >= 4
    assert SECRET not in told


def _below(pid):
    children = [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return children + [one for child in children for one in _below(child)]
