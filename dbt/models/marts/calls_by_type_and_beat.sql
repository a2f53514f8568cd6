{{
    config(
        partition_by={'field': 'month', 'data_type': 'date', 'granularity': 'month'},
        cluster_by=['source', 'call_type', 'beat'],
    )
}}

with

calls as (

    select
        source,
        occurred_month,
        description,
        coalesce(code, 'unknown') as call_type,
        coalesce(area, 'unknown') as beat,
        coalesce(priority, 'unknown') as priority

    from {{ ref('stg_incidents') }}

    where kind = 'call_for_service'

),

beats as (

    select
        'san_diego_calls' as source,
        beat,
        neighborhood

    from {{ ref('san_diego_beats') }}

),

call_types as (

    -- one wording per code, so that a feed that rewords a code does not split its calls
    select
        source,
        call_type,
        max(description) as call_type_description

    from calls

    group by source, call_type

),

counted as (

    select
        source,
        occurred_month as month,
        call_type,
        beat,
        priority,
        count(*) as calls

    from calls

    group by source, occurred_month, call_type, beat, priority

)

select
    counted.source,
    counted.month,
    counted.call_type,
    coalesce(call_types.call_type_description, 'not in the lookup') as call_type_description,
    counted.beat,
    coalesce(beats.neighborhood, 'not in the lookup') as neighborhood,
    counted.priority,
    counted.calls

from counted

left join call_types
    on
        counted.source = call_types.source
        and counted.call_type = call_types.call_type

left join beats
    on
        counted.source = beats.source
        and counted.beat = beats.beat
