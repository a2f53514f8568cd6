"""How far the writer's consumer group is behind its topics."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime

from confluent_kafka import (
    Consumer,
    IsolationLevel,
    KafkaError,
    KafkaException,
    TopicPartition,
)
from confluent_kafka.admin import OffsetSpec  # type: ignore[attr-defined]

from schemas import access, kafka_topics, topics
from schemas.errors import RetriableError
from schemas.kafka_topics import Partition, unreachable
from stream_jobs import versions
from stream_jobs.warehouse.connection import Place
from stream_jobs.warehouse.tables import STAGES

GROUP = "civicwire-warehouse"
TIMEOUT_SECONDS = 30
_PAUSE_SECONDS = 0.1
_ELECTING = {
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.UNKNOWN_TOPIC_OR_PART,
}
"""A topic that has just been made has no leader for some milliseconds."""
_COORDINATING = {
    KafkaError.NOT_COORDINATOR,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
}


def reads(versions: Mapping[str, int]) -> dict[str, str]:
    """Return the topics that a writer reads where topics have these versions, each with the name of its stage.

    Pollers write their dead letters to the first version alone, so that is read beside the one of normalise.
    """
    found = {stage.topic.at(versions).name: name for name, stage in STAGES.items()}
    return found | {topics.DEAD_LETTERS.name: topics.DEAD_LETTERS.name}


def ends(bootstrap_servers: str, wanted: list[Partition], *, first: bool = False) -> dict[Partition, int]:
    """Return the offset after the last committed message of each partition, or with ``first`` the earliest there is.

    Raises:
        RetriableError: the broker does not answer.
    """
    spec = OffsetSpec.earliest() if first else OffsetSpec.latest()  # type: ignore[no-untyped-call]
    return _offsets(bootstrap_servers, wanted, spec)


def offsets_at(bootstrap_servers: str, wanted: list[Partition], at: datetime) -> dict[Partition, int]:
    """Return the first offset of each partition that the broker got at that instant or later, the end where none is.

    Raises:
        RetriableError: the broker does not answer.
    """
    found = _offsets(bootstrap_servers, wanted, OffsetSpec.for_timestamp(int(at.timestamp() * 1000)))
    last = ends(bootstrap_servers, wanted)
    return {place: offset if offset >= 0 else last[place] for place, offset in found.items()}


def _offsets(bootstrap_servers: str, wanted: list[Partition], spec: OffsetSpec) -> dict[Partition, int]:
    admin = kafka_topics.admin(bootstrap_servers)  # the futures wait for ever once it is collected
    asked = {TopicPartition(topic, index): spec for topic, index in wanted}
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while True:
        futures = admin.list_offsets(
            asked, isolation_level=IsolationLevel.READ_COMMITTED, request_timeout=TIMEOUT_SECONDS
        )
        try:
            return {(at.topic, at.partition): found.result(TIMEOUT_SECONDS).offset for at, found in futures.items()}
        except (KafkaException, TimeoutError) as error:
            electing = isinstance(error, KafkaException) and error.args[0].code() in _ELECTING
            if not electing or time.monotonic() > deadline:
                raise unreachable(bootstrap_servers, error) from error
        time.sleep(_PAUSE_SECONDS)


def committed(bootstrap_servers: str, group: str, wanted: list[Partition]) -> dict[Partition, int | None]:
    """Return the offsets that the group has committed; None where it has none.

    Raises:
        RetriableError: the broker does not answer.
    """
    if not wanted:
        return {}
    # A consumer that subscribes to nothing is no member of the group. The admin client's question for a group's offsets
    # ends in a segmentation fault on a broker that has never had a group (librdkafka of confluent-kafka 2.16.1).
    reader = Consumer(access.client(bootstrap_servers) | {"group.id": group})
    places = [TopicPartition(topic, index) for topic, index in wanted]
    try:
        found = _coordinated(lambda: reader.committed(places, timeout=TIMEOUT_SECONDS))
    except KafkaException as error:
        raise unreachable(bootstrap_servers, error) from error
    finally:
        reader.close()
    for at in found:
        if at.error is not None:
            raise unreachable(bootstrap_servers, KafkaException(at.error))
    return {(at.topic, at.partition): at.offset if at.offset >= 0 else None for at in found}


def lag_of_group(bootstrap_servers: str, group: str = GROUP, names: Iterable[str] = STAGES) -> dict[str, int]:
    """Return for each topic that exists how many offsets the group is behind; 0 is caught up.

    Markers of transactions take offsets too, so this is an upper bound of the messages that wait.

    Raises:
        RetriableError: the broker does not answer.
    """
    wanted = kafka_topics.partitions(bootstrap_servers, names)
    last = ends(bootstrap_servers, wanted)
    first = ends(bootstrap_servers, wanted, first=True)
    done = committed(bootstrap_servers, group, wanted)
    behind = dict.fromkeys((topic for topic, _ in wanted), 0)
    for at in wanted:
        position = done.get(at)
        behind[at[0]] += max(0, last[at] - (first[at] if position is None else max(position, first[at])))
    return behind


def lag(place: Place) -> dict[str, int]:
    """Return for each topic how many offsets the warehouse is behind, for ``civicwire status``.

    Raises:
        EnvironmentMissingError: no broker is known.
        RetriableError: the broker does not answer.
    """
    addresses = place.require("kafka")
    kafka = str(addresses.kafka)
    live = versions.current(kafka, addresses.registry).current
    return lag_of_group(kafka, names=reads(live.versions))


def hand_over(bootstrap_servers: str, giver: str, taker: str, wanted: list[Partition]) -> None:
    """Let the group ``taker`` go on where ``giver`` has committed. The taker must have no members.

    Raises:
        RetriableError: the broker does not answer, or the taker has members.
    """
    set_offsets(bootstrap_servers, taker, committed(bootstrap_servers, giver, wanted))


def set_offsets(bootstrap_servers: str, group: str, offsets: Mapping[Partition, int | None]) -> None:
    """Commit ``offsets`` for a group without members; None leaves a partition as it is.

    Raises:
        RetriableError: the broker does not answer, or the group has members.
    """
    places = [TopicPartition(topic, index, at) for (topic, index), at in offsets.items() if at is not None]
    if not places:
        return
    # A commit from outside is taken only while the group has no members.
    committer = Consumer(access.client(bootstrap_servers) | {"group.id": group})
    try:
        done = _coordinated(lambda: committer.commit(offsets=places, asynchronous=False))
    except KafkaException as error:
        raise RetriableError(f"The offsets of {group} could not be set ({error}): run it again.") from error
    finally:
        committer.close()
    refused = [f"{at.topic}:{at.partition} {at.error}" for at in done or () if at.error]
    if refused:
        raise RetriableError(f"The offsets of {group} could not be set ({', '.join(refused)}): run it again.")


def _coordinated(ask: Callable[[], list[TopicPartition]]) -> list[TopicPartition]:
    """Return the answer of a group's coordinator, which a broker that has only just been started has to load first."""
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while True:
        try:
            return ask()
        except KafkaException as error:
            if error.args[0].code() not in _COORDINATING or time.monotonic() > deadline:
                raise
        time.sleep(_PAUSE_SECONDS)


def caught_up(place: Place) -> bool:
    """Return whether everything in the topics is in the warehouse."""
    return not any(lag(place).values())
