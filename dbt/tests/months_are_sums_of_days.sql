{{ config(severity=env_var('CIVICWIRE_EQUATIONS', 'error')) }}
-- Business equation: the stream's window of a month is the sum of its windows of days.

with

windows as (

    select
        source,
        kind,
        category,
        window_month,
        sum(if(grain = 'day', incidents, 0)) as incidents_in_days,
        sum(if(grain = 'month', incidents, 0)) as incidents_in_month

    from {{ ref('stg_incident_counts') }}

    where grain in ('day', 'month')

    group by source, kind, category, window_month

)

select * from windows
where incidents_in_days != incidents_in_month
