with

incidents as (

    select * from {{ ref('stg_incidents') }}

),

categories as (

    select
        category,
        index_crime

    from {{ ref('categories') }}

),

months as (

    select
        source,
        kind,
        month,
        is_complete,
        changed_at

    from {{ ref('int_month_changes') }}

)

-- only months that have been looked at: what arrives between two models waits for the next build
select
    incidents.incident_id,
    incidents.source,
    incidents.kind,
    incidents.category,
    incidents.code,
    incidents.description,
    incidents.status,
    incidents.motive,
    incidents.area_kind,
    incidents.area,
    incidents.place,
    incidents.priority,
    incidents.domestic,
    incidents.victims,
    incidents.victim_age,
    incidents.victim_sex,
    incidents.victim_descent,
    incidents.weapon,
    incidents.seriously_injured,
    incidents.fatalities,
    incidents.road_condition,
    incidents.light_condition,
    incidents.latitude,
    incidents.longitude,
    incidents.time_zone,
    incidents.occurred_date,
    incidents.occurred_month,
    incidents.occurred_weekday,
    incidents.occurred_hour,
    incidents.is_in_first_minute,
    incidents.occurred_local,
    incidents.reported_local,
    incidents.closed_local,
    incidents.observed_at,
    incidents.is_late,
    incidents.is_revised,
    incidents.quality_flags,
    coalesce(categories.index_crime = 'violent', false) as is_violent,
    coalesce(categories.index_crime = 'property', false) as is_property,
    months.is_complete,
    months.changed_at

from incidents

left join categories on incidents.category = categories.category

inner join months
    on
        incidents.source = months.source
        and incidents.kind = months.kind
        and incidents.occurred_month = months.month
