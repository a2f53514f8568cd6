{{
    config(
        materialized='table',
        partition_by={'field': 'day', 'data_type': 'date', 'granularity': 'day'},
        cluster_by=['source', 'reason'],
    )
}}

with

dead_letters as (

    select * from {{ ref('stg_dead_letters') }}

)

select
    source,
    observed_day as day,
    stage,
    reason,
    count(*) as dead_letters,
    max(loaded_at) as changed_at

from dead_letters

group by source, day, stage, reason
