"""Sending: every message gets its own answer, whatever the server does; patients stay in order."""

import asyncio
import ssl
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import islice

import pytest
import trustme

from adapter.clients.answer import Answer, Tally, acknowledgement_of, answers_to, judged
from adapter.clients.endpoint import Endpoint, client_context, endpoint_of
from adapter.clients.mllp import ConnectionBroken, MllpClient, Waiting
from adapter.clients.sending import SendOptions, send_messages
from adapter.hl7v2.framing import RawMessage
from adapter.hl7v2.header import header_of
from adapter.hl7v2.mllp import FrameReader
from adapter.replay.generate.stream import generate
from tools.ports import free_port

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def message(control_id: str, patient: str = "T1") -> bytes:
    return f"MSH|^~\\&|TESTLIS|TEST|||20260113||ORU^R01|{control_id}|P|2.5.1\rPID|1||{patient}\rOBR|1\rOBX|1|NM|1||1\r".encode()


def raws(*control_ids: str) -> list[RawMessage]:
    return [RawMessage("er7", message(one), 0) for one in control_ids]


def ack(code: str, control_id: str) -> bytes:
    return f"MSH|^~\\&|||||20260113||ACK|A|P|2.5.1\rMSA|{code}|{control_id}\r".encode()


def framed(data: bytes) -> bytes:
    return b"\x0b" + data + b"\x1c\r"


def serving(answer: Callable[[str, asyncio.StreamWriter], Awaitable[None]]) -> Handler:
    """A server that calls `answer` with the control id of each message."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        frames = FrameReader(2**20)
        try:
            while data := await reader.read(2**16):
                for frame in frames.feed(data):
                    await answer(header_of(frame.data).control_id, writer)
        except ConnectionError:
            pass
        finally:
            writer.close()

    return handle


async def accept(control_id: str, writer: asyncio.StreamWriter) -> None:
    writer.write(framed(ack("AA", control_id)))


@asynccontextmanager
async def listening(handler: Handler, tls: ssl.SSLContext | None = None):
    server = await asyncio.start_server(handler, "127.0.0.1", 0, ssl=tls)
    try:
        yield Endpoint("mllp", "127.0.0.1", server.sockets[0].getsockname()[1], tls is not None, "")
    finally:
        server.close()


def sent(handler: Handler, messages: list[RawMessage], **options: object) -> list[Answer]:
    async def run() -> list[Answer]:
        async with listening(handler) as endpoint:
            made = SendOptions(**{"timeout_milliseconds": 2000, **options})
            return [answer async for answer in send_messages(endpoint, messages, made)]

    return asyncio.run(run())


def told(answers: list[Answer]) -> list[tuple[str, str, str, str]]:
    return [(one.control_id, one.fate, one.code, one.fault) for one in sorted(answers, key=lambda one: one.number)]


# -- acknowledgements ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", ["AA", "AE", "AR", "CA", "CE", "CR"])
def test_msa_is_read(code):
    assert acknowledgement_of(ack(code, "M1")) == (code, "M1")


def test_msa_is_read_with_other_delimiters_and_line_ends():
    assert acknowledgement_of(b"MSH#^~\\&####20260113##ACK#A#P#2.3\nMSA#AA#M1#fine\n") == ("AA", "M1")


@pytest.mark.parametrize("body", [b"", b"OK", b"MSH|^~\\&|||||||ACK|1|P|2.5\r", b"MSH|^~\\&|||||||ACK|1|P|2.5\rMSA|XX|M1\r"])
def test_what_is_no_acknowledgement_has_no_code(body):
    assert acknowledgement_of(body).code == ""


@pytest.mark.parametrize(("code", "fate"), [("AA", "accepted"), ("CA", "accepted"), ("AE", "refused"), ("CR", "refused")])
def test_only_aa_and_ca_accept(code, fate):
    assert judged(1, "M1", ack(code, "M1"), 1).fate == fate


def test_an_acknowledgement_of_another_message_accepts_nothing():
    answer = judged(1, "M1", ack("AA", "M2"), 1)
    assert (answer.fate, answer.fault) == ("refused", "wrong-control-id")


def test_a_long_control_id_may_be_cut_in_the_answer():
    assert answers_to("x" * 199, "x" * 250)
    assert not answers_to("x" * 20, "x" * 250)


def test_a_message_without_control_id_takes_any_answer():
    assert answers_to("whatever", "")


def test_answers_find_their_messages_in_any_order():
    waiting: Waiting[int] = Waiting()
    waiting.expect("M1", 1)
    waiting.expect("M2", 2)
    assert [waiting.answered(ack("AA", one)) for one in ("M2", "M1")] == [2, 1]


def test_a_second_answer_is_counted_and_goes_to_nobody():
    waiting: Waiting[int] = Waiting()
    waiting.expect("M1", 1)
    waiting.answered(ack("CA", "M1"))
    waiting.expect("M2", 2)
    assert waiting.answered(ack("AE", "M1")) is None
    assert waiting.answered(ack("AA", "M2")) == 2
    assert waiting.further == Counter({"AE": 1})


def test_the_same_control_id_twice_is_answered_twice():
    waiting: Waiting[int] = Waiting()
    waiting.expect("M1", 1)
    waiting.expect("M1", 2)
    assert [waiting.answered(ack("AA", "M1")) for _ in range(2)] == [1, 2]


def test_percentiles_are_by_nearest_rank():
    tally = Tally()
    for nanoseconds in range(1, 101):
        tally.add(Answer(1, "", "accepted", "AA", "", nanoseconds))
    assert tally.latencies((50, 99, 100)) == {50: 50, 99: 99, 100: 100}


# -- addresses -------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "protocol", "port", "tls"),
    [
        ("localhost:6661", "mllp", 6661, False),
        ("localhost", "mllp", 2575, False),
        ("mllp://localhost:6661", "mllp", 6661, False),
        ("mllps://localhost", "mllp", 2575, True),
        ("[::1]:6661", "mllp", 6661, False),
        ("http://localhost:8575/hl7", "http", 8575, False),
        ("https://localhost/hl7", "http", 443, True),
    ],
)
def test_addresses_are_read(text, protocol, port, tls):
    endpoint = endpoint_of(text)
    assert (endpoint.protocol, endpoint.port, endpoint.tls) == (protocol, port, tls)


@pytest.mark.parametrize(
    "text", ["", ":6661", "ftp://localhost", "localhost:port", "http://name:word@localhost", "mllp://host/path"]
)
def test_what_is_no_address_is_refused(text):
    with pytest.raises(ValueError):
        endpoint_of(text)


# -- servers ---------------------------------------------------------------------------------------------------------------------


def test_every_message_is_accepted_in_order():
    answers = sent(serving(accept), raws("M1", "M2", "M3"))
    assert [(one.number, one.control_id, one.fate, one.code) for one in answers] == [
        (1, "M1", "accepted", "AA"),
        (2, "M2", "accepted", "AA"),
        (3, "M3", "accepted", "AA"),
    ]


def test_a_refusal_is_told_and_the_next_message_goes_on():
    async def refuse_the_second(control_id: str, writer: asyncio.StreamWriter) -> None:
        writer.write(framed(ack("AE" if control_id == "M2" else "AA", control_id)))

    answers = sent(serving(refuse_the_second), raws("M1", "M2", "M3"))
    assert [one.code for one in answers] == ["AA", "AE", "AA"]
    assert [one.fate for one in answers] == ["accepted", "refused", "accepted"]


def test_a_server_that_hangs_leaves_the_message_unanswered():
    async def hang(control_id: str, writer: asyncio.StreamWriter) -> None:
        if control_id != "M2":
            await accept(control_id, writer)

    answers = sent(serving(hang), raws("M1", "M2", "M3"), timeout_milliseconds=150)
    assert told(answers) == [("M1", "accepted", "AA", ""), ("M2", "unanswered", "", "timeout"), ("M3", "accepted", "AA", "")]


def test_a_server_that_cuts_leaves_the_message_unanswered_and_the_next_one_takes_a_new_connection():
    async def cut(control_id: str, writer: asyncio.StreamWriter) -> None:
        if control_id == "M2":
            writer.transport.abort()
        else:
            await accept(control_id, writer)

    answers = sent(serving(cut), raws("M1", "M2", "M3"))
    assert [one.fate for one in answers] == ["accepted", "unanswered", "accepted"]
    assert answers[1].fault == "connection-closed"


def test_a_server_that_always_cuts_is_given_up():
    async def cut(_: str, writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()

    answers = sent(serving(cut), raws(*(f"M{n}" for n in range(6))))
    assert [one.fate for one in answers] == ["unanswered"] * 3 + ["not-sent"] * 3
    assert {one.fault for one in answers[3:]} == {"given-up"}


def test_where_nobody_listens_nothing_is_sent():
    endpoint = Endpoint("mllp", "127.0.0.1", free_port(), False, "")

    async def run() -> list[Answer]:
        return [one async for one in send_messages(endpoint, raws("M1", "M2"), SendOptions())]

    assert told(asyncio.run(run())) == [(one, "not-sent", "", "connection-refused") for one in ("M1", "M2")]


def test_a_late_answer_is_not_taken_for_that_of_the_next_message():
    async def late(control_id: str, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.6 if control_id == "M1" else 0)
        await accept(control_id, writer)

    # the second message has as long for its answer, also where the machine does other things
    answers = sent(serving(late), raws("M1", "M2"), timeout_milliseconds=500)
    assert told(answers) == [("M1", "unanswered", "", "timeout"), ("M2", "accepted", "AA", "")]


def test_two_answers_to_one_message_do_not_confuse_the_next():
    async def twice(control_id: str, writer: asyncio.StreamWriter) -> None:
        writer.write(framed(ack("CA", control_id)) + framed(ack("AE", control_id)))

    further: Counter[str] = Counter()

    async def run() -> list[Answer]:
        async with listening(serving(twice)) as endpoint:
            return [one async for one in send_messages(endpoint, raws("M1", "M2"), SendOptions(), further)]

    assert [one.code for one in asyncio.run(run())] == ["CA", "CA"]
    assert further["AE"] >= 1


def test_an_answer_to_another_message_is_a_fault():
    async def wrong(_: str, writer: asyncio.StreamWriter) -> None:
        writer.write(framed(ack("AA", "OTHER")))

    assert told(sent(serving(wrong), raws("M1"))) == [("M1", "refused", "AA", "wrong-control-id")]


def test_an_answer_that_is_no_acknowledgement_is_a_fault():
    async def nonsense(_: str, writer: asyncio.StreamWriter) -> None:
        writer.write(framed(b"OK"))

    assert told(sent(serving(nonsense), raws("M1"))) == [("M1", "refused", "", "no-acknowledgement")]


def test_an_answer_in_pieces_and_without_the_last_carriage_return_is_read():
    async def piecemeal(control_id: str, writer: asyncio.StreamWriter) -> None:
        for byte in framed(ack("AA", control_id))[:-1]:
            writer.write(bytes([byte]))
            await writer.drain()

    assert [one.fate for one in sent(serving(piecemeal), raws("M1", "M2"))] == ["accepted", "accepted"]


def test_in_flight_messages_are_sent_before_the_first_is_answered():
    seen: list[str] = []

    async def when_three_are_there(control_id: str, writer: asyncio.StreamWriter) -> None:
        seen.append(control_id)
        if len(seen) == 3:
            for one in reversed(seen):
                await accept(one, writer)

    answers = sent(serving(when_three_are_there), raws("M1", "M2", "M3"), in_flight=3)
    assert [one.fate for one in answers] == ["accepted"] * 3
    assert seen == ["M1", "M2", "M3"]


def test_a_cut_leaves_all_messages_in_flight_unanswered_and_counts_once():
    async def cut_at_the_third(control_id: str, writer: asyncio.StreamWriter) -> None:
        if control_id == "M3":
            writer.transport.abort()
        elif control_id > "M3":
            await accept(control_id, writer)

    answers = sent(serving(cut_at_the_third), raws("M1", "M2", "M3", "M4"), in_flight=3)
    assert [one.fate for one in answers] == ["unanswered"] * 3 + ["accepted"]


def test_messages_of_a_patient_stay_on_one_connection_in_order():
    arrived: dict[str, list[tuple[int, str]]] = defaultdict(list)

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        frames = FrameReader(2**20)
        while data := await reader.read(2**16):
            for frame in frames.feed(data):
                patient = frame.data.split(b"\rPID|1||")[1].split(b"^")[0].split(b"|")[0].decode()
                control_id = header_of(frame.data).control_id
                arrived[patient].append((id(writer), control_id))
                writer.write(framed(ack("AA", control_id)))

    stream = [one for one in islice(generate(7), 200) if one.report.patient.sender.delimiters[:2] == "|^"]
    messages = [RawMessage("er7", one.data.replace(b"\n", b"\r").replace(b"\r\r", b"\r"), 0) for one in stream]
    answers = sent(handle, messages, connections=4)
    assert {one.fate for one in answers} == {"accepted"}
    expected = defaultdict(list)
    for one in stream:
        expected[one.report.patient.identifier].append(one.report.control_id)
    assert {patient: [control_id for _, control_id in found] for patient, found in arrived.items()} == expected
    assert all(len({connection for connection, _ in found}) == 1 for found in arrived.values())
    assert len({connection for found in arrived.values() for connection, _ in found}) > 1


def test_the_rate_is_kept():
    async def run() -> float:
        loop = asyncio.get_running_loop()
        async with listening(serving(accept)) as endpoint:
            started = loop.time()
            options = SendOptions(interval_nanoseconds=20_000_000)
            _ = [one async for one in send_messages(endpoint, raws(*(f"M{n}" for n in range(11))), options)]
            return loop.time() - started

    assert asyncio.run(run()) >= 0.15


def test_who_stops_listening_ends_the_sending():
    async def run() -> str:
        async with listening(serving(accept)) as endpoint:
            answers = send_messages(endpoint, raws(*(f"M{n}" for n in range(1000))), SendOptions())
            async for one in answers:
                await answers.aclose()
                return one.fate
        return ""

    assert asyncio.run(run()) == "accepted"


def test_what_is_no_message_is_sent_as_it_is():
    got: list[bytes] = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        frames = FrameReader(2**20)
        while data := await reader.read(2**16):
            for frame in frames.feed(data):
                got.append(frame.data)
                writer.write(framed(ack("AR", "")))

    answers = sent(handle, [RawMessage("unreadable", b"noise", 0, "no-msh")])
    assert got == [b"noise"]
    assert (answers[0].fate, answers[0].code) == ("refused", "AR")


# -- the client alone, and TLS ---------------------------------------------------------------------------------------------------


def test_client_sends_and_gives_the_answer():
    async def run() -> bytes:
        async with listening(serving(accept)) as endpoint:
            client = MllpClient(endpoint.host, endpoint.port)
            await client.connect()
            try:
                return await client.send(message("M1"))
            finally:
                await client.close()

    assert asyncio.run(run()) == ack("AA", "M1")


def test_client_that_is_not_connected_says_so():
    async def run() -> None:
        await MllpClient("127.0.0.1", 1).send(message("M1"))

    with pytest.raises(ConnectionBroken, match="connection-closed"):
        asyncio.run(run())


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def server_tls(authority: trustme.CA, *, mutual: bool = False) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    if mutual:
        context.verify_mode = ssl.CERT_REQUIRED
        authority.configure_trust(context)
    return context


def sent_over_tls(server: ssl.SSLContext, client: ssl.SSLContext | None) -> list[Answer]:
    async def run() -> list[Answer]:
        async with listening(serving(accept), server) as endpoint:
            options = SendOptions(tls=client, timeout_milliseconds=2000)
            return [one async for one in send_messages(endpoint, raws("M1"), options)]

    return asyncio.run(run())


def test_tls_with_the_authority_of_the_server(authority, tmp_path):
    file = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(file))
    assert told(sent_over_tls(server_tls(authority), client_context(file, None, None))) == [("M1", "accepted", "AA", "")]


def test_a_server_of_an_unknown_authority_gets_nothing(authority):
    assert told(sent_over_tls(server_tls(authority), None)) == [("M1", "not-sent", "", "tls-failed")]


def test_mutual_tls(authority, tmp_path):
    ca, certificate, key = (tmp_path / name for name in ("ca.pem", "certificate.pem", "key.pem"))
    authority.cert_pem.write_to_path(str(ca))
    own = authority.issue_cert("client.example")
    own.cert_chain_pems[0].write_to_path(str(certificate))
    own.private_key_pem.write_to_path(str(key))
    answers = sent_over_tls(server_tls(authority, mutual=True), client_context(ca, certificate, key))
    assert told(answers) == [("M1", "accepted", "AA", "")]


def test_mutual_tls_without_a_certificate_is_not_accepted(authority, tmp_path):
    ca = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(ca))
    (answer,) = sent_over_tls(server_tls(authority, mutual=True), client_context(ca, None, None))
    assert answer.fate in ("unanswered", "not-sent")


def test_files_that_are_no_certificates_are_refused(tmp_path):
    (tmp_path / "file").write_text("no certificate")
    with pytest.raises(ValueError, match="cannot be used"):
        client_context(tmp_path / "file", None, None)


def test_certificate_and_key_go_together(tmp_path):
    with pytest.raises(ValueError, match="go together"):
        client_context(None, tmp_path / "certificate", None)
