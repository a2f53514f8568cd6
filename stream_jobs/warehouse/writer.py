"""The warehouse writer: messages of a consumer group, in batches, into the tables; then their offsets.

One batch goes through these steps, and a crash between any two of them changes nothing in the end, because the
messages are read again from the last committed offset and every step does nothing the second time:

1. decode the messages of each topic into rows;
2. stage the rows under a new batch id;
3. merge them into the topic's tables by key and version;
4. after all topics: commit the offsets;
5. now and then, and at the end: remove merged rows from the stage.

While one batch is written, by a thread of its own, the next one is read and decoded. There are never more than these
two: a batch is committed before the one after it begins to be written. All that has to do with the broker happens in
the caller's thread, all that has to do with the warehouse in the other one, except where nothing is being written.
"""

from __future__ import annotations

import datetime as dt
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from threading import Event
from types import TracebackType
from typing import Any, Self

import pyarrow as pa
import pyarrow.compute as pc
import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition
from confluent_kafka.schema_registry.error import SchemaRegistryError

from schemas import access, kafka_topics, registry, topics
from schemas.errors import FatalError, RecordError, RetriableError
from schemas.kafka_topics import Partition
from stream_jobs import versions
from stream_jobs.versions import Generation
from stream_jobs.warehouse import decode, merge, progress, stage
from stream_jobs.warehouse.connection import Place, Warehouse, connect, explained
from stream_jobs.warehouse.progress import GROUP
from stream_jobs.warehouse.tables import STAGES, ensure_tables

log = structlog.get_logger(__name__)

ATTEMPTS = 4
"""Tries of one batch in a bounded load; with the pauses below they outlast a restart of the emulator."""
PAUSE_SECONDS, PAUSE_SECONDS_MAX = 0.5, 30.0
TIDY_SECONDS, TIDY_BATCHES = 5, 50
"""Merged rows leave the stage when nothing has come for this long, or after this many batches."""
CONSUME_MESSAGES = 20_000
CONSUME_SECONDS = 0.05
SILENCE_SECONDS = 60
"""A broker that has messages delivers some of them, or an assignment, within this time."""
LOOK_SECONDS = 0.5
"""Between two looks of an idle writer at whether a swap wants it to leave; before each batch it looks as well."""
HOLD_SECONDS = 120
"""How long a bounded load waits for a swap to end; a swap takes some seconds, unless it was broken off."""
LOAD_AGAIN = "No offset was committed: run `civicwire load` again."


@dataclass(frozen=True, slots=True)
class Limits:
    """When a batch is complete.

    Attributes:
        rows: messages in a batch.
        bytes: bytes of values in a batch; decoding needs about three times as much memory, and the next batch is read
            meanwhile.
        flush_seconds: longest wait for more messages while following; on BigQuery a merge costs money, so take more.
        load_from_rows: rows of one topic from which a load job is used instead of appends.
    """

    rows: int = 200_000
    bytes: int = 96_000_000
    flush_seconds: float = 0.1
    load_from_rows: int = stage.LOAD_FROM_ROWS


@dataclass(slots=True)
class TableReport:
    """What was done to one table: rows read for it, rows that changed or were added, seconds in its merges."""

    read: int = 0
    merged: int = 0
    seconds: float = 0.0


@dataclass(slots=True)
class Report:
    """What a writer has done: per table, and seconds by step."""

    tables: dict[str, TableReport] = field(default_factory=dict)
    steps: dict[str, float] = field(default_factory=dict)
    batches: int = 0
    seconds: float = 0.0

    @property
    def read(self) -> int:
        """Messages read. (Revisions come from the same messages as incidents and indicators.)."""
        return sum(table.read for name, table in self.tables.items() if not name.endswith("_revisions"))

    @contextmanager
    def timed(self, step: str) -> Iterator[None]:
        """Add the time of the block to ``step``."""
        start = time.monotonic()
        try:
            yield
        finally:
            self.steps[step] = self.steps.get(step, 0.0) + time.monotonic() - start


@dataclass(slots=True)
class _Batch:
    """Messages by topic that wait to be written, how far each partition has been read, and what cannot be decoded.

    ``decoded`` holds the topics' rows when they are decoded, and ``messages`` no longer what they were decoded from.
    """

    messages: dict[str, decode.Messages] = field(default_factory=dict)
    decoded: dict[str, pa.Table] = field(default_factory=dict)
    next_offset: dict[Partition, int] = field(default_factory=dict)
    rows: int = 0
    bytes: int = 0
    since: float = 0.0
    unusable: FatalError | None = None


@dataclass(frozen=True, slots=True)
class _Writing:
    """A batch that is being written, and what comes of it: False when a swap is under way, so that nothing was."""

    batch: _Batch
    outcome: Future[bool]


class Writer:
    """Reads the topics as one member of a consumer group and writes the tables. Use it as a context manager.

    Args:
        bootstrap_servers: Kafka.
        registry_url: schema registry.
        warehouse: where the tables are; they are created where they are missing.
        group: consumer group.
        limits: when a batch is complete.
        skip: messages (topic, partition, offset) to leave out, because they cannot be decoded and a person said so.
        checkpoint: called with the name of each step that has just been completed, for tests that crash there; most are
            completed by the thread that writes.
        instance_id: makes the group member static: a restarted process gets its partitions without waiting.
        generation: the generation whose topics are read. None is the live one, whichever that is: while a swap makes
            another one live, the writer leaves its group and waits.
    """

    def __init__(
        self,
        bootstrap_servers: str,
        registry_url: str,
        warehouse: Warehouse,
        *,
        group: str = GROUP,
        limits: Limits | None = None,
        skip: Iterable[tuple[str, int, int]] = (),
        checkpoint: Callable[[str], None] = lambda _: None,
        instance_id: str | None = None,
        generation: Generation | None = None,
    ) -> None:
        self.warehouse = warehouse
        self.limits = limits or Limits()
        self.report = Report()
        self._bootstrap_servers = bootstrap_servers
        self._registry_url = registry_url
        self._group = group
        self._skip = frozenset(skip)
        self._checkpoint = checkpoint
        self._batch = _Batch()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="warehouse")
        self._writing: _Writing | None = None
        self._merged: dict[str, list[str]] = {}
        self._reached: dict[Partition, int] = {}
        self._assigned: set[Partition] = set()
        self._fixed = generation
        self._generation: Generation | None = None
        self._stages: dict[str, str] = {}
        self._looked = 0.0
        self._heard = ""
        configuration: dict[str, Any] = access.client(bootstrap_servers) | {
            "error_cb": self._hear,
            "group.id": group,
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "enable.partition.eof": True,
            "auto.offset.reset": "earliest",
            # After kill -9 the next writer waits this long for the partitions; 6 s is the least that brokers allow.
            "session.timeout.ms": 6_000,
            "heartbeat.interval.ms": 2_000,
            "max.poll.interval.ms": 900_000,
            "max.partition.fetch.bytes": 8_388_608,
        }
        if instance_id:
            configuration["group.instance.id"] = instance_id
        self._consumer = Consumer(configuration)

    @classmethod
    def of(cls, place: Place, **options: Any) -> Self:
        """Return the writer for the given settings.

        Raises:
            EnvironmentMissingError: a part that the writer needs is not running.
        """
        addresses = place.require("kafka", "registry")
        return cls(str(addresses.kafka), str(addresses.registry), connect(place), **options)

    def __enter__(self) -> Self:
        with explained(LOAD_AGAIN):
            ensure_tables(self.warehouse)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # What is being written is finished, and read again by whoever reads next.
        self._thread.shutdown(cancel_futures=True)
        self._writing = None
        self._consumer.close()
        self.warehouse.close()

    def catch_up(self) -> Report:
        """Write everything that the topics hold now, and return what was done.

        Messages that arrive meanwhile may be written too. Partitions that another member of the group reads are
        waited for.

        Raises:
            FatalError: a message cannot be decoded; all before it are written.
            RetriableError: the broker, the registry or the warehouse does not answer.
        """
        start = active = time.monotonic()
        wanted: dict[Partition, int] | None = None
        while True:
            if self._generation is None:
                self._join()
                wanted = None
            if wanted is None:
                wanted = progress.ends(self._bootstrap_servers, self._partitions())
                active = time.monotonic()
            if self._has_reached(wanted):
                self._flush()
                self._settle()
                if self._generation is not None:
                    break
            elif self._is_to_leave():
                self._leave()
            elif self._read(CONSUME_SECONDS):
                active = time.monotonic()
            elif time.monotonic() - active > SILENCE_SECONDS:
                heard = f" ({self._heard})" if self._heard else ""
                raise RetriableError(
                    f"No message and no partition for {SILENCE_SECONDS} s from {self._bootstrap_servers}{heard}: "
                    "check `civicwire status`, then run `civicwire load` again."
                )
            if self._is_full():
                self._flush()
                active = time.monotonic()
        self._tidy()
        self.report.seconds += time.monotonic() - start
        return self.report

    def run(self, stop: Event, alive: Callable[[], None] = lambda: None) -> Report:
        """Write what the topics hold and what arrives until ``stop`` is set; then finish the batch in hand and return.

        ``alive`` is called again and again while that goes well: after each batch, and while there is nothing to write.
        The warehouse may go away and come back: the batch in hand is tried until it is written.

        Raises:
            FatalError: a message cannot be decoded; all before it are written.
        """
        start = active = time.monotonic()
        while not stop.is_set():
            if self._generation is None and not self._join(stop):
                break
            if self._is_to_leave():
                self._leave()
                continue
            self._read(CONSUME_SECONDS)
            if self._heard:
                log.warning("kafka", error=self._heard)
                self._heard = ""
            now = time.monotonic()
            if self._batch.rows or self._writing:
                active = now
            waited = not self._batch.rows or now - self._batch.since >= self.limits.flush_seconds
            if self._is_full() or (waited and (self._writing is None or self._writing.outcome.done())):
                self._flush(stop)
                alive()
            if now - active > TIDY_SECONDS:
                self._tidy()
        self._flush()
        self._settle()
        self._tidy()
        self.report.seconds += time.monotonic() - start
        return self.report

    def _join(self, stop: Event | None = None) -> bool:
        """Join the group over the live generation's topics, after a swap that is under way; False when stopped first.

        Raises:
            RetriableError: without ``stop``, when the swap does not end.
        """
        deadline = time.monotonic() + HOLD_SECONDS
        while self._fixed is None and (found := self._live()).holding:
            if stop is None:
                if time.monotonic() > deadline:
                    raise RetriableError(
                        "A swap has not ended: `civicwire replay --swap` goes on with it, `--rollback` undoes it."
                    )
                time.sleep(LOOK_SECONDS)
            elif stop.wait(LOOK_SECONDS):
                return False
        generation = self._fixed or found.current
        kafka_topics.ensure(
            self._bootstrap_servers,
            [
                topics.DEAD_LETTERS,
                *(waiting.topic.at(generation.versions) for waiting in STAGES.values()),
            ],
        )
        self._generation, self._stages = generation, progress.reads(generation.versions)
        self._consumer.subscribe(list(self._stages), on_assign=self._on_assign, on_revoke=self._on_revoke)
        return True

    def _live(self) -> versions.Versions:
        self._looked = time.monotonic()
        return versions.current(self._bootstrap_servers, self._registry_url)

    def _is_to_leave(self) -> bool:
        """Whether a swap is known to be under way; looked up every :data:`LOOK_SECONDS`."""
        if time.monotonic() - self._looked < LOOK_SECONDS:
            return False
        try:
            return self._under_a_swap()
        except RetriableError as error:
            log.warning("whether a swap is under way cannot be told", error=str(error))
            return False

    def _under_a_swap(self) -> bool:
        """Whether a swap is under way, or has made another generation live.

        Raises:
            RetriableError: the broker does not answer.
        """
        if self._fixed is not None:
            return False
        found = self._live()
        return found.holding or self._generation is None or found.live != self._generation.number

    def _leave(self) -> None:
        """Leave the group. What was read and not written is read again by whoever joins next."""
        log.info("a swap is under way: leaving the group")
        self._end_writing()
        self._batch = _Batch()
        self._tidy()
        self._consumer.unsubscribe()
        deadline = time.monotonic() + SILENCE_SECONDS
        while self._assigned and time.monotonic() < deadline:
            self._consumer.consume(1, CONSUME_SECONDS)  # the library leaves while it is asked for messages
        self._batch = _Batch()
        self._generation, self._reached = None, {}
        self._assigned.clear()

    def _hear(self, error: KafkaError) -> None:
        """Remember what the client says while it reconnects by itself: it only times out otherwise."""
        self._heard = error.str()

    def _partitions(self) -> list[Partition]:
        return kafka_topics.partitions(self._bootstrap_servers, self._stages)

    def _on_assign(self, _: Consumer, assigned: list[TopicPartition]) -> None:
        self._assigned = {(at.topic, at.partition) for at in assigned}

    def _on_revoke(self, _: Consumer, revoked: list[TopicPartition]) -> None:
        """Forget what was read and is not being written: whoever gets the partitions reads it again."""
        self._end_writing()
        self._batch = _Batch()
        self._assigned -= {(at.topic, at.partition) for at in revoked}
        for at in revoked:
            self._reached.pop((at.topic, at.partition), None)

    def _has_reached(self, wanted: dict[Partition, int]) -> bool:
        if not self._assigned and any(wanted.values()):
            return False
        others = [at for at in wanted if at not in self._assigned]
        if any(self._reached.get(at, 0) < wanted[at] for at in self._assigned if at in wanted):
            return False
        done = progress.committed(self._bootstrap_servers, self._group, others)
        return all((done.get(at) or 0) >= wanted[at] for at in others)

    def _is_full(self) -> bool:
        return self._batch.rows >= self.limits.rows or self._batch.bytes >= self.limits.bytes

    def _read(self, seconds: float) -> bool:
        """Read what is there into the batch, at most ``seconds``; return whether anything came."""
        batch = self._batch
        with self.report.timed("read"):
            room = max(1, min(CONSUME_MESSAGES, self.limits.rows - batch.rows))
            received = self._consumer.consume(room, seconds)
            for message in received:
                self._take(message)
        return bool(received)

    def _take(self, message: Message) -> None:
        error = message.error()
        at = (str(message.topic()), int(message.partition() or 0))
        offset = int(message.offset() or 0)
        if error is not None:
            if error.code() != KafkaError._PARTITION_EOF:  # noqa: SLF001 (the library's own name)
                _complain(error)
                return
            self._batch.next_offset[at] = self._reached[at] = max(offset, self._reached.get(at, 0))
            return
        batch = self._batch
        batch.next_offset[at] = self._reached[at] = offset + 1
        if (*at, offset) in self._skip:
            log.warning("message skipped", topic=at[0], partition=at[1], offset=offset)
            return
        if not batch.rows:
            batch.since = time.monotonic()
        messages = batch.messages.get(at[0])
        if messages is None:
            messages = batch.messages[at[0]] = decode.Messages()
        value = message.value()
        messages.values.append(value)
        messages.keys.append(message.key())
        messages.partitions.append(at[1])
        messages.offsets.append(offset)
        batch.rows += 1
        batch.bytes += len(value or b"")

    def _flush(self, stop: Event | None = None) -> None:
        """Have the batch written, after the one before it has been committed; under a swap leave instead.

        Raises:
            FatalError: a message of the batch before cannot be decoded; all before it are written and committed.
            RetriableError: the warehouse kept failing. Nothing of the batch before was committed.
        """
        with suppress(RetriableError):  # the registry does not answer: whoever writes the batch asks again
            self._decode(self._batch)
        self._settle(stop)
        if self._generation is None:
            return
        if max(map(len, self._merged.values()), default=0) >= TIDY_BATCHES:
            self._tidy()
        batch, self._batch = self._batch, _Batch()
        if batch.rows:
            self._begin(batch)
        else:
            self._commit(batch)

    def _begin(self, batch: _Batch) -> None:
        self._writing = _Writing(batch, self._thread.submit(self._write, batch))

    def _settle(self, stop: Event | None = None) -> None:
        """Wait until the batch that is being written is, and commit its offsets; under a swap leave instead.

        With ``stop`` a failure that may pass is retried until it is set; without, :data:`ATTEMPTS` times.

        Raises:
            FatalError: a message cannot be decoded; all before it are written and committed.
            RetriableError: the warehouse kept failing. Nothing was committed.
        """
        attempt, pause = 1, PAUSE_SECONDS
        while self._writing is not None:
            writing, self._writing = self._writing, None
            try:
                if not writing.outcome.result():
                    self._leave()
                    return
            except RetriableError as error:
                if (stop is None and attempt >= ATTEMPTS) or (stop is not None and stop.is_set()):
                    raise
                log.warning("batch failed, trying again", attempt=attempt, pause_seconds=pause, error=str(error))
            else:
                self._commit(writing.batch)
                if writing.batch.unusable is not None:
                    raise writing.batch.unusable
                return
            if stop is None:
                time.sleep(pause)
            else:
                stop.wait(pause)
            attempt, pause = attempt + 1, min(pause * 2, PAUSE_SECONDS_MAX)
            self._begin(writing.batch)

    def _end_writing(self) -> None:
        """Wait for the batch that is being written, whose partitions are about to go, and commit it if it is."""
        writing, self._writing = self._writing, None
        if writing is None:
            return
        try:
            written = writing.outcome.result()
        except RetriableError as error:
            log.warning("batch failed, and is left to whoever reads its messages next", error=str(error))
            return
        if written:
            self._commit(writing.batch)

    def _write(self, batch: _Batch) -> bool:
        """Write a batch's rows, topic by topic; a topic that is done is not done again when a later one fails.

        A swap goes on once the group is empty. A writer that has read messages is a member, so a swap that is not
        recorded by now waits until this batch is committed. Returns False, with nothing written, when there is one.
        """
        if self._under_a_swap():
            return False
        with explained(LOAD_AGAIN):
            self._decode(batch)
            for topic in list(batch.decoded):
                if len(batch.decoded[topic]):
                    self._write_rows(self._stages[topic], batch.decoded[topic])
                del batch.decoded[topic]
        self.report.batches += 1
        return True

    def _decode(self, batch: _Batch) -> None:
        """Decode what is not decoded yet: of each topic up to the first unusable message of each partition."""
        for topic in list(batch.messages):
            with self.report.timed("decode"):
                rows = self._rows(batch, topic)
            if rows is not None:
                batch.decoded[topic] = rows
            del batch.messages[topic]

    def _rows(self, batch: _Batch, topic: str) -> pa.Table | None:
        while messages := batch.messages[topic]:
            try:
                return self._of_generation(topic, decode.rows(STAGES[self._stages[topic]], messages, self._schema))
            except decode.UndecodableError as error:
                batch.unusable = batch.unusable or _unusable(topic, error)
                batch.messages[topic] = messages.before(error.partition, error.offset)
                batch.next_offset[topic, error.partition] = error.offset
        return None

    def _of_generation(self, topic: str, rows: pa.Table) -> pa.Table:
        """Leave out dead letters of another version of normalise: those of this one are in a topic of their own."""
        ours = self._generation and self._generation.versions.get(topics.DEAD_LETTERS.name, 1) == 1
        if topic != topics.DEAD_LETTERS.name or ours:
            return rows
        return rows.filter(pc.field("stage") != "normalise")

    def _schema(self, schema_id: int) -> dict[str, Any]:
        try:
            found: dict[str, Any] = registry.schema_by_id(self._registry_url, schema_id)
        except SchemaRegistryError as error:  # all others have been explained
            raise RecordError("schema_unknown", f"the registry has no schema {schema_id}") from error
        return found

    def _write_rows(self, topic: str, rows: pa.Table) -> None:
        batch_id = uuid.uuid4().hex
        with self.report.timed("stage"):
            complete = stage.complete(STAGES[topic], rows, batch_id, dt.datetime.now(dt.UTC))
            stage.put(self.warehouse, STAGES[topic], complete, self.limits.load_from_rows)
            table_staged = stage.name(self.warehouse, STAGES[topic])
        self._checkpoint(f"staged {topic}")
        tables, withdrawals = merge.ORDER[topic], merge.has_withdrawals(complete)
        with self.report.timed("months"):
            months = merge.months_in(complete, tables[0].partition)
            months |= merge.months_held(self.warehouse, topic, table_staged, batch_id)
        for table in tables:
            start = time.monotonic()
            merged = merge.merge(self.warehouse, table, table_staged, batch_id, months, withdrawals=withdrawals)
            done = self.report.tables.setdefault(table.name, TableReport())
            done.read += len(rows)
            done.merged += merged
            done.seconds += time.monotonic() - start
            self._checkpoint(f"merged {table.name}")
        self._merged.setdefault(topic, []).append(batch_id)

    def _tidy(self) -> None:
        """Remove what has been merged from the stage: for many batches at once, because each removal is a query."""
        try:
            with self.report.timed("remove"), explained(LOAD_AGAIN):
                for topic in list(self._merged):
                    stage.remove(self.warehouse, STAGES[topic], self._merged[topic])
                    del self._merged[topic]
                    self._checkpoint(f"removed {topic}")
        except RetriableError as error:
            log.warning("merged rows stay in the stage until they expire or the next removal", error=str(error))

    def _commit(self, batch: _Batch) -> None:
        """Commit how far a batch went."""
        positions = [TopicPartition(topic, index, at) for (topic, index), at in batch.next_offset.items()]
        if positions:
            self._checkpoint("written")
            with self.report.timed("commit"):
                self._commit_positions(positions)
            self._checkpoint("committed")

    def _commit_positions(self, positions: list[TopicPartition]) -> None:
        try:
            self._consumer.commit(offsets=positions, asynchronous=False)
        except KafkaException as error:
            # Another member has the partitions now. It reads these messages again, which changes nothing.
            log.warning("offsets not committed", error=error.args[0].str())


def _unusable(topic: str, error: decode.UndecodableError) -> FatalError:
    place = f"{topic}:{error.partition}:{error.offset}"
    return FatalError(
        f"Message {place} cannot be decoded: {error.reason}. Everything before it in its partition is in the "
        "warehouse and nothing after it, so nothing is lost. Find out who wrote it; to go on without it (it stays in "
        f"the topic) run `civicwire load --skip {place}`."
    )


def _complain(error: KafkaError) -> None:
    """Log what the client says; it reconnects by itself.

    Raises:
        RetriableError: it cannot go on.
    """
    if error.fatal():
        raise RetriableError(f"The Kafka client cannot go on: {error.str()} Run `civicwire load` again.")
    log.warning("kafka", error=error.str())
