"""How fast a feed is polled: a first poll, a lost ledger, an unchanged scan; and how much memory each takes.

Run ``python bench/polling.py`` (``--rows 3000000`` for the bound on memory, ``--feed austin_crime_reports`` for pages
of JSON). It starts its own broker and registry in a temporary home. San Diego's calls are a file behind Python's own
http.server, Austin's reports come from the sandbox portal. Every phase is a process of its own, so that its peak memory
is its own. Prints JSON; the ratios are of figures of one run:

- ``first poll``: from the poll's start to the commit of its transaction, all rows new, as a share of ``encode only``:
  fastavro alone encoding the same events (``schemaless_writer`` into memory, records ready made);
- ``unchanged scan``: one row is new and all others are as before; rows read, hashed and compared with the ledger;
- ``restore``: the ledger of all records, from the topic.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

import fastavro

from civicwire.polling import collect_garbage_seldom
from civicwire.sandbox.client import SandboxClient
from civicwire.stack import Stack
from civicwire.stack.ports import allocate
from producers import catalog, tail
from producers.ledger import Ledger
from producers.poll import Connections, Poller
from schemas import loader, registry, topics

SAMPLE = 100_000
"""Events that fastavro alone encodes."""
HEADER = (
    "incident_num,date_time,day_of_week,address_number_primary,address_dir_primary,address_road_primary,"
    "address_sfx_primary,address_dir_intersecting,address_road_intersecting,address_sfx_intersecting,"
    "call_type,disposition,beat,priority\n"
)


def call(number: int, year: int) -> str:
    """Return one line of the width of San Diego's, about 110 bytes, with its quotes."""
    month, day, minute = number % 12 + 1, number % 28 + 1, number % 1440
    when = f"{year}-{month:02d}-{day:02d} {minute // 60:02d}:{minute % 60:02d}:{number % 60:02d}"
    street = f'"{number % 9999}","","MISSION BAY {number % 997}","DR","","GARNET","AVE"'
    return f'"E{number:011d}","{when}","{number % 7 + 1}",{street},"415","K","{number % 900}","2"\n'


def write_calls(path: Path, rows: int, year: int) -> None:
    """Write the file of ``year`` with so many rows, in an order that is not that of its ids."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as file:
        file.write(HEADER)
        step = 7_919 if rows % 7_919 else 7_907  # a prime that does not divide the number visits every row once
        for at in range(rows):
            file.write(call(at * step % rows, year))


def phase(feed: str, connections: Connections, what: str) -> dict[str, Any]:
    """Run one phase in this process and return its seconds by step and its peak memory."""
    collect_garbage_seldom()
    source = catalog.find(feed)
    steps: dict[str, float] = {}
    result: dict[str, Any] = {}
    if what == "restore":
        shutil.rmtree(connections.ledgers)
        ledger = Ledger(connections.ledgers, source, connections.kafka, connections.registry)
        started = time.perf_counter()
        result["records"] = ledger.restore()
        steps["restored"] = time.perf_counter() - started
        ledger.close()
    else:
        poller = Poller(source, connections, lambda step: steps.update({step: time.perf_counter() - started}))
        poller.publisher()
        started = time.perf_counter()
        receipt = poller.poll()
        result |= {name: receipt[name] for name in ("rows_in", "inserted", "unchanged", "requests", "bytes_received")}
        poller.close()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {**result, "seconds": {name: round(at, 2) for name, at in steps.items()}, "peak_mib": round(peak)}


def encode_only(kafka: str, registry_url: str, feed: str) -> float:
    """Return how many of the feed's events fastavro alone encodes in a second."""
    messages = (m for batch in tail.read(kafka, [topics.raw(feed).name], {}, lambda _: None) for m in batch)
    events: list[Any] = [registry.decode(registry_url, m.value() or b"") for m in islice(messages, SAMPLE)]
    schema, write = loader.parsed(topics.raw(feed).schema), fastavro.schemaless_writer
    started = time.perf_counter()
    for event in events:
        body = io.BytesIO()
        write(body, schema, event)
        body.getvalue()
    return len(events) / (time.perf_counter() - started)


@contextmanager
def file_server(folder: Path) -> Iterator[str]:
    """Serve ``folder`` by Python's http.server in a process of its own and give its address."""
    port = allocate(["files"], {})["files"]
    command = [sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1", "--directory", str(folder)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait()


def main() -> None:
    """Run all phases and print their figures."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rows", type=int, default=1_000_000)
    options.add_argument("--feed", choices=["san_diego_calls", "austin_crime_reports"], default="san_diego_calls")
    options.add_argument("--phase", nargs=5, help=argparse.SUPPRESS)
    asked = options.parse_args()
    if asked.phase:
        ledgers, kafka, registry_url, portal, what = asked.phase
        reach = Connections(kafka, registry_url, Path(ledgers), portal)
        print(json.dumps(phase(asked.feed, reach, what)))
        return
    year = datetime.now(UTC).astimezone(catalog.find("san_diego_calls").zone).year
    with tempfile.TemporaryDirectory(prefix="civicwire-bench-") as folder:
        home = Path(folder)
        file = home / "files/police_calls_for_service" / f"pd_calls_for_service_{year}_datasd.csv"
        if asked.feed == "san_diego_calls":
            write_calls(file, asked.rows, year)
        else:
            (home / "files").mkdir()
        with Stack(home / "home", ("kafka", "registry", "portal")) as stack, file_server(home / "files") as files:
            where = [str(home / "ledgers"), str(stack.endpoints.kafka), str(stack.endpoints.registry)]
            sandbox = SandboxClient(str(stack.endpoints.portal))
            portal = files if asked.feed == "san_diego_calls" else str(stack.endpoints.portal)
            if asked.feed == "austin_crime_reports":
                sandbox.seed(asked.feed, rows=asked.rows, seed=1)

            def run(what: str) -> dict[str, Any]:
                command = [sys.executable, __file__, "--feed", asked.feed, "--phase", *where, portal, what]
                done = subprocess.run(command, check=True, capture_output=True, text=True)
                return dict(json.loads(done.stdout))

            first = run("first")
            encoded = encode_only(where[1], where[2], asked.feed)
            restored = run("restore")
            if asked.feed == "san_diego_calls":
                with file.open("a", encoding="utf-8") as more:
                    more.write(call(asked.rows, year))
                os.utime(file, (time.time() + 5, time.time() + 5))  # http.server's clock has whole seconds
            else:
                sandbox.replace(asked.feed)
                sandbox.mutate(asked.feed, insert=1, seed=2)
            again = run("again")
    acknowledged = first["inserted"] / first["seconds"]["committed"]
    scan = again["seconds"]["fetched"] - again["seconds"]["asked"]
    print(
        json.dumps(
            {
                "feed": asked.feed,
                "rows": asked.rows,
                "first poll": {**first, "rows_per_second": round(acknowledged)},
                "encode only": {"events_per_second": round(encoded)},
                "first poll / encode only": round(acknowledged / encoded, 2),
                "unchanged scan": {**again, "rows_per_second": round(again["rows_in"] / scan)},
                "restore": restored,
            },
            indent=2,
        )
    )


if __name__ == "__main__":
    main()
