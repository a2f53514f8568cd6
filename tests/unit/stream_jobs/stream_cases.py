"""The rows that go through the SQL in one run; the tests look at what became of each."""

from __future__ import annotations

import csv
import json
import random
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from stream_rows import AUSTIN, SAN_DIEGO, raw

YEAR = 2024
STEP_MINUTES = 30
"""Civil times of a whole year, the hours of both changes of the clock included."""
SCENARIOS = 150


def civil_times() -> list[str]:
    """Every half hour of the year, as a clock on the wall could show it (also those that a change skips)."""
    start = datetime(YEAR, 1, 1)  # noqa: DTZ001  civil times have no zone; that is the point
    return [f"{start + timedelta(minutes=STEP_MINUTES * step):%Y-%m-%d %H:%M:%S}" for step in range(366 * 48)]


def _austin(record_id: str, **row: str | None) -> dict[str, str | None]:
    good = {
        "incident_report_number": record_id,
        "crime_type": "THEFT",
        "ucr_code": "600",
        "family_violence": "N",
        "occ_date_time": "2024-05-01T13:45:00.000",
        "occ_date": "2024-05-01T00:00:00.000",
        "occ_time": "1345",
        "rep_date_time": "2024-05-02T08:05:00.000",
        "address": " 100 MAIN ST ",
        "sector": "ED",
        "location_type": "STREET",
        "latitude": "30.25",
        "longitude": "-97.75",
    }
    return {**good, **row}


def _call(record_id: str, **row: str | None) -> dict[str, str | None]:
    good = {
        "incident_num": record_id,
        "date_time": "2023-01-05 10:11:12",
        "address_number_primary": "0",
        "address_road_primary": "05TH",
        "address_sfx_primary": "AVE",
        "address_road_intersecting": "G",
        "call_type": "459R",
        "disposition": "R",
        "beat": "523",
        "priority": "2",
    }
    return {**good, **row}


NOT_TIMED: dict[str, str | None] = {"occ_date_time": None}
AUSTIN_ROWS = {
    "good": _austin("good"),
    "midnight": _austin("midnight", occ_date_time="2024-05-01T00:00:00.000", occ_time="0"),
    "padded": _austin("padded", **NOT_TIMED, occ_time="5"),
    "morning": _austin("morning", **NOT_TIMED, occ_time="930"),
    "2400": _austin("2400", **NOT_TIMED, occ_time="2400"),
    "170": _austin("170", **NOT_TIMED, occ_time="170"),
    "untimed": _austin("untimed", **NOT_TIMED, occ_time=None),
    "long": _austin("long", **NOT_TIMED, occ_time="12345"),
    "words": _austin("words", **NOT_TIMED, occ_time="noon"),
    "zero": _austin("zero", latitude="0", longitude="0"),
    "nowhere": _austin("nowhere", latitude=None, longitude=None, address=None, sector=None),
    "nan": _austin("nan", latitude="NaN", longitude="200"),
    "violent": _austin("violent", family_violence="Y", clearance_status="C", clearance_date="2024-06-01T00:00:00.000"),
    "odd": _austin("odd", clearance_status="Q", clearance_date="soon", rep_date_time="2024-02-30T00:00:00.000"),
    "new type": _austin("new type", crime_type="THEFT OF THE MOON"),
    "unknown type": _austin("unknown type", crime_type="ZZZ"),
    "no type": _austin("no type", crime_type=None),
    "month 13": _austin("month 13", occ_date_time="2024-13-01T10:00:00.000"),
    "30 february": _austin("30 february", **NOT_TIMED, occ_date="2024-02-30T00:00:00.000"),
    "no date": _austin("no date", **NOT_TIMED, occ_date=None),
    "long ago": _austin("long ago", occ_date_time="0204-05-01T10:00:00.000"),
    "quote": _austin("quote", occ_date_time="'; drop table", address='say "é"'),
}
CALL_ROWS = {
    "good": _call("good"),
    "numbered": _call(
        "numbered", address_number_primary="4300", address_dir_primary="S", address_road_intersecting=None
    ),
    "nowhere": _call(
        "nowhere", beat="-1", address_road_primary=" ", address_sfx_primary=None, address_road_intersecting=""
    ),
    "arrest": _call("arrest", disposition="AHR"),
    "blank": _call("blank", disposition="", call_type="", beat="", priority=""),
    "deferred": _call("deferred", disposition="DEF"),
    "outside": _call("outside", call_type="QQQ", disposition="QQQ"),
    "domestic": _call("domestic", call_type="415DV"),
    "midnight": _call("midnight", date_time="2023-01-05 00:00:00"),
    "with t": _call("with t", date_time="2023-01-05T10:11:12"),
    "short": _call("short", date_time="2023-01-05"),
    "25 o'clock": _call("25 o'clock", date_time="2023-01-05 25:00:00"),
    "empty": _call("empty", date_time=""),
}
_BAD = {"occ_date_time": "2024-13-01T10:00:00.000"}

EVENTS: dict[str, list[dict[str, Any]]] = {
    AUSTIN: [
        *(raw(AUSTIN, row) for row in AUSTIN_ROWS.values()),
        raw(AUSTIN, _austin("other"), record_id="mismatch"),
        raw(AUSTIN, _austin("revised", **_BAD), revision=2, op="revise"),
        raw(AUSTIN, _austin("deleted"), revision=3, op="delete", late=True),
        raw(AUSTIN, _austin("deleted bad", **_BAD), revision=2, op="delete"),
        raw(AUSTIN, _austin("back"), revision=4, op="reappear"),
        *(
            raw(AUSTIN, _austin(f"dst {moment}", occ_date_time=moment.replace(" ", "T") + ".000"))
            for moment in civil_times()
        ),
    ],
    SAN_DIEGO: [
        *(raw(SAN_DIEGO, row) for row in CALL_ROWS.values()),
        raw(SAN_DIEGO, _call("revised", date_time="soon"), revision=2, op="revise"),
        *(raw(SAN_DIEGO, _call(f"dst {moment}", date_time=moment)) for moment in civil_times()),
    ],
}


def austin_rows(folder: Path) -> list[dict[str, str]]:
    """Return every distinct Austin row of the real files, the newest state of each."""
    rows: dict[str, dict[str, str]] = {}
    for path in sorted((folder / "austin").glob("*.json")):
        for row in json.loads(path.read_text(encoding="utf-8")):
            rows[row["incident_report_number"]] = {
                key: value if isinstance(value, str) else json.dumps(value) for key, value in row.items()
            }
    return list(rows.values())


def san_diego_rows(folder: Path) -> list[dict[str, str]]:
    """Return the rows of the larger San Diego snapshot."""
    rows: list[dict[str, str]] = []
    for path in sorted((folder / "san_diego").glob("pd_calls_2023_snapshot_B*.csv")):
        with path.open(encoding="utf-8-sig", newline="") as lines:
            rows += csv.DictReader(lines)
    return rows


def _scenario(name: str, chance: random.Random) -> list[dict[str, Any]]:
    """Some incidents of a made-up source through random lives, mingled, with repeated and replayed parts.

    The revisions of an incident come in order, as Kafka keeps them; a part that is repeated begins with an older one.
    """
    lives: list[list[dict[str, Any]]] = []
    for number in range(chance.randint(1, 6)):
        late = chance.random() < 0.3
        lives.append([])
        for revision in range(1, chance.randint(1, 6) + 1):
            seen = f"2026-11-{revision + number:02d}T12:{number:02d}:30"
            op = "insert" if revision == 1 else chance.choice(("revise", "revise", "delete", "reappear", "withdraw"))
            moment = f"2024-0{chance.randint(1, 2)}-0{chance.randint(1, 2)}T0{chance.randint(0, 2)}:30:00"
            lives[-1].append(
                {
                    "incident_id": f"{name}:{number}",
                    "source": name,
                    "record_id": str(number),
                    "revision": revision,
                    "op": op,
                    "deleted": op in {"delete", "withdraw"},
                    "late": late and revision == 1,
                    "kind": "crime_report",
                    "occurred_local": None if op == "withdraw" else moment,
                    "occurred_at": None if op == "withdraw" else chance.choice((seen, *OCCURRED)),
                    "time_zone": "America/Chicago",
                    "category": chance.choice(("theft", "robbery")),
                    "status": "open",
                    "area": chance.choice((None, "A")),
                    "quality_flags": "",
                    "observed_at": seen,
                    "poll_id": "p",
                    "raw_partition": 0,
                    "raw_offset": 0,
                }
            )
    turns = [life for life in lives for _ in life]
    chance.shuffle(turns)
    waiting = [iter(life) for life in lives]
    incidents = [next(waiting[lives.index(life)]) for life in turns]
    repeats = chance.choices(incidents, k=chance.randint(0, len(incidents)))
    begin = chance.randint(0, len(incidents))
    return incidents[:begin] + incidents[max(0, begin - 3) :] + repeats


OCCURRED = (
    *("2027-01-01T00:00:00", "2026-11-01T02:00:00", "2026-10-31T11:59:59", "2026-10-31T12:00:30"),
    *("2026-10-25T12:00:30", "2026-10-02T12:00:30", "2025-11-01T12:00:30", "2024-01-01T00:00:00"),
)
INCIDENTS = [
    incident
    for number in range(SCENARIOS)
    for incident in _scenario(f"scenario {number}", random.Random(number))  # noqa: S311  reproducible, not secret
]
