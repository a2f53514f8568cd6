{{
    config(
        partition_by={'field': 'month', 'data_type': 'date', 'granularity': 'month'},
        cluster_by=['source', 'category', 'code'],
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
        {{ known('code') }} as code,
        {{ known('description') }} as description,
        status

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
    code,
    description,
    count(*) as incidents,
    countif({{ cleared('status') }}) as cleared,
    logical_and(is_complete) as is_complete,
    max(changed_at) as changed_at

from incidents

group by source, kind, month, category, code, description
