"""Make room for a stateful job that starts from nothing.

Such a job rebuilds its output from the start of its input, but a window that became empty while no state remembered it
gets no tombstone from the rebuilding. So everything that is still live in the sinks is ended first. For the time of the
rebuilding the sinks are incomplete; in the end they are exact.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition

from schemas import access, kafka_topics
from schemas.errors import RetriableError
from schemas.topics import Topic

TIMEOUT_SECONDS = 30
BATCH = 10_000
LOOK_SECONDS = 0.1
"""``consume`` waits for a whole batch, also at the end of the topic: a long wait would be waited out every time."""


def from_nothing(bootstrap_servers: str, group: str, sinks: Sequence[Topic]) -> None:
    """Forget the group's offsets and write a tombstone under every live key of ``sinks``.

    Raises:
        RetriableError: the broker did not take or give something in time.
    """
    _forget(bootstrap_servers, group)
    for topic in sinks:
        _end(bootstrap_servers, _live_keys(bootstrap_servers, topic), topic)


def _forget(bootstrap_servers: str, group: str) -> None:
    """Otherwise the group would look as if it had caught up before the job has read anything."""
    admin = kafka_topics.admin(bootstrap_servers)
    try:
        known = admin.list_consumer_groups().result(TIMEOUT_SECONDS).valid
        if any(one.group_id == group for one in known):
            admin.delete_consumer_groups([group])[group].result(TIMEOUT_SECONDS)
    except (KafkaException, TimeoutError) as error:
        raise RetriableError(f"The offsets of {group} could not be deleted ({error}): start again.") from error


def _live_keys(bootstrap_servers: str, topic: Topic) -> set[tuple[int, bytes]]:
    """Return ``(partition, key)`` of every key whose last value is no tombstone."""
    consumer = Consumer(
        access.client(bootstrap_servers)
        | {
            "group.id": f"civicwire-restate-{uuid.uuid4().hex}",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
        }
    )
    try:
        consumer.assign([TopicPartition(topic.name, partition, 0) for partition in range(topic.partitions)])
        live: set[tuple[int, bytes]] = set()
        unread = set(range(topic.partitions))
        heard = time.monotonic()
        while unread:
            messages = consumer.consume(BATCH, LOOK_SECONDS)
            if messages:
                heard = time.monotonic()
            elif time.monotonic() - heard > TIMEOUT_SECONDS:
                raise RetriableError(f"{topic.name} could not be read within {TIMEOUT_SECONDS} s: start again.")
            for message in messages:
                if (error := message.error()) is None:
                    at = (int(message.partition() or 0), bytes(message.key() or b""))
                    (live.discard if message.value() is None else live.add)(at)
                elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001  the library's only name for it
                    unread.discard(int(message.partition() or 0))
        return live
    finally:
        consumer.close()


def _end(bootstrap_servers: str, keys: set[tuple[int, bytes]], topic: Topic) -> None:
    if not keys:
        return
    failures: list[str] = []
    producer = Producer(access.client(bootstrap_servers) | {"enable.idempotence": True, "linger.ms": 20})
    for partition, key in sorted(keys):
        while True:
            try:
                producer.produce(
                    topic.name,
                    None,
                    key,
                    partition,
                    on_delivery=lambda error, _: failures.append(str(error)) if error else None,
                )
                break
            except BufferError:
                producer.poll(1)
    left = producer.flush(TIMEOUT_SECONDS)
    if left or failures:
        raise RetriableError(f"{topic.name} did not take {left + len(failures)} tombstones: start again.")
