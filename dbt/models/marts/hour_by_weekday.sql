{{
    config(
        partition_by={'field': 'month', 'data_type': 'date', 'granularity': 'month'},
        cluster_by=['source', 'weekday'],
    )
}}

with

incidents as (

    select * from {{ ref('stg_incidents') }}
    where occurred_hour is not null

)

select
    source,
    kind,
    occurred_month as month,
    occurred_weekday as weekday,
    ['Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday', 'Sunday'][
        ordinal(occurred_weekday)
    ] as weekday_name,
    occurred_hour as hour,
    count(*) as incidents,
    countif(is_in_first_minute) as first_minute

from incidents

group by source, kind, occurred_month, occurred_weekday, occurred_hour
