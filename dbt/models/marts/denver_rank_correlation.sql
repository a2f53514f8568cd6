{{ config(materialized='table', cluster_by=['year']) }}

with

ranked as (

    select
        year,
        count(*) as neighbourhoods,
        sum(contacts) as contacts_placed,
        sum(accidents) as accidents_placed,
        if(
            count(*) >= 5 and min(contacts) < max(contacts) and min(accidents) < max(accidents),
            corr(contacts_rank, accidents_rank),
            null
        ) as rank_correlation

    from {{ ref('denver_neighbourhoods') }}

    group by year

),

everything as (

    select
        year,
        sum(if(kind = 'service_request', incidents, 0)) as contacts,
        sum(if(kind = 'accident', incidents, 0)) as accidents

    from {{ ref('int_denver_cells') }}

    group by year

)

select
    everything.year,
    coalesce(ranked.neighbourhoods, 0) as neighbourhoods,
    everything.contacts,
    coalesce(ranked.contacts_placed, 0) as contacts_placed,
    everything.accidents,
    coalesce(ranked.accidents_placed, 0) as accidents_placed,
    ranked.rank_correlation

from everything

left join ranked on everything.year = ranked.year
