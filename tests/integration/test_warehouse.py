"""The warehouse writer on a real broker, registry and warehouse, against an oracle in plain Python.

The oracle takes the messages of each partition one by one, in offset order, as the tables' contract says; the writer
must end in the same rows however its batches are cut, repeated or killed.
"""

from __future__ import annotations

import datetime as dt
import io
import json
import random
import signal
import subprocess
import sys
import tempfile
import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import fastavro
import pytest
from confluent_kafka import Consumer, Message, Producer, TopicPartition

from civicwire.stack import Stack
from schemas import kafka_topics, loader, registry, topics, wire
from schemas.errors import FatalError
from stream_jobs.warehouse import merge, progress
from stream_jobs.warehouse.connection import Warehouse
from stream_jobs.warehouse.tables import INCIDENT_COUNTS, STAGES, TABLES, ensure_tables
from stream_jobs.warehouse.writer import Limits, Writer

pytestmark = pytest.mark.parts

COUNT_KEY = INCIDENT_COUNTS.key
ARRIVED = tuple(field["name"] for field in loader.document("arrival")["fields"] if field["type"] == "long")
OPS = ("revise", "delete", "reappear", "withdraw")
ALWAYS_LOAD, ALWAYS_APPEND = 1, 10**9
Row = dict[str, Any]
EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


@pytest.fixture(scope="module")
def parts() -> Iterator[Stack]:
    """A stack of its own: the topics' names are fixed, and other tests' jobs read them."""
    with (
        tempfile.TemporaryDirectory(prefix="civicwire-test-") as home,
        Stack(Path(home), ("kafka", "registry", "warehouse")) as running,
    ):
        kafka_topics.ensure(str(running.endpoints.kafka), topics.SHARED)
        yield running


@dataclass
class Line:
    """Topics, a consumer group that starts at their present ends, and a dataset of its own."""

    kafka: str
    registry: str
    rest: str
    storage: str
    name: str = field(default_factory=lambda: f"t{uuid.uuid4().hex[:8]}")
    group: str = ""
    start: dict[progress.Partition, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.start = self.ends()
        self.seek(self.start)

    def warehouse(self) -> Warehouse:
        return Warehouse("civicwire-local", self.name, "US", self.rest, self.storage)

    def writer(self, **options: Any) -> Writer:
        return Writer(self.kafka, self.registry, self.warehouse(), group=self.group, **options)

    def load(self, **options: Any) -> Any:
        with self.writer(**options) as writer:
            return writer.catch_up()

    def ends(self) -> dict[progress.Partition, int]:
        return progress.ends(self.kafka, kafka_topics.partitions(self.kafka, STAGES))

    def seek(self, positions: dict[progress.Partition, int]) -> None:
        """Go on with a group that has committed these positions."""
        self.group = f"{self.name}-{uuid.uuid4().hex[:8]}"
        consumer = Consumer({"bootstrap.servers": self.kafka, "group.id": self.group})
        offsets = [TopicPartition(topic, index, at) for (topic, index), at in positions.items()]
        consumer.commit(offsets=offsets, asynchronous=False)
        consumer.close()

    def send(self, topic: topics.Topic, rows: list[tuple[str, Row | bytes | None]]) -> None:
        """Produce rows of (key, record, raw bytes or tombstone)."""
        encode = wire.encoder(registry.register(self.registry, topic), loader.parsed(topic.schema))
        producer = Producer({"bootstrap.servers": self.kafka})
        for key, row in rows:
            producer.produce(topic.name, encode(row) if isinstance(row, dict) else row, key)
            producer.poll(0)
        assert producer.flush(30) == 0

    def read(self, table: str, *, loaded_at: bool = True) -> list[Row]:
        """Return the table's rows in a fixed order."""
        warehouse = self.warehouse()
        found = [dict(row.items()) for row in warehouse.client.query_and_wait(f"select * from {self.name}.{table}")]
        if not loaded_at:
            for row in found:
                del row["loaded_at"]
        return sorted(found, key=lambda row: json.dumps(row, default=str, sort_keys=True))

    def snapshot(self, *, loaded_at: bool = True) -> dict[str, list[Row]]:
        return {table.name: self.read(table.name, loaded_at=loaded_at) for table in TABLES}

    def staged(self) -> int:
        """Return how many rows are in the stage."""
        warehouse = self.warehouse()
        counts = " union all ".join(f"select count(*) as n from `{warehouse.stage}.{name}`" for name in STAGES)
        return int(sum(row["n"] for row in warehouse.client.query_and_wait(counts)))


@pytest.fixture
def line(parts: Stack) -> Iterator[Line]:
    at = parts.endpoints
    line = Line(str(at.kafka), str(at.registry), str(at.warehouse), str(at.warehouse_grpc))
    yield line
    warehouse = line.warehouse()
    for dataset in (warehouse.dataset, warehouse.stage):
        # The emulator looks through all tables for each query: those of finished tests would slow the next ones.
        warehouse.client.delete_dataset(dataset, delete_contents=True, not_found_ok=True)


# --- histories -------------------------------------------------------------------------------------------------------


def incident(
    number: int, revision: int, op: str = "insert", day: dt.date | None = dt.date(2026, 3, 5), **over: Any
) -> Row:
    local = None if day is None else f"{day.isoformat()}T{number % 24:02d}:30:00"
    at = None if day is None else dt.datetime.combine(day, dt.time(12), dt.UTC)
    return {
        "incident_id": f"test:{number}",
        "source": "test",
        "record_id": str(number),
        "revision": revision,
        "op": op,
        "deleted": op in {"delete", "withdraw"},
        "late": number % 7 == 0,
        "kind": "crime_report",
        "occurred_local": local,
        "occurred_at": at,
        "time_precision": None if day is None else "minute",
        "time_zone": "America/Chicago",
        "reported_local": local,
        "closed_local": None,
        "category": ("theft", "assault", "other")[revision % 3],
        "code": f"c{revision}",
        "description": "Ünïcode 漢 ' \" \\ \n end" if number % 5 == 0 else None,
        "status": "open",
        "status_code": None,
        "area_kind": "sector",
        "area": (None, "ED", "CH")[number % 3],
        "place": None,
        "premise": "",
        "latitude": 30.123456789 if number % 2 else None,
        "longitude": -97.5 if number % 2 else None,
        "priority": None,
        "domestic": (None, True, False)[number % 3],
        "victim_age": None if number % 4 == 0 else revision,
        "quality_flags": "",
        "observed_at": EPOCH + dt.timedelta(days=20_000, milliseconds=revision),
        "source_updated_at": None,
        "poll_id": f"test@{revision}",
        "raw_partition": number % 2,
        "raw_offset": 2**53 + 1 + number * 100 + revision,
    } | over


def incidents(numbers: range) -> list[tuple[str, Row | bytes | None]]:
    """The first revisions of these incidents, with their keys."""
    return [(f"test:{number}", incident(number, 1)) for number in numbers]


def person(number: int, revision: int, op: str = "insert", day: dt.date | None = dt.date(2026, 3, 1)) -> Row:
    shared = {
        name: value
        for name, value in incident(number, revision, op, day, kind="hate_crime").items()
        if name in loader.field_names("person")
    }
    return shared | {
        "person_id": f"test:{number}",
        "role": ("victim", "author")[number % 2],
        "sex": ("female", "male", "unknown", None)[revision % 4],
        "age": None if number % 3 == 0 else revision,
    }


def count_key(number: int) -> Row:
    start = dt.datetime(2026, 1, 1, tzinfo=dt.UTC) + dt.timedelta(hours=700 * number)
    values = ("test", "hour", start.strftime("%Y-%m-%dT%H:%M:%S"), f"a{number}", "theft", "crime_report")
    return dict(zip(COUNT_KEY, values, strict=True))


def day_of(chance: random.Random) -> dt.date:
    return dt.date(2025, 11, 1) + dt.timedelta(days=chance.randrange(300))


def history(
    make: Callable[..., Row], chance: random.Random, ids: int, events: int, ops: tuple[str, ...]
) -> list[tuple[str, Row]]:
    """Inserts, then ``ops``, duplicates and late lower revisions, with moves between months."""
    revision, sent = dict.fromkeys(range(ids), 0), []
    for _ in range(events):
        number = chance.randrange(ids)
        if sent and chance.random() < 0.15:
            sent.append(chance.choice(sent))
            continue
        revision[number] += chance.choice((1, 1, 1, 2))
        op = "insert" if revision[number] == 1 else chance.choice(ops)
        day = None if op == "withdraw" else day_of(chance)
        sent.append((f"test:{number}", make(number, revision[number], op, day)))
        if chance.random() < 0.05 and revision[number] > 2:
            sent.append((f"test:{number}", make(number, revision[number] - 1, "revise", day_of(chance))))
    return sent


def indicator(number: int, revision: int, op: str) -> Row:
    return {
        "indicator_id": f"test:{number}:unemployment_rate",
        "source": "test",
        "record_id": str(number),
        "revision": revision,
        "op": op,
        "deleted": op == "delete",
        "indicator": "unemployment_rate",
        "area_kind": "county",
        "area": f"a{number}",
        "month": dt.date(2020 + number % 5, 1 + number % 12, 1),
        "seasonally_adjusted": (None, True, False)[number % 3],
        "preliminary": revision == 1,
        "value": None if revision % 4 == 0 else revision / 1000,
        "unit": "fraction",
        "quality_flags": "",
        "observed_at": EPOCH + dt.timedelta(days=20_000, milliseconds=revision),
        "poll_id": f"test@{revision}",
        "raw_partition": number % 2,
        "raw_offset": 2**53 + 1 + number * 100 + revision,
    }


def indicators_history(chance: random.Random, ids: int, events: int) -> list[tuple[str, Row]]:
    """Inserts, revisions, deletes and expiries, with duplicates and late lower revisions."""
    revision, sent = dict.fromkeys(range(ids), 0), []
    for _ in range(events):
        number = chance.randrange(ids)
        if sent and chance.random() < 0.2:
            sent.append(chance.choice(sent))
            continue
        revision[number] += 1
        op = "insert" if revision[number] == 1 else chance.choice(("revise", "delete", "reappear", "expire"))
        row = indicator(number, revision[number], op)
        sent.append((str(row["indicator_id"]), row))
    return sent


def counts_history(chance: random.Random, windows: int, events: int) -> list[tuple[str, Row | None]]:
    sent: list[tuple[str, Row | None]] = []
    for _ in range(events):
        key = count_key(chance.randrange(windows))
        text = json.dumps(key)
        values = {name: chance.randrange(9) for name in ("incidents", "deleted", "revised", "late")}
        sent.append((text, None if chance.random() < 0.25 else key | values))
    return sent


def arrivals_history(chance: random.Random, windows: int, events: int) -> list[tuple[str, Row | None]]:
    sent: list[tuple[str, Row | None]] = []
    for _ in range(events):
        at = EPOCH + dt.timedelta(days=20_000, minutes=chance.randrange(windows))
        key = {"source": "test", "grain": "minute", "window_start": at}
        text = json.dumps(key | {"window_start": f"{at:%Y-%m-%d %H:%M:%S}"})
        values = {name: chance.randrange(9) for name in ARRIVED}
        sent.append((text, None if chance.random() < 0.25 else key | values))
    return sent


def dead_letter(number: int, seen: int) -> Row:
    return {
        "dead_id": f"d{number}",
        "source": "test",
        "stage": "poll",
        "reason": "key_missing",
        "detail": f"seen {seen}",
        "payload": bytes(range(256)) + b"\xff" * seen,
        "record_id": None,
        "poll_id": None,
        "raw_partition": None,
        "raw_offset": None,
        "observed_at": EPOCH + dt.timedelta(days=20_000 + 40 * seen),
    }


def poll(number: int) -> Row:
    names = "requests bytes_received rows_in inserted revised reappeared deleted unchanged dead late drift live_rows"
    numbers = dict.fromkeys(names.split(), number)
    return numbers | {
        "poll_id": f"test@{number}",
        "source": "test",
        "status": "changed",
        "scan": "complete",
        "started_at": EPOCH + dt.timedelta(days=20_000 + number),
        "finished_at": EPOCH + dt.timedelta(days=20_000 + number, seconds=3),
        "portal_rows": None,
        "newest_event_local": ("2026-03-05T10:00:00", "03/05/2026 10 am", None)[number % 3],
        "portal_changed_at": None,
        "error": None,
    }


def drift(number: int) -> Row:
    return {
        "source": "test",
        "kind": "column_added",
        "column": f"c{number}",
        "detail": "A column.",
        "poll_id": "test@1",
        "observed_at": EPOCH + dt.timedelta(days=20_000),
    }


def send_history(line: Line, chance: random.Random, size: int, ops: tuple[str, ...] = OPS) -> None:
    line.send(topics.INCIDENTS, history(incident, chance, max(2, size // 5), size, ops))
    line.send(topics.PERSONS, history(person, chance, max(2, size // 10), size // 2, ops))
    line.send(topics.INDICATORS, indicators_history(chance, max(2, size // 10), size // 2))
    line.send(topics.INCIDENT_COUNTS, counts_history(chance, max(2, size // 10), size // 2))
    line.send(topics.ARRIVALS, arrivals_history(chance, max(2, size // 10), size // 2))
    line.send(topics.DEAD_LETTERS, [(f"d{n}", dead_letter(n, chance.randrange(3))) for n in (1, 2, 1, 3, 2)])
    line.send(topics.POLLS, [("test", poll(number)) for number in (1, 2, 3, 2)])
    line.send(topics.DRIFT, [("test", drift(number)) for number in (1, 1)])


# --- the oracle ------------------------------------------------------------------------------------------------------


def civil(text: str | None) -> dt.datetime | None:
    try:
        return dt.datetime.fromisoformat(text) if text else None
    except ValueError:
        return None


def as_row(value: Row) -> Row:
    return {
        name: civil(held) if name.endswith("_local") or (name == "window_start" and isinstance(held, str)) else held
        for name, held in value.items()
    }


def upsert(topic: str, held: dict[str, Row], key: str, row: Row | None, offset: int) -> None:
    """Do what a message of counts does: it replaces the key's row, and a tombstone empties it."""
    if row is not None:
        date = {"window_date": row["window_start"].date()} if topic == "incident_counts" else {}
        held[key] = row | date | {"version": offset}
    elif key in held:
        counted = ARRIVED if topic == "arrivals" else ("incidents", "deleted", "revised", "late")
        held[key] |= dict.fromkeys(counted, 0) | {"version": offset}


def expected(line: Line) -> dict[str, list[Row]]:
    """Return what the tables must hold, from reading the topics one message at a time."""
    current: dict[str, dict[str, Row]] = {"incidents": {}, "persons": {}}
    revisions: dict[str, dict[tuple[str, int], Row]] = {"incidents": {}, "persons": {}}
    figures: dict[str, Row] = {}
    figure_revisions: dict[tuple[str, int], Row] = {}
    windows: dict[str, dict[str, Row]] = {"incident_counts": {}, "arrivals": {}}
    once: dict[str, dict[Any, Row]] = {"polls": {}, "dead_letters": {}, "drift": {}}
    of_revision = set(merge.OF_REVISION) - {"loaded_at"}
    for topic, partition, offset, key, value in messages(line):
        row = None if value is None else as_row(value)
        if topic in current:
            assert row is not None
            row["occurred_date"] = row["occurred_local"].date() if row["occurred_local"] else None
            revisions[topic].setdefault((key, row["revision"]), row)
            held = current[topic].get(key)
            if held is None or row["revision"] > held["revision"]:
                keeps = held is not None and row["occurred_local"] is None
                current[topic][key] = {n: held[n] if keeps and n not in of_revision else v for n, v in row.items()}  # type: ignore[index]
        elif topic == "indicators":
            assert row is not None
            figure_revisions.setdefault((key, row["revision"]), row)
            if key not in figures or row["revision"] > figures[key]["revision"]:
                figures[key] = row
        elif topic in windows:
            upsert(topic, windows[topic], key, row, offset)
        else:
            assert row is not None
            identity = {"polls": "poll_id", "dead_letters": "dead_id"}.get(topic)
            if identity is None:
                row |= {"kafka_partition": partition, "kafka_offset": offset}
            once[topic].setdefault(row[identity] if identity else (partition, offset), row)
    tables = {
        "incidents": current["incidents"],
        "incident_revisions": revisions["incidents"],
        "persons": current["persons"],
        "person_revisions": revisions["persons"],
        "indicators": figures,
        "indicator_revisions": figure_revisions,
        **windows,
        **once,
    }
    return {
        name: sorted(rows.values(), key=lambda row: json.dumps(row, default=str, sort_keys=True))
        for name, rows in tables.items()
    }


def messages(line: Line) -> Iterator[tuple[str, int, int, str, Row | None]]:
    """Read what the line's topics hold since its start, decoded by fastavro."""
    ends = line.ends()
    consumer = Consumer(
        {
            "bootstrap.servers": line.kafka,
            "group.id": "oracle",
            "isolation.level": "read_committed",
            "enable.partition.eof": True,
        }
    )
    for (topic, index), start in line.start.items():
        consumer.assign([TopicPartition(topic, index, start)])
        following = start
        while following < ends[topic, index]:
            message = consumer.poll(10)
            assert message is not None
            if message.error():
                break
            following = message.offset() + 1
            value = message.value()
            record: Any = None
            if value is not None:
                schema = registry.schema_by_id(line.registry, wire.schema_id(value))
                record = fastavro.schemaless_reader(io.BytesIO(value[wire.HEADER.size :]), schema, None)
            yield topic, index, message.offset(), message.key().decode(), record
    consumer.close()


def assert_equal(found: dict[str, list[Row]], wanted: dict[str, list[Row]]) -> None:
    for name, rows in wanted.items():
        assert found[name] == rows, name


# --- tests -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seed", "path", "ops"),
    [(1, ALWAYS_LOAD, OPS), (2, ALWAYS_APPEND, OPS), (3, ALWAYS_LOAD, OPS[:3])],
    ids=["load jobs", "appends", "no withdrawals"],
)
def test_the_tables_equal_the_oracle_however_batches_are_cut_and_replays_change_nothing(
    line: Line, seed: int, path: int, ops: tuple[str, ...]
) -> None:
    chance = random.Random(seed)  # noqa: S311 (a test history)
    send_history(line, chance, 80, ops)
    line.load(limits=Limits(rows=chance.choice((30, 50)), load_from_rows=path))
    assert_equal(line.snapshot(loaded_at=False), expected(line))
    before = line.snapshot()

    ends = line.ends()
    line.seek({at: chance.randint(first, ends[at]) for at, first in line.start.items()})
    line.load(limits=Limits(rows=chance.choice((60, 1000)), load_from_rows=path))

    assert line.snapshot() == before
    assert line.staged() == 0
    assert set(progress.lag_of_group(line.kafka, line.group).values()) == {0}


def test_load_jobs_and_appends_give_the_same_rows(line: Line) -> None:
    send_history(line, random.Random(3), 60)  # noqa: S311 (a test history)
    line.load(limits=Limits(load_from_rows=ALWAYS_LOAD))
    loaded = line.snapshot(loaded_at=False)
    warehouse = line.warehouse()
    for table in TABLES:
        warehouse.client.query_and_wait(f"delete from {line.name}.{table.name} where true")
    line.seek(line.start)
    line.load(limits=Limits(load_from_rows=ALWAYS_APPEND))
    assert line.snapshot(loaded_at=False) == loaded
    assert all(loaded.values())


STEPS = (
    "staged incidents",
    "merged incident_revisions",
    "merged incidents",
    "merged person_revisions",
    "merged persons",
    "merged incident_counts",
    "written",
    "committed",
    "removed incidents",
)
CRASHING_WRITER = """
import json, os, signal, sys
from stream_jobs.warehouse.connection import Warehouse
from stream_jobs.warehouse.writer import Limits, Writer
kafka, registry, rest, storage, dataset, group, step = json.loads(sys.argv[1])
def crash(done):
    if done == step:
        os.kill(os.getpid(), signal.SIGKILL)
warehouse = Warehouse("civicwire-local", dataset, "US", rest, storage)
options = {"group": group, "instance_id": group, "checkpoint": crash, "limits": Limits(rows=40)}
with Writer(kafka, registry, warehouse, **options) as writer:
    writer.catch_up()
"""


@pytest.mark.chaos
@pytest.mark.parametrize("step", STEPS)
def test_a_writer_that_is_killed_at_any_step_leaves_nothing_to_repair(line: Line, step: str) -> None:
    send_history(line, random.Random(step), 40)  # noqa: S311 (a test history)
    arguments = json.dumps([line.kafka, line.registry, line.rest, line.storage, line.name, line.group, step])
    killed = subprocess.run([sys.executable, "-c", CRASHING_WRITER, arguments], check=False, capture_output=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()

    line.load(instance_id=line.group)

    assert_equal(line.snapshot(loaded_at=False), expected(line))
    before = line.snapshot()
    line.seek(line.start)
    line.load()
    assert line.snapshot() == before


def one(line: Line, table: str) -> Row:
    rows = line.read(table)
    assert len(rows) == 1, rows
    return rows[0]


def test_an_incident_that_moves_to_another_month_stays_one_row(line: Line) -> None:
    for revision, day in enumerate((dt.date(2026, 3, 5), dt.date(2024, 12, 31), dt.date(2026, 5, 1)), start=1):
        line.send(topics.INCIDENTS, [("test:1", incident(1, revision, day=day))])
        line.load()
        assert one(line, "incidents")["occurred_date"] == day
    assert len(line.read("incident_revisions")) == 3


def test_the_first_revision_read_again_alone_does_not_come_back_in_its_old_month(line: Line) -> None:
    line.send(topics.INCIDENTS, [("test:1", incident(1, 1, day=dt.date(2026, 3, 5)))])
    line.load()
    line.send(topics.INCIDENTS, [("test:1", incident(1, 2, day=dt.date(2026, 7, 1)))])
    line.load()
    line.seek(line.start)
    line.load(limits=Limits(rows=1))
    assert one(line, "incidents")["revision"] == 2


def test_a_withdrawn_incident_keeps_its_last_values_and_its_month(line: Line) -> None:
    line.send(topics.INCIDENTS, [("test:1", incident(1, 1, category="theft"))])
    line.load()
    line.send(topics.INCIDENTS, [("test:1", incident(1, 2, "withdraw", None, category="unmapped"))])
    line.load()
    row = one(line, "incidents")
    assert (row["op"], row["deleted"], row["revision"]) == ("withdraw", True, 2)
    assert (row["category"], row["occurred_date"]) == ("theft", dt.date(2026, 3, 5))
    line.send(topics.INCIDENTS, [("test:1", incident(1, 3, "reappear", dt.date(2026, 4, 2), category="assault"))])
    line.load()
    row = one(line, "incidents")
    assert (row["deleted"], row["category"], row["occurred_date"]) == (False, "assault", dt.date(2026, 4, 2))


def test_a_withdrawn_person_keeps_its_last_values_and_its_month(line: Line) -> None:
    line.send(topics.PERSONS, [("test:1", person(1, 1))])
    line.load()
    line.send(topics.PERSONS, [("test:1", person(1, 2, "withdraw", None))])
    line.load()
    row = one(line, "persons")
    assert (row["op"], row["deleted"], row["revision"]) == ("withdraw", True, 2)
    assert (row["role"], row["sex"], row["age"], row["occurred_date"]) == ("author", "male", 1, dt.date(2026, 3, 1))
    assert [one["revision"] for one in line.read("person_revisions")] == [1, 2]
    assert line.read("incidents") == []


def test_a_tombstone_empties_a_window_and_makes_none(line: Line) -> None:
    key, absent = count_key(1), count_key(2)
    values = {"incidents": 3, "deleted": 1, "revised": 1, "late": 2}
    line.send(topics.INCIDENT_COUNTS, [(json.dumps(key), key | values)])
    line.load()
    line.send(topics.INCIDENT_COUNTS, [(json.dumps(key), None), (json.dumps(absent), None)])
    line.load()
    row = one(line, "incident_counts")
    assert [row[name] for name in values] == [0, 0, 0, 0]


def test_numbers_above_two_to_the_53rd_arrive_exactly(line: Line) -> None:
    line.send(topics.INCIDENTS, [("test:1", incident(1, 1, raw_offset=2**63 - 1))])
    line.load(limits=Limits(load_from_rows=ALWAYS_APPEND))
    line.send(topics.INCIDENTS, [("test:1", incident(1, 2, raw_offset=2**62 + 1))])
    line.load(limits=Limits(load_from_rows=ALWAYS_LOAD))
    assert [row["raw_offset"] for row in line.read("incident_revisions")] == [2**63 - 1, 2**62 + 1]


def test_a_message_that_cannot_be_decoded_stops_the_writer_at_its_offset_with_all_before_it_written(
    line: Line,
) -> None:
    good = incidents(range(4))
    line.send(topics.INCIDENTS, [good[0], good[1]])
    line.send(topics.INCIDENTS, [("test:0", b"not avro"), good[0], good[2], good[3]])
    named = r"incidents:\d:\d+ cannot be decoded: .*header\. .*--skip incidents:"
    with pytest.raises(FatalError, match=named) as stopped:
        line.load()
    place = str(stopped.value).split("--skip ")[1].split("`")[0]
    topic, partition, offset = place.rsplit(":", 2)
    assert {"test:0", "test:1"} <= {row["incident_id"] for row in line.read("incidents")}
    at = (topic, int(partition))
    assert progress.committed(line.kafka, line.group, [at]) == {at: int(offset)}

    with pytest.raises(FatalError):
        line.load()
    line.load(skip=[(*at, int(offset))])
    assert {row["incident_id"] for row in line.read("incidents")} == {f"test:{number}" for number in range(4)}


def test_messages_of_an_aborted_transaction_are_not_loaded_and_leave_no_lag(line: Line) -> None:
    encode = wire.encoder(registry.register(line.registry, topics.POLLS), loader.parsed("poll"))
    producer = Producer({"bootstrap.servers": line.kafka, "transactional.id": line.name})
    producer.init_transactions(30)
    for number, finish in ((1, producer.abort_transaction), (2, producer.commit_transaction)):
        producer.begin_transaction()
        producer.produce("polls", encode(poll(number)), "test")
        producer.flush(30)
        finish(30)
    line.load()
    assert one(line, "polls")["poll_id"] == "test@2"
    assert progress.lag_of_group(line.kafka, line.group)["polls"] == 0


def test_a_following_writer_writes_what_arrives_and_finishes_its_batch_when_it_is_told_to_stop(line: Line) -> None:
    stop, written = threading.Event(), threading.Event()

    def seen(step: str) -> None:
        if step == "committed" and line.read("incidents"):
            written.set()

    with line.writer(checkpoint=seen) as writer:
        thread = threading.Thread(target=writer.run, args=(stop,))
        thread.start()
        line.send(topics.INCIDENTS, [("test:1", incident(1, 1))])
        assert written.wait(120)
        stop.set()
        thread.join(120)
    assert one(line, "incidents")["revision"] == 1
    assert set(progress.lag_of_group(line.kafka, line.group).values()) == {0}


class Watched(Writer):
    """Says when it has read a message while a batch is being written, and when it waits for a batch to be written."""

    def __init__(self, *given: Any, **options: Any) -> None:
        super().__init__(*given, **options)
        self.read_on, self.waits = threading.Event(), threading.Event()

    def _take(self, message: Message) -> None:
        super()._take(message)
        if self._writing is not None and self._batch.rows:
            self.read_on.set()

    def _end_writing(self) -> None:
        if self._writing is not None:
            self.waits.set()
        super()._end_writing()


def test_the_next_batch_is_read_while_one_is_written(line: Line) -> None:
    line.send(topics.INCIDENTS, incidents(range(20)))
    waited: list[bool] = []

    def until_more_is_read(step: str) -> None:
        if step == "staged incidents" and not waited:
            waited.append(writer.read_on.wait(60))

    options = {"group": line.group, "limits": Limits(rows=10), "checkpoint": until_more_is_read}
    with Watched(line.kafka, line.registry, line.warehouse(), **options) as writer:
        report = writer.catch_up()
    assert waited == [True]
    assert (report.batches, report.read) == (2, 20)
    assert len(line.read("incidents")) == 20


def test_a_batch_that_is_being_written_is_committed_before_its_partitions_go_to_another_writer(line: Line) -> None:
    line.send(topics.INCIDENTS, incidents(range(10)))
    stop, staged = threading.Event(), threading.Event()

    def until_partitions_go(step: str) -> None:
        if step == "staged incidents" and not staged.is_set():
            staged.set()
            assert first.waits.wait(60)

    options = {"group": line.group, "checkpoint": until_partitions_go}
    with (
        Watched(line.kafka, line.registry, line.warehouse(), **options) as first,
        line.writer() as second,
        ThreadPoolExecutor(1) as thread,
    ):
        following = thread.submit(first.run, stop)
        assert staged.wait(60)
        line.send(topics.INCIDENTS, incidents(range(10, 90)))
        assert first.read_on.wait(60)
        second.catch_up()
        stop.set()
        following.result(60)
    assert first.report.read + second.report.read == 90, "nothing was written twice"
    assert first.report.read >= 10
    assert second.report.read > 0
    assert len(line.read("incidents")) == 90


def test_a_writer_that_catches_up_again_writes_what_came_since(line: Line) -> None:
    with line.writer() as writer:
        for revision in (1, 2):
            line.send(topics.INCIDENTS, [("test:1", incident(1, revision))])
            writer.catch_up()
            assert [row["revision"] for row in line.read("incidents")] == [revision]


def test_a_column_that_a_schema_gained_is_added_to_a_table_that_has_rows(line: Line) -> None:
    line.send(topics.DRIFT, [("test", drift(1))])
    line.load()
    warehouse = line.warehouse()
    warehouse.client.query_and_wait(f"alter table {line.name}.drift drop column detail")
    ensure_tables(warehouse)
    assert one(line, "drift")["detail"] is None


def test_a_warehouse_that_a_writer_has_closed_can_be_used_by_the_next_one(line: Line) -> None:
    warehouse = line.warehouse()
    for number in (1, 2):
        line.send(topics.DRIFT, [("test", drift(number))])
        with Writer(line.kafka, line.registry, warehouse, group=line.group) as writer:
            writer.catch_up()
    assert len(line.read("drift")) == 2
