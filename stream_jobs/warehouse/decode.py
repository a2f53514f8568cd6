"""From the messages of one topic to the rows of its stage."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from schemas import loader, wire
from schemas.errors import RecordError
from stream_jobs.warehouse import columns
from stream_jobs.warehouse.tables import ARRIVALS, INCIDENT_COUNTS, TABLES, Column, Stage, Table

Values: TypeAlias = "pa.ChunkedArray[Any] | pa.Array[Any]"
CHUNK_MESSAGES = 16_384
"""Measured best: the batch's bytes and the columns being built stay in the processor's cache."""
UPSERTED = (INCIDENT_COUNTS, ARRIVALS)
"""Tables whose topics have tombstones: they set all counts of the key to 0."""
AS_PUBLISHED = {"newest_event_local"}
"""Civil times that a portal worded itself: null where they are none, because they inform and decide nothing."""


@dataclass(slots=True)
class Messages:
    """Messages of one topic: value, key, partition and offset of each, in the order in which they were read."""

    values: list[bytes | None] = field(default_factory=list)
    keys: list[bytes | None] = field(default_factory=list)
    partitions: list[int] = field(default_factory=list)
    offsets: list[int] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.values)

    def before(self, partition: int, offset: int) -> Messages:
        """Return the messages without those of ``partition`` from ``offset`` on."""
        kept = [i for i in range(len(self)) if self.partitions[i] != partition or self.offsets[i] < offset]
        return self.only(kept)

    def only(self, chosen: list[int]) -> Messages:
        """Return the messages at the positions ``chosen``."""
        return Messages(
            [self.values[i] for i in chosen],
            [self.keys[i] for i in chosen],
            [self.partitions[i] for i in chosen],
            [self.offsets[i] for i in chosen],
        )


class UndecodableError(Exception):
    """A message cannot become a row.

    Attributes:
        partition: its partition.
        offset: its offset.
        reason: why, as a clause without a full stop.
    """

    def __init__(self, partition: int, offset: int, reason: str) -> None:
        super().__init__(f"{partition}:{offset} {reason}")
        self.partition = partition
        self.offset = offset
        self.reason = reason


def rows(stage: Stage, messages: Messages, schema_by_id: Callable[[int], dict[str, Any]]) -> pa.Table:
    """Return the messages as rows of ``stage``, without its batch columns (loaded_at, batch_id, staged_at).

    Args:
        stage: the topic's stage.
        messages: at least one message.
        schema_by_id: returns the schema that an id in a message's header stands for; raises RecordError for none.

    Raises:
        UndecodableError: the first message, in reading order, that is not a record of the topic's schema.
    """
    parts = []
    for first in range(0, len(messages), CHUNK_MESSAGES):
        chosen = range(first, min(first + CHUNK_MESSAGES, len(messages)))
        parts.extend(_chunk(stage, messages.only(list(chosen)), schema_by_id))
    return pa.concat_tables(parts)


def _chunk(stage: Stage, messages: Messages, schema_by_id: Callable[[int], dict[str, Any]]) -> list[pa.Table]:
    """Return one table per schema id that occurs, and one for tombstones."""
    by_header: dict[bytes | None, list[int]] = {}
    for index, value in enumerate(messages.values):
        by_header.setdefault(None if value is None else value[: wire.HEADER.size], []).append(index)
    parts = []
    for header, chosen in by_header.items():
        group = messages if len(by_header) == 1 else messages.only(chosen)
        try:
            decoded = _tombstones(stage, group) if header is None else _records(stage, group, header, schema_by_id)
            parts.append(_with_position(stage, decoded, group, tombstone=header is None))
        except columns.MalformedError as error:
            raise UndecodableError(
                group.partitions[error.index],
                group.offsets[error.index],
                error.__cause__.detail
                if isinstance(error.__cause__, RecordError)
                else "it is not one record of its schema",
            ) from error
        except RecordError as error:
            raise UndecodableError(group.partitions[0], group.offsets[0], error.detail.rstrip(".")) from error
    return parts


def _records(
    stage: Stage, group: Messages, header: bytes, schema_by_id: Callable[[int], dict[str, Any]]
) -> dict[str, Values]:
    schema = schema_by_id(wire.schema_id(header))
    values = [value for value in group.values if value is not None]
    read = columns.decode(values, schema, wire.HEADER.size)
    own = {f["name"]: f for f in loader.document(stage.topic.schema)["fields"]}
    found: dict[str, Values] = {}
    for column in stage.columns:
        if column.name not in own:
            continue
        if column.name in read.column_names:
            found[column.name] = _typed(read.column(column.name), column)
        else:
            default = pa.scalar(own[column.name].get("default"), column.arrow.type)
            found[column.name] = pa.repeat(default, len(values))
    return found


def _typed(values: pa.ChunkedArray[Any], column: Column) -> Values:
    """Return ``values`` in the column's type; civil times are text on the wire.

    Raises:
        MalformedError: a text is not a civil time.
    """
    if column.type != "DATETIME":
        return values.cast(column.arrow.type)
    try:
        civil: Values = values.cast(column.arrow.type)
    except pa.ArrowInvalid as error:
        parsed = [_civil(text) for text in values]
        wrong = [i for i, (text, time) in enumerate(zip(values, parsed, strict=True)) if text.is_valid and not time]
        if wrong and column.name not in AS_PUBLISHED:
            malformed = columns.MalformedError(wrong[0])
            raise malformed from RecordError("time_invalid", f"its {column.name} is no civil time ({error})")
        civil = pa.array([time.as_py() if time else None for time in parsed], column.arrow.type)
    return civil


def _civil(text: pa.Scalar[Any]) -> pa.Scalar[Any] | None:
    try:
        return text.cast(pa.timestamp("us")) if text.is_valid else None
    except pa.ArrowInvalid:
        return None


def _tombstones(stage: Stage, group: Messages) -> dict[str, Values]:
    """Return rows that set the counts of the windows in the keys to 0.

    Raises:
        RecordError: the topic has no tombstones.
        MalformedError: a key is not one of this topic.
    """
    table = _table_of(stage)
    if table not in UPSERTED:
        raise RecordError("no_value", "it has no value, and this topic has no tombstones")
    keys = []
    for index, key in enumerate(group.keys):
        try:
            parsed = json.loads(key or b"")
            keys.append([str(parsed[name]) for name in table.key])
        except (ValueError, KeyError, TypeError) as error:
            malformed = columns.MalformedError(index)
            raise malformed from RecordError("key_invalid", f"it is a tombstone with an unusable key ({error!r})")
    found: dict[str, Values] = {}
    by_name = {column.name: column for column in stage.columns}
    for position, name in enumerate(table.key):
        texts = pa.chunked_array([pa.array([key[position] for key in keys], pa.string())])
        found[name] = _of_key(texts, by_name[name])
    fields = [field["name"] for field in loader.document(stage.topic.schema)["fields"]]
    zero = pa.array(np.zeros(len(keys), dtype=np.int64))
    for name in fields[len(table.key) :]:
        kind = by_name[name].arrow.type
        found[name] = zero if kind == pa.int64() else pa.nulls(len(keys), kind)
    return found


def _of_key(texts: pa.ChunkedArray[Any], column: Column) -> Values:
    """Return a field of JSON keys in the column's type; an instant in a key is its UTC wall clock.

    Raises:
        MalformedError: a text is no time.
    """
    if column.type != "TIMESTAMP":
        return _typed(texts, column)
    times = [_civil(text) for text in texts]
    if None in times:
        malformed = columns.MalformedError(times.index(None))
        raise malformed from RecordError("key_invalid", f"the {column.name} of its key is no time")
    civil = pa.array([time.as_py() for time in times if time], pa.timestamp("us"))
    return pc.assume_timezone(civil, "UTC")


def _with_position(stage: Stage, found: dict[str, Values], group: Messages, *, tombstone: bool) -> pa.Table:
    """Add the columns that come from the message's place in the topic, and those derived from others."""
    table = _table_of(stage)
    offsets = pa.array(group.offsets, pa.int64())
    found["kafka_partition"] = pa.array(group.partitions, pa.int64())
    found["kafka_offset"] = offsets
    found["tombstone"] = pa.array(np.full(len(group), tombstone))
    if table.civil_date:
        date, civil = table.civil_date
        found[date] = pc.cast(found[civil], pa.date32(), safe=False)
    if any(column.name == "version" for column in stage.columns):
        found["version"] = offsets
    ordered = [column.arrow for column in stage.columns if column.name in found]
    return pa.table([found[f.name] for f in ordered], schema=pa.schema(ordered))


def _table_of(stage: Stage) -> Table:
    return next(table for table in TABLES if table.topic is stage.topic)
