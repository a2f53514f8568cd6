"""The whole line on real parts with the cities' real rows: portal to warehouse, through crashes, row by row."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import psutil
import pytest

from civicwire import line
from civicwire.polling import connections
from civicwire.sandbox.client import SandboxClient
from civicwire.settings import ROOT, Settings
from civicwire.stack import Stack, running
from civicwire.verify import verify
from producers import catalog
from producers.poll import Poller
from stream_jobs.warehouse.connection import connect
from stream_jobs.warehouse.writer import Writer

pytestmark = [pytest.mark.parts, pytest.mark.timeout(1800)]
AUSTIN, SAN_DIEGO = "austin_crime_reports", "san_diego_calls"
AUSTIN_DAYS = ("2023-12-28", "2024-06-02", "2024-06-03", "2024-06-05")
CHICAGO, LOS_ANGELES = ZoneInfo("America/Chicago"), ZoneInfo("America/Los_Angeles")
CSV_PATH = "police_calls_for_service/pd_calls_for_service_{}_datasd.csv"
COLUMNS = (
    "incident_id, kind, revision, deleted, late, cast(occurred_local as string), occurred_at, time_precision, "
    "category, code, area, status_code, priority, latitude, longitude"
)


# --- the recomputation: from the files alone, none of the project SQL ---


def utc(local: datetime, zone: ZoneInfo) -> datetime:
    """Standard time in an overlap, moved forward in a gap: what the incident schema promises."""
    early = local.replace(tzinfo=zone, fold=0).astimezone(UTC)
    in_gap = early.astimezone(zone).replace(tzinfo=None) != local
    return early if in_gap else local.replace(tzinfo=zone, fold=1).astimezone(UTC)


def crosswalk(source: str, code: str) -> dict[str, str]:
    path = ROOT / "stream_jobs" / "crosswalks" / source / f"{code}.csv"
    with path.open(encoding="utf-8", newline="") as file:
        return {row[code]: row["category"] for row in csv.DictReader(file)}


CRIME_TYPES, CALL_TYPES = crosswalk(AUSTIN, "crime_type"), crosswalk(SAN_DIEGO, "call_type")


def number(text: str | None) -> float | None:
    return float(text) if text and float(text) != 0 else None


def austin_incident(row: dict[str, Any], revision: int) -> tuple[Any, ...]:
    clock = row.get("occ_time", "").zfill(4)
    known = clock.isdigit() and row.get("occ_time", "") != "" and int(clock[:2]) < 24 and int(clock[2:]) < 60
    if "occ_date_time" in row:
        local = datetime.fromisoformat(row["occ_date_time"])
    else:
        local = datetime.fromisoformat(row["occ_date"])
        if known:
            local = local.replace(hour=int(clock[:2]), minute=int(clock[2:]))
    return (
        f"{AUSTIN}:{row['incident_report_number']}",
        "crime_report",
        revision,
        False,
        False,
        local.isoformat(sep=" "),
        utc(local, CHICAGO),
        "minute" if known or "occ_date_time" in row else "day",
        CRIME_TYPES[row["crime_type"]],
        row["ucr_code"],
        row.get("sector"),
        row.get("clearance_status"),
        None,
        number(row.get("latitude")),
        number(row.get("longitude")),
    )


def san_diego_incident(row: dict[str, str], *, late: bool) -> tuple[Any, ...]:
    local = datetime.fromisoformat(row["date_time"])
    return (
        f"{SAN_DIEGO}:{row['incident_num']}",
        "call_for_service",
        1,
        False,
        late,
        local.isoformat(sep=" "),
        utc(local, LOS_ANGELES),
        "second",
        CALL_TYPES[row["call_type"]] if row["call_type"] else "unmapped",
        row["call_type"] or None,
        row["beat"] if row["beat"] not in ("", "-1") else None,
        row["disposition"] or None,
        row["priority"] or None,
        None,
        None,
    )


def counts_of(incidents: list[tuple[Any, ...]]) -> Counter[tuple[str, ...]]:
    counted: Counter[tuple[str, ...]] = Counter()
    for identity, kind, _, _, _, local, _, _, category, _, area, *_ in incidents:
        source = identity.split(":")[0]
        starts = {"hour": f"{local[:13]}:00:00", "day": f"{local[:10]} 00:00:00", "month": f"{local[:7]}-01 00:00:00"}
        for grain, start in starts.items():
            counted[source, grain, start, area or "unknown", category, kind] += 1
    return counted


class Expected:
    """What the warehouse must hold, fed with the files one after another."""

    def __init__(self) -> None:
        self.austin: dict[str, tuple[dict[str, Any], int]] = {}
        self.calls: dict[str, tuple[Any, ...]] = {}
        self.newest_call = ""

    def add_austin(self, rows: list[dict[str, Any]]) -> None:
        for row in rows:
            known = self.austin.get(row["incident_report_number"])
            if known is None or known[0] != row:
                self.austin[row["incident_report_number"]] = (row, 1 if known is None else known[1] + 1)

    def add_calls(self, rows: list[dict[str, str]]) -> None:
        newest = self.newest_call
        for row in rows:
            if row["incident_num"] not in self.calls:
                late = bool(newest) and row["date_time"] < newest
                self.calls[row["incident_num"]] = san_diego_incident(row, late=late)
            self.newest_call = max(self.newest_call, row["date_time"])

    def incidents(self) -> list[tuple[Any, ...]]:
        return sorted([*(austin_incident(*known) for known in self.austin.values()), *self.calls.values()])


# --- the line --------------------------------------------------------------------------------------------------------


class Home:
    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.portal = SandboxClient(str(settings.endpoints().portal))

    def jobs(self, *words: str) -> None:
        command = [sys.executable, "-W", "ignore", "-m", "civicwire.cli", "jobs", *words]
        done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr

    def poll(self, source: str) -> dict[str, Any]:
        poller = Poller(catalog.find(source), connections(self.settings))
        try:
            return poller.poll()
        finally:
            poller.close()

    def serve(self, expected: Expected, austin: Path, calls: Path) -> None:
        rows = json.loads(austin.read_text(encoding="utf-8"))
        self.portal.upsert(AUSTIN, rows)
        expected.add_austin(rows)
        year = datetime.now(LOS_ANGELES).year
        self.portal.put_file(CSV_PATH.format(year), calls.read_bytes())
        with calls.open(encoding="utf-8", newline="") as file:
            expected.add_calls(list(csv.DictReader(file)))

    def settle(self) -> None:
        line.wait_until_streamed(self.settings, 240, lambda _: None)
        with Writer.of(self.settings) as writer:
            writer.catch_up()

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        warehouse = connect(self.settings)
        try:
            return [tuple(row.values()) for row in warehouse.client.query(sql).result()]
        finally:
            warehouse.close()

    def incidents(self) -> list[tuple[Any, ...]]:
        return sorted(self.query(f"select {COLUMNS} from `{self.settings.project}.{self.settings.dataset}`.incidents"))

    def counts(self) -> Counter[tuple[str, ...]]:
        rows = self.query(
            "select source, grain, cast(window_start as string), area, category, kind, incidents "
            f"from `{self.settings.project}.{self.settings.dataset}`.incident_counts where incidents > 0"
        )
        return Counter({row[:6]: row[6] for row in rows})

    def pid(self, process: str) -> int:
        (found,) = [row["pid"] for row in running.parts_status(self.settings) if row["process"] == process]
        return int(found)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """A stack of this module's own: its topics must hold nothing but these rows."""
    folder = tmp_path_factory.mktemp("line")
    before = os.environ.get("CIVICWIRE_HOME")
    os.environ["CIVICWIRE_HOME"] = str(folder)
    try:
        with Stack(folder):
            yield Home(Settings())
    finally:
        if before is None:
            del os.environ["CIVICWIRE_HOME"]
        else:
            os.environ["CIVICWIRE_HOME"] = before


WRITER = """
import os, signal, sys
from civicwire.settings import Settings
from stream_jobs.warehouse.writer import Writer

def stop(step):
    if step == sys.argv[1]:
        os.kill(os.getpid(), signal.SIGKILL)

with Writer.of(Settings(), checkpoint=stop) as writer:
    writer.catch_up()
"""


@pytest.mark.chaos
def test_the_real_rows_reach_the_warehouse_through_crashes_and_equal_a_recomputation(home: Home, real_data: Path):
    expected = Expected()
    calls = {
        "A": real_data / "san_diego/pd_calls_2023_snapshot_A_26595rows.csv",
        "B": real_data / "san_diego/pd_calls_2023_snapshot_B_28970rows.csv",
    }
    # The first files, undisturbed.
    home.serve(expected, real_data / f"austin/soda_json_{AUSTIN_DAYS[0]}_1000rows.json", calls["A"])
    assert home.poll(AUSTIN)["inserted"] == 1000
    assert home.poll(SAN_DIEGO)["inserted"] == 26595
    home.jobs("start")
    home.settle()
    assert home.incidents() == expected.incidents()
    assert home.counts() == counts_of(expected.incidents())

    # The second files; the task manager is killed with the rows in its hands, the writer in the middle of its merges.
    home.serve(expected, real_data / f"austin/soda_json_{AUSTIN_DAYS[1]}_1000rows.json", calls["B"])
    found = home.poll(AUSTIN)
    assert (found["inserted"], found["revised"]) == (863, 5)
    victim = psutil.Process(home.pid("flink-taskmanager"))
    found = home.poll(SAN_DIEGO)
    victim.send_signal(signal.SIGKILL)
    assert (found["inserted"], found["late"], found["revised"], found["deleted"]) == (2375, 133, 0, 0)
    line.wait_until_streamed(home.settings, 240, lambda _: None)
    for step in ("staged incidents", "merged incidents", "written"):
        killed = subprocess.run([sys.executable, "-W", "ignore", "-c", WRITER, step], check=False, cwd=ROOT)
        assert killed.returncode == -signal.SIGKILL, step
    home.settle()
    assert home.incidents() == expected.incidents()
    assert home.counts() == counts_of(expected.incidents())

    # The last files: 863 more, then nothing at all; and a second reading changes nothing.
    for day, inserted in zip(AUSTIN_DAYS[2:], (863, 0), strict=True):
        home.serve(expected, real_data / f"austin/soda_json_{day}_1000rows.json", calls["B"])
        assert home.poll(AUSTIN)["inserted"] == inserted
        home.portal.clear_requests()
        assert home.poll(SAN_DIEGO)["status"] == "unchanged"
        assert len(home.portal.requests()) <= 2
    home.settle()
    assert len(expected.austin) == 2726
    for _ in range(2):
        assert home.incidents() == expected.incidents()
        assert home.counts() == counts_of(expected.incidents())
        home.settle()
    proofs = [one for source in (AUSTIN, SAN_DIEGO) for one in verify(home.settings, catalog.find(source))]
    assert [one.differences for one in proofs] == [{}] * 6


def test_utc_of_a_gap_and_an_overlap_is_what_the_schema_promises():
    spring = utc(datetime(2026, 3, 8, 2, 30), CHICAGO)  # noqa: DTZ001 - civil time is naive on purpose
    autumn = utc(datetime(2026, 11, 1, 1, 30), CHICAGO)  # noqa: DTZ001
    assert spring == datetime(2026, 3, 8, 8, 30, tzinfo=UTC)
    assert autumn - timedelta(hours=6) == datetime(2026, 11, 1, 1, 30, tzinfo=UTC)
