"""The account of every field of every segment that ORU_R01 is made of, each filled in turn: nothing is lost.

Usage: audit_fields.py. A field is filled with a word, a number, a date, a code, many components, many subcomponents and two
repetitions, in a whole message, in one without order number and visit number, and in one with two specimens.
"""

import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import cache

from adapter.config import Settings
from adapter.explain.account import account_of
from adapter.explain.outputs import Workbench
from adapter.hl7v2.message import read_message
from adapter.tables.load import load_tables

WHOLE = {
    "MSH": "MSH|^~\\&|LIS|LAB|||20260115103000-0500||ORU^R01|M1|P|2.5.1",
    "SFT": "SFT|V",
    "PID": "PID|||123^^^&2.16.840.1.113883.3.999.9&ISO||TEST^PATIENT",
    "PD1": "PD1",
    "NK1": "NK1||KIN^TEST",
    "PV1": "PV1||I" + "|" * 17 + "V1",
    "PV2": "PV2",
    "ORC": "ORC|RE||FIL1^LIS",
    "OBR": "OBR|||FIL1^LIS|1952-1^B2M^LN|||20260115080000-0500" + "|" * 18 + "F",
    "NTE": "NTE|||comment",
    "TQ1": "TQ1",
    "OBX": "OBX||NM|1952-1^B2M^LN||2.45|mg/L|0.6-2.4||||F",
    "PRT": "PRT||AD||ARI|77^TESTER^TEST",
    "SPM": "SPM||S1||SER^Serum^HL70487",
}
BARE = WHOLE | {"PV1": "PV1||I", "ORC": "ORC|RE", "OBR": "OBR||||1952-1^B2M^LN" + "|" * 21 + "F"}
TWO = WHOLE | {"SPM": "SPM||S1||SER^Serum^HL70487\rSPM||S2||UR^Urine^HL70487"}
MESSAGES = {"whole": WHOLE, "bare": BARE, "two specimens": TWO}
#: Fields of each segment in the newest version, and one more.
SIZES = {"MSH": 29, "SFT": 7, "PID": 41, "PD1": 24, "NK1": 42, "PV1": 55, "PV2": 51, "ORC": 39, "OBR": 56, "NTE": 10, "TQ1": 15}
SIZES |= {"OBX": 32, "PRT": 25, "SPM": 34}
#: Fields that say how the message or the value is read: with a word there it is another message.
STRUCTURE = {("MSH", 1), ("MSH", 2), ("MSH", 9), ("MSH", 12), ("MSH", 18), ("OBX", 2)}
SHAPES = {
    "word": "tok",
    "number": "4",
    "date": "20260114",
    "code": "Y",
    "components": "^".join(f"t{number}" for number in range(1, 24)),
    "subcomponents": "&".join(f"s{number}" for number in range(1, 10))
    + "^^^"
    + "&".join(f"v{number}" for number in range(1, 10)),
    "repetitions": "r1^a~r2^b",
}


@cache
def workbench() -> Workbench:
    return Workbench(load_tables(), Settings())


def cases() -> Iterator[tuple[str, str, int, str]]:
    for kind in MESSAGES:
        for name, size in SIZES.items():
            for number in range(1, size + 1):
                if (name, number) not in STRUCTURE:
                    yield from ((kind, name, number, shape) for shape in SHAPES)


def losses(case: tuple[str, str, int, str]) -> list[str]:
    kind, name, number, shape = case
    segments = dict(MESSAGES[kind])
    first, *others = segments[name].split("\r")
    fields = first.split("|")
    index = number - 1 if name == "MSH" else number
    fields += [""] * (index + 1 - len(fields))
    fields[index] = SHAPES[shape]
    segments[name] = "\r".join(["|".join(fields), *others])
    source = "\r".join(segments.values()).encode()
    account = account_of(read_message(source), source, workbench(), f"{name}-{number}")
    if account is None:
        return [f"{kind}: {name}-{number} {shape}: the message is not converted"]
    return [f"{kind}: {name}-{number} {shape}: {one.component.place} {one.reason}" for one in account.of_kind("lost")]


def main() -> int:
    every = list(cases())
    found: list[str] = []
    with ProcessPoolExecutor(2) as pool:
        for lost in pool.map(losses, every, chunksize=32):
            found += lost
    for loss in found[:80]:
        print("LOST " + loss)
    print(f"{len(every)} messages, {len(found)} losses")
    return int(bool(found) or not every)


if __name__ == "__main__":
    sys.exit(main())
