{{
    config(
        partition_by={'field': 'month', 'data_type': 'date', 'granularity': 'month'},
        cluster_by=['source'],
        post_hook=after_rebuilding(),
    )
}}
{%- set months = months_behind(live=false) %}

with

incidents as (

    select
        source,
        kind,
        date_trunc(occurred_date, month) as occurred_month,
        op,
        deleted,
        late,
        revision

    from {{ source('civicwire', 'incidents') }}

    where
        occurred_date is not null
        {{ and_in(months, 'occurred_date') }}

),

counted as (

    select
        source,
        kind,
        occurred_month,
        countif(not deleted) as incidents,
        countif(op = 'delete') as deleted,
        countif(op = 'withdraw') as withdrawn,
        countif(op = 'expire') as expired,
        countif(not deleted and revision > 1) as revised,
        countif(not deleted and late) as late,
        sum(revision - 1) as revisions

    from incidents

    group by source, kind, occurred_month

),

changes as (

    select
        source,
        kind,
        month,
        is_complete,
        changed_at

    from {{ ref('int_month_changes') }}

)

select
    counted.source,
    counted.kind,
    counted.occurred_month as month,
    counted.incidents,
    counted.deleted,
    counted.withdrawn,
    counted.expired,
    counted.revised,
    counted.late,
    counted.revisions,
    changes.is_complete,
    changes.changed_at

from counted

inner join changes
    on
        counted.source = changes.source
        and counted.kind = changes.kind
        and counted.occurred_month = changes.month
