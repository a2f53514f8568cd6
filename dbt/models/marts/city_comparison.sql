{{
    config(
        materialized='table',
        partition_by={'field': 'month', 'data_type': 'date', 'granularity': 'month'},
        cluster_by=['city', 'measure'],
    )
}}

with

trend as (

    select * from {{ ref('city_month_trend') }}

),

feeds as (

    select
        feeds.source,
        feeds.unit,
        coalesce(cities.city, feeds.title) as city,
        coalesce(cities.series, feeds.title) as series

    from {{ ref('feeds') }} as feeds

    left join {{ ref('cities') }} as cities on feeds.source = cities.source

),

categories as (

    select * from {{ ref('categories') }}

),

counted as (

    select
        feeds.city,
        feeds.series,
        feeds.unit,
        trend.kind,
        trend.month,
        sum(trend.incidents) as all_incidents,
        sum(if(categories.index_crime = 'violent', trend.incidents, 0)) as violent,
        sum(if(categories.index_crime = 'property', trend.incidents, 0)) as property,
        logical_and(trend.is_complete) as is_complete

    from trend

    inner join feeds on trend.source = feeds.source

    left join categories on trend.category = categories.category

    group by feeds.city, feeds.series, feeds.unit, trend.kind, trend.month

),

breaks as (

    -- where one feed of a series ends on the day on which the next begins, the series goes on
    select
        feeds.series,
        breaks.break_date,
        breaks.effect,
        breaks.what,
        breaks.effect in ('level', 'definition') or (
            breaks.effect in ('begins', 'ends')
            and count(distinct if(breaks.effect in ('begins', 'ends'), breaks.effect, null))
                over (partition by feeds.series, breaks.break_date)
            = 1
        ) as is_dividing

    from {{ ref('breaks') }} as breaks

    inner join feeds on breaks.source = feeds.source

),

marked as (

    select
        counted.series,
        counted.month,
        count(distinct if(
            breaks.is_dividing and breaks.break_date < date_add(counted.month, interval 1 month),
            breaks.break_date,
            null
        )) as segment,
        countif(
            breaks.is_dividing
            and breaks.break_date > counted.month
            and breaks.break_date < date_add(counted.month, interval 1 month)
        ) > 0 as is_divided,
        string_agg(
            if(date_trunc(breaks.break_date, month) = counted.month, breaks.effect, null), ', '
            order by breaks.break_date, breaks.effect
        ) as break_effect,
        string_agg(
            if(date_trunc(breaks.break_date, month) = counted.month, breaks.what, null), ' '
            order by breaks.break_date, breaks.effect
        ) as break_what

    from counted

    left join breaks on counted.series = breaks.series

    group by counted.series, counted.month

),

measured as (

    select
        counted.city,
        counted.series,
        counted.kind,
        counted.unit,
        counted.month,
        measure,
        case measure
            when 'all' then counted.all_incidents
            when 'violent' then counted.violent
            else counted.property
        end as incidents,
        extract(day from last_day(counted.month, month)) as days,
        counted.is_complete,
        marked.segment,
        counted.is_complete and not marked.is_divided as is_comparable,
        marked.break_effect,
        marked.break_what

    from counted

    inner join marked
        on
            counted.series = marked.series
            and counted.month = marked.month

    cross join unnest(['all', 'violent', 'property']) as measure

),

daily as (

    select
        *,
        incidents / days as incidents_per_day

    from measured

)

select
    city,
    series,
    kind,
    unit,
    month,
    measure,
    incidents,
    days,
    incidents_per_day,
    is_complete,
    segment,
    is_comparable,
    100 * incidents_per_day / nullif(
        avg(if(is_comparable, incidents_per_day, null)) over (partition by series, kind, measure), 0
    ) as index_in_series,
    100 * incidents_per_day / nullif(
        avg(if(is_comparable, incidents_per_day, null)) over (partition by series, kind, measure, segment), 0
    ) as index_in_segment,
    break_effect,
    break_what

from daily
