"""Publish one poll in one Kafka transaction: all of it becomes visible, or none."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from schemas import access
from schemas.errors import FatalError, RetriableError
from schemas.kafka_topics import unreachable

TRANSACTION_TIMEOUT_MS = 600_000
"""Ten minutes: rows are fetched before the transaction begins, so it only has to carry them to the broker."""
INIT_TIMEOUT_SECONDS = 60
LINGER_MS = 10
BATCH_BYTES = 262_144
QUEUE_MESSAGES = 200_000
QUEUE_KIB = 131_072
"""What waits to be sent; librdkafka's own bound is a gigabyte."""
SERVE_EVERY = 500
"""Messages between two looks at the delivery reports."""

Delivered = Callable[[KafkaError | None, Message], None]

Outgoing = tuple[str, str, bytes]
"""Topic, key as text, value."""


FENCED = (KafkaError._FENCED, KafkaError.INVALID_PRODUCER_EPOCH, KafkaError.PRODUCER_FENCED)  # noqa: SLF001
Written = dict[tuple[str, int], int]
"""Topic and partition to the offset of the last record written there."""


class FencedError(FatalError):
    """Another poller of the feed has taken over."""


class Publisher:
    """The transactional producer of one feed.

    Its transactional id is the feed's, so a second poller of the same feed fences the first, and a transaction that a
    killed poller left open is aborted before anything else is read. What else publishes events of the feed has a
    ``role`` of its own and the ledger's lock, and fences no poller.
    """

    def __init__(self, source: str, bootstrap_servers: str, role: str = "poller") -> None:
        self._source = source
        self._written: Written = {}
        self._producer = Producer(
            access.client(bootstrap_servers)
            | {
                "transactional.id": f"civicwire.{role}.{source}",
                "transaction.timeout.ms": TRANSACTION_TIMEOUT_MS,
                "linger.ms": LINGER_MS,
                "batch.size": BATCH_BYTES,
                "compression.type": "lz4",
                "queue.buffering.max.messages": QUEUE_MESSAGES,
                "queue.buffering.max.kbytes": QUEUE_KIB,
            }
        )
        try:
            self._producer.init_transactions(INIT_TIMEOUT_SECONDS)
        except KafkaException as error:
            if error.args[0].fatal():
                raise FatalError(
                    f"{source}: the broker gives no transactions ({error.args[0].str()}). Poll again."
                ) from error
            raise unreachable(bootstrap_servers, error) from error

    def publish(self, messages: Iterable[Outgoing], before_commit: Callable[[], None], own: str = "") -> Written:
        """Write ``messages`` and commit; ``before_commit`` is called when all are written.

        Only the commit counts: ``flush`` alone would return 0 after losing a message. The broker answers a commit
        before readers can see its records, so the offsets that were written are returned, to be waited for. Those of
        the topic ``own``, which nobody else writes, are not: its end says the same, and a report for each of a million
        events costs more than sending them.

        Raises:
            FencedError: another poller of this feed has taken over.
            RetriableError: the broker refused; nothing became visible.
        """
        self._written = {}
        sent = 0
        try:
            self._producer.begin_transaction()
            for topic, key, value in messages:
                self._produce(topic, key, value, None if topic == own else self._delivered)
                sent += 1
                if sent % SERVE_EVERY == 0:
                    self._producer.poll(0)
            self._producer.flush()
            before_commit()
            self._producer.commit_transaction()
        except KafkaException as error:
            self._give_up(error.args[0])
            raise RetriableError(f"{self._source}: the transaction was not committed ({error}). Poll again.") from error
        except BaseException:
            self._abort()
            raise
        return self._written

    def _produce(self, topic: str, key: str, value: bytes, delivered: Delivered | None) -> None:
        while True:
            try:
                self._producer.produce(topic, key=key, value=value, on_delivery=delivered)
            except BufferError:
                self._producer.poll(0.1)
            else:
                return

    def _delivered(self, error: KafkaError | None, message: Message) -> None:
        if error is None:
            self._written[message.topic() or "", message.partition() or 0] = message.offset() or 0

    def _give_up(self, error: KafkaError) -> None:
        if error.code() in FENCED or (error.fatal() and "fenced" in error.str()):
            raise FencedError(
                f"{self._source}: another poller of this feed has started, so this one stops. "
                "Run one poller for each feed."
            )
        if error.fatal():
            raise FatalError(f"{self._source}: the producer cannot go on ({error.str()}). Start the poll again.")
        self._abort()

    def _abort(self) -> None:
        """Abort the transaction; after a fatal error, which then shows here again, there is nothing to abort."""
        try:
            self._producer.abort_transaction()
        except KafkaException as error:
            if error.args[0].fatal():
                self._give_up(error.args[0])
