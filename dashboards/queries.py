# ruff: noqa: S608 - the SQL is made of this room's own constants
"""SQL that several dashboards ask.

Months, weekdays and hours are civil, in each feed's own time zone. A month is shown when its first day lies in the
period; it is compared with the period's days as dates, so that BigQuery reads only the months that are shown. Polls and
dead letters happen at instants and are compared as such (``$__timeFilter``).
"""

from __future__ import annotations

from collections.abc import Iterable

from dashboards.feeds import TITLES, Feed
from dashboards.panels import NUMBER, SECONDS, Column
from dashboards.sheet import quoted

MARTS = "${dataset}_marts"
HOURS = tuple(f"{hour:02}" for hour in range(24))
WEEKDAYS = "['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun']"
TIME = "timestamp(date_trunc(month, ${per})) as time"
"""The point of a chart over time; the variable ``per`` says how long it lasts."""


def in_period(column: str = "month") -> str:
    """Return the condition that the date ``column`` lies in the dashboard's period."""
    return f"{column} between '${{__from:date:YYYY-MM-DD}}' and '${{__to:date:YYYY-MM-DD}}'"


def of(*feeds: Feed) -> str:
    """Return the condition that a row belongs to one of the feeds."""
    return f"source in ({quoted(source for feed in feeds for source in feed.sources)})"


def among(variable: str, column: str | None = None) -> str:
    """Return the condition that a text column has one of the variable's values."""
    return f"{column or variable} in (${{{variable}:singlequote}})"


def named(column: str = "source") -> str:
    """Return SQL for a feed's short name."""
    cases = " ".join(f"when '{source}' then '{title}'" for source, title in TITLES.items())
    return f"case {column} {cases} else {column} end"


def words(column: str) -> str:
    """Return SQL for a word of our vocabularies as people write it: spaces, no underscores."""
    return f"replace({column}, '_', ' ')"


def freshness(*feeds: Feed) -> str:
    """Return the query of the freshness stat: for each feed, seconds since its last good poll."""
    return f"""
select
    {named()} as feed,
    timestamp_diff(current_timestamp(), last_success_at, second) as since_poll
from {MARTS}.feed_status
where {of(*feeds)}
order by feed
"""


FRESHNESS_COLUMNS = (Column("feed", "Feed"), Column("since_poll", "Since the last good poll", SECONDS))
FRESHNESS = ("Freshness", "How long ago each feed was last read without an error, whether or not anything had changed.")
"""Title and description of the freshness stat that every dashboard begins with."""


def values(column: str, mart: str, *conditions: str) -> str:
    """Return the query of a variable: the values of a mart's column."""
    where = "\n    and ".join(conditions)
    return f"""
select distinct {column}
from {MARTS}.{mart}
where
    {where}
order by {column}
"""


def trend(mart: str, measure: str, conditions: Iterable[str]) -> str:
    """Return a sum over time in two columns: of complete periods, and of those that are still filling."""
    where = "\n    and ".join((in_period(), *conditions))
    return f"""
with periods as (
    select
        date_trunc(month, ${{per}}) as period,
        logical_and(is_complete) as is_complete,
        sum({measure}) as total
    from {MARTS}.{mart}
    where
        {where}
    group by period
)

select
    timestamp(period) as time,
    if(is_complete, total, null) as complete,
    if(is_complete, null, total) as filling
from periods
order by time
"""


def trend_columns(feed: Feed) -> tuple[Column, Column]:
    """Return the columns of ``trend`` in a feed's colours."""
    return (
        Column("complete", "Complete", NUMBER, feed.colour),
        Column("filling", "Still filling", NUMBER, feed.pale),
    )


def top(mart: str, column: str, measure: str, conditions: Iterable[str], *, most: int, rest: str | None = None) -> str:
    """Return the ``most`` frequent values of a text column with their sums, and the others as ``rest`` if named."""
    where = "\n        and ".join((in_period(), *conditions))
    name = f"if(place <= {most}, value, '{rest}')" if rest else "value"
    kept = "" if rest else f"where place <= {most}\n"
    return f"""
with counted as (
    select
        {column} as value,
        sum({measure}) as total
    from {MARTS}.{mart}
    where
        {where}
    group by value
),

ranked as (
    select
        value,
        total,
        row_number() over (order by total desc, value asc) as place
    from counted
    where total > 0
)

select
    {name} as name,
    sum(total) as total
from ranked
{kept}group by name
order by min(place)
"""


def top_columns(heading: str, unit_heading: str, colour: str | None = None) -> tuple[Column, Column]:
    """Return the columns of ``top``."""
    return (Column("name", heading), Column("total", unit_heading, NUMBER, colour))


def by_hour(mart: str, measure: str, conditions: Iterable[str]) -> str:
    """Return a sum for each hour of the day, none left out."""
    where = "\n        and ".join((in_period(), *conditions))
    return f"""
with hours as (
    select
        hour,
        sum({measure}) as total
    from {MARTS}.{mart}
    where
        {where}
    group by hour
)

select
    format('%02d', at) as name,
    coalesce(hours.total, 0) as total
from unnest(generate_array(0, 23)) as at
left join hours on hours.hour = at
order by name
"""


def weekday_by_hour(mart: str, measure: str, conditions: Iterable[str]) -> str:
    """Return weekdays (rows, Monday first, none left out) by hours (columns h00 to h23)."""
    where = "\n        and ".join((in_period(), *conditions))
    columns = ",\n".join(f"    sum(if(hours.hour = {int(hour)}, hours.total, null)) as h{hour}" for hour in HOURS)
    return f"""
with hours as (
    select
        weekday,
        hour,
        sum({measure}) as total
    from {MARTS}.{mart}
    where
        {where}
    group by weekday, hour
)

select
    {WEEKDAYS}[ordinal(day)] as name,
{columns}
from unnest(generate_array(1, 7)) as day
left join hours on hours.weekday = day
group by day
order by day
"""


HOUR_CELLS = tuple(Column(f"h{hour}", hour, NUMBER) for hour in HOURS)
DAY = Column("name", "Day", width=55)
