{{ config(materialized='table', cluster_by=['source']) }}

-- A window stays in its month. The baseline of an hour looks back seven days, so that a change in the last days of a
-- month changes the next month too, if it has hours.

with

windows as (

    select
        source,
        grain,
        window_month,
        date_trunc(date_add(window_date, interval 7 day), month) as month_reached,
        incidents,
        loaded_at

    from {{ ref('stg_incident_counts') }}

),

own as (

    select
        source,
        window_month as month,
        countif(grain = 'hour' and incidents > 0) as hours,
        max(loaded_at) as changed_at

    from windows

    group by source, month

),

from_before as (

    select
        source,
        month_reached as month,
        max(loaded_at) as changed_at

    from windows

    where grain = 'hour' and month_reached != window_month

    group by source, month

)

select
    own.source,
    own.month,
    own.hours,
    own.changed_at as windows_changed_at,
    greatest(own.changed_at, coalesce(from_before.changed_at, own.changed_at)) as changed_at

from own

left join from_before
    on
        own.source = from_before.source
        and own.month = from_before.month
