"""UTC out of civil time, against Python's own zone data, over a whole year with both changes of the clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
import stream_cases
from stream_rows import AUSTIN, SAN_DIEGO

ZONES = {AUSTIN: "America/Chicago", SAN_DIEGO: "America/Los_Angeles"}


def utc(civil: str, zone: ZoneInfo) -> str:
    """The rule of incident.avsc: the later reading in an overlap, forward by the gap inside a gap."""
    moment = datetime.fromisoformat(civil).replace(tzinfo=zone)
    earlier, later = moment.utcoffset(), moment.replace(fold=1).utcoffset()
    in_gap = earlier < later
    offset = earlier if in_gap else later
    return f"{(moment.replace(tzinfo=UTC) - offset):%Y-%m-%dT%H:%M:%S}"


@pytest.mark.parametrize("source", ZONES)
def test_utc_agrees_with_zoneinfo_all_year(incident_of, source):
    zone = ZoneInfo(ZONES[source])
    wrong = {
        civil: (incident["occurred_at"], utc(civil, zone))
        for civil in stream_cases.civil_times()
        if (incident := incident_of(source, f"dst {civil}"))["occurred_at"] != utc(civil, zone)
    }
    assert wrong == {}


def test_the_year_holds_a_gap_and_an_overlap():
    chicago = ZoneInfo("America/Chicago")
    assert utc("2024-03-10 02:30:00", chicago) == "2024-03-10T08:30:00"
    assert utc("2024-11-03 01:30:00", chicago) == "2024-11-03T07:30:00"
    assert datetime(2024, 11, 3, 1, 30, tzinfo=chicago).dst() == timedelta(hours=1)


@pytest.mark.parametrize("source", ZONES)
def test_the_civil_time_itself_is_kept_also_inside_a_gap(incident_of, source):
    assert incident_of(source, "dst 2024-03-10 02:30:00")["occurred_local"] == "2024-03-10T02:30:00"
