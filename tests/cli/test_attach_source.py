"""`--attach-source`: the v2 message itself, byte for byte, as a DocumentReference that the Provenance names; off by default."""

import base64

from helpers.commands import convert_command
from helpers.fixtures import FOLDER
from helpers.results import resources

MESSAGE = FOLDER / "serum/above-range.hl7"
LATIN_1 = FOLDER / "charsets/latin-1.hl7"


def converted(*arguments):
    return list(resources(convert_command(*arguments).lines))


def documents(found):
    return [one for one in found if one["resourceType"] == "DocumentReference"]


def attachment(path):
    (document,) = documents(converted("--attach-source", path))
    return document["content"][0]["attachment"]


def test_message_is_not_attached_by_default():
    assert documents(converted(MESSAGE)) == []


def test_attachment_is_the_message_byte_for_byte():
    assert base64.b64decode(attachment(LATIN_1)["data"]) in LATIN_1.read_bytes()
    assert base64.b64decode(attachment(LATIN_1)["data"]).startswith(b"MSH")


def test_media_type_says_the_charset():
    assert attachment(MESSAGE)["contentType"] == "x-application/hl7-v2+er7; charset=utf-8"
    assert attachment(LATIN_1)["contentType"] == "x-application/hl7-v2+er7; charset=iso-8859-1"


def test_provenance_names_the_document():
    found = converted("--attach-source", "--to", "ndjson", MESSAGE)
    (document,) = documents(found)
    (provenance,) = [one for one in found if one["resourceType"] == "Provenance"]
    assert {"role": "source", "what": {"reference": f"DocumentReference/{document['id']}"}} in provenance["entity"]


def test_output_is_valid():
    assert convert_command("--attach-source", "--validate", "full", MESSAGE).status == 0


def test_message_bundle_takes_it_too():
    assert len(documents(converted("--attach-source", "--to", "message", MESSAGE))) == 1


def test_who_handled_an_order_does_not_hinder_it(tmp_path):
    path = tmp_path / "handled.hl7"
    path.write_text(
        "MSH|^~\\&|LIS|LAB|||20260115103000-0500||ORU^R01|M1|P|2.5.1\rPID|1||T1^^^HOSP^MR||TEST^PATIENT\r"
        "ORC|RE|O1|F1|||||||7^TEST^ENTERER\rOBR|1|O1|F1|P^Panel^L|||||||||||||||||||||F\rOBX|1|NM|1^Test^L||1|mg/L|||||F\r"
    )
    found = converted("--attach-source", "--to", "ndjson", path)
    sources = [one.get("entity", []) for one in found if one["resourceType"] == "Provenance"]
    assert len(documents(found)) == 1
    assert sorted(len(one) for one in sources) == [0, 3]
