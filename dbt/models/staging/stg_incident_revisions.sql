with

incident_revisions as (

    select * from {{ source('civicwire', 'incident_revisions') }}

),

named as (

    select

        -- ids
        incident_id,
        source,
        kind,
        revision,

        -- what happened
        op,
        deleted as is_deleted,
        late as is_late,

        -- when
        occurred_date,
        occurred_at,
        observed_at,
        date(observed_at) as observed_day,
        loaded_at,
        date(loaded_at) as loaded_day

    from incident_revisions

)

select * from named
