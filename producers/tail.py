"""Read a topic from remembered offsets to its present end, committed records only."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator, Mapping

from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    IsolationLevel,
    KafkaError,
    KafkaException,
    Message,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import OffsetSpec  # type: ignore[attr-defined]

from schemas import access
from schemas.errors import RetriableError
from schemas.kafka_topics import Partition, admin, partitions, unreachable

TIMEOUT_SECONDS = 30
BATCH = 10_000
WITHOUT_LEADER = (
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.UNKNOWN_TOPIC_OR_PART,
)
LEADER_SECONDS = 0.05
"""Between two questions to a partition without a leader."""
GATHER_SECONDS = 0.05
"""How long a batch is gathered before it is handed on, full or not."""
FETCH_WAIT_MS = 20
"""How long the broker waits at an end before it says so; its default of 500 would slow every poll."""

QUEUE_KIB = 32_768
"""What is fetched ahead of a reader; librdkafka's own bound is twice that for each partition."""

Offsets = dict[tuple[str, int], int]


def topic_ids(bootstrap_servers: str, topics: list[str]) -> dict[str, str]:
    """Return the broker's id of each topic: a topic that was deleted and made again has another one.

    Raises:
        UnreachableError: the broker does not answer.
    """
    described = admin(bootstrap_servers).describe_topics(TopicCollection(topics), request_timeout=TIMEOUT_SECONDS)
    try:
        return {name: str(future.result().topic_id) for name, future in described.items()}
    except KafkaException as error:
        raise unreachable(bootstrap_servers, error) from error


def consumer(bootstrap_servers: str) -> Consumer:
    """Return a consumer of committed records that belongs to no group and says when it reaches an end."""
    return Consumer(
        access.client(bootstrap_servers)
        | {
            "group.id": f"civicwire.tail.{uuid.uuid4().hex}",
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "isolation.level": "read_committed",
            "enable.partition.eof": True,
            "fetch.wait.max.ms": FETCH_WAIT_MS,
            "queued.max.messages.kbytes": QUEUE_KIB,
        }
    )


def last_offsets(bootstrap_servers: str, topic: str) -> Offsets:
    """Return the offset of the last record of each partition that holds any, whether it is committed yet or not.

    A consumer of committed records would be told the end of those alone.

    Raises:
        RetriableError: the broker does not answer.
    """
    asked = {TopicPartition(*at): OffsetSpec.latest() for at in partitions(bootstrap_servers, [topic])}  # type: ignore[no-untyped-call]
    futures = admin(bootstrap_servers).list_offsets(
        asked, isolation_level=IsolationLevel.READ_UNCOMMITTED, request_timeout=TIMEOUT_SECONDS
    )
    try:
        ends = {(at.topic, at.partition): found.result(TIMEOUT_SECONDS).offset for at, found in futures.items()}
    except (KafkaException, TimeoutError) as error:
        raise RetriableError(f"The broker does not tell the ends of {topic} ({error}). Poll again.") from error
    return {at: end - 1 for at, end in ends.items() if end > 0}


def read(
    bootstrap_servers: str, topics: list[str], offsets: Mapping[tuple[str, int], int], end: Callable[[Offsets], None]
) -> Iterator[list[Message]]:
    """Yield batches of committed records of ``topics`` from ``offsets`` (missing: the beginning) to their present ends.

    When all ends are reached ``end`` is called with the next offset of each partition.

    Raises:
        RetriableError: the broker did not deliver in time.
    """
    reader = consumer(bootstrap_servers)
    try:
        unread, reached = _ends(reader, partitions(bootstrap_servers, topics), offsets)
        open_ends: set[tuple[str | None, int | None]] = {(place.topic, place.partition) for place in unread}
        if unread:
            reader.assign(unread)
        while open_ends:
            batch = []
            for message in _batch(reader, topics):
                if message.error() is None:
                    batch.append(message)
                else:
                    open_ends.discard((message.topic(), message.partition()))
            if batch:
                yield batch
        for place in reader.position(unread) if unread else ():
            if place.offset >= 0:
                reached[place.topic, place.partition] = place.offset
        end(reached)
    finally:
        reader.close()


def _ends(
    reader: Consumer, places: list[Partition], offsets: Mapping[tuple[str, int], int]
) -> tuple[list[TopicPartition], Offsets]:
    """Return those of the partitions that hold something past ``offsets``, and the ends of the others."""
    unread: list[TopicPartition] = []
    reached: Offsets = {}
    for name, partition in places:
        start = offsets.get((name, partition), OFFSET_BEGINNING)
        low, high = _watermarks(reader, TopicPartition(name, partition))
        if high in (low, start):
            reached[name, partition] = high
        else:
            unread.append(TopicPartition(name, partition, start))
    return unread, reached


def _watermarks(reader: Consumer, place: TopicPartition) -> tuple[int, int]:
    """Return the first and the next offset; a partition that has only just been made has no leader for a moment."""
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while True:
        try:
            return reader.get_watermark_offsets(place, timeout=TIMEOUT_SECONDS)
        except KafkaException as error:
            if time.monotonic() > deadline or error.args[0].code() not in WITHOUT_LEADER:
                raise RetriableError(f"The broker does not tell the ends of {place.topic} ({error}).") from error
            time.sleep(LEADER_SECONDS)


def _batch(reader: Consumer, topics: list[str]) -> list[Message]:
    """Return the next messages; those with an error are ends of partitions."""
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while not (messages := reader.consume(BATCH, GATHER_SECONDS)):
        if time.monotonic() > deadline:
            raise RetriableError(f"The broker gave nothing of {topics} for {TIMEOUT_SECONDS} s. Is it running?")
    for message in messages:
        error = message.error()
        if error is not None and error.code() != KafkaError._PARTITION_EOF:  # noqa: SLF001 - the library's public name
            raise RetriableError(f"The broker does not give what {topics} hold ({error.str()}). Try again.")
    return messages
