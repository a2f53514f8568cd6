{{ config(materialized='table', cluster_by=['series', 'measure']) }}

-- Only the longest stretch of a series without a break: across one, a correlation measures the change of system.

with

unemployment as (

    select
        month,
        is_seasonally_adjusted as seasonally_adjusted,
        max(value) as rate

    from {{ ref('stg_indicators') }}

    where
        source = 'california_laus'
        and indicator = 'unemployment_rate'
        and area_kind = 'county'
        and area = 'Los Angeles County'
        and is_seasonally_adjusted is not null

    group by month, seasonally_adjusted

),

crime as (

    select
        series,
        measure,
        month,
        segment,
        incidents_per_day

    from {{ ref('city_comparison') }}

    where city = 'Los Angeles' and is_comparable

),

longest as (

    select
        series,
        segment

    from crime

    where measure = 'all'

    group by series, segment

    qualify row_number() over (partition by series order by count(*) desc, segment) = 1

),

levels as (

    select
        crime.series,
        crime.measure,
        crime.month,
        crime.incidents_per_day

    from crime

    inner join longest
        on
            crime.series = longest.series
            and crime.segment = longest.segment

),

crime_values as (

    select
        series,
        measure,
        'level' as transform,
        month,
        incidents_per_day as crime

    from levels

    union all

    select
        levels.series,
        levels.measure,
        'year_change' as transform,
        levels.month,
        safe_divide(levels.incidents_per_day, before.incidents_per_day) - 1 as crime

    from levels

    inner join levels as before
        on
            levels.series = before.series
            and levels.measure = before.measure
            and before.month = date_sub(levels.month, interval 12 month)

),

unemployment_values as (

    select
        month,
        seasonally_adjusted,
        'level' as transform,
        rate

    from unemployment

    union all

    select
        unemployment.month,
        unemployment.seasonally_adjusted,
        'year_change' as transform,
        unemployment.rate - before.rate as rate

    from unemployment

    inner join unemployment as before
        on
            unemployment.seasonally_adjusted = before.seasonally_adjusted
            and before.month = date_sub(unemployment.month, interval 12 month)

),

correlated as (

    select
        crime_values.series,
        crime_values.measure,
        crime_values.transform,
        unemployment_values.seasonally_adjusted,
        lag_months,
        count(*) as months,
        -- of a figure that never changes corr makes NaN, which would come out as the strongest
        if(
            count(*) >= 12
            and min(crime_values.crime) < max(crime_values.crime)
            and min(unemployment_values.rate) < max(unemployment_values.rate),
            corr(crime_values.crime, unemployment_values.rate),
            null
        ) as correlation

    from crime_values

    cross join unnest(generate_array(-12, 12)) as lag_months

    inner join unemployment_values
        on
            crime_values.transform = unemployment_values.transform
            and unemployment_values.month = date_sub(crime_values.month, interval lag_months month)

    where crime_values.crime is not null and unemployment_values.rate is not null

    group by
        crime_values.series,
        crime_values.measure,
        crime_values.transform,
        unemployment_values.seasonally_adjusted,
        lag_months

)

select
    series,
    measure,
    transform,
    seasonally_adjusted,
    lag_months,
    months,
    correlation,
    correlation is not null and row_number() over (
        partition by series, measure, transform, seasonally_adjusted
        order by abs(correlation) desc nulls last, abs(lag_months), lag_months
    ) = 1 as is_strongest

from correlated
