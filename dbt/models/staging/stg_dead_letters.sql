with

dead_letters as (

    select * from {{ source('civicwire', 'dead_letters') }}

),

named as (

    select

        -- ids
        dead_id,
        source,
        record_id,

        -- why
        stage,
        reason,
        detail,

        -- when
        poll_id,
        observed_at,
        date(observed_at) as observed_day,
        loaded_at

    from dead_letters

)

select * from named
