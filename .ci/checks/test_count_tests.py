"""The count of the gate's tests fails where it must: no test, a failed one, a skipped one that is not listed, a stale list."""

import count_tests
import pytest

PASSED = '<testcase classname="tests.test_a" name="test_one"/>'
FAILED = '<testcase classname="tests.test_a" name="test_two"><failure message="no"/></testcase>'
BROKEN = '<testcase classname="" name="tests.test_b"><error message="collection failure"/></testcase>'
SKIPPED = '<testcase classname="tests.test_a" name="test_three"><skipped message="no disk here"/></testcase>'


@pytest.fixture
def count(tmp_path, monkeypatch, capsys):
    """Gives the status and the last line for reports that hold these test cases; `accepted` is the list of skips."""

    def counted(*reports, accepted=""):
        (tmp_path / "accepted.csv").write_text("test,reason,why\n" + accepted)
        monkeypatch.setattr(count_tests, "ACCEPTED", tmp_path / "accepted.csv")
        for number, cases in enumerate(reports):
            (tmp_path / f"{number}.xml").write_text(f"<testsuites><testsuite>{''.join(cases)}</testsuite></testsuites>")
        status = count_tests.main(str(tmp_path), *(str(number) for number in range(len(reports))))
        return status, capsys.readouterr().out.splitlines()[-1]

    return counted


def test_all_runs_are_counted_together(count):
    assert count([PASSED, PASSED], [PASSED]) == (0, "3 passed, 0 failed")


def test_a_run_without_a_test_fails(count):
    assert count([PASSED], []) == (1, "1 passed, 0 failed")


def test_a_run_of_which_nothing_passed_fails(count):
    accepted = "tests.test_a::test_three,no disk here,\n"
    assert count([SKIPPED], accepted=accepted) == (1, "0 passed, 0 failed")


def test_no_run_at_all_fails(count):
    assert count() == (1, "0 passed, 0 failed")


def test_a_report_that_is_missing_fails(count, tmp_path):
    count([PASSED])
    assert count_tests.main(str(tmp_path), "0", "elsewhere") == 1


@pytest.mark.parametrize("fault", [FAILED, BROKEN])
def test_a_failed_test_fails(count, fault):
    assert count([PASSED, fault]) == (1, "1 passed, 1 failed")


def test_a_skipped_test_fails_unless_its_reason_is_listed(count):
    assert count([PASSED, SKIPPED]) == (1, "1 passed, 0 failed")
    assert count([PASSED, SKIPPED], accepted="tests.test_a::test_three,another reason,\n") == (1, "1 passed, 0 failed")
    assert count([PASSED, SKIPPED], accepted="tests.test_a::test_three,no disk here,\n") == (0, "1 passed, 0 failed")


def test_a_listed_test_that_is_no_more_fails(count):
    assert count([PASSED], accepted="tests.test_a::test_gone,no disk here,\n") == (1, "1 passed, 0 failed")
