{{
    config(
        materialized='table',
        partition_by={'field': 'month', 'data_type': 'date', 'granularity': 'month'},
        cluster_by=['source'],
    )
}}

with

months as (

    select
        source,
        kind,
        month,
        sum(incidents) as incidents

    from {{ ref('int_known_by_day') }}

    where basis = 'observed'

    group by source, kind, month

),

newest_looks as (

    select * from {{ ref('int_lag_expected') }}
    qualify row_number() over (partition by source, kind, basis, month order by age_days desc) = 1

),

chosen as (

    -- what polls saw is the better measure, once there is a year of it
    select * from newest_looks
    qualify
        row_number() over (
            partition by source, kind, month
            order by if(basis = 'observed' and expected is not null, 0, 1), if(expected is null, 1, 0), basis desc
        ) = 1

),

errors as (

    select * from {{ ref('reporting_lag_error') }}

),

estimated as (

    select
        months.source,
        months.kind,
        chosen.basis,
        months.month,
        chosen.age_days,
        months.incidents,
        chosen.expected as completeness,
        greatest(
            months.incidents,
            months.incidents * safe_divide(chosen.known / chosen.final, chosen.expected)
        ) as estimate,
        if(chosen.is_last_age, 0.0, errors.error) as error,
        coalesce(chosen.months_of_history, 0) as months_of_history,
        not chosen.is_last_age and chosen.expected is not null as is_estimated

    from months

    left join chosen
        on
            months.source = chosen.source
            and months.kind = chosen.kind
            and months.month = chosen.month

    left join errors
        on
            chosen.source = errors.source
            and chosen.kind = errors.kind
            and chosen.basis = errors.basis
            and chosen.age_days = errors.age_days

)

select
    source,
    kind,
    basis,
    month,
    age_days,
    incidents,
    completeness,
    if(is_estimated, estimate, cast(incidents as float64)) as estimate,
    error,
    if(is_estimated, greatest(estimate * (1 - error), incidents), cast(incidents as float64)) as low,
    if(is_estimated, estimate * (1 + error), cast(incidents as float64)) as high,
    months_of_history,
    coalesce(is_estimated, false) as is_estimated

from estimated
