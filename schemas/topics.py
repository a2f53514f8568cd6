"""The topics: their names, keys, schemas and settings, in one place.

Retention is unlimited everywhere: the topics are the only durable state. (Kafka's default of seven days deletes
records with old timestamps within minutes, so timestamps are the broker's append time as well.) What is Kafka's own
default is not asked for: a managed broker refuses settings that its customers may not choose.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

RAW_PREFIX = "raw."
FOR_EVER = {"retention.ms": "-1", "message.timestamp.type": "LogAppendTime"}
COMPACTED = {
    "cleanup.policy": "compact",
    # A backfill writes the counts of a window again and again. A broker that may clean them at once does so all the
    # time: three quarters of its work, on the processors that the counting needs.
    "min.compaction.lag.ms": "600000",
    "retention.ms": "-1",
    "message.timestamp.type": "LogAppendTime",
}


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic: ``schema`` names the Avro file of its values; keys are text unless said otherwise."""

    name: str
    schema: str
    partitions: int
    config: dict[str, str] = field(default_factory=lambda: dict(FOR_EVER), hash=False)

    @property
    def subject(self) -> str:
        """Subject of the value schema in the registry (topic name strategy)."""
        return f"{self.name}-value"

    def at(self, versions: Mapping[str, int]) -> Topic:
        """Return the topic that stands for this one where ``versions`` has a later version of it than the first."""
        version = versions.get(self.name, 1)
        return self if version == 1 else replace(self, name=f"{self.name}.v{version}")


CURSORS = Topic("cursors", "cursor", 1, COMPACTED)
POLLS = Topic("polls", "poll", 1)
DRIFT = Topic("drift", "drift", 1)
DEAD_LETTERS = Topic("dead_letters", "dead_letter", 1)
INCIDENTS = Topic("incidents", "incident", 2)
PERSONS = Topic("persons", "person", 2)
INDICATORS = Topic("indicators", "indicator", 2)
INCIDENT_COUNTS = Topic("incident_counts", "incident_count", 2, COMPACTED)
"""Keys are JSON objects of the first six fields. A tombstone means that the job was started anew and has not made the
window again (yet)."""
ARRIVALS = Topic("arrivals", "arrival", 2, COMPACTED)
"""Keys are JSON objects of the first three fields; tombstones as above."""
VERSIONS = Topic("versions", "version", 1, COMPACTED)
"""One record, of which the newest counts: which of a topic's versions is the live one."""

SHARED = (CURSORS, POLLS, DRIFT, DEAD_LETTERS, INCIDENTS, PERSONS, INDICATORS, INCIDENT_COUNTS, ARRIVALS, VERSIONS)


def raw(source: str) -> Topic:
    """Return the topic of a feed's raw events; the key is the record id as text."""
    return Topic(f"{RAW_PREFIX}{source}", f"raw/{source}", 2)
