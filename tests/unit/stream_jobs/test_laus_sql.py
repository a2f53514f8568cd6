"""California's unemployment rows in, indicators and dead letters out, through the SQL that runs in production."""

from __future__ import annotations

import base64
import csv
import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

import feed_run
import pytest

from civicwire.settings import ROOT
from schemas import topics

SOURCE = "california_laus"
FIGURES = ("employment", "labor_force", "unemployment", "unemployment_rate")
PRELIMINARY_MONTH = "2023-04-01"
"""The newest month of the real file. The file has no status column; FACTS: only the newest month is preliminary."""


def published(area: str = "Alameda County", **values: str | None) -> dict[str, str | None]:
    """A row under the names that the portal publishes, trailing blanks and all."""
    return {
        "Area Type ": "County",
        "Area Name ": f"{area}  ",
        "Date": "2021-12-01",
        "Year ": "2021",
        "Month": "December",
        "Seasonally Adjusted (Y/N) ": "N",
        "Status (Preliminary / Final) ": "Final",
        "Labor Force": "820700",
        "Employment ": "790900",
        "Unemployment ": "29800",
        "Unemployment Rate ": "0.036",
        **values,
    }


RATE = "Unemployment Rate "
CASES = {
    "good": published("good"),
    "us date": published("us date", Date="12/01/2021"),
    "short us date": published("short us date", Date="3/1/2021"),
    "timestamp": published("timestamp", Date="2021-12-01T00:00:00"),
    "month 13": published("month 13", Date="2021-13-01"),
    "30 february": published("30 february", Date="02/30/2021"),
    "words": published("words", Date="Dec-21"),
    "long ago": published("long ago", Date="0001-01-10"),
    "percent": published("percent", **{RATE: "3.6"}),
    "percent sign": published("percent sign", **{RATE: "3.6%"}),
    "small percent": published("small percent", **{RATE: "0.8", "Labor Force": "1000", "Unemployment ": "8"}),
    "large fraction": published("large fraction", **{RATE: "0.8", "Labor Force": "1000", "Unemployment ": "800"}),
    "lone percent": published("lone percent", **{RATE: "2.8", "Labor Force": None}),
    "lone fraction": published("lone fraction", **{RATE: "0.028", "Labor Force": "0"}),
    "impossible": published("impossible", **{RATE: "280%", "Employment ": "-5"}),
    "unreadable": published("unreadable", **{RATE: "n/a", "Labor Force": "1,234,500", "Employment ": None}),
    "preliminary": published("preliminary", **{"Status (Preliminary / Final) ": "Preliminary "}),
    "no status": published("no status", **{"Status (Preliminary / Final) ": None}),
    "maybe adjusted": published("maybe adjusted", **{"Seasonally Adjusted (Y/N) ": "?"}),
    "metro": published("metro", **{"Area Type ": "Metropolitan Area "}),
}
NAMES = ("Los Angeles County", "Los Angeles County ")


def real_rows() -> list[dict[str, str | None]]:
    """The real file under the portal's names; the second row of an area and month is taken as the adjusted one."""
    path = (
        Path(os.environ.get("CIVICWIRE_REAL_DATA", ROOT.parent / "shared" / "data")) / "laus" / "LAUS_CA_from_rda.csv"
    )
    if not path.is_file():
        return []
    seen: set[tuple[str, str]] = set()
    rows = []
    with path.open(encoding="utf-8-sig", newline="") as lines:
        for line in csv.DictReader(lines):
            key = (line["County"], line["Date"])
            rows.append(
                published(
                    line["County"],
                    Date=line["Date"],
                    **{
                        "Year ": line["Year"],
                        "Seasonally Adjusted (Y/N) ": "Y" if key in seen else "N",
                        "Status (Preliminary / Final) ": "Preliminary"
                        if line["Date"] == PRELIMINARY_MONTH
                        else "Final",
                        "Labor Force": line["LaborForce"],
                        "Employment ": line["Employment"],
                        "Unemployment ": line["Unemployment"],
                        RATE: line["UnemploymentRate"],
                    },
                )
            )
            seen.add(key)
    return rows


def events_of(rows: list[dict[str, str | None]]) -> list[dict[str, Any]]:
    return [feed_run.event(SOURCE, record_id, known) for record_id, known in feed_run.shaped(SOURCE, rows)]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> feed_run.Made:
    ((record_id, known),) = feed_run.shaped(SOURCE, [published("revised")])
    ((bad_id, bad),) = feed_run.shaped(SOURCE, [published("bad for ever", Date="soon")])
    events = [
        *events_of(list(CASES.values())),
        feed_run.event(SOURCE, record_id, known | {"unemployment": "30000"}, revision=2, op="revise"),
        feed_run.event(SOURCE, record_id, known, revision=3, op="delete"),
        feed_run.event(SOURCE, record_id, known, revision=4, op="expire"),
        feed_run.event(SOURCE, "another|row|2021-12-01|N", known),
        feed_run.event(SOURCE, bad_id, bad, revision=2, op="revise"),
        feed_run.event(SOURCE, bad_id, bad, revision=3, op="delete"),
        *events_of(real_rows()),
    ]
    return feed_run.run(tmp_path_factory.mktemp("laus"), {SOURCE: events})


@pytest.fixture(scope="module")
def indicator(made: feed_run.Made) -> Any:
    """Look a figure up by the area of a case, and revision (1 by default)."""
    found = made.by(topics.INDICATORS, "area", "indicator", "revision")

    def look(area: str, name: str = "unemployment_rate", revision: int = 1) -> dict[str, Any]:
        return found[area, name, revision]

    return look


def test_a_row_becomes_one_indicator_for_each_of_its_figures(made, indicator):
    assert indicator("good") == {
        "indicator_id": "california_laus:County|good|2021-12-01|N:unemployment_rate",
        "source": SOURCE,
        "record_id": "County|good|2021-12-01|N",
        "revision": 1,
        "op": "insert",
        "deleted": False,
        "indicator": "unemployment_rate",
        "area_kind": "county",
        "area": "good",
        "month": "2021-12-01",
        "seasonally_adjusted": False,
        "preliminary": False,
        "value": 0.036,
        "unit": "fraction",
        "quality_flags": "",
        "observed_at": "2026-11-20T12:00:00",
        "poll_id": "california_laus@20261120T120000.000000Z",
        "raw_partition": 1,
        "raw_offset": 0,
    }
    persons = {name: (indicator("good", name)["value"], indicator("good", name)["unit"]) for name in FIGURES[:3]}
    assert persons == {
        "employment": (790900.0, "persons"),
        "labor_force": (820700.0, "persons"),
        "unemployment": (29800.0, "persons"),
    }
    assert Counter(record["indicator"] for record in made.records["indicators"] if record["area"] == "good") == (
        Counter(FIGURES)
    )


@pytest.mark.parametrize(
    ("area", "month"),
    [("us date", "2021-12-01"), ("short us date", "2021-03-01"), ("timestamp", "2021-12-01")],
)
def test_every_published_form_of_the_date_gives_the_month(indicator, area, month):
    assert indicator(area)["month"] == month


@pytest.mark.parametrize(
    ("area", "value", "flags"),
    [
        ("percent", 0.036, "rate_was_percent"),
        ("percent sign", 0.036, "rate_was_percent"),
        ("small percent", 0.008, "rate_was_percent"),
        ("large fraction", 0.8, ""),
        ("lone percent", 0.028, "rate_was_percent"),
        ("lone fraction", 0.028, ""),
        ("impossible", None, "rate_was_percent,value_out_of_range"),
        ("unreadable", None, "value_unparsable"),
    ],
)
def test_a_rate_is_a_fraction_whichever_way_it_was_published(indicator, area, value, flags):
    rate = indicator(area)
    assert (rate["value"], rate["quality_flags"]) == (value, flags)


def test_a_figure_that_says_nothing_is_null_and_flagged_and_costs_no_other(indicator):
    assert (indicator("unreadable", "labor_force")["value"]) == 1234500.0
    missing = indicator("unreadable", "employment")
    assert (missing["value"], missing["quality_flags"]) == (None, "value_missing")
    negative = indicator("impossible", "employment")
    assert (negative["value"], negative["quality_flags"]) == (None, "value_out_of_range")


def test_status_and_adjustment_are_true_false_or_unknown_and_said_to_be(indicator):
    assert [indicator(area)["preliminary"] for area in ("good", "preliminary", "no status")] == [False, True, None]
    assert indicator("no status")["quality_flags"] == "status_unknown"
    maybe = indicator("maybe adjusted")
    assert (maybe["seasonally_adjusted"], maybe["quality_flags"]) == (None, "adjustment_unknown")
    assert indicator("metro")["area_kind"] == "metropolitan_area"


def test_status_is_no_part_of_the_identity_so_that_final_revises_preliminary():
    rows = [published(**{"Status (Preliminary / Final) ": status}) for status in ("Preliminary", "Final")]
    assert len({record_id for record_id, _ in feed_run.shaped(SOURCE, rows)}) == 1


def test_blanks_around_published_values_are_no_part_of_the_identity():
    rows = [published(**{"Area Name ": name, "Area Type ": "County "}) for name in NAMES]
    assert {record_id for record_id, _ in feed_run.shaped(SOURCE, rows)} == {"County|Los Angeles County|2021-12-01|N"}


def test_revisions_go_on_and_only_a_delete_ends_a_figure(indicator):
    revisions = [indicator("revised", "unemployment", revision) for revision in (2, 3, 4)]
    assert [(one["op"], one["deleted"]) for one in revisions] == [
        ("revise", False),
        ("delete", True),
        ("expire", False),
    ]
    assert revisions[0]["value"] == 30000.0


@pytest.mark.parametrize(
    ("record_id", "reason"),
    [
        ("County|month 13|2021-13-01|N", "event_time_unparsable"),
        ("County|30 february|02/30/2021|N", "event_time_unparsable"),
        ("County|words|Dec-21|N", "event_time_unparsable"),
        ("County|long ago|0001-01-10|N", "event_time_out_of_range"),
        ("another|row|2021-12-01|N", "key_mismatch"),
    ],
)
def test_a_row_without_usable_month_or_key_is_a_dead_letter_and_no_indicator(made, record_id, reason):
    letter = made.by(topics.DEAD_LETTERS, "dead_id")[f"{SOURCE}:{record_id}:1:{reason}"]
    assert (letter["stage"], letter["reason"]) == ("normalise", reason)
    assert "labor_force" in json.loads(base64.b64decode(letter["payload"]))
    assert not [one for one in made.records["indicators"] if one["record_id"] == record_id]


def test_a_row_that_was_never_good_is_not_withdrawn(made):
    assert not [one for one in made.records["indicators"] if "bad for ever" in one["record_id"]]
    letters = [one["dead_id"] for one in made.records["dead_letters"] if "bad for ever" in one["dead_id"]]
    assert letters == ["california_laus:County|bad for ever|soon|N:2:event_time_unparsable"]


def test_every_real_row_gives_four_figures_and_both_series_of_los_angeles_stay(made, real_data):
    rows = real_rows()
    assert len(rows) == 23_599
    counties = {str(row["Area Name "]).strip() for row in rows}
    found = [one for one in made.records["indicators"] if one["area"] in counties]
    assert Counter(one["indicator"] for one in found) == dict.fromkeys(FIGURES, 23_599)
    assert len({one["indicator_id"] for one in found}) == 4 * 23_599
    rates = [one for one in found if one["indicator"] == "unemployment_rate"]
    los_angeles = [one for one in rates if one["area"] == "Los Angeles County"]
    assert Counter(one["seasonally_adjusted"] for one in los_angeles) == {False: 400, True: 399}
    december = {
        one["value"]
        for one in found
        if (one["area"], one["month"], one["indicator"]) == ("Los Angeles County", "2021-12-01", "unemployment")
    }
    assert december == {300_200.0, 332_900.0}
    preliminary = sum(row["Date"] == PRELIMINARY_MONTH for row in rows)
    assert Counter(one["preliminary"] for one in rates) == {True: preliminary, False: 23_599 - preliminary}
    assert preliminary == 59
    assert {one["quality_flags"] for one in found} == {""}
    assert {(one["area"], one["month"], one["seasonally_adjusted"]): one["value"] for one in rates} == {
        (str(row["Area Name "]).strip(), row["Date"], row["Seasonally Adjusted (Y/N) "] == "Y"): float(str(row[RATE]))
        for row in rows
    }
