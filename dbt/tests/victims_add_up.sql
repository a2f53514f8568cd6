{{ config(severity=env_var('CIVICWIRE_EQUATIONS', 'error')) }}
-- Business equation: the victims of a month are the sum of those of each sex, and nobody is in two mart.

with

mart as (

    select
        source,
        month,
        sum(victims) as victims

    from {{ ref('victims_by_group') }}

    group by source, month

),

facts as (

    select
        source,
        date_trunc(occurred_date, month) as month,
        count(*) as victims

    from {{ source('civicwire', 'incidents') }}

    where
        not deleted
        and coalesce(victim_sex, victim_descent, cast(victim_age as string)) is not null

    group by source, month

)

select
    source,
    month,
    mart.victims as victims_in_mart,
    facts.victims as victims_in_facts

from mart

full outer join facts using (source, month)

where coalesce(mart.victims, 0) != coalesce(facts.victims, 0)
