"""From messages of a topic to rows of its stage."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import fastavro
import pytest

from schemas import loader, topics, wire
from schemas.errors import RecordError
from stream_jobs.warehouse import decode
from stream_jobs.warehouse.tables import STAGES

KEY = {
    "source": "s",
    "grain": "hour",
    "window_start": "2026-03-05T10:00:00",
    "area": "ED",
    "category": "theft",
    "kind": "crime_report",
}
COUNTED = KEY | {"incidents": 3, "deleted": 0, "revised": 1, "late": 0}
DRIFT = {
    "source": "s",
    "kind": "column_added",
    "column": "c",
    "detail": "d",
    "poll_id": "p",
    "observed_at": dt.datetime(2026, 3, 5, tzinfo=dt.UTC),
}


def schema_of(name: str) -> Any:
    def by_id(number: int) -> dict[str, Any]:
        if number != 1:
            raise RecordError("schema_unknown", f"the registry has no schema {number}")
        return loader.document(name)

    return by_id


def messages(topic: topics.Topic, *values: dict[str, Any] | bytes | None, keys: Any = None) -> decode.Messages:
    encode = wire.encoder(1, loader.parsed(topic.schema))
    encoded = [encode(value) if isinstance(value, dict) else value for value in values]
    count = len(encoded)
    return decode.Messages(encoded, keys or [b"k"] * count, [0] * count, list(range(10, 10 + count)))


def test_a_count_gets_its_offset_as_version_and_the_date_of_its_window() -> None:
    rows = decode.rows(
        STAGES["incident_counts"], messages(topics.INCIDENT_COUNTS, COUNTED), schema_of("incident_count")
    ).to_pylist()
    assert rows[0]["version"] == rows[0]["kafka_offset"] == 10
    assert rows[0]["window_start"] == dt.datetime(2026, 3, 5, 10)  # noqa: DTZ001 (a civil time)
    assert rows[0]["window_date"] == dt.date(2026, 3, 5)
    assert rows[0]["tombstone"] is False


def test_a_tombstone_becomes_a_row_of_zeros_for_the_window_in_its_key() -> None:
    given = messages(topics.INCIDENT_COUNTS, COUNTED, None, keys=[b"", json.dumps(KEY).encode()])
    rows = decode.rows(STAGES["incident_counts"], given, schema_of("incident_count")).to_pylist()
    emptied = next(row for row in rows if row["tombstone"])
    assert emptied["version"] == 11
    counted = ("incidents", "deleted", "revised", "late", "first_incidents", "restatements")
    assert [emptied[name] for name in counted] == [0] * 6
    assert emptied["first_observed_at"] is None
    assert emptied["window_date"] == dt.date(2026, 3, 5)
    assert emptied["area"] == "ED"


def test_a_tombstone_of_arrivals_empties_the_stretch_in_its_key() -> None:
    key = {"source": "s", "grain": "minute", "window_start": "2026-03-05 10:11:00"}
    given = messages(topics.ARRIVALS, None, keys=[json.dumps(key).encode()])
    (emptied,) = decode.rows(STAGES["arrivals"], given, schema_of("arrival")).to_pylist()
    assert emptied["window_start"] == dt.datetime(2026, 3, 5, 10, 11, tzinfo=dt.UTC)
    assert (emptied["events"], emptied["delay_hour"], emptied["tombstone"]) == (0, 0, True)


@pytest.mark.parametrize(
    ("topic", "value", "key", "reason"),
    [
        (topics.INCIDENT_COUNTS, None, b"not json", "tombstone with an unusable key"),
        (topics.INCIDENT_COUNTS, None, b'{"source": "s"}', "tombstone with an unusable key"),
        (topics.INCIDENT_COUNTS, None, None, "tombstone with an unusable key"),
        (topics.ARRIVALS, None, b'{"source": "s", "grain": "minute", "window_start": "soon"}', "its key is no time"),
        (topics.DRIFT, None, b"s", "no tombstones"),
        (topics.DRIFT, b"text", b"s", "header"),
        (topics.DRIFT, b"", b"s", "header"),
        (topics.DRIFT, b"\x00\x00\x00\x00\x09abc", b"s", "no schema 9"),
        (topics.DRIFT, b"\x00\x00\x00\x00\x01abc", b"s", "not one record"),
        (topics.INCIDENT_COUNTS, COUNTED | {"window_start": "yesterday"}, b"k", "window_start is no civil time"),
    ],
)
def test_a_message_that_is_not_a_row_is_named_by_its_place_and_reason(
    topic: topics.Topic, value: Any, key: bytes | None, reason: str
) -> None:
    arrived = {field["name"]: 0 for field in loader.document("arrival")["fields"]} | {"source": "s", "grain": "minute"}
    good = {topics.INCIDENT_COUNTS: COUNTED, topics.ARRIVALS: arrived}.get(topic, DRIFT)
    given = messages(topic, good, value, good, keys=[b"k", key, b"k"])
    with pytest.raises(decode.UndecodableError, match=reason) as found:
        decode.rows(STAGES[topic.name], given, schema_of(topic.schema))
    assert (found.value.partition, found.value.offset) == (0, 11)


def test_fields_that_an_older_writer_did_not_know_get_their_defaults() -> None:
    older = loader.document("incident_count") | {"fields": loader.document("incident_count")["fields"][:9]}

    value = {name: held for name, held in COUNTED.items() if name != "late"}
    given = decode.Messages([wire.encoder(1, fastavro.parse_schema(older))(value)], [b"k"], [0], [5])
    row = decode.rows(STAGES["incident_counts"], given, lambda _: older).to_pylist()[0]
    assert row["late"] is None
    assert row["incidents"] == 3


def test_more_messages_than_a_chunk_keep_their_order_and_places() -> None:
    count = decode.CHUNK_MESSAGES + 3
    one = messages(topics.INCIDENT_COUNTS, COUNTED).values[0]
    given = decode.Messages([one] * count, [b"k"] * count, [1] * count, list(range(count)))
    rows = decode.rows(STAGES["incident_counts"], given, schema_of("incident_count"))
    assert rows.column("kafka_offset").to_pylist() == list(range(count))


def test_what_is_kept_before_a_place_keeps_the_other_partitions() -> None:
    given = decode.Messages([b"a", b"b", b"c", b"d"], [None] * 4, [0, 1, 0, 1], [5, 5, 6, 6])
    kept = given.before(1, 5)
    assert kept.values == [b"a", b"c"]
