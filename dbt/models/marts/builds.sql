{{
    config(
        partition_by={'field': 'day', 'data_type': 'date', 'granularity': 'day'},
        cluster_by=['node'],
        full_refresh=false,
    )
}}

-- Only the shape: record_builds (macros/builds.sql) writes the rows when a build ends. They are not made again by a
-- full refresh.

select
    cast(null as string) as invocation_id,
    cast(null as string) as node,
    cast(null as string) as resource_type,
    cast(null as string) as status,
    cast(null as timestamp) as built_at,
    cast(null as date) as day,
    cast(null as float64) as seconds,
    cast(null as int64) as rows_affected,
    cast(null as int64) as bytes_processed

from unnest([1]) as nothing

where nothing = 0
