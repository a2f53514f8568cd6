{{ config(severity=env_var('CIVICWIRE_EQUATIONS', 'error')) }}
-- Business equation: the persons of a month are the sum of those of each role, sex and age.

with

mart as (

    select
        source,
        month,
        sum(persons) as persons

    from {{ ref('hate_crime_persons') }}

    group by source, month

),

facts as (

    select
        source,
        date_trunc(occurred_date, month) as month,
        count(*) as persons

    from {{ source('civicwire', 'persons') }}

    where not deleted and kind = 'hate_crime'

    group by source, month

)

select
    source,
    month,
    mart.persons as persons_in_mart,
    facts.persons as persons_in_facts

from mart

full outer join facts using (source, month)

where coalesce(mart.persons, 0) != coalesce(facts.persons, 0)
