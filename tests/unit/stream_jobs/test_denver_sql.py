"""Denver's rows in, incidents and dead letters out, through the SQL that runs in production."""

from __future__ import annotations

import base64
import csv
import json
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import feed_run
import pytest
import stream_cases
from feed_run import event
from stream_rows import NO_VALUES

from producers import catalog
from schemas import topics
from stream_jobs import crosswalk, jobs

ACCIDENTS = "denver_traffic_accidents"
REQUESTS = "denver_311"
ARCHIVE = "denver_311_archive"
FEEDS = (ACCIDENTS, REQUESTS, ARCHIVE)
DENVER = ZoneInfo("America/Denver")
Row = dict[str, str | None]


def ms(moment: datetime) -> str:
    """The instant as the service writes it."""
    return str(int(moment.timestamp() * 1000))


def us(civil: str, *, padded: bool) -> str:
    """A civil time as Hub's files write it."""
    moment = datetime.fromisoformat(civil)
    day, clock = f"{moment:%m/%d/%Y}", f"{moment:%I:%M:%S %p}"
    if padded:
        return f"{day} {clock}"
    return f"{moment.month}/{moment.day}/{moment.year} {clock.removeprefix('0')}"


def accident(number: str, **row: str | None) -> Row:
    good: Row = {
        "incident_id": number,
        "offense_id": f"{number}544100",
        "offense_code": "5441",
        "offense_code_extension": "0",
        "top_traffic_accident_offense": "TRAF - ACCIDENT               ",
        "first_occurrence_date": ms(datetime(2024, 5, 1, 13, 45, tzinfo=DENVER)),
        "reported_date": ms(datetime(2024, 5, 1, 14, 5, tzinfo=DENVER)),
        "incident_address": " N BROADWAY ST / E 9TH AVE ",
        "geo_lon": "-104.98",
        "geo_lat": "39.75",
        "district_id": "3",
        "neighborhood_id": "Baker",
        "road_description": "AT INTERSECTION",
    }
    return {**good, **row}


def request(**row: str | None) -> Row:
    good: Row = {
        "case_summary": "Pothole",
        "case_status": "Closed - Answer Provided",
        "case_source": "Phone",
        "case_created_date": ms(datetime(2024, 5, 1, tzinfo=UTC)),
        "case_created_dttm": "5/1/2024 1:45:09 PM",
        "case_closed_dttm": "05/02/2024 12:05:00 AM",
        "incident_address_1": "1700 LINCOLN ST",
        "incident_zip_code": "80203",
        "longitude": "-104.985",
        "latitude": "39.743",
        "agency": "Public Works",
        "council_district": "10",
    }
    return {**good, **row}


CIVIL_TIMES = [civil for civil in stream_cases.civil_times() if civil[5:7] in {"03", "07", "11"}]
"""Every half hour of three months of a year, both changes of the clock included."""


def times(source: str) -> dict[str, Row]:
    """A row for each of those; an accident as the 2014 file and Hub's write it, and as the service does."""
    if source != ACCIDENTS:
        return {f"us {civil}": {"case_created_dttm": us(civil, padded=False)} for civil in CIVIL_TIMES}
    instants = [datetime.fromisoformat(civil).replace(tzinfo=UTC) for civil in CIVIL_TIMES]
    written = {
        **{f"iso {civil}": civil for civil in CIVIL_TIMES},
        **{f"us {civil}": us(civil, padded=True) for civil in CIVIL_TIMES},
        **{f"ms {instant:%Y-%m-%d %H:%M:%S}": ms(instant) for instant in instants},
    }
    return {number: {"incident_id": number, "first_occurrence_date": text} for number, text in written.items()}


FATAL = "TRAF - ACCIDENT - FATAL       "
ROADS = {
    "DRY": "dry",
    "WET                           ": "wet",
    "SNOWY": "snow",
    "SLUSHY": "slush",
    "ICY": "ice",
    "FOREIGN MATERIAL": "loose_material",
    "UNDER INVESTIGATION": "unknown",
    "  ": None,
    "LAVA": "unmapped",
}
LIGHTS = {
    "DAY LIGHT": "daylight",
    "DAWN OR DUSK": "dawn_or_dusk",
    "DARK-LIGHTED": "dark_lighted",
    "DARK - UNLIGHTED": "dark_unlighted",
    "UNDER INVESTIGATION": "unknown",
    "  ": None,
    "ECLIPSE": "unmapped",
}
ACCIDENT_ROWS = {
    "good": accident("good"),
    "plain": accident("plain", neighborhood_id="baker"),
    "long name": accident("long name", neighborhood_id=" College View - South Platte "),
    "padded area": accident("padded area", neighborhood_id="  "),
    "UI": accident("UI", district_id="UI", neighborhood_id="UI"),
    "district only": accident("district only", district_id="UI", neighborhood_id=None),
    "blanks": accident("blanks", incident_address="  ", road_description="  ", offense_code="  "),
    "investigated": accident("investigated", road_description="UNDER INVESTIGATION"),
    "no geo": accident("no geo", geo_lon=None, geo_lat=None),
    "blank geo": accident("blank geo", geo_lon="  ", geo_lat="  "),
    "zero geo": accident("zero geo", geo_lon="0", geo_lat="0"),
    "no report": accident("no report", reported_date="  "),
    "odd report": accident("odd report", reported_date="2/30/2024 1:00:00 PM"),
    **{
        f"at [{text}]": accident(f"at [{text}]", first_occurrence_date=text)
        for text in (
            "2014-01-07 14:19:59",
            "1/7/2014 2:19:59 PM",
            ms(datetime(2014, 1, 7, 14, 19, 59, tzinfo=DENVER)),
            str(int(ms(datetime(2014, 1, 7, 14, 20, tzinfo=DENVER))) - 1),
            "2014-01-07 14:20:00",
            "2014-12-31 23:59:59",
            "1/7/2014 12:00:00 AM",
            "1/7/2014 12:30:00 PM",
            "2014-01-07T14:20:00.000",
            "2014-01-07 14:20:58",
        )
    },
    **{
        f"type [{text}]": accident(f"type [{text}]", top_traffic_accident_offense=text)
        for text in (
            "TRAF - ACCIDENT - HIT & RUN   ",
            "TRAF - ACCIDENT - HIT & RUN",
            "TRAF - ACCIDENT - DUI/DUID    ",
            "TRAF - ACCIDENT - SBI         ",
            "TRAF - ACCIDENT - POLICE      ",
            "TRAF - ACCIDENT - FATAL       ",
            "TRAF - ACCIDENT - NEW WORD    ",
            "TRAF - HABITUAL OFFENDER",
            "JAYWALKING",
            "  ",
        )
    },
    **{
        f"slug [{text}]": accident(f"slug [{text}]", top_traffic_accident_offense=None, offense_type_id=text)
        for text in (
            "traffic-accident",
            "traffic-accident-hit-and-run",
            "traffic-accident-dui-duid",
            "traf-vehicular-assault",
        )
    },
    **{f"road [{text}]": accident(f"road [{text}]", road_condition=text) for text in ROADS},
    **{f"light [{text}]": accident(f"light [{text}]", light_condition=text) for text in LIGHTS},
    "hurt": accident("hurt", seriously_injured="2", fatalities="0"),
    "killed": accident("killed", top_traffic_accident_offense=FATAL, seriously_injured="0", fatalities="1.0"),
    "killed unsaid": accident("killed unsaid", top_traffic_accident_offense=FATAL, fatalities="0"),
    "killed unlabelled": accident("killed unlabelled", fatalities="1"),
    "killed, no number": accident("killed, no number", top_traffic_accident_offense=FATAL, fatalities=" "),
    "odd numbers": accident("odd numbers", seriously_injured="-1", fatalities="many"),
    **{
        f"dead [{text}]": accident(f"dead [{text}]", first_occurrence_date=text)
        for text in (
            "soon",
            "2024-13-01 10:00:00",
            "13/1/2024 1:00:00 PM",
            "2/30/2024 1:00:00 PM",
            "5/1/2024 0:30:00 AM",
            "5/1/2024 13:30:00 PM",
            "5/1/2024 1:61:00 PM",
            "5/1/2024",
            "1389129599999999",
            "1389129599999.0",
            "99999999999999",
            "-5000000000000",
            "0204-05-01 10:00:00",
            "  ",
        )
    },
}
GENERATIONS = [
    accident("777"),
    accident(
        "777.0",
        top_traffic_accident_offense=None,
        offense_type_id="traffic-accident",
        first_occurrence_date="2024-05-01 13:44:59",
        reported_date="2024-05-01 14:04:59",
        geo_lon=None,
        geo_lat=None,
        lng="-104.98",
        lat="39.75",
        neighborhood_id="baker",
    ),
    accident("777", first_occurrence_date="5/1/2024 1:45:00 PM", reported_date="05/01/2024 02:05:00 PM"),
]
STATUSES = {
    "Closed - Answer Provided": "closed",
    "Closed - Transfered to External Agency": "closed",
    "Closed - Transferred to External Agency": "closed",
    "Transfered": "closed",
    "Spam": "closed",
    "Closed - Spam": "closed",
    "Duplicate Case": "closed",
    "Closed - Duplicate Case": "closed",
    "Closed - Some New Reason": "closed",
    "In Progress": "open",
    "Open": "open",
    "Pondering": "unknown",
    "  ": "unknown",
}
REQUEST_ROWS = {
    "good": request(),
    **{
        f"at [{text}]": request(case_created_dttm=text)
        for text in (
            "5/1/2024 1:05:09 AM",
            "05/01/2024 01:05:09 AM",
            "5/1/2024 12:00:00 AM",
            "12/31/2024 12:59:59 PM",
            "2024-05-01T01:05:09",
        )
    },
    **{
        f"day [{text}]": request(case_created_dttm=" ", case_created_date=text)
        for text in (
            ms(datetime(2024, 5, 1, tzinfo=UTC)),
            ms(datetime(2024, 5, 1, tzinfo=DENVER)),
            "5/1/2024",
            "05/01/2024 12:00:00 AM",
            "2024-05-01",
        )
    },
    "open": request(case_closed_dttm=None, case_status="In Progress"),
    "closed oddly": request(case_closed_dttm="2/30/2024 1:00:00 PM"),
    "zero": request(latitude="0", longitude="0"),
    "half zero": request(latitude="39.743", longitude="0.0"),
    "copied": request(latitude="39.743", longitude="39.743"),
    "copied west": request(latitude="-104.985", longitude="-104.9850"),
    "nowhere": request(latitude=None, longitude=None),
    "nan": request(latitude="NaN", longitude="NaN"),
    "off the globe": request(latitude="39.743", longitude="-1049"),
    **{
        f"district [{text}]": request(council_district=text)
        for text in ("0", "0.0", "00", "  ", "10.0", "07", "none", "3")
    },
    **{f"zip [{text}]": request(incident_zip_code=text) for text in ("00000", "0", "00000-0000", "  ", "80203-1234")},
    "crossing": request(
        incident_address_1=" ", incident_intersection_1="E COLFAX AVE", incident_intersection_2="N YORK ST"
    ),
    "unit": request(incident_address_2="APT 5"),
    "zip only": request(incident_address_1=None),
    "no place": request(incident_address_1=None, incident_zip_code="00000"),
    "odd spaces": request(case_summary="Pothole\u00a0on\r\n my  street ", case_status="Closed\u00a0- Spam "),
    "no status but closed": request(case_status=None),
    **{f"status [{text}]": request(case_status=text, case_closed_dttm=None) for text in STATUSES},
    **{
        f"dead [{text}]": request(case_created_dttm=text, case_created_date=None)
        for text in ("soon", "2/30/2024 1:00:00 PM", "5/1/2024 1:00 PM", "5/1/1824 1:00:00 PM", "  ")
    },
}
BAD_ACCIDENT = {"first_occurrence_date": "soon"}
BAD_REQUEST = {"case_created_dttm": "soon"}
EVENTS = {
    ACCIDENTS: [
        *(event(ACCIDENTS, number, row) for number, row in {**ACCIDENT_ROWS, **times(ACCIDENTS)}.items()),
        *(event(ACCIDENTS, row["incident_id"] or "", row, revision=n) for n, row in enumerate(GENERATIONS, 1)),
        event(ACCIDENTS, "888.0", accident("888")),
        event(ACCIDENTS, "mismatch", accident("other")),
        event(ACCIDENTS, "1000", accident("100")),
        event(ACCIDENTS, "expired", accident("expired"), revision=2, op="expire"),
        event(ACCIDENTS, "deleted", accident("deleted"), revision=2, op="delete"),
        event(ACCIDENTS, "revised bad", accident("revised bad", **BAD_ACCIDENT), revision=2, op="revise"),
        event(ACCIDENTS, "deleted bad", accident("deleted bad", **BAD_ACCIDENT), revision=2, op="delete"),
        event(ACCIDENTS, "expired bad", accident("expired bad", **BAD_ACCIDENT), revision=2, op="expire"),
    ],
    **{
        source: [
            *(event(source, record_id, row) for record_id, row in {**REQUEST_ROWS, **times(source)}.items()),
            event(source, "expired", request(), revision=2, op="expire"),
            event(source, "deleted", request(), revision=2, op="delete"),
            event(source, "deleted bad", request(**BAD_REQUEST), revision=2, op="delete"),
            event(source, "expired bad", request(**BAD_REQUEST), revision=2, op="expire"),
        ]
        for source in (REQUESTS, ARCHIVE)
    },
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> feed_run.Made:
    """What became of every event above."""
    return feed_run.run(tmp_path_factory.mktemp("denver"), EVENTS)


@pytest.fixture(scope="module")
def look(made: feed_run.Made) -> Callable[..., dict[str, Any] | None]:
    """Look an incident up by source, record id and revision (1 by default); None where there is none."""
    found = made.by(topics.INCIDENTS, "incident_id", "revision")
    assert len(found) == len(made.records[topics.INCIDENTS.name])
    return lambda source, record_id, revision=1: found.get((f"{source}:{record_id}", revision))


@pytest.fixture(scope="module")
def dead(made: feed_run.Made) -> dict[str, dict[str, Any]]:
    """The dead letters by dead_id."""
    return made.by(topics.DEAD_LETTERS, "dead_id")


def test_a_good_accident_becomes_an_incident_with_every_field(look):
    assert look(ACCIDENTS, "good") == {
        **NO_VALUES,
        "incident_id": "denver_traffic_accidents:good",
        "source": "denver_traffic_accidents",
        "record_id": "good",
        "revision": 1,
        "op": "insert",
        "deleted": False,
        "late": False,
        "kind": "accident",
        "occurred_local": "2024-05-01T13:45:00",
        "occurred_at": "2024-05-01T19:45:00",
        "time_precision": "minute",
        "time_zone": "America/Denver",
        "reported_local": "2024-05-01T14:05:00",
        "category": "traffic",
        "crime_against": "not_a_crime",
        "code": "5441",
        "description": "TRAF - ACCIDENT",
        "status": "unknown",
        "area_kind": "neighbourhood",
        "area": "baker",
        "place": "N BROADWAY ST / E 9TH AVE",
        "premise": "AT INTERSECTION",
        "latitude": 39.75,
        "longitude": -104.98,
        "quality_flags": "",
        "observed_at": "2026-11-20T12:00:00",
        "poll_id": "denver_traffic_accidents@20261120T120000.000000Z",
        "raw_partition": 1,
        "raw_offset": 0,
    }


def test_all_generations_of_an_accident_are_the_same_incident(look):
    newest, *others = (look(ACCIDENTS, "777", revision) for revision in (1, 2, 3))
    of_the_event = {"revision", "raw_offset"}
    for other in others:
        different = {key for key in newest if newest[key] != other[key]}
        assert different <= of_the_event | {"description"}
    assert look(ACCIDENTS, "777", 2)["description"] == "traffic-accident"
    assert (newest["occurred_local"], newest["reported_local"]) == ("2024-05-01T13:45:00", "2024-05-01T14:05:00")


def test_a_record_id_with_a_decimal_zero_is_the_number(look):
    assert look(ACCIDENTS, "888")["record_id"] == "888"
    assert look(ACCIDENTS, "888.0") is None


@pytest.mark.parametrize(
    ("text", "occurred", "flags"),
    [
        ("2014-01-07 14:20:00", "2014-01-07T14:20:00", ""),
        ("2014-01-07T14:20:00.000", "2014-01-07T14:20:00", ""),
        ("2014-01-07 14:19:59", "2014-01-07T14:20:00", ""),
        ("1/7/2014 2:19:59 PM", "2014-01-07T14:20:00", ""),
        ("1389129599000", "2014-01-07T14:20:00", ""),
        ("1389129599999", "2014-01-07T14:20:00", ""),
        ("2014-01-07 14:20:58", "2014-01-07T14:20:58", ""),
        ("2014-12-31 23:59:59", "2015-01-01T00:00:00", "midnight"),
        ("1/7/2014 12:00:00 AM", "2014-01-07T00:00:00", "midnight"),
        ("1/7/2014 12:30:00 PM", "2014-01-07T12:30:00", ""),
    ],
)
def test_a_cut_off_fraction_of_a_minute_is_given_back_in_every_format(look, text, occurred, flags):
    incident = look(ACCIDENTS, f"at [{text}]")
    assert (incident["occurred_local"], incident["quality_flags"]) == (occurred, flags)
    assert incident["time_precision"] == "minute"


@pytest.mark.parametrize(
    ("name", "category", "description"),
    [
        ("type [TRAF - ACCIDENT - HIT & RUN   ]", "traffic", "TRAF - ACCIDENT - HIT & RUN"),
        ("type [TRAF - ACCIDENT - HIT & RUN]", "traffic", "TRAF - ACCIDENT - HIT & RUN"),
        ("slug [traffic-accident-hit-and-run]", "traffic", "traffic-accident-hit-and-run"),
        ("type [TRAF - ACCIDENT - DUI/DUID    ]", "impaired_driving", "TRAF - ACCIDENT - DUI/DUID"),
        ("slug [traffic-accident-dui-duid]", "impaired_driving", "traffic-accident-dui-duid"),
        ("type [TRAF - ACCIDENT - SBI         ]", "traffic", "TRAF - ACCIDENT - SBI"),
        ("type [TRAF - ACCIDENT - POLICE      ]", "traffic", "TRAF - ACCIDENT - POLICE"),
        ("type [TRAF - ACCIDENT - FATAL       ]", "traffic", "TRAF - ACCIDENT - FATAL"),
        ("type [TRAF - ACCIDENT - NEW WORD    ]", "traffic", "TRAF - ACCIDENT - NEW WORD"),
        ("type [TRAF - HABITUAL OFFENDER]", "traffic", "TRAF - HABITUAL OFFENDER"),
        ("slug [traffic-accident]", "traffic", "traffic-accident"),
        ("slug [traf-vehicular-assault]", "aggravated_assault", "traf-vehicular-assault"),
        ("type [JAYWALKING]", "unmapped", "JAYWALKING"),
        ("type [  ]", "unmapped", None),
    ],
)
def test_padded_words_and_slugs_reach_the_same_category(look, name, category, description):
    incident = look(ACCIDENTS, name)
    assert (incident["category"], incident["description"]) == (category, description)


def test_words_and_slugs_of_an_offence_are_one_code_of_the_crosswalk():
    listed = crosswalk.of_source(ACCIDENTS)["category"].exact
    assert {"traffic-accident-hit-and-run", "traffic-accident-dui-duid"} <= set(listed)
    assert not [code for code in listed if code.startswith("traf-")]


@pytest.mark.parametrize(
    ("record_id", "area", "flags"),
    [
        ("plain", "baker", ""),
        ("long name", "college-view-south-platte", ""),
        ("padded area", None, "area_unknown"),
        ("UI", None, "area_unknown"),
        ("district only", None, "area_unknown"),
    ],
)
def test_an_area_is_the_slug_of_the_neighbourhood_or_unknown(look, record_id, area, flags):
    incident = look(ACCIDENTS, record_id)
    assert (incident["area"], incident["quality_flags"]) == (area, flags)


def test_blanks_are_null(look):
    incident = look(ACCIDENTS, "blanks")
    assert (incident["place"], incident["premise"], incident["code"]) == (None, None, None)
    assert incident["quality_flags"] == "place_unknown"
    assert look(ACCIDENTS, "investigated")["premise"] is None


@pytest.mark.parametrize("record_id", ["no report", "odd report"])
def test_a_report_without_a_time_costs_nothing_else(look, record_id):
    incident = look(ACCIDENTS, record_id)
    assert (incident["reported_local"], incident["occurred_local"]) == (None, "2024-05-01T13:45:00")


@pytest.mark.parametrize(
    ("record_id", "flags"),
    [("no geo", "coordinates_missing"), ("blank geo", "coordinates_missing"), ("zero geo", "coordinates_zero")],
)
def test_an_accident_without_coordinates_is_kept_and_flagged(look, record_id, flags):
    incident = look(ACCIDENTS, record_id)
    assert (incident["latitude"], incident["longitude"], incident["quality_flags"]) == (None, None, flags)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("soon", "event_time_unparsable"),
        ("2024-13-01 10:00:00", "event_time_unparsable"),
        ("13/1/2024 1:00:00 PM", "event_time_unparsable"),
        ("2/30/2024 1:00:00 PM", "event_time_unparsable"),
        ("5/1/2024 0:30:00 AM", "event_time_unparsable"),
        ("5/1/2024 13:30:00 PM", "event_time_unparsable"),
        ("5/1/2024 1:61:00 PM", "event_time_unparsable"),
        ("5/1/2024", "event_time_unparsable"),
        ("1389129599999999", "event_time_unparsable"),
        ("1389129599999.0", "event_time_unparsable"),
        ("99999999999999", "event_time_out_of_range"),
        ("-5000000000000", "event_time_out_of_range"),
        ("0204-05-01 10:00:00", "event_time_out_of_range"),
        ("  ", "event_time_missing"),
    ],
)
def test_an_accident_without_a_usable_time_is_a_dead_letter(dead, look, text, reason):
    assert look(ACCIDENTS, f"dead [{text}]") is None
    letter = dead[f"{ACCIDENTS}:dead [{text}]:1:{reason}"]
    assert json.loads(base64.b64decode(letter["payload"]))["first_occurrence_date"] == text
    assert letter["detail"]


@pytest.mark.parametrize("record_id", ["mismatch", "1000"])
def test_a_row_under_another_rows_key_is_a_dead_letter(dead, look, record_id):
    assert look(ACCIDENTS, record_id) is None
    assert f"{ACCIDENTS}:{record_id}:1:key_mismatch" in dead


@pytest.mark.parametrize("source", FEEDS)
def test_a_row_that_leaves_the_rolling_window_stays_and_a_deleted_one_does_not(look, source):
    expired, deleted = look(source, "expired", 2), look(source, "deleted", 2)
    assert (expired["op"], expired["deleted"]) == ("expire", False)
    assert (deleted["op"], deleted["deleted"]) == ("delete", True)
    assert expired["occurred_local"] == deleted["occurred_local"]
    assert expired["occurred_local"].startswith("2024-05-01T13:45")


@pytest.mark.parametrize("source", FEEDS)
@pytest.mark.parametrize("record_id", ["deleted bad", "expired bad"])
def test_a_bad_row_that_goes_is_withdrawn_without_a_second_dead_letter(dead, look, source, record_id):
    withdrawn = look(source, record_id, 2)
    assert (withdrawn["op"], withdrawn["deleted"], withdrawn["occurred_local"]) == ("withdraw", True, None)
    assert not [dead_id for dead_id in dead if f":{record_id}:" in dead_id]


def test_a_bad_revision_withdraws_and_is_a_dead_letter(dead, look):
    withdrawn = look(ACCIDENTS, "revised bad", 2)
    assert (withdrawn["op"], withdrawn["deleted"], withdrawn["occurred_at"]) == ("withdraw", True, None)
    assert f"{ACCIDENTS}:revised bad:2:event_time_unparsable" in dead


def utc(civil: str) -> str:
    """The rule of incident.avsc: the later reading in an overlap, forward by the gap inside a gap."""
    moment = datetime.fromisoformat(civil).replace(tzinfo=DENVER)
    earlier, later = moment.utcoffset(), moment.replace(fold=1).utcoffset()
    offset = min(earlier, later)
    return f"{(moment.replace(tzinfo=UTC) - offset):%Y-%m-%dT%H:%M:%S}"


@pytest.mark.parametrize(("source", "written"), [(ACCIDENTS, "iso"), (ACCIDENTS, "us"), (REQUESTS, "us")])
def test_local_times_are_kept_and_their_utc_agrees_with_zoneinfo(look, source, written):
    wrong = {
        civil: found
        for civil in CIVIL_TIMES
        if (found := times_of(look(source, f"{written} {civil}"))) != (civil.replace(" ", "T"), utc(civil))
    }
    assert wrong == {}


def test_the_services_instants_reach_the_local_time_and_the_utc_of_the_files(look):
    instants = [name.removeprefix("ms ") for name in times(ACCIDENTS) if name.startswith("ms ")]
    moved = []
    for instant in instants:
        local = f"{datetime.fromisoformat(instant).replace(tzinfo=UTC).astimezone(DENVER):%Y-%m-%dT%H:%M:%S}"
        incident = look(ACCIDENTS, f"ms {instant}")
        assert times_of(incident) == (local, utc(local))
        if incident["occurred_at"] != instant.replace(" ", "T"):
            moved.append(local)
    # the earlier reading of the hour that comes twice: the files cannot tell it from the later one
    assert moved == ["2024-11-03T01:00:00", "2024-11-03T01:30:00"]


def times_of(incident: dict[str, Any]) -> tuple[str, str]:
    return incident["occurred_local"], incident["occurred_at"]


@pytest.mark.parametrize("text", ROADS)
def test_the_state_of_the_road_is_said_in_words_of_the_model(look, text):
    incident = look(ACCIDENTS, f"road [{text}]")
    assert (incident["road_condition"], incident["road_condition_code"]) == (ROADS[text], text.strip() or None)


@pytest.mark.parametrize("text", LIGHTS)
def test_the_light_is_said_in_words_of_the_model(look, text):
    incident = look(ACCIDENTS, f"light [{text}]")
    assert (incident["light_condition"], incident["light_condition_code"]) == (LIGHTS[text], text.strip() or None)


@pytest.mark.parametrize(
    ("number", "people", "flags"),
    [
        ("hurt", (2, 0), ""),
        ("killed", (0, 1), ""),
        ("killed unsaid", (None, 0), "fatalities_disagree"),
        ("killed unlabelled", (None, 1), "fatalities_disagree"),
        ("killed, no number", (None, None), ""),
        ("odd numbers", (None, None), ""),
        ("good", (None, None), ""),
    ],
)
def test_the_injured_and_the_dead_are_counted_and_a_label_that_disagrees_is_flagged(look, number, people, flags):
    incident = look(ACCIDENTS, number)
    assert (incident["seriously_injured"], incident["fatalities"]) == people
    assert incident["quality_flags"] == flags


@pytest.mark.parametrize("source", [REQUESTS, ARCHIVE])
def test_a_good_request_becomes_an_incident_with_every_field(look, source):
    assert look(source, "good") == {
        **NO_VALUES,
        "incident_id": f"{source}:good",
        "source": source,
        "record_id": "good",
        "revision": 1,
        "op": "insert",
        "deleted": False,
        "late": False,
        "kind": "service_request",
        "occurred_local": "2024-05-01T13:45:09",
        "occurred_at": "2024-05-01T19:45:09",
        "time_precision": "second",
        "time_zone": "America/Denver",
        "closed_local": "2024-05-02T00:05:00",
        "category": "service_request",
        "crime_against": "not_a_crime",
        "code": "Public Works",
        "description": "Pothole",
        "status": "closed",
        "status_code": "Closed - Answer Provided",
        "area_kind": "council_district",
        "area": "10",
        "place": "1700 LINCOLN ST, 80203",
        "latitude": 39.743,
        "longitude": -104.985,
        "quality_flags": "",
        "observed_at": "2026-11-20T12:00:00",
        "poll_id": f"{source}@20261120T120000.000000Z",
        "raw_partition": 1,
        "raw_offset": 0,
    }


@pytest.mark.parametrize(
    ("text", "occurred", "flags"),
    [
        ("5/1/2024 1:05:09 AM", "2024-05-01T01:05:09", ""),
        ("05/01/2024 01:05:09 AM", "2024-05-01T01:05:09", ""),
        ("2024-05-01T01:05:09", "2024-05-01T01:05:09", ""),
        ("5/1/2024 12:00:00 AM", "2024-05-01T00:00:00", "midnight"),
        ("12/31/2024 12:59:59 PM", "2024-12-31T12:59:59", ""),
    ],
)
def test_the_time_of_a_request_is_read_padded_or_not(look, text, occurred, flags):
    incident = look(REQUESTS, f"at [{text}]")
    assert (incident["occurred_local"], incident["quality_flags"]) == (occurred, flags)


@pytest.mark.parametrize("text", ["1714521600000", "1714543200000", "5/1/2024", "05/01/2024 12:00:00 AM", "2024-05-01"])
def test_a_request_that_has_only_a_date_has_a_day(look, text):
    incident = look(REQUESTS, f"day [{text}]")
    assert (incident["occurred_local"], incident["time_precision"]) == ("2024-05-01T00:00:00", "day")
    assert incident["quality_flags"] == "time_unknown"


def test_the_time_of_closing_is_kept_where_it_is_one(look):
    assert look(REQUESTS, "closed oddly")["closed_local"] is None
    still_open = look(REQUESTS, "open")
    assert (still_open["closed_local"], still_open["status"]) == (None, "open")


@pytest.mark.parametrize(
    ("record_id", "flags"),
    [
        ("zero", "coordinates_zero"),
        ("half zero", "coordinates_zero"),
        ("copied", "coordinates_copied"),
        ("copied west", "coordinates_copied"),
        ("nowhere", "coordinates_missing"),
        ("nan", "coordinates_missing"),
        ("off the globe", "coordinates_missing"),
    ],
)
def test_coordinates_of_a_request_that_say_nothing_are_null_and_flagged(look, record_id, flags):
    incident = look(REQUESTS, record_id)
    assert (incident["latitude"], incident["longitude"], incident["quality_flags"]) == (None, None, flags)


@pytest.mark.parametrize(
    ("text", "area"),
    [
        ("0", None),
        ("0.0", None),
        ("00", None),
        ("  ", None),
        ("none", None),
        ("10.0", "10"),
        ("07", "7"),
        ("3", "3"),
    ],
)
def test_district_zero_is_unknown(look, text, area):
    incident = look(REQUESTS, f"district [{text}]")
    assert (incident["area"], incident["quality_flags"]) == (area, "" if area else "area_unknown")


@pytest.mark.parametrize(
    ("record_id", "place", "flags"),
    [
        ("zip [00000]", "1700 LINCOLN ST", ""),
        ("zip [0]", "1700 LINCOLN ST", ""),
        ("zip [00000-0000]", "1700 LINCOLN ST", ""),
        ("zip [  ]", "1700 LINCOLN ST", ""),
        ("zip [80203-1234]", "1700 LINCOLN ST, 80203-1234", ""),
        ("crossing", "E COLFAX AVE / N YORK ST, 80203", ""),
        ("unit", "1700 LINCOLN ST APT 5, 80203", ""),
        ("zip only", "80203", ""),
        ("no place", None, "place_unknown"),
    ],
)
def test_a_place_is_the_address_or_the_crossing_and_a_real_zip_code(look, record_id, place, flags):
    incident = look(REQUESTS, record_id)
    assert (incident["place"], incident["quality_flags"]) == (place, flags)


@pytest.mark.parametrize("source", [REQUESTS, ARCHIVE])
@pytest.mark.parametrize("text", STATUSES)
def test_a_status_is_mapped_whatever_its_spelling(look, source, text):
    incident = look(source, f"status [{text}]")
    assert (incident["status"], incident["status_code"]) == (STATUSES[text], text.strip() or None)


def test_a_closing_time_closes_a_request_whose_status_says_nothing(look):
    assert look(REQUESTS, "no status but closed")["status"] == "closed"


def test_odd_spaces_and_line_breaks_inside_texts_are_single_spaces(look):
    incident = look(ARCHIVE, "odd spaces")
    assert (incident["description"], incident["status_code"]) == ("Pothole on my street", "Closed - Spam")
    assert incident["status"] == "closed"


@pytest.mark.parametrize("source", [REQUESTS, ARCHIVE])
@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("soon", "event_time_unparsable"),
        ("2/30/2024 1:00:00 PM", "event_time_unparsable"),
        ("5/1/2024 1:00 PM", "event_time_unparsable"),
        ("5/1/1824 1:00:00 PM", "event_time_out_of_range"),
        ("  ", "event_time_missing"),
    ],
)
def test_a_request_without_a_usable_time_is_a_dead_letter(dead, look, source, text, reason):
    assert look(source, f"dead [{text}]") is None
    letter = dead[f"{source}:dead [{text}]:1:{reason}"]
    assert (letter["source"], letter["stage"]) == (source, "normalise")
    assert letter["detail"]


def test_the_archive_is_normalised_like_the_rolling_table():
    rolling, archive = (jobs.statements(jobs.NORMALIZE / f"{source}.sql") for source in (REQUESTS, ARCHIVE))
    assert [statement.replace(REQUESTS, ARCHIVE) for statement in rolling] == archive
    assert crosswalk.folder(REQUESTS) == crosswalk.folder(ARCHIVE) != crosswalk.folder(ACCIDENTS)


def test_the_sources_fit_their_schemas():
    accidents, requests, archive = (catalog.find(source) for source in FEEDS)
    assert set(archive.renames.values()) == set(archive.columns)
    assert requests.columns == archive.columns
    assert len(archive.columns) == 24
    # an object id in the schema would make every reload a revision of every row
    assert not [column for feed in (accidents, requests) for column in feed.columns if "object" in column]
    assert [(feed.record_id, feed.kind) for feed in (accidents, requests, archive)] == [
        (["incident_id"], "accident"),
        ("hash", "service_request"),
        ("hash", "service_request"),
    ]


def test_the_raw_schemas_hold_the_columns_that_the_file_of_2014_has(real_data):
    assert set(real_accidents(real_data)[0]) <= set(catalog.find(ACCIDENTS).columns)


def real_accidents(real_data: Path) -> list[dict[str, str]]:
    (path,) = (real_data / "denver_accidents").glob("traffic_accidents_2014-05*.csv")
    with path.open(encoding="utf-8-sig", newline="") as lines:
        return [{key.lower(): value for key, value in row.items()} for row in csv.DictReader(lines)]


def test_every_real_accident_becomes_an_incident(real_data, tmp_path):
    rows = real_accidents(real_data)
    assert len(rows) == 4171
    events = [event(ACCIDENTS, record_id, known) for record_id, known in feed_run.shaped(ACCIDENTS, rows)]
    made = feed_run.run(tmp_path, {ACCIDENTS: events})
    assert made.records[topics.DEAD_LETTERS.name] == []
    incidents = made.by(topics.INCIDENTS, "raw_offset")
    assert len(incidents) == 4171
    # eight incidents stand twice in the file, once under each of two offences
    assert len(made.by(topics.INCIDENTS, "incident_id")) == 4163
    assert Counter(incident["category"] for incident in incidents.values()) == {
        "traffic": 4026,
        "impaired_driving": 134,
        "aggravated_assault": 11,
    }
    flags = Counter(flag for incident in incidents.values() for flag in incident["quality_flags"].split(",") if flag)
    assert flags == {"place_unknown": 472, "midnight": 4}
    assert len({incident["area"] for incident in incidents.values()}) == 78
    for offset, row in enumerate(rows):
        published = datetime.fromisoformat(row["first_occurrence_date"])
        minute = (published + timedelta(seconds=published.second == 59)).isoformat()
        assert times_of(incidents[offset]) == (minute, utc(minute))
        assert incidents[offset]["incident_id"] == f"{ACCIDENTS}:{row['incident_id'].removesuffix('.0')}"


def test_cut_off_minutes_of_the_real_file_are_whole_ones(real_data):
    """Why a second is added: people round to five minutes, and those that end in :59 only do with their second."""

    def share(rows: list[datetime]) -> float:
        return sum(moment.minute % 5 == 0 for moment in rows) / len(rows)

    moments = [datetime.fromisoformat(row["first_occurrence_date"]) for row in real_accidents(real_data)]
    assert {moment.second for moment in moments} == {0, 59}
    cut_off = [moment for moment in moments if moment.second == 59]
    assert len(cut_off) == 1905
    given_back = [moment + timedelta(seconds=1) for moment in cut_off]
    assert (round(share(cut_off), 2), round(share(given_back), 2)) == (0.13, 0.49)
    assert round(share([moment for moment in moments if moment.second == 0]), 2) == 0.53
    assert sum(moment.hour != later.hour for moment, later in zip(cut_off, given_back, strict=True)) == 114
