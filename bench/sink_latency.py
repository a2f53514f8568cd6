"""How long a raw event takes to become visible downstream, with either delivery guarantee of the sinks.

One event at a time, every ``PAUSE_SECONDS``, through both jobs on real parts; two readers with ``read_committed`` note
when its incident and its window count arrive. Prints a table. Needs `make setup`; takes about three minutes.

    python bench/sink_latency.py [events]
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import threading
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer, Producer

from civicwire import line
from civicwire.commands.jobs import start_jobs
from civicwire.settings import Settings
from civicwire.stack import Stack
from schemas import kafka_topics, loader, registry, topics, wire
from stream_jobs.session import Session

SOURCE = "san_diego_calls"
PAUSE_SECONDS = 0.13
"""No divisor of the checkpoint interval, so the events fall everywhere between two checkpoints."""
WARM_UP = 20
SETTLE_SECONDS = 120
START = datetime(2024, 1, 1)  # noqa: DTZ001  civil; every event has an hour, and so a window, of its own


class Reader(threading.Thread):
    """Notes when each key of a topic is first seen by a reader of committed records."""

    def __init__(self, kafka: str, topic: str) -> None:
        super().__init__(daemon=True)
        self.seen: dict[str, float] = {}
        self.ready = threading.Event()
        self._stopping = threading.Event()
        self._consumer = Consumer(
            {
                "bootstrap.servers": kafka,
                "group.id": f"bench-{topic}-{time.time_ns()}",
                "isolation.level": "read_committed",
                "auto.offset.reset": "latest",
                "fetch.wait.max.ms": 5,
            }
        )
        self._consumer.subscribe([topic], on_assign=lambda *_: self.ready.set())

    def run(self) -> None:
        """Read until stopped."""
        while not self._stopping.is_set():
            message = self._consumer.poll(0.05)
            if message is not None and message.error() is None:
                self.seen.setdefault((message.key() or b"").decode(), time.monotonic())
        self._consumer.close()

    def stop(self) -> None:
        """Stop reading and wait for the end."""
        self._stopping.set()
        self.join()


def event(number: int, run: str) -> dict[str, Any]:
    """One call whose hour no other call of the run has."""
    moment = START + timedelta(hours=number)
    row: dict[str, Any] = dict.fromkeys(
        field["name"] for field in loader.document(f"raw/{SOURCE}")["fields"][9]["type"]["fields"]
    )
    record_id = f"{run}-{number}"
    row |= {"incident_num": record_id, "date_time": f"{moment:%Y-%m-%d %H:%M:%S}", "call_type": "415", "beat": run}
    return {
        "record_id": record_id,
        "revision": 1,
        "op": "insert",
        "content_hash": "",
        "observed_at": 0,
        "poll_id": run,
        "row": row,
        "extras": {},
    }


def measure(stack: Stack, events: int, *, exactly_once: bool) -> list[dict[str, Any]]:
    """Run both jobs with one guarantee and return a row of the table for each of the two topics."""
    guarantee = "exactly once" if exactly_once else "at least once"
    settings = Settings(home=stack.home)
    kafka, topic = str(stack.endpoints.kafka), topics.raw(SOURCE)
    kafka_topics.ensure(kafka, [topic])  # normalise reads the feeds that have one
    start_jobs(settings, fresh=True, exactly_once=exactly_once)
    encode = wire.encoder(registry.register(str(stack.endpoints.registry), topic), loader.parsed(topic.schema))
    producer = Producer({"bootstrap.servers": kafka, "linger.ms": 0})
    readers = {name: Reader(kafka, name) for name in (topics.INCIDENTS.name, topics.INCIDENT_COUNTS.name)}
    for reader in readers.values():
        reader.start()
    run, sent = f"run{int(exactly_once)}", {}
    for number in range(WARM_UP + events):
        if number == WARM_UP:
            line.wait_until_streamed(settings, SETTLE_SECONDS, lambda _: None)
            assert all(reader.ready.wait(SETTLE_SECONDS) for reader in readers.values())
        sent[number] = time.monotonic()
        producer.produce(topic.name, encode(event(number, run)), f"{run}-{number}")
        producer.flush()
        time.sleep(PAUSE_SECONDS)
    line.wait_until_streamed(settings, SETTLE_SECONDS, lambda _: None)
    rows = []
    for name, reader in readers.items():
        waits = []
        for number in range(WARM_UP, WARM_UP + events):
            key = f"{SOURCE}:{run}-{number}" if name == topics.INCIDENTS.name else count_key(number, run)
            deadline = time.monotonic() + SETTLE_SECONDS
            while key not in reader.seen and time.monotonic() < deadline:
                time.sleep(PAUSE_SECONDS)
            waits.append((reader.seen[key] - sent[number]) * 1000)
        cuts = statistics.quantiles(waits, n=100)
        rows.append(
            {"guarantee": guarantee, "topic": name, "p50_ms": cuts[49], "p95_ms": cuts[94], "max_ms": max(waits)}
        )
    for reader in readers.values():
        reader.stop()
    Session(str(stack.endpoints.flink), stack.home / "flink").stop(["normalize", "windows"])
    return rows


def count_key(number: int, run: str) -> str:
    """Key of the hour's count of event ``number``, as Flink writes it."""
    moment = START + timedelta(hours=number)
    values = (SOURCE, "hour", f"{moment:%Y-%m-%dT%H:%M:%S}", run, "disorder", "call_for_service")
    names = ("source", "grain", "window_start", "area", "category", "kind")
    return json.dumps(dict(zip(names, values, strict=True)), separators=(",", ":"))


def main() -> None:
    """Measure both guarantees on one fresh stack and print the table."""
    events = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    with (
        tempfile.TemporaryDirectory(prefix="civicwire-bench-") as home,
        Stack(Path(home), ("kafka", "registry", "flink")) as stack,
    ):
        rows = [row for exactly_once in (False, True) for row in measure(stack, events, exactly_once=exactly_once)]
    print("| guarantee | topic | p50 ms | p95 ms | max ms |")
    print("|---|---|---|---|---|")
    for row in rows:
        figures = " | ".join(f"{row[name]:.0f}" for name in ("p50_ms", "p95_ms", "max_ms"))
        print(f"| {row['guarantee']} | {row['topic']} | {figures} |")


if __name__ == "__main__":
    main()
