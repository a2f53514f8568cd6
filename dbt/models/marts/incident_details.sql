{{ config(materialized='view') }}

-- A view: a copy of every incident would cost its storage and show nothing more. The partitions are those of the
-- incidents.

select
    incident_id,
    source,
    kind,
    category,
    code,
    description,
    status,
    area_kind,
    area,
    place,
    premise,
    occurred_date,
    occurred_local,
    reported_local,
    closed_local,
    time_precision,
    latitude,
    longitude,
    domestic,
    victim_age,
    victim_sex,
    victim_descent,
    weapon,
    motive,
    quality_flags,
    revision,
    observed_at

from {{ ref('stg_incidents') }}
