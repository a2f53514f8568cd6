"""Register the schemas with BACKWARD compatibility, and fetch them by id."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import fastavro
import httpx
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from confluent_kafka.schema_registry.error import SchemaRegistryError

from schemas import access, loader
from schemas.errors import ConfigError, UnreachableError
from schemas.topics import Topic
from schemas.wire import HEADER
from schemas.wire import schema_id as id_of

COMPATIBILITY = "BACKWARD"
_NOT_FOUND, _CONFLICT = 404, 409
_REFUSED = (401, 403)


@cache
def client(url: str) -> SchemaRegistryClient:
    """Return the client for the registry at ``url`` (one per address).

    Raises:
        ConfigError: the environment's settings for the registry do not fit together.
    """
    return SchemaRegistryClient(access.registry_client(url))


@contextmanager
def explained(url: str) -> Iterator[None]:
    """Let answers of the registry pass that are about a schema (not found, a conflict), and explain all others.

    Raises:
        UnreachableError: it does not answer, fails, or does not let us in; the message says what to look at.
    """
    try:
        yield
    except SchemaRegistryError as error:
        code = error.http_status_code
        if code in (_NOT_FOUND, _CONFLICT):
            raise
        look = (
            "Look at CIVICWIRE_REGISTRY_USERNAME and CIVICWIRE_REGISTRY_PASSWORD." if code in _REFUSED else "Try again."
        )
        raise UnreachableError(f"The registry at {url} refused with {code}: {error.error_message}. {look}") from error
    except httpx.HTTPError as error:
        look = access.registry_advice(url, str(error))
        raise UnreachableError(f"The registry at {url} does not answer: {error}. {look}") from error


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
        UnreachableError: the registry does not answer.
    """
    registry = client(url)
    try:
        with explained(url):
            if topic.subject not in registry.get_subjects():
                _set_compatibility(registry)
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
    """Return the writer's schema of ``schema_id``, parsed by fastavro.

    Raises:
        SchemaRegistryError: there is none.
        UnreachableError: the registry does not answer.
    """
    with explained(url):
        return fastavro.parse_schema(json.loads(str(client(url).get_schema(schema_id).schema_str)))


def decode(url: str, message: bytes) -> Any:
    """Return the record in ``message``, decoded with the schema that wrote it.

    Raises:
        RecordError: the message is not in Confluent's wire format.
    """
    return fastavro.schemaless_reader(io.BytesIO(message[HEADER.size :]), schema_by_id(url, id_of(message)), None)
