{{ config(severity=env_var('CIVICWIRE_EQUATIONS', 'error')) }}
-- Business equation: the victims of a month are the sum of those of each sex, and nobody is in two groups.

with

groups as (

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
    groups.victims as victims_in_groups,
    facts.victims as victims_in_facts

from groups

full outer join facts using (source, month)

where coalesce(groups.victims, 0) != coalesce(facts.victims, 0)
