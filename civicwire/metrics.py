"""The line as Prometheus sees it: feeds from receipts, lags from the broker, jobs from Flink, parts from the stack.

Everything is asked for when it is scraped, from where it is true: the topic ``polls``, the committed offsets, the job
manager. A process that died therefore loses no counter, and one exporter serves pollers and writers on any machine.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from confluent_kafka import KafkaException
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from civicwire import line
from civicwire.polling import connections
from civicwire.settings import Settings
from producers import catalog, tail
from schemas import kafka_topics, registry, topics
from schemas.errors import CivicwireError
from stream_jobs.session import Session
from stream_jobs.warehouse import progress

ROWS = ("rows_in", "inserted", "revised", "reappeared", "deleted", "expired", "unchanged", "dead", "late")
MILLISECONDS = 1000


class Receipts:
    """Sums over the poll receipts in the topic; each receipt is read once."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._offsets: tail.Offsets = {}
        self.last: dict[str, dict[str, Any]] = {}
        self.last_good: dict[str, dict[str, Any]] = {}
        self.polls: Counter[tuple[str, str]] = Counter()
        self.rows: Counter[tuple[str, str]] = Counter()
        self.sums: dict[str, Counter[str]] = defaultdict(Counter)

    def read(self) -> None:
        """Read what has come since the last call."""
        reach = connections(self._settings)
        kafka_topics.ensure(reach.kafka, [topics.POLLS])
        for batch in tail.read(reach.kafka, [topics.POLLS.name], dict(self._offsets), self._offsets.update):
            for message in batch:
                self._add(registry.decode(reach.registry, message.value() or b""))

    def _add(self, receipt: dict[str, Any]) -> None:
        source = receipt["source"]
        self.last[source] = receipt
        self.polls[source, receipt["status"]] += 1
        self.sums[source]["requests"] += receipt["requests"]
        self.sums[source]["bytes"] += receipt["bytes_received"]
        self.sums[source]["drift"] += receipt["drift"]
        if receipt["status"] != "failed":
            self.last_good[source] = receipt
            for name in ROWS:
                self.rows[source, name] += receipt[name]


class Line(Collector):
    """Collects all metrics of one home."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._receipts = Receipts(settings)

    def collect(self) -> Iterator[Metric]:
        """Yield every metric that can be told now; ``civicwire_up`` says for each part whether it answered."""
        up = GaugeMetricFamily("civicwire_up", "1 if this part of the line answered the scrape.", labels=["part"])
        for part, metrics in (("feeds", self._feeds), ("lag", self._lag), ("jobs", self._jobs), ("stack", self._parts)):
            try:
                found = list(metrics())
            except (CivicwireError, KafkaException, OSError):
                up.add_metric([part], 0)
            else:
                up.add_metric([part], 1)
                yield from found
        yield up

    def _feeds(self) -> Iterator[Metric]:
        receipts = self._receipts
        receipts.read()
        polls = CounterMetricFamily("civicwire_polls", "Polls by outcome.", labels=["source", "status"])
        for (source, status), count in sorted(receipts.polls.items()):
            polls.add_metric([source, status], count)
        rows = CounterMetricFamily(
            "civicwire_poll_rows", "Rows of the polls by what became of them.", labels=["source", "what"]
        )
        for (source, what), count in sorted(receipts.rows.items()):
            rows.add_metric([source, what], count)
        yield from (polls, rows)
        yield _counter("civicwire_poll_requests", "HTTP requests to the portal.", receipts.sums, "requests")
        yield _counter("civicwire_poll_received_bytes", "Bytes received, decompressed.", receipts.sums, "bytes")
        yield _counter("civicwire_drift_events", "Changes of the feed's columns and codes.", receipts.sums, "drift")
        yield from self._now()

    def _now(self) -> Iterator[Metric]:
        now = datetime.now(UTC)
        sources = catalog.load_all()
        last, good = self._receipts.last, self._receipts.last_good
        yield _gauge(
            "civicwire_poll_age_seconds",
            "Since the last poll that did not fail began.",
            {source: (now - receipt["started_at"]).total_seconds() for source, receipt in good.items()},
        )
        yield _gauge(
            "civicwire_poll_duration_seconds",
            "Of the last poll.",
            {s: (one["finished_at"] - one["started_at"]).total_seconds() for s, one in last.items()},
        )
        yield _gauge("civicwire_feed_rows", "Rows that exist.", {s: one["live_rows"] for s, one in good.items()})
        yield _gauge(
            "civicwire_feed_cadence_seconds",
            "How often the feed is to be polled.",
            {source.key: source.cadence_minutes * 60 for source in sources.values()},
        )
        yield _gauge(
            "civicwire_feed_newest_event_age_seconds",
            "Age of the newest event by the feed's civil time.",
            {
                source: (
                    now - datetime.fromisoformat(one["newest_event_local"]).replace(tzinfo=sources[source].zone)
                ).total_seconds()
                for source, one in good.items()
                if one["newest_event_local"] and source in sources
            },
        )
        yield _gauge(
            "civicwire_feed_portal_change_age_seconds",
            "Since the portal last changed, by its own word.",
            {
                source: (now - one["portal_changed_at"]).total_seconds()
                for source, one in good.items()
                if one["portal_changed_at"] is not None
            },
        )

    def _lag(self) -> Iterator[Metric]:
        lag = GaugeMetricFamily(
            "civicwire_lag_messages", "Messages that a reader has yet to carry on.", labels=["group"]
        )
        for group, count in line.behind(self._settings).items():
            lag.add_metric([group], count)
        lag.add_metric([progress.GROUP], sum(progress.lag(self._settings).values()))
        yield lag

    def _jobs(self) -> Iterator[Metric]:
        rest = str(self._settings.require("flink").flink)
        running = GaugeMetricFamily("civicwire_job_tasks_running", "Tasks that run, of all.", labels=["job", "state"])
        restarts = CounterMetricFamily("civicwire_job_restarts", "Restarts since the job's start.", labels=["job"])
        age = GaugeMetricFamily("civicwire_job_checkpoint_age_seconds", "Since the last checkpoint.", labels=["job"])
        size = GaugeMetricFamily("civicwire_job_checkpoint_bytes", "State in the last checkpoint.", labels=["job"])
        took = GaugeMetricFamily("civicwire_job_checkpoint_duration_seconds", "Of the last checkpoint.", labels=["job"])
        for job in Session(rest, self._settings.home / "flink").running():
            running.add_metric([job.name, job.state], job.tasks_running / max(1, job.tasks))
            restarts.add_metric([job.name], job.restarts)
            if job.checkpointed_at is not None:
                age.add_metric([job.name], (datetime.now(UTC) - job.checkpointed_at).total_seconds())
                size.add_metric([job.name], job.checkpoint_bytes)
                took.add_metric([job.name], job.checkpoint_ms / MILLISECONDS)
        yield from (running, restarts, age, size, took)

    def _parts(self) -> Iterator[Metric]:
        from civicwire.stack import running  # noqa: PLC0415 - starts slowly

        healthy = GaugeMetricFamily("civicwire_part_healthy", "1 if the process is healthy.", labels=["process"])
        memory = GaugeMetricFamily("civicwire_part_memory_bytes", "Resident memory.", labels=["process"])
        for row in running.parts_status(self._settings):
            healthy.add_metric([row["process"]], float(row["state"] == "healthy"))
            if row["memory_mb"] is not None:
                memory.add_metric([row["process"]], row["memory_mb"] * 1e6)
        yield from (healthy, memory)


def _counter(name: str, text: str, sums: dict[str, Counter[str]], what: str) -> Metric:
    family = CounterMetricFamily(name, text, labels=["source"])
    for source in sorted(sums):
        family.add_metric([source], sums[source][what])
    return family


def _gauge(name: str, text: str, values: dict[str, float]) -> Metric:
    family = GaugeMetricFamily(name, text, labels=["source"])
    for source in sorted(values):
        family.add_metric([source], values[source])
    return family


def collectors(settings: Settings) -> CollectorRegistry:
    """Return a registry that holds the line's metrics and nothing else."""
    made = CollectorRegistry()
    made.register(Line(settings))
    return made
