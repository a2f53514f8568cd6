"""Topics into files and back into another, empty broker: every record, time, header, schema and reader in its place."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource, ResourceType
from confluent_kafka.schema_registry import Schema

from civicwire import line
from civicwire.backup import backup, restore
from civicwire.settings import Settings
from civicwire.stack import Stack
from producers import tail
from schemas import kafka_topics, loader, registry, topics, wire
from schemas.errors import ConfigError
from stream_jobs.warehouse import progress

RAW = topics.raw("san_diego_calls")
TOPICS = (topics.CURSORS, topics.POLLS, topics.INCIDENT_COUNTS, RAW)


@pytest.fixture(scope="module")
def brokers() -> Iterator[tuple[Settings, Settings]]:
    """Two brokers with registries: one that will be filled, one that stays empty."""
    with (
        tempfile.TemporaryDirectory(prefix="civicwire-test-") as home,
        Stack(Path(home) / "one", ("kafka", "registry")) as one,
        Stack(Path(home) / "two", ("kafka", "registry")) as two,
    ):
        yield tuple(
            Settings(home=at.home, kafka=at.endpoints.kafka, registry=at.endpoints.registry) for at in (one, two)
        )


@pytest.fixture(scope="module")
def saved(brokers: tuple[Settings, Settings], tmp_path_factory: pytest.TempPathFactory) -> Path:
    source, target = brokers
    kafka, url = str(source.kafka), str(source.registry)
    kafka_topics.ensure(kafka, TOPICS)
    for topic in TOPICS:
        registry.register(url, topic)
    # The other registry has given its first ids to somebody else.
    registry.client(str(target.registry)).register_schema("somebody-else", Schema('{"type": "string"}', "AVRO"))
    producer = Producer({"bootstrap.servers": kafka, "transactional.id": "test"})
    producer.init_transactions(60)
    for poll in range(3):
        producer.begin_transaction()
        for row in range(5):
            producer.produce(RAW.name, b"body", f"row-{row}", headers={"poll": str(poll), "none": None})
        producer.produce(topics.CURSORS.name, receipt(url, poll), "san_diego_calls")
        producer.commit_transaction(60)
        # What a killed poller leaves: aborted records, of which the first comes before anything else was written.
        producer.begin_transaction()
        for row in range(poll + 1):
            producer.produce(RAW.name, b"never", f"lost-{row}")
        producer.flush()
        producer.abort_transaction(60)
    plain = Producer({"bootstrap.servers": kafka})
    plain.produce(topics.INCIDENT_COUNTS.name, receipt(url, 1), "window")
    plain.produce(topics.INCIDENT_COUNTS.name, None, "window")
    for poll in range(4):
        plain.produce(topics.POLLS.name, receipt(url, poll), "san_diego_calls")
    assert plain.flush(60) == 0
    # As where a person has deleted what came first.
    for future in kafka_topics.admin(kafka).delete_records([TopicPartition(topics.POLLS.name, 0, 1)]).values():
        future.result(60)
    reader = Consumer({"bootstrap.servers": kafka, "group.id": line.NORMALISE_GROUP, "enable.auto.commit": False})
    committed = reader.commit(offsets=[TopicPartition(RAW.name, n, 2 - n) for n in (0, 1)], asynchronous=False)
    assert [place.error for place in committed or ()] == [None, None]
    reader.close()
    folder = tmp_path_factory.mktemp("backup") / "first"
    backup(source, folder)
    restore(target, folder)
    return folder


def receipt(url: str, number: int) -> bytes:
    """Return a message in the registry's format; which schema it has does not matter here."""
    schema = loader.parsed("drift")
    values = {field["name"]: _any(field["type"], number) for field in schema["fields"]}
    return wire.encoder(registry.register(url, topics.Topic("drift", "drift", 1)), schema)(values)


def _any(kind: Any, number: int) -> Any:
    if isinstance(kind, list):
        return None
    return f"{number}" if kind == "string" else [] if isinstance(kind, dict) and kind["type"] == "array" else number


def records(settings: Settings, topic: topics.Topic) -> list[tuple[Any, ...]]:
    """Return all that a reader of committed records sees, values decoded where they can be."""
    found = []
    for batch in tail.read(str(settings.kafka), [topic.name], {}, lambda _: None):
        for message in batch:
            value = message.value()
            if value is not None and value[:1] == b"\0":
                value = registry.decode(str(settings.registry), value)
            place = (message.partition(), message.offset(), message.timestamp()[1])
            found.append((*place, message.key(), value, message.headers()))
    return sorted(found, key=lambda one: one[:2])


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
def test_every_record_is_where_it_was_and_what_it_was(brokers, saved, topic):
    source, target = brokers
    assert records(source, topic) == records(target, topic) != []


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
def test_partitions_begin_and_end_where_they_did(brokers, saved, topic):
    first, second = (
        {
            begin: progress.ends(str(one.kafka), kafka_topics.partitions(str(one.kafka), [topic.name]), first=begin)
            for begin in (True, False)
        }
        for one in brokers
    )
    assert first == second


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
def test_a_topic_has_its_settings_again(brokers, saved, topic):
    found = []
    for one in brokers:
        resource = ConfigResource(ResourceType.TOPIC, topic.name)
        admin = AdminClient({"bootstrap.servers": one.kafka})
        entries = admin.describe_configs([resource])[resource].result(60)
        found.append({name: entry.value for name, entry in entries.items()})
    assert found[0] == found[1]


def test_the_schemas_have_other_ids_there(brokers, saved):
    before, after = (registry.client(str(one.registry)).get_latest_version("drift-value") for one in brokers)
    assert before.schema_id != after.schema_id
    assert before.schema.schema_str == after.schema.schema_str


def test_readers_go_on_where_they_were(brokers, saved):
    places = kafka_topics.partitions(str(brokers[1].kafka), [RAW.name])
    assert progress.committed(str(brokers[1].kafka), line.NORMALISE_GROUP, places) == {
        (RAW.name, 0): 2,
        (RAW.name, 1): 1,
    }


def test_a_broker_that_holds_records_is_refused(brokers, saved):
    with pytest.raises(ConfigError, match="restore into an empty one"):
        restore(brokers[1], saved)


def test_a_folder_is_never_written_over(brokers, saved):
    with pytest.raises(ConfigError, match="not empty"):
        backup(brokers[0], saved)


def test_a_damaged_backup_is_refused_before_anything_is_written(brokers, saved, tmp_path):
    for file in saved.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    body = (tmp_path / f"{RAW.name}.avro").read_bytes()
    (tmp_path / f"{RAW.name}.avro").write_bytes(body[:-1] + bytes([body[-1] ^ 1]))
    with pytest.raises(ConfigError, match=f"{RAW.name}.avro"):
        restore(brokers[1], tmp_path)
    (tmp_path / "manifest.json").unlink()
    with pytest.raises(ConfigError, match="no complete backup"):
        restore(brokers[1], tmp_path)
