"""Register the schemas with BACKWARD compatibility, and fetch them by id."""

from __future__ import annotations

import io
import json
from functools import cache
from typing import Any

import fastavro
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from confluent_kafka.schema_registry.error import SchemaRegistryError

from schemas import loader
from schemas.errors import ConfigError
from schemas.topics import Topic
from schemas.wire import HEADER
from schemas.wire import schema_id as id_of

COMPATIBILITY = "BACKWARD"
TIMEOUT_SECONDS = 10
"""A registry on the same network answers in milliseconds; ten seconds tell a hang from a pause."""
_CONFLICT = 409


@cache
def client(url: str) -> SchemaRegistryClient:
    """Return the client for the registry at ``url`` (one per address)."""
    return SchemaRegistryClient({"url": url, "timeout": TIMEOUT_SECONDS})


def _set_compatibility(registry: SchemaRegistryClient) -> None:
    try:
        registry.set_compatibility(level=COMPATIBILITY)
    except SchemaRegistryError as error:
        # Another program, or another feed's poll in this one, sets the same rule at the same moment.
        if error.http_status_code != _CONFLICT:
            raise


@cache
def register(url: str, topic: Topic) -> int:
    """Register the topic's value schema with BACKWARD compatibility and return its id.

    Registering the same text again returns the same id.

    Raises:
        ConfigError: the schema file is not backward compatible with what is registered.
    """
    registry = client(url)
    if topic.subject not in registry.get_subjects():
        _set_compatibility(registry)
    try:
        return int(registry.register_schema(topic.subject, Schema(loader.text(topic.schema), "AVRO")))
    except SchemaRegistryError as error:
        if error.http_status_code != _CONFLICT:
            raise
        raise ConfigError(
            f"schemas/{topic.schema}.avsc is not {COMPATIBILITY} compatible with what {topic.subject} holds: "
            f"{error.error_message} Give every new field a default, and rename or retype none."
        ) from error


@cache
def schema_by_id(url: str, schema_id: int) -> Any:
    """Return the writer's schema of ``schema_id``, parsed by fastavro."""
    return fastavro.parse_schema(json.loads(str(client(url).get_schema(schema_id).schema_str)))


def decode(url: str, message: bytes) -> Any:
    """Return the record in ``message``, decoded with the schema that wrote it.

    Raises:
        RecordError: the message is not in Confluent's wire format.
    """
    return fastavro.schemaless_reader(io.BytesIO(message[HEADER.size :]), schema_by_id(url, id_of(message)), None)
