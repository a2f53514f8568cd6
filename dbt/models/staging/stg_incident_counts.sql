with

incident_counts as (

    select * from {{ source('civicwire', 'incident_counts') }}

),

named as (

    select

        -- ids
        source,
        kind,
        grain,
        window_start,
        area,
        category,
        version,

        -- counts
        incidents,
        deleted,
        revised,
        late,

        -- how they came about
        first_incidents,
        restatements,
        first_observed_at,
        last_observed_at,

        -- when
        window_date,
        date_trunc(window_date, month) as window_month,
        loaded_at

    from incident_counts

)

select * from named
