"""Mutations of v2 and JSON messages.

Each is `(bytes, random) -> bytes`. Those of `SAME_MEANING` change nothing that matters, and give None where they do not apply.
"""

import json
import re
from collections.abc import Callable
from random import Random

Mutation = Callable[[bytes, Random], bytes]

#: Field contents that break careless readers: dates, numbers, escapes, separators, characters.
HOSTILE = [
    *(
        "",
        '""',
        '"',
        "^",
        "^^^^^^",
        "~",
        "~~~",
        "&",
        "&&&&",
        "\\",
        "\\\\",
        "\\F\\",
        "\\T\\S\\",
        "\\X00\\",
        "\\XFFFE\\",
        "\\XC3\\",
        "\\.sp99\\",
    ),
    *(
        "\\.in+5\\x",
        "\\.sp999999999\\",
        "\\C2842\\",
        "\\Zx\\",
        "\\H\\x\\N\\",
        "0",
        "-0",
        "+0",
        "007",
        "-0.0",
        ".5",
        "5.",
        "1e5",
        "1E+999999",
    ),
    *(
        "1e-999999999",
        "9" * 400,
        "0." + "0" * 400 + "1",
        "NaN",
        "Infinity",
        "-inf",
        "1,5",
        "1.234,5",
        "4.20",
        "١٢٣",
        "½",
        "0x10",
        "1_000",
    ),
    *(
        "<5",
        "<",
        ">",
        "<=",
        ">=1e3",
        "<^5",
        ">^4.20^-^5",
        "^1^:^128",
        "=^5",
        "<>^7",
        "^1^-^",
        "1^2^3^4^5",
        "5-3",
        "0-0",
        "1-2-3",
        "<2-3",
        "-5--3",
    ),
    *(
        "2026",
        "202602",
        "20260230",
        "20261301",
        "00000000",
        "99999999",
        "20260101250000",
        "20260101235960",
        "2026010112",
        "202601011200+9999",
    ),
    *(
        "20260101120000.123456789+0100",
        "20260101120000-0000",
        "20260329023000",
        "0001",
        "00010101",
        "20260101T120000Z",
        "01/02/2026",
        "2026-01-01",
    ),
    *(
        "Z",
        "L",
        "H",
        "HH~LL",
        "N~H",
        "A&B",
        "F",
        "C",
        "X",
        "D",
        "W",
        "O",
        "P",
        "I",
        "ZZ",
        "NM",
        "SN",
        "ED",
        "RP",
        "CWE",
        "TS",
        "DR",
        "CX",
        "XPN",
    ),
    *(
        "^TEXT^PLAIN^A^hello",
        "^application^pdf^Base64^JVBERi0=",
        "^AP^^Base64^@@@",
        "^TEXT^^Hex^ZZ",
        "http://x.test/a b^^\\",
        "1.2.3&&ISO",
    ),
    *(
        "&1.2.840.1&ISO",
        "A&urn:x y&URI",
        "A&not-a-uuid&UUID",
        "1952-1^^LN",
        "1952-9^^LN",
        "1952-1^x^LN^B2M^y^L",
        "^^^^^",
        "B2M",
        "mg/L",
        "MG/L",
    ),
    *(
        "ug/24.h",
        "mg/L^^UCUM",
        "x^y^UCUM",
        "10*3/uL^^ISO+",
        "mg\\T\\L",
        "{",
        "}",
        "[mg",
        "%",
        "µg/L",
        "\u00b5g/L",
        "μg/L",
        "e\u0301",
        "\u202e1952-1",
    ),
    *(
        "\ufeff",
        "\u200b",
        "\U0001f600",
        "\U0010ffff",
        "\u0085",
        "\u2028",
        "\x7f",
        "\x1b[31m",
        "\t",
        " ",
        "  x  ",
        "\u00a0",
        "a" * 5000,
        "^".join("a" * 300),
    ),
    *(
        "~".join("a" * 300),
        "MSH|^~\\&|",
        "PID",
        "OBX|1|NM",
        "<script>",
        "{{7*7}}",
        "%s%n",
        "../../etc",
        "'; DROP",
        "null",
        "None",
        "true",
        "[]",
        "{}",
    ),
]
CHARSETS = [
    "",
    "ASCII",
    "8859/1",
    "8859/15",
    "UNICODE UTF-8",
    "UNICODE UTF-16",
    "ISO IR87",
    "GB 18030-2000",
    "BIG-5",
    "KS X 1001",
    "CNS",
    "x~UTF-8",
    "~~",
]
VERSIONS = [
    "2.1",
    "2.2",
    "2.3",
    "2.3.1",
    "2.4",
    "2.5",
    "2.5.1",
    "2.6",
    "2.7",
    "2.8.2",
    "2.9",
    "3.0",
    "",
    "x",
    "2.5.1^DEU",
    "2.5.1~2.6",
]
VALUE_TYPES = [
    *(
        "NM",
        "SN",
        "ST",
        "TX",
        "FT",
        "CE",
        "CWE",
        "CNE",
        "CF",
        "TS",
        "DT",
        "TM",
        "DTM",
        "DR",
        "ED",
        "RP",
        "EI",
        "CX",
        "XPN",
        "XCN",
        "XAD",
        "XTN",
    ),
    *(
        "XON",
        "CQ",
        "MO",
        "CP",
        "NA",
        "MA",
        "NR",
        "SI",
        "ID",
        "IS",
        "HD",
        "PL",
        "FN",
        "TN",
        "PN",
        "CK",
        "CN",
        "AD",
        "RI",
        "QIP",
        "varies",
        "",
        "ZZ",
    ),
]
NOISE = [
    b"\0",
    b"\x0b",
    b"\x1c",
    b"\x1c\r",
    b"\x1a",
    b"\xff",
    b"\xfe\xff",
    b"\xef\xbb\xbf",
    b"\xed\xa0\x80",
    b"\xc3",
    b"\xe2\x82",
    b"\x1b$B",
    b"\r",
    b"\n",
]
NOISE += [
    b"\r\n",
    b"\r\r",
    b"\nMSH|",
    b"\rMSH|^~\\&|",
    b"\r{",
    b'{"',
    b"|",
    b"^",
    b"~",
    b"\\",
    b"&",
    b"\x80",
    b"\x85",
    b"\xb5",
    b"\r\nBTS|1\r\nFTS|1",
]
SEGMENTS = [
    *(
        "NTE|1|L|note",
        "ORC|RE|1^A|2^B",
        "OBR|1",
        "OBX|1|NM|X^^L||1",
        "SPM|1|1&A^2&B||SER",
        "PV1|1|I",
        "PV2",
        "NK1|1|A^B",
        "PD1",
        "TQ1|1|||||||S",
    ),
    *(
        "PRT|1|AD||PO|1^A^B",
        "SAC|1",
        "CTD|1",
        "DSC|x|F",
        "SFT|a|b|c|d",
        "UAC|KERB|a",
        "FT1|1|||20260101",
        "CTI|1",
        "ZZZ|x|y^z",
        "PID|1||2^^^A",
        "ROL|1|AD|PP|1^A",
    ),
    *("AL1|1", "DG1|1", "EVN", "MSA|AA|1", "ERR", "GT1|1", "IN1|1", "AAA|1", "TQ2|1", "ARV|1", "OBX", "PID", "NTE"),
]


# -- mutations that may destroy anything -------------------------------------------------------------------------------------


def flip_bits(data: bytes, random: Random) -> bytes:
    changed = bytearray(data)
    for _ in range(random.randint(1, 8)):
        changed[random.randrange(len(changed))] ^= 1 << random.randrange(8)
    return bytes(changed)


def insert_noise(data: bytes, random: Random) -> bytes:
    for _ in range(random.randint(1, 4)):
        place = random.randint(0, len(data))
        data = data[:place] + random.choice(NOISE) + data[place:]
    return data


def remove_slice(data: bytes, random: Random) -> bytes:
    start = random.randrange(len(data))
    return data[:start] + data[start + random.choice((1, 2, 5, 20, 200)) :]


def truncate(data: bytes, random: Random) -> bytes:
    return data[: random.randrange(1, len(data) + 1)]


def _segments(data: bytes) -> list[bytes]:
    return [segment for segment in re.split(rb"[\r\n]+", data) if segment]


def drop_segments(data: bytes, random: Random) -> bytes:
    segments = _segments(data)
    for _ in range(random.randint(1, 3)):
        if len(segments) > 1:
            del segments[random.randrange(1, len(segments))]
    return b"\r".join(segments)


def duplicate_segments(data: bytes, random: Random) -> bytes:
    segments = _segments(data)
    for _ in range(random.choice((1, 1, 2, 30))):
        segments.insert(random.randint(1, len(segments)), random.choice(segments[1:] or [b"OBX"]))
    return b"\r".join(segments)


def reorder_segments(data: bytes, random: Random) -> bytes:
    segments = _segments(data)
    rest = segments[1:]
    if random.random() < 0.5:
        random.shuffle(rest)
    elif len(rest) > 1:
        one, other = random.sample(range(len(rest)), 2)
        rest[one], rest[other] = rest[other], rest[one]
    return b"\r".join(segments[:1] + rest)


def insert_segment(data: bytes, random: Random) -> bytes:
    segments = _segments(data)
    segments.insert(random.randint(1, len(segments)), random.choice(SEGMENTS).encode())
    return b"\r".join(segments)


def _change_field(data: bytes, random: Random, name: bytes, number: int, content: bytes) -> bytes:
    segments = _segments(data)
    found = [place for place, segment in enumerate(segments) if segment.startswith(name) and segment[3:4] == b"|"]
    if found:
        place = random.choice(found)
        fields = segments[place].split(b"|")
        number -= fields[0] == b"MSH"
        fields += [b""] * (number + 1 - len(fields))
        fields[number] = content
        segments[place] = b"|".join(fields)
    return b"\r".join(segments)


def empty_field(data: bytes, random: Random) -> bytes:
    segments = _segments(data)
    place = random.randrange(len(segments))
    fields = segments[place].split(b"|")
    first = 2 if place == 0 else 1
    if len(fields) > first:
        fields[random.randrange(first, len(fields))] = random.choice((b"", b'""'))
    segments[place] = b"|".join(fields)
    return b"\r".join(segments)


def hostile_field(data: bytes, random: Random) -> bytes:
    segment = random.choice(_segments(data)[1:] or [b"OBX"])
    number = random.randint(1, segment.count(b"|") + random.choice((1, 1, 1, 12)))
    return _change_field(data, random, segment[:3], number, random.choice(HOSTILE).encode())


def hostile_component(data: bytes, random: Random) -> bytes:
    segments = _segments(data)
    if len(segments) < 2:
        return data
    place = random.randrange(1, len(segments))
    fields = segments[place].split(b"|")
    number = random.randrange(len(fields))
    components = fields[number].split(b"^")
    components += [b""] * random.choice((0, 0, 1, 9))
    components[random.randrange(len(components))] = random.choice(HOSTILE).encode()
    fields[number] = b"^".join(components) if number else fields[0]
    segments[place] = b"|".join(fields)
    return b"\r".join(segments)


def swap_fields(data: bytes, random: Random) -> bytes:
    segments = _segments(data)
    place = random.randrange(len(segments))
    fields = segments[place].split(b"|")
    if len(fields) > 4:
        one, other = random.sample(range(2, len(fields)), 2)
        fields[one], fields[other] = fields[other], fields[one]
    segments[place] = b"|".join(fields)
    return b"\r".join(segments)


def hostile_result(data: bytes, random: Random) -> bytes:
    data = _change_field(data, random, b"OBX", 2, random.choice(VALUE_TYPES).encode())
    return _change_field(data, random, b"OBX", random.choice((3, 4, 5, 5, 5, 6, 7, 8, 11, 14)), random.choice(HOSTILE).encode())


def change_header(data: bytes, random: Random) -> bytes:
    number, contents = random.choice(
        ((18, CHARSETS), (12, VERSIONS), (9, ["ORU^R01", "ORU", "ADT^A01", "", "ORU^R30", "^R01", "oru^r01"]), (7, HOSTILE))
    )
    return _change_field(data, random, b"MSH", number, random.choice(contents).encode())


def change_delimiters(data: bytes, random: Random) -> bytes:
    """Another MSH-1 or MSH-2 without the text being rewritten."""
    declared = random.choice(
        (
            "|^~\\&",
            "|^~\\&#",
            "|^~&",
            "|^~\\",
            "|^",
            "|",
            "^~|\\&",
            "#@!$*",
            "|||||",
            "|^~\\&\\",
            "A^~\\&",
            "|^^\\&",
            "|~^\\&",
            "|^~\\\\&",
        )
    )
    return data[:3] + declared.encode() + data[8:]


def other_charset(data: bytes, random: Random) -> bytes:
    text = data.decode("utf-8", "replace").replace(" ", random.choice(("ä", "µ", "日本", " ", "\u20ac")), random.randint(0, 5))
    return text.encode(
        random.choice(("latin-1", "cp1252", "utf-8", "utf-16", "utf-16-le", "utf-16-be", "gb18030", "shift_jis")), "replace"
    )


DESTRUCTIVE: list[Mutation] = [
    *(
        flip_bits,
        insert_noise,
        remove_slice,
        truncate,
        drop_segments,
        duplicate_segments,
        reorder_segments,
        insert_segment,
        empty_field,
    ),
    *(
        hostile_field,
        hostile_field,
        hostile_component,
        hostile_component,
        swap_fields,
        hostile_result,
        hostile_result,
        change_header,
    ),
    *(change_delimiters, other_charset),
]


def hostile_json(data: bytes, random: Random) -> bytes:
    """Replace, remove or repeat values somewhere in a JSON text; the text stays JSON."""
    try:
        tree = json.loads(data)
    except ValueError:
        return flip_bits(data, random)
    for _ in range(random.randint(1, 3)):
        node = tree
        while True:
            keys = list(node) if isinstance(node, dict) else list(range(len(node)))
            if not keys:
                break
            key = random.choice(keys)
            if isinstance(node[key], (dict, list)) and node[key] and random.random() < 0.8:
                node = node[key]
                continue
            act = random.randrange(4)
            if act == 0:
                del node[key]
            elif act == 1:
                node[key] = random.choice(
                    [None, True, 0, -1, 1.5, 1e300, "", " ", [], {}, [[]], [None], {"": 1}, random.choice(HOSTILE)]
                )
            elif act == 2:
                node[key] = [node[key], node[key]]
            else:
                node[key] = random.choice(HOSTILE)
            break
    return json.dumps(tree).encode()


DESTRUCTIVE_JSON: list[Mutation] = [hostile_json, hostile_json, hostile_json, flip_bits, insert_noise, remove_slice, truncate]


# -- mutations that keep the meaning -----------------------------------------------------------------------------------------


def line_feeds(data: bytes, random: Random) -> bytes | None:
    return re.sub(rb"\r\n?|\n", b"\n", data)


def carriage_returns_and_line_feeds(data: bytes, random: Random) -> bytes | None:
    return re.sub(rb"\r\n?|\n", b"\r\n", data)


def carriage_returns(data: bytes, random: Random) -> bytes | None:
    return re.sub(rb"\r\n?|\n", b"\r", data)


def blank_line_at_the_end(data: bytes, random: Random) -> bytes | None:
    return data.rstrip(b"\r\n") + b"\r\r\n"


def frame(data: bytes, random: Random) -> bytes | None:
    return b"\x0b" + data.rstrip(b"\r\n") + b"\r\x1c\r"


def batch(data: bytes, random: Random) -> bytes | None:
    return b"FHS|^~\\&|A\rBHS|^~\\&|B\r" + data.rstrip(b"\r\n") + b"\rBTS|1\rFTS|1\r"


_SEGMENT = re.compile(r"[A-Z][A-Z0-9]{2}\|")


def _whole_segments(data: bytes) -> list[str]:
    """Segments of a message with the usual delimiters whose lines are all segments; else nothing."""
    lines = [line for line in re.split(r"\r\n?|\n", data.decode("latin-1")) if line]
    return lines if data.startswith(b"MSH|^~\\&|") and all(_SEGMENT.match(line) for line in lines) else []


def trailing_field_separators(data: bytes, random: Random) -> bytes | None:
    lines = _whole_segments(data)
    return "\r".join(line + "|" * random.randint(1, 5) for line in lines).encode("latin-1") if lines else None


#: Fields that are coded, identify or name.
STRUCTURED = {
    "MSH": (3, 4, 5, 6),
    "PID": (3, 5, 11, 13, 18),
    "PV1": (3, 7, 19),
    "ORC": (2, 3, 12, 21),
    "OBR": (2, 3, 4, 16, 28),
    "OBX": (3, 6, 15, 16, 17, 23),
    "SPM": (2, 4, 8),
}


def trailing_component_separators(data: bytes, random: Random) -> bytes | None:
    """Empty components and subcomponents at the end of structured fields."""
    lines = _whole_segments(data)
    for place, line in enumerate(lines):
        fields = line.split("|")
        for number in STRUCTURED.get(fields[0], ()):
            number -= fields[0] == "MSH"
            if number < len(fields) and fields[number] not in ("", '""'):
                fields[number] += random.choice(("^", "^^", "^&"))
        lines[place] = "|".join(fields)
    return "\r".join(lines).encode("latin-1") if lines else None


_LITERALS = {"F": "|", "S": "^", "R": "~", "E": "\\", "T": "&"}


def other_delimiters(data: bytes, random: Random) -> bytes | None:
    """The same message with five other delimiters; its escapes of the usual ones become the characters themselves."""
    try:
        text = data.decode("ascii")
    except UnicodeDecodeError:
        return None
    if not text.startswith("MSH|^~\\&|"):
        return None
    free = [character for character in "!$%*+;=?@#<>`{}" if character not in text]
    if len(free) < 5:
        return None
    roles = random.sample(free, 5)
    table = str.maketrans("|^~\\&", "".join(roles))
    parts = re.split(r"\\([FSRET])\\", text[9:])
    rest = "".join(part.translate(table) if place % 2 == 0 else _LITERALS[part] for place, part in enumerate(parts))
    return ("MSH" + "".join(roles) + roles[0] + rest).encode()


def wide_characters(data: bytes, random: Random) -> bytes | None:
    """UTF-16 with a byte order mark; only without MSH-18, which would say something else."""
    if not data.isascii() or len(data.split(b"\r", 1)[0].split(b"|")) > 17:
        return None
    return data.decode("ascii").encode("utf-16")


def specimen_before_results(data: bytes, random: Random) -> bytes | None:
    """One order whose SPM stands last: it may as well stand before the results."""
    segments = _segments(data)
    names = [segment[:3] for segment in segments]
    if names[-1:] != [b"SPM"] or names.count(b"SPM") > 1 or names.count(b"OBR") != 1 or b"OBX" not in names:
        return None
    first = names.index(b"OBX")
    return b"\r".join([*segments[:first], segments[-1], *segments[first:-1]])


def specimen_after_results(data: bytes, random: Random) -> bytes | None:
    """One order whose SPM stands before its results, without anything of its own behind it."""
    segments = _segments(data)
    names = [segment[:3] for segment in segments]
    if names.count(b"SPM") != 1 or names.count(b"OBR") != 1 or b"OBX" not in names:
        return None
    specimen = names.index(b"SPM")
    if names[specimen + 1 : specimen + 2] != [b"OBX"] or b"OBX" in names[:specimen]:
        return None
    return b"\r".join([*segments[:specimen], *segments[specimen + 1 :], segments[specimen]])


SAME_MEANING: list[Callable[[bytes, Random], bytes | None]] = [
    *(
        line_feeds,
        carriage_returns_and_line_feeds,
        carriage_returns,
        blank_line_at_the_end,
        frame,
        batch,
        trailing_field_separators,
    ),
    *(trailing_component_separators, other_delimiters, wide_characters, specimen_before_results, specimen_after_results),
]
