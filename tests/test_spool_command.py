"""`b2m-adapter spool`: what an operator sees and can ask for."""

import json

import pytest
from typer.testing import CliRunner

from adapter.cli import app
from adapter.service.spool.files import instant
from adapter.service.spool.intake import Arrival, IntakeStore
from adapter.service.spool.overview import Overview, Selection
from adapter.service.spool.requests import RequestBox
from adapter.service.spool.work import Delivery, Finished, WorkStore

TIME = "2026-05-04T03:02:01.000Z"
SENT = b"MSH|^~\\&|LAB|HOSPITAL|||20260504||ORU^R01|1|P|2.5.1\rPID|1||T-1||TEST^PATIENT\r"


@pytest.fixture
def spool(tmp_path):
    """Seven messages, one of each state; 1 is at two destinations."""
    folder = tmp_path / "spool"
    intake, work = IntakeStore(folder), WorkStore(folder)
    intake.put(
        [
            Arrival(
                SENT + b"%d" % each,
                "json" if each == 7 else "er7",
                "mllp",
                "peer",
                "LAB|EAST" if each < 4 else "OTHER|",
                str(each),
            )
            for each in range(1, 8)
        ],
        TIME,
    )
    issues = b'[{"slug":"bad-date","place":"OBX[1]-14","detail":""}]'
    sent = Delivery("archive", "delivered", 1, delivered_at=TIME)
    work.record(
        [
            Finished(1, "converted", "", issues, "t1", TIME, "p", b"{}", (sent, Delivery("fhir", "dead", 5, reason="http-422"))),
            Finished(
                2, "converted", "", b"[]", "t1", TIME, "p", b"{}", (sent, Delivery("fhir", "waiting", 1, reason="http-503"))
            ),
            Finished(3, "rejected", "no-msh", b"[]", "t1", TIME),
            Finished(4, "converted", "", b"[]", "t1", TIME, "p", b"{}", (sent,)),
            Finished(5, "unselected", "", b"[]", "t1", TIME),
        ]
    )
    work.drop(6, reason="test", time=TIME)
    intake.close()
    work.close()
    return folder


def run(spool, *arguments):
    return CliRunner(mix_stderr=False).invoke(app, ["spool", arguments[0], "--spool", str(spool), *map(str, arguments[1:])])


def listed(spool, *arguments):
    result = run(spool, "list", "--json", *arguments)
    assert result.exit_code == 0, result.stderr
    return [json.loads(line) for line in result.stdout.splitlines()]


def numbers(spool, *arguments):
    return [row["number"] for row in listed(spool, *arguments)]


def test_each_message_has_one_state(spool):
    assert [(row["number"], row["state"], row["reason"]) for row in listed(spool)] == [
        (1, "dead", "http-422"),
        (2, "waiting", "http-503"),
        (3, "rejected", "no-msh"),
        (4, "delivered", ""),
        (5, "unselected", ""),
        (6, "dropped", ""),
        (7, "received", ""),
    ]


def test_messages_are_chosen_by_state(spool):
    assert numbers(spool, "--state", "dead", "--state", "rejected") == [1, 3]
    assert numbers(spool, "--state", "delivered") == [4]
    assert numbers(spool, "--state", "received") == [7]


def test_the_state_at_one_destination(spool):
    assert [(row["number"], row["state"]) for row in listed(spool, "--destination", "archive")] == [
        (1, "delivered"),
        (2, "delivered"),
        (4, "delivered"),
    ]
    assert numbers(spool, "--destination", "fhir") == [1, 2]


def test_messages_are_chosen_by_sender(spool):
    assert numbers(spool, "--sender", "LAB") == numbers(spool, "--sender", "LAB|EAST") == [1, 2, 3]
    assert numbers(spool, "--sender", "LA") == []
    intake = IntakeStore(spool)
    intake.put([Arrival(b"x", "er7", "mllp", sender="LIS^1.2.3^ISO|WEST")], TIME)
    intake.close()
    assert numbers(spool, "--sender", "LIS") == numbers(spool, "--sender", "LIS^1.2.3^ISO") == [8]


def test_messages_are_chosen_by_time(spool):
    assert len(numbers(spool, "--since", "2026-05-04")) == 7
    assert numbers(spool, "--since", "2026-05-04T03:02:01.001Z") == []
    assert len(numbers(spool, "--since", "2026-05-04T05:02:01+02:00")) == 7
    fresh = IntakeStore(spool)
    fresh.put([Arrival(b"x", "er7", "mllp")], instant())
    fresh.close()
    assert numbers(spool, "--since", "90m") == [8]


def test_the_newest_are_listed(spool):
    assert numbers(spool, "--limit", 2) == [6, 7]
    assert len(numbers(spool, "--limit", 0)) == 7


def test_a_long_list_is_read_in_pages(tmp_path):
    intake = IntakeStore(tmp_path)
    intake.put([Arrival(b"%d" % each, "er7", "mllp") for each in range(1203)], TIME)
    overview = Overview(tmp_path)
    assert [entry.number for entry in overview.entries(Selection(("received",)))] == list(range(1, 1204))
    overview.close()
    intake.close()


def test_a_list_holds_no_patient_data(spool):
    text = run(spool, "list").stdout + run(spool, "list", "--json").stdout + run(spool, "show", 1).stdout
    assert "TEST" not in text
    assert "T-1" not in text


def test_a_sender_cannot_steer_the_terminal(spool):
    intake = IntakeStore(spool)
    intake.put([Arrival(b"x", "er7", "mllp", sender="\x1b[2JLAB|")], TIME)
    intake.close()
    assert "\x1b" not in run(spool, "list").stdout


def test_show_tells_issues_and_destinations(spool):
    row = json.loads(run(spool, "show", 1).stdout)
    assert row["issues"] == [{"slug": "bad-date", "place": "OBX[1]-14", "detail": ""}]
    assert [(each["destination"], each["state"], each["attempts"]) for each in row["deliveries"]] == [
        ("archive", "delivered", 1),
        ("fhir", "dead", 5),
    ]
    assert row["source_kept"] is row["output_kept"] is True


def test_show_prints_source_and_output(spool):
    assert run(spool, "show", 1, "--source").stdout_bytes == SENT + b"1"
    assert run(spool, "show", 1, "--output").stdout_bytes == b"{}"
    assert run(spool, "show", 4, "--output").exit_code == 1
    assert run(spool, "show", 99).exit_code == 1


def requests(spool):
    box = RequestBox(spool)
    found = [(each.action, each.message, each.destination, each.reason, each.forced) for each in box.after(0)]
    box.close()
    return found


def test_a_retry_is_asked_for(spool):
    assert run(spool, "retry", 1, 3, "--force").exit_code == 0
    assert requests(spool) == [("retry", 1, "", "", True), ("retry", 3, "", "", True)]


def test_what_is_finished_cannot_be_tried_again(spool):
    result = run(spool, "retry", 1, 4, 77)
    assert result.exit_code == 1
    assert "4, 77" in result.stderr
    assert [each[1] for each in requests(spool)] == [1]


def test_all_dead_letters_can_be_tried_again(spool):
    run(spool, "retry", "--dead")
    assert [each[1] for each in requests(spool)] == [1, 3]


def test_dead_letters_of_one_reason_or_destination(spool):
    run(spool, "retry", "--dead", "--reason", "422")
    run(spool, "retry", "--dead", "--destination", "fhir")
    assert requests(spool) == [("retry", 1, "", "", False), ("retry", 1, "fhir", "", False)]


def test_a_retry_needs_numbers_or_dead_but_not_both(spool):
    assert run(spool, "retry").exit_code == run(spool, "retry", 1, "--dead").exit_code == 2


def test_giving_up_needs_a_reason(spool):
    assert run(spool, "drop", 1).exit_code == run(spool, "drop", 1, "--reason", " ").exit_code == 2
    assert run(spool, "drop", 1, 2, 7, "--reason", "test message").exit_code == 0
    assert requests(spool)[2] == ("drop", 7, "", "test message", False)


def test_what_is_delivered_cannot_be_given_up(spool):
    assert run(spool, "drop", 4, "--reason", "x").exit_code == 1
    assert requests(spool) == []


def test_dead_letters_are_taken_out_with_their_reason(spool, tmp_path):
    out = tmp_path / "out"
    assert run(spool, "export", "--to", out).exit_code == 0
    files = sorted(out.iterdir())
    assert [file.name.split("-")[0] for file in files] == ["00000001", "00000001", "00000003", "00000003"]
    assert files[0].read_bytes() == SENT + b"1"
    assert json.loads(files[1].read_bytes())["reason"] == "http-422"
    assert {oct(file.stat().st_mode & 0o777) for file in files} == {"0o600"}


def test_fhir_is_taken_out_as_json(spool, tmp_path):
    run(spool, "export", "--to", tmp_path / "out", "--state", "received")
    assert sorted(file.name[-12:] for file in (tmp_path / "out").iterdir())[0].endswith(".json")


def test_what_is_gone_cannot_be_taken_out(spool, tmp_path):
    intake = IntakeStore(spool)
    intake.remove([4])
    intake.close()
    result = run(spool, "export", "--to", tmp_path / "out", "--state", "delivered")
    assert (result.exit_code, result.stderr) == (1, "b2m-adapter: not kept any longer: 4.\n")


def test_before_the_engine_ran_everything_is_received(tmp_path):
    intake = IntakeStore(tmp_path)
    intake.put([Arrival(SENT, "er7", "mllp")], TIME)
    assert [row["state"] for row in listed(tmp_path)] == ["received"]
    assert not (tmp_path / "work.db").exists()
    intake.close()


def test_looking_changes_nothing_while_the_service_writes(spool):
    intake = IntakeStore(spool)
    intake._database.execute("BEGIN IMMEDIATE")
    assert len(numbers(spool)) == 7
    intake._database.execute("ROLLBACK")
    intake.close()


@pytest.mark.parametrize("arguments", [("list",), ("show", "1"), ("retry", "--dead"), ("drop", "1", "--reason", "x")])
def test_without_a_spool_there_is_nothing_to_see(tmp_path, arguments):
    result = run(tmp_path / "none", *arguments)
    assert result.exit_code == 2
    assert "there is no spool" in result.stderr
    assert not (tmp_path / "none").exists()


def test_wrong_words_are_told(spool):
    assert run(spool, "list", "--state", "lost").exit_code == 2
    assert run(spool, "list", "--since", "yesterday").exit_code == 2
    assert CliRunner(mix_stderr=False).invoke(app, ["spool", "list"]).exit_code == 2


def test_the_settings_name_the_spool(spool, tmp_path):
    (tmp_path / "adapter.toml").write_text(f'[spool]\nfolder = "{spool}"\n')
    result = CliRunner(mix_stderr=False).invoke(app, ["spool", "list", "--config", str(tmp_path / "adapter.toml")])
    assert len(result.stdout.splitlines()) == 7
