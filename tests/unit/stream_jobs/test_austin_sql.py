"""Austin's rows in, incidents and dead letters out, through the SQL that runs in production."""

from __future__ import annotations

import base64
import json

import pytest
from stream_rows import AUSTIN, NO_VALUES


def test_a_good_row_becomes_an_incident_with_every_field(incident_of):
    incident = incident_of(AUSTIN, "good")
    assert incident == {
        **NO_VALUES,
        "incident_id": "austin_crime_reports:good",
        "source": "austin_crime_reports",
        "record_id": "good",
        "revision": 1,
        "op": "insert",
        "deleted": False,
        "late": False,
        "kind": "crime_report",
        "occurred_local": "2024-05-01T13:45:00",
        "occurred_at": "2024-05-01T18:45:00",
        "time_precision": "minute",
        "time_zone": "America/Chicago",
        "reported_local": "2024-05-02T08:05:00",
        "category": "theft",
        "crime_against": "property",
        "code": "600",
        "description": "THEFT",
        "status": "open",
        "area_kind": "sector",
        "area": "ED",
        "place": "100 MAIN ST",
        "premise": "STREET",
        "latitude": 30.25,
        "longitude": -97.75,
        "domestic": False,
        "quality_flags": "",
        "observed_at": "2026-11-20T12:00:00",
        "poll_id": "austin_crime_reports@20261120T120000.000000Z",
        "raw_partition": 1,
        "raw_offset": 0,
    }


@pytest.mark.parametrize(
    ("record_id", "occurred", "precision", "flags"),
    [
        ("midnight", "2024-05-01T00:00:00", "minute", "midnight"),
        ("padded", "2024-05-01T00:05:00", "minute", ""),
        ("morning", "2024-05-01T09:30:00", "minute", ""),
        ("2400", "2024-05-01T00:00:00", "day", "time_2400"),
        ("170", "2024-05-01T00:00:00", "day", "time_unknown"),
        ("untimed", "2024-05-01T00:00:00", "day", "time_unknown"),
        ("long", "2024-05-01T00:00:00", "day", "time_unknown"),
        ("words", "2024-05-01T00:00:00", "day", "time_unknown"),
    ],
)
def test_the_clock_is_read_as_far_as_it_says_anything(incident_of, record_id, occurred, precision, flags):
    incident = incident_of(AUSTIN, record_id)
    assert (incident["occurred_local"], incident["time_precision"]) == (occurred, precision)
    assert incident["quality_flags"] == flags


@pytest.mark.parametrize(
    ("record_id", "flags"),
    [
        ("zero", "coordinates_zero"),
        ("nowhere", "area_unknown,coordinates_missing,place_unknown"),
        ("nan", "coordinates_missing"),
    ],
)
def test_coordinates_that_say_nothing_are_null_and_flagged(incident_of, record_id, flags):
    incident = incident_of(AUSTIN, record_id)
    assert (incident["latitude"], incident["longitude"]) == (None, None)
    assert incident["quality_flags"] == flags


def test_clearance_gives_status_and_closing_time(incident_of):
    incident = incident_of(AUSTIN, "violent")
    assert (incident["status"], incident["status_code"]) == ("cleared_arrest", "C")
    assert incident["closed_local"] == "2024-06-01T00:00:00"
    assert incident["domestic"] is True


def test_side_fields_that_are_no_dates_are_null_and_cost_nothing_else(incident_of):
    incident = incident_of(AUSTIN, "odd")
    assert (incident["status"], incident["closed_local"], incident["reported_local"]) == ("unknown", None, None)


@pytest.mark.parametrize(
    ("record_id", "category"), [("new type", "theft"), ("unknown type", "unmapped"), ("no type", "unmapped")]
)
def test_types_outside_the_crosswalk_fall_back_to_a_pattern_or_stay_unmapped(incident_of, record_id, category):
    assert incident_of(AUSTIN, record_id)["category"] == category


@pytest.mark.parametrize(
    ("record_id", "reason"),
    [
        ("month 13", "event_time_unparsable"),
        ("30 february", "event_time_unparsable"),
        ("quote", "event_time_unparsable"),
        ("no date", "event_time_missing"),
        ("long ago", "event_time_out_of_range"),
        ("mismatch", "key_mismatch"),
    ],
)
def test_a_row_without_usable_time_or_key_is_a_dead_letter_and_no_incident(flink, incident_of, record_id, reason):
    assert incident_of(AUSTIN, record_id) is None
    letter = flink.dead_letters[f"austin_crime_reports:{record_id}:1:{reason}"]
    assert (letter["stage"], letter["reason"], letter["record_id"]) == ("normalise", reason, record_id)
    assert letter["raw_offset"] is not None


def test_a_dead_letter_carries_the_row_as_published(flink):
    letter = flink.dead_letters["austin_crime_reports:quote:1:event_time_unparsable"]
    row = json.loads(base64.b64decode(letter["payload"]))
    assert (row["occ_date_time"], row["address"]) == ("'; drop table", 'say "é"')
    assert "clearance_date" not in row


def test_a_bad_revision_of_a_good_row_withdraws_it(flink, incident_of):
    withdrawn = incident_of(AUSTIN, "revised", 2)
    assert (withdrawn["op"], withdrawn["deleted"]) == ("withdraw", True)
    assert (withdrawn["occurred_local"], withdrawn["occurred_at"], withdrawn["time_precision"]) == (None, None, None)
    assert "austin_crime_reports:revised:2:event_time_unparsable" in flink.dead_letters


def test_deleting_a_bad_row_withdraws_it_without_a_second_dead_letter(flink, incident_of):
    assert incident_of(AUSTIN, "deleted bad", 2)["op"] == "withdraw"
    assert not [dead_id for dead_id in flink.dead_letters if ":deleted bad:" in dead_id]


def test_a_delete_keeps_the_last_values(incident_of):
    deleted = incident_of(AUSTIN, "deleted", 3)
    assert (deleted["op"], deleted["deleted"], deleted["late"]) == ("delete", True, True)
    assert (deleted["occurred_local"], deleted["area"]) == ("2024-05-01T13:45:00", "ED")


def test_a_reappearance_is_alive(incident_of):
    back = incident_of(AUSTIN, "back", 4)
    assert (back["op"], back["deleted"]) == ("reappear", False)


def test_every_real_row_becomes_an_incident(flink, real_data, real_rows):
    assert len(real_rows[AUSTIN]) == 2726
    incidents = [flink.incidents[f"{AUSTIN}:{row['incident_report_number']}", 1] for row in real_rows[AUSTIN]]
    assert all(incident["category"] != "unmapped" for incident in incidents)
    flags = [flag for incident in incidents for flag in incident["quality_flags"].split(",")]
    assert (flags.count("time_2400"), flags.count("time_unknown")) == (73, 64)


def test_each_row_is_judged_once_for_incident_and_dead_letter_and_once_for_each_as_printed(flink):
    condition = "incident_report_number IS NULL"
    assert (flink.plan.count(condition), flink.pasted.count(condition)) == (1, 2)
