"""Which character set a message is read with, and when that is an issue."""

import pytest

from adapter.hl7v2.message import Message, read_message


def header(charset: str = "") -> bytes:
    return f"MSH|^~\\&|LIS|LAB|EHR|HOSP|20260101||ORU^R01|1|P|2.5.1||||||{charset}\r".encode()


def read(charset: str, text: bytes, configured: str = "") -> Message:
    return read_message(header(charset) + b"PID|1||1||" + text + b"\r", configured)


def slugs(message: Message) -> list[str]:
    return [issue.slug for issue in message.issues]


@pytest.mark.parametrize(
    ("charset", "codec", "text"),
    [
        ("UNICODE UTF-8", "utf-8", "Müller µ"),
        ("unicode utf-8", "utf-8", "Müller"),
        ("UTF8", "utf-8", "Müller"),
        ("UNICODE", "utf-8", "Müller"),
        ("8859/1", "iso8859-1", "Müller µ"),
        ("8859", "iso8859-1", "Müller"),
        ("8859/2", "iso8859-2", "Łukasz"),
        ("8859/5", "iso8859-5", "Иван"),
        ("8859/7", "iso8859-7", "Γιώργος"),
        ("8859/15", "iso8859-15", "Œuvre €"),
        ("GB 18030-2000", "gb18030", "张伟"),
        ("KS X 1001", "euc_kr", "김민준"),
        ("BIG-5", "big5hkscs", "陳大文"),
        ("ISO IR87", "iso2022_jp_ext", "山田太郎"),
        ("~ISO IR87", "iso2022_jp_ext", "山田太郎"),
        ("ASCII~ISO IR87", "iso2022_jp_ext", "山田太郎"),
        ("UTF-8~UNICODE", "utf-8", "Müller"),
    ],
)
def test_msh_18_names_the_charset(charset: str, codec: str, text: str) -> None:
    message = read(charset, text.encode(codec))
    assert message.segments[1][5] == text
    assert slugs(message) == []


@pytest.mark.parametrize(
    ("charset", "sent", "text", "slug"),
    [
        ("", "Müller".encode(), "Müller", ""),
        ("", b"M\xfcller", "Müller", "charset-guessed"),
        ("ASCII", "Müller".encode(), "Müller", "charset-mismatch"),
        ("ASCII", b"M\xfcller", "Müller", "charset-mismatch"),
        ("UNICODE UTF-8", b"M\xfcller", "Müller", "charset-mismatch"),
        ("8859/1", "Müller".encode(), "Müller", "charset-mismatch"),
        ("PRELIM", "Müller".encode(), "Müller", "charset-unknown"),
        ("PRELIM", b"M\xfcller", "Müller", "charset-unknown"),
        ("PRELIM", b"TEST", "TEST", ""),
        ("UNICODE UTF-8", b"TEST", "TEST", ""),
    ],
)
def test_a_missing_or_wrong_msh_18_is_found_out(charset: str, sent: bytes, text: str, slug: str) -> None:
    message = read(charset, sent)
    assert message.segments[1][5] == text
    assert slugs(message) == ([slug] if slug else [])


def test_the_configured_charset_is_stronger_than_msh_18() -> None:
    message = read("8859/1", "Иван".encode("iso8859-5"), configured="8859/5")
    assert (message.segments[1][5], message.charset, slugs(message)) == ("Иван", "iso8859-5", [])


def test_utf_16_is_recognised_by_its_byte_order_mark() -> None:
    text = header("UNICODE UTF-16").decode() + "PID|1||1||Müller\r"
    for codec in ("utf-16", "utf-16-le", "utf-16-be"):
        assert read_message(text.encode(codec)).segments[1][5] == "Müller"


def test_the_issue_carries_no_text_of_the_message_but_msh_18() -> None:
    [issue] = read("PRELIM", b"M\xfcller").issues
    assert (issue.place, issue.detail, issue.value) == ("MSH-18", "read as iso8859-1", "PRELIM")
