{{
    config(
        partition_by={'field': 'month', 'data_type': 'date', 'granularity': 'month'},
        cluster_by=['source', 'area', 'weapon'],
        post_hook=after_rebuilding(),
    )
}}
{%- set months = months_behind("kind in ('crime_report', 'offence')") %}

with

incidents as (

    select
        source,
        kind,
        occurred_month,
        is_complete,
        changed_at,
        {{ known('area') }} as area,
        category,
        {{ stated('weapon') }} as weapon

    from {{ ref('int_incidents') }}

    where
        kind in ('crime_report', 'offence')
        {{ and_in(months, 'occurred_date') }}

)

select
    source,
    kind,
    occurred_month as month,
    area,
    category,
    weapon,
    count(*) as incidents,
    logical_and(is_complete) as is_complete,
    max(changed_at) as changed_at

from incidents

group by source, kind, month, area, category, weapon
