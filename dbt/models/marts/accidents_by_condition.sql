{{
    config(
        partition_by={'field': 'month', 'data_type': 'date', 'granularity': 'month'},
        cluster_by=['source'],
        post_hook=after_rebuilding(),
    )
}}
{%- set months = months_behind("kind = 'accident'") %}

with

incidents as (

    select
        source,
        occurred_month,
        is_complete,
        changed_at,
        occurred_weekday,
        occurred_hour,
        category,
        {{ stated('road_condition') }} as road_condition,
        {{ stated('light_condition') }} as light_condition,
        seriously_injured,
        fatalities

    from {{ ref('int_incidents') }}

    where
        kind = 'accident'
        {{ and_in(months, 'occurred_date') }}

)

select
    source,
    occurred_month as month,
    {{ season('occurred_month') }} as season,
    occurred_weekday as weekday,
    occurred_hour as hour,
    category,
    road_condition,
    light_condition,
    count(*) as accidents,
    sum(seriously_injured) as seriously_injured,
    sum(fatalities) as fatalities,
    countif(seriously_injured is not null or fatalities is not null) as injuries_stated,
    logical_and(is_complete) as is_complete,
    max(changed_at) as changed_at

from incidents

group by source, month, season, weekday, hour, category, road_condition, light_condition
