with

drift as (

    select * from {{ source('civicwire', 'drift') }}

),

named as (

    select

        -- ids
        source,
        kind,
        `column`,
        value,

        -- what
        detail,
        `rows`,
        affected_columns,
        affected_marts,
        affected_panels,

        -- when
        poll_id,
        observed_at,
        date(observed_at) as observed_day,
        loaded_at

    from drift

)

select * from named
