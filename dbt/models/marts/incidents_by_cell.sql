{{
    config(
        partition_by={'field': 'month', 'data_type': 'date', 'granularity': 'month'},
        cluster_by=['source', 'area'],
        post_hook=after_rebuilding(),
    )
}}
{%- set months = months_behind() %}
-- Latitude and longitude are both null or none is: the incident model sees to it.

with

incidents as (

    select
        source,
        kind,
        occurred_month,
        is_complete,
        changed_at,
        {{ known('area') }} as area,
        {{ cell('latitude') }} as cell_latitude,
        {{ cell('longitude') }} as cell_longitude,
        is_violent,
        is_property,
        seriously_injured,
        fatalities

    from {{ ref('int_incidents') }}

    where
        true
        {{ and_in(months, 'occurred_date') }}

)

select
    source,
    kind,
    occurred_month as month,
    area,
    cell_latitude,
    cell_longitude,
    count(*) as incidents,
    countif(is_violent) as violent,
    countif(is_property) as property,
    sum(seriously_injured) as seriously_injured,
    sum(fatalities) as fatalities,
    logical_and(is_complete) as is_complete,
    max(changed_at) as changed_at

from incidents

group by source, kind, month, area, cell_latitude, cell_longitude
