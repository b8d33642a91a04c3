"""Who may use the HTTP door, and what a stranger learns: nothing."""

import ssl

import aiohttp
import pytest
import trustme
from helpers.http_door import ER7, MESSAGE, running, settings_for

from adapter.service.http.authorization import AccessFault, Authorization
from adapter.service.http.operations import OPERATIONS
from adapter.service.settings import HttpSettings, TlsSettings

TOKEN = "a-token-for-tests-only"
BEARER = {"authorization": f"Bearer {TOKEN}"}
PATHS = [*(operation.path for operation in OPERATIONS if not operation.open), "/nothing"]


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    folder = tmp_path_factory.mktemp("door")
    (folder / "token").write_text(TOKEN + "\n")
    with running(settings_for(folder, token_file=folder / "token")) as door:
        yield door


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    authority, others = trustme.CA(), trustme.CA()
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(folder / "server.pem")
    authority.cert_pem.write_to_path(folder / "ca.pem")
    authority.issue_cert("client.example.org").private_key_and_cert_chain_pem.write_to_path(folder / "client.pem")
    others.issue_cert("client.example.org").private_key_and_cert_chain_pem.write_to_path(folder / "stranger.pem")
    return folder


@pytest.fixture(scope="module")
def tls_door(tmp_path_factory, certificates):
    server = certificates / "server.pem"
    tls = TlsSettings(certificate=server, key=server, client_ca=certificates / "ca.pem")
    with running(settings_for(tmp_path_factory.mktemp("door"), tls=tls)) as door:
        yield door


def context(certificates, certificate=""):
    made = ssl.create_default_context(cafile=str(certificates / "ca.pem"))
    if certificate:
        made.load_cert_chain(certificates / certificate)
    return made


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("header", ["", "Bearer", "Bearer wrong-token-of-some-length", f"Basic {TOKEN}", f"Bearer {TOKEN}x"])
def test_nothing_is_answered_without_the_token(guarded, path, header):
    reply = guarded.ask("GET", path, headers={"authorization": header} if header else {})
    assert (reply.status, reply.slug, reply.headers["www-authenticate"]) == (401, "not-authorized", "Bearer")


def test_a_message_without_the_token_is_not_converted(guarded):
    assert guarded.ask("POST", "/convert", MESSAGE, ER7).status == 401


def test_with_the_token_a_message_is_converted(guarded):
    assert guarded.ask("POST", "/convert", MESSAGE, {**ER7, **BEARER}).status == 200


def test_health_needs_no_token(guarded):
    assert guarded.ask("GET", "/health").status == 200


def test_a_new_token_is_in_force_after_a_reload(tmp_path):
    file = tmp_path / "token"
    file.write_text(TOKEN)
    with running(settings_for(tmp_path, token_file=file)) as door:
        file.write_text("another-token-for-tests")
        door.worker.reload()
        assert door.ask("GET", "/ready", headers=BEARER).status == 401
        assert door.ask("GET", "/ready", headers={"authorization": "Bearer another-token-for-tests"}).status == 200


def test_a_token_that_cannot_be_read_at_a_reload_leaves_the_old_one_in_force(tmp_path):
    file = tmp_path / "token"
    file.write_text(TOKEN)
    with running(settings_for(tmp_path, token_file=file)) as door:
        file.unlink()
        door.worker.reload()
        assert door.ask("GET", "/ready", headers=BEARER).status == 200
        assert door.ask("GET", "/ready").status == 401


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7", "lab.example.org"])
def test_the_door_does_not_open_beyond_loopback_unguarded(host):
    with pytest.raises(AccessFault, match="token_file"):
        Authorization(HttpSettings(host=host))


def test_it_opens_when_that_is_said():
    Authorization(HttpSettings(host="0.0.0.0", allow_open=True))


def test_it_opens_beyond_loopback_with_a_token_or_with_certificates_of_clients(certificates):
    Authorization(HttpSettings(host="0.0.0.0", token=TOKEN))
    server = certificates / "server.pem"
    Authorization(
        HttpSettings(host="0.0.0.0", tls=TlsSettings(certificate=server, key=server, client_ca=certificates / "ca.pem"))
    )


@pytest.mark.parametrize("token", ["", "short", "with a blank in the middle", "ünïcödé-token-of-some-length"])
def test_a_token_that_protects_nothing_is_refused(token):
    with pytest.raises(AccessFault):
        Authorization(HttpSettings(token=token))


def test_a_client_with_a_certificate_of_the_authority_is_served(tls_door, certificates):
    assert tls_door.ask("POST", "/convert", MESSAGE, ER7, ssl=context(certificates, "client.pem")).status == 200


@pytest.mark.parametrize("certificate", ["", "stranger.pem"])
def test_other_clients_do_not_get_past_the_handshake_and_the_door_stays_open(tls_door, certificates, certificate):
    with pytest.raises((OSError, aiohttp.ClientError)):
        tls_door.ask("GET", "/health", ssl=context(certificates, certificate))
    assert tls_door.ask("GET", "/health", ssl=context(certificates, "client.pem")).status == 200


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_old_tls_is_refused(tls_door, certificates):
    old = context(certificates, "client.pem")
    old.minimum_version = ssl.TLSVersion.TLSv1
    old.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises(OSError):
        tls_door.ask("GET", "/health", ssl=old)


def test_an_answer_says_neither_which_server_it_is_nor_may_it_be_kept(guarded):
    for path in ("/health", "/ready"):
        headers = guarded.ask("GET", path, headers=BEARER if path == "/ready" else {}).headers
        assert "server" not in headers
        assert (headers["cache-control"], headers["x-content-type-options"]) == ("no-store", "nosniff")
