"""Which topics stand for which: the record in the topic ``versions``, read cheaply and as often as one likes.

A replay makes a *generation* beside the live one: topics of a later version, a dataset of its own. A swap makes it the
live one. While it does, the record has a target, and then no writer writes.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import Any

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Producer, TopicPartition

from schemas import access, kafka_topics, loader, registry, wire
from schemas.errors import EnvironmentMissingError, RetriableError
from schemas.topics import VERSIONS

KEY = "line"
TIMEOUT_SECONDS = 30
ANSWER_SECONDS = 10
"""A broker answers in milliseconds. A following writer that is told to stop waits no longer for one that is away."""
LOOK_SECONDS = 0.05
_ABSENT = {KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC, KafkaError._UNKNOWN_PARTITION}  # noqa: SLF001
_ELECTING = {KafkaError.NOT_LEADER_FOR_PARTITION, KafkaError.LEADER_NOT_AVAILABLE}


@dataclass(frozen=True, slots=True)
class Generation:
    """One generation of topics and tables; the fields are those of ``schemas/version.avsc``."""

    number: int = 1
    job: str = ""
    versions: Mapping[str, int] = field(default_factory=dict)
    previous: int | None = None
    sources: tuple[str, ...] = ()
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Versions:
    """What is live, and what stands beside it; the fields are those of ``schemas/version.avsc``."""

    live: int = 1
    newest: int = 1
    target: int | None = None
    step: str = ""
    generations: tuple[Generation, ...] = (Generation(),)

    @property
    def current(self) -> Generation:
        """The live generation."""
        return self.generation(self.live)

    @property
    def beside(self) -> Generation | None:
        """The other generation, if there is one: what a replay has made, or what a swap has kept."""
        return next((one for one in self.generations if one.number != self.live), None)

    @property
    def holding(self) -> bool:
        """Whether writers must not write, because a swap is under way."""
        return self.target is not None

    def generation(self, number: int) -> Generation:
        """Return the generation of that number, which must be there."""
        return next(one for one in self.generations if one.number == number)


class Watch:
    """Reads the record of one broker; threads may share it.

    Args:
        bootstrap_servers: Kafka.
        registry_url: schema registry; needed once there is a record.
    """

    def __init__(self, bootstrap_servers: str, registry_url: str | None) -> None:
        self._bootstrap_servers = bootstrap_servers
        self._registry_url = registry_url
        self._lock = threading.Lock()
        self._next = 0
        self._known = Versions()
        self._at = TopicPartition(VERSIONS.name, 0)
        self._consumer: Consumer | None = None

    def current(self) -> Versions:
        """Return what the record says now: all that was written before the call is read.

        Raises:
            EnvironmentMissingError: there is a record and no registry is known.
            RetriableError: the broker does not answer.
        """
        with self._lock:
            end = self._end()
            if end is None:
                return Versions()
            if end < self._next:  # the topic was deleted and made again
                self._forget()
            if self._next < end:
                self._read(end)
            return self._known

    def _read(self, end: int) -> None:
        """Read to ``end``. Only meanwhile is the topic fetched: the next question would wait behind an idle fetch."""
        reader = self._reader()
        reader.assign([TopicPartition(VERSIONS.name, 0, self._next or OFFSET_BEGINNING)])
        deadline = time.monotonic() + TIMEOUT_SECONDS
        try:
            while self._next < end:
                if time.monotonic() > deadline:
                    raise RetriableError(
                        f"The broker at {self._bootstrap_servers} does not deliver the record of what is live: "
                        "check it with `civicwire status`."
                    )
                self._take(reader)
        finally:
            reader.unassign()

    def _take(self, reader: Consumer) -> None:
        for message in reader.consume(100, LOOK_SECONDS):
            if message.error() is None:
                self._next = int(message.offset() or 0) + 1
                if (value := message.value()) is not None:
                    self._known = self._decoded(value)

    def _decoded(self, value: bytes) -> Versions:
        if self._registry_url is None:
            raise EnvironmentMissingError(
                "Not running: registry, which is needed to read which topics are live. Start it with `civicwire up`."
            )
        record = registry.decode(self._registry_url, value)
        generations = tuple(
            Generation(**one | {"number": int(number), "sources": tuple(one["sources"].split())})
            for number, one in sorted(record["generations"].items())
        )
        return Versions(record["live"], record["newest"], record["target"], record["step"], generations)

    def _reader(self) -> Consumer:
        if self._consumer is None:
            self._consumer = Consumer(
                access.client(self._bootstrap_servers)
                | {
                    "group.id": f"civicwire-versions-{uuid.uuid4().hex}",
                    "enable.auto.commit": False,
                }
            )
        return self._consumer

    def _end(self) -> int | None:
        """Return the offset after the newest record; None where there is no topic."""
        if self._consumer is None and not self._there():
            return None
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while True:
            try:
                return int(self._reader().get_watermark_offsets(self._at, timeout=ANSWER_SECONDS)[1])
            except KafkaException as error:
                code = error.args[0].code()
                if code in _ABSENT:
                    self._forget()
                    return None
                if code not in _ELECTING or time.monotonic() > deadline:
                    raise kafka_topics.unreachable(self._bootstrap_servers, error) from error
            time.sleep(LOOK_SECONDS)

    def _there(self) -> bool:
        """Asked before the first look, because the client waits for a topic that it does not know."""
        return VERSIONS.name in kafka_topics.present(self._bootstrap_servers)

    def _forget(self) -> None:
        if self._consumer is not None:
            self._consumer.close()
        self._consumer, self._next, self._known = None, 0, Versions()


@cache
def watch(bootstrap_servers: str, registry_url: str | None) -> Watch:
    """Return this process's watch of a broker: kept, since a new one costs a connection."""
    return Watch(bootstrap_servers, registry_url)


def current(bootstrap_servers: str, registry_url: str | None) -> Versions:
    """Return what is live now.

    Raises:
        EnvironmentMissingError: there is a record and no registry is known.
        RetriableError: the broker does not answer.
    """
    return watch(bootstrap_servers, registry_url).current()


def write(bootstrap_servers: str, registry_url: str, versions: Versions) -> Versions:
    """Make ``versions`` what everybody reads from now on, and return it.

    Raises:
        RetriableError: the broker did not take it.
    """
    kafka_topics.ensure(bootstrap_servers, [VERSIONS])
    encode = wire.encoder(registry.register(registry_url, VERSIONS), loader.parsed(VERSIONS.schema))
    failures: list[str] = []
    producer = Producer(access.client(bootstrap_servers) | {"enable.idempotence": True})
    producer.produce(
        VERSIONS.name,
        encode(_record(versions)),
        KEY,
        on_delivery=lambda error, _: failures.append(str(error)) if error else None,
    )
    if producer.flush(TIMEOUT_SECONDS) or failures:
        raise RetriableError(f"The broker did not take the record of what is live {failures}: run it again.")
    return versions


def _record(versions: Versions) -> dict[str, Any]:
    generations = {
        str(one.number): asdict(one) | {"versions": dict(one.versions), "sources": " ".join(one.sources)}
        for one in versions.generations
    }
    return {
        "live": versions.live,
        "newest": versions.newest,
        "target": versions.target,
        "step": versions.step,
        "generations": generations,
        "changed_at": datetime.now(UTC),
    }
