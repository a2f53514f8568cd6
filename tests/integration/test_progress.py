"""How far consumer groups are, asked of a real broker."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from confluent_kafka import Consumer

from civicwire.stack import Stack
from schemas import kafka_topics, topics
from schemas.errors import RetriableError
from stream_jobs.warehouse import progress

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


def test_a_group_without_members_goes_on_where_another_was_and_one_with_members_does_not(tmp_path: Path):
    places = [("incidents", 0), ("incidents", 1)]
    with Stack(tmp_path, ("kafka",)) as stack:
        kafka = str(stack.endpoints.kafka)
        kafka_topics.ensure(kafka, [topics.INCIDENTS])
        progress.set_offsets(kafka, "giver", {places[0]: 7, places[1]: None})
        progress.hand_over(kafka, "giver", "taker", places)
        assert progress.committed(kafka, "taker", places) == {places[0]: 7, places[1]: None}
        progress.set_offsets(kafka, "giver", {places[0]: 3})
        progress.hand_over(kafka, "giver", "taker", places)
        assert progress.committed(kafka, "taker", places)[places[0]] == 3
        member = Consumer({"bootstrap.servers": kafka, "group.id": "taker", "enable.auto.commit": False})
        member.subscribe([topics.INCIDENTS.name])
        while not member.assignment():
            member.poll(0.1)
        with pytest.raises(RetriableError, match="could not be set"):
            progress.set_offsets(kafka, "taker", {places[0]: 5})
        member.close()
