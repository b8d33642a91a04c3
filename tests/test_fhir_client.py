"""The client of FHIR servers: nothing is raised for what a server does, no token leaves its host, no secret is told."""

import asyncio
import ssl
import time
from email.utils import formatdate

import pytest
import trustme
from aiohttp import web
from helpers.fhir_servers import fhir, serving

from adapter.clients.endpoint import client_context
from adapter.clients.fhir_server import Answer, FhirServer, outcome_codes
from adapter.clients.oauth import BearerToken, ClientCredentials

BUNDLE = b'{"resourceType":"Bundle","type":"transaction","entry":[]}'


def ask(answering, *, times=1, **options):
    """Send transactions to a server; gives the answers."""

    async def run():
        async with serving(answering) as url:
            server = FhirServer(url, **{"timeout_seconds": 5, **{name: make(url) for name, make in options.items()}})
            try:
                return [await server.transaction(BUNDLE) for _ in range(times)]
            finally:
                await server.close()

    return asyncio.run(run())


async def fine(request, body):
    return fhir(200, {"resourceType": "Bundle"})


def test_a_transaction_is_posted_to_the_base_as_fhir_json():
    seen = []

    async def answering(request, body):
        seen.append((request.method, request.path, request.content_type, body))
        return fhir(200, {})

    (answer,) = ask(answering)
    assert (answer.status, answer.json()) == (200, {})
    assert seen == [("POST", "/fhir", "application/fhir+json", BUNDLE)]


def test_connections_are_kept():
    ports = set()

    async def answering(request, body):
        ports.add(request.transport.get_extra_info("peername")[1])
        return fhir(200, {})

    ask(answering, times=5)
    assert len(ports) == 1


def test_nobody_listens():
    async def run():
        return await FhirServer("http://127.0.0.1:9", timeout_seconds=5).transaction(BUNDLE)

    answer = asyncio.run(run())
    assert (answer.status, answer.fault.startswith("no connection")) == (0, True)


def test_a_server_that_hangs_is_left_after_the_timeout():
    async def answering(request, body):
        await asyncio.sleep(30)

    (answer,) = ask(answering, timeout_seconds=lambda url: 0.2)
    assert answer.fault == "no answer within 0.2 s"


def test_a_server_that_drips_its_answer_is_left_after_the_timeout():
    async def answering(request, body):
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(100):
            await response.write(b" ")
            await asyncio.sleep(0.05)
        return response

    (answer,) = ask(answering, timeout_seconds=lambda url: 0.3)
    assert answer.fault == "no answer within 0.3 s"


def test_a_connection_that_breaks_in_the_middle_of_the_answer_is_no_answer():
    async def answering(request, body):
        response = web.StreamResponse(headers={"Content-Length": "1000"})
        await response.prepare(request)
        await response.write(b'{"resourceType":')
        request.transport.abort()
        return response

    (answer,) = ask(answering)
    assert (answer.status, answer.fault) == (0, "the connection broke")


def test_redirects_are_not_followed():
    paths = []

    async def answering(request, body):
        paths.append(request.path)
        return web.Response(status=307, headers={"Location": "http://127.0.0.1:9/elsewhere"})

    (answer,) = ask(answering, credentials=lambda url: BearerToken(lambda: "secret"))
    assert (answer.status, paths) == (307, ["/fhir"])


@pytest.mark.parametrize(("text", "seconds"), [("7", 7), ("", 0), ("soon", 0), ("-1", 0), ("99999999999999", 999999999)])
def test_retry_after_in_seconds(text, seconds):
    assert Answer(503, {"retry-after": text}).retry_after() == seconds


def test_retry_after_as_a_date():
    now = time.time()
    answer = Answer(503, {"retry-after": formatdate(now + 90, usegmt=True)})
    assert 88 <= answer.retry_after(now) <= 90
    assert answer.retry_after(now + 1000) == 0


# -- what may be logged ------------------------------------------------------------------------------------------------


def test_of_an_operation_outcome_codes_and_expressions_are_told_and_no_text():
    body = {
        "resourceType": "OperationOutcome",
        "issue": [
            {"code": "invalid", "expression": ["Bundle.entry[3].resource.status"], "diagnostics": "TEST PATIENT is wrong"},
            {"code": "required", "details": {"text": "born 1946"}},
            {"code": "duplicate", "expression": ["Patient.name.where(family='TEST')"]},
            {"code": "TEST^PATIENT"},
            "nonsense",
        ],
    }
    assert outcome_codes(body) == "invalid at Bundle.entry[3].resource.status; required; duplicate; unknown"


@pytest.mark.parametrize("body", [None, [], "x", {"resourceType": "Bundle"}, {"resourceType": "OperationOutcome", "issue": 1}])
def test_what_is_no_operation_outcome_says_nothing(body):
    assert outcome_codes(body) == ""


# -- tokens ------------------------------------------------------------------------------------------------------------


def test_a_bearer_token_is_read_again_when_the_server_refuses_it():
    tokens = ["old", "new"]
    seen = []

    async def answering(request, body):
        seen.append(request.headers["Authorization"])
        return web.Response(status=200 if seen[-1] == "Bearer new" else 401)

    (answer,) = ask(answering, credentials=lambda url: BearerToken(lambda: tokens.pop(0) if len(tokens) > 1 else tokens[0]))
    assert (answer.status, seen) == (200, ["Bearer old", "Bearer new"])


def test_a_bearer_token_that_did_not_change_is_not_tried_twice():
    seen = []

    async def answering(request, body):
        seen.append(request.headers["Authorization"])
        return web.Response(status=401)

    (answer,) = ask(answering, credentials=lambda url: BearerToken(lambda: "same"))
    assert (answer.status, len(seen)) == (401, 1)


class Tokens:
    """A server with a token endpoint."""

    def __init__(self, lifetime=3600, status=200, refuse=()):
        self.lifetime, self.status, self.refuse = lifetime, status, refuse
        self.asked = []
        self.used = []

    async def __call__(self, request, body):
        if request.path.endswith("/token"):
            self.asked.append((request.headers["Authorization"], body))
            answer = {"access_token": f"t{len(self.asked)}", "token_type": "Bearer", "expires_in": self.lifetime}
            content = answer if self.status == 200 else {"error": "invalid_client", "error_description": "secret"}
            return web.json_response(content, status=self.status)
        self.used.append(request.headers.get("Authorization"))
        return web.Response(status=401 if self.used[-1] in self.refuse else 200)

    def credentials(self, **options):
        return lambda url: ClientCredentials(f"{url}/token", "me", lambda: "s3cret", "system/*.write", **options)


def test_client_credentials_are_sent_once_and_the_token_is_kept():
    tokens = Tokens()
    answers = ask(tokens, times=3, credentials=tokens.credentials())
    assert [answer.status for answer in answers] == [200, 200, 200]
    assert tokens.used == ["Bearer t1"] * 3
    assert tokens.asked == [("Basic bWU6czNjcmV0", b"grant_type=client_credentials&scope=system%2F%2A.write")]


def test_a_token_is_renewed_before_it_ends():
    clock = iter(range(0, 1000, 20))
    tokens = Tokens(lifetime=60)
    ask(tokens, times=4, credentials=tokens.credentials(clock=lambda: next(clock)))
    assert len(tokens.asked) > 1


def test_after_401_the_token_is_renewed_once_and_the_request_sent_again():
    tokens = Tokens(refuse=["Bearer t1"])
    (answer,) = ask(tokens, credentials=tokens.credentials())
    assert (answer.status, tokens.used) == (200, ["Bearer t1", "Bearer t2"])


def test_a_server_that_refuses_every_token_is_not_asked_for_ever():
    tokens = Tokens(refuse=["Bearer t1", "Bearer t2", "Bearer t3"])
    (answer,) = ask(tokens, credentials=tokens.credentials())
    assert (answer.status, len(tokens.used)) == (401, 2)


def test_parallel_requests_ask_for_one_token():
    tokens = Tokens()

    async def run():
        async with serving(tokens) as url:
            server = FhirServer(url, credentials=tokens.credentials()(url))
            await asyncio.gather(*(server.transaction(BUNDLE) for _ in range(6)))
            await server.close()

    asyncio.run(run())
    assert len(tokens.asked) == 1


def test_a_refused_client_is_a_fault_that_tells_no_secret():
    tokens = Tokens(status=401)
    (answer,) = ask(tokens, credentials=tokens.credentials())
    assert (answer.status, answer.fault) == (0, "no token: the token endpoint answered 401 invalid_client")


def test_a_token_endpoint_without_tls_beyond_this_machine_is_refused():
    with pytest.raises(ValueError, match="https"):
        ClientCredentials("http://auth.example.org/token", "me", lambda: "s3cret")


def test_a_token_file_that_is_gone_is_a_fault():
    def read():
        raise FileNotFoundError(2, "No such file")

    (answer,) = ask(fine, credentials=lambda url: BearerToken(read))
    assert answer.fault.startswith("no token: the file of the token cannot be read")


# -- TLS ---------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


def server_context(authority, *, ask_client=False):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    if ask_client:
        authority.configure_trust(context)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def files_of(authority, folder):
    certificate = authority.issue_cert("client.test")
    authority.cert_pem.write_to_path(folder / "ca.pem")
    certificate.cert_chain_pems[0].write_to_path(folder / "client.pem")
    certificate.private_key_pem.write_to_path(folder / "client.key")
    return [folder / name for name in ("ca.pem", "client.pem", "client.key")]


def talk(authority, context, *, ask_client=False):
    async def run():
        async with serving(fine, server_context(authority, ask_client=ask_client)) as url:
            server = FhirServer(url, tls=context, timeout_seconds=5)
            try:
                return await server.transaction(BUNDLE)
            finally:
                await server.close()

    return asyncio.run(run())


def test_a_server_of_an_own_authority_is_trusted(authority, tmp_path):
    ca, _, _ = files_of(authority, tmp_path)
    assert talk(authority, client_context(ca, None, None)).status == 200


def test_a_server_of_another_authority_is_not_trusted(authority, tmp_path):
    ca, _, _ = files_of(trustme.CA(), tmp_path)
    assert talk(authority, client_context(ca, None, None)).fault.startswith("TLS fault")


def test_a_server_that_wants_a_client_certificate_gets_ours(authority, tmp_path):
    assert talk(authority, client_context(*files_of(authority, tmp_path)), ask_client=True).status == 200


def test_without_a_client_certificate_such_a_server_does_not_let_us_in(authority, tmp_path):
    ca, _, _ = files_of(authority, tmp_path)
    assert talk(authority, client_context(ca, None, None), ask_client=True).status == 0
