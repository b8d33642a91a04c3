"""Metrics of the service: counted over several processes, and without patient data or labels without bound."""

import subprocess
import sys

COUNTED = """
import os, pathlib, sys
from adapter.service import metrics
metrics.prepare(pathlib.Path(sys.argv[1]))
metrics.received("mllp", "new")
metrics.connection("mllp", 1)
if os.fork() == 0:
    metrics.received("mllp", "new", 5)
    os._exit(0)
os.wait()
class Spool:
    def gauges(self):
        return {"queue_depth": [({"state": "received"}, 3)], "oldest_seconds": [({}, 1.5)]}
print(metrics.exposition(Spool())[0].decode())
"""
SENDERS = """
from adapter.service import metrics
for number in range(metrics.SENDERS + 50):
    metrics.converted(f"SENDER-{number}", "converted")
print(metrics.exposition()[0].decode())
"""


def run(program, *arguments):
    return subprocess.run([sys.executable, "-c", program, *arguments], check=True, capture_output=True, text=True).stdout


def test_processes_count_together(tmp_path):
    assert 'b2m_adapter_received_total{door="mllp",kind="new"} 6.0' in run(COUNTED, str(tmp_path / "metrics"))


def test_the_state_of_the_spool_is_read_at_the_scrape(tmp_path):
    text = run(COUNTED, str(tmp_path / "metrics"))
    assert 'b2m_adapter_queue_depth{state="received"} 3.0' in text
    assert "b2m_adapter_oldest_seconds 1.5" in text


def test_counts_of_an_earlier_run_do_not_stay(tmp_path):
    run(COUNTED, str(tmp_path / "metrics"))
    assert 'b2m_adapter_received_total{door="mllp",kind="new"} 6.0' in run(COUNTED, str(tmp_path / "metrics"))


def test_senders_beyond_the_bound_share_a_label():
    text = run(SENDERS)
    assert 'b2m_adapter_converted_total{fate="converted",sender="other"} 50.0' in text
    assert 'sender="SENDER-249"' not in text
