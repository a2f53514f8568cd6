# ruff: noqa: S608 - the SQL is made of this module's own constants
"""Public safety overview: what exists now, how the months go, when, what and where, and how true the feeds are.

Months, weekdays and hours are civil, in each feed's own time zone. ``$__timeFilter`` compares with UTC instants, so a
civil month enters it as ``timestamp(month)``: a month is shown when its first day lies in the period. Polls and dead
letters happen at instants and are compared as such.
"""

from __future__ import annotations

from grafana_foundation_sdk.builders import dashboard as board
from grafana_foundation_sdk.models.dashboard import (
    Dashboard,
    DashboardCursorSync,
    DashboardLinkType,
    VariableOption,
)

from dashboards.feeds import AUSTIN, FEEDS, SAN_DIEGO, Feed
from dashboards.panels import (
    GAUGE,
    NUMBER,
    SECONDS,
    Column,
    Place,
    bars_over_time,
    figures,
    heading,
    heat_map,
    link,
    note,
    ranking,
    rows,
)

UID = "civicwire-public-safety"
HOURS = range(24)


def named(column: str = "source") -> str:
    """Return SQL for a feed's name: its key in words."""
    return f"initcap(replace({column}, '_', ' '))"


LIVE = f"""
select
    {named()} as feed,
    sum(incidents) as incidents
from ${{dataset}}_marts.city_month_trend
where source in (${{source:singlequote}})
group by source
order by source
"""

SINCE_POLL = f"""
select
    {named()} as feed,
    timestamp_diff(current_timestamp(), max(finished_at), second) as since_poll
from ${{dataset}}_marts.stg_polls
where
    source in (${{source:singlequote}})
    and not is_failed
group by source
order by source
"""

NEWEST_EVENT = f"""
select
    {named()} as feed,
    timestamp_diff(current_timestamp(), max(occurred_at), second) as event_age
from ${{dataset}}_marts.stg_incidents
where source in (${{source:singlequote}})
group by source
order by source
"""

CHANGES = """
select
    sum(revised) as revised,
    sum(deleted) as deleted,
    sum(late) as late
from ${dataset}_marts.stg_polls
where
    $__timeFilter(started_at)
    and source in (${source:singlequote})
"""

POLLS = f"""
with totals as (
    select
        source,
        count(*) as polls,
        countif(is_failed) as failed,
        sum(rows_in) as rows_in,
        sum(inserted) as inserted,
        sum(revised) as revised,
        sum(reappeared) as reappeared,
        sum(deleted) as deleted,
        sum(late) as late,
        sum(dead) as dead,
        array_agg(live_rows order by started_at desc limit 1)[offset(0)] as live_rows,
        format_datetime('%Y-%m-%d %H:%M', max(newest_event_local)) as newest_event
    from ${{dataset}}_marts.stg_polls
    where
        $__timeFilter(started_at)
        and source in (${{source:singlequote}})
    group by source
),

warehouse as (
    select
        source,
        sum(incidents) as incidents
    from ${{dataset}}_marts.city_month_trend
    group by source
)

select
    {named("totals.source")} as feed,
    totals.polls,
    totals.failed,
    totals.rows_in,
    totals.inserted,
    totals.revised,
    totals.reappeared,
    totals.deleted,
    totals.late,
    totals.dead,
    totals.live_rows,
    coalesce(warehouse.incidents, 0) as incidents,
    totals.newest_event
from totals
left join warehouse on totals.source = warehouse.source
order by totals.source
"""

LATEST_POLLS = f"""
select
    format_timestamp('%Y-%m-%d %H:%M', started_at) as started,
    {named()} as feed,
    status,
    scan,
    requests,
    rows_in,
    inserted + revised + reappeared + deleted as published,
    coalesce(error, '') as error
from ${{dataset}}_marts.stg_polls
where
    $__timeFilter(started_at)
    and source in (${{source:singlequote}})
order by started_at desc
limit 12
"""

DEAD_LETTERS = f"""
select
    {named()} as feed,
    stage,
    reason,
    count(*) as letters
from ${{dataset}}.dead_letters
where
    $__timeFilter(observed_at)
    and source in (${{source:singlequote}})
group by source, stage, reason
order by letters desc
limit 12
"""

TIMES = f"""
with hours as (
    select
        source,
        sum(incidents) as with_time,
        sum(first_minute) as first_minute,
        cast(round(sum(if(hour = 0, incidents - first_minute, 0)) / 59) as int64) as expected
    from ${{dataset}}_marts.hour_by_weekday
    where
        $__timeFilter(timestamp(month))
        and source in (${{source:singlequote}})
    group by source
),

months as (
    select
        source,
        sum(without_time_of_day) as without_time
    from ${{dataset}}_marts.city_month_trend
    where
        $__timeFilter(timestamp(month))
        and source in (${{source:singlequote}})
    group by source
)

select
    {named("months.source")} as feed,
    coalesce(hours.with_time, 0) as with_time,
    coalesce(hours.first_minute, 0) as first_minute,
    coalesce(hours.expected, 0) as expected,
    months.without_time
from months
left join hours on months.source = hours.source
order by months.source
"""

CALLS = f"""
select
    call_type_description,
    call_type,
    neighborhood,
    beat,
    sum(calls) as calls
from ${{dataset}}_marts.calls_by_type_and_beat
where
    $__timeFilter(timestamp(month))
    and source = '{SAN_DIEGO.source}'
group by call_type_description, call_type, neighborhood, beat
order by calls desc, call_type, beat
limit 20
"""


def trend_sql(feed: Feed) -> str:
    """Return the query of a feed's monthly trend."""
    return f"""
select
    timestamp(month) as time,
    sum(if(is_complete, incidents, null)) as complete,
    sum(if(is_complete, null, incidents)) as filling
from ${{dataset}}_marts.city_month_trend
where
    $__timeFilter(timestamp(month))
    and source = '{feed.source}'
group by month
order by month
"""


def hours_sql(feed: Feed) -> str:
    """Return the query of a feed's weekdays (rows, Monday first, none left out) by hours (columns h00 to h23)."""
    columns = ",\n".join(f"    sum(if(hours.hour = {hour}, hours.incidents, null)) as h{hour:02}" for hour in HOURS)
    return f"""
with hours as (
    select
        weekday,
        hour,
        sum(incidents) as incidents
    from ${{dataset}}_marts.hour_by_weekday
    where
        $__timeFilter(timestamp(month))
        and source = '{feed.source}'
    group by weekday, hour
)

select
    ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'][ordinal(day)] as name,
{columns}
from unnest(generate_array(1, 7)) as day
left join hours on hours.weekday = day
group by day
order by day
"""


def categories_sql(feed: Feed) -> str:
    """Return the query of a feed's ten most frequent categories."""
    return f"""
select
    replace(category, '_', ' ') as name,
    sum(incidents) as incidents
from ${{dataset}}_marts.city_month_trend
where
    $__timeFilter(timestamp(month))
    and source = '{feed.source}'
group by category
order by incidents desc, category
limit 10
"""


def build() -> Dashboard:
    """Return the dashboard."""
    dashboard = (
        board.Dashboard("Public safety overview")
        .uid(UID)
        .description(
            "Crime reports of Austin and calls for service of San Diego, every late, revised and deleted row counted."
        )
        .tags(["civicwire"])
        .timezone("utc")
        .time("now-3y/M", "now")
        .refresh("")
        .tooltip(DashboardCursorSync.OFF)
        .readonly()
        .link(
            board.DashboardLink("civicwire dashboards")
            .type(DashboardLinkType.DASHBOARDS)
            .tags(["civicwire"])
            .as_dropdown(True)
            .include_vars(True)
            .keep_time(True)
        )
        .with_variable(_source())
        .with_variable(board.ConstantVariable("dataset").label("BigQuery dataset").value("civicwire"))
    )
    for feed in FEEDS:
        dashboard.link(link(f"{feed.title} at the portal", feed.page))
    _now(dashboard)
    _months(dashboard)
    _when(dashboard)
    _what(dashboard)
    _truth(dashboard)
    return dashboard.build()


def _source() -> board.CustomVariable:
    options = [VariableOption(text=feed.title, value=feed.source, selected=False) for feed in FEEDS]
    everything = VariableOption(text="All", value="$__all", selected=True)
    return (
        board.CustomVariable("source")
        .label("Feed")
        .description("Which feeds the figures and the tables about feeds show. Charts belong to one feed each.")
        .values(",".join(f"{feed.title} : {feed.source}" for feed in FEEDS))
        .multi(True)
        .include_all(True)
        .current(VariableOption(text=["All"], value=["$__all"], selected=True))
        .options([everything, *options])
    )


def _now(dashboard: board.Dashboard) -> None:
    name = Column("feed", "Feed")
    dashboard.with_panel(
        figures(
            1,
            "Incidents that exist now",
            "Rows in the warehouse as of the last build of the marts; deleted ones are not counted.",
            Place(0, 0, 6, 4),
            sql=LIVE,
            columns=[name, Column("incidents", "Incidents", NUMBER)],
        )
    )
    dashboard.with_panel(
        figures(
            2,
            "Since the last good poll",
            "How long ago the portal was last read without an error, whether or not anything had changed.",
            Place(6, 0, 6, 4),
            sql=SINCE_POLL,
            columns=[name, Column("since_poll", "Since the last good poll", SECONDS)],
        )
    )
    dashboard.with_panel(
        figures(
            3,
            "Age of the newest event",
            "How long ago the newest incident happened. Portals publish with a delay: Austin weekly, San Diego daily.",
            Place(12, 0, 6, 4),
            sql=NEWEST_EVENT,
            columns=[name, Column("event_age", "Age of the newest event", SECONDS)],
        )
    )
    dashboard.with_panel(
        figures(
            4,
            "Changes without notice",
            "Rows that the portals changed, removed or published late without a log of it, found by comparing scans.",
            Place(18, 0, 6, 4),
            sql=CHANGES,
            columns=[
                Column("revised", "Revised", NUMBER),
                Column("deleted", "Deleted", NUMBER),
                Column("late", "Late", NUMBER),
            ],
        )
    )


def _months(dashboard: board.Dashboard) -> None:
    dashboard.with_row(heading(10, "How the months go", 4))
    dashboard.with_panel(
        note(
            11,
            "How to read the charts",
            "What may be compared with what.",
            Place(0, 5, 24, 2),
            html="<p><b>Do not compare the two cities.</b> A crime report is one incident by its highest offence; "
            "a call for service is one call to the police, whatever came of it. Compare a feed with its own past. "
            "Months, weekdays and hours are local time of each city. The pale bar is the month still filling.</p>",
        )
    )
    for number, x, feed in ((12, 0, AUSTIN), (13, 12, SAN_DIEGO)):
        dashboard.with_panel(
            bars_over_time(
                number,
                f"{feed.title} per month",
                f"{feed.rows.capitalize()} by month of occurrence, in {feed.zone}. Not comparable with the other city.",
                Place(x, 7, 12, 8),
                sql=trend_sql(feed),
                columns=[
                    Column("complete", "Complete month", NUMBER, feed.colour),
                    Column("filling", "Month still filling", NUMBER, feed.pale),
                ],
            ).links([link(feed.title, feed.page)])
        )


def _when(dashboard: board.Dashboard) -> None:
    dashboard.with_row(heading(20, "When", 15))
    cells = [Column(f"h{hour:02}", f"{hour:02}", NUMBER) for hour in HOURS]
    for number, x, feed in ((21, 0, AUSTIN), (22, 12, SAN_DIEGO)):
        dashboard.with_panel(
            heat_map(
                number,
                f"{feed.title} by weekday and hour",
                f"{feed.rows.capitalize()} in the period, by local weekday and hour ({feed.zone}). Rows of which the "
                "feed gives the day only are left out; the table below says how many.",
                Place(x, 16, 12, 8),
                sql=hours_sql(feed),
                name=Column("name", "Day", width=55),
                cells=cells,
                scheme=feed.scheme,
            )
        )
    dashboard.with_panel(
        rows(
            23,
            "How far to trust the hours",
            "Many departments write 00:00 when the time is not known. Far more rows at 00:00 than one minute of that "
            "hour would get, judged by its other 59 minutes, means that the first hour of the heat map is too dark.",
            Place(0, 24, 24, 4),
            sql=TIMES,
            columns=[
                Column("feed", "Feed"),
                Column("with_time", "With a time of day", NUMBER),
                Column("first_minute", "At 00:00", NUMBER),
                Column("expected", "Expected at 00:00", NUMBER),
                Column("without_time", "Day only, left out", NUMBER),
            ],
        )
    )


def _what(dashboard: board.Dashboard) -> None:
    dashboard.with_row(heading(30, "What and where", 28))
    for number, x, feed in ((31, 0, AUSTIN), (32, 12, SAN_DIEGO)):
        dashboard.with_panel(
            ranking(
                number,
                f"Top categories: {feed.title}",
                f"The ten most frequent harmonised categories of {feed.rows} in the period.",
                Place(x, 29, 12, 9),
                sql=categories_sql(feed),
                name="name",
                columns=[Column("name", "Category"), Column("incidents", feed.rows.capitalize(), NUMBER, feed.colour)],
            )
        )
    dashboard.with_panel(
        rows(
            33,
            "San Diego calls by type and beat",
            "The 20 most frequent pairs of call type and beat in the period.",
            Place(0, 38, 24, 11),
            sql=CALLS,
            columns=[
                Column("call_type_description", "Call type"),
                Column("call_type", "Code", width=90),
                Column("neighborhood", "Neighbourhood"),
                Column("beat", "Beat", width=80),
                Column("calls", "Calls", NUMBER, SAN_DIEGO.colour, 220, GAUGE),
            ],
        )
    )


def _truth(dashboard: board.Dashboard) -> None:
    dashboard.with_row(heading(40, "The truth of the feeds", 49))
    dashboard.with_panel(
        rows(
            41,
            "What the polls found",
            "Totals over the polls of the period. Rows that exist by the poll's ledger and in the warehouse differ by "
            "those that went to dead letters after the poll, and by what was loaded since the marts were built.",
            Place(0, 50, 24, 5),
            sql=POLLS,
            columns=[
                Column("feed", "Feed"),
                Column("polls", "Polls", NUMBER),
                Column("failed", "Failed", NUMBER, alert=True),
                Column("rows_in", "Rows read", NUMBER),
                Column("inserted", "Inserted", NUMBER),
                Column("revised", "Revised", NUMBER),
                Column("reappeared", "Back again", NUMBER),
                Column("deleted", "Deleted", NUMBER),
                Column("late", "Late", NUMBER),
                Column("dead", "Dead", NUMBER, alert=True),
                Column("live_rows", "Exist by ledger", NUMBER),
                Column("incidents", "In the warehouse", NUMBER),
                Column("newest_event", "Newest event (local)"),
            ],
        )
    )
    dashboard.with_panel(
        rows(
            42,
            "Latest polls",
            "The last twelve polls of the period. A failed poll has published nothing and its cursor has not moved.",
            Place(0, 55, 16, 9),
            sql=LATEST_POLLS,
            columns=[
                Column("started", "Started (UTC)", width=140),
                Column("feed", "Feed"),
                Column("status", "Status", width=90),
                Column("scan", "Scan", width=100),
                Column("requests", "Requests", NUMBER, width=80),
                Column("rows_in", "Rows read", NUMBER, width=90),
                Column("published", "Published", NUMBER, width=90),
                Column("error", "Error"),
            ],
        )
    )
    dashboard.with_panel(
        rows(
            43,
            "Dead letters by reason",
            "Rows that could not be used, by stage and reason. Their bytes are kept in the table dead_letters.",
            Place(16, 55, 8, 9),
            sql=DEAD_LETTERS,
            columns=[
                Column("feed", "Feed"),
                Column("stage", "Stage", width=90),
                Column("reason", "Reason"),
                Column("letters", "Rows", NUMBER, width=70),
            ],
            no_value="No dead letters in this period",
        )
    )
