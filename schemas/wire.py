"""Confluent's wire format: a zero byte, the schema id as four bytes big-endian, then the Avro body."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Sequence
from typing import Any

import fastavro

from schemas import encoding
from schemas.errors import RecordError

HEADER = struct.Struct(">bI")
MAGIC = 0


def encoder(schema_id: int, schema: Any) -> Callable[[dict[str, Any]], bytes]:
    """Return a function that encodes one record of the parsed ``schema`` behind the header of ``schema_id``."""
    header = HEADER.pack(MAGIC, schema_id)
    try:
        return encoding.writer(schema, header)
    except encoding.UnsupportedSchemaError:
        return _by_fastavro(header, schema)


def cells_encoder(schema_id: int, schema: Any, fields: Sequence[str], cells: str) -> Callable[..., bytes]:
    """Return ``encoding.cells_writer`` of the parsed ``schema`` behind the header of ``schema_id``."""
    return encoding.cells_writer(schema, fields, cells, HEADER.pack(MAGIC, schema_id))


def _by_fastavro(header: bytes, schema: Any) -> Callable[[dict[str, Any]], bytes]:
    write = fastavro.schemaless_writer

    def encode(record: dict[str, Any]) -> bytes:
        body = io.BytesIO()
        body.write(header)
        write(body, schema, record)
        return body.getvalue()

    return encode


def schema_id(message: bytes) -> int:
    """Return the schema id in front of ``message``.

    Raises:
        RecordError: the message is not in this format.
    """
    if len(message) < HEADER.size or message[0] != MAGIC:
        raise RecordError("not_avro", "The message does not start with a schema registry header.")
    return int(HEADER.unpack_from(message)[1])
