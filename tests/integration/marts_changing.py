"""Rows of every kind of feed that are revised, moved to another month, deleted and brought back."""

from __future__ import annotations

import random
from collections import Counter
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from marts_data import Made

FEEDS = {
    "austin_crime_reports": ("crime_report", "America/Chicago"),
    "la_crime_2020_2024": ("crime_report", "America/Los_Angeles"),
    "san_diego_calls": ("call_for_service", "America/Los_Angeles"),
    "denver_traffic_accidents": ("accident", "America/Denver"),
    "denver_311_archive": ("service_request", "America/Denver"),
    "catalonia_hate_facts": ("hate_crime", "Europe/Madrid"),
}
MONTHS = [date(2023, month, 1) for month in range(1, 13)]
START = datetime(2024, 1, 5, 6, 0, tzinfo=UTC)
CATEGORIES = ["theft", "robbery", "assault", "burglary", "traffic", "alarm"]


class Feeds:
    """The tables of the writer and what happens to them; each step is a poll, an hour after the last."""

    def __init__(self, seed: int) -> None:
        """Begin empty."""
        self.chance = random.Random(seed)  # noqa: S311 made-up rows, no secrets
        self.now = START
        self.incidents: dict[str, dict[str, Any]] = {}
        self.persons: dict[str, dict[str, Any]] = {}
        self.revisions: list[dict[str, Any]] = []
        self.person_revisions: list[dict[str, Any]] = []
        self.counts: dict[tuple[Any, ...], dict[str, Any]] = {}

    def insert(self, number: int, months: list[date]) -> None:
        """Publish new incidents of every feed, and persons."""
        for source in FEEDS:
            for _ in range(number):
                self._write(self._new(source, self.chance.choice(months)), "insert")
        for _ in range(number):
            self._write(self._person(self.chance.choice(months)), "insert")

    def change(self) -> None:
        """Revise, move, delete and bring back some rows, and empty one month of one feed altogether."""
        for table in (self.incidents, self.persons):
            rows = self.chance.sample(sorted(table), k=len(table) // 12)
            for at, key in enumerate(rows):
                row = dict(table[key])
                if row["deleted"]:
                    self._write({**row, "deleted": False}, "reappear")
                elif at % 3 == 0:
                    self._write({**row, "deleted": True}, "delete")
                elif at % 3 == 1:
                    self._write({**row, **self._when(self.chance.choice(MONTHS[:10]), row)}, "revise")
                else:
                    self._write({**row, "category": self.chance.choice(CATEGORIES), "area": "MOVED"}, "revise")
        for key, row in sorted(self.incidents.items()):
            if row["occurred_date"].replace(day=1) == MONTHS[2]:
                self._write({**dict(row), **self._when(MONTHS[3], row)}, "revise")
            if row["source"] == "denver_traffic_accidents" and row["occurred_date"].month == MONTHS[11].month:
                self._write({**dict(self.incidents[key]), "deleted": True}, "delete")

    def poll(self) -> None:
        """Let time pass and count the windows, which are written where they changed."""
        found: dict[tuple[Any, ...], Counter[str]] = {}
        for row in self.incidents.values():
            local: datetime = row["occurred_local"]
            for grain, start in (
                ("hour", local.replace(minute=0)),
                ("day", datetime.combine(local.date(), time())),
                ("month", datetime.combine(local.date().replace(day=1), time())),
            ):
                key = (row["source"], grain, start, row["area"] or "unknown", row["category"], row["kind"])
                cell = found.setdefault(key, Counter())
                cell["incidents"] += not row["deleted"]
                cell["deleted"] += row["deleted"]
                cell["revised"] += row["revision"] > 1
                cell["late"] += row["late"] and not row["deleted"]
        for key in {*found, *self.counts}:
            source, grain, start, area, category, kind = key
            counted = found.get(key, Counter())
            values = {name: counted[name] for name in ("incidents", "deleted", "revised", "late")}
            before = self.counts.get(key)
            if before and all(before[name] == value for name, value in values.items()):
                continue
            self.counts[key] = {
                "source": source,
                "grain": grain,
                "window_start": start,
                "window_date": start.date(),
                "area": area,
                "category": category,
                "kind": kind,
                **values,
                "first_incidents": before["first_incidents"] if before else values["incidents"],
                "restatements": before["restatements"] + 1 if before else 0,
                "version": (before["version"] if before else 0) + 1,
                "loaded_at": self.now,
            }
        self.now += timedelta(hours=1)

    def made(self) -> Made:
        """Return the rows as they are now."""
        return Made(
            incidents=list(self.incidents.values()),
            incident_revisions=list(self.revisions),
            persons=list(self.persons.values()),
            person_revisions=list(self.person_revisions),
            incident_counts=list(self.counts.values()),
        )

    def _write(self, row: dict[str, Any], op: str) -> None:
        person = "person_id" in row
        table, revisions = (self.persons, self.person_revisions) if person else (self.incidents, self.revisions)
        key = row["person_id" if person else "incident_id"]
        revision = table[key]["revision"] + 1 if key in table else 1
        row = {**row, "op": op, "revision": revision, "observed_at": self.now, "loaded_at": self.now}
        table[key] = row
        revisions.append(row)

    def _when(self, month: date, row: dict[str, Any]) -> dict[str, Any]:
        precision = row["time_precision"]
        day = month if precision == "month" else month + timedelta(days=self.chance.randrange(28))
        at = time() if precision in {"month", "day"} else time(self.chance.randrange(24), self.chance.randrange(60))
        local = datetime.combine(day, at)
        return {"occurred_local": local, "occurred_date": day, "occurred_at": local.replace(tzinfo=UTC)}

    def _new(self, source: str, month: date) -> dict[str, Any]:
        kind, zone = FEEDS[source]
        number = len(self.revisions)
        pick = self.chance.choice
        row: dict[str, Any] = {
            **self._origin(source, kind, zone, number),
            "incident_id": f"{source}:{number}",
            "status": pick(["open", "cleared_arrest", "cleared_exceptional", "not_cleared", "closed", "unknown"]),
            "code": pick(["A", "B", None]),
            "description": pick(["ONE", "TWO", None]),
            "area_kind": "area",
            "priority": pick(["1", "2", None]),
            "time_precision": "month" if kind == "hate_crime" else pick(["minute", "minute", "day"]),
        }
        if source.startswith("la_"):
            row |= {"victim_sex": pick(["female", "male", None]), "victim_age": pick([None, 17, 18, 64])}
            row |= {"victim_descent": pick(["black", "white", None]), "weapon": pick(["firearm", None])}
        if kind == "accident":
            row |= {"seriously_injured": pick([0, 2, None]), "fatalities": pick([0, 1, None])}
            row |= {"road_condition": pick(["dry", "ice"]), "light_condition": pick(["daylight", None])}
        if kind == "hate_crime":
            row |= {"motive": pick(["sexism", "religion"]), "place": "Reus, Baix Camp, Tarragona"}
            row |= {"victims": pick([1, 2, None])}
        elif pick([True, False]):
            row |= {"latitude": 39.7 + self.chance.random() / 20, "longitude": -104.9 - self.chance.random() / 20}
        row |= self._when(month, row)
        if kind == "service_request":
            row["closed_local"] = row["occurred_local"] + timedelta(hours=pick([0, 1, 30, 300]))
        if kind == "crime_report":
            row["reported_local"] = row["occurred_local"] + timedelta(days=pick([0, 1, 40]))
        return row

    def _person(self, month: date) -> dict[str, Any]:
        number = len(self.person_revisions)
        pick = self.chance.choice
        row = {
            **self._origin("catalonia_hate_persons", "hate_crime", "Europe/Madrid", number),
            "person_id": f"catalonia_hate_persons:{number}",
            "role": pick(["victim", "author"]),
            "sex": pick(["female", "male", "unknown"]),
            "age": pick([15, 33, 70, None]),
            "motive": pick(["sexism", "religion"]),
            "place": "Reus, Baix Camp, Tarragona",
            "time_precision": "month",
        }
        return {**row, **self._when(month, row)}

    def _origin(self, source: str, kind: str, zone: str, number: int) -> dict[str, Any]:
        return {
            "source": source,
            "record_id": str(number),
            "deleted": False,
            "late": self.chance.random() < 0.1,
            "kind": kind,
            "category": self.chance.choice(CATEGORIES),
            "area": self.chance.choice(["ADAM", "BAKER", None]),
            "time_zone": zone,
            "quality_flags": "",
            "poll_id": f"{source}@made",
            "raw_partition": 0,
            "raw_offset": number,
        }
