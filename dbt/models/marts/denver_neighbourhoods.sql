{{ config(materialized='table', cluster_by=['year']) }}

with

cells as (

    select * from {{ ref('int_denver_cells') }}
    where neighbourhood is not null

),

counted as (

    select
        year,
        neighbourhood,
        sum(if(kind = 'service_request', incidents, 0)) as contacts,
        sum(if(kind = 'accident', incidents, 0)) as accidents,
        sum(seriously_injured) as seriously_injured,
        sum(fatalities) as fatalities,
        max(if(kind = 'service_request', source, null)) as contacts_source

    from cells

    group by year, neighbourhood

)

-- the mean of the first and the last place of a tie
select
    year,
    neighbourhood,
    contacts,
    accidents,
    seriously_injured,
    fatalities,
    rank() over (partition by year order by contacts desc)
    + (count(*) over (partition by year, contacts) - 1) / 2 as contacts_rank,
    rank() over (partition by year order by accidents desc)
    + (count(*) over (partition by year, accidents) - 1) / 2 as accidents_rank,
    contacts_source

from counted
