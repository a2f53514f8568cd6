"""How far consumer groups are, asked of a real broker."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from civicwire.stack import Stack
from schemas import kafka_topics, topics

pytestmark = pytest.mark.parts
ASK = """
from stream_jobs.warehouse import progress
print(progress.committed({kafka!r}, "never-seen", [("incidents", 0), ("incidents", 1)]))
"""


def test_a_broker_that_never_had_a_group_says_that_nothing_is_committed(tmp_path: Path):
    with Stack(tmp_path, ("kafka",)) as stack:
        kafka = str(stack.endpoints.kafka)
        kafka_topics.ensure(kafka, [topics.INCIDENTS])
        # In a process of its own: another way of asking killed it.
        done = subprocess.run(
            [sys.executable, "-c", ASK.format(kafka=kafka)], capture_output=True, text=True, check=False, timeout=120
        )
    assert (done.returncode, done.stdout.strip()) == (0, "{('incidents', 0): None, ('incidents', 1): None}"), (
        done.stderr
    )
