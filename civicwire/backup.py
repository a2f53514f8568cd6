"""Topics to files and back: every committed record where it was, so that nothing downstream notices.

A backup is a folder: ``<topic>.avro`` for each topic (an Avro container of :data:`RECORD`), ``schemas.json`` with what
the registry holds, and ``manifest.json``, which is written last: a folder without it is no backup.

Topics are read downstream first. What is published meanwhile may then be missing downstream and never upstream, and
everything downstream is made again from upstream: a cursor is never ahead of its events.

Offsets are part of the data: incidents name the offset of their raw event, and the higher offset of a window's counts
wins in the warehouse. So they are restored as they were. Where records are missing in between (the markers of
transactions, what was aborted or compacted away), a transaction of one record is committed, whose marker takes one
offset, or fillers are aborted, which readers of committed records never see.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import fastavro
from confluent_kafka import Consumer, Message, Producer, TopicPartition
from confluent_kafka.admin import AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType  # type: ignore[attr-defined]
from confluent_kafka.schema_registry import Schema

from civicwire import line
from civicwire.settings import Settings
from producers import catalog, tail
from schemas import access, kafka_topics, registry, topics
from schemas.errors import ConfigError, FatalError, RetriableError
from schemas.topics import Topic
from schemas.wire import HEADER, MAGIC
from stream_jobs.warehouse import progress

FORMAT = 1
MANIFEST, SCHEMAS = "manifest.json", "schemas.json"
RECORD = {
    "type": "record",
    "name": "KafkaRecord",
    "fields": [
        {"name": "partition", "type": "int"},
        {"name": "offset", "type": "long"},
        {"name": "timestamp", "type": "long", "doc": "Milliseconds since 1970, UTC."},
        {"name": "key", "type": ["null", "bytes"]},
        {"name": "value", "type": ["null", "bytes"], "doc": "Null is a tombstone."},
        {
            "name": "headers",
            "type": {
                "type": "array",
                "items": {
                    "type": "record",
                    "name": "Header",
                    "fields": [{"name": "name", "type": "string"}, {"name": "value", "type": ["null", "bytes"]}],
                },
            },
        },
    ],
}
GROUPS = (line.NORMALISE_GROUP, line.WINDOWS_GROUP, progress.GROUP)
TIMEOUT_SECONDS = 60
TRANSACTION_SECONDS = 60
LOOK_SECONDS = 0.002
WHILE_RESTORING = {"cleanup.policy": "delete", "retention.ms": "-1", "message.timestamp.type": "CreateTime"}
"""Settings of a topic while it is filled: times are kept, nothing is cleaned, and the start can be moved."""
_FILLER = b"filler"

Told = Callable[[str], None]


def _ours() -> list[Topic]:
    """Return all topics, downstream first: ``SHARED`` names them in the order of the stream, after the raw ones."""
    return [*reversed(topics.SHARED), *(topics.raw(source) for source in catalog.load_all())]


def backup(settings: Settings, folder: Path, told: Told = lambda _: None) -> dict[str, Any]:
    """Write all topics that exist into ``folder`` and return the manifest.

    Raises:
        ConfigError: the folder holds something.
        EnvironmentMissingError: the broker or the registry is not running.
        RetriableError: the broker does not answer; the folder has no manifest.
    """
    reach = settings.require("kafka", "registry")
    kafka, url = str(reach.kafka), str(reach.registry)
    if folder.exists() and any(folder.iterdir()):
        raise ConfigError(f"{folder} is not empty: name a new folder for each backup.")
    folder.mkdir(parents=True, exist_ok=True)
    places: dict[str, list[int]] = {}
    for name, partition in kafka_topics.partitions(kafka, [topic.name for topic in _ours()]):
        places.setdefault(name, []).append(partition)
    present = [topic for topic in _ours() if topic.name in places]
    manifest: dict[str, Any] = {
        "format": FORMAT,
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
        # Before the topics: a reader that is set back reads some records again, one set ahead would miss them.
        "groups": {group: _committed(kafka, group, places) for group in GROUPS},
        "topics": {},
    }
    for topic in present:
        manifest["topics"][topic.name] = entry = _write(kafka, topic, len(places[topic.name]), folder)
        told(f"{topic.name}: {entry['records']:,} records")
    (folder / SCHEMAS).write_text(json.dumps(_schemas(url), indent=1), encoding="utf-8")
    manifest["schemas_sha256"] = _digest(folder / SCHEMAS)
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=1), encoding="utf-8")
    return manifest


def restore(settings: Settings, folder: Path, told: Told = lambda _: None) -> dict[str, Any]:
    """Fill an empty broker and registry from ``folder`` and return the manifest.

    Ids of schemas that the registry gives anew are written into the records; everything else is as it was: partitions,
    offsets, times, keys, values, headers, settings of topics, and how far the readers had come.

    Raises:
        ConfigError: this is no backup or a damaged one, or the broker holds records of these topics.
        EnvironmentMissingError: the broker or the registry is not running.
        FatalError: what was written is not where it was; the broker is of no use then.
    """
    manifest = _checked(folder)
    reach = settings.require("kafka", "registry")
    kafka, url = str(reach.kafka), str(reach.registry)
    held = [name for name, end in _ends(kafka, list(manifest["topics"])).items() if any(end.values())]
    if held:
        raise ConfigError(f"The broker holds records of {', '.join(sorted(held))}: restore into an empty one.")
    ids = _register(url, json.loads((folder / SCHEMAS).read_text(encoding="utf-8")))
    for name, entry in manifest["topics"].items():
        kafka_topics.ensure(kafka, [Topic(name, "", entry["partitions"], WHILE_RESTORING)])
        _configure(kafka, name, WHILE_RESTORING)
        _fill(kafka, name, entry, folder, ids)
        _configure(kafka, name, entry["config"])
        told(f"{name}: {entry['records']:,} records")
    for group, positions in manifest["groups"].items():
        _set_committed(kafka, group, positions)
    return manifest


def _write(kafka: str, topic: Topic, partitions: int, folder: Path) -> dict[str, Any]:
    file = folder / f"{topic.name}.avro"
    ends: dict[str, int] = {}
    count = 0

    def end(reached: tail.Offsets) -> None:
        ends.update({str(partition): offset for (_, partition), offset in reached.items()})

    def records() -> Iterator[dict[str, Any]]:
        nonlocal count
        for batch in tail.read(kafka, [topic.name], {}, end):
            count += len(batch)
            yield from map(_record, batch)

    with file.open("wb") as out:
        fastavro.writer(out, fastavro.parse_schema(RECORD), records(), codec="deflate")
    return {
        "partitions": partitions,
        "config": dict(topic.config),
        "records": count,
        "ends": ends,
        "sha256": _digest(file),
    }


def _record(message: Message) -> dict[str, Any]:
    given: Any = message.headers() or []
    headers = [{"name": name, "value": value} for name, value in given]
    return {
        "partition": message.partition(),
        "offset": message.offset(),
        "timestamp": message.timestamp()[1],
        "key": message.key(),
        "value": message.value(),
        "headers": headers,
    }


def _schemas(url: str) -> list[dict[str, Any]]:
    client = registry.client(url)
    found = []
    with registry.explained(url):
        for subject in sorted(client.get_subjects()):
            for version in client.get_versions(subject):
                held = client.get_version(subject, version)
                text = str(held.schema.schema_str)
                found.append({"subject": subject, "version": version, "id": held.schema_id, "schema": text})
    return found


def _checked(folder: Path) -> dict[str, Any]:
    """Return the manifest after comparing every file with it."""
    try:
        manifest: dict[str, Any] = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        digests = {f"{name}.avro": entry["sha256"] for name, entry in manifest["topics"].items()}
        digests[SCHEMAS] = manifest["schemas_sha256"]
        wrong = [name for name, digest in digests.items() if _digest(folder / name) != digest]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{folder} is no complete backup ({error}): take another one.") from error
    if manifest.get("format") != FORMAT:
        raise ConfigError(f"{folder} has format {manifest.get('format')}: restore it with the civicwire that made it.")
    if wrong:
        raise ConfigError(f"{', '.join(wrong)} in {folder} changed since the backup was made: take another one.")
    return manifest


def _digest(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _register(url: str, held: list[dict[str, Any]]) -> dict[int, int]:
    """Register the schemas in the order of their versions and return the new id of each old one."""
    client = registry.client(url)
    ids = {}
    with registry.explained(url):
        client.set_compatibility(level=registry.COMPATIBILITY)
        for one in sorted(held, key=lambda each: (each["version"], each["id"])):
            ids[one["id"]] = int(client.register_schema(one["subject"], Schema(one["schema"], "AVRO")))
    return ids


def _fill(kafka: str, name: str, entry: dict[str, Any], folder: Path, ids: dict[int, int]) -> None:
    with _Writer(kafka, name) as writer:
        for partition in range(entry["partitions"]):
            with (folder / f"{name}.avro").open("rb") as content:
                rows: Iterable[Any] = fastavro.reader(content)
                records = (row for row in rows if row["partition"] == partition)
                writer.fill(partition, records, entry["ends"].get(str(partition), 0), ids)
    expected = {int(partition): end for partition, end in entry["ends"].items() if end}
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while (written := {place: end for place, end in _ends(kafka, [name])[name].items() if end}) != expected:
        if time.monotonic() > deadline:
            raise FatalError(f"{name} ends at {written}, not at {expected}: empty the broker and restore again.")
        time.sleep(LOOK_SECONDS)


class _Writer:
    """Writes the records of one topic to the offsets that they had."""

    def __init__(self, kafka: str, name: str) -> None:
        self._kafka, self._name = kafka, name
        self._failed: list[str] = []
        common = access.client(kafka) | {
            "enable.idempotence": True,
            "linger.ms": 5,
            "compression.type": "lz4",
        }
        self._plain = Producer(common)
        self._transactional = Producer({**common, "transactional.id": f"civicwire.restore.{name}"})
        self._transactional.init_transactions(TRANSACTION_SECONDS)
        # Sees all records, so that its end is where the next one is written.
        self._watch = Consumer(
            access.client(kafka) | {"group.id": f"civicwire.restore.{name}", "isolation.level": "read_uncommitted"}
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._watch.close()

    def fill(self, partition: int, records: Iterable[dict[str, Any]], end: int, ids: dict[int, int]) -> None:
        """Write ``records``, in order of their offsets, and what lies between them, up to ``end``."""
        at = 0
        waiting: dict[str, Any] | None = None  # the last record of a run: the gap after it decides how it is written
        for record in records:
            self._gap(partition, waiting, at, record["offset"], ids)
            waiting, at = record, record["offset"] + 1
        self._gap(partition, waiting, at, end, ids)
        self._flush()

    def _gap(self, partition: int, waiting: dict[str, Any] | None, start: int, end: int, ids: dict[int, int]) -> None:
        """Write the record that waits, whose offset is before ``start``, and make ``end`` the next offset."""
        size = end - start
        if size == 1 and waiting is not None:
            self._flush()
            self._transactional.begin_transaction()
            self._send(self._transactional, partition, waiting, ids)
            self._transactional.commit_transaction(TRANSACTION_SECONDS)
            self._reached(partition, end)
            return
        if waiting is not None:
            self._send(self._plain, partition, waiting, ids)
        if size == 0:
            return
        self._flush()
        if start == 0:
            self._skip_beginning(partition, size)
            return
        self._transactional.begin_transaction()
        for _ in range(size - 1):
            self._produce(self._transactional, partition=partition, key=_FILLER, value=_FILLER)
        self._transactional.flush(TIMEOUT_SECONDS)
        self._transactional.abort_transaction(TRANSACTION_SECONDS)
        self._reached(partition, end)

    def _reached(self, partition: int, end: int) -> None:
        """Wait for a transaction's marker: its end is answered before that is written, and then this is the place."""
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while (high := self._watch.get_watermark_offsets(TopicPartition(self._name, partition))[1]) < end:
            if time.monotonic() > deadline:
                raise RetriableError(
                    f"{self._name}/{partition} stays at {high} before {end}. Empty the broker, try again."
                )
            time.sleep(LOOK_SECONDS)

    def _skip_beginning(self, partition: int, size: int) -> None:
        """Let the partition begin at ``size``, as it does where its first records were cleaned away."""
        for _ in range(size):
            self._produce(self._plain, partition=partition, key=_FILLER, value=_FILLER)
        self._flush()
        admin = kafka_topics.admin(self._kafka)
        for future in admin.delete_records([TopicPartition(self._name, partition, size)]).values():
            future.result(TIMEOUT_SECONDS)

    def _send(self, producer: Producer, partition: int, record: dict[str, Any], ids: dict[int, int]) -> None:
        self._produce(
            producer,
            partition=partition,
            key=record["key"],
            value=_with_new_id(record["value"], ids),
            timestamp=record["timestamp"],
            headers=[(header["name"], header["value"]) for header in record["headers"]],
        )

    def _produce(self, producer: Producer, **message: Any) -> None:
        while True:
            try:
                producer.produce(self._name, **message, on_delivery=self._delivered)
            except BufferError:
                producer.poll(0.1)
            else:
                producer.poll(0)
                return

    def _delivered(self, error: Any, _message: Message) -> None:
        if error is not None and _matters(error):
            self._failed.append(str(error))

    def _flush(self) -> None:
        left = self._plain.flush(TIMEOUT_SECONDS)
        if left or self._failed:
            told = self._failed[0] if self._failed else "no answer"
            raise RetriableError(f"{self._name} did not take {left + len(self._failed)} records ({told}).")


def _matters(error: Any) -> bool:
    """Return whether a record failed that was not aborted on purpose."""
    from confluent_kafka import KafkaError  # noqa: PLC0415

    return bool(error.code() not in {KafkaError._PURGE_QUEUE, KafkaError._PURGE_INFLIGHT})  # noqa: SLF001


def _with_new_id(value: bytes | None, ids: dict[int, int]) -> bytes | None:
    if value is None or len(value) < HEADER.size or value[0] != MAGIC:
        return value
    _, old = HEADER.unpack_from(value)
    return HEADER.pack(MAGIC, ids.get(old, old)) + value[HEADER.size :]


def _configure(kafka: str, name: str, wanted: dict[str, str]) -> None:
    """Give the topic the settings ``wanted`` and the broker's defaults for the others that we ever set."""
    mine = {**WHILE_RESTORING, **topics.COMPACTED}
    entries = [
        ConfigEntry(key, wanted.get(key, ""), incremental_operation=_operation(key in wanted)) for key in sorted(mine)
    ]
    resource = ConfigResource(ResourceType.TOPIC, name, incremental_configs=entries)
    for future in kafka_topics.admin(kafka).incremental_alter_configs([resource]).values():
        future.result(TIMEOUT_SECONDS)


def _operation(wanted: bool) -> AlterConfigOpType:
    return AlterConfigOpType.SET if wanted else AlterConfigOpType.DELETE


def _ends(kafka: str, names: list[str]) -> dict[str, dict[int, int]]:
    found: dict[str, dict[int, int]] = {}
    for (name, partition), end in progress.ends(kafka, kafka_topics.partitions(kafka, names)).items():
        found.setdefault(name, {})[partition] = end
    return found


def _committed(kafka: str, group: str, places: dict[str, list[int]]) -> list[dict[str, Any]]:
    wanted = [(name, partition) for name, partitions in places.items() for partition in partitions]
    return [
        {"topic": name, "partition": partition, "offset": offset}
        for (name, partition), offset in progress.committed(kafka, group, wanted).items()
        if offset is not None
    ]


def _set_committed(kafka: str, group: str, positions: list[dict[str, Any]]) -> None:
    try:
        progress.set_offsets(kafka, group, {(at["topic"], at["partition"]): at["offset"] for at in positions})
    except RetriableError as error:
        raise ConfigError(f"{error} Stop its readers, empty the broker, restore again.") from error
