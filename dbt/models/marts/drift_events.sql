{{
    config(
        partition_by={'field': 'day', 'data_type': 'date', 'granularity': 'day'},
        cluster_by=['source', 'kind'],
    )
}}
{%- set days = days_behind(ref('stg_drift'), 'observed_day') %}

with

drift as (

    select * from {{ ref('stg_drift') }}

    where
        true
        {{ and_in(days, 'observed_day', 'day') }}

)

select
    source,
    kind,
    `column`,
    value,
    detail,
    affected_columns,
    affected_marts,
    affected_panels,
    poll_id,
    `rows`,
    observed_at,
    observed_day as day,
    loaded_at as changed_at

from drift
