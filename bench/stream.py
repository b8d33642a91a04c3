"""Seeded ORU^R01 messages to measure with: the same seed gives the same bytes on every machine.

A message of the stream has 1 to 30 results (15.5 on average) in 1 to 3 orders and about 4.5 kB. Most results are numbers (NM),
the others SN, ST, TX and CWE; some carry notes, escape sequences, letters beyond ASCII, a performing laboratory. Each message
has its own identifiers, times and values, so that a memo sees what it would see in a feed: few codes, many values.

    python bench/stream.py 1000 > stream.hl7      MLLP-framed
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import islice
from random import Random
from typing import NamedTuple

SEED = 4711
HOSPITAL = "NORTHSIDE&2.16.840.1.113883.19.5.1&ISO"
CLINICIANS = (
    "1730291846^Example^Clara^^^^MD^^NPI",
    "1851472039^Sample^Henrik^^^^MD^^NPI",
    "1417203958^Beispiel^Zoë^^^^MD^^NPI",
    "1962058374^Specimen^Ivan^^^^MD^^NPI",
)
FAMILY_NAMES = ("TEST", "TESTER", "TESTMÜLLER", "O'TEST", "TESTOVÁ", "TEST-TWO", "TESTSSON", "TESTÉ")
GIVEN_NAMES = ("PATIENT", "PÄTIENT", "CASE", "SUBJECT", "PERSON", "NOBODY")
STREETS = ("Example Street", "Sample Avenue", "Test Road", "Straße der Beispiele")
ZONES = ("-0600", "-0500", "+0000", "+0100", "+0200")


_ROWS = """\
1952-1; B2M; mg/L; milligrams per liter; 0.8; 2.2; 2.1; 0.9; 2; Beta-2-Microglobulin [Mass/volume] in Serum or Plasma
1751-7; ALB; g/dL; grams per deciliter; 3.4; 5.2; 4.0; 0.6; 1; Albumin [Mass/volume] in Serum or Plasma
718-7; HGB; g/dL; grams per deciliter; 12.0; 15.5; 12.9; 1.7; 1; Hemoglobin [Mass/volume] in Blood
6690-2; WBC; 10*3/uL; thousands per microliter; 4.0; 10.5; 7.0; 2.8; 2; Leukocytes [#/volume] in Blood by Automated count
777-3; PLT; 10*3/uL; thousands per microliter; 150; 410; 240; 85; 0; Platelets [#/volume] in Blood by Automated count
2160-0; CREA; mg/dL; milligrams per deciliter; 0.55; 1.15; 1.05; 0.5; 2; Creatinine [Mass/volume] in Serum or Plasma
17861-6; CA; mg/dL; milligrams per deciliter; 8.5; 10.4; 9.5; 0.7; 2; Calcium [Mass/volume] in Serum or Plasma
2532-0; LDH; U/L; units per liter; 125; 245; 195; 65; 0; Lactate dehydrogenase [Enzymatic activity/volume] in Serum or Plasma
2951-2; NA; mmol/L; millimoles per liter; 135; 145; 140; 4; 0; Sodium [Moles/volume] in Serum or Plasma
2823-3; K; mmol/L; millimoles per liter; 3.5; 5.1; 4.3; 0.6; 1; Potassium [Moles/volume] in Serum or Plasma
2345-7; GLU; mg/dL; milligrams per deciliter; 70; 99; 98; 24; 0; Glucose [Mass/volume] in Serum or Plasma
3094-0; BUN; mg/dL; milligrams per deciliter; 7; 20; 16; 6; 0; Urea nitrogen [Mass/volume] in Serum or Plasma
2465-3; IGG; mg/dL; milligrams per deciliter; 700; 1600; 1400; 700; 0; IgG [Mass/volume] in Serum or Plasma
36916-5; FKAP; mg/L; milligrams per liter; 3.30; 19.40; 48; 36; 2; Kappa light chains.free [Mass/volume] in Serum
33944-0; FLAM; mg/L; milligrams per liter; 5.71; 26.30; 22; 12; 2; Lambda light chains.free [Mass/volume] in Serum
"""


class Analyte(NamedTuple):
    """What the generator needs to know of a test: codes, unit, range, how its values are spread, and their decimal places."""

    loinc: str
    local: str
    unit: str
    unit_name: str
    low: str
    high: str
    mean: float
    spread: float
    decimals: int
    name: str


def _analyte(row: str) -> Analyte:
    loinc, local, unit, unit_name, low, high, mean, spread, decimals, name = row.split("; ")
    return Analyte(loinc, local, unit, unit_name, low, high, float(mean), float(spread), int(decimals), name)


ANALYTES = tuple(_analyte(row) for row in _ROWS.splitlines())
STATUSES = "FFFFFFFPC"
#: Numbers of the laboratories of a network: a feed has few, and they come again and again.
LABORATORIES = tuple(f"52D{number:07d}" for number in range(1_000_001, 1_000_013))


def messages(seed: int = SEED) -> Iterator[str]:
    """Give messages without end, each with 1 to 30 results.

    Parameters
    ----------
    seed : int
        Same seed, same messages.

    Yields
    ------
    str
        A message, segments ended by CR.
    """
    random = Random(seed)
    number = 0
    while True:
        number += 1
        yield _message(random, number, random.randint(1, 30))


def two_result_messages(seed: int = SEED) -> Iterator[str]:
    """Give messages without end, each with one order and two results: what a laboratory sends most."""
    random = Random(seed + 1)
    number = 0
    while True:
        number += 1
        yield _message(random, number, 2)


def framed(message: str) -> bytes:
    """Frame a message for MLLP."""
    return b"\x0b" + message.encode() + b"\x1c\r"


def _message(random: Random, number: int, results: int) -> str:
    clinician = random.choice(CLINICIANS)
    collected, reported = _time(random), _time(random)
    segments = [
        (
            f"MSH|^~\\&|LABSYS^2.16.840.1.113883.19.5.2^ISO|CENTRALLAB^2.16.840.1.113883.19.5.3^ISO|CLINIC|NORTHSIDE|{reported}"
            f"||ORU^R01^ORU_R01|T{number:09d}|P|2.5.1|||AL|NE||UNICODE UTF-8"
        ),
        _patient(random),
        f"PV1|1|O|HAEM^^^NORTHSIDE||||{clinician}",
    ]
    orders = random.randint(1, 3) if results >= 8 else 1
    for order in range(1, orders + 1):
        panel = random.choice(ANALYTES)
        placer, filler = f"P{number:07d}.{order}^CLINIC", f"L{number:07d}.{order}^LABSYS"
        segments.append(f"ORC|RE|{placer}|{filler}||CM||||{reported[:14]}|||{clinician}")
        segments.append(
            f"OBR|{order}|{placer}|{filler}|{panel.loinc}^{panel.name}^LN^{panel.local}P^{panel.local} panel^L"
            f"|||{collected}|||||||||{clinician}||||||{reported}||LAB|F"
        )
        share = results // orders + (order <= results % orders)
        for index in range(1, share + 1):
            segments.append(_result(random, index, collected, reported))
            if random.random() < 0.12:
                segments.append(f"NTE|1|L|Remark {random.randint(1, 9999)}: sample slightly lipemic, repeat if in doubt.")
        segments.append(
            f"SPM|1|C{number}.{order}&CLINIC^A{number}.{order}&LABSYS||119364003^Serum specimen^SCT^SER^Serum^HL70487"
            f"|||||||||||||{collected}|{reported}"
        )
    return "\r".join(segments) + "\r"


def _patient(random: Random) -> str:
    record = random.randint(500000, 500500)
    born = f"{random.randint(1931, 2004)}{random.randint(1, 12):02d}{random.randint(1, 28):02d}"
    return (
        f"PID|1||{record}^^^{HOSPITAL}^MR||{random.choice(FAMILY_NAMES)}^{random.choice(GIVEN_NAMES)}^{random.choice('XYZ')}"
        f"||{born}|{random.choice('FMFMFMOU')}|||{random.randint(1, 400)} {random.choice(STREETS)}^^Testville^WI^53000^USA"
        f"||^PRN^PH^^1^608^555{random.randint(1000, 9999)}"
    )


def _result(random: Random, index: int, collected: str, reported: str) -> str:
    analyte = random.choice(ANALYTES)
    measured = abs(random.gauss(analyte.mean, analyte.spread))
    text = f"{measured:.{analyte.decimals}f}"
    kind = random.choices(("NM", "SN", "ST", "CWE", "TX"), (86, 4, 4, 3, 3))[0]
    value = {
        "NM": text,
        "SN": f"<^{text}",
        "ST": random.choice(("Detected", "Not detected", "See report \\T\\ remark")),
        "CWE": "260385009^Negative^SCT^N^negative^L",
        "TX": "First line\\.br\\second line, with \\F\\ and \\S\\ in it",
    }[kind]
    unit = interval = flag = ""
    if kind in ("NM", "SN"):
        unit = f"{analyte.unit}^{analyte.unit_name}^UCUM"
        interval = f"{analyte.low}-{analyte.high}"
        flag = "H" if measured > float(analyte.high) else "L" if measured < float(analyte.low) else "N"
    laboratory = ""
    if random.random() < 0.4:
        number = random.choice(LABORATORIES)
        laboratory = (
            f"|||||{reported}||||Example Laboratories^^^^^CLIA&2.16.840.1.113883.4.7&ISO^XX^^^{number}"
            "|7 Sample Way^^Testville^WI^53000"
        )
    return (
        f"OBX|{index}|{kind}|{analyte.loinc}^{analyte.name}^LN^{analyte.local}^{analyte.name.split(' ')[0]}^L||{value}|{unit}"
        f"|{interval}|{flag}|||{random.choice(STATUSES)}|||{collected}{laboratory}"
    )


def _time(random: Random) -> str:
    day = f"2026{random.randint(1, 12):02d}{random.randint(1, 28):02d}"
    return f"{day}{random.randint(0, 23):02d}{random.randint(0, 59):02d}{random.randint(0, 59):02d}{random.choice(ZONES)}"


if __name__ == "__main__":
    for one in islice(messages(), int(sys.argv[1])):
        sys.stdout.buffer.write(framed(one))
