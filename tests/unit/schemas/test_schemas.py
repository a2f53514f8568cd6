from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import fastavro
import pytest

from schemas import loader, topics, wire
from schemas.errors import ConfigError, RecordError

NAMES = sorted(str(path.relative_to(loader.FOLDER).with_suffix("")) for path in loader.FOLDER.rglob("*.avsc"))
RAW = [name for name in NAMES if name.startswith("raw/")]


def fields(schema: Any) -> Iterator[dict[str, Any]]:
    for field in schema["fields"]:
        yield field
        if isinstance(field["type"], dict) and field["type"].get("type") == "record":
            yield from fields(field["type"])


@pytest.mark.parametrize("name", NAMES)
def test_every_schema_parses_and_every_field_says_what_it_is(name: str):
    fastavro.parse_schema(loader.document(name))
    assert loader.document(name)["doc"]
    assert [field["name"] for field in fields(loader.document(name)) if not field.get("doc")] == []


def test_raw_events_of_all_feeds_start_with_the_same_fields():
    """The ledger decodes raw events only up to `scope`, whatever the feed."""
    heads = [[(f["name"], f["type"]) for f in loader.document(name)["fields"][:-2]] for name in RAW]
    assert all(head == heads[0] for head in heads)
    assert heads[0][-1][0] == "scope"


@pytest.mark.parametrize("topic", topics.SHARED, ids=lambda topic: topic.name)
def test_every_shared_topic_has_a_schema_and_is_kept_for_ever(topic: topics.Topic):
    assert topic.schema in NAMES
    assert topic.config["retention.ms"] == "-1"


def test_a_record_goes_through_the_wire_format_and_back():
    record = {"source": "s", "poll_id": "p", "position": {"etag": "x"}, "updated_at": 5}
    message = wire.encoder(70_000, loader.parsed("cursor"))(record)
    assert wire.schema_id(message) == 70_000
    decoded = fastavro.schemaless_reader(io.BytesIO(message[wire.HEADER.size :]), loader.parsed("cursor"), None)
    assert isinstance(decoded, dict)
    assert decoded["position"] == {"etag": "x"}


@pytest.mark.parametrize("message", [b"", b"\x00\x00", b"\x01\x00\x00\x00\x01x"])
def test_bytes_without_the_header_are_a_record_error(message: bytes):
    with pytest.raises(RecordError, match="schema registry header"):
        wire.schema_id(message)


def test_a_schema_that_does_not_exist_is_named_with_its_file():
    with pytest.raises(ConfigError, match=r"add schemas/raw/houston\.avsc"):
        loader.text("raw/houston")
