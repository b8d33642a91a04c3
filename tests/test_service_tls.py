"""TLS of the MLLP door: who gets in, who does not, and that the door lives on."""

import asyncio
import ssl
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest
import trustme
from mllp_bench import Client, Memory, a_client, a_door, code_and_id, framed, oru

from adapter.service.settings import TlsSettings
from adapter.service.tls import server_context


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@pytest.fixture(scope="module")
def files(authority, tmp_path_factory):
    """Certificate and key of the door, and its authority for clients."""
    folder = tmp_path_factory.mktemp("tls")
    return issued(authority, folder)


def issued(authority, folder, **more):
    leaf = authority.issue_cert("localhost", "127.0.0.1", **more)
    leaf.private_key_pem.write_to_path(folder / "key.pem")
    for pem in leaf.cert_chain_pems:
        pem.write_to_path(folder / "certificate.pem", append=True)
    authority.cert_pem.write_to_path(folder / "ca.pem")
    return {"certificate": folder / "certificate.pem", "key": folder / "key.pem"}


def client_tls(authority=None):
    context = ssl.create_default_context()
    if authority is not None:
        authority.configure_trust(context)
    return context


@asynccontextmanager
async def tls_client(door, context):
    async with a_client(door, ssl=context, server_hostname="localhost") as client:
        yield client


async def refused(door, context):
    """Whether a client does not get an answer."""
    try:
        async with tls_client(door, context) as client:
            await client.send(framed(oru("x")))
            return await client.at_end() == b""
    except (ssl.SSLError, ConnectionError, asyncio.IncompleteReadError):
        return True


def test_a_client_that_trusts_the_authority_is_answered(authority, files):
    async def run():
        async with a_door(tls=TlsSettings(**files)) as door, tls_client(door, client_tls(authority)) as client:
            assert code_and_id(await client.ask(oru("1"))) == ("AA", "1")
            assert client.writer.get_extra_info("ssl_object").version() == "TLSv1.3"
            assert client.writer.get_extra_info("ssl_object").compression() is None

    asyncio.run(run())


def test_tls_1_2_is_spoken(authority, files):
    async def run():
        context = client_tls(authority)
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        async with a_door(tls=TlsSettings(**files)) as door, tls_client(door, context) as client:
            assert code_and_id(await client.ask(oru("1"))) == ("AA", "1")

    asyncio.run(run())


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_tls_1_1_is_refused_and_the_door_lives_on(authority, files):
    async def run():
        old = client_tls(authority)
        old.minimum_version = ssl.TLSVersion.TLSv1
        old.maximum_version = ssl.TLSVersion.TLSv1_1
        old.set_ciphers("ALL:@SECLEVEL=0")
        async with a_door(tls=TlsSettings(**files)) as door:
            assert await refused(door, old)
            async with tls_client(door, client_tls(authority)) as client:
                assert code_and_id(await client.ask(oru("1"))) == ("AA", "1")

    asyncio.run(run())


def test_a_plain_client_on_a_tls_port_is_dropped_and_the_door_lives_on(authority, files):
    async def run():
        put = Memory()
        async with a_door(put, tls=TlsSettings(**files)) as door:
            async with a_client(door) as plain:
                await plain.send(framed(oru("1")))
                assert b"MSA" not in await plain.at_end()
            async with tls_client(door, client_tls(authority)) as client:
                assert code_and_id(await client.ask(oru("2"))) == ("AA", "2")
        assert [arrival.control_id for arrival in put.arrivals] == ["2"]

    asyncio.run(run())


def test_a_client_that_does_not_trust_the_authority_sends_nothing(files):
    async def run():
        put = Memory()
        async with a_door(put, tls=TlsSettings(**files)) as door:
            assert await refused(door, client_tls(trustme.CA()))
        assert not put.arrivals

    asyncio.run(run())


class TestMutual:
    """A certificate of the clients' authority is needed."""

    @pytest.fixture
    def mutual(self, files):
        return TlsSettings(**files, client_ca=files["key"].parent / "ca.pem")

    def context(self, authority, leaf=None):
        context = client_tls(authority)
        if leaf is not None:
            leaf.configure_cert(context)
        return context

    def test_the_right_certificate_gets_in(self, authority, mutual):
        async def run():
            context = self.context(authority, authority.issue_cert("client.test"))
            async with a_door(tls=mutual) as door, tls_client(door, context) as client:
                assert code_and_id(await client.ask(oru("1"))) == ("AA", "1")

        asyncio.run(run())

    @pytest.mark.parametrize("kind", ["none", "wrong", "expired"])
    @pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
    def test_no_other_does_and_the_door_lives_on(self, authority, mutual, kind, version):
        async def run():
            leaf = {
                "none": lambda: None,
                "wrong": lambda: trustme.CA().issue_cert("client.test"),
                "expired": lambda: authority.issue_cert("client.test", not_after=datetime(2020, 1, 1, tzinfo=UTC)),
            }[kind]()
            context = self.context(authority, leaf)
            context.maximum_version = version
            put = Memory()
            async with a_door(put, tls=mutual) as door:
                assert await refused(door, context)
                assert not put.arrivals
                good = self.context(authority, authority.issue_cert("client.test"))
                async with tls_client(door, good) as client:
                    assert code_and_id(await client.ask(oru("1"))) == ("AA", "1")

        asyncio.run(run())


def test_stopping_answers_over_tls(authority, files):
    async def run():
        async with a_door(tls=TlsSettings(**files)) as door, tls_client(door, client_tls(authority)) as client:
            await client.ask(oru("0"))
            client.writer.write(framed(oru("1")))
            assert code_and_id(await client.answer()) == ("AA", "1")
            await door.stop(1)
            assert await client.at_end() == b""

    asyncio.run(run())


def test_a_handshake_that_never_ends_keeps_no_one_out(authority, files):
    async def run():
        async with a_door(tls=TlsSettings(**files)) as door:
            reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
            await Client(reader, writer).send(b"\x16\x03\x01\x02\x00")
            async with tls_client(door, client_tls(authority)) as client:
                assert code_and_id(await client.ask(oru("1"))) == ("AA", "1")
            writer.close()

    asyncio.run(run())


def test_without_certificate_there_is_no_tls():
    assert server_context(TlsSettings()) is None


def test_a_key_with_a_password_is_an_error_and_asks_nobody(authority, tmp_path):
    from cryptography.hazmat.primitives import serialization

    files = issued(authority, tmp_path)
    key = serialization.load_pem_private_key(files["key"].read_bytes(), None)
    encrypted = serialization.BestAvailableEncryption(b"secret")
    files["key"].write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encrypted))
    with pytest.raises(OSError):
        server_context(TlsSettings(**files))
