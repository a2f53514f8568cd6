"""Both stream jobs on real parts: through duplicates, replays, kills and restarts the topics equal a recount."""

from __future__ import annotations

import io
import json
import random
import shutil
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import fastavro
import psutil
import pytest
from confluent_kafka import Producer
from stream_rows import AUSTIN, OBSERVED, SAN_DIEGO, arrivals, counts, raw

from civicwire import line
from civicwire.commands.jobs import start_jobs
from civicwire.settings import Settings
from civicwire.stack import Stack, state
from producers import tail
from schemas import kafka_topics, loader, registry, topics, wire
from stream_jobs import crosswalk
from stream_jobs.session import Running, Session
from stream_jobs.tables import ARRIVAL_KEY, COUNT_KEY

pytestmark = pytest.mark.parts
SECONDS = 240
LOOK_SECONDS = 0.2
CATEGORIES = {source: crosswalk.of_source(source)["category"].exact for source in (AUSTIN, SAN_DIEGO)}
FIRST = datetime(2024, 1, 31, 20)  # noqa: DTZ001  civil


class Line:
    """The two jobs, what was put in at their start, and what has come out at their end."""

    def __init__(self, stack: Stack) -> None:
        self.settings = Settings(home=stack.home)
        self.stack = stack
        self.kafka = str(stack.endpoints.kafka)
        self.registry = str(stack.endpoints.registry)
        self.session = Session(str(stack.endpoints.flink), stack.home / "flink")
        self.published: list[dict[str, Any]] = []
        self.producer = Producer({"bootstrap.servers": self.kafka, "linger.ms": 5})
        feeds = [topics.raw(AUSTIN), topics.raw(SAN_DIEGO)]
        kafka_topics.ensure(self.kafka, feeds)
        self.encoders = {
            topic.name: wire.encoder(registry.register(self.registry, topic), loader.parsed(topic.schema))
            for topic in feeds
        }

    def publish(self, events: list[tuple[str, dict[str, Any]]]) -> None:
        for source, event in events:
            topic = topics.raw(source).name
            self.producer.produce(topic, self.encoders[topic](event), event["record_id"])
            self.producer.poll(0)
            self.published.append({"source": source, **event})
        assert self.producer.flush(30) == 0

    def start(self, **options: Any) -> dict[str, str]:
        return {job.name: job.action for job in start_jobs(self.settings, **options)}

    def settle(self) -> None:
        line.wait_until_streamed(self.settings, SECONDS, lambda _: None)

    def messages(self, topic: topics.Topic) -> list[tuple[str, bytes | None]]:
        batches = tail.read(self.kafka, [topic.name], {}, lambda _: None)
        return [(message.key().decode(), message.value()) for batch in batches for message in batch]

    def records(self, topic: topics.Topic) -> dict[str, list[dict[str, Any]]]:
        """Every record of ``topic`` by key, decoded with the writer's schema that the registry knows."""
        found: dict[str, list[dict[str, Any]]] = {}
        for key, value in self.messages(topic):
            assert value is not None
            schema = registry.schema_by_id(self.registry, wire.schema_id(value))
            body = io.BytesIO(value[wire.HEADER.size :])
            found.setdefault(key, []).append(fastavro.schemaless_reader(body, schema, None))
        return found

    def counts(self) -> dict[tuple[str, ...], tuple[Any, ...]]:
        """The windows: the last value under each key, tombstones gone."""
        return self.last(topics.INCIDENT_COUNTS, COUNT_KEY)

    def arrivals(self) -> dict[tuple[str, ...], tuple[Any, ...]]:
        """What arrived: the last value under each key, tombstones gone."""
        return self.last(topics.ARRIVALS, ARRIVAL_KEY)

    def last(self, topic: topics.Topic, names: tuple[str, ...]) -> dict[tuple[str, ...], tuple[Any, ...]]:
        live: dict[tuple[str, ...], tuple[Any, ...]] = {}
        for key, value in dict(self.messages(topic)).items():
            if value is None:
                continue
            schema = registry.schema_by_id(self.registry, wire.schema_id(value))
            record = fastavro.schemaless_reader(io.BytesIO(value[wire.HEADER.size :]), schema, None)
            named = json.loads(key)
            assert list(named) == list(names)
            own = tuple(_text(record.pop(name)) for name in names)
            assert tuple(named.values()) == own
            live[own] = tuple(record.values())
        return live

    def check(self) -> None:
        """Topics equal what Python makes of everything that was published."""
        expected = [incident for event in self.published if (incident := normalised(event))]
        came = self.records(topics.INCIDENTS)
        named = list(expected[0])
        assert {
            (incident["incident_id"], incident["revision"]): {name: incident[name] for name in named}
            for incidents in came.values()
            for incident in incidents
        } == {(incident["incident_id"], incident["revision"]): incident for incident in expected}
        assert set(came) == {incident["incident_id"] for incident in expected}
        bad = {
            f"{event['source']}:{event['record_id']}:{event['revision']}:event_time_unparsable"
            for event in self.published
            if moment(event) is None and event["op"] != "delete"
        }
        assert set(self.records(topics.DEAD_LETTERS)) == bad
        assert self.counts() == counts(expected)
        texts = [one | {name: _iso(one[name]) for name in ("observed_at", "occurred_at")} for one in came_once(came)]
        assert {(*key[:2], key[2].replace(" ", "T")): row for key, row in self.arrivals().items()} == arrivals(texts)

    def process(self, name: str) -> psutil.Process:
        return psutil.Process(state.read(self.stack.home)["processes"][name]["pid"])

    def healthy_again(self, name: str) -> bool:
        process = state.read(self.stack.home)["processes"][name]
        return process["restarts"] > 0 and process["state"] == "healthy"

    def jobs(self) -> dict[str, Running]:
        return {job.name: job for job in self.session.running()}


def came_once(came: dict[str, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    return [incident for incidents in came.values() for incident in incidents]


def _text(value: Any) -> Any:
    """A value as Flink writes it into a JSON key."""
    return f"{value:%Y-%m-%d %H:%M:%S}" if isinstance(value, datetime) else value


def _iso(value: datetime | None) -> str | None:
    return None if value is None else f"{value:%Y-%m-%dT%H:%M:%S}"


def moment(event: dict[str, Any]) -> str | None:
    """Civil time of a raw event of these tests: its one time column, or None where that is no time."""
    row = event["row"]
    text = row["occ_date_time"] if event["source"] == AUSTIN else row["date_time"]
    return None if text == "soon" else text[:19].replace(" ", "T")


def normalised(event: dict[str, Any]) -> dict[str, Any] | None:
    """What the incident must say, as far as these tests look; None where there must be none."""
    source, row, civil = event["source"], event["row"], moment(event)
    if civil is None and event["revision"] == 1:
        return None
    area = row["sector"] if source == AUSTIN else row["beat"]
    code = row["crime_type"] if source == AUSTIN else row["call_type"]
    return {
        "incident_id": f"{source}:{event['record_id']}",
        "source": source,
        "revision": event["revision"],
        "op": event["op"] if civil else "withdraw",
        "deleted": civil is None or event["op"] == "delete",
        "late": event["late"],
        "kind": "crime_report" if source == AUSTIN else "call_for_service",
        "occurred_local": civil,
        "area": None if area == "-1" else area,
        "category": CATEGORIES[source][code],
        "observed_at": event["observed_at"],
    }


def lives(prefix: str, number: int, seed: int) -> list[tuple[str, dict[str, Any]]]:
    """Raw events of ``number`` records of both feeds through random revisions, deletes and reappearances.

    Revisions of one record are in order, as the log of a partition has them; records are interleaved.
    """
    chance = random.Random(seed)  # noqa: S311  reproducible, not secret
    queues = []
    for index in range(number):
        source = chance.choice((AUSTIN, SAN_DIEGO))
        events = []
        for revision in range(1, chance.choice((1, 1, 2, 3, 5)) + 1):
            before = events[-1][1]["op"] if events else "delete"
            op = (
                "insert" if revision == 1 else "reappear" if before == "delete" else chance.choice(("revise", "delete"))
            )
            at = FIRST + timedelta(minutes=chance.randrange(600))
            text = "soon" if chance.random() < 0.1 else f"{at:%Y-%m-%d %H:%M:%S}"
            row: dict[str, str | None]
            if source == AUSTIN:
                row = {
                    "incident_report_number": f"{prefix}{index}",
                    "occ_date_time": text.replace(" ", "T"),
                    "crime_type": chance.choice(("THEFT", "DWI")),
                    "sector": chance.choice(("ED", None)),
                }
            else:
                row = {
                    "incident_num": f"{prefix}{index}",
                    "date_time": text,
                    "call_type": chance.choice(("459R", "415")),
                    "beat": chance.choice(("523", "-1")),
                }
            late = revision == 1 and chance.random() < 0.2
            seen = OBSERVED + timedelta(minutes=7 * revision + chance.randrange(5))
            events.append((source, raw(source, row, revision=revision, op=op, late=late, observed_at=seen)))
        queues.append(events)
    interleaved = []
    while queues:
        queue = chance.choice(queues)
        interleaved.append(queue.pop(0))
        if not queue:
            queues.remove(queue)
    return interleaved


def until(true: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + SECONDS
    while not true():
        assert time.monotonic() < deadline, f"not within {SECONDS} s: {what}"
        time.sleep(LOOK_SECONDS)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    """A stack of this module's own: the jobs' topics have fixed names, and parts are killed here."""
    with Stack(tmp_path_factory.mktemp("home"), ("kafka", "registry", "flink")) as stack:
        jobs = Line(stack)
        jobs.start()
        yield jobs


def test_topics_equal_a_recount_of_random_lives(running):
    running.publish(lives("a", 300, seed=1))
    running.settle()
    running.check()
    ops = {incident["op"] for incidents in running.records(topics.INCIDENTS).values() for incident in incidents}
    assert ops == {"insert", "revise", "delete", "reappear", "withdraw"}


def test_duplicates_and_replays_of_older_revisions_change_nothing(running):
    again = lives("a", 300, seed=1)
    before = running.counts()
    running.publish(again[-200:])
    running.publish(again[:200])
    running.settle()
    running.check()
    assert running.counts() == before


def test_a_window_that_loses_its_last_incident_stays_and_says_what_it_was(running):
    row = {"incident_num": "lonely", "date_time": "2021-07-01 03:04:05", "call_type": "459R", "beat": "111"}
    running.publish([(SAN_DIEGO, raw(SAN_DIEGO, row))])
    running.settle()
    (was,) = [value for key, value in running.counts().items() if key[2] == "2021-07-01T03:00:00"]
    assert was == (1, 0, 0, 0, 1, 0, OBSERVED, OBSERVED)
    moved, later = {**row, "date_time": "2021-08-01 03:04:05"}, OBSERVED + timedelta(days=1)
    running.publish([(SAN_DIEGO, raw(SAN_DIEGO, moved, revision=2, op="revise", observed_at=later))])
    running.settle()
    (now,) = [value for key, value in running.counts().items() if key[2] == "2021-07-01T03:00:00"]
    assert now == (0, 0, 0, 0, 1, 1, OBSERVED, later)
    running.check()


def test_messages_carry_the_registered_schema_and_no_other_is_registered(running):
    for topic in (topics.INCIDENTS, topics.DEAD_LETTERS, topics.INCIDENT_COUNTS):
        ids = {wire.schema_id(value) for _, value in running.messages(topic) if value is not None}
        assert ids == {registry.register(running.registry, topic)}
        assert registry.client(running.registry).get_versions(topic.subject) == [1]


def test_starting_what_runs_changes_nothing(running):
    before = {name: job.id for name, job in running.jobs().items()}
    assert running.start() == {"normalize": "already running", "windows": "already running"}
    assert {name: job.id for name, job in running.jobs().items()} == before


def test_a_stopped_job_goes_on_where_it_was(running):
    stopped = running.session.stop(["normalize", "windows"])
    assert {job.name for job in stopped} == {"normalize", "windows"}
    assert running.jobs() == {}
    running.publish(lives("b", 200, seed=2))
    assert running.start() == {"normalize": "restored", "windows": "restored"}
    running.settle()
    running.check()


def test_a_job_that_ended_with_a_savepoint_goes_on_from_it(running):
    ids = {job.name: job.id for job in running.session.stop(["normalize", "windows"], savepoint=True)}
    for job_id in ids.values():
        shutil.rmtree(running.stack.home / "flink" / "checkpoints" / job_id)
    running.publish(lives("s", 100, seed=6))
    started = {job.name: job for job in start_jobs(running.settings)}
    assert {name: job.action for name, job in started.items()} == {"normalize": "restored", "windows": "restored"}
    assert all("/savepoints/savepoint-" in str(job.checkpoint) for job in started.values())
    running.settle()
    running.check()


@pytest.mark.chaos
def test_a_killed_task_manager_loses_nothing(running):
    before = {name: job.id for name, job in running.jobs().items()}
    written = len(running.messages(topics.INCIDENTS))
    running.publish(lives("c", 4_000, seed=3))
    until(lambda: len(running.messages(topics.INCIDENTS)) > written, "the jobs are in the middle of it")
    running.process("flink-taskmanager").kill()
    until(lambda: any(job.restarts for job in running.jobs().values()), "Flink restarts the jobs")
    running.settle()
    running.check()
    assert {name: job.id for name, job in running.jobs().items()} == before


@pytest.mark.chaos
def test_jobs_lost_with_the_job_manager_start_from_their_checkpoint(running):
    manager = running.process("flink-jobmanager")
    manager.kill()
    manager.wait()
    running.publish(lives("d", 200, seed=4))
    until(lambda: running.healthy_again("flink-jobmanager"), "the supervisor brings the job manager back")
    assert running.jobs() == {}
    assert running.start() == {"normalize": "restored", "windows": "restored"}
    running.settle()
    running.check()


def test_a_fresh_start_rebuilds_the_counts(running):
    running.session.stop(["normalize", "windows"])
    row = {"incident_num": "ghost", "date_time": "2020-01-01 00:30:00", "call_type": "459R", "beat": "111"}
    running.publish([(SAN_DIEGO, raw(SAN_DIEGO, row))])
    running.start()
    running.settle()
    assert any(key[2].startswith("2020-01-01") for key in running.counts())
    running.session.stop(["normalize", "windows"])
    bad = {**row, "date_time": "soon"}
    running.publish([(SAN_DIEGO, raw(SAN_DIEGO, bad, revision=2, op="revise"))])
    assert running.start(fresh=True) == {"normalize": "started", "windows": "started"}
    running.settle()
    running.check()
