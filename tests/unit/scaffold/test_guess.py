"""What columns are taken for, and that every guess says why."""

from __future__ import annotations

import pytest

from civicwire.scaffold.guess import Guess, guess
from civicwire.scaffold.sample import Column, ColumnType, Dataset
from schemas.errors import ConfigError

ROWS = 200
TIMES = [f"2026-{1 + n % 12:02}-{1 + n % 28:02}T{n % 24:02}:30:00.000" for n in range(ROWS)]


def dataset(columns: dict[str, list[str | None]], key: str | None = None, **types: ColumnType) -> Dataset:
    described = [Column(name.lower(), name, type=types.get(name, "text")) for name in columns]
    length = len(next(iter(columns.values())))
    rows = [{name.lower(): values[n] for name, values in columns.items()} for n in range(length)]
    return Dataset("Incidents", "", "", {"name": "socrata"}, "abcd-1234", described, rows, key=key)


def cycle(*values: str | None, rows: int = ROWS) -> list[str | None]:
    return [values[n % len(values)] for n in range(rows)]


def numbered(form: str = "{}", rows: int = ROWS) -> list[str | None]:
    return [form.format(n) for n in range(rows)]


def reason(found: Guess, about: str) -> str:
    return next(why for name, _, why in found.why if name == about)


def test_the_key_is_the_column_that_is_named_like_one_and_unique_and_never_blank():
    columns = {"Row_No": numbered(), "case_id": numbered("C{}"), "report_number": cycle("1", "2"), "at": TIMES}
    found = guess(dataset(columns))
    assert found.key == ["case_id"]
    assert reason(found, "record_id") == "unique and never blank in a sample of 200 rows, and named like a key"
    columns["case_id"][7] = None
    assert guess(dataset(columns)).key == ["row_no"]


def test_two_columns_may_be_the_key_together():
    case = [str(n // 2) for n in range(ROWS)]
    assert guess(dataset({"case_id": case, "offense": cycle("A", "B"), "date": TIMES})).key == ["case_id", "offense"]


def test_without_a_key_a_row_is_its_hash_and_a_small_sample_says_nothing():
    assert guess(dataset({"case_id": cycle("1", "2", None), "date": TIMES})).key == []
    few = guess(dataset({"case_id": numbered(rows=10), "date": TIMES[:10]}))
    assert few.key == []
    assert "say --record-id COLUMN" in reason(few, "record_id")


def test_what_the_portal_or_a_person_says_of_the_key_counts_more_than_a_guess():
    columns = {"case_id": numbered(), "uid": numbered("U{}"), "date": TIMES}
    assert guess(dataset(columns, key="uid")).key == ["uid"]
    assert guess(dataset(columns, key="uid"), record_id=["Case_ID".lower()]).key == ["case_id"]
    assert guess(dataset(columns, key="uid"), record_id=["hash"]).key == []
    with pytest.raises(ConfigError, match="give --record-id one of case_id, uid, date"):
        guess(dataset(columns), record_id=["nowhere"])


@pytest.mark.parametrize(
    ("columns", "event"),
    [
        (("reported_date", "occurred_on", "closed_at"), "occurred_on"),
        (("last_updated", "call_received"), "call_received"),
        (("last_updated", "report_date"), "report_date"),
        (("year", "close_date", "create_date"), "create_date"),
        (("date_rptd", "date_occ"), "date_occ"),
    ],
)
def test_the_event_is_when_it_happened_before_when_it_was_written_down(columns: tuple[str, ...], event: str):
    years = cycle("2025", "2026")
    found = guess(dataset({name: years if name == "year" else TIMES for name in columns}))
    assert found.event.column == event


def test_a_time_that_is_often_blank_is_not_the_events():
    sometimes = [time if n % 8 else None for n, time in enumerate(TIMES)]
    assert guess(dataset({"reported": TIMES, "occurred": sometimes})).event.column == "reported"


def test_a_dataset_without_times_is_refused_with_its_columns():
    with pytest.raises(ConfigError, match=r"say which one to use with --event-time.*offense"):
        guess(dataset({"offense": cycle("A", "B")}))
    with pytest.raises(ConfigError, match="are no times that are known here"):
        guess(dataset({"offense": cycle("A", "B"), "date": TIMES}), event_time="offense")


def test_the_parts_of_an_incident_are_found_by_name_and_values():
    columns = {
        "Incident_ID": numbered(),
        "OccurredOn": TIMES,
        "Reported": TIMES,
        "Offense_Code": cycle("487", "459"),
        "Offense_Description": cycle("GRAND THEFT", "BURGLARY"),
        "Status": cycle("Open", "Closed"),
        "Police_Beat": cycle("A1", "B2"),
        "Block_Address": cycle("700 EVERGREEN TER", "1 MAIN ST", "3 OAK ST"),
        "Latitude": cycle("39.7817"),
        "Longitude": cycle("-89.6501"),
        "Domestic": cycle("Y", "N"),
        "Shape__Area": numbered("{}.5"),
        "ObjectId": numbered(),
    }
    found = guess(dataset(columns))
    assert found.key == ["incident_id"]
    assert (found.event.column, found.reported and found.reported.column) == ("occurredon", "reported")
    assert (found.code, found.description, found.status) == ("offense_code", "offense_description", "status")
    assert (found.area, found.area_kind, found.place) == ("police_beat", "beat", "block_address")
    assert (found.latitude, found.longitude, found.domestic) == ("latitude", "longitude", "domestic")
    assert found.ignored == ["objectid", "shape_*"]
    assert {about for about, _, _ in found.why} >= {"record_id", "event_time", "code", "area", "vocabularies"}


def test_vocabularies_are_columns_of_few_values_and_no_numbers_names_or_places():
    columns = {
        "case_id": numbered(),
        "date": TIMES,
        "offense": cycle("theft", "robbery"),
        "district": cycle("1", "2", "3"),
        "victims": cycle("1", "2"),
        "street": cycle("MAIN ST", "OAK ST"),
        "officer": numbered("Officer {}"),
        "weapon": cycle("knife", None, "none"),
        "latitude": cycle("39.7"),
        "longitude": cycle("-89.6"),
    }
    assert guess(dataset(columns)).watched == ["offense", "district", "weapon"]


def test_degrees_that_are_off_the_globe_are_no_coordinates():
    columns = {"case_id": numbered(), "date": TIMES, "lat": cycle("739000.25"), "lon": cycle("-89.6")}
    found = guess(dataset(columns))
    assert (found.latitude, found.longitude) == (None, None)
    columns |= {"geo": cycle('{"coordinates": [-89.6, 39.7], "type": "Point"}')}
    assert guess(dataset(columns, geo="location")).point == "geo"
