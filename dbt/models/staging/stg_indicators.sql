with

indicators as (

    select * from {{ source('civicwire', 'indicators') }}
    where not deleted

),

named as (

    select

        -- ids
        indicator_id,
        source,
        record_id,
        revision,

        -- what
        indicator,
        value,
        unit,
        seasonally_adjusted as is_seasonally_adjusted,
        preliminary as is_preliminary,

        -- where and when
        area_kind,
        area,
        month,
        observed_at,
        loaded_at,

        -- how far to trust it
        quality_flags

    from indicators

)

select * from named
