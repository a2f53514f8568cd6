"""Los Angeles' three tables in, incidents and dead letters out, through the SQL that runs in production."""

from __future__ import annotations

import base64
import csv
import json
import os
import re
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import feed_run
import pytest
from stream_rows import NO_VALUES

from civicwire.settings import ROOT
from producers import catalog, rows
from stream_jobs import crosswalk, jobs

OLD, LEGACY, NIBRS = "la_crime_2010_2019", "la_crime_2020_2024", "la_nibrs_offenses"
KEYS = {OLD: "dr_no", LEGACY: "dr_no", NIBRS: "uniquenibrno"}
COLUMNS = {source: catalog.find(source).columns for source in KEYS}
REPORTS = pytest.mark.parametrize("source", [OLD, LEGACY])
ALL = pytest.mark.parametrize("source", [OLD, LEGACY, NIBRS])

CSV_FILES = ("rows_csv_excel_10k.csv", "rows_csv_excel_13k_extra_cols.csv", "rows_csv_excel_6k_blank_headers.csv")
CLEAN, MANGLED_EXTRA, MANGLED_BLANK, OBJECTS = 1, 2, 3, 4
"""Each real file's rows are one revision of their incidents, so that one run holds all four."""

ROW: dict[str, dict[str, str | None]] = {
    OLD: {
        "date_rptd": "2020-01-09T00:00:00.000",
        "date_occ": "2020-01-08T00:00:00.000",
        "time_occ": "2230",
        "area": "03",
        "area_name": "Southwest",
        "rpt_dist_no": "0377",
        "part_1_2": "2",
        "crm_cd": "624",
        "crm_cd_desc": "BATTERY - SIMPLE ASSAULT",
        "premis_cd": "501",
        "premis_desc": "SINGLE FAMILY DWELLING",
        "status": "AO",
        "status_desc": "Adult Other",
        "location": "1100 W  39TH                         PL",
        "lat": "34.0141",
        "lon": "-118.2978",
    },
    NIBRS: {
        "caseno": "250100001",
        "date_rptd": "2025-01-09T08:15:00.000",
        "date_occ": "2025-01-08T00:00:00.000",
        "time_occ": "2230",
        "area": "03",
        "area_name": "Southwest",
        "rpt_dist_no": "0377",
        "group": "A",
        "nibr_code": "13B",
        "nibr_description": "Simple Assault",
        "crime_against": "Person",
        "premis_cd": "RA",
        "weapon_used_cd": "40",
        "weapon_desc": "Personal Weapons (hands, feet, teeth, etc.)",
        "totalvictimcount": "1",
        "premis_desc": "SINGLE FAMILY DWELLING",
        "status": "14",
        "status_desc": "Adult Other",
        "domestic_violence_crime": "No",
        "location": "1100 W  39TH   PL",
        "lat": "34.0141",
        "lon": "-118.2978",
    },
}
ROW[LEGACY] = ROW[OLD]

_SHARED: dict[str, dict[str, str | None]] = {
    "good": {},
    **{f"clock {clock}": {"time_occ": clock} for clock in ("0330", "330", "30", "1", "0000", "0", "1200")},
    **{f"clock {clock}": {"time_occ": clock} for clock in ("2400", "170", "2360", "12345", "noon", "-5", "3.5", "")},
    "no clock": {"time_occ": None},
    "no clock, csv": {"time_occ": None, "date_occ": "01/08/2020 12:00:00 AM"},
    "no clock, excel": {"time_occ": None, "date_occ": "1/8/2020 0:00"},
    "carried noon": {"time_occ": None, "date_occ": "01/08/2020 12:00:00 PM"},
    "iso": {"date_occ": "2020-01-08T00:00:00.000"},
    "blank iso": {"date_occ": "2020-01-08 00:00:00"},
    "day": {"date_occ": "2020-01-08"},
    "csv": {"date_occ": "01/08/2020 12:00:00 AM"},
    "excel padded": {"date_occ": "01/08/2020 00:00"},
    "excel half": {"date_occ": "01/08/2020 0:00"},
    "excel": {"date_occ": "1/8/2020 0:00"},
    "excel short": {"date_occ": "1/8/20 0:00"},
    "excel day": {"date_occ": "1/8/2020"},
    "excel december": {"date_occ": "12/31/2020 0:00"},
    "excel last century": {"date_occ": "1/8/90 0:00"},
    "reported csv": {"date_rptd": "01/09/2020 12:00:00 AM"},
    "reported excel": {"date_rptd": "1/9/2020 0:00"},
    "reported pm": {"date_rptd": "1/9/2020 1:05:09 PM"},
    "reported noon": {"date_rptd": "1/9/2020 12:30 PM"},
    "reported never": {"date_rptd": "2/30/2020 0:00"},
    "carried": {"date_occ": "2026-06-27T23:57:39.000", "time_occ": "2357"},
    "carried alone": {"date_occ": "2026-06-27T23:57:39.000", "time_occ": None},
    "carried not 0000": {"date_occ": "2026-06-27T23:57:39.000", "time_occ": "0000"},
    "carried not 2400": {"date_occ": "2026-06-27T23:57:39.000", "time_occ": "2400"},
    "carried csv": {"date_occ": "06/27/2026 11:57:00 PM", "time_occ": ""},
    "zeros lost": {"area": "3", "rpt_dist_no": "377", "date_occ": "1/8/2020 0:00", "date_rptd": "1/9/2020 0:00"},
    "zero": {"lat": "0", "lon": "0"},
    "zeros": {"lat": "0.0", "lon": "0.0000"},
    "nowhere": {"lat": None, "lon": None, "location": "  ", "area_name": " "},
    "nan": {"lat": "NaN", "lon": "x"},
    "month 13": {"date_occ": "13/01/2020 0:00"},
    "30 february": {"date_occ": "2020-02-30T00:00:00.000"},
    "hour 25": {"date_occ": "2020-01-08T25:00:00.000"},
    "words": {"date_occ": "'; drop table"},
    "half a date": {"date_occ": "2020-01-08 soon"},
    "three digits": {"date_occ": "1/8/202 0:00"},
    "serial": {"date_occ": "43838"},
    "no date": {"date_occ": None},
    "blank date": {"date_occ": " "},
    "sentinel": {"date_occ": "1800-01-01T00:00:00.000"},
    "sentinel csv": {"date_occ": "01/01/1800 12:00:00 AM"},
    "very old": {"date_occ": "1920-05-01T00:00:00.000"},
}
AGES = ("1", "110", "0", "-1", "111", "120", "34.0", "x", "")
_REPORTS: dict[str, dict[str, str | None]] = {
    **{f"status {code}": {"status": code} for code in ("IC", "AA", "JA", "AO", "JO", "CC", "TH", "")},
    "crossing": {"location": "7TH                          ST", "cross_street": "HILL   ST"},
    "intimate": {"crm_cd": "626"},
    "new words": {"crm_cd": "332", "crm_cd_desc": "THEFT FROM MOTOR VEHICLE - GRAND ($1200 AND OVER)"},
    "other words": {"crm_cd": "331", "crm_cd_desc": "BIGAMY"},
    "unknown code": {"crm_cd": "999", "crm_cd_desc": "ZZZ"},
    "no code": {"crm_cd": None, "crm_cd_desc": None},
    "woman": {"vict_age": "34", "vict_sex": "F", "vict_descent": "h"},
    **{f"age {age}": {"vict_age": age, "vict_sex": "M", "vict_descent": "W"} for age in AGES},
    **{f"sex {code}": {"vict_age": "34", "vict_sex": code, "vict_descent": "W"} for code in ("X", "H", "-", "Q", " ")},
    **{f"descent {code}": {"vict_age": "34", "vict_sex": "F", "vict_descent": code} for code in ("K", "X", "?", "")},
    "no victim": {"vict_age": "0", "vict_sex": None, "vict_descent": " "},
    **{f"weapon {code}": {"weapon_used_cd": code} for code in ("102", "102.0", "400", "511", "500", "999", "")},
}
_OFFENCES: dict[str, dict[str, str | None]] = {
    **{
        f"status {words}": {"status_desc": words}
        for words in ("Invest Cont", "Adult Arrest", "JUV ARREST", "Juv Other", "Cleared by Exception", "", "?")
    },
    "domestic": {"domestic_violence_crime": "Yes"},
    "domestic unsaid": {"domestic_violence_crime": None},
    "shot": {"nibr_code": "09A"},
    "shot without zero": {"nibr_code": "9a"},
    "drunk": {"nibr_code": "90D"},
    **{f"against {words}": {"crime_against": words} for words in ("Society", "NOT A CRIME", "?", "")},
    "laundered": {"nibr_code": "26H", "crime_against": None},
    **{f"weapon {words}": {"weapon_desc": words} for words in ("Handgun", "None", "Unknown", "Ray Gun", "")},
    "victims unsaid": {"totalvictimcount": None},
    "unknown code": {"nibr_code": "99X"},
    "no code": {"nibr_code": None},
}
CASES = {OLD: _SHARED | _REPORTS, LEGACY: _SHARED | _REPORTS, NIBRS: _SHARED | _OFFENCES}


def event(
    source: str, record_id: str, row: dict[str, str | None], *, revision: int = 1, op: str = "insert"
) -> dict[str, Any]:
    """A raw event as JSON for Flink; the row's key is ``record_id`` unless the row has one."""
    row = {KEYS[source]: record_id, **row}
    return {
        "record_id": record_id,
        "revision": revision,
        "op": op,
        "content_hash": "0" * 32,
        "observed_at": "2026-11-20T12:00:00",
        "source_updated_at": None,
        "late": False,
        "poll_id": f"{source}@20261120T120000.000000Z",
        "scope": "",
        "row": {column: row.get(column) for column in COLUMNS[source]},
        "extras": {},
    }


def events(source: str) -> list[dict[str, Any]]:
    bad = {"date_occ": "soon"}
    return [
        *(event(source, name, ROW[source] | change) for name, change in CASES[source].items()),
        event(source, "mismatch", ROW[source] | {KEYS[source]: "other"}),
        event(source, "keyless", ROW[source] | {KEYS[source]: None}),
        event(source, "revised", ROW[source] | bad, revision=2, op="revise"),
        event(source, "deleted", ROW[source], revision=3, op="delete"),
        event(source, "deleted bad", ROW[source] | bad, revision=2, op="delete"),
        event(source, "expired", ROW[source], revision=2, op="expire"),
        event(source, "expired bad", ROW[source] | bad, revision=2, op="expire"),
        event(source, "back", ROW[source], revision=4, op="reappear"),
    ]


def real_rows() -> dict[int, dict[str, dict[str, str | None]]]:
    """The real rows by file and number with the API's column names; nothing where the files are absent.

    The number has its nine digits also where the file lost the first.
    """
    folder = Path(os.environ.get("CIVICWIRE_REAL_DATA", ROOT.parent / "shared" / "data")) / "los_angeles"
    found: dict[int, dict[str, dict[str, str | None]]] = {}
    for file, name in enumerate(CSV_FILES, start=CLEAN):
        if (folder / name).is_file():
            with (folder / name).open(encoding="utf-8-sig", newline="") as lines:
                header, *table = csv.reader(lines)
            # The first of two columns of one name: the second DATE OCC is a spreadsheet's serial number.
            columns = [column.strip().lower().replace(" ", "_").replace("-", "_") for column in header]
            listed = [dict(reversed(list(zip(columns, line, strict=True)))) for line in table]
            found[file] = {row["dr_no"].zfill(9): {**row, "dr_no": row["dr_no"].zfill(9)} for row in listed}
    if (folder / "json_9cols_us_ampm_dates.json").is_file():
        objects = json.loads((folder / "json_9cols_us_ampm_dates.json").read_text(encoding="utf-8"))
        found[OBJECTS] = {}
        for item in objects:
            row = {key.lower().replace(" ", "_"): rows.as_text(value) for key, value in item.items()}
            number = f"{item['DR_NO']:09}"
            found[OBJECTS][number] = {**row, "dr_no": number}
    return found


class Outcome:
    """What the SQL made of the rows: incidents by (source, record id, revision), dead letters by dead_id."""

    def __init__(self, incidents: list[dict[str, Any]], letters: list[dict[str, Any]]) -> None:
        self.incidents = {(item["source"], item["record_id"], item["revision"]): item for item in incidents}
        self.letters = {item["dead_id"]: item for item in letters}
        self.repeated = len(incidents) - len(self.incidents) + len(letters) - len(self.letters)

    def of(self, source: str, record_id: str, revision: int = 1) -> dict[str, Any]:
        return self.incidents[source, record_id, revision]


@pytest.fixture(scope="module")
def real() -> dict[int, dict[str, dict[str, str | None]]]:
    found = real_rows()
    if len(found) < OBJECTS:
        pytest.skip("the real Los Angeles rows are not here; set CIVICWIRE_REAL_DATA to the folder of los_angeles/")
    return found


@pytest.fixture(scope="module")
def la(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """One Flink run over every case of the three tables and over the real rows."""
    made = {source: events(source) for source in KEYS}
    for file, found in real_rows().items():
        made[LEGACY] += [event(LEGACY, number, row, revision=file) for number, row in found.items()]
    records = feed_run.run(tmp_path_factory.mktemp("la"), made).records
    return Outcome(records["incidents"], records["dead_letters"])


def mapped(source: str, target: str, code: str) -> str | None:
    """What the crosswalk says of a code: exact codes first, then the patterns from top to bottom."""
    found = crosswalk.of_source(source)[target]
    if code in found.exact:
        return found.exact[code]
    for pattern, value in found.patterns.items():
        if re.fullmatch(".*".join(re.escape(part) for part in pattern.split("%")), code, re.DOTALL):
            return value
    return None


@REPORTS
def test_a_good_report_becomes_an_incident_with_every_field(la, source):
    incident = la.of(source, "good")
    assert isinstance(incident.pop("raw_offset"), int)
    assert incident == {
        **{name: value for name, value in NO_VALUES.items() if name != "raw_offset"},
        "incident_id": f"{source}:good",
        "source": source,
        "record_id": "good",
        "revision": 1,
        "op": "insert",
        "deleted": False,
        "late": False,
        "kind": "crime_report",
        "occurred_local": "2020-01-08T22:30:00",
        "occurred_at": "2020-01-09T06:30:00",
        "time_precision": "minute",
        "time_zone": "America/Los_Angeles",
        "reported_local": "2020-01-09T00:00:00",
        "category": "assault",
        "crime_against": "person",
        "code": "624",
        "description": "BATTERY - SIMPLE ASSAULT",
        "status": "cleared_exceptional",
        "status_code": "AO",
        "area_kind": "area",
        "area": "Southwest",
        "place": "1100 W 39TH PL",
        "premise": "SINGLE FAMILY DWELLING",
        "premise_code": "501",
        "latitude": 34.0141,
        "longitude": -118.2978,
        "quality_flags": "",
        "observed_at": "2026-11-20T12:00:00",
        "poll_id": f"{source}@20261120T120000.000000Z",
        "raw_partition": 1,
    }


def test_a_good_offence_becomes_an_incident_with_every_field(la):
    incident = la.of(NIBRS, "good")
    changed = {
        "kind": "offence",
        "case_id": "250100001",
        "victims": 1,
        "weapon": "bodily_force",
        "weapon_code": "40",
        "premise_code": "RA",
        "occurred_local": "2025-01-08T22:30:00",
        "occurred_at": "2025-01-09T06:30:00",
        "reported_local": "2025-01-09T08:15:00",
        "code": "13B",
        "description": "Simple Assault",
        "status_code": "14",
        "domestic": False,
    }
    own = {"incident_id", "source", "poll_id", "raw_offset"}
    report = la.of(LEGACY, "good")
    assert {key: value for key, value in incident.items() if key not in own} == {
        key: value for key, value in (report | changed).items() if key not in own
    }
    assert incident["incident_id"] == f"{NIBRS}:good"


@ALL
@pytest.mark.parametrize(
    ("clock", "occurred", "said"),
    [
        ("0330", "03:30:00", ("minute", "")),
        ("330", "03:30:00", ("minute", "")),
        ("30", "00:30:00", ("minute", "")),
        ("1", "00:01:00", ("minute", "")),
        ("0000", "00:00:00", ("minute", "midnight")),
        ("0", "00:00:00", ("minute", "midnight")),
        ("1200", "12:00:00", ("minute", "")),
        ("2400", "00:00:00", ("day", "time_2400")),
        ("170", "00:00:00", ("day", "time_unknown")),
        ("2360", "00:00:00", ("day", "time_unknown")),
        ("12345", "00:00:00", ("day", "time_unknown")),
        ("noon", "00:00:00", ("day", "time_unknown")),
        ("-5", "00:00:00", ("day", "time_unknown")),
        ("3.5", "00:00:00", ("day", "time_unknown")),
        ("", "00:00:00", ("day", "time_unknown")),
    ],
)
def test_the_clock_is_read_as_far_as_it_says_anything(la, source, clock, occurred, said):
    incident = la.of(source, f"clock {clock}")
    assert incident["occurred_local"][11:] == occurred
    assert (incident["time_precision"], incident["quality_flags"]) == said


@ALL
@pytest.mark.parametrize("record_id", ["no clock", "no clock, csv", "no clock, excel"])
def test_a_row_without_a_clock_has_a_day(la, source, record_id):
    incident = la.of(source, record_id)
    assert incident["occurred_local"][11:] == "00:00:00"
    assert (incident["time_precision"], incident["quality_flags"]) == ("day", "time_unknown")


@ALL
@pytest.mark.parametrize(
    "form", ["iso", "blank iso", "day", "csv", "excel padded", "excel half", "excel", "excel short", "excel day"]
)
def test_every_form_of_a_date_is_the_same_time(la, source, form):
    incident = la.of(source, form)
    assert (incident["occurred_local"], incident["time_precision"]) == ("2020-01-08T22:30:00", "minute")
    assert incident["occurred_at"] == "2020-01-09T06:30:00"


@ALL
def test_the_month_comes_first_and_two_digits_are_the_year_a_spreadsheet_means(la, source):
    assert la.of(source, "excel december")["occurred_local"] == "2020-12-31T22:30:00"
    assert la.of(source, "excel last century")["occurred_local"] == "1990-01-08T22:30:00"


@ALL
@pytest.mark.parametrize(
    ("form", "reported"),
    [
        ("reported csv", "2020-01-09T00:00:00"),
        ("reported excel", "2020-01-09T00:00:00"),
        ("reported pm", "2020-01-09T13:05:09"),
        ("reported noon", "2020-01-09T12:30:00"),
        ("reported never", None),
    ],
)
def test_the_time_of_the_report_is_read_in_the_same_forms(la, source, form, reported):
    assert la.of(source, form)["reported_local"] == reported


@ALL
@pytest.mark.parametrize(
    ("record_id", "occurred", "precision"),
    [
        ("carried", "2026-06-27T23:57:00", "minute"),
        ("carried alone", "2026-06-27T23:57:39", "second"),
        ("carried not 0000", "2026-06-27T23:57:39", "second"),
        ("carried not 2400", "2026-06-27T23:57:39", "second"),
        ("carried csv", "2026-06-27T23:57:00", "minute"),
        ("carried noon", "2020-01-08T12:00:00", "minute"),
    ],
)
def test_a_time_inside_the_date_speaks_where_the_clock_says_nothing(la, source, record_id, occurred, precision):
    incident = la.of(source, record_id)
    assert (incident["occurred_local"], incident["time_precision"]) == (occurred, precision)
    assert incident["quality_flags"] == ""


@ALL
def test_lost_leading_zeros_change_nothing(la, source):
    own = {"incident_id", "record_id", "raw_offset", "reported_local"}
    clean, mangled = la.of(source, "iso"), la.of(source, "zeros lost")
    assert {key: clean[key] for key in clean if key not in own} == {
        key: mangled[key] for key in mangled if key not in own
    }


@ALL
@pytest.mark.parametrize(
    ("record_id", "flags"),
    [
        ("zero", "coordinates_zero"),
        ("zeros", "coordinates_zero"),
        ("nan", "coordinates_missing"),
        ("nowhere", "area_unknown,coordinates_missing,place_unknown"),
    ],
)
def test_places_that_say_nothing_are_null_and_flagged(la, source, record_id, flags):
    incident = la.of(source, record_id)
    assert (incident["latitude"], incident["longitude"]) == (None, None)
    assert incident["quality_flags"] == flags


@REPORTS
def test_an_intersection_is_both_streets_without_their_padding(la, source):
    assert la.of(source, "crossing")["place"] == "7TH ST / HILL ST"


@REPORTS
@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("IC", "open"),
        ("AA", "cleared_arrest"),
        ("JA", "cleared_arrest"),
        ("AO", "cleared_exceptional"),
        ("JO", "cleared_exceptional"),
        ("CC", "unknown"),
        ("TH", "unknown"),
        ("", "unknown"),
    ],
)
def test_the_status_of_a_report_is_its_code(la, source, code, status):
    assert la.of(source, f"status {code}")["status"] == status


@pytest.mark.parametrize(
    ("words", "status"),
    [
        ("Invest Cont", "open"),
        ("Adult Arrest", "cleared_arrest"),
        ("JUV ARREST", "cleared_arrest"),
        ("Juv Other", "cleared_exceptional"),
        ("Cleared by Exception", "cleared_exceptional"),
        ("", "unknown"),
        ("?", "unknown"),
    ],
)
def test_the_status_of_an_offence_is_its_words_since_its_code_is_a_bare_number(la, words, status):
    incident = la.of(NIBRS, f"status {words}")
    assert (incident["status"], incident["status_code"]) == (status, "14")


@REPORTS
@pytest.mark.parametrize(
    ("record_id", "category"),
    [("new words", "theft"), ("other words", "theft"), ("unknown code", "unmapped"), ("no code", "unmapped")],
)
def test_a_crime_goes_by_its_code_then_by_its_words(la, source, record_id, category):
    assert la.of(source, record_id)["category"] == category


@pytest.mark.parametrize(
    ("record_id", "code", "category"),
    [
        ("shot", "09A", "homicide"),
        ("shot without zero", "09A", "homicide"),
        ("drunk", "90D", "impaired_driving"),
        ("unknown code", "99X", "unmapped"),
        ("no code", None, "unmapped"),
    ],
)
def test_an_offence_goes_by_its_nibrs_code(la, record_id, code, category):
    incident = la.of(NIBRS, record_id)
    assert (incident["code"], incident["category"]) == (code, category)


@REPORTS
@pytest.mark.parametrize(
    ("record_id", "victim", "flags"),
    [
        ("woman", (34, "female", "hispanic"), ""),
        ("age 1", (1, "male", "white"), ""),
        ("age 34.0", (34, "male", "white"), ""),
        ("age 110", (110, "male", "white"), ""),
        ("age 0", (None, "male", "white"), "age_unknown"),
        ("age x", (None, "male", "white"), "age_unknown"),
        ("age ", (None, "male", "white"), "age_unknown"),
        ("age -1", (None, "male", "white"), "age_impossible"),
        ("age 111", (None, "male", "white"), "age_impossible"),
        ("age 120", (None, "male", "white"), "age_impossible"),
        ("sex X", (34, "unknown", "white"), "sex_unknown"),
        ("sex H", (34, "unknown", "white"), "sex_unknown"),
        ("sex -", (34, "unknown", "white"), "sex_unknown"),
        ("sex Q", (34, "unmapped", "white"), "sex_unknown"),
        ("sex  ", (34, None, "white"), "sex_unknown"),
        ("descent K", (34, "female", "asian"), ""),
        ("descent X", (34, "female", "unknown"), "descent_unknown"),
        ("descent ?", (34, "female", "unmapped"), "descent_unknown"),
        ("descent ", (34, "female", None), "descent_unknown"),
        ("no victim", (None, None, None), ""),
    ],
)
def test_the_victim_is_age_sex_and_descent_as_far_as_they_are_known(la, source, record_id, victim, flags):
    incident = la.of(source, record_id)
    assert tuple(incident[name] for name in ("victim_age", "victim_sex", "victim_descent")) == victim
    assert incident["quality_flags"] == flags


@REPORTS
def test_what_was_published_of_the_victim_stands_beside_what_it_means(la, source):
    assert la.of(source, "woman")["victim_descent_code"] == "H"
    assert la.of(source, "sex Q")["victim_sex_code"] == "Q"


@REPORTS
@pytest.mark.parametrize(
    ("code", "weapon"),
    [
        ("102", ("firearm", "102")),
        ("102.0", ("firearm", "102")),
        ("400", ("bodily_force", "400")),
        ("511", ("none", "511")),
        ("500", ("unknown", "500")),
        ("999", ("unmapped", "999")),
        ("", (None, None)),
    ],
)
def test_the_weapon_of_a_report_is_its_code(la, source, code, weapon):
    incident = la.of(source, f"weapon {code}")
    assert (incident["weapon"], incident["weapon_code"]) == weapon


@pytest.mark.parametrize(
    ("words", "weapon"),
    [("Handgun", "firearm"), ("None", "none"), ("Unknown", "unknown"), ("Ray Gun", "unmapped"), ("", None)],
)
def test_the_weapon_of_an_offence_is_its_words(la, words, weapon):
    assert la.of(NIBRS, f"weapon {words}")["weapon"] == weapon


@pytest.mark.parametrize(
    ("record_id", "against"),
    [
        ("against Society", "society"),
        ("against NOT A CRIME", "not_a_crime"),
        ("against ?", "person"),
        ("against ", "person"),
        ("laundered", "society"),
        ("no code", "person"),
    ],
)
def test_whom_an_offence_is_against_is_what_the_feed_says_or_else_nibrs_of_its_code(la, record_id, against):
    assert la.of(NIBRS, record_id)["crime_against"] == against


def test_the_victims_of_a_case_are_counted_where_the_feed_counts_them(la):
    assert [la.of(NIBRS, name)["victims"] for name in ("good", "victims unsaid")] == [1, None]


def test_domestic_is_said_by_a_column_or_by_the_code(la):
    assert [la.of(NIBRS, name)["domestic"] for name in ("good", "domestic", "domestic unsaid")] == [False, True, None]
    assert [la.of(LEGACY, name)["domestic"] for name in ("good", "intimate")] == [None, True]


@ALL
@pytest.mark.parametrize(
    ("record_id", "reason"),
    [
        ("month 13", "event_time_unparsable"),
        ("30 february", "event_time_unparsable"),
        ("hour 25", "event_time_unparsable"),
        ("words", "event_time_unparsable"),
        ("half a date", "event_time_unparsable"),
        ("three digits", "event_time_unparsable"),
        ("serial", "event_time_unparsable"),
        ("no date", "event_time_missing"),
        ("blank date", "event_time_missing"),
        ("sentinel", "event_time_out_of_range"),
        ("sentinel csv", "event_time_out_of_range"),
        ("mismatch", "key_mismatch"),
        ("keyless", "key_mismatch"),
    ],
)
def test_a_row_without_usable_time_or_key_is_a_dead_letter_and_no_incident(la, source, record_id, reason):
    assert (source, record_id, 1) not in la.incidents
    letter = la.letters[f"{source}:{record_id}:1:{reason}"]
    assert (letter["stage"], letter["source"], letter["record_id"]) == ("normalise", source, record_id)
    assert letter["detail"]


@ALL
def test_the_last_century_is_no_sentinel(la, source):
    assert la.of(source, "very old")["occurred_local"] == "1920-05-01T22:30:00"


@ALL
def test_a_dead_letter_carries_the_row_as_published(la, source):
    row = json.loads(base64.b64decode(la.letters[f"{source}:words:1:event_time_unparsable"]["payload"]))
    assert row == {KEYS[source]: "words", **ROW[source], "date_occ": "'; drop table"}


@ALL
def test_a_bad_revision_withdraws_and_only_a_delete_or_that_is_deleted(la, source):
    ends = {
        (name, revision): (incident["op"], incident["deleted"])
        for (feed, name, revision), incident in la.incidents.items()
        if feed == source and revision > 1 and not name.isdigit()
    }
    assert ends == {
        ("revised", 2): ("withdraw", True),
        ("deleted", 3): ("delete", True),
        ("deleted bad", 2): ("withdraw", True),
        ("expired", 2): ("expire", False),
        ("expired bad", 2): ("withdraw", True),
        ("back", 4): ("reappear", False),
    }
    withdrawn = la.of(source, "revised", 2)
    assert (withdrawn["occurred_local"], withdrawn["occurred_at"], withdrawn["time_precision"]) == (None, None, None)
    assert la.of(source, "deleted", 3)["area"] == la.of(source, "expired", 2)["area"] == "Southwest"


@ALL
def test_a_bad_row_that_leaves_the_portal_is_no_second_dead_letter(la, source):
    revised = {dead_id for dead_id in la.letters if dead_id.startswith(f"{source}:") and ":1:" not in dead_id}
    assert revised == {f"{source}:revised:2:event_time_unparsable"}


def test_no_row_becomes_two(la):
    assert la.repeated == 0


def test_the_two_tables_of_reports_are_normalised_alike():
    old, legacy = (jobs.statements(jobs.NORMALIZE / f"{source}.sql") for source in (OLD, LEGACY))
    assert [statement.replace(OLD, LEGACY) for statement in old] == legacy
    assert crosswalk.folder(OLD) == crosswalk.folder(LEGACY) != crosswalk.folder(NIBRS)


def test_the_columns_are_those_of_the_tables_and_the_renamed_ones_arrive_under_one_name():
    assert [len(columns) for columns in COLUMNS.values()] == [28, 28, 31]
    names = {"hndrdth_loc_chk": "location", "hndrdth_lat": "lat", "hndrdth_lon": "lon"}
    shape = rows.Shaper(catalog.find(NIBRS))
    values: dict[str, str | None] = {"uniquenibrno": "1", "location": "100 MAIN ST", "lat": "34.1", "lon": "-118.1"}
    new = {{v: k for k, v in names.items()}.get(name, name): value for name, value in values.items()}
    before, after = (
        shape(rows.Published(published, b"", datetime(2026, 8, 18, tzinfo=UTC))) for published in (values, new)
    )
    assert set(new) == {"uniquenibrno", *names}
    assert (before.record_id, before.digest) == (after.record_id, after.digest)
    assert before.known == after.known == values
    assert before.extras == {}


def test_what_a_row_counts_is_said_for_people_who_compare_feeds():
    assert catalog.find(NIBRS).counts.unit == "offences"
    assert catalog.find(OLD).counts == catalog.find(LEGACY).counts
    assert catalog.find(OLD).counts.unit == "most_serious_crime"
    assert {catalog.find(source).time_zone for source in KEYS} == {"America/Los_Angeles"}


def test_words_and_codes_of_a_crime_agree():
    found = crosswalk.of_source(LEGACY)
    by_words = {code: mapped(LEGACY, "category_by_words", words) for code, words in found["words"].exact.items()}
    assert by_words == found["category"].exact


def test_every_real_crime_code_is_listed_with_the_words_the_city_gives_it(real):
    listed = crosswalk.of_source(LEGACY)["words"].exact
    seen = {
        (row["crm_cd"], row["crm_cd_desc"])
        for file in (CLEAN, MANGLED_EXTRA, MANGLED_BLANK)
        for row in real[file].values()
    }
    assert len(seen) == 109
    assert [pair for pair in sorted(seen) if listed.get(pair[0]) != pair[1]] == []


def victim_flags(real: dict[int, dict[str, dict[str, str | None]]]) -> Counter[str]:
    """What should be flagged of the real rows' victims, counted from the rows themselves."""
    flags: Counter[str] = Counter()
    for row in (row for found in real.values() for row in found.values()):
        age, sex, descent = float(row["vict_age"] or 0), row.get("vict_sex") or "", row.get("vict_descent") or ""
        flags["age_impossible"] += not 0 <= age <= 110
        if sex or descent:
            flags["age_unknown"] += age == 0
            flags["sex_unknown"] += sex in {"", "X", "H"}
            flags["descent_unknown"] += descent in {"", "X"}
    return flags


def test_every_real_code_of_victim_and_weapon_is_listed(real):
    seen = {
        name: {row[column] or "" for file, found in real.items() if file != OBJECTS for row in found.values()} - {""}
        for name, column in (
            ("victim_sex", "vict_sex"),
            ("victim_descent", "vict_descent"),
            ("weapon", "weapon_used_cd"),
        )
    }
    assert [len(codes) for codes in seen.values()] == [4, 15, 61]
    for target, codes in seen.items():
        assert codes <= set(crosswalk.of_source(LEGACY)[target].exact)


def test_every_real_row_becomes_an_incident(la, real):
    assert {file: len(found) for file, found in real.items()} == {1: 10_000, 2: 12_954, 3: 6_007, 4: 10_000}
    assert [key for key in la.letters if key.split(":")[1].isdigit()] == []
    incidents = [la.of(LEGACY, number, file) for file, found in real.items() for number in found]
    flags = Counter(flag for incident in incidents for flag in incident["quality_flags"].split(",") if flag)
    assert flags == {"coordinates_zero": 73, "area_unknown": 10_000, **victim_flags(real)}
    assert {incident["op"] for incident in incidents} == {"insert"}
    assert Counter(incident["category"] for incident in incidents)["unmapped"] == 0
    assert {incident["time_precision"] for incident in incidents} == {"minute"}


@pytest.mark.parametrize(
    ("one", "other", "shared"),
    [(CLEAN, MANGLED_EXTRA, 464), (CLEAN, MANGLED_BLANK, 2_381), (MANGLED_EXTRA, MANGLED_BLANK, 378)],
)
def test_a_row_that_a_spreadsheet_mangled_is_the_same_incident(la, real, one, other, shared):
    numbers = real[one].keys() & real[other].keys()
    assert len(numbers) == shared
    own = {"revision", "raw_offset"}
    different = [
        (number, key)
        for number in sorted(numbers)
        for key, value in la.of(LEGACY, number, one).items()
        if key not in own and la.of(LEGACY, number, other)[key] != value
    ]
    assert different == []


@pytest.mark.parametrize(("file", "shared"), [(CLEAN, 4_692), (MANGLED_EXTRA, 95), (MANGLED_BLANK, 729)])
def test_the_objects_file_gives_the_same_incidents_as_far_as_its_nine_columns_go(la, real, file, shared):
    """It is an earlier state of the table: amounts in words, ten coordinates and one address were changed since."""
    numbers = real[file].keys() & real[OBJECTS].keys()
    assert len(numbers) == shared
    same = ("incident_id", "occurred_local", "occurred_at", "time_precision", "category")
    pairs = [(la.of(LEGACY, number, file), la.of(LEGACY, number, OBJECTS)) for number in sorted(numbers)]
    assert [(a["record_id"], key) for a, b in pairs for key in same if a[key] != b[key]] == []
    streets = [a["record_id"] for a, b in pairs if a["place"].split(" / ")[0] != b["place"]]
    moved = [a["record_id"] for a, b in pairs if (a["latitude"], a["longitude"]) != (b["latitude"], b["longitude"])]
    assert set(streets) <= {"200905398"}
    assert len(moved) <= 10
