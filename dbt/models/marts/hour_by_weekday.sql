{{
    config(
        partition_by={'field': 'month', 'data_type': 'date', 'granularity': 'month'},
        cluster_by=['source', 'weekday'],
        post_hook=after_rebuilding(),
    )
}}
{%- set months = months_behind("timed_rows > 0") %}

with

incidents as (

    select
        source,
        kind,
        occurred_month,
        is_complete,
        changed_at,
        occurred_weekday,
        occurred_hour,
        is_in_first_minute

    from {{ ref('int_incidents') }}

    where
        occurred_hour is not null
        {{ and_in(months, 'occurred_date') }}

)

select
    source,
    kind,
    occurred_month as month,
    occurred_weekday as weekday,
    ['Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday', 'Sunday'][
        ordinal(occurred_weekday)
    ] as weekday_name,
    occurred_hour as hour,
    count(*) as incidents,
    countif(is_in_first_minute) as first_minute,
    logical_and(is_complete) as is_complete,
    max(changed_at) as changed_at

from incidents

group by source, kind, month, weekday, weekday_name, hour
