{{
    config(
        partition_by={'field': 'month', 'data_type': 'date', 'granularity': 'month'},
        cluster_by=['source', 'category'],
    )
}}

with

incidents as (

    select * from {{ ref('stg_incidents') }}

),

newest as (

    select
        source,
        max(occurred_month) as newest_month

    from incidents

    group by source

),

months as (

    select
        source,
        kind,
        occurred_month as month,
        category,
        count(*) as incidents,
        countif(is_revised) as revised,
        countif(is_late) as late,
        countif(occurred_hour is null) as without_time_of_day

    from incidents

    group by source, kind, occurred_month, category

)

select
    months.source,
    months.kind,
    months.month,
    months.category,
    months.month < newest.newest_month as is_complete,
    months.incidents,
    months.revised,
    months.late,
    months.without_time_of_day

from months

inner join newest on months.source = newest.source
