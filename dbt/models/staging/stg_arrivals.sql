with

arrivals as (

    select * from {{ source('civicwire', 'arrivals') }}

),

named as (

    select

        -- ids
        source,
        grain,
        window_start,

        -- counts
        events,
        inserted,
        revised,
        deleted,
        reappeared,
        expired,
        withdrawn,
        late,

        -- inserts by how long after the incident
        delay_hour,
        delay_day,
        delay_week,
        delay_month,
        delay_year,
        delay_longer,

        -- when
        timestamp_trunc(window_start, hour) as window_hour,
        date(window_start) as window_day,
        loaded_at

    from arrivals

)

select * from named
