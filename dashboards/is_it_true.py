# ruff: noqa: S608 - the SQL is made of this room's own constants
"""Is it true?: how complete the feeds are, what the portals changed silently, how late rows come, and what drifted."""

from __future__ import annotations

from grafana_foundation_sdk.models.dashboard import Dashboard

from dashboards.feeds import TITLES
from dashboards.panels import (
    ALERT,
    GAUGE,
    GREY,
    INK,
    NUMBER,
    SECONDS,
    SHARE,
    Column,
    bars_over_time,
    figures,
    heat_map,
    lines_over_time,
    note,
    rows,
)
from dashboards.queries import MARTS, TIME, among, in_period, named
from dashboards.sheet import Sheet

FEED = among("feed", "source")
LATE, REVISED = "#c98a4b", "#5b5b95"
AGES = (0, 3, 7, 14, 30, 60, 90, 180, 365)

STATUS = f"""
select
    {named()} as feed_name,
    last_poll_status,
    failed_in_a_row,
    portal_rows,
    live_rows,
    warehouse_rows,
    completeness,
    deleted,
    dead_letters,
    drift_events,
    format_datetime('%Y-%m-%d %H:%M', newest_event_local) as newest_event
from {MARTS}.feed_status
where {FEED}
order by feed_name
"""

SHORTFALL = f"""
select
    sum(live_rows) - sum(warehouse_rows) as missing,
    countif(completeness < 1) as incomplete,
    sum(dead_letters) as dead_letters
from {MARTS}.feed_status
where {FEED}
"""

SINCE = f"""
select
    max(timestamp_diff(current_timestamp(), last_success_at, second)) as oldest,
    min(timestamp_diff(current_timestamp(), last_success_at, second)) as newest
from {MARTS}.feed_status
where {FEED}
"""

CHANGES = f"""
select
    sum(revised) as revised,
    sum(deleted) as deleted,
    sum(late) as late,
    sum(withdrawn) as withdrawn
from {MARTS}.revisions_by_month
where {FEED}
"""

CHANGED_BY_MONTH = f"""
select
    {TIME},
    sum(revised) as revised,
    sum(deleted) as deleted,
    sum(late) as late
from {MARTS}.revisions_by_month
where
    {in_period()}
    and {FEED}
group by time
order by time
"""

CHANGED_BY_FEED = f"""
select
    {named()} as feed_name,
    sum(incidents) as incidents,
    sum(revised) as revised,
    sum(revisions) as revisions,
    sum(deleted) as deleted,
    sum(withdrawn) as withdrawn,
    sum(expired) as expired,
    sum(late) as late,
    safe_divide(sum(revised) + sum(deleted), sum(incidents) + sum(deleted)) as changed
from {MARTS}.revisions_by_month
where
    {in_period()}
    and {FEED}
group by source
order by feed_name
"""

TRIANGLE = (
    """
select
    format_date('%Y-%m', month) as name,
"""
    + ",\n".join(f"    max(if(age_days = {age}, completeness, null)) as d{age}" for age in AGES)
    + f"""
from {MARTS}.reporting_lag
where
    source = '${{lag}}'
    and basis = 'reported'
    and month >= date_sub(date '${{__to:date:YYYY-MM-DD}}', interval 18 month)
group by month
order by month desc
"""
)

ADJUSTED = f"""
select
    timestamp(month) as time,
    incidents,
    if(is_estimated, estimate, null) as estimate,
    if(is_estimated, low, null) as low,
    if(is_estimated, high, null) as high
from {MARTS}.reporting_lag_estimate
where
    source = '${{lag}}'
    and basis = 'reported'
    and month >= date_sub(date '${{__to:date:YYYY-MM-DD}}', interval 18 month)
order by time
"""

LAG_ERROR = f"""
select
    concat(cast(age_days as string), ' days') as age,
    months,
    completeness,
    error,
    error_unadjusted,
    bias,
    worst
from {MARTS}.reporting_lag_error
where
    source = '${{lag}}'
    and basis = 'reported'
order by age_days
"""

DRIFT = f"""
select
    format_timestamp('%Y-%m-%d %H:%M', observed_at) as seen,
    {named()} as feed_name,
    kind,
    coalesce(`column`, '') as column_name,
    coalesce(value, detail, '') as what,
    coalesce(affected_marts, '') as affected_marts,
    coalesce(affected_panels, '') as affected_panels
from {MARTS}.drift_events
where
    {FEED}
    and $__timeFilter(observed_at)
order by observed_at desc
limit 30
"""

DEAD = f"""
select
    {named()} as feed_name,
    stage,
    reason,
    sum(dead_letters) as dead_letters,
    cast(max(day) as string) as newest_day
from {MARTS}.dead_letters_by_reason
where
    {FEED}
    and {in_period("day")}
group by source, stage, reason
order by dead_letters desc, feed_name asc
limit 30
"""

BREAKS = f"""
select
    cast(break_date as string) as day,
    {named()} as feed_name,
    effect,
    what
from {MARTS}.breaks
where
    {FEED}
order by break_date desc
limit 30
"""


def build() -> Dashboard:
    """Return the dashboard."""
    sheet = Sheet(
        "civicwire-truth",
        "Is it true?",
        "What the portals changed without saying so, how complete the warehouse is, how late rows come, and what the "
        "newest months will probably come to.",
        since="now-3y/M",
        tags=["feeds"],
    )
    sheet.choice("feed", "Feed", "Which feeds the tables and charts of all feeds show.", _titles())
    sheet.choice(
        "lag",
        "Reporting lag of",
        "The feed whose reporting lag is shown; a feed needs a date of the report for it.",
        [one for one in _titles() if one[1] in REPORTED],
        REPORTED[0],
    )
    sheet.period()
    sheet.breaks(TITLES)
    sheet.band(
        4,
        (
            7,
            figures(
                1,
                "Freshness",
                "Since the last good poll: of the feed that has waited longest, and of the newest.",
                sql=SINCE,
                columns=[
                    Column("oldest", "Oldest", SECONDS),
                    Column("newest", "Newest", SECONDS),
                ],
            ),
        ),
        (
            8,
            figures(
                2,
                "Missing in the warehouse",
                "Rows that exist by the polls' ledgers and not in the warehouse: not loaded yet, or dead letters.",
                sql=SHORTFALL,
                columns=[
                    Column("missing", "Rows missing", NUMBER),
                    Column("incomplete", "Feeds incomplete", NUMBER),
                    Column("dead_letters", "Dead letters", NUMBER),
                ],
            ),
        ),
        (
            9,
            figures(
                3,
                "Changes without notice",
                "Rows that the portals changed, removed or published late, and revisions that could not be used.",
                sql=CHANGES,
                columns=[
                    Column("revised", "Revised", NUMBER),
                    Column("deleted", "Deleted", NUMBER),
                    Column("late", "Late", NUMBER),
                    Column("withdrawn", "Withdrawn", NUMBER),
                ],
            ),
        ),
    )
    _complete(sheet)
    _revised(sheet)
    _late(sheet)
    _drifted(sheet)
    return sheet.build()


REPORTED = ("austin_crime_reports", "la_crime_2020_2024", "la_nibrs_offenses", "la_crime_2010_2019")
"""Feeds that say when a row was reported."""


def _titles() -> list[tuple[str, str]]:
    return [(title, source) for source, title in TITLES.items()]


def _complete(sheet: Sheet) -> None:
    sheet.part(10, "Complete?")
    sheet.band(
        11,
        (
            24,
            rows(
                11,
                "The feeds",
                "Portal: its own count at the last complete scan. Ledger: rows that exist by the polls. Completeness "
                "is what of them is in the warehouse; below 100 % rows are on their way or in dead letters.",
                sql=STATUS,
                columns=[
                    Column("feed_name", "Feed"),
                    Column("last_poll_status", "Last poll", width=100),
                    Column("failed_in_a_row", "Failed in a row", NUMBER, width=110, alert=True),
                    Column("portal_rows", "Portal", NUMBER, width=90),
                    Column("live_rows", "Ledger", NUMBER, width=90),
                    Column("warehouse_rows", "Warehouse", NUMBER, width=95),
                    Column("completeness", "Complete", SHARE, INK, 150, GAUGE, decimals=1),
                    Column("deleted", "Deleted", NUMBER, width=80),
                    Column("dead_letters", "Dead", NUMBER, width=70, alert=True),
                    Column("drift_events", "Drift", NUMBER, width=70),
                    Column("newest_event", "Newest event (local)", width=150),
                ],
            ),
        ),
    )


def _revised(sheet: Sheet) -> None:
    sheet.part(20, "Revised and deleted")
    sheet.band(
        10,
        (
            8,
            bars_over_time(
                21,
                "Changed rows by month of occurrence",
                "Incidents of that month that the portal changed, deleted or published after newer ones.",
                sql=CHANGED_BY_MONTH,
                columns=[
                    Column("revised", "Revised", NUMBER, REVISED),
                    Column("deleted", "Deleted", NUMBER, ALERT),
                    Column("late", "Late", NUMBER, LATE),
                ],
            ),
        ),
        (
            16,
            rows(
                22,
                "By feed",
                "Of incidents that occurred in the period. Expired rows have left a portal's rolling window and still "
                "count.",
                sql=CHANGED_BY_FEED,
                columns=[
                    Column("feed_name", "Feed"),
                    Column("incidents", "Exist", NUMBER, width=80),
                    Column("revised", "Revised", NUMBER, width=75),
                    Column("revisions", "Revisions", NUMBER, width=85),
                    Column("deleted", "Deleted", NUMBER, width=75),
                    Column("withdrawn", "Withdrawn", NUMBER, width=85),
                    Column("expired", "Expired", NUMBER, width=75),
                    Column("late", "Late", NUMBER, width=60),
                    Column("changed", "Revised or deleted", SHARE, width=140, decimals=2),
                ],
            ),
        ),
    )


def _late(sheet: Sheet) -> None:
    sheet.part(30, "How late rows come")
    sheet.band(
        3,
        (
            24,
            note(
                31,
                "How to read this",
                "What the estimate is.",
                html="<p>The <b>newest months are too low</b>, because some of what happened in them has not been "
                "reported yet. The triangle shows which share of a month was reported so many days after its end. The "
                "estimate divides a young month by the share that months of its age had; its band is the mean error of "
                "the same method on months whose truth is known.</p>",
            ),
        ),
    )
    sheet.band(
        13,
        (
            11,
            heat_map(
                32,
                "Share reported by the age of the month",
                "Rows are months of occurrence, columns days after the month's end. Empty: not so old yet.",
                sql=TRIANGLE,
                name=Column("name", "Month", width=80),
                cells=[Column(f"d{age}", f"{age} d", SHARE, decimals=0) for age in AGES],
                scheme="continuous-blues",
                unit=SHARE,
                from_zero=False,
                no_value="No reporting dates of this feed in the period",
            ),
        ),
        (
            13,
            lines_over_time(
                33,
                "Recent months, as reported and as they will probably be",
                "Incidents of the month as known now, and the estimate with its band where the month is young.",
                sql=ADJUSTED,
                columns=[
                    Column("incidents", "As known now", NUMBER, INK),
                    Column("estimate", "Estimate", NUMBER, ALERT, dashed=True, decimals=0),
                    Column("low", "Low", NUMBER, GREY, dashed=True, decimals=0),
                    Column("high", "High", NUMBER, GREY, dashed=True, decimals=0),
                ],
                unit=NUMBER,
                axis="Incidents a month",
                no_value="No month of this feed to estimate",
            ),
        ),
    )
    sheet.band(
        9,
        (
            24,
            rows(
                34,
                "How good the estimate is",
                "The method tried on past months, by the age at which it was tried: its mean error, the error of the "
                "bare count, whether it leans to one side, and the worst month.",
                sql=LAG_ERROR,
                columns=[
                    Column("age", "After the month", width=150),
                    Column("months", "Months tried", NUMBER, width=110),
                    Column("completeness", "Reported by then", SHARE, decimals=1),
                    Column("error", "Error of the estimate", SHARE, decimals=1),
                    Column("error_unadjusted", "Error of the bare count", SHARE, decimals=1),
                    Column("bias", "Bias", SHARE, decimals=1),
                    Column("worst", "Worst month", SHARE, decimals=1),
                ],
                no_value="Not enough months of this feed yet",
            ),
        ),
    )


def _drifted(sheet: Sheet) -> None:
    sheet.part(40, "Drift, dead letters and breaks")
    sheet.band(
        9,
        (
            14,
            rows(
                41,
                "Drift",
                "Columns that came, went, were renamed or retyped, and codes never seen before, with what hangs on "
                "them.",
                sql=DRIFT,
                columns=[
                    Column("seen", "Seen (UTC)", width=130),
                    Column("feed_name", "Feed", width=170),
                    Column("kind", "What", width=110),
                    Column("column_name", "Column", width=130),
                    Column("what", "Value"),
                    Column("affected_marts", "Marts"),
                    Column("affected_panels", "Panels"),
                ],
                no_value="No drift in this period",
            ),
        ),
        (
            10,
            rows(
                42,
                "Dead letters",
                "Rows that could not be used, by stage and reason. Their bytes are kept in the table dead_letters.",
                sql=DEAD,
                columns=[
                    Column("feed_name", "Feed"),
                    Column("stage", "Stage", width=90),
                    Column("reason", "Reason"),
                    Column("dead_letters", "Rows", NUMBER, width=70),
                    Column("newest_day", "Newest", width=100),
                ],
                no_value="No dead letters in this period",
            ),
        ),
    )
    sheet.band(
        9,
        (
            24,
            rows(
                43,
                "Breaks",
                "Days from which on a feed cannot be compared with before, whenever they were.",
                sql=BREAKS,
                columns=[
                    Column("day", "From", width=95),
                    Column("feed_name", "Feed", width=190),
                    Column("effect", "Effect", width=90),
                    Column("what", "What happened"),
                ],
                no_value="No breaks of these feeds",
            ),
        ),
    )
