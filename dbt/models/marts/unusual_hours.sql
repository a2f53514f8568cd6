{{
    config(
        partition_by={'field': 'month', 'data_type': 'date', 'granularity': 'month'},
        cluster_by=['source', 'area', 'category'],
        post_hook=after_rebuilding('int_window_changes'),
    )
}}
{%- set months = windows_behind('hours > 0') %}

-- Unusual: at least 5 incidents and more than baseline + 3 * sqrt(baseline + 1). The count of an hour is about
-- Poisson, whose standard deviation is the square root of its mean; the 1 stands for what seven days cannot tell from
-- 0.

with

windows as (

    select
        source,
        kind,
        area,
        category,
        window_start,
        window_date,
        window_month,
        incidents

    from {{ ref('stg_incident_counts') }}

    where
        grain = 'hour'
        {{ and_in(months, 'window_date', days_before=7) }}

),

days as (

    -- a day without any incident of the source says nothing of its hours: it had not begun, or nobody reported
    select
        source,
        window_date,
        sum(incidents) > 0 as has_incidents

    from windows

    group by source, window_date

),

history as (

    select
        source,
        window_date,
        countif(has_incidents) over (
            partition by source
            order by unix_date(window_date)
            range between 7 preceding and 1 preceding
        ) as days_of_history

    from days

),

series as (

    -- a day has each hour once, also where a change of the clock repeats or skips one
    select
        source,
        kind,
        area,
        category,
        window_start,
        window_date,
        window_month,
        extract(hour from window_start) as hour,
        incidents,
        coalesce(sum(incidents) over (
            partition by source, kind, area, category, extract(hour from window_start)
            order by unix_date(window_date)
            range between 7 preceding and 1 preceding
        ), 0) / 7 as baseline

    from windows

),

judged as (

    select
        series.*,
        history.days_of_history,
        series.baseline + 3 * sqrt(series.baseline + 1) as threshold

    from series

    inner join history
        on
            series.source = history.source
            and series.window_date = history.window_date

    where series.incidents > 0

),

changes as (

    select
        source,
        month,
        changed_at

    from {{ ref('int_window_changes') }}

)

select
    judged.source,
    judged.kind,
    judged.area,
    judged.category,
    judged.window_month as month,
    judged.window_start as hour_start,
    judged.hour,
    judged.incidents,
    judged.baseline,
    judged.days_of_history,
    judged.threshold,
    judged.days_of_history = 7 and judged.incidents >= 5 and judged.incidents > judged.threshold as is_unusual,
    changes.changed_at

from judged

inner join changes
    on
        judged.source = changes.source
        and judged.window_month = changes.month

where
    true
    {{ and_in(months, 'judged.window_month') }}
