# ruff: noqa: S608 - the SQL is made of this room's own constants
"""Austin: crime reports by year, hour, weekday, kind, sector and place, and the reports themselves."""

from __future__ import annotations

from grafana_foundation_sdk.models.dashboard import Dashboard

from dashboards.feeds import AUSTIN
from dashboards.panels import (
    GAUGE,
    INDEX,
    NUMBER,
    SHARE,
    Column,
    View,
    bars,
    bars_over_time,
    figures,
    heat_map,
    note,
    pie,
    places,
    ranking,
    rows,
)
from dashboards.queries import (
    DAY,
    FRESHNESS,
    FRESHNESS_COLUMNS,
    HOUR_CELLS,
    MARTS,
    WEEKDAYS,
    among,
    by_hour,
    freshness,
    in_period,
    of,
    top,
    top_columns,
    trend,
    trend_columns,
    values,
    weekday_by_hour,
    words,
)
from dashboards.sheet import Sheet

SECTOR = among("sector", "area")
CATEGORY = among("category")
OURS = of(AUSTIN)
REPORTS = "Crime reports"

IN_PERIOD = f"""
select
    sum(incidents) as incidents,
    safe_divide(sum(cleared), sum(incidents)) as cleared,
    safe_divide(sum(domestic), sum(incidents)) as domestic
from {MARTS}.incidents_by_area
where
    {in_period()}
    and {OURS}
    and {SECTOR}
    and {CATEGORY}
"""

PER_YEAR = f"""
with years as (
    select
        extract(year from month) as year,
        logical_and(is_complete) and max(extract(month from month)) = 12 as is_complete,
        sum(incidents) as total
    from {MARTS}.incidents_by_area
    where
        {in_period()}
        and {OURS}
        and {SECTOR}
        and {CATEGORY}
    group by year
)

select
    cast(year as string) as name,
    if(is_complete, total, null) as complete,
    if(is_complete, null, total) as filling
from years
order by name
"""

PER_WEEKDAY = f"""
with days as (
    select
        weekday,
        sum(incidents) as total
    from {MARTS}.hour_by_weekday
    where
        {in_period()}
        and {OURS}
    group by weekday
)

select
    {WEEKDAYS}[ordinal(day)] as name,
    coalesce(days.total, 0) as total
from unnest(generate_array(1, 7)) as day
left join days on days.weekday = day
order by day
"""

AGAINST = f"""
select
    coalesce({words("categories.crime_against")}, 'mixed or none') as name,
    sum(reports.incidents) as total
from {MARTS}.incidents_by_area as reports
left join {MARTS}.categories as categories on reports.category = categories.category
where
    {in_period("reports.month")}
    and reports.{OURS}
    and reports.{SECTOR}
    and reports.{CATEGORY}
group by name
order by total desc
"""

CLEARANCE = f"""
select
    {words("category")} as category_name,
    sum(incidents) as incidents,
    sum(cleared_arrest) as cleared_arrest,
    sum(cleared_exceptional) as cleared_exceptional,
    safe_divide(sum(cleared), sum(incidents)) as rate
from {MARTS}.incidents_by_area
where
    {in_period()}
    and {OURS}
    and {SECTOR}
    and {CATEGORY}
group by category
order by incidents desc
limit 12
"""

CELLS = f"""
select
    cell_latitude as latitude,
    cell_longitude as longitude,
    sum(incidents) as incidents
from {MARTS}.incidents_by_cell
where
    {in_period()}
    and {OURS}
    and {SECTOR}
    and cell_latitude is not null
group by cell_latitude, cell_longitude
order by incidents desc
limit 2000
"""

DETAILS = f"""
select
    format_datetime('%Y-%m-%d %H:%M', occurred_local) as occurred,
    coalesce(description, code, '') as offence,
    {words("category")} as category_name,
    coalesce(area, '') as sector_name,
    coalesce(place, '') as place,
    coalesce(premise, '') as premise,
    {words("status")} as status_name,
    coalesce(format_datetime('%Y-%m-%d', closed_local), '') as cleared_on,
    revision,
    incident_id
from {MARTS}.incident_details
where
    {in_period("occurred_date")}
    and {OURS}
    and coalesce(area, 'unknown') in (${{sector:singlequote}})
    and {CATEGORY}
order by occurred_local desc, incident_id asc
limit 200
"""


def build() -> Dashboard:
    """Return the dashboard."""
    sheet = Sheet(
        "civicwire-austin",
        "Austin crime reports",
        "Reports of the Austin Police Department under their highest offence: how many, when, what, where, and each of "
        "them to browse.",
        since="now-5y/y",
        tags=["austin", "crime"],
    )
    sheet.period()
    sheet.values_of(
        "sector",
        "Sector",
        "Police sectors. They choose among all panels but those by hour and weekday.",
        values("area", "incidents_by_area", OURS),
    )
    sheet.values_of(
        "category",
        "Category",
        "Harmonised categories. They choose among all panels but those by hour and weekday and the map.",
        values("category", "city_month_trend", OURS),
    )
    sheet.breaks(AUSTIN.sources)
    sheet.link("Austin crime reports at the portal", AUSTIN.page)
    sheet.band(
        4,
        (6, figures(1, *FRESHNESS, sql=freshness(AUSTIN), columns=FRESHNESS_COLUMNS)),
        (
            9,
            figures(
                2,
                "In this period",
                "Reports that exist now, and the shares of them that are cleared (by arrest or exceptionally) and that "
                "are family violence.",
                sql=IN_PERIOD,
                columns=[
                    Column("incidents", "Reports", NUMBER),
                    Column("cleared", "Cleared", SHARE, decimals=1),
                    Column("domestic", "Family violence", SHARE, decimals=1),
                ],
            ),
        ),
        (
            9,
            note(
                3,
                "How to read this",
                "What a report is.",
                html="<p>A report stands for an incident under its <b>highest offence</b> alone. Days and hours are "
                "local. Marks on the charts over time are <b>breaks</b>: until 2020 offences were classed by other "
                "rules (UCR), and in 2025 places left the table.</p>",
            ),
        ),
    )
    _years(sheet)
    _hours(sheet)
    _kinds(sheet)
    _where(sheet)
    sheet.part(50, "The reports")
    sheet.band(
        14,
        (
            24,
            rows(
                51,
                "Newest reports of the selection",
                "At most 200. The revision says how often the portal has published the row: above 1 it was changed.",
                sql=DETAILS,
                columns=[
                    Column("occurred", "Occurred (local)", width=130),
                    Column("offence", "Offence"),
                    Column("category_name", "Category", width=130),
                    Column("sector_name", "Sector", width=90),
                    Column("place", "Place"),
                    Column("premise", "Kind of place"),
                    Column("status_name", "Status", width=120),
                    Column("cleared_on", "Cleared", width=100),
                    Column("revision", "Revision", INDEX, width=80),
                    Column("incident_id", "Incident"),
                ],
            ),
        ),
    )
    return sheet.build()


def _years(sheet: Sheet) -> None:
    sheet.part(10, "How many")
    sheet.band(
        9,
        (
            8,
            bars(
                11,
                "Reports per year",
                "By year of occurrence. The pale bar is a year that is not over or not complete.",
                sql=PER_YEAR,
                name="name",
                columns=[Column("name", "Year"), *trend_columns(AUSTIN)],
                stacked=True,
            ),
        ),
        (
            16,
            bars_over_time(
                12,
                "Reports over time",
                "By month, quarter or year of occurrence, as chosen above. The pale bar is still filling.",
                sql=trend("incidents_by_area", "incidents", (OURS, SECTOR, CATEGORY)),
                columns=trend_columns(AUSTIN),
            ),
        ),
    )


def _hours(sheet: Sheet) -> None:
    sheet.part(20, "When")
    sheet.band(
        8,
        (
            14,
            bars(
                21,
                "Reports by hour of the day",
                "Local hour of occurrence. 00 is too high: midnight also stands for an unknown time.",
                sql=by_hour("hour_by_weekday", "incidents", (OURS,)),
                name="name",
                columns=top_columns("Hour", REPORTS, AUSTIN.colour),
            ),
        ),
        (
            10,
            bars(
                22,
                "Reports by weekday",
                "Local weekday of occurrence, of reports with a time of day.",
                sql=PER_WEEKDAY,
                name="name",
                columns=top_columns("Weekday", REPORTS, AUSTIN.colour),
            ),
        ),
    )
    sheet.band(
        8,
        (
            24,
            heat_map(
                23,
                "Reports by weekday and hour",
                "Reports in the period by local weekday and hour. Those of which the feed gives the day only are left "
                "out.",
                sql=weekday_by_hour("hour_by_weekday", "incidents", (OURS,)),
                name=DAY,
                cells=HOUR_CELLS,
                scheme=AUSTIN.scheme,
            ),
        ),
    )


def _kinds(sheet: Sheet) -> None:
    sheet.part(30, "What")
    codes = (OURS, CATEGORY)
    areas = (OURS, SECTOR, CATEGORY)
    sheet.band(
        11,
        (
            12,
            ranking(
                31,
                "Most frequent offences",
                "The city's own words for the highest offence; of all sectors.",
                sql=top("incidents_by_code", "description", "incidents", codes, most=12),
                name="name",
                columns=top_columns("Offence", REPORTS, AUSTIN.colour),
            ),
        ),
        (
            12,
            rows(
                34,
                "What became of them",
                "Clearance by category: cleared reports in all of the reports. Recent ones are still open.",
                sql=CLEARANCE,
                columns=[
                    Column("category_name", "Category"),
                    Column("incidents", "Reports", NUMBER, width=90),
                    Column("cleared_arrest", "By arrest", NUMBER, width=90),
                    Column("cleared_exceptional", "Exceptionally", NUMBER, width=110),
                    Column("rate", "Cleared", SHARE, AUSTIN.colour, 200, GAUGE, decimals=1),
                ],
            ),
        ),
    )
    sheet.band(
        9,
        (
            12,
            pie(
                32,
                "Kinds by their share",
                "Harmonised categories: the seven most frequent, and all others together.",
                sql=top("incidents_by_area", words("category"), "incidents", areas, most=7, rest="all others"),
                columns=top_columns("Category", REPORTS),
                scheme=AUSTIN.scheme,
            ),
        ),
        (
            12,
            pie(
                33,
                "Against whom",
                "NIBRS groups of the categories: against persons, property or society; or none, or not one alone.",
                sql=AGAINST,
                columns=top_columns("Against", REPORTS),
                scheme=AUSTIN.scheme,
            ),
        ),
    )


def _where(sheet: Sheet) -> None:
    sheet.part(40, "Where")
    sheet.band(
        13,
        (
            15,
            places(
                41,
                "Where the reports are",
                "Squares of a hundredth of a degree (about a kilometre); the circle grows with the number of reports. "
                "Reports without coordinates are not on the map.",
                sql=CELLS,
                columns=[
                    Column("latitude", "Latitude", INDEX),
                    Column("longitude", "Longitude", INDEX),
                    Column("incidents", REPORTS, NUMBER),
                ],
                size="incidents",
                colour=AUSTIN.colour,
                view=View(30.29, -97.74),
            ),
        ),
        (
            9,
            ranking(
                42,
                "Sectors",
                "Police sectors by reports in the period.",
                sql=top("incidents_by_area", "area", "incidents", (OURS, SECTOR, CATEGORY), most=12),
                name="name",
                columns=top_columns("Sector", REPORTS, AUSTIN.colour),
            ),
        ),
    )
