{{
    config(
        materialized='table',
        partition_by={'field': 'day', 'data_type': 'date', 'granularity': 'day'},
        cluster_by=['source'],
    )
}}

with

polls as (

    select * from {{ ref('stg_polls') }}

)

select
    source,
    started_day as day,
    count(*) as polls,
    countif(status = 'changed') as changed,
    countif(is_failed) as failed,
    sum(requests) as requests,
    sum(bytes_received) as bytes_received,
    sum(rows_in) as rows_in,
    sum(inserted) as inserted,
    sum(revised) as revised,
    sum(reappeared) as reappeared,
    sum(deleted) as deleted,
    coalesce(sum(expired), 0) as expired,
    sum(unchanged) as unchanged,
    sum(dead) as dead,
    sum(late) as late,
    sum(drift) as drift,
    sum(duration_milliseconds) / 1000 as seconds,
    max(duration_milliseconds) / 1000 as seconds_max,
    max(loaded_at) as changed_at

from polls

group by source, day
