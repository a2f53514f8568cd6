"""One Flink process for all unit tests of the SQL: starting it is what takes the time."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import feed_run
import pytest
import stream_cases
from stream_rows import AUSTIN, SAN_DIEGO, raw

from civicwire.settings import ROOT
from stream_jobs import jobs, tables

NOWHERE = tables.Cluster("localhost:1", "http://localhost:2")


@dataclass(frozen=True)
class Outcome:
    """What the SQL made of all rows: incidents by (incident_id, revision), dead letters by dead_id, windows by key.

    ``plan`` is the part of Flink's explanation that says what is worked out where, for the feeds of normalise;
    ``pasted`` is the same for the SQL as it is printed, in which each insert has the view for itself.
    """

    incidents: dict[tuple[str, int], dict[str, Any]]
    dead_letters: dict[str, dict[str, Any]]
    counts: dict[tuple[str, ...], tuple[Any, ...]]
    arrivals: dict[tuple[str, ...], tuple[Any, ...]]
    plan: str
    pasted: str


@pytest.fixture(scope="session")
def flink(tmp_path_factory: pytest.TempPathFactory, real_rows: dict[str, list[dict[str, str]]]) -> Outcome:
    """The outcome of every case of ``stream_cases`` and of the real rows, where they are there."""
    folder = tmp_path_factory.mktemp("flink")
    events = {
        source: stream_cases.EVENTS[source] + [raw(source, row) for row in real_rows[source]] for source in real_rows
    }
    normalize = jobs.normalize(NOWHERE, list(events))
    windows = jobs.windows(NOWHERE)
    request = {
        "settings": {"parallelism.default": "1", "table.local-time-zone": "UTC"},
        "batch": {
            "definitions": [
                *(feed_run.table(folder, jobs.topics.raw(source), events[source]) for source in events),
                feed_run.table(folder, jobs.topics.INCIDENTS),
                feed_run.table(folder, jobs.topics.DEAD_LETTERS),
                *_views(normalize),
            ],
            "inserts": normalize.inserts,
        },
        "streaming": {
            "settings": windows.settings,
            "definitions": [
                feed_run.table(folder / "windows", jobs.topics.INCIDENTS, stream_cases.INCIDENTS),
                *_views(windows),
            ],
            "queries": {table: _together(windows, table) for table in ("incident_counts", "arrivals")},
        },
    }
    feed_run.through_flink(request, folder / "changelog")
    incidents = feed_run.written(folder / "incidents")
    changes = [json.loads(line) for line in (folder / "changelog").read_text(encoding="utf-8").splitlines()]
    return Outcome(
        {(incident["incident_id"], incident["revision"]): incident for incident in incidents},
        {letter["dead_id"]: letter for letter in feed_run.written(folder / "dead_letters")},
        _upserted(changes, "incident_counts", len(tables.COUNT_KEY)),
        _upserted(changes, "arrivals", len(tables.ARRIVAL_KEY)),
        *(
            (folder / name).read_text(encoding="utf-8").partition("== Optimized Execution Plan ==")[2]
            for name in ("plan", "plan.pasted")
        ),
    )


@pytest.fixture(scope="session")
def real_rows() -> dict[str, list[dict[str, str]]]:
    """The real rows by source, none where they are absent; Austin's as the last of its files has them."""
    folder = Path(os.environ.get("CIVICWIRE_REAL_DATA", ROOT.parent / "shared" / "data"))
    return {AUSTIN: stream_cases.austin_rows(folder), SAN_DIEGO: stream_cases.san_diego_rows(folder)}


def _views(job: jobs.Job) -> list[str]:
    return [text for text in job.definitions if text.startswith("create temporary view")]


def _together(job: jobs.Job, table: str) -> str:
    """The queries that fill the table, as one."""
    head = f"insert into {table}\n"
    return " union all ".join(text.removeprefix(head) for text in job.inserts if text.startswith(head))


def _upserted(changes: list[Any], table_name: str, width: int) -> dict[tuple[str, ...], tuple[Any, ...]]:
    """What an upsert table with a key of so many columns holds after its changelog."""
    table: dict[tuple[str, ...], tuple[Any, ...]] = {}
    for name, kind, texts in changes:
        if name != table_name:
            continue
        values = [text.replace(" 12:", "T12:") if isinstance(text, str) else text for text in texts]
        key = tuple(values[:width])
        if kind in {"RowKind.INSERT", "RowKind.UPDATE_AFTER", "+I", "+U"}:
            table[key] = tuple(values[width:])
        elif kind in {"RowKind.DELETE", "-D"}:
            del table[key]
    return table


@pytest.fixture(scope="session")
def incident_of(flink: Outcome) -> Iterator[Any]:
    """Look an incident up by source, record id and revision (1 by default); None where there is none."""

    def look(source: str, record_id: str, revision: int = 1) -> dict[str, Any] | None:
        return flink.incidents.get((f"{source}:{record_id}", revision))

    return look
