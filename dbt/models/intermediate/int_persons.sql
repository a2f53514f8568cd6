with

persons as (

    select * from {{ ref('stg_persons') }}

),

months as (

    select
        source,
        kind,
        month,
        is_complete,
        changed_at

    from {{ ref('int_month_changes') }}

)

select
    persons.person_id,
    persons.source,
    persons.kind,
    persons.role,
    persons.sex,
    persons.age,
    persons.motive,
    persons.category,
    persons.code,
    persons.area,
    persons.place,
    persons.occurred_date,
    persons.occurred_month,
    persons.quality_flags,
    months.is_complete,
    months.changed_at

from persons

inner join months
    on
        persons.source = months.source
        and persons.kind = months.kind
        and persons.occurred_month = months.month
