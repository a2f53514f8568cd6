{{
    config(
        partition_by={'field': 'month', 'data_type': 'date', 'granularity': 'month'},
        cluster_by=['source', 'agency'],
        post_hook=after_rebuilding(),
    )
}}
{%- set months = months_behind("kind = 'service_request'") %}

with

incidents as (

    select
        source,
        occurred_month,
        is_complete,
        changed_at,
        {{ known('code') }} as agency,
        {{ known('area_kind') }} as area_kind,
        {{ known('area') }} as area,
        status,
        if(
            closed_local >= occurred_local, datetime_diff(closed_local, occurred_local, second), null
        ) as seconds_to_close

    from {{ ref('int_incidents') }}

    where
        kind = 'service_request'
        {{ and_in(months, 'occurred_date') }}

)

select
    source,
    occurred_month as month,
    agency,
    area_kind,
    area,
    count(*) as contacts,
    countif(status = 'open') as open,
    countif(status = 'closed') as closed,
    countif(seconds_to_close = 0) as closed_at_once,
    countif(seconds_to_close <= 86400) as closed_within_day,
    countif(seconds_to_close <= 7 * 86400) as closed_within_week,
    countif(seconds_to_close <= 30 * 86400) as closed_within_month,
    logical_and(is_complete) as is_complete,
    max(changed_at) as changed_at

from incidents

group by source, month, agency, area_kind, area
