"""The set of feeds that normalise reads follows what has been polled, on real parts."""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import fastavro
import feed_run
import pytest
from confluent_kafka import Producer

from civicwire import line
from civicwire.commands.jobs import start_jobs
from civicwire.settings import Settings
from civicwire.stack import Stack
from producers import tail
from schemas import access, kafka_topics, loader, registry, topics, wire
from stream_jobs import jobs
from stream_jobs.session import Session
from stream_jobs.warehouse import progress
from stream_jobs.warehouse.writer import Writer

pytestmark = [pytest.mark.parts, pytest.mark.chaos]  # minutes: run by `make test-chaos`
SECONDS = 240
SAN_DIEGO, LAUS = "san_diego_calls", "california_laus"
CALL = {"date_time": "2023-01-05 10:11:12", "call_type": "459R", "beat": "523"}
MONTH = {
    "area_type": "County",
    "date": "2021-12-01",
    "seasonally_adjusted": "N",
    "status": "Preliminary",
    "labor_force": "1000",
    "employment": "972",
    "unemployment": "28",
    "unemployment_rate": "2.8%",
}


class Line:
    """Broker, registry, Flink and warehouse, and what the topics hold."""

    def __init__(self, stack: Stack) -> None:
        self.settings = Settings(home=stack.home)
        self.home = stack.home
        self.kafka, self.registry = str(stack.endpoints.kafka), str(stack.endpoints.registry)
        self.session = Session(str(stack.endpoints.flink), stack.home / "flink")
        self.producer = Producer(access.client(self.kafka) | {"linger.ms": 5})

    def polled(self, source: str) -> None:
        kafka_topics.ensure(self.kafka, [topics.raw(source)])

    def publish(self, source: str, events: list[dict[str, Any]]) -> None:
        topic = topics.raw(source)
        encode = wire.encoder(registry.register(self.registry, topic), loader.parsed(topic.schema))
        for event in events:
            self.producer.produce(topic.name, encode(event), event["record_id"])
        assert self.producer.flush(30) == 0

    def calls(self, *record_ids: str) -> None:
        rows = [(record_id, {**CALL, "incident_num": record_id}) for record_id in record_ids]
        self.publish(SAN_DIEGO, [feed_run.event(SAN_DIEGO, record_id, row) for record_id, row in rows])

    def months(self, *areas: str, revision: int = 1, **values: str) -> None:
        op = "insert" if revision == 1 else "revise"
        rows = [(f"County|{area}|2021-12-01|N", {**MONTH, "area_name": area, **values}) for area in areas]
        self.publish(LAUS, [feed_run.event(LAUS, key, row, revision=revision, op=op) for key, row in rows])

    def start(self) -> dict[str, str]:
        return {job.name: job.action for job in start_jobs(self.settings)}

    def reads(self) -> list[str]:
        remembered = json.loads((self.home / "flink" / "jobs.json").read_text(encoding="utf-8"))
        return list(remembered["normalize"]["reads"])

    def records(self, topic: topics.Topic) -> list[dict[str, Any]]:
        """Every record of ``topic``; each must carry the one schema that is registered."""
        registered = registry.register(self.registry, topic)
        found = []
        for message in (
            message for batch in tail.read(self.kafka, [topic.name], {}, lambda _: None) for message in batch
        ):
            assert wire.schema_id(message.value()) == registered
            body = io.BytesIO(message.value()[wire.HEADER.size :])
            record = fastavro.schemaless_reader(body, loader.parsed(topic.schema), None)
            assert isinstance(record, dict)
            assert message.key().decode() == record[jobs.NORMALIZE_SINKS[topic]]
            found.append(record)
        return found

    def incidents(self) -> list[str]:
        return sorted(record["record_id"] for record in self.records(topics.INCIDENTS))

    def settle(self) -> None:
        line.wait_until_streamed(self.settings, SECONDS, lambda _: None)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    """A stack of this module's own: the topics' names are fixed."""
    with Stack(tmp_path_factory.mktemp("home"), ("kafka", "registry", "flink", "warehouse")) as stack:
        yield Line(stack)


def test_normalise_follows_the_feeds_that_are_polled(running: Line):
    # One feed has been polled: normalise reads that one, and starting it again changes nothing.
    running.polled(SAN_DIEGO)
    running.calls("E1", "E2")
    assert running.start() == {"normalize": "started", "windows": "started"}
    assert running.reads() == ["raw.san_diego_calls"]
    running.settle()
    assert running.incidents() == ["E1", "E2"]
    assert running.start() == {"normalize": "already running", "windows": "already running"}

    # A second feed is polled, before normalise knows of it, and the first has news.
    windows = next(job.id for job in running.session.running() if job.name == "windows")
    running.polled(LAUS)
    running.months("Alameda", "Yolo")
    running.calls("E3")
    assert running.start() == {"normalize": "restarted", "windows": "already running"}
    assert running.reads() == ["raw.california_laus", "raw.san_diego_calls"]
    assert next(job.id for job in running.session.running() if job.name == "windows") == windows
    assert len(running.session.running()) == 2
    running.months("Alpine")
    running.settle()

    # The first went on from its committed offsets: nothing is missing, and what was settled before is not read again.
    # E3 may be: it came between the last checkpoint and the stop.
    read = Counter(running.incidents())
    assert set(read) == {"E1", "E2", "E3"}
    assert (read["E1"], read["E2"]) == (1, 1)
    # The second was read from its beginning.
    areas = {record["area"] for record in running.records(topics.INDICATORS)}
    assert areas == {"Alameda", "Alpine", "Yolo"}
    assert running.start() == {"normalize": "already running", "windows": "already running"}


def test_a_new_topic_is_read_from_its_beginning_though_the_group_has_offsets_elsewhere(running: Line):
    group = jobs.normalize(feed_run.NOWHERE).group
    known = [(topics.raw(SAN_DIEGO).name, index) for index in range(2)]
    assert any(offset is not None for offset in progress.committed(running.kafka, group, known).values())
    running.polled("catalonia_hate_facts")
    fresh = [(topics.raw("catalonia_hate_facts").name, index) for index in range(2)]
    assert set(progress.committed(running.kafka, group, fresh).values()) == {None}
    row = {"any": "2024", "n_m_mes": "7", "tipus_de_fet_codi_penal_o": "Amenaces", "mbit_fet": "Sexisme"}
    events = [feed_run.event("catalonia_hate_facts", f"{number:032x}:1", row) for number in range(20)]
    running.publish("catalonia_hate_facts", events)
    assert running.start()["normalize"] == "restarted"
    running.settle()
    facts = [one for one in running.records(topics.INCIDENTS) if one["source"] == "catalonia_hate_facts"]
    assert sorted(one["record_id"] for one in facts) == sorted(event["record_id"] for event in events)


def test_indicators_reach_the_warehouse_with_their_revisions(running: Line):
    running.months("Yolo", revision=2, status="Final", unemployment="29", unemployment_rate="2.9%")
    running.settle()
    for _ in range(2):  # reading twice changes nothing
        with Writer.of(running.settings) as writer:
            writer.catch_up()
    with Writer.of(running.settings) as writer:
        dataset = f"`{running.settings.project}.{running.settings.dataset}`"
        rows = writer.warehouse.query(
            f"select area, month, preliminary, value, revision from {dataset}.indicators "
            "where indicator = 'unemployment_rate' order by area"
        )
        assert [
            (row["area"], str(row["month"]), row["preliminary"], row["value"], row["revision"]) for row in rows
        ] == [
            ("Alameda", "2021-12-01", True, 0.028, 1),
            ("Alpine", "2021-12-01", True, 0.028, 1),
            ("Yolo", "2021-12-01", False, 0.029, 2),
        ]
        counted = writer.warehouse.query(
            f"select (select count(*) from {dataset}.indicators) as now, "
            f"(select count(*) from {dataset}.indicator_revisions) as ever"
        )
        assert [(row["now"], row["ever"]) for row in counted] == [(12, 16)]
