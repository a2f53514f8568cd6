"""The column decoder against fastavro, record by record."""

from __future__ import annotations

import datetime as dt
import io
from typing import Any

import fastavro
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas import loader
from schemas.errors import ConfigError
from stream_jobs.warehouse import columns

HEADER = b"\x00\x00\x00\x00\x07"
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "string": st.text(max_size=150),
    "bytes": st.binary(max_size=150),
    "long": st.one_of(st.integers(-(2**63), 2**63 - 1), st.integers(-70, 70)),
    "int": st.integers(-(2**31), 2**31 - 1),
    "boolean": st.booleans(),
    "double": st.floats(allow_nan=False),
    "timestamp-millis": st.integers(columns.MILLIS_MIN, columns.MILLIS_MAX),
    "date": st.integers(columns.DAYS_MIN, columns.DAYS_MAX),
}


def plain(name: str) -> dict[str, Any]:
    """The schema with instants as numbers, so that what fastavro gives can be compared without time zones."""
    return loader.document(name)


def kind_of(kind: Any) -> str:
    return str(kind.get("logicalType") or kind["type"]) if isinstance(kind, dict) else str(kind)


def values_of(kind: Any) -> st.SearchStrategy[Any]:
    if isinstance(kind, list):
        return st.one_of(st.none(), values_of(next(choice for choice in kind if choice != "null")))
    return VALUES[kind_of(kind)]


def records_of(schema: dict[str, Any]) -> st.SearchStrategy[list[dict[str, Any]]]:
    record = st.fixed_dictionaries({field["name"]: values_of(field["type"]) for field in schema["fields"]})
    return st.lists(record, min_size=1, max_size=8)


def encode(schema: dict[str, Any], record: dict[str, Any]) -> bytes:
    body = io.BytesIO()
    fastavro.schemaless_writer(body, fastavro.parse_schema(schema), record)
    return HEADER + body.getvalue()


def as_written(value: Any) -> Any:
    if isinstance(value, dt.datetime):
        return (value - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(milliseconds=1)
    if isinstance(value, dt.date):
        return (value - dt.date(1970, 1, 1)).days
    return value


@pytest.mark.parametrize("name", ["incident", "indicator", "incident_count", "poll", "dead_letter", "drift"])
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_every_record_of_every_schema_decodes_as_fastavro_decodes_it(name: str, data: st.DataObject) -> None:
    schema = loader.document(name)
    records = data.draw(records_of(schema))
    table = columns.decode([encode(schema, record) for record in records], schema, len(HEADER))
    assert [{k: as_written(v) for k, v in row.items()} for row in table.to_pylist()] == records


SCHEMA = {
    "type": "record",
    "name": "r",
    "fields": [
        {"name": "text", "type": "string"},
        {"name": "number", "type": ["null", "long"]},
        {"name": "flag", "type": "boolean"},
        {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "rate", "type": "double"},
        {"name": "day", "type": {"type": "int", "logicalType": "date"}},
    ],
}
GOOD = {"text": "ab", "number": 7, "flag": True, "at": 1_000, "rate": 0.5, "day": 3}


def body(
    *,
    text: bytes = b"\x04ab",
    number: bytes = b"\x02\x0e",
    flag: bytes = b"\x01",
    at: bytes = b"\xd0\x0f",
    rate: bytes = bytes(8),
    day: bytes = b"\x06",
) -> bytes:
    return HEADER + text + number + flag + at + rate + day


MALFORMED = {
    "nothing": b"",
    "shorter than a header": HEADER[:3],
    "no body": HEADER,
    "a byte short": body()[:-1],
    "a byte long": body() + b"\x00",
    "a text longer than the message": body(text=b"\x7e" + b"ab"),
    "a text of negative length": body(text=b"\x03ab"),
    "a text of absurd length": body(text=b"\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01ab"),
    "a text that is not UTF-8": body(text=b"\x04\xff\xfe"),
    "a union branch that does not exist": body(number=b"\x04\x0e"),
    "a negative union branch": body(number=b"\x01\x0e"),
    "a varint without an end": body(number=b"\x02" + b"\xff" * 12),
    "a flag that is neither": body(flag=b"\x02"),
    "a day outside the calendar": body(day=b"\xfe\xff\xff\xff\x0f"),
    "an instant outside the calendar": body(at=b"\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
}


def test_the_message_that_the_malformed_ones_are_made_from_is_good() -> None:
    assert columns.decode([body()], SCHEMA, len(HEADER)).num_rows == 1


@pytest.mark.parametrize("malformed", MALFORMED.values(), ids=MALFORMED)
@pytest.mark.parametrize("position", [0, 1, 2])
def test_a_malformed_message_is_found_where_it_is_and_not_beside_it(malformed: bytes, position: int) -> None:
    messages = [encode(SCHEMA, GOOD), encode(SCHEMA, GOOD)]
    messages.insert(position, malformed)
    with pytest.raises(columns.MalformedError) as found:
        columns.decode(messages, SCHEMA, len(HEADER))
    assert found.value.index == position


@pytest.mark.parametrize("kind", [{"type": "map", "values": "string"}, ["null", "string", "long"], "fixed"])
def test_a_type_that_the_writer_does_not_know_is_refused_by_field(kind: Any) -> None:
    with pytest.raises(ConfigError, match="'odd'"):
        columns.decode([HEADER + b"\x00"], {"fields": [{"name": "odd", "type": kind}]}, len(HEADER))
