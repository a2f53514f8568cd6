with

polls as (

    select * from {{ source('civicwire', 'polls') }}

),

named as (

    select

        -- ids
        poll_id,
        source,

        -- outcome
        status,
        status = 'failed' as is_failed,
        scan,
        error,

        -- cost
        requests,
        bytes_received,

        -- rows
        rows_in,
        inserted,
        revised,
        reappeared,
        deleted,
        expired,
        unchanged,
        dead,
        late,
        drift,
        portal_rows,
        live_rows,

        -- when
        newest_event_local,
        started_at,
        finished_at,
        date(started_at) as started_day,
        timestamp_diff(finished_at, started_at, millisecond) as duration_milliseconds,
        portal_changed_at,
        loaded_at

    from polls

)

select * from named
