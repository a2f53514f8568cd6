{{
    config(
        partition_by={'field': 'month', 'data_type': 'date', 'granularity': 'month'},
        cluster_by=['source', 'category'],
        post_hook=after_rebuilding(),
    )
}}
{%- set months = months_behind() %}

with

incidents as (

    select
        source,
        kind,
        occurred_month,
        is_complete,
        changed_at,
        category,
        is_revised,
        is_late,
        occurred_hour

    from {{ ref('int_incidents') }}

    where
        true
        {{ and_in(months, 'occurred_date') }}

)

select
    source,
    kind,
    occurred_month as month,
    category,
    count(*) as incidents,
    countif(is_revised) as revised,
    countif(is_late) as late,
    countif(occurred_hour is null) as without_time_of_day,
    logical_and(is_complete) as is_complete,
    max(changed_at) as changed_at

from incidents

group by source, kind, month, category
