"""Avro to Arrow, a whole batch at a time: each field is read for all messages at once.

fastavro decodes a message into a dict, field by field; here numpy reads one field of every message in a few vector
operations, so that a batch costs a few hundred operations however many messages it has. Every message is checked
against its own end: one that is too short, too long or malformed is reported by its position and never shifts another.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from schemas.errors import ConfigError

_SHIFT = 7
_MORE = 0x80
_VARINT_MAX_SHIFT = 63
_MAX_BUFFER_BYTES = 2**31 - 1
"""Arrow's binary arrays have 32-bit offsets; the writer's batches are far smaller."""
_PADDING = bytes(16)
"""A malformed last message is read past its end before it is found out: never past the buffer."""
MILLIS_MIN, MILLIS_MAX = -62_135_596_800_000, 253_402_300_799_999
DAYS_MIN, DAYS_MAX = -719_162, 2_932_896
"""BigQuery's TIMESTAMP and DATE: years 1 to 9999."""

_PLAIN: dict[str, pa.DataType] = {
    "string": pa.string(),
    "bytes": pa.binary(),
    "long": pa.int64(),
    "int": pa.int64(),
    "boolean": pa.bool_(),
    "double": pa.float64(),
    "timestamp-millis": pa.timestamp("us", tz="UTC"),
    "date": pa.date32(),
}


class MalformedError(Exception):
    """A message is not what its schema says.

    Attributes:
        index: position of the first such message in the batch.
    """

    def __init__(self, index: int) -> None:
        super().__init__(f"message {index} of the batch is malformed")
        self.index = index


def decode(messages: list[bytes], schema: dict[str, Any], header_bytes: int) -> pa.Table:
    """Return the records of ``messages`` as one table with a column per field, in order.

    Args:
        messages: encoded records of one schema, each behind ``header_bytes`` bytes that are skipped.
        schema: the schema that they were written with: a record of string, bytes, int, long, boolean, double,
            timestamp-millis and date fields, each of which may be a union with null.
        header_bytes: bytes in front of each record.

    Raises:
        ConfigError: the schema has a field of another type.
        MalformedError: a message does not hold exactly one record.
    """
    cursor = _Cursor(messages, header_bytes)
    arrays = [_field(cursor, field) for field in schema["fields"]]
    cursor.bad |= cursor.position != cursor.end
    if cursor.bad.any():
        raise MalformedError(int(np.argmax(cursor.bad)))
    return pa.table(arrays, names=[field["name"] for field in schema["fields"]])


class _Cursor:
    """Where each message is being read, and which of them are malformed."""

    def __init__(self, messages: list[bytes], header_bytes: int) -> None:
        body = b"".join((*messages, _PADDING))
        if len(body) > _MAX_BUFFER_BYTES:
            raise ConfigError("A batch may hold less than 2 GiB: lower the writer's bytes per batch.")
        self.buffer = pa.py_buffer(body)
        self.bytes = np.frombuffer(body, dtype=np.uint8)
        lengths = np.fromiter(map(len, messages), dtype=np.int64, count=len(messages))
        self.end = np.cumsum(lengths)
        self.position = self.end - lengths + header_bytes
        self.bad = self.position > self.end
        self._clamp()

    def _clamp(self) -> None:
        np.minimum(self.position, self.end, out=self.position)

    def skip(self, rows: np.ndarray, count: np.ndarray | int) -> None:
        """Move ``rows`` forward; those that would leave their message are bad and stay at its end."""
        self.position[rows] += count
        self.bad |= self.position > self.end
        self._clamp()

    def byte(self, rows: np.ndarray) -> np.ndarray:
        """Read one byte of each of ``rows``."""
        value: np.ndarray = self.bytes[self.position[rows]]
        self.skip(rows, 1)
        return value

    def varint(self, rows: np.ndarray) -> np.ndarray:
        """Read one zigzag varint of each of ``rows``."""
        position = self.position[rows]
        byte = self.bytes[position]
        value = (byte & ~np.uint8(_MORE)).astype(np.uint64)
        length = np.ones(len(rows), dtype=np.int64)
        more = np.flatnonzero(byte & _MORE)
        shift = _SHIFT
        while len(more) and shift <= _VARINT_MAX_SHIFT:
            byte = self.bytes[np.minimum(position[more] + length[more], len(self.bytes) - 1)]
            value[more] |= (byte & ~np.uint8(_MORE)).astype(np.uint64) << np.uint64(shift)
            length[more] += 1
            more = more[(byte & _MORE) != 0]
            shift += _SHIFT
        self.bad[rows[more]] = True
        self.skip(rows, length)
        one = np.uint64(1)
        decoded: np.ndarray = ((value >> one) ^ (np.uint64(0) - (value & one))).view(np.int64)
        return decoded


def _field(cursor: _Cursor, field: dict[str, Any]) -> pa.Array[Any]:
    """Read one field of every message."""
    kind, rows, null = field["type"], np.arange(len(cursor.end)), None
    if isinstance(kind, list):
        kind, rows, null = _branch(cursor, field["name"], kind)
    plain = (kind.get("logicalType") or kind.get("type")) if isinstance(kind, dict) else kind
    if not isinstance(plain, str) or plain not in _PLAIN:
        raise ConfigError(f"Field {field['name']!r} has type {kind!r}: the warehouse writer knows {sorted(_PLAIN)}.")
    if plain in {"string", "bytes"}:
        return _texts(cursor, rows, null, utf8=plain == "string")
    values = _scalars(cursor, rows, plain)
    if null is not None:
        spread = np.zeros(len(null), dtype=values.dtype)
        spread[rows] = values
        values = spread
    typed: pa.Array[Any] = pa.array(values, mask=null).cast(_PLAIN[plain])
    return typed


def _branch(cursor: _Cursor, name: str, union: list[Any]) -> tuple[Any, np.ndarray, np.ndarray]:
    """Read the branch of a union with null: the other type, the rows that have a value, and the mask of nulls."""
    others = [kind for kind in union if kind != "null"]
    if len(others) != 1 or "null" not in union:
        raise ConfigError(f"Field {name!r} is a union of {union!r}: the warehouse writer knows a type with null only.")
    branch = cursor.varint(np.arange(len(cursor.end)))
    cursor.bad |= (branch < 0) | (branch > 1)
    null = branch != union.index(others[0])
    return others[0], np.flatnonzero(~null), null


def _scalars(cursor: _Cursor, rows: np.ndarray, plain: str) -> np.ndarray:
    if plain == "boolean":
        byte = cursor.byte(rows)
        cursor.bad[rows] |= byte > 1
        return byte.astype(np.bool_)
    if plain == "double":
        size = np.dtype("<f8").itemsize
        at = np.minimum(cursor.position[rows][:, None] + np.arange(size), len(cursor.bytes) - 1)
        cursor.skip(rows, size)
        return np.ascontiguousarray(cursor.bytes[at]).view("<f8").reshape(len(rows))
    value = cursor.varint(rows)
    if plain == "timestamp-millis":
        outside = (value < MILLIS_MIN) | (value > MILLIS_MAX)
        cursor.bad[rows] |= outside
        value = np.where(outside, 0, value) * 1000
    if plain == "date":
        outside = (value < DAYS_MIN) | (value > DAYS_MAX)
        cursor.bad[rows] |= outside
        value = np.where(outside, 0, value).astype(np.int32)
    return value


def _texts(cursor: _Cursor, rows: np.ndarray, null: np.ndarray | None, *, utf8: bool) -> pa.Array[Any]:
    """Read strings or bytes without looking at each: Arrow copies them out of the batch's own buffer.

    An array whose offsets are start, end, start, end, … has our values at its even places and what lies between them
    at the odd ones; taking the even ones leaves the column.
    """
    length = cursor.varint(rows)
    start = cursor.position.copy()
    outside = (length < 0) | (length > cursor.end[rows] - cursor.position[rows])
    cursor.bad[rows] |= outside
    cursor.skip(rows, np.where(outside, 0, length))
    offsets = np.empty(2 * len(start) + 1, dtype=np.int32)
    offsets[:-1:2] = start
    offsets[1::2] = cursor.position
    offsets[-1] = offsets[-2] if len(start) else 0
    everything = pa.Array.from_buffers(pa.binary(), 2 * len(start), [None, pa.py_buffer(offsets.data), cursor.buffer])
    even: Any = pa.array(np.arange(0, 2 * len(start), 2), mask=null)
    values: pa.Array[Any] = everything.take(even)
    if not utf8:
        return values
    try:
        return values.cast(pa.string())
    except pa.ArrowInvalid:
        good = np.array([_is_utf8(value) for value in values.to_pylist()], dtype=np.bool_)
        cursor.bad |= ~good
        readable: pa.Array[Any] = pc.if_else(pa.array(good), values, b"").cast(pa.string())
        return readable


def _is_utf8(value: bytes | None) -> bool:
    try:
        (value or b"").decode()
    except UnicodeDecodeError:
        return False
    return True
