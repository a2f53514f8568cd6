{{
    config(
        materialized='table',
        partition_by={'field': 'month', 'data_type': 'date', 'granularity': 'month'},
        cluster_by=['series'],
    )
}}

with

crime as (

    select
        series,
        month,
        segment,
        is_comparable,
        days,
        sum(if(measure = 'all', incidents, 0)) as incidents,
        sum(if(measure = 'violent', incidents, 0)) as violent,
        sum(if(measure = 'property', incidents, 0)) as property

    from {{ ref('city_comparison') }}

    where city = 'Los Angeles'

    group by series, month, segment, is_comparable, days

),

unemployment as (

    select
        month,
        is_seasonally_adjusted as seasonally_adjusted,
        max(if(indicator = 'unemployment_rate', value, null)) as unemployment_rate,
        max(if(indicator = 'unemployment', value, null)) as unemployment,
        max(if(indicator = 'labor_force', value, null)) as labor_force,
        logical_or(is_preliminary) as preliminary

    from {{ ref('stg_indicators') }}

    where
        source = 'california_laus'
        and area_kind = 'county'
        and area = 'Los Angeles County'
        and is_seasonally_adjusted is not null

    group by month, seasonally_adjusted

)

select
    crime.series,
    crime.month,
    unemployment.seasonally_adjusted,
    crime.incidents,
    crime.violent,
    crime.property,
    crime.incidents / crime.days as incidents_per_day,
    crime.is_comparable,
    crime.segment,
    unemployment.unemployment_rate,
    unemployment.unemployment,
    unemployment.labor_force,
    unemployment.preliminary

from crime

inner join unemployment on crime.month = unemployment.month
