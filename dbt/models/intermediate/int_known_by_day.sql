{{
    config(
        materialized='incremental',
        incremental_strategy='insert_overwrite',
        on_schema_change='append_new_columns',
        partition_by={'field': 'month', 'data_type': 'date', 'granularity': 'month'},
        cluster_by=['source', 'basis'],
        post_hook=after_rebuilding(),
    )
}}
{%- set months = months_behind() %}

with

incidents as (

    select
        incident_id,
        source,
        kind,
        occurred_month,
        time_zone,
        date(reported_local) as reported_date,
        observed_at,
        is_complete,
        changed_at

    from {{ ref('int_incidents') }}

    where
        true
        {{ and_in(months, 'occurred_date') }}

),

first_revisions as (

    select
        incident_id,
        observed_at

    from {{ ref('stg_incident_revisions') }}

    where revision = 1

),

seen as (

    select
        incidents.source,
        incidents.kind,
        incidents.occurred_month,
        incidents.reported_date,
        date(coalesce(first_revisions.observed_at, incidents.observed_at), incidents.time_zone) as observed_date,
        incidents.is_complete,
        incidents.changed_at

    from incidents

    left join first_revisions on incidents.incident_id = first_revisions.incident_id

),

known as (

    select
        source,
        kind,
        occurred_month,
        'reported' as basis,
        reported_date as known_date,
        is_complete,
        changed_at

    from seen

    union all

    select
        source,
        kind,
        occurred_month,
        'observed' as basis,
        observed_date as known_date,
        is_complete,
        changed_at

    from seen

)

-- a null known_date: incidents of which the feed does not say when they were reported
select
    source,
    kind,
    occurred_month as month,
    basis,
    known_date,
    count(*) as incidents,
    logical_and(is_complete) as is_complete,
    max(changed_at) as changed_at

from known

group by source, kind, month, basis, known_date
