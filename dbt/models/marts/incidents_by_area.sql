{{
    config(
        partition_by={'field': 'month', 'data_type': 'date', 'granularity': 'month'},
        cluster_by=['source', 'category', 'area'],
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
        {{ known('area_kind') }} as area_kind,
        {{ known('area') }} as area,
        category,
        status,
        domestic

    from {{ ref('int_incidents') }}

    where
        true
        {{ and_in(months, 'occurred_date') }}

)

select
    source,
    kind,
    occurred_month as month,
    area_kind,
    area,
    category,
    count(*) as incidents,
    countif(status = 'open') as open,
    countif(status = 'cleared_arrest') as cleared_arrest,
    countif(status = 'cleared_exceptional') as cleared_exceptional,
    countif(status = 'not_cleared') as not_cleared,
    countif(status = 'closed') as closed,
    countif(status = 'unknown') as status_unknown,
    countif({{ cleared('status') }}) as cleared,
    countif(domestic) as domestic,
    logical_and(is_complete) as is_complete,
    max(changed_at) as changed_at

from incidents

group by source, kind, month, area_kind, area, category
