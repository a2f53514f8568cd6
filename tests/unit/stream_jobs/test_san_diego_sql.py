"""San Diego's rows in, incidents and dead letters out, through the SQL that runs in production."""

from __future__ import annotations

import pytest
from stream_rows import SAN_DIEGO


def test_a_good_row_becomes_an_incident(incident_of):
    incident = incident_of(SAN_DIEGO, "good")
    assert incident["occurred_local"] == "2023-01-05T10:11:12"
    assert incident["occurred_at"] == "2023-01-05T18:11:12"
    assert incident["time_precision"] == "second"
    assert (incident["kind"], incident["category"]) == ("call_for_service", "burglary")
    assert (incident["code"], incident["description"]) == ("459R", "BURGLARY REPORT")
    assert (incident["status"], incident["status_code"]) == ("closed", "R")
    assert (incident["area_kind"], incident["area"], incident["priority"]) == ("beat", "523", "2")
    assert (incident["place"], incident["quality_flags"]) == ("05TH AVE / G", "")
    assert incident["domestic"] is None


@pytest.mark.parametrize(
    ("record_id", "place", "flags"),
    [
        ("numbered", "4300 S 05TH AVE", ""),
        ("nowhere", None, "area_unknown,place_unknown"),
        ("midnight", "05TH AVE / G", "midnight"),
    ],
)
def test_place_and_area_are_what_is_known_of_them(incident_of, record_id, place, flags):
    incident = incident_of(SAN_DIEGO, record_id)
    assert (incident["place"], incident["quality_flags"]) == (place, flags)


@pytest.mark.parametrize(
    ("record_id", "category", "status"),
    [
        ("arrest", "burglary", "cleared_arrest"),
        ("blank", "unmapped", "unknown"),
        ("deferred", "burglary", "unknown"),
        ("outside", "unmapped", "unknown"),
        ("domestic", "family_disturbance", "closed"),
    ],
)
def test_codes_are_mapped_or_said_to_be_unknown(incident_of, record_id, category, status):
    incident = incident_of(SAN_DIEGO, record_id)
    assert (incident["category"], incident["status"]) == (category, status)


def test_calls_that_name_domestic_violence_are_marked(incident_of):
    assert incident_of(SAN_DIEGO, "domestic")["domestic"] is True


def test_a_time_with_a_letter_t_is_read_as_well(incident_of):
    assert incident_of(SAN_DIEGO, "with t")["occurred_local"] == "2023-01-05T10:11:12"


@pytest.mark.parametrize(
    ("record_id", "reason"),
    [("short", "event_time_unparsable"), ("25 o'clock", "event_time_unparsable"), ("empty", "event_time_missing")],
)
def test_a_row_without_usable_time_is_a_dead_letter(flink, incident_of, record_id, reason):
    assert incident_of(SAN_DIEGO, record_id) is None
    assert flink.dead_letters[f"san_diego_calls:{record_id}:1:{reason}"]["source"] == SAN_DIEGO


def test_a_bad_revision_withdraws(incident_of):
    withdrawn = incident_of(SAN_DIEGO, "revised", 2)
    assert (withdrawn["op"], withdrawn["deleted"], withdrawn["occurred_local"]) == ("withdraw", True, None)


def test_every_real_row_becomes_an_incident_and_only_known_strangers_are_unmapped(flink, real_data, real_rows):
    assert len(real_rows[SAN_DIEGO]) == 28970
    incidents = [flink.incidents[f"{SAN_DIEGO}:{row['incident_num']}", 1] for row in real_rows[SAN_DIEGO]]
    unmapped = {incident["code"] for incident in incidents if incident["category"] == "unmapped"}
    assert unmapped == {None}
    assert sum(incident["area"] is None for incident in incidents) == 439
    assert all(incident["description"] for incident in incidents if incident["code"])
