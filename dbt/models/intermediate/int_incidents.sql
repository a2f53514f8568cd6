with

incidents as (

    select * from {{ ref('stg_incidents') }}

),

categories as (

    select
        category,
        index_crime

    from {{ ref('categories') }}

),

months as (

    select
        source,
        kind,
        month,
        is_complete,
        changed_at

    from {{ ref('int_month_changes') }}

)

-- only months that have been looked at: what arrives between two models waits for the next build
select
    incidents.*,
    coalesce(categories.index_crime = 'violent', false) as is_violent,
    coalesce(categories.index_crime = 'property', false) as is_property,
    months.is_complete,
    months.changed_at

from incidents

left join categories on incidents.category = categories.category

inner join months
    on
        incidents.source = months.source
        and incidents.kind = months.kind
        and incidents.occurred_month = months.month
