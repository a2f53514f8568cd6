"""Flink table definitions, made from the Avro files, so that a SQL file holds nothing but its logic.

A generated column is nullable exactly where the Avro field is, because Flink writes with our own schema text (the
format's ``schema`` option) and refuses a table that differs from it: what Flink registers is the registered schema.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from schemas import loader
from schemas.topics import Topic
from stream_jobs import access

POSITION = {
    "partition": "int not null metadata virtual",
    "offset": "bigint not null metadata virtual",
}
"""Where Kafka keeps a record; normalise writes it beside every incident as the proof of origin."""

COUNT_KEY = ("source", "grain", "window_start", "area", "category", "kind")
"""Key of ``incident_counts``; the order is that of the JSON key and part of the contract."""
ARRIVAL_KEY = ("source", "grain", "window_start")
"""Key of ``arrivals``."""

BATCHES = {"properties.batch.size": "131072", "properties.linger.ms": "20"}
"""A producer wakes its sender for each batch that fills: with Kafka's own 16 KiB, for every thirtieth incident."""

_PRIMITIVES = {
    "string": "string",
    "bytes": "bytes",
    "boolean": "boolean",
    "int": "int",
    "long": "bigint",
    "double": "double",
}


@dataclass(frozen=True, slots=True)
class Cluster:
    """What a table needs to know of the world outside Flink.

    Attributes:
        kafka: bootstrap servers, host:port.
        registry: base URL of the Confluent-compatible registry API.
        exactly_once: write in Kafka transactions that end with each checkpoint, instead of at once and at least once.
        transactional_id: prefix of the transactional ids; unique per job.
        versions: version of each topic that is not its first. Tables keep the topics' own names, so SQL knows of none.
    """

    kafka: str
    registry: str
    exactly_once: bool = False
    transactional_id: str = "civicwire"
    versions: Mapping[str, int] = field(default_factory=dict)


def sql_type(avro: Any) -> str:
    """Return the Flink SQL type of an Avro type, ``not null`` unless it is a union with null.

    A ``timestamp-millis`` becomes ``timestamp(3)`` and holds the UTC wall clock.

    Raises:
        ValueError: the type is none that civicwire uses.
    """
    if isinstance(avro, list):
        (value,) = (branch for branch in avro if branch != "null")
        return sql_type(value).removesuffix(" not null")
    if isinstance(avro, str):
        return f"{_PRIMITIVES[avro]} not null"
    if avro.get("logicalType") == "timestamp-millis":
        return "timestamp(3) not null"
    if avro.get("logicalType") == "date":
        return "date not null"
    if avro["type"] == "record":
        fields = ", ".join(f"`{field['name']}` {sql_type(field['type'])}" for field in avro["fields"])
        return f"row<{fields}> not null"
    if avro["type"] == "map":
        return f"map<string not null, {sql_type(avro['values'])}> not null"
    raise ValueError(f"No Flink type for the Avro type {avro!r}: add it to stream_jobs/tables.py.")


def columns(schema: str) -> dict[str, str]:
    """Return column names and types of the Avro file ``schema``, in order."""
    return {field["name"]: sql_type(field["type"]) for field in loader.document(schema)["fields"]}


def create(name: str, columns: Mapping[str, str], options: Mapping[str, str], primary_key: Iterable[str] = ()) -> str:
    """Return a ``create temporary table`` statement."""
    lines = [f"    `{column}` {kind}" for column, kind in columns.items()]
    key = ", ".join(f"`{column}`" for column in primary_key)
    if key:
        lines.append(f"    primary key ({key}) not enforced")
    body = ",\n".join(lines)
    settings = ",\n".join(f"    '{option}' = '{_quoted(value)}'" for option, value in options.items())
    return f"create temporary table `{name}` (\n{body}\n) with (\n{settings}\n)"


def source(
    cluster: Cluster, topic: Topic, *, group: str, from_start: bool, fields: Collection[str] | None = None
) -> str:
    """Return the table that reads ``topic``; Kafka's partition and offset stand beside the fields.

    ``fields`` names those that the job needs, all by default: Avro skips the others without making values of them.

    A job that is restored goes on where its checkpoint says. Without one it reads from the start, which is what a job
    with state must do, or else (``from_start`` false) from the group's committed offsets where there are any.
    """
    return create(
        table_name(topic),
        {**{name: kind for name, kind in columns(topic.schema).items() if _wanted(name, fields)}, **POSITION},
        {
            "connector": "kafka",
            "topic": topic.at(cluster.versions).name,
            **access.kafka(cluster.kafka),
            "properties.group.id": group,
            "properties.isolation.level": "read_committed",
            **(
                {"scan.startup.mode": "earliest-offset"}
                if from_start
                else {"scan.startup.mode": "group-offsets", "properties.auto.offset.reset": "earliest"}
            ),
            **_avro(cluster, topic, fields),
        },
    )


def sink(cluster: Cluster, topic: Topic, *, key: str) -> str:
    """Return the table that appends to ``topic``; ``key`` names the column whose text is the Kafka key."""
    return create(
        table_name(topic),
        columns(topic.schema),
        {
            "connector": "kafka",
            "topic": topic.at(cluster.versions).name,
            **access.kafka(cluster.kafka),
            **BATCHES,
            "key.format": "raw",
            "key.fields": key,
            **_avro(cluster, topic),
            **_delivery(cluster, topic),
        },
    )


def upsert_sink(cluster: Cluster, topic: Topic, *, key: Iterable[str]) -> str:
    """Return the table that upserts into ``topic`` under a JSON key; a row that is retracted leaves a tombstone."""
    return create(
        table_name(topic),
        columns(topic.schema),
        {
            "connector": "upsert-kafka",
            "topic": topic.at(cluster.versions).name,
            **access.kafka(cluster.kafka),
            **BATCHES,
            "key.format": "json",
            **_avro(cluster, topic),
            **_delivery(cluster, topic),
        },
        primary_key=key,
    )


def table_name(topic: Topic) -> str:
    """Return the name of the topic's table: ``raw.x`` is the table ``raw_x``."""
    return topic.name.replace(".", "_")


def _wanted(name: str, fields: Collection[str] | None) -> bool:
    return fields is None or name in fields


def _avro(cluster: Cluster, topic: Topic, fields: Collection[str] | None = None) -> dict[str, str]:
    document = loader.document(topic.schema)
    document = {**document, "fields": [field for field in document["fields"] if _wanted(field["name"], fields)]}
    return {
        "value.format": "avro-confluent",
        **{f"value.avro-confluent.{name}": value for name, value in access.registry(cluster.registry).items()},
        "value.avro-confluent.subject": topic.at(cluster.versions).subject,
        "value.avro-confluent.schema": json.dumps(document),
    }


def _delivery(cluster: Cluster, topic: Topic) -> dict[str, str]:
    if not cluster.exactly_once:
        return {"sink.delivery-guarantee": "at-least-once"}
    return {
        "sink.delivery-guarantee": "exactly-once",
        "sink.transactional-id-prefix": f"{cluster.transactional_id}-{topic.at(cluster.versions).name}",
        "properties.transaction.timeout.ms": "300000",
    }


def _quoted(value: str) -> str:
    return value.replace("'", "''")
