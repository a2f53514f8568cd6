{{ config(severity=env_var('CIVICWIRE_EQUATIONS', 'error')) }}
-- Business equation: joining the lookups loses no call and doubles none.

with

calls as (

    select
        source,
        month,
        sum(calls) as incidents

    from {{ ref('calls_by_type_and_beat') }}

    group by source, month

),

trend as (

    select
        source,
        month,
        sum(incidents) as incidents

    from {{ ref('city_month_trend') }}

    where kind = 'call_for_service'

    group by source, month

)

select
    source,
    month,
    calls.incidents as calls_in_mart,
    trend.incidents as calls_in_trend

from calls

full outer join trend using (source, month)

where coalesce(calls.incidents, 0) != coalesce(trend.incidents, 0)
