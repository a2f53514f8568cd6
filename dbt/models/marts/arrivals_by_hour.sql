{{
    config(
        materialized='table',
        partition_by={'field': 'day', 'data_type': 'date', 'granularity': 'day'},
        cluster_by=['source'],
    )
}}

with

arrivals as (

    select * from {{ ref('stg_arrivals') }}

    where grain = 'ten_minutes'

)

select
    source,
    window_hour as hour_start,
    window_day as day,
    sum(events) as events,
    sum(inserted) as inserted,
    sum(revised) as revised,
    sum(deleted) as deleted,
    sum(reappeared) as reappeared,
    sum(expired) as expired,
    sum(withdrawn) as withdrawn,
    sum(late) as late,
    sum(delay_hour) as delay_hour,
    sum(delay_day) as delay_day,
    sum(delay_week) as delay_week,
    sum(delay_month) as delay_month,
    sum(delay_year) as delay_year,
    sum(delay_longer) as delay_longer,
    max(loaded_at) as changed_at

from arrivals

group by source, hour_start, day
