"""Read records of any topic back, decoded, for people."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from confluent_kafka import Message

from civicwire.settings import Settings
from producers import tail
from schemas import kafka_topics, registry
from schemas.errors import ConfigError
from stream_jobs.warehouse import progress


def sizes(settings: Settings) -> dict[str, int]:
    """Return how many offsets each topic spans (transaction markers take some too), by name."""
    kafka = str(settings.require("kafka").kafka)
    present = kafka_topics.present(kafka)
    names = sorted(name for name in present if not name.startswith("_"))
    partitions = kafka_topics.partitions(kafka, names)
    ends = progress.ends(kafka, partitions)
    firsts = progress.ends(kafka, partitions, first=True)
    return {name: sum(ends[at] - firsts[at] for at in partitions if at[0] == name) for name in names}


def records(settings: Settings, name: str, *, last: int, key: str | None = None) -> Iterator[dict[str, Any]]:
    """Yield records of the topic: the ``last`` of each partition, or with ``key`` all that have it.

    A record has ``partition``, ``offset``, ``at`` (ISO, UTC), ``key`` and ``value`` (None for a tombstone).

    Raises:
        ConfigError: there is no such topic.
        EnvironmentMissingError: the broker or the registry is not running.
    """
    reach = settings.require("kafka", "registry")
    kafka, url = str(reach.kafka), str(reach.registry)
    partitions = kafka_topics.partitions(kafka, [name])
    if not partitions:
        raise ConfigError(f"There is no topic {name!r}: `civicwire topic` lists them.")
    firsts = progress.ends(kafka, partitions, first=True)
    ends = progress.ends(kafka, partitions)
    # Two more than asked for: the last offsets of a partition may be markers of transactions.
    start = firsts if key is not None else {at: max(firsts[at], ends[at] - last - 2) for at in partitions}
    newest: dict[int, list[Message]] = {}
    for batch in tail.read(kafka, [name], start, lambda _: None):
        for message in batch:
            if key is None:
                newest.setdefault(int(message.partition() or 0), []).append(message)
            elif message.key() == key.encode():
                yield _decoded(message, url)
    for messages in newest.values():
        for message in messages[-last:]:
            yield _decoded(message, url)


def _decoded(message: Message, url: str) -> dict[str, Any]:
    body = message.value()
    value: Any = None
    if body is not None:
        value = registry.decode(url, body)
    return {
        "partition": message.partition(),
        "offset": message.offset(),
        "at": datetime.fromtimestamp(message.timestamp()[1] / 1000, UTC).isoformat(timespec="milliseconds"),
        "key": (message.key() or b"").decode("utf-8", "replace"),
        "value": value,
    }
