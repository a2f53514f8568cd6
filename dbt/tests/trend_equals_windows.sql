{{ config(severity=env_var('CIVICWIRE_EQUATIONS', 'error')) }}
-- Business equation: what SQL counts over the incidents is what the stream's month windows say, for every category,
-- after every revision, delete and late arrival. An empty window may remain with zeros.

with

windows as (

    select
        source,
        kind,
        window_month as month,
        category,
        sum(incidents) as incidents,
        sum(late) as late

    from {{ ref('stg_incident_counts') }}

    where grain = 'month'

    group by source, kind, month, category

),

trend as (

    select
        source,
        kind,
        month,
        category,
        incidents,
        late

    from {{ ref('city_month_trend') }}

)

select
    source,
    kind,
    month,
    category,
    windows.incidents as incidents_in_windows,
    trend.incidents as incidents_in_trend,
    windows.late as late_in_windows,
    trend.late as late_in_trend

from windows

full outer join trend using (source, kind, month, category)

where
    coalesce(windows.incidents, 0) != coalesce(trend.incidents, 0)
    or coalesce(windows.late, 0) != coalesce(trend.late, 0)
