{{
    config(
        partition_by={'field': 'month', 'data_type': 'date', 'granularity': 'month'},
        cluster_by=['source', 'role', 'motive'],
        post_hook=after_rebuilding(),
    )
}}
{%- set months = months_behind("kind = 'hate_crime'", of='person') %}

with

persons as (

    select
        source,
        occurred_month,
        {{ stated('role') }} as role,
        {{ stated('sex') }} as sex,
        age,
        {{ age_group('age') }} as age_group,
        {{ stated('motive') }} as motive,
        category,
        {{ known('code') }} as offence,
        {{ known('area') }} as police_area,
        {{ town('place') }} as town,
        {{ comarca('place') }} as comarca,
        {{ province('place') }} as province,
        is_complete,
        changed_at

    from {{ ref('int_persons') }}

    where
        kind = 'hate_crime'
        {{ and_in(months, 'occurred_date') }}

)

select
    source,
    occurred_month as month,
    role,
    sex,
    age,
    age_group,
    motive,
    category,
    offence,
    police_area,
    town,
    comarca,
    province,
    count(*) as persons,
    logical_and(is_complete) as is_complete,
    max(changed_at) as changed_at

from persons

group by
    source, month, role, sex, age, age_group, motive, category, offence, police_area, town, comarca, province
