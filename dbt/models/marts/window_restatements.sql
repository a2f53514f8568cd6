{{
    config(
        partition_by={'field': 'month', 'data_type': 'date', 'granularity': 'month'},
        cluster_by=['source', 'grain'],
    )
}}
{%- set months = windows_behind() %}

with

windows as (

    select * from {{ ref('stg_incident_counts') }}

    where
        true
        {{ and_in(months, 'window_date') }}

),

counted as (

    select
        source,
        kind,
        grain,
        window_month,
        count(*) as windows,
        countif(restatements > 0) as restated,
        coalesce(sum(restatements), 0) as restatements,
        coalesce(sum(first_incidents), 0) as first_incidents,
        sum(incidents) as incidents,
        sum(deleted) as deleted,
        sum(revised) as revised,
        sum(late) as late,
        min(first_observed_at) as first_observed_at,
        max(last_observed_at) as last_observed_at

    from windows

    group by source, kind, grain, window_month

),

changes as (

    select
        source,
        month,
        changed_at

    from {{ ref('int_window_changes') }}

)

select
    counted.source,
    counted.kind,
    counted.grain,
    counted.window_month as month,
    counted.windows,
    counted.restated,
    counted.restatements,
    counted.first_incidents,
    counted.incidents,
    counted.deleted,
    counted.revised,
    counted.late,
    counted.first_observed_at,
    counted.last_observed_at,
    changes.changed_at

from counted

inner join changes
    on
        counted.source = changes.source
        and counted.window_month = changes.month
