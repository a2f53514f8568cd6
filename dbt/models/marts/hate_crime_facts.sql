{{
    config(
        partition_by={'field': 'month', 'data_type': 'date', 'granularity': 'month'},
        cluster_by=['source', 'motive'],
        post_hook=after_rebuilding(),
    )
}}
{%- set months = months_behind("kind = 'hate_crime'") %}

with

facts as (

    select
        source,
        occurred_month,
        {{ stated('motive') }} as motive,
        category,
        {{ known('code') }} as offence,
        {{ known('description') }} as chapter,
        {{ known('area') }} as police_area,
        {{ town('place') }} as town,
        {{ comarca('place') }} as comarca,
        {{ province('place') }} as province,
        strpos(quality_flags, 'place_online') > 0 as is_online,
        victims,
        is_complete,
        changed_at

    from {{ ref('int_incidents') }}

    where
        kind = 'hate_crime'
        {{ and_in(months, 'occurred_date') }}

)

select
    source,
    occurred_month as month,
    motive,
    category,
    offence,
    chapter,
    police_area,
    town,
    comarca,
    province,
    is_online,
    count(*) as facts,
    coalesce(sum(victims), 0) as victims,
    count(victims) as victims_stated,
    logical_and(is_complete) as is_complete,
    max(changed_at) as changed_at

from facts

group by source, month, motive, category, offence, chapter, police_area, town, comarca, province, is_online
