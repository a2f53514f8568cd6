with

persons as (

    select * from {{ source('civicwire', 'persons') }}
    where not deleted

),

named as (

    select

        -- ids
        person_id,
        source,
        record_id,
        revision,

        -- who
        role,
        role_code,
        sex,
        sex_code,
        age,
        age_code,

        -- what
        kind,
        category,
        crime_against,
        code,
        motive,
        motive_code,
        domestic,

        -- where
        area_kind,
        area,
        place,
        premise,

        -- when, in the feed's own civil time
        time_zone,
        time_precision,
        occurred_local,
        occurred_date,
        date_trunc(occurred_date, month) as occurred_month,

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

    from persons

)

select * from named
