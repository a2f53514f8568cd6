"""Made rows of the feeds that ``marts_data`` leaves out, and of the tables beside incidents: what every mart needs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Any

from marts_changing import FEEDS, Feeds
from marts_data import AUSTIN, SAN_DIEGO, Made

LOS_ANGELES, DENVER, ARCHIVE = "la_crime_2020_2024", "denver_traffic_accidents", "denver_311_archive"
FACTS, PERSONS, LAUS = "catalonia_hate_facts", "catalonia_hate_persons", "california_laus"
MONTHS = [date(year, month, 1) for year in (2021, 2022, 2023) for month in range(1, 13)]
"""Without a break in Los Angeles, and enough of them to compare years."""
NEIGHBOURHOODS = ["baker", "capitol-hill", "five-points", "globeville", "hale", "montbello", "sunnyside"]
BURST = datetime(2022, 5, 9, 22, tzinfo=UTC)
"""A quiet week in Los Angeles, then six in this hour."""
ARRIVED = {
    "insert": "inserted",
    "revise": "revised",
    "delete": "deleted",
    "reappear": "reappeared",
    "expire": "expired",
    "withdraw": "withdrawn",
}
DELAYS = {
    "delay_hour": timedelta(hours=1),
    "delay_day": timedelta(days=1),
    "delay_week": timedelta(days=7),
    "delay_month": timedelta(days=30),
    "delay_year": timedelta(days=365),
    "delay_longer": timedelta.max,
}


class OtherFeeds(Feeds):
    """Every feed but the two of ``marts_data``, with neighbourhoods enough for ranks, bursts and late news."""

    def __init__(self, seed: int) -> None:
        """Begin with rows of three years, revised, moved, deleted, brought back and expired."""
        super().__init__(seed)
        self.insert(150, MONTHS)
        self.poll()
        self.now += timedelta(minutes=-50)  # two polls in one hour
        self.happen_lately()
        self.burst()
        self.change()
        self.leave_and_return()
        self.poll()
        self.load()

    def _new(self, source: str, month: date) -> dict[str, Any]:
        row = super()._new(source, month)
        return row | {"area": self.chance.choice(NEIGHBOURHOODS)} if source == DENVER else row

    def happen_lately(self) -> None:
        """Publish incidents that happened minutes, hours, days and weeks ago."""
        for source in FEEDS:
            for number, ago in enumerate((timedelta(minutes=20), timedelta(hours=3), timedelta(days=3))):
                for _ in range(number + 1):
                    self._write(self._new(source, MONTHS[0]) | self._at(self.now - ago), "insert")

    def burst(self) -> None:
        """Publish one incident a day for a week and six at once on the eighth day."""
        for day in range(7):
            self._write(self._burst(BURST - timedelta(days=7 - day, hours=9)), "insert")
        for minute in range(6):
            self._write(self._burst(BURST + timedelta(minutes=minute)), "insert")

    def _burst(self, at: datetime) -> dict[str, Any]:
        row = self._new(LOS_ANGELES, MONTHS[0])
        return row | self._at(at) | {"category": "theft", "area": "BAKER"}

    def _at(self, at: datetime) -> dict[str, Any]:
        local = at.replace(tzinfo=None)
        return {"occurred_local": local, "occurred_date": local.date(), "occurred_at": at, "time_precision": "minute"}

    def leave_and_return(self) -> None:
        """Let accidents leave the publisher's rolling window, and bring deleted reports back or withdraw others."""
        accidents, reports = (
            [row for row in self.incidents.values() if row["source"] == feed] for feed in (DENVER, LOS_ANGELES)
        )
        for row in [row for row in accidents if not row["deleted"]][:9]:
            self._write(row, "expire")
        for row in [row for row in reports if row["deleted"]][:2]:
            self._write({**row, "deleted": False}, "reappear")
        for row in [row for row in reports if not row["deleted"]][:3]:
            self._write({**row, "deleted": True}, "withdraw")

    def load(self) -> None:
        """Say of each revision that the writer wrote it some seconds after its poll."""
        for at, row in enumerate([*self.revisions, *self.person_revisions]):
            row["loaded_at"] = row["observed_at"] + timedelta(seconds=3 + at % 40)


def add(made: Made, now: datetime) -> None:
    """Add to ``made``, whose polls end at the instant ``now``."""
    others = OtherFeeds(seed=5).made()
    own = {AUSTIN, SAN_DIEGO}
    for table in ("incidents", "incident_revisions", "persons", "person_revisions", "incident_counts"):
        rows = getattr(made, table)
        rows += [row for row in getattr(others, table) if row["source"] not in own]
    made.indicators += indicators(now)
    made.arrivals += arrivals(made.incident_revisions)
    made.polls += polls(made, now)
    made.drift += drift(now)
    made.dead_letters += [
        {
            "dead_id": f"{DENVER}-{number}",
            "source": DENVER,
            "stage": stage,
            "reason": reason,
            "detail": "Made for a test.",
            "payload": b"{}",
            "observed_at": now - timedelta(days=number),
            "loaded_at": now,
        }
        for number, (stage, reason) in enumerate(
            [("poll", "key_missing"), ("normalise", "event_time_missing"), ("normalise", "event_time_missing")]
        )
    ]


def indicators(now: datetime) -> list[dict[str, Any]]:
    """Figures of two counties, Los Angeles adjusted (always alike) and not; a rate is missing, a row was taken back."""
    rows = []
    for number, month in enumerate(date(year, month, 1) for year in range(2019, 2025) for month in range(1, 13)):
        for area, adjusted in (("Los Angeles County", False), ("Los Angeles County", True), ("Alameda County", False)):
            force = 5_000_000 - 7_000 * (number % 9) if area.startswith("Los") else 800_000
            rate = 0.07 if adjusted else round(0.04 + (number * 7 % 23) / 400, 4)
            figures = {
                "labor_force": float(force),
                "unemployment": float(round(force * rate)),
                "employment": float(force - round(force * rate)),
                "unemployment_rate": None if month == date(2022, 6, 1) else rate,
            }
            about = {"area": area, "month": month, "seasonally_adjusted": adjusted}
            rows += [_indicator(about, name, value, now) for name, value in figures.items()]
    about = {"area": "Los Angeles County", "month": MONTHS[3], "seasonally_adjusted": False}
    taken_back = {"record_id": "taken back", "indicator_id": f"{LAUS}:taken back", "op": "delete", "deleted": True}
    return [*rows, _indicator(about, "unemployment_rate", 0.9, now) | taken_back]


def _indicator(about: dict[str, Any], name: str, value: float | None, now: datetime) -> dict[str, Any]:
    month: date = about["month"]
    record = f"County|{about['area']}|{month}|{'Y' if about['seasonally_adjusted'] else 'N'}"
    return {
        **about,
        "indicator_id": f"{LAUS}:{record}:{name}",
        "source": LAUS,
        "record_id": record,
        "revision": 1,
        "op": "insert",
        "deleted": False,
        "indicator": name,
        "area_kind": "county",
        "preliminary": month == date(2023, 12, 1),
        "value": value,
        "unit": "fraction" if name == "unemployment_rate" else "persons",
        "quality_flags": "value_missing" if value is None else "",
        "observed_at": now - timedelta(hours=2),
        "poll_id": f"{LAUS}@made",
        "raw_partition": 0,
        "raw_offset": 1,
        "loaded_at": now - timedelta(hours=1, minutes=month.month),
    }


def arrivals(revisions: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Count ``revisions`` into the stream's stretches of a minute and of ten, as the windows job defines them."""
    cells: dict[tuple[str, str, datetime], Counter[str]] = {}
    for row in revisions:
        seen: datetime = row["observed_at"].replace(second=0, microsecond=0)
        for grain, start in (("minute", seen), ("ten_minutes", seen.replace(minute=seen.minute // 10 * 10))):
            counts = cells.setdefault((row["source"], grain, start), Counter())
            counts["events"] += 1
            counts[ARRIVED[row["op"]]] += 1
            if row["op"] == "insert":
                counts["late"] += row["late"]
                delay = row["observed_at"] - row["occurred_at"]
                counts[next(name for name, most in DELAYS.items() if delay <= most)] += 1
    names = ("events", *ARRIVED.values(), "late", *DELAYS)
    return [
        {
            "source": source,
            "grain": grain,
            "window_start": start,
            **{name: counts[name] for name in names},
            "version": version,
            "loaded_at": start + timedelta(minutes=11),
        }
        for version, ((source, grain, start), counts) in enumerate(cells.items())
    ]


def polls(made: Made, now: datetime) -> list[dict[str, Any]]:
    """Polls of feeds that fare differently; ``catalonia_hate_facts`` was polled by nobody.

    Los Angeles was silent for a week and fails since two polls, the archive has never answered, Denver's ledger knows
    ten rows that the warehouse has not got.
    """
    live = Counter(row["source"] for row in [*made.live, *made.persons] if not row["deleted"])
    live[LAUS] = len({row["record_id"] for row in made.indicators if not row["deleted"]})
    at_denver = live[DENVER] - sum(row["op"] == "expire" for row in made.incidents)
    days = timedelta(days=1)
    return [
        _poll(LOS_ANGELES, now - 9 * days, "changed complete", live[LOS_ANGELES], portal=live[LOS_ANGELES] + 2),
        _poll(LOS_ANGELES, now - 8 * days, "changed incremental", live[LOS_ANGELES], portal=7),
        _poll(LOS_ANGELES, now - 2 * days, "unchanged none", live[LOS_ANGELES]),
        _poll(LOS_ANGELES, now - days, "failed none", live[LOS_ANGELES]),
        _poll(LOS_ANGELES, now - days / 2, "failed none", live[LOS_ANGELES]),
        _poll(DENVER, now - 3 * days, "failed none", 0),
        _poll(DENVER, now - 2 * days, "changed complete", at_denver + 10, portal=at_denver),
        _poll(ARCHIVE, now - days, "failed none", 0),
        _poll(PERSONS, now - days, "changed complete", live[PERSONS], portal=live[PERSONS]),
        _poll(LAUS, now - days, "changed complete", live[LAUS], portal=live[LAUS]),
    ]


def _poll(source: str, at: datetime, outcome: str, live: int, portal: int | None = None) -> dict[str, Any]:
    """A receipt; ``outcome`` is its status and its scan."""
    status, scan = outcome.split()
    failed, changed = status == "failed", status == "changed"
    return {
        "poll_id": f"{source}@{at:%Y%m%dT%H%M%S%fZ}",
        "source": source,
        "status": status,
        "scan": scan,
        "started_at": at,
        "finished_at": at + timedelta(seconds=2, milliseconds=live),
        "requests": 3,
        "bytes_received": 1_000 + live,
        "rows_in": live if changed else 0,
        "inserted": 5 * changed,
        "revised": 4 * changed,
        "reappeared": 3 * changed,
        "deleted": 2 * changed,
        "expired": int(source == DENVER and changed),
        "unchanged": live - 12 if changed else 0,
        "dead": 0,
        "late": int(changed),
        "drift": 2 * (source == LOS_ANGELES and changed),
        "portal_rows": portal,
        "live_rows": live,
        "newest_event_local": None if failed else datetime(2023, 12, 31, 23, 4) - timedelta(days=live),  # noqa: DTZ001
        "portal_changed_at": None if failed else at - timedelta(hours=5),
        "error": f"HTTP 503 at {at:%H:%M}: try again later." if failed else None,
        "loaded_at": at + timedelta(minutes=1),
    }


def drift(now: datetime) -> list[dict[str, Any]]:
    """Two events of Los Angeles and one of Denver."""
    return [
        {
            "source": source,
            "kind": kind,
            "column": column,
            "detail": f"{column} {kind}.",
            "poll_id": f"{source}@made",
            "observed_at": now - timedelta(days=days),
            "value": value,
            "rows": 12 + days,
            "affected_columns": "incidents.weapon",
            "affected_marts": "weapons_by_month",
            "affected_panels": None,
            "loaded_at": now,
        }
        for source, kind, column, value, days in (
            (LOS_ANGELES, "column_renamed", "weapon_desc", None, 8),
            (LOS_ANGELES, "value_added", "weapon_used_cd", "777", 9),
            (DENVER, "column_dropped", "geo_x", None, 2),
        )
    ]
