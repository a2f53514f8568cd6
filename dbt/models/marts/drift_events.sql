{{
    config(
        materialized='table',
        partition_by={'field': 'day', 'data_type': 'date', 'granularity': 'day'},
        cluster_by=['source', 'kind'],
    )
}}

with

drift as (

    select * from {{ ref('stg_drift') }}

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
