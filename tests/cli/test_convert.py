"""`b2m-adapter convert`: what users rely on, point by point."""

import gzip
import json
import stat

import pytest
from helpers.commands import convert_command, issues_in, rejected_in, slugs_in
from helpers.fixtures import FOLDER, expected_file, split

SERUM = FOLDER / "serum/above-range.hl7"
URINE = FOLDER / "urine/microgram-per-litre.hl7"
OTHER = FOLDER / "structures/other-analytes-only.hl7"
BATCH = FOLDER / "batches/file-and-batch.hl7"
MIXED = FOLDER / "batches/with-admission.hl7"
NO_PATIENT = FOLDER / "missing/patient.hl7"
ZONELESS = FOLDER / "missing/zone.hl7"
OBSERVATION = FOLDER / "fhir/observation.json"
ADMISSION = split(MIXED.read_bytes())[0][1].data


def value_quantity(line: bytes) -> dict:
    bundle = json.loads(line)
    return next(
        entry["resource"]["valueQuantity"] for entry in bundle["entry"] if entry["resource"]["resourceType"] == "Observation"
    )


# -- input and output ---------------------------------------------------------------------------------------------------------


def test_standard_input_to_standard_output():
    done = convert_command(stdin=SERUM.read_bytes())
    assert done.status == 0
    assert [json.loads(line)["type"] for line in done.lines] == ["transaction"]


def test_files_in_order_and_a_hyphen_for_standard_input():
    done = convert_command(URINE, "-", stdin=SERUM.read_bytes())
    assert done.lines == convert_command(URINE).lines + convert_command(SERUM).lines


def test_gzip_by_suffix(tmp_path):
    packed = tmp_path / "messages.hl7.gz"
    packed.write_bytes(gzip.compress(BATCH.read_bytes()))
    assert convert_command(packed).lines == convert_command(BATCH).lines


def test_every_kind_of_input_in_one_stream():
    data = SERUM.read_bytes() + OBSERVATION.read_bytes() + BATCH.read_bytes() + (FOLDER / "batches/mllp.hl7").read_bytes()
    done = convert_command(stdin=data)
    assert [json.loads(line)["resourceType"] for line in done.lines] == ["Bundle", "Observation"] + ["Bundle"] * 4


@pytest.mark.parametrize("fixture", ["serum/above-range.hl7", "fhir/results.ndjson", "fhir/array.json"])
def test_one_json_text_a_line(fixture):
    done = convert_command(FOLDER / fixture)
    assert len(done.lines) == len(expected_file(FOLDER / fixture).read_bytes().splitlines())


def test_summary_counts_messages_and_results():
    done = convert_command(MIXED)
    assert "2 converted (2 results), 1 unselected" in done.stderr


# -- flags --------------------------------------------------------------------------------------------------------------------


def test_from_er7_takes_json_for_noise():
    done = convert_command("--from", "er7", stdin=OBSERVATION.read_bytes())
    assert (done.status, done.lines) == (1, [])


def test_from_fhir_takes_er7_for_noise():
    done = convert_command("--from", "fhir", stdin=SERUM.read_bytes())
    assert (done.status, done.lines) == (1, [])


@pytest.mark.parametrize("form", ["transaction", "message", "collection"])
def test_to_a_bundle(form):
    (line,) = convert_command("--to", form, SERUM).lines
    bundle = json.loads(line)
    assert bundle["type"] == form
    assert all(("request" in entry) == (form == "transaction") for entry in bundle["entry"])
    assert (bundle["entry"][0]["resource"]["resourceType"] == "MessageHeader") == (form == "message")


def test_to_ndjson_is_one_resource_a_line_with_relative_references():
    resources = [json.loads(line) for line in convert_command("--to", "ndjson", SERUM).lines]
    observation = next(resource for resource in resources if resource["resourceType"] == "Observation")
    patient = next(resource for resource in resources if resource["resourceType"] == "Patient")
    assert observation["subject"]["reference"] == f"Patient/{patient['id']}"


def test_fhir_input_leaves_in_the_shape_it_came_unless_told():
    assert json.loads(convert_command(OBSERVATION).lines[0])["resourceType"] == "Observation"
    assert json.loads(convert_command("--to", "collection", OBSERVATION).lines[0])["type"] == "collection"


def test_units_canonical_is_the_default():
    (line,) = convert_command(URINE).lines
    assert b'"value":0.300,' in line
    assert value_quantity(line)["code"] == "mg/L"


def test_units_as_sent_keeps_the_senders_quantity_in_value():
    quantity = value_quantity(convert_command("--units", "as-sent", URINE).lines[0])
    assert (quantity["value"], quantity["code"]) == (300, "ug/L")
    assert quantity["extension"][0]["valueQuantity"]["code"] == "mg/L"


def test_only_passes_the_others_on_byte_for_byte(tmp_path):
    others = tmp_path / "others.hl7"
    done = convert_command("--only", "b2m", "--unselected", others, OTHER, SERUM)
    assert done.lines == convert_command(SERUM).lines
    assert others.read_bytes() == OTHER.read_bytes()
    assert stat.S_IMODE(others.stat().st_mode) == 0o600


def test_message_with_a_recognised_result_leaves_whole():
    mixed = FOLDER / "structures/several-orders.hl7"
    assert convert_command("--only", "b2m", mixed).lines == convert_command(mixed).lines


def test_other_message_types_are_counted_and_passed_on(tmp_path):
    others = tmp_path / "others.hl7"
    done = convert_command("--unselected", others, MIXED)
    assert done.status == 0
    assert len(done.lines) == 2
    assert others.read_bytes() == ADMISSION


def test_time_without_zone_is_a_date_and_the_summary_says_how_many():
    done = convert_command(ZONELESS)
    assert b'"effectiveDateTime":"2026-01-13"' in done.lines[0]
    assert "time-without-zone" in done.stderr.splitlines()[-1]


def test_timezone_for_times_without_offset():
    (line,) = convert_command("--timezone", "Europe/Vienna", ZONELESS).lines
    assert b'"effectiveDateTime":"2026-01-13T08:00:00+01:00"' in line


def test_timezone_is_weaker_than_an_offset_in_the_message():
    assert convert_command("--timezone", "America/New_York", SERUM).lines == convert_command(SERUM).lines


@pytest.mark.parametrize("time", ["20260329023000", "20261025023000"], ids=["does not exist", "exists twice"])
def test_local_time_at_the_change_of_clocks_is_a_date(time, tmp_path):
    data = ZONELESS.read_bytes().replace(b"20260113080000", time.encode())
    done = convert_command("--timezone", "Europe/Vienna", "--issues", tmp_path / "issues", stdin=data)
    day = f"{time[:4]}-{time[4:6]}-{time[6:8]}"
    assert f'"effectiveDateTime":"{day}"'.encode() in done.lines[0]
    assert "local-time-ambiguous" in slugs_in(tmp_path / "issues")


@pytest.mark.parametrize("mode", ["structure", "full", "off"])
def test_validation_does_not_change_good_output(mode):
    assert convert_command("--validate", mode, SERUM, OBSERVATION).lines == convert_command(SERUM, OBSERVATION).lines


def test_mappings_lay_a_site_over_the_shipped_tables():
    """The example site knows the unit `MG PER L` of its own laboratory."""
    data = SERUM.read_bytes().replace(b"|mg/L|", b"|MG PER L|")
    site = FOLDER.parent / "mappings/sites/example"
    assert "code" not in value_quantity(convert_command(stdin=data).lines[0])
    assert value_quantity(convert_command("--mappings", site, stdin=data).lines[0])["code"] == "mg/L"


# -- issues, rejects, exit status ---------------------------------------------------------------------------------------------


def test_issues_as_ndjson(tmp_path):
    convert_command("--issues", tmp_path / "issues", BATCH, NO_PATIENT)
    rows = issues_in(tmp_path / "issues")
    assert {"message": 3, "severity": "error", "slug": "missing-patient", "place": "PID"}.items() <= rows[-1].items()
    assert stat.S_IMODE((tmp_path / "issues").stat().st_mode) == 0o600


def test_wrong_count_of_a_batch_is_an_issue_of_the_stream(tmp_path):
    convert_command("--issues", tmp_path / "issues", FOLDER / "batches/wrong-count.hl7")
    assert "batch-count" in slugs_in(tmp_path / "issues")


def test_rejects_keep_the_bytes_and_the_reason(tmp_path):
    done = convert_command("--rejects", tmp_path / "rejects", SERUM, NO_PATIENT, URINE)
    assert (done.status, len(done.lines)) == (1, 2)
    ((data, reason),) = rejected_in(tmp_path / "rejects").items()
    assert data == NO_PATIENT.read_bytes()
    assert (reason["slug"], reason["place"]) == ("missing-patient", "PID")
    assert reason["action"]
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in (tmp_path / "rejects").iterdir())


def test_name_of_a_reject_holds_nothing_of_the_message(tmp_path):
    convert_command("--rejects", tmp_path / "rejects", NO_PATIENT)
    name = min(path.name for path in (tmp_path / "rejects").iterdir())
    number, digest = name.split("-")
    assert number.isdigit()
    int(digest, 16)


def test_fail_on_turns_an_issue_into_status_1():
    conflict = FOLDER / "flags/conflicting.hl7"
    assert convert_command(conflict).status == 0
    assert convert_command("--fail-on", "flag-conflict", conflict).status == 1
    assert convert_command("--fail-on", "flag-conflict", SERUM).status == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ("--to", "batch"),
        ("--units", "imperial"),
        ("--timezone", "Mars/Olympus"),
        ("--validate", "maybe"),
        ("--fail-on", "no-such-issue"),
        ("--only", "no-such-pack"),
        ("--from", "csv"),
        ("--no-such-flag",),
        ("no-such-file.hl7",),
    ],
    ids=" ".join,
)
def test_usage_fault_is_status_2_and_nothing_is_converted(arguments):
    done = convert_command(*arguments, SERUM)
    assert (done.status, done.lines) == (2, [])
    assert done.stderr


def test_fault_in_a_table_is_status_2_names_file_line_and_column_and_nothing_is_read(tmp_path):
    site = tmp_path / "site"
    (site / "common").mkdir(parents=True)
    (site / "common/units.csv").write_text("id,spelling,ucum,display,status,source,note\nbad-unit,MGL,mg//L,,,test,\n")
    done = convert_command("--mappings", site, "--rejects", tmp_path / "rejects", SERUM)
    assert (done.status, done.lines) == (2, [])
    assert "units.csv" in done.stderr
    assert "2" in done.stderr
    assert "ucum" in done.stderr
    assert not (tmp_path / "rejects").exists()


def test_damaged_gzip_is_status_3(tmp_path):
    packed = tmp_path / "messages.hl7.gz"
    packed.write_bytes(gzip.compress(BATCH.read_bytes())[:-20])
    done = convert_command(SERUM, packed)
    assert done.status == 3
    assert len(done.lines) >= 1
    assert "part-way" in done.stderr


def test_larger_message_than_the_limit_goes_to_the_rejects_whole(tmp_path):
    large = SERUM.read_bytes() + b"NTE|1|L|" + b"x" * 3000 + b"\r"
    done = convert_command("--limit", "2048", "--rejects", tmp_path / "rejects", stdin=large + URINE.read_bytes())
    assert done.status == 1
    assert done.lines == convert_command(URINE).lines
    ((data, reason),) = rejected_in(tmp_path / "rejects").items()
    assert reason["slug"] == "oversize"
    assert data == large


# -- privacy ------------------------------------------------------------------------------------------------------------------


def test_no_patient_data_in_issues_and_errors_unless_asked_for(tmp_path):
    """Every fixture at once: no name, number, value or note of a message is written."""
    files = [path for path in FOLDER.glob("*/*.hl7") if path.parent.name != "charsets"]
    done = convert_command("--issues", tmp_path / "issues", *files)
    written = done.stderr + (tmp_path / "issues").read_text()
    for text in ("PATIENT", "T00", "19600101", "2.45", "hemolysed", "4,2", "Repeated and confirmed", "pending"):
        assert text not in written, text


def test_show_phi_shows_what_the_sender_wrote(tmp_path):
    done = convert_command("--show-phi", "--issues", tmp_path / "issues", FOLDER / "value-types/no-number.hl7")
    assert "4,2" in done.stderr
    assert issues_in(tmp_path / "issues")[0]["value"] == "4,2"


def test_fail_on_no_message_makes_an_empty_input_a_failure(tmp_path):
    empty = tmp_path / "empty.hl7"
    empty.write_bytes(b"")
    assert convert_command(str(empty)).status == 0
    assert convert_command("--fail-on", "no-message", str(empty)).status == 1
