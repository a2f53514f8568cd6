"""One Flink process for all unit tests of the SQL: starting it is what takes the time."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import stream_cases
from stream_rows import AUSTIN, SAN_DIEGO, raw

from civicwire.settings import ROOT
from civicwire.stack.installed import Installed
from schemas.errors import EnvironmentMissingError
from stream_jobs import jobs, tables

NOWHERE = tables.Cluster("localhost:1", "http://localhost:2")


@dataclass(frozen=True)
class Outcome:
    """What the SQL made of all rows: incidents by (incident_id, revision), dead letters by dead_id, windows by key."""

    incidents: dict[tuple[str, int], dict[str, Any]]
    dead_letters: dict[str, dict[str, Any]]
    counts: dict[tuple[str, ...], tuple[Any, ...]]
    arrivals: dict[tuple[str, ...], tuple[Any, ...]]


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
                *(_table(folder, jobs.topics.raw(source), rows=events[source]) for source in events),
                _table(folder, jobs.topics.INCIDENTS),
                _table(folder, jobs.topics.DEAD_LETTERS),
                *_views(normalize),
            ],
            "inserts": normalize.inserts,
        },
        "streaming": {
            "settings": windows.settings,
            "definitions": [
                _table(folder / "windows", jobs.topics.INCIDENTS, rows=stream_cases.INCIDENTS),
                *_views(windows),
            ],
            "queries": {table: _together(windows, table) for table in ("incident_counts", "arrivals")},
        },
    }
    _run(request, folder / "changelog")
    incidents = _read(folder / "incidents")
    changes = [json.loads(line) for line in (folder / "changelog").read_text(encoding="utf-8").splitlines()]
    return Outcome(
        {(incident["incident_id"], incident["revision"]): incident for incident in incidents},
        {letter["dead_id"]: letter for letter in _read(folder / "dead_letters")},
        _upserted(changes, "incident_counts", len(tables.COUNT_KEY)),
        _upserted(changes, "arrivals", len(tables.ARRIVAL_KEY)),
    )


@pytest.fixture(scope="session")
def real_rows() -> dict[str, list[dict[str, str]]]:
    """The real rows by source, none where they are absent; Austin's as the last of its files has them."""
    folder = Path(os.environ.get("CIVICWIRE_REAL_DATA", ROOT.parent / "shared" / "data"))
    return {AUSTIN: stream_cases.austin_rows(folder), SAN_DIEGO: stream_cases.san_diego_rows(folder)}


def _views(job: jobs.Job) -> list[str]:
    return [text for text in job.definitions if text.startswith("create temporary view")]


def _table(folder: Path, topic: jobs.topics.Topic, rows: list[dict[str, Any]] | None = None) -> str:
    """A table over JSON lines with the columns of the Kafka table; partition and offset are plain columns."""
    name = tables.table_name(topic)
    columns = tables.columns(topic.schema)
    if rows is not None:
        columns |= {column: kind.removesuffix(" metadata virtual") for column, kind in tables.POSITION.items()}
        (folder / name).mkdir(parents=True)
        with (folder / name / "rows.json").open("w", encoding="utf-8") as lines:
            for offset, row in enumerate(rows):
                times = {key: f"{value:%Y-%m-%dT%H:%M:%S}" for key, value in row.items() if hasattr(value, "tzinfo")}
                lines.write(json.dumps({**row, **times, "partition": 1, "offset": offset}) + "\n")
    options = {
        "connector": "filesystem",
        "path": (folder / name).as_uri(),
        "format": "json",
        "json.timestamp-format.standard": "ISO-8601",
    }
    return tables.create(name, columns, options)


def _run(request: dict[str, Any], changelog: Path) -> None:
    try:
        installed = Installed(Path(os.environ.get("CIVICWIRE_PARTS", ROOT / ".parts")))
        environment = {
            **os.environ,
            "JAVA_HOME": str(installed.java.parent.parent),
            "FLINK_HOME": str(installed.flink_home),
            "JVM_ARGS": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
        }
        command = [str(installed.flink_python), str(Path(__file__).parent / "flink_local.py"), str(changelog)]
    except EnvironmentMissingError as error:
        pytest.skip(str(error))
    for inherited in ("FLINK_CONF_DIR", "FLINK_LIB_DIR"):
        environment.pop(inherited, None)
    done = subprocess.run(
        command, input=json.dumps(request), text=True, capture_output=True, env=environment, check=False, timeout=500
    )
    causes = [line for line in done.stderr.splitlines() if "Caused by" in line]
    assert done.returncode == 0, "\n".join(causes[-3:] or done.stderr.splitlines()[-20:])


def _read(folder: Path) -> list[dict[str, Any]]:
    files = [path for path in folder.rglob("*") if path.is_file() and not path.name.startswith((".", "_"))]
    return [json.loads(line) for path in files for line in path.read_text(encoding="utf-8").splitlines()]


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
