"""The marts over the cities' real rows, against figures counted from the files with nothing but csv, json and Counter.

The rows take the whole way: the portal serves them, each feed is polled once, the stream jobs normalise and count them,
the writer loads them and one build makes the marts. Figures that a person would look up stand here as numbers beside
the count that gives them.

No real file has victims and authors of hate crimes (``hate_crime_persons``), 311 contacts, NIBRS offences, or the
road and light of an accident: those marts are tested with made rows in ``test_marts_by_value.py``.
"""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import real_portal
from real_portal import AUSTIN, CATALONIA, DENVER, LAUS, LOS_ANGELES, SAN_DIEGO

from civicwire import line
from civicwire.commands import build
from civicwire.commands.jobs import start_jobs
from civicwire.polling import connections
from civicwire.sandbox.client import SandboxClient
from civicwire.settings import Settings
from civicwire.stack import Stack
from producers import catalog
from producers.poll import Poller
from stream_jobs.warehouse.connection import Warehouse, connect
from stream_jobs.warehouse.writer import Writer

pytestmark = [pytest.mark.parts, pytest.mark.timeout(1800)]

CALLS_PATH = "police_calls_for_service/pd_calls_for_service_{}_datasd.csv"
ROWS = {AUSTIN: 2_726, SAN_DIEGO: 28_970, LOS_ANGELES: 25_972, CATALONIA: 3_102, DENVER: 4_163, LAUS: 23_599}
"""Rows at each portal. Denver's file has 4,171, eight of them a second offence of an accident that it has already."""
SECONDS = 600


@dataclass(frozen=True)
class Marts:
    """The marts of the real rows."""

    warehouse: Warehouse

    def ask(self, sql: str, **names: str) -> list[tuple[Any, ...]]:
        """The rows that a query of the marts returns; ``{mart}`` in it is the dataset before a mart's name."""
        text = sql.format(mart=f"{self.warehouse.dataset}_marts", **names)
        return [tuple(row.values()) for row in self.warehouse.client.query(text).result()]

    def counts(self, mart: str, by: str, count: str, source: str) -> dict[Any, int]:
        """``count`` added up by one or more expressions of a mart, for one feed."""
        rows = self.ask(
            "select {by}, sum({count}) from {mart}.{name} where source = '{source}' group by {by}",
            name=mart, by=by, count=count, source=source,
        )  # fmt: skip
        return {row[0] if len(row) == 2 else row[:-1]: row[-1] for row in rows}


@pytest.fixture(scope="module")
def marts(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Marts]:
    """One stack, one poll of each feed and one build of the marts for the whole module."""
    served = {
        AUSTIN: real_portal.austin(real_data),
        LOS_ANGELES: real_portal.los_angeles(real_data),
        CATALONIA: real_portal.catalonia(real_data),
        DENVER: real_portal.denver(real_data),
        LAUS: real_portal.laus(real_data),
    }
    calls = real_portal.san_diego(real_data).read_bytes()
    with Stack(tmp_path_factory.mktemp("figures")) as stack:
        settings = Settings(home=stack.home)
        portal = SandboxClient(str(settings.require("portal").portal))
        for feed, rows in served.items():
            portal.replace(feed, rows)
        year = datetime.now(ZoneInfo("America/Los_Angeles")).year
        portal.put_file(CALLS_PATH.format(year), calls)
        for feed, rows in ROWS.items():
            assert poll(settings, feed) == (rows, 0), feed
        start_jobs(settings)
        line.wait_until_streamed(settings, SECONDS, lambda _: None)
        with Writer.of(settings) as writer:
            writer.catch_up()
        assert build.run(settings).failed == ()
        warehouse = connect(settings)
        yield Marts(warehouse)
        warehouse.close()


def poll(settings: Settings, feed: str) -> tuple[int, int]:
    """Poll once and return how many rows were inserted and how many could not be used."""
    poller = Poller(catalog.find(feed), connections(settings))
    try:
        receipt = poller.poll()
    finally:
        poller.close()
    return receipt["inserted"], receipt["dead"]


# --- every feed ---------------------------------------------------------------------------------------------------


def test_every_real_row_is_in_the_warehouse_and_the_status_of_its_feed_says_so(marts: Marts):
    found = marts.ask(
        "select source, polls, failed_polls, live_rows, warehouse_rows, completeness, deleted, dead_letters "
        "from {mart}.feed_status where polls > 0"
    )
    assert {row[0]: row[1:] for row in found} == {feed: (1, 0, rows, rows, 1.0, 0, 0) for feed, rows in ROWS.items()}


def test_arrivals_count_each_incident_once(marts: Marts):
    found = marts.ask(
        "select source, sum(events), sum(inserted), sum(late) from {mart}.arrivals_by_hour group by source"
    )
    assert {row[0]: row[1:] for row in found} == {feed: (rows, rows, 0) for feed, rows in ROWS.items() if feed != LAUS}


# --- Catalonia ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def facts(real_data: Path) -> list[dict[str, str]]:
    return real_portal.table(real_portal.file(real_data, "catalonia/fets_odi_discriminacio_20251124.csv"))


FACTS_BY_YEAR = {2020: 391, 2021: 496, 2022: 641, 2023: 761, 2024: 813}


def test_hate_crime_facts_by_year(marts: Marts, facts: list[dict[str, str]]):
    assert Counter(int(row["Any"]) for row in facts) == FACTS_BY_YEAR
    assert marts.counts("hate_crime_facts", "extract(year from month)", "facts", CATALONIA) == FACTS_BY_YEAR
    assert marts.counts("city_month_trend", "extract(year from month)", "incidents", CATALONIA) == FACTS_BY_YEAR


def test_hate_crime_facts_by_month(marts: Marts, facts: list[dict[str, str]]):
    months = Counter(date(int(row["Any"]), int(row["Núm. Mes"]), 1) for row in facts)
    assert len(months) == 60
    assert marts.counts("hate_crime_facts", "month", "facts", CATALONIA) == months


def test_victims_of_hate_crimes_are_stated_until_2021(marts: Marts, facts: list[dict[str, str]]):
    stated = [row for row in facts if row["Nombre víctimes"]]
    victims: Counter[int] = Counter()
    for row in stated:
        victims[int(row["Any"])] += int(row["Nombre víctimes"])
    facts_that_say = Counter(int(row["Any"]) for row in stated)
    assert (victims, facts_that_say) == ({2020: 544, 2021: 575}, {2020: 391, 2021: 472})
    by_year = "extract(year from month)"
    none = dict.fromkeys((2022, 2023, 2024), 0)
    assert marts.counts("hate_crime_facts", by_year, "victims", CATALONIA) == victims | none
    assert marts.counts("hate_crime_facts", by_year, "victims_stated", CATALONIA) == facts_that_say | none


def test_motives_of_hate_crimes_whatever_their_spelling(marts: Marts, facts: list[dict[str, str]]):
    beginnings = {
        "lgtbi": "lgtbi_phobia",
        "etni": "ethnic_or_racial_origin",
        "ètni": "ethnic_or_racial_origin",
        "orientació política": "political_orientation",
        "islam": "islamophobia",
        "sexisme": "sexism",
        "discapacitat": "disability",
        "antisemita": "antisemitism",
    }
    counted: Counter[str] = Counter()
    for row in facts:
        text = row["Àmbit fet"].lower()
        counted.update(motive for beginning, motive in beginnings.items() if text.startswith(beginning))
    assert counted == {
        "lgtbi_phobia": 1_180,
        "ethnic_or_racial_origin": 1_042,
        "political_orientation": 440,
        "islamophobia": 87,
        "sexism": 66,
        "disability": 65,
        "antisemitism": 35,
    }
    found = marts.counts("hate_crime_facts", "motive", "facts", CATALONIA)
    assert {motive: found[motive] for motive in counted} == counted
    assert sum(found.values()) == len(facts)


# --- San Diego ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def calls(real_data: Path) -> list[dict[str, str]]:
    return real_portal.table(real_portal.san_diego(real_data))


def test_calls_by_type(marts: Marts, calls: list[dict[str, str]]):
    types = Counter(row["call_type"] or "unknown" for row in calls)
    assert sum(types.values()) == 28_970
    assert types.most_common(10) == [
        ("415", 2_206),  # disturbing the peace
        ("SELENF", 1_791),  # selective enforcement
        ("T", 1_717),  # traffic stop
        ("459A", 1_538),  # burglary alarm
        ("CW", 1_238),  # check the welfare
        ("586", 899),  # parking
        ("911", 822),
        ("FU", 797),  # follow up
        ("415V", 727),
        ("HZRD", 665),  # hazard
    ]
    assert marts.counts("calls_by_type_and_beat", "call_type", "calls", SAN_DIEGO) == types
    assert marts.counts("incidents_by_code", "code", "incidents", SAN_DIEGO) == types


def test_calls_by_beat_and_by_priority(marts: Marts, calls: list[dict[str, str]]):
    beats = Counter("unknown" if row["beat"] == "-1" else row["beat"] for row in calls)
    assert beats["unknown"] == 439
    assert marts.counts("calls_by_type_and_beat", "beat", "calls", SAN_DIEGO) == beats
    assert marts.counts("calls_by_type_and_beat", "priority", "calls", SAN_DIEGO) == Counter(
        row["priority"] for row in calls
    )


def test_calls_by_weekday_and_hour(marts: Marts, calls: list[dict[str, str]]):
    times = [datetime.fromisoformat(row["date_time"]) for row in calls]
    expected = Counter((time.isoweekday(), time.hour) for time in times)
    assert marts.counts("hour_by_weekday", "weekday, hour", "incidents", SAN_DIEGO) == expected


# --- Los Angeles --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def reports(real_data: Path) -> list[dict[str, Any]]:
    return real_portal.los_angeles(real_data)


def hour(report: dict[str, Any]) -> int:
    return int(report["time_occ"].zfill(4)[:2])


def test_reports_by_area(marts: Marts, reports: list[dict[str, Any]]):
    """Half of the rows are of West Los Angeles: one of the three copies is of that area only."""
    areas = Counter(row["area_name"] for row in reports)
    assert len(areas) == 21
    assert areas.most_common(3) == [("West LA", 13_077), ("Central", 1_836), ("Southwest", 1_690)]
    assert marts.counts("incidents_by_area", "area", "incidents", LOS_ANGELES) == areas


def test_reports_by_hour_and_the_most_dangerous_one(marts: Marts, reports: list[dict[str, Any]]):
    """Noon leads because 12:00 also stands for a time that nobody knows; 18:00 is next."""
    hours = Counter(hour(row) for row in reports)
    assert hours.most_common(3) == [(12, 1_758), (18, 1_703), (17, 1_652)]
    assert sum(row["time_occ"] == "1200" for row in reports) > hours[12] - hours[18]
    assert marts.counts("hour_by_weekday", "hour", "incidents", LOS_ANGELES) == hours
    areas = Counter((row["area_name"], hour(row)) for row in reports)
    assert marts.counts("hour_by_area", "area, hour", "incidents", LOS_ANGELES) == areas
    first = marts.ask(
        "select hour from {mart}.hour_by_area where source = '{la}' group by hour order by sum(incidents) desc limit 1",
        la=LOS_ANGELES,
    )
    assert first == [(12,)]


def test_victims_by_sex_and_descent(marts: Marts, reports: list[dict[str, Any]]):
    """H as a sex is a code that the city does not explain. 2,521 rows, mostly of stolen cars, have no victim."""
    sexes = {"M": "male", "F": "female", "X": "unknown", "H": "unknown"}
    asian, pacific = dict.fromkeys("ACDFJKLVZ", "asian"), dict.fromkeys("GPSU", "pacific_islander")
    descents = {"W": "white", "H": "hispanic", "B": "black", "I": "american_indian", "O": "other", "X": "unknown"}
    descents |= asian | pacific
    victims = [
        row
        for row in reports
        if "vict_sex" in row or "vict_descent" in row or 1 <= int(row.get("vict_age", "0")) <= 110
    ]
    by_sex = Counter(sexes.get(row.get("vict_sex", ""), "not_stated") for row in victims)
    by_descent = Counter(descents.get(row.get("vict_descent", ""), "not_stated") for row in victims)
    assert by_sex == {"male": 11_578, "female": 9_312, "unknown": 2_561}
    assert by_descent.most_common(3) == [("white", 8_734), ("hispanic", 5_458), ("unknown", 2_694)]
    assert marts.counts("victims_by_group", "victim_sex", "victims", LOS_ANGELES) == by_sex
    assert marts.counts("victims_by_group", "victim_descent", "victims", LOS_ANGELES) == by_descent


def test_ages_of_victims(marts: Marts, reports: list[dict[str, Any]]):
    ages = [int(row["vict_age"]) for row in reports if 1 <= int(row.get("vict_age", "0")) <= 110]
    (found,) = marts.ask(
        "select sum(age_known), sum(age_sum) from {mart}.victims_by_group where source = '{la}'", la=LOS_ANGELES
    )
    assert found == (len(ages), sum(ages))
    minors = marts.counts("victims_by_group", "age_group", "victims", LOS_ANGELES)["0-17"]
    assert minors == sum(age < 18 for age in ages)


# --- Los Angeles and unemployment ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def rates(real_data: Path) -> dict[bool, dict[date, float]]:
    """The unemployment rate of Los Angeles County by month, as it is and (True) seasonally adjusted."""
    found: dict[bool, dict[date, float]] = {False: {}, True: {}}
    for row in real_portal.laus(real_data):
        if row["Area Name "] == "Los Angeles County":
            adjusted = row["Seasonally Adjusted (Y/N) "] == "Y"
            found[adjusted][date.fromisoformat(row["Date"])] = float(row["Unemployment Rate "])
    return found


def test_crime_stands_beside_the_unemployment_of_its_month(
    marts: Marts, reports: list[dict[str, Any]], rates: dict[bool, dict[date, float]]
):
    months = Counter(date.fromisoformat(row["date_occ"][:10]).replace(day=1) for row in reports)
    expected = {
        (month, adjusted): (count, rates[adjusted][month]) for month, count in months.items() for adjusted in rates
    }
    assert len(expected) == 2 * 19
    assert expected[date(2020, 5, 1), False] == (1_655, 0.19)
    found = marts.ask(
        "select month, seasonally_adjusted, incidents, unemployment_rate from {mart}.crime_and_unemployment"
    )
    assert {row[:2]: row[2:] for row in found} == expected


def test_the_correlation_with_unemployment_is_pearsons_over_the_whole_months(
    marts: Marts, reports: list[dict[str, Any]], rates: dict[bool, dict[date, float]]
):
    """Of 19 months the last is still filling. One year and a half is too short to compare with the year before.

    It says nothing of the city: the copies hold 4,035 reports of January 2020 and some 1,500 of the months after it.
    """
    months = Counter(date.fromisoformat(row["date_occ"][:10]).replace(day=1) for row in reports)
    del months[date(2021, 7, 1)]
    daily = {month: count / days_of(month) for month, count in months.items()}
    expected = {
        (adjusted, lag): statistics.correlation(
            list(daily.values()), [rates[adjusted][earlier(month, lag)] for month in daily]
        )
        for adjusted in rates
        for lag in range(-12, 13)
    }
    found = marts.ask(
        "select seasonally_adjusted, lag_months, months, correlation, is_strongest "
        "from {mart}.unemployment_correlation where measure = 'all' and transform = 'level'"
    )
    assert {row[2] for row in found} == {18}
    assert {row[:2]: row[3] for row in found} == pytest.approx(expected)
    strongest = {adjusted: max(range(-12, 13), key=lambda lag: abs(expected[adjusted, lag])) for adjusted in rates}
    assert strongest == {False: -7, True: -7}
    assert [round(expected[adjusted, -7], 3) for adjusted in rates] == [0.932, 0.933]
    assert {row[0]: row[1] for row in found if row[4]} == strongest
    years = marts.ask(
        "select max(months), count(correlation), countif(is_strongest) from {mart}.unemployment_correlation "
        "where transform = 'year_change'"
    )
    assert years == [(6, 0, 0)]


def days_of(month: date) -> int:
    return ((month + timedelta(days=31)).replace(day=1) - month).days


def earlier(month: date, lag: int) -> date:
    number = month.year * 12 + month.month - 1 - lag
    return date(number // 12, number % 12 + 1, 1)


# --- Austin -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def offences(real_data: Path) -> list[dict[str, Any]]:
    return real_portal.austin(real_data)


def year(offence: dict[str, Any]) -> int:
    return int((offence.get("occ_date_time") or offence["occ_date"])[:4])


def test_offences_by_year(marts: Marts, offences: list[dict[str, Any]]):
    """Not Austin's crime: four times the default page of the API, 137 old rows and those of three weekly loads."""
    years = Counter(map(year, offences))
    assert years == {
        2003: 78, 2004: 13, 2005: 14, 2006: 18, 2007: 7, 2008: 4, 2010: 1, 2012: 1, 2016: 1, 2023: 863, 2024: 1_726
    }  # fmt: skip
    assert marts.counts("city_month_trend", "extract(year from month)", "incidents", AUSTIN) == years


def test_clearance_by_year(marts: Marts, offences: list[dict[str, Any]]):
    """Of the three years that have more than a few rows: by arrest, by exceptional means, not, and undecided."""
    expected = Counter((year(row), row.get("clearance_status")) for row in offences)
    shares = {
        2003: (1, 2, 71, 4),  # 1.3 % by arrest, 2.6 % exceptionally, 91.0 % not cleared
        2023: (128, 0, 206, 529),  # 14.8 %, 0 %, 23.9 %
        2024: (290, 2, 369, 1_065),  # 16.8 %, 0.1 %, 21.4 %
    }
    for each, counted in shares.items():
        assert tuple(expected[each, code] for code in ("C", "O", "N", None)) == counted
    found = marts.ask(
        "select extract(year from month) as year, sum(cleared_arrest), sum(cleared_exceptional), sum(not_cleared), "
        "sum(open), sum(cleared), round(100 * sum(cleared) / sum(incidents), 1) "
        "from {mart}.incidents_by_area where source = '{austin}' group by year",
        austin=AUSTIN,
    )
    by_year = {row[0]: row[1:] for row in found}
    assert {one: by_year[one][:4] for one in shares} == shares
    assert {one: by_year[one][4:] for one in shares} == {2003: (3, 3.8), 2023: (128, 14.8), 2024: (292, 16.9)}
    assert {one: row[:4] for one, row in by_year.items()} == {
        one: tuple(expected[one, code] for code in ("C", "O", "N", None)) for one in set(map(year, offences))
    }


def test_offences_by_weekday_and_hour(marts: Marts, offences: list[dict[str, Any]]):
    """The 137 old rows have no ``occ_date_time``, and of their clocks none is one: none at all, 2400, or 60 minutes."""
    moments = [datetime.fromisoformat(row["occ_date_time"]) for row in offences if "occ_date_time" in row]
    assert len(moments) == 2_589
    clocks = [row.get("occ_time", "") for row in offences if "occ_date_time" not in row]
    without = (clocks.count(""), clocks.count("2400"), sum(clock[-2:] > "59" for clock in clocks))
    assert without == (60, 73, 4)
    expected = Counter((moment.isoweekday(), moment.hour) for moment in moments)
    assert marts.counts("hour_by_weekday", "weekday, hour", "incidents", AUSTIN) == expected
    assert marts.counts("city_month_trend", "source", "without_time_of_day", AUSTIN) == {AUSTIN: sum(without)}


# --- Denver -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def accidents(real_data: Path) -> list[datetime]:
    """The minute of each accident: one that ends in :59 is the next one with a fraction cut off."""
    path = real_portal.file(real_data, "denver_accidents/traffic_accidents_2014-05_data.csv")
    times = {row["INCIDENT_ID"]: row["FIRST_OCCURRENCE_DATE"] for row in real_portal.table(path)}
    moments = [datetime.fromisoformat(text) for text in times.values()]
    return [moment + timedelta(seconds=moment.second == 59) for moment in moments]


def test_accidents_by_season(marts: Marts, accidents: list[datetime]):
    """Not Denver's seasons: the file is whole from January to April 2014 only."""
    seasons = Counter(("winter", "spring", "summer", "autumn")[at.month % 12 // 3] for at in accidents)
    assert seasons == {"winter": 2_025, "spring": 1_834, "summer": 4, "autumn": 300}
    assert marts.counts("accidents_by_condition", "season", "accidents", DENVER) == seasons


def test_accidents_by_weekday_and_hour(marts: Marts, accidents: list[datetime]):
    expected = Counter((at.isoweekday(), at.hour) for at in accidents)
    assert marts.counts("accidents_by_condition", "weekday, hour", "accidents", DENVER) == expected


def test_a_file_without_road_and_light_says_so(marts: Marts, accidents: list[datetime]):
    conditions = marts.counts("accidents_by_condition", "road_condition, light_condition", "accidents", DENVER)
    assert conditions == {("not_stated", "not_stated"): len(accidents)}
