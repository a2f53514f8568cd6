# ruff: noqa: S608 - the SQL is made of this room's own constants
"""Cities side by side: how Austin and Los Angeles develop, on one axis that can be compared, and San Diego apart.

Reports, offences and calls are different things: no panel adds them up or draws their numbers on one axis. What is
compared is an index of incidents per day within a stretch of months between two breaks.
"""

from __future__ import annotations

from grafana_foundation_sdk.models.dashboard import Dashboard

from dashboards.feeds import AUSTIN, LOS_ANGELES, LOS_ANGELES_OFFENCES, SAN_DIEGO
from dashboards.panels import (
    GAUGE,
    INDEX,
    NUMBER,
    SHARE,
    Column,
    bars,
    bars_over_time,
    figures,
    heat_map,
    lines_over_time,
    note,
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
    named,
    of,
    trend,
    trend_columns,
    values,
    weekday_by_hour,
    words,
)
from dashboards.sheet import Sheet

CRIME = (AUSTIN, LOS_ANGELES, LOS_ANGELES_OFFENCES)
EVERY = (*CRIME, SAN_DIEGO)
CITIES = (("Austin", "Austin"), ("Los Angeles", "Los Angeles"))
MEASURES = (("All", "all"), ("Violent", "violent"), ("Property", "property"))
CATEGORY = among("category")
CITY = among("city")
LINES = (
    Column("austin", "Austin, reports", INDEX, AUSTIN.colour, decimals=0),
    Column("los_angeles", "Los Angeles, reports", INDEX, LOS_ANGELES.colour, decimals=0),
    Column("los_angeles_offences", "Los Angeles, offences", INDEX, LOS_ANGELES_OFFENCES.colour, decimals=0),
)
YEAR = 12
"""Comparable months that a stretch between two breaks must have."""
CITY_OF = f"case when {of(AUSTIN)} then 'Austin' else 'Los Angeles' end"


def by_city(value: str) -> str:
    """Return the three columns of LINES, each the mean of ``value`` over the months of its city and kind."""
    which = (
        ("city = 'Austin'", "austin"),
        ("city = 'Los Angeles' and kind = 'crime_report'", "los_angeles"),
        ("city = 'Los Angeles' and kind = 'offence'", "los_angeles_offences"),
    )
    return ",\n".join(f"    avg(if({condition}, {value}, null)) as {name}" for condition, name in which)


def compared(value: str) -> str:
    """Return the query of a line for each city; a mean over less than a year would be one of some seasons only."""
    return f"""
with months as (
    select
        city,
        kind,
        month,
        {value}
    from {MARTS}.city_comparison
    where
        {in_period()}
        and measure = '${{measure}}'
        and {CITY}
        and is_comparable
    qualify count(*) over (partition by series, segment) >= {YEAR}
)

select
    timestamp(date_trunc(month, ${{per}})) as time,
{by_city(value)}
from months
group by time
order by time
"""


BREAKS = f"""
select
    cast(breaks.break_date as string) as day,
    {named("breaks.source")} as feed,
    breaks.effect,
    breaks.what
from {MARTS}.breaks as breaks
where
    breaks.{of(*EVERY)}
    and {in_period("breaks.break_date")}
order by breaks.break_date, breaks.source
"""

SHARES = f"""
with counted as (
    select
        category,
        sum(if({of(AUSTIN)}, incidents, 0)) as austin,
        sum(if({of(LOS_ANGELES)}, incidents, 0)) as los_angeles,
        sum(if({of(LOS_ANGELES_OFFENCES)}, incidents, 0)) as offences
    from {MARTS}.city_month_trend
    where
        {in_period()}
        and {of(*CRIME)}
        and {CITY_OF} in (${{city:singlequote}})
        and {CATEGORY}
    group by category
)

select
    {words("category")} as name,
    safe_divide(austin, sum(austin) over ()) as austin,
    safe_divide(los_angeles, sum(los_angeles) over ()) as los_angeles,
    safe_divide(offences, sum(offences) over ()) as los_angeles_offences
from counted
order by austin + los_angeles + offences desc, name asc
limit 12
"""

CLEARED = f"""
select
    timestamp(date_trunc(month, ${{per}})) as time,
    safe_divide(
        sum(if({of(AUSTIN)}, cleared_arrest, 0)), sum(if({of(AUSTIN)}, incidents, 0))
    ) as austin,
    safe_divide(
        sum(if({of(LOS_ANGELES)}, cleared_arrest, 0)), sum(if({of(LOS_ANGELES)}, incidents, 0))
    ) as los_angeles,
    safe_divide(
        sum(if({of(LOS_ANGELES_OFFENCES)}, cleared_arrest, 0)), sum(if({of(LOS_ANGELES_OFFENCES)}, incidents, 0))
    ) as los_angeles_offences
from {MARTS}.incidents_by_area
where
    {in_period()}
    and {of(*CRIME)}
    and {CITY_OF} in (${{city:singlequote}})
    and {CATEGORY}
group by time
order by time
"""

CLEARED_BY_KIND = f"""
select
    {words("category")} as category_name,
    safe_divide(sum(if({of(AUSTIN)}, cleared, 0)), sum(if({of(AUSTIN)}, incidents, 0))) as austin,
    safe_divide(sum(if({of(LOS_ANGELES)}, cleared, 0)), sum(if({of(LOS_ANGELES)}, incidents, 0))) as los_angeles,
    safe_divide(
        sum(if({of(LOS_ANGELES_OFFENCES)}, cleared, 0)), sum(if({of(LOS_ANGELES_OFFENCES)}, incidents, 0))
    ) as los_angeles_offences
from {MARTS}.incidents_by_area
where
    {in_period()}
    and {of(*CRIME)}
    and {CITY_OF} in (${{city:singlequote}})
    and {CATEGORY}
group by category
order by sum(incidents) desc, category_name asc
limit 12
"""

CALLS = f"""
select
    call_type_description,
    call_type,
    sum(calls) as calls,
    sum(arrests) as arrests,
    safe_divide(sum(arrests), sum(calls)) as arrested
from {MARTS}.calls_by_type_and_beat
where {in_period()}
group by call_type_description, call_type
order by calls desc, call_type asc
limit 15
"""

BEATS = f"""
select
    neighborhood,
    beat,
    sum(calls) as calls
from {MARTS}.calls_by_type_and_beat
where {in_period()}
group by neighborhood, beat
order by calls desc, beat asc
limit 15
"""


def build() -> Dashboard:
    """Return the dashboard."""
    sheet = Sheet(
        "civicwire-cities",
        "Cities side by side",
        "How Austin and Los Angeles develop, each against its own level between two breaks, and San Diego's calls "
        "apart. Numbers of different things are never drawn on one axis.",
        since="now-8y/y",
        tags=["austin", "los-angeles", "san-diego", "crime"],
    )
    sheet.choice("city", "City", "Which cities the panels that compare show.", CITIES)
    sheet.period("quarter")
    sheet.choice("measure", "Measure", "What the index counts, by the FBI's summary groups.", MEASURES, "all")
    sheet.values_of(
        "category",
        "Category",
        "Harmonised categories: of the kinds and the clearance.",
        values("category", "city_month_trend", of(*CRIME)),
    )
    sheet.breaks([source for feed in EVERY for source in feed.sources])
    for feed in EVERY:
        sheet.link(f"{feed.title} at the portal", feed.page)
    sheet.band(4, (24, figures(1, *FRESHNESS, sql=freshness(*EVERY), columns=FRESHNESS_COLUMNS)))
    _levels(sheet)
    _kinds(sheet)
    _clearance(sheet)
    _san_diego(sheet)
    return sheet.build()


def _levels(sheet: Sheet) -> None:
    sheet.part(10, "Up or down")
    sheet.band(
        3,
        (
            24,
            note(
                11,
                "How to read the lines",
                "What may be compared with what.",
                html="<p><b>100 is a city's own mean</b> between two breaks of level or definition, per day, so that "
                "long and short months count alike. Compare the shapes, not the cities' numbers: Austin counts an "
                "incident under its highest offence, Los Angeles a report until 2024 and each offence since. A line "
                "ends where its months cannot be compared: <b>the fall in Los Angeles' reports of 2024 is a change of "
                "system</b>.</p>",
            ),
        ),
    )
    sheet.band(
        11,
        (
            24,
            lines_over_time(
                12,
                "Incidents per day, against the city's own mean",
                "Index: 100 is the mean of the comparable months between two breaks (marked). Months that hold a break "
                "or are still filling, and stretches of less than a year, are left out.",
                sql=compared("index_in_segment"),
                columns=LINES,
                unit=INDEX,
                from_zero=False,
                axis="100 = own mean",
            ),
        ),
    )
    sheet.band(
        9,
        (
            14,
            rows(
                13,
                "Breaks in this period",
                "Days from which on a feed cannot be compared with before, and why.",
                sql=BREAKS,
                columns=[
                    Column("day", "From", width=95),
                    Column("feed", "Feed", width=190),
                    Column("effect", "Effect", width=85),
                    Column("what", "What happened"),
                ],
                no_value="No break in this period",
            ),
        ),
        (
            10,
            lines_over_time(
                14,
                "Incidents per day",
                "The numbers behind the index. They count different things: read each line alone.",
                sql=compared("incidents_per_day"),
                columns=[Column(one.name, one.heading, INDEX, one.colour, decimals=1) for one in LINES],
                unit=INDEX,
                axis="Incidents per day",
            ),
        ),
    )


def _kinds(sheet: Sheet) -> None:
    sheet.part(20, "Kinds")
    sheet.band(
        14,
        (
            24,
            bars(
                21,
                "What the incidents are, by their share in the city",
                "The twelve most frequent harmonised categories, each as a share of all incidents of its feed and "
                "period.",
                sql=SHARES,
                name="name",
                columns=[
                    Column("name", "Category"),
                    *(Column(one.name, one.heading, SHARE, one.colour, decimals=1) for one in LINES),
                ],
                horizontal=True,
                unit=SHARE,
                decimals=None,
            ),
        ),
    )


def _clearance(sheet: Sheet) -> None:
    sheet.part(30, "Arrests and clearance")
    sheet.band(
        10,
        (
            10,
            lines_over_time(
                31,
                "Cleared by arrest",
                "Share of the incidents of a period that an arrest has cleared so far. The newest are still open, and "
                "the cities clear by their own rules.",
                sql=CLEARED,
                columns=[Column(one.name, one.heading, SHARE, one.colour, decimals=1) for one in LINES],
                unit=SHARE,
                axis="Cleared by arrest",
            ),
        ),
        (
            14,
            rows(
                32,
                "Cleared by kind",
                "Share cleared by arrest or exceptionally, of the twelve most frequent categories.",
                sql=CLEARED_BY_KIND,
                columns=[
                    Column("category_name", "Category"),
                    *(Column(one.name, one.heading, SHARE, one.colour, 165, GAUGE, decimals=1) for one in LINES),
                ],
            ),
        ),
    )


def _san_diego(sheet: Sheet) -> None:
    sheet.part(40, "San Diego: calls for service, apart")
    sheet.band(
        8,
        (
            12,
            bars_over_time(
                41,
                "Calls over time",
                "Calls for service are whatever people called about and officers stopped for: not comparable with "
                "reports.",
                sql=trend("city_month_trend", "incidents", (of(SAN_DIEGO),)),
                columns=trend_columns(SAN_DIEGO),
            ),
        ),
        (
            12,
            heat_map(
                42,
                "Calls by weekday and hour",
                "Calls in the period by local weekday and hour.",
                sql=weekday_by_hour("hour_by_weekday", "incidents", (of(SAN_DIEGO),)),
                name=DAY,
                cells=HOUR_CELLS,
                scheme=SAN_DIEGO.scheme,
            ),
        ),
    )
    sheet.band(
        12,
        (
            14,
            rows(
                43,
                "Calls by type",
                "The 15 most frequent call types and how many of them ended in an arrest.",
                sql=CALLS,
                columns=[
                    Column("call_type_description", "Call type"),
                    Column("call_type", "Code", width=80),
                    Column("calls", "Calls", NUMBER, SAN_DIEGO.colour, 170, GAUGE),
                    Column("arrests", "Arrests", NUMBER, width=80),
                    Column("arrested", "Arrested", SHARE, width=90, decimals=1),
                ],
            ),
        ),
        (
            10,
            rows(
                44,
                "Calls by beat",
                "The 15 beats with most calls, with their neighbourhoods.",
                sql=BEATS,
                columns=[
                    Column("neighborhood", "Neighbourhood"),
                    Column("beat", "Beat", width=70),
                    Column("calls", "Calls", NUMBER, SAN_DIEGO.colour, 170, GAUGE),
                ],
            ),
        ),
    )
