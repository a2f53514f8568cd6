"""How long one changed row takes from the portal to a query of the warehouse, and how much memory each part holds.

Run ``python bench/one_row.py [--rows 20000] [--times 60]``. It starts the whole local stack in a temporary home, fills
Austin's reports, polls them, and has both jobs and a following writer (in this process) at work. Then, again and again,
one report is revised at the portal, the feed is polled at once, and the warehouse is asked until it has that revision,
and until some count of the feed says that it has seen that poll, which brought nothing else. Waiting for the next poll,
which is the feed's own cadence (``cadence_minutes`` of its source file), is no part of the figures.

Seconds are those of the clock, from before the poll (the change is published) to the answer of the query that shows it,
which itself takes some hundredths. Memory is the resident set of each process at the end, in MB, and of this one.
Prints JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import psutil

from civicwire import line
from civicwire.commands.jobs import start_jobs
from civicwire.polling import connections
from civicwire.sandbox.client import SandboxClient
from civicwire.settings import Settings
from civicwire.stack import Stack, running
from producers import catalog
from producers.poll import Poller
from stream_jobs.warehouse.connection import Warehouse, connect
from stream_jobs.warehouse.writer import Writer

FEED = "austin_crime_reports"
WARM_UP = 5
SECONDS = 600
"""After this the row is taken for lost, and the run ends in an error."""


def wait(warehouse: Warehouse, sql: str, since: float) -> float:
    """Ask until the one value that ``sql`` returns is true; return the seconds since ``since``."""
    while time.monotonic() - since < SECONDS:
        if any(row[0] for row in warehouse.query(sql)):
            return time.monotonic() - since
    raise TimeoutError(f"{SECONDS} s, and still not: {sql}")


def measure(settings: Settings, warehouse: Warehouse, portal: SandboxClient, times: int) -> dict[str, list[float]]:
    """Revise, poll and ask ``times`` times after a warm-up; return seconds of each step."""
    found: dict[str, list[float]] = {"poll": [], "incident": [], "counts": []}
    newest = f"(select max(last_observed_at) from {warehouse.dataset}.incident_counts where source = '{FEED}')"  # noqa: S608
    poller = Poller(catalog.find(FEED), connections(settings))
    try:
        for number in range(WARM_UP + times):
            (before,) = (row[0] for row in warehouse.query(f"select {newest}"))
            (change,) = portal.mutate(FEED, revise=1, seed=number)["revised"]
            start = time.monotonic()
            receipt = poller.poll()
            polled = time.monotonic() - start
            if receipt["revised"] != 1:
                raise RuntimeError(f"one row was changed, and the poll says {receipt}")
            incidents = f"{warehouse.dataset}.incidents where incident_id = '{FEED}:{change['key']}'"
            sql = f"select poll_id = '{receipt['poll_id']}' from {incidents}"  # noqa: S608
            incident = wait(warehouse, sql, start)
            counts = wait(warehouse, f"select {newest} > timestamp '{before.isoformat()}'", start)
            if number >= WARM_UP:
                for name, seconds in (("poll", polled), ("incident", incident), ("counts", counts)):
                    found[name].append(seconds)
    finally:
        poller.close()
    return found


def summary(seconds: list[float]) -> dict[str, float]:
    """Return median, 95th percentile and worst of a step."""
    cuts = statistics.quantiles(seconds, n=100)
    return {"p50": round(cuts[49], 2), "p95": round(cuts[94], 2), "worst": round(max(seconds), 2)}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--times", type=int, default=60)
    arguments = parser.parse_args()
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="civicwire-bench-") as home, Stack(Path(home)) as stack:
        settings = Settings(home=stack.home)
        portal = SandboxClient(str(settings.require("portal").portal))
        portal.seed(FEED, arguments.rows)
        poller = Poller(catalog.find(FEED), connections(settings))
        poller.poll()
        poller.close()
        start_jobs(settings)
        line.wait_until_streamed(settings, SECONDS, lambda _: None)
        stop, warehouse = threading.Event(), connect(settings)
        with Writer.of(settings) as writer:
            writer.catch_up()
            following = threading.Thread(target=writer.run, args=(stop,))
            following.start()
            try:
                found = measure(settings, warehouse, portal, arguments.times)
            finally:
                stop.set()
                following.join()
        memory: dict[str, Any] = {row["process"]: row["memory_mb"] for row in running.parts_status(settings)}
        memory["this process: poller, writer, queries"] = psutil.Process().memory_info().rss // 2**20
        warehouse.close()
    steps = {name: summary(seconds) for name, seconds in found.items()}
    print(json.dumps({"load_average": load, "rows": arguments.rows, "seconds": steps, "memory_mb": memory}, indent=2))


if __name__ == "__main__":
    main()
