{{ config(materialized='table', cluster_by=['source', 'basis']) }}

-- Chain ladder: from each age to the next, months that have passed both grew by a factor; the product of the factors
-- from an age on says how much is still to come. For every month and age it is made only of what was known on that
-- day, from the 24 months before, so that testing the method on old months uses nothing that came later.

with

triangle as (

    select
        source,
        kind,
        basis,
        month,
        age_days,
        known,
        final,
        date_add(date_add(month, interval 1 month), interval age_days day) as looked_on

    from {{ ref('reporting_lag') }}

),

aged as (

    select
        *,
        row_number() over (partition by source, kind, basis, month order by age_days) as age_number,
        max(month) over (partition by source, kind, basis) as newest_month

    from triangle

),

steps as (

    select
        source,
        kind,
        basis,
        month,
        age_number,
        known,
        lead(known) over (partition by source, kind, basis, month order by age_number) as known_next,
        lead(looked_on) over (partition by source, kind, basis, month order by age_number) as passed_on

    from aged

),

factors as (

    select
        aged.source,
        aged.kind,
        aged.basis,
        aged.month,
        aged.age_number,
        steps.age_number as step_number,
        count(*) as months,
        sum(steps.known_next) / nullif(sum(steps.known), 0) as factor

    from aged

    inner join steps
        on
            aged.source = steps.source
            and aged.kind = steps.kind
            and aged.basis = steps.basis
            and aged.age_number <= steps.age_number
            and aged.month > steps.month
            and date_sub(aged.month, interval 24 month) <= steps.month
            and aged.looked_on >= steps.passed_on

    where aged.month >= date_sub(aged.newest_month, interval 60 month)

    group by aged.source, aged.kind, aged.basis, aged.month, aged.age_number, steps.age_number

),

products as (

    -- without a factor for each step there is no saying
    select
        source,
        kind,
        basis,
        month,
        age_number,
        min(months) as months_of_history,
        if(
            countif(factor is not null) = array_length({{ lag_ages() }}) - age_number,
            exp(-sum(ln(factor))),
            null
        ) as expected

    from factors

    group by source, kind, basis, month, age_number

)

select
    aged.source,
    aged.kind,
    aged.basis,
    aged.month,
    aged.age_days,
    aged.known,
    aged.final,
    aged.age_number = array_length({{ lag_ages() }}) as is_last_age,
    if(aged.age_number = array_length({{ lag_ages() }}), 1.0, products.expected) as expected,
    coalesce(products.months_of_history, 0) as months_of_history

from aged

left join products
    on
        aged.source = products.source
        and aged.kind = products.kind
        and aged.basis = products.basis
        and aged.month = products.month
        and aged.age_number = products.age_number
