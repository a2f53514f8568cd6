"""The demo: the whole line on real parts, from a portal's rows to the marts, then a live change and a comparison.

Nothing here is special to the demo but the order of steps: each is what a command does.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from civicwire import demo_truth, line
from civicwire.demo_feeds import CHANGES, DEMO_FEEDS, published, total
from civicwire.polling import connections
from civicwire.preview.make import Preview, make
from civicwire.sandbox.client import SandboxClient
from civicwire.settings import ROOT, Settings
from producers import catalog
from producers.clients.csv_file import LOOKS
from producers.poll import Poller
from schemas import kafka_topics, topics
from schemas.errors import FatalError, RetriableError
from stream_jobs.warehouse.connection import connect
from stream_jobs.warehouse.writer import Writer

Told = Callable[[str], None]
AT_ONCE = 3
"""Feeds that are polled beside each other: with two, a core is idle while the portal answers."""
LIVE_FEEDS = ("austin_crime_reports", "san_diego_calls")
"""The feeds of ``--live``; `civicwire poll` reads all that the catalog has."""
STREAM_SECONDS = 600.0
VISIBLE_SECONDS = 120.0
LIVE_DAYS = 30


@dataclass
class Outcome:
    """What the demo found."""

    seconds: dict[str, float] = field(default_factory=dict)
    receipts: list[dict[str, Any]] = field(default_factory=list)
    changes: list[dict[str, Any]] = field(default_factory=list)
    figures: list[dict[str, Any]] = field(default_factory=list)
    preview: str = ""
    total: float = 0.0

    @property
    def equal(self) -> bool:
        """Whether every figure is the same in the warehouse and at the portal."""
        return all(figure["portal"] == figure["warehouse"] for figure in self.figures)


class Demo:
    """One run of the demo in one home."""

    def __init__(self, settings: Settings, told: Told) -> None:
        self._settings = settings
        self._told = told
        self.outcome = Outcome()

    def run(self, rows: int, seed: int) -> Outcome:
        """Run the line over ``rows`` sandbox rows and return what was found.

        Raises:
            CivicwireError: a step failed; the message says which part to look at.
        """
        started = time.perf_counter()
        self._up(["kafka", "registry", "flink", "warehouse", "portal"])
        feeds = [feed.source for feed in DEMO_FEEDS]
        with self._jobs_starting(feeds):
            portal = SandboxClient(str(self._settings.require("portal").portal))
            self._seed(portal, rows, seed)
            self._poll(feeds)
        self._stream_and_load()
        self._change(portal, seed)
        self._compare(portal, self._build_and_preview())
        self.outcome.total = time.perf_counter() - started
        return self.outcome

    def run_live(self) -> Outcome:
        """Run the line over the last thirty days of the real portals; there is no truth to compare with."""
        started = time.perf_counter()
        self._up(["kafka", "registry", "flink", "warehouse"])
        since = (datetime.now(UTC) - timedelta(days=LIVE_DAYS)).date().isoformat()
        with self._jobs_starting(LIVE_FEEDS):
            self._poll(LIVE_FEEDS, since)
        self._stream_and_load()
        self._build_and_preview()
        self.outcome.total = time.perf_counter() - started
        return self.outcome

    @contextmanager
    def _timed(self, step: str, doing: str) -> Iterator[None]:
        self._told(doing)
        started = time.perf_counter()
        yield
        self.outcome.seconds[step] = round(time.perf_counter() - started, 1)

    def _up(self, parts: list[str]) -> None:
        from civicwire.stack import running  # noqa: PLC0415 - starts slowly, and --help must not

        if self._settings.target == "bigquery":
            parts = [part for part in parts if part != "warehouse"]
        with self._timed("parts", "Starting the broker, registry, Flink and the warehouse"):
            running.start_detached(self._settings, parts, told=lambda text: self._told(f"  {text}"))

    @contextmanager
    def _jobs_starting(self, feeds: Iterable[str]) -> Iterator[None]:
        """Start the stream jobs beside what the block does, and wait for both."""
        # The jobs read the feeds that have a topic, and the poll that would make it comes later.
        kafka_topics.ensure(str(self._settings.require("kafka").kafka), [topics.raw(source) for source in feeds])
        command = [sys.executable, "-W", "ignore", "-m", "civicwire.cli", "jobs", "start"]
        environment = {"CIVICWIRE_HOME": str(self._settings.home.resolve())}
        starting = subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=os.environ | environment
        )
        try:
            yield
            with self._timed("jobs", "Starting the stream jobs (normalise, windows)"):
                said, _ = starting.communicate()
            if starting.returncode:
                raise FatalError(f"The stream jobs did not start:\n{said.strip()}\nSee `civicwire status`.")
        finally:
            if starting.poll() is None:
                starting.kill()
                starting.wait()

    def _seed(self, portal: SandboxClient, rows: int, seed: int) -> None:
        held = portal.health()["feeds"]
        empty = [feed for feed in DEMO_FEEDS if held[feed.source]["rows"] == 0]
        if not empty:
            self._told("The sandbox portal has its rows from an earlier run")
            return
        today = datetime.now(UTC).date()
        with self._timed("seed", f"Filling the sandbox portal with {total(rows):,} rows in {len(empty)} feeds"):
            for feed in empty:
                first, until = feed.days(today)
                wanted = {"rows": feed.rows(rows), "seed": seed}
                portal.seed(feed.source, **wanted, first=first.isoformat(), until=until.isoformat())

    def _poll(self, feeds: Iterable[str], since: str | None = None) -> None:
        def polled(key: str) -> dict[str, Any]:
            source = catalog.find(key)
            # Of several past years' files one or two are read by each poll.
            looks = -(-len(getattr(source.protocol, "files", ())) // LOOKS)
            return self._poll_all(source, max(looks, 1), since)

        with self._timed("poll", "Polling the portal"), ThreadPoolExecutor(AT_ONCE) as pool:
            for receipt in pool.map(polled, feeds):
                self.outcome.receipts.append(receipt)
                self._told(
                    f"  {receipt['source']}: {receipt['rows_in']:,} rows in {receipt['requests']} requests, "
                    f"{receipt['inserted']:,} inserted, {receipt['revised']:,} revised, "
                    f"{receipt['deleted']:,} deleted, {receipt['dead']:,} dead"
                )

    def _poll_all(self, source: catalog.Source, looks: int, since: str | None) -> dict[str, Any]:
        """Poll a feed so often that each of its files has been looked at; return the receipts added up."""
        receipts = [self._poll_once(source, since) for _ in range(looks)]
        summed = ("rows_in", "requests", "inserted", "revised", "reappeared", "deleted", "dead", "late")
        return receipts[-1] | {name: sum(receipt[name] for receipt in receipts) for name in summed}

    def _poll_once(self, source: catalog.Source, since: str | None = None) -> dict[str, Any]:
        reach = connections(self._settings, since)
        poller = Poller(source, reach)
        try:
            return poller.poll()
        finally:
            poller.close()

    def _stream_and_load(self) -> None:
        with self._timed("stream", "Waiting for normalise and windows"):
            line.wait_until_streamed(self._settings, STREAM_SECONDS, lambda _waiting: None)
        with self._timed("load", "Loading the warehouse"), Writer.of(self._settings) as writer:
            report = writer.catch_up()
            for name, table in report.tables.items():
                self._told(f"  {name}: {table.read:,} read, {table.merged:,} merged")

    def _change(self, portal: SandboxClient, seed: int) -> None:
        """Change rows at the portal and measure until each is in the warehouse and its windows are restated."""
        stop = threading.Event()
        changed = [catalog.find(feed.source) for feed in DEMO_FEEDS if feed.changes]
        with Writer.of(self._settings) as writer:
            follower = threading.Thread(target=writer.run, args=(stop,), daemon=True)
            follower.start()
            try:
                with (
                    self._timed("live change", "Changing rows at the portal: new, late, revised and deleted ones"),
                    ThreadPoolExecutor(AT_ONCE) as pool,
                ):
                    self.outcome.changes += pool.map(lambda one: self._change_feed(portal.base_url, one, seed), changed)
            finally:
                stop.set()
                follower.join()

    def _change_feed(self, address: str, source: catalog.Source, seed: int) -> dict[str, Any]:
        portal = SandboxClient(address)
        version = int(portal.health()["feeds"][source.key]["version"])
        touched = portal.mutate(source.key, **CHANGES, seed=seed + version)
        changed = time.perf_counter()
        receipt = self._poll_once(source)
        polled = time.perf_counter() - changed
        rows_after = self._until(lambda: self._visible(receipt), changed, f"the changed rows of {source.key}")
        live = int(portal.health()["feeds"][source.key]["rows"])
        windows_after = self._until(
            lambda: self._windows_total(source.key) == live, changed, f"the windows of {source.key}"
        )
        return {
            "source": source.key,
            **{kind: len(rows) for kind, rows in touched.items()},
            "polled_seconds": round(polled, 2),
            "in_warehouse_seconds": round(rows_after, 2),
            "windows_restated_seconds": round(windows_after, 2),
        }

    def _until(self, done: Callable[[], bool], since: float, what: str) -> float:
        deadline = time.perf_counter() + VISIBLE_SECONDS
        while not done():
            if time.perf_counter() > deadline:
                raise RetriableError(
                    f"{what} did not arrive within {VISIBLE_SECONDS:.0f} s. "
                    "Look at `civicwire status` and `civicwire jobs ls`."
                )
            time.sleep(0.05)
        return time.perf_counter() - since

    def _query(self, sql: str, **parameters: Any) -> list[tuple[Any, ...]]:
        from google.cloud import bigquery  # noqa: PLC0415 - heavy

        warehouse = connect(self._settings)
        try:
            given = [
                bigquery.ArrayQueryParameter(name, "STRING", value)
                if isinstance(value, list)
                else bigquery.ScalarQueryParameter(name, "STRING", value)
                for name, value in parameters.items()
            ]
            config = bigquery.QueryJobConfig(query_parameters=given)
            return [tuple(row.values()) for row in warehouse.client.query(sql, job_config=config).result()]
        finally:
            warehouse.close()

    def _visible(self, receipt: dict[str, Any]) -> bool:
        """Return whether every change of a poll has arrived: the rows whose newest revision it brought."""
        dataset = f"`{self._settings.project}.{self._settings.dataset}`"
        found = self._query(
            f"select count(*) from {dataset}.incidents where source = @source and poll_id = @poll",  # noqa: S608
            source=receipt["source"],
            poll=receipt["poll_id"],
        )
        return bool(found[0][0] == published(receipt))

    def _windows_total(self, source: str) -> int:
        dataset = f"`{self._settings.project}.{self._settings.dataset}`"
        found = self._query(
            f"select coalesce(sum(incidents), 0) from {dataset}.incident_counts "  # noqa: S608
            "where source = @source and grain = 'month'",
            source=source,
        )
        return int(found[0][0])

    def _build_and_preview(self) -> Preview:
        from civicwire.commands import build  # noqa: PLC0415

        with self._timed("marts", "Building the marts and their tests with dbt"):
            built = build.run(self._settings)
            if built.failed:
                failed = "\n".join(f"  {node.name}: {node.message}" for node in built.failed)
                raise FatalError(
                    f"dbt failed at {len(built.failed)} nodes:\n{failed}\nRun `civicwire build` to see all."
                )
            self._told(f"  {len(built.nodes)} seeds, models and tests passed")
        with self._timed("preview", "Rendering the dashboards"):
            made = make(self._settings, self._settings.home / "preview")
            if wrong := [*(result.error for result in made.failed), *made.errors]:
                raise FatalError(f"{len(wrong)} queries of the dashboards failed: run `civicwire preview` to see them.")
            self.outcome.preview = str(made.index)
        return made

    def _compare(self, portal: SandboxClient, preview: Preview) -> None:
        """Compare what the portal publishes now with the warehouse, the windows, the marts and the panels."""
        with self._timed("compare", "Comparing the warehouse with the portal's truth"):
            for source in LIVE_FEEDS:
                self.compare_feed(portal, source)
            for dashboard, panel, counted, shown in demo_truth.compared(portal, preview.pages):
                self._figure(dashboard, panel, counted, shown)

    def compare_feed(self, portal: SandboxClient, source: str) -> None:
        """Add to the outcome's figures the feed's rows, its months in the mart and its areas in the windows."""
        dataset = f"{self._settings.project}.{self._settings.dataset}"
        truth = portal.summary(source)
        live = self._query(
            f"select count(*) from `{dataset}`.incidents where source = @source and not deleted",  # noqa: S608
            source=source,
        )
        months = self._query(
            f"select format_date('%Y-%m', month), sum(incidents) from `{dataset}_marts`.city_month_trend "  # noqa: S608
            "where source = @source group by 1",
            source=source,
        )
        areas = self._query(
            f"select area, sum(incidents) from `{dataset}`.incident_counts "  # noqa: S608
            "where source = @source and grain = 'day' group by 1 having sum(incidents) > 0",
            source=source,
        )
        self._figure(source, "rows", truth["rows"], live[0][0])
        self._figure(source, "rows by month (mart)", truth["by_month"], {k: int(v) for k, v in months})
        by_area: dict[str, int] = {}
        for area, count in truth["by_area"].items():
            name = "unknown" if area in ("", "-1") else area
            by_area[name] = by_area.get(name, 0) + count
        self._figure(source, "rows by area (windows)", by_area, {k: int(v) for k, v in areas})

    def _figure(self, source: str, name: str, portal: Any, warehouse: Any) -> None:
        self.outcome.figures.append({"source": source, "figure": name, "portal": portal, "warehouse": warehouse})
