"""How fast the stream jobs are, as shares of Flink decoding the same topics, and beside Quix Streams.

Run ``python bench/streams.py [--events 1000000] [--quix PYTHON]``. It starts its own broker, registry and Flink in a
temporary home and fills ``raw.austin_crime_reports`` with made reports and ``incidents`` with made incidents: five
feeds, 8 categories, 40 areas, two years of hours; every tenth event is a revision of an earlier incident, a tenth of
those a delete. Runs read a topic from its start, parallelism 2. Each job runs twice in the same Java; the first run,
in which Java has yet to compile what Flink made of the SQL, stands beside the second as ``cold``:

- ``decode``: Flink reads and decodes the topic, all columns, into a black hole;
- ``copy``: Flink reads the incidents, all columns, and writes them to another topic as they are: what a job that
  writes a record for each record can reach at best;
- ``newest``: Flink's own way to the newest revision of each incident (a rank) and their counts by hour, day and month,
  into a black hole: windows without restatements, arrivals and publishing;
- ``normalize``: the job as it is deployed, of the one feed, into a later version of its topics;
- ``windows``: the job as it is deployed: hours, days, months, arrivals, into the real topics;
- ``quix`` (``--quix`` names a Python that has ``quixstreams==3.28.0`` and fastavro): the newest revision of each
  incident, then the same counts by hour, day and month (no arrivals), with durable state and changelog topics;
- ``quix, months alone``: a third of that.

A run of Flink is timed from when the job manager says that the job runs (its own clock: by the time the submitting
program has ended, a short job is over) until the offsets of all events are committed, which happens with the checkpoint
(one a second) that has flushed all that was written. Planning is left out, deployment of the tasks is not.
``cpu_seconds`` are the task manager's own, which other work on the machine changes less than the clock.
``state_bytes`` is the size of the last checkpoint. Prints JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
import requests
from confluent_kafka import Producer

from civicwire.settings import Settings
from civicwire.stack import Stack, flink, state
from civicwire.stack.installed import Installed
from schemas import kafka_topics, loader, registry, topics, wire
from stream_jobs import jobs, tables
from stream_jobs.session import Launcher, Session
from stream_jobs.warehouse import progress

RAW = topics.raw("austin_crime_reports")
START = datetime(2024, 1, 1)  # noqa: DTZ001  civil
OBSERVED = datetime(2026, 1, 1, tzinfo=UTC)
FEEDS = ["austin_crime_reports", "san_diego_calls", "la_crime_2020_2024", "denver_traffic_accidents", "denver_311"]
CATEGORIES = ["theft", "assault", "burglary", "robbery", "fraud", "vandalism", "disorder", "traffic"]
POLL_EVENTS = 2_000
LOOK_SECONDS = 0.2

NEWEST = (
    """create temporary view ranked as
    select *, row_number() over (partition by incident_id order by arrived_at desc) as place
    from (select *, proctime() as arrived_at from incidents)""",
    """create temporary view windowed as
    select *, 'hour' as grain, substring(occurred_local, 1, 13) as window_start from ranked where place = 1
    union all
    select *, 'day' as grain, substring(occurred_local, 1, 10) as window_start from ranked where place = 1
    union all
    select *, 'month' as grain, substring(occurred_local, 1, 7) as window_start from ranked where place = 1""",
)
COUNT_NEWEST = """insert into hole
    select source, grain, window_start, area, category, kind, count(*)
    from windowed
    group by source, grain, window_start, area, category, kind"""


def reports(count: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield raw events of Austin's reports."""
    chance = random.Random(2)  # noqa: S311  reproducible, not secret
    (row,) = (field["type"] for field in loader.document(RAW.schema)["fields"] if field["name"] == "row")
    empty = dict.fromkeys(field["name"] for field in row["fields"])
    for number in range(count):
        hour = START + timedelta(hours=17_500 * number // count, minutes=chance.randrange(60))
        observed = OBSERVED + timedelta(minutes=number // POLL_EVENTS)
        record_id = f"{2_024_000_000 + number}"
        yield (
            record_id,
            {
                "record_id": record_id,
                "revision": 1,
                "op": "insert",
                "content_hash": f"{number:032x}",
                "observed_at": observed,
                "source_updated_at": None,
                "late": False,
                "poll_id": f"austin_crime_reports@{observed:%Y%m%dT%H%M%S.%fZ}",
                "scope": "",
                "extras": {},
                "row": {
                    **empty,
                    "incident_report_number": record_id,
                    "crime_type": ("THEFT", "BURGLARY OF VEHICLE", "DWI", "FAMILY DISTURBANCE")[number % 4],
                    "ucr_code": "600",
                    "family_violence": "N",
                    "occ_date_time": f"{hour:%Y-%m-%dT%H:%M:%S}.000",
                    "rep_date_time": f"{hour:%Y-%m-%dT%H:%M:%S}.000",
                    "rep_date": f"{hour:%Y-%m-%d}T00:00:00.000",
                    "location_type": "RESIDENCE / HOME",
                    "council_district": str(number % 10),
                    "sector": ("ED", "BA", "CH", "DA")[number % 4],
                    "clearance_status": "N",
                },
            },
        )


def incidents(count: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield made incidents: nine new ones for each revision."""
    chance = random.Random(1)  # noqa: S311  reproducible, not secret
    columns = {field["name"]: field.get("default") for field in loader.document("incident")["fields"]}
    made: list[dict[str, Any]] = []
    for number in range(count):
        observed = OBSERVED + timedelta(minutes=number // POLL_EVENTS)
        if number % 10 == 9:
            before = made[chance.randrange(len(made))]
            deleted = chance.random() < 0.1
            before |= {"revision": before["revision"] + 1, "deleted": deleted, "late": False, "observed_at": observed}
            before |= {"op": "delete" if deleted else "revise"}
            yield before["incident_id"], before
            continue
        source = FEEDS[number % len(FEEDS)]
        hour = START + timedelta(hours=17_500 * number // count, minutes=chance.randrange(60))
        late = chance.random() < 0.05
        hour -= timedelta(days=chance.randrange(1, 30) if late else 0)
        one = {
            **columns,
            "incident_id": f"{source}:E{number:09d}",
            "source": source,
            "record_id": f"E{number:09d}",
            "revision": 1,
            "op": "insert",
            "deleted": False,
            "late": late,
            "kind": "crime_report",
            "occurred_local": f"{hour:%Y-%m-%dT%H:%M:%S}",
            "occurred_at": hour.replace(tzinfo=UTC),
            "time_precision": "minute",
            "time_zone": "America/Chicago",
            "category": chance.choice(CATEGORIES),
            "crime_against": "property",
            "code": "600",
            "description": "THEFT OF PROPERTY FROM A VEHICLE",
            "status": "open",
            "area_kind": "district",
            "area": str(chance.randrange(40)),
            "place": f"{chance.randrange(9999)} BLOCK MISSION BAY DR",
            "latitude": 30.2,
            "longitude": -97.7,
            "quality_flags": "",
            "observed_at": observed,
            "poll_id": f"{source}@{observed:%Y%m%dT%H%M%S.%fZ}",
            "raw_partition": 0,
            "raw_offset": number,
        }
        made.append(one)
        yield one["incident_id"], one


def fill(stack: Stack, topic: topics.Topic, events: Iterator[tuple[str, dict[str, Any]]]) -> None:
    """Put events into ``topic``."""
    kafka = str(stack.endpoints.kafka)
    kafka_topics.ensure(kafka, [topic])
    encode = wire.encoder(registry.register(str(stack.endpoints.registry), topic), loader.parsed(topic.schema))
    producer = Producer({"bootstrap.servers": kafka, "linger.ms": 50, "queue.buffering.max.messages": 1_000_000})
    for number, (key, event) in enumerate(events):
        producer.produce(topic.name, encode(event), key)
        if number % 10_000 == 0:
            producer.poll(0)
    if producer.flush(120):
        raise SystemExit("The broker did not take all events.")


class Runs:
    """Jobs that read a whole topic once."""

    def __init__(self, stack: Stack, count: int) -> None:
        settings = Settings(home=stack.home)
        client = flink.client(settings.home, Installed(settings.parts))
        self._rest = str(stack.endpoints.flink)
        self._count = count
        self._home = stack.home
        self._cluster = tables.Cluster(str(stack.endpoints.kafka), str(stack.endpoints.registry))
        self._launcher = Launcher(client.python, client.environment, stack.home / "jobs.log")
        self._session = Session(self._rest, stack.home / "flink")

    def decode(self, topic: topics.Topic) -> dict[str, Any]:
        """Decode all columns into a black hole."""
        columns = tables.columns(topic.schema)
        names, name = ", ".join(f"`{column}`" for column in columns), tables.table_name(topic)
        group = f"bench-{time.time_ns()}"
        source = tables.source(self._cluster, topic, group=group, from_start=True)
        hole = tables.create("hole", columns, {"connector": "blackhole"})
        insert = f"insert into hole select {names} from {name}"  # noqa: S608  our own names
        return self._timed(jobs.Job("decode", group, (topic,), (), False, (source, hole), (insert,), {}))

    def copy(self) -> dict[str, Any]:
        """Write the incidents to another topic as they are."""
        topic = topics.INCIDENTS
        copied = replace(topic, name="copied")
        kafka_topics.ensure(self._cluster.kafka, [copied])
        registry.register(self._cluster.registry, copied)
        names = ", ".join(f"`{column}`" for column in tables.columns(topic.schema))
        group = f"bench-{time.time_ns()}"
        source = tables.source(self._cluster, topic, group=group, from_start=True)
        sink = tables.sink(self._cluster, copied, key="incident_id")
        insert = f"insert into copied select {names} from incidents"  # noqa: S608  our own names
        statements = ((source, sink), (insert,))
        return self._timed(jobs.Job("copy", group, (topic,), (copied,), False, *statements, jobs.OBJECT_REUSE))

    def newest(self) -> dict[str, Any]:
        """Count the newest revision of each incident by hour, day and month, into a black hole."""
        group = f"bench-{time.time_ns()}"
        source = tables.source(
            self._cluster, topics.INCIDENTS, group=group, from_start=True, fields=jobs.COUNTED_FIELDS
        )
        columns = dict.fromkeys(tables.COUNT_KEY, "string") | {"incidents": "bigint"}
        hole = tables.create("hole", columns, {"connector": "blackhole"}, primary_key=tables.COUNT_KEY)
        definitions = (source, hole, *NEWEST)
        settings = jobs.windows(self._cluster).settings
        job = jobs.Job("newest", group, (topics.INCIDENTS,), (), True, definitions, (COUNT_NEWEST,), settings)
        return self._timed(job)

    def normalize(self, version: int) -> dict[str, Any]:
        """The job of the one feed as it is deployed; a version that is new has read nothing yet."""
        later = replace(self._cluster, versions={"incidents": version})
        return self._timed(jobs.normalize(later, ["austin_crime_reports"]))

    def windows(self) -> dict[str, Any]:
        """The job as it is deployed."""
        return self._timed(jobs.windows(self._cluster))

    def _timed(self, job: jobs.Job) -> dict[str, Any]:
        before = self._cpu_seconds()
        (begun,) = self._session.start([job], self._cluster, self._launcher, fresh=True)
        while (started := self._running_since(begun.id)) is None:
            time.sleep(LOOK_SECONDS)
        at = [(topic.name, index) for topic in job.sources for index in range(topic.partitions)]
        ends = progress.ends(self._cluster.kafka, at)
        while progress.committed(self._cluster.kafka, job.group, at) != ends:
            time.sleep(LOOK_SECONDS)
        seconds, cpu = time.time() - started, self._cpu_seconds() - before
        size = self._state_bytes(begun.id) if job.stateful else 0
        self._session.stop([job.name])
        found = {
            "seconds": round(seconds, 1),
            "events_per_second": round(self._count / seconds),
            "cpu_seconds": round(cpu, 1),
            "events_per_cpu_second": round(self._count / cpu),
        }
        return {**found, "state_bytes": size} if size else found

    def _cpu_seconds(self) -> float:
        """Processor time that the task manager has used."""
        pid = state.read(self._home)["processes"]["flink-taskmanager"]["pid"]
        times = psutil.Process(pid).cpu_times()
        return float(times.user + times.system)

    def _running_since(self, job: str) -> float | None:
        """When the job began to run, in seconds since 1970."""
        since: int = requests.get(f"{self._rest}/jobs/{job}", timeout=10).json()["timestamps"]["RUNNING"]
        return since / 1000 or None

    def _state_bytes(self, job: str) -> int:
        """Size of the newest checkpoint, which had everything in it: only then are the last offsets committed."""
        url = f"{self._rest}/jobs/{job}/checkpoints"
        completed = requests.get(url, timeout=10).json()["latest"]["completed"]
        return int(completed["state_size"])


def quix(python: str, stack: Stack, count: int, grains: str) -> dict[str, Any]:
    """Run Quix Streams on the same incidents in a process of its own."""
    command = [python, str(Path(__file__).parent / "quix_counts.py"), str(stack.endpoints.kafka), str(count)]
    schema = json.dumps(loader.document("incident"))
    with tempfile.TemporaryDirectory() as state:
        done = subprocess.run(
            [*command, state, grains],
            input=schema,
            capture_output=True,
            text=True,
            check=True,
            env={"PATH": os.environ["PATH"]},
        )
    return dict(json.loads(done.stdout.splitlines()[-1]))


def main() -> None:
    """Run everything and print the figures."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--events", type=int, default=1_000_000)
    options.add_argument("--quix", metavar="PYTHON")
    asked = options.parse_args()
    found: dict[str, Any] = {"events": asked.events}
    with (
        tempfile.TemporaryDirectory(prefix="civicwire-bench-") as home,
        Stack(Path(home), ("kafka", "registry", "flink")) as stack,
    ):
        fill(stack, RAW, reports(asked.events))
        fill(stack, topics.INCIDENTS, incidents(asked.events))
        runs = Runs(stack, asked.events)
        sys.stderr.write("filled\n")
        found["decode raw, cold"] = runs.decode(RAW)
        found["decode raw"] = runs.decode(RAW)
        found["decode incidents"] = runs.decode(topics.INCIDENTS)
        found["copy"] = runs.copy()
        found["newest"] = runs.newest()
        found["windows, cold"] = runs.windows()
        found["windows"] = runs.windows()
        found["normalize, cold"] = runs.normalize(2)
        found["normalize"] = runs.normalize(3)
        if asked.quix:
            found["quix"] = quix(asked.quix, stack, asked.events, "hour,day,month")
            found["quix, months alone"] = quix(asked.quix, stack, asked.events, "month")
    rate = {name: value["events_per_second"] for name, value in found.items() if isinstance(value, dict)}
    for job, decoded in (("normalize", "decode raw"), ("windows", "decode incidents"), ("copy", "decode incidents")):
        found[f"{job} / decode"] = round(rate[job] / rate[decoded], 2)
        cpu = found[decoded]["cpu_seconds"] / found[job]["cpu_seconds"]
        found[f"{job} / decode, processor time"] = round(cpu, 2)
    found["normalize / copy"] = round(rate["normalize"] / rate["copy"], 2)
    if asked.quix:
        for name in ("quix", "quix, months alone"):
            found[f"windows / {name}"] = round(rate["windows"] / rate[name], 1)
    sys.stdout.write(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
