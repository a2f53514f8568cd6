{{
    config(
        materialized='table',
        partition_by={'field': 'month', 'data_type': 'date', 'granularity': 'month'},
        cluster_by=['source', 'basis', 'age_days'],
    )
}}

with

known as (

    select * from {{ ref('int_known_by_day') }}
    where known_date is not null

),

polls as (

    select
        source,
        date(min(started_at)) as first_day,
        date(max(started_at)) as last_day

    from {{ ref('stg_polls') }}

    where not is_failed

    group by source

),

horizons as (

    -- how far the basis reaches: what a feed reported yesterday and publishes next week is not known to be missing
    select
        known.source,
        known.kind,
        known.basis,
        min(polls.first_day) as first_day,
        if(
            known.basis = 'observed',
            coalesce(min(polls.last_day), max(known.known_date)),
            least(max(known.known_date), coalesce(min(polls.last_day), max(known.known_date)))
        ) as last_day

    from known

    left join polls on known.source = polls.source

    group by known.source, known.kind, known.basis

),

ages as (

    select age_days from unnest({{ lag_ages() }}) as age_days

),

months as (

    select
        source,
        kind,
        basis,
        month,
        sum(incidents) as final

    from known

    group by source, kind, basis, month

),

looks as (

    -- the first poll of a feed sees its whole history at once: only later months were watched as they filled
    select
        months.source,
        months.kind,
        months.basis,
        months.month,
        months.final,
        ages.age_days,
        date_add(date_add(months.month, interval 1 month), interval ages.age_days day) as looked_on

    from months

    inner join horizons
        on
            months.source = horizons.source
            and months.kind = horizons.kind
            and months.basis = horizons.basis

    cross join ages

    where
        date_add(date_add(months.month, interval 1 month), interval ages.age_days day) <= horizons.last_day
        and (months.basis = 'reported' or months.month > horizons.first_day)

)

select
    looks.source,
    looks.kind,
    looks.basis,
    looks.month,
    looks.age_days,
    coalesce(sum(known.incidents), 0) as known,
    looks.final,
    coalesce(sum(known.incidents), 0) / looks.final as completeness

from looks

left join known
    on
        looks.source = known.source
        and looks.kind = known.kind
        and looks.basis = known.basis
        and looks.month = known.month
        and looks.looked_on > known.known_date

group by looks.source, looks.kind, looks.basis, looks.month, looks.age_days, looks.final
