"""The generated writers give fastavro's bytes, whatever the values."""

from __future__ import annotations

import io
from datetime import UTC, date, datetime, timedelta
from typing import Any

import fastavro
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas import encoding, loader, wire

NAMES = sorted(str(path.relative_to(loader.FOLDER).with_suffix("")) for path in loader.FOLDER.rglob("*.avsc"))
TEXT = st.one_of(st.text(max_size=8), st.sampled_from(["é" * 63, "x" * 64, "🚓" * 70, "y" * 5000]))
LONG = st.integers(-(2**63), 2**63 - 1)
INSTANT = st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - bounds


SIMPLE: dict[tuple[str, str | None], st.SearchStrategy[Any]] = {
    ("null", None): st.none(),
    ("string", None): TEXT,
    ("bytes", None): st.binary(max_size=80),
    ("boolean", None): st.booleans(),
    ("double", None): st.floats(allow_nan=False),
    ("int", None): st.integers(-(2**31), 2**31 - 1),
    ("int", "date"): st.dates(date(1800, 1, 1), date(2200, 1, 1)),
    ("long", None): LONG,
    ("long", "timestamp-millis"): st.one_of(INSTANT, st.integers(-(2**41), 2**42)),
}


def values(schema: Any) -> st.SearchStrategy[Any]:
    if isinstance(schema, list):
        return st.one_of(*(values(branch) for branch in schema))
    if isinstance(schema, str):
        return SIMPLE[schema, None]
    if schema["type"] == "map":
        return st.dictionaries(TEXT, values(schema["values"]), max_size=3)
    return records(schema) if schema["type"] == "record" else SIMPLE[schema["type"], schema.get("logicalType")]


def records(schema: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Records of the schema; fields that have a default are sometimes left out."""
    needed = {f["name"]: values(f["type"]) for f in schema["fields"] if "default" not in f}
    optional = {f["name"]: values(f["type"]) for f in schema["fields"] if "default" in f}
    return st.fixed_dictionaries(needed, optional=optional)


def by_fastavro(schema: Any, record: dict[str, Any]) -> bytes:
    out = io.BytesIO()
    fastavro.schemaless_writer(out, schema, record)
    return out.getvalue()


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_every_schema_is_written_as_fastavro_writes_it(name: str, data: st.DataObject):
    record = data.draw(records(loader.document(name)))
    assert encoding.writer(loader.parsed(name))(record) == by_fastavro(loader.parsed(name), record)


@pytest.mark.parametrize("value", [0, -1, 63, 64, -64, -65, 8191, 8192, 2**31, 2**63 - 1, -(2**63)])
def test_longs_of_every_width_are_zigzag(value: int):
    assert encoding.write_long(value) == by_fastavro(
        {"type": "record", "name": "r", "fields": LONG_FIELD}, {"n": value}
    )


LONG_FIELD = [{"name": "n", "type": "long"}]


def test_an_instant_is_cut_to_the_millisecond_before_1970_too():
    schema = {"type": "record", "name": "r", "fields": [{"name": "n", "type": loader_millis()}]}
    moment = datetime(1969, 12, 31, tzinfo=UTC) + timedelta(microseconds=1999)
    assert encoding.writer(schema)({"n": moment}) == by_fastavro(schema, {"n": moment})


def loader_millis() -> dict[str, str]:
    return {"type": "long", "logicalType": "timestamp-millis"}


def test_a_schema_of_another_kind_is_left_to_fastavro():
    schema = {"type": "record", "name": "r", "fields": [{"name": "n", "type": ["string", "long"]}]}
    with pytest.raises(encoding.UnsupportedSchemaError):
        encoding.writer(schema)
    message = wire.encoder(7, fastavro.parse_schema(schema))({"n": 5})
    assert message[wire.HEADER.size :] == by_fastavro(schema, {"n": 5})


def test_a_field_without_default_must_be_there():
    with pytest.raises(KeyError):
        encoding.writer(loader.parsed("cursor"))({"source": "s"})


def test_names_in_a_schema_are_text_and_never_code():
    name = "n'] = __import__('os') #"
    schema = {"type": "record", "name": "r", "fields": [{"name": name, "type": "long"}]}
    assert encoding.writer(schema)({name: 1}) == b"\x02"


@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith("raw/")])
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_a_row_given_as_cells_is_written_as_fastavro_writes_it(name: str, data: st.DataObject):
    schema = loader.parsed(name)
    head = {f["name"]: data.draw(values(f["type"])) for f in schema["fields"] if f["name"] != "row"}
    columns = [f["name"] for f in next(f for f in schema["fields"] if f["name"] == "row")["type"]["fields"]]
    cells = [data.draw(st.one_of(st.none(), TEXT)) for _ in columns]
    record = {**head, "row": dict(zip(columns, [cell or None for cell in cells], strict=True))}
    fields = [f["name"] for f in schema["fields"]]
    write = encoding.cells_writer(schema, fields, "row")
    assert write(*({**head, "row": cells}[field] for field in fields)) == by_fastavro(schema, record)


def test_cells_are_for_a_row_of_nullable_texts_alone():
    row = {"type": "record", "name": "row", "fields": [{"name": "n", "type": "long"}]}
    schema = {"type": "record", "name": "r", "fields": [{"name": "row", "type": row}]}
    with pytest.raises(encoding.UnsupportedSchemaError, match="no nullable text"):
        encoding.cells_writer(schema, ["row"], "row")
    with pytest.raises(encoding.UnsupportedSchemaError, match="the fields are"):
        encoding.cells_writer(schema, ["row", "extras"], "row")
