# ruff: noqa: S608 - the SQL is made of this room's own constants
"""Denver: when and on what roads accidents happen, whom they hurt, where people call 311, and whether the two meet."""

from __future__ import annotations

from grafana_foundation_sdk.models.dashboard import Dashboard

from dashboards.feeds import ACCIDENTS, CONTACTS
from dashboards.panels import (
    ALERT,
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
    rows,
)
from dashboards.queries import (
    DAY,
    FRESHNESS,
    FRESHNESS_COLUMNS,
    HOUR_CELLS,
    MARTS,
    TIME,
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

CATEGORY = among("category")
SERIOUS = "#c98a4b"
CITY = View(39.73, -104.95)

TOTALS = f"""
select
    sum(accidents) as accidents,
    sum(seriously_injured) as seriously_injured,
    sum(fatalities) as fatalities
from {MARTS}.accidents_by_condition
where
    {in_period()}
    and {CATEGORY}
"""

SEASONS = f"""
with seasons as (
    select
        season,
        sum(accidents) as accidents,
        count(distinct month) as months
    from {MARTS}.accidents_by_condition
    where
        {in_period()}
        and {CATEGORY}
        and is_complete
    group by season
)

select
    initcap(season) as name,
    safe_divide(accidents, months) as per_month
from seasons
order by case season when 'winter' then 1 when 'spring' then 2 when 'summer' then 3 else 4 end
"""

ROADS_BY_SEASON = f"""
with seasons as (
    select
        season,
        sum(accidents) as accidents,
        sum(if(road_condition = 'dry', accidents, 0)) as dry,
        sum(if(road_condition = 'wet', accidents, 0)) as wet,
        sum(if(road_condition in ('snow', 'slush', 'ice'), accidents, 0)) as snow_or_ice,
        sum(if(road_condition not in ('dry', 'wet', 'snow', 'slush', 'ice'), accidents, 0)) as others
    from {MARTS}.accidents_by_condition
    where
        {in_period()}
        and {CATEGORY}
    group by season
)

select
    initcap(season) as name,
    safe_divide(dry, accidents) as dry,
    safe_divide(wet, accidents) as wet,
    safe_divide(snow_or_ice, accidents) as snow_or_ice,
    safe_divide(others, accidents) as others
from seasons
order by case season when 'winter' then 1 when 'spring' then 2 when 'summer' then 3 else 4 end
"""

HARMED = f"""
select
    {TIME},
    sum(seriously_injured) as seriously_injured,
    sum(fatalities) as fatalities
from {MARTS}.accidents_by_condition
where
    {in_period()}
    and {CATEGORY}
group by time
order by time
"""

HARM_BY_CONDITION = f"""
select
    {words("light_condition")} as light,
    {words("road_condition")} as road,
    sum(accidents) as accidents,
    sum(seriously_injured) as seriously_injured,
    sum(fatalities) as fatalities,
    safe_divide(sum(seriously_injured) + sum(fatalities), sum(accidents)) as rate
from {MARTS}.accidents_by_condition
where
    {in_period()}
    and {CATEGORY}
group by light_condition, road_condition
order by accidents desc, light asc, road asc
limit 12
"""

ACCIDENT_CELLS = f"""
select
    cell_latitude as latitude,
    cell_longitude as longitude,
    sum(incidents) as accidents,
    sum(fatalities) as fatalities
from {MARTS}.incidents_by_cell
where
    {in_period()}
    and {of(ACCIDENTS)}
    and cell_latitude is not null
group by cell_latitude, cell_longitude
order by accidents desc
limit 2000
"""

CONTACT_CELLS = f"""
select
    cell_latitude as latitude,
    cell_longitude as longitude,
    sum(incidents) as contacts
from {MARTS}.incidents_by_cell
where
    {in_period()}
    and source = '${{desk}}'
    and cell_latitude is not null
group by cell_latitude, cell_longitude
order by contacts desc
limit 2000
"""

NEIGHBOURHOODS = f"""
select
    initcap({words("replace(neighbourhood, '-', ' ')")}) as neighbourhood_name,
    sum(contacts) as contacts,
    sum(accidents) as accidents,
    avg(contacts_rank) as contacts_rank,
    avg(accidents_rank) as accidents_rank,
    sum(seriously_injured) as seriously_injured,
    sum(fatalities) as fatalities
from {MARTS}.denver_neighbourhoods
where
    year between extract(year from date '${{__from:date:YYYY-MM-DD}}')
    and extract(year from date '${{__to:date:YYYY-MM-DD}}')
group by neighbourhood
order by accidents desc, neighbourhood_name asc
limit 20
"""

CORRELATION = f"""
select
    cast(year as string) as year_name,
    rank_correlation,
    neighbourhoods,
    contacts,
    contacts_placed,
    accidents_placed
from {MARTS}.denver_rank_correlation
where
    year between extract(year from date '${{__from:date:YYYY-MM-DD}}')
    and extract(year from date '${{__to:date:YYYY-MM-DD}}')
order by year desc
limit 8
"""

AGENCIES = f"""
select
    agency,
    sum(contacts) as contacts,
    safe_divide(sum(closed_within_day), sum(contacts)) as within_day,
    safe_divide(sum(closed_within_week), sum(contacts)) as within_week
from {MARTS}.service_requests_by_agency
where
    {in_period()}
    and source = '${{desk}}'
group by agency
order by contacts desc, agency asc
limit 12
"""


def build() -> Dashboard:
    """Return the dashboard."""
    sheet = Sheet(
        "civicwire-denver",
        "Denver",
        "Traffic accidents by season, hour, road and light, whom they hurt, where people call 311, and whether "
        "neighbourhoods with many calls have many accidents.",
        since="now-4y/y",
        tags=["denver", "accidents", "311"],
    )
    sheet.period()
    sheet.values_of(
        "category",
        "Category",
        "Harmonised categories of the accidents; the maps and the panels by weekday show all.",
        values("category", "accidents_by_condition", of(ACCIDENTS)),
    )
    sheet.choice(
        "desk",
        "311 table",
        "The twelve newest months, or the archive of past years. Some years are in both, so one is shown at a time.",
        (("Newest twelve months", "denver_311"), ("Archive", "denver_311_archive")),
        "denver_311",
    )
    sheet.breaks([*ACCIDENTS.sources, *CONTACTS.sources])
    sheet.link("Denver's open data", ACCIDENTS.page)
    sheet.band(
        4,
        (12, figures(1, *FRESHNESS, sql=freshness(ACCIDENTS, CONTACTS), columns=FRESHNESS_COLUMNS)),
        (
            12,
            figures(
                2,
                "Accidents in this period",
                "Accidents that exist now, and people seriously injured and killed as the reports state them.",
                sql=TOTALS,
                columns=[
                    Column("accidents", "Accidents", NUMBER),
                    Column("seriously_injured", "Seriously injured", NUMBER),
                    Column("fatalities", "Killed", NUMBER),
                ],
            ),
        ),
    )
    _when(sheet)
    _conditions(sheet)
    _harm(sheet)
    _calls(sheet)
    _meeting(sheet)
    return sheet.build()


def _when(sheet: Sheet) -> None:
    sheet.part(10, "When accidents happen")
    sheet.band(
        8,
        (
            15,
            bars_over_time(
                11,
                "Accidents over time",
                "By month, quarter or year. The newest 20 to 30 days are still filling.",
                sql=trend("accidents_by_condition", "accidents", (CATEGORY,)),
                columns=trend_columns(ACCIDENTS),
            ),
        ),
        (
            9,
            bars(
                12,
                "By season",
                "Accidents in a mean month of the season; winter is December to February.",
                sql=SEASONS,
                name="name",
                columns=[Column("name", "Season"), Column("per_month", "Accidents a month", NUMBER, ACCIDENTS.colour)],
            ),
        ),
    )
    sheet.band(
        8,
        (
            9,
            bars(
                13,
                "By hour of the day",
                "Local hour of the accident.",
                sql=by_hour("accidents_by_condition", "accidents", (CATEGORY,)),
                name="name",
                columns=top_columns("Hour", "Accidents", ACCIDENTS.colour),
            ),
        ),
        (
            15,
            heat_map(
                14,
                "By weekday and hour",
                "Accidents by local weekday and hour.",
                sql=weekday_by_hour("accidents_by_condition", "accidents", (CATEGORY,)),
                name=DAY,
                cells=HOUR_CELLS,
                scheme=ACCIDENTS.scheme,
            ),
        ),
    )


def _conditions(sheet: Sheet) -> None:
    sheet.part(20, "Road and light")
    ours = (CATEGORY,)
    sheet.band(
        9,
        (
            8,
            pie(
                21,
                "Road condition",
                "Accidents by the state of the road; not stated where the report says nothing.",
                sql=top("accidents_by_condition", words("road_condition"), "accidents", ours, most=5, rest="others"),
                columns=top_columns("Road", "Accidents"),
                scheme=ACCIDENTS.scheme,
            ),
        ),
        (
            8,
            pie(
                22,
                "Light condition",
                "Accidents by light.",
                sql=top("accidents_by_condition", words("light_condition"), "accidents", ours, most=5, rest="others"),
                columns=top_columns("Light", "Accidents"),
                scheme=ACCIDENTS.scheme,
            ),
        ),
        (
            8,
            bars(
                23,
                "Road by season",
                "Shares of the season's accidents.",
                sql=ROADS_BY_SEASON,
                name="name",
                columns=[
                    Column("name", "Season"),
                    Column("dry", "Dry", SHARE, "#cbcbe0"),
                    Column("wet", "Wet", SHARE, "#8f8fbf"),
                    Column("snow_or_ice", "Snow or ice", SHARE, "#4a4a86"),
                    Column("others", "Other or not stated", SHARE, "#d9dde1"),
                ],
                stacked=True,
                unit=SHARE,
                decimals=None,
            ),
        ),
    )


def _harm(sheet: Sheet) -> None:
    sheet.part(30, "Whom they hurt")
    sheet.band(
        9,
        (
            10,
            bars_over_time(
                31,
                "Seriously injured and killed",
                "People, as the reports state them. Deaths are counted by their number and not by the label FATAL.",
                sql=HARMED,
                columns=[
                    Column("seriously_injured", "Seriously injured", NUMBER, SERIOUS),
                    Column("fatalities", "Killed", NUMBER, ALERT),
                ],
            ),
        ),
        (
            14,
            rows(
                32,
                "By light and road",
                "People seriously injured or killed for each accident, of the twelve most frequent conditions.",
                sql=HARM_BY_CONDITION,
                columns=[
                    Column("light", "Light"),
                    Column("road", "Road"),
                    Column("accidents", "Accidents", NUMBER, width=90),
                    Column("seriously_injured", "Seriously injured", NUMBER, width=130),
                    Column("fatalities", "Killed", NUMBER, width=70),
                    Column("rate", "Hurt for each accident", SHARE, SERIOUS, 190, GAUGE, decimals=1),
                ],
            ),
        ),
    )


def _calls(sheet: Sheet) -> None:
    sheet.part(40, "311 contacts")
    desk = ("source = '${desk}'",)
    sheet.band(
        9,
        (
            10,
            bars_over_time(
                41,
                "Contacts over time",
                "Contacts with the city's 311 desk, of the table chosen above.",
                sql=trend("service_requests_by_agency", "contacts", desk),
                columns=trend_columns(CONTACTS),
            ),
        ),
        (
            14,
            rows(
                42,
                "By agency",
                "The twelve agencies with most contacts, and how soon these were closed.",
                sql=AGENCIES,
                columns=[
                    Column("agency", "Agency"),
                    Column("contacts", "Contacts", NUMBER, CONTACTS.colour, 190, GAUGE),
                    Column("within_day", "Closed within a day", SHARE, width=140, decimals=0),
                    Column("within_week", "Within a week", SHARE, width=110, decimals=0),
                ],
            ),
        ),
    )


def _meeting(sheet: Sheet) -> None:
    sheet.part(50, "Do 311 contacts and accidents meet?")
    sheet.band(
        12,
        (
            12,
            places(
                51,
                "Where 311 contacts are",
                "Squares of about a kilometre. Most contacts name no place and are not on the map.",
                sql=CONTACT_CELLS,
                columns=[
                    Column("latitude", "Latitude", INDEX),
                    Column("longitude", "Longitude", INDEX),
                    Column("contacts", "Contacts", NUMBER),
                ],
                size="contacts",
                colour=CONTACTS.colour,
                view=CITY,
            ),
        ),
        (
            12,
            places(
                52,
                "Where accidents are",
                "The same squares; the circle grows with the number of accidents.",
                sql=ACCIDENT_CELLS,
                columns=[
                    Column("latitude", "Latitude", INDEX),
                    Column("longitude", "Longitude", INDEX),
                    Column("accidents", "Accidents", NUMBER),
                    Column("fatalities", "Killed", NUMBER),
                ],
                size="accidents",
                colour=ACCIDENTS.colour,
                view=CITY,
            ),
        ),
    )
    sheet.band(
        3,
        (
            24,
            note(
                53,
                "How to read this",
                "What the rank correlation says.",
                html="<p>Neighbourhoods are ranked by contacts and by accidents. <b>A rank correlation of 1</b> means "
                "the same order, 0 none, -1 the reverse. A contact takes the neighbourhood of most accidents in its "
                "square; busy places have more of everything, so this says that they meet, not why.</p>",
            ),
        ),
    )
    sheet.band(
        11,
        (
            10,
            rows(
                54,
                "Rank correlation by year",
                "Spearman's coefficient over the neighbourhoods of a year, and from how many rows with a place.",
                sql=CORRELATION,
                columns=[
                    Column("year_name", "Year", width=60),
                    Column("rank_correlation", "Rank correlation", INDEX, width=120, decimals=2),
                    Column("neighbourhoods", "Neighbourhoods", NUMBER),
                    Column("contacts", "Contacts", NUMBER),
                    Column("contacts_placed", "With a place", NUMBER),
                    Column("accidents_placed", "Accidents", NUMBER),
                ],
                no_value="No year with five neighbourhoods yet",
            ),
        ),
        (
            14,
            rows(
                55,
                "Neighbourhoods",
                "The 20 with most accidents; the ranks are means over the years of the period, 1 is the most.",
                sql=NEIGHBOURHOODS,
                columns=[
                    Column("neighbourhood_name", "Neighbourhood"),
                    Column("contacts", "Contacts", NUMBER, CONTACTS.colour, 140, GAUGE),
                    Column("accidents", "Accidents", NUMBER, ACCIDENTS.colour, 140, GAUGE),
                    Column("contacts_rank", "Rank by contacts", INDEX, width=120, decimals=1),
                    Column("accidents_rank", "By accidents", INDEX, width=100, decimals=1),
                    Column("seriously_injured", "Injured", NUMBER, width=70),
                    Column("fatalities", "Killed", NUMBER, width=60),
                ],
            ),
        ),
    )
