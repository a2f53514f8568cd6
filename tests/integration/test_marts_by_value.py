"""Every mart against an equation over the made rows in plain Python; ``test_marts.py`` has those of four more."""

from __future__ import annotations

import csv
import math
import re
import statistics
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest
from marts_data import AUSTIN, SAN_DIEGO, MadeMarts
from marts_feeds import ARCHIVE, ARRIVED, BURST, DELAYS, DENVER, FACTS, LAUS, LOS_ANGELES, PERSONS

from civicwire.settings import ROOT

pytestmark = pytest.mark.parts

Row = dict[str, Any]
KINDS_OF_REPORTS = {"crime_report", "offence"}


def ask(marts: MadeMarts, mart: str, columns: str, where: str = "true") -> list[tuple[Any, ...]]:
    """Columns of a mart's rows."""
    sql = f"select {columns} from made_marts.{mart} where {where}"
    return [tuple(row.values()) for row in marts.warehouse.client.query(sql).result()]


def keyed(marts: MadeMarts, mart: str, keys: str, values: str, where: str = "true") -> dict[Any, Any]:
    """A mart's rows as key to values; a key that comes twice is an error."""
    width = len(keys.split(","))
    rows = ask(marts, mart, f"{keys}, {values}", where)
    found = {row[:width]: row[width:] for row in rows}
    assert len(found) == len(rows)
    return found


def month(row: Row) -> date:
    return row["occurred_date"].replace(day=1)


def known(value: str | None) -> str:
    return value or "unknown"


def stated(value: str | None) -> str:
    return value or "not_stated"


def counted(
    rows: Iterable[Row], key: Callable[[Row], tuple[Any, ...]], *counts: Callable[[Row], Any]
) -> dict[tuple[Any, ...], tuple[Any, ...]]:
    """Sums of each of ``counts`` by key; a sum of nulls alone is null, as in SQL."""
    groups: dict[tuple[Any, ...], list[Row]] = defaultdict(list)
    for row in rows:
        groups[key(row)].append(row)

    def total(group: list[Row], count: Callable[[Row], Any]) -> Any:
        values = [value for value in map(count, group) if value is not None]
        return sum(values) if values else None

    return {at: tuple(total(group, count) for count in counts) for at, group in groups.items()}


def one(_: Row) -> int:
    return 1


def of_kind(made: MadeMarts, *kinds: str) -> list[Row]:
    return [row for row in made.made.live if row["kind"] in kinds]


@pytest.fixture(scope="module")
def index_crime() -> dict[str, str]:
    """The categories that are violent or property crime in the FBI's summary reports."""
    with (ROOT / "stream_jobs" / "crosswalks" / "categories.csv").open(encoding="utf-8", newline="") as file:
        return {row["category"]: row["index_crime"] for row in csv.DictReader(file)}


def age_group(age: int | None) -> str:
    if age is None:
        return "unknown"
    return next(
        (name for least, name in ((60, "60+"), (45, "45-59"), (30, "30-44"), (18, "18-29")) if age >= least), "0-17"
    )


def test_no_mart_is_without_a_test_that_asks_it_for_values():
    texts = [path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("test_marts*.py")]
    asked = {name for text in texts for name in re.findall(r'(?:\{marts\}\.|made_marts,\s+")(\w+)', text)}
    folder = ROOT / "dbt" / "models" / "marts"
    unit_tested = {path.stem for path in folder.glob("*.yml") if "unit_tests:" in path.read_text(encoding="utf-8")}
    assert {path.stem for path in folder.glob("*.sql")} - asked - unit_tested == set()


# --- every city -----------------------------------------------------------------------------------------------------


def test_areas_say_what_became_of_their_incidents(made_marts: MadeMarts):
    statuses = ("open", "cleared_arrest", "cleared_exceptional", "not_cleared", "closed", "unknown")
    expected = counted(
        made_marts.made.live,
        lambda row: (row["source"], row["kind"], month(row), row["area_kind"], known(row["area"]), row["category"]),
        one,
        *(lambda row, status=status: row["status"] == status for status in statuses),
        lambda row: row["status"].startswith("cleared"),
        lambda row: row.get("domestic") is True,
    )
    found = keyed(
        made_marts,
        "incidents_by_area",
        "source, kind, month, area_kind, area, category",
        "incidents, open, cleared_arrest, cleared_exceptional, not_cleared, closed, status_unknown, cleared, domestic",
    )
    assert found == expected


def test_codes_are_those_of_the_feed(made_marts: MadeMarts):
    expected = counted(
        made_marts.made.live,
        lambda row: (
            row["source"], row["kind"], month(row), row["category"], known(row["code"]), known(row["description"])
        ),
        one,
        lambda row: row["status"].startswith("cleared"),
    )  # fmt: skip
    keys = "source, kind, month, category, code, description"
    assert keyed(made_marts, "incidents_by_code", keys, "incidents, cleared") == expected


def test_hours_of_an_area(made_marts: MadeMarts, index_crime: dict[str, str]):
    expected = counted(
        [row for row in made_marts.made.live if row["time_precision"] in {"minute", "second"}],
        lambda row: (row["source"], row["kind"], month(row), known(row["area"]), row["occurred_local"].hour),
        one,
        lambda row: index_crime[row["category"]] == "violent",
        lambda row: index_crime[row["category"]] == "property",
        lambda row: row["occurred_local"].time() < time(0, 1),
    )
    values = "incidents, violent, property, first_minute"
    assert keyed(made_marts, "hour_by_area", "source, kind, month, area, hour", values) == expected


def cell(degrees: float | None) -> float | None:
    return None if degrees is None else round(math.floor(degrees * 100) / 100 + 0.005, 3)


def test_cells_of_a_hundredth_of_a_degree(made_marts: MadeMarts, index_crime: dict[str, str]):
    expected = counted(
        made_marts.made.live,
        lambda row: (
            row["source"],
            row["kind"],
            month(row),
            known(row["area"]),
            cell(row.get("latitude")),
            cell(row.get("longitude")),
        ),
        one,
        lambda row: index_crime[row["category"]] == "violent",
        lambda row: index_crime[row["category"]] == "property",
        lambda row: row.get("seriously_injured"),
        lambda row: row.get("fatalities"),
    )
    keys = "source, kind, month, area, cell_latitude, cell_longitude"
    values = "incidents, violent, property, seriously_injured, fatalities"
    assert keyed(made_marts, "incidents_by_cell", keys, values) == expected
    assert any(key[4] for key in expected)


def test_details_are_the_incidents_that_exist(made_marts: MadeMarts):
    columns = (
        "source", "kind", "category", "code", "description", "status", "area_kind", "area", "occurred_date",
        "occurred_local", "reported_local", "closed_local", "time_precision", "latitude", "victim_age", "victim_sex",
        "weapon", "motive", "quality_flags", "revision",
    )  # fmt: skip
    expected = {(row["incident_id"],): tuple(row.get(column) for column in columns) for row in made_marts.made.live}
    assert keyed(made_marts, "incident_details", "incident_id", ", ".join(columns)) == expected


def test_an_hour_is_unusual_against_the_same_hour_of_seven_days(made_marts: MadeMarts):
    windows = {
        (row["source"], row["kind"], row["area"], row["category"], row["window_start"]): row["incidents"]
        for row in made_marts.made.incident_counts
        if row["grain"] == "hour"
    }
    days = {(key[0], key[4].date()) for key, incidents in windows.items() if incidents}
    expected = {}
    for (*cells, start), incidents in windows.items():
        if incidents:
            week = [start - timedelta(days=back) for back in range(1, 8)]
            baseline = sum(windows.get((*cells, before), 0) for before in week) / 7
            history = sum((cells[0], before.date()) in days for before in week)
            threshold = baseline + 3 * math.sqrt(baseline + 1)
            unusual = history == 7 and incidents >= 5 and incidents > threshold
            expected[*cells, start] = (incidents, baseline, history, threshold, unusual)
    found = keyed(
        made_marts,
        "unusual_hours",
        "source, kind, area, category, hour_start",
        "incidents, baseline, days_of_history, threshold, is_unusual",
    )
    assert found.keys() == expected.keys()
    for key, values in found.items():
        assert values == pytest.approx(expected[key]), key
    assert [key[4] for key, values in found.items() if values[4]] == [BURST.replace(tzinfo=None)]


# --- cities side by side, unemployment ------------------------------------------------------------------------------


def days_of(start: date) -> int:
    return ((start + timedelta(days=31)).replace(day=1) - start).days


def monthly(made: MadeMarts, index_crime: dict[str, str], source: str) -> dict[str, Counter[date]]:
    """Incidents of a feed by measure and month; a measure has every month that has any incident."""
    found: dict[str, Counter[date]] = {measure: Counter() for measure in ("all", "violent", "property")}
    for row in made.made.live:
        if row["source"] == source:
            for measure, months in found.items():
                months[month(row)] += measure in {"all", index_crime[row["category"]]}
    return found


def test_a_city_is_compared_by_incidents_a_day_and_its_own_mean(made_marts: MadeMarts, index_crime: dict[str, str]):
    for city, source in (("Los Angeles", LOS_ANGELES), ("San Diego", SAN_DIEGO)):
        expected = {}
        for measure, months in monthly(made_marts, index_crime, source).items():
            daily = {each: count / days_of(each) for each, count in months.items()}
            mean = statistics.fmean(value for each, value in daily.items() if each != max(daily))
            for each, count in months.items():
                whole = each != max(months)
                index = 100 * daily[each] / mean if mean else None
                expected[measure, each] = (count, daily[each], whole, whole, index)
        found = keyed(
            made_marts,
            "city_comparison",
            "measure, month",
            "incidents, incidents_per_day, is_complete, is_comparable, index_in_series",
            f"city = '{city}'",
        )
        assert found.keys() == expected.keys()
        for key, values in found.items():
            assert values == pytest.approx(expected[key]), key


def rates(made: MadeMarts, indicator: str = "unemployment_rate") -> dict[bool, dict[date, float]]:
    """A figure of Los Angeles County by month, as it is and (True) seasonally adjusted."""
    found: dict[bool, dict[date, float]] = {False: {}, True: {}}
    for row in made.made.indicators:
        if row["area"] == "Los Angeles County" and row["indicator"] == indicator and not row["deleted"]:
            found[row["seasonally_adjusted"]][row["month"]] = row["value"]
    return found


def test_crime_stands_beside_the_unemployment_of_its_month(made_marts: MadeMarts, index_crime: dict[str, str]):
    crime = monthly(made_marts, index_crime, LOS_ANGELES)
    names = ("unemployment_rate", "unemployment", "labor_force")
    figures = {name: rates(made_marts, name) for name in names}
    expected = {
        (each, adjusted): (
            crime["all"][each],
            crime["violent"][each],
            crime["property"][each],
            pytest.approx(crime["all"][each] / days_of(each)),
            each != max(crime["all"]),
            *(figures[name][adjusted][each] for name in names),
            each == date(2023, 12, 1),
        )
        for each in crime["all"]
        for adjusted in (False, True)
    }
    found = keyed(
        made_marts,
        "crime_and_unemployment",
        "month, seasonally_adjusted",
        "incidents, violent, property, incidents_per_day, is_comparable, unemployment_rate, unemployment, "
        "labor_force, preliminary",
    )
    assert found == expected
    assert any(values[5] is None for values in found.values()), "a month whose rate was not published"


def later(start: date, months: int) -> date:
    number = start.year * 12 + start.month - 1 + months
    return date(number // 12, number % 12 + 1, 1)


def pearson(pairs: list[tuple[float, float]]) -> float | None:
    """None of less than twelve pairs, and where one side is always the same."""
    ours, theirs = zip(*pairs, strict=True)
    return statistics.correlation(ours, theirs) if len(pairs) >= 12 and len(set(ours)) > 1 < len(set(theirs)) else None


def test_the_correlation_of_crime_and_unemployment_is_pearsons_at_every_lag(
    made_marts: MadeMarts, index_crime: dict[str, str]
):
    """The adjusted rate is made never to change, and what never changes has no correlation and no strongest lag."""
    expected: dict[tuple[Any, ...], tuple[int, float | None]] = {}
    for measure, months in monthly(made_marts, index_crime, LOS_ANGELES).items():
        crime = {each: count / days_of(each) for each, count in months.items() if each != max(months)}
        crime_change = {
            each: value / crime[later(each, -12)] - 1 for each, value in crime.items() if crime.get(later(each, -12))
        }
        for adjusted, by_month in rates(made_marts).items():
            rate = {each: value for each, value in by_month.items() if value is not None}
            rate_change = {
                each: value - rate[later(each, -12)] for each, value in rate.items() if later(each, -12) in rate
            }
            for transform, ours, theirs in (("level", crime, rate), ("year_change", crime_change, rate_change)):
                for lag in range(-12, 13):
                    pairs = [(value, theirs.get(later(each, -lag))) for each, value in ours.items()]
                    pairs = [pair for pair in pairs if pair[1] is not None]
                    key = (measure, transform, adjusted, lag)
                    expected[key] = (len(pairs), pearson(pairs))
    found = keyed(
        made_marts,
        "unemployment_correlation",
        "measure, transform, seasonally_adjusted, lag_months",
        "months, correlation, is_strongest, series",
    )
    assert found.keys() == expected.keys()
    assert {11, 12} < {pairs for pairs, _ in expected.values()}
    for key, (pairs, correlation) in expected.items():
        assert found[key][:2] == (pairs, pytest.approx(correlation)), key
        rivals = [abs(other) for at, (_, other) in expected.items() if at[:3] == key[:3] and other is not None]
        assert found[key][2] == (correlation is not None and abs(correlation) == max(rivals)), key
    assert {key[2] for key, (pairs, correlation) in expected.items() if correlation is None and pairs > 11} == {True}
    assert {values[3] for values in found.values()} == {"Los Angeles crime reports"}


# --- Los Angeles, Denver, Catalonia ---------------------------------------------------------------------------------


def test_victims_are_those_of_whom_the_feed_says_something(made_marts: MadeMarts, index_crime: dict[str, str]):
    described = [
        row
        for row in made_marts.made.live
        if any(row.get(name) is not None for name in ("victim_sex", "victim_descent", "victim_age"))
    ]
    expected = counted(
        described,
        lambda row: (
            row["source"],
            month(row),
            known(row["area"]),
            stated(row["victim_sex"]),
            stated(row["victim_descent"]),
            age_group(row["victim_age"]),
        ),
        one,
        lambda row: index_crime[row["category"]] == "violent",
        lambda row: index_crime[row["category"]] == "property",
        lambda row: row["victim_age"] is not None,
        lambda row: row["victim_age"] or 0,
    )
    keys = "source, month, area, victim_sex, victim_descent, age_group"
    assert keyed(made_marts, "victims_by_group", keys, "victims, violent, property, age_known, age_sum") == expected


def test_weapons_of_reports(made_marts: MadeMarts):
    expected = counted(
        of_kind(made_marts, *KINDS_OF_REPORTS),
        lambda row: (row["source"], month(row), known(row["area"]), row["category"], stated(row.get("weapon"))),
        one,
    )
    assert keyed(made_marts, "weapons_by_month", "source, month, area, category, weapon", "incidents") == expected


def test_accidents_by_season_road_and_light(made_marts: MadeMarts):
    seasons = ("winter", "spring", "summer", "autumn")
    expected = counted(
        of_kind(made_marts, "accident"),
        lambda row: (
            month(row),
            seasons[row["occurred_date"].month % 12 // 3],
            row["occurred_date"].isoweekday(),
            row["occurred_local"].hour if row["time_precision"] == "minute" else None,
            row["category"],
            stated(row["road_condition"]),
            stated(row["light_condition"]),
        ),
        one,
        lambda row: row["seriously_injured"],
        lambda row: row["fatalities"],
        lambda row: row["seriously_injured"] is not None or row["fatalities"] is not None,
    )
    keys = "month, season, weekday, hour, category, road_condition, light_condition"
    values = "accidents, seriously_injured, fatalities, injuries_stated"
    assert keyed(made_marts, "accidents_by_condition", keys, values) == expected


def test_contacts_by_how_long_they_took(made_marts: MadeMarts):
    def within(limit: timedelta) -> Callable[[Row], bool]:
        return lambda row: timedelta() <= row["closed_local"] - row["occurred_local"] <= limit

    expected = counted(
        of_kind(made_marts, "service_request"),
        lambda row: (row["source"], month(row), known(row["code"]), row["area_kind"], known(row["area"])),
        one,
        lambda row: row["status"] == "open",
        lambda row: row["status"] == "closed",
        *(within(limit) for limit in (timedelta(), timedelta(days=1), timedelta(days=7), timedelta(days=30))),
    )
    found = keyed(
        made_marts,
        "service_requests_by_agency",
        "source, month, agency, area_kind, area",
        "contacts, open, closed, closed_at_once, closed_within_day, closed_within_week, closed_within_month",
    )
    assert found == expected


def mean_ranks(values: dict[Any, int]) -> dict[Any, float]:
    """1 for the most; ties share the mean of their places."""
    ordered = sorted(values.values(), reverse=True)
    return {name: ordered.index(value) + (ordered.count(value) + 1) / 2 for name, value in values.items()}


def spearman(ours: list[int], theirs: list[int]) -> float:
    ranks = [list(mean_ranks(dict(enumerate(values))).values()) for values in (ours, theirs)]
    return statistics.correlation(*ranks)


@pytest.fixture(scope="module")
def denver(made_marts: MadeMarts) -> dict[int, dict[str, dict[str, int]]]:
    """Contacts and accidents by year and neighbourhood ('' where no cell of accidents says which)."""
    accidents, contacts = of_kind(made_marts, "accident"), of_kind(made_marts, "service_request")

    def place(row: Row) -> tuple[float | None, float | None]:
        return cell(row.get("latitude")), cell(row.get("longitude"))

    in_cell: dict[Any, Counter[str]] = defaultdict(Counter)
    for row in accidents:
        if row.get("latitude") is not None and row["area"]:
            in_cell[place(row)][row["area"]] += 1
    names = {at: min(areas, key=lambda area: (-areas[area], area)) for at, areas in in_cell.items()}
    found: dict[int, dict[str, dict[str, int]]] = defaultdict(
        lambda: defaultdict(lambda: {"contacts": 0, "accidents": 0})
    )
    for row in accidents:
        found[row["occurred_date"].year][row["area"] or names.get(place(row), "")]["accidents"] += 1
    for row in contacts:
        found[row["occurred_date"].year][names.get(place(row), "")]["contacts"] += 1
    return found


def test_neighbourhoods_of_denver_have_contacts_accidents_and_ranks(made_marts: MadeMarts, denver):
    expected = {}
    for year, places in denver.items():
        named = {name: counts for name, counts in places.items() if name}
        contacts = mean_ranks({name: counts["contacts"] for name, counts in named.items()})
        accidents = mean_ranks({name: counts["accidents"] for name, counts in named.items()})
        for name, counts in named.items():
            expected[year, name] = (counts["contacts"], counts["accidents"], contacts[name], accidents[name])
    values = "contacts, accidents, contacts_rank, accidents_rank"
    assert keyed(made_marts, "denver_neighbourhoods", "year, neighbourhood", values) == expected


def test_the_rank_correlation_of_denver_is_spearmans(made_marts: MadeMarts, denver):
    expected = {}
    for year, places in denver.items():
        named = [counts for name, counts in places.items() if name]
        contacts, accidents = ([counts[what] for counts in named] for what in ("contacts", "accidents"))
        enough = len(named) >= 5 and len(set(contacts)) > 1 and len(set(accidents)) > 1
        expected[year,] = (
            len(named),
            sum(counts["contacts"] for counts in places.values()),
            sum(contacts),
            sum(counts["accidents"] for counts in places.values()),
            sum(accidents),
            pytest.approx(spearman(contacts, accidents)) if enough else None,
        )
    values = "neighbourhoods, contacts, contacts_placed, accidents, accidents_placed, rank_correlation"
    assert keyed(made_marts, "denver_rank_correlation", "year", values) == expected
    assert sum(values[5] is not None for values in expected.values()) >= 3


def test_hate_crime_facts_and_their_victims(made_marts: MadeMarts):
    expected = counted(
        of_kind(made_marts, "hate_crime"),
        lambda row: (month(row), row["motive"], row["category"], known(row["code"]), known(row["area"])),
        one,
        lambda row: row["victims"] or 0,
        lambda row: row["victims"] is not None,
    )
    found: dict[tuple[Any, ...], Counter[str]] = defaultdict(Counter)
    for *key, facts, victims, said in ask(
        made_marts,
        "hate_crime_facts",
        "month, motive, category, offence, police_area, facts, victims, victims_stated",
        "town = 'Reus' and comarca = 'Baix Camp' and province = 'Tarragona' and not is_online",
    ):
        found[tuple(key)].update(facts=facts, victims=victims, stated=said)
    assert {key: (sums["facts"], sums["victims"], sums["stated"]) for key, sums in found.items()} == expected


def test_victims_and_authors_by_sex_and_age(made_marts: MadeMarts):
    persons = [row for row in made_marts.made.persons if not row["deleted"]]
    expected = counted(
        persons,
        lambda row: (
            month(row), row["role"], row["sex"], row["age"], age_group(row["age"]), row["motive"], row["category"],
            known(row["area"]),
        ),
        one,
    )  # fmt: skip
    keys = "month, role, sex, age, age_group, motive, category, police_area"
    assert keyed(made_marts, "hate_crime_persons", keys, "persons") == expected
    sexes = Counter((row["role"], row["sex"]) for row in persons)
    assert len(sexes) == 6


# --- is it true? ----------------------------------------------------------------------------------------------------


def test_the_status_of_a_feed_is_what_polls_and_warehouse_say(made_marts: MadeMarts):
    made = made_marts.made
    with (ROOT / "dbt" / "seeds" / "feeds.csv").open(encoding="utf-8", newline="") as file:
        feeds = [row["source"] for row in csv.DictReader(file)]
    expected = {(feed,): status_of(made_marts, feed) for feed in feeds}
    columns = list(expected[LOS_ANGELES,])
    found = keyed(made_marts, "feed_status", "source", ", ".join(columns))
    for key, values in found.items():
        assert dict(zip(columns, values, strict=True)) == expected[key], key
    assert found.keys() == expected.keys()
    # What the feeds are made to tell, so that the equations above are not all about zeros.
    status = {key[0]: dict(zip(columns, values, strict=True)) for key, values in found.items()}
    assert status[LOS_ANGELES]["failed_in_a_row"] == 2
    assert status[LOS_ANGELES]["last_error"].startswith("HTTP 503")
    assert status[LOS_ANGELES]["last_success_at"] - status[LOS_ANGELES]["last_change_at"] == timedelta(days=6)
    assert status[LOS_ANGELES]["portal_rows"] == status[LOS_ANGELES]["live_rows"] + 2
    assert status[DENVER]["completeness"] < 1 == status[PERSONS]["completeness"] == status[LAUS]["completeness"]
    assert (status[ARCHIVE]["last_success_at"], status[ARCHIVE]["completeness"]) == (None, None)
    assert (status[FACTS]["polls"], status[FACTS]["last_poll_status"]) == (0, None)
    assert status[FACTS]["warehouse_rows"] > 0
    assert min(status[feed]["deleted"] for feed in (AUSTIN, DENVER, PERSONS, LAUS)) > 0
    assert made.dead_letters
    assert status["la_nibrs_offenses"]["warehouse_rows"] == 0


def status_of(marts: MadeMarts, feed: str) -> dict[str, Any]:
    made = marts.made
    rows, persons, figures, revisions, letters, drift, polls = (
        [row for row in table if row["source"] == feed]
        for table in (
            made.incidents, made.persons, made.indicators, made.incident_revisions, made.dead_letters, made.drift,
            sorted(made.polls, key=lambda poll: poll["started_at"]),
        )
    )  # fmt: skip
    good = [poll for poll in polls if poll["status"] != "failed"]
    changes = [poll["started_at"] for poll in good if poll["status"] == "changed"]
    complete = [poll for poll in polls if poll["scan"] == "complete" and poll["portal_rows"] is not None]
    here = sum(not row["deleted"] and row["op"] != "expire" for row in [*rows, *persons])
    here += len({row["record_id"] for row in figures if not row["deleted"]})
    failures = 0
    for poll in reversed(polls):
        if poll["status"] != "failed":
            break
        failures += 1

    def newest(of: list[Row], name: str) -> Any:
        return max((row[name] for row in of if row[name] is not None), default=None)

    return {
        "polls": len(polls),
        "failed_polls": len(polls) - len(good),
        "failed_in_a_row": failures,
        "last_poll_at": newest(polls, "started_at"),
        "last_poll_status": polls[-1]["status"] if polls else None,
        "last_error": polls[-1]["error"] if polls else None,
        "last_success_at": newest(good, "started_at"),
        "last_change_at": max(changes, default=None),
        "portal_changed_at": newest(polls, "portal_changed_at"),
        "newest_event_local": newest(polls, "newest_event_local"),
        "portal_rows": complete[-1]["portal_rows"] if complete else None,
        "live_rows": good[-1]["live_rows"] if good else None,
        "warehouse_rows": here,
        "completeness": pytest.approx(here / good[-1]["live_rows"]) if good else None,
        "deleted": sum(row["op"] == "delete" for row in [*rows, *persons])
        + len({row["record_id"] for row in figures if row["op"] == "delete"}),
        "dead_letters": len(letters),
        "drift_events": len(drift),
        "last_observed_at": newest(revisions, "observed_at") or max(changes, default=None),
        "last_loaded_at": newest([*rows, *persons, *(row for row in figures if not row["deleted"])], "loaded_at"),
    }


def test_revisions_of_a_month(made_marts: MadeMarts):
    expected = counted(
        made_marts.made.incidents,
        lambda row: (row["source"], row["kind"], month(row)),
        lambda row: not row["deleted"],
        *(lambda row, op=op: row["op"] == op for op in ("delete", "withdraw", "expire")),
        lambda row: not row["deleted"] and row["revision"] > 1,
        lambda row: not row["deleted"] and row["late"],
        lambda row: row["revision"] - 1,
    )
    values = "incidents, deleted, withdrawn, expired, revised, late, revisions"
    assert keyed(made_marts, "revisions_by_month", "source, kind, month", values) == expected
    totals = [sum(values) for values in zip(*expected.values(), strict=True)]
    assert all(totals), totals


def test_a_month_of_reports_fills_up_after_its_end(made_marts: MadeMarts):
    """By the feed's own date of the report, as far as the last report and the last good poll reach."""
    reports = [row for row in made_marts.made.live if row["source"] == LOS_ANGELES and row.get("reported_local")]
    last = max(row["reported_local"].date() for row in reports)
    final = Counter(month(row) for row in reports)
    expected = {}
    for start, whole in final.items():
        for age in (0, 1, 2, 3, 5, 7, 10, 14, 21, 30, 45, 60, 90, 120, 180, 270, 365):
            looked_on = later(start, 1) + timedelta(days=age)
            if looked_on <= last:
                there = sum(month(row) == start and row["reported_local"].date() < looked_on for row in reports)
                expected[start, age] = (there, whole, pytest.approx(there / whole))
    found = keyed(
        made_marts,
        "reporting_lag",
        "month, age_days",
        "known, final, completeness",
        f"source = '{LOS_ANGELES}' and basis = 'reported'",
    )
    assert found == expected
    assert 0 < sum(values[0] < values[1] for values in expected.values()) < len(expected)


def test_drift_is_told_event_by_event(made_marts: MadeMarts):
    columns = (
        "source",
        "kind",
        "column",
        "value",
        "detail",
        "affected_columns",
        "affected_marts",
        "rows",
        "observed_at",
    )
    expected = {tuple(row[name] for name in columns) for row in made_marts.made.drift}
    named = ", ".join(f"`{name}`" for name in columns)
    assert set(ask(made_marts, "drift_events", named)) == expected
    assert {row[0] for row in ask(made_marts, "drift_events", "day")} == {
        row["observed_at"].date() for row in made_marts.made.drift
    }


def test_dead_letters_by_reason(made_marts: MadeMarts):
    expected = counted(
        made_marts.made.dead_letters,
        lambda row: (row["source"], row["observed_at"].date(), row["stage"], row["reason"]),
        one,
    )
    found = keyed(made_marts, "dead_letters_by_reason", "source, day, stage, reason", "dead_letters")
    assert found == expected


# --- pipeline -------------------------------------------------------------------------------------------------------


def test_polls_of_a_day(made_marts: MadeMarts):
    sums = (
        "requests", "bytes_received", "rows_in", "inserted", "revised", "reappeared", "deleted", "unchanged", "dead",
        "late", "drift",
    )  # fmt: skip
    expected: dict[Any, Any] = counted(
        made_marts.made.polls,
        lambda poll: (poll["source"], poll["started_at"].date()),
        one,
        lambda poll: poll["status"] == "changed",
        lambda poll: poll["status"] == "failed",
        *(lambda poll, name=name: poll[name] for name in sums),
        lambda poll: poll.get("expired", 0),
    )
    durations: dict[Any, list[float]] = defaultdict(list)
    for poll in made_marts.made.polls:
        seconds = (poll["finished_at"] - poll["started_at"]).total_seconds()
        durations[poll["source"], poll["started_at"].date()].append(seconds)
    columns = f"polls, changed, failed, {', '.join(sums)}, expired"
    found = keyed(made_marts, "polls_by_day", "source, day", f"{columns}, seconds, seconds_max")
    assert found == {
        key: (*values, pytest.approx(sum(durations[key])), pytest.approx(max(durations[key])))
        for key, values in expected.items()
    }


def hour_of(instant: datetime) -> datetime:
    return instant.replace(minute=0, second=0, microsecond=0)


def test_arrivals_of_an_hour_are_the_revisions_that_polls_saw_in_it(made_marts: MadeMarts):
    def first_seen(row: Row) -> str | None:
        if row["op"] != "insert":
            return None
        delay = row["observed_at"] - row["occurred_at"]
        return next(name for name, most in DELAYS.items() if delay <= most)

    expected = counted(
        made_marts.made.incident_revisions,
        lambda row: (row["source"], hour_of(row["observed_at"])),
        one,
        *(lambda row, op=op: row["op"] == op for op in ARRIVED),
        lambda row: row["op"] == "insert" and row["late"],
        *(lambda row, name=name: first_seen(row) == name for name in DELAYS),
    )
    columns = ", ".join(("events", *ARRIVED.values(), "late", *DELAYS))
    found = keyed(made_marts, "arrivals_by_hour", "source, hour_start", columns)
    assert found == expected
    totals = dict(zip(columns.split(", "), (sum(values) for values in zip(*found.values(), strict=True)), strict=True))
    assert all(totals.values()), totals
    assert totals["inserted"] == sum(totals[name] for name in DELAYS)
    assert {row[0] for row in ask(made_marts, "arrivals_by_hour", "day = date(hour_start)")} == {True}
    stretches = Counter((row["source"], hour_of(row["window_start"])) for row in made_marts.made.arrivals)
    assert max(stretches.values()) > 2, "an hour of several stretches"


def test_loads_of_an_hour_and_how_long_the_writer_took(made_marts: MadeMarts):
    revisions: dict[Any, list[Row]] = defaultdict(list)
    for row in made_marts.made.incident_revisions:
        revisions[row["source"], hour_of(row["loaded_at"])].append(row)
    found = keyed(
        made_marts,
        "loads_by_hour",
        "source, hour_start",
        "revisions, inserts, newest_observed_at, added_lag_max_seconds, added_lag_median_seconds, "
        "added_lag_p95_seconds, publisher_delay_median_hours",
    )
    assert found.keys() == revisions.keys()
    for key, rows in revisions.items():
        lags = sorted((row["loaded_at"] - row["observed_at"]).total_seconds() for row in rows)
        inserts = [row for row in rows if row["op"] == "insert"]
        delays = sorted((row["observed_at"] - row["occurred_at"]).total_seconds() / 3600 for row in inserts)
        newest = max(row["observed_at"] for row in rows)
        count, new, seen, longest, median, p95, delay = found[key]
        assert (count, new, seen, longest) == (len(rows), len(inserts), newest, pytest.approx(lags[-1])), key
        # Quantiles are approximate: within one place of twenty of the true one.
        assert between(lags, 0.5, median), key
        assert between(lags, 0.95, p95), key
        assert between(delays, 0.5, delay), key


def between(ordered: list[float], quantile: float, value: float) -> bool:
    """Whether ``value`` lies within five hundredths of the quantile."""
    last = len(ordered) - 1
    low, high = (ordered[round(min(max(quantile + step, 0), 1) * last)] for step in (-0.05, 0.05))
    return low - 1e-6 <= value <= high + 1e-6


def test_windows_that_later_polls_changed(made_marts: MadeMarts):
    expected = counted(
        made_marts.made.incident_counts,
        lambda row: (row["source"], row["kind"], row["grain"], row["window_date"].replace(day=1)),
        one,
        lambda row: row["restatements"] > 0,
        *(
            lambda row, name=name: row[name]
            for name in ("restatements", "first_incidents", "incidents", "deleted", "revised", "late")
        ),
    )
    columns = "windows, restated, restatements, first_incidents, incidents, deleted, revised, late"
    assert keyed(made_marts, "window_restatements", "source, kind, grain, month", columns) == expected


def test_a_build_tells_what_each_node_took(made_marts: MadeMarts):
    found = keyed(made_marts, "builds", "node, invocation_id", "status, seconds")
    nodes = {key[0] for key in found}
    assert {path.stem for path in (ROOT / "dbt" / "models").rglob("*.sql")} <= nodes
    assert all(seconds >= 0 for _, seconds in found.values())
