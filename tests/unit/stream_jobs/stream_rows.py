"""Raw events, incidents and the counts they should give, for the tests of the stream jobs."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from typing import Any

from schemas import loader

OBSERVED = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
AUSTIN = "austin_crime_reports"
SAN_DIEGO = "san_diego_calls"
NO_VALUES = dict.fromkeys(loader.field_names("incident"))
"""Every field of an incident, null: what a feed has no value for."""
KEYS = {AUSTIN: "incident_report_number", SAN_DIEGO: "incident_num"}


def raw(
    source: str, row: dict[str, str | None], *, revision: int = 1, op: str = "insert", **head: Any
) -> dict[str, Any]:
    """A raw event of ``source`` whose record id is the row's natural key."""
    event = {
        "record_id": row.get(KEYS[source]) or "?",
        "revision": revision,
        "op": op,
        "content_hash": "0" * 32,
        "observed_at": OBSERVED,
        "source_updated_at": None,
        "late": False,
        "poll_id": f"{source}@20261120T120000.000000Z",
        "scope": "",
        "extras": {},
        **head,
    }
    (shape,) = (field["type"] for field in loader.document(f"raw/{source}")["fields"] if field["name"] == "row")
    return {**event, "row": {field["name"]: row.get(field["name"]) for field in shape["fields"]}}


def counts(incidents: list[dict[str, Any]]) -> dict[tuple[str, ...], tuple[Any, ...]]:
    """What ``incident_counts`` must hold after all ``incidents``, whatever was repeated: the oracle of the windows.

    Key: source, grain, window_start, area, category, kind. Value: incidents, deleted, revised, late, first_incidents,
    restatements, first_observed_at, last_observed_at.
    """
    known = {(one["incident_id"], one["revision"]): one for one in incidents}
    live, dead, revised, late, first = (Counter[Any]() for _ in range(5))
    touched, restated = defaultdict[Any, set[Any]](set), defaultdict[Any, set[Any]](set)
    for (incident_id, revision), one in known.items():
        earlier = known.get((incident_id, revision - 1))
        windows = _windows(one)
        for key in {*windows, *(_windows(earlier) if earlier else ())}:
            touched[key].add(one["observed_at"])
            if revision > 1 or one["late"]:
                restated[key].add(one["observed_at"])
        for key in windows:
            first[key] += revision == 1 and not one["late"]
            if (incident_id, revision + 1) not in known:
                (dead if one["deleted"] else live)[key] += 1
                revised[key] += revision > 1
                late[key] += one["late"] and not one["deleted"]
    return {
        key: (live[key], dead[key], revised[key], late[key], first[key], len(restated[key]), min(times), max(times))
        for key, times in touched.items()
    }


def arrivals(incidents: list[dict[str, Any]]) -> dict[tuple[str, ...], tuple[int, ...]]:
    """What ``arrivals`` must hold after all ``incidents``, whatever was repeated.

    Key: source, grain, window_start. Value: events, inserted, revised, deleted, reappeared, expired, withdrawn, late
    and the six classes of delay.
    """
    ops = ("insert", "revise", "delete", "reappear", "expire", "withdraw")
    days = (1 / 24, 1, 7, 30, 365, float("inf"))
    found = defaultdict[Any, list[int]](lambda: [0] * 14)
    for one in {(one["incident_id"], one["revision"]): one for one in incidents}.values():
        seen = datetime.fromisoformat(one["observed_at"])
        for grain, minute in (("minute", seen.minute), ("ten_minutes", seen.minute // 10 * 10)):
            row = found[one["source"], grain, f"{seen.replace(minute=minute, second=0):%Y-%m-%dT%H:%M:%S}"]
            row[0] += 1
            row[1 + ops.index(one["op"])] += 1
            if one["op"] == "insert":
                row[7] += one["late"]
                delay = (seen - datetime.fromisoformat(one["occurred_at"])) / timedelta(days=1)
                row[8 + next(at for at, most in enumerate(days) if delay <= most)] += 1
    return {key: tuple(row) for key, row in found.items()}


def _windows(incident: dict[str, Any]) -> list[tuple[str, ...]]:
    moment = incident["occurred_local"]
    if moment is None:
        return []
    starts = {"hour": moment[:13] + ":00:00", "day": moment[:10] + "T00:00:00", "month": moment[:7] + "-01T00:00:00"}
    rest = (incident["area"] or "unknown", incident["category"], incident["kind"])
    return [(incident["source"], grain, start, *rest) for grain, start in starts.items()]
