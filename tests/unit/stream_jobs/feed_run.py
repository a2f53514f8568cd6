"""Rows of one feed through the producers' shaping and the SQL that runs in production, in a Flink of their own."""

from __future__ import annotations

import json
import os
import subprocess
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from civicwire.settings import Settings
from civicwire.stack.installed import Installed
from producers import catalog
from producers.rows import Published, Shaper, numbered
from schemas import loader, topics
from schemas.errors import EnvironmentMissingError
from stream_jobs import jobs, tables

NOWHERE = tables.Cluster("localhost:1", "http://localhost:2")
OBSERVED = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


@dataclass(frozen=True)
class Made:
    """Records that came out, by topic."""

    records: dict[str, list[dict[str, Any]]]

    def by(self, topic: topics.Topic, *columns: str) -> dict[Any, dict[str, Any]]:
        """The records of ``topic`` by the value of a column, or of several together."""
        return {
            record[columns[0]] if len(columns) == 1 else tuple(record[column] for column in columns): record
            for record in self.records[topic.name]
        }


def shaped(source: str, rows: Iterable[Mapping[str, str | None]]) -> list[tuple[str, dict[str, str]]]:
    """What the producers make of published rows: ``(record_id, known columns)`` of each."""
    feed = catalog.find(source)
    shape = Shaper(feed)
    seen: Counter[str] = Counter()
    made = []
    for row in rows:
        shape_of = shape(Published(dict(row), b""))
        if not feed.key_columns:
            seen[shape_of.record_id] += 1
            shape_of = numbered(shape_of, "", seen[shape_of.record_id])
        made.append((shape_of.record_id, shape_of.known))
    return made


def event(source: str, record_id: str, row: Mapping[str, str | None], **head: Any) -> dict[str, Any]:
    """A raw event of ``source``."""
    (shape,) = (field["type"] for field in loader.document(f"raw/{source}")["fields"] if field["name"] == "row")
    return {
        "record_id": record_id,
        "revision": 1,
        "op": "insert",
        "content_hash": "0" * 32,
        "observed_at": OBSERVED,
        "source_updated_at": None,
        "late": False,
        "poll_id": f"{source}@20261120T120000.000000Z",
        "scope": "",
        "extras": {},
        **head,
        "row": {field["name"]: row.get(field["name"]) for field in shape["fields"]},
    }


def run(folder: Path, events: dict[str, list[dict[str, Any]]]) -> Made:
    """Put the events of each source through normalise; skips the test where Flink is not installed."""
    job = jobs.normalize(NOWHERE, list(events))
    views = [text for text in job.definitions if text.startswith("create temporary view")]
    request = {
        "settings": {"parallelism.default": "1", "table.local-time-zone": "UTC"},
        "batch": {
            "definitions": [
                *(table(folder, topics.raw(source), rows) for source, rows in events.items()),
                *(table(folder, topic) for topic in job.sinks),
                *views,
            ],
            "inserts": job.inserts,
        },
        "streaming": {"settings": {}, "definitions": [], "queries": {}},
    }
    through_flink(request, folder / "changelog")
    return Made({topic.name: written(folder / tables.table_name(topic)) for topic in job.sinks})


def table(folder: Path, topic: topics.Topic, rows: list[dict[str, Any]] | None = None) -> str:
    """A table over JSON lines with the columns of the Kafka table; partition and offset are plain columns."""
    name = tables.table_name(topic)
    columns = tables.columns(topic.schema)
    if rows is not None:
        columns |= {column: kind.removesuffix(" metadata virtual") for column, kind in tables.POSITION.items()}
        (folder / name).mkdir(parents=True)
        with (folder / name / "rows.json").open("w", encoding="utf-8") as lines:
            for offset, row in enumerate(rows):
                times = {name: f"{at:%Y-%m-%dT%H:%M:%S}" for name, at in row.items() if isinstance(at, datetime)}
                lines.write(json.dumps({**row, **times, "partition": 1, "offset": offset}) + "\n")
    return tables.create(
        name,
        columns,
        {
            "connector": "filesystem",
            "path": (folder / name).as_uri(),
            "format": "json",
            "json.timestamp-format.standard": "ISO-8601",
        },
    )


def through_flink(request: dict[str, Any], changelog: Path) -> None:
    """Give flink_local.py the request; skips the test where Flink is not installed."""
    try:
        installed = Installed(Settings().parts)
        environment = {
            **{name: value for name, value in os.environ.items() if name not in {"FLINK_CONF_DIR", "FLINK_LIB_DIR"}},
            "JAVA_HOME": str(installed.java.parent.parent),
            "FLINK_HOME": str(installed.flink_home),
            "JVM_ARGS": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
        }
        command = [str(installed.flink_python), str(Path(__file__).parent / "flink_local.py"), str(changelog)]
    except EnvironmentMissingError as error:
        pytest.skip(str(error))
    done = subprocess.run(
        command, input=json.dumps(request), text=True, capture_output=True, env=environment, check=False, timeout=500
    )
    causes = [line for line in done.stderr.splitlines() if "Caused by" in line]
    assert done.returncode == 0, "\n".join(causes[-3:] or done.stderr.splitlines()[-20:])


def written(folder: Path) -> list[dict[str, Any]]:
    """The rows of a table that a job has filled."""
    files = [path for path in folder.rglob("*") if path.is_file() and not path.name.startswith((".", "_"))]
    return [json.loads(line) for path in files for line in path.read_text(encoding="utf-8").splitlines()]
