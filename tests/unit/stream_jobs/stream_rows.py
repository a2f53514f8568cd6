"""Raw events, incidents and the counts they should give, for the tests of the stream jobs."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
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


def counts(incidents: list[dict[str, Any]]) -> dict[tuple[str, ...], tuple[int, int, int, int]]:
    """What ``incident_counts`` must hold after ``incidents`` in whatever order: the oracle of the windows.

    Key: source, grain, window_start, area, category, kind. Value: incidents, deleted, revised, late.
    """
    newest: dict[str, dict[str, Any]] = {}
    for incident in incidents:
        known = newest.get(incident["incident_id"])
        if known is None or incident["revision"] > known["revision"]:
            newest[incident["incident_id"]] = incident
    live, dead, revised, late = Counter[Any](), Counter[Any](), Counter[Any](), Counter[Any]()
    keys = set()
    for incident in newest.values():
        moment = incident["occurred_local"]
        if moment is None:
            continue
        starts = {
            "hour": moment[:13] + ":00:00",
            "day": moment[:10] + "T00:00:00",
            "month": moment[:7] + "-01T00:00:00",
        }
        for grain, start in starts.items():
            key = (
                incident["source"],
                grain,
                start,
                incident["area"] or "unknown",
                incident["category"],
                incident["kind"],
            )
            keys.add(key)
            (dead if incident["deleted"] else live)[key] += 1
            revised[key] += incident["revision"] > 1
            late[key] += incident["late"] and not incident["deleted"]
    return {key: (live[key], dead[key], revised[key], late[key]) for key in keys}
