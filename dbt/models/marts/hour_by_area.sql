{{
    config(
        partition_by={'field': 'month', 'data_type': 'date', 'granularity': 'month'},
        cluster_by=['source', 'area'],
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
        {{ known('area') }} as area,
        occurred_hour,
        is_violent,
        is_property,
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
    area,
    occurred_hour as hour,
    count(*) as incidents,
    countif(is_violent) as violent,
    countif(is_property) as property,
    countif(is_in_first_minute) as first_minute,
    logical_and(is_complete) as is_complete,
    max(changed_at) as changed_at

from incidents

group by source, kind, month, area, hour
