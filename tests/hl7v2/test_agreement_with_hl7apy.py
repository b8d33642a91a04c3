"""Fields read here agree with hl7apy, an independent reader."""

import pytest
from hl7apy.consts import VALIDATION_LEVEL
from hl7apy.parser import parse_message

from adapter.hl7v2.message import read_message

# hl7apy doubles the escapes of formatting commands when it writes a field, so the text has none of these.
RESULT_2_5_1 = (
    "MSH|^~\\&|LIS^1.2.3^ISO|LAB|EHR|HOSP|20260101120000-0500||ORU^R01^ORU_R01|1|P|2.5.1|||AL|NE||UNICODE UTF-8\r"
    "PID|1||12345^^^HOSP&1.2.3&ISO^MR~678^^^OTHER^MR||TEST^PATIENT^Q||19700101|F\r"
    "ORC|RE|PLACER^EHR|FILLER^LIS\r"
    "OBR|1|PLACER^EHR|FILLER^LIS|1952-1^Beta-2-Microglobulin^LN|||20260101\r"
    'OBX|1|NM|1952-1^Beta-2-Microglobulin^LN||4.20|mg/L^^UCUM|0.6-2.4|H|||F|||""\r'
    "OBX|2|TX|X^Comment^L||a \\T\\ b\\F\\c|||\r"
    "SPM|1|S1&EHR^S1&LIS||119364003^Serum^SCT\r"
)
RESULT_2_3 = (
    "MSH|^~\\&|LIS|LAB|EHR|HOSP|20260101||ORU^R01|2|P|2.3\r"
    "PID|||1||TEST^PATIENT\r"
    "OBR|1\r"
    "OBX|1|ST|B2M||<2.4\r"
    "NTE|1|L|note one~note two\r"
)
OTHER_DELIMITERS = "MSH^~|\\&^LIS^LAB^EHR^HOSP^20260101^^ORU~R01^3^P^2.4\rPID^^^1~~~HOSP\rOBR^1\rOBX^1^ST^B2M^^a\\F\\b\r"


@pytest.mark.parametrize("text", [RESULT_2_5_1, RESULT_2_3, OTHER_DELIMITERS])
def test_every_field_is_the_same(text: str) -> None:
    message = read_message(text.encode())
    theirs = parse_message(text, validation_level=VALIDATION_LEVEL.TOLERANT, find_groups=False)
    to_canonical = str.maketrans(message.field_separator + message.encoding_characters[:4], "|^~\\&")
    assert [segment.name for segment in message.segments] == [child.name for child in theirs.children]
    for segment, child in zip(message.segments, theirs.children, strict=True):
        for number in range(3 if segment.name == "MSH" else 1, len(segment.fields)):
            fields = getattr(child, f"{segment.name}_{number}".lower())
            sent = "~".join(field.to_er7().translate(to_canonical) for field in fields)
            # the escaped field separator of the source is the component separator of the canonical text
            expected = sent if message.field_separator == "|" else sent.replace("\\F\\", "\\S\\")
            assert segment[number] == expected, (segment, number)
