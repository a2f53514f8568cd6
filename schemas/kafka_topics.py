"""The topics of a broker: which there are, and making those that do not exist yet."""

from __future__ import annotations

import time
from collections.abc import Iterable
from functools import cache

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._metadata import TopicMetadata
from confluent_kafka.cimpl import NewTopic

from schemas import access
from schemas.errors import FatalError, UnreachableError
from schemas.topics import Topic

TIMEOUT_SECONDS = 30
ANSWER_SECONDS = 1
"""So long a question waits; the connection is made meanwhile, and the next question finds it."""
KNOCK_SECONDS = 5
"""A broker at the other end of the world has refused a login by then, TLS included."""
Partition = tuple[str, int]
"""Topic and partition."""


@cache
def admin(bootstrap_servers: str) -> AdminClient:
    """Return the admin client of this process for a broker: kept, since its answers are lost with it; silent.

    Raises:
        ConfigError: the environment's settings for the broker do not fit together.
    """
    return AdminClient(access.client(bootstrap_servers))


def present(bootstrap_servers: str) -> dict[str, TopicMetadata]:
    """Return the topics that the broker has.

    Raises:
        ConfigError: the environment's settings for the broker do not fit together.
        UnreachableError: it does not answer, or does not let us in; the message says why.
    """
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while True:
        try:
            return admin(bootstrap_servers).list_topics(timeout=ANSWER_SECONDS).topics
        except KafkaException as error:
            heard = _heard(bootstrap_servers)
            if time.monotonic() > deadline or (heard is not None and access.refused(heard)):
                raise _unreachable(bootstrap_servers, error, heard) from error


def unreachable(bootstrap_servers: str, error: Exception) -> UnreachableError:
    """Return the error for a question that was not answered: what one hears who knocks at the broker now."""
    return _unreachable(bootstrap_servers, error, _heard(bootstrap_servers))


def _unreachable(bootstrap_servers: str, error: Exception, heard: KafkaError | None) -> UnreachableError:
    if heard is None and isinstance(error, KafkaException):
        heard = error.args[0]
    # The library goes on with its own settings' names there, which are not ours.
    why = str(error) if heard is None else heard.str().partition(", verify that ")[0]
    return UnreachableError(
        f"The broker at {bootstrap_servers} does not answer: {why}. {access.advice(bootstrap_servers, heard)}"
    )


def _heard(bootstrap_servers: str) -> KafkaError | None:
    """Return what goes wrong when one connects now, None when nothing does.

    Clients try a login that was refused again and again and only time out; the reason is told to a callback, which a
    client serves when it is polled. A client of its own hears it from the first word, also when the others are at work.
    """
    heard: list[KafkaError] = []
    knocking = AdminClient(access.client(bootstrap_servers) | {"error_cb": heard.append})
    deadline = time.monotonic() + KNOCK_SECONDS
    while time.monotonic() < deadline:
        try:
            knocking.list_topics(timeout=ANSWER_SECONDS)
        except KafkaException:
            knocking.poll(0)
        else:
            return None
        if refused := [error for error in heard if access.refused(error)]:
            return refused[0]
    # That all brokers are down says no more than what came before it.
    return next((error for error in heard if error.code() != KafkaError._ALL_BROKERS_DOWN), None)  # noqa: SLF001


def partitions(bootstrap_servers: str, names: Iterable[str]) -> list[Partition]:
    """Return the partitions of those of the topics ``names`` that exist, in order.

    Raises:
        UnreachableError: the broker does not answer.
    """
    there = present(bootstrap_servers)
    return [(name, index) for name in names if name in there for index in sorted(there[name].partitions)]


def ensure(bootstrap_servers: str, topics: Iterable[Topic]) -> None:
    """Create each of ``topics`` that is not there; leave the others as they are.

    Raises:
        FatalError: the broker refused for another reason than that the topic exists.
        UnreachableError: the broker does not answer.
    """
    there = present(bootstrap_servers)
    copies = access.replication(bootstrap_servers)
    missing = [
        NewTopic(topic.name, topic.partitions, copies, config=topic.config)
        for topic in topics
        if topic.name not in there
    ]
    if not missing:
        return
    for name, future in admin(bootstrap_servers).create_topics(missing, operation_timeout=TIMEOUT_SECONDS).items():
        try:
            future.result()
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise FatalError(
                    f"The topic {name} could not be made: {error.args[0].str()}. Somebody who may make topics has to "
                    "make it, or another CIVICWIRE_KAFKA_REPLICATION is needed."
                ) from error
