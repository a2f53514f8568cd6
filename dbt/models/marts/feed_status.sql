{{ config(materialized='table') }}

with

feeds as (

    select * from {{ ref('feeds') }}

),

polls as (

    select
        source,
        count(*) as polls,
        countif(is_failed) as failed_polls,
        max(started_at) as last_poll_at,
        max(if(not is_failed, started_at, null)) as last_success_at,
        max(if(status = 'changed', started_at, null)) as last_change_at,
        max(portal_changed_at) as portal_changed_at,
        max(newest_event_local) as newest_event_local,
        max(if(scan = 'complete' and portal_rows is not null, started_at, null)) as last_count_at

    from {{ ref('stg_polls') }}

    group by source

),

last_polls as (

    select
        source,
        status,
        error

    from {{ ref('stg_polls') }}

    qualify row_number() over (partition by source order by started_at desc) = 1

),

since_success as (

    select
        stg_polls.source,
        count(*) as failed_in_a_row

    from {{ ref('stg_polls') }} as stg_polls

    inner join polls on stg_polls.source = polls.source

    where stg_polls.is_failed and (polls.last_success_at is null or stg_polls.started_at > polls.last_success_at)

    group by stg_polls.source

),

portal_counts as (

    select
        stg_polls.source,
        max(stg_polls.portal_rows) as portal_rows

    from {{ ref('stg_polls') }} as stg_polls

    inner join polls
        on
            stg_polls.source = polls.source
            and stg_polls.started_at = polls.last_count_at

    group by stg_polls.source

),

ledger_counts as (

    select
        stg_polls.source,
        max(stg_polls.live_rows) as live_rows

    from {{ ref('stg_polls') }} as stg_polls

    inner join polls
        on
            stg_polls.source = polls.source
            and stg_polls.started_at = polls.last_success_at

    group by stg_polls.source

),

month_rows as (

    select
        source,
        sum(live_rows) as live_rows,
        max(changed_at) as last_loaded_at

    from {{ ref('int_month_changes') }}

    group by source

),

figures as (

    -- a row of statistics becomes several indicators
    select
        source,
        count(distinct record_id) as live_rows,
        max(loaded_at) as last_loaded_at

    from {{ ref('stg_indicators') }}

    group by source

),

warehouse as (

    select * from month_rows
    union all
    select * from figures

),

incidents_gone as (

    select
        source,
        sum(deleted) as deleted,
        sum(expired) as expired

    from {{ ref('revisions_by_month') }}

    group by source

),

persons_gone as (

    select
        source,
        countif(op = 'delete') as deleted,
        countif(op = 'expire') as expired

    from {{ source('civicwire', 'persons') }}

    group by source

),

figures_gone as (

    select
        source,
        count(distinct if(op = 'delete', record_id, null)) as deleted,
        count(distinct if(op = 'expire', record_id, null)) as expired

    from {{ source('civicwire', 'indicators') }}

    group by source

),

gone as (

    select * from incidents_gone
    union all
    select * from persons_gone
    union all
    select * from figures_gone

),

dead_letters as (

    select
        source,
        sum(dead_letters) as dead_letters

    from {{ ref('dead_letters_by_reason') }}

    group by source

),

drift as (

    select
        source,
        count(*) as drift_events

    from {{ ref('drift_events') }}

    group by source

),

loads as (

    select
        source,
        max(newest_observed_at) as last_observed_at

    from {{ ref('loads_by_hour') }}

    group by source

)

-- expired rows stay in the warehouse and are no longer at the portal
select
    feeds.source,
    feeds.title,
    feeds.kind,
    feeds.unit,
    coalesce(polls.polls, 0) as polls,
    coalesce(polls.failed_polls, 0) as failed_polls,
    coalesce(since_success.failed_in_a_row, 0) as failed_in_a_row,
    polls.last_poll_at,
    last_polls.status as last_poll_status,
    last_polls.error as last_error,
    polls.last_success_at,
    polls.last_change_at,
    polls.portal_changed_at,
    polls.newest_event_local,
    portal_counts.portal_rows,
    ledger_counts.live_rows,
    coalesce(warehouse.live_rows, 0) - coalesce(gone.expired, 0) as warehouse_rows,
    safe_divide(
        coalesce(warehouse.live_rows, 0) - coalesce(gone.expired, 0), ledger_counts.live_rows
    ) as completeness,
    coalesce(gone.deleted, 0) as deleted,
    coalesce(dead_letters.dead_letters, 0) as dead_letters,
    coalesce(drift.drift_events, 0) as drift_events,
    coalesce(loads.last_observed_at, polls.last_change_at) as last_observed_at,
    warehouse.last_loaded_at

from feeds

left join polls on feeds.source = polls.source

left join last_polls on feeds.source = last_polls.source

left join since_success on feeds.source = since_success.source

left join portal_counts on feeds.source = portal_counts.source

left join ledger_counts on feeds.source = ledger_counts.source

left join warehouse on feeds.source = warehouse.source

left join gone on feeds.source = gone.source

left join dead_letters on feeds.source = dead_letters.source

left join drift on feeds.source = drift.source

left join loads on feeds.source = loads.source
