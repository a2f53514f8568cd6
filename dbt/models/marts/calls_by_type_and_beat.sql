{{
    config(
        partition_by={'field': 'month', 'data_type': 'date', 'granularity': 'month'},
        cluster_by=['source', 'call_type', 'beat'],
        post_hook=after_rebuilding(),
    )
}}
{%- set months = months_behind("kind = 'call_for_service'") %}

with

calls as (

    select
        source,
        occurred_month,
        description,
        {{ known('code') }} as call_type,
        {{ known('area') }} as beat,
        {{ known('priority') }} as priority,
        status = 'cleared_arrest' as is_arrest,
        is_complete,
        changed_at

    from {{ ref('int_incidents') }}

    where
        kind = 'call_for_service'
        {{ and_in(months, 'occurred_date') }}

),

beats as (

    select
        'san_diego_calls' as source,
        beat,
        neighborhood

    from {{ ref('san_diego_beats') }}

),

call_types as (

    -- one wording per code and month, so that a feed that rewords a code does not split its calls
    select
        source,
        occurred_month,
        call_type,
        max(description) as call_type_description

    from calls

    group by source, occurred_month, call_type

),

counted as (

    select
        source,
        occurred_month,
        call_type,
        beat,
        priority,
        count(*) as calls,
        countif(is_arrest) as arrests,
        logical_and(is_complete) as is_complete,
        max(changed_at) as changed_at

    from calls

    group by source, occurred_month, call_type, beat, priority

)

select
    counted.source,
    counted.occurred_month as month,
    counted.call_type,
    coalesce(call_types.call_type_description, 'not in the lookup') as call_type_description,
    counted.beat,
    coalesce(beats.neighborhood, 'not in the lookup') as neighborhood,
    counted.priority,
    counted.calls,
    counted.arrests,
    counted.is_complete,
    counted.changed_at

from counted

left join call_types
    on
        counted.source = call_types.source
        and counted.occurred_month = call_types.occurred_month
        and counted.call_type = call_types.call_type

left join beats
    on
        counted.source = beats.source
        and counted.beat = beats.beat
