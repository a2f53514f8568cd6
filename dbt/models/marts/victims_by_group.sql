{{
    config(
        partition_by={'field': 'month', 'data_type': 'date', 'granularity': 'month'},
        cluster_by=['source', 'area'],
        post_hook=after_rebuilding(),
    )
}}
{%- set months = months_behind("described_victims > 0") %}

with

incidents as (

    select
        source,
        kind,
        occurred_month,
        is_complete,
        changed_at,
        {{ known('area') }} as area,
        {{ stated('victim_sex') }} as victim_sex,
        {{ stated('victim_descent') }} as victim_descent,
        {{ age_group('victim_age') }} as age_group,
        victim_age,
        is_violent,
        is_property

    from {{ ref('int_incidents') }}

    where
        coalesce(victim_sex, victim_descent, cast(victim_age as string)) is not null
        {{ and_in(months, 'occurred_date') }}

)

select
    source,
    kind,
    occurred_month as month,
    area,
    victim_sex,
    victim_descent,
    age_group,
    count(*) as victims,
    countif(is_violent) as violent,
    countif(is_property) as property,
    count(victim_age) as age_known,
    coalesce(sum(victim_age), 0) as age_sum,
    logical_and(is_complete) as is_complete,
    max(changed_at) as changed_at

from incidents

group by source, kind, month, area, victim_sex, victim_descent, age_group
