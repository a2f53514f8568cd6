{{
    config(
        partition_by={'field': 'day', 'data_type': 'date', 'granularity': 'day'},
        cluster_by=['source'],
    )
}}
{%- set days = days_behind(ref('stg_incident_revisions'), 'loaded_day') %}

with

revisions as (

    select
        source,
        op,
        loaded_day,
        loaded_at,
        observed_at,
        timestamp_trunc(loaded_at, hour) as hour_start,
        timestamp_diff(loaded_at, observed_at, millisecond) / 1000 as added_lag,
        if(op = 'insert', timestamp_diff(observed_at, occurred_at, second) / 3600, null) as publisher_delay

    from {{ ref('stg_incident_revisions') }}

    where
        true
        {{ and_in(days, 'loaded_day', 'day') }}

)

select
    source,
    hour_start,
    loaded_day as day,
    count(*) as revisions,
    countif(op = 'insert') as inserts,
    approx_quantiles(publisher_delay, 100)[offset(50)] as publisher_delay_median_hours,
    approx_quantiles(added_lag, 100)[offset(50)] as added_lag_median_seconds,
    approx_quantiles(added_lag, 100)[offset(95)] as added_lag_p95_seconds,
    max(added_lag) as added_lag_max_seconds,
    max(observed_at) as newest_observed_at,
    max(loaded_at) as changed_at

from revisions

group by source, hour_start, day
