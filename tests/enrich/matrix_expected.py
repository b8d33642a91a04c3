"""What every combination of LOINC code, unit, specimen and sender must give, written by hand from the sources.

Nothing here is read from `mappings/`: the codes are those of HL7 mCODE (STU1, STU4) and the LOINC component list, the spellings
those of laboratory catalogues and public feeds, the factors arithmetic (checked by ucumvert in the test).
"""

from typing import NamedTuple


class Code(NamedTuple):
    """A LOINC code: property, canonical unit, specimens that do not contradict it, and whether it is of a 24 hour collection."""

    property: str
    canonical: str
    specimens: frozenset[str]
    timing: str = "spot"


BLOODS = frozenset({"serum", "plasma", "blood", ""})
SERA = frozenset({"serum", "blood", ""})
#: A 24 hour collection contradicts a spot code; urine without a time contradicts none.
SPOT, DAY = frozenset({"urine", ""}), frozenset({"urine", "urine 24 h", ""})
CSF, NONE = frozenset({"csf", ""}), frozenset({""})
CSF_AND_SERUM = frozenset({"csf", "serum", "plasma", "blood", ""})

CODES = {
    "1952-1": Code("MCnc", "mg/L", BLOODS),
    "83078-6": Code("MCnc", "mg/L", BLOODS),
    "87708-4": Code("MCnc", "mg/L", BLOODS),
    "56786-7": Code("MCnc", "mg/L", SERA),
    "76484-5": Code("SCnc", "nmol/L", BLOODS),
    "14626-6": Code("SCnc", "nmol/L", SERA),
    "83076-0": Code("ACnc", "k[IU]/L", BLOODS),
    "43818-4": Code("PrThr", "", SERA),
    "1953-9": Code("MCnc", "mg/L", SPOT),
    "83077-8": Code("MCnc", "mg/L", SPOT),
    "54356-1": Code("MCnc", "mg/L", DAY, "24h"),
    "10873-8": Code("MRat", "mg/(24.h)", DAY, "24h"),
    "32302-2": Code("SCnc", "nmol/L", SPOT),
    "50824-2": Code("SCnc", "nmol/L", DAY, "24h"),
    "56662-0": Code("SRat", "nmol/(24.h)", DAY, "24h"),
    "83079-4": Code("ACnc", "k[IU]/L", SPOT),
    "43819-2": Code("PrThr", "", SPOT),
    "13485-8": Code("MRto", "ug/g{creat}", SPOT),
    "44303-6": Code("MRto", "ug/g{creat}", DAY, "24h"),
    "39773-7": Code("SRto", "umol/mol{creat}", SPOT),
    "59177-6": Code("Ratio", "ug/mmol{creat}", SPOT),
    "93729-2": Code("Ratio", "ug/mmol{creat}", DAY, "24h"),
    "1951-3": Code("MCnc", "mg/L", CSF),
    "32301-4": Code("SCnc", "nmol/L", CSF),
    "43919-0": Code("PrThr", "", CSF),
    "54355-3": Code("MCrto", "%", CSF_AND_SERUM),
    "48166-3": Code("MCnc", "mg/L", NONE),
    "39458-5": Code("SCnc", "nmol/L", NONE),
    "49081-3": Code("MCnc", "mg/L", NONE),
    "88711-7": Code("MCnc", "mg/L", NONE),
    "59217-0": Code("MCnc", "mg/L", NONE),
    "59218-8": Code("MCnc", "mg/L", NONE),
}

SPECIMENS = ("serum", "plasma", "blood", "urine", "urine 24 h", "csf", "")


class Unit(NamedTuple):
    """A spelling: the UCUM unit that it means, the property that has it, and 2.50 of it in the canonical unit."""

    ucum: str
    property: str
    value: str


UNITS = {
    "mg/L": Unit("mg/L", "MCnc", "2.50"),
    "mg/l": Unit("mg/L", "MCnc", "2.50"),
    "MG/L": Unit("mg/L", "MCnc", "2.50"),
    "mcg/mL": Unit("ug/mL", "MCnc", "2.50"),
    "ug/mL": Unit("ug/mL", "MCnc", "2.50"),
    "\u00b5g/mL": Unit("ug/mL", "MCnc", "2.50"),
    "\u03bcg/mL": Unit("ug/mL", "MCnc", "2.50"),
    "mcg/L": Unit("ug/L", "MCnc", "0.00250"),
    "ug/L": Unit("ug/L", "MCnc", "0.00250"),
    "\u00b5g/L": Unit("ug/L", "MCnc", "0.00250"),
    "\u03bcg/L": Unit("ug/L", "MCnc", "0.00250"),
    "\u00c2\u00b5g/L": Unit("ug/L", "MCnc", "0.00250"),
    "\u00ce\u00bcg/L": Unit("ug/L", "MCnc", "0.00250"),
    "ng/mL": Unit("ng/mL", "MCnc", "0.00250"),
    "mg/dL": Unit("mg/dL", "MCnc", "25.0"),
    "g/L": Unit("g/L", "MCnc", "2500"),
    "g/dL": Unit("g/dL", "MCnc", "25000"),
    "nmol/L": Unit("nmol/L", "SCnc", "2.50"),
    "umol/L": Unit("umol/L", "SCnc", "2500"),
    "ug/24 h": Unit("ug/(24.h)", "MRat", "0.00250"),
    "ug/24h": Unit("ug/(24.h)", "MRat", "0.00250"),
    "mcg/24 h": Unit("ug/(24.h)", "MRat", "0.00250"),
    "ug/(24.h)": Unit("ug/(24.h)", "MRat", "0.00250"),
    "mg/24h": Unit("mg/(24.h)", "MRat", "2.50"),
    "mg/d": Unit("mg/d", "MRat", "2.50"),
    "nmol/(24.h)": Unit("nmol/(24.h)", "SRat", "2.50"),
    "ug/g creat": Unit("ug/g{creat}", "MRto", "2.50"),
    "ug/g{creat}": Unit("ug/g{creat}", "MRto", "2.50"),
    "ug/gCR": Unit("ug/g{creat}", "MRto", "2.50"),
    "\u00b5g/grCr": Unit("ug/g{creat}", "MRto", "2.50"),
    "mg/g{creat}": Unit("mg/g{creat}", "MRto", "2500"),
    "ug/mmol{creat}": Unit("ug/mmol{creat}", "Ratio", "2.50"),
    "mg/mol creat": Unit("mg/mol{creat}", "Ratio", "2.50"),
    "umol/mol{creat}": Unit("umol/mol{creat}", "SRto", "2.50"),
    "kIU/L": Unit("k[IU]/L", "ACnc", "2.50"),
    "IU/L": Unit("[IU]/L", "ACnc", ""),
    "%": Unit("%", "MCrto", "2.50"),
}
"""An empty value: the unit fits the property and does not convert (arbitrary units never do)."""

REFUSED = ("ug/24.h", "mg/24.h", "G/l", "G/L", "Mg/L", "UG/24.H", "?g/L", "zorkmid")
"""Valid UCUM of another meaning, damaged, or nothing at all: the value stays as sent."""

BY_AXES = {
    ("serum", "MCnc"): "1952-1",
    ("plasma", "MCnc"): "1952-1",
    ("serum", "SCnc"): "76484-5",
    ("plasma", "SCnc"): "76484-5",
    ("urine", "MCnc"): "1953-9",
    ("urine", "SCnc"): "32302-2",
    ("urine", "MRat"): "10873-8",
    ("urine", "SRat"): "56662-0",
    ("urine", "MRto"): "13485-8",
    ("urine", "SRto"): "39773-7",
    ("urine", "Ratio"): "59177-6",
    ("urine 24 h", "MCnc"): "54356-1",
    ("urine 24 h", "SCnc"): "50824-2",
    ("urine 24 h", "MRat"): "10873-8",
    ("urine 24 h", "SRat"): "56662-0",
    ("urine 24 h", "MRto"): "44303-6",
    ("urine 24 h", "Ratio"): "93729-2",
    ("csf", "MCnc"): "1951-3",
    ("csf", "SCnc"): "32301-4",
}
"""LOINC code of the name alone, by specimen and property. Blood, no specimen and arbitrary units give none."""

EXCLUDED = {
    ("http://loinc.org", "32731-2"): "beta 2 globulin",
    ("http://loinc.org", "32729-6"): "beta 2 globulin",
    ("http://loinc.org", "32733-8"): "beta 2 globulin",
    ("http://loinc.org", "32735-3"): "beta 2 globulin",
    ("http://loinc.org", "13988-1"): "beta globulin of electrophoresis",
    ("http://loinc.org", "16135-6"): "beta 2 glycoprotein 1",
    ("http://loinc.org", "44447-1"): "beta 2 glycoprotein 1",
    ("http://loinc.org", "48413-9"): "alpha-1-microglobulin",
    ("http://loinc.org", "46723-3"): "alpha-1-microglobulin",
    ("http://loinc.org", "10467-9"): "amyloid antigen in tissue",
    ("urn:oid:2.16.840.1.113883.6.238", "1952-1"): "race Scammon Bay",
    ("urn:oid:2.16.840.1.113883.6.238", "1951-3"): "race Native Village of Saint Michael",
    ("http://www.ama-assn.org/go/cpt", "82232"): "procedure code of the order",
    ("http://www.ama-assn.org/go/cpt", "81503"): "ovarian score of five proteins",
    ("", "TR10873-8"): "order code for the Powassan virus antibody",
    ("", "B2G"): "beta 2 globulin",
}
"""Codes that look like the analyte and are something else."""

EXCLUDED_NAMES = ("Beta-2-Globulin", "Beta 2 Globulin", "Beta-2-Globuline", "Beta-2-Glycoprotein 1", "Alpha-1-Microglobulin")
SPREADSHEET_DATES = ("Jan-52", "Sep-53", "Mar-51", "13989-1")
"""What a spreadsheet makes of 1952-1, 1953-9 and 1951-3; and a code in circulation whose check digit is wrong."""
