with

incidents as (

    select * from {{ source('civicwire', 'incidents') }}
    where not deleted

),

named as (

    select

        -- ids
        incident_id,
        source,
        record_id,
        case_id,
        revision,

        -- what
        kind,
        category,
        crime_against,
        code,
        description,
        motive,
        motive_code,
        status,
        status_code,
        priority,
        domestic,

        -- who and with what
        victims,
        victim_age,
        victim_sex,
        victim_sex_code,
        victim_descent,
        victim_descent_code,
        weapon,
        weapon_code,

        -- accidents
        seriously_injured,
        fatalities,
        road_condition,
        road_condition_code,
        light_condition,
        light_condition_code,

        -- where
        area_kind,
        area,
        place,
        premise,
        premise_code,
        latitude,
        longitude,

        -- when, in the feed's own civil time
        time_zone,
        time_precision,
        occurred_local,
        occurred_date,
        date_trunc(occurred_date, month) as occurred_month,
        mod(extract(dayofweek from occurred_date) + 5, 7) + 1 as occurred_weekday,
        if(time_precision in ('minute', 'second'), extract(hour from occurred_local), null) as occurred_hour,
        time_precision in ('minute', 'second')
        and time(occurred_local) < '00:01:00' as is_in_first_minute,
        reported_local,
        closed_local,

        -- when, as an instant
        occurred_at,
        observed_at,
        source_updated_at,
        loaded_at,

        -- how far to trust it
        late as is_late,
        revision > 1 as is_revised,
        quality_flags,

        -- where it came from
        poll_id,
        raw_partition,
        raw_offset

    from incidents

)

select * from named
