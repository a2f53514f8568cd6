{{ config(materialized='table', cluster_by=['source']) }}

-- A row is counted in one month, and may have been in others before: all months that its revisions ever named have
-- changed when it changes. What it is now decides, not its newest revision: the writer merges revisions first, and a
-- mart that is built between the two merges would otherwise believe itself up to date.

with

incidents as (

    select
        incident_id as row_id,
        'incident' as row_is,
        source,
        kind,
        occurred_date,
        not deleted as is_live,
        time_precision in ('minute', 'second') as is_timed,
        coalesce(victim_sex, victim_descent, cast(victim_age as string)) is not null as describes_victim,
        revision,
        loaded_at

    from {{ source('civicwire', 'incidents') }}

),

persons as (

    select
        person_id as row_id,
        'person' as row_is,
        source,
        kind,
        occurred_date,
        not deleted as is_live,
        false as is_timed,
        false as describes_victim,
        revision,
        loaded_at

    from {{ source('civicwire', 'persons') }}

),

current_rows as (

    select * from incidents
    union all
    select * from persons

),

earlier_incidents as (

    select
        incident_id as row_id,
        occurred_date

    from {{ source('civicwire', 'incident_revisions') }}

),

earlier_persons as (

    select
        person_id as row_id,
        occurred_date

    from {{ source('civicwire', 'person_revisions') }}

),

earlier_rows as (

    select * from earlier_incidents
    union all
    select * from earlier_persons

),

named as (

    select
        source,
        row_is,
        kind,
        date_trunc(occurred_date, month) as month,
        true as is_row,
        is_live,
        is_live and is_timed as is_timed,
        is_live and describes_victim as describes_victim,
        loaded_at

    from current_rows

    union all

    select
        current_rows.source,
        current_rows.row_is,
        current_rows.kind,
        date_trunc(earlier_rows.occurred_date, month) as month,
        false as is_row,
        false as is_live,
        false as is_timed,
        false as describes_victim,
        current_rows.loaded_at

    from current_rows

    inner join earlier_rows on current_rows.row_id = earlier_rows.row_id

    where current_rows.revision > 1

),

months as (

    select
        source,
        row_is,
        kind,
        month,
        countif(is_row) as rows_of_month,
        countif(is_live) as live_rows,
        countif(is_timed) as timed_rows,
        countif(describes_victim) as described_victims,
        max(loaded_at) as changed_at

    from named

    where month is not null

    group by source, row_is, kind, month

)

select
    source,
    row_is,
    kind,
    month,
    rows_of_month,
    live_rows,
    timed_rows,
    described_victims,
    changed_at,
    coalesce(month < max(if(live_rows > 0, month, null)) over (partition by source), true) as is_complete

from months
