"""Create the topics that do not exist yet."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from schemas.topics import Topic

TIMEOUT_SECONDS = 30
SYSLOG_CRITICAL = 2
"""librdkafka prints its own retries and clean-ups to stderr; what matters comes back as an error."""


@cache
def admin(bootstrap_servers: str) -> AdminClient:
    """Return the admin client of this process for a broker: kept, since its answers are lost with it; silent."""
    return AdminClient({"bootstrap.servers": bootstrap_servers, "log_level": SYSLOG_CRITICAL})


def ensure(bootstrap_servers: str, topics: Iterable[Topic], replication: int = 1) -> None:
    """Create each of ``topics`` that is not there; leave the others as they are.

    Raises:
        KafkaException: the broker refused for another reason than that the topic exists.
    """
    client = admin(bootstrap_servers)
    present = client.list_topics(timeout=TIMEOUT_SECONDS).topics
    missing = [
        NewTopic(topic.name, topic.partitions, replication, config=topic.config)
        for topic in topics
        if topic.name not in present
    ]
    if not missing:
        return
    for future in client.create_topics(missing, operation_timeout=TIMEOUT_SECONDS).values():
        try:
            future.result()
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise
