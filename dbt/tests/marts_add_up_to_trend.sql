{{ config(severity=env_var('CIVICWIRE_EQUATIONS', 'error')) }}
-- Business equation: every mart that counts incidents counts all of them, each once, whatever it divides them by.

with

trend as (

    select
        source,
        kind,
        month,
        sum(incidents) as incidents

    from {{ ref('city_month_trend') }}

    group by source, kind, month

),

divided as (

    select 'incidents_by_area' as mart, source, month, incidents from {{ ref('incidents_by_area') }}
    union all
    select 'incidents_by_code' as mart, source, month, incidents from {{ ref('incidents_by_code') }}
    union all
    select 'incidents_by_cell' as mart, source, month, incidents from {{ ref('incidents_by_cell') }}
    union all
    select 'revisions_by_month' as mart, source, month, incidents from {{ ref('revisions_by_month') }}
    union all
    select 'weapons_by_month' as mart, source, month, incidents from {{ ref('weapons_by_month') }}
    union all
    select 'accidents_by_condition' as mart, source, month, accidents as incidents from {{ ref('accidents_by_condition') }}
    union all
    select 'service_requests_by_agency' as mart, source, month, contacts as incidents
    from {{ ref('service_requests_by_agency') }}
    union all
    select 'hate_crime_facts' as mart, source, month, facts as incidents from {{ ref('hate_crime_facts') }}

),

counted as (

    select
        mart,
        source,
        month,
        sum(incidents) as incidents

    from divided

    group by mart, source, month

    having sum(incidents) > 0

),

expected as (

    select
        marts.mart,
        trend.source,
        trend.month,
        trend.incidents

    from trend

    inner join unnest([
        struct('incidents_by_area' as mart, '' as kinds),
        struct('incidents_by_code' as mart, '' as kinds),
        struct('incidents_by_cell' as mart, '' as kinds),
        struct('revisions_by_month' as mart, '' as kinds),
        struct('weapons_by_month' as mart, 'crime_report offence' as kinds),
        struct('accidents_by_condition' as mart, 'accident' as kinds),
        struct('service_requests_by_agency' as mart, 'service_request' as kinds),
        struct('hate_crime_facts' as mart, 'hate_crime' as kinds)
    ]) as marts
        on marts.kinds = '' or strpos(marts.kinds, trend.kind) > 0

)

select
    mart,
    source,
    month,
    counted.incidents as incidents_in_mart,
    expected.incidents as incidents_in_trend

from counted

full outer join expected using (mart, source, month)

where coalesce(counted.incidents, 0) != coalesce(expected.incidents, 0)
