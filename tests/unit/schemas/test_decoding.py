"""The generated readers read what fastavro writes, and no further than asked."""

from __future__ import annotations

import io
from typing import Any

import fastavro
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas import decoding, encoding, loader

RAW = sorted(f"raw/{path.stem}" for path in (loader.FOLDER / "raw").glob("*.avsc"))
HEAD = ("record_id", "revision", "op", "content_hash", "scope")


@given(st.integers(-(2**63), 2**63 - 1))
def test_a_long_is_read_as_it_was_written(value: int):
    data = encoding.write_long(value)
    assert decoding.read_long(b"xx" + data, 2) == (value, 2 + len(data))


@pytest.mark.parametrize("name", RAW)
@settings(max_examples=30, deadline=None)
@given(
    record_id=st.text(max_size=300),
    revision=st.integers(1, 2**40),
    rest=st.fixed_dictionaries(
        {"source_updated_at": st.one_of(st.none(), st.integers(0, 2**41)), "late": st.booleans()}
    ),
    scope=st.text(max_size=70),
)
def test_the_head_of_every_feeds_events_is_read(
    name: str, record_id: str, revision: int, rest: dict[str, Any], scope: str
):
    event: dict[str, Any] = {"record_id": record_id, "revision": revision, "op": "revise", "content_hash": "ab" * 16}
    event |= {"observed_at": 5, "source_updated_at": rest["source_updated_at"], "late": rest["late"]}
    event |= {"poll_id": "p" * 90, "scope": scope}
    out = io.BytesIO(b"head ")
    out.seek(5)
    fastavro.schemaless_writer(out, loader.parsed(name), {**event, "row": {}, "extras": {}})
    read = decoding.reader(loader.document(name), HEAD)
    assert read(out.getvalue(), 5) == (record_id, revision, "revise", "ab" * 16, scope)
    every = decoding.reader(loader.document(name), list(event))
    assert every(out.getvalue(), 5) == tuple(event.values())


def test_nothing_behind_the_last_wanted_field_is_looked_at():
    read = decoding.reader(loader.document(RAW[0]), ["record_id"])
    assert read(encoding.write_long(2) + b"ab", 0) == ("ab",)


@pytest.mark.parametrize("wanted", [["row"], ["no_such_field"], ["revision", "record_id"]])
def test_what_cannot_be_read_is_refused(wanted: list[str]):
    with pytest.raises(encoding.UnsupportedSchemaError):
        decoding.reader(loader.document(RAW[0]), wanted)
