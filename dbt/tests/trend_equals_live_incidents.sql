{{ config(severity=env_var('CIVICWIRE_EQUATIONS', 'error')) }}
-- Business equation: a month of the trend counts exactly the incidents of that month that exist.

with

facts as (

    select
        source,
        kind,
        date_trunc(date(occurred_local), month) as month,
        count(*) as incidents

    from {{ source('civicwire', 'incidents') }}

    where deleted is not true

    group by source, kind, month

),

trend as (

    select
        source,
        kind,
        month,
        sum(incidents) as incidents

    from {{ ref('city_month_trend') }}

    group by source, kind, month

)

select
    source,
    kind,
    month,
    facts.incidents as incidents_in_facts,
    trend.incidents as incidents_in_trend

from facts

full outer join trend using (source, kind, month)

where coalesce(facts.incidents, 0) != coalesce(trend.incidents, 0)
