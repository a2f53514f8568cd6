# ruff: noqa: S608 - the SQL is made of this room's own constants
"""Los Angeles: where, when, whom, what with, and whether crime goes with unemployment."""

from __future__ import annotations

from grafana_foundation_sdk.models.dashboard import Dashboard

from dashboards.feeds import LAUS, LOS_ANGELES, LOS_ANGELES_OFFENCES
from dashboards.panels import (
    GREY,
    INDEX,
    INK,
    NUMBER,
    SHARE,
    Column,
    bars,
    bars_over_time,
    figures,
    heat_map,
    lines_over_time,
    note,
    pie,
    ranking,
    rows,
)
from dashboards.queries import (
    DAY,
    FRESHNESS,
    FRESHNESS_COLUMNS,
    HOUR_CELLS,
    MARTS,
    among,
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

REPORTS, OFFENCES = of(LOS_ANGELES), of(LOS_ANGELES_OFFENCES)
BOTH = of(LOS_ANGELES, LOS_ANGELES_OFFENCES)
AREA, CATEGORY = among("area"), among("category")
WOMEN, MEN = "#7a5c8e", "#2f6690"
YEAR_CHANGE = "#8a6d3b"

DANGEROUS_HOUR = f"""
with hours as (
    select
        hour,
        sum(violent) as violent,
        sum(first_minute) as first_minute
    from {MARTS}.hour_by_area
    where
        {in_period()}
        and {REPORTS}
        and {AREA}
    group by hour
)

select
    concat(format('%02d:00 to %02d:59', hour, hour)) as name,
    violent
from hours
order by violent desc, hour asc
limit 1
"""

BY_HOUR = f"""
with hours as (
    select
        hour,
        sum(violent) as violent,
        sum(property) as property,
        sum(incidents) as incidents
    from {MARTS}.hour_by_area
    where
        {in_period()}
        and {REPORTS}
        and {AREA}
    group by hour
)

select
    format('%02d', at) as name,
    coalesce(hours.violent, 0) as violent,
    coalesce(hours.property, 0) as property,
    coalesce(hours.incidents - hours.violent - hours.property, 0) as others
from unnest(generate_array(0, 23)) as at
left join hours on hours.hour = at
order by name
"""

AREAS = f"""
select
    area as name,
    sum(incidents) as total
from {MARTS}.incidents_by_area
where
    {in_period()}
    and {REPORTS}
    and {AREA}
    and {CATEGORY}
group by area
order by total desc, name asc
limit 21
"""

AGES = f"""
select
    age_group as name,
    sum(if(victim_sex = 'female', victims, 0)) as women,
    sum(if(victim_sex = 'male', victims, 0)) as men,
    sum(if(victim_sex not in ('female', 'male'), victims, 0)) as unknown_sex
from {MARTS}.victims_by_group
where
    {in_period()}
    and {REPORTS}
    and {AREA}
group by age_group
order by name
"""

UNEMPLOYMENT = f"""
select
    timestamp(month) as time,
    avg(unemployment_rate) as rate
from {MARTS}.crime_and_unemployment
where
    {in_period()}
    and not seasonally_adjusted
group by month
order by time
"""

PER_DAY = f"""
select
    timestamp(month) as time,
    sum(if(is_comparable, incidents_per_day, null)) as per_day
from {MARTS}.crime_and_unemployment
where
    {in_period()}
    and not seasonally_adjusted
    and series in (
        select series
        from {MARTS}.city_comparison
        where
            city = 'Los Angeles'
            and kind = 'crime_report'
    )
group by month
order by time
"""

CORRELATIONS = f"""
from {MARTS}.unemployment_correlation
where
    measure = '${{measure}}'
    and not seasonally_adjusted
    and series in (
        select series
        from {MARTS}.city_comparison
        where
            city = 'Los Angeles'
            and kind = 'crime_report'
    )
"""

BY_LAG = f"""
select
    format('%+d', lag_months) as name,
    max(if(transform = 'level', correlation, null)) as of_level,
    max(if(transform = 'year_change', correlation, null)) as of_change
{CORRELATIONS.strip()}
group by lag_months
order by lag_months
"""

STRONGEST = f"""
select
    if(transform = 'level', 'Level of each month', 'Change against a year before') as transform_name,
    lag_months,
    correlation,
    months
{CORRELATIONS.strip()}
    and is_strongest
order by transform_name desc
"""


def build() -> Dashboard:
    """Return the dashboard."""
    sheet = Sheet(
        "civicwire-los-angeles",
        "Los Angeles",
        "Crime reports of the LAPD until 2024 and NIBRS offences since: areas, hours, victims, kinds, weapons, and the "
        "county's unemployment beside them.",
        since="now-9y/y",
        tags=["los-angeles", "crime"],
    )
    sheet.period("quarter")
    sheet.values_of(
        "area",
        "Area",
        "The department's areas. They choose among all panels but those with weekdays and unemployment.",
        values("area", "incidents_by_area", BOTH),
    )
    sheet.values_of(
        "category",
        "Category",
        "Harmonised categories: of the trends, areas, kinds and weapons.",
        values("category", "city_month_trend", BOTH),
    )
    sheet.choice(
        "measure",
        "Compare with unemployment",
        "Which crime the correlation is about, by the FBI's summary groups.",
        (("All crime", "all"), ("Violent", "violent"), ("Property", "property")),
        "all",
    )
    sheet.breaks([*LOS_ANGELES.sources, *LOS_ANGELES_OFFENCES.sources])
    for feed in (LOS_ANGELES, LOS_ANGELES_OFFENCES, LAUS):
        sheet.link(f"{feed.title} at the portal", feed.page)
    sheet.band(
        4,
        (16, figures(1, *FRESHNESS, sql=freshness(LOS_ANGELES, LOS_ANGELES_OFFENCES, LAUS), columns=FRESHNESS_COLUMNS)),
        (
            8,
            figures(
                2,
                "The most dangerous hour",
                "The local hour with most violent crime (homicide, rape, robbery, aggravated assault) of the reports, "
                "and how much. 00:00 and 12:00 also stand for unknown times.",
                sql=DANGEROUS_HOUR,
                columns=[Column("name", "Hour (local)"), Column("violent", "Violent crime reports", NUMBER)],
                every_column=True,
            ),
        ),
    )
    _trends(sheet)
    _where_and_when(sheet)
    _victims(sheet)
    _kinds(sheet)
    _unemployment(sheet)
    return sheet.build()


def _trends(sheet: Sheet) -> None:
    sheet.part(10, "How many")
    conditions = (AREA, CATEGORY)
    sheet.band(
        9,
        (
            12,
            bars_over_time(
                11,
                "Crime reports over time",
                "The old tables: a report under its most serious crime. They fade out from March 2024, when the areas "
                "moved to another system: no fall of crime.",
                sql=trend("incidents_by_area", "incidents", (REPORTS, *conditions)),
                columns=trend_columns(LOS_ANGELES),
            ),
        ),
        (
            12,
            bars_over_time(
                12,
                "NIBRS offences over time",
                "The new table: every offence, several a case, so more than reports. Complete from 2025.",
                sql=trend("incidents_by_area", "incidents", (OFFENCES, *conditions)),
                columns=trend_columns(LOS_ANGELES_OFFENCES),
            ),
        ),
    )


def _where_and_when(sheet: Sheet) -> None:
    sheet.part(20, "Where and when (crime reports)")
    sheet.band(
        15,
        (
            9,
            ranking(
                21,
                "Areas",
                "The department's 21 areas by reports in the period.",
                sql=AREAS,
                name="name",
                columns=top_columns("Area", "Crime reports", LOS_ANGELES.colour),
            ),
        ),
        (
            15,
            bars(
                22,
                "Hour of the day",
                "Local hour of occurrence: violent and property crime of the FBI's summary groups, and all others.",
                sql=BY_HOUR,
                name="name",
                columns=[
                    Column("name", "Hour"),
                    Column("violent", "Violent", NUMBER, LOS_ANGELES.colour),
                    Column("property", "Property", NUMBER, LOS_ANGELES.pale),
                    Column("others", "Others", NUMBER, GREY),
                ],
                stacked=True,
            ),
        ),
    )
    sheet.band(
        8,
        (
            24,
            heat_map(
                23,
                "Weekday and hour",
                "Reports of all areas by local weekday and hour.",
                sql=weekday_by_hour("hour_by_weekday", "incidents", (REPORTS,)),
                name=DAY,
                cells=HOUR_CELLS,
                scheme=LOS_ANGELES.scheme,
            ),
        ),
    )


def _victims(sheet: Sheet) -> None:
    sheet.part(30, "Victims (crime reports; offences say nothing of them)")
    people = (REPORTS, AREA)
    sheet.band(
        9,
        (
            8,
            pie(
                31,
                "By sex",
                "Victims that the reports describe, by sex.",
                sql=top("victims_by_group", words("victim_sex"), "victims", people, most=4, rest="others"),
                columns=top_columns("Sex", "Victims"),
                scheme=LOS_ANGELES.scheme,
            ),
        ),
        (
            8,
            ranking(
                32,
                "By descent",
                "The department's 19 codes of descent in eight groups.",
                sql=top("victims_by_group", words("victim_descent"), "victims", people, most=9),
                name="name",
                columns=top_columns("Descent", "Victims", LOS_ANGELES.colour),
            ),
        ),
        (
            8,
            bars(
                33,
                "By age and sex",
                "Age 0 stands for unknown in the reports.",
                sql=AGES,
                name="name",
                columns=[
                    Column("name", "Age"),
                    Column("women", "Women", NUMBER, WOMEN),
                    Column("men", "Men", NUMBER, MEN),
                    Column("unknown_sex", "Sex not known", NUMBER, GREY),
                ],
                stacked=True,
            ),
        ),
    )


def _kinds(sheet: Sheet) -> None:
    sheet.part(40, "Kinds and weapons")
    sheet.band(
        10,
        (
            12,
            ranking(
                41,
                "Most frequent crimes",
                "The department's own words for the most serious crime of a report; of all areas.",
                sql=top("incidents_by_code", "description", "incidents", (REPORTS, CATEGORY), most=10),
                name="name",
                columns=top_columns("Crime", "Crime reports", LOS_ANGELES.colour),
            ),
        ),
        (
            12,
            ranking(
                42,
                "Weapons",
                "Of reports that name one: not stated and none are left out here.",
                sql=top(
                    "weapons_by_month",
                    words("weapon"),
                    "incidents",
                    (REPORTS, AREA, CATEGORY, "weapon not in ('not_stated', 'none')"),
                    most=8,
                ),
                name="name",
                columns=top_columns("Weapon", "Crime reports", LOS_ANGELES.colour),
            ),
        ),
    )


def _unemployment(sheet: Sheet) -> None:
    sheet.part(50, "Crime and unemployment")
    sheet.band(
        3,
        (
            24,
            note(
                51,
                "How to read this",
                "What the correlation says and what not.",
                html="<p>Two charts below each other, each with its own axis. <b>Two series that both rise go together "
                "without having to do with each other</b>: the change against a year before is the better question. At "
                "a lag of +3 crime is compared with unemployment three months earlier. Los Angeles County, not "
                "seasonally adjusted; crime reports between breaks only.</p>",
            ),
        ),
    )
    sheet.band(
        7,
        (
            24,
            lines_over_time(
                52,
                "Crime reports per day",
                "By month; months that a break spoils are left out.",
                sql=PER_DAY,
                columns=[Column("per_day", "Reports per day", INDEX, LOS_ANGELES.colour, decimals=1)],
                unit=INDEX,
                axis="Reports per day",
            ),
        ),
    )
    sheet.band(
        7,
        (
            24,
            lines_over_time(
                53,
                "Unemployment rate",
                "Los Angeles County by month; the newest month is preliminary.",
                sql=UNEMPLOYMENT,
                columns=[Column("rate", "Unemployment rate", SHARE, INK, decimals=1)],
                unit=SHARE,
                axis="Unemployed in the labour force",
            ),
        ),
    )
    sheet.band(
        9,
        (
            15,
            bars(
                54,
                "Correlation by lag in months",
                "Pearson's coefficient, from -1 to 1. Plus: crime follows unemployment; minus: it goes before.",
                sql=BY_LAG,
                name="name",
                columns=[
                    Column("name", "Lag"),
                    Column("of_level", "Level", INDEX, GREY, decimals=2),
                    Column("of_change", "Change against a year before", INDEX, YEAR_CHANGE, decimals=2),
                ],
                unit=INDEX,
                decimals=2,
                no_value="No twelve months to compare yet",
            ),
        ),
        (
            9,
            rows(
                55,
                "Where it is strongest",
                "The lag with the highest absolute correlation, and from how many pairs of months.",
                sql=STRONGEST,
                columns=[
                    Column("transform_name", "Compared"),
                    Column("lag_months", "Lag (months)", INDEX, width=110),
                    Column("correlation", "Correlation", INDEX, width=110, decimals=2),
                    Column("months", "Months", NUMBER, width=80),
                ],
                no_value="No twelve months to compare yet",
            ),
        ),
    )
