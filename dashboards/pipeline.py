# ruff: noqa: S608 - the SQL is made of this room's own constants
"""Pipeline: how fresh the figures are and whose delay it is, what arrives, fails and is restated, what it costs."""

from __future__ import annotations

from grafana_foundation_sdk.models.dashboard import Dashboard

from dashboards.feeds import TITLES
from dashboards.panels import (
    ALERT,
    BYTES,
    GAUGE,
    GREY,
    HOURS,
    INDEX,
    INK,
    NUMBER,
    SECONDS,
    Column,
    bars_over_time,
    figures,
    lines_over_time,
    measured,
    rows,
)
from dashboards.queries import MARTS, among, in_period, named
from dashboards.sheet import Sheet

FEED = among("feed", "source")
NEW, REVISED, LATE = "#2f6690", "#5b5b95", "#c98a4b"

NO_METRICS = "No answer: does Prometheus scrape `civicwire metrics`?"

FRESHNESS_NOW = f"""
with loads as (
    select
        avg(publisher_delay_median_hours) as publisher_delay,
        avg(added_lag_median_seconds) as added_lag
    from {MARTS}.loads_by_hour
    where
        $__timeFilter(hour_start)
        and {FEED}
),

now as (
    select timestamp_diff(current_timestamp(), max(last_loaded_at), second) as query_age
    from {MARTS}.feed_status
    where {FEED}
)

select
    loads.publisher_delay * 3600 as publisher_delay,
    loads.added_lag,
    now.query_age
from loads
cross join now
"""

BY_FEED = f"""
with loads as (
    select
        source,
        avg(publisher_delay_median_hours) as publisher_delay,
        avg(added_lag_median_seconds) as added_lag,
        max(added_lag_p95_seconds) as added_lag_p95,
        max(added_lag_max_seconds) as added_lag_max,
        sum(revisions) as revisions
    from {MARTS}.loads_by_hour
    where $__timeFilter(hour_start)
    group by source
)

select
    {named("status.source")} as feed_name,
    loads.publisher_delay,
    loads.added_lag,
    loads.added_lag_p95,
    loads.added_lag_max,
    timestamp_diff(current_timestamp(), status.last_loaded_at, second) as query_age,
    timestamp_diff(current_timestamp(), status.last_success_at, second) as since_poll,
    loads.revisions
from {MARTS}.feed_status as status
left join loads on status.source = loads.source
where status.{FEED}
order by feed_name
"""

LAG_OVER_TIME = f"""
select
    timestamp_trunc(hour_start, hour) as time,
    max(added_lag_median_seconds) as added_median,
    max(added_lag_p95_seconds) as added_p95
from {MARTS}.loads_by_hour
where
    $__timeFilter(hour_start)
    and {FEED}
group by time
order by time
"""

ARRIVALS = f"""
select
    timestamp_trunc(hour_start, hour) as time,
    sum(inserted) as inserted,
    sum(revised) as revised,
    sum(deleted) as deleted,
    sum(late) as late
from {MARTS}.arrivals_by_hour
where
    $__timeFilter(hour_start)
    and {FEED}
group by time
order by time
"""

DELAYS = f"""
select
    {named()} as feed_name,
    sum(delay_hour) as delay_hour,
    sum(delay_day) as delay_day,
    sum(delay_week) as delay_week,
    sum(delay_month) as delay_month,
    sum(delay_year) as delay_year,
    sum(delay_longer) as delay_longer
from {MARTS}.arrivals_by_hour
where
    $__timeFilter(hour_start)
    and {FEED}
group by source
order by feed_name
"""

DEAD = f"""
with letters as (
    select
        source,
        day,
        sum(dead_letters) as dead_letters
    from {MARTS}.dead_letters_by_reason
    group by source, day
)

select
    timestamp(polls.day) as time,
    coalesce(sum(letters.dead_letters), 0) as dead_letters
from {MARTS}.polls_by_day as polls
left join letters
    on
        polls.source = letters.source
        and polls.day = letters.day
where
    {in_period("polls.day")}
    and polls.{FEED}
group by time
order by time
"""

POLLS = f"""
select
    {named()} as feed_name,
    sum(polls) as polls,
    sum(changed) as changed,
    sum(failed) as failed,
    sum(rows_in) as rows_in,
    sum(inserted) as inserted,
    sum(revised) as revised,
    sum(deleted) as deleted,
    sum(dead) as dead,
    safe_divide(sum(seconds), sum(polls)) as seconds_mean,
    max(seconds_max) as seconds_most
from {MARTS}.polls_by_day
where
    {in_period("day")}
    and {FEED}
group by source
order by feed_name
"""

LATEST = f"""
select
    format_timestamp('%Y-%m-%d %H:%M', started_at) as started,
    {named()} as feed_name,
    status,
    scan,
    requests,
    rows_in,
    inserted + revised + reappeared + deleted as published,
    coalesce(error, '') as error
from {MARTS}.stg_polls
where
    $__timeFilter(started_at)
    and {FEED}
order by started_at desc
limit 12
"""

RESTATED = f"""
select
    {named()} as feed_name,
    grain,
    sum(windows) as windows,
    sum(restated) as restated,
    sum(restatements) as restatements,
    sum(first_incidents) as first_incidents,
    sum(incidents) as incidents
from {MARTS}.window_restatements
where {FEED}
group by source, grain
order by feed_name, grain
"""

COST_BY_FEED = f"""
select
    timestamp(day) as time,
    sum(requests) as requests
from {MARTS}.polls_by_day
where
    {in_period("day")}
    and {FEED}
group by time
order by time
"""

RECEIVED = f"""
select
    {named()} as feed_name,
    sum(requests) as requests,
    sum(bytes_received) as bytes_received,
    safe_divide(sum(bytes_received), sum(inserted) + sum(revised) + sum(deleted)) as bytes_per_change
from {MARTS}.polls_by_day
where
    {in_period("day")}
    and {FEED}
group by source
order by bytes_received desc
"""

BUILDS = f"""
select
    node,
    resource_type,
    count(*) as builds,
    avg(seconds) as seconds_mean,
    max(seconds) as seconds_most,
    sum(bytes_processed) as bytes_processed
from {MARTS}.builds
where $__timeFilter(built_at)
group by node, resource_type
order by seconds_mean desc, node asc
limit 15
"""


def build() -> Dashboard:
    """Return the dashboard."""
    sheet = Sheet(
        "civicwire-pipeline",
        "Pipeline",
        "Freshness split into what the publisher takes, what the line adds and how old the last load is; arrivals, "
        "polls, failures, restatements and cost.",
        since="now-7d",
        tags=["feeds"],
    )
    sheet.metrics()
    sheet.choice("feed", "Feed", "Which feeds are shown.", [(title, source) for source, title in TITLES.items()])
    sheet.band(
        4,
        (
            12,
            figures(
                1,
                "Freshness",
                "Mean of the loads in the period: from the incident to the poll that saw it (the publisher's delay), "
                "from there to the warehouse (what the line adds); and how long ago anything was last loaded.",
                sql=FRESHNESS_NOW,
                columns=[
                    Column("publisher_delay", "Publisher's delay", SECONDS),
                    Column("added_lag", "Added by the line", SECONDS),
                    Column("query_age", "Since the last load", SECONDS),
                ],
            ),
        ),
        (
            6,
            measured(
                2,
                "Job restarts",
                "Of the stream jobs since their start, by Prometheus.",
                metric="sum by (job) (civicwire_job_restarts_total)",
                label="job",
                no_value=NO_METRICS,
            ),
        ),
        (
            6,
            measured(
                3,
                "Messages to carry on",
                "How far the jobs and the writer are behind, by Prometheus.",
                metric="max by (group) (civicwire_lag_messages)",
                label="group",
                no_value=NO_METRICS,
            ),
        ),
    )
    _freshness(sheet)
    _arrivals(sheet)
    _polls(sheet)
    _cost(sheet)
    return sheet.build()


def _freshness(sheet: Sheet) -> None:
    sheet.part(10, "Freshness by feed")
    sheet.band(
        11,
        (
            24,
            rows(
                11,
                "Who takes how long",
                "Publisher: median from incident to poll. Added: from poll to warehouse. A feed that nothing was "
                "loaded of in the period has no lag.",
                sql=BY_FEED,
                columns=[
                    Column("feed_name", "Feed"),
                    Column("publisher_delay", "Publisher", HOURS, width=100),
                    Column("added_lag", "Added (median)", SECONDS, width=110),
                    Column("added_lag_p95", "Added (95 %)", SECONDS, width=100),
                    Column("added_lag_max", "Added (most)", SECONDS, width=100),
                    Column("query_age", "Last load", SECONDS, width=100),
                    Column("since_poll", "Last good poll", SECONDS, width=110),
                    Column("revisions", "Revisions", NUMBER, width=85),
                ],
            ),
        ),
    )
    sheet.band(
        8,
        (
            24,
            lines_over_time(
                12,
                "Added lag over time",
                "From poll to warehouse by hour of the load, of the slowest feed.",
                sql=LAG_OVER_TIME,
                columns=[
                    Column("added_median", "Median", SECONDS, INK),
                    Column("added_p95", "95 %", SECONDS, GREY),
                ],
                unit=SECONDS,
                axis="Seconds added",
            ),
        ),
    )


def _arrivals(sheet: Sheet) -> None:
    sheet.part(20, "Arrivals")
    sheet.band(
        9,
        (
            11,
            bars_over_time(
                21,
                "What arrived",
                "Revisions by hour of the poll that saw them (UTC). Late ones are among the new.",
                sql=ARRIVALS,
                columns=[
                    Column("inserted", "New", NUMBER, NEW),
                    Column("revised", "Revised", NUMBER, REVISED),
                    Column("deleted", "Deleted", NUMBER, ALERT),
                    Column("late", "Late (of the new)", NUMBER, LATE),
                ],
            ),
        ),
        (
            13,
            rows(
                22,
                "How long after the incident",
                "New rows by the time from the incident to the poll that saw it.",
                sql=DELAYS,
                columns=[
                    Column("feed_name", "Feed"),
                    Column("delay_hour", "An hour", NUMBER, width=80),
                    Column("delay_day", "A day", NUMBER, width=80),
                    Column("delay_week", "A week", NUMBER, width=80),
                    Column("delay_month", "A month", NUMBER, width=80),
                    Column("delay_year", "A year", NUMBER, width=80),
                    Column("delay_longer", "Longer", NUMBER, width=80),
                ],
            ),
        ),
    )
    sheet.band(
        9,
        (
            14,
            rows(
                23,
                "Windows restated",
                "Hours, days and months that later polls have changed. First: as they were first published.",
                sql=RESTATED,
                columns=[
                    Column("feed_name", "Feed"),
                    Column("grain", "Window", width=80),
                    Column("windows", "Windows", NUMBER, width=90),
                    Column("restated", "Restated", NUMBER, width=90),
                    Column("restatements", "Restatements", NUMBER, width=110),
                    Column("first_incidents", "Incidents at first", NUMBER, width=120),
                    Column("incidents", "Now", NUMBER, width=90),
                ],
            ),
        ),
        (
            10,
            bars_over_time(
                24,
                "Dead letters",
                "Rows that could not be used, by day of the poll (UTC). Is it true? says why.",
                sql=DEAD,
                columns=[Column("dead_letters", "Dead letters", NUMBER, ALERT)],
                no_value="No dead letters in this period",
            ),
        ),
    )


def _polls(sheet: Sheet) -> None:
    sheet.part(30, "Polls")
    sheet.band(
        11,
        (
            24,
            rows(
                31,
                "By feed",
                "Polls of the period and what they found. A failed poll has published nothing and its cursor has not "
                "moved.",
                sql=POLLS,
                columns=[
                    Column("feed_name", "Feed"),
                    Column("polls", "Polls", NUMBER, width=80),
                    Column("changed", "With changes", NUMBER, width=110),
                    Column("failed", "Failed", NUMBER, width=80, alert=True),
                    Column("rows_in", "Rows read", NUMBER, width=100),
                    Column("inserted", "New", NUMBER, width=90),
                    Column("revised", "Revised", NUMBER, width=90),
                    Column("deleted", "Deleted", NUMBER, width=90),
                    Column("dead", "Dead", NUMBER, width=80, alert=True),
                    Column("seconds_mean", "Mean time", SECONDS, width=110),
                    Column("seconds_most", "Longest", SECONDS, width=110),
                ],
            ),
        ),
    )
    sheet.band(
        10,
        (
            24,
            rows(
                32,
                "Latest polls",
                "The last twelve of the period.",
                sql=LATEST,
                columns=[
                    Column("started", "Started (UTC)", width=140),
                    Column("feed_name", "Feed"),
                    Column("status", "Status", width=100),
                    Column("scan", "Scan", width=110),
                    Column("requests", "Requests", NUMBER, width=90),
                    Column("rows_in", "Rows read", NUMBER, width=100),
                    Column("published", "Published", NUMBER, width=100),
                    Column("error", "Error"),
                ],
            ),
        ),
    )


def _cost(sheet: Sheet) -> None:
    sheet.part(40, "Cost")
    sheet.band(
        10,
        (
            8,
            bars_over_time(
                41,
                "Requests to the portals",
                "By day (UTC).",
                sql=COST_BY_FEED,
                columns=[Column("requests", "Requests", NUMBER, INK)],
            ),
        ),
        (
            16,
            rows(
                42,
                "What the portals sent",
                "Bytes received, decompressed, and how many of them for each row that changed.",
                sql=RECEIVED,
                columns=[
                    Column("feed_name", "Feed"),
                    Column("requests", "Requests", NUMBER, width=80),
                    Column("bytes_received", "Received", BYTES, INK, 260, GAUGE),
                    Column("bytes_per_change", "For a change", BYTES, width=100),
                ],
            ),
        ),
    )
    sheet.band(
        10,
        (
            24,
            rows(
                43,
                "What the marts take",
                "The 15 slowest nodes of dbt. Bytes are what BigQuery bills; the emulator does not say.",
                sql=BUILDS,
                columns=[
                    Column("node", "Node"),
                    Column("resource_type", "Kind", width=70),
                    Column("builds", "Builds", INDEX, width=60),
                    Column("seconds_mean", "Mean", SECONDS, width=80),
                    Column("seconds_most", "Longest", SECONDS, width=80),
                    Column("bytes_processed", "Bytes", BYTES, width=80),
                ],
                no_value="No build was recorded in this period",
            ),
        ),
    )
