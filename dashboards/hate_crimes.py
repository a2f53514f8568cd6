# ruff: noqa: S608 - the SQL is made of this room's own constants
"""Hate crimes in Catalonia: victims and authors by sex and age, kinds, places, and how they change over the years."""

from __future__ import annotations

from grafana_foundation_sdk.models.dashboard import Dashboard

from dashboards.feeds import HATE_FACTS, HATE_PERSONS
from dashboards.panels import (
    GAUGE,
    GREY,
    NUMBER,
    Column,
    bars,
    bars_over_time,
    figures,
    lines_over_time,
    note,
    pie,
    ranking,
    rows,
)
from dashboards.queries import (
    FRESHNESS,
    FRESHNESS_COLUMNS,
    MARTS,
    TIME,
    among,
    freshness,
    in_period,
    top,
    top_columns,
    trend,
    trend_columns,
    values,
    words,
)
from dashboards.sheet import Sheet

VICTIM, AUTHOR = HATE_FACTS.colour, "#33475b"
CATEGORY, PROVINCE = among("category"), among("province")
TOTALS = f"""
with facts as (
    select sum(facts) as total
    from {MARTS}.hate_crime_facts
    where
        {in_period()}
        and {CATEGORY}
        and {PROVINCE}
),

people as (
    select
        sum(if(role = 'victim', persons, 0)) as victims,
        sum(if(role = 'author', persons, 0)) as authors
    from {MARTS}.hate_crime_persons
    where
        {in_period()}
        and {CATEGORY}
        and {PROVINCE}
)

select
    facts.total as facts,
    people.victims,
    people.authors
from facts
cross join people
"""

BY_SEX = f"""
select
    {words("sex")} as name,
    sum(if(role = 'victim', persons, 0)) as victims,
    sum(if(role = 'author', persons, 0)) as authors
from {MARTS}.hate_crime_persons
where
    {in_period()}
    and {CATEGORY}
    and {PROVINCE}
group by sex
order by victims desc, name asc
"""

BY_AGE = f"""
select
    age_group as name,
    sum(if(role = 'victim', persons, 0)) as victims,
    sum(if(role = 'author', persons, 0)) as authors
from {MARTS}.hate_crime_persons
where
    {in_period()}
    and {CATEGORY}
    and {PROVINCE}
group by age_group
order by name
"""

MEAN_AGE = f"""
select
    {TIME},
    safe_divide(
        sum(if(role = 'victim' and age is not null, age * persons, 0)),
        sum(if(role = 'victim' and age is not null, persons, 0))
    ) as victims,
    safe_divide(
        sum(if(role = 'author' and age is not null, age * persons, 0)),
        sum(if(role = 'author' and age is not null, persons, 0))
    ) as authors
from {MARTS}.hate_crime_persons
where
    {in_period()}
    and {CATEGORY}
    and {PROVINCE}
group by time
order by time
"""

MOTIVES = f"""
select
    {words("motive")} as motive_name,
    sum(facts) as facts,
    sum(if(extract(year from month) = newest.year, facts, 0)) as newest_year,
    sum(if(extract(year from month) = newest.year - 1, facts, 0)) as year_before
from {MARTS}.hate_crime_facts
cross join (
    select max(extract(year from month)) as year
    from {MARTS}.hate_crime_facts
    where {in_period()}
) as newest
where
    {in_period()}
    and {CATEGORY}
    and {PROVINCE}
group by motive
order by facts desc, motive_name asc
limit 15
"""

PLACES = f"""
select
    town,
    comarca,
    province,
    sum(facts) as facts,
    sum(if(is_online, facts, 0)) as online
from {MARTS}.hate_crime_facts
where
    {in_period()}
    and {CATEGORY}
    and {PROVINCE}
group by town, comarca, province
order by facts desc, town asc
limit 15
"""


def build() -> Dashboard:
    """Return the dashboard."""
    sheet = Sheet(
        "civicwire-hate-crimes",
        "Hate crimes, Catalonia",
        "Facts of hate and discrimination that the Catalan police know of, and their victims and authors: by sex, age, "
        "motive, kind and place. Facts and persons are two tables; nothing says who belongs to which fact.",
        since="now-7y/y",
        tags=["catalonia", "hate-crime"],
    )
    sheet.period("year")
    sheet.values_of(
        "province",
        "Province",
        "Provinces of Catalonia.",
        values("province", "hate_crime_facts", "province is not null"),
    )
    sheet.values_of(
        "category",
        "Category",
        "Harmonised categories of the offence.",
        values("category", "hate_crime_facts", "category is not null"),
    )
    sheet.breaks([*HATE_FACTS.sources, *HATE_PERSONS.sources])
    for feed in (HATE_FACTS, HATE_PERSONS):
        sheet.link(f"{feed.title} at the portal", feed.page)
    sheet.band(
        4,
        (8, figures(1, *FRESHNESS, sql=freshness(HATE_FACTS, HATE_PERSONS), columns=FRESHNESS_COLUMNS)),
        (
            8,
            figures(
                2,
                "In this period",
                "Facts, and persons by their role; the persons' table ends a year before the facts'.",
                sql=TOTALS,
                columns=[
                    Column("facts", "Facts", NUMBER),
                    Column("victims", "Victims", NUMBER),
                    Column("authors", "Authors", NUMBER),
                ],
            ),
        ),
        (
            8,
            note(
                3,
                "How to read this",
                "What changed from year to year.",
                html="<p>The police <b>change motives and rules nearly every year</b> (marks on the charts): a rise in "
                "2023 holds administrative offences that were not counted before. Equal rows are different people, and "
                "all are counted.</p>",
            ),
        ),
    )
    _people(sheet)
    _kinds(sheet)
    _where(sheet)
    return sheet.build()


def _people(sheet: Sheet) -> None:
    roles = (Column("victims", "Victims", NUMBER, VICTIM), Column("authors", "Authors", NUMBER, AUTHOR))
    sheet.part(10, "Victims and authors")
    sheet.band(
        9,
        (
            7,
            bars(
                11,
                "By sex",
                "Persons by sex and role.",
                sql=BY_SEX,
                name="name",
                columns=[Column("name", "Sex"), *roles],
            ),
        ),
        (
            8,
            bars(
                12,
                "By age",
                "Persons by age group and role.",
                sql=BY_AGE,
                name="name",
                columns=[Column("name", "Age"), *roles],
            ),
        ),
        (
            9,
            lines_over_time(
                13,
                "Mean age over time",
                "Of the persons whose age is known; 150 and more stands for unknown in the table.",
                sql=MEAN_AGE,
                columns=[
                    Column("victims", "Victims", "suffix:years", VICTIM, decimals=1),
                    Column("authors", "Authors", "suffix:years", AUTHOR, decimals=1),
                ],
                unit="suffix:years",
                from_zero=False,
                axis="Mean age",
            ),
        ),
    )


def _kinds(sheet: Sheet) -> None:
    ours = (CATEGORY, PROVINCE)
    sheet.part(20, "Kinds")
    sheet.band(
        9,
        (
            12,
            pie(
                21,
                "Motives by their share",
                "The seven most frequent motives of facts, and all others together.",
                sql=top("hate_crime_facts", words("motive"), "facts", ours, most=7, rest="all others"),
                columns=top_columns("Motive", "Facts"),
                scheme=HATE_FACTS.scheme,
            ),
        ),
        (
            12,
            pie(
                22,
                "Kinds by their share",
                "Harmonised categories of the offences: the seven most frequent, and all others together.",
                sql=top("hate_crime_facts", words("category"), "facts", ours, most=7, rest="all others"),
                columns=top_columns("Kind", "Facts"),
                scheme=HATE_FACTS.scheme,
            ),
        ),
    )
    sheet.band(
        10,
        (
            14,
            bars_over_time(
                23,
                "Facts over time",
                "By month, quarter or year of the fact. The marks say what was counted otherwise before.",
                sql=trend("hate_crime_facts", "facts", ours),
                columns=trend_columns(HATE_FACTS),
            ),
        ),
        (
            10,
            rows(
                24,
                "Motives of the newest year and the one before",
                "A motive that is new in the newest year may have been counted under another name before.",
                sql=MOTIVES,
                columns=[
                    Column("motive_name", "Motive"),
                    Column("facts", "In the period", NUMBER, VICTIM, 150, GAUGE),
                    Column("newest_year", "Newest year", NUMBER, width=95),
                    Column("year_before", "Year before", NUMBER, width=95),
                ],
            ),
        ),
    )


def _where(sheet: Sheet) -> None:
    ours = (CATEGORY, PROVINCE)
    sheet.part(30, "Towns and regions")
    sheet.band(
        10,
        (
            8,
            pie(
                31,
                "Towns by their share",
                "The seven towns with most facts, and all others together. Small towns stand under their comarca.",
                sql=top("hate_crime_facts", "town", "facts", ours, most=7, rest="all others"),
                columns=top_columns("Town", "Facts"),
                scheme=HATE_FACTS.scheme,
            ),
        ),
        (
            8,
            ranking(
                32,
                "Police areas",
                "The ten areas of the Catalan police with most facts.",
                sql=top("hate_crime_facts", "police_area", "facts", ours, most=10),
                name="name",
                columns=top_columns("Police area", "Facts", HATE_FACTS.colour),
            ),
        ),
        (
            8,
            rows(
                33,
                "Towns",
                "The 15 towns with most facts, and how many of these happened on the internet.",
                sql=PLACES,
                columns=[
                    Column("town", "Town"),
                    Column("comarca", "Comarca"),
                    Column("province", "Province"),
                    Column("facts", "Facts", NUMBER, width=70),
                    Column("online", "Online", NUMBER, GREY, width=70),
                ],
            ),
        ),
    )
