"""Made rows for the marts: two feeds over some years, as the warehouse writer would write them."""

from __future__ import annotations

import io
import random
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.parquet as pq
from google.cloud import bigquery

from civicwire.commands.build import Build
from civicwire.settings import Settings
from stream_jobs.warehouse.connection import Warehouse
from stream_jobs.warehouse.tables import TABLES, ensure_tables

AUSTIN = "austin_crime_reports"
SAN_DIEGO = "san_diego_calls"
ZONE = {AUSTIN: "America/Chicago", SAN_DIEGO: "America/Los_Angeles"}
KIND = {AUSTIN: "crime_report", SAN_DIEGO: "call_for_service"}
CRIMES = [
    ("theft", "600", "THEFT", 30),
    ("burglary", "500", "BURGLARY OF RESIDENCE", 14),
    ("vehicle_theft", "700", "AUTO THEFT", 11),
    ("fraud", "1100", "CRED CARD ABUSE - OTHER", 9),
    ("vandalism", "1400", "CRIMINAL MISCHIEF", 12),
    ("assault", "900", "ASSAULT WITH INJURY", 11),
    ("family_disturbance", "3400", "FAMILY DISTURBANCE", 14),
    ("drugs", "1800", "POSS CONTROLLED SUB/NARCOTIC", 5),
    ("robbery", "300", "ROBBERY BY ASSAULT", 3),
    ("unmapped", "9999", "A CODE OF ITS OWN", 1),
]
CALLS = [
    ("disorder", "415", "DISTURBING PEACE", 24),
    ("traffic", "T", "TRAFFIC STOP", 20),
    ("welfare", "CW", "CHECK THE WELFARE", 15),
    ("alarm", "459A", "BURGLARY ALARM", 9),
    ("vehicle_theft", "10851", "STOLEN VEHICLE", 6),
    ("theft", "487", "GRAND THEFT", 6),
    ("burglary", "459", "BURGLARY", 6),
    ("administrative", "10-97", "FOLLOW UP", 8),
    ("trespass", "602", "TRESPASSING", 5),
    ("unmapped", None, None, 1),
]
BEATS = ["111", "122", "246", "315", "512", "521", "524", "614", "712", "813", "999", None]
HOURS = {
    AUSTIN: [9, 5, 4, 3, 2, 2, 3, 4, 5, 5, 6, 6, 8, 6, 7, 7, 8, 8, 8, 8, 8, 8, 8, 7],
    SAN_DIEGO: [4, 3, 3, 2, 2, 2, 3, 5, 6, 7, 7, 7, 7, 7, 8, 8, 9, 9, 9, 8, 8, 8, 7, 5],
}
WEEKDAYS = {AUSTIN: [10, 10, 10, 10, 11, 12, 11], SAN_DIEGO: [10, 10, 11, 10, 11, 10, 9]}
LEVEL = {AUSTIN: [1.0, 0.98, 0.97], SAN_DIEGO: [1.0, 0.93, 0.88]}
"""Share of the first year's incidents in each year: Austin flat, San Diego falling."""


@dataclass
class Made:
    """Rows of the writer's tables."""

    incidents: list[dict[str, Any]] = field(default_factory=list)
    incident_revisions: list[dict[str, Any]] = field(default_factory=list)
    persons: list[dict[str, Any]] = field(default_factory=list)
    person_revisions: list[dict[str, Any]] = field(default_factory=list)
    indicators: list[dict[str, Any]] = field(default_factory=list)
    incident_counts: list[dict[str, Any]] = field(default_factory=list)
    polls: list[dict[str, Any]] = field(default_factory=list)
    dead_letters: list[dict[str, Any]] = field(default_factory=list)
    arrivals: list[dict[str, Any]] = field(default_factory=list)
    drift: list[dict[str, Any]] = field(default_factory=list)

    @property
    def live(self) -> list[dict[str, Any]]:
        """The incidents that exist."""
        return [row for row in self.incidents if not row["deleted"]]


@dataclass(frozen=True)
class MadeMarts:
    """What the fixture made_marts made: settings that reach it, the rows, the connection and the first build."""

    settings: Settings
    made: Made
    warehouse: Warehouse
    build: Build


def make(now: datetime, size: int = 20_000, years: int = 3, seed: int = 3) -> Made:
    """Return ``size`` incidents of the ``years`` before the instant ``now``, their windows, polls and dead letters."""
    made = Made()
    chance = random.Random(seed)  # noqa: S311 made-up rows, no secrets
    for source, share in ((AUSTIN, 0.45), (SAN_DIEGO, 0.55)):
        newest = (now - timedelta(days=2)).date()
        days = _days(newest, 365 * years, source)
        for number, day in enumerate(chance.choices(*days, k=round(size * share))):
            made.incidents.append(_incident(source, number, day, now, chance))
        made.polls += _polls(source, [row for row in made.incidents if row["source"] == source], now)
        made.dead_letters += [_dead_letter(source, number, now) for number in range(3 if source == AUSTIN else 11)]
    made.incident_revisions = [
        {**row, "revision": revision, "op": "insert" if revision == 1 else row["op"], "deleted": False}
        if revision < row["revision"]
        else row
        for row in made.incidents
        for revision in range(1, row["revision"] + 1)
    ]
    made.incident_counts = list(windows(made.incidents, now))
    return made


def _days(newest: date, count: int, source: str) -> tuple[list[date], list[float]]:
    days = [newest - timedelta(days=back) for back in range(count)][::-1]
    level = LEVEL[source]
    seasons = [1 + 0.12 * (1 - abs(day.month - 7) / 6) for day in days]
    weights = [
        season * WEEKDAYS[source][day.weekday()] * level[min(len(level) - 1, at * len(level) // count)]
        for at, (day, season) in enumerate(zip(days, seasons, strict=True))
    ]
    return days, weights


def _incident(source: str, number: int, day: date, now: datetime, chance: random.Random) -> dict[str, Any]:
    kinds = CRIMES if source == AUSTIN else CALLS
    category, code, words, _ = chance.choices(kinds, weights=[weight for *_, weight in kinds])[0]
    hour = chance.choices(range(24), weights=HOURS[source])[0]
    midnight = source == AUSTIN and chance.random() < 0.04
    timeless = source == AUSTIN and chance.random() < 0.03
    at = time() if midnight or timeless else time(hour, chance.randrange(60))
    local = datetime.combine(day, at)
    deleted = chance.random() < 0.01
    revision = 2 if deleted or chance.random() < 0.02 else 1
    area = (
        chance.choice(["ADAM", "BAKER", "CHARLIE", "DAVID", "EDWARD", None])
        if source == AUSTIN
        else chance.choice(BEATS)
    )
    precision = "day" if timeless else "minute" if source == AUSTIN else "second"
    record_id = f"{'20' if source == AUSTIN else 'E'}{day:%y%m}{number:07d}"
    return {
        "incident_id": f"{source}:{record_id}",
        "source": source,
        "record_id": record_id,
        "revision": revision,
        "op": "delete" if deleted else "revise" if revision > 1 else "insert",
        "deleted": deleted,
        "late": chance.random() < 0.05,
        "kind": KIND[source],
        "occurred_local": local,
        "occurred_at": local.replace(tzinfo=ZoneInfo(ZONE[source])).astimezone(UTC),
        "time_precision": precision,
        "time_zone": ZONE[source],
        "category": category,
        "code": code,
        "description": words,
        "status": "unknown",
        "area_kind": "sector" if source == AUSTIN else "beat",
        "area": area,
        "priority": None if source == AUSTIN else chance.choice(["0", "1", "2", "3", "4"]),
        "quality_flags": "midnight" if midnight or timeless else "",
        "observed_at": now - timedelta(minutes=30),
        "poll_id": f"{source}@made",
        "raw_partition": number % 2,
        "raw_offset": number,
        "occurred_date": day,
        "loaded_at": now - timedelta(minutes=29),
    }


def windows(incidents: Iterable[dict[str, Any]], now: datetime) -> Iterable[dict[str, Any]]:
    """Count ``incidents`` into the stream's windows of a day and of a month, as the windows job defines them."""
    cells: dict[tuple[Any, ...], Counter[str]] = {}
    for row in incidents:
        day: date = row["occurred_date"]
        for grain, start in (("day", day), ("month", day.replace(day=1))):
            key = (row["source"], grain, start, row["area"] or "unknown", row["category"], row["kind"])
            counts = cells.setdefault(key, Counter())
            counts["incidents"] += not row["deleted"]
            counts["deleted"] += row["deleted"]
            counts["revised"] += row["revision"] > 1
            counts["late"] += row["late"] and not row["deleted"]
    for version, ((source, grain, start, area, category, kind), counts) in enumerate(cells.items()):
        yield {
            "source": source,
            "grain": grain,
            "window_start": datetime.combine(start, time()),
            "area": area,
            "category": category,
            "kind": kind,
            **{name: counts[name] for name in ("incidents", "deleted", "revised", "late")},
            "first_incidents": counts["incidents"] - counts["late"],
            "restatements": counts["revised"],
            "window_date": start,
            "version": version,
            "loaded_at": now - timedelta(minutes=28),
        }


def _polls(source: str, rows: list[dict[str, Any]], now: datetime) -> Iterable[dict[str, Any]]:
    live = sum(not row["deleted"] for row in rows)
    changed = sum(row["revision"] > 1 and not row["deleted"] for row in rows)
    gone = len(rows) - live
    late = sum(row["late"] for row in rows)
    dead = 3 if source == AUSTIN else 11
    newest = max(row["occurred_local"] for row in rows)
    plan = [
        ("changed", "complete", len(rows), 0, 0, 0, dead, 0, len(rows)),
        ("unchanged", "none", 0, 0, 0, 0, 0, 0, len(rows)),
        ("failed", "incremental", 0, 0, 0, 0, 0, 0, len(rows)),
        ("changed", "complete", 0, changed, gone, live - changed, 0, late, live),
    ]
    for at, (status, scan, inserted, revised, deleted, unchanged, bad, late_rows, live_rows) in enumerate(plan):
        started = now - timedelta(days=len(plan) - 1 - at, minutes=30)
        yield {
            "poll_id": f"{source}@{started:%Y%m%dT%H%M%S%fZ}",
            "source": source,
            "status": status,
            "scan": scan,
            "started_at": started,
            "finished_at": started + timedelta(seconds=4 + at),
            "requests": 1 if scan == "none" else 12,
            "bytes_received": 0 if scan == "none" else 4_000_000,
            "rows_in": inserted + revised + unchanged + bad,
            "inserted": inserted,
            "revised": revised,
            "reappeared": 0,
            "deleted": deleted,
            "unchanged": unchanged,
            "dead": bad,
            "late": late_rows,
            "drift": 0,
            "portal_rows": None if scan == "none" else inserted + revised + unchanged + bad,
            "live_rows": live_rows,
            "newest_event_local": newest,
            "portal_changed_at": None,
            "error": "HTTP 503 five times: try again later." if status == "failed" else None,
            "loaded_at": now - timedelta(minutes=29),
        }


def _dead_letter(source: str, number: int, now: datetime) -> dict[str, Any]:
    return {
        "dead_id": f"{source}-{number}",
        "source": source,
        "stage": "normalise" if number % 3 else "poll",
        "reason": "unparsable_date" if number % 3 else "key_missing",
        "detail": "Made for a test.",
        "payload": b"{}",
        "observed_at": now - timedelta(days=3),
        "loaded_at": now - timedelta(days=3),
    }


def fill(warehouse: Warehouse, made: Made) -> None:
    """Create the writer's tables where they are missing and replace the rows of those that were made."""
    ensure_tables(warehouse.client, warehouse.dataset)
    for table in TABLES:
        rows = getattr(made, table.name, [])
        columns = {column.name: [row.get(column.name) for row in rows] for column in table.columns}
        arrow = pa.table(columns, schema=pa.schema([column.arrow for column in table.columns]))
        file = io.BytesIO()
        pq.write_table(arrow, file)
        file.seek(0)
        config = bigquery.LoadJobConfig(
            source_format=bigquery.SourceFormat.PARQUET,
            write_disposition=bigquery.WriteDisposition.WRITE_TRUNCATE_DATA,
        )
        target = f"{warehouse.project}.{warehouse.dataset}.{table.name}"
        warehouse.client.load_table_from_file(file, target, job_config=config).result()
