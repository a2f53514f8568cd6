{{ config(severity=env_var('CIVICWIRE_EQUATIONS', 'error')) }}
-- Business equation: incidents with a time of day and incidents without one are all incidents of the month.

with

hours as (

    select
        source,
        kind,
        month,
        sum(incidents) as incidents

    from {{ ref('hour_by_weekday') }}

    group by source, kind, month

),

trend as (

    select
        source,
        kind,
        month,
        sum(incidents - without_time_of_day) as incidents

    from {{ ref('city_month_trend') }}

    group by source, kind, month

)

select
    source,
    kind,
    month,
    hours.incidents as incidents_in_hours,
    trend.incidents as incidents_in_trend

from hours

full outer join trend using (source, kind, month)

where coalesce(hours.incidents, 0) != coalesce(trend.incidents, 0)
