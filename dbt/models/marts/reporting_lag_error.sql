{{ config(materialized='table', cluster_by=['source', 'basis']) }}

-- Months that are a year old, and what would have been said of them at each age.

with

expected as (

    select
        *,
        logical_or(is_last_age) over (partition by source, kind, basis, month) as is_a_year_old

    from {{ ref('int_lag_expected') }}

),

tested as (

    select
        source,
        kind,
        basis,
        age_days,
        known / final as completeness,
        (known / expected - final) / final as deviation,
        (known - final) / final as deviation_unadjusted

    from expected

    where is_a_year_old and expected > 0 and not is_last_age

)

select
    source,
    kind,
    basis,
    age_days,
    count(*) as months,
    avg(completeness) as completeness,
    avg(abs(deviation)) as error,
    avg(deviation) as bias,
    avg(abs(deviation_unadjusted)) as error_unadjusted,
    max(abs(deviation)) as worst

from tested

group by source, kind, basis, age_days
